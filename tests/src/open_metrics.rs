//! Text of OpenMetrics 1.0, read as strictly as the standard is written: what deviates fails the test that reads it.

use std::collections::{BTreeMap, BTreeSet};

/// The media type of such a text.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A value, with its name and labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// What belongs together under one name.
#[derive(Default)]
struct Family {
    name: String,
    kind: Option<String>,
    help: bool,
    unit: bool,
    samples: usize,
}

/// Reads a text.
///
/// # Panics
/// Where it is not exactly as the standard says.
pub fn parse(text: &str) -> Vec<Sample> {
    let lines = text.strip_suffix("# EOF\n").expect("it says where it ends");
    assert!(lines.is_empty() || lines.ends_with('\n'), "every line ends");
    assert!(!text.contains('\r'));
    let (mut families, mut family) = (BTreeSet::new(), Family::default());
    let (mut samples, mut seen) = (Vec::new(), BTreeSet::new());
    for line in lines.split_terminator('\n') {
        if let Some(described) = line.strip_prefix("# ") {
            let (word, rest) = described.split_once(' ').unwrap_or_else(|| panic!("{line}"));
            let (name, value) = rest.split_once(' ').unwrap_or_else(|| panic!("{line}"));
            if name != family.name {
                assert!(
                    is_name(name) && families.insert(name.to_owned()),
                    "a family stands in one place: {line}"
                );
                family = Family { name: name.to_owned(), ..Family::default() };
            }
            assert_eq!(family.samples, 0, "a family is described before its samples: {line}");
            let again = match word {
                "TYPE" => family.kind.replace(value.to_owned()).is_some(),
                "HELP" => {
                    assert!(is_escaped(value), "{line}");
                    std::mem::replace(&mut family.help, true)
                }
                "UNIT" => {
                    assert!(name.ends_with(&format!("_{value}")), "{line}");
                    std::mem::replace(&mut family.unit, true)
                }
                _ => panic!("there is no such description: {line}"),
            };
            assert!(!again, "it is described once: {line}");
        } else {
            let sample = sample(line);
            belongs(&sample, &family, line);
            family.samples += 1;
            assert!(seen.insert((sample.name.clone(), sample.labels.clone())), "it has one value: {line}");
            samples.push(sample);
        }
    }
    samples
}

/// Fails unless a sample is one of its family.
fn belongs(sample: &Sample, family: &Family, line: &str) {
    let suffix =
        sample.name.strip_prefix(&*family.name).unwrap_or_else(|| panic!("it has no family: {line}"));
    let quantile = sample.labels.get("quantile").map(|text| text.parse::<f64>().expect("a number"));
    let counts = match (family.kind.as_deref(), suffix) {
        (Some("counter"), "_total") | (Some("summary"), "_sum" | "_count") => true,
        (Some("gauge"), "") => false,
        (Some("summary"), "") => {
            assert!(quantile.is_some_and(|quantile| (0.0..=1.0).contains(&quantile)), "{line}");
            return;
        }
        _ => panic!("a family of this kind has no such sample: {line}"),
    };
    assert!(quantile.is_none(), "{line}");
    assert!(!counts || sample.value >= 0.0, "what is counted is a number, and not negative: {line}");
    assert!(suffix != "_count" || sample.value.fract() == 0.0, "{line}");
}

fn sample(line: &str) -> Sample {
    let at = line.find(['{', ' ']).unwrap_or_else(|| panic!("{line}"));
    let (name, mut rest) = line.split_at(at);
    assert!(is_name(name), "{line}");
    let mut labels = BTreeMap::new();
    if let Some(mut inside) = rest.strip_prefix('{') {
        loop {
            let (label, value) = inside.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            assert!(is_name(label) && !label.contains(':'), "{line}");
            let end = end_of_text(value).unwrap_or_else(|| panic!("{line}"));
            let again = labels.insert(label.to_owned(), value[..end].to_owned());
            assert!(again.is_none() && is_escaped(&value[..end]), "{line}");
            inside = &value[end + 1..];
            match inside.strip_prefix(',') {
                Some(more) => inside = more,
                None => break,
            }
        }
        rest = inside.strip_prefix('}').unwrap_or_else(|| panic!("{line}"));
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line}"));
    Sample { name: name.to_owned(), labels, value: value.parse().unwrap_or_else(|_| panic!("{line}")) }
}

/// Where a text in quotes ends.
fn end_of_text(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at)
    })
}

fn is_escaped(text: &str) -> bool {
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let fits = match c {
            '\\' => matches!(rest.next(), Some('\\' | '"' | 'n')),
            '"' => false,
            _ => true,
        };
        if !fits {
            return false;
        }
    }
    true
}

fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    text.chars().all(fits) && text.starts_with(|c: char| !c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_standard_says_is_read_and_what_deviates_from_it_is_not() {
        let good = "# HELP a_seconds what it is\n# TYPE a_seconds summary\n# UNIT a_seconds seconds\n\
             a_seconds{quantile=\"0.5\",b=\"x \\\"}y\"} 1\na_seconds_sum 2.5\na_seconds_count 1\n\
             # TYPE c counter\nc_total{b=\"1\"} 3\nc_total{b=\"2\"} 4\n# EOF\n";
        assert_eq!(parse(good).len(), 5);
        assert_eq!(parse("# EOF\n"), []);
        for bad in [
            "",
            "# TYPE c counter\nc_total 3\n",
            "# TYPE c counter\nc 3\n# EOF\n",
            "# TYPE c_total counter\nc_total 3\n# EOF\n",
            "# TYPE c counter\n\nc_total 3\n# EOF\n",
            "# TYPE c counter\nc_total -3\n# EOF\n",
            "# TYPE c counter\nc_total NaN\n# EOF\n",
            "# TYPE c counter\nc_total 3\nc_total 3\n# EOF\n",
            "# TYPE c counter\nc_total 3\n# HELP c late\n# EOF\n",
            "# TYPE c counter\nc_total 3\n# TYPE d counter\nd_total 1\n# TYPE c counter\n# EOF\n",
            "# HELP c a \"quote\"\n# TYPE c counter\nc_total 3\n# EOF\n",
            "# TYPE c counter\n# UNIT c seconds\nc_total 3\n# EOF\n",
            "# TYPE s summary\ns 3\n# EOF\n",
            "# TYPE s summary\ns_sum -3\n# EOF\n",
            "c_total 3\n# EOF\n",
            "# EOF\n# EOF\n",
        ] {
            assert!(std::panic::catch_unwind(|| parse(bad)).is_err(), "{bad}");
        }
    }
}

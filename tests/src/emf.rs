//! Metrics as they are printed: what AWS's specification of the embedded metric format and our own declarations demand
//! of a line, for lines of a test's own process and of deployed functions.

use crate::emulator::root;
use crate::template::violations;
use ledger::Kind;
use platform::FailureKind;
use platform::metrics::{METRICS, NAMESPACE};
use postmark::RecordType;
use queue::QueueName;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The file that says what AWS demands of a line.
pub const SCHEMA: &str = "tests/acceptance/emf-schema.json";

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The source of all that crates tell of themselves, by the crate's folder, such as `shared/ingest`.
///
/// # Panics
/// Where they cannot be read.
pub fn observers() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for parent in ["functions", "shared"] {
        for entry in std::fs::read_dir(root().join(parent)).expect("a folder").flatten() {
            let folder = format!("{parent}/{}", entry.file_name().to_string_lossy());
            let file = format!("{folder}/src/observe.rs");
            if root().join(&file).exists() {
                found.insert(folder, read(&file));
            }
        }
    }
    found
}

/// The metrics that some crates emit.
///
/// # Panics
/// Where one has no `src/observe.rs`.
pub fn emitted_by(folders: &[&str]) -> BTreeSet<&'static str> {
    let observers = observers();
    let sources: String = folders.iter().map(|folder| observers[*folder].as_str()).collect();
    let names = METRICS.iter().map(|(name, ..)| *name);
    names.filter(|name| sources.contains(&format!("\"{name}\""))).collect()
}

/// Whether it is measured rather than counted: what is counted is summed; of what is measured a sum means nothing.
pub fn is_measured(metric: &str) -> bool {
    observers().values().any(|source| source.contains(&format!("histogram!(\"{metric}\"")))
}

/// CloudWatch's word for a metric's unit.
///
/// # Panics
/// Where it is not declared.
pub fn unit(metric: &str) -> String {
    let (_, unit, ..) = METRICS.iter().find(|(name, ..)| *name == metric).expect("declared");
    let word = unit.as_str();
    word[..1].to_uppercase() + &word[1..]
}

/// Every value that a metric's dimension takes.
///
/// # Panics
/// Where a metric has a dimension that is not known here.
pub fn values(metric: &str, dimension: &str) -> BTreeSet<String> {
    let of = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<BTreeSet<_>>();
    match (metric, dimension) {
        ("EventsAccepted", _) => of(&RecordType::ALL.map(|one| one.kind().name())),
        (_, "RecordType") => of(&Kind::ALL.map(Kind::name)),
        (_, "Queue") => of(&[QueueName::Critical, QueueName::Bulk].map(QueueName::name)),
        (_, "Marked") => of(&["yes", "no"]),
        (_, "Slot") => of(&["current", "previous"]),
        ("EventsRejected", _) => of(&["auth", "method"]),
        ("CommitRetried", _) => of(&["cancelled", "drift"]),
        ("CallsFailed", _) => {
            let kinds = FailureKind::ALL.into_iter().filter(|kind| !kind.is_of_disk());
            kinds.map(|kind| kind.name().to_owned()).collect()
        }
        ("Quarantined", _) => {
            let source = read("shared/postmark/src/lib.rs");
            let codes =
                source.split("RefusalCode::").filter_map(|arm| arm.split_once(" => \"")?.1.split_once('"'));
            let mut codes: BTreeSet<String> = codes.map(|(code, _)| code.to_owned()).collect();
            assert!(codes.contains("probe") && codes.len() >= 9, "{codes:?}");
            codes.extend(of(&[
                "not_an_envelope",
                "not_committable",
                "revoked",
                "sender",
                "too_many_streams",
                "too_old",
            ]));
            codes
        }
        _ => panic!("{metric} by {dimension}"),
    }
}

/// The metrics in lines that functions of a stage printed, with the values of their dimension.
///
/// # Panics
/// Where a line is not what AWS's specification demands, or not what is declared.
pub fn checked(lines: &[Value], stage: &str) -> BTreeMap<String, BTreeSet<String>> {
    for (line, violations) in lines.iter().zip(violations(&root().join(SCHEMA), lines)) {
        assert!(violations.is_empty(), "{violations:?}: {line}");
    }
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in lines {
        assert!(line.to_string().len() < 256 * 1024, "a log event has an end");
        let [directive] = line["_aws"]["CloudWatchMetrics"].as_array().expect("directives").as_slice() else {
            panic!("one directive: {line}");
        };
        assert_eq!((&directive["Namespace"], &line["Stage"]), (&NAMESPACE.into(), &stage.into()));
        let [set] = directive["Dimensions"].as_array().expect("sets").as_slice() else {
            panic!("a second set of dimensions would be a second series: {line}");
        };
        let set = set.as_array().expect("a set").iter().map(|name| name.as_str().expect("a name"));
        let dimensions: BTreeMap<&str, &str> =
            set.map(|name| (name, line[name].as_str().expect("a value"))).collect();
        assert!(dimensions.values().all(|value| (1..=1024).contains(&value.len())), "{line}");
        for metric in directive["Metrics"].as_array().expect("metrics") {
            let name = metric["Name"].as_str().expect("a name");
            let declared = METRICS.iter().find(|(declared, ..)| *declared == name);
            let (_, _, dimension, _) = declared.unwrap_or_else(|| panic!("{name} is not declared"));
            let expected: BTreeSet<&str> = ["Stage"].into_iter().chain(*dimension).collect();
            assert_eq!(dimensions.keys().copied().collect::<BTreeSet<_>>(), expected, "{name}");
            assert_eq!(metric["Unit"], unit(name), "{name}");
            match &line[name] {
                Value::Number(_) => assert!(!is_measured(name), "{name}"),
                Value::Array(numbers) => {
                    assert!(
                        (1..=100).contains(&numbers.len()) && numbers.iter().all(Value::is_number),
                        "{line}"
                    );
                }
                other => panic!("{name} is {other}"),
            }
            let value = dimension.map(|dimension| dimensions[dimension].to_owned());
            if let (Some(dimension), Some(value)) = (dimension, &value) {
                assert!(values(name, dimension).contains(value), "{name} of {value}");
            }
            seen.entry(name.to_owned()).or_default().extend(value);
        }
    }
    seen
}

//! Addresses as those see them who are not to see them whole: in the members that hold one, and wherever else one
//! stands in an answer, in whatever spelling.
//!
//! Invariant: what is masked shows that it is: three stars stand in its place. Ids stay, and so does what the caller
//! itself has typed, which is no secret to it.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ledger::given::Address;
use ledger::recipient_key;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use std::collections::HashSet;

/// What stands in the place of what is masked.
const STARS: &str = "***";
/// The shortest run of letters that may be an encoded address: `a@b.example` has more.
const ENCODED_MIN: usize = 12;
/// Where a list goes on: it is handed back as it is.
const CURSOR: &str = "next";
/// The members that repeat an address as the caller has typed it, and as it was understood.
const TYPED: [&str; 3] = ["address", "also_asked", "cleaned"];

/// An address of which only its first letter and its domain are told: `i***@customer.example`.
pub(crate) fn masked(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((local, domain)) => {
            let first: String = local.chars().take(1).collect();
            format!("{first}{STARS}@{domain}")
        }
        None => STARS.to_owned(),
    }
}

/// An address as a list shows it to a caller.
pub(crate) fn shown(address: Option<&str>, reveal: bool) -> Option<String> {
    address.map(|address| if reveal { address.to_owned() } else { masked(address) })
}

/// The addresses that a caller has typed.
#[derive(Debug, Default)]
pub(crate) struct Typed(HashSet<String>);

impl Typed {
    /// Those of a request: in its path, and anywhere in its body.
    pub(crate) fn of(name: &str, body: &[u8]) -> Typed {
        fn strings(value: Value, into: &mut HashSet<String>) {
            match value {
                Value::String(text) => typed(&text, into),
                Value::Array(items) => items.into_iter().for_each(|item| strings(item, into)),
                Value::Object(members) => members.into_values().for_each(|member| strings(member, into)),
                _ => {}
            }
        }
        fn typed(text: &str, into: &mut HashSet<String>) {
            into.insert(recipient_key(text));
            // It may be repeated as it was understood.
            if let Ok(address) = text.parse::<Address>() {
                into.extend(address.keys().to_vec());
            }
        }
        let mut all = HashSet::new();
        typed(name, &mut all);
        strings(serde_json::from_slice(body).unwrap_or_default(), &mut all);
        Typed(all)
    }

    fn has(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.0.contains(&recipient_key(text)),
            Value::Array(texts) => texts.iter().all(|text| self.has(text)),
            _ => false,
        }
    }
}

/// Masks every address in an answer, whatever member or name it stands in.
pub(crate) fn answer(value: &mut Value, typed: &Typed) {
    match value {
        Value::String(told) => {
            if let Some(masked) = text(told) {
                *told = masked;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| answer(item, typed)),
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                if name != CURSOR && !(TYPED.contains(&name.as_str()) && typed.has(member)) {
                    answer(member, typed);
                }
            }
            let names: Vec<(String, String)> =
                members.keys().filter_map(|name| Some((name.clone(), text(name)?))).collect();
            for (name, masked) in names {
                let Some(member) = members.remove(&name) else { continue };
                // Two names may be masked alike; neither may be lost.
                let mut free = masked.clone();
                let mut n = 1;
                while members.contains_key(&free) {
                    n += 1;
                    free = format!("{masked} ({n})");
                }
                members.insert(free, member);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A text without the addresses in it; `None` where there are none.
pub(crate) fn text(text: &str) -> Option<String> {
    let mut stretches = addresses(text);
    stretches.extend(encoded(text).into_iter().map(|(from, to)| (from, to, false)));
    if stretches.is_empty() {
        return None;
    }
    stretches.sort_unstable();
    let mut masked = String::with_capacity(text.len());
    let mut done = 0;
    for (from, to, first_told) in stretches {
        if to <= done {
            continue;
        }
        let from = from.max(done);
        masked.push_str(&text[done..from]);
        let first = text[from..to].chars().next().filter(|first| first_told && first.is_alphanumeric());
        masked.extend(first);
        masked.push_str(STARS);
        done = to;
    }
    masked.push_str(&text[done..]);
    Some(masked).filter(|masked| masked != text)
}

/// Where the local parts of addresses stand, and whether their first letter may be told.
fn addresses(text: &str) -> Vec<(usize, usize, bool)> {
    let mut found: Vec<(usize, usize, bool)> = Vec::new();
    let mut place = 0;
    while let Some(next) = text[place..].chars().next() {
        match at_sign(&text[place..]) {
            Some(length) => {
                let from = local_part(&text[..place]);
                if from < place && has_domain(&text[place + length..]) {
                    match found.last_mut().filter(|last| from <= last.1) {
                        // `a@b@c`: all before the last sign is a local part.
                        Some(last) => *last = (last.0.min(from), place, last.2),
                        None => found.push((from, place, true)),
                    }
                }
                place += length;
            }
            None => place += next.len_utf8(),
        }
    }
    found
}

/// How long the sign is that a text begins with, in any of the spellings that bodies, links and headers have for it.
fn at_sign(text: &str) -> Option<usize> {
    const SIGNS: [&str; 6] = ["@", "\u{ff20}", "\u{fe6b}", "&commat;", "\\u0040", "%ef%bc%a0"];
    if !text.starts_with(['@', '%', '&', '\\', '=', '\u{ff20}', '\u{fe6b}']) {
        return None;
    }
    let starts = |sign: &&&str| text.get(..sign.len()).is_some_and(|start| start.eq_ignore_ascii_case(sign));
    if let Some(sign) = SIGNS.iter().find(starts) {
        return Some(sign.len());
    }
    // Percent-encoded, any number of times over.
    if let Some(rest) = text.strip_prefix('%') {
        let again = rest.trim_start_matches("25");
        return again.starts_with("40").then(|| 1 + rest.len() - again.len() + 2);
    }
    // An entity, with any number of zeros.
    if let Some(rest) = text.strip_prefix("&#") {
        let (digits, code) = match rest.strip_prefix(['x', 'X']) {
            Some(digits) => (digits, "40"),
            None => (rest, "64"),
        };
        let number = digits.trim_start_matches('0').strip_prefix(code)?;
        let end = number.strip_prefix(';').unwrap_or(number);
        return Some(text.len() - end.len());
    }
    // Quoted-printable: a domain follows, or it is something else.
    let rest = text.strip_prefix("=40")?;
    let domain = rest.split(|other: char| !(other.is_ascii_alphanumeric() || "-.".contains(other))).next()?;
    let (name, top) = domain.trim_end_matches('.').rsplit_once('.')?;
    (!name.is_empty() && top.len() > 1 && top.bytes().all(|byte| byte.is_ascii_alphabetic())).then_some(3)
}

/// Where the local part begins that a text ends with.
fn local_part(text: &str) -> usize {
    // In quotes anything may stand.
    if let Some(quoted) = text.strip_suffix('"') {
        return quoted.rfind('"').unwrap_or(text.len());
    }
    let ends = |other: char| other.is_whitespace() || other.is_control() || "<>()[],:\"\\".contains(other);
    let mut from = 0;
    for (place, other) in text.char_indices().rev() {
        if ends(other) || (other == ';' && !closes_entity(&text[..place])) {
            from = place + other.len_utf8();
            break;
        }
    }
    // In a link it is what a parameter holds, or a part of the path: the rest of the link stays.
    let before = text[..from].trim_end_matches(':');
    let scheme = text[from..].starts_with("//") && before.ends_with(|last: char| last.is_ascii_alphabetic());
    if scheme {
        let part = text[from..].rfind(['/', '?', '&', '#']).map_or(from, |place| from + place + 1);
        return text[part..].find('=').map_or(part, |place| part + place + 1);
    }
    from
}

/// Whether a semicolon behind a text ends a character that is written as an entity.
fn closes_entity(text: &str) -> bool {
    let name = text.rfind('&').map(|place| &text[place + 1..]);
    name.is_some_and(|name| {
        (1..=8).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'#')
    })
}

/// Whether a text begins as a domain does.
fn has_domain(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphanumeric() || first == '[' || first == '%' || first == '&')
}

/// Where text stands that is an address in base64 or hexadecimal.
fn encoded(text: &str) -> Vec<(usize, usize)> {
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
    let base64 = |engine: &GeneralPurpose, run: &str| {
        // One letter alone at the end says nothing.
        let whole = if run.len() % 4 == 1 { &run[..run.len() - 1] } else { run };
        engine.decode(whole).ok()
    };
    let mut found = Vec::new();
    for (more, engine) in [("-_", URL_SAFE), ("+/", STANDARD)] {
        let runs = runs(text, |byte| byte.is_ascii_alphanumeric() || more.as_bytes().contains(&byte));
        let holds = |run: &str| base64(&engine, run).is_some_and(|bytes| is_address(&bytes));
        found.extend(runs.into_iter().filter(|(from, to)| holds(&text[*from..*to])));
    }
    let digits = runs(text, |byte| byte.is_ascii_hexdigit());
    let holds = |run: &str| hex(run).is_some_and(|bytes| is_address(&bytes));
    found.extend(digits.into_iter().filter(|(from, to)| holds(&text[*from..*to])));
    found
}

/// The long runs of some letters.
fn runs(text: &str, of: impl Fn(u8) -> bool) -> Vec<(usize, usize)> {
    let mut runs = Vec::new();
    let mut from = 0;
    for (place, byte) in text.bytes().chain([0]).enumerate() {
        if !of(byte) {
            if place - from >= ENCODED_MIN {
                runs.push((from, place));
            }
            from = place + 1;
        }
    }
    runs
}

fn hex(run: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = run.as_bytes().chunks_exact(2);
    pairs.map(|pair| Some((digit(pair[0])? << 4) | digit(pair[1])?)).collect()
}

/// Whether bytes are a text with an address in it, in UTF-8 or in one of UTF-16's orders. Ids at random are none.
fn is_address(bytes: &[u8]) -> bool {
    let wide: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != 0).collect();
    let Ok(text) = std::str::from_utf8(&wide) else { return false };
    let printable = text.chars().all(|one| !one.is_control() || one.is_whitespace());
    let plain = percent_decode_str(text).decode_utf8_lossy();
    printable && (!addresses(text).is_empty() || !addresses(&plain).is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_masked_address_tells_one_letter_and_the_domain() {
        assert_eq!(masked("ida.moreau@customer.example"), "i***@customer.example");
        assert_eq!(masked("\"a@b\"@customer.example"), "\"***@customer.example");
        assert_eq!(masked("ida"), "***");
        assert_eq!(shown(Some("ida@x"), true).as_deref(), Some("ida@x"));
        assert_eq!(shown(None, true), None);
    }

    #[test]
    fn an_address_is_masked_wherever_it_stands_in_a_text_and_the_rest_stays() {
        for (told, masked) in [
            ("ida.moreau@customer.example", "i***@customer.example"),
            ("for ida.moreau@customer.example, today", "for i***@customer.example, today"),
            (
                "550 5.1.1 <ida.moreau@customer.example>: unknown",
                "550 5.1.1 <i***@customer.example>: unknown",
            ),
            ("rcpt=ida.moreau@customer.example", "r***@customer.example"),
            ("mailto:ida.moreau@customer.example?subject=x", "mailto:i***@customer.example?subject=x"),
            ("o'brien@customer.example", "o***@customer.example"),
            ("a/b@customer.example", "a***@customer.example"),
            ("\"ida moreau\"@customer.example", "***@customer.example"),
            ("ida@moreau@customer.example", "i***@customer.example"),
            ("bounce+ida.moreau=customer.example@sender.example", "b***@sender.example"),
            ("\u{e9}da@b\u{fc}cher.example", "\u{e9}***@b\u{fc}cher.example"),
            ("ida@[192.0.2.1]", "i***@[192.0.2.1]"),
            ("ida\u{ff20}customer.example", "i***\u{ff20}customer.example"),
            ("ida&#64;customer.example", "i***&#64;customer.example"),
            ("i&#100;a&#x0040;customer.example", "i***&#x0040;customer.example"),
            ("ida&commat;customer.example", "i***&commat;customer.example"),
            ("ida\\u0040customer.example", "i***\\u0040customer.example"),
            ("ida=40customer.example", "i***=40customer.example"),
            ("ida%40customer.example", "i***%40customer.example"),
            ("ida%252540customer.example", "i***%252540customer.example"),
            (
                "https://shop.example/a/b?utm=x&to=ida.moreau%40customer.example&c=d",
                "https://shop.example/a/b?utm=x&to=i***%40customer.example&c=d",
            ),
            (
                "https://shop.example/?%69%64%61%40%63ustomer.example",
                "https://shop.example/?***%40%63ustomer.example",
            ),
            (
                "https://shop.example/to/ida@customer.example/x",
                "https://shop.example/to/i***@customer.example/x",
            ),
            (
                "https://shop.example/?to=user=x.example@customer.example",
                "https://shop.example/?to=u***@customer.example",
            ),
        ] {
            assert_eq!(text(told).as_deref(), Some(masked), "{told}");
            assert_eq!(text(masked), None, "what is masked stays as it is: {masked}");
        }
        for (told, masked) in [
            (STANDARD.encode("ida.moreau@customer.example"), "***=".to_owned()),
            (
                format!("x={}&y", URL_SAFE_NO_PAD.encode("{\"to\":\"ida.moreau@customer.example\"}")),
                "x=***&y".to_owned(),
            ),
            ("6964612e6d6f7265617540637573746f6d65722e6578616d706c65".to_owned(), "***".to_owned()),
            (STANDARD.encode("ida.moreau%40customer.example"), "***".to_owned()),
        ] {
            assert_eq!(
                text(&told).map(|told| told.trim_end_matches('=').to_owned()),
                Some(masked.trim_end_matches('=').to_owned()),
                "{told}"
            );
        }
    }

    #[test]
    fn what_is_no_address_stays() {
        for told in [
            "",
            "welcome",
            "@handle",
            "a @ b",
            "100% of 40",
            "https://shop.example/?w=40&h=50%25",
            "width=40px",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0",
            "883953f4-6105-42a2-a16a-77a8eac79483",
            "Md74F_1RgpqTyQ8rEES0bA",
            "Transactionalnewsletter",
        ] {
            assert_eq!(text(told), None, "{told}");
        }
    }

    #[test]
    fn an_answer_is_masked_in_every_member_and_name_but_for_what_was_typed() {
        let typed = Typed::of("Ida@customer.example", br#"{"addresses": ["bob@customer.example"]}"#);
        let mut told = json!({
            "address": "ida@customer.example",
            "results": [{ "address": "bob@customer.example", "note": "bob@customer.example" }],
            "recipient": { "address": "eve@customer.example" },
            "streams": { "a1@x.example": 1, "a2@x.example": 2 },
            "next": "WyJpZGFAY3VzdG9tZXIuZXhhbXBsZSJd",
        });
        answer(&mut told, &typed);
        assert_eq!(
            told,
            json!({
                "address": "ida@customer.example",
                "results": [{ "address": "bob@customer.example", "note": "b***@customer.example" }],
                "recipient": { "address": "e***@customer.example" },
                "streams": { "a***@x.example": 1, "a***@x.example (2)": 2 },
                "next": "WyJpZGFAY3VzdG9tZXIuZXhhbXBsZSJd",
            })
        );
    }

    proptest! {
        #[test]
        fn no_text_at_random_is_told_with_an_address_in_it(
            before in "[ a-z<(,;:/?&=%@\u{e9}\"\\\\]{0,12}",
            local in "[a-z0-9.+_-]{6,20}",
            sign in prop::sample::select(vec!["@", "%40", "%2540", "&#64;", "&#x40;", "\u{ff20}", "\\u0040"]),
            after in "[ a-z>),;:/?&=%@\u{e9}\"\\\\]{0,12}",
        ) {
            let whole = format!("{before}{local}{sign}customer.example{after}");
            let masked = text(&whole).unwrap_or_else(|| panic!("{whole}"));
            let wanted = format!("{local}{sign}");
            prop_assert!(!masked.contains(&wanted) && masked.contains(STARS), "{} {}", whole, masked);
        }

        #[test]
        fn ids_at_random_stay(bytes in any::<[u8; 16]>()) {
            let id = URL_SAFE_NO_PAD.encode(bytes);
            prop_assert_eq!(text(&id), None);
        }
    }
}

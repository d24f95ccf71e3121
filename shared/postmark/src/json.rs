//! JSON as the ledger reads and writes it: nothing ambiguous in, one spelling out.
//!
//! Reading refuses duplicate keys, which every parser resolves in its own way, and more than [`VALUES_MAX`] values or
//! [`DEPTH_MAX`] levels: six bytes of text can take 600 of memory, so that a body which a gateway lets through could take
//! more than a function has. It is lenient where the meaning is certain, and says where it was:
//!
//! - `byte_order_mark`: marks, and white space between them, before the text are skipped (RFC 8259, section 8.1).
//! - `lone_surrogate`: half of a surrogate pair is U+FFFD, written as an escape or as bytes. Somebody cut a text
//!   between the halves of a character. A pair that is written as bytes of its halves is the character that it means.
//! - `invalid_utf8`: bytes that are no UTF-8 are U+FFFD, as in every browser.
//!
//! Writing is canonical: keys sorted by their bytes, no white space, everything outside ASCII escaped, because SQS
//! refuses some characters that JSON may hold.

use crate::{BODY_BYTES_MAX, Refusal, RefusalCode};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::{self, Write as _};

/// How many values a text may have: every string, number, object, array, `true`, `false` and `null` in it is one.
/// Postmark's have about thirty.
pub const VALUES_MAX: usize = 20_000;
/// How many objects and arrays may stand in one another. Postmark's have two.
pub const DEPTH_MAX: usize = 100;
/// How many of them the parser itself allows. It stops with other words.
const PARSER_DEPTH_MAX: usize = 127;
const _: () = assert!(DEPTH_MAX < PARSER_DEPTH_MAX);

/// What a text was found to be.
#[derive(Debug)]
pub(crate) struct Parsed {
    /// The value.
    pub(crate) value: Value,
    /// Whether the field that is never kept was there.
    pub(crate) skipped: bool,
    /// Where the reading was lenient: the names that the module's text explains.
    pub(crate) mended: Vec<&'static str>,
}

/// Parses a JSON text. One field of the outermost object, however large, is passed over without keeping it.
pub(crate) fn parse(raw: &[u8], skip: &str) -> Result<Parsed, Refusal> {
    let mut mended = Vec::new();
    let text = without_marks(raw, &mut mended);
    let text = mend(text, &mut mended).ok_or_else(|| {
        Refusal::new(RefusalCode::TooLarge, "/", "larger than anything that is read, once it is UTF-8")
    })?;
    let bounds = Bounds { values: Cell::new(0), beyond: Cell::new(None), skip, skipped: Cell::new(false) };
    let mut parser = serde_json::Deserializer::from_slice(&text);
    let seed = Within { bounds: &bounds, depth: 0 };
    let value = seed.deserialize(&mut parser).and_then(|value| parser.end().map(|()| value));
    let skipped = bounds.skipped.get();
    value.map(|value| Parsed { value, skipped, mended }).map_err(|error| refusal(&error, bounds.beyond.get()))
}

fn refusal(error: &serde_json::Error, beyond: Option<&'static str>) -> Refusal {
    let place = format!("line {} column {}", error.line(), error.column());
    if let Some(words) = beyond {
        return Refusal::new(RefusalCode::TooLarge, place, words);
    }
    let text = error.to_string();
    let words = text.split(" at line ").next().unwrap_or("not JSON").to_owned();
    Refusal::new(RefusalCode::NotJson, place, words)
}

/// A text without the byte order marks before it.
fn without_marks<'a>(raw: &'a [u8], mended: &mut Vec<&'static str>) -> &'a [u8] {
    let mut text = raw;
    while let Some(rest) = text.trim_ascii_start().strip_prefix(b"\xef\xbb\xbf") {
        text = rest;
    }
    if text.len() < raw.len() {
        mended.push("byte_order_mark");
    }
    text
}

/// Replaces a character that cannot be read.
const REPLACEMENT: &str = "\u{fffd}";

/// The text as UTF-8 without half surrogate pairs. (Outside strings, a body with either is not JSON, before or after
/// this.) `None` if it grows beyond the limit: a byte that is not text becomes three.
fn mend<'a>(text: &'a [u8], mended: &mut Vec<&'static str>) -> Option<Cow<'a, [u8]>> {
    let (mut whole, mut halves, mut invalid) = (Cow::Borrowed(text), false, false);
    if std::str::from_utf8(text).is_err() {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(chunk) = rest.utf8_chunks().next() {
            if out.len() > BODY_BYTES_MAX {
                return None;
            }
            out.push_str(chunk.valid());
            rest = &rest[chunk.valid().len()..];
            let unit = |bytes: &[u8]| surrogate_bytes(bytes);
            match (unit(rest), rest.get(3..).and_then(unit)) {
                (Some(high), Some(low)) if is_high(high) && is_low(low) => {
                    out.extend(char::decode_utf16([high, low]).filter_map(Result::ok));
                    rest = &rest[6..];
                }
                (Some(_), _) => {
                    halves = true;
                    out.push_str(REPLACEMENT);
                    rest = &rest[3..];
                }
                (None, _) => {
                    if !chunk.invalid().is_empty() {
                        invalid = true;
                        out.push_str(REPLACEMENT);
                    }
                    rest = &rest[chunk.invalid().len()..];
                }
            }
        }
        whole = Cow::Owned(out.into_bytes());
    }
    let mut at = 0;
    while let Some(found) = whole.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == b'\\')) {
        at += found;
        let second = whole.get(at + 6..).and_then(escaped_unit);
        at += match escaped_unit(&whole[at..]) {
            Some(high) if is_high(high) && second.is_some_and(is_low) => 12,
            Some(half) if is_high(half) || is_low(half) => {
                halves = true;
                whole.to_mut()[at..at + 6].copy_from_slice(b"\\ufffd");
                6
            }
            Some(_) => 6,
            None => 2,
        };
    }
    mended.extend(halves.then_some("lone_surrogate").into_iter().chain(invalid.then_some("invalid_utf8")));
    Some(whole)
}

/// The UTF-16 unit of an escape at the start of a text.
fn escaped_unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.first_chunk::<4>()?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)? as u16))
}

/// The half of a surrogate pair that the first three bytes of a text are, where somebody wrote it as if it were a
/// character.
fn surrogate_bytes(text: &[u8]) -> Option<u16> {
    match *text.first_chunk::<3>()? {
        [0xed, second @ 0xa0..=0xbf, third @ 0x80..=0xbf] => {
            Some(0xd000 | u16::from(second & 0x3f) << 6 | u16::from(third & 0x3f))
        }
        _ => None,
    }
}

const fn is_high(unit: u16) -> bool {
    matches!(unit, 0xd800..=0xdbff)
}

const fn is_low(unit: u16) -> bool {
    matches!(unit, 0xdc00..=0xdfff)
}

/// What a text may be, and how much of that it has been.
struct Bounds<'a> {
    values: Cell<usize>,
    beyond: Cell<Option<&'static str>>,
    skip: &'a str,
    skipped: Cell<bool>,
}

impl Bounds<'_> {
    fn one_more_value<E: Error>(&self) -> Result<(), E> {
        self.values.set(self.values.get() + 1);
        self.within(self.values.get() <= VALUES_MAX, "more values than are read")
    }

    fn within<E: Error>(&self, holds: bool, words: &'static str) -> Result<(), E> {
        if holds {
            return Ok(());
        }
        self.beyond.set(Some(words));
        Err(E::custom(words))
    }
}

/// Reads a value that stands in so many objects and arrays. No object has a key twice.
#[derive(Clone, Copy)]
struct Within<'a> {
    bounds: &'a Bounds<'a>,
    depth: usize,
}

impl Within<'_> {
    /// For what stands in this object or array.
    fn inside<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth + 1;
        self.bounds.within(depth <= DEPTH_MAX, "more levels than are read")?;
        Ok(Within { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Within<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.bounds.one_more_value()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Within<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(inside)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let skip = self.depth == 0 && key == self.bounds.skip;
            if object.contains_key(&key) || skip && self.bounds.skipped.replace(true) {
                return Err(A::Error::custom("a key appears twice in one object"));
            }
            if skip {
                entries.next_value::<IgnoredAny>()?;
            } else {
                object.insert(key, entries.next_value_seed(inside)?);
            }
        }
        Ok(Value::Object(object))
    }
}

/// Writes a value canonically, unless it has more than so many bytes.
pub(crate) fn write(value: &Value, bytes_max: usize) -> Option<String> {
    let mut canonical = Canonical { out: String::new(), bytes_max };
    canonical.value(value).ok()?;
    Some(canonical.out)
}

/// Writes an object canonically, unless it has more than so many bytes.
pub(crate) fn write_object(object: &Map<String, Value>, bytes_max: usize) -> Option<String> {
    let mut canonical = Canonical { out: String::new(), bytes_max };
    canonical.object(object).ok()?;
    Some(canonical.out)
}

/// A canonical text as it grows. An error is that it has grown too long.
struct Canonical {
    out: String,
    bytes_max: usize,
}

impl Canonical {
    fn value(&mut self, value: &Value) -> fmt::Result {
        match value {
            Value::Null => self.write_str("null"),
            Value::Bool(value) => write!(self, "{value}"),
            Value::Number(number) => write!(self, "{number}"),
            Value::String(text) => self.string(text),
            Value::Array(items) => {
                self.write_char('[')?;
                for (n, item) in items.iter().enumerate() {
                    if n > 0 {
                        self.write_char(',')?;
                    }
                    self.value(item)?;
                }
                self.write_char(']')
            }
            Value::Object(object) => self.object(object),
        }
    }

    /// Sorted here, whatever order the map keeps.
    fn object(&mut self, object: &Map<String, Value>) -> fmt::Result {
        let mut entries: Vec<_> = object.iter().collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        self.write_char('{')?;
        for (n, (key, value)) in entries.into_iter().enumerate() {
            if n > 0 {
                self.write_char(',')?;
            }
            self.string(key)?;
            self.write_char(':')?;
            self.value(value)?;
        }
        self.write_char('}')
    }

    fn string(&mut self, text: &str) -> fmt::Result {
        self.write_char('"')?;
        for c in text.chars() {
            match c {
                '"' => self.write_str("\\\"")?,
                '\\' => self.write_str("\\\\")?,
                ' '..='~' => self.write_char(c)?,
                _ => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        write!(self, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        self.write_char('"')
    }
}

impl fmt::Write for Canonical {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.out.push_str(text);
        if self.out.len() > self.bytes_max { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: impl AsRef<[u8]>) -> Result<Value, Refusal> {
        parse(text.as_ref(), "").map(|parsed| parsed.value)
    }

    fn round(text: &str) -> String {
        write(&read(text).unwrap(), usize::MAX).unwrap()
    }

    /// The value as it is written, and where the reading was lenient.
    fn lenient(text: impl AsRef<[u8]>) -> (String, Vec<&'static str>) {
        let parsed = parse(text.as_ref(), "").unwrap();
        (write(&parsed.value, usize::MAX).unwrap(), parsed.mended)
    }

    #[test]
    fn one_value_has_one_spelling() {
        assert_eq!(
            round(r#" {"b" : [1, -2, 1.5, true, null], "a": {"z":"x","y":""}} "#),
            r#"{"a":{"y":"","z":"x"},"b":[1,-2,1.5,true,null]}"#
        );
    }

    #[test]
    fn everything_outside_ascii_is_escaped() {
        assert_eq!(
            round(r#"{"é":"\u0000\u001f\uffff\u2028😀\"\\\/"}"#),
            r#"{"\u00e9":"\u0000\u001f\uffff\u2028\ud83d\ude00\"\\/"}"#
        );
    }

    #[test]
    fn a_text_is_written_up_to_a_length_and_no_further() {
        let value = read(r#"["é",1]"#).unwrap();
        assert_eq!(write(&value, 12).unwrap().len(), 12);
        assert_eq!(write(&value, 11), None);
    }

    #[test]
    fn a_key_that_appears_twice_is_refused_at_its_place() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":{"b":1,"c":2,"b":3}}"#, r#"[{"a":1,"\u0061":2}]"#] {
            let refusal = read(text).unwrap_err();
            assert_eq!(
                (refusal.refused, &*refusal.words),
                (RefusalCode::NotJson, "a key appears twice in one object")
            );
            assert!(refusal.place.starts_with("line 1 column "), "{}", refusal.place);
        }
        let refusal = parse(br#"{"Content":1,"Content":1}"#, "Content").unwrap_err();
        assert_eq!(refusal.words, "a key appears twice in one object");
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            " ",
            "\u{feff}",
            "nul",
            "{",
            "{}{}",
            "{\"a\":1,}",
            "{'a':1}",
            "{\u{feff}}",
            "{}\u{feff}",
            "{\"a\":\"\u{1}\"}",
            "\"\\u12\"",
            "\"\\ud83d",
            "\"\\ud83d\\u",
            "\\ud83d",
            "1e999",
            "{\"a\":01}",
            "NaN",
        ] {
            assert_eq!(read(text).unwrap_err().refused, RefusalCode::NotJson, "{text:.20}");
        }
        for text in [&b"{\"a\":\xff}"[..], b"\xff{}", b"{\xed\xa0\xbd}", b"\xff\xfe{\0}\0", b"\xef\xbb{}"] {
            assert_eq!(read(text).unwrap_err().refused, RefusalCode::NotJson, "{text:?}");
        }
    }

    #[test]
    fn half_of_a_surrogate_pair_is_replaced_wherever_it_stands_and_a_pair_is_left_alone() {
        const HALF: &[&str] = &["lone_surrogate"];
        for (text, is, mended) in [
            (r#"["sale \ud83d"]"#, r#"["sale \ufffd"]"#, HALF),
            (r#"["\ude00 sale"]"#, r#"["\ufffd sale"]"#, HALF),
            (r#"["\uDE00\uD83D"]"#, r#"["\ufffd\ufffd"]"#, HALF),
            (r#"["\ud83d\ud83d\ude00"]"#, r#"["\ufffd\ud83d\ude00"]"#, HALF),
            (r#"["\ud83d\u0041"]"#, r#"["\ufffdA"]"#, HALF),
            (r#"["\ud83d\n"]"#, r#"["\ufffd\u000a"]"#, HALF),
            (r#"["\ud83d\\ude00"]"#, r#"["\ufffd\\ude00"]"#, HALF),
            (
                r#"{"a\ud83d":{"\udfff":[{"b":"\ud800"}]}}"#,
                r#"{"a\ufffd":{"\ufffd":[{"b":"\ufffd"}]}}"#,
                HALF,
            ),
            (r#"["\ud83d\ude00"]"#, r#"["\ud83d\ude00"]"#, &[]),
            (r#"["\\ud83d"]"#, r#"["\\ud83d"]"#, &[]),
            (r#"["\\\ud83d"]"#, r#"["\\\ufffd"]"#, HALF),
            (r#"["\ufffd"]"#, r#"["\ufffd"]"#, &[]),
        ] {
            assert_eq!(lenient(text), (is.to_owned(), mended.to_vec()), "{text}");
        }
    }

    #[test]
    fn halves_that_are_written_as_bytes_are_read_as_what_they_mean() {
        assert_eq!(
            lenient(b"[\"\xed\xa0\xbd\"]"),
            (r#"["\ufffd"]"#.to_owned(), vec!["lone_surrogate"]),
            "the first half alone"
        );
        assert_eq!(
            lenient(b"[\"\xed\xb8\x80\xed\xa0\xbd\"]").0,
            r#"["\ufffd\ufffd"]"#,
            "the wrong way round"
        );
        assert_eq!(
            lenient(b"[\"\xed\xa0\xbd\xed\xb8\x80\"]"),
            (r#"["\ud83d\ude00"]"#.to_owned(), vec![]),
            "both, each as three bytes"
        );
        assert_eq!(lenient(b"[\"\xed\xa0\xbd\\ude00\"]").0, r#"["\ufffd\ufffd"]"#);
    }

    #[test]
    fn bytes_that_are_no_utf_8_are_replaced_within_strings() {
        assert_eq!(lenient(b"[\"caf\xe9\"]"), (r#"["caf\ufffd"]"#.to_owned(), vec!["invalid_utf8"]));
        assert_eq!(lenient(b"{\"\xff\":\"\xc3\x28\xe2\x82\"}").0, r#"{"\ufffd":"\ufffd(\ufffd"}"#);
        assert_eq!(lenient(b"[\"\xff\\ud83d\"]").1, ["lone_surrogate", "invalid_utf8"]);
        let much = [b"[\"", &*vec![0xff; BODY_BYTES_MAX / 2], b"\"]"].concat();
        assert_eq!(read(much).unwrap_err().refused, RefusalCode::TooLarge, "each is three bytes then");
    }

    #[test]
    fn marks_and_white_space_before_a_text_are_skipped() {
        for text in ["\u{feff}[1]", "\u{feff}\u{feff}[1]", " \r\n\u{feff}\t [1]", "\u{feff} \u{feff}\n[1]"] {
            assert_eq!(lenient(text), ("[1]".to_owned(), vec!["byte_order_mark"]), "{text:?}");
        }
        assert_eq!(lenient(" \n[1]\n").1, [""; 0]);
        assert_eq!(
            lenient("[\"\u{feff}\"]"),
            (r#"["\ufeff"]"#.to_owned(), vec![]),
            "within, it is a character"
        );
    }

    #[test]
    fn more_values_or_levels_than_are_read_are_refused_as_too_large() {
        let values = |count: usize| format!("[{}0]", "0,".repeat(count - 2));
        let objects = |count: usize| format!("[{}{{}}]", "{\"\":0},".repeat((count - 2) / 2));
        let levels = |count: usize| "[".repeat(count) + &"]".repeat(count);
        let nested = |count: usize| "{\"a\":".repeat(count) + "0" + &"}".repeat(count);
        for good in [values(VALUES_MAX), objects(VALUES_MAX), levels(DEPTH_MAX), nested(DEPTH_MAX)] {
            assert!(read(good).is_ok());
        }
        for beyond in [
            values(VALUES_MAX + 1),
            objects(VALUES_MAX + 2),
            levels(DEPTH_MAX + 1),
            nested(DEPTH_MAX + 1),
            levels(5_000),
            "[".repeat(1_000_000),
        ] {
            assert_eq!(read(&beyond).unwrap_err().refused, RefusalCode::TooLarge, "{beyond:.20}");
        }
    }

    #[test]
    fn the_field_that_is_not_kept_may_hold_whatever_json_may() {
        let much = format!("[{}0]", "[{\"a\":0}],".repeat(VALUES_MAX));
        let parsed =
            parse(format!(r#"{{"Content":{much},"a":{{"Content":1}}}}"#).as_bytes(), "Content").unwrap();
        assert_eq!((parsed.value, parsed.skipped), (serde_json::json!({"a":{"Content":1}}), true));
        assert!(!parse(b"{}", "Content").unwrap().skipped);
        assert!(parse(br#"{"Content":nul}"#, "Content").is_err());
    }

    /// Text of which some is cut within a character, or between the halves of one, escaped or not.
    fn cut() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            any::<String>().prop_map(|text| {
                let quoted = Value::String(text).to_string();
                quoted.as_bytes()[1..quoted.len() - 1].to_vec()
            }),
            (0xd7f0..0xe010_u16).prop_map(|unit| format!("\\u{unit:04X}").into_bytes()),
            (0xd7f0..0xe010_u16).prop_map(|unit| {
                vec![0xe0 | (unit >> 12) as u8, 0x80 | (unit >> 6 & 0x3f) as u8, 0x80 | (unit & 0x3f) as u8]
            }),
            (0x80..=0xff_u8).prop_map(|byte| vec![byte]),
        ];
        prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_and_is_ascii(texts in prop::collection::vec(any::<String>(), 0..5)) {
            let value = Value::Array(texts.into_iter().map(Value::String).collect());
            let out = write(&value, usize::MAX).unwrap();
            prop_assert!(out.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            let parsed = parse(out.as_bytes(), "").unwrap();
            prop_assert_eq!((parsed.value, parsed.mended), (value, vec![]));
        }

        #[test]
        fn a_string_is_read_whatever_its_bytes_and_unchanged_where_it_is_json(text in cut()) {
            let text = [b"[\"", &*text, b"\"]"].concat();
            let parsed = parse(&text, "").unwrap();
            match serde_json::from_slice::<Value>(&text) {
                Ok(value) => prop_assert_eq!((parsed.value, parsed.mended), (value, vec![])),
                Err(_) => prop_assert!(parsed.value[0].is_string()),
            }
        }
    }
}

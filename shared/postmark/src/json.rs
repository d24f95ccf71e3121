//! JSON as the ledger reads and writes it: nothing ambiguous in, one spelling out.
//!
//! Reading refuses duplicate keys, which every parser resolves in its own way, and nesting beyond 128 levels
//! (serde_json's limit). Writing is canonical: keys sorted by their bytes, no white space, everything outside
//! ASCII escaped, because SQS refuses some characters that JSON may hold.

use crate::{Refusal, Refused};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Parses a JSON text.
pub(crate) fn parse(raw: &[u8]) -> Result<Value, Refusal> {
    let refusal = |error: serde_json::Error| {
        let place = format!("line {} column {}", error.line(), error.column());
        let text = error.to_string();
        let words = text.split(" at line ").next().unwrap_or("not JSON").to_owned();
        Refusal::new(Refused::NotJson, place, words)
    };
    serde_json::from_slice::<Strict>(raw).map(|strict| strict.0).map_err(refusal)
}

/// A value in which no object has a key twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Strict, D::Error> {
        StrictSeed.deserialize(deserializer).map(Strict)
    }
}

#[derive(Clone, Copy)]
struct StrictSeed;

impl<'de> DeserializeSeed<'de> for StrictSeed {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StrictSeed {
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
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(StrictSeed)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom("a key appears twice in one object"));
            }
            object.insert(key, entries.next_value_seed(StrictSeed)?);
        }
        Ok(Value::Object(object))
    }
}

/// Writes a value canonically.
pub(crate) fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(object) => write_object(object, out),
    }
}

/// Writes an object canonically. Sorted here, whatever order the map keeps.
pub(crate) fn write_object(object: &Map<String, Value>, out: &mut String) {
    let mut entries: Vec<_> = object.iter().collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    out.push('{');
    for (n, (key, value)) in entries.into_iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        write_string(key, out);
        out.push(':');
        write(value, out);
    }
    out.push('}');
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            ' '..='~' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round(text: &str) -> String {
        let mut out = String::new();
        write(&parse(text.as_bytes()).unwrap(), &mut out);
        out
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
    fn a_key_that_appears_twice_is_refused_at_its_place() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":{"b":1,"c":2,"b":3}}"#, r#"[{"a":1,"\u0061":2}]"#] {
            let refusal = parse(text.as_bytes()).unwrap_err();
            assert_eq!(
                (refusal.refused, &*refusal.words),
                (Refused::NotJson, "a key appears twice in one object")
            );
            assert!(refusal.place.starts_with("line 1 column "), "{}", refusal.place);
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        for text in [
            "",
            " ",
            "nul",
            "{",
            "{}{}",
            "{\"a\":1,}",
            "{'a':1}",
            "\u{feff}{}",
            "{\"a\":\"\u{1}\"}",
            "\"\\ud800\"",
            "1e999",
            "{\"a\":01}",
            "NaN",
            &deep,
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap_err().refused, Refused::NotJson, "{text:.20}");
        }
        assert!(parse(b"{\"a\":\"\xff\"}").is_err(), "invalid UTF-8");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_and_is_ascii(texts in prop::collection::vec(any::<String>(), 0..5)) {
            let value = Value::Array(texts.into_iter().map(Value::String).collect());
            let mut out = String::new();
            write(&value, &mut out);
            prop_assert!(out.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert_eq!(parse(out.as_bytes()).unwrap(), value);
        }
    }
}

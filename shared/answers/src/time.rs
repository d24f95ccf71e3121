//! Instants as answers tell them.

use ledger::Time;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::fmt;

/// An instant: RFC 3339 in UTC with microseconds. The ledger itself keeps the number of microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub Time);

impl From<Time> for Timestamp {
    fn from(at: Time) -> Timestamp {
        Timestamp(at)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map(Timestamp).map_err(de::Error::custom)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "An instant, RFC 3339 in UTC with microseconds. All times in all answers have this form. Days are UTC days unless the description says otherwise.",
            "format": "date-time",
            "examples": ["2026-11-21T08:00:00.000000Z"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_told_with_six_digits_and_read_from_any_form_of_rfc_3339() {
        let at = Timestamp("2026-11-21T08:00:00.5Z".parse().unwrap());
        let told = serde_json::to_string(&at).unwrap();
        assert_eq!(told, "\"2026-11-21T08:00:00.500000Z\"");
        assert_eq!(serde_json::from_str::<Timestamp>(&told).unwrap(), at);
        assert_eq!(serde_json::from_str::<Timestamp>("\"2026-11-21T09:00:00.5+01:00\"").unwrap(), at);
        assert!(serde_json::from_str::<Timestamp>("1795248000500000").is_err(), "no number is an instant");
    }
}

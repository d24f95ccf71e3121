//! Instants in JSON as RFC 3339, by `#[serde(with = "rfc3339")]`: what people and scripts read. What is stored has them as
//! microseconds.

use ledger::Time;
use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// Writes an instant.
pub fn serialize<S: Serializer>(at: &Time, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(at)
}

/// Reads an instant.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

/// The same of an instant that may be missing: null.
pub mod option {
    use super::{Deserialize, Deserializer, Error, Serializer, Time};

    /// Writes an instant, or null.
    pub fn serialize<S: Serializer>(at: &Option<Time>, to: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => super::serialize(at, to),
            None => to.serialize_none(),
        }
    }

    /// Reads an instant, or null.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Time>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

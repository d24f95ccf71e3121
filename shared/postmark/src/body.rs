//! A webhook body: a JSON object, what is read from it and what is taken out of it.

use crate::json;
use crate::{
    BODY_BYTES_MAX, CANONICAL_BYTES_MAX, DETAILS_BYTES_MAX, METADATA_BYTES_MAX, RecordType, Refusal,
    RefusalCode,
};
use ledger::{Kind, ServerId, Source};
use serde_json::{Map, Value};

/// The field that holds the whole bounced message, if Postmark is configured to include it.
const CONTENT: &str = "Content";

/// What is taken out of `Geo` unless the stack keeps engagement detail.
const GEO_DETAIL: [&str; 4] = ["City", "Coords", "IP", "Zip"];

/// A webhook body.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    fields: Map<String, Value>,
    /// What is not as it came, by name: what was left out, and where the reading was lenient.
    dropped: Vec<String>,
}

impl Body {
    /// Parses a body, but for the bounced message's content. Whatever the body, it takes a bounded amount of memory:
    /// one with more values or levels than [`VALUES_MAX`](crate::VALUES_MAX) and [`DEPTH_MAX`](crate::DEPTH_MAX) is
    /// refused as soon as that is seen.
    ///
    /// # Errors
    /// [`RefusalCode::TooLarge`], [`RefusalCode::NotJson`] or [`RefusalCode::NotAnObject`].
    pub fn parse(raw: &[u8]) -> Result<Body, Refusal> {
        if raw.len() > BODY_BYTES_MAX {
            return Err(Refusal::new(
                RefusalCode::TooLarge,
                "/",
                "the body is larger than anything that is read",
            ));
        }
        let parsed = json::parse(raw, CONTENT)?;
        let Value::Object(fields) = parsed.value else {
            return Err(Refusal::new(RefusalCode::NotAnObject, "/", "a webhook body is one JSON object"));
        };
        let names = parsed.skipped.then_some(CONTENT).into_iter().chain(parsed.mended);
        Ok(Body { fields, dropped: names.map(str::to_owned).collect() })
    }

    /// The canonical text: sorted keys, no white space, ASCII only. Its hash tells copies apart. `None` where it is
    /// longer than a queue takes.
    pub fn canonical(&self) -> Option<String> {
        json::write_object(&self.fields, CANONICAL_BYTES_MAX)
    }

    /// Any field, as JSON.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    /// A field where it is a string that is not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// The kind of event that the body claims to be. Webhooks have only Postmark's six.
    pub(crate) fn kind(&self, source: Source) -> Result<Kind, Refusal> {
        let kind = self.text("RecordType").and_then(Kind::named);
        kind.filter(|kind| source != Source::Webhook || RecordType::of(*kind).is_some()).ok_or_else(|| {
            let words = "RecordType is missing or not one of Delivery, Bounce, SpamComplaint, Open, Click, \
                         SubscriptionChange";
            Refusal::new(RefusalCode::UnknownRecordType, "/RecordType", words)
        })
    }

    /// The server that the body names, under either spelling. Opens and clicks name none.
    ///
    /// # Errors
    /// [`RefusalCode::BadField`] where it is not a server id, or the two spellings disagree.
    pub fn server_id(&self) -> Result<Option<ServerId>, Refusal> {
        let mut named = None;
        for (name, place) in [("ServerID", "/ServerID"), ("ServerId", "/ServerId")] {
            let id = match self.fields.get(name) {
                None | Some(Value::Null) => continue,
                Some(Value::Number(number)) => number.as_i64().and_then(|id| ServerId::new(id).ok()),
                Some(Value::String(text)) => text.parse().ok(),
                Some(_) => None,
            };
            let id = id.filter(|id| named.is_none_or(|named| named == *id));
            named = Some(id.ok_or_else(|| Refusal::new(RefusalCode::BadField, place, "not one server id"))?);
        }
        Ok(named)
    }

    /// Takes out what is not kept and names it: details and metadata beyond their limits, and where an open or click
    /// came from unless that is to stay. What was left out in parsing is named first.
    pub(crate) fn reduce(&mut self, keep_engagement_detail: bool) -> Vec<String> {
        let mut dropped = std::mem::take(&mut self.dropped);
        if let Some(Value::String(details)) = self.fields.get_mut("Details")
            && details.len() > DETAILS_BYTES_MAX
        {
            details.truncate(details.floor_char_boundary(DETAILS_BYTES_MAX));
            dropped.push("Details".to_owned());
        }
        if let Some(metadata) = self.fields.get_mut("Metadata")
            && json::write(metadata, METADATA_BYTES_MAX).is_none()
        {
            *metadata = Value::Object(Map::new());
            dropped.push("Metadata".to_owned());
        }
        if !keep_engagement_detail && let Some(Value::Object(geo)) = self.fields.get_mut("Geo") {
            for name in GEO_DETAIL {
                if geo.remove(name).is_some() {
                    dropped.push(format!("Geo.{name}"));
                }
            }
        }
        dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_and_metadata_beyond_their_limits_are_cut_and_named() {
        let details = "\u{e9}".repeat(DETAILS_BYTES_MAX);
        let text =
            serde_json::json!({ "Details": details, "Metadata": { "key": "x".repeat(METADATA_BYTES_MAX) } });
        let mut body = Body::parse(text.to_string().as_bytes()).unwrap();
        assert_eq!(body.reduce(false), ["Details", "Metadata"]);
        assert_eq!(body.text("Details").unwrap().len(), DETAILS_BYTES_MAX);
        assert_eq!(body.get("Metadata"), Some(&serde_json::json!({})));
        assert!(body.reduce(false).is_empty(), "a second time there is nothing left to cut");
    }

    #[test]
    fn engagement_detail_stays_where_the_stack_keeps_it() {
        let text = br#"{"Geo":{"IP":"203.0.113.9","City":"Utrecht","Country":"Netherlands"},"Content":"x"}"#;
        let mut body = Body::parse(text).unwrap();
        assert_eq!(body.reduce(true), ["Content"]);
        assert_eq!(body.reduce(false), ["Geo.City", "Geo.IP"]);
        assert_eq!(body.canonical().unwrap(), r#"{"Geo":{"Country":"Netherlands"}}"#);
    }
}

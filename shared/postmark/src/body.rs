//! A webhook body: a JSON object, what is read from it and what is taken out of it.

use crate::json;
use crate::{DETAILS_BYTES_MAX, METADATA_BYTES_MAX, RecordType, Refusal, Refused};
use ledger::{Kind, ServerId, Source};
use serde_json::{Map, Value};

/// The field that holds the whole bounced message, where Postmark was told to include it.
const CONTENT: &str = "Content";

/// What is taken out of `Geo` unless the stack keeps engagement detail.
const GEO_DETAIL: [&str; 4] = ["City", "Coords", "IP", "Zip"];

/// A webhook body.
#[derive(Clone, Debug, PartialEq)]
pub struct Body(pub(crate) Map<String, Value>);

impl Body {
    /// Parses a body.
    ///
    /// # Errors
    /// [`Refused::NotJson`] or [`Refused::NotAnObject`].
    pub fn parse(raw: &[u8]) -> Result<Body, Refusal> {
        match json::parse(raw)? {
            Value::Object(object) => Ok(Body(object)),
            _ => Err(Refusal::new(Refused::NotAnObject, "/", "a webhook body is one JSON object")),
        }
    }

    /// The canonical text: sorted keys, no white space, ASCII only. Its hash tells copies apart.
    pub fn canonical(&self) -> String {
        let mut out = String::new();
        json::write_object(&self.0, &mut out);
        out
    }

    /// Any field, as JSON.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A field where it is a string that is not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// The kind of event that the body claims to tell. Webhooks tell Postmark's six only.
    pub(crate) fn kind(&self, source: Source) -> Result<Kind, Refusal> {
        let kind = self.text("RecordType").and_then(Kind::named);
        kind.filter(|kind| source != Source::Webhook || RecordType::of(*kind).is_some()).ok_or_else(|| {
            let words = "RecordType is missing or not one of Delivery, Bounce, SpamComplaint, Open, Click, \
                         SubscriptionChange";
            Refusal::new(Refused::UnknownRecordType, "/RecordType", words)
        })
    }

    /// The server that the body names, under either spelling. Opens and clicks name none.
    ///
    /// # Errors
    /// [`Refused::BadField`] where it is not a server id, or the two spellings disagree.
    pub fn server_id(&self) -> Result<Option<ServerId>, Refusal> {
        let mut named = None;
        for (name, place) in [("ServerID", "/ServerID"), ("ServerId", "/ServerId")] {
            let id = match self.0.get(name) {
                None | Some(Value::Null) => continue,
                Some(Value::Number(number)) => number.as_i64().and_then(|id| ServerId::new(id).ok()),
                Some(Value::String(text)) => text.parse().ok(),
                Some(_) => None,
            };
            let id = id.filter(|id| named.is_none_or(|named| named == *id));
            named = Some(id.ok_or_else(|| Refusal::new(Refused::BadField, place, "not one server id"))?);
        }
        Ok(named)
    }

    /// Takes out what is not kept and names it: the bounced message's content always, details and metadata
    /// beyond their limits, and where an open or click came from unless that is to stay.
    pub(crate) fn reduce(&mut self, keep_engagement_detail: bool) -> Vec<String> {
        let mut dropped = Vec::new();
        if self.0.remove(CONTENT).is_some() {
            dropped.push(CONTENT.to_owned());
        }
        if let Some(Value::String(details)) = self.0.get_mut("Details")
            && details.len() > DETAILS_BYTES_MAX
        {
            details.truncate(details.floor_char_boundary(DETAILS_BYTES_MAX));
            dropped.push("Details".to_owned());
        }
        if let Some(metadata) = self.0.get_mut("Metadata") {
            let mut text = String::new();
            json::write(metadata, &mut text);
            if text.len() > METADATA_BYTES_MAX {
                *metadata = Value::Object(Map::new());
                dropped.push("Metadata".to_owned());
            }
        }
        if !keep_engagement_detail && let Some(Value::Object(geo)) = self.0.get_mut("Geo") {
            for name in GEO_DETAIL {
                if geo.remove(name).is_some() {
                    dropped.push(format!("Geo.{name}"));
                }
            }
        }
        dropped
    }
}

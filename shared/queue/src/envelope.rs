//! The messages of the critical and bulk queues: a body, and what the door knew about it.
//!
//! The format is versioned. Fields may be added, since readers ignore what they do not know; a change that an
//! older consumer would misread raises the version, which an older consumer refuses to read.

use crate::erased::Erased;
use crate::version::{ERASED_VERSION, EnvelopeError, VERSIONS, decode_versioned, version_of};
use ledger::event::What;
use ledger::{Kind, ServerId, Source, Time};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// One event on its way from the door to the ledger. Its text is ASCII.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Envelope {
    /// [`ENVELOPE_VERSION`](crate::ENVELOPE_VERSION), [`ERASED_VERSION`] where the body was taken out, or [`CAUSE_VERSION`](crate::CAUSE_VERSION).
    pub v: u32,
    /// The server that the credential names.
    pub server: ServerId,
    /// The generation of the credential; 0 where none was used.
    #[serde(default)]
    pub generation: u32,
    /// The public key that verified the credential; empty where none was used.
    #[serde(default)]
    pub key_id: String,
    /// The kind of event.
    pub record_type: Kind,
    /// When the door took it in, in microseconds since 1970.
    pub received_at: Time,
    /// Postmark's `X-PM-Webhook-Trace-Id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Postmark's `X-PM-Retries-Remaining`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries_remaining: Option<u32>,
    /// Who told it.
    pub source: Source,
    /// Whether an operator said to ignore revocation and age.
    #[serde(default, rename = "override")]
    pub overridden: bool,
    /// What the door took out of the body, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<String>,
    /// What is left of the event, where its recipient is erased. No door sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<Box<Erased>>,
    /// The body, canonical.
    pub body: Box<RawValue>,
}

impl Envelope {
    /// An event that did not come by a webhook, and so has no credential. `canonical` is the body, `what` the event in it,
    /// and `dropped` what was taken out of the body.
    pub fn told(
        server: ServerId,
        what: &What,
        received_at: Time,
        source: Source,
        canonical: String,
        dropped: Vec<String>,
    ) -> Result<Envelope, EnvelopeError> {
        Ok(Envelope {
            v: version_of(what),
            server,
            generation: 0,
            key_id: String::new(),
            record_type: what.kind(),
            received_at,
            trace_id: None,
            retries_remaining: None,
            source,
            overridden: false,
            dropped,
            erased: None,
            body: Envelope::raw(canonical)?,
        })
    }

    /// Reads a message.
    pub fn decode(message: &str) -> Result<Envelope, EnvelopeError> {
        decode_versioned(message, VERSIONS)
    }

    /// The message.
    pub fn encode(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| unreachable!("every field is plain JSON"))
    }

    /// A body's text as it stands in an envelope.
    pub fn raw(canonical_body: String) -> Result<Box<RawValue>, EnvelopeError> {
        RawValue::from_string(canonical_body).map_err(|_| EnvelopeError::NotJson)
    }

    /// Itself without its body; the event, where the body could be understood.
    #[must_use]
    pub fn stripped(self, erased: Option<Erased>) -> Envelope {
        let body = Envelope::raw("{}".to_owned()).unwrap_or_else(|_| unreachable!("an empty object is JSON"));
        let v = erased.as_ref().map_or(ERASED_VERSION, Erased::version);
        Envelope { v, erased: erased.map(Box::new), body, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ENVELOPE_VERSION;
    use ledger::event::{Bar, Cause, Ruling};

    /// The golden file of version 1: a later release must still read it.
    const GOLDEN: &str = include_str!("../envelope-v1.json");

    fn golden() -> Envelope {
        Envelope {
            v: 1,
            server: ServerId::new(8_123_456).unwrap(),
            generation: 2,
            key_id: "Zm9vYmFy".to_owned(),
            record_type: Kind::Bounce,
            received_at: Time::from_micros(1_789_978_451_900_000),
            trace_id: Some("5f2c".to_owned()),
            retries_remaining: Some(9),
            source: Source::Webhook,
            overridden: false,
            dropped: vec!["Content".to_owned()],
            erased: None,
            body: Envelope::raw(r#"{"Email":"ida@customer.example","RecordType":"Bounce"}"#.to_owned())
                .unwrap(),
        }
    }

    #[test]
    fn version_1_is_written_as_published() {
        assert_eq!(golden().encode(), GOLDEN.trim_end());
    }

    #[test]
    fn what_is_written_reads_back() {
        assert_eq!(Envelope::decode(GOLDEN).unwrap().encode(), GOLDEN.trim_end());
    }

    #[test]
    fn unknown_fields_are_ignored_and_absent_ones_have_their_defaults() {
        let sparse = r#"{"v":1,"server":1,"record_type":"Open","received_at":5,"source":"backfill","body":{},"new":1}"#;
        let envelope = Envelope::decode(sparse).unwrap();
        assert_eq!((envelope.generation, envelope.overridden, &*envelope.key_id), (0, false, ""));
    }

    #[test]
    fn a_later_version_and_what_is_no_envelope_are_told_apart() {
        for (message, error) in [
            (r#"{"v":4,"anything":1}"#, EnvelopeError::LaterVersion),
            (r#"{"v":3}"#, EnvelopeError::NotAnEnvelope),
            (r#"{"v":2}"#, EnvelopeError::NotAnEnvelope),
            (r#"{"v":1}"#, EnvelopeError::NotAnEnvelope),
            (r#"{"v":0}"#, EnvelopeError::NotAnEnvelope),
            ("not json", EnvelopeError::NotAnEnvelope),
            ("[]", EnvelopeError::NotAnEnvelope),
        ] {
            assert_eq!(Envelope::decode(message).unwrap_err(), error, "{message}");
        }
    }
    /// The golden file of version 3: a later release must still read it.
    const IMPORTED: &str = include_str!("../envelope-v3.json");

    fn decided(bar: Bar) -> Envelope {
        let what = What::Decision { ruling: Ruling::Suppress(bar) };
        let body = format!(r#"{{"Cause":"{}","RecordType":"Decision","Ruling":"suppress"}}"#, bar.name());
        let (server, at) = (ServerId::new(8_123_456).unwrap(), Time::from_micros(1_789_978_451_900_000));
        Envelope::told(server, &what, at, Source::Operator, body, Vec::new()).unwrap()
    }

    #[test]
    fn an_imported_cause_is_written_as_published_and_an_older_release_leaves_it_on_its_queue() {
        assert_eq!(decided(Bar::Import(Some(Cause::Complaint))).encode(), IMPORTED.trim_end());
        assert_eq!(Envelope::decode(IMPORTED).unwrap().encode(), IMPORTED.trim_end());
        for bar in Bar::ALL {
            let message = decided(bar).encode();
            // The versions that the release before this one reads.
            let older = decode_versioned::<Envelope>(&message, ENVELOPE_VERSION..=ERASED_VERSION);
            let left = matches!(older, Err(EnvelopeError::LaterVersion));
            assert_eq!(left, bar.cause().is_some(), "{bar:?}");
            assert_eq!(older.is_ok(), bar.cause().is_none(), "{bar:?}");
            assert!(Envelope::decode(&message).is_ok(), "{bar:?}");
        }
    }
}

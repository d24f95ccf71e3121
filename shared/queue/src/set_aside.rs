//! The messages of the quarantine queue: a body that could not be understood, whole, in numbered parts.

use crate::MESSAGE_BYTES_MAX;
use crate::erased::Erased;
use crate::version::{ENVELOPE_VERSION, ERASED_VERSION, EnvelopeError, VERSIONS, decode_versioned};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ledger::canonical::{Canonical, digest};
use ledger::{Kind, ServerId, Source, Time};
use serde::{Deserialize, Serialize};

/// How many bytes of a body one part holds: as base64, with the rest of the part, within a message.
pub const PART_BYTES_MAX: usize = 180 * 1024;
/// The longest text beside the body, in bytes.
const TEXT_BYTES_MAX: usize = 512;
const _: () = assert!(PART_BYTES_MAX.div_ceil(3) * 4 + 8 * TEXT_BYTES_MAX < MESSAGE_BYTES_MAX);

/// The reason of a body that came in with a revoked credential.
pub const REVOKED: &str = "revoked";

/// A body that is set aside, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// The server that the credential named; [`ServerId::NONE`] if nothing named one.
    pub server: ServerId,
    /// The generation of the credential.
    pub generation: u32,
    /// The public key that verified the credential.
    pub key_id: String,
    /// When it came in.
    pub received_at: Time,
    /// Who told it.
    pub source: Source,
    /// The code of the reason.
    pub reason: String,
    /// The reason in words, with its place; never a quotation.
    pub detail: String,
    /// The kind of event, where the body tells.
    pub record_type: Option<Kind>,
    /// What the door had taken out of the body, by name.
    pub dropped: Vec<String>,
    /// What is left of the event, where its recipient is erased; then there is no body.
    pub erased: Option<Box<Erased>>,
    /// The body, as it came.
    pub body: Vec<u8>,
}

/// One part of a body that is set aside, as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The version of this format, as of envelopes; [`ERASED_VERSION`] or later where the body was taken out.
    pub v: u32,
    /// The same for all parts; made of server, receipt and body, so that a redelivery stores nothing twice.
    pub id: String,
    /// Which part this is, from 1.
    pub part: u32,
    /// How many there are.
    pub parts: u32,
    /// See [`SetAside`].
    pub server: ServerId,
    /// See [`SetAside`].
    pub generation: u32,
    /// See [`SetAside`].
    pub key_id: String,
    /// See [`SetAside`].
    pub received_at: Time,
    /// See [`SetAside`].
    pub source: Source,
    /// See [`SetAside`].
    pub reason: String,
    /// See [`SetAside`].
    pub detail: String,
    /// See [`SetAside`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_type: Option<Kind>,
    /// See [`SetAside`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<String>,
    /// See [`SetAside`]; in the first part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<Box<Erased>>,
    /// This part's bytes of the body, in base64.
    pub body: String,
}

impl SetAside {
    /// A body of a webhook, set aside for a reason.
    #[cfg(any(test, feature = "testing"))]
    pub fn example(server: ServerId, received_at: Time, reason: &str, body: impl Into<Vec<u8>>) -> SetAside {
        SetAside {
            server,
            generation: 1,
            key_id: String::new(),
            received_at,
            source: Source::Webhook,
            reason: reason.to_owned(),
            detail: format!("it is an example of {reason}"),
            record_type: None,
            dropped: Vec::new(),
            erased: None,
            body: body.into(),
        }
    }

    /// The id that all parts bear.
    pub fn id(&self) -> String {
        let mut form = Canonical::default();
        form.string("postledger/quarantine/1").integer(self.server.get()).integer(self.received_at.micros());
        let mut bytes = form.bytes().to_vec();
        bytes.extend_from_slice(&self.body);
        if let Some(erased) = &self.erased {
            bytes.extend_from_slice(erased.identity.bytes());
        }
        URL_SAFE_NO_PAD.encode(digest(&bytes))
    }

    /// The parts; at least one, even of an empty body.
    pub fn parts(&self) -> Vec<Part> {
        let id = self.id();
        let chunks: Vec<&[u8]> =
            if self.body.is_empty() { vec![&[]] } else { self.body.chunks(PART_BYTES_MAX).collect() };
        let parts = chunks.len() as u32;
        let short = |text: &str| text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned();
        chunks
            .into_iter()
            .zip(1..)
            .map(|(chunk, part)| Part {
                v: self.erased.as_deref().map_or(ENVELOPE_VERSION, Erased::version),
                id: id.clone(),
                part,
                parts,
                server: self.server,
                generation: self.generation,
                key_id: short(&self.key_id),
                received_at: self.received_at,
                source: self.source,
                reason: short(&self.reason),
                detail: short(&self.detail),
                record_type: self.record_type,
                dropped: self.dropped.clone(),
                erased: self.erased.clone().filter(|_| part == 1),
                body: STANDARD.encode(chunk),
            })
            .collect()
    }

    /// Puts the parts together again; `None` where one is missing or damaged.
    pub fn whole(mut parts: Vec<Part>) -> Option<SetAside> {
        parts.sort_by_key(|part| part.part);
        parts.dedup_by_key(|part| part.part);
        let first = parts.first()?.clone();
        if parts.len() != first.parts as usize || parts.iter().any(|part| part.id != first.id) {
            return None;
        }
        let mut body = Vec::new();
        for part in &parts {
            body.extend(STANDARD.decode(&part.body).ok()?);
        }
        Some(SetAside {
            server: first.server,
            generation: first.generation,
            key_id: first.key_id,
            received_at: first.received_at,
            source: first.source,
            reason: first.reason,
            detail: first.detail,
            record_type: first.record_type,
            dropped: first.dropped,
            erased: first.erased,
            body,
        })
    }
}

impl Part {
    /// What people and programs know the whole body by: when it came in, and its id.
    pub fn key(&self) -> String {
        format!("{}.{}", self.received_at.key(), self.id)
    }

    /// When the body of a key came in, and its id; `None` where it is no key.
    pub fn read_key(key: &str) -> Option<(Time, &str)> {
        let (received_at, id) = key.split_once('.')?;
        Some((Time::from_micros(received_at.parse().ok()?), id))
    }

    /// Whether its body was taken out. Then those of its other parts are to be, too.
    pub fn is_stripped(&self) -> bool {
        self.v >= ERASED_VERSION
    }

    /// This part's bytes of the body; none where they are damaged.
    pub fn bytes(&self) -> Vec<u8> {
        STANDARD.decode(&self.body).unwrap_or_default()
    }

    /// The same part without its body, under the same id; the first part has the event, if the body could be
    /// understood.
    #[must_use]
    pub fn stripped(self, erased: Option<Box<Erased>>) -> Part {
        let erased = erased.filter(|_| self.part == 1);
        let v = erased.as_deref().map_or(ERASED_VERSION, Erased::version);
        Part { v, erased, body: String::new(), ..self }
    }

    /// Reads a message of the quarantine queue.
    pub fn decode(message: &str) -> Result<Part, EnvelopeError> {
        decode_versioned(message, VERSIONS)
    }

    /// The message.
    pub fn encode(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| unreachable!("every field is plain JSON"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_aside(body: Vec<u8>) -> SetAside {
        SetAside {
            server: ServerId::new(8_123_456).unwrap(),
            generation: 1,
            key_id: "k".repeat(900),
            received_at: Time::from_micros(5),
            source: Source::Webhook,
            reason: "not_json".to_owned(),
            detail: "é".repeat(600),
            record_type: Some(Kind::Bounce),
            dropped: vec!["Content".to_owned()],
            erased: None,
            body,
        }
    }

    #[test]
    fn a_key_tells_when_its_body_came_in_and_which_it_is() {
        let part = set_aside(Vec::new()).parts().remove(0);
        assert_eq!(Part::read_key(&part.key()), Some((part.received_at, part.id.as_str())));
        for other in ["", "5", "x.y", "99999999999999999999.x"] {
            assert_eq!(Part::read_key(other), None, "{other}");
        }
    }

    #[test]
    fn a_stripped_body_keeps_its_id_and_all_its_parts() {
        let parts = set_aside(vec![7; 2 * PART_BYTES_MAX + 1]).parts();
        let id = parts[0].id.clone();
        let stripped: Vec<Part> = parts.into_iter().map(|part| part.stripped(None)).collect();
        let travelled: Vec<Part> =
            stripped.iter().map(|part| Part::decode(&part.encode()).unwrap()).collect();
        assert!(travelled.iter().all(|part| part.is_stripped() && part.id == id && part.body.is_empty()));
        assert_eq!(SetAside::whole(travelled).unwrap().body, Vec::<u8>::new());
    }

    #[test]
    fn a_body_of_any_size_and_bytes_comes_back_whole() {
        for size in [0, 1, PART_BYTES_MAX, PART_BYTES_MAX + 1, 10 * 1024 * 1024] {
            let body: Vec<u8> = (0..size).map(|n| (n * 7) as u8).collect();
            let mut parts = set_aside(body.clone()).parts();
            assert_eq!(parts.len(), size.div_ceil(PART_BYTES_MAX).max(1));
            assert!(parts.iter().all(|part| part.encode().len() <= MESSAGE_BYTES_MAX));
            parts.reverse();
            let travelled = parts.iter().map(|part| Part::decode(&part.encode()).unwrap()).collect();
            assert_eq!(SetAside::whole(travelled).unwrap().body, body);
        }
    }

    #[test]
    fn a_missing_part_is_noticed_and_a_repeated_one_does_no_harm() {
        let parts = set_aside(vec![7; 3 * PART_BYTES_MAX]).parts();
        assert_eq!(SetAside::whole(parts[1..].to_vec()), None);
        let repeated = [&parts[..], &parts[..1]].concat();
        assert!(SetAside::whole(repeated).is_some());
        assert_eq!(SetAside::whole(Vec::new()), None);
    }

    #[test]
    fn the_same_receipt_of_the_same_body_has_the_same_id() {
        let one = set_aside(vec![1]);
        assert_eq!(one.id(), set_aside(vec![1]).id());
        assert_ne!(one.id(), set_aside(vec![2]).id());
        assert_ne!(one.id(), SetAside { received_at: Time::from_micros(6), ..one.clone() }.id());
    }
}

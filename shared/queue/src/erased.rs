//! What is left of an event once its recipient is erased, so that it can still be recorded as the event it is.

use crate::version::{ERASED_VERSION, version_of};
use ledger::event::What;
use ledger::{Event, Identity, RecipientId, ServerId, Source, Time};
use serde::{Deserialize, Serialize};

/// An event without its person: all that identity, state and counters need, beside what its envelope or its part
/// tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// Who it was.
    pub recipient: RecipientId,
    /// Which event it is.
    pub identity: Identity,
    /// The message stream.
    pub stream: String,
    /// When it happened.
    pub at: Time,
    /// The message it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// What happened.
    pub what: What,
    /// The hash of the original body, so that the choice between two copies does not change.
    pub body_hash: [u8; 16],
}

impl Erased {
    /// What is left of an event.
    pub fn of(event: &Event) -> Erased {
        Erased {
            recipient: event.recipient,
            identity: event.identity,
            stream: event.stream.clone(),
            at: event.at,
            message_id: event.message_id.clone(),
            what: event.what.clone(),
            body_hash: event.body_hash,
        }
    }

    /// The version of the envelope or part that bears it.
    pub(crate) const fn version(&self) -> u32 {
        let version = version_of(&self.what);
        if version > ERASED_VERSION { version } else { ERASED_VERSION }
    }

    /// The event, as its envelope or its part bore it.
    pub fn event(self, server: ServerId, received_at: Time, source: Source) -> Event {
        Event {
            server,
            stream: self.stream,
            recipient: self.recipient,
            address: None,
            identity: self.identity,
            at: self.at,
            message_id: self.message_id,
            what: self.what,
            source,
            received_at,
            body_hash: self.body_hash,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::decode_versioned;
    use crate::{CAUSE_VERSION, ENVELOPE_VERSION, Envelope, EnvelopeError, Part, SetAside};
    use ledger::Kind;
    use ledger::event::{Bar, Cause, Ruling};

    /// The golden file of version 2: a later release must still read it.
    const GOLDEN: &str = include_str!("../envelope-v2.json");

    #[test]
    fn a_stripped_event_is_written_as_published_and_read_back_as_it_was() {
        let server = ServerId::new(8_123_456).unwrap();
        let event = Event {
            server,
            stream: "outbound".to_owned(),
            recipient: "AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap(),
            address: None,
            identity: "BBBBBBBBBBBBBBBBBBBBBA".parse().unwrap(),
            at: Time::from_micros(1_789_978_451_000_000),
            message_id: Some("m1".to_owned()),
            what: What::Suppressed { cause: Cause::Complaint },
            source: Source::Webhook,
            received_at: Time::from_micros(1_789_978_451_900_000),
            body_hash: [7; 16],
        };
        let body = r#"{"Recipient":"ida@customer.example"}"#.to_owned();
        let received_at = event.received_at;
        let told = Envelope::told(server, &event.what, received_at, Source::Webhook, body, Vec::new());
        let stripped = told.unwrap().stripped(Some(Erased::of(&event)));
        assert_eq!(stripped.encode(), GOLDEN.trim_end());
        let read = Envelope::decode(GOLDEN).unwrap();
        assert_eq!(read.erased.unwrap().event(server, received_at, Source::Webhook), event);
    }

    #[test]
    fn of_what_could_not_be_understood_only_the_envelope_is_left() {
        let told = Envelope::told(
            ServerId::NONE,
            &What::Open { first: true, machine: false },
            Time::default(),
            Source::Webhook,
            r#"{"Email":"ida@customer.example"}"#.to_owned(),
            Vec::new(),
        );
        let stripped = Envelope::decode(&told.unwrap().stripped(None).encode()).unwrap();
        assert_eq!((stripped.v, stripped.body.get(), stripped.erased), (ERASED_VERSION, "{}", None));
    }
    #[test]
    fn an_imported_cause_outlives_its_person_and_an_older_release_leaves_it_where_it_is() {
        let what = What::Decision { ruling: Ruling::Suppress(Bar::Import(Some(Cause::Complaint))) };
        let erased =
            Erased { what, ..Envelope::decode(GOLDEN).unwrap().erased.map(|erased| *erased).unwrap() };
        let (server, at) = (ServerId::new(1).unwrap(), Time::default());
        let body = r#"{"Recipient":"ida@customer.example"}"#.to_owned();
        let told = Envelope::told(server, &erased.what, at, Source::Operator, body, Vec::new()).unwrap();
        let message = told.stripped(Some(erased.clone())).encode();
        assert!(message.contains(r#"{"decision":{"ruling":{"suppress":"import_complaint"}}}"#), "{message}");
        let older = decode_versioned::<Envelope>(&message, ENVELOPE_VERSION..=ERASED_VERSION);
        assert_eq!(older.unwrap_err(), EnvelopeError::LaterVersion);
        assert_eq!(Envelope::decode(&message).unwrap().erased.as_deref(), Some(&erased));

        let aside = SetAside {
            server,
            generation: 0,
            key_id: String::new(),
            received_at: at,
            source: Source::Operator,
            reason: "uncommittable".to_owned(),
            detail: String::new(),
            record_type: Some(Kind::Decision),
            dropped: Vec::new(),
            erased: Some(Box::new(erased.clone())),
            body: Vec::new(),
        };
        let part = aside.parts().remove(0);
        let whole = SetAside { erased: None, body: b"{}".to_vec(), ..aside }.parts().remove(0);
        for part in [part, whole.stripped(Some(Box::new(erased.clone())))] {
            let message = part.encode();
            let older = decode_versioned::<Part>(&message, ENVELOPE_VERSION..=ERASED_VERSION);
            assert_eq!(older.unwrap_err(), EnvelopeError::LaterVersion);
            let read = Part::decode(&message).unwrap();
            assert!(read.is_stripped() && read.v == CAUSE_VERSION);
            assert_eq!(read.erased.as_deref(), Some(&erased));
        }
    }
}

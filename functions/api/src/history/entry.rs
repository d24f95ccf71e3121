//! An event as lists show it, and its place in them.

use super::rfc3339;
use crate::mask::shown;
use crate::recipient::facts;
use ledger::{Event, Identity, RecipientId, Time};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use store::Recorded;
use store::ask::{self, Entry};

/// How much is told of one text of a body, in bytes.
const TEXT_BYTES_MAX: usize = 2_048;

/// What is told of a body: by which name, as which field there, and whether an address may stand in it.
const DETAILS: [(&str, &str, bool); 7] = [
    ("tag", "Tag", false),
    ("subject", "Subject", true),
    ("bounce_type", "Type", false),
    ("description", "Description", false),
    ("diagnostic", "Details", true),
    ("link", "OriginalLink", true),
    ("user_agent", "UserAgent", false),
];

/// A place in a list by time: an event of an instant, or that instant's beginning. Two recipients' events may bear one
/// identity, where Postmark gave both one bounce id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place(pub(super) Time, pub(super) Option<(Identity, RecipientId)>);

impl Place {
    /// That of an event.
    pub(super) fn of(event: &Event) -> Place {
        Place::within(event.at, event.identity, event.recipient)
    }

    /// That of an event which is known by its key.
    pub(super) fn within(at: Time, identity: Identity, recipient: RecipientId) -> Place {
        Place(at, Some((identity, recipient)))
    }
}

/// An event, with what its body says; without what an address may stand in, where those are not revealed.
pub(super) fn entry(recorded: &Recorded, reveal: bool) -> Value {
    let note = if reveal { ask::note(recorded) } else { None };
    let entry = Entry::of(&recorded.event, note);
    let mut told = json!({
        "time": rfc3339(entry.time),
        "type": entry.kind,
        "measure": entry.measure,
        "stream": entry.stream,
        "source": entry.source,
        "received_at": rfc3339(entry.received_at),
        "event": entry.identity,
        "facts": facts(&entry),
        "details": details(&body(recorded), reveal),
    });
    for (name, text) in [("message_id", entry.message_id), ("note", entry.note)] {
        if let Some(text) = text {
            told[name] = text.into();
        }
    }
    told
}

/// An event, and to whom it happened.
pub(super) fn entry_of_recipient(recorded: &Recorded, reveal: bool) -> Value {
    let mut told = entry(recorded, reveal);
    let event = &recorded.event;
    told["recipient"] = json!({ "recipient_id": event.recipient });
    if let Some(address) = shown(event.address.as_deref(), reveal) {
        told["recipient"]["address"] = address.into();
    }
    told
}

/// The body, or null once the person has been erased.
pub(super) fn body(recorded: &Recorded) -> Value {
    let body = recorded.body.as_deref().and_then(|body| serde_json::from_str(body).ok());
    body.unwrap_or_default()
}

fn details(body: &Value, reveal: bool) -> Map<String, Value> {
    let shown = DETAILS.into_iter().filter(|(_, _, of_person)| reveal || !of_person);
    let told = |(name, field, _): (&str, &str, bool)| {
        let text = body[field].as_str().filter(|text| !text.is_empty())?;
        let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
        Some((name.to_owned(), text.into()))
    };
    shown.filter_map(told).collect()
}

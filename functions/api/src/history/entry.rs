//! An event as lists show it, and its place in them.

use super::rfc3339;
use crate::mask::{self, shown};
use crate::problem::Problem;
use crate::recipient::facts;
use crate::scope::Reader;
use crate::token::Role;
use account::audit::Who;
use ledger::{Event, Identity, Kind, RecipientId, Time};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
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

/// Puts in the place of who ruled what the caller may know that as: a token's id stays, everybody of the agency is an
/// operator.
///
/// # Errors
/// The ledger's own.
pub(super) async fn rulers<'a>(
    reader: &Reader<'_>,
    recorded: impl Iterator<Item = &'a mut Recorded>,
) -> Result<(), Problem> {
    if reader.caller().role() == Role::Operator {
        return Ok(());
    }
    let mut known = BTreeMap::new();
    for one in recorded.filter(|one| one.event.kind() == Kind::Decision) {
        let mut body = body(one);
        if let Some(actor) = body["Actor"].as_str() {
            let who = reader.gate().known_as(Who::by_name(actor), &mut known).await?;
            body["Actor"] = who.name.into();
            one.body = Some(body.to_string());
        }
    }
    Ok(())
}

/// An event, with what its body says; without what an address may stand in, where those are not revealed: then the
/// names of these texts are told in their place.
pub(super) fn entry(recorded: &Recorded, reveal: bool) -> Value {
    let note = ask::note(recorded);
    let noted = note.is_some();
    let entry = Entry::of(&recorded.event, note.filter(|_| reveal));
    let mut told = json!({
        "time": rfc3339(entry.time),
        "type": entry.kind,
        "measure": entry.measure,
        "stream": entry.stream,
        "source": entry.source,
        "received_at": rfc3339(entry.received_at),
        "event": entry.identity,
        "facts": facts(&entry),
        "details": details(&body(recorded), reveal, noted),
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

fn details(body: &Value, reveal: bool, noted: bool) -> Map<String, Value> {
    let text = |field: &str| body[field].as_str().filter(|text| !text.is_empty());
    let (of_person, others): (Vec<_>, Vec<_>) = DETAILS
        .into_iter()
        .filter(|(_, field, _)| text(field).is_some())
        .partition(|(_, _, of_person)| *of_person);
    let told = |(name, field, _): &(&str, &str, bool)| {
        let whole = text(field)?;
        // First masked, then cut: what is left of an address that was cut would be known for none.
        let text = if reveal { None } else { mask::text(whole) }.unwrap_or_else(|| whole.to_owned());
        Some(((*name).to_owned(), text[..text.floor_char_boundary(TEXT_BYTES_MAX)].into()))
    };
    let mut details: Map<String, Value> = others.iter().filter_map(told).collect();
    if reveal {
        details.extend(of_person.iter().filter_map(told));
        return details;
    }
    let withheld = of_person.iter().map(|(name, ..)| *name).chain(noted.then_some("note"));
    let withheld: Vec<&str> = withheld.collect();
    if !withheld.is_empty() {
        details.insert("withheld".to_owned(), json!(withheld));
    }
    details
}

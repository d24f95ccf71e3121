//! An event as lists show it, and its place in them.

use crate::mask::{self, shown};
use crate::problem::Problem;
use crate::recipient::facts;
use crate::scope::Reader;
use crate::token::Role;
use account::audit::Who;
use answers::{Details, Entry, EntryRecipient, EntryWithRecipient};
use ledger::{Event, Identity, Kind, RecipientId, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use store::Recorded;
use store::ask;

/// How much is told of one text of a body, in bytes.
const TEXT_BYTES_MAX: usize = 2_048;

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
pub(super) fn entry(recorded: &Recorded, reveal: bool) -> Entry {
    let note = ask::note(recorded);
    let details = details(&body(recorded), reveal, note.is_some());
    let entry = ask::Entry::of(&recorded.event, note.filter(|_| reveal));
    Entry {
        time: entry.time.into(),
        facts: facts(&entry),
        kind: entry.kind,
        measure: entry.measure,
        stream: entry.stream,
        message_id: entry.message_id,
        source: entry.source.into(),
        received_at: entry.received_at.into(),
        event: entry.identity,
        note: entry.note,
        details,
    }
}

/// An event, and to whom it happened.
pub(super) fn entry_of_recipient(recorded: &Recorded, reveal: bool) -> EntryWithRecipient {
    let event = &recorded.event;
    let address = shown(event.address.as_deref(), reveal);
    EntryWithRecipient {
        entry: entry(recorded, reveal),
        recipient: EntryRecipient { recipient_id: event.recipient, address },
    }
}

/// The body, or null once the person has been erased.
pub(super) fn body(recorded: &Recorded) -> Value {
    let body = recorded.body.as_deref().and_then(|body| serde_json::from_str(body).ok());
    body.unwrap_or_default()
}

fn details(body: &Value, reveal: bool, noted: bool) -> Details {
    let told = |field: &str| {
        let whole = body[field].as_str().filter(|text| !text.is_empty())?;
        // First masked, then cut: what is left of an address that was cut would be known for none.
        let text = if reveal { None } else { mask::text(whole) }.unwrap_or_else(|| whole.to_owned());
        Some(text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned())
    };
    let others = Details {
        tag: told("Tag"),
        bounce_type: told("Type"),
        description: told("Description"),
        user_agent: told("UserAgent"),
        ..Details::default()
    };
    // In these an address may stand.
    let (subject, diagnostic, link) = (told("Subject"), told("Details"), told("OriginalLink"));
    if reveal {
        return Details { subject, diagnostic, link, ..others };
    }
    let there = [
        ("subject", subject.is_some()),
        ("diagnostic", diagnostic.is_some()),
        ("link", link.is_some()),
        ("note", noted),
    ];
    let withheld = there.into_iter().filter(|(_, there)| *there).map(|(name, _)| name.to_owned());
    Details { withheld: withheld.collect(), ..others }
}

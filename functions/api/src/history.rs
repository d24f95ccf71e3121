//! What happened: to a recipient, to a message, at a server; and a person's data.
//!
//! Every list goes on from a [`Place`]: an instant and an event of it, not a number of items passed. What is recorded
//! while pages are read shifts none of them.

mod activity;
mod entry;
mod export;

pub(crate) use activity::activity;
pub(crate) use export::export;

use crate::call::{Answer, Call, Query, rfc3339};
use crate::cursor;
use crate::problem::Problem;
use crate::recipient::Named;
use crate::scope::Reader;
use entry::{Place, entry, entry_of_recipient};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ledger::Class;
use postmark::MESSAGE_ID_BYTES_MAX;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use store::ask;
use store::{MessageKey, Recorded};

/// How many items a page has, unless more are asked for, and at most.
const LIMITS: [usize; 2] = [100, 500];
/// How many events of a class a timeline is made of at most, of so many more that a recipient may have.
const TIMELINE_EVENTS_MAX: usize = 5_000;
/// How many events of a recipient are held at once while its timeline is read.
const READ_AT_ONCE: usize = 500;
/// How many events of a message are read at once, each by its key.
const KEYS_AT_ONCE: usize = 16;
/// How long a UUID is, in bytes, as Postmark writes it.
const UUID_BYTES: usize = 36;

fn limit(query: &Query) -> Result<usize, Problem> {
    query.limit(LIMITS[0], LIMITS[1])
}

/// What happened to a recipient, oldest first.
///
/// # Errors
/// [`Problem::bad_request`] or the ledger's own.
pub(crate) async fn timeline(reader: &Reader<'_>, call: &Call<'_>, name: &str) -> Result<Answer, Problem> {
    let query = call.query(&["cursor", "limit"])?;
    let limit = limit(&query)?;
    let named = Named::of(reader, name)?;
    let behind: Option<Place> = cursor::read(query.text("cursor"))?;
    // Events lie by identity, not by time: all are read, and no more are held than the page and one behind it.
    let mut first: BTreeMap<Place, Recorded> = BTreeMap::new();
    let mut truncated = false;
    for class in Class::ALL {
        let (mut read, mut after) = (0, None);
        loop {
            let wanted = READ_AT_ONCE.min(TIMELINE_EVENTS_MAX - read);
            let found = reader.events(named.id, class, after, wanted).await?;
            read += found.events.len();
            after = found.events.last().map(|recorded| recorded.event.identity).or(after);
            for recorded in found.events.into_iter().filter(|recorded| ask::lives(recorded, reader.now())) {
                let place = Place::of(&recorded.event);
                if behind.is_none_or(|behind| behind < place) {
                    first.insert(place, recorded);
                }
                if first.len() > limit + 1 {
                    first.pop_last();
                }
            }
            if !found.truncated {
                break;
            }
            if read >= TIMELINE_EVENTS_MAX {
                truncated = true;
                break;
            }
        }
    }
    let more = first.len() > limit;
    if more {
        first.pop_last();
    }
    let next = first.last_key_value().filter(|_| more).map(|(place, _)| cursor::write(place));
    let reveal = reader.caller().reveals();
    let items: Vec<Value> = first.values().map(|recorded| entry(recorded, reveal)).collect();
    Ok(Answer::json(&json!({ "items": items, "next": next, "truncated": truncated })))
}

/// What happened to a message, oldest first.
///
/// # Errors
/// [`Problem::bad_request`], [`Problem::not_found`] or the ledger's own.
pub(crate) async fn message(reader: &Reader<'_>, call: &Call<'_>, name: &str) -> Result<Answer, Problem> {
    let query = call.query(&["cursor", "limit"])?;
    let limit = limit(&query)?;
    let behind: Option<Place> = cursor::read(query.text("cursor"))?;
    let place = |key: &MessageKey| Place::within(key.at, key.identity, key.recipient);
    let mut keys = Vec::new();
    for spelled in spellings(name) {
        keys.extend(reader.message(&spelled).await?);
    }
    keys.retain(|key| behind.is_none_or(|behind| behind < place(key)));
    keys.sort_unstable_by_key(place);
    let more = keys.len() > limit;
    keys.truncate(limit);
    let next = keys.last().filter(|_| more).map(|key| cursor::write(&place(key)));
    let read: Vec<_> =
        keys.into_iter().map(|key| reader.event(key.recipient, key.class, key.identity)).collect();
    let read: Vec<Option<Recorded>> = stream::iter(read).buffered(KEYS_AT_ONCE).try_collect().await?;
    let (now, reveal) = (reader.now(), reader.caller().reveals());
    let living = read.iter().flatten().filter(|recorded| ask::lives(recorded, now));
    let items: Vec<Value> = living.map(|recorded| entry_of_recipient(recorded, reveal)).collect();
    if items.is_empty() && next.is_none() && behind.is_none() {
        return Err(Problem::not_found());
    }
    Ok(Answer::json(&json!({ "items": items, "next": next })))
}

/// A MessageID as it may have been recorded. It is kept as it was told: Postmark writes UUIDs in lower case, and
/// whoever copies one from elsewhere may bring capitals.
fn spellings(name: &str) -> Vec<String> {
    if name.len() > MESSAGE_ID_BYTES_MAX {
        return Vec::new();
    }
    let mut spellings = vec![name.to_owned()];
    let hyphens = [8, 13, 18, 23];
    let uuid = name.len() == UUID_BYTES
        && name
            .bytes()
            .enumerate()
            .all(|(at, byte)| if hyphens.contains(&at) { byte == b'-' } else { byte.is_ascii_hexdigit() });
    let lower = name.to_ascii_lowercase();
    if uuid && lower != name {
        spellings.push(lower);
    }
    spellings
}

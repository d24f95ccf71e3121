//! What is read through the indexes `suppressed` and `by_message`, and what is not in `by_time`.
//!
//! On DynamoDB an index follows its table within about a second, not at once, and no read of it can be consistent:
//! what was just written may be missing, and what was just deleted may be there. Whoever decides by it must ask
//! the view again.

use crate::item::{Item, Key};
use crate::{Cursor, Recorded, StoreError, item};
use ledger::{Class, Identity, RecipientId, Time};

/// A recipient on a stream's list: whom it must not mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The recipient.
    pub recipient: RecipientId,
    /// Since when.
    pub since: Time,
    /// Why, by name: Postmark's causes and our own.
    pub causes: Vec<String>,
    /// The address; `None` once the person has been erased.
    pub address: Option<String>,
}

/// Which event is recorded about a message; [`Store::event`](crate::Store::event) has the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageKey {
    /// Whom it is about.
    pub recipient: RecipientId,
    /// Its class.
    pub class: Class,
    /// Which event it is.
    pub identity: Identity,
    /// When it happened.
    pub at: Time,
}

/// An event that is not in the index by time, as far as its place there hangs on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unindexed {
    /// Its key.
    pub(crate) key: Key,
    /// The stream of the copy that was seen.
    pub(crate) stream: String,
    /// When that happened, in microseconds.
    pub(crate) at: i64,
    /// Where in the index that copy belongs.
    pub(crate) slot: String,
}

impl Unindexed {
    /// An event as it was seen before the index was there.
    pub fn of(recorded: &Recorded) -> Result<Unindexed, StoreError> {
        let event = &recorded.event;
        let key = item::event_key(event.server, event.recipient, event.class(), event.identity);
        Unindexed::of_item(&key, &item::of_event(recorded, false))
    }

    /// From the item of one that is not in the index.
    pub(crate) fn of_item(key: &Key, item: &Item) -> Result<Unindexed, StoreError> {
        let slot = item::slot_of(key, item)?;
        let read = || Some((item.text("stream")?.to_owned(), item.number("at")?));
        let (stream, at) = read().ok_or(StoreError::Damaged("events"))?;
        Ok(Unindexed { key: key.clone(), stream, at, slot })
    }

    /// From an event's item; nothing where it is in the index.
    pub(crate) fn read(key: &Key, item: &Item) -> Result<Option<Unindexed>, StoreError> {
        item.text(item::SLOT).is_none().then(|| Unindexed::of_item(key, item)).transpose()
    }
}

fn recipient(key: &Key) -> Option<RecipientId> {
    key.0.split_once('#')?.1.parse().ok()
}

/// A row of a list from its item.
pub(crate) fn to_listing(key: &Key, row: &Item) -> Result<Listing, StoreError> {
    let read = || {
        Some(Listing {
            recipient: recipient(key)?,
            since: Time::from_micros(row.number("since")?),
            causes: row.text("causes")?.split_whitespace().map(str::to_owned).collect(),
            address: row.text("address").map(str::to_owned),
        })
    };
    read().ok_or(StoreError::Damaged("recipients"))
}

/// The key of a message's event from what the index holds of it.
pub(crate) fn to_message_key(key: &Key, event: &Item) -> Result<MessageKey, StoreError> {
    let read = || {
        let (letter, identity) = key.1.split_once('#')?;
        Some(MessageKey {
            recipient: recipient(key)?,
            class: item::class_lettered(letter)?,
            identity: identity.parse().ok()?,
            at: Time::from_micros(event.number("at")?),
        })
    };
    read().ok_or(StoreError::Damaged("events"))
}

/// Where a page of an index begins: behind this instant and key.
///
/// # Errors
/// [`StoreError::Invalid`] where the cursor is of no index.
pub(crate) fn after(cursor: Cursor) -> Result<(i64, Key), StoreError> {
    let of_no_index = StoreError::Invalid("a list is not read on from a cursor of a scan");
    Ok((cursor.at.ok_or(of_no_index)?, cursor.key))
}

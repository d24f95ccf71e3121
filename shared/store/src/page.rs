//! Pages: a part of what a read finds, and where the next part begins.

use crate::StoreError;
use crate::item::{Key, row_key};
use ledger::{RecipientId, ServerId, Time};

/// From one instant to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// From when on.
    pub from: Time,
    /// Until when.
    pub to: Time,
}

impl TimeRange {
    /// All instants.
    pub const ALL: TimeRange =
        TimeRange { from: Time::from_micros(i64::MIN), to: Time::from_micros(i64::MAX) };
}

/// Where a read goes on: behind the last item it saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// That item's key.
    pub(crate) key: Key,
    /// Its instant, in microseconds, where it was read through an index.
    pub(crate) at: Option<i64>,
}

impl Cursor {
    /// Behind a recipient in a stream's list, whether or not it still stands there.
    pub fn of_listing(server: ServerId, recipient: RecipientId, stream: &str, since: Time) -> Cursor {
        Cursor { key: row_key(server, recipient, stream), at: Some(since.micros()) }
    }
}

/// A page of a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What it found.
    pub items: Vec<T>,
    /// How many items it read, those of other servers included.
    pub read: u64,
    /// Where the next page begins; `None`: there is no more.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// The first `limit` of what was found, which has more where there is more to read.
    pub(crate) fn first<R>(
        found: Vec<R>,
        limit: usize,
        key: impl Fn(&R) -> &Key,
        read: impl Fn(&R) -> Result<T, StoreError>,
    ) -> Result<Page<T>, StoreError> {
        let last = found.len() > limit;
        let next = found.get(limit.wrapping_sub(1)).filter(|_| last);
        let next = next.map(|found| Cursor { key: key(found).clone(), at: None });
        let items = found.iter().take(limit).map(read).collect::<Result<Vec<T>, _>>()?;
        Ok(Page { read: items.len() as u64, items, next })
    }
}

/// Nothing, and no more.
impl<T> Default for Page<T> {
    fn default() -> Page<T> {
        Page { items: Vec::new(), read: 0, next: None }
    }
}

//! The ledger's five tables: events, recipients, counters, registry, quarantine.
//!
//! Invariant: what is recorded, counted and applied is written by one [`commit`](Store::commit), all or
//! nothing; every condition names the race it settles. The port has the semantics and the limits of DynamoDB;
//! the memory implementation keeps the same items in the same keys and is held to the same contract suite
//! ([`contract`]) as the one for AWS.

pub mod ask;
#[cfg(any(test, feature = "testing"))]
pub mod contract;
mod document;
#[cfg(feature = "dynamodb")]
pub mod dynamodb;
pub mod erase;
#[cfg(any(test, feature = "testing"))]
mod faulty;
pub mod heard;
mod index;
pub mod item;
mod memory;
pub mod pack;
pub mod rebuild;
mod streams;

pub mod tables;
mod write;

pub use document::{DOCUMENT_BYTES_MAX, Document, NAME_BYTES_MAX, Shelf};
#[cfg(feature = "dynamodb")]
pub use dynamodb::DynamoDb;
#[cfg(any(test, feature = "testing"))]
pub use faulty::Faulty;
pub use index::{Listing, MessageKey};
pub use memory::Memory;
pub use streams::{DEFAULT_STREAMS, knows_server, knows_stream};

use async_trait::async_trait;
use ledger::counters::{Counts, Hour};
use ledger::fold::{Folded, Row, StreamView, View};
use ledger::policy::{PolicySchedule, StreamKind};
use ledger::{Class, Event, Identity, RecipientId, ServerId, Source, Time};
use platform::{CallFailed, FailureKind};
use queue::Part;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The most actions in one transaction.
pub const ACTIONS_MAX: usize = 100;
/// The most bytes in one transaction.
pub const TRANSACTION_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most bytes in one item, keys and attribute names included.
pub const ITEM_BYTES_MAX: usize = 400 * 1024;
/// The most bytes that one page of a query reads.
pub const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// How many streams a server may have that only its events tell of. Postmark gives a server ten, and more on request;
/// those that Postmark lists for it are not counted.
pub const STREAMS_OF_SERVER_MAX: usize = 100;
/// How many counter shards an hour of a stream has: half for bulk, the rest for critical.
///
/// Two transactions that write the same item at once conflict, and each transaction of a stream's hour writes its
/// counters. So an environment of the consumer keeps to one shard, and draws another when a transaction conflicts there.
/// Ten environments (as many as a mapping of the template starts) draw from 32: 45 pairs in 32 shards meet 1.4 times, and
/// whoever draws anew meets another in 9 of 31 draws. So ten part after about two conflicts and then never meet again:
/// far below 2 % of the thousand transactions that 100,000 events take. A test of the consumer plays it through.
///
/// Reading costs what was written: there is an item for each shard that was added to, so an hour has as many as
/// environments have counted in it. Twenty of the usual 200 bytes are one read unit, the 64 that there can be are four.
/// Releases before this had 16 shards, of the same keys; every release reads all that an hour has.
pub const SHARDS: u8 = 64;

/// An event as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The event.
    pub event: Event,
    /// The body, canonical; `None` once the person has been erased.
    pub body: Option<String>,
    /// What the door took out of the body, by name.
    pub dropped: Vec<String>,
    /// When the table forgets it; never for events with state.
    pub expires_at: Option<Time>,
}

/// Which stored copy a replacement was decided against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its body's hash.
    pub body_hash: [u8; 16],
    /// Its source.
    pub source: Source,
}

impl From<&Event> for Seen {
    fn from(event: &Event) -> Seen {
        Seen { body_hash: event.body_hash, source: event.source }
    }
}

/// One write of a transaction.
#[derive(Clone, Debug)]
pub enum Action {
    /// Records an event, demanding that no copy of it is recorded: settles the race of two copies.
    Record(Recorded),
    /// Replaces a recorded copy by a better one, demanding that it is still the copy that was seen: settles
    /// the race of two better copies.
    Replace(Recorded, Seen),
    /// Adds to the counters of an hour, in a shard. Demands nothing.
    Count(Hour, u8, Counts),
    /// Writes a view, demanding that the stored one is the fold of exactly what was read (`None`: that there is
    /// none): settles the race of two folds. Nobody needs to read the stored view first.
    PutView(View, Option<Folded>),
    /// Writes the row of a stream (`*` for the whole server). Guarded by the view in the same transaction.
    PutRow(ServerId, RecipientId, String, Row, Option<String>),
    /// Deletes the row of a stream. Guarded by the view in the same transaction.
    DeleteRow(ServerId, RecipientId, String),
}

impl Action {
    /// An upper bound of the bytes that it writes, for filling a transaction.
    pub fn weight(&self) -> usize {
        const FRAME: usize = 1_024;
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        match self {
            Action::Record(recorded) | Action::Replace(recorded, _) => {
                let event = &recorded.event;
                let dropped: usize = recorded.dropped.iter().map(|name| name.len() + 1).sum();
                let texts = text(&recorded.body) + text(&event.address) + text(&event.message_id);
                FRAME + event.stream.len() + dropped + texts
            }
            Action::Count(hour, _, counts) => FRAME + hour.stream.len() + 32 * counts.len(),
            Action::PutView(view, _) => {
                let mark = |message_id: &Option<String>| 160 + 6 * text(message_id);
                let stream = |(name, view): (&String, &StreamView)| {
                    let bounces =
                        view.bounces.iter().chain(&view.dead).map(|bounce| mark(&bounce.message_id));
                    let marks = view.listed.values().map(|marks| 64 + 80 * marks.len()).sum::<usize>();
                    FRAME + 6 * name.len() + marks + bounces.sum::<usize>()
                };
                FRAME + 6 * text(&view.address) + view.streams.iter().map(stream).sum::<usize>()
            }
            Action::PutRow(_, _, stream, _, address) => FRAME + 2 * stream.len() + text(address),
            Action::DeleteRow(_, _, stream) => FRAME + stream.len(),
        }
    }
}

/// Why one action cancelled its transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cancel {
    /// It did not.
    None,
    /// A copy of the event is recorded already, or another one than was seen: this one.
    Recorded(Box<Recorded>),
    /// The copy that was to be replaced is gone.
    Gone,
    /// The stored view is the fold of these events, not of those that were read; `None`: there is none.
    Folded(Option<Folded>),
    /// Another transaction is writing the same item.
    Conflict,
    /// The table cannot take more writes now.
    Throttled,
}

/// Why a call failed. It never quotes an item.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum StoreError {
    /// The store refused or did not answer in time, and why; a write may have happened.
    #[error("the store cannot be used: {0}")]
    Failed(#[from] CallFailed),
    /// The request breaks a limit: a fault of ours.
    #[error("the request breaks a limit of the store: {0}")]
    Invalid(&'static str),
    /// An item is not what this version writes.
    #[error("an item of the {0} table cannot be read")]
    Damaged(&'static str),
}

impl StoreError {
    /// A race that was lost again and again.
    pub fn contended() -> StoreError {
        CallFailed::new(FailureKind::Conflict).into()
    }

    /// Whether trying again may help, with nothing changed.
    pub fn passes(&self) -> bool {
        matches!(self, StoreError::Failed(failed) if failed.passes())
    }
}

/// Why a transaction was not committed, or may not have been.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// It was cancelled and has no effect; the reason of each action, by its place.
    #[error("the transaction was cancelled")]
    Cancelled(Vec<Cancel>),
    /// The call failed.
    #[error("the transaction failed: {0}")]
    Store(#[from] StoreError),
}

/// The first events of those asked for, by identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The events.
    pub events: Vec<Recorded>,
    /// Whether there are more.
    pub truncated: bool,
}

/// What every consumer must know before it records anything. Read once for each batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// From when a generation of a server's credential is revoked.
    #[serde(default)]
    pub revoked: BTreeMap<String, Time>,
    /// The expiry floor by class: an older event is not recorded, since its twin may have expired.
    #[serde(default)]
    pub floors: BTreeMap<Class, Time>,
    /// How often anybody has been erased: whoever holds the set of the erased reads it again where this differs.
    #[serde(default)]
    pub erasures: u64,
}

impl Rules {
    /// From when a generation of a server's credential is revoked, if it is.
    pub fn revoked_at(&self, server: ServerId, generation: u32) -> Option<Time> {
        self.revoked.get(&format!("{server}.{generation}")).copied()
    }

    /// Which generations of which servers' credentials are revoked, and from when, in their order.
    pub fn revocations(&self) -> Vec<(ServerId, u32, Time)> {
        let read = |(name, from): (&String, &Time)| {
            let (server, generation) = name.split_once('.')?;
            Some((server.parse().ok()?, generation.parse().ok()?, *from))
        };
        let mut revoked: Vec<(ServerId, u32, Time)> = self.revoked.iter().filter_map(read).collect();
        revoked.sort_unstable();
        revoked
    }

    /// The first generation from one on that is not revoked.
    pub fn usable_generation(&self, server: ServerId, from: u32) -> u32 {
        (from..=u32::MAX)
            .find(|generation| self.revoked_at(server, *generation).is_none())
            .unwrap_or(u32::MAX)
    }
}

/// What is configured for a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerSettings {
    /// What its streams are for, where that is not as presumed.
    #[serde(default)]
    pub kinds: BTreeMap<String, StreamKind>,
    /// Its soft-bounce policies for transactional streams.
    #[serde(default)]
    pub transactional: PolicySchedule,
    /// Its soft-bounce policies for broadcast streams.
    #[serde(default)]
    pub broadcast: PolicySchedule,
}

impl ServerSettings {
    /// What a stream is for.
    pub fn kind(&self, stream: &str) -> StreamKind {
        self.kinds.get(stream).copied().unwrap_or_else(|| StreamKind::presumed(stream))
    }

    /// The policies for a kind of stream.
    pub fn policies(&self, kind: StreamKind) -> &PolicySchedule {
        match kind {
            StreamKind::Transactional => &self.transactional,
            StreamKind::Broadcast => &self.broadcast,
        }
    }
}

/// A part in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The part, as it travelled.
    pub part: Part,
    /// When the table forgets it, if it does.
    pub expires_at: Option<Time>,
    /// When an operator replayed it.
    pub replayed_at: Option<Time>,
}

/// Somebody who is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erased {
    /// At which server.
    pub server: ServerId,
    /// Who.
    pub recipient: RecipientId,
    /// Since when.
    pub at: Time,
    /// When nothing more was to be swept.
    pub swept: Option<Time>,
}

/// Somebody who was erased, and the count that this made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErasedAs {
    /// What [`Rules::erasures`] was raised to.
    pub count: u64,
    /// At which server.
    pub server: ServerId,
    /// Who.
    pub recipient: RecipientId,
}

/// The tables. Every read is consistent: it sees all that was committed before it began; but those through an
/// index ([`suppressed`](Store::suppressed), [`message`](Store::message)) lag behind by about a second.
#[async_trait]
pub trait Store: Send + Sync {
    /// Writes all actions or none. No two actions may touch the same item.
    ///
    /// # Errors
    /// [`CommitError::Cancelled`] with the reason of each action; or the call's own failure, after which the
    /// transaction may have been committed.
    async fn commit(&self, actions: Vec<Action>) -> Result<(), CommitError>;

    /// All events with state of a recipient.
    async fn state_events(
        &self,
        server: ServerId,
        recipient: RecipientId,
    ) -> Result<Vec<Recorded>, StoreError>;

    /// The first `limit` events of a class of a recipient behind an identity, by identity.
    async fn events(
        &self,
        server: ServerId,
        recipient: RecipientId,
        class: Class,
        after: Option<Identity>,
        limit: usize,
    ) -> Result<Page, StoreError>;

    /// The first `limit` deliveries to a recipient on a stream that happened by an instant, by identity.
    async fn deliveries(
        &self,
        server: ServerId,
        recipient: RecipientId,
        stream: &str,
        by: Time,
        limit: usize,
    ) -> Result<Page, StoreError>;

    /// One recorded event.
    async fn event(
        &self,
        server: ServerId,
        recipient: RecipientId,
        class: Class,
        identity: Identity,
    ) -> Result<Option<Recorded>, StoreError>;

    /// The views of recipients, in their order.
    async fn views(
        &self,
        server: ServerId,
        recipients: &[RecipientId],
    ) -> Result<Vec<Option<View>>, StoreError>;

    /// The counts of a stream by hour, summed over the shards, from one hour to before another.
    async fn counters(
        &self,
        server: ServerId,
        stream: &str,
        from: &str,
        before: &str,
    ) -> Result<BTreeMap<String, Counts>, StoreError>;

    /// Remembers that a server has a stream.
    async fn note_stream(&self, server: ServerId, stream: &str) -> Result<(), StoreError>;

    /// Forgets that a server has a stream, if that was remembered.
    async fn forget_stream(&self, server: ServerId, stream: &str) -> Result<(), StoreError>;

    /// The streams that a server is known to have; `*` among them where decisions were made about all.
    async fn streams(&self, server: ServerId) -> Result<BTreeSet<String>, StoreError>;

    /// The rules.
    async fn rules(&self) -> Result<Rules, StoreError>;

    /// Revokes a generation of a server's credential from an instant on; the earliest instant given counts.
    async fn revoke(&self, server: ServerId, generation: u32, from: Time) -> Result<(), StoreError>;

    /// Takes back that a generation of a server's credential is revoked; nothing where it is not.
    async fn unrevoke(&self, server: ServerId, generation: u32) -> Result<(), StoreError>;

    /// Moves the expiry floor of a class forward; a floor that is further on already stays.
    async fn raise_floor(&self, class: Class, to: Time) -> Result<(), StoreError>;

    /// What is configured for a server.
    async fn settings(&self, server: ServerId) -> Result<ServerSettings, StoreError>;

    /// Configures a server.
    async fn put_settings(&self, server: ServerId, settings: ServerSettings) -> Result<(), StoreError>;

    /// Keeps a part in quarantine; one that is there already stays as it is. From the instant on that it is given, it
    /// may be forgotten at any time: DynamoDB does that by its own clock, the tables in memory by the receipts of what
    /// comes later.
    async fn keep(&self, part: Part, expires_at: Option<Time>) -> Result<(), StoreError>;

    /// What was set aside on a day (UTC), by the time of receipt.
    async fn kept_on(&self, day: &str) -> Result<Vec<Kept>, StoreError>;

    /// All parts of one body in quarantine.
    async fn kept(&self, received_at: Time, id: &str) -> Result<Vec<Kept>, StoreError>;

    /// Marks all parts of one body as replayed.
    async fn mark_replayed(&self, received_at: Time, id: &str, at: Time) -> Result<(), StoreError>;

    /// A page of what was set aside on a day (UTC), by the time of receipt, at most `limit` parts of it: behind
    /// the place where the page before ended, and where this one ends; `None`: there is no more. A page may be
    /// short, or empty, and yet not the last.
    async fn kept_page(
        &self,
        day: &str,
        after: Option<String>,
        limit: usize,
        newest_first: bool,
    ) -> Result<(Vec<Kept>, Option<String>), StoreError>;

    /// Puts a part in the place of the one in quarantine that has its receipt, id and number; nothing where there
    /// is none any more. When it expires and that it was replayed stay.
    async fn rewrite(&self, part: Part) -> Result<(), StoreError>;

    /// Remembers that a recipient is erased, and raises [`Rules::erasures`]. Of several instants the first stays;
    /// what was swept before is to be swept once more.
    async fn erase(&self, server: ServerId, recipient: RecipientId, at: Time) -> Result<(), StoreError>;

    /// Who is erased, of all servers.
    async fn erased(&self) -> Result<Vec<Erased>, StoreError>;

    /// Who was erased after [`Rules::erasures`] was at a count, each with the count that this raised it to, in order.
    /// One that is missing was raised by an older release: then [`erased`](Store::erased) tells of all.
    async fn erased_after(&self, count: u64) -> Result<Vec<ErasedAs>, StoreError>;

    /// Remembers that nothing more is to be swept of an erased recipient; nothing where nobody erased it.
    async fn mark_swept(&self, server: ServerId, recipient: RecipientId, at: Time) -> Result<(), StoreError>;

    /// A document, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a name that is empty or longer than [`NAME_BYTES_MAX`]; the call's own.
    async fn document(&self, shelf: &Shelf, name: &str) -> Result<Option<Document>, StoreError>;

    /// All documents of a shelf with their names, by name.
    async fn documents(&self, shelf: &Shelf) -> Result<Vec<(String, Document)>, StoreError>;

    /// Writes a document as the version that follows `expected`, which is the one that was read (`None`: there is
    /// none). False: somebody else was faster, and nothing is written.
    ///
    /// A document that is put again after it was deleted begins at version 1 again. Where somebody may still hold
    /// a version of before (a lease), write over it and never delete it.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a text longer than [`DOCUMENT_BYTES_MAX`] or a name that there cannot be; the
    /// call's own, after which it may have been written: read it again.
    async fn put_document(
        &self,
        shelf: &Shelf,
        name: &str,
        text: &str,
        expected: Option<u64>,
    ) -> Result<bool, StoreError>;

    /// Deletes a document of the version that was read; whether it is gone, as it is where somebody else has
    /// deleted it. False: somebody has written another version.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a name that there cannot be, or a shelf that only grows; the call's own, after
    /// which it may be gone.
    async fn delete_document(&self, shelf: &Shelf, name: &str, expected: u64) -> Result<bool, StoreError>;

    /// The last `limit` documents of a shelf whose names come before one (or the last of all), by name backwards.
    async fn last_documents(
        &self,
        shelf: &Shelf,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Document)>, StoreError>;

    /// A page of whom a stream must not mail (`*`: whom no stream of the server must), longest first, by Postmark's
    /// list or by a decision of ours. Read through an index: what was written or deleted within the last seconds
    /// may not show yet. A recipient whose `since` moves while pages are read may come twice or not at all.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a cursor of another kind of read; the call's own.
    async fn suppressed(
        &self,
        server: ServerId,
        stream: &str,
        since: Span,
        after: Option<Cursor>,
        limit: Option<usize>,
    ) -> Result<Stretch<Listing>, StoreError>;

    /// What happened on a stream within a span of one day (UTC), latest first, at most `limit`: of the events in one
    /// [slot](item::TIME_SLOTS) of the day. Of events of one instant any may come first. `None`: the stack keeps no
    /// index by time. Read through that index: what was recorded within the last seconds may not show yet.
    async fn happened(
        &self,
        server: ServerId,
        stream: &str,
        slot: u8,
        within: Span,
        limit: usize,
    ) -> Result<Option<Vec<Recorded>>, StoreError>;

    /// When about the latest event happened that is counted on a stream; exact but where an earlier event of the same hour
    /// and shard was counted after it.
    async fn newest(&self, server: ServerId, stream: &str) -> Result<Option<Time>, StoreError>;

    /// Notes when the oldest of the events came in that the critical queue handed out last.
    async fn note_pulse(&self, received_at: Time) -> Result<(), StoreError>;

    /// What was last noted by [`note_pulse`](Store::note_pulse).
    async fn pulse(&self) -> Result<Option<Time>, StoreError>;

    /// Which events are recorded about a message, in order of time; its MessageID as Postmark writes it. Read
    /// through an index: what was recorded within the last seconds may not show yet.
    async fn message(&self, server: ServerId, message_id: &str) -> Result<Vec<MessageKey>, StoreError>;
}

/// From one instant to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// From when on.
    pub from: Time,
    /// Until when.
    pub to: Time,
}

impl Span {
    /// All instants.
    pub const ALL: Span = Span { from: Time::from_micros(i64::MIN), to: Time::from_micros(i64::MAX) };
}

/// Where a read goes on: behind the last item it saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// That item's key.
    pub(crate) key: item::Key,
    /// Its instant, in microseconds, where it was read through an index.
    pub(crate) at: Option<i64>,
}

impl Cursor {
    /// Behind a recipient in a stream's list, whether or not it still stands there.
    pub fn of_listing(server: ServerId, recipient: RecipientId, stream: &str, since: Time) -> Cursor {
        Cursor { key: item::row_key(server, recipient, stream), at: Some(since.micros()) }
    }
}

/// A stretch of a scan or of a list.
#[derive(Clone, Debug)]
pub struct Stretch<T> {
    /// What it found.
    pub found: Vec<T>,
    /// How many items it read, those of other servers included.
    pub read: u64,
    /// Where it goes on; `None` at the end.
    pub next: Option<Cursor>,
}

/// What the recipients table holds.
#[derive(Clone, Debug)]
pub enum Held {
    /// A view.
    View(Box<View>),
    /// The row of a stream: its key and item.
    Row(item::Key, item::Item),
}

/// Whole tables, read from end to end: for [`rebuild`] only, since it costs as much as there is.
#[async_trait]
pub trait Scan: Store {
    /// A stretch of the events of a server.
    async fn scan_events(
        &self,
        server: ServerId,
        after: Option<Cursor>,
    ) -> Result<Stretch<Recorded>, StoreError>;

    /// A stretch of the views and rows of a server.
    async fn scan_recipients(
        &self,
        server: ServerId,
        after: Option<Cursor>,
    ) -> Result<Stretch<Held>, StoreError>;
}

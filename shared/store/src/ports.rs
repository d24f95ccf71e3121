//! The ports: what the ledger asks of its tables, in parts, so that a type tells what its holder can see.
//!
//! Every read is consistent: it sees all that was committed before it began. Those of [`IndexStore`] alone lag behind by
//! about a second.

use crate::item::{Quarantined, RecipientItem};
use crate::page::{Cursor, Page, TimeRange};
use crate::{
    Action, Collection, CommitError, Document, Erased, ErasedAs, Listing, MessageKey, Recorded, Rules,
    ServerSettings, StoreError, Unindexed,
};
use async_trait::async_trait;
use ledger::counters::Counts;
use ledger::fold::View;
use ledger::{Class, Identity, RecipientId, ServerId, Time};
use queue::Part;
use std::collections::{BTreeMap, BTreeSet};

/// Events, and what is folded from them.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// Writes all actions or none. No two actions may touch the same item.
    ///
    /// # Errors
    /// [`CommitError::Cancelled`] with the reason of each action; or the call's own failure, after which the
    /// transaction may have been committed.
    async fn commit(&self, actions: &[Action]) -> Result<(), CommitError>;

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
    ) -> Result<Page<Recorded>, StoreError>;

    /// The first `limit` deliveries to a recipient on a stream that happened by an instant, by identity.
    async fn deliveries(
        &self,
        server: ServerId,
        recipient: RecipientId,
        stream: &str,
        by: Time,
        limit: usize,
    ) -> Result<Page<Recorded>, StoreError>;

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

    /// Remembers that a server has a stream.
    async fn note_stream(&self, server: ServerId, stream: &str) -> Result<(), StoreError>;

    /// Forgets that a server has a stream, if that was remembered.
    async fn forget_stream(&self, server: ServerId, stream: &str) -> Result<(), StoreError>;
}

/// Counts by hour.
#[async_trait]
pub trait CounterStore: Send + Sync {
    /// The counts of a stream by hour, summed over the shards, from one hour to before another.
    async fn counters(
        &self,
        server: ServerId,
        stream: &str,
        from: &str,
        before: &str,
    ) -> Result<BTreeMap<String, Counts>, StoreError>;
}

/// What is configured for servers, and which streams they have.
#[async_trait]
pub trait ServerStore: Send + Sync {
    /// What is configured for a server.
    async fn settings(&self, server: ServerId) -> Result<ServerSettings, StoreError>;

    /// Configures a server.
    async fn put_settings(&self, server: ServerId, settings: ServerSettings) -> Result<(), StoreError>;

    /// The streams that a server is known to have; `*` among them where decisions were made about all.
    async fn streams(&self, server: ServerId) -> Result<BTreeSet<String>, StoreError>;
}

/// Documents: JSON under a name in a collection.
#[async_trait]
pub trait DocumentStore: Send + Sync {
    /// A document, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a name that is empty or longer than [`NAME_BYTES_MAX`]; the call's own.
    async fn document(&self, collection: &Collection, name: &str) -> Result<Option<Document>, StoreError>;

    /// All documents of a collection with their names, by name.
    async fn documents(&self, collection: &Collection) -> Result<Vec<(String, Document)>, StoreError>;

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
        collection: &Collection,
        name: &str,
        text: &str,
        expected: Option<u64>,
    ) -> Result<bool, StoreError>;

    /// Deletes a document of the version that was read; whether it is gone, as it is where somebody else has
    /// deleted it. False: somebody has written another version.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a name that there cannot be, or a collection that only grows; the call's own, after
    /// which it may be gone.
    async fn delete_document(
        &self,
        collection: &Collection,
        name: &str,
        expected: u64,
    ) -> Result<bool, StoreError>;

    /// The last `limit` documents of a collection whose names come before one (or the last of all), by name backwards.
    async fn last_documents(
        &self,
        collection: &Collection,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Document)>, StoreError>;
}

/// What every consumer must know before it records anything: revocations, expiry floors, and who is erased.
#[async_trait]
pub trait RuleStore: Send + Sync {
    /// The rules.
    async fn rules(&self) -> Result<Rules, StoreError>;

    /// Revokes a generation of a server's credential from an instant on; the earliest instant given counts.
    async fn revoke(&self, server: ServerId, generation: u32, from: Time) -> Result<(), StoreError>;

    /// Takes back that a generation of a server's credential is revoked; nothing where it is not.
    async fn unrevoke(&self, server: ServerId, generation: u32) -> Result<(), StoreError>;

    /// Moves the expiry floor of a class forward; a floor that is further on already stays.
    async fn raise_floor(&self, class: Class, to: Time) -> Result<(), StoreError>;

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
}

/// Bodies that could not be recorded.
#[async_trait]
pub trait QuarantineStore: Send + Sync {
    /// Keeps a part in quarantine; one that is there already stays as it is. From the instant on that it is given, it
    /// may be forgotten at any time: DynamoDB does that by its own clock, the tables in memory by the receipts of what
    /// comes later.
    async fn quarantine(&self, part: Part, expires_at: Option<Time>) -> Result<(), StoreError>;

    /// What was set aside on a day (UTC), by the time of receipt.
    async fn quarantined_on(&self, day: &str) -> Result<Vec<Quarantined>, StoreError>;

    /// All parts of one body in quarantine.
    async fn quarantined(&self, received_at: Time, id: &str) -> Result<Vec<Quarantined>, StoreError>;

    /// Marks all parts of one body as replayed.
    async fn mark_replayed(&self, received_at: Time, id: &str, at: Time) -> Result<(), StoreError>;

    /// A page of what was set aside on a day (UTC), by the time of receipt, at most `limit` parts of it: behind
    /// the place where the page before ended, and where this one ends; `None`: there is no more. A page may be
    /// short, or empty, and yet not the last.
    async fn quarantined_page(
        &self,
        day: &str,
        after: Option<String>,
        limit: usize,
        newest_first: bool,
    ) -> Result<(Vec<Quarantined>, Option<String>), StoreError>;

    /// Puts a part in the place of the one in quarantine that has its receipt, id and number; nothing where there
    /// is none any more. When it expires and that it was replayed stay.
    async fn rewrite_quarantined(&self, part: Part) -> Result<(), StoreError>;
}

/// Whether tables keep the index by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByTime {
    /// They keep none.
    Never,
    /// They have kept it from their first event on.
    Always,
    /// They keep it, and may have had events before: [`by_time`](crate::by_time) tells from when on it is whole.
    Switched,
}

impl ByTime {
    /// Whether events are written into it now.
    pub const fn is_kept(self) -> bool {
        !matches!(self, ByTime::Never)
    }
}

/// Reads through indexes: what was written within the last seconds may not show yet.
#[async_trait]
pub trait IndexStore: Send + Sync {
    /// Whether there is an index by time.
    fn by_time(&self) -> ByTime;

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
        since: TimeRange,
        after: Option<Cursor>,
        limit: Option<usize>,
    ) -> Result<Page<Listing>, StoreError>;

    /// What happened on a stream within a span of one day (UTC), latest first, at most `limit`: of the events in one
    /// [slot](item::TIME_SLOTS) of the day. Of events of one instant any may come first. `None`: the stack keeps no
    /// index by time. Read through that index: what was recorded within the last seconds may not show yet.
    async fn happened(
        &self,
        server: ServerId,
        stream: &str,
        slot: u8,
        within: TimeRange,
        limit: usize,
    ) -> Result<Option<Vec<Recorded>>, StoreError>;

    /// Which events are recorded about a message, in order of time; its MessageID as Postmark writes it. Read
    /// through an index: what was recorded within the last seconds may not show yet.
    async fn message(&self, server: ServerId, message_id: &str) -> Result<Vec<MessageKey>, StoreError>;
}

/// How current an answer is.
#[async_trait]
pub trait FreshnessStore: Send + Sync {
    /// When about the latest event happened that is counted on a stream; exact but where an earlier event of the same hour
    /// and shard was counted after it.
    async fn newest(&self, server: ServerId, stream: &str) -> Result<Option<Time>, StoreError>;

    /// Notes when the oldest of the events came in that the critical queue handed out last.
    async fn note_watermark(&self, received_at: Time) -> Result<(), StoreError>;

    /// What was last noted by [`note_watermark`](Store::note_watermark).
    async fn watermark(&self) -> Result<Option<Time>, StoreError>;
}

/// What looking after a Postmark account needs: it sees no event, and nobody's address.
pub trait AccountStore: CounterStore + ServerStore + DocumentStore {}
impl<S: CounterStore + ServerStore + DocumentStore + ?Sized> AccountStore for S {}

/// All tables of a ledger.
pub trait Store:
    EventStore + AccountStore + RuleStore + QuarantineStore + IndexStore + FreshnessStore
{
}
impl<S> Store for S where
    S: EventStore + AccountStore + RuleStore + QuarantineStore + IndexStore + FreshnessStore + ?Sized
{
}

/// Whole tables, read from end to end: for [`rebuild`](crate::rebuild) and [`by_time`](crate::by_time) only, since it costs
/// as much as there is.
#[async_trait]
pub trait Scan: Store {
    /// A page of the events of a server.
    async fn scan_events(
        &self,
        server: ServerId,
        after: Option<Cursor>,
    ) -> Result<Page<Recorded>, StoreError>;

    /// A page of the views and rows of a server.
    async fn scan_recipients(
        &self,
        server: ServerId,
        after: Option<Cursor>,
    ) -> Result<Page<RecipientItem>, StoreError>;

    /// About how many events are recorded, of all servers. DynamoDB counts them every six hours or so.
    async fn events_about(&self) -> Result<u64, StoreError>;

    /// A page of the events, of all servers, that are not in the index by time. At most `limit` events are read for it,
    /// of which it may have none.
    async fn scan_unindexed(
        &self,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Unindexed>, StoreError>;

    /// Puts events into the index by time, each there where the copy of it that is stored now belongs: nothing else of it
    /// changes. How many that were; others are in the index already, or gone.
    async fn index_by_time(&self, events: &[Unindexed]) -> Result<u64, StoreError>;
}

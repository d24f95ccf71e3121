//! The ledger's five tables: events, recipients, counters, registry, quarantine.
//!
//! Invariant: what is recorded, counted and applied is written by one [`commit`](EventStore::commit), all or
//! nothing; every condition names the race it settles. The port has the semantics and the limits of DynamoDB;
//! the memory implementation keeps the same items in the same keys and is held to the same contract suite
//! ([`contract`]) as the one for AWS.

mod action;
pub mod ask;
pub mod by_time;
#[cfg(any(test, feature = "testing"))]
pub mod contract;
mod document;
#[cfg(feature = "dynamodb")]
pub mod dynamodb;
mod edit;
#[cfg(any(test, feature = "testing"))]
mod faulty;
mod index;
pub mod item;
mod local;
mod memory;
pub mod pack;
mod page;
mod ports;
pub mod rebuild;
mod rules;
#[cfg(feature = "sqlite")]
mod sqlite;
mod streams;
pub mod tables;
pub mod webhook_activity;
mod write;

/// The ports' methods, for whoever holds an implementation and not a trait object.
pub mod prelude {
    pub use crate::ports::{
        CounterStore as _, DocumentStore as _, EventStore as _, FreshnessStore as _, IndexStore as _,
        QuarantineStore as _, RuleStore as _, Scan as _, ServerStore as _,
    };
}

pub use action::{Action, Cancel, CommitError, Recorded, Seen};
pub use document::{Collection, DOCUMENT_BYTES_MAX, Document, NAME_BYTES_MAX};
#[cfg(feature = "dynamodb")]
pub use dynamodb::DynamoDb;
pub use edit::{Edit, edit};
#[cfg(any(test, feature = "testing"))]
pub use faulty::Faulty;
pub use index::{Listing, MessageKey, Unindexed};
pub use item::{Quarantined, RecipientItem};
pub use memory::Memory;
pub use page::{Cursor, Page, TimeRange};
pub use ports::{
    AccountStore, ByTime, CounterStore, DocumentStore, EventStore, FreshnessStore, IndexStore,
    QuarantineStore, RuleStore, Scan, ServerStore, Store,
};
pub use rules::{Erased, ErasedAs, Rules, ServerSettings};
#[cfg(feature = "sqlite")]
pub use sqlite::{Entry, Journal, Sqlite};
pub use streams::{DEFAULT_STREAMS, knows_server, knows_stream};

use platform::{CallFailed, FailureKind};

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
    /// A ledger that is asked over a network did not answer, or refused, in its own words.
    #[error("{0}")]
    Remote(String),
    /// The system has no random numbers to give.
    #[error("the system has no random numbers to give")]
    NoRandom,
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

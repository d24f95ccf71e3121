//! The pure core of Postledger: what an event is, when two tellings are one event, what a set of events says
//! about a recipient, and whether the recipient may be mailed.
//!
//! Invariant: nothing here does I/O, reads a clock, knows AWS or is async, and nothing fails for an
//! operational reason. Time is an argument. State is a function of the *set* of events: order, repetition
//! and the split into batches cannot be seen in any result.
//!
//! The way through: [`address`] gives a recipient its key and id, [`given`] reads an address that a person wrote, [`identity`] gives an event its identity,
//! [`event`] turns an event into facts, [`fold`] folds facts into a [`View`](fold::View),
//! [`verdict`] answers from a view under a [`policy`], [`authority`] says what may be undone, and [`counters`] says what
//! each event counts as.

pub mod address;
pub mod authority;
pub mod bounce;
pub mod canonical;
pub mod counters;
pub mod engagement;
pub mod event;
pub mod fold;
pub mod given;
pub mod identity;
#[cfg(test)]
mod laws;
pub mod policy;
pub mod server;
pub mod stream;
pub mod time;
pub mod verdict;

pub use address::{LEDGER_KEY_BYTES, LedgerKey, RecipientId, recipient_key};
pub use event::{Class, Event, Kind, Source};
pub use identity::Identity;
pub use server::ServerId;
pub use time::Time;

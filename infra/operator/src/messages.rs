//! What operators ask and are told, as JSON.

use answers::Timestamp;
use ledger::{Identity, Kind, ServerId};
use serde::{Deserialize, Serialize};
use store::Quarantined;

/// What is on a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnQueue {
    /// The queue.
    pub queue: String,
    /// How many messages wait.
    pub waiting: usize,
    /// How many are being consumed, or wait for their next try.
    pub in_flight: usize,
    /// How many are dead letters.
    pub dead: usize,
}

/// A body in quarantine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetAside {
    /// Names it in the other calls.
    pub key: String,
    /// When it came in.
    pub received_at: Timestamp,
    /// The server of its credential; 0 where none told.
    pub server: ServerId,
    /// Which of the server's passwords it came with; 0 where none told.
    pub generation: u32,
    /// Why it was set aside.
    pub reason: String,
    /// Why, in words, with its place.
    pub detail: String,
    /// The kind of event, where the body tells.
    pub record_type: Option<Kind>,
    /// In how many parts it is kept.
    pub parts: u32,
    /// When an operator replayed it.
    pub replayed_at: Option<Timestamp>,
    /// The body, in base64; only where one body is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
}

impl SetAside {
    pub(super) fn of(kept: &Quarantined) -> SetAside {
        let part = &kept.part;
        SetAside {
            key: part.key(),
            received_at: part.received_at.into(),
            server: part.server,
            generation: part.generation,
            reason: part.reason.clone(),
            detail: part.detail.clone(),
            record_type: part.record_type,
            parts: part.parts,
            replayed_at: kept.replayed_at.map(Timestamp),
            body_base64: None,
        }
    }
}

/// Of how many days, today included, the quarantine is listed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct QuarantineQuery {
    /// How many days back.
    pub days: u32,
}

/// How a body in quarantine is replayed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// Record it although its credential was revoked or it is too old.
    #[serde(default, rename = "override")]
    pub overridden: bool,
    /// A completed or corrected body, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
}

/// What was put on a queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Replayed {
    /// Which event it is.
    pub identity: Identity,
    /// On which queue.
    pub queue: String,
}

/// What became of a stream that was to be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// Whether it was known.
    pub was: bool,
}

/// A password that is revoked, or to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    /// The server.
    pub server: ServerId,
    /// Which of its passwords.
    pub generation: u32,
    /// From when; events received later are set aside.
    pub from: Timestamp,
}

/// How dead letters are taken back.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redrive {
    /// Only tell how many there are.
    #[serde(default)]
    pub dry_run: bool,
}

/// What became of dead letters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redriven {
    /// The live queue that they go back to.
    pub queue: String,
    /// How many there were at the start (about, on AWS).
    pub found: usize,
    /// How many were moved.
    pub moved: usize,
    /// How many were left: their senders may tell of webhooks only, and they tell something else.
    pub left: usize,
}

/// What a rebuild mended.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Repaired {
    /// How many views, each with its rows, were written.
    pub repaired: u64,
}

/// What of a server is compared with what Postmark knows. It bears a token: it is never printed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconcile {
    /// From when; without it, what is due.
    pub from: Option<Timestamp>,
    /// To before when.
    pub to: Option<Timestamp>,
    /// Whether it is the history before the first webhook: one that was begun is gone on with.
    pub backfill: bool,
    /// Whether nothing is told or remembered.
    pub dry_run: bool,
    /// For how long to work on, in seconds; what is left is done the next time.
    pub seconds: Option<u64>,
    /// Where Postmark's API is.
    pub postmark: String,
    /// The server's token there.
    pub token: String,
}

/// What the index by time holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexState {
    /// There is none.
    Off,
    /// All events.
    Whole,
    /// Not all: older events were recorded before it was switched on.
    Partial,
}

/// The index by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// What it holds.
    pub state: IndexState,
    /// From when on it has all events, where not all are in it and that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_from: Option<Timestamp>,
    /// About how many events are recorded; only where not all are in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<u64>,
    /// How many events were read to fill it in, in all runs.
    pub read: u64,
    /// How many of them were filled in.
    pub filled: u64,
}

/// What is noted of the index by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexNote {
    /// It is on, in a stack that may have had events before.
    On,
    /// It is on, in a stack that has had no event without it.
    New,
    /// It is about to be switched on or off.
    Off,
}

/// How the index by time is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexFill {
    /// How many events a second at most.
    pub rate: u32,
}

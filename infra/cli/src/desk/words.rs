//! What is asked and told at the desk: the same words in this process and over HTTP.

use ledger::{Identity, Kind, RecipientId, ServerId, Source, Time};
use serde::{Deserialize, Serialize};
use store::Kept;
use store::rebuild::Report;

/// What is asked about a recipient.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecipientQuery {
    /// The server.
    pub server: ServerId,
    /// The address, or `id:` and the recipient's id.
    pub address: String,
    /// The stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// As of when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    /// By what had come in by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_at: Option<Time>,
    /// Whether it is meant, though nobody knows the stream.
    #[serde(default)]
    pub unknown_stream: bool,
}

/// Whose events are asked for, with their bodies.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BodiesQuery {
    /// The server.
    pub server: ServerId,
    /// The address, or `id:` and the recipient's id.
    pub address: String,
}

/// An event with its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bodied {
    /// Which event it is.
    pub identity: Identity,
    /// When it came in.
    pub received_at: Time,
    /// Who told it.
    pub source: Source,
    /// The body as it is kept: less what the door takes out, keys in order; `None` once the person has been erased.
    pub body: Option<serde_json::Value>,
}

/// Which counts are asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CountsQuery {
    /// The server.
    pub server: ServerId,
    /// The stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// From when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Time>,
    /// To before when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Time>,
    /// By day, not by hour.
    #[serde(default)]
    pub by_day: bool,
    /// Whether it is meant, though nobody knows the stream.
    #[serde(default)]
    pub unknown_stream: bool,
}

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
pub struct Listed {
    /// Names it in the other calls.
    pub key: String,
    /// When it came in.
    pub received_at: Time,
    /// The server of its credential; 0 where none told.
    pub server: ServerId,
    /// Which of the server's passwords it came with; 0 where none told.
    #[serde(default)]
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
    pub replayed_at: Option<Time>,
    /// The body, in base64; only where one body is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
}

impl Listed {
    pub(super) fn of(kept: &Kept) -> Listed {
        let part = &kept.part;
        Listed {
            key: format!("{}.{}", part.received_at.key(), part.id),
            received_at: part.received_at,
            server: part.server,
            generation: part.generation,
            reason: part.reason.clone(),
            detail: part.detail.clone(),
            record_type: part.record_type,
            parts: part.parts,
            replayed_at: kept.replayed_at,
            body_base64: None,
        }
    }
}

/// What is asked about the quarantine.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct QuarantineQuery {
    /// How many days back.
    pub days: u32,
}

/// How a body in quarantine is replayed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Replay {
    /// Record it although its credential was revoked or it is too old.
    #[serde(default)]
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

/// A decision to record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Decide {
    /// The server.
    pub server: ServerId,
    /// The stream, or `*`.
    pub stream: String,
    /// The address, or `id:` and the recipient's id.
    pub address: String,
    /// Suppress, or allow.
    pub suppress: bool,
    /// Why.
    pub reason: String,
    /// How the recipient asked to be mailed again, where it had unsubscribed.
    #[serde(default)]
    pub consent: Option<String>,
    /// Who.
    pub actor: String,
    /// Whether it is meant, though nobody knows the stream.
    #[serde(default)]
    pub unknown_stream: bool,
}

/// A stream to forget.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ForgetStream {
    /// The server.
    pub server: ServerId,
    /// The stream.
    pub stream: String,
}

/// What became of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// Whether it was known.
    pub was: bool,
}

/// What became of a decision.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Decided {
    /// Which event it is.
    pub identity: Identity,
    /// Whom it is about.
    pub recipient_id: RecipientId,
    /// Whether it is in the ledger already; else it is on its queue.
    pub recorded: bool,
}

/// A password to revoke.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Revoke {
    /// The server.
    pub server: ServerId,
    /// Which of its passwords.
    pub generation: u32,
    /// From when; events received later are set aside.
    pub from: Time,
}

/// A password whose revocation is taken back.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Unrevoke {
    /// The server.
    pub server: ServerId,
    /// Which of its passwords.
    pub generation: u32,
}

/// Which dead letters to take back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Redrive {
    /// The live queue that they go back to, by its name.
    pub queue: String,
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
    #[serde(default)]
    pub left: usize,
}

/// Whose ledger is to be rebuilt.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct RebuildQuery {
    /// The server.
    pub server: ServerId,
}

/// What a rebuild may mend.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Repair {
    /// The server.
    pub server: ServerId,
    /// What was found to differ.
    pub report: Report,
}

/// What a rebuild mended.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Repaired {
    /// How many views, each with its rows, were written.
    pub repaired: u64,
}

/// What of a server is compared with what Postmark knows. It bears a token: it is never printed.
#[derive(Clone, Serialize, Deserialize)]
pub struct ReconcileAsk {
    /// The server.
    pub server: ServerId,
    /// From when; without it, what is due.
    pub from: Option<Time>,
    /// To before when.
    pub to: Option<Time>,
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

//! May these addresses be mailed on a stream.

use crate::schema::{AlsoAsked, Cleaned, GivenAddress, ServerId as OfServer, StreamId};
use crate::words::{UnknownStream, choice};
use crate::{Finding, Timestamp, Word};
use ledger::ServerId;
use ledger::policy::StreamKind;
use ledger::verdict::Verdict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which addresses, and on which stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// The stream.
    #[schemars(with = "StreamId")]
    pub stream: String,
    /// In any spelling; or `id:` and a recipient id. One that is none is told of beside the others.
    #[schemars(with = "Vec<GivenAddress>", length(min = 1, max = 10_000))]
    pub addresses: Vec<String>,
    /// What a stream means that nobody knows: a slip, which is refused, or one whose first mail is yet to come.
    #[serde(default)]
    #[schemars(schema_with = "choice::<UnknownStream>")]
    pub unknown_stream: UnknownStream,
}

/// An address that is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Invalid {
    /// Its place in the request, from 0.
    pub index: usize,
    /// As it was given.
    pub address: String,
    /// What is wrong with it.
    #[schemars(extend("examples" = ["the address has no @"]))]
    pub problem: String,
}

/// What waits in the queue of suppressions, bounces and complaints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct CriticalQueue {
    /// How many suppressions, bounces and complaints of the whole stack have come in and are not recorded yet; null where
    /// that cannot be had.
    pub waiting: Option<usize>,
    /// For how many seconds the oldest of them waits, at most; null where that cannot be had.
    #[schemars(range(min = 0))]
    pub oldest_seconds_at_most: Option<i64>,
}

/// How current the ledger is; `newest_event` is the time of the latest event on the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct AsOf {
    /// When the answer was made.
    pub at: Timestamp,
    /// When the latest event on the stream happened; null where there is none.
    pub newest_event: Option<Timestamp>,
    /// What is on its way into the ledger.
    pub critical_queue: CriticalQueue,
}

/// How many of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct CheckedCounts {
    /// How many may be mailed.
    pub send: usize,
    /// How many nothing forbids to mail, but something warns against.
    pub risky: usize,
    /// How many must not be mailed.
    pub do_not_send: usize,
    /// How many are no addresses.
    pub invalid: usize,
}

/// An address, and whether it may be mailed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct CheckedAddress {
    /// As it was given.
    pub address: String,
    /// The address that was understood, where characters that are not to be seen were taken out of what was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Cleaned")]
    pub cleaned: Option<String>,
    /// Other spellings of the same mailbox, which were asked for too: the strictest answer holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "AlsoAsked")]
    pub also_asked: Vec<String>,
    /// May it be mailed.
    pub verdict: Word<Verdict>,
    /// All that speak against it, the strictest and oldest first.
    pub reasons: Vec<Finding>,
}

/// The verdicts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Checked {
    /// The server.
    #[schemars(with = "OfServer")]
    pub server: ServerId,
    /// The stream.
    #[schemars(with = "StreamId")]
    pub stream: String,
    /// What the stream is for.
    pub kind: Word<StreamKind>,
    /// Whether the stream is known at this server: by its events, or since Postmark lists it. It is only ever false where
    /// `unknown_stream` is `allow`: then the name may be a slip, and all answers read `send`.
    pub stream_known: bool,
    /// How current the ledger is; `newest_event` is the time of the latest event on the stream.
    pub as_of: AsOf,
    /// How many of each.
    pub counts: CheckedCounts,
    /// In the order of the request, without those that are invalid.
    pub results: Vec<CheckedAddress>,
    /// Those that are no addresses.
    pub invalid: Vec<Invalid>,
}

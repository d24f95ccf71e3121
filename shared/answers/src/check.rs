//! Whether addresses may be mailed on a stream.

use crate::named::{AlsoAsked, Cleaned, GivenAddress, ServerId as OfServer, StreamId};
use crate::words::{UnknownStream, choice};
use crate::{Finding, Timestamp, Word};
use ledger::ServerId;
use ledger::policy::StreamKind;
use ledger::verdict::Verdict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The addresses, and the stream to mail on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// The stream.
    #[schemars(with = "StreamId")]
    pub stream: String,
    /// In any spelling; or `id:` and a recipient id. An entry that is not an address is listed separately.
    #[schemars(with = "Vec<GivenAddress>", length(min = 1, max = 10_000))]
    pub addresses: Vec<String>,
    /// What to do about an unknown stream: refuse it as a typing error, or allow it because it has had no mail yet.
    #[serde(default)]
    #[schemars(schema_with = "choice::<UnknownStream>")]
    pub unknown_stream: UnknownStream,
}

/// An entry that is not an address.
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

/// The queue of suppressions, bounces and complaints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct CriticalQueue {
    /// How many suppressions, bounces and complaints of the whole stack have come in and are not recorded yet; null if
    /// that is not known.
    pub waiting: Option<usize>,
    /// How many seconds the oldest of them has waited, at most; null if that is not known.
    #[schemars(range(min = 0))]
    pub oldest_seconds_at_most: Option<i64>,
}

/// How current the ledger is; `newest_event` is the time of the latest event on the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct AsOf {
    /// The time of the answer.
    pub at: Timestamp,
    /// When the latest event on the stream happened; null if there is none.
    pub newest_event: Option<Timestamp>,
    /// The events that are on their way into the ledger.
    pub critical_queue: CriticalQueue,
}

/// The number of addresses for each verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct CheckedCounts {
    /// How many may be mailed.
    pub send: usize,
    /// How many may be mailed, although something warns against it.
    pub risky: usize,
    /// How many must not be mailed.
    pub do_not_send: usize,
    /// How many entries are not addresses.
    pub invalid: usize,
}

/// An address, and whether it may be mailed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct CheckedAddress {
    /// As it was given.
    pub address: String,
    /// The address without its invisible characters, if it had any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Cleaned")]
    pub cleaned: Option<String>,
    /// Other spellings of the same mailbox, which were looked up too: the strictest answer counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "AlsoAsked")]
    pub also_asked: Vec<String>,
    /// Whether it may be mailed.
    pub verdict: Word<Verdict>,
    /// All reasons against mailing it, the strictest and oldest first.
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
    /// Whether the stream is known at this server: by its events, or because Postmark lists it. It can be false only if
    /// `unknown_stream` is `allow`. Then the name may be a typing error, and every verdict is `send`.
    pub stream_known: bool,
    /// How current the ledger is; `newest_event` is the time of the latest event on the stream.
    pub as_of: AsOf,
    /// The number of addresses for each verdict.
    pub counts: CheckedCounts,
    /// In the order of the request, without those that are invalid.
    pub results: Vec<CheckedAddress>,
    /// The entries that are not addresses.
    pub invalid: Vec<Invalid>,
}

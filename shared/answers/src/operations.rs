//! Bodies that were set aside, what is complete, and who did what.

use crate::named::{Cursor, EventId, ServerId as OfServer};
use crate::words::{ActorKind, Phase};
use crate::{Timestamp, Word};
use ledger::{Identity, Kind, ServerId, Source};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A webhook's body that could not be recorded, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SetAside {
    /// The key that `postledger quarantine` uses for it.
    pub key: String,
    /// When it came in.
    pub received_at: Timestamp,
    /// Why it was set aside, as a code.
    pub reason: String,
    /// Why, in words, without quoting the body.
    pub detail: String,
    /// The kind of event, if the body names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_type: Option<Word<Kind>>,
    /// Who reported it.
    pub source: Word<Source>,
    /// Its length in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The number of parts that it is stored in.
    #[schemars(range(min = 1))]
    pub parts: u32,
    /// When it was replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replayed_at: Option<Timestamp>,
    /// When it is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A page of bodies that were set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Quarantine {
    /// The bodies, latest first.
    pub items: Vec<SetAside>,
    /// Send this as `cursor` to get the next page; null at the end.
    #[schemars(with = "Cursor")]
    pub next: Option<String>,
}

/// A body that was put back on its queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Replayed {
    /// The event that will be recorded, unless it is already.
    #[schemars(with = "EventId")]
    pub event: Identity,
    /// The queue that it is on.
    pub queue: String,
}

/// How complete one record type is, on one stream and day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct CompletenessLine {
    /// How many events Postmark reports.
    pub expected: u64,
    /// How many of them webhooks delivered.
    pub received: u64,
    /// How many were missing and were fetched from Postmark's API.
    pub recovered: u64,
    /// How many cannot be recovered.
    pub unrecoverable: u64,
    /// How many are missing without a known reason.
    pub unexplained: u64,
}

/// How complete one day of a stream is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct CompletenessOfStream {
    /// When it was last compared.
    pub as_of: Timestamp,
    /// By record type.
    pub lines: BTreeMap<String, CompletenessLine>,
}

/// What is known to be complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Completeness {
    /// The server.
    #[schemars(with = "OfServer")]
    pub server: ServerId,
    /// The first day.
    #[schemars(extend("format" = "date"))]
    pub from: String,
    /// The last day.
    #[schemars(extend("format" = "date"))]
    pub to: String,
    /// By day in US Eastern time, then by stream.
    #[schemars(extend("propertyNames" = { "format": "date" }))]
    pub days: BTreeMap<String, BTreeMap<String, CompletenessOfStream>>,
}

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Actor {
    /// How the person or program was identified.
    #[schemars(with = "Word<ActorKind>")]
    pub kind: String,
    /// A token's id, an AWS principal, or a user's name. For callers who are not operators, everybody at the agency is
    /// `operator`.
    pub name: String,
}

/// A step of a change, as far as it concerns this server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// The id of the change, which all its steps share.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub who: Actor,
    /// The kind of change, as one word.
    #[schemars(extend("examples" = ["token.new"]))]
    pub what: String,
    /// The phase that the change is in.
    #[schemars(with = "Word<Phase>")]
    pub phase: String,
    /// What was changed: a recipient's id, a stream, a token's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The state before the change.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub before: Value,
    /// The state after the change; for a change that has only begun, the requested state.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub after: Value,
}

/// A page of who did what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Audit {
    /// The steps, latest first.
    pub items: Vec<Step>,
    /// Send this as `cursor` to get the next page; null at the end.
    #[schemars(with = "Cursor")]
    pub next: Option<String>,
}

//! What was set aside, what is complete, who did what.

use crate::schema::{Cursor, ServerId as OfServer};
use crate::words::{ActorKind, Phase};
use crate::{Timestamp, Word};
use ledger::{Kind, ServerId, Source};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A webhook's body that could not be taken in, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SetAside {
    /// What `postledger quarantine` calls it.
    pub key: String,
    /// When it came in.
    pub received_at: Timestamp,
    /// Why it was set aside, as a code.
    pub reason: String,
    /// Why, in words; nothing of it is quoted.
    pub detail: String,
    /// What kind of event it is, where the body tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_type: Option<Word<Kind>>,
    /// Who told it.
    pub source: Word<Source>,
    /// How long it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// In how many parts it is kept.
    #[schemars(range(min = 1))]
    pub parts: u32,
    /// When it was replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replayed_at: Option<Timestamp>,
    /// When it is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A page of what was set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Quarantine {
    /// What was set aside, latest first.
    pub items: Vec<SetAside>,
    /// Hand this in as `cursor` to get what comes next; null at the end.
    #[schemars(with = "Cursor")]
    pub next: Option<String>,
}

/// How complete a record type is on a stream's day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct CompletenessLine {
    /// How many events Postmark tells of.
    pub expected: u64,
    /// How many of them webhooks told of.
    pub received: u64,
    /// How many were missing and came in by reconcile.
    pub recovered: u64,
    /// How many nobody tells again.
    pub unrecoverable: u64,
    /// How many are missing without a known reason.
    pub unexplained: u64,
}

/// How complete a stream's day is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct CompletenessOfStream {
    /// When it was last looked at.
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
    /// By Eastern day, then by stream.
    #[schemars(extend("propertyNames" = { "format": "date" }))]
    pub days: BTreeMap<String, BTreeMap<String, CompletenessOfStream>>,
}

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Actor {
    /// How it is known who it is.
    #[schemars(with = "Word<ActorKind>")]
    pub kind: String,
    /// A token's id, an AWS principal, or a user's name. Whoever is not an operator is told `operator` of everybody of the
    /// agency.
    pub name: String,
}

/// A step of a change, as far as it touches this server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// The change; all its steps bear it.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub who: Actor,
    /// What was changed, in a word.
    #[schemars(extend("examples" = ["token.new"]))]
    pub what: String,
    /// How far the change is.
    #[schemars(with = "Word<Phase>")]
    pub phase: String,
    /// What it was done to: a recipient's id, a stream, a token's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// What was.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub before: Value,
    /// What is; or, of a change that has begun, what was asked for.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub after: Value,
}

/// A page of who did what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Audit {
    /// The steps, latest first.
    pub items: Vec<Step>,
    /// Hand this in as `cursor` to get what comes next; null at the end.
    #[schemars(with = "Cursor")]
    pub next: Option<String>,
}

//! Settings of a server that its admins change: its Postmark token, and when soft bounces speak against a recipient.

use crate::named::ServerId as OfServer;
use crate::{SoftPolicy, Timestamp, Word};
use ledger::ServerId;
use ledger::policy::StreamKind;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The server's token at Postmark that takes the place of the one that is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostmarkTokenRequest {
    /// The token, as Postmark shows it under API Tokens of the server. No answer ever repeats it.
    #[schemars(length(min = 1, max = 200))]
    pub token: String,
}

/// The token is kept: Postmark said whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PostmarkTokenKept {
    /// The server.
    #[schemars(with = "OfServer")]
    pub server: ServerId,
    /// What the server is called at Postmark.
    pub name: String,
}

/// A soft-bounce policy, and from when it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct PolicyFrom {
    /// From when.
    pub from: Timestamp,
    /// The policy.
    pub policy: SoftPolicy,
}

/// The soft-bounce policies for one kind of stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct PoliciesOfKind {
    /// The policy that applies now.
    pub now: SoftPolicy,
    /// The server's own policies, the earliest first. Before the first of them, the stack's own applies.
    pub own: Vec<PolicyFrom>,
}

/// When soft bounces count against the recipients of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Policies {
    /// The server.
    #[schemars(with = "OfServer")]
    pub server: ServerId,
    /// What applies where the server has no policy of its own.
    pub stack: SoftPolicy,
    /// For transactional streams.
    pub transactional: PoliciesOfKind,
    /// For broadcast streams.
    pub broadcast: PoliciesOfKind,
}

/// The policy that is to apply to one kind of stream from an instant on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyRequest {
    /// The kind of stream.
    #[schemars(schema_with = "kind")]
    pub kind: StreamKind,
    /// The policy.
    pub policy: NewPolicy,
    /// From when it applies: now or later. Default: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub from: Option<String>,
    /// If true, nothing is changed: the answer says what would be.
    #[serde(default)]
    pub dry_run: bool,
}

fn kind(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({ "type": "string", "enum": ["transactional", "broadcast"] })
}

/// When soft bounces are to count against a recipient. `messages` may not exceed `count`, nor `span_days` exceed
/// `window_days`; `window_days` and `pause_days` together may be 120 at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPolicy {
    /// At least this many soft bounces,
    #[schemars(range(min = 1, max = 100))]
    pub count: u32,
    /// on at least this many messages,
    #[schemars(range(min = 1, max = 100))]
    pub messages: u32,
    /// the first and the last at least this many days apart,
    #[schemars(range(min = 0, max = 120))]
    pub span_days: u32,
    /// all within this many days before the last,
    #[schemars(range(min = 1, max = 120))]
    pub window_days: u32,
    /// count until this many days after the last.
    #[schemars(range(min = 0, max = 119))]
    pub pause_days: u32,
}

/// How many recipients' verdicts on a stream would be another under the new policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct PolicyEffectOnStream {
    /// How many recipients with soft bounces on the stream were looked at.
    pub recipients: usize,
    /// How many of them would have a stricter verdict.
    pub stricter: usize,
    /// How many of them would have a more lenient verdict.
    pub more_lenient: usize,
}

/// What the new policy would change if it applied now: counted over the recipients that had soft bounces lately.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyEffect {
    /// Since when soft bounces were looked for; 90 days ago if `complete`.
    pub since: Timestamp,
    /// Whether all recipients with soft bounces of the last 90 days were looked at. If not, there are too many events to
    /// read at once, and only those since `since` were.
    pub complete: bool,
    /// How many recipients were looked at.
    pub recipients: usize,
    /// Stream by stream, those of the kind that have soft bounces.
    pub streams: BTreeMap<String, PolicyEffectOnStream>,
}

/// A policy that applies from an instant on, or would.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyChanged {
    /// The server.
    #[schemars(with = "OfServer")]
    pub server: ServerId,
    /// The kind of stream.
    pub kind: Word<StreamKind>,
    /// From when it applies.
    pub from: Timestamp,
    /// The policy that applied at that instant before.
    pub before: SoftPolicy,
    /// The policy that applies from then on.
    pub after: SoftPolicy,
    /// From when a policy that was set before takes its place. Absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// In a dry run: what the policy would change now. Absent if it cannot be counted, because the stack keeps no index by
    /// time, and if it was no dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<PolicyEffect>,
    /// Whether this was a dry run, which changes nothing. Absent if it was not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

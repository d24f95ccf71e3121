//! What is known about a recipient.

use crate::named::{
    AlsoAsked, Cleaned, Cursor, EventId, RecipientId as OfRecipient, Scope, ServerId as OfServer,
};
use crate::words::{FactName, SaidFor};
use crate::{Timestamp, Word};
use ledger::bounce::BounceClass;
use ledger::event::Cause;
use ledger::policy::{SoftBouncePolicy, StreamKind};
use ledger::verdict::{Code, Verdict};
use ledger::{Identity, RecipientId, ServerId, Source};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One reason for a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The reason's code.
    pub code: Word<Code>,
    /// The verdict that this reason alone would give; the strictest one counts.
    pub verdict: Word<Verdict>,
    /// When the deciding fact happened.
    pub since: Timestamp,
    /// When it ends by itself. Absent if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The stream that it comes from; `*` for the whole server.
    #[schemars(with = "Scope")]
    pub scope: String,
    /// The reason, for people.
    #[schemars(extend("examples" = ["on Postmark's suppression list: hard bounce"]))]
    pub words: String,
}

/// One reason for a verdict, and its evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingWithEvidence {
    /// The reason.
    #[serde(flatten)]
    pub finding: Finding,
    /// The events behind it.
    #[schemars(with = "Vec<EventId>")]
    pub evidence: Vec<Identity>,
    /// For soft bounces: the evidence that the policy used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft: Option<SoftEvidence>,
}

/// When soft bounces count against a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SoftPolicy {
    /// At least this many soft bounces,
    pub count: u32,
    /// on at least this many messages,
    pub messages: u32,
    /// the first and the last at least this many days apart,
    pub span_days: u32,
    /// all within this many days before the last,
    pub window_days: u32,
    /// count until this many days after the last.
    pub pause_days: u32,
}

impl From<SoftBouncePolicy> for SoftPolicy {
    fn from(policy: SoftBouncePolicy) -> SoftPolicy {
        let SoftBouncePolicy { count, messages, span_days, window_days, pause_days } = policy;
        SoftPolicy { count, messages, span_days, window_days, pause_days }
    }
}

/// The evidence that the soft-bounce policy used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SoftEvidence {
    /// The number of soft bounces within the window that no delivery or reactivation cleared.
    pub count: u32,
    /// The number of messages that bounced.
    pub messages: u32,
    /// The first of them.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
    /// The latest delivery that was found; null if there is none.
    pub last_delivery: Option<Timestamp>,
    /// The policy that was in force.
    pub policy: SoftPolicy,
}

/// The time of a fact, and the event that shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// The event that shows it.
    #[schemars(with = "EventId")]
    pub event: Identity,
}

/// A bounce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BounceMark {
    /// When.
    pub at: Timestamp,
    /// The event that shows it.
    #[schemars(with = "EventId")]
    pub event: Identity,
    /// What it means for the recipient.
    pub class: Word<BounceClass>,
    /// The message that bounced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
}

/// A fact that an event shows about its recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fact {
    /// Since when it holds; an observation is dated a little before it was read.
    pub at: Timestamp,
    /// The event that shows it.
    #[schemars(with = "EventId")]
    pub event: Identity,
    /// The fact: the address entered (`suppressed`) or left (`lifted`) Postmark's list, we barred or allowed it, it
    /// bounced, its owner complained, or asked by a bounce to be taken off the list.
    #[schemars(with = "Word<FactName>")]
    pub fact: String,
    /// Why it was suppressed or barred; an import that an early release recorded has no cause of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Word<SaidFor>>")]
    pub cause: Option<String>,
    /// The class of the bounce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Word<BounceClass>>,
    /// Who reported it.
    pub source: Word<Source>,
}

/// A cause that holds on Postmark's list, and the events behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Listed {
    /// Why.
    #[schemars(with = "Word<Cause>")]
    pub cause: String,
    /// The events behind it.
    pub evidence: Vec<Mark>,
}

/// What is known about a recipient on one stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecipientStream {
    /// What the stream is for.
    pub kind: Word<StreamKind>,
    /// Whether the stream is known at this server: by its events, or because Postmark lists it. If not, its name may be
    /// a typing error.
    pub stream_known: bool,
    /// Whether it may be mailed.
    pub verdict: Word<Verdict>,
    /// All reasons against mailing it, the strictest and oldest first.
    pub reasons: Vec<FindingWithEvidence>,
    /// The causes that hold on Postmark's list.
    pub listed: Vec<Listed>,
    /// When it last left Postmark's list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted: Option<Mark>,
    /// When we last allowed it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Mark>,
    /// The latest bounces that say something about the address.
    pub bounces: Vec<BounceMark>,
    /// Whether deliveries that could have cleared soft bounces may have expired.
    pub soft_evidence_incomplete: bool,
    /// The result of the soft-bounce policy, in words.
    #[schemars(extend("examples" = ["5 of 5 soft bounces since 3 May, last delivery 12 April"]))]
    pub decision: String,
    /// The facts about the recipient on this stream, oldest first; the latest 200.
    #[schemars(length(max = 200))]
    pub history: Vec<Fact>,
}

/// What is known about a recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recipient {
    /// The server.
    #[schemars(with = "OfServer")]
    pub server: ServerId,
    /// The address as you gave it. If you gave an id: the address as its latest bounce, complaint or change of a list
    /// spells it, masked if the token does not reveal addresses; null if none is recorded.
    pub address: Option<String>,
    /// The id of this spelling of the address.
    #[schemars(with = "OfRecipient")]
    pub recipient_id: RecipientId,
    /// The instant that the answer is for.
    pub at: Timestamp,
    /// If you gave `known_at`: only what had come in by this instant was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_at: Option<Timestamp>,
    /// Whether anything is recorded about it.
    pub known: bool,
    /// The address without its invisible characters, if it had any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Cleaned")]
    pub cleaned: Option<String>,
    /// Other spellings of the same mailbox, which were looked up too: the strictest answer counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "AlsoAsked")]
    pub also_asked: Vec<String>,
    /// By stream; `*` if it is barred on the whole server.
    pub streams: BTreeMap<String, RecipientStream>,
    /// Send this as `cursor` to get the next page; null at the end.
    #[schemars(with = "Cursor")]
    pub next: Option<String>,
}

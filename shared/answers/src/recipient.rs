//! What is known of a recipient.

use crate::schema::{
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
    /// Which finding.
    pub code: Word<Code>,
    /// What it alone would answer; the strictest finding is the answer.
    pub verdict: Word<Verdict>,
    /// When the fact happened that decides.
    pub since: Timestamp,
    /// When it ends by itself. Absent where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The stream that it comes from, or `*`.
    #[schemars(with = "Scope")]
    pub scope: String,
    /// The finding, for people.
    #[schemars(extend("examples" = ["on Postmark's suppression list: hard bounce"]))]
    pub words: String,
}

/// One reason for a verdict, and what speaks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingWithEvidence {
    /// The reason.
    #[serde(flatten)]
    pub finding: Finding,
    /// The events behind it.
    #[schemars(with = "Vec<EventId>")]
    pub evidence: Vec<Identity>,
    /// For soft bounces: what the policy saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft: Option<SoftEvidence>,
}

/// When soft bounces speak against a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SoftPolicy {
    /// At least so many soft bounces,
    pub count: u32,
    /// on at least so many messages,
    pub messages: u32,
    /// the first and the last at least so many days apart,
    pub span_days: u32,
    /// all within so many days before the last,
    pub window_days: u32,
    /// hold until so many days after the last.
    pub pause_days: u32,
}

impl From<SoftBouncePolicy> for SoftPolicy {
    fn from(policy: SoftBouncePolicy) -> SoftPolicy {
        let SoftBouncePolicy { count, messages, span_days, window_days, pause_days } = policy;
        SoftPolicy { count, messages, span_days, window_days, pause_days }
    }
}

/// What the soft-bounce policy saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SoftEvidence {
    /// Soft bounces within the window that no delivery or allowance cleared.
    pub count: u32,
    /// On how many messages.
    pub messages: u32,
    /// The first of them.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
    /// The latest delivery that was read; null where there is none.
    pub last_delivery: Option<Timestamp>,
    /// The policy that was in force.
    pub policy: SoftPolicy,
}

/// A fact's place in time, and the event that told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// The event that told it.
    #[schemars(with = "EventId")]
    pub event: Identity,
}

/// A bounce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BounceMark {
    /// When.
    pub at: Timestamp,
    /// The event that told it.
    #[schemars(with = "EventId")]
    pub event: Identity,
    /// What it means for the recipient.
    pub class: Word<BounceClass>,
    /// Which message bounced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
}

/// Something that an event says about its recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fact {
    /// When it holds from; an observation speaks for an instant a little before it was read.
    pub at: Timestamp,
    /// The event that says it.
    #[schemars(with = "EventId")]
    pub event: Identity,
    /// What is said: it entered (`suppressed`) or left (`lifted`) Postmark's list, we barred or allowed it, it bounced,
    /// it complained, it asked by a bounce to be taken off the list.
    #[schemars(with = "Word<FactName>")]
    pub fact: String,
    /// Why it was suppressed or barred; an import that an early release recorded bears no cause of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Word<SaidFor>>")]
    pub cause: Option<String>,
    /// How it bounced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Word<BounceClass>>,
    /// Who told it.
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

/// What is known of a recipient on one stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecipientStream {
    /// What the stream is for.
    pub kind: Word<StreamKind>,
    /// Whether the stream is known at this server: by its events, or since Postmark lists it. If not, its name may be a
    /// slip.
    pub stream_known: bool,
    /// May it be mailed.
    pub verdict: Word<Verdict>,
    /// All that speak against it, the strictest and oldest first.
    pub reasons: Vec<FindingWithEvidence>,
    /// The causes that hold on Postmark's list.
    pub listed: Vec<Listed>,
    /// When it last left Postmark's list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted: Option<Mark>,
    /// When we last allowed it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Mark>,
    /// The latest bounces that speak about the address.
    pub bounces: Vec<BounceMark>,
    /// Whether deliveries that could have cleared soft bounces may have expired.
    pub soft_evidence_incomplete: bool,
    /// What the soft-bounce policy says, in words.
    #[schemars(extend("examples" = ["5 of 5 soft bounces since 3 May, last delivery 12 April"]))]
    pub decision: String,
    /// What was said about the recipient here, oldest first; the latest 200.
    #[schemars(length(max = 200))]
    pub history: Vec<Fact>,
}

/// What is known of a recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recipient {
    /// The server.
    #[schemars(with = "OfServer")]
    pub server: ServerId,
    /// As it was asked for. Of a recipient that was asked for by id: as its latest bounce, complaint, or change of a list
    /// spells it, masked where the token does not reveal addresses; null where none is on record.
    pub address: Option<String>,
    /// The id of its own spelling.
    #[schemars(with = "OfRecipient")]
    pub recipient_id: RecipientId,
    /// As of when.
    pub at: Timestamp,
    /// By what had come in by then, where that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_at: Option<Timestamp>,
    /// Whether anything is recorded about it.
    pub known: bool,
    /// The address that was understood, where characters that are not to be seen were taken out of what was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Cleaned")]
    pub cleaned: Option<String>,
    /// Other spellings of the same mailbox, which were asked for too: the strictest answer holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "AlsoAsked")]
    pub also_asked: Vec<String>,
    /// By stream; `*` where the whole server is barred.
    pub streams: BTreeMap<String, RecipientStream>,
    /// Hand this in as `cursor` to get what comes next; null at the end.
    #[schemars(with = "Cursor")]
    pub next: Option<String>,
}

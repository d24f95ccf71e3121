//! Decisions of people: which addresses to bar, to allow again, and to erase.

use crate::named::{Cleaned, EventId, GivenAddress, RecipientId as OfRecipient, Scope, StreamId, reason};
use crate::words::{Awaited, Deleting, Refusal, Suppressing, Sweep, UnknownStream, Was, Why, Would, choice};
use crate::{Invalid, Timestamp, Word};
use ledger::{Identity, RecipientId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A decision in the ledger, and its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// The event.
    #[schemars(with = "EventId")]
    pub event: Identity,
    /// Whether it is recorded already. If not, it is on its queue and will be.
    pub recorded: bool,
}

/// The addresses to bar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuppressRequest {
    /// The addresses, in any spelling; or `id:` and a recipient id.
    #[schemars(with = "Vec<GivenAddress>", length(min = 1, max = 500))]
    pub addresses: Vec<String>,
    /// A message stream, or `*` for the whole server.
    #[schemars(with = "Scope")]
    pub stream: String,
    /// Why, in your words. They are kept with the decision, in the timeline, and removed when the person is erased.
    #[schemars(schema_with = "reason")]
    pub reason: String,
    /// Why, as a choice. The audit notes this.
    #[serde(default)]
    #[schemars(schema_with = "choice::<Why>")]
    pub why: Why,
    /// Whether the addresses are put on Postmark's own suppression list too.
    #[serde(default = "yes")]
    pub postmark: bool,
    /// What to do about an unknown stream: refuse it as a typing error, or allow it because it has had no mail yet.
    #[serde(default)]
    #[schemars(schema_with = "choice::<UnknownStream>")]
    pub unknown_stream: UnknownStream,
    /// If true, nothing is changed: the answer says in `would` what would be.
    #[serde(default)]
    pub dry_run: bool,
}

const fn yes() -> bool {
    true
}

/// Postmark's answer about an address on one stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct SuppressedAtPostmark {
    /// The stream.
    #[schemars(with = "StreamId")]
    pub stream: String,
    /// Whether Postmark put it on its list.
    #[schemars(with = "Word<Suppressing>")]
    pub status: String,
    /// Postmark's words, or why it could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The outcome for an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct SuppressedAddress {
    /// As it was given.
    pub address: String,
    /// The address without its invisible characters, if it had any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Cleaned")]
    pub cleaned: Option<String>,
    /// Whether it is barred here and, if you asked for that, on Postmark's list.
    pub done: bool,
    /// In a dry run: what would be changed. Absent otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Word<Would>>")]
    pub would: Vec<String>,
    /// The decision that bars it here; null if there is none.
    pub decision: Option<Decision>,
    /// Postmark's answer, stream by stream.
    pub postmark: Vec<SuppressedAtPostmark>,
}

/// The outcome, address by address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Suppressed {
    /// In the order of the request, without those that are invalid.
    pub results: Vec<SuppressedAddress>,
    /// The entries that are not addresses.
    pub invalid: Vec<Invalid>,
    /// Whether this was a dry run, which changes nothing. Absent if it was not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// Where a recipient may be mailed again, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReactivateRequest {
    /// A message stream, or `*` for all of them.
    #[schemars(with = "Scope")]
    pub stream: String,
    /// Why, in your words. They are kept with the decision, in the timeline, and removed when the person is erased. If no
    /// decision is made in the ledger, they are not kept.
    #[schemars(schema_with = "reason")]
    pub reason: String,
    /// Why, as a choice. The audit notes this.
    #[serde(default)]
    #[schemars(schema_with = "choice::<Why>")]
    pub why: Why,
    /// For a person who had unsubscribed or complained: how they gave consent again. These words are kept like those of
    /// the reason; the audit notes only that they were given.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::not_null")]
    #[schemars(schema_with = "reason")]
    pub consent: Option<String>,
    /// Whether the recipient is taken off Postmark's own suppression list too. If not, only your own bar is lifted, and
    /// only if the recipient is not on Postmark's list.
    #[serde(default = "yes")]
    pub postmark: bool,
    /// What to do about an unknown stream: refuse it as a typing error, or allow it because it has had no mail yet.
    #[serde(default)]
    #[schemars(schema_with = "choice::<UnknownStream>")]
    pub unknown_stream: UnknownStream,
    /// If true, nothing is changed: the answer says in `would` what would be.
    #[serde(default)]
    pub dry_run: bool,
}

/// Why nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Refused {
    /// The rule that refuses, or `postmark`.
    #[schemars(with = "Word<Refusal>")]
    pub code: String,
    /// The same, for people.
    pub words: String,
}

/// Postmark's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct AtPostmark {
    /// Whether Postmark took it off its list.
    #[schemars(with = "Word<Deleting>")]
    pub status: String,
    /// Postmark's words, or why it could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The outcome for a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReactivatedStream {
    /// The stream.
    #[schemars(with = "Scope")]
    pub stream: String,
    /// The spelling that is suppressed there, if it differs from the one that you gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spelling: Option<String>,
    /// The reasons why it was suppressed.
    #[schemars(with = "Vec<Word<Was>>")]
    pub was: Vec<String>,
    /// Whether nothing bars it here any more, once the event in `awaits` has come.
    pub done: bool,
    /// In a dry run: what would be changed. Absent otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Word<Would>>")]
    pub would: Vec<String>,
    /// Why nothing changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
    /// Postmark's answer, if it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postmark: Option<AtPostmark>,
    /// The event that will confirm it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Word<Awaited>>")]
    pub awaits: Option<String>,
}

/// The outcome, stream by stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reactivated {
    /// The address as you gave it. If you gave an id: the address as it is recorded, masked if the token does not reveal
    /// addresses.
    pub address: Option<String>,
    /// Stream by stream; empty if nothing barred it.
    pub results: Vec<ReactivatedStream>,
    /// The decision that allows it again; null if there is none.
    pub decision: Option<Decision>,
    /// The decisions about other spellings of the address. Absent if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_decisions: Vec<Decision>,
    /// The address without its invisible characters, if it had any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Cleaned")]
    pub cleaned: Option<String>,
    /// Whether this was a dry run, which changes nothing. Absent if it was not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// Empty, because a reason would be text about a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseRequest {}

/// What was erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Erased {
    /// The recipient's id.
    #[schemars(with = "OfRecipient")]
    pub recipient_id: RecipientId,
    /// Whether it had been erased before.
    pub already: bool,
    /// How many events were stripped of the person now.
    pub events: usize,
    /// When it was first erased.
    pub erased_at: Timestamp,
    /// Whether bodies that were set aside are swept already; a scheduled function does that.
    #[schemars(with = "Word<Sweep>")]
    pub quarantine: String,
    /// Until when bodies that were set aside are swept again, because some were still on their way.
    pub swept_until: Timestamp,
}

//! What people rule: whom not to mail any more, whom to mail again, whom to forget.

use crate::schema::{Cleaned, EventId, GivenAddress, RecipientId as OfRecipient, Scope, StreamId, reason};
use crate::words::{Awaited, Deleting, Refusal, Suppressing, Sweep, UnknownStream, Was, Why, choice};
use crate::{Invalid, Timestamp, Word};
use ledger::{Identity, RecipientId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A decision of ours, and the event that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// The event.
    #[schemars(with = "EventId")]
    pub event: Identity,
    /// Whether it is recorded already. If not, it is on its queue and will be.
    pub recorded: bool,
}

/// Whom not to mail any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuppressRequest {
    /// The addresses, in any spelling; or `id:` and a recipient id.
    #[schemars(with = "Vec<GivenAddress>", length(min = 1, max = 500))]
    pub addresses: Vec<String>,
    /// A message stream, or `*` for the whole server.
    #[schemars(with = "Scope")]
    pub stream: String,
    /// Why, in your words: they stand in the timeline, with the decision, and go where the person is erased.
    #[schemars(schema_with = "reason")]
    pub reason: String,
    /// Why, as a choice: that is what the audit notes.
    #[serde(default)]
    #[schemars(schema_with = "choice::<Why>")]
    pub why: Why,
    /// Whether Postmark's own suppression list is told too.
    #[serde(default = "yes")]
    pub postmark: bool,
    /// What a stream means that nobody knows: a slip, which is refused, or one whose first mail is yet to come.
    #[serde(default)]
    #[schemars(schema_with = "choice::<UnknownStream>")]
    pub unknown_stream: UnknownStream,
}

const fn yes() -> bool {
    true
}

/// What Postmark said about an address on one stream.
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

/// What became of an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct SuppressedAddress {
    /// As it was given.
    pub address: String,
    /// The address that was understood, where characters that are not to be seen were taken out of what was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Cleaned")]
    pub cleaned: Option<String>,
    /// Whether it is barred here, and Postmark's list holds it where that was asked.
    pub done: bool,
    /// The decision that bars it here; null where it could not be made.
    pub decision: Option<Decision>,
    /// What Postmark said, stream by stream.
    pub postmark: Vec<SuppressedAtPostmark>,
}

/// What became of it, address by address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Suppressed {
    /// In the order of the request, without those that are invalid.
    pub results: Vec<SuppressedAddress>,
    /// Those that are no addresses.
    pub invalid: Vec<Invalid>,
}

/// Where to mail a recipient again, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReactivateRequest {
    /// A message stream, or `*` for all of them.
    #[schemars(with = "Scope")]
    pub stream: String,
    /// Why, in your words: they stand in the timeline, with the decision, and go where the person is erased. Where nothing
    /// of ours is decided, they are kept nowhere.
    #[schemars(schema_with = "reason")]
    pub reason: String,
    /// Why, as a choice: that is what the audit notes.
    #[serde(default)]
    #[schemars(schema_with = "choice::<Why>")]
    pub why: Why,
    /// Where a person had unsubscribed or complained: how it consented anew. The words are kept as those of the reason
    /// are; the audit notes that they were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "reason")]
    pub consent: Option<String>,
    /// Whether Postmark's own suppression list is seen to as well. If not, only what is yours is allowed again, and nothing
    /// where Postmark's list holds the recipient.
    #[serde(default = "yes")]
    pub postmark: bool,
    /// What a stream means that nobody knows: a slip, which is refused, or one whose first mail is yet to come.
    #[serde(default)]
    #[schemars(schema_with = "choice::<UnknownStream>")]
    pub unknown_stream: UnknownStream,
}

/// Why it stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Refused {
    /// The rule, or Postmark.
    #[schemars(with = "Word<Refusal>")]
    pub code: String,
    /// The same, for people.
    pub words: String,
}

/// What Postmark said.
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

/// What became of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReactivatedStream {
    /// The stream.
    #[schemars(with = "Scope")]
    pub stream: String,
    /// The spelling of the address that is held there, where it is another one than that which was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spelling: Option<String>,
    /// Why it was not to be mailed.
    #[schemars(with = "Vec<Word<Was>>")]
    pub was: Vec<String>,
    /// Whether nothing holds it here any more, once what it awaits has come.
    pub done: bool,
    /// Why it stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
    /// What Postmark said, where it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postmark: Option<AtPostmark>,
    /// The event that will say that it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Word<Awaited>>")]
    pub awaits: Option<String>,
}

/// What became of it, stream by stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reactivated {
    /// As it was asked for; of a recipient that was asked for by id, as it is on record, masked where the token does not
    /// reveal addresses.
    pub address: Option<String>,
    /// Stream by stream; empty where nothing held it.
    pub results: Vec<ReactivatedStream>,
    /// The decision that allows it again; null where none was made.
    pub decision: Option<Decision>,
    /// Those of other spellings of the address. Absent where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_decisions: Vec<Decision>,
    /// The address that was understood, where characters that are not to be seen were taken out of what was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Cleaned")]
    pub cleaned: Option<String>,
}

/// Nothing: a reason would be words about a person.
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
    /// When it was erased first.
    pub erased_at: Timestamp,
    /// Whether what was set aside is swept too; a schedule does that.
    #[schemars(with = "Word<Sweep>")]
    pub quarantine: String,
    /// Until when what was set aside is swept again, for what was still on its way.
    pub swept_until: Timestamp,
}

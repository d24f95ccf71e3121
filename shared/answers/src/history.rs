//! What happened: to a recipient, to a message, at a server; and a person's data.

use crate::named::{Cursor, EventId, RecipientId as OfRecipient, Scope, kept};
use crate::words::Withheld;
use crate::{Fact, Timestamp, Word};
use ledger::counters::Measure;
use ledger::{Identity, Kind, RecipientId, Source};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Further details from Postmark, if it sent them and they are still kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Details {
    /// The message's tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The message's subject. Only for tokens that reveal addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Postmark's name for the bounce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounce_type: Option<String>,
    /// Postmark's description of the bounce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What the receiving server said. Only for tokens that reveal addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnostic: Option<String>,
    /// The link that was clicked. Only for tokens that reveal addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The reader's program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The texts that exist but are left out, because the token does not reveal addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Word<Withheld>>")]
    pub withheld: Vec<String>,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// When it happened.
    pub time: Timestamp,
    /// What kind of event it is.
    #[serde(rename = "type")]
    #[schemars(with = "Word<Kind>")]
    pub kind: String,
    /// The measure that it counts as.
    #[schemars(with = "Word<Measure>")]
    pub measure: String,
    /// The stream.
    #[schemars(with = "Scope")]
    pub stream: String,
    /// The message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Who reported it.
    pub source: Word<Source>,
    /// When it came in here.
    pub received_at: Timestamp,
    /// The event's id.
    #[schemars(with = "EventId")]
    pub event: Identity,
    /// For a decision: who decided, and why. Only for tokens that reveal addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The facts that it shows about its recipient.
    pub facts: Vec<Fact>,
    /// Further details from Postmark.
    pub details: Details,
}

/// The recipient of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EntryRecipient {
    /// The recipient's id.
    #[schemars(with = "OfRecipient")]
    pub recipient_id: RecipientId,
    /// The address, masked if the token does not reveal addresses (`i***@customer.example`). Absent if it is not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// One event, and its recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EntryWithRecipient {
    /// The event.
    #[serde(flatten)]
    pub entry: Entry,
    /// The recipient.
    pub recipient: EntryRecipient,
}

/// One event with everything that is kept about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EntryWithBody {
    /// The event.
    #[serde(flatten)]
    pub entry: Entry,
    /// The body that Postmark sent, without the parts that are never kept. Null if the event has none.
    #[schemars(schema_with = "kept")]
    pub body: Value,
}

/// A page of a recipient's timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Timeline {
    /// The events, oldest first.
    pub items: Vec<Entry>,
    /// Send this as `cursor` to get the next page; null at the end.
    #[schemars(with = "Cursor")]
    pub next: Option<String>,
    /// Whether there is more about this recipient than a timeline shows.
    pub truncated: bool,
}

/// A page of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Events {
    /// The events, oldest first.
    pub items: Vec<EntryWithRecipient>,
    /// Send this as `cursor` to get the next page; null at the end.
    #[schemars(with = "Cursor")]
    pub next: Option<String>,
}

/// A page of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Activity {
    /// The events, latest first.
    pub items: Vec<EntryWithRecipient>,
    /// Send this as `cursor` to get the next page; null at the end.
    #[schemars(with = "Cursor")]
    pub next: Option<String>,
    /// True if one instant had more events than can be read, so that some are left out. Absent otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// The list has all events that happened at this time or later. Earlier ones may be missing, until whoever runs the
    /// ledger fills them in with `postledger index fill`. Absent if the list is whole for the time that you asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_from: Option<Timestamp>,
}

/// A page of everything that is kept about a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Export {
    /// The recipient's id.
    #[schemars(with = "OfRecipient")]
    pub recipient_id: RecipientId,
    /// The address, as it is recorded or as you gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The state that follows from all events; on the first page only.
    // There it is null where nothing is recorded; later pages leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "said")]
    #[schemars(schema_with = "kept")]
    pub view: Option<Value>,
    /// The same for other spellings of the address. Absent if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("items" = { "type": "object", "additionalProperties": true }))]
    pub other_views: Vec<Value>,
    /// The events, each with its body.
    pub items: Vec<EntryWithBody>,
    /// Send this as `cursor` to get the next page; null at the end.
    #[schemars(with = "Cursor")]
    pub next: Option<String>,
}

/// What is said, null too.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn that_there_is_no_view_is_told_on_the_first_page_alone() {
        let mut first =
            json!({ "recipient_id": "kZxV0n3qT5uYwB7cD9eFgA", "items": [], "next": null, "view": null });
        let read: Export = serde_json::from_value(first.clone()).unwrap();
        assert_eq!(read.view, Some(Value::Null));
        assert_eq!(serde_json::to_value(read).unwrap(), first);
        first.as_object_mut().unwrap().remove("view");
        let read: Export = serde_json::from_value(first.clone()).unwrap();
        assert_eq!(read.view, None);
        assert_eq!(serde_json::to_value(read).unwrap(), first);
    }
}

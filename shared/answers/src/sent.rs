//! What Postmark says of mail that was sent. It is asked when somebody looks, and stored nowhere.

use crate::Timestamp;
use crate::named::{RecipientId as OfRecipient, ServerId as OfServer, StreamId};
use ledger::{RecipientId, ServerId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A message that was sent, as Postmark tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SentMessage {
    /// Postmark's id of the message.
    pub message_id: String,
    /// When Postmark took it.
    pub sent_at: Timestamp,
    /// The stream.
    #[schemars(with = "StreamId")]
    pub stream: String,
    /// Postmark's word for how far it is: `queued`, or `sent`, which is also called `processed`.
    pub status: String,
    /// The message's tag, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The message's subject. Only for tokens that reveal addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Whether the ledger has an event of it: for a list, one that concerns this recipient.
    pub recorded: bool,
}

/// What Postmark says it sent to a recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SentMessages {
    /// The server.
    #[schemars(with = "OfServer")]
    pub server: ServerId,
    /// The recipient's id.
    #[schemars(with = "OfRecipient")]
    pub recipient_id: RecipientId,
    /// When Postmark was asked.
    pub asked_at: Timestamp,
    /// The messages, latest first.
    pub items: Vec<SentMessage>,
    /// Whether Postmark has more than these.
    pub truncated: bool,
}

/// Something that happened to a message, as Postmark tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PostmarkEvent {
    /// When.
    pub at: Timestamp,
    /// Postmark's word for it, such as `Delivered` or `Bounced`.
    #[serde(rename = "type")]
    pub kind: String,
    /// To whom; masked for those who may not see addresses.
    pub address: String,
    /// What the receiving server said, if Postmark tells that. Only for tokens that reveal addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

/// The content of a message, as Postmark tells it. It is for those who have the right to it, and each look is noted in the
/// audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageContent {
    /// The server.
    #[schemars(with = "OfServer")]
    pub server: ServerId,
    /// Postmark's id of the message.
    pub message_id: String,
    /// When Postmark was asked.
    pub asked_at: Timestamp,
    /// Its subject, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Its body as plain text. Absent if it has none; without `html` too, Postmark does not keep the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Its body as HTML, as its sender wrote it: do not trust it. Absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// The names of its attachments, which Postmark does not keep.
    pub attachments: Vec<String>,
    /// Whether a body goes on behind what is told of it.
    pub truncated: bool,
}

/// What Postmark says of one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PostmarkMessage {
    /// The server.
    #[schemars(with = "OfServer")]
    pub server: ServerId,
    /// When Postmark was asked.
    pub asked_at: Timestamp,
    /// The message.
    pub message: SentMessage,
    /// What happened to it, oldest first.
    pub events: Vec<PostmarkEvent>,
}

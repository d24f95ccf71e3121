//! What Postmark says of mail that came in. It is asked when somebody looks, and stored nowhere.

use crate::Timestamp;
use crate::named::ServerId as OfServer;
use ledger::ServerId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A mail that came in, as Postmark tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InboundMessage {
    /// Postmark's id of the message.
    pub message_id: String,
    /// The date that stands in it, as whoever sent it wrote it. Absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Who sent it; masked for those who may not see addresses.
    pub from: String,
    /// To whom it came; masked for those who may not see addresses.
    pub to: String,
    /// Its subject. Only for tokens that reveal addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Postmark's word for what became of it: `processed` (your program took it), `blocked` (by a rule), `failed` (your
    /// program did not take it at any try), `scheduled` (it is tried again) or `queued` (webhooks are paused).
    pub status: String,
    /// Why it was blocked or failed, if Postmark says so. Only for tokens that reveal addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What Postmark says came in at a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InboundMessages {
    /// The server.
    #[schemars(with = "OfServer")]
    pub server: ServerId,
    /// When Postmark was asked.
    pub asked_at: Timestamp,
    /// The messages, as Postmark lists them: latest first.
    pub items: Vec<InboundMessage>,
    /// Whether Postmark has more than these.
    pub truncated: bool,
}

//! Adding a server, and a mail that shows whether its events come in.

use crate::named::ServerId as OfServer;
use crate::{Timestamp, Word};
use ledger::ServerId;
use ledger::policy::StreamKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A server to add. Postmark says by the token which one it is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewServer {
    /// The server's token, as Postmark shows it under API Tokens of the server. No answer ever repeats it.
    #[schemars(length(min = 1, max = 200))]
    pub token: String,
    /// The client whose mail it sends. Default: its name at Postmark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub client: Option<String>,
    /// What you call it. Default: its name at Postmark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub label: Option<String>,
}

/// A server that is registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddedServer {
    /// The server.
    #[schemars(with = "OfServer")]
    pub server: ServerId,
    /// What it is called at Postmark.
    pub name: String,
    /// The client that it belongs to.
    pub client: String,
    /// Its name.
    pub label: String,
    /// Its message streams, and what each is for.
    pub streams: BTreeMap<String, Word<StreamKind>>,
    /// Whether it was registered before. If so, its names were not changed.
    pub was_registered: bool,
    /// Whether a token of it was kept before. If so, that one is still kept, and the one that was sent is not.
    pub had_token: bool,
}

/// A plain mail to send, so that one can see whether what Postmark reports of it comes in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestMailRequest {
    /// The stream to send it on.
    pub stream: String,
    /// The sender: an address that is confirmed at Postmark.
    #[schemars(length(max = 320))]
    pub from: String,
    /// The one recipient.
    #[schemars(length(max = 320))]
    pub to: String,
}

/// A test mail that Postmark took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TestMail {
    /// The server.
    #[schemars(with = "OfServer")]
    pub server: ServerId,
    /// Postmark's id of the message: what happens to it is told under `messages/{message_id}`.
    pub message_id: String,
    /// When Postmark took it.
    pub sent_at: Timestamp,
}

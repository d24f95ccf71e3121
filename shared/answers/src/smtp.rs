//! SMTP of a server's streams: which pair of keys is kept for each, and what came of trying it.

use crate::named::{ServerId as OfServer, StreamId};
use crate::words::{Listable, words_of};
use crate::{Actor, Timestamp, Word};
use ledger::ServerId;
use ledger::policy::StreamKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What came of logging in by SMTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmtpResult {
    /// The pair logs in.
    Accepted,
    /// The pair is wrong, or was revoked.
    WrongPair,
    /// SMTP is switched off for the server.
    SwitchedOff,
    /// TLS is not offered, or its certificate is not good.
    TlsRefused,
    /// Nothing answers.
    Unreachable,
    /// It was answered too late.
    TimedOut,
    /// Another answer.
    Other,
}

impl Listable for SmtpResult {
    const NAME: Option<&'static str> = Some("SmtpResult");
    const DESCRIPTION: &'static str = "What came of logging in by SMTP. `accepted`: the pair of keys logs in. `wrong_pair`: it is wrong, or was revoked. `switched_off`: SMTP is switched off for the server at Postmark. `tls_refused`: TLS was not offered, or its certificate was not good. `unreachable`: nothing answered, often because a port is blocked. `timed_out`: the answer took too long. `other`: another answer; its code is beside it.";

    fn words() -> Vec<&'static str> {
        words_of::<SmtpResult>()
    }
}

/// A try to log in by SMTP with a pair of keys, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SmtpCheck {
    /// When it was tried.
    pub at: Timestamp,
    /// What came of it.
    pub result: Word<SmtpResult>,
    /// The code of the answer, if the result is `other` and there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
}

/// The pair of keys that is stored for a stream. The secret key is in no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SmtpKept {
    /// The user name: the access key. Absent if the server's API token is both user name and password, because it is a
    /// secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Since when it is stored.
    pub since: Timestamp,
    /// Who stored it.
    pub by: Actor,
    /// When it was last checked, and with which result.
    pub checked: SmtpCheck,
    /// The last check of the pair before this one. It is stored until a check finds it to be wrong
    /// while the new pair logs in, that is, until it is revoked at Postmark. Absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<SmtpCheck>,
    /// When a test mail was last sent with it, or may have been. Absent if none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tested_at: Option<Timestamp>,
    /// The tag of that test mail, and of no other one: its events have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_tag: Option<String>,
}

/// How a program sends mail on a stream by SMTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SmtpStream {
    /// The stream.
    #[schemars(with = "StreamId")]
    pub stream: String,
    /// What the stream is for.
    pub kind: Word<StreamKind>,
    /// The host to connect to.
    pub host: String,
    /// The port, with STARTTLS.
    pub port: u16,
    /// The header that names the stream in each mail. Its value is the stream.
    pub stream_header: String,
    /// The pair that is stored. Absent if none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair: Option<SmtpKept>,
}

/// SMTP of a server, stream by stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SmtpStreams {
    /// The server.
    #[schemars(with = "OfServer")]
    pub server: ServerId,
    /// Its streams.
    pub streams: Vec<SmtpStream>,
}

/// A pair of keys for a stream.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SmtpPairRequest {
    /// The access key of the stream's SMTP token; or the server's API token.
    #[schemars(length(min = 1, max = 200))]
    pub access_key: String,
    /// The secret key of the SMTP token; or the server's API token again. No answer ever repeats it.
    #[schemars(length(min = 1, max = 200))]
    pub secret_key: String,
}

/// Where a test mail is from, and where it goes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SmtpTestRequest {
    /// A sender that is confirmed at Postmark, in ASCII.
    #[schemars(length(min = 3, max = 254))]
    pub from: String,
    /// The recipient, in ASCII.
    #[schemars(length(min = 3, max = 254))]
    pub to: String,
}

/// A test mail that Postmark has taken. Whether it is delivered, and on which stream, is told by its events: look for a
/// `Delivery` with this tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SmtpTested {
    /// The server.
    #[schemars(with = "OfServer")]
    pub server: ServerId,
    /// The stream that the mail names. If its events are on another one, the pair is another stream's.
    #[schemars(with = "StreamId")]
    pub stream: String,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// The tag of its events.
    pub tag: String,
}

/// A pair that is not stored any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SmtpRemoved {
    /// The server.
    #[schemars(with = "OfServer")]
    pub server: ServerId,
    /// The stream.
    #[schemars(with = "StreamId")]
    pub stream: String,
    /// Whether one was stored. At Postmark it opens the stream until it is revoked there.
    pub removed: bool,
}

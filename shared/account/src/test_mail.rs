//! One plain mail that is really sent by a server's token, so that what Postmark reports of it shows whether reports come
//! in.

use ledger::Time;
use postmark_api::{ApiError, ServerApi};
use serde_json::json;

/// What the mail says to whoever gets it.
const TEXT: &str = "This mail was sent to see whether Postmark's report about it arrives in Postledger. \
    You do not have to do anything.";

/// A mail that Postmark took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Postmark's id of the message.
    pub message_id: String,
    /// When Postmark took it, if it says so.
    pub at: Option<Time>,
}

/// Why there is no mail. It quotes no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TestMailError {
    /// Postmark refused, or did not answer.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// Postmark answered, and did not take it: its code.
    #[error("Postmark did not take the mail: code {0}")]
    NotTaken(i64),
}

/// Sends it, once.
///
/// # Errors
/// [`TestMailError`]; with [`ApiError::Uncertain`] and [`ApiError::NotUnderstood`] it may have been sent.
pub async fn send(api: &ServerApi, stream: &str, from: &str, to: &str) -> Result<Taken, TestMailError> {
    let mail = json!({
        "From": from,
        "To": to,
        "Subject": "Test mail of Postledger",
        "TextBody": TEXT,
        "MessageStream": stream,
        "TrackOpens": false,
        "TrackLinks": "None",
    });
    let told = api.send(&mail).await?;
    let code = told["ErrorCode"].as_i64().unwrap_or_default();
    match told["MessageID"].as_str() {
        _ if code != 0 => Err(TestMailError::NotTaken(code)),
        Some(id) => {
            let at = told["SubmittedAt"].as_str().and_then(|at| at.parse().ok());
            Ok(Taken { message_id: id.to_owned(), at })
        }
        // It says neither that the mail was taken nor that it was not.
        None => Err(ApiError::NotUnderstood("no MessageID, and no ErrorCode".to_owned()).into()),
    }
}

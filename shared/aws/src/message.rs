//! Putting a message on a queue of SQS: one call, made by hand, for whoever does nothing else there.

use crate::{Link, Service};
use platform::{CallFailed, FailureKind};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SendMessage<'a> {
    queue_url: &'a str,
    message_body: &'a str,
}

impl Link {
    /// Puts a message on the queue at a URL.
    ///
    /// # Errors
    /// Why it failed, however often it was tried.
    pub async fn send_message(&self, queue_url: &str, message_body: &str) -> Result<(), CallFailed> {
        let message = SendMessage { queue_url, message_body };
        let input = serde_json::to_vec(&message).map_err(|_| CallFailed::from(FailureKind::Invalid))?;
        self.json(Service::Sqs, "AmazonSQS.SendMessage", input).await.map(drop)
    }
}

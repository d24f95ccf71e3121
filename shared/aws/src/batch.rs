//! A batch of SQS as Lambda hands it on: whose message it is, who sent it, and which are to come again.

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsMessage};

/// Why a batch comes again as a whole.
pub const NO_ID: &str = "a message without an id, which no answer could name";

/// By what the queue knows a message.
pub fn id(message: &SqsMessage) -> Option<String> {
    message.message_id.clone().filter(|id| !id.is_empty())
}

/// The unique id of whoever sent a message, as SQS tells it.
pub fn sender(message: &SqsMessage) -> Option<&str> {
    message.attributes.get("SenderId").map(String::as_str)
}

/// That the messages of these ids come again, and no others.
pub fn response(again: Vec<String>) -> SqsBatchResponse {
    let failure = |id| {
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = id;
        failure
    };
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = again.into_iter().map(failure).collect();
    response
}

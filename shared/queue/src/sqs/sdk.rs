//! The rest of the queues over SQS, through its SDK: what commands and tests do.

use super::{SqsSender, Urls};
use crate::{Depth, Message, Queue, QueueError, QueueName, RECEIVE_MAX, Sender};
use async_trait::async_trait;
use aws::{Link, Service};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::operation::get_queue_url::GetQueueUrlError;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, MessageSystemAttributeName, QueueAttributeName};
use platform::{CallFailed, FailureKind};
use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

/// The queues over SQS.
pub struct Sqs {
    client: Client,
    sender: SqsSender,
}

impl Sqs {
    /// For queues of known URLs. It calls nothing yet.
    pub fn new(link: Link, urls: Urls) -> Sqs {
        Sqs { client: Client::new(&link.config(Service::Sqs)), sender: SqsSender::new(link, urls) }
    }

    /// For all queues of a stack, as [`urls_of_stack`](Self::urls_of_stack) finds them.
    pub async fn of_stack(link: Link, stack: &str) -> Result<Sqs, QueueError> {
        let urls = Sqs::urls_of_stack(&link, stack).await?;
        Ok(Sqs::new(link, urls))
    }

    /// Where all queues of a stack are, by their names: `us-prod-critical`, `us-prod-critical-dlq` and so on.
    pub async fn urls_of_stack(link: &Link, stack: &str) -> Result<Urls, QueueError> {
        let client = Client::new(&link.config(Service::Sqs));
        let mut urls = Urls::new();
        for name in QueueName::ALL {
            urls.insert(name, url_in_stack(&client, name, stack).await?);
        }
        Ok(urls)
    }

    /// Where a queue is.
    pub fn url(&self, of: QueueName) -> Result<&str, QueueError> {
        self.sender.url(of)
    }

    /// Creates the missing queues of a stack, for emulators and tests. The names
    /// of those that it made.
    pub async fn create(
        link: &Link,
        stack: &str,
        visibility: Duration,
        receives_max: u32,
    ) -> Result<Vec<String>, QueueError> {
        let client = Client::new(&link.config(Service::Sqs));
        let mut made = Vec::new();
        for live in QueueName::LIVE {
            let mut redrive = None;
            // The dead-letter queue first: the live one refers to it.
            for name in live.dead().into_iter().chain([live]) {
                let url = match url_in_stack(&client, name, stack).await {
                    Err(QueueError::NoSuchQueue(_)) => {
                        let size = crate::SQS_BYTES_MAX.to_string();
                        let mut make = client
                            .create_queue()
                            .queue_name(name.in_stack(stack))
                            .attributes(QueueAttributeName::MaximumMessageSize, size)
                            .attributes(
                                QueueAttributeName::VisibilityTimeout,
                                visibility.as_secs().to_string(),
                            );
                        if let Some(redrive) = redrive.take() {
                            make = make.attributes(QueueAttributeName::RedrivePolicy, redrive);
                        }
                        made.push(name.in_stack(stack));
                        make.send().await.map_err(failed)?.queue_url.ok_or_else(not_understood)?
                    }
                    known => known?,
                };
                let of = QueueAttributeName::QueueArn;
                let asked = client.get_queue_attributes().queue_url(url).attribute_names(of.clone());
                let arn = asked.send().await.map_err(failed)?.attributes.and_then(|mut all| all.remove(&of));
                redrive = arn.map(|arn| {
                    format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":{receives_max}}}"#)
                });
            }
        }
        Ok(made)
    }

    /// Ends the visibility timeout of a received message now.
    #[cfg(any(test, feature = "testing"))]
    pub async fn make_visible(&self, from: QueueName, receipt: &str) -> Result<(), QueueError> {
        let change = self.client.change_message_visibility().queue_url(self.url(from)?);
        change.receipt_handle(receipt).visibility_timeout(0).send().await.map(drop).map_err(failed)
    }
}

#[async_trait]
impl Sender for Sqs {
    async fn send(&self, to: QueueName, body: &str) -> Result<(), QueueError> {
        self.sender.send(to, body).await
    }
}

#[async_trait]
impl Queue for Sqs {
    async fn receive(&self, from: QueueName, max: usize) -> Result<Vec<Message>, QueueError> {
        let receives = MessageSystemAttributeName::ApproximateReceiveCount;
        let sender = MessageSystemAttributeName::SenderId;
        let received = self
            .client
            .receive_message()
            .queue_url(self.url(from)?)
            .max_number_of_messages(max.clamp(1, RECEIVE_MAX) as i32)
            .wait_time_seconds(0)
            .message_system_attribute_names(receives.clone())
            .message_system_attribute_names(sender.clone())
            .send()
            .await
            .map_err(failed)?;
        let message = |message: aws_sdk_sqs::types::Message| {
            let told = message.attributes.as_ref().and_then(|told| told.get(&receives));
            Some(Message {
                receives: told.and_then(|told| told.parse().ok()).unwrap_or(1),
                sender: message.attributes.as_ref().and_then(|told| told.get(&sender)).cloned(),
                id: message.message_id?,
                receipt: message.receipt_handle?,
                body: message.body.unwrap_or_default(),
            })
        };
        Ok(received.messages.unwrap_or_default().into_iter().filter_map(message).collect())
    }

    async fn delete(&self, from: QueueName, receipts: &[String]) -> Result<(), QueueError> {
        let url = self.url(from)?;
        let mut left = None;
        for ten in receipts.chunks(RECEIVE_MAX) {
            let mut delete = self.client.delete_message_batch().queue_url(url);
            for (place, receipt) in ten.iter().enumerate() {
                let entry = DeleteMessageBatchRequestEntry::builder()
                    .id(place.to_string())
                    .receipt_handle(receipt)
                    .build()
                    .map_err(|_| CallFailed::from(FailureKind::Invalid))?;
                delete = delete.entries(entry);
            }
            let deleted = delete.send().await.map_err(failed)?;
            // A receipt that is not valid any more has nothing to delete: its message was received again.
            let other = deleted.failed.into_iter().find(|entry| !entry.sender_fault);
            left = left.or(other.map(|entry| CallFailed::new(FailureKind::Fault).with_code(&entry.code)));
        }
        left.map_or(Ok(()), |failed| Err(failed.into()))
    }

    async fn depth(&self, of: QueueName) -> Result<Depth, QueueError> {
        let asked = self
            .client
            .get_queue_attributes()
            .queue_url(self.url(of)?)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
            .send()
            .await
            .map_err(failed)?;
        let told: HashMap<QueueAttributeName, String> = asked.attributes.unwrap_or_default();
        let number = |name: &QueueAttributeName| {
            told.get(name).and_then(|told| told.parse().ok()).ok_or_else(not_understood)
        };
        Ok(Depth {
            visible: number(&QueueAttributeName::ApproximateNumberOfMessages)?,
            in_flight: number(&QueueAttributeName::ApproximateNumberOfMessagesNotVisible)?,
        })
    }
}

/// The URL of a stack's queue.
async fn url_in_stack(client: &Client, name: QueueName, stack: &str) -> Result<String, QueueError> {
    let asked = client.get_queue_url().queue_name(name.in_stack(stack)).send().await;
    let url = asked.map_err(|error| match error.as_service_error() {
        Some(GetQueueUrlError::QueueDoesNotExist(_)) => QueueError::NoSuchQueue(name),
        _ => failed(error),
    })?;
    url.queue_url.ok_or_else(not_understood)
}

/// A failed call in the words of the port.
fn failed<E: ProvideErrorMetadata + Error + 'static>(error: SdkError<E>) -> QueueError {
    aws::of_sdk(&error).into()
}

/// An answer of 200 that lacks what SQS always tells.
fn not_understood() -> QueueError {
    CallFailed::new(FailureKind::Fault).into()
}

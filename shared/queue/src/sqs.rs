//! The queues over SQS. A function that only sends knows the queues that are consumed; a command knows all six.

use crate::{Depth, Message, Queue, QueueError, QueueName, RECEIVE_MAX, Sender, check_body};
use async_trait::async_trait;
use aws::{Limits, Link, Service};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_sdk_sqs::operation::get_queue_url::GetQueueUrlError;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, MessageSystemAttributeName, QueueAttributeName};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// How long calls may take: below any function's timeout.
pub const LIMITS: Limits =
    Limits { attempt: Duration::from_secs(2), operation: Duration::from_secs(6), attempts_max: 3 };
const _: () = assert!(aws::CONNECT_TIMEOUT.as_millis() < LIMITS.attempt.as_millis());
const _: () =
    assert!(LIMITS.attempt.as_millis() * LIMITS.attempts_max as u128 <= LIMITS.operation.as_millis());

/// The URLs of queues.
pub type Urls = BTreeMap<QueueName, String>;

/// The queues over SQS.
pub struct Sqs {
    client: Client,
    link: Link,
    urls: Urls,
}

impl Sqs {
    /// For queues of known URLs. It calls nothing yet.
    pub fn new(link: Link, urls: Urls) -> Sqs {
        Sqs { client: Client::new(&link.config(Service::Sqs)), link, urls }
    }

    /// For all queues of a stack, as [`urls_of_stack`](Self::urls_of_stack) finds them.
    ///
    /// # Errors
    /// [`QueueError::NoSuchQueue`], or the call's own.
    pub async fn of_stack(link: Link, stack: &str) -> Result<Sqs, QueueError> {
        let urls = Sqs::urls_of_stack(&link, stack).await?;
        Ok(Sqs::new(link, urls))
    }

    /// Where all queues of a stack are, by their names: `us-prod-critical`, `us-prod-critical-dlq` and so on.
    ///
    /// # Errors
    /// [`QueueError::NoSuchQueue`], or the call's own.
    pub async fn urls_of_stack(link: &Link, stack: &str) -> Result<Urls, QueueError> {
        let client = Client::new(&link.config(Service::Sqs));
        let mut urls = Urls::new();
        for name in QueueName::ALL {
            urls.insert(name, url_in_stack(&client, name, stack).await?);
        }
        Ok(urls)
    }

    /// Makes the queues of a stack that are not there: for emulators and tests. The names
    /// of those that it made.
    ///
    /// # Errors
    /// [`QueueError::Unavailable`].
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
                        make.send().await.map_err(unavailable)?.queue_url.ok_or(QueueError::Unavailable)?
                    }
                    known => known?,
                };
                let of = QueueAttributeName::QueueArn;
                let asked = client.get_queue_attributes().queue_url(url).attribute_names(of.clone());
                let arn =
                    asked.send().await.map_err(unavailable)?.attributes.and_then(|mut all| all.remove(&of));
                redrive = arn.map(|arn| {
                    format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":{receives_max}}}"#)
                });
            }
        }
        Ok(made)
    }

    /// Opens the connection that the first call will find open: see [`Link::warm`].
    ///
    /// # Errors
    /// [`QueueError::Unavailable`] if there is no answer in time; calls may still be tried.
    pub async fn warm(&self) -> Result<(), QueueError> {
        let endpoint = self.link.endpoint(Service::Sqs).map(str::to_owned);
        let place = Params::builder().region(self.link.region()).set_endpoint(endpoint);
        let place = place.build().map_err(unavailable)?;
        let endpoint =
            ResolveEndpoint::resolve_endpoint(&DefaultResolver::new(), &place).await.map_err(unavailable)?;
        self.link.warm(endpoint.url()).await.map_err(unavailable)
    }

    /// Ends the visibility timeout of a received message now.
    ///
    /// # Errors
    /// [`QueueError::Unavailable`].
    #[cfg(any(test, feature = "testing"))]
    pub async fn make_visible(&self, from: QueueName, receipt: &str) -> Result<(), QueueError> {
        let change = self.client.change_message_visibility().queue_url(self.url(from)?);
        change.receipt_handle(receipt).visibility_timeout(0).send().await.map(drop).map_err(unavailable)
    }

    fn url(&self, of: QueueName) -> Result<&str, QueueError> {
        self.urls.get(&of).map(String::as_str).ok_or(QueueError::NoSuchQueue(of))
    }
}

#[async_trait]
impl Sender for Sqs {
    async fn send(&self, to: QueueName, body: &str) -> Result<(), QueueError> {
        check_body(body)?;
        let sent = self.client.send_message().queue_url(self.url(to)?).message_body(body).send().await;
        sent.map(drop).map_err(unavailable)
    }
}

#[async_trait]
impl Queue for Sqs {
    async fn receive(&self, from: QueueName, max: usize) -> Result<Vec<Message>, QueueError> {
        let receives = MessageSystemAttributeName::ApproximateReceiveCount;
        let received = self
            .client
            .receive_message()
            .queue_url(self.url(from)?)
            .max_number_of_messages(max.clamp(1, RECEIVE_MAX) as i32)
            .wait_time_seconds(0)
            .message_system_attribute_names(receives.clone())
            .send()
            .await
            .map_err(unavailable)?;
        let message = |message: aws_sdk_sqs::types::Message| {
            let told = message.attributes.as_ref().and_then(|told| told.get(&receives));
            Some(Message {
                receives: told.and_then(|told| told.parse().ok()).unwrap_or(1),
                id: message.message_id?,
                receipt: message.receipt_handle?,
                body: message.body.unwrap_or_default(),
            })
        };
        Ok(received.messages.unwrap_or_default().into_iter().filter_map(message).collect())
    }

    async fn delete(&self, from: QueueName, receipts: &[String]) -> Result<(), QueueError> {
        let url = self.url(from)?;
        let mut failed = false;
        for ten in receipts.chunks(RECEIVE_MAX) {
            let mut delete = self.client.delete_message_batch().queue_url(url);
            for (place, receipt) in ten.iter().enumerate() {
                let entry = DeleteMessageBatchRequestEntry::builder()
                    .id(place.to_string())
                    .receipt_handle(receipt)
                    .build()
                    .map_err(unavailable)?;
                delete = delete.entries(entry);
            }
            let deleted = delete.send().await.map_err(unavailable)?;
            // A receipt that is not valid any more has nothing to delete: its message was received again.
            failed |= deleted.failed.iter().any(|entry| !entry.sender_fault);
        }
        if failed { Err(QueueError::Unavailable) } else { Ok(()) }
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
            .map_err(unavailable)?;
        let told: HashMap<QueueAttributeName, String> = asked.attributes.unwrap_or_default();
        let number = |name: &QueueAttributeName| {
            told.get(name).and_then(|told| told.parse().ok()).ok_or(QueueError::Unavailable)
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
        _ => QueueError::Unavailable,
    })?;
    url.queue_url.ok_or(QueueError::Unavailable)
}

/// Whatever went wrong: the caller can only come again. Not told further: an SDK's error may quote a request.
fn unavailable<E>(_: E) -> QueueError {
    QueueError::Unavailable
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SQS_BYTES_MAX;
    use axum::body::Bytes;
    use axum::http::{HeaderMap, Method, StatusCode};
    use axum::serve::ListenerExt as _;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    /// A stand-in for SQS: takes all sends, or refuses all.
    struct Fake {
        address: String,
        connections: Arc<AtomicUsize>,
        /// Queue URL and body of each send.
        sends: Arc<Mutex<Vec<(String, String)>>>,
    }

    async fn fake(status: StatusCode) -> Fake {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (connections, sends) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<_>>>::default());
        let (counted, taken) = (connections.clone(), sends.clone());
        let app =
            axum::Router::new().fallback(async move |method: Method, headers: HeaderMap, body: Bytes| {
                if method == Method::GET {
                    return (StatusCode::NOT_FOUND, "<UnknownOperationException/>");
                }
                assert_eq!(headers["x-amz-target"], "AmazonSQS.SendMessage");
                let read: serde_json::Value = serde_json::from_slice(&body).unwrap();
                let text = |name: &str| read[name].as_str().unwrap().to_owned();
                taken.lock().unwrap().push((text("QueueUrl"), text("MessageBody")));
                (status, r#"{"MessageId":"m1"}"#)
            });
        let listener = listener.tap_io(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Fake { address, connections, sends }
    }

    fn sqs(endpoint: &str) -> Sqs {
        let url = |name: QueueName| format!("https://sqs.eu-west-1.amazonaws.com/1/{}", name.name());
        let urls = QueueName::LIVE.map(|name| (name, url(name))).into();
        Sqs::new(Link::new(aws::Access::of_emulator(endpoint, "eu-west-1"), LIMITS), urls)
    }

    #[tokio::test]
    async fn each_live_queue_gets_what_is_sent_to_it() {
        let fake = fake(StatusCode::OK).await;
        let sqs = sqs(&fake.address);
        for name in QueueName::LIVE {
            sqs.send(name, &format!("to {}", name.name())).await.unwrap();
        }
        let sends = fake.sends.lock().unwrap().clone();
        let expected = QueueName::LIVE.map(|name| (sqs.url(name).unwrap().to_owned(), name.name()));
        assert_eq!(sends, expected.map(|(url, name)| (url, format!("to {name}"))));
    }

    #[tokio::test]
    async fn what_warm_opened_is_what_the_first_send_uses() {
        let fake = fake(StatusCode::OK).await;
        let sqs = sqs(&fake.address);
        sqs.warm().await.unwrap();
        assert_eq!((fake.connections.load(Ordering::Relaxed), fake.sends.lock().unwrap().len()), (1, 0));
        sqs.send(QueueName::Bulk, "one").await.unwrap();
        assert_eq!((fake.connections.load(Ordering::Relaxed), fake.sends.lock().unwrap().len()), (1, 1));
    }

    #[tokio::test]
    async fn a_refusal_is_tried_again_before_it_is_told() {
        let refusing = fake(StatusCode::INTERNAL_SERVER_ERROR).await;
        let told = sqs(&refusing.address).send(QueueName::Critical, "one").await;
        assert_eq!(told, Err(QueueError::Unavailable));
        assert_eq!(refusing.sends.lock().unwrap().len(), LIMITS.attempts_max as usize);
        let denying = fake(StatusCode::FORBIDDEN).await;
        let told = sqs(&denying.address).send(QueueName::Critical, "one").await;
        assert_eq!(told, Err(QueueError::Unavailable));
        assert_eq!(denying.sends.lock().unwrap().len(), 1, "a denial would not change");
    }

    #[tokio::test]
    async fn what_sqs_would_refuse_is_never_sent() {
        let fake = fake(StatusCode::OK).await;
        let sqs = sqs(&fake.address);
        assert_eq!(sqs.send(QueueName::Bulk, "").await, Err(QueueError::BadCharacter));
        assert_eq!(sqs.send(QueueName::Bulk, "\u{0}").await, Err(QueueError::BadCharacter));
        let large = "x".repeat(SQS_BYTES_MAX + 1);
        assert_eq!(sqs.send(QueueName::Bulk, &large).await, Err(QueueError::TooLarge));
        for dead in [QueueName::CriticalDead, QueueName::BulkDead, QueueName::QuarantineDead] {
            assert_eq!(sqs.send(dead, "one").await, Err(QueueError::NoSuchQueue(dead)));
        }
        assert_eq!(fake.connections.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_never_answers_is_given_up_in_time() {
        // Bound, so that connections open, but nobody reads them.
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sqs = sqs(&format!("http://{}", silent.local_addr().unwrap()));
        let start = tokio::time::Instant::now();
        assert_eq!(sqs.warm().await, Err(QueueError::Unavailable));
        assert!(start.elapsed() <= LIMITS.attempt + Duration::from_millis(10), "{:?}", start.elapsed());
        let start = tokio::time::Instant::now();
        assert_eq!(sqs.send(QueueName::Bulk, "one").await, Err(QueueError::Unavailable));
        assert!(start.elapsed() <= LIMITS.operation + Duration::from_millis(10), "{:?}", start.elapsed());
    }
}

//! The queues over SQS. A function that only sends knows the queues that are consumed, and makes its one call by
//! hand, which takes less CPU and half the binary. A command knows all six, through the SDK.

#[cfg(feature = "sqs")]
mod sdk;

#[cfg(feature = "sqs")]
pub use sdk::Sqs;

use crate::{QueueError, QueueName, Sender, check_body};
use async_trait::async_trait;
use aws::{Limits, Link, Opened, Service};
use platform::Config;
use platform::env::EnvError;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long calls may take: below any function's timeout.
pub const LIMITS: Limits = Limits {
    connect: Duration::from_secs(1),
    attempt: Duration::from_secs(2),
    operation: Duration::from_secs(6),
    attempts_max: 3,
};
const _: () = assert!(LIMITS.connect.as_millis() < LIMITS.attempt.as_millis());
const _: () =
    assert!(LIMITS.attempt.as_millis() * LIMITS.attempts_max as u128 <= LIMITS.operation.as_millis());

/// The URLs of queues.
pub type Urls = BTreeMap<QueueName, String>;

/// The URLs of the queues that a function declares.
pub fn configured_urls(config: &Config) -> Result<Urls, EnvError> {
    let declared = QueueName::ALL.into_iter().filter(|queue| config.declares(queue.variable()));
    declared.map(|queue| Ok((queue, config.required(queue.variable())?.to_owned()))).collect()
}

/// Sends to queues over SQS: all that the door does.
pub struct SqsSender {
    link: Link,
    urls: Urls,
}

impl SqsSender {
    /// For queues of known URLs. It calls nothing yet.
    pub fn new(link: Link, urls: Urls) -> SqsSender {
        SqsSender { link, urls }
    }

    /// Opens the connection that the first call will find open: see [`Link::warm`].
    ///
    /// # Errors
    /// [`QueueError::Failed`] if there is no answer in time; calls may still be tried.
    pub async fn warm(&self) -> Result<Opened, QueueError> {
        Ok(self.link.warm(&self.link.url(Service::Sqs)).await?)
    }

    /// Where a queue is.
    pub fn url(&self, of: QueueName) -> Result<&str, QueueError> {
        self.urls.get(&of).map(String::as_str).ok_or(QueueError::NoSuchQueue(of))
    }
}

#[async_trait]
impl Sender for SqsSender {
    async fn send(&self, to: QueueName, body: &str) -> Result<(), QueueError> {
        check_body(body)?;
        Ok(self.link.send_message(self.url(to)?, body).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SQS_BYTES_MAX;
    use axum::body::Bytes;
    use axum::http::header::CONNECTION;
    use axum::http::{HeaderMap, Method, StatusCode};
    use axum::serve::ListenerExt as _;
    use platform::{CallFailed, FailureKind};
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
        fake_that(status, false).await
    }

    /// A stub that, for any request that is not a send, says whether it closes the connection afterwards.
    async fn fake_that(status: StatusCode, closes: bool) -> Fake {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (connections, sends) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<_>>>::default());
        let (counted, taken) = (connections.clone(), sends.clone());
        let app =
            axum::Router::new().fallback(async move |method: Method, headers: HeaderMap, body: Bytes| {
                if method == Method::GET {
                    let connection = [(CONNECTION, if closes { "close" } else { "keep-alive" })];
                    return (StatusCode::NOT_FOUND, connection, "<UnknownOperationException/>");
                }
                assert_eq!(headers["x-amz-target"], "AmazonSQS.SendMessage");
                assert_eq!(headers["content-type"], "application/x-amz-json-1.0");
                let signed = headers["authorization"].to_str().unwrap();
                assert!(signed.contains("/eu-west-1/sqs/aws4_request"), "{signed}");
                let read: serde_json::Value = serde_json::from_slice(&body).unwrap();
                let text = |name: &str| read[name].as_str().unwrap().to_owned();
                taken.lock().unwrap().push((text("QueueUrl"), text("MessageBody")));
                (status, [(CONNECTION, "keep-alive")], r#"{"MessageId":"m1"}"#)
            });
        let listener = listener.tap_io(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Fake { address, connections, sends }
    }

    fn sqs(endpoint: &str) -> SqsSender {
        let url = |name: QueueName| format!("https://sqs.eu-west-1.amazonaws.com/1/{}", name.name());
        let urls = QueueName::LIVE.map(|name| (name, url(name))).into();
        SqsSender::new(Link::new(aws::Access::of_emulator(endpoint, "eu-west-1"), LIMITS), urls)
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
        assert_eq!(sqs.warm().await, Ok(Opened::Stays));
        assert_eq!((fake.connections.load(Ordering::Relaxed), fake.sends.lock().unwrap().len()), (1, 0));
        sqs.send(QueueName::Bulk, "one").await.unwrap();
        assert_eq!((fake.connections.load(Ordering::Relaxed), fake.sends.lock().unwrap().len()), (1, 1));
    }

    #[tokio::test]
    async fn a_connection_that_is_closed_after_warming_is_noticed_and_the_first_send_opens_another() {
        let fake = fake_that(StatusCode::OK, true).await;
        let sqs = sqs(&fake.address);
        assert_eq!(sqs.warm().await, Ok(Opened::Closed));
        assert_eq!(fake.connections.load(Ordering::Relaxed), 1, "it is not tried again");
        sqs.send(QueueName::Bulk, "one").await.unwrap();
        assert_eq!((fake.connections.load(Ordering::Relaxed), fake.sends.lock().unwrap().len()), (2, 1));
    }

    #[tokio::test]
    async fn a_refusal_is_tried_again_before_it_is_told() {
        let refusing = fake(StatusCode::INTERNAL_SERVER_ERROR).await;
        let told = sqs(&refusing.address).send(QueueName::Critical, "one").await;
        assert_eq!(told, Err(CallFailed::new(FailureKind::Fault).with_code("500").into()));
        assert_eq!(refusing.sends.lock().unwrap().len(), LIMITS.attempts_max as usize);
        let denying = fake(StatusCode::FORBIDDEN).await;
        let told = sqs(&denying.address).send(QueueName::Critical, "one").await;
        assert_eq!(told, Err(CallFailed::new(FailureKind::AccessDenied).with_code("403").into()));
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
        assert_eq!(sqs.warm().await, Err(CallFailed::new(FailureKind::Timeout).into()));
        assert!(start.elapsed() <= LIMITS.attempt + Duration::from_millis(10), "{:?}", start.elapsed());
        let start = tokio::time::Instant::now();
        assert_eq!(sqs.send(QueueName::Bulk, "one").await, Err(CallFailed::new(FailureKind::Timeout).into()));
        assert!(start.elapsed() <= LIMITS.operation + Duration::from_millis(10), "{:?}", start.elapsed());
    }
}

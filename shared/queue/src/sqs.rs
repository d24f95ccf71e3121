//! The queues over SQS, as a Lambda function sees them: credentials that are handed over, TLS over ring, and
//! limits under which the caller, not a function's timeout, answers. Absent: receiving.

use crate::{QueueError, QueueName, Sender, check_body};
use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_sdk_sqs::config::http::HttpRequest;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Config, Credentials, Region};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorSettings, SharedHttpConnector, http_client_fn,
};
use aws_smithy_types::byte_stream::ByteStream;
use std::time::Duration;

/// How long a connection may take to open.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long one attempt may take.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a call may take, all its attempts included; below any function's timeout.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(6);
/// How often a call is attempted.
pub const ATTEMPTS_MAX: u32 = 3;
/// The longest first pause between attempts, doubled for each further one: the SDK's own second would leave
/// the last attempt no time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

const _: () = assert!(CONNECT_TIMEOUT.as_millis() < ATTEMPT_TIMEOUT.as_millis());
const _: () = assert!(ATTEMPT_TIMEOUT.as_millis() * ATTEMPTS_MAX as u128 <= OPERATION_TIMEOUT.as_millis());

/// The URLs of the queues that are consumed.
#[derive(Clone, Debug)]
pub struct Urls {
    /// Of [`QueueName::Critical`].
    pub critical: String,
    /// Of [`QueueName::Bulk`].
    pub bulk: String,
    /// Of [`QueueName::Quarantine`].
    pub quarantine: String,
}

impl Urls {
    /// The URL of a queue; dead-letter queues have none here, nobody sends to them.
    fn of(&self, name: QueueName) -> Option<&str> {
        match name {
            QueueName::Critical => Some(&self.critical),
            QueueName::Bulk => Some(&self.bulk),
            QueueName::Quarantine => Some(&self.quarantine),
            QueueName::CriticalDead | QueueName::BulkDead | QueueName::QuarantineDead => None,
        }
    }
}

/// Where SQS is, and who calls. It is not `Debug`: it holds a secret.
#[derive(Clone)]
pub struct Access {
    /// The region.
    pub region: String,
    /// Where to call instead of the region's own endpoint.
    pub endpoint: Option<String>,
    /// The id of the access key.
    pub access_key_id: String,
    /// The access key.
    pub secret_access_key: String,
    /// The token of a role's session.
    pub session_token: Option<String>,
}

/// Sends over SQS.
pub struct Sqs {
    client: Client,
    urls: Urls,
    connector: SharedHttpConnector,
    region: String,
    endpoint: Option<String>,
}

impl Sqs {
    /// For queues, with access to them. It calls nothing yet.
    pub fn new(urls: Urls, access: Access) -> Sqs {
        // One connector, so that what `warm` opens is what calls find open. It has the connect timeout; the
        // client would hand its own to a connector that it makes for itself.
        let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
        let connector = SharedHttpConnector::new(
            Connector::builder()
                .connector_settings(settings)
                .tls_provider(Provider::Rustls(CryptoMode::Ring))
                .build(),
        );
        let credentials = Credentials::new(
            access.access_key_id,
            access.secret_access_key,
            access.session_token,
            None,
            "environment",
        );
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let retries =
            RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX).with_initial_backoff(FIRST_PAUSE);
        let shared = connector.clone();
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(access.region.clone()))
            .credentials_provider(credentials)
            .http_client(http_client_fn(move |_, _| shared.clone()))
            .timeout_config(timeouts)
            .retry_config(retries);
        config.set_endpoint_url(access.endpoint.clone());
        Sqs {
            client: Client::from_conf(config.build()),
            urls,
            connector,
            region: access.region,
            endpoint: access.endpoint,
        }
    }

    /// Opens the connection that the first call will find open, while a function starts, with all the CPU it
    /// has then. The request for it is unsigned: whatever it is answered, it needs no permission.
    ///
    /// # Errors
    /// [`QueueError::Unavailable`] if there is no answer in time; calls may still be tried.
    pub async fn warm(&self) -> Result<(), QueueError> {
        let place = Params::builder().region(&self.region).set_endpoint(self.endpoint.clone());
        let place = place.build().map_err(unavailable)?;
        let endpoint =
            ResolveEndpoint::resolve_endpoint(&DefaultResolver::new(), &place).await.map_err(unavailable)?;
        let request = HttpRequest::get(endpoint.url()).map_err(unavailable)?;
        let opened = async {
            let response = self.connector.call(request).await.map_err(unavailable)?;
            // Read to its end, so that the connection can be used again.
            ByteStream::new(response.into_body()).collect().await.map_err(unavailable)
        };
        tokio::time::timeout(ATTEMPT_TIMEOUT, opened).await.map_err(unavailable)?.map(drop)
    }
}

#[async_trait]
impl Sender for Sqs {
    async fn send(&self, to: QueueName, body: &str) -> Result<(), QueueError> {
        check_body(body)?;
        let url = self.urls.of(to).ok_or(QueueError::Unavailable)?;
        let sent = self.client.send_message().queue_url(url).message_body(body).send().await;
        sent.map(drop).map_err(unavailable)
    }
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
        let urls = Urls {
            critical: url(QueueName::Critical),
            bulk: url(QueueName::Bulk),
            quarantine: url(QueueName::Quarantine),
        };
        let access = Access {
            region: "eu-west-1".to_owned(),
            endpoint: Some(endpoint.to_owned()),
            access_key_id: "id".to_owned(),
            secret_access_key: "key".to_owned(),
            session_token: Some("token".to_owned()),
        };
        Sqs::new(urls, access)
    }

    #[tokio::test]
    async fn each_live_queue_gets_what_is_sent_to_it() {
        let fake = fake(StatusCode::OK).await;
        let sqs = sqs(&fake.address);
        for name in QueueName::LIVE {
            sqs.send(name, &format!("to {}", name.name())).await.unwrap();
        }
        let sends = fake.sends.lock().unwrap().clone();
        let expected = QueueName::LIVE.map(|name| (sqs.urls.of(name).unwrap().to_owned(), name.name()));
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
        assert_eq!(refusing.sends.lock().unwrap().len(), ATTEMPTS_MAX as usize);
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
            assert_eq!(sqs.send(dead, "one").await, Err(QueueError::Unavailable));
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
        assert!(start.elapsed() <= ATTEMPT_TIMEOUT + Duration::from_millis(10), "{:?}", start.elapsed());
        let start = tokio::time::Instant::now();
        assert_eq!(sqs.send(QueueName::Bulk, "one").await, Err(QueueError::Unavailable));
        assert!(start.elapsed() <= OPERATION_TIMEOUT + Duration::from_millis(10), "{:?}", start.elapsed());
    }
}

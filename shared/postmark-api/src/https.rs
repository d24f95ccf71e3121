//! [`Https`]: the transport over the network.

use crate::transport::{Chunks, Transport, TransportError};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt as _, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::ring;
use std::error::Error;
use std::time::Duration;

/// How long an unused connection is kept for the next call. A function that was frozen for longer opens a new one.
const POOL_IDLE: Duration = Duration::from_secs(20);

/// How long is waited for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a TCP connection.
    pub connect: Duration,
    /// For the next sign of life: from the request (TLS included) to the answer's head, and between two chunks of its
    /// body. An answer may take longer as long as it does not stand still.
    pub idle: Duration,
}

impl Default for Timeouts {
    /// 5 seconds, and 60 as most of Postmark's own clients wait.
    fn default() -> Timeouts {
        Timeouts { connect: Duration::from_secs(5), idle: Duration::from_secs(60) }
    }
}

/// HTTP/1.1 over TLS (ring, Mozilla's roots), and plain where a URL says `http`, as simulators' do.
pub struct Https {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    idle: Duration,
}

impl Https {
    /// A client with its own pool of connections.
    ///
    /// # Errors
    /// If TLS cannot be set up with ring.
    pub fn new(timeouts: Timeouts) -> Result<Https, TransportError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(timeouts.connect));
        let tls = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(ring::default_provider())
            .map_err(|error| TransportError::NotConnected(chain(&error)))?;
        let connector = tls.https_or_http().enable_http1().wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .build(connector);
        Ok(Https { client, idle: timeouts.idle })
    }
}

#[async_trait]
impl Transport for Https {
    async fn call(&self, request: http::Request<Bytes>) -> Result<http::Response<Chunks>, TransportError> {
        let idle = self.idle;
        let answer = tokio::time::timeout(idle, self.client.request(request.map(Full::new)));
        let answer = answer.await.map_err(|_| TransportError::TooSlow)?.map_err(|error| {
            if error.is_connect() {
                TransportError::NotConnected(chain(&error))
            } else {
                TransportError::Broken(chain(&error))
            }
        })?;
        Ok(answer.map(|body| -> Chunks {
            Box::pin(stream::try_unfold(body, move |mut body| async move {
                loop {
                    let frame = tokio::time::timeout(idle, body.frame());
                    match frame.await.map_err(|_| TransportError::TooSlow)? {
                        None => return Ok(None),
                        Some(Err(error)) => return Err(TransportError::Broken(chain(&error))),
                        Some(Ok(frame)) => {
                            if let Ok(data) = frame.into_data() {
                                return Ok(Some((data, body)));
                            }
                        }
                    }
                }
            }))
        }))
    }
}

/// An error with what it came from, once.
fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words.push_str(": ");
        words.push_str(&cause.to_string());
        source = cause.source();
    }
    words
}

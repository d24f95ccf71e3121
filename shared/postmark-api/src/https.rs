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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{AT_ONCE, TOKEN};
    use crate::{ApiError, Cause, Endpoint, Retries, ServerApi, SuppressionFilter, Token};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// What a connection does once it has read a request.
    #[derive(Clone, Copy)]
    enum Then {
        /// Says this and closes.
        Close(&'static str),
        /// Says this and nothing more.
        Hang(&'static str),
    }

    /// A server on loopback that treats each connection in the next given way, and the rest in the last way.
    struct Local {
        base: String,
        taken: Arc<AtomicUsize>,
    }

    async fn local(script: &'static [Then]) -> Local {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = taken.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let index = counted.fetch_add(1, Ordering::SeqCst).min(script.len() - 1);
                tokio::spawn(async move {
                    let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
                    while !seen.windows(4).any(|four| four == b"\r\n\r\n") {
                        match stream.read(&mut buffer).await {
                            Ok(read) if read > 0 => seen.extend_from_slice(&buffer[..read]),
                            _ => return,
                        }
                    }
                    match script[index] {
                        Then::Close(text) => stream.write_all(text.as_bytes()).await.unwrap(),
                        Then::Hang(text) => {
                            stream.write_all(text.as_bytes()).await.unwrap();
                            // Until the client has had enough.
                            let _ = stream.read(&mut buffer).await;
                        }
                    }
                });
            }
        });
        Local { base, taken }
    }

    impl Local {
        fn api(&self, attempts: u32) -> ServerApi {
            let timeouts = Timeouts { connect: Duration::from_secs(2), idle: Duration::from_millis(200) };
            Endpoint::new(Arc::new(Https::new(timeouts).unwrap()))
                .with_base(&self.base)
                .with_retries(Retries { attempts, ..AT_ONCE })
                .server(Token::new(TOKEN).unwrap())
        }

        fn taken(&self) -> usize {
            self.taken.load(Ordering::SeqCst)
        }
    }

    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\n{\"ID\":1}";
    const FAULT: &str = "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

    #[tokio::test]
    async fn silence_slowness_and_broken_answers_are_tried_again_and_counted() {
        let server = local(&[
            Then::Hang(""),
            Then::Hang("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{\"I"),
            Then::Close("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{\"I"),
            Then::Close(FAULT),
            Then::Close(OK),
        ])
        .await;
        assert_eq!(server.api(5).server().await.unwrap().id, 1);
        assert_eq!(server.taken(), 5);
    }

    #[tokio::test]
    async fn each_way_to_fail_has_its_own_words() {
        for (then, words) in [
            (Then::Hang(""), "no answer in time"),
            (Then::Hang("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{\"I"), "no answer in time"),
            (Then::Close("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{\"I"), "the connection broke"),
            (Then::Close("SSH-2.0-OpenSSH\r\n"), "the connection broke"),
        ] {
            let script: &'static [Then] = Vec::leak(vec![then]);
            let error = local(script).await.api(1).server().await.unwrap_err();
            assert!(matches!(error, ApiError::Unavailable(_)), "{error}");
            assert!(error.to_string().contains(words), "{error}");
            assert!(!error.to_string().contains(TOKEN));
        }
    }

    #[tokio::test]
    async fn a_send_that_got_no_answer_is_not_sent_again() {
        let server = local(&[Then::Hang("")]).await;
        let error = server.api(5).send(&serde_json::json!({})).await.unwrap_err();
        assert!(matches!(error, ApiError::Uncertain(Cause::Transport(TransportError::TooSlow))), "{error}");
        assert_eq!(server.taken(), 1);
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let elsewhere = local(&[Then::Close(OK)]).await;
        let redirect = format!(
            "HTTP/1.1 302 Found\r\nLocation: {}/server\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            elsewhere.base
        );
        let script: &'static [Then] = Vec::leak(vec![Then::Close(redirect.leak())]);
        let error = local(script).await.api(5).server().await.unwrap_err();
        assert!(matches!(error, ApiError::Refused { status: 302, .. }), "{error}");
        assert_eq!(elsewhere.taken(), 0);
    }

    #[tokio::test]
    async fn a_dump_comes_row_by_row_while_the_rest_is_still_on_its_way() {
        let server = local(&[Then::Hang(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2f\r\n\
             {\"Suppressions\":[{\"EmailAddress\":\"a@x.example\"}\r\n",
        )])
        .await;
        let mut dump = server.api(1).suppressions("outbound", SuppressionFilter::default()).await.unwrap();
        assert_eq!(dump.next().await.unwrap().unwrap().address, "a@x.example");
        let error = dump.next().await.unwrap_err();
        assert_eq!(error, ApiError::Unavailable(Cause::Transport(TransportError::TooSlow)));
    }

    #[tokio::test]
    async fn where_nobody_listens_no_connection_is_opened() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let nobody = Local { base, taken: Arc::default() };
        let error = nobody.api(2).send(&serde_json::json!({})).await.unwrap_err();
        let cause = Cause::Transport(TransportError::NotConnected(String::new()));
        let ApiError::Unavailable(found) = &error else { panic!("{error}") };
        assert_eq!(std::mem::discriminant(found), std::mem::discriminant(&cause), "{error}");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("https://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { while listener.accept().await.is_ok() {} });
        let without_tls = Local { base, taken: Arc::default() };
        let error = without_tls.api(1).server().await.unwrap_err();
        assert!(error.to_string().contains("no connection could be opened"), "no TLS there: {error}");
    }
}

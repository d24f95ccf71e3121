//! Postmark in this process: the simulator behind the port through which our client calls Postmark's API.
//!
//! What Postmark itself calls, probes and webhooks, goes to a [`Hooks`]: the embedded mode's doors, or whatever a test
//! puts before them.

use crate::SERVER;
use async_trait::async_trait;
use embedded::Stack;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, Request, Response};
use ingest::WebhookRequest;
use postmark_api::{Bytes, Chunks, Endpoint, Https, Retries, Timeouts, Transport, TransportError};
use postmark_simulator::{Answer, ApiBody, Handled, Simulator};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What answers requests that go out to endpoints.
#[async_trait]
pub trait Hooks: Send + Sync {
    /// What comes of a request.
    async fn answer(&self, request: &Request<Vec<u8>>) -> Answer;
}

/// A simulator that is shared, and what its probes go to.
#[derive(Clone)]
pub struct InProcess {
    simulator: Arc<Mutex<Simulator>>,
    hooks: Arc<dyn Hooks>,
}

impl InProcess {
    /// A simulator, whose probes go to `hooks`.
    pub fn new(simulator: Arc<Mutex<Simulator>>, hooks: Arc<dyn Hooks>) -> InProcess {
        InProcess { simulator, hooks }
    }

    fn lock(&self) -> MutexGuard<'_, Simulator> {
        self.simulator.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Transport for InProcess {
    async fn call(&self, request: Request<Bytes>) -> Result<Response<Chunks>, TransportError> {
        let mut handled = self.lock().api(request.map(|body| body.to_vec()));
        let answer: Response<ApiBody> = loop {
            match handled {
                Handled::Answer(answer) => break answer,
                Handled::Probing(round) => {
                    let mut answers = Vec::with_capacity(round.probes.len());
                    for probe in &round.probes {
                        answers.push(self.hooks.answer(&probe.request).await);
                    }
                    handled = self.lock().probed(round, answers);
                }
            }
        };
        Ok(answer.map(|body| Box::pin(stream::iter(body.map(Ok))) as Chunks))
    }
}

/// What a real process answers, over HTTP.
pub struct OverHttp(Https);

impl OverHttp {
    /// Without a process yet: it is found by the URL of each request.
    ///
    /// # Panics
    /// Where TLS cannot be set up.
    pub fn new() -> OverHttp {
        OverHttp(Https::new(Timeouts::default()).expect("TLS"))
    }
}

impl Default for OverHttp {
    fn default() -> OverHttp {
        OverHttp::new()
    }
}

#[async_trait]
impl Hooks for OverHttp {
    async fn answer(&self, request: &Request<Vec<u8>>) -> Answer {
        match self.0.call(request.clone().map(Bytes::from)).await {
            Ok(answer) => Answer::of(&answer.into_parts().0, 50),
            Err(TransportError::TooSlow) => Answer::Timeout,
            Err(_) => Answer::ConnectFailed,
        }
    }
}

/// Serves a Postmark over HTTP, for as long as the process lives: its base URL.
///
/// # Panics
/// Where there is no port.
pub fn serve(postmark: InProcess) -> String {
    let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.set_nonblocking(true).expect("a listener");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let app = axum::Router::new().fallback(async move |request: axum::extract::Request| {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
        let answer = postmark.call(Request::from_parts(parts, body)).await.expect("it answers always");
        answer.map(|chunks| {
            axum::body::Body::from_stream(chunks.map(|chunk| chunk.map_err(std::io::Error::other)))
        })
    });
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            axum::serve(listener, app).await
        })
    });
    base
}

/// Postmark as nobody answers there.
struct Unreached;

#[async_trait]
impl Transport for Unreached {
    async fn call(&self, _: Request<Bytes>) -> Result<Response<Chunks>, TransportError> {
        Err(TransportError::NotConnected("there is no Postmark here".to_owned()))
    }
}

/// Postmark where a test has none: it does not answer, at once.
pub fn unreached() -> Endpoint {
    let once = Retries { attempts: 1, first_pause: Duration::ZERO, most_pause: Duration::ZERO };
    Endpoint::new(Arc::new(Unreached)).with_retries(once)
}

/// The token that [`owner`] knows.
pub const OWNERS_TOKEN: &str = "00000000-0000-0000-0000-000000000000";

/// Postmark as it knows one token, which is [`SERVER`]'s, tells whose a token is and its streams, takes mails, and knows
/// of every message that is asked about.
struct Owner;

#[async_trait]
impl Transport for Owner {
    async fn call(&self, request: Request<Bytes>) -> Result<Response<Chunks>, TransportError> {
        let told = match request.uri().path() {
            "/server" => format!(r#"{{"ID":{SERVER},"Name":"Shop"}}"#),
            "/message-streams" => {
                r#"{"MessageStreams":[{"ID":"outbound","MessageStreamType":"Transactional"}]}"#.to_owned()
            }
            "/messages/outbound" => r#"{"TotalCount":0,"Messages":[]}"#.to_owned(),
            "/messages/inbound" => r#"{"TotalCount":0,"InboundMessages":[]}"#.to_owned(),
            path if path.starts_with("/messages/outbound/") => {
                let id = path.split('/').nth(3).unwrap_or_default();
                format!(
                    r#"{{"MessageID":"{id}","ReceivedAt":"2026-09-20T08:00:00Z","MessageStream":"outbound","Status":"Sent"}}"#
                )
            }
            "/email" => {
                let (id, at) = ("883953f4-6105-42a2-a16a-77a8eac79484", "2026-09-20T08:00:00Z");
                format!(r#"{{"ErrorCode":0,"Message":"OK","MessageID":"{id}","SubmittedAt":"{at}"}}"#)
            }
            _ => return Unreached.call(request).await,
        };
        let (status, body) = match request.headers().get("X-Postmark-Server-Token") {
            Some(token) if token.as_bytes() == OWNERS_TOKEN.as_bytes() => (200, told),
            _ => (401, r#"{"ErrorCode":10,"Message":"The server token is missing or invalid."}"#.to_owned()),
        };
        let body: Chunks = Box::pin(stream::iter([Ok(Bytes::from(body))]));
        Ok(Response::builder().status(status).body(body).expect("an answer"))
    }
}

/// Postmark where a test has none, but for whose a token is, streams, and mails.
pub fn owner() -> Endpoint {
    let once = Retries { attempts: 1, first_pause: Duration::ZERO, most_pause: Duration::ZERO };
    Endpoint::new(Arc::new(Owner)).with_retries(once)
}

/// Endpoints as what calls them over HTTP sees them: how `connect` asks our own doors.
pub struct Caller(pub Arc<dyn Hooks>);

#[async_trait]
impl Transport for Caller {
    async fn call(&self, request: Request<Bytes>) -> Result<Response<Chunks>, TransportError> {
        match self.0.answer(&request.map(|body| body.to_vec())).await {
            Answer::Status { code, .. } => {
                let status = Response::builder().status(code);
                let none: Chunks = Box::pin(stream::empty());
                status.body(none).map_err(|error| TransportError::Broken(error.to_string()))
            }
            Answer::Timeout => Err(TransportError::TooSlow),
            Answer::ConnectFailed => Err(TransportError::NotConnected("refused".to_owned())),
        }
    }
}

/// How the doors of a stack answer a request, as API Gateway would bring it.
pub async fn deliver(stack: &Stack, request: &Request<Vec<u8>>) -> ingest::Answer {
    let (path, headers): (&str, &HeaderMap) = (request.uri().path(), request.headers());
    let webhook =
        WebhookRequest { method: request.method(), path, headers, body: request.body(), source_ip: None };
    stack.door(path).answer(webhook).await
}

/// An answer of our doors as Postmark sees it.
pub fn seen(answer: ingest::Answer, millis: u32) -> Answer {
    let (parts, _) = answer.response::<String>().into_parts();
    Answer::of(&parts, millis)
}

#[async_trait]
impl Hooks for Stack {
    async fn answer(&self, request: &Request<Vec<u8>>) -> Answer {
        seen(deliver(self, request).await, 50)
    }
}

//! What this crate's tests stand on: the API over tables and queues in memory, and a clock that stands still until it
//! is moved.

use crate::lists::Lists;
use crate::recording::{decided, record};
use crate::scope::{Caller, Parts, Portal};
use crate::token::{New, Role, Token};
use crate::{Api, call::Call};
use account::{Connecting, MemoryVault, Streams, Vault as _};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use ledger::canonical::digest;
use ledger::event::What;
use ledger::identity::IdentityParts;
use ledger::policy::SoftBouncePolicy;
use ledger::{Event, Identity, LedgerKey, ServerId, Source, Time, recipient_key};
use people::{Brand, MemoryOutbox};
use postmark::Context;
use postmark_api::{Bytes, Chunks, Endpoint, MemorySmtp, Retries, Transport, TransportError};
use queue::Queue;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use store::prelude::*;
use store::{ACTIONS_MAX, Action, Memory, Recorded};

/// The server that tests ask about.
pub(crate) const SERVER: i64 = 8_123_456;

struct Nobody;

#[async_trait::async_trait]
impl Transport for Nobody {
    async fn call(&self, _: Request<Bytes>) -> Result<Response<Chunks>, TransportError> {
        Err(TransportError::NotConnected("there is no Postmark here".to_owned()))
    }
}

/// A Postmark that tells whose server a token opens, by how the token begins: `other` another one's, `refused` none, `silent`
/// gets no answer and `odd` one that nobody understands; any other one opens [`SERVER`], where SMTP is switched off for `off`.
/// It has two streams, and takes mails, but not to somebody who is `inactive`; and where the token is `broken`, its answer is.
struct Owner;

#[async_trait::async_trait]
impl Transport for Owner {
    async fn call(&self, request: Request<Bytes>) -> Result<Response<Chunks>, TransportError> {
        let token = request.headers()["X-Postmark-Server-Token"].to_str().unwrap().to_owned();
        let (status, body) = match token.split('-').next().unwrap() {
            "silent" => return Err(TransportError::NotConnected("there is no Postmark here".to_owned())),
            "broken" => return Err(TransportError::Broken("cut off".to_owned())),
            "inactive" => (
                422,
                json!({ "ErrorCode": 406, "Message": "Found inactive addresses: ida@customer.example" }),
            ),
            "refused" => {
                (401, json!({ "ErrorCode": 10, "Message": "The server token is missing or invalid." }))
            }
            "odd" => (200, json!([])),
            "taken" => (200, json!({ "Message": "OK" })),
            _ if request.uri().path() == "/message-streams" => {
                let streams = [("outbound", "Transactional"), ("news", "Broadcasts"), ("inbound", "Inbound")];
                let streams = streams.map(|(id, kind)| json!({ "ID": id, "MessageStreamType": kind }));
                (200, json!({ "MessageStreams": streams }))
            }
            _ if request.uri().path() == "/email" => {
                let (id, at) = ("7dc0521c-a785-4c7b-b689-000000000001", "2026-11-25T06:59:00.5-05:00");
                (200, json!({ "ErrorCode": 0, "Message": "OK", "MessageID": id, "SubmittedAt": at }))
            }
            "off" => (200, json!({ "ID": SERVER, "Name": "Shop", "SmtpApiActivated": false })),
            "other" => (200, json!({ "ID": SERVER + 1, "Name": "Other" })),
            _ => (200, json!({ "ID": SERVER, "Name": "Shop" })),
        };
        let body: Chunks = Box::pin(futures_util::stream::iter([Ok(Bytes::from(body.to_string()))]));
        Ok(Response::builder().status(status).body(body).unwrap())
    }
}

/// A Postmark that tells whose server a token opens.
pub(crate) fn owner() -> Arc<dyn Transport> {
    Arc::new(Owner)
}

/// The API, and what it stands on.
pub(crate) struct Bench {
    pub(crate) api: Api,
    pub(crate) store: Arc<Memory>,
    pub(crate) queue: Arc<queue::Memory>,
    pub(crate) vault: Arc<MemoryVault>,
    pub(crate) outbox: Arc<MemoryOutbox>,
    pub(crate) smtp: Arc<MemorySmtp>,
    /// By how many seconds the clock was moved.
    moved: Arc<AtomicI64>,
}

/// Where no Postmark is.
pub(crate) fn nobody() -> Arc<dyn Transport> {
    Arc::new(Nobody)
}

impl Default for Bench {
    fn default() -> Bench {
        Bench::beside(Memory::default(), nobody())
    }
}

impl Bench {
    /// Over these tables, beside a Postmark that is reached so.
    pub(crate) fn beside(store: Memory, transport: Arc<dyn Transport>) -> Bench {
        Bench::with(store, transport, |queue| queue)
    }

    /// With something before its queues.
    pub(crate) fn with(
        store: Memory,
        transport: Arc<dyn Transport>,
        before: impl FnOnce(Arc<queue::Memory>) -> Arc<dyn Queue>,
    ) -> Bench {
        Bench::of(store, transport, before, None)
    }

    /// With what sets up webhooks, if something does.
    pub(crate) fn connecting(connecting: Option<Arc<dyn Connecting>>) -> Bench {
        Bench::of(Memory::default(), nobody(), |queue| queue, connecting)
    }

    fn of(
        store: Memory,
        transport: Arc<dyn Transport>,
        before: impl FnOnce(Arc<queue::Memory>) -> Arc<dyn Queue>,
        connecting: Option<Arc<dyn Connecting>>,
    ) -> Bench {
        let (store, queue) = (Arc::new(store), Arc::new(queue::Memory::default()));
        let moved = Arc::new(AtomicI64::default());
        let clock = moved.clone();
        let vault = Arc::new(MemoryVault::default());
        let outbox = Arc::new(MemoryOutbox::default());
        let once = Retries { attempts: 1, first_pause: Duration::ZERO, most_pause: Duration::ZERO };
        let smtp = Arc::new(MemorySmtp::default());
        let postmark = Endpoint::new(transport).with_retries(once).with_smtp(smtp.clone());
        let api = Api::new(Parts {
            store: store.clone(),
            queue: before(queue.clone()),
            vault: vault.clone(),
            streams: Streams::new(vault.clone(), postmark.clone()),
            postmark,
            ledger_key: LedgerKey::for_tests(),
            policy: SoftBouncePolicy::default(),
            clock: Arc::new(move || now().plus_seconds(clock.load(Ordering::Relaxed))),
            portal: Some(Portal {
                url: "https://portal.example".to_owned(),
                outbox: outbox.clone(),
                brand: Brand::default(),
            }),
            connecting,
        });
        Bench { api, store, queue, vault, outbox, smtp, moved }
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, seconds: i64) {
        self.moved.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Before queues of which so many sends go well.
    pub(crate) fn with_sends(most: i64) -> Bench {
        let left = AtomicI64::new(most);
        let plan = faults::Plan::new(move |call| match call {
            "send" if left.fetch_sub(1, Ordering::Relaxed) <= 0 => faults::Fault::Refuse,
            _ => faults::Fault::None,
        });
        let before = |queue: Arc<queue::Memory>| Arc::new(queue::Faulty::new(queue, plan)) as Arc<dyn Queue>;
        Bench::with(Memory::default(), Arc::new(Nobody), before)
    }

    /// Records a body as if it had come in by its source: see [`recording::record`].
    pub(crate) async fn record(&self, server: i64, body: Value, source: Source) -> Event {
        let server = ServerId::new(server).unwrap();
        let received_at = now().plus_seconds(self.moved.load(Ordering::Relaxed));
        let context = Context { server, received_at, source, keep_engagement_detail: false };
        record(&*self.store, &context, &body, None).await
    }

    /// Records events as they are; no view is folded of them.
    pub(crate) async fn keep(&self, events: &[Recorded]) {
        let streams: BTreeSet<_> =
            events.iter().map(|one| (one.event.server, one.event.stream.as_str())).collect();
        for (server, stream) in streams {
            self.store.note_stream(server, stream).await.unwrap();
        }
        for some in events.chunks(ACTIONS_MAX) {
            self.store.commit(&some.iter().cloned().map(Action::Record).collect::<Vec<_>>()).await.unwrap();
        }
    }

    /// Beside suppression lists at Postmark, with a token for them.
    pub(crate) async fn with_lists() -> (Bench, Arc<Lists>) {
        let lists = Arc::new(Lists::default());
        let bench = Bench::beside(Memory::default(), lists.clone());
        let token = postmark_api::Token::new("5ecret-t0ken").unwrap();
        bench.vault.put(ServerId::new(SERVER).unwrap(), &token).await.unwrap();
        (bench, lists)
    }

    /// Takes the decisions that are on their way off the queue: their bodies.
    pub(crate) async fn decided(&self) -> Vec<Value> {
        decided(&*self.queue).await
    }

    /// Records the decisions that are on their way.
    pub(crate) async fn settle(&self) -> Vec<Value> {
        let bodies = self.decided().await;
        for body in &bodies {
            self.record(SERVER, body.clone(), ledger::Source::Operator).await;
        }
        bodies
    }

    /// A token of a role for these servers.
    pub(crate) async fn token(&self, role: Role, servers: Option<&[i64]>, reveal_addresses: bool) -> String {
        let servers: Option<BTreeSet<ServerId>> =
            servers.map(|servers| servers.iter().map(|server| ServerId::new(*server).unwrap()).collect());
        let new = New {
            name: "test".to_owned(),
            role,
            servers,
            reveal_addresses,
            read_content: false,
            expires_at: None,
            created_by: "test".to_owned(),
            parent: None,
        };
        let (token, text) = Token::make(new, now()).unwrap();
        token.keep(&*self.store).await.unwrap();
        text
    }

    /// Asks as whoever bears a token.
    pub(crate) async fn ask(&self, token: &str, method: Method, target: &str, body: &[u8]) -> Answered {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let call = Call { method: &method, path, query, headers: &headers, body };
        Answered(self.api.answer(&call).await)
    }

    /// Asks as the operator; `target` is a path below the server's, with its query.
    pub(crate) async fn get(&self, target: &str) -> Answered {
        self.call(Method::GET, target, &[]).await
    }

    /// Tells, as the operator.
    pub(crate) async fn post(&self, target: &str, body: Value) -> Answered {
        self.call(Method::POST, target, body.to_string().as_bytes()).await
    }

    pub(crate) async fn call(&self, method: Method, target: &str, body: &[u8]) -> Answered {
        self.call_with(method, target, &[], body).await
    }

    /// With headers.
    pub(crate) async fn call_with(
        &self,
        method: Method,
        target: &str,
        headers: &[(HeaderName, &'static str)],
        body: &[u8],
    ) -> Answered {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        self.call_parted(method, path, query, headers, body).await
    }

    /// A path that may have a question mark in it, as a server hands it on that decodes it whole.
    pub(crate) async fn whole(&self, path: &str, query: &str) -> Answered {
        self.call_parted(Method::GET, path, query, &[], &[]).await
    }

    async fn call_parted(
        &self,
        method: Method,
        path: &str,
        query: &str,
        headers: &[(HeaderName, &'static str)],
        body: &[u8],
    ) -> Answered {
        let who = account::audit::Who { kind: account::audit::WhoKind::Local, name: "test".to_owned() };
        let path = format!("/v1/servers/{SERVER}/{path}");
        let header =
            |(name, value): &(HeaderName, &'static str)| (name.clone(), HeaderValue::from_static(value));
        let headers: HeaderMap = headers.iter().map(header).collect();
        let call = Call { method: &method, path: &path, query, headers: &headers, body };
        Answered(self.api.answer_to(Caller::operator(who), &call).await)
    }
}

/// An event of this server's, told apart by a number, with an empty body.
pub(crate) fn recorded(n: u64, address: &str, stream: &str, at: Time, what: What) -> Recorded {
    let server = ServerId::new(SERVER).unwrap();
    let recipient = LedgerKey::for_tests().recipient_id(server, &recipient_key(address));
    let event = Event {
        server,
        stream: stream.to_owned(),
        recipient,
        address: Some(address.to_owned()),
        identity: Identity::of(server, recipient, at, &IdentityParts::Decision { id: &n.to_string() }),
        at,
        message_id: None,
        what,
        source: Source::Webhook,
        received_at: now(),
        body_hash: digest(&n.to_be_bytes()),
    };
    Recorded { event, body: Some("{}".to_owned()), dropped: Vec::new(), expires_at: None }
}

/// What is answered.
pub(crate) struct Answered(pub(crate) Response<Vec<u8>>);

impl Answered {
    pub(crate) fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(self.0.body()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(self.0.body()).unwrap()
    }
}

/// What time it is: after all that tests record.
pub(crate) fn now() -> Time {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

//! What this crate's tests stand on: the API over tables and queues in memory, and a clock that stands still until it
//! is moved.

use crate::scope::{Caller, Parts};
use crate::token::{New, Role, Token};
use crate::{Api, call::Call};
use account::MemoryVault;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use ledger::fold::EventSet;
use ledger::policy::SoftBouncePolicy;
use ledger::{LedgerKey, ServerId, Time};
use postmark::Context;
use postmark_api::{Bytes, Chunks, Endpoint, Retries, Transport, TransportError};
use queue::{Envelope, Queue, QueueName};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use store::{Action, Memory, Recorded, Seen, Store as _};

/// The server that tests ask about.
pub(crate) const SERVER: i64 = 8_123_456;

struct Nobody;

#[async_trait::async_trait]
impl Transport for Nobody {
    async fn call(&self, _: Request<Bytes>) -> Result<Response<Chunks>, TransportError> {
        Err(TransportError::NotConnected("there is no Postmark here".to_owned()))
    }
}

/// The API, and what it stands on.
pub(crate) struct Bench {
    pub(crate) api: Api,
    pub(crate) store: Arc<Memory>,
    pub(crate) queue: Arc<queue::Memory>,
    pub(crate) vault: Arc<MemoryVault>,
    /// By how many seconds the clock was moved.
    moved: Arc<AtomicI64>,
}

impl Default for Bench {
    fn default() -> Bench {
        Bench::beside(Memory::default(), Arc::new(Nobody))
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
        let (store, queue) = (Arc::new(store), Arc::new(queue::Memory::default()));
        let moved = Arc::new(AtomicI64::default());
        let clock = moved.clone();
        let vault = Arc::new(MemoryVault::default());
        let once = Retries { attempts: 1, first_pause: Duration::ZERO, most_pause: Duration::ZERO };
        let api = Api::new(Parts {
            store: store.clone(),
            queue: before(queue.clone()),
            vault: vault.clone(),
            postmark: Endpoint::new(transport).with_retries(once),
            ledger_key: LedgerKey::for_tests(),
            policy: SoftBouncePolicy::default(),
            clock: Arc::new(move || now().plus_seconds(clock.load(Ordering::Relaxed))),
        });
        Bench { api, store, queue, vault, moved }
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

    /// Records what stands on the critical queue, and empties it; how many there were.
    pub(crate) async fn settle(&self) -> usize {
        let mut settled = 0;
        loop {
            let messages = self.queue.receive(QueueName::Critical, queue::RECEIVE_MAX).await.unwrap();
            if messages.is_empty() {
                return settled;
            }
            for message in messages {
                let told = Envelope::decode(&message.body).unwrap();
                let body = serde_json::from_str(told.body.get()).unwrap();
                self.record(told.server.get(), body, told.source).await;
                self.queue.delete(QueueName::Critical, &[message.receipt]).await.unwrap();
                settled += 1;
            }
        }
    }

    /// Records a body as if it had come in by its source, unless as good a copy is there, and folds the view anew. The
    /// event.
    pub(crate) async fn record(&self, server: i64, body: Value, source: ledger::Source) -> ledger::Event {
        let server = ServerId::new(server).unwrap();
        let received_at = now().plus_seconds(self.moved.load(Ordering::Relaxed));
        let context = Context { server, received_at, source, keep_engagement_detail: false };
        let examined = postmark::examine(body.to_string().as_bytes(), &context).unwrap();
        let event = examined.event(&context, &LedgerKey::for_tests()).unwrap();
        self.store.note_stream(server, &event.stream).await.unwrap();
        let before = self.store.state_events(server, event.recipient).await.unwrap();
        let set = |events: &[Recorded]| events.iter().map(|one| one.event.clone()).collect::<EventSet>();
        let view = set(&before).view();
        let read = view.as_ref().map(|view| view.folded);
        let new = Recorded {
            event: event.clone(),
            body: Some(examined.canonical),
            dropped: examined.dropped,
            expires_at: None,
        };
        let copy = self.store.event(server, event.recipient, event.class(), event.identity).await.unwrap();
        let mut actions = match copy.map(|copy| copy.event) {
            None => vec![Action::Record(new.clone())],
            Some(copy) if event.rank() < copy.rank() => vec![Action::Replace(new.clone(), Seen::from(&copy))],
            Some(_) => return event,
        };
        let mut after = before;
        after.push(new);
        if event.class() == ledger::Class::State
            && let (gone, Some(view)) = (view, set(&after).view())
        {
            for stream in gone.iter().flat_map(|gone| gone.rows().into_keys()) {
                if !view.rows().contains_key(stream) {
                    actions.push(Action::DeleteRow(server, event.recipient, stream.to_owned()));
                }
            }
            for (stream, row) in view.rows() {
                let address = view.address.clone();
                actions.push(Action::PutRow(server, event.recipient, stream.to_owned(), row, address));
            }
            actions.push(Action::PutView(view, read));
        }
        let counts = [(ledger::counters::Measure::of(&event.what), 1)].into();
        actions.push(Action::Count(ledger::counters::Hour::of(&event), 0, counts));
        self.store.commit(actions).await.unwrap();
        event
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
            expires_at: None,
            created_by: "test".to_owned(),
        };
        let (token, text) = Token::make(new, now()).unwrap();
        token.keep(&*self.store).await.unwrap();
        text
    }

    /// Asks as whoever bears a token.
    pub(crate) async fn ask(&self, token: &str, method: Method, target: &str, body: &[u8]) -> Told {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let call = Call { method: &method, path, query, headers: &headers, body };
        Told(self.api.answer(&call).await)
    }

    /// Asks as the operator; `target` is a path below the server's, with its query.
    pub(crate) async fn get(&self, target: &str) -> Told {
        self.call(Method::GET, target, &[]).await
    }

    /// Tells, as the operator.
    pub(crate) async fn post(&self, target: &str, body: Value) -> Told {
        self.call(Method::POST, target, body.to_string().as_bytes()).await
    }

    pub(crate) async fn call(&self, method: Method, target: &str, body: &[u8]) -> Told {
        self.call_with(method, target, &[], body).await
    }

    /// With headers.
    pub(crate) async fn call_with(
        &self,
        method: Method,
        target: &str,
        headers: &[(HeaderName, &'static str)],
        body: &[u8],
    ) -> Told {
        let who = account::audit::Who { kind: account::audit::WhoKind::Local, name: "test".to_owned() };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = format!("/v1/servers/{SERVER}/{path}");
        let header =
            |(name, value): &(HeaderName, &'static str)| (name.clone(), HeaderValue::from_static(value));
        let headers: HeaderMap = headers.iter().map(header).collect();
        let call = Call { method: &method, path: &path, query, headers: &headers, body };
        Told(self.api.answer_to(Caller::operator(who), &call).await)
    }
}

/// What is answered.
pub(crate) struct Told(pub(crate) Response<Vec<u8>>);

impl Told {
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

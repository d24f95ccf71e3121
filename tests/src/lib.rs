//! What the tests that cross crates stand on: a whole Postledger over memory queues and tables, real HTTP
//! before it, and faults wherever a test wants them.
//!
//! Invariant: the only crate that may see everything; nothing depends on it.

#![allow(missing_docs, reason = "tests say what they prove by their names")]

pub mod api_speed;
pub mod blast;
pub mod bodies;
pub mod clients;
pub mod command;
pub mod contention;
pub mod deployed;
pub mod disk_speed;
pub mod emf;
pub mod emulator;
pub mod fuzz_api;
pub mod generator;
pub mod heavy;
pub mod lambda;
pub mod meter;
pub mod open_metrics;
pub mod page_speed;
pub mod postmark;
pub mod process;
pub mod reconcile_memory;
pub mod sim;
pub mod soak;
pub mod soak_aws;
pub mod soak_disk;
pub mod template;
pub mod tls;
pub mod wire;

use crate::command::Folder;
use crate::postmark::owner;
use account::{MemoryVault, Registry, ServerEntry};
use api::scope::Portal;
use api::token::{New, Role, Token};
use consumer::{Consumer, Incoming};
use credential::{PrivateKey, User, basic};
use credential::{PublicKey, Verifier};
use embedded::{Limits, Parts, Socket, Stack, pump, server};
use http::{Request, Response};
use ledger::fold::{Reference, View};
use ledger::policy::StreamKind;
use ledger::{LedgerKey, ServerId, Time};
use people::{Access, Brand, MemoryOutbox, Standing};
use platform::Clock;
use postmark_api::MemorySmtp;
use queue::{Queue, QueueName};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use store::Store;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::Instant;

/// The stack that the tests' credentials are for.
pub const STACK: &str = "test";
/// The server of the fixtures.
pub const SERVER: i64 = 8_123_456;

/// The clock of a world: it stands still, after all events of the fixtures.
pub fn now() -> Time {
    "2026-10-01T00:00:00Z".parse().unwrap_or_default()
}

/// How many worlds there were: each has a folder of its own, which goes with it.
static WORLDS: AtomicUsize = AtomicUsize::new(0);

/// A clock that stands still.
pub fn clock() -> Clock {
    Arc::new(now)
}

/// The server of a number.
pub fn server_id(id: i64) -> ServerId {
    ServerId::new(id).unwrap_or(ServerId::NONE)
}

/// A whole Postledger, and the keys to its door.
pub struct World {
    runtime: Runtime,
    /// The stack.
    pub stack: Arc<Stack>,
    /// Its queues.
    pub queue: Arc<queue::Memory>,
    /// Its tables.
    pub store: Arc<store::Memory>,
    key: PrivateKey,
    served: Served,
    home: Folder,
}

/// A stack's two listeners.
pub struct Served {
    /// Where its doors and its read API listen.
    pub base: String,
    /// Where its operator's routes listen.
    pub socket: PathBuf,
}

impl Served {
    /// Serves a stack as long as the runtime lasts, to commands whose keys are in a folder.
    ///
    /// # Panics
    /// Where the machine has no port to give, or the folder cannot be written.
    pub fn new(runtime: &Runtime, stack: &Arc<Stack>, home: &Path) -> Served {
        let _inside = runtime.enter();
        let doors = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = doors.local_addr().expect("its address");
        let admin = Socket::bind(home, address.port()).expect("a socket");
        let socket = admin.path().to_owned();
        let limits = Limits::default();
        runtime.spawn(server::serve(stack.clone(), doors, limits, std::future::pending()));
        runtime.spawn(server::serve_admin(stack.clone(), admin, limits, std::future::pending()));
        Served { base: format!("http://{address}"), socket }
    }

    /// Lets commands that have another folder operate it too.
    ///
    /// # Panics
    /// Where the folder cannot be written.
    pub fn operated_from(&self, home: &Path) {
        let name = self.socket.file_name().expect("a name");
        std::os::unix::fs::symlink(&self.socket, home.join(name)).expect("a folder");
    }
}

impl Default for World {
    fn default() -> World {
        World::new(|queue| queue, |key| vec![key], &[])
    }
}

impl World {
    /// A world whose queues are wrapped, whose door has some public keys (its own is given), and which denies
    /// some users.
    ///
    /// # Panics
    /// Where the machine has no port, thread or random number to give.
    pub fn new(
        wrap: impl FnOnce(Arc<dyn Queue>) -> Arc<dyn Queue>,
        keys: impl FnOnce(PublicKey) -> Vec<PublicKey>,
        denied: &[&str],
    ) -> World {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("threads");
        let key = PrivateKey::generate().expect("random numbers");
        let denied = denied.iter().map(|text| text.parse().expect("a user"));
        let verifier = Verifier::new(STACK, keys(key.public()), denied).expect("keys");
        let (queue, store) = (Arc::new(queue::Memory::default()), Arc::new(store::Memory::default()));
        let stack = Arc::new(Stack::new(Parts {
            name: STACK.to_owned(),
            verifier: Arc::new(verifier),
            queue: wrap(queue.clone()),
            store: store.clone(),
            ledger_key: LedgerKey::for_tests(),
            vault: Arc::new(MemoryVault::default()),
            postmark: owner().with_smtp(Arc::new(MemorySmtp::default())),
            clock: clock(),
            portal: Some(Portal {
                url: "https://portal.example".to_owned(),
                outbox: Arc::new(MemoryOutbox::default()),
                brand: Brand::default(),
            }),
            signing: None,
        }));
        let home = Folder::new(&format!("world-{}", WORLDS.fetch_add(1, Ordering::Relaxed)));
        let served = Served::new(&runtime, &stack, home.path());
        World { runtime, stack, queue, store, key, served, home }
    }

    /// The real command, which operates this world.
    pub fn command(&self) -> Command {
        let mut command = command::command();
        command.env("POSTLEDGER_HOME", self.home.path()).env("POSTLEDGER_URL", self.base());
        command
    }

    /// Lets commands that have another folder operate this world.
    pub fn operated_from(&self, home: &Path) {
        self.served.operated_from(home);
    }

    /// Where its operator's routes listen.
    pub fn socket(&self) -> &Path {
        &self.served.socket
    }

    /// Where it listens.
    pub fn base(&self) -> &str {
        &self.served.base
    }

    /// Runs a future beside this world, as long as it lasts.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(future);
    }

    /// Runs a future in this world.
    pub fn block<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// The `Authorization` header of a user such as `8123456.1`.
    ///
    /// # Panics
    /// Where it is no user.
    pub fn authorization(&self, user: &str) -> String {
        let user: User = user.parse().expect("a user");
        basic(user, &self.key.password(STACK, user).expect("a password"))
    }

    /// A request to a path.
    pub fn request(&self, method: &str, path: &str) -> http::request::Builder {
        Request::builder().method(method).uri(format!("{}{path}", self.base()))
    }

    /// Sends a request: status, headers and body of the answer.
    ///
    /// # Panics
    /// Where nobody answers.
    pub fn send(&self, request: Request<Vec<u8>>) -> Response<String> {
        let agent = postledger::client::agent();
        let (parts, mut body) = agent.run(request).expect("an answer").into_parts();
        Response::from_parts(parts, body.read_to_string().expect("a text"))
    }

    /// Posts a body to a type's URL of the fixtures' server, as Postmark would: the status and body.
    ///
    /// # Panics
    /// Where nobody answers.
    pub fn post(&self, segment: &str, body: impl Into<Vec<u8>>) -> (u16, String) {
        let user = format!("{SERVER}.1");
        let request = self
            .request("POST", &format!("/v1/{SERVER}/{segment}"))
            .header("authorization", self.authorization(&user))
            .header("content-type", "application/json")
            .body(body.into());
        let answer = self.send(request.expect("a request"));
        (answer.status().as_u16(), answer.into_body())
    }

    /// Posts an event of any type to a server's one URL, as Postmark would.
    ///
    /// # Panics
    /// Where it is not taken in.
    pub fn tell(&self, server: i64, body: impl Into<Vec<u8>>) {
        let request = self
            .request("POST", &format!("/v1/{server}/events"))
            .header("authorization", self.authorization(&format!("{server}.1")))
            .header("content-type", "application/json")
            .body(body.into());
        assert_eq!(self.send(request.expect("a request")).status(), 200);
    }

    /// Notes a server and its streams in the registry.
    ///
    /// # Panics
    /// Where the memory tables fail, which they do not.
    pub fn register(&self, server: i64, client: &str, streams: &[(&str, StreamKind)]) {
        let mut entry = ServerEntry::new(server_id(server), client, client, now());
        entry.streams = streams.iter().map(|(id, kind)| ((*id).to_owned(), (*kind).into())).collect();
        self.block(Registry(&*self.store).put(&entry)).expect("the registry");
    }

    /// A new token of the read API for some servers, or for all: its text.
    ///
    /// # Panics
    /// Where the machine has no random number to give.
    pub fn token(&self, role: Role, servers: Option<&[i64]>, reveal_addresses: bool) -> String {
        self.token_until(role, servers, reveal_addresses, None).1
    }

    /// A viewer of a server, who is new where there is none of the address; the id.
    ///
    /// # Panics
    /// Where the machine has no random number to give.
    pub fn user(&self, address: &str, server: i64) -> String {
        let standing = Standing { role: Role::Viewer, reveal_addresses: false, read_content: false };
        let access = Access::Servers([(server_id(server), standing)].into());
        let key = LedgerKey::for_tests();
        let user = people::User::invited(&key, address, access, "test", now()).expect("a user");
        self.block(user.keep(&*self.store)).expect("the tables");
        user.id
    }

    /// A new token that ends at an instant.
    ///
    /// # Panics
    /// Where the machine has no random number to give.
    pub fn token_until(
        &self,
        role: Role,
        servers: Option<&[i64]>,
        reveal_addresses: bool,
        expires_at: Option<Time>,
    ) -> (Token, String) {
        let new = New {
            name: role.name().to_owned(),
            role,
            servers: servers.map(|servers| servers.iter().copied().map(server_id).collect()),
            reveal_addresses,
            // An operator who sees addresses sees what is written in mails, too.
            read_content: reveal_addresses && role == Role::Operator,
            expires_at,
            created_by: "test".to_owned(),
            parent: None,
        };
        let (token, text) = Token::make(new, now()).expect("a token");
        self.block(token.keep(&*self.store)).expect("the tables");
        (token, text)
    }

    /// Asks the read API over HTTP; the body of an import is a list, every other one JSON.
    ///
    /// # Panics
    /// Where nobody answers.
    pub fn ask(&self, token: Option<&str>, method: &str, path: &str, body: &str) -> Response<String> {
        let mut request = self.request(method, path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if !body.is_empty() {
            let list = path.split('?').next().is_some_and(|path| path.ends_with("/import"));
            request = request.header("content-type", if list { "text/csv" } else { "application/json" });
        }
        self.send(request.body(body.as_bytes().to_vec()).expect("a request"))
    }

    /// Consumes on its own from now on, as a stack that is served does.
    pub fn consume(&self) {
        let stack = self.stack.clone();
        self.runtime.spawn(async move {
            let (_on, stop) = watch::channel(false);
            stack.consume(&stop).join_all().await;
        });
    }

    /// Consumes until all queues are empty.
    ///
    /// # Panics
    /// Where the memory queue fails, which it does not.
    pub fn drain(&self) {
        self.block(async {
            for name in QueueName::LIVE {
                while pump::once(&*self.queue, &self.stack.consumer, name).await.expect("the queue") > 0 {}
            }
        });
    }

    /// What is in quarantine, by reason.
    ///
    /// # Panics
    /// Where an item is damaged.
    pub fn set_aside(&self) -> BTreeMap<String, usize> {
        let mut reasons = BTreeMap::new();
        for kept in self.store.all_quarantined().expect("readable items") {
            if kept.part.part == 1 {
                *reasons.entry(kept.part.reason).or_default() += 1;
            }
        }
        reasons
    }

    /// How many messages wait on a queue.
    ///
    /// # Panics
    /// Where the memory queue fails, which it does not.
    pub fn waiting(&self, name: QueueName) -> usize {
        self.block(self.queue.depth(name)).expect("the queue").visible
    }

    /// Whether nothing waits, is being consumed, or is dead.
    ///
    /// # Panics
    /// Where the memory queue fails, which it does not.
    pub fn is_drained(&self) -> bool {
        let names = QueueName::LIVE.into_iter().flat_map(|name| [Some(name), name.dead()]).flatten();
        names
            .into_iter()
            .all(|name| self.block(self.queue.depth(name)).expect("the queue") == queue::Depth::default())
    }

    /// The bodies of the messages that wait on a queue.
    ///
    /// # Panics
    /// Where the memory queue fails, which it does not.
    pub fn messages(&self, name: QueueName) -> Vec<String> {
        let mut bodies = Vec::new();
        while let Some(message) = self.block(self.queue.receive(name, 1)).expect("the queue").pop() {
            bodies.push(message.body);
        }
        bodies
    }
}

/// A consumer over a store, with the tests' key and clock.
pub fn consumer(store: Arc<dyn Store>) -> Consumer {
    let settings = consumer::Settings::new(LedgerKey::for_tests(), clock());
    Consumer::new(store, settings)
}

/// Hands messages to a consumer as one batch of a queue; the ids (places) that must come again.
pub async fn handle(consumer: &Consumer, from: QueueName, bodies: &[String], seconds: u64) -> Vec<String> {
    let incoming: Vec<Incoming> = bodies
        .iter()
        .enumerate()
        .map(|(place, body)| Incoming { id: place.to_string(), body: body.clone(), trusted: true })
        .collect();
    consumer.handle(from, &incoming, Instant::now() + Duration::from_secs(seconds)).await
}

/// Fails unless the tables are whole: counters are a recount of the recorded events, every view is the fold of
/// its recipient's events, and rows stand for exactly what the views hold.
///
/// # Panics
/// Where they are not.
pub fn assert_whole(store: &store::Memory) {
    let mut reference = Reference::default();
    let recorded = store.all_events().expect("readable items");
    let events = recorded.len();
    recorded.into_iter().for_each(|recorded| {
        reference.offer(recorded.event);
    });
    assert_eq!(reference.events().count(), events, "every event is recorded once");
    assert_eq!(store.all_counters(), reference.counters(), "counters are a recount");
    let views: Vec<View> = reference.views().collect();
    assert_eq!(store.all_views().expect("readable items"), views, "views are folds");
    let rows = views.iter().flat_map(|view| {
        view.rows().into_iter().map(|(stream, row)| {
            let item = store::item::of_row(view.server, stream, &row, view.address.as_deref());
            (store::item::row_key(view.server, view.recipient, stream), item)
        })
    });
    assert_eq!(store.all_rows(), rows.collect(), "rows are those of the views, byte by byte");
}

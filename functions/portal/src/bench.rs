//! What this crate's tests stand on: the portal over tables, queues and mail in memory, a clock that stands still until it is
//! moved, and browsers that keep cookies as real ones do.

mod browser;
mod connecting;
mod postmark;
pub(crate) mod texts;

pub(crate) use browser::{Browser, Seen};
pub(crate) use connecting::{Connects, PASSWORD};
pub(crate) use postmark::SENT;

use crate::texts::Language;
use crate::{Elsewhere, Kept, KeptBy, Portal, Settings};
use account::Vault as _;
use answers::Role;
use api::Parts;
use api::call::Call;
use api::lists::Lists;
use api::scope::{Caller, Portal as Known};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method};
use ledger::policy::SoftBouncePolicy;
use ledger::{LedgerKey, ServerId, Time};
use people::{Access, Brand, MemoryOutbox, NoMail, Outbox, Standing, User, user_id};
use postmark_api::{Endpoint, MemorySmtp, Retries, Token, Transport};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::prelude::*;
use store::{Collection, Faulty, Memory};

/// The server whose people most tests are.
pub(crate) const OWN: i64 = 8_123_456;
/// The same as text.
pub(crate) const OWN_TEXT: &str = "8123456";
/// A server of somebody else.
pub(crate) const FOREIGN: i64 = 8_200_001;
/// A server that is not there.
pub(crate) const NOWHERE: i64 = 8_999_999;

/// A viewer at [`OWN`] who sees whole addresses.
pub(crate) const VIEWER: &str = "vera.viewer@client.example";
/// An admin at [`OWN`].
pub(crate) const ADMIN: &str = "adam.admin@client.example";
/// An operator.
pub(crate) const OPERATOR: &str = "olga.operator@agency.example";
/// An address that nobody has.
pub(crate) const UNKNOWN: &str = "nobody.here@client.example";

/// What time it is: after all that tests record.
pub(crate) fn now() -> Time {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

/// A server.
pub(crate) fn server(id: i64) -> ServerId {
    ServerId::new(id).unwrap()
}

/// What somebody may do and see at one server.
pub(crate) fn at(id: i64, role: Role, reveal_addresses: bool) -> Access {
    let standing = Standing { role, reveal_addresses, read_content: false };
    Access::Servers([(server(id), standing)].into())
}

/// What the viewer, the admin and the operator of most tests may do and see.
pub(crate) fn access(address: &str) -> Access {
    match address {
        VIEWER => at(OWN, Role::Viewer, true),
        ADMIN => at(OWN, Role::Admin, true),
        _ => Access::operator(true, true),
    }
}

/// How a bench is otherwise than usual.
pub(crate) struct Setup {
    pub(crate) url: &'static str,
    pub(crate) language: Language,
    pub(crate) shows_sample: bool,
    pub(crate) sends: bool,
    /// Whether webhooks are set up in this process.
    pub(crate) connects: bool,
    pub(crate) store: Memory,
    /// How Postmark is reached, if it is.
    pub(crate) postmark: Option<Arc<dyn Transport>>,
    /// Where what changes something is asked for, if not here.
    pub(crate) elsewhere: Option<Elsewhere>,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            url: "https://portal.example",
            language: Language::English,
            shows_sample: false,
            sends: true,
            connects: true,
            store: Memory::default(),
            postmark: None,
            elsewhere: None,
        }
    }
}

/// The portal, and what it stands on.
pub(crate) struct Bench {
    pub(crate) portal: Portal,
    pub(crate) store: Arc<Memory>,
    pub(crate) queue: Arc<queue::Memory>,
    pub(crate) outbox: Arc<MemoryOutbox>,
    /// The Postmark that is asked, unless a test has one of its own.
    pub(crate) postmark: Arc<postmark::Owner>,
    pub(crate) smtp: Arc<MemorySmtp>,
    /// The servers' Postmark tokens.
    pub(crate) vault: Arc<account::MemoryVault>,
    pub(crate) connects: Arc<Connects>,
    /// By how many seconds the clock was moved.
    moved: Arc<AtomicI64>,
    /// The portal's calls of its tables, by name, since the last look.
    calls: Arc<Mutex<Vec<&'static str>>>,
    /// Whether the tables refuse every call.
    refuses: Arc<AtomicBool>,
}

impl Default for Bench {
    fn default() -> Bench {
        Bench::new(Setup::default())
    }
}

impl Bench {
    pub(crate) fn new(setup: Setup) -> Bench {
        let Setup { url, language, shows_sample, sends, connects, store, postmark, elsewhere } = setup;
        let connecting = Arc::new(Connects::default());
        let (store, queue) = (Arc::new(store), Arc::new(queue::Memory::default()));
        let (moved, calls) = (Arc::new(AtomicI64::default()), Arc::new(Mutex::new(Vec::new())));
        let (clock, noted) = (moved.clone(), calls.clone());
        let refuses = Arc::new(AtomicBool::default());
        let refuse = refuses.clone();
        let plan = faults::Plan::new(move |call| {
            noted.lock().unwrap().push(call);
            if refuse.load(Ordering::Relaxed) { faults::Fault::Refuse } else { faults::Fault::None }
        });
        let vault = Arc::new(account::MemoryVault::default());
        let outbox = Arc::new(MemoryOutbox::default());
        let once = Retries { attempts: 1, first_pause: Duration::ZERO, most_pause: Duration::ZERO };
        let owner = Arc::new(postmark::Owner::default());
        let postmark = postmark.unwrap_or_else(|| owner.clone());
        let smtp = Arc::new(MemorySmtp::default());
        let postmark = Endpoint::new(postmark).with_retries(once).with_smtp(smtp.clone());
        let mail: Arc<dyn Outbox> = if sends { outbox.clone() } else { Arc::new(NoMail) };
        let known = Known { url: url.to_owned(), outbox: mail, brand: Brand::default() };
        let parts = Parts {
            store: Arc::new(Faulty::new(store.clone(), plan)),
            queue: queue.clone(),
            vault: vault.clone(),
            streams: account::Streams::new(vault.clone(), postmark.clone()),
            postmark,
            ledger_key: LedgerKey::for_tests(),
            policy: SoftBouncePolicy::default(),
            clock: Arc::new(move || now().plus_seconds(clock.load(Ordering::Relaxed))),
            portal: Some(known.clone()),
            connecting: connects.then(|| connecting.clone() as Arc<dyn account::Connecting>),
        };
        let settings = Settings {
            known,
            name: "Mail of Acme".to_owned(),
            sample: shows_sample.then(|| server(OWN)),
            language,
            kept: Kept { days: 400, engagement_detail: false, by: KeptBy::Template },
        };
        let mut portal = Portal::new(&parts, settings);
        portal.elsewhere = elsewhere;
        Bench {
            portal,
            store,
            queue,
            postmark: owner,
            vault,
            outbox,
            smtp,
            connects: connecting,
            moved,
            calls,
            refuses,
        }
    }

    /// A bench whose Postmark keeps suppression lists, and the token of [`OWN`] with it.
    pub(crate) async fn with_lists() -> (Bench, Arc<Lists>) {
        let lists = Arc::new(Lists::default());
        let bench = Bench::new(Setup { postmark: Some(lists.clone()), ..Setup::default() });
        bench.vault.put(server(OWN), &Token::new("5ecret-t0ken").unwrap()).await.unwrap();
        (bench, lists)
    }

    /// Takes the decisions that are on their way off the queue: their bodies.
    pub(crate) async fn decided(&self) -> Vec<Value> {
        api::recording::decided(&*self.queue).await
    }

    /// A bench at another base URL.
    pub(crate) fn at(url: &'static str) -> Bench {
        Bench::new(Setup { url, ..Setup::default() })
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Time {
        (self.portal.clock)()
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, seconds: i64) {
        self.moved.fetch_add(seconds, Ordering::Relaxed);
    }

    /// From now on every call of the tables fails, or none does.
    pub(crate) fn refuse(&self, refuse: bool) {
        self.refuses.store(refuse, Ordering::Relaxed);
    }

    /// The portal's calls of its tables since the last look, in order.
    pub(crate) fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    /// Of these, those that change something.
    pub(crate) fn writes(&self) -> Vec<&'static str> {
        self.calls().into_iter().filter(|call| !READS.contains(call)).collect()
    }

    /// All that is kept, as it may be compared: events, what follows of them, and the documents of some collections.
    pub(crate) async fn kept(&self, collections: &[Collection]) -> String {
        let mut all = format!("{:?}", self.store.all_rows());
        all += &format!("{:?}", self.store.all_events().unwrap());
        for collection in collections {
            all += &format!("{collection:?}: {:?}", self.store.documents(collection).await.unwrap());
        }
        all
    }

    /// Somebody who may sign in from now on.
    pub(crate) async fn invite(&self, address: &str, access: Access) -> User {
        let key = LedgerKey::for_tests();
        let user = User::invited(&key, address, access, "test", self.now()).unwrap();
        assert!(user.keep(&*self.store).await.unwrap(), "{address} is there already");
        user
    }

    /// The viewer, the admin and the operator of most tests.
    pub(crate) async fn invite_all(&self) {
        for address in [VIEWER, ADMIN, OPERATOR] {
            self.invite(address, access(address)).await;
        }
    }

    /// Asks the API as the operator of the machine; its status and what it answers.
    pub(crate) async fn api(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let who = account::audit::Who { kind: account::audit::WhoKind::Local, name: "test".to_owned() };
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let text = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let call = Call { method: &method, path, query, headers: &HeaderMap::new(), body: &text };
        let answer = self.portal.api.answer_to(Caller::operator(who), &call).await;
        (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default())
    }

    /// Asks the API as whoever bears a token.
    pub(crate) async fn by_token(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Value,
    ) -> (u16, Value) {
        self.by_header(&format!("Bearer {token}"), method, path, body).await
    }

    /// Asks the API as whoever bears what an `Authorization` header says.
    pub(crate) async fn by_header(
        &self,
        header: &str,
        method: Method,
        path: &str,
        body: Value,
    ) -> (u16, Value) {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(header).unwrap());
        let text = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let call = Call { method: &method, path, query: "", headers: &headers, body: &text };
        let answer = self.portal.api.answer(&call).await;
        (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default())
    }

    /// A token of the API: its id, and what its bearer shows.
    pub(crate) async fn token(&self, role: Role, servers: &[i64]) -> (String, String) {
        let new = serde_json::json!({ "name": "client's system", "role": role, "servers": servers, "reveal_addresses": true });
        let (status, made) = self.api(Method::POST, "/v1/tokens", new).await;
        assert_eq!(status, 201, "{made}");
        (made["id"].as_str().unwrap().to_owned(), made["token"].as_str().unwrap().to_owned())
    }

    /// The path of a link that an agency's system makes with a token for a viewer or admin at a server.
    pub(crate) async fn portal_link(&self, token: &str, id: i64, role: Role) -> String {
        let body =
            serde_json::json!({ "servers": [{ "server": id, "role": role, "reveal_addresses": true }] });
        let (status, made) = self.by_token(token, Method::POST, "/v1/portal-links", body).await;
        assert_eq!(status, 201, "{made}");
        made["url"].as_str().unwrap().strip_prefix(&self.portal.settings.known.url).unwrap().to_owned()
    }

    /// A browser that knows nothing yet.
    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser { bench: self, jar: BTreeMap::new(), from: Some([203, 0, 113, 9].into()), whose: None }
    }

    /// A browser in which somebody is signed in, by a code that was mailed.
    pub(crate) async fn signed_in(&self, address: &str) -> Browser<'_> {
        let mut browser = self.browser();
        let sent = browser.ask_for_code(address).await.unwrap_or_else(|| panic!("{address} got no code"));
        let seen = browser.post("/sign-in/code", &[("code", &sent.code)]).await;
        assert_eq!((seen.status, seen.location()), (303, Some("/")), "{address}: {}", seen.text());
        browser.whose = Some(address.to_owned());
        browser
    }

    /// A browser in which an agency's system let somebody in.
    pub(crate) async fn let_in(&self, role: Role) -> Browser<'_> {
        let (_, token) = self.token(role, &[OWN]).await;
        let link = self.portal_link(&token, OWN, role).await;
        let mut browser = self.browser();
        assert_eq!(browser.post(&link, &[]).await.status, 303);
        browser
    }

    /// The id of a user.
    pub(crate) fn id_of(&self, address: &str) -> String {
        user_id(&LedgerKey::for_tests(), address)
    }
}

/// The calls of the tables that change nothing.
const READS: [&str; 24] = [
    "state_events",
    "events",
    "deliveries",
    "event",
    "views",
    "counters",
    "settings",
    "streams",
    "document",
    "documents",
    "last_documents",
    "rules",
    "erased",
    "erased_after",
    "quarantined_on",
    "quarantined",
    "quarantined_page",
    "suppressed",
    "happened",
    "message",
    "newest",
    "watermark",
    "find",
    "get",
];

//! Beside a simulated Postmark: webhooks are made what they should be, looked after, and moved to another key, while mail
//! flows through them.

use account::connect::{Connect, ConnectError, Outcome, look};
use account::rotate::{Keys, Stage, UNUSED_HOURS};
use account::watch::{Report, Watch};
use account::webhooks::{Plan, removal};
use account::{ConnectForm, Doors, Lease, MemoryVault, Registry, Rotate, ServerEntry, Vault as _};
use async_trait::async_trait;
use credential::Verifier;
use credential::{PrivateKey, User, basic};
use embedded::{Parts, Stack, pump};
use http::Request;
use ledger::{LedgerKey, ServerId, Time};
use postledger_tests::postmark::unreached;
use postledger_tests::postmark::{Caller, Hooks, InProcess};
use postledger_tests::{STACK, server_id};
use postmark_api::{
    ApiError, Auth, Bytes, Chunks, Endpoint, Retries, ServerApi, Token, Transport, TransportError,
};
use postmark_simulator::{Answer, Config, Dropped, Quirks, Record, Rules, Simulator, StreamKind};
use queue::QueueName;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::prelude::*;

const BASE: &str = "https://hooks.example.com";
const HOUR: i64 = 3_600;

/// An operator's keys, the newest last.
struct Ring(Vec<PrivateKey>);

impl Ring {
    fn verifier(&self) -> Verifier {
        Verifier::new(STACK, self.0.iter().rev().map(PrivateKey::public), []).unwrap()
    }
}

impl Keys for Ring {
    fn ids(&self) -> Vec<String> {
        self.0.iter().rev().map(|key| key.public().id().to_owned()).collect()
    }

    fn add(&mut self) -> Result<String, String> {
        self.0.push(PrivateKey::generate().unwrap());
        Ok(self.ids().remove(0))
    }

    fn auth(&self, server: ServerId, generation: u32) -> Result<Auth, String> {
        let user = User { server, generation };
        let password = self.0.last().unwrap().password(STACK, user).unwrap();
        Ok(Auth { username: user.to_string(), password })
    }

    fn retire(&mut self, key_id: &str) -> Result<(), String> {
        self.0.retain(|key| key.public().id() != key_id);
        Ok(())
    }
}

/// What stands before the doors: an outage is a flag.
struct Front {
    stack: Arc<Stack>,
    down: AtomicBool,
}

#[async_trait]
impl Hooks for Front {
    async fn answer(&self, request: &Request<Vec<u8>>) -> Answer {
        match self.down.load(Ordering::Relaxed) {
            true => Answer::status(503),
            false if request.uri().path() == "/health" => Answer::status(200),
            false => self.stack.answer(request).await,
        }
    }
}

/// A network that fails after so many calls.
struct Cut {
    inner: InProcess,
    left: AtomicUsize,
}

#[async_trait]
impl Transport for Cut {
    async fn call(&self, request: Request<Bytes>) -> Result<http::Response<Chunks>, TransportError> {
        let left = |left: usize| left.checked_sub(1);
        match self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left) {
            Ok(_) => self.inner.call(request).await,
            Err(_) => Err(TransportError::NotConnected("cut".to_owned())),
        }
    }
}

/// A Postledger, a Postmark with one server, and one clock.
struct Beside {
    simulator: Arc<Mutex<Simulator>>,
    store: Arc<store::Memory>,
    queue: Arc<queue::Memory>,
    stack: Arc<Stack>,
    front: Arc<Front>,
    postmark: InProcess,
    doors: Doors,
    keys: Ring,
    server: ServerId,
    token: Token,
    entry: ServerEntry,
}

fn once() -> Retries {
    Retries { attempts: 1, first_pause: Duration::ZERO, most_pause: Duration::ZERO }
}

impl Beside {
    async fn new(config: Config) -> Beside {
        let mut simulator = Simulator::new(config);
        let made = simulator.add_server("Client");
        assert!(simulator.add_stream(made.id, "receipts", StreamKind::Transactional));
        let simulator = Arc::new(Mutex::new(simulator));
        let told = simulator.clone();
        let clock: platform::Clock = Arc::new(move || Time::from_micros(told.lock().unwrap().now().micros()));
        let keys = Ring(vec![PrivateKey::generate().unwrap()]);
        let (queue, store) = (Arc::new(queue::Memory::default()), Arc::new(store::Memory::default()));
        let stack = Arc::new(Stack::new(Parts {
            name: STACK.to_owned(),
            verifier: Arc::new(keys.verifier()),
            queue: queue.clone(),
            store: store.clone(),
            ledger_key: LedgerKey::for_tests(),
            vault: Arc::new(MemoryVault::default()),
            postmark: unreached(),
            clock: clock.clone(),
            portal: None,
            signing: None,
        }));
        let front = Arc::new(Front { stack: stack.clone(), down: AtomicBool::new(false) });
        let server = server_id(made.id.cast_signed());
        let entry = ServerEntry::new(server, "client", "Client", clock());
        Registry(&*store).put(&entry).await.unwrap();
        Beside {
            postmark: InProcess::new(simulator.clone(), front.clone()),
            doors: Doors::new(Arc::new(Caller(front.clone()))),
            token: Token::new(&made.token).unwrap(),
            simulator,
            store,
            queue,
            stack,
            front,
            keys,
            server,
            entry,
        }
    }

    async fn connected(config: Config) -> Beside {
        let mut beside = Beside::new(config).await;
        beside.connect(ConnectForm::PerType).await.unwrap();
        beside
    }

    fn now(&self) -> Time {
        (self.stack.operator.clock)()
    }

    fn over(&self, transport: Arc<dyn Transport>) -> ServerApi {
        Endpoint::new(transport).with_retries(once()).server(self.token.clone())
    }

    fn api(&self) -> ServerApi {
        self.over(Arc::new(self.postmark.clone()))
    }

    async fn connect(&mut self, form: ConnectForm) -> Result<Outcome, ConnectError> {
        let api = self.api();
        self.connect_over(&api, form).await
    }

    async fn connect_over(&mut self, api: &ServerApi, form: ConnectForm) -> Result<Outcome, ConnectError> {
        self.entry.connect = form;
        let auth = self.keys.auth(self.server, 1).unwrap();
        let connect = Connect { store: &*self.store, api, doors: &self.doors, auth: &auth };
        let plan = connect.look(&mut self.entry, BASE).await?;
        let outcome = connect.carry_out(&self.entry, BASE, plan).await?;
        self.entry = Registry(&*self.store).get(self.server).await.unwrap().unwrap();
        Ok(outcome)
    }

    /// What `connect --dry-run` would show now.
    async fn plan(&mut self) -> Plan {
        let (api, auth) = (self.api(), self.keys.auth(self.server, 1).unwrap());
        let connect = Connect { store: &*self.store, api: &api, doors: &self.doors, auth: &auth };
        connect.look(&mut self.entry, BASE).await.unwrap()
    }

    async fn webhooks(&self) -> Vec<postmark_api::Webhook> {
        self.api().webhooks(None).await.unwrap()
    }

    /// The codes of what `watch` finds.
    async fn found(&self, repair: bool) -> Vec<&'static str> {
        self.looked(repair).await.findings.iter().map(|finding| finding.code).collect()
    }

    /// What `watch` finds.
    async fn looked(&self, repair: bool) -> Report {
        let verifier = self.keys.verifier();
        let watch = Watch { store: &*self.store, verifier: &verifier, base: None, repair, now: self.now() };
        let entry = Registry(&*self.store).get(self.server).await.unwrap().unwrap();
        let report = watch.look(&entry, &self.api()).await.unwrap();
        let told = serde_json::to_string(&report).unwrap();
        for secret in [self.token.reveal(), &self.keys.auth(self.server, 1).unwrap().password, "@"] {
            assert!(!told.contains(secret), "{told}");
        }
        report
    }

    /// Sends a message to each of some people on a stream.
    async fn send(&self, stream: &str, people: impl IntoIterator<Item = String>) {
        let message = |to| {
            json!({ "From": "a@sender.example", "To": to, "TextBody": "x", "MessageStream": stream,
                "HtmlBody": "<a href='https://a.example'>x</a>", "TrackOpens": true, "TrackLinks": "HtmlAndText" })
        };
        let messages: Vec<_> = people.into_iter().map(message).collect();
        self.api().send_batch(&messages).await.unwrap();
    }

    /// Lets time pass; what Postmark tells meanwhile goes through the doors and into the ledger.
    async fn pass(&self, seconds: i64) {
        let until = self.simulator.lock().unwrap().now().plus_seconds(seconds);
        loop {
            let due = self.simulator.lock().unwrap().advance(until);
            let Some(due) = due else { break };
            let answer = self.front.answer(&due.request).await;
            self.simulator.lock().unwrap().answered(due.id, answer);
            self.drain().await;
        }
    }

    async fn drain(&self) {
        for name in QueueName::LIVE {
            while pump::once(&*self.queue, &self.stack.consumer, name).await.unwrap() > 0 {}
        }
    }
}

fn people(count: usize, fate: &str) -> impl Iterator<Item = String> {
    let fate = fate.to_owned();
    (0..count).map(move |n| format!("p{n}+{fate}@customer.example"))
}

/// What others have set up.
async fn foreign(beside: &Beside, count: usize) -> BTreeSet<i64> {
    for n in 0..count {
        let url = format!("https://crm.example.net/{n}");
        let mut simulator = beside.simulator.lock().unwrap();
        let server = u64::try_from(beside.server.get()).unwrap();
        simulator.add_webhook(server, "outbound", &url, &[Record::Bounce]).unwrap();
    }
    beside.webhooks().await.iter().map(|webhook| webhook.id).collect()
}

#[tokio::test]
async fn connecting_makes_each_streams_webhooks_verified_and_a_second_run_plans_nothing() {
    for seed in 0..8 {
        let mut beside = Beside::new(Config::new(seed)).await;
        let outcome = beside.connect(ConnectForm::PerType).await.unwrap();
        assert!(outcome.complete(), "seed {seed}: {outcome:?}");
        let refused = if beside.simulator.lock().unwrap().quirks().broadcasts_tell_bounces { 0 } else { 2 };
        assert_eq!(outcome.refused.len(), refused, "seed {seed}: 1353 is learned and told");
        assert_eq!(outcome.standing.len(), 3 * 6 - refused, "inbound is left out");
        assert!(outcome.standing.iter().all(|standing| standing.status == "verified"));
        assert!(beside.plan().await.is_empty(), "seed {seed}");
        for webhook in beside.webhooks().await {
            assert!(webhook.auth.is_some() && !webhook.url.contains('@'));
            let triggers = webhook.triggers;
            assert!(
                !triggers.bounce_content && !triggers.spam_complaint_content && !triggers.open_first_only
            );
        }
        let again = beside.connect(ConnectForm::PerType).await.unwrap();
        assert_eq!((again.steps.len(), again.refused.len()), (0, 0));
        let settings = beside.store.settings(beside.server).await.unwrap();
        assert_eq!(settings.kind("broadcast"), ledger::policy::StreamKind::Broadcast);
    }
}

#[tokio::test]
async fn what_is_connected_tells_the_ledger_everything_once_in_either_form() {
    for seed in 0..3 {
        let config = Config {
            quirks: Quirks { broadcasts_tell_bounces: true, ..Quirks::draw(seed) },
            ..Config::new(seed)
        };
        let mut beside = Beside::connected(config).await;
        for (form, fate) in [
            (ConnectForm::OneUrl, "delivered.open2.click1"),
            (ConnectForm::PerType, "hard"),
            (ConnectForm::OneUrl, "delivered.complaint"),
        ] {
            let outcome = beside.connect(form).await.unwrap();
            assert!(outcome.complete(), "{outcome:?}");
            for stream in ["outbound", "broadcast"] {
                beside.send(stream, people(20, fate)).await;
            }
            beside.pass(3 * 24 * HOUR).await;
        }
        let events = beside.store.all_events().unwrap().len();
        assert_eq!(events, beside.simulator.lock().unwrap().truth().events().count(), "seed {seed}");
        postledger_tests::assert_whole(&beside.store);
    }
}

#[tokio::test]
async fn rows_of_others_stay_and_leave_ours_what_room_there_is() {
    for (others, ours) in [(4, 6), (5, 1), (9, 1), (10, 0)] {
        let mut beside = Beside::new(Config::usual(1)).await;
        let before = foreign(&beside, others).await;
        beside.connect(ConnectForm::PerType).await.unwrap();
        let webhooks = beside.webhooks().await;
        let here = webhooks.iter().filter(|webhook| webhook.stream == "outbound").count();
        assert_eq!(here, others + ours, "{others} others");
        assert!(beside.plan().await.is_empty());
        let seen = look(beside.server, &beside.api()).await.unwrap();
        let (api, auth) = (beside.api(), beside.keys.auth(beside.server, 1).unwrap());
        let connect = Connect { store: &*beside.store, api: &api, doors: &beside.doors, auth: &auth };
        let plan = removal(&beside.entry, BASE, &seen.webhooks);
        assert!(connect.remove(&beside.entry, BASE, &plan).await.unwrap().complete());
        let left: BTreeSet<i64> = beside.webhooks().await.iter().map(|webhook| webhook.id).collect();
        assert_eq!(left, before);
        let entry = Registry(&*beside.store).get(beside.server).await.unwrap().unwrap();
        assert_eq!(entry.doors, None);
    }
}

#[tokio::test]
async fn nothing_is_made_at_postmark_while_our_doors_do_not_take_what_its_verification_brings() {
    let mut beside = Beside::new(Config::usual(1)).await;
    beside.front.down.store(true, Ordering::Relaxed);
    let refused = beside.connect(ConnectForm::PerType).await;
    assert!(matches!(refused, Err(ConnectError::Doors(_))), "{refused:?}");
    beside.front.down.store(false, Ordering::Relaxed);
    let known = std::mem::replace(&mut beside.keys, Ring(vec![PrivateKey::generate().unwrap()]));
    let error = beside.connect(ConnectForm::PerType).await.unwrap_err();
    assert!(error.next().unwrap().contains("do not know the key"), "{error}");
    assert!(beside.webhooks().await.is_empty());
    beside.keys = known;
    assert!(beside.connect(ConnectForm::PerType).await.unwrap().complete());
}

#[tokio::test]
async fn cut_off_after_any_call_a_second_run_completes_it() {
    for calls in 0..40 {
        let mut beside = Beside::new(Config::usual(1)).await;
        let cut = Cut { inner: beside.postmark.clone(), left: AtomicUsize::new(calls) };
        let api = beside.over(Arc::new(cut));
        let first = beside.connect_over(&api, ConnectForm::PerType).await;
        if let Err(error) = first {
            assert!(matches!(error, ConnectError::Api(ApiError::Unavailable(_))), "{error}");
        }
        assert!(beside.connect(ConnectForm::PerType).await.unwrap().complete());
        assert_eq!(beside.webhooks().await.len(), 3 * 6, "after {calls} calls");
    }
}

#[tokio::test]
async fn a_token_of_another_server_is_noticed() {
    let mut beside = Beside::new(Config::usual(1)).await;
    let other = beside.simulator.lock().unwrap().add_server("Other");
    beside.token = Token::new(&other.token).unwrap();
    let error = beside.connect(ConnectForm::PerType).await.unwrap_err();
    assert!(matches!(error, ConnectError::WrongServer(..)));
    assert_eq!(beside.found(false).await, ["wrong_token"]);
}

#[tokio::test]
async fn a_server_that_is_as_it_should_be_has_no_findings_under_any_reading_of_postmarks_rules() {
    for seed in 0..6 {
        let beside = Beside::connected(Config::new(seed)).await;
        for stream in ["outbound", "broadcast"] {
            beside.send(stream, people(60, "delivered.open2.click1")).await;
            beside.send(stream, people(30, "hard")).await;
        }
        beside.pass(5 * HOUR).await;
        assert_eq!(beside.found(false).await, [""; 0], "seed {seed}");
    }
}

#[tokio::test]
async fn what_somebody_changed_at_postmark_is_found_and_connect_mends_it() {
    let mut beside = Beside::connected(Config::usual(2)).await;
    let api = beside.api();
    let rows = beside.webhooks().await;
    let row = |stream: &str, segment: &str| {
        rows.iter().find(|row| row.stream == stream && row.url.ends_with(segment)).unwrap()
    };
    let id = |stream, segment| row(stream, segment).id;
    api.delete_webhook(id("outbound", "/bounce")).await.unwrap();
    let wrong = Auth { username: "someone".to_owned(), password: "else".to_owned() };
    let edit = postmark_api::EditWebhook { auth: Some(wrong), verify: Some(false), ..Default::default() };
    api.edit_webhook(id("outbound", "/open"), &edit).await.unwrap();
    let mut triggers = row("receipts", "/click").triggers;
    triggers.set(postmark_api::Trigger::Delivery, true);
    let edit = postmark_api::EditWebhook { triggers: Some(triggers), ..Default::default() };
    api.edit_webhook(id("receipts", "/click"), &edit).await.unwrap();
    api.edit_server(&json!({ "BounceHookUrl": format!("{BASE}/v1/{}/bounce", beside.server) }))
        .await
        .unwrap();
    let found: BTreeSet<&str> = beside.found(false).await.into_iter().collect();
    for code in ["webhook_missing", "webhook_credential", "webhook_changed", "legacy_hook"] {
        assert!(found.contains(code), "{code}: {found:?}");
    }
    api.edit_server(&json!({ "BounceHookUrl": "" })).await.unwrap();
    assert!(beside.connect(ConnectForm::PerType).await.unwrap().complete());
    assert_eq!(beside.found(false).await, [""; 0]);
}

#[tokio::test]
async fn a_server_is_changed_by_its_own_token_in_what_is_named_and_read_back() {
    let beside = Beside::connected(Config::usual(3)).await;
    let api = beside.api();
    let before = api.server().await.unwrap();
    assert_eq!((before.smtp_api_activated, before.track_opens), (Some(true), Some(false)));
    assert_eq!((before.color.as_deref(), before.inbound_domain.as_deref()), (Some("purple"), None));
    api.edit_server(&json!({ "TrackOpens": true, "TrackLinks": "TextOnly" })).await.unwrap();
    let after = api.server().await.unwrap();
    assert_eq!((after.track_opens, after.track_links.as_deref()), (Some(true), Some("TextOnly")));
    let rest = postmark_api::ServerInfo {
        track_opens: Some(false),
        track_links: before.track_links.clone(),
        ..after
    };
    assert!(rest == before, "all else stays");
    let refused = api.edit_server(&json!({ "Color": "pink", "TrackOpens": false })).await;
    assert!(matches!(refused, Err(ApiError::Refused { code: 608, .. })), "{refused:?}");
    assert_eq!(api.server().await.unwrap().track_opens, Some(true));
}

#[tokio::test]
async fn a_trigger_that_postmark_paused_is_found_and_verified_again() {
    let beside = Beside::connected(Config::usual(3)).await;
    let row = beside.webhooks().await.remove(1);
    let record =
        Record::ALL.into_iter().find(|record| row.triggers.enabled().any(|on| on.name() == record.name()));
    beside.simulator.lock().unwrap().pause_trigger(row.id.cast_unsigned(), record.unwrap());
    assert_eq!(beside.found(false).await, ["trigger_unverified"]);
    beside.front.down.store(true, Ordering::Relaxed);
    assert_eq!(beside.found(true).await, ["trigger_unverified"], "our doors are still down");
    beside.front.down.store(false, Ordering::Relaxed);
    assert_eq!(beside.found(true).await, ["trigger_reverified"]);
    assert_eq!(beside.found(true).await, [""; 0]);
}

#[tokio::test]
async fn an_outage_shows_in_retries_that_run_low_failures_and_silence() {
    let beside = Beside::connected(Config::usual(4)).await;
    beside.front.down.store(true, Ordering::Relaxed);
    beside.send("outbound", people(20, "delivered")).await;
    // Six retries within 51 minutes: the last one is let in.
    beside.pass(45 * 60).await;
    beside.front.down.store(false, Ordering::Relaxed);
    beside.pass(HOUR).await;
    let found = beside.found(true).await;
    assert!(found.contains(&"retries_low") && found.contains(&"webhook_failing"), "{found:?}");
    beside.front.down.store(true, Ordering::Relaxed);
    beside.pass(20 * HOUR).await;
    beside.send("outbound", people(5, "delivered")).await;
    beside.pass(2 * HOUR).await;
    let looked = beside.looked(false).await;
    assert!(
        looked.findings.iter().any(|finding| finding.code == "silent") && looked.fell_silent(),
        "{looked:?}"
    );
}

#[tokio::test]
async fn a_server_that_sends_and_is_not_connected_yet_is_found_silent_and_wakes_nobody() {
    let beside = Beside::new(Config::usual(4)).await;
    beside.send("outbound", people(5, "delivered")).await;
    beside.pass(2 * HOUR).await;
    let looked = beside.looked(false).await;
    let found: Vec<&str> = looked.findings.iter().map(|finding| finding.code).collect();
    assert!(found.contains(&"silent") && found.contains(&"not_connected"), "{found:?}");
    assert!(looked.silent && !looked.fell_silent(), "{looked:?}");
}

#[tokio::test]
async fn what_the_doors_took_and_the_ledger_has_not_is_found() {
    let beside = Beside::connected(Config::usual(5)).await;
    beside.send("outbound", people(100, "delivered")).await;
    let until = beside.simulator.lock().unwrap().now().plus_seconds(2 * HOUR);
    // Answered by the doors, but not consumed.
    loop {
        let due = beside.simulator.lock().unwrap().advance(until);
        let Some(due) = due else { break };
        let answer = beside.front.answer(&due.request).await;
        beside.simulator.lock().unwrap().answered(due.id, answer);
    }
    let found = beside.found(false).await;
    assert!(found.contains(&"fewer_than_told"), "{found:?}");
    beside.drain().await;
    assert_eq!(beside.found(false).await, [""; 0]);
}

#[tokio::test]
async fn an_event_of_a_message_that_postmark_does_not_know_is_found() {
    let beside = Beside::connected(Config::usual(6)).await;
    let body = json!({ "RecordType": "Delivery", "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "Recipient": "ida@customer.example", "DeliveredAt": beside.now().to_string(), "MessageStream": "outbound",
        "ServerID": beside.server.get() });
    let auth = beside.keys.auth(beside.server, 1).unwrap();
    let request = Request::post(format!("{BASE}/v1/{}/delivery", beside.server))
        .header("authorization", basic(auth.username.parse().unwrap(), &auth.password))
        .body(body.to_string().into_bytes())
        .unwrap();
    assert!(matches!(beside.front.answer(&request).await, Answer::Status { code: 200, .. }));
    beside.drain().await;
    assert_eq!(beside.found(false).await, ["unknown_message"]);
}

#[tokio::test]
async fn a_rotation_refuses_no_event_for_good_and_ends_after_the_old_key_was_quiet() {
    for (seed, rules) in [(1, Rules::August2026 { retries: 6 }), (2, Rules::Old)] {
        let mut beside = Beside::connected(Config { rules, ..Config::usual(seed) }).await;
        let old = beside.keys.ids().remove(0);
        let mut stages = Vec::new();
        let mut retired_at = None;
        for step in 0..40 {
            beside.send("outbound", people(10, "delivered.open1")).await;
            // Some of what was told with the old password comes again later; no ladder is shorter than 21 minutes.
            let down = step == 1 || step == 2;
            beside.front.down.store(down, Ordering::Relaxed);
            beside.pass(if down { 10 * 60 } else { HOUR / 2 }).await;
            if retired_at.is_some() {
                break;
            }
            if down {
                continue;
            }
            let (api, now, store) = (beside.api(), beside.now(), beside.store.clone());
            let entry = Registry(&*store).get(beside.server).await.unwrap().unwrap();
            let mut rotate = Rotate { store: &*store, keys: &mut beside.keys, doors: &beside.doors, now };
            let progress = rotate.run(&[(entry, Some(api))], None).await.unwrap();
            if progress.stage == Stage::DoorsToLearn || progress.stage == Stage::Retired {
                // The deployment that it asks for.
                beside.stack.adopt(Arc::new(beside.keys.verifier()));
            }
            if progress.stage == Stage::Retired {
                retired_at = Some(beside.now());
            }
            if stages.last() != Some(&progress.stage) {
                stages.push(progress.stage);
            }
        }
        assert_eq!(stages, [Stage::DoorsToLearn, Stage::Quiet, Stage::Retired], "seed {seed}");
        assert!(!beside.keys.ids().contains(&old) && beside.keys.ids().len() == 1);
        beside.front.down.store(false, Ordering::Relaxed);
        beside.pass(12 * HOUR).await;
        let simulator = beside.simulator.lock().unwrap();
        let refused: Vec<Dropped> =
            simulator.truth().deliveries().filter_map(|delivery| delivery.dropped).collect();
        assert_eq!(refused, [], "seed {seed}");
        let told = simulator.truth().events().count();
        assert_eq!(beside.store.all_events().unwrap().len(), told, "seed {seed}");
    }
}

#[tokio::test]
async fn the_old_key_is_not_retired_while_somebody_still_uses_it() {
    let mut beside = Beside::connected(Config::usual(7)).await;
    let old = beside.keys.auth(beside.server, 1).unwrap();
    let run = async |beside: &mut Beside| {
        let (api, now, store) = (beside.api(), beside.now(), beside.store.clone());
        let entry = Registry(&*store).get(beside.server).await.unwrap().unwrap();
        let mut rotate = Rotate { store: &*store, keys: &mut beside.keys, doors: &beside.doors, now };
        rotate.run(&[(entry, Some(api))], None).await.unwrap()
    };
    run(&mut beside).await;
    beside.stack.adopt(Arc::new(beside.keys.verifier()));
    assert_eq!(run(&mut beside).await.stage, Stage::Quiet);
    // A webhook that nobody registered still bears the old password.
    let post = async |beside: &Beside, n: u32| {
        let body = json!({ "RecordType": "Delivery", "MessageID": format!("m{n}"), "Recipient": "a@b.example",
            "DeliveredAt": beside.now().to_string() });
        let request = Request::post(format!("{BASE}/v1/{}/events", beside.server))
            .header("authorization", basic(old.username.parse().unwrap(), &old.password))
            .body(body.to_string().into_bytes())
            .unwrap();
        beside.front.answer(&request).await;
        beside.drain().await;
    };
    for n in 0..4 {
        beside.pass(8 * HOUR).await;
        post(&beside, n).await;
        let progress = run(&mut beside).await;
        assert_eq!(progress.stage, Stage::Quiet);
        assert!(progress.until.unwrap() > beside.now().plus_seconds(UNUSED_HOURS * HOUR));
    }
    beside.pass((UNUSED_HOURS + 2) * HOUR).await;
    assert_eq!(run(&mut beside).await.stage, Stage::Retired);
}

#[tokio::test]
async fn the_scheduled_watch_looks_at_all_servers_one_run_at_a_time() {
    let beside = Beside::connected(Config::usual(8)).await;
    let unknown = ServerEntry::new(server_id(9_999_999), "gone", "Gone", beside.now());
    Registry(&*beside.store).put(&unknown).await.unwrap();
    let vault = MemoryVault::default();
    vault.put(beside.server, &beside.token).await.unwrap();
    let endpoint = Endpoint::new(Arc::new(beside.postmark.clone())).with_retries(once());
    let rounds = watch::Rounds {
        store: beside.store.clone(),
        vault: Arc::new(vault),
        postmark: endpoint,
        verifier: Arc::new(beside.keys.verifier()),
        base: None,
        repair: true,
        clock: beside.stack.operator.clock.clone(),
    };
    let row = beside.webhooks().await.remove(0);
    for record in Record::ALL {
        beside.simulator.lock().unwrap().pause_trigger(row.id.cast_unsigned(), record);
    }
    let other = Lease::take(&*beside.store, "watch", beside.now(), 60).await.unwrap().unwrap();
    assert_eq!(rounds.all(None).await.unwrap(), None, "another run is under way");
    other.release(&*beside.store).await.unwrap();
    let reports = rounds.all(None).await.unwrap().unwrap();
    let mut codes: Vec<&str> =
        reports.iter().flat_map(|report| report.findings.iter().map(|found| found.code)).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["no_token", "trigger_reverified"]);
    let again = rounds.all(None).await.unwrap().unwrap();
    assert_eq!(again.iter().map(|report| report.findings.len()).sum::<usize>(), 1);
}

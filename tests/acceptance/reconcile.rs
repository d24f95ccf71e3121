//! Reconcile beside a simulated Postmark: what no webhook told comes in, once, and nothing is believed too soon.

use account::MemoryVault;
use account::{Registry, ServerEntry};
use embedded::{Parts, Stack, pump};
use ledger::event::Cause;
use ledger::policy::StreamKind;
use ledger::{Kind, LedgerKey, Source, Time, recipient_key};
use postledger_tests::postmark::unreached;
use postledger_tests::postmark::{Hooks, InProcess};
use postledger_tests::{STACK, server_id};
use postmark_api::{Bytes, Chunks, Endpoint, Retries, ServerApi, Token, Transport, TransportError};
use postmark_simulator::{Answer, Config, Origin, Record, Simulator};
use queue::QueueName;
use reconcile::{Job, Line, Period, Reconcile, Report, completeness};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::prelude::*;
use tokio::time::Instant;

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;
const STREAM: &str = "outbound";

/// A ledger that no webhook reaches, and a Postmark beside it, under one clock.
struct Beside {
    simulator: Arc<Mutex<Simulator>>,
    store: Arc<store::Memory>,
    queue: Arc<queue::Memory>,
    stack: Arc<Stack>,
    reconcile: Reconcile,
    server: ledger::ServerId,
    token: String,
    api: ServerApi,
}

/// Nobody: no webhook is connected.
struct Nobody;

#[async_trait::async_trait]
impl Hooks for Nobody {
    async fn answer(&self, _: &http::Request<Vec<u8>>) -> Answer {
        Answer::ConnectFailed
    }
}

impl Beside {
    async fn new(config: Config) -> Beside {
        let mut simulator = Simulator::new(config);
        let made = simulator.add_server("Client");
        let simulator = Arc::new(Mutex::new(simulator));
        let told = simulator.clone();
        let clock: platform::Clock = Arc::new(move || Time::from_micros(told.lock().unwrap().now().micros()));
        let key = credential::PrivateKey::generate().unwrap();
        let (queue, store) = (Arc::new(queue::Memory::default()), Arc::new(store::Memory::default()));
        let stack = Arc::new(Stack::new(Parts {
            name: STACK.to_owned(),
            verifier: Arc::new(credential::Verifier::new(STACK, [key.public()], []).unwrap()),
            queue: queue.clone(),
            store: store.clone(),
            ledger_key: LedgerKey::for_tests(),
            vault: Arc::new(MemoryVault::default()),
            postmark: unreached(),
            clock: clock.clone(),
            portal: None,
            signing: None,
        }));
        let endpoint = Endpoint::new(Arc::new(InProcess::new(simulator.clone(), Arc::new(Nobody))))
            .with_retries(Retries { attempts: 3, first_pause: Duration::ZERO, most_pause: Duration::ZERO });
        let server = server_id(made.id.cast_signed());
        let mut entry = ServerEntry::new(server, "Client", "Client", clock());
        entry.streams.insert(STREAM.to_owned(), StreamKind::Transactional.into());
        Registry(&*store).put(&entry).await.unwrap();
        let reconcile = Reconcile {
            store: store.clone(),
            queue: queue.clone(),
            ledger_key: LedgerKey::for_tests(),
            keep_engagement_detail: false,
            clock,
        };
        let api = endpoint.server(Token::new(&made.token).unwrap());
        Beside { simulator, store, queue, stack, reconcile, server, token: made.token, api }
    }

    fn now(&self) -> Time {
        (self.reconcile.clock)()
    }

    /// Sends a message to each address, all tracked.
    async fn send(&self, to: &[String]) {
        for some in to.chunks(500) {
            let message = |to: &String| {
                json!({ "From": "a@sender.example", "To": to, "TextBody": "x", "HtmlBody": "<a href='https://a.example'>x</a>",
                    "MessageStream": STREAM, "TrackOpens": true, "TrackLinks": "HtmlAndText" })
            };
            let messages: Vec<Value> = some.iter().map(message).collect();
            self.api.send_batch(&messages).await.unwrap();
        }
    }

    /// Lets time pass; webhooks, if there are any, are not answered.
    fn pass(&self, seconds: i64) {
        let mut simulator = self.simulator.lock().unwrap();
        let until = simulator.now().plus_seconds(seconds);
        while let Some(due) = simulator.advance(until) {
            simulator.answered(due.id, Answer::ConnectFailed);
        }
    }

    async fn drain(&self) {
        for name in QueueName::LIVE {
            while pump::once(&*self.queue, &self.stack.consumer, name).await.unwrap() > 0 {}
        }
    }

    async fn run(&self, span: Period) -> Report {
        let report = self.part(span, false, None).await;
        assert!(report.finished, "{report:?}");
        report
    }

    async fn part(&self, span: Period, dry_run: bool, until: Option<Instant>) -> Report {
        let job = Job { server: self.server, span, dry_run, until };
        let report = self.reconcile.run(&self.api, &job, &|_| {}).await.unwrap();
        self.drain().await;
        report
    }

    fn asked(&self, days: i64) -> Period {
        Period::Asked { from: self.now().plus_days(-days), to: self.now(), source: Source::Reconcile }
    }

    /// Why an address is on Postmark's list, as we know it.
    async fn causes(&self, address: &str) -> Vec<Cause> {
        let id = LedgerKey::for_tests().recipient_id(self.server, &recipient_key(address));
        let view = self.store.views(self.server, &[id]).await.unwrap().pop().flatten();
        let here = view.as_ref().and_then(|view| view.streams.get(STREAM));
        here.into_iter().flat_map(|here| here.live_causes().map(|(cause, _)| cause)).collect()
    }

    /// How many events are recorded, by kind.
    fn recorded(&self) -> BTreeMap<Kind, usize> {
        let mut kinds = BTreeMap::new();
        for recorded in self.store.all_events().unwrap() {
            *kinds.entry(recorded.event.kind()).or_default() += 1;
        }
        kinds
    }

    /// How many events really happened that Postmark's API can tell of, by kind.
    fn told(&self) -> BTreeMap<Kind, usize> {
        let simulator = self.simulator.lock().unwrap();
        let mut kinds = BTreeMap::new();
        for event in simulator.truth().events() {
            let kind = match event.record {
                Record::Delivery => Kind::Delivery,
                Record::Bounce => Kind::Bounce,
                Record::SpamComplaint => Kind::SpamComplaint,
                Record::Open if event.in_api => Kind::Open,
                Record::Click => Kind::Click,
                Record::Open | Record::SubscriptionChange => continue,
            };
            *kinds.entry(kind).or_default() += 1;
        }
        kinds
    }
}

/// Addresses that each have some fate.
fn people(count: usize) -> Vec<String> {
    const FATES: [&str; 8] = [
        "delivered",
        "delivered.open3.click2",
        "delivered.mopen1",
        "hard",
        "soft",
        "transient",
        "complaint",
        "asyncbounce",
    ];
    (0..count).map(|n| format!("r{n}+{}@customer.example", FATES[n % FATES.len()])).collect()
}

#[tokio::test]
async fn what_no_webhook_told_comes_in_once_and_the_list_becomes_postmarks() {
    for seed in 0..4 {
        let beside = Beside::new(Config::new(seed)).await;
        beside.send(&people(200)).await;
        beside.pass(3 * DAY);
        let first = beside.run(beside.asked(4)).await;
        assert!(first.told() > 0);
        let mut recorded = beside.recorded();
        recorded.remove(&Kind::Observed);
        assert_eq!(recorded, beside.told(), "seed {seed}");
        assert_eq!(beside.causes("R3+hard@Customer.example").await, [Cause::HardBounce]);
        assert_eq!(beside.causes("r6+complaint@customer.example").await, [Cause::Complaint]);
        let again = beside.run(beside.asked(4)).await;
        assert_eq!(again.told(), 0, "seed {seed}: {again:?}");
        postledger_tests::assert_whole(&beside.store);
    }
}

#[tokio::test]
async fn a_webhook_that_comes_after_all_takes_the_place_of_the_copy_and_counts_no_second_time() {
    let beside = Beside::new(Config::usual(1)).await;
    let server = beside.server.get().cast_unsigned();
    beside.simulator.lock().unwrap().add_webhook(server, STREAM, "https://doors.example/v1", &Record::ALL);
    beside.send(&["ida+hard@customer.example".to_owned()]).await;
    beside.send(&["bo+delivered@customer.example".to_owned()]).await;
    let mut bodies = Vec::new();
    {
        let mut simulator = beside.simulator.lock().unwrap();
        let until = simulator.now().plus_seconds(2 * HOUR);
        while let Some(due) = simulator.advance(until) {
            bodies.push(due.request.body().clone());
            simulator.answered(due.id, Answer::status(200));
        }
    }
    beside.run(beside.asked(1)).await;
    let counted = beside.store.all_counters();
    let told: Vec<_> = counted.iter().collect();
    assert!(!told.is_empty());
    // Now they come.
    for body in bodies {
        let context = postmark::Context {
            server: beside.server,
            received_at: beside.now(),
            source: Source::Webhook,
            keep_engagement_detail: false,
        };
        let (examined, event) = postmark::event(&body, &context, &LedgerKey::for_tests()).unwrap();
        let envelope = queue::Envelope::told(
            beside.server,
            &event.what,
            context.received_at,
            Source::Webhook,
            examined.canonical,
            examined.dropped,
        );
        let message = envelope.unwrap().encode();
        queue::Sender::send(&*beside.queue, QueueName::of(examined.kind), &message).await.unwrap();
    }
    beside.drain().await;
    let of = |kind| beside.recorded().get(&kind).copied().unwrap_or_default();
    assert_eq!((of(Kind::Bounce), of(Kind::Delivery), of(Kind::SubscriptionChange)), (1, 1, 1));
    let copies = beside.store.all_events().unwrap();
    let told_by_api = copies.iter().filter(|one| one.event.source != Source::Webhook);
    assert!(told_by_api.map(|one| one.event.kind()).all(|kind| kind == Kind::Observed));
    assert_eq!(beside.run(beside.asked(1)).await.told(), 0);
    postledger_tests::assert_whole(&beside.store);
}

#[tokio::test]
async fn a_reactivation_that_was_missed_takes_two_dumps_that_agree() {
    let beside = Beside::new(Config::usual(2)).await;
    beside.send(&["ida+hard@customer.example".to_owned(), "bo+hard@customer.example".to_owned()]).await;
    beside.pass(DAY);
    beside.run(Period::Due).await;
    assert_eq!(beside.causes("ida+hard@customer.example").await, [Cause::HardBounce]);
    beside.api.unsuppress(STREAM, &["ida+hard@customer.example"]).await.unwrap();
    beside.pass(HOUR);
    let first = beside.run(Period::Due).await.lists();
    assert_eq!((first.extra, first.waiting, first.gone_told), (1, 1, 0));
    beside.pass(60);
    assert_eq!(beside.run(Period::Due).await.lists().gone_told, 0, "a minute later is no second look");
    beside.pass(HOUR);
    assert_eq!(beside.run(Period::Due).await.lists().gone_told, 1);
    assert!(beside.causes("ida+hard@customer.example").await.is_empty());
    assert_eq!(beside.causes("bo+hard@customer.example").await, [Cause::HardBounce]);
    beside.pass(HOUR);
    assert_eq!(beside.run(Period::Due).await.lists().extra, 0);
}

#[tokio::test]
async fn who_is_suppressed_again_between_two_dumps_is_not_lifted() {
    let beside = Beside::new(Config::usual(3)).await;
    let server = beside.server.get().cast_unsigned();
    for name in ["ida", "bo"] {
        let address = format!("{name}@customer.example");
        beside.simulator.lock().unwrap().suppress_by_hand(server, STREAM, &address, Origin::Customer);
    }
    beside.pass(HOUR);
    beside.run(Period::Due).await;
    beside.api.unsuppress(STREAM, &["ida@customer.example"]).await.unwrap();
    beside.pass(HOUR);
    assert_eq!(beside.run(Period::Due).await.lists().waiting, 1);
    beside.simulator.lock().unwrap().suppress_by_hand(
        server,
        STREAM,
        "ida@customer.example",
        Origin::Customer,
    );
    beside.pass(HOUR);
    let report = beside.run(Period::Due).await.lists();
    assert_eq!((report.extra, report.gone_told), (0, 0));
    assert_eq!(beside.causes("ida@customer.example").await, [Cause::Manual]);
}

#[tokio::test]
async fn an_empty_dump_is_believed_after_a_day_only_and_no_run_lifts_more_than_a_few() {
    let beside = Beside::new(Config::usual(4)).await;
    let server = beside.server.get().cast_unsigned();
    let addresses: Vec<String> = (0..50).map(|n| format!("r{n}@customer.example")).collect();
    for address in &addresses {
        beside.simulator.lock().unwrap().suppress_by_hand(server, STREAM, address, Origin::Customer);
    }
    beside.pass(HOUR);
    assert_eq!(beside.run(Period::Due).await.lists().present_told, 50);
    let all: Vec<&str> = addresses.iter().map(String::as_str).collect();
    beside.api.unsuppress(STREAM, &all).await.unwrap();
    for _ in 0..24 {
        beside.pass(HOUR);
        let report = beside.run(Period::Due).await.lists();
        assert!(report.doubtful);
        assert_eq!((report.extra, report.gone_told), (50, 0));
    }
    let mut lifted = Vec::new();
    for _ in 0..5 {
        beside.pass(HOUR);
        lifted.push(beside.run(Period::Due).await.lists().gone_told);
    }
    assert_eq!(lifted, [20, 20, 10, 0, 0]);
}

#[tokio::test]
async fn an_interrupted_run_goes_on_where_it_ended_and_a_dry_one_keeps_nothing() {
    let beside = Beside::new(Config::usual(5)).await;
    beside.send(&people(80)).await;
    beside.pass(3 * DAY);
    let span = beside.asked(4);
    let dry = beside.part(span, true, None).await;
    assert!(dry.told() > 0 && beside.recorded().is_empty());
    let mut whole: Option<Report> = None;
    let mut parts = 0;
    while !whole.as_ref().is_some_and(|report| report.finished) {
        let part = beside.part(span, false, Some(Instant::now())).await;
        whole = Some(match whole {
            Some(so_far) => so_far.and(part),
            None => part,
        });
        parts += 1;
    }
    assert!(parts > 5, "it was interrupted again and again: {parts}");
    let mut recorded = beside.recorded();
    recorded.remove(&Kind::Observed);
    assert_eq!(recorded, beside.told());
    assert_eq!(whole.unwrap().told(), dry.told());
    assert_eq!(beside.run(span).await.told(), 0);
}

#[tokio::test]
async fn a_stream_that_postmark_lists_is_known_from_the_first_run_on_before_any_event() {
    let beside = Beside::new(Config::usual(5)).await;
    let known = async || beside.store.settings(beside.server).await.unwrap().kinds;
    beside.part(Period::Due, true, None).await;
    assert!(!known().await.contains_key("broadcast"), "a dry run remembers nothing");
    beside.run(Period::Due).await;
    assert_eq!(known().await.get("broadcast"), Some(&StreamKind::Broadcast));
    assert!(beside.store.streams(beside.server).await.unwrap().is_empty(), "and no event came on it");
}

#[tokio::test]
async fn a_list_that_is_too_long_for_one_run_is_told_by_several() {
    let beside = Beside::new(Config::usual(5)).await;
    let server = beside.server.get().cast_unsigned();
    for n in 0..250 {
        let address = format!("r{n}@customer.example");
        // The first of the server's streams, by its name: a run that has no time ends after one.
        beside.simulator.lock().unwrap().suppress_by_hand(server, "broadcast", &address, Origin::Customer);
    }
    beside.pass(HOUR);
    for told in [100, 100, 50, 0] {
        let part = beside.part(Period::Due, false, Some(Instant::now())).await;
        assert_eq!((part.finished, part.told()), (false, told));
    }
    let whole = beside.run(Period::Due).await;
    assert_eq!((whole.told(), whole.lists().theirs, whole.lists().ours), (0, 250, 250));
}

#[tokio::test]
async fn a_backfill_that_was_begun_is_gone_on_with_whatever_the_time_is_by_now() {
    let beside = Beside::new(Config::usual(12)).await;
    beside.send(&people(80)).await;
    beside.pass(3 * DAY);
    let history = |now: Time| Period::Asked { from: now.plus_days(-45), to: now, source: Source::Backfill };
    let mut parts = 1;
    while !beside.part(history(beside.now()), false, Some(Instant::now())).await.finished {
        beside.pass(60);
        // What is due by schedule does not disturb it.
        if parts % 10 == 0 {
            beside.run(Period::Due).await;
        }
        parts += 1;
        assert!(parts < 1_000, "it begins anew each time");
    }
    let mut recorded = beside.recorded();
    recorded.remove(&Kind::Observed);
    assert_eq!(recorded, beside.told());
    let sources: Vec<Source> =
        beside.store.all_events().unwrap().iter().map(|recorded| recorded.event.source).collect();
    assert!(sources.contains(&Source::Backfill) && !sources.contains(&Source::Webhook));
    postledger_tests::assert_whole(&beside.store);
}

#[tokio::test]
async fn nobody_works_on_a_server_while_another_does() {
    let beside = Beside::new(Config::usual(6)).await;
    let name = format!("reconcile#{}", beside.server);
    let lease = account::lease::Lease::take(&*beside.store, &name, beside.now(), 60).await.unwrap().unwrap();
    let job = Job { server: beside.server, span: Period::Due, dry_run: false, until: None };
    let refused = beside.reconcile.run(&beside.api, &job, &|_| {}).await.unwrap_err();
    assert!(matches!(refused, reconcile::ReconcileError::Busy(_)), "{refused}");
    lease.release(&*beside.store).await.unwrap();
    beside.run(Period::Due).await;
}

/// Postmark's dates are US Eastern, whose day has 25 hours on the first of November and 23 on the eighth of March.
#[tokio::test]
async fn days_on_which_the_clock_changes_are_complete() {
    for start in ["2026-10-31T12:00:00Z", "2027-03-13T12:00:00Z"] {
        let start = postmark_simulator::Time::parse(start).unwrap();
        let beside = Beside::new(Config { start, ..Config::new(7) }).await;
        for hour in 0..48 {
            beside.send(&people(8).iter().map(|one| format!("h{hour}{one}")).collect::<Vec<_>>()).await;
            beside.pass(HOUR);
        }
        beside.pass(5 * DAY);
        let report = beside.run(beside.asked(8)).await;
        let mut recorded = beside.recorded();
        recorded.remove(&Kind::Observed);
        assert_eq!(recorded, beside.told(), "{report:?}");
        let told = completeness(&*beside.store, beside.server, "2026-10-30", "2027-03-31").await.unwrap();
        let mut sums: BTreeMap<String, Line> = BTreeMap::new();
        for of_stream in told.days.values().flat_map(|streams| streams.values()) {
            for (record_type, line) in &of_stream.lines {
                let sum = sums.entry(record_type.clone()).or_default();
                sum.expected += line.expected;
                sum.recovered += line.recovered;
                sum.unexplained += line.unexplained;
            }
        }
        for (kind, count) in beside.told() {
            let line = sums.get(kind.name()).copied().unwrap_or_default();
            assert_eq!(
                (line.expected, line.recovered, line.unexplained),
                (count as u64, count as u64, 0),
                "{kind:?}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_due_comes_by_itself_bounces_at_once_and_days_after_their_end() {
    let beside = Beside::new(Config::usual(8)).await;
    beside.send(&people(40)).await;
    beside.pass(2 * HOUR);
    let first = beside.run(Period::Due).await;
    assert!(first.found("Bounce").missing > 0, "{first:?}");
    assert_eq!(first.found("Delivery").missing, 0, "their day is not over");
    for _ in 0..6 * 24 {
        beside.pass(HOUR);
        beside.run(Period::Due).await;
    }
    let mut recorded = beside.recorded();
    recorded.remove(&Kind::Observed);
    assert_eq!(recorded, beside.told());
}

#[tokio::test]
async fn faults_of_postmarks_api_delay_and_spoil_nothing() {
    let beside = Beside::new(Config::new(9)).await;
    beside.send(&people(100)).await;
    beside.pass(3 * DAY);
    let span = beside.asked(4);
    let faults = |internal_share| postmark_simulator::Faults { internal_share, ..Default::default() };
    beside.simulator.lock().unwrap().set_faults(faults(0.5));
    let job = Job { server: beside.server, span, dry_run: false, until: None };
    let mut failed = 0;
    while let Err(error) = beside.reconcile.run(&beside.api, &job, &|_| {}).await {
        assert!(matches!(error, reconcile::ReconcileError::Api(_)), "{error}");
        failed += 1;
        assert!(failed < 500, "it never gets on");
        beside.drain().await;
    }
    assert!(failed > 0, "half of all calls failed");
    beside.simulator.lock().unwrap().set_faults(faults(0.0));
    beside.drain().await;
    assert_eq!(beside.run(span).await.told(), 0);
    let mut recorded = beside.recorded();
    recorded.remove(&Kind::Observed);
    assert_eq!(recorded, beside.told());
    postledger_tests::assert_whole(&beside.store);
}

/// Postmark, until it gives no answer any more; how many calls were made.
struct Breaking {
    postmark: InProcess,
    calls: AtomicUsize,
    breaks_after: usize,
}

#[async_trait::async_trait]
impl Transport for Breaking {
    async fn call(&self, request: http::Request<Bytes>) -> Result<http::Response<Chunks>, TransportError> {
        if self.calls.fetch_add(1, Ordering::Relaxed) >= self.breaks_after {
            return Err(TransportError::TooSlow);
        }
        self.postmark.call(request).await
    }
}

/// Of 12,000 messages nothing is ever heard, so each is asked for: what a failure interrupts is not asked for again from
/// the day's beginning.
#[tokio::test]
async fn a_day_of_many_stretches_is_gone_on_with_where_a_failure_ended_it() {
    let beside = Beside::new(Config::usual(13)).await;
    let begin = beside.now();
    for hour in 0..12 {
        let to: Vec<String> = (0..1_000).map(|n| format!("h{hour}n{n}+lost@customer.example")).collect();
        beside.send(&to).await;
        beside.pass(HOUR);
    }
    beside.pass(DAY);
    let span = Period::Asked { from: begin, to: begin.plus_seconds(12 * HOUR), source: Source::Reconcile };
    let mut calls = Vec::new();
    for breaks_after in [10_000, usize::MAX] {
        let postmark = InProcess::new(beside.simulator.clone(), Arc::new(Nobody));
        let breaking = Arc::new(Breaking { postmark, calls: AtomicUsize::new(0), breaks_after });
        let once = Retries { attempts: 1, first_pause: Duration::ZERO, most_pause: Duration::ZERO };
        let api =
            Endpoint::new(breaking.clone()).with_retries(once).server(Token::new(&beside.token).unwrap());
        let job = Job { server: beside.server, span, dry_run: false, until: None };
        let ended = beside.reconcile.run(&api, &job, &|_| {}).await;
        assert_eq!(ended.is_ok(), breaks_after == usize::MAX);
        calls.push(breaking.calls.load(Ordering::Relaxed));
    }
    assert!(calls[1] < 8_000, "{calls:?}");
}

/// A day of statistics that stays at EST begins an hour after the Eastern one in summer: what is recorded in that hour must
/// not make up for what is missing in the day.
#[tokio::test]
async fn an_event_at_the_edge_of_a_day_hides_none_that_is_missing_in_it() {
    for stats_in_fixed_est in [true, false] {
        let start = postmark_simulator::Time::parse("2026-09-01T04:30:00Z").unwrap();
        let usual = Config::usual(11);
        let quirks = postmark_simulator::Quirks { stats_in_fixed_est, ..usual.quirks.clone() };
        let beside = Beside::new(Config { start, quirks, delays: 0.0, ..usual }).await;
        let opened = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| format!("{name}+delivered.open1@customer.example")).collect()
        };
        // What happens now is recorded.
        let record = async || {
            beside.pass(20 * 60);
            let from = beside.now().plus_seconds(-HOUR);
            beside.run(Period::Asked { from, to: beside.now(), source: Source::Reconcile }).await;
        };
        beside.send(&opened(&["c", "d"])).await;
        record().await;
        beside.pass(11 * HOUR);
        beside.send(&opened(&["missing"])).await;
        beside.pass(12 * HOUR + 40 * 60);
        beside.send(&opened(&["a"])).await;
        record().await;
        assert_eq!(beside.recorded()[&Kind::Open], 3);
        beside.pass(3 * DAY);
        beside.run(Period::Due).await;
        assert_eq!(beside.recorded()[&Kind::Open], 4, "fixed EST: {stats_in_fixed_est}");
    }
}

/// The list of opens ends after 10,000 rows: what lies beyond is asked for message by message.
#[tokio::test]
async fn opens_beyond_postmarks_last_row_are_found_by_their_messages() {
    let beside = Beside::new(Config { delays: 0.01, ..Config::usual(10) }).await;
    let opened = |day: i64, count: usize| -> Vec<String> {
        (0..count).map(|n| format!("d{day}n{n}+delivered.open1@customer.example")).collect()
    };
    beside.send(&opened(1, 300)).await;
    let first = beside.now();
    beside.pass(DAY);
    for more in 2..5 {
        beside.send(&opened(more, 4_000)).await;
        beside.pass(DAY);
    }
    let to = first.plus_seconds(DAY);
    beside.run(Period::Asked { from: first.plus_seconds(-HOUR), to, source: Source::Reconcile }).await;
    assert_eq!(beside.recorded()[&Kind::Open], 300);
}

//! The consumer's own binary behind a Runtime API, over DynamoDB: once, whatever happens on the wire.

use ledger::{Class, Source};
use postledger_tests::bodies::{bounce, complaint, delivery, lift, message};
use postledger_tests::emulator::{Emulator, fresh_name, make_stack, tables};
use postledger_tests::lambda::{Function, Lambda, built, consumer, failures, sqs_event};
use postledger_tests::wire::{Mishap, Wire};
use postledger_tests::{SERVER, server_id};
use queue::QueueName;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use store::DynamoDb;
use store::prelude::*;
use store::rebuild::verify;

static BINARY: LazyLock<PathBuf> = LazyLock::new(|| built().join("consumer"));

/// A stack behind a wire, and a consumer's process that knows only the wire.
struct Deployed {
    wire: Wire,
    lambda: Lambda,
    function: Function,
    stack: String,
    store: DynamoDb,
}

impl Deployed {
    /// With mishaps by the number of the call and its operation.
    async fn new(by_time: bool, plan: impl Fn(u64, &str) -> Mishap + Send + Sync + 'static) -> Deployed {
        let (url, stack) = (&Emulator::shared().url, fresh_name());
        make_stack(url, &stack, by_time, Duration::from_secs(30), 10).await;
        let calls = AtomicU64::new(0);
        let counted = move |operation: &str| plan(calls.fetch_add(1, Ordering::Relaxed), operation);
        let wire = Wire::before(url, Arc::new(counted)).await;
        let lambda = Lambda::start().await;
        let function = consumer(BINARY.clone(), &lambda, &wire.url, &stack, by_time);
        let store = tables(url, &stack, by_time);
        Deployed { wire, lambda, function, stack, store }
    }

    /// Hands over a batch whose ids are their places; the places that failed.
    async fn batch(&mut self, queue: QueueName, bodies: &[String]) -> Vec<String> {
        let ids: Vec<String> = (0..bodies.len()).map(|place| place.to_string()).collect();
        let messages = ids.iter().map(String::as_str).zip(bodies.iter().map(String::as_str));
        failures(&self.lambda.invoke(sqs_event(&queue.in_stack(&self.stack), messages)).await)
    }

    /// How many bodies were set aside without a receipt of their own: today, or yesterday if the day has just begun.
    async fn kept(&self) -> usize {
        let mut kept = 0;
        for days in [-1, 0] {
            kept += self.store.quarantined_on(&platform::now().plus_days(days).day()).await.unwrap().len();
        }
        kept
    }

    /// How many events are recorded; fails unless views, rows and counters are those of the events.
    async fn whole(&self) -> u64 {
        let report = verify(&self.store, server_id(SERVER), |_| {}).await.unwrap();
        assert_eq!(report.differences, [], "the ledger is the fold of its events");
        report.events
    }
}

/// How long a call of DynamoDB takes.
const TAKES: std::ops::Range<Duration> = Duration::from_millis(5)..Duration::from_millis(10);
const EARLY: &str = "2026-09-20T08:00:00Z";
const LATE: &str = "2026-09-20T18:00:00Z";

fn webhook(body: &Value) -> String {
    message(Source::Webhook, body)
}

/// State of several recipients: new events, copies in the batch, a better and a worse copy than those before, and a
/// complaint with the id of a bounce that is recorded.
fn critical() -> Vec<String> {
    let mut batch = vec![
        webhook(&bounce(1, 1, EARLY, true)),
        message(Source::Reconcile, &bounce(2, 2, LATE, true)),
        webhook(&bounce(3, 3, EARLY, true)),
        webhook(&bounce(3, 3, LATE, false)),
        webhook(&complaint(5, 5, LATE)),
        webhook(&bounce(5, 5, LATE, true)),
        webhook(&lift(2, LATE)),
        "not an envelope".to_owned(),
    ];
    batch.extend((0..30).map(|n| webhook(&lift(4, &format!("2026-09-20T{:02}:{n:02}:00Z", n % 24)))));
    batch
}

fn before() -> [String; 3] {
    [
        message(Source::Reconcile, &bounce(1, 1, LATE, false)),
        webhook(&bounce(2, 2, EARLY, true)),
        webhook(&bounce(5, 5, EARLY, true)),
    ]
}

/// How many events `before` and `critical` are.
const CRITICAL_EVENTS: u64 = 36;

#[tokio::test(flavor = "multi_thread")]
async fn the_binary_takes_batches_of_all_queues_and_prints_no_address() {
    let mut deployed = Deployed::new(true, |_, _| Mishap::None).await;
    assert!(deployed.batch(QueueName::Critical, &before()).await.is_empty());
    let mut batch = critical();
    batch.push(r#"{"v":99,"server":1}"#.to_owned());
    let failed = deployed.batch(QueueName::Critical, &batch).await;
    assert_eq!(
        failed,
        [(batch.len() - 1).to_string()],
        "a later release's envelope comes again, and only that"
    );
    let bulk: Vec<String> = (0..250).map(|n| webhook(&delivery(n, EARLY))).collect();
    assert!(deployed.batch(QueueName::Bulk, &bulk).await.is_empty());
    assert!(deployed.batch(QueueName::Bulk, &bulk).await.is_empty(), "and once more, to no effect");
    assert_eq!(deployed.whole().await, CRITICAL_EVENTS + 250);
    assert_eq!(deployed.wire.metered().inconsistent, 0);
    let printed = deployed.function.kill().await;
    assert!(printed.contains("\"EventsProcessed\":250"), "{printed}");
    assert!(!printed.contains("customer.example"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_call_meets_whatever_mishap_nothing_is_lost_or_counted_twice() {
    // Where the calls of the batch begin, and how many they are.
    let mut deployed = Deployed::new(false, |_, _| Mishap::None).await;
    assert!(deployed.batch(QueueName::Critical, &before()).await.is_empty());
    let first = deployed.wire.metered().all_calls();
    assert!(deployed.batch(QueueName::Critical, &critical()).await.is_empty());
    let calls = deployed.wire.metered().all_calls();
    assert!(calls >= 8, "{calls}");
    let mishaps =
        [Mishap::Conflict, Mishap::Throttle, Mishap::Fault, Mishap::Lost, Mishap::Cut, Mishap::Torn];
    for mishap in mishaps {
        for place in first..first + calls {
            let plan = move |call, _: &str| if call == place { mishap } else { Mishap::None };
            let mut deployed = Deployed::new(false, plan).await;
            assert!(deployed.batch(QueueName::Critical, &before()).await.is_empty());
            assert!(
                deployed.batch(QueueName::Critical, &critical()).await.is_empty(),
                "{mishap:?} at {place}"
            );
            assert_eq!(deployed.whole().await, CRITICAL_EVENTS, "{mishap:?} at {place}");
            assert_eq!(deployed.kept().await, 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_call_it_leaves_nothing_half_done_and_its_successor_does_the_rest() {
    let mut kills = 0;
    for place in [0, 1, 2, 4, 6, 8, 10, 12] {
        // The call's answer is held back for ever, after it was done or instead of it.
        for done in [false, true] {
            let reached = Arc::new(Mutex::new(None));
            let (tell, told) = tokio::sync::oneshot::channel::<()>();
            *reached.lock().unwrap() = Some(tell);
            let plan = move |call, _: &str| {
                if call != place {
                    return Mishap::None;
                }
                reached.lock().unwrap().take().map(|tell| tell.send(()));
                if done { Mishap::HeldAfter } else { Mishap::HeldBefore }
            };
            let mut deployed = Deployed::new(false, plan).await;
            let mut batch = before().to_vec();
            batch.extend(critical());
            batch.extend((0..20).map(|n| webhook(&delivery(n, EARLY))));
            let killed = tokio::select! {
                failed = deployed.batch(QueueName::Critical, &batch) => {
                    assert!(failed.is_empty());
                    false
                }
                _ = told => true,
            };
            if killed {
                kills += 1;
                deployed.function.child.start_kill().unwrap();
                deployed.function.child.wait().await.unwrap();
                deployed.whole().await;
                deployed.lambda = Lambda::start().await;
                deployed.function =
                    consumer(BINARY.clone(), &deployed.lambda, &deployed.wire.url, &deployed.stack, false);
                assert!(deployed.batch(QueueName::Critical, &batch).await.is_empty());
            }
            assert_eq!(deployed.whole().await, CRITICAL_EVENTS + 20, "killed at call {place}");
        }
    }
    assert!(kills >= 12, "{kills}");
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_that_race_for_the_same_recipients_lose_no_event_and_count_none_twice() {
    let mut deployed = Deployed::new(false, |_, _| Mishap::None).await;
    let contended = Wire::contended_before(&Emulator::shared().url, TAKES).await;
    let (wire, stack) = (contended.url.clone(), deployed.stack.clone());
    let mut racing = tokio::task::JoinSet::new();
    for racer in 0..4_usize {
        let (wire, stack) = (wire.clone(), stack.clone());
        racing.spawn(async move {
            let mut lambda = Lambda::start().await;
            let _function = consumer(BINARY.clone(), &lambda, &wire, &stack, false);
            for n in 0..12 {
                // Every other message is every racer's.
                let name = if n % 2 == 0 { n } else { 100 * (racer + 1) + n };
                let own = 1_000 * (racer + 1) + n;
                let batch = [webhook(&bounce(name, 1, EARLY, true)), webhook(&delivery(own, EARLY))];
                let messages = batch.iter().map(|body| ("one", &**body)).zip(["a", "b"]);
                let messages = messages.map(|((_, body), id)| (id, body));
                let event = sqs_event(&QueueName::Critical.in_stack(&stack), messages);
                assert!(failures(&lambda.invoke(event).await).is_empty());
            }
        });
    }
    racing.join_all().await;
    assert_eq!(deployed.whole().await, (6 + 4 * 6) + 4 * 12);
    assert!(contended.metered().cancelled > 0, "they did race");
    let met = contended.mishaps.lock().unwrap().get("Met TransactWriteItems").copied();
    assert!(met > Some(0), "and met at items while both were under way");
    assert!(deployed.batch(QueueName::Critical, &before()).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_answers_before_its_deadline_whatever_does_not() {
    // The key and the rules, then nothing any more.
    let plan = |_, operation: &str| match operation {
        "TransactWriteItems" => Mishap::Throttle,
        "Query" => Mishap::HeldBefore,
        _ => Mishap::None,
    };
    let mut deployed = Deployed::new(false, plan).await;
    deployed.lambda.give(Duration::from_secs(4));
    // The query is never answered at all: that there is an answer shows that it was given up.
    for body in [delivery(1, EARLY), bounce(1, 1, EARLY, true)] {
        assert_eq!(deployed.batch(QueueName::Critical, &[webhook(&body)]).await, ["0"]);
    }
    assert_eq!(deployed.whole().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_may_not_do_is_given_back_and_never_set_aside() {
    let plan = |_, operation: &str| match operation {
        "TransactWriteItems" => Mishap::Denied,
        _ => Mishap::None,
    };
    let mut deployed = Deployed::new(false, plan).await;
    for body in [delivery(1, EARLY), bounce(1, 1, EARLY, true)] {
        assert_eq!(deployed.batch(QueueName::Critical, &[webhook(&body)]).await, ["0"]);
    }
    assert!(deployed.store.quarantined_on(&postledger_tests::now().day()).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_deliveries_cost_what_they_may() {
    for (by_time, index_units) in [(false, 1.0), (true, 2.0)] {
        let mut deployed = Deployed::new(by_time, |_, _| Mishap::None).await;
        // The first batch of an environment also notes streams and floors.
        assert!(deployed.batch(QueueName::Bulk, &[webhook(&delivery(0, EARLY))]).await.is_empty());
        deployed.wire.metered();
        let batch: Vec<String> = (1..=100).map(|n| webhook(&delivery(n, EARLY))).collect();
        assert!(deployed.batch(QueueName::Bulk, &batch).await.is_empty());
        let meter = deployed.wire.metered();
        assert_eq!((meter.all_index_writes() as f64 / 100.0, meter.cancelled), (index_units, 0));
        let counted = meter.all_writes() + meter.all_index_writes() + meter.all_reads();
        assert_eq!(meter.told, counted as f64, "the emulator counts alike: {meter:?}");
        let per_event = |n: u64| n as f64 / 100.0;
        assert!(per_event(meter.all_writes()) <= 2.1, "{:?}", meter.writes);
        assert!(per_event(meter.all_reads()) <= 0.1, "{:?}", meter.reads);
        assert!(per_event(meter.all_calls()) <= 0.05, "{:?}", meter.calls);
        let deliveries = meter.items["Delivery"];
        assert!(deliveries.largest <= 1_024, "{deliveries:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_is_read_by_one_query_and_nothing_else() {
    let mut deployed = Deployed::new(false, |_, _| Mishap::None).await;
    assert!(deployed.batch(QueueName::Critical, &[webhook(&bounce(0, 0, EARLY, true))]).await.is_empty());
    deployed.wire.metered();
    let batch: Vec<String> = (1..=10).map(|n| webhook(&bounce(n, n, EARLY, true))).collect();
    assert!(deployed.batch(QueueName::Critical, &batch).await.is_empty());
    let calls = deployed.wire.metered().calls;
    let expected = [("GetItem", 1), ("Query", 10), ("TransactWriteItems", 1)];
    assert_eq!(calls, expected.map(|(operation, times)| (operation.to_owned(), times)).into());
    let recipient = ledger::LedgerKey::for_tests().recipient_id(server_id(SERVER), "r1@customer.example");
    let page = deployed.store.events(server_id(SERVER), recipient, Class::State, None, 10).await.unwrap();
    assert_eq!(page.items.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_with_hundreds_of_events_in_one_batch_is_committed_whole() {
    let mut deployed = Deployed::new(false, |_, _| Mishap::None).await;
    let batch: Vec<String> = (0..250)
        .map(|n| {
            let at = format!("2026-09-{:02}T{:02}:00:00Z", 1 + n % 28, n % 24);
            let mut body = bounce(n, 1, &at, n % 2 == 0);
            body["MessageStream"] = format!("stream-{}", n % 40).into();
            webhook(&body)
        })
        .collect();
    assert!(deployed.batch(QueueName::Critical, &batch).await.is_empty());
    assert_eq!(deployed.whole().await, 250);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_left_unprocessed_are_asked_for_again() {
    let mut deployed = Deployed::new(false, |_, _| Mishap::None).await;
    let batch: Vec<String> = (0..4).map(|n| webhook(&bounce(n, n, EARLY, true))).collect();
    assert!(deployed.batch(QueueName::Critical, &batch).await.is_empty());
    let asked = AtomicU64::new(0);
    let partial = move |_: &str| match asked.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => Mishap::Partial,
        _ => Mishap::None,
    };
    let wire = Wire::before(&Emulator::shared().url, Arc::new(partial)).await;
    let store = tables(&wire.url, &deployed.stack, false);
    let key = ledger::LedgerKey::for_tests();
    let of = |n: usize| key.recipient_id(server_id(SERVER), &format!("r{n}@customer.example"));
    let views = store.views(server_id(SERVER), &[of(0), of(9), of(1), of(2), of(3)]).await.unwrap();
    let there: Vec<bool> = views.iter().map(Option::is_some).collect();
    assert_eq!(there, [true, false, true, true, true]);
    assert_eq!(wire.metered().calls["BatchGetItem"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_is_missing_or_unusable_is_named_and_not_quoted() {
    let url = &Emulator::shared().url;
    let lambda = Lambda::start().await;
    for (named, some) in [
        ("POSTLEDGER_TRUSTED_SENDERS", &[][..]),
        ("POSTLEDGER_EVENTS_TABLE", &[("POSTLEDGER_TRUSTED_SENDERS", "AROAOPERATOR")]),
    ] {
        let (status, printed) = Function::start(BINARY.clone(), &lambda.address, url, some).end().await;
        assert!(!status.success() && printed.contains(named), "{named} in {printed}");
    }
    let tables = ["EVENTS", "RECIPIENTS", "COUNTERS", "REGISTRY", "QUARANTINE"]
        .map(|name| (format!("POSTLEDGER_{name}_TABLE"), "oddity".to_owned()));
    let with = |more: &[(&'static str, &'static str)]| -> Vec<(String, String)> {
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let trusted = ("POSTLEDGER_TRUSTED_SENDERS".to_owned(), "AROAOPERATOR".to_owned());
        tables.iter().cloned().chain([trusted]).chain(more).collect()
    };
    for (named, more) in [
        ("POSTLEDGER_LEDGER_KEY_PARAMETER", with(&[])),
        ("there is no parameter /nobody", with(&[("POSTLEDGER_LEDGER_KEY_PARAMETER", "/nobody")])),
        ("POSTLEDGER_RETENTION_DAYS", with(&[("POSTLEDGER_RETENTION_DAYS", "8")])),
    ] {
        let more: Vec<(&str, &str)> = more.iter().map(|(name, value)| (&**name, &**value)).collect();
        let (status, printed) = Function::start(BINARY.clone(), &lambda.address, url, &more).end().await;
        assert!(!status.success() && printed.contains(named), "{named} in {printed}");
    }
}

//! The ledger that comes of what the deployed doors took in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postledger_tests::deployed::Deployed;
use postledger_tests::generator::{Generator, SERVERS};
use postledger_tests::soak::{fold_file, same_lines, write_bodies};
use postledger_tests::soak_aws::stored_lines;
use postmark::RecordType;
use queue::QueueName;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use store::prelude::*;

/// How many events are told; with their copies there are more webhooks.
const EVENTS: u64 = 2_000;
/// How many are told at once.
const AT_ONCE: usize = 8;
/// How often a consumer's process is killed meanwhile.
const KILLS: usize = 6;

#[test]
fn thousands_of_webhooks_in_any_order_some_twice_and_some_poison_make_the_ledger_that_their_fold_is() {
    let stack = Deployed::new("whole");
    // What a killed consumer held comes again soon.
    for name in QueueName::LIVE {
        stack.set_queue(name, "VisibilityTimeout", "8");
    }
    let generator = Generator { seed: 11, events: EVENTS, now: platform::now() };
    let mut order = generator.order(5);
    order.retain(|(event, copy)| generator.telling(*event, *copy).source == ledger::Source::Webhook);
    assert!(order.len() >= 2_000, "{}", order.len());
    let file = stack.home.path().join("bodies.jsonl");
    write_bodies(&file, &generator, &order);

    let (next, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let killed = AtomicUsize::new(0);
    let poison: Mutex<BTreeSet<Vec<u8>>> = Mutex::default();
    let (deployed, order) = (&stack, &order);
    std::thread::scope(|scope| {
        let tellers: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                scope.spawn(|| {
                    while let Some((event, copy)) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let telling = generator.telling(*event, *copy);
                        let right = deployed.authorization(telling.server);
                        deployed.tell(telling.server, telling.segment, &right, &telling.body);
                        let context = postmark::Context {
                            server: postledger_tests::server_id(telling.server),
                            received_at: generator.now,
                            source: telling.source,
                            keep_engagement_detail: false,
                        };
                        if postmark::examine(&telling.body, &context).is_err() {
                            poison.lock().unwrap().insert(telling.body);
                        }
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            while killed.load(Ordering::Relaxed) < KILLS && !done.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(1_500));
                for pid in deployed.processes("consumer") {
                    let kill = std::process::Command::new("kill").args(["-KILL", &pid]).status();
                    killed
                        .fetch_add(usize::from(kill.is_ok_and(|status| status.success())), Ordering::Relaxed);
                }
            }
        });
        tellers.into_iter().for_each(|teller| teller.join().unwrap());
        done.store(true, Ordering::Relaxed);
    });
    assert!(killed.into_inner() > 0, "no consumer was killed");
    stack.settled();

    let (ours, recorded) = stack.block(stored_lines(&stack.store));
    assert!(recorded > 0);
    same_lines(ours, fold_file(&file));
    let kept = stack.block(stack.store.quarantined_on(&platform::now().day())).unwrap();
    let kept: BTreeSet<String> = kept.into_iter().map(|kept| kept.part.body).collect();
    let poison: BTreeSet<String> =
        poison.into_inner().unwrap().iter().map(|body| STANDARD.encode(body)).collect();
    assert_eq!(kept, poison, "quarantine is exactly the poison");
    for server in SERVERS {
        let server = server.to_string();
        let report = stack.told(&["rebuild", "--verify", "--server", &server]);
        assert_eq!(report["differences"], serde_json::json!([]), "{server}");
    }
    let named = RecordType::ALL.map(|of| format!("ingest-{}", of.segment()));
    for function in named.iter().map(String::as_str).chain(["ingest-events", "consumer"]) {
        let printed = stack.printed(function).join("\n");
        assert!(!printed.is_empty(), "{function} prints nothing");
        assert!(!printed.contains("customer.example") && !printed.contains("Basic "), "{function}");
    }
}

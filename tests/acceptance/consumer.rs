//! The consumer's promises: once, whatever the copies, the batches and the moment it is killed at.

use crate::fixtures;
use consumer::Consumer;
use faults::{Fault, Plan};
use ledger::{LedgerKey, Source, Time};
use postledger_tests::bodies::{bounce, complaint, delivery, envelope, lift, message};
use postledger_tests::{SERVER, World, assert_whole, consumer, handle, now, server_id};
use queue::{QueueName, SetAside};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use store::prelude::*;
use store::{Memory, SHARDS};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

const EARLY: &str = "2026-09-20T08:00:00Z";
const LATE: &str = "2026-09-20T18:00:00Z";

/// Everything at once: new events, copies in the batch, better and worse copies of what is recorded, a complaint with
/// the id of a bounce that is recorded, several recipients, more than a chunk, and poison.
fn before() -> Vec<String> {
    vec![
        message(Source::Reconcile, &bounce(1, 1, LATE, false)),
        message(Source::Reconcile, &delivery(1, LATE)),
        message(Source::Webhook, &bounce(2, 2, EARLY, true)),
        message(Source::Webhook, &bounce(5, 5, EARLY, true)),
    ]
}

fn critical() -> Vec<String> {
    let mut batch = vec![
        message(Source::Webhook, &bounce(1, 1, EARLY, true)),
        message(Source::Reconcile, &bounce(2, 2, LATE, true)),
        message(Source::Webhook, &bounce(3, 3, EARLY, true)),
        message(Source::Webhook, &bounce(3, 3, LATE, false)),
        message(Source::Webhook, &complaint(5, 5, LATE)),
        message(Source::Webhook, &bounce(5, 5, LATE, true)),
        message(Source::Webhook, &lift(2, LATE)),
        "not an envelope".to_owned(),
        json!({ "v": 1, "server": SERVER, "record_type": "Bounce", "received_at": now(), "source": "webhook", "body": {} })
            .to_string(),
    ];
    for n in 0..60 {
        batch.push(message(Source::Webhook, &lift(4, &format!("2026-09-20T{:02}:{:02}:00Z", n % 24, n))));
    }
    batch
}

fn bulk() -> Vec<String> {
    let mut batch =
        vec![message(Source::Webhook, &delivery(1, EARLY)), message(Source::Webhook, &delivery(2, LATE))];
    for n in 0..150 {
        batch.push(message(Source::Webhook, &delivery(n, EARLY)));
    }
    batch
}

fn quarantined() -> Vec<String> {
    let aside = SetAside {
        server: server_id(SERVER),
        generation: 1,
        key_id: String::new(),
        received_at: now(),
        source: Source::Webhook,
        reason: "not_json".to_owned(),
        detail: String::new(),
        record_type: None,
        dropped: Vec::new(),
        erased: None,
        body: vec![1; 3 * queue::PART_BYTES_MAX],
    };
    aside.parts().iter().map(queue::Part::encode).collect()
}

fn all() -> [(QueueName, Vec<String>); 3] {
    [(QueueName::Critical, critical()), (QueueName::Bulk, bulk()), (QueueName::Quarantine, quarantined())]
}

async fn finish(store: &Arc<Memory>) {
    let consumer = consumer(store.clone());
    for (queue, batch) in all() {
        assert!(handle(&consumer, queue, &batch, 60).await.is_empty());
    }
}

async fn begun() -> Arc<Memory> {
    let store = Arc::new(Memory::default());
    assert!(handle(&consumer(store.clone()), QueueName::Critical, &before(), 60).await.is_empty());
    store
}

/// What a ledger holds, to be compared.
fn contents(store: &Memory) -> (Vec<String>, Vec<String>, usize) {
    let views = store.all_views().unwrap().iter().map(postledger::fold::state_line).collect();
    (views, postledger::fold::counter_lines(&store.all_counters()), store.all_quarantined().unwrap().len())
}

#[test]
fn stopped_at_any_call_it_leaves_nothing_or_everything_and_the_rest_is_done_later() {
    let expected = runtime().block_on(async {
        let store = begun().await;
        finish(&store).await;
        assert_whole(&store);
        contents(&store)
    });
    for fault in [Fault::StopBefore, Fault::StopAfter, Fault::LoseAnswer, Fault::Refuse, Fault::Conflict] {
        for (queue, batch) in all() {
            let mut place = 0;
            loop {
                let reached = runtime().block_on(async {
                    let store = begun().await;
                    let calls = Arc::new(AtomicUsize::new(0));
                    let counted = calls.clone();
                    let plan = Plan::new(move |_| {
                        if counted.fetch_add(1, Ordering::Relaxed) == place { fault } else { Fault::None }
                    });
                    let faulty = consumer(Arc::new(store::Faulty::new(store.clone(), plan.clone())));
                    tokio::select! {
                        failed = handle(&faulty, queue, &batch, 60) => {
                            assert!(failed.is_empty(), "one {fault:?} is overcome");
                        }
                        () = plan.stopped() => {}
                    }
                    assert_whole(&store);
                    finish(&store).await;
                    assert_whole(&store);
                    assert_eq!(contents(&store), expected, "{fault:?} at call {place} of {queue:?}");
                    calls.load(Ordering::Relaxed) > place
                });
                if !reached {
                    break;
                }
                place += 1;
            }
            assert!(place >= 3, "{queue:?} makes several calls");
        }
    }
}

#[test]
fn a_better_copy_replaces_the_recorded_one_and_moves_its_count_whichever_comes_first() {
    let copies = [
        message(Source::Reconcile, &bounce(1, 1, LATE, true)),
        message(Source::Webhook, &bounce(1, 1, LATE, false)),
        message(Source::Webhook, &bounce(1, 1, LATE, true)),
        message(Source::Webhook, &bounce(1, 1, EARLY, true)),
    ];
    let deliveries =
        [message(Source::Reconcile, &delivery(1, LATE)), message(Source::Webhook, &delivery(1, EARLY))];
    let mut seen = Vec::new();
    for turn in 0..copies.len() {
        let store = runtime().block_on(async {
            let store = Arc::new(Memory::default());
            let consumer = consumer(store.clone());
            for place in 0..copies.len() {
                let one = [copies[(place + turn) % copies.len()].clone()];
                assert!(handle(&consumer, QueueName::Critical, &one, 60).await.is_empty());
                let one = [deliveries[(place + turn) % 2].clone()];
                assert!(handle(&consumer, QueueName::Bulk, &one, 60).await.is_empty());
            }
            store
        });
        assert_whole(&store);
        seen.push(contents(&store));
        let recorded = store.all_events().unwrap();
        assert_eq!(recorded.len(), 2);
        assert!(
            recorded
                .iter()
                .all(|one| one.event.source == Source::Webhook && one.event.at.to_string().contains("T08"))
        );
    }
    assert!(seen.iter().all(|contents| *contents == seen[0]));
    assert_eq!(seen[0].1.len(), 1, "the late hour counts nothing any more");
}

/// A delivery, bounce, complaint, first open and click of one recipient as somebody tells them: tagged by that, at an
/// instant, the bounces `inactive` or not, the complaint under one of its two record types.
fn of_each_kind(by: &str, at: &str, inactive: bool, complaint: &str) -> Vec<serde_json::Value> {
    let engaged = |record_type: &str| {
        json!({ "RecordType": record_type, "MessageStream": "outbound", "MessageID": "m1", "Tag": by,
            "Recipient": "r1@customer.example", "ReceivedAt": at, "Platform": "Desktop",
            "UserAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0" })
    };
    let mut open = engaged("Open");
    open["FirstOpen"] = json!(true);
    let mut click = engaged("Click");
    click["OriginalLink"] = json!("https://customer.example/invoice");
    let mut complained = bounce(2, 1, at, inactive);
    (complained["RecordType"], complained["Type"]) = (json!(complaint), json!("SpamComplaint"));
    let mut all = vec![delivery(1, at), bounce(1, 1, at, inactive), complained, open, click];
    all.iter_mut().for_each(|body| body["Tag"] = json!(by));
    all
}

#[test]
fn what_the_api_told_first_is_counted_once_when_its_webhook_comes_later_and_that_copy_is_kept() {
    const KINDS: [&str; 5] = ["bounce_hard", "click", "complaint", "delivered", "open_first"];
    let counted = |store: &Memory| -> Vec<(String, String, i64)> {
        let counters = store.all_counters();
        let hours = counters.iter().flat_map(|(hour, counts)| {
            counts.iter().map(|(measure, n)| (measure.name().to_owned(), hour.hour.clone(), *n))
        });
        let mut all: Vec<_> = hours.filter(|(.., n)| *n != 0).collect();
        all.sort();
        all
    };
    let once_at = |hour: &str| KINDS.map(|kind| (kind.to_owned(), format!("2026-09-20T{hour}"), 1)).to_vec();
    runtime().block_on(async {
        for (source, complaint) in [(Source::Reconcile, "Bounce"), (Source::Backfill, "SpamComplaint")] {
            let store = Arc::new(Memory::default());
            let consumer = consumer(store.clone());
            let take = async |batch: Vec<String>| {
                // Whichever queue they come by.
                assert!(handle(&consumer, QueueName::Bulk, &batch, 60).await.is_empty());
                assert_whole(&store);
            };
            let of_api = || -> Vec<String> {
                let bodies = of_each_kind("api", LATE, source == Source::Backfill, complaint);
                bodies.iter().map(|body| message(source, body)).collect()
            };
            let webhooks = || -> Vec<String> {
                let bodies = of_each_kind("webhook", EARLY, true, "SpamComplaint");
                bodies.iter().map(|body| message(Source::Webhook, body)).collect()
            };
            take(of_api()).await;
            assert_eq!(counted(&store), once_at("18"));
            assert!(store.all_rows().is_empty(), "a row of the API is no proof that the list holds it");
            take(webhooks()).await;
            assert_eq!(counted(&store), once_at("08"), "the counts have moved");
            assert_eq!(store.all_rows().len(), 1, "the webhooks are");
            let recorded = store.all_events().unwrap();
            assert_eq!(recorded.len(), 5);
            for one in &recorded {
                assert_eq!((one.event.source, &*one.event.at.hour()), (Source::Webhook, "2026-09-20T08"));
                assert!(one.body.as_deref().unwrap().contains(r#""Tag":"webhook""#));
                let lives = one.expires_at.map(|expires| expires.seconds() - one.event.at.seconds());
                let as_its_own = (one.event.class() != ledger::Class::State).then_some(402 * 86_400);
                assert_eq!(lives, as_its_own, "it expires by the time of the copy that is kept");
            }
            let kept = contents(&store);
            take(of_api()).await;
            take([of_api(), webhooks(), of_api()].concat()).await;
            assert_eq!((counted(&store), contents(&store)), (once_at("08"), kept.clone()));
            // Both in one batch, whichever is first.
            for batch in [[of_api(), webhooks()].concat(), [webhooks(), of_api()].concat()] {
                let store = Arc::new(Memory::default());
                let consumer = postledger_tests::consumer(store.clone());
                assert!(handle(&consumer, QueueName::Critical, &batch, 60).await.is_empty());
                assert_eq!((counted(&store), contents(&store)), (once_at("08"), kept.clone()));
            }
        }
    });
}

#[test]
fn a_bounce_and_a_complaint_of_one_id_are_both_recorded_and_counted_whichever_comes_first() {
    let told = [
        message(Source::Webhook, &bounce(1, 1, EARLY, true)),
        message(Source::Webhook, &complaint(1, 1, LATE)),
        message(Source::Reconcile, &bounce(1, 1, EARLY, true)),
        message(Source::Reconcile, &complaint(1, 1, EARLY)),
    ];
    let ledger = |batches: Vec<Vec<String>>| {
        runtime().block_on(async {
            let store = Arc::new(Memory::default());
            for batch in batches {
                assert!(handle(&consumer(store.clone()), QueueName::Critical, &batch, 60).await.is_empty());
                assert_whole(&store);
            }
            let mut kinds: Vec<_> =
                store.all_events().unwrap().iter().map(|one| (one.event.kind(), one.event.source)).collect();
            kinds.sort_unstable();
            assert_eq!(
                kinds,
                [(ledger::Kind::Bounce, Source::Webhook), (ledger::Kind::SpamComplaint, Source::Webhook)]
            );
            contents(&store)
        })
    };
    let expected = ledger(vec![told.to_vec()]);
    assert!(expected.0[0].contains("complaint") && expected.0[0].contains("hard_bounce"), "{expected:?}");
    for first in 0..told.len() {
        let mut order = told.to_vec();
        order.rotate_left(first);
        for _ in 0..2 {
            order.reverse();
            assert_eq!(ledger(vec![order.clone()]), expected);
            assert_eq!(ledger(order.iter().map(|one| vec![one.clone()]).collect()), expected);
        }
    }
}

#[test]
fn what_the_api_told_bears_no_credential_that_could_be_revoked() {
    runtime().block_on(async {
        let store = Arc::new(Memory::default());
        store.revoke(server_id(SERVER), 1, now().plus_days(-1)).await.unwrap();
        let of_webhook = envelope(Source::Webhook, &delivery(1, EARLY));
        let of_api = queue::Envelope::told(
            of_webhook.server,
            &ledger::event::What::Delivery,
            of_webhook.received_at,
            Source::Reconcile,
            of_webhook.body.get().to_owned(),
            Vec::new(),
        );
        let batch = [of_webhook.encode(), of_api.unwrap().encode()];
        assert!(handle(&consumer(store.clone()), QueueName::Bulk, &batch, 60).await.is_empty());
        let recorded = store.all_events().unwrap();
        assert_eq!(recorded.iter().map(|one| one.event.source).collect::<Vec<_>>(), [Source::Reconcile]);
        assert_eq!(store.all_quarantined().unwrap().len(), 1);
    });
}

#[test]
fn consumers_that_race_for_one_recipient_lose_no_event_and_count_none_twice() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let store = Arc::new(Memory::default());
    let mut running = tokio::task::JoinSet::new();
    for worker in 0..6_usize {
        let store = store.clone();
        running.spawn_on(
            async move {
                let consumer = consumer(store);
                for n in 0..20 {
                    // Every other message is every worker's.
                    let name = if n % 2 == 0 { n } else { 100 * (worker + 1) + n };
                    let batch = [
                        message(Source::Webhook, &bounce(name, 1, EARLY, true)),
                        message(Source::Webhook, &delivery(name, EARLY)),
                    ];
                    assert!(handle(&consumer, QueueName::Critical, &batch, 600).await.is_empty());
                }
            },
            runtime.handle(),
        );
    }
    runtime.block_on(running.join_all());
    assert_whole(&store);
    assert_eq!(store.all_events().unwrap().len(), 2 * (10 + 6 * 10));
}

#[test]
fn a_poison_message_does_not_hold_back_its_batch() {
    let world = World::default();
    let batch = ["not json".to_owned(), message(Source::Webhook, &bounce(1, 1, EARLY, true))];
    let failed = world.block(handle(&world.stack.consumer, QueueName::Critical, &batch, 60));
    assert!(failed.is_empty());
    assert_eq!(world.store.all_events().unwrap().len(), 1);
    assert_eq!(world.set_aside(), [("not_an_envelope".to_owned(), 1)].into());
}

#[test]
fn an_envelope_of_a_later_release_comes_again_and_the_rest_is_done() {
    let world = World::default();
    let later = r#"{"v":99,"server":1}"#.to_owned();
    let batch = [later, message(Source::Webhook, &bounce(1, 1, EARLY, true))];
    assert_eq!(world.block(handle(&world.stack.consumer, QueueName::Critical, &batch, 60)), ["0"]);
    assert_eq!(world.store.all_events().unwrap().len(), 1);
}

#[test]
fn near_its_deadline_a_batch_gives_back_the_rest_and_what_was_done_is_done() {
    runtime().block_on(async {
        let store = Arc::new(Memory::default());
        // From the second commit on the store takes none.
        let commits = AtomicUsize::new(0);
        let plan = Plan::new(move |call| match call {
            "commit" if commits.fetch_add(1, Ordering::Relaxed) >= 1 => Fault::Refuse,
            _ => Fault::None,
        });
        let faulty = consumer(Arc::new(store::Faulty::new(store.clone(), plan)));
        let started = tokio::time::Instant::now();
        let batch = bulk();
        let failed = handle(&faulty, QueueName::Bulk, &batch, 30).await;
        let took = started.elapsed().as_secs();
        assert!((26..=27).contains(&took), "it stops three seconds before its deadline, not at {took}");
        let recorded = store.all_events().unwrap().len();
        assert!(recorded > 50 && !failed.is_empty() && failed.len() < batch.len());
        assert_whole(&store);
        assert!(handle(&consumer(store.clone()), QueueName::Bulk, &batch, 30).await.is_empty());
        assert_eq!(store.all_events().unwrap().len(), 150);
    });
}

#[test]
fn a_batch_whose_time_is_up_touches_nothing() {
    runtime().block_on(async {
        let store = Arc::new(Memory::default());
        let failed = handle(&consumer(store.clone()), QueueName::Bulk, &bulk(), 3).await;
        assert_eq!(failed.len(), bulk().len());
        assert!(store.all_events().unwrap().is_empty());
    });
}

#[test]
fn events_received_after_their_generation_was_revoked_are_set_aside_whenever_they_are_consumed() {
    runtime().block_on(async {
        let store = Arc::new(Memory::default());
        let consumer = consumer(store.clone());
        let of = |n: usize, received_at: Time, overridden: bool, generation: u32| {
            let mut envelope = envelope(Source::Webhook, &bounce(n, n, EARLY, true));
            (envelope.received_at, envelope.overridden, envelope.generation) =
                (received_at, overridden, generation);
            envelope.encode()
        };
        let revoked = now().plus_days(-1);
        store.revoke(server_id(SERVER), 1, revoked).await.unwrap();
        let batch = [
            of(1, revoked, false, 1),
            of(2, revoked.plus_seconds(1), false, 1),
            of(3, revoked.plus_seconds(1), true, 1),
            of(4, revoked.plus_seconds(1), false, 2),
        ];
        assert!(handle(&consumer, QueueName::Critical, &batch, 60).await.is_empty());
        let ids = store.all_events().unwrap().len();
        let kept = store.all_quarantined().unwrap();
        assert_eq!((ids, kept.len(), &*kept[0].part.reason), (3, 1, "revoked"));
        let expires = revoked.plus_seconds(1).plus_days(consumer::REVOKED_DAYS);
        let seconds = kept[0].expires_at.unwrap().seconds();
        assert_eq!(seconds, expires.seconds(), "a bounce too: anybody may send any number of them");
        // Taken back, it is as if it had never been.
        store.unrevoke(server_id(SERVER), 1).await.unwrap();
        assert!(handle(&consumer, QueueName::Critical, &batch, 60).await.is_empty());
        assert_eq!((store.all_events().unwrap().len(), store.all_quarantined().unwrap().len()), (4, 1));
    });
}

#[test]
fn an_event_below_the_expiry_floor_is_set_aside_unless_an_operator_says_otherwise() {
    runtime().block_on(async {
        let store = Arc::new(Memory::default());
        let floor = now().plus_days(-400);
        let of = |n: usize, at: Time, overridden: bool| {
            let mut envelope = envelope(Source::Webhook, &delivery(n, &at.to_string()));
            envelope.overridden = overridden;
            envelope.encode()
        };
        let batch = [
            of(1, floor, false),
            of(2, floor.plus_seconds(-1), false),
            of(3, floor.plus_seconds(-1), true),
            message(Source::Webhook, &bounce(4, 4, &floor.plus_seconds(-1).to_string(), true)),
        ];
        assert!(handle(&consumer(store.clone()), QueueName::Bulk, &batch, 60).await.is_empty());
        assert_eq!(store.all_events().unwrap().len(), 3, "what has state never expires");
        let kept = store.all_quarantined().unwrap();
        assert_eq!((kept.len(), &*kept[0].part.reason), (1, "too_old"));
        assert!(kept[0].expires_at.is_some(), "a delivery in quarantine expires by its receipt");
        let recorded = store.all_events().unwrap();
        let expires = recorded.iter().filter_map(|one| one.expires_at).min().unwrap();
        assert!(expires > now().plus_days(1), "nothing above the floor has expired");
        // The floor that was reached stays, even for a consumer with a longer retention.
        assert_eq!(store.rules().await.unwrap().floors[&ledger::Class::Delivery], floor);
        let mut settings = consumer::Settings::new(LedgerKey::for_tests(), postledger_tests::clock());
        settings.retention_days = 800;
        let longer = consumer::Consumer::new(store.clone(), settings);
        assert!(
            handle(&longer, QueueName::Bulk, &[of(5, floor.plus_seconds(-1), false)], 60).await.is_empty()
        );
        assert_eq!(store.all_quarantined().unwrap().len(), 2);
    });
}

#[test]
fn a_recipient_with_hundreds_of_events_in_one_batch_is_committed_whole() {
    runtime().block_on(async {
        let store = Arc::new(Memory::default());
        let batch: Vec<String> = (0..400)
            .map(|n| {
                let mut body =
                    bounce(n, 1, &format!("2026-09-{:02}T{:02}:00:00Z", 1 + n % 28, n % 24), false);
                body["MessageStream"] = json!(format!("stream-{}", n % 40));
                message(Source::Webhook, &body)
            })
            .collect();
        assert!(handle(&consumer(store.clone()), QueueName::Critical, &batch, 60).await.is_empty());
        assert_eq!(store.all_events().unwrap().len(), 400);
        assert_whole(&store);
    });
}

#[test]
fn bulk_and_critical_never_share_a_counter_shard() {
    let world = World::default();
    world.post("bounce", fixtures::read("bounce-hard.json"));
    world.post("delivery", fixtures::read("delivery-current.json"));
    world.drain();
    let by_stream: BTreeMap<_, _> =
        world.store.all_counters().iter().map(|(hour, n)| (hour.clone(), n.len())).collect();
    assert_eq!(by_stream.values().sum::<usize>(), 2);
    let shards = world.store.counter_shards();
    assert_eq!(shards.len(), 2);
    assert_ne!(shards[0] < SHARDS / 2, shards[1] < SHARDS / 2);
}

/// A consumer whose commits fail by a list, and then no more; and its tables.
fn failing(commits: &'static [Fault]) -> (Consumer, Arc<Memory>) {
    let store = Arc::new(Memory::default());
    let calls = AtomicUsize::new(0);
    let plan = Plan::new(move |name| match name {
        "commit" => commits.get(calls.fetch_add(1, Ordering::Relaxed)).copied().unwrap_or(Fault::None),
        _ => Fault::None,
    });
    (consumer(Arc::new(store::Faulty::new(store.clone(), plan))), store)
}

#[test]
fn where_a_counter_conflicts_the_event_is_counted_in_another_shard() {
    for (queue, bodies) in [
        (QueueName::Bulk, [1, 2].map(|n| delivery(n, EARLY))),
        (QueueName::Critical, [1, 2].map(|n| bounce(n, n, EARLY, true))),
    ] {
        runtime().block_on(async {
            // Of an event and its counter the second conflicts; of a bounce's four actions none but the third, a row.
            let (consumer, store) = failing(&[Fault::None, Fault::Conflict]);
            let [first, second] = bodies.map(|body| vec![message(Source::Webhook, &body)]);
            assert!(handle(&consumer, queue, &first, 60).await.is_empty());
            let before = store.counter_shards();
            assert!(handle(&consumer, queue, &second, 60).await.is_empty());
            let after = store.counter_shards();
            match queue {
                QueueName::Bulk => {
                    assert_eq!(after.len(), 2, "the second is counted elsewhere");
                    assert!(after.iter().all(|shard| *shard < SHARDS / 2), "and among bulk's: {after:?}");
                }
                _ => assert_eq!(after, before, "no counter conflicted"),
            }
            assert_whole(&store);
        });
    }
}

#[test]
fn what_was_committed_unheard_is_not_counted_again_in_another_shard() {
    for faults in [
        &[Fault::LoseAnswer, Fault::Conflict][..],
        &[Fault::Conflict, Fault::LoseAnswer],
        &[Fault::Conflict, Fault::LoseAnswer, Fault::Conflict, Fault::Conflict],
        &[Fault::LoseAnswer, Fault::Conflict, Fault::LoseAnswer, Fault::Conflict, Fault::Refuse],
    ] {
        runtime().block_on(async {
            let (consumer, store) = failing(faults);
            let batch = [message(Source::Webhook, &delivery(1, EARLY))];
            assert!(handle(&consumer, QueueName::Bulk, &batch, 60).await.is_empty(), "{faults:?}");
            assert_eq!(store.all_events().unwrap().len(), 1);
            assert_eq!(store.counter_shards().len(), 1, "{faults:?}: counted once, in one shard");
            assert_whole(&store);
        });
    }
}

#[test]
fn a_stored_view_that_is_not_the_fold_of_what_is_recorded_is_mended_by_the_next_event() {
    runtime().block_on(async {
        let store = begun().await;
        let mut view = store.all_views().unwrap().remove(0);
        let stored = view.folded;
        view.streams.clear();
        view.folded = ledger::fold::Folded::default();
        store.commit(&[store::Action::PutView(view, Some(stored))]).await.unwrap();
        for recipient in [1, 2] {
            let batch = [message(Source::Webhook, &lift(recipient, LATE))];
            assert!(handle(&consumer(store.clone()), QueueName::Critical, &batch, 60).await.is_empty());
        }
        assert_whole(&store);
    });
}

#[test]
fn what_the_store_cannot_take_even_alone_is_set_aside_and_holds_nobody_back() {
    runtime().block_on(async {
        let store = Arc::new(Memory::of_small_items(6 * 1024));
        let consumer = consumer(store.clone());
        // As many streams as a server may have, of long random names: at some point the view of r1 is larger than an item
        // may be here.
        let long = |n: usize| {
            let mut rng = fastrand::Rng::with_seed(n as u64);
            format!("{n}{}", (0..120).map(|_| rng.alphanumeric()).collect::<String>())
        };
        let aside = || {
            let kept = store.all_quarantined().unwrap();
            kept.iter().filter(|kept| kept.part.reason == "not_committable").count()
        };
        for round in 0..3_usize {
            let mut batch = Vec::new();
            for n in 0..30_usize {
                let mut body = bounce(100 * round + n, 1, EARLY, true);
                body["MessageStream"] = json!(long(100 * round + n));
                batch.push(message(Source::Webhook, &body));
            }
            batch.push(message(Source::Webhook, &bounce(100_000 + round, 2, EARLY, true)));
            assert!(handle(&consumer, QueueName::Critical, &batch, 600).await.is_empty(), "round {round}");
        }
        assert!(aside() > 10, "{}", aside());
        // A new one beside copies of recorded ones, which come first or last by identity.
        for n in 0..4_usize {
            let mut batch = Vec::new();
            for n in [0, 1, 2, 3, 10_000 + n] {
                let mut body = bounce(n, 1, EARLY, true);
                body["MessageStream"] = json!(long(n));
                batch.push(message(Source::Webhook, &body));
            }
            assert!(handle(&consumer, QueueName::Critical, &batch, 600).await.is_empty());
        }
        let recorded = store.all_events().unwrap();
        assert_eq!(recorded.len() + aside(), 3 * 31 + 4);
        let other =
            recorded.iter().filter(|one| one.event.address.as_deref() == Some("r2@customer.example")).count();
        assert_eq!(other, 3, "another recipient's complaints are not held back");
        assert_whole(&store);
    });
}

#[test]
fn a_ruling_that_frees_a_hundred_streams_is_committed_or_set_aside_but_never_stuck() {
    runtime().block_on(async {
        let store = Arc::new(Memory::default());
        let consumer = consumer(store.clone());
        let ruling = |n: usize, stream: &str, ruling: &str, at: &str| {
            let id = ledger::Identity::of(
                server_id(SERVER),
                LedgerKey::for_tests().recipient_id(server_id(SERVER), "x"),
                now(),
                &ledger::identity::IdentityParts::BounceById { id: n as i64 },
            );
            message(
                Source::Operator,
                &json!({ "RecordType": "Decision", "ID": id.to_string(), "MessageStream": stream,
                "Recipient": "r1@customer.example", "Ruling": ruling, "DecidedAt": at }),
            )
        };
        let bars: Vec<String> =
            (1..=90).map(|n| ruling(n, &format!("stream-{n}"), "suppress", EARLY)).collect();
        assert!(handle(&consumer, QueueName::Critical, &bars, 60).await.is_empty());
        let free = [ruling(1_000, "*", "allow", LATE), message(Source::Webhook, &bounce(1, 1, EARLY, true))];
        assert!(handle(&consumer, QueueName::Critical, &free, 60).await.is_empty());
        assert_whole(&store);
        assert!(store.all_quarantined().unwrap().is_empty());
        assert_eq!(store.all_rows().len(), 1, "only what Postmark's list holds is left");
    });
}

fn on_stream(n: usize, stream: &str) -> serde_json::Value {
    let mut body = bounce(n, n, EARLY, true);
    body["MessageStream"] = json!(stream);
    body
}

#[test]
fn events_of_more_streams_than_a_server_may_have_are_set_aside_until_an_operator_takes_them_in() {
    runtime().block_on(async {
        let store = Arc::new(Memory::default());
        let send = async |bodies: Vec<String>| {
            assert!(handle(&consumer(store.clone()), QueueName::Critical, &bodies, 60).await.is_empty());
        };
        let of = |n: usize, overridden: bool| {
            let mut envelope = envelope(Source::Webhook, &on_stream(n, &format!("stream-{n:04}")));
            envelope.overridden = overridden;
            envelope.encode()
        };
        let most = store::STREAMS_OF_SERVER_MAX;
        send((0..most + 20).map(|n| of(n, false)).collect()).await;
        let aside = || store.all_quarantined().unwrap();
        assert_eq!((aside().len(), store.all_events().unwrap().len()), (20, most));
        assert!(
            aside().iter().all(|kept| kept.part.reason == "too_many_streams" && kept.expires_at.is_none())
        );
        // What goes on where there was mail before is recorded, and so is another server's.
        let mut told = on_stream(900, "stream-other");
        told["ServerID"] = json!(SERVER + 1);
        let mut other = envelope(Source::Webhook, &on_stream(900, "stream-other"));
        other.server = server_id(SERVER + 1);
        other.body = queue::Envelope::raw(told.to_string()).unwrap();
        send(vec![message(Source::Webhook, &on_stream(901, "stream-0000")), other.encode()]).await;
        assert_eq!((aside().len(), store.all_events().unwrap().len()), (20, most + 2));
        // What Postmark lists for the server is not counted.
        let mut settings = store.settings(server_id(SERVER)).await.unwrap();
        settings.kinds.insert(format!("stream-{:04}", most), ledger::policy::StreamKind::Transactional);
        store.put_settings(server_id(SERVER), settings).await.unwrap();
        send(vec![of(most, false), of(most + 1, false), of(most + 2, true)]).await;
        assert_eq!(store.all_events().unwrap().len(), most + 4);
        send(vec![
            of(most + 2, false),
            message(Source::Webhook, &on_stream(902, &format!("stream-{:04}", most + 2))),
        ])
        .await;
        assert_eq!(store.all_events().unwrap().len(), most + 5, "a stream that was taken in stays in");
    });
}

#[test]
fn a_consumer_reads_only_those_who_were_erased_since_it_last_looked() {
    runtime().block_on(async {
        let store = Arc::new(Memory::default());
        let (whole, since) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counted = (whole.clone(), since.clone());
        let plan = Plan::new(move |call| {
            match call {
                "erased" => counted.0.fetch_add(1, Ordering::Relaxed),
                "erased_after" => counted.1.fetch_add(1, Ordering::Relaxed),
                _ => 0,
            };
            Fault::None
        });
        let consumer = consumer(Arc::new(store::Faulty::new(store.clone(), plan)));
        let erase = async |n: usize| {
            let key = ledger::recipient_key(&format!("r{n}@customer.example"));
            let recipient = LedgerKey::for_tests().recipient_id(server_id(SERVER), &key);
            store.erase(server_id(SERVER), recipient, now()).await.unwrap();
        };
        let addresses = async |n: usize| {
            let told = json!({ "RecordType": "Delivery", "ServerID": SERVER, "MessageID": format!("m{n}"),
                "MessageStream": "outbound", "Recipient": format!("r{n}@customer.example"), "DeliveredAt": EARLY });
            assert!(handle(&consumer, QueueName::Bulk, &[message(Source::Webhook, &told)], 60).await.is_empty());
            let all = store.all_events().unwrap();
            all.iter().filter(|one| one.event.message_id.as_deref() == Some(&format!("m{n}"))).all(|one| one.body.is_some())
        };
        erase(0).await;
        assert!(!addresses(0).await && addresses(1).await);
        for n in 2..50 {
            erase(n).await;
            assert!(!addresses(n).await, "{n}");
        }
        assert!(!addresses(0).await && addresses(1).await);
        assert_eq!((whole.load(Ordering::Relaxed), since.load(Ordering::Relaxed)), (1, 48));
    });
}

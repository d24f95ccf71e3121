//! Erasing a person: nothing of it is left anywhere, and what the ledger says stays as it was.

use account::audit::Who;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consumer::Consumer;
use erasure::Swept;
use erasure::sweep::Sweep;
use faults::{Fault, Plan};
use ledger::policy::SoftBouncePolicy;
use ledger::{LedgerKey, Source, Time};
use operator::{Operator, Replay};
use postledger_tests::bodies::{envelope, lift, message};
use postledger_tests::postmark::unreached;
use postledger_tests::{SERVER, assert_whole, clock, handle, now, server_id};
use queue::{Envelope, Part, Queue, QueueName, Sender as _, SetAside};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use store::ask::{self, Ask};
use store::prelude::*;
use store::{Collection, Memory, Recorded, rebuild};
use tokio::time::Instant;

const ADDRESS: &str = "Ida.Moreau+news@Customer.example";
const OTHER: &str = "max@customer.example";
const EARLY: &str = "2026-09-20T08:00:00Z";
const LATE: &str = "2026-09-20T18:00:00Z";
/// What stands only in what is hers.
const HERS: [&str; 8] = [
    "ida.moreau",
    "moreau",
    "SECRET-TAG",
    "SECRET-SUBJECT",
    "SECRET-KEY",
    "SECRET-DETAIL",
    "SECRET-UA",
    "secret-link",
];

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

/// A body with all that may tell of a person.
fn body(record_type: &str, address: &str, more: Value) -> Value {
    let mut body = json!({ "RecordType": record_type, "MessageStream": "outbound", "ServerID": SERVER,
        "MessageID": "m1", "Recipient": address, "Email": address, "Tag": "SECRET-TAG", "Subject": "SECRET-SUBJECT",
        "Metadata": { "key": "SECRET-KEY" }, "Details": "SECRET-DETAIL", "Description": "SECRET-DETAIL" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn bounce(address: &str, id: i64, at: &str, inactive: bool) -> Value {
    let more = json!({ "ID": id, "Type": "HardBounce", "BouncedAt": at, "Inactive": inactive });
    body("Bounce", address, more)
}

fn delivery(address: &str, n: usize, at: &str) -> Value {
    body("Delivery", address, json!({ "MessageID": format!("m{n}"), "DeliveredAt": at }))
}

fn critical(address: &str) -> Vec<Value> {
    let change = json!({ "ChangedAt": LATE, "SuppressSending": true, "Origin": "Recipient",
        "SuppressionReason": "ManualSuppression", "MessageStream": "news" });
    let complaint = json!({ "ID": 9, "BouncedAt": EARLY, "Type": "SpamComplaint", "Inactive": true });
    vec![
        bounce(address, 7, LATE, true),
        body("SubscriptionChange", address, change),
        body(
            "SpamComplaint",
            address,
            if address == OTHER { json!({ "ID": 19, "BouncedAt": EARLY }) } else { complaint },
        ),
    ]
}

fn bulk(address: &str) -> Vec<Value> {
    let open = json!({ "FirstOpen": true, "ReceivedAt": LATE, "UserAgent": "SECRET-UA GoogleImageProxy" });
    let click =
        json!({ "ReceivedAt": LATE, "UserAgent": "SECRET-UA", "OriginalLink": "https://secret-link" });
    let mut bodies: Vec<Value> = (0..120).map(|n| delivery(address, n, EARLY)).collect();
    bodies.extend([body("Open", address, open), body("Click", address, click)]);
    bodies
}

fn aside(reason: &str, body: impl Into<Vec<u8>>) -> SetAside {
    SetAside {
        server: server_id(SERVER),
        generation: 1,
        key_id: "key".to_owned(),
        received_at: now().plus_days(-1),
        source: Source::Webhook,
        reason: reason.to_owned(),
        detail: "line 1".to_owned(),
        record_type: None,
        dropped: Vec::new(),
        erased: None,
        body: body.into(),
    }
}

/// What was set aside: a genuine event whose credential had been revoked, three bodies that nobody understands
/// (one of several parts), and one of somebody else.
fn set_aside() -> [SetAside; 5] {
    let mut cut = bounce(ADDRESS, 70, EARLY, true);
    cut["BouncedAt"] = Value::Null;
    let mut large = vec![b' '; queue::PART_BYTES_MAX];
    large.extend(
        format!("{{\"Recipient\":\"{}\",\"Subject\":\"SECRET-SUBJECT\"", ADDRESS.replace('@', "\\u0040"))
            .bytes(),
    );
    large.extend(vec![b' '; queue::PART_BYTES_MAX]);
    [
        aside("revoked", bounce(ADDRESS, 71, EARLY, true).to_string()),
        aside("missing_field", cut.to_string()),
        aside("not_json", format!("To: <{ADDRESS}> SECRET-SUBJECT")),
        aside("not_json", large),
        aside("not_json", format!("To: <{OTHER}> theirs")),
    ]
}

/// Dead letters of hers and of somebody else's.
fn dead_letters() -> Vec<(QueueName, String)> {
    let told = |body: Value| message(Source::Webhook, &body);
    let parts = aside("not_json", format!("dead {ADDRESS} SECRET-SUBJECT")).parts();
    let mut letters = vec![
        (QueueName::CriticalDead, told(bounce(ADDRESS, 72, LATE, true))),
        (QueueName::CriticalDead, told(bounce(OTHER, 73, LATE, true))),
        (QueueName::CriticalDead, format!("poison {ADDRESS} SECRET-SUBJECT")),
        (QueueName::QuarantineDead, parts[0].encode()),
    ];
    letters.extend((0..30).map(|n| {
        (QueueName::BulkDead, told(delivery(if n % 3 == 0 { ADDRESS } else { OTHER }, 900 + n, LATE)))
    }));
    letters
}

struct Ledger {
    store: Arc<Memory>,
    queue: Arc<queue::Memory>,
    consumer: Consumer,
}

impl Ledger {
    /// Tables and queues that hold something of hers wherever there can be something.
    async fn filled() -> Ledger {
        let ledger = Ledger::empty();
        for address in [ADDRESS, OTHER] {
            ledger.takes(QueueName::Critical, &critical(address)).await;
            ledger.takes(QueueName::Bulk, &bulk(address)).await;
        }
        for aside in set_aside() {
            let parts: Vec<String> = aside.parts().iter().map(Part::encode).collect();
            assert!(handle(&ledger.consumer, QueueName::Quarantine, &parts, 60).await.is_empty());
        }
        for (name, letter) in dead_letters() {
            ledger.queue.send(name, &letter).await.unwrap();
        }
        assert_whole(&ledger.store);
        ledger
    }

    fn empty() -> Ledger {
        let (store, queue) = (Arc::new(Memory::default()), Arc::new(queue::Memory::default()));
        Ledger { consumer: postledger_tests::consumer(store.clone()), store, queue }
    }

    async fn takes(&self, from: QueueName, bodies: &[Value]) {
        let messages: Vec<String> = bodies.iter().map(|body| message(Source::Webhook, body)).collect();
        assert!(handle(&self.consumer, from, &messages, 60).await.is_empty());
    }

    fn sweep_at(&self, at: Time) -> Sweep {
        Sweep {
            store: self.store.clone(),
            queue: self.queue.clone(),
            ledger_key: LedgerKey::for_tests(),
            clock: Arc::new(move || at),
        }
    }

    async fn erase(&self) {
        self.store.erase(server_id(SERVER), id(ADDRESS), now()).await.unwrap();
    }

    async fn sweep(&self) -> Swept {
        self.sweep_at(now()).run(None).await.unwrap()
    }

    fn operator(&self) -> Operator {
        Operator::new(operator::Parts {
            store: self.store.clone(),
            queue: self.queue.clone(),
            vault: Arc::new(account::MemoryVault::default()),
            postmark: unreached(),
            ledger_key: LedgerKey::for_tests(),
            policy: SoftBouncePolicy::default(),
            trusted: queue::Trusted::All,
            clock: clock(),
            portal: None,
            connecting: None,
        })
    }

    /// What the ledger says of an address, but for the words of decisions.
    async fn says(&self, address: &str) -> Value {
        let ask = Ask {
            after: None,
            server: server_id(SERVER),
            whom: address.parse().unwrap(),
            stream: None,
            found: None,
            at: None,
            known_at: None,
            policy: SoftBouncePolicy::default(),
            whole_timeline: true,
        };
        let mut told = ask::recipient(&*self.store, &LedgerKey::for_tests(), ask, now()).await.unwrap();
        told.timeline.iter_mut().for_each(|entry| entry.note = None);
        serde_json::to_value(told).unwrap()
    }

    /// Every byte that is stored, and every dead letter.
    async fn dump(&self) -> String {
        let store = &*self.store;
        let mut dump = format!(
            "{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n",
            store.all_events().unwrap(),
            store.all_views().unwrap(),
            store.all_rows(),
            store.all_quarantined().unwrap(),
            store
                .documents(&Collection::Sweep)
                .await
                .unwrap()
                .into_iter()
                .map(|(_, document)| document.text)
                .collect::<Vec<_>>(),
        );
        for kept in store.all_quarantined().unwrap() {
            dump += &String::from_utf8_lossy(&STANDARD.decode(&kept.part.body).unwrap());
        }
        for letter in self.letters().await {
            if let Ok(part) = Part::decode(&letter) {
                dump += &String::from_utf8_lossy(&STANDARD.decode(part.body).unwrap());
            }
            dump += &letter;
        }
        dump
    }

    async fn letters(&self) -> Vec<String> {
        let mut letters = Vec::new();
        for dead in QueueName::LIVE.into_iter().filter_map(QueueName::dead) {
            tokio::time::advance(queue::VISIBILITY).await;
            loop {
                let some = self.queue.receive(dead, 10).await.unwrap();
                if some.is_empty() {
                    break;
                }
                letters.extend(some.into_iter().map(|message| message.body));
            }
        }
        tokio::time::advance(queue::VISIBILITY).await;
        letters
    }

    fn hers(&self) -> Vec<Recorded> {
        let mut events = self.store.all_events().unwrap();
        events.retain(|one| one.event.recipient == id(ADDRESS));
        events
    }
}

fn id(address: &str) -> ledger::RecipientId {
    LedgerKey::for_tests().recipient_id(server_id(SERVER), &ledger::recipient_key(address))
}

/// Fails where anything of hers stands in a dump, whose own tag and subject others have, too.
fn assert_nothing_of_hers(ledger_of_others: &str, dump: &str) {
    let dump = dump.to_lowercase();
    for hers in HERS {
        let hers = hers.to_lowercase();
        let left = dump.matches(&hers).count();
        assert_eq!(left, ledger_of_others.to_lowercase().matches(&hers).count(), "{hers}");
    }
}

/// A ledger that she was never in: what others' part of a dump is.
async fn of_others() -> String {
    let ledger = Ledger::empty();
    ledger.takes(QueueName::Critical, &critical(OTHER)).await;
    ledger.takes(QueueName::Bulk, &bulk(OTHER)).await;
    for aside in set_aside().iter().filter(|aside| String::from_utf8_lossy(&aside.body).contains(OTHER)) {
        for part in aside.parts() {
            ledger.store.quarantine(part, None).await.unwrap();
        }
    }
    for (name, letter) in dead_letters() {
        if letter.contains(OTHER) {
            ledger.queue.send(name, &letter).await.unwrap();
        }
    }
    ledger.dump().await
}

#[test]
fn an_erased_person_leaves_no_byte_and_the_ledger_says_what_it_said() {
    runtime().block_on(async {
        let (ledger, others) = (Ledger::filled().await, of_others().await);
        let (said, of_other) = (ledger.says(ADDRESS).await, ledger.says(OTHER).await);
        let (counted, events, letters) =
            (ledger.store.all_counters(), ledger.store.all_events().unwrap(), ledger.letters().await.len());
        let dump = ledger.dump().await.to_lowercase();
        assert!(HERS.iter().all(|hers| dump.contains(&hers.to_lowercase())), "there is something to find");
        ledger.erase().await;
        let swept = ledger.sweep().await;
        assert_eq!((swept.events, swept.parts, swept.failed, swept.finished), (125, 6, 0, true), "{swept:?}");
        assert_eq!(swept.letters, 13);

        assert_nothing_of_hers(&others, &ledger.dump().await);
        assert_eq!((ledger.says(ADDRESS).await, ledger.says(OTHER).await), (said, of_other));
        assert_eq!(ledger.store.all_counters(), counted);
        let stripped = events
            .into_iter()
            .map(|one| if one.event.recipient == id(ADDRESS) { one.stripped() } else { one });
        assert_eq!(ledger.store.all_events().unwrap(), stripped.collect::<Vec<_>>());
        assert_eq!(ledger.letters().await.len(), letters, "no letter is lost, hers neither");
        assert_whole(&ledger.store);
        let report = rebuild::verify(&*ledger.store, server_id(SERVER), |_| {}).await.unwrap();
        assert!(report.differences.is_empty() && report.events == 250, "{report:?}");

        let before = ledger.dump().await;
        let again = ledger.sweep().await;
        assert_eq!((again.events, again.parts, again.letters), (0, 0, 0));
        assert_eq!(sorted(&ledger.dump().await), sorted(&before), "twice is as once");
    });
}

/// A dump whose lines may come in any order: dead letters do.
fn sorted(dump: &str) -> Vec<&str> {
    let mut pieces: Vec<&str> = dump.split("{\"v\"").collect();
    pieces.sort_unstable();
    pieces
}

#[test]
fn what_comes_later_is_recorded_as_what_it_is_without_the_person() {
    runtime().block_on(async {
        let ledger = Ledger::filled().await;
        ledger.erase().await;
        ledger.sweep().await;
        let before = ledger.hers().len();
        // New ones, a better copy of a stripped one, worse copies of others, and one of somebody else.
        let mut copies = critical(ADDRESS);
        copies[0]["BouncedAt"] = json!(EARLY);
        copies.extend([bounce(ADDRESS, 80, LATE, true), bounce(OTHER, 81, LATE, true)]);
        ledger.takes(QueueName::Critical, &copies).await;
        let mut copies = bulk(ADDRESS);
        copies[0]["DeliveredAt"] = json!("2026-09-20T07:00:00Z");
        copies.push(delivery(ADDRESS, 500, LATE));
        ledger.takes(QueueName::Bulk, &copies).await;
        let hers = ledger.hers();
        assert_eq!(hers.len(), before + 2);
        assert!(hers.iter().all(Recorded::is_stripped));
        let early: Time = EARLY.parse().unwrap();
        let better = |at: Time| hers.iter().filter(|one| one.event.at == at).count();
        assert_eq!((better(early), better(early.plus_seconds(-3_600))), (121, 1), "the better copies stand");
        assert_whole(&ledger.store);
        let others = ledger.store.all_events().unwrap();
        assert!(others.iter().any(|one| one.event.address.as_deref() == Some(OTHER) && one.body.is_some()));

        // The same in the other order: nothing tells whether she was erased before or after.
        let other = Ledger::filled().await;
        let mut copies = critical(ADDRESS);
        copies[0]["BouncedAt"] = json!(EARLY);
        copies.extend([bounce(ADDRESS, 80, LATE, true), bounce(OTHER, 81, LATE, true)]);
        other.takes(QueueName::Critical, &copies).await;
        let mut copies = bulk(ADDRESS);
        copies[0]["DeliveredAt"] = json!("2026-09-20T07:00:00Z");
        copies.push(delivery(ADDRESS, 500, LATE));
        other.takes(QueueName::Bulk, &copies).await;
        other.erase().await;
        other.sweep().await;
        assert_eq!(other.store.all_events().unwrap(), ledger.store.all_events().unwrap());
        assert_eq!(other.store.all_views().unwrap(), ledger.store.all_views().unwrap());
        assert_eq!(other.store.all_counters(), ledger.store.all_counters());
    });
}

#[test]
fn what_is_set_aside_later_is_kept_without_the_person() {
    runtime().block_on(async {
        let ledger = Ledger::empty();
        ledger.erase().await;
        for aside in set_aside() {
            let parts: Vec<String> = aside.parts().iter().map(Part::encode).collect();
            assert!(handle(&ledger.consumer, QueueName::Quarantine, &parts, 60).await.is_empty());
        }
        // One that the consumer itself sets aside, with an event in it; and poison.
        let old = message(Source::Webhook, &delivery(ADDRESS, 1, "2020-01-01T00:00:00Z"));
        let poison = format!("poison {ADDRESS} SECRET-SUBJECT");
        assert!(handle(&ledger.consumer, QueueName::Bulk, &[old, poison], 60).await.is_empty());
        assert_eq!(
            ledger.sweep().await.parts,
            2,
            "the parts of one body alone do not tell that they belong to it"
        );
        let others = "theirs";
        let dump = ledger.dump().await;
        assert_nothing_of_hers("", &dump);
        assert!(dump.contains(others));
        let left: Vec<_> =
            ledger.store.all_quarantined().unwrap().into_iter().filter_map(|kept| kept.part.erased).collect();
        assert_eq!(left.len(), 2, "the revoked bounce and the old delivery are still events");
    });
}

#[test]
fn a_stripped_event_is_replayed_as_the_event_it_was() {
    runtime().block_on(async {
        let (with, without) = (Ledger::filled().await, Ledger::filled().await);
        with.erase().await;
        with.sweep().await;
        let key = set_aside()[0].parts()[0].key();
        let mut identities = Vec::new();
        for ledger in [&with, &without] {
            let aside = set_aside()[0].clone();
            ledger.store.revoke(aside.server, aside.generation, EARLY.parse().unwrap()).await.unwrap();
            let replay = || Replay { overridden: true, body_base64: None };
            assert!(
                ledger.operator().replay(&Who::operator(), &key, Replay::default()).await.is_err(),
                "its credential was revoked"
            );
            for _ in 0..2 {
                let replayed = ledger.operator().replay(&Who::operator(), &key, replay()).await.unwrap();
                assert_eq!(replayed.queue, "critical");
                identities.push(replayed.identity);
                let messages = ledger.queue.receive(QueueName::Critical, 10).await.unwrap();
                let bodies: Vec<String> = messages.into_iter().map(|message| message.body).collect();
                assert!(handle(&ledger.consumer, QueueName::Critical, &bodies, 60).await.is_empty());
            }
            assert_whole(&ledger.store);
        }
        identities.dedup();
        let [identity] = identities[..] else { panic!("{identities:?}") };
        without.erase().await;
        without.sweep().await;
        let of = |ledger: &Ledger| {
            ledger.hers().into_iter().filter(|one| one.event.identity == identity).collect::<Vec<_>>()
        };
        assert_eq!(of(&with), of(&without), "byte by byte, the hash of its body among them");
        assert_eq!(of(&with).len(), 1, "once");
        assert_eq!(with.store.all_counters(), without.store.all_counters());
        // What nobody understood is gone for good.
        let key = set_aside()[1].parts()[0].key();
        assert!(
            with.operator()
                .replay(&Who::operator(), &key, Replay { overridden: true, body_base64: None })
                .await
                .is_err()
        );
    });
}

#[test]
fn dead_letters_taken_back_are_recorded_as_the_events_they_were() {
    runtime().block_on(async {
        let (with, without) = (Ledger::filled().await, Ledger::filled().await);
        with.erase().await;
        with.sweep().await;
        for ledger in [&with, &without] {
            for name in [QueueName::Critical, QueueName::Bulk] {
                tokio::time::advance(queue::VISIBILITY).await;
                loop {
                    let letters = ledger.queue.receive(name.dead().unwrap(), 10).await.unwrap();
                    if letters.is_empty() {
                        break;
                    }
                    let bodies: Vec<String> = letters.into_iter().map(|letter| letter.body).collect();
                    assert!(handle(&ledger.consumer, name, &bodies, 60).await.is_empty());
                }
            }
            assert_whole(&ledger.store);
        }
        assert!(with.hers().iter().all(Recorded::is_stripped));
        without.erase().await;
        without.sweep().await;
        assert_eq!(with.store.all_events().unwrap(), without.store.all_events().unwrap());
    });
}

#[test]
fn killed_at_any_call_it_is_healed_by_the_next_run() {
    let others = runtime().block_on(of_others());
    for fault in [Fault::StopBefore, Fault::StopAfter, Fault::Refuse] {
        for place in 0.. {
            let reached = runtime().block_on(async {
                let ledger = Ledger::filled().await;
                let letters = ledger.letters().await.len();
                ledger.erase().await;
                let calls = Arc::new(AtomicUsize::new(0));
                let counted = calls.clone();
                // A day without anything set aside is as good as another: only the first are counted.
                let days = AtomicUsize::new(0);
                let plan = Plan::new(move |call| match call {
                    "quarantined_page" if days.fetch_add(1, Ordering::Relaxed) > 2 => Fault::None,
                    _ if counted.fetch_add(1, Ordering::Relaxed) == place => fault,
                    _ => Fault::None,
                });
                let faulty = Sweep {
                    store: Arc::new(store::Faulty::new(ledger.store.clone(), plan.clone())),
                    queue: Arc::new(queue::Faulty::new(ledger.queue.clone(), plan.clone())),
                    ..ledger.sweep_at(now())
                };
                tokio::select! {
                    _ = faulty.run(None) => {}
                    () = plan.stopped() => {}
                }
                tokio::time::advance(queue::VISIBILITY).await;
                let swept = ledger.sweep().await;
                assert!(swept.finished && swept.failed == 0);
                let reached = calls.load(Ordering::Relaxed) > place;
                let dump = ledger.dump().await;
                // A letter may have been sent twice; no letter is lost.
                let now = ledger.letters().await.len();
                assert!((letters..=letters + 1).contains(&now), "{fault:?} at {place}: {now} letters");
                assert_nothing_of_hers(&others, &dump);
                assert_whole(&ledger.store);
                reached
            });
            if !reached {
                break;
            }
        }
    }
}

#[test]
fn it_is_swept_until_nothing_of_it_can_be_on_its_way_any_more_and_then_costs_one_call() {
    runtime().block_on(async {
        let ledger = Ledger::filled().await;
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let plan = Plan::new(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            Fault::None
        });
        let count = async || {
            calls.store(0, Ordering::Relaxed);
            let sweep = Sweep {
                store: Arc::new(store::Faulty::new(ledger.store.clone(), plan.clone())),
                queue: Arc::new(queue::Faulty::new(ledger.queue.clone(), plan.clone())),
                ..ledger.sweep_at(now().plus_days(40))
            };
            assert!(sweep.run(None).await.unwrap().finished);
            calls.load(Ordering::Relaxed)
        };
        assert_eq!(count().await, 1, "nobody was erased");
        ledger.erase().await;
        for (days, done) in [(0, 0), (17, 0), (18, 1), (19, 0)] {
            let swept = ledger.sweep_at(now().plus_days(days)).run(None).await.unwrap();
            assert_eq!(swept.done, done, "after {days} days");
        }
        assert_eq!(count().await, 1, "nobody is to be swept any more");
        ledger.takes(QueueName::Critical, &[bounce(ADDRESS, 80, LATE, true)]).await;
        assert!(ledger.hers().iter().all(Recorded::is_stripped), "it stays erased");
        ledger.erase().await;
        assert_eq!(ledger.sweep_at(now().plus_days(40)).run(None).await.unwrap().done, 1, "once more");
    });
}

#[test]
fn a_run_without_time_goes_on_where_it_ended() {
    runtime().block_on(async {
        let (ledger, others) = (Ledger::filled().await, of_others().await);
        ledger.erase().await;
        let mut runs = 0;
        loop {
            runs += 1;
            // Every call takes a second, and a run has a minute.
            let plan = Plan::new(|_| Fault::Wait(Duration::from_secs(1)));
            let slow = Arc::new(store::Faulty::new(ledger.store.clone(), plan));
            let sweep = Sweep { store: slow, ..ledger.sweep_at(now()) };
            let swept = sweep.run(Some(Instant::now() + Duration::from_secs(60))).await.unwrap();
            if swept.finished {
                break;
            }
            assert!(runs < 20, "it never ends");
        }
        assert!(runs > 3, "{runs}");
        assert_nothing_of_hers(&others, &ledger.dump().await);
    });
}

#[test]
fn where_nobody_knows_who_is_erased_nothing_is_recorded_or_kept() {
    runtime().block_on(async {
        let ledger = Ledger::empty();
        ledger.erase().await;
        let plan = Plan::new(|call| if call == "erased" { Fault::Refuse } else { Fault::None });
        let blind = postledger_tests::consumer(Arc::new(store::Faulty::new(ledger.store.clone(), plan)));
        let told = [message(Source::Webhook, &bounce(OTHER, 1, EARLY, true))];
        assert_eq!(handle(&blind, QueueName::Critical, &told, 10).await, ["0"]);
        let part = [set_aside()[4].parts()[0].encode()];
        assert_eq!(handle(&blind, QueueName::Quarantine, &part, 10).await, ["0"]);
        assert!(
            ledger.store.all_events().unwrap().is_empty()
                && ledger.store.all_quarantined().unwrap().is_empty()
        );
        assert!(handle(&ledger.consumer, QueueName::Critical, &told, 10).await.is_empty());
    });
}

#[test]
fn the_set_of_the_erased_is_read_once_and_again_only_where_somebody_new_is_in_it() {
    runtime().block_on(async {
        let ledger = Ledger::empty();
        let reads = Arc::new(AtomicUsize::new(0));
        let counted = reads.clone();
        let plan = Plan::new(move |call| {
            counted.fetch_add(usize::from(call.starts_with("erased")), Ordering::Relaxed);
            Fault::None
        });
        let consumer = postledger_tests::consumer(Arc::new(store::Faulty::new(ledger.store.clone(), plan)));
        let mut n = 100;
        for (erased, expected) in [(false, 0), (true, 1), (false, 1), (true, 2), (false, 2)] {
            if erased {
                ledger.erase().await;
            }
            n += 1;
            let told = [message(Source::Webhook, &lift(1, &format!("2026-09-20T08:{:02}:00Z", n % 60)))];
            assert!(handle(&consumer, QueueName::Critical, &told, 10).await.is_empty());
            assert_eq!(reads.load(Ordering::Relaxed), expected);
        }
    });
}

#[test]
fn an_envelope_of_an_erased_person_is_refused_by_no_door_and_made_by_none() {
    let whole = envelope(Source::Webhook, &bounce(ADDRESS, 1, EARLY, true));
    assert!(whole.erased.is_none() && !whole.encode().contains("erased"));
    let stripped = Envelope::decode(&whole.stripped(None).encode()).unwrap();
    assert_eq!(stripped.v, queue::ERASED_VERSION);
}

//! Sweeping what is left of the erased: each server and each place has its turn, whatever others do.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use erasure::Swept;
use erasure::sweep::Sweep;
use faults::{Fault, Plan};
use ledger::{LedgerKey, ServerId, Source, Time, recipient_key};
use postledger_tests::bodies::message;
use postledger_tests::{SERVER, consumer, handle, now, server_id};
use queue::{Queue as _, QueueName, Sender as _, SetAside};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use store::prelude::*;
use store::{Memory, Recorded};
use tokio::time::Instant;

/// The agency's other client.
const OTHER: i64 = SERVER + 1;
const ADDRESS: &str = "gone@customer.example";

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

fn id(server: i64, address: &str) -> ledger::RecipientId {
    LedgerKey::for_tests().recipient_id(server_id(server), &recipient_key(address))
}

fn aside(server: ServerId, number: i64, body: impl Into<Vec<u8>>) -> SetAside {
    SetAside {
        server,
        generation: 1,
        key_id: String::new(),
        received_at: now().plus_days(-2).plus_seconds(number),
        source: Source::Webhook,
        reason: "not_json".to_owned(),
        detail: String::new(),
        record_type: None,
        dropped: Vec::new(),
        erased: None,
        body: body.into(),
    }
}

#[derive(Clone, Default)]
struct Tables {
    store: Arc<Memory>,
    queue: Arc<queue::Memory>,
}

impl Tables {
    fn sweep(&self, at: Time, plan: &Plan) -> Sweep {
        Sweep {
            store: Arc::new(store::Faulty::new(self.store.clone(), plan.clone())),
            queue: Arc::new(queue::Faulty::new(self.queue.clone(), plan.clone())),
            ledger_key: LedgerKey::for_tests(),
            clock: Arc::new(move || at),
        }
    }

    async fn keep(&self, aside: SetAside) {
        for part in aside.parts() {
            self.store.quarantine(part, None).await.unwrap();
        }
    }

    /// The bodies in quarantine, as one text.
    fn kept(&self) -> String {
        let kept = self.store.all_quarantined().unwrap();
        let bodies = kept.iter().map(|kept| STANDARD.decode(&kept.part.body).unwrap());
        String::from_utf8_lossy(&bodies.collect::<Vec<_>>().concat()).into_owned()
    }
}

fn bounce(server: i64) -> Value {
    json!({ "RecordType": "Bounce", "MessageStream": "outbound", "ServerID": server, "MessageID": "m1", "ID": 7,
        "Email": ADDRESS, "Type": "HardBounce", "BouncedAt": "2026-09-20T08:00:00Z", "Inactive": true })
}

#[test]
fn whoever_erases_masses_of_people_keeps_nobody_elses_sweep_waiting() {
    const MASSES: usize = 3_000;
    runtime().block_on(async {
        let tables = Tables::default();
        for n in 0..MASSES {
            let one = id(OTHER, &format!("person{n}@masses.example"));
            tables.store.erase(server_id(OTHER), one, now()).await.unwrap();
        }
        // Of somebody of the first server there is something everywhere: recorded late, set aside, and dead.
        let told = [message(Source::Webhook, &bounce(SERVER))];
        assert!(handle(&consumer(tables.store.clone()), QueueName::Critical, &told, 60).await.is_empty());
        tables.keep(aside(server_id(SERVER), 0, format!("to {ADDRESS}"))).await;
        tables.queue.send(QueueName::BulkDead, &format!("poison {ADDRESS}")).await.unwrap();
        tables.store.erase(server_id(SERVER), id(SERVER, ADDRESS), now()).await.unwrap();

        // Each call takes a while, and a run has a minute: the masses fill many of them.
        let slow = Plan::new(|_| Fault::Wait(Duration::from_millis(20)));
        let run = async |at: Time| {
            let sweep = tables.sweep(at, &slow);
            sweep.run(Some(Instant::now() + Duration::from_secs(60))).await.unwrap()
        };
        let swept = run(now()).await;
        assert_eq!((swept.finished, swept.events, swept.parts, swept.letters), (false, 1, 1, 1), "{swept:?}");
        assert!(tables.store.all_events().unwrap().iter().all(Recorded::is_stripped));
        assert!(!tables.kept().contains("gone"));
        tokio::time::advance(queue::VISIBILITY).await;
        let letter = tables.queue.receive(QueueName::BulkDead, 1).await.unwrap().remove(0);
        assert!(!letter.body.contains("gone"));

        // When all that was on its way has arrived, they are done within a run, the masses in as many as they fill.
        let later = now().plus_days(erasure::SWEPT_DAYS);
        let (mut runs, mut done) = (0, 0);
        while done < MASSES + 1 {
            let swept = run(later).await;
            assert!(swept.done > 0, "each run goes on where the one before ended: {done} done after {runs}");
            done += swept.done;
            runs += 1;
            let erased = tables.store.erased().await.unwrap();
            let of_first = erased.iter().find(|one| one.server == server_id(SERVER)).unwrap();
            assert!(of_first.swept.is_some(), "it does not wait for the others");
        }
        assert!(runs > 3, "{runs}");
        assert!(run(later).await.finished);
    });
}

#[test]
fn a_full_quarantine_leaves_time_for_dead_letters_and_for_what_is_recorded() {
    runtime().block_on(async {
        let tables = Tables::default();
        for number in 0..2_000 {
            tables.keep(aside(server_id(OTHER), number, format!("body {number}"))).await;
        }
        let told = [message(Source::Webhook, &bounce(SERVER))];
        assert!(handle(&consumer(tables.store.clone()), QueueName::Critical, &told, 60).await.is_empty());
        tables.queue.send(QueueName::BulkDead, &format!("poison {ADDRESS}")).await.unwrap();
        tables.store.erase(server_id(SERVER), id(SERVER, ADDRESS), now()).await.unwrap();
        let slow = Plan::new(|_| Fault::Wait(Duration::from_millis(200)));
        let sweep = tables.sweep(now(), &slow);
        let swept = sweep.run(Some(Instant::now() + Duration::from_secs(60))).await.unwrap();
        assert_eq!((swept.finished, swept.events, swept.letters), (false, 1, 1), "{swept:?}");
        let mut runs = 1;
        while !sweep.run(Some(Instant::now() + Duration::from_secs(60))).await.unwrap().finished {
            runs += 1;
            assert!(runs < 40, "it never ends");
        }
        assert!(runs > 3, "{runs}");
    });
}

#[test]
fn a_body_that_runs_die_at_is_taken_out_unread_and_what_is_behind_it_is_swept() {
    runtime().block_on(async {
        let tables = Tables::default();
        tables.store.erase(server_id(SERVER), id(SERVER, ADDRESS), now()).await.unwrap();
        // Only a body of several parts is put together, which is where these runs die.
        let deadly = format!("deadly {}", "x".repeat(queue::PART_BYTES_MAX));
        for number in 0..20 {
            let body = if number == 7 { deadly.clone() } else { format!("{number}: to {ADDRESS}") };
            tables.keep(aside(server_id(SERVER), number, body)).await;
        }
        tables.keep(aside(server_id(SERVER), 20, "of somebody else")).await;
        let plan = Plan::new(|call| if call == "quarantined" { Fault::StopBefore } else { Fault::None });
        let (mut died, mut swept) = (0, Swept::default());
        while !swept.finished {
            let sweep = tables.sweep(now(), &plan);
            tokio::select! {
                one = sweep.run(None) => swept = one.unwrap(),
                () = plan.stopped() => died += 1,
            }
            assert!(died < 9, "it dies again and again");
        }
        assert_eq!((died, swept.unread), (3, 1), "{swept:?}");
        assert_eq!(tables.kept(), "of somebody else");
        // What made it die is not there any more.
        let again = tables.sweep(now(), &Plan::new(|_| Fault::None)).run(None).await.unwrap();
        assert_eq!((again.finished, again.unread, again.parts), (true, 0, 0));
    });
}

#[test]
fn where_one_place_does_not_answer_the_others_are_swept() {
    runtime().block_on(async {
        let tables = Tables::default();
        let told = [message(Source::Webhook, &bounce(SERVER))];
        assert!(handle(&consumer(tables.store.clone()), QueueName::Critical, &told, 60).await.is_empty());
        tables.store.erase(server_id(SERVER), id(SERVER, ADDRESS), now()).await.unwrap();
        let refused = Arc::new(AtomicUsize::new(0));
        let counted = refused.clone();
        let plan = Plan::new(move |call| match call {
            "quarantined_page" => {
                counted.fetch_add(1, Ordering::Relaxed);
                Fault::Refuse
            }
            _ => Fault::None,
        });
        assert!(tables.sweep(now(), &plan).run(None).await.is_err(), "it is told");
        assert!(refused.load(Ordering::Relaxed) > 0);
        assert!(tables.store.all_events().unwrap().iter().all(Recorded::is_stripped));
    });
}

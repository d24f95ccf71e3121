//! The soak where AWS's real APIs are spoken: the door before SQS, the consumer's own binary as processes behind a
//! Runtime API, DynamoDB, and between them a wire on which calls conflict, are throttled, get lost and lose their
//! answers, while consumers are killed. At the end the ledger must equal the fold of the same bodies, byte by
//! byte.

use crate::emulator::{Emulator, link, make_stack, tables};
use crate::generator::{Generator, SERVERS};
use crate::lambda::{Lambda, built, consumer, failures, sqs_event};
use crate::meter::Meter;
use crate::postmark::unreached;
use crate::soak::{Outcome, STACK, poison_of, same_lines, tell, write_bodies};
use crate::wire::{Mishap, Wire};
use crate::{clock, server_id};
use account::MemoryVault;
use aws::Limits;
use credential::PrivateKey;
use credential::Verifier;
use embedded::pump::batch_max;
use embedded::{Parts, Stack};
use ledger::LedgerKey;
use ledger::counters::Counters;
use ledger::counters::Hour;
use ledger::fold::View;
use postledger::fold::{counter_lines, state_line};
use queue::{Message, Queue, QueueName, RECEIVE_MAX, Sqs};
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use store::prelude::*;
use store::{RecipientItem, Scan};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What a soak is to do.
#[derive(Clone, Copy, Debug)]
pub struct SoakAws {
    /// Makes it differ from another.
    pub seed: u64,
    /// How many events.
    pub events: u64,
    /// Of how many calls one goes wrong.
    pub mishap_one_in: u64,
    /// Of how many batches one has its consumer killed.
    pub kill_one_in: u64,
}

/// What happened, and where the ledger is for another look at it.
pub struct OutcomeAws {
    /// As of every soak.
    pub outcome: Outcome,
    /// How often a consumer was killed.
    pub killed: u64,
    /// What all calls cost.
    pub meter: Meter,
    /// The emulator, which lives as long as this.
    pub emulator: Emulator,
}

/// How long a received message is invisible, and how long a batch may take: far below the deployed ones, so that
/// what a killed consumer held comes again soon.
const VISIBILITY: Duration = Duration::from_secs(6);
const TIMEOUT: Duration = Duration::from_secs(5);
const CONSUMERS: [(QueueName, usize); 3] =
    [(QueueName::Critical, 2), (QueueName::Bulk, 2), (QueueName::Quarantine, 1)];
/// Of how many deletes of a batch one is forgotten, so that messages come twice.
const FORGOTTEN_ONE_IN: u32 = 50;
const RECEIVES_MAX: u32 = 200;
const IDLE: Duration = Duration::from_millis(100);
const DOORS: usize = 8;

const MISHAPS: [Mishap; 8] = [
    Mishap::Conflict,
    Mishap::Conflict,
    Mishap::Throttle,
    Mishap::Throttle,
    Mishap::Fault,
    Mishap::Lost,
    Mishap::Cut,
    Mishap::Torn,
];

impl SoakAws {
    /// Runs it. `folder` takes the bodies, one a line; `fold` folds that file into lines; `progress` is told how
    /// many bodies have been taken in, then how many messages are still to be consumed.
    ///
    /// # Panics
    /// Where the ledger differs from the fold in any byte.
    pub async fn run(
        self,
        folder: &Path,
        fold: impl FnOnce(&Path) -> Vec<String>,
        progress: impl Fn(u64) + Send + Sync + 'static,
    ) -> OutcomeAws {
        let binary = built().join("consumer");
        let generator = Generator { seed: self.seed, events: self.events, now: crate::now() };
        let order = Arc::new(generator.order(5));
        let file = folder.join("bodies.jsonl");
        write_bodies(&file, &generator, &order);
        let poison = poison_of(&generator, &order);

        let emulator = Emulator::start(&[]);
        make_stack(&emulator.url, STACK, true, VISIBILITY, RECEIVES_MAX).await;
        let one_in = self.mishap_one_in;
        let wire = Arc::new(
            Wire::before(
                &emulator.url,
                Arc::new(move |operation: &str| {
                    // Transactions are few and matter most.
                    let one_in = if operation == "TransactWriteItems" { one_in.div_ceil(4) } else { one_in };
                    match one_in > 0 && fastrand::u64(..one_in) == 0 {
                        true => MISHAPS[fastrand::usize(..MISHAPS.len())],
                        false => Mishap::None,
                    }
                }),
            )
            .await,
        );
        let direct = Arc::new(of_stack(&emulator.url).await);
        let store = Arc::new(tables(&emulator.url, STACK, true));
        let key = Arc::new(PrivateKey::generate().expect("random numbers"));
        let stack = Arc::new(Stack::new(Parts {
            name: STACK.to_owned(),
            verifier: Arc::new(Verifier::new(STACK, [key.public()], []).expect("keys")),
            queue: Arc::new(of_stack(&wire.url).await),
            store: store.clone(),
            ledger_key: LedgerKey::for_tests(),
            vault: Arc::new(MemoryVault::default()),
            postmark: unreached(),
            clock: clock(),
            portal: None,
            signing: None,
        }));
        wire.metered();

        let start = Instant::now();
        let (stop, stopped) = watch::channel(false);
        let killed = Arc::new(AtomicU64::new(0));
        let mut consumers = JoinSet::new();
        for (name, processes) in CONSUMERS {
            for _ in 0..processes {
                let mapping = Mapping {
                    binary: binary.clone(),
                    endpoint: wire.url.clone(),
                    queue: direct.clone(),
                    name,
                    kill_one_in: self.kill_one_in,
                    killed: killed.clone(),
                };
                consumers.spawn(mapping.run(stopped.clone()));
            }
        }
        let (requests, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let progress = Arc::new(progress);
        let mut doors = JoinSet::new();
        for door in 0..DOORS {
            let (stack, queue, order, key) = (stack.clone(), direct.clone(), order.clone(), key.clone());
            let (requests, done, progress) = (requests.clone(), done.clone(), progress.clone());
            doors.spawn(async move {
                for (event, copy) in order.iter().skip(door).step_by(DOORS) {
                    let telling = generator.telling(*event, *copy);
                    tell(&stack, &*queue, &key, &telling, &requests).await;
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1);
                }
            });
        }
        doors.join_all().await;
        let _ = stop.send(true);
        consumers.join_all().await;
        let took = start.elapsed();

        for name in QueueName::ALL {
            let depth = direct.depth(name).await.expect("depth");
            assert_eq!(depth, queue::Depth::default(), "nothing is left on {}", name.name());
        }
        let kept = store.quarantined_on(&crate::now().day()).await.expect("quarantine");
        let kept: BTreeSet<String> = kept.into_iter().map(|kept| kept.part.id).collect();
        assert_eq!(kept, poison, "quarantine is exactly the poison");
        let (ours, recorded) = stored_lines(&*store).await;
        same_lines(ours, fold(&file));
        let meter = wire.metered();
        assert_eq!(meter.inconsistent, 0, "every read is consistent");
        assert!(!meter.calls.contains_key("Scan"), "nothing scans");
        let mishaps = std::mem::take(&mut *wire.mishaps.lock().expect("no panic"));
        OutcomeAws {
            outcome: Outcome {
                tellings: order.len() as u64,
                requests: requests.load(Ordering::Relaxed),
                recorded,
                set_aside: kept.len() as u64,
                faults: mishaps.into_iter().collect(),
                took,
            },
            killed: killed.load(Ordering::Relaxed),
            meter,
            emulator,
        }
    }
}

async fn of_stack(url: &str) -> Sqs {
    let mut tries = 0;
    loop {
        // The wire's mishaps may meet this, too.
        match Sqs::of_stack(link(url, Limits::COMMAND), STACK).await {
            Ok(sqs) => return sqs,
            Err(error) => assert!(tries < 20, "{error}"),
        }
        tries += 1;
    }
}

/// The lines of the stored ledger, in the order of `postledger fold`, and how many events are recorded.
pub async fn stored_lines(store: &dyn Scan) -> (Vec<String>, u64) {
    let (mut views, mut counters, mut recorded) = (Vec::<View>::new(), Counters::default(), 0);
    for server in SERVERS.map(server_id) {
        let mut after = None;
        loop {
            let page = store.scan_recipients(server, after).await.expect("a scan");
            for held in page.items {
                if let RecipientItem::View(view) = held {
                    views.push(*view);
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        loop {
            let page = store.scan_events(server, after).await.expect("a scan");
            recorded += page.items.len() as u64;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        for stream in store.streams(server).await.expect("streams") {
            for (hour, counts) in store.counters(server, &stream, "0", ":").await.expect("counters") {
                for (measure, n) in counts {
                    counters.add_to(Hour { server, stream: stream.clone(), hour: hour.clone() }, measure, n);
                }
            }
        }
    }
    views.sort_by_key(|view| (view.server, view.recipient));
    (views.iter().map(state_line).chain(counter_lines(&counters)).collect(), recorded)
}

/// What an event source mapping does, with a process of the consumer behind it that may be killed at any time.
struct Mapping {
    binary: PathBuf,
    endpoint: String,
    queue: Arc<Sqs>,
    name: QueueName,
    kill_one_in: u64,
    killed: Arc<AtomicU64>,
}

impl Mapping {
    /// Runs until told to stop and nothing is left.
    async fn run(self, stop: watch::Receiver<bool>) {
        loop {
            let mut lambda = Lambda::start().await;
            lambda.give(TIMEOUT);
            let function = consumer(self.binary.clone(), &lambda, &self.endpoint, STACK, true);
            if self.until_killed(&mut lambda, &stop).await {
                return;
            }
            let printed = function.kill().await;
            assert!(!printed.contains("customer.example"), "an address was printed");
        }
    }

    /// Whether all is done; else the consumer is to be killed.
    async fn until_killed(&self, lambda: &mut Lambda, stop: &watch::Receiver<bool>) -> bool {
        loop {
            let mut messages: Vec<Message> = Vec::new();
            while messages.len() < batch_max(self.name) {
                let wanted = RECEIVE_MAX.min(batch_max(self.name) - messages.len());
                let more = self.queue.receive(self.name, wanted).await.unwrap_or_default();
                if more.is_empty() {
                    break;
                }
                messages.extend(more);
            }
            if messages.is_empty() {
                let depth =
                    self.queue.depth(self.name).await.unwrap_or(queue::Depth { visible: 1, in_flight: 0 });
                if *stop.borrow() && depth == queue::Depth::default() {
                    return true;
                }
                tokio::time::sleep(IDLE).await;
                continue;
            }
            let bodies = messages.iter().map(|message| (&*message.id, &*message.body));
            let event = sqs_event(&self.name.in_stack(STACK), bodies);
            // The first is killed at once, so that a short soak, too, has one that was.
            let first = self.killed.load(Ordering::Relaxed) == 0;
            let doomed = self.kill_one_in > 0 && (first || fastrand::u64(..self.kill_one_in) == 0);
            let answer = if doomed {
                let moment = Duration::from_millis(if first { 1 } else { fastrand::u64(..120) });
                tokio::time::timeout(moment, lambda.invoke(event)).await.ok()
            } else {
                Some(lambda.invoke(event).await)
            };
            // A function that could not start, or was killed, has answered nothing: all come again.
            let answered = answer.filter(|answer| answer["batchItemFailures"].is_array());
            let Some(answered) = answered else {
                self.killed.fetch_add(1, Ordering::Relaxed);
                return false;
            };
            let failed: HashSet<String> = failures(&answered).into_iter().collect();
            let done = messages.iter().filter(|message| !failed.contains(&message.id));
            let receipts: Vec<String> = done.map(|message| message.receipt.clone()).collect();
            if fastrand::u32(..FORGOTTEN_ONE_IN) > 0 {
                let _ = self.queue.delete(self.name, &receipts).await;
            }
        }
    }
}

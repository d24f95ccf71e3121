//! The soak: made-up events through the door and several consumers, while sends fail, transactions conflict
//! and are throttled, answers get lost and consumers are killed. At the end the ledger must equal the fold of
//! the same bodies, byte by byte.

use crate::generator::{Generator, Telling};
use crate::postmark::unreached;
use crate::{assert_whole, clock, consumer, server_id};
use account::MemoryVault;
use credential::Verifier;
use credential::{PrivateKey, basic};
use embedded::{Parts, Stack, pump};
use faults::{Fault, Plan};
use ingest::{Answer, WebhookRequest};
use ledger::{LedgerKey, Source};
use postledger::fold::{Fold, counter_lines, state_line};
use queue::{ENVELOPE_VERSION, Envelope, Queue, QueueName, Sender, SetAside, Settings};
use std::collections::{BTreeSet, HashMap};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What a soak is to do.
#[derive(Clone, Copy, Debug)]
pub struct Soak {
    /// Makes it differ from another.
    pub seed: u64,
    /// How many events.
    pub events: u64,
    /// Of how many calls to store or queue one goes wrong.
    pub fault_one_in: u64,
}

/// What happened.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many bodies were told, repeats included.
    pub tellings: u64,
    /// How many requests the door had, retries included.
    pub requests: u64,
    /// How many events are recorded.
    pub recorded: u64,
    /// How many bodies are in quarantine.
    pub set_aside: u64,
    /// Faults by name.
    pub faults: HashMap<String, u64>,
    /// How long doors and consumers took.
    pub took: Duration,
}

/// The stack that the soaks are about.
pub const STACK: &str = "soak";
const DOORS: u64 = 2;
const CONSUMERS: [(QueueName, usize); 3] =
    [(QueueName::Critical, 2), (QueueName::Bulk, 2), (QueueName::Quarantine, 1)];
const VISIBILITY: Duration = Duration::from_millis(2_000);

/// What goes wrong with calls of the doors to their queues.
pub(crate) const REFUSALS: [Fault; 2] = [Fault::Refuse, Fault::LoseAnswer];
/// What goes wrong with consumers and their calls.
pub(crate) const CONSUMER_FAULTS: [Fault; 7] = [
    Fault::Refuse,
    Fault::Conflict,
    Fault::LoseAnswer,
    Fault::Refuse,
    Fault::Conflict,
    Fault::StopBefore,
    Fault::StopAfter,
];

/// Counts faults, and draws when one happens; which one goes round by call, so that a short soak, too, meets each.
#[derive(Default)]
pub(crate) struct Misfortune {
    /// Of how many calls one goes wrong; 0: none.
    one_in: AtomicU64,
    counts: Mutex<HashMap<String, u64>>,
}

impl Misfortune {
    /// From now on one of so many calls goes wrong; 0: none.
    pub(crate) fn set_one_in(&self, one_in: u64) {
        self.one_in.store(one_in, Ordering::Relaxed);
    }

    /// How many calls went wrong.
    pub(crate) fn count(&self) -> u64 {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }

    /// A plan for calls, which does some of these faults.
    pub(crate) fn plan(self: &Arc<Misfortune>, allowed: &'static [Fault]) -> Plan {
        let this = self.clone();
        Plan::new(move |call| {
            let one_in = this.one_in.load(Ordering::Relaxed);
            if one_in == 0 || fastrand::u64(..one_in) > 0 {
                return Fault::None;
            }
            let mut counts = this.counts.lock().unwrap_or_else(PoisonError::into_inner);
            let of_call = |fault: &Fault| format!("{fault:?} {call}");
            let rarest = allowed.iter().min_by_key(|fault| counts.get(&of_call(fault)).copied().unwrap_or(0));
            let fault = *rarest.expect("some fault is allowed");
            *counts.entry(of_call(&fault)).or_default() += 1;
            fault
        })
    }
}

impl Soak {
    /// Runs it. `folder` takes the bodies, one a line; `fold` folds that file into lines, by the command or its
    /// function; `progress` is told how many bodies have been taken in.
    ///
    /// # Panics
    /// Where the ledger differs from the fold in any byte.
    pub async fn run(
        self,
        folder: &Path,
        fold: impl FnOnce(&Path) -> Vec<String>,
        progress: impl Fn(u64) + Send + Sync + 'static,
    ) -> Outcome {
        let generator = Generator { seed: self.seed, events: self.events, now: crate::now() };
        let order = Arc::new(generator.order(5));
        let file = folder.join("bodies.jsonl");
        write_bodies(&file, &generator, &order);
        let poison = poison_of(&generator, &order);

        let misfortune = Arc::new(Misfortune::default());
        misfortune.set_one_in(self.fault_one_in);
        let settings = Settings {
            visibility: VISIBILITY,
            duplicate_one_in: 50,
            shuffle: Some(self.seed),
            ..Settings::default()
        };
        let queue = Arc::new(queue::Memory::new(settings));
        let store = Arc::new(store::Memory::default());
        let key = PrivateKey::generate().expect("random numbers");
        let doors_queue: Arc<dyn Queue> =
            Arc::new(queue::Faulty::new(queue.clone(), misfortune.plan(&REFUSALS)));
        let stack = Arc::new(Stack::new(Parts {
            name: STACK.to_owned(),
            verifier: Arc::new(Verifier::new(STACK, [key.public()], []).expect("keys")),
            queue: doors_queue,
            store: store.clone(),
            ledger_key: LedgerKey::for_tests(),
            vault: Arc::new(MemoryVault::default()),
            postmark: unreached(),
            clock: clock(),
            portal: None,
            signing: None,
        }));

        let start = Instant::now();
        let (stop, stopped) = watch::channel(false);
        let mut consumers = JoinSet::new();
        for (name, tasks) in CONSUMERS {
            for _ in 0..tasks {
                consumers.spawn(consume(
                    queue.clone(),
                    store.clone(),
                    name,
                    misfortune.clone(),
                    stopped.clone(),
                ));
            }
        }
        let (requests, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (key, progress) = (Arc::new(key), Arc::new(progress));
        let mut doors = JoinSet::new();
        for door in 0..DOORS {
            let (stack, queue, order, key) = (stack.clone(), queue.clone(), order.clone(), key.clone());
            let (requests, done, progress) = (requests.clone(), done.clone(), progress.clone());
            doors.spawn(async move {
                for (event, copy) in order.iter().skip(door as usize).step_by(DOORS as usize) {
                    let telling = generator.telling(*event, *copy);
                    tell(&stack, &*queue, &key, &telling, &requests).await;
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1);
                    // Give the consumers their turn.
                    if event % 64 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            });
        }
        while doors.join_next().await.is_some() {}
        let _ = stop.send(true);
        while consumers.join_next().await.is_some() {}
        let took = start.elapsed();

        for name in QueueName::LIVE {
            let dead = name.dead().expect("live queues have one");
            let (waiting, dead) =
                (queue.depth(name).await.expect("depth"), queue.depth(dead).await.expect("depth"));
            assert_eq!(
                (waiting.visible, waiting.in_flight, dead.visible),
                (0, 0, 0),
                "nothing is left on {}",
                name.name()
            );
        }
        assert_whole(&store);
        let kept: BTreeSet<String> =
            store.all_quarantined().expect("items").into_iter().map(|kept| kept.part.id).collect();
        assert_eq!(kept, poison, "quarantine is exactly the poison");
        let ours = store.all_views().expect("items");
        let ours = ours.iter().map(state_line).chain(counter_lines(&store.all_counters())).collect();
        same_lines(ours, fold(&file));
        let counts = misfortune.counts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Outcome {
            tellings: order.len() as u64,
            requests: requests.load(Ordering::Relaxed),
            recorded: store.all_events().expect("items").len() as u64,
            set_aside: kept.len() as u64,
            faults: counts,
            took,
        }
    }
}

/// The fold of a file, by the function behind the command.
///
/// # Panics
/// Where the file cannot be read.
pub fn fold_file(file: &Path) -> Vec<String> {
    let lines = std::io::BufReader::new(std::fs::File::open(file).expect("the bodies"));
    let key = LedgerKey::for_tests();
    Fold::read(lines, None, crate::now(), &key, |_| {}).expect("a readable file").lines().collect()
}

/// What the real command `postledger fold` prints of a file.
///
/// # Panics
/// Where it cannot be run.
pub fn fold_by(postledger: &Path, file: &Path, ledger_key: Option<&Path>) -> Vec<String> {
    let output = Command::new(postledger)
        .args(["fold", "--received-at", "2026-10-01T00:00:00Z"])
        .args(ledger_key.iter().flat_map(|key| [Path::new("--ledger-key"), key]))
        .stdin(std::fs::File::open(file).expect("the bodies"))
        .stderr(Stdio::inherit())
        .output()
        .expect("the command postledger: build it by `cargo build --release -p postledger`");
    assert!(output.status.success(), "postledger fold failed");
    String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
}

/// Fails unless the lines of a ledger are those of the fold.
///
/// # Panics
/// Where they are not.
pub fn same_lines(ours: Vec<String>, folded: Vec<String>) {
    let of_ledger = |line: &&String| line.starts_with("{\"state\"") || line.starts_with("{\"counters\"");
    let theirs: Vec<&String> = folded.iter().filter(of_ledger).collect();
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(&ours, theirs, "a line of the ledger differs from the fold");
    }
    assert_eq!(ours.len(), theirs.len());
}

/// Writes every telling as a line for the command `fold`.
pub fn write_bodies(file: &Path, generator: &Generator, order: &[(u64, u8)]) {
    use base64::Engine as _;
    let mut out = BufWriter::new(std::fs::File::create(file).expect("a file for the bodies"));
    for (event, copy) in order {
        let telling = generator.telling(*event, *copy);
        let body = base64::engine::general_purpose::STANDARD.encode(&telling.body);
        let (server, source, at) = (telling.server, telling.source.name(), generator.now);
        writeln!(
            out,
            r#"{{"server":{server},"received_at":"{at}","source":"{source}","body_base64":"{body}"}}"#
        )
        .expect("a writable file");
    }
    out.flush().expect("a writable file");
}

/// The bodies that must be set aside.
pub(crate) fn poisonous(generator: &Generator, order: &[(u64, u8)]) -> BTreeSet<Vec<u8>> {
    let tellings = order.iter().map(|(event, copy)| generator.telling(*event, *copy));
    let is_poison = |telling: &Telling| {
        let context = postmark::Context { received_at: generator.now, ..context(telling) };
        postmark::examine(&telling.body, &context).is_err()
    };
    tellings.filter(is_poison).map(|telling| telling.body).collect()
}

/// The quarantine ids of what must be set aside.
pub(crate) fn poison_of(generator: &Generator, order: &[(u64, u8)]) -> BTreeSet<String> {
    let mut poison = BTreeSet::new();
    for (event, copy) in order {
        let telling = generator.telling(*event, *copy);
        let context = context(&telling);
        if postmark::examine(&telling.body, &context).is_err() {
            let aside = SetAside {
                server: context.server,
                generation: 1,
                key_id: String::new(),
                received_at: context.received_at,
                source: context.source,
                reason: String::new(),
                detail: String::new(),
                record_type: None,
                dropped: Vec::new(),
                erased: None,
                body: telling.body,
            };
            poison.insert(aside.id());
        }
    }
    poison
}

fn context(telling: &Telling) -> postmark::Context {
    postmark::Context {
        server: server_id(telling.server),
        received_at: crate::now(),
        source: telling.source,
        keep_engagement_detail: false,
    }
}

/// Tells it as its source does, again and again until it is accepted.
pub(crate) async fn tell(
    stack: &Stack,
    queue: &dyn Sender,
    key: &PrivateKey,
    telling: &Telling,
    requests: &AtomicU64,
) {
    if telling.source != Source::Webhook {
        let context = context(telling);
        let examined = postmark::examine(&telling.body, &context).expect("what we tell ourselves is sound");
        let envelope = Envelope {
            v: ENVELOPE_VERSION,
            server: context.server,
            generation: 0,
            key_id: String::new(),
            record_type: examined.kind,
            received_at: context.received_at,
            trace_id: None,
            retries_remaining: None,
            source: telling.source,
            overridden: false,
            dropped: examined.dropped,
            erased: None,
            body: Envelope::raw(examined.canonical).expect("JSON"),
        };
        queue.send(QueueName::of(examined.kind), &envelope.encode()).await.expect("the queue");
        return;
    }
    let user = format!("{}.1", telling.server).parse().expect("a user");
    let mut headers = http::HeaderMap::new();
    let authorization = cached_basic(key, user);
    headers.insert(http::header::AUTHORIZATION, authorization.parse().expect("a header"));
    let path = format!("/v1/{}/{}", telling.server, telling.segment);
    let method = http::Method::POST;
    let webhook = WebhookRequest {
        method: &method,
        path: &path,
        headers: &headers,
        body: &telling.body,
        source_ip: None,
    };
    loop {
        requests.fetch_add(1, Ordering::Relaxed);
        match stack.door(&path).answer(webhook).await {
            Answer::Accepted | Answer::SetAside(_) => return,
            Answer::TryAgain => {}
            other => panic!("the door answered {other:?} to a genuine event"),
        }
    }
}

/// Signing is the operator's work, done once for each server.
fn cached_basic(key: &PrivateKey, user: credential::User) -> String {
    static MINTED: Mutex<Option<HashMap<String, String>>> = Mutex::new(None);
    let mut minted = MINTED.lock().unwrap_or_else(PoisonError::into_inner);
    let name = format!("{} {user}", key.public());
    minted
        .get_or_insert_default()
        .entry(name)
        .or_insert_with(|| basic(user, &key.password(STACK, user).expect("a password")))
        .clone()
}

/// One consumer and its successors: whenever it is killed, another begins with nothing but the queue.
async fn consume(
    queue: Arc<queue::Memory>,
    store: Arc<store::Memory>,
    name: QueueName,
    misfortune: Arc<Misfortune>,
    stop: watch::Receiver<bool>,
) {
    loop {
        let plan = misfortune.plan(&CONSUMER_FAULTS);
        let faulty_queue: Arc<dyn Queue> = Arc::new(queue::Faulty::new(queue.clone(), plan.clone()));
        let consumer = Arc::new(consumer(Arc::new(store::Faulty::new(store.clone(), plan.clone()))));
        tokio::select! {
            () = pump::run(faulty_queue, consumer, name, Arc::default(), stop.clone()) => {
                let depth = queue.depth(name).await.expect("depth");
                if depth.visible + depth.in_flight == 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            () = plan.stopped() => {}
        }
    }
}

//! The world of a month: Postmark, the doors and what stands before them, queues, tables and consumers, on one clock.

use super::Sim;
use super::faults::Fault;
use super::front::Front;
use super::traffic::{STREAMS, notices_are_broadcast, outcome};
use crate::postmark::unreached;
use crate::postmark::{Caller, InProcess};
use crate::soak::Misfortune;
use account::MemoryVault;
use account::{Doors, Keys};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consumer::Consumer;
use credential::Verifier;
use credential::{PrivateKey, User};
use embedded::{Parts, Stack, pump};
use fastrand::Rng;
use faults::Plan;
use futures_util::{StreamExt as _, stream};
use ledger::{LedgerKey, ServerId, Time};
use platform::Clock;
use postmark_api::{Auth, Bytes, Chunks, Endpoint, Retries, ServerApi, Token, Transport, TransportError};
use postmark_simulator::{Config, Quirks, Simulator, StreamKind};
use queue::{Queue, QueueName, Settings};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The stack that the credentials are for.
const STACK: &str = "sim";
/// Of how many calls of a consumer, or of reconcile, one goes wrong, while they do.
const CONSUMER_FAULT_ONE_IN: u64 = 300;
const RECONCILE_FAULT_ONE_IN: u64 = 2_000;
/// Out of how many calls of the API one answer is cut off or not JSON, while it is at fault.
const CUT_ONE_IN: u64 = 25;

/// The virtual clock, as ours read it.
#[derive(Clone, Default)]
pub(crate) struct VirtualClock(Arc<AtomicI64>);

impl VirtualClock {
    pub(crate) fn now(&self) -> Time {
        Time::from_micros(self.0.load(Ordering::Relaxed))
    }

    fn set(&self, micros: i64) {
        self.0.store(micros, Ordering::Relaxed);
    }

    pub(crate) fn clock(&self) -> Clock {
        let this = self.clone();
        Arc::new(move || this.now())
    }
}

/// A client of the agency: its server.
pub(crate) struct Client {
    pub(crate) server: ServerId,
    /// Its API as we call it.
    pub(crate) api: ServerApi,
    /// Its API as the client calls it, over a better line.
    pub(crate) own: ServerApi,
}

/// The operator's keys, made from the seed.
pub(crate) struct KeyRing {
    seed: u64,
    made: u64,
    keys: Vec<PrivateKey>,
}

impl KeyRing {
    fn new(seed: u64) -> KeyRing {
        let mut ring = KeyRing { seed, made: 0, keys: Vec::new() };
        ring.make();
        ring
    }

    fn make(&mut self) {
        self.made += 1;
        let mut rng = Rng::with_seed(self.seed ^ self.made << 32);
        let secret: [u8; 32] = std::array::from_fn(|_| rng.u8(..));
        let key = PrivateKey::from_secret(&URL_SAFE_NO_PAD.encode(secret)).expect("32 bytes");
        self.keys.insert(0, key);
    }

    pub(crate) fn verifier(&self) -> Verifier {
        Verifier::new(STACK, self.keys.iter().map(PrivateKey::public), []).expect("one or two keys")
    }

    /// What a server's webhooks bear.
    pub(crate) fn auth_of(&self, server: ServerId) -> Auth {
        let user = User { server, generation: 1 };
        let password = self.keys[0].password(STACK, user).expect("a sound name");
        Auth { username: user.to_string(), password }
    }
}

impl Keys for KeyRing {
    fn ids(&self) -> Vec<String> {
        self.keys.iter().map(|key| key.public().id().to_owned()).collect()
    }

    fn add(&mut self) -> Result<String, String> {
        self.make();
        Ok(self.keys[0].public().id().to_owned())
    }

    fn auth(&self, server: ServerId, _: u32) -> Result<Auth, String> {
        Ok(self.auth_of(server))
    }

    fn retire(&mut self, key_id: &str) -> Result<(), String> {
        self.keys.retain(|key| key.public().id() != key_id);
        Ok(())
    }
}

/// A consumer, which is replaced when it is killed.
struct Running {
    queue: Arc<dyn Queue>,
    consumer: Arc<Consumer>,
    plan: Plan,
}

/// The world.
pub(crate) struct World {
    pub(crate) simulator: Arc<Mutex<Simulator>>,
    pub(crate) store: Arc<store::Memory>,
    pub(crate) queue: Arc<queue::Memory>,
    pub(crate) front: Arc<Front>,
    pub(crate) doors: Doors,
    pub(crate) clock: VirtualClock,
    pub(crate) ledger_key: LedgerKey,
    pub(crate) keys: KeyRing,
    pub(crate) clients: Vec<Client>,
    /// The way to the API while it may be cut off.
    cuts: Arc<AtomicBool>,
    door_troubles: Arc<Misfortune>,
    pub(crate) consumer_troubles: Arc<Misfortune>,
    pub(crate) reconcile_troubles: Arc<Misfortune>,
    consumers: BTreeMap<QueueName, Running>,
    consumers_down: bool,
    /// Where tokio's clock, by which messages become visible again, began.
    epoch: (tokio::time::Instant, Time),
}

impl World {
    pub(crate) fn new(sim: &Sim, start: Time) -> World {
        let quirks = sim.quirks.clone().unwrap_or_else(|| Quirks::draw(sim.seed));
        let start_of = postmark_simulator::Time::from_micros(start.micros());
        let config = Config { rules: sim.rules, start: start_of, quirks, ..Config::new(sim.seed) };
        let mut simulator = Simulator::new(config);
        simulator.set_chooser(|sent, rng| Some(outcome(sent, rng)));
        let mut servers = Vec::new();
        for number in 0..sim.servers {
            let server = simulator.add_server(&format!("Client {number}"));
            let kind = if notices_are_broadcast(number) {
                StreamKind::Broadcasts
            } else {
                StreamKind::Transactional
            };
            simulator.add_stream(server.id, STREAMS[2], kind);
            servers.push(server);
        }
        let simulator = Arc::new(Mutex::new(simulator));
        let clock = VirtualClock::default();
        clock.set(start.micros());
        let keys = KeyRing::new(sim.seed);
        let store = Arc::new(store::Memory::default());
        let settings = Settings { shuffle: Some(sim.seed | 1), duplicate_one_in: 200, ..Settings::default() };
        let queue = Arc::new(queue::Memory::new(settings));
        let door_troubles = Arc::new(Misfortune::default());
        let ledger_key = LedgerKey::for_tests();
        let stack = stack(&keys, &queue, &store, &door_troubles, &ledger_key, &clock);
        let front = Arc::new(Front::new(stack, sim.seed));
        let cuts = Arc::new(AtomicBool::new(false));
        let own = InProcess::new(simulator.clone(), front.clone());
        let rng = Mutex::new(Rng::with_seed(sim.seed ^ 0xC07));
        let flaky = Flaky { inner: own.clone(), cuts: cuts.clone(), rng };
        let at_once = Retries { attempts: 5, first_pause: Duration::ZERO, most_pause: Duration::ZERO };
        let flaky = Endpoint::new(Arc::new(flaky)).with_retries(at_once);
        let own = Endpoint::new(Arc::new(own)).with_retries(at_once);
        let clients = servers.iter().map(|server| Client {
            server: ServerId::new(server.id.cast_signed()).expect("a server"),
            api: flaky.server(Token::new(&server.token).expect("a token")),
            own: own.server(Token::new(&server.token).expect("a token")),
        });
        let clients = clients.collect();
        let mut world = World {
            simulator,
            store,
            queue,
            doors: Doors::new(Arc::new(Caller(front.clone()))),
            front,
            clock,
            ledger_key,
            keys,
            clients,
            cuts,
            door_troubles,
            consumer_troubles: Arc::default(),
            reconcile_troubles: Arc::default(),
            consumers: BTreeMap::new(),
            consumers_down: false,
            epoch: (tokio::time::Instant::now(), start),
        };
        for name in QueueName::LIVE {
            world.start_consumer(name);
        }
        world
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Simulator> {
        self.simulator.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Our clock shows what Postmark's does.
    pub(crate) fn set_clock(&self, at: postmark_simulator::Time) {
        self.clock.set(at.micros());
    }

    fn start_consumer(&mut self, name: QueueName) {
        let plan = self.consumer_troubles.plan(&crate::soak::CONSUMER_FAULTS);
        let store = Arc::new(store::Faulty::new(self.store.clone(), plan.clone()));
        let settings = consumer::Settings::new(self.ledger_key.clone(), self.clock.clock());
        let consumer = Arc::new(Consumer::new(store, settings));
        let queue: Arc<dyn Queue> = Arc::new(queue::Faulty::new(self.queue.clone(), plan.clone()));
        self.consumers.insert(name, Running { queue, consumer, plan });
    }

    /// Consumes what is visible, as far as consumers run. What they could not do comes again later.
    pub(crate) async fn drain(&mut self) {
        if self.consumers_down {
            return;
        }
        let (epoch, start) = self.epoch;
        let passed = self.clock.now().micros() - start.micros();
        let passed = Duration::from_micros(u64::try_from(passed).unwrap_or_default());
        let behind = (epoch + passed).saturating_duration_since(tokio::time::Instant::now());
        if !behind.is_zero() {
            tokio::time::advance(behind).await;
        }
        for name in QueueName::LIVE {
            loop {
                let running = &self.consumers[&name];
                let (queue, consumer, plan) =
                    (running.queue.clone(), running.consumer.clone(), running.plan.clone());
                let done = tokio::select! {
                    biased;
                    done = pump::once(&*queue, &consumer, name) => Some(done),
                    () = plan.stopped() => None,
                };
                match done {
                    None => self.start_consumer(name),
                    Some(Ok(0)) => break,
                    Some(Ok(_) | Err(_)) => {}
                }
            }
        }
    }

    /// How many messages wait, are in flight, and are dead.
    pub(crate) async fn depths(&self) -> (usize, usize, usize) {
        let (mut visible, mut in_flight, mut dead) = (0, 0, 0);
        for name in QueueName::LIVE {
            let depth = self.queue.depth(name).await.expect("the memory queue");
            (visible, in_flight) = (visible + depth.visible, in_flight + depth.in_flight);
            if let Some(name) = name.dead() {
                dead += self.queue.depth(name).await.expect("the memory queue").visible;
            }
        }
        (visible, in_flight, dead)
    }

    /// Deploys doors with the operator's keys, or with the key of another stack.
    pub(crate) fn deploy(&self, wrong: bool) {
        let other = KeyRing::new(!self.keys.seed);
        let keys = if wrong { &other } else { &self.keys };
        let (queue, store) = (&self.queue, &self.store);
        self.front.deploy(stack(keys, queue, store, &self.door_troubles, &self.ledger_key, &self.clock));
    }

    /// Begins or ends a fault that lasts.
    pub(crate) fn set_fault(&mut self, fault: Fault, on: bool) {
        let one_in = |troubles: &Misfortune, one_in| troubles.set_one_in(if on { one_in } else { 0 });
        match fault {
            Fault::QueueRefuses => one_in(&self.door_troubles, 1),
            Fault::ConsumersKilled => one_in(&self.consumer_troubles, CONSUMER_FAULT_ONE_IN),
            Fault::ReconcileKilled => one_in(&self.reconcile_troubles, RECONCILE_FAULT_ONE_IN),
            Fault::ConsumersDown => self.consumers_down = on,
            Fault::WrongKey => self.deploy(on),
            Fault::Api => {
                self.cuts.store(on, Ordering::Relaxed);
                let faults = postmark_simulator::Faults {
                    internal_share: 0.15,
                    unavailable_share: 0.15,
                    requests_per_second_max: Some(150),
                    maintenance: false,
                };
                self.lock().set_faults(if on { faults } else { postmark_simulator::Faults::default() });
            }
            fault => self.front.set(fault, on),
        }
    }
}

fn stack(
    keys: &KeyRing,
    queue: &Arc<queue::Memory>,
    store: &Arc<store::Memory>,
    troubles: &Arc<Misfortune>,
    ledger_key: &LedgerKey,
    clock: &VirtualClock,
) -> Arc<Stack> {
    Arc::new(Stack::new(Parts {
        name: STACK.to_owned(),
        verifier: Arc::new(keys.verifier()),
        queue: Arc::new(queue::Faulty::new(queue.clone(), troubles.plan(&crate::soak::REFUSALS))),
        store: store.clone(),
        ledger_key: ledger_key.clone(),
        vault: Arc::new(MemoryVault::default()),
        postmark: unreached(),
        clock: clock.clock(),
        portal: None,
        signing: None,
    }))
}

/// The API over a line that may be cut.
struct Flaky {
    inner: InProcess,
    cuts: Arc<AtomicBool>,
    rng: Mutex<Rng>,
}

#[async_trait]
impl Transport for Flaky {
    async fn call(&self, request: http::Request<Bytes>) -> Result<http::Response<Chunks>, TransportError> {
        let fate = || self.rng.lock().unwrap_or_else(PoisonError::into_inner).u64(..CUT_ONE_IN);
        let fate = if self.cuts.load(Ordering::Relaxed) { fate() } else { u64::MAX };
        let answer = self.inner.call(request).await?;
        if fate > 1 {
            return Ok(answer);
        }
        let (parts, body) = answer.into_parts();
        let body: Chunks = if fate == 0 {
            let chunks: Vec<Bytes> = body.filter_map(|chunk| std::future::ready(chunk.ok())).collect().await;
            let whole = chunks.concat();
            let half = Bytes::copy_from_slice(&whole[..whole.len() / 2]);
            let cut = TransportError::Broken("the connection was reset".to_owned());
            Box::pin(stream::iter([Ok(half), Err(cut)]))
        } else {
            Box::pin(stream::iter([Ok(Bytes::from_static(b"<html>Please try again later</html>"))]))
        };
        Ok(http::Response::from_parts(parts, body))
    }
}

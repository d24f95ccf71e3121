//! The embedded mode: the seven doors, the queues, the consumer and the tables in one process. One port is for webhooks
//! and tokens; whoever operates it has a [`socket`] apart.
//!
//! Nothing here is a copy: the doors and the consumer are those of the Lambda functions, over implementations of the ports
//! in memory or in the database of a [`Folder`]. What API Gateway, the event source mapping and the schedules do on AWS,
//! [`server`], [`pump`] and [`Timers`] do here.

pub mod admin;
mod connecting;
mod folder;
mod handlers;
pub mod journal;
mod listen;
pub mod portal;
pub mod pump;
pub mod seal;
pub mod server;
pub mod socket;
mod timers;
pub mod tls;

pub use connecting::{Ring, Signing};
pub use folder::{FINGERPRINT, Folder, FolderError, KEY, RESTORING, SEALED, STACK};
pub use listen::{Front, Limits};
pub use socket::{Socket, SocketError};

pub use handlers::{Handlers, KEEPS_ENGAGEMENT_DETAIL};
pub use timers::Timers;

use account::{Connecting, Vault};
use api::scope::Portal;
use connecting::Here;
use consumer::Consumer;
use credential::Verifier;
use ingest::Handler;
use ledger::LedgerKey;
use ledger::policy::SoftBouncePolicy;
use operator::Operator;
use platform::Clock;
use postmark_api::Endpoint;
use pump::Pulse;
use queue::{Queue, QueueError, QueueName, Trusted};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use store::Scan;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How many consumer tasks each queue has.
const PUMPS: [(QueueName, usize); 3] =
    [(QueueName::Critical, 2), (QueueName::Bulk, 2), (QueueName::Quarantine, 1)];
/// How often a drain looks whether it is done.
const DRAIN_POLL: Duration = Duration::from_millis(5);

/// What a stack is made of.
pub struct Parts {
    /// The stack's name.
    pub name: String,
    /// What verifies credentials.
    pub verifier: Arc<Verifier>,
    /// The queues.
    pub queue: Arc<dyn Queue>,
    /// The tables.
    pub store: Arc<dyn Scan>,
    /// What makes recipient ids.
    pub ledger_key: LedgerKey,
    /// Where the servers' Postmark tokens are kept.
    pub vault: Arc<dyn Vault>,
    /// Postmark.
    pub postmark: Endpoint,
    /// What time it is.
    pub clock: Clock,
    /// Where users sign in, if they do.
    pub portal: Option<Portal>,
    /// What webhooks are set up by, for whoever asks for it in the portal.
    pub signing: Option<Signing>,
}

/// The doors as they are now: what they verify passwords by may change while they are open.
struct LiveDoors {
    doors: RwLock<Handlers>,
    verifier: RwLock<Arc<Verifier>>,
    queue: Arc<dyn queue::Sender>,
    clock: Clock,
}

impl LiveDoors {
    fn adopt(&self, verifier: Arc<Verifier>) {
        let doors = Handlers::new(&verifier, &self.queue, &self.clock);
        *self.doors.write().unwrap_or_else(PoisonError::into_inner) = doors;
        *self.verifier.write().unwrap_or_else(PoisonError::into_inner) = verifier;
    }

    fn verifier(&self) -> Arc<Verifier> {
        self.verifier.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A whole Postledger.
pub struct Stack {
    /// Its name.
    pub name: String,
    live: Arc<LiveDoors>,
    /// What whoever operates it reaches: queues, tables, the read API, ledger key and clock.
    pub operator: Arc<Operator>,
    /// The consumer.
    pub consumer: Arc<Consumer>,
    pulse: Arc<Pulse>,
}

impl Stack {
    /// Puts a stack together.
    pub fn new(parts: Parts) -> Stack {
        let Parts { name, verifier, queue, store, ledger_key, vault, postmark, clock, portal, signing } =
            parts;
        let settings = consumer::Settings::new(ledger_key.clone(), clock.clone());
        let sender = queue.clone() as Arc<dyn queue::Sender>;
        let live = Arc::new(LiveDoors {
            doors: RwLock::new(Handlers::new(&verifier, &sender, &clock)),
            verifier: RwLock::new(verifier),
            queue: sender,
            clock: clock.clone(),
        });
        let connecting = signing.map(|signing| {
            Arc::new(Here {
                name: name.clone(),
                signing,
                store: store.clone(),
                vault: vault.clone(),
                postmark: postmark.clone(),
                clock: clock.clone(),
                live: live.clone(),
            }) as Arc<dyn Connecting>
        });
        Stack {
            name,
            live,
            pulse: Arc::default(),
            consumer: Arc::new(Consumer::new(store.clone(), settings)),
            operator: Arc::new(Operator::new(operator::Parts {
                store,
                queue,
                vault,
                postmark,
                ledger_key,
                policy: SoftBouncePolicy::default(),
                trusted: Trusted::All,
                clock,
                portal,
                connecting,
            })),
        }
    }

    /// The door that API Gateway would route a path to.
    pub fn door(&self, path: &str) -> Arc<Handler> {
        self.live.doors.read().unwrap_or_else(PoisonError::into_inner).of(path).clone()
    }

    /// From now on the doors verify credentials by this: what a deployment with other keys does on AWS.
    pub fn adopt(&self, verifier: Arc<Verifier>) {
        self.live.adopt(verifier);
    }

    /// What verifies credentials now.
    pub fn verifier(&self) -> Arc<Verifier> {
        self.live.verifier()
    }

    /// Whether what comes in is consumed.
    pub fn is_consuming(&self) -> bool {
        self.pulse.is_felt()
    }

    /// Consumes until `stop` says so and all queues are empty.
    pub fn consume(&self, stop: &watch::Receiver<bool>) -> JoinSet<()> {
        let mut pumps = JoinSet::new();
        for (name, tasks) in PUMPS {
            for _ in 0..tasks {
                pumps.spawn(pump::run(
                    self.operator.queue.clone(),
                    self.consumer.clone(),
                    name,
                    self.pulse.clone(),
                    stop.clone(),
                ));
            }
        }
        pumps
    }

    /// Returns once all live queues are empty.
    pub async fn drained(&self) -> Result<(), QueueError> {
        loop {
            let mut waiting = 0;
            for name in QueueName::LIVE {
                let depth = self.operator.queue.depth(name).await?;
                waiting += depth.visible + depth.in_flight;
            }
            if waiting == 0 {
                return Ok(());
            }
            tokio::time::sleep(DRAIN_POLL).await;
        }
    }
}

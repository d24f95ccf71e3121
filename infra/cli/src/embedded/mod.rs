//! The embedded mode: the seven doors, the queues, the consumer and the tables in one process, one port.
//!
//! Nothing here is a copy: the doors and the consumer are those of the Lambda functions, over the memory
//! implementations of the ports. What API Gateway and the event source mapping do on AWS, [`server`] and
//! [`pump`] do here. What is taken in lives as long as the process.

pub mod admin;
pub mod pump;
pub mod server;

use consumer::Consumer;
use ingest::{Door, Verifier};
use ledger::LedgerKey;
use platform::Clock;
use postmark::RecordType;
use queue::{Queue, QueueError, QueueName};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
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
    pub store: Arc<dyn Store>,
    /// What makes recipient ids.
    pub ledger_key: LedgerKey,
    /// What time it is.
    pub clock: Clock,
}

/// A whole Postledger.
pub struct Stack {
    /// Its name.
    pub name: String,
    doors: BTreeMap<Option<RecordType>, Door>,
    /// The queues.
    pub queue: Arc<dyn Queue>,
    /// The tables.
    pub store: Arc<dyn Store>,
    /// What makes recipient ids.
    pub ledger_key: LedgerKey,
    /// What time it is.
    pub clock: Clock,
    /// The consumer.
    pub consumer: Arc<Consumer>,
}

impl Stack {
    /// Puts a stack together.
    pub fn new(parts: Parts) -> Stack {
        let Parts { name, verifier, queue, store, ledger_key, clock } = parts;
        let routes = RecordType::ALL.map(Some).into_iter().chain([None]);
        let door = |route| Door {
            route,
            verifier: verifier.clone(),
            queue: Arc::new(Sending(queue.clone())),
            keep_engagement_detail: false,
            clock: clock.clone(),
        };
        let settings = consumer::Settings::new(ledger_key.clone(), clock.clone());
        Stack {
            name,
            doors: routes.map(|route| (route, door(route))).collect(),
            consumer: Arc::new(Consumer::new(store.clone(), settings)),
            queue,
            store,
            ledger_key,
            clock,
        }
    }

    /// The door that API Gateway would route a path to.
    pub fn door(&self, path: &str) -> &Door {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let route = match segments[..] {
            ["v1", _, segment] => RecordType::of_segment(segment),
            _ => None,
        };
        &self.doors[&route]
    }

    /// Consumes until `stop` says so and all queues are empty.
    pub fn consume(&self, stop: &watch::Receiver<bool>) -> JoinSet<()> {
        let mut pumps = JoinSet::new();
        for (name, tasks) in PUMPS {
            for _ in 0..tasks {
                pumps.spawn(pump::run(self.queue.clone(), self.consumer.clone(), name, stop.clone()));
            }
        }
        pumps
    }

    /// Returns once all live queues are empty.
    ///
    /// # Errors
    /// The queue's own.
    pub async fn drained(&self) -> Result<(), QueueError> {
        loop {
            let mut waiting = 0;
            for name in QueueName::LIVE {
                let depth = self.queue.depth(name).await?;
                waiting += depth.visible + depth.in_flight;
            }
            if waiting == 0 {
                return Ok(());
            }
            tokio::time::sleep(DRAIN_POLL).await;
        }
    }
}

/// A queue, for one who only sends.
struct Sending(Arc<dyn Queue>);

#[async_trait::async_trait]
impl queue::Sender for Sending {
    async fn send(&self, to: QueueName, body: &str) -> Result<(), QueueError> {
        self.0.send(to, body).await
    }
}

//! What an event source mapping does: batches from a queue to the consumer, deletes what is done, and lets
//! the rest come again.

use consumer::{Consumer, DEADLINE_RESERVE, Incoming};
use queue::{Message, Queue, QueueError, QueueName, RECEIVE_MAX};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How many messages make a batch, at most, as the deployed mappings say.
pub const fn batch_max(queue: QueueName) -> usize {
    match queue {
        QueueName::Bulk | QueueName::BulkDead => 100,
        _ => 10,
    }
}

/// How long a batch may take, as the deployed function's timeout says.
pub const BATCH_TIMEOUT: Duration = Duration::from_secs(30);
const _: () = assert!(BATCH_TIMEOUT.as_secs() > DEADLINE_RESERVE.as_secs());
/// How long to wait when there is nothing.
const IDLE: Duration = Duration::from_millis(10);
/// How long to wait where the queue or the database does not answer: a disk that is full is not freed in a moment.
const FAILED: Duration = Duration::from_secs(1);

/// Consumes a queue until told to stop and nothing is left to receive.
pub async fn run(
    queue: Arc<dyn Queue>,
    consumer: Arc<Consumer>,
    from: QueueName,
    pulse: Arc<Pulse>,
    stop: watch::Receiver<bool>,
) {
    loop {
        let done = once(&*queue, &consumer, from).await;
        pulse.note(from, done.is_ok());
        match done {
            Ok(0) if *stop.borrow() => return,
            Ok(0) => tokio::time::sleep(IDLE).await,
            Err(error) => {
                platform::logs::run_failed(&error);
                tokio::time::sleep(FAILED).await;
            }
            Ok(_) => {}
        }
    }
}

/// When each queue was last asked and answered.
#[derive(Debug)]
pub struct Pulse(BTreeMap<QueueName, Mutex<Option<Instant>>>);

impl Default for Pulse {
    fn default() -> Pulse {
        Pulse(QueueName::LIVE.into_iter().map(|name| (name, Mutex::new(None))).collect())
    }
}

impl Pulse {
    fn note(&self, queue: QueueName, answered: bool) {
        if let Some(last) = self.0.get(&queue) {
            *last.lock().unwrap_or_else(PoisonError::into_inner) = answered.then(Instant::now);
        }
    }

    /// Whether every queue answered within the time that a batch may take.
    pub fn is_felt(&self) -> bool {
        let recent = |last: &Mutex<Option<Instant>>| {
            let last = *last.lock().unwrap_or_else(PoisonError::into_inner);
            last.is_some_and(|last| last.elapsed() < 2 * BATCH_TIMEOUT)
        };
        self.0.values().all(recent)
    }
}

/// One batch: receive, consume, delete. How many messages it had.
pub async fn once(queue: &dyn Queue, consumer: &Consumer, from: QueueName) -> Result<usize, QueueError> {
    let mut messages: Vec<Message> = Vec::new();
    while messages.len() < batch_max(from) {
        let more = queue.receive(from, RECEIVE_MAX.min(batch_max(from) - messages.len())).await?;
        if more.is_empty() {
            break;
        }
        messages.extend(more);
    }
    if messages.is_empty() {
        return Ok(0);
    }
    // The answer names messages by id; the same message may be there twice, under two receipts.
    let incoming: Vec<Incoming> = messages
        .iter()
        // The queues are this process's own: nobody else sends.
        .map(|message| Incoming { id: message.id.clone(), body: message.body.clone(), trusted: true })
        .collect();
    let failed: HashSet<String> =
        consumer.handle(from, &incoming, Instant::now() + BATCH_TIMEOUT).await.into_iter().collect();
    // What failed stays invisible until its timeout, and comes again then.
    let done = messages.iter().filter(|message| !failed.contains(&message.id));
    let done: Vec<String> = done.map(|message| message.receipt.clone()).collect();
    queue.delete(from, &done).await?;
    Ok(messages.len())
}

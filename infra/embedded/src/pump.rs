//! What an event source mapping does: batches from a queue to the consumer, deletes what is done, and lets
//! the rest come again.

use consumer::{Consumer, DEADLINE_RESERVE, Incoming};
use queue::{Message, Queue, QueueError, QueueName, RECEIVE_MAX};
use std::collections::HashSet;
use std::sync::Arc;
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
/// How long to wait when there is nothing, or the queue does not answer.
const IDLE: Duration = Duration::from_millis(10);

/// Consumes a queue until told to stop and nothing is left to receive.
pub async fn run(
    queue: Arc<dyn Queue>,
    consumer: Arc<Consumer>,
    from: QueueName,
    stop: watch::Receiver<bool>,
) {
    loop {
        match once(&*queue, &consumer, from).await {
            Ok(0) if *stop.borrow() => return,
            Ok(0) | Err(_) => tokio::time::sleep(IDLE).await,
            Ok(_) => {}
        }
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

//! The contract suites, unchanged, over SQS and DynamoDB as the emulator has them.

use async_trait::async_trait;
use postledger_tests::emulator::{Emulator, fresh_name, make_tables};
use queue::sqs::LIMITS;
use queue::{Depth, Message, Queue, QueueError, QueueName, Sender, Sqs};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::Scan;

/// Cases beyond what `make oracle`'s DynamoDB takes: ten actions in a transaction, where AWS takes a hundred.
const BEYOND_THE_ORACLE: &[&str] =
    &["a_hundred_actions_are_taken_and_one_more_is_not", "items_and_transactions_have_their_size_limits"];

#[tokio::test]
async fn the_tables_on_dynamodb_keep_the_contract() {
    let oracle = platform::env::text("POSTLEDGER_TEST_DYNAMODB");
    let left_out = if oracle.is_some() { BEYOND_THE_ORACLE } else { &[] };
    let url = oracle.unwrap_or_else(|| Emulator::shared().url.clone());
    for by_time in [false, true] {
        store::contract::run_but(left_out, async || {
            Arc::new(make_tables(&url, &fresh_name(), by_time).await) as Arc<dyn Scan>
        })
        .await;
    }
}

/// Queues that remember what was received, so that a test need not wait for a timeout.
struct Remembering {
    sqs: Sqs,
    received: Mutex<Vec<(QueueName, String)>>,
}

#[async_trait]
impl Sender for Remembering {
    async fn send(&self, to: QueueName, body: &str) -> Result<(), QueueError> {
        self.sqs.send(to, body).await
    }
}

#[async_trait]
impl Queue for Remembering {
    async fn receive(&self, from: QueueName, max: usize) -> Result<Vec<Message>, QueueError> {
        let messages = self.sqs.receive(from, max).await?;
        self.received.lock().unwrap().extend(messages.iter().map(|message| (from, message.receipt.clone())));
        Ok(messages)
    }

    async fn delete(&self, from: QueueName, receipts: &[String]) -> Result<(), QueueError> {
        self.received.lock().unwrap().retain(|(_, receipt)| !receipts.contains(receipt));
        self.sqs.delete(from, receipts).await
    }

    async fn depth(&self, of: QueueName) -> Result<Depth, QueueError> {
        self.sqs.depth(of).await
    }
}

struct OnSqs(Arc<Remembering>);

const RECEIVES_MAX: u32 = 3;

#[async_trait]
impl queue::contract::Harness for OnSqs {
    fn queue(&self) -> Arc<dyn Queue> {
        self.0.clone()
    }

    async fn let_visibility_pass(&self) {
        let received = std::mem::take(&mut *self.0.received.lock().unwrap());
        for (from, receipt) in received {
            self.0.sqs.make_visible(from, &receipt).await.unwrap();
        }
    }

    fn receives_max(&self) -> u32 {
        RECEIVES_MAX
    }
}

#[tokio::test]
async fn the_queues_on_sqs_keep_the_contract() {
    queue::contract::run(async || {
        let (link, stack) = (Emulator::shared().link(LIMITS), fresh_name());
        Sqs::create(&link, &stack, Duration::from_secs(600), RECEIVES_MAX).await.unwrap();
        let sqs = Sqs::of_stack(link, &stack).await.unwrap();
        OnSqs(Arc::new(Remembering { sqs, received: Mutex::default() }))
    })
    .await;
}

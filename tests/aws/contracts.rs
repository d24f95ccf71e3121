//! The contract suites, unchanged, over SQS and DynamoDB as the emulator has them.

use async_trait::async_trait;
use aws::Limits;
use postledger_tests::emulator::{Emulator, fresh_name, make_tables, tables};
use postledger_tests::wire::{Mishap, Wire};
use postledger_tests::{SERVER, server_id};
use queue::{Depth, Message, Queue, QueueError, QueueName, Sender, Sqs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::prelude::*;
use store::{Collection, DynamoDb, Scan, TimeRange};

/// Cases beyond what `make oracle`'s DynamoDB takes: ten actions in a transaction, where AWS takes a hundred.
const BEYOND_THE_ORACLE: &[&str] =
    &["a_hundred_actions_are_taken_and_one_more_is_not", "items_and_transactions_have_their_size_limits"];

/// Empty tables, unless the case is beyond the DynamoDB that is asked.
async fn tables_for(case: &str, by_time: bool) -> Option<Arc<dyn Scan>> {
    let oracle = platform::env::text("POSTLEDGER_TEST_DYNAMODB");
    if oracle.is_some() && BEYOND_THE_ORACLE.contains(&case) {
        return None;
    }
    let url = oracle.unwrap_or_else(|| Emulator::shared().url.clone());
    Some(Arc::new(make_tables(&url, &fresh_name(), by_time).await))
}

mod tables_without_by_time {
    store::store_contract!(async |case: &'static str| super::tables_for(case, false).await);
}

mod tables_with_by_time {
    store::store_contract!(async |case: &'static str| super::tables_for(case, true).await);
}

mod filling_by_time {
    use super::*;

    store::by_time_contract!(async || {
        let stack = fresh_name();
        let url = platform::env::text("POSTLEDGER_TEST_DYNAMODB");
        let url = url.unwrap_or_else(|| Emulator::shared().url.clone());
        make_tables(&url, &stack, true).await;
        [false, true].map(|by_time| Arc::new(tables(&url, &stack, by_time)) as Arc<dyn Scan>)
    });
}

mod stripping {
    erasure::erasure_contract!(async |case: &'static str| super::tables_for(case, true)
        .await
        .expect("tables"));
}

/// The tables of a stack of its own, and the same behind a wire on which the first call of an operation meets a
/// mishap.
async fn first_meets(operation: &'static str, mishap: Mishap) -> (DynamoDb, DynamoDb, Wire) {
    let (url, stack) = (&Emulator::shared().url, fresh_name());
    let store = make_tables(url, &stack, false).await;
    let met = AtomicBool::new(false);
    let plan = move |call: &str| match call == operation && !met.swap(true, Ordering::Relaxed) {
        true => mishap,
        false => Mishap::None,
    };
    let wire = Wire::before(url, Arc::new(plan)).await;
    (store, tables(&wire.url, &stack, false), wire)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_whose_answer_was_lost_is_not_taken_for_somebody_elses() {
    for mishap in [Mishap::Cut, Mishap::Lost, Mishap::Fault] {
        for expected in [None, Some(1)] {
            let (behind, store, wire) = first_meets("PutItem", mishap).await;
            if expected.is_some() {
                assert!(behind.put_document(&Collection::Lease, "name", "before", None).await.unwrap());
            }
            assert!(
                store.put_document(&Collection::Lease, "name", "mine", expected).await.unwrap(),
                "{mishap:?}"
            );
            assert_eq!(wire.metered().calls["PutItem"], 2);
            assert!(!store.put_document(&Collection::Lease, "name", "mine", expected).await.unwrap());
            let document = store.document(&Collection::Lease, "name").await.unwrap().unwrap();
            assert_eq!((&*document.text, document.version), ("mine", expected.unwrap_or(0) + 1));
        }
        let (_, store, wire) = first_meets("DeleteItem", mishap).await;
        assert!(store.put_document(&Collection::Lease, "name", "mine", None).await.unwrap());
        assert!(store.delete_document(&Collection::Lease, "name", 1).await.unwrap(), "{mishap:?}");
        assert_eq!(wire.metered().calls["DeleteItem"], 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_and_lists_cost_what_the_emulator_says() {
    let (url, stack) = (&Emulator::shared().url, fresh_name());
    make_tables(url, &stack, false).await;
    let wire = Wire::before(url, Arc::new(|_: &str| Mishap::None)).await;
    let store = tables(&wire.url, &stack, false);
    // Small ones: where large ones are read the emulator tells too little.
    for name in ["a", "b"] {
        assert!(store.put_document(&Collection::Servers, name, "{}", None).await.unwrap());
    }
    assert!(store.put_document(&Collection::Servers, "a", "{}", Some(1)).await.unwrap());
    assert_eq!(store.documents(&Collection::Servers).await.unwrap().len(), 2);
    assert!(store.document(&Collection::Servers, "a").await.unwrap().is_some());
    assert!(
        store
            .suppressed(server_id(SERVER), "outbound", TimeRange::ALL, None, None)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert!(store.message(server_id(SERVER), "message").await.unwrap().is_empty());
    let meter = wire.metered();
    assert_eq!((meter.inconsistent, meter.all_index_reads()), (0, 1.0), "one begun half for each index");
    let counted = meter.all_writes() as f64 + meter.all_reads() as f64 + meter.all_index_reads();
    assert_eq!(meter.told, counted, "the emulator counts alike: {meter:?}");
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

async fn queues_for(_case: &str) -> OnSqs {
    let (link, stack) = (Emulator::shared().link(Limits::COMMAND), fresh_name());
    Sqs::create(&link, &stack, Duration::from_secs(600), RECEIVES_MAX).await.unwrap();
    let sqs = Sqs::of_stack(link, &stack).await.unwrap();
    OnSqs(Arc::new(Remembering { sqs, received: Mutex::default() }))
}

mod queues {
    queue::queue_contract!(async |case: &'static str| super::queues_for(case).await, [#[tokio::test]]);
}

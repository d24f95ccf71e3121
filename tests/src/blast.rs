//! A blast: what one sending of a newsletter makes of ten consumers, all of whose events count in the same hour of the
//! same stream. Real consumers with the real adapter for DynamoDB, before a stub of it that records what it is told,
//! where each call takes the time that it takes at AWS and transactions that meet conflict as they do there.

use crate::emulator::tables;
use crate::wire::{Mishap, Wire, at_once};
use crate::{STACK, consumer, handle};
use ledger::Source;
use queue::QueueName;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// How long a call of DynamoDB takes.
const TAKES: Range<Duration> = Duration::from_millis(5)..Duration::from_millis(10);
/// How long a batch may take, in seconds.
const BATCH_SECONDS: u64 = 60;

/// What is sent at once.
#[derive(Clone, Copy, Debug)]
pub struct Blast {
    /// How many events, each of another mail to another person.
    pub events: usize,
    /// How many consumers take them.
    pub consumers: usize,
    /// How many events are a batch.
    pub batch: usize,
    /// Of how many calls one is answered, and its answer lost; none where this is zero.
    pub cut_one_in: u64,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many transactions were begun, those that were cancelled included.
    pub transactions: u64,
    /// How many of them were cancelled because they met another one.
    pub cancelled: u64,
    /// How many events are recorded.
    pub recorded: u64,
    /// How many are counted.
    pub counted: u64,
    /// In how many shards.
    pub shards: usize,
}

impl Outcome {
    /// The share of the transactions that were cancelled.
    pub fn share(&self) -> f64 {
        self.cancelled as f64 / self.transactions as f64
    }
}

/// What the stub was told to keep.
#[derive(Default)]
struct Kept {
    /// Keys of events.
    events: HashSet<String>,
    /// Tokens of transactions that were done.
    tokens: HashSet<String>,
    /// Keys of counters.
    shards: HashSet<String>,
    counted: u64,
}

impl Kept {
    /// Does a transaction of new events and of counters, as DynamoDB would: all or nothing, and once under a token.
    fn transaction(&mut self, input: &Value) -> Value {
        let token = input["ClientRequestToken"].as_str().unwrap_or_default();
        if !self.tokens.insert(token.to_owned()) {
            return json!({});
        }
        let actions: Vec<&Value> = input["TransactItems"].as_array().into_iter().flatten().collect();
        let event = |action: &Value| {
            let item = &action["Put"]["Item"];
            item.is_object().then(|| format!("{} {}", item["pk"]["S"], item["sk"]["S"]))
        };
        let stands = |action: &&Value| event(action).is_some_and(|event| self.events.contains(&event));
        if actions.iter().any(stands) {
            let reasons = actions.iter().map(|action| match stands(action) {
                true => json!({ "Code": "ConditionalCheckFailed", "Item": action["Put"]["Item"] }),
                false => json!({ "Code": "None" }),
            });
            self.tokens.remove(token);
            return json!({
                "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                "CancellationReasons": reasons.collect::<Vec<_>>(),
            });
        }
        for action in &actions {
            self.events.extend(event(action));
            let update = &action["Update"];
            if update.is_object() {
                self.shards.insert(update["Key"]["sk"]["S"].to_string());
                let values = update["ExpressionAttributeValues"].as_object().into_iter().flatten();
                let added = values.filter(|(name, _)| name.starts_with(":n"));
                self.counted += added.filter_map(|(_, n)| n["N"].as_str()?.parse::<u64>().ok()).sum::<u64>();
            }
        }
        json!({})
    }
}

impl Blast {
    /// Runs it.
    ///
    /// # Panics
    /// Where a consumer gives a message back.
    pub async fn run(self) -> Outcome {
        let kept = Arc::<Mutex<Kept>>::default();
        let told = kept.clone();
        let answer = move |operation: &str, input: &Value| match operation {
            "TransactWriteItems" => told.lock().unwrap_or_else(PoisonError::into_inner).transaction(input),
            _ => at_once(operation, input),
        };
        let cut = self.cut_one_in;
        let plan = move |_: &str| match cut > 0 && fastrand::u64(..cut) == 0 {
            true => Mishap::Cut,
            false => Mishap::None,
        };
        let wire = Wire::contended_stub(TAKES, Arc::new(plan), answer).await;
        let mut consumers = JoinSet::new();
        for place in 0..self.consumers {
            // Each is an environment of its own: its own connections, its own shard.
            let consumer = consumer(Arc::new(tables(&wire.url, STACK, false)));
            let mine: Vec<usize> = (place * self.batch..self.events)
                .step_by(self.consumers * self.batch)
                .flat_map(|first| first..(first + self.batch).min(self.events))
                .collect();
            consumers.spawn(async move {
                for batch in mine.chunks(self.batch) {
                    let bodies: Vec<String> = batch.iter().map(|n| message(*n)).collect();
                    let failed = handle(&consumer, QueueName::Bulk, &bodies, BATCH_SECONDS).await;
                    assert!(failed.is_empty(), "every batch is committed");
                }
            });
        }
        consumers.join_all().await;
        let meter = wire.metered();
        let mishaps = wire.mishaps.lock().unwrap_or_else(PoisonError::into_inner);
        let met = mishaps.get("Met TransactWriteItems").copied().unwrap_or_default();
        let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        Outcome {
            transactions: meter.calls.get("TransactWriteItems").copied().unwrap_or_default(),
            cancelled: met,
            recorded: kept.events.len() as u64,
            counted: kept.counted,
            shards: kept.shards.len(),
        }
    }
}

/// A delivery of a mail of its own, within one hour.
fn message(n: usize) -> String {
    let at = format!("2026-09-20T08:{:02}:{:02}Z", n / 60 % 60, n % 60);
    let mut body = crate::bodies::delivery(n, &at);
    body["Recipient"] = format!("r{n}@customer.example").into();
    crate::bodies::message(Source::Webhook, &body)
}

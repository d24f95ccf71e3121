//! The consumer as a Lambda function behind event source mappings: configuration, start-up, and what a batch of
//! SQS is to the consumer.

use crate::{Consumer, Incoming, RETENTION_DAYS_DEFAULT, RETENTION_DAYS_MIN, Settings};
use aws::{Access, Link};
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use ledger::LedgerKey;
use platform::env::{EnvError, parsed, required, text};
use queue::QueueName;
use std::sync::Arc;
use store::DynamoDb;
use store::dynamodb::{LIMITS, Tables};
use store::tables::Table;
use tokio::time::Instant;

/// Runs the consumer.
///
/// # Errors
/// A variable that is missing or unusable, a ledger key that cannot be had, or a runtime that cannot be reached.
pub async fn run() -> Result<(), Error> {
    platform::logs::init(&platform::logs::of_function(), std::io::stdout);
    platform::metrics::init(&text("POSTLEDGER_STAGE").unwrap_or_else(|| "local".to_owned()));
    let consumer = &start().await.inspect_err(|error| platform::logs::cannot_start(&**error))?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| async move {
        let deadline = aws::deadline(event.context.deadline);
        let response = answer(consumer, event.payload, deadline).await;
        platform::metrics::flush(std::io::stdout().lock());
        response
    }))
    .await
}

async fn start() -> Result<Consumer, Error> {
    let (tables, retention_days) = (tables()?, retention_days()?);
    let link = Link::new(Access::of_function()?, LIMITS);
    let store = DynamoDb::new(link.clone(), tables);
    // Both connections open at once.
    let (key, warmed) = tokio::join!(ledger_key(&link), store.warm());
    if let Err(error) = warmed {
        platform::logs::no_connection("tables", &error);
    }
    let settings = Settings { retention_days, ..Settings::new(key?, platform::clock()) };
    Ok(Consumer::new(Arc::new(store), settings))
}

/// Consumes a batch. Messages of several queues, which no mapping mixes, are still told apart.
///
/// # Errors
/// Where a message has no id, or is of no queue of ours: then all come again, and the mapping is to be mended.
async fn answer(consumer: &Consumer, event: SqsEvent, deadline: Instant) -> Result<SqsBatchResponse, Error> {
    let mut failed = Vec::new();
    for from in QueueName::ALL {
        let of_queue = |message: &&SqsMessage| queue_of(message) == Some(from);
        let incoming: Option<Vec<Incoming>> = event.records.iter().filter(of_queue).map(incoming).collect();
        let incoming = incoming.ok_or("a message without an id: no answer could name it")?;
        if !incoming.is_empty() {
            failed.extend(consumer.handle(from, &incoming, deadline).await);
        }
    }
    if event.records.iter().any(|message| queue_of(message).is_none()) {
        return Err("a message of no queue of ours: a mapping leads here that should not".into());
    }
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failed.into_iter().map(failure).collect();
    Ok(response)
}

fn queue_of(message: &SqsMessage) -> Option<QueueName> {
    QueueName::at_the_end_of(message.event_source_arn.as_deref()?)
}

fn incoming(message: &SqsMessage) -> Option<Incoming> {
    let id = message.message_id.clone().filter(|id| !id.is_empty())?;
    Some(Incoming { id, body: message.body.clone().unwrap_or_default() })
}

fn failure(id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = id;
    failure
}

fn tables() -> Result<Tables, EnvError> {
    let name = |table| {
        let variable = match table {
            Table::Events => "POSTLEDGER_EVENTS_TABLE",
            Table::Recipients => "POSTLEDGER_RECIPIENTS_TABLE",
            Table::Counters => "POSTLEDGER_COUNTERS_TABLE",
            Table::Registry => "POSTLEDGER_REGISTRY_TABLE",
            Table::Quarantine => "POSTLEDGER_QUARANTINE_TABLE",
        };
        required(variable, "the name of the table")
    };
    let by_time = parsed("POSTLEDGER_BY_TIME", "true or false: whether the index by_time is written", false)?;
    let names: Result<Vec<String>, EnvError> = Table::ALL.into_iter().map(name).collect();
    Ok(Tables::named(Table::ALL.into_iter().zip(names?).collect(), by_time))
}

fn retention_days() -> Result<u32, EnvError> {
    const NAME: &str = "POSTLEDGER_RETENTION_DAYS";
    const WHAT: &str = "how long deliveries, opens and clicks are kept, in days, at least 90";
    let days = parsed(NAME, WHAT, RETENTION_DAYS_DEFAULT)?;
    if days < RETENTION_DAYS_MIN { Err(EnvError::Unusable { name: NAME, what: WHAT }) } else { Ok(days) }
}

async fn ledger_key(link: &Link) -> Result<LedgerKey, Error> {
    const NAME: &str = "POSTLEDGER_LEDGER_KEY_PARAMETER";
    const WHAT: &str = "the name of the parameter that holds the ledger key, 43 characters of base64url";
    let parameter = required(NAME, WHAT)?;
    let text = link.parameter(&parameter).await?;
    Ok(text.parse().map_err(|_| EnvError::Unusable { name: NAME, what: WHAT })?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use store::{Memory, Store as _};

    fn consumer(store: &Arc<Memory>) -> Consumer {
        let clock: platform::Clock = Arc::new(|| "2026-10-01T00:00:00Z".parse().unwrap());
        Consumer::new(store.clone(), Settings::new(LedgerKey::for_tests(), clock))
    }

    fn event(messages: &[(&str, &str, &str)]) -> SqsEvent {
        let records: Vec<_> = messages
            .iter()
            .map(|(id, queue, body)| {
                serde_json::json!({ "messageId": id, "body": body, "receiptHandle": "r",
                    "eventSourceARN": format!("arn:aws:sqs:eu-west-1:123456789012:{queue}") })
            })
            .collect();
        serde_json::from_value(serde_json::json!({ "Records": records })).unwrap()
    }

    #[tokio::test]
    async fn what_must_come_again_is_named_and_the_rest_is_done() {
        let store = Arc::new(Memory::default());
        let event =
            event(&[("one", "eu-critical", "poison"), ("two", "eu-critical", r#"{"v":99,"server":1}"#)]);
        let far = Instant::now() + Duration::from_secs(30);
        let response = answer(&consumer(&store), event, far).await.unwrap();
        let named: Vec<String> =
            response.batch_item_failures.into_iter().map(|one| one.item_identifier).collect();
        assert_eq!(named, ["two"], "only the next release can read it");
        assert_eq!(store.kept_on("2026-10-01").await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_message_that_cannot_be_named_or_is_not_ours_brings_all_back() {
        let store = Arc::new(Memory::default());
        let far = Instant::now() + Duration::from_secs(30);
        for event in [event(&[("", "eu-bulk", "x")]), event(&[("one", "somebody-elses", "x")])] {
            assert!(answer(&consumer(&store), event, far).await.is_err());
        }
    }
}

//! Sweeping as a Lambda function that a schedule starts: configuration and start-up.

use crate::Sweep;
use aws::{Access, Link};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use ledger::LedgerKey;
use platform::env::{EnvError, parsed, required, text};
use queue::sqs::Urls;
use queue::{QueueName, Sqs};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use store::DynamoDb;
use store::dynamodb::{LIMITS, Tables};
use store::tables::Table;
use tokio::time::Instant;

/// How long before its deadline a run begins nothing new.
const RESERVE: Duration = Duration::from_secs(45);

/// Runs the function.
///
/// # Errors
/// A variable that is missing or unusable, a ledger key that cannot be had, or a runtime that cannot be reached.
pub async fn run() -> Result<(), Error> {
    platform::logs::init(platform::logs::of_function(), std::io::stdout);
    platform::metrics::init(&text("POSTLEDGER_STAGE").unwrap_or_else(|| "local".to_owned()));
    let sweep = &start().await.inspect_err(|error| platform::logs::cannot_start(&**error))?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        if let Some(answer) = aws::answer_to_check(&event.payload) {
            return Ok(answer);
        }
        let until = aws::deadline(event.context.deadline).checked_sub(RESERVE);
        let swept = sweep.run(Some(until.unwrap_or_else(Instant::now))).await;
        let swept = swept.inspect_err(|error| platform::logs::run_failed(error));
        platform::metrics::flush(std::io::stdout().lock());
        match swept? {
            // So that the alarm of the scheduled functions tells.
            swept if swept.failed > 0 => {
                Err(Error::from("events of erased recipients could not be stripped"))
            }
            swept => Ok(serde_json::to_value(swept)?),
        }
    }))
    .await
}

async fn start() -> Result<Sweep, Error> {
    let link = Link::new(Access::of_function()?, LIMITS);
    let queues = Link::new(Access::of_function()?, queue::sqs::LIMITS);
    Ok(Sweep {
        store: Arc::new(DynamoDb::new(link.clone(), tables()?)),
        queue: Arc::new(Sqs::new(queues, urls()?)),
        ledger_key: ledger_key(&link).await?,
        clock: platform::clock(),
    })
}

fn tables() -> Result<Tables, EnvError> {
    let name = |table, variable| Ok((table, required(variable, "the name of the table")?));
    let names = [
        name(Table::Events, "POSTLEDGER_EVENTS_TABLE")?,
        name(Table::Recipients, "POSTLEDGER_RECIPIENTS_TABLE")?,
        name(Table::Registry, "POSTLEDGER_REGISTRY_TABLE")?,
        name(Table::Quarantine, "POSTLEDGER_QUARANTINE_TABLE")?,
    ];
    let by_time = parsed("POSTLEDGER_BY_TIME", "true or false: whether the index by_time is written", false)?;
    Ok(Tables::named(names.into(), by_time))
}

fn urls() -> Result<Urls, EnvError> {
    let url = |name, variable| Ok((name, required(variable, "the URL of the queue of dead letters")?));
    Ok(Urls::from([
        url(QueueName::CriticalDead, "POSTLEDGER_CRITICAL_DLQ_URL")?,
        url(QueueName::BulkDead, "POSTLEDGER_BULK_DLQ_URL")?,
        url(QueueName::QuarantineDead, "POSTLEDGER_QUARANTINE_DLQ_URL")?,
    ]))
}

async fn ledger_key(link: &Link) -> Result<LedgerKey, Error> {
    const NAME: &str = "POSTLEDGER_LEDGER_KEY_PARAMETER";
    const WHAT: &str = "the name of the parameter that holds the ledger key, 43 characters of base64url";
    let text = link.parameter(&required(NAME, WHAT)?).await?;
    Ok(text.parse().map_err(|_| EnvError::Unusable { name: NAME, what: WHAT })?)
}

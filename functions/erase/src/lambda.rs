//! Sweeping as a Lambda function that a schedule starts: configuration and start-up.

use aws::{Access, Link, scheduled};
use erasure::sweep::{Sweep, SweepError};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use platform::config::{
    BULK_DLQ_URL, BY_TIME, CRITICAL_DLQ_URL, EVENTS_TABLE, LEDGER_KEY_PARAMETER, QUARANTINE_DLQ_URL,
    QUARANTINE_TABLE, RECIPIENTS_TABLE, REGISTRY_TABLE, STAGE,
};
use platform::{Config, Variable};
use queue::Sqs;
use queue::sqs::configured_urls;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use store::DynamoDb;
use store::dynamodb::{LIMITS, Tables, ledger_key};

/// How long before its deadline a run begins nothing new.
const RESERVE: Duration = Duration::from_secs(45);

/// What it is told.
const VARIABLES: &[Variable] = &[
    BULK_DLQ_URL,
    BY_TIME,
    CRITICAL_DLQ_URL,
    EVENTS_TABLE,
    LEDGER_KEY_PARAMETER,
    QUARANTINE_DLQ_URL,
    QUARANTINE_TABLE,
    RECIPIENTS_TABLE,
    REGISTRY_TABLE,
    STAGE,
];

/// Runs the function.
///
/// # Errors
/// A variable that is missing or unusable, a ledger key that cannot be had, or a runtime that cannot be reached.
pub async fn run() -> Result<(), Error> {
    let config = Config::of_function(VARIABLES);
    let sweep = &start(&config).await.inspect_err(|error| platform::logs::cannot_start(&**error))?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let mut failed = 0;
        let work = async |until| {
            let swept = sweep.run(Some(until)).await?;
            failed = swept.failed;
            Ok::<_, SweepError>(swept)
        };
        let answer = scheduled(&event.payload, event.context.deadline, RESERVE, work).await?;
        // So that the alarm of the scheduled functions tells.
        if failed > 0 {
            return Err(Error::from("events of erased recipients could not be stripped"));
        }
        Ok(answer)
    }))
    .await
}

async fn start(config: &Config) -> Result<Sweep, Error> {
    let link = Link::new(Access::of_function()?, LIMITS);
    let queues = Link::new(Access::of_function()?, queue::sqs::LIMITS);
    Ok(Sweep {
        store: Arc::new(DynamoDb::new(link.clone(), Tables::configured(config)?)),
        queue: Arc::new(Sqs::new(queues, configured_urls(config)?)),
        ledger_key: ledger_key(&link, config).await?,
        clock: platform::clock(),
    })
}

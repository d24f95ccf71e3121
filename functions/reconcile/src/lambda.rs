//! Reconcile as a Lambda function that a schedule starts: configuration and start-up.

use crate::Reconcile;
use account::ParameterVault;
use aws::{Access, Link, scheduled};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use platform::config::{
    BULK_QUEUE_URL, COUNTERS_TABLE, CRITICAL_QUEUE_URL, ENGAGEMENT_DETAIL, EVENTS_TABLE,
    LEDGER_KEY_PARAMETER, POSTMARK, RECIPIENTS_TABLE, REGISTRY_TABLE, STAGE, TOKENS_PREFIX,
};
use platform::{Config, Variable};
use postmark_api::Endpoint;
use queue::SqsSender;
use queue::sqs::configured_urls;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use store::DynamoDb;
use store::dynamodb::{LIMITS, Tables, ledger_key};

/// How long before its deadline a run begins nothing new: what is under way, a dump among it, still comes to its end.
const RESERVE: Duration = Duration::from_secs(60);

/// What it is told.
const VARIABLES: &[Variable] = &[
    BULK_QUEUE_URL,
    COUNTERS_TABLE,
    CRITICAL_QUEUE_URL,
    ENGAGEMENT_DETAIL,
    EVENTS_TABLE,
    LEDGER_KEY_PARAMETER,
    POSTMARK,
    RECIPIENTS_TABLE,
    REGISTRY_TABLE,
    STAGE,
    TOKENS_PREFIX,
];

/// Runs the function.
///
/// # Errors
/// A variable that is missing or unusable, a ledger key that cannot be had, or a runtime that cannot be reached.
pub async fn run() -> Result<(), Error> {
    let config = Config::of_function(VARIABLES);
    let function = &start(&config).await.inspect_err(|error| platform::logs::cannot_start(&**error))?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let Function { reconcile, postmark, vault } = function;
        let work = async |until| reconcile.all(postmark, vault, Some(until)).await;
        scheduled(&event.payload, event.context.deadline, RESERVE, work).await
    }))
    .await
}

struct Function {
    reconcile: Reconcile,
    postmark: Endpoint,
    vault: ParameterVault,
}

async fn start(config: &Config) -> Result<Function, Error> {
    let link = Link::new(Access::of_function()?, LIMITS);
    let store = Arc::new(DynamoDb::new(link.clone(), Tables::configured(config)?));
    let queue =
        SqsSender::new(Link::new(Access::of_function()?, queue::sqs::LIMITS), configured_urls(config)?);
    Ok(Function {
        reconcile: Reconcile {
            store,
            queue: Arc::new(queue),
            ledger_key: ledger_key(&link, config).await?,
            keep_engagement_detail: config.parsed(ENGAGEMENT_DETAIL, false)?,
            clock: platform::clock(),
        },
        postmark: Endpoint::configured(config)?,
        vault: ParameterVault::configured(link, config)?,
    })
}

//! Reconcile as a Lambda function that a schedule starts: configuration and start-up.

use crate::Reconcile;
use account::ParameterVault;
use aws::{Access, Link};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use ledger::LedgerKey;
use platform::env::{EnvError, parsed, required, text};
use postmark_api::{Endpoint, Https, POSTMARK, Timeouts};
use queue::sqs::Urls;
use queue::{QueueName, SqsSender};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use store::DynamoDb;
use store::dynamodb::{LIMITS, Tables};
use store::tables::Table;
use tokio::time::Instant;

/// How long before its deadline a run begins nothing new: what is under way, a dump among it, still comes to its end.
const RESERVE: Duration = Duration::from_secs(60);

/// Runs the function.
///
/// # Errors
/// A variable that is missing or unusable, a ledger key that cannot be had, or a runtime that cannot be reached.
pub async fn run() -> Result<(), Error> {
    platform::logs::init(platform::logs::of_function(), std::io::stdout);
    platform::metrics::init(&text("POSTLEDGER_STAGE").unwrap_or_else(|| "local".to_owned()));
    let function = &start().await.inspect_err(|error| platform::logs::cannot_start(&**error))?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        if let Some(answer) = aws::answer_to_check(&event.payload) {
            return Ok(answer);
        }
        let until = aws::deadline(event.context.deadline).checked_sub(RESERVE);
        let until = Some(until.unwrap_or_else(Instant::now));
        let run = function.reconcile.all(&function.postmark, &function.vault, until).await;
        let run = run.inspect_err(|error| platform::logs::run_failed(error));
        platform::metrics::flush(std::io::stdout().lock());
        Ok::<_, Error>(serde_json::to_value(run?)?)
    }))
    .await
}

struct Function {
    reconcile: Reconcile,
    postmark: Endpoint,
    vault: ParameterVault,
}

async fn start() -> Result<Function, Error> {
    let link = Link::new(Access::of_function()?, LIMITS);
    let store = Arc::new(DynamoDb::new(link.clone(), tables()?));
    let queue = SqsSender::new(Link::new(Access::of_function()?, queue::sqs::LIMITS), urls()?);
    let postmark = text("POSTLEDGER_POSTMARK").unwrap_or_else(|| POSTMARK.to_owned());
    Ok(Function {
        reconcile: Reconcile {
            store,
            queue: Arc::new(queue),
            ledger_key: ledger_key(&link).await?,
            keep_engagement_detail: parsed("POSTLEDGER_ENGAGEMENT_DETAIL", "true or false", false)?,
            clock: platform::clock(),
        },
        postmark: Endpoint::new(Arc::new(Https::new(Timeouts::default())?)).with_base(&postmark),
        vault: ParameterVault::new(
            link,
            &required("POSTLEDGER_TOKENS_PREFIX", "the prefix of the tokens' names")?,
        ),
    })
}

fn tables() -> Result<Tables, EnvError> {
    let name = |table, variable| Ok((table, required(variable, "the name of the table")?));
    let names = [
        name(Table::Events, "POSTLEDGER_EVENTS_TABLE")?,
        name(Table::Recipients, "POSTLEDGER_RECIPIENTS_TABLE")?,
        name(Table::Counters, "POSTLEDGER_COUNTERS_TABLE")?,
        name(Table::Registry, "POSTLEDGER_REGISTRY_TABLE")?,
    ];
    // It records nothing itself, so that the index by time does not matter.
    Ok(Tables::named(names.into(), false))
}

fn urls() -> Result<Urls, EnvError> {
    let url = |name, variable, what| Ok((name, required(variable, what)?));
    Ok(Urls::from([
        url(QueueName::Critical, "POSTLEDGER_CRITICAL_QUEUE_URL", "the URL of the critical queue")?,
        url(QueueName::Bulk, "POSTLEDGER_BULK_QUEUE_URL", "the URL of the bulk queue")?,
    ]))
}

async fn ledger_key(link: &Link) -> Result<LedgerKey, Error> {
    const NAME: &str = "POSTLEDGER_LEDGER_KEY_PARAMETER";
    const WHAT: &str = "the name of the parameter that holds the ledger key, 43 characters of base64url";
    let text = link.parameter(&required(NAME, WHAT)?).await?;
    Ok(text.parse().map_err(|_| EnvError::Unusable { name: NAME, what: WHAT })?)
}

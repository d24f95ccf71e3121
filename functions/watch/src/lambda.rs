//! Watching as a Lambda function that a schedule starts: configuration and start-up.

use crate::Rounds;
use account::ParameterVault;
use aws::{Access, Link};
use ingest::credential::User;
use ingest::{PublicKey, Verifier};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use platform::env::{EnvError, parsed, required, text};
use postmark_api::{Endpoint, Https, POSTMARK, Timeouts};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use store::DynamoDb;
use store::dynamodb::{LIMITS, Tables};
use store::tables::Table;
use tokio::time::Instant;

/// How long before its deadline a run looks at no further server.
const RESERVE: Duration = Duration::from_secs(45);

/// Runs the function.
///
/// # Errors
/// A variable that is missing or unusable, or a runtime that cannot be reached.
pub async fn run() -> Result<(), Error> {
    platform::logs::init(platform::logs::of_function(), std::io::stdout);
    platform::metrics::init(&text("POSTLEDGER_STAGE").unwrap_or_else(|| "local".to_owned()));
    let rounds = &start().inspect_err(|error| platform::logs::cannot_start(&**error))?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        if let Some(answer) = aws::answer_to_check(&event.payload) {
            return Ok(answer);
        }
        let until = aws::deadline(event.context.deadline).checked_sub(RESERVE);
        let done = rounds.all(Some(until.unwrap_or_else(Instant::now))).await;
        let done = done.inspect_err(|error| platform::logs::run_failed(error));
        platform::metrics::flush(std::io::stdout().lock());
        // What was found is logged and counted; the answer is for whoever invokes it by hand.
        Ok::<_, Error>(serde_json::to_value(done?.unwrap_or_default())?)
    }))
    .await
}

fn start() -> Result<Rounds, Error> {
    let link = Link::new(Access::of_function()?, LIMITS);
    let prefix = required("POSTLEDGER_TOKENS_PREFIX", "the prefix of the tokens' names")?;
    let postmark = text("POSTLEDGER_POSTMARK").unwrap_or_else(|| POSTMARK.to_owned());
    Ok(Rounds {
        store: Arc::new(DynamoDb::new(link.clone(), tables()?)),
        vault: Arc::new(ParameterVault::new(link, &prefix)),
        postmark: Endpoint::new(Arc::new(Https::new(Timeouts::default())?)).with_base(&postmark),
        verifier: verifier()?,
        base: text("POSTLEDGER_BASE"),
        repair: parsed(
            "POSTLEDGER_WATCH_REPAIR",
            "true or false: whether paused triggers are verified",
            true,
        )?,
        clock: platform::clock(),
    })
}

fn tables() -> Result<Tables, EnvError> {
    let name = |table, variable| Ok((table, required(variable, "the name of the table")?));
    let names = [
        name(Table::Counters, "POSTLEDGER_COUNTERS_TABLE")?,
        name(Table::Registry, "POSTLEDGER_REGISTRY_TABLE")?,
    ];
    // It records nothing, so that the index by time does not matter.
    Ok(Tables::named(names.into(), false))
}

fn verifier() -> Result<Verifier, Error> {
    const WHAT: &str = "one or two public keys, separated by a comma";
    let keys = required("POSTLEDGER_PUBLIC_KEYS", WHAT)?;
    let keys: Vec<PublicKey> = keys.split(',').map(|key| key.trim().parse()).collect::<Result<_, _>>()?;
    let denied = text("POSTLEDGER_DENIED").unwrap_or_default();
    let denied = denied.split(',').map(str::trim).filter(|user| !user.is_empty());
    let denied: Vec<User> = denied.map(str::parse).collect::<Result<_, _>>()?;
    Ok(Verifier::new(&required("POSTLEDGER_STACK", "the name of the stack")?, keys, denied)?)
}

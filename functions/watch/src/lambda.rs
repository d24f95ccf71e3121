//! Watching as a Lambda function that a schedule starts: configuration and start-up.

use crate::Rounds;
use crate::observe::Happened;
use account::ParameterVault;
use account::watch::WatchError;
use aws::{Access, Link, scheduled};
use credential::Verifier;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use platform::config::{
    BASE, COUNTERS_TABLE, DENIED, POSTMARK, PUBLIC_KEYS, REGISTRY_TABLE, STACK, STAGE, TOKENS_PREFIX,
    WATCH_REPAIR,
};
use platform::{Config, Variable};
use postmark_api::Endpoint;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use store::DynamoDb;
use store::dynamodb::{LIMITS, Tables};

/// How long before its deadline a run looks at no further server.
const RESERVE: Duration = Duration::from_secs(45);

/// What it is told.
const VARIABLES: &[Variable] = &[
    BASE,
    COUNTERS_TABLE,
    DENIED,
    POSTMARK,
    PUBLIC_KEYS,
    REGISTRY_TABLE,
    STACK,
    STAGE,
    TOKENS_PREFIX,
    WATCH_REPAIR,
];

/// Runs the function.
///
/// # Errors
/// A variable that is missing or unusable, or a runtime that cannot be reached.
pub async fn run() -> Result<(), Error> {
    let config = Config::of_function(VARIABLES);
    let rounds = &start(&config).inspect_err(|error| platform::logs::cannot_start(&**error))?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let work = async |until| {
            let looked = rounds.all(Some(until)).await;
            sweep(rounds).await;
            Ok::<_, WatchError>(looked?.unwrap_or_default())
        };
        scheduled(&event.payload, event.context.deadline, RESERVE, work).await
    }))
    .await
}

/// Takes away what is over of those who sign in to the portal: sessions, codes, links. What is left the next run takes.
async fn sweep(rounds: &Rounds) {
    if let Err(error) = people::sweep(&*rounds.store, (rounds.clock)()).await {
        Happened::NotSwept { error: &error }.emit();
    }
}

fn start(config: &Config) -> Result<Rounds, Error> {
    let link = Link::new(Access::of_function()?, LIMITS);
    Ok(Rounds {
        store: Arc::new(DynamoDb::new(link.clone(), Tables::configured(config)?)),
        vault: Arc::new(ParameterVault::configured(link, config)?),
        postmark: Endpoint::configured(config)?,
        verifier: Arc::new(Verifier::configured(config)?),
        base: config.text(BASE).map(str::to_owned),
        repair: config.parsed(WATCH_REPAIR, true)?,
        clock: platform::clock(),
    })
}

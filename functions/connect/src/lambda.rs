//! Setting up webhooks as a Lambda function behind an event source mapping: configuration and start-up, and what a batch of SQS
//! is to it.

use crate::{Incoming, KeepsKey, Worker};
use account::{Doors, ParameterVault};
use async_trait::async_trait;
use aws::{Access, Limits, Link, ParameterError, batch};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use credential::{PrivateKey, Verifier};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use platform::config::{
    BASE, COUNTERS_TABLE, DENIED, POSTMARK, PUBLIC_KEYS, REGISTRY_TABLE, SIGNING_KEY_PARAMETER, STACK, STAGE,
    TOKENS_PREFIX, TRUSTED_SENDERS,
};
use platform::{Config, Variable};
use postmark_api::{Endpoint, Https, Retries, Timeouts};
use queue::Trusted;
use std::sync::Arc;
use std::time::Duration;
use store::DynamoDb;
use store::dynamodb::{LIMITS, Tables};
use tokio::time::Instant;

/// What it is told.
const VARIABLES: &[Variable] = &[
    BASE,
    COUNTERS_TABLE,
    DENIED,
    POSTMARK,
    PUBLIC_KEYS,
    REGISTRY_TABLE,
    SIGNING_KEY_PARAMETER,
    STACK,
    STAGE,
    TOKENS_PREFIX,
    TRUSTED_SENDERS,
];

/// How long before its deadline a job is ended, so that its end can be noted.
const RESERVE: Duration = Duration::from_secs(15);

/// How often Postmark is asked for the same; whoever asked for the job can ask again.
const RETRIES: Retries =
    Retries { attempts: 2, first_pause: Duration::from_millis(200), most_pause: Duration::from_secs(1) };

/// How long the key may take to be read.
const KEY_LIMITS: Limits = Limits {
    connect: Duration::from_secs(1),
    attempt: Duration::from_secs(2),
    operation: Duration::from_secs(6),
    attempts_max: 3,
};

/// Runs the function.
///
/// # Errors
/// A variable that is missing or unusable, or a runtime that cannot be reached.
pub async fn run() -> Result<(), Error> {
    let config = Config::of_function(VARIABLES);
    let function = &start(&config).inspect_err(|error| platform::logs::cannot_start(&**error))?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| async move {
        let until = aws::deadline(event.context.deadline) - RESERVE;
        let response = answer(function, event.payload, until).await;
        platform::metrics::flush(std::io::stdout().lock());
        response
    }))
    .await
}

/// What sets up webhooks, and whose jobs it takes.
struct Function {
    worker: Worker,
    trusted: Trusted,
}

fn start(config: &Config) -> Result<Function, Error> {
    let link = Link::new(Access::of_function()?, LIMITS);
    let parameter = config.required(SIGNING_KEY_PARAMETER)?.to_owned();
    let keeper = Parameter { link: Link::new(Access::of_function()?, KEY_LIMITS), name: parameter };
    let worker = Worker {
        store: Arc::new(DynamoDb::new(link.clone(), Tables::configured(config)?)),
        vault: Arc::new(ParameterVault::configured(link, config)?),
        keeper: Box::new(keeper),
        postmark: Endpoint::configured(config)?.with_retries(RETRIES),
        doors: Doors::new(Arc::new(Https::new(Timeouts::default())?)),
        base: config.required(BASE)?.trim_end_matches('/').to_owned(),
        stack: config.required(STACK)?.to_owned(),
        verifier: Verifier::configured(config)?,
        clock: platform::clock(),
    };
    Ok(Function { worker, trusted: Trusted::list(config.required(TRUSTED_SENDERS)?) })
}

/// The key as an encrypted parameter.
struct Parameter {
    link: Link,
    name: String,
}

#[async_trait]
impl KeepsKey for Parameter {
    async fn key(&self) -> Result<Option<PrivateKey>, String> {
        match self.link.parameter(&self.name).await {
            Ok(text) => PrivateKey::from_secret(text.trim())
                .map(Some)
                .map_err(|error| format!("the parameter {}: {error}", self.name)),
            Err(ParameterError::Missing(_)) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Carries out a batch.
///
/// # Errors
/// Where a message has no id: then all come again.
async fn answer(function: &Function, event: SqsEvent, until: Instant) -> Result<SqsBatchResponse, Error> {
    let incoming = |message: &SqsMessage| {
        let trusted = function.trusted.sent(batch::sender(message));
        Some(Incoming { id: batch::id(message)?, body: message.body.clone().unwrap_or_default(), trusted })
    };
    let messages: Option<Vec<Incoming>> = event.records.iter().map(incoming).collect();
    let messages = messages.ok_or(batch::NO_ID)?;
    Ok(batch::response(function.worker.handle(&messages, until).await))
}

//! The read API as a Lambda function behind API Gateway: configuration and start-up.

use crate::call::Call;
use crate::{Api, Parts};
use account::{ParameterVault, Streams};
use aws::{Access, Link};
use lambda_http::{Body, Error, Request, RequestExt as _, Response, service_fn};
use ledger::LedgerKey;
use ledger::policy::SoftBouncePolicy;
use platform::env::{EnvError, parsed, required, text};
use postmark_api::{Endpoint, Https, POSTMARK, Timeouts};
use queue::sqs::Urls;
use queue::{QueueName, Sqs};
use std::convert::Infallible;
use std::sync::Arc;
use store::DynamoDb;
use store::dynamodb::{LIMITS, Tables};
use store::tables::Table;

/// Runs the function.
///
/// # Errors
/// A variable that is missing or unusable, a ledger key that cannot be had, or a runtime that cannot be reached.
pub async fn run() -> Result<(), Error> {
    platform::logs::init(&platform::logs::of_function(), std::io::stdout);
    platform::metrics::init(&text("POSTLEDGER_STAGE").unwrap_or_else(|| "local".to_owned()));
    let api = &start().await.inspect_err(|error| platform::logs::cannot_start(&**error))?;
    lambda_http::run(service_fn(|request| async move { Ok::<_, Infallible>(answer(api, request).await) }))
        .await
}

async fn answer(api: &Api, request: Request) -> Response<Body> {
    // API Gateway hands the path on decoded.
    let raw_path = request.raw_http_path();
    let call = Call {
        method: request.method(),
        path: if raw_path.is_empty() { request.uri().path() } else { raw_path },
        query: request.uri().query().unwrap_or_default(),
        headers: request.headers(),
        body: request.body(),
    };
    let (parts, body) = api.answer(&call).await.into_parts();
    platform::metrics::flush(std::io::stdout().lock());
    // Text, so that the gateway is not told it is binary.
    Response::from_parts(
        parts,
        String::from_utf8(body).map_or_else(|error| Body::from(error.into_bytes()), Body::from),
    )
}

async fn start() -> Result<Api, Error> {
    let link = Link::new(Access::of_function()?, LIMITS);
    let store = DynamoDb::new(link.clone(), tables()?);
    if let Err(error) = store.warm().await {
        platform::logs::no_connection("tables", &error);
    }
    let postmark = text("POSTLEDGER_POSTMARK").unwrap_or_else(|| POSTMARK.to_owned());
    let postmark = Endpoint::new(Arc::new(Https::new(Timeouts::default())?)).with_base(&postmark);
    let prefix = required("POSTLEDGER_TOKENS_PREFIX", "what the names of tokens begin with")?;
    let vault = Arc::new(ParameterVault::new(link.clone(), &prefix));
    Ok(Api::new(Parts {
        store: Arc::new(store),
        queue: Arc::new(Sqs::new(Link::new(Access::of_function()?, queue::sqs::LIMITS), urls()?)),
        ledger_key: ledger_key(&link).await?,
        streams: Streams::new(vault.clone(), postmark.clone()),
        postmark,
        vault,
        policy: parsed(
            "POSTLEDGER_SOFT_BOUNCE_POLICY",
            "as the template says it",
            SoftBouncePolicy::default(),
        )?,
        clock: platform::clock(),
    }))
}

fn tables() -> Result<Tables, EnvError> {
    let name = |table, variable| Ok((table, required(variable, "the name of the table")?));
    let names = [
        name(Table::Events, "POSTLEDGER_EVENTS_TABLE")?,
        name(Table::Recipients, "POSTLEDGER_RECIPIENTS_TABLE")?,
        name(Table::Counters, "POSTLEDGER_COUNTERS_TABLE")?,
        name(Table::Registry, "POSTLEDGER_REGISTRY_TABLE")?,
        name(Table::Quarantine, "POSTLEDGER_QUARANTINE_TABLE")?,
    ];
    Ok(Tables::named(names.into(), parsed("POSTLEDGER_BY_TIME", "true or false", false)?))
}

fn urls() -> Result<Urls, EnvError> {
    let url = required("POSTLEDGER_CRITICAL_QUEUE_URL", "the URL of the critical queue")?;
    Ok(Urls::from([(QueueName::Critical, url)]))
}

async fn ledger_key(link: &Link) -> Result<LedgerKey, Error> {
    const NAME: &str = "POSTLEDGER_LEDGER_KEY_PARAMETER";
    const WHAT: &str = "the name of the parameter that holds the ledger key, 43 characters of base64url";
    let text = link.parameter(&required(NAME, WHAT)?).await?;
    Ok(text.parse().map_err(|_| EnvError::Unusable { name: NAME, what: WHAT })?)
}

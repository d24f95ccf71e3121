//! The read API as a Lambda function behind API Gateway: configuration and start-up. The portal's function begins the same
//! way, so what both reach a ledger by is made here.

use crate::call::Call;
use crate::scope::Portal;
use crate::{Api, Parts};
use account::connecting::{ByJob, QueuedJobs};
use account::{Connecting, ParameterVault, Streams, Vault};
use aws::{Access, Link, Opened};
use credential::Verifier;
use lambda_http::{Body, Error, Request, RequestExt as _, Response, service_fn};
use ledger::policy::SoftBouncePolicy;
use people::{Brand, QueuedMail};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use platform::config::{
    BASE, BULK_QUEUE_URL, BY_TIME, CONNECT_QUEUE_URL, COUNTERS_TABLE, CRITICAL_QUEUE_URL, DENIED,
    EVENTS_TABLE, LEDGER_KEY_PARAMETER, MAIL_QUEUE_URL, PORTAL_URL, POSTMARK, PUBLIC_KEYS, QUARANTINE_TABLE,
    RECIPIENTS_TABLE, REGISTRY_TABLE, SOFT_BOUNCE_POLICY, STACK, STAGE, TOKENS_PREFIX,
};
use platform::env::EnvError;
use platform::{Config, Variable};
use postmark_api::Endpoint;
use queue::Sqs;
use queue::sqs::configured_urls;
use std::convert::Infallible;
use std::sync::Arc;
use store::DynamoDb;
use store::dynamodb::{LIMITS, Tables, ledger_key};

/// What it is told.
const VARIABLES: &[Variable] = &[
    BASE,
    BULK_QUEUE_URL,
    BY_TIME,
    CONNECT_QUEUE_URL,
    COUNTERS_TABLE,
    CRITICAL_QUEUE_URL,
    DENIED,
    EVENTS_TABLE,
    LEDGER_KEY_PARAMETER,
    MAIL_QUEUE_URL,
    PORTAL_URL,
    POSTMARK,
    PUBLIC_KEYS,
    QUARANTINE_TABLE,
    RECIPIENTS_TABLE,
    REGISTRY_TABLE,
    SOFT_BOUNCE_POLICY,
    STACK,
    STAGE,
    TOKENS_PREFIX,
];

/// Runs the function.
///
/// # Errors
/// A variable that is missing or unusable, a ledger key that cannot be had, or a runtime that cannot be reached.
pub async fn run() -> Result<(), Error> {
    let config = Config::of_function(VARIABLES);
    let api = &start(&config).await.inspect_err(|error| platform::logs::cannot_start(&**error))?;
    lambda_http::run(service_fn(|request| async move { Ok::<_, Infallible>(answer(api, request).await) }))
        .await
}

async fn answer(api: &Api, request: Request) -> Response<Body> {
    // API Gateway hands the path on decoded.
    let raw_path = request.raw_http_path();
    let path = if raw_path.is_empty() { request.uri().path() } else { raw_path };
    let query = query(&request, path);
    let call = Call {
        method: request.method(),
        path,
        query: &query,
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

/// The query as it was sent. The library makes one URL of path and query, where a `?` or `#` of a decoded path would begin
/// another query, or swallow the one that there is; beside it the query is told taken apart.
pub fn query(request: &Request, path: &str) -> String {
    if !path.contains(['?', '#']) {
        return request.uri().query().unwrap_or_default().to_owned();
    }
    // It is taken for a form's, whose spaces are written as pluses: here a plus is a plus.
    let encoded = |text: &str| utf8_percent_encode(&text.replace(' ', "+"), NON_ALPHANUMERIC).to_string();
    let pairs = request.query_string_parameters();
    let pairs = pairs.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

async fn start(config: &Config) -> Result<Api, Error> {
    let link = Link::new(Access::of_function()?, LIMITS);
    let vault = Arc::new(ParameterVault::configured(link.clone(), config)?);
    let postmark = smtp::beside(Endpoint::configured(config)?);
    Ok(Api::new(parts(config, link, vault, postmark).await?))
}

/// What a function reaches a ledger by: its tables over a link, its queues, its key, and where its users sign in. The servers'
/// tokens and Postmark are given, since not every function reaches them.
///
/// # Errors
/// A variable that is missing or unusable, or a ledger key that cannot be had.
pub async fn parts(
    config: &Config,
    link: Link,
    vault: Arc<dyn Vault>,
    postmark: Endpoint,
) -> Result<Parts, Error> {
    let queues = Link::new(Access::of_function()?, queue::sqs::LIMITS);
    let store = DynamoDb::new(link.clone(), Tables::configured(config)?);
    Opened::tell("tables", store.warm().await);
    let connecting = connecting(config, &queues, &vault, &postmark)?;
    Ok(Parts {
        store: Arc::new(store),
        queue: Arc::new(Sqs::new(queues.clone(), configured_urls(config)?)),
        ledger_key: ledger_key(&link, config).await?,
        streams: Streams::new(vault.clone(), postmark.clone()),
        postmark,
        vault,
        policy: config.parsed(SOFT_BOUNCE_POLICY, SoftBouncePolicy::default())?,
        clock: platform::clock(),
        portal: portal(config, queues),
        connecting,
    })
}

/// What sets up webhooks, if the operator chose that somebody may ask for it here. No function that is asked over the web has
/// the key that signs their password: one that is not takes jobs.
fn connecting(
    config: &Config,
    queues: &Link,
    vault: &Arc<dyn Vault>,
    postmark: &Endpoint,
) -> Result<Option<Arc<dyn Connecting>>, EnvError> {
    let Some(url) = config.text(CONNECT_QUEUE_URL) else { return Ok(None) };
    Ok(Some(Arc::new(ByJob {
        vault: vault.clone(),
        postmark: postmark.clone(),
        verifier: Verifier::configured(config)?,
        doors: config.required(BASE)?.trim_end_matches('/').to_owned(),
        jobs: Arc::new(QueuedJobs::new(queues.clone(), url)),
    })))
}

/// Where users sign in, if the stack has a portal.
fn portal(config: &Config, queues: Link) -> Option<Portal> {
    let url = config.text(PORTAL_URL)?.trim_end_matches('/').to_owned();
    Some(Portal { url, outbox: QueuedMail::configured(queues, config), brand: Brand::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Path and query as they are asked, of what API Gateway hands on.
    fn handed_on(raw_path: &str, raw_query: &str) -> (String, String) {
        let event = json!({
            "version": "2.0", "routeKey": "$default", "rawPath": raw_path, "rawQueryString": raw_query,
            "headers": { "host": "a1b2c3.execute-api.us-east-1.amazonaws.com" },
            "requestContext": {
                "accountId": "123456789012", "apiId": "a1b2c3", "requestId": "JKJaXmPLvHcESHA=",
                "domainName": "a1b2c3.execute-api.us-east-1.amazonaws.com", "domainPrefix": "a1b2c3",
                "http": { "method": "GET", "path": raw_path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1",
                    "userAgent": "curl" },
                "routeKey": "$default", "stage": "$default", "time": "01/Oct/2026:00:00:00 +0000",
                "timeEpoch": 1_790_812_800_000_i64,
            },
            "isBase64Encoded": false,
        });
        let request = lambda_http::request::from_str(&event.to_string()).unwrap();
        let path = request.raw_http_path().to_owned();
        let query = query(&request, &path);
        (path, query)
    }

    #[test]
    fn what_a_decoded_path_has_in_it_neither_adds_to_the_query_nor_swallows_it() {
        for path in ["/v1/servers/7/recipients/a#b@x.example", "/v1/servers/7/recipients/a?b@x.example"] {
            assert_eq!(handed_on(path, ""), (path.to_owned(), String::new()));
            let (_, query) = handed_on(path, "at=2026-11-21T08:00:00+01:00");
            assert_eq!(query, "at=2026%2D11%2D21T08%3A00%3A00%2B01%3A00");
            let (_, query) = handed_on(path, "at=1&at=2");
            assert_eq!(query, "at=1&at=2", "twice is still twice");
        }
        let (_, query) = handed_on("/v1/servers/7/recipients/a@x.example", "at=2026-11-21T08:00:00+01:00&b");
        assert_eq!(query, "at=2026-11-21T08:00:00+01:00&b", "any other is as it was sent");
    }
}

//! How AWS is reached: region, endpoints, credentials, TLS over ring, and limits under which the caller, not a
//! function's timeout, answers.
//!
//! Invariant: a function loads what Lambda hands it in its environment and nothing else: no profile files, no
//! metadata service, no single sign-on. Those are an operator's (feature `operator`).

mod access;
#[cfg(feature = "batch")]
pub mod batch;
mod call;
mod failure;
#[cfg(feature = "operator")]
mod identity;
mod message;
#[cfg(feature = "operator")]
mod outputs;
mod parameter;
mod schedule;

#[cfg(feature = "operator")]
pub use access::AccessError;
pub use access::{Access, Service};
pub use failure::of_sdk;
#[cfg(feature = "operator")]
pub use outputs::{Outputs, OutputsError};
pub use parameter::ParameterError;
pub use schedule::scheduled;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorSettings, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use platform::{CallFailed, FailureKind};
use std::time::Duration;

/// The longest first pause between attempts, doubled for each further one: the SDK's own second would leave
/// the last attempt no time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// How long calls may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A connection's opening.
    pub connect: Duration,
    /// One attempt.
    pub attempt: Duration,
    /// A call, all its attempts included; below the timeout of whoever calls.
    pub operation: Duration,
    /// How often a call is attempted.
    pub attempts_max: u32,
}

impl Limits {
    /// Those of a command: nothing ends it as Lambda ends a function, and it may call from the end of a slow line.
    pub const COMMAND: Limits = Limits {
        connect: Duration::from_secs(5),
        attempt: Duration::from_secs(15),
        operation: Duration::from_secs(60),
        attempts_max: 4,
    };
}

/// The deadline that Lambda tells a function, in milliseconds since 1970; one in the past is now.
pub fn deadline(at: u64) -> tokio::time::Instant {
    let now = u64::try_from(platform::now().micros() / 1_000).unwrap_or_default();
    tokio::time::Instant::now() + Duration::from_millis(at.saturating_sub(now))
}

/// The answer to an event that only asks whether a function starts, as a deployment does: nothing else is to be done.
pub(crate) fn answer_to_check(event: &serde_json::Value) -> Option<serde_json::Value> {
    (event.get("check") == Some(&true.into())).then(|| serde_json::json!({ "status": "ok" }))
}

/// The way to AWS: one set of connections for all clients that are made of it.
#[derive(Clone)]
pub struct Link {
    access: Access,
    limits: Limits,
    connector: SharedHttpConnector,
}

impl Link {
    /// A way to AWS. It calls nothing yet.
    pub fn new(access: Access, limits: Limits) -> Link {
        // One connector, so that what `warm` opens is what calls find open. It has the connect timeout; a
        // client would hand its own to a connector that it makes for itself.
        let settings = HttpConnectorSettings::builder().connect_timeout(limits.connect).build();
        let connector = Connector::builder()
            .connector_settings(settings)
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build();
        Link { access, limits, connector: SharedHttpConnector::new(connector) }
    }

    /// What an SDK's client is made of.
    pub fn config(&self, service: Service) -> SdkConfig {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(self.limits.connect)
            .operation_attempt_timeout(self.limits.attempt)
            .operation_timeout(self.limits.operation)
            .build();
        let retries = RetryConfig::standard()
            .with_max_attempts(self.limits.attempts_max)
            .with_initial_backoff(FIRST_PAUSE);
        let shared = self.connector.clone();
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.access.region.clone()))
            .credentials_provider(self.access.credentials.clone())
            .http_client(http_client_fn(move |_, _| shared.clone()))
            .timeout_config(timeouts)
            .retry_config(retries);
        config.set_endpoint_url(self.access.endpoint(service).map(str::to_owned));
        config.build()
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.access.region
    }

    /// Where a service is called.
    pub fn url(&self, service: Service) -> String {
        let (name, region) = (service.name(), self.region());
        let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
        let of_region = || format!("https://{name}.{region}.amazonaws.com{suffix}");
        self.access.endpoint(service).map_or_else(of_region, str::to_owned)
    }

    /// Opens the connection that the first call to a URL will find open, while a function starts, with all the
    /// CPU it has then. The request for it is unsigned: whatever it is answered, it needs no permission.
    ///
    /// # Errors
    /// Why there is no answer; calls may still be tried.
    pub async fn warm(&self, url: &str) -> Result<Opened, CallFailed> {
        let answered = self.call(HttpRequest::get(url).map_err(|_| FailureKind::Invalid)?).await?;
        Ok(if answered.closes { Opened::Closed } else { Opened::Stays })
    }

    /// Calls, and reads the answer to its end, so that the connection can be used again.
    async fn call(&self, request: HttpRequest) -> Result<Answered, CallFailed> {
        let answered = async {
            let response: HttpResponse =
                self.connector.call(request).await.map_err(|error| failure::of_no_answer(&error))?;
            let status = response.status().as_u16();
            let error_type = response.headers().get("x-amzn-errortype").unwrap_or_default().to_owned();
            let closes = response.headers().get_all("connection").any(closes);
            let body = ByteStream::new(response.into_body()).collect().await;
            let body = body.map_err(|error| failure::of_no_answer(&error))?.to_vec();
            Ok(Answered { status, error_type, closes, body })
        };
        tokio::time::timeout(self.limits.attempt, answered).await.map_err(|_| FailureKind::Timeout)?
    }
}

/// What became of a connection that was opened ahead of the first call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It stays open for that call.
    Stays,
    /// Whoever answered closes it, so that call must open its own.
    Closed,
}

impl Opened {
    /// Tells what became of the connection that a function opened at its start; nothing where all is well. The function
    /// goes on in any case: calls open their own.
    pub fn tell<E: std::error::Error + 'static>(to: &'static str, opened: Result<Opened, E>) {
        match opened {
            Ok(Opened::Stays) => {}
            Ok(Opened::Closed) => platform::logs::connection_closed(to),
            Err(error) => platform::logs::no_connection(to, &error),
        }
    }
}

/// Whether a header `Connection`, which is a list, asks for the end of the connection.
fn closes(connection: &str) -> bool {
    connection.split(',').any(|option| option.trim().eq_ignore_ascii_case("close"))
}

/// An answer, whole.
struct Answered {
    status: u16,
    /// AWS's code, where it stands in a header.
    error_type: String,
    /// Whether it says that the connection is closed after it.
    closes: bool,
    body: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[test]
    fn only_the_word_close_closes_a_connection() {
        for (connection, expected) in [
            ("close", true),
            ("Close", true),
            ("upgrade, close", true),
            ("keep-alive", false),
            ("x-close", false),
            ("", false),
        ] {
            assert_eq!(closes(connection), expected, "{connection}");
        }
    }

    #[test]
    fn a_deadline_in_the_past_is_now() {
        assert!(deadline(1) <= Instant::now());
        let ahead = u64::try_from(platform::now().micros()).unwrap() / 1_000 + 30_000;
        let left = deadline(ahead) - Instant::now();
        assert!((29..=30).contains(&left.as_secs()), "{left:?}");
    }
}

//! One call of a service, signed and sent by hand: for whoever makes so few different ones that the service's SDK costs
//! more than it gives.

use crate::{FIRST_PAUSE, Link, NoAnswer, Service};
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use serde_json::Value;
use std::time::{Duration, UNIX_EPOCH};

/// Why a call was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// AWS refuses, by its own code, and would again.
    #[error("refused: {0}")]
    Refused(String),
    /// However often it was tried: nobody answered in time, AWS had a fault, or it took no more.
    #[error("nobody answered in time")]
    Unavailable,
}

impl Link {
    /// Calls an operation of a service that speaks AWS's JSON, such as `AmazonSQS.SendMessage`; tries again where that
    /// may help, as often and as long as the limits allow. What it puts out, in JSON.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn json(
        &self,
        service: Service,
        operation: &str,
        input: Vec<u8>,
    ) -> Result<Vec<u8>, CallError> {
        let version = if service == Service::Ssm { "1.1" } else { "1.0" };
        let media = format!("application/x-amz-json-{version}");
        self.tried(service, &[("content-type", &media), ("x-amz-target", operation)], input).await
    }

    /// As [`json`](Self::json), where a form is understood and XML is put out.
    #[cfg(feature = "operator")]
    pub(crate) async fn form(&self, service: Service, form: String) -> Result<Vec<u8>, CallError> {
        let media = [("content-type", "application/x-www-form-urlencoded")];
        self.tried(service, &media, form.into_bytes()).await
    }

    async fn tried(
        &self,
        service: Service,
        headers: &[(&str, &str)],
        input: Vec<u8>,
    ) -> Result<Vec<u8>, CallError> {
        let attempts = async {
            let mut pause = FIRST_PAUSE;
            for _ in 1..self.limits.attempts_max {
                match self.attempt(service, headers, &input).await {
                    Err(CallError::Unavailable) => tokio::time::sleep(pause.mul_f64(fastrand::f64())).await,
                    done => return done,
                }
                pause *= 2;
            }
            self.attempt(service, headers, &input).await
        };
        tokio::time::timeout(self.limits.operation, attempts).await.unwrap_or(Err(CallError::Unavailable))
    }

    async fn attempt(
        &self,
        service: Service,
        headers: &[(&str, &str)],
        input: &[u8],
    ) -> Result<Vec<u8>, CallError> {
        let request = self.signed(service, headers, input).await.ok_or(CallError::Unavailable)?;
        let (status, output) = self.call(request).await.map_err(|NoAnswer| CallError::Unavailable)?;
        match status {
            200 => Ok(output),
            _ => Err(refusal(status, &output)),
        }
    }

    async fn signed(&self, service: Service, headers: &[(&str, &str)], input: &[u8]) -> Option<HttpRequest> {
        let url = self.url(service);
        let identity = self.access.credentials.provide_credentials().await.ok()?.into();
        let now = Duration::from_micros(platform::now().micros().try_into().ok()?);
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region())
            .name(service.name())
            .time(UNIX_EPOCH + now)
            .settings(SigningSettings::default())
            .build()
            .ok()?
            .into();
        let signable =
            SignableRequest::new("POST", &url, headers.iter().copied(), SignableBody::Bytes(input));
        let (signature, _) = sign(signable.ok()?, &params).ok()?.into_parts();
        let mut request = http::Request::post(&url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(SdkBody::from(input)).ok()?;
        signature.apply_to_request_http1x(&mut request);
        HttpRequest::try_from(request).ok()
    }
}

/// What an answer other than 200 says: faults, throttling and slowness pass, all else stays as it is.
fn refusal(status: u16, output: &[u8]) -> CallError {
    const PASSING: [&str; 4] = ["Throttl", "RequestTimeout", "RequestLimitExceeded", "TooManyRequests"];
    let told: Value = serde_json::from_slice(output).unwrap_or_default();
    let text = String::from_utf8_lossy(output);
    let in_xml = || Some(text.split_once("<Code>")?.1.split_once("</Code>")?.0);
    let code = told["__type"].as_str().or_else(in_xml).unwrap_or_default();
    let code = code.rsplit('#').next().unwrap_or_default();
    let passes = status >= 500 || status == 429 || PASSING.iter().any(|one| code.contains(one));
    match code {
        _ if passes => CallError::Unavailable,
        "" => CallError::Refused(status.to_string()),
        _ => CallError::Refused(code.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_stays() {
        let of = |status, code: &str| refusal(status, format!(r#"{{"__type":"a.b#{code}"}}"#).as_bytes());
        for (status, code) in [
            (500, "InternalError"),
            (503, ""),
            (429, ""),
            (400, "ThrottlingException"),
            (403, "RequestThrottled"),
            (400, "RequestTimeout"),
        ] {
            assert_eq!(of(status, code), CallError::Unavailable, "{status} {code}");
        }
        let stays = |code: &str| CallError::Refused(code.to_owned());
        assert_eq!(of(400, "QueueDoesNotExist"), stays("QueueDoesNotExist"));
        let xml =
            b"<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code></Error></ErrorResponse>";
        assert_eq!(refusal(400, xml), stays("ValidationError"));
        assert_eq!(refusal(403, b"<html>"), stays("403"));
        assert_eq!(refusal(502, b"<html>"), CallError::Unavailable);
    }
}

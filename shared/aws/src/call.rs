//! One call of a service, signed and sent by hand: for whoever makes so few different ones that the service's SDK costs
//! more than it gives.

use crate::{Answered, FIRST_PAUSE, Link, Service, failure};
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use platform::{Backoff, CallFailed, FailureKind};
use serde_json::Value;
use std::time::{Duration, UNIX_EPOCH};

impl Link {
    /// Calls an operation of a service that speaks AWS's JSON, such as `AmazonSQS.SendMessage`; tries again where that
    /// may help, as often and as long as the limits allow. What it puts out, in JSON.
    ///
    /// # Errors
    /// Why it failed, however often it was tried.
    pub async fn json(
        &self,
        service: Service,
        operation: &str,
        input: Vec<u8>,
    ) -> Result<Vec<u8>, CallFailed> {
        let version = if service == Service::Ssm { "1.1" } else { "1.0" };
        let media = format!("application/x-amz-json-{version}");
        self.tried(service, &[("content-type", &media), ("x-amz-target", operation)], input).await
    }

    /// As [`json`](Self::json), where a form is understood and XML is put out.
    #[cfg(feature = "operator")]
    pub(crate) async fn form(&self, service: Service, form: String) -> Result<Vec<u8>, CallFailed> {
        let media = [("content-type", "application/x-www-form-urlencoded")];
        self.tried(service, &media, form.into_bytes()).await
    }

    async fn tried(
        &self,
        service: Service,
        headers: &[(&str, &str)],
        input: Vec<u8>,
    ) -> Result<Vec<u8>, CallFailed> {
        let mut last = CallFailed::new(FailureKind::Timeout);
        let attempts = async {
            let mut backoff = Backoff::new(FIRST_PAUSE, self.limits.operation);
            for _ in 1..self.limits.attempts_max {
                match self.attempt(service, headers, &input).await {
                    Err(failed) if failed.passes() => last = failed,
                    done => return done,
                }
                tokio::time::sleep(backoff.pause()).await;
            }
            self.attempt(service, headers, &input).await
        };
        let in_time = tokio::time::timeout(self.limits.operation, attempts).await;
        in_time.unwrap_or(Err(last))
    }

    async fn attempt(
        &self,
        service: Service,
        headers: &[(&str, &str)],
        input: &[u8],
    ) -> Result<Vec<u8>, CallFailed> {
        let answered = self.call(self.signed(service, headers, input).await?).await?;
        if answered.status == 200 { Ok(answered.body) } else { Err(refusal(&answered)) }
    }

    async fn signed(
        &self,
        service: Service,
        headers: &[(&str, &str)],
        input: &[u8],
    ) -> Result<HttpRequest, CallFailed> {
        let credentials = self.access.credentials.provide_credentials().await;
        let identity = credentials.map_err(|error| failure::of_no_answer(&error))?.into();
        Ok(self.sign(service, headers, input, &identity).ok_or(FailureKind::Invalid)?)
    }

    fn sign(
        &self,
        service: Service,
        headers: &[(&str, &str)],
        input: &[u8],
        identity: &Identity,
    ) -> Option<HttpRequest> {
        let url = self.url(service);
        let now = Duration::from_micros(platform::now().micros().try_into().ok()?);
        let params = v4::SigningParams::builder()
            .identity(identity)
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

/// What an answer other than 200 says: its code stands in a header, in JSON or in XML, and so does its message.
fn refusal(answered: &Answered) -> CallFailed {
    let told: Value = serde_json::from_slice(&answered.body).unwrap_or_default();
    let text = String::from_utf8_lossy(&answered.body);
    let in_json = |names: [&str; 2]| names.into_iter().find_map(|name| told[name].as_str());
    let in_xml = |open: &str, close: &str| Some(text.split_once(open)?.1.split_once(close)?.0);
    let header = Some(answered.error_type.as_str()).filter(|code| !code.is_empty());
    let code = header.or(in_json(["__type", "code"])).or_else(|| in_xml("<Code>", "</Code>"));
    let message = in_json(["message", "Message"]).or_else(|| in_xml("<Message>", "</Message>"));
    failure::of_answer(answered.status, code.unwrap_or_default(), message.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, error_type: &str, body: &str) -> CallFailed {
        refusal(&Answered {
            status,
            error_type: error_type.to_owned(),
            closes: false,
            body: body.as_bytes().to_vec(),
        })
    }

    #[test]
    fn code_and_message_are_found_in_each_form_that_aws_writes() {
        let expected = CallFailed::new(FailureKind::AccessDenied)
            .with_code("AccessDeniedException")
            .with_action("ssm:GetParameter");
        let message = "ida is not authorized to perform: ssm:GetParameter on resource: arn:aws:ssm:x";
        let json = format!(r#"{{"__type":"com.amazon#AccessDeniedException","Message":"{message}"}}"#);
        let xml =
            format!("<E><Error><Code>AccessDeniedException</Code><Message>{message}</Message></Error></E>");
        assert_eq!(told(400, "", &json), expected);
        assert_eq!(told(403, "", &xml), expected);
        let by_header = format!(r#"{{"message":"{message}"}}"#);
        assert_eq!(told(400, "AccessDeniedException:http://internal/", &by_header), expected);
        assert_eq!(told(502, "", "<html>"), CallFailed::new(FailureKind::Fault).with_code("502"));
        assert_eq!(told(403, "", "<html>"), CallFailed::new(FailureKind::AccessDenied).with_code("403"));
    }
}

//! Requests that are signed here and not by an SDK.

use crate::{Link, Service};
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use std::time::{Duration, UNIX_EPOCH};

impl Link {
    /// A POST to a service's own endpoint in the region; `None` where there are no credentials to sign it with.
    pub(crate) async fn signed(
        &self,
        service: Service,
        headers: &[(&str, &str)],
        body: String,
    ) -> Option<HttpRequest> {
        let (region, name) = (self.region(), service.name());
        let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
        let of_region = || format!("https://{name}.{region}.amazonaws.com{suffix}");
        let url = self.endpoint(service).map_or_else(of_region, str::to_owned);
        let identity = self.access.credentials.provide_credentials().await.ok()?.into();
        let now = Duration::from_micros(platform::now().micros().try_into().ok()?);
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(name)
            .time(UNIX_EPOCH + now)
            .settings(SigningSettings::default())
            .build()
            .ok()?
            .into();
        let signable =
            SignableRequest::new("POST", &url, headers.iter().copied(), SignableBody::Bytes(body.as_bytes()));
        let (signature, _) = sign(signable.ok()?, &params).ok()?.into_parts();
        let mut request = http::Request::post(&url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(SdkBody::from(body)).ok()?;
        signature.apply_to_request_http1x(&mut request);
        HttpRequest::try_from(request).ok()
    }
}

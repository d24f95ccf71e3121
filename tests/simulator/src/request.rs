//! What a webhook request looks like, and when an attempt goes on after its answer.

use crate::happen::question;
use crate::hook::{Hook, Target};
use crate::model::{falls, uuid};
use crate::rules::Class;
use crate::{Answer, Record, RetriesHeader, Simulator};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderName, HeaderValue, Request, Uri};

/// Redirects followed in one attempt.
pub(crate) const HOPS_MAX: u8 = 10;

/// Why an attempt goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FollowUp {
    Challenge,
    Redirect,
}

impl Simulator {
    /// Adds what Postmark says of a delivery since August 2026.
    pub(crate) fn sign(&self, headers: &mut http::HeaderMap, number: u32) {
        let delivery = &self.deliveries[number as usize];
        let quirks = &self.config.quirks;
        let record = self.events[delivery.event as usize].kind.record().unwrap_or(Record::Delivery);
        let retries = self.config.rules.ladder(record, quirks).len();
        let left = retries.saturating_sub(usize::from(delivery.attempts).saturating_sub(1));
        let left = match quirks.retries_header {
            RetriesHeader::Retries => Some(left),
            RetriesHeader::OneLess => Some(left.saturating_sub(1)),
            RetriesHeader::Absent => None,
        };
        if let Some(left) = left {
            headers.insert(HeaderName::from_static("x-pm-retries-remaining"), HeaderValue::from(left as u64));
        }
        let bits = |question| {
            u128::from(self.bits(delivery.event, question)) << 64
                | u128::from(self.bits(delivery.hook ^ delivery.event, question + 1))
        };
        let mut put = |name, bits| {
            if let Ok(value) = HeaderValue::from_bytes(&uuid(bits)) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        if falls(self.bits(delivery.event, question::TRACE), quirks.trace_share) {
            put("x-pm-webhook-trace-id", bits(20));
        }
        if quirks.event_id_header {
            put("x-pm-webhook-event-id", bits(22));
        }
    }

    /// A request to an endpoint: the webhook's own headers and, when asked, credentials.
    pub(crate) fn request(
        &self,
        hook: &Hook,
        uri: Uri,
        body: Vec<u8>,
        authenticated: bool,
    ) -> Request<Vec<u8>> {
        let mut request = Request::new(body);
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static("Postmark"));
        let auth = self.credentials(hook).filter(|_| authenticated);
        if let Some((user, password)) = auth {
            let basic = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
            if let Ok(value) = HeaderValue::from_str(&basic) {
                headers.insert(AUTHORIZATION, value);
            }
        }
        for (name, value) in &hook.spec.headers {
            let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) else {
                continue;
            };
            if name != USER_AGENT || self.config.quirks.user_agent_replaceable {
                headers.insert(name, value);
            }
        }
        request
    }

    fn credentials<'a>(&self, hook: &'a Hook) -> Option<&'a (String, String)> {
        let (url, own) = (hook.target.auth.as_ref(), hook.spec.auth.as_ref());
        if self.config.quirks.url_credentials_win { url.or(own) } else { own.or(url) }
    }

    /// Whether an answer is a challenge that Postmark takes up, or a redirect that it follows: then to where.
    pub(crate) fn follow_up(
        &self,
        hook: &Hook,
        from: &Uri,
        answer: &Answer,
        authenticated: bool,
        hops: u8,
    ) -> Option<(Uri, FollowUp)> {
        let Answer::Status { code, location, challenge, .. } = answer else { return None };
        if *code == 401 && *challenge && !authenticated && self.credentials(hook).is_some() {
            return Some((from.clone(), FollowUp::Challenge));
        }
        let redirected = self.config.rules.class(*code, &self.config.quirks) == Class::Redirected;
        let to = location.as_ref().filter(|_| redirected && hops < HOPS_MAX)?;
        Some((Target::follow(from, to)?, FollowUp::Redirect))
    }
}

//! One request at a door, and whether Postmark sent it.

use http::header::USER_AGENT;
use http::{HeaderMap, Method};
use std::net::{IpAddr, Ipv4Addr};

/// The addresses that Postmark publishes for its webhooks; a hint for an alarm, never a condition.
const POSTMARK_IPS: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(3, 134, 147, 250)),
    IpAddr::V4(Ipv4Addr::new(50, 31, 156, 6)),
    IpAddr::V4(Ipv4Addr::new(50, 31, 156, 77)),
    IpAddr::V4(Ipv4Addr::new(18, 217, 206, 57)),
];

/// A request, whatever server or gateway took it in.
#[derive(Clone, Copy, Debug)]
pub struct WebhookRequest<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path, without query.
    pub path: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body, decoded if the gateway had encoded it.
    pub body: &'a [u8],
    /// Where it came from, as the gateway says (never as a header does).
    pub source_ip: Option<IpAddr>,
}

impl WebhookRequest<'_> {
    /// Whether it has Postmark's marks: then a wrong credential is a mistake in a rotation, not a scanner.
    pub(crate) fn is_marked(&self) -> bool {
        let agent = self.headers.get(USER_AGENT).is_some_and(|agent| agent.as_bytes() == b"Postmark");
        let header = self.headers.keys().any(|name| name.as_str().starts_with("x-pm-"));
        agent || header || self.source_ip.is_some_and(|ip| POSTMARK_IPS.contains(&ip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_marked_by_postmarks_agent_headers_or_addresses_and_by_nothing_else() {
        let marked = |name: &'static str, value: &str, ip: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            let source_ip = ip.map(|ip| ip.parse().unwrap());
            let method = Method::POST;
            WebhookRequest { method: &method, path: "/", headers: &headers, body: b"", source_ip }.is_marked()
        };
        assert!(marked("user-agent", "Postmark", None));
        assert!(marked("x-pm-retries-remaining", "3", None));
        assert!(marked("accept", "*/*", Some("50.31.156.6")));
        assert!(!marked("user-agent", "curl/8", Some("203.0.113.9")));
        assert!(!marked("x-forwarded-for", "50.31.156.6", None), "a header can say anything");
    }
}

//! The portal as a Lambda function behind an HTTP API of its own: configuration and start-up, and what a gateway's event is to
//! a page.
//!
//! It reaches no server's Postmark token and writes no event: what browsers talk to should not be able to send a client's
//! mail. What changes something about a server's mail it asks of the API, as whoever is signed in.

use crate::request::{FORM_BYTES_MAX, Request};
use crate::texts::Language;
use crate::visit::segment;
use crate::{Elsewhere, Kept, KeptBy, Portal, Settings};
use account::MemoryVault;
use aws::{Access, Link};
use lambda_http::request::RequestContext;
use lambda_http::{Body, Error, RequestExt as _, Response, service_fn};
use platform::config::{
    API_URL, BASE, BY_TIME, CONNECT_QUEUE_URL, COUNTERS_TABLE, CRITICAL_QUEUE_URL, DENIED, ENGAGEMENT_DETAIL,
    EVENTS_TABLE, LEDGER_KEY_PARAMETER, MAIL_QUEUE_URL, PORTAL_NAME, PORTAL_URL, PUBLIC_KEYS,
    QUARANTINE_TABLE, RECIPIENTS_TABLE, REGISTRY_TABLE, RETENTION_DAYS, SOFT_BOUNCE_POLICY, STACK, STAGE,
};
use platform::{Config, Variable};
use postmark_api::{Endpoint, Https, Nowhere, Timeouts};
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use store::dynamodb::LIMITS;

/// What it is told.
const VARIABLES: &[Variable] = &[
    API_URL,
    BASE,
    BY_TIME,
    CONNECT_QUEUE_URL,
    COUNTERS_TABLE,
    CRITICAL_QUEUE_URL,
    DENIED,
    ENGAGEMENT_DETAIL,
    EVENTS_TABLE,
    LEDGER_KEY_PARAMETER,
    MAIL_QUEUE_URL,
    PORTAL_NAME,
    PORTAL_URL,
    PUBLIC_KEYS,
    QUARANTINE_TABLE,
    RECIPIENTS_TABLE,
    REGISTRY_TABLE,
    RETENTION_DAYS,
    SOFT_BOUNCE_POLICY,
    STACK,
    STAGE,
];

/// Runs the function.
///
/// # Errors
/// A variable that is missing or unusable, a ledger key that cannot be had, or a runtime that cannot be reached.
pub async fn run() -> Result<(), Error> {
    let config = Config::of_function(VARIABLES);
    let portal = &start(&config).await.inspect_err(|error| platform::logs::cannot_start(&**error))?;
    lambda_http::run(service_fn(|request| async move {
        let answer = answer(portal, &request).await;
        platform::metrics::flush(std::io::stdout().lock());
        Ok::<_, Infallible>(answer)
    }))
    .await
}

async fn start(config: &Config) -> Result<Portal, Error> {
    // Told before anything is called for it.
    config.required(PORTAL_URL)?;
    let name = config.required(PORTAL_NAME)?.to_owned();
    let kept = Kept {
        days: config.required(RETENTION_DAYS)?.parse().map_err(|_| RETENTION_DAYS.unusable())?,
        engagement_detail: config.parsed(ENGAGEMENT_DETAIL, false)?,
        by: KeptBy::Template,
    };
    let link = Link::new(Access::of_function()?, LIMITS);
    let postmark = Endpoint::new(Arc::new(Nowhere));
    let parts = api::parts(config, link, Arc::new(MemoryVault::default()), postmark).await?;
    let Some(known) = parts.portal.clone() else { unreachable!("its URL is there") };
    let elsewhere = Elsewhere::new(Arc::new(Https::new(Timeouts::default())?), config.required(API_URL)?);
    let settings = Settings { known, name, sample: None, language: Language::default(), kept };
    Ok(Portal::new(&parts, settings).beside(elsewhere))
}

async fn answer(portal: &Portal, request: &lambda_http::Request) -> Response<Body> {
    let handed_on = request.raw_http_path();
    let asked = Request {
        method: request.method(),
        path: &as_sent(handed_on),
        query: &api::query(request, handed_on),
        headers: request.headers(),
        body: request.body(),
        source: source(request),
    };
    if asked.body.len() > FORM_BYTES_MAX {
        let mut refused = Response::new(Body::from("the form is too large"));
        *refused.status_mut() = http::StatusCode::PAYLOAD_TOO_LARGE;
        return refused;
    }
    let (parts, body) = portal.answer(&asked).await.into_parts();
    // Text, so that the gateway is not told that it is binary; a packed page is no text.
    let body = String::from_utf8(body).map_or_else(|error| Body::from(error.into_bytes()), Body::from);
    Response::from_parts(parts, body)
}

/// A path as the browser sent it. An HTTP API hands it on decoded, all but its percent signs; others have seen those decoded
/// too. What a slash was is lost: one that is not between segments can only be part of a message's id.
fn as_sent(handed_on: &str) -> String {
    let parts: Vec<&str> = handed_on.splitn(5, '/').collect();
    let parts = match parts[..] {
        ["", "servers", _, "messages", _] => parts,
        _ => handed_on.split('/').collect(),
    };
    let encoded = parts.into_iter().map(|part| segment(&part.replace("%25", "%")));
    encoded.collect::<Vec<_>>().join("/")
}

/// Where a request comes from, as the gateway saw it: what headers say of it anybody can write.
fn source(request: &lambda_http::Request) -> Option<IpAddr> {
    match request.request_context_ref()? {
        RequestContext::ApiGatewayV2(context) => context.http.source_ip.as_deref()?.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Bench;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use flate2::read::GzDecoder;
    use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, LOCATION, SET_COOKIE};
    use percent_encoding::percent_decode_str;
    use serde_json::{Value, json};
    use std::io::Read as _;

    /// An event as an HTTP API hands it to a function, in payload format 2.0.
    fn event(method: &str, raw_path: &str, more: Value) -> lambda_http::Request {
        let mut event = json!({
            "version": "2.0", "routeKey": "$default", "rawPath": raw_path, "rawQueryString": "",
            "headers": { "host": "portal.example", "sec-fetch-site": "same-origin", "x-forwarded-for": "192.0.2.99" },
            "requestContext": {
                "accountId": "123456789012", "apiId": "a1b2c3", "requestId": "JKJaXmPLvHcESHA=",
                "domainName": "portal.example", "domainPrefix": "portal",
                "http": { "method": method, "path": raw_path, "protocol": "HTTP/1.1", "sourceIp": "198.51.100.7",
                    "userAgent": "Mozilla/5.0" },
                "routeKey": "$default", "stage": "$default", "time": "25/Nov/2026:12:00:00 +0000",
                "timeEpoch": 1_795_867_200_000_i64,
            },
            "isBase64Encoded": false,
        });
        for (name, value) in more.as_object().unwrap() {
            match (event.get_mut(name), value) {
                (Some(Value::Object(known)), Value::Object(more)) => known.extend(more.clone()),
                _ => event[name] = value.clone(),
            }
        }
        lambda_http::request::from_str(&event.to_string()).unwrap()
    }

    /// As an HTTP API decodes a path: all but what stands for a percent sign.
    fn handed_on(sent: &str) -> String {
        let decoded = |part| percent_decode_str(part).decode_utf8().unwrap().into_owned();
        sent.split("%25").map(decoded).collect::<Vec<_>>().join("%25")
    }

    #[test]
    fn a_path_that_the_gateway_decoded_is_what_was_sent() {
        for sent in [
            "/",
            "/servers/7/activity",
            "/servers/7/messages/2f7c0b3a-1b1c-4f2e-9f3d-0c6f6d1d2e3f",
            "/servers/7/messages/a%2Fb%2F%2Fc",
            "/servers/7/messages/100%25",
            "/servers/7/messages/a%252Fb",
            "/servers/7/messages/%3Fa%23b%20c",
            "/servers/7/messages/na%C3%AFve%2B1",
            "/link/Jc0Z-_9",
            "/static/portal-Jc0Z-_9abc.css",
        ] {
            let request = event("GET", &handed_on(sent), json!({}));
            assert_eq!(as_sent(request.raw_http_path()), sent);
        }
        // Where it decodes percent signs too.
        assert_eq!(as_sent("/servers/7/messages/100%"), "/servers/7/messages/100%25");
    }

    #[test]
    fn cookies_query_form_and_source_arrive_as_the_gateway_tells_them() {
        let form = "address=ida%40client.example&note=a+b";
        let request = event(
            "POST",
            "/sign-in",
            json!({
                "rawQueryString": "back=%2Fservers%2F7&q=a+b",
                "cookies": ["__Host-pl=first", "__Host-pl-asked=second"],
                "headers": { "content-type": "application/x-www-form-urlencoded" },
                "body": STANDARD.encode(form), "isBase64Encoded": true,
            }),
        );
        let asked = Request {
            method: request.method(),
            path: &as_sent(request.raw_http_path()),
            query: &api::query(&request, request.raw_http_path()),
            headers: request.headers(),
            body: request.body(),
            source: source(&request),
        };
        assert_eq!(
            (asked.cookie("__Host-pl"), asked.cookie("__Host-pl-asked")),
            (Some("first"), Some("second"))
        );
        assert_eq!((asked.asked().text("back"), asked.asked().text("q")), (Some("/servers/7"), Some("a b")));
        assert_eq!(
            (asked.form().text("address"), asked.form().text("note")),
            (Some("ida@client.example"), Some("a b"))
        );
        assert_eq!(asked.source, Some([198, 51, 100, 7].into()), "not what a header says");
        assert!(asked.is_our_own("https://portal.example"));
    }

    #[test]
    fn a_file_of_a_form_arrives_as_it_was_chosen() {
        let form = b"--B\r\nContent-Disposition: form-data; name=\"logo\"; filename=\"x.png\"\r\n\r\n\x89PNG\xff\0\r\n--B--";
        let more = json!({
            "headers": { "content-type": "multipart/form-data; boundary=B" },
            "body": STANDARD.encode(form), "isBase64Encoded": true,
        });
        let request = event("POST", "/branding", more);
        let asked = Request {
            method: request.method(),
            path: "/branding",
            query: "",
            headers: request.headers(),
            body: request.body(),
            source: None,
        };
        assert_eq!(asked.file("logo"), Some(&b"\x89PNG\xff\0"[..]));
    }

    #[tokio::test]
    async fn a_page_leaves_packed_and_each_cookie_by_itself() {
        let bench = Bench::default();
        let packed = event("GET", "/sign-in", json!({ "headers": { "accept-encoding": "gzip, br" } }));
        assert!(packed.headers().contains_key(ACCEPT_ENCODING));
        let answer = answer(&bench.portal, &packed).await;
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()[CONTENT_ENCODING]),
            (200, &"gzip".parse().unwrap())
        );
        let Body::Binary(bytes) = answer.body() else { panic!("what is packed is no text") };
        let mut page = String::new();
        GzDecoder::new(&bytes[..]).read_to_string(&mut page).unwrap();
        assert!(page.contains("<form"), "{page}");
        let plain = super::answer(&bench.portal, &event("GET", "/sign-in", json!({}))).await;
        assert!(matches!(plain.body(), Body::Text(text) if *text == page));

        let form = "address=ida%40client.example";
        let more = json!({ "body": STANDARD.encode(form), "isBase64Encoded": true });
        let asked = super::answer(&bench.portal, &event("POST", "/sign-in", more)).await;
        assert_eq!(
            (asked.status().as_u16(), &asked.headers()[LOCATION]),
            (303, &"/sign-in/code".parse().unwrap())
        );
        assert_eq!(asked.headers().get_all(SET_COOKIE).iter().count(), 1);
    }

    #[tokio::test]
    async fn a_form_that_is_larger_than_any_of_ours_is_refused_unread() {
        let bench = Bench::default();
        let more = json!({ "body": "a".repeat(FORM_BYTES_MAX + 1) });
        let answer = answer(&bench.portal, &event("POST", "/sign-in", more)).await;
        assert_eq!(answer.status(), 413);
    }

    #[test]
    fn the_largest_form_fits_into_an_event() {
        // Lambda takes six megabytes, and a form arrives as base64.
        const EVENT_BYTES_MAX: usize = 6 * 1024 * 1024;
        assert!(FORM_BYTES_MAX.div_ceil(3) * 4 + 64 * 1024 <= EVENT_BYTES_MAX);
    }
}

//! The door as a Lambda function behind API Gateway: configuration, start-up, and how a gateway's event becomes a request
//! to the door. This is all of every ingest function except its record type.

use crate::handler::Handler;
use crate::request::WebhookRequest;
use aws::{Access, Link, Opened};
use credential::Verifier;
use lambda_http::request::RequestContext;
use lambda_http::{Body, Error, Request, RequestExt as _, Response, service_fn};
use platform::config::{
    BULK_QUEUE_URL, CRITICAL_QUEUE_URL, DENIED, ENGAGEMENT_DETAIL, PUBLIC_KEYS, QUARANTINE_QUEUE_URL, STACK,
    STAGE,
};
use platform::{Config, Variable};
use postmark::RecordType;
use queue::SqsSender;
use queue::sqs::{LIMITS, configured_urls};
use std::convert::Infallible;
use std::sync::Arc;

/// What it is told.
const VARIABLES: &[Variable] = &[
    BULK_QUEUE_URL,
    CRITICAL_QUEUE_URL,
    DENIED,
    ENGAGEMENT_DETAIL,
    PUBLIC_KEYS,
    QUARANTINE_QUEUE_URL,
    STACK,
    STAGE,
];

/// Runs an ingest function, for one record type or, with `None`, for all of them.
///
/// # Errors
/// A variable that is missing or unusable, or a runtime that cannot be reached.
pub async fn run(route: impl Into<Option<RecordType>>) -> Result<(), Error> {
    let config = Config::of_function(VARIABLES);
    let door =
        start(&config, route.into()).await.inspect_err(|error| platform::logs::cannot_start(&**error))?;
    let door = &door;
    lambda_http::run(service_fn(|request| async move {
        let response = answer(door, request).await;
        platform::metrics::flush(std::io::stdout().lock());
        Ok::<_, Infallible>(response)
    }))
    .await
}

async fn start(config: &Config, route: Option<RecordType>) -> Result<Handler, Error> {
    let queue = SqsSender::new(Link::new(Access::of_function()?, LIMITS), configured_urls(config)?);
    Ok(Handler {
        route,
        verifier: Arc::new(Verifier::configured(config)?),
        keep_engagement_detail: config.parsed(ENGAGEMENT_DETAIL, false)?,
        clock: platform::clock(),
        queue: Arc::new(warmed(queue).await),
    })
}

/// Answers a gateway's request.
pub async fn answer(door: &Handler, request: Request) -> Response<Body> {
    door.answer(webhook_request(&request)).await.response()
}

/// What a gateway's request is to the door.
fn webhook_request(request: &Request) -> WebhookRequest<'_> {
    let raw_path = request.raw_http_path();
    let source_ip = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.as_deref(),
        _ => None,
    };
    WebhookRequest {
        method: request.method(),
        path: if raw_path.is_empty() { request.uri().path() } else { raw_path },
        headers: request.headers(),
        body: request.body(),
        source_ip: source_ip.and_then(|ip| ip.parse().ok()),
    }
}

/// Opens the connection ahead of the first event. An event that comes before it is open opens its own.
async fn warmed(queue: SqsSender) -> SqsSender {
    Opened::tell("queues", queue.warm().await);
    queue
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use credential::{PrivateKey, User, basic};
    use ledger::{Kind, Time};
    use queue::{Envelope, Memory, Message, Part, Queue as _, QueueName, SetAside};
    use serde_json::{Value, json};

    const STACK: &str = "us-prod";
    const BOUNCE: &str = include_str!("../../postmark/fixtures/bounce-hard.json");
    const PATH: &str = "/v1/8123456/bounce";

    /// A door over queues in memory, and the credential that opens it.
    struct Bench {
        door: Handler,
        queue: Arc<Memory>,
        authorization: String,
    }

    fn bench() -> Bench {
        let key = PrivateKey::generate().unwrap();
        let user: User = "8123456.1".parse().unwrap();
        let queue = Arc::new(Memory::default());
        let after: Time = "2026-09-21T16:43:00Z".parse().unwrap();
        let door = Handler {
            route: Some(RecordType::Bounce),
            verifier: Arc::new(Verifier::new(STACK, [key.public()], []).unwrap()),
            queue: queue.clone(),
            keep_engagement_detail: false,
            clock: Arc::new(move || after),
        };
        Bench { door, queue, authorization: basic(user, &key.password(STACK, user).unwrap()) }
    }

    impl Bench {
        /// Status and body of the answer to a gateway's event.
        async fn answer(&self, event: &Value) -> (u16, Value) {
            let response = answer(&self.door, request(event)).await;
            (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap())
        }

        fn event(&self, body: &str, base64: bool) -> Value {
            let mut event = event("POST", PATH);
            event["headers"]["authorization"] = self.authorization.clone().into();
            event["body"] = body.into();
            event["isBase64Encoded"] = base64.into();
            event
        }

        async fn queued(&self, name: QueueName) -> Vec<Message> {
            self.queue.receive(name, 10).await.unwrap()
        }
    }

    /// As API Gateway writes it for an HTTP API, payload format 2.0, without a body.
    fn event(method: &str, path: &str) -> Value {
        json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": "",
            "headers": {
                "content-type": "application/json",
                "host": "a1b2c3.execute-api.us-east-1.amazonaws.com",
                "user-agent": "Postmark",
                "x-pm-retries-remaining": "9",
                "x-pm-webhook-trace-id": "5f2c",
            },
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "a1b2c3",
                "domainName": "a1b2c3.execute-api.us-east-1.amazonaws.com",
                "http": {
                    "method": method,
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "3.134.147.250",
                    "userAgent": "Postmark",
                },
                "requestId": "JKJaXmPLvHcESHA=",
                "routeKey": "$default",
                "stage": "$default",
                "time": "21/Sep/2026:16:43:00 +0000",
                "timeEpoch": 1_790_008_980_000_i64,
            },
            "isBase64Encoded": false,
        })
    }

    fn request(event: &Value) -> Request {
        lambda_http::request::from_str(&event.to_string()).unwrap()
    }

    #[tokio::test]
    async fn a_body_is_enqueued_whether_the_gateway_encoded_it_or_not() {
        for base64 in [false, true] {
            let bench = bench();
            let body = if base64 { STANDARD.encode(BOUNCE) } else { BOUNCE.to_owned() };
            let answered = bench.answer(&bench.event(&body, base64)).await;
            assert_eq!(answered, (200, json!({"status": "accepted"})), "{base64}");
            let queued = bench.queued(QueueName::Critical).await;
            assert_eq!(queued.len(), 1);
            let envelope = Envelope::decode(&queued[0].body).unwrap();
            assert_eq!((envelope.server.get(), envelope.generation), (8_123_456, 1));
            assert_eq!((envelope.record_type, envelope.retries_remaining), (Kind::Bounce, Some(9)));
            assert_eq!(envelope.trace_id.as_deref(), Some("5f2c"));
            let (sent, came): (Value, Value) =
                (serde_json::from_str(BOUNCE).unwrap(), serde_json::from_str(envelope.body.get()).unwrap());
            assert_eq!((&came["ID"], &came["Email"]), (&sent["ID"], &sent["Email"]));
        }
    }

    #[tokio::test]
    async fn bytes_that_are_no_text_are_set_aside_as_they_came() {
        let bench = bench();
        let bytes =
            [b"{\"RecordType\":\"Bounce\",\"Email\":\"", &[0xff, 0xfe, 0x00, 0xc3][..], b"\"}"].concat();
        let (status, body) = bench.answer(&bench.event(&STANDARD.encode(&bytes), true)).await;
        assert_eq!((status, &body["status"]), (200, &"set_aside".into()));
        let parts = bench.queued(QueueName::Quarantine).await;
        let parts = parts.iter().map(|message| Part::decode(&message.body).unwrap()).collect();
        assert_eq!(SetAside::whole(parts).unwrap().body, bytes);
        assert!(bench.queued(QueueName::Critical).await.is_empty());
    }

    #[tokio::test]
    async fn an_event_without_a_body_is_set_aside_too() {
        let bench = bench();
        let mut event = bench.event("", false);
        event.as_object_mut().unwrap().remove("body");
        assert_eq!(bench.answer(&event).await.0, 200);
        let parts = bench.queued(QueueName::Quarantine).await;
        assert_eq!(Part::decode(&parts[0].body).unwrap().body, "");
    }

    #[tokio::test]
    async fn another_servers_path_and_a_missing_credential_are_noticed() {
        let bench = bench();
        let mut other = bench.event(BOUNCE, false);
        other["rawPath"] = "/v1/7/bounce".into();
        let (status, body) = bench.answer(&other).await;
        assert_eq!((status, &body["reason"]), (200, &postmark::RefusalCode::ServerMismatch.code().into()));

        let response = answer(&bench.door, request(&event("POST", PATH))).await;
        assert_eq!(response.status(), 401);
        assert!(response.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic "));
        assert_eq!(bench.answer(&event("GET", "/health")).await, (200, json!({"status": "ok"})));
    }

    #[test]
    fn the_door_gets_the_raw_path_and_the_gateways_word_for_the_source() {
        let mut event = event("POST", "/v1//8123456/bounce");
        event["headers"]["x-forwarded-for"] = "192.0.2.1".into();
        let gateways = request(&event);
        let webhook = webhook_request(&gateways);
        assert_eq!(webhook.path, "/v1//8123456/bounce");
        assert_eq!(webhook.source_ip, Some("3.134.147.250".parse().unwrap()));
    }

    #[test]
    fn a_request_without_a_raw_path_or_context_has_its_uris_path() {
        let mut plain = Request::new(Body::Empty);
        *plain.uri_mut() = "https://example.com/health?x=1".parse().unwrap();
        let webhook = webhook_request(&plain);
        assert_eq!((webhook.path, webhook.source_ip, webhook.body), ("/health", None, &[][..]));
    }
}

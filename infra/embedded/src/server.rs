//! What API Gateway does: one HTTP server before all doors and the read API. Beside it, on a socket of its own, the
//! operator's routes.

use crate::listen::{self, Front, Limits};
use crate::{Socket, Stack, admin};
use api::Caller;
use api::call::{Call, is_webhook, response};
use api::problem::Problem;
use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use ingest::WebhookRequest;
use percent_encoding::percent_decode_str;
use postmark::BODY_BYTES_MAX;
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// The largest request that is read. What lies between this and the door's limit is set aside whole.
pub const REQUEST_BYTES_MAX: usize = 3 * BODY_BYTES_MAX;
/// How long a request's body may take: as long as API Gateway waits for a whole answer.
const BODY_TIME: Duration = Duration::from_secs(30);

/// Serves the doors and the read API of a stack until `stop` resolves, then finishes what has begun.
pub async fn serve(
    stack: Arc<Stack>,
    listener: TcpListener,
    front: impl Into<Front>,
    stop: impl Future<Output = ()> + Send,
) {
    let front = front.into();
    let app = Router::new().fallback(route).layer(Extension(front.clone())).with_state(stack);
    listen::serve(listener, &front, |peer| app.clone().layer(Extension(ConnectInfo(peer))), stop).await;
}

/// Serves metrics as text at `/metrics`, until `stop` resolves.
pub async fn serve_metrics(
    listener: TcpListener,
    text: impl Fn() -> String + Clone + Send + Sync + 'static,
    stop: impl Future<Output = ()> + Send,
) {
    let answer = move || async move { ([(CONTENT_TYPE, METRICS_TYPE)], text()) };
    let app = Router::new().route("/metrics", axum::routing::get(answer));
    listen::serve(listener, &Front::default(), |_| app.clone(), stop).await;
}

/// Serves the operator's routes of a stack to whoever can open its socket, until `stop` resolves.
pub async fn serve_admin(
    stack: Arc<Stack>,
    socket: Socket,
    limits: Limits,
    stop: impl Future<Output = ()> + Send,
) {
    let app = admin::routes(stack);
    listen::serve(socket, &limits.into(), |()| app.clone(), stop).await;
}

/// A request's body, if it comes whole and in time.
async fn body_of(body: Body) -> Option<Bytes> {
    tokio::time::timeout(BODY_TIME, to_bytes(body, REQUEST_BYTES_MAX)).await.ok()?.ok()
}

/// An answer that is given without a look at the body: where one is still to come, the connection ends with the answer, and
/// whoever asks is told, so that they send nothing more on it.
fn unread(mut answer: Response, body: &Body) -> Response {
    if !body.is_end_stream() {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

/// Whether API Gateway would route a path to the read API: every other one is a door's.
pub fn is_api(path: &str) -> bool {
    API.iter()
        .any(|known| path == *known || path.strip_prefix(known).is_some_and(|rest| rest.starts_with('/')))
}

/// The path that tells whether what comes in is consumed.
const READY: &str = "/ready";
/// Where a proxy says from where it took a request.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// The text format of OpenMetrics.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Where the read API's paths begin.
pub const API: [&str; 6] =
    ["/v1/openapi.json", "/v1/servers", "/v1/tokens", "/v1/users", "/v1/portal-links", "/v1/branding"];

/// Asks the read API: as `caller`, or as whoever bears the request's token.
async fn ask(stack: &Stack, caller: Option<Caller>, parts: &Parts, path: &str, body: &[u8]) -> Response {
    // As API Gateway does: the path decoded, the query as it was sent.
    let path = match decoded(parts, path) {
        Ok(path) => path,
        Err(refused) => return refused,
    };
    let query = parts.uri.query().unwrap_or_default();
    let call = Call { method: &parts.method, path: &path, query, headers: &parts.headers, body };
    let answer = match caller {
        Some(caller) => stack.operator.api.answer_to(caller, &call).await,
        None => stack.operator.api.answer(&call).await,
    };
    answer.map(Body::from)
}

/// A path as it is meant, or the answer where it cannot be read.
#[expect(clippy::result_large_err, reason = "the answer is what is sent")]
fn decoded<'a>(parts: &Parts, path: &'a str) -> Result<Cow<'a, str>, Response> {
    percent_decode_str(path).decode_utf8().map_err(|_| {
        let problem = if is_webhook(&parts.method, &parts.headers) {
            Problem::door()
        } else {
            Problem::bad_request("the path is not UTF-8")
        };
        response(Err(problem)).map(Body::from)
    })
}

/// Whether what comes in is consumed: for whoever keeps the process running. `/health` tells that it lives.
fn ready(stack: &Stack) -> Response {
    let (status, word) = match stack.is_consuming() {
        true => (StatusCode::OK, "ready"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not_consuming"),
    };
    (status, axum::Json(serde_json::json!({ "status": word }))).into_response()
}

/// Where a request comes from: its peer, or where a proxy that is believed took it from.
pub(crate) fn client(proxies: &[IpAddr], peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let forwarded = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = forwarded.flat_map(|value| value.split(',')).map(str::trim).collect();
    let mut from = peer;
    for hop in hops.into_iter().rev() {
        // Only a proxy that is believed says from where it took a request.
        if !proxies.contains(&from) {
            break;
        }
        match hop.parse() {
            Ok(hop) => from = hop,
            Err(_) => break,
        }
    }
    from
}

/// Who asks is settled before the body is read: a stranger has nothing kept in memory.
async fn route(
    State(stack): State<Arc<Stack>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Extension(front): Extension<Front>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    if path == READY && parts.method == Method::GET {
        return ready(&stack);
    }
    if is_api(path) {
        return read_api(&stack, &parts, body).await;
    }
    let head = WebhookRequest {
        method: &parts.method,
        path,
        headers: &parts.headers,
        body: &[],
        source_ip: Some(client(&front.proxies, peer.ip(), &parts.headers)),
    };
    let door = stack.door(path);
    let credential = match door.admit(&head) {
        Ok(credential) => credential,
        Err(answer) => return unread(answer.response::<Body>(), &body),
    };
    match body_of(body).await {
        Some(body) => {
            door.take_in(WebhookRequest { body: &body, ..head }, credential).await.response::<Body>()
        }
        // Cut off, or larger than is read at all: let it come again, as a gateway's own fault would.
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn read_api(stack: &Stack, parts: &Parts, body: Body) -> Response {
    let path = match decoded(parts, parts.uri.path()) {
        Ok(path) => path,
        Err(refused) => return refused,
    };
    let query = parts.uri.query().unwrap_or_default();
    let head = Call { method: &parts.method, path: &path, query, headers: &parts.headers, body: &[] };
    let caller = match stack.operator.api.caller(&head).await {
        Ok(caller) => caller,
        Err(refused) => return unread(refused.map(Body::from), &body),
    };
    match body_of(body).await {
        Some(body) => ask(stack, caller, parts, parts.uri.path(), &body).await,
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_forwarded_counts_only_behind_a_proxy_that_is_named() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let from = |proxies: &[&str], peer: &str, forwarded: &[&str]| {
            let proxies: Vec<IpAddr> = proxies.iter().map(|proxy| ip(proxy)).collect();
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append(FORWARDED_FOR, value.parse().unwrap());
            }
            client(&proxies, ip(peer), &headers).to_string()
        };
        assert_eq!(from(&[], "203.0.113.9", &["50.31.156.6"]), "203.0.113.9", "anybody can write a header");
        assert_eq!(from(&["127.0.0.1"], "203.0.113.9", &["50.31.156.6"]), "203.0.113.9");
        assert_eq!(from(&["127.0.0.1"], "127.0.0.1", &["50.31.156.6"]), "50.31.156.6");
        let told = ["50.31.156.6, 203.0.113.9"];
        assert_eq!(
            from(&["127.0.0.1"], "127.0.0.1", &told),
            "203.0.113.9",
            "what the client wrote is not believed"
        );
        assert_eq!(from(&["127.0.0.1", "203.0.113.9"], "127.0.0.1", &told), "50.31.156.6");
        assert_eq!(from(&["127.0.0.1"], "127.0.0.1", &[]), "127.0.0.1");
        assert_eq!(from(&["127.0.0.1"], "127.0.0.1", &["unknown"]), "127.0.0.1");
    }
}

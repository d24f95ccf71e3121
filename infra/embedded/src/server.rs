//! What API Gateway does: one HTTP server before all doors and the read API. Beside it, on a listener of its own, the
//! operator's routes.

use crate::listen::{self, Limits};
use crate::{Pass, Stack, admin};
use api::Caller;
use api::call::{Call, is_webhook, response};
use api::problem::Problem;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use ingest::WebhookRequest;
use percent_encoding::percent_decode_str;
use postmark::BODY_BYTES_MAX;
use std::borrow::Cow;
use std::net::SocketAddr;
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
    limits: Limits,
    stop: impl Future<Output = ()> + Send,
) {
    let app = Router::new().fallback(route).with_state(stack);
    listen::serve(listener, limits, |peer| app.clone().layer(Extension(ConnectInfo(peer))), stop).await;
}

/// Serves the operator's routes of a stack to whoever bears its pass, until `stop` resolves.
pub async fn serve_admin(
    stack: Arc<Stack>,
    listener: TcpListener,
    limits: Limits,
    pass: Pass,
    stop: impl Future<Output = ()> + Send,
) {
    let app = admin::routes(stack, pass);
    listen::serve(listener, limits, |_| app.clone(), stop).await;
}

/// A request's body, if it comes whole and in time.
async fn body_of(body: Body) -> Option<Bytes> {
    tokio::time::timeout(BODY_TIME, to_bytes(body, REQUEST_BYTES_MAX)).await.ok()?.ok()
}

/// Whether API Gateway would route a path to the read API: every other one is a door's.
pub fn is_api(path: &str) -> bool {
    API.iter()
        .any(|known| path == *known || path.strip_prefix(known).is_some_and(|rest| rest.starts_with('/')))
}

/// Where the read API's paths begin.
pub const API: [&str; 3] = ["/v1/openapi.json", "/v1/servers", "/v1/tokens"];

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

/// Who asks is settled before the body is read: a stranger has nothing kept in memory.
async fn route(
    State(stack): State<Arc<Stack>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    if is_api(path) {
        return read_api(&stack, &parts, body).await;
    }
    let head = WebhookRequest {
        method: &parts.method,
        path,
        headers: &parts.headers,
        body: &[],
        source_ip: Some(peer.ip()),
    };
    let door = stack.door(path);
    let credential = match door.admit(&head) {
        Ok(credential) => credential,
        Err(answer) => return answer.response::<Body>(),
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
        Err(refused) => return refused.map(Body::from),
    };
    match body_of(body).await {
        Some(body) => ask(stack, caller, parts, parts.uri.path(), &body).await,
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

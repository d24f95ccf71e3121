//! What API Gateway does: one HTTP server before all doors, and the admin surface beside them.

use super::{Stack, admin};
use api::Caller;
use api::call::{Call, is_webhook, response};
use api::problem::Problem;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use ingest::Knock;
use percent_encoding::percent_decode_str;
use postmark::BODY_BYTES_MAX;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// The largest request that is read. What lies between this and the door's limit is set aside whole.
pub const REQUEST_BYTES_MAX: usize = 3 * BODY_BYTES_MAX;

/// Serves a stack until `stop` resolves, then finishes what has begun.
///
/// # Errors
/// Where the listener fails.
pub async fn serve(
    stack: Arc<Stack>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let app = Router::new().nest("/admin", admin::routes()).fallback(knock).with_state(stack);
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(stop)
        .await
}

/// Whether API Gateway would route a path to the read API: every other one is a door's.
pub fn is_api(path: &str) -> bool {
    API.iter()
        .any(|known| path == *known || path.strip_prefix(known).is_some_and(|rest| rest.starts_with('/')))
}

/// Where the read API's paths begin.
pub const API: [&str; 3] = ["/v1/openapi.json", "/v1/servers", "/v1/tokens"];

/// Asks the read API: as `caller`, or as whoever bears the request's token.
pub(super) async fn ask(
    stack: &Stack,
    caller: Option<Caller>,
    parts: &Parts,
    path: &str,
    body: &[u8],
) -> Response {
    // As API Gateway does: the path decoded, the query as it was sent.
    let Ok(path) = percent_decode_str(path).decode_utf8() else {
        let problem = if is_webhook(&parts.method, &parts.headers) {
            Problem::door()
        } else {
            Problem::bad_request("the path is not UTF-8")
        };
        return response(Err(problem)).map(Body::from);
    };
    let query = parts.uri.query().unwrap_or_default();
    let call = Call { method: &parts.method, path: &path, query, headers: &parts.headers, body };
    let answer = match caller {
        Some(caller) => stack.api.answer_to(caller, &call).await,
        None => stack.api.answer(&call).await,
    };
    answer.map(Body::from)
}

async fn knock(
    State(stack): State<Arc<Stack>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, REQUEST_BYTES_MAX).await else {
        // Cut off, or larger than is read at all: let it come again, as a gateway's own fault would.
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let path = parts.uri.path();
    if is_api(path) {
        return ask(&stack, None, &parts, path, &body).await;
    }
    let knock = Knock {
        method: &parts.method,
        path,
        headers: &parts.headers,
        body: &body,
        source_ip: Some(peer.ip()),
    };
    stack.door(path).answer(knock).await.response::<Body>()
}

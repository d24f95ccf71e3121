//! The admin surface of the embedded mode, so that a second `postledger` can ask the first: the [desk](crate::desk)
//! over HTTP, for whoever bears the run's [pass](super::Pass).

use super::server;
use super::{Pass, Stack};
use crate::api::ACTOR;
use crate::book::Ask;
use crate::desk::{
    Bodied, BodiesQuery, CountsQuery, Decide, Decided, DeskError, ForgetStream, Forgotten, Listed, OnQueue,
    QuarantineQuery, RebuildQuery, RecipientQuery, ReconcileAsk, Redrive, Redriven, Repair, Repaired, Replay,
    Replayed, Revoke, Unrevoke,
};
use account::BookError;
use account::audit::{Who, WhoKind};
use api::Caller;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use http::StatusCode;
use percent_encoding::percent_decode_str;
use std::sync::Arc;
use store::ask::{Counted, Told};
use store::rebuild::Report;

/// What the surface refuses, as status and sentence.
pub struct Refused(StatusCode, String);

/// What is answered where a server's or stream's name is not known, so that it can be told from what is not there.
pub const UNKNOWN: StatusCode = StatusCode::MISDIRECTED_REQUEST;

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(serde_json::json!({ "error": self.1 }))).into_response()
    }
}

impl From<DeskError> for Refused {
    fn from(error: DeskError) -> Refused {
        let status = match error {
            DeskError::NotFound(_) => StatusCode::NOT_FOUND,
            DeskError::Unknown(_) => UNKNOWN,
            DeskError::Unusable(_) => StatusCode::UNPROCESSABLE_ENTITY,
            DeskError::Random | DeskError::Store(_) | DeskError::Queue(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Refused(status, error.to_string())
    }
}

impl From<BookError> for Refused {
    fn from(error: BookError) -> Refused {
        let status = match error {
            BookError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
            BookError::Elsewhere(_) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Refused(status, error.to_string())
    }
}

type Reply<T> = Result<Json<T>, Refused>;
type Here = State<Arc<Stack>>;

/// The routes, for whoever bears a pass.
pub fn routes(pass: Pass) -> Router<Arc<Stack>> {
    Router::new()
        .route("/recipient", get(recipient))
        .route("/bodies", get(bodies))
        .route("/counts", get(counts))
        .route("/quarantine", get(quarantine))
        .route("/quarantine/{key}", get(set_aside))
        .route("/quarantine/{key}/replay", post(replay))
        .route("/decide", post(decide))
        .route("/forget-stream", post(forget_stream))
        .route("/revoke", post(revoke))
        .route("/unrevoke", post(unrevoke))
        .route("/revoked", get(revoked))
        .route("/sweep", post(sweep))
        .route("/redrive", post(redrive))
        .route("/rebuild", get(verify))
        // It brings a report along, which is as long as there are differences.
        .route("/rebuild/repair", post(repair).layer(DefaultBodyLimit::disable()))
        .route("/reconcile", post(reconcile))
        .route("/book", post(book))
        .route("/queues", get(queues))
        .route("/api/{*rest}", any(read_api))
        .fallback(async || Refused(StatusCode::NOT_FOUND, "there is no such admin call".to_owned()))
        .layer(middleware::from_fn_with_state(pass, guard))
}

/// Comes before all else: nothing of a request is read but its head.
async fn guard(State(pass): State<Pass>, request: Request, next: Next) -> Response {
    if !pass.opens(request.headers()) {
        let words = "the admin surface is for the user whose Postledger this is, by the secret of this run";
        return Refused(StatusCode::UNAUTHORIZED, words.to_owned()).into_response();
    }
    next.run(request).await
}

async fn recipient(State(stack): Here, Query(query): Query<RecipientQuery>) -> Reply<Told> {
    Ok(Json(stack.desk.recipient(query).await?))
}

async fn bodies(State(stack): Here, Query(query): Query<BodiesQuery>) -> Reply<Vec<Bodied>> {
    Ok(Json(stack.desk.bodies(query).await?))
}

async fn counts(State(stack): Here, Query(query): Query<CountsQuery>) -> Reply<Counted> {
    Ok(Json(stack.desk.counts(query).await?))
}

async fn quarantine(State(stack): Here, Query(query): Query<QuarantineQuery>) -> Reply<Vec<Listed>> {
    Ok(Json(stack.desk.quarantine(query).await?))
}

async fn set_aside(State(stack): Here, Path(key): Path<String>) -> Reply<Listed> {
    Ok(Json(stack.desk.set_aside(&key).await?))
}

async fn replay(State(stack): Here, Path(key): Path<String>, Json(replay): Json<Replay>) -> Reply<Replayed> {
    Ok(Json(stack.desk.replay(&key, replay).await?))
}

async fn decide(State(stack): Here, Json(decide): Json<Decide>) -> Reply<Decided> {
    Ok(Json(stack.desk.decide(decide).await?))
}

async fn forget_stream(State(stack): Here, Json(forget): Json<ForgetStream>) -> Reply<Forgotten> {
    Ok(Json(stack.desk.forget_stream(forget).await?))
}

async fn revoke(State(stack): Here, Json(revoke): Json<Revoke>) -> Reply<Revoke> {
    Ok(Json(stack.desk.revoke(revoke).await?))
}

async fn unrevoke(State(stack): Here, Json(unrevoke): Json<Unrevoke>) -> Reply<Unrevoke> {
    Ok(Json(stack.desk.unrevoke(unrevoke).await?))
}

async fn revoked(State(stack): Here) -> Reply<Vec<Revoke>> {
    Ok(Json(stack.desk.revoked().await?))
}

async fn sweep(State(stack): Here) -> Reply<erase::Swept> {
    Ok(Json(stack.desk.sweep().await?))
}

async fn redrive(State(stack): Here, Json(redrive): Json<Redrive>) -> Reply<Redriven> {
    Ok(Json(stack.desk.redrive(redrive, |_| {}).await?))
}

async fn reconcile(State(stack): Here, Json(ask): Json<ReconcileAsk>) -> Reply<reconcile::Report> {
    Ok(Json(stack.desk.reconcile(ask, &|_| {}).await?))
}

async fn verify(State(stack): Here, Query(query): Query<RebuildQuery>) -> Reply<Report> {
    Ok(Json(stack.desk.verify(query.server, |_| {}).await?))
}

async fn repair(State(stack): Here, Json(repair): Json<Repair>) -> Reply<Repaired> {
    Ok(Json(stack.desk.repair(repair).await?))
}

async fn book(State(stack): Here, Json(ask): Json<Ask>) -> Reply<serde_json::Value> {
    Ok(Json(crate::book::answer(&stack, ask).await?))
}

/// The read API, for whoever operates this ledger: they need no token, and may do everything.
async fn read_api(State(stack): Here, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(body) = server::body_of(body).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let actor = parts.headers.get(ACTOR).and_then(|actor| actor.to_str().ok()).unwrap_or("local");
    let name = percent_decode_str(actor).decode_utf8_lossy().into_owned();
    let caller = Caller::operator(Who { kind: WhoKind::Local, name });
    let path = parts.uri.path().strip_prefix("/api").unwrap_or_default();
    server::ask(&stack, Some(caller), &parts, path, &body).await
}

async fn queues(State(stack): Here) -> Reply<Vec<OnQueue>> {
    Ok(Json(stack.desk.queues().await?))
}

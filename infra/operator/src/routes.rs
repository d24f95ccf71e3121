//! The operator's routes: `/v1/operator/…`, and everything else as the read API has it, asked by somebody who may do all
//! of it. Whoever serves them has settled who asks: every request bears its [`Who`].

use crate::documents::{Counted, Delete, Done, Hours, Stated, Wanted, Write, collection};
use crate::messages::{
    Forgotten, Index, IndexFill, IndexNote, OnQueue, QuarantineQuery, Reconcile, Redrive, Redriven, Repaired,
    Replay, Replayed, Revoked, SetAside,
};
use crate::{OTHER_RELEASE, Operator, missing};
use account::audit::Who;
use answers::PortalLink;
use api::Caller;
use api::call::{Call, response};
use api::problem::Problem;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Extension, Router};
use erasure::Swept;
use http::request::Parts;
use ledger::ServerId;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use store::ServerSettings;
use store::rebuild::Report;

/// Where these routes begin.
pub const PREFIX: &str = "/v1/operator";

type Here = State<Arc<Operator>>;
type Answer<T> = Result<Json<T>, ProblemResponse>;

/// The routes of a ledger.
pub fn routes(operator: Arc<Operator>) -> Router {
    let own = Router::new()
        .route("/queues", get(queues))
        .route("/queues/{queue}/redrive", post(redrive))
        .route("/quarantine", get(quarantine))
        .route("/quarantine/{key}", get(set_aside))
        .route("/quarantine/{key}/replay", post(replay))
        .route("/revocations", get(revoked).post(revoke))
        .route("/revocations/{server}/{generation}", delete(unrevoke))
        .route("/sweep", post(sweep))
        .route("/index", get(index).put(note_index))
        .route("/index/fill", post(fill_index))
        .route("/users/{id}/link", post(user_link))
        .route("/servers/{server}/streams", get(streams))
        .route("/servers/{server}/streams/{stream}", delete(forget_stream))
        .route("/servers/{server}/settings", get(settings).put(put_settings))
        .route("/servers/{server}/counters", get(counters))
        .route("/servers/{server}/reconcile", post(reconcile))
        .route("/servers/{server}/rebuild", get(verify).post(repair))
        .route("/documents/{collection}", get(documents))
        .route("/documents/{collection}/{name}", get(document).put(put_document).delete(delete_document))
        .fallback(async || ProblemResponse(missing("operators have no such route", OTHER_RELEASE)));
    // A rebuild's report is as long as there are differences, and a list to import as the read API allows.
    Router::new().nest(PREFIX, own).fallback(read_api).layer(DefaultBodyLimit::disable()).with_state(operator)
}

/// Why there is no answer, as a response.
#[derive(Debug)]
pub struct ProblemResponse(pub Problem);

impl<E: Into<Problem>> From<E> for ProblemResponse {
    fn from(error: E) -> ProblemResponse {
        ProblemResponse(error.into())
    }
}

impl IntoResponse for ProblemResponse {
    fn into_response(self) -> Response {
        response(Err(self.0.for_operators())).map(Body::from)
    }
}

/// JSON, in either direction; what is not understood is a problem document.
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        response(Ok(api::call::Answer::json(&self.0))).map(Body::from)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ProblemResponse;

    async fn from_request(request: Request, state: &S) -> Result<Json<T>, ProblemResponse> {
        let (method, headers) = (request.method().clone(), request.headers().clone());
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|_| Problem::bad_request("the body was cut off, or took too long"))?;
        let call = Call { method: &method, path: "", query: "", headers: &headers, body: &body };
        Ok(Json(call.json()?))
    }
}

/// What stands in the places of a path.
pub struct At<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for At<T> {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<At<T>, ProblemResponse> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(at)| At(at))
            .map_err(|_| ProblemResponse(missing("the path names nothing that can be here", OTHER_RELEASE)))
    }
}

/// What a query says.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Query<T>, ProblemResponse> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        query.map(|query| Query(query.0)).map_err(|rejected| {
            ProblemResponse(Problem::bad_request(format!("the query: {}", rejected.body_text())))
        })
    }
}

async fn queues(State(operator): Here) -> Answer<Vec<OnQueue>> {
    Ok(Json(operator.queues().await?))
}

async fn redrive(
    State(operator): Here,
    Extension(who): Extension<Who>,
    At(queue): At<String>,
    Json(redrive): Json<Redrive>,
) -> Answer<Redriven> {
    Ok(Json(operator.redrive(&who, &queue, redrive).await?))
}

async fn quarantine(State(operator): Here, Query(query): Query<QuarantineQuery>) -> Answer<Vec<SetAside>> {
    Ok(Json(operator.quarantine(query).await?))
}

async fn set_aside(State(operator): Here, At(key): At<String>) -> Answer<SetAside> {
    Ok(Json(operator.set_aside(&key).await?))
}

async fn replay(
    State(operator): Here,
    Extension(who): Extension<Who>,
    At(key): At<String>,
    body: Bytes,
) -> Answer<Replayed> {
    // A mended body may be as long as a door takes one, which is more than the read API takes.
    let replay: Replay = serde_json::from_slice(&body).map_err(|_| {
        Problem::bad_request("the body is no replay as this release knows one").next(OTHER_RELEASE)
    })?;
    Ok(Json(operator.replay(&who, &key, replay).await?))
}

async fn revoked(State(operator): Here) -> Answer<Vec<Revoked>> {
    Ok(Json(operator.revoked().await?))
}

async fn revoke(
    State(operator): Here,
    Extension(who): Extension<Who>,
    Json(revoke): Json<Revoked>,
) -> Answer<Revoked> {
    Ok(Json(operator.revoke(&who, revoke).await?))
}

async fn unrevoke(
    State(operator): Here,
    Extension(who): Extension<Who>,
    At((server, generation)): At<(ServerId, u32)>,
) -> Answer<Revoked> {
    Ok(Json(operator.unrevoke(&who, server, generation).await?))
}

async fn user_link(
    State(operator): Here,
    Extension(who): Extension<Who>,
    At(id): At<String>,
) -> Answer<PortalLink> {
    Ok(Json(operator.user_link(&who, &id).await?))
}

async fn index(State(operator): Here) -> Answer<Index> {
    Ok(Json(operator.index().await?))
}

async fn note_index(State(operator): Here, Json(note): Json<IndexNote>) -> Answer<Index> {
    Ok(Json(operator.note_index(note).await?))
}

async fn fill_index(
    State(operator): Here,
    Extension(who): Extension<Who>,
    Json(fill): Json<IndexFill>,
) -> Answer<Index> {
    Ok(Json(operator.fill_index(&who, fill).await?))
}

async fn sweep(State(operator): Here) -> Answer<Swept> {
    Ok(Json(operator.sweep().await?))
}

async fn streams(State(operator): Here, At(server): At<ServerId>) -> Answer<Vec<String>> {
    Ok(Json(operator.store.streams(server).await?.into_iter().collect()))
}

async fn forget_stream(
    State(operator): Here,
    Extension(who): Extension<Who>,
    At((server, stream)): At<(ServerId, String)>,
) -> Answer<Forgotten> {
    Ok(Json(operator.forget_stream(&who, server, &stream).await?))
}

async fn settings(State(operator): Here, At(server): At<ServerId>) -> Answer<ServerSettings> {
    Ok(Json(operator.store.settings(server).await?))
}

async fn put_settings(
    State(operator): Here,
    At(server): At<ServerId>,
    Json(settings): Json<ServerSettings>,
) -> Answer<Done> {
    operator.store.put_settings(server, settings).await?;
    Ok(Json(Done { done: true }))
}

async fn counters(
    State(operator): Here,
    At(server): At<ServerId>,
    Query(Hours { stream, from, before }): Query<Hours>,
) -> Answer<Counted> {
    let hours = operator.store.counters(server, &stream, &from, &before).await?;
    let named = |counts: ledger::counters::Counts| {
        counts.into_iter().map(|(measure, n)| (measure.name().to_owned(), n)).collect()
    };
    Ok(Json(hours.into_iter().map(|(hour, counts)| (hour, named(counts))).collect()))
}

async fn reconcile(
    State(operator): Here,
    At(server): At<ServerId>,
    Json(ask): Json<Reconcile>,
) -> Answer<reconcile::Report> {
    Ok(Json(operator.reconcile(server, ask).await?))
}

async fn verify(State(operator): Here, At(server): At<ServerId>) -> Answer<Report> {
    Ok(Json(operator.verify(server).await?))
}

async fn repair(
    State(operator): Here,
    Extension(who): Extension<Who>,
    At(server): At<ServerId>,
    body: Bytes,
) -> Answer<Repaired> {
    // As long as there are differences, which is longer than the read API takes.
    let report: Report = serde_json::from_slice(&body)
        .map_err(|_| Problem::bad_request("the body is not what a comparison of this release tells"))?;
    Ok(Json(operator.repair(&who, server, report).await?))
}

async fn documents(
    State(operator): Here,
    At(pk): At<String>,
    Query(Wanted { last, before }): Query<Wanted>,
) -> Answer<Vec<(String, Stated)>> {
    let (store, of) = (&operator.store, collection(&pk)?);
    let documents = match last {
        Some(limit) => store.last_documents(&of, before.as_deref(), limit).await?,
        None => store.documents(&of).await?,
    };
    Ok(Json(documents.into_iter().map(|(name, document)| (name, document.into())).collect()))
}

async fn document(State(operator): Here, At((pk, name)): At<(String, String)>) -> Answer<Option<Stated>> {
    let document = operator.store.document(&collection(&pk)?, &name).await?;
    Ok(Json(document.map(Stated::from)))
}

async fn put_document(
    State(operator): Here,
    At((pk, name)): At<(String, String)>,
    Json(Write { text, expected }): Json<Write>,
) -> Answer<Done> {
    let done = operator.store.put_document(&collection(&pk)?, &name, &text, expected).await?;
    Ok(Json(Done { done }))
}

async fn delete_document(
    State(operator): Here,
    At((pk, name)): At<(String, String)>,
    Query(Delete { expected }): Query<Delete>,
) -> Answer<Done> {
    let done = operator.store.delete_document(&collection(&pk)?, &name, expected).await?;
    Ok(Json(Done { done }))
}

/// The read API, for whoever operates this ledger: they need no token, and may do everything.
async fn read_api(
    State(operator): Here,
    Extension(who): Extension<Who>,
    parts: Parts,
    body: Bytes,
) -> Response {
    // As API Gateway does: the path decoded, the query as it was sent.
    let Ok(path) = percent_decode_str(parts.uri.path()).decode_utf8() else {
        return ProblemResponse(Problem::bad_request("the path is not UTF-8")).into_response();
    };
    let query = parts.uri.query().unwrap_or_default();
    let call = Call { method: &parts.method, path: &path, query, headers: &parts.headers, body: &body };
    operator.api.answer_to(Caller::operator(who), &call).await.map(Body::from)
}

//! What only whoever operates the embedded mode may ask, so that a second `postledger` can ask the first: the
//! [operator's routes](operator::routes) over HTTP, for whoever bears the run's [pass](crate::Pass).

use crate::{Pass, Stack};
use account::audit::{Who, WhoKind};
use api::problem::Problem;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::put;
use credential::Verifier;
use http::StatusCode;
use operator::documents::Done;
use operator::routes::{self, Json, PREFIX, ProblemResponse};
use percent_encoding::percent_decode_str;
use std::sync::Arc;

/// The header in which a command says whose change it makes, percent-encoded: what the audit names.
pub const ACTOR: &str = "x-actor";

/// The routes, for whoever bears a pass.
pub fn routes(stack: Arc<Stack>, pass: Pass) -> Router {
    let keys = Router::new().route(&format!("{PREFIX}/keys"), put(keys)).with_state(stack.clone());
    let all = keys.merge(routes::routes(stack.operator.clone()));
    all.layer(middleware::from_fn_with_state(pass, guard))
}

/// Comes before all else: nothing of a request is read but its head.
async fn guard(State(pass): State<Pass>, mut request: Request, next: Next) -> Response {
    if !pass.opens(request.headers()) {
        let refused = Problem::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "The caller is not known",
            "this is for the user whose Postledger this is, by the secret of this run",
        );
        return ProblemResponse(refused).into_response();
    }
    let actor = request.headers().get(ACTOR).and_then(|actor| actor.to_str().ok()).unwrap_or("local");
    let name = percent_decode_str(actor).decode_utf8_lossy().into_owned();
    request.extensions_mut().insert(Who { kind: WhoKind::Local, name });
    next.run(request).await
}

/// From now on these public keys are the ones whose passwords the doors take: what a deployment does on AWS.
async fn keys(
    State(stack): State<Arc<Stack>>,
    Json(keys): Json<Vec<String>>,
) -> Result<Json<Done>, ProblemResponse> {
    let unusable = |error: credential::CredentialError| Problem::bad_request(error.to_string());
    let keys = keys.iter().map(|key| key.parse()).collect::<Result<Vec<_>, _>>().map_err(unusable)?;
    stack.adopt(Arc::new(Verifier::new(&stack.name, keys, []).map_err(unusable)?));
    Ok(Json(Done { done: true }))
}

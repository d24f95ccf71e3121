//! What only whoever operates the embedded mode may ask, so that a second `postledger` can ask the first: the
//! [operator's routes](operator::routes) over HTTP, for whoever can open the run's [socket](crate::Socket).

use crate::Stack;
use account::audit::{Who, WhoKind};
use api::problem::Problem;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::put;
use credential::Verifier;
use http::StatusCode;
use operator::documents::Done;
use operator::routes::{self, At, Json, PREFIX, ProblemResponse};
use percent_encoding::percent_decode_str;
use std::sync::Arc;

/// The header in which a command says whose change it makes, percent-encoded: what the audit names.
pub const ACTOR: &str = "x-actor";
/// The problem of a question about another stack than the one that runs.
pub const OTHER_STACK: &str = "other-stack";

/// The routes.
pub fn routes(stack: Arc<Stack>) -> Router {
    let of_stack = format!("{PREFIX}/stacks/{{stack}}/keys");
    let keys = Router::new().route(&of_stack, put(keys)).with_state(stack.clone());
    let all = keys.merge(routes::routes(stack.operator.clone()));
    all.layer(middleware::from_fn(named))
}

/// Every change is noted as that of whoever asks.
async fn named(mut request: Request, next: Next) -> Response {
    let actor = request.headers().get(ACTOR).and_then(|actor| actor.to_str().ok()).unwrap_or("local");
    let name = percent_decode_str(actor).decode_utf8_lossy().into_owned();
    request.extensions_mut().insert(Who { kind: WhoKind::Local, name });
    next.run(request).await
}

/// From now on these public keys are the ones whose passwords the doors take: what a deployment does on AWS. The keys of
/// another stack are not taken.
async fn keys(
    State(stack): State<Arc<Stack>>,
    At(of): At<String>,
    Json(keys): Json<Vec<String>>,
) -> Result<Json<Done>, ProblemResponse> {
    if of != stack.name {
        let what = format!("it runs the stack {}, not {of}", stack.name);
        let problem = Problem::new(StatusCode::NOT_FOUND, OTHER_STACK, "Another stack runs here", what);
        return Err(problem.next("name that one by --stack, or another Postledger by --url").into());
    }
    let unusable = |error: credential::CredentialError| Problem::bad_request(error.to_string());
    let keys = keys.iter().map(|key| key.parse()).collect::<Result<Vec<_>, _>>().map_err(unusable)?;
    stack.adopt(Arc::new(Verifier::new(&stack.name, keys, []).map_err(unusable)?));
    Ok(Json(Done { done: true }))
}

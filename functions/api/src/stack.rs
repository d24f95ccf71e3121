//! What is asked of the stack as a whole: which servers there are for the caller, and its [`tokens`].

use crate::call::{Answer, Call};
use crate::problem::Problem;
use crate::route::Route;
use crate::scope::Gate;
use crate::tokens;
use serde_json::{Map, Value, json};

/// How many streams of a server are told of: more than it may have.
const STREAMS_TOLD_MAX: usize = 5 * store::STREAMS_OF_SERVER_MAX;

/// Answers.
///
/// # Errors
/// As each of its routes.
pub(crate) async fn answer(
    gate: &Gate<'_>,
    route: Route,
    call: &Call<'_>,
    name: &str,
) -> Result<Answer, Problem> {
    match route {
        Route::Servers => servers(gate, call).await,
        Route::Tokens => tokens::list(&gate.tokens()?, call).await,
        Route::NewToken => tokens::make(&gate.tokens()?, call).await,
        Route::RevokeToken => tokens::revoke(&gate.tokens()?, call, name).await,
        _ => Err(Problem::not_found()),
    }
}

async fn servers(gate: &Gate<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    call.query(&[])?;
    let mut items = Vec::new();
    for (server, entry, known) in gate.servers().await? {
        let mut streams: Map<String, Value> = known
            .into_iter()
            .filter(|stream| stream != ledger::event::WHOLE_SERVER)
            .map(|stream| {
                let kind = json!(ledger::policy::StreamKind::presumed(&stream));
                (stream, kind)
            })
            .collect();
        let mut item = json!({ "server": server.get() });
        if let Some(entry) = entry {
            item["client"] = entry.client.into();
            item["label"] = entry.label.into();
            streams.extend(entry.streams.into_iter().map(|(id, stream)| (id, json!(stream.kind))));
        }
        let more = streams.len().saturating_sub(STREAMS_TOLD_MAX);
        item["streams"] = streams.into_iter().take(STREAMS_TOLD_MAX).collect::<Map<_, _>>().into();
        if more > 0 {
            item["streams_more"] = more.into();
        }
        items.push(item);
    }
    let caller = gate.caller();
    let told = json!({
        "items": items,
        "next": null,
        "role": caller.role(),
        "reveal_addresses": caller.reveals(),
    });
    Ok(Answer::json(&told))
}

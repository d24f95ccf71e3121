//! What is asked of the stack as a whole: which servers there are for the caller, adding one ([`new_server`]), its [`tokens`], its [`users`], and the
//! [`branding`] of its portal.

use crate::call::{Answer, Call};
use crate::problem::Problem;
use crate::route::Route;
use crate::scope::Gate;
use crate::{branding, new_server, tokens, users};
use answers::{Server, Servers, Word};
use ledger::policy::StreamKind;
use std::collections::BTreeMap;

/// How many streams of a server are told of: more than it may have.
const STREAMS_TOLD_MAX: usize = 5 * store::STREAMS_OF_SERVER_MAX;

pub(crate) async fn answer(
    gate: &Gate<'_>,
    route: Route,
    call: &Call<'_>,
    name: &str,
) -> Result<Answer, Problem> {
    match route {
        Route::Servers => servers(gate, call).await,
        Route::NewServer => new_server::add(&gate.adding()?, call).await,
        Route::Tokens => tokens::list(&gate.tokens()?, call).await,
        Route::NewToken => tokens::make(&gate.tokens()?, call).await,
        Route::RevokeToken => tokens::revoke(&gate.tokens()?, call, name).await,
        Route::Users => users::list(&gate.people()?, call).await,
        Route::InviteUsers => users::invite(&gate.people()?, call).await,
        Route::ChangeUser => users::change(&gate.people()?, call, name).await,
        Route::RemoveUser => users::remove(&gate.people()?, call, name).await,
        Route::SignOutUser => users::sign_out(&gate.people()?, call, name).await,
        Route::NewPortalLink => users::portal_link(&gate.links(), call).await,
        Route::Branding => branding::get(&gate.look()?, call).await,
        Route::SetBranding => branding::set(&gate.look()?, call).await,
        _ => Err(Problem::not_found()),
    }
}

async fn servers(gate: &Gate<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    call.query(&[])?;
    let mut items = Vec::new();
    for (server, entry, known) in gate.servers().await? {
        let has_events = !known.is_empty();
        let known = known.into_iter().filter(|stream| stream != ledger::event::WHOLE_SERVER);
        let mut streams: BTreeMap<String, Word<StreamKind>> =
            known.map(|stream| (stream.clone(), StreamKind::presumed(&stream).into())).collect();
        let (mut client, mut label) = (None, None);
        if let Some(entry) = entry {
            (client, label) = (Some(entry.client), Some(entry.label));
            streams.extend(entry.streams.into_iter().map(|(id, stream)| (id, stream.kind.into())));
        }
        let more = streams.len().saturating_sub(STREAMS_TOLD_MAX);
        let streams = streams.into_iter().take(STREAMS_TOLD_MAX).collect();
        items.push(Server {
            server,
            client,
            label,
            streams,
            streams_more: Some(more).filter(|more| *more > 0),
            has_events,
        });
    }
    let caller = gate.caller();
    let (role, reveal_addresses, read_content) =
        (caller.role().into(), caller.reveals(), caller.reads_content());
    Ok(Answer::json(&Servers { items, next: None, role, reveal_addresses, read_content }))
}

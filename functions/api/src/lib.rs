//! The read API: what senders and clients ask of the ledger, and the few things that admins change in it.
//!
//! Invariants:
//! - Nobody reaches anything but through [`scope`]: what a caller may see is a type that it was given, checked.
//! - What is out of scope answers as what is not there.
//! - Whoever is not to see recipients' addresses sees none anywhere: every answer to it goes through [`mask`].
//! - Every answer is as `openapi.json` describes it, and every problem is an RFC 9457 document.
//! - No request path scans a table, and no list is held in memory beyond its page.
//!
//! The way through: [`call`] is a request and its answer, [`route`] finds what is asked for, [`scope`] who asks and
//! what that opens, and each of the others answers. The same code runs as a Lambda function, in the embedded mode, and
//! in the command line of an operator.

mod admin;
mod audited;
#[cfg(test)]
mod bench;
mod branding;
pub mod call;
pub mod check;
mod content;
mod cursor;
pub mod decision;
mod erase;
mod history;
mod import;
mod inbound;
pub mod kept;
#[cfg(feature = "lambda")]
mod lambda;
#[cfg(any(test, feature = "testing"))]
pub mod lists;
mod mask;
mod new_server;
mod observe;
#[cfg(test)]
mod openapi;
mod policy;
#[cfg(any(test, feature = "testing"))]
pub mod postmark_kept;
mod postmark_settings;
mod postmark_token;
pub mod problem;
mod recipient;
#[cfg(any(test, feature = "testing"))]
pub mod recording;
mod replay;
pub mod route;
mod ruling;
pub mod scope;
mod sent;
mod smtp;
mod stack;
mod stats;
mod suppressions;
mod test_mail;
pub mod token;
mod tokens;
mod users;
mod webhooks;

pub use audited::step;
#[cfg(feature = "lambda")]
pub use lambda::{parts, query, run};
pub use scope::{Caller, Parts};

use call::{Answer, Call, response};
use http::Response;
use mask::Typed;
use problem::Problem;
use route::{Places, Route};
use scope::{Gate, Reader};

/// The description of the API, as it is served.
pub const OPENAPI: &str = include_str!("../openapi.json");

/// Answers what is asked of a ledger.
#[derive(Clone)]
pub struct Api {
    parts: Parts,
}

impl Api {
    /// Over what a ledger is reached by.
    pub fn new(parts: Parts) -> Api {
        Api { parts }
    }

    /// Answers whoever bears a token.
    pub async fn answer(&self, call: &Call<'_>) -> Response<Vec<u8>> {
        self.counted(call, None).await
    }

    /// Answers somebody who is known by other means.
    pub async fn answer_to(&self, caller: Caller, call: &Call<'_>) -> Response<Vec<u8>> {
        self.counted(call, Some(caller)).await
    }

    /// Answers somebody for a page of the portal, which counts its own answers: the API's alarm is about those who ask it.
    pub async fn answer_to_page(&self, caller: Caller, call: &Call<'_>) -> Response<Vec<u8>> {
        self.answered(call, Some(caller)).await
    }

    async fn counted(&self, call: &Call<'_>, caller: Option<Caller>) -> Response<Vec<u8>> {
        let answer = self.answered(call, caller).await;
        observe::answered(answer.status());
        answer
    }

    async fn answered(&self, call: &Call<'_>, caller: Option<Caller>) -> Response<Vec<u8>> {
        // A fault is told in full to whoever can mend it.
        let is_operator = caller
            .as_ref()
            .is_some_and(|caller| caller.token().is_none() && caller.role() == token::Role::Operator);
        let whole = |problem: Problem| if is_operator { problem.for_operators() } else { problem };
        response(self.routed(call, caller).await.map_err(whole))
    }

    /// Who asks, by a request's head alone, so that its body need not be read before that is known; `None` where
    /// anybody may ask.
    ///
    /// # Errors
    /// The answer, where it is refused.
    pub async fn caller(&self, head: &Call<'_>) -> Result<Option<Caller>, Response<Vec<u8>>> {
        let known = async {
            let (route, _) = found(head)?;
            if route == Route::OpenApi {
                return Ok(None);
            }
            Ok(Some(Gate::by_header(&self.parts, head, route).await?.caller().clone()))
        };
        known.await.map_err(|problem: Problem| response(Err(problem)))
    }

    async fn routed(&self, call: &Call<'_>, caller: Option<Caller>) -> Result<Answer, Problem> {
        let (route, places) = found(call)?;
        if route == Route::OpenApi {
            return Ok(Answer::document(OPENAPI));
        }
        let gate = match caller {
            Some(caller) => Gate::known(&self.parts, caller),
            None => Gate::by_header(&self.parts, call, route).await?,
        };
        gate.confirmed_for(route)?;
        let Places { server, name } = places;
        let name = name.unwrap_or_default();
        let answer = match server {
            Some(server) => match gate.server(&server).await {
                // On the heap: the largest of all routes would be part of whatever asks for one.
                Ok(reader) => Box::pin(of_server(reader, route, call, &name)).await,
                Err(problem) => Err(problem),
            },
            None => stack::answer(&gate, route, call, &name).await,
        };
        // Who manages users has to know them, and whom they ask for help: they are no recipients.
        if gate.caller().reveals() || route.is_of_portal() {
            return answer;
        }
        let typed = Typed::of(&name, call.body);
        answer.map(|answer| answer.masked(&typed)).map_err(|problem| problem.masked(&typed))
    }
}

/// What is asked for, by a request's head.
fn found(call: &Call<'_>) -> Result<(Route, Places), Problem> {
    // Before anything else: no path, method or body of a webhook may cost its event.
    if call::is_webhook(call.method, call.headers) {
        return Err(Problem::door());
    }
    if call.query_has_address() && route::recipient_in(call.path).is_some() {
        return Err(Problem::cut_address());
    }
    Route::of(call.method, call.path).map_err(|methods| {
        let methods: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
        // What is left of an address, where the rest and what was to be done with it is gone.
        let left =
            route::recipient_in(call.path).filter(|left| !left.contains('@') && !left.starts_with("id:"));
        match (methods.as_slice(), left) {
            ([], _) => Problem::not_found(),
            (_, Some(_)) => Problem::cut_address(),
            (methods, None) => Problem::method(&methods.join(", ")),
        }
    })
}

async fn of_server(reader: Reader<'_>, route: Route, call: &Call<'_>, name: &str) -> Result<Answer, Problem> {
    let reader = &reader;
    match route {
        Route::Check => check::check(reader, call).await,
        Route::Recipient => recipient::recipient(reader, call, name).await,
        Route::Timeline => history::timeline(reader, call, name).await,
        Route::Sent => Box::pin(sent::to(reader, call, name)).await,
        Route::Message => history::message(reader, call, name).await,
        Route::SentMessage => Box::pin(sent::one(reader, call, name)).await,
        Route::Content => Box::pin(content::content(reader, call, name)).await,
        Route::Inbound => Box::pin(inbound::list(reader, call)).await,
        Route::Activity => history::activity(reader, call, name).await,
        Route::Suppressions => suppressions::suppressions(reader, call, name).await,
        Route::Stats => stats::stats(reader, call, name).await,
        Route::Suppress => ruling::suppress(&reader.admin()?, call, name).await,
        Route::Reactivate => ruling::reactivate(&reader.admin()?, call, name).await,
        Route::Import => import::import(&reader.admin()?, call, name).await,
        Route::Erase => erase::erase(&reader.admin()?, call, name).await,
        Route::Export => history::export(&reader.admin()?, call, name).await,
        Route::Quarantine => admin::quarantine(&reader.admin()?, call).await,
        Route::Replay => replay::replay(&reader.admin()?, call, name).await,
        Route::Completeness => admin::completeness(reader, call).await,
        Route::Audit => audited::audit(&reader.admin()?, call).await,
        Route::PostmarkToken => postmark_token::replace(&reader.admin()?, call).await,
        Route::PostmarkSettings => postmark_settings::settings(&reader.admin()?, call).await,
        Route::ChangePostmarkSettings => postmark_settings::change(&reader.admin()?, call).await,
        Route::Policies => policy::policies(&reader.admin()?, call).await,
        Route::ChangePolicy => policy::change(&reader.admin()?, call).await,
        Route::Smtp => smtp::streams(&reader.admin()?, call).await,
        // Boxed: what speaks to two services at once is large, and every other answer would be as large as it.
        Route::KeepSmtp => Box::pin(smtp::keep(&reader.admin()?, call, name)).await,
        Route::CheckSmtp => Box::pin(smtp::check(&reader.admin()?, call, name)).await,
        Route::TestSmtp => Box::pin(smtp::test(&reader.admin()?, call, name)).await,
        Route::RemoveSmtp => smtp::remove(&reader.admin()?, call, name).await,
        Route::Webhooks => webhooks::webhooks(&reader.admin()?, call).await,
        Route::ConnectWebhooks => webhooks::connect(&reader.admin()?, call).await,
        Route::WebhookPassword => webhooks::password(&reader.admin()?, call).await,
        Route::RotateWebhooks => webhooks::rotate(&reader.admin()?, call).await,
        Route::TestMail => test_mail::send(&reader.admin()?, call).await,
        Route::OpenApi
        | Route::Servers
        | Route::NewServer
        | Route::Tokens
        | Route::NewToken
        | Route::RevokeToken
        | Route::Users
        | Route::InviteUsers
        | Route::ChangeUser
        | Route::RemoveUser
        | Route::SignOutUser
        | Route::NewPortalLink
        | Route::Branding
        | Route::SetBranding => Err(Problem::not_found()),
    }
}

//! A server's token at Postmark: replaced, and never shown.

use crate::pages::people::Trouble;
use crate::pages::shared::link;
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{Ask, AtServer, Failed, Frame, Why, must_confirm};
use answers::{PostmarkTokenKept, PostmarkTokenRequest};
use askama::Template;
use http::Method;

/// The last parts of its path.
const TAIL: &str = "settings/postmark";

#[derive(Template)]
#[template(path = "postmark_token.html")]
struct TokenPage {
    t: Texts,
    frame: Frame,
    title: String,
    server: String,
    done: Option<String>,
    trouble: Option<Trouble>,
    /// Where to confirm that it is oneself, before a token is pasted that would be lost.
    confirm: Option<String>,
}

/// The page, or the token that was sent.
///
/// # Errors
/// The API's own.
pub(in crate::pages) async fn routed(at: &AtServer<'_>, posts: bool) -> Result<Answer, Failed> {
    if posts { replace(at).await } else { page(at, None) }
}

fn page(at: &AtServer<'_>, trouble: Option<Trouble>) -> Result<Answer, Failed> {
    let (t, visit) = (at.visit.t(), at.visit);
    let done = match visit.request.asked().text("done") {
        Some("replaced") => Some(t.postmark_done(at.server)),
        Some("again") => Some(t.people_done_again()),
        _ => None,
    };
    let status = Trouble::status_of(trouble.as_ref());
    let page = TokenPage {
        t,
        frame: at.frame(),
        title: t.postmark_title(at.label()),
        server: at.server.to_string(),
        done,
        trouble,
        confirm: super::confirm(at, TAIL),
    };
    respond::page(status, &page)
}

async fn replace(at: &AtServer<'_>) -> Result<Answer, Failed> {
    let (t, visit) = (at.visit.t(), at.visit);
    let back = link(&at.path(TAIL), &[("done", Some("again".to_owned()))]);
    if let Some(answer) = must_confirm(&visit.who, visit.now, &back) {
        return Ok(answer);
    }
    let form = visit.request.form();
    let Some(token) = form.text("token") else {
        return page(at, Some(Trouble::typed(t.postmark_no_token())));
    };
    let path = format!("/v1/servers/{}/postmark-token", at.server);
    let ask = Ask::of(Method::PUT, path).json(&PostmarkTokenRequest { token: token.to_owned() });
    match at.ask::<PostmarkTokenKept>(ask).await {
        Ok(_) => Ok(respond::see(&link(&at.path(TAIL), &[("done", Some("replaced".to_owned()))]))),
        Err(failed) => page(at, Some(trouble(t, failed)?)),
    }
}

/// Why a token is not kept, in words.
fn trouble(t: Texts, failed: Failed) -> Result<Trouble, Failed> {
    let Why::Problem(problem) = &failed.why else { return Err(failed) };
    let words = match problem.code() {
        "bad-request" => t.postmark_no_token(),
        "token-of-another-server" => t.postmark_other_server(),
        "token-not-accepted" => t.postmark_not_accepted(),
        "postmark-unavailable" => t.postmark_unavailable(),
        _ => return Trouble::of(t, failed),
    };
    Ok(Trouble::from_postmark(failed.status, words))
}

//! Adding a server by its Postmark token, for operators. The token is never shown again.

use super::people::Trouble;
use super::shared::link;
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{Ask, Failed, Frame, Visit, Why, must_confirm};
use answers::{AddedServer, NewServer};
use askama::Template;
use http::{Method, StatusCode};

/// Its path.
const PATH: &str = "/servers/new";

#[derive(Template)]
#[template(path = "new_server.html")]
struct NewServerPage {
    t: Texts,
    frame: Frame,
    done: Option<String>,
    trouble: Option<Trouble>,
    /// Where to confirm that it is oneself, before a token is pasted that would be lost.
    confirm: Option<String>,
    client: String,
    label: String,
}

/// The page, or the server that was sent.
///
/// # Errors
/// The API's own.
pub(super) async fn page(visit: &Visit<'_>, posts: bool) -> Result<Answer, Failed> {
    if posts { add(visit).await } else { form(visit, None) }
}

fn form(visit: &Visit<'_>, trouble: Option<Trouble>) -> Result<Answer, Failed> {
    let (t, typed) = (visit.t(), visit.request.form());
    let text = |name| typed.text(name).unwrap_or_default().to_owned();
    let back = back();
    let is_again = visit.request.asked().text("done") == Some("again");
    let page = NewServerPage {
        t,
        frame: visit.frame(),
        done: is_again.then(|| t.people_done_again()),
        confirm: must_confirm(&visit.who, visit.now, &back)
            .map(|_| link("/confirm", &[("back", Some(back))])),
        client: text("client"),
        label: text("label"),
        trouble,
    };
    let status = page.trouble.as_ref().map_or(StatusCode::OK, |trouble| trouble.status);
    respond::page(status, &page)
}

/// Where somebody comes back to who had to confirm that it is they.
fn back() -> String {
    link(PATH, &[("done", Some("again".to_owned()))])
}

async fn add(visit: &Visit<'_>) -> Result<Answer, Failed> {
    let t = visit.t();
    if let Some(answer) = must_confirm(&visit.who, visit.now, &back()) {
        return Ok(answer);
    }
    let typed = visit.request.form();
    let Some(token) = typed.text("token") else {
        return form(visit, Some(Trouble::typed(t.new_server_no_token())));
    };
    let text = |name| typed.text(name).map(str::to_owned);
    let new = NewServer { token: token.to_owned(), client: text("client"), label: text("label") };
    let ask = Ask::of(Method::POST, "/v1/servers").json(&new);
    match visit.ask::<AddedServer>(visit.who.everywhere(), ask).await {
        Ok(added) => {
            let done = match (added.was_registered, added.had_token) {
                (false, _) => "added",
                (true, true) => "there",
                (true, false) => "token",
            };
            let page = format!("/servers/{}/{}", added.server, super::set_up::TAIL);
            Ok(respond::see(&link(&page, &[("done", Some(done.to_owned()))])))
        }
        Err(failed) => form(visit, Some(trouble(t, failed)?)),
    }
}

/// Why a server is not added, in words.
fn trouble(t: Texts, failed: Failed) -> Result<Trouble, Failed> {
    let Why::Problem(problem) = &failed.why else { return Err(failed) };
    let words = match problem.code() {
        "bad-request" if problem.detail.starts_with("token") => t.new_server_no_token(),
        "bad-request" => t.new_server_no_name(),
        "token-not-accepted" => t.new_server_not_accepted(),
        "postmark-unavailable" => t.new_server_unavailable(),
        _ => return Trouble::of(t, failed),
    };
    // That Postmark is silent is no fault of this page's.
    let status = if failed.status.is_server_error() { StatusCode::CONFLICT } else { failed.status };
    Ok(Trouble { status, ..Trouble::typed(words) })
}

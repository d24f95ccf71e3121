//! A body that was set aside, taken in again: what that means, then what became of it.

use super::aside::{Row, cause, row};
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{Ask, AtServer, Failed, Frame, Why};
use answers::{Quarantine, Replayed, SetAside};
use api::kept::is_held_back;
use askama::Template;
use http::{Method, StatusCode};
use ledger::Time;

#[derive(Template)]
#[template(path = "replay.html")]
struct ReplayPage {
    t: Texts,
    frame: Frame,
    is_plan: bool,
    title: String,
    row: Row,
    words: String,
    todo: String,
    problem: Option<String>,
    /// Whether it may be taken in: not where that was refused, or would be.
    may_go_on: bool,
    back: String,
}

/// What would be done, or what became of it.
///
/// # Errors
/// [`Failed::not_found`], or the API's own.
pub(in crate::pages) async fn posted(at: &AtServer<'_>) -> Result<Answer, Failed> {
    let form = at.visit.request.form();
    if !at.is_admin() {
        return Err(Failed::not_found());
    }
    let item = find(at, form.text("key").unwrap_or_default()).await?.ok_or_else(Failed::not_found)?;
    match form.text("action") {
        Some("replay") => shown(at, item, None, (StatusCode::OK, true)),
        Some("carry-out") => {
            let path = format!("/v1/servers/{}/quarantine/{}/replay", at.server, item.key);
            match at.ask::<Replayed>(Ask::of(Method::POST, path)).await {
                Ok(_) => shown(at, item, None, (StatusCode::OK, false)),
                Err(failed) => {
                    let problem = problem(at.visit.t(), &failed).ok_or(failed.clone())?;
                    shown(at, item, Some(problem), (failed.status, true))
                }
            }
        }
        _ => Err(Failed::not_found()),
    }
}

/// Why it cannot be put back, where that is about this body.
fn problem(t: Texts, failed: &Failed) -> Option<String> {
    let code = match &failed.why {
        Why::Problem(problem) => problem.code(),
        Why::Silent => return Some(t.elsewhere_silent()),
        _ => return None,
    };
    match code {
        "already-replayed" => Some(t.replay_already()),
        "held-back" => Some(t.replay_held_back()),
        "not-understood" => Some(t.replay_not_understood()),
        "incomplete-body" => Some(t.replay_incomplete()),
        _ => None,
    }
}

/// What was set aside under a key: the key begins with when that came in.
async fn find(at: &AtServer<'_>, key: &str) -> Result<Option<SetAside>, Failed> {
    let micros = key.split_once('.').and_then(|(micros, _)| micros.parse().ok());
    let Some(received_at) = micros.map(Time::from_micros) else { return Ok(None) };
    let mut cursor = None;
    loop {
        let ask = at.get("quarantine").with("from", Some(received_at)).with("to", Some(received_at));
        let found: Quarantine = at.ask(ask.with("cursor", cursor)).await?;
        if let Some(item) = found.items.into_iter().find(|item| item.key == key) {
            return Ok(Some(item));
        }
        cursor = match found.next {
            Some(next) => Some(next),
            None => return Ok(None),
        };
    }
}

fn shown(
    at: &AtServer<'_>,
    item: SetAside,
    problem: Option<String>,
    (status, is_plan): (StatusCode, bool),
) -> Result<Answer, Failed> {
    let t = at.visit.t();
    let [words, todo] = cause(t, &item.reason);
    let problem = problem.or_else(|| is_held_back(&item.reason).then(|| t.replay_held_back()));
    let page = ReplayPage {
        t,
        frame: at.frame(),
        is_plan,
        title: if is_plan { t.replay_title() } else { t.replay_done() },
        row: row(at, item),
        words,
        todo,
        // What was perhaps taken in may be taken in once more: that counts once.
        may_go_on: is_plan && (problem.is_none() || status.is_server_error()),
        problem,
        back: format!("{}#aside", at.path("truth")),
    };
    respond::page(status, &page)
}

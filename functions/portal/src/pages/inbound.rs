//! What Postmark says came in, asked when somebody looks: which mail a program of the client's took, and which it did not.

use super::sent::refused;
use super::shared::Choice;
use crate::moment::Moment;
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{AtServer, Failed, Frame};
use answers::{InboundMessage, InboundMessages};
use askama::Template;
use http::StatusCode;

/// The last part of its path.
const TAIL: &str = "inbound";
/// What becomes of a mail, as Postmark calls it.
const STATUSES: [&str; 5] = ["processed", "blocked", "failed", "scheduled", "queued"];

#[derive(Template)]
#[template(path = "inbound.html")]
struct InboundPage {
    t: Texts,
    frame: Frame,
    is_now: bool,
    problem: Option<String>,
    statuses: Vec<Choice>,
    /// What Postmark says, if it says something.
    listed: Option<Listed>,
}

/// The messages.
struct Listed {
    asked_at: Moment,
    rows: Vec<Row>,
    truncated: bool,
}

/// A message.
struct Row {
    date: Option<String>,
    from: String,
    to: String,
    subject: Option<String>,
    kind: &'static str,
    status: String,
    reason: Option<String>,
    id: String,
}

/// The page.
///
/// # Errors
/// The API's own.
pub(super) async fn page(at: &AtServer<'_>) -> Result<Answer, Failed> {
    let (t, asked) = (at.visit.t(), at.visit.request.asked());
    // What is no status is not asked for.
    let chosen = asked.text("status").and_then(|text| STATUSES.into_iter().find(|status| *status == text));
    let (problem, listed) = match at.ask(at.get(TAIL).with("status", chosen)).await {
        Ok(told) => (None, Some(listed(at, told))),
        // It is reached by a link, where nothing was typed that could be wrong: that Postmark says nothing is an answer.
        Err(failed) => (Some(refused(at, failed)?.1), None),
    };
    let any = Choice::new("", t.inbound_any(), Some(chosen.unwrap_or_default()));
    let statuses = STATUSES.map(|status| Choice::new(status, words(t, status).1, chosen));
    let page = InboundPage {
        t,
        frame: at.frame(),
        is_now: at.as_of.is_now(),
        problem,
        statuses: std::iter::once(any).chain(statuses).collect(),
        listed,
    };
    respond::page(StatusCode::OK, &page)
}

fn listed(at: &AtServer<'_>, told: InboundMessages) -> Listed {
    let rows = told.items.into_iter().map(|message| row(at.visit.t(), message)).collect();
    Listed { asked_at: at.visit.show(told.asked_at), rows, truncated: told.truncated }
}

fn row(t: Texts, message: InboundMessage) -> Row {
    let InboundMessage { message_id: id, date, from, to, subject, status, reason } = message;
    let (kind, status) = words(t, &status);
    Row { date, from, to, subject, kind, status, reason, id }
}

/// A status in words, and how it is shown.
fn words(t: Texts, status: &str) -> (&'static str, String) {
    match status {
        "processed" => ("send", t.inbound_processed()),
        "blocked" => ("stop", t.inbound_blocked()),
        "failed" => ("stop", t.inbound_failed()),
        "scheduled" => ("risky", t.inbound_scheduled()),
        "queued" => ("risky", t.inbound_queued()),
        other => ("", other.to_owned()),
    }
}

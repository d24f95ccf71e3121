//! What Postmark says it sent, asked when somebody looks: to an address, or of one message. It is where mail is found of which no
//! event has come in.
//!
//! Invariant: an address that is typed here stands in no URL of ours.

use super::content;
use super::happened::NO_ID;
use super::shared::link;
use crate::moment::Moment;
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{AtServer, Failed, Frame, Why, segment};
use answers::{PostmarkEvent, PostmarkMessage, SentMessage, SentMessages};
use askama::Template;
use http::StatusCode;
use ledger::RecipientId;
use ledger::given::Address;

/// The last part of its path.
pub(super) const TAIL: &str = "sent";

#[derive(Template)]
#[template(path = "sent.html")]
struct SentPage {
    t: Texts,
    frame: Frame,
    is_now: bool,
    typed: String,
    problem: Option<String>,
    /// What Postmark says, once somebody is named.
    listed: Option<Listed>,
}

/// The messages to somebody.
struct Listed {
    asked_at: Moment,
    rows: Vec<Row>,
    truncated: bool,
}

/// A message.
struct Row {
    at: Moment,
    stream: String,
    status: String,
    subject: Option<String>,
    tag: Option<String>,
    /// Its page: here, or that of what is recorded.
    path: String,
    recorded: bool,
}

#[derive(Template)]
#[template(path = "sent_message.html")]
struct MessagePage {
    t: Texts,
    frame: Frame,
    is_now: bool,
    id: String,
    asked_at: Moment,
    row: Row,
    events: Vec<Event>,
    /// Where its content is shown, to whoever may see it.
    content: Option<String>,
}

/// Something that happened to it.
struct Event {
    at: Moment,
    what: String,
    whom: String,
    said: Option<String>,
}

/// The page.
///
/// # Errors
/// The API's own.
pub(super) async fn page(at: &AtServer<'_>, posts: bool) -> Result<Answer, Failed> {
    let (asked, form) = (at.visit.request.asked(), at.visit.request.form());
    if posts {
        let typed = form.text("address").unwrap_or_default().to_owned();
        return match typed.parse::<Address>() {
            Ok(address) => to(at, address.text(), typed).await,
            Err(refused) => {
                let problem = at.visit.t().find_problem(refused.reason());
                shown(at, typed, Some((StatusCode::BAD_REQUEST, problem)), None)
            }
        };
    }
    match (asked.text("of"), asked.text("message")) {
        (Some(id), _) if id.parse::<RecipientId>().is_err() => Err(Failed::not_found()),
        (None, Some(id)) if id.contains(NO_ID) => {
            let problem = (StatusCode::BAD_REQUEST, at.visit.t().message_no_id());
            shown(at, String::new(), Some(problem), None)
        }
        (Some(id), _) => to(at, &format!("id:{id}"), String::new()).await,
        (None, Some(id)) => one(at, id).await,
        (None, None) => shown(at, String::new(), None, None),
    }
}

/// Where a message stands that Postmark is asked about.
pub(super) fn of_message(at: &AtServer<'_>, id: &str) -> String {
    link(&at.path(TAIL), &[("message", Some(id.to_owned()))])
}

async fn to(at: &AtServer<'_>, whom: &str, typed: String) -> Result<Answer, Failed> {
    let told: SentMessages = match at.ask(at.get(&format!("recipients/{whom}/{TAIL}"))).await {
        Ok(told) => told,
        Err(failed) => return shown(at, typed, Some(refused(at, failed)?), None),
    };
    let rows = told.items.iter().map(|message| row(at, message)).collect();
    let listed = Listed { asked_at: at.visit.show(told.asked_at), rows, truncated: told.truncated };
    shown(at, typed, None, Some(listed))
}

async fn one(at: &AtServer<'_>, id: &str) -> Result<Answer, Failed> {
    let told: PostmarkMessage = match at.ask(at.get(&format!("messages/{id}/postmark"))).await {
        Ok(told) => told,
        Err(failed) if matches!(&failed.why, Why::Problem(problem) if problem.code() == "no-such-message") => {
            let problem = at.visit.t().sent_no_message();
            // That is an answer.
            return shown(at, String::new(), Some((StatusCode::OK, problem)), None);
        }
        Err(failed) => return shown(at, String::new(), Some(refused(at, failed)?), None),
    };
    let page = MessagePage {
        t: at.visit.t(),
        frame: at.frame(),
        is_now: at.as_of.is_now(),
        id: told.message.message_id.clone(),
        asked_at: at.visit.show(told.asked_at),
        row: row(at, &told.message),
        events: told.events.iter().map(|one| event(at, one)).collect(),
        content: content::of_message(at, &told.message.message_id),
    };
    respond::page(StatusCode::OK, &page)
}

/// Why Postmark was not asked, or did not answer.
///
/// # Errors
/// What is no fault of the question.
pub(super) fn refused(at: &AtServer<'_>, failed: Failed) -> Result<(StatusCode, String), Failed> {
    let t = at.visit.t();
    let Why::Problem(problem) = &failed.why else { return Err(failed) };
    let words = match problem.code() {
        "no-postmark-token" => t.sent_no_token(),
        "token-not-accepted" => t.sent_token_not_accepted(),
        "no-address" => t.sent_erased(),
        // By a form an address may have any character; in a path of the API it may not.
        "bad-request" => t.sent_odd(),
        "postmark-unavailable" => t.sent_unavailable(),
        _ => return Err(failed),
    };
    // That Postmark is silent is no fault of the page's.
    Ok((StatusCode::CONFLICT, words))
}

fn shown(
    at: &AtServer<'_>,
    typed: String,
    problem: Option<(StatusCode, String)>,
    listed: Option<Listed>,
) -> Result<Answer, Failed> {
    let (status, problem) = problem.map_or((StatusCode::OK, None), |(status, words)| (status, Some(words)));
    let (t, frame, is_now) = (at.visit.t(), at.frame(), at.as_of.is_now());
    respond::page(status, &SentPage { t, frame, is_now, typed, problem, listed })
}

fn row(at: &AtServer<'_>, message: &SentMessage) -> Row {
    let t = at.visit.t();
    let status = match message.status.as_str() {
        // Postmark has two words for it.
        "sent" | "processed" => t.sent_status_sent(),
        "queued" => t.sent_status_queued(),
        other => other.to_owned(),
    };
    let path = match message.recorded {
        true => at.path(&format!("messages/{}", segment(&message.message_id))),
        false => of_message(at, &message.message_id),
    };
    Row {
        at: at.visit.show(message.sent_at),
        stream: message.stream.clone(),
        status,
        subject: message.subject.clone(),
        tag: message.tag.clone(),
        path,
        recorded: message.recorded,
    }
}

fn event(at: &AtServer<'_>, one: &PostmarkEvent) -> Event {
    let t = at.visit.t();
    let what = match one.kind.as_str() {
        "Delivered" => t.sent_event_delivered(),
        "Bounced" => t.sent_event_bounced(),
        "Transient" => t.sent_event_transient(),
        "Opened" => t.sent_event_opened(),
        "LinkClicked" => t.sent_event_clicked(),
        "SubscriptionChanged" => t.sent_event_subscription(),
        other => other.to_owned(),
    };
    Event { at: at.visit.show(one.at), what, whom: one.address.clone(), said: one.said.clone() }
}

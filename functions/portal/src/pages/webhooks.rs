//! A server's webhooks at Postmark: how they stand, and setting them up without a log-in at Postmark.
//!
//! Invariants:
//! - What is done at Postmark is planned, shown and asked for first.
//! - A password stands on one page only, which a form of somebody leads to who has just entered a fresh code.

mod acts;
mod told;

use super::shared::Choice;
use crate::moment::Moment;
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{AtServer, Failed, Frame, Why};
use account::watch::code::GRAVE;
use answers::{WebhookForm, WebhookPlanned, WebhookWanted, Webhooks};
use askama::Template;
use http::StatusCode;
use told::{Finding, Foreign, Job, Rotation, State};

/// The path of these pages.
const TAIL: &str = "webhooks";

#[derive(Template)]
#[template(path = "webhooks.html")]
struct WebhooksPage {
    t: Texts,
    frame: Frame,
    kind: &'static str,
    sentence: String,
    done: Option<String>,
    trouble: Option<Trouble>,
    unregistered: Option<String>,
    looked_at: Option<Moment>,
    findings: Vec<Finding>,
    retries: Option<String>,
    states: Vec<State>,
    others: Vec<Foreign>,
    native: bool,
    forms: Vec<Choice>,
    by_command: Option<String>,
    job: Option<Job>,
    wanted: Vec<Wanted>,
    user: Option<String>,
    password: ShowPassword,
    password_command: String,
    rotation: Rotation,
}

/// A webhook to be made by hand.
struct Wanted {
    stream: String,
    types: String,
    url: String,
}

/// Whether the password can be shown here, and to whoever looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ShowPassword {
    Here,
    ByCommand,
    NotToThem,
}

/// Why a form did not do what it was sent for.
struct Trouble {
    words: String,
    next: String,
    status: StatusCode,
}

impl Trouble {
    /// What the API says stands against it.
    ///
    /// # Errors
    /// What no form can mend.
    fn of(failed: Failed) -> Result<Trouble, Failed> {
        match failed.why {
            Why::Problem(problem) if failed.status == StatusCode::CONFLICT => {
                Ok(Trouble { words: problem.detail, next: problem.next, status: failed.status })
            }
            _ => Err(failed),
        }
    }
}

/// The page, or what a form of it asks for.
///
/// # Errors
/// The API's own.
pub(super) async fn page(at: &AtServer<'_>, posts: bool) -> Result<Answer, Failed> {
    if posts { acts::posted(at).await } else { main_page(at, None).await }
}

/// What is told of them.
///
/// # Errors
/// The API's own.
pub(super) async fn told(at: &AtServer<'_>) -> Result<Webhooks, Failed> {
    at.ask(at.get(TAIL)).await
}

/// Whether something is wrong, and how grave that is, for the overview; nothing where all is well or nobody has looked.
pub(super) fn in_short(told: &Webhooks) -> Option<&'static str> {
    Some(level(told)).filter(|level| told.registered && told.looked_at.is_some() && *level != "send")
}

/// How good it is, by the style's name.
fn level(told: &Webhooks) -> &'static str {
    let is_grave = |code: &str| GRAVE.contains(&code);
    match (told.findings.is_empty(), told.findings.iter().any(|one| is_grave(&one.code))) {
        (true, _) => "send",
        (false, false) => "risky",
        (false, true) => "stop",
    }
}

fn sentence(t: Texts, told: &Webhooks) -> (&'static str, String) {
    match (told.registered, told.looked_at.is_some(), level(told)) {
        (false, _, _) => ("risky", t.webhooks_unregistered()),
        (true, false, _) => ("risky", t.webhooks_unknown()),
        (true, true, "send") => ("send", t.webhooks_fine()),
        (true, true, "stop") => ("stop", t.webhooks_bad()),
        (true, true, _) => ("risky", t.webhooks_look()),
    }
}

async fn main_page(at: &AtServer<'_>, trouble: Option<Trouble>) -> Result<Answer, Failed> {
    let (t, visit) = (at.visit.t(), at.visit);
    let told = self::told(at).await?;
    let (kind, sentence) = sentence(t, &told);
    let is_here = told.connect == "here";
    let status = trouble.as_ref().map_or(StatusCode::OK, |trouble| trouble.status);
    let page = WebhooksPage {
        t,
        frame: at.frame(),
        kind,
        sentence,
        done: done(at),
        trouble,
        unregistered: (!told.registered).then(|| t.webhooks_unregistered_todo(at.server)),
        looked_at: told.looked_at.map(|looked| visit.show(looked)),
        findings: told.findings.iter().map(Finding::of).collect(),
        retries: told.retries_left.map(|left| t.webhooks_retries(left)),
        states: State::all(at, &told),
        others: Foreign::all(&told),
        native: told.native_tracking,
        forms: forms(t, told.form == WebhookForm::OneUrl),
        by_command: (told.connect == "command").then(|| told.commands.connect.clone()),
        job: told.job.as_ref().map(|job| Job::of(at, &told, job)),
        wanted: told.wanted.iter().map(|one| wanted(t, one)).collect(),
        user: told.credential.as_ref().map(|credential| credential.user.clone()),
        password: match (is_here, visit.who.user.is_some()) {
            (false, _) => ShowPassword::ByCommand,
            (true, true) => ShowPassword::Here,
            (true, false) => ShowPassword::NotToThem,
        },
        password_command: told.commands.url.clone(),
        rotation: Rotation::of(at, &told, is_here),
    };
    respond::page(status, &page)
}

/// What became of a form, as the page that it leads to says it.
fn done(at: &AtServer<'_>) -> Option<String> {
    let (t, asked) = (at.visit.t(), at.visit.request.asked());
    match asked.text("done")? {
        "connected" => Some(t.webhooks_done_connected()),
        "asked" => Some(t.webhooks_done_handed()),
        "incomplete" => Some(t.webhooks_done_incomplete()),
        "again" => Some(t.webhooks_done_again()),
        _ => None,
    }
}

fn forms(t: Texts, is_one_url: bool) -> Vec<Choice> {
    let chosen = Some(if is_one_url { "one_url" } else { "per_type" });
    vec![
        Choice::new("per_type", t.webhooks_form_per_type(), chosen),
        Choice::new("one_url", t.webhooks_form_one_url(), chosen),
    ]
}

fn wanted(t: Texts, one: &WebhookWanted) -> Wanted {
    Wanted { stream: one.stream.clone(), types: types(t, &one.triggers), url: one.url.clone() }
}

/// Event types in words.
fn types(t: Texts, triggers: &[String]) -> String {
    triggers.iter().map(|one| super::truth::type_words(t, one)).collect::<Vec<_>>().join(", ")
}

/// What becomes of a webhook, in words.
fn what_words(t: Texts, row: &WebhookPlanned) -> String {
    match row.what.as_str() {
        "keep" => t.webhooks_what_keep(),
        "create" => t.webhooks_what_create(),
        "change" => t.webhooks_what_change(),
        "verify" => t.webhooks_what_verify(),
        "remove" => t.webhooks_what_remove(),
        "leave_alone" => t.webhooks_what_leave_alone(),
        other => other.to_owned(),
    }
}

//! What of a server's set-up is proven, and what is next.
//!
//! Invariant: every step is told from what is recorded: the registry, what was last found at Postmark, the people, the audit
//! and events. A browser that is closed loses nothing but what was typed.

mod mail;
mod steps;

use super::people::Trouble;
use super::shared::{Choice, link, streams};
use super::webhooks;
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{Ask, AtServer, Failed, Frame, Why};
use answers::{TestMail, TestMailRequest, Webhooks};
use askama::Template;
use http::{Method, StatusCode};
use mail::Mail;
use steps::Step;

/// The last part of its path.
pub(super) const TAIL: &str = "set-up";

#[derive(Template)]
#[template(path = "set_up.html")]
struct SetUpPage {
    t: Texts,
    frame: Frame,
    title: String,
    done: Option<String>,
    kind: &'static str,
    sentence: String,
    steps: Vec<Step>,
    mail: Option<Mail>,
    /// Nothing while a test mail is under way.
    form: Option<Form>,
}

/// The form of a test mail.
#[derive(Default)]
struct Form {
    title: String,
    from: String,
    to: String,
    streams: Vec<Choice>,
    problems: Problems,
}

/// What stands against it, beside its field or above all.
#[derive(Default)]
struct Problems {
    stream: Option<String>,
    from: Option<String>,
    to: Option<String>,
    all: Option<Trouble>,
}

/// The page, or a test mail that is to be sent.
///
/// # Errors
/// The API's own.
pub(super) async fn page(at: &AtServer<'_>, posts: bool) -> Result<Answer, Failed> {
    if posts { send(at).await } else { shown(at, StatusCode::OK, Problems::default()).await }
}

/// Whether a step is open, for the overview, by what is told of the webhooks. That nobody of the client may sign in keeps it
/// open only until something is recorded: many clients never do.
///
/// # Errors
/// The API's own.
pub(super) async fn is_open(at: &AtServer<'_>, told: &Webhooks) -> Result<bool, Failed> {
    // The server of the sample is nobody's to set up.
    if at.visit.portal.settings.sample == Some(at.server) {
        return Ok(false);
    }
    // That a test mail's report came in by webhook is known to the webhooks, too.
    let is_open = steps::of_webhooks(at, told, None).iter().any(|proof| !proof.is_done);
    Ok(is_open || !at.known.has_events && !steps::people(at).await?.is_done)
}

async fn shown(at: &AtServer<'_>, status: StatusCode, problems: Problems) -> Result<Answer, Failed> {
    let t = at.visit.t();
    let told = webhooks::told(at).await?;
    let mail = Mail::last(at).await?;
    let [server, hooks, proven] = steps::of_webhooks(at, &told, mail.as_ref());
    let proofs = [server, hooks, steps::smtp(at).await?, steps::people(at).await?, proven];
    let done = proofs.iter().filter(|proof| proof.is_done).count();
    let all = proofs.iter().filter(|proof| !proof.is_optional).count();
    let (kind, sentence) = match done == all {
        true => ("send", t.set_up_complete()),
        false => ("risky", t.set_up_left(done, all)),
    };
    let is_under_way = mail.as_ref().is_some_and(|mail| mail.is_watched);
    let page = SetUpPage {
        t,
        frame: at.frame(),
        title: t.set_up_title(at.label()),
        done: become_of(at),
        kind,
        sentence,
        steps: Step::all(t, proofs),
        form: (!is_under_way || status != StatusCode::OK).then(|| form(at, mail.is_some(), problems)),
        mail,
    };
    respond::page(status, &page)
}

/// What became of the form that led here.
fn become_of(at: &AtServer<'_>) -> Option<String> {
    let t = at.visit.t();
    match at.visit.request.asked().text("done")? {
        "added" => Some(t.set_up_added()),
        "there" => Some(t.set_up_there()),
        "token" => Some(t.set_up_there_token()),
        _ => None,
    }
}

fn form(at: &AtServer<'_>, again: bool, problems: Problems) -> Form {
    let (t, typed) = (at.visit.t(), at.visit.request.form());
    let text = |name| typed.text(name).unwrap_or_default().to_owned();
    Form {
        title: if again { t.test_mail_form_again() } else { t.test_mail_form() },
        from: text("from"),
        to: text("to"),
        streams: streams(at, typed.text("stream")),
        problems,
    }
}

async fn send(at: &AtServer<'_>) -> Result<Answer, Failed> {
    let t = at.visit.t();
    let typed = at.visit.request.form();
    if typed.text("action") != Some("test-mail") {
        return Err(Failed::not_found());
    }
    let text = |name| typed.text(name).unwrap_or_default().to_owned();
    let mail = TestMailRequest { stream: text("stream"), from: text("from"), to: text("to") };
    let path = format!("/v1/servers/{}/test-mail", at.server);
    match at.ask::<TestMail>(Ask::of(Method::POST, path).json(&mail)).await {
        Ok(sent) => Ok(respond::see(&link(&at.path(TAIL), &[("message", Some(sent.message_id))]))),
        Err(failed) => {
            let (status, problems) = problems(t, failed)?;
            shown(at, status, problems).await
        }
    }
}

/// Why no mail is sent, in words.
fn problems(t: Texts, failed: Failed) -> Result<(StatusCode, Problems), Failed> {
    let Why::Problem(problem) = &failed.why else { return Err(failed) };
    let none = Problems::default();
    // That Postmark is silent is no fault of this page's.
    let status = if failed.status.is_server_error() { StatusCode::CONFLICT } else { failed.status };
    let all = |words| Problems { all: Some(Trouble::typed(words)), ..Problems::default() };
    let problems = match problem.code() {
        "bad-request" if problem.detail.starts_with("from") => {
            Problems { from: Some(t.test_mail_no_address()), ..none }
        }
        "bad-request" if problem.detail.starts_with("to") => {
            Problems { to: Some(t.test_mail_no_address()), ..none }
        }
        "bad-request" if problem.detail.starts_with("stream") => {
            Problems { stream: Some(t.test_mail_no_stream()), ..none }
        }
        "unknown-stream" => {
            let problems = Problems { stream: Some(t.test_mail_no_stream()), ..none };
            return Ok((StatusCode::BAD_REQUEST, problems));
        }
        "no-postmark-token" => all(t.test_mail_no_token()),
        "mail-not-taken" => all(t.test_mail_not_taken(&problem.detail)),
        "uncertain" => all(t.test_mail_uncertain()),
        "postmark-unavailable" => all(t.test_mail_unavailable()),
        _ => Problems { all: Some(Trouble::of(t, failed)?), ..none },
    };
    Ok((status, problems))
}

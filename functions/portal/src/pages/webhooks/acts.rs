//! What the forms of the page do: plan, set up, show the password, move to another key.

use super::told::{Finding, Planned};
use super::{TAIL, Trouble, main_page};
use crate::moment::Moment;
use crate::pages::shared::{link, number};
use crate::request::Fields;
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{Ask, AtServer, Failed, Frame, Why, must_confirm};
use answers::{ConnectRequest, Connected, Role, WebhookForm, WebhookPassword, WebhookRotation};
use askama::Template;
use http::{Method, StatusCode};

#[derive(Template)]
#[template(path = "webhooks_plan.html")]
struct PlanPage {
    t: Texts,
    frame: Frame,
    leads: String,
    native: bool,
    form: &'static str,
    rows: Vec<Planned>,
    warnings: Vec<Finding>,
    is_nothing: bool,
    button: String,
    back: String,
}

#[derive(Template)]
#[template(path = "webhooks_password.html")]
struct PasswordPage {
    t: Texts,
    frame: Frame,
    user: String,
    password: String,
    back: String,
}

#[derive(Template)]
#[template(path = "webhooks_rotation.html")]
struct RotationPage {
    t: Texts,
    frame: Frame,
    told: Option<Told>,
    back: String,
}

/// How far a move to another key is.
struct Told {
    kind: &'static str,
    words: String,
    failed: Option<String>,
    until: Option<Moment>,
}

/// What a form asks for.
///
/// # Errors
/// [`Failed::not_found`], or the API's own.
pub(super) async fn posted(at: &AtServer<'_>) -> Result<Answer, Failed> {
    let form = at.visit.request.form();
    match form.text("action").unwrap_or_default() {
        "plan" => plan(at, asked(&form, true)).await,
        "connect" => connect(at, asked(&form, false)).await,
        "password" => password(at).await,
        "rotation" if at.caller.role() == Role::Operator => question(at),
        "rotate" if at.caller.role() == Role::Operator => rotate(at).await,
        _ => Err(Failed::not_found()),
    }
}

fn asked(form: &Fields, dry_run: bool) -> ConnectRequest {
    let is_one_url = form.text("form") == Some("one_url");
    ConnectRequest {
        form: Some(if is_one_url { WebhookForm::OneUrl } else { WebhookForm::PerType }),
        native_tracking: Some(form.is_set("native")),
        dry_run,
    }
}

/// Something that is done at the webhooks, or below them.
fn post(at: &AtServer<'_>, below: &str) -> Ask {
    Ask::of(Method::POST, format!("/v1/servers/{}/{TAIL}{below}", at.server))
}

async fn plan(at: &AtServer<'_>, request: ConnectRequest) -> Result<Answer, Failed> {
    let t = at.visit.t();
    let told: Connected = match at.ask(post(at, "").json(&request)).await {
        Ok(told) => told,
        Err(failed) => return main_page(at, Some(Trouble::of(failed)?)).await,
    };
    let page = PlanPage {
        t,
        frame: at.frame(),
        leads: t.webhooks_plan_leads(&told.doors),
        native: told.native_tracking,
        form: if told.form == WebhookForm::OneUrl { "one_url" } else { "per_type" },
        rows: told.plan.iter().map(|row| Planned::of(t, row)).collect(),
        warnings: told.warnings.iter().map(Finding::of).collect(),
        is_nothing: told.steps == 0,
        button: match told.steps {
            0 => t.webhooks_plan_remember(),
            1 => t.webhooks_plan_do_one(),
            steps => t.webhooks_plan_do(number(steps)),
        },
        back: at.path(TAIL),
    };
    respond::page(StatusCode::OK, &page)
}

async fn connect(at: &AtServer<'_>, request: ConnectRequest) -> Result<Answer, Failed> {
    match at.ask::<Connected>(post(at, "").json(&request)).await {
        Ok(told) => {
            let done = match told.job {
                Some(job) if job.complete => "connected",
                Some(job) if job.state == "begun" => "asked",
                _ => "incomplete",
            };
            Ok(respond::see(&link(&at.path(TAIL), &[("done", Some(done.to_owned()))])))
        }
        Err(Failed { why: Why::Problem(problem), .. }) if problem.code() == "unconfirmed" => {
            Ok(respond::see(&link("/confirm", &[("back", Some(again(at)))])))
        }
        Err(failed) => main_page(at, Some(Trouble::of(failed)?)).await,
    }
}

/// Where somebody who has to confirm that it is them comes back to.
fn again(at: &AtServer<'_>) -> String {
    link(&at.path(TAIL), &[("done", Some("again".to_owned()))])
}

async fn password(at: &AtServer<'_>) -> Result<Answer, Failed> {
    if let Some(answer) = must_confirm(&at.visit.who, at.visit.now, &again(at)) {
        return Ok(answer);
    }
    let told: WebhookPassword = match at.ask(post(at, "/password")).await {
        Ok(told) => told,
        Err(failed) => return main_page(at, Some(Trouble::of(failed)?)).await,
    };
    let WebhookPassword { user, password, .. } = told;
    let page = PasswordPage { t: at.visit.t(), frame: at.frame(), user, password, back: at.path(TAIL) };
    respond::page(StatusCode::OK, &page)
}

fn question(at: &AtServer<'_>) -> Result<Answer, Failed> {
    let page = RotationPage { t: at.visit.t(), frame: at.frame(), told: None, back: at.path(TAIL) };
    respond::page(StatusCode::OK, &page)
}

async fn rotate(at: &AtServer<'_>) -> Result<Answer, Failed> {
    let t = at.visit.t();
    if let Some(answer) = must_confirm(&at.visit.who, at.visit.now, &again(at)) {
        return Ok(answer);
    }
    let told: WebhookRotation = match at.ask(post(at, "/rotation")).await {
        Ok(told) => told,
        Err(failed) => return main_page(at, Some(Trouble::of(failed)?)).await,
    };
    let (kind, words) = match told.stage.as_deref() {
        Some("doors_to_learn") => ("risky", t.webhooks_rotation_stage_doors()),
        Some("quiet") => ("send", t.webhooks_rotation_stage_quiet()),
        Some("retired") => ("send", t.webhooks_rotation_stage_retired()),
        _ => ("risky", t.webhooks_rotation_stage_moving()),
    };
    let told = Told {
        kind,
        words,
        failed: told.failed.map(|why| t.webhooks_rotation_failed(why)),
        until: told.until.map(|until| at.visit.show(until)),
    };
    let page = RotationPage { t, frame: at.frame(), told: Some(told), back: at.path(TAIL) };
    respond::page(StatusCode::OK, &page)
}

//! Addresses that are not to be mailed any more: planned, confirmed, and told of one by one.

use super::super::check::entries;
use super::super::shared::{Choice, number};
use super::{
    ENTRY_SHOWN, Grounds, Problems, SHOWN_MAX, Step, Wrong, asked, decision_words, more, postmark_words,
    scope_words, scopes, wrong,
};
use crate::pages::happened::short;
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{Ask, AtServer, Failed, Frame};
use answers::{SuppressRequest, Suppressed, SuppressedAddress, UnknownStream};
use askama::Template;
use http::{Method, StatusCode};

/// The most addresses at once: as many as the API takes.
const ADDRESSES_MAX: usize = 500;

#[derive(Template)]
#[template(path = "suppress.html")]
struct SuppressPage {
    t: Texts,
    frame: Frame,
    step: Step,
    title: String,
    typed: String,
    stream: String,
    streams: Vec<Choice>,
    is_typed: bool,
    grounds: Grounds,
    whys: Vec<Choice>,
    hint: String,
    problems: Problems,
    what: Vec<String>,
    is_done: bool,
    rows: Vec<Row>,
    rows_more: Option<String>,
    wrong: Vec<Wrong>,
    wrong_more: Option<String>,
}

/// An address, and what became of it.
struct Row {
    address: String,
    done: bool,
    here: String,
    postmark: Vec<String>,
}

/// What is filled in.
struct Form {
    typed: String,
    stream: String,
    grounds: Grounds,
}

/// The form, its plan, or what became of it.
///
/// # Errors
/// The API's own.
pub(in crate::pages) async fn page(at: &AtServer<'_>, posts: bool) -> Result<Answer, Failed> {
    let dry_run = asked(at, posts)?;
    let form = Form::read(at, posts);
    match dry_run {
        None => shown(at, form, Problems::default(), StatusCode::OK, None),
        Some(dry_run) => sent(at, form, dry_run).await,
    }
}

impl Form {
    fn read(at: &AtServer<'_>, posts: bool) -> Form {
        if posts {
            let form = at.visit.request.form();
            return Form {
                typed: form.all("addresses").collect::<Vec<_>>().join("\n"),
                stream: form.text("stream").unwrap_or_default().to_owned(),
                grounds: Grounds::of(&form),
            };
        }
        let asked = at.visit.request.asked();
        // By an id, since an address stands in no URL.
        let known = asked.text("recipient").filter(|id| id.parse::<ledger::RecipientId>().is_ok());
        Form {
            typed: known.map(|id| format!("id:{id}")).unwrap_or_default(),
            stream: asked.text("stream").unwrap_or_default().to_owned(),
            grounds: Grounds::default(),
        }
    }
}

async fn sent(at: &AtServer<'_>, form: Form, dry_run: bool) -> Result<Answer, Failed> {
    let (t, addresses) = (at.visit.t(), entries(&form.typed));
    let problems = Problems {
        stream: form.stream.is_empty().then(|| t.change_no_stream()),
        list: match addresses.len() {
            0 => Some(t.suppress_none()),
            1..=ADDRESSES_MAX => None,
            count => Some(t.suppress_too_many(number(count), number(ADDRESSES_MAX))),
        },
        reason: form.grounds.reason.is_empty().then(|| t.change_reason_wrong()),
        ..Problems::default()
    };
    if !problems.is_none() {
        return shown(at, form, problems, StatusCode::BAD_REQUEST, None);
    }
    let request = SuppressRequest {
        addresses,
        stream: form.stream.clone(),
        reason: form.grounds.reason.clone(),
        why: form.grounds.why,
        postmark: form.grounds.postmark,
        unknown_stream: UnknownStream::Refuse,
        dry_run,
    };
    let path = format!("/v1/servers/{}/suppressions", at.server);
    match at.ask::<Suppressed>(Ask::of(Method::POST, path).json(&request)).await {
        Ok(told) => shown(at, form, Problems::default(), StatusCode::OK, Some(told)),
        Err(failed) => {
            let (problems, status) = Problems::of(t, &form.stream, failed)?;
            shown(at, form, problems, status, None)
        }
    }
}

fn shown(
    at: &AtServer<'_>,
    form: Form,
    problems: Problems,
    status: StatusCode,
    told: Option<Suppressed>,
) -> Result<Answer, Failed> {
    let t = at.visit.t();
    let step = Step::of(told.as_ref().map(|told| told.dry_run));
    let Suppressed { results, invalid, .. } = told.unwrap_or_default();
    let done = results.iter().filter(|result| result.done).count();
    let (wrong, wrong_more) = wrong(t, &invalid);
    let page = SuppressPage {
        t,
        frame: at.frame(),
        step,
        title: title(t, step, [done, results.len()], &form.stream),
        streams: scopes(at, &form.stream),
        is_typed: at.known.streams_more.is_some(),
        whys: form.grounds.whys(t),
        hint: t.suppress_hint(number(ADDRESSES_MAX)),
        problems,
        what: if step.is_plan() { plan(t, &form, results.len()) } else { Vec::new() },
        is_done: done == results.len() && invalid.is_empty(),
        rows_more: more(t, results.len()),
        rows: results.iter().take(SHOWN_MAX).map(|result| row(t, result)).collect(),
        wrong,
        wrong_more,
        typed: form.typed,
        stream: form.stream,
        grounds: form.grounds,
    };
    respond::page(status, &page)
}

fn title(t: Texts, step: Step, [done, all]: [usize; 2], stream: &str) -> String {
    let scope = scope_words(t, stream);
    match step {
        Step::Form => t.suppress_title(),
        Step::Plan if all == 1 => t.suppress_plan_title_one(scope),
        Step::Plan => t.suppress_plan_title(number(all), scope),
        Step::Done if all == 1 && done == 1 => t.suppress_done_title_one(scope),
        Step::Done if all == 1 => t.suppress_done_title_none(scope),
        Step::Done => t.suppress_done_title(number(done), number(all), scope),
    }
}

/// What would be done, and what that means.
fn plan(t: Texts, form: &Form, count: usize) -> Vec<String> {
    if count == 0 {
        return Vec::new();
    }
    let at_postmark =
        if form.grounds.postmark { t.suppress_plan_postmark() } else { t.suppress_plan_no_postmark() };
    vec![t.suppress_plan_here(), at_postmark, t.suppress_plan_undo()]
}

fn row(t: Texts, result: &SuppressedAddress) -> Row {
    let said = result.postmark.iter();
    Row {
        address: short(&result.address, ENTRY_SHOWN),
        done: result.done,
        here: decision_words(t, result.decision.as_ref()),
        postmark: said
            .map(|said| t.change_on(&said.stream, postmark_words(t, &said.status, said.message.as_deref())))
            .collect(),
    }
}

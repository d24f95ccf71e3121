//! A list of suppressed addresses from elsewhere: what would be taken from it, row by row, then what was.

use super::super::shared::{Choice, number};
use super::super::suppressions::cause_words;
use super::{Problems, Step, asked, scope_words, scopes};
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{Ask, AtServer, Failed, Frame, Why};
use answers::{Imported, ImportedLine};
use askama::Template;
use http::{Method, StatusCode};
use ledger::event::Cause;
use suppression_lists::SheetError;

#[derive(Template)]
#[template(path = "import.html")]
struct ImportPage {
    t: Texts,
    frame: Frame,
    step: Step,
    title: String,
    form: Form,
    streams: Vec<Choice>,
    is_typed: bool,
    causes: Vec<Choice>,
    problems: Problems,
    told: Told,
}

/// What is filled in.
struct Form {
    stream: String,
    cause: Option<String>,
    list: String,
}

/// What was read in the list, as a page shows it.
#[derive(Default)]
struct Told {
    /// Whether something would be changed.
    is_of_use: bool,
    facts: Vec<[String; 2]>,
    counts: Vec<[String; 2]>,
    by_cause: Vec<[String; 2]>,
    ignored: Vec<[String; 2]>,
    invalid: Vec<[String; 2]>,
    invalid_more: Option<String>,
    warnings: Vec<[String; 2]>,
    warnings_more: Option<String>,
    goes_on: bool,
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
        let (form, asked) = (at.visit.request.form(), at.visit.request.asked());
        let fields = if posts { form } else { asked };
        Form {
            stream: fields.text("stream").unwrap_or_default().to_owned(),
            cause: fields.text("cause").map(str::to_owned),
            list: if posts { fields.all("list").collect::<Vec<_>>().join("\n") } else { String::new() },
        }
    }
}

async fn sent(at: &AtServer<'_>, form: Form, dry_run: bool) -> Result<Answer, Failed> {
    let t = at.visit.t();
    let problems = Problems {
        stream: form.stream.is_empty().then(|| t.change_no_stream()),
        list: form.list.trim().is_empty().then(|| t.import_none()),
        ..Problems::default()
    };
    if !problems.is_none() {
        return shown(at, form, problems, StatusCode::BAD_REQUEST, None);
    }
    // A list tells by its text how it is written.
    let ask = Ask::of(Method::POST, format!("/v1/servers/{}/import", at.server))
        .with("stream", Some(&form.stream))
        .with("cause", form.cause.as_ref())
        .with("dry_run", Some(dry_run))
        .text(form.list.as_bytes());
    match at.ask::<Imported>(ask).await {
        Ok(told) => shown(at, form, Problems::default(), StatusCode::OK, Some(told)),
        Err(failed) => {
            let unread = unread(t, &failed);
            let (mut problems, status) = Problems::of(t, &form.stream, failed)?;
            // What cannot be read as a list is named beside it.
            if status == StatusCode::BAD_REQUEST && problems.whole.take().is_some() {
                problems.list = unread;
            }
            shown(at, form, problems, status, None)
        }
    }
}

/// Why a list cannot be read.
fn unread(t: Texts, failed: &Failed) -> Option<String> {
    let Why::Problem(problem) = &failed.why else { return None };
    let needs_cause = problem.detail == SheetError::NoCause.to_string();
    Some(if needs_cause { t.import_no_cause() } else { problem.detail.clone() })
}

fn shown(
    at: &AtServer<'_>,
    form: Form,
    problems: Problems,
    status: StatusCode,
    told: Option<Imported>,
) -> Result<Answer, Failed> {
    let t = at.visit.t();
    let step = Step::of(told.as_ref().map(|told| told.dry_run));
    let scope = scope_words(t, &form.stream);
    let new = told.as_ref().map(|told| if told.dry_run { told.counts.new } else { told.queued });
    let count = number(new.unwrap_or_default());
    let causes = Cause::ALL.map(Cause::name).into_iter();
    let causes = causes.map(|cause| Choice::new(cause, cause_words(t, cause), form.cause.as_deref()));
    let page = ImportPage {
        t,
        frame: at.frame(),
        step,
        title: match step {
            Step::Form => t.import_title(),
            Step::Plan if new == Some(1) => t.import_plan_title_one(scope),
            Step::Plan => t.import_plan_title(count, scope),
            Step::Done if new == Some(1) => t.import_done_title_one(scope),
            Step::Done => t.import_done_title(count, scope),
        },
        streams: scopes(at, &form.stream),
        is_typed: at.known.streams_more.is_some(),
        causes: std::iter::once(Choice::new("", t.import_cause_told(), form.cause.as_deref()))
            .chain(causes)
            .collect(),
        problems,
        told: told.map(|told| told_words(t, told)).unwrap_or_default(),
        form,
    };
    respond::page(status, &page)
}

fn told_words(t: Texts, told: Imported) -> Told {
    let lines = |lines: Vec<ImportedLine>| -> Vec<[String; 2]> {
        lines.into_iter().map(|line| [number(line.line), line.problem]).collect()
    };
    let counts = &told.counts;
    let rows = [
        (t.import_new(), counts.new),
        (t.import_already(), counts.already),
        (t.import_duplicate(), counts.duplicate),
        (t.import_ignored(), counts.ignored),
        (t.import_invalid(), counts.invalid),
        (t.import_rows(), told.rows),
    ];
    let not_read = (!told.columns_not_read.is_empty()).then(|| told.columns_not_read.join(", "));
    let facts = [
        (t.import_format(), Some(told.format)),
        (t.import_column(), told.address_column),
        (t.import_not_read(), not_read),
    ];
    Told {
        is_of_use: counts.new > 0,
        facts: facts.into_iter().filter_map(|(name, fact)| Some([name, fact?])).collect(),
        counts: rows.map(|(words, count)| [words, number(count)]).into(),
        by_cause: told.by_cause.iter().map(|(cause, count)| [cause_words(t, cause), number(count)]).collect(),
        ignored: told.ignored_why.into_iter().map(|(why, count)| [why, number(count)]).collect(),
        invalid: lines(told.invalid),
        invalid_more: told.invalid_more.map(|more| t.change_more(number(more))),
        warnings: lines(told.warnings),
        warnings_more: told.warnings_more.map(|more| t.change_more(number(more))),
        goes_on: told.goes_on,
    }
}

//! A recipient that may be mailed again: on which streams the rules allow it, then what became of it on each.

use super::super::recipient::{remedies, told as told_of};
use super::super::shared::Choice;
use super::super::suppressions::cause_words;
use super::{Grounds, Problems, Step, asked, decision_words, postmark_words, scope_words, scopes};
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{Ask, AtServer, Failed, Frame, Why};
use answers::{ReactivateRequest, Reactivated, ReactivatedStream, Recipient, Refused, UnknownStream};
use askama::Template;
use http::{Method, StatusCode};
use ledger::event::{Bar, Cause};

#[derive(Template)]
#[template(path = "reactivate.html")]
struct ReactivatePage {
    t: Texts,
    frame: Frame,
    step: Step,
    title: String,
    back: String,
    form: Form,
    streams: Vec<Choice>,
    is_typed: bool,
    whys: Vec<Choice>,
    problems: Problems,
    rows: Vec<Row>,
    may_go_on: bool,
    is_done: bool,
    here: Vec<String>,
    but: Vec<String>,
}

/// A stream, and what becomes of it.
struct Row {
    stream: String,
    was: String,
    kind: &'static str,
    outcome: String,
    notes: Vec<String>,
}

/// What is filled in.
struct Form {
    stream: String,
    consent: Option<String>,
    grounds: Grounds,
}

/// The form, its plan, or what became of it.
///
/// # Errors
/// The API's own.
pub(in crate::pages) async fn page(at: &AtServer<'_>, id: &str, posts: bool) -> Result<Answer, Failed> {
    // What is no id is nothing that is here: an address in a URL would stand in logs.
    if id.parse::<ledger::RecipientId>().is_err() {
        return Err(Failed::not_found());
    }
    let dry_run = asked(at, posts)?;
    let whom = told_of(at, &format!("id:{id}")).await?;
    let form = Form::read(at, posts);
    match dry_run {
        None => shown(at, &whom, form, Problems::default(), (StatusCode::OK, None)),
        Some(dry_run) => sent(at, &whom, form, dry_run).await,
    }
}

impl Form {
    fn read(at: &AtServer<'_>, posts: bool) -> Form {
        if posts {
            let form = at.visit.request.form();
            return Form {
                stream: form.text("stream").unwrap_or_default().to_owned(),
                consent: form.text("consent").map(str::to_owned),
                grounds: Grounds::of(&form),
            };
        }
        let stream = at.visit.request.asked().text("stream").unwrap_or_default().to_owned();
        Form { stream, consent: None, grounds: Grounds::default() }
    }
}

async fn sent(at: &AtServer<'_>, whom: &Recipient, form: Form, dry_run: bool) -> Result<Answer, Failed> {
    let t = at.visit.t();
    let problems = Problems {
        stream: form.stream.is_empty().then(|| t.change_no_stream()),
        reason: form.grounds.reason.is_empty().then(|| t.change_reason_wrong()),
        ..Problems::default()
    };
    if !problems.is_none() {
        return shown(at, whom, form, problems, (StatusCode::BAD_REQUEST, None));
    }
    let request = ReactivateRequest {
        stream: form.stream.clone(),
        reason: form.grounds.reason.clone(),
        why: form.grounds.why,
        consent: form.consent.clone(),
        postmark: form.grounds.postmark,
        unknown_stream: UnknownStream::Refuse,
        dry_run,
    };
    let path = format!("/v1/servers/{}/recipients/id:{}/reactivate", at.server, whom.recipient_id);
    match at.ask::<Reactivated>(Ask::of(Method::POST, path).json(&request)).await {
        Ok(told) => shown(at, whom, form, Problems::default(), (StatusCode::OK, Some(told))),
        Err(failed) => {
            // That each stream is refused is an answer too.
            if let Why::Problem(problem) = &failed.why
                && let Some(results) = &problem.results
            {
                let told = Reactivated { results: results.clone(), ..nothing() };
                return shown(at, whom, form, Problems::default(), (failed.status, Some(told)));
            }
            let (problems, status) = Problems::of(t, &form.stream, failed)?;
            shown(at, whom, form, problems, (status, None))
        }
    }
}

fn nothing() -> Reactivated {
    Reactivated {
        address: None,
        results: Vec::new(),
        decision: None,
        other_decisions: Vec::new(),
        cleaned: None,
        dry_run: false,
    }
}

fn shown(
    at: &AtServer<'_>,
    whom: &Recipient,
    form: Form,
    problems: Problems,
    (status, told): (StatusCode, Option<Reactivated>),
) -> Result<Answer, Failed> {
    let t = at.visit.t();
    let who = whom.address.clone().unwrap_or_else(|| t.recipient_unnamed());
    let step = Step::of(told.as_ref().map(|told| told.dry_run));
    let told = told.unwrap_or_else(nothing);
    let refused = told.results.iter().filter(|result| result.refused.is_some()).count();
    let decisions = told.decision.iter().chain(&told.other_decisions);
    let page = ReactivatePage {
        t,
        frame: at.frame(),
        step,
        title: match step {
            Step::Form => t.reactivate_title(who),
            Step::Plan => t.reactivate_plan_title(who, scope_words(t, &form.stream)),
            Step::Done => t.reactivate_done_title(who, scope_words(t, &form.stream)),
        },
        back: at.path(&format!("recipients/{}", whom.recipient_id)),
        streams: scopes(at, &form.stream),
        is_typed: at.known.streams_more.is_some(),
        whys: form.grounds.whys(t),
        problems,
        may_go_on: refused < told.results.len(),
        is_done: told.results.iter().all(|result| result.done),
        here: decisions.map(|decision| decision_words(t, Some(decision))).collect(),
        but: remedies(t, whom).map(|remedy| remedy.but).collect(),
        rows: told.results.iter().map(|result| row(t, step, result)).collect(),
        form,
    };
    respond::page(status, &page)
}

fn row(t: Texts, step: Step, result: &ReactivatedStream) -> Row {
    let mut notes = Vec::new();
    let (kind, outcome) = match &result.refused {
        Some(refused) => {
            notes.push(refused_words(t, refused));
            ("stop", t.reactivate_refused())
        }
        None if step.is_plan() => ("send", would(t, &result.would)),
        None if result.done => ("send", t.change_done()),
        None => ("risky", t.change_not_done()),
    };
    if let Some(said) = &result.postmark {
        notes.push(postmark_words(t, &said.status, said.message.as_deref()));
    }
    if result.awaits.is_some() {
        notes.push(t.reactivate_awaits());
    }
    let was: Vec<String> = result.was.iter().map(|was| was_words(t, was)).collect();
    Row {
        stream: match &result.spelling {
            Some(spelling) => t.reactivate_spelling(scope_words(t, &result.stream), spelling),
            None => scope_words(t, &result.stream),
        },
        was: was.join("; "),
        kind,
        outcome,
        notes,
    }
}

/// The rule that keeps a stream as it is, in words; one that a later release adds in the API's.
fn refused_words(t: Texts, refused: &Refused) -> String {
    match refused.code.as_str() {
        "complaint" => t.reactivate_not_complaint(),
        "consent" => t.reactivate_not_consent(),
        "too_often" => t.reactivate_not_often(),
        "postmark" => t.reactivate_not_postmark(),
        _ => refused.words.clone(),
    }
}

/// What a plan says would be changed.
fn would(t: Texts, changed: &[String]) -> String {
    let of = |what: &str| changed.iter().any(|one| one == what);
    match (of("postmark"), of("ledger")) {
        (true, true) => t.reactivate_would_both(),
        (true, false) => t.reactivate_would_postmark(),
        (false, true) => t.reactivate_would_here(),
        (false, false) => t.reactivate_would_nothing(),
    }
}

/// Why it was not mailed, in words; a reason that a later release adds as it came.
fn was_words(t: Texts, was: &str) -> String {
    match (Cause::named(was), Bar::named(was), was) {
        (Some(_), _, _) | (None, Some(Bar::Decision | Bar::Import(None)), _) => cause_words(t, was),
        (None, Some(Bar::Import(_)), _) => t.cause_import(),
        (None, None, "invalid_address") => t.remedy_invalid(),
        (None, None, "removal_requested") => t.remedy_removal(),
        (None, None, "soft_bounces") => t.remedy_soft(),
        (None, None, "complained") => t.remedy_complaint(),
        (None, None, other) => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_it_was_not_mailed_is_told_in_words_and_a_later_reason_as_it_came() {
        let t = Texts::default();
        let ours = Bar::ALL.map(Bar::name);
        let others = ["invalid_address", "removal_requested", "soft_bounces", "complained"];
        for was in Cause::ALL.map(Cause::name).into_iter().chain(ours).chain(others) {
            let words = was_words(t, was);
            assert!(words.contains(' ') && !words.contains('_'), "{was}: {words}");
        }
        assert_eq!(was_words(t, "eaten_by_a_dog"), "eaten_by_a_dog");
    }
}

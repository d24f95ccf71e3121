//! Pages that change whom a server may mail, for its admins: suppress, reactivate, import, and a person's data.
//!
//! Invariants:
//! - A form first shows what would be done, by the API's own dry run, and does it only when that was confirmed.
//! - What became of it is told as the API tells it: what was not done is never called done.

mod data;
mod import;
mod reactivate;
mod suppress;

pub(super) use data::page as data;
pub(super) use import::page as import;
pub(super) use reactivate::page as reactivate;
pub(super) use suppress::page as suppress;

use super::shared::{Choice, mendable, number, streams};
use crate::request::Fields;
use crate::texts::Texts;
use crate::visit::{AtServer, Failed, Why as WhyFailed};
use answers::{Decision, Invalid, Why};
use http::StatusCode;
use ledger::event::WHOLE_SERVER;

/// How many rows of a plan or a result are shown.
const SHOWN_MAX: usize = 200;
/// How many characters of an entry are shown.
const ENTRY_SHOWN: usize = 120;

/// How far a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// It is filled in.
    Form,
    /// What it would do is shown.
    Plan,
    /// What became of it is shown.
    Done,
}

impl Step {
    /// As the API's answer says, where there is one.
    fn of(dry_run: Option<bool>) -> Step {
        match dry_run {
            None => Step::Form,
            Some(true) => Step::Plan,
            Some(false) => Step::Done,
        }
    }

    fn is_form(self) -> bool {
        self == Step::Form
    }

    fn is_plan(self) -> bool {
        self == Step::Plan
    }
}

/// What a form asks for: that it is done, or only what would be done, as the API takes that; `None` to be filled in.
fn asked(at: &AtServer<'_>, posts: bool) -> Result<Option<bool>, Failed> {
    match (posts, at.visit.request.form().text("action")) {
        (false, _) | (true, Some("edit")) => Ok(None),
        (true, Some("plan")) => Ok(Some(true)),
        (true, Some("carry-out")) => Ok(Some(false)),
        (true, _) => Err(Failed::not_found()),
    }
}

/// Why somebody decides, and whether Postmark's own list is changed too.
struct Grounds {
    reason: String,
    why: Why,
    postmark: bool,
}

impl Grounds {
    fn of(form: &Fields) -> Grounds {
        Grounds {
            reason: form.text("reason").unwrap_or_default().to_owned(),
            why: WHYS
                .into_iter()
                .find(|why| Some(name(*why).as_str()) == form.text("why"))
                .unwrap_or_default(),
            postmark: form.is_set("postmark"),
        }
    }

    /// The choices of why.
    fn whys(&self, t: Texts) -> Vec<Choice> {
        let chosen = name(self.why);
        WHYS.into_iter().map(|why| Choice::new(name(why), why_words(t, why), Some(&chosen))).collect()
    }
}

impl Default for Grounds {
    fn default() -> Grounds {
        Grounds { reason: String::new(), why: Why::default(), postmark: true }
    }
}

const WHYS: [Why; 6] = [Why::Other, Why::Request, Why::Complaint, Why::Bounce, Why::Legal, Why::Mistake];

/// A choice, as the API names it.
fn name(why: Why) -> String {
    serde_json::to_value(why).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

fn why_words(t: Texts, why: Why) -> String {
    match why {
        Why::Request => t.why_request(),
        Why::Complaint => t.why_complaint(),
        Why::Bounce => t.why_bounce(),
        Why::Legal => t.why_legal(),
        Why::Mistake => t.why_mistake(),
        Why::Other => t.why_other(),
    }
}

/// Why all of it was not done, or perhaps not.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Whole {
    title: String,
    words: String,
}

impl Whole {
    fn of(t: Texts, failed: &Failed) -> Whole {
        let problem = match &failed.why {
            WhyFailed::Problem(problem) => Some(problem),
            _ => None,
        };
        // Only what is refused, and what Postmark was asked for first, is known to have changed nothing.
        let is_refused = problem.is_some_and(|problem| problem.code() == "postmark-unavailable")
            || failed.status.is_client_error();
        let queued =
            problem.and_then(|problem| problem.queued).map(|queued| t.import_queued_first(number(queued)));
        let words = [Some(failed.sentences(t)), queued];
        Whole {
            title: if is_refused { t.change_problem_title() } else { t.change_uncertain_title() },
            words: words.into_iter().flatten().collect::<Vec<_>>().join(" "),
        }
    }
}

/// What is wrong with what was sent, by field; `whole` is about none of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Problems {
    whole: Option<Whole>,
    stream: Option<String>,
    list: Option<String>,
    reason: Option<String>,
    consent: Option<String>,
    postmark: Option<String>,
}

impl Problems {
    /// What the API finds wrong, with the status of the page that says so.
    ///
    /// # Errors
    /// What no form can mend.
    fn of(t: Texts, stream: &str, failed: Failed) -> Result<(Problems, StatusCode), Failed> {
        let status = failed.status;
        let whole = |failed: &Failed| Problems { whole: Some(Whole::of(t, failed)), ..Problems::default() };
        let problem = match &failed.why {
            WhyFailed::Problem(problem) => problem,
            WhyFailed::Silent => return Ok((whole(&failed), status)),
            _ => return Err(failed),
        };
        let none = Problems::default();
        let about = |field: &str| problem.code() == "bad-request" && problem.detail.starts_with(field);
        let problems = match problem.code() {
            _ if let Some(words) = mendable(t, Some(stream), &failed) => {
                Problems { stream: Some(words), ..none }
            }
            _ if matches!(status, StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED) => return Err(failed),
            "no-address" => Problems { postmark: Some(t.change_erased()), ..none },
            "no-postmark-token" => Problems { postmark: Some(t.change_no_token()), ..none },
            "too-large" => Problems { list: Some(t.change_too_large()), ..none },
            _ if about("reason") => Problems { reason: Some(t.change_reason_wrong()), ..none },
            _ if about("consent") => Problems { consent: Some(t.change_consent_wrong()), ..none },
            _ => whole(&failed),
        };
        Ok((problems, status))
    }

    fn is_none(&self) -> bool {
        *self == Problems::default()
    }
}

/// The streams to choose from, the whole server among them.
fn scopes(at: &AtServer<'_>, chosen: &str) -> Vec<Choice> {
    let is_whole = chosen == WHOLE_SERVER;
    let mut all = streams(at, Some(chosen).filter(|_| !is_whole));
    all.push(Choice::new(WHOLE_SERVER, at.visit.t().suppressions_whole(), Some(chosen)));
    all
}

/// A scope in a sentence.
fn scope_words(t: Texts, scope: &str) -> String {
    if scope == WHOLE_SERVER { t.every_stream() } else { scope.to_owned() }
}

/// Where a decision is.
fn decision_words(t: Texts, decision: Option<&Decision>) -> String {
    match decision {
        Some(Decision { recorded: true, .. }) => t.change_recorded(),
        Some(_) => t.change_queued(),
        None => t.change_not_here(),
    }
}

/// What Postmark did, in words, with its own where it gave any.
fn postmark_words(t: Texts, status: &str, message: Option<&str>) -> String {
    let words = match status {
        "suppressed" => t.change_postmark_suppressed(),
        "deleted" => t.change_postmark_deleted(),
        "failed" => t.change_postmark_failed(),
        "unavailable" => t.change_postmark_unavailable(),
        other => other.to_owned(),
    };
    match message {
        Some(message) => t.change_postmark_said(words, message),
        None => words,
    }
}

/// What is no address.
struct Wrong {
    entry: String,
    problem: String,
}

/// The entries that are no addresses, as many as are shown, and what is said of the rest.
fn wrong(t: Texts, invalid: &[Invalid]) -> (Vec<Wrong>, Option<String>) {
    let shown = invalid.iter().take(SHOWN_MAX).map(|one| Wrong {
        entry: super::happened::short(&one.address, ENTRY_SHOWN),
        problem: one.problem.clone(),
    });
    (shown.collect(), more(t, invalid.len()))
}

/// What is said where not all rows are shown.
fn more(t: Texts, count: usize) -> Option<String> {
    (count > SHOWN_MAX).then(|| t.change_more(number(count - SHOWN_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ground_is_a_choice_of_its_own_and_is_read_as_it_is_sent() {
        let t = Texts::default();
        let whys = Grounds::default().whys(t);
        assert_eq!(whys.len(), WHYS.len());
        for (choice, why) in whys.iter().zip(WHYS) {
            let form = Fields::read(format!("why={}&reason=+x+&postmark=on", choice.value).as_bytes());
            let grounds = Grounds::of(&form);
            assert_eq!((grounds.why, grounds.reason.as_str(), grounds.postmark), (why, "x", true));
        }
        assert_eq!(Grounds::of(&Fields::read(b"why=boredom")).why, Why::Other);
    }

    #[test]
    fn what_postmark_says_is_told_in_words_and_a_later_word_as_it_came() {
        let t = Texts::default();
        assert_eq!(postmark_words(t, "suppressed", None), t.change_postmark_suppressed());
        assert!(postmark_words(t, "failed", Some("no such stream")).ends_with("no such stream”"));
        assert_eq!(postmark_words(t, "teleported", None), "teleported");
    }
}

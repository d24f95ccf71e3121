//! Whom a stream must not mail: a page of its list, with since when, why, and who put an address there.

use super::shared::{CSV, Choice, Table, link, number, one_of, streams};
use crate::moment::Moment;
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{Ask, AtServer, Failed, Frame, Why};
use answers::{Suppression, Suppressions};
use askama::Template;
use http::StatusCode;
use ledger::Time;
use ledger::event::{Bar, Cause, WHOLE_SERVER};

/// How many rows a page has.
const A_PAGE: usize = 50;
/// How many rows a table to keep has at most.
const ROWS_MAX: usize = 50_000;
/// How many of them are asked for at once: as many as the API gives.
const ROWS_AT_ONCE: usize = 1_000;
/// How often is asked for them at most: a filter may pass over everything that is read for an answer.
const ASKED_MAX: usize = 500;
/// The columns of a table to keep: those of the API and of the command line, so that all of them are read alike.
const COLUMNS: [&str; 5] = ["address", "recipient_id", "since", "causes", "origin"];
/// Who puts addresses on Postmark's list, as the API says it.
const ORIGINS: [&str; 3] = ["Recipient", "Customer", "Admin"];
/// The stream that a page is about where none is chosen, if there is one of this name: every server begins with it.
const USUAL: &str = "outbound";

#[derive(Template)]
#[template(path = "suppressions.html")]
struct SuppressionsPage {
    t: Texts,
    frame: Frame,
    title: String,
    intro: String,
    stream: String,
    streams: Vec<Choice>,
    is_typed: bool,
    causes: Vec<Choice>,
    origins: Vec<Choice>,
    times: [String; 2],
    problems: Problems,
    notes: Vec<String>,
    nothing: Option<String>,
    rows: Vec<Row>,
    first: Option<String>,
    next: Option<String>,
    csv: Option<String>,
    csv_hint: String,
}

/// An address on the list.
struct Row {
    address: String,
    path: String,
    since: Moment,
    causes: String,
    origin: String,
}

/// What is wrong with what was chosen, by field; `list` is about none of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Problems {
    list: Option<String>,
    stream: Option<String>,
    cause: Option<String>,
    origin: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

/// What is chosen from the list.
#[derive(Default)]
struct Chosen {
    stream: String,
    cause: Option<String>,
    origin: Option<String>,
    from: Option<Time>,
    to: Option<Time>,
    /// As the fields have them, right or wrong.
    times: [String; 2],
    problems: Problems,
}

impl Chosen {
    fn read(at: &AtServer<'_>) -> Chosen {
        let (t, asked) = (at.visit.t(), at.visit.request.asked());
        let mut problems = Problems::default();
        let stream = asked.text("stream").map_or_else(|| usual(at), str::to_owned);
        if !stream.is_empty() && ledger::stream::scope(&stream).is_err() {
            problems.stream = Some(t.suppressions_problem_stream(&stream));
        }
        let one_of = |name: &str, known: &[&str]| {
            let value = asked.text(name);
            let problem =
                value.filter(|value| !known.contains(value)).map(|_| t.suppressions_problem_choice());
            (value.map(str::to_owned), problem)
        };
        let (cause, wrong_cause) = one_of("cause", &causes());
        let (origin, wrong_origin) = one_of("origin", &ORIGINS);
        let time = |name: &str| {
            let Some(text) = asked.text(name) else { return (None, String::new(), None) };
            match at.visit.zone.read(text) {
                Some(time) => (Some(time), at.visit.zone.field(time), None),
                None => (None, text.to_owned(), Some(t.suppressions_problem_time())),
            }
        };
        let ((from, from_text, wrong_from), (to, to_text, wrong_to)) = (time("from"), time("to"));
        (problems.cause, problems.origin) = (wrong_cause, wrong_origin);
        (problems.from, problems.to) = (wrong_from, wrong_to);
        let mut chosen = Chosen { stream, cause, origin, from, to, times: [from_text, to_text], problems };
        if chosen.from.zip(chosen.until(at)).is_some_and(|(from, until)| from > until) {
            chosen.problems.to.get_or_insert_with(|| t.suppressions_problem_order());
        }
        chosen
    }

    /// Since when an address that is shown is on the list at the latest: what was looked at then cannot have it otherwise.
    fn until(&self, at: &AtServer<'_>) -> Option<Time> {
        [self.to, at.as_of.at, at.as_of.known_at].into_iter().flatten().min()
    }

    fn is_right(&self) -> bool {
        self.problems == Problems::default()
    }

    /// Whether something of the list is left out.
    fn is_narrow(&self, at: &AtServer<'_>) -> bool {
        self.cause.is_some() || self.origin.is_some() || self.from.is_some() || self.until(at).is_some()
    }

    fn ask(&self, at: &AtServer<'_>, cursor: Option<&str>, limit: usize) -> Ask {
        at.get(&format!("streams/{}/suppressions", self.stream))
            .with("cause", self.cause.as_ref())
            .with("origin", self.origin.as_ref())
            .with("from", self.from)
            .with("to", self.until(at))
            .with("cursor", cursor)
            .with("limit", Some(limit))
    }

    /// A permanent link to what is chosen.
    fn link(&self, at: &AtServer<'_>, more: (&str, Option<String>)) -> String {
        let time = |time: Option<Time>| time.map(|time| time.to_string());
        link(
            &at.path("suppressions"),
            &[
                ("stream", Some(self.stream.clone())),
                ("cause", self.cause.clone()),
                ("origin", self.origin.clone()),
                ("from", time(self.from)),
                ("to", time(self.to)),
                more,
            ],
        )
    }
}

/// A page of a stream's list, or all of it as a table to keep.
///
/// # Errors
/// The API's own.
pub(super) async fn page(at: &AtServer<'_>) -> Result<Answer, Failed> {
    let asked = at.visit.request.asked();
    let mut chosen = Chosen::read(at);
    if chosen.stream.is_empty() || !chosen.is_right() {
        return shown(at, &chosen, None);
    }
    let found = if asked.text("as") == Some("csv") {
        match table(at, &chosen).await {
            Ok(answer) => return Ok(answer),
            Err(failed) => Err(failed),
        }
    } else {
        at.ask::<Suppressions>(chosen.ask(at, asked.text("cursor"), A_PAGE)).await
    };
    match found {
        Ok(found) => shown(at, &chosen, Some(found)),
        Err(failed) => {
            chosen.problems = problems(at.visit.t(), &chosen.stream, &failed).ok_or(failed)?;
            shown(at, &chosen, None)
        }
    }
}

/// What the API finds wrong with what was chosen, where a choice is to be mended.
fn problems(t: Texts, stream: &str, failed: &Failed) -> Option<Problems> {
    let Why::Problem(problem) = &failed.why else { return None };
    match problem.code() {
        "unknown-stream" => {
            let near = problem.did_you_mean.as_ref().filter(|near| !near.is_empty());
            let near = near.map(|near| t.suppressions_problem_near(one_of(t, near)));
            let words = [Some(t.suppressions_problem_stream(stream)), near];
            let words = words.into_iter().flatten().collect::<Vec<_>>().join(" ");
            Some(Problems { stream: Some(words), ..Problems::default() })
        }
        "bad-cursor" => Some(Problems { list: Some(t.suppressions_problem_cursor()), ..Problems::default() }),
        _ => None,
    }
}

fn shown(at: &AtServer<'_>, chosen: &Chosen, found: Option<Suppressions>) -> Result<Answer, Failed> {
    let t = at.visit.t();
    let status = if chosen.is_right() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let first = chosen.link(at, ("cursor", None));
    let is_further = at.visit.request.asked().text("cursor").is_some();
    let next = found.as_ref().and_then(|found| found.next.clone());
    let is_empty = found.as_ref().is_some_and(|found| found.items.is_empty());
    let nothing = is_empty.then(|| match (&next, is_further || chosen.is_narrow(at)) {
        (Some(_), _) => t.suppressions_none_yet(),
        (None, true) => t.suppressions_none_fits(),
        (None, false) => t.suppressions_none(),
    });
    let is_whole = chosen.stream == WHOLE_SERVER;
    let mut all = streams(at, Some(chosen.stream.as_str()).filter(|_| !is_whole));
    if !all.is_empty() {
        all.push(Choice::new(WHOLE_SERVER, t.suppressions_whole(), Some(&chosen.stream)));
    }
    let page = SuppressionsPage {
        t,
        frame: at.frame(),
        title: match chosen.stream.as_str() {
            // What is not known has no list.
            _ if chosen.problems.stream.is_some() => t.suppressions_title_none(),
            "" => t.suppressions_title_none(),
            WHOLE_SERVER => t.suppressions_title_whole(),
            stream => t.suppressions_title(stream),
        },
        intro: if is_whole { t.suppressions_intro_whole() } else { t.suppressions_intro() },
        stream: chosen.stream.clone(),
        streams: all,
        is_typed: at.known.streams_more.is_some(),
        causes: choices(t, &causes(), chosen.cause.as_deref(), |name| cause_words(t, name)),
        origins: choices(t, &ORIGINS, chosen.origin.as_deref(), |name| origin_words(t, Some(name), &[])),
        times: chosen.times.clone(),
        problems: chosen.problems.clone(),
        notes: notes(at),
        nothing,
        csv: found.as_ref().filter(|_| !is_empty || next.is_some()).map(|_| chosen.link(at, ("as", csv()))),
        csv_hint: t.suppressions_csv(number(ROWS_MAX)),
        rows: found.into_iter().flat_map(|found| found.items).map(|item| row(at, item)).collect(),
        first: (is_further || chosen.problems.list.is_some()).then_some(first),
        next: next.map(|next| chosen.link(at, ("cursor", Some(next)))),
    };
    respond::page(status, &page)
}

fn csv() -> Option<String> {
    Some("csv".to_owned())
}

/// What is to be known of the list as it is shown.
fn notes(at: &AtServer<'_>) -> Vec<String> {
    let t = at.visit.t();
    let by = [at.as_of.at, at.as_of.known_at].into_iter().flatten().min();
    let as_of = by.map(|by| t.suppressions_as_of(at.visit.show(by).text()));
    let known = at.as_of.known_at.map(|_| t.suppressions_as_of_known());
    let masked = (!at.caller.reveals()).then(|| t.suppressions_masked());
    [as_of, known, masked].into_iter().flatten().collect()
}

/// The stream that is shown where none is chosen.
fn usual(at: &AtServer<'_>) -> String {
    let known = &at.known.streams;
    let usual = known.contains_key(USUAL).then_some(USUAL);
    usual.or_else(|| known.keys().next().map(String::as_str)).unwrap_or_default().to_owned()
}

/// All causes that can be chosen, as the API names them.
fn causes() -> Vec<&'static str> {
    let ours = [Bar::Decision, Bar::Import(None)].map(Bar::name);
    Cause::ALL.map(Cause::name).into_iter().chain(ours).collect()
}

fn choices(t: Texts, names: &[&str], chosen: Option<&str>, words: impl Fn(&str) -> String) -> Vec<Choice> {
    let any = Choice::new("", t.suppressions_any(), chosen);
    std::iter::once(any).chain(names.iter().map(|name| Choice::new(*name, words(name), chosen))).collect()
}

fn row(at: &AtServer<'_>, item: Suppression) -> Row {
    let t = at.visit.t();
    let causes: Vec<String> = item.causes.iter().map(|cause| cause_words(t, cause)).collect();
    Row {
        address: item.address.unwrap_or_else(|| t.suppressions_no_address()),
        path: at.path(&format!("recipients/{}", item.recipient_id)),
        since: at.visit.show(item.since),
        causes: causes.join("; "),
        origin: origin_words(t, item.origin.as_deref(), &item.causes),
    }
}

/// A cause in words; one that a later release adds as it came.
pub(super) fn cause_words(t: Texts, name: &str) -> String {
    match (Cause::named(name), Bar::named(name)) {
        (Some(Cause::HardBounce), _) => t.cause_hard_bounce(),
        (Some(Cause::Complaint), _) => t.cause_complaint(),
        (Some(Cause::Unsubscribe), _) => t.cause_unsubscribe(),
        (Some(Cause::Manual), _) => t.cause_manual(),
        (Some(Cause::Unknown), _) => t.cause_unknown(),
        (None, Some(Bar::Decision)) => t.cause_decision(),
        (None, Some(Bar::Import(_))) => t.cause_import(),
        (None, None) => name.to_owned(),
    }
}

/// Who put an address on Postmark's list, in words. Where nobody is told, either nobody did, since it is only on our list,
/// or it is not known: the causes say which.
fn origin_words(t: Texts, origin: Option<&str>, causes: &[String]) -> String {
    let is_ours = |cause: &String| Bar::named(cause).is_some();
    let may_be_by_hand = |cause: &String| matches!(Cause::named(cause), Some(Cause::Manual | Cause::Unknown));
    match origin {
        Some("Recipient") => t.origin_recipient(),
        Some("Customer") => t.origin_customer(),
        Some("Admin") => t.origin_admin(),
        Some(other) => other.to_owned(),
        None => match (causes.iter().any(is_ours), causes.iter().any(may_be_by_hand)) {
            (true, false) => t.origin_ours(),
            (true, true) => t.origin_not_known_or_ours(),
            (false, _) => t.origin_not_known(),
        },
    }
}

/// All that is chosen as a table to keep, up to a bound. A table that ends there says so in its last row and in its name:
/// whoever takes half a list for the whole mails the other half.
async fn table(at: &AtServer<'_>, chosen: &Chosen) -> Result<Answer, Failed> {
    let (t, mut table) = (at.visit.t(), Table::new(&COLUMNS));
    let (mut cursor, mut rows, mut is_whole) = (None::<String>, 0, false);
    for _ in 0..ASKED_MAX {
        let limit = ROWS_AT_ONCE.min(ROWS_MAX - rows);
        let found: Suppressions = at.ask(chosen.ask(at, cursor.as_deref(), limit)).await?;
        rows += found.items.len();
        found.items.iter().for_each(|item| add(&mut table, item));
        cursor = found.next;
        is_whole = cursor.is_none();
        if is_whole || rows >= ROWS_MAX {
            break;
        }
    }
    if !is_whole {
        table.row(&[&t.suppressions_csv_more(number(rows)), "", "", "", ""]);
    }
    let stream = if chosen.stream == WHOLE_SERVER { "whole-server" } else { &chosen.stream };
    let end = if is_whole { "" } else { "-incomplete" };
    let name = format!("suppressions-{}-{stream}{end}.csv", at.server);
    Ok(respond::file(CSV, &name, table.into_bytes()))
}

fn add(table: &mut Table, item: &Suppression) {
    table.row(&[
        item.address.as_deref().unwrap_or_default(),
        &item.recipient_id.to_string(),
        &item.since.to_string(),
        &item.causes.join(" "),
        item.origin.as_deref().unwrap_or_default(),
    ]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use answers::{Problem, URN};

    fn said(origin: Option<&str>, causes: &[&str]) -> String {
        let causes: Vec<String> = causes.iter().map(|cause| (*cause).to_owned()).collect();
        origin_words(Texts::default(), origin, &causes)
    }

    #[test]
    fn every_cause_and_origin_has_words_and_a_later_one_stays_as_it_came() {
        let t = Texts::default();
        for name in causes() {
            assert_ne!(cause_words(t, name), name);
        }
        assert_eq!(cause_words(t, "eaten_by_a_dog"), "eaten_by_a_dog");
        for name in ORIGINS {
            assert_ne!(said(Some(name), &["manual"]), name);
        }
        assert_eq!(said(Some("Robot"), &["manual"]), "Robot");
    }

    #[test]
    fn where_nobody_is_told_the_causes_say_whether_somebody_could_be() {
        let t = Texts::default();
        assert_eq!(said(None, &["decision"]), t.origin_ours());
        assert_eq!(said(None, &["hard_bounce", "import"]), t.origin_ours());
        assert_eq!(said(None, &["manual"]), t.origin_not_known());
        assert_eq!(said(None, &["unknown", "decision"]), t.origin_not_known_or_ours());
    }

    #[test]
    fn a_stream_that_is_not_known_is_told_beside_its_field_with_near_names() {
        let failed = |code: &str, near: Option<Vec<String>>| {
            let kind = format!("{URN}{code}");
            let problem = Problem { kind, did_you_mean: near, ..Problem::default() };
            Failed::new(StatusCode::NOT_FOUND, Why::Problem(Box::new(problem)))
        };
        let t = Texts::default();
        let near = Some(vec!["outbound".to_owned(), "bound".to_owned()]);
        let told = problems(t, "outbuond", &failed("unknown-stream", near)).unwrap();
        let words = told.stream.unwrap();
        assert!(
            words.contains("“outbuond”") && words.ends_with("Did you mean outbound or bound?"),
            "{words}"
        );
        assert!(problems(t, "x", &failed("unknown-stream", None)).unwrap().stream.is_some());
        assert!(problems(t, "x", &failed("bad-cursor", None)).unwrap().list.is_some());
        assert_eq!(problems(t, "x", &failed("unavailable", None)), None);
    }
}

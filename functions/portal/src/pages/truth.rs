//! What is complete, by day, stream and type, and for admins what was set aside.

mod aside;
mod found;
mod replay;

pub(super) use replay::posted;

use super::shared::{Choice, link, number, streams};
use crate::moment::Moment;
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{AtServer, Failed, Frame};
use answers::Completeness;
use aside::{Aside, aside};
use askama::Template;
pub(super) use found::type_words;
use found::{Found, Line, date};
use http::StatusCode;
use jiff::civil::Date;
use ledger::Time;
use postmark_api::eastern;

/// How many days are shown, to choose from; the API tells of 100 at most.
const SPANS: [i64; 3] = [7, 30, 100];
/// How many they are unless somebody chooses.
const SPAN: i64 = 30;
/// How many rows without a gap are shown.
const ROWS_MAX: usize = 250;

#[derive(Template)]
#[template(path = "truth.html")]
struct TruthPage {
    t: Texts,
    frame: Frame,
    kind: &'static str,
    sentence: String,
    todo: Vec<String>,
    last: Option<Moment>,
    notes: Vec<String>,
    spans: Vec<Choice>,
    streams: Vec<Choice>,
    to: String,
    problem: Option<String>,
    gaps_title: String,
    gaps: Vec<Row>,
    rest_title: String,
    rest: Vec<Row>,
    rest_more: Option<String>,
    earlier: Option<String>,
    aside: Option<Aside>,
}

/// What was found of a type on a stream's day.
struct Row {
    day: String,
    date: String,
    stream: String,
    kind: String,
    /// In the order of the columns.
    counts: [String; 5],
    state: String,
    state_kind: &'static str,
}

/// Which days and streams are shown.
struct Chosen {
    days: i64,
    to: String,
    /// As the field has it, right or wrong.
    typed: String,
    stream: Option<String>,
    problem: Option<String>,
}

impl Chosen {
    /// The latest days, all streams.
    fn usual(at: &AtServer<'_>) -> Chosen {
        let looked_at = [at.as_of.at, at.as_of.known_at].into_iter().flatten().fold(at.visit.now, Time::min);
        Chosen { days: SPAN, to: eastern::day(looked_at), typed: String::new(), stream: None, problem: None }
    }

    fn read(at: &AtServer<'_>) -> Chosen {
        let (usual, asked) = (Chosen::usual(at), at.visit.request.asked());
        let typed = asked.text("to").unwrap_or_default().to_owned();
        let is_day = eastern::day_start(&typed).is_some();
        let days = asked.text("days").and_then(|days| days.parse().ok());
        Chosen {
            days: days.filter(|days| SPANS.contains(days)).unwrap_or(SPAN),
            to: if is_day { typed.clone() } else { usual.to },
            problem: (!typed.is_empty() && !is_day).then(|| at.visit.t().truth_problem_day()),
            stream: asked.text("stream").map(str::to_owned),
            typed,
        }
    }

    /// The first day.
    fn from(&self) -> String {
        before(&self.to, self.days - 1)
    }

    /// Whether it is all that there is.
    fn is_all(&self, at: &AtServer<'_>) -> bool {
        self.typed.is_empty() && self.stream.is_none() && at.as_of.is_now()
    }
}

/// A day so many days before another.
fn before(day: &str, days: i64) -> String {
    let begins: Option<Time> = format!("{day}T00:00:00Z").parse().ok();
    begins.map_or_else(|| day.to_owned(), |begins| begins.plus_days(-days).day())
}

/// What is known to be complete, in a sentence, and how good it is by the style's name.
///
/// # Errors
/// The API's own.
pub(super) async fn in_short(at: &AtServer<'_>) -> Result<(&'static str, String), Failed> {
    let chosen = Chosen::usual(at);
    Ok(sentence(at, &found(at, &chosen).await?, &chosen))
}

/// The same of some days.
///
/// # Errors
/// The API's own.
pub(super) async fn in_days(
    at: &AtServer<'_>,
    first: Date,
    last: Date,
) -> Result<(&'static str, String), Failed> {
    let usual = Chosen::usual(at);
    // Of days to come nothing is known; a day may have begun elsewhere that has not in US Eastern time.
    let last = usual.to.parse().map_or(last, |today: Date| last.min(today)).max(first);
    let days = i64::from(last.since(first).map_or(0, |span| span.get_days())) + 1;
    let chosen = Chosen { days, to: last.to_string(), typed: last.to_string(), ..usual };
    Ok(sentence(at, &found(at, &chosen).await?, &chosen))
}

/// The page.
///
/// # Errors
/// The API's own.
pub(super) async fn page(at: &AtServer<'_>) -> Result<Answer, Failed> {
    let (t, chosen) = (at.visit.t(), Chosen::read(at));
    let found = found(at, &chosen).await?;
    let (kind, sentence) = sentence(at, &found, &chosen);
    let (gaps, rest) = (found.gaps(), found.lines.iter().filter(|line| line.counts.unexplained == 0));
    let rest_count = rest.clone().count();
    let page = TruthPage {
        t,
        frame: at.frame(),
        kind,
        sentence,
        todo: todo(at, found.is_empty()),
        last: found.last.map(|last| at.visit.show(last)),
        notes: notes(at, &found, &chosen),
        spans: spans(t, chosen.days),
        streams: all_streams(at, chosen.stream.as_deref()),
        to: chosen.typed.clone(),
        gaps_title: t.truth_gaps_title(number(gaps.len())),
        gaps: gaps.into_iter().map(|line| row(t, line)).collect(),
        rest_title: t.truth_rest_title(number(rest_count)),
        rest: rest.take(ROWS_MAX).map(|line| row(t, line)).collect(),
        rest_more: (rest_count > ROWS_MAX).then(|| t.truth_rest_more(number(rest_count - ROWS_MAX))),
        earlier: (!found.is_empty()).then(|| earlier(at, &chosen)),
        aside: if at.is_admin() { Some(aside(at).await?) } else { None },
        problem: chosen.problem,
    };
    let status = if page.problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    respond::page(status, &page)
}

async fn found(at: &AtServer<'_>, chosen: &Chosen) -> Result<Found, Failed> {
    let ask = at.get("completeness").with("from", Some(chosen.from())).with("to", Some(&chosen.to));
    let told: Completeness = at.ask(ask).await?;
    Ok(Found::of(told, |day, stream, compared| {
        let is_over = |by: Time| eastern::day_end(day).is_some_and(|end| end <= by);
        chosen.stream.as_deref().is_none_or(|chosen| chosen == stream)
            && at.as_of.at.is_none_or(is_over)
            && at.as_of.known_at.is_none_or(|by| compared.0 <= by)
    }))
}

fn sentence(at: &AtServer<'_>, found: &Found, chosen: &Chosen) -> (&'static str, String) {
    match found.is_empty() && !chosen.is_all(at) {
        true => ("risky", at.visit.t().truth_nothing_here()),
        false => found.sentence(at.visit.t()),
    }
}

/// What to do where nothing was compared.
fn todo(at: &AtServer<'_>, is_empty: bool) -> Vec<String> {
    let t = at.visit.t();
    if !is_empty {
        return Vec::new();
    }
    let next = if at.is_admin() { t.truth_nothing_todo(at.server) } else { t.truth_nothing_ask() };
    vec![t.truth_nothing_why(), next]
}

fn notes(at: &AtServer<'_>, found: &Found, chosen: &Chosen) -> Vec<String> {
    let t = at.visit.t();
    let known = at.known.streams.keys().map(String::as_str);
    let known = known.filter(|stream| chosen.stream.as_deref().is_none_or(|chosen| chosen == *stream));
    let by = at.as_of.at.map(|by| t.truth_as_of(at.visit.show(by).text()));
    let known_by = at.as_of.known_at.map(|by| t.truth_as_of_known(at.visit.show(by).text()));
    found.notes(t, known).into_iter().chain(by).chain(known_by).collect()
}

fn spans(t: Texts, chosen: i64) -> Vec<Choice> {
    let chosen = chosen.to_string();
    let span = |days: &i64| Choice::new(days.to_string(), t.truth_span_days(days), Some(&chosen));
    SPANS.iter().map(span).collect()
}

fn all_streams(at: &AtServer<'_>, chosen: Option<&str>) -> Vec<Choice> {
    let all = Choice::new("", at.visit.t().truth_every_stream(), chosen);
    std::iter::once(all).chain(streams(at, chosen)).collect()
}

/// A link to the days before those that are shown.
fn earlier(at: &AtServer<'_>, chosen: &Chosen) -> String {
    link(
        &at.path("truth"),
        &[
            ("days", Some(chosen.days.to_string())),
            ("to", Some(before(&chosen.to, chosen.days))),
            ("stream", chosen.stream.clone()),
        ],
    )
}

fn row(t: Texts, line: &Line) -> Row {
    let counts = &line.counts;
    let (state, state_kind) = match (counts.unexplained, counts.unrecoverable) {
        (0, 0) => (t.truth_state_complete(), "send"),
        (0, _) => (t.truth_state_lost(), "risky"),
        _ => (t.truth_state_missing(), "stop"),
    };
    let all = [counts.expected, counts.received, counts.recovered, counts.unrecoverable, counts.unexplained];
    Row {
        day: line.day.to_string(),
        date: date(line.day),
        stream: line.stream.clone(),
        kind: type_words(t, &line.kind),
        counts: all.map(number),
        state,
        state_kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use answers::CompletenessLine;

    #[test]
    fn a_span_of_days_ends_with_its_last_one() {
        assert_eq!(before("2026-11-30", 29), "2026-11-01");
        assert_eq!(before("2026-03-01", 1), "2026-02-28");
        assert_eq!(before("no day", 1), "no day");
    }

    #[test]
    fn a_row_says_in_a_word_how_its_day_stands() {
        let t = Texts::default();
        let state = |unrecoverable, unexplained| {
            let counts =
                CompletenessLine { expected: 1_234, received: 1, recovered: 2, unrecoverable, unexplained };
            let day = "2026-11-27".parse().unwrap();
            row(t, &Line { day, stream: "outbound".to_owned(), kind: "Bounce".to_owned(), counts })
        };
        assert_eq!(state(0, 0).state, t.truth_state_complete());
        assert_eq!(state(3, 0).state, t.truth_state_lost());
        let missing = state(3, 4);
        assert_eq!((missing.state, missing.state_kind), (t.truth_state_missing(), "stop"));
        assert_eq!(missing.counts, ["1,234", "1", "2", "3", "4"]);
        assert_eq!((missing.day.as_str(), missing.date.as_str()), ("2026-11-27", "27 Nov 2026"));
    }
}

//! Whether many addresses may be mailed on a stream: pasted, one a line, and answered as a page or as a table to keep.
//!
//! Invariants:
//! - An answer is shown only where each entry has one. Whatever fails is said to have failed, with what was typed kept:
//!   nothing that went wrong can be read as leave to mail.
//! - Entries are told in the order and the words in which they were typed.

mod entries;
mod results;

use super::shared::{CSV, Choice, number, one_of, streams};
use crate::moment::Moment;
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{Ask, AtServer, Failed, Frame, Why, segment};
use answers::{CheckRequest, Checked, CheckedAddress, CriticalQueue, Finding, UnknownStream};
use api::check::ADDRESSES_MAX;
use askama::Template;
pub(super) use entries::entries;
use http::{Method, StatusCode};
use ledger::event::WHOLE_SERVER;
use results::{EntryResult, INVALID, in_order, kind, table};

/// How many addresses of each answer are shown; a table to keep has all.
const SHOWN_MAX: usize = 200;
#[derive(Template)]
#[template(path = "check.html")]
struct CheckPage {
    t: Texts,
    frame: Frame,
    typed: String,
    stream: String,
    streams: Vec<Choice>,
    is_typed: bool,
    hint: String,
    is_of_another_time: bool,
    problems: Problems,
    result: Option<Outcome>,
}

/// What is wrong with what was sent, by field; `whole` is about none of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Problems {
    stream: Option<String>,
    addresses: Option<String>,
    whole: Option<String>,
}

/// What was sent.
struct Sent {
    typed: String,
    stream: String,
    problems: Problems,
}

/// The answer, as a page shows it.
struct Outcome {
    headline: String,
    kind: &'static str,
    counts: Vec<Count>,
    stop: Group,
    risky: Group,
    invalid: Vec<Wrong>,
    invalid_title: String,
    invalid_more: Option<String>,
    send: Group,
    current: Current,
}

/// How many addresses have an answer.
struct Count {
    words: String,
    kind: &'static str,
    count: String,
}

/// The addresses of one answer, as many as are shown.
struct Group {
    title: String,
    rows: Vec<Row>,
    more: Option<String>,
}

/// An address with its reasons.
struct Row {
    address: String,
    path: Option<String>,
    reasons: Vec<Reason>,
    notes: Vec<String>,
}

/// Why not.
struct Reason {
    words: String,
    since: Moment,
    until: Option<Moment>,
    elsewhere: Option<String>,
}

/// What is no address.
struct Wrong {
    entry: String,
    place: String,
    problem: String,
}

/// How current the answer is.
struct Current {
    at: Moment,
    newest_label: String,
    newest: Option<Moment>,
    queue: String,
}

/// A form, or what is answered to it.
///
/// # Errors
/// The API's own, where the server is not theirs to see.
pub(super) async fn page(at: &AtServer<'_>, posts: bool) -> Result<Answer, Failed> {
    let mut sent = Sent::read(at, posts);
    if !posts || sent.problems != Problems::default() {
        return shown(at, sent, StatusCode::BAD_REQUEST, None);
    }
    let entries = entries(&sent.typed);
    let checked = match checked(at, &sent.stream, &entries).await {
        Ok(checked) => checked,
        Err(failed) => {
            return match wrong(at.visit.t(), &sent.stream, &failed) {
                Some(problems) => {
                    sent.problems = problems;
                    shown(at, sent, StatusCode::BAD_REQUEST, None)
                }
                None if failed.status == StatusCode::NOT_FOUND => Err(failed),
                None => not_checked(at, sent, &failed),
            };
        }
    };
    let Some(results) = in_order(&entries, &checked) else {
        return not_checked(at, sent, &Failed::fault("an entry has no verdict"));
    };
    if at.visit.request.form().text("as") == Some("csv") {
        let name = format!("check-{}-{}.csv", at.server, sent.stream);
        return Ok(respond::file(CSV, &name, table(&entries, &results)));
    }
    let outcome = outcome(at, &entries, &results, &checked);
    shown(at, sent, StatusCode::OK, Some(outcome))
}

impl Sent {
    fn read(at: &AtServer<'_>, posts: bool) -> Sent {
        let t = at.visit.t();
        if !posts {
            let asked = at.visit.request.asked();
            let only = Some(&at.known.streams).filter(|all| all.len() == 1).and_then(|all| all.keys().next());
            let stream = asked.text("stream").or(only.map(String::as_str)).unwrap_or_default();
            return Sent { typed: String::new(), stream: stream.to_owned(), problems: Problems::default() };
        }
        let form = at.visit.request.form();
        let typed = form.all("addresses").collect::<Vec<_>>().join("\n");
        let stream = form.text("stream").unwrap_or_default().to_owned();
        let problems = Problems {
            stream: wrong_stream(t, &stream),
            addresses: wrong_count(t, entries(&typed).len()),
            whole: None,
        };
        Sent { typed, stream, problems }
    }
}

fn wrong_stream(t: Texts, stream: &str) -> Option<String> {
    if stream.is_empty() {
        return Some(t.check_problem_no_stream());
    }
    ledger::stream::name(stream).is_err().then(|| t.check_problem_stream(stream))
}

fn wrong_count(t: Texts, count: usize) -> Option<String> {
    match count {
        0 => Some(t.check_problem_empty()),
        1..=ADDRESSES_MAX => None,
        _ => Some(t.check_problem_too_many(
            number(count),
            number(ADDRESSES_MAX),
            number(count - ADDRESSES_MAX),
        )),
    }
}

async fn checked(at: &AtServer<'_>, stream: &str, entries: &[String]) -> Result<Checked, Failed> {
    let request = CheckRequest {
        stream: stream.to_owned(),
        addresses: entries.to_vec(),
        unknown_stream: UnknownStream::Refuse,
    };
    let path = format!("/v1/servers/{}/check", at.server);
    at.ask(Ask::of(Method::POST, path).json(&request)).await
}

/// What the API finds wrong with what was sent, where that can be mended in a field.
fn wrong(t: Texts, stream: &str, failed: &Failed) -> Option<Problems> {
    let Why::Problem(problem) = &failed.why else { return None };
    match problem.code() {
        "unknown-stream" => {
            let near = problem.did_you_mean.as_ref().filter(|near| !near.is_empty());
            let near = near.map(|near| t.check_problem_near(one_of(t, near)));
            let words = [Some(t.check_problem_stream(stream)), near];
            let words = words.into_iter().flatten().collect::<Vec<_>>().join(" ");
            Some(Problems { stream: Some(words), ..Problems::default() })
        }
        "too-large" => Some(Problems { addresses: Some(t.check_problem_too_long()), ..Problems::default() }),
        _ => None,
    }
}

/// That nothing was checked, with everything that was typed.
fn not_checked(at: &AtServer<'_>, mut sent: Sent, failed: &Failed) -> Result<Answer, Failed> {
    let [_, detail, _] = failed.words(at.visit.t());
    sent.problems.whole = Some(detail);
    shown(at, sent, failed.status, None)
}

fn shown(
    at: &AtServer<'_>,
    sent: Sent,
    status: StatusCode,
    result: Option<Outcome>,
) -> Result<Answer, Failed> {
    let t = at.visit.t();
    let is_right = sent.problems == Problems::default();
    let page = CheckPage {
        t,
        frame: at.frame(),
        streams: streams(at, Some(&sent.stream)),
        is_typed: at.known.streams_more.is_some(),
        stream: sent.stream,
        typed: sent.typed,
        hint: t.check_addresses_hint(number(ADDRESSES_MAX)),
        is_of_another_time: !at.as_of.is_now(),
        problems: sent.problems,
        result,
    };
    respond::page(if is_right { StatusCode::OK } else { status }, &page)
}

fn outcome(at: &AtServer<'_>, entries: &[String], results: &[EntryResult<'_>], checked: &Checked) -> Outcome {
    let t = at.visit.t();
    let count = |wanted: &str| results.iter().filter(|result| kind(result) == wanted).count();
    let [send, risky, stop, invalid] = ["send", "risky", "stop", INVALID].map(count);
    let group = |wanted: &str, title: String, count: usize| Group {
        title,
        rows: rows(at, entries, results, (wanted, &checked.stream)),
        more: more(t, count),
    };
    let row = |words: String, kind, count| Count { words, kind, count: number(count) };
    Outcome {
        headline: headline(t, send, results.len(), &checked.stream),
        kind: match (stop + invalid, risky) {
            (0, 0) => "send",
            (0, _) => "risky",
            _ => "stop",
        },
        counts: vec![
            row(t.verdict_stop(), "stop", stop),
            row(t.verdict_risky(), "risky", risky),
            row(t.check_not_address(), "stop", invalid),
            row(t.verdict_send(), "send", send),
        ],
        stop: group("stop", t.check_stop_title(number(stop)), stop),
        risky: group("risky", t.check_risky_title(number(risky)), risky),
        invalid: wrongs(entries, results),
        invalid_title: t.check_invalid_title(number(invalid)),
        invalid_more: more(t, invalid),
        send: group("send", t.check_send_title(number(send)), send),
        current: current(at, checked),
    }
}

/// The answer in a sentence.
fn headline(t: Texts, send: usize, count: usize, stream: &str) -> String {
    match (send, count) {
        (0, 1) => t.check_result_none_one(stream),
        (1, 1) => t.check_result_all_one(stream),
        (0, _) => t.check_result_none(number(count), stream),
        _ if send == count => t.check_result_all(number(count), stream),
        _ => t.check_result_some(number(send), number(count), stream),
    }
}

fn more(t: Texts, count: usize) -> Option<String> {
    (count > SHOWN_MAX).then(|| t.check_more(number(count - SHOWN_MAX)))
}

fn rows(
    at: &AtServer<'_>,
    entries: &[String],
    results: &[EntryResult<'_>],
    (wanted, stream): (&str, &str),
) -> Vec<Row> {
    let t = at.visit.t();
    let of_kind = entries.iter().zip(results).filter_map(|(entry, result)| match result {
        EntryResult::Address(address) if kind(result) == wanted => Some((entry, *address)),
        _ => None,
    });
    let row = |(entry, address): (&String, &CheckedAddress)| {
        let cleaned = address.cleaned.as_ref().map(|cleaned| t.check_cleaned(cleaned));
        let also = Some(&address.also_asked).filter(|also| !also.is_empty());
        let also = also.map(|also| t.recipient_spellings(also.join(", ")));
        Row {
            address: entry.clone(),
            path: entry.strip_prefix("id:").map(|id| at.path(&format!("recipients/{}", segment(id)))),
            reasons: address.reasons.iter().map(|finding| reason(at, finding, stream)).collect(),
            notes: cleaned.into_iter().chain(also).collect(),
        }
    };
    of_kind.take(SHOWN_MAX).map(row).collect()
}

fn reason(at: &AtServer<'_>, finding: &Finding, stream: &str) -> Reason {
    let t = at.visit.t();
    let elsewhere = match finding.scope.as_str() {
        scope if scope == stream => None,
        WHOLE_SERVER => Some(t.reason_whole_server()),
        scope => Some(t.reason_elsewhere(scope)),
    };
    Reason {
        words: finding.words.clone(),
        since: at.visit.show(finding.since),
        until: finding.until.map(|until| at.visit.show(until)),
        elsewhere,
    }
}

fn wrongs(entries: &[String], results: &[EntryResult<'_>]) -> Vec<Wrong> {
    let all = entries.iter().zip(results).enumerate().filter_map(|(index, (entry, result))| match result {
        EntryResult::Invalid(problem) => {
            Some(Wrong { entry: entry.clone(), place: number(index + 1), problem: (*problem).to_owned() })
        }
        EntryResult::Address(_) => None,
    });
    all.take(SHOWN_MAX).collect()
}

fn current(at: &AtServer<'_>, checked: &Checked) -> Current {
    let t = at.visit.t();
    Current {
        at: at.visit.show(checked.as_of.at),
        newest_label: t.check_as_of_newest(&checked.stream),
        newest: checked.as_of.newest_event.map(|newest| at.visit.show(newest)),
        queue: queue(t, checked.as_of.critical_queue),
    }
}

fn queue(t: Texts, queue: CriticalQueue) -> String {
    match (queue.waiting, queue.oldest_seconds_at_most) {
        (None, _) => t.check_queue_unknown(),
        (Some(0), _) => t.check_queue_none(),
        (Some(waiting), None) => t.check_queue_waiting(number(waiting)),
        (Some(waiting), Some(seconds)) => t.check_queue_waiting_for(number(waiting), number(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_asked_is_told_beside_its_field() {
        let t = Texts::default();
        assert_eq!(wrong_count(t, ADDRESSES_MAX), None);
        assert!(wrong_count(t, 0).is_some());
        let many = wrong_count(t, ADDRESSES_MAX + 1_234).unwrap();
        assert!(many.contains("11,234") && many.contains("10,000") && many.contains("1,234"), "{many}");
        assert_eq!(wrong_stream(t, "outbound"), None);
        assert!(wrong_stream(t, "").is_some() && wrong_stream(t, "a/b").is_some());
    }

    #[test]
    fn the_headline_counts_what_nothing_speaks_against_and_never_more() {
        let t = Texts::default();
        assert_eq!(headline(t, 3, 3, "outbound"), t.check_result_all("3", "outbound"));
        assert_eq!(headline(t, 1, 3, "outbound"), t.check_result_some("1", "3", "outbound"));
        assert_eq!(headline(t, 0, 3, "outbound"), t.check_result_none("3", "outbound"));
        assert_eq!(headline(t, 0, 1, "outbound"), t.check_result_none_one("outbound"));
        assert_eq!(headline(t, 1, 1, "outbound"), t.check_result_all_one("outbound"));
    }

    #[test]
    fn the_queue_is_told_in_words() {
        let (t, of) =
            (Texts::default(), |waiting, seconds| CriticalQueue { waiting, oldest_seconds_at_most: seconds });
        assert_eq!(queue(t, of(None, Some(3))), t.check_queue_unknown());
        assert_eq!(queue(t, of(Some(0), Some(0))), t.check_queue_none());
        assert_eq!(queue(t, of(Some(2), None)), t.check_queue_waiting("2"));
        assert_eq!(queue(t, of(Some(2), Some(9))), t.check_queue_waiting_for("2", "9"));
    }
}

//! What the comparison with Postmark found, as sentences and rows. Nothing here asks anybody.

use super::super::shared::number;
use crate::texts::Texts;
use answers::{Completeness, CompletenessLine, Timestamp};
use jiff::ToSpan as _;
use jiff::civil::Date;
use ledger::Kind;
use std::collections::{BTreeMap, BTreeSet};

/// What repeated opens are found as.
const REPEATED: &str = "Open, repeated";
/// For how many days a stream may lag behind the others until it counts as one that is not compared any more.
const LAG_DAYS: i64 = 3;
/// How many days that were not compared are named.
const HOLES_NAMED: usize = 5;

/// What was found of a type on a stream's day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The day, in US Eastern time.
    pub day: Date,
    /// The stream.
    pub stream: String,
    /// The type, as the API names it.
    pub kind: String,
    /// The counts.
    pub counts: CompletenessLine,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// By type, those of which there are none left out; the latest day first.
    pub lines: Vec<Line>,
    /// The days on which each stream was compared.
    compared: BTreeMap<String, BTreeSet<Date>>,
    /// When something was last compared.
    pub last: Option<Timestamp>,
}

impl Found {
    /// What the API answers, without what `keep` does not want: a day, its stream, and when that was compared.
    pub(super) fn of(told: Completeness, keep: impl Fn(&str, &str, Timestamp) -> bool) -> Found {
        let mut found = Found::default();
        for (day, streams) in told.days.into_iter().rev() {
            let Ok(date) = day.parse::<Date>() else { continue };
            for (stream, of) in streams.into_iter().filter(|(stream, of)| keep(&day, stream, of.as_of)) {
                found.compared.entry(stream.clone()).or_default().insert(date);
                found.last = found.last.max(Some(of.as_of));
                let some = of.lines.into_iter().filter(|(_, counts)| *counts != NONE);
                let line = |(kind, counts)| Line { day: date, stream: stream.clone(), kind, counts };
                found.lines.extend(some.map(line));
            }
        }
        found
    }

    /// Whether nothing was compared.
    pub(super) fn is_empty(&self) -> bool {
        self.compared.is_empty()
    }

    /// What is missing without a known reason: what matters most first, then the latest.
    pub(super) fn gaps(&self) -> Vec<&Line> {
        let mut gaps: Vec<&Line> = self.lines.iter().filter(|line| line.counts.unexplained > 0).collect();
        gaps.sort_by_key(|line| (weight(&line.kind), std::cmp::Reverse(line.day)));
        gaps
    }

    /// The first and the last day that all streams are compared for which are still compared.
    fn span(&self) -> Option<(Date, Date)> {
        let first = self.compared.values().filter_map(BTreeSet::first).min()?;
        let last = self.current().filter_map(|(_, days)| days.last()).min()?;
        Some((*first, *last))
    }

    /// The streams that are still compared.
    fn current(&self) -> impl Iterator<Item = (&String, &BTreeSet<Date>)> {
        let latest = self.compared.values().filter_map(BTreeSet::last).max().copied().unwrap_or_default();
        let since = latest.saturating_sub(LAG_DAYS.days());
        self.compared.iter().filter(move |(_, days)| days.last().is_some_and(|last| *last >= since))
    }

    /// The days within their time on which streams were not compared that are still compared.
    fn holes(&self) -> Vec<(Date, &str)> {
        let Some((_, last)) = self.span() else { return Vec::new() };
        let mut holes = Vec::new();
        for (stream, days) in self.current() {
            let Some(first) = days.first() else { continue };
            let all = first.series(1.day()).take_while(|day| *day <= last);
            holes.extend(all.filter(|day| !days.contains(day)).map(|day| (day, stream.as_str())));
        }
        holes.sort_by(|one, other| other.cmp(one));
        holes
    }

    /// What is known, in a sentence, and how good it is by the style's name.
    pub(super) fn sentence(&self, t: Texts) -> (&'static str, String) {
        let Some((from, to)) = self.span() else { return ("risky", t.truth_nothing()) };
        let gaps = self.gaps();
        match gaps.as_slice() {
            [] => {}
            [only] => return ("stop", missing(t, only)),
            [first, ..] => {
                let count: u64 = gaps.iter().map(|line| line.counts.unexplained).sum();
                let days = gaps.iter().map(|line| line.day).collect::<BTreeSet<_>>().len();
                let days = if days == 1 { t.truth_day_one() } else { t.truth_days(number(days)) };
                return ("stop", t.truth_missing_more(events(t, count), days, missing(t, first)));
            }
        }
        let (first, last) = (date(from), date(to));
        let lost: u64 = self.lines.iter().map(|line| line.counts.unrecoverable).sum();
        if !self.holes().is_empty() {
            ("risky", t.truth_compared(first, last))
        } else if lost > 0 {
            ("send", t.truth_complete_but(first, last, self.lost(t, lost)))
        } else if from == to {
            ("send", t.truth_complete_day(last))
        } else {
            ("send", t.truth_complete(first, last))
        }
    }

    /// What cannot be recovered, in words.
    fn lost(&self, t: Texts, lost: u64) -> String {
        let is_of_others = |line: &Line| line.counts.unrecoverable > 0 && line.kind != REPEATED;
        if self.lines.iter().any(is_of_others) { events(t, lost) } else { counted(t, REPEATED, lost) }
    }

    /// What else is to be known: which streams are not compared any more, or were not at all, and which days.
    pub(super) fn notes<'a>(&self, t: Texts, known: impl Iterator<Item = &'a str>) -> Vec<String> {
        let current: BTreeSet<&String> = self.current().map(|(stream, _)| stream).collect();
        let stopped = self.compared.iter().filter(|(stream, _)| !current.contains(stream));
        let stopped = stopped.filter_map(|(stream, days)| Some(t.truth_stopped(stream, date(*days.last()?))));
        let mut notes: Vec<String> = stopped.collect();
        let never: Vec<&str> = known.filter(|stream| !self.compared.contains_key(*stream)).collect();
        if !never.is_empty() && !self.is_empty() {
            notes.push(t.truth_never(some(t, never.iter().map(|stream| (*stream).to_owned()))));
        }
        let holes = self.holes();
        if !holes.is_empty() {
            let named = holes.iter().map(|(day, stream)| t.truth_hole(date(*day), stream));
            notes.push(t.truth_holes(some(t, named)));
        }
        notes
    }
}

const NONE: CompletenessLine =
    CompletenessLine { expected: 0, received: 0, recovered: 0, unrecoverable: 0, unexplained: 0 };

/// A day as people read it.
pub(super) fn date(day: Date) -> String {
    day.strftime("%-d %b %Y").to_string()
}

/// The first of many, and how many more there are.
fn some(t: Texts, all: impl ExactSizeIterator<Item = String>) -> String {
    let more = all.len().saturating_sub(HOLES_NAMED);
    let named = all.take(HOLES_NAMED).collect::<Vec<_>>().join(", ");
    if more == 0 { named } else { t.truth_and_more(named, number(more)) }
}

/// How much it matters that something of a type is missing, the most first: who may be mailed hangs on these.
fn weight(kind: &str) -> usize {
    let kinds = [Kind::SpamComplaint, Kind::SubscriptionChange, Kind::Bounce, Kind::Delivery, Kind::Click];
    kinds.iter().position(|known| known.name() == kind).unwrap_or(kinds.len())
}

/// That something is missing.
fn missing(t: Texts, line: &Line) -> String {
    let count = line.counts.unexplained;
    let (what, day) = (counted(t, &line.kind, count), date(line.day));
    match count {
        1 => t.truth_missing_one(what, day, &line.stream),
        _ => t.truth_missing_many(what, day, &line.stream),
    }
}

fn events(t: Texts, count: u64) -> String {
    if count == 1 { t.truth_one_event() } else { t.truth_count_events(number(count)) }
}

/// So many events of a type.
fn counted(t: Texts, kind: &str, count: u64) -> String {
    let (one, shown) = (count == 1, number(count));
    match Kind::named(kind) {
        Some(Kind::Delivery) if one => t.truth_one_delivery(),
        Some(Kind::Delivery) => t.truth_count_deliveries(shown),
        Some(Kind::Bounce) if one => t.truth_one_bounce(),
        Some(Kind::Bounce) => t.truth_count_bounces(shown),
        Some(Kind::SpamComplaint) if one => t.truth_one_complaint(),
        Some(Kind::SpamComplaint) => t.truth_count_complaints(shown),
        Some(Kind::Open) if one => t.truth_one_open(),
        Some(Kind::Open) => t.truth_count_opens(shown),
        Some(Kind::Click) if one => t.truth_one_click(),
        Some(Kind::Click) => t.truth_count_clicks(shown),
        Some(Kind::SubscriptionChange) if one => t.truth_one_change(),
        Some(Kind::SubscriptionChange) => t.truth_count_changes(shown),
        _ if kind == REPEATED && one => t.truth_one_repeated(),
        _ if kind == REPEATED => t.truth_count_repeated(shown),
        _ if one => t.truth_one_other(kind),
        _ => t.truth_count_others(shown, kind),
    }
}

/// A type, as a table names it; one that a later release adds as it came.
pub(in crate::pages) fn type_words(t: Texts, kind: &str) -> String {
    match Kind::named(kind) {
        Some(Kind::Delivery) => t.truth_type_deliveries(),
        Some(Kind::Bounce) => t.truth_type_bounces(),
        Some(Kind::SpamComplaint) => t.truth_type_complaints(),
        Some(Kind::Open) => t.truth_type_opens(),
        Some(Kind::Click) => t.truth_type_clicks(),
        Some(Kind::SubscriptionChange) => t.truth_type_changes(),
        Some(Kind::Observed | Kind::Decision) | None if kind == REPEATED => t.truth_type_repeated(),
        Some(Kind::Observed | Kind::Decision) | None => kind.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const T: Texts = Texts(crate::texts::Language::English);

    fn line(expected: u64, unrecoverable: u64, unexplained: u64) -> Value {
        json!({
            "expected": expected, "received": expected - unrecoverable - unexplained, "recovered": 0,
            "unrecoverable": unrecoverable, "unexplained": unexplained,
        })
    }

    fn found(days: Value) -> Found {
        let told = json!({ "server": 8_123_456, "from": "2026-11-01", "to": "2026-11-30", "days": days });
        Found::of(serde_json::from_value(told).unwrap(), |_, _, _| true)
    }

    fn day(lines: Value) -> Value {
        json!({ "as_of": "2026-11-30T06:00:00Z", "lines": lines })
    }

    fn sentence(days: Value) -> (&'static str, String) {
        found(days).sentence(T)
    }

    #[test]
    fn where_nothing_was_compared_nothing_is_said_to_be_complete() {
        assert_eq!(sentence(json!({})), ("risky", T.truth_nothing()));
        assert_eq!(found(json!({})).notes(T, ["outbound"].into_iter()), [""; 0]);
    }

    #[test]
    fn all_that_postmark_counts_is_recorded_from_the_first_to_the_last_day() {
        let full = day(json!({ "Delivery": line(10, 0, 0), "Bounce": line(0, 0, 0) }));
        let told =
            sentence(json!({ "2026-11-28": { "outbound": full }, "2026-11-29": { "outbound": full } }));
        let words = "Everything that Postmark counts from 28 Nov 2026 to 29 Nov 2026 has been recorded.";
        assert_eq!(told, ("send", words.to_owned()));
        let told = sentence(json!({ "2026-11-29": { "outbound": full } }));
        assert_eq!(told.1, "Everything that Postmark counts on 29 Nov 2026 has been recorded.");
        let lines = found(json!({ "2026-11-29": { "outbound": full } })).lines;
        assert_eq!(lines.len(), 1, "a type of which there is none makes no row");
    }

    #[test]
    fn what_nobody_reports_again_is_told_and_is_no_gap() {
        let lost = |kind: &str, count| json!({ "2026-11-29": { "outbound": day(json!({ kind: line(9, count, 0) })) } });
        let (kind, words) = sentence(lost(REPEATED, 1));
        assert_eq!(kind, "send");
        assert!(words.ends_with("except for 1 repeated open that nobody reports a second time."), "{words}");
        assert!(sentence(lost("Open", 2)).1.contains("except for 2 events"));
    }

    #[test]
    fn one_gap_is_told_by_its_type_day_and_stream() {
        let gap = |kind: &str, count| json!({ "2026-11-27": { "outbound": day(json!({ kind: line(9, 0, count) })) } });
        let told = sentence(gap("Bounce", 3));
        let words = "3 bounces of 27 Nov 2026 on outbound are missing, without a known reason.";
        assert_eq!(told, ("stop", words.to_owned()));
        let words = "1 spam complaint of 27 Nov 2026 on outbound is missing, without a known reason.";
        assert_eq!(sentence(gap("SpamComplaint", 1)).1, words);
        assert!(sentence(gap("Teleport", 2)).1.starts_with("2 events of the type Teleport of 27 Nov 2026"));
    }

    #[test]
    fn of_several_gaps_the_sum_is_told_and_the_gravest() {
        let told = sentence(json!({
            "2026-11-27": { "outbound": day(json!({ "Open": line(2_000, 0, 1_200), "Bounce": line(4, 0, 1) })) },
            "2026-11-28": { "broadcasts": day(json!({ "Delivery": line(4, 0, 4) })) },
        }));
        let words = "1,205 events are missing without a known reason, on 2 days. First of all: 1 bounce of 27 Nov \
                     2026 on outbound is missing, without a known reason.";
        assert_eq!(told.1, words);
    }

    #[test]
    fn a_day_that_was_not_compared_is_named_and_a_stream_that_stopped_ends_nothing() {
        let full = day(json!({ "Delivery": line(10, 0, 0) }));
        let of = |days: &[(u32, &[&str])]| {
            let days = days.iter().map(|(day, streams)| {
                let streams: BTreeMap<&str, Value> =
                    streams.iter().map(|stream| (*stream, full.clone())).collect();
                (format!("2026-11-{day:02}"), json!(streams))
            });
            found(Value::Object(days.collect()))
        };
        let told =
            of(&[(20, &["a", "old"]), (26, &["a", "b"]), (27, &["b"]), (28, &["a", "b"]), (29, &["b"])]);
        let (kind, words) = told.sentence(T);
        assert_eq!(kind, "risky");
        assert!(words.contains("from 20 Nov 2026 to 28 Nov 2026"), "the slower one says how far: {words}");
        let notes = told.notes(T, ["a", "b", "new"].into_iter());
        assert!(
            notes[0].starts_with("old is not compared any more; the last day was 20 Nov 2026"),
            "{notes:?}"
        );
        assert_eq!(notes[1], "Not compared in this time: new.");
        let holes = "Not compared yet: 27 Nov 2026 on a, 25 Nov 2026 on a, 24 Nov 2026 on a, 23 Nov 2026 on a, 22 Nov 2026 \
                     on a, and 1 more.";
        assert_eq!(notes[2], holes);
    }

    #[test]
    fn what_is_not_wanted_counts_for_nothing() {
        let gap = day(json!({ "Bounce": line(4, 0, 1) }));
        let told = json!({
            "server": 8_123_456, "from": "2026-11-01", "to": "2026-11-30",
            "days": { "2026-11-27": { "outbound": gap, "broadcasts": gap }, "no day": { "outbound": gap } },
        });
        let told: Completeness = serde_json::from_value(told).unwrap();
        let found = Found::of(told.clone(), |_, stream, _| stream == "outbound");
        assert_eq!(found.gaps().len(), 1);
        assert!(Found::of(told, |_, _, _| false).is_empty());
    }

    #[test]
    fn every_type_has_words() {
        for kind in ["Delivery", "Bounce", "SpamComplaint", "Open", "Click", "SubscriptionChange", REPEATED] {
            assert_ne!(type_words(T, kind), kind);
            assert!(!counted(T, kind, 2).contains(kind) && counted(T, kind, 1).starts_with("1 "), "{kind}");
        }
        assert_eq!(type_words(T, "Teleport"), "Teleport");
    }
}

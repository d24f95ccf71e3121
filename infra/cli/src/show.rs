//! Answers as people read them.

use crate::terminal::{self, visible};
use answers::{FindingWithEvidence, RecipientStream, Word};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width};
use erasure::Swept;
use ledger::Time;
use ledger::event::WHOLE_SERVER;
use ledger::verdict::Verdict;
use operator::{Listed, OnQueue, Redriven};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use store::rebuild::{Difference, Report};

/// How deep into a view a difference is named: `streams/outbound/listed`.
const DIFFERENCE_DEPTH: usize = 3;
/// Up to which length a cell is not broken, as far as there is room: an address or a key; else what is as short as a time
/// or a verdict; else nothing is whole.
const WHOLE: [usize; 3] = [40, 22, 0];

/// A table with a head. What stands in a cell is nothing that a terminal would obey.
pub fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    fitting(head, rows, &[])
}

/// A table of which a terminal that is too narrow shows less: the columns that are to spare are left out one after the
/// other, and what is still too wide is wrapped.
pub fn fitting<const N: usize>(
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
    spare: &[&str],
) -> String {
    laid_out(&head, &visible_rows(rows), spare, terminal::width())
}

fn visible_rows<const N: usize>(rows: impl IntoIterator<Item = [String; N]>) -> Vec<Vec<String>> {
    rows.into_iter().map(|row| row.map(|cell| visible(&cell).into_owned()).to_vec()).collect()
}

/// A table of which each row stands upright, a line for each of its cells, where the terminal is too narrow for it.
pub fn upright<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let across = laid_out(&head, &visible_rows(rows.iter().cloned()), &[], None);
    if terminal::width().is_none_or(|width| across.lines().all(|line| line.chars().count() <= width)) {
        return across;
    }
    let [first, rest @ ..] = &head[..] else { return across };
    let lines = rows.iter().flat_map(|row| {
        // What a row is about stands on its first line only.
        let about = std::iter::once(&*row[0]).chain(std::iter::repeat(""));
        let cells = rest.iter().zip(&row[1..]);
        about.zip(cells).map(|(about, (name, cell))| [about.to_owned(), (*name).to_owned(), cell.clone()])
    });
    table([first, "", ""], lines)
}

fn laid_out(head: &[&str], rows: &[Vec<String>], spare: &[&str], width: Option<usize>) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(head).add_rows(rows);
    let Some(most) = width else { return lines(&table) };
    // A line before each column and at the end, and a space on both sides of each.
    let wide: Vec<usize> = table.column_max_content_widths().iter().map(|n| usize::from(*n) + 3).collect();
    let mut total = wide.iter().sum::<usize>() + 1;
    let mut left_out = Vec::new();
    for column in spare {
        if let Some(at) = head.iter().position(|name| name == column).filter(|_| total > most) {
            total -= wide[at];
            left_out.push(*column);
        }
    }
    let note = match &*left_out {
        [] => String::new(),
        some => format!("\n(left out here, shown by --wide: {})", some.join(", ")),
    };
    table.set_width(u16::try_from(most).unwrap_or(u16::MAX));
    for whole in WHOLE {
        for (at, column) in table.column_iter_mut().enumerate() {
            column.set_constraint(match left_out.contains(&head[at]) {
                true => ColumnConstraint::Hidden,
                false => ColumnConstraint::LowerBoundary(Width::Fixed(unbroken(head, rows, at, whole))),
            });
        }
        let shown = lines(&table);
        if shown.lines().all(|line| line.chars().count() <= most) {
            return shown + &note;
        }
    }
    // The terminal is too narrow even for that.
    lines(&table) + &note
}

/// How wide a column is at least: a word of its head is not broken, nor cells that are not longer than `whole`.
fn unbroken(head: &[&str], rows: &[Vec<String>], at: usize, whole: usize) -> u16 {
    let long = |text: &str| text.chars().count();
    let body = rows.iter().map(|row| long(&row[at])).max().filter(|width| *width <= whole);
    let word = head[at].split(' ').map(long).max().filter(|_| whole > 0);
    let widest = body.unwrap_or_default().max(word.unwrap_or_default()).max(1);
    // With a space on both sides.
    u16::try_from(widest + 2).unwrap_or(1)
}

fn lines(table: &Table) -> String {
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// A time to the second, in UTC.
pub fn time(time: Time) -> String {
    let text = time.to_string();
    format!("{} {}Z", &text[..10], &text[11..19])
}

fn scope(scope: &str) -> Cow<'_, str> {
    if scope == WHOLE_SERVER { Cow::Borrowed("whole server") } else { visible(scope) }
}

/// The head of the lines of the ledger.
pub const ROW: [&str; 5] = ["address", "stream", "verdict", "why", "since (UTC)"];

/// One line of the ledger, under [`ROW`].
pub fn row(address: &str, stream: &str, answer: &RecipientStream) -> [String; 5] {
    let strictest = answer.reasons.first();
    [
        address.to_owned(),
        stream.to_owned(),
        verdict(&answer.verdict),
        strictest.map(reason).unwrap_or_default(),
        strictest.map(|reason| time(reason.finding.since.0)).unwrap_or_default(),
    ]
}

/// What was set aside.
pub fn quarantine(listed: &[Listed]) -> String {
    if listed.is_empty() {
        return "Nothing was set aside in that time.".to_owned();
    }
    let rows = listed.iter().map(|one| {
        let replayed = one.replayed_at.map(|at| time(at.0)).unwrap_or_default();
        [
            one.key.clone(),
            time(one.received_at.0),
            one.server.to_string(),
            one.detail.clone(),
            one.reason.clone(),
            replayed,
        ]
    });
    fitting(["key", "received", "server", "why", "reason", "replayed"], rows, &["received", "reason"])
}

/// What was swept.
pub fn swept(swept: &Swept) -> String {
    let Swept { recipients, failed, events, parts, letters, .. } = swept;
    format!(
        "swept what is left of {recipients} recipients: {events} events, {parts} parts in quarantine and {letters} dead \
         letters were stripped; {failed} recipients are left for the next time"
    )
}

/// What became of dead letters.
pub fn redriven(redriven: &Redriven, dry_run: bool) -> String {
    let Redriven { queue, found, moved, left } = redriven;
    if dry_run {
        format!("about {found} dead letters could go back to the {queue} queue")
    } else {
        let left = match left {
            0 => String::new(),
            left => format!(
                "; left {left}: their senders may tell of webhooks only, and they tell something else (the runbook, \
                 quarantine-growing)"
            ),
        };
        format!("moved {moved} of about {found} dead letters back to the {queue} queue{left}")
    }
}

/// What is on the queues.
pub fn queues(queues: &[OnQueue]) -> String {
    let row = |on: &OnQueue| {
        let [waiting, in_flight, dead] = [on.waiting, on.in_flight, on.dead].map(|n| n.to_string());
        [on.queue.clone(), waiting, in_flight, dead]
    };
    table(["queue", "waiting", "being consumed", "dead letters"], queues.iter().map(row))
}

/// A verdict as people spell it.
pub fn verdict(verdict: &Word<Verdict>) -> String {
    match verdict {
        Word::Known(verdict) => verdict.words().to_owned(),
        Word::Other(other) => other.replace('_', " "),
    }
}

/// A reason in words, with all that decided it.
pub fn reason(reason: &FindingWithEvidence) -> String {
    let mut words = reason.finding.words.clone();
    if let Some(soft) = &reason.soft {
        let _ = write!(
            words,
            ": {} of {} on {} messages since {}, last delivery {}",
            soft.count,
            soft.policy.count,
            soft.messages,
            soft.first.0.day(),
            soft.last_delivery.map_or_else(|| "never".to_owned(), |last| last.0.day())
        );
    }
    if let Some(until) = reason.finding.until {
        let _ = write!(words, "; until {}", time(until.0));
    }
    words
}

/// What a comparison with the events found: every difference, in short.
pub fn rebuild(report: &Report) -> String {
    let mut out = String::new();
    if !report.differences.is_empty() {
        let rows = report.differences.iter().map(difference);
        let _ = writeln!(out, "{}\n", table(["what", "whose", "where", "how"], rows));
    }
    for (stream, hour) in &report.busy {
        let _ =
            writeln!(out, "{} was counted on meanwhile in the hour of {hour}: not compared", visible(stream));
    }
    let Report { events, views, hours, differences, .. } = report;
    let found = match differences.len() {
        0 => "nothing differs".to_owned(),
        1 => "1 difference".to_owned(),
        more => format!("{more} differences"),
    };
    let _ =
        write!(out, "{events} events folded, {views} views and {hours} hours of counts compared: {found}.");
    out
}

/// A difference as a line: what, whose, where, how.
fn difference(difference: &Difference) -> [String; 4] {
    let presence = |stored, folded| match (stored, folded) {
        (false, _) => "is missing",
        (_, false) => "has no events",
        _ => "differs",
    };
    match difference {
        Difference::View { recipient, stored, folded } => {
            let mut places = BTreeSet::new();
            if let (Some(stored), Some(folded)) = (stored, folded) {
                let read = |text: &String| serde_json::from_str(text).unwrap_or_default();
                differing(&read(stored), &read(folded), &mut Vec::new(), &mut places);
            }
            let places: Vec<String> = places.into_iter().collect();
            let how = presence(stored.is_some(), folded.is_some()).to_owned();
            ["view".to_owned(), recipient.to_string(), places.join(" "), how]
        }
        Difference::Row { recipient, stream, stored, folded } => {
            let how = if *folded { presence(*stored, true) } else { "should not be there" };
            ["row".to_owned(), recipient.to_string(), scope(stream).into_owned(), how.to_owned()]
        }
        Difference::Counts { stream, hour, stored, counted } => {
            let of =
                |counts: &BTreeMap<String, i64>, measure| counts.get(measure).copied().unwrap_or_default();
            let measures: BTreeSet<&String> = stored.keys().chain(counted.keys()).collect();
            let words = measures.into_iter().filter(|measure| of(stored, *measure) != of(counted, *measure));
            let words = words.map(|measure| {
                format!("{measure}: {} stored, {} recorded", of(stored, measure), of(counted, measure))
            });
            let words: Vec<String> = words.collect();
            ["counts".to_owned(), stream.clone(), hour.clone(), words.join("; ")]
        }
    }
}

/// The places at which two JSON values differ, as paths.
fn differing(stored: &Value, folded: &Value, path: &mut Vec<String>, places: &mut BTreeSet<String>) {
    if stored == folded {
        return;
    }
    if let (Value::Object(stored), Value::Object(folded)) = (stored, folded)
        && path.len() < DIFFERENCE_DEPTH
    {
        for name in stored.keys().chain(folded.keys()).collect::<BTreeSet<_>>() {
            path.push(name.clone());
            let of = |of: &serde_json::Map<String, Value>| of.get(name).cloned().unwrap_or_default();
            differing(&of(stored), &of(folded), path, places);
            path.pop();
        }
        return;
    }
    places.insert(path.join("/"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_fits_its_terminal_and_is_whole_where_there_is_none() {
        let head = ["time", "whom", "message"];
        let id = "883953f4-6105-42a2-a16a-77a8eac79483";
        let address = format!("{}@customer.example", "ida.moreau.".repeat(3));
        let rows = [vec!["2026-11-21 08:00:00Z".to_owned(), address.clone(), id.to_owned()]];
        let wide = |text: &str| text.lines().map(|line| line.chars().count()).max().unwrap();
        let whole = laid_out(&head, &rows, &["message"], None);
        assert!(whole.contains(&address) && whole.contains(id) && wide(&whole) > 80, "{whole}");
        assert!(laid_out(&head, &rows, &["message"], Some(200)).contains(id));
        for width in [80, 60] {
            let narrow = laid_out(&head, &rows, &["message"], Some(width));
            assert!(wide(&narrow) <= width && narrow.contains("2026-11-21 08:00:00Z"), "{narrow}");
            assert!(!narrow.contains("883953f4") && narrow.contains("--wide"), "{narrow}");
        }
        assert!(wide(&laid_out(&head, &rows, &[], Some(80))) <= 80, "what is not to spare is wrapped");
    }

    #[test]
    fn a_difference_between_views_is_told_by_its_place_and_not_by_the_whole_view() {
        let view = |at: i64| json!({ "address": "a@x.example", "streams": { "outbound": { "listed": { "manual": [{ "at": at }] } } } });
        let recipient = ledger::LedgerKey::for_tests().recipient_id(ledger::ServerId::NONE, "a@x.example");
        let differs = Difference::View {
            recipient,
            stored: Some(view(1).to_string()),
            folded: Some(view(2).to_string()),
        };
        let shown = rebuild(&Report { events: 3, views: 1, differences: vec![differs], ..Report::default() });
        assert!(
            shown.contains(&recipient.to_string()) && shown.contains("streams/outbound/listed"),
            "{shown}"
        );
        assert!(!shown.contains("a@x.example") && shown.contains("1 difference."), "{shown}");
    }

    #[test]
    fn counts_that_differ_are_told_by_measure_and_those_that_do_not_are_not() {
        let counts = |of: &[(&str, i64)]| of.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
        let shown = difference(&Difference::Counts {
            stream: "outbound".to_owned(),
            hour: "2026-11-21T08".to_owned(),
            stored: counts(&[("delivered", 3), ("open_first", 1)]),
            counted: counts(&[("delivered", 4), ("open_first", 1)]),
        });
        assert_eq!(shown[3], "delivered: 3 stored, 4 recorded");
    }
}

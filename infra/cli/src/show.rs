//! Answers as people read them.

use crate::embedded::admin::Listed;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use ledger::Time;
use ledger::event::WHOLE_SERVER;
use ledger::verdict::{Reason, Verdict};
use std::fmt::Write;
use store::ask::{Counted, StreamAnswer, Told};

/// How many of the latest events a timeline shows to people.
const TIMELINE_SHOWN: usize = 30;

/// A table with a head.
pub fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(head);
    rows.into_iter().for_each(|row| {
        table.add_row(row);
    });
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// A time to the second, in UTC.
pub fn time(time: Time) -> String {
    let text = time.to_string();
    format!("{} {}Z", &text[..10], &text[11..19])
}

/// A reason in words, with all that decided it.
pub fn reason(reason: &Reason) -> String {
    let mut words = reason.code.words().to_owned();
    if let Some(soft) = &reason.soft {
        let _ = write!(
            words,
            ": {} of {} on {} messages since {}, last delivery {}",
            soft.count,
            soft.policy.count,
            soft.messages,
            soft.first.day(),
            soft.last_delivery.map_or_else(|| "never".to_owned(), Time::day)
        );
    }
    if let Some(until) = reason.until {
        let _ = write!(words, "; until {}", time(until));
    }
    words
}

fn scope(scope: &str) -> &str {
    if scope == WHOLE_SERVER { "whole server" } else { scope }
}

/// One line of the ledger: address, stream, verdict, why, since.
pub fn row(address: &str, stream: &str, answer: &StreamAnswer) -> [String; 5] {
    let strictest = answer.answer.reasons.first();
    [
        address.to_owned(),
        stream.to_owned(),
        answer.answer.verdict.words().to_owned(),
        strictest.map(reason).unwrap_or_default(),
        strictest.map(|reason| time(reason.since)).unwrap_or_default(),
    ]
}

/// The whole answer about a recipient.
pub fn recipient(told: &Told) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}  (server {}, recipient {})", told.address, told.server, told.recipient_id);
    let _ = write!(out, "as of {}", time(told.at));
    if let Some(known_at) = told.known_at {
        let _ = write!(out, ", by what had come in by {}", time(known_at));
    }
    out.push('\n');
    if !told.known {
        let _ = writeln!(out, "\nNothing was recorded about this address by then.");
    }
    for (stream, answer) in &told.streams {
        let kind = format!("{:?}", answer.kind).to_lowercase();
        let _ = writeln!(out, "\n{stream} ({kind}): {}", answer.answer.verdict.words().to_uppercase());
        if !answer.stream_known {
            let _ =
                writeln!(out, "  CAUTION: nothing is recorded on a stream of this name here; is it a slip?");
        }
        for found in &answer.answer.reasons {
            let _ = writeln!(
                out,
                "  - {} [{}]\n      since {}, {}, on {}",
                reason(found),
                serde_json::to_value(found.code)
                    .ok()
                    .and_then(|code| code.as_str().map(str::to_owned))
                    .unwrap_or_default(),
                time(found.since),
                match found.verdict {
                    Verdict::Send => "no objection",
                    Verdict::Risky => "a risk",
                    Verdict::DoNotSend => "a ban",
                },
                scope(&found.scope)
            );
            let evidence: Vec<String> = found.evidence.iter().map(ToString::to_string).collect();
            let _ = writeln!(out, "      evidence {}", evidence.join(" "));
        }
        if let Some(lifted) = answer.lifted {
            let _ = writeln!(out, "  lifted from Postmark's list at {} ({})", time(lifted.at), lifted.event);
        }
        if let Some(allowed) = answer.allowed {
            let _ = writeln!(out, "  allowed by you at {} ({})", time(allowed.at), allowed.event);
        }
        if let Some(last) = answer.bounces.last() {
            let class = format!("{:?}", last.class).to_lowercase();
            let _ = writeln!(
                out,
                "  {} bounces kept, the last {class} at {}",
                answer.bounces.len(),
                time(last.at)
            );
        }
        if answer.soft_evidence_incomplete {
            let _ = writeln!(out, "  deliveries that could have cleared soft bounces may have expired");
        }
    }
    if !told.timeline.is_empty() {
        let from = told.timeline.len().saturating_sub(TIMELINE_SHOWN);
        let rows = told.timeline[from..].iter().map(|entry| {
            let source = format!("{:?}", entry.source).to_lowercase();
            let note = entry.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
            let event = format!("{}{note}", entry.measure);
            [time(entry.time), entry.stream.clone(), event, source, entry.identity.to_string()]
        });
        let _ = writeln!(out, "\n{}", table(["time", "stream", "event", "told by", "identity"], rows));
        if from > 0 || told.timeline_truncated {
            let _ = writeln!(out, "({from} earlier events are not shown; --json shows more)");
        }
    }
    out.trim_end().to_owned()
}

/// Counts, one measure a line.
pub fn counts(counted: &Counted) -> String {
    let rows = counted.iter().flat_map(|(stream, slots)| {
        slots.iter().flat_map(move |(slot, counts)| {
            counts
                .iter()
                .map(move |(measure, n)| [stream.clone(), slot.clone(), measure.clone(), n.to_string()])
        })
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        "Nothing was counted in that time.".to_owned()
    } else {
        table(["stream", "when (UTC)", "measure", "count"], rows)
    }
}

/// What was set aside.
pub fn quarantine(listed: &[Listed]) -> String {
    if listed.is_empty() {
        return "Nothing was set aside in that time.".to_owned();
    }
    let rows = listed.iter().map(|one| {
        let replayed = one.replayed_at.map(time).unwrap_or_default();
        [
            one.key.clone(),
            time(one.received_at),
            one.server.to_string(),
            one.detail.clone(),
            one.reason.clone(),
            replayed,
        ]
    });
    table(["key", "received", "server", "why", "reason", "replayed"], rows)
}

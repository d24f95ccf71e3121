//! The command `recipient`: may this address be mailed, if not why not, in whose words, and what may be done now.

use crate::api::{Api, Request};
use crate::args::api::Recipient as Args;
use crate::format::{self, Columns, Form};
use crate::progress::progress;
use crate::several::{self, Chosen};
use crate::target::Context;
use crate::terminal::{USUAL_WIDTH, visible};
use crate::{Failure, say, show, tell};
use answers::{Entry, FindingWithEvidence, Recipient, RecipientStream, Timeline, Timestamp, Word};
use ledger::ServerId;
use ledger::verdict::{Code, Verdict};
use serde::Serialize;
use std::collections::VecDeque;
use std::fmt::Write;
use std::process::ExitCode;

/// How many of the latest events are shown.
const LATEST: usize = 12;
/// How many events a page has.
const PAGE: usize = 500;
/// How many pages are read for the latest events: somebody who was mailed more often is asked about by `timeline`.
const PAGES_MAX: usize = 20;

/// The command.
///
/// # Errors
/// Where the ledger cannot be asked, or does not know the server or stream.
pub(super) fn run(args: &Args, context: &Context, form: Form) -> Result<ExitCode, Failure> {
    let ledger = Api::open(&args.access, context)?;
    let named = match args.server {
        Some(server) => Some(server),
        None => context.config.server()?,
    };
    let Some(server) = named else { return everywhere(args, &ledger, form) };
    let json = form.json()?;
    let name = server.to_string();
    let place = ["servers", &*name, "recipients", &*args.address];
    let told = ledger.ask(&request(args, server))?;
    if json {
        say(serde_json::to_string_pretty(&told.json()?)?);
        return Ok(ExitCode::SUCCESS);
    }
    let recipient: Recipient = told.read()?;
    let history = History::of(&ledger, &place, &recipient)?;
    say(text(server, &recipient, &history));
    Ok(ExitCode::SUCCESS)
}

fn request(args: &Args, server: ServerId) -> Request {
    Request::get(&["servers", &server.to_string(), "recipients", &args.address])
        .with("stream", args.stream.as_ref())
        .unknown(args.unknown)
        .with("at", args.at)
        .with("known_at", args.known_at)
}

/// What a CSV has of an address at several servers.
const EVERYWHERE: Columns = &["server", "name", "stream", "verdict", "reason", "since"];

/// An address on a stream of a server that knows it.
#[derive(Serialize)]
struct Known {
    server: ServerId,
    name: String,
    stream: String,
    verdict: Word<Verdict>,
    /// The strictest, where something speaks against it.
    reason: Option<Word<Code>>,
    since: Option<Timestamp>,
    #[serde(skip)]
    words: String,
}

/// Asks all servers that are registered, and tells of those that know the address.
fn everywhere(args: &Args, ledger: &Api, form: Form) -> Result<ExitCode, Failure> {
    super::tell_cleaned(&args.address);
    let all = several::registered(ledger)?;
    let (mut known, mut failed, mut worst) = (Vec::new(), Vec::new(), 0);
    // Whether any server took the question for one about itself, and what one said that has no such stream.
    let (mut answered, mut no_stream) = (false, None);
    let bar = progress(Some(all.len() as u64), "asking servers");
    for Chosen { server, name } in &all {
        match at(args, ledger, *server) {
            Ok(At::NoStream(failure)) => no_stream = Some(failure),
            Ok(At::Silent) => {}
            Ok(At::Unknown) => answered = true,
            Ok(At::Known(told)) => known.extend(told.streams.into_iter().map(|(stream, answer)| {
                let first = answer.reasons.first();
                Known {
                    server: *server,
                    name: name.clone(),
                    stream,
                    reason: first.map(|first| first.finding.code.clone()),
                    since: first.map(|first| first.finding.since),
                    words: first.map(show::reason).unwrap_or_default(),
                    verdict: answer.verdict,
                }
            })),
            Err(failure) => {
                worst = worst.max(failure.code());
                failed.push(format!("server {server}: {failure}"));
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if let Some(failure) = no_stream.filter(|_| !answered && known.is_empty() && failed.is_empty()) {
        return Err(failure);
    }
    format::print(form, &known, EVERYWHERE, |known| {
        let Some(first) = known.first() else {
            return format!(
                "Nothing is recorded about this address at {} servers.",
                all.len() - failed.len()
            );
        };
        let rows = known.iter().map(|one| {
            let since = one.since.map(|since| show::time(since.0)).unwrap_or_default();
            let name = [one.server.to_string(), one.name.clone()].join(" ");
            [name, one.stream.clone(), show::verdict(&one.verdict), one.words.clone(), since]
        });
        let table = show::table(["server", "stream", "verdict", "why", "since"], rows);
        let next = format!("postledger recipient --server {} {}", first.server, quoted(&args.address));
        format!("{table}\n\nmore of one of them, and what may be done: {next}")
    })?;
    if !failed.is_empty() {
        tell(format!("\nof {} servers {} failed:\n{}", all.len(), failed.len(), failed.join("\n")));
    }
    Ok(ExitCode::from(worst))
}

/// What one of several servers says of the address.
enum At {
    /// This.
    Known(Recipient),
    /// That nothing is recorded of it.
    Unknown,
    /// Nothing: no event of that server ever came in, so that its streams are not known either.
    Silent,
    /// That it has no such stream: another one may have it.
    NoStream(Failure),
}

/// Asks one of several servers.
fn at(args: &Args, ledger: &Api, server: ServerId) -> Result<At, Failure> {
    let told = ledger.answer(&request(args, server))?;
    if told.is_problem("unknown-stream") {
        return Ok(At::NoStream(ledger.refused(&told)));
    }
    if told.is_problem("unknown-server") {
        return Ok(At::Silent);
    }
    if !told.status.is_success() {
        return Err(ledger.refused(&told));
    }
    let told: Recipient = told.read()?;
    Ok(if told.known { At::Known(told) } else { At::Unknown })
}

/// The latest of what happened to a recipient.
#[derive(Default)]
struct History {
    latest: VecDeque<Entry>,
    earlier: usize,
    truncated: bool,
    /// The events that some reason rests on, wherever they stand.
    evidence: Vec<Entry>,
}

impl History {
    fn of(ledger: &Api, place: &[&str], recipient: &Recipient) -> Result<History, Failure> {
        let mut history = History::default();
        let mut cursor: Option<String> = None;
        let speaks = |entry: &Entry| {
            let mut reasons = recipient.streams.values().flat_map(|stream| &stream.reasons);
            reasons.any(|reason| reason.evidence.contains(&entry.event))
        };
        for _ in 0..PAGES_MAX {
            let request = Request::get(&[place, &["timeline"]].concat());
            let request = request.with("limit", Some(PAGE)).with("cursor", cursor.as_ref());
            let page: Timeline = ledger.read(&request)?;
            history.truncated |= page.truncated;
            let as_of = |entry: &Entry| {
                entry.time <= recipient.at && recipient.known_at.is_none_or(|by| entry.received_at <= by)
            };
            for entry in page.items.into_iter().filter(as_of) {
                if speaks(&entry) {
                    history.evidence.push(entry.clone());
                }
                history.latest.push_back(entry);
                if history.latest.len() > LATEST {
                    history.latest.pop_front();
                    history.earlier += 1;
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(history);
            }
        }
        history.truncated = true;
        Ok(history)
    }

    /// What the receiving server said in the events of a reason: its latest answer.
    fn said(&self, reason: &FindingWithEvidence) -> Option<&str> {
        // Of a complaint nobody's server says a word; it is the recipient who complains.
        if matches!(reason.finding.code, Word::Known(Code::ListedComplaint | Code::Complained)) {
            return None;
        }
        let events = self.evidence.iter().rev().filter(|entry| reason.evidence.contains(&entry.event));
        events.filter_map(|entry| entry.details.diagnostic.as_deref()).find(|said| !said.trim().is_empty())
    }
}

fn text(server: ServerId, told: &Recipient, history: &History) -> String {
    let mut out = String::new();
    let address = told.address.as_deref().unwrap_or("of no address that is told");
    let _ = writeln!(out, "{}", visible(address));
    let _ = write!(
        out,
        "server {}, recipient {}, as of {}",
        told.server,
        told.recipient_id,
        show::time(told.at.0)
    );
    if let Some(known_at) = told.known_at {
        let _ = write!(out, ", by what had come in by {}", show::time(known_at.0));
    }
    out.push('\n');
    if told.cleaned.is_some() {
        out += "invisible characters were removed from the address\n";
    }
    if !told.also_asked.is_empty() {
        let others = told.also_asked.iter().map(|other| visible(other)).collect::<Vec<_>>().join(", ");
        let _ = writeln!(out, "asked for as {others} too, the same mailbox: the strictest answer holds");
    }
    if !told.known {
        out += "\nNothing was recorded about this address by then.\n";
    }
    for (stream, answer) in &told.streams {
        of_stream(&mut out, stream, answer, history);
    }
    if told.next.is_some() {
        out += "\nThe server has more streams than are told of here: --stream asks for one.\n";
    }
    out += &remedies(server, told);
    if !history.latest.is_empty() {
        let rows = history.latest.iter().map(|entry| {
            let note = entry.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
            let event = format!("{}{note}", entry.measure);
            [show::time(entry.time.0), entry.stream.clone(), event, entry.source.to_string()]
        });
        let _ = writeln!(out, "\n{}", show::table(["time", "stream", "event", "told by"], rows));
        if history.earlier > 0 || history.truncated {
            let _ = writeln!(out, "These are the latest; `postledger timeline` shows the others.");
        }
    }
    out.trim_end().to_owned()
}

fn of_stream(out: &mut String, stream: &str, answer: &RecipientStream, history: &History) {
    let name = format!("{} ({})", visible(stream), answer.kind);
    let verdict = show::verdict(&answer.verdict).to_uppercase();
    let gap = USUAL_WIDTH.saturating_sub(name.chars().count() + verdict.chars().count()).max(2);
    let _ = writeln!(out, "\n{name}{}{verdict}", " ".repeat(gap));
    if !answer.stream_known {
        out.push_str("  CAUTION: nothing is recorded on a stream of this name here. Is it a slip?\n");
    }
    if answer.reasons.is_empty() {
        out.push_str("  nothing speaks against it\n");
    }
    let mut words: Vec<&str> = Vec::new();
    for found in &answer.reasons {
        let scope = match &*found.finding.scope {
            here if here == stream => String::new(),
            "*" => ", on the whole server".to_owned(),
            other => format!(", on stream {}", visible(other)),
        };
        let _ = writeln!(out, "  {}", show::reason(found));
        let _ = writeln!(out, "    since {}{scope}", show::time(found.finding.since.0));
        if let Some(said) = history.said(found).filter(|said| !words.contains(said)) {
            words.push(said);
            let _ = writeln!(out, "    the receiving server said: {}", visible(said.trim()));
        }
        let evidence: Vec<String> = found.evidence.iter().map(ToString::to_string).collect();
        let _ = writeln!(out, "    evidence {}", evidence.join(" "));
    }
    if let Some(lifted) = &answer.lifted {
        let _ =
            writeln!(out, "  taken off Postmark's list at {} ({})", show::time(lifted.at.0), lifted.event);
    }
    if let Some(allowed) = &answer.allowed {
        let _ = writeln!(out, "  allowed by you at {} ({})", show::time(allowed.at.0), allowed.event);
    }
    if answer.soft_evidence_incomplete {
        out.push_str("  deliveries that could have cleared soft bounces may have expired\n");
    }
}

/// What may be done now about what speaks against the recipient, each once.
fn remedies(server: ServerId, told: &Recipient) -> String {
    let mut done: Vec<String> = Vec::new();
    for answer in told.streams.values() {
        for reason in &answer.reasons {
            let Word::Known(code) = &reason.finding.code else { continue };
            // Where it holds, which may be another stream than the one that it speaks against mailing on.
            let at = &*reason.finding.scope;
            let address = match &told.address {
                Some(address) if !address.contains('…') && !address.contains('*') => address.clone(),
                _ => format!("id:{}", told.recipient_id),
            };
            let reactivate = format!(
                "postledger reactivate --server {server} --stream {} --reason TEXT{} {}",
                quoted(at),
                if address.starts_with('-') { " --" } else { "" },
                quoted(&address)
            );
            let remedy = remedy(*code, &reactivate);
            if !done.contains(&remedy) {
                done.push(remedy);
            }
        }
    }
    if done.is_empty() {
        return String::new();
    }
    let rows: String = done.iter().map(|remedy| format!("  {remedy}\n")).collect();
    format!("\nWhat may be done now:\n{rows}")
}

/// What may be done about a reason.
fn remedy(code: Code, reactivate: &str) -> String {
    match code {
        Code::ListedComplaint | Code::BarredImportComplaint => {
            "nothing lifts a spam complaint: do not mail this person".to_owned()
        }
        Code::Complained => {
            "mail only what this person asks for: they called your mail spam before".to_owned()
        }
        Code::ListedUnsubscribe | Code::BarredImportUnsubscribe | Code::RemovalRequested => {
            format!(
                "where the person has asked for mail again:\n    {}",
                reactivate.replacen(" --reason", " --consent HOW_THEY_ASKED --reason", 1)
            )
        }
        Code::ListedHardBounce | Code::BarredImportHardBounce | Code::HardBounce | Code::InvalidAddress => {
            format!("look for a slip in the address; where the mailbox exists now:\n    {reactivate}")
        }
        Code::SoftBounces | Code::EvidenceTruncated => {
            format!("wait until the pause ends; where the mailbox takes mail again:\n    {reactivate}")
        }
        Code::ListedManual
        | Code::ListedUnknown
        | Code::BarredDecision
        | Code::BarredImport
        | Code::BarredImportManual
        | Code::BarredImportUnknown => {
            format!("where the reason is gone:\n    {reactivate}")
        }
    }
}

/// A text as an argument of a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@._+-:/".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_quoted_where_a_shell_would_read_it_otherwise() {
        assert_eq!(quoted("ida@customer.example"), "ida@customer.example");
        assert_eq!(quoted("*"), "'*'");
        assert_eq!(quoted("o'hara@customer.example"), r"'o'\''hara@customer.example'");
    }
}

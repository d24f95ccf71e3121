//! The commands `reconcile`, `backfill` and `completeness`: what Postmark knows, beside what the ledger has.

use crate::api::{Api, Request};
use crate::args::{Backfill, Postmark, Target};
use crate::format::{self, Columns, Form, Format};
use crate::progress::progress;
use crate::several::{self, Done};
use crate::target::Context;
use crate::{Failure, USAGE, args, say, show};
use ::reconcile::{Report, Tally};
use answers::{Completeness, CompletenessLine, Timestamp};
use http::Method;
use indicatif::ProgressBar;
use ledger::{ServerId, Time};
use operator::{ReconcileAsk, Step};
use postmark_api::eastern;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::ExitCode;

/// For how many days back completeness is told, unless asked otherwise.
const COMPLETENESS_DAYS: i64 = 30;
/// How many days after the first one request asks for.
const DAYS_AT_ONCE: i64 = 90;
/// How long an embedded Postledger works on at a time, in seconds: it must answer before it is given up.
const EMBEDDED_SECONDS: u64 = 10;

/// The command `reconcile`.
///
/// # Errors
/// Where a server is not registered, has no token, or somebody gives no answer.
pub fn run(args: &args::Reconcile, context: &Context, json: bool) -> Result<ExitCode, Failure> {
    let ledger = Api::operated(&args.target, context)?;
    let chosen = several::chosen(&args.several, context, &ledger)?;
    several::each(chosen, if json { Format::Json } else { Format::Table }, |server| {
        let ask = ReconcileAsk {
            from: args.from.map(Timestamp),
            to: args.from.map(|_| Timestamp(args.to.unwrap_or_else(platform::now))),
            dry_run: args.dry_run,
            ..ask(server, &args.postmark, &args.target, context)?
        };
        tell(&work(&ledger, server, ask, "comparing")?, args.dry_run, json)
    })
}

/// The command `backfill`.
///
/// # Errors
/// As [`run`].
pub fn backfill(args: &Backfill, context: &Context, json: bool) -> Result<ExitCode, Failure> {
    let now = platform::now();
    let ledger = Api::operated(&args.target, context)?;
    let chosen = several::chosen(&args.several, context, &ledger)?;
    several::each(chosen, if json { Format::Json } else { Format::Table }, |server| {
        let ask = ReconcileAsk {
            from: Some(now.plus_days(-args.days).into()),
            to: Some(now.into()),
            backfill: true,
            ..ask(server, &args.postmark, &args.target, context)?
        };
        tell(&work(&ledger, server, ask, "reading what Postmark still has")?, false, json)
    })
}

fn ask(
    server: ServerId,
    postmark: &Postmark,
    target: &Target,
    context: &Context,
) -> Result<ReconcileAsk, Failure> {
    let token = crate::vault::token(server, target, context)?;
    Ok(ReconcileAsk {
        from: None,
        to: None,
        backfill: false,
        dry_run: false,
        seconds: None,
        postmark: postmark.base.clone(),
        token: token.reveal().to_owned(),
    })
}

/// Works until nothing is left, and shows how far it is.
fn work(ledger: &Api, server: ServerId, ask: ReconcileAsk, what: &'static str) -> Result<Report, Failure> {
    let bar = progress(None, what);
    let show = move |bar: &ProgressBar, so_far: Step| {
        bar.set_message(format!("{what}: {} days of streams done, missing facts found", so_far.of));
        bar.set_position(so_far.done);
    };
    let watched = bar.clone();
    ledger.watched(move |so_far| show(&watched, so_far));
    // In this process it is worked on until it is done; over HTTP an answer must come before it is given up.
    let seconds = ledger.aws().is_none().then_some(EMBEDDED_SECONDS);
    let ask = ReconcileAsk { seconds, ..ask };
    let request = Request::operator(Method::POST, &["servers", &server.to_string(), "reconcile"]).json(&ask);
    let mut whole: Option<Report> = None;
    let report = loop {
        let part: Report = ledger.read(&request)?;
        let finished = part.finished || ask.dry_run || ask.seconds.is_none();
        let so_far = match whole.take() {
            Some(so_far) => so_far.and(part),
            None => part,
        };
        let days = so_far.streams.values().map(|stream| stream.days).sum();
        show(&bar, Step { done: so_far.told(), of: days });
        if finished {
            break so_far;
        }
        whole = Some(so_far);
    };
    bar.finish_and_clear();
    Ok(report)
}

fn tell(report: &Report, dry_run: bool, json: bool) -> Result<Done, Failure> {
    let good = report.finished && report.streams.values().all(|stream| stream.problems.is_empty());
    if json {
        return Ok(Done { good, told: serde_json::to_value(report)? });
    }
    say(shown(report, dry_run));
    Ok(Done { good, told: Value::Null })
}

/// A report for people.
fn shown(report: &Report, dry_run: bool) -> String {
    let mut rows = Vec::new();
    for (name, stream) in &report.streams {
        let list = &stream.list;
        let note = match (list.doubtful, list.waiting + list.held_back) {
            (true, _) => "the dump is doubtful: it is believed after a day",
            (false, 0) => "",
            (false, _) => "the rest waits for the next run",
        };
        let counts = [list.theirs, list.ours, list.missing + list.extra, list.present_told + list.gone_told];
        let [theirs, ours, differ, told] = counts.map(|count| count.to_string());
        rows.push([name.clone(), "suppression list".to_owned(), theirs, ours, differ, told, note.to_owned()]);
        for (record_type, tally) in &stream.found {
            let Tally { expected, recorded, missing, untold } = *tally;
            if expected == 0 {
                continue;
            }
            let told = if dry_run { 0 } else { missing };
            let [expected, recorded, differ, told] =
                [expected, recorded, missing, told].map(|count| count.to_string());
            let note =
                if untold > 0 { format!("{untold} that Postmark tells no more of") } else { String::new() };
            rows.push([name.clone(), record_type.clone(), expected, recorded, differ, told, note]);
        }
    }
    let head = ["stream", "what", "Postmark tells of", "the ledger had", "differ", "queued", ""];
    let mut text = show::table(head, rows);
    for (name, stream) in &report.streams {
        for problem in &stream.problems {
            text.push_str(&format!("\n{name}: {problem}"));
        }
        if stream.unreadable > 0 {
            text.push_str(&format!(
                "\n{name}: {} rows of Postmark's could not be understood",
                stream.unreadable
            ));
        }
    }
    let verdict = match (report.told(), dry_run) {
        (0, _) => "nothing is missing".to_owned(),
        (missing, true) => {
            format!("{missing} facts are missing; `postledger reconcile` without --dry-run brings them")
        }
        (missing, false) => format!("{missing} facts were missing and are on their queues"),
    };
    text + "\n\n" + &verdict
}

/// A day so many days after another.
fn days_after(day: &str, days: i64) -> Result<String, Failure> {
    Ok(format!("{day}T00:00:00Z").parse::<Time>()?.plus_days(days).day())
}

/// The command `completeness`.
pub fn completeness(args: &args::Completeness, context: &Context, form: Form) -> Result<(), Failure> {
    let now = platform::now();
    let day = |time: Option<Time>, else_then: Time| {
        // A plain day is meant as Postmark's date, not as the instant that begins it in UTC.
        time.map_or_else(|| eastern::day(else_then), |time| time.day())
    };
    let (from, to) = (day(args.from, now.plus_days(-COMPLETENESS_DAYS)), day(args.to, now));
    if from > to {
        return Err(Failure::new(format!("--from ({from}) comes after --to ({to})"))
            .next("give --from the earlier of the two times")
            .status(USAGE));
    }
    let server = args.server.id(context)?;
    let ledger = Api::open(&args.access, context)?;
    let mut told = Completeness { server, days: BTreeMap::new(), from, to };
    // The API tells of so many days at once.
    let mut first = told.from.clone();
    while first <= told.to {
        let last = days_after(&first, DAYS_AT_ONCE)?.min(told.to.clone());
        let request = Request::get(&["servers", &server.to_string(), "completeness"]);
        let part: Completeness = ledger.read(&request.with("from", Some(&first)).with("to", Some(&last)))?;
        told.days.extend(part.days);
        first = days_after(&last, 1)?;
    }
    if form.of_list() == Format::Json {
        say(serde_json::to_string_pretty(&told)?);
        return Ok(());
    }
    let lines = told.days.iter().flat_map(|(day, streams)| {
        let streams = streams.iter();
        let of =
            streams.flat_map(|(stream, of)| of.lines.iter().map(move |(kind, line)| (stream, kind, line)));
        of.map(|(stream, kind, line)| Line {
            day: day.clone(),
            stream: stream.clone(),
            kind: kind.clone(),
            line: *line,
        })
    });
    let mut lines: Vec<Line> = lines.collect();
    let (none, days) = (lines.is_empty(), told.days.len());
    let unexplained: u64 = lines.iter().map(|line| line.line.unexplained).sum();
    // A row for what happened; that a type has none on a day says nothing.
    lines.retain(|line| line.line.expected > 0);
    format::print(form, &lines, LINE, |lines| {
        if none {
            return "no day has been compared yet: `postledger reconcile` does so, a day at a time after its end"
                .to_owned();
        }
        let rows = lines.iter().map(|Line { day, stream, kind, line }| {
            let CompletenessLine { expected, received, recovered, unrecoverable, unexplained } = *line;
            let [expected, received, recovered, unrecoverable, unexplained] =
                [expected, received, recovered, unrecoverable, unexplained].map(|count| count.to_string());
            [
                day.clone(),
                stream.clone(),
                kind.clone(),
                expected,
                received,
                recovered,
                unrecoverable,
                unexplained,
            ]
        });
        let head =
            ["day", "stream", "what", "expected", "received", "recovered", "lost for good", "unexplained"];
        let table = show::fitting(head, rows, &["received", "recovered"]);
        format!("{table}\n\n{days} days were compared; {unexplained} events are unexplained")
    })
}

/// How complete a record type is on a stream's day.
#[derive(Serialize)]
struct Line {
    day: String,
    stream: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(flatten)]
    line: CompletenessLine,
}

/// What a CSV has of it.
const LINE: Columns =
    &["day", "stream", "type", "expected", "received", "recovered", "unrecoverable", "unexplained"];

//! The command `stats`: counts and rates.

use super::time;
use crate::api::{Api, Request};
use crate::args::By;
use crate::args::api::Stats;
use crate::format::{self, Columns, Form, Format};
use crate::output::Output;
use crate::several::{self, Done};
use crate::target::Context;
use crate::{Failure, say, show, tell};
use answers::Rate;
use ledger::ServerId;
use serde::Serialize;
use serde_json::Value;
use std::process::ExitCode;

/// What a CSV has: a row for each thing that was counted.
const COLUMNS: Columns = &["server", "stream", "when", "measure", "count"];

/// A count, as a CSV has it.
#[derive(Serialize)]
struct Counted {
    server: ServerId,
    stream: String,
    when: String,
    measure: String,
    count: i64,
}

/// The command.
pub(super) fn run(args: &Stats, context: &Context, form: Form) -> Result<ExitCode, Failure> {
    let api = Api::open(&args.access, context)?;
    let chosen = several::chosen(&args.several, context, &api)?;
    let format = form.of_list();
    let mut out = Output::stdout();
    if format == Format::Csv {
        format::write_cells(&mut out, COLUMNS)?;
    }
    let ended = several::each(chosen, format, |server| {
        let told = api.ask(&request(args, server))?;
        if format == Format::Json {
            return Ok(Done { good: true, told: told.json()? });
        }
        let stats: answers::Stats = told.read()?;
        if format == Format::Csv {
            format::write_csv(&mut out, COLUMNS, &counted(args, server, &stats))?;
        } else {
            shown(args, &stats);
        }
        if let Some(next) = &stats.next {
            tell(format!(
                "\nthere are more streams: --cursor {next} goes on with them, --stream asks for one"
            ));
        }
        Ok(Done { good: true, told: Value::Null })
    })?;
    out.end()?;
    Ok(ended)
}

fn request(args: &Stats, server: ServerId) -> Request {
    let by = args.by.map(|by| if by == By::Day { "day" } else { "hour" });
    Request::get(&["servers", &server.to_string(), "stats"])
        .with("stream", args.stream.as_ref())
        .unknown(args.unknown)
        .with("from", args.from)
        .with("to", args.to)
        .with("by", by)
        .with("zone", args.zone.as_ref())
        .with("cursor", args.cursor.as_ref())
}

/// What was counted, by stream and, where that is asked for, by hour or day.
fn counted(args: &Stats, server: ServerId, stats: &answers::Stats) -> Vec<Counted> {
    let mut rows = Vec::new();
    for (stream, of) in &stats.streams {
        let blocks = of.buckets.iter().map(|bucket| (&*bucket.label, &bucket.block));
        for (when, block) in blocks.filter(|_| args.by.is_some()).chain([("all of it", &of.total)]) {
            for (measure, count) in &block.counts {
                let (stream, when, measure) = (stream.clone(), when.to_owned(), measure.clone());
                rows.push(Counted { server, stream, when, measure, count: *count });
            }
        }
    }
    rows
}

fn shown(args: &Stats, stats: &answers::Stats) {
    let answers::Stats { server, zone, from, to, streams, total, next, .. } = stats;
    // The API names UTC as RFC 3339 does.
    let zone = if zone == "Z" { "UTC" } else { zone };
    say(format!("from {} to {}, by the clock of {zone}", time(*from), time(*to)));
    if streams.is_empty() {
        say("Nothing was counted in that time.");
        return;
    }
    let part = next.is_some() || args.cursor.is_some();
    let whole = if part { "these streams" } else { "all streams" }.to_owned();
    let totals = streams.iter().map(|(stream, of)| (stream, &of.total)).chain([(&whole, total)]);
    let rows: Vec<[String; 6]> = totals
        .map(|(stream, block)| {
            let rates = [block.bounce_rate, block.hard_bounce_rate, block.complaint_rate].map(rate);
            let [bounced, hard, complained] = rates;
            let opened = format!("{} / {}", block.opens.human, block.opens.machine);
            let clicked = format!("{} / {}", block.clicks.human, block.clicks.machine);
            [stream.clone(), bounced, hard, complained, opened, clicked]
        })
        .collect();
    say(show::upright(HEAD, &rows));
    let rows = counted(args, *server, stats).into_iter();
    let rows = rows.map(|row| [row.stream, row.when, row.measure, row.count.to_string()]);
    say(show::table(["stream", "when", "measure", "count"], rows));
}

/// What is told of a stream as a whole.
const HEAD: [&str; 6] = [
    "stream",
    "bounced",
    "hard",
    "complained",
    "opened by people / machines",
    "clicked by people / machines",
];

/// Of how few messages there is no rate worth the name, only a count: at one of twenty, the true rate may be 24 %.
const VOLUME_MIN: i64 = 20;

/// A rate, with what it is made of and how sure it is: `2.50 % (1 of 40; 0.44 to 12.88 %)`; of few messages the count alone.
fn rate(Rate { value, events, volume, low, high }: Rate) -> String {
    let percent = |value: Option<f64>| value.map(|value| format!("{:.2}", value * 100.0));
    if (0..VOLUME_MIN).contains(&volume) {
        return format!("{events} of {volume}");
    }
    match (percent(value), percent(low), percent(high)) {
        (Some(value), Some(low), Some(high)) => {
            format!("{value} % ({events} of {volume}; {low} to {high} %)")
        }
        (Some(value), ..) => format!("{value} % ({events} of {volume})"),
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_told_with_what_it_is_made_of() {
        let told =
            rate(Rate { value: Some(0.025), events: 1, volume: 40, low: Some(0.00443), high: Some(0.1288) });
        assert_eq!(told, "2.50 % (1 of 40; 0.44 to 12.88 %)");
        let of_few =
            |events, volume| rate(Rate { value: Some(1.0), events, volume, low: Some(0.2), high: Some(1.0) });
        assert_eq!((of_few(1, 1), of_few(19, 19)), ("1 of 1".to_owned(), "19 of 19".to_owned()));
        assert_eq!(of_few(20, 20), "100.00 % (20 of 20; 20.00 to 100.00 %)");
        let none = Rate { value: None, events: 3, volume: 0, low: None, high: None };
        assert_eq!(rate(none), "3 of 0");
    }
}

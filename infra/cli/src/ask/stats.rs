//! The command `stats`: counts and rates.

use super::{text, time};
use crate::api::{Api, Request};
use crate::args::By;
use crate::args::api::Stats;
use crate::target::Whose;
use crate::{Failure, say, show, tell};
use serde_json::Value;

/// The command.
///
/// # Errors
/// Where the API cannot be asked.
pub(super) fn run(args: &Stats, whose: &Whose, json: bool) -> Result<(), Failure> {
    let api = Api::open(&args.access, whose)?;
    let by = args.by.map(|by| if by == By::Day { "day" } else { "hour" });
    let request = Request::get(&["servers", &args.server.server.to_string(), "stats"])
        .with("stream", args.stream.as_ref())
        .unknown(args.unknown)
        .with("from", args.from)
        .with("to", args.to)
        .with("by", by)
        .with("zone", args.zone.as_ref())
        .with("cursor", args.cursor.as_ref());
    let told = api.ask(&request)?.json()?;
    if json {
        say(serde_json::to_string_pretty(&told)?);
        return Ok(());
    }
    let streams: Vec<(&String, &Value)> = told["streams"].as_object().into_iter().flatten().collect();
    // The API names UTC as RFC 3339 does.
    let zone = Some(text(&told["zone"])).filter(|zone| zone != "Z").unwrap_or_else(|| "UTC".to_owned());
    say(format!("from {} to {}, by the clock of {zone}", time(&told["from"]), time(&told["to"])));
    let next = told["next"].as_str();
    let further = || {
        if let Some(next) = next {
            tell(format!(
                "\nthere are more streams: --cursor {next} goes on with them, --stream asks for one"
            ));
        }
    };
    if streams.is_empty() {
        say("Nothing was counted in that time.");
        further();
        return Ok(());
    }
    let part = next.is_some() || args.cursor.is_some();
    let whole = if part { "these streams" } else { "all streams" }.to_owned();
    let totals = streams.iter().map(|(stream, of)| (*stream, &of["total"])).chain([(&whole, &told["total"])]);
    let rows = totals.map(|(stream, block)| {
        let rates = ["bounce_rate", "hard_bounce_rate", "complaint_rate"].map(|name| rate(&block[name]));
        let [bounced, hard, complained] = rates;
        let opened = [&block["opens"]["human"], &block["opens"]["machine"]].map(text).join(" / ");
        let clicked = [&block["clicks"]["human"], &block["clicks"]["machine"]].map(text).join(" / ");
        [stream.clone(), bounced, hard, complained, opened, clicked]
    });
    let head = [
        "stream",
        "bounced",
        "hard",
        "complained",
        "opened by people / machines",
        "clicked by people / machines",
    ];
    say(show::table(head, rows));
    let mut rows: Vec<[String; 4]> = Vec::new();
    for (stream, of) in streams {
        let buckets = of["buckets"].as_array().map(Vec::as_slice).unwrap_or_default();
        let when = |bucket: &Value| match &bucket["label"] {
            Value::String(label) => label.clone(),
            _ => time(&bucket["from"]),
        };
        let blocks = buckets.iter().map(|bucket| (when(bucket), bucket));
        for (when, block) in
            blocks.filter(|_| args.by.is_some()).chain([("all of it".to_owned(), &of["total"])])
        {
            for (measure, count) in block["counts"].as_object().into_iter().flatten() {
                rows.push([stream.clone(), when.clone(), measure.clone(), count.to_string()]);
            }
        }
    }
    say(show::table(["stream", "when", "measure", "count"], rows));
    further();
    Ok(())
}

/// Of how few messages there is no rate worth the name, only a count: at one of twenty, the true rate may be 24 %.
const VOLUME_MIN: u64 = 20;

/// A rate, with what it is made of and how sure it is: `2.50 % (1 of 40; 0.44 to 12.88 %)`; of few messages the count alone.
fn rate(rate: &Value) -> String {
    let percent = |value: &Value| value.as_f64().map(|value| format!("{:.2}", value * 100.0));
    let (events, volume) = (&rate["events"], &rate["volume"]);
    if volume.as_u64().is_some_and(|volume| volume < VOLUME_MIN) {
        return format!("{events} of {volume}");
    }
    match (percent(&rate["value"]), percent(&rate["low"]), percent(&rate["high"])) {
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
    use serde_json::json;

    #[test]
    fn a_rate_is_told_with_what_it_is_made_of() {
        let told =
            rate(&json!({ "value": 0.025, "events": 1, "volume": 40, "low": 0.00443, "high": 0.1288 }));
        assert_eq!(told, "2.50 % (1 of 40; 0.44 to 12.88 %)");
        let of_few = |events, volume| {
            rate(&json!({ "value": 1.0, "events": events, "volume": volume, "low": 0.2, "high": 1.0 }))
        };
        assert_eq!((of_few(1, 1), of_few(19, 19)), ("1 of 1".to_owned(), "19 of 19".to_owned()));
        assert_eq!(of_few(20, 20), "100.00 % (20 of 20; 20.00 to 100.00 %)");
        let none = json!({ "value": null, "events": 3, "volume": 0, "low": null, "high": null });
        assert_eq!(rate(&none), "3 of 0");
    }
}

//! The commands `suppress` and `reactivate`: who must not be mailed, here and at Postmark.

use super::{tell_cleaned, text, words};
use crate::api::{Api, Request};
use crate::args::api::{Reactivate, Suppress};
use crate::target::Whose;
use crate::{Failure, say, show};
use http::StatusCode;
use serde_json::{Value, json};

/// How many addresses one request takes.
const CHUNK: usize = 500;

/// The command `suppress`. Whether all of it was done.
///
/// # Errors
/// Where the API cannot be asked, or refuses.
pub(super) fn suppress(args: &Suppress, whose: &Whose, json: bool) -> Result<bool, Failure> {
    let api = Api::open(&args.access, whose)?;
    let request = Request::post(&["servers", &args.server.server.to_string(), "suppressions"]);
    let (mut results, mut invalid) = (Vec::new(), Vec::new());
    for (chunk, first) in args.addresses.chunks(CHUNK).zip((0..).step_by(CHUNK)) {
        let body = json!({
            "unknown_stream": args.unknown.word(),
            "addresses": chunk,
            "stream": args.stream,
            "reason": args.reason,
            "why": args.why,
            "postmark": !args.no_postmark,
        });
        let told = api.answer(&request.clone().json(&body))?;
        if told.is_problem("no-postmark-token") {
            // The API's own words are for whoever writes requests.
            let next = format!(
                "`postledger server add --server {}` keeps one; or bar them here only, by --no-postmark",
                args.server.server
            );
            return Err(api.refused(&told).next(next));
        }
        if !told.status.is_success() {
            return Err(api.refused(&told));
        }
        let mut told = told.json()?;
        results.append(&mut told["results"].take().as_array_mut().map(std::mem::take).unwrap_or_default());
        for mut one in told["invalid"].take().as_array_mut().map(std::mem::take).unwrap_or_default() {
            if let Some(index) = one["index"].as_u64() {
                one["index"] = (index + first).into();
            }
            invalid.push(one);
        }
    }
    let good = invalid.is_empty() && results.iter().all(|result| result["done"] == true);
    if json {
        say(serde_json::to_string_pretty(&json!({ "results": results, "invalid": invalid }))?);
        return Ok(good);
    }
    let rows = results.iter().map(|result| {
        let done = if result["done"] == true { "done" } else { "NOT DONE" };
        let at_postmark = result["postmark"].as_array().into_iter().flatten().map(of_postmark);
        let at_postmark = at_postmark.collect::<Vec<_>>().join("; ");
        [text(&result["address"]), done.to_owned(), decision(&result["decision"]), at_postmark]
    });
    if !results.is_empty() {
        say(show::table(["address", "", "in the ledger", "at Postmark"], rows));
    }
    for result in results.iter().filter(|result| result["cleaned"].is_string()) {
        tell_cleaned(&text(&result["address"]));
    }
    for one in &invalid {
        say(format!("{}: {}", text(&one["address"]), text(&one["problem"])));
    }
    Ok(good)
}

/// What Postmark said, in words.
fn of_postmark(told: &Value) -> String {
    let words = [&told["stream"], &told["status"], &told["message"]].map(text);
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(": ")
}

/// What became of a decision, in words.
fn decision(decision: &Value) -> String {
    match (&decision["event"], &decision["recorded"]) {
        (Value::String(event), Value::Bool(true)) => format!("recorded as {event}"),
        (Value::String(event), _) => format!("on its queue as {event}"),
        _ => String::new(),
    }
}

/// The command `reactivate`. Whether all of it was done.
///
/// # Errors
/// Where the API cannot be asked, or refuses.
pub(super) fn reactivate(args: &Reactivate, whose: &Whose, json: bool) -> Result<bool, Failure> {
    let api = Api::open(&args.access, whose)?;
    tell_cleaned(&args.address);
    let mut body = json!({ "stream": args.stream, "reason": args.reason, "why": args.why, "postmark": !args.no_postmark, "unknown_stream": args.unknown.word() });
    if let Some(consent) = &args.consent {
        body["consent"] = consent.clone().into();
    }
    let server = args.server.server.to_string();
    let request = Request::post(&["servers", &server, "recipients", &args.address, "reactivate"]);
    let told = api.answer(&request.json(&body))?;
    // That all of it is refused is an answer too, where it says what was.
    let refused = told.status == StatusCode::CONFLICT;
    let answer = told.json().unwrap_or_default();
    let told_by_stream = refused && answer["results"].is_array();
    if !told.status.is_success() && !told_by_stream {
        return Err(api.refused(&told));
    }
    let results = answer["results"].as_array().map(Vec::as_slice).unwrap_or_default();
    let good = !refused && results.iter().all(|result| result["done"] == true);
    if json {
        say(serde_json::to_string_pretty(&answer)?);
        return Ok(good);
    }
    if results.is_empty() {
        say(if args.no_postmark {
            "nothing of yours speaks against mailing this address there: nothing was to be done here"
        } else {
            "nothing speaks against mailing this address there: nothing was to be done"
        });
        return Ok(good);
    }
    let rows = results.iter().map(|result| {
        let done = match (&result["done"], &result["refused"]) {
            (Value::Bool(true), _) => "done".to_owned(),
            (_, Value::Object(refused)) => format!("REFUSED: {}", text(&refused["words"])),
            _ => "NOT DONE".to_owned(),
        };
        let awaits = match &result["awaits"] {
            Value::String(_) => "Postmark tells of it in about a minute; then the ledger says so too",
            _ => "",
        };
        let was = words(&result["was"]);
        // Of another spelling of the address.
        let stream = match &result["spelling"] {
            Value::String(spelling) => format!("{} ({spelling})", text(&result["stream"])),
            _ => text(&result["stream"]),
        };
        [stream, was, done, of_postmark(&result["postmark"]), awaits.to_owned()]
    });
    say(show::table(["stream", "was", "", "at Postmark", "then"], rows));
    let others = answer["other_decisions"].as_array().into_iter().flatten();
    for decided in std::iter::once(&answer["decision"]).chain(others) {
        let decision = decision(decided);
        if !decision.is_empty() {
            say(format!("in the ledger: {decision}"));
        }
    }
    if refused {
        return Err(api.refused(&told));
    }
    Ok(good)
}

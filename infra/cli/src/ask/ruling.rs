//! The commands `suppress` and `reactivate`: who must not be mailed, here and at Postmark.

use super::tell_cleaned;
use crate::api::{Api, Request};
use crate::args::api::{Reactivate, Suppress};
use crate::target::Context;
use crate::{Failure, say, show};
use answers::{
    Decision, Invalid, ReactivateRequest, Reactivated, ReactivatedStream, SuppressRequest, Suppressed,
};
use http::StatusCode;

/// How many addresses one request takes.
const CHUNK: usize = 500;

/// The command `suppress`. Whether all of it was done.
pub(super) fn suppress(args: &Suppress, context: &Context, json: bool) -> Result<bool, Failure> {
    let server = args.server.id(context)?;
    let api = Api::open(&args.access, context)?;
    let request = Request::post(&["servers", &server.to_string(), "suppressions"]);
    let mut all = Suppressed::default();
    for (chunk, first) in args.addresses.chunks(CHUNK).zip((0..).step_by(CHUNK)) {
        let body = SuppressRequest {
            addresses: chunk.to_vec(),
            stream: args.stream.clone(),
            reason: args.reason.clone(),
            why: args.why.into(),
            postmark: !args.no_postmark,
            unknown_stream: args.unknown.meant(),
            dry_run: args.dry_run,
        };
        let told = api.answer(&request.clone().json(&body))?;
        if told.is_problem("no-postmark-token") {
            // The API's own words are for whoever writes requests.
            let next = format!(
                "`postledger server add --server {server}` keeps one; or bar them here only, by --no-postmark"
            );
            return Err(api.refused(&told).next(next));
        }
        if !told.status.is_success() {
            return Err(api.refused(&told));
        }
        let Suppressed { results, invalid, dry_run } = told.read()?;
        all.dry_run = dry_run;
        all.results.extend(results);
        all.invalid.extend(invalid.into_iter().map(|one| Invalid { index: one.index + first, ..one }));
    }
    let good = all.invalid.is_empty() && (args.dry_run || all.results.iter().all(|result| result.done));
    if json {
        say(serde_json::to_string_pretty(&all)?);
        return Ok(good);
    }
    let Suppressed { results, invalid, .. } = all;
    let rows = results.iter().map(|result| {
        let done = match (args.dry_run, result.done) {
            (true, _) => would(&result.would),
            (false, true) => "done",
            (false, false) => "NOT DONE",
        };
        let at_postmark = result.postmark.iter();
        let at_postmark =
            at_postmark.map(|one| of_postmark(Some(&one.stream), &one.status, one.message.as_deref()));
        let at_postmark = at_postmark.collect::<Vec<_>>().join("; ");
        [
            result.address.clone(),
            done.to_owned(),
            result.decision.map(decision).unwrap_or_default(),
            at_postmark,
        ]
    });
    if !results.is_empty() {
        say(show::table(["address", "", "in the ledger", "at Postmark"], rows));
    }
    for result in results.iter().filter(|result| result.cleaned.is_some()) {
        tell_cleaned(&result.address);
    }
    for one in &invalid {
        say(format!("{}: {}", one.address, one.problem));
    }
    Ok(good)
}

/// What a dry run says would be changed, in words.
fn would(changed: &[String]) -> &'static str {
    let of = |what: &str| changed.iter().any(|one| one == what);
    match (of("postmark"), of("ledger")) {
        (true, true) => "would be changed here and at Postmark",
        (true, false) => "would be changed at Postmark",
        (false, true) => "would be changed here",
        (false, false) => "would stay as it is",
    }
}

/// What Postmark said, in words.
fn of_postmark(stream: Option<&str>, status: &str, message: Option<&str>) -> String {
    let words = [stream, Some(status), message].into_iter().flatten();
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(": ")
}

/// What became of a decision, in words.
fn decision(Decision { event, recorded }: Decision) -> String {
    if recorded { format!("recorded as {event}") } else { format!("on its queue as {event}") }
}

/// The command `reactivate`. Whether all of it was done.
pub(super) fn reactivate(args: &Reactivate, context: &Context, json: bool) -> Result<bool, Failure> {
    let server = args.server.id(context)?.to_string();
    let api = Api::open(&args.access, context)?;
    tell_cleaned(&args.address);
    let body = ReactivateRequest {
        stream: args.stream.clone(),
        reason: args.reason.clone(),
        why: args.why.into(),
        consent: args.consent.clone(),
        postmark: !args.no_postmark,
        unknown_stream: args.unknown.meant(),
        dry_run: args.dry_run,
    };
    let request = Request::post(&["servers", &server, "recipients", &args.address, "reactivate"]);
    let told = api.answer(&request.json(&body))?;
    // That all of it is refused is an answer too, where it says what was.
    let problem = told.problem().filter(|_| told.status == StatusCode::CONFLICT);
    let refused = problem.and_then(|problem| problem.results);
    if !told.status.is_success() && refused.is_none() {
        return Err(api.refused(&told));
    }
    let (results, decisions) = match &refused {
        Some(results) => (results.clone(), Vec::new()),
        None => {
            let Reactivated { results, decision, other_decisions, .. } = told.read()?;
            (results, decision.into_iter().chain(other_decisions).collect())
        }
    };
    let fine = |result: &ReactivatedStream| if args.dry_run { result.refused.is_none() } else { result.done };
    let good = refused.is_none() && results.iter().all(fine);
    if json {
        say(serde_json::to_string_pretty(&told.json()?)?);
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
    say(show::table(["stream", "was", "", "at Postmark", "then"], results.iter().map(row)));
    for decided in decisions {
        say(format!("in the ledger: {}", decision(decided)));
    }
    if refused.is_some() {
        return Err(api.refused(&told));
    }
    Ok(good)
}

/// What became of a stream, in words.
fn row(result: &ReactivatedStream) -> [String; 5] {
    let done = match (result.done, &result.refused) {
        (true, _) => "done".to_owned(),
        (false, Some(refused)) => format!("REFUSED: {}", refused.words),
        (false, None) if !result.would.is_empty() => would(&result.would).to_owned(),
        (false, None) => "NOT DONE".to_owned(),
    };
    let awaits = match &result.awaits {
        Some(_) => "Postmark tells of it in about a minute; then the ledger says so too",
        None => "",
    };
    // Of another spelling of the address.
    let stream = match &result.spelling {
        Some(spelling) => format!("{} ({spelling})", result.stream),
        None => result.stream.clone(),
    };
    let said = result.postmark.as_ref();
    let said = said.map(|said| of_postmark(None, &said.status, said.message.as_deref())).unwrap_or_default();
    [stream, result.was.join(" "), done, said, awaits.to_owned()]
}

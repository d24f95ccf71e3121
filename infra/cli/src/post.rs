//! Posting bodies as Postmark would: with the credential, at a rate, several at a time. Over HTTP, or, for a stack on
//! AWS, to a door in this process that puts events on the stack's queues.

use crate::args::{Post, Target};
use crate::aws::Aws;
use crate::client::{agent, unreachable_at};
use crate::keys::KeyRing;
use crate::progress::progress;
use crate::target::{Context, Deployment};
use crate::{Failure, bearer, revoke, say, show};
use credential::Verifier;
use credential::basic;
use embedded::Handlers;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use indicatif::ProgressBar;
use ingest::WebhookRequest;
use postmark::RecordType;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, stdin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use ureq::Agent;

/// How many requests are under way at once.
const AT_ONCE: usize = 4;

/// What some programs put before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A body, or a line of the command `fold` that holds one.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    #[serde(rename = "RecordType")]
    record_type: Option<String>,
}

/// A body and the URL that Postmark would post it to.
pub struct Parcel {
    segment: &'static str,
    body: String,
}

/// Takes apart what holds one or more JSON values.
///
/// # Errors
/// Where something is not JSON; nothing is posted then.
pub fn parcels(name: &str, input: impl Read) -> Result<Vec<Parcel>, Failure> {
    let mut parcels = Vec::new();
    let mut input = BufReader::new(input);
    if input.fill_buf()?.starts_with(BYTE_ORDER_MARK) {
        input.consume(BYTE_ORDER_MARK.len());
    }
    for value in serde_json::Deserializer::from_reader(input).into_iter::<Box<RawValue>>() {
        let value = value.map_err(|error| {
            Failure::new(format!("{name} is not JSON: {error}")).next("mend it; nothing was posted")
        })?;
        let text = value.get();
        let line: Option<Line<'_>> = serde_json::from_str(text).ok();
        let body = match line.as_ref().and_then(|line| line.body) {
            Some(body) if line.as_ref().is_some_and(|line| line.record_type.is_none()) => body.get(),
            _ => text,
        };
        let kind = serde_json::from_str::<Line<'_>>(body).ok().and_then(|line| line.record_type);
        let kind = RecordType::ALL.into_iter().find(|known| Some(known.kind().name()) == kind.as_deref());
        parcels.push(Parcel { segment: kind.map_or("events", RecordType::segment), body: body.to_owned() });
    }
    Ok(parcels)
}

/// Posts one body: status and words of the answer.
pub fn one(agent: &Agent, url: &str, authorization: &str, body: &str) -> Result<String, ureq::Error> {
    let request =
        agent.post(url).header("authorization", authorization).header("content-type", "application/json");
    let mut response = request.send(body)?;
    let told: serde_json::Value = response.body_mut().read_json().unwrap_or_default();
    Ok(words(response.status(), &told))
}

/// An answer of the door in words: `200 set_aside not_json`.
fn words(status: http::StatusCode, told: &serde_json::Value) -> String {
    let words = [&told["status"], &told["reason"]].map(|word| word.as_str().unwrap_or_default());
    format!("{} {}", status.as_u16(), words.join(" ")).trim().to_owned()
}

/// Has each parcel delivered, [`AT_ONCE`] at a time and at most `rate` a second, and returns how many had which
/// answer. Each of those who deliver is made by `courier`.
///
/// # Errors
/// The first of a courier's; nothing further is delivered then.
fn deliver<C: Fn(&Parcel) -> Result<String, Failure>>(
    parcels: &[Parcel],
    rate: Option<u32>,
    progress: &ProgressBar,
    courier: impl Fn() -> C + Sync,
) -> Result<BTreeMap<String, u64>, Failure> {
    let answers: Mutex<BTreeMap<String, u64>> = Mutex::default();
    let failed: Mutex<Option<Failure>> = Mutex::default();
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(parcels.len()) {
            scope.spawn(|| {
                let deliver = courier();
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(parcel) = parcels.get(place) else { return };
                    if failed.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
                        return;
                    }
                    if let Some(rate) = rate {
                        let due = start + Duration::from_secs_f64(place as f64 / f64::from(rate));
                        std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    }
                    let answer = match deliver(parcel) {
                        Ok(answer) => answer,
                        Err(failure) => {
                            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
                            return;
                        }
                    };
                    *answers.lock().unwrap_or_else(PoisonError::into_inner).entry(answer).or_default() += 1;
                    progress.inc(1);
                }
            });
        }
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(failure) => Err(failure),
        None => Ok(answers.into_inner().unwrap_or_else(PoisonError::into_inner)),
    }
}

/// The command. Whether every answer was 200.
///
/// # Errors
/// Where the input is not JSON, there is no key, or nobody answers.
pub fn run(args: &Post, keys: &KeyRing, context: &Context, json: bool) -> Result<bool, Failure> {
    let mut all = Vec::new();
    for path in &args.files {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| Failure::new(format!("{name}: {error}")))?;
        all.extend(parcels(&name, file)?);
    }
    if args.files.is_empty() {
        all = parcels("standard input", stdin().lock())?;
    }
    let target = Target { url: args.url.clone(), aws: args.aws.clone() };
    let server = args.server.id(context)?;
    let generation = revoke::generation(&target, context, server, args.generation, false)?;
    let (user, password) = keys.credential(server, generation)?;
    let authorization = basic(user, &password);
    let path = |parcel: &Parcel| format!("/v1/{server}/{}", parcel.segment);
    let bar = progress(Some(all.len() as u64), "posting");
    let answers = match Deployment::of(args.url.as_deref(), &args.aws, context)? {
        Deployment::Url(base) => {
            let base = base.trim_end_matches('/');
            let courier = || {
                let agent = agent();
                let authorization = &authorization;
                move |parcel: &Parcel| {
                    one(&agent, &format!("{base}{}", path(parcel)), authorization, &parcel.body)
                        .map_err(|_| unreachable_at(base))
                }
            };
            deliver(&all, args.rate, &bar, courier)?
        }
        Deployment::Aws(place) => {
            bearer::as_operator(None, &context.config)?;
            let aws = Aws::open(&place, &context.stack)?;
            let verifier = Arc::new(Verifier::new(&context.stack, keys.public(), [])?);
            let doors = Handlers::new(&verifier, &(aws.queue() as _), &platform::clock());
            let unusable = |_| Failure::new("the credential is not fit for a header");
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_str(&authorization).map_err(unusable)?);
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            let deliver_one = |parcel: &Parcel| {
                let (path, body) = (path(parcel), parcel.body.as_bytes());
                let webhook = WebhookRequest {
                    method: &Method::POST,
                    path: &path,
                    headers: &headers,
                    body,
                    source_ip: None,
                };
                let answer = aws.block(doors.of(&path).answer(webhook));
                let told = serde_json::from_str(&answer.body()).unwrap_or_default();
                Ok(words(answer.status(), &told))
            };
            deliver(&all, args.rate, &bar, || &deliver_one)?
        }
    };
    bar.finish_and_clear();
    let good = answers.keys().all(|answer| answer.starts_with("200"));
    if json {
        say(serde_json::to_string(&answers)?);
    } else {
        say(show::table(
            ["answer", "bodies"],
            answers.into_iter().map(|(answer, n)| [answer, n.to_string()]),
        ));
    }
    Ok(good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concatenated_files_and_lines_are_taken_apart() {
        let input = "\u{feff}{\"RecordType\":\"Open\"}\n{\n  \"RecordType\": \"Bounce\" }{\"server\":1,\"body\":{\"RecordType\":\"Click\"}} [1]";
        let parcels = parcels("input", input.as_bytes()).unwrap();
        let segments: Vec<_> = parcels.iter().map(|parcel| parcel.segment).collect();
        assert_eq!(segments, ["open", "bounce", "click", "events"]);
        assert_eq!(parcels[2].body, "{\"RecordType\":\"Click\"}");
    }

    #[test]
    fn what_is_not_json_is_named_and_nothing_is_posted() {
        let failure = parcels("input", "{} {oops".as_bytes()).err().unwrap();
        assert!(failure.to_string().contains("line 1 column"), "{failure}");
    }
}

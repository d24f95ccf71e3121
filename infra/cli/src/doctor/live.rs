//! One mail that is really sent, to an address that Postmark itself answers for, and whether the ledger is told of it.
//!
//! Invariants:
//! - It says what it will do before it does it, and refuses servers that mail people unless told otherwise.
//! - It leaves nothing behind: the address bounces softly, which puts nobody on a suppression list.
//! - No clocks are compared: what is looked for is the message that was sent.

use super::outcome::{Outcome, Sent};
use super::{Found, Link, State};
use crate::Failure;
use crate::api::{Api, Request};
use crate::args::Doctor;
use crate::endpoint::{endpoint, refused};
use crate::progress::busy;
use crate::prompt::agreed;
use crate::target::Context;
use crate::vault::token;
use account::ServerEntry;
use account::test_mail::{self, TestMailError};
use answers::{Entry, Events, Word};
use indicatif::ProgressBar;
use ledger::policy::StreamKind;
use ledger::{ServerId, Source};
use postmark_api::{ApiError, ServerInfo};
use std::time::{Duration, Instant};

/// The links that must hold before mail is sent.
pub(super) const NEEDS: [&str; 5] = ["keys", "tables", "registry", "doors", "webhooks"];
/// Findings of webhooks that tell of what was, and keep nobody from sending.
const PAST: [&str; 5] = ["retries_low", "fewer_than_told", "silent", "webhook_failing", "unknown_message"];
/// Between two looks at the ledger.
const POLL: Duration = Duration::from_secs(1);
/// The kind of server that mails nobody.
const SANDBOX: &str = "Sandbox";
/// Postmark answers for it: mail to it bounces softly, and a webhook says so.
const TO: &str = "softbounce@bounce-testing.postmarkapp.com";

/// Whether a link keeps from sending.
pub(super) fn keeps_from(link: &Link) -> bool {
    let past = |found: &Found| link.link == "webhooks" && PAST.contains(&found.code);
    link.state == State::NotLookedAt || !link.findings.iter().all(past)
}

/// Says what it will do, asks, and does it.
///
/// # Errors
/// Where this command itself cannot go on; what Postmark or the ledger refuses is in the outcome.
pub(super) fn run(
    args: &Doctor,
    context: &Context,
    ledger: &Api,
    entry: &ServerEntry,
    json: bool,
) -> Result<Outcome, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let api = endpoint(&args.postmark.base)?.server(token(entry.server, &args.target, context)?);
    let info = match runtime.block_on(api.server()) {
        Ok(info) => info,
        Err(error) => return Ok(Outcome::problem(unanswered(error))),
    };
    if !args.even_live && !info.delivery_type.eq_ignore_ascii_case(SANDBOX) {
        let words = format!("server {} ({}) is no sandbox: what it sends reaches people", info.id, info.name);
        let next = "name a sandbox server by --server, or say --even-live: the mail goes to Postmark's own address only";
        return Ok(Outcome::problem(Found::new("live_server", words, next)));
    }
    let stream = match stream(args, entry) {
        Ok(stream) => stream,
        Err(found) => return Ok(Outcome::problem(found)),
    };
    let from = args.from.as_deref().unwrap_or_default();
    if !args.yes {
        match agreed(&format!("{}\ngo on?", announced(&info, &stream, from))) {
            Ok(true) => {}
            Ok(false) => {
                let found = Found::new("not_agreed", "nobody agreed", "say y, or give --yes");
                return Ok(Outcome::problem(found));
            }
            Err(failure) => return Ok(Outcome::problem(Found::failure("not_agreed", failure))),
        }
    }
    let taken = match runtime.block_on(test_mail::send(&api, &stream, from, TO)) {
        Ok(taken) => taken,
        Err(TestMailError::Api(error)) => return Ok(Outcome::problem(unanswered(error))),
        Err(error @ TestMailError::NotTaken(_)) => {
            let next = "see the server's activity at Postmark";
            return Ok(Outcome::problem(Found::new("not_sent", error.to_string(), next)));
        }
    };
    let id = taken.message_id.as_str();
    let wait = Duration::from_secs(args.wait);
    let bar = if json { ProgressBar::hidden() } else { busy("waiting for the webhook") };
    let arrived = arrived(ledger, entry.server, id, wait, &bar);
    bar.finish_and_clear();
    Ok(match arrived {
        Ok(Some(entry)) => {
            let words = "a mail was sent, and the ledger has what Postmark told of it";
            Outcome::of(Link::of("live", words, Vec::new()), Sent::new(TO, id, Some(&entry)))
        }
        Ok(None) => {
            let words = format!("what became of the mail did not come in within {} s", args.wait);
            let next = "see the mail's events at Postmark: where it bounced there, see `postledger watch` and the doors' \
                        logs; else wait longer by --wait";
            let found = Found::new("not_told", words, next).at(entry.server);
            Outcome::of(Link::of("live", "a mail was sent", vec![found]), Sent::new(TO, id, None))
        }
        Err(failure) => {
            let found = Found::failure("ledger_unanswered", failure);
            Outcome::of(Link::of("live", "a mail was sent", vec![found]), Sent::new(TO, id, None))
        }
    })
}

/// The stream that is sent on.
fn stream(args: &Doctor, entry: &ServerEntry) -> Result<String, Found> {
    let streams = &entry.streams;
    let transactional = || {
        let all = streams.iter().filter(|(_, stream)| stream.kind == StreamKind::Transactional);
        let mut ids: Vec<&String> = all.map(|(id, _)| id).collect();
        ids.sort_by_key(|id| *id != "outbound");
        ids.first().map(|id| (*id).clone())
    };
    let chosen = match &args.stream {
        Some(stream) => Some(stream.clone()).filter(|stream| streams.contains_key(stream)),
        None => transactional(),
    };
    chosen.ok_or_else(|| {
        let known: Vec<&str> = streams.keys().map(String::as_str).collect();
        let next = format!("name one by --stream; the registry knows {}", known.join(", "));
        Found::new("no_stream", "there is no such stream to send on", next)
    })
}

/// What will be done.
fn announced(info: &ServerInfo, stream: &str, from: &str) -> String {
    format!(
        "server {} ({}, {}), stream {stream}: sends one mail from {from} to {TO}. Postmark answers for that address \
         itself, and counts the mail in the server's volume.",
        info.id, info.name, info.delivery_type
    )
}

/// What a webhook told of a message, once it is in the ledger; nothing where that takes too long.
fn arrived(
    ledger: &Api,
    server: ServerId,
    message: &str,
    wait: Duration,
    bar: &ProgressBar,
) -> Result<Option<Entry>, Failure> {
    let request = Request::get(&["servers", &server.to_string(), "messages", message]);
    let end = Instant::now() + wait;
    loop {
        let told = ledger.answer(&request)?;
        if told.status.is_success() {
            let by_webhook = |entry: &Entry| matches!(entry.source, Word::Known(Source::Webhook));
            let mut entries = told.read::<Events>()?.items.into_iter().map(|item| item.entry);
            if let Some(entry) = entries.find(by_webhook) {
                return Ok(Some(entry));
            }
        } else if !told.is_problem("not-found") {
            return Err(ledger.refused(&told));
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        bar.set_message(format!("waiting for the webhook, at most {} s more", left.as_secs()));
        std::thread::sleep(POLL.min(left));
    }
}

/// Postmark gave no answer, or refused.
fn unanswered(error: ApiError) -> Found {
    let code = match error {
        ApiError::Refused { .. } => "postmark_refuses",
        _ => "postmark_unanswered",
    };
    Found::failure(code, refused(error))
}

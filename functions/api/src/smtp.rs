//! SMTP of a server's streams: the pair of keys that its programs log in with, kept for each stream, checked by logging in,
//! and tried with a mail.
//!
//! A pair that takes another one's place is checked first. The one before is kept until a log-in shows that it is revoked:
//! whoever believes that a key is dead should have seen it fail. No answer, audit entry or log line has a key, but for an
//! access key, where that is no secret by itself.

#[cfg(test)]
mod tests;

use crate::call::{Answer, Call};
use crate::check::stream_named;
use crate::problem::Problem;
use crate::scope::Admin;
use crate::test_mail;
use account::SmtpPairs;
use account::audit::Who;
use account::smtp::{KeptPair, KeptPairs, Tried};
use answers::{
    Actor, SmtpCheck, SmtpKept, SmtpPairRequest, SmtpRemoved, SmtpResult, SmtpStream, SmtpStreams,
    SmtpTestRequest, SmtpTested, UnknownStream,
};
use http::StatusCode;
use ledger::Time;
use ledger::event::WHOLE_SERVER;
use ledger::policy::StreamKind;
use postmark_api::{STREAM_HEADER, SmtpMail, SmtpOutcome, SmtpPair, Token, Uncertain};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long Postmark's API is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Which pairs are kept, stream by stream.
pub(crate) async fn streams(admin: &Admin<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    call.query(&[])?;
    let (noted, settings, kept) = tokio::join!(admin.streams(), admin.settings(), admin.smtp_known());
    let (noted, settings, kept) = (noted?, settings?, kept?);
    let names: BTreeSet<&String> = noted.iter().chain(settings.kinds.keys()).chain(kept.keys()).collect();
    let (mut streams, mut names_of) = (Vec::new(), BTreeMap::new());
    for stream in names.into_iter().filter(|name| *name != WHOLE_SERVER) {
        streams.push(told(admin, stream, settings.kind(stream), &kept, &mut names_of).await?);
    }
    Ok(Answer::json(&SmtpStreams { server: admin.server(), streams }))
}

/// Keeps a pair, if it logs in.
///
/// # Errors
/// A conflict where it does not, or where the pair before the one that is used works still; then nothing is changed.
pub(crate) async fn keep(admin: &Admin<'_>, call: &Call<'_>, stream: &str) -> Result<Answer, Problem> {
    call.query(&[])?;
    let asked: SmtpPairRequest = call.json()?;
    let kind = kind_of(admin, stream).await?;
    let key = |name: &str, text: &str| {
        Token::new(text).map_err(|_| Problem::bad_request(format!("{name}: {NO_KEY}")))
    };
    let new = SmtpPair {
        access: key("access_key", &asked.access_key)?,
        secret: key("secret_key", &asked.secret_key)?,
    };
    let change = async {
        let checked = try_it(admin, kind, &new).await;
        accepted(checked.outcome)?;
        let seen = admin.smtp_pairs(stream).await?;
        let (before, tried) = put_aside(admin, kind, seen.as_ref(), &new).await?;
        admin.replace_smtp_pairs(stream, seen.as_ref(), &SmtpPairs { now: new.clone(), before }).await?;
        let kept = KeptPair {
            user: new.user().map(str::to_owned),
            since: admin.now(),
            by: admin.caller().who().clone(),
            checked,
            before: tried,
            tested_at: None,
        };
        admin.note_smtp(|known| drop(known.insert(stream.to_owned(), kept.clone()))).await?;
        Ok((
            (),
            json!({ "result": words(checked.outcome).0, "before": tried.map(|one| words(one.outcome).0) }),
        ))
    };
    admin.change("smtp.keep", Some(stream.to_owned()), Value::Null, change).await?;
    one(admin, stream, kind).await
}

const NO_KEY: &str = "this is no key: expected one word of letters, digits and hyphens, as Postmark shows it";

/// The pair that a new one takes the place of, as long as it works still, and what came of trying it.
async fn put_aside(
    admin: &Admin<'_>,
    kind: StreamKind,
    kept: Option<&SmtpPairs>,
    new: &SmtpPair,
) -> Result<(Option<SmtpPair>, Option<Tried>), Problem> {
    let Some(SmtpPairs { now, before }) = kept else { return Ok((None, None)) };
    if let Some(before) = before.as_ref().filter(|before| *before != new) {
        let tried = try_it(admin, kind, before).await;
        if now == new {
            return Ok(still_kept(before, tried));
        }
        if tried.outcome != SmtpOutcome::WrongPair {
            let detail =
                "the pair before the one that is used is not seen to be revoked, so nothing was changed";
            return Err(Problem::conflict("smtp-old-pair", "An older pair is still kept", detail)
                .next("revoke it at Postmark, have the stream checked, and send the new pair again"));
        }
    }
    if now == new {
        return Ok((None, None));
    }
    let tried = try_it(admin, kind, now).await;
    Ok(still_kept(now, tried))
}

/// A pair that is not used any more, unless it is seen to be revoked: that it fails says so where another one logs in.
fn still_kept(pair: &SmtpPair, tried: Tried) -> (Option<SmtpPair>, Option<Tried>) {
    match tried.outcome {
        SmtpOutcome::WrongPair => (None, None),
        _ => (Some(pair.clone()), Some(tried)),
    }
}

/// Logs in with what is kept; forgets the pair before, once it is seen to be revoked.
///
/// # Errors
/// A conflict where none is kept; or that the pairs were changed meanwhile, and then nothing is noted.
pub(crate) async fn check(admin: &Admin<'_>, call: &Call<'_>, stream: &str) -> Result<Answer, Problem> {
    call.query(&[])?;
    let kind = kind_of(admin, stream).await?;
    let change = async {
        let since = since(admin, stream).await?;
        let pairs = admin.smtp_pairs(stream).await?.ok_or_else(none_kept)?;
        let older = async {
            match &pairs.before {
                Some(before) => Some((before, try_it(admin, kind, before).await)),
                None => None,
            }
        };
        let (checked, older) = tokio::join!(try_it(admin, kind, &pairs.now), older);
        let (before, tried) = match older {
            Some((before, tried)) if checked.outcome == SmtpOutcome::Accepted => still_kept(before, tried),
            // Where nothing logs in, a failure is no sign of having been revoked.
            Some((before, tried)) => (Some(before.clone()), Some(tried)),
            None => (None, None),
        };
        if before != pairs.before {
            let left = SmtpPairs { now: pairs.now.clone(), before };
            admin.replace_smtp_pairs(stream, Some(&pairs), &left).await?;
        }
        note(admin, stream, since, |kept| (kept.checked, kept.before) = (checked, tried)).await?;
        Ok((
            (),
            json!({ "result": words(checked.outcome).0, "before": tried.map(|one| words(one.outcome).0) }),
        ))
    };
    admin.change("smtp.check", Some(stream.to_owned()), Value::Null, change).await?;
    one(admin, stream, kind).await
}

/// Sends a test mail.
///
/// # Errors
/// A conflict where no pair is kept, or Postmark does not take the mail; or that nobody knows whether it did.
pub(crate) async fn test(admin: &Admin<'_>, call: &Call<'_>, stream: &str) -> Result<Answer, Problem> {
    call.query(&[])?;
    let asked: SmtpTestRequest = call.json()?;
    let kind = kind_of(admin, stream).await?;
    let at = admin.now();
    let mail = SmtpMail {
        from: address("from", &asked.from)?,
        to: address("to", &asked.to)?,
        stream: stream.to_owned(),
        tag: tag(stream, at),
        at,
    };
    let change = async {
        let since = since(admin, stream).await?;
        let pairs = admin.smtp_pairs(stream).await?.ok_or_else(none_kept)?;
        let sent = admin.smtp().send(kind, &pairs.now, &mail).await;
        if let Ok(outcome) = sent {
            accepted(switched_off(admin, outcome).await)?;
        }
        // It is looked for wherever it may have been sent.
        note(admin, stream, since, |kept| kept.tested_at = Some(at)).await?;
        sent.map(|_| ((), Value::Null)).map_err(|Uncertain| test_mail::uncertain())
    };
    admin.change("smtp.test", Some(stream.to_owned()), Value::Null, change).await?;
    let (server, stream, tag) = (admin.server(), mail.stream, mail.tag);
    Ok(Answer::json(&SmtpTested { server, stream, sent_at: at.into(), tag }))
}

/// Since when the pair of a stream is kept, by which it is known again.
async fn since(admin: &Admin<'_>, stream: &str) -> Result<Option<Time>, Problem> {
    Ok(admin.smtp_known().await?.get(stream).map(|kept| kept.since))
}

/// Notes something of the pair that is kept since then; not of another one that has taken its place.
async fn note(
    admin: &Admin<'_>,
    stream: &str,
    since: Option<Time>,
    change: impl Fn(&mut KeptPair) + Send + Sync,
) -> Result<(), Problem> {
    let note = |known: &mut KeptPairs| {
        if let Some(kept) = known.get_mut(stream).filter(|kept| Some(kept.since) == since) {
            change(kept);
        }
    };
    Ok(admin.note_smtp(note).await?)
}

/// Forgets what is kept for a stream.
pub(crate) async fn remove(admin: &Admin<'_>, call: &Call<'_>, stream: &str) -> Result<Answer, Problem> {
    call.query(&[])?;
    kind_of(admin, stream).await?;
    let change = async {
        let was = admin.smtp_pairs(stream).await?.is_some();
        admin.forget_smtp_pairs(stream).await?;
        admin.note_smtp(|known| drop(known.remove(stream))).await?;
        Ok((was, json!({ "was": was })))
    };
    let removed = admin.change("smtp.remove", Some(stream.to_owned()), Value::Null, change).await?;
    Ok(Answer::json(&SmtpRemoved { server: admin.server(), stream: stream.to_owned(), removed }))
}

async fn kind_of(admin: &Admin<'_>, stream: &str) -> Result<StreamKind, Problem> {
    stream_named(stream)?;
    Ok(admin.stream(stream, UnknownStream::Refuse).await?.kind)
}

/// An address that any program can send to.
fn address(name: &str, text: &str) -> Result<String, Problem> {
    let address = test_mail::address(name, text)?;
    match address.text().is_ascii() {
        true => Ok(address.text().to_owned()),
        false => Err(Problem::bad_request(format!("{name}: expected an address in ASCII"))),
    }
}

/// By which the events of one test mail are found, whatever stream they are on.
fn tag(stream: &str, at: Time) -> String {
    format!("smtp-test-{stream}-{}", at.micros())
}

async fn try_it(admin: &Admin<'_>, kind: StreamKind, pair: &SmtpPair) -> Tried {
    let outcome = admin.smtp().log_in(kind, pair).await;
    Tried { outcome: switched_off(admin, outcome).await, at: admin.now() }
}

/// What came of a try: whatever Postmark answered, it may be that SMTP is switched off, which its API tells.
async fn switched_off(admin: &Admin<'_>, outcome: SmtpOutcome) -> SmtpOutcome {
    if !matches!(outcome, SmtpOutcome::WrongPair | SmtpOutcome::Other(Some(_))) {
        return outcome;
    }
    let Ok(Some(api)) = admin.postmark().await else { return outcome };
    match tokio::time::timeout(PATIENCE, api.server()).await {
        Ok(Ok(info)) if info.smtp_api_activated == Some(false) => SmtpOutcome::SwitchedOff,
        _ => outcome,
    }
}

/// What an outcome is called, with the code of its answer.
fn words(outcome: SmtpOutcome) -> (SmtpResult, Option<u16>) {
    match outcome {
        SmtpOutcome::Accepted => (SmtpResult::Accepted, None),
        SmtpOutcome::WrongPair => (SmtpResult::WrongPair, None),
        SmtpOutcome::SwitchedOff => (SmtpResult::SwitchedOff, None),
        SmtpOutcome::TlsRefused => (SmtpResult::TlsRefused, None),
        SmtpOutcome::Unreachable => (SmtpResult::Unreachable, None),
        SmtpOutcome::TimedOut => (SmtpResult::TimedOut, None),
        SmtpOutcome::Other(code) => (SmtpResult::Other, code),
    }
}

/// That Postmark let it in.
///
/// # Errors
/// What else it said.
fn accepted(outcome: SmtpOutcome) -> Result<(), Problem> {
    const NOT_TAKEN: &str = "Postmark does not take it by SMTP";
    let problem = match outcome {
        SmtpOutcome::Accepted => return Ok(()),
        SmtpOutcome::WrongPair => {
            let detail = "Postmark says that the pair of keys is wrong";
            Problem::conflict("smtp-wrong-pair", NOT_TAKEN, detail).next(
                "copy both keys of the stream's SMTP token at Postmark; one that was deleted there opens nothing",
            )
        }
        SmtpOutcome::SwitchedOff => {
            let detail = "SMTP is switched off for this server at Postmark";
            Problem::conflict("smtp-switched-off", NOT_TAKEN, detail)
                .next("switch it on in the server's settings at Postmark")
        }
        SmtpOutcome::TlsRefused => {
            let detail = "no TLS with a good certificate was offered, so no key was sent";
            Problem::conflict("smtp-tls-refused", NOT_TAKEN, detail)
                .next("try again; if it stays so, something between here and Postmark takes part")
        }
        SmtpOutcome::Unreachable => {
            let detail = "nothing answered: the port may be blocked on the way";
            Problem::conflict("smtp-unreachable", NOT_TAKEN, detail)
                .next("try again; then see whether a firewall blocks it")
        }
        SmtpOutcome::TimedOut => Problem::conflict("smtp-timed-out", NOT_TAKEN, "the answer took too long")
            .next("try again in some minutes"),
        SmtpOutcome::Other(code) => {
            let code =
                code.map_or_else(|| "something that is not understood".to_owned(), |code| code.to_string());
            Problem::conflict("smtp-other", NOT_TAKEN, format!("the answer was {code}"))
                .next("see what the code means in Postmark's documentation of SMTP")
        }
    };
    Err(problem)
}

fn none_kept() -> Problem {
    let detail = "no pair of keys is kept for this stream";
    Problem::new(StatusCode::CONFLICT, "no-smtp-pair", "No pair is kept", detail)
        .next("send one with PUT /v1/servers/{server}/smtp/{stream}")
}

async fn one(admin: &Admin<'_>, stream: &str, kind: StreamKind) -> Result<Answer, Problem> {
    let known = admin.smtp_known().await?;
    Ok(Answer::json(&told(admin, stream, kind, &known, &mut BTreeMap::new()).await?))
}

/// A stream as it is told.
async fn told(
    admin: &Admin<'_>,
    stream: &str,
    kind: StreamKind,
    known: &KeptPairs,
    names: &mut BTreeMap<String, Who>,
) -> Result<SmtpStream, Problem> {
    let place = admin.smtp().place(kind);
    let check = |tried: Tried| {
        let (result, code) = words(tried.outcome);
        SmtpCheck { at: tried.at.into(), result: result.into(), code }
    };
    let pair = match known.get(stream) {
        Some(kept) => {
            let by = admin.gate().known_as(kept.by.clone(), names).await?;
            Some(SmtpKept {
                user: kept.user.clone(),
                since: kept.since.into(),
                by: Actor { kind: by.kind.name().to_owned(), name: by.name },
                checked: check(kept.checked),
                before: kept.before.map(check),
                tested_at: kept.tested_at.map(Into::into),
                test_tag: kept.tested_at.map(|at| tag(stream, at)),
            })
        }
        None => None,
    };
    Ok(SmtpStream {
        stream: stream.to_owned(),
        kind: kind.into(),
        host: place.host,
        port: place.port,
        stream_header: STREAM_HEADER.to_owned(),
        pair,
    })
}

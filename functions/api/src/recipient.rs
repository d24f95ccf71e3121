//! What is known of one recipient: may it be mailed, by stream; why; and what speaks for that.

use crate::call::{Answer, Call, rfc3339};
use crate::check::{Finding, name, stream_named};
use crate::mask::shown;
use crate::problem::Problem;
use crate::scope::{Reader, UNKNOWN_STREAM, UnknownStream};
use ledger::bounce::BounceClass;
use ledger::fold::{BounceMark, Mark};
use ledger::policy::SoftBouncePolicy;
use ledger::verdict::{Reason, SoftEvidence};
use ledger::{RecipientId, Time};
use postmark::ADDRESS_BYTES_MAX;
use serde_json::{Map, Value, json};
use store::ask::{Entry, StreamAnswer};

/// What a path begins an id with, where it names a recipient by that and not by an address.
const BY_ID: &str = "id:";
/// How many facts of a stream's history are told, the latest.
const HISTORY_MAX: usize = 200;

/// A recipient as a path names it: by an address in any spelling, or by its id.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    /// The id.
    pub(crate) id: RecipientId,
    /// The address, where that was given.
    pub(crate) address: Option<String>,
}

impl Named {
    /// Reads it.
    ///
    /// # Errors
    /// [`Problem::bad_request`] for what cannot be an address or id.
    pub(crate) fn of(reader: &Reader<'_>, name: &str) -> Result<Named, Problem> {
        if let Some(id) = name.strip_prefix(BY_ID) {
            let id = id.parse().map_err(|_| Problem::bad_request("the recipient's id is none"))?;
            return Ok(Named { id, address: None });
        }
        if name.trim().is_empty() || name.len() > ADDRESS_BYTES_MAX {
            let words = format!("an address has 1 to {ADDRESS_BYTES_MAX} bytes");
            return Err(Problem::bad_request(words));
        }
        Ok(Named { id: reader.recipient(name), address: Some(name.to_owned()) })
    }
}

/// Answers.
///
/// # Errors
/// [`Problem::bad_request`] or the ledger's own.
pub(crate) async fn recipient(reader: &Reader<'_>, call: &Call<'_>, name: &str) -> Result<Answer, Problem> {
    let query = call.query(&["stream", UNKNOWN_STREAM, "at", "known_at"])?;
    let named = Named::of(reader, name)?;
    let (at, known_at) = (query.time("at")?, query.time("known_at")?);
    let unknown = UnknownStream::of(&query)?;
    let stream = match query.text("stream") {
        Some(stream) => {
            stream_named(stream)?;
            Some((stream.to_owned(), reader.stream(stream, unknown).await?))
        }
        None => None,
    };
    let told = reader.told(named.id, stream, at, known_at).await?;
    // What the caller has typed is no secret to it.
    let address = named.address.or_else(|| shown(told.spelled.as_deref(), reader.caller().reveals()));
    let mut streams = Map::new();
    for (stream, answer) in &told.streams {
        let history = told.timeline.iter().filter(|entry| entry.stream == *stream);
        streams.insert(stream.clone(), of_stream(answer, history, told.at));
    }
    let mut body = json!({
        "server": told.server.get(),
        "address": address,
        "recipient_id": told.recipient_id,
        "at": rfc3339(told.at),
        "known": told.known,
        "streams": streams,
    });
    if let Some(known_at) = told.known_at {
        body["known_at"] = rfc3339(known_at).into();
    }
    Ok(Answer::json(&body))
}

fn of_stream<'a>(answer: &StreamAnswer, history: impl Iterator<Item = &'a Entry>, at: Time) -> Value {
    let reasons = answer.answer.reasons.iter().map(finding);
    let listed = answer.listed.iter().map(
        |(cause, marks)| json!({ "cause": cause, "evidence": marks.iter().map(mark).collect::<Vec<_>>() }),
    );
    let mut history: Vec<Value> = history.flat_map(facts).collect();
    history.drain(..history.len().saturating_sub(HISTORY_MAX));
    let mut told = json!({
        "kind": answer.kind,
        "stream_known": answer.stream_known,
        "verdict": name(answer.answer.verdict),
        "reasons": reasons.collect::<Vec<_>>(),
        "listed": listed.collect::<Vec<_>>(),
        "bounces": answer.bounces.iter().map(bounce).collect::<Vec<_>>(),
        "soft_evidence_incomplete": answer.soft_evidence_incomplete,
        "decision": decision(answer, at),
        "history": history,
    });
    for (name, place) in [("lifted", answer.lifted), ("allowed", answer.allowed)] {
        if let Some(place) = place {
            told[name] = mark(&place);
        }
    }
    told
}

fn mark(mark: &Mark) -> Value {
    json!({ "at": rfc3339(mark.at), "event": mark.event })
}

fn bounce(bounce: &BounceMark) -> Value {
    let mut told = json!({ "at": rfc3339(bounce.at), "event": bounce.event, "class": bounce.class });
    if let Some(message_id) = &bounce.message_id {
        told["message_id"] = message_id.clone().into();
    }
    told
}

fn finding(reason: &Reason) -> Value {
    let mut told = serde_json::to_value(Finding::of(reason)).unwrap_or_default();
    told["evidence"] = json!(reason.evidence);
    if let Some(soft) = &reason.soft {
        told["soft"] = json!({
            "count": soft.count,
            "messages": soft.messages,
            "first": rfc3339(soft.first),
            "last": rfc3339(soft.last),
            "last_delivery": soft.last_delivery.map(rfc3339),
            "policy": soft.policy,
        });
    }
    told
}

/// What an event says, fact by fact.
pub(crate) fn facts(entry: &Entry) -> Vec<Value> {
    let told = |fact: &Value| {
        let at = fact["at"].as_i64().map_or(entry.time, Time::from_micros);
        let mut told = json!({
            "at": rfc3339(at),
            "event": entry.identity,
            "fact": fact["fact"],
            "source": entry.source,
        });
        for name in ["cause", "class"] {
            if !fact[name].is_null() {
                told[name] = fact[name].clone();
            }
        }
        told
    };
    entry.facts.iter().map(told).collect()
}

/// What the soft-bounce policy says, in words: `5 of 5 soft bounces since 3 May, last delivery 12 April`.
fn decision(answer: &StreamAnswer, at: Time) -> String {
    if let Some(soft) = answer.answer.reasons.iter().find_map(|reason| reason.soft) {
        let SoftEvidence { count, first, last_delivery, policy, .. } = soft;
        let delivery = match last_delivery {
            Some(last) => format!("last delivery {}", day(last, at)),
            None => "no delivery on record".to_owned(),
        };
        return format!("{count} of {} soft bounces since {}, {delivery}", policy.count, day(first, at));
    }
    let SoftBouncePolicy { count, window_days, .. } = answer.policy;
    let from = at.plus_days(-i64::from(window_days));
    let cleared = answer.allowed.map_or(from, |allowed| allowed.at.max(from));
    let open = answer.bounces.iter().filter(|bounce| bounce.class == BounceClass::Soft);
    let open: Vec<&BounceMark> = open.filter(|bounce| bounce.at > cleared && bounce.at <= at).collect();
    match open.first() {
        None => format!("no soft bounces within {window_days} days"),
        Some(first) => {
            let told = format!("{} of {count} soft bounces since {}", open.len(), day(first.at, at));
            // So many may be there and yet not count: deliveries came between, or they are on too few messages.
            if open.len() < count as usize { told } else { format!("{told}, which do not count together") }
        }
    }
}

/// A day in words: of another year than `beside` with the year.
fn day(at: Time, beside: Time) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let (text, other) = (at.day(), beside.day());
    let month =
        text[5..7].parse::<usize>().ok().and_then(|month| MONTHS.get(month - 1)).copied().unwrap_or_default();
    let day = text[8..].trim_start_matches('0');
    if text[..4] == other[..4] { format!("{day} {month}") } else { format!("{day} {month} {}", &text[..4]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_another_year_bears_its_year() {
        let at = |text: &str| text.parse::<Time>().unwrap();
        assert_eq!(day(at("2026-05-03T23:00:00Z"), at("2026-11-25T00:00:00Z")), "3 May");
        assert_eq!(day(at("2025-12-31T23:59:59Z"), at("2026-01-01T00:00:00Z")), "31 December 2025");
    }
}

//! The questions that Postmark's documentation leaves open, and how each is answered from what was observed. Pure.
//!
//! Invariants:
//! - What was not observed is not answered: the reason is told in its place.
//! - One observation is told as one: an order or a delay that was seen once is no rule.

use account::StreamEntry;
use ledger::Time;
use ledger::policy::StreamKind;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Postmark's testing addresses that mail is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum To {
    HardBounce,
    SoftBounce,
    Blocked,
    Transient,
    BlackHole,
}

impl To {
    pub(super) const ALL: [To; 5] =
        [To::HardBounce, To::SoftBounce, To::Blocked, To::Transient, To::BlackHole];

    pub(super) const fn address(self) -> &'static str {
        match self {
            To::HardBounce => "hardbounce@bounce-testing.postmarkapp.com",
            To::SoftBounce => "softbounce@bounce-testing.postmarkapp.com",
            To::Blocked => "blocked@bounce-testing.postmarkapp.com",
            To::Transient => "transient@bounce-testing.postmarkapp.com",
            To::BlackHole => "test@blackhole.postmarkapp.com",
        }
    }

    /// What must be told of it; of the others it is not documented whether anything is.
    pub(super) const fn expected(self) -> &'static [&'static str] {
        match self {
            To::HardBounce => &["Bounce", "SubscriptionChange"],
            To::SoftBounce | To::Blocked => &["Bounce"],
            To::Transient | To::BlackHole => &[],
        }
    }
}

/// An event that was told of.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    /// Whom the mail was to.
    pub(super) to: To,
    /// When it came in.
    pub(super) received_at: Time,
    /// Its body.
    pub(super) body: Value,
}

/// Everything that was observed.
#[derive(Clone, Debug, Default)]
pub(super) struct Observed {
    /// Events of the mails that were sent, in the order in which they came in.
    pub(super) events: Vec<Told>,
    /// The bodies of Postmark's probes.
    pub(super) probes: Vec<Value>,
    /// Status and `ErrorCode` of the send to a suppressed and another address at once.
    pub(super) partial: Option<(u16, i64)>,
    /// The API's row of the hard bounce, while the address was on the list.
    pub(super) before: Option<Value>,
    /// The same after it was taken off.
    pub(super) after: Option<Value>,
    /// What was told when the address was taken off the list.
    pub(super) lifted: Option<Told>,
    /// The streams, with the triggers that Postmark refused on them.
    pub(super) streams: BTreeMap<String, StreamEntry>,
    /// How many webhooks the stream with the most has.
    pub(super) webhooks: usize,
    /// Legacy hook URLs of the server.
    pub(super) legacy_hooks: usize,
    /// Unsubscribes by recipients on the stream's list.
    pub(super) unsubscribes: usize,
    /// The fewest retries that an event had left lately, as far as the ledger remembers.
    pub(super) retries_low: Option<u32>,
}

impl Observed {
    fn of(&self, to: To, record_type: &str) -> Option<&Told> {
        self.events.iter().find(|told| told.to == to && told.body["RecordType"] == record_type)
    }

    /// What must be told of a mail, and was not.
    pub(super) fn missing(&self, to: To) -> Vec<&'static str> {
        to.expected().iter().copied().filter(|record_type| self.of(to, record_type).is_none()).collect()
    }

    fn bounces(&self) -> impl Iterator<Item = &Told> {
        self.events.iter().filter(|told| told.body["RecordType"] == "Bounce")
    }
}

/// What there is to say to a question.
enum Reply {
    Answered { answer: Value, words: String, evidence: String },
    Not(String),
}

use Reply::{Answered, Not};

/// A question.
struct Question {
    /// Which one of POSTMARK.md's section 7; `None` where it stands elsewhere there.
    number: Option<u8>,
    code: &'static str,
    words: &'static str,
    reply: fn(&Observed) -> Reply,
}

/// What is told of a question.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) number: Option<u8>,
    pub(super) code: &'static str,
    pub(super) question: &'static str,
    pub(super) answered: bool,
    /// For machines; only where it is answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) answer: Option<Value>,
    /// The answer, or why there is none.
    pub(super) words: String,
    /// What it was seen by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) evidence: Option<String>,
}

/// All questions, with what can be said to each.
pub(super) fn answers(observed: &Observed) -> Vec<Answer> {
    let answer = |of: &Question| {
        let Question { number, code, words: question, reply } = *of;
        match reply(observed) {
            Answered { answer, words, evidence } => {
                let (answer, evidence) = (Some(answer), Some(evidence));
                Answer { number, code, question, answered: true, answer, words, evidence }
            }
            Not(words) => {
                Answer { number, code, question, answered: false, answer: None, words, evidence: None }
            }
        }
    };
    QUESTIONS.iter().map(answer).collect()
}

const fn numbered(
    number: u8,
    code: &'static str,
    words: &'static str,
    reply: fn(&Observed) -> Reply,
) -> Question {
    Question { number: Some(number), code, words, reply }
}

const fn further(code: &'static str, words: &'static str, reply: fn(&Observed) -> Reply) -> Question {
    Question { number: None, code, words, reply }
}

#[rustfmt::skip]
const QUESTIONS: [Question; 22] = [
    numbered(1, "outbound_timeout", "for how long a webhook waits for its answer",
        |_| Not("the doors would have to answer late, and events be put at risk".to_owned())),
    numbered(2, "status_204", "whether 204 passes for an answer",
        |_| Not("the doors answer 200 and nothing else, which passes under every published rule".to_owned())),
    numbered(3, "first_retries_remaining", "what X-PM-Retries-Remaining says first, and how many retries there are", retries),
    numbered(4, "probe_bodies", "what verification probes look like", probe_bodies),
    numbered(5, "bounce_order", "whether a hard bounce is told before the change of the list", order),
    numbered(6, "broadcast_triggers", "which triggers broadcast streams take (1353)", broadcasts),
    numbered(7, "webhooks_max", "how many webhooks a stream takes (1359)",
        |seen| Not(format!("{} stand on one stream now; more are not made to find out", seen.webhooks))),
    numbered(8, "unverified_threshold", "after how many failures a trigger is paused",
        |_| Not("events would have to be refused until it is paused".to_owned())),
    numbered(9, "credential_precedence", "whether a password in the URL or in HttpAuth is sent",
        |_| Not("our webhooks bear theirs in HttpAuth only".to_owned())),
    numbered(10, "rate_limit", "how many calls the API takes in a second",
        |_| Not("it would have to be overrun".to_owned())),
    numbered(11, "legacy_hooks", "whether legacy hook URLs tell events beside webhooks",
        |seen| Not(match seen.legacy_hooks {
            0 => "the server has no legacy hook URL".to_owned(),
            count => format!("the server has {count} legacy hook URLs, and what they tell goes elsewhere"),
        })),
    numbered(12, "can_activate", "whether bounces always tell CanActivate", can_activate),
    numbered(13, "smtp_api_error", "what the fields of an SMTPApiError hold",
        |_| Not("mail was sent by the API, and only SMTP has such errors".to_owned())),
    numbered(14, "partial_send", "what a send is answered that leaves out a suppressed recipient", partial),
    numbered(15, "unsubscribes_deletable", "whether an unsubscribe can be taken off the list by the API",
        |seen| Not(match seen.unsubscribes {
            0 => "there is no unsubscribe on the stream's list, and none is made up".to_owned(),
            count => format!("there are {count} on the stream's list; to try one would undo what a person asked for"),
        })),
    further("api_times", "fraction digits and zone of the API's times beside the webhook's", times),
    further("api_inactive", "whether Inactive of the API's row is today's", inactive),
    further("reactivation_message_id", "what MessageID a reactivation bears", reactivation),
    further("transient_is_a_bounce", "whether the testing address for delays is told as a Bounce", transient),
    further("blocked_deactivates", "whether a Blocked bounce deactivates the address", blocked),
    further("no_tag", "how a mail without a tag is told", no_tag),
    further("server_id_key", "whether bounces write ServerID or ServerId", server_id),
];

const NO_HARD_BOUNCE: &str = "the hard bounce was not told in time";

fn retries(seen: &Observed) -> Reply {
    let low = match seen.retries_low {
        Some(low) => format!("lately an event came in with {low} left"),
        None => "lately none was so low".to_owned(),
    };
    Not(format!(
        "the ledger keeps this number only where it is 1 or 0 ({low}); on AWS the doors' metric RetriesRemainingMin has it"
    ))
}

fn probe_bodies(seen: &Observed) -> Reply {
    let mut shapes: Vec<Value> = Vec::new();
    for body in &seen.probes {
        let address = ["Email", "Recipient"].iter().find_map(|name| body[*name].as_str());
        let metadata = body["Metadata"].as_object().map(|pairs| pairs.keys().cloned().collect::<Vec<_>>());
        shapes.push(json!({
            "record_type": body["RecordType"],
            "message_id": body["MessageID"],
            "id": body.get("ID"),
            "address": address,
            "stream": body["MessageStream"],
            "server_id": body.get("ServerID").or(body.get("ServerId")),
            "metadata": metadata,
        }));
    }
    if shapes.is_empty() {
        return Not(
            "no probe came into quarantine: either none was sent, or one is not known for what it is"
                .to_owned(),
        );
    }
    let all = |holds: fn(&Value) -> bool| shapes.iter().all(holds);
    let zero = all(|shape| {
        shape["message_id"].as_str().is_some_and(|id| id.chars().all(|c| matches!(c, '0' | '-')))
    });
    let example =
        all(|shape| shape["address"].as_str().is_some_and(|address| address.ends_with("@example.com")));
    let word = |yes: bool| if yes { "all" } else { "not all" };
    let ids = shapes.iter().filter_map(|shape| shape["id"].as_i64()).map(|id| id.to_string());
    let ids: std::collections::BTreeSet<String> = ids.collect();
    Answered {
        words: format!(
            "{} bodies: {} with a zero MessageID, {} with an address at example.com, bounce ids {}",
            shapes.len(),
            word(zero),
            word(example),
            ids.into_iter().collect::<Vec<_>>().join(", ")
        ),
        evidence: "bodies in quarantine with the reason `probe`; they are in `answer`".to_owned(),
        answer: Value::Array(shapes),
    }
}

fn order(seen: &Observed) -> Reply {
    let both = seen.of(To::HardBounce, "Bounce").zip(seen.of(To::HardBounce, "SubscriptionChange"));
    let Some((bounce, change)) = both else { return Not(NO_HARD_BOUNCE.to_owned()) };
    let micros = change.received_at.micros() - bounce.received_at.micros();
    let first = match micros {
        0 => "same_instant",
        1.. => "bounce",
        _ => "subscription_change",
    };
    let words = match first {
        "same_instant" => "this once both came in at the same instant".to_owned(),
        first => {
            format!("this once the {first} came in first, by {:.3} s", micros.unsigned_abs() as f64 / 1e6)
        }
    };
    Answered {
        answer: json!({ "first": first, "seconds": micros.unsigned_abs() as f64 / 1e6 }),
        words,
        evidence: format!(
            "Bounce in at {}, BouncedAt {}; SubscriptionChange in at {}, ChangedAt {}",
            bounce.received_at, bounce.body["BouncedAt"], change.received_at, change.body["ChangedAt"]
        ),
    }
}

fn broadcasts(seen: &Observed) -> Reply {
    let streams = seen.streams.iter().filter(|(_, stream)| stream.kind == StreamKind::Broadcast);
    let refused: BTreeMap<&str, Value> =
        streams.map(|(id, stream)| (id.as_str(), json!(stream.refused))).collect();
    if refused.is_empty() {
        return Not("the server has no broadcast stream".to_owned());
    }
    let told = refused.iter().map(|(id, refused)| match refused.as_array() {
        Some(some) if !some.is_empty() => format!("{id} refuses {refused}"),
        _ => format!("{id} takes all that were asked for"),
    });
    let words = told.collect::<Vec<_>>().join("; ");
    let evidence = "what Postmark answered `postledger connect`, as the registry keeps it".to_owned();
    Answered { answer: json!({ "refused": refused }), words, evidence }
}

fn can_activate(seen: &Observed) -> Reply {
    let told: BTreeMap<String, Value> = seen
        .bounces()
        .map(|told| {
            (text(&told.body["Type"]), told.body.get("CanActivate").cloned().unwrap_or(json!("absent")))
        })
        .collect();
    if told.is_empty() {
        return Not("no bounce was told in time".to_owned());
    }
    let words = told.iter().map(|(kind, value)| format!("{kind}: {value}")).collect::<Vec<_>>().join(", ");
    let evidence = "the bodies of this run's bounces".to_owned();
    Answered { answer: json!(told), words, evidence }
}

fn partial(seen: &Observed) -> Reply {
    match seen.partial {
        None => Not("no mail was sent to a suppressed and another address, or it got no answer".to_owned()),
        Some((status, code)) => Answered {
            answer: json!({ "status": status, "error_code": code }),
            words: format!("{status} with ErrorCode {code}"),
            evidence: "one mail to the suppressed hard bounce and to the black hole".to_owned(),
        },
    }
}

/// How a time is written: fraction digits, and zone.
fn form(text: &str) -> Option<(usize, &str)> {
    let clock = text.get(19..)?;
    let fraction = clock.strip_prefix('.').unwrap_or_default();
    let digits = fraction.chars().take_while(char::is_ascii_digit).count();
    let zone = if digits > 0 { &fraction[digits..] } else { clock };
    (!zone.is_empty()).then_some((digits, zone))
}

fn times(seen: &Observed) -> Reply {
    let Some(bounce) = seen.of(To::HardBounce, "Bounce") else { return Not(NO_HARD_BOUNCE.to_owned()) };
    let row = seen.before.as_ref().or(seen.after.as_ref());
    let (webhook, row) = (bounce.body["BouncedAt"].as_str(), row.and_then(|row| row["BouncedAt"].as_str()));
    let Some((webhook, row)) = webhook.zip(row) else {
        return Not("the API did not tell of the hard bounce".to_owned());
    };
    let (Some(of_webhook), Some(of_row)) = (form(webhook), form(row)) else {
        return Not("a time is written as no source has it".to_owned());
    };
    let apart = match (webhook.parse::<Time>(), row.parse::<Time>()) {
        (Ok(webhook), Ok(row)) => Some(row.micros() - webhook.micros()),
        _ => None,
    };
    Answered {
        answer: json!({
            "webhook": { "digits": of_webhook.0, "zone": of_webhook.1 },
            "api": { "digits": of_row.0, "zone": of_row.1 },
            "api_later_by_micros": apart,
        }),
        words: format!(
            "this bounce: the webhook has {} digits and {}, the API {} digits and {}; {}",
            of_webhook.0,
            of_webhook.1,
            of_row.0,
            of_row.1,
            match apart {
                Some(0) => "the same instant to the microsecond".to_owned(),
                Some(micros) => format!("the API's is {micros} microseconds later"),
                None => "one of them is not understood".to_owned(),
            }
        ),
        evidence: format!("BouncedAt {webhook} by webhook, {row} by GET /bounces/{}", bounce.body["ID"]),
    }
}

fn inactive(seen: &Observed) -> Reply {
    let told = |row: &Option<Value>| row.as_ref().and_then(|row| row["Inactive"].as_bool());
    let Some((before, after)) = told(&seen.before).zip(told(&seen.after)) else {
        return Not(
            "the row was not read both before and after the address was taken off the list".to_owned()
        );
    };
    if seen.lifted.is_none() {
        return Not("it was not told in time that the address is off the list".to_owned());
    }
    let words = match (before, after) {
        (true, false) => "it is today's: true while the address was suppressed, false afterwards",
        (true, true) => {
            "it is that of the day it bounced: it stayed true after the address was taken off the list"
        }
        (false, _) => "it was false although the address was suppressed",
    };
    let evidence =
        "GET /bounces/{id} while the address was on the list, and after it was told to be off".to_owned();
    Answered { answer: json!({ "before": before, "after": after }), words: words.to_owned(), evidence }
}

fn reactivation(seen: &Observed) -> Reply {
    let Some(lifted) = &seen.lifted else {
        return Not("it was not told in time that the address is off the list".to_owned());
    };
    let form = match lifted.body.get("MessageID") {
        None => "absent",
        Some(Value::Null) => "null",
        Some(Value::String(id)) if id.chars().all(|c| matches!(c, '0' | '-')) => "zero",
        Some(_) => "kept",
    };
    let words = match form {
        "kept" => "it keeps that of a message",
        "zero" => "it is the zero UUID",
        "null" => "it is null",
        _ => "there is none",
    };
    let evidence =
        format!("SubscriptionChange of {}, in at {}", lifted.body["ChangedAt"], lifted.received_at);
    Answered { answer: json!(form), words: words.to_owned(), evidence }
}

fn transient(seen: &Observed) -> Reply {
    let bounce = seen.of(To::Transient, "Bounce");
    let Some(told) = bounce.or_else(|| seen.events.iter().find(|told| told.to == To::Transient)) else {
        return Not("nothing was told of that mail in time".to_owned());
    };
    Answered {
        answer: json!(bounce.is_some()),
        words: format!("it was told as {} {}", text(&told.body["RecordType"]), text(&told.body["Type"])),
        evidence: format!(
            "the mail to {}; one that is truly delayed may be told otherwise",
            To::Transient.address()
        ),
    }
}

fn blocked(seen: &Observed) -> Reply {
    let Some(bounce) = seen.of(To::Blocked, "Bounce") else {
        return Not("the blocked mail was not told in time".to_owned());
    };
    let Some(inactive) = bounce.body["Inactive"].as_bool() else {
        return Not("its bounce does not tell Inactive".to_owned());
    };
    let change = seen.of(To::Blocked, "SubscriptionChange").is_some();
    Answered {
        answer: json!(inactive),
        words: if inactive { "yes" } else { "no" }.to_owned(),
        evidence: format!(
            "Inactive of its bounce; {} SubscriptionChange came in for it",
            if change { "a" } else { "no" }
        ),
    }
}

/// Mails bear no tag but the one that bounces hard.
fn no_tag(seen: &Observed) -> Reply {
    let Some(bounce) = seen.of(To::SoftBounce, "Bounce") else {
        return Not("the soft bounce was not told in time".to_owned());
    };
    let form = match bounce.body.get("Tag") {
        None => "absent",
        Some(Value::Null) => "null",
        Some(Value::String(tag)) if tag.is_empty() => "empty",
        Some(_) => "other",
    };
    let evidence = "the body of the soft bounce, whose mail had none".to_owned();
    Answered { answer: json!(form), words: format!("Tag is {form}"), evidence }
}

fn server_id(seen: &Observed) -> Reply {
    let keys: std::collections::BTreeSet<&str> = seen
        .bounces()
        .flat_map(|told| ["ServerID", "ServerId"].into_iter().filter(|key| told.body.get(*key).is_some()))
        .collect();
    match keys.is_empty() {
        true => Not("no bounce that was told has either".to_owned()),
        false => Answered {
            answer: json!(keys),
            words: keys.into_iter().collect::<Vec<_>>().join(" and "),
            evidence: "the bodies of this run's bounces".to_owned(),
        },
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;

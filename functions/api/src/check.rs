//! May these addresses be mailed on a stream: the question before each sending.

use crate::call::{Answer, Call, rfc3339};
use crate::problem::Problem;
use crate::scope::{Reader, UnknownStream};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use ledger::address::mailable;
use ledger::fold::View;
use ledger::verdict::{self, Question, Reason, Verdict};
use ledger::{RecipientId, Time};
use postmark::STREAM_BYTES_MAX;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

/// The most addresses in one request.
pub const ADDRESSES_MAX: usize = 10_000;
/// How many recipients' deliveries are read at once.
const AT_ONCE: usize = 16;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    stream: String,
    addresses: Vec<String>,
    #[serde(default)]
    unknown_stream: UnknownStream,
}

/// A finding as it is told in few words.
#[derive(Serialize)]
pub(crate) struct Finding {
    code: verdict::Code,
    verdict: Verdict,
    since: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    scope: String,
    words: &'static str,
}

impl Finding {
    pub(crate) fn of(reason: &Reason) -> Finding {
        Finding {
            code: reason.code,
            verdict: reason.verdict,
            since: rfc3339(reason.since),
            until: reason.until.map(rfc3339),
            scope: reason.scope.clone(),
            words: reason.code.words(),
        }
    }
}

#[derive(Serialize)]
struct Found<'a> {
    address: &'a str,
    verdict: Verdict,
    reasons: Vec<Finding>,
}

/// Checks.
///
/// # Errors
/// [`Problem::bad_request`] for what is no such request, [`Problem::too_large`], or the ledger's own. An address that
/// is none is told of beside the others.
pub(crate) async fn check(reader: &Reader<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    call.query(&[])?;
    let Asked { stream, addresses, unknown_stream } = call.json()?;
    stream_named(&stream)?;
    if addresses.is_empty() {
        return Err(Problem::bad_request("addresses is empty"));
    }
    if addresses.len() > ADDRESSES_MAX {
        return Err(Problem::too_large(format!("addresses has more than {ADDRESSES_MAX}")));
    }
    let now = reader.now();
    let mut invalid = Vec::new();
    let mut asked: Vec<(&str, RecipientId)> = Vec::with_capacity(addresses.len());
    for (index, address) in addresses.iter().enumerate() {
        match mailable(address) {
            Err(problem) => {
                invalid.push(json!({ "index": index, "address": address, "problem": problem }));
            }
            Ok(()) => asked.push((address, reader.recipient(address))),
        }
    }
    let mut recipients: Vec<RecipientId> = asked.iter().map(|(_, recipient)| *recipient).collect();
    recipients.sort_unstable();
    recipients.dedup();
    let (views, settings, streams, newest, (depth, pulse)) = tokio::join!(
        reader.views(&recipients),
        reader.settings(),
        reader.streams(),
        reader.newest(&stream),
        reader.critical_queue(),
    );
    let (views, settings, streams) = (views?, settings?, streams?);
    let found = reader.stream_of(&stream, unknown_stream, &streams, &settings).await?;
    let kind = found.kind;
    let policy = settings.policies(kind).at(now, reader.policy());
    let views: Vec<(RecipientId, View)> =
        recipients.into_iter().zip(views).filter_map(|(recipient, view)| Some((recipient, view?))).collect();
    let question = |view| Question { view, stream: &stream, kind, policy, at: now };
    let answers = views.iter().map(|(recipient, view)| async move {
        let question = question(view);
        let evidence = reader.evidence(*recipient, &question).await?;
        Ok::<_, Problem>((*recipient, question.answer(&evidence)))
    });
    let answers: HashMap<RecipientId, verdict::Answer> =
        stream::iter(answers.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).try_collect().await?;

    let mut counts: BTreeMap<&str, usize> =
        [("send", 0), ("risky", 0), ("do_not_send", 0), ("invalid", invalid.len())].into();
    let results: Vec<Found<'_>> = asked
        .into_iter()
        .map(|(address, recipient)| {
            let answer = answers.get(&recipient);
            let verdict = answer.map_or(Verdict::Send, |answer| answer.verdict);
            *counts.entry(name(verdict)).or_default() += 1;
            let reasons = answer.into_iter().flat_map(|answer| answer.reasons.iter().map(Finding::of));
            Found { address, verdict, reasons: reasons.collect() }
        })
        .collect();
    #[derive(Serialize)]
    struct Checked<'a> {
        server: i64,
        stream: &'a str,
        kind: ledger::policy::StreamKind,
        stream_known: bool,
        as_of: Value,
        counts: BTreeMap<&'a str, usize>,
        results: Vec<Found<'a>>,
        invalid: Vec<Value>,
    }
    Ok(Answer::json(&Checked {
        server: reader.server().get(),
        stream: &stream,
        kind,
        stream_known: found.known,
        as_of: as_of(now, newest?, depth, pulse),
        counts,
        results,
        invalid,
    }))
}

/// How current the ledger is. SQS does not tell how old its oldest message is: what is told is an upper bound, by when
/// the oldest of those had come in that it handed out last.
fn as_of(now: Time, newest: Option<Time>, depth: Option<queue::Depth>, pulse: Option<Time>) -> Value {
    let waiting = depth.map(|depth| depth.visible + depth.in_flight);
    let oldest = match (waiting, pulse) {
        (Some(0), _) => Some(0),
        (_, pulse) => pulse.map(|pulse| (now.seconds() - pulse.seconds()).max(0)),
    };
    json!({
        "at": rfc3339(now),
        "newest_event": newest.map(rfc3339),
        "critical_queue": { "waiting": waiting, "oldest_seconds_at_most": oldest },
    })
}

/// A verdict as answers name it.
pub(crate) fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Send => "send",
        Verdict::Risky => "risky",
        Verdict::DoNotSend => "do_not_send",
    }
}

/// That a text can be a stream's name.
///
/// # Errors
/// [`Problem::bad_request`].
pub(crate) fn stream_named(stream: &str) -> Result<(), Problem> {
    let fits = (1..=STREAM_BYTES_MAX).contains(&stream.len())
        && !stream.starts_with('*')
        && !stream.contains('#')
        && !stream.chars().any(char::is_control);
    if fits {
        return Ok(());
    }
    Err(Problem::bad_request(format!(
        "stream: expected the id of a message stream, of 1 to {STREAM_BYTES_MAX} bytes"
    )))
}

#[cfg(test)]
mod tests {
    use crate::bench::{Bench, SERVER};
    use ledger::Source;
    use serde_json::json;

    #[tokio::test]
    async fn each_address_has_its_verdict_and_one_that_is_none_is_named() {
        let bench = Bench::default();
        let body = json!({
            "RecordType": "SubscriptionChange", "MessageStream": "outbound", "ServerID": SERVER,
            "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483", "Recipient": "ida@customer.example",
            "ChangedAt": "2026-11-01T10:53:34Z", "Origin": "Recipient", "SuppressSending": true,
            "SuppressionReason": "HardBounce",
        });
        bench.record(SERVER, body, Source::Webhook).await;
        let addresses =
            ["bob@customer.example", "no address", "IDA@customer.example", "ida@customer.example"];
        let told = bench.post("check", json!({ "stream": "outbound", "addresses": addresses })).await;
        assert_eq!(told.status(), 200, "{}", told.text());
        let told = told.json();
        let verdicts: Vec<_> =
            told["results"].as_array().unwrap().iter().map(|one| &one["verdict"]).collect();
        assert_eq!(verdicts, ["send", "do_not_send", "do_not_send"]);
        assert_eq!(told["results"][1]["reasons"][0]["code"], "listed_hard_bounce");
        assert_eq!(told["counts"], json!({ "send": 1, "risky": 0, "do_not_send": 2, "invalid": 1 }));
        assert_eq!(told["invalid"][0]["index"], 1);
        assert_eq!(told["as_of"]["newest_event"], "2026-11-01T10:53:34.000000Z");
        assert_eq!(told["as_of"]["critical_queue"], json!({ "waiting": 0, "oldest_seconds_at_most": 0 }));
        assert_eq!(told["stream_known"], true);
    }

    #[tokio::test]
    async fn a_request_that_is_none_is_refused_whole() {
        let bench = Bench::default();
        let server = ledger::ServerId::new(SERVER).unwrap();
        store::Store::note_stream(&*bench.store, server, "outbound").await.unwrap();
        for body in [
            json!([]),
            json!({ "stream": "outbound" }),
            json!({ "stream": "outbound", "addresses": [] }),
            json!({ "stream": "", "addresses": ["a@b"] }),
            json!({ "stream": "*", "addresses": ["a@b"] }),
            json!({ "stream": "outbound", "addresses": [1] }),
            json!({ "stream": "o", "addresses": ["a@b"], "x": 1 }),
        ] {
            assert_eq!(bench.post("check", body.clone()).await.status(), 400, "{body}");
        }
        let many = vec!["a@b.example"; super::ADDRESSES_MAX + 1];
        assert_eq!(
            bench.post("check", json!({ "stream": "outbound", "addresses": many })).await.status(),
            413
        );
    }
}

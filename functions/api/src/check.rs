//! May these addresses be mailed on a stream: the question before each sending.
//!
//! Each is asked for in all spellings of its mailbox, and the strictest answer holds.

use crate::call::{Answer, Call};
use crate::problem::Problem;
use crate::scope::Reader;
use answers::{AsOf, CheckRequest, Checked, CheckedAddress, CheckedCounts, CriticalQueue, Finding, Invalid};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use ledger::fold::View;
use ledger::given::Recipient;
use ledger::verdict::{self, Question, Reason, Verdict};
use ledger::{RecipientId, Time};
use std::collections::HashMap;

/// The most addresses in one request.
pub const ADDRESSES_MAX: usize = 10_000;
/// How many recipients' deliveries are read at once.
const AT_ONCE: usize = 16;

/// A reason as it is told in few words.
pub(crate) fn finding(reason: &Reason) -> Finding {
    Finding {
        code: reason.code.into(),
        verdict: reason.verdict.into(),
        since: reason.since.into(),
        until: reason.until.map(Into::into),
        scope: reason.scope.clone(),
        words: reason.code.words().to_owned(),
    }
}

/// What is no recipient, and why.
pub(crate) fn invalid(index: usize, address: &str, problem: &str) -> Invalid {
    Invalid { index, address: address.to_owned(), problem: problem.to_owned() }
}

/// A recipient that is asked about.
struct Whom<'a> {
    index: usize,
    given: &'a str,
    recipient: Recipient,
    /// The ids of all its spellings.
    ids: Vec<RecipientId>,
}

/// An address that is none is told of beside the others.
pub(crate) async fn check(reader: &Reader<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    call.query(&[])?;
    let CheckRequest { stream, addresses, unknown_stream } = call.json()?;
    stream_named(&stream)?;
    if addresses.is_empty() {
        return Err(Problem::bad_request("addresses is empty"));
    }
    if addresses.len() > ADDRESSES_MAX {
        return Err(Problem::too_large(format!("addresses has more than {ADDRESSES_MAX}")));
    }
    let now = reader.now();
    let mut others = Vec::new();
    let mut asked: Vec<Whom<'_>> = Vec::with_capacity(addresses.len());
    for (index, given) in addresses.iter().enumerate() {
        match given.parse::<Recipient>() {
            Err(error) => others.push(invalid(index, given, error.reason())),
            Ok(recipient) => {
                let ids = reader.ids(&recipient);
                asked.push(Whom { index, given, recipient, ids });
            }
        }
    }
    let mut recipients: Vec<RecipientId> = asked.iter().flat_map(|whom| whom.ids.iter().copied()).collect();
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

    let mut counts = CheckedCounts::default();
    let mut results: Vec<CheckedAddress> = Vec::with_capacity(asked.len());
    for whom in &asked {
        let found = whom.ids.iter().filter_map(|id| answers.get(id).cloned());
        let answer = found.reduce(|mut answer, other| {
            answer.join(other);
            answer
        });
        let address = whom.recipient.address();
        // Nobody may be mailed by an id alone that is written wrongly, or is another server's.
        if address.is_none() && answer.is_none() {
            let problem = "no bounce, complaint, list entry or decision is recorded for this id here: ask \
                with the address";
            others.push(invalid(whom.index, whom.given, problem));
            continue;
        }
        let verdict = answer.as_ref().map_or(Verdict::Send, |answer| answer.verdict);
        let count = match verdict {
            Verdict::Send => &mut counts.send,
            Verdict::Risky => &mut counts.risky,
            Verdict::DoNotSend => &mut counts.do_not_send,
        };
        *count += 1;
        let recorded = |place: usize| answers.contains_key(&whom.ids[place]);
        let also_asked = address.map(|address| address.also_asked(recorded)).unwrap_or_default();
        results.push(CheckedAddress {
            address: whom.given.to_owned(),
            cleaned: address.filter(|address| address.cleaned()).map(|address| address.text().to_owned()),
            also_asked: also_asked.into_iter().map(str::to_owned).collect(),
            verdict: verdict.into(),
            reasons: answer.iter().flat_map(|answer| &answer.reasons).map(finding).collect(),
        });
    }
    counts.invalid = others.len();
    others.sort_unstable_by_key(|invalid| invalid.index);
    Ok(Answer::json(&Checked {
        server: reader.server(),
        kind: kind.into(),
        stream_known: found.known,
        as_of: as_of(now, newest?, depth, pulse),
        counts,
        results,
        invalid: others,
        stream,
    }))
}

/// How current the ledger is. SQS does not tell how old its oldest message is: what is told is an upper bound, by when
/// the oldest of those had come in that it handed out last.
fn as_of(now: Time, newest: Option<Time>, depth: Option<queue::Depth>, pulse: Option<Time>) -> AsOf {
    let waiting = depth.map(|depth| depth.visible + depth.in_flight);
    let oldest_seconds_at_most = match (waiting, pulse) {
        (Some(0), _) => Some(0),
        (_, pulse) => pulse.map(|pulse| (now.seconds() - pulse.seconds()).max(0)),
    };
    AsOf {
        at: now.into(),
        newest_event: newest.map(Into::into),
        critical_queue: CriticalQueue { waiting, oldest_seconds_at_most },
    }
}

/// That a text can be a stream's name.
pub(crate) fn stream_named(stream: &str) -> Result<(), Problem> {
    ledger::stream::name(stream).map(drop).map_err(|error| Problem::bad_request(format!("stream: {error}")))
}

#[cfg(test)]
mod tests {
    use crate::bench::{Bench, SERVER};
    use ledger::Source;
    use serde_json::json;
    use store::prelude::*;

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

    async fn complained(bench: &Bench, address: &str, id: i64) -> ledger::Event {
        let body = json!({
            "RecordType": "SpamComplaint", "MessageStream": "outbound", "ID": id, "Type": "SpamComplaint",
            "MessageID": "5c2f8f10-0000-4000-8000-000000005106", "ServerID": SERVER, "Email": address,
            "BouncedAt": "2026-11-20T10:00:00Z", "Inactive": true, "CanActivate": false,
        });
        bench.record(SERVER, body, Source::Webhook).await
    }

    async fn checked(bench: &Bench, addresses: &[&str]) -> serde_json::Value {
        let told = bench.post("check", json!({ "stream": "outbound", "addresses": addresses })).await;
        assert_eq!(told.status(), 200, "{}", told.text());
        let told = told.json();
        let counts: u64 =
            told["counts"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
        assert_eq!(counts, addresses.len() as u64, "each is counted once");
        told
    }

    fn verdicts(told: &serde_json::Value) -> Vec<&str> {
        told["results"].as_array().unwrap().iter().map(|one| one["verdict"].as_str().unwrap()).collect()
    }

    #[tokio::test]
    async fn an_address_with_characters_that_are_not_to_be_seen_is_the_one_that_was_meant() {
        let bench = Bench::default();
        complained(&bench, "gone@customer.example", 1).await;
        let spellings = [
            "\u{200b}gone@customer.example",
            "gone\u{ad}@customer.example",
            "\u{feff}gone@customer.example",
            "go\u{200d}\u{2060}ne@cust\u{200b}omer.example\u{a0}",
            "\u{202a}Gone\u{202c}@customer.example",
            "gone\u{fe0f}\u{e0061}@customer.example",
            "Gone <\u{180e}gone@customer.example>",
            "gone@customer.example",
        ];
        let told = checked(&bench, &spellings).await;
        assert_eq!(verdicts(&told), ["do_not_send"; 8]);
        for (result, given) in told["results"].as_array().unwrap().iter().zip(spellings) {
            assert_eq!(result["address"], given);
            let cleaned = result["cleaned"].as_str().map(str::to_lowercase);
            assert_eq!(
                cleaned.as_deref(),
                (given != "gone@customer.example").then_some("gone@customer.example")
            );
        }
    }

    #[tokio::test]
    async fn what_postmark_told_with_such_a_character_is_found_by_whoever_asks_with_it() {
        let bench = Bench::default();
        complained(&bench, "bea\u{200b}@customer.example", 1).await;
        let told = checked(&bench, &["bea\u{200b}@customer.example", "bea@customer.example"]).await;
        assert_eq!(verdicts(&told), ["do_not_send", "send"]);
        assert_eq!(told["results"][0]["cleaned"], "bea@customer.example");
    }

    #[tokio::test]
    async fn each_spelling_of_one_mailbox_has_the_strictest_answer() {
        let bench = Bench::default();
        complained(&bench, "taro..yama.@mobile.example", 1).await;
        complained(&bench, "\"Gone\"@customer.example", 2).await;
        let told = checked(
            &bench,
            &[
                "\"taro..yama.\"@mobile.example",
                "taro..yama.@mobile.example",
                "\"taro\\..yama.\"@mobile.example",
                "gone@customer.example",
                "\"gone\"@customer.example",
                "\"g\\one\"@customer.example",
                "\"other\"@customer.example",
                "other@customer.example",
            ],
        )
        .await;
        assert_eq!(
            verdicts(&told),
            [
                "do_not_send",
                "do_not_send",
                "do_not_send",
                "do_not_send",
                "do_not_send",
                "do_not_send",
                "send",
                "send"
            ]
        );
        let also = |place: usize| told["results"][place].get("also_asked").cloned();
        assert_eq!(also(0), Some(json!(["taro..yama.@mobile.example"])));
        assert_eq!(also(3), Some(json!(["\"gone\"@customer.example"])), "what it is held by is told");
        assert_eq!(also(6), Some(json!(["other@customer.example"])));
        assert_eq!(also(7), None, "of a usual address nothing needs to be told");
    }

    #[tokio::test]
    async fn what_is_no_address_is_invalid_and_never_send() {
        let bench = Bench::default();
        let known = complained(&bench, "john@customer.example", 1).await.recipient;
        let wrong = [
            "not-an-address",
            "john%40customer.example",
            "mailto:john@customer.example",
            "*@customer.example",
            "john@customer.example bob@customer.example",
            "john@customer.example, Bob <bob@customer.example>",
            "john\u{ff20}customer.example",
            "\u{ff4a}ohn@customer.example",
            "john\u{0}@customer.example",
            "\u{200b}",
            "id:",
            "id:john@customer.example",
            "id:AAAAAAAAAAAAAAAAAAAAAA",
        ];
        let told = checked(&bench, &wrong).await;
        assert_eq!(told["counts"]["invalid"], wrong.len(), "{told}");
        let places = told["invalid"].as_array().unwrap().iter().map(|one| one["index"].as_u64().unwrap());
        assert!(places.eq(0..wrong.len() as u64), "in the order of the request");
        let told = checked(&bench, &[&format!("id:{known}"), "bob@customer.example"]).await;
        assert_eq!(verdicts(&told), ["do_not_send", "send"]);
    }

    #[tokio::test]
    async fn a_request_that_is_none_is_refused_whole() {
        let bench = Bench::default();
        let server = ledger::ServerId::new(SERVER).unwrap();
        bench.store.note_stream(server, "outbound").await.unwrap();
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

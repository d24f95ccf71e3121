//! What is known of one recipient: may it be mailed, by stream; why; and what speaks for that.

use crate::call::{Answer, Call};
use crate::check::{finding, stream_named};
use crate::cursor;
use crate::mask::shown;
use crate::problem::{CUT_NEXT, Problem};
use crate::scope::{Reader, unknown_stream};
use answers::{Fact, FindingWithEvidence, Listed, RecipientStream, UNKNOWN_STREAM};
use ledger::bounce::BounceClass;
use ledger::fold::{BounceMark, Mark};
use ledger::given::{NotARecipient, Recipient};
use ledger::policy::SoftBouncePolicy;
use ledger::verdict::{Reason, SoftEvidence};
use ledger::{RecipientId, Time};
use postmark::ADDRESS_BYTES_MAX;
use serde::Deserialize;
use store::ask::{Entry, StreamAnswer};

/// How many facts of a stream's history are told, the latest.
const HISTORY_MAX: usize = 200;

/// What to put into a path.
const NEXT: &str = "give one address, percent-encoded, or id: and the id of a recipient";

/// A recipient as a path names it: by an address in any spelling, or by its id.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    /// What was understood.
    pub(crate) recipient: Recipient,
    /// The ids of all spellings of its mailbox, that of its own first.
    pub(crate) ids: Vec<RecipientId>,
    /// The address as it was given, where one was.
    pub(crate) given: Option<String>,
}

impl Named {
    /// # Errors
    /// [`Problem::bad_request`] for what is no address or id, [`Problem::not_found`] for an id of which nothing is
    /// recorded, or the ledger's own.
    pub(crate) async fn of(reader: &Reader<'_>, name: &str) -> Result<Named, Problem> {
        let wrong =
            |reason: &str| Problem::bad_request(format!("the recipient in the path: {reason}")).next(NEXT);
        if name.len() > ADDRESS_BYTES_MAX {
            return Err(wrong(&format!("an address has at most {ADDRESS_BYTES_MAX} bytes")));
        }
        if name.ends_with('/') {
            return Err(wrong("the path ends in a slash"));
        }
        let recipient: Recipient = name.parse().map_err(|error: NotARecipient| {
            let problem = wrong(error.reason());
            // A gateway may have cut it off before it came here.
            if name.contains('@') { problem } else { problem.next(format!("{NEXT}; {CUT_NEXT}")) }
        })?;
        let given = recipient.address().map(|_| name.to_owned());
        let named = Named { ids: reader.ids(&recipient), recipient, given };
        if named.given.is_none() && !reader.knows(named.id()).await? {
            return Err(Problem::not_found());
        }
        Ok(named)
    }

    /// The id of its own spelling.
    pub(crate) fn id(&self) -> RecipientId {
        self.ids[0]
    }

    /// How the address was understood, where that is not as it was given.
    pub(crate) fn cleaned(&self) -> Option<String> {
        let cleaned = self.recipient.address().filter(|address| address.cleaned());
        cleaned.map(|address| address.text().to_owned())
    }
}

pub(crate) async fn recipient(reader: &Reader<'_>, call: &Call<'_>, name: &str) -> Result<Answer, Problem> {
    let query = call.query(&["stream", UNKNOWN_STREAM, "at", "known_at", "cursor"])?;
    let named = Named::of(reader, name).await?;
    let (at, known_at) = (query.time("at")?, query.time("known_at")?);
    let unknown = unknown_stream(&query)?;
    let stream = match query.text("stream") {
        Some(stream) => {
            stream_named(stream)?;
            Some((stream.to_owned(), reader.stream(stream, unknown).await?))
        }
        None => None,
    };
    let after: Option<String> = cursor::read(query.text("cursor"))?;
    let told = reader.told(named.recipient.clone(), stream, after, at, known_at).await?;
    // What the caller has typed is no secret to it.
    let address = named.given.clone().or_else(|| shown(told.spelled.as_deref(), reader.caller().reveals()));
    let streams = told.streams.iter().map(|(stream, answer)| {
        let history = told.timeline.iter().filter(|entry| entry.stream == *stream);
        (stream.clone(), of_stream(answer, history, told.at))
    });
    Ok(Answer::json(&answers::Recipient {
        server: told.server,
        address,
        recipient_id: told.recipient_id,
        at: told.at.into(),
        known_at: told.known_at.map(Into::into),
        known: told.known,
        cleaned: named.cleaned(),
        streams: streams.collect(),
        also_asked: told.also_asked,
        next: told.next.as_ref().map(cursor::write),
    }))
}

fn of_stream<'a>(
    answer: &StreamAnswer,
    history: impl Iterator<Item = &'a Entry>,
    at: Time,
) -> RecipientStream {
    let listed = answer.listed.iter().map(|(cause, marks)| Listed {
        cause: cause.clone(),
        evidence: marks.iter().copied().map(mark).collect(),
    });
    let mut history: Vec<Fact> = history.flat_map(facts).collect();
    history.drain(..history.len().saturating_sub(HISTORY_MAX));
    RecipientStream {
        kind: answer.kind.into(),
        stream_known: answer.stream_known,
        verdict: answer.answer.verdict.into(),
        reasons: answer.answer.reasons.iter().map(with_evidence).collect(),
        listed: listed.collect(),
        lifted: answer.lifted.map(mark),
        allowed: answer.allowed.map(mark),
        bounces: answer.bounces.iter().map(bounce).collect(),
        soft_evidence_incomplete: answer.soft_evidence_incomplete,
        decision: decision(answer, at),
        history,
    }
}

fn mark(mark: Mark) -> answers::Mark {
    answers::Mark { at: mark.at.into(), event: mark.event }
}

fn bounce(bounce: &BounceMark) -> answers::BounceMark {
    answers::BounceMark {
        at: bounce.at.into(),
        event: bounce.event,
        class: bounce.class.into(),
        message_id: bounce.message_id.clone(),
    }
}

fn with_evidence(reason: &Reason) -> FindingWithEvidence {
    let soft = |soft: SoftEvidence| answers::SoftEvidence {
        count: soft.count,
        messages: soft.messages,
        first: soft.first.into(),
        last: soft.last.into(),
        last_delivery: soft.last_delivery.map(Into::into),
        policy: soft.policy.into(),
    };
    FindingWithEvidence {
        finding: finding(reason),
        evidence: reason.evidence.clone(),
        soft: reason.soft.map(soft),
    }
}

/// A fact as the ledger writes one.
#[derive(Deserialize)]
struct Written {
    fact: String,
    at: Time,
    #[serde(default)]
    cause: Option<String>,
    #[serde(default)]
    class: Option<BounceClass>,
}

/// What an event says, fact by fact.
pub(crate) fn facts(entry: &Entry) -> Vec<Fact> {
    let told = |fact| {
        let Written { fact, at, cause, class } =
            Written::deserialize(fact).unwrap_or_else(|_| unreachable!("a fact is as the ledger writes it"));
        let (class, source) = (class.map(Into::into), entry.source.into());
        Fact { at: at.into(), event: entry.identity, fact, cause, class, source }
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
    use crate::bench::{Bench, SERVER};
    use http::{HeaderValue, Method};
    use ledger::Source;
    use serde_json::{Value, json};
    use store::prelude::*;

    /// A complaint about an address, as Postmark tells it.
    async fn complained(bench: &Bench, address: &str, id: i64) -> RecipientId {
        let body = json!({
            "RecordType": "SpamComplaint", "MessageStream": "outbound", "ID": id, "Type": "SpamComplaint",
            "MessageID": "5c2f8f10-0000-4000-8000-000000005106", "ServerID": SERVER, "Email": address,
            "BouncedAt": "2026-11-20T10:00:00Z", "Inactive": true, "CanActivate": false,
        });
        bench.record(SERVER, body, Source::Webhook).await.recipient
    }

    #[tokio::test]
    async fn what_is_no_address_or_id_is_refused_with_the_reason_by_every_route_and_never_answered() {
        let bench = Bench::default();
        let id = complained(&bench, "john@customer.example", 1).await;
        let routes = [
            (Method::GET, "", Value::Null),
            (Method::GET, "/timeline", Value::Null),
            (Method::GET, "/export", Value::Null),
            (Method::POST, "/erase", json!({})),
            (Method::POST, "/reactivate", json!({ "stream": "outbound", "reason": "r" })),
        ];
        for (method, route, body) in routes {
            let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
            let ask = async |name: &str| {
                bench.call(method.clone(), &format!("recipients/{name}{route}"), &body).await
            };
            for (name, reason) in [
                ("not-an-address", "the address has no @"),
                ("john%40customer.example", "percent-encoded"),
                ("mailto:john@customer.example", "mailto:"),
                ("*@customer.example", "a pattern"),
                ("john@customer.example,bob@customer.example", "more than one address"),
                ("john@customer.example/", "the path ends in a slash"),
                ("john@customer.example//", "the path ends in a slash"),
                ("john@customer.example/x", "the address has no valid domain"),
                ("id:john@customer.example", "not a recipient's id"),
                (&format!("id:{id}/"), "the path ends in a slash"),
                (&format!("id:{id}x"), "not a recipient's id"),
                (&format!("ID:{id}"), "no @"),
                (&id.to_string(), "write an id as id: and the id"),
            ] {
                let told = ask(name).await;
                assert_eq!(told.status(), 400, "{method} {name}{route}: {}", told.text());
                let detail = told.json()["detail"].as_str().unwrap().to_owned();
                assert!(detail.contains(reason), "{method} {name}{route}: {detail}");
                assert!(!told.text().contains("john"), "it quotes nothing");
            }
            assert_eq!(ask("id:AAAAAAAAAAAAAAAAAAAAAA").await.status(), 404, "{method} {route}: nobody's id");
            let known = ask(&format!("id:{id}")).await.status();
            assert!(known != 404 && known != 400, "{method} {route}: {known}");
        }
        let told = bench.get("recipients/john@customer.example/timeline/").await;
        assert_eq!(told.status(), 400, "{}", told.text());
    }

    #[tokio::test]
    async fn an_address_that_a_question_mark_cut_off_is_refused_and_never_answered_for_what_is_left() {
        let bench = Bench::default();
        complained(&bench, "john?news@customer.example", 1).await;
        let routes = [(Method::GET, ""), (Method::GET, "/timeline"), (Method::GET, "/export")];
        let changes = [(Method::POST, "/erase"), (Method::POST, "/reactivate")];
        for (method, route) in routes.into_iter().chain(changes) {
            // As it is typed, half encoded, at the beginning, with a query of its own behind it; and as a gateway hands
            // on what was encoded: the rest is gone.
            for target in [
                format!("recipients/john?news@customer.example{route}"),
                format!("recipients/john?news%40customer.example{route}"),
                format!("recipients/?news@customer.example{route}"),
                format!("recipients/john?news@customer.example{route}?limit=1"),
                format!("recipients/\"john@x?\"@customer.example{route}"),
                "recipients/john".to_owned(),
            ] {
                let told = bench.call(method.clone(), &target, b"{}").await;
                assert_eq!(told.status(), 400, "{method} {target}: {}", told.text());
                let told = told.json();
                assert_eq!(told["type"], "urn:postledger:problem:bad-request");
                let next = told["next"].as_str().unwrap();
                assert!(next.contains("`id:`") && next.contains("/check"), "{method} {target}: {next}");
                assert!(!told.to_string().contains("john"), "it quotes nothing");
            }
        }
        assert!(bench.decided().await.is_empty() && bench.store.erased().await.unwrap().is_empty());
        let whole = bench.whole("recipients/john?news@customer.example", "").await.json();
        assert_eq!(
            whole["streams"]["outbound"]["verdict"], "do_not_send",
            "a path that has all of it is answered"
        );
        let body = json!({ "stream": "outbound", "addresses": ["john?news@customer.example"] });
        let checked = bench.post("check", body).await.json();
        assert_eq!(checked["results"][0]["verdict"], "do_not_send", "{checked}");
    }

    #[tokio::test]
    async fn what_has_no_question_mark_is_told_its_methods_and_its_own_reason() {
        let bench = Bench::default();
        complained(&bench, "john@customer.example", 1).await;
        let told = bench.call(Method::POST, "recipients/john@customer.example", b"{}").await;
        assert_eq!((told.status(), &told.0.headers()["allow"]), (405, &HeaderValue::from_static("GET")));
        let told = bench.get("recipients/john@customer.example?bcc=1").await;
        assert_eq!(told.status(), 400);
        assert!(told.text().contains("unknown parameter"), "{}", told.text());
    }

    #[tokio::test]
    async fn whoever_was_only_delivered_to_is_known_from_then_on() {
        let bench = Bench::default();
        let delivery = json!({
            "RecordType": "Delivery", "MessageStream": "outbound", "ServerID": SERVER, "Recipient": "ben@customer.example",
            "MessageID": "5c2f8f10-0000-4000-8000-000000005108", "DeliveredAt": "2026-11-20T10:00:00Z", "Tag": "",
        });
        bench.record(SERVER, delivery, Source::Webhook).await;
        let known = async |asked: &str| {
            let told = bench.get(&format!("recipients/{asked}")).await.json();
            (told["known"].clone(), told["streams"]["outbound"]["verdict"].clone())
        };
        assert_eq!(known("ben@customer.example").await, (json!(true), json!("send")));
        assert_eq!(
            known("ben@customer.example?at=2026-11-20T09:00:00Z").await,
            (json!(false), json!("send"))
        );
        assert_eq!(known("nobody@customer.example").await.0, json!(false));
    }

    #[tokio::test]
    async fn what_is_not_to_be_seen_is_taken_out_and_told() {
        let bench = Bench::default();
        complained(&bench, "gone@customer.example", 1).await;
        let told = bench.get("recipients/\u{200b}gone@customer\u{ad}.example").await.json();
        assert_eq!(told["streams"]["outbound"]["verdict"], "do_not_send");
        assert_eq!(told["cleaned"], "gone@customer.example");
        assert_eq!(told["also_asked"], json!(["\"gone\"@customer.example", "\u{200b}gone@customer.example"]));
        let plain = bench.get("recipients/gone@customer.example").await.json();
        assert_eq!((plain.get("cleaned"), plain.get("also_asked")), (None, None));
        let told = bench.get("recipients/gone\u{200d}@customer.example/timeline").await.json();
        assert_eq!(told["items"].as_array().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn all_spellings_of_a_mailbox_are_asked_for_and_the_strictest_answer_holds() {
        let bench = Bench::default();
        complained(&bench, "taro..yama.@mobile.example", 1).await;
        let soft = json!({
            "RecordType": "Bounce", "MessageStream": "outbound", "ID": 2, "Type": "SoftBounce",
            "MessageID": "5c2f8f10-0000-4000-8000-000000005107", "ServerID": SERVER, "Inactive": false,
            "Email": "\"taro..yama.\"@mobile.example", "BouncedAt": "2026-11-21T10:00:00Z",
        });
        let soft = bench.record(SERVER, soft, Source::Webhook).await;
        for (asked, other) in [
            ("taro..yama.@mobile.example", "\"taro..yama.\"@mobile.example"),
            ("\"taro..yama.\"@mobile.example", "taro..yama.@mobile.example"),
            ("\"taro.\\.yama.\"@mobile.example", "taro..yama.@mobile.example"),
        ] {
            let told = bench.get(&format!("recipients/{asked}")).await.json();
            let outbound = &told["streams"]["outbound"];
            assert_eq!(
                (&told["known"], &outbound["verdict"]),
                (&json!(true), &json!("do_not_send")),
                "{asked}"
            );
            assert_eq!(outbound["reasons"][0]["code"], "listed_complaint");
            assert_eq!(
                outbound["bounces"][0]["event"],
                json!(soft.identity),
                "what is known of each is told"
            );
            assert_eq!(told["also_asked"][0], other);
            let timeline = bench.get(&format!("recipients/{asked}/timeline")).await.json();
            assert_eq!(timeline["items"].as_array().unwrap().len(), 2);
            let past = bench.get(&format!("recipients/{asked}?at=2026-11-20T12:00:00Z")).await.json();
            assert_eq!(past["streams"]["outbound"]["verdict"], "do_not_send");
            let export = bench.get(&format!("recipients/{asked}/export")).await.json();
            assert_eq!(export["items"].as_array().unwrap().len(), 2);
            assert_eq!(export["other_views"].as_array().unwrap().len(), 1);
        }
        let pages = async {
            let (mut found, mut cursor) = (0, String::new());
            loop {
                let target = format!("recipients/taro..yama.@mobile.example/export?limit=1{cursor}");
                let page = bench.get(&target).await.json();
                found += page["items"].as_array().unwrap().len();
                match page["next"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => return found,
                }
            }
        };
        assert_eq!(pages.await, 2, "page by page it is the same");
    }

    #[tokio::test]
    async fn the_streams_of_a_recipient_come_in_pages() {
        let bench = Bench::default();
        let server = ledger::ServerId::new(SERVER).unwrap();
        for n in 0..230 {
            bench.store.note_stream(server, &format!("stream-{n:04}")).await.unwrap();
        }
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let told = bench.get(&format!("recipients/ida@customer.example?{cursor}")).await.json();
            let streams: Vec<String> = told["streams"].as_object().unwrap().keys().cloned().collect();
            assert!(streams.len() <= store::STREAMS_OF_SERVER_MAX);
            seen.extend(streams);
            let Some(next) = told["next"].as_str() else { break };
            cursor = format!("cursor={next}");
        }
        assert_eq!(seen, (0..230).map(|n| format!("stream-{n:04}")).collect::<Vec<_>>());
        let one = bench.get("recipients/ida@customer.example?stream=stream-0200").await.json();
        assert_eq!((one["streams"].as_object().unwrap().len(), &one["next"]), (1, &Value::Null));
    }

    #[test]
    fn a_day_of_another_year_bears_its_year() {
        let at = |text: &str| text.parse::<Time>().unwrap();
        assert_eq!(day(at("2026-05-03T23:00:00Z"), at("2026-11-25T00:00:00Z")), "3 May");
        assert_eq!(day(at("2025-12-31T23:59:59Z"), at("2026-01-01T00:00:00Z")), "31 December 2025");
    }
}

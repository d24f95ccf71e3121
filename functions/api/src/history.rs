//! What happened: to a recipient, to a message, at a server; and a person's data.
//!
//! Every list goes on from a [`Place`]: an instant and an event of it, not a number of items passed. What is recorded
//! while pages are read shifts none of them.

mod activity;
mod entry;
mod export;

pub(crate) use activity::activity;
pub(crate) use export::export;

use crate::call::{Answer, Call, Query};
use crate::cursor;
use crate::problem::Problem;
use crate::recipient::Named;
use crate::scope::Reader;
use answers::{Entry, EntryWithRecipient, Events, Timeline};
use entry::{Place, entry, entry_of_recipient, rulers};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ledger::Class;
use postmark::MESSAGE_ID_BYTES_MAX;
use std::collections::BTreeMap;
use store::ask;
use store::{MessageKey, Recorded};

/// How many items a page has, unless more are asked for, and at most.
const LIMITS: [usize; 2] = [100, 500];
/// How many events of a class a timeline is made of at most, of so many more that a recipient may have.
const TIMELINE_EVENTS_MAX: usize = 5_000;
/// How many events of a recipient are held at once while its timeline is read.
const READ_AT_ONCE: usize = 500;
/// How many events of a message are read at once, each by its key.
const KEYS_AT_ONCE: usize = 16;
/// How long a UUID is, in bytes, as Postmark writes it.
const UUID_BYTES: usize = 36;

fn limit(query: &Query) -> Result<usize, Problem> {
    query.limit(LIMITS[0], LIMITS[1])
}

/// What happened to a recipient, oldest first.
pub(crate) async fn timeline(reader: &Reader<'_>, call: &Call<'_>, name: &str) -> Result<Answer, Problem> {
    let query = call.query(&["cursor", "limit"])?;
    let limit = limit(&query)?;
    let named = Named::of(reader, name).await?;
    let behind: Option<Place> = cursor::read(query.text("cursor"))?;
    // Events lie by identity, not by time: all are read, and no more are held than the page and one behind it.
    let mut first: BTreeMap<Place, Recorded> = BTreeMap::new();
    let mut truncated = false;
    let lists = named.ids.iter().flat_map(|id| Class::ALL.map(|class| (*id, class)));
    for (id, class) in lists.collect::<Vec<_>>() {
        let (mut read, mut after) = (0, None);
        loop {
            let wanted = READ_AT_ONCE.min(TIMELINE_EVENTS_MAX - read);
            let found = reader.events(id, class, after, wanted).await?;
            read += found.items.len();
            after = found.items.last().map(|recorded| recorded.event.identity).or(after);
            for recorded in found.items.into_iter().filter(|recorded| ask::lives(recorded, reader.now())) {
                let place = Place::of(&recorded.event);
                if behind.is_none_or(|behind| behind < place) {
                    first.insert(place, recorded);
                }
                if first.len() > limit + 1 {
                    first.pop_last();
                }
            }
            if found.next.is_none() {
                break;
            }
            if read >= TIMELINE_EVENTS_MAX {
                truncated = true;
                break;
            }
        }
    }
    let more = first.len() > limit;
    if more {
        first.pop_last();
    }
    let next = first.last_key_value().filter(|_| more).map(|(place, _)| cursor::write(place));
    let reveal = reader.caller().reveals();
    rulers(reader, first.values_mut()).await?;
    let items: Vec<Entry> = first.values().map(|recorded| entry(recorded, reveal)).collect();
    Ok(Answer::json(&Timeline { items, next, truncated }))
}

/// What happened to a message, oldest first.
///
/// # Errors
/// [`Problem::not_found`] where nothing is recorded of it.
pub(crate) async fn message(reader: &Reader<'_>, call: &Call<'_>, name: &str) -> Result<Answer, Problem> {
    let query = call.query(&["cursor", "limit"])?;
    let limit = limit(&query)?;
    let behind: Option<Place> = cursor::read(query.text("cursor"))?;
    let place = |key: &MessageKey| Place::within(key.at, key.identity, key.recipient);
    let mut keys = Vec::new();
    for spelled in spellings(name) {
        keys.extend(reader.message(&spelled).await?);
    }
    keys.retain(|key| behind.is_none_or(|behind| behind < place(key)));
    keys.sort_unstable_by_key(place);
    let more = keys.len() > limit;
    keys.truncate(limit);
    let next = keys.last().filter(|_| more).map(|key| cursor::write(&place(key)));
    let read: Vec<_> =
        keys.into_iter().map(|key| reader.event(key.recipient, key.class, key.identity)).collect();
    let mut read: Vec<Option<Recorded>> = stream::iter(read).buffered(KEYS_AT_ONCE).try_collect().await?;
    rulers(reader, read.iter_mut().flatten()).await?;
    let (now, reveal) = (reader.now(), reader.caller().reveals());
    let living = read.iter().flatten().filter(|recorded| ask::lives(recorded, now));
    let items: Vec<EntryWithRecipient> =
        living.map(|recorded| entry_of_recipient(recorded, reveal)).collect();
    if items.is_empty() && next.is_none() && behind.is_none() {
        return Err(Problem::not_found());
    }
    Ok(Answer::json(&Events { items, next }))
}

/// A MessageID as it may have been recorded. It is kept as it was told: Postmark writes UUIDs in lower case, and
/// whoever copies one from elsewhere may bring capitals.
pub(crate) fn spellings(name: &str) -> Vec<String> {
    if name.len() > MESSAGE_ID_BYTES_MAX {
        return Vec::new();
    }
    let mut spellings = vec![name.to_owned()];
    let hyphens = [8, 13, 18, 23];
    let uuid = name.len() == UUID_BYTES
        && name
            .bytes()
            .enumerate()
            .all(|(at, byte)| if hyphens.contains(&at) { byte == b'-' } else { byte.is_ascii_hexdigit() });
    let lower = name.to_ascii_lowercase();
    if uuid && lower != name {
        spellings.push(lower);
    }
    spellings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Bench, SERVER, now, recorded};
    use crate::call::rfc3339;
    use crate::token::Role;
    use http::Method;
    use ledger::event::What;
    use ledger::{Source, Time};
    use serde_json::{Value, json};

    const MESSAGE: &str = "883953f4-6105-42a2-a16a-77a8eac79483";
    const IDA: &str = "recipients/Ida@customer.example/timeline";

    fn at(n: i64) -> Time {
        now().plus_seconds(n - 1_000_000)
    }

    /// What came of one message: a click, an open and a delivery, its bounce and a decision.
    fn bodies() -> Vec<(Value, Source)> {
        let body = |kind: &str, time: &str, n: i64, more: Value| {
            let mut body = json!({
                "RecordType": kind, "MessageStream": "outbound", "ServerID": SERVER, "MessageID": MESSAGE,
                "Recipient": "ida@customer.example", "Tag": "welcome", time: at(n).to_string(),
            });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        let link = "https://sender.example/?to=ida@customer.example";
        let decision = postmark::Decision {
            id: "AAECAwQFBgcICQoLDA0ODw",
            stream: "*",
            address: "ida@customer.example",
            ruling: ledger::event::Ruling::Suppress(ledger::event::Bar::Decision),
            reason: "ida@customer.example has asked",
            actor: "desk",
            at: at(50),
        };
        vec![
            (body("Click", "ReceivedAt", 40, json!({ "OriginalLink": link })), Source::Webhook),
            (decision.body(), Source::Operator),
            (
                body("Open", "ReceivedAt", 30, json!({ "FirstOpen": true, "UserAgent": "Reader/1" })),
                Source::Webhook,
            ),
            (
                body(
                    "Bounce",
                    "BouncedAt",
                    20,
                    json!({
                        "Email": "ida@customer.example", "ID": 7, "Type": "SoftBounce", "Inactive": false,
                        "Description": "Mailbox full", "Details": "452 <ida@customer.example> is full",
                        "Subject": "Dear ida@customer.example",
                    }),
                ),
                Source::Webhook,
            ),
            (
                body("Delivery", "DeliveredAt", 10, json!({ "Details": "250 ida@customer.example" })),
                Source::Webhook,
            ),
        ]
    }

    async fn bench() -> Bench {
        let bench = Bench::default();
        for (body, source) in bodies() {
            bench.record(SERVER, body, source).await;
        }
        bench
    }

    fn types(told: &Value) -> Vec<&str> {
        told["items"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_timeline_has_all_classes_oldest_first_with_what_their_bodies_say() {
        let bench = bench().await;
        let told = bench.get(IDA).await.json();
        assert_eq!(types(&told), ["Delivery", "Bounce", "Open", "Click", "Decision"]);
        assert_eq!((&told["next"], &told["truncated"]), (&Value::Null, &json!(false)));
        let items = &told["items"];
        assert_eq!(
            items[1]["details"],
            json!({
                "tag": "welcome", "bounce_type": "SoftBounce", "description": "Mailbox full",
                "diagnostic": "452 <ida@customer.example> is full", "subject": "Dear ida@customer.example",
            })
        );
        let bounce = &items[1];
        assert_eq!(bounce["time"], rfc3339(at(20)));
        assert_eq!(bounce["received_at"], rfc3339(now()));
        assert_eq!((&bounce["message_id"], &bounce["source"]), (&json!(MESSAGE), &json!("webhook")));
        assert_eq!((&bounce["measure"], &bounce["stream"]), (&json!("bounce_soft"), &json!("outbound")));
        assert_eq!(
            (&bounce["facts"][0]["fact"], &bounce["facts"][0]["class"]),
            (&json!("bounced"), &json!("soft"))
        );
        assert_eq!(items[2]["details"], json!({ "tag": "welcome", "user_agent": "Reader/1" }));
        assert_eq!(items[3]["details"]["link"], "https://sender.example/?to=ida@customer.example");
        assert_eq!(items[4]["note"], "desk: ida@customer.example has asked");
        assert_eq!((&items[4]["details"], items[4].get("message_id")), (&json!({}), None));
        assert!(items.as_array().unwrap().iter().all(|item| item.get("body").is_none()));
        let id = bounce_recipient();
        assert_eq!(bench.get(&format!("recipients/id:{id}/timeline")).await.json(), told);
        let nobody = bench.get("recipients/nobody@customer.example/timeline").await.json();
        assert_eq!(nobody, json!({ "items": [], "next": null, "truncated": false }));
    }

    fn bounce_recipient() -> ledger::RecipientId {
        recorded(0, "ida@customer.example", "outbound", at(0), What::Delivery).event.recipient
    }

    #[tokio::test]
    async fn whoever_is_not_to_see_addresses_sees_no_text_that_may_hold_one() {
        let bench = bench().await;
        let viewer = bench.token(Role::Viewer, Some(&[SERVER]), false).await;
        let id = bounce_recipient();
        for path in [
            &format!("recipients/id:{id}/timeline"),
            &format!("messages/{MESSAGE}"),
            "activity?from=2026-11-10T00:00:00Z",
        ] {
            let told = bench.ask(&viewer, Method::GET, &format!("/v1/servers/{SERVER}/{path}"), &[]).await;
            assert_eq!(told.status(), 200, "{path}: {}", told.text());
            assert!(!told.text().to_lowercase().contains("ida@"), "{path}: {}", told.text());
            for name in ["diagnostic", "link", "subject", "note"] {
                assert!(!told.text().contains(&format!("\"{name}\":")), "{path}: {name}");
            }
            assert!(told.text().contains("Mailbox full") && told.text().contains("Reader/1"), "{path}");
        }
        let told = bench
            .ask(&viewer, Method::GET, &format!("/v1/servers/{SERVER}/messages/{MESSAGE}"), &[])
            .await
            .json();
        assert_eq!(
            told["items"][0]["recipient"],
            json!({ "recipient_id": id, "address": "i***@customer.example" })
        );
        let export = format!("/v1/servers/{SERVER}/recipients/id:{id}/export");
        let masked = bench.token(Role::Admin, Some(&[SERVER]), false).await;
        for token in [viewer, masked] {
            assert_eq!(bench.ask(&token, Method::GET, &export, &[]).await.status(), 403);
        }
    }

    #[tokio::test]
    async fn a_client_is_told_that_an_operator_ruled_and_not_who() {
        let bench = bench().await;
        let admin = bench.token(Role::Admin, Some(&[SERVER]), true).await;
        let id = bounce_recipient();
        for path in [
            format!("recipients/id:{id}/timeline"),
            format!("recipients/id:{id}/export"),
            "activity?from=2026-11-10T00:00:00Z".to_owned(),
        ] {
            let target = format!("/v1/servers/{SERVER}/{path}");
            let told = bench.ask(&admin, Method::GET, &target, &[]).await;
            assert!(
                told.text().contains("operator: ida@customer.example has asked"),
                "{path}: {}",
                told.text()
            );
            assert!(!told.text().contains("desk"), "{path}: {}", told.text());
        }
    }

    #[tokio::test]
    async fn a_long_text_of_a_body_is_cut_in_lists() {
        let bench = Bench::default();
        let mut long = recorded(0, "ida@customer.example", "outbound", at(0), What::Delivery);
        long.body = Some(json!({ "Tag": "\u{e9}".repeat(200_000), "Subject": 5, "Details": "" }).to_string());
        bench.keep(&[long]).await;
        let told = bench.get(IDA).await.json();
        let details = told["items"][0]["details"].as_object().unwrap();
        assert_eq!(details.len(), 1);
        assert_eq!(details["tag"].as_str().unwrap().len(), 2_048);
    }

    /// All pages of a list.
    async fn pages(bench: &Bench, path: &str, limit: usize) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let told = bench.get(&format!("{path}?limit={limit}{cursor}")).await;
            assert_eq!(told.status(), 200, "{}", told.text());
            let told = told.json();
            let some = told["items"].as_array().unwrap();
            assert!(some.len() <= limit);
            items.extend(some.iter().cloned());
            let Some(next) = told["next"].as_str() else { return items };
            cursor = format!("&cursor={next}");
        }
    }

    /// Events of a message to one recipient, three in each second, in all classes.
    fn many(n: u64) -> Recorded {
        let what = match n % 4 {
            0 => What::Delivery,
            1 => What::Bounce { bounce_type: "Blocked".to_owned(), inactive: false },
            2 => What::Open { first: false, machine: false },
            _ => What::Click { machine: true },
        };
        let mut event = recorded(n, "ida@customer.example", "outbound", at(n as i64 / 3), what);
        event.event.message_id = Some(MESSAGE.to_owned());
        event
    }

    fn in_order(mut events: Vec<Recorded>) -> Vec<String> {
        events.sort_by_key(|one| (one.event.at, one.event.identity));
        events.iter().map(|one| one.event.identity.to_string()).collect()
    }

    fn events(items: &[Value]) -> Vec<String> {
        items.iter().map(|item| item["event"].as_str().unwrap().to_owned()).collect()
    }

    #[tokio::test]
    async fn pages_together_are_the_whole_list_each_event_once() {
        let bench = Bench::default();
        let mut all: Vec<Recorded> = (0..61).map(many).collect();
        bench.keep(&all).await;
        let mut gone = many(100);
        gone.expires_at = Some(now());
        bench.keep(&[gone]).await;
        for limit in [1, 2, 7, 60, 61, 62, 500] {
            assert_eq!(events(&pages(&bench, IDA, limit).await), in_order(all.clone()), "{limit}");
            let message = pages(&bench, &format!("messages/{MESSAGE}"), limit).await;
            assert_eq!(events(&message), in_order(all.clone()), "{limit}");
        }
        // What is recorded behind the reader shifts nothing; what lies ahead is told.
        for path in [IDA.to_owned(), format!("messages/{MESSAGE}")] {
            let first = bench.get(&format!("{path}?limit=30")).await.json();
            let new = |n: u64, at: Time| {
                let mut event = many(n + all.len() as u64);
                event.event.at = at;
                event
            };
            let (early, late) = (new(200, at(-1 - all.len() as i64)), new(300, at(100)));
            bench.keep(&[early.clone(), late.clone()]).await;
            all.extend([early, late]);
            let rest = bench.get(&format!("{path}?cursor={}", first["next"].as_str().unwrap())).await.json();
            let rest = events(rest["items"].as_array().unwrap());
            assert_eq!(rest, in_order(all.clone())[31..], "{path}");
        }
    }

    #[tokio::test]
    async fn a_timeline_of_more_than_it_is_made_of_says_so() {
        let bench = Bench::default();
        let all: Vec<Recorded> = (0..TIMELINE_EVENTS_MAX as u64 + 1)
            .map(|n| recorded(n, "ida@customer.example", "outbound", at(n as i64), What::Delivery))
            .collect();
        bench.keep(&all[1..]).await;
        let told = bench.get(IDA).await.json();
        assert_eq!((&told["truncated"], types(&told).len()), (&json!(false), LIMITS[0]));
        bench.keep(&all[..1]).await;
        let told = bench.get(IDA).await.json();
        assert_eq!((&told["truncated"], types(&told).len()), (&json!(true), LIMITS[0]));
    }

    #[tokio::test]
    async fn a_message_is_found_in_any_case_and_only_at_its_own_server() {
        let bench = bench().await;
        let told = bench.get(&format!("messages/{MESSAGE}")).await;
        assert_eq!(types(&told.json()), ["Delivery", "Bounce", "Open", "Click"]);
        assert_eq!(told.json()["items"][0]["recipient"]["address"], "ida@customer.example");
        let upper = bench.get(&format!("messages/{}", MESSAGE.to_uppercase())).await;
        assert_eq!(upper.json(), told.json());
        // One that is no UUID is as it was told.
        let mut odd = many(1);
        odd.event.message_id = Some("Message-1".to_owned());
        bench.keep(&[odd]).await;
        assert_eq!(bench.get("messages/Message-1").await.status(), 200);
        let zero = "00000000-0000-0000-0000-000000000000";
        for unknown in ["message-1", "x", zero, &"x".repeat(3_000)] {
            let told = bench.get(&format!("messages/{unknown}")).await;
            assert_eq!(
                (told.status(), &told.json()["type"]),
                (404, &json!("urn:postledger:problem:not-found"))
            );
        }
        let other = bench.token(Role::Viewer, Some(&[SERVER + 1]), true).await;
        let told = bench
            .ask(&other, Method::GET, &format!("/v1/servers/{}/messages/{MESSAGE}", SERVER + 1), &[])
            .await;
        assert_eq!(told.status(), 404);
    }

    #[tokio::test]
    async fn what_cannot_be_asked_is_refused_and_an_altered_cursor_does_no_harm() {
        let bench = bench().await;
        let message = format!("messages/{MESSAGE}");
        let export = "recipients/ida@customer.example/export";
        for path in [IDA, &message, export] {
            for wrong in ["limit=0", "limit=501", "cursor=", "cursor=!", "stream=outbound", "limit=1&limit=1"]
            {
                assert_eq!(bench.get(&format!("{path}?{wrong}")).await.status(), 400, "{path} {wrong}");
            }
            for place in [
                json!([i64::MIN, null]),
                json!([i64::MAX, ["AAECAwQFBgcICQoLDA0ODw", "AAECAwQFBgcICQoLDA0ODw"]]),
                json!([0, ["x", "y"]]),
                json!(["s", null]),
                json!(["e", "AAECAwQFBgcICQoLDA0ODw"]),
                json!(["x", null]),
                json!([]),
                json!({}),
            ] {
                let told = bench.get(&format!("{path}?cursor={}", cursor::write(&place))).await;
                assert!([200, 400].contains(&told.status()), "{path} {place}");
                if told.status() == 400 {
                    assert_eq!(told.json()["type"], "urn:postledger:problem:bad-cursor");
                }
            }
        }
    }
}

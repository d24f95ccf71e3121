//! A person's data: everything that is recorded of a recipient, for whoever has asked what that is.

use super::entry::{body, entry, rulers};
use super::limit;
use crate::call::{Answer, Call, rfc3339};
use crate::cursor;
use crate::problem::Problem;
use crate::recipient::Named;
use crate::scope::Admin;
use answers::{EntryWithBody, Export};
use ledger::fold::View;
use ledger::{Class, Identity, RecipientId, Time};
use serde_json::{Value, json};
use store::ask;

/// How many bytes of items a page has, about: a gateway lets 6 MB through, and one body may have 252 KiB.
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How many events are held at once beside the page.
const READ_AT_ONCE: usize = 10;

/// How far a person's data is given out: of which spelling of the address, up to an event of a class, in the order that
/// they lie in.
type Place = (usize, Class, Option<Identity>);

/// Everything that is recorded of a recipient, with the bodies.
///
/// # Errors
/// [`Problem::role`] where addresses are not to be seen.
pub(crate) async fn export(admin: &Admin<'_>, call: &Call<'_>, name: &str) -> Result<Answer, Problem> {
    let query = call.query(&["cursor", "limit"])?;
    let limit = limit(&query)?;
    let named = Named::of(admin.reader(), name).await?;
    let place: Option<Place> = cursor::read(query.text("cursor"))?;
    // Without its addresses it would not be the person's data.
    if !admin.caller().reveals() {
        return Err(Problem::role("admin, and one that reveals addresses"));
    }
    let (id, ids, address) = (named.id(), named.ids, named.given);
    let first = place.is_none();
    // Each page is noted: a cursor that nobody gave out would read on as well.
    let read = async {
        let views = if first { admin.views(&ids).await? } else { Vec::new() };
        let page = page(admin, &ids, place.unwrap_or((0, Class::State, None)), limit).await?;
        let noted = json!({ "events": page.0.len(), "more": page.1.is_some() });
        Ok(((views, page), noted))
    };
    let asked = json!({ "first": first });
    let (views, (items, next)) = admin.change("export", Some(id.to_string()), asked, read).await?;
    // Of another spelling of the address there hardly ever is one.
    let mut views = views.into_iter().flatten();
    let view = views.next();
    Ok(Answer::json(&Export {
        recipient_id: id,
        view: first.then(|| view.as_ref().map(of_view).unwrap_or_default()),
        other_views: views.map(|view| of_view(&view)).collect(),
        address: address.or_else(|| view?.address),
        items,
        next: next.map(|place| cursor::write(&place)),
    }))
}

/// A page of what is recorded behind a place, made of `limit` events at most.
async fn page(
    admin: &Admin<'_>,
    spellings: &[RecipientId],
    behind: Place,
    limit: usize,
) -> Result<(Vec<EntryWithBody>, Option<Place>), Problem> {
    let (mut items, mut read, mut bytes) = (Vec::new(), 0, 0);
    let (from, class, identity) = behind;
    let all = spellings.iter().enumerate().flat_map(|(at, id)| Class::ALL.map(|class| (at, *id, class)));
    let behind_it: Vec<_> = all.filter(|(at, _, of)| (*at, *of) >= (from, class)).collect();
    for (at, recipient, class) in behind_it {
        let mut after = identity.filter(|_| (at, class) == (from, behind.1));
        loop {
            if read >= limit {
                return Ok((items, Some((at, class, after))));
            }
            let mut found = admin.events(recipient, class, after, READ_AT_ONCE.min(limit - read)).await?;
            rulers(admin.reader(), found.items.iter_mut()).await?;
            for recorded in found.items {
                if bytes >= PAGE_BYTES_MAX {
                    return Ok((items, Some((at, class, after))));
                }
                read += 1;
                after = Some(recorded.event.identity);
                if ask::lives(&recorded, admin.now()) {
                    let item = EntryWithBody { entry: entry(&recorded, true), body: body(&recorded) };
                    bytes += serde_json::to_vec(&item).map_or(0, |item| item.len());
                    items.push(item);
                }
            }
            if found.next.is_none() {
                break;
            }
        }
    }
    Ok((items, None))
}

/// A view as it is stored, but for its times.
fn of_view(view: &View) -> Value {
    let mut told = serde_json::to_value(view).unwrap_or_default();
    write_times(&mut told);
    told
}

/// Puts RFC 3339 in the place of microseconds: every `at` that is a number is a time.
fn write_times(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_i64().filter(|_| name == "at") {
                    Some(micros) => *member = rfc3339(Time::from_micros(micros)).into(),
                    None => write_times(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(write_times),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Bench, SERVER, now, recorded};
    use account::audit::{self, Phase};
    use ledger::event::What;
    use ledger::{ServerId, Source};
    use store::prelude::*;
    use store::{Collection, Recorded};

    const IDA: &str = "recipients/ida@customer.example/export";

    async fn audited(bench: &Bench) -> Vec<audit::Entry> {
        let collection = Collection::Audit(ServerId::new(SERVER).unwrap());
        let documents = bench.store.documents(&collection).await.unwrap();
        documents.iter().map(|(_, document)| audit::read(&document.text).unwrap()).collect()
    }

    async fn pages(bench: &Bench, limit: usize) -> Vec<Value> {
        let (mut pages, mut cursor) = (Vec::new(), String::new());
        loop {
            let told = bench.get(&format!("{IDA}?limit={limit}{cursor}")).await;
            assert_eq!(told.status(), 200, "{}", told.text());
            pages.push(told.json());
            match pages[pages.len() - 1]["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return pages,
            }
        }
    }

    fn event(n: u64, what: What) -> Recorded {
        let at = now().plus_seconds(n as i64 - 5_000);
        let mut event = recorded(n, "ida@customer.example", "outbound", at, what);
        event.body = Some(json!({ "MessageID": "m", "Secret": { "n": n } }).to_string());
        event
    }

    #[tokio::test]
    async fn everything_is_given_out_once_with_its_body_and_each_page_is_noted() {
        let bench = Bench::default();
        let blocked = || What::Bounce { bounce_type: "Blocked".to_owned(), inactive: false };
        let all: Vec<Recorded> = (0..45)
            .map(|n| {
                let whats = [What::Delivery, blocked(), What::Click { machine: false }];
                event(n, whats[n as usize % 3].clone())
            })
            .collect();
        bench.keep(&all).await;
        let mut gone = event(100, What::Delivery);
        gone.expires_at = Some(now());
        let mut erased = event(101, blocked());
        (erased.body, erased.event.address) = (None, None);
        bench.keep(&[gone, erased.clone()]).await;
        let mut expected: Vec<(String, Value)> = all
            .iter()
            .map(|one| {
                let body = serde_json::from_str(one.body.as_deref().unwrap()).unwrap();
                (one.event.identity.to_string(), body)
            })
            .collect();
        expected.push((erased.event.identity.to_string(), Value::Null));
        expected.sort_by(|one, other| one.0.cmp(&other.0));
        let mut given = 0;
        for limit in [1, 4, 15, 16, 47, 500] {
            let pages = pages(&bench, limit).await;
            let items = pages.iter().flat_map(|page| page["items"].as_array().unwrap());
            let mut found: Vec<(String, Value)> = items
                .map(|item| (item["event"].as_str().unwrap().to_owned(), item["body"].clone()))
                .collect();
            found.sort_by(|one, other| one.0.cmp(&other.0));
            assert_eq!(found, expected, "{limit}");
            for (n, page) in pages.iter().enumerate() {
                assert_eq!(page.get("view").is_some(), n == 0, "on the first page");
                assert_eq!(page["address"], "ida@customer.example");
            }
            // Once begun, once done.
            given += pages.len();
            assert_eq!(audited(&bench).await.len(), 2 * given, "{limit}");
        }
        for entry in audited(&bench).await {
            assert_eq!((&*entry.what, entry.target), ("export", Some(all[0].event.recipient.to_string())));
            assert!(matches!(entry.phase, Phase::Begun | Phase::Done));
        }
    }

    #[tokio::test]
    async fn the_view_bears_times_that_people_read() {
        let bench = Bench::default();
        let body = json!({
            "RecordType": "SubscriptionChange", "MessageStream": "at", "ServerID": SERVER,
            "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483", "Recipient": "Ida@customer.example",
            "ChangedAt": "2026-11-01T10:53:34Z", "Origin": "Recipient", "SuppressSending": true,
            "SuppressionReason": "HardBounce",
        });
        let event = bench.record(SERVER, body, Source::Webhook).await;
        let told = bench.get(&format!("recipients/id:{}/export", event.recipient)).await.json();
        assert_eq!(told["address"], "Ida@customer.example");
        assert_eq!(told["recipient_id"], json!(event.recipient));
        let listed = &told["view"]["streams"]["at"]["listed"]["hard_bounce"];
        assert_eq!(*listed, json!([{ "at": "2026-11-01T10:53:34.000000Z", "event": event.identity }]));
        assert_eq!(told["items"][0]["body"]["Recipient"], "Ida@customer.example");
    }

    #[tokio::test]
    async fn of_somebody_unknown_nothing_is_given_out() {
        let bench = Bench::default();
        bench.store.note_stream(ServerId::new(SERVER).unwrap(), "outbound").await.unwrap();
        let told = bench.get(IDA).await.json();
        assert_eq!((&told["view"], &told["items"], &told["next"]), (&Value::Null, &json!([]), &Value::Null));
    }

    #[tokio::test]
    async fn a_page_ends_before_a_gateway_would_refuse_it() {
        let bench = Bench::default();
        let large: Vec<Recorded> = (0..60)
            .map(|n| {
                let mut event = event(n, What::Delivery);
                event.body = Some(json!({ "Details": "x".repeat(200 * 1024) }).to_string());
                event
            })
            .collect();
        for some in large.chunks(10) {
            bench.keep(some).await;
        }
        let pages = pages(&bench, 500).await;
        let items = |page: &Value| page["items"].as_array().unwrap().len();
        assert_eq!(pages.iter().map(items).sum::<usize>(), 60);
        for page in &pages {
            assert!((1..5 * 1024 * 1024).contains(&page.to_string().len()));
        }
        assert_eq!(pages.len(), 3);
    }
}

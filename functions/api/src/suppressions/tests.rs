//! Lists of suppressions, page by page, as JSON and as CSV.

use crate::bench::{Answered, Bench, SERVER};
use crate::cursor;
use crate::token::Role;
use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE, LINK};
use ledger::event::{Bar, Cause, Ruling};
use ledger::fold::StreamRow;
use ledger::{RecipientId, ServerId, Source, Time};
use postmark::{Decision, Observed};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use store::Action;
use store::prelude::*;

const LIST: &str = "streams/outbound/suppressions";

fn at(day: u32) -> Time {
    format!("2026-11-{day:02}T10:00:00Z").parse().unwrap()
}

async fn changed(bench: &Bench, address: &str, day: u32, suppress: bool, reason: &str, origin: &str) {
    let body = json!({
        "RecordType": "SubscriptionChange", "MessageStream": "outbound", "ServerID": SERVER,
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483", "Recipient": address,
        "ChangedAt": at(day).to_string(), "Origin": origin, "SuppressSending": suppress,
        "SuppressionReason": reason,
    });
    bench.record(SERVER, body, Source::Webhook).await;
}

async fn observed(bench: &Bench, address: &str, day: u32, cause: Option<Cause>) {
    let body = Observed { stream: "outbound", address, cause, at: at(day) }.body();
    bench.record(SERVER, body, Source::Reconcile).await;
}

async fn ruled(bench: &Bench, stream: &str, address: &str, day: u32, ruling: Ruling) {
    let id = format!("AAECAwQFBgcICQoLDA0{day:02}g");
    let decision = Decision { id: &id, stream, address, ruling, reason: "r", actor: "a", at: at(day) };
    bench.record(SERVER, decision.body(), Source::Operator).await;
}

/// One of each kind, by the day since when.
async fn listed() -> Bench {
    let bench = Bench::default();
    changed(&bench, "hard@customer.example", 1, true, "HardBounce", "Recipient").await;
    changed(&bench, "spam@customer.example", 2, true, "SpamComplaint", "Recipient").await;
    changed(&bench, "unsubscribed@customer.example", 3, true, "ManualSuppression", "Recipient").await;
    changed(&bench, "=customer@customer.example", 4, true, "ManualSuppression", "Customer").await;
    changed(&bench, "staff@customer.example", 5, true, "ManualSuppression", "Admin").await;
    observed(&bench, "seen@customer.example", 6, Some(Cause::Manual)).await;
    ruled(&bench, "outbound", "ruled@customer.example", 7, Ruling::Suppress(Bar::Decision)).await;
    ruled(&bench, "outbound", "imported@customer.example", 8, Ruling::Suppress(Bar::Import(None))).await;
    ruled(&bench, "*", "everywhere@customer.example", 9, Ruling::Suppress(Bar::Decision)).await;
    changed(&bench, "back@customer.example", 1, true, "HardBounce", "Recipient").await;
    changed(&bench, "back@customer.example", 2, false, "", "Customer").await;
    bench
}

/// Of each item the local part of its address.
fn names(told: &Answered) -> Vec<String> {
    assert_eq!(told.status(), 200, "{}", told.text());
    let told = told.json();
    let name = |item: &Value| item["address"].as_str().unwrap().split('@').next().unwrap().to_owned();
    told["items"].as_array().unwrap().iter().map(name).collect()
}

#[tokio::test]
async fn each_row_says_since_when_why_and_by_whom() {
    let bench = listed().await;
    let told = bench.get(LIST).await.json();
    assert_eq!(told["next"], Value::Null);
    let rows: Vec<_> = told["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            (item["causes"][0].as_str().unwrap().to_owned(), item["origin"].as_str().map(str::to_owned))
        })
        .collect();
    let row = |cause: &str, origin: Option<&str>| (cause.to_owned(), origin.map(str::to_owned));
    assert_eq!(
        rows,
        [
            row("hard_bounce", Some("Recipient")),
            row("complaint", Some("Recipient")),
            row("unsubscribe", Some("Recipient")),
            row("manual", Some("Customer")),
            row("manual", Some("Admin")),
            row("manual", None),
            row("decision", None),
            row("import", None),
        ]
    );
    let first = &told["items"][0];
    assert_eq!(first["address"], "hard@customer.example");
    assert_eq!(first["since"], "2026-11-01T10:00:00.000000Z");
    let id = first["recipient_id"].as_str().unwrap();
    let recipient = bench.get(&format!("recipients/id:{id}")).await.json();
    assert_eq!(recipient["address"], "hard@customer.example");
}

#[tokio::test]
async fn an_imported_cause_is_shown_and_found_as_postmarks_would_be_and_has_no_origin_there() {
    let bench = Bench::default();
    for (day, cause) in (1..).zip(Cause::ALL) {
        let (address, ruling) =
            (format!("{}@x.example", cause.name()), Ruling::Suppress(Bar::Import(Some(cause))));
        ruled(&bench, "outbound", &address, day, ruling).await;
    }
    changed(&bench, "complaint@x.example", 9, true, "HardBounce", "Recipient").await;
    let told = bench.get(LIST).await.json();
    for item in told["items"].as_array().unwrap() {
        let name = item["address"].as_str().unwrap().split('@').next().unwrap().to_owned();
        let (causes, origin) = match name.as_str() {
            "complaint" => (json!(["hard_bounce", "complaint", "import"]), json!("Recipient")),
            name => (json!([name, "import"]), Value::Null),
        };
        assert_eq!((&item["causes"], &item["origin"]), (&causes, &origin), "{name}");
        let found = names(&bench.get(&format!("{LIST}?cause={name}")).await);
        assert!(found.contains(&name), "{name}: {found:?}");
    }
    assert_eq!(names(&bench.get(&format!("{LIST}?cause=import")).await).len(), 5);
    assert_eq!(names(&bench.get(&format!("{LIST}?cause=hard_bounce")).await), ["hard_bounce", "complaint"]);
}

#[tokio::test]
async fn whoever_is_barred_on_the_whole_server_stands_under_an_asterisk_alone() {
    let bench = listed().await;
    assert_eq!(names(&bench.get("streams/*/suppressions").await), ["everywhere"]);
    assert!(!names(&bench.get(LIST).await).contains(&"everywhere".to_owned()));
    assert!(names(&bench.get("streams/broadcast/suppressions").await).is_empty());
    for wrong in ["**", "*a", "a#b"] {
        assert_eq!(bench.get(&format!("streams/{wrong}/suppressions")).await.status(), 400, "{wrong}");
    }
}

#[tokio::test]
async fn who_listed_by_hand_is_told_as_of_the_last_entry() {
    let bench = Bench::default();
    let origin = async || bench.get(LIST).await.json()["items"][0]["origin"].clone();
    changed(&bench, "ida@customer.example", 1, true, "ManualSuppression", "Customer").await;
    observed(&bench, "ida@customer.example", 2, Some(Cause::Manual)).await;
    assert_eq!(origin().await, "Customer", "an observation tells no other origin");
    changed(&bench, "ida@customer.example", 3, true, "ManualSuppression", "Admin").await;
    assert_eq!(origin().await, "Admin");
    changed(&bench, "ida@customer.example", 4, false, "", "Customer").await;
    observed(&bench, "ida@customer.example", 5, Some(Cause::Manual)).await;
    assert_eq!(origin().await, Value::Null, "what was before the lift tells nothing of now");
    changed(&bench, "ida@customer.example", 6, true, "SomethingNew", "Customer").await;
    assert_eq!(origin().await, "Customer", "a reason that is not known has an origin too");
    changed(&bench, "ida@customer.example", 7, true, "SpamComplaint", "Recipient").await;
    assert_eq!(origin().await, "Recipient", "a complaint beside it is the recipient's own");
}

#[tokio::test]
async fn filters_take_what_fits_and_refuse_words_that_are_none() {
    let bench = listed().await;
    for (query, expected) in [
        ("cause=manual", vec!["=customer", "staff", "seen"]),
        ("cause=import", vec!["imported"]),
        ("cause=unknown", vec![]),
        ("origin=Recipient", vec!["hard", "spam", "unsubscribed"]),
        ("origin=Customer", vec!["=customer"]),
        ("origin=Admin&cause=manual", vec!["staff"]),
        ("origin=Admin&cause=hard_bounce", vec![]),
        ("from=2026-11-03T10:00:00Z&to=2026-11-04T10:00:00Z", vec!["unsubscribed", "=customer"]),
        ("to=2026-11-01T11:00:00%2B01:00", vec!["hard"]),
        ("from=2026-11-07T00:00:00Z&cause=decision", vec!["ruled"]),
    ] {
        assert_eq!(names(&bench.get(&format!("{LIST}?{query}")).await), expected, "{query}");
    }
    for wrong in [
        "cause=HardBounce",
        "cause=",
        "origin=recipient",
        "format=xml",
        "limit=0",
        "limit=1001",
        "from=yesterday",
        "from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z",
        "x=1",
    ] {
        let told = bench.get(&format!("{LIST}?{wrong}")).await;
        assert_eq!(
            (told.status(), told.json()["type"].as_str()),
            (400, Some("urn:postledger:problem:bad-request")),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn pages_hold_all_rows_once_with_filters_and_without() {
    let bench = listed().await;
    for (filter, limit, all) in [("", 3, 8), ("&origin=Recipient", 1, 3), ("&cause=manual", 2, 3)] {
        let (mut found, mut next) = (Vec::new(), String::new());
        loop {
            let told = bench.get(&format!("{LIST}?limit={limit}{filter}{next}")).await;
            assert!(names(&told).len() <= limit);
            found.extend(names(&told));
            match told.json()["next"].as_str() {
                Some(cursor) => next = format!("&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!((found.len(), found.iter().collect::<BTreeSet<_>>().len()), (all, all), "{filter}");
    }
}

#[tokio::test]
async fn a_filter_that_fits_nothing_reads_so_many_rows_and_says_where_to_go_on() {
    let bench = Bench::default();
    let server = ServerId::new(SERVER).unwrap();
    bench.store.note_stream(server, "outbound").await.unwrap();
    let put = |n: usize| {
        let recipient: RecipientId = format!("AAAAAAAAAAAAAAAA{n:05}A").parse().unwrap();
        let cause = if n == super::ROWS_READ_MAX + 5 { "complaint" } else { "hard_bounce" };
        let row = StreamRow { since: Time::EARLIEST.plus_seconds(n as i64), causes: vec![cause] };
        Action::PutRow(server, recipient, "outbound".to_owned(), row, Some("a@b.example".to_owned()))
    };
    let rows: Vec<usize> = (0..super::ROWS_READ_MAX + 10).collect();
    for rows in rows.chunks(store::ACTIONS_MAX) {
        bench.store.commit(&rows.iter().map(|n| put(*n)).collect::<Vec<_>>()).await.unwrap();
    }
    let first = bench.get(&format!("{LIST}?cause=complaint&limit=7")).await.json();
    assert_eq!(first["items"], json!([]));
    let next = first["next"].as_str().unwrap();
    let second = bench.get(&format!("{LIST}?cause=complaint&limit=7&cursor={next}")).await.json();
    assert_eq!((second["items"].as_array().unwrap().len(), &second["next"]), (1, &Value::Null));
}

#[tokio::test]
async fn an_altered_cursor_leads_to_another_place_of_the_list_or_is_refused() {
    let bench = listed().await;
    let told = async |place: &str, filter: &str| bench.get(&format!("{LIST}?cursor={place}{filter}")).await;
    let nobody: RecipientId = "AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap();
    let behind = cursor::write(&(at(7).plus_seconds(1), nobody));
    assert_eq!(names(&told(&behind, "").await), ["imported"]);
    for micros in [i64::MIN, -1, 0, i64::MAX] {
        let place = cursor::write(&(micros, nobody));
        assert_eq!(told(&place, "").await.status(), 200, "{micros}");
        assert_eq!(told(&place, "&from=2026-11-02T00:00:00Z&to=2026-11-03T00:00:00Z").await.status(), 400);
    }
    for wrong in [
        "x".to_owned(),
        cursor::write(&"x"),
        cursor::write(&(1, "x")),
        cursor::write(&(1.5, nobody)),
        cursor::write(&(1, nobody, "broadcast")),
    ] {
        let told = told(&wrong, "").await;
        assert_eq!(told.json()["type"], "urn:postledger:problem:bad-cursor", "{wrong}");
    }
}

#[tokio::test]
async fn a_table_has_its_header_on_each_page_and_a_link_to_the_next() {
    let bench = listed().await;
    let mut target = format!("{LIST}?format=csv&limit=5&from=2026-11-01T00:00:00%2B00:00");
    let mut pages = Vec::new();
    loop {
        let told = bench.get(&target).await;
        assert_eq!(told.0.headers()[CONTENT_TYPE], "text/csv; charset=utf-8; header=present");
        pages.push(told.text().to_owned());
        let Some(link) = told.0.headers().get(LINK) else { break };
        let link = link.to_str().unwrap().strip_prefix('<').unwrap();
        let link = link.strip_suffix(">; rel=\"next\"").unwrap();
        target = link.strip_prefix(&format!("/v1/servers/{SERVER}/")).unwrap().to_owned();
    }
    assert_eq!(pages.len(), 2);
    let lines: Vec<Vec<&str>> = pages.iter().map(|page| page.split_terminator("\r\n").collect()).collect();
    assert_eq!(lines.iter().map(Vec::len).collect::<Vec<_>>(), [6, 4]);
    for page in &lines {
        assert_eq!(page[0], "address,recipient_id,since,causes,origin");
    }
    assert!(lines[0][1].starts_with("hard@customer.example,"), "{}", lines[0][1]);
    assert!(lines[0][1].ends_with(",2026-11-01T10:00:00.000000Z,hard_bounce,Recipient"), "{}", lines[0][1]);
    assert!(lines[0][4].starts_with("'=customer@customer.example,"), "no cell is a formula: {}", lines[0][4]);
    assert!(lines[1][3].ends_with(",import,"), "{}", lines[1][3]);
}

#[tokio::test]
async fn a_link_names_its_stream_encoded() {
    let bench = Bench::default();
    for (day, stream) in [(1, "news-1.a_b"), (2, "news-1.a_b"), (3, "*"), (4, "*")] {
        let address = format!("{day}@customer.example");
        ruled(&bench, stream, &address, day, Ruling::Suppress(Bar::Decision)).await;
    }
    for (stream, encoded) in [("news-1.a_b", "news-1.a_b"), ("*", "%2A")] {
        // A gateway hands the path on decoded, with a query that is not.
        let (method, headers) = (Method::GET, http::HeaderMap::new());
        let path = format!("/v1/servers/{SERVER}/streams/{stream}/suppressions");
        let call = crate::call::Call {
            method: &method,
            path: &path,
            query: "format=csv&limit=1&cause=decision",
            headers: &headers,
            body: &[],
        };
        let who = account::audit::Who { kind: account::audit::WhoKind::Local, name: "t".to_owned() };
        let told = bench.api.answer_to(crate::Caller::operator(who), &call).await;
        let link = told.headers()[LINK].to_str().unwrap();
        let begins = format!("</v1/servers/{SERVER}/streams/{encoded}/suppressions?format=csv&cursor=");
        assert!(link.starts_with(&begins) && link.contains("&cause=decision&limit=1>"), "{link}");
    }
}

#[tokio::test]
async fn the_form_is_what_the_query_says_or_else_the_first_that_is_accepted() {
    let bench = listed().await;
    for (accept, query, csv) in [
        ("text/csv", "", true),
        ("TEXT/CSV;q=0.9, */*;q=0.1", "", true),
        ("text/html, text/csv, application/json", "", true),
        ("application/json, text/csv", "", false),
        ("*/*", "", false),
        ("text/csv", "?format=json", false),
        ("application/json", "?format=csv", true),
    ] {
        let told = bench.call_with(Method::GET, &format!("{LIST}{query}"), &[(ACCEPT, accept)], &[]).await;
        assert_eq!(told.text().starts_with("address,"), csv, "{accept} {query}");
    }
}

#[tokio::test]
async fn addresses_are_masked_for_whom_they_are_not_and_absent_where_erased() {
    let bench = Bench::default();
    changed(&bench, "ida@customer.example", 1, true, "HardBounce", "Recipient").await;
    let server = ServerId::new(SERVER).unwrap();
    let recipient: RecipientId = "AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap();
    let row = StreamRow { since: at(2), causes: vec!["complaint", "manual"] };
    let erased = Action::PutRow(server, recipient, "outbound".to_owned(), row, None);
    bench.store.commit(&[erased]).await.unwrap();
    let token = bench.token(Role::Viewer, Some(&[SERVER]), false).await;
    let list = format!("/v1/servers/{SERVER}/{LIST}");
    let told = bench.ask(&token, Method::GET, &list, &[]).await.json();
    assert_eq!(told["items"][0]["address"], "i***@customer.example");
    assert_eq!(told["items"][1]["address"], Value::Null);
    assert_eq!(told["items"][1]["causes"], json!(["complaint", "manual"]));
    let told = bench.ask(&token, Method::GET, &format!("{list}?format=csv"), &[]).await;
    assert!(told.text().contains("\r\ni***@customer.example,"), "{}", told.text());
    let erased = "\r\n,AAAAAAAAAAAAAAAAAAAAAA,2026-11-02T10:00:00.000000Z,complaint manual,Recipient\r\n";
    assert!(told.text().ends_with(erased), "{}", told.text());
    let foreign = bench.token(Role::Admin, Some(&[SERVER + 1]), true).await;
    assert_eq!(bench.ask(&foreign, Method::GET, &list, &[]).await.status(), 404);
}

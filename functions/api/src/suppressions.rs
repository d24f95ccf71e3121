//! Whom a stream must not mail, as pages of JSON or CSV.
//!
//! A page is read through an index, which follows the tables within about a second. A place in the list is an instant
//! and a recipient: a page behind it is right whether or not anybody stands there still.

use crate::call::{Answer, Call, Query, rfc3339};
use crate::check::stream_named;
use crate::cursor;
use crate::mask::shown;
use crate::problem::Problem;
use crate::scope::{Reader, UNKNOWN_STREAM, unknown_stream};
use answers::{Suppression, Suppressions};
use futures_util::stream::{self, StreamExt as _};
use http::HeaderMap;
use http::header::ACCEPT;
use ledger::event::{Bar, Cause, Fact, WHOLE_SERVER};
use ledger::{RecipientId, Time};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use postmark::Body;
use std::io;
use store::{Listing, Recorded, StoreError, TimeRange};

/// How many rows a page has, unless more are asked for, and at most.
const LIMITS: [usize; 2] = [100, 1_000];
/// How many rows are read at once where a filter passes over some, at least.
const ROWS_AT_ONCE: usize = 100;
/// How many rows are read for a page at most.
const ROWS_READ_MAX: usize = 5_000;
/// How many recipients' events are read at once.
const AT_ONCE: usize = 16;
/// Who put an address on Postmark's list, as Postmark says it.
const ORIGINS: [&str; 3] = [RECIPIENT, "Customer", "Admin"];
/// The recipient itself: by complaining or unsubscribing, or because mail to it bounced.
const RECIPIENT: &str = "Recipient";
/// What stands for itself in a path and in a query.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A place in the list: since when, and who.
type Place = (Time, RecipientId);

/// Which rows are asked for.
struct Asked<'a> {
    cause: Option<&'a str>,
    origin: Option<&'a str>,
    since: TimeRange,
    after: Option<Place>,
    limit: usize,
}

impl<'a> Asked<'a> {
    fn of(query: &'a Query) -> Result<Asked<'a>, Problem> {
        let ours = [Bar::Decision, Bar::Import(None)].map(Bar::name);
        let names: Vec<&str> = Cause::ALL.map(Cause::name).into_iter().chain(ours).collect();
        one_of(query, "cause", &names)?;
        one_of(query, "origin", &ORIGINS)?;
        let since = TimeRange {
            from: query.time("from")?.unwrap_or(TimeRange::ALL.from),
            to: query.time("to")?.unwrap_or(TimeRange::ALL.to),
        };
        if since.from > since.to {
            return Err(Problem::bad_request("from comes after to"));
        }
        let after: Option<Place> = cursor::read(query.text("cursor"))?;
        // DynamoDB does not go on behind a place that lies outside of what is asked.
        if after.is_some_and(|(at, _)| !(since.from..=since.to).contains(&at)) {
            return Err(Problem::bad_cursor());
        }
        Ok(Asked {
            cause: query.text("cause"),
            origin: query.text("origin"),
            since,
            after,
            limit: query.limit(LIMITS[0], LIMITS[1])?,
        })
    }
}

/// That a value, if it is given, is among those that there are.
fn one_of(query: &Query, name: &str, known: &[&str]) -> Result<(), Problem> {
    let what = format!("one of {}", known.join(", "));
    query.read(name, &what, |text| known.contains(&text).then_some(())).map(drop)
}

/// Lists, the longest suppressed first.
pub(crate) async fn suppressions(
    reader: &Reader<'_>,
    call: &Call<'_>,
    name: &str,
) -> Result<Answer, Problem> {
    let query =
        call.query(&[UNKNOWN_STREAM, "cause", "origin", "from", "to", "cursor", "limit", "format"])?;
    if name != WHOLE_SERVER {
        stream_named(name)?;
    }
    one_of(&query, "format", &["json", "csv"])?;
    let as_csv = query.text("format").map_or_else(|| asks_for_csv(call.headers), |format| format == "csv");
    let (asked, unknown) = (Asked::of(&query)?, unknown_stream(&query)?);
    // Where a page goes on, the list was found with its first one.
    if asked.after.is_none() {
        reader.stream(name, unknown).await?;
    }
    let (rows, next) = page(reader, name, &asked).await?;
    let next = next.map(|place| cursor::write(&place));
    let reveal = reader.caller().reveals();
    if as_csv {
        let body = csv(&rows, reveal).unwrap_or_else(|_| unreachable!("memory takes all that is written"));
        return Ok(Answer::csv(body, next.map(|next| link(reader, name, &query, &next))));
    }
    let items = rows.iter().map(|row| item(row, reveal)).collect();
    Ok(Answer::json(&Suppressions { items, next }))
}

/// Whether the first of our two forms that a client names is CSV.
fn asks_for_csv(headers: &HeaderMap) -> bool {
    let kinds = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut kinds = kinds.flat_map(|kinds| kinds.split(',')).map(|kind| {
        let kind = kind.split_once(';').map_or(kind, |(kind, _)| kind);
        kind.trim().to_ascii_lowercase()
    });
    kinds.find(|kind| kind == "text/csv" || kind == "application/json").is_some_and(|kind| kind == "text/csv")
}

/// A row with who put the address there.
type Told = (Listing, Option<&'static str>);

/// A page, and the place that it ends at, where there may be more.
async fn page(
    reader: &Reader<'_>,
    name: &str,
    asked: &Asked<'_>,
) -> Result<(Vec<Told>, Option<Place>), Problem> {
    let filtered = asked.cause.is_some() || asked.origin.is_some();
    let at_once = if filtered { asked.limit.max(ROWS_AT_ONCE) } else { asked.limit };
    let (mut rows, mut after, mut read) = (Vec::new(), asked.after, 0);
    loop {
        let page = reader.suppressed(name, asked.since, after, at_once).await?;
        let last = page.items.last().map(place);
        let more = page.next.is_some() && last.is_some();
        read += page.items.len();
        let fits = |row: &Listing| asked.cause.is_none_or(|cause| causes(row).contains(&cause));
        let found: Vec<_> =
            page.items.into_iter().filter(fits).map(|row| with_origin(reader, name, row)).collect();
        let mut found = stream::iter(found).buffered(AT_ONCE);
        while let Some(row) = found.next().await {
            let row = row?;
            if asked.origin.is_none_or(|origin| row.1 == Some(origin)) {
                let here = place(&row.0);
                rows.push(row);
                if rows.len() == asked.limit {
                    return Ok((rows, Some(here).filter(|_| more || last != Some(here))));
                }
            }
        }
        if !more {
            return Ok((rows, None));
        }
        after = last;
        if read >= ROWS_READ_MAX {
            return Ok((rows, after));
        }
    }
}

fn place(row: &Listing) -> Place {
    (row.since, row.recipient)
}

/// Why a row is there, each word once: an import's cause as Postmark's would be, and that it was imported.
fn causes(row: &Listing) -> Vec<&str> {
    let words = row.causes.iter().flat_map(|name| match Bar::named(name) {
        Some(bar) => bar.causes().collect(),
        None => vec![name.as_str()],
    });
    let mut all: Vec<&str> = Vec::new();
    for word in words {
        if !all.contains(&word) {
            all.push(word);
        }
    }
    // Whose list it is stands behind why.
    all.sort_by_key(|word| Bar::named(word).is_some());
    all
}

/// A row with who put the address on Postmark's list, as far as that is told: nobody did where the rulings are ours.
async fn with_origin(reader: &Reader<'_>, stream: &str, row: Listing) -> Result<Told, StoreError> {
    let any =
        |causes: &[Cause]| causes.iter().any(|cause| row.causes.iter().any(|name| name == cause.name()));
    let origin = if any(&[Cause::HardBounce, Cause::Complaint, Cause::Unsubscribe]) {
        Some(RECIPIENT)
    } else if any(&[Cause::Manual, Cause::Unknown]) {
        origin(&reader.state_events(row.recipient).await?, stream)
    } else {
        None
    };
    Ok((row, origin))
}

/// Who put an address on a stream's list by hand: the cause does not tell whether the customer or Postmark's staff did,
/// the body of the telling does. Of those since the address last left the list, the latest that has an origin.
fn origin(events: &[Recorded], stream: &str) -> Option<&'static str> {
    let facts = || events.iter().flat_map(|one| one.event.facts().into_iter().map(move |fact| (one, fact)));
    let lifted = facts().filter_map(|(_, fact)| match fact {
        Fact::Lifted { stream: of, at } if of == stream => Some(at),
        _ => None,
    });
    let lifted = lifted.max();
    let told = facts().filter_map(|(one, fact)| match fact {
        Fact::Suppressed { stream: of, cause: Cause::Manual | Cause::Unknown, at }
            if of == stream && lifted.is_none_or(|lifted| at >= lifted) =>
        {
            let body = Body::parse(one.body.as_ref()?.as_bytes()).ok()?;
            let origin = body.text("Origin")?;
            Some((at, *ORIGINS.iter().find(|known| **known == origin)?))
        }
        _ => None,
    });
    told.max().map(|(_, origin)| origin)
}

fn item((row, origin): &Told, reveal: bool) -> Suppression {
    Suppression {
        address: shown(row.address.as_deref(), reveal),
        recipient_id: row.recipient,
        since: row.since.into(),
        causes: causes(row).into_iter().map(str::to_owned).collect(),
        origin: origin.map(str::to_owned),
    }
}

/// A page as a table: the header on each, so that each can be used alone.
fn csv(rows: &[Told], reveal: bool) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    table::write_header(&mut out)?;
    for (row, origin) in rows {
        let address = shown(row.address.as_deref(), reveal).unwrap_or_default();
        let causes = causes(row).join(table::CAUSES_JOINED_BY);
        let (recipient, since) = (row.recipient.to_string(), rfc3339(row.since));
        table::write_row(&mut out, &[&address, &recipient, &since, &causes, origin.unwrap_or_default()])?;
    }
    Ok(out)
}

/// The path and query of the next page. A path comes decoded, so it is put together anew.
fn link(reader: &Reader<'_>, stream: &str, query: &Query, next: &str) -> String {
    let encoded = |text| utf8_percent_encode(text, UNRESERVED);
    let mut link = format!(
        "/v1/servers/{}/streams/{}/suppressions?format=csv&cursor={}",
        reader.server(),
        encoded(stream),
        encoded(next)
    );
    for name in ["cause", "origin", "from", "to", "limit"] {
        if let Some(value) = query.text(name) {
            link.push_str(&format!("&{name}={}", encoded(value)));
        }
    }
    link
}

#[cfg(test)]
mod tests {
    use crate::bench::{Bench, SERVER, Told};
    use crate::cursor;
    use crate::token::Role;
    use http::Method;
    use http::header::{ACCEPT, CONTENT_TYPE, LINK};
    use ledger::event::{Bar, Cause, Ruling};
    use ledger::fold::Row;
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
    fn names(told: &Told) -> Vec<String> {
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
        assert_eq!(
            names(&bench.get(&format!("{LIST}?cause=hard_bounce")).await),
            ["hard_bounce", "complaint"]
        );
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
            let row = Row { since: Time::EARLIEST.plus_seconds(n as i64), causes: vec![cause] };
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
        let told =
            async |place: &str, filter: &str| bench.get(&format!("{LIST}?cursor={place}{filter}")).await;
        let nobody: RecipientId = "AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap();
        let behind = cursor::write(&(at(7).plus_seconds(1), nobody));
        assert_eq!(names(&told(&behind, "").await), ["imported"]);
        for micros in [i64::MIN, -1, 0, i64::MAX] {
            let place = cursor::write(&(micros, nobody));
            assert_eq!(told(&place, "").await.status(), 200, "{micros}");
            assert_eq!(
                told(&place, "&from=2026-11-02T00:00:00Z&to=2026-11-03T00:00:00Z").await.status(),
                400
            );
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
        let lines: Vec<Vec<&str>> =
            pages.iter().map(|page| page.split_terminator("\r\n").collect()).collect();
        assert_eq!(lines.iter().map(Vec::len).collect::<Vec<_>>(), [6, 4]);
        for page in &lines {
            assert_eq!(page[0], "address,recipient_id,since,causes,origin");
        }
        assert!(lines[0][1].starts_with("hard@customer.example,"), "{}", lines[0][1]);
        assert!(
            lines[0][1].ends_with(",2026-11-01T10:00:00.000000Z,hard_bounce,Recipient"),
            "{}",
            lines[0][1]
        );
        assert!(
            lines[0][4].starts_with("'=customer@customer.example,"),
            "no cell is a formula: {}",
            lines[0][4]
        );
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
            let told =
                bench.call_with(Method::GET, &format!("{LIST}{query}"), &[(ACCEPT, accept)], &[]).await;
            assert_eq!(told.text().starts_with("address,"), csv, "{accept} {query}");
        }
    }

    #[tokio::test]
    async fn addresses_are_masked_for_whom_they_are_not_and_absent_where_erased() {
        let bench = Bench::default();
        changed(&bench, "ida@customer.example", 1, true, "HardBounce", "Recipient").await;
        let server = ServerId::new(SERVER).unwrap();
        let recipient: RecipientId = "AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap();
        let row = Row { since: at(2), causes: vec!["complaint", "manual"] };
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
}

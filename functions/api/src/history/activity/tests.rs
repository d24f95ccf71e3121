//! What is asked of a server's latest events, and what is answered.

use super::*;
use crate::bench::{Bench, SERVER, now, recorded};
use crate::scope::{Caller, Gate};
use account::audit::{Who, WhoKind};
use ledger::event::{Cause, What};
use proptest::prelude::*;
use serde_json::{Value, json};
use store::by_time;
use store::prelude::*;

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

fn bounce(bounce_type: &str) -> What {
    What::Bounce { bounce_type: bounce_type.to_owned(), inactive: false }
}

/// All pages of an answer, as the operator reads them: `(event, whole item)` in order, and how many pages.
async fn pages(bench: &Bench, query: &str) -> (Vec<Value>, usize) {
    let (mut items, mut pages, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let told = bench.get(&format!("activity?{query}{cursor}")).await;
        assert_eq!(told.status(), 200, "{}", told.text());
        let told = told.json();
        items.extend(told["items"].as_array().unwrap().iter().cloned());
        pages += 1;
        let Some(next) = told["next"].as_str() else { return (items, pages) };
        cursor = format!("&cursor={next}");
    }
}

fn events(items: &[Value]) -> Vec<String> {
    items.iter().map(|item| item["event"].as_str().unwrap().to_owned()).collect()
}

/// The events in the order that they are to be listed in.
fn listed(mut events: Vec<Recorded>) -> Vec<String> {
    events.sort_by_key(|one| order(Place::of(&one.event)));
    events.iter().map(|one| one.event.identity.to_string()).collect()
}

#[tokio::test]
async fn all_streams_are_listed_latest_first_and_each_filter_narrows_them() {
    let bench = Bench::default();
    let of = |n: u64, stream: &str, what| {
        let at = now().plus_seconds(-3_600 * 20 * n as i64);
        recorded(n, &format!("{n}@customer.example"), stream, at, what)
    };
    let all = vec![
        of(0, "outbound", What::Delivery),
        of(1, "broadcast", bounce("HardBounce")),
        of(2, "*", What::Decision { ruling: ledger::event::Ruling::Allow }),
        of(3, "outbound", bounce("SoftBounce")),
        of(4, "outbound", What::SpamComplaint { inactive: true }),
        of(5, "broadcast", What::Present { cause: Cause::Manual }),
        of(9, "outbound", What::Delivery),
    ];
    bench.keep(&all).await;
    let ids = |some: &[usize]| listed(some.iter().map(|n| all[*n].clone()).collect());
    let hours = |n: i64| now().plus_seconds(-3_600 * 20 * n).to_string();
    let from_to = format!("from={}&to={}", hours(4), hours(1));
    let most = format!("from={}", now().plus_days(-31));
    for (query, expected) in [
        ("", &[0, 1, 2, 3, 4, 5][..]),
        (&*most, &[0, 1, 2, 3, 4, 5, 6]),
        ("stream=outbound", &[0, 3, 4]),
        ("stream=*", &[2]),
        ("stream=other&unknown_stream=allow", &[]),
        ("type=Bounce", &[1, 3]),
        ("type=Decision", &[2]),
        ("class=hard", &[1]),
        ("class=complaint", &[4]),
        ("class=soft&type=Bounce&stream=outbound", &[3]),
        ("class=soft&type=Delivery", &[]),
        (&*from_to, &[1, 2, 3, 4]),
    ] {
        for limit in [1, 2, 500] {
            let (items, _) = pages(&bench, &format!("{query}&limit={limit}")).await;
            assert_eq!(events(&items), ids(expected), "{query} {limit}");
        }
    }
    let (items, _) = pages(&bench, "class=hard").await;
    assert_eq!(items[0]["recipient"]["address"], "1@customer.example");
    assert_eq!((&items[0]["type"], &items[0]["stream"]), (&json!("Bounce"), &json!("broadcast")));
}

#[tokio::test]
async fn over_more_streams_than_a_server_may_have_one_has_to_be_named() {
    let bench = Bench::default();
    let of = |n: usize| {
        let at = now().plus_seconds(-60 * n as i64);
        recorded(n as u64, "ida@customer.example", &format!("stream-{n:04}"), at, What::Delivery)
    };
    let most = STREAMS_OF_SERVER_MAX;
    bench.keep(&(0..most).map(of).collect::<Vec<_>>()).await;
    assert_eq!(pages(&bench, "limit=30").await.0.len(), most);
    bench.keep(&(most..most + 2).map(of).collect::<Vec<_>>()).await;
    let told = bench.get("activity").await;
    assert_eq!(
        (told.status(), &told.json()["type"]),
        (409, &json!("urn:postledger:problem:too-many-streams"))
    );
    assert_eq!(pages(&bench, "stream=stream-0101").await.0.len(), 1);
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused() {
    let bench = Bench::default();
    bench.keep(&[recorded(0, "a@b.example", "outbound", now(), What::Delivery)]).await;
    let far = now().plus_days(-31).plus_seconds(-1);
    for wrong in [
        "type=bounce".to_owned(),
        "type=".to_owned(),
        "class=Hard".to_owned(),
        "class=hardbounce".to_owned(),
        "stream=".to_owned(),
        "stream=**".to_owned(),
        "stream=a%23b".to_owned(),
        "limit=0".to_owned(),
        "limit=501".to_owned(),
        "recipient=x".to_owned(),
        "from=yesterday".to_owned(),
        "from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z".to_owned(),
        format!("from={far}"),
        "cursor=x".to_owned(),
    ] {
        assert_eq!(bench.get(&format!("activity?{wrong}")).await.status(), 400, "{wrong}");
    }
}

#[tokio::test]
async fn an_altered_cursor_leads_to_another_place_or_is_refused() {
    let bench = Bench::default();
    let all: Vec<Recorded> = (0..5)
        .map(|n| recorded(n, "a@b.example", "outbound", now().plus_seconds(-(n as i64)), What::Delivery))
        .collect();
    bench.keep(&all).await;
    let micros = [i64::MIN, -1, 0, now().micros(), now().plus_days(9_999).micros(), i64::MAX];
    let event = all[0].event.identity;
    for (place, since) in micros.iter().flat_map(|place| micros.iter().map(move |since| (place, since))) {
        for event in [Value::Null, json!([event, all[0].event.recipient]), json!("x")] {
            let cursor = cursor::write(&json!([[place, event], since]));
            for query in ["", "&to=2026-11-25T12:00:00Z", "&from=2026-11-20T00:00:00Z"] {
                let told = bench.get(&format!("activity?cursor={cursor}{query}")).await;
                assert!([200, 400].contains(&told.status()), "{place} {since} {query}: {}", told.text());
            }
        }
    }
}

#[tokio::test]
async fn a_stack_without_the_index_says_how_to_get_it() {
    let bench = Bench::beside(store::Memory::without_by_time(), crate::bench::nobody());
    let token = bench.token(crate::token::Role::Viewer, Some(&[SERVER]), true).await;
    let path = format!("/v1/servers/{SERVER}/activity");
    let told = bench.ask(&token, http::Method::GET, &path, &[]).await;
    assert_eq!(told.status(), 409, "before anything is recorded, too");
    bench.keep(&[recorded(0, "a@b.example", "outbound", now(), What::Delivery)]).await;
    for query in ["", "?stream=outbound", "?stream=broadcast"] {
        let told = bench.get(&format!("activity{query}")).await;
        assert_eq!(told.status(), 409, "{}", told.text());
        assert_eq!(told.json()["type"], "urn:postledger:problem:activity-off");
        assert!(told.json()["next"].as_str().unwrap().contains("ByTime=true"));
    }
}

#[tokio::test]
async fn an_instant_with_more_events_than_are_read_at_once_is_listed_whole_and_once() {
    let bench = Bench::default();
    let crowd = at("2026-11-25T08:00:00Z");
    let mut all: Vec<Recorded> = (0..2_400)
        .map(|n| recorded(n, &format!("{n}@customer.example"), "outbound", crowd, What::Delivery))
        .collect();
    all.push(recorded(9_000, "a@b.example", "outbound", crowd.plus_seconds(1), What::Delivery));
    all.push(recorded(9_001, "a@b.example", "outbound", crowd.plus_seconds(-1), What::Delivery));
    bench.keep(&all).await;
    let (items, pages) = pages(&bench, "limit=500").await;
    assert_eq!(events(&items), listed(all));
    assert!((5..=12).contains(&pages), "{pages}");
}

#[tokio::test]
async fn two_recipients_of_one_identity_are_both_listed() {
    let bench = Bench::default();
    let one = recorded(0, "a@b.example", "outbound", now(), bounce("HardBounce"));
    let mut other = recorded(1, "c@d.example", "outbound", now(), bounce("HardBounce"));
    other.event.identity = one.event.identity;
    bench.keep(&[one, other]).await;
    let (items, _) = pages(&bench, "limit=1").await;
    let mut addresses: Vec<&str> =
        items.iter().filter_map(|item| item["recipient"]["address"].as_str()).collect();
    addresses.sort_unstable();
    assert_eq!(addresses, ["a@b.example", "c@d.example"]);
}

#[tokio::test]
async fn what_has_expired_is_not_listed() {
    let bench = Bench::default();
    let mut gone = recorded(0, "a@b.example", "outbound", now().plus_days(-1), What::Delivery);
    gone.expires_at = Some(now());
    let mut stays = recorded(1, "a@b.example", "outbound", now().plus_days(-1), What::Delivery);
    stays.expires_at = Some(now().plus_seconds(1));
    bench.keep(&[gone, stays.clone()]).await;
    assert_eq!(events(&pages(&bench, "").await.0), listed(vec![stays]));
}

#[tokio::test]
async fn a_quiet_month_of_many_streams_is_read_in_several_empty_pages() {
    let bench = Bench::default();
    let first = now().plus_days(-31);
    let all: Vec<Recorded> =
        (0..30).map(|n| recorded(n, "a@b.example", &format!("stream-{n}"), first, What::Delivery)).collect();
    bench.keep(&all).await;
    let told = bench.get(&format!("activity?from={first}")).await.json();
    assert_eq!(told["items"], json!([]));
    assert!(told["next"].is_string());
    let (items, pages) = pages(&bench, &format!("from={first}")).await;
    assert_eq!(events(&items), listed(all));
    // 32 days of 240 slots, 400 reads and the rest of a day at once.
    assert!((10..=32).contains(&pages), "{pages}");
}

#[derive(Clone, Debug)]
struct Trial {
    /// Of each event: in which of the instants, on which stream, what.
    events: Vec<(usize, usize, usize)>,
    /// How many of them are recorded only between pages; they are put at an instant yet to come.
    later: usize,
    limits: Vec<usize>,
    kind: Option<Kind>,
    class: Option<BounceClass>,
    stream: Option<usize>,
    from: usize,
    to: usize,
    reads: usize,
    most: usize,
}

const STREAMS: [&str; 3] = ["outbound", "broadcast", "*"];

fn instants() -> Vec<Time> {
    [
        "2026-11-22T12:00:00Z",
        "2026-11-22T23:59:59Z",
        "2026-11-22T23:59:59.999999Z",
        "2026-11-23T00:00:00Z",
        "2026-11-24T23:59:59Z",
        "2026-11-25T00:00:00Z",
        "2026-11-25T00:00:01Z",
        "2026-11-25T09:00:00Z",
    ]
    .map(at)
    .to_vec()
}

fn trials() -> impl Strategy<Value = Trial> {
    // Few instants, and some of them crowded.
    let instant = prop_oneof![3 => Just(3_usize), 2 => Just(5), 4 => 0..8_usize];
    let events = prop::collection::vec((instant, 0..3_usize, 0..4_usize), 0..250);
    let kind = prop_oneof![Just(None), Just(Some(Kind::Bounce)), Just(Some(Kind::Delivery))];
    let class = prop_oneof![2 => Just(None), 1 => Just(Some(BounceClass::Hard))];
    let limits = prop::collection::vec(1..40_usize, 1..5);
    let (ends, budget) = ((0..8_usize, 0..8_usize), (1..60_usize, 1..200_usize));
    (events, 0..20_usize, limits, kind, class, prop::option::of(0..3_usize), ends, budget).prop_map(
        |(events, later, limits, kind, class, stream, (from, to), (reads, most))| Trial {
            later: later.min(events.len()),
            events,
            limits,
            kind,
            class,
            stream,
            from: from.min(to),
            to: from.max(to),
            reads,
            most,
        },
    )
}

async fn holds(trial: Trial) {
    let bench = Bench::default();
    let whats = [
        What::Delivery,
        bounce("HardBounce"),
        bounce("SoftBounce"),
        What::Open { first: true, machine: false },
    ];
    let instants = instants();
    let all: Vec<Recorded> = trial
        .events
        .iter()
        .enumerate()
        .map(|(n, (instant, stream, what))| {
            let address = format!("{}@customer.example", n % 40);
            recorded(n as u64, &address, STREAMS[*stream], instants[*instant], whats[*what].clone())
        })
        .collect();
    let (later, first) = all.split_at(trial.later);
    let server = ledger::ServerId::new(SERVER).unwrap();
    for stream in STREAMS {
        bench.store.note_stream(server, stream).await.unwrap();
    }
    bench.keep(first).await;
    let who = Who { kind: WhoKind::Local, name: "test".to_owned() };
    let gate = Gate::known(&bench.api.parts, Caller::operator(who));
    let reader = gate.server(&SERVER.to_string()).await.unwrap();
    let streams = match trial.stream {
        Some(stream) => BTreeSet::from([STREAMS[stream].to_owned()]),
        None => STREAMS.map(str::to_owned).into(),
    };
    let wanted = Wanted { kind: trial.kind, class: trial.class, now: now() };
    let (from, to) = (instants[trial.from], instants[trial.to]);
    let mut start = Place(to, None);
    let (mut found, mut later) = (Vec::new(), later.iter());
    for n in 0_usize.. {
        let limit = trial.limits[n % trial.limits.len()];
        let budget = Budget { reads: trial.reads, events: trial.most, at_once: [2, 4] };
        let spent = Spent::default();
        let mut merge =
            Merge { reader: &reader, streams: &streams, wanted, from, start, limit, budget, spent };
        let (items, next) = merge.page().await.unwrap();
        assert!(items.len() <= limit);
        found.extend(items);
        let Some(next) = next else { break };
        assert!(order(next) > order(start), "no page ends where it began");
        start = next;
        // What happens now is later than whatever is listed yet to be.
        if let Some(new) = later.next() {
            let mut new = new.clone();
            new.event.at = start.0.plus_seconds(1);
            bench.keep(&[new]).await;
        }
        assert!(n < 5_000, "it comes to an end");
    }
    let fits = |one: &&Recorded| {
        (from..=to).contains(&one.event.at)
            && streams.contains(&one.event.stream)
            && trial.kind.is_none_or(|kind| kind == one.event.kind())
            && trial.class.is_none_or(|_| one.event.what == whats[1])
    };
    let found: Vec<String> = found.iter().map(|one| one.event.identity.to_string()).collect();
    assert_eq!(found, listed(first.iter().filter(fits).cloned().collect()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_or_doubled_whatever_the_pages_filters_and_budget(trial in trials()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(holds(trial));
    }
}

#[tokio::test]
async fn a_list_says_from_when_it_is_whole_where_older_events_are_not_filled_in_and_nothing_more_then() {
    let bench = Bench::beside(store::Memory::switched_by_time(), crate::bench::nobody());
    bench.keep(&[recorded(0, "a@b.example", "outbound", now(), What::Delivery)]).await;
    let whole_from = async |query: &str| {
        let told = bench.get(&format!("activity{query}")).await;
        assert_eq!(told.status(), 200, "{}", told.text());
        told.json().get("whole_from").cloned()
    };
    assert_eq!(whole_from("").await, Some(json!(now().to_string())), "nobody has noted what it has");
    let switched = now().plus_days(-3);
    by_time::note_on(&*bench.store, switched, false).await.unwrap();
    let from = switched.plus_seconds(by_time::SETTLED_SECONDS);
    assert_eq!(whole_from("").await, Some(json!(from.to_string())));
    assert_eq!(whole_from(&format!("?from={}", from.plus_seconds(-1))).await, Some(json!(from.to_string())));
    assert_eq!(whole_from(&format!("?from={from}")).await, None, "all of that time is in it");
    by_time::fill(&*bench.store, &platform_clock(), 1_000, |_| ()).await.unwrap();
    assert_eq!(whole_from("").await, None);
}

fn platform_clock() -> platform::Clock {
    std::sync::Arc::new(now)
}

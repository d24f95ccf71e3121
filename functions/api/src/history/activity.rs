//! What happened at a server, latest first, over all streams: a merge of the slots of the index by time.
//!
//! The index tells events of one instant in any order, and Postmark often tells whole seconds, with hundreds of events
//! in one. So an instant is listed only once all of it is read, and then by identity: a page goes on where the one
//! before ended, though none of them knows what the index will tell first.

use super::entry::{Place, entry_of_recipient, rulers};
use super::limit;
use crate::call::{Answer, Call, Query};
use crate::check::stream_named;
use crate::cursor;
use crate::problem::Problem;
use crate::scope::{Reader, UNKNOWN_STREAM, unknown_stream};
use answers::Activity;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ledger::bounce::BounceClass;
use ledger::event::{Fact, WHOLE_SERVER};
use ledger::{Identity, Kind, RecipientId, Time};
use postmark::FUTURE_SECONDS_MAX;
use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};
use store::item::TIME_SLOTS;
use store::{Recorded, STREAMS_OF_SERVER_MAX, Span, ask};

/// How many days back it reaches, unless asked otherwise, and at most.
const DAYS: [i64; 2] = [7, 31];
/// Over how many streams it is listed at once: each slot of each has to be read before the first event is known. A
/// server has more only where they came in before that was limited; and `*` is one.
const STREAMS_MAX: usize = STREAMS_OF_SERVER_MAX + 1;
/// A day, in microseconds.
const DAY: i64 = 86_400_000_000;
/// How many feeds are read at once: the slots of a stream.
const AT_ONCE: usize = TIME_SLOTS as usize;
/// How many events of one instant a slot may have. Of more it is not known which come next: some are left out.
const INSTANT_EVENTS_MAX: usize = 20_000;

/// How much is read for a page: it ends there, short or empty, once it is any further than it began.
#[derive(Clone, Copy, Debug)]
struct Budget {
    /// How many reads of the index.
    reads: usize,
    /// How many events.
    events: usize,
    /// How many events at once, first and at most, doubling.
    at_once: [usize; 2],
}

const BUDGET: Budget = Budget { reads: 400, events: 5_000, at_once: [32, 256] };

/// What happened at a server, latest first.
///
/// # Errors
/// A conflict where the stack keeps no index by time.
pub(crate) async fn activity(reader: &Reader<'_>, call: &Call<'_>, _name: &str) -> Result<Answer, Problem> {
    let query = call.query(&["stream", UNKNOWN_STREAM, "type", "class", "from", "to", "cursor", "limit"])?;
    let limit = limit(&query)?;
    let wanted = Wanted {
        kind: query.read("type", &names(Kind::ALL.map(Kind::name)), Kind::named)?,
        class: query.read("class", "a class of bounces, such as hard or soft", class_named)?,
        now: reader.now(),
    };
    let (from, start, since) = window(&query, reader.now())?;
    let unknown = unknown_stream(&query)?;
    let mut streams = match query.text("stream") {
        Some(stream) => {
            // Decisions about the whole server stand there.
            if stream != WHOLE_SERVER {
                stream_named(stream)?;
            }
            // Where a page goes on, the list was found with its first one.
            if query.text("cursor").is_none() {
                reader.stream(stream, unknown).await?;
            }
            BTreeSet::from([stream.to_owned()])
        }
        None => reader.streams().await?,
    };
    if streams.len() > STREAMS_MAX {
        return Err(too_many_streams());
    }
    if streams.is_empty() {
        // Whether there is an index is known by asking it.
        streams.insert(WHOLE_SERVER.to_owned());
    }
    let mut merge = Merge {
        reader,
        streams: &streams,
        wanted,
        from,
        start,
        limit,
        budget: BUDGET,
        spent: Spent::default(),
    };
    let (mut found, next) = merge.page().await?;
    rulers(reader, found.iter_mut()).await?;
    let reveal = reader.caller().reveals();
    let items = found.iter().map(|recorded| entry_of_recipient(recorded, reveal)).collect();
    let next = next.map(|place| cursor::write(&(place, since)));
    Ok(Answer::json(&Activity { items, next, truncated: merge.spent.left_out }))
}

fn names(names: [&str; 8]) -> String {
    format!("one of {}", names.join(", "))
}

fn class_named(name: &str) -> Option<BounceClass> {
    serde_json::from_value(name.into()).ok()
}

/// Since when events are listed, and where the page begins; and since when it was asked for, which goes into the
/// cursor: what is left out of the query must mean the same on every page, while time goes by.
fn window(query: &Query, now: Time) -> Result<(Time, Place, Time), Problem> {
    let cursor: Option<(Place, Time)> = cursor::read(query.text("cursor"))?;
    let reached = cursor.map_or(now, |(place, _)| place.0.min(now));
    let (since, to) = query.window(cursor.map(|(_, since)| since), reached, DAYS)?;
    // Nothing that is recorded lies outside.
    let (from, to) = (since.max(Time::EARLIEST), to.min(now.plus_seconds(FUTURE_SECONDS_MAX)));
    let start = cursor.map(|(place, _)| place).filter(|place| place.0 <= to);
    Ok((from, start.unwrap_or(Place(to, None)), since))
}

/// Which events are listed.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    kind: Option<Kind>,
    class: Option<BounceClass>,
    now: Time,
}

impl Wanted {
    fn fits(&self, recorded: &Recorded) -> bool {
        let event = &recorded.event;
        let bounced = |wanted: BounceClass| {
            let is = |fact: &Fact| matches!(fact, Fact::Bounced { class, .. } if *class == wanted);
            event.facts().iter().any(is)
        };
        self.kind.is_none_or(|kind| kind == event.kind())
            && self.class.is_none_or(bounced)
            && ask::lives(recorded, self.now)
    }
}

/// The order of the list: by time backwards, then by identity.
type Order = (Reverse<Time>, Option<(Identity, RecipientId)>);

fn order(Place(at, event): Place) -> Order {
    (Reverse(at), event)
}

/// What was read for a page.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    reads: usize,
    events: usize,
    /// Whether an instant had more events than can be read.
    left_out: bool,
}

/// A slot of a stream's day.
struct Feed<'a> {
    stream: &'a str,
    slot: u8,
    /// What was read of it and is wanted, in order. All of it lies behind `until`.
    ready: VecDeque<Recorded>,
    /// The latest instant of it that is yet to be read; none at its end.
    until: Option<Time>,
    at_once: usize,
}

/// A page on its way.
struct Merge<'a> {
    reader: &'a Reader<'a>,
    streams: &'a BTreeSet<String>,
    wanted: Wanted,
    from: Time,
    start: Place,
    limit: usize,
    budget: Budget,
    spent: Spent,
}

impl<'a> Merge<'a> {
    fn is_spent(&self) -> bool {
        self.spent.reads >= self.budget.reads || self.spent.events >= self.budget.events
    }

    /// The page, and where the next one begins.
    async fn page(&mut self) -> Result<(Vec<Recorded>, Option<Place>), Problem> {
        let mut items = Vec::new();
        let mut until = self.start.0;
        while until >= self.from {
            let midnight = Time::from_micros(until.micros().div_euclid(DAY) * DAY);
            let before = Time::from_micros(midnight.micros() - 1);
            let mut feeds = self.feeds(until);
            loop {
                // How far back nothing is known of some feed, and what comes next of all that are known.
                let unread =
                    feeds.iter().filter(|feed| feed.ready.is_empty()).filter_map(|feed| feed.until).max();
                let heads = feeds.iter().enumerate();
                let heads = heads.filter_map(|(n, feed)| Some((Place::of(&feed.ready.front()?.event), n)));
                let head = heads.min_by_key(|(place, _)| order(*place));
                if let Some((place, n)) = head
                    && unread.is_none_or(|unread| unread < place.0)
                {
                    items.extend(feeds[n].ready.pop_front());
                    if items.len() == self.limit {
                        let more = |feed: &Feed<'_>| !feed.ready.is_empty() || feed.until.is_some();
                        let more = before >= self.from || feeds.iter().any(more);
                        return Ok((items, more.then_some(place)));
                    }
                } else if let Some(unread) = unread {
                    // Behind `unread` everything is listed, and nothing at it or before it.
                    if self.is_spent() && unread < self.start.0 {
                        return Ok((items, Some(Place(unread, None))));
                    }
                    self.read_on(&mut feeds, midnight.max(self.from), head.map(|(place, _)| place.0)).await?;
                } else {
                    break;
                }
            }
            if self.is_spent() && before >= self.from {
                return Ok((items, Some(Place(before, None))));
            }
            until = before;
        }
        Ok((items, None))
    }

    /// The slots of the streams, none of them read, for the day of an instant.
    fn feeds(&self, until: Time) -> Vec<Feed<'a>> {
        let slots = self.streams.iter().flat_map(|stream| (0..TIME_SLOTS).map(move |slot| (stream, slot)));
        let feed = |(stream, slot): (&'a String, u8)| Feed {
            stream,
            slot,
            ready: VecDeque::new(),
            until: Some(until),
            at_once: self.budget.at_once[0],
        };
        slots.map(feed).collect()
    }

    /// Reads on in some feeds that have nothing ready: those that keep what is at an instant from being listed (or
    /// anything, where nothing is ready at all), the least far read first.
    async fn read_on(
        &mut self,
        feeds: &mut [Feed<'a>],
        from: Time,
        head: Option<Time>,
    ) -> Result<(), Problem> {
        let unread = feeds.iter_mut().filter(|feed| feed.ready.is_empty() && feed.until.is_some());
        let mut held: Vec<&mut Feed<'_>> =
            unread.filter(|feed| head.is_none_or(|head| feed.until >= Some(head))).collect();
        held.sort_unstable_by_key(|feed| Reverse(feed.until));
        held.truncate(AT_ONCE);
        let this = &*self;
        let reads: Vec<_> = held.into_iter().map(|feed| feed.read_on(this, from)).collect();
        let read: Vec<Spent> = stream::iter(reads).buffer_unordered(AT_ONCE).try_collect().await?;
        for spent in read {
            self.spent.reads += spent.reads;
            self.spent.events += spent.events;
            self.spent.left_out |= spent.left_out;
        }
        Ok(())
    }
}

impl Feed<'_> {
    /// Reads on, whole instants only.
    async fn read_on(&mut self, merge: &Merge<'_>, from: Time) -> Result<Spent, Problem> {
        let mut spent = Spent::default();
        let Some(to) = self.until else { return Ok(spent) };
        let mut found = self.happened(merge.reader, Span { from, to }, self.at_once, &mut spent).await?;
        let cut = found.last().map(|recorded| recorded.event.at).filter(|_| found.len() >= self.at_once);
        self.until = cut;
        if let Some(last) = cut {
            // Of the last instant there may be more.
            found.retain(|recorded| recorded.event.at > last);
            if found.is_empty() {
                let instant = Span { from: last, to: last };
                found = self.happened(merge.reader, instant, INSTANT_EVENTS_MAX, &mut spent).await?;
                spent.left_out = found.len() >= INSTANT_EVENTS_MAX;
                self.until = Some(Time::from_micros(last.micros() - 1)).filter(|before| *before >= from);
            }
        }
        self.at_once = (self.at_once * 2).min(merge.budget.at_once[1]);
        let place = |recorded: &Recorded| order(Place::of(&recorded.event));
        found.retain(|recorded| place(recorded) > order(merge.start) && merge.wanted.fits(recorded));
        found.sort_unstable_by_key(place);
        // A page has no more from here; one more tells that there is a next one.
        found.truncate(merge.limit + 1);
        self.ready = found.into();
        Ok(spent)
    }

    async fn happened(
        &self,
        reader: &Reader<'_>,
        within: Span,
        limit: usize,
        spent: &mut Spent,
    ) -> Result<Vec<Recorded>, Problem> {
        let found = reader.happened(self.stream, self.slot, within, limit).await?.ok_or_else(activity_off)?;
        spent.reads += 1;
        spent.events += found.len();
        Ok(found)
    }
}

fn too_many_streams() -> Problem {
    let words = format!(
        "the server has more than {STREAMS_MAX} streams, the most that activity can be listed for \
            at once"
    );
    Problem::conflict("too-many-streams", "There are too many streams", words)
        .next("name one with stream=, as /v1/servers lists them")
}

fn activity_off() -> Problem {
    let words = "this stack keeps no index by time";
    Problem::conflict("activity-off", "Activity is not available here", words)
        .next("deploy the stack with ByTime=true; events are listed from then on")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Bench, SERVER, now, recorded};
    use crate::scope::{Caller, Gate};
    use account::audit::{Who, WhoKind};
    use ledger::event::{Cause, What};
    use proptest::prelude::*;
    use serde_json::{Value, json};

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
        let all: Vec<Recorded> = (0..30)
            .map(|n| recorded(n, "a@b.example", &format!("stream-{n}"), first, What::Delivery))
            .collect();
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
            store::Store::note_stream(&*bench.store, server, stream).await.unwrap();
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
}

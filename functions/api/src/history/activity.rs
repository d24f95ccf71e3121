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
use crate::scope::{Reader, unknown_stream};
use answers::{Activity, Timestamp, UNKNOWN_STREAM};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ledger::bounce::BounceClass;
use ledger::event::{Fact, WHOLE_SERVER};
use ledger::{Identity, Kind, RecipientId, Time};
use postmark::FUTURE_SECONDS_MAX;
use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};
use store::item::TIME_SLOTS;
use store::{Recorded, STREAMS_OF_SERVER_MAX, TimeRange, ask};

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
    // Events that lie before may be missing; of what lies behind nothing is to be told. Asked first: filled in meanwhile, the
    // index is whole, and this page is not.
    let whole_from = reader.listed_whole_from().await?.filter(|whole_from| from < *whole_from);
    let (mut found, next) = merge.page().await?;
    rulers(reader, found.iter_mut()).await?;
    let reveal = reader.caller().reveals();
    let items = found.iter().map(|recorded| entry_of_recipient(recorded, reveal)).collect();
    let next = next.map(|place| cursor::write(&(place, since)));
    let (truncated, whole_from) = (merge.spent.left_out, whole_from.map(Timestamp));
    Ok(Answer::json(&Activity { items, next, truncated, whole_from }))
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
        let mut found = self.happened(merge.reader, TimeRange { from, to }, self.at_once, &mut spent).await?;
        let cut = found.last().map(|recorded| recorded.event.at).filter(|_| found.len() >= self.at_once);
        self.until = cut;
        if let Some(last) = cut {
            // Of the last instant there may be more.
            found.retain(|recorded| recorded.event.at > last);
            if found.is_empty() {
                let instant = TimeRange { from: last, to: last };
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
        within: TimeRange,
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
        .next(
            "deploy the stack with ByTime=true: events are listed from then on; `postledger index fill` adds the older ones",
        )
}

#[cfg(test)]
mod tests;

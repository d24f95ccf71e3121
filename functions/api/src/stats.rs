//! Counts and rates by hour or day, in a zone.
//!
//! Counts are kept by whole hours of UTC, so only a zone that keeps to whole hours can have its days and hours counted.
//! Streams and buckets in which nothing was counted are left out. Streams come in pages, by name.

mod slots;

use crate::call::{Answer, Call, Query};
use crate::check::stream_named;
use crate::cursor;
use crate::problem::Problem;
use crate::scope::{Reader, unknown_stream};
use answers::{Block, Bucket, By, Stats, StatsOfStream, UNKNOWN_STREAM};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use ledger::Time;
use ledger::counters::Counts;
use ledger::event::WHOLE_SERVER;
use slots::{Slot, Zone, slot_of};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// How many days back is counted, unless asked otherwise.
const DAYS: i64 = 30;
/// The most days, by hour and by day.
const DAYS_MAX: [i64; 2] = [31, 400];
/// How many hours are read in one go: of a busy server each is up to sixteen items.
const HOURS_AT_A_TIME: i64 = 50 * 24;
/// How many such stretches are read at once.
const AT_ONCE: usize = 8;
/// How many streams a page has, unless more are asked for, and at most.
const LIMITS: [usize; 2] = [store::STREAMS_OF_SERVER_MAX, 500];
/// How many buckets a page of several streams has at most: a gateway lets 6 MB through, and one has up to a kilobyte.
const BUCKETS_MAX: usize = 5_000;
/// How many seconds an hour has.
const HOUR: i64 = 3_600;

/// Counts of each stream by hour of UTC.
type Counted = BTreeMap<String, BTreeMap<Time, Counts>>;

pub(crate) async fn stats(reader: &Reader<'_>, call: &Call<'_>, _name: &str) -> Result<Answer, Problem> {
    let query = call.query(&["stream", UNKNOWN_STREAM, "from", "to", "by", "zone", "cursor", "limit"])?;
    let by = |text: &str| match text {
        "hour" => Some(By::Hour),
        "day" => Some(By::Day),
        _ => None,
    };
    let by = query.read("by", "hour or day", by)?.unwrap_or(By::Day);
    let what = "Z, an offset such as +02:00, or a name such as Europe/Berlin";
    let zone = query.read("zone", what, Zone::named)?.or_else(|| Zone::named("Z"));
    let zone = zone.unwrap_or_else(|| unreachable!("UTC is a zone"));
    let (from, to) = span(&query, reader.now(), by)?;
    let slots = zone.slots(from, to, by).map_err(|uneven| Problem::bad_request(uneven.to_string()))?;
    let unknown = unknown_stream(&query)?;
    let limit = query.limit(LIMITS[0], LIMITS[1])?;
    let behind: Option<String> = cursor::read(query.text("cursor"))?;
    let behind = behind.map_or(Bound::Unbounded, Bound::Excluded);
    let streams: BTreeSet<String> = match query.text("stream") {
        Some(stream) => {
            if stream != WHOLE_SERVER {
                stream_named(stream)?;
            }
            reader.stream(stream, unknown).await?;
            BTreeSet::from([stream.to_owned()])
        }
        None => reader.streams().await?,
    };
    let mut left = streams.range((behind, Bound::Unbounded)).take(limit).peekable();
    let (mut all, mut buckets, mut reached) = (Counted::new(), 0, None);
    while left.peek().is_some() {
        // Each stream has a bucket for each slot at most.
        let room = BUCKETS_MAX.saturating_sub(buckets) / slots.len().max(1);
        if room == 0 && reached.is_some() {
            break;
        }
        let some: Vec<String> = left.by_ref().take(room.clamp(1, AT_ONCE)).cloned().collect();
        reached = some.last().cloned();
        let counted = counted(reader, some, from, to).await?;
        let of = |hours: &BTreeMap<Time, Counts>| {
            hours.keys().filter_map(|hour| slot_of(&slots, *hour)).collect::<BTreeSet<_>>().len()
        };
        buckets += counted.values().map(of).sum::<usize>();
        all.extend(counted);
    }
    let counted = all;
    let more = |reached: &String| {
        streams.range::<String, _>((Bound::Excluded(reached), Bound::Unbounded)).next().is_some()
    };
    let next = reached.filter(more).map(|reached| cursor::write(&reached));
    let (streams, total) = told(&counted, &slots);
    Ok(Answer::json(&Stats {
        server: reader.server(),
        zone: zone.name().to_owned(),
        by: by.into(),
        from: from.into(),
        to: to.into(),
        streams,
        total,
        next,
    }))
}

/// From when to before when: `from` and `to`, or the last days, widened to whole hours.
fn span(query: &Query, now: Time, by: By) -> Result<(Time, Time), Problem> {
    let most = match by {
        By::Hour => DAYS_MAX[0],
        By::Day => DAYS_MAX[1],
    };
    let (from, to) = query.window(None, now, [DAYS, most])?;
    if from == to {
        return Err(Problem::bad_request("from is not before to"));
    }
    let floor = |at: Time| at.seconds().div_euclid(HOUR) * HOUR;
    let end = floor(Time::from_micros(to.micros() - 1)) + HOUR;
    let at = |seconds: i64| Time::default().plus_seconds(seconds);
    Ok((at(floor(from)), at(end)))
}

async fn counted(
    reader: &Reader<'_>,
    streams: Vec<String>,
    from: Time,
    to: Time,
) -> Result<Counted, Problem> {
    let hours = (to.seconds() - from.seconds()) / HOUR;
    let stretches = (0..hours).step_by(HOURS_AT_A_TIME as usize).map(|first| {
        let begin = from.plus_seconds(first * HOUR);
        (begin, to.min(begin.plus_seconds(HOURS_AT_A_TIME * HOUR)))
    });
    let stretches: Vec<(Time, Time)> = stretches.collect();
    let reads = streams.iter().flat_map(|stream| {
        stretches.iter().map(move |(begin, end)| async move {
            let hours = reader.counters(stream, &begin.hour(), &end.hour()).await?;
            Ok::<_, Problem>((stream, hours))
        })
    });
    let mut reads = stream::iter(reads.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
    let mut counted = Counted::new();
    while let Some((stream, hours)) = reads.try_next().await? {
        let known = hours.into_iter().filter_map(|(hour, counts)| Some((begins(&hour)?, counts)));
        counted.entry(stream.clone()).or_default().extend(known);
    }
    Ok(counted)
}

/// When an hour begins that counters are keyed by.
fn begins(hour: &str) -> Option<Time> {
    format!("{hour}:00:00Z").parse().ok()
}

/// Counts and their rates, as they are told.
fn block(counts: &Counts) -> Block {
    Block::of(counts.iter().map(|(measure, count)| (measure.name().to_owned(), *count)).collect())
}

/// What is told of each stream, and of all together.
fn told(counted: &Counted, slots: &[Slot]) -> (BTreeMap<String, StatsOfStream>, Block) {
    let mut streams = BTreeMap::new();
    let mut all = Counts::new();
    for (stream, hours) in counted {
        let mut total = Counts::new();
        let mut buckets: BTreeMap<usize, Counts> = BTreeMap::new();
        for (hour, counts) in hours {
            let Some(slot) = slot_of(slots, *hour) else { continue };
            for sum in [&mut all, &mut total, buckets.entry(slot).or_default()] {
                add(sum, counts);
            }
        }
        buckets.retain(|_, counts| !counts.is_empty());
        if buckets.is_empty() {
            continue;
        }
        let buckets = buckets.iter().map(|(slot, counts)| {
            let Slot { from, to, label } = slots[*slot].clone();
            Bucket { from: from.into(), to: to.into(), label, block: block(counts) }
        });
        let buckets = buckets.collect();
        streams.insert(stream.clone(), StatsOfStream { total: block(&total), buckets });
    }
    (streams, block(&all))
}

/// Adds counts to others; what comes to nothing is left out.
fn add(sum: &mut Counts, counts: &Counts) {
    for (measure, count) in counts {
        let here = sum.entry(*measure).or_default();
        *here += count;
        if *here == 0 {
            sum.remove(measure);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Bench, SERVER, now};
    use ledger::ServerId;
    use ledger::counters::{Hour, Measure};
    use proptest::prelude::*;
    use serde_json::json;
    use store::Action;
    use store::prelude::*;

    async fn count(bench: &Bench, stream: &str, hour: &str, counts: &[(&str, i64)]) {
        let server = ServerId::new(SERVER).unwrap();
        bench.store.note_stream(server, stream).await.unwrap();
        let counts = counts.iter().map(|(name, n)| (Measure::named(name).unwrap(), *n)).collect();
        let hour = Hour { server, stream: stream.to_owned(), hour: hour.to_owned() };
        bench.store.commit(&[Action::Count(hour, 3, counts)]).await.unwrap();
    }

    #[tokio::test]
    async fn days_are_those_of_the_zone_and_only_what_counted_is_listed() {
        let bench = Bench::default();
        count(&bench, "outbound", "2026-11-20T22", &[("delivered", 7), ("bounce_hard", 1)]).await;
        count(&bench, "outbound", "2026-11-20T23", &[("delivered", 2), ("bounce_soft", 1)]).await;
        count(&bench, "broadcast", "2026-11-21T22", &[("delivered", 4), ("complaint", 1)]).await;
        count(&bench, "quiet", "2026-01-01T00", &[("delivered", 1)]).await;
        let told = bench.get("stats?zone=Europe/Berlin").await;
        assert_eq!(told.status(), 200, "{}", told.text());
        let told = told.json();
        assert_eq!(
            (&told["zone"], &told["by"], &told["server"]),
            (&json!("Europe/Berlin"), &json!("day"), &SERVER.into())
        );
        assert_eq!(told["to"], "2026-11-25T12:00:00.000000Z");
        assert_eq!(told["from"], "2026-10-26T12:00:00.000000Z");
        let streams: Vec<_> = told["streams"].as_object().unwrap().keys().collect();
        assert_eq!(streams, ["broadcast", "outbound"]);
        let buckets = told["streams"]["outbound"]["buckets"].as_array().unwrap();
        let labels: Vec<_> = buckets.iter().map(|bucket| &bucket["label"]).collect();
        assert_eq!(labels, ["2026-11-20", "2026-11-21"]);
        assert_eq!(buckets[1]["from"], "2026-11-20T23:00:00.000000Z");
        assert_eq!(buckets[1]["to"], "2026-11-21T23:00:00.000000Z");
        assert_eq!(buckets[1]["counts"], json!({ "delivered": 2, "bounce_soft": 1 }));
        assert_eq!(told["streams"]["outbound"]["total"]["bounce_rate"]["value"], json!(0.181_818));
        assert_eq!(told["total"]["counts"]["delivered"], 13);
        assert_eq!(told["total"]["complaint_rate"]["value"], json!(0.076_923));
        let other = bench.get("stats?zone=Z&stream=outbound").await.json();
        assert_eq!(other["streams"]["outbound"]["buckets"].as_array().unwrap().len(), 1);
        assert_eq!(other["total"]["counts"]["delivered"], 9);
    }

    #[tokio::test]
    async fn the_time_that_is_asked_about_is_widened_to_whole_hours() {
        let bench = Bench::default();
        count(&bench, "outbound", "2026-11-20T22", &[("delivered", 7)]).await;
        count(&bench, "outbound", "2026-11-20T23", &[("delivered", 2)]).await;
        let told =
            bench.get("stats?by=hour&from=2026-11-20T22:59:59.5Z&to=2026-11-20T23:00:00Z").await.json();
        assert_eq!(told["from"], "2026-11-20T22:00:00.000000Z");
        assert_eq!(told["to"], "2026-11-20T23:00:00.000000Z");
        assert_eq!(told["total"]["counts"]["delivered"], 7);
        assert_eq!(told["streams"]["outbound"]["buckets"][0]["label"], "2026-11-20T22");
        let told = bench.get("stats?by=hour&from=2026-11-20T22:59:59.5Z&to=2026-11-20T23:00:00.1Z").await;
        assert_eq!(told.json()["total"]["counts"]["delivered"], 9);
    }

    #[tokio::test]
    async fn what_cannot_be_counted_is_refused_with_the_reason() {
        let bench = Bench::default();
        count(&bench, "outbound", "2026-11-20T22", &[("delivered", 7)]).await;
        for (query, reason) in [
            ("zone=Asia/Kolkata", "whole hours"),
            ("zone=%2B05:30", "whole hours"),
            ("zone=Mars", "zone: expected"),
            ("by=week", "by: expected"),
            ("from=2026-11-20T00:00:00Z&to=2026-11-20T00:00:00Z", "before"),
            ("by=hour&from=2026-10-01T00:00:00Z&to=2026-11-01T00:00:01Z", "31 days"),
            ("from=2025-01-01T00:00:00Z&to=2026-11-01T00:00:00Z", "400 days"),
            ("from=0001-01-01T00:00:00Z", "400 days"),
            ("to=9999-12-30T23:00:00Z", "expected an instant"),
            ("stream=%2Ax", "stream"),
            ("x=1", "unknown parameter"),
        ] {
            let told = bench.get(&format!("stats?{query}")).await;
            assert_eq!(told.status(), 400, "{query}: {}", told.text());
            let detail = told.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains(reason), "{query}: {detail}");
        }
        for query in [
            "by=hour&from=2026-10-01T00:00:00Z&to=2026-11-01T00:00:00Z",
            "to=9999-12-30T21:30:00Z",
            "to=0001-03-01T00:00:00Z&zone=%2B23:00",
            "stream=*",
            "from=2025-11-01T00:00:00Z&to=2026-11-25T00:00:00Z&zone=Pacific/Auckland",
        ] {
            let told = bench.get(&format!("stats?{query}")).await;
            assert!(told.status() < 500, "{query}: {}", told.text());
        }
    }

    #[tokio::test]
    async fn streams_come_in_pages_that_are_bounded_and_together_the_whole() {
        let bench = Bench::default();
        for n in 0..250 {
            count(&bench, &format!("stream-{n:04}"), "2026-11-20T22", &[("delivered", n + 1)]).await;
        }
        for (query, pages) in [("", 3), ("limit=7", 36), ("limit=500", 1), ("limit=250&by=hour", 1)] {
            let (mut seen, mut delivered, mut cursor) = (Vec::new(), 0, String::new());
            loop {
                let told = bench.get(&format!("stats?{query}{cursor}")).await;
                assert_eq!(told.status(), 200, "{}", told.text());
                let told = told.json();
                seen.push(told["streams"].as_object().unwrap().len());
                delivered += told["total"]["counts"]["delivered"].as_i64().unwrap();
                let Some(next) = told["next"].as_str() else { break };
                cursor = format!("&cursor={next}");
            }
            assert_eq!((seen.iter().sum::<usize>(), delivered), (250, 250 * 251 / 2), "{query}");
            assert_eq!(seen.len(), pages, "{query}");
        }
        // Of many buckets fewer streams make a page.
        for stream in ["busy-1", "busy-2", "busy-3", "busy-4", "busy-5", "busy-6", "busy-7", "busy-8"] {
            for hour in 0..720 {
                count(&bench, stream, &now().plus_seconds(-hour * HOUR).hour(), &[("delivered", 1)]).await;
            }
        }
        let first = bench.get("stats?by=hour").await;
        let told = first.json();
        let streams = told["streams"].as_object().unwrap();
        assert!((5..8).contains(&streams.len()) && told["next"].is_string(), "{}", streams.len());
        assert!(first.text().len() < 5_000_000, "{}", first.text().len());
    }

    #[tokio::test]
    async fn of_thousands_of_streams_no_answer_and_no_reading_grows() {
        let bench = Bench::default();
        for n in 0..5_000 {
            count(&bench, &format!("stream-{n:04}"), "2026-11-20T22", &[("delivered", 1)]).await;
        }
        for (path, status, bytes) in [
            ("stats", 200, 150_000),
            ("stats?limit=500", 200, 600_000),
            ("recipients/ida@customer.example", 200, 50_000),
            ("activity", 409, 1_000),
        ] {
            let begun = std::time::Instant::now();
            let told = bench.get(path).await;
            println!("{path}: {} in {:?}, {} bytes", told.status(), begun.elapsed(), told.text().len());
            assert_eq!(told.status(), status, "{path}");
            assert!(told.text().len() < bytes, "{path}: {}", told.text().len());
        }
    }

    #[tokio::test]
    async fn a_long_time_is_read_in_stretches_and_nothing_between_them_is_lost() {
        let bench = Bench::default();
        let (to, mut at) = (now(), now().plus_days(-399));
        let mut delivered = 0;
        while at < to {
            count(&bench, "outbound", &at.hour(), &[("delivered", 1)]).await;
            delivered += 1;
            at = at.plus_seconds(7 * HOUR);
        }
        let from = to.plus_days(-399);
        let told = bench.get(&format!("stats?from={from}&zone=America/New_York")).await.json();
        assert_eq!(told["total"]["counts"]["delivered"], delivered);
    }

    proptest! {
        #[test]
        fn totals_are_the_sums_of_buckets_and_of_what_was_counted(
            hours in prop::collection::vec((0_i64..800, 0_usize..3, 0_usize..30, -2_i64..50), 0..60),
            zone in prop::sample::select(vec!["Z", "+13:00", "-09:00", "Europe/Berlin", "America/New_York", "Pacific/Auckland"]),
            by_hour in any::<bool>(),
            first in 0_i64..400,
            length in 1_i64..744,
        ) {
            let begin: Time = "2026-10-10T00:00:00Z".parse().unwrap();
            let mut counted = Counted::new();
            for (hour, stream, measure, count) in hours {
                let at = begin.plus_seconds(hour * HOUR);
                let measure = Measure::all().nth(measure).unwrap();
                let counts = Counts::from([(measure, count)]);
                let here = counted.entry(format!("stream-{stream}")).or_default();
                add(here.entry(at).or_default(), &counts);
            }
            let (from, to) = (begin.plus_seconds(first * HOUR), begin.plus_seconds((first + length) * HOUR));
            let by = if by_hour { By::Hour } else { By::Day };
            let slots = Zone::named(zone).unwrap().slots(from, to, by).unwrap();
            let (streams, total) = told(&counted, &slots);
            let sum = |blocks: Vec<&Block>| {
                let mut sum: BTreeMap<String, i64> = BTreeMap::new();
                for (name, count) in blocks.iter().flat_map(|block| &block.counts) {
                    *sum.entry(name.clone()).or_default() += count;
                }
                sum.retain(|_, count| *count != 0);
                sum
            };
            for StatsOfStream { total, buckets } in streams.values() {
                prop_assert!(!buckets.is_empty());
                prop_assert_eq!(sum(vec![total]), sum(buckets.iter().map(|bucket| &bucket.block).collect()));
            }
            prop_assert_eq!(sum(vec![&total]), sum(streams.values().map(|stream| &stream.total).collect()));
            let mut raw: BTreeMap<String, i64> = BTreeMap::new();
            for (at, counts) in counted.values().flatten() {
                for (measure, count) in counts.iter().filter(|_| (from..to).contains(at)) {
                    *raw.entry(measure.name().to_owned()).or_default() += count;
                }
            }
            raw.retain(|_, count| *count != 0);
            prop_assert_eq!(sum(vec![&total]), raw);
        }
    }
}

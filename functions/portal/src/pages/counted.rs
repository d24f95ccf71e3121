//! What is counted at a server, hour by hour or day by day: asked of the API, and put together to weeks and sums.

use super::rates::{Counts, add};
use crate::moment::Zone;
use crate::visit::{AtServer, Failed, Why};
use answers::{Bucket, Stats};
use jiff::civil::Date;
use ledger::Time;
use std::collections::BTreeMap;

/// How many seconds an hour has.
const HOUR: i64 = 3_600;

/// The spans of time that something is counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Every {
    /// An hour.
    Hour,
    /// A day of the zone.
    Day,
    /// A week of such days, from Monday on.
    Week,
}

impl Every {
    /// All of them.
    pub(super) const ALL: [Every; 3] = [Every::Hour, Every::Day, Every::Week];

    /// Its name in a query.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Every::Hour => "hour",
            Every::Day => "day",
            Every::Week => "week",
        }
    }

    /// The one of a name.
    pub(super) fn named(name: &str) -> Option<Every> {
        Every::ALL.into_iter().find(|every| every.name() == name)
    }
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// By which spans.
    pub every: Every,
    /// From when, included.
    pub from: Time,
    /// Until when, excluded.
    pub to: Time,
    /// On which stream alone.
    pub stream: Option<&'a str>,
}

/// What is counted.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    /// The zone that days are of.
    pub zone: Zone,
    /// Whether the zone of whoever looks cannot be counted by, so that this is another.
    pub is_other_zone: bool,
    /// From when, included: a whole hour.
    pub from: Time,
    /// Until when, excluded: a whole hour.
    pub to: Time,
    /// Of all streams together.
    pub total: Counts,
    /// By stream, the hours or days that have events.
    pub streams: BTreeMap<String, Vec<Bucket>>,
}

/// A span of time and what was counted in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// From when, included.
    pub from: Time,
    /// Until when, excluded.
    pub to: Time,
    /// Its first day, and for an hour its time: `2026-11-21`, `2026-11-21T14:00`.
    pub label: String,
    /// What was counted.
    pub counts: Counts,
}

impl Slot {
    /// What it is called where there is little room.
    pub(super) fn short(&self) -> String {
        match self.label.split_once('T') {
            Some((day, time)) => format!("{} {time}", day_words(day, "%-d %b")),
            None => day_words(&self.label, "%-d %b"),
        }
    }

    /// What it is called.
    pub(super) fn long(&self) -> String {
        match self.label.split_once('T') {
            Some((day, time)) => format!("{}, {time}", day_words(day, "%-d %b %Y")),
            None => day_words(&self.label, "%-d %b %Y"),
        }
    }
}

/// A day (`2026-11-21`) in words.
fn day_words(day: &str, format: &str) -> String {
    day.parse::<Date>().map_or_else(|_| day.to_owned(), |day| day.strftime(format).to_string())
}

/// The end of an hour that has begun.
pub(super) fn hour_after(at: Time) -> Time {
    let last = Time::from_micros(at.micros().saturating_sub(1));
    hour_of(last).plus_seconds(HOUR)
}

/// The beginning of the hour of an instant.
pub(super) fn hour_of(at: Time) -> Time {
    Time::default().plus_seconds(at.seconds().div_euclid(HOUR) * HOUR)
}

/// Until when is counted: until now, or until the instant that somebody looks at. Counts are kept by whole hours.
pub(super) fn end(at: &AtServer<'_>) -> Time {
    match at.as_of.at.filter(|by| *by < at.visit.now) {
        Some(by) => hour_of(by),
        None => hour_after(at.visit.now),
    }
}

/// The zone that days are of: that of whoever looks, or UTC where its hours are not whole ones of UTC.
pub(super) fn zone_of_days(at: &AtServer<'_>) -> Zone {
    let is_whole = at.visit.zone.field(end(at)).ends_with(":00");
    if is_whole { at.visit.zone.clone() } else { Zone::default() }
}

/// Asks the API, for all streams that it tells of.
///
/// # Errors
/// The API's own.
pub(super) async fn counted(at: &AtServer<'_>, asked: Asked<'_>) -> Result<Counted, Failed> {
    let zone = &at.visit.zone;
    match counted_in(at, asked, zone).await {
        // Counts are kept by whole hours of UTC: of a zone that is half an hour off no day can be counted.
        Err(Failed { why: Why::Problem(problem), .. })
            if zone.name() != Zone::default().name() && problem.detail.starts_with("zone:") =>
        {
            let counted = counted_in(at, asked, &Zone::default()).await?;
            Ok(Counted { is_other_zone: true, ..counted })
        }
        counted => counted,
    }
}

async fn counted_in(at: &AtServer<'_>, asked: Asked<'_>, zone: &Zone) -> Result<Counted, Failed> {
    let by = if asked.every == Every::Hour { "hour" } else { "day" };
    let ask = |cursor: Option<String>| {
        at.get("stats")
            .with("by", Some(by))
            .with("from", Some(asked.from))
            .with("to", Some(asked.to))
            .with("zone", Some(zone.name()))
            .with("stream", asked.stream)
            .with("cursor", cursor)
    };
    let mut stats: Stats = at.ask(ask(None)).await?;
    let (mut total, mut streams) = (Counts::new(), BTreeMap::new());
    let (from, to) = (stats.from.0, stats.to.0);
    loop {
        add(&mut total, &stats.total.counts);
        streams.extend(stats.streams.into_iter().map(|(stream, of)| (stream, of.buckets)));
        let Some(next) = stats.next else { break };
        stats = at.ask(ask(Some(next))).await?;
    }
    Ok(Counted { zone: zone.clone(), is_other_zone: false, from, to, total, streams })
}

impl Counted {
    /// Every slot from the first to the last, with what was counted on all streams: those without events too.
    pub(super) fn slots(&self, every: Every) -> Vec<Slot> {
        let mut found: BTreeMap<Time, Counts> = BTreeMap::new();
        for bucket in self.streams.values().flatten() {
            add(found.entry(bucket.from.0).or_default(), &bucket.block.counts);
        }
        let mut slots = match every {
            Every::Hour => hours(self.from, self.to, &self.zone),
            Every::Day | Every::Week => days(self.from, self.to, &self.zone),
        };
        for slot in &mut slots {
            for counts in found.range(slot.from..slot.to).map(|(_, counts)| counts) {
                add(&mut slot.counts, counts);
            }
        }
        if every == Every::Week { weeks(slots) } else { slots }
    }
}

fn slot(from: Time, to: Time, label: String) -> Slot {
    Slot { from, to, label, counts: Counts::new() }
}

fn hours(from: Time, to: Time, zone: &Zone) -> Vec<Slot> {
    let mut slots = Vec::new();
    let mut at = from;
    while at < to {
        let next = at.plus_seconds(HOUR);
        slots.push(slot(at, next, zone.field(at)));
        at = next;
    }
    slots
}

/// Days of a zone; the first and the last may be cut short.
fn days(from: Time, to: Time, zone: &Zone) -> Vec<Slot> {
    let mut slots = Vec::new();
    let mut at = from;
    while at < to {
        let label = zone.field(at).split('T').next().unwrap_or_default().to_owned();
        let tomorrow = label.parse::<Date>().ok().and_then(|day| day.tomorrow().ok());
        let midnight = tomorrow.and_then(|day| zone.read(&format!("{day}T00:00")));
        let next = midnight.filter(|midnight| at < *midnight).unwrap_or(to).min(to);
        slots.push(slot(at, next, label));
        at = next;
    }
    slots
}

/// Days, put together from Monday to Sunday.
fn weeks(days: Vec<Slot>) -> Vec<Slot> {
    let mut weeks: Vec<Slot> = Vec::new();
    for day in days {
        let is_monday =
            day.label.parse::<Date>().is_ok_and(|date| date.weekday() == jiff::civil::Weekday::Monday);
        match weeks.last_mut().filter(|_| !is_monday) {
            Some(week) => {
                week.to = day.to;
                add(&mut week.counts, &day.counts);
            }
            None => weeks.push(day),
        }
    }
    weeks
}

#[cfg(test)]
mod tests {
    use super::*;
    use answers::Block;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn bucket(from: &str, delivered: i64) -> Bucket {
        let counts: Counts = [("delivered".to_owned(), delivered)].into();
        let none = answers::Rate::of(0, 0);
        Bucket {
            from: at(from).into(),
            to: at(from).plus_seconds(HOUR).into(),
            label: String::new(),
            block: Block {
                counts,
                bounce_rate: none,
                hard_bounce_rate: none,
                complaint_rate: none,
                opens: answers::Opens { human: 0, machine: 0, human_rate: none, machine_rate: none },
                clicks: answers::Clicks { human: 0, machine: 0 },
            },
        }
    }

    fn counted(zone: &str, from: &str, to: &str, buckets: &[(&str, i64)]) -> Counted {
        let buckets: Vec<Bucket> = buckets.iter().map(|(from, count)| bucket(from, *count)).collect();
        Counted {
            zone: Zone::named(Some(zone)),
            is_other_zone: false,
            from: at(from),
            to: at(to),
            total: Counts::new(),
            streams: [("a".to_owned(), buckets.clone()), ("b".to_owned(), buckets)].into(),
        }
    }

    fn told(slots: &[Slot]) -> Vec<(String, i64)> {
        let delivered = |slot: &Slot| slot.counts.get("delivered").copied().unwrap_or_default();
        slots.iter().map(|slot| (slot.label.clone(), delivered(slot))).collect()
    }

    #[test]
    fn days_are_those_of_the_zone_with_those_that_have_no_events_and_streams_are_added() {
        let counted = counted(
            "Europe/Berlin",
            "2026-10-23T12:00:00Z",
            "2026-10-26T12:00:00Z",
            &[("2026-10-23T12:00:00Z", 1), ("2026-10-24T22:00:00Z", 2)],
        );
        let slots = counted.slots(Every::Day);
        let expected = [("2026-10-23", 2), ("2026-10-24", 0), ("2026-10-25", 4), ("2026-10-26", 0)];
        assert_eq!(told(&slots), expected.map(|(label, count)| (label.to_owned(), count)));
        assert_eq!(slots[2].to.seconds() - slots[2].from.seconds(), 25 * HOUR, "clocks are set back");
        assert!(slots.windows(2).all(|two| two[0].to == two[1].from));
        assert_eq!((slots[2].short(), slots[2].long()), ("25 Oct".to_owned(), "25 Oct 2026".to_owned()));
    }

    #[test]
    fn weeks_begin_on_monday_and_hours_are_hours() {
        let of = |every| {
            counted(
                "UTC",
                "2026-11-20T00:00:00Z",
                "2026-11-25T00:00:00Z",
                &[("2026-11-22T00:00:00Z", 1), ("2026-11-23T00:00:00Z", 2)],
            )
            .slots(every)
        };
        let weeks = of(Every::Week);
        assert_eq!(told(&weeks), [("2026-11-20".to_owned(), 2), ("2026-11-23".to_owned(), 4)]);
        let hours = of(Every::Hour);
        assert_eq!((hours.len(), hours[49].label.as_str()), (120, "2026-11-22T01:00"));
        assert_eq!(hours[49].short(), "22 Nov 01:00");
    }

    #[test]
    fn counting_ends_with_a_whole_hour() {
        assert_eq!(hour_after(at("2026-11-20T10:00:00Z")), at("2026-11-20T10:00:00Z"));
        assert_eq!(hour_after(at("2026-11-20T10:00:01Z")), at("2026-11-20T11:00:00Z"));
        assert_eq!(hour_of(at("2026-11-20T10:59:59Z")), at("2026-11-20T10:00:00Z"));
    }
}

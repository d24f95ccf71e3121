//! Sums of counts that the API does not make: streams together, weeks; the rates of them are made as the API makes its own.
//! And the limits that others set, with what may be said of a rate against them.

use super::shared::number;
use crate::texts::Texts;
use answers::{Block, Rate};
use std::collections::BTreeMap;

/// How many events there are of each measure.
pub(super) type Counts = BTreeMap<String, i64>;

/// What is counted and what share of what that is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Figures {
    /// Deliveries.
    pub delivered: i64,
    /// Hard, invalid, soft and block bounces, among these and deliveries.
    pub bounces: Rate,
    /// Complaints among deliveries.
    pub complaints: Rate,
    /// First opens by people, among deliveries.
    pub opens: Rate,
    /// First opens by programs, among deliveries.
    pub machine_opens: Rate,
    /// Clicks by people.
    pub clicks: i64,
    /// Clicks by programs.
    pub machine_clicks: i64,
}

impl Figures {
    /// The figures of counts.
    pub(super) fn of(counts: &Counts) -> Figures {
        // A count that is on its way from one hour to another may be less than nothing for a moment.
        let counts = counts.iter().map(|(name, count)| (name.clone(), (*count).max(0)));
        let Block { counts, bounce_rate, complaint_rate, opens, clicks, .. } = Block::of(counts.collect());
        Figures {
            delivered: counts.get("delivered").copied().unwrap_or_default(),
            bounces: bounce_rate,
            complaints: complaint_rate,
            opens: opens.human_rate,
            machine_opens: opens.machine_rate,
            clicks: clicks.human,
            machine_clicks: clicks.machine,
        }
    }
}

/// Adds counts to others.
pub(super) fn add(sum: &mut Counts, counts: &Counts) {
    for (measure, count) in counts {
        let here = sum.entry(measure.clone()).or_default();
        *here = here.saturating_add(*count);
    }
}

/// A share as a percentage, with as many digits as say something.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let digits = match percent.abs() {
        at_least if at_least >= 100.0 => 0,
        at_least if at_least >= 10.0 => 1,
        at_least if at_least >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{percent:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    match text {
        "0" | "-0" if percent > 0.0 => "<0.001%".to_owned(),
        "-0" => "0%".to_owned(),
        text => match text.split_once('.') {
            Some((whole, part)) => format!("{}.{part}%", number(whole)),
            None => format!("{}%", number(text)),
        },
    }
}

/// Its ends, where a rate has them.
pub(super) fn interval(t: Texts, rate: &Rate) -> Option<String> {
    Some(t.rates_interval(percent(rate.low?), percent(rate.high?)))
}

/// How a rate has changed, as far as the intervals tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The intervals do not overlap, and it is higher now.
    Up,
    /// They do not overlap, and it is lower now.
    Down,
    /// They overlap.
    Unclear,
    /// There is nothing to compare with.
    Unknown,
}

/// How a rate has changed.
pub(super) fn change(now: &Rate, before: &Rate) -> Change {
    match (now.low, now.high, before.low, before.high) {
        (Some(low), _, _, Some(was)) if low > was => Change::Up,
        (_, Some(high), Some(was), _) if high < was => Change::Down,
        (Some(_), Some(_), Some(_), Some(_)) => Change::Unclear,
        _ => Change::Unknown,
    }
}

/// A limit that somebody else sets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    /// Where it is.
    pub share: f64,
    /// Whose it is and what it means.
    pub name: fn(Texts) -> String,
}

/// Postmark's for bounces: what it advises to look at, what it calls critical, and what endangers an account.
pub(super) const BOUNCES: [Limit; 3] = [
    Limit { share: 0.02, name: |t| t.limit_bounce_warn() },
    Limit { share: 0.04, name: |t| t.limit_bounce_critical() },
    Limit { share: 0.1, name: |t| t.limit_bounce_account() },
];
/// For complaints: Postmark's two, then what Gmail, Yahoo and Microsoft ask senders to keep below, and never to reach.
pub(super) const COMPLAINTS: [Limit; 4] = [
    Limit { share: 0.000_4, name: |t| t.limit_complaint_warn() },
    Limit { share: 0.000_8, name: |t| t.limit_complaint_critical() },
    Limit { share: 0.001, name: |t| t.limit_complaint_gmail() },
    Limit { share: 0.003, name: |t| t.limit_complaint_gmail_never() },
];
/// How much mail there must be before a rate that is not certain is spoken of: bounces, complaints.
pub(super) const LEAST: [i64; 2] = [200, 1_000];
/// How many events say something even of little mail.
const EVENTS_LEAST: i64 = 3;

/// What may be said of a rate against limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Below them all, as far as is known.
    Fine,
    /// Above the first of them, or perhaps above the second.
    Warn,
    /// Above the second of them, even by the lower end of its interval.
    Bad,
}

/// What may be said of a rate against two limits, the lower first. Chance alone raises no alarm: either the whole interval
/// lies above a limit, of much mail or by several events, or there is much mail and the rate is above the higher one.
pub(super) fn level(rate: &Rate, limits: &[Limit], least: i64) -> Level {
    let [warn, bad] = [0, 1].map(|nth| limits.get(nth).map_or(f64::INFINITY, |limit| limit.share));
    let (low, value) = (rate.low.unwrap_or_default(), rate.value.unwrap_or_default());
    let is_much = rate.volume >= least;
    let counts = is_much || rate.events >= EVENTS_LEAST;
    if low >= bad && counts {
        Level::Bad
    } else if (low >= warn && counts) || (value >= bad && is_much) {
        Level::Warn
    } else {
        Level::Fine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_sums_and_no_count_is_less_than_nothing() {
        let mut counts = Counts::new();
        let more: Counts = [("delivered", 90), ("bounce_hard", 4), ("bounce_block", 6), ("bounce_delay", 7)]
            .map(|(name, count)| (name.to_owned(), count))
            .into();
        add(&mut counts, &more);
        add(&mut counts, &[("complaint".to_owned(), -1), ("delivered".to_owned(), 0)].into());
        let figures = Figures::of(&counts);
        assert_eq!((figures.delivered, figures.bounces.events, figures.bounces.volume), (90, 10, 100));
        assert_eq!((figures.complaints.events, figures.complaints.value), (0, Some(0.0)));
        let huge =
            Figures::of(&[("delivered".to_owned(), i64::MAX), ("bounce_hard".to_owned(), i64::MAX)].into());
        assert_eq!(huge.bounces.volume, i64::MAX);
    }

    #[test]
    fn a_percentage_has_the_digits_that_say_something() {
        for (share, shown) in [
            (0.0, "0%"),
            (-0.0, "0%"),
            (0.000_001, "<0.001%"),
            (0.000_04, "0.004%"),
            (0.000_8, "0.08%"),
            (0.02, "2%"),
            (0.012_345, "1.23%"),
            (0.5, "50%"),
            (0.123_456, "12.3%"),
            (1.0, "100%"),
            (1.5, "150%"),
            (123.0, "12,300%"),
        ] {
            assert_eq!(percent(share), shown);
        }
    }

    #[test]
    fn a_change_is_one_only_where_the_intervals_do_not_overlap() {
        assert_eq!(change(&Rate::of(60, 1_000), &Rate::of(20, 1_000)), Change::Up);
        assert_eq!(change(&Rate::of(20, 1_000), &Rate::of(60, 1_000)), Change::Down);
        assert_eq!(change(&Rate::of(3, 100), &Rate::of(2, 100)), Change::Unclear);
        assert_eq!(change(&Rate::of(3, 100), &Rate::of(0, 0)), Change::Unknown);
        assert_eq!(change(&Rate::of(3, 2), &Rate::of(1, 10)), Change::Unknown);
    }

    #[test]
    fn chance_alone_raises_no_alarm() {
        let bounces = |events, volume| level(&Rate::of(events, volume), &BOUNCES, LEAST[0]);
        assert_eq!(bounces(0, 0), Level::Fine);
        assert_eq!(bounces(1, 3), Level::Fine, "one event, though the whole interval lies above 4 %");
        assert_eq!(bounces(1, 20), Level::Fine);
        assert_eq!(bounces(3, 10), Level::Bad);
        assert_eq!(bounces(9, 199), Level::Warn, "its lower end is above 2 %");
        assert_eq!(bounces(10, 250), Level::Warn, "much mail, and the rate is 4 %");
        assert_eq!(bounces(7, 250), Level::Fine);
        assert_eq!(bounces(100, 1_000), Level::Bad);
        let complaints = |events, volume| level(&Rate::of(events, volume), &COMPLAINTS, LEAST[1]);
        assert_eq!(complaints(1, 3_000), Level::Fine);
        assert_eq!(complaints(1, 1_000), Level::Warn);
        assert_eq!(complaints(30, 10_000), Level::Bad);
    }
}

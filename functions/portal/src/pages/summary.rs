//! Counts and rates of a span of time beside those of the span before, each with a link to the events that it counts.

use super::activity::{Filter, SORTS, path};
use super::rates::{
    BOUNCES, COMPLAINTS, Change, Figures, LEAST, Level, Limit, change, interval, level, percent,
};
use super::shared::number;
use crate::texts::Texts;
use crate::visit::AtServer;
use answers::Rate;
use ledger::Time;

/// What is counted, and what is to be said of it.
pub(super) struct Line {
    /// What it is called.
    pub name: String,
    /// How many there are.
    pub count: String,
    /// The events.
    pub path: Option<String>,
    /// What share of what they are, and within which ends that lies.
    pub share: Option<[String; 2]>,
    /// How many there were before.
    pub before: String,
    /// What share they were.
    pub share_before: Option<[String; 2]>,
    /// How that has changed, where that is certain.
    pub change: String,
    /// How it stands to the limits, in words, and by the style's name.
    pub limit: Option<[String; 2]>,
}

/// A span of time that is counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span<'a> {
    /// From when, included.
    pub from: Time,
    /// Until when, excluded.
    pub to: Time,
    /// On which stream alone.
    pub stream: Option<&'a str>,
}

/// How many days of events are listed at once.
const LISTED_DAYS: i64 = 31;

impl Span<'_> {
    /// The events of some sorts in it, where they can be listed at once.
    pub(super) fn events(&self, at: &AtServer<'_>, sorts: &[&str]) -> Option<String> {
        let filter = Filter {
            stream: self.stream.map(str::to_owned),
            sorts: SORTS.into_iter().filter(|sort| sorts.contains(&sort.name)).collect(),
            from: self.from,
            to: Time::from_micros(self.to.micros().saturating_sub(1)),
        };
        (self.from >= filter.to.plus_days(-LISTED_DAYS)).then(|| path(at, &filter))
    }
}

/// What of figures stands to limits.
pub(super) fn levels(figures: &Figures) -> [Level; 2] {
    [level(&figures.bounces, &BOUNCES, LEAST[0]), level(&figures.complaints, &COMPLAINTS, LEAST[1])]
}

/// The lines of a span and of the one before it.
pub(super) fn lines(at: &AtServer<'_>, span: Span<'_>, now: &Figures, before: &Figures) -> Vec<Line> {
    let t = at.visit.t();
    let count = |name: String, sorts: &[&str], counts: [i64; 2]| Line {
        name,
        count: number(counts[0]),
        path: span.events(at, sorts).filter(|_| counts[0] > 0),
        share: None,
        before: number(counts[1]),
        share_before: None,
        change: String::new(),
        limit: None,
    };
    let of = |name: String, sorts: &[&str], rates: [&Rate; 2]| Line {
        share: share(t, rates[0]),
        share_before: share(t, rates[1]),
        change: changed(t, change(rates[0], rates[1])),
        ..count(name, sorts, rates.map(|rate| rate.events))
    };
    let [bounces, complaints] = levels(now);
    vec![
        count(t.sort_delivered(), &["delivered"], [now.delivered, before.delivered]),
        Line {
            limit: Some(limit(t, &now.bounces, bounces, &BOUNCES)),
            ..of(t.stats_bounced(), &["hard", "soft"], [&now.bounces, &before.bounces])
        },
        Line {
            limit: Some(limit(t, &now.complaints, complaints, &COMPLAINTS)),
            ..of(t.sort_complaints(), &["complaints"], [&now.complaints, &before.complaints])
        },
        of(t.sort_opens(), &["opens"], [&now.opens, &before.opens]),
        of(t.sort_machine_opens(), &["opens-by-programs"], [&now.machine_opens, &before.machine_opens]),
        count(t.sort_clicks(), &["clicks"], [now.clicks, before.clicks]),
    ]
}

fn share(t: Texts, rate: &Rate) -> Option<[String; 2]> {
    Some([percent(rate.value?), interval(t, rate).unwrap_or_default()])
}

fn changed(t: Texts, change: Change) -> String {
    match change {
        Change::Up => t.rates_up(),
        Change::Down => t.rates_down(),
        Change::Unclear => t.rates_unclear(),
        Change::Unknown => String::new(),
    }
}

/// How a rate stands to limits: above which of them it is, if above any.
pub(super) fn limit(t: Texts, rate: &Rate, level: Level, limits: &[Limit]) -> [String; 2] {
    let value = rate.value.unwrap_or_default();
    let above = limits.iter().rev().find(|limit| value >= limit.share).map(|limit| (limit.name)(t));
    match (level, above, rate.value) {
        (_, _, None) => [String::new(), String::new()],
        (Level::Bad, Some(above), _) => [t.limit_above(above), "stop".to_owned()],
        (Level::Warn, Some(above), _) => [t.limit_above(above), "risky".to_owned()],
        // So few that it may be chance.
        (_, Some(above), _) => [t.limit_perhaps(above), String::new()],
        (_, None, _) => [t.limit_below(), "send".to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use answers::Rate;

    #[test]
    fn a_rate_is_said_to_be_above_a_limit_only_where_that_is_no_chance() {
        let t = Texts::default();
        let said = |events, volume| {
            let rate = Rate::of(events, volume);
            limit(t, &rate, level(&rate, &BOUNCES, LEAST[0]), &BOUNCES)
        };
        assert_eq!(said(0, 0), ["", ""]);
        assert_eq!(said(1, 1_000), [t.limit_below(), "send".to_owned()]);
        assert_eq!(said(1, 20), [t.limit_perhaps(t.limit_bounce_critical()), String::new()]);
        assert_eq!(said(45, 1_000), [t.limit_above(t.limit_bounce_critical()), "risky".to_owned()]);
        assert_eq!(said(200, 1_000), [t.limit_above(t.limit_bounce_account()), "stop".to_owned()]);
    }
}

//! The first opens and clicks of a day, against Postmark's statistics.
//!
//! Both count each first open, and each first click of a link, on the day it happened: where the numbers agree, nothing
//! is missing. Postmark's lists of opens and clicks take no dates and end after 10,000 rows, the latest first; what
//! they do not reach is asked for message by message, those of the day and of the days before it. Repeated opens are
//! told by webhooks alone: how many Postmark counts and we lack is said, and that is all.
//!
//! Whether the days of Postmark's statistics follow the Eastern clock through the summer or stay at EST, no source says.
//! So the lists are left unread only where both readings agree, and a day is read to the end of the later one. Beyond
//! the lists, where a look costs two calls a message, one reading that agrees among more than 10,000 events is enough.

use crate::progress::{Day, Tally};
use crate::walk::{Listed, instant, shown};
use crate::window::{Window, Windows};
use crate::{GRACE_SECONDS, ReconcileError, Work, facts};
use ledger::counters::Counts;
use ledger::{Kind, Source, Time};
use postmark_api::{EngagementQuery, PAGE_MAX, Stats, WINDOW_MAX};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};

/// How many days before a day of opens their messages are looked for, where the lists do not reach.
const MESSAGE_DAYS: i64 = 3;
/// What repeated opens are found as.
pub(crate) const REPEATED: &str = "Open, repeated";

/// The measures of changes of Postmark's list.
const CHANGES: [&str; 6] = [
    "reactivated",
    "suppressed_complaint",
    "suppressed_hard_bounce",
    "suppressed_manual",
    "suppressed_unknown",
    "suppressed_unsubscribe",
];
/// The measures of what was observed in its stead.
const OBSERVED: [&str; 2] = ["observed_gone", "observed_present"];

/// Which rows were seen: an event is counted once, whatever lists show it.
type Seen = HashSet<String>;

/// Opens or clicks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Opens,
    Clicks,
}

impl What {
    const BOTH: [What; 2] = [What::Opens, What::Clicks];

    const fn name(self) -> &'static str {
        match self {
            What::Opens => Kind::Open.name(),
            What::Clicks => Kind::Click.name(),
        }
    }

    const fn stats(self) -> Stats {
        match self {
            What::Opens => Stats::Opens,
            What::Clicks => Stats::Clicks,
        }
    }

    /// The measures that count what Postmark lists.
    const fn measures(self) -> [&'static str; 2] {
        match self {
            What::Opens => ["open_first", "open_first_machine"],
            What::Clicks => ["click", "click_machine"],
        }
    }
}

impl Work<'_> {
    /// The opens and clicks of a day, or of a part of one. Whether the end was reached.
    pub(crate) async fn engagement(
        &mut self,
        name: &str,
        day: &str,
        window: Window,
        state: &mut Day,
        source: Source,
        whole: bool,
    ) -> Result<bool, ReconcileError> {
        let window = Window { to: window.to.min(self.now.plus_seconds(-GRACE_SECONDS)), ..window };
        if window.from >= window.to {
            return Ok(true);
        }
        let standard = standard_day(day).filter(|_| whole);
        let reach =
            Window { to: standard.map_or(window.to, |standard| standard.to.max(window.to)), ..window };
        let counted = self.counted(name, reach).await?;
        let mut seen = Seen::new();
        // How many there are of what the lists did not reach.
        let mut open: Vec<(What, u64)> = Vec::new();
        for what in What::BOTH {
            let stats = self.api.stats(what.stats(), Some(name), day, day).await?;
            let theirs = count(&stats, day, "Unique");
            let ours = counted.sum(window, &what.measures());
            if whole && what == What::Opens {
                let repeated = count(&stats, day, "Opens").saturating_sub(theirs);
                let recorded = counted.sum(window, &["open_repeat", "open_repeat_machine"]);
                let untold = repeated.saturating_sub(recorded);
                let tally = Tally { expected: recorded + untold, recorded, untold, missing: 0 };
                state.found.insert(REPEATED.to_owned(), tally);
            }
            let agree = [Some(window), standard].map(|reading| {
                whole && reading.is_none_or(|reading| counted.sum(reading, &what.measures()) == theirs)
            });
            let as_counted = Tally { expected: ours, recorded: ours, ..Tally::default() };
            if agree == [true; 2] {
                state.found.insert(what.name().to_owned(), as_counted);
                continue;
            }
            let reached = state.cursor.is_none()
                && self.newest(name, what, [window, reach], &mut seen, state, source).await?;
            if !reached && agree.contains(&true) {
                let tally = state.found.entry(what.name().to_owned()).or_default();
                *tally = Tally { missing: tally.missing, expected: ours + tally.missing, ..as_counted };
            } else if !reached {
                open.push((what, theirs));
            } else if whole {
                let tally = state.found.entry(what.name().to_owned()).or_default();
                tally.untold = theirs.saturating_sub(tally.expected);
                tally.expected += tally.untold;
            }
        }
        if open.is_empty() {
            return Ok(true);
        }
        let done = self.by_message(name, day, [window, reach], &mut seen, state, source).await?;
        for (what, theirs) in open.into_iter().filter(|_| done && whole) {
            let tally = state.found.entry(what.name().to_owned()).or_default();
            let told = tally.expected.min(theirs);
            *tally = Tally {
                expected: theirs,
                recorded: told.saturating_sub(tally.missing),
                missing: tally.missing.min(told),
                untold: theirs - told,
            };
        }
        Ok(done)
    }

    /// Postmark's list, from the latest to the beginning of the stretch; whether it reached so far.
    async fn newest(
        &mut self,
        name: &str,
        what: What,
        [window, reach]: [Window; 2],
        seen: &mut Seen,
        state: &mut Day,
        source: Source,
    ) -> Result<bool, ReconcileError> {
        let mut offset = 0;
        while offset < WINDOW_MAX {
            let count = PAGE_MAX.min(WINDOW_MAX - offset);
            let query = EngagementQuery { stream: name, count, offset, ..EngagementQuery::default() };
            let page = match what {
                What::Opens => self.api.opens(&query).await?,
                What::Clicks => self.api.clicks(&query).await?,
            };
            offset += shown(page.rows.len() as u64);
            let times = page.rows.iter().filter_map(|row| instant(Listed::Messages, row));
            let passed = times.min().is_some_and(|oldest| oldest < window.from);
            let rows = page.rows.iter().map(|row| self.body(name, what, row)).collect();
            self.count_in(name, rows, [window, reach], seen, state, source).await?;
            // The last row of all, not the last that is shown.
            if passed || page.rows.is_empty() || u64::from(offset) >= page.total {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Message by message, from where it was left. Whether the end was reached.
    async fn by_message(
        &mut self,
        name: &str,
        day: &str,
        [window, reach]: [Window; 2],
        seen: &mut Seen,
        state: &mut Day,
        source: Source,
    ) -> Result<bool, ReconcileError> {
        let from = state.cursor.unwrap_or_else(|| window.from.plus_days(-MESSAGE_DAYS));
        let mut windows = Windows::of(Window { from, to: reach.to });
        while let Some(stretch) = windows.next() {
            let mut offset = 0;
            loop {
                let page = self.page(name, Listed::Messages, stretch, offset).await?;
                if page.total > WINDOW_MAX.into() && windows.halve(stretch) {
                    break;
                }
                offset += shown(page.rows.len() as u64);
                let here: Vec<&Value> =
                    page.rows.iter().filter(|row| stretch.holds(instant(Listed::Messages, row))).collect();
                let (opens, clicks) = self.engaged(&here).await?;
                let opens = opens.iter().map(|row| self.body(name, What::Opens, row));
                let bodies =
                    opens.chain(clicks.iter().map(|row| self.body(name, What::Clicks, row))).collect();
                self.count_in(name, bodies, [window, reach], seen, state, source).await?;
                if page.rows.is_empty() || offset >= shown(page.total) {
                    state.cursor = Some(stretch.to);
                    self.keep_day(name, day, state.clone()).await?;
                    break;
                }
            }
            if self.time_is_up() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn body(&self, name: &str, what: What, row: &Value) -> Value {
        match what {
            What::Opens => facts::open(self.job.server, name, row),
            What::Clicks => facts::click(self.job.server, name, row),
        }
    }

    /// Tells of rows within reach that were not seen before, and adds those of the day to what it has found.
    async fn count_in(
        &mut self,
        name: &str,
        bodies: Vec<Value>,
        [window, reach]: [Window; 2],
        seen: &mut Seen,
        state: &mut Day,
        source: Source,
    ) -> Result<(), ReconcileError> {
        let (mut of_day, mut beyond) = (Vec::new(), Vec::new());
        for body in bodies {
            let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
            let [message, recipient, link] = ["MessageID", "Recipient", "OriginalLink"].map(text);
            let key = format!("{message} {} {link}", recipient.to_lowercase());
            let at = instant(Listed::Messages, &body);
            if reach.holds(at) && seen.insert(key) {
                if window.holds(at) { &mut of_day } else { &mut beyond }.push(body);
            }
        }
        for (kind, tally) in self.tell(name, of_day, source).await? {
            state.found.entry(kind).or_default().add(tally);
        }
        // The next day finds these recorded.
        let beyond = self.tell(name, beyond, source).await?;
        self.report.stream(name).missing(&beyond);
        Ok(())
    }

    /// What is known of a day's changes of Postmark's list. It keeps no history: one that was missed is known by its
    /// result, an observation, and one that was undone meanwhile by nothing.
    pub(crate) async fn changes(
        &self,
        name: &str,
        window: Window,
        state: &mut Day,
    ) -> Result<(), ReconcileError> {
        let counted = self.counted(name, window).await?;
        let (recorded, missing) = (counted.sum(window, &CHANGES), counted.sum(window, &OBSERVED));
        let tally = Tally { expected: recorded + missing, recorded, missing, untold: 0 };
        state.found.insert(Kind::SubscriptionChange.name().to_owned(), tally);
        Ok(())
    }

    /// What is counted in a stretch of time.
    async fn counted(&self, name: &str, window: Window) -> Result<Counted, ReconcileError> {
        let before = window.to.plus_seconds(3_599).hour();
        let hours = self.with.store.counters(self.job.server, name, &window.from.hour(), &before).await?;
        Ok(Counted(hours))
    }
}

/// What is counted, by hour.
struct Counted(BTreeMap<String, Counts>);

impl Counted {
    /// How many of some measures in a stretch of whole hours.
    fn sum(&self, window: Window, measures: &[&str]) -> u64 {
        let (from, before) = (window.from.hour(), window.to.plus_seconds(3_599).hour());
        let hours = self.0.range(from..before).flat_map(|(_, counts)| counts);
        let counts = hours.filter(|(measure, _)| measures.contains(&measure.name())).map(|(_, count)| count);
        counts.sum::<i64>().try_into().unwrap_or_default()
    }
}

/// A day of EST, which is five hours behind UTC all year.
fn standard_day(day: &str) -> Option<Window> {
    let from: Time = format!("{day}T05:00:00Z").parse().ok()?;
    Some(Window { from, to: from.plus_days(1) })
}

/// A day's number in Postmark's statistics, which leave out days without any.
fn count(stats: &Value, day: &str, field: &str) -> u64 {
    let days = stats["Days"].as_array().into_iter().flatten();
    let mut of_day = days.filter(|one| one["Date"].as_str().is_some_and(|date| date.starts_with(day)));
    of_day.next().and_then(|one| one[field].as_u64()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::counters::Measure;
    use serde_json::json;

    #[test]
    fn a_day_that_statistics_leave_out_has_none() {
        let stats =
            json!({ "Days": [{ "Date": "2026-11-01", "Opens": 9, "Unique": 4 }], "Opens": 9, "Unique": 4 });
        assert_eq!((count(&stats, "2026-11-01", "Opens"), count(&stats, "2026-11-01", "Unique")), (9, 4));
        assert_eq!(
            (count(&stats, "2026-11-02", "Unique"), count(&json!({}), "2026-11-01", "Unique")),
            (0, 0)
        );
    }

    #[test]
    fn what_is_counted_has_a_measure_of_its_name() {
        let all = What::BOTH.into_iter().flat_map(What::measures).chain(CHANGES).chain(OBSERVED);
        for name in all {
            assert!(Measure::named(name).is_some(), "{name}");
        }
    }
}

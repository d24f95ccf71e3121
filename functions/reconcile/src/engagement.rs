//! The first opens and clicks of a day, against Postmark's statistics.
//!
//! Both count each first open, and each first click of a link, on the day it happened: where the numbers agree, nothing
//! is missing. Postmark's lists of opens and clicks take no dates and end after 10,000 rows, the latest first; what
//! they do not reach is asked for message by message, those of the day and of the days before it, until the numbers
//! agree. Repeated opens are told by webhooks alone: how many Postmark counts and we lack is said, and that is all.
//!
//! Whether the days of Postmark's statistics follow the Eastern clock through the summer or stay at EST, no source says. So
//! a day agrees only where both readings of it do, and is read to the end of the later one.

use crate::progress::{Day, Tally};
use crate::walk::{Listed, instant, shown};
use crate::window::{Window, Windows};
use crate::{GRACE_SECONDS, ReconcileError, Work, facts};
use ledger::counters::Measure;
use ledger::{Kind, Source, Time};
use postmark_api::{EngagementQuery, PAGE_MAX, Stats, WINDOW_MAX};
use serde_json::Value;
use std::collections::HashSet;

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
        let mut seen = Seen::new();
        // How many there are of what the lists did not reach.
        let mut open: Vec<(What, u64)> = Vec::new();
        for what in What::BOTH {
            let stats = self.api.stats(what.stats(), Some(name), day, day).await?;
            let theirs = count(&stats, day, "Unique");
            let ours = self.counted(name, window, &what.measures()).await?;
            if whole && what == What::Opens {
                let repeated = count(&stats, day, "Opens").saturating_sub(theirs);
                let recorded = self.counted(name, window, &["open_repeat", "open_repeat_machine"]).await?;
                let untold = repeated.saturating_sub(recorded);
                let expected = recorded + untold;
                state.found.insert(REPEATED.to_owned(), Tally { expected, recorded, untold, missing: 0 });
            }
            let both = match standard {
                Some(standard) => theirs == self.counted(name, standard, &what.measures()).await?,
                None => true,
            };
            if whole && theirs == ours && both {
                state.found.insert(
                    what.name().to_owned(),
                    Tally { expected: ours, recorded: ours, ..Tally::default() },
                );
                continue;
            }
            let reached = state.cursor.is_none()
                && self.newest(name, what, [window, reach], &mut seen, state, source).await?;
            if !reached {
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
        let done = self.by_message(name, [window, reach], &open, &mut seen, state, source).await?;
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

    /// Message by message, from where it was left, until the numbers agree. Whether the end was reached.
    async fn by_message(
        &mut self,
        name: &str,
        [window, reach]: [Window; 2],
        open: &[(What, u64)],
        seen: &mut Seen,
        state: &mut Day,
        source: Source,
    ) -> Result<bool, ReconcileError> {
        let from = state.cursor.unwrap_or_else(|| window.from.plus_days(-MESSAGE_DAYS));
        let mut windows = Windows::of(Window { from, to: reach.to });
        while let Some(stretch) = windows.next() {
            let agree = |(what, theirs): &(What, u64)| {
                state.found.get(what.name()).is_some_and(|tally| tally.expected >= *theirs)
            };
            if open.iter().all(agree) {
                break;
            }
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
        let recorded = self.counted(name, window, &CHANGES).await?;
        let missing = self.counted(name, window, &OBSERVED).await?;
        let tally = Tally { expected: recorded + missing, recorded, missing, untold: 0 };
        state.found.insert(Kind::SubscriptionChange.name().to_owned(), tally);
        Ok(())
    }

    /// How many are counted in a stretch of whole hours.
    async fn counted(&self, name: &str, window: Window, measures: &[&str]) -> Result<u64, ReconcileError> {
        let measures: Vec<Measure> = measures.iter().filter_map(|name| Measure::named(name)).collect();
        let before = window.to.plus_seconds(3_599).hour();
        let hours = self.with.store.counters(self.job.server, name, &window.from.hour(), &before).await?;
        let counts = hours.values().flat_map(|counts| measures.iter().filter_map(|one| counts.get(one)));
        Ok(counts.sum::<i64>().try_into().unwrap_or_default())
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

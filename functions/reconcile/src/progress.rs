//! How far the work for a server is. The registry keeps it, so that the next run continues where this one ended.

use ledger::{RecipientId, Source, Time};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How long after its end a day is looked at, in seconds, each time once: when its webhooks should be in, when their
/// retries are over, and when the last deferred mail has been delivered or given up.
pub(crate) const ROUNDS: [i64; 3] = [3_600, 86_400, 4 * 86_400];

/// All that is kept for a server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// When it was last worked on to the end.
    #[serde(default)]
    pub(crate) finished_at: Option<Time>,
    /// By stream.
    #[serde(default)]
    pub(crate) streams: BTreeMap<String, OfStream>,
    /// What somebody asked for and is not yet done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) asked: Option<RequestedRange>,
}

/// What is kept for a stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct OfStream {
    /// Who is on our list and was not on Postmark's, and since when that has been so: the time of the first dump.
    #[serde(default)]
    pub(crate) gone: BTreeMap<RecipientId, Time>,
    /// The days that are worked on, by their Eastern date.
    #[serde(default)]
    pub(crate) days: BTreeMap<String, Day>,
}

/// How far a day is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Day {
    /// How many of [`ROUNDS`] are done.
    #[serde(default)]
    pub(crate) rounds: usize,
    /// What is under way.
    #[serde(default)]
    pub(crate) step: Step,
    /// Up to when that step is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cursor: Option<Time>,
    /// What this round has found so far, by record type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) found: BTreeMap<String, Tally>,
}

impl Day {
    /// Whether a round is due for a day that ended this many seconds ago.
    pub(crate) fn due(&self, ended_seconds_ago: i64) -> bool {
        ROUNDS.get(self.rounds).is_some_and(|after| ended_seconds_ago >= *after)
    }

    /// Notes that a round is over. A late round also replaces the earlier ones that were missed.
    pub(crate) fn over(&mut self, ended_seconds_ago: i64) {
        let passed = ROUNDS.iter().filter(|after| ended_seconds_ago >= **after).count();
        *self = Day { rounds: passed.max(self.rounds), ..Day::default() };
    }
}

/// What is done for a day, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// The list of bounces, complaints among them.
    #[default]
    Bounces,
    /// The list of messages, for their deliveries.
    Messages,
    /// Opens and clicks.
    Engagement,
    /// Nothing more.
    Done,
}

/// What was found of a record type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many events Postmark tells of.
    pub expected: u64,
    /// How many of them were recorded already.
    pub recorded: u64,
    /// How many of them were put on the queue: they were missing.
    pub missing: u64,
    /// How many Postmark counts but tells no more of.
    #[serde(default)]
    pub untold: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Tally) {
        self.expected += other.expected;
        self.recorded += other.recorded;
        self.missing += other.missing;
        self.untold += other.untold;
    }
}

/// A stretch of time that somebody asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RequestedRange {
    /// As what its facts are told.
    pub(crate) source: Source,
    /// From when.
    pub(crate) from: Time,
    /// To before when.
    pub(crate) to: Time,
    /// The streams whose list has been compared.
    #[serde(default)]
    pub(crate) listed: BTreeSet<String>,
    /// Those of them that Postmark does not have any more.
    #[serde(default)]
    pub(crate) gone: BTreeSet<String>,
    /// How far each day is, by stream.
    #[serde(default)]
    pub(crate) days: BTreeMap<String, BTreeMap<String, Day>>,
}

impl RequestedRange {
    pub(crate) fn new(source: Source, from: Time, to: Time) -> RequestedRange {
        RequestedRange {
            source,
            from,
            to,
            listed: BTreeSet::new(),
            gone: BTreeSet::new(),
            days: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_looked_at_three_times_and_a_late_look_stands_for_those_before_it() {
        let mut day = Day::default();
        assert!(!day.due(3_599) && day.due(3_600));
        day.over(3_600);
        assert_eq!((day.rounds, day.due(86_399), day.due(86_400)), (1, false, true));
        day.over(5 * 86_400);
        assert_eq!((day.rounds, day.due(i64::MAX)), (3, false));
    }

    #[test]
    fn what_was_kept_by_an_earlier_release_is_read() {
        assert_eq!(serde_json::from_str::<State>("{}").unwrap(), State::default());
        let state = r#"{"streams":{"outbound":{"gone":{},"days":{"2026-11-01":{"rounds":1}}}},"new":1}"#;
        let state: State = serde_json::from_str(state).unwrap();
        assert_eq!(state.streams["outbound"].days["2026-11-01"].rounds, 1);
    }
}

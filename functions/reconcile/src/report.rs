//! What a run says of itself.

use crate::progress::Tally;
use crate::tell::Found;
use ledger::{Kind, ServerId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a run over all servers went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// How many servers there are.
    pub servers: usize,
    /// How many of them were looked at: to the end of what was due, or as far as time allowed.
    pub done: usize,
}

/// What a run found and did for a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The server.
    pub server: ServerId,
    /// Whether nothing was left undone. What was left is done by the next run.
    pub finished: bool,
    /// By stream.
    pub streams: BTreeMap<String, StreamReport>,
}

impl Report {
    pub(crate) fn of(server: ServerId) -> Report {
        Report { server, finished: false, streams: BTreeMap::new() }
    }

    pub(crate) fn stream(&mut self, name: &str) -> &mut StreamReport {
        self.streams.entry(name.to_owned()).or_default()
    }

    /// This run, and the one that went on from it: what a later look at a list found takes the place of an earlier.
    #[must_use]
    pub fn and(mut self, next: Report) -> Report {
        self.finished = next.finished;
        for (name, more) in next.streams {
            let stream = self.stream(&name);
            let (present_told, gone_told) = (stream.list.present_told, stream.list.gone_told);
            if more.list != ListReport::default() {
                stream.list = more.list;
                stream.list.present_told += present_told;
                stream.list.gone_told += gone_told;
            }
            for (record_type, tally) in more.found {
                stream.found.entry(record_type).or_default().add(tally);
            }
            stream.days += more.days;
            stream.unreadable += more.unreadable;
            stream.problems.extend(more.problems);
        }
        self
    }

    /// What was found of a record type, over all streams.
    pub fn found(&self, record_type: &str) -> Tally {
        let mut sum = Tally::default();
        let of_streams = self.streams.values().filter_map(|stream| stream.found.get(record_type));
        of_streams.for_each(|tally| sum.add(*tally));
        sum
    }

    /// What was found of the suppression lists, over all streams.
    pub fn lists(&self) -> ListReport {
        let mut sum = ListReport::default();
        self.streams.values().for_each(|stream| sum.add(&stream.list));
        sum
    }

    /// How many facts were missing and are on their queue now. A change of the list that was missed is told by its
    /// result, once: what a day says of changes counts observations that may be long recorded.
    pub fn told(&self) -> u64 {
        let list = self.lists();
        let of_days = self.streams.values().flat_map(|stream| &stream.found);
        let events = of_days.filter(|(kind, _)| **kind != Kind::SubscriptionChange.name());
        list.present_told + list.gone_told + events.map(|(_, tally)| tally.missing).sum::<u64>()
    }
}

/// What a run found and did for a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamReport {
    /// The suppression list.
    pub list: ListReport,
    /// By record type: of the days that were gone through to their end, and the bounces of the last hours that were
    /// missing.
    pub found: BTreeMap<String, Tally>,
    /// How many days were gone through.
    pub days: u64,
    /// How many rows of Postmark's could not be understood.
    pub unreadable: u64,
    /// What could not be looked at, in sentences.
    pub problems: Vec<String>,
}

impl StreamReport {
    /// What was missing apart from a day that is gone through to its end: that day counts it as recorded.
    pub(crate) fn missing(&mut self, found: &Found) {
        for (record_type, Tally { missing, .. }) in found {
            let tally = Tally { expected: *missing, missing: *missing, ..Tally::default() };
            self.found.entry(record_type.clone()).or_default().add(tally);
        }
    }
}

/// What a comparison of Postmark's suppression list with ours found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListReport {
    /// How many rows Postmark's has.
    pub theirs: u64,
    /// How many addresses ours has, on Postmark's word.
    pub ours: u64,
    /// How many are on theirs and not on ours.
    pub missing: u64,
    /// How many of these are on the queue now.
    pub present_told: u64,
    /// How many are on ours and not on theirs.
    pub extra: u64,
    /// How many of these are on the queue now, as gone.
    pub gone_told: u64,
    /// How many wait for a dump that agrees.
    pub waiting: u64,
    /// How many must wait for another run, since no run lifts more than a few.
    pub held_back: u64,
    /// Whether the dump is empty or much smaller than what we know: believed only after a day.
    pub doubtful: bool,
}

impl ListReport {
    fn add(&mut self, other: &ListReport) {
        self.theirs += other.theirs;
        self.ours += other.ours;
        self.missing += other.missing;
        self.present_told += other.present_told;
        self.extra += other.extra;
        self.gone_told += other.gone_told;
        self.waiting += other.waiting;
        self.held_back += other.held_back;
        self.doubtful |= other.doubtful;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_observed_in_the_stead_of_a_change_is_not_told_again_by_every_look_at_its_day() {
        let mut report = Report::of(ServerId::NONE);
        let missing = |missing| Tally { expected: missing, missing, ..Tally::default() };
        let stream = report.stream("outbound");
        stream.found.insert("Bounce".to_owned(), missing(2));
        stream.found.insert("SubscriptionChange".to_owned(), missing(5));
        stream.list.present_told = 1;
        assert_eq!(report.told(), 3);
    }
}

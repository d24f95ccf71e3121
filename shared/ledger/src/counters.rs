//! What each event counts as: exactly one measure, in the hour it happened, at its server and stream.

use crate::bounce::BounceClass;
use crate::event::{Cause, Class, Event, Ruling, What, bounce_class};
use crate::server::ServerId;
use serde::Serialize;
use std::collections::BTreeMap;

/// Something that is counted. The names are attribute names in the counters table: they never change.
/// Measures are disjoint: a machine's open is an `open_first_machine` and no `open_first`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Measure(&'static str);

/// The names of all measures, in order.
const NAMES: [&str; 30] = [
    "bounce_block",
    "bounce_content",
    "bounce_delay",
    "bounce_failure",
    "bounce_hard",
    "bounce_info",
    "bounce_invalid",
    "bounce_manual",
    "bounce_policy",
    "bounce_soft",
    "bounce_unknown",
    "bounce_unsubscribe",
    "click",
    "click_machine",
    "complaint",
    "decision_allow",
    "decision_suppress",
    "delivered",
    "observed_gone",
    "observed_present",
    "open_first",
    "open_first_machine",
    "open_repeat",
    "open_repeat_machine",
    "reactivated",
    "suppressed_complaint",
    "suppressed_hard_bounce",
    "suppressed_manual",
    "suppressed_unknown",
    "suppressed_unsubscribe",
];

impl Measure {
    /// All measures, in the order of their names.
    pub fn all() -> impl Iterator<Item = Measure> {
        NAMES.into_iter().map(Measure)
    }

    /// The name.
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// The measure of a name, if there is one.
    pub fn named(name: &str) -> Option<Measure> {
        Measure::all().find(|measure| measure.name() == name)
    }

    /// The class of the events that it counts.
    pub fn class(self) -> Class {
        match self.0 {
            "delivered" => Class::Delivery,
            name if name.starts_with("open_") || name.starts_with("click") => Class::Engagement,
            _ => Class::State,
        }
    }

    /// What an event counts as. A hard bounce that Postmark reports twice counts once as a bounce and once as a
    /// suppression, which are different measures.
    pub fn of(what: &What) -> Measure {
        Measure(match what {
            What::Delivery => "delivered",
            What::Open { first: true, machine: false } => "open_first",
            What::Open { first: true, machine: true } => "open_first_machine",
            What::Open { first: false, machine: false } => "open_repeat",
            What::Open { first: false, machine: true } => "open_repeat_machine",
            What::Click { machine: false } => "click",
            What::Click { machine: true } => "click_machine",
            What::Bounce { bounce_type, .. } => match bounce_class(bounce_type) {
                BounceClass::Hard => "bounce_hard",
                BounceClass::Invalid => "bounce_invalid",
                BounceClass::Soft => "bounce_soft",
                BounceClass::Delay => "bounce_delay",
                BounceClass::Block => "bounce_block",
                BounceClass::Content => "bounce_content",
                BounceClass::Policy => "bounce_policy",
                BounceClass::Complaint => "complaint",
                BounceClass::Unsubscribe => "bounce_unsubscribe",
                BounceClass::Manual => "bounce_manual",
                BounceClass::Info => "bounce_info",
                BounceClass::Failure => "bounce_failure",
                BounceClass::Unknown => "bounce_unknown",
            },
            What::SpamComplaint { .. } => "complaint",
            What::Suppressed { cause } => match cause {
                Cause::HardBounce => "suppressed_hard_bounce",
                Cause::Complaint => "suppressed_complaint",
                Cause::Unsubscribe => "suppressed_unsubscribe",
                Cause::Manual => "suppressed_manual",
                Cause::Unknown => "suppressed_unknown",
            },
            What::Reactivated => "reactivated",
            What::Present { .. } => "observed_present",
            What::Gone => "observed_gone",
            What::Decision { ruling: Ruling::Suppress(_) } => "decision_suppress",
            What::Decision { ruling: Ruling::Allow } => "decision_allow",
        })
    }
}

/// Where an event is counted: server, stream and the hour (UTC) it happened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour {
    /// The server.
    pub server: ServerId,
    /// The stream.
    pub stream: String,
    /// The hour, as [`Time::hour`](crate::Time::hour) writes it.
    pub hour: String,
}

impl Hour {
    /// Where an event is counted.
    pub fn of(event: &Event) -> Hour {
        Hour { server: event.server, stream: event.stream.clone(), hour: event.at.hour() }
    }
}

/// How many of each measure.
pub type Counts = BTreeMap<Measure, i64>;

/// Counts by hour; also the differences that a transaction adds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters(BTreeMap<Hour, Counts>);

impl Counters {
    /// Counts an event `times` times; -1 takes it back.
    pub fn add(&mut self, event: &Event, times: i64) {
        self.add_to(Hour::of(event), Measure::of(&event.what), times);
    }

    /// Adds to one measure of one hour. What becomes zero is gone.
    pub fn add_to(&mut self, hour: Hour, measure: Measure, times: i64) {
        let counts = self.0.entry(hour.clone()).or_default();
        let count = counts.entry(measure).or_default();
        *count += times;
        if *count == 0 {
            counts.remove(&measure);
            if counts.is_empty() {
                self.0.remove(&hour);
            }
        }
    }

    /// Adds all of another.
    pub fn extend(&mut self, other: &Counters) {
        for (hour, counts) in other.iter() {
            for (measure, times) in counts {
                self.add_to(hour.clone(), *measure, *times);
            }
        }
    }

    /// The hours, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Hour, &Counts)> {
        self.0.iter()
    }

    /// The counts of an hour; none where nothing is counted.
    pub fn get(&self, hour: &Hour) -> Counts {
        self.0.get(hour).cloned().unwrap_or_default()
    }

    /// How many hours there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_sorted_and_differ() {
        assert!(NAMES.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn every_event_counts_as_a_measure_that_is_listed() {
        let bounces = crate::bounce::TYPES
            .into_iter()
            .chain(["SomethingNew"])
            .map(|bounce_type| What::Bounce { bounce_type: bounce_type.to_owned(), inactive: false });
        let causes =
            Cause::ALL.into_iter().flat_map(|cause| [What::Suppressed { cause }, What::Present { cause }]);
        let flags = [(false, false), (false, true), (true, false), (true, true)];
        let opens = flags.into_iter().map(|(first, machine)| What::Open { first, machine });
        let others = [What::Delivery, What::Reactivated, What::Gone, What::SpamComplaint { inactive: true }];
        for what in bounces.chain(causes).chain(opens).chain(others) {
            let measure = Measure::of(&what);
            assert_eq!(Measure::named(measure.name()), Some(measure), "{what:?}");
            assert_eq!(measure.class(), what.kind().class(), "{what:?}");
        }
    }
}

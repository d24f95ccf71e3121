//! What goes wrong in a month, and when.

use fastrand::Rng;
use ledger::Time;
use std::fmt;

/// Something that goes wrong for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// No connection to the doors, for seconds to minutes, again and again.
    Flicker,
    /// A gateway answers 503 for three quarters of an hour: within everybody's ladder of retries, but for the old
    /// short one.
    Unavailable,
    /// No connection to the doors for three hours: beyond the ladder since August 2026, which then pauses.
    Outage,
    /// Events are taken in, but the answer does not arrive in time.
    AnswersLost,
    /// Four of five requests are answered 429.
    Throttled,
    /// The queues refuse, and the doors answer 503.
    QueueRefuses,
    /// No consumer runs.
    ConsumersDown,
    /// Consumers are killed, their calls conflict, are throttled, or lose their answers.
    ConsumersKilled,
    /// The doors are deployed with the key of another stack.
    WrongKey,
    /// A firewall before the doors answers 403: final in every generation.
    Forbidden,
    /// Postmark pauses triggers.
    Paused,
    /// Somebody deletes webhooks.
    Deleted,
    /// Somebody makes webhooks lead elsewhere, where they are answered well.
    Elsewhere,
    /// Somebody switches triggers off.
    SwitchedOff,
    /// Somebody adds a webhook that tells us everything a second time.
    SecondRow,
    /// Postmark's API answers 500, 503, 429, or not in JSON, and cuts its answers off.
    Api,
    /// Reconcile is killed, and its calls fail.
    ReconcileKilled,
    /// The key that signs is rotated.
    Rotation,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 18] = [
        Fault::Flicker,
        Fault::Unavailable,
        Fault::Outage,
        Fault::AnswersLost,
        Fault::Throttled,
        Fault::QueueRefuses,
        Fault::ConsumersDown,
        Fault::ConsumersKilled,
        Fault::WrongKey,
        Fault::Forbidden,
        Fault::Paused,
        Fault::Deleted,
        Fault::Elsewhere,
        Fault::SwitchedOff,
        Fault::SecondRow,
        Fault::Api,
        Fault::ReconcileKilled,
        Fault::Rotation,
    ];

    /// Where in the month it begins, in percent of the days, and at what hour of the day (UTC); how long it lasts, in
    /// seconds. Hours are those of campaigns: when it hurts.
    const fn when(self) -> &'static [(i64, i64, i64)] {
        const MINUTE: i64 = 60;
        const HOUR: i64 = 3_600;
        match self {
            Fault::Flicker => &[(10, 14, 20), (10, 15, 4 * MINUTE), (12, 14, 5), (12, 16, 12 * MINUTE)],
            Fault::Unavailable => &[(18, 14, 45 * MINUTE)],
            Fault::Outage => &[(25, 14, 3 * HOUR)],
            Fault::AnswersLost => &[(32, 15, 30 * MINUTE)],
            Fault::Throttled => &[(38, 14, 2 * HOUR)],
            Fault::QueueRefuses => &[(45, 14, 20 * MINUTE), (45, 17, HOUR)],
            Fault::ConsumersDown => &[(5, 13, 6 * HOUR), (55, 14, 4 * HOUR)],
            Fault::ConsumersKilled => &[(0, 0, 400 * 24 * HOUR)],
            Fault::WrongKey => &[(60, 14, 40 * MINUTE)],
            Fault::Forbidden => &[(66, 15, 10 * MINUTE)],
            Fault::Paused => &[(70, 14, 0), (88, 15, 0)],
            Fault::Deleted => &[(73, 14, 0)],
            Fault::Elsewhere => &[(76, 14, 0)],
            Fault::SwitchedOff => &[(79, 14, 0)],
            Fault::SecondRow => &[(82, 13, 0)],
            Fault::Api => &[(26, 18, 5 * HOUR), (84, 12, 8 * HOUR)],
            Fault::ReconcileKilled => &[(0, 0, 400 * 24 * HOUR)],
            Fault::Rotation => &[(15, 9, 0)],
        }
    }

    /// In words, for people.
    pub fn words(self) -> &'static str {
        match self {
            Fault::Flicker => "no connection for 5 s to 12 min, four times",
            Fault::Unavailable => "503 for 45 min",
            Fault::Outage => "no connection for 3 h",
            Fault::AnswersLost => "taken in, answer lost, for 30 min",
            Fault::Throttled => "429 for 4 of 5 requests, 2 h",
            Fault::QueueRefuses => "queues refuse for 20 min, and for 1 h",
            Fault::ConsumersDown => "no consumer for 6 h, and for 4 h",
            Fault::ConsumersKilled => "consumers killed, conflicts, throttling, lost answers, all the time",
            Fault::WrongKey => "doors deployed with a wrong key for 40 min",
            Fault::Forbidden => "403 by a firewall for 10 min",
            Fault::Paused => "triggers paused by Postmark",
            Fault::Deleted => "webhooks deleted by hand",
            Fault::Elsewhere => "webhooks led elsewhere by hand",
            Fault::SwitchedOff => "triggers switched off by hand",
            Fault::SecondRow => "a second webhook tells the same",
            Fault::Api => "Postmark's API fails, throttles and cuts off, 5 h and 8 h",
            Fault::ReconcileKilled => "reconcile killed, its calls fail, all the time",
            Fault::Rotation => "the key that signs is rotated",
        }
    }

    /// The name that options take.
    pub fn name(self) -> String {
        let mut name = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.extend(letter.to_lowercase());
        }
        name
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.words())
    }
}

/// Which faults there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of them.
    All,
    /// None.
    None,
    /// One.
    Only(Fault),
}

impl Wanted {
    pub(crate) fn has(self, fault: Fault) -> bool {
        match self {
            Wanted::All => true,
            Wanted::None => false,
            Wanted::Only(only) => only == fault,
        }
    }
}

/// A fault, from an instant to another; those that somebody does once have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spell {
    pub(crate) fault: Fault,
    pub(crate) from: Time,
    pub(crate) to: Time,
}

/// All spells of a stretch of days, some minutes earlier or later by chance.
pub(crate) fn spells(wanted: Wanted, start: Time, days: i64, rng: &mut Rng) -> Vec<Spell> {
    let day = start.micros().div_euclid(86_400_000_000);
    let end = start.plus_days(days);
    let mut spells = Vec::new();
    for fault in Fault::ALL.into_iter().filter(|fault| wanted.has(*fault)) {
        for (percent, hour, seconds) in fault.when() {
            let jitter = rng.i64(0..1_800);
            let from = Time::from_micros((day + 1 + days * percent / 100) * 86_400_000_000);
            let from = from.plus_seconds(hour * 3_600 + jitter);
            let always = *seconds > 86_400 * 30;
            let from = if always { start } else { from };
            let to = if always { end.plus_days(30) } else { from.plus_seconds(*seconds) };
            spells.push(Spell { fault, from, to });
        }
    }
    spells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_its_time_and_a_name_of_its_own() {
        let start: Time = "2026-10-15T05:00:00Z".parse().unwrap_or_default();
        let mut names = std::collections::BTreeSet::new();
        for fault in Fault::ALL {
            let spells = spells(Wanted::Only(fault), start, 6, &mut Rng::with_seed(1));
            assert!(spells.iter().all(|spell| spell.from >= start && spell.from < start.plus_days(7)));
            assert!(!spells.is_empty() && names.insert(fault.name()));
        }
        assert_eq!(Fault::ConsumersKilled.name(), "consumers-killed");
    }
}

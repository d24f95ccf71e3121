//! What Postmark does with an answer to a webhook: the three published generations of its rules.

use crate::{Quirks, Record};
use std::fmt;
use std::str::FromStr;

/// A generation of Postmark's delivery rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// The overview page until the middle of 2026: a ladder for each type; all but 403 is retried; no headers of
    /// its own, no verification.
    Old,
    /// The vendor's skills of February 2026: ten retries for every type; else as before.
    February2026,
    /// Since the relaunch: one ladder, permanent 4xx, verification, pausing, headers `X-PM-…`.
    August2026 {
        /// Retries after the first attempt: 6 or 9. Any other number repeats the last step.
        retries: u8,
    },
}

/// The ladder of bounces under the old rules, in minutes.
const LONG: [u16; 10] = [1, 5, 10, 10, 10, 15, 30, 60, 120, 360];
/// The ladder of the other types under the old rules, in minutes.
const SHORT: [u16; 3] = [1, 5, 15];
/// The ladder of the documentation's table of 2026, in minutes.
const SIX: [u16; 6] = [1, 5, 10, 10, 10, 15];
/// The two rungs of the vendor's skills of August 2026, in minutes.
const NINE: [u16; 9] = [1, 5, 15, 1, 5, 10, 10, 10, 15];

/// What an answer's status means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The event is taken; it will not be sent again.
    Accepted,
    /// To be tried again.
    Retried,
    /// To be dropped at once.
    Refused,
    /// To be followed.
    Redirected,
}

impl Rules {
    /// Minutes before each retry of an event of this type.
    pub fn ladder(self, record: Record, quirks: &Quirks) -> &'static [u16] {
        match self {
            Rules::Old => match record {
                Record::Bounce => &LONG,
                Record::SpamComplaint if quirks.old_complaints_are_retried_as_bounces => &LONG,
                _ => &SHORT,
            },
            Rules::February2026 => &LONG,
            Rules::August2026 { retries } if retries > 6 => &NINE[..usize::from(retries.min(9))],
            Rules::August2026 { retries } => &SIX[..usize::from(retries)],
        }
    }

    /// What a status means for a live event.
    pub fn class(self, status: u16, quirks: &Quirks) -> Class {
        let new = self.relaunched();
        match status {
            200 => Class::Accepted,
            201..=299 if new || quirks.old_rules_take_any_2xx => Class::Accepted,
            300..=399 if new => Class::Redirected,
            403 => Class::Refused,
            408 | 429 => Class::Retried,
            400..=499 if new => Class::Refused,
            _ => Class::Retried,
        }
    }

    /// Whether endpoints are verified and triggers paused, and the headers `X-PM-…` sent.
    pub fn relaunched(self) -> bool {
        matches!(self, Rules::August2026 { .. })
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rules::Old => out.write_str("old"),
            Rules::February2026 => out.write_str("feb2026"),
            Rules::August2026 { retries } => write!(out, "aug2026-{retries}"),
        }
    }
}

/// A generation of rules that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rules are old, feb2026, aug2026-6 or aug2026-9")]
pub struct NoSuchRules;

impl FromStr for Rules {
    type Err = NoSuchRules;
    fn from_str(text: &str) -> Result<Rules, NoSuchRules> {
        match text {
            "old" => Ok(Rules::Old),
            "feb2026" => Ok(Rules::February2026),
            "aug2026-6" => Ok(Rules::August2026 { retries: 6 }),
            "aug2026-9" => Ok(Rules::August2026 { retries: 9 }),
            _ => Err(NoSuchRules),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(rules: Rules, record: Record) -> (usize, u16) {
        let ladder = rules.ladder(record, &Quirks::usual());
        (ladder.len(), ladder.iter().sum())
    }

    #[test]
    fn each_generation_has_its_published_ladder() {
        assert_eq!(minutes(Rules::Old, Record::Bounce), (10, 621));
        assert_eq!(minutes(Rules::Old, Record::Open), (3, 21));
        assert_eq!(minutes(Rules::Old, Record::SubscriptionChange), (3, 21));
        assert_eq!(minutes(Rules::February2026, Record::Click), (10, 621));
        assert_eq!(minutes(Rules::August2026 { retries: 6 }, Record::Bounce), (6, 51));
        assert_eq!(minutes(Rules::August2026 { retries: 9 }, Record::Delivery), (9, 72));
    }

    #[test]
    fn each_generation_has_its_status_classes() {
        let quirks = Quirks { old_rules_take_any_2xx: false, ..Quirks::usual() };
        let new = Rules::August2026 { retries: 6 };
        for (status, old, august) in [
            (200, Class::Accepted, Class::Accepted),
            (202, Class::Retried, Class::Accepted),
            (204, Class::Retried, Class::Accepted),
            (302, Class::Retried, Class::Redirected),
            (400, Class::Retried, Class::Refused),
            (401, Class::Retried, Class::Refused),
            (403, Class::Refused, Class::Refused),
            (404, Class::Retried, Class::Refused),
            (408, Class::Retried, Class::Retried),
            (413, Class::Retried, Class::Refused),
            (429, Class::Retried, Class::Retried),
            (500, Class::Retried, Class::Retried),
            (503, Class::Retried, Class::Retried),
        ] {
            assert_eq!(Rules::Old.class(status, &quirks), old, "{status}");
            assert_eq!(Rules::February2026.class(status, &quirks), old, "{status}");
            assert_eq!(new.class(status, &quirks), august, "{status}");
        }
    }

    #[test]
    fn rules_are_read_as_they_are_printed() {
        for text in ["old", "feb2026", "aug2026-6", "aug2026-9"] {
            assert_eq!(text.parse::<Rules>().unwrap().to_string(), text);
        }
        assert!("new".parse::<Rules>().is_err());
    }
}

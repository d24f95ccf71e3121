//! Counts, and the rates that follow from them: one rule for all who sum counts.
//!
//! - The bounce rate is that of hard, invalid, soft and block bounces among deliveries and those. An invalid address is
//!   a mailbox that does not exist, so it is a hard bounce here; delays, contents, policies and notices are no bounces
//!   of the address.
//! - The hard bounce rate is that of hard and invalid ones in the same volume.
//! - Complaints, and first opens, are told as a share of deliveries.

use crate::{Block, Clicks, Opens, Rate};
use std::collections::BTreeMap;

const HARD: [&str; 2] = ["bounce_hard", "bounce_invalid"];
const OTHER: [&str; 2] = ["bounce_soft", "bounce_block"];

/// The quantile of the normal distribution that leaves 2.5 % on either side.
const Z: f64 = 1.959_964;

impl Block {
    /// Counts by the names of their measures, and their rates.
    pub fn of(counts: BTreeMap<String, i64>) -> Block {
        let of = |name: &str| counts.get(name).copied().unwrap_or_default();
        let sum = |names: &[&str]| names.iter().fold(0, |sum: i64, name| sum.saturating_add(of(name)));
        let (hard, delivered) = (sum(&HARD), of("delivered"));
        let bounced = hard.saturating_add(sum(&OTHER));
        let volume = delivered.saturating_add(bounced);
        let (human, machine) = (of("open_first"), of("open_first_machine"));
        Block {
            bounce_rate: Rate::of(bounced, volume),
            hard_bounce_rate: Rate::of(hard, volume),
            complaint_rate: Rate::of(of("complaint"), delivered),
            opens: Opens {
                human,
                machine,
                human_rate: Rate::of(human, delivered),
                machine_rate: Rate::of(machine, delivered),
            },
            clicks: Clicks { human: of("click"), machine: of("click_machine") },
            counts,
        }
    }
}

impl Rate {
    /// So many of so many, with the interval that the true rate lies in, by 95 %. Of nothing there is no rate; where there
    /// are more events than what they are counted among (deliveries of earlier days are opened today), there is no
    /// interval.
    pub fn of(events: i64, volume: i64) -> Rate {
        let value = (volume > 0).then(|| rounded(events as f64 / volume as f64));
        let interval = wilson(events, volume).map(|ends| ends.map(rounded));
        let (low, high) = (interval.map(|ends| ends[0]), interval.map(|ends| ends[1]));
        Rate { value, events, volume, low, high }
    }
}

/// Wilson's interval of 95 % for so many of so many.
fn wilson(events: i64, volume: i64) -> Option<[f64; 2]> {
    if volume <= 0 || !(0..=volume).contains(&events) {
        return None;
    }
    let n = volume as f64;
    let share = events as f64 / n;
    let spread = Z * Z / n;
    let half = Z * (share * (1.0 - share) / n + spread / (4.0 * n)).sqrt();
    let end = |half: f64| ((share + spread / 2.0 + half) / (1.0 + spread)).clamp(0.0, 1.0);
    Some([end(-half), end(half)])
}

fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::counters::Measure;
    use proptest::prelude::*;

    #[test]
    fn the_interval_is_as_tables_have_it() {
        for (events, volume, low, high) in [
            (0, 10, 0.0, 0.277_533),
            (1, 10, 0.017_876, 0.404_150),
            (5, 10, 0.236_593, 0.763_407),
            (10, 10, 0.722_467, 1.0),
            (10, 100, 0.055_229, 0.174_366),
            (81, 263, 0.255_289, 0.366_210),
        ] {
            let ends = wilson(events, volume).unwrap().map(rounded);
            assert!((ends[0] - low).abs() < 2e-6 && (ends[1] - high).abs() < 2e-6, "{events}: {ends:?}");
        }
    }

    #[test]
    fn of_nothing_there_is_no_rate_and_of_too_many_no_interval() {
        let told = |events, volume| {
            let rate = Rate::of(events, volume);
            [rate.value, rate.low, rate.high]
        };
        assert_eq!(told(0, 0), [None; 3]);
        assert_eq!(told(3, 0), [None; 3]);
        assert_eq!(told(3, 2), [Some(1.5), None, None]);
        assert_eq!(told(1, 3)[0], Some(0.333_333));
    }

    #[test]
    fn what_is_no_bounce_of_the_address_is_in_no_rate() {
        let counts: BTreeMap<String, i64> =
            Measure::all().map(|measure| measure.name().to_owned()).zip(1..).collect();
        let block = Block::of(counts.clone());
        let of = |name: &str| counts[name];
        let bounced = of("bounce_hard") + of("bounce_invalid") + of("bounce_soft") + of("bounce_block");
        assert_eq!(block.bounce_rate.events, bounced);
        assert_eq!(block.bounce_rate.volume, of("delivered") + bounced);
        assert_eq!(block.hard_bounce_rate.events, of("bounce_hard") + of("bounce_invalid"));
        assert_eq!(block.hard_bounce_rate.volume, of("delivered") + bounced);
        assert_eq!(block.complaint_rate.events, of("complaint"));
        assert_eq!(block.complaint_rate.volume, of("delivered"));
        assert_eq!(block.opens.human_rate.events, of("open_first"));
        assert_eq!(block.opens.machine, of("open_first_machine"));
        assert_eq!(block.clicks, Clicks { human: of("click"), machine: of("click_machine") });
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_rate(volume in 1_i64..1_000_000_000, part in 0.0..=1.0_f64) {
            let events = (volume as f64 * part) as i64;
            let [low, high] = wilson(events, volume).unwrap();
            let value = events as f64 / volume as f64;
            prop_assert!((0.0..=1.0).contains(&low) && (0.0..=1.0).contains(&high));
            prop_assert!(low <= value + 1e-12 && value <= high + 1e-12, "{low} {value} {high}");
        }
    }
}

//! Days and hours as a zone has them, cut out of whole UTC hours.

use answers::By;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, Zoned};
use ledger::Time;

/// How many seconds an hour has.
const HOUR: i64 = 3_600;

/// From when until before when something is counted, and what that is called in its zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) from: Time,
    pub(super) to: Time,
    /// `2026-11-21`, or `2026-11-21T14`.
    pub(super) label: String,
}

/// A zone does not keep to whole hours in the time that is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("zone: its offset from UTC is not always in whole hours, but counts are kept by whole hours of UTC")]
pub(super) struct Uneven;

/// Where days begin and end.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    name: String,
    zone: TimeZone,
}

impl Zone {
    /// The zone of a name: `Z`, an offset such as `+02:00`, or one of IANA's names in any case.
    pub(super) fn named(name: &str) -> Option<Zone> {
        if name == "Z" {
            return Some(Zone { name: name.to_owned(), zone: TimeZone::UTC });
        }
        if name.starts_with(['+', '-']) {
            return Some(Zone { name: name.to_owned(), zone: TimeZone::fixed(offset(name)?) });
        }
        let zone = TimeZoneDatabase::bundled().get(name).ok().filter(|zone| !zone.is_unknown())?;
        Some(Zone { name: zone.iana_name()?.to_owned(), zone })
    }

    /// What it is called.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The slots from one whole hour to before another, in order; the first and the last may be cut short.
    pub(super) fn slots(&self, from: Time, to: Time, by: By) -> Result<Vec<Slot>, Uneven> {
        let mut slots: Vec<Slot> = Vec::new();
        let mut hour = from;
        while hour < to {
            let next = hour.plus_seconds(HOUR);
            let label = self.label(hour, by)?;
            match slots.last_mut() {
                // The hour that comes twice when clocks are set back is two.
                Some(last) if by == By::Day && last.label == label => last.to = next,
                _ => slots.push(Slot { from: hour, to: next, label }),
            }
            hour = next;
        }
        Ok(slots)
    }

    fn label(&self, hour: Time, by: By) -> Result<String, Uneven> {
        // Beyond jiff's years nothing is counted, and no zone is known.
        let at = Timestamp::from_microsecond(hour.micros()).map_err(|_| Uneven)?;
        let local: Zoned = at.to_zoned(self.zone.clone());
        if i64::from(local.offset().seconds()) % HOUR != 0 {
            return Err(Uneven);
        }
        let form = match by {
            By::Hour => "%Y-%m-%dT%H",
            By::Day => "%Y-%m-%d",
        };
        Ok(local.strftime(form).to_string())
    }
}

/// The slot that an hour lies in.
pub(super) fn slot_of(slots: &[Slot], hour: Time) -> Option<usize> {
    let place = slots.partition_point(|slot| slot.to <= hour);
    slots.get(place).filter(|slot| slot.from <= hour).map(|_| place)
}

/// An offset as RFC 3339 writes it, `+02:00`.
fn offset(text: &str) -> Option<Offset> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
    let (hours, minutes) = text[1..].split_once(':').filter(|(h, m)| h.len() == 2 && m.len() == 2)?;
    let (hours, minutes): (i32, i32) = (digits(hours)?, digits(minutes)?);
    let seconds = (hours * 60 + minutes) * 60;
    let sign = if text.starts_with('-') { -1 } else { 1 };
    (hours < 24 && minutes < 60).then(|| Offset::from_seconds(sign * seconds).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn slots(zone: &str, from: &str, to: &str, by: By) -> Result<Vec<Slot>, Uneven> {
        Zone::named(zone).unwrap().slots(at(from), at(to), by)
    }

    fn hours(slot: &Slot) -> i64 {
        (slot.to.seconds() - slot.from.seconds()) / HOUR
    }

    #[test]
    fn a_day_on_which_clocks_change_has_23_or_25_hours() {
        for (day, from, to, expected) in [
            ("2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", 23),
            ("2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", 25),
            ("2026-11-21", "2026-11-20T23:00:00Z", "2026-11-21T23:00:00Z", 24),
        ] {
            let around = (at(from).plus_days(-2).to_string(), at(to).plus_days(2).to_string());
            let found = slots("Europe/Berlin", &around.0, &around.1, By::Day).unwrap();
            let slot = found.iter().find(|slot| slot.label == day).unwrap();
            assert_eq!((slot.from, slot.to, hours(slot)), (at(from), at(to), expected), "{day}");
        }
    }

    #[test]
    fn the_hour_that_comes_twice_is_two_and_the_one_that_is_left_out_is_none() {
        let labels = |from, to| -> Vec<String> {
            let found = slots("Europe/Berlin", from, to, By::Hour).unwrap();
            assert!(found.iter().all(|slot| hours(slot) == 1));
            found.into_iter().map(|slot| slot.label).collect()
        };
        assert_eq!(
            labels("2026-10-25T00:00:00Z", "2026-10-25T03:00:00Z"),
            ["2026-10-25T02", "2026-10-25T02", "2026-10-25T03"]
        );
        assert_eq!(
            labels("2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z"),
            ["2026-03-29T01", "2026-03-29T03"]
        );
    }

    #[test]
    fn slots_are_cut_at_both_ends_and_leave_nothing_out() {
        let (from, to) = ("2026-11-20T05:00:00Z", "2026-11-22T05:00:00Z");
        for zone in ["Z", "+14:00", "-11:00", "Pacific/Auckland", "America/New_York", "UTC"] {
            for by in [By::Hour, By::Day] {
                let found = slots(zone, from, to, by).unwrap();
                assert_eq!((found[0].from, found[found.len() - 1].to), (at(from), at(to)));
                assert!(found.windows(2).all(|two| two[0].to == two[1].from), "{zone}");
            }
        }
        let found = slots("-05:00", from, to, By::Day).unwrap();
        assert_eq!(found.iter().map(hours).collect::<Vec<_>>(), [24, 24]);
        assert_eq!(slot_of(&found, at("2026-11-21T04:00:00Z")), Some(0));
        assert_eq!(slot_of(&found, at("2026-11-21T05:00:00Z")), Some(1));
        assert_eq!([at("2026-11-20T04:00:00Z"), at(to)].map(|hour| slot_of(&found, hour)), [None; 2]);
    }

    #[test]
    fn a_zone_that_does_not_keep_to_whole_hours_then_is_refused() {
        let (from, to) = ("2026-11-20T05:00:00Z", "2026-11-22T05:00:00Z");
        for zone in ["+05:30", "-00:30", "Asia/Kolkata", "Australia/Adelaide", "Asia/Kathmandu"] {
            assert_eq!(slots(zone, from, to, By::Day), Err(Uneven), "{zone}");
        }
        // Half an hour of summer time, and local mean time before there were zones.
        let whole_year =
            slots("Australia/Lord_Howe", "2026-01-01T00:00:00Z", "2026-12-31T00:00:00Z", By::Day);
        assert_eq!(whole_year, Err(Uneven));
        let summer = slots("Australia/Lord_Howe", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", By::Day);
        assert_eq!(summer.map(|slots| slots.len()), Ok(32));
        let before = slots("Europe/Berlin", "1890-01-01T00:00:00Z", "1890-01-02T00:00:00Z", By::Day);
        assert_eq!(before, Err(Uneven));
    }

    #[test]
    fn a_zone_has_one_name_and_what_is_none_is_refused() {
        for (text, name) in [
            ("Z", "Z"),
            ("+02:00", "+02:00"),
            ("-05:00", "-05:00"),
            ("europe/BERLIN", "Europe/Berlin"),
            ("UTC", "UTC"),
        ] {
            assert_eq!(Zone::named(text).unwrap().name(), name);
        }
        let wrong = ["", "z", "+2", "+02", "+0200", "+2:00", "+24:00", "+02:60", "++2:00", "+é:00", "+0é:0"];
        for text in wrong.into_iter().chain(["Mars/Olympus", "Etc/Unknown", "../Z", "Europe/Berlin\0"]) {
            assert!(Zone::named(text).is_none(), "{text}");
        }
    }
}

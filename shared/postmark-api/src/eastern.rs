//! Eastern time (America/New_York), which Postmark's date filters and statistics speak.
//!
//! Twice a year, local times do not match instants: one hour in March does not exist, and one in November comes twice. So
//! [`window`] asks for a range that is wide enough for either hour that Postmark may mean, and the caller keeps only the
//! rows whose own instants it wants.

use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp, Zoned};
use ledger::Time;

/// The zone, compiled in.
static ZONE: TimeZone = jiff::tz::get!("America/New_York");

const SECOND: i64 = 1_000_000;

/// The first and the last second that a date has four digits for, in every zone.
const FIRST: i64 = -62_135_510_400; // 0001-01-02
const LAST: i64 = 253_402_128_000; // 9999-12-30T16:00

fn zoned(at: Time) -> Zoned {
    let micros = at.micros().clamp(FIRST * SECOND, LAST * SECOND);
    Timestamp::from_microsecond(micros).unwrap_or_default().to_zoned(ZONE.clone())
}

fn time(zoned: &Zoned) -> Time {
    Time::from_micros(zoned.timestamp().as_microsecond())
}

fn written(local: civil::DateTime) -> String {
    local.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// The Eastern time of an instant as Postmark's filters take it, `2026-11-22T03:14:07`. Fractions are cut off.
pub fn text(at: Time) -> String {
    written(zoned(at).datetime())
}

/// The Eastern day of an instant: `2026-11-22`.
pub fn day(at: Time) -> String {
    zoned(at).date().to_string()
}

/// The first instant of an Eastern day; none if the text is not a day.
pub fn day_start(day: &str) -> Option<Time> {
    parse(day)?.to_zoned(ZONE.clone()).ok().as_ref().map(time)
}

/// The first instant after an Eastern day, 23, 24 or 25 hours after its [start](day_start); none if the text is not a
/// day.
pub fn day_end(day: &str) -> Option<Time> {
    parse(day)?.tomorrow().ok()?.to_zoned(ZONE.clone()).ok().as_ref().map(time)
}

/// The Eastern days that have an instant of `from` to `to` in them, both inclusive; none if `from` is the later one.
pub fn days(from: Time, to: Time) -> Vec<String> {
    if from > to {
        return Vec::new();
    }
    let (first, last) = (zoned(from).date(), zoned(to).date());
    first.series(Span::new().days(1)).take_while(|day| *day <= last).map(|day| day.to_string()).collect()
}

/// Eastern times for Postmark's inclusive filters that take in all of `from` to `to`, whichever hour of a doubled one
/// Postmark means. Up to a second, and in the doubled hour up to two hours, is asked too much on either side.
pub fn window(from: Time, to: Time) -> (String, String) {
    let whole = to.micros().saturating_add(SECOND - 1).div_euclid(SECOND).saturating_mul(SECOND);
    let (from, to) = (zoned(from).datetime(), zoned(Time::from_micros(whole)).datetime());
    let from = if doubled(from) { hour(from).saturating_sub(Span::new().seconds(1)) } else { from };
    let to = if doubled(to) { hour(to).saturating_add(Span::new().hours(1)) } else { to };
    (written(from), written(to))
}

/// Whether a local time comes twice.
fn doubled(local: civil::DateTime) -> bool {
    matches!(ZONE.to_ambiguous_timestamp(local).offset(), AmbiguousOffset::Fold { .. })
}

/// The beginning of a local time's hour.
fn hour(local: civil::DateTime) -> civil::DateTime {
    local.date().at(local.hour(), 0, 0, 0)
}

fn parse(day: &str) -> Option<civil::Date> {
    // Nothing but a day: jiff would take a time after it.
    (day.len() == 10).then(|| day.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn pair(from: &str, to: &str) -> (String, String) {
        window(at(from), at(to))
    }

    #[test]
    fn an_instant_has_its_eastern_time_and_day_in_summer_and_in_winter() {
        assert_eq!(text(at("2026-07-01T03:59:59.9Z")), "2026-06-30T23:59:59");
        assert_eq!(text(at("2026-12-01T05:00:00Z")), "2026-12-01T00:00:00");
        assert_eq!(day(at("2026-07-01T03:59:59Z")), "2026-06-30");
        assert_eq!(day(at("2026-12-01T04:59:59Z")), "2026-11-30");
    }

    #[test]
    fn days_have_23_and_25_hours_when_clocks_change() {
        for (day, start, hours) in [
            ("2026-03-07", "2026-03-07T05:00:00Z", 24),
            ("2026-03-08", "2026-03-08T05:00:00Z", 23),
            ("2026-03-09", "2026-03-09T04:00:00Z", 24),
            ("2026-10-31", "2026-10-31T04:00:00Z", 24),
            ("2026-11-01", "2026-11-01T04:00:00Z", 25),
            ("2026-11-02", "2026-11-02T05:00:00Z", 24),
        ] {
            assert_eq!(day_start(day), Some(at(start)), "{day}");
            assert_eq!(day_end(day), Some(at(start).plus_seconds(hours * 3600)), "{day}");
        }
        for text in ["", "2026-02-30", "2026-3-08", "2026-03-08T00:00:00", "20260308", "yesterday!"] {
            assert_eq!((day_start(text), day_end(text)), (None, None), "{text}");
        }
    }

    #[test]
    fn days_are_those_that_the_time_touches() {
        let of = |from, to| days(at(from), at(to));
        assert_eq!(
            of("2026-11-01T03:59:59Z", "2026-11-02T05:00:00Z"),
            ["2026-10-31", "2026-11-01", "2026-11-02"]
        );
        assert_eq!(of("2026-11-01T04:00:00Z", "2026-11-02T04:59:59.999999Z"), ["2026-11-01"]);
        assert_eq!(of("2026-03-08T05:00:00Z", "2026-03-09T03:59:59Z"), ["2026-03-08"]);
        assert!(of("2026-11-02T00:00:00Z", "2026-11-01T00:00:00Z").is_empty());
    }

    #[test]
    fn a_window_far_from_a_change_is_exact_to_the_second() {
        let (from, to) = pair("2026-07-01T10:00:00.7Z", "2026-07-01T11:00:00.2Z");
        assert_eq!((from.as_str(), to.as_str()), ("2026-07-01T06:00:00", "2026-07-01T07:00:01"));
        let (_, to) = pair("2026-07-01T10:00:00Z", "2026-07-01T11:00:00Z");
        assert_eq!(to, "2026-07-01T07:00:00");
    }

    #[test]
    fn a_window_in_the_doubled_hour_takes_in_both() {
        let around = ("2026-11-01T00:59:59".to_owned(), "2026-11-01T02:00:00".to_owned());
        assert_eq!(pair("2026-11-01T05:30:00Z", "2026-11-01T05:40:00Z"), around, "the first 01:30");
        assert_eq!(pair("2026-11-01T06:30:00Z", "2026-11-01T06:40:00Z"), around, "the second 01:30");
        assert_eq!(pair("2026-11-01T05:50:00Z", "2026-11-01T06:10:00Z"), around, "from one into the other");
        let (from, to) = pair("2026-11-01T04:30:00Z", "2026-11-01T07:30:00Z");
        assert_eq!((from.as_str(), to.as_str()), ("2026-11-01T00:30:00", "2026-11-01T02:30:00"));
    }

    #[test]
    fn a_window_over_the_missing_hour_names_no_time_in_it() {
        let (from, to) = pair("2026-03-08T06:59:59.5Z", "2026-03-08T06:59:59.5Z");
        assert_eq!((from.as_str(), to.as_str()), ("2026-03-08T01:59:59", "2026-03-08T03:00:00"));
    }

    #[test]
    fn extremes_do_not_panic() {
        for micros in [i64::MIN, i64::MAX, 0] {
            let at = Time::from_micros(micros);
            assert_eq!(text(at).len(), 19);
            assert_eq!(window(at, at).0.len(), 19);
            assert_eq!(days(at, at).len(), 1);
        }
    }

    /// All instants that a local time can mean.
    fn meant(local: &str) -> Vec<Time> {
        let local: civil::DateTime = local.parse().unwrap();
        let ambiguous = ZONE.to_ambiguous_timestamp(local);
        let instants = [ambiguous.earlier().unwrap(), ambiguous.later().unwrap()];
        instants.map(|instant| Time::from_micros(instant.as_microsecond())).to_vec()
    }

    proptest! {
        #[test]
        fn a_window_misses_nothing_whichever_hour_postmark_means(
            base in prop_oneof![
                Just("2026-11-01T06:00:00Z"), Just("2026-03-08T07:00:00Z"), Just("2025-11-02T06:00:00Z"),
            ],
            start in -10_800_000_000_i64..10_800_000_000,
            length in 0_i64..7_200_000_000,
            inside in 0.0..=1.0_f64,
        ) {
            let from = Time::from_micros(at(base).micros() + start);
            let to = Time::from_micros(from.micros() + length);
            let (first, last) = window(from, to);
            prop_assert!(meant(&first).into_iter().all(|meant| meant <= from));
            prop_assert!(meant(&last).into_iter().all(|meant| meant >= to));
            prop_assert!(meant(&first)[0] >= from.plus_seconds(-2 * 3600 - 1));
            prop_assert!(meant(&last)[0] <= to.plus_seconds(2 * 3600 + 1));
            // The same if Postmark compares the clock on the wall.
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "some instant inside")]
            let row = text(Time::from_micros(from.micros() + (length as f64 * inside) as i64));
            prop_assert!(first <= row && row <= last, "{first} {row} {last}");
        }
    }
}

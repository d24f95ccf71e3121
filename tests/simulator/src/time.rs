//! Instants as Postmark keeps them, and its Eastern calendar.
//!
//! Postmark prints up to seven fraction digits: ticks of 100 ns. Time is kept in these ticks, so that what is cut
//! or rounded on its way into a webhook or a row of the API is told apart.

use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::fmt;

/// Ticks of a second.
const TICKS: i64 = 10_000_000;
/// Seconds of a day.
const DAY_SECONDS: i64 = 86_400;

/// An instant: 100 ns ticks since 1970 in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

impl Time {
    /// From 100 ns ticks since 1970.
    pub const fn from_ticks(ticks: i64) -> Time {
        Time(ticks)
    }

    /// From microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Time {
        Time(micros * 10)
    }

    /// From seconds since 1970.
    pub const fn from_seconds(seconds: i64) -> Time {
        Time(seconds * TICKS)
    }

    /// 100 ns ticks since 1970.
    pub const fn ticks(self) -> i64 {
        self.0
    }

    /// Microseconds since 1970, cut.
    pub const fn micros(self) -> i64 {
        self.0.div_euclid(10)
    }

    /// Whole seconds since 1970, cut.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(TICKS)
    }

    /// Reads RFC 3339. `None` when it is not.
    pub fn parse(text: &str) -> Option<Time> {
        let timestamp: jiff::Timestamp = text.parse().ok()?;
        i64::try_from(timestamp.as_nanosecond().div_euclid(100)).ok().map(Time)
    }

    /// Later by milliseconds.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Time {
        Time(self.0.saturating_add(millis.saturating_mul(10_000)))
    }

    pub(crate) const fn plus_ticks(self, ticks: i64) -> Time {
        Time(self.0.saturating_add(ticks))
    }

    /// Later by seconds.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Time {
        Time(self.0.saturating_add(seconds.saturating_mul(TICKS)))
    }

    /// Milliseconds from another instant to this one.
    pub const fn millis_since(self, earlier: Time) -> i64 {
        (self.0 - earlier.0) / 10_000
    }

    /// The day of UTC, counted from 1970.
    pub(crate) const fn utc_day(self) -> i32 {
        self.seconds().div_euclid(DAY_SECONDS) as i32
    }

    /// Cut or rounded to a number of fraction digits, at most 7.
    pub(crate) fn to_digits(self, digits: u8, nearest: bool) -> Time {
        let unit = 10_i64.pow(7 - u32::from(digits.min(7)));
        let half = if nearest { unit / 2 } else { 0 };
        Time((self.0 + half).div_euclid(unit) * unit)
    }

    /// RFC 3339 with a number of fraction digits, cut, `offset` seconds east; 0 is written `Z`.
    pub(crate) fn write(self, out: &mut Vec<u8>, digits: u8, offset: i32) {
        let local = self.seconds() + i64::from(offset);
        write_date(out, local.div_euclid(DAY_SECONDS));
        let second = local.rem_euclid(DAY_SECONDS);
        out.push(b'T');
        two(out, second / 3600);
        out.push(b':');
        two(out, second / 60 % 60);
        out.push(b':');
        two(out, second % 60);
        if digits > 0 {
            out.push(b'.');
            let mut unit = TICKS / 10;
            for _ in 0..digits.min(7) {
                out.push(b'0' + u8::try_from(self.0.rem_euclid(TICKS) / unit % 10).unwrap_or(0));
                unit /= 10;
            }
        }
        if offset == 0 {
            out.push(b'Z');
        } else {
            out.push(if offset < 0 { b'-' } else { b'+' });
            let offset = i64::from(offset.abs());
            two(out, offset / 3600);
            out.push(b':');
            two(out, offset / 60 % 60);
        }
    }

    /// How many fraction digits it needs.
    pub(crate) fn digits_needed(self) -> u8 {
        let mut fraction = self.0.rem_euclid(TICKS);
        let mut digits = 7;
        while digits > 0 && fraction % 10 == 0 {
            fraction /= 10;
            digits -= 1;
        }
        digits
    }
}

impl fmt::Display for Time {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(28);
        self.write(&mut text, 7, 0);
        out.write_str(&String::from_utf8_lossy(&text))
    }
}

fn two(out: &mut Vec<u8>, number: i64) {
    out.push(b'0' + u8::try_from(number / 10 % 10).unwrap_or(0));
    out.push(b'0' + u8::try_from(number % 10).unwrap_or(0));
}

/// Writes `YYYY-MM-DD` of a day counted from 1970.
pub(crate) fn write_date(out: &mut Vec<u8>, day: i64) {
    // Days to civil, after Howard Hinnant: years begin in March, eras have 400 of them.
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    two(out, year / 100);
    two(out, year % 100);
    out.push(b'-');
    two(out, month);
    out.push(b'-');
    two(out, of_year - (153 * shifted_month + 2) / 5 + 1);
}

/// A day counted from 1970, as `YYYY-MM-DD`.
pub(crate) fn date_text(day: i32) -> String {
    let mut text = Vec::with_capacity(10);
    write_date(&mut text, i64::from(day));
    String::from_utf8_lossy(&text).into_owned()
}

/// Reads `YYYY-MM-DD` as a day counted from 1970.
pub(crate) fn parse_date(text: &str) -> Option<i32> {
    let date: jiff::civil::Date = text.parse().ok().filter(|_| text.len() == 10)?;
    let epoch = jiff::civil::Date::constant(1970, 1, 1);
    Some(date.since((jiff::Unit::Day, epoch)).ok()?.get_days())
}

/// US Eastern time: the calendar of Postmark's date filters and statistics.
#[derive(Clone, Debug)]
pub(crate) struct Eastern(TimeZone);

impl Eastern {
    pub(crate) fn new() -> Eastern {
        let zone = TimeZoneDatabase::bundled().get("America/New_York");
        Eastern(zone.unwrap_or_else(|_| TimeZone::fixed(jiff::tz::offset(-5))))
    }

    /// Seconds east of UTC at an instant: -18,000 or -14,400.
    pub(crate) fn offset(&self, at: Time) -> i32 {
        jiff::Timestamp::from_second(at.seconds()).map_or(-18_000, |at| self.0.to_offset(at).seconds())
    }

    /// The Eastern day of an instant, counted from 1970.
    pub(crate) fn day(&self, at: Time) -> i32 {
        (at.plus_seconds(i64::from(self.offset(at)))).utc_day()
    }

    /// The instant of a civil time there: `day` counted from 1970, `second` of that day. A time that a clock
    /// change skips is read by the earlier offset; one that it repeats is its first occurrence.
    pub(crate) fn instant(&self, day: i32, second: i64) -> Time {
        let local = i64::from(day) * DAY_SECONDS + second;
        let civil = jiff::Timestamp::from_second(local)
            .map_or(jiff::civil::DateTime::ZERO, |at| TimeZone::UTC.to_datetime(at));
        let at =
            self.0.to_ambiguous_timestamp(civil).compatible().map_or(local + 18_000, |at| at.as_second());
        Time::from_seconds(at)
    }

    /// Reads a date filter: the first instant of it, and the first instant after it.
    pub(crate) fn filter(&self, text: &str) -> Option<(Time, Time)> {
        if let Some(day) = parse_date(text) {
            return Some((self.instant(day, 0), self.instant(day + 1, 0)));
        }
        let (date, clock) = text.split_at_checked(10)?;
        let day = parse_date(date)?;
        let clock: jiff::civil::Time = clock.strip_prefix(['T', ' '])?.parse().ok()?;
        let second =
            i64::from(clock.hour()) * 3600 + i64::from(clock.minute()) * 60 + i64::from(clock.second());
        let at = self.instant(day, second);
        Some((at, at.plus_seconds(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(time: Time, digits: u8, offset: i32) -> String {
        let mut out = Vec::new();
        time.write(&mut out, digits, offset);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_are_written_with_any_digits_and_offset() {
        let time = Time::parse("2026-09-21T08:14:05.1182734Z").unwrap();
        assert_eq!(text(time, 7, 0), "2026-09-21T08:14:05.1182734Z");
        assert_eq!(text(time, 0, -14_400), "2026-09-21T04:14:05-04:00");
        assert_eq!(text(time.to_digits(2, true), 2, 0), "2026-09-21T08:14:05.12Z");
        assert_eq!(text(time.to_digits(2, false), 2, 0), "2026-09-21T08:14:05.11Z");
        assert_eq!(time.to_digits(2, false).digits_needed(), 2);
    }

    #[test]
    fn the_eastern_day_follows_both_clock_changes() {
        let eastern = Eastern::new();
        let hours = |day: &str| {
            let (from, to) = eastern.filter(day).unwrap();
            to.millis_since(from) / 3_600_000
        };
        assert_eq!(hours("2026-03-08"), 23);
        assert_eq!(hours("2026-11-01"), 25);
        assert_eq!(hours("2026-07-01"), 24);
        let day = |at: &str| date_text(eastern.day(Time::parse(at).unwrap()));
        assert_eq!(day("2026-11-01T03:59:59Z"), "2026-10-31");
        assert_eq!(day("2026-11-01T04:00:00Z"), "2026-11-01");
        assert_eq!(day("2026-11-02T04:59:59Z"), "2026-11-01");
        assert_eq!(day("2026-03-09T03:59:59Z"), "2026-03-08");
        assert_eq!(day("2026-03-08T04:59:59Z"), "2026-03-07");
    }

    #[test]
    fn a_filter_reads_a_date_or_a_second_in_eastern_time() {
        let eastern = Eastern::new();
        let (from, after) = eastern.filter("2026-07-01T10:00:00").unwrap();
        assert_eq!(from.to_string(), "2026-07-01T14:00:00.0000000Z");
        assert_eq!(after.millis_since(from), 1000);
        assert!(eastern.filter("yesterday").is_none());
    }
}

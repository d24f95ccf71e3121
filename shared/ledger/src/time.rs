//! Instants as the ledger keeps them: whole microseconds since 1970, UTC.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An instant in microseconds since 1970-01-01T00:00:00Z.
///
/// Postmark writes times with zero to seven fraction digits; what is finer than a microsecond is cut off,
/// so that every source of the same instant gives the same number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(i64);

/// Why a text is not an instant. It does not quote the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time: expected RFC 3339 with an offset, such as 2026-09-21T08:14:11.9070259Z")]
pub struct TimeError;

const SECOND: i64 = 1_000_000;

/// How far after its receipt an event may claim to have happened, in seconds. A future time would win for ever.
pub const FUTURE_SECONDS_MAX: i64 = 600;

impl Time {
    /// The first instant that an event may have: Postmark did not exist before.
    pub const EARLIEST: Time = Time(1_262_304_000 * SECOND); // 2010-01-01T00:00:00Z

    /// From microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Time {
        Time(micros)
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(SECOND)
    }

    /// This instant moved by so many seconds (negative: back).
    pub const fn plus_seconds(self, seconds: i64) -> Time {
        Time(self.0.saturating_add(seconds.saturating_mul(SECOND)))
    }

    /// This instant moved by so many days of 24 hours (negative: back).
    pub const fn plus_days(self, days: i64) -> Time {
        self.plus_seconds(days.saturating_mul(86_400))
    }

    /// The hour in UTC as counters are keyed by it: `2026-11-22T15`.
    pub fn hour(self) -> String {
        self.to_string()[..13].to_owned()
    }

    /// The day in UTC: `2026-11-22`.
    pub fn day(self) -> String {
        self.to_string()[..10].to_owned()
    }

    /// Sixteen digits that sort as the instant does, for use in keys.
    pub fn key(self) -> String {
        format!("{:016}", self.0)
    }
}

impl FromStr for Time {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Time, TimeError> {
        let instant: jiff::Timestamp = text.trim().parse().map_err(|_| TimeError)?;
        Ok(Time(instant.as_microsecond()))
    }
}

/// RFC 3339 in UTC with six fraction digits: `2026-09-21T08:14:11.907025Z`.
impl fmt::Display for Time {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.clamp(-62_135_596_800 * SECOND, 253_402_207_199 * SECOND);
        match jiff::Timestamp::from_microsecond(micros) {
            Ok(instant) => write!(out, "{instant:.6}"),
            Err(_) => write!(out, "{}us", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_postmark_uses_is_read() {
        for (text, micros) in [
            ("2026-11-05T16:33:54.9070259Z", 1_793_896_434_907_025),
            ("2014-08-01T13:28:10.2735393-04:00", 1_406_914_090_273_539),
            ("2020-02-01T10:53:34.416071Z", 1_580_554_414_416_071),
            ("2011-07-13T14:45:39.31Z", 1_310_568_339_310_000),
            ("2024-10-25T07:07:12Z", 1_729_840_032_000_000),
            ("2019-12-17T08:58:33-05:00", 1_576_591_113_000_000),
        ] {
            assert_eq!(text.parse::<Time>(), Ok(Time(micros)), "{text}");
        }
    }

    #[test]
    fn a_time_without_offset_or_of_another_form_is_refused() {
        for text in ["", "2026-11-05", "2026-11-05T16:33:54", "Mon, 21 Sep 2026 10:14:05 +0200", "1793896434"]
        {
            assert_eq!(text.parse::<Time>(), Err(TimeError), "{text}");
        }
    }

    #[test]
    fn a_time_prints_with_six_digits_and_gives_hour_day_and_key() {
        let time: Time = "2026-09-21T08:14:11.9Z".parse().unwrap();
        assert_eq!(time.to_string(), "2026-09-21T08:14:11.900000Z");
        assert_eq!(time.hour(), "2026-09-21T08");
        assert_eq!(time.day(), "2026-09-21");
        assert_eq!(time.key(), "1789978451900000");
        assert_eq!(time.key().len(), 16);
    }

    #[test]
    fn extremes_do_not_panic() {
        for micros in [i64::MIN, i64::MAX, 0] {
            let _ = (Time(micros).to_string(), Time(micros).plus_days(i64::MAX).key());
        }
    }
}

//! Dates in suppression lists.

use jiff::fmt::rfc2822::DateTimeParser;
use ledger::Time;
use ledger::time::FUTURE_SECONDS_MAX;

/// From here on a number counts milliseconds: as seconds it would be the year 5138.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// Whether a cell is a date, or a number that may be one.
pub(crate) fn is_date(cell: &str) -> bool {
    let local = |c: char| c.is_ascii_digit() || matches!(c, '/' | '.' | '-' | ':' | ' ');
    let written_locally = cell.contains(['/', '.', '-'])
        && cell.chars().all(local)
        && cell.chars().filter(char::is_ascii_digit).count() >= 4;
    number(cell).is_some_and(|at| at >= Time::EARLIEST) || written(cell).is_some() || written_locally
}

/// The instant in a cell; an empty cell has none. A time without a zone is read as UTC. Local formats are not guessed: 4/5
/// may be in April or in May.
///
/// # Errors
/// What is wrong with it, without quoting it. Its row is used all the same, without a date.
pub(crate) fn instant(cell: &str, now: Time) -> Result<Option<Time>, &'static str> {
    let cell = cell.trim();
    if cell.is_empty() {
        return Ok(None);
    }
    let at = number(cell).or_else(|| written(cell)).ok_or(
        "the date cannot be read, so the address is barred as of this import: use RFC 3339, YYYY-MM-DD, RFC \
            2822 or seconds since 1970",
    )?;
    if at < Time::EARLIEST {
        return Err("the date is before 2010, so the address is barred as of this import");
    }
    if at > now.plus_seconds(FUTURE_SECONDS_MAX) {
        return Err("the date is in the future, so the address is barred as of this import");
    }
    Ok(Some(at))
}

/// Seconds since 1970 (SendGrid; Amazon's API with a fraction), or milliseconds. The fraction is cut off.
fn number(cell: &str) -> Option<Time> {
    let (whole, fraction) = cell.split_once('.').unwrap_or((cell, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let number: i64 = whole.parse().ok()?;
    let micros = if number < MILLISECONDS_FROM { 1_000_000 } else { 1_000 };
    Some(Time::from_micros(number.saturating_mul(micros)))
}

/// RFC 3339 and what is near it, or RFC 2822 (Mailgun).
fn written(cell: &str) -> Option<Time> {
    // `2024-05-01 10:00:00.123456 +0000 UTC` is how Go prints a time: listmonk does.
    let mut parts = cell.split_whitespace();
    let near = match (parts.next()?, parts.next(), parts.next(), parts.next(), parts.next()) {
        (day, None, ..) if is_day(day) => format!("{day}T00:00:00Z"),
        (both, None, ..) => zoned(both),
        (day, Some(time), None, ..) => zoned(&format!("{day}T{time}")),
        (day, Some(time), Some("UTC" | "GMT" | "Z"), None, _) => format!("{day}T{time}Z"),
        (day, Some(time), Some(offset), _, None) => format!("{day}T{time}{offset}"),
        _ => String::new(),
    };
    near.parse().ok().or_else(|| mail(cell))
}

/// `YYYY-MM-DD`.
fn is_day(text: &str) -> bool {
    text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-')
}

/// With `Z` where no offset stands behind the time.
fn zoned(text: &str) -> String {
    let bare = text.split_once('T').is_some_and(|(_, time)| !time.contains(['Z', 'z', '+', '-']));
    if bare { format!("{text}Z") } else { text.to_owned() }
}

/// `Fri, 21 Oct 2011 11:02:55 GMT`; Mailgun's API says `UTC` as well, which the RFC does not know.
fn mail(cell: &str) -> Option<Time> {
    let known = cell.strip_suffix("UTC").map(|front| format!("{front}GMT"));
    let parser = DateTimeParser::new().relaxed_weekday(true);
    let instant = parser.parse_timestamp(known.as_deref().unwrap_or(cell)).ok()?;
    Some(Time::from_micros(instant.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UNREADABLE: &str = "the date cannot be read, so the address is barred as of this import: use RFC \
        3339, YYYY-MM-DD, RFC 2822 or seconds since 1970";
    const EARLY: &str = "the date is before 2010, so the address is barred as of this import";
    const FUTURE: &str = "the date is in the future, so the address is barred as of this import";

    fn now() -> Time {
        "2026-09-21T08:00:00Z".parse().unwrap()
    }

    #[test]
    fn each_services_form_is_read() {
        for (cell, instant) in [
            // SendGrid, now and in its second API.
            ("1443651141", "2015-09-30T22:12:21Z"),
            ("2012-06-10 12:40:30", "2012-06-10T12:40:30Z"),
            // Amazon: the API's JSON, the command line, a tool in Go.
            ("1586552585.077", "2020-04-10T21:03:05Z"),
            ("2020-04-10T21:03:05.077000+00:00", "2020-04-10T21:03:05.077Z"),
            ("2020-04-10 21:03:05 +0000 UTC", "2020-04-10T21:03:05Z"),
            // Mailgun.
            ("Fri, 21 Oct 2011 11:02:55 GMT", "2011-10-21T11:02:55Z"),
            ("Fri, 21 Oct 2011 11:02:55 UTC", "2011-10-21T11:02:55Z"),
            ("Fri, 21 Oct 2011 11:02:55 +0200", "2011-10-21T09:02:55Z"),
            // listmonk.
            ("2024-05-01 15:30:00.123456 +0530 IST", "2024-05-01T10:00:00.123456Z"),
            ("2024-05-01 10:00:00.123456 +0000 +0000", "2024-05-01T10:00:00.123456Z"),
            // Postmark, ours, and what people write.
            ("2019-12-17T08:58:33-05:00", "2019-12-17T13:58:33Z"),
            ("2026-09-21T07:14:11.907025Z", "2026-09-21T07:14:11.907025Z"),
            ("2024-05-01", "2024-05-01T00:00:00Z"),
            ("2024-05-01T10:00", "2024-05-01T10:00:00Z"),
            (" 2024-05-01 10:00:00 ", "2024-05-01T10:00:00Z"),
            ("2024-05-01 10:00:00 UTC", "2024-05-01T10:00:00Z"),
            ("1714557600000", "2024-05-01T10:00:00Z"),
        ] {
            assert_eq!(super::instant(cell, now()), Ok(Some(instant.parse().unwrap())), "{cell}");
        }
        assert_eq!(super::instant(" ", now()), Ok(None));
    }

    #[test]
    fn what_is_ambiguous_or_out_of_bounds_is_refused() {
        for (cell, problem) in [
            ("04/05/2024", UNREADABLE),
            ("25/04/2024", UNREADABLE),
            ("25.04.2024", UNREADABLE),
            ("25-04-2024 10:00", UNREADABLE),
            ("25 avr. 2024", UNREADABLE),
            ("2024/04/25", UNREADABLE),
            // A spreadsheet's days since 1900.
            ("45407", EARLY),
            ("45407.5", EARLY),
            ("4/10/2020 9:03:05 PM", UNREADABLE),
            ("yesterday", UNREADABLE),
            ("1.44E+09", UNREADABLE),
            ("2024-13-01", UNREADABLE),
            ("2009-12-31T23:59:59Z", EARLY),
            ("0", EARLY),
            ("2026-09-21T08:10:01Z", FUTURE),
            ("99999999999999999", FUTURE),
        ] {
            assert_eq!(instant(cell, now()), Err(problem), "{cell}");
        }
        assert!(instant("2026-09-21T08:10:00Z", now()).is_ok(), "clocks differ by minutes");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(cell in "([0-9T:+. Z-]{0,40}|.{0,40})") {
            let _ = instant(&cell, now());
        }
    }
}

//! A calendar month in somebody's zone.

use crate::moment::Zone;
use crate::pages::counted::hour_of;
use jiff::Span;
use jiff::civil::Date;
use ledger::Time;

/// A month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Month {
    first: Date,
    /// When it begins.
    pub from: Time,
    /// When it is over.
    pub to: Time,
}

impl Month {
    /// The month of a day.
    fn of(day: Date, zone: &Zone) -> Option<Month> {
        let first = day.first_of_month();
        let next = first.checked_add(Span::new().months(1)).ok()?;
        let begins = |day: Date| zone.read(&format!("{day}T00:00")).map(hour_of);
        Some(Month { first, from: begins(first)?, to: begins(next)? })
    }

    /// The month of a text such as `2026-10`.
    pub(super) fn read(text: &str, zone: &Zone) -> Option<Month> {
        let is_month = text.len() == 7;
        Month::of(format!("{text}-01").parse().ok().filter(|_| is_month)?, zone)
    }

    /// The last month that was over at an instant.
    pub(super) fn over(at: Time, zone: &Zone) -> Option<Month> {
        let day: Date = zone.field(at).split('T').next()?.parse().ok()?;
        Month::of(day, zone)?.before(zone)
    }

    /// The month before.
    pub(super) fn before(&self, zone: &Zone) -> Option<Month> {
        Month::of(self.first.yesterday().ok()?, zone)
    }

    /// The month after.
    pub(super) fn after(&self, zone: &Zone) -> Option<Month> {
        Month::of(self.last().tomorrow().ok()?, zone)
    }

    /// Its first day.
    pub(super) fn first(&self) -> Date {
        self.first
    }

    /// Its last day.
    pub(super) fn last(&self) -> Date {
        self.first.last_of_month()
    }

    /// As a query has it: `2026-10`.
    pub(super) fn key(&self) -> String {
        self.first.strftime("%Y-%m").to_string()
    }

    /// As people read it: `October 2026`.
    pub(super) fn words(&self) -> String {
        self.first.strftime("%B %Y").to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_and_ends_at_midnight_of_its_zone() {
        let berlin = Zone::named(Some("Europe/Berlin"));
        let october = Month::read("2026-10", &berlin).unwrap();
        assert_eq!(october.from.to_string(), "2026-09-30T22:00:00.000000Z");
        assert_eq!(october.to.to_string(), "2026-10-31T23:00:00.000000Z", "clocks are set back in it");
        assert_eq!((october.key().as_str(), october.words().as_str()), ("2026-10", "October 2026"));
        assert_eq!((october.last().day(), october.after(&berlin).unwrap().key()), (31, "2026-11".to_owned()));
        assert_eq!(Month::read("2026-01", &berlin).unwrap().before(&berlin).unwrap().key(), "2025-12");
        for wrong in ["", "2026", "2026-13", "2026-1", "2026-10-01", "x026-10", "9999-12"] {
            assert_eq!(Month::read(wrong, &berlin), None, "{wrong}");
        }
    }

    #[test]
    fn the_last_month_that_is_over_is_the_one_before() {
        let at = |text: &str| text.parse().unwrap();
        let over = |text: &str, zone: &str| Month::over(at(text), &Zone::named(Some(zone))).unwrap().key();
        assert_eq!(over("2026-11-25T12:00:00Z", "UTC"), "2026-10");
        assert_eq!(over("2026-10-31T22:59:59Z", "Europe/Berlin"), "2026-09");
        assert_eq!(over("2026-10-31T23:00:00Z", "Europe/Berlin"), "2026-10");
    }
}

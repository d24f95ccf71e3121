//! Times as pages show them: in the viewer's zone, with UTC beside it.

use answers::Timestamp;
use askama::filters::HtmlSafe;
use jiff::tz::TimeZone;
use ledger::Time;
use std::fmt;

/// The zone that somebody sees times in.
#[derive(Clone, Debug)]
pub(crate) struct Zone(TimeZone, String);

impl Default for Zone {
    fn default() -> Zone {
        Zone(TimeZone::UTC, "UTC".to_owned())
    }
}

impl Zone {
    /// By its IANA name; UTC where there is no such zone.
    pub(crate) fn named(name: Option<&str>) -> Zone {
        let found = name.and_then(|name| Some((TimeZone::get(name).ok()?, name.to_owned())));
        found.map_or_else(Zone::default, |(zone, name)| Zone(zone, name))
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.1
    }

    /// An instant, to be shown.
    pub(crate) fn show(&self, at: impl Into<Timestamp>) -> Moment {
        let Timestamp(at) = at.into();
        Moment { at, zone: self.clone() }
    }

    /// A day and a time in this zone, as fields of a form have them.
    pub(crate) fn field(&self, at: Time) -> String {
        self.written(at, "%Y-%m-%dT%H:%M")
    }

    fn written(&self, at: Time, format: &str) -> String {
        let stamp = jiff::Timestamp::from_microsecond(at.micros()).unwrap_or_default();
        stamp.to_zoned(self.0.clone()).strftime(format).to_string()
    }

    /// An instant that is given without a zone (`2026-11-21T08:00`), as this zone has it.
    pub(crate) fn read(&self, text: &str) -> Option<Time> {
        if let Ok(at) = text.parse() {
            return Some(at);
        }
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        let at = civil.to_zoned(self.0.clone()).ok()?.timestamp();
        Some(Time::from_micros(at.as_microsecond()))
    }
}

/// An instant, as HTML.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    at: Time,
    zone: Zone,
}

impl Moment {
    /// The same as text, for tables to keep and for mails.
    pub(crate) fn text(&self) -> String {
        let zone = self.zone.written(self.at, "%Z");
        format!("{} {zone}", self.zone.written(self.at, "%-d %b %Y, %H:%M"))
    }

    /// The instant.
    pub(crate) fn iso(&self) -> String {
        let text = self.at.to_string();
        text.split_once('.').map_or(text.clone(), |(seconds, _)| format!("{seconds}Z"))
    }
}

// There is nothing in it but digits, names of months and of a zone that the database of zones has.
impl HtmlSafe for Moment {}

impl fmt::Display for Moment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let iso = self.iso();
        let shown = self.zone.written(self.at, "%-d %b %Y, %H:%M");
        write!(out, "<time datetime=\"{iso}\" title=\"{iso}\">{shown}</time>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_in_its_zone_and_told_in_utc() {
        let at: Time = "2026-07-01T22:30:05Z".parse().unwrap();
        let berlin = Zone::named(Some("Europe/Berlin"));
        assert_eq!(
            berlin.show(at).to_string(),
            "<time datetime=\"2026-07-01T22:30:05Z\" title=\"2026-07-01T22:30:05Z\">2 Jul 2026, 00:30</time>"
        );
        assert_eq!(berlin.show(at).text(), "2 Jul 2026, 00:30 CEST");
        assert_eq!(berlin.field(at), "2026-07-02T00:30");
        assert_eq!(
            berlin.read("2026-07-02T00:30").map(|at| at.to_string()).as_deref(),
            Some("2026-07-01T22:30:00.000000Z")
        );
        assert_eq!(Zone::named(Some("Nowhere/<script>")).name(), "UTC");
    }
}

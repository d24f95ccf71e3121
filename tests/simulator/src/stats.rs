//! Postmark's statistics: counts of a day, for ever.

use crate::Simulator;
use crate::model::{Kind, TrackLinks};
use crate::texts::Text;
use crate::{BounceType, Time};
use std::collections::BTreeMap;

/// Counts of a stream, a tag and a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the number of what it is called")]
pub struct Counts {
    /// Mails taken for sending, one a recipient.
    pub sent: u64,
    pub hard_bounces: u64,
    /// All bounces that are neither hard, delays nor informational.
    pub soft_bounces: u64,
    pub transients: u64,
    pub smtp_api_errors: u64,
    pub complaints: u64,
    /// Every open, also repeated ones.
    pub opens: u64,
    /// First opens.
    pub unique_opens: u64,
    /// Mails with open or link tracking.
    pub tracked: u64,
    pub with_open_tracking: u64,
    pub with_link_tracking: u64,
    pub links_sent: u64,
    /// Every click, also of a link that was clicked before.
    pub clicks: u64,
    /// First clicks of a link.
    pub unique_clicks: u64,
    pub(crate) open_platforms: BTreeMap<&'static str, u64>,
    pub(crate) open_clients: BTreeMap<&'static str, u64>,
    pub(crate) read_times: BTreeMap<&'static str, u64>,
    pub(crate) click_platforms: BTreeMap<&'static str, u64>,
    pub(crate) browsers: BTreeMap<&'static str, u64>,
    pub(crate) locations: BTreeMap<&'static str, u64>,
}

/// What counts are kept by: stream, day, tag.
pub(crate) type Key = (u16, i32, Text);

impl Counts {
    /// Adds the counts of another.
    pub fn add(&mut self, other: &Counts) {
        for (mine, theirs) in [
            (&mut self.sent, other.sent),
            (&mut self.hard_bounces, other.hard_bounces),
            (&mut self.soft_bounces, other.soft_bounces),
            (&mut self.transients, other.transients),
            (&mut self.smtp_api_errors, other.smtp_api_errors),
            (&mut self.complaints, other.complaints),
            (&mut self.opens, other.opens),
            (&mut self.unique_opens, other.unique_opens),
            (&mut self.tracked, other.tracked),
            (&mut self.with_open_tracking, other.with_open_tracking),
            (&mut self.with_link_tracking, other.with_link_tracking),
            (&mut self.links_sent, other.links_sent),
            (&mut self.clicks, other.clicks),
            (&mut self.unique_clicks, other.unique_clicks),
        ] {
            *mine += theirs;
        }
        for (mine, theirs) in [
            (&mut self.open_platforms, &other.open_platforms),
            (&mut self.open_clients, &other.open_clients),
            (&mut self.read_times, &other.read_times),
            (&mut self.click_platforms, &other.click_platforms),
            (&mut self.browsers, &other.browsers),
            (&mut self.locations, &other.locations),
        ] {
            for (key, count) in theirs {
                *mine.entry(key).or_default() += count;
            }
        }
    }

    /// Hard and soft bounces.
    pub fn bounced(&self) -> u64 {
        self.hard_bounces + self.soft_bounces
    }

    fn bounce(&mut self, kind: BounceType) {
        match kind {
            BounceType::HardBounce | BounceType::BadEmailAddress => self.hard_bounces += 1,
            BounceType::Transient | BounceType::DnsError => self.transients += 1,
            BounceType::SMTPApiError => self.smtp_api_errors += 1,
            BounceType::SoftBounce
            | BounceType::Blocked
            | BounceType::SpamNotification
            | BounceType::VirusNotification
            | BounceType::DMARCPolicy
            | BounceType::Unknown => self.soft_bounces += 1,
            _ => {}
        }
    }
}

impl Simulator {
    /// The day that statistics count an instant on.
    pub(crate) fn stats_day(&self, at: Time) -> i32 {
        if self.config.quirks.stats_in_fixed_est {
            at.plus_seconds(-18_000).utc_day()
        } else {
            self.eastern.day(at)
        }
    }

    fn counts_now(&mut self, stream: u16, tag: Text) -> &mut Counts {
        let day = self.stats_day(self.now);
        self.counts.entry((stream, day, tag)).or_default()
    }

    pub(crate) fn count_sent(&mut self, message: u32) {
        let of = &self.messages[message as usize];
        let (stream, tag, opens, links) = (of.stream, of.tag, of.track_opens, of.track_links);
        let recipients = of.recipients().len() as u64;
        let links = if links == TrackLinks::None { 0 } else { self.links(message).count() as u64 };
        let counts = self.counts_now(stream, tag);
        counts.sent += recipients;
        counts.tracked += if opens || links > 0 { recipients } else { 0 };
        counts.with_open_tracking += if opens { recipients } else { 0 };
        counts.with_link_tracking += if links > 0 { recipients } else { 0 };
        counts.links_sent += links * recipients;
    }

    pub(crate) fn count_event(&mut self, event: u32) {
        let of = &self.events[event as usize];
        let (stream, kind) = (of.stream, of.kind);
        let tag = self.messages.get(of.message as usize).map_or(Text::EMPTY, |message| message.tag);
        let reader = self.reader(event);
        let testing = self.texts.get(of.recipient).ends_with("bounce-testing.postmarkapp.com");
        match kind {
            Kind::Bounce { kind, .. } if !testing => self.counts_now(stream, tag).bounce(kind),
            Kind::Complaint { .. } => self.counts_now(stream, tag).complaints += 1,
            Kind::Open { first, .. } => {
                let seconds = crate::body::read_seconds(self.config.seed, event);
                let counts = self.counts_now(stream, tag);
                counts.opens += 1;
                counts.unique_opens += u64::from(first);
                if first {
                    *counts.open_platforms.entry(reader.platform).or_default() += 1;
                    *counts.open_clients.entry(reader.family).or_default() += 1;
                    *counts.read_times.entry(READ_TIMES[seconds.min(20) as usize]).or_default() += 1;
                }
            }
            Kind::Click { in_text, .. } => {
                let counts = self.counts_now(stream, tag);
                counts.clicks += 1;
                counts.unique_clicks += 1;
                // Links open in a browser: statistics of clicks know no webmail.
                let platform = if reader.platform == "WebMail" { "Desktop" } else { reader.platform };
                *counts.click_platforms.entry(platform).or_default() += 1;
                *counts.browsers.entry(reader.family).or_default() += 1;
                *counts.locations.entry(if in_text { "Text" } else { "HTML" }).or_default() += 1;
            }
            _ => {}
        }
    }

    /// A click of a link that this recipient clicked before: it is counted, and told nowhere.
    pub(crate) fn count_repeated_click(&mut self, message: u32) {
        let (stream, tag) = (self.messages[message as usize].stream, self.messages[message as usize].tag);
        self.counts_now(stream, tag).clicks += 1;
    }
}

/// The keys of read times: seconds, and `20s+`.
const READ_TIMES: [&str; 21] = [
    "0s", "1s", "2s", "3s", "4s", "5s", "6s", "7s", "8s", "9s", "10s", "11s", "12s", "13s", "14s", "15s",
    "16s", "17s", "18s", "19s", "20s+",
];

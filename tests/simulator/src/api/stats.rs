//! The Stats API: sums over Eastern days, for ever.

use super::{ApiBody, Call, Refusal, Reply};
use crate::json::Json;
use crate::stats::Counts;
use crate::time::{date_text, parse_date};
use crate::{Simulator, Time};
use std::collections::BTreeMap;

/// How far back statistics may be asked for, in days.
const DAYS_MAX: i32 = 366;

impl Simulator {
    pub(super) fn statistics(&mut self, call: &Call, kind: &[&str]) -> Reply {
        let day = |name: &str| match call.parameter(name) {
            None => Ok(None),
            Some(text) => parse_date(text.get(..10).unwrap_or(text))
                .map(Some)
                .ok_or_else(|| Refusal::business(1501, format!("Parameter '{name}' is not a valid date."))),
        };
        let (from, to) = (day("fromdate")?, day("todate")?);
        if from.is_some_and(|from| from < self.stats_day(self.now) - DAYS_MAX) {
            return Err(Refusal::business(1500, "Parameter 'fromdate' is older than one year."));
        }
        if matches!((from, to), (Some(from), Some(to)) if from > to) {
            return Err(Refusal::business(1502, "Parameter 'fromdate' is later than 'todate'."));
        }
        let streams = match call.parameter("messagestream") {
            Some(id) => vec![self.stream_named(call, id)?],
            None => self.servers[call.server].streams.clone(),
        };
        let tag = call.parameter("tag");
        let mut days: BTreeMap<i32, Counts> = BTreeMap::new();
        let mut sum = Counts::default();
        for stream in streams {
            let first = (stream, from.unwrap_or(i32::MIN), crate::texts::Text::EMPTY);
            let range = self.counts.range(first..);
            let of = range.take_while(|((of, day, _), _)| *of == stream && to.is_none_or(|to| *day <= to));
            for ((_, day, of), counts) in of {
                if tag.is_none_or(|tag| self.texts.get(*of) == tag) {
                    days.entry(*day).or_default().add(counts);
                    sum.add(counts);
                }
            }
        }
        let mut json = Json::object();
        match kind {
            [] => overview(&mut json, &sum),
            ["sends"] => by_day(&mut json, &days, &sum, |counts| vec![("Sent", counts.sent)]),
            ["bounces"] => by_day(&mut json, &days, &sum, |counts| {
                vec![
                    ("HardBounce", counts.hard_bounces),
                    ("SoftBounce", counts.soft_bounces),
                    ("SMTPApiError", counts.smtp_api_errors),
                    ("Transient", counts.transients),
                ]
            }),
            ["spam"] => by_day(&mut json, &days, &sum, |counts| vec![("SpamComplaint", counts.complaints)]),
            ["tracked"] => by_day(&mut json, &days, &sum, |counts| vec![("Tracked", counts.tracked)]),
            ["opens"] => by_day(&mut json, &days, &sum, |counts| {
                vec![("Opens", counts.opens), ("Unique", counts.unique_opens)]
            }),
            ["opens", "platforms"] => by_day(&mut json, &days, &sum, |counts| list(&counts.open_platforms)),
            ["opens", "emailclients"] => by_day(&mut json, &days, &sum, |counts| list(&counts.open_clients)),
            ["opens", "readtimes"] => by_day(&mut json, &days, &sum, |counts| list(&counts.read_times)),
            ["clicks"] => by_day(&mut json, &days, &sum, |counts| {
                vec![("Clicks", counts.clicks), ("Unique", counts.unique_clicks)]
            }),
            ["clicks", "browserfamilies"] => by_day(&mut json, &days, &sum, |counts| list(&counts.browsers)),
            ["clicks", "platforms"] => by_day(&mut json, &days, &sum, |counts| list(&counts.click_platforms)),
            ["clicks", "location"] => by_day(&mut json, &days, &sum, |counts| list(&counts.locations)),
            _ => return Ok(super::page(404, "404 Not Found")),
        }
        Ok(ApiBody::json(json.end()))
    }

    /// The first instant of a day of the statistics, `YYYY-MM-DD`. `None` when it is no day.
    pub fn statistics_day_starts(&self, day: &str) -> Option<Time> {
        let day = parse_date(day)?;
        if self.config.quirks.stats_in_fixed_est {
            return Some(Time::from_seconds(i64::from(day) * 86_400 + 18_000));
        }
        Some(self.eastern.instant(day, 0))
    }
}

fn list(counts: &BTreeMap<&'static str, u64>) -> Vec<(&'static str, u64)> {
    counts.iter().filter(|(key, _)| !key.is_empty()).map(|(key, count)| (*key, *count)).collect()
}

/// Days and their sum; what is 0 is left out.
fn by_day(
    json: &mut Json,
    days: &BTreeMap<i32, Counts>,
    sum: &Counts,
    of: impl Fn(&Counts) -> Vec<(&'static str, u64)>,
) {
    let told = days.iter().filter(|(_, counts)| of(counts).iter().any(|(_, count)| *count > 0));
    json.objects("Days", told, |json, (day, counts)| {
        json.text("Date", &date_text(*day));
        for (key, count) in of(counts).into_iter().filter(|(_, count)| *count > 0) {
            json.number(key, count);
        }
    });
    for (key, count) in of(sum).into_iter().filter(|(_, count)| *count > 0) {
        json.number(key, count);
    }
}

fn overview(json: &mut Json, sum: &Counts) {
    let rate = |part: u64| {
        let percent = if sum.sent == 0 { 0.0 } else { part as f64 * 100.0 / sum.sent as f64 };
        format!("{percent:.3}")
    };
    json.number("Sent", sum.sent);
    json.number("Bounced", sum.bounced());
    json.number("SMTPApiErrors", sum.smtp_api_errors);
    json.raw("BounceRate", rate(sum.bounced()).as_bytes());
    json.number("SpamComplaints", sum.complaints);
    json.raw("SpamComplaintsRate", rate(sum.complaints).as_bytes());
    json.number("Opens", sum.opens);
    json.number("UniqueOpens", sum.unique_opens);
    json.number("Tracked", sum.tracked);
    json.number("WithLinkTracking", sum.with_link_tracking);
    json.number("WithOpenTracking", sum.with_open_tracking);
    json.number("TotalTrackedLinksSent", sum.links_sent);
    json.number("UniqueLinksClicked", sum.unique_clicks);
    json.number("TotalClicks", sum.clicks);
    json.number("WithClientRecorded", sum.open_clients.values().sum());
    json.number("WithPlatformRecorded", sum.open_platforms.values().sum());
    json.number("WithReadTimeRecorded", sum.read_times.values().sum());
}

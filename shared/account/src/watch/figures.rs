//! Postmark's figures beside ours: what it says it told in a day against what was counted, mail that is sent while
//! nothing comes in, events near their last try, and messages that Postmark does not know.

use super::{Report, Watch, WatchError, code};
use crate::registry::ServerEntry;
use crate::webhooks::{self, WebhookRow};
use ledger::Time;
use ledger::counters::Measure;
use postmark_api::{ApiError, MessageQuery, ServerApi, Stats, Trigger, WebhookStatistics, eastern};
use serde_json::Value;
use std::collections::BTreeMap;
use store::webhook_activity::WebhookActivity;

/// Over how many hours what came in is counted beside Postmark's 24: an event is counted in the hour it happened,
/// which may be an hour of retries before it was told.
const COUNTED_HOURS: i64 = 26;
/// How many fewer may be counted than were told, at least: a repeated one is told twice and counted once.
const FEWER_MIN: u64 = 10;
/// How many fewer in a hundred.
const FEWER_PERCENT: u64 = 2;
/// After how many hours without any event a server that sends is silent.
const SILENCE_HOURS: i64 = 6;
/// Mail of the last minutes need not have been told of yet.
const FRESH_SECONDS: i64 = 30 * 60;
/// From how many failed requests in a day, and how many in a hundred, a webhook is said to fail.
const FAILURES_MIN: u64 = 5;
const FAILURES_PERCENT: u64 = 5;
/// How many MessageIDs Postmark is asked for.
const ASKED_MAX: usize = 4;
/// For how many hours a MessageID is asked for after it was told.
const ASKED_HOURS: i64 = 24;
/// Postmark's code for a message that it does not know.
const NO_SUCH_MESSAGE: i64 = 701;

impl Watch<'_> {
    pub(super) async fn figures(
        &self,
        entry: &ServerEntry,
        api: &ServerApi,
        rows: &[(WebhookRow, WebhookStatistics)],
        report: &mut Report,
    ) -> Result<(), WatchError> {
        let (counted, heard) = self.counted(entry, COUNTED_HOURS).await?;
        report.heard = heard;
        failing(rows, report);
        fewer(entry, rows, &counted, report);
        let (lately, _) = self.counted(entry, SILENCE_HOURS).await?;
        match self.sends(api).await {
            Ok(sent) => report.sent = sent,
            Err(error) => report.failed(&error),
        }
        // The statistics of most servers that nothing comes in from say that nothing is sent.
        if lately.values().all(|count| *count == 0) && report.sent.values().any(|sent| *sent > 0) {
            match self.sent(entry, api).await {
                Ok(0) => {}
                Ok(sent) => {
                    report.silent = true;
                    report.find(
                        None,
                        code::SILENT,
                        format!("{sent} messages were sent in the last {SILENCE_HOURS} hours, and nothing was told of them"),
                        "see `postledger queues` and the doors' alarms, then whether the webhooks are there: `postledger \
                         connect --dry-run`",
                    );
                }
                Err(error) => report.failed(&error),
            }
        }
        let activity = WebhookActivity::of(self.store, entry.server).await?;
        self.near_the_last_try(&activity, report);
        self.unknown(&activity, api, report).await;
        Ok(())
    }

    /// What was counted in the last hours, by what tells it, and the last hour in which something was.
    async fn counted(
        &self,
        entry: &ServerEntry,
        hours: i64,
    ) -> Result<(BTreeMap<Trigger, u64>, BTreeMap<String, Time>), WatchError> {
        let from = self.now.plus_seconds(-hours * 3_600).hour();
        let before = self.now.plus_seconds(2 * 3_600).hour();
        let mut streams = self.store.streams(entry.server).await?;
        streams.extend(entry.streams.keys().cloned());
        let (mut counted, mut heard) = (BTreeMap::new(), BTreeMap::new());
        for stream in streams {
            let by_hour = self.store.counters(entry.server, &stream, &from, &before).await?;
            for (hour, counts) in &by_hour {
                let at: Option<Time> = format!("{hour}:00:00Z").parse().ok();
                for (measure, count) in counts {
                    let Some(trigger) = told_by(*measure) else { continue };
                    let count = u64::try_from(*count).unwrap_or_default();
                    *counted.entry(trigger).or_default() += count;
                    if let Some(at) = at.filter(|_| count > 0) {
                        let last = heard.entry(trigger.name().to_owned()).or_insert(at);
                        *last = at.max(*last);
                    }
                }
            }
        }
        Ok((counted, heard))
    }

    /// How much mail was sent, yesterday and today (US Eastern).
    async fn sends(&self, api: &ServerApi) -> Result<BTreeMap<String, u64>, ApiError> {
        let (from, to) = (eastern::day(self.now.plus_days(-1)), eastern::day(self.now));
        let told = api.stats(Stats::Sends, None, &from, &to).await?;
        let day = |row: &Value| Some((row["Date"].as_str()?.get(..10)?.to_owned(), row["Sent"].as_u64()?));
        Ok(told["Days"].as_array().into_iter().flatten().filter_map(day).collect())
    }

    /// How much mail was sent that we should have heard of.
    async fn sent(&self, entry: &ServerEntry, api: &ServerApi) -> Result<u64, ApiError> {
        let (from, to) =
            (self.now.plus_seconds(-SILENCE_HOURS * 3_600), self.now.plus_seconds(-FRESH_SECONDS));
        let (from, to) = eastern::window(from, to);
        let mut sent = 0;
        for stream in entry.streams.keys() {
            let query = MessageQuery {
                stream,
                from: Some(&from),
                to: Some(&to),
                status: Some("sent"),
                count: 1,
                ..MessageQuery::default()
            };
            sent += api.messages(&query).await?.total;
        }
        Ok(sent)
    }

    fn near_the_last_try(&self, activity: &WebhookActivity, report: &mut Report) {
        let since = self.now.plus_seconds(-ASKED_HOURS * 3_600).hour();
        let lately = activity.low.range(since..);
        if let Some((hour, left)) = lately.min_by_key(|(_, left)| **left) {
            let words = format!(
                "in the hour {hour} UTC an event came in with {left} retries left before it is dropped"
            );
            let next = "see why our doors refused the tries before it: their alarms, and `postledger queues`; then \
                        `postledger reconcile` for what did not come again";
            report.find(None, code::RETRIES_LOW, words, next);
        }
    }

    /// Whether Postmark knows the messages that we were told of.
    async fn unknown(&self, activity: &WebhookActivity, api: &ServerApi, report: &mut Report) {
        let since = self.now.plus_seconds(-ASKED_HOURS * 3_600);
        let lately = activity.told.iter().rev().filter(|told| told.at >= since).take(ASKED_MAX);
        for told in lately {
            match api.message_details(&told.message_id).await {
                Ok(_) => {}
                Err(ApiError::Refused { code: NO_SUCH_MESSAGE, .. }) => {
                    let words = format!(
                        "Postmark does not know message {}, of which an event came in at {}: it may be forged, or \
                         another server's",
                        told.message_id, told.at
                    );
                    let next = format!(
                        "if others may know this server's webhook password: `postledger revoke`, then `postledger \
                         server set --server {0} --generation N` with the next one and `postledger connect --server {0}`",
                        report.server
                    );
                    report.find(Some(&told.stream), "unknown_message", words, next);
                }
                Err(error) => report.failed(&error),
            }
        }
    }
}

/// Which trigger tells what a measure counts. A complaint comes as a `SpamComplaint`, or as a `Bounce`.
fn told_by(measure: Measure) -> Option<Trigger> {
    match measure.name() {
        "delivered" => Some(Trigger::Delivery),
        "complaint" => Some(Trigger::SpamComplaint),
        "reactivated" => Some(Trigger::SubscriptionChange),
        name if name.starts_with("suppressed_") => Some(Trigger::SubscriptionChange),
        name if name.starts_with("open_") => Some(Trigger::Open),
        name if name.starts_with("click") => Some(Trigger::Click),
        name if name.starts_with("bounce_") => Some(Trigger::Bounce),
        _ => None,
    }
}

/// Webhooks that our doors refuse too often.
fn failing(rows: &[(WebhookRow, WebhookStatistics)], report: &mut Report) {
    for (row, statistics) in rows {
        let (failed, total) = (statistics.failure, statistics.total);
        if failed >= FAILURES_MIN && failed * 100 >= total * FAILURES_PERCENT {
            let words = format!(
                "in the last day {failed} of {total} requests of webhook {} ({}) failed, {} were retries",
                row.id, row.url, statistics.retry
            );
            let next = "see the doors' alarms for that time; then `postledger reconcile` for what did not come again";
            report.find(Some(&row.stream), code::WEBHOOK_FAILING, words, next);
        }
    }
}

/// What Postmark was told to have arrived, and is not counted.
fn fewer(
    entry: &ServerEntry,
    rows: &[(WebhookRow, WebhookStatistics)],
    counted: &BTreeMap<Trigger, u64>,
    report: &mut Report,
) {
    let mut told: BTreeMap<Trigger, u64> = BTreeMap::new();
    for (_, statistics) in rows {
        for (trigger, metrics) in webhooks::by_trigger(&statistics.by_trigger) {
            *told.entry(trigger).or_default() += metrics.success;
        }
    }
    for (trigger, told) in told {
        let count = |trigger| counted.get(&trigger).copied().unwrap_or_default();
        let here = match trigger {
            Trigger::Bounce => count(Trigger::Bounce) + count(Trigger::SpamComplaint),
            trigger => count(trigger),
        };
        let slack = FEWER_MIN.max(told * FEWER_PERCENT / 100);
        if told > here + slack {
            let words = format!(
                "in the last day our doors took {told} requests of {}, and {here} events are counted",
                trigger.name()
            );
            let next = format!(
                "see `postledger queues` for what waits and `postledger quarantine list` for what was set aside; then \
                 `postledger completeness --server {}`",
                entry.server
            );
            report.find(None, "fewer_than_told", words, next);
        }
    }
}

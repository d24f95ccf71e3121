//! What Postmark knows of a webhook's health: its probes, and what it counted in the last 24 hours.

use crate::lenient::or_default;
use crate::words;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// What Postmark's probes of a webhook found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Each was answered with 200.
    pub success: bool,
    /// One for each trigger that is enabled.
    pub results: Vec<ProbeResult>,
    /// Postmark's summary: `4/5 triggers verified successfully`.
    pub message: String,
}

/// What one probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeResult {
    /// The trigger, in Postmark's word.
    pub trigger: String,
    /// It was answered with 200.
    pub success: bool,
    /// The status that came; none if there was no answer.
    pub status_code: Option<i64>,
    /// What Postmark says about it.
    pub message: String,
}

/// Postmark's summary, and what failed.
impl fmt::Display for Verification {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let summary = if self.message.is_empty() { "no summary" } else { &self.message };
        out.write_str(summary)?;
        for result in self.results.iter().filter(|result| !result.success) {
            write!(out, "; {}: ", result.trigger)?;
            match result.status_code {
                Some(status) => write!(out, "{status}")?,
                None => write!(out, "no answer")?,
            }
            if !result.message.is_empty() {
                write!(out, " ({})", result.message)?;
            }
        }
        Ok(())
    }
}

/// What Postmark counted of a webhook's requests in the last 24 hours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookStatistics {
    /// `verified` or `unverified` for each trigger, in Postmark's words.
    pub statuses: BTreeMap<String, String>,
    /// When the counting begins, as Postmark writes it.
    pub start: Option<String>,
    /// When it ends.
    pub end: Option<String>,
    /// Requests, tries again included.
    pub total: u64,
    /// Those that were answered with 200.
    pub success: u64,
    /// Those that were not.
    pub failure: u64,
    /// Tries after the first.
    pub retry: u64,
    /// Those that took long.
    pub slow: u64,
    /// Those that took very long.
    pub very_slow: u64,
    /// The same for each trigger, in Postmark's words.
    pub by_trigger: BTreeMap<String, TriggerMetrics>,
}

/// What Postmark counted of one trigger's requests, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TriggerMetrics {
    /// Requests, tries again included.
    #[serde(rename = "TotalRequests", deserialize_with = "or_default")]
    pub total: u64,
    /// Those that were answered with 200.
    #[serde(rename = "SuccessCount", deserialize_with = "or_default")]
    pub success: u64,
    /// Those that were not.
    #[serde(rename = "FailureCount", deserialize_with = "or_default")]
    pub failure: u64,
    /// Tries after the first.
    #[serde(rename = "RetryCount", deserialize_with = "or_default")]
    pub retry: u64,
    /// Those that took long.
    #[serde(rename = "SlowCount", deserialize_with = "or_default")]
    pub slow: u64,
    /// Those that took very long.
    #[serde(rename = "VerySlowCount", deserialize_with = "or_default")]
    pub very_slow: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct VerificationRow {
    success: bool,
    #[serde(default, deserialize_with = "or_default")]
    results: Vec<ProbeRow>,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ProbeRow {
    #[serde(default)]
    trigger_type: Option<String>,
    success: bool,
    #[serde(default)]
    status_code: Option<i64>,
    #[serde(default)]
    message: Option<String>,
}

impl VerificationRow {
    /// Messages are Postmark's words, or the endpoint's through it: they are kept as far as they may be printed.
    pub(crate) fn into_verification(self, token: &str) -> Verification {
        let words =
            |told: Option<String>| told.and_then(|told| words::repeatable(&told, token)).unwrap_or_default();
        Verification {
            success: self.success,
            message: words(self.message),
            results: self
                .results
                .into_iter()
                .map(|row| ProbeResult {
                    trigger: words(row.trigger_type),
                    success: row.success,
                    status_code: row.status_code,
                    message: words(row.message),
                })
                .collect(),
        }
    }
}

/// What a failed verification answers, if it is one.
pub(crate) fn verification(body: &[u8], token: &str) -> Option<Verification> {
    let row: VerificationRow = serde_json::from_slice(body).ok()?;
    Some(row.into_verification(token))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct StatisticsRow {
    #[serde(default, deserialize_with = "or_default")]
    statuses: BTreeMap<String, Option<String>>,
    #[serde(default)]
    time_range: Option<TimeRange>,
    metrics: TriggerMetrics,
    #[serde(default, deserialize_with = "or_default")]
    metrics_by_trigger: BTreeMap<String, Option<TriggerMetrics>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TimeRange {
    #[serde(default)]
    start_time: Option<String>,
    #[serde(default)]
    end_time: Option<String>,
}

impl From<StatisticsRow> for WebhookStatistics {
    fn from(row: StatisticsRow) -> WebhookStatistics {
        let (start, end) = row.time_range.map(|range| (range.start_time, range.end_time)).unwrap_or_default();
        let all = row.metrics;
        WebhookStatistics {
            statuses: row.statuses.into_iter().filter_map(|(name, status)| Some((name, status?))).collect(),
            start,
            end,
            total: all.total,
            success: all.success,
            failure: all.failure,
            retry: all.retry,
            slow: all.slow,
            very_slow: all.very_slow,
            by_trigger: row
                .metrics_by_trigger
                .into_iter()
                .map(|(name, metrics)| (name, metrics.unwrap_or_default()))
                .collect(),
        }
    }
}

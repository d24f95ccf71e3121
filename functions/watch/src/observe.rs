//! What watching tells of itself: one type whose `emit` both logs and counts.

use account::watch::{Report, WatchError};
#[cfg(feature = "lambda")]
use store::StoreError;

/// Something that happened.
pub(crate) enum Happened<'a> {
    /// A server was looked at.
    Looked { report: &'a Report },
    /// A server could not be looked at: the ledger or its token gave no answer.
    Failed { error: &'a WatchError },
    /// What is over of people's sessions could not be taken away.
    #[cfg(feature = "lambda")]
    NotSwept { error: &'a StoreError },
    /// Another run is under way.
    Busy,
    /// A run is over; how many servers there was no time for, and what Postmark sent since the last one.
    Over { servers: usize, left: usize, sent: u64 },
}

impl Happened<'_> {
    pub(crate) fn emit(self) {
        match self {
            Happened::Looked { report } => {
                metrics::counter!("WebhookConfigDrift").increment(report.drift);
                metrics::counter!("PostmarkApiErrors").increment(report.api_errors);
                metrics::counter!("ServersSilent").increment(u64::from(report.fell_silent()));
                metrics::counter!("WebhookTypeUnverified").increment(report.unverified.values().sum());
                for finding in &report.findings {
                    tracing::warn!(
                        finding.server = finding.server.get(),
                        finding.stream = finding.stream.as_deref(),
                        finding.code = finding.code,
                        finding.next = finding.next,
                        "{}",
                        finding.words
                    );
                }
            }
            Happened::Failed { error } => {
                let call = platform::counted(error);
                tracing::error!(
                    call.kind = call.kind,
                    call.code = call.code,
                    call.action = call.action,
                    error = %error,
                    "a server could not be checked; the next run does it"
                );
            }
            #[cfg(feature = "lambda")]
            Happened::NotSwept { error } => {
                let call = platform::counted(error);
                tracing::warn!(
                    call.kind = call.kind,
                    call.code = call.code,
                    call.action = call.action,
                    error = %error,
                    "sessions that are over could not be taken away; the next run does it"
                );
            }
            Happened::Busy => tracing::info!("another run is under way; this one does nothing"),
            Happened::Over { servers, left, sent } => {
                metrics::counter!("PostmarkSent").increment(sent);
                metrics::counter!("WatchRun").increment(1);
                tracing::info!(run.servers = servers, run.left = left, "the servers were checked");
            }
        }
    }
}

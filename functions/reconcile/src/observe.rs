//! What reconcile tells of itself: one type whose `emit` both logs and counts.

use crate::ReconcileError;
use crate::engagement::REPEATED;
use crate::report::{Report, Run};
use ledger::ServerId;

/// Something that happened.
pub(crate) enum Happened<'a> {
    /// A server was worked on to the end of what was due.
    Finished { report: &'a Report },
    /// A server could not be worked on, or not to the end.
    Failed { server: ServerId, error: &'a ReconcileError },
    /// Postmark's token of a server is not there.
    NoToken { server: ServerId },
    /// A run over all servers is over.
    Over { run: Run },
}

impl Happened<'_> {
    pub(crate) fn emit(self) {
        match self {
            Happened::Finished { report } => {
                let list = report.lists();
                metrics::counter!("DriftMissing").increment(list.missing);
                metrics::counter!("DriftExtra").increment(list.extra);
                metrics::counter!("DriftRepaired").increment(list.present_told + list.gone_told);
                let (mut expected, mut covered, mut unexplained) = (0, 0, 0);
                for (record_type, tally) in report.streams.values().flat_map(|stream| &stream.found) {
                    // Only webhooks tell of repeated opens.
                    if record_type != REPEATED {
                        expected += tally.expected;
                        covered += tally.recorded + tally.missing;
                        unexplained += tally.untold;
                    }
                }
                if expected > 0 {
                    metrics::histogram!("Coverage").record(100.0 * covered as f64 / expected as f64);
                }
                metrics::counter!("Unexplained").increment(unexplained);
                tracing::info!(
                    run.server = report.server.get(),
                    run.told = report.told(),
                    list.missing = list.missing,
                    list.extra = list.extra,
                    "a server was reconciled with Postmark"
                );
            }
            Happened::Failed { server, error } => {
                if matches!(error, ReconcileError::Api(_)) {
                    metrics::counter!("PostmarkApiErrors").increment(1);
                }
                let call = platform::counted(error);
                tracing::error!(
                    run.server = server.get(),
                    call.kind = call.kind,
                    call.code = call.code,
                    call.action = call.action,
                    error = %error,
                    "a server could not be reconciled; the next run continues where this one ended"
                );
            }
            Happened::NoToken { server } => {
                metrics::counter!("PostmarkApiErrors").increment(1);
                tracing::warn!(
                    run.server = server.get(),
                    "Postmark's token of a server is not there: `postledger server set --token` keeps it"
                );
            }
            Happened::Over { run } => {
                // The heartbeat. A server that cannot be asked has a metric of its own, and stops it for nobody.
                metrics::counter!("ReconcileRun").increment(1);
                tracing::info!(run.done = run.done, run.servers = run.servers, "a run of reconcile is over");
            }
        }
    }
}

//! The door's logs and metrics: one type whose `emit` both logs and counts.

use ledger::Kind;
use postmark::RefusalCode;
use queue::QueueName;

/// Something that happened at the door.
#[derive(Clone, Debug)]
pub(crate) enum Happened {
    /// An event is on its queue.
    Accepted { kind: Kind, bytes: usize, lag_seconds: f64, slot: usize, retries_remaining: Option<u32> },
    /// An event came to another type's URL.
    Misrouted,
    /// A body is on its way to quarantine.
    SetAside { server: i64, refused: RefusalCode, place: String, parts: usize },
    /// A request without a credential.
    NoCredential,
    /// A request with a wrong one. `marked`: it looks like Postmark's.
    WrongCredential { marked: bool },
    /// A request by another method.
    WrongMethod,
    /// A question for the read API, whose path is mistyped.
    Question,
    /// The queue did not accept.
    EnqueueFailed { queue: QueueName, error: queue::QueueError },
}

impl Happened {
    pub(crate) fn emit(self) {
        match self {
            Happened::Accepted { kind, bytes, lag_seconds, slot, retries_remaining } => {
                let slot = ["current", "previous"][slot.min(1)];
                metrics::counter!("EventsAccepted", "RecordType" => kind.name()).increment(1);
                metrics::counter!("EventBytes").increment(bytes as u64);
                metrics::counter!("AuthSlotUsed", "Slot" => slot).increment(1);
                metrics::histogram!("SourceLag").record(lag_seconds);
                if let Some(left) = retries_remaining {
                    metrics::histogram!("RetriesRemainingMin").record(left);
                }
                tracing::debug!(event.kind = kind.name(), event.bytes = bytes, "an event was enqueued");
            }
            Happened::Misrouted => {
                metrics::counter!("Misrouted").increment(1);
                tracing::info!("an event came to another type's URL; it was still taken in");
            }
            Happened::SetAside { server, refused, place, parts } => {
                metrics::counter!("Quarantined", "Reason" => refused.code()).increment(1);
                let reason = refused.code();
                if refused == RefusalCode::Probe {
                    tracing::info!(event.server = server, "Postmark probed the endpoint");
                } else {
                    metrics::counter!("SetAside").increment(1);
                    tracing::warn!(
                        event.server = server,
                        event.reason = reason,
                        event.place = place,
                        event.parts = parts,
                        "a body was set aside; `postledger quarantine list` shows it"
                    );
                }
            }
            Happened::NoCredential => {
                rejected("auth");
                metrics::counter!("ClientErrors4xx").increment(1);
                tracing::info!("a request without a credential was refused");
            }
            Happened::WrongCredential { marked } => {
                rejected("auth");
                let value = if marked { "yes" } else { "no" };
                metrics::counter!("CredentialMismatch", "Marked" => value).increment(1);
                tracing::warn!(request.marked = marked, "a request with a wrong credential was answered 503");
            }
            Happened::WrongMethod => {
                rejected("method");
                metrics::counter!("ClientErrors4xx").increment(1);
                tracing::info!("a request by another method than POST was refused");
            }
            Happened::Question => {
                metrics::counter!("ClientErrors4xx").increment(1);
                tracing::info!(
                    "a question for the read API came to an ingest function: its path is \
                    mistyped"
                );
            }
            Happened::EnqueueFailed { queue, error } => {
                metrics::counter!("EnqueueFailed").increment(1);
                let call = platform::counted(&error);
                tracing::error!(
                    queue.name = queue.name(),
                    call.kind = call.kind,
                    call.code = call.code,
                    call.action = call.action,
                    error = %error,
                    "an event could not be enqueued; Postmark will retry"
                );
            }
        }
    }
}

fn rejected(reason: &'static str) {
    metrics::counter!("EventsRejected", "Reason" => reason).increment(1);
}

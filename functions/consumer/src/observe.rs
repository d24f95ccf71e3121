//! What the consumer tells of itself: one type whose `emit` both logs and counts.

use ledger::Kind;
use ledger::bounce::BounceClass;
use ledger::event::{Cause, Event, What, bounce_class};
use queue::QueueName;
use store::StoreError;

/// Something that happened in the consumer.
#[derive(Clone, Debug)]
pub(crate) enum Happened {
    /// An event was recorded for the first time.
    Recorded { kind: Kind, measure: Option<&'static str> },
    /// A batch is committed; how long ago the first of it had come in.
    Committed { queue: QueueName, seconds: f64 },
    /// A copy of a recorded event was dropped.
    Duplicate { kind: Kind },
    /// A recorded copy was replaced by a better one.
    Replaced,
    /// A bounce of a type that is not known.
    UnknownType,
    /// A body was set aside.
    SetAside { reason: String },
    /// Something is tried again.
    Retried { reason: &'static str },
    /// A call to the store failed and is made again; whether it is the first of its kind in this batch.
    CallFailed { error: StoreError, first: bool },
    /// A stored view was not the fold of what is recorded; it is being folded anew.
    Drift,
    /// The store says that a request or an item is not what it should be.
    Broken { error: StoreError },
    /// Messages must come again.
    GaveBack { queue: QueueName, failed: usize, of: usize },
}

impl Happened {
    /// An event was recorded for the first time.
    pub(crate) fn recorded(event: &Event) -> Happened {
        let measure = match &event.what {
            What::Delivery => Some("Delivered"),
            What::Bounce { bounce_type, .. } => match bounce_class(bounce_type) {
                BounceClass::Hard | BounceClass::Invalid => Some("HardBounced"),
                BounceClass::Soft => Some("SoftBounced"),
                BounceClass::Block => Some("Blocked"),
                BounceClass::Complaint => Some("Complained"),
                _ => None,
            },
            What::SpamComplaint { .. } => Some("Complained"),
            What::Suppressed { cause: Cause::Unsubscribe } => Some("Unsubscribed"),
            What::Reactivated => Some("Reactivated"),
            _ => None,
        };
        Happened::Recorded { kind: event.kind(), measure }
    }

    pub(crate) fn emit(self) {
        match self {
            Happened::Recorded { kind, measure } => {
                metrics::counter!("EventsProcessed", "RecordType" => kind.name()).increment(1);
                if let Some(measure) = measure {
                    metrics::counter!(measure).increment(1);
                }
            }
            Happened::Committed { queue, seconds } => {
                metrics::histogram!("EndToEndLatency", "Queue" => queue.name()).record(seconds);
            }
            Happened::Duplicate { kind } => {
                metrics::counter!("EventsDuplicate", "RecordType" => kind.name()).increment(1);
            }
            Happened::Replaced => metrics::counter!("EventsReplaced").increment(1),
            Happened::UnknownType => {
                metrics::counter!("UnknownType").increment(1);
                tracing::warn!("a bounce of an unknown type; it counts as unknown");
            }
            Happened::SetAside { reason } => {
                tracing::warn!(
                    event.reason = reason,
                    "an event was set aside; `postledger quarantine list` shows it"
                );
                metrics::counter!("Quarantined", "Reason" => reason).increment(1);
                metrics::counter!("SetAside").increment(1);
            }
            Happened::Retried { reason } => {
                metrics::counter!("CommitRetried", "Reason" => reason).increment(1);
                tracing::debug!(retry.reason = reason, "a call to the store is tried again");
            }
            Happened::CallFailed { error, first } => {
                let call = platform::counted(&error);
                if first {
                    tracing::error!(
                        call.kind = call.kind,
                        call.code = call.code,
                        call.action = call.action,
                        error = %error,
                        "a call to the store failed; it is tried again"
                    );
                }
            }
            Happened::Drift => {
                metrics::counter!("CommitRetried", "Reason" => "drift").increment(1);
                tracing::error!("a view is not the fold of what is recorded; it is folded again");
            }
            Happened::Broken { error } => {
                let call = platform::counted(&error);
                tracing::error!(
                    call.kind = call.kind,
                    call.code = call.code,
                    call.action = call.action,
                    error = %error,
                    "the store refuses; messages stay queued"
                );
            }
            Happened::GaveBack { queue, failed, of } => {
                tracing::warn!(
                    queue.name = queue.name(),
                    batch.failed = failed,
                    batch.messages = of,
                    "messages were given back; SQS hands them out again"
                );
            }
        }
    }
}

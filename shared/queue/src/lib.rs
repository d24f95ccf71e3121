//! The queues between the door and the ledger.
//!
//! Invariant: a message that was accepted is delivered at least once, in no promised order, until it is
//! deleted, or comes to rest in its dead-letter queue. The port has the semantics of SQS standard queues; the
//! memory implementation is held to them by the same contract suite ([`contract`]) as the one for AWS.

#[cfg(any(test, feature = "testing"))]
pub mod contract;
mod envelope;
mod erased;
#[cfg(any(test, feature = "testing"))]
mod faulty;
mod memory;
mod set_aside;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "sqs-send")]
pub mod sqs;
mod trusted;
mod version;

pub use envelope::Envelope;
pub use erased::Erased;
#[cfg(any(test, feature = "testing"))]
pub use faulty::Faulty;
pub use memory::{Memory, Settings};
pub use set_aside::{PART_BYTES_MAX, Part, REVOKED, SetAside};
#[cfg(feature = "sqlite")]
pub use sqlite::Sqlite;
#[cfg(feature = "sqs")]
pub use sqs::Sqs;
#[cfg(feature = "sqs-send")]
pub use sqs::SqsSender;
pub use trusted::Trusted;
pub use version::{CAUSE_VERSION, ENVELOPE_VERSION, ERASED_VERSION, EnvelopeError};

use async_trait::async_trait;
use ledger::{Class, Kind};
use platform::{CallFailed, Variable, config};
use std::time::Duration;

/// The largest message that we put on a queue, in bytes. SQS takes 1 MiB but bills each 64 KiB.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// The largest message that SQS takes, in bytes.
pub const SQS_BYTES_MAX: usize = 1024 * 1024;
/// How long a received message of a live queue stays invisible: more than six times the consumer's timeout and the
/// bulk queue's batching window, as Lambda's mappings ask for.
pub const VISIBILITY: Duration = Duration::from_secs(200);
/// After how many receives a message becomes a dead letter: eleven hours of receives while the tables are down.
pub const RECEIVES_MAX: u32 = 200;
/// The most messages that one receive returns, as with SQS.
pub const RECEIVE_MAX: usize = 10;

/// The queues, and for each its dead-letter queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QueueName {
    /// Events that change state.
    Critical,
    /// Deliveries, opens and clicks.
    Bulk,
    /// Bodies that were set aside.
    Quarantine,
    /// What could not be consumed from the critical queue.
    CriticalDead,
    /// What could not be consumed from the bulk queue.
    BulkDead,
    /// What could not be consumed from the quarantine queue.
    QuarantineDead,
}

impl QueueName {
    /// The queues that are consumed.
    pub const LIVE: [QueueName; 3] = [QueueName::Critical, QueueName::Bulk, QueueName::Quarantine];

    /// All queues.
    pub const ALL: [QueueName; 6] = [
        QueueName::Critical,
        QueueName::Bulk,
        QueueName::Quarantine,
        QueueName::CriticalDead,
        QueueName::BulkDead,
        QueueName::QuarantineDead,
    ];

    /// The queue for events of a kind: a campaign's opens must not hold up a complaint.
    pub const fn of(kind: Kind) -> QueueName {
        match kind.class() {
            Class::State => QueueName::Critical,
            Class::Delivery | Class::Engagement => QueueName::Bulk,
        }
    }

    /// The queue that its messages go to after too many receives; a dead-letter queue has none itself.
    pub const fn dead(self) -> Option<QueueName> {
        match self {
            QueueName::Critical => Some(QueueName::CriticalDead),
            QueueName::Bulk => Some(QueueName::BulkDead),
            QueueName::Quarantine => Some(QueueName::QuarantineDead),
            QueueName::CriticalDead | QueueName::BulkDead | QueueName::QuarantineDead => None,
        }
    }

    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            QueueName::Critical => "critical",
            QueueName::Bulk => "bulk",
            QueueName::Quarantine => "quarantine",
            QueueName::CriticalDead => "critical-dlq",
            QueueName::BulkDead => "bulk-dlq",
            QueueName::QuarantineDead => "quarantine-dlq",
        }
    }

    /// The variable that tells a function its URL on AWS.
    pub const fn variable(self) -> Variable {
        match self {
            QueueName::Critical => config::CRITICAL_QUEUE_URL,
            QueueName::Bulk => config::BULK_QUEUE_URL,
            QueueName::Quarantine => config::QUARANTINE_QUEUE_URL,
            QueueName::CriticalDead => config::CRITICAL_DLQ_URL,
            QueueName::BulkDead => config::BULK_DLQ_URL,
            QueueName::QuarantineDead => config::QUARANTINE_DLQ_URL,
        }
    }

    /// The name on AWS, where a stack's name comes first: `us-prod-critical`.
    pub fn in_stack(self, stack: &str) -> String {
        format!("{stack}-{}", self.name())
    }

    /// The queue that a name on AWS, or an ARN, ends with.
    pub fn at_the_end_of(name: &str) -> Option<QueueName> {
        let ends =
            |queue: &QueueName| name.strip_suffix(queue.name()).is_some_and(|rest| rest.ends_with('-'));
        QueueName::ALL.into_iter().find(ends)
    }
}

/// A message as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The same over all its receives.
    pub id: String,
    /// The handle of this receive; deletes it.
    pub receipt: String,
    /// What was sent.
    pub body: String,
    /// How often it has been received, this time included.
    pub receives: u32,
    /// Who sent it, as SQS says; none if the queue is in this process.
    pub sender: Option<String>,
}

/// How many messages there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// That can be received now.
    pub visible: usize,
    /// That are received and not yet deleted.
    pub in_flight: usize,
}

/// Why a call failed. It never quotes a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// The message is larger than SQS takes.
    #[error("the message is larger than {SQS_BYTES_MAX} bytes")]
    TooLarge,
    /// The message is empty or holds a character that SQS refuses.
    #[error("the message is empty or holds a character that SQS refuses")]
    BadCharacter,
    /// There is no such queue, or its URL is not known here.
    #[error("there is no {} queue", .0.name())]
    NoSuchQueue(QueueName),
    /// The queue refused or did not answer in time, and why; a message may have been taken.
    #[error("the queue cannot be used: {0}")]
    Failed(#[from] CallFailed),
}

/// Puts messages on queues. All that the door needs.
#[async_trait]
pub trait Sender: Send + Sync {
    /// Returns once the message is durable.
    ///
    /// # Errors
    /// Whatever keeps it from being durable.
    async fn send(&self, to: QueueName, body: &str) -> Result<(), QueueError>;
}

/// Takes messages from queues.
#[async_trait]
pub trait Queue: Sender {
    /// Up to `max` (at most [`RECEIVE_MAX`]) messages, which nobody else receives until their visibility
    /// timeout is over. Does not wait for messages.
    async fn receive(&self, from: QueueName, max: usize) -> Result<Vec<Message>, QueueError>;

    /// Deletes received messages. A receipt from before the latest receive deletes nothing.
    ///
    /// # Errors
    /// [`QueueError::Failed`]; some may have been deleted.
    async fn delete(&self, from: QueueName, receipts: &[String]) -> Result<(), QueueError>;

    /// How many messages there are (about, on AWS).
    async fn depth(&self, of: QueueName) -> Result<Depth, QueueError>;
}

/// Checks what SQS checks of a message body.
pub(crate) fn check_body(body: &str) -> Result<(), QueueError> {
    if body.len() > SQS_BYTES_MAX {
        return Err(QueueError::TooLarge);
    }
    let taken = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    if body.is_empty() || !body.chars().all(taken) { Err(QueueError::BadCharacter) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_known_by_the_end_of_its_name() {
        for name in QueueName::ALL {
            let arn = format!("arn:aws:sqs:eu-west-1:123456789012:{}", name.in_stack("bulk-eu"));
            assert_eq!(QueueName::at_the_end_of(&arn), Some(name));
        }
        for other in ["critical", "eu-criticals", "eu_bulk", ""] {
            assert_eq!(QueueName::at_the_end_of(other), None, "{other}");
        }
    }
}

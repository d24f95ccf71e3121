//! The queues of a deployed stack, as an operator sends to them: the consumer believes an operator's telling of those
//! alone whom the stack names, so whoever is not among them is told here, before anything is sent.

use crate::next_step::NOT_AMONG_OPERATORS;
use async_trait::async_trait;
use aws::Link;
use platform::{CallFailed, FailureKind};
use queue::{Depth, Message, Queue, QueueError, QueueName, Sender, Sqs, Trusted};
use tokio::sync::OnceCell;

/// The queues, and who may tell.
pub(super) struct AsOperator {
    queues: Sqs,
    link: Link,
    trusted: Trusted,
    checked: OnceCell<()>,
}

impl AsOperator {
    /// Over a stack's queues.
    pub(super) fn new(queues: Sqs, link: Link, trusted: Trusted) -> AsOperator {
        AsOperator { queues, link, trusted, checked: OnceCell::new() }
    }

    async fn check(&self) -> Result<(), QueueError> {
        if self.trusted == Trusted::All {
            return Ok(());
        }
        let checked = self.checked.get_or_try_init(async || {
            let id = self.link.caller_id().await?;
            let refused = || CallFailed::new(FailureKind::AccessDenied).with_code(NOT_AMONG_OPERATORS);
            if self.trusted.sent(Some(&id)) { Ok(()) } else { Err(refused()) }
        });
        Ok(checked.await.copied()?)
    }
}

#[async_trait]
impl Sender for AsOperator {
    async fn send(&self, to: QueueName, body: &str) -> Result<(), QueueError> {
        self.check().await?;
        self.queues.send(to, body).await
    }
}

#[async_trait]
impl Queue for AsOperator {
    async fn receive(&self, from: QueueName, max: usize) -> Result<Vec<Message>, QueueError> {
        self.queues.receive(from, max).await
    }

    async fn delete(&self, from: QueueName, receipts: &[String]) -> Result<(), QueueError> {
        self.queues.delete(from, receipts).await
    }

    async fn depth(&self, of: QueueName) -> Result<Depth, QueueError> {
        self.queues.depth(of).await
    }
}

//! A queue that fails by plan, whatever implementation is behind it.

use crate::{Depth, Message, Queue, QueueError, QueueName, Sender};
use async_trait::async_trait;
use faults::{Fault, Plan};
use platform::{CallFailed, FailureKind};
use std::sync::Arc;

/// Calls go through under a plan. They are named `send`, `receive`, `delete` and `depth`.
pub struct Faulty {
    inner: Arc<dyn Queue>,
    plan: Plan,
}

impl Faulty {
    /// A queue under a plan.
    pub fn new(inner: Arc<dyn Queue>, plan: Plan) -> Faulty {
        Faulty { inner, plan }
    }
}

/// As SQS would tell of a fault.
fn failed(fault: Fault) -> QueueError {
    QueueError::Failed(match fault {
        Fault::LoseAnswer => FailureKind::Timeout.into(),
        Fault::Deny => CallFailed::new(FailureKind::AccessDenied).with_code("AccessDeniedException"),
        _ => CallFailed::new(FailureKind::Fault).with_code("InternalError"),
    })
}

#[async_trait]
impl Sender for Faulty {
    async fn send(&self, to: QueueName, body: &str) -> Result<(), QueueError> {
        self.plan.call("send", self.inner.send(to, body), failed).await
    }
}

#[async_trait]
impl Queue for Faulty {
    async fn receive(&self, from: QueueName, max: usize) -> Result<Vec<Message>, QueueError> {
        self.plan.call("receive", self.inner.receive(from, max), failed).await
    }

    async fn delete(&self, from: QueueName, receipts: &[String]) -> Result<(), QueueError> {
        self.plan.call("delete", self.inner.delete(from, receipts), failed).await
    }

    async fn depth(&self, of: QueueName) -> Result<Depth, QueueError> {
        self.plan.call("depth", self.inner.depth(of), failed).await
    }
}

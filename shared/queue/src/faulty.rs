//! A queue that fails by plan, whatever implementation is behind it.

use crate::{Depth, Message, Queue, QueueError, QueueName, Sender};
use async_trait::async_trait;
use faults::Plan;
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

#[async_trait]
impl Sender for Faulty {
    async fn send(&self, to: QueueName, body: &str) -> Result<(), QueueError> {
        self.plan.call("send", self.inner.send(to, body), |_| QueueError::Unavailable).await
    }
}

#[async_trait]
impl Queue for Faulty {
    async fn receive(&self, from: QueueName, max: usize) -> Result<Vec<Message>, QueueError> {
        self.plan.call("receive", self.inner.receive(from, max), |_| QueueError::Unavailable).await
    }

    async fn delete(&self, from: QueueName, receipts: &[String]) -> Result<(), QueueError> {
        self.plan.call("delete", self.inner.delete(from, receipts), |_| QueueError::Unavailable).await
    }

    async fn depth(&self, of: QueueName) -> Result<Depth, QueueError> {
        self.plan.call("depth", self.inner.depth(of), |_| QueueError::Unavailable).await
    }
}

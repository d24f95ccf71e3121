//! Sweeping what is left of erased recipients: in the tables, in quarantine, among the dead letters.
//!
//! Invariants:
//! - What is stripped is written before what it replaces is deleted, and everything may be done again: a run that is
//!   killed anywhere leaves nothing half done that the next one does not finish.
//! - A recipient is swept until what was on its way when it was erased can be nowhere any more.
//! - Where nobody is to be swept, a run is one call.

#[cfg(feature = "lambda")]
mod lambda;
mod observe;
mod quarantine;

#[cfg(feature = "lambda")]
pub use lambda::run;

use erasure::Erasures;
use ledger::{LedgerKey, RecipientId, ServerId};
use observe::Happened;
use platform::Clock;
use queue::{Queue, QueueError, QueueName, RECEIVE_MAX};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use store::erase::SWEPT_DAYS;
use store::{Store, StoreError};
use tokio::time::Instant;

/// How often in a row a queue must yield nothing until it is taken for empty: one receive of SQS asks some of its
/// servers only.
const EMPTY_MAX: u32 = 5;
/// The pause before a queue that yielded nothing is asked again.
const EMPTY_PAUSE: Duration = Duration::from_millis(50);

/// Why a run ended early. What was swept until then is swept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SweepError {
    /// The tables.
    #[error("the tables: {0}")]
    Store(#[from] StoreError),
    /// The queues.
    #[error("the queues: {0}")]
    Queue(#[from] QueueError),
    /// What the tables hold of how far it is cannot be read.
    #[error("how far sweeping is cannot be read")]
    Unreadable,
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swept {
    /// How many recipients were to be swept.
    pub recipients: usize,
    /// Of how many of them the events could not be stripped; the next run does it.
    pub failed: usize,
    /// How many events were stripped.
    pub events: usize,
    /// How many parts in quarantine were stripped.
    pub parts: usize,
    /// How many dead letters were stripped.
    pub letters: usize,
    /// How many recipients need not be swept any more.
    pub done: usize,
    /// Whether there was time for all.
    pub finished: bool,
}

/// What sweeps a stack.
pub struct Sweep {
    /// The tables.
    pub store: Arc<dyn Store>,
    /// The queues.
    pub queue: Arc<dyn Queue>,
    /// What makes recipient ids.
    pub ledger_key: LedgerKey,
    /// What time it is.
    pub clock: Clock,
}

fn is_late(until: Option<Instant>) -> bool {
    until.is_some_and(|until| Instant::now() >= until)
}

impl Sweep {
    /// Sweeps as far as there is time; the next run goes on.
    ///
    /// # Errors
    /// The ports' own.
    pub async fn run(&self, until: Option<Instant>) -> Result<Swept, SweepError> {
        let swept = self.all(until).await?;
        if swept.recipients > 0 {
            Happened::Over { swept }.emit();
        }
        Ok(swept)
    }

    async fn all(&self, until: Option<Instant>) -> Result<Swept, SweepError> {
        let erased = self.store.erased().await?;
        let due: Vec<store::Erased> = erased.iter().filter(|one| one.swept.is_none()).copied().collect();
        let mut swept = Swept { recipients: due.len(), ..Swept::default() };
        if due.is_empty() {
            return Ok(Swept { finished: true, ..swept });
        }
        let mut failed: BTreeSet<(ServerId, RecipientId)> = BTreeSet::new();
        for one in &due {
            if is_late(until) {
                return Ok(swept);
            }
            match store::erase::strip(&*self.store, one.server, one.recipient).await {
                Ok(stripped) => swept.events += stripped.events,
                Err(error) => {
                    failed.insert((one.server, one.recipient));
                    Happened::Failed { error: &error }.emit();
                }
            }
        }
        swept.failed = failed.len();
        let erased: Erasures = erased.into_iter().collect();
        let Some(began) = self.quarantine(&erased, until, &mut swept).await? else {
            return Ok(swept);
        };
        for dead in QueueName::LIVE.into_iter().filter_map(QueueName::dead) {
            if !self.dead_letters(dead, &erased, until, &mut swept).await? {
                return Ok(swept);
            }
        }
        for one in due {
            if one.at.plus_days(SWEPT_DAYS) <= began && !failed.contains(&(one.server, one.recipient)) {
                self.store.mark_swept(one.server, one.recipient, (self.clock)()).await?;
                swept.done += 1;
            }
        }
        swept.finished = true;
        Ok(swept)
    }

    /// Takes the erased out of the dead letters of a queue; whether there was time for it. Others are received and
    /// become visible again by themselves.
    async fn dead_letters(
        &self,
        dead: QueueName,
        erased: &Erasures,
        until: Option<Instant>,
        swept: &mut Swept,
    ) -> Result<bool, SweepError> {
        let depth = self.queue.depth(dead).await?;
        // Where fewer are told of than there are, one receive's worth is looked at nevertheless.
        let mut left = (depth.visible + depth.in_flight).max(RECEIVE_MAX);
        let mut empty = 0;
        while left > 0 && empty < EMPTY_MAX {
            if is_late(until) {
                return Ok(false);
            }
            let messages = self.queue.receive(dead, RECEIVE_MAX.min(left)).await?;
            if messages.is_empty() {
                empty += 1;
                tokio::time::sleep(EMPTY_PAUSE).await;
                continue;
            }
            left -= messages.len();
            for message in messages {
                let Some(stripped) = erased.strip_message(&self.ledger_key, &message.body) else { continue };
                self.queue.send(dead, &stripped).await?;
                self.queue.delete(dead, &[message.receipt]).await?;
                // It comes by again, as what there is nothing to strip of.
                left += 1;
                swept.letters += 1;
            }
        }
        Ok(true)
    }
}

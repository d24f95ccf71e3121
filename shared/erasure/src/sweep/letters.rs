//! The dead letters.

use super::{Sweep, SweepError, is_late};
use crate::{Erasures, Swept};
use ledger::Time;
use queue::{QueueName, RECEIVE_MAX};
use std::time::Duration;
use tokio::time::Instant;

/// How often in a row a queue must return nothing until it counts as empty: one receive asks only some of SQS's servers.
const EMPTY_MAX: u32 = 5;
/// The pause before a queue that returned nothing is asked again.
const EMPTY_PAUSE: Duration = Duration::from_millis(50);

impl Sweep {
    /// Takes the erased out of all dead letters. When that began, if there was time for it.
    pub(super) async fn letters(
        &self,
        erased: &Erasures,
        until: Option<Instant>,
        swept: &mut Swept,
    ) -> Result<Option<Time>, SweepError> {
        let began = (self.clock)();
        for dead in QueueName::LIVE.into_iter().filter_map(QueueName::dead) {
            if !self.dead_letters(dead, erased, until, swept).await? {
                return Ok(None);
            }
        }
        Ok(Some(began))
    }

    /// Removes erased people from the dead letters of a queue. Returns whether there was time for it. Other messages are
    /// received too, and become visible again by themselves.
    async fn dead_letters(
        &self,
        dead: QueueName,
        erased: &Erasures,
        until: Option<Instant>,
        swept: &mut Swept,
    ) -> Result<bool, SweepError> {
        let depth = self.queue.depth(dead).await?;
        // The number that SQS reports may be too low, so one receive's worth is looked at in any case.
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

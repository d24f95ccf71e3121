//! Sweeping what is left of erased recipients: in the tables, in quarantine, among the dead letters.
//!
//! Invariants:
//! - What is stripped is written before what it replaces is deleted, and everything may be done again: a run that is
//!   killed anywhere leaves nothing half done that the next one does not finish.
//! - A recipient is swept until what was on its way when it was erased can be nowhere any more.
//! - Quarantine, dead letters and recipients have each their part of a run's time, and servers take turns: none waits for
//!   another's.
//! - How far a run is, is kept: one that ends early, or dies, is gone on with. A body that runs die at is not read again.
//! - Where nobody is to be swept, a run is one call.

mod letters;
mod progress;
mod quarantine;
mod recipients;

use crate::observe::Happened;
use crate::{Erasures, SWEPT_DAYS, Swept};
use ledger::{LedgerKey, Time};
use platform::Clock;
use queue::{Queue, QueueError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::{Store, StoreError};
use tokio::time::Instant;

/// How much of a run's time the quarantine may take, and the dead letters after it, in hundredths. Recipients have the
/// rest, and what those leave.
const QUARANTINE_SHARE: u32 = 40;
const LETTERS_SHARE: u32 = 20;
const _: () = assert!(QUARANTINE_SHARE + LETTERS_SHARE < 100);
/// The name of the document that tells which passes went to their end.
const THROUGH: &str = "through";

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
        let erased: Erasures = erased.into_iter().collect();
        let mut through = self.progress::<Through>(THROUGH).await?;
        let shares = shares(until);
        // Each of the three has its time, whatever becomes of the others.
        let quarantine = self.quarantine(&erased, shares[0], &mut swept).await;
        let letters = self.letters(&erased, shares[1], &mut swept).await;
        let began = |began: &Result<Option<Time>, SweepError>| began.as_ref().ok().copied().flatten();
        let before = through.at;
        through.at.quarantine = began(&quarantine).max(before.quarantine);
        through.at.letters = began(&letters).max(before.letters);
        if through.at != before {
            self.keep(&mut through).await?;
        }
        let recipients = self.recipients(&due, &through.at, until, &mut swept).await;
        swept.finished = quarantine?.is_some() & letters?.is_some() & recipients?;
        Ok(swept)
    }
}

/// When the last pass began that went to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Through {
    /// Through the quarantine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quarantine: Option<Time>,
    /// Through the dead letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    letters: Option<Time>,
}

impl Through {
    /// Whether all that was on its way when somebody was erased had arrived before both began.
    fn holds_all_of(&self, one: &store::Erased) -> bool {
        let arrived = Some(one.at.plus_days(SWEPT_DAYS));
        arrived <= self.quarantine && arrived <= self.letters
    }
}

/// Until when the quarantine, and then the dead letters, may take, of a run that ends at an instant.
fn shares(until: Option<Instant>) -> [Option<Instant>; 2] {
    let now = Instant::now();
    let left = until.map(|until| until.saturating_duration_since(now));
    [QUARANTINE_SHARE, QUARANTINE_SHARE + LETTERS_SHARE]
        .map(|share| left.map(|left| now + left * share / 100))
}

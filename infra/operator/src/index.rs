//! The index by time: what it holds, and filling older events into it.

use crate::messages::{Index, IndexFill, IndexNote, IndexState};
use crate::{Operator, unusable};
use account::audit::Who;
use account::audited::Change;
use api::problem::Problem;
use ledger::ServerId;
use serde_json::{Value, json};
use store::ByTime;
use store::by_time::{self, FillError, Wholeness};

fn of_fill(error: FillError) -> Problem {
    match error {
        FillError::Store(error) => error.into(),
        FillError::Off => unusable(error).next("deploy the stack with ByTime=true, or with a portal"),
        FillError::TooSoon(_) => unusable(error).next("run it again after that time"),
        FillError::Switched => {
            unusable(error).next("deploy to its end, then run it again: it reads all events anew")
        }
        FillError::Elsewhere => unusable(error).next("let that run come to its end"),
    }
}

impl Operator {
    /// What the index holds.
    pub(crate) async fn index(&self) -> Result<Index, Problem> {
        let partial = |whole_from| (IndexState::Partial, whole_from);
        let (state, whole_from) = match by_time::wholeness(&*self.store).await? {
            Wholeness::Off => (IndexState::Off, None),
            Wholeness::Whole => (IndexState::Whole, None),
            Wholeness::From(from) => partial(Some(from.into())),
            Wholeness::Unknown => partial(None),
        };
        let is_partial = state == IndexState::Partial;
        let events = if is_partial { Some(self.store.events_about().await?) } else { None };
        let so_far = if is_partial { by_time::so_far(&*self.store).await? } else { Default::default() };
        Ok(Index { state, whole_from, events, read: so_far.read, filled: so_far.filled })
    }

    /// Notes that the index was switched on, or that it is about to be switched; nothing where it cannot be.
    pub(crate) async fn note_index(&self, note: IndexNote) -> Result<Index, Problem> {
        if self.store.by_time() == ByTime::Always {
            return self.index().await;
        }
        let now = (self.clock)();
        match note {
            IndexNote::On => by_time::note_on(&*self.store, now, false).await?,
            IndexNote::New => by_time::note_on(&*self.store, now, true).await?,
            IndexNote::Off => by_time::note_off(&*self.store).await?,
        }
        self.index().await
    }

    /// Puts the events into the index that are not in it.
    pub(crate) async fn fill_index(&self, who: &Who, fill: IndexFill) -> Result<Index, Problem> {
        let asked = json!({ "rate": fill.rate });
        let change = Change { server: ServerId::NONE, what: "index.fill", target: None, asked };
        let work = async {
            let progress = |so_far: by_time::Filled| self.watched.tell(so_far.read, so_far.filled);
            let filled = by_time::fill(&*self.store, &self.clock, fill.rate, progress).await;
            let by_time::Filled { read, filled } = filled.map_err(of_fill)?;
            Ok(Index { state: IndexState::Whole, whole_from: None, events: None, read, filled })
        };
        let told = |index: &Index| -> Value { json!({ "read": index.read, "filled": index.filled }) };
        self.noted(who, change, work, told).await
    }
}

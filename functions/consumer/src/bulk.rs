//! Deliveries, opens and clicks: they touch no state and need no read. Transactions of events and counter
//! adds; what is recorded already tells itself by the condition.

use crate::observe::Happened;
use crate::{AT_ONCE, Backoff, Batch, Consumer, EventKey, Item, Next};
use futures_util::future::join_all;
use ledger::counters::{Counters, Hour};
use ledger::event::Class;
use std::collections::{BTreeMap, HashSet, VecDeque};
use store::{ACTIONS_MAX, Action, Cancel, Recorded, Seen, TRANSACTION_BYTES_MAX};

/// Events of one transaction, and what they count as.
#[derive(Default)]
struct Chunk {
    items: Vec<Item>,
    counters: Counters,
    bytes: usize,
}

impl Chunk {
    /// One event alone.
    fn of(item: Item) -> Chunk {
        let mut chunk = Chunk::default();
        chunk.counters.add(&item.recorded.event, 1);
        chunk.items.push(item);
        chunk
    }
}

/// What became of a chunk.
#[derive(Default)]
struct Outcome {
    /// What is to be tried again.
    again: Vec<Item>,
    /// Events to try again after a pause, because something delays them that does not delay others.
    later: Vec<Item>,
}

impl Consumer {
    /// Commits events without state, in as few transactions as they fit, those at once that touch nothing in
    /// common.
    pub(crate) async fn commit_bulk(&self, items: BTreeMap<EventKey, Item>, batch: &Batch) {
        let mut items: Vec<Item> = items.into_values().collect();
        // Those that count in the same place side by side: the fewest counters for each transaction.
        items.sort_by_cached_key(|item| Hour::of(&item.recorded.event));
        let mut pending: VecDeque<Item> = items.into();
        let mut later: Vec<Item> = Vec::new();
        let mut backoff = Backoff::new();
        while !batch.time_is_up() {
            if pending.is_empty() {
                if later.is_empty() {
                    break;
                }
                backoff.wait(batch).await;
                pending.extend(later.drain(..));
            }
            let chunks = disjoint_chunks(&mut pending);
            for outcome in join_all(chunks.into_iter().map(|chunk| self.commit_events(chunk, batch))).await {
                pending.extend(outcome.again);
                later.extend(outcome.later);
            }
        }
    }

    async fn commit_events(&self, chunk: Chunk, batch: &Batch) -> Outcome {
        let mut actions: Vec<Action> =
            chunk.items.iter().map(|item| Action::Record(item.recorded.clone())).collect();
        actions.extend(self.count(&chunk.counters, Class::Delivery));
        let mut outcome = Outcome::default();
        match self.commit(&actions, batch).await {
            Ok(()) => {
                for item in &chunk.items {
                    Happened::recorded(&item.recorded.event).emit();
                    batch.done(item);
                }
            }
            Err(Next::Again) => outcome.later = chunk.items,
            Err(Next::Never) => {}
            Err(Next::TooLarge) if chunk.items.len() > 1 => {
                for item in chunk.items {
                    let one = Box::pin(self.commit_events(Chunk::of(item), batch)).await;
                    outcome.again.extend(one.again);
                    outcome.later.extend(one.later);
                }
            }
            Err(Next::TooLarge) => {
                for item in &chunk.items {
                    self.set_aside_uncommittable(item, batch).await;
                }
            }
            Err(Next::Cancelled(reasons)) => {
                let of_counters = chunk.counters.iter().map(|(hour, _)| hour);
                let of_counters = of_counters.zip(&reasons[chunk.items.len()..]);
                let busy: HashSet<Hour> = of_counters
                    .filter(|(_, reason)| **reason != Cancel::None)
                    .map(|(hour, _)| hour.clone())
                    .collect();
                for (item, reason) in chunk.items.into_iter().zip(reasons) {
                    match reason {
                        Cancel::Recorded(old) => self.resolve_duplicate(item, *old, batch).await,
                        Cancel::None if !busy.contains(&Hour::of(&item.recorded.event)) => {
                            outcome.again.push(item);
                        }
                        _ => outcome.later.push(item),
                    }
                }
            }
        }
        outcome
    }

    /// The counter adds of a transaction, in this environment's shard for a class.
    pub(crate) fn count(&self, counters: &Counters, class: Class) -> impl Iterator<Item = Action> {
        let shard = self.shards.of(class);
        counters.iter().map(move |(hour, counts)| Action::Count(hour.clone(), shard, counts.clone()))
    }

    /// An event whose copy is recorded already: a worse or equal copy is dropped, a better one replaces it and
    /// moves its count, in a transaction of its own.
    async fn resolve_duplicate(&self, item: Item, mut old: Recorded, batch: &Batch) {
        let new = &item.recorded;
        let kind = new.event.kind();
        let mut backoff = Backoff::new();
        while !batch.time_is_up() {
            if new.event.rank() >= old.event.rank() {
                Happened::Duplicate { kind }.emit();
                batch.done(&item);
                return;
            }
            let mut moved = Counters::default();
            moved.add(&old.event, -1);
            moved.add(&new.event, 1);
            let mut actions = vec![Action::Replace(new.clone(), Seen::from(&old.event))];
            actions.extend(self.count(&moved, new.event.class()));
            match self.commit(&actions, batch).await {
                Ok(()) => {
                    Happened::Replaced.emit();
                    batch.done(&item);
                    return;
                }
                Err(Next::Again) => backoff.wait(batch).await,
                Err(Next::Never) => return,
                Err(Next::TooLarge) => return self.set_aside_uncommittable(&item, batch).await,
                Err(Next::Cancelled(reasons)) => match reasons.into_iter().next() {
                    Some(Cancel::Recorded(other)) => old = *other,
                    // It has expired in between; the message comes again and finds nothing recorded.
                    Some(Cancel::Gone) => return,
                    _ => backoff.wait(batch).await,
                },
            }
        }
    }
}

/// Chunks that touch nothing in common: no two count in the same hour of a stream. What would meet another
/// chunk's hour waits for the next round.
fn disjoint_chunks(pending: &mut VecDeque<Item>) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut open = Chunk::default();
    let mut taken: HashSet<Hour> = HashSet::new();
    let mut later = VecDeque::new();
    for item in pending.drain(..) {
        let hour = Hour::of(&item.recorded.event);
        if taken.contains(&hour) || chunks.len() == AT_ONCE {
            later.push_back(item);
            continue;
        }
        let weight = item.recorded.weight();
        open.counters.add(&item.recorded.event, 1);
        // Hours weigh about as much as events.
        let fits = open.items.len() + 1 + open.counters.len() <= ACTIONS_MAX
            && open.bytes + weight <= TRANSACTION_BYTES_MAX / 2;
        if fits || open.items.is_empty() {
            open.bytes += weight;
            open.items.push(item);
            continue;
        }
        open.counters.add(&item.recorded.event, -1);
        taken.extend(open.counters.iter().map(|(hour, _)| hour.clone()));
        chunks.push(std::mem::take(&mut open));
        if taken.contains(&hour) || chunks.len() == AT_ONCE {
            later.push_back(item);
        } else {
            open.counters.add(&item.recorded.event, 1);
            open.bytes = weight;
            open.items.push(item);
        }
    }
    if !open.items.is_empty() {
        chunks.push(open);
    }
    *pending = later;
    chunks
}

//! Deliveries, opens and clicks: they touch no state and need no read. Transactions of events and counter
//! adds; what is recorded already tells itself by the condition.

use crate::observe::Happened;
use crate::{Backoff, Batch, Consumer, EventKey, Item, Next};
use ledger::counters::Counters;
use ledger::event::Class;
use std::collections::{BTreeMap, VecDeque};
use store::{ACTIONS_MAX, Action, Cancel, Recorded, Seen, TRANSACTION_BYTES_MAX};

impl Consumer {
    /// Commits events without state, in as few transactions as they fit.
    pub(crate) async fn commit_bulk(&self, items: BTreeMap<EventKey, Item>, batch: &mut Batch) {
        let mut pending: VecDeque<Item> = items.into_values().collect();
        let mut backoff = Backoff::new();
        let mut events_max = ACTIONS_MAX;
        while !pending.is_empty() && !batch.time_is_up() {
            let (chunk, actions) = self.next_chunk(&mut pending, events_max);
            let error = match self.store.commit(actions).await {
                Ok(()) => {
                    for item in &chunk {
                        Happened::recorded(&item.recorded.event).emit();
                        batch.done(item);
                    }
                    backoff = Backoff::new();
                    continue;
                }
                Err(error) => error,
            };
            match self.not_committed(error, &mut backoff, batch).await {
                Next::Again => pending.extend(chunk),
                Next::Part if chunk.len() > 1 => {
                    events_max = 1;
                    pending.extend(chunk);
                }
                Next::Part => {
                    for item in &chunk {
                        self.set_aside_uncommittable(item, batch).await;
                    }
                }
                Next::Look(reasons) => {
                    let mut reasons = reasons.into_iter();
                    let mut known = false;
                    for item in chunk {
                        match reasons.next() {
                            Some(Cancel::Recorded(old)) => {
                                known = true;
                                self.settle(item, *old, batch).await;
                            }
                            _ => pending.push_back(item),
                        }
                    }
                    if !known {
                        backoff.wait(batch).await;
                    }
                }
            }
        }
    }

    /// As many items as fit a transaction, at most `events_max`, the events first, then their counters.
    fn next_chunk(&self, pending: &mut VecDeque<Item>, events_max: usize) -> (Vec<Item>, Vec<Action>) {
        let mut chunk: Vec<Item> = Vec::new();
        let mut counters = Counters::default();
        let mut events = Vec::new();
        let mut bytes = 0;
        while chunk.len() < events_max
            && let Some(item) = pending.pop_front()
        {
            let record = Action::Record(item.recorded.clone());
            let weight = record.weight();
            counters.add(&item.recorded.event, 1);
            // Hours weigh about as much as events.
            let fits = events.len() + 1 + counters.len() <= ACTIONS_MAX
                && bytes + weight <= TRANSACTION_BYTES_MAX / 2;
            if !fits && !events.is_empty() {
                counters.add(&item.recorded.event, -1);
                pending.push_front(item);
                break;
            }
            bytes += weight;
            events.push(record);
            chunk.push(item);
        }
        events.extend(self.count(&counters, Class::Delivery));
        (chunk, events)
    }

    /// The counter adds of a transaction, in this environment's shard for a class.
    pub(crate) fn count(&self, counters: &Counters, class: Class) -> impl Iterator<Item = Action> {
        let shard = self.settings.shard(class);
        counters.iter().map(move |(hour, counts)| Action::Count(hour.clone(), shard, counts.clone()))
    }

    /// An event whose copy is recorded already: a worse or equal copy is dropped, a better one replaces it and
    /// moves its count, in a transaction of its own.
    async fn settle(&self, item: Item, mut old: Recorded, batch: &mut Batch) {
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
            let error = match self.store.commit(actions).await {
                Ok(()) => {
                    Happened::Replaced { kind }.emit();
                    batch.done(&item);
                    return;
                }
                Err(error) => error,
            };
            match self.not_committed(error, &mut backoff, batch).await {
                Next::Again => {}
                Next::Part => return self.set_aside_uncommittable(&item, batch).await,
                Next::Look(reasons) => match reasons.into_iter().next() {
                    Some(Cancel::Recorded(other)) => old = *other,
                    // It has expired in between; the message comes again and finds nothing recorded.
                    Some(Cancel::Moved) => return,
                    _ => backoff.wait(batch).await,
                },
            }
        }
    }
}

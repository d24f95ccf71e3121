//! Events with state: for each recipient read what is recorded, add what is new, fold anew, and commit the
//! events, their counters and the view together. The view's version keeps two consumers from folding past
//! each other.

use crate::observe::Happened;
use crate::{Backoff, Batch, Consumer, EventKey, Item, Next};
use ledger::counters::Counters;
use ledger::event::Class;
use ledger::fold::{EventSet, Folded, Offered, View};
use ledger::{RecipientId, ServerId};
use std::collections::{BTreeMap, VecDeque};
use store::{ACTIONS_MAX, Action, Cancel, Seen, TRANSACTION_BYTES_MAX, Versioned};

/// How many events of one recipient go into one transaction, at first. Beside each may stand the row of its
/// stream and two hours of counters (where a better copy moves a count), and beside all the view. Where a ruling
/// about the whole server touches more rows than that, fewer go.
const EVENTS_MAX: usize = 24;
const _: () = assert!(4 * EVENTS_MAX < ACTIONS_MAX);
/// How often what was read may disagree with the view before what was read is believed.
const REREADS_MAX: usize = 4;

/// One recipient's share of a batch.
struct Unit {
    server: ServerId,
    recipient: RecipientId,
    items: Vec<Item>,
    /// Whether its last transaction was cancelled: then it goes alone.
    alone: bool,
    /// How many of its events go into one transaction.
    events_max: usize,
}

/// What one recipient's transaction would write.
struct Planned {
    unit: Unit,
    /// How many of the unit's items, from the front, it settles.
    settles: usize,
    actions: Vec<Action>,
    counters: Counters,
    told: Vec<Happened>,
}

impl Consumer {
    /// Commits events with state, several recipients to a transaction while they fit.
    pub(crate) async fn commit_state(
        &self,
        recipients: BTreeMap<(ServerId, RecipientId), BTreeMap<EventKey, Item>>,
        batch: &mut Batch,
    ) {
        let mut pending: VecDeque<Unit> = recipients
            .into_iter()
            .map(|((server, recipient), items)| {
                let items = items.into_values().collect();
                Unit { server, recipient, items, alone: false, events_max: EVENTS_MAX }
            })
            .collect();
        let mut backoff = Backoff::new();
        while !pending.is_empty() && !batch.time_is_up() {
            let mut chunk: Vec<Planned> = Vec::new();
            let mut counters = Counters::default();
            let (mut actions, mut bytes) = (0, 0);
            while let Some(unit) = pending.pop_front() {
                let alone = unit.alone;
                if alone && !chunk.is_empty() {
                    pending.push_front(unit);
                    break;
                }
                // Whoever cannot be read now comes again as a whole.
                let Some(planned) = self.plan(unit, batch).await else {
                    continue;
                };
                if planned.actions.is_empty() {
                    settle(planned, &mut pending, batch);
                    continue;
                }
                let mut together = counters.clone();
                together.extend(&planned.counters);
                let weight: usize = planned.actions.iter().map(Action::weight).sum();
                let fits = actions + planned.actions.len() + together.len() <= ACTIONS_MAX
                    && bytes + weight <= TRANSACTION_BYTES_MAX / 2;
                if !fits && !chunk.is_empty() {
                    pending.push_front(planned.unit);
                    break;
                }
                counters = together;
                actions += planned.actions.len();
                bytes += weight;
                chunk.push(planned);
                if alone {
                    break;
                }
            }
            if !chunk.is_empty() {
                self.commit_chunk(chunk, &counters, &mut pending, &mut backoff, batch).await;
            }
        }
    }

    async fn commit_chunk(
        &self,
        chunk: Vec<Planned>,
        counters: &Counters,
        pending: &mut VecDeque<Unit>,
        backoff: &mut Backoff,
        batch: &mut Batch,
    ) {
        let mut actions: Vec<Action> =
            chunk.iter().flat_map(|planned| planned.actions.iter().cloned()).collect();
        actions.extend(self.count(counters, Class::State));
        let error = match self.store.commit(actions).await {
            Ok(()) => {
                *backoff = Backoff::new();
                for planned in chunk {
                    settle(planned, pending, batch);
                }
                return;
            }
            Err(error) => error,
        };
        match self.not_committed(error, backoff, batch).await {
            Next::Again => pending.extend(chunk.into_iter().map(|planned| planned.unit)),
            Next::Part => self.part(chunk, pending, batch).await,
            Next::Look(reasons) => {
                let mut reasons = reasons.into_iter();
                let mut raced = false;
                for planned in chunk {
                    let mine: Vec<Cancel> = reasons.by_ref().take(planned.actions.len()).collect();
                    let lost =
                        mine.iter().any(|reason| matches!(reason, Cancel::Recorded(_) | Cancel::Moved));
                    raced |= lost;
                    pending.push_back(Unit { alone: lost, ..planned.unit });
                }
                // A lost race is over: read and fold again at once. Anything else passes with time.
                if !raced {
                    backoff.wait(batch).await;
                }
            }
        }
    }

    /// What the store refuses as it is: recipients apart, then a recipient's events apart, and what it does not
    /// take even alone is set aside.
    async fn part(&self, chunk: Vec<Planned>, pending: &mut VecDeque<Unit>, batch: &mut Batch) {
        let together = chunk.len() > 1;
        for Planned { mut unit, settles, .. } in chunk {
            if !together && settles == 1 {
                let item = unit.items.remove(0);
                self.set_aside_uncommittable(&item, batch).await;
            } else if !together {
                unit.events_max = 1;
            }
            if !unit.items.is_empty() {
                pending.push_back(Unit { alone: true, ..unit });
            }
        }
    }

    /// Reads a recipient and plans its transaction.
    async fn plan(&self, unit: Unit, batch: &Batch) -> Option<Planned> {
        let (stored, mut recorded) = self.read(&unit, batch).await?;
        let (mut actions, mut counters, mut told) = (Vec::new(), Counters::default(), Vec::new());
        let mut settles = 0;
        for item in &unit.items {
            let (new, event) = (&item.recorded, &item.recorded.event);
            match recorded.offer(event.clone()) {
                Offered::Known => told.push(Happened::Duplicate { kind: event.kind() }),
                Offered::New => {
                    counters.add(event, 1);
                    actions.push(Action::Record(new.clone()));
                    told.push(Happened::recorded(event));
                }
                Offered::Better(old) => {
                    counters.add(&old, -1);
                    counters.add(event, 1);
                    actions.push(Action::Replace(new.clone(), Seen::from(&*old)));
                    told.push(Happened::Replaced { kind: event.kind() });
                }
            }
            settles += 1;
            let bytes: usize = actions.iter().map(Action::weight).sum();
            if actions.len() >= unit.events_max || bytes > TRANSACTION_BYTES_MAX / 4 {
                break;
            }
        }
        if !actions.is_empty()
            && let Some(view) = recorded.view()
        {
            let before =
                stored.as_ref().map_or_else(|| View::empty(unit.server, unit.recipient), |s| s.view.clone());
            let (rows, rows_before) = (view.rows(), before.rows());
            for (stream, row) in &rows {
                if rows_before.get(stream) != Some(row) || view.address != before.address {
                    let (stream, row, address) = ((*stream).to_owned(), row.clone(), view.address.clone());
                    actions.push(Action::PutRow(unit.server, unit.recipient, stream, row, address));
                }
            }
            for stream in rows_before.keys().filter(|stream| !rows.contains_key(*stream)) {
                actions.push(Action::DeleteRow(unit.server, unit.recipient, (*stream).to_owned()));
            }
            let version = stored.map_or(0, |stored| stored.version) + 1;
            actions.push(Action::PutView(view, version));
        }
        Some(Planned { unit, settles, actions, counters, told })
    }

    /// A recipient's stored view, then the events that it must be the fold of. The version is read first: a
    /// commit in between is noticed by its condition. A query may still miss part of a transaction that the
    /// view shows; the hash of what was folded tells, and both are read again.
    async fn read(&self, unit: &Unit, batch: &Batch) -> Option<(Option<Versioned>, EventSet)> {
        let (server, recipients) = (unit.server, [unit.recipient]);
        let mut backoff = Backoff::new();
        let mut rereads = 0;
        loop {
            let mut views = self.retried(batch, || self.store.views(server, &recipients)).await?;
            let stored = views.pop().flatten();
            let events = self.retried(batch, || self.store.state_events(server, unit.recipient)).await?;
            let recorded: EventSet = events.into_iter().map(|recorded| recorded.event).collect();
            let folded = stored.as_ref().map_or_else(Folded::default, |stored| stored.view.folded);
            if folded == Folded::of(recorded.iter()) {
                return Some((stored, recorded));
            }
            rereads += 1;
            if rereads >= REREADS_MAX {
                Happened::Drift.emit();
                return Some((stored, recorded));
            }
            backoff.wait(batch).await;
        }
    }
}

/// Tells what was done, and puts back what is left of the recipient's share.
fn settle(planned: Planned, pending: &mut VecDeque<Unit>, batch: &mut Batch) {
    let Planned { mut unit, settles, told, .. } = planned;
    told.into_iter().for_each(Happened::emit);
    for item in unit.items.drain(..settles) {
        batch.done(&item);
    }
    if !unit.items.is_empty() {
        pending.push_front(unit);
    }
}

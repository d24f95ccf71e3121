//! Events with state: for each recipient read what is recorded, add what is new, fold anew, and commit the
//! events, their counters and the view together. The view is written on condition that the stored one is the
//! fold of exactly what was read, so two consumers cannot fold past each other, and nobody needs to read it.

use crate::observe::Happened;
use crate::{AT_ONCE, Backoff, Batch, Consumer, EventKey, Item, Next};
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use ledger::counters::Counters;
use ledger::event::{Class, WHOLE_SERVER};
use ledger::fold::{EventSet, Folded, Offered, View};
use ledger::{RecipientId, ServerId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use store::{ACTIONS_MAX, Action, Cancel, Recorded, Seen, TRANSACTION_BYTES_MAX};
use tokio::time::Instant;

/// How many events of one recipient go into one transaction, at first. Beside each may stand the row of its
/// stream and two hours of counters (where a better copy moves a count), and beside all the view. Where a ruling
/// about the whole server touches more rows than that, fewer go.
const EVENTS_MAX: usize = 24;
const _: () = assert!(4 * EVENTS_MAX < ACTIONS_MAX);
/// How long the same view must refuse the same events before the events are believed: far longer than a
/// transaction is ever half applied.
const DRIFT_AFTER: Duration = Duration::from_secs(8);

/// One recipient's share of a batch.
struct Unit {
    server: ServerId,
    recipient: RecipientId,
    items: Vec<Item>,
    /// Whether its last transaction was cancelled by what others recorded: then it goes alone.
    alone: bool,
    /// How many of its events go into one transaction.
    events_max: usize,
    refused: ViewConflict,
}

/// How the stored view has refused what was folded.
#[derive(Clone, Copy, Default)]
struct ViewConflict {
    /// What is stored, what was read, and since when it is just these two.
    last: Option<(Option<Folded>, Option<Folded>, Instant)>,
    /// Whether it has been so for long enough: the stored view is not the fold of what is recorded, and never
    /// becomes it.
    drifted: bool,
}

impl ViewConflict {
    /// A view that is the fold of something else. A query may see half of a transaction that is being applied,
    /// or another consumer was faster: then the next reading differs. Whether it was just so the last time.
    fn again(&mut self, stored: Option<Folded>, read: Option<Folded>) -> bool {
        let now = Instant::now();
        let since = self.last.filter(|(view, events, _)| (*view, *events) == (stored, read));
        let since = since.map(|(.., since)| since);
        self.last = Some((stored, read, since.unwrap_or(now)));
        self.drifted = since.is_some_and(|since| now >= since + DRIFT_AFTER);
        if self.drifted {
            Happened::Drift.emit();
        }
        since.is_some()
    }

    /// What is stored, where that has drifted.
    fn drifted(&self) -> Option<Option<Folded>> {
        self.last.filter(|_| self.drifted).map(|(stored, ..)| stored)
    }
}

/// What one recipient's transaction would write.
struct Planned {
    unit: Unit,
    /// How many of the unit's items, from the front, it settles.
    settles: usize,
    /// Which of these it writes; the others are recorded already.
    writes: Vec<usize>,
    /// What was read.
    read: Option<Folded>,
    actions: Vec<Action>,
    counters: Counters,
    told: Vec<Happened>,
}

/// Several recipients' transactions as one.
#[derive(Default)]
struct Chunk {
    planned: Vec<Planned>,
    counters: Counters,
    actions: usize,
    bytes: usize,
}

impl Chunk {
    /// Takes a plan in, or gives it back where it does not fit.
    fn take(&mut self, planned: Planned) -> Option<Planned> {
        let mut together = self.counters.clone();
        together.extend(&planned.counters);
        let actions = self.actions + planned.actions.len();
        let bytes = self.bytes + planned.actions.iter().map(Action::weight).sum::<usize>();
        let alone = planned.unit.alone || self.planned.iter().any(|planned| planned.unit.alone);
        let fits = !alone && actions + together.len() <= ACTIONS_MAX && bytes <= TRANSACTION_BYTES_MAX / 2;
        if !fits && !self.planned.is_empty() {
            return Some(planned);
        }
        (self.counters, self.actions, self.bytes) = (together, actions, bytes);
        self.planned.push(planned);
        None
    }
}

/// What is left to do.
#[derive(Default)]
struct Left {
    /// To be read.
    units: Vec<Unit>,
    /// To be committed.
    ready: VecDeque<Planned>,
    /// Whether something must pass with time first.
    wait: bool,
}

impl Left {
    fn is_some(&self) -> bool {
        !self.units.is_empty() || !self.ready.is_empty()
    }
}

impl Consumer {
    /// Commits events with state, several recipients to a transaction while they fit. Recipients are read at
    /// once, and transactions of different servers go at once: these touch nothing in common.
    pub(crate) async fn commit_state(
        &self,
        recipients: BTreeMap<(ServerId, RecipientId), BTreeMap<EventKey, Item>>,
        batch: &Batch,
    ) {
        let unit = |((server, recipient), items): (_, BTreeMap<EventKey, Item>)| Unit {
            server,
            recipient,
            items: items.into_values().collect(),
            alone: false,
            events_max: EVENTS_MAX,
            refused: ViewConflict::default(),
        };
        let mut left = Left { units: recipients.into_iter().map(unit).collect(), ..Left::default() };
        let mut backoff = Backoff::new();
        while left.is_some() && !batch.time_is_up() {
            let plans: Vec<_> = left.units.drain(..).map(|unit| self.plan(unit, batch)).collect();
            let plans: Vec<Result<Planned, Option<Unit>>> =
                stream::iter(plans).buffered(AT_ONCE).collect().await;
            for planned in plans {
                match planned {
                    Ok(planned) if planned.actions.is_empty() => mark_done(planned, &mut left, batch),
                    Ok(planned) => left.ready.push_back(planned),
                    // A recipient that cannot be read now does not hold up the others.
                    Err(unread) => {
                        left.wait |= unread.is_some();
                        left.units.extend(unread);
                    }
                }
            }
            let chunks = disjoint_chunks(&mut left.ready);
            for (chunk, result) in
                join_all(chunks.into_iter().map(|chunk| self.commit_chunk(chunk, batch))).await
            {
                self.after(chunk, result, &mut left, batch).await;
            }
            if std::mem::take(&mut left.wait) {
                backoff.wait(batch).await;
            } else {
                backoff = Backoff::new();
            }
        }
    }

    async fn commit_chunk(&self, mut chunk: Chunk, batch: &Batch) -> (Chunk, Result<(), Next>) {
        let lengths: Vec<usize> = chunk.planned.iter().map(|planned| planned.actions.len()).collect();
        let mut actions: Vec<Action> = Vec::with_capacity(ACTIONS_MAX);
        chunk.planned.iter_mut().for_each(|planned| actions.append(&mut planned.actions));
        actions.extend(self.count(&chunk.counters, Class::State));
        let result = self.commit(&actions, batch).await;
        // Each plan has its own actions back, for whatever follows.
        let mut actions = actions.into_iter();
        for (planned, length) in chunk.planned.iter_mut().zip(lengths) {
            planned.actions.extend(actions.by_ref().take(length));
        }
        (chunk, result)
    }

    /// Settles what was committed, and sorts out what was not.
    async fn after(&self, chunk: Chunk, result: Result<(), Next>, left: &mut Left, batch: &Batch) {
        match result {
            Ok(()) => chunk.planned.into_iter().for_each(|planned| mark_done(planned, left, batch)),
            // It may have been committed: read it again.
            Err(Next::Again) => {
                left.wait = true;
                left.units.extend(chunk.planned.into_iter().map(|planned| planned.unit));
            }
            Err(Next::Never) => {}
            Err(Next::TooLarge) => self.split_or_set_aside(chunk.planned, left, batch).await,
            Err(Next::Cancelled(reasons)) => self.sort_out_cancelled(chunk, reasons, left),
        }
    }

    /// Sorts out a cancelled transaction by the reasons of its actions.
    fn sort_out_cancelled(&self, chunk: Chunk, reasons: Vec<Cancel>, left: &mut Left) {
        let of_counters = chunk.counters.iter().map(|(hour, _)| hour.server).zip(&reasons[chunk.actions..]);
        // The counter that conflicted is no obstacle any more: the next transaction counts in another shard.
        let stands = |reason: &Cancel| !matches!(reason, Cancel::None | Cancel::Conflict);
        let busy: BTreeSet<ServerId> =
            of_counters.filter(|(_, reason)| stands(reason)).map(|(server, _)| server).collect();
        let mut reasons = reasons.into_iter();
        let mut raced = false;
        for mut planned in chunk.planned {
            let mine: Vec<Cancel> = reasons.by_ref().take(planned.actions.len()).collect();
            let lost =
                |reason: &Cancel| matches!(reason, Cancel::Recorded(_) | Cancel::Gone | Cancel::Folded(_));
            if !mine.iter().any(lost) {
                // Whatever delays this one does not delay others.
                planned.unit.alone |= mine.iter().any(|reason| *reason != Cancel::None);
                planned.unit.alone |= busy.contains(&planned.unit.server);
                left.ready.push_back(planned);
                continue;
            }
            raced = true;
            if let Some(Cancel::Folded(stored)) = mine.iter().find(|one| matches!(one, Cancel::Folded(_))) {
                left.wait |= planned.unit.refused.again(*stored, planned.read);
            }
            left.units.push(Unit { alone: true, ..planned.unit });
        }
        // A lost race is over: read and fold again at once. Anything else passes with time.
        left.wait |= !raced;
    }

    /// What the store refuses as it is: recipients apart, then a recipient's events apart, and what it does not
    /// take even alone is set aside.
    async fn split_or_set_aside(&self, chunk: Vec<Planned>, left: &mut Left, batch: &Batch) {
        let together = chunk.len() > 1;
        for Planned { mut unit, settles, writes, .. } in chunk {
            match writes[..] {
                [write] if !together => {
                    for (place, item) in unit.items.drain(..settles).enumerate() {
                        if place == write {
                            self.set_aside_uncommittable(&item, batch).await;
                        } else {
                            Happened::Duplicate { kind: item.recorded.event.kind() }.emit();
                            batch.done(&item);
                        }
                    }
                }
                _ if !together => unit.events_max = 1,
                _ => {}
            }
            if !unit.items.is_empty() {
                left.units.push(Unit { alone: true, ..unit });
            }
        }
    }

    /// Reads a recipient and plans its transaction; gives it back where it cannot be read now, and nothing where
    /// this release cannot read it at all: then its messages stay on their queue.
    async fn plan(&self, unit: Unit, batch: &Batch) -> Result<Planned, Option<Unit>> {
        let (server, recipient) = (unit.server, unit.recipient);
        let events = match batch.in_time(self.store.state_events(server, recipient)).await {
            Ok(events) => events,
            Err(error) if error.passes() => {
                batch.failed(&error);
                return Err(Some(unit));
            }
            Err(error) => {
                Happened::Broken { error }.emit();
                return Err(None);
            }
        };
        let mut recorded: EventSet = events.iter().map(|recorded| recorded.event.clone()).collect();
        let before = recorded.view();
        let read = before.as_ref().map(|view| view.folded);
        let (mut actions, mut counters, mut told) = (Vec::new(), Counters::default(), Vec::new());
        let (mut settles, mut writes) = (0, Vec::new());
        for item in &unit.items {
            let event = recorded.placed(item.recorded.event.clone());
            let new = Recorded { event, ..item.recorded.clone() };
            let event = &new.event;
            let mut moved = false;
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
                    told.push(Happened::Replaced);
                }
                Offered::Beside { was, is } => {
                    counters.add(event, 1);
                    actions.push(Action::Replace(new.clone(), Seen::from(&*was)));
                    told.push(Happened::recorded(event));
                    // Of a batch complaints come first, so what makes way was read.
                    let stood = events.iter().find(|one| one.event.identity == was.identity);
                    actions.extend(stood.map(|one| Action::Record(Recorded { event: *is, ..one.clone() })));
                    moved = true;
                }
            }
            if actions.len() > writes.len() {
                writes.push(settles);
            }
            settles += 1;
            let bytes: usize = actions.iter().map(Action::weight).sum();
            // A transaction writes no item twice: copies of what has moved come in the next.
            if moved || actions.len() >= unit.events_max || bytes > TRANSACTION_BYTES_MAX / 4 {
                break;
            }
        }
        if !actions.is_empty()
            && let Some(view) = recorded.view()
        {
            let drifted = unit.refused.drifted();
            let before = before.unwrap_or_else(|| View::empty(server, recipient));
            let (rows, rows_before) = (view.rows(), before.rows());
            for (stream, row) in &rows {
                let stands = rows_before.get(stream) == Some(row) && view.address == before.address;
                if !stands || drifted.is_some() {
                    let (stream, row, address) = ((*stream).to_owned(), row.clone(), view.address.clone());
                    actions.push(Action::PutRow(server, recipient, stream, row, address));
                }
            }
            // Where the stored view was the fold of something else, its rows may have been anything.
            let anywhere = recorded.iter().map(|event| &*event.stream).chain([WHOLE_SERVER]);
            let anywhere = anywhere.filter(|_| drifted.is_some());
            let gone: BTreeSet<&str> = rows_before.keys().copied().chain(anywhere).collect();
            for stream in gone.into_iter().filter(|stream| !rows.contains_key(stream)) {
                actions.push(Action::DeleteRow(server, recipient, stream.to_owned()));
            }
            actions.push(Action::PutView(view, drifted.unwrap_or(read)));
        }
        Ok(Planned { unit, settles, writes, read, actions, counters, told })
    }
}

/// Chunks that touch nothing in common: recipients, streams and so counters belong to one server. What would
/// meet another chunk's server waits for the next round.
fn disjoint_chunks(ready: &mut VecDeque<Planned>) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut homes: BTreeMap<ServerId, usize> = BTreeMap::new();
    let mut later = VecDeque::new();
    for planned in ready.drain(..) {
        let server = planned.unit.server;
        let home = homes.get(&server).copied();
        let place = home.unwrap_or(chunks.len().saturating_sub(1));
        let refused = match chunks.get_mut(place) {
            Some(chunk) => chunk.take(planned),
            None => Some(planned),
        };
        match refused {
            None => drop(homes.insert(server, place)),
            Some(planned) if home.is_none() && chunks.len() < AT_ONCE => {
                let mut chunk = Chunk::default();
                later.extend(chunk.take(planned));
                homes.insert(server, chunks.len());
                chunks.push(chunk);
            }
            Some(planned) => later.push_back(planned),
        }
    }
    *ready = later;
    chunks
}

/// Tells what was done, and puts back what is left of the recipient's share.
fn mark_done(planned: Planned, left: &mut Left, batch: &Batch) {
    let Planned { mut unit, settles, told, .. } = planned;
    told.into_iter().for_each(Happened::emit);
    for item in unit.items.drain(..settles) {
        batch.done(&item);
    }
    if !unit.items.is_empty() {
        unit.refused = ViewConflict::default();
        left.units.push(unit);
    }
}

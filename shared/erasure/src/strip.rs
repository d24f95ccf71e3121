//! Erasing a person: address and body are taken out of what is recorded, in place.
//!
//! Invariant: what identity, state and counters are made of stays, so that the ban holds and a rebuild gives the
//! same. A stripped copy keeps its hash and its source, so that a better copy still replaces it and a worse one is
//! still dropped. Whoever is stripped again is as before; a crash between any two calls is healed by that.
//!
//! Who records events while this reads must know already whom to strip: [`store::RuleStore::erase`] comes first.

use ledger::event::Class;
use ledger::fold::{EventSet, Folded};
use ledger::{Identity, RecipientId, ServerId};
use platform::Backoff;
use std::time::Duration;
use store::{ACTIONS_MAX, Action, Cancel, CommitError, Page, Recorded, Seen, Store, StoreError};

/// For how long an erased recipient is swept, in days: a message lives for four days on a live queue and for fourteen
/// among the dead letters at most, which count from when it was sent first; the rest is slack.
pub const SWEPT_DAYS: i64 = 18;
/// How many events, and how many rows, go into one transaction.
const AT_ONCE: usize = 48;
const _: () = assert!(2 * AT_ONCE < ACTIONS_MAX);
/// How many events of other classes go into one transaction.
const PAGE: usize = ACTIONS_MAX;
/// How often a lost race is run again.
const TRIES: u32 = 9;
/// The longest pause before the second try, doubled for each further one. Even the shortest that are drawn are together
/// longer than a transaction is ever half applied: 255 halves of it.
const PAUSE: Duration = Duration::from_millis(100);

/// What was stripped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stripped {
    /// How many events were stripped now.
    pub events: usize,
}

/// Strips what is recorded of a recipient: events, view and rows.
///
/// # Errors
/// The store's own; [`StoreError::contended`] too where a race is lost again and again. What was stripped until
/// then is stripped: call it again.
pub async fn strip(
    store: &dyn Store,
    server: ServerId,
    recipient: RecipientId,
) -> Result<Stripped, StoreError> {
    let mut stripped = strip_state(store, server, recipient).await?;
    for class in [Class::Delivery, Class::Engagement] {
        stripped += strip_class(store, server, recipient, class).await?;
    }
    Ok(Stripped { events: stripped })
}

/// Tries, with longer and longer pauses between.
struct Tries {
    done: u32,
    backoff: Backoff,
}

impl Tries {
    fn new() -> Tries {
        Tries { done: 0, backoff: Backoff::new(PAUSE, PAUSE * (1 << TRIES)) }
    }

    /// Waits for the next one.
    async fn next(&mut self) -> Result<(), StoreError> {
        self.done += 1;
        if self.done == TRIES {
            return Err(StoreError::contended());
        }
        tokio::time::sleep(self.backoff.pause()).await;
        Ok(())
    }

    fn is_last(&self) -> bool {
        self.done + 1 == TRIES
    }
}

/// A transaction's fate: whether it was committed, or why it was cancelled.
async fn commit(store: &dyn Store, actions: &[Action]) -> Result<Result<(), Vec<Cancel>>, StoreError> {
    match store.commit(actions).await {
        Ok(()) => Ok(Ok(())),
        Err(CommitError::Cancelled(reasons)) => Ok(Err(reasons)),
        Err(CommitError::Store(error)) => Err(error),
    }
}

/// The replacements of events by themselves, stripped.
fn replacements(events: impl IntoIterator<Item = Recorded>) -> Vec<Action> {
    let replace = |recorded: Recorded| {
        let seen = Seen::from(&recorded.event);
        Action::Replace(recorded.stripped(), seen)
    };
    events.into_iter().map(replace).collect()
}

/// Events with state, with the view and its rows. The view and the rows are written even where no event is left to
/// strip: where they do not fit into one transaction, somebody may have been killed between two.
async fn strip_state(
    store: &dyn Store,
    server: ServerId,
    recipient: RecipientId,
) -> Result<usize, StoreError> {
    let mut stripped = 0;
    let mut tries = Tries::new();
    // What refused the view the last time: what is stored, and what was read.
    let mut refused: Option<(Option<Folded>, Folded)> = None;
    'anew: loop {
        let events = store.state_events(server, recipient).await?;
        let set =
            |events: &[Recorded]| events.iter().map(|one| one.event.clone()).collect::<EventSet>().view();
        let Some(before) = set(&events) else { return Ok(stripped) };
        let (mut after, mut left) = (events.clone(), 0);
        let mut now = Vec::new();
        for one in after.iter_mut().filter(|one| !one.is_stripped()) {
            if now.len() == AT_ONCE {
                left += 1;
                continue;
            }
            now.push(one.clone());
            *one = one.clone().stripped();
        }
        let Some(view) = set(&after) else { return Ok(stripped) };
        let count = now.len();
        let put_row = |(stream, row): (&str, ledger::fold::StreamRow)| {
            Action::PutRow(server, recipient, stream.to_owned(), row, view.address.clone())
        };
        // Rows follow the last of the events: till then the view has an address.
        let rows = if left == 0 { view.rows() } else { Default::default() };
        let mut rows = rows.into_iter().map(put_row).peekable();
        // A view that has refused this reading till the last try is the fold of something that is no more.
        let drifted = refused.filter(|(_, read)| tries.is_last() && *read == before.folded);
        let mut expected = drifted.map_or(Some(before.folded), |(stored, _)| stored);
        let mut actions = replacements(now);
        loop {
            actions.extend(rows.by_ref().take(AT_ONCE));
            actions.push(Action::PutView(view.clone(), expected));
            if let Err(reasons) = commit(store, &std::mem::take(&mut actions)).await? {
                let stored = reasons.iter().find_map(|reason| match reason {
                    Cancel::Folded(stored) => Some(*stored),
                    _ => None,
                });
                refused = stored.map(|stored| (stored, before.folded));
                tries.next().await?;
                continue 'anew;
            }
            expected = Some(view.folded);
            if rows.peek().is_none() {
                break;
            }
        }
        stripped += count;
        if left == 0 {
            return Ok(stripped);
        }
        tries = Tries::new();
    }
}

/// Events without state, page by page.
async fn strip_class(
    store: &dyn Store,
    server: ServerId,
    recipient: RecipientId,
    class: Class,
) -> Result<usize, StoreError> {
    let mut stripped = 0;
    let mut after: Option<Identity> = None;
    let mut tries = Tries::new();
    loop {
        let Page { items: events, next, .. } = store.events(server, recipient, class, after, PAGE).await?;
        let last = events.last().map(|one| one.event.identity);
        let actions = replacements(events.into_iter().filter(|one| !one.is_stripped()));
        let count = actions.len();
        if count > 0 && commit(store, &actions).await?.is_err() {
            tries.next().await?;
            continue;
        }
        stripped += count;
        tries = Tries::new();
        if next.is_none() {
            return Ok(stripped);
        }
        after = last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::event::{Cause, Event, What};
    use ledger::fold::View;
    use ledger::{Source, Time};
    use store::Memory;
    use store::prelude::*;

    #[tokio::test(start_paused = true)]
    async fn a_view_that_is_the_fold_of_something_else_does_not_keep_its_address() {
        let (store, server, recipient) =
            (Memory::default(), ServerId::new(7).unwrap(), "AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap());
        let event = Event {
            server,
            stream: "outbound".to_owned(),
            recipient,
            address: Some("ida@customer.example".to_owned()),
            identity: "AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap(),
            at: Time::EARLIEST,
            message_id: None,
            what: What::Suppressed { cause: Cause::Complaint },
            source: Source::Webhook,
            received_at: Time::EARLIEST,
            body_hash: [1; 16],
        };
        let address = event.address.clone();
        let record = Recorded { event, body: None, dropped: Vec::new(), expires_at: None };
        let drifted = View { address, ..View::empty(server, recipient) };
        store.commit(&[Action::Record(record), Action::PutView(drifted, None)]).await.unwrap();
        assert_eq!(strip(&store, server, recipient).await, Ok(Stripped { events: 1 }));
        let view = store.views(server, &[recipient]).await.unwrap().remove(0).unwrap();
        assert_eq!((view.address, view.events), (None, 1));
    }
}

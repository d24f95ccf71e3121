//! What an action writes, whatever writes it: table, key and change, held to the limits of a transaction.

use crate::item::{self, Item, Key};
use crate::tables::Table;
use crate::{ACTIONS_MAX, Action, StoreError, TRANSACTION_BYTES_MAX};
use ledger::Time;
use ledger::counters::{Counts, Hour};
use std::collections::HashSet;

/// A change of one item.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) table: Table,
    pub(crate) key: Key,
    pub(crate) change: Change,
}

/// What becomes of the item.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// It is this.
    Put(Item),
    /// Its numbers grow; the latest of what they count happened then.
    Add(Counts, Option<Time>),
    /// It is gone.
    Delete,
}

impl Write {
    fn of(action: &Action, among: &[Action], by_time: bool) -> Write {
        let (table, key, change) = match action {
            Action::Record(recorded) | Action::Replace(recorded, _) => {
                let event = &recorded.event;
                let key = item::event_key(event.server, event.recipient, event.class(), event.identity);
                (Table::Events, key, Change::Put(item::of_event(recorded, by_time)))
            }
            Action::Count(hour, shard, counts) => {
                let key = item::counter_key(hour.server, &hour.stream, &hour.hour, *shard);
                (Table::Counters, key, Change::Add(counts.clone(), latest(hour, among)))
            }
            Action::PutView(view, _) => {
                let key = item::view_key(view.server, view.recipient);
                (Table::Recipients, key, Change::Put(item::of_view(view)))
            }
            Action::PutRow(server, recipient, stream, row, address) => {
                let row = item::of_row(*server, stream, row, address.as_deref());
                (Table::Recipients, item::row_key(*server, *recipient, stream), Change::Put(row))
            }
            Action::DeleteRow(server, recipient, stream) => {
                (Table::Recipients, item::row_key(*server, *recipient, stream), Change::Delete)
            }
        };
        Write { table, key, change }
    }

    fn bytes(&self) -> usize {
        match &self.change {
            Change::Put(item) => item.size(&self.key.0, &self.key.1),
            Change::Add(counts, _) => 32 * (counts.len() + 1),
            Change::Delete => 0,
        }
    }
}

/// When the latest of the events happened that a transaction counts in an hour.
fn latest(hour: &Hour, among: &[Action]) -> Option<Time> {
    let at = |action: &Action| match action {
        Action::Record(recorded) | Action::Replace(recorded, _) => {
            (Hour::of(&recorded.event) == *hour).then_some(recorded.event.at)
        }
        _ => None,
    };
    among.iter().filter_map(at).max()
}

/// What actions write, in their order, if a transaction takes them at all.
///
/// # Errors
/// [`StoreError::Invalid`] names the limit.
pub(crate) fn writes(
    actions: &[Action],
    by_time: bool,
    item_bytes_max: usize,
) -> Result<Vec<Write>, StoreError> {
    if actions.is_empty() || actions.len() > ACTIONS_MAX {
        return Err(StoreError::Invalid("a transaction has 1 to 100 actions"));
    }
    let writes: Vec<Write> = actions.iter().map(|action| Write::of(action, actions, by_time)).collect();
    let mut touched = HashSet::new();
    let mut bytes = 0;
    for (write, action) in writes.iter().zip(actions) {
        if !touched.insert((write.table, &write.key)) {
            return Err(StoreError::Invalid("two actions touch the same item"));
        }
        let size = write.bytes();
        debug_assert!(size <= action.weight(), "an action weighs at least what it writes");
        if size > item_bytes_max {
            return Err(StoreError::Invalid("an item is larger than the store takes"));
        }
        bytes += size;
    }
    if bytes > TRANSACTION_BYTES_MAX {
        return Err(StoreError::Invalid("a transaction is larger than 4 MB"));
    }
    Ok(writes)
}

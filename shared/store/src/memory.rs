//! The tables in memory: the same items under the same keys, the same conditions, the same limits.

#[cfg(any(test, feature = "testing"))]
use crate::ByTime;
use crate::item::{self, Item, Key, Quarantined};
use crate::local::{Backend, Items, ItemsMut, Local, Range, Show, Span};
use crate::tables::{EXPIRES_AT, Index, Table};
use crate::{Recorded, StoreError};
use ledger::Time;
use ledger::counters::{Counters, Hour};
use ledger::fold::View;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// All tables of a stack, in the memory of this process.
pub type Memory = Local<InMemory>;

/// What keeps the items.
#[derive(Debug, Default)]
pub struct InMemory(Mutex<Tables>);

/// An item's place in an index: partition, instant in microseconds, key in the table.
type Place = (String, i64, Key);

/// The place of an item in an index, if it has one.
fn place(index: &Index, key: &Key, item: &Item) -> Option<Place> {
    Some((item.text(index.pk)?.to_owned(), item.number(index.sk)?, key.clone()))
}

/// The items, by key.
type ByKey = BTreeMap<Key, Item>;

#[derive(Debug, Default)]
struct Tables {
    items: BTreeMap<Table, ByKey>,
    /// When which item may be forgotten, in seconds since 1970.
    expiring: BTreeMap<Table, BTreeSet<(i64, Key)>>,
    /// The indexes, by name.
    indexes: BTreeMap<&'static str, BTreeSet<Place>>,
}

/// With the index by time, which costs nothing here.
impl Default for Memory {
    fn default() -> Memory {
        Local::over(InMemory::default())
    }
}

impl InMemory {
    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for InMemory {
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Items) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        work(&*self.lock())
    }

    /// Whatever is written fails, if at all, before it has set anything: nothing needs to be taken back.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn ItemsMut) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        work(&mut *self.lock())
    }
}

impl Memory {
    /// Tables whose items may have so many bytes only: what is too large comes sooner.
    #[cfg(any(test, feature = "testing"))]
    pub fn of_small_items(item_bytes_max: usize) -> Memory {
        Memory { item_bytes_max, ..Memory::default() }
    }

    /// Tables without the index by time, as a stack may choose.
    #[cfg(any(test, feature = "testing"))]
    pub fn without_by_time() -> Memory {
        Memory { by_time: ByTime::Never, ..Memory::default() }
    }

    /// Tables whose index by time was switched on at some time, as a stack's on AWS.
    #[cfg(any(test, feature = "testing"))]
    pub fn switched_by_time() -> Memory {
        Memory { by_time: ByTime::Switched, ..Memory::default() }
    }

    fn each<T>(&self, table: Table, mut read: impl FnMut(&Key, &Item) -> Option<T>) -> Vec<T> {
        let tables = self.backend.lock();
        tables.of(table).filter_map(|(key, item)| read(key, item)).collect()
    }

    /// All views, by server and recipient: for comparing a whole ledger with the reference.
    pub fn all_views(&self) -> Result<Vec<View>, StoreError> {
        let is_view = |key: &Key| key.1 == ledger::event::WHOLE_SERVER;
        let views = self.each(Table::Recipients, |key, item| is_view(key).then(|| item::to_view(item)));
        let mut views: Vec<View> = views.into_iter().collect::<Result<_, _>>()?;
        views.sort_by_key(|view| (view.server, view.recipient));
        Ok(views)
    }

    /// All rows of streams.
    pub fn all_rows(&self) -> BTreeMap<Key, Item> {
        let is_row = |key: &Key| key.1 != ledger::event::WHOLE_SERVER;
        let rows = self.each(Table::Recipients, |key, item| is_row(key).then(|| (key.clone(), item.clone())));
        rows.into_iter().collect()
    }

    /// All counters, summed over the shards.
    pub fn all_counters(&self) -> Counters {
        let mut counters = Counters::default();
        self.each(Table::Counters, |(pk, sk), item| {
            let ((server, stream), (hour, _)) = (pk.split_once('#')?, sk.split_once('#')?);
            let hour =
                Hour { server: server.parse().ok()?, stream: stream.to_owned(), hour: hour.to_owned() };
            let counts = item::to_counts(item).into_iter();
            counts.for_each(|(measure, n)| counters.add_to(hour.clone(), measure, n));
            Some(())
        });
        counters
    }

    /// The shards that anything was counted in, one for each hour and stream.
    pub fn counter_shards(&self) -> Vec<u8> {
        self.each(Table::Counters, |(_, sk), _| sk.split_once('#')?.1.parse().ok())
    }

    /// All recorded events.
    pub fn all_events(&self) -> Result<Vec<Recorded>, StoreError> {
        self.each(Table::Events, |key, item| Some(item::to_event(key, item))).into_iter().collect()
    }

    /// Everything in quarantine.
    pub fn all_quarantined(&self) -> Result<Vec<Quarantined>, StoreError> {
        self.each(Table::Quarantine, |_, item| Some(item::to_quarantined(item))).into_iter().collect()
    }
}

impl Tables {
    fn of(&self, table: Table) -> impl Iterator<Item = (&Key, &Item)> {
        self.items.get(&table).into_iter().flatten()
    }

    /// The items between two keys.
    fn between(
        &self,
        table: Table,
        bounds: (Bound<Key>, Bound<Key>),
    ) -> impl DoubleEndedIterator<Item = (&Key, &Item)> {
        let items = self.items.get(&table).filter(|_| !is_empty(&bounds));
        items.map(|items| items.range(bounds)).into_iter().flatten()
    }
}

/// Whether nothing can lie between two bounds: what a map would panic at.
fn is_empty<T: Ord>(bounds: &(Bound<T>, Bound<T>)) -> bool {
    match bounds {
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => {
            from >= to
        }
        _ => false,
    }
}

/// Shows items until no more are asked for.
fn show_all<'a>(items: impl Iterator<Item = (&'a Key, &'a Item)>, show: Show<'_>) -> Result<(), StoreError> {
    for (key, item) in items {
        if !show(key, item)? {
            break;
        }
    }
    Ok(())
}

impl Items for Tables {
    fn get(&self, table: Table, key: &Key) -> Result<Option<Item>, StoreError> {
        Ok(self.items.get(&table).and_then(|items| items.get(key)).cloned())
    }

    fn range(&self, table: Table, range: Range, show: Show<'_>) -> Result<(), StoreError> {
        let Range { pk, from, to, backwards } = range;
        let from = match from {
            Bound::Unbounded => Bound::Included((pk.clone(), String::new())),
            bound => bound.map(|sk| (pk.clone(), sk)),
        };
        let to = match to {
            // No partition key has a zero byte.
            Bound::Unbounded => Bound::Excluded((format!("{pk}\0"), String::new())),
            bound => bound.map(|sk| (pk, sk)),
        };
        let found = self.between(table, (from, to));
        if backwards { show_all(found.rev(), show) } else { show_all(found, show) }
    }

    fn scan(&self, table: Table, after: Option<Key>, show: Show<'_>) -> Result<(), StoreError> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        show_all(self.between(table, (from, Bound::Unbounded)), show)
    }

    fn places(&self, span: Span, show: Show<'_>) -> Result<(), StoreError> {
        let Span { index, pk, within, after, backwards } = span;
        let (from, to) = (within.from.micros(), within.to.micros());
        let start = match after {
            Some((at, key)) if at >= from => Bound::Excluded((pk.clone(), at, key)),
            _ => Bound::Included((pk.clone(), from, Key::default())),
        };
        // Nothing of the last instant comes behind its end: an instant more, or the end of the partition.
        let end = match to.checked_add(1) {
            Some(end) => Bound::Excluded((pk, end, Key::default())),
            None => Bound::Excluded((format!("{pk}\0"), i64::MIN, Key::default())),
        };
        let bounds = (start, end);
        let places = self.indexes.get(index.name).filter(|_| !is_empty(&bounds));
        let places = places.map(|places| places.range(bounds)).into_iter().flatten();
        let items = self.items.get(&index.table);
        let item = |(_, _, key): &Place| items.and_then(|items| items.get_key_value(key));
        if backwards {
            show_all(places.rev().filter_map(item), show)
        } else {
            show_all(places.filter_map(item), show)
        }
    }
}

impl ItemsMut for Tables {
    fn set(&mut self, table: Table, key: &Key, item: Option<Item>) -> Result<(), StoreError> {
        let items = self.items.entry(table).or_default();
        let old = match item {
            Some(item) => items.insert(key.clone(), item),
            None => items.remove(key),
        };
        let new = items.get(key);
        for index in table.indexes(true) {
            let of = |item: Option<&Item>| item.and_then(|item| place(index, key, item));
            let (before, now) = (of(old.as_ref()), of(new));
            if before != now {
                let places = self.indexes.entry(index.name).or_default();
                if let Some(before) = before {
                    places.remove(&before);
                }
                places.extend(now);
            }
        }
        if table.expires() {
            let at = |item: Option<&Item>| Some((item?.number(EXPIRES_AT)?, key.clone()));
            let expiring = self.expiring.entry(table).or_default();
            if let Some(before) = at(old.as_ref()) {
                expiring.remove(&before);
            }
            expiring.extend(at(new));
        }
        Ok(())
    }

    fn expire(&mut self, table: Table, by: Time, limit: usize) -> Result<usize, StoreError> {
        let expiring = self.expiring.entry(table).or_default();
        let due = expiring.iter().take_while(|(at, _)| *at <= by.seconds()).take(limit);
        let due: Vec<Key> = due.map(|(_, key)| key.clone()).collect();
        for key in &due {
            self.set(table, key, None)?;
        }
        Ok(due.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scan;
    use crate::prelude::*;
    use ledger::ServerId;
    use std::sync::Arc;

    #[tokio::test]
    async fn what_has_expired_in_quarantine_is_forgotten_when_something_comes_later() {
        let (store, at) = (Memory::default(), |seconds| Time::EARLIEST.plus_seconds(seconds));
        let keep = async |seconds: i64, expires_at: Option<i64>| {
            let aside = queue::SetAside {
                server: ServerId::NONE,
                generation: 1,
                key_id: String::new(),
                received_at: at(seconds),
                source: ledger::Source::Webhook,
                reason: "revoked".to_owned(),
                detail: String::new(),
                record_type: None,
                dropped: Vec::new(),
                erased: None,
                body: b"{}".to_vec(),
            };
            store.quarantine(aside.parts().remove(0), expires_at.map(at)).await.unwrap();
        };
        keep(1, Some(10)).await;
        keep(2, None).await;
        keep(9, Some(20)).await;
        assert_eq!(store.all_quarantined().unwrap().len(), 3);
        keep(10, None).await;
        let left: Vec<Time> =
            store.all_quarantined().unwrap().iter().map(|kept| kept.part.received_at).collect();
        assert_eq!(left, [at(2), at(9), at(10)]);
    }

    crate::store_contract!(async |_: &str| Some(Arc::new(Memory::default()) as Arc<dyn Scan>));
    crate::by_time_contract!(async || {
        Memory::default().before_and_with_by_time().map(|store| Arc::new(store) as Arc<dyn Scan>)
    });
}

//! The ports over tables on this machine: what they ask is answered here once, over whatever keeps the items
//! ([`Backend`]): the memory of this process, or a file.

mod documents;
mod indexes;
mod quarantine;
mod rules;

use crate::item::{self, Item, Key};
use crate::page::{Page, TimeRange};
use crate::tables::{Index, Table};
use crate::write::{Change, Write, writes};
use crate::{
    Action, ByTime, Cancel, CommitError, CounterStore, EventStore, ITEM_BYTES_MAX, Recorded, Seen,
    ServerSettings, ServerStore, StoreError,
};
use async_trait::async_trait;
use ledger::counters::Counts;
use ledger::fold::{Folded, View};
use ledger::{Class, Identity, RecipientId, ServerId, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
#[cfg(any(test, feature = "testing"))]
use std::sync::Arc;

/// Shown one item after the other; false ends it.
pub(crate) type Show<'a> = &'a mut dyn FnMut(&Key, &Item) -> Result<bool, StoreError>;

/// Which items of a partition are shown, and from which end.
#[derive(Clone, Debug)]
pub struct Range {
    /// The partition.
    pub pk: String,
    /// From this sort key on.
    pub from: Bound<String>,
    /// Up to this one.
    pub to: Bound<String>,
    /// The last one first.
    pub backwards: bool,
}

/// Which places of an index are shown, and from which end: of one partition, in order of time.
#[derive(Clone, Debug)]
pub struct Span {
    /// The index.
    pub index: Index,
    /// The partition.
    pub pk: String,
    /// Between these instants.
    pub within: TimeRange,
    /// Behind the place of this item at this instant.
    pub after: Option<(i64, Key)>,
    /// The latest first.
    pub backwards: bool,
}

/// Tables as they are read.
pub trait Items {
    /// An item.
    fn get(&self, table: Table, key: &Key) -> Result<Option<Item>, StoreError>;

    /// Shows the items of a partition's range in the order of their sort keys.
    fn range(&self, table: Table, range: Range, show: Show<'_>) -> Result<(), StoreError>;

    /// Shows all items of a table behind a key, in the order of their keys.
    fn scan(&self, table: Table, after: Option<Key>, show: Show<'_>) -> Result<(), StoreError>;

    /// Shows what an index holds within a span.
    fn places(&self, span: Span, show: Show<'_>) -> Result<(), StoreError>;
}

/// Tables as they are written.
pub trait ItemsMut: Items {
    /// Puts an item in the place of what stands under a key, or takes that away.
    fn set(&mut self, table: Table, key: &Key, item: Option<Item>) -> Result<(), StoreError>;

    /// Takes away what has expired by an instant (at most so many items of a table), and says how many those were.
    fn expire(&mut self, table: Table, by: Time, limit: usize) -> Result<usize, StoreError>;
}

/// What keeps the items.
pub trait Backend: Send + Sync {
    /// Reads: what was written before it began.
    fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Items) -> Result<T, StoreError> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send;

    /// Writes all or nothing: nothing where the work fails. Nobody else writes meanwhile.
    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn ItemsMut) -> Result<T, StoreError> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send;
}

/// All tables of a ledger on this machine.
#[derive(Debug)]
pub struct Local<B> {
    pub(crate) backend: B,
    pub(crate) item_bytes_max: usize,
    pub(crate) by_time: ByTime,
}

impl<B> Local<B> {
    /// With the index by time, which costs little here.
    pub(crate) fn over(backend: B) -> Local<B> {
        Local { backend, item_bytes_max: ITEM_BYTES_MAX, by_time: ByTime::Always }
    }
}

/// Tables that two hold: for tests of what one writes and the other reads.
#[cfg(any(test, feature = "testing"))]
impl<B: Backend> Backend for Arc<B> {
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Items) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        (**self).read(work).await
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn ItemsMut) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        (**self).write(work).await
    }
}

#[cfg(any(test, feature = "testing"))]
impl<B: Backend> Local<B> {
    /// The same tables twice, as a stack has them on AWS: before it switches the index by time on, and then.
    pub fn before_and_with_by_time(self) -> [Local<Arc<B>>; 2] {
        let (backend, item_bytes_max) = (Arc::new(self.backend), self.item_bytes_max);
        [ByTime::Never, ByTime::Switched].map(|by_time| Local {
            backend: backend.clone(),
            item_bytes_max,
            by_time,
        })
    }
}

/// How many items are taken away at once where they have expired.
const EXPIRE_AT_ONCE: usize = 1_000;

impl<B: Backend> Local<B> {
    /// Takes away what has expired by an instant, as DynamoDB does by its own clock. How many items that were.
    ///
    /// # Errors
    /// Where the tables cannot be written.
    pub async fn expire(&self, by: Time) -> Result<usize, StoreError> {
        let mut all = 0;
        for table in Table::ALL.into_iter().filter(|table| table.expires()) {
            loop {
                let gone = self.backend.write(move |items| items.expire(table, by, EXPIRE_AT_ONCE)).await?;
                all += gone;
                if gone < EXPIRE_AT_ONCE {
                    break;
                }
            }
        }
        Ok(all)
    }
}

impl Range {
    /// All of a partition.
    fn all(pk: String) -> Range {
        Range { pk, from: Bound::Unbounded, to: Bound::Unbounded, backwards: false }
    }

    /// From a sort key on.
    fn from(pk: String, sk: impl Into<String>) -> Range {
        Range { from: Bound::Included(sk.into()), ..Range::all(pk) }
    }
}

/// The items of a partition whose sort keys begin so.
fn beginning(
    items: &dyn Items,
    table: Table,
    pk: String,
    prefix: &str,
    mut each: impl FnMut(&Key, &Item) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    items.range(table, Range::from(pk, prefix), &mut |key, item| {
        if key.1.starts_with(prefix) { each(key, item) } else { Ok(false) }
    })
}

/// All of them, read.
fn all<T>(
    items: &dyn Items,
    table: Table,
    pk: String,
    prefix: &str,
    read: impl Fn(&Key, &Item) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::new();
    beginning(items, table, pk, prefix, |key, item| {
        found.push(read(key, item)?);
        Ok(true)
    })?;
    Ok(found)
}

/// The items of a partition before a sort key (or all), the last one first.
fn backwards(pk: String, before: Option<String>) -> Range {
    Range { to: before.map_or(Bound::Unbounded, Bound::Excluded), backwards: true, ..Range::all(pk) }
}

/// What an action demands of what stands where it writes.
enum Demand {
    Nothing,
    Absent,
    Seen(Seen),
    Folded(Option<Folded>),
}

impl Demand {
    fn of(action: &Action) -> Demand {
        match action {
            Action::Record(_) => Demand::Absent,
            Action::Replace(_, seen) => Demand::Seen(*seen),
            Action::PutView(_, read) => Demand::Folded(*read),
            Action::Count(..) | Action::PutRow(..) | Action::DeleteRow(..) => Demand::Nothing,
        }
    }

    /// Why it cancels the transaction, if it does.
    fn check(&self, items: &dyn Items, key: &Key) -> Result<Cancel, StoreError> {
        let event = || {
            let stored = items.get(Table::Events, key)?;
            stored.map(|old| item::to_event(key, &old)).transpose()
        };
        let recorded = |old| Cancel::Recorded(Box::new(old));
        Ok(match self {
            Demand::Nothing => Cancel::None,
            Demand::Absent => event()?.map_or(Cancel::None, recorded),
            Demand::Seen(seen) => match event()? {
                None => Cancel::Gone,
                Some(old) if Seen::from(&old.event) != *seen => recorded(old),
                Some(_) => Cancel::None,
            },
            Demand::Folded(read) => {
                let stored = items.get(Table::Recipients, key)?;
                let stored = stored.as_ref().map(item::to_folded).transpose()?;
                if stored == *read { Cancel::None } else { Cancel::Folded(stored) }
            }
        })
    }
}

/// Does a transaction's writes, or says why it is cancelled.
fn commit(
    items: &mut dyn ItemsMut,
    demands: &[Demand],
    writes: Vec<Write>,
) -> Result<Option<Vec<Cancel>>, StoreError> {
    let checks = demands.iter().zip(&writes).map(|(demand, write)| demand.check(&*items, &write.key));
    let cancels = checks.collect::<Result<Vec<Cancel>, StoreError>>()?;
    if cancels.iter().any(|cancel| *cancel != Cancel::None) {
        return Ok(Some(cancels));
    }
    for Write { table, key, change } in writes {
        match change {
            Change::Put(item) => items.set(table, &key, Some(item))?,
            Change::Delete => items.set(table, &key, None)?,
            Change::Add(counts, latest) => {
                let mut item = items.get(table, &key)?.unwrap_or_default();
                counts.into_iter().for_each(|(measure, n)| item.add(measure.name(), n));
                if let Some(latest) = latest {
                    item.set(item::LATEST, item::Value::N(latest.micros()));
                }
                items.set(table, &key, Some(item))?;
            }
        }
    }
    Ok(None)
}

#[async_trait]
impl<B: Backend> EventStore for Local<B> {
    async fn commit(&self, actions: &[Action]) -> Result<(), CommitError> {
        let writes = writes(actions, self.by_time.is_kept(), self.item_bytes_max)?;
        let demands: Vec<Demand> = actions.iter().map(Demand::of).collect();
        match self.backend.write(move |items| commit(items, &demands, writes)).await? {
            None => Ok(()),
            Some(cancels) => Err(CommitError::Cancelled(cancels)),
        }
    }

    async fn state_events(
        &self,
        server: ServerId,
        recipient: RecipientId,
    ) -> Result<Vec<Recorded>, StoreError> {
        let (pk, prefix) = (item::recipient_pk(server, recipient), item::class_prefix(Class::State));
        self.backend.read(move |items| all(items, Table::Events, pk, &prefix, item::to_event)).await
    }

    async fn events(
        &self,
        server: ServerId,
        recipient: RecipientId,
        class: Class,
        after: Option<Identity>,
        limit: usize,
    ) -> Result<Page<Recorded>, StoreError> {
        let (pk, prefix) = (item::recipient_pk(server, recipient), item::class_prefix(class));
        let after = after.map(|after| item::event_key(server, recipient, class, after).1);
        self.backend
            .read(move |items| {
                let mut found = Vec::new();
                let from = after.map_or_else(|| Bound::Included(prefix.clone()), Bound::Excluded);
                let range = Range { from, ..Range::all(pk) };
                items.range(Table::Events, range, &mut |key, item| {
                    let more = key.1.starts_with(&prefix) && found.len() <= limit;
                    if more {
                        found.push((key.clone(), item.clone()));
                    }
                    Ok(more)
                })?;
                Page::first(found, limit, |(key, _)| key, |(key, item)| item::to_event(key, item))
            })
            .await
    }

    async fn deliveries(
        &self,
        server: ServerId,
        recipient: RecipientId,
        stream: &str,
        by: Time,
        limit: usize,
    ) -> Result<Page<Recorded>, StoreError> {
        let (pk, prefix) = (item::recipient_pk(server, recipient), item::class_prefix(Class::Delivery));
        let stream = stream.to_owned();
        self.backend
            .read(move |items| {
                let mut found = Vec::new();
                beginning(items, Table::Events, pk, &prefix, |key, item| {
                    let of_stream = item.text("stream") == Some(&stream);
                    if of_stream && item.number("at").is_some_and(|at| at <= by.micros()) {
                        found.push((key.clone(), item::to_event(key, item)?));
                    }
                    Ok(found.len() <= limit)
                })?;
                Page::first(found, limit, |(key, _)| key, |(_, recorded)| Ok(recorded.clone()))
            })
            .await
    }

    async fn event(
        &self,
        server: ServerId,
        recipient: RecipientId,
        class: Class,
        identity: Identity,
    ) -> Result<Option<Recorded>, StoreError> {
        let key = item::event_key(server, recipient, class, identity);
        let read = move |items: &dyn Items| {
            items.get(Table::Events, &key)?.map(|item| item::to_event(&key, &item)).transpose()
        };
        self.backend.read(read).await
    }

    async fn views(
        &self,
        server: ServerId,
        recipients: &[RecipientId],
    ) -> Result<Vec<Option<View>>, StoreError> {
        let keys: Vec<Key> = recipients.iter().map(|recipient| item::view_key(server, *recipient)).collect();
        let read = move |items: &dyn Items| {
            let view = |key| items.get(Table::Recipients, key)?.as_ref().map(item::to_view).transpose();
            keys.iter().map(view).collect()
        };
        self.backend.read(read).await
    }

    async fn note_stream(&self, server: ServerId, stream: &str) -> Result<(), StoreError> {
        let key = item::stream_key(server, stream);
        let note = move |items: &mut dyn ItemsMut| items.set(Table::Registry, &key, Some(Item::default()));
        self.backend.write(note).await
    }

    async fn forget_stream(&self, server: ServerId, stream: &str) -> Result<(), StoreError> {
        let key = item::stream_key(server, stream);
        self.backend.write(move |items| items.set(Table::Registry, &key, None)).await
    }
}

#[async_trait]
impl<B: Backend> CounterStore for Local<B> {
    async fn counters(
        &self,
        server: ServerId,
        stream: &str,
        from: &str,
        before: &str,
    ) -> Result<BTreeMap<String, Counts>, StoreError> {
        if from >= before {
            return Ok(BTreeMap::new());
        }
        let range = Range {
            to: Bound::Excluded(before.to_owned()),
            ..Range::from(item::stream_pk(server, stream), from)
        };
        let read = move |items: &dyn Items| {
            let mut hours: BTreeMap<String, Counts> = BTreeMap::new();
            items.range(Table::Counters, range, &mut |key, item| {
                item::add_counts(&mut hours, &key.1, item);
                Ok(true)
            })?;
            Ok(hours)
        };
        self.backend.read(read).await
    }
}

#[async_trait]
impl<B: Backend> ServerStore for Local<B> {
    async fn settings(&self, server: ServerId) -> Result<ServerSettings, StoreError> {
        let key = item::settings_key(server);
        let read = move |items: &dyn Items| {
            let item = items.get(Table::Registry, &key)?;
            item.as_ref().map(item::to_settings).transpose().map(Option::unwrap_or_default)
        };
        self.backend.read(read).await
    }

    async fn put_settings(&self, server: ServerId, settings: ServerSettings) -> Result<(), StoreError> {
        let (key, item) = (item::settings_key(server), item::of_settings(&settings));
        self.backend.write(move |items| items.set(Table::Registry, &key, Some(item))).await
    }

    async fn streams(&self, server: ServerId) -> Result<BTreeSet<String>, StoreError> {
        let pk = item::server_pk(server);
        let read = move |items: &dyn Items| {
            let name = |key: &Key, _: &Item| Ok(key.1[item::STREAM_PREFIX.len()..].to_owned());
            all(items, Table::Registry, pk, item::STREAM_PREFIX, name)
        };
        Ok(self.backend.read(read).await?.into_iter().collect())
    }
}

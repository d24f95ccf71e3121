//! The ports over tables on this machine: what they ask is answered here once, over whatever keeps the items
//! ([`Backend`]): the memory of this process, or a file.

use crate::item::{self, Item, Key, Quarantined, RecipientItem};
use crate::page::{Cursor, Page, TimeRange};
use crate::tables::{BY_MESSAGE, BY_TIME, Index, SUPPRESSED, Table};
use crate::write::{Change, Write, writes};
use crate::{
    Action, Cancel, Collection, CommitError, CounterStore, Document, DocumentStore, Erased, ErasedAs,
    EventStore, FreshnessStore, ITEM_BYTES_MAX, IndexStore, Listing, MessageKey, PAGE_BYTES_MAX,
    QuarantineStore, Recorded, RuleStore, Scan, Seen, ServerSettings, ServerStore, StoreError, document,
    index,
};
use async_trait::async_trait;
use ledger::counters::Counts;
use ledger::fold::{Folded, View};
use ledger::{Class, Identity, RecipientId, ServerId, Time};
use queue::Part;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

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
    pub(crate) by_time: bool,
}

impl<B> Local<B> {
    /// With the index by time, which costs little here.
    pub(crate) fn over(backend: B) -> Local<B> {
        Local { backend, item_bytes_max: ITEM_BYTES_MAX, by_time: true }
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
        let writes = writes(actions, self.by_time, self.item_bytes_max)?;
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

#[async_trait]
impl<B: Backend> DocumentStore for Local<B> {
    async fn document(&self, collection: &Collection, name: &str) -> Result<Option<Document>, StoreError> {
        let key = document::key(collection, name)?;
        let read = move |items: &dyn Items| items.get(Table::Registry, &key)?.map(document::read).transpose();
        self.backend.read(read).await
    }

    async fn documents(&self, collection: &Collection) -> Result<Vec<(String, Document)>, StoreError> {
        let pk = collection.pk();
        let read = |key: &Key, item: &Item| Ok((key.1.clone(), document::read(item.clone())?));
        self.backend.read(move |items| all(items, Table::Registry, pk, "", read)).await
    }

    async fn put_document(
        &self,
        collection: &Collection,
        name: &str,
        text: &str,
        expected: Option<u64>,
    ) -> Result<bool, StoreError> {
        let (key, item) =
            (document::key(collection, name)?, document::following(collection, text, expected)?);
        let expected = expected.map(document::number).transpose()?;
        let put = move |items: &mut dyn ItemsMut| {
            let stored = items.get(Table::Registry, &key)?.map(|item| item.number("version"));
            let as_read = stored == expected.map(Some);
            if as_read {
                items.set(Table::Registry, &key, Some(item))?;
            }
            Ok(as_read)
        };
        self.backend.write(put).await
    }

    async fn delete_document(
        &self,
        collection: &Collection,
        name: &str,
        expected: u64,
    ) -> Result<bool, StoreError> {
        document::changeable(collection)?;
        let (key, expected) = (document::key(collection, name)?, document::number(expected)?);
        let delete = move |items: &mut dyn ItemsMut| {
            let stored = items.get(Table::Registry, &key)?;
            let gone = stored.is_none_or(|item| item.number("version") == Some(expected));
            if gone {
                items.set(Table::Registry, &key, None)?;
            }
            Ok(gone)
        };
        self.backend.write(delete).await
    }

    async fn last_documents(
        &self,
        collection: &Collection,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Document)>, StoreError> {
        let range = backwards(collection.pk(), before.map(str::to_owned));
        let read = move |items: &dyn Items| {
            let mut found = Vec::new();
            items.range(Table::Registry, range, &mut |key, item| {
                if found.len() < limit {
                    found.push((key.1.clone(), document::read(item.clone())?));
                }
                Ok(found.len() < limit)
            })?;
            Ok(found)
        };
        self.backend.read(read).await
    }
}

/// Changes the item of the rules.
fn rule(items: &mut dyn ItemsMut, change: impl FnOnce(&mut Item)) -> Result<(), StoreError> {
    let key = item::rules_key();
    let mut rules = items.get(Table::Registry, &key)?.unwrap_or_default();
    change(&mut rules);
    items.set(Table::Registry, &key, Some(rules))
}

/// Moves one instant of the rules, if that makes them stricter.
fn tighten(
    items: &mut dyn ItemsMut,
    name: String,
    to: Time,
    stricter: fn(i64, i64) -> i64,
) -> Result<(), StoreError> {
    rule(items, |rules| {
        let to = rules.number(&name).map_or(to.micros(), |stands| stricter(stands, to.micros()));
        rules.set(name, item::Value::N(to));
    })
}

#[async_trait]
impl<B: Backend> RuleStore for Local<B> {
    async fn rules(&self) -> Result<crate::Rules, StoreError> {
        let read = |items: &dyn Items| {
            let item = items.get(Table::Registry, &item::rules_key())?;
            Ok(item.as_ref().map(item::to_rules).unwrap_or_default())
        };
        self.backend.read(read).await
    }

    async fn revoke(&self, server: ServerId, generation: u32, from: Time) -> Result<(), StoreError> {
        let name = item::revoked_attribute(server, generation);
        self.backend.write(move |items| tighten(items, name, from, i64::min)).await
    }

    async fn unrevoke(&self, server: ServerId, generation: u32) -> Result<(), StoreError> {
        let name = item::revoked_attribute(server, generation);
        self.backend.write(move |items| rule(items, |rules| rules.remove(&name))).await
    }

    async fn raise_floor(&self, class: Class, to: Time) -> Result<(), StoreError> {
        let name = item::floor_attribute(class);
        self.backend.write(move |items| tighten(items, name, to, i64::max)).await
    }

    async fn erase(&self, server: ServerId, recipient: RecipientId, at: Time) -> Result<(), StoreError> {
        let erase = move |items: &mut dyn ItemsMut| {
            let key = item::erased_key(server, recipient);
            let since = items.get(Table::Registry, &key)?.and_then(|erased| erased.number("at"));
            // The first instant stays, and what was swept is to be swept once more.
            let erased = Item::default().with("at", item::Value::N(since.unwrap_or(at.micros())));
            items.set(Table::Registry, &key, Some(erased))?;
            let mut count = 0;
            rule(items, |rules| {
                rules.add(item::ERASURES, 1);
                count = rules.number(item::ERASURES).unwrap_or_default();
            })?;
            let noted = item::erasure_key(count.unsigned_abs());
            items.set(Table::Registry, &noted, Some(item::of_erasure(server, recipient)))
        };
        self.backend.write(erase).await
    }

    async fn erased(&self) -> Result<Vec<Erased>, StoreError> {
        let pk = item::ERASED_PK.to_owned();
        self.backend.read(move |items| all(items, Table::Registry, pk, "", item::to_erased)).await
    }

    async fn erased_after(&self, count: u64) -> Result<Vec<ErasedAs>, StoreError> {
        let (pk, behind) = item::erasure_key(count);
        let read = move |items: &dyn Items| {
            let range = Range { from: Bound::Excluded(behind), ..Range::all(pk) };
            let mut found = Vec::new();
            items.range(Table::Registry, range, &mut |key, item| {
                found.push(item::to_erasure(key, item)?);
                Ok(true)
            })?;
            Ok(found)
        };
        self.backend.read(read).await
    }

    async fn mark_swept(&self, server: ServerId, recipient: RecipientId, at: Time) -> Result<(), StoreError> {
        let key = item::erased_key(server, recipient);
        let mark = move |items: &mut dyn ItemsMut| match items.get(Table::Registry, &key)? {
            Some(mut erased) => {
                erased.set("swept", item::Value::N(at.micros()));
                items.set(Table::Registry, &key, Some(erased))
            }
            None => Ok(()),
        };
        self.backend.write(mark).await
    }
}

/// The parts of one body in quarantine.
fn parts(items: &dyn Items, received_at: Time, id: &str) -> Result<Vec<Quarantined>, StoreError> {
    let prefix = format!("{}#{id}#", received_at.key());
    all(items, Table::Quarantine, received_at.day(), &prefix, |_, item| item::to_quarantined(item))
}

#[async_trait]
impl<B: Backend> QuarantineStore for Local<B> {
    async fn quarantine(&self, part: Part, expires_at: Option<Time>) -> Result<(), StoreError> {
        let key = item::part_key(part.received_at, &part.id, part.part);
        let now = part.received_at;
        let item = item::of_quarantined(&Quarantined { part, expires_at, replayed_at: None });
        if item.size(&key.0, &key.1) > ITEM_BYTES_MAX {
            return Err(StoreError::Invalid("an item is larger than 400 KB"));
        }
        let keep = move |items: &mut dyn ItemsMut| {
            items.expire(Table::Quarantine, now, EXPIRE_AT_ONCE)?;
            match items.get(Table::Quarantine, &key)? {
                Some(_) => Ok(()),
                None => items.set(Table::Quarantine, &key, Some(item)),
            }
        };
        self.backend.write(keep).await
    }

    async fn quarantined_on(&self, day: &str) -> Result<Vec<Quarantined>, StoreError> {
        let day = day.to_owned();
        let read = |_: &Key, item: &Item| item::to_quarantined(item);
        self.backend.read(move |items| all(items, Table::Quarantine, day, "", read)).await
    }

    async fn quarantined(&self, received_at: Time, id: &str) -> Result<Vec<Quarantined>, StoreError> {
        let id = id.to_owned();
        self.backend.read(move |items| parts(items, received_at, &id)).await
    }

    async fn mark_replayed(&self, received_at: Time, id: &str, at: Time) -> Result<(), StoreError> {
        let id = id.to_owned();
        let mark = move |items: &mut dyn ItemsMut| {
            for kept in parts(&*items, received_at, &id)? {
                let key = item::part_key(received_at, &id, kept.part.part);
                let item = item::of_quarantined(&Quarantined { replayed_at: Some(at), ..kept });
                items.set(Table::Quarantine, &key, Some(item))?;
            }
            Ok(())
        };
        self.backend.write(mark).await
    }

    async fn quarantined_page(
        &self,
        day: &str,
        after: Option<String>,
        limit: usize,
        newest_first: bool,
    ) -> Result<(Vec<Quarantined>, Option<String>), StoreError> {
        let all = Range::all(day.to_owned());
        let range = match after {
            Some(after) if newest_first => Range { to: Bound::Excluded(after), ..all },
            Some(after) => Range { from: Bound::Excluded(after), ..all },
            None => all,
        };
        let read = move |items: &dyn Items| {
            let (mut kept, mut bytes, mut last, mut next) = (Vec::new(), 0, None, None);
            let range = Range { backwards: newest_first, ..range };
            items.range(Table::Quarantine, range, &mut |key, item| {
                bytes += item.size(&key.0, &key.1);
                if kept.len() >= limit.max(1) || (bytes > PAGE_BYTES_MAX && !kept.is_empty()) {
                    next.clone_from(&last);
                    return Ok(false);
                }
                last = Some(key.1.clone());
                kept.push(item::to_quarantined(item)?);
                Ok(true)
            })?;
            Ok((kept, next))
        };
        self.backend.read(read).await
    }

    async fn rewrite_quarantined(&self, part: Part) -> Result<(), StoreError> {
        let key = item::part_key(part.received_at, &part.id, part.part);
        let rewrite = move |items: &mut dyn ItemsMut| match items.get(Table::Quarantine, &key)? {
            Some(item) => {
                let item = item::of_quarantined(&Quarantined { part, ..item::to_quarantined(&item)? });
                items.set(Table::Quarantine, &key, Some(item))
            }
            None => Ok(()),
        };
        self.backend.write(rewrite).await
    }
}

#[async_trait]
impl<B: Backend> IndexStore for Local<B> {
    async fn suppressed(
        &self,
        server: ServerId,
        stream: &str,
        since: TimeRange,
        after: Option<Cursor>,
        limit: Option<usize>,
    ) -> Result<Page<Listing>, StoreError> {
        let after = after.map(index::after).transpose()?;
        let pk = item::stream_pk(server, stream);
        let span = Span { index: SUPPRESSED, pk, within: since, after, backwards: false };
        let read = move |items: &dyn Items| {
            let (mut page, mut bytes) = (Page::default(), 0);
            items.places(span, &mut |key, row| {
                page.read += 1;
                bytes += row.size(&key.0, &key.1);
                page.items.push(index::to_listing(key, row)?);
                let full = bytes >= PAGE_BYTES_MAX || limit.is_some_and(|limit| page.items.len() >= limit);
                if full {
                    page.next = Some(Cursor { key: key.clone(), at: row.number(SUPPRESSED.sk) });
                }
                Ok(!full)
            })?;
            Ok(page)
        };
        self.backend.read(read).await
    }

    async fn happened(
        &self,
        server: ServerId,
        stream: &str,
        slot: u8,
        within: TimeRange,
        limit: usize,
    ) -> Result<Option<Vec<Recorded>>, StoreError> {
        if !self.by_time {
            return Ok(None);
        }
        let pk = item::time_pk(server, stream, &within.to.day(), slot);
        let span = Span { index: BY_TIME, pk, within, after: None, backwards: true };
        let read = move |items: &dyn Items| {
            let mut found = Vec::new();
            items.places(span, &mut |key, item| {
                if found.len() < limit {
                    found.push(item::to_event(key, item)?);
                }
                Ok(found.len() < limit)
            })?;
            Ok(Some(found))
        };
        self.backend.read(read).await
    }

    async fn message(&self, server: ServerId, message_id: &str) -> Result<Vec<MessageKey>, StoreError> {
        let pk = item::message_pk(server, message_id);
        let span = Span { index: BY_MESSAGE, pk, within: TimeRange::ALL, after: None, backwards: false };
        let read = move |items: &dyn Items| {
            let mut found = Vec::new();
            items.places(span, &mut |key, event| {
                found.push(index::to_message_key(key, event)?);
                Ok(true)
            })?;
            Ok(found)
        };
        self.backend.read(read).await
    }
}

#[async_trait]
impl<B: Backend> FreshnessStore for Local<B> {
    async fn newest(&self, server: ServerId, stream: &str) -> Result<Option<Time>, StoreError> {
        let range = backwards(item::stream_pk(server, stream), None);
        let read = move |items: &dyn Items| {
            let (mut hour, mut newest) = (None, None);
            items.range(Table::Counters, range, &mut |key, item| {
                let same =
                    hour.get_or_insert_with(|| item::hour_of(&key.1).to_owned()) == item::hour_of(&key.1);
                if same {
                    newest = newest.max(item::to_latest(&key.1, item));
                }
                Ok(same)
            })?;
            Ok(newest)
        };
        self.backend.read(read).await
    }

    async fn note_watermark(&self, received_at: Time) -> Result<(), StoreError> {
        let note = move |items: &mut dyn ItemsMut| {
            items.set(Table::Registry, &item::watermark_key(), Some(item::of_watermark(received_at)))
        };
        self.backend.write(note).await
    }

    async fn watermark(&self) -> Result<Option<Time>, StoreError> {
        let read = |items: &dyn Items| {
            Ok(items.get(Table::Registry, &item::watermark_key())?.as_ref().and_then(item::to_watermark))
        };
        self.backend.read(read).await
    }
}

impl<B: Backend> Local<B> {
    /// A page of a table: the items of a server.
    async fn scan<T: Send + 'static>(
        &self,
        table: Table,
        server: ServerId,
        after: Option<Cursor>,
        read: impl Fn(&Key, &Item) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<Page<T>, StoreError> {
        let of_server = format!("{server}#");
        let scan = move |items: &dyn Items| {
            let (mut page, mut bytes) = (Page::default(), 0);
            items.scan(table, after.map(|cursor| cursor.key), &mut |key, item| {
                page.read += 1;
                bytes += item.size(&key.0, &key.1);
                if key.0.starts_with(&of_server) {
                    page.items.push(read(key, item)?);
                }
                let full = bytes >= PAGE_BYTES_MAX;
                if full {
                    page.next = Some(Cursor { key: key.clone(), at: None });
                }
                Ok(!full)
            })?;
            Ok(page)
        };
        self.backend.read(scan).await
    }
}

#[async_trait]
impl<B: Backend> Scan for Local<B> {
    async fn scan_events(
        &self,
        server: ServerId,
        after: Option<Cursor>,
    ) -> Result<Page<Recorded>, StoreError> {
        self.scan(Table::Events, server, after, item::to_event).await
    }

    async fn scan_recipients(
        &self,
        server: ServerId,
        after: Option<Cursor>,
    ) -> Result<Page<RecipientItem>, StoreError> {
        self.scan(Table::Recipients, server, after, item::to_held).await
    }
}

//! The tables in memory: the same items under the same keys, the same conditions, the same limits.

use crate::item::{self, Item, Key, Value};
use crate::tables::Index;
use crate::write::{Change, Write, writes};
use crate::{
    Action, Cancel, Collection, CommitError, CounterStore, Cursor, Document, DocumentStore, Erased, ErasedAs,
    EventStore, FreshnessStore, ITEM_BYTES_MAX, IndexStore, Listing, MessageKey, PAGE_BYTES_MAX, Page,
    QuarantineStore, Quarantined, RecipientItem, Recorded, RuleStore, Rules, Scan, Seen, ServerSettings,
    ServerStore, StoreError, TimeRange, document, index, tables,
};
use async_trait::async_trait;
use ledger::counters::{Counters, Counts, Hour};
use ledger::fold::View;
use ledger::{Class, Identity, RecipientId, ServerId, Time};
use queue::Part;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

type Table = BTreeMap<Key, Item>;

/// An item's place in an index: partition, instant in microseconds, key in the table.
type Place = (String, i64, Key);

/// The place of an item in an index, if it has one.
fn place(index: &Index, key: &Key, item: &Item) -> Option<Place> {
    Some((item.text(index.pk)?.to_owned(), item.number(index.sk)?, key.clone()))
}

/// All tables of a stack.
#[derive(Debug)]
pub struct Memory {
    tables: Mutex<Tables>,
    item_bytes_max: usize,
    by_time: bool,
}

/// With the index by time, which costs nothing here.
impl Default for Memory {
    fn default() -> Memory {
        Memory { tables: Mutex::default(), item_bytes_max: ITEM_BYTES_MAX, by_time: true }
    }
}

#[derive(Debug, Default)]
struct Tables {
    events: Table,
    recipients: Table,
    counters: Table,
    quarantine: Table,
    /// When which part of the quarantine may be forgotten.
    expiring: BTreeSet<(Time, Key)>,
    /// Documents; what else the registry holds stands below as what it means.
    registry: Table,
    /// The indexes of events and recipients, by name.
    indexes: BTreeMap<&'static str, BTreeSet<Place>>,
    streams: BTreeMap<ServerId, BTreeSet<String>>,
    settings: BTreeMap<ServerId, ServerSettings>,
    rules: Rules,
    erased: BTreeMap<(ServerId, RecipientId), Erased>,
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tables whose items may have so many bytes only: what is too large comes sooner.
    #[cfg(any(test, feature = "testing"))]
    pub fn of_small_items(item_bytes_max: usize) -> Memory {
        Memory { item_bytes_max, ..Memory::default() }
    }

    /// Tables without the index by time, as a stack may choose.
    #[cfg(any(test, feature = "testing"))]
    pub fn without_by_time() -> Memory {
        Memory { by_time: false, ..Memory::default() }
    }

    /// All views, by server and recipient: for comparing a whole ledger with the reference.
    pub fn all_views(&self) -> Result<Vec<View>, StoreError> {
        let tables = self.lock();
        let mut views = Vec::new();
        for ((_, sk), item) in &tables.recipients {
            if sk == ledger::event::WHOLE_SERVER {
                views.push(item::to_view(item)?);
            }
        }
        views.sort_by_key(|view| (view.server, view.recipient));
        Ok(views)
    }

    /// All rows of streams.
    pub fn all_rows(&self) -> BTreeMap<Key, Item> {
        let tables = self.lock();
        let rows = tables.recipients.iter().filter(|((_, sk), _)| sk != ledger::event::WHOLE_SERVER);
        rows.map(|(key, item)| (key.clone(), item.clone())).collect()
    }

    /// All counters, summed over the shards.
    pub fn all_counters(&self) -> Counters {
        let tables = self.lock();
        let mut counters = Counters::default();
        for ((pk, sk), item) in &tables.counters {
            let (Some((server, stream)), Some((hour, _))) = (pk.split_once('#'), sk.split_once('#')) else {
                continue;
            };
            let Ok(server) = server.parse() else { continue };
            let hour = Hour { server, stream: stream.to_owned(), hour: hour.to_owned() };
            item::to_counts(item)
                .into_iter()
                .for_each(|(measure, n)| counters.add_to(hour.clone(), measure, n));
        }
        counters
    }

    /// The shards that anything was counted in, one for each hour and stream.
    pub fn counter_shards(&self) -> Vec<u8> {
        let tables = self.lock();
        tables.counters.keys().filter_map(|(_, sk)| sk.split_once('#')?.1.parse().ok()).collect()
    }

    /// All recorded events.
    pub fn all_events(&self) -> Result<Vec<Recorded>, StoreError> {
        self.lock().events.iter().map(|(key, item)| item::to_event(key, item)).collect()
    }

    /// Everything in quarantine.
    pub fn all_quarantined(&self) -> Result<Vec<Quarantined>, StoreError> {
        self.lock().quarantine.values().map(item::to_quarantined).collect()
    }
}

/// One page of a partition: items whose sort key begins with a prefix, after a sort key, up to 1 MB.
fn page<'a>(
    table: &'a Table,
    pk: &str,
    prefix: &str,
    after: Option<&Key>,
) -> (Vec<(&'a Key, &'a Item)>, bool) {
    let start = match after {
        Some(key) => Bound::Excluded(key.clone()),
        None => Bound::Included((pk.to_owned(), prefix.to_owned())),
    };
    let mut found = Vec::new();
    let mut bytes = 0;
    for (key, item) in table.range((start, Bound::Unbounded)) {
        if key.0 != pk || !key.1.starts_with(prefix) {
            break;
        }
        bytes += item.size(&key.0, &key.1);
        if bytes > PAGE_BYTES_MAX && !found.is_empty() {
            return (found, true);
        }
        found.push((key, item));
    }
    (found, false)
}

/// The items of a partition that come before a sort key, backwards.
fn last<'a>(
    table: &'a Table,
    pk: &str,
    before: Option<&str>,
) -> impl Iterator<Item = (&'a Key, &'a Item)> + use<'a> {
    let start = (pk.to_owned(), String::new());
    // No partition key has a zero byte.
    let end = before.map_or((format!("{pk}\0"), String::new()), |before| (pk.to_owned(), before.to_owned()));
    table.range(start..end).rev()
}

/// All pages of a partition.
fn query<'a>(table: &'a Table, pk: &str, prefix: &str) -> Vec<(&'a Key, &'a Item)> {
    let mut all: Vec<(&Key, &Item)> = Vec::new();
    loop {
        let (found, more) = page(table, pk, prefix, all.last().map(|(key, _)| *key));
        all.extend(found);
        if !more {
            return all;
        }
    }
}

impl Tables {
    fn of(&mut self, table: tables::Table) -> &mut Table {
        match table {
            tables::Table::Events => &mut self.events,
            tables::Table::Recipients => &mut self.recipients,
            tables::Table::Counters => &mut self.counters,
            tables::Table::Quarantine => &mut self.quarantine,
            tables::Table::Registry => &mut self.registry,
        }
    }

    /// Puts or deletes an item, and moves it in the table's indexes.
    fn set(&mut self, table: tables::Table, key: Key, item: Option<Item>) {
        let of = |index, item: Option<&Item>| item.and_then(|item| place(index, &key, item));
        let mut moves = Vec::new();
        for index in table.indexes(true) {
            let (old, new) = (of(index, self.of(table).get(&key)), of(index, item.as_ref()));
            if old != new {
                moves.push((index.name, old, new));
            }
        }
        for (name, old, new) in moves {
            let places = self.indexes.entry(name).or_default();
            if let Some(old) = old {
                places.remove(&old);
            }
            places.extend(new);
        }
        match item {
            Some(item) => drop(self.of(table).insert(key, item)),
            None => drop(self.of(table).remove(&key)),
        }
    }

    /// The places in a partition of an index, in order of time, within a span and behind an instant and a key.
    fn places(
        &self,
        index: &Index,
        pk: String,
        within: TimeRange,
        after: Option<(i64, Key)>,
    ) -> impl DoubleEndedIterator<Item = &Place> {
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
        let order = |bound: &Bound<Place>| match bound {
            Bound::Included(place) | Bound::Excluded(place) => place.clone(),
            Bound::Unbounded => Place::default(),
        };
        let empty = order(&start) >= order(&end);
        let places = self.indexes.get(index.name).filter(|_| !empty);
        places.map(|places| places.range((start, end))).into_iter().flatten()
    }

    /// Why an action cancels its transaction, if it does.
    fn check(&self, action: &Action, key: &Key) -> Result<Cancel, StoreError> {
        let stored = || self.events.get(key).map(|old| item::to_event(key, old)).transpose();
        let recorded = |old| Cancel::Recorded(Box::new(old));
        Ok(match action {
            Action::Record(_) => stored()?.map_or(Cancel::None, recorded),
            Action::Replace(_, seen) => match stored()? {
                None => Cancel::Gone,
                Some(old) if Seen::from(&old.event) != *seen => recorded(old),
                Some(_) => Cancel::None,
            },
            Action::PutView(_, read) => {
                let stored = self.recipients.get(key).map(item::to_folded).transpose()?;
                if stored == *read { Cancel::None } else { Cancel::Folded(stored) }
            }
            Action::Count(..) | Action::PutRow(..) | Action::DeleteRow(..) => Cancel::None,
        })
    }
}

#[async_trait]
impl EventStore for Memory {
    async fn commit(&self, actions: &[Action]) -> Result<(), CommitError> {
        let writes = writes(actions, self.by_time, self.item_bytes_max)?;
        let mut tables = self.lock();
        let checks = actions.iter().zip(&writes).map(|(action, write)| tables.check(action, &write.key));
        let cancels = checks.collect::<Result<Vec<Cancel>, StoreError>>()?;
        if cancels.iter().any(|cancel| *cancel != Cancel::None) {
            return Err(CommitError::Cancelled(cancels));
        }
        for Write { table, key, change } in writes {
            match change {
                Change::Put(item) => tables.set(table, key, Some(item)),
                Change::Delete => tables.set(table, key, None),
                Change::Add(counts, latest) => {
                    let item = tables.of(table).entry(key).or_default();
                    counts.into_iter().for_each(|(measure, n)| item.add(measure.name(), n));
                    if let Some(latest) = latest {
                        item.set(item::LATEST, Value::N(latest.micros()));
                    }
                }
            }
        }
        Ok(())
    }

    async fn state_events(
        &self,
        server: ServerId,
        recipient: RecipientId,
    ) -> Result<Vec<Recorded>, StoreError> {
        let tables = self.lock();
        let pk = item::recipient_pk(server, recipient);
        let found = query(&tables.events, &pk, &item::class_prefix(Class::State));
        found.into_iter().map(|(key, item)| item::to_event(key, item)).collect()
    }

    async fn events(
        &self,
        server: ServerId,
        recipient: RecipientId,
        class: Class,
        after: Option<Identity>,
        limit: usize,
    ) -> Result<Page<Recorded>, StoreError> {
        let tables = self.lock();
        let pk = item::recipient_pk(server, recipient);
        let mut found = query(&tables.events, &pk, &item::class_prefix(class));
        if let Some(after) = after.map(|after| item::event_key(server, recipient, class, after)) {
            found.retain(|(key, _)| **key > after);
        }
        Page::first(found, limit, |(key, _)| key, |(key, item)| item::to_event(key, item))
    }

    async fn deliveries(
        &self,
        server: ServerId,
        recipient: RecipientId,
        stream: &str,
        by: Time,
        limit: usize,
    ) -> Result<Page<Recorded>, StoreError> {
        let tables = self.lock();
        let pk = item::recipient_pk(server, recipient);
        let mut found = Vec::new();
        for (key, item) in query(&tables.events, &pk, &item::class_prefix(Class::Delivery)) {
            let recorded = item::to_event(key, item)?;
            if recorded.event.stream == stream && recorded.event.at <= by {
                found.push((key, recorded));
            }
        }
        Page::first(found, limit, |(key, _)| key, |(_, recorded)| Ok(recorded.clone()))
    }

    async fn event(
        &self,
        server: ServerId,
        recipient: RecipientId,
        class: Class,
        identity: Identity,
    ) -> Result<Option<Recorded>, StoreError> {
        let key = item::event_key(server, recipient, class, identity);
        self.lock().events.get(&key).map(|item| item::to_event(&key, item)).transpose()
    }

    async fn views(
        &self,
        server: ServerId,
        recipients: &[RecipientId],
    ) -> Result<Vec<Option<View>>, StoreError> {
        let tables = self.lock();
        let view = |recipient: &RecipientId| {
            tables.recipients.get(&item::view_key(server, *recipient)).map(item::to_view).transpose()
        };
        recipients.iter().map(view).collect()
    }

    async fn note_stream(&self, server: ServerId, stream: &str) -> Result<(), StoreError> {
        self.lock().streams.entry(server).or_default().insert(stream.to_owned());
        Ok(())
    }

    async fn forget_stream(&self, server: ServerId, stream: &str) -> Result<(), StoreError> {
        if let Some(streams) = self.lock().streams.get_mut(&server) {
            streams.remove(stream);
        }
        Ok(())
    }
}

#[async_trait]
impl CounterStore for Memory {
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
        let tables = self.lock();
        let pk = item::stream_pk(server, stream);
        let mut hours: BTreeMap<String, Counts> = BTreeMap::new();
        for (key, item) in tables.counters.range((pk.clone(), from.to_owned())..(pk, before.to_owned())) {
            item::add_counts(&mut hours, &key.1, item);
        }
        Ok(hours)
    }
}

#[async_trait]
impl ServerStore for Memory {
    async fn settings(&self, server: ServerId) -> Result<ServerSettings, StoreError> {
        Ok(self.lock().settings.get(&server).cloned().unwrap_or_default())
    }

    async fn put_settings(&self, server: ServerId, settings: ServerSettings) -> Result<(), StoreError> {
        self.lock().settings.insert(server, settings);
        Ok(())
    }

    async fn streams(&self, server: ServerId) -> Result<BTreeSet<String>, StoreError> {
        Ok(self.lock().streams.get(&server).cloned().unwrap_or_default())
    }
}

#[async_trait]
impl DocumentStore for Memory {
    async fn document(&self, collection: &Collection, name: &str) -> Result<Option<Document>, StoreError> {
        let key = document::key(collection, name)?;
        self.lock().registry.get(&key).cloned().map(document::read).transpose()
    }

    async fn documents(&self, collection: &Collection) -> Result<Vec<(String, Document)>, StoreError> {
        let tables = self.lock();
        let found = query(&tables.registry, &collection.pk(), "").into_iter();
        found.map(|(key, item)| Ok((key.1.clone(), document::read(item.clone())?))).collect()
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
        let mut tables = self.lock();
        let expected = expected.map(document::number).transpose()?;
        let as_read = tables.registry.get(&key).map(|item| item.number("version")) == expected.map(Some);
        if as_read {
            tables.set(tables::Table::Registry, key, Some(item));
        }
        Ok(as_read)
    }

    async fn delete_document(
        &self,
        collection: &Collection,
        name: &str,
        expected: u64,
    ) -> Result<bool, StoreError> {
        document::changeable(collection)?;
        let (key, expected) = (document::key(collection, name)?, document::number(expected)?);
        let mut tables = self.lock();
        let written = tables.registry.get(&key).is_some_and(|item| item.number("version") != Some(expected));
        if !written {
            tables.set(tables::Table::Registry, key, None);
        }
        Ok(!written)
    }

    async fn last_documents(
        &self,
        collection: &Collection,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Document)>, StoreError> {
        let tables = self.lock();
        let found = last(&tables.registry, &collection.pk(), before).take(limit);
        found.map(|(key, item)| Ok((key.1.clone(), document::read(item.clone())?))).collect()
    }
}

#[async_trait]
impl RuleStore for Memory {
    async fn rules(&self) -> Result<Rules, StoreError> {
        Ok(self.lock().rules.clone())
    }

    async fn revoke(&self, server: ServerId, generation: u32, from: Time) -> Result<(), StoreError> {
        let mut tables = self.lock();
        let revoked = tables.rules.revoked.entry(format!("{server}.{generation}")).or_insert(from);
        *revoked = from.min(*revoked);
        Ok(())
    }

    async fn unrevoke(&self, server: ServerId, generation: u32) -> Result<(), StoreError> {
        self.lock().rules.revoked.remove(&format!("{server}.{generation}"));
        Ok(())
    }

    async fn raise_floor(&self, class: Class, to: Time) -> Result<(), StoreError> {
        let mut tables = self.lock();
        let floor = tables.rules.floors.entry(class).or_insert(to);
        *floor = to.max(*floor);
        Ok(())
    }

    async fn erase(&self, server: ServerId, recipient: RecipientId, at: Time) -> Result<(), StoreError> {
        let mut tables = self.lock();
        let at = tables.erased.get(&(server, recipient)).map_or(at, |erased| erased.at);
        tables.erased.insert((server, recipient), Erased { server, recipient, at, swept: None });
        tables.rules.erasures += 1;
        let key = item::erasure_key(tables.rules.erasures);
        tables.registry.insert(key, item::of_erasure(server, recipient));
        Ok(())
    }

    async fn erased(&self) -> Result<Vec<Erased>, StoreError> {
        Ok(self.lock().erased.values().copied().collect())
    }

    async fn erased_after(&self, count: u64) -> Result<Vec<ErasedAs>, StoreError> {
        let tables = self.lock();
        let (behind, end) = (item::erasure_key(count), item::erasure_key(u64::MAX));
        let found = tables.registry.range((Bound::Excluded(behind), Bound::Included(end)));
        found.map(|(key, item)| item::to_erasure(key, item)).collect()
    }

    async fn mark_swept(&self, server: ServerId, recipient: RecipientId, at: Time) -> Result<(), StoreError> {
        if let Some(erased) = self.lock().erased.get_mut(&(server, recipient)) {
            erased.swept = Some(at);
        }
        Ok(())
    }
}

#[async_trait]
impl QuarantineStore for Memory {
    async fn quarantine(&self, part: Part, expires_at: Option<Time>) -> Result<(), StoreError> {
        let key = item::part_key(part.received_at, &part.id, part.part);
        let now = part.received_at;
        let item = item::of_quarantined(&Quarantined { part, expires_at, replayed_at: None });
        if item.size(&key.0, &key.1) > ITEM_BYTES_MAX {
            return Err(StoreError::Invalid("an item is larger than 400 KB"));
        }
        let mut tables = self.lock();
        while tables.expiring.first().is_some_and(|(expires_at, _)| *expires_at <= now) {
            if let Some((_, expired)) = tables.expiring.pop_first() {
                tables.quarantine.remove(&expired);
            }
        }
        if let Entry::Vacant(free) = tables.quarantine.entry(key.clone()) {
            free.insert(item);
            tables.expiring.extend(expires_at.map(|expires_at| (expires_at, key)));
        }
        Ok(())
    }

    async fn quarantined_on(&self, day: &str) -> Result<Vec<Quarantined>, StoreError> {
        let tables = self.lock();
        query(&tables.quarantine, day, "").into_iter().map(|(_, item)| item::to_quarantined(item)).collect()
    }

    async fn quarantined(&self, received_at: Time, id: &str) -> Result<Vec<Quarantined>, StoreError> {
        let tables = self.lock();
        let prefix = format!("{}#{id}#", received_at.key());
        let found = query(&tables.quarantine, &received_at.day(), &prefix);
        found.into_iter().map(|(_, item)| item::to_quarantined(item)).collect()
    }

    async fn mark_replayed(&self, received_at: Time, id: &str, at: Time) -> Result<(), StoreError> {
        let kept = self.quarantined(received_at, id).await?;
        let mut tables = self.lock();
        for kept in kept {
            let key = item::part_key(received_at, id, kept.part.part);
            tables
                .quarantine
                .insert(key, item::of_quarantined(&Quarantined { replayed_at: Some(at), ..kept }));
        }
        Ok(())
    }

    async fn quarantined_page(
        &self,
        day: &str,
        after: Option<String>,
        limit: usize,
        newest_first: bool,
    ) -> Result<(Vec<Quarantined>, Option<String>), StoreError> {
        let tables = self.lock();
        let mut found = query(&tables.quarantine, day, "");
        if newest_first {
            found.reverse();
        }
        let behind = |sk: &str| {
            after.as_deref().is_none_or(|after| if newest_first { sk < after } else { sk > after })
        };
        let (mut kept, mut bytes, mut last) = (Vec::new(), 0, None);
        for (key, item) in found.into_iter().filter(|(key, _)| behind(&key.1)) {
            bytes += item.size(&key.0, &key.1);
            if kept.len() >= limit.max(1) || (bytes > PAGE_BYTES_MAX && !kept.is_empty()) {
                return Ok((kept, last));
            }
            last = Some(key.1.clone());
            kept.push(item::to_quarantined(item)?);
        }
        Ok((kept, None))
    }

    async fn rewrite_quarantined(&self, part: Part) -> Result<(), StoreError> {
        let key = item::part_key(part.received_at, &part.id, part.part);
        let mut tables = self.lock();
        if let Some(item) = tables.quarantine.get(&key) {
            let item = item::of_quarantined(&Quarantined { part, ..item::to_quarantined(item)? });
            tables.quarantine.insert(key, item);
        }
        Ok(())
    }
}

#[async_trait]
impl IndexStore for Memory {
    async fn suppressed(
        &self,
        server: ServerId,
        stream: &str,
        since: TimeRange,
        after: Option<Cursor>,
        limit: Option<usize>,
    ) -> Result<Page<Listing>, StoreError> {
        let after = after.map(index::after).transpose()?;
        let tables = self.lock();
        let mut page = Page::default();
        let mut bytes = 0;
        for (_, at, key) in tables.places(&tables::SUPPRESSED, item::stream_pk(server, stream), since, after)
        {
            let Some(row) = tables.recipients.get(key) else { continue };
            page.read += 1;
            bytes += row.size(&key.0, &key.1);
            page.items.push(index::to_listing(key, row)?);
            if bytes >= PAGE_BYTES_MAX || limit.is_some_and(|limit| page.items.len() >= limit) {
                page.next = Some(Cursor { key: key.clone(), at: Some(*at) });
                break;
            }
        }
        Ok(page)
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
        let tables = self.lock();
        let pk = item::time_pk(server, stream, &within.to.day(), slot);
        let places = tables.places(&tables::BY_TIME, pk, within, None).rev().take(limit);
        let found = places.filter_map(|(_, _, key)| tables.events.get_key_value(key));
        found.map(|(key, item)| item::to_event(key, item)).collect::<Result<_, _>>().map(Some)
    }

    async fn message(&self, server: ServerId, message_id: &str) -> Result<Vec<MessageKey>, StoreError> {
        let tables = self.lock();
        let pk = item::message_pk(server, message_id);
        let places = tables.places(&tables::BY_MESSAGE, pk, TimeRange::ALL, None);
        let found = places.filter_map(|(_, _, key)| tables.events.get_key_value(key));
        found.map(|(key, event)| index::to_message_key(key, event)).collect()
    }
}

#[async_trait]
impl FreshnessStore for Memory {
    async fn newest(&self, server: ServerId, stream: &str) -> Result<Option<Time>, StoreError> {
        let tables = self.lock();
        let mut found = last(&tables.counters, &item::stream_pk(server, stream), None).peekable();
        let hour = found.peek().map(|(key, _)| item::hour_of(&key.1));
        let of_hour = found.take_while(|(key, _)| hour == Some(item::hour_of(&key.1)));
        Ok(of_hour.filter_map(|(key, item)| item::to_latest(&key.1, item)).max())
    }

    async fn note_watermark(&self, received_at: Time) -> Result<(), StoreError> {
        self.lock().registry.insert(item::watermark_key(), item::of_watermark(received_at));
        Ok(())
    }

    async fn watermark(&self) -> Result<Option<Time>, StoreError> {
        Ok(self.lock().registry.get(&item::watermark_key()).and_then(item::to_watermark))
    }
}

/// A page of a table: the items of a server.
fn scan<T>(
    table: &Table,
    server: ServerId,
    after: Option<Cursor>,
    read: impl Fn(&Key, &Item) -> Result<T, StoreError>,
) -> Result<Page<T>, StoreError> {
    let start = after.map_or(Bound::Unbounded, |cursor| Bound::Excluded(cursor.key));
    let of_server = format!("{server}#");
    let mut page = Page::default();
    let mut bytes = 0;
    for (key, item) in table.range((start, Bound::Unbounded)) {
        page.read += 1;
        bytes += item.size(&key.0, &key.1);
        if key.0.starts_with(&of_server) {
            page.items.push(read(key, item)?);
        }
        if bytes >= PAGE_BYTES_MAX {
            page.next = Some(Cursor { key: key.clone(), at: None });
            break;
        }
    }
    Ok(page)
}

#[async_trait]
impl Scan for Memory {
    async fn scan_events(
        &self,
        server: ServerId,
        after: Option<Cursor>,
    ) -> Result<Page<Recorded>, StoreError> {
        scan(&self.lock().events, server, after, item::to_event)
    }

    async fn scan_recipients(
        &self,
        server: ServerId,
        after: Option<Cursor>,
    ) -> Result<Page<RecipientItem>, StoreError> {
        scan(&self.lock().recipients, server, after, item::to_held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
}

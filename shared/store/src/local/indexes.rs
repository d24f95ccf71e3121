//! What is read through indexes, how current an answer is, and whole tables.

use super::{Backend, Items, ItemsMut, Local, Span, backwards};
use crate::item::{self, Item, Key, RecipientItem};
use crate::page::{Cursor, Page, TimeRange};
use crate::tables::{BY_MESSAGE, BY_TIME, SUPPRESSED, Table};
use crate::{
    ByTime, FreshnessStore, IndexStore, Listing, MessageKey, PAGE_BYTES_MAX, Recorded, Scan, StoreError,
    Unindexed, index,
};
use async_trait::async_trait;
use ledger::{ServerId, Time};

#[async_trait]
impl<B: Backend> IndexStore for Local<B> {
    fn by_time(&self) -> ByTime {
        self.by_time
    }

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
        if !self.by_time.is_kept() {
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

    async fn events_about(&self) -> Result<u64, StoreError> {
        let count = |items: &dyn Items| {
            let mut count = 0;
            items.scan(Table::Events, None, &mut |_, _| {
                count += 1;
                Ok(true)
            })?;
            Ok(count)
        };
        self.backend.read(count).await
    }

    async fn scan_unindexed(
        &self,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Unindexed>, StoreError> {
        let scan = move |items: &dyn Items| {
            let mut page = Page::default();
            items.scan(Table::Events, after.map(|cursor| cursor.key), &mut |key, item| {
                page.read += 1;
                page.items.extend(Unindexed::read(key, item)?);
                let full = page.read >= limit as u64;
                if full {
                    page.next = Some(Cursor { key: key.clone(), at: None });
                }
                Ok(!full)
            })?;
            Ok(page)
        };
        self.backend.read(scan).await
    }

    async fn index_by_time(&self, events: &[Unindexed]) -> Result<u64, StoreError> {
        let keys: Vec<Key> = events.iter().map(|event| event.key.clone()).collect();
        let index = move |items: &mut dyn ItemsMut| {
            let mut indexed = 0;
            for key in &keys {
                // The copy that is stored, whichever was seen.
                let Some(mut item) = items.get(Table::Events, key)? else { continue };
                let Some(Unindexed { slot, .. }) = Unindexed::read(key, &item)? else { continue };
                item.set(item::SLOT, item::Value::S(slot));
                items.set(Table::Events, key, Some(item))?;
                indexed += 1;
            }
            Ok(indexed)
        };
        self.backend.write(index).await
    }
}

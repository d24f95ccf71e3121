//! Pages: of scans of whole tables, and of indexes.

use super::wire::{attribute, failed, from_wire, key_of};
use super::{Attributes, DynamoDb};
use crate::item::{Item, Key, Value};
use crate::tables::{Index, PK, SK, Table};
use crate::{Cursor, Page, RecipientItem, Recorded, Scan, StoreError, TimeRange, Unindexed, index, item};
use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use ledger::ServerId;

/// What is asked of an index.
pub(super) struct IndexQuery {
    /// The partition.
    pub(super) pk: String,
    /// Which instants.
    pub(super) since: TimeRange,
    /// The latest first.
    pub(super) latest_first: bool,
    /// How many items at most; as many as a page holds, without.
    pub(super) limit: Option<usize>,
}

impl IndexQuery {
    /// The whole partition, the earliest first.
    pub(super) fn all(pk: String) -> IndexQuery {
        IndexQuery { pk, since: TimeRange::ALL, latest_first: false, limit: None }
    }
}

impl DynamoDb {
    /// The last items of a partition that come before a sort key, backwards.
    pub(super) async fn last(
        &self,
        table: Table,
        pk: &str,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(Key, Item)>, StoreError> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let mut query = self
                .client
                .query()
                .table_name(self.tables.name(table))
                .consistent_read(true)
                .scan_index_forward(false)
                .limit(i32::try_from(limit - found.len()).unwrap_or(i32::MAX))
                .set_exclusive_start_key(after)
                .expression_attribute_names("#pk", PK)
                .expression_attribute_values(":pk", AttributeValue::S(pk.to_owned()));
            query = match before {
                None => query.key_condition_expression("#pk = :pk"),
                Some(before) => query
                    .key_condition_expression("#pk = :pk AND #sk < :before")
                    .expression_attribute_names("#sk", SK)
                    .expression_attribute_values(":before", AttributeValue::S(before.to_owned())),
            };
            let page = query.send().await.map_err(failed)?;
            for attributes in page.items.unwrap_or_default() {
                found.push(from_wire(attributes).ok_or(StoreError::Damaged(table.name()))?);
            }
            after = page.last_evaluated_key;
            if after.is_none() || found.len() >= limit {
                return Ok(found);
            }
        }
    }

    async fn scan<T>(
        &self,
        table: Table,
        server: ServerId,
        after: Option<Cursor>,
        read: impl Fn(&Key, &Item) -> Result<T, StoreError>,
    ) -> Result<Page<T>, StoreError> {
        let page = self
            .client
            .scan()
            .table_name(self.tables.name(table))
            .consistent_read(true)
            .set_exclusive_start_key(after.map(|cursor| key_of(&cursor.key)))
            .filter_expression("begins_with(#pk, :server)")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":server", AttributeValue::S(format!("{server}#")))
            .send()
            .await
            .map_err(failed)?;
        page_of(table, None, page.items, page.scanned_count, page.last_evaluated_key, read)
    }

    /// A page of a partition of an index, in order of time. No index can be read consistently.
    pub(super) async fn page<T>(
        &self,
        table: Table,
        index: &Index,
        asked: IndexQuery,
        after: Option<Cursor>,
        read: impl Fn(&Key, &Item) -> Result<T, StoreError>,
    ) -> Result<Page<T>, StoreError> {
        let start = after.map(index::after).transpose()?;
        // DynamoDB refuses a span that ends before it begins.
        if asked.since.from > asked.since.to {
            return Ok(Page::default());
        }
        let start = start.map(|(at, key)| {
            let mut start = key_of(&key);
            start.insert(index.pk.to_owned(), AttributeValue::S(asked.pk.clone()));
            start.insert(index.sk.to_owned(), attribute(Value::N(at)));
            start
        });
        let mut query = self
            .client
            .query()
            .table_name(self.tables.name(table))
            .index_name(index.name)
            .scan_index_forward(!asked.latest_first)
            .set_limit(asked.limit.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX)))
            .set_exclusive_start_key(start)
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", index.pk)
            .expression_attribute_values(":pk", AttributeValue::S(asked.pk));
        if asked.since != TimeRange::ALL {
            let instant = |at: ledger::Time| attribute(Value::N(at.micros()));
            query = query
                .key_condition_expression("#pk = :pk AND #sk BETWEEN :from AND :to")
                .expression_attribute_names("#sk", index.sk)
                .expression_attribute_values(":from", instant(asked.since.from))
                .expression_attribute_values(":to", instant(asked.since.to));
        }
        let page = query.send().await.map_err(failed)?;
        page_of(table, Some(index), page.items, page.scanned_count, page.last_evaluated_key, read)
    }
}

/// A page as the SDK has it.
pub(super) fn page_of<T>(
    table: Table,
    index: Option<&Index>,
    items: Option<Vec<Attributes>>,
    scanned: i32,
    last: Option<Attributes>,
    read: impl Fn(&Key, &Item) -> Result<T, StoreError>,
) -> Result<Page<T>, StoreError> {
    let damaged = || StoreError::Damaged(table.name());
    let mut found = Vec::new();
    for attributes in items.unwrap_or_default() {
        let (key, item) = from_wire(attributes).ok_or_else(damaged)?;
        found.push(read(&key, &item)?);
    }
    let cursor = |last| {
        let (key, last) = from_wire(last)?;
        let at = index.map(|index| last.number(index.sk));
        // An index without the instant would begin anew.
        (at != Some(None)).then_some(Cursor { key, at: at.flatten() })
    };
    let next = last.map(|last| cursor(last).ok_or_else(damaged)).transpose()?;
    Ok(Page { items: found, read: scanned.try_into().unwrap_or_default(), next })
}

#[async_trait]
impl Scan for DynamoDb {
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
        self.count_events().await
    }

    async fn scan_unindexed(
        &self,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Unindexed>, StoreError> {
        self.unindexed(after, limit).await
    }

    async fn index_by_time(&self, events: &[Unindexed]) -> Result<u64, StoreError> {
        self.put_slots(events).await
    }
}

//! Stretches: scans of whole tables, and pages of indexes.

use super::wire::{attribute, failed, from_wire, key_of};
use super::{Attributes, DynamoDb};
use crate::item::{Item, Key, Value};
use crate::tables::{Index, PK, Table};
use crate::{Cursor, Held, Recorded, Scan, StoreError, Stretch, index, item};
use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use ledger::ServerId;

impl DynamoDb {
    async fn scan<T>(
        &self,
        table: Table,
        server: ServerId,
        after: Option<Cursor>,
        read: impl Fn(&Key, &Item) -> Result<T, StoreError>,
    ) -> Result<Stretch<T>, StoreError> {
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
        stretch(table, None, page.items, page.scanned_count, page.last_evaluated_key, read)
    }

    /// A page of a partition of an index, in order of time. No index can be read consistently.
    pub(super) async fn page<T>(
        &self,
        table: Table,
        index: &Index,
        pk: String,
        after: Option<Cursor>,
        read: impl Fn(&Key, &Item) -> Result<T, StoreError>,
    ) -> Result<Stretch<T>, StoreError> {
        let start = after.map(index::after).transpose()?.map(|(at, key)| {
            let mut start = key_of(&key);
            start.insert(index.pk.to_owned(), AttributeValue::S(pk.clone()));
            start.insert(index.sk.to_owned(), attribute(Value::N(at)));
            start
        });
        let page = self
            .client
            .query()
            .table_name(self.tables.name(table))
            .index_name(index.name)
            .set_exclusive_start_key(start)
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", index.pk)
            .expression_attribute_values(":pk", AttributeValue::S(pk))
            .send()
            .await
            .map_err(failed)?;
        stretch(table, Some(index), page.items, page.scanned_count, page.last_evaluated_key, read)
    }
}

/// A page as a stretch.
fn stretch<T>(
    table: Table,
    index: Option<&Index>,
    items: Option<Vec<Attributes>>,
    scanned: i32,
    last: Option<Attributes>,
    read: impl Fn(&Key, &Item) -> Result<T, StoreError>,
) -> Result<Stretch<T>, StoreError> {
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
    Ok(Stretch { found, read: scanned.try_into().unwrap_or_default(), next })
}

#[async_trait]
impl Scan for DynamoDb {
    async fn scan_events(
        &self,
        server: ServerId,
        after: Option<Cursor>,
    ) -> Result<Stretch<Recorded>, StoreError> {
        self.scan(Table::Events, server, after, item::to_event).await
    }

    async fn scan_recipients(
        &self,
        server: ServerId,
        after: Option<Cursor>,
    ) -> Result<Stretch<Held>, StoreError> {
        self.scan(Table::Recipients, server, after, item::to_held).await
    }
}

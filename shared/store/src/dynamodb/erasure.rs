//! Who is erased, and what is stripped of them in quarantine.

use super::wire::{attribute, failed, from_wire, key_of, to_wire};
use super::{DynamoDb, LIMITS, clause, where_it_may};
use crate::item::{self, Key, Value};
use crate::prelude::*;
use crate::tables::{PK, Table};
use crate::{Quarantined, StoreError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use ledger::{RecipientId, ServerId, Time};
use platform::Backoff;
use queue::Part;
use std::time::Duration;

/// How often an erasure is tried again where somebody else was erased in between.
const ERASE_TRIES: u32 = 8;
/// The first pause before it is.
const ERASE_PAUSE: Duration = Duration::from_millis(20);
/// The first instant stays, and what was swept is to be swept once more.
const ERASE: &str = "SET #at = if_not_exists(#at, :at) REMOVE #swept";

impl DynamoDb {
    /// Puts somebody among the erased, raises the counter in the rules, and notes who raised it to that, all or nothing:
    /// without the raise no consumer would ever look, and by the note it finds what is new alone.
    pub(super) async fn put_erased(
        &self,
        server: ServerId,
        recipient: RecipientId,
        at: Time,
    ) -> Result<(), StoreError> {
        let mut backoff = Backoff::new(ERASE_PAUSE, LIMITS.operation);
        for _ in 0..ERASE_TRIES {
            let count = self.rules().await?.erasures;
            if self.erase_as(server, recipient, at, count).await? {
                return Ok(());
            }
            tokio::time::sleep(backoff.pause()).await;
        }
        Err(StoreError::contended())
    }

    /// False: somebody else was erased in between.
    async fn erase_as(
        &self,
        server: ServerId,
        recipient: RecipientId,
        at: Time,
        count: u64,
    ) -> Result<bool, StoreError> {
        let number =
            |count: u64| i64::try_from(count).map(Value::N).map_err(|_| StoreError::Damaged("registry"));
        let update = |key: &Key| {
            Update::builder().table_name(self.tables.name(Table::Registry)).set_key(Some(key_of(key)))
        };
        let erased = update(&item::erased_key(server, recipient))
            .update_expression(ERASE)
            .expression_attribute_names("#at", "at")
            .expression_attribute_names("#swept", "swept")
            .expression_attribute_values(":at", attribute(Value::N(at.micros())));
        // Of two that are erased at once one waits for the other.
        let raised = update(&item::rules_key())
            .update_expression("SET #erasures = :next")
            .expression_attribute_names("#erasures", item::ERASURES)
            .expression_attribute_values(":next", attribute(number(count + 1)?));
        let raised = match count {
            0 => raised.condition_expression("attribute_not_exists(#erasures)"),
            _ => raised
                .condition_expression("#erasures = :count")
                .expression_attribute_values(":count", attribute(number(count)?)),
        };
        let noted = Put::builder()
            .table_name(self.tables.name(Table::Registry))
            .set_item(Some(to_wire(item::erasure_key(count + 1), item::of_erasure(server, recipient))))
            .build()
            .map_err(|_| StoreError::Invalid("a write is incomplete"))?;
        let mut writes = self.client.transact_write_items();
        for update in [erased, raised] {
            let update = update.build().map_err(|_| StoreError::Invalid("an update is incomplete"))?;
            writes = writes.transact_items(TransactWriteItem::builder().update(update).build());
        }
        writes = writes.transact_items(TransactWriteItem::builder().put(noted).build());
        let Err(error) = writes.send().await else { return Ok(true) };
        let lost = |code: &str| matches!(code, "ConditionalCheckFailed" | "TransactionConflict");
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled))
                if cancelled.cancellation_reasons().iter().any(|reason| reason.code().is_some_and(lost)) =>
            {
                Ok(false)
            }
            _ => Err(failed(error)),
        }
    }

    /// Notes when an erased recipient was swept for the last time.
    pub(super) async fn set_swept(
        &self,
        server: ServerId,
        recipient: RecipientId,
        at: Time,
    ) -> Result<(), StoreError> {
        let swept = ("swept", Value::N(at.micros()));
        self.set_present(Table::Registry, &item::erased_key(server, recipient), swept).await
    }

    /// Puts a part in the place of the one that is kept.
    pub(super) async fn rewrite_part(&self, part: Part) -> Result<(), StoreError> {
        let key = item::part_key(part.received_at, &part.id, part.part);
        self.set_present(Table::Quarantine, &key, ("part", Value::S(part.encode()))).await
    }

    /// Sets one attribute of an item; nothing where there is no item.
    pub(super) async fn set_present(
        &self,
        table: Table,
        key: &Key,
        (name, value): (&str, Value),
    ) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(self.tables.name(table))
            .set_key(Some(key_of(key)))
            .update_expression("SET #name = :value")
            .condition_expression(clause::PRESENT)
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#name", name)
            .expression_attribute_values(":value", attribute(value));
        where_it_may(update).await
    }

    /// A page of a day in quarantine.
    pub(super) async fn quarantine_page(
        &self,
        day: &str,
        after: Option<String>,
        limit: usize,
        newest_first: bool,
    ) -> Result<(Vec<Quarantined>, Option<String>), StoreError> {
        let damaged = || StoreError::Damaged(Table::Quarantine.name());
        let page = self
            .client
            .query()
            .table_name(self.tables.name(Table::Quarantine))
            .consistent_read(true)
            .scan_index_forward(!newest_first)
            .limit(i32::try_from(limit.max(1)).unwrap_or(i32::MAX))
            .set_exclusive_start_key(after.map(|sk| key_of(&(day.to_owned(), sk))))
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", AttributeValue::S(day.to_owned()))
            .send()
            .await
            .map_err(failed)?;
        let mut kept = Vec::new();
        for attributes in page.items.unwrap_or_default() {
            let (_, item) = from_wire(attributes).ok_or_else(damaged)?;
            kept.push(item::to_quarantined(&item)?);
        }
        let end = |last| from_wire(last).map(|((_, sk), _)| sk).ok_or_else(damaged);
        Ok((kept, page.last_evaluated_key.map(end).transpose()?))
    }
}

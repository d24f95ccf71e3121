//! What fills the index by time: which events are not in it, and each put there.

use super::pages::page_of;
use super::wire::{attribute, failed, from_wire, key_of};
use super::{DynamoDb, clause};
use crate::by_time::AT_ONCE;
use crate::item::{SLOT, Value};
use crate::tables::{PK, SK, Table};
use crate::{Cursor, Page, StoreError, Unindexed};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

/// How often an event is put into the index again whose copy was replaced in between.
const TRIES_MAX: u32 = 8;

impl DynamoDb {
    /// How many events there are, as DynamoDB last counted them.
    pub(super) async fn count_events(&self) -> Result<u64, StoreError> {
        let described = self.client.describe_table().table_name(self.tables.name(Table::Events));
        let count = described.send().await.map_err(failed)?.table.and_then(|table| table.item_count);
        Ok(count.and_then(|count| count.try_into().ok()).unwrap_or_default())
    }

    /// A page of the events that are not in the index.
    pub(super) async fn unindexed(
        &self,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Unindexed>, StoreError> {
        let page = self
            .client
            .scan()
            .table_name(self.tables.name(Table::Events))
            .consistent_read(true)
            .limit(i32::try_from(limit.max(1)).unwrap_or(i32::MAX))
            .set_exclusive_start_key(after.map(|cursor| key_of(&cursor.key)))
            .filter_expression("attribute_not_exists(#slot)")
            .projection_expression("#pk, #sk, #stream, #at")
            .expression_attribute_names("#slot", SLOT)
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_names("#stream", "stream")
            .expression_attribute_names("#at", "at")
            .send()
            .await
            .map_err(failed)?;
        page_of(
            Table::Events,
            None,
            page.items,
            page.scanned_count,
            page.last_evaluated_key,
            Unindexed::of_item,
        )
    }

    /// Puts events into the index, each as the copy that is stored. How many were not there.
    pub(super) async fn put_slots(&self, events: &[Unindexed]) -> Result<u64, StoreError> {
        let puts: Vec<_> = events.iter().map(|event| self.put_slot(event)).collect();
        let put: Vec<bool> = stream::iter(puts).buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(put.into_iter().filter(|put| *put).count() as u64)
    }

    async fn put_slot(&self, event: &Unindexed) -> Result<bool, StoreError> {
        let mut event = event.clone();
        for _ in 0..TRIES_MAX {
            let update = self
                .client
                .update_item()
                .table_name(self.tables.name(Table::Events))
                .set_key(Some(key_of(&event.key)))
                .update_expression("SET #slot = :slot")
                .condition_expression(clause::UNINDEXED)
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                .expression_attribute_names("#slot", SLOT)
                .expression_attribute_names("#stream", "stream")
                .expression_attribute_names("#at", "at")
                .expression_attribute_values(":slot", attribute(Value::S(event.slot.clone())))
                .expression_attribute_values(":stream", attribute(Value::S(event.stream.clone())))
                .expression_attribute_values(":at", attribute(Value::N(event.at)));
            let Err(error) = update.send().await else { return Ok(true) };
            let Some(UpdateItemError::ConditionalCheckFailedException(stood)) = error.as_service_error()
            else {
                return Err(failed(error));
            };
            // Gone: it expired. In the index: whoever replaced it put it there.
            let Some(stored) = stood.item.clone() else { return Ok(false) };
            let (key, item) = from_wire(stored).ok_or(StoreError::Damaged(Table::Events.name()))?;
            match Unindexed::read(&key, &item)? {
                None => return Ok(false),
                Some(stored) => event = stored,
            }
        }
        Err(StoreError::contended())
    }
}

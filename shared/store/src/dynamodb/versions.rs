//! Documents: written and deleted only as the version that was read.

use super::wire::{failed, from_wire, key_of, to_wire};
use super::{DynamoDb, clause};
use crate::item::{Item, Key, Value};
use crate::tables::Table;
use crate::{StoreError, document};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;

/// The attribute that tells whose write it was: a number drawn for each call. Where an answer was lost and the SDK
/// has tried again, the second try finds it, and the first is not taken for somebody else's.
const WRITE: &str = "write";

impl DynamoDb {
    /// Puts a version; false where another one than was read stood there.
    pub(super) async fn put_version(
        &self,
        key: Key,
        item: Item,
        expected: Option<u64>,
    ) -> Result<bool, StoreError> {
        let clause = clause::version(expected.map(document::number).transpose()?);
        let write = fastrand::i64(..);
        let put = self
            .client
            .put_item()
            .table_name(self.tables.name(Table::Registry))
            .set_item(Some(to_wire(key, item.with(WRITE, Value::N(write)))))
            .condition_expression(clause.condition)
            .set_expression_attribute_names(clause.names())
            .set_expression_attribute_values(clause.values())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                    let stood = refused.item.clone().and_then(from_wire);
                    Ok(stood.is_some_and(|(_, item)| item.number(WRITE) == Some(write)))
                }
                _ => Err(failed(error)),
            },
        }
    }

    /// Deletes the version that was read; false where another one stood there.
    pub(super) async fn delete_version(&self, key: &Key, expected: u64) -> Result<bool, StoreError> {
        let clause = clause::version_or_gone(document::number(expected)?);
        let delete = self
            .client
            .delete_item()
            .table_name(self.tables.name(Table::Registry))
            .set_key(Some(key_of(key)))
            .condition_expression(clause.condition)
            .set_expression_attribute_names(clause.names())
            .set_expression_attribute_values(clause.values());
        match delete.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(failed(error)),
            },
        }
    }
}

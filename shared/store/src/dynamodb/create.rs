//! Makes the tables of a stack by [`crate::tables`]: for emulators and tests. On AWS a template makes them.

use super::{DynamoDb, failed};
use crate::StoreError;
use crate::tables::{BY_TIME, EXPIRES_AT, Index, PK, Projection, SK, Table};
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, ProjectionType,
    ScalarAttributeType, TableStatus, TimeToLiveSpecification,
};
use platform::{CallFailed, FailureKind};
use std::time::Duration;

/// How often a table is asked whether it is there.
const ASKED_MAX: u32 = 600;
/// How long between.
const PAUSE: Duration = Duration::from_millis(100);

impl DynamoDb {
    /// Makes the tables that are not there; the names of those that it made.
    ///
    /// # Errors
    /// The calls' own.
    pub async fn create(&self) -> Result<Vec<String>, StoreError> {
        let mut made = Vec::new();
        for table in Table::ALL {
            if self.create_table(table).await? {
                made.push(self.tables.name(table));
            }
        }
        Ok(made)
    }

    /// Whether the index by time was made.
    ///
    /// # Errors
    /// The call's own.
    pub async fn has_by_time(&self) -> Result<bool, StoreError> {
        let described = self.client.describe_table().table_name(self.tables.name(Table::Events));
        let table = described.send().await.map_err(failed)?.table;
        let indexes = table.and_then(|table| table.global_secondary_indexes).unwrap_or_default();
        Ok(indexes.iter().any(|index| index.index_name.as_deref() == Some(BY_TIME.name)))
    }

    async fn create_table(&self, table: Table) -> Result<bool, StoreError> {
        let incomplete = |_| StoreError::Invalid("a table's definition is incomplete");
        let name = self.tables.name(table);
        let key = |attribute: &str, kind| {
            KeySchemaElement::builder().attribute_name(attribute).key_type(kind).build().map_err(incomplete)
        };
        let keys =
            |pk: &str, sk: &str| Ok::<_, StoreError>(vec![key(pk, KeyType::Hash)?, key(sk, KeyType::Range)?]);
        let attribute = |name: &str, kind| {
            AttributeDefinition::builder()
                .attribute_name(name)
                .attribute_type(kind)
                .build()
                .map_err(incomplete)
        };
        let (text, number) = (ScalarAttributeType::S, ScalarAttributeType::N);
        let mut attributes = vec![attribute(PK, text.clone())?, attribute(SK, text.clone())?];
        let mut indexes = Vec::new();
        for Index { name, pk, sk, projection, .. } in table.indexes(self.tables.by_time) {
            attributes.push(attribute(pk, text.clone())?);
            attributes.push(attribute(sk, number.clone())?);
            let projection = match projection {
                Projection::KeysOnly => ProjectionType::KeysOnly,
                Projection::All => ProjectionType::All,
            };
            let projection =
                aws_sdk_dynamodb::types::Projection::builder().projection_type(projection).build();
            let index = GlobalSecondaryIndex::builder().index_name(*name);
            let index = index.set_key_schema(Some(keys(pk, sk)?)).projection(projection);
            indexes.push(index.build().map_err(incomplete)?);
        }
        attributes.sort_by(|a, b| a.attribute_name.cmp(&b.attribute_name));
        attributes.dedup();
        let made = self
            .client
            .create_table()
            .table_name(&name)
            .billing_mode(BillingMode::PayPerRequest)
            .set_key_schema(Some(keys(PK, SK)?))
            .set_attribute_definitions(Some(attributes))
            .set_global_secondary_indexes((!indexes.is_empty()).then_some(indexes))
            .send()
            .await;
        match made {
            Err(error)
                if matches!(error.as_service_error(), Some(CreateTableError::ResourceInUseException(_))) =>
            {
                return Ok(false);
            }
            other => drop(other.map_err(failed)?),
        }
        self.wait_for(&name).await?;
        if table.expires() {
            let expiry = TimeToLiveSpecification::builder().attribute_name(EXPIRES_AT).enabled(true);
            let expiry = expiry.build().map_err(incomplete)?;
            let set = self.client.update_time_to_live().table_name(&name).time_to_live_specification(expiry);
            set.send().await.map_err(failed)?;
        }
        Ok(true)
    }

    async fn wait_for(&self, name: &str) -> Result<(), StoreError> {
        for _ in 0..ASKED_MAX {
            let told = self.client.describe_table().table_name(name).send().await.map_err(failed)?;
            if told.table.and_then(|table| table.table_status) == Some(TableStatus::Active) {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(CallFailed::new(FailureKind::Timeout).into())
    }
}

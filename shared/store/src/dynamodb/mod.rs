//! The tables on DynamoDB.
//!
//! Every read is consistent, but of an index, and reads all pages; keys that were left unprocessed are asked for
//! again. A
//! transaction that is cancelled tells of each action why, and returns the item that stood in its way, so that
//! nothing is read a second time. Nothing scans but [`Scan`](crate::Scan), which only a rebuild and filling an index use.

mod by_time;
mod clause;
mod create;
mod erasure;
mod pages;
mod versions;
mod wire;

use crate::item::{self, Item, Key};
use crate::tables::{BY_MESSAGE, BY_TIME, PK, SK, SUPPRESSED, Table};
use crate::write::{Change, Write, writes};
use crate::{
    Action, ByTime, Cancel, Collection, CommitError, CounterStore, Cursor, Document, DocumentStore, Erased,
    ErasedAs, EventStore, FreshnessStore, ITEM_BYTES_MAX, IndexStore, Listing, MessageKey, Page,
    QuarantineStore, Quarantined, Recorded, RuleStore, Rules, ServerSettings, ServerStore, StoreError,
    TimeRange, document, index,
};
use async_trait::async_trait;
use aws::{Limits, Link, Opened, ParameterError, Service};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, Delete, KeysAndAttributes, Put, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update,
};
use futures_util::stream::{self, StreamExt as _};
use ledger::counters::Counts;
use ledger::fold::View;
use ledger::{Class, Identity, LedgerKey, RecipientId, ServerId, Time};
use pages::IndexQuery;
use platform::config::{self, LEDGER_KEY_PARAMETER};
use platform::env::EnvError;
use platform::{Backoff, CallFailed, Config, FailureKind};
use queue::Part;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;
use wire::{attribute, failed, from_wire, key_of, to_wire};

/// How long calls may take: below any function's timeout. A batch gives a call up sooner where it must answer.
pub const LIMITS: Limits = Limits {
    connect: Duration::from_secs(1),
    attempt: Duration::from_secs(3),
    operation: Duration::from_secs(10),
    attempts_max: 3,
};
const _: () =
    assert!(LIMITS.attempt.as_millis() * LIMITS.attempts_max as u128 <= LIMITS.operation.as_millis());

/// The most keys that one call gets.
const KEYS_MAX: usize = 100;
/// How many such calls are under way at once.
const BATCHES_AT_ONCE: usize = 16;
/// How often keys that were left unprocessed are asked for again.
const UNPROCESSED_MAX: u32 = 8;
/// The first pause before they are.
const UNPROCESSED_PAUSE: Duration = Duration::from_millis(20);
/// How many counters are read at once for the newest event: one read unit. More are read only where the last hour was
/// counted by more environments.
const NEWEST_AT_ONCE: usize = 16;

/// The names of a stack's tables, and whether it has the index that costs extra.
#[derive(Clone, Debug)]
pub struct Tables {
    names: BTreeMap<Table, String>,
    by_time: bool,
}

impl Tables {
    /// Tables of any names; with `by_time` events are written into the index of that name.
    pub fn named(names: BTreeMap<Table, String>, by_time: bool) -> Tables {
        Tables { names, by_time }
    }

    /// The tables of a stack by their names: `us-prod-events` and so on.
    pub fn of_stack(stack: &str, by_time: bool) -> Tables {
        Tables::named(Table::ALL.map(|table| (table, format!("{stack}-{}", table.name()))).into(), by_time)
    }

    /// The tables that a function declares. One that records nothing need not declare the index by time.
    pub fn configured(config: &Config) -> Result<Tables, EnvError> {
        let declared = Table::ALL.into_iter().filter(|table| config.declares(table.variable()));
        let name = |table: Table| Ok((table, config.required(table.variable())?.to_owned()));
        let names = declared.map(name).collect::<Result<_, EnvError>>()?;
        let by_time = config.declares(config::BY_TIME) && config.parsed(config::BY_TIME, false)?;
        Ok(Tables::named(names, by_time))
    }

    /// The names of all tables.
    pub fn names(&self) -> Vec<String> {
        self.names.values().cloned().collect()
    }

    /// The name of a table.
    fn name(&self, table: Table) -> String {
        self.names.get(&table).cloned().unwrap_or_default()
    }
}

/// The tables on DynamoDB.
pub struct DynamoDb {
    client: Client,
    link: Link,
    tables: Tables,
}

/// Why a function has no ledger key.
#[derive(Debug, thiserror::Error)]
pub enum LedgerKeyError {
    /// The variable is missing, or its parameter does not hold a key.
    #[error(transparent)]
    Variable(#[from] EnvError),
    /// The parameter cannot be read.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
}

/// The ledger key of a function, from the parameter that it is told.
pub async fn ledger_key(link: &Link, config: &Config) -> Result<LedgerKey, LedgerKeyError> {
    let text = link.parameter(config.required(LEDGER_KEY_PARAMETER)?).await?;
    Ok(text.parse().map_err(|_| LEDGER_KEY_PARAMETER.unusable())?)
}

/// Attributes as the SDK has them.
type Attributes = HashMap<String, AttributeValue>;

/// Which items of a partition a query reads.
enum Range<'a> {
    /// All.
    All,
    /// Those whose sort key begins so.
    Prefix(&'a str),
    /// Those of them that stand behind a key.
    Behind(&'a str, &'a Key),
    /// Those whose sort key is not before the first and not after the second.
    Between(&'a str, &'a str),
}

/// What a query leaves out after it has read it: deliveries of other streams, and later ones.
struct OnStream<'a> {
    stream: &'a str,
    by: Time,
}

impl DynamoDb {
    /// The tables of a stack. It calls nothing yet.
    pub fn new(link: Link, tables: Tables) -> DynamoDb {
        DynamoDb { client: Client::new(&link.config(Service::DynamoDb)), link, tables }
    }

    /// Opens the connection that the first call will find open: see [`Link::warm`].
    ///
    /// # Errors
    /// [`StoreError::Failed`] if there is no answer in time; calls may still be tried.
    pub async fn warm(&self) -> Result<Opened, StoreError> {
        Ok(self.link.warm(&self.link.url(Service::DynamoDb)).await?)
    }

    /// An action as the SDK has it, with the condition that settles its race.
    fn action(&self, action: &Action, write: Write) -> Result<TransactWriteItem, StoreError> {
        let table = self.tables.name(write.table);
        let all_old = ReturnValuesOnConditionCheckFailure::AllOld;
        let built = match write.change {
            Change::Put(item) => {
                let mut put = Put::builder().table_name(table).set_item(Some(to_wire(write.key, item)));
                if let Some(clause) = clause::of(action) {
                    put = put
                        .condition_expression(clause.condition)
                        .set_expression_attribute_names(clause.names())
                        .set_expression_attribute_values(clause.values())
                        .return_values_on_condition_check_failure(all_old);
                }
                put.build().map(|put| TransactWriteItem::builder().put(put))
            }
            Change::Add(counts, latest) => {
                let mut update = Update::builder().table_name(table).set_key(Some(key_of(&write.key)));
                let mut adds = Vec::new();
                for (place, (measure, n)) in counts.iter().enumerate() {
                    let (name, value) = (format!("#m{place}"), format!(":n{place}"));
                    adds.push(format!("{name} {value}"));
                    update = update
                        .expression_attribute_names(name, measure.name())
                        .expression_attribute_values(value, AttributeValue::N(n.to_string()));
                }
                let mut expression = format!("ADD {}", adds.join(", "));
                if let Some(latest) = latest {
                    expression.push_str(" SET #latest = :latest");
                    update = update
                        .expression_attribute_names("#latest", item::LATEST)
                        .expression_attribute_values(":latest", attribute(item::Value::N(latest.micros())));
                }
                update = update.update_expression(expression);
                update.build().map(|update| TransactWriteItem::builder().update(update))
            }
            Change::Delete => {
                let delete = Delete::builder().table_name(table).set_key(Some(key_of(&write.key)));
                delete.build().map(|delete| TransactWriteItem::builder().delete(delete))
            }
        };
        built.map(|item| item.build()).map_err(|_| StoreError::Invalid("an action is incomplete"))
    }

    /// All items of a partition's range, page by page, or the first `limit` and one.
    async fn query(
        &self,
        table: Table,
        pk: &str,
        range: Range<'_>,
        only: Option<OnStream<'_>>,
        limit: Option<usize>,
    ) -> Result<Vec<(Key, Item)>, StoreError> {
        let mut found = Vec::new();
        let mut after: Option<Attributes> = match range {
            Range::Behind(_, key) => Some(key_of(key)),
            _ => None,
        };
        loop {
            let mut query = self
                .client
                .query()
                .table_name(self.tables.name(table))
                .consistent_read(true)
                .set_exclusive_start_key(after)
                .expression_attribute_names("#pk", PK)
                .expression_attribute_values(":pk", AttributeValue::S(pk.to_owned()));
            query = match range {
                Range::All => query.key_condition_expression("#pk = :pk"),
                Range::Prefix(prefix) | Range::Behind(prefix, _) => query
                    .key_condition_expression("#pk = :pk AND begins_with(#sk, :sk)")
                    .expression_attribute_names("#sk", SK)
                    .expression_attribute_values(":sk", AttributeValue::S(prefix.to_owned())),
                Range::Between(from, to) => query
                    .key_condition_expression("#pk = :pk AND #sk BETWEEN :from AND :to")
                    .expression_attribute_names("#sk", SK)
                    .expression_attribute_values(":from", AttributeValue::S(from.to_owned()))
                    .expression_attribute_values(":to", AttributeValue::S(to.to_owned())),
            };
            if let Some(only) = &only {
                query = query
                    .filter_expression("#stream = :stream AND #at <= :by")
                    .expression_attribute_names("#stream", "stream")
                    .expression_attribute_names("#at", "at")
                    .expression_attribute_values(":stream", AttributeValue::S(only.stream.to_owned()))
                    .expression_attribute_values(":by", AttributeValue::N(only.by.micros().to_string()));
            } else if let Some(limit) = limit {
                let wanted = (limit + 1).saturating_sub(found.len()).max(1);
                query = query.limit(i32::try_from(wanted).unwrap_or(i32::MAX));
            }
            let page = query.send().await.map_err(failed)?;
            for attributes in page.items.unwrap_or_default() {
                found.push(from_wire(attributes).ok_or(StoreError::Damaged(table.name()))?);
            }
            after = page.last_evaluated_key;
            if after.is_none() || limit.is_some_and(|limit| found.len() > limit) {
                return Ok(found);
            }
        }
    }

    async fn get(&self, table: Table, key: &Key) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(self.tables.name(table)).consistent_read(true);
        let got = get.set_key(Some(key_of(key))).send().await.map_err(failed)?;
        let read = |attributes| from_wire(attributes).map(|(_, item)| item);
        got.item.map(|item| read(item).ok_or(StoreError::Damaged(table.name()))).transpose()
    }

    /// The items of up to [`KEYS_MAX`] keys, all different, in any order.
    async fn get_batch(&self, table: Table, keys: Vec<Attributes>) -> Result<Vec<(Key, Item)>, StoreError> {
        let name = self.tables.name(table);
        let mut found = Vec::new();
        let mut wanted = keys;
        let mut backoff = Backoff::new(UNPROCESSED_PAUSE, LIMITS.operation);
        for _ in 0..UNPROCESSED_MAX {
            let ask = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(true);
            let ask = ask.build().map_err(|_| StoreError::Invalid("a batch of no keys"))?;
            let got = self.client.batch_get_item().request_items(&name, ask).send().await.map_err(failed)?;
            for attributes in got.responses.unwrap_or_default().remove(&name).unwrap_or_default() {
                found.push(from_wire(attributes).ok_or(StoreError::Damaged(table.name()))?);
            }
            wanted =
                got.unprocessed_keys.unwrap_or_default().remove(&name).map_or(Vec::new(), |left| left.keys);
            if wanted.is_empty() {
                return Ok(found);
            }
            tokio::time::sleep(backoff.pause()).await;
        }
        // DynamoDB leaves keys unprocessed where a table takes no more reads.
        Err(CallFailed::new(FailureKind::Throttled).with_code("UnprocessedKeys").into())
    }

    async fn put(&self, table: Table, key: Key, item: Item) -> Result<(), StoreError> {
        let put = self.client.put_item().table_name(self.tables.name(table));
        put.set_item(Some(to_wire(key, item))).send().await.map(drop).map_err(failed)
    }

    /// Moves one instant of the rules, if that makes them stricter.
    async fn tighten(&self, name: String, to: Time, earlier: bool) -> Result<(), StoreError> {
        let clause = if earlier { clause::EARLIER } else { clause::LATER };
        let moved = self
            .client
            .update_item()
            .table_name(self.tables.name(Table::Registry))
            .set_key(Some(key_of(&item::rules_key())))
            .update_expression("SET #rule = :to")
            .condition_expression(clause)
            .expression_attribute_names("#rule", name)
            .expression_attribute_values(":to", AttributeValue::N(to.micros().to_string()));
        where_it_may(moved).await
    }
}

/// Does an update where its condition holds, and nothing where it does not.
async fn where_it_may(update: UpdateItemFluentBuilder) -> Result<(), StoreError> {
    match update.send().await {
        Err(error)
            if matches!(
                error.as_service_error(),
                Some(UpdateItemError::ConditionalCheckFailedException(_))
            ) =>
        {
            Ok(())
        }
        other => other.map(drop).map_err(failed),
    }
}

/// Why an action cancelled its transaction, in the words of the port.
fn cancel(action: &Action, key: &Key, reason: CancellationReason) -> Result<Cancel, StoreError> {
    let stood = || reason.item.and_then(from_wire).map(|(_, item)| item);
    Ok(match reason.code.as_deref() {
        None | Some("None") => Cancel::None,
        Some("ConditionalCheckFailed") => match (action, stood()) {
            (Action::PutView(..), stood) => Cancel::Folded(stood.as_ref().map(item::to_folded).transpose()?),
            (Action::Replace(..), None) => Cancel::Gone,
            (_, Some(old)) => Cancel::Recorded(Box::new(item::to_event(key, &old)?)),
            // It stood there and has gone since, or was not returned: try again.
            (_, None) => Cancel::Conflict,
        },
        Some("TransactionConflict" | "DuplicateItem") => Cancel::Conflict,
        Some("ValidationError" | "ItemCollectionSizeLimitExceeded") => {
            return Err(StoreError::Invalid("DynamoDB takes an action of it for none of its own"));
        }
        // Too many requests at once, and whatever else passes with time.
        Some(_) => Cancel::Throttled,
    })
}

#[async_trait]
impl EventStore for DynamoDb {
    async fn commit(&self, actions: &[Action]) -> Result<(), CommitError> {
        let writes = writes(actions, self.tables.by_time, ITEM_BYTES_MAX)?;
        let keys: Vec<Key> = writes.iter().map(|write| write.key.clone()).collect();
        let items = actions.iter().zip(writes).map(|(action, write)| self.action(action, write));
        let items = items.collect::<Result<Vec<_>, _>>()?;
        // The SDK gives each call a token, so that an attempt after a lost answer does not count twice.
        let error = match self.client.transact_write_items().set_transact_items(Some(items)).send().await {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        let reasons = match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                cancelled.cancellation_reasons.clone().unwrap_or_default()
            }
            _ => return Err(failed(error).into()),
        };
        if reasons.len() != actions.len() {
            return Err(StoreError::from(CallFailed::new(FailureKind::Fault)).into());
        }
        let mine = actions.iter().zip(&keys).zip(reasons);
        let cancels = mine.map(|((action, key), reason)| cancel(action, key, reason));
        Err(CommitError::Cancelled(cancels.collect::<Result<_, _>>()?))
    }

    async fn state_events(
        &self,
        server: ServerId,
        recipient: RecipientId,
    ) -> Result<Vec<Recorded>, StoreError> {
        let (pk, prefix) = (item::recipient_pk(server, recipient), item::class_prefix(Class::State));
        let found = self.query(Table::Events, &pk, Range::Prefix(&prefix), None, None).await?;
        found.iter().map(|(key, item)| item::to_event(key, item)).collect()
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
        let after = after.map(|after| item::event_key(server, recipient, class, after));
        let range = match &after {
            Some(after) => Range::Behind(&prefix, after),
            None => Range::Prefix(&prefix),
        };
        page(self.query(Table::Events, &pk, range, None, Some(limit)).await?, limit)
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
        let only = Some(OnStream { stream, by });
        page(self.query(Table::Events, &pk, Range::Prefix(&prefix), only, Some(limit)).await?, limit)
    }

    async fn event(
        &self,
        server: ServerId,
        recipient: RecipientId,
        class: Class,
        identity: Identity,
    ) -> Result<Option<Recorded>, StoreError> {
        let key = item::event_key(server, recipient, class, identity);
        let item = self.get(Table::Events, &key).await?;
        item.map(|item| item::to_event(&key, &item)).transpose()
    }

    async fn views(
        &self,
        server: ServerId,
        recipients: &[RecipientId],
    ) -> Result<Vec<Option<View>>, StoreError> {
        let mut views: BTreeMap<RecipientId, View> = BTreeMap::new();
        let wanted: Vec<RecipientId> =
            recipients.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let batches = wanted.chunks(KEYS_MAX).map(|some| {
            let keys = some.iter().map(|recipient| key_of(&item::view_key(server, *recipient)));
            self.get_batch(Table::Recipients, keys.collect())
        });
        let mut batches = stream::iter(batches.collect::<Vec<_>>()).buffer_unordered(BATCHES_AT_ONCE);
        while let Some(found) = batches.next().await {
            for (_, item) in found? {
                let view = item::to_view(&item)?;
                views.insert(view.recipient, view);
            }
        }
        Ok(recipients.iter().map(|recipient| views.get(recipient).cloned()).collect())
    }

    async fn note_stream(&self, server: ServerId, stream: &str) -> Result<(), StoreError> {
        self.put(Table::Registry, item::stream_key(server, stream), Item::default()).await
    }

    async fn forget_stream(&self, server: ServerId, stream: &str) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(self.tables.name(Table::Registry));
        let key = item::stream_key(server, stream);
        delete.set_key(Some(key_of(&key))).send().await.map(drop).map_err(failed)
    }
}

#[async_trait]
impl CounterStore for DynamoDb {
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
        let pk = item::stream_pk(server, stream);
        // No key is just an hour: each has its shard behind it, so `before` itself is never met.
        let range = Range::Between(from, before);
        let mut hours: BTreeMap<String, Counts> = BTreeMap::new();
        for ((_, sk), item) in self.query(Table::Counters, &pk, range, None, None).await? {
            item::add_counts(&mut hours, &sk, &item);
        }
        Ok(hours)
    }
}

#[async_trait]
impl ServerStore for DynamoDb {
    async fn settings(&self, server: ServerId) -> Result<ServerSettings, StoreError> {
        let item = self.get(Table::Registry, &item::settings_key(server)).await?;
        item.as_ref().map(item::to_settings).transpose().map(Option::unwrap_or_default)
    }

    async fn put_settings(&self, server: ServerId, settings: ServerSettings) -> Result<(), StoreError> {
        self.put(Table::Registry, item::settings_key(server), item::of_settings(&settings)).await
    }

    async fn streams(&self, server: ServerId) -> Result<BTreeSet<String>, StoreError> {
        let (pk, prefix) = (item::server_pk(server), Range::Prefix(item::STREAM_PREFIX));
        let found = self.query(Table::Registry, &pk, prefix, None, None).await?;
        let name = |(_, sk): Key| sk.strip_prefix(item::STREAM_PREFIX).map(str::to_owned);
        Ok(found.into_iter().filter_map(|(key, _)| name(key)).collect())
    }
}

#[async_trait]
impl DocumentStore for DynamoDb {
    async fn document(&self, collection: &Collection, name: &str) -> Result<Option<Document>, StoreError> {
        let item = self.get(Table::Registry, &document::key(collection, name)?).await?;
        item.map(document::read).transpose()
    }

    async fn documents(&self, collection: &Collection) -> Result<Vec<(String, Document)>, StoreError> {
        let found = self.query(Table::Registry, &collection.pk(), Range::All, None, None).await?;
        found.into_iter().map(|((_, name), item)| Ok((name, document::read(item)?))).collect()
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
        self.put_version(key, item, expected).await
    }

    async fn delete_document(
        &self,
        collection: &Collection,
        name: &str,
        expected: u64,
    ) -> Result<bool, StoreError> {
        document::changeable(collection)?;
        self.delete_version(&document::key(collection, name)?, expected).await
    }

    async fn last_documents(
        &self,
        collection: &Collection,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Document)>, StoreError> {
        let found = self.last(Table::Registry, &collection.pk(), before, limit).await?;
        found.into_iter().map(|((_, name), item)| Ok((name, document::read(item)?))).collect()
    }
}

#[async_trait]
impl RuleStore for DynamoDb {
    async fn rules(&self) -> Result<Rules, StoreError> {
        Ok(self
            .get(Table::Registry, &item::rules_key())
            .await?
            .as_ref()
            .map(item::to_rules)
            .unwrap_or_default())
    }

    async fn revoke(&self, server: ServerId, generation: u32, from: Time) -> Result<(), StoreError> {
        self.tighten(item::revoked_attribute(server, generation), from, true).await
    }

    async fn unrevoke(&self, server: ServerId, generation: u32) -> Result<(), StoreError> {
        let update = self.client.update_item().table_name(self.tables.name(Table::Registry));
        let update = update.set_key(Some(key_of(&item::rules_key()))).update_expression("REMOVE #rule");
        let name = item::revoked_attribute(server, generation);
        update.expression_attribute_names("#rule", name).send().await.map(drop).map_err(failed)
    }

    async fn raise_floor(&self, class: Class, to: Time) -> Result<(), StoreError> {
        self.tighten(item::floor_attribute(class), to, false).await
    }

    async fn erase(&self, server: ServerId, recipient: RecipientId, at: Time) -> Result<(), StoreError> {
        self.put_erased(server, recipient, at).await
    }

    async fn erased(&self) -> Result<Vec<Erased>, StoreError> {
        let found = self.query(Table::Registry, item::ERASED_PK, Range::All, None, None).await?;
        found.iter().map(|(key, item)| item::to_erased(key, item)).collect()
    }

    async fn erased_after(&self, count: u64) -> Result<Vec<ErasedAs>, StoreError> {
        let [(pk, from), (_, to)] = [item::erasure_key(count.saturating_add(1)), item::erasure_key(u64::MAX)];
        let found = self.query(Table::Registry, &pk, Range::Between(&from, &to), None, None).await?;
        found.iter().map(|(key, item)| item::to_erasure(key, item)).collect()
    }

    async fn mark_swept(&self, server: ServerId, recipient: RecipientId, at: Time) -> Result<(), StoreError> {
        self.set_swept(server, recipient, at).await
    }
}

#[async_trait]
impl QuarantineStore for DynamoDb {
    async fn quarantine(&self, part: Part, expires_at: Option<Time>) -> Result<(), StoreError> {
        let key = item::part_key(part.received_at, &part.id, part.part);
        let item = item::of_quarantined(&Quarantined { part, expires_at, replayed_at: None });
        let put = self.client.put_item().table_name(self.tables.name(Table::Quarantine));
        let put = put.set_item(Some(to_wire(key, item))).condition_expression(clause::ABSENT);
        match put.expression_attribute_names("#pk", PK).send().await {
            Err(error)
                if matches!(
                    error.as_service_error(),
                    Some(PutItemError::ConditionalCheckFailedException(_))
                ) =>
            {
                Ok(())
            }
            other => other.map(drop).map_err(failed),
        }
    }

    async fn quarantined_on(&self, day: &str) -> Result<Vec<Quarantined>, StoreError> {
        let found = self.query(Table::Quarantine, day, Range::All, None, None).await?;
        found.iter().map(|(_, item)| item::to_quarantined(item)).collect()
    }

    async fn quarantined(&self, received_at: Time, id: &str) -> Result<Vec<Quarantined>, StoreError> {
        let prefix = format!("{}#{id}#", received_at.key());
        let range = Range::Prefix(&prefix);
        let found = self.query(Table::Quarantine, &received_at.day(), range, None, None).await?;
        found.iter().map(|(_, item)| item::to_quarantined(item)).collect()
    }

    async fn mark_replayed(&self, received_at: Time, id: &str, at: Time) -> Result<(), StoreError> {
        for kept in self.quarantined(received_at, id).await? {
            let key = item::part_key(received_at, id, kept.part.part);
            let replayed = ("replayed_at", item::Value::N(at.micros()));
            self.set_present(Table::Quarantine, &key, replayed).await?;
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
        self.quarantine_page(day, after, limit, newest_first).await
    }

    async fn rewrite_quarantined(&self, part: Part) -> Result<(), StoreError> {
        self.rewrite_part(part).await
    }
}

#[async_trait]
impl IndexStore for DynamoDb {
    fn by_time(&self) -> ByTime {
        if self.tables.by_time { ByTime::Switched } else { ByTime::Never }
    }

    async fn suppressed(
        &self,
        server: ServerId,
        stream: &str,
        since: TimeRange,
        after: Option<Cursor>,
        limit: Option<usize>,
    ) -> Result<Page<Listing>, StoreError> {
        let asked = IndexQuery { since, limit, ..IndexQuery::all(item::stream_pk(server, stream)) };
        self.page(Table::Recipients, &SUPPRESSED, asked, after, index::to_listing).await
    }

    async fn happened(
        &self,
        server: ServerId,
        stream: &str,
        slot: u8,
        within: TimeRange,
        limit: usize,
    ) -> Result<Option<Vec<Recorded>>, StoreError> {
        if !self.tables.by_time {
            return Ok(None);
        }
        let pk = item::time_pk(server, stream, &within.to.day(), slot);
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let asked = IndexQuery {
                since: within,
                limit: Some(limit - found.len()),
                latest_first: true,
                ..IndexQuery::all(pk.clone())
            };
            let page = self.page(Table::Events, &BY_TIME, asked, after, item::to_event).await?;
            found.extend(page.items);
            after = page.next;
            if after.is_none() || found.len() >= limit {
                return Ok(Some(found));
            }
        }
    }

    async fn message(&self, server: ServerId, message_id: &str) -> Result<Vec<MessageKey>, StoreError> {
        let pk = item::message_pk(server, message_id);
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let asked = IndexQuery::all(pk.clone());
            let page = self.page(Table::Events, &BY_MESSAGE, asked, after, index::to_message_key).await?;
            found.extend(page.items);
            after = page.next;
            if after.is_none() {
                return Ok(found);
            }
        }
    }
}

#[async_trait]
impl FreshnessStore for DynamoDb {
    async fn newest(&self, server: ServerId, stream: &str) -> Result<Option<Time>, StoreError> {
        let pk = item::stream_pk(server, stream);
        let mut hour: Vec<(Key, Item)> = Vec::new();
        loop {
            let full = hour.len() + NEWEST_AT_ONCE;
            let before = hour.last().map(|((_, sk), _)| sk.clone());
            hour.extend(self.last(Table::Counters, &pk, before.as_deref(), NEWEST_AT_ONCE).await?);
            let newest = hour.first().map(|((_, sk), _)| item::hour_of(sk).to_owned());
            hour.retain(|((_, sk), _)| newest.as_deref() == Some(item::hour_of(sk)));
            if hour.len() < full {
                return Ok(hour.iter().filter_map(|((_, sk), item)| item::to_latest(sk, item)).max());
            }
        }
    }

    async fn note_watermark(&self, received_at: Time) -> Result<(), StoreError> {
        self.put(Table::Registry, item::watermark_key(), item::of_watermark(received_at)).await
    }

    async fn watermark(&self) -> Result<Option<Time>, StoreError> {
        let item = self.get(Table::Registry, &item::watermark_key()).await?;
        Ok(item.as_ref().and_then(item::to_watermark))
    }
}

fn page(found: Vec<(Key, Item)>, limit: usize) -> Result<Page<Recorded>, StoreError> {
    Page::first(found, limit, |(key, _)| key, |(key, item)| item::to_event(key, item))
}

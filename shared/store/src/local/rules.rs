//! Revocations, expiry floors, and who is erased.

use super::{Backend, Items, ItemsMut, Local, Range, all};
use crate::item::{self, Item};
use crate::tables::Table;
use crate::{Erased, ErasedAs, RuleStore, StoreError};
use async_trait::async_trait;
use ledger::{Class, RecipientId, ServerId, Time};
use std::ops::Bound;

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

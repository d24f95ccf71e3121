//! Bodies that could not be recorded, part by part.

use super::{Backend, EXPIRE_AT_ONCE, Items, ItemsMut, Local, Range, all};
use crate::item::{self, Item, Key, Quarantined};
use crate::tables::Table;
use crate::{ITEM_BYTES_MAX, PAGE_BYTES_MAX, QuarantineStore, StoreError};
use async_trait::async_trait;
use ledger::Time;
use queue::Part;
use std::ops::Bound;

/// The parts of one body in quarantine.
fn parts(items: &dyn Items, received_at: Time, id: &str) -> Result<Vec<Quarantined>, StoreError> {
    let prefix = format!("{}#{id}#", received_at.key());
    all(items, Table::Quarantine, received_at.day(), &prefix, |_, item| item::to_quarantined(item))
}

#[async_trait]
impl<B: Backend> QuarantineStore for Local<B> {
    async fn quarantine(&self, part: Part, expires_at: Option<Time>) -> Result<(), StoreError> {
        let key = item::part_key(part.received_at, &part.id, part.part);
        let now = part.received_at;
        let item = item::of_quarantined(&Quarantined { part, expires_at, replayed_at: None });
        if item.size(&key.0, &key.1) > ITEM_BYTES_MAX {
            return Err(StoreError::Invalid("an item is larger than 400 KB"));
        }
        let keep = move |items: &mut dyn ItemsMut| {
            items.expire(Table::Quarantine, now, EXPIRE_AT_ONCE)?;
            match items.get(Table::Quarantine, &key)? {
                Some(_) => Ok(()),
                None => items.set(Table::Quarantine, &key, Some(item)),
            }
        };
        self.backend.write(keep).await
    }

    async fn quarantined_on(&self, day: &str) -> Result<Vec<Quarantined>, StoreError> {
        let day = day.to_owned();
        let read = |_: &Key, item: &Item| item::to_quarantined(item);
        self.backend.read(move |items| all(items, Table::Quarantine, day, "", read)).await
    }

    async fn quarantined(&self, received_at: Time, id: &str) -> Result<Vec<Quarantined>, StoreError> {
        let id = id.to_owned();
        self.backend.read(move |items| parts(items, received_at, &id)).await
    }

    async fn mark_replayed(&self, received_at: Time, id: &str, at: Time) -> Result<(), StoreError> {
        let id = id.to_owned();
        let mark = move |items: &mut dyn ItemsMut| {
            for kept in parts(&*items, received_at, &id)? {
                let key = item::part_key(received_at, &id, kept.part.part);
                let item = item::of_quarantined(&Quarantined { replayed_at: Some(at), ..kept });
                items.set(Table::Quarantine, &key, Some(item))?;
            }
            Ok(())
        };
        self.backend.write(mark).await
    }

    async fn quarantined_page(
        &self,
        day: &str,
        after: Option<String>,
        limit: usize,
        newest_first: bool,
    ) -> Result<(Vec<Quarantined>, Option<String>), StoreError> {
        let all = Range::all(day.to_owned());
        let range = match after {
            Some(after) if newest_first => Range { to: Bound::Excluded(after), ..all },
            Some(after) => Range { from: Bound::Excluded(after), ..all },
            None => all,
        };
        let read = move |items: &dyn Items| {
            let (mut kept, mut bytes, mut last, mut next) = (Vec::new(), 0, None, None);
            let range = Range { backwards: newest_first, ..range };
            items.range(Table::Quarantine, range, &mut |key, item| {
                bytes += item.size(&key.0, &key.1);
                if kept.len() >= limit.max(1) || (bytes > PAGE_BYTES_MAX && !kept.is_empty()) {
                    next.clone_from(&last);
                    return Ok(false);
                }
                last = Some(key.1.clone());
                kept.push(item::to_quarantined(item)?);
                Ok(true)
            })?;
            Ok((kept, next))
        };
        self.backend.read(read).await
    }

    async fn rewrite_quarantined(&self, part: Part) -> Result<(), StoreError> {
        let key = item::part_key(part.received_at, &part.id, part.part);
        let rewrite = move |items: &mut dyn ItemsMut| match items.get(Table::Quarantine, &key)? {
            Some(item) => {
                let item = item::of_quarantined(&Quarantined { part, ..item::to_quarantined(&item)? });
                items.set(Table::Quarantine, &key, Some(item))
            }
            None => Ok(()),
        };
        self.backend.write(rewrite).await
    }
}

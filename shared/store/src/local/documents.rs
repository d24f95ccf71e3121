//! Documents: each is written only over the version that was read.

use super::{Backend, Items, ItemsMut, Local, all, backwards};
use crate::item::{Item, Key};
use crate::tables::Table;
use crate::{Collection, Document, DocumentStore, StoreError, document};
use async_trait::async_trait;

#[async_trait]
impl<B: Backend> DocumentStore for Local<B> {
    async fn document(&self, collection: &Collection, name: &str) -> Result<Option<Document>, StoreError> {
        let key = document::key(collection, name)?;
        let read = move |items: &dyn Items| items.get(Table::Registry, &key)?.map(document::read).transpose();
        self.backend.read(read).await
    }

    async fn documents(&self, collection: &Collection) -> Result<Vec<(String, Document)>, StoreError> {
        let pk = collection.pk();
        let read = |key: &Key, item: &Item| Ok((key.1.clone(), document::read(item.clone())?));
        self.backend.read(move |items| all(items, Table::Registry, pk, "", read)).await
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
        let expected = expected.map(document::number).transpose()?;
        let put = move |items: &mut dyn ItemsMut| {
            let stored = items.get(Table::Registry, &key)?.map(|item| item.number("version"));
            let as_read = stored == expected.map(Some);
            if as_read {
                items.set(Table::Registry, &key, Some(item))?;
            }
            Ok(as_read)
        };
        self.backend.write(put).await
    }

    async fn delete_document(
        &self,
        collection: &Collection,
        name: &str,
        expected: u64,
    ) -> Result<bool, StoreError> {
        document::changeable(collection)?;
        let (key, expected) = (document::key(collection, name)?, document::number(expected)?);
        let delete = move |items: &mut dyn ItemsMut| {
            let stored = items.get(Table::Registry, &key)?;
            let gone = stored.is_none_or(|item| item.number("version") == Some(expected));
            if gone {
                items.set(Table::Registry, &key, None)?;
            }
            Ok(gone)
        };
        self.backend.write(delete).await
    }

    async fn last_documents(
        &self,
        collection: &Collection,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Document)>, StoreError> {
        let range = backwards(collection.pk(), before.map(str::to_owned));
        let read = move |items: &dyn Items| {
            let mut found = Vec::new();
            items.range(Table::Registry, range, &mut |key, item| {
                if found.len() < limit {
                    found.push((key.1.clone(), document::read(item.clone())?));
                }
                Ok(found.len() < limit)
            })?;
            Ok(found)
        };
        self.backend.read(read).await
    }
}

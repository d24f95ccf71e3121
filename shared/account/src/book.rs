//! What an account needs of a ledger: documents, settings and counts. Every store is one; the command line has
//! another, which asks a running Postledger over HTTP.

use async_trait::async_trait;
use ledger::ServerId;
use ledger::counters::Counts;
use std::collections::{BTreeMap, BTreeSet};
use store::{Document, ServerSettings, Shelf, Store, StoreError};

/// Why the ledger gave no answer. It never quotes a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// The store's own.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A ledger that is asked over a network did not answer, or refused, in its own words.
    #[error("{0}")]
    Elsewhere(String),
}

/// A ledger, as far as an account needs it. See [`Store`] for the meaning of each call.
#[async_trait]
pub trait Book: Send + Sync {
    /// One document and its version.
    async fn document(&self, shelf: &Shelf, name: &str) -> Result<Option<Document>, BookError>;

    /// All documents of a shelf, by name.
    async fn documents(&self, shelf: &Shelf) -> Result<Vec<(String, Document)>, BookError>;

    /// Writes a document over the version that was read (`None`: there was none); `false`: somebody was faster.
    ///
    /// # Errors
    /// Where there is no answer; it may be written.
    async fn put_document(
        &self,
        shelf: &Shelf,
        name: &str,
        text: &str,
        expected: Option<u64>,
    ) -> Result<bool, BookError>;

    /// Deletes the version of a document that was read; `false`: somebody was faster.
    ///
    /// # Errors
    /// Where there is no answer; it may be deleted.
    async fn delete_document(&self, shelf: &Shelf, name: &str, expected: u64) -> Result<bool, BookError>;

    /// What is configured for a server.
    async fn settings(&self, server: ServerId) -> Result<ServerSettings, BookError>;

    /// Configures a server.
    ///
    /// # Errors
    /// Where there is no answer; it may be configured.
    async fn put_settings(&self, server: ServerId, settings: ServerSettings) -> Result<(), BookError>;

    /// The streams that events of a server came in for.
    async fn streams(&self, server: ServerId) -> Result<BTreeSet<String>, BookError>;

    /// The counts of a stream by hour, from one hour to before another.
    async fn counters(
        &self,
        server: ServerId,
        stream: &str,
        from: &str,
        before: &str,
    ) -> Result<BTreeMap<String, Counts>, BookError>;
}

#[async_trait]
impl<S: Store + ?Sized> Book for S {
    async fn document(&self, shelf: &Shelf, name: &str) -> Result<Option<Document>, BookError> {
        Ok(Store::document(self, shelf, name).await?)
    }

    async fn documents(&self, shelf: &Shelf) -> Result<Vec<(String, Document)>, BookError> {
        Ok(Store::documents(self, shelf).await?)
    }

    async fn put_document(
        &self,
        shelf: &Shelf,
        name: &str,
        text: &str,
        expected: Option<u64>,
    ) -> Result<bool, BookError> {
        Ok(Store::put_document(self, shelf, name, text, expected).await?)
    }

    async fn delete_document(&self, shelf: &Shelf, name: &str, expected: u64) -> Result<bool, BookError> {
        Ok(Store::delete_document(self, shelf, name, expected).await?)
    }

    async fn settings(&self, server: ServerId) -> Result<ServerSettings, BookError> {
        Ok(Store::settings(self, server).await?)
    }

    async fn put_settings(&self, server: ServerId, settings: ServerSettings) -> Result<(), BookError> {
        Ok(Store::put_settings(self, server, settings).await?)
    }

    async fn streams(&self, server: ServerId) -> Result<BTreeSet<String>, BookError> {
        Ok(Store::streams(self, server).await?)
    }

    async fn counters(
        &self,
        server: ServerId,
        stream: &str,
        from: &str,
        before: &str,
    ) -> Result<BTreeMap<String, Counts>, BookError> {
        Ok(Store::counters(self, server, stream, from, before).await?)
    }
}

/// A store as a trait object: `&dyn Store` cannot become `&dyn Book` by itself.
pub struct Stored<'a>(pub &'a dyn Store);

#[async_trait]
impl Book for Stored<'_> {
    async fn document(&self, shelf: &Shelf, name: &str) -> Result<Option<Document>, BookError> {
        Book::document(self.0, shelf, name).await
    }

    async fn documents(&self, shelf: &Shelf) -> Result<Vec<(String, Document)>, BookError> {
        Book::documents(self.0, shelf).await
    }

    async fn put_document(
        &self,
        shelf: &Shelf,
        name: &str,
        text: &str,
        expected: Option<u64>,
    ) -> Result<bool, BookError> {
        Book::put_document(self.0, shelf, name, text, expected).await
    }

    async fn delete_document(&self, shelf: &Shelf, name: &str, expected: u64) -> Result<bool, BookError> {
        Book::delete_document(self.0, shelf, name, expected).await
    }

    async fn settings(&self, server: ServerId) -> Result<ServerSettings, BookError> {
        Book::settings(self.0, server).await
    }

    async fn put_settings(&self, server: ServerId, settings: ServerSettings) -> Result<(), BookError> {
        Book::put_settings(self.0, server, settings).await
    }

    async fn streams(&self, server: ServerId) -> Result<BTreeSet<String>, BookError> {
        Book::streams(self.0, server).await
    }

    async fn counters(
        &self,
        server: ServerId,
        stream: &str,
        from: &str,
        before: &str,
    ) -> Result<BTreeMap<String, Counts>, BookError> {
        Book::counters(self.0, server, stream, from, before).await
    }
}

//! The registry and its documents, wherever the ledger is: in a running Postledger, asked over its admin surface, or in
//! a stack's tables on AWS.

use crate::Failure;
use crate::args::Target;
use crate::client::Client;
use crate::embedded::Stack;
use crate::target::{Ledger, Whose};
use account::{Book, BookError, Stored};
use async_trait::async_trait;
use ingest::Verifier;
use ledger::ServerId;
use ledger::counters::{Counts, Measure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::{Document, ServerSettings, Shelf, StoreError};

/// Does some work on the registry of the ledger that is meant.
///
/// # Errors
/// Where there is no such ledger, or the work's own.
pub fn with<T, E>(
    target: &Target,
    whose: &Whose,
    work: impl AsyncFnOnce(&dyn Book) -> Result<T, E>,
) -> Result<T, Failure>
where
    Failure: From<E>,
{
    on(&Ledger::open(target, whose)?, work)
}

/// Does some work on the registry of a ledger.
///
/// # Errors
/// The work's own.
pub fn on<T, E>(ledger: &Ledger, work: impl AsyncFnOnce(&dyn Book) -> Result<T, E>) -> Result<T, Failure>
where
    Failure: From<E>,
{
    match ledger {
        Ledger::Embedded(client) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Ok(runtime.block_on(work(&Remote(client.clone())))?)
        }
        Ledger::Aws(aws) => Ok(aws.block(work(&Stored(&*aws.desk.store)))?),
    }
}

/// What a running Postledger is asked about its registry.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// See [`Book::document`]; shelves go by their partition.
    Document(String, String),
    /// See [`Book::documents`].
    Documents(String),
    /// See [`Book::put_document`].
    PutDocument(String, String, String, Option<u64>),
    /// See [`Book::delete_document`].
    DeleteDocument(String, String, u64),
    /// See [`Book::settings`].
    Settings(ServerId),
    /// See [`Book::put_settings`].
    PutSettings(ServerId, Box<ServerSettings>),
    /// See [`Book::streams`].
    Streams(ServerId),
    /// See [`Book::counters`].
    Counters(ServerId, String, String, String),
    /// From now on these public keys are the ones whose passwords the doors take.
    Keys(Vec<String>),
}

/// A shelf by its partition.
fn shelf(pk: &str) -> Result<Shelf, BookError> {
    let plain =
        [Shelf::Servers, Shelf::Reconcile, Shelf::Watch, Shelf::Rotation, Shelf::Lease, Shelf::Tokens];
    let of_server = || {
        let (shelf, server) = pk.split_once('#')?;
        let server = server.parse().ok()?;
        [Shelf::Completeness(server), Shelf::Audit(server)]
            .into_iter()
            .find(|known| known.pk() == format!("{shelf}#{server}"))
    };
    plain
        .into_iter()
        .find(|shelf| shelf.pk() == pk)
        .or_else(of_server)
        .ok_or_else(|| BookError::Elsewhere("there is no such shelf".to_owned()))
}

fn document(document: Document) -> Value {
    json!([document.text, document.version])
}

/// Answers from a stack in this process.
///
/// # Errors
/// The store's own, and keys that are none.
pub async fn answer(stack: &Stack, ask: Ask) -> Result<Value, BookError> {
    let store = &*stack.desk.store;
    Ok(match ask {
        Ask::Document(pk, name) => {
            Book::document(store, &shelf(&pk)?, &name).await?.map_or(Value::Null, document)
        }
        Ask::Documents(pk) => {
            let documents = Book::documents(store, &shelf(&pk)?).await?;
            documents.into_iter().map(|(name, told)| json!([name, document(told)])).collect()
        }
        Ask::PutDocument(pk, name, text, expected) => {
            Book::put_document(store, &shelf(&pk)?, &name, &text, expected).await?.into()
        }
        Ask::DeleteDocument(pk, name, expected) => {
            Book::delete_document(store, &shelf(&pk)?, &name, expected).await?.into()
        }
        Ask::Settings(server) => json!(Book::settings(store, server).await?),
        Ask::PutSettings(server, settings) => {
            Book::put_settings(store, server, *settings).await?;
            Value::Null
        }
        Ask::Streams(server) => json!(Book::streams(store, server).await?),
        Ask::Counters(server, stream, from, before) => {
            json!(Book::counters(store, server, &stream, &from, &before).await?)
        }
        Ask::Keys(keys) => {
            let unusable =
                |error: ingest::credential::CredentialError| BookError::Elsewhere(error.to_string());
            let keys = keys.iter().map(|key| key.parse()).collect::<Result<Vec<_>, _>>().map_err(unusable)?;
            stack.adopt(Arc::new(Verifier::new(&stack.name, keys, []).map_err(unusable)?));
            Value::Null
        }
    })
}

/// The registry of a running Postledger. It is asked one thing at a time, and waited for.
pub struct Remote(pub Client);

impl Remote {
    fn ask<T: DeserializeOwned>(&self, ask: &Ask) -> Result<T, BookError> {
        self.0.post("book", ask).map_err(|failure| BookError::Elsewhere(failure.to_string()))
    }

    /// Tells the doors which public keys count from now on.
    ///
    /// # Errors
    /// Where it does not answer.
    pub fn adopt(&self, keys: Vec<String>) -> Result<(), BookError> {
        self.ask(&Ask::Keys(keys))
    }
}

#[async_trait]
impl Book for Remote {
    async fn document(&self, shelf: &Shelf, name: &str) -> Result<Option<Document>, BookError> {
        let told: Option<(String, u64)> = self.ask(&Ask::Document(shelf.pk(), name.to_owned()))?;
        Ok(told.map(|(text, version)| Document { text, version }))
    }

    async fn documents(&self, shelf: &Shelf) -> Result<Vec<(String, Document)>, BookError> {
        let told: Vec<(String, (String, u64))> = self.ask(&Ask::Documents(shelf.pk()))?;
        Ok(told.into_iter().map(|(name, (text, version))| (name, Document { text, version })).collect())
    }

    async fn put_document(
        &self,
        shelf: &Shelf,
        name: &str,
        text: &str,
        expected: Option<u64>,
    ) -> Result<bool, BookError> {
        self.ask(&Ask::PutDocument(shelf.pk(), name.to_owned(), text.to_owned(), expected))
    }

    async fn delete_document(&self, shelf: &Shelf, name: &str, expected: u64) -> Result<bool, BookError> {
        self.ask(&Ask::DeleteDocument(shelf.pk(), name.to_owned(), expected))
    }

    async fn settings(&self, server: ServerId) -> Result<ServerSettings, BookError> {
        self.ask(&Ask::Settings(server))
    }

    async fn put_settings(&self, server: ServerId, settings: ServerSettings) -> Result<(), BookError> {
        self.ask(&Ask::PutSettings(server, Box::new(settings)))
    }

    async fn streams(&self, server: ServerId) -> Result<BTreeSet<String>, BookError> {
        self.ask(&Ask::Streams(server))
    }

    async fn counters(
        &self,
        server: ServerId,
        stream: &str,
        from: &str,
        before: &str,
    ) -> Result<BTreeMap<String, Counts>, BookError> {
        let ask = Ask::Counters(server, stream.to_owned(), from.to_owned(), before.to_owned());
        let told: BTreeMap<String, BTreeMap<String, i64>> = self.ask(&ask)?;
        let measure = |(name, count): (String, i64)| Some((Measure::named(&name)?, count));
        let counts =
            |counts: BTreeMap<String, i64>| -> Option<Counts> { counts.into_iter().map(measure).collect() };
        let read = |(hour, told)| Some((hour, counts(told)?));
        told.into_iter()
            .map(read)
            .collect::<Option<_>>()
            .ok_or(BookError::Store(StoreError::Damaged("counters")))
    }
}

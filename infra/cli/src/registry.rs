//! The registry and its documents, wherever the ledger is: in a running Postledger, asked by the operator's routes, or in
//! a stack's tables on AWS.

use crate::Failure;
use crate::api::{Api, Request};
use crate::args::Target;
use crate::target::Context;
use account::{Registry, ServerEntry};
use async_trait::async_trait;
use http::Method;
use ledger::ServerId;
use ledger::counters::{Counts, Measure};
use operator::documents::{Counted, Done, Stated, Write};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use store::{
    AccountStore, Collection, CounterStore, Document, DocumentStore, ServerSettings, ServerStore, StoreError,
};

/// Does some work on the registry of the ledger that is meant.
///
/// # Errors
/// Where there is no such ledger, or the work's own.
pub fn with<T, E>(
    target: &Target,
    context: &Context,
    work: impl AsyncFnOnce(&dyn AccountStore) -> Result<T, E>,
) -> Result<T, Failure>
where
    Failure: From<E>,
{
    on(&Api::operated(target, context)?, work)
}

/// Does some work on the registry of a ledger, as whoever operates it.
pub fn on<T, E>(ledger: &Api, work: impl AsyncFnOnce(&dyn AccountStore) -> Result<T, E>) -> Result<T, Failure>
where
    Failure: From<E>,
{
    match ledger.aws() {
        Some(aws) => Ok(aws.block(work(aws.store()))?),
        None => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Ok(runtime.block_on(work(&Remote(ledger)))?)
        }
    }
}

/// An entry of the registry.
///
/// # Errors
/// Where there is none.
pub async fn entry(store: &dyn AccountStore, server: ServerId) -> Result<ServerEntry, Failure> {
    Registry(store).get(server).await?.ok_or_else(|| {
        Failure::new(format!("server {server} is not registered"))
            .next(format!("add it by `postledger server add --server {server}`"))
    })
}

/// The registry of a running Postledger. It is asked one thing at a time, and waited for.
struct Remote<'a>(&'a Api);

impl Remote<'_> {
    fn ask<T: DeserializeOwned>(&self, request: &Request) -> Result<T, StoreError> {
        self.0.read(request).map_err(|failure| StoreError::Remote(failure.to_string()))
    }
}

#[async_trait]
impl DocumentStore for Remote<'_> {
    async fn document(&self, collection: &Collection, name: &str) -> Result<Option<Document>, StoreError> {
        let request = Request::operator(Method::GET, &["documents", &collection.pk(), name]);
        Ok(self.ask::<Option<Stated>>(&request)?.map(Document::from))
    }

    async fn documents(&self, collection: &Collection) -> Result<Vec<(String, Document)>, StoreError> {
        let stated: Vec<(String, Stated)> =
            self.ask(&Request::operator(Method::GET, &["documents", &collection.pk()]))?;
        Ok(stated.into_iter().map(|(name, stated)| (name, stated.into())).collect())
    }

    async fn put_document(
        &self,
        collection: &Collection,
        name: &str,
        text: &str,
        expected: Option<u64>,
    ) -> Result<bool, StoreError> {
        let request = Request::operator(Method::PUT, &["documents", &collection.pk(), name]);
        let done: Done = self.ask(&request.json(&Write { text: text.to_owned(), expected }))?;
        Ok(done.done)
    }

    async fn delete_document(
        &self,
        collection: &Collection,
        name: &str,
        expected: u64,
    ) -> Result<bool, StoreError> {
        let request = Request::operator(Method::DELETE, &["documents", &collection.pk(), name]);
        let done: Done = self.ask(&request.with("expected", Some(expected)))?;
        Ok(done.done)
    }

    async fn last_documents(
        &self,
        collection: &Collection,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Document)>, StoreError> {
        let request = Request::operator(Method::GET, &["documents", &collection.pk()]);
        let request = request.with("last", Some(limit)).with("before", before);
        let stated: Vec<(String, Stated)> = self.ask(&request)?;
        Ok(stated.into_iter().map(|(name, stated)| (name, stated.into())).collect())
    }
}

#[async_trait]
impl ServerStore for Remote<'_> {
    async fn settings(&self, server: ServerId) -> Result<ServerSettings, StoreError> {
        self.ask(&Request::operator(Method::GET, &["servers", &server.to_string(), "settings"]))
    }

    async fn put_settings(&self, server: ServerId, settings: ServerSettings) -> Result<(), StoreError> {
        let request = Request::operator(Method::PUT, &["servers", &server.to_string(), "settings"]);
        self.ask::<Done>(&request.json(&settings)).map(drop)
    }

    async fn streams(&self, server: ServerId) -> Result<BTreeSet<String>, StoreError> {
        self.ask(&Request::operator(Method::GET, &["servers", &server.to_string(), "streams"]))
    }
}

#[async_trait]
impl CounterStore for Remote<'_> {
    async fn counters(
        &self,
        server: ServerId,
        stream: &str,
        from: &str,
        before: &str,
    ) -> Result<BTreeMap<String, Counts>, StoreError> {
        let request = Request::operator(Method::GET, &["servers", &server.to_string(), "counters"]);
        let request = request.with("stream", Some(stream)).with("from", Some(from));
        let told: Counted = self.ask(&request.with("before", Some(before)))?;
        let measure = |(name, count): (String, i64)| Some((Measure::named(&name)?, count));
        let counts =
            |counts: BTreeMap<String, i64>| -> Option<Counts> { counts.into_iter().map(measure).collect() };
        let read = |(hour, told)| Some((hour, counts(told)?));
        told.into_iter().map(read).collect::<Option<_>>().ok_or(StoreError::Damaged("counters"))
    }
}

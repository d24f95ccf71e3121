//! What documents must do.

use super::{at, server, under};
use crate::prelude::*;
use crate::{
    Collection, DOCUMENT_BYTES_MAX, Document, NAME_BYTES_MAX, PAGE_BYTES_MAX, Scan, Store, StoreError,
};
use faults::Fault;
use ledger::{Class, ServerId};
use platform::{CallFailed, FailureKind};
use std::collections::BTreeSet;
use std::sync::Arc;

const SHELF: &Collection = &Collection::Reconcile;

fn collections() -> [Collection; 11] {
    // One whose number begins with the server's, too.
    let other = ServerId::new(server().get() * 10).expect("a server id");
    let [one, other] = [server(), other].map(Collection::Completeness);
    [
        Collection::Servers,
        Collection::Reconcile,
        Collection::Watch,
        one,
        other,
        Collection::Rotation,
        Collection::Lease,
        Collection::Sweep,
        Collection::Tokens,
        Collection::Branding,
        Collection::Smtp,
    ]
}

async fn put(store: &dyn Store, text: &str, expected: Option<u64>) -> bool {
    store.put_document(SHELF, "name", text, expected).await.expect("put document")
}

async fn stored(store: &dyn Store) -> Option<(String, u64)> {
    let document = store.document(SHELF, "name").await.expect("document");
    document.map(|Document { text, version }| (text, version))
}

pub async fn a_document_is_written_only_over_the_version_that_was_read(store: Arc<dyn Scan>) {
    let store = &*store;
    assert_eq!(stored(store).await, None);
    assert!(!put(store, "b", Some(1)).await, "there is none");
    assert_eq!(stored(store).await, None);
    assert!(put(store, "a", None).await);
    assert_eq!(stored(store).await, Some(("a".to_owned(), 1)));
    for expected in [None, Some(0), Some(2)] {
        assert!(!put(store, "b", expected).await, "{expected:?} was never read");
    }
    assert!(put(store, "b", Some(1)).await);
    assert!(!put(store, "c", Some(1)).await, "it has been written since");
    assert!(!put(store, "b", Some(1)).await, "though it is the same text");
    assert_eq!(stored(store).await, Some(("b".to_owned(), 2)));
}

pub async fn a_document_is_deleted_only_as_the_version_that_was_read(store: Arc<dyn Scan>) {
    let store = &*store;
    let delete = async |expected| store.delete_document(SHELF, "name", expected).await.expect("delete");
    assert!(put(store, "a", None).await && put(store, "b", Some(1)).await);
    assert!(!delete(1).await, "it has been written since");
    assert_eq!(stored(store).await, Some(("b".to_owned(), 2)));
    assert!(delete(2).await);
    assert_eq!(stored(store).await, None);
    assert!(delete(2).await, "it is gone already");
    assert!(!put(store, "c", Some(2)).await, "nobody writes over what is gone");
    assert!(put(store, "c", None).await);
    assert_eq!(stored(store).await, Some(("c".to_owned(), 1)), "it begins anew");
}

pub async fn of_many_who_write_a_document_at_once_one_wins(store: Arc<dyn Scan>) {
    for expected in [None, Some(1)] {
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let store = store.clone();
            // All the same, so that no one is known by the text.
            running.spawn(async move { store.put_document(SHELF, "name", "text", expected).await });
        }
        let won = running.join_all().await.into_iter().map(|put| put.expect("put document"));
        assert_eq!(won.filter(|won| *won).count(), 1);
    }
    assert_eq!(stored(&*store).await, Some(("text".to_owned(), 2)));
}

pub async fn the_documents_of_a_collection_come_whole_by_name(store: Arc<dyn Scan>) {
    let store = &*store;
    let text = "x".repeat(DOCUMENT_BYTES_MAX);
    let names = ["10", "9", "a # name", "ä", "z"];
    assert!(names.len() * text.len() > PAGE_BYTES_MAX);
    for name in names.into_iter().rev() {
        assert!(store.put_document(SHELF, name, &text, None).await.expect("put document"));
    }
    let read = store.documents(SHELF).await.expect("documents");
    let found: Vec<&str> = read.iter().map(|(name, _)| &**name).collect();
    assert_eq!(found, ["10", "9", "a # name", "z", "ä"], "by their bytes");
    assert!(read.iter().all(|(_, document)| document.text == text && document.version == 1));
}

pub async fn collections_keep_apart_from_each_other_and_from_what_else_is_registered(store: Arc<dyn Scan>) {
    let store = &*store;
    store.revoke(server(), 1, at(1)).await.expect("revoke");
    store.raise_floor(Class::Delivery, at(1)).await.expect("raise floor");
    store.note_stream(server(), "outbound").await.expect("note stream");
    store.put_settings(server(), Default::default()).await.expect("put settings");
    let rules = store.rules().await.expect("rules");
    for (place, collection) in collections().into_iter().enumerate() {
        assert_eq!(store.documents(&collection).await.expect("documents"), []);
        for name in ["rules", "settings", "stream#outbound", "stream#other"] {
            let text = format!("{place} {name}");
            assert!(store.put_document(&collection, name, &text, None).await.expect("put document"));
        }
    }
    for (place, collection) in collections().into_iter().enumerate() {
        let read = store.documents(&collection).await.expect("documents");
        assert_eq!(read.len(), 4);
        for (name, document) in read {
            assert_eq!(document.text, format!("{place} {name}"));
            assert_eq!(store.document(&collection, &name).await.expect("document"), Some(document));
        }
    }
    assert_eq!(store.rules().await.expect("rules"), rules);
    assert_eq!(store.settings(server()).await.expect("settings"), Default::default());
    assert_eq!(store.streams(server()).await.expect("streams"), BTreeSet::from(["outbound".to_owned()]));
}

pub async fn documents_have_their_limits(store: Arc<dyn Scan>) {
    let store = &*store;
    let text = "x".repeat(DOCUMENT_BYTES_MAX);
    let (long, longer) = ("n".repeat(NAME_BYTES_MAX), "n".repeat(NAME_BYTES_MAX + 1));
    assert!(store.put_document(SHELF, &long, &text, None).await.expect("the largest document"));
    let refused = |error: StoreError| assert!(matches!(error, StoreError::Invalid(_)), "{error:?}");
    refused(store.put_document(SHELF, "name", &format!("{text}x"), None).await.expect_err("too large"));
    for name in ["", &longer] {
        refused(store.put_document(SHELF, name, "", None).await.expect_err("no name"));
        refused(store.document(SHELF, name).await.expect_err("no name"));
        refused(store.delete_document(SHELF, name, 1).await.expect_err("no name"));
    }
    refused(store.put_document(SHELF, "name", "", Some(u64::MAX)).await.expect_err("no version"));
    assert_eq!(store.documents(SHELF).await.expect("documents").len(), 1);
    assert!(put(store, "", None).await, "a text may be empty");
    assert_eq!(stored(store).await, Some((String::new(), 1)));
}

pub async fn the_last_documents_of_a_collection_come_backwards_from_a_name(store: Arc<dyn Scan>) {
    let store = &*store;
    for name in ["1", "2", "3", "4"] {
        assert!(store.put_document(SHELF, name, name, None).await.expect("put document"));
    }
    let other = Collection::Completeness(server());
    assert!(store.put_document(&other, "2", "other", None).await.expect("put document"));
    let last = async |before, limit| {
        let found = store.last_documents(SHELF, before, limit).await.expect("last documents");
        found.into_iter().map(|(name, document)| (name, document.text)).collect::<Vec<_>>()
    };
    let told =
        |names: &[&str]| names.iter().map(|name| (name.to_string(), name.to_string())).collect::<Vec<_>>();
    assert_eq!(last(None, 3).await, told(&["4", "3", "2"]));
    assert_eq!(last(Some("2"), 3).await, told(&["1"]));
    assert_eq!(last(Some("35"), 1).await, told(&["3"]), "from between two of them");
    assert_eq!(last(Some("1"), 3).await, told(&[]));
}

pub async fn what_stands_in_a_collection_that_only_grows_never_changes(store: Arc<dyn Scan>) {
    let (store, collection) = (&*store, &Collection::Audit(server()));
    assert!(store.put_document(collection, "1", "a", None).await.expect("put document"));
    assert!(!store.put_document(collection, "1", "b", None).await.expect("put document"), "it is there");
    let refused = |error: StoreError| assert!(matches!(error, StoreError::Invalid(_)), "{error:?}");
    refused(store.put_document(collection, "1", "b", Some(1)).await.expect_err("written over"));
    refused(store.delete_document(collection, "1", 1).await.expect_err("deleted"));
    let read = store.document(collection, "1").await.expect("document").expect("it stays");
    assert_eq!((&*read.text, read.version), ("a", 1));
}

pub async fn a_lost_answer_leaves_the_document(store: Arc<dyn Scan>) {
    let lost = under(&store, Fault::LoseAnswer);
    let put = lost.put_document(SHELF, "name", "a", None).await;
    assert_eq!(put, Err(CallFailed::new(FailureKind::Timeout).into()));
    assert_eq!(stored(&*store).await, Some(("a".to_owned(), 1)));
    assert_eq!(
        lost.delete_document(SHELF, "name", 1).await,
        Err(CallFailed::new(FailureKind::Timeout).into())
    );
    assert_eq!(stored(&*store).await, None);
}

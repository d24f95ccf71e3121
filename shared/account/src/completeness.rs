//! What is known to be complete: by Eastern day, stream and record type, as reconcile's last look at that day found it.

use ledger::{ServerId, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::{Collection, DocumentStore, StoreError};

/// What is known of one record type on a stream's day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// How many events Postmark tells of.
    pub expected: u64,
    /// How many webhooks told of.
    pub received: u64,
    /// How many were missing and came in by reconcile. One whose webhook still came later stays counted here.
    pub recovered: u64,
    /// How many nobody tells again: only webhooks tell of repeated opens.
    pub unrecoverable: u64,
    /// What is left: neither received nor recovered, and no reason known.
    pub unexplained: u64,
}

/// What is known of a stream's day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfStream {
    /// When it was last looked at.
    pub as_of: Time,
    /// By record type.
    pub lines: BTreeMap<String, Line>,
}

/// What is known of a server: by Eastern day and stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completeness {
    /// The server.
    pub server: ServerId,
    /// By day and stream.
    pub days: BTreeMap<String, BTreeMap<String, OfStream>>,
}

/// What is known of a server's days, from one Eastern day to another, both included.
pub async fn completeness(
    store: &dyn DocumentStore,
    server: ServerId,
    from: &str,
    to: &str,
) -> Result<Completeness, StoreError> {
    let kept = store.documents(&Collection::Completeness(server)).await?;
    let asked = kept.into_iter().filter(|(day, _)| from <= day.as_str() && day.as_str() <= to);
    let days = asked.map(|(day, document)| (day, serde_json::from_str(&document.text).unwrap_or_default()));
    Ok(Completeness { server, days: days.collect() })
}

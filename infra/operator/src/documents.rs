//! The registry's documents, as operators reach them over HTTP: read, and written over the version that was read.

use crate::{OTHER_RELEASE, missing};
use api::problem::Problem;
use ledger::ServerId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::{Collection, Document};

/// A document as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stated {
    /// What it says.
    pub text: String,
    /// Which version of it this is.
    pub version: u64,
}

impl From<Document> for Stated {
    fn from(Document { text, version }: Document) -> Stated {
        Stated { text, version }
    }
}

impl From<Stated> for Document {
    fn from(Stated { text, version }: Stated) -> Document {
        Document { text, version }
    }
}

/// A document to write.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// What it is to say.
    pub text: String,
    /// The version that was read; none where there was none.
    pub expected: Option<u64>,
}

/// Which documents of a collection are wanted: all, or the last few before a name.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// How many, by name backwards; all, by name, where it is not given.
    pub last: Option<usize>,
    /// The name that they come before.
    pub before: Option<String>,
}

/// A document to delete.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    /// The version that was read.
    pub expected: u64,
}

/// Which of a stream's hours are counted.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// The stream.
    pub stream: String,
    /// From this hour.
    pub from: String,
    /// To before this one.
    pub before: String,
}

/// Counts by hour and measure.
pub type Counted = BTreeMap<String, BTreeMap<String, i64>>;

/// Whether it was done; else somebody was faster.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Done {
    /// Whether it was.
    pub done: bool,
}

/// A collection of documents by its partition key.
///
/// # Errors
/// Where operators have none of that name.
pub fn collection(pk: &str) -> Result<Collection, Problem> {
    let plain = [
        Collection::Servers,
        Collection::Reconcile,
        Collection::Watch,
        Collection::Rotation,
        Collection::Lease,
        Collection::Tokens,
        Collection::Smtp,
    ];
    let of_server = || {
        let (collection, server) = pk.split_once('#')?;
        let server: ServerId = server.parse().ok()?;
        [Collection::Completeness(server), Collection::Audit(server)]
            .into_iter()
            .find(|known| known.pk() == format!("{collection}#{server}"))
    };
    plain
        .into_iter()
        .find(|collection| collection.pk() == pk)
        .or_else(of_server)
        .ok_or_else(|| missing("the registry has no such collection of documents", OTHER_RELEASE))
}

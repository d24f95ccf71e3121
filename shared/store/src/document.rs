//! Documents: what is configured and remembered beside the ledger, as JSON under a name in a collection of the registry.
//!
//! Invariant: a document is written whole, and only over the version that was read. The partitions of the collections
//! are frozen; none of them is another item's of the registry (`rules`, `erased`, `erasures`, and a server's number).

use crate::item::{Item, Key, Value};
use crate::{ITEM_BYTES_MAX, StoreError};
use ledger::ServerId;

/// The most bytes of a document's text.
pub const DOCUMENT_BYTES_MAX: usize = 380 * 1024;
/// The most bytes of a document's name; it has one at least. What DynamoDB takes as a sort key.
pub const NAME_BYTES_MAX: usize = 1_024;
/// More than keys and attributes of a document have beside its name and its text.
const FRAME_BYTES: usize = 1_024;
const _: () = assert!(DOCUMENT_BYTES_MAX + NAME_BYTES_MAX + FRAME_BYTES <= ITEM_BYTES_MAX);

/// What documents are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Collection {
    /// The servers that people have registered, by number.
    Servers,
    /// How far reconciling is.
    Reconcile,
    /// What watching has found.
    Watch,
    /// What was found complete of a server.
    Completeness(ServerId),
    /// How far the rotation of credentials is.
    Rotation,
    /// Who is at work on what, so that nobody else is.
    Lease,
    /// Tokens of the read API, by id.
    Tokens,
    /// Which of these tokens there are for a server, and which another one has made.
    TokenIndex,
    /// What people changed at a server ([`ServerId::NONE`]: at the stack), by time. It only grows: nothing on it is
    /// written over or deleted.
    Audit(ServerId),
    /// How far sweeping what is left of the erased is.
    Sweep,
    /// Who may sign in to the portal, by a keyed hash of the address.
    Users,
    /// Who is signed in, by the hash of a cookie.
    Sessions,
    /// Codes that were asked for, by the hash of a cookie.
    SignIns,
    /// Links that open a session, by the hash of what each bears.
    Links,
    /// How often codes were asked for, by whom.
    Limits,
    /// What the portal is called and looks like, as the agency that runs it wants it.
    Branding,
    /// Which pairs of keys for SMTP are kept, by server, and what came of trying them; none of the keys.
    Smtp,
    /// What became of the last time that a server's webhooks were to be set up for somebody on a page.
    Connections,
    /// From when on the index by time is whole, and how far filling it is.
    Index,
}

impl Collection {
    /// Its partition. Frozen.
    pub fn pk(&self) -> String {
        match self {
            Collection::Servers => "servers".to_owned(),
            Collection::Reconcile => "reconcile".to_owned(),
            Collection::Watch => "watch".to_owned(),
            Collection::Completeness(server) => format!("completeness#{server}"),
            Collection::Rotation => "rotation".to_owned(),
            Collection::Lease => "lease".to_owned(),
            Collection::Tokens => "tokens".to_owned(),
            Collection::TokenIndex => "token-index".to_owned(),
            Collection::Audit(server) => format!("audit#{server}"),
            Collection::Sweep => "sweep".to_owned(),
            Collection::Users => "users".to_owned(),
            Collection::Sessions => "sessions".to_owned(),
            Collection::SignIns => "sign-ins".to_owned(),
            Collection::Links => "links".to_owned(),
            Collection::Limits => "limits".to_owned(),
            Collection::Branding => "branding".to_owned(),
            Collection::Smtp => "smtp".to_owned(),
            Collection::Connections => "connections".to_owned(),
            Collection::Index => "index".to_owned(),
        }
    }

    /// Whether what stands on it may be written over and deleted.
    const fn changes(&self) -> bool {
        !matches!(self, Collection::Audit(_))
    }
}

/// A document as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// JSON.
    pub text: String,
    /// The first is 1, and each later one is the one before and 1.
    pub version: u64,
}

/// The key of a document.
///
/// # Errors
/// [`StoreError::Invalid`] where the name is empty or too long.
pub(crate) fn key(collection: &Collection, name: &str) -> Result<Key, StoreError> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(StoreError::Invalid("a document's name has 1 to 1024 bytes"));
    }
    Ok((collection.pk(), name.to_owned()))
}

/// That a document of a collection may be replaced or deleted.
///
/// # Errors
/// [`StoreError::Invalid`] where the collection only grows.
pub(crate) fn changeable(collection: &Collection) -> Result<(), StoreError> {
    if collection.changes() {
        Ok(())
    } else {
        Err(StoreError::Invalid("what stands in this collection never changes"))
    }
}

/// The item of the version that follows the one that was read.
///
/// # Errors
/// [`StoreError::Invalid`] where the text is too long, there can be no such version, or the collection only grows.
pub(crate) fn following(
    collection: &Collection,
    text: &str,
    expected: Option<u64>,
) -> Result<Item, StoreError> {
    if expected.is_some() {
        changeable(collection)?;
    }
    if text.len() > DOCUMENT_BYTES_MAX {
        return Err(StoreError::Invalid("a document's text is larger than 380 KB"));
    }
    let version = number(expected.unwrap_or_default())?.checked_add(1).ok_or(NO_VERSION)?;
    Ok(Item::default().with("document", Value::S(text.to_owned())).with("version", Value::N(version)))
}

const NO_VERSION: StoreError = StoreError::Invalid("no document has a version so high");

/// A version as items hold it.
///
/// # Errors
/// [`StoreError::Invalid`] where there can be no such version.
pub(crate) fn number(version: u64) -> Result<i64, StoreError> {
    i64::try_from(version).map_err(|_| NO_VERSION)
}

/// A document from its item.
pub(crate) fn read(item: Item) -> Result<Document, StoreError> {
    let version = item.number("version").and_then(|version| u64::try_from(version).ok());
    let text = item.into_attributes().find_map(|(name, value)| match value {
        Value::S(text) if name == "document" => Some(text),
        _ => None,
    });
    text.zip(version).map(|(text, version)| Document { text, version }).ok_or(StoreError::Damaged("registry"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item;

    #[test]
    fn the_partitions_of_the_shelves_are_frozen_and_no_other_items() {
        let server = ServerId::new(8_123_456).unwrap();
        let frozen = [
            (Collection::Servers, "servers"),
            (Collection::Reconcile, "reconcile"),
            (Collection::Watch, "watch"),
            (Collection::Completeness(server), "completeness#8123456"),
            (Collection::Rotation, "rotation"),
            (Collection::Lease, "lease"),
            (Collection::Tokens, "tokens"),
            (Collection::TokenIndex, "token-index"),
            (Collection::Audit(server), "audit#8123456"),
            (Collection::Sweep, "sweep"),
            (Collection::Users, "users"),
            (Collection::Sessions, "sessions"),
            (Collection::SignIns, "sign-ins"),
            (Collection::Links, "links"),
            (Collection::Limits, "limits"),
            (Collection::Branding, "branding"),
            (Collection::Smtp, "smtp"),
            (Collection::Connections, "connections"),
            (Collection::Index, "index"),
        ];
        for (collection, pk) in frozen {
            assert_eq!(collection.pk(), pk);
            assert_ne!(collection.pk(), item::rules_key().0);
            assert_ne!(collection.pk(), item::ERASED_PK);
            assert_ne!(collection.pk(), item::ERASURES_PK);
            assert!(collection.pk().parse::<ServerId>().is_err(), "no server's partition");
        }
    }

    #[test]
    fn the_largest_document_is_an_item() {
        let (name, text) = ("n".repeat(NAME_BYTES_MAX), "t".repeat(DOCUMENT_BYTES_MAX));
        let (pk, sk) = key(&Collection::Completeness(ServerId::new(i64::MAX).unwrap()), &name).unwrap();
        let item = following(&Collection::Servers, &text, Some(i64::MAX as u64 - 1)).unwrap();
        assert!(item.size(&pk, &sk) <= DOCUMENT_BYTES_MAX + NAME_BYTES_MAX + FRAME_BYTES);
        for version in [i64::MAX as u64, u64::MAX] {
            assert_eq!(following(&Collection::Servers, &text, Some(version)), Err(NO_VERSION));
        }
    }
}

//! Who signs in to the portal: users and what each may see where, their sessions, and the codes and links that open one;
//! and what the portal looks like to them.
//! All of it is kept as documents of the ledger, so that it is backed up, restored and moved with it.
//!
//! Invariants:
//! - No secret is kept: of sessions, codes and links there are hashes only.
//! - A user is read anew at each request: who is removed, or may no longer do something, is so from the next one on.
//! - A user's id is a keyed hash of the address, as a recipient's is: it names somebody in the audit, and says nothing of
//!   the address once the user is removed.
//! - Who asks for a code for an address that nobody has costs and is answered the same as anybody.

mod access;
mod branding;
mod limit;
mod link;
mod mail;
#[cfg(feature = "aws")]
mod queued;
mod secret;
mod session;
mod sign_in;
mod sweep;
#[cfg(test)]
mod tests;
mod user;

pub use access::{Access, Standing, Standings};
pub use branding::{
    Accent, Brand, Branding, BrandingRefused, LOGO_BYTES_MAX, Logo, NAME_CHARS_MAX, Name, Support,
};
pub use limit::{ASKED_AN_HOUR, ASKED_OF_SOURCE_AN_HOUR, Limited, OnDay, asked, one_more};
pub use link::{LINK_LASTS, Link, LinkFor};
pub use mail::{Mail, MemoryOutbox, NoMail, Outbox, OutboxError};
#[cfg(feature = "aws")]
pub use queued::QueuedMail;
pub use secret::Secret;
pub use session::{ABSOLUTE, CONFIRMED_FOR, IDLE, LINK_SESSION, Session, SessionOf};
pub use sign_in::{Asked, CODE_LASTS, CodeRefused, Purpose, SignIn, TRIES_MAX};
pub use sweep::{end_all, sweep};
pub use user::{Here, User, UserError, user_id};

use store::{Collection, DocumentStore, StoreError};

/// A document of a collection, read.
async fn read<T: serde::de::DeserializeOwned>(
    store: &dyn DocumentStore,
    collection: &Collection,
    name: &str,
) -> Result<Option<(T, u64)>, StoreError> {
    let document = store.document(collection, name).await?;
    document.map(|document| Ok((parsed(&document.text)?, document.version))).transpose()
}

fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Damaged("registry"))
}

fn text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| unreachable!("what is kept is plain JSON"))
}

//! A document changed by what it says, though others change it at the same time.

use crate::{Collection, DocumentStore, StoreError};

/// How often a change of a document is tried again where somebody else was faster.
const TRIES_MAX: u32 = 8;

/// What becomes of a document that is changed.
#[derive(Debug)]
pub enum Edit<R> {
    /// It stays as it is.
    Keep(R),
    /// This is its text from now on.
    Write(String, R),
}

/// Changes a document by what it says now (`None`: there is none), again where somebody else was faster.
///
/// # Errors
/// What `change` refuses; [`StoreError::contended`] where others are always faster.
pub async fn edit<R: Send, E: From<StoreError>>(
    store: &dyn DocumentStore,
    collection: &Collection,
    name: &str,
    mut change: impl FnMut(Option<&str>) -> Result<Edit<R>, E> + Send,
) -> Result<R, E> {
    for _ in 0..TRIES_MAX {
        let document = store.document(collection, name).await?;
        match change(document.as_ref().map(|document| document.text.as_str()))? {
            Edit::Keep(outcome) => return Ok(outcome),
            Edit::Write(text, outcome) => {
                let expected = document.map(|document| document.version);
                if store.put_document(collection, name, &text, expected).await? {
                    return Ok(outcome);
                }
            }
        }
    }
    Err(StoreError::contended().into())
}

//! Takes away what is over: sessions, codes, links, and counts of who asked.

use crate::limit::{SPAN, Times};
use crate::link::Link;
use crate::parsed;
use crate::session::Session;
use crate::sign_in::SignIn;
use ledger::Time;
use store::{Collection, DocumentStore, StoreError};

/// How long what is over stays, in seconds, so that clocks that differ agree on it.
const KEPT: i64 = 3_600;

/// Whether a document was over by an instant.
type IsOver = fn(&str, Time) -> Result<bool, StoreError>;

/// Takes away what has been over for an hour. How many documents that were.
///
/// # Errors
/// The ledger's own; what is gone by then is gone.
pub async fn sweep(store: &dyn DocumentStore, now: Time) -> Result<usize, StoreError> {
    let by = now.plus_seconds(-KEPT);
    let ended: [(Collection, IsOver); 4] = [
        (Collection::Sessions, |text, by| Ok(parsed::<Session>(text)?.is_over(by))),
        (Collection::SignIns, |text, by| Ok(parsed::<SignIn>(text)?.ends_at <= by)),
        (Collection::Links, |text, by| Ok(parsed::<Link>(text)?.ends_at <= by)),
        (Collection::Limits, |text, by| {
            Ok(parsed::<Times>(text)?.at.iter().all(|at| at.plus_seconds(SPAN) <= by))
        }),
    ];
    let mut gone = 0;
    for (collection, is_over) in ended {
        for (name, document) in store.documents(&collection).await? {
            if is_over(&document.text, by)?
                && store.delete_document(&collection, &name, document.version).await?
            {
                gone += 1;
            }
        }
    }
    Ok(gone)
}

/// Ends everything that is open: sessions, codes that were asked for, links. Users stay.
///
/// # Errors
/// The ledger's own; what is ended by then is ended.
pub async fn end_all(store: &dyn DocumentStore) -> Result<(), StoreError> {
    for collection in [Collection::Sessions, Collection::SignIns, Collection::Links] {
        for (name, document) in store.documents(&collection).await? {
            if !store.delete_document(&collection, &name, document.version).await? {
                return Err(StoreError::contended());
            }
        }
    }
    Ok(())
}

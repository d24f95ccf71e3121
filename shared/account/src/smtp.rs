//! What is known of the pairs of keys for SMTP that are kept for a server's streams: since when, by whom, and what came of
//! trying them. The keys themselves are in the vault.

use crate::audit::Who;
use crate::vault::{Vault, VaultError};
use ledger::event::WHOLE_SERVER;
use ledger::{ServerId, Time};
use postmark_api::SmtpOutcome;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::{AccountStore, Collection, DocumentStore, Edit, StoreError, edit};

/// A try to log in, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// When.
    pub at: Time,
    /// What came of it.
    pub outcome: SmtpOutcome,
}

/// A pair that is kept for a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptPair {
    /// The user name, where it is no secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Since when it is kept.
    pub since: Time,
    /// Who kept it.
    pub by: Who,
    /// When it was last tried.
    pub checked: Tried,
    /// When the pair before it was last tried, where that is kept still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Tried>,
    /// When a test mail was last sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tested_at: Option<Time>,
}

/// The pairs of a server, by stream.
pub type KeptPairs = BTreeMap<String, KeptPair>;

fn read(text: Option<&str>) -> Result<KeptPairs, StoreError> {
    let read = |text| serde_json::from_str(text).map_err(|_| StoreError::Damaged("registry"));
    text.map_or_else(|| Ok(KeptPairs::default()), read)
}

/// What is known of a server's pairs.
///
/// # Errors
/// The store's own.
pub async fn kept_pairs(store: &dyn DocumentStore, server: ServerId) -> Result<KeptPairs, StoreError> {
    let document = store.document(&Collection::Smtp, &server.to_string()).await?;
    read(document.as_ref().map(|document| document.text.as_str()))
}

/// Changes what is known of a server's pairs.
///
/// # Errors
/// The store's own.
pub async fn change_pairs(
    store: &dyn DocumentStore,
    server: ServerId,
    mut change: impl FnMut(&mut KeptPairs) + Send,
) -> Result<(), StoreError> {
    edit(store, &Collection::Smtp, &server.to_string(), |text| {
        let mut kept = read(text)?;
        let before = kept.clone();
        change(&mut kept);
        if kept == before {
            return Ok(Edit::Keep(()));
        }
        let text = serde_json::to_string(&kept).map_err(|_| StoreError::Damaged("registry"))?;
        Ok(Edit::Write(text, ()))
    })
    .await
}

/// Why pairs cannot be forgotten.
#[derive(Debug, thiserror::Error)]
pub enum ForgetError {
    /// The vault's own.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The store's own.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Forgets all pairs of a server: those that are known, and whatever is kept for its streams beside, where noting it failed.
///
/// # Errors
/// Where the vault or the store does not do it; then it can be done again.
pub async fn forget_pairs(
    store: &dyn AccountStore,
    vault: &dyn Vault,
    server: ServerId,
) -> Result<(), ForgetError> {
    let mut streams = store.streams(server).await?;
    streams.extend(store.settings(server).await?.kinds.into_keys());
    streams.extend(kept_pairs(store, server).await?.into_keys());
    for stream in streams.iter().filter(|stream| *stream != WHOLE_SERVER) {
        vault.remove_smtp(server, stream).await?;
    }
    Ok(change_pairs(store, server, KeptPairs::clear).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryVault, SmtpPairs};
    use postmark_api::{SmtpPair, Token};
    use store::EventStore as _;

    #[tokio::test]
    async fn a_server_that_is_removed_leaves_no_pair_behind_and_others_keep_theirs() {
        let (store, vault) = (store::Memory::default(), MemoryVault::default());
        let [one, other] = [7, 8].map(|id| ServerId::new(id).unwrap());
        let key = || Token::new("key").unwrap();
        let pairs = SmtpPairs { now: SmtpPair { access: key(), secret: key() }, before: None };
        let at = Time::from_micros(1);
        let kept = KeptPair {
            user: None,
            since: at,
            by: Who::operator(),
            checked: Tried { at, outcome: SmtpOutcome::Other(Some(454)) },
            before: None,
            tested_at: None,
        };
        for server in [one, other] {
            for stream in ["outbound", "news"] {
                vault.put_smtp(server, stream, &pairs).await.unwrap();
                change_pairs(&store, server, |all| drop(all.insert(stream.to_owned(), kept.clone())))
                    .await
                    .unwrap();
            }
        }
        // Kept, but noting it failed.
        store.note_stream(one, "receipts").await.unwrap();
        vault.put_smtp(one, "receipts", &pairs).await.unwrap();
        forget_pairs(&store, &vault, one).await.unwrap();
        assert!(vault.smtp(one, "receipts").await.unwrap().is_none());
        assert!(kept_pairs(&store, one).await.unwrap().is_empty());
        assert!(vault.smtp(one, "news").await.unwrap().is_none());
        assert_eq!(kept_pairs(&store, other).await.unwrap()["news"], kept);
        assert!(vault.smtp(other, "news").await.unwrap().is_some());
    }
}

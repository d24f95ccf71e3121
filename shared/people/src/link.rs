//! Links that open a session without mail: made by an operator for a user, or by an agency's system for its own client.
//! One document each in [`Links`](Collection::Links), under the hash of what the link bears. Each opens one session.

use crate::access::Access;
use crate::secret::Secret;
use crate::{parsed, read, text};
use ledger::Time;
use serde::{Deserialize, Serialize};
use store::{Collection, DocumentStore, Edit, StoreError, edit};

/// How long one may be used, in seconds.
pub const LINK_LASTS: i64 = 600;

/// Whom it lets in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkFor {
    /// A user.
    User {
        /// The user's id.
        id: String,
    },
    /// Somebody whom an agency's system vouches for.
    Token {
        /// The id of the token that it was made with.
        id: String,
        /// What it opens.
        access: Access,
    },
}

/// A link that opens one session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Whom it lets in.
    pub who: LinkFor,
    /// When it ends.
    pub ends_at: Time,
    used: bool,
}

impl Link {
    /// Makes one; what it bears, and when it ends.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn make(
        store: &dyn DocumentStore,
        who: LinkFor,
        now: Time,
    ) -> Result<(Secret, Time), StoreError> {
        let (secret, ends_at) = (Secret::make()?, now.plus_seconds(LINK_LASTS));
        let link = Link { who, ends_at, used: false };
        store.put_document(&Collection::Links, &secret.hash(), &text(&link), None).await?;
        Ok((secret, ends_at))
    }

    /// Whether it could be used now. Looking at it spends nothing: programs that read mail do it too.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn is_open(store: &dyn DocumentStore, secret: &Secret, now: Time) -> Result<bool, StoreError> {
        let found = read::<Link>(store, &Collection::Links, &secret.hash()).await?;
        Ok(found.is_some_and(|(link, _)| !link.is_over(now)))
    }

    fn is_over(&self, now: Time) -> bool {
        self.used || now >= self.ends_at
    }

    /// Spends it: whom it lets in, the first time.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn spend(
        store: &dyn DocumentStore,
        secret: &Secret,
        now: Time,
    ) -> Result<Option<LinkFor>, StoreError> {
        edit(store, &Collection::Links, &secret.hash(), |document| {
            let link: Option<Link> = document.map(parsed).transpose()?;
            let Some(link) = link.filter(|link| !link.is_over(now)) else {
                return Ok(Edit::Keep(None));
            };
            let who = link.who.clone();
            Ok::<_, StoreError>(Edit::Write(text(&Link { used: true, ..link }), Some(who)))
        })
        .await
    }
}

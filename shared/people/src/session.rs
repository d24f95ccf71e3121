//! Sessions: one document each in [`Sessions`](Collection::Sessions), under the hash of what the browser's cookie holds.

use crate::access::Access;
use crate::secret::Secret;
use crate::user::User;
use crate::{read, text};
use ledger::Time;
use serde::{Deserialize, Serialize};
use store::{Collection, DocumentStore, Edit, StoreError, edit};

/// How long one lasts without anybody asking anything, in seconds: 12 hours.
pub const IDLE: i64 = 12 * 3_600;
/// How long one lasts at all, in seconds: 14 days.
pub const ABSOLUTE: i64 = 14 * 86_400;
/// How long one lasts that an agency's link opened, in seconds: 8 hours.
pub const LINK_SESSION: i64 = 8 * 3_600;
/// For how long a code that was given again opens what is dangerous, in seconds.
pub const CONFIRMED_FOR: i64 = 300;
/// How often it is noted that it is used, in seconds.
const NOTED_EVERY: i64 = 600;

/// Whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionOf {
    /// A user's.
    User {
        /// The user's id.
        id: String,
        /// What the user's sessions bore when it began.
        mark: String,
    },
    /// Somebody's whom an agency's system let in by a token of the API.
    Token {
        /// The token's id.
        id: String,
        /// What it opens.
        access: Access,
    },
}

/// Somebody who is signed in, in one browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Whose it is.
    pub of: SessionOf,
    /// When it began.
    pub began_at: Time,
    /// When it was last used, to ten minutes.
    pub used_at: Time,
    /// When it ends, used or not.
    pub ends_at: Time,
    /// When its owner last showed by a code that it is them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Time>,
}

impl Session {
    /// Begins one of a user, who has shown just now who they are.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn of_user(
        store: &dyn DocumentStore,
        user: &User,
        now: Time,
    ) -> Result<(Session, Secret), StoreError> {
        let of = SessionOf::User { id: user.id.clone(), mark: user.mark.clone() };
        Session::begin(store, of, Some(now), ABSOLUTE, now).await
    }

    /// Begins one of whoever an agency's system let in.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn of_token(
        store: &dyn DocumentStore,
        token: &str,
        access: Access,
        now: Time,
    ) -> Result<(Session, Secret), StoreError> {
        Session::begin(store, SessionOf::Token { id: token.to_owned(), access }, None, LINK_SESSION, now)
            .await
    }

    async fn begin(
        store: &dyn DocumentStore,
        of: SessionOf,
        confirmed_at: Option<Time>,
        lasts: i64,
        now: Time,
    ) -> Result<(Session, Secret), StoreError> {
        let secret = Secret::make()?;
        let session =
            Session { of, began_at: now, used_at: now, ends_at: now.plus_seconds(lasts), confirmed_at };
        if !store.put_document(&Collection::Sessions, &secret.hash(), &text(&session), None).await? {
            return Err(StoreError::contended());
        }
        Ok((session, secret))
    }

    /// Whether it is over, whoever's it is.
    pub fn is_over(&self, now: Time) -> bool {
        now >= self.ends_at || now >= self.used_at.plus_seconds(IDLE)
    }

    /// Whether its owner has shown just now that it is them.
    pub fn is_confirmed(&self, now: Time) -> bool {
        now < self.confirmed_until()
    }

    /// Until when that is so, from when its owner last showed it.
    pub fn confirmed_until(&self) -> Time {
        self.confirmed_at.map_or(Time::EARLIEST, |at| at.plus_seconds(CONFIRMED_FOR))
    }

    /// Whether it is this user's, and goes on: not after they were signed out everywhere, or removed and invited again.
    pub fn is_of(&self, user: &User) -> bool {
        matches!(&self.of, SessionOf::User { id, mark } if *id == user.id && *mark == user.mark)
    }

    /// The one that a cookie opens, if it is not over. That it is used is noted now and then.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn find(
        store: &dyn DocumentStore,
        secret: &Secret,
        now: Time,
    ) -> Result<Option<Session>, StoreError> {
        let found = read::<Session>(store, &Collection::Sessions, &secret.hash()).await?;
        let Some((session, version)) = found.filter(|(session, _)| !session.is_over(now)) else {
            return Ok(None);
        };
        if now >= session.used_at.plus_seconds(NOTED_EVERY) {
            let used = Session { used_at: now, ..session.clone() };
            // Whoever was faster has noted it, or ended it, which the next request finds.
            store.put_document(&Collection::Sessions, &secret.hash(), &text(&used), Some(version)).await?;
        }
        Ok(Some(session))
    }

    /// Notes that its owner has shown just now that it is them.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn confirm(store: &dyn DocumentStore, secret: &Secret, now: Time) -> Result<(), StoreError> {
        edit(store, &Collection::Sessions, &secret.hash(), |document| {
            let Some(document) = document else { return Ok(Edit::Keep(())) };
            let session: Session = crate::parsed(document)?;
            Ok::<_, StoreError>(Edit::Write(text(&Session { confirmed_at: Some(now), ..session }), ()))
        })
        .await
    }

    /// Ends it.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn end(store: &dyn DocumentStore, secret: &Secret) -> Result<(), StoreError> {
        while let Some((_, version)) = read::<Session>(store, &Collection::Sessions, &secret.hash()).await? {
            if store.delete_document(&Collection::Sessions, &secret.hash(), version).await? {
                break;
            }
        }
        Ok(())
    }
}

//! Users: one document each in [`Users`](Collection::Users), under an id that is a keyed hash of the address.

use crate::access::Access;
use crate::limit::{OnDay, one_more};
use crate::secret::mark;
use crate::{parsed, read, text};
use ledger::{LedgerKey, ServerId, Time, recipient_key};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use store::{Collection, DocumentStore, Edit, StoreError, edit};

/// How often it is noted when somebody was last here.
const SEEN_EVERY_SECONDS: i64 = 3_600;

/// Somebody who may sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The id.
    pub id: String,
    /// The address that codes go to, as it was given.
    pub address: String,
    /// What it may do and see.
    pub access: Access,
    /// When it was invited.
    pub invited_at: Time,
    /// Who invited it, as the audit names them.
    pub invited_by: String,
    /// When it first signed in, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined_at: Option<Time>,
    /// When it was last here, to the hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Time>,
    /// What each server's own people may know of it there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub here: BTreeMap<ServerId, Here>,
    /// The time zone that times are shown in, by its IANA name; UTC without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// How many people it last had erased on a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<OnDay>,
    /// What its sessions bear: another one ends all of them.
    pub(crate) mark: String,
}

/// What is known of a user at one server, apart from all others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Here {
    /// When it was let in.
    pub invited_at: Time,
    /// By whom, as the audit names them.
    pub invited_by: String,
    /// When it first came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen_at: Option<Time>,
    /// When it was last here, to the hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Time>,
    /// When it was signed out here: sessions that began before open nothing here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_out_at: Option<Time>,
}

/// Why a user is not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserError {
    /// There is no such user.
    Unknown,
    /// The ledger's own.
    Store(StoreError),
}

impl From<StoreError> for UserError {
    fn from(error: StoreError) -> UserError {
        UserError::Store(error)
    }
}

/// The id of whoever has an address, whether somebody has or not. No recipient is of no server, so that no recipient has
/// the same one.
pub fn user_id(key: &LedgerKey, address: &str) -> String {
    key.recipient_id(ServerId::NONE, &recipient_key(address.trim())).to_string()
}

impl User {
    /// Somebody who is invited now, and not kept yet.
    ///
    /// # Errors
    /// Where the machine has no random numbers.
    pub fn invited(
        key: &LedgerKey,
        address: &str,
        access: Access,
        by: &str,
        now: Time,
    ) -> Result<User, StoreError> {
        let mut user = User {
            id: user_id(key, address),
            address: address.trim().to_owned(),
            access: Access::nothing(),
            invited_at: now,
            invited_by: by.to_owned(),
            joined_at: None,
            last_seen_at: None,
            here: BTreeMap::new(),
            zone: None,
            erased: None,
            mark: mark()?,
        };
        user.give(access, by, now);
        Ok(user)
    }

    /// One of them.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn get(store: &dyn DocumentStore, id: &str) -> Result<Option<User>, StoreError> {
        // No id is empty, and a collection takes no name that is.
        if id.is_empty() || id.len() > 64 {
            return Ok(None);
        }
        Ok(read::<User>(store, &Collection::Users, id).await?.map(|(user, _)| user))
    }

    /// All of them, by id.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn all(store: &dyn DocumentStore) -> Result<Vec<User>, StoreError> {
        let all = store.documents(&Collection::Users).await?;
        all.iter().map(|(_, document)| parsed(&document.text)).collect()
    }

    /// Keeps one that is invited, unless somebody has its id already. Whether it is kept.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn keep(&self, store: &dyn DocumentStore) -> Result<bool, StoreError> {
        store.put_document(&Collection::Users, &self.id, &text(self), None).await
    }

    /// Changes one of them; what it is after that.
    ///
    /// # Errors
    /// [`UserError::Unknown`], or the ledger's own.
    pub async fn change(
        store: &dyn DocumentStore,
        id: &str,
        change: impl Fn(&mut User) + Send + Sync,
    ) -> Result<User, UserError> {
        edit(store, &Collection::Users, id, |document| {
            let Some(document) = document else {
                return Err(UserError::Unknown);
            };
            let before: User = parsed(document)?;
            let mut user = before.clone();
            change(&mut user);
            if user == before {
                return Ok(Edit::Keep(user));
            }
            Ok(Edit::Write(text(&user), user))
        })
        .await
    }

    /// Ends all sessions of one of them.
    ///
    /// # Errors
    /// As [`change`](User::change).
    pub async fn sign_out(store: &dyn DocumentStore, id: &str) -> Result<User, UserError> {
        let mark = mark()?;
        User::change(store, id, |user| user.mark = mark.clone()).await
    }

    /// Gives it another access; who gave it, and when, is kept for each server where it had none.
    pub fn give(&mut self, access: Access, by: &str, now: Time) {
        let given = access.given();
        self.here.retain(|server, _| given.contains_key(server));
        for server in given.keys() {
            let new = || Here {
                invited_at: now,
                invited_by: by.to_owned(),
                first_seen_at: None,
                last_seen_at: None,
                signed_out_at: None,
            };
            self.here.entry(*server).or_insert_with(new);
        }
        self.access = access;
    }

    /// Ends what its sessions open at some servers; elsewhere they go on.
    ///
    /// # Errors
    /// As [`change`](User::change).
    pub async fn sign_out_at(
        store: &dyn DocumentStore,
        id: &str,
        servers: &BTreeSet<ServerId>,
        now: Time,
    ) -> Result<User, UserError> {
        User::change(store, id, |user| {
            for (server, here) in &mut user.here {
                if servers.contains(server) {
                    here.signed_out_at = Some(now);
                }
            }
        })
        .await
    }

    /// Whether a session that began then opens what it may do at a server.
    pub fn is_in(&self, server: ServerId, began_at: Time) -> bool {
        let out = self.here.get(&server).and_then(|here| here.signed_out_at);
        self.access.is_operator() || out.is_none_or(|out| began_at > out)
    }

    /// Notes that it is at a server, if that was not noted within the hour.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn seen_at(
        &self,
        store: &dyn DocumentStore,
        server: ServerId,
        now: Time,
    ) -> Result<(), StoreError> {
        let Some(here) = self.here.get(&server) else { return Ok(()) };
        if here.last_seen_at.is_some_and(|at| now < at.plus_seconds(SEEN_EVERY_SECONDS)) {
            return Ok(());
        }
        let noted = User::change(store, &self.id, |user| {
            if let Some(here) = user.here.get_mut(&server) {
                here.last_seen_at = Some(now);
                here.first_seen_at = here.first_seen_at.or(Some(now));
            }
        });
        match noted.await {
            Ok(_) | Err(UserError::Unknown) => Ok(()),
            Err(UserError::Store(error)) => Err(error),
        }
    }

    /// Counts that it has somebody erased; false where it had `most` today already, or is no user any more.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn count_erasure(
        store: &dyn DocumentStore,
        id: &str,
        most: u32,
        now: Time,
    ) -> Result<bool, StoreError> {
        edit(store, &Collection::Users, id, |document| {
            let user: Option<User> = document.map(parsed).transpose()?;
            let counted = user.and_then(|user| {
                let erased = Some(one_more(user.erased.as_ref(), most, now)?);
                Some(User { erased, ..user })
            });
            Ok::<_, StoreError>(match counted {
                Some(user) => Edit::Write(text(&user), true),
                None => Edit::Keep(false),
            })
        })
        .await
    }

    /// Removes one of them: its sessions open nothing from then on, nor would they if it were invited again.
    ///
    /// # Errors
    /// The ledger's own, or that others change it all the time.
    pub async fn remove(store: &dyn DocumentStore, id: &str) -> Result<(), StoreError> {
        User::remove_if(store, id, |_| true).await.map(drop)
    }

    /// Removes one of them as it is read; whether it is gone. Where it is not as it should be, it stays.
    ///
    /// # Errors
    /// The ledger's own, or that others change it all the time.
    pub async fn remove_if(
        store: &dyn DocumentStore,
        id: &str,
        is_meant: impl Fn(&User) -> bool + Send + Sync,
    ) -> Result<bool, StoreError> {
        for _ in 0..10 {
            let Some(document) = store.document(&Collection::Users, id).await? else {
                return Ok(true);
            };
            if !is_meant(&parsed(&document.text)?) {
                return Ok(false);
            }
            if store.delete_document(&Collection::Users, id, document.version).await? {
                return Ok(true);
            }
        }
        Err(StoreError::contended())
    }

    /// Notes that it is here, if that was not noted within the hour.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn seen(&self, store: &dyn DocumentStore, now: Time) -> Result<(), StoreError> {
        if self.last_seen_at.is_some_and(|at| now < at.plus_seconds(SEEN_EVERY_SECONDS)) {
            return Ok(());
        }
        let noted = User::change(store, &self.id, |user| {
            user.last_seen_at = Some(now);
            user.joined_at = user.joined_at.or(Some(now));
        });
        match noted.await {
            // Whoever is removed meanwhile is not here.
            Ok(_) | Err(UserError::Unknown) => Ok(()),
            Err(UserError::Store(error)) => Err(error),
        }
    }
}

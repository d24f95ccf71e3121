//! API tokens: what one is, whom it lets in, and for how long. One document a token in the collection
//! [`Tokens`](Collection::Tokens), under its id; the secret half is kept as a hash only.
//!
//! Invariant: each request reads its token anew, and those that it descends from, so that one that is revoked opens
//! nothing from then on, nor does any that was made with it.

mod grant;
pub mod index;

pub use answers::Role;
pub use grant::{Exceeds, Grant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledger::{ServerId, Time};
use people::{OnDay, one_more};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use store::{Collection, DocumentStore, Edit, Store, StoreError, edit};

/// What every token begins with, so that it is known for one wherever it leaks.
pub const PREFIX: &str = "plt_";
/// How many random bytes the id has, and the secret.
const BYTES: [usize; 2] = [9, 32];
/// How many people a token or a user may have erased in a day (UTC), at all servers together: each time every consumer reads
/// anew who is erased, and each is swept for weeks.
pub const ERASURES_A_DAY: u32 = 1_000;
/// How many tokens a token may descend from: one that made it, one that made that, and so on.
pub const ANCESTORS_MAX: usize = 8;

/// What is kept of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// What it is called by: no secret.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// Where; `None`: at every server.
    pub servers: Option<BTreeSet<ServerId>>,
    /// Whether addresses in lists are shown whole.
    pub reveal_addresses: bool,
    /// Whether the content of mails is shown; no older release gave that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read_content: bool,
    /// When it was made.
    pub created_at: Time,
    /// Who made it.
    pub created_by: String,
    /// The token that it was made with, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// When it ends, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// The day (UTC) on which it was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_on: Option<String>,
    /// When it was revoked, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Time>,
    /// Whether those that were made with it go on opening what they do though it is revoked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub children_kept: bool,
    /// How many people it last had erased on a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<OnDay>,
    /// SHA-256 of the secret half, base64url. It has 256 random bits, so nothing slower is needed.
    hash: String,
}

/// Why there is no such token, or it opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRefused {
    /// It is none of ours.
    Unknown,
    /// It has ended.
    Expired,
    /// It was revoked.
    Revoked,
    /// One that it descends from has ended or was revoked.
    Orphaned,
}

fn hash(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, secret.as_bytes()))
}

fn random(bytes: usize) -> Result<String, StoreError> {
    let random: [u8; 32] =
        ring::rand::generate(&SystemRandom::new()).map_err(|_| StoreError::NoRandom)?.expose();
    Ok(URL_SAFE_NO_PAD.encode(&random[..bytes]))
}

/// The id and the secret of a token's text.
fn halves(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix(PREFIX)?;
    // base64url has underscores too, so the halves are told apart by length.
    let length = BYTES[0] * 4 / 3;
    let (id, secret) = (rest.get(..length)?, rest.get(length..)?.strip_prefix('_')?);
    Some((id, secret))
}

/// Whether a text has an id's length: a collection takes no name of any other.
fn could_be_id(text: &str) -> bool {
    text.len() == BYTES[0] * 4 / 3
}

/// What a new token shall be.
#[derive(Clone, Debug)]
pub struct New {
    /// See [`Token`].
    pub name: String,
    /// See [`Token`].
    pub role: Role,
    /// See [`Token`].
    pub servers: Option<BTreeSet<ServerId>>,
    /// See [`Token`].
    pub reveal_addresses: bool,
    /// See [`Token`].
    pub read_content: bool,
    /// See [`Token`].
    pub expires_at: Option<Time>,
    /// See [`Token`].
    pub created_by: String,
    /// See [`Token`].
    pub parent: Option<String>,
}

impl Token {
    /// Makes a token that is not kept yet, and its text, which nobody is told again.
    pub fn make(new: New, now: Time) -> Result<(Token, String), StoreError> {
        let (id, secret) = (random(BYTES[0])?, random(BYTES[1])?);
        let text = format!("{PREFIX}{id}_{secret}");
        let New { name, role, servers, reveal_addresses, read_content, expires_at, created_by, parent } = new;
        let token = Token {
            id,
            name,
            role,
            servers,
            reveal_addresses,
            read_content,
            created_at: now,
            created_by,
            parent,
            expires_at,
            last_used_on: None,
            revoked_at: None,
            children_kept: false,
            erased: None,
            hash: hash(&secret),
        };
        Ok((token, text))
    }

    /// Keeps it, in a place at each of its servers.
    ///
    /// # Errors
    /// [`index::KeepError::Full`] where a server has as many as may be, or the ledger's own.
    pub async fn keep(&self, store: &dyn Store) -> Result<(), index::KeepError> {
        index::take(store, self).await?;
        store.put_document(&Collection::Tokens, &self.id, &self.text(), None).await?;
        Ok(())
    }

    /// What it opens.
    pub fn grant(&self) -> Grant {
        Grant {
            role: self.role,
            servers: self.servers.clone(),
            reveal_addresses: self.reveal_addresses,
            read_content: self.read_content,
            expires_at: self.expires_at,
        }
    }

    /// The id of the token that it was made with. Older releases noted that as who made it.
    fn parent_id(&self) -> Option<&str> {
        self.parent.as_deref().or(Some(self.created_by.as_str()).filter(|id| could_be_id(id)))
    }

    /// The lists of servers that it stands in.
    fn places(&self) -> Vec<index::Owner> {
        match &self.servers {
            Some(servers) => servers.iter().copied().map(index::Owner::Server).collect(),
            None => vec![index::Owner::Everywhere],
        }
    }

    /// All lists that it stands in.
    fn owners(&self) -> Vec<index::Owner> {
        let parent = self.parent.clone().map(index::Owner::Parent);
        self.places().into_iter().chain(parent).collect()
    }

    /// The tokens that it descends from, the nearest first.
    pub async fn ancestors(&self, store: &dyn DocumentStore) -> Result<Vec<Token>, StoreError> {
        let mut all: Vec<Token> = Vec::new();
        while let Some(id) = all.last().unwrap_or(self).parent_id() {
            // More than may be made: whatever that is, it is not gone on with.
            if all.len() > ANCESTORS_MAX {
                return Err(StoreError::Damaged("registry"));
            }
            match Token::get(store, id).await? {
                Some(parent) => all.push(parent),
                None => break,
            }
        }
        Ok(all)
    }

    /// From its document.
    pub(crate) fn read(text: &str) -> Result<Token, StoreError> {
        serde_json::from_str(text).map_err(|_| StoreError::Damaged("registry"))
    }

    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| unreachable!("a token is plain JSON"))
    }

    /// The token of a text, if it opens anything now. That it was used today is noted, if it is not yet.
    pub async fn of(
        store: &dyn DocumentStore,
        text: &str,
        now: Time,
    ) -> Result<Result<Token, TokenRefused>, StoreError> {
        let Some((id, secret)) = halves(text) else {
            return Ok(Err(TokenRefused::Unknown));
        };
        let Some(document) = store.document(&Collection::Tokens, id).await? else {
            return Ok(Err(TokenRefused::Unknown));
        };
        let token = Token::read(&document.text)?;
        // Hashes are compared, not secrets: how far two of them agree tells nothing of either secret.
        if hash(secret) != token.hash {
            return Ok(Err(TokenRefused::Unknown));
        }
        if token.revoked_at.is_some() {
            return Ok(Err(TokenRefused::Revoked));
        }
        if token.has_ended(now) {
            return Ok(Err(TokenRefused::Expired));
        }
        if !token.is_open(store, now).await? {
            return Ok(Err(TokenRefused::Orphaned));
        }
        let today = now.day();
        if token.last_used_on.as_ref() != Some(&today) {
            let used = Token { last_used_on: Some(today), ..token.clone() };
            // Whoever was faster has noted it, or revoked it, which the next request finds.
            let noted =
                store.put_document(&Collection::Tokens, id, &used.text(), Some(document.version)).await;
            if let Err(error) = noted {
                let call = platform::counted(&error);
                tracing::warn!(
                    call.kind = call.kind,
                    call.code = call.code,
                    error = %error,
                    "that a token was used could not be noted"
                );
            }
        }
        Ok(Ok(token))
    }

    fn has_ended(&self, now: Time) -> bool {
        self.expires_at.is_some_and(|expires| expires <= now)
    }

    /// Whether it opens anything: not where it has ended or was revoked, or one that it descends from was.
    pub async fn is_open(&self, store: &dyn DocumentStore, now: Time) -> Result<bool, StoreError> {
        let closed = |token: &Token| match token.revoked_at {
            Some(_) => !token.children_kept,
            None => token.has_ended(now),
        };
        let closes = self.revoked_at.is_some() || self.has_ended(now);
        Ok(!closes && !self.ancestors(store).await?.iter().any(closed))
    }

    /// One token.
    pub async fn get(store: &dyn DocumentStore, id: &str) -> Result<Option<Token>, StoreError> {
        if !could_be_id(id) {
            return Ok(None);
        }
        store.document(&Collection::Tokens, id).await?.map(|document| Token::read(&document.text)).transpose()
    }

    /// Counts that it has somebody erased; false where it had [`ERASURES_A_DAY`] today.
    pub async fn count_erasure(store: &dyn DocumentStore, id: &str, now: Time) -> Result<bool, StoreError> {
        edit(store, &Collection::Tokens, id, |text| {
            let token = text.map(Token::read).transpose()?;
            let counted = token.and_then(|token| {
                let erased = Some(one_more(token.erased.as_ref(), ERASURES_A_DAY, now)?);
                Some(Token { erased, ..token })
            });
            Ok(match counted {
                Some(token) => Edit::Write(token.text(), true),
                None => Edit::Keep(false),
            })
        })
        .await
    }

    /// Revokes it, for good; one that is revoked stays so. Unless `keeps_children`, those that were made with it open
    /// nothing any more either; where they did not, they still do not.
    pub async fn revoke(
        store: &dyn DocumentStore,
        id: &str,
        keeps_children: bool,
        now: Time,
    ) -> Result<(), StoreError> {
        edit(store, &Collection::Tokens, id, |text| {
            let Some(token) = text.map(Token::read).transpose()? else {
                return Ok(Edit::Keep(()));
            };
            let children_kept = keeps_children && (token.revoked_at.is_none() || token.children_kept);
            if token.revoked_at.is_some() && token.children_kept == children_kept {
                return Ok(Edit::Keep(()));
            }
            let revoked_at = token.revoked_at.or(Some(now));
            let revoked = Token { revoked_at, children_kept, ..token };
            Ok(Edit::Write(revoked.text(), ()))
        })
        .await
    }

    /// Those that descend from a token, children before their own children.
    pub async fn descendants(store: &dyn Store, id: &str) -> Result<Vec<Token>, StoreError> {
        index::complete(store).await?;
        let (mut all, mut next): (Vec<Token>, usize) = (Vec::new(), 0);
        let mut parent = id.to_owned();
        loop {
            let children = index::all(store, &index::Owner::Parent(parent)).await?;
            let new = children.into_iter().filter(|child| child.id != id);
            for child in new {
                if all.iter().all(|known| known.id != child.id) {
                    all.push(child);
                }
            }
            match all.get(next) {
                Some(child) => parent = child.id.clone(),
                None => return Ok(all),
            }
            next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::Memory;

    fn new() -> New {
        New {
            name: "acme".to_owned(),
            role: Role::Viewer,
            servers: None,
            reveal_addresses: false,
            read_content: false,
            expires_at: Some(Time::EARLIEST.plus_days(2)),
            created_by: "test".to_owned(),
            parent: None,
        }
    }

    async fn of(store: &Memory, text: &str, day: i64) -> Result<Token, TokenRefused> {
        Token::of(store, text, Time::EARLIEST.plus_days(day)).await.unwrap()
    }

    #[tokio::test]
    async fn a_token_opens_until_it_ends_or_is_revoked_and_its_secret_is_kept_nowhere() {
        let store = Memory::default();
        let (token, text) = Token::make(new(), Time::EARLIEST).unwrap();
        token.keep(&store).await.unwrap();
        let secret = text.strip_prefix(&format!("{PREFIX}{}_", token.id)).unwrap();
        let kept = store.documents(&Collection::Tokens).await.unwrap();
        assert!(kept.iter().all(|(_, document)| !document.text.contains(secret)));
        assert_eq!(of(&store, &text, 1).await.unwrap().id, token.id);
        let used = Token::get(&store, &token.id).await.unwrap().unwrap();
        assert_eq!(used.last_used_on.as_deref(), Some("2010-01-02"));
        assert_eq!(of(&store, &text, 2).await, Err(TokenRefused::Expired));
        Token::revoke(&store, &token.id, false, Time::EARLIEST.plus_days(1)).await.unwrap();
        assert_eq!(of(&store, &text, 1).await, Err(TokenRefused::Revoked));
        assert_eq!(Token::get(&store, &token.id).await.unwrap().unwrap().created_by, "test");
    }

    #[tokio::test]
    async fn what_is_no_token_of_ours_opens_nothing() {
        let store = Memory::default();
        let (token, text) = Token::make(new(), Time::EARLIEST).unwrap();
        token.keep(&store).await.unwrap();
        let other = Token::make(new(), Time::EARLIEST).unwrap().1;
        let swapped = format!("{PREFIX}{}_{}", token.id, &other[PREFIX.len() + 13..]);
        for text in ["", PREFIX, "plt_ä", &text[..text.len() - 1], &format!("{text}x"), &other, &swapped] {
            assert_eq!(of(&store, text, 1).await, Err(TokenRefused::Unknown), "{text}");
        }
    }
}

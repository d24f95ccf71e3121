//! Which tokens there are for a server, and which a token has made: numbered places in a collection of their own, each with
//! the id of a token.
//!
//! Invariant: an owner has no more places than [`TOKENS_OF_ONE_MAX`], whoever asks how often and at once. A new token
//! takes a free place, or that of one that opens nothing any more. (What older releases made is taken in as it is, even
//! where it is more.)

use super::Token;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ledger::{ServerId, Time};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use store::{Collection, Store, StoreError};

/// How many tokens may open something at a server, and how many a token may have made.
pub const TOKENS_OF_ONE_MAX: usize = 200;
/// How many tokens are read at once.
const AT_ONCE: usize = 16;
/// How many documents are read in one go while the index is made.
const PAGE: usize = 500;
/// How often it is tried again where somebody else was faster.
const TRIES_MAX: usize = 8;
/// For how long a place is held for a token that is not kept yet, in seconds.
const HELD_SECONDS: i64 = 60;
/// The document that says that all tokens of before are in the index.
const COMPLETE: &str = "complete";

/// Whose tokens are listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// Those that name a server.
    Server(ServerId),
    /// Those for every server.
    Everywhere,
    /// Those that a token has made.
    Parent(String),
}

impl Owner {
    /// What the names of its places begin with.
    fn prefix(&self) -> String {
        match self {
            Owner::Server(server) => format!("server#{server}#"),
            Owner::Everywhere => "server#*#".to_owned(),
            Owner::Parent(id) => format!("parent#{id}#"),
        }
    }

    fn name(&self, number: u32) -> String {
        format!("{}{number:08}", self.prefix())
    }
}

/// Why a token is not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeepError {
    /// There are as many tokens as may be.
    #[error("there are as many tokens as allowed")]
    Full,
    /// The ledger's own.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Serialize, Deserialize)]
struct TakenSlot {
    id: String,
    at: Time,
}

/// A place that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its number.
    pub number: u32,
    /// The token that has it.
    pub id: String,
    at: Time,
    version: u64,
}

/// The places of an owner below a number, the highest first.
pub async fn places(
    store: &dyn Store,
    owner: &Owner,
    below: Option<u32>,
    limit: usize,
) -> Result<Vec<Slot>, StoreError> {
    let prefix = owner.prefix();
    let before = below.map_or_else(|| format!("{prefix}~"), |number| owner.name(number));
    let found = store.last_documents(&Collection::TokenIndex, Some(&before), limit).await?;
    let own = found.iter().map_while(|(name, document)| Some((name.strip_prefix(&prefix)?, document)));
    let damaged = || StoreError::Damaged("registry");
    own.map(|(number, document)| {
        let TakenSlot { id, at } = serde_json::from_str(&document.text).map_err(|_| damaged())?;
        let number = number.parse().map_err(|_| damaged())?;
        Ok(Slot { number, id, at, version: document.version })
    })
    .collect()
}

/// The tokens of some ids, in their order.
pub async fn tokens<'a>(
    store: &dyn Store,
    ids: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<Option<Token>>, StoreError> {
    let reads: Vec<_> = ids.into_iter().map(|id| Token::get(store, id)).collect();
    stream::iter(reads).buffered(AT_ONCE).try_collect().await
}

/// All places of an owner, the highest first.
async fn all_places(store: &dyn Store, owner: &Owner) -> Result<Vec<Slot>, StoreError> {
    let mut all: Vec<Slot> = Vec::new();
    loop {
        let below = all.last().map(|place| place.number);
        let page = places(store, owner, below, PAGE).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// All tokens of an owner.
pub(super) async fn all(store: &dyn Store, owner: &Owner) -> Result<Vec<Token>, StoreError> {
    let places = all_places(store, owner).await?;
    let all = tokens(store, places.iter().map(|place| place.id.as_str())).await?;
    Ok(all.into_iter().flatten().collect())
}

/// A place for a new token: its number, and the version of what stands there. `None`: all are taken.
async fn free(store: &dyn Store, owner: &Owner, now: Time) -> Result<Option<(u32, Option<u64>)>, StoreError> {
    let next = places(store, owner, None, 1).await?.first().map_or(0, |last| last.number + 1);
    if (next as usize) < TOKENS_OF_ONE_MAX {
        return Ok(Some((next, None)));
    }
    let taken = places(store, owner, None, TOKENS_OF_ONE_MAX).await?;
    let held = tokens(store, taken.iter().map(|place| place.id.as_str())).await?;
    let opens = |place: &Slot, token: &Option<Token>| match token {
        Some(token) => token.revoked_at.is_none() && token.expires_at.is_none_or(|end| end > now),
        None => place.at.plus_seconds(HELD_SECONDS) > now,
    };
    let free = taken.iter().zip(&held).rev().find(|(place, token)| !opens(place, token));
    Ok(free.map(|(place, _)| (place.number, Some(place.version))))
}

/// That there is a place for a token at each of its owners.
pub async fn room(store: &dyn Store, token: &Token, now: Time) -> Result<(), KeepError> {
    complete(store).await?;
    let owners: Vec<Owner> = token.owners();
    let free: Vec<_> = owners.iter().map(|owner| free(store, owner, now)).collect();
    let free: Vec<_> = stream::iter(free).buffered(AT_ONCE).try_collect().await?;
    if free.iter().all(Option::is_some) { Ok(()) } else { Err(KeepError::Full) }
}

/// Takes a place for a token at each of its owners.
///
/// # Errors
/// As [`room`]; some places may be taken then, and are free again soon.
pub(super) async fn take(store: &dyn Store, token: &Token) -> Result<(), KeepError> {
    complete(store).await?;
    let owners: Vec<Owner> = token.owners();
    let taken: Vec<_> = owners.iter().map(|owner| take_one(store, owner, token)).collect();
    stream::iter(taken).buffered(AT_ONCE).try_collect().await
}

async fn take_one(store: &dyn Store, owner: &Owner, token: &Token) -> Result<(), KeepError> {
    let held = TakenSlot { id: token.id.clone(), at: token.created_at };
    for _ in 0..TRIES_MAX {
        let (number, version) = free(store, owner, token.created_at).await?.ok_or(KeepError::Full)?;
        if put(store, owner, number, &held, version).await? {
            return Ok(());
        }
    }
    Err(StoreError::contended().into())
}

async fn put(
    store: &dyn Store,
    owner: &Owner,
    number: u32,
    held: &TakenSlot,
    version: Option<u64>,
) -> Result<bool, StoreError> {
    let text = serde_json::to_string(held).unwrap_or_else(|_| unreachable!("a place is plain JSON"));
    store.put_document(&Collection::TokenIndex, &owner.name(number), &text, version).await
}

/// Takes in the tokens that older releases made, once.
pub async fn complete(store: &dyn Store) -> Result<(), StoreError> {
    if store.document(&Collection::TokenIndex, COMPLETE).await?.is_some() {
        return Ok(());
    }
    let mut all: Vec<Token> = Vec::new();
    let mut before: Option<String> = None;
    loop {
        let page = store.last_documents(&Collection::Tokens, before.as_deref(), PAGE).await?;
        for (_, document) in &page {
            all.push(Token::read(&document.text)?);
        }
        before = match page.into_iter().next_back() {
            Some((name, _)) => Some(name),
            None => break,
        };
    }
    // Those that open something come last, where a new one looks for a place first.
    all.sort_by_key(|token| (token.revoked_at.is_none(), token.created_at));
    let ids: BTreeSet<&str> = all.iter().map(|token| token.id.as_str()).collect();
    let mut owned: BTreeMap<Owner, Vec<&Token>> = BTreeMap::new();
    for token in &all {
        let known = |owner: &Owner| match owner {
            Owner::Parent(id) => ids.contains(id.as_str()),
            Owner::Server(_) | Owner::Everywhere => true,
        };
        let parent = token.parent_id().map(|id| Owner::Parent(id.to_owned()));
        for owner in token.places().into_iter().chain(parent).filter(known) {
            owned.entry(owner).or_default().push(token);
        }
    }
    for (owner, tokens) in owned {
        let here = all_places(store, &owner).await?;
        let next = here.first().map_or(0, |last| last.number + 1);
        let here: BTreeSet<&str> = here.iter().map(|place| place.id.as_str()).collect();
        let new = tokens.into_iter().filter(|token| !here.contains(token.id.as_str()));
        for (next, token) in (next..).zip(new) {
            let held = TakenSlot { id: token.id.clone(), at: token.created_at };
            if !put(store, &owner, next, &held, None).await? {
                // Somebody else does the same: whoever asks next finds it done, or goes on.
                return Err(StoreError::contended());
            }
        }
    }
    // That it is there already is the same.
    store.put_document(&Collection::TokenIndex, COMPLETE, "{}", None).await?;
    Ok(())
}

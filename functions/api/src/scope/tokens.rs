//! The tokens, for whoever may make some.

use super::{Caller, Gate};
use crate::problem::Problem;
use crate::token::index::{self, KeepError, Owner, TOKENS_OF_ONE_MAX};
use crate::token::{ANCESTORS_MAX, Exceeds, Grant, Token};
use account::audit::Entry;
use ledger::{ServerId, Time};
use std::collections::BTreeSet;
use store::{Collection, Store};

/// How many servers' lists are read for a page at most.
const SERVERS_READ_MAX: usize = 100;

/// Where a list of tokens goes on: below a token, or below a place in a server's list.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Place {
    /// Of all tokens.
    All(String),
    /// Of those of some servers.
    Of(ServerId, Option<u32>),
}

/// The tokens that a caller may see, make and revoke, all within its servers: an operator any, an admin viewers' tokens
/// (and sees the others).
pub struct Tokens<'a> {
    pub(super) gate: &'a Gate<'a>,
}

impl Tokens<'_> {
    /// Whether a token is in scope.
    pub fn sees(&self, token: &Token) -> bool {
        self.caller().grant().covers(token.servers.as_ref())
    }

    /// That a token may be made which opens so much.
    ///
    /// # Errors
    /// [`Problem::not_found`] for servers that are not the caller's, [`Problem::role`], or that nobody grants what it
    /// has not.
    pub fn may_make(&self, grant: &Grant) -> Result<(), Problem> {
        self.caller().grant().grants(grant).map_err(|exceeds| match exceeds {
            // As what is not there: which servers there are is not told.
            Exceeds::Servers if grant.servers.is_some() => Problem::not_found(),
            Exceeds::Servers | Exceeds::Role => Problem::role("operator"),
            Exceeds::Reveal => Problem::beyond_own(
                "addresses are masked for this token, so it cannot create one that shows them",
            )
            .next(
                "leave `reveal_addresses` out, or ask the person who gave you the token for one that \
                shows them",
            ),
            Exceeds::Content => Problem::beyond_own(
                "this token does not see the content of mails, so it cannot create one that does",
            )
            .next("leave `read_content` out, or ask an operator"),
            Exceeds::Expiry => Problem::beyond_own("the new token would be valid for longer than this one")
                .next("leave `expires_at` out, so that it expires with this token, or give an earlier time"),
        })
    }

    /// A page of the tokens in scope, and where the next one goes on.
    ///
    /// # Errors
    /// The ledger's own, or [`Problem::bad_cursor`].
    pub async fn page(
        &self,
        after: Option<Place>,
        limit: usize,
    ) -> Result<(Vec<Token>, Option<Place>), Problem> {
        match (&self.caller().grant().servers, after) {
            (None, None) => self.page_of_all(None, limit).await,
            (None, Some(Place::All(id))) => self.page_of_all(Some(id), limit).await,
            (Some(servers), None) => self.page_of(servers, None, limit).await,
            (Some(servers), Some(Place::Of(server, below))) => {
                self.page_of(servers, Some((server, below)), limit).await
            }
            _ => Err(Problem::bad_cursor()),
        }
    }

    async fn page_of_all(
        &self,
        before: Option<String>,
        limit: usize,
    ) -> Result<(Vec<Token>, Option<Place>), Problem> {
        let before = before.map(crate::cursor::key).transpose()?;
        let found = self.store().last_documents(&Collection::Tokens, before.as_deref(), limit).await?;
        let tokens: Vec<Token> =
            found.iter().map(|(_, document)| Token::read(&document.text)).collect::<Result<_, _>>()?;
        let next = tokens.last().filter(|_| tokens.len() == limit).map(|last| Place::All(last.id.clone()));
        Ok((tokens, next))
    }

    /// By server, of each the latest first; one that names several stands with the first of them.
    async fn page_of(
        &self,
        servers: &BTreeSet<ServerId>,
        after: Option<(ServerId, Option<u32>)>,
        limit: usize,
    ) -> Result<(Vec<Token>, Option<Place>), Problem> {
        index::complete(self.store()).await?;
        let (first, mut below) = after.map_or((None, None), |(server, below)| (Some(server), below));
        let left = servers.iter().copied().filter(|server| first.is_none_or(|first| *server >= first));
        let mut items = Vec::new();
        for (read, server) in left.enumerate() {
            if read == SERVERS_READ_MAX {
                return Ok((items, Some(Place::Of(server, None))));
            }
            // A place below which there is something is only this server's own.
            let mut from = below.take().filter(|_| first == Some(server));
            loop {
                let wanted = limit - items.len();
                let places = index::places(self.store(), &Owner::Server(server), from, wanted).await?;
                let tokens =
                    index::tokens(self.store(), places.iter().map(|place| place.id.as_str())).await?;
                items.extend(tokens.into_iter().flatten().filter(|token| {
                    let first = token.servers.as_ref().and_then(BTreeSet::first);
                    first == Some(&server) && self.sees(token)
                }));
                from = places.last().map(|last| last.number).filter(|_| places.len() == wanted);
                match from {
                    None => break,
                    Some(number) if items.len() == limit => {
                        return Ok((items, Some(Place::Of(server, Some(number)))));
                    }
                    Some(_) => {}
                }
            }
            if items.len() == limit {
                let behind = servers.range(server..).nth(1);
                return Ok((items, behind.map(|server| Place::Of(*server, None))));
            }
        }
        Ok((items, None))
    }

    /// A token in scope.
    pub async fn get(&self, id: &str) -> Result<Token, Problem> {
        let token = Token::get(self.store(), id).await?;
        token.filter(|token| self.sees(token)).ok_or_else(Problem::not_found)
    }

    /// That there is room for a token: at its servers, and below those that it descends from.
    ///
    /// # Errors
    /// A conflict with the next step, or the ledger's own.
    pub async fn room(&self, token: &Token) -> Result<(), Problem> {
        if token.ancestors(self.store()).await?.len() > ANCESTORS_MAX {
            let words = format!("a token descends from {ANCESTORS_MAX} others at most");
            let problem = Problem::conflict("too-many-tokens", "There are too many tokens", words);
            return Err(problem.next("create it with a token that descends from fewer others"));
        }
        index::room(self.store(), token, self.now()).await.map_err(full)
    }

    /// Keeps a token that was made.
    ///
    /// # Errors
    /// As [`may_make`](Self::may_make) and [`room`](Self::room).
    pub async fn keep(&self, token: &Token) -> Result<(), Problem> {
        self.may_make(&token.grant())?;
        token.keep(self.store()).await.map_err(full)
    }

    /// That a token may be revoked.
    pub fn may_revoke(&self, token: &Token) -> Result<(), Problem> {
        if self.caller().grant().manages(token.role) { Ok(()) } else { Err(Problem::role("operator")) }
    }

    /// Revokes a token.
    pub async fn revoke(&self, token: &Token, keeps_children: bool) -> Result<(), Problem> {
        self.may_revoke(token)?;
        Ok(Token::revoke(self.store(), &token.id, keeps_children, self.now()).await?)
    }

    /// The tokens that were made with one, and with those.
    pub async fn descendants(&self, token: &Token) -> Result<Vec<Token>, Problem> {
        Ok(Token::descendants(self.store(), &token.id).await?)
    }

    /// Notes a step of a change: at each server of the token what it is there, or at the stack.
    pub async fn note(&self, entry: &Entry, token: &Token) -> Result<(), Problem> {
        let stack = BTreeSet::from([ServerId::NONE]);
        for server in token.servers.as_ref().unwrap_or(&stack) {
            entry.at(*server).note(self.store(), *server).await?;
        }
        Ok(())
    }

    /// Who asks.
    pub fn caller(&self) -> &Caller {
        &self.gate.caller
    }

    /// Who asks, and whom it may know others as.
    pub fn gate(&self) -> &Gate<'_> {
        self.gate
    }

    /// What time it is.
    pub fn now(&self) -> Time {
        (self.gate.parts.clock)()
    }

    fn store(&self) -> &dyn Store {
        &*self.gate.parts.store
    }
}

fn full(error: KeepError) -> Problem {
    match error {
        KeepError::Full => {
            let words = format!(
                "a server may have at most {TOKENS_OF_ONE_MAX} valid tokens, and a token may have created \
                    at most as many"
            );
            let problem = Problem::conflict("too-many-tokens", "There are too many tokens", words);
            problem.next("revoke one that is no longer needed: GET /v1/tokens shows when each was last used")
        }
        KeepError::Store(error) => error.into(),
    }
}

//! The tokens, for whoever may make some.

use super::{Caller, Gate};
use crate::problem::Problem;
use crate::token::{Role, Token};
use account::Stored;
use account::audit::Entry;
use ledger::{ServerId, Time};
use std::collections::BTreeSet;

/// The tokens that a caller may see, make and revoke, all within its servers: an operator any, an admin viewers' tokens
/// (and sees the others).
pub struct Tokens<'a> {
    pub(super) gate: &'a Gate<'a>,
}

impl Tokens<'_> {
    /// Whether a token is in scope.
    pub fn sees(&self, token: &Token) -> bool {
        self.gate.caller.covers(token.servers.as_ref())
    }

    /// Whether a token of this kind may be made and revoked.
    pub fn manages(&self, role: Role, servers: Option<&BTreeSet<ServerId>>) -> bool {
        let caller = &self.gate.caller;
        caller.covers(servers) && (caller.role == Role::Operator || role == Role::Viewer)
    }

    /// The tokens in scope.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn list(&self) -> Result<Vec<Token>, Problem> {
        let mut tokens = Token::all(&self.book()).await?;
        tokens.retain(|token| self.sees(token));
        Ok(tokens)
    }

    /// A token in scope.
    ///
    /// # Errors
    /// [`Problem::not_found`] or the ledger's own.
    pub async fn get(&self, id: &str) -> Result<Token, Problem> {
        let token = Token::get(&self.book(), id).await?;
        token.filter(|token| self.sees(token)).ok_or_else(Problem::not_found)
    }

    /// Keeps a token that was made.
    ///
    /// # Errors
    /// [`Problem::role`] or the ledger's own.
    pub async fn keep(&self, token: &Token) -> Result<(), Problem> {
        self.may(token)?;
        Ok(token.keep(&self.book()).await?)
    }

    /// Revokes a token.
    ///
    /// # Errors
    /// [`Problem::role`] or the ledger's own.
    pub async fn revoke(&self, token: &Token) -> Result<(), Problem> {
        self.may(token)?;
        Ok(Token::revoke(&self.book(), &token.id, self.now()).await?)
    }

    fn may(&self, token: &Token) -> Result<(), Problem> {
        if self.manages(token.role, token.servers.as_ref()) { Ok(()) } else { Err(Problem::role("operator")) }
    }

    /// Notes a step of a change: at each server of the token, or at the stack.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn note(&self, entry: &Entry, token: &Token) -> Result<(), Problem> {
        let stack = BTreeSet::from([ServerId::NONE]);
        for server in token.servers.as_ref().unwrap_or(&stack) {
            entry.note(&self.book(), *server).await?;
        }
        Ok(())
    }

    /// Who asks.
    pub fn caller(&self) -> &Caller {
        &self.gate.caller
    }

    /// What time it is.
    pub fn now(&self) -> Time {
        (self.gate.parts.clock)()
    }

    fn book(&self) -> Stored<'_> {
        Stored(&*self.gate.parts.store)
    }
}

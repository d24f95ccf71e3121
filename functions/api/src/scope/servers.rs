//! Adding servers, for operators of all of them.

use super::Gate;
use crate::problem::{self, Problem};
use account::adding::{self, About, AddError};
use account::audit::{Entry, Phase};
use account::{Registry, ServerEntry};
use ledger::ServerId;
use postmark_api::{ApiError, ServerInfo, Token};
use serde_json::{Value, json};

/// Where servers are added.
pub struct Adding<'a> {
    gate: &'a Gate<'a>,
}

impl<'a> Adding<'a> {
    pub(super) fn of(gate: &'a Gate<'a>) -> Result<Adding<'a>, Problem> {
        if !gate.is_unlimited() {
            return Err(Problem::role("operator").next("use a token with the role operator, for all servers"));
        }
        Ok(Adding { gate })
    }

    /// What Postmark says of the server that a token opens.
    ///
    /// # Errors
    /// Postmark's own.
    pub async fn told(&self, token: &Token) -> Result<ServerInfo, ApiError> {
        self.gate.parts.postmark.server(token.clone()).server().await
    }

    /// What the registry has of a server.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn known(&self, server: ServerId) -> Result<Option<ServerEntry>, Problem> {
        Ok(Registry(&*self.gate.parts.store).get(server).await?)
    }

    /// Whether a token of a server is kept.
    ///
    /// # Errors
    /// The vault's own.
    pub async fn has_token(&self, server: ServerId) -> Result<bool, Problem> {
        let token = self.gate.parts.vault.token(server).await;
        Ok(token.map_err(|error| failed(AddError::Vault(error)))?.is_some())
    }

    /// Adds a server, and notes that before and after, without its token.
    ///
    /// # Errors
    /// That Postmark does not answer, or the ledger's own.
    pub async fn add(
        &self,
        server: (ServerId, &str),
        token: &Token,
        about: &About,
    ) -> Result<ServerEntry, Problem> {
        let parts = self.gate.parts;
        let (store, now) = (&*parts.store, || (parts.clock)());
        let begun = Entry::begun(self.gate.caller.who.clone(), "server.add", now())?;
        begun.note(store, server.0).await?;
        let adding = adding::Adding { store, vault: &*parts.vault, postmark: &parts.postmark };
        let (phase, told, added) = match adding.add(server, token, about, now()).await.map_err(failed) {
            Ok(entry) => (Phase::Done, Value::Null, Ok(entry)),
            Err(problem) => (Phase::Failed, json!({ "problem": problem.code() }), Err(problem)),
        };
        let noted = begun.now(phase, told, now()).note(store, server.0).await;
        // The change's own failure is what matters.
        let added = added?;
        noted?;
        Ok(added)
    }
}

fn failed(error: AddError) -> Problem {
    match error {
        AddError::Api(error) => {
            tracing::warn!(error = %error, "Postmark does not tell of a server's streams");
            Problem::postmark_unavailable()
        }
        AddError::Registry(error) => error.into(),
        AddError::Vault(error) => problem::failed(&error, "the token of a server cannot be kept"),
    }
}

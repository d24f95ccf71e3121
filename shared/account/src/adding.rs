//! Adding a server: its token is kept, and it is registered as Postmark tells of it.

use crate::connect;
use crate::registry::{ConnectForm, Registry, RegistryError, ServerEntry};
use crate::vault::{Vault, VaultError};
use crate::watch::Found;
use ledger::{ServerId, Time};
use postmark_api::{ApiError, Endpoint, Token};
use store::AccountStore;

/// What is said of a server that Postmark does not know. What is left out stays as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Whose mail it sends.
    pub client: Option<String>,
    /// What people call it.
    pub label: Option<String>,
    /// Whether the client tracks opens and clicks by other means.
    pub native_tracking: Option<bool>,
    /// How its webhooks are laid out.
    pub form: Option<ConnectForm>,
}

impl About {
    /// Says it of a server.
    pub fn say(&self, entry: &mut ServerEntry) {
        if let Some(client) = &self.client {
            entry.client.clone_from(client);
        }
        if let Some(label) = &self.label {
            entry.label.clone_from(label);
        }
        entry.native_tracking = self.native_tracking.unwrap_or(entry.native_tracking);
        entry.connect = self.form.unwrap_or(entry.connect);
    }
}

/// Why a server is not added. It quotes no token.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AddError {
    /// Postmark's API.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The token cannot be kept.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// Where servers are added.
#[derive(Clone, Copy)]
pub struct Adding<'a> {
    /// Where the registry is.
    pub store: &'a dyn AccountStore,
    /// Where tokens are kept.
    pub vault: &'a dyn Vault,
    /// Postmark.
    pub postmark: &'a Endpoint,
}

impl Adding<'_> {
    /// Asks Postmark which streams a server has, keeps its token and registers it. One that was registered keeps what is
    /// not said of it now; a new one is called as Postmark calls it. Whose the token is, the caller knows from Postmark.
    ///
    /// # Errors
    /// [`AddError`].
    pub async fn add(
        &self,
        (server, name): (ServerId, &str),
        token: &Token,
        about: &About,
        now: Time,
    ) -> Result<ServerEntry, AddError> {
        let streams = connect::streams(&self.postmark.server(token.clone())).await?;
        let known = Registry(self.store).get(server).await?;
        let mut entry = known.unwrap_or_else(|| ServerEntry::new(server, name, name, now));
        about.say(&mut entry);
        entry.take_streams(&streams);
        self.vault.put(server, token).await?;
        Registry(self.store).put(&entry).await?;
        // It is added, whether that can be remembered or not: the next look tells the same.
        if let Err(error) = Found::keep_token(self.store, &entry, now).await {
            platform::logs::not_remembered("that a token is its server's", &error);
        }
        Ok(entry)
    }
}

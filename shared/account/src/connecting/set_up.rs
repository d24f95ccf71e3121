//! Setting up a server's webhooks, in whatever process has the key that signs their password.

use super::ConnectingError;
use crate::connect::{Connect, Outcome};
use crate::registry::{Registry, RegistryError, ServerEntry};
use crate::vault::Vault;
use crate::watch::{Found, Watch, WatchError};
use crate::{Doors, Lease};
use credential::Verifier;
use ledger::ServerId;
use platform::Clock;
use postmark_api::{Auth, Endpoint, ServerApi};
use store::{AccountStore, DocumentStore};

/// For how many seconds nobody else sets up a server's webhooks: longer than it takes.
const LEASE_SECONDS: i64 = 240;

/// Does some work on a server's webhooks while nobody else does, and nobody for some seconds after it.
///
/// # Errors
/// [`ConnectingError::Busy`], or the work's own.
pub async fn alone<T, E: From<ConnectingError>>(
    store: &dyn DocumentStore,
    clock: &Clock,
    server: ServerId,
    pause_seconds: i64,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let lease = Lease::take(store, &format!("connect#{server}"), clock(), LEASE_SECONDS).await;
    let lease = lease.map_err(ConnectingError::from)?;
    let mut lease = lease.ok_or(ConnectingError::Busy(server))?;
    let done = work.await;
    let given_back = match pause_seconds {
        0 => lease.release(store).await,
        pause => lease.renew(store, clock(), pause).await.map(drop),
    };
    // It expires by itself.
    if let Err(error) = given_back {
        platform::logs::not_remembered("that the webhooks are set up no longer", &error);
    }
    done
}

/// The API of a server by the token that is kept.
///
/// # Errors
/// [`ConnectingError::NoToken`], or where it cannot be read.
pub async fn api(
    vault: &dyn Vault,
    postmark: &Endpoint,
    server: ServerId,
) -> Result<ServerApi, ConnectingError> {
    let token = vault.token(server).await.map_err(|error| ConnectingError::Keeper(error.to_string()))?;
    token.map(|token| postmark.server(token)).ok_or(ConnectingError::NoToken(server))
}

/// That the webhooks of a server lead to these doors, or nowhere yet: others would be taken for somebody else's and stay beside
/// the new ones, so that everything came in twice.
///
/// # Errors
/// [`ConnectingError::OtherDoors`].
pub fn must_lead_to(entry: &ServerEntry, doors: &str) -> Result<(), ConnectingError> {
    match &entry.doors {
        Some(other) if other.trim_end_matches('/') != doors => {
            Err(ConnectingError::OtherDoors(other.clone()))
        }
        _ => Ok(()),
    }
}

/// What webhooks are set up with.
pub struct SetUp<'a> {
    /// The ledger.
    pub store: &'a dyn AccountStore,
    /// Where the servers' tokens are.
    pub vault: &'a dyn Vault,
    /// Postmark.
    pub postmark: &'a Endpoint,
    /// The way to our doors.
    pub doors: &'a Doors,
    /// Tells whether passwords are right.
    pub verifier: &'a Verifier,
    /// What time it is.
    pub clock: &'a Clock,
}

impl SetUp<'_> {
    /// Sets up the webhooks as the registry has them by now, but in the form that `asked` says. What they bear, and the base URL
    /// that they lead to, is made of the server's entry.
    ///
    /// # Errors
    /// [`ConnectingError`].
    pub async fn carry_out(
        &self,
        asked: &ServerEntry,
        bears: impl Fn(&ServerEntry) -> Result<(Auth, String), ConnectingError>,
    ) -> Result<Outcome, ConnectingError> {
        // As it is now that nobody else sets it up: others may have changed it since it was asked for.
        let server = asked.server;
        let known = Registry(self.store).get(server).await.map_err(of_registry)?;
        let known = known.ok_or_else(|| of_registry(RegistryError::Unknown(server)))?;
        let mut entry =
            ServerEntry { connect: asked.connect, native_tracking: asked.native_tracking, ..known };
        let api = api(self.vault, self.postmark, server).await?;
        let (auth, base) = bears(&entry)?;
        let connect = Connect { store: self.store, api: &api, doors: self.doors, auth: &auth };
        let plan = connect.look(&mut entry, &base).await?;
        Ok(connect.carry_out(&entry, &base, plan).await?)
    }

    /// Looks again: what is remembered of the last look shows what was before. Where that fails, the next look comes by itself.
    pub async fn look_again(&self, server: ServerId, base: &str) {
        if let Err(error) = self.look(server, base).await {
            platform::logs::not_remembered("how the webhooks stand now", &error);
        }
    }

    async fn look(&self, server: ServerId, base: &str) -> Result<(), WatchError> {
        let now = (self.clock)();
        let Self { store, verifier, .. } = *self;
        let watch = Watch { store, verifier, base: Some(base), repair: false, now };
        let (Some(known), Some(token)) =
            (Registry(store).get(server).await?, self.vault.token(server).await?)
        else {
            return Ok(());
        };
        let report = watch.look(&known, &self.postmark.server(token)).await?;
        Ok(Found::keep(store, &report, now).await?)
    }
}

/// What the registry says stands against it.
pub fn of_registry(error: RegistryError) -> ConnectingError {
    ConnectingError::Connect(error.into())
}

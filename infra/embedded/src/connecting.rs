//! Webhooks that are set up for somebody on a page, in the process whose doors they lead to: it has the key already.
//!
//! Invariant: the key is read where it is needed and kept no longer; no page and no answer of the API reaches it.

use crate::LiveDoors;
use account::connect::{Connect, Outcome};
use account::connecting::{Connecting, ConnectingError, Planned};
use account::rotate::{Keys, Progress, Rotate, RotateError, Stage};
use account::watch::{Found, Watch};
use account::{Doors, Finding, Lease, Registry, RegistryError, ServerEntry, Vault, webhooks};
use async_trait::async_trait;
use credential::{PublicKey, Verifier};
use ledger::ServerId;
use platform::Clock;
use postmark_api::{Auth, Endpoint, ServerApi};
use std::sync::Arc;
use store::{AccountStore, Scan};

/// For how many seconds nobody else sets up a server's webhooks: longer than it takes.
const LEASE_SECONDS: i64 = 120;

/// The operator's keys as they are now.
pub struct Ring {
    /// What signs.
    pub keys: Box<dyn Keys>,
    /// What its signatures are verified by, the newest first.
    pub public: Vec<PublicKey>,
}

/// What webhooks' passwords are signed by, and where webhooks lead.
#[derive(Clone)]
pub struct Signing {
    /// Opens the keys.
    pub ring: Arc<dyn Fn() -> Result<Ring, String> + Send + Sync>,
    /// The way to the doors.
    pub doors: Doors,
    /// Where Postmark reaches them: the base URL of a server's webhooks that was not connected before.
    pub base: String,
}

/// The doors of this process.
pub(crate) struct Here {
    pub(crate) name: String,
    pub(crate) signing: Signing,
    pub(crate) store: Arc<dyn Scan>,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) postmark: Endpoint,
    pub(crate) clock: Clock,
    pub(crate) live: Arc<LiveDoors>,
}

impl Here {
    fn store(&self) -> &dyn AccountStore {
        &*self.store
    }

    fn ring(&self) -> Result<Ring, ConnectingError> {
        (self.signing.ring)().map_err(ConnectingError::Keeper)
    }

    fn auth(&self, entry: &ServerEntry) -> Result<Auth, ConnectingError> {
        self.ring()?.keys.auth(entry.server, entry.generation).map_err(ConnectingError::Keeper)
    }

    fn base(&self, entry: &ServerEntry) -> String {
        entry.doors.as_deref().unwrap_or(&self.signing.base).trim_end_matches('/').to_owned()
    }

    async fn api(&self, server: ServerId) -> Result<Option<ServerApi>, ConnectingError> {
        let token = self.vault.token(server).await;
        let token = token.map_err(|error| ConnectingError::Keeper(error.to_string()))?;
        Ok(token.map(|token| self.postmark.server(token)))
    }

    async fn must_api(&self, server: ServerId) -> Result<ServerApi, ConnectingError> {
        self.api(server).await?.ok_or(ConnectingError::NoToken(server))
    }

    async fn carry_out(&self, entry: &ServerEntry) -> Result<Outcome, ConnectingError> {
        let (api, auth, base) = (self.must_api(entry.server).await?, self.auth(entry)?, self.base(entry));
        let connect = Connect { store: self.store(), api: &api, doors: &self.signing.doors, auth: &auth };
        let mut entry = entry.clone();
        let plan = connect.look(&mut entry, &base).await?;
        let outcome = connect.carry_out(&entry, &base, plan).await?;
        // What is remembered of the last look would show what was before; the next one comes by itself.
        let verifier = self.live.verifier();
        let watch = Watch {
            store: self.store(),
            verifier: &verifier,
            base: Some(&base),
            repair: false,
            now: (self.clock)(),
        };
        if let Some(known) = Registry(self.store()).get(entry.server).await.map_err(of_registry)?
            && let Ok(report) = watch.look(&known, &api).await
        {
            Found::keep(self.store(), &report, (self.clock)()).await?;
        }
        Ok(outcome)
    }

    /// From now on the doors take passwords of the keys that there are.
    fn adopt(&self) -> Result<(), ConnectingError> {
        let verifier = Verifier::new(&self.name, self.ring()?.public, []);
        self.live.adopt(Arc::new(verifier.map_err(|error| ConnectingError::Keeper(error.to_string()))?));
        Ok(())
    }
}

/// That Postmark cannot come to an address that only this machine knows.
fn unreachable_from_outside(server: ServerId, doors: &str) -> Option<Finding> {
    let host = webhooks::host(doors);
    let is_here = ["127.0.0.1", "localhost", "[::1]"].contains(&host.as_str());
    is_here.then(|| Finding {
        server,
        stream: None,
        code: "doors_here",
        words: format!("{doors} is this machine's own address: Postmark cannot reach it from outside"),
        next: "start the ledger with `postledger run --doors URL`, where URL is the address that Postmark reaches"
            .to_owned(),
    })
}

fn of_registry(error: RegistryError) -> ConnectingError {
    ConnectingError::Connect(error.into())
}

#[async_trait]
impl Connecting for Here {
    async fn plan(&self, entry: &ServerEntry) -> Result<Planned, ConnectingError> {
        let (api, auth, doors) = (self.must_api(entry.server).await?, self.auth(entry)?, self.base(entry));
        let connect = Connect { store: self.store(), api: &api, doors: &self.signing.doors, auth: &auth };
        let mut plan = connect.look(&mut entry.clone(), &doors).await?;
        plan.warnings.extend(unreachable_from_outside(entry.server, &doors));
        Ok(Planned { doors, plan })
    }

    async fn connect(&self, entry: &ServerEntry) -> Result<Outcome, ConnectingError> {
        let name = format!("connect#{}", entry.server);
        let lease = Lease::take(self.store(), &name, (self.clock)(), LEASE_SECONDS).await?;
        let lease = lease.ok_or(ConnectingError::Busy(entry.server))?;
        let done = self.carry_out(entry).await;
        lease.release(self.store()).await?;
        done
    }

    async fn credential(&self, entry: &ServerEntry) -> Result<(Auth, String), ConnectingError> {
        Ok((self.auth(entry)?, self.base(entry)))
    }

    async fn rotate(&self, server: ServerId) -> Result<Progress, ConnectingError> {
        let mut servers = Vec::new();
        for entry in Registry(self.store()).list().await.map_err(of_registry)? {
            let api = self.api(entry.server).await?;
            servers.push((entry, api));
        }
        let mut ring = self.ring()?;
        let now = (self.clock)();
        let (store, doors) = (self.store(), &self.signing.doors);
        let mut rotate = Rotate { store, keys: &mut *ring.keys, doors, now };
        let rotated: Result<Progress, RotateError> = rotate.run(&servers, Some(server)).await;
        // Whatever became of it: passwords are made by the newest key that there is now.
        self.adopt()?;
        let progress = rotated?;
        if progress.stage == Stage::DoorsToLearn {
            return Ok(rotate.run(&servers, Some(server)).await?);
        }
        Ok(progress)
    }
}

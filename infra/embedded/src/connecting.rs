//! Webhooks that are set up for somebody on a page, in the process whose doors they lead to: it has the key already.
//!
//! Invariant: the key is read where it is needed and kept no longer; no page and no answer of the API reaches it.

use crate::LiveDoors;
use account::connect::{Connect, Outcome};
use account::connecting::{self, Asked, Connecting, ConnectingError, HasKey, Planned, SetUp, of_registry};
use account::rotate::{Keys, Progress, Rotate, RotateError, Stage};
use account::{Doors, Finding, Registry, ServerEntry, Vault, webhooks};
use async_trait::async_trait;
use credential::{PublicKey, Verifier};
use ledger::ServerId;
use platform::Clock;
use postmark_api::{Auth, Endpoint, ServerApi};
use std::sync::Arc;
use store::{AccountStore, Scan};

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
    /// Where Postmark reaches them, as the operator said: for every server.
    pub base: Option<String>,
    /// Where this machine reaches them: for a server that was not connected before, where the operator did not say.
    pub here: String,
}

impl Signing {
    /// Where webhooks lead of a server that was not connected before.
    pub fn first_base(&self) -> &str {
        self.base.as_deref().unwrap_or(&self.here)
    }

    /// Where a server's webhooks lead: what the operator says now counts more than where they led before.
    fn base(&self, entry: &ServerEntry) -> String {
        let known = self.base.as_deref().or(entry.doors.as_deref());
        known.unwrap_or(&self.here).trim_end_matches('/').to_owned()
    }
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

    /// What webhooks bear, and where they lead.
    fn bears(&self, entry: &ServerEntry) -> Result<(Auth, String), ConnectingError> {
        let auth = self.ring()?.keys.auth(entry.server, entry.generation).map_err(ConnectingError::Keeper)?;
        Ok((auth, self.base(entry)))
    }

    fn base(&self, entry: &ServerEntry) -> String {
        self.signing.base(entry)
    }

    async fn api(&self, server: ServerId) -> Result<ServerApi, ConnectingError> {
        connecting::api(&*self.vault, &self.postmark, server).await
    }

    async fn known_api(&self, server: ServerId) -> Result<Option<ServerApi>, ConnectingError> {
        match self.api(server).await {
            Err(ConnectingError::NoToken(_)) => Ok(None),
            api => api.map(Some),
        }
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

#[async_trait]
impl Connecting for Here {
    async fn plan(&self, entry: &ServerEntry) -> Result<Planned, ConnectingError> {
        let (api, (auth, doors)) = (self.api(entry.server).await?, self.bears(entry)?);
        let connect = Connect { store: self.store(), api: &api, doors: &self.signing.doors, auth: &auth };
        let mut plan = connect.look(&mut entry.clone(), &doors).await?;
        plan.warnings.extend(unreachable_from_outside(entry.server, &doors));
        Ok(Planned { doors, plan })
    }

    async fn connect(&self, asked: &Asked<'_>) -> Result<Option<Outcome>, ConnectingError> {
        let verifier = self.live.verifier();
        let set_up = SetUp {
            store: self.store(),
            vault: &*self.vault,
            postmark: &self.postmark,
            doors: &self.signing.doors,
            verifier: &verifier,
            clock: &self.clock,
        };
        let server = asked.entry.server;
        let work = async {
            let outcome = set_up.carry_out(asked.entry, |entry| self.bears(entry)).await?;
            set_up.look_again(server, &self.base(asked.entry)).await;
            Ok(Some(outcome))
        };
        connecting::alone(self.store(), &self.clock, server, 0, work).await
    }

    fn doors(&self, entry: &ServerEntry) -> String {
        self.base(entry)
    }

    fn key(&self) -> Option<&dyn HasKey> {
        Some(self)
    }
}

#[async_trait]
impl HasKey for Here {
    async fn credential(&self, entry: &ServerEntry) -> Result<(Auth, String), ConnectingError> {
        self.bears(entry)
    }

    async fn rotate(&self, server: ServerId) -> Result<Progress, ConnectingError> {
        let mut servers = Vec::new();
        for entry in Registry(self.store()).list().await.map_err(of_registry)? {
            // No other one is moved.
            let api = if entry.server == server { self.known_api(server).await? } else { None };
            servers.push((entry, api));
        }
        let mut ring = self.ring()?;
        let now = (self.clock)();
        let (store, doors) = (self.store(), &self.signing.doors);
        let mut rotate = Rotate { store, keys: &mut *ring.keys, doors, now };
        let rotated: Result<Progress, RotateError> = rotate.run(&servers, Some(server)).await;
        // Whatever became of it: passwords are made by the newest key that there is now.
        let adopted = self.adopt();
        if let Err(error) = &adopted {
            platform::logs::not_remembered("which keys the doors take passwords of", error);
        }
        let progress = rotated?;
        if progress.stage == Stage::DoorsToLearn && adopted.is_ok() {
            return Ok(rotate.run(&servers, Some(server)).await?);
        }
        Ok(progress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::Time;
    use postmark_api::{Https, Timeouts};

    #[test]
    fn what_the_operator_says_now_counts_more_than_where_webhooks_led_before() {
        let mut entry = ServerEntry::new(ServerId::new(7).unwrap(), "a", "a", Time::from_micros(0));
        let signing = |base: Option<&str>| Signing {
            ring: Arc::new(|| Err("no keys".to_owned())),
            doors: Doors::new(Arc::new(Https::new(Timeouts::default()).unwrap())),
            base: base.map(str::to_owned),
            here: "http://127.0.0.1:8630".to_owned(),
        };
        assert_eq!(signing(None).base(&entry), "http://127.0.0.1:8630");
        assert_eq!(signing(Some("https://new.example/")).base(&entry), "https://new.example");
        entry.doors = Some("https://old.example".to_owned());
        assert_eq!(signing(None).base(&entry), "https://old.example");
        assert_eq!(signing(Some("https://new.example")).base(&entry), "https://new.example");
    }
}

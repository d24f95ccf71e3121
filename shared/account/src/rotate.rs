//! Rotation of the key that webhooks' passwords are signed by: begun once, then run again and again. Each run does what
//! can be done now, and says what it waits for.
//!
//! Invariants:
//! - No webhook is moved to the new key before the doors take a password of it.
//! - The old key is retired only after every connected server was moved, and after nobody has used it for
//!   [`UNUSED_HOURS`]: so no event is refused for good, not even one that is tried again for the last time.
//! - The state is one document without secrets; killed at any moment, the next run goes on.

use crate::connect::{Connect, ConnectError};
use crate::doors::{Doors, DoorsError};
use crate::registry::ServerEntry;
use crate::webhooks::ALL_TYPES;
use ledger::{ServerId, Time};
use postmark_api::{Auth, ServerApi};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::webhook_activity::WebhookActivity;
use store::{AccountStore, Collection, DocumentStore, StoreError};

/// For how long the old key must be unused. Under the rules with the longest ladder Postmark tries an event again for
/// the last time 631 minutes after the first (1, 5, 10, 10, 10, 15, 30, 60, 120 and 360 apart: 10.5 hours), with the
/// password that the webhook had then or has now; the rest is for what waits on a queue.
pub const UNUSED_HOURS: i64 = 12;
/// Uses are noted once an hour: the last may have been so much later.
const NOTED_SECONDS: i64 = 3_600;
/// The name of the document.
const NAME: &str = "keys";

/// The operator's keys. Where they are kept is not decided here.
pub trait Keys: Send + Sync {
    /// Their ids, the newest first.
    fn ids(&self) -> Vec<String>;

    /// Makes a key, which signs from then on. Its id.
    fn add(&mut self) -> Result<String, String>;

    /// What a server's webhooks bear, signed by the newest key.
    fn auth(&self, server: ServerId, generation: u32) -> Result<Auth, String>;

    /// Forgets a key.
    fn retire(&mut self, key_id: &str) -> Result<(), String>;
}

/// A rotation: its document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// The id of the key that goes.
    pub old: String,
    /// The id of the key that comes.
    pub new: String,
    /// When it began.
    pub began_at: Time,
    /// When each server's webhooks were first seen to bear passwords of the new key.
    pub moved: BTreeMap<ServerId, Time>,
    /// When the old key was retired: then it is over.
    pub retired_at: Option<Time>,
}

/// How far a rotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// None is under way.
    Idle,
    /// The new key is made; the doors do not take it yet.
    DoorsToLearn,
    /// The doors take both; some servers' webhooks are still to be moved.
    Moving,
    /// All are moved; the old key must be unused for a while.
    Quiet,
    /// The old key is retired.
    Retired,
}

/// How a server stands in a rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// The server.
    pub server: ServerId,
    /// Since when its webhooks bear passwords of the new key.
    pub moved_at: Option<Time>,
    /// Why not, in a sentence.
    pub failed: Option<String>,
}

/// When keys were last used for a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Use {
    /// The server.
    pub server: ServerId,
    /// By key id: exact to the hour.
    pub keys: BTreeMap<String, Time>,
}

/// What a run found and did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// How far it is.
    pub stage: Stage,
    /// The rotation; `None` where there never was one.
    pub rotation: Option<Rotation>,
    /// The connected servers.
    pub servers: Vec<Moved>,
    /// Uses of keys, by server.
    pub uses: Vec<Use>,
    /// What it waits for, in a sentence.
    pub waits_for: Option<String>,
    /// Until when, where that is known.
    pub until: Option<Time>,
}

/// Why a run could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RotateError {
    /// The ledger.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys, in their keeper's words.
    #[error("{0}")]
    Keys(String),
    /// The keys here are not those of the rotation that is under way.
    #[error("a rotation from key {0} to key {1} is under way, and the keys here are others")]
    OtherKeys(String, String),
    /// The doors give no answer that can be understood.
    #[error(transparent)]
    Doors(DoorsError),
    /// Two runs at once.
    #[error("another run of the rotation is under way: try again")]
    Busy,
    /// The document is not what this version writes.
    #[error("the document of the rotation cannot be read: it is damaged, or a later version's")]
    Damaged,
}

/// One run.
pub struct Rotate<'a> {
    /// The ledger.
    pub store: &'a dyn AccountStore,
    /// The operator's keys.
    pub keys: &'a mut dyn Keys,
    /// The way to the doors.
    pub doors: &'a Doors,
    /// What time it is.
    pub now: Time,
}

impl Rotate<'_> {
    /// How far the rotation is; nothing is done.
    pub async fn progress(&self) -> Result<Progress, RotateError> {
        let rotation = self.read().await?.map(|(rotation, _)| rotation);
        let stage = match &rotation {
            Some(Rotation { retired_at: None, .. }) => Stage::Moving,
            Some(_) => Stage::Retired,
            None => Stage::Idle,
        };
        Ok(Progress {
            stage,
            rotation,
            servers: Vec::new(),
            uses: self.uses().await?,
            waits_for: None,
            until: None,
        })
    }

    /// Begins a rotation unless one is under way, and does all that can be done now. Of `servers`, those that are
    /// connected are moved, each with its API where its token is kept; `only` moves no other one.
    ///
    /// # Errors
    /// See [`RotateError`]; what was done until then stays done.
    pub async fn run(
        &mut self,
        servers: &[(ServerEntry, Option<ServerApi>)],
        only: Option<ServerId>,
    ) -> Result<Progress, RotateError> {
        let (mut rotation, mut version) = match self.read().await? {
            Some((rotation, version)) if rotation.retired_at.is_none() => (rotation, Some(version)),
            over => (self.begin()?, over.map(|(_, version)| version)),
        };
        let known = version;
        version = Some(self.write(&rotation, known).await?);
        let ids = self.keys.ids();
        if ids.first() != Some(&rotation.new) {
            return Err(RotateError::OtherKeys(rotation.old, rotation.new));
        }
        let connected: Vec<&(ServerEntry, Option<ServerApi>)> =
            servers.iter().filter(|(entry, _)| entry.doors.is_some()).collect();
        if let Some(waits_for) = self.doors_to_learn(&connected).await? {
            return Ok(Progress {
                stage: Stage::DoorsToLearn,
                servers: connected.iter().map(|(entry, _)| standing(&rotation, entry, None)).collect(),
                rotation: Some(rotation),
                uses: self.uses().await?,
                waits_for: Some(waits_for),
                until: None,
            });
        }
        let mut moved = Vec::new();
        for (entry, api) in connected {
            let wanted = only.is_none_or(|only| only == entry.server);
            let failed = match api {
                _ if !wanted => None,
                None => Some("no token of this server is kept: `postledger server add` takes one".to_owned()),
                Some(api) => self.bring_over(entry, api).await,
            };
            match &failed {
                Some(_) => drop(rotation.moved.remove(&entry.server)),
                None if wanted => drop(rotation.moved.entry(entry.server).or_insert(self.now)),
                None => {}
            }
            version = Some(self.write(&rotation, version).await?);
            moved.push(standing(&rotation, entry, failed));
        }
        let uses = self.uses().await?;
        let mut progress = Progress {
            stage: Stage::Moving,
            rotation: None,
            servers: moved,
            uses,
            waits_for: None,
            until: None,
        };
        if progress.servers.iter().any(|server| server.moved_at.is_none()) {
            progress.waits_for = Some("the webhooks of the servers that are not moved yet".to_owned());
        } else {
            let quiet = unused_from(&rotation, &progress.uses).plus_seconds(UNUSED_HOURS * 3_600);
            if self.now < quiet {
                progress.stage = Stage::Quiet;
                progress.waits_for =
                    Some(format!("the old key {} to be unused for {UNUSED_HOURS} hours", rotation.old));
                progress.until = Some(quiet);
            } else {
                if ids.contains(&rotation.old) {
                    self.keys.retire(&rotation.old).map_err(RotateError::Keys)?;
                }
                rotation.retired_at = Some(self.now);
                self.write(&rotation, version).await?;
                progress.stage = Stage::Retired;
            }
        }
        progress.rotation = Some(rotation);
        Ok(progress)
    }

    /// A new key beside the old. Where a run was killed after it had made one, that one is it.
    fn begin(&mut self) -> Result<Rotation, RotateError> {
        let ids = self.keys.ids();
        let (old, new) = match &ids[..] {
            [] => return Err(RotateError::Keys("there is no key to rotate".to_owned())),
            [old] => (old.clone(), self.keys.add().map_err(RotateError::Keys)?),
            [new, old, ..] => (old.clone(), new.clone()),
        };
        Ok(Rotation { old, new, began_at: self.now, moved: BTreeMap::new(), retired_at: None })
    }

    /// What keeps the doors from taking passwords of the new key, asked at each address once.
    async fn doors_to_learn(
        &self,
        connected: &[&(ServerEntry, Option<ServerApi>)],
    ) -> Result<Option<String>, RotateError> {
        let bases: BTreeMap<&str, &ServerEntry> =
            connected.iter().filter_map(|(entry, _)| Some((entry.doors.as_deref()?, entry))).collect();
        for (base, entry) in bases {
            let auth = self.keys.auth(entry.server, entry.generation).map_err(RotateError::Keys)?;
            let url = format!("{base}/v1/{}/{ALL_TYPES}", entry.server);
            match self.doors.take(&url, &auth).await {
                Ok(()) => {}
                Err(DoorsError::Refused(_, 503)) => {
                    return Ok(Some(format!("the doors at {base} to take passwords of the new key")));
                }
                Err(error) => return Err(RotateError::Doors(error)),
            }
        }
        Ok(None)
    }

    /// Moves a server's webhooks to the new key. Why not, if not.
    async fn bring_over(&self, entry: &ServerEntry, api: &ServerApi) -> Option<String> {
        let base = entry.doors.as_deref()?;
        let auth = match self.keys.auth(entry.server, entry.generation) {
            Ok(auth) => auth,
            Err(words) => return Some(words),
        };
        let connect = Connect { store: self.store, api, doors: self.doors, auth: &auth };
        let moved = async {
            let mut entry = entry.clone();
            let plan = connect.look(&mut entry, base).await?;
            if plan.is_empty() {
                return Ok::<_, ConnectError>(None);
            }
            let outcome = connect.carry_out(&entry, base, plan).await?;
            let failed = outcome.steps.iter().find_map(|step| step.failed.clone());
            let left = || "some webhooks are not as they should be yet".to_owned();
            Ok(failed.or_else(|| (!outcome.complete()).then(left)))
        };
        moved.await.unwrap_or_else(|error| Some(error.to_string()))
    }

    /// When keys were last used, by server: those that the registry does not know as well.
    async fn uses(&self) -> Result<Vec<Use>, RotateError> {
        let documents = self.store.documents(&Collection::Watch).await?;
        let mut uses = Vec::new();
        for (name, document) in documents {
            let Ok(server) = name.parse::<ServerId>() else {
                continue;
            };
            uses.push(Use { server, keys: WebhookActivity::read(&document.text)?.keys });
        }
        Ok(uses)
    }

    async fn read(&self) -> Result<Option<(Rotation, u64)>, RotateError> {
        rotation(self.store).await
    }

    /// Writes the rotation; the version that it has then.
    async fn write(&self, rotation: &Rotation, known: Option<u64>) -> Result<u64, RotateError> {
        let text = serde_json::to_string(rotation).map_err(|_| RotateError::Damaged)?;
        match self.store.put_document(&Collection::Rotation, NAME, &text, known).await? {
            true => Ok(known.unwrap_or_default() + 1),
            false => Err(RotateError::Busy),
        }
    }
}

/// The last rotation, over or not, and its document's version.
///
/// # Errors
/// [`RotateError::Damaged`], or the store's own.
pub async fn rotation(store: &dyn DocumentStore) -> Result<Option<(Rotation, u64)>, RotateError> {
    let Some(document) = store.document(&Collection::Rotation, NAME).await? else {
        return Ok(None);
    };
    let rotation = serde_json::from_str(&document.text).map_err(|_| RotateError::Damaged)?;
    Ok(Some((rotation, document.version)))
}

fn standing(rotation: &Rotation, entry: &ServerEntry, failed: Option<String>) -> Moved {
    Moved { server: entry.server, moved_at: rotation.moved.get(&entry.server).copied(), failed }
}

/// Since when the old key may be unused, by all that is known.
fn unused_from(rotation: &Rotation, uses: &[Use]) -> Time {
    let used = uses.iter().filter_map(|of| of.keys.get(&rotation.old));
    let used = used.map(|at| at.plus_seconds(NOTED_SECONDS));
    let moved = rotation.moved.values().copied();
    used.chain(moved).max().unwrap_or(rotation.began_at)
}

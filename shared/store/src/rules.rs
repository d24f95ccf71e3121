//! What consumers and folds are told beside events: revocations, expiry floors, erasures, and a server's settings.

use ledger::policy::{PolicySchedule, StreamKind};
use ledger::{Class, RecipientId, ServerId, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What every consumer must know before it records anything. Read once for each batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// From when a generation of a server's credential is revoked.
    #[serde(default)]
    pub revoked: BTreeMap<String, Time>,
    /// The expiry floor by class: an older event is not recorded, since its twin may have expired.
    #[serde(default)]
    pub floors: BTreeMap<Class, Time>,
    /// How often anybody has been erased: whoever holds the set of the erased reads it again where this differs.
    #[serde(default)]
    pub erasures: u64,
}

impl Rules {
    /// From when a generation of a server's credential is revoked, if it is.
    pub fn revoked_at(&self, server: ServerId, generation: u32) -> Option<Time> {
        self.revoked.get(&format!("{server}.{generation}")).copied()
    }

    /// Which generations of which servers' credentials are revoked, and from when, in their order.
    pub fn revocations(&self) -> Vec<(ServerId, u32, Time)> {
        let read = |(name, from): (&String, &Time)| {
            let (server, generation) = name.split_once('.')?;
            Some((server.parse().ok()?, generation.parse().ok()?, *from))
        };
        let mut revoked: Vec<(ServerId, u32, Time)> = self.revoked.iter().filter_map(read).collect();
        revoked.sort_unstable();
        revoked
    }

    /// The first generation from one on that is not revoked.
    pub fn usable_generation(&self, server: ServerId, from: u32) -> u32 {
        (from..=u32::MAX)
            .find(|generation| self.revoked_at(server, *generation).is_none())
            .unwrap_or(u32::MAX)
    }
}

/// What is configured for a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerSettings {
    /// What its streams are for, where that is not as presumed.
    #[serde(default)]
    pub kinds: BTreeMap<String, StreamKind>,
    /// Its soft-bounce policies for transactional streams.
    #[serde(default)]
    pub transactional: PolicySchedule,
    /// Its soft-bounce policies for broadcast streams.
    #[serde(default)]
    pub broadcast: PolicySchedule,
}

impl ServerSettings {
    /// What a stream is for.
    pub fn kind(&self, stream: &str) -> StreamKind {
        self.kinds.get(stream).copied().unwrap_or_else(|| StreamKind::presumed(stream))
    }

    /// The policies for a kind of stream.
    pub fn policies(&self, kind: StreamKind) -> &PolicySchedule {
        match kind {
            StreamKind::Transactional => &self.transactional,
            StreamKind::Broadcast => &self.broadcast,
        }
    }

    /// The same, to be changed.
    pub fn policies_mut(&mut self, kind: StreamKind) -> &mut PolicySchedule {
        match kind {
            StreamKind::Transactional => &mut self.transactional,
            StreamKind::Broadcast => &mut self.broadcast,
        }
    }
}

/// Somebody who is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erased {
    /// At which server.
    pub server: ServerId,
    /// Who.
    pub recipient: RecipientId,
    /// Since when.
    pub at: Time,
    /// When nothing more was to be swept.
    pub swept: Option<Time>,
}

/// Somebody who was erased, and the count that this made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErasedAs {
    /// What [`Rules::erasures`] was raised to.
    pub count: u64,
    /// At which server.
    pub server: ServerId,
    /// Who.
    pub recipient: RecipientId,
}

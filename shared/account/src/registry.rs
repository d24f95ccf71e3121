//! The registry: which servers there are, whose they are, and how they are connected. One document a server.

use ledger::policy::StreamKind;
use ledger::{ServerId, Time};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use store::{AccountStore, Collection, Edit, StoreError, edit};

/// How often a change of an entry is tried again where somebody else was faster.
const TRIES_MAX: usize = 8;

/// How a server's webhooks are laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectForm {
    /// One webhook for each event type: six of the ten that a stream may have.
    #[default]
    PerType,
    /// One webhook for all event types.
    OneUrl,
}

/// A stream, as Postmark tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamEntry {
    /// What it is for.
    pub kind: StreamKind,
    /// Triggers that Postmark refused on it (its code 1353), by Postmark's names: they are not asked for again.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub refused: BTreeSet<String>,
}

impl From<StreamKind> for StreamEntry {
    fn from(kind: StreamKind) -> StreamEntry {
        StreamEntry { kind, refused: BTreeSet::new() }
    }
}

/// A server. Its soft-bounce policies are in [`store::ServerSettings`], its token in a [`Vault`](crate::Vault).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerEntry {
    /// Postmark's id of it.
    pub server: ServerId,
    /// Whose mail it sends.
    pub client: String,
    /// What people call it.
    pub label: String,
    /// Its streams, by id; inbound and archived ones are left out.
    pub streams: BTreeMap<String, StreamEntry>,
    /// Whether the client tracks opens and clicks by other means, so that they are not asked for here: they would be
    /// told twice.
    #[serde(default)]
    pub native_tracking: bool,
    /// Which of its passwords is in use; from 1.
    pub generation: u32,
    /// How its webhooks are laid out.
    #[serde(default)]
    pub connect: ConnectForm,
    /// Where its webhooks lead: the base URL of the doors. `None` until it is connected.
    #[serde(default)]
    pub doors: Option<String>,
    /// When it was added.
    pub added_at: Time,
}

impl ServerEntry {
    /// A server that is not connected yet, with the first generation of its password.
    pub fn new(server: ServerId, client: &str, label: &str, added_at: Time) -> ServerEntry {
        ServerEntry {
            server,
            client: client.to_owned(),
            label: label.to_owned(),
            streams: BTreeMap::new(),
            native_tracking: false,
            generation: 1,
            connect: ConnectForm::PerType,
            doors: None,
            added_at,
        }
    }

    /// Takes over the streams that Postmark tells of; what was learned of those that stay is kept. Whether anything
    /// changed.
    pub fn take_streams(&mut self, told: &BTreeMap<String, StreamKind>) -> bool {
        let kept = |(id, kind): (&String, &StreamKind)| {
            let known = self.streams.get(id).filter(|known| known.kind == *kind).cloned();
            (id.clone(), known.unwrap_or_else(|| StreamEntry::from(*kind)))
        };
        let streams: BTreeMap<String, StreamEntry> = told.iter().map(kept).collect();
        let changed = streams != self.streams;
        self.streams = streams;
        changed
    }
}

/// Why the registry does not do what it is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The ledger's own.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An entry is not what this version writes.
    #[error("the registry's entry of server {0} cannot be read: it is damaged, or a later version's")]
    Damaged(String),
    /// There is no such server.
    #[error("server {0} is not in the registry")]
    Unknown(ServerId),
    /// Others change the same entry all the time.
    #[error("the registry's entry of server {0} is being changed by others: try again")]
    Busy(ServerId),
}

/// The registry of a ledger.
pub struct Registry<'a>(pub &'a dyn AccountStore);

fn read(name: &str, text: &str) -> Result<ServerEntry, RegistryError> {
    let read = serde_json::from_str(text).ok().filter(|entry: &ServerEntry| entry.server.to_string() == name);
    read.ok_or_else(|| RegistryError::Damaged(name.to_owned()))
}

impl Registry<'_> {
    /// All servers, by id as text.
    pub async fn list(&self) -> Result<Vec<ServerEntry>, RegistryError> {
        let documents = self.0.documents(&Collection::Servers).await?;
        documents.iter().map(|(name, document)| read(name, &document.text)).collect()
    }

    /// One server.
    pub async fn get(&self, server: ServerId) -> Result<Option<ServerEntry>, RegistryError> {
        let name = server.to_string();
        let document = self.0.document(&Collection::Servers, &name).await?;
        document.map(|document| read(&name, &document.text)).transpose()
    }

    /// Writes an entry, whatever was there, and tells the settings of the server what its streams are for.
    pub async fn put(&self, entry: &ServerEntry) -> Result<(), RegistryError> {
        self.change(entry.server, |_| Some(entry.clone())).await.map(drop)
    }

    /// Changes an entry that is there. The entry after that.
    pub async fn update(
        &self,
        server: ServerId,
        change: impl Fn(&mut ServerEntry) + Send + Sync,
    ) -> Result<ServerEntry, RegistryError> {
        let changed = self.change(server, |known| {
            known.map(|mut entry| {
                change(&mut entry);
                entry
            })
        });
        changed.await?.ok_or(RegistryError::Unknown(server))
    }

    /// Writes of an entry what connecting its webhooks settles: streams, form, whether without opens and clicks, and where they
    /// lead. The rest of an entry that is there stays as others left it meanwhile.
    pub async fn put_connection(&self, entry: &ServerEntry) -> Result<(), RegistryError> {
        let connected = |known: &mut ServerEntry| {
            let ServerEntry { streams, connect, native_tracking, doors, .. } = entry.clone();
            *known = ServerEntry { streams, connect, native_tracking, doors, ..known.clone() };
        };
        self.update(entry.server, connected).await.map(drop)
    }

    /// Takes a server out of the registry; what is recorded of it stays. Whether it was there.
    pub async fn remove(&self, server: ServerId) -> Result<bool, RegistryError> {
        let name = server.to_string();
        for _ in 0..TRIES_MAX {
            let Some(document) = self.0.document(&Collection::Servers, &name).await? else {
                return Ok(false);
            };
            if self.0.delete_document(&Collection::Servers, &name, document.version).await? {
                return Ok(true);
            }
        }
        Err(RegistryError::Busy(server))
    }

    async fn change(
        &self,
        server: ServerId,
        change: impl Fn(Option<ServerEntry>) -> Option<ServerEntry> + Send + Sync,
    ) -> Result<Option<ServerEntry>, RegistryError> {
        let name = server.to_string();
        let changed = edit(self.0, &Collection::Servers, &name, |text| {
            let before = text.map(|text| read(&name, text)).transpose()?;
            let Some(after) = change(before.clone()) else {
                return Ok(Edit::Keep(None));
            };
            if before.as_ref() == Some(&after) {
                return Ok(Edit::Keep(Some(after)));
            }
            let text = serde_json::to_string(&after).map_err(|_| RegistryError::Damaged(name.clone()))?;
            Ok(Edit::Write(text, Some(after)))
        });
        let changed = changed.await.map_err(|error| match error {
            RegistryError::Store(error) if error == StoreError::contended() => RegistryError::Busy(server),
            other => other,
        })?;
        if let Some(entry) = &changed {
            self.tell_kinds(entry).await?;
        }
        Ok(changed)
    }

    /// The fold's settings of a server know the kinds of its streams as the registry does.
    async fn tell_kinds(&self, entry: &ServerEntry) -> Result<(), RegistryError> {
        let mut settings = self.0.settings(entry.server).await?;
        let before = settings.kinds.clone();
        settings.kinds.extend(entry.streams.iter().map(|(id, stream)| (id.clone(), stream.kind)));
        if settings.kinds != before {
            self.0.put_settings(entry.server, settings).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::Memory;
    use store::prelude::*;

    fn entry(server: i64) -> ServerEntry {
        let mut entry =
            ServerEntry::new(ServerId::new(server).unwrap(), "acme", "Acme", Time::from_micros(5));
        entry.streams.insert("news".to_owned(), StreamKind::Broadcast.into());
        entry
    }

    #[tokio::test]
    async fn what_a_stream_is_for_is_told_to_the_fold_and_the_rest_of_its_settings_stays() {
        let store = Memory::default();
        let server = ServerId::new(7).unwrap();
        let mut settings = store::ServerSettings::default();
        settings.kinds.insert("gone".to_owned(), StreamKind::Broadcast);
        store.put_settings(server, settings).await.unwrap();
        Registry(&store).put(&entry(7)).await.unwrap();
        let settings = store.settings(server).await.unwrap();
        assert_eq!(settings.kind("news"), StreamKind::Broadcast);
        assert_eq!(settings.kind("gone"), StreamKind::Broadcast, "its events are still there");
        assert_eq!(Registry(&store).list().await.unwrap(), [entry(7)]);
    }

    #[tokio::test]
    async fn a_change_builds_on_what_others_wrote_and_needs_an_entry() {
        let store = Memory::default();
        let registry = Registry(&store);
        let server = ServerId::new(7).unwrap();
        let unknown = registry.update(server, |entry| entry.native_tracking = true).await;
        assert_eq!(unknown, Err(RegistryError::Unknown(server)));
        registry.put(&entry(7)).await.unwrap();
        registry.update(server, |entry| entry.native_tracking = true).await.unwrap();
        let changed = registry.update(server, |entry| entry.label = "other".to_owned()).await.unwrap();
        assert!(changed.native_tracking && changed.label == "other");
    }

    #[test]
    fn streams_that_postmark_tells_of_replace_those_that_were_known_but_for_what_was_learned() {
        let mut entry = entry(7);
        entry.streams.get_mut("news").unwrap().refused.insert("Bounce".to_owned());
        let told = |kind| BTreeMap::from([("news".to_owned(), kind), ("out".to_owned(), kind)]);
        assert!(entry.take_streams(&told(StreamKind::Broadcast)));
        assert_eq!(entry.streams["news"].refused.len(), 1);
        assert!(!entry.take_streams(&told(StreamKind::Broadcast)));
        assert!(entry.take_streams(&told(StreamKind::Transactional)));
        assert!(entry.streams["news"].refused.is_empty(), "another kind refuses other triggers");
    }
}

//! What was last activity of a server's webhooks: which key their passwords were signed by, how near to its last try an
//! event was, and some MessageIDs. One document a server in the collection [`Watch`](crate::Collection::Watch), written by the
//! consumer at most a few times an hour; exact to the hour, which is what those who read it need.

use crate::{Collection, DocumentStore, Edit, StoreError, edit};
use ledger::{ServerId, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many MessageIDs are remembered.
pub const SAMPLE_MAX: usize = 8;
/// How many hours of events near their last try are remembered.
const HOURS_MAX: usize = 24;
/// So many retries left, or fewer, is near the last try: under every published rule an event has three at first.
pub const RETRIES_LOW: u32 = 1;

/// A message that something was told of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SampleMessage {
    /// When it came in.
    pub at: Time,
    /// The stream.
    pub stream: String,
    /// Postmark's MessageID.
    pub message_id: String,
}

/// What was activity of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookActivity {
    /// By key id: when a password that it signed was last seen; it may have been seen until an hour later.
    #[serde(default)]
    pub keys: BTreeMap<String, Time>,
    /// By hour: the fewest retries that an event had left which came in then, where that was [`RETRIES_LOW`] or less.
    #[serde(default)]
    pub low: BTreeMap<String, u32>,
    /// Messages that something was told of, the latest last.
    #[serde(default)]
    pub told: Vec<SampleMessage>,
}

impl WebhookActivity {
    /// Takes in what is new. Whether that is worth a write: a key in another hour, or fewer retries left.
    pub fn take(&mut self, new: &WebhookActivity) -> bool {
        let mut worth = false;
        for (key, at) in &new.keys {
            let known = self.keys.entry(key.clone()).or_insert(Time::from_micros(0));
            worth |= known.hour() < at.hour();
            *known = (*known).max(*at);
        }
        for (hour, left) in &new.low {
            let known = self.low.entry(hour.clone()).or_insert(u32::MAX);
            worth |= left < known;
            *known = (*known).min(*left);
        }
        while self.low.len() > HOURS_MAX {
            self.low.pop_first();
        }
        self.told.extend(new.told.iter().cloned());
        self.told.sort();
        self.told.dedup_by(|one, other| one.message_id == other.message_id);
        self.told.drain(..self.told.len().saturating_sub(SAMPLE_MAX));
        worth
    }

    /// What is remembered of a server.
    pub async fn of(store: &dyn DocumentStore, server: ServerId) -> Result<WebhookActivity, StoreError> {
        let document = store.document(&Collection::Watch, &server.to_string()).await?;
        document.map_or(Ok(WebhookActivity::default()), |document| WebhookActivity::read(&document.text))
    }

    /// From its document's text.
    pub fn read(text: &str) -> Result<WebhookActivity, StoreError> {
        serde_json::from_str(text).map_err(|_| StoreError::Damaged("registry"))
    }

    /// Remembers what is new of a server, unless it is known well enough. What is known then.
    ///
    /// # Errors
    /// The store's own; [`StoreError::contended`] where others are always faster.
    pub async fn note(
        store: &dyn DocumentStore,
        server: ServerId,
        new: &WebhookActivity,
    ) -> Result<WebhookActivity, StoreError> {
        edit(store, &Collection::Watch, &server.to_string(), |text| {
            let mut activity = text.map(WebhookActivity::read).transpose()?.unwrap_or_default();
            if !activity.take(new) {
                return Ok(Edit::Keep(activity));
            }
            let text = serde_json::to_string(&activity).map_err(|_| StoreError::Damaged("registry"))?;
            Ok(Edit::Write(text, activity))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn key(key: &str, seen: &str) -> WebhookActivity {
        WebhookActivity { keys: [(key.to_owned(), at(seen))].into(), ..WebhookActivity::default() }
    }

    #[test]
    fn a_key_is_noted_once_an_hour_and_fewer_retries_at_once() {
        let mut activity = WebhookActivity::default();
        assert!(activity.take(&key("a", "2026-11-25T09:05:00Z")));
        assert!(!activity.take(&key("a", "2026-11-25T09:55:00Z")));
        assert!(activity.take(&key("b", "2026-11-25T09:55:00Z")));
        assert!(activity.take(&key("a", "2026-11-25T10:00:00Z")));
        assert!(!activity.take(&key("a", "2026-11-25T09:10:00Z")), "what comes late changes nothing");
        assert_eq!(activity.keys["a"], at("2026-11-25T10:00:00Z"));
        let low = |left| WebhookActivity {
            low: [("2026-11-25T10".to_owned(), left)].into(),
            ..WebhookActivity::default()
        };
        assert!(activity.take(&low(1)) && !activity.take(&low(1)) && activity.take(&low(0)));
    }

    #[test]
    fn what_is_remembered_stays_small() {
        let mut activity = WebhookActivity::default();
        for n in 0..100 {
            let at = at("2026-11-25T09:05:00Z").plus_seconds(n * 3_600);
            let told = SampleMessage { at, stream: "outbound".to_owned(), message_id: format!("m{n}") };
            activity.take(&WebhookActivity {
                low: [(at.hour(), 0)].into(),
                told: vec![told],
                ..WebhookActivity::default()
            });
        }
        assert_eq!((activity.low.len(), activity.told.len()), (HOURS_MAX, SAMPLE_MAX));
        assert_eq!(activity.told.last().unwrap().message_id, "m99");
    }

    #[tokio::test]
    async fn what_several_note_at_once_is_all_remembered() {
        let store = crate::Memory::default();
        let server = ServerId::new(7).unwrap();
        for name in ["a", "b"] {
            WebhookActivity::note(&store, server, &key(name, "2026-11-25T09:05:00Z")).await.unwrap();
        }
        let activity = WebhookActivity::of(&store, server).await.unwrap();
        assert_eq!(activity.keys.len(), 2);
        let version = async || store.document(&Collection::Watch, "7").await.unwrap().unwrap().version;
        let before = version().await;
        WebhookActivity::note(&store, server, &key("a", "2026-11-25T09:45:00Z")).await.unwrap();
        assert_eq!(version().await, before, "known well enough");
    }
}

//! Leases: that two runs of the same work never overlap. A run that is killed holds its lease until it expires.

use ledger::Time;
use serde::{Deserialize, Serialize};
use store::{Collection, DocumentStore, StoreError};

#[derive(Serialize, Deserialize)]
struct LeaseDocument {
    until: Time,
}

/// A lease that is held. It is never deleted, only written over: see [`store::Store::put_document`].
#[derive(Debug)]
pub struct Lease {
    name: String,
    version: u64,
}

impl Lease {
    /// Takes the lease of a name for some seconds; `None` while somebody else holds it.
    pub async fn take(
        store: &dyn DocumentStore,
        name: &str,
        now: Time,
        seconds: i64,
    ) -> Result<Option<Lease>, StoreError> {
        let known = store.document(&Collection::Lease, name).await?;
        let held = known.as_ref().and_then(|known| serde_json::from_str::<LeaseDocument>(&known.text).ok());
        if held.is_some_and(|held| held.until > now) {
            return Ok(None);
        }
        let expected = known.map(|known| known.version);
        let taken =
            store.put_document(&Collection::Lease, name, &until(now.plus_seconds(seconds)), expected).await?;
        let version = expected.unwrap_or_default() + 1;
        Ok(taken.then(|| Lease { name: name.to_owned(), version }))
    }

    /// Holds it for some seconds from now on; `false`: it had expired, and somebody else has it.
    pub async fn renew(
        &mut self,
        store: &dyn DocumentStore,
        now: Time,
        seconds: i64,
    ) -> Result<bool, StoreError> {
        let held = until(now.plus_seconds(seconds));
        let renewed = store.put_document(&Collection::Lease, &self.name, &held, Some(self.version)).await?;
        self.version += u64::from(renewed);
        Ok(renewed)
    }

    /// Gives it back. Whoever took it after it had expired keeps it.
    ///
    /// # Errors
    /// The ledger's own; it expires by itself.
    pub async fn release(self, store: &dyn DocumentStore) -> Result<(), StoreError> {
        let over = until(Time::from_micros(0));
        store.put_document(&Collection::Lease, &self.name, &over, Some(self.version)).await.map(drop)
    }
}

fn until(until: Time) -> String {
    serde_json::json!({ "until": until }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lease_has_one_holder_until_it_is_given_back_or_expires() {
        let store = store::Memory::default();
        let now: Time = "2026-11-25T09:00:00Z".parse().unwrap();
        let first = Lease::take(&store, "watch", now, 60).await.unwrap().unwrap();
        assert!(Lease::take(&store, "watch", now.plus_seconds(59), 60).await.unwrap().is_none());
        assert!(Lease::take(&store, "reconcile", now, 60).await.unwrap().is_some());
        let mut other = Lease::take(&store, "rotate", now, 60).await.unwrap().unwrap();
        assert!(other.renew(&store, now.plus_seconds(50), 60).await.unwrap());
        let later = now.plus_seconds(61);
        assert!(Lease::take(&store, "rotate", later, 60).await.unwrap().is_none(), "it was renewed");
        let second = Lease::take(&store, "watch", later, 60).await.unwrap().unwrap();
        let mut first = first;
        assert!(!first.renew(&store, later, 60).await.unwrap(), "it is the second's");
        first.release(&store).await.unwrap();
        assert!(Lease::take(&store, "watch", later, 60).await.unwrap().is_none(), "it is the second's");
        second.release(&store).await.unwrap();
        assert!(Lease::take(&store, "watch", later, 60).await.unwrap().is_some());
    }
}

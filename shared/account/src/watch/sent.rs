//! How much mail was sent since the last run: Postmark tells sums by day, a metric wants what is new.

use super::{Report, WatchError};
use crate::registry::RegistryError;
use ledger::{ServerId, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::{Collection, DocumentStore};

/// The name of the document.
const NAME: &str = "sent";

/// What was sent, by server and day (US Eastern), as it was last told. What it was before is the next run's matter.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Sent {
    /// When a run last ended.
    #[serde(default)]
    finished_at: Option<Time>,
    servers: BTreeMap<ServerId, BTreeMap<String, u64>>,
}

impl Sent {
    /// Remembers what reports tell, and says how much of it is new. Of a server that is told of for the first time
    /// nothing is.
    pub async fn new_since(
        store: &dyn DocumentStore,
        reports: &[Report],
        now: Time,
    ) -> Result<u64, WatchError> {
        let document = store.document(&Collection::Watch, NAME).await?;
        let known = document.as_ref().map(|known| serde_json::from_str::<Sent>(&known.text));
        let mut sent = known.and_then(Result::ok).unwrap_or_default();
        sent.finished_at = Some(now);
        let mut new = 0;
        for report in reports.iter().filter(|report| !report.sent.is_empty()) {
            if let Some(known) = sent.servers.insert(report.server, report.sent.clone()) {
                let before = |day: &String| known.get(day).copied().unwrap_or_default();
                new += report.sent.iter().map(|(day, sum)| sum.saturating_sub(before(day))).sum::<u64>();
            }
        }
        let text = serde_json::to_string(&sent).map_err(|_| RegistryError::Damaged(NAME.to_owned()))?;
        let expected = document.map(|document| document.version);
        // Whoever was faster has counted it.
        Ok(if store.put_document(&Collection::Watch, NAME, &text, expected).await? { new } else { 0 })
    }

    /// When a run over all servers last ended.
    pub async fn finished_at(store: &dyn DocumentStore) -> Result<Option<Time>, WatchError> {
        let document = store.document(&Collection::Watch, NAME).await?;
        Ok(document.and_then(|known| serde_json::from_str::<Sent>(&known.text).ok()?.finished_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_new_is_counted_once_over_a_days_end_too() {
        let store = store::Memory::default();
        let report = |days: &[(&str, u64)]| {
            let mut report = Report::new(ServerId::new(7).unwrap());
            report.sent = days.iter().map(|(day, sum)| ((*day).to_owned(), *sum)).collect();
            report
        };
        let at: Time = "2026-11-25T09:00:00Z".parse().unwrap();
        let mut new = Vec::new();
        for days in [
            &[("2026-11-24", 90), ("2026-11-25", 10)][..],
            &[("2026-11-24", 92), ("2026-11-25", 30)],
            &[],
            &[("2026-11-25", 31), ("2026-11-26", 4)],
        ] {
            new.push(Sent::new_since(&store, &[report(days)], at).await.unwrap());
        }
        assert_eq!(new, [0, 22, 0, 5]);
        assert_eq!(Sent::finished_at(&store).await.unwrap(), Some(at));
    }
}

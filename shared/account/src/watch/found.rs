//! What was last found at a server, remembered: so whoever manages it is told without Postmark being asked again, and by
//! what has no token. One document a server in the collection [`Watch`](store::Collection::Watch).
//!
//! Invariants: no password is in it, and of a webhook that is not ours no more than its host. What Postmark says is cut
//! short, so that it always fits.

use super::{Report, code};
use crate::finding::Finding;
use crate::registry::ServerEntry;
use crate::webhooks::{self, Fate, PlanRow, WebhookRow};
use ledger::{ServerId, Time};
use postmark_api::{Trigger, WebhookStatistics};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::{Collection, DOCUMENT_BYTES_MAX, DocumentStore, Edit, StoreError, edit};

/// How many webhooks, rows of a plan and findings are remembered of each, and how many characters of a text.
const ROWS_MAX: usize = 200;
const CHARS_MAX: usize = 400;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// When.
    pub at: Time,
    /// Where the webhooks lead: the base URL of the doors.
    pub doors: Option<String>,
    /// The webhooks that there are, as far as Postmark ever said.
    pub webhooks: Vec<FoundWebhook>,
    /// What would make them what they should be.
    pub plan: Vec<PlanRow>,
    /// What is wrong.
    pub findings: Vec<FoundFinding>,
    /// The hour of the last event, by what tells it.
    pub heard: BTreeMap<String, Time>,
}

/// A webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundWebhook {
    /// Postmark's id of it.
    pub id: i64,
    /// The stream.
    pub stream: String,
    /// Where it leads; of one that is not ours its host.
    pub url: String,
    /// Whether it is ours.
    pub ours: bool,
    /// What it tells, by Postmark's names, and how that stands.
    pub triggers: BTreeMap<String, TriggerState>,
    /// Postmark's figures of the last day, where it was asked for them.
    pub requests: Option<Requests>,
}

/// How a trigger stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerState {
    /// Postmark has verified it.
    Verified,
    /// It is not verified, or no longer: Postmark has paused it, and nothing is told by it.
    Unverified,
    /// Postmark does not say.
    Unknown,
}

impl TriggerState {
    fn of(status: Option<&String>) -> TriggerState {
        match status {
            None => TriggerState::Unknown,
            Some(status) if status.eq_ignore_ascii_case("verified") => TriggerState::Verified,
            Some(_) => TriggerState::Unverified,
        }
    }
}

/// How a webhook's requests went in a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// All.
    pub total: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that were tried again.
    pub retried: u64,
}

/// Something that is wrong, and the next step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundFinding {
    /// The stream, where it is about one.
    pub stream: Option<String>,
    /// What it is, for machines.
    pub code: String,
    /// What it is, in a sentence.
    pub words: String,
    /// What to do.
    pub next: String,
}

impl From<&Finding> for FoundFinding {
    fn from(finding: &Finding) -> FoundFinding {
        FoundFinding {
            stream: finding.stream.as_deref().map(cut),
            code: finding.code.to_owned(),
            words: cut(&finding.words),
            next: cut(&finding.next),
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(CHARS_MAX).collect()
}

impl FoundWebhook {
    /// A webhook of ours, with Postmark's figures where it gave some.
    pub(super) fn ours(row: &WebhookRow, told: Option<&WebhookStatistics>) -> FoundWebhook {
        let statuses = told.map(|told| webhooks::by_trigger(&told.statuses)).unwrap_or_default();
        let state =
            |trigger: &Trigger| TriggerState::of(statuses.get(trigger).copied().or(row.status.as_ref()));
        let requests =
            told.map(|told| Requests { total: told.total, failed: told.failure, retried: told.retry });
        let states = row.triggers.iter().map(|trigger| (trigger.name().to_owned(), state(trigger)));
        FoundWebhook {
            id: row.id,
            stream: cut(&row.stream),
            url: cut(&row.url),
            ours: true,
            triggers: states.collect(),
            requests,
        }
    }

    /// A webhook of somebody else.
    pub(super) fn foreign(row: &WebhookRow) -> FoundWebhook {
        FoundWebhook { url: cut(&webhooks::host(&row.url)), ours: false, ..FoundWebhook::ours(row, None) }
    }
}

/// The rows of a plan as they may be told to whoever manages the server.
pub fn told(rows: Vec<PlanRow>) -> Vec<PlanRow> {
    let row = |row: PlanRow| {
        let url = if row.what == Fate::LeaveAlone { webhooks::host(&row.url) } else { row.url };
        PlanRow { stream: cut(&row.stream), url: cut(&url), ..row }
    };
    rows.into_iter().take(ROWS_MAX).map(row).collect()
}

impl Found {
    /// Remembers what a report found. Where Postmark gave no answer, what it said before is kept.
    ///
    /// # Errors
    /// The store's own.
    pub async fn keep(store: &dyn DocumentStore, report: &Report, now: Time) -> Result<(), StoreError> {
        let name = name(report.server);
        edit(store, &Collection::Watch, &name, |text| {
            let known: Option<Found> = text.and_then(|text| serde_json::from_str(text).ok());
            let mut found = Found {
                at: now,
                doors: None,
                webhooks: Vec::new(),
                plan: Vec::new(),
                findings: report.findings.iter().take(ROWS_MAX).map(FoundFinding::from).collect(),
                heard: report.heard.clone(),
            };
            if let Some(known) = known {
                for (trigger, at) in known.heard {
                    let last = found.heard.entry(trigger).or_insert(at);
                    *last = (*last).max(at);
                }
                (found.doors, found.webhooks, found.plan) = (known.doors, known.webhooks, known.plan);
            }
            if let Some((doors, webhooks, plan)) = report.seen.clone() {
                found.doors = doors;
                found.webhooks = webhooks.into_iter().take(ROWS_MAX).collect();
                found.plan = plan;
            }
            Ok(Edit::Write(found.text()?, ()))
        })
        .await
    }

    /// Remembers that Postmark has just said that the token which is kept is the server's: of a server that nobody has looked
    /// at with that, that it is not connected.
    ///
    /// # Errors
    /// The store's own.
    pub async fn keep_token(
        store: &dyn DocumentStore,
        entry: &ServerEntry,
        now: Time,
    ) -> Result<(), StoreError> {
        edit(store, &Collection::Watch, &name(entry.server), |text| {
            let known: Option<Found> = text.and_then(|text| serde_json::from_str(text).ok());
            let mut found = known.unwrap_or_else(|| {
                let mut report = Report::new(entry.server);
                if entry.doors.is_none() {
                    super::not_connected(entry, &mut report);
                }
                let (doors, findings) = (entry.doors.clone(), &report.findings);
                let findings = findings.iter().map(FoundFinding::from).collect();
                Found {
                    at: now,
                    doors,
                    webhooks: Vec::new(),
                    plan: Vec::new(),
                    findings,
                    heard: BTreeMap::new(),
                }
            });
            found.findings.retain(|finding| !code::OF_TOKENS.contains(&finding.code.as_str()));
            Ok(Edit::Write(found.text()?, ()))
        })
        .await
    }

    /// Its document, with as much of it as a document may have.
    fn text(&mut self) -> Result<String, StoreError> {
        loop {
            let text = serde_json::to_string(self).map_err(|_| StoreError::Damaged("registry"))?;
            if text.len() <= DOCUMENT_BYTES_MAX {
                return Ok(text);
            }
            let fewer = |rows: usize| rows * 3 / 4;
            self.webhooks.truncate(fewer(self.webhooks.len()));
            self.plan.truncate(fewer(self.plan.len()));
            self.findings.truncate(fewer(self.findings.len()));
            if self.webhooks.is_empty() && self.plan.is_empty() && self.findings.is_empty() {
                return Err(StoreError::Damaged("registry"));
            }
        }
    }

    /// What was last found at a server; nothing where nobody has looked, or what is kept is a later version's.
    pub async fn of(store: &dyn DocumentStore, server: ServerId) -> Result<Option<Found>, StoreError> {
        let document = store.document(&Collection::Watch, &name(server)).await?;
        Ok(document.and_then(|document| serde_json::from_str(&document.text).ok()))
    }
}

/// The name of the document: no server's number, under which stands what its webhooks last did.
fn name(server: ServerId) -> String {
    format!("found#{server}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(url: &str) -> WebhookRow {
        WebhookRow {
            id: 1,
            stream: "s".repeat(5_000),
            url: url.to_owned(),
            triggers: [Trigger::Bounce, Trigger::Open].into(),
            status: Some("verified".to_owned()),
        }
    }

    fn report(seen: bool) -> Report {
        let mut report = Report::new(ServerId::new(7).unwrap());
        report.find(None, "silent", "w".repeat(90_000), "next");
        if seen {
            let told = WebhookStatistics {
                statuses: [("bounce".to_owned(), "unverified".to_owned())].into(),
                ..WebhookStatistics::default()
            };
            let many =
                std::iter::repeat_n(FoundWebhook::foreign(&row("https://u:pw@crm.example/T0/B1")), 5_000);
            let ours = FoundWebhook::ours(&row("https://h/v1/7/bounce"), Some(&told));
            let webhooks = std::iter::once(ours).chain(many).collect();
            report.seen = Some((Some("https://h".to_owned()), webhooks, Vec::new()));
        }
        report
    }

    #[tokio::test]
    async fn what_was_found_fits_whatever_postmark_says_and_outlives_a_silence_of_it() {
        let store = store::Memory::default();
        let (server, at) = (ServerId::new(7).unwrap(), |text: &str| text.parse::<Time>().unwrap());
        let mut first = report(true);
        first.heard.insert("Bounce".to_owned(), at("2026-11-25T09:00:00Z"));
        Found::keep(&store, &first, at("2026-11-25T09:10:00Z")).await.unwrap();
        let mut second = report(false);
        second.heard.insert("Open".to_owned(), at("2026-11-25T10:00:00Z"));
        Found::keep(&store, &second, at("2026-11-25T10:10:00Z")).await.unwrap();
        let found = Found::of(&store, server).await.unwrap().unwrap();
        assert_eq!(found.at, at("2026-11-25T10:10:00Z"));
        assert_eq!((found.webhooks.len(), found.heard.len()), (ROWS_MAX, 2));
        assert_eq!(found.webhooks[0].triggers["Bounce"], TriggerState::Unverified);
        assert_eq!(found.webhooks[0].triggers["Open"], TriggerState::Verified);
        assert_eq!((&*found.webhooks[1].url, found.webhooks[1].ours), ("crm.example", false));
        assert_eq!(Found::of(&store, ServerId::new(8).unwrap()).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_was_found_fits_where_every_list_and_text_is_as_long_as_it_may_be() {
        let (store, server) = (store::Memory::default(), ServerId::new(7).unwrap());
        // What takes the most bytes of all in JSON.
        let long = "\u{1}".repeat(5_000);
        let mut report = report(false);
        for _ in 0..ROWS_MAX {
            report.find(Some(&long), "silent", long.clone(), long.clone());
        }
        let ours = WebhookRow { stream: long.clone(), url: long.clone(), ..row("") };
        let webhooks = vec![FoundWebhook::ours(&ours, None); ROWS_MAX];
        let planned = PlanRow {
            what: Fate::Create,
            stream: long.clone(),
            triggers: vec!["Bounce"; 6].into_iter().map(Into::into).collect(),
            url: long.clone(),
            why: String::new(),
        };
        report.seen = Some((Some("https://h".to_owned()), webhooks, told(vec![planned; ROWS_MAX])));
        Found::keep(&store, &report, Time::from_micros(1)).await.unwrap();
        let found = Found::of(&store, server).await.unwrap().unwrap();
        assert!(found.webhooks.len() > 10 && found.plan.len() > 10 && found.findings.len() > 10);
    }

    #[tokio::test]
    async fn a_server_whose_token_was_just_checked_is_not_told_to_have_a_bad_one() {
        let (store, server) = (store::Memory::default(), ServerId::new(7).unwrap());
        let entry = ServerEntry::new(server, "acme", "Acme", Time::from_micros(0));
        let codes = async || {
            let found = Found::of(&store, server).await.unwrap().unwrap();
            found.findings.into_iter().map(|finding| finding.code).collect::<Vec<_>>()
        };
        Found::keep_token(&store, &entry, Time::from_micros(1)).await.unwrap();
        assert_eq!(codes().await, [code::NOT_CONNECTED]);
        Found::keep(&store, &super::super::Watch::without_token(&entry), Time::from_micros(2)).await.unwrap();
        assert_eq!(codes().await, [code::NO_TOKEN]);
        Found::keep_token(&store, &entry, Time::from_micros(3)).await.unwrap();
        assert!(codes().await.is_empty());
    }
}

//! What is wrong at a server, in findings that each say the next step.
//!
//! It needs no private key: whether a webhook's password is right is seen by the signature.

pub mod code;
mod figures;
mod found;
mod sent;

pub use found::{Found, FoundFinding, FoundWebhook, Requests, TriggerState, told};
pub use sent::Sent;

use crate::connect::{self, ConnectError, Seen};
use crate::finding::Finding;
use crate::registry::{Registry, RegistryError, ServerEntry};
use crate::vault::VaultError;
use crate::webhooks::{self, Difference, Plan, PlanRow, WebhookRow};
use credential::Verifier;
use credential::{Credential, Presented, User, basic};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use ledger::{ServerId, Time};
use postmark_api::{ApiError, Auth, ServerApi, Trigger, WebhookStatistics};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use store::{AccountStore, StoreError};

/// What was found at a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The server.
    pub server: ServerId,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Webhooks that are missing, otherwise than they should be, or too many.
    pub drift: u64,
    /// Triggers that tell nothing until they are verified, by Postmark's name.
    pub unverified: BTreeMap<&'static str, u64>,
    /// Whether mail is sent while nothing comes in.
    pub silent: bool,
    /// Calls of Postmark's API that failed.
    pub api_errors: u64,
    /// How many messages Postmark says were sent, yesterday and today (US Eastern), by day.
    pub sent: BTreeMap<String, u64>,
    /// Where the webhooks lead, which there are, and what would make them what they should be: for [`Found`].
    #[serde(skip)]
    pub seen: Option<(Option<String>, Vec<FoundWebhook>, Vec<PlanRow>)>,
    /// The hour of the last event, by what tells it: for [`Found`].
    #[serde(skip)]
    pub heard: BTreeMap<String, Time>,
}

impl Report {
    fn new(server: ServerId) -> Report {
        Report {
            server,
            findings: Vec::new(),
            drift: 0,
            unverified: BTreeMap::new(),
            silent: false,
            api_errors: 0,
            sent: BTreeMap::new(),
            seen: None,
            heard: BTreeMap::new(),
        }
    }

    /// Whether a server that was connected is silent: what somebody is woken for. One that is added and not connected yet
    /// is told as that.
    pub fn fell_silent(&self) -> bool {
        self.silent && !self.findings.iter().any(|finding| finding.code == code::NOT_CONNECTED)
    }

    fn find(&mut self, stream: Option<&str>, code: &'static str, words: String, next: impl Into<String>) {
        let (server, stream) = (self.server, stream.map(str::to_owned));
        self.findings.push(Finding { server, stream, code, words, next: next.into() });
    }

    /// A call of Postmark's API failed: told once, counted each time.
    fn failed(&mut self, error: &ApiError) {
        self.api_errors += 1;
        if !self.findings.iter().any(|finding| finding.code == code::POSTMARK_UNANSWERED) {
            let next = error.next().unwrap_or("look again later; if it stays, check the server's token");
            self.find(None, code::POSTMARK_UNANSWERED, error.to_string(), next);
        }
    }
}

/// Why nothing can be found out: the ledger itself gives no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// The ledger.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Where tokens are kept.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// What a webhook bears, where it is this server's, by its signature.
pub fn signed(verifier: &Verifier, entry: &ServerEntry, auth: Option<&Auth>) -> Option<Credential> {
    let user = User { server: entry.server, generation: entry.generation };
    let auth = auth.filter(|auth| auth.username == user.to_string())?;
    let headers = [(AUTHORIZATION, basic(user, &auth.password).parse().ok()?)];
    match verifier.verify(&HeaderMap::from_iter(headers)) {
        Presented::Valid(credential) => Some(credential),
        _ => None,
    }
}

/// One look at servers.
pub struct Watch<'a> {
    /// The ledger.
    pub store: &'a dyn AccountStore,
    /// Tells whether passwords are right.
    pub verifier: &'a Verifier,
    /// Where webhooks of servers lead that were not connected by `connect`.
    pub base: Option<&'a str>,
    /// Whether triggers that Postmark paused are verified again.
    pub repair: bool,
    /// What time it is.
    pub now: Time,
}

impl Watch<'_> {
    /// A server whose token is not kept: nothing can be asked.
    pub fn without_token(entry: &ServerEntry) -> Report {
        let mut report = Report::new(entry.server);
        let words = "no token of this server is kept: Postmark cannot be asked".to_owned();
        report.find(
            None,
            code::NO_TOKEN,
            words,
            format!("`postledger server add --server {}`", entry.server),
        );
        report
    }

    /// Looks at a server.
    ///
    /// # Errors
    /// [`WatchError`]; what Postmark does not answer is a finding.
    pub async fn look(&self, entry: &ServerEntry, api: &ServerApi) -> Result<Report, WatchError> {
        let mut report = Report::new(entry.server);
        let seen = match connect::look(entry.server, api).await {
            Ok(seen) => seen,
            Err(ConnectError::Api(error @ ApiError::Refused { status: 401 | 403, .. })) => {
                report.api_errors += 1;
                let words = format!("Postmark does not accept the token that is kept: {error}");
                let next = format!("give another one by `postledger server add --server {}`", entry.server);
                report.find(None, code::TOKEN_NOT_ACCEPTED, words, next);
                return Ok(report);
            }
            Err(ConnectError::Api(error)) => {
                report.failed(&error);
                return Ok(report);
            }
            Err(error) => {
                let next = error.next().unwrap_or_default();
                report.find(None, code::WRONG_TOKEN, error.to_string(), next);
                return Ok(report);
            }
        };
        let mut entry = entry.clone();
        if entry.take_streams(&seen.streams) {
            let take = |known: &mut ServerEntry| {
                known.take_streams(&seen.streams);
            };
            entry = Registry(self.store).update(entry.server, take).await?;
        }
        let base = entry.doors.as_deref().or(self.base);
        let rows = match base {
            Some(base) => self.webhooks(&entry, base, &seen, api, &mut report).await,
            None => {
                report.drift += entry.streams.len() as u64;
                not_connected(&entry, &mut report);
                let rows = seen.webhooks.iter().map(WebhookRow::from);
                let rows = rows.map(|row| FoundWebhook::foreign(&row)).collect();
                report.seen = Some((None, rows, Vec::new()));
                Vec::new()
            }
        };
        self.figures(&entry, api, &rows, &mut report).await?;
        Ok(report)
    }

    /// The webhooks beside what they should be. Our rows with their statistics of the last day.
    async fn webhooks(
        &self,
        entry: &ServerEntry,
        base: &str,
        seen: &Seen,
        api: &ServerApi,
        report: &mut Report,
    ) -> Vec<(WebhookRow, WebhookStatistics)> {
        let valid = |auth: Option<&Auth>| signed(self.verifier, entry, auth).is_some();
        let plan = webhooks::plan(entry, base, &seen.webhooks, &seen.info, &valid);
        let mine = seen.webhooks.iter().filter(|webhook| webhooks::ours(&webhook.url, base, entry.server));
        let mine: Vec<WebhookRow> = mine.map(WebhookRow::from).collect();
        report.drift += (plan.create.len() + plan.change.len() + plan.remove.len()) as u64;
        if mine.is_empty() && entry.doors.is_none() {
            not_connected(entry, report);
        } else {
            differences(entry, &plan, report);
        }
        report.findings.extend(plan.warnings.iter().cloned());
        let (mut rows, mut found) = (Vec::new(), Vec::new());
        for row in mine {
            match api.webhook_statistics(row.id).await {
                Ok(statistics) => {
                    found.push(FoundWebhook::ours(&row, Some(&statistics)));
                    self.paused(&row, &statistics, api, report).await;
                    rows.push((row, statistics));
                }
                Err(error) => {
                    found.push(FoundWebhook::ours(&row, None));
                    report.failed(&error);
                }
            }
        }
        found.extend(plan.foreign.iter().map(FoundWebhook::foreign));
        report.seen = Some((Some(base.to_owned()), found, told(plan.rows())));
        rows
    }

    /// Triggers that Postmark has not verified, or no longer: they tell nothing.
    async fn paused(
        &self,
        row: &WebhookRow,
        statistics: &WebhookStatistics,
        api: &ServerApi,
        report: &mut Report,
    ) {
        let statuses = webhooks::by_trigger(&statistics.statuses);
        let status = |trigger: &Trigger| statuses.get(trigger).copied().or(row.status.as_ref());
        let verified = |status: &String| status.eq_ignore_ascii_case("verified");
        let paused: BTreeSet<Trigger> = row
            .triggers
            .iter()
            .copied()
            .filter(|trigger| status(trigger).is_some_and(|status| !verified(status)))
            .collect();
        if paused.is_empty() {
            return;
        }
        let names: Vec<&str> = paused.iter().map(|trigger| trigger.name()).collect();
        let names = names.join(", ");
        let verified = match self.repair {
            true => api.verify_webhook(row.id).await.map(Some),
            false => Ok(None),
        };
        let stream = Some(row.stream.as_str());
        match verified {
            Ok(Some(told)) if told.success => {
                report.find(
                    stream,
                    "trigger_reverified",
                    format!(
                        "{names} had been paused and told nothing; verified again now (webhook {})",
                        row.id
                    ),
                    format!("`postledger reconcile --server {}` fetches what was missed", report.server),
                );
                return;
            }
            Ok(told) => {
                let probes = told.map(|told| connect::probes(&told)).filter(|probes| !probes.is_empty());
                let probes = probes.map(|probes| format!("; probes: {probes}")).unwrap_or_default();
                let words = format!("{names} paused: Postmark tells nothing by webhook {}{probes}", row.id);
                let next = match self.repair {
                    true => "see why our doors do not answer 200: their logs, and `postledger queues`",
                    false => {
                        "when our doors answer again: `postledger watch --repair`, then `postledger reconcile`"
                    }
                };
                report.find(stream, code::TRIGGER_UNVERIFIED, words, next);
            }
            Err(error) => report.failed(&error),
        }
        for trigger in paused {
            *report.unverified.entry(trigger.name()).or_default() += 1;
        }
    }
}

fn not_connected(entry: &ServerEntry, report: &mut Report) {
    let words = "no webhook of this server leads here: nothing of it comes in".to_owned();
    report.find(None, code::NOT_CONNECTED, words, format!("`postledger connect --server {}`", entry.server));
}

/// What a plan would change, as findings.
fn differences(entry: &ServerEntry, plan: &Plan, report: &mut Report) {
    let connect = format!("`postledger connect --server {}` shows and mends it", entry.server);
    let mut missing: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in &plan.create {
        missing.entry(&row.stream).or_default().extend(row.triggers.iter().map(|trigger| trigger.name()));
    }
    for (stream, triggers) in missing {
        let triggers: Vec<&str> = triggers.into_iter().collect();
        let words = format!("no webhook of ours tells {}", triggers.join(", "));
        report.find(Some(stream), code::WEBHOOK_MISSING, words, &*connect);
    }
    for change in &plan.change {
        let (row, stream) = (&change.from, Some(change.from.stream.as_str()));
        if change.differs.contains(&Difference::Credential) {
            let words = format!(
                "webhook {} ({}) has no password of this server's that our keys signed: our doors put its events off",
                row.id, row.url
            );
            report.find(stream, code::WEBHOOK_CREDENTIAL, words, &*connect);
        }
        let others: Vec<&str> = change.differs.iter().filter_map(difference).collect();
        if !others.is_empty() {
            let words = format!("webhook {} ({}) was changed: {}", row.id, row.url, others.join(", "));
            report.find(stream, "webhook_changed", words, &*connect);
        }
    }
    for row in &plan.remove {
        let words = format!("webhook {} ({}) is ours, but not needed", row.id, row.url);
        report.find(Some(&row.stream), "webhook_extra", words, &*connect);
    }
}

fn difference(difference: &Difference) -> Option<&'static str> {
    match difference {
        Difference::Url => Some("its URL"),
        Difference::Triggers => Some("what it tells"),
        Difference::Options => Some("it tells first opens only, or brings whole messages along"),
        Difference::Credential => None,
    }
}

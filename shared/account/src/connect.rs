//! Connecting a server: its webhooks at Postmark are made what they should be, checked, and read back.
//!
//! Nothing here asks a person: [`Connect::look`] and [`webhooks::plan`] say what would be done, [`Connect::carry_out`]
//! does it. Done twice, or again after a failure in the middle, it ends at the same rows.

use crate::doors::{Doors, DoorsError};
use crate::finding::Finding;
use crate::registry::{ConnectForm, Registry, RegistryError, ServerEntry};
use crate::webhooks::{self, Desired, Plan, switches};
use ledger::ServerId;
use ledger::policy::StreamKind;
use postmark_api::{
    ApiError, Auth, EditWebhook, NewWebhook, ServerApi, ServerInfo, Trigger, Verification, Webhook,
};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use store::AccountStore;

/// Postmark's code for a trigger that a stream cannot have.
const TRIGGER_UNSUPPORTED: i64 = 1353;
/// Postmark's code for a webhook that is not there.
const NO_SUCH_WEBHOOK: i64 = 1352;
/// How often a plan is made anew and carried out in one go.
const ROUNDS_MAX: usize = 3;

/// Why a server is not connected. It quotes no token and no password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// Postmark's API.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// Our doors are not ready; nothing was changed at Postmark.
    #[error(transparent)]
    Doors(#[from] DoorsError),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The token is another server's.
    #[error("this token is server {1}'s, not server {0}'s")]
    WrongServer(ServerId, i64),
}

impl ConnectError {
    /// What to do about it.
    pub fn next(&self) -> Option<&'static str> {
        match self {
            ConnectError::Api(error) => error.next(),
            ConnectError::Doors(error) => Some(error.next()),
            ConnectError::WrongServer(..) => Some(
                "give the token that stands under API Tokens of that very server, by `postledger server add --server ID`",
            ),
            ConnectError::Registry(RegistryError::Unknown(_)) => {
                Some("add it by `postledger server add --server ID`")
            }
            ConnectError::Registry(_) => None,
        }
    }
}

/// A server as Postmark tells of it.
#[derive(Clone)]
pub struct Seen {
    /// Itself.
    pub info: ServerInfo,
    /// Its streams that mail is sent on, by id.
    pub streams: BTreeMap<String, StreamKind>,
    /// Its webhooks, of all streams.
    pub webhooks: Vec<Webhook>,
}

/// A server's streams that mail is sent on: inbound and archived ones are left out.
///
/// # Errors
/// The API's own.
pub async fn streams(api: &ServerApi) -> Result<BTreeMap<String, StreamKind>, ApiError> {
    let kind = |kind: &str| match kind.to_ascii_lowercase().as_str() {
        "transactional" => Some(StreamKind::Transactional),
        "broadcasts" | "broadcast" => Some(StreamKind::Broadcast),
        _ => None,
    };
    let streams = api.streams().await?.into_iter().filter(|stream| stream.archived_at.is_none());
    Ok(streams.filter_map(|stream| Some((stream.id, kind(&stream.kind)?))).collect())
}

/// That a token is a server's: what Postmark tells of the server that it opens.
///
/// # Errors
/// [`ConnectError::WrongServer`], or the API's own.
pub async fn info(server: ServerId, api: &ServerApi) -> Result<ServerInfo, ConnectError> {
    let info = api.server().await?;
    if info.id.to_string() != server.to_string() {
        return Err(ConnectError::WrongServer(server, info.id));
    }
    Ok(info)
}

/// Looks at a server.
///
/// # Errors
/// As [`info`].
pub async fn look(server: ServerId, api: &ServerApi) -> Result<Seen, ConnectError> {
    let info = info(server, api).await?;
    Ok(Seen { info, streams: streams(api).await?, webhooks: api.webhooks(None).await? })
}

/// Looks at a server, and plans. `entry` is brought up to date, but not written; `valid` tells whether what a webhook bears is
/// what it should.
///
/// # Errors
/// As [`info`].
pub async fn planned(
    entry: &mut ServerEntry,
    api: &ServerApi,
    base: &str,
    valid: &(dyn Fn(Option<&Auth>) -> bool + Sync),
) -> Result<Plan, ConnectError> {
    let seen = look(entry.server, api).await?;
    entry.take_streams(&seen.streams);
    let mut plan = webhooks::plan(entry, base, &seen.webhooks, &seen.info, valid);
    plan.warnings.extend(in_flight(entry.server, &plan));
    Ok(plan)
}

/// What one step did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// `created`, `changed`, `removed` or `verified`.
    pub what: &'static str,
    /// The stream.
    pub stream: String,
    /// Where the webhook leads.
    pub url: String,
    /// Why it was not done, in a sentence.
    pub failed: Option<String>,
    /// What to do about that.
    pub next: Option<&'static str>,
}

/// How a trigger stands, as it was read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// The stream.
    pub stream: String,
    /// Postmark's name of the trigger.
    pub trigger: &'static str,
    /// Where it leads.
    pub url: String,
    /// `verified`, or what else Postmark says.
    pub status: String,
}

/// What was done at a server, and how it stands after that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The server.
    pub server: ServerId,
    /// Step by step.
    pub steps: Vec<Step>,
    /// Triggers that Postmark refuses on a stream: stream and trigger.
    pub refused: Vec<(String, &'static str)>,
    /// How each trigger of ours stands.
    pub standing: Vec<Standing>,
    /// What is still to be done.
    pub left: Plan,
}

impl Outcome {
    /// Whether all is as it should be.
    pub fn complete(&self) -> bool {
        self.left.is_empty() && self.steps.iter().all(|step| step.failed.is_none())
    }

    /// As it is noted in the audit.
    pub fn noted(&self) -> Value {
        let failed = self.steps.iter().filter(|step| step.failed.is_some()).count();
        json!({ "done": self.steps.len() - failed, "failed": failed, "complete": self.complete() })
    }
}

/// A server that is to be connected.
pub struct Connect<'a> {
    /// Where the registry is.
    pub store: &'a dyn AccountStore,
    /// The server's API.
    pub api: &'a ServerApi,
    /// The way to our doors.
    pub doors: &'a Doors,
    /// What the webhooks bear.
    pub auth: &'a Auth,
}

impl Connect<'_> {
    /// Looks at the server, and plans. `entry` is brought up to date, but not written.
    pub async fn look(&self, entry: &mut ServerEntry, base: &str) -> Result<Plan, ConnectError> {
        planned(entry, self.api, base, &|auth| self.is_ours(auth)).await
    }

    fn is_ours(&self, auth: Option<&Auth>) -> bool {
        auth.is_some_and(|auth| {
            (&auth.username, &auth.password) == (&self.auth.username, &self.auth.password)
        })
    }

    fn plan(&self, entry: &ServerEntry, base: &str, seen: &Seen) -> Plan {
        webhooks::plan(entry, base, &seen.webhooks, &seen.info, &|auth| self.is_ours(auth))
    }

    /// Carries out a plan: asks our doors first, then changes Postmark's webhooks, then reads them back. Where one
    /// step is refused, the others are done nevertheless.
    ///
    /// # Errors
    /// [`ConnectError`], where nothing more can be done now: what was done until then stays, and a second run
    /// completes it.
    pub async fn carry_out(
        &self,
        entry: &ServerEntry,
        base: &str,
        mut plan: Plan,
    ) -> Result<Outcome, ConnectError> {
        self.probe_doors(base, &plan).await?;
        let registry = Registry(self.store);
        let mut entry = ServerEntry { doors: Some(base.trim_end_matches('/').to_owned()), ..entry.clone() };
        registry.put_connection(&entry).await?;
        let mut outcome = Outcome {
            server: entry.server,
            steps: Vec::new(),
            refused: Vec::new(),
            standing: Vec::new(),
            left: Plan::default(),
        };
        let mut seen = None;
        for _ in 0..ROUNDS_MAX {
            let before = outcome.steps.len();
            let refused = self.round(&plan, &mut outcome.steps).await?;
            for (stream, trigger) in &refused {
                if let Some(known) = entry.streams.get_mut(stream) {
                    known.refused.insert(trigger.name().to_owned());
                }
                outcome.refused.push((stream.clone(), trigger.name()));
            }
            // What was done is done and told, whether this can be remembered or not: else it is refused the next time, too.
            if !refused.is_empty()
                && let Err(error) = registry.put_connection(&entry).await
            {
                platform::logs::not_remembered("what Postmark refuses on a stream", &error);
            }
            let now = look(entry.server, self.api).await?;
            plan = self.plan(&entry, base, &now);
            seen = Some(now);
            // What was refused leaves another plan; what was changed may be left for us to verify.
            let failed = outcome.steps[before..].iter().any(|step| step.failed.is_some());
            let verify = plan.create.is_empty() && plan.change.is_empty() && !failed;
            if plan.is_empty() || (refused.is_empty() && !verify) {
                break;
            }
        }
        outcome.standing =
            self.standing(&entry, base, &seen.map(|seen| seen.webhooks).unwrap_or_default()).await;
        outcome.left = plan;
        Ok(outcome)
    }

    /// Removes our webhooks of a server, and remembers that it is not connected.
    ///
    /// # Errors
    /// As [`carry_out`](Self::carry_out).
    pub async fn remove(
        &self,
        entry: &ServerEntry,
        base: &str,
        plan: &Plan,
    ) -> Result<Outcome, ConnectError> {
        let mut steps = Vec::new();
        self.round(plan, &mut steps).await?;
        let seen = look(entry.server, self.api).await?;
        let left = webhooks::removal(entry, base, &seen.webhooks);
        if left.is_empty() {
            Registry(self.store).update(entry.server, |entry| entry.doors = None).await?;
        }
        Ok(Outcome { server: entry.server, steps, refused: Vec::new(), standing: Vec::new(), left })
    }

    /// Asks each door that a row of the plan will lead to.
    async fn probe_doors(&self, base: &str, plan: &Plan) -> Result<(), ConnectError> {
        self.doors.healthy(base).await?;
        let urls: BTreeSet<&str> = (plan.create.iter().map(|row| &*row.url))
            .chain(plan.change.iter().map(|change| &*change.to.url))
            .chain(plan.verify.iter().map(|row| &*row.url))
            .collect();
        for url in urls {
            self.doors.take(url, self.auth).await?;
        }
        Ok(())
    }

    /// Creates, then changes, then verifies, then removes. The triggers that were refused.
    async fn round(
        &self,
        plan: &Plan,
        steps: &mut Vec<Step>,
    ) -> Result<Vec<(String, Trigger)>, ConnectError> {
        let mut refused = Vec::new();
        let rows = plan.create.iter().map(|row| (None, row));
        for (id, row) in rows.chain(plan.change.iter().map(|change| (Some(change.from.id), &change.to))) {
            let (triggers, put) = self.put(id, row).await;
            refused.extend(triggers.into_iter().map(|trigger| (row.stream.clone(), trigger)));
            let what = if id.is_some() { "changed" } else { "created" };
            steps.push(step(what, &row.stream, &row.url, put)?);
        }
        for row in &plan.verify {
            let verified = self.api.verify_webhook(row.id).await;
            let verified =
                verified.and_then(|told| if told.success { Ok(()) } else { Err(ApiError::Unverified(told)) });
            steps.push(step("verified", &row.stream, &row.url, verified)?);
        }
        // A row that was to be replaced stays for as long as what replaces it is not there.
        let failed: BTreeSet<String> =
            steps.iter().filter(|step| step.failed.is_some()).map(|step| step.stream.clone()).collect();
        for row in plan.remove.iter().filter(|row| !failed.contains(&row.stream)) {
            steps.push(step("removed", &row.stream, &row.url, self.delete(row.id).await)?);
        }
        Ok(refused)
    }

    /// Removes a row; one that is gone already is.
    async fn delete(&self, id: i64) -> Result<(), ApiError> {
        match self.api.delete_webhook(id).await {
            Err(ApiError::Refused { code: NO_SUCH_WEBHOOK, .. }) => Ok(()),
            removed => removed,
        }
    }

    /// Puts a row, less the triggers that Postmark refuses on its stream: these, and whether it is there.
    async fn put(&self, mut id: Option<i64>, row: &Desired) -> (BTreeSet<Trigger>, Result<(), ApiError>) {
        let mut triggers = row.triggers.clone();
        let mut refused = BTreeSet::new();
        let mut replaces = None;
        loop {
            let put = match id {
                None => {
                    let new = NewWebhook {
                        url: row.url.clone(),
                        stream: row.stream.clone(),
                        auth: Some(self.auth.clone()),
                        headers: Vec::new(),
                        triggers: switches(&triggers),
                        verify: true,
                    };
                    self.api.create_webhook(&new).await.map(drop)
                }
                Some(id) => {
                    let edit = EditWebhook {
                        url: Some(row.url.clone()),
                        auth: Some(self.auth.clone()),
                        triggers: Some(switches(&triggers)),
                        ..EditWebhook::default()
                    };
                    self.api.edit_webhook(id, &edit).await.map(drop)
                }
            };
            match put {
                Err(ApiError::Refused { code: TRIGGER_UNSUPPORTED, words, .. }) => {
                    let named: BTreeSet<Trigger> = match triggers.len() {
                        1 => triggers.clone(),
                        _ => triggers.iter().copied().filter(|trigger| names(&words, *trigger)).collect(),
                    };
                    if named.is_empty() && id.is_some() {
                        // A change mentions those, too, that are switched off; a new row in its place does not.
                        replaces = id.take();
                        continue;
                    }
                    if named.is_empty() {
                        let words = format!("{words}: it does not say which");
                        let next = Some("connect with one webhook for each type: leave out --one-url");
                        let error = ApiError::Refused { status: 422, code: TRIGGER_UNSUPPORTED, words, next };
                        return (refused, Err(error));
                    }
                    triggers.retain(|trigger| !named.contains(trigger));
                    refused.extend(named);
                    if triggers.is_empty() {
                        return (refused, Ok(()));
                    }
                }
                Ok(()) => {
                    let put = match replaces {
                        Some(old) => self.delete(old).await,
                        None => Ok(()),
                    };
                    return (refused, put);
                }
                put => return (refused, put),
            }
        }
    }

    /// How the triggers of our rows stand. What cannot be read back stands as the row says.
    async fn standing(&self, entry: &ServerEntry, base: &str, webhooks: &[Webhook]) -> Vec<Standing> {
        let mut standing = Vec::new();
        for webhook in webhooks.iter().filter(|webhook| webhooks::ours(&webhook.url, base, entry.server)) {
            let row = webhooks::WebhookRow::from(webhook);
            let statuses = self.api.webhook_statistics(row.id).await.map(|told| told.statuses);
            let statuses = statuses.unwrap_or_default();
            let statuses = webhooks::by_trigger(&statuses);
            standing.extend(row.triggers.iter().map(|trigger| {
                Standing {
                    stream: row.stream.clone(),
                    trigger: trigger.name(),
                    url: row.url.clone(),
                    status: statuses
                        .get(trigger)
                        .copied()
                        .or(row.status.as_ref())
                        .map_or_else(|| "unknown".to_owned(), String::clone),
                }
            }));
        }
        standing.sort_by(|one, other| (&one.stream, one.trigger).cmp(&(&other.stream, other.trigger)));
        standing
    }
}

/// What a removal loses: Postmark drops what it has not told yet through a webhook that goes.
fn in_flight(server: ServerId, plan: &Plan) -> Option<Finding> {
    (!plan.remove.is_empty()).then(|| Finding {
        server,
        stream: None,
        code: "removal_drops",
        words:
            "events that are on their way through the webhooks to be removed, retries among them, are dropped"
                .to_owned(),
        next: format!(
            "do it at a quiet hour; `postledger reconcile --server {server}` brings what was dropped"
        ),
    })
}

/// Whether words of Postmark's name a trigger: `SpamComplaint`, `Spam Complaint`.
fn names(words: &str, trigger: Trigger) -> bool {
    let plain = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    plain(words).contains(&plain(trigger.name()))
}

/// A step's record; what only passes ends the run.
fn step(
    what: &'static str,
    stream: &str,
    url: &str,
    done: Result<(), ApiError>,
) -> Result<Step, ConnectError> {
    let failed = match done {
        Ok(()) => None,
        Err(error @ (ApiError::Refused { .. } | ApiError::Unverified(_))) => Some(error),
        Err(error) => return Err(error.into()),
    };
    let next = failed.as_ref().and_then(ApiError::next);
    let failed = failed.map(|error| error.to_string());
    Ok(Step { what, stream: stream.to_owned(), url: url.to_owned(), failed, next })
}

/// What a verification found, in words: triggers that were not answered with 200.
pub fn probes(verification: &Verification) -> String {
    let failed = verification.results.iter().filter(|probe| !probe.success).map(|probe| {
        let status = probe.status_code.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        format!("{}: {status}", probe.trigger)
    });
    failed.collect::<Vec<_>>().join(", ")
}

/// How a form is said to people.
pub const fn form(form: ConnectForm) -> &'static str {
    match form {
        ConnectForm::PerType => "one webhook for each event type",
        ConnectForm::OneUrl => "one webhook for all event types",
    }
}

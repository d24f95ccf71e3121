//! A server's webhooks at Postmark: how they stand, and setting them up without a log-in at Postmark.
//!
//! Invariants:
//! - Nothing here has the key that signs passwords. What is to be done goes through [`account::Connecting`]; where there is
//!   none, the answer is the command for the machine that has the key.
//! - A session that is not confirmed makes webhooks as they should be, and takes nothing away.
//! - A password is in no answer but that of [`password`], which only somebody who is signed in to the portal gets.

use crate::call::{Answer, Call};
use crate::problem::Problem;
use crate::scope::{Admin, Remembered};
use crate::token::Role;
use account::audit::WhoKind;
use account::connect::Outcome;
use account::connecting::{Asked, Connecting, ConnectingError, HasKey, Job, JobState};
use account::rotate::{Progress, RotateError, Rotation, Stage};
use account::watch::{self, FoundFinding, FoundWebhook, TriggerState};
use account::webhooks::{Desired, Fate, PlanRow, desired};
use account::{ConnectForm, ServerEntry};
use answers::{
    ConnectRequest, Connected, WebhookCommands, WebhookCredential, WebhookFinding, WebhookForm, WebhookJob,
    WebhookPassword, WebhookPlanned, WebhookRequests, WebhookRotation, WebhookStep, WebhookWanted, Webhooks,
    Word,
};
use http::StatusCode;
use ledger::ServerId;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// For how many hours an event that came in with few retries left is told of.
const RETRIES_HOURS: i64 = 24;
/// How many characters of what others say of a webhook are told.
const CHARS_MAX: usize = 400;

/// How the webhooks stand, as far as that is remembered: Postmark is not asked.
pub(crate) async fn webhooks(admin: &Admin<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    call.query(&[])?;
    let (entry, remembered) = (admin.entry().await?, admin.webhooks().await?);
    let server = admin.server();
    let since = admin.now().plus_seconds(-RETRIES_HOURS * 3_600).hour();
    let Remembered { found, activity, rotation, job } = remembered;
    let form = entry.as_ref().map(|entry| entry.connect).unwrap_or_default();
    let found_doors = found.as_ref().and_then(|found| found.doors.clone());
    let looked_at = found.as_ref().map(|found| found.at.into());
    let (webhooks, plan, findings, heard) = match found {
        Some(found) => (found.webhooks, found.plan, found.findings, found.heard),
        None => Default::default(),
    };
    let credential = entry.as_ref().map(|entry| WebhookCredential {
        user: credential_user(entry),
        generation: entry.generation,
        keys: activity.keys.into_iter().map(|(key, at)| (key, at.into())).collect(),
    });
    // Whoever sets them up here knows where they will lead, before anybody has.
    let here = entry.as_ref().zip(admin.connecting()).map(|(entry, connecting)| connecting.doors(entry));
    let doors = here.or_else(|| entry.as_ref().and_then(|entry| entry.doors.clone())).or(found_doors);
    Ok(Answer::json(&Webhooks {
        server,
        registered: entry.is_some(),
        form: word(form),
        native_tracking: entry.as_ref().is_some_and(|entry| entry.native_tracking),
        streams: entry.as_ref().map(|entry| entry.streams.keys().cloned().collect()).unwrap_or_default(),
        wanted: entry
            .as_ref()
            .zip(doors.as_ref())
            .map(|(entry, doors)| wanted(entry, doors))
            .unwrap_or_default(),
        doors,
        looked_at,
        webhooks: webhooks.into_iter().map(webhook).collect(),
        plan: plan.into_iter().map(planned).collect(),
        findings: findings.into_iter().map(finding).collect(),
        heard: heard.into_iter().map(|(trigger, at)| (trigger, at.into())).collect(),
        retries_left: activity.low.range(since..).map(|(_, left)| *left).min(),
        credential,
        rotation: rotation.map(|of| rotation_of(&of, server)),
        connect: how(admin.connecting()).to_owned(),
        commands: commands(server),
        job: job.map(job_of),
    }))
}

/// How webhooks are set up for whoever asks here.
fn how(connecting: Option<&dyn Connecting>) -> &'static str {
    match connecting {
        Some(connecting) if connecting.key().is_some() => "here",
        Some(_) => "job",
        None => "command",
    }
}

/// What the key is needed for at once.
fn key<'a>(admin: &'a Admin<'_>) -> Option<&'a dyn HasKey> {
    admin.connecting()?.key()
}

/// The webhooks that a server should have.
fn wanted(entry: &ServerEntry, doors: &str) -> Vec<WebhookWanted> {
    let rows = entry.streams.keys().flat_map(|stream| desired(entry, doors, stream, entry.connect));
    let row = |row: Desired| WebhookWanted {
        stream: row.stream,
        triggers: row.triggers.iter().map(|trigger| trigger.name().to_owned()).collect(),
        url: row.url,
    };
    rows.map(row).collect()
}

/// Sets up the webhooks, or plans it.
pub(crate) async fn connect(admin: &Admin<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    call.query(&[])?;
    let asked: ConnectRequest = call.json()?;
    let known = admin.entry().await?.ok_or_else(|| not_registered(admin.server()))?;
    let mut entry = known.clone();
    if let Some(form) = asked.form {
        entry.connect = match form {
            WebhookForm::PerType => ConnectForm::PerType,
            WebhookForm::OneUrl => ConnectForm::OneUrl,
        };
    }
    entry.native_tracking = asked.native_tracking.unwrap_or(entry.native_tracking);
    let connecting = admin.connecting().ok_or_else(|| elsewhere(&connect_command(&known, &entry)))?;
    let would = connecting.plan(&entry).await.map_err(problem)?;
    let steps = would.plan.steps();
    // What is removed, or no longer asked for, tells nothing from then on: a session that somebody took is not enough.
    let is_other = (known.connect, known.native_tracking) != (entry.connect, entry.native_tracking);
    let loses = is_other || !would.plan.remove.is_empty();
    if !asked.dry_run && loses && !admin.caller().is_confirmed(admin.now()) {
        return Err(Problem::unconfirmed());
    }
    let mut connected = Connected {
        dry_run: asked.dry_run,
        doors: would.doors,
        form: word(entry.connect),
        native_tracking: entry.native_tracking,
        plan: watch::told(would.plan.rows()).into_iter().map(planned).collect(),
        steps: steps as u64,
        warnings: would.plan.warnings.iter().map(|one| finding(FoundFinding::from(one))).collect(),
        job: None,
    };
    if !asked.dry_run {
        connected.job = Some(job_of(carry_out(admin, connecting, &known, &entry, steps).await?));
    }
    Ok(Answer::json(&connected))
}

async fn carry_out(
    admin: &Admin<'_>,
    connecting: &dyn Connecting,
    known: &ServerEntry,
    entry: &ServerEntry,
    steps: usize,
) -> Result<Job, Problem> {
    let of = |entry: &ServerEntry| json!({ "form": word(entry.connect), "native_tracking": entry.native_tracking });
    let mut asked = of(entry);
    asked["steps"] = steps.into();
    let change = async {
        let begun = Job::begun(entry, admin.now()).map_err(|error| (error.into(), Value::Null))?;
        let before = admin.last_job().await.map_err(|problem| (problem, Value::Null))?;
        // Whoever asks for the same twice in a row waits for the first.
        if connecting.key().is_none()
            && let Some(same) = before.as_ref().filter(|before| before.is_awaited(entry, admin.now()))
        {
            return Ok((same.clone(), json!({ "handed_over": false })));
        }
        admin.keep_job(&begun).await.map_err(|problem| (problem, Value::Null))?;
        let handed = Asked { entry, job: &begun.id, who: admin.caller().who() };
        let done = match connecting.connect(&handed).await {
            Ok(Some(outcome)) => Ok(outcome),
            Ok(None) => return Ok((begun, json!({ "handed_over": true }))),
            Err(error) => Err(error),
        };
        let job = begun.ended(&done, admin.now());
        // It is done, whether that can be remembered or not.
        let is_not_begun = matches!(done, Err(ConnectingError::Busy(_) | ConnectingError::NotHandedOver));
        let kept = match before.filter(|before| is_not_begun && before.state == JobState::Begun) {
            Some(running) => admin.give_way(&job, &running).await,
            None => admin.keep_job(&job).await,
        };
        match done.as_ref().map(Outcome::noted) {
            Ok(told) => {
                if let Err(problem) = kept {
                    tracing::error!(
                        problem.code = problem.code(),
                        "webhooks were set up, and what was done could not be remembered"
                    );
                }
                Ok((job, told))
            }
            Err(error) => {
                let problem = problem(error.clone());
                let told = json!({ "problem": problem.code() });
                Err((problem, told))
            }
        }
    };
    admin.change_of("connect", None, of(known), asked, change).await
}

/// The password of the webhooks, for somebody who sets them up by hand and has just shown who they are.
pub(crate) async fn password(admin: &Admin<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    call.query(&[])?;
    // A token cannot enter a fresh code.
    if admin.caller().who().kind != WhoKind::User {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "role",
            "The token's role does not allow it",
            "this is for people who are signed in to the portal by a code",
        )
        .next("open the page Webhooks of the server in the portal"));
    }
    let entry = admin.entry().await?.ok_or_else(|| not_registered(admin.server()))?;
    let key = key(admin).ok_or_else(|| elsewhere(&commands(admin.server()).url))?;
    let asked = json!({ "generation": entry.generation });
    let change = async {
        let (auth, doors) = key.credential(&entry).await.map_err(problem)?;
        Ok(((auth, doors), Value::Null))
    };
    let (auth, doors) = admin.change("webhooks.password", None, asked, change).await?;
    Ok(Answer::json(&WebhookPassword { doors, user: auth.username, password: auth.password }))
}

/// Goes on with a rotation of the signing key, or begins one. The key is that of all servers.
pub(crate) async fn rotate(admin: &Admin<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    call.query(&[])?;
    if admin.caller().role() < Role::Operator {
        return Err(Problem::role("operator"));
    }
    let server = admin.server();
    let entry = admin.entry().await?.ok_or_else(|| not_registered(server))?;
    let key = key(admin).ok_or_else(|| elsewhere(&commands(server).rotate))?;
    // Nothing here moves webhooks that somebody made by hand.
    if entry.doors.is_none() {
        let words = "the webhooks of this server were not set up here, so they are not moved";
        return Err(Problem::conflict("unusable", "It cannot be done", words).next(
            "set them up on the page Webhooks first; that gives them a password of the newest key, too",
        ));
    }
    let change = async {
        let progress = key.rotate(server).await.map_err(problem)?;
        let told = json!({ "stage": progress.stage });
        Ok((progress, told))
    };
    let progress = admin.change("rotate", None, Value::Null, change).await?;
    let Some(rotation) = &progress.rotation else {
        return Err(Problem::conflict("unusable", "It cannot be done", "there is no rotation"));
    };
    Ok(Answer::json(&progress_of(&progress, rotation, server)))
}

fn progress_of(progress: &Progress, rotation: &Rotation, server: ServerId) -> WebhookRotation {
    let here = progress.servers.iter().find(|one| one.server == server);
    let stage = match progress.stage {
        Stage::Idle => "idle",
        Stage::DoorsToLearn => "doors_to_learn",
        Stage::Moving => "moving",
        Stage::Quiet => "quiet",
        Stage::Retired => "retired",
    };
    WebhookRotation {
        stage: Some(stage.to_owned()),
        waits_for: progress.waits_for.clone(),
        until: progress.until.map(Into::into),
        failed: here.and_then(|one| one.failed.clone()),
        ..rotation_of(rotation, server)
    }
}

fn rotation_of(rotation: &Rotation, server: ServerId) -> WebhookRotation {
    WebhookRotation {
        stage: None,
        old: rotation.old.clone(),
        new: rotation.new.clone(),
        began_at: rotation.began_at.into(),
        moved_at: rotation.moved.get(&server).map(|at| (*at).into()),
        retired_at: rotation.retired_at.map(Into::into),
        waits_for: None,
        until: None,
        failed: None,
    }
}

/// What webhooks of a server show as a user name.
fn credential_user(entry: &ServerEntry) -> String {
    format!("{}.{}", entry.server, entry.generation)
}

fn commands(server: ServerId) -> WebhookCommands {
    WebhookCommands {
        connect: format!("postledger connect --server {server}"),
        url: format!("postledger url --server {server}"),
        rotate: format!("postledger keys rotate --server {server}"),
    }
}

/// The commands that do what is asked for.
fn connect_command(known: &ServerEntry, entry: &ServerEntry) -> String {
    let mut set = String::new();
    if known.connect != entry.connect {
        let form = if entry.connect == ConnectForm::OneUrl { "one-url" } else { "per-type" };
        set += &format!(" --webhooks {form}");
    }
    if known.native_tracking != entry.native_tracking {
        set += if entry.native_tracking { " --native-tracking yes" } else { " --native-tracking no" };
    }
    let connect = commands(entry.server).connect;
    if set.is_empty() {
        connect
    } else {
        format!("postledger server set --server {}{set} && {connect}", entry.server)
    }
}

fn elsewhere(command: &str) -> Problem {
    Problem::conflict(
        "connect-elsewhere",
        "It is done by a command",
        "nothing that is reached over the web has the key that signs the passwords of webhooks",
    )
    .next(format!("on the machine that has the key, run `{command}`"))
}

fn not_registered(server: ServerId) -> Problem {
    Problem::conflict(
        "not-registered",
        "The server is not registered",
        "its webhooks are not looked after here",
    )
    .next(format!("add it by `postledger server add --server {server}`"))
}

/// Why something at Postmark could not be done. Such a failure is no fault of the ledger's.
fn problem(error: ConnectingError) -> Problem {
    match error {
        ConnectingError::Store(error) | ConnectingError::Rotate(RotateError::Store(error)) => error.into(),
        ConnectingError::NoToken(_) => {
            Problem::conflict("no-postmark-token", "No token for Postmark is kept", error.to_string())
                .next(error.next())
        }
        other => {
            if let ConnectingError::Keeper(words) = &other {
                tracing::error!(error = words, "the keys or tokens of this machine cannot be used");
            }
            let (words, next) = other.told();
            Problem::conflict("unusable", "It cannot be done", cut(words)).next(cut(next))
        }
    }
}

fn cut(text: String) -> String {
    if text.chars().count() <= CHARS_MAX { text } else { text.chars().take(CHARS_MAX).collect() }
}

fn word(form: ConnectForm) -> Word<WebhookForm> {
    match form {
        ConnectForm::PerType => WebhookForm::PerType,
        ConnectForm::OneUrl => WebhookForm::OneUrl,
    }
    .into()
}

fn webhook(one: FoundWebhook) -> answers::Webhook {
    let state = |state| match state {
        TriggerState::Verified => answers::TriggerState::Verified,
        TriggerState::Unverified => answers::TriggerState::Unverified,
        TriggerState::Unknown => answers::TriggerState::Unknown,
    };
    let triggers: BTreeMap<_, _> =
        one.triggers.into_iter().map(|(trigger, of)| (trigger, state(of).into())).collect();
    let requests =
        one.requests.map(|of| WebhookRequests { total: of.total, failed: of.failed, retried: of.retried });
    answers::Webhook { id: one.id, stream: one.stream, url: one.url, ours: one.ours, triggers, requests }
}

fn planned(row: PlanRow) -> WebhookPlanned {
    let what = match row.what {
        Fate::Keep => "keep",
        Fate::Create => "create",
        Fate::Change => "change",
        Fate::Verify => "verify",
        Fate::Remove => "remove",
        Fate::LeaveAlone => "leave_alone",
    };
    let PlanRow { stream, triggers, url, why, .. } = row;
    WebhookPlanned { what: what.to_owned(), stream, triggers, url, why }
}

fn finding(one: FoundFinding) -> WebhookFinding {
    WebhookFinding { stream: one.stream, code: one.code, words: one.words, next: one.next }
}

fn job_of(job: Job) -> WebhookJob {
    let state = match job.state {
        JobState::Begun => "begun",
        JobState::Done => "done",
        JobState::Failed => "failed",
    };
    let (problem, next) = job.problem.unzip();
    let steps = job.steps.into_iter().map(|step| WebhookStep {
        what: step.what,
        stream: cut(step.stream),
        url: cut(step.url),
        failed: step.failed.map(cut),
        next: step.next,
    });
    WebhookJob {
        id: job.id,
        state: state.to_owned(),
        asked_at: job.asked_at.into(),
        ended_at: job.ended_at.map(Into::into),
        form: word(job.form),
        native_tracking: job.native_tracking,
        steps: steps.collect(),
        refused: job
            .refused
            .into_iter()
            .map(|(stream, trigger)| cut(format!("{stream}: {trigger}")))
            .collect(),
        read_back: job.verified.1 as u64,
        verified: job.verified.0 as u64,
        complete: job.complete,
        problem: problem.map(cut),
        next,
    }
}

#[cfg(test)]
mod tests;

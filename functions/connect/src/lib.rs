//! Sets up webhooks that somebody asked for in the portal, as jobs come off a queue. Nobody asks it over the web: so it may
//! read the key that signs the webhooks' password, which nothing else on AWS may.
//!
//! Invariants:
//! - What it makes are the webhooks that a registered server should have, at the server that its kept token opens, and leading
//!   to the doors that this function was told of: a job says in what form, and nothing more.
//! - No password is made in advance, of a generation that only a revocation would bring.
//! - The key is read for each job and kept no longer. No password is logged, noted or handed on.
//! - A server's webhooks are set up by one job at a time, and not again for some seconds.
//! - A job is noted in the audit before it begins and when it has ended, under whoever asked for it. One that comes twice is
//!   carried out once more at most, and that changes nothing.

#[cfg(feature = "lambda")]
mod lambda;
mod observe;

#[cfg(feature = "lambda")]
pub use lambda::run;

use account::audited::{self, Change};
use account::connect::Outcome;
use account::connecting::{
    ConnectingError, JOB_MINUTES, Job, JobMessage, JobState, SetUp, alone, must_lead_to, of_registry,
};
use account::watch::signed;
use account::{Doors, Registry, RegistryError, ServerEntry, Vault};
use async_trait::async_trait;
use credential::{PrivateKey, User, Verifier};
use futures_util::future::join_all;
use ledger::ServerId;
use observe::Happened;
use platform::Clock;
use postmark_api::{Auth, Endpoint};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use store::AccountStore;
use tokio::time::{Instant, sleep, timeout_at};

/// For how many seconds after a job a server's webhooks are not set up again: the pace at which a taken portal could ask.
const PAUSE_SECONDS: i64 = 10;
/// How long a job waits for another one of its server before it looks again.
const WAIT: Duration = Duration::from_secs(3);
/// By how many a server's password may be ahead of the last one that the doors deny: one that is in use, and one that takes the
/// place of a revoked one before the doors are told.
const AHEAD: u32 = 2;

/// A message of the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// By what the queue knows it.
    pub id: String,
    /// Its text.
    pub body: String,
    /// Whether it was sent by somebody who may send jobs.
    pub trusted: bool,
}

/// Where the operator may have put the key.
#[async_trait]
pub trait KeepsKey: Send + Sync {
    /// The key; nothing where there is none.
    ///
    /// # Errors
    /// Why it cannot be read, without a word of it.
    async fn key(&self) -> Result<Option<PrivateKey>, String>;
}

/// What sets up webhooks.
pub struct Worker {
    /// The ledger.
    pub store: Arc<dyn AccountStore>,
    /// Where the servers' tokens are.
    pub vault: Arc<dyn Vault>,
    /// Where the key is.
    pub keeper: Box<dyn KeepsKey>,
    /// Postmark.
    pub postmark: Endpoint,
    /// The way to our doors.
    pub doors: Doors,
    /// Where they are: whatever a job or the ledger says.
    pub base: String,
    /// The stack, which passwords are signed for.
    pub stack: String,
    /// The keys that the doors verify passwords by.
    pub verifier: Verifier,
    /// What time it is.
    pub clock: Clock,
}

/// The message is to come again.
struct Again;

impl Worker {
    /// Carries out a batch. The ids of the messages that are to come again.
    pub async fn handle(&self, messages: &[Incoming], until: Instant) -> Vec<String> {
        let each = messages.iter().map(|message| async move {
            self.one(message, until).await.err().map(|Again| message.id.clone())
        });
        join_all(each).await.into_iter().flatten().collect()
    }

    async fn one(&self, message: &Incoming, until: Instant) -> Result<(), Again> {
        let Some(message) = JobMessage::decode(&message.body).filter(|_| message.trusted) else {
            Happened::NotUnderstood.emit();
            return Err(Again);
        };
        let (store, server) = (&*self.store, message.server);
        let again = |error: ConnectingError| {
            Happened::Again { server, error: &error }.emit();
            Again
        };
        let is_it = |job: &Job| job.id == message.job && job.state == JobState::Begun;
        let done = loop {
            let job = Job::last(store, server).await.map_err(|error| again(error.into()))?;
            let Some(job) = job.filter(is_it) else {
                Happened::Over { server }.emit();
                return Ok(());
            };
            let work = alone(store, &self.clock, server, PAUSE_SECONDS, self.noted(&message, &job, until));
            match work.await {
                // Whoever does it now may be done soon.
                Err(ConnectingError::Busy(_)) if Instant::now() + WAIT < until => sleep(WAIT).await,
                // So may the ledger.
                Err(error @ (ConnectingError::Busy(_) | ConnectingError::Store(_))) => {
                    return Err(again(error));
                }
                done => break job.ended(&done, (self.clock)()),
            }
        };
        done.keep_end(store, server).await.map_err(|error| again(error.into()))?;
        // What is told of a look of before would be old news; without it, the next look comes by itself.
        let _ = timeout_at(until, self.set_up().look_again(server, &self.base)).await;
        Ok(())
    }

    /// Carries a job out, and notes it before and after, under whoever asked.
    async fn noted(
        &self,
        message: &JobMessage,
        job: &Job,
        until: Instant,
    ) -> Result<Outcome, ConnectingError> {
        let server = message.server;
        let generation = Registry(&*self.store).get(server).await.map_err(of_registry)?;
        let asked = json!({
            "form": job.form, "native_tracking": job.native_tracking,
            "generation": generation.map(|entry| entry.generation),
        });
        let change = Change { server, what: "connect.job", target: None, asked };
        let work = async {
            timeout_at(until, self.carry_out(server, job)).await.unwrap_or(Err(ConnectingError::TooSlow))
        };
        let done =
            audited::change(&*self.store, message.who.clone(), change, &self.clock, work, Outcome::noted)
                .await;
        match &done {
            Ok(outcome) => Happened::Done { server, complete: outcome.complete() }.emit(),
            Err(error) => Happened::Failed { server, error }.emit(),
        }
        done
    }

    async fn carry_out(&self, server: ServerId, job: &Job) -> Result<Outcome, ConnectingError> {
        if (self.clock)() >= job.asked_at.plus_seconds(JOB_MINUTES * 60) {
            return Err(ConnectingError::TooLate(JOB_MINUTES));
        }
        let key = self.key().await?;
        let known = Registry(&*self.store).get(server).await.map_err(of_registry)?;
        let known = known.ok_or_else(|| of_registry(RegistryError::Unknown(server)))?;
        must_lead_to(&known, &self.base)?;
        let asked = ServerEntry { connect: job.form, native_tracking: job.native_tracking, ..known };
        self.set_up().carry_out(&asked, |entry| Ok((self.auth(&key, entry)?, self.base.clone()))).await
    }

    fn set_up(&self) -> SetUp<'_> {
        SetUp {
            store: &*self.store,
            vault: &*self.vault,
            postmark: &self.postmark,
            doors: &self.doors,
            verifier: &self.verifier,
            clock: &self.clock,
        }
    }

    /// The key, if it is the one that passwords are to be signed by.
    async fn key(&self) -> Result<PrivateKey, ConnectingError> {
        let key = self.keeper.key().await.map_err(ConnectingError::Keeper)?;
        let key = key.ok_or(ConnectingError::NoKey)?;
        if key.public().id() == self.verifier.newest() { Ok(key) } else { Err(ConnectingError::OtherKey) }
    }

    fn auth(&self, key: &PrivateKey, entry: &ServerEntry) -> Result<Auth, ConnectingError> {
        let user = User { server: entry.server, generation: entry.generation };
        // Those to come would outlive a revocation: whoever can write the registry could have them made in advance.
        let refused = ConnectingError::Generation(user.generation);
        if user.generation > self.verifier.denied_up_to(user.server).saturating_add(AHEAD) {
            return Err(refused);
        }
        let password = key.password(&self.stack, user);
        let password = password.map_err(|error| ConnectingError::Keeper(error.to_string()))?;
        let auth = Auth { username: user.to_string(), password };
        if signed(&self.verifier, entry, Some(&auth)).is_none() {
            return Err(refused);
        }
        Ok(auth)
    }
}

#[cfg(test)]
mod tests;

//! Setting up a server's webhooks for somebody who asks for it on a page: the port to what may do it, and what became of it.
//!
//! Invariants:
//! - Whoever is asked over the web holds no key that signs passwords. It asks through [`Connecting`], behind which stands
//!   a process that has the key for its own doors, a job for a process that nobody asks over the web, or nothing.
//! - No password is in a [`Job`].

mod by_job;
mod set_up;

#[cfg(feature = "aws")]
pub use by_job::QueuedJobs;
pub use by_job::{ByJob, JobMessage, Jobs};
pub use set_up::{SetUp, alone, api, must_lead_to, of_registry};

use crate::audit::Who;
use crate::connect::{ConnectError, Outcome};
use crate::registry::{ConnectForm, ServerEntry};
use crate::rotate::{Progress, RotateError};
use crate::webhooks::Plan;
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledger::{ServerId, Time};
use postmark_api::Auth;
use ring::rand::SystemRandom;
use serde::{Deserialize, Serialize};
use store::{Collection, DocumentStore, Edit, StoreError, edit};

/// For how many minutes a job that was handed over is worth carrying out: whoever asked for it looks no longer.
pub const JOB_MINUTES: i64 = 15;

/// Why webhooks are not set up. It quotes no token and no password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectingError {
    /// Postmark, our doors, or the registry.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A rotation.
    #[error(transparent)]
    Rotate(#[from] RotateError),
    /// The ledger.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No token of the server is kept.
    #[error("no Postmark token of server {0} is kept here")]
    NoToken(ServerId),
    /// Somebody else does it now.
    #[error("the webhooks of server {0} are being set up right now")]
    Busy(ServerId),
    /// Keys or tokens cannot be read, in their keeper's words.
    #[error("{0}")]
    Keeper(String),
    /// The job could not be put down: nothing was begun.
    #[error("the job could not be handed over, so nothing was begun")]
    NotHandedOver,
    /// It was asked for too long ago.
    #[error("nobody took the job up within {0} minutes, so nothing was done")]
    TooLate(i64),
    /// It took too long.
    #[error("Postmark took too long, so not everything was done; what was done stays")]
    TooSlow,
    /// They were set up to lead elsewhere.
    #[error("the webhooks of this server lead to {0}, and not to this stack's own address")]
    OtherDoors(String),
    /// A password of a generation that this stack has not come to yet, or has left behind.
    #[error("a password of generation {0} is not one that jobs make now")]
    Generation(u32),
    /// The operator has put down no key for such jobs.
    #[error("the key that signs the webhooks' password is not where jobs take it from")]
    NoKey,
    /// The key is not the one that the doors would have passwords signed by.
    #[error("the key that signs the webhooks' password is not the newest one that the doors know")]
    OtherKey,
}

impl ConnectingError {
    /// What to do about it.
    pub fn next(&self) -> String {
        let usual = || "see to that, then do this again".to_owned();
        match self {
            ConnectingError::Connect(error) => error.next().map_or_else(usual, str::to_owned),
            ConnectingError::Rotate(RotateError::Doors(error)) => error.next().to_owned(),
            ConnectingError::NoToken(server) => {
                format!("give it by `postledger server add --server {server}`")
            }
            ConnectingError::Busy(_) => "wait two minutes, then look at what was done".to_owned(),
            ConnectingError::NotHandedOver | ConnectingError::TooLate(_) | ConnectingError::TooSlow => {
                "do this again".to_owned()
            }
            ConnectingError::OtherDoors(_) | ConnectingError::Generation(_) => {
                "the operator of the ledger sets them up by `postledger connect`".to_owned()
            }
            ConnectingError::NoKey | ConnectingError::OtherKey => {
                "the operator of the ledger runs `postledger keys store`, then do this again".to_owned()
            }
            ConnectingError::Rotate(_) | ConnectingError::Store(_) | ConnectingError::Keeper(_) => usual(),
        }
    }
}

impl ConnectingError {
    /// Why, and what to do, as everybody may know it who may ask: where keys are is for the logs.
    pub fn told(&self) -> (String, String) {
        match self {
            ConnectingError::Keeper(_) => (
                "the key or a token cannot be read where the ledger keeps it".to_owned(),
                "the operator of the ledger has to look at its logs".to_owned(),
            ),
            other => (other.to_string(), other.next()),
        }
    }
}

/// What would be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Where the webhooks will lead: the base URL of the doors.
    pub doors: String,
    /// What becomes of each.
    pub plan: Plan,
}

/// Webhooks that somebody asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// In what form; the rest is as the registry has it by the time that it is done.
    pub entry: &'a ServerEntry,
    /// The job's id.
    pub job: &'a str,
    /// Who asked.
    pub who: &'a Who,
}

/// Sets up webhooks, or has it done.
#[async_trait]
pub trait Connecting: Send + Sync {
    /// Looks at Postmark, and plans: nothing is changed. `entry` says in what form.
    async fn plan(&self, entry: &ServerEntry) -> Result<Planned, ConnectingError>;

    /// Carries out what [`plan`](Self::plan) says now, reads it back, and remembers it; or hands that over, and then says
    /// nothing: whoever takes it up notes how it ends.
    async fn connect(&self, asked: &Asked<'_>) -> Result<Option<Outcome>, ConnectingError>;

    /// Where the server's webhooks lead, or would.
    fn doors(&self, entry: &ServerEntry) -> String;

    /// What the key is needed for at once, where this process has it.
    fn key(&self) -> Option<&dyn HasKey>;
}

/// A process that has the key for its own doors.
#[async_trait]
pub trait HasKey: Send + Sync {
    /// What the server's webhooks bear, and the base URL that they lead to: for somebody who sets them up by hand.
    async fn credential(&self, entry: &ServerEntry) -> Result<(Auth, String), ConnectingError>;

    /// Goes on with a rotation of the signing key, or begins one, and moves this server's webhooks.
    async fn rotate(&self, server: ServerId) -> Result<Progress, ConnectingError>;
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It has begun, and its end was not noted.
    Begun,
    /// It has ended: the steps say how.
    Done,
    /// It could not be done, or not to its end.
    Failed,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStep {
    /// `created`, `changed`, `removed` or `verified`.
    pub what: String,
    /// The stream.
    pub stream: String,
    /// Where the webhook leads.
    pub url: String,
    /// Why it was not done, in a sentence.
    pub failed: Option<String>,
    /// What to do about that.
    pub next: Option<String>,
}

/// Webhooks that were to be set up, and what became of it. The last one of each server is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Tells it from others.
    pub id: String,
    /// How far it is.
    pub state: JobState,
    /// When it was asked for.
    pub asked_at: Time,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// In what form.
    pub form: ConnectForm,
    /// Whether opens and clicks were left out.
    pub native_tracking: bool,
    /// What was done.
    pub steps: Vec<JobStep>,
    /// Triggers that Postmark has not on a stream: stream and trigger.
    pub refused: Vec<(String, String)>,
    /// How many triggers of ours Postmark has verified, of how many, as it was read back.
    pub verified: (usize, usize),
    /// Whether all is as it should be.
    pub complete: bool,
    /// Why it failed, and what to do.
    pub problem: Option<(String, String)>,
}

impl Job {
    /// One that begins.
    ///
    /// # Errors
    /// Where the system has no random numbers.
    pub fn begun(entry: &ServerEntry, now: Time) -> Result<Job, StoreError> {
        let id: [u8; 12] =
            ring::rand::generate(&SystemRandom::new()).map_err(|_| StoreError::NoRandom)?.expose();
        Ok(Job {
            id: URL_SAFE_NO_PAD.encode(id),
            state: JobState::Begun,
            asked_at: now,
            ended_at: None,
            form: entry.connect,
            native_tracking: entry.native_tracking,
            steps: Vec::new(),
            refused: Vec::new(),
            verified: (0, 0),
            complete: false,
            problem: None,
        })
    }

    /// Whether it asks for the same, and may still be taken up.
    pub fn is_awaited(&self, entry: &ServerEntry, now: Time) -> bool {
        let is_same = (self.form, self.native_tracking) == (entry.connect, entry.native_tracking);
        is_same && self.state == JobState::Begun && now < self.asked_at.plus_seconds(JOB_MINUTES * 60)
    }

    /// The same at its end.
    #[must_use]
    pub fn ended(self, done: &Result<Outcome, ConnectingError>, now: Time) -> Job {
        let ended = Job { ended_at: Some(now), ..self };
        match done {
            Err(error) => Job { state: JobState::Failed, problem: Some(error.told()), ..ended },
            Ok(outcome) => {
                let verified = |one: &&crate::connect::Standing| one.status.eq_ignore_ascii_case("verified");
                let steps = outcome.steps.iter().map(|step| JobStep {
                    what: step.what.to_owned(),
                    stream: step.stream.clone(),
                    url: step.url.clone(),
                    failed: step.failed.clone(),
                    next: step.next.map(str::to_owned),
                });
                let refused =
                    outcome.refused.iter().map(|(stream, trigger)| (stream.clone(), (*trigger).to_owned()));
                Job {
                    state: JobState::Done,
                    steps: steps.collect(),
                    refused: refused.collect(),
                    verified: (outcome.standing.iter().filter(verified).count(), outcome.standing.len()),
                    complete: outcome.complete(),
                    ..ended
                }
            }
        }
    }

    /// Remembers it as the last one of a server.
    ///
    /// # Errors
    /// The store's own.
    pub async fn keep(&self, store: &dyn DocumentStore, server: ServerId) -> Result<(), StoreError> {
        let text = serde_json::to_string(self).map_err(|_| StoreError::Damaged("registry"))?;
        edit(store, &Collection::Connections, &server.to_string(), |_| {
            Ok::<_, StoreError>(Edit::Write(text.clone(), ()))
        })
        .await
    }

    /// Remembers how it ended, unless another one was asked for meanwhile.
    ///
    /// # Errors
    /// The store's own.
    pub async fn keep_end(&self, store: &dyn DocumentStore, server: ServerId) -> Result<(), StoreError> {
        self.instead_of_itself(store, server, self).await
    }

    /// Gives way to the one before it, since that one is still under way: unless it was remembered anew meanwhile.
    ///
    /// # Errors
    /// The store's own.
    pub async fn give_way(
        &self,
        store: &dyn DocumentStore,
        server: ServerId,
        to: &Job,
    ) -> Result<(), StoreError> {
        self.instead_of_itself(store, server, to).await
    }

    async fn instead_of_itself(
        &self,
        store: &dyn DocumentStore,
        server: ServerId,
        other: &Job,
    ) -> Result<(), StoreError> {
        let other = serde_json::to_string(other).map_err(|_| StoreError::Damaged("registry"))?;
        edit(store, &Collection::Connections, &server.to_string(), |text| {
            let last = text.and_then(|text| serde_json::from_str::<Job>(text).ok());
            Ok::<_, StoreError>(match last.is_some_and(|last| last.id == self.id) {
                true => Edit::Write(other.clone(), ()),
                false => Edit::Keep(()),
            })
        })
        .await
    }

    /// The last one of a server; nothing where there was none, or what is kept is a later version's.
    ///
    /// # Errors
    /// The store's own.
    pub async fn last(store: &dyn DocumentStore, server: ServerId) -> Result<Option<Job>, StoreError> {
        let document = store.document(&Collection::Connections, &server.to_string()).await?;
        Ok(document.and_then(|document| serde_json::from_str(&document.text).ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::{Standing, Step};

    #[tokio::test]
    async fn what_became_of_it_is_remembered_with_what_failed_and_what_to_do() {
        let store = store::Memory::default();
        let server = ServerId::new(7).unwrap();
        let entry = ServerEntry::new(server, "acme", "Acme", Time::from_micros(0));
        let begun = Job::begun(&entry, Time::from_micros(1)).unwrap();
        begun.keep(&store, server).await.unwrap();
        assert_eq!(Job::last(&store, server).await.unwrap().unwrap().state, JobState::Begun);
        let step = |failed: Option<&str>| Step {
            what: "created",
            stream: "outbound".to_owned(),
            url: "https://h/v1/7/bounce".to_owned(),
            failed: failed.map(str::to_owned),
            next: failed.map(|_| "see our doors"),
        };
        let standing = |status: &str| Standing {
            stream: "outbound".to_owned(),
            trigger: "Bounce",
            url: "https://h/v1/7/bounce".to_owned(),
            status: status.to_owned(),
        };
        let outcome = Outcome {
            server,
            steps: vec![step(None), step(Some("no answer"))],
            refused: vec![("news".to_owned(), "SpamComplaint")],
            standing: vec![standing("Verified"), standing("unverified")],
            left: Plan::default(),
        };
        let done = begun.clone().ended(&Ok(outcome), Time::from_micros(2));
        done.keep(&store, server).await.unwrap();
        let last = Job::last(&store, server).await.unwrap().unwrap();
        assert_eq!((last.state, last.complete, last.verified), (JobState::Done, false, (1, 2)));
        assert_eq!(last.steps[1].next.as_deref(), Some("see our doors"));
        let failed = begun.ended(&Err(ConnectingError::NoToken(server)), Time::from_micros(3));
        let (words, next) = failed.problem.clone().unwrap();
        assert!(
            words.contains("token of server 7") && next.contains("server add --server 7"),
            "{words} {next}"
        );
        assert_eq!(failed.state, JobState::Failed);
        assert_eq!(Job::last(&store, ServerId::new(8).unwrap()).await.unwrap(), None);
    }
}

//! Setting up webhooks by a job: whoever is asked over the web has no key. It plans, notes the job, and hands it to a process
//! that nobody asks over the web, which has the key and does it.

use super::{Asked, Connecting, ConnectingError, HasKey, Planned, set_up};
use crate::audit::Who;
use crate::connect;
use crate::registry::ServerEntry;
use crate::vault::Vault;
use crate::watch::signed;
use async_trait::async_trait;
use credential::Verifier;
use ledger::ServerId;
use postmark_api::{Auth, Endpoint};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The version of a message.
const VERSION: u8 = 1;

/// That there is a job. What is to be done stands in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobMessage {
    v: u8,
    /// The server.
    pub server: ServerId,
    /// The job's id.
    pub job: String,
    /// Who asked for it.
    pub who: Who,
}

impl JobMessage {
    /// About a job.
    pub fn new(server: ServerId, job: &str, who: &Who) -> JobMessage {
        JobMessage { v: VERSION, server, job: job.to_owned(), who: who.clone() }
    }

    /// As it stands on a queue.
    pub fn encode(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// Of a queue; nothing where it is not understood.
    pub fn decode(text: &str) -> Option<JobMessage> {
        serde_json::from_str(text).ok().filter(|message: &JobMessage| message.v == VERSION)
    }
}

/// Where jobs are put down.
#[async_trait]
pub trait Jobs: Send + Sync {
    /// Puts one down: it is taken up at least once.
    async fn put(&self, message: JobMessage) -> Result<(), ConnectingError>;
}

/// What plans and hands over.
pub struct ByJob {
    /// Where the servers' tokens are.
    pub vault: Arc<dyn Vault>,
    /// Postmark.
    pub postmark: Endpoint,
    /// The keys that the doors verify passwords by.
    pub verifier: Verifier,
    /// Where the webhooks lead.
    pub doors: String,
    /// Where jobs are put down.
    pub jobs: Arc<dyn Jobs>,
}

#[async_trait]
impl Connecting for ByJob {
    async fn plan(&self, entry: &ServerEntry) -> Result<Planned, ConnectingError> {
        set_up::must_lead_to(entry, &self.doors)?;
        let api = set_up::api(&*self.vault, &self.postmark, entry.server).await?;
        let mut entry = entry.clone();
        // What the key will sign is not known here: that it is signed by the newest one is.
        let of = entry.clone();
        let valid = |auth: Option<&Auth>| {
            signed(&self.verifier, &of, auth).is_some_and(|found| found.key_id() == self.verifier.newest())
        };
        let plan = connect::planned(&mut entry, &api, &self.doors, &valid).await?;
        Ok(Planned { doors: self.doors.clone(), plan })
    }

    async fn connect(&self, asked: &Asked<'_>) -> Result<Option<connect::Outcome>, ConnectingError> {
        self.jobs.put(JobMessage::new(asked.entry.server, asked.job, asked.who)).await?;
        Ok(None)
    }

    fn doors(&self, _: &ServerEntry) -> String {
        self.doors.clone()
    }

    fn key(&self) -> Option<&dyn HasKey> {
        None
    }
}

#[cfg(feature = "aws")]
pub use queued::QueuedJobs;

#[cfg(feature = "aws")]
mod queued {
    use super::{ConnectingError, JobMessage, Jobs, async_trait};
    use aws::Link;

    /// Jobs that are put on a queue of SQS.
    pub struct QueuedJobs {
        link: Link,
        url: String,
    }

    impl QueuedJobs {
        /// On the queue at a URL.
        pub fn new(link: Link, url: impl Into<String>) -> QueuedJobs {
            QueuedJobs { link, url: url.into() }
        }
    }

    #[async_trait]
    impl Jobs for QueuedJobs {
        async fn put(&self, message: JobMessage) -> Result<(), ConnectingError> {
            self.link.send_message(&self.url, &message.encode()).await.map_err(|failed| {
                platform::counted(&failed);
                ConnectingError::NotHandedOver
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::WhoKind;

    #[test]
    fn a_job_is_handed_over_without_what_is_to_be_done_and_comes_back_as_it_was() {
        let who = Who { kind: WhoKind::User, name: "ida".to_owned() };
        let message = JobMessage::new(ServerId::new(7).unwrap(), "a-job", &who);
        assert_eq!(JobMessage::decode(&message.encode()), Some(message.clone()));
        assert!(!message.encode().contains("form"), "{}", message.encode());
        let later = message.encode().replace("\"v\":1", "\"v\":2");
        assert_eq!(JobMessage::decode(&later), None);
        assert_eq!(JobMessage::decode("{"), None);
    }
}

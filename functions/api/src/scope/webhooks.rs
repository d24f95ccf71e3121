//! A server's webhooks, for its admins: what is remembered of them, and what sets them up where something does.

use super::Admin;
use crate::problem::{self, Problem};
use account::Connecting;
use account::connecting::Job;
use account::rotate::{self, Rotation};
use account::watch::Found;
use store::webhook_activity::WebhookActivity;

/// What is remembered of a server's webhooks.
pub struct Remembered {
    /// What was last found at Postmark.
    pub found: Option<Found>,
    /// What came in by them.
    pub activity: WebhookActivity,
    /// The last rotation of the key.
    pub rotation: Option<Rotation>,
    /// What became of the last time that they were to be set up.
    pub job: Option<Job>,
}

impl Admin<'_> {
    /// What is remembered of the webhooks.
    pub(crate) async fn webhooks(&self) -> Result<Remembered, Problem> {
        let (store, server) = (self.reader.store(), self.server);
        let (found, activity, job, rotation) = tokio::join!(
            Found::of(store, server),
            WebhookActivity::of(store, server),
            Job::last(store, server),
            rotate::rotation(store)
        );
        let rotation = rotation.map_err(|error| problem::failed(&error, "the rotation cannot be read"))?;
        Ok(Remembered {
            found: found?,
            activity: activity?,
            rotation: rotation.map(|(rotation, _)| rotation),
            job: job?,
        })
    }

    /// What sets up webhooks, where something does.
    pub(crate) fn connecting(&self) -> Option<&dyn Connecting> {
        self.gate.parts.connecting.as_deref()
    }

    /// Remembers a job as the last one.
    pub(crate) async fn keep_job(&self, job: &Job) -> Result<(), Problem> {
        Ok(job.keep(self.reader.store(), self.server).await?)
    }

    /// Remembers one that is under way, in the place of another that could not begin for that.
    pub(crate) async fn give_way(&self, job: &Job, to: &Job) -> Result<(), Problem> {
        Ok(job.give_way(self.reader.store(), self.server, to).await?)
    }

    /// The last job.
    pub(crate) async fn last_job(&self) -> Result<Option<Job>, Problem> {
        Ok(Job::last(self.reader.store(), self.server).await?)
    }
}

//! What setting up webhooks tells of itself. What is given up is counted by its queue of dead letters, and an alarm tells.

use account::connecting::ConnectingError;
use ledger::ServerId;

/// Something that happened to a job.
pub(crate) enum Happened<'a> {
    /// It was carried out; not all of it may have gone well.
    Done { server: ServerId, complete: bool },
    /// It could not be carried out, which was noted.
    Failed { server: ServerId, error: &'a ConnectingError },
    /// It comes again.
    Again { server: ServerId, error: &'a ConnectingError },
    /// Another one was asked for meanwhile, or it is over.
    Over { server: ServerId },
    /// A message is nothing that this release knows, or nobody sent it who may.
    NotUnderstood,
}

impl Happened<'_> {
    pub(crate) fn emit(self) {
        match self {
            Happened::Done { server, complete } => {
                tracing::info!(server = %server, connect.complete = complete, "webhooks were set up");
            }
            Happened::Failed { server, error } => {
                let next = error.next();
                tracing::error!(server = %server, error = %error, connect.next = next, "webhooks could not be set up");
            }
            Happened::Again { server, error } => {
                tracing::warn!(server = %server, error = %error, "webhooks could not be set up now; the job comes again");
            }
            Happened::Over { server } => {
                tracing::info!(server = %server, "a job was over, or another one took its place");
            }
            Happened::NotUnderstood => {
                tracing::error!(
                    "a message on the queue of jobs is not understood, or from nobody who may send one"
                );
            }
        }
    }
}

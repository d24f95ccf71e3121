//! What sweeping tells of itself. A run that fails is counted by Lambda, and an alarm tells.

use crate::report::Swept;
use store::StoreError;

/// Something that happened.
pub(crate) enum Happened<'a> {
    /// A recipient's events could not be stripped.
    Failed { error: &'a StoreError },
    /// A body was not read, since runs died at it.
    Unread,
    /// A run is over.
    Over { swept: Swept },
}

impl Happened<'_> {
    pub(crate) fn emit(self) {
        match self {
            Happened::Failed { error } => {
                let call = platform::counted(error);
                tracing::error!(
                    call.kind = call.kind,
                    call.code = call.code,
                    call.action = call.action,
                    error = %error,
                    "the events of an erased recipient could not be stripped"
                );
            }
            Happened::Unread => {
                metrics::counter!("SweepUnread").increment(1);
                tracing::error!("sweeping died repeatedly at a body in quarantine; it is skipped unread");
            }
            Happened::Over { swept } => tracing::info!(
                sweep.recipients = swept.recipients,
                sweep.failed = swept.failed,
                sweep.events = swept.events,
                sweep.parts = swept.parts,
                sweep.unread = swept.unread,
                sweep.letters = swept.letters,
                sweep.done = swept.done,
                sweep.finished = swept.finished,
                "what was left of erased recipients was swept"
            ),
        }
    }
}

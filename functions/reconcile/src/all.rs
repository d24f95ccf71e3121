//! A run over all servers: what the schedule starts.

use crate::observe::Happened;
use crate::report::Run;
use crate::{Job, Period, Reconcile, ReconcileError};
use account::{Registry, Vault};
use ledger::ServerId;
use postmark_api::Endpoint;
use tokio::time::Instant;

impl Reconcile {
    /// Does what is due on all servers, those first that have waited longest. A server that fails keeps none waiting.
    ///
    /// # Errors
    /// Where the registry cannot be read.
    pub async fn all(
        &self,
        postmark: &Endpoint,
        vault: &dyn Vault,
        until: Option<Instant>,
    ) -> Result<Run, ReconcileError> {
        let mut servers = Vec::new();
        for entry in Registry(&*self.store).list().await? {
            servers.push((self.finished_at(entry.server).await?, entry.server));
        }
        servers.sort_unstable();
        let mut run = Run { servers: servers.len(), done: 0 };
        for (_, server) in servers {
            if until.is_some_and(|until| Instant::now() >= until) {
                break;
            }
            match self.one(server, postmark, vault, until).await {
                // Somebody else is at it: it is being looked at.
                Ok(true) | Err(ReconcileError::Busy(_)) => run.done += 1,
                Ok(false) => Happened::NoToken { server }.emit(),
                Err(error) => Happened::Failed { server, error: &error }.emit(),
            }
        }
        Happened::Over { run }.emit();
        Ok(run)
    }

    /// Does what is due on a server; `false` where its token is not there.
    async fn one(
        &self,
        server: ServerId,
        postmark: &Endpoint,
        vault: &dyn Vault,
        until: Option<Instant>,
    ) -> Result<bool, ReconcileError> {
        let Some(token) = vault.token(server).await? else { return Ok(false) };
        let job = Job { server, span: Period::Due, dry_run: false, until };
        self.run(&postmark.server(token), &job, &|_| {}).await?;
        Ok(true)
    }
}

//! A run over all servers: checks each, asks Postmark to verify paused triggers again, and reports what it found.
//!
//! Invariants:
//! - Two runs never overlap: a run holds a lease, whoever starts it.
//! - It has no private key, so it changes no webhook: it only verifies, and reports.
//! - A server that fails does not hold up the others.

#[cfg(feature = "lambda")]
mod lambda;
mod observe;

#[cfg(feature = "lambda")]
pub use lambda::run;

use account::watch::{Found, Report, Sent, Watch, WatchError};
use account::{Lease, Registry, ServerEntry, Vault};
use credential::Verifier;
use futures_util::stream::{self, StreamExt as _};
use observe::Happened;
use platform::Clock;
use postmark_api::Endpoint;
use std::sync::Arc;
use store::Store;
use tokio::time::Instant;

/// How long a run may hold its lease, in seconds: longer than the function may run.
pub const LEASE_SECONDS: i64 = 330;
/// The name of the lease.
const LEASE: &str = "watch";
/// How many servers are looked at at once: a look is some twenty calls, one after the other.
const AT_ONCE: usize = 4;
/// How often a run begins, about: with whom it begins moves on as often.
const ROUND_SECONDS: i64 = 15 * 60;

/// What looks after the servers of a stack.
pub struct Rounds {
    /// The tables.
    pub store: Arc<dyn Store>,
    /// The servers' tokens.
    pub vault: Arc<dyn Vault>,
    /// Postmark.
    pub postmark: Endpoint,
    /// Tells whether webhooks' passwords are right.
    pub verifier: Arc<Verifier>,
    /// Where webhooks of servers lead that `connect` did not connect.
    pub base: Option<String>,
    /// Whether paused triggers are verified again.
    pub repair: bool,
    /// What time it is.
    pub clock: Clock,
}

impl Rounds {
    /// Looks at all servers, as far as there is time. What was found; `None` where another run is under way.
    pub async fn all(&self, until: Option<Instant>) -> Result<Option<Vec<Report>>, WatchError> {
        let now = (self.clock)();
        let Some(lease) = Lease::take(&*self.store, LEASE, now, LEASE_SECONDS).await? else {
            Happened::Busy.emit();
            return Ok(None);
        };
        let reports = self.round(until).await;
        lease.release(&*self.store).await?;
        reports.map(Some)
    }

    async fn round(&self, until: Option<Instant>) -> Result<Vec<Report>, WatchError> {
        let now = (self.clock)();
        let mut servers = Registry(&*self.store).list().await?;
        if !servers.is_empty() {
            // Where time is too short for all, another one is last each time.
            let first = (now.seconds() / ROUND_SECONDS).unsigned_abs() as usize % servers.len();
            servers.rotate_left(first);
        }
        let in_time = || until.is_none_or(|until| Instant::now() < until);
        let looks =
            servers.into_iter().map(|entry| async move { in_time().then_some(self.one(&entry).await) });
        let mut reports = Vec::new();
        let mut left = 0;
        let mut looks = stream::iter(looks).buffer_unordered(AT_ONCE);
        while let Some(look) = looks.next().await {
            match look {
                Some(Ok(report)) => {
                    Happened::Looked { report: &report }.emit();
                    reports.push(report);
                }
                Some(Err(error)) => Happened::Failed { error: &error }.emit(),
                None => left += 1,
            }
        }
        let sent = Sent::new_since(&*self.store, &reports, (self.clock)()).await?;
        Happened::Over { servers: reports.len(), left, sent }.emit();
        Ok(reports)
    }

    async fn one(&self, entry: &ServerEntry) -> Result<Report, WatchError> {
        let report = self.look(entry).await?;
        // What was found is told and counted, whether it can be remembered or not.
        if let Err(error) = Found::keep(&*self.store, &report, (self.clock)()).await {
            platform::logs::not_remembered("what was found at a server", &error);
        }
        Ok(report)
    }

    async fn look(&self, entry: &ServerEntry) -> Result<Report, WatchError> {
        let Some(token) = self.vault.token(entry.server).await? else {
            return Ok(Watch::without_token(entry));
        };
        let watch = Watch {
            store: &*self.store,
            verifier: &self.verifier,
            base: self.base.as_deref(),
            repair: self.repair,
            now: (self.clock)(),
        };
        watch.look(entry, &self.postmark.server(token)).await
    }
}

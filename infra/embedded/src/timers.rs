//! What schedules start on AWS, started by timers: reconcile, watch, the sweep of what is left of the erased, and expiry.
//! Each holds the lease that its function holds there.

use account::Vault;
use credential::Verifier;
use erasure::sweep::Sweep;
use ledger::LedgerKey;
use platform::Clock;
use postmark_api::Endpoint;
use queue::Queue;
use reconcile::Reconcile;
use std::sync::Arc;
use std::time::Duration;
use store::{Sqlite, Store};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use watch::Rounds;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// How long after the start each begins, and how often it runs: as often as the template's schedules.
const EXPIRE: (Duration, Duration) = (SECOND.saturating_mul(5), MINUTE);
const WATCH: (Duration, Duration) = (MINUTE, MINUTE.saturating_mul(15));
const RECONCILE: (Duration, Duration) = (MINUTE.saturating_mul(2), MINUTE.saturating_mul(60));
const SWEEP: (Duration, Duration) = (MINUTE.saturating_mul(3), MINUTE.saturating_mul(24 * 60));
/// How long a run may begin something new: within its lease.
const RECONCILE_TIME: Duration = Duration::from_secs(14 * 60);
const WATCH_TIME: Duration = Duration::from_secs(4 * 60);
const SWEEP_TIME: Duration = Duration::from_secs(10 * 60);

/// What the timers work with.
#[derive(Clone)]
pub struct Timers {
    /// The tables.
    pub store: Arc<Sqlite>,
    /// The queues.
    pub queue: Arc<dyn Queue>,
    /// Where the servers' Postmark tokens are kept.
    pub vault: Arc<dyn Vault>,
    /// Postmark.
    pub postmark: Endpoint,
    /// What verifies credentials now.
    pub verifier: Arc<dyn Fn() -> Arc<Verifier> + Send + Sync>,
    /// Where webhooks lead of servers that nobody has connected yet.
    pub base: Option<String>,
    /// What makes recipient ids.
    pub ledger_key: LedgerKey,
    /// What time it is.
    pub clock: Clock,
}

impl Timers {
    /// Starts them. They end where the set is dropped; what a run has done until then stays done.
    pub fn start(&self) -> JoinSet<()> {
        let mut timers = JoinSet::new();
        let (expire, watch, reconcile, sweep) = (self.clone(), self.clone(), self.clone(), self.clone());
        timers.spawn(every(EXPIRE, async move || expire.expire().await));
        timers.spawn(every(WATCH, async move || watch.watch().await));
        timers.spawn(every(RECONCILE, async move || reconcile.reconcile().await));
        timers.spawn(every(SWEEP, async move || sweep.sweep().await));
        timers
    }

    async fn expire(&self) {
        match self.store.expire((self.clock)()).await {
            Ok(0) => {}
            Ok(gone) => tracing::info!(expired = gone, "what has expired was deleted"),
            Err(error) => platform::logs::run_failed(&error),
        }
    }

    async fn watch(&self) {
        let rounds = Rounds {
            store: self.store.clone() as Arc<dyn Store>,
            vault: self.vault.clone(),
            postmark: self.postmark.clone(),
            verifier: (self.verifier)(),
            base: self.base.clone(),
            repair: true,
            clock: self.clock.clone(),
        };
        // What was found is logged and counted by the work itself.
        if let Err(error) = rounds.all(Some(Instant::now() + WATCH_TIME)).await {
            platform::logs::run_failed(&error);
        }
    }

    async fn reconcile(&self) {
        let work = Reconcile {
            store: self.store.clone() as Arc<dyn Store>,
            queue: self.queue.clone() as Arc<dyn queue::Sender>,
            ledger_key: self.ledger_key.clone(),
            keep_engagement_detail: false,
            clock: self.clock.clone(),
        };
        let until = Some(Instant::now() + RECONCILE_TIME);
        if let Err(error) = work.all(&self.postmark, &*self.vault, until).await {
            platform::logs::run_failed(&error);
        }
    }

    async fn sweep(&self) {
        let work = Sweep {
            store: self.store.clone() as Arc<dyn Store>,
            queue: self.queue.clone(),
            ledger_key: self.ledger_key.clone(),
            clock: self.clock.clone(),
        };
        if let Err(error) = work.run(Some(Instant::now() + SWEEP_TIME)).await {
            platform::logs::run_failed(&error);
        }
    }
}

/// Does something again and again; a run that takes longer than that puts the next one off.
async fn every((first, period): (Duration, Duration), work: impl AsyncFn()) {
    let mut ticks = interval_at(Instant::now() + first, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        work().await;
    }
}

//! What the operator and the scheduled functions do: connect, watch, reconcile, rotate.

use super::front::BASE;
use super::world::World;
use crate::soak::CONSUMER_FAULTS;
use account::connect::Connect;
use account::rotate::Stage;
use account::watch::Watch;
use account::{Keys as _, Registry, Rotate, ServerEntry};
use ledger::Source;
use platform::Clock;
use postmark_api::ServerApi;
use reconcile::{Job, Period, Reconcile, Report};
use std::sync::Arc;
use store::Store;

/// What a look at a server came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// Webhooks are missing, or otherwise than they should be.
    pub(crate) drift: bool,
    /// Triggers were paused, and are verified again.
    pub(crate) reverified: bool,
}

impl World {
    async fn entry(&self, client: usize) -> ServerEntry {
        let server = self.clients[client].server;
        let entry = Registry(&*self.store).get(server).await.expect("the registry");
        entry.unwrap_or_else(|| {
            ServerEntry::new(server, "agency", &format!("Client {client}"), self.clock.now())
        })
    }

    /// `postledger server add` and `postledger connect`, or `connect` again. Whether all is as it should be.
    pub(crate) async fn connect(&self, client: usize) -> bool {
        let (mut entry, of) = (self.entry(client).await, &self.clients[client]);
        if Registry(&*self.store).put(&entry).await.is_err() {
            return false;
        }
        let auth = self.keys.auth_of(of.server);
        let connect = Connect { store: &*self.store, api: &of.api, doors: &self.doors, auth: &auth };
        let Ok(plan) = connect.look(&mut entry, BASE).await else { return false };
        match connect.carry_out(&entry, BASE, plan).await {
            Ok(outcome) => outcome.complete(),
            Err(_) => false,
        }
    }

    /// One look of the scheduled `watch`, with repair.
    pub(crate) async fn watch(&self, client: usize) -> Look {
        let (entry, of) = (self.entry(client).await, &self.clients[client]);
        let verifier = self.keys.verifier();
        let (store, now) = (&*self.store, self.clock.now());
        let watch = Watch { store, verifier: &verifier, base: None, repair: true, now };
        let report = watch.look(&entry, &of.api).await.expect("the registry");
        let reverified = report.findings.iter().any(|finding| finding.code == "trigger_reverified");
        Look { drift: report.drift > 0, reverified }
    }

    /// One run of reconcile. `None` where it failed, or was killed.
    pub(crate) async fn reconcile(&self, client: usize, span: Period) -> Option<Report> {
        let plan = self.reconcile_troubles.plan(&CONSUMER_FAULTS);
        let store: Arc<dyn Store> = Arc::new(store::Faulty::new(self.store.clone(), plan.clone()));
        let clock: Clock = self.clock.clock();
        let with = Reconcile {
            store,
            queue: Arc::new(queue::Faulty::new(self.queue.clone(), plan.clone())),
            ledger_key: self.ledger_key.clone(),
            keep_engagement_detail: false,
            clock,
        };
        let of = &self.clients[client];
        let job = Job { server: of.server, span, dry_run: false, until: None };
        let progress = |_: &Report| {};
        tokio::select! {
            biased;
            report = with.run(&of.api, &job, &progress) => report.ok(),
            () = plan.stopped() => None,
        }
    }

    /// All that Postmark knows of the whole time, once more.
    pub(crate) fn whole(&self, from: ledger::Time) -> Period {
        Period::Asked { from, to: self.clock.now(), source: Source::Reconcile }
    }

    /// One run of `postledger keys rotate`, and the deployment that it asks for. Whether the rotation is over.
    pub(crate) async fn rotate(&mut self) -> bool {
        let mut servers: Vec<(ServerEntry, Option<ServerApi>)> = Vec::new();
        for client in 0..self.clients.len() {
            servers.push((self.entry(client).await, Some(self.clients[client].api.clone())));
        }
        let known = self.keys.ids();
        let (store, now) = (self.store.clone(), self.clock.now());
        let mut rotate = Rotate { store: &*store, keys: &mut self.keys, doors: &self.doors, now };
        let progress = rotate.run(&servers, None).await;
        if self.keys.ids() != known {
            self.deploy(false);
        }
        progress.is_ok_and(|progress| progress.stage == Stage::Retired)
    }
}

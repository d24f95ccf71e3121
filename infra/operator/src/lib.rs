//! What only whoever operates a ledger asks of it or tells it: queues, dead letters, quarantine, revoked passwords,
//! registry, rebuilding. [`routes`] has them beside the read API's, in the same language: JSON, RFC 3339 times, problem
//! documents.
//!
//! Invariant: no token reaches any of this. The embedded mode serves it on a listener of its own, to whoever bears the
//! secret of that run; for a stack on AWS it runs in the command's own process, by the operator's access. No Lambda
//! function has it.

pub mod documents;
mod index;
mod messages;
mod progress;
pub mod routes;
mod streams;

pub use messages::{
    Forgotten, Index, IndexFill, IndexNote, IndexState, OnQueue, QuarantineQuery, Reconcile as ReconcileAsk,
    Redrive, Redriven, Repaired, Replay, Replayed, Revoked, SetAside as Listed,
};
pub use progress::{Step, Watched};

use account::audit::Who;
use account::audited::{self, Change};
use account::{Connecting, Registry, Streams, Vault};
use answers::{PortalLink, Timestamp};
use api::Api;
use api::kept::Kept;
use api::problem::Problem;
use api::scope::Portal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use erasure::Swept;
use erasure::sweep::{Sweep, SweepError};
use http::StatusCode;
use ledger::policy::SoftBouncePolicy;
use ledger::{LedgerKey, ServerId, Source};
use people::{Link, LinkFor, User};
use platform::Clock;
use postmark_api::{Endpoint, Https, Timeouts, Token};
use queue::{Envelope, EnvelopeError, Message, Part, Queue, QueueError, QueueName, RECEIVE_MAX, Trusted};
use reconcile::{Job, Period, Reconcile, ReconcileError};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use store::rebuild::{self, Report};
use store::{Scan, Store};
use tokio::time::Instant;

/// Of how many days the quarantine is listed at most.
pub const DAYS_MAX: u32 = 400;
/// How often in a row a queue must yield nothing until it is taken for empty: one receive of SQS asks some of
/// its servers only.
const EMPTY_MAX: u32 = 5;
/// The pause before a queue that yielded nothing is asked again.
const EMPTY_PAUSE: Duration = Duration::from_millis(50);

/// What is said to a command whose words are not understood here.
const OTHER_RELEASE: &str = "use the `postledger` of the same release as the ledger that it asks";

/// What is said where work stopped half-way.
const GO_ON: &str = "run it again: it goes on from there";

/// What is asked for is not there.
fn missing(what: &str, next: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "missing", "It is not there", what).next(next)
}

/// What is asked cannot be done, and would not be the next time.
fn unusable(why: impl ToString) -> Problem {
    Problem::conflict("unusable", "It cannot be done", why.to_string())
        .next("see to that, then do this again")
}

fn of_sweep(error: SweepError) -> Problem {
    match error {
        SweepError::Store(error) => error.into(),
        SweepError::Queue(error) => error.into(),
        SweepError::Unreadable => unusable(error),
    }
}

fn of_reconcile(error: ReconcileError) -> Problem {
    match error {
        ReconcileError::Store(error) => error.into(),
        ReconcileError::Queue(error) => error.into(),
        // What was told until then is told.
        ReconcileError::Api(error) => unusable(&error).next(error.next().unwrap_or(GO_ON)),
        error => unusable(error).next(GO_ON),
    }
}

/// What an operator's way to a ledger is made of.
pub struct Parts {
    /// The tables.
    pub store: Arc<dyn Scan>,
    /// The queues.
    pub queue: Arc<dyn Queue>,
    /// Where the servers' Postmark tokens are kept.
    pub vault: Arc<dyn Vault>,
    /// Postmark.
    pub postmark: Endpoint,
    /// What makes recipient ids.
    pub ledger_key: LedgerKey,
    /// The soft-bounce policy of streams that have none of their own.
    pub policy: SoftBouncePolicy,
    /// Whose messages may tell more than webhooks do.
    pub trusted: Trusted,
    /// What time it is.
    pub clock: Clock,
    /// Where users sign in, if they do.
    pub portal: Option<Portal>,
    /// What sets up webhooks for whoever asks for it over the web, if something does.
    pub connecting: Option<Arc<dyn Connecting>>,
}

/// What an operator reaches a ledger by.
pub struct Operator {
    /// The tables.
    pub store: Arc<dyn Scan>,
    /// The queues.
    pub queue: Arc<dyn Queue>,
    /// Finds the streams that are asked about.
    pub streams: Streams,
    /// Whose messages may tell more than webhooks do.
    pub trusted: Trusted,
    /// What makes recipient ids.
    pub ledger_key: LedgerKey,
    /// What time it is.
    pub clock: Clock,
    /// The read API.
    pub api: Api,
    /// Where users sign in, if they do.
    pub portal: Option<Portal>,
    /// Who watches long pieces of work.
    pub watched: Watched,
}

impl Operator {
    /// Made of its parts.
    pub fn new(parts: Parts) -> Operator {
        let Parts { store, queue, vault, postmark, ledger_key, policy, trusted, clock, portal, connecting } =
            parts;
        let streams = Streams::new(vault.clone(), postmark.clone());
        let api = Api::new(api::Parts {
            store: store.clone(),
            queue: queue.clone(),
            vault,
            postmark,
            streams: streams.clone(),
            ledger_key: ledger_key.clone(),
            policy,
            clock: clock.clone(),
            portal: portal.clone(),
            connecting,
        });
        let watched = Watched::default();
        Operator { store, queue, streams, trusted, ledger_key, clock, api, portal, watched }
    }

    /// Does a change, noted before it begins and when it has ended.
    async fn noted<T>(
        &self,
        who: &Who,
        change: Change,
        work: impl Future<Output = Result<T, Problem>>,
        told: impl FnOnce(&T) -> Value,
    ) -> Result<T, Problem> {
        audited::change(&*self.store, who.clone(), change, &self.clock, work, told).await
    }

    /// What is on each queue: how much waits, is being consumed, is dead. On AWS these are approximate.
    pub async fn queues(&self) -> Result<Vec<OnQueue>, QueueError> {
        let mut all = Vec::new();
        for name in QueueName::LIVE {
            let here = self.queue.depth(name).await?;
            let dead = match name.dead() {
                Some(dead) => self.queue.depth(dead).await?.visible,
                None => 0,
            };
            let queue = name.name().to_owned();
            all.push(OnQueue { queue, waiting: here.visible, in_flight: here.in_flight, dead });
        }
        Ok(all)
    }

    /// What was set aside in the last days, the latest last.
    async fn quarantine(&self, query: QuarantineQuery) -> Result<Vec<Listed>, Problem> {
        if !(1..=DAYS_MAX).contains(&query.days) {
            let words = format!("days: expected a number from 1 to {DAYS_MAX}");
            return Err(Problem::bad_request(words).next("name fewer days"));
        }
        let now = (self.clock)();
        let mut listed = Vec::new();
        for day in (0..i64::from(query.days)).rev() {
            let kept = self.store.quarantined_on(&now.plus_days(-day).day()).await?;
            listed.extend(kept.iter().filter(|kept| kept.part.part == 1).map(Listed::of));
        }
        Ok(listed)
    }

    /// One body in quarantine, by the key that the list shows.
    ///
    /// # Errors
    /// Where nothing of that key is there, a part is missing, or the store's own.
    pub async fn set_aside(&self, key: &str) -> Result<Listed, Problem> {
        let kept = Kept::find(&*self.store, None, key).await?;
        Ok(Listed { body_base64: Some(STANDARD.encode(kept.aside.body)), ..Listed::of(&kept.listed) })
    }

    /// Puts a body in quarantine on its queue, as it was received then.
    ///
    /// # Errors
    /// Where nothing of that key is there, where it would be set aside again, where only an override records it, or the
    /// ports' own.
    pub async fn replay(&self, who: &Who, key: &str, replay: Replay) -> Result<Replayed, Problem> {
        let kept = Kept::find(&*self.store, None, key).await?;
        let asked = json!({ "another_body": replay.body_base64.is_some(), "override": replay.overridden });
        let server = kept.aside.server;
        let change = Change { server, what: "quarantine.replay", target: Some(key.to_owned()), asked };
        let work = async {
            let body =
                replay.body_base64.map(|encoded| STANDARD.decode(encoded)).transpose().map_err(unusable)?;
            let how = api::kept::Replay { overridden: replay.overridden, body };
            let ports = (&*self.store as &dyn Store, &*self.queue);
            let (identity, queue) = kept.replay(ports, &self.ledger_key, &how, (self.clock)()).await?;
            Ok(Replayed { identity, queue: queue.name().to_owned() })
        };
        self.noted(who, change, work, |replayed| json!({ "event": replayed.identity })).await
    }

    /// Which passwords are revoked, and from when.
    async fn revoked(&self) -> Result<Vec<Revoked>, Problem> {
        let revoked = self.store.rules().await?.revocations().into_iter();
        Ok(revoked
            .map(|(server, generation, from)| Revoked { server, generation, from: from.into() })
            .collect())
    }

    /// Revokes one of a server's passwords. Where the registry says that it is in use, it says from then on that the next
    /// one is which is not revoked.
    async fn revoke(&self, who: &Who, revoke: Revoked) -> Result<Revoked, Problem> {
        let Revoked { server, generation, from } = revoke;
        let asked = json!({ "generation": generation, "from": from.to_string() });
        let work = async {
            self.store.revoke(server, generation, from.0).await?;
            let store = &*self.store;
            let in_use = Registry(store).get(server).await?.map(|entry| entry.generation);
            if in_use != Some(generation) {
                return Ok(None);
            }
            let rules = self.store.rules().await?;
            let next = (generation..=u32::MAX).find(|next| rules.revoked_at(server, *next).is_none());
            let next = next.unwrap_or(u32::MAX);
            Registry(store).update(server, |entry| entry.generation = next).await?;
            Ok(Some(next))
        };
        let told = |next: &Option<u32>| next.map_or(Value::Null, |next| json!({ "generation": next }));
        self.noted(who, Change { server, what: "revoke", target: None, asked }, work, told).await?;
        Ok(revoke)
    }

    /// Takes back that a password is revoked: what came in with it since, and is still kept, can be replayed. From when it
    /// was.
    async fn unrevoke(&self, who: &Who, server: ServerId, generation: u32) -> Result<Revoked, Problem> {
        let from = self.store.rules().await?.revoked_at(server, generation);
        let from = from.ok_or_else(|| {
            missing("that password is not revoked", "`postledger revoke --list` shows those that are")
        })?;
        let asked = json!({ "generation": generation });
        let change = Change { server, what: "revoke.undo", target: None, asked };
        let work = async { Ok(self.store.unrevoke(server, generation).await?) };
        self.noted(who, change, work, |()| json!({ "was": from.to_string() })).await?;
        Ok(Revoked { server, generation, from: from.into() })
    }

    /// Makes a link that signs a user in once, without mail.
    async fn user_link(&self, who: &Who, id: &str) -> Result<PortalLink, Problem> {
        let portal = self.portal.as_ref().ok_or_else(Problem::no_portal)?;
        let nobody = || missing("there is no such user", "`postledger user list` shows those that there are");
        let user = User::get(&*self.store, id).await?.ok_or_else(nobody)?;
        let target = Some(user.id.clone());
        let change = Change { server: ServerId::NONE, what: "user.link", target, asked: Value::Null };
        let work = async {
            let to = LinkFor::User { id: user.id.clone() };
            let (secret, expires_at) = Link::make(&*self.store, to, (self.clock)()).await?;
            Ok(PortalLink { url: portal.link(&secret), expires_at: expires_at.into() })
        };
        self.noted(who, change, work, |_| Value::Null).await
    }

    /// Takes what is left of erased recipients out of tables, quarantine and dead letters. It may be done again.
    async fn sweep(&self) -> Result<Swept, Problem> {
        let sweep = Sweep {
            store: self.store.clone(),
            queue: self.queue.clone(),
            ledger_key: self.ledger_key.clone(),
            clock: self.clock.clone(),
        };
        sweep.run(None).await.map_err(of_sweep)
    }

    /// Takes dead letters back to their live queue. Each is sent before it is deleted, so that whoever is killed
    /// in between loses nothing: at worst a message comes twice, which changes nothing. It ends when the
    /// dead-letter queue yields nothing any more, or when as many were moved as there were: what dies again
    /// meanwhile is left for the next time.
    ///
    /// # Errors
    /// Where there is no such live queue, or the queue's own; what was moved until then is moved.
    pub async fn redrive(&self, who: &Who, queue: &str, redrive: Redrive) -> Result<Redriven, Problem> {
        let live = QueueName::LIVE.into_iter().find(|name| name.name() == queue);
        let known = live.and_then(|live| Some((live, live.dead()?)));
        let (live, dead) = known
            .ok_or_else(|| missing("there is no such live queue", "name critical, bulk or quarantine"))?;
        let depth = self.queue.depth(dead).await?;
        let found = depth.visible + depth.in_flight;
        let redriven = Redriven { queue: queue.to_owned(), found, moved: 0, left: 0 };
        if redrive.dry_run {
            return Ok(redriven);
        }
        let change = Change {
            server: ServerId::NONE,
            what: "redrive",
            target: Some(queue.to_owned()),
            asked: Value::Null,
        };
        let work = self.moved(live, dead, redriven);
        self.noted(who, change, work, |redriven| json!({ "moved": redriven.moved })).await
    }

    async fn moved(
        &self,
        live: QueueName,
        dead: QueueName,
        mut redriven: Redriven,
    ) -> Result<Redriven, Problem> {
        // Where fewer are told of than there are, one receive's worth is moved nevertheless.
        let moved_max = redriven.found.max(RECEIVE_MAX);
        let mut empty = 0;
        while redriven.moved + redriven.left < moved_max && empty < EMPTY_MAX {
            let most = RECEIVE_MAX.min(moved_max - redriven.moved - redriven.left);
            let messages = self.queue.receive(dead, most).await?;
            if messages.is_empty() {
                empty += 1;
                tokio::time::sleep(EMPTY_PAUSE).await;
                continue;
            }
            empty = 0;
            // Sent again it would be told by an operator: what its sender might not tell stays a dead letter.
            let (messages, left): (Vec<_>, Vec<_>) =
                messages.into_iter().partition(|message| self.may_tell(live, message));
            redriven.left += left.len();
            let (sent, failed) = self.send_all(live, &messages).await;
            self.queue.delete(dead, &sent).await?;
            redriven.moved += sent.len();
            self.watched.tell(redriven.moved as u64, redriven.found as u64);
            if let Some(error) = failed {
                return Err(error.into());
            }
        }
        Ok(redriven)
    }

    /// Whether a message's sender may tell what is in it. Of a later release's message only that release knows.
    fn may_tell(&self, live: QueueName, message: &Message) -> bool {
        if self.trusted.sent(message.sender.as_deref()) {
            return true;
        }
        if live == QueueName::Quarantine {
            return Part::decode(&message.body).is_ok_and(|part| part.source == Source::Webhook);
        }
        match Envelope::decode(&message.body) {
            Ok(envelope) => consumer::says_webhook(&envelope),
            Err(error) => error != EnvelopeError::LaterVersion,
        }
    }

    /// Sends until one fails: the receipts of what was sent, and that failure.
    async fn send_all(&self, to: QueueName, messages: &[Message]) -> (Vec<String>, Option<QueueError>) {
        let mut sent = Vec::new();
        for message in messages {
            match self.queue.send(to, &message.body).await {
                Ok(()) => sent.push(message.receipt.clone()),
                Err(error) => return (sent, Some(error)),
            }
        }
        (sent, None)
    }

    /// Compares a server with what Postmark knows of it, and puts what is missing on the queues.
    async fn reconcile(&self, server: ServerId, ask: ReconcileAsk) -> Result<reconcile::Report, Problem> {
        let https = Https::new(Timeouts::default()).map_err(unusable)?;
        let token = Token::new(&ask.token).map_err(unusable)?;
        let api = Endpoint::new(Arc::new(https)).with_base(&ask.postmark).server(token);
        let span = match (ask.from, ask.to) {
            (Some(Timestamp(from)), Some(Timestamp(to))) => {
                let source = if ask.backfill { Source::Backfill } else { Source::Reconcile };
                Period::Asked { from, to, source }
            }
            _ => Period::Due,
        };
        let until = ask.seconds.and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds)));
        let job = Job { server, span, dry_run: ask.dry_run, until };
        let reconcile = Reconcile {
            store: self.store.clone(),
            queue: self.queue.clone(),
            ledger_key: self.ledger_key.clone(),
            keep_engagement_detail: false,
            clock: self.clock.clone(),
        };
        let progress = |report: &reconcile::Report| {
            let days = report.streams.values().map(|stream| stream.days).sum();
            self.watched.tell(report.told(), days);
        };
        reconcile.run(&api, &job, &progress).await.map_err(of_reconcile)
    }

    /// Folds a server's events anew and tells what is stored otherwise.
    async fn verify(&self, server: ServerId) -> Result<Report, Problem> {
        self.known(server).await?;
        let progress = |so_far: rebuild::Progress| self.watched.tell(so_far.read, so_far.found);
        Ok(rebuild::verify(&*self.store, server, progress).await?)
    }

    /// Writes views and rows that differ as the events say; what was written before a failure is written.
    async fn repair(&self, who: &Who, server: ServerId, report: Report) -> Result<Repaired, Problem> {
        let asked = json!({ "views": report.recipients().len() });
        let change = Change { server, what: "rebuild.repair", target: None, asked };
        let work = async {
            let repaired = rebuild::repair(&*self.store, server, &report).await?;
            Ok(Repaired { repaired })
        };
        self.noted(who, change, work, |done| json!({ "repaired": done.repaired })).await
    }
}

#[cfg(test)]
mod tests;

//! Reads Postmark's records of a server, and puts the events that the ledger lacks on the queues.
//!
//! Invariants:
//! - These events go the same way as a webhook, under the same identity. A webhook that still comes replaces the copy and
//!   is not counted again, and a second run sends nothing twice.
//! - Absence alone proves nothing. An address counts as gone from Postmark's list only if two dumps of the list agree, and
//!   no run lifts more than a few. A dump that is empty, or much smaller than our list, counts as a fault until it has been
//!   so for a day.
//! - An interrupted run loses nothing and repeats nothing: the registry keeps how far the work is.
//!
//! Three comparisons are made for each stream. [`list`] compares Postmark's suppression list with ours, whole, at each
//! run. [`walk`] goes through the lists of bounces and of messages by time, and asks for a single message only if
//! the ledger has events for fewer than all of its recipients. [`engagement`] compares the day's first opens and clicks with
//! Postmark's statistics, and reads their lists only where these differ.
//!
//! Statistics decide about opens and clicks alone. For deliveries they cannot: Postmark counts what was sent on a day,
//! the ledger what was delivered on it, and a bounce after a delivery hides a delivery that is missing. So messages
//! are compared one by one, against the index by message: half a read unit each, and no call of Postmark's.

mod all;
mod completeness;
mod engagement;
mod facts;
#[cfg(feature = "lambda")]
mod lambda;
mod list;
mod observe;
mod progress;
mod report;
mod tell;
mod walk;
mod window;

pub use account::completeness::{Completeness, Line, completeness};
#[cfg(feature = "lambda")]
pub use lambda::run;
pub use progress::Tally;
pub use report::{ListReport, Report, Run, StreamReport};

use account::lease::Lease;
use account::{Registry, RegistryError, ServerEntry, VaultError, connect};
use ledger::{LedgerKey, ServerId, Source, Time};
use list::Compared;
use observe::Happened;
use platform::Clock;
use postmark_api::{ApiError, ServerApi, eastern};
use progress::{Day, RequestedRange, State, Step};
use queue::{QueueError, Sender};
use std::sync::Arc;
use store::{Collection, Store, StoreError};
use tokio::time::Instant;
use window::Window;

/// How old an event must be until it counts as missing, in seconds: its webhook may be on its way.
pub const GRACE_SECONDS: i64 = 15 * 60;
/// How far back Postmark's lists of bounces and messages reach, in days, unless it was paid to keep more.
pub const RETENTION_DAYS: i64 = 45;
/// How far back the list of bounces is read at every run, in seconds: a day and the changes of the clock.
const BOUNCES_SECONDS: i64 = 26 * 3_600;
/// How many reads, or calls, are under way at once.
const AT_ONCE: usize = 16;
/// For how long a run locks a server, in seconds, unless it renews the lock: longer than a function may run.
const LEASE_SECONDS: i64 = 16 * 60;

/// Why the work for a server ended. None of these quotes an address or a token.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// Postmark refused or did not answer.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The tables did not.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registry cannot be read.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The server's token cannot be had.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The queues did not.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The registry has no such server, or one that this release cannot read.
    #[error("server {0} is not in the registry")]
    NotRegistered(ServerId),
    /// Another run is working on it.
    #[error("another run is working on server {0}")]
    Busy(ServerId),
}

/// What to work with.
#[derive(Clone)]
pub struct Reconcile {
    /// The tables.
    pub store: Arc<dyn Store>,
    /// The queues.
    pub queue: Arc<dyn Sender>,
    /// What makes recipient ids.
    pub ledger_key: LedgerKey,
    /// Whether IP, coordinates, city and zip of opens and clicks stay.
    pub keep_engagement_detail: bool,
    /// What time it is.
    pub clock: Clock,
}

/// The time span to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// What is due: the lists now, and each day three times after its end.
    Due,
    /// From one instant until before another, even if it was compared before.
    Asked {
        /// From when.
        from: Time,
        /// To before when.
        to: Time,
        /// The source of the events that it finds: [`Source::Reconcile`] or [`Source::Backfill`].
        source: Source,
    },
}

/// What is to be done for a server.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// The server.
    pub server: ServerId,
    /// Of which time.
    pub span: Period,
    /// Whether to report only, and send and remember nothing.
    pub dry_run: bool,
    /// When to stop at the latest; the next run does the rest.
    pub until: Option<Instant>,
}

/// Watches the progress: it is called with the report so far.
pub type Progress<'a> = &'a (dyn Fn(&Report) + Send + Sync);

impl Reconcile {
    /// Works on a server.
    ///
    /// # Errors
    /// See [`ReconcileError`]. Whatever was sent until then stays sent, and the next run continues from there.
    pub async fn run(
        &self,
        api: &ServerApi,
        job: &Job,
        progress: Progress<'_>,
    ) -> Result<Report, ReconcileError> {
        let server = job.server;
        let entry = Registry(&*self.store).get(server).await?;
        let entry = entry.ok_or(ReconcileError::NotRegistered(server))?;
        let now = (self.clock)();
        let lease = match job.dry_run {
            true => None,
            false => {
                let name = format!("reconcile#{server}");
                let taken = Lease::take(&*self.store, &name, now, LEASE_SECONDS).await?;
                Some(taken.ok_or(ReconcileError::Busy(server))?)
            }
        };
        let (state, version) = self.state(server).await?;
        let mut work = Work {
            with: self,
            api,
            job: *job,
            now,
            state,
            version,
            lease,
            report: Report::of(server),
            progress,
        };
        let entry = self.with_streams(entry, api, job.dry_run).await?;
        let names: Vec<String> = entry.streams.keys().cloned().collect();
        let ended = match job.span {
            Period::Due => work.due(&names, entry.added_at).await,
            Period::Asked { from, to, source } => work.asked(&names, from, to, source).await,
        };
        let Work { mut report, mut state, version, lease, .. } = work;
        report.finished = matches!(ended, Ok(true));
        if let Some(lease) = lease {
            if report.finished {
                state.finished_at = Some((self.clock)());
            }
            self.keep(server, &state, version).await?;
            lease.release(&*self.store).await?;
        }
        ended?;
        if report.finished && !job.dry_run {
            Happened::Finished { report: &report }.emit();
        }
        Ok(report)
    }

    /// A server with the streams that Postmark lists now, which are known from then on; where it does not tell, with those
    /// that it listed last.
    async fn with_streams(
        &self,
        mut entry: ServerEntry,
        api: &ServerApi,
        dry_run: bool,
    ) -> Result<ServerEntry, ReconcileError> {
        let Ok(streams) = connect::streams(api).await else {
            tracing::warn!(server = entry.server.get(), "Postmark does not list the streams of a server");
            return Ok(entry);
        };
        if !entry.take_streams(&streams) || dry_run {
            return Ok(entry);
        }
        let take = |known: &mut ServerEntry| {
            known.take_streams(&streams);
        };
        Ok(Registry(&*self.store).update(entry.server, take).await?)
    }

    /// When a server was last worked on to the end: who waits longest comes first.
    pub async fn finished_at(&self, server: ServerId) -> Result<Option<Time>, StoreError> {
        Ok(self.state(server).await?.0.finished_at)
    }

    async fn state(&self, server: ServerId) -> Result<(State, Option<u64>), StoreError> {
        let kept = self.store.document(&Collection::Reconcile, &server.to_string()).await?;
        Ok(match kept {
            // Progress that another release kept in another form is discarded. The work begins again, which counts nothing twice.
            Some(document) => {
                (serde_json::from_str(&document.text).unwrap_or_default(), Some(document.version))
            }
            None => (State::default(), None),
        })
    }

    /// Keeps how far the work is; the version that it has then.
    async fn keep(
        &self,
        server: ServerId,
        state: &State,
        version: Option<u64>,
    ) -> Result<u64, ReconcileError> {
        let text = serde_json::to_string(state).unwrap_or_else(|_| unreachable!("it is plain JSON"));
        let kept =
            self.store.put_document(&Collection::Reconcile, &server.to_string(), &text, version).await?;
        if kept { Ok(version.map_or(1, |version| version + 1)) } else { Err(ReconcileError::Busy(server)) }
    }
}

/// The work for a server while it is done.
struct Work<'a> {
    with: &'a Reconcile,
    api: &'a ServerApi,
    job: Job,
    now: Time,
    state: State,
    version: Option<u64>,
    lease: Option<Lease>,
    report: Report,
    progress: Progress<'a>,
}

impl Work<'_> {
    /// What is due. Whether all of it was done.
    async fn due(&mut self, names: &[String], added_at: Time) -> Result<bool, ReconcileError> {
        let mut there = Vec::new();
        for name in names {
            match self.list(name, Source::Reconcile).await? {
                Compared::Whole => there.push(name),
                Compared::InPart => return Ok(false),
                Compared::NoSuchStream => continue,
            }
            let recent = Window {
                from: self.now.plus_seconds(-BOUNCES_SECONDS).max(added_at),
                to: self.now.plus_seconds(-GRACE_SECONDS),
            };
            if recent.from < recent.to {
                self.recent_bounces(name, recent).await?;
            }
            self.save().await?;
            if self.time_is_up() {
                return Ok(false);
            }
        }
        let first = self.now.plus_days(1 - RETENTION_DAYS).max(added_at);
        let days = eastern::days(first, self.now);
        for name in there {
            if let Some(of_stream) = self.state.streams.get_mut(name) {
                of_stream.days.retain(|day, _| days.contains(day));
            }
            for day in &days {
                let Some(whole) = window_of(day) else { continue };
                let ended = (self.now.micros() - whole.to.micros()) / 1_000_000;
                let mut state = self.day(name, day);
                if !state.due(ended) {
                    continue;
                }
                let done = self.work_on_day(name, day, whole, &mut state, Source::Reconcile, true).await?;
                if done {
                    state.over(ended);
                }
                self.keep_day(name, day, state).await?;
                if !done {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// What somebody asked for, from where it was left. Whether all of it was done.
    async fn asked(
        &mut self,
        names: &[String],
        from: Time,
        to: Time,
        source: Source,
    ) -> Result<bool, ReconcileError> {
        // A backfill that was begun continues with its own time span, even if it is later now.
        let same = |asked: &RequestedRange| {
            let backfill = source == Source::Backfill && asked.source == source;
            backfill || (asked.from, asked.to, asked.source) == (from, to, source)
        };
        let fresh = RequestedRange::new(source, from, to);
        let left = self.state.asked.take().filter(same).unwrap_or(fresh);
        let (from, to) = (left.from, left.to);
        self.state.asked = Some(left);
        for name in names {
            if self.state.asked.as_ref().is_some_and(|asked| asked.listed.contains(name)) {
                continue;
            }
            let compared = self.list(name, source).await?;
            if compared == Compared::InPart {
                return Ok(false);
            }
            if let Some(asked) = &mut self.state.asked {
                asked.listed.insert(name.clone());
                asked.gone.extend((compared == Compared::NoSuchStream).then(|| name.clone()));
            }
            self.save().await?;
            if self.time_is_up() {
                return Ok(false);
            }
        }
        let span = Window { from, to };
        // The latest first: it is what is asked for most.
        for day in eastern::days(from, to).iter().rev() {
            let Some(whole) = window_of(day) else { continue };
            let Some(window) = whole.and(span) else { continue };
            for name in names {
                let mut state = self.day(name, day);
                let gone = self.state.asked.as_ref().is_some_and(|asked| asked.gone.contains(name));
                if state.step == Step::Done || gone {
                    continue;
                }
                let done = self.work_on_day(name, day, window, &mut state, source, window == whole).await?;
                if done {
                    state = Day { step: Step::Done, ..Day::default() };
                }
                self.keep_day(name, day, state).await?;
                if !done {
                    return Ok(false);
                }
            }
        }
        self.state.asked = None;
        Ok(true)
    }

    /// How far a day is.
    fn day(&self, name: &str, day: &str) -> Day {
        let days = match (&self.state.asked, self.job.span) {
            (Some(asked), Period::Asked { .. }) => asked.days.get(name),
            _ => self.state.streams.get(name).map(|of_stream| &of_stream.days),
        };
        days.and_then(|days| days.get(day)).cloned().unwrap_or_default()
    }

    /// Saves how far a day is, and renews the lock.
    async fn keep_day(&mut self, name: &str, day: &str, state: Day) -> Result<(), ReconcileError> {
        let days = match (&mut self.state.asked, self.job.span) {
            (Some(asked), Period::Asked { .. }) => asked.days.entry(name.to_owned()).or_default(),
            _ => &mut self.state.streams.entry(name.to_owned()).or_default().days,
        };
        days.insert(day.to_owned(), state);
        self.save().await
    }

    /// Everything of a day, or of a part of one, from where the last run stopped. Returns whether it is finished.
    async fn work_on_day(
        &mut self,
        name: &str,
        day: &str,
        window: Window,
        state: &mut Day,
        source: Source,
        whole: bool,
    ) -> Result<bool, ReconcileError> {
        while state.step != Step::Done {
            let done = match state.step {
                Step::Bounces | Step::Messages => self.walk(name, day, window, state, source).await?,
                Step::Engagement | Step::Done => {
                    self.engagement(name, day, window, state, source, whole).await?
                }
            };
            if !done {
                return Ok(false);
            }
            state.cursor = None;
            state.step = match state.step {
                Step::Bounces => Step::Messages,
                Step::Messages => Step::Engagement,
                Step::Engagement | Step::Done => Step::Done,
            };
            if state.step != Step::Done && self.time_is_up() {
                return Ok(false);
            }
        }
        if whole {
            self.changes(name, window, state).await?;
        }
        let report = self.report.stream(name);
        report.days += 1;
        for (record_type, tally) in &state.found {
            report.found.entry(record_type.clone()).or_default().add(*tally);
        }
        if whole && !self.job.dry_run {
            completeness::keep(&*self.with.store, self.job.server, name, day, &state.found, self.now).await?;
        }
        (self.progress)(&self.report);
        Ok(true)
    }

    /// Saves how far the work is, and renews the lock.
    async fn save(&mut self) -> Result<(), ReconcileError> {
        (self.progress)(&self.report);
        if let Some(lease) = &mut self.lease {
            self.version = Some(self.with.keep(self.job.server, &self.state, self.version).await?);
            let now = (self.with.clock)();
            if !lease.renew(&*self.with.store, now, LEASE_SECONDS).await? {
                return Err(ReconcileError::Busy(self.job.server));
            }
        }
        Ok(())
    }

    fn time_is_up(&self) -> bool {
        self.job.until.is_some_and(|until| Instant::now() >= until)
    }
}

/// An Eastern day.
fn window_of(day: &str) -> Option<Window> {
    Some(Window { from: eastern::day_start(day)?, to: eastern::day_end(day)? })
}

/// Runs are spawned and served.
const _: fn(&Reconcile, &ServerApi, &Job, Progress<'_>) = |with, api, job, progress| {
    fn is_send(_: impl Send) {}
    is_send(with.run(api, job, progress));
};

//! The consumer: takes a batch of messages, and returns the ids of those that must be handed out again.
//!
//! Invariants:
//! - An event is recorded, counted and applied by one transaction or not at all, so the consumer may be killed
//!   between any two calls and nothing is half done.
//! - The view of a recipient is always folded again from the recorded events, never patched.
//! - A message whose id is not returned is in the ledger or in quarantine. A message that can never succeed goes to
//!   quarantine, so dead letters always mean an outage or a bug.
//! - The consumer knows who is erased before it records or keeps anything, and writes nothing about them.
//! - Only [trusted](queue::Trusted) senders may send more than webhooks. From others, such messages are set aside.
//! - Near its deadline a batch stops and gives back the rest.

mod bulk;
mod intake;
#[cfg(feature = "lambda")]
mod lambda;
mod observe;
mod shard;
mod state;

#[cfg(feature = "lambda")]
pub use lambda::run;

pub use intake::says_webhook;

use erasure::{Erasures, Known};
use futures_util::stream::{self, StreamExt as _};
use intake::Intake;
use ledger::event::{Class, WHOLE_SERVER};
use ledger::{Identity, LedgerKey, RecipientId, ServerId, Source, Time};
use observe::Happened;
use platform::{CallFailed, Clock, FailureKind};
use queue::{EnvelopeError, QueueName, SetAside};
use shard::Shards;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::webhook_activity::WebhookActivity;
use store::{Action, Cancel, CommitError, Recorded, Rules, STREAMS_OF_SERVER_MAX, Store, StoreError};
use tokio::time::Instant;

/// How long before its deadline a batch begins nothing new.
pub const DEADLINE_RESERVE: Duration = Duration::from_secs(3);
/// How long before its deadline a batch gives up what it has begun, so that it can still answer.
const ANSWER_RESERVE: Duration = Duration::from_millis(500);
const _: () = assert!(ANSWER_RESERVE.as_millis() < DEADLINE_RESERVE.as_millis());
/// How many reads, or transactions, of a batch are under way at once.
const AT_ONCE: usize = 16;
/// How long deliveries, opens and clicks are kept, in days, unless the stack says otherwise.
pub const RETENTION_DAYS_DEFAULT: u32 = 400;
/// The shortest time that deliveries, opens and clicks may be kept, in days.
pub const RETENTION_DAYS_MIN: u32 = 90;
/// Why an event that happened before the floor is set aside.
pub const TOO_OLD: &str = "events of its day have expired, and its twin may be among them";
/// How long an event that came in with a revoked password is kept, in days: for this time, the revocation can be undone
/// without loss. It is not kept for ever, because anybody who has the password may send any number of events.
pub const REVOKED_DAYS: i64 = 30;
pub use queue::REVOKED;
/// How much longer than the floor demands an event stays, in days, so that none can expire above the floor.
const EXPIRY_SLACK_DAYS: i64 = 2;
/// How often the watermark of the critical queue is noted at most, in seconds.
const WATERMARK_SECONDS: i64 = 10;
/// The first and the longest pause between tries of a call.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Why an event is set aside that the store cannot take even alone.
const NOT_COMMITTABLE: (&str, &str) =
    ("not_committable", "the store's limits do not allow it beside what is recorded of its recipient");
/// Why an event is set aside whose stream is one more than its server may have.
const TOO_MANY_STREAMS: (&str, &str) = (
    "too_many_streams",
    "its server has as many streams as may be, and Postmark has not listed this one for it; `connect`, `watch` and \
     `reconcile` learn what Postmark lists, and replaying it with --override takes the stream in",
);

/// What a consumer needs to know.
#[derive(Clone)]
pub struct Settings {
    /// Makes recipient ids.
    pub ledger_key: LedgerKey,
    /// How long deliveries, opens and clicks are kept, in days.
    pub retention_days: u32,
    /// What time it is.
    pub clock: Clock,
}

/// The time before which deliveries, opens and clicks may have expired, if they are kept for this many days.
pub fn floor(retention_days: u32, now: Time) -> Time {
    now.plus_days(-i64::from(retention_days.max(RETENTION_DAYS_MIN)))
}

impl Settings {
    /// Settings with the default retention.
    pub fn new(ledger_key: LedgerKey, clock: Clock) -> Settings {
        Settings { ledger_key, retention_days: RETENTION_DAYS_DEFAULT, clock }
    }
}

/// A message, as the batch bears it.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// What names it in the answer.
    pub id: String,
    /// What was sent.
    pub body: String,
    /// Whether its sender may tell more than webhooks do.
    pub trusted: bool,
}

/// Folds batches into a store.
pub struct Consumer {
    store: Arc<dyn Store>,
    settings: Settings,
    shards: Shards,
    noted: Mutex<HashSet<(ServerId, String)>>,
    heard: Mutex<HashMap<ServerId, WebhookActivity>>,
    watermarked: Mutex<Option<Time>>,
    erased: Known,
}

/// Which event of the ledger an item is about; last, whether a complaint of the same identity is another one.
type EventKey = (ServerId, RecipientId, Class, Identity, bool);

/// One event of a batch: its best copy, and the messages that told it.
#[derive(Clone, Debug)]
struct Item {
    recorded: Recorded,
    messages: Vec<usize>,
}

impl Item {
    fn key(&self) -> EventKey {
        let event = &self.recorded.event;
        (event.server, event.recipient, event.class(), event.identity, !event.complains())
    }
}

/// How a batch stands: until when it may begin something, until when it may wait for it, and which messages are
/// done.
struct Batch {
    until: Instant,
    end: Instant,
    done: Mutex<HashSet<usize>>,
    /// Failures that the log has been told of: a call that is tried again and again fails alike each time.
    told: Mutex<HashSet<StoreError>>,
}

impl Batch {
    fn time_is_up(&self) -> bool {
        Instant::now() >= self.until
    }

    fn done(&self, item: &Item) {
        self.lock().extend(&item.messages);
    }

    /// A call failed and will be made again: each time it is counted, and the log is told of each cause once.
    fn failed(&self, error: &StoreError) {
        let first = self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(error.clone());
        Happened::CallFailed { error: error.clone(), first }.emit();
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<usize>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call that is given up where the batch must answer.
    async fn in_time<T, E: From<StoreError>>(
        &self,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let given_up = |_| Err(StoreError::from(CallFailed::new(FailureKind::Timeout)).into());
        tokio::time::timeout_at(self.end, call).await.unwrap_or_else(given_up)
    }
}

/// Waits between tries: jittered, doubling.
struct Backoff(platform::Backoff);

impl Backoff {
    fn new() -> Backoff {
        Backoff(platform::Backoff::new(FIRST_PAUSE, LONGEST_PAUSE))
    }

    async fn wait(&mut self, batch: &Batch) {
        tokio::time::sleep_until((Instant::now() + self.0.pause()).min(batch.until)).await;
    }
}

impl Consumer {
    /// A consumer over a store.
    pub fn new(store: Arc<dyn Store>, settings: Settings) -> Consumer {
        Consumer {
            store,
            settings,
            shards: Shards::draw(),
            noted: Mutex::default(),
            heard: Mutex::default(),
            watermarked: Mutex::default(),
            erased: Known::default(),
        }
    }

    /// Takes in a batch from a queue. Returns the ids of the messages that must come again: those that could
    /// not be committed before `deadline` (less [`DEADLINE_RESERVE`]).
    pub async fn handle(&self, from: QueueName, messages: &[Incoming], deadline: Instant) -> Vec<String> {
        let before = |reserve| deadline.checked_sub(reserve).unwrap_or(deadline);
        let batch = Batch {
            until: before(DEADLINE_RESERVE),
            end: before(ANSWER_RESERVE),
            done: Mutex::default(),
            told: Mutex::default(),
        };
        match from {
            QueueName::Quarantine | QueueName::QuarantineDead => self.keep_parts(messages, &batch).await,
            _ => self.record(from, messages, &batch).await,
        }
        let done = batch.done.into_inner().unwrap_or_else(PoisonError::into_inner);
        let failed: Vec<String> = (0..messages.len())
            .filter(|place| !done.contains(place))
            .map(|place| messages[place].id.clone())
            .collect();
        if !failed.is_empty() {
            Happened::GaveBack { queue: from, failed: failed.len(), of: messages.len() }.emit();
        }
        failed
    }

    async fn record(&self, from: QueueName, messages: &[Incoming], batch: &Batch) {
        let Some(rules) = self.retried(batch, || self.store.rules()).await else {
            return;
        };
        let Some(erased) = self.erased_as_of(&rules, batch).await else {
            return;
        };
        let now = (self.settings.clock)();
        self.raise_floors(&rules, now, batch).await;
        let mut intake = Intake::new(&self.settings, &rules, &erased, now);
        for (place, message) in messages.iter().enumerate() {
            intake.take(place, message);
        }
        let aside: Vec<_> = std::mem::take(&mut intake.aside)
            .into_iter()
            .map(|(place, aside)| {
                let erased = &erased;
                async move { self.keep_whole(aside, erased, batch).await.then_some(place) }
            })
            .collect();
        let kept: Vec<Option<usize>> = stream::iter(aside).buffer_unordered(AT_ONCE).collect().await;
        batch.lock().extend(kept.into_iter().flatten());
        let Some(beyond) = self.note_streams(&intake, batch).await else {
            return;
        };
        let beyond = intake.without(&beyond);
        let beyond = beyond.iter().map(|item| self.set_item_aside(item, TOO_MANY_STREAMS, batch));
        stream::iter(beyond.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
        let earliest = intake.earliest;
        let Intake { state, bulk, heard, .. } = intake;
        let before = batch.lock().len();
        self.commit_state(state, batch).await;
        self.commit_bulk(bulk, batch).await;
        self.note_heard(heard, batch).await;
        if let Some(earliest) = earliest
            && batch.lock().len() > before
        {
            let seconds = ((self.settings.clock)().micros() - earliest.micros()) as f64 / 1e6;
            Happened::Committed { queue: from, seconds }.emit();
            if from == QueueName::Critical {
                self.note_watermark(earliest, batch).await;
            }
        }
    }

    /// Notes how old what the critical queue hands out is, now and then: whoever asks the ledger is told. Tried once,
    /// since the next batch tells it again.
    async fn note_watermark(&self, earliest: Time, batch: &Batch) {
        let now = (self.settings.clock)();
        let watermarked = || self.watermarked.lock().unwrap_or_else(PoisonError::into_inner);
        let due = watermarked().is_none_or(|last| last.plus_seconds(WATERMARK_SECONDS) <= now);
        if due {
            match batch.in_time(self.store.note_watermark(earliest)).await {
                Ok(()) => *watermarked() = Some(now),
                Err(error) => batch.failed(&error),
            }
        }
    }

    async fn keep_parts(&self, messages: &[Incoming], batch: &Batch) {
        let Some(rules) = self.retried(batch, || self.store.rules()).await else {
            return;
        };
        let Some(erased) = self.erased_as_of(&rules, batch).await else {
            return;
        };
        for (place, message) in messages.iter().enumerate() {
            let kept = match queue::Part::decode(&message.body) {
                Ok(mut part) => {
                    if !message.trusted && part.source != Source::Webhook {
                        part.reason = intake::SENDER.to_owned();
                    }
                    let expires_at =
                        self.settings.expires_at_receipt(&part.reason, part.record_type, part.received_at);
                    let part = erased.without(&self.settings.ledger_key, vec![part]).remove(0);
                    self.retried(batch, || self.store.quarantine(part.clone(), expires_at)).await.is_some()
                }
                Err(EnvelopeError::LaterVersion) => false,
                Err(_) => {
                    let aside = intake::undecodable(&message.body, (self.settings.clock)());
                    self.keep_whole(aside, &erased, batch).await
                }
            };
            if kept {
                batch.lock().insert(place);
            }
        }
    }

    /// Who is erased, as of some rules. `None` where it cannot be read: then nothing may be recorded.
    async fn erased_as_of(&self, rules: &Rules, batch: &Batch) -> Option<Arc<Erasures>> {
        self.retried(batch, || self.erased.as_of(&*self.store, rules)).await
    }

    /// Sets a body aside, whole, but for what it tells of somebody erased.
    async fn keep_whole(&self, aside: SetAside, erased: &Erasures, batch: &Batch) -> bool {
        let expires_at =
            self.settings.expires_at_receipt(&aside.reason, aside.record_type, aside.received_at);
        for part in erased.without(&self.settings.ledger_key, aside.parts()) {
            if self.retried(batch, || self.store.quarantine(part.clone(), expires_at)).await.is_none() {
                return false;
            }
        }
        Happened::SetAside { reason: aside.reason }.emit();
        true
    }

    /// Sets an event aside that the store cannot take even alone: it must not keep others waiting.
    async fn set_aside_uncommittable(&self, item: &Item, batch: &Batch) {
        self.set_item_aside(item, NOT_COMMITTABLE, batch).await;
    }

    /// Sets an event aside, for a reason: its code and words.
    async fn set_item_aside(&self, item: &Item, (reason, detail): (&str, &str), batch: &Batch) {
        let Recorded { event, body, dropped, .. } = &item.recorded;
        let aside = SetAside {
            server: event.server,
            generation: 0,
            key_id: String::new(),
            received_at: event.received_at,
            source: event.source,
            reason: reason.to_owned(),
            detail: detail.to_owned(),
            record_type: Some(event.kind()),
            dropped: dropped.clone(),
            erased: body.is_none().then(|| Box::new(queue::Erased::of(event))),
            body: body.clone().unwrap_or_default().into_bytes(),
        };
        if self.keep_whole(aside, &self.erased.last(), batch).await {
            batch.done(item);
        }
    }

    /// Registers streams that this environment has not seen yet, before anything is counted on them. Those that are
    /// more than a server may have; `None` where it could not be done.
    async fn note_streams(&self, intake: &Intake<'_>, batch: &Batch) -> Option<BTreeSet<(ServerId, String)>> {
        let mut streams = intake.streams();
        let known = |stream: &_| self.noted.lock().unwrap_or_else(PoisonError::into_inner).contains(stream);
        streams.retain(|stream, _| !known(stream));
        let mut beyond = BTreeSet::new();
        let servers: BTreeSet<ServerId> = streams.keys().map(|(server, _)| *server).collect();
        for server in servers {
            let told = self.retried(batch, || self.store.streams(server)).await?;
            let listed = self.retried(batch, || self.store.settings(server)).await?.kinds;
            let counts = |stream: &String| stream != WHOLE_SERVER && !listed.contains_key(stream);
            let mut room =
                STREAMS_OF_SERVER_MAX.saturating_sub(told.iter().filter(|one| counts(one)).count());
            // A ruling alone registers none.
            let told_of = streams.iter().filter(|((of, _), told)| *of == server && **told);
            for ((_, stream), _) in told_of {
                if told.contains(stream) || !counts(stream) || intake.insists(server, stream) {
                    continue;
                }
                if room == 0 {
                    beyond.insert((server, stream.clone()));
                }
                room = room.saturating_sub(1);
            }
        }
        streams.retain(|stream, _| !beyond.contains(stream));
        let notes: Vec<_> = streams
            .iter()
            .map(|((server, stream), told)| self.note_stream(*server, stream, *told, batch))
            .collect();
        let noted: Vec<Option<bool>> = stream::iter(notes).buffered(AT_ONCE).collect().await;
        let all = noted.iter().all(Option::is_some);
        let noted = streams.into_keys().zip(noted);
        let noted = noted.filter_map(|(stream, noted)| noted.is_some_and(|noted| noted).then_some(stream));
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).extend(noted);
        all.then_some(beyond)
    }

    /// Registers a stream; whether it is registered then. One that only a ruling is about is registered where it is known
    /// without that: so a slip in a ruling makes no stream known, nor its server.
    async fn note_stream(&self, server: ServerId, stream: &str, told: bool, batch: &Batch) -> Option<bool> {
        if !told && stream != WHOLE_SERVER {
            let noted = self.retried(batch, || self.store.streams(server)).await?;
            let settings = self.retried(batch, || self.store.settings(server)).await?;
            if !store::knows_stream(&noted, &settings, stream) {
                return Some(false);
            }
        }
        self.retried(batch, || self.store.note_stream(server, stream)).await.map(|()| true)
    }

    /// Remembers which keys signed for a server, and what else was heard of its webhooks: where this environment does
    /// not know it well enough, about once an hour. Best effort: the next batch of that server does it again.
    async fn note_heard(&self, heard: BTreeMap<ServerId, WebhookActivity>, batch: &Batch) {
        let known = || self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        for (server, new) in heard {
            let worth = known().entry(server).or_default().clone().take(&new);
            if worth {
                match batch.in_time(WebhookActivity::note(&*self.store, server, &new)).await {
                    Ok(now_known) => drop(known().insert(server, now_known)),
                    Err(error) => batch.failed(&error),
                }
            }
        }
    }

    /// Keeps the stored floors within a day of what retention demands, so that a longer retention set later
    /// does not reach back to what has expired. Best effort: what is stored is a lower bound.
    async fn raise_floors(&self, rules: &Rules, now: Time, batch: &Batch) {
        let floor = self.settings.floor(now);
        for class in [Class::Delivery, Class::Engagement] {
            let stored = rules.floors.get(&class).copied();
            if stored.is_none_or(|stored| floor >= stored.plus_days(1))
                && let Err(error) = batch.in_time(self.store.raise_floor(class, floor)).await
            {
                batch.failed(&error);
            }
        }
    }

    /// A call, tried again until it succeeds or the batch's time is up.
    async fn retried<T, F>(&self, batch: &Batch, mut call: impl FnMut() -> F) -> Option<T>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut backoff = Backoff::new();
        while !batch.time_is_up() {
            match batch.in_time(call()).await {
                Ok(value) => return Some(value),
                Err(error) if error.passes() => {
                    batch.failed(&error);
                    backoff.wait(batch).await;
                }
                Err(error) => {
                    // A fault of ours: these messages stay on their queue until a release that mends it.
                    Happened::Broken { error }.emit();
                    return None;
                }
            }
        }
        None
    }

    /// Commits, or says what follows. Where a counter was being written by somebody else, the next one is counted in
    /// another shard.
    async fn commit(&self, actions: &[Action], batch: &Batch) -> Result<(), Next> {
        let shards: Vec<Option<u8>> = actions.iter().map(shard_of).collect();
        match batch.in_time(self.store.commit(actions)).await {
            Ok(()) => Ok(()),
            Err(CommitError::Cancelled(reasons)) if reasons.iter().any(|reason| *reason != Cancel::None) => {
                Happened::Retried { reason: "cancelled" }.emit();
                let met = shards.iter().zip(&reasons).filter(|(_, reason)| **reason == Cancel::Conflict);
                met.filter_map(|(shard, _)| *shard).for_each(|met| self.shards.leave(met));
                if reasons.contains(&Cancel::Throttled) {
                    let throttled = CallFailed::new(FailureKind::Throttled);
                    batch.failed(&throttled.with_code("TransactionCanceledException").into());
                }
                Err(Next::Cancelled(reasons))
            }
            Err(CommitError::Cancelled(_)) => {
                let fault = CallFailed::new(FailureKind::Fault);
                batch.failed(&fault.with_code("TransactionCanceledException").into());
                Err(Next::Again)
            }
            Err(CommitError::Store(error)) if error.passes() => {
                batch.failed(&error);
                Err(Next::Again)
            }
            Err(CommitError::Store(error @ (StoreError::Failed(_) | StoreError::Damaged(_)))) => {
                Happened::Broken { error }.emit();
                Err(Next::Never)
            }
            Err(CommitError::Store(error)) => {
                Happened::Broken { error }.emit();
                Err(Next::TooLarge)
            }
        }
    }
}

/// The shard that an action counts in.
fn shard_of(action: &Action) -> Option<u8> {
    match action {
        Action::Count(_, shard, _) => Some(*shard),
        _ => None,
    }
}

/// What follows a transaction that was not committed.
enum Next {
    /// Look at the reasons of its actions.
    Cancelled(Vec<store::Cancel>),
    /// Try again, after a while: it may have been committed.
    Again,
    /// Not until the set-up is mended, or a later release comes: the messages stay on their queue.
    Never,
    /// The store will never take it so: try each alone, and set aside what it does not take even alone.
    TooLarge,
}

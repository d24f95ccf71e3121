//! The desk: everything that an operator asks of a ledger or tells it, over the ports alone. The embedded mode
//! serves it over HTTP; against AWS the command line sits at it itself.

mod streams;
mod words;

pub use words::{
    Bodied, BodiesQuery, CountsQuery, Decide, Decided, ForgetStream, Forgotten, Listed, OnQueue,
    QuarantineQuery, RebuildQuery, RecipientQuery, ReconcileAsk, Redrive, Redriven, Repair, Repaired, Replay,
    Replayed, Revoke, Unrevoke,
};

use account::Streams;
use api::decision;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use erase::{Sweep, SweepError, Swept};
use ledger::event::{Bar, Ruling};
use ledger::fold::EventSet;
use ledger::given::Recipient;
use ledger::policy::SoftBouncePolicy;
use ledger::{Class, Identity, LedgerKey, ServerId, Source, Time};
use platform::Clock;
use postmark::{Context, Decision};
use postmark_api::{Endpoint, Https, Timeouts, Token};
use queue::{
    Envelope, EnvelopeError, Message, Part, Queue, QueueError, QueueName, RECEIVE_MAX, SetAside, Trusted,
};
use reconcile::{Job, Reconcile, ReconcileError, Span};
use ring::rand::SystemRandom;
use std::sync::Arc;
use std::time::Duration;
use store::ask::{self, Ask, Counted, TIMELINE_MAX, Told};
use store::rebuild::{self, Progress, Report};
use store::{Recorded, Scan, StoreError};
use tokio::time::Instant;

/// How many days back counts are told, unless asked otherwise.
const COUNTS_DAYS: i64 = 30;
/// How often in a row a queue must yield nothing until it is taken for empty: one receive of SQS asks some of
/// its servers only.
const EMPTY_MAX: u32 = 5;
/// The pause before a queue that yielded nothing is asked again.
const EMPTY_PAUSE: Duration = Duration::from_millis(50);

/// Why the desk does not do what it is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeskError {
    /// What is asked for is not there.
    #[error("{0}")]
    NotFound(&'static str),
    /// A server or stream that is asked about is not known: it may be a slip.
    #[error("{0}")]
    Unknown(String),
    /// What is asked cannot be done, and would not be the next time.
    #[error("{0}")]
    Unusable(String),
    /// The system has no random numbers to give.
    #[error("the system has no random numbers to give")]
    Random,
    /// The tables refused, or did not answer in time.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A queue refused, or did not answer in time.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

fn unusable(error: impl ToString) -> DeskError {
    DeskError::Unusable(error.to_string())
}

impl From<SweepError> for DeskError {
    fn from(error: SweepError) -> DeskError {
        match error {
            SweepError::Store(error) => DeskError::Store(error),
            SweepError::Queue(error) => DeskError::Queue(error),
            SweepError::Unreadable => unusable(error),
        }
    }
}

impl From<ReconcileError> for DeskError {
    fn from(error: ReconcileError) -> DeskError {
        match error {
            ReconcileError::Store(error) => DeskError::Store(error),
            ReconcileError::Queue(error) => DeskError::Queue(error),
            ReconcileError::Api(error) => match error.next() {
                Some(next) => unusable(format!("{error}\n  next: {next}")),
                None => unusable(error),
            },
            error => unusable(error),
        }
    }
}

/// A recipient as it was given.
fn whom(given: &str) -> Result<Recipient, DeskError> {
    given.parse().map_err(unusable)
}

/// Where an operator asks and tells: a ledger's tables and queues.
pub struct Desk {
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
    /// What holds for soft bounces where a server has no policy of its own.
    pub policy: SoftBouncePolicy,
    /// What time it is.
    pub clock: Clock,
}

impl Desk {
    /// May a recipient be mailed, if not why not, and what happened so far.
    ///
    /// # Errors
    /// [`DeskError::Unknown`] or the store's own.
    pub async fn recipient(&self, query: RecipientQuery) -> Result<Told, DeskError> {
        let RecipientQuery { server, address, stream, at, known_at, unknown_stream } = query;
        let (policy, whom) = (self.policy, whom(&address)?);
        let by_id = whom.address().is_none();
        let found = self.known(server, stream.as_deref(), unknown_stream).await?;
        let found = found.filter(|_| stream.is_some());
        let ask =
            Ask { server, whom, stream, after: None, found, at, known_at, policy, whole_timeline: true };
        let told = ask::recipient(&*self.store, &self.ledger_key, ask, (self.clock)()).await?;
        // Whatever was recorded later, an id that is written wrongly is nobody's.
        if by_id && !told.known && at.is_none() && known_at.is_none() {
            return Err(DeskError::NotFound("nothing is recorded of this id at this server"));
        }
        Ok(told)
    }

    /// What is recorded about a recipient, in the order in which it came in, with the bodies; of deliveries, and of
    /// opens and clicks, as many as a timeline shows.
    ///
    /// # Errors
    /// The store's own.
    pub async fn bodies(&self, query: BodiesQuery) -> Result<Vec<Bodied>, DeskError> {
        let BodiesQuery { server, address } = query;
        let mut recorded = Vec::new();
        for recipient in whom(&address)?.ids(&self.ledger_key, server) {
            recorded.extend(self.store.state_events(server, recipient).await?);
            for class in [Class::Delivery, Class::Engagement] {
                recorded
                    .extend(self.store.events(server, recipient, class, None, TIMELINE_MAX).await?.events);
            }
        }
        recorded.sort_by_key(|recorded| (recorded.event.received_at, recorded.event.identity));
        let bodied = |recorded: Recorded| Bodied {
            identity: recorded.event.identity,
            received_at: recorded.event.received_at,
            source: recorded.event.source,
            body: recorded.body.and_then(|body| serde_json::from_str(&body).ok()),
        };
        Ok(recorded.into_iter().map(bodied).collect())
    }

    /// What is on each queue: how much waits, is being consumed, is dead. On AWS these are approximate.
    ///
    /// # Errors
    /// The queue's own.
    pub async fn queues(&self) -> Result<Vec<OnQueue>, DeskError> {
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

    /// How many of what.
    ///
    /// # Errors
    /// [`DeskError::Unknown`] or the store's own.
    pub async fn counts(&self, query: CountsQuery) -> Result<Counted, DeskError> {
        self.known(query.server, query.stream.as_deref(), query.unknown_stream).await?;
        let to = query.to.unwrap_or_else(|| (self.clock)());
        let from = query.from.unwrap_or_else(|| to.plus_days(-COUNTS_DAYS));
        Ok(ask::counts(&*self.store, query.server, query.stream, from, to, query.by_day).await?)
    }

    /// What was set aside in the last days, the latest last.
    ///
    /// # Errors
    /// The store's own.
    pub async fn quarantine(&self, query: QuarantineQuery) -> Result<Vec<Listed>, DeskError> {
        let now = (self.clock)();
        let mut listed = Vec::new();
        for day in (0..i64::from(query.days)).rev() {
            let kept = self.store.kept_on(&now.plus_days(-day).day()).await?;
            listed.extend(kept.iter().filter(|kept| kept.part.part == 1).map(Listed::of));
        }
        Ok(listed)
    }

    /// One body in quarantine, by the key that the list shows.
    ///
    /// # Errors
    /// [`DeskError::NotFound`], [`DeskError::Unusable`] where a part is missing, or the store's own.
    pub async fn set_aside(&self, key: &str) -> Result<Listed, DeskError> {
        let (listed, aside) = self.kept(key).await?;
        Ok(Listed { body_base64: Some(STANDARD.encode(aside.body)), ..listed })
    }

    async fn kept(&self, key: &str) -> Result<(Listed, SetAside), DeskError> {
        let unknown = || DeskError::NotFound("nothing of that key is in quarantine");
        let (received_at, id) = key.split_once('.').ok_or_else(unknown)?;
        let received_at = Time::from_micros(received_at.parse().map_err(|_| unknown())?);
        let kept = self.store.kept(received_at, id).await?;
        let listed = Listed::of(kept.first().ok_or_else(unknown)?);
        let incomplete = || unusable("a part of this body is missing; its sender was told to come again");
        let parts = kept.into_iter().map(|kept| kept.part).collect();
        Ok((listed, SetAside::whole(parts).ok_or_else(incomplete)?))
    }

    /// Puts a body in quarantine on its queue, as it was received then.
    ///
    /// # Errors
    /// [`DeskError::NotFound`], [`DeskError::Unusable`] where it would be set aside again or only an override
    /// records it, or the ports' own.
    pub async fn replay(&self, key: &str, replay: Replay) -> Result<Replayed, DeskError> {
        let (listed, aside) = self.kept(key).await?;
        let (identity, envelope) = self.again(&aside, &replay)?;
        if let Some(at) = listed.replayed_at
            && !replay.overridden
        {
            return Err(unusable(format!(
                "it was replayed at {at} already; only --override replays it again"
            )));
        }
        let still = match &*aside.reason {
            // It may have been taken back since.
            consumer::REVOKED => {
                let rules = self.store.rules().await?;
                rules.revoked_at(aside.server, aside.generation).is_some_and(|from| aside.received_at > from)
            }
            reason => matches!(reason, "sender" | "too_old"),
        };
        if still && !replay.overridden {
            return Err(unusable(format!(
                "it was set aside as {}; only --override records it",
                aside.reason
            )));
        }
        let queue = QueueName::of(envelope.record_type);
        self.queue.send(queue, &envelope.encode()).await?;
        let (_, id) = key.split_once('.').unwrap_or_default();
        self.store.mark_replayed(listed.received_at, id, (self.clock)()).await?;
        Ok(Replayed { identity, queue: queue.name().to_owned() })
    }

    /// What was set aside, as its sender told it, and which event it is. Of somebody erased nothing but the event
    /// is left, unless a completed body is given.
    fn again(&self, aside: &SetAside, replay: &Replay) -> Result<(Identity, Envelope), DeskError> {
        let SetAside { server, received_at, source, .. } = *aside;
        let (generation, key_id) = (aside.generation, aside.key_id.clone());
        let whose =
            |envelope: Envelope| Envelope { generation, key_id, overridden: replay.overridden, ..envelope };
        let body = match (&replay.body_base64, &aside.erased) {
            (Some(encoded), _) => STANDARD.decode(encoded).map_err(unusable)?,
            (None, Some(erased)) => {
                let dropped = aside.dropped.clone();
                let told =
                    Envelope::told(server, &erased.what, received_at, source, "{}".to_owned(), dropped);
                let left = told.map_err(unusable)?.stripped(Some((**erased).clone()));
                return Ok((erased.identity, whose(left)));
            }
            (None, None) => aside.body.clone(),
        };
        let context = Context { server, received_at, source, keep_engagement_detail: false };
        let examined = postmark::examine(&body, &context).map_err(unusable)?;
        let event = examined.event(&context, &self.ledger_key).map_err(unusable)?;
        let dropped = [aside.dropped.clone(), examined.dropped].concat();
        let told = Envelope::told(server, &event.what, received_at, source, examined.canonical, dropped);
        Ok((event.identity, whose(told.map_err(unusable)?)))
    }

    /// Rules that an address must not be mailed, or may be again, and waits a while until that is recorded.
    ///
    /// # Errors
    /// [`DeskError::Unknown`]; [`DeskError::Unusable`] where it would be set aside, or where what it would allow is not
    /// the sender's to allow; or the ports' own: where the tables fail then, the decision is on its queue.
    pub async fn decide(&self, decide: Decide) -> Result<Decided, DeskError> {
        self.known(decide.server, Some(&decide.stream), decide.unknown_stream).await?;
        let whom = whom(&decide.address)?;
        let address = match &whom {
            Recipient::Address(address) => address.text().to_owned(),
            Recipient::Id(id) => {
                let view = self.store.views(decide.server, &[*id]).await?.pop().flatten();
                view.and_then(|view| view.address)
                    .ok_or(DeskError::NotFound("no address is known here of this id"))?
            }
        };
        let random: [u8; 16] =
            ring::rand::generate(&SystemRandom::new()).map_err(|_| DeskError::Random)?.expose();
        let now = (self.clock)();
        let reason = match &decide.consent {
            Some(consent) => format!("{}; consent: {consent}", decide.reason),
            None => decide.reason.clone(),
        };
        let decision = Decision {
            id: &URL_SAFE_NO_PAD.encode(random),
            stream: &decide.stream,
            address: &address,
            ruling: if decide.suppress { Ruling::Suppress(Bar::Decision) } else { Ruling::Allow },
            reason: &reason,
            actor: &decide.actor,
            at: now,
        };
        let made = decision::made(&decision, decide.server, now, &self.ledger_key);
        let (envelope, event) = made.map_err(unusable)?;
        if !decide.suppress {
            // Of one mailbox, however it is spelled.
            for recipient in whom.ids(&self.ledger_key, event.server) {
                let events = self.store.state_events(event.server, recipient).await?;
                let view = events.into_iter().map(|recorded| recorded.event).collect::<EventSet>().view();
                let allowed =
                    view.map_or(Ok(()), |view| view.may_allow(&event.stream, decide.consent.is_some()));
                allowed.map_err(|withheld| unusable(withheld.words()))?;
            }
        }
        self.queue.send(QueueName::Critical, &envelope.encode()).await?;
        let recorded = decision::recorded(&*self.store, &event, decision::WAIT).await;
        Ok(Decided { identity: event.identity, recipient_id: event.recipient, recorded })
    }

    /// Revokes one of a server's passwords.
    ///
    /// # Errors
    /// The store's own.
    pub async fn revoke(&self, revoke: Revoke) -> Result<Revoke, DeskError> {
        self.store.revoke(revoke.server, revoke.generation, revoke.from).await?;
        Ok(revoke)
    }

    /// Takes back that a password is revoked: what came in with it since, and is still kept, can be replayed.
    ///
    /// # Errors
    /// [`DeskError::NotFound`] where it is not revoked, or the store's own.
    pub async fn unrevoke(&self, unrevoke: Unrevoke) -> Result<Unrevoke, DeskError> {
        let Unrevoke { server, generation } = unrevoke;
        if self.store.rules().await?.revoked_at(server, generation).is_none() {
            return Err(DeskError::NotFound("that password is not revoked"));
        }
        self.store.unrevoke(server, generation).await?;
        Ok(unrevoke)
    }

    /// Which passwords are revoked, and from when.
    ///
    /// # Errors
    /// The store's own.
    pub async fn revoked(&self) -> Result<Vec<Revoke>, DeskError> {
        let revoked = self.store.rules().await?.revocations().into_iter();
        Ok(revoked.map(|(server, generation, from)| Revoke { server, generation, from }).collect())
    }

    /// Takes what is left of erased recipients out of tables, quarantine and dead letters.
    ///
    /// # Errors
    /// The ports' own; it may be done again.
    pub async fn sweep(&self) -> Result<Swept, DeskError> {
        let sweep = Sweep {
            store: self.store.clone(),
            queue: self.queue.clone(),
            ledger_key: self.ledger_key.clone(),
            clock: self.clock.clone(),
        };
        Ok(sweep.run(None).await?)
    }

    /// Takes dead letters back to their live queue. Each is sent before it is deleted, so that whoever is killed
    /// in between loses nothing: at worst a message comes twice, which changes nothing. It ends when the
    /// dead-letter queue yields nothing any more, or when as many were moved as there were: what dies again
    /// meanwhile is left for the next time.
    ///
    /// # Errors
    /// [`DeskError::Unusable`] where there is no such live queue, or the queue's own; what was moved until then
    /// is moved.
    pub async fn redrive(
        &self,
        redrive: Redrive,
        mut progress: impl FnMut(&Redriven) + Send,
    ) -> Result<Redriven, DeskError> {
        let live = QueueName::LIVE.into_iter().find(|name| name.name() == redrive.queue);
        let known = live.and_then(|live| Some((live, live.dead()?)));
        let (live, dead) = known.ok_or_else(|| {
            unusable("there is no such live queue; there are critical, bulk and quarantine")
        })?;
        let depth = self.queue.depth(dead).await?;
        let mut redriven =
            Redriven { queue: redrive.queue, found: depth.visible + depth.in_flight, moved: 0, left: 0 };
        if redrive.dry_run {
            return Ok(redriven);
        }
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
            progress(&redriven);
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
    ///
    /// # Errors
    /// [`DeskError::Unusable`] where Postmark or the registry does not allow it, or the ports' own.
    pub async fn reconcile(
        &self,
        ask: ReconcileAsk,
        progress: reconcile::Progress<'_>,
    ) -> Result<reconcile::Report, DeskError> {
        let https = Https::new(Timeouts::default()).map_err(unusable)?;
        let token = Token::new(&ask.token).map_err(unusable)?;
        let api = Endpoint::new(Arc::new(https)).with_base(&ask.postmark).server(token);
        let span = match (ask.from, ask.to) {
            (Some(from), Some(to)) => {
                let source = if ask.backfill { Source::Backfill } else { Source::Reconcile };
                Span::Asked { from, to, source }
            }
            _ => Span::Due,
        };
        let until = ask.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        let job = Job { server: ask.server, span, dry_run: ask.dry_run, until };
        let reconcile = Reconcile {
            store: self.store.clone(),
            queue: self.queue.clone(),
            ledger_key: self.ledger_key.clone(),
            keep_engagement_detail: false,
            clock: self.clock.clone(),
        };
        Ok(reconcile.run(&api, &job, progress).await?)
    }

    /// Folds a server's events anew and tells what is stored otherwise.
    ///
    /// # Errors
    /// [`DeskError::Unknown`] or the store's own.
    pub async fn verify(
        &self,
        server: ServerId,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<Report, DeskError> {
        self.known(server, None, false).await?;
        Ok(rebuild::verify(&*self.store, server, progress).await?)
    }

    /// Writes views and rows that differ as the events say.
    ///
    /// # Errors
    /// The store's own; what was written until then is written.
    pub async fn repair(&self, repair: Repair) -> Result<Repaired, DeskError> {
        let repaired = rebuild::repair(&*self.store, repair.server, &repair.report).await?;
        Ok(Repaired { repaired })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use faults::{Fault, Plan};
    use ledger::event::What;
    use platform::{CallFailed, FailureKind};
    use queue::{Faulty, Memory, Settings};
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn desk(queue: Arc<dyn Queue>) -> Desk {
        Desk {
            store: Arc::new(store::Memory::default()),
            queue,
            streams: streams::of_nobody(),
            trusted: Trusted::All,
            ledger_key: LedgerKey::for_tests(),
            policy: SoftBouncePolicy::default(),
            clock: platform::clock(),
        }
    }

    fn bodies(count: usize) -> BTreeSet<String> {
        (0..count).map(|n| format!("message {n}")).collect()
    }

    async fn with_dead_letters(count: usize) -> Arc<Memory> {
        let queue = Arc::new(Memory::default());
        for body in bodies(count) {
            queue::Sender::send(&*queue, QueueName::CriticalDead, &body).await.unwrap();
        }
        queue
    }

    /// All that can be received from a queue now.
    async fn drain(queue: &Memory, from: QueueName) -> Vec<String> {
        let mut found = Vec::new();
        loop {
            let messages = queue.receive(from, RECEIVE_MAX).await.unwrap();
            if messages.is_empty() {
                return found;
            }
            found.extend(messages.into_iter().map(|message| message.body));
        }
    }

    fn critical(dry_run: bool) -> Redrive {
        Redrive { queue: "critical".to_owned(), dry_run }
    }

    #[tokio::test(start_paused = true)]
    async fn dead_letters_go_back_each_once_and_are_told_as_they_go() {
        let queue = with_dead_letters(23).await;
        let mut told = Vec::new();
        let done = desk(queue.clone()).redrive(critical(false), |so_far| told.push(so_far.moved)).await;
        assert_eq!(done.unwrap(), Redriven { queue: "critical".to_owned(), found: 23, moved: 23, left: 0 });
        assert_eq!(told, [10, 20, 23]);
        let live = drain(&queue, QueueName::Critical).await;
        assert_eq!((live.len(), live.into_iter().collect::<BTreeSet<_>>()), (23, bodies(23)));
        assert_eq!(queue.depth(QueueName::CriticalDead).await.unwrap(), queue::Depth::default());
    }

    #[tokio::test(start_paused = true)]
    async fn a_dry_run_tells_and_touches_nothing() {
        let queue = with_dead_letters(3).await;
        let told = desk(queue.clone()).redrive(critical(true), |_| {}).await.unwrap();
        assert_eq!((told.found, told.moved), (3, 0));
        assert_eq!(drain(&queue, QueueName::CriticalDead).await.len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_live_queue_takes_dead_letters_back() {
        let redrive = Redrive { queue: "critical-dlq".to_owned(), dry_run: false };
        let told = desk(with_dead_letters(1).await).redrive(redrive, |_| {}).await;
        assert!(matches!(told, Err(DeskError::Unusable(_))), "{told:?}");
    }

    /// A queue on which whatever is sent dies at once.
    struct Deadly(Arc<Memory>);

    #[async_trait::async_trait]
    impl queue::Sender for Deadly {
        async fn send(&self, to: QueueName, body: &str) -> Result<(), QueueError> {
            queue::Sender::send(&*self.0, to.dead().unwrap_or(to), body).await
        }
    }

    #[async_trait::async_trait]
    impl Queue for Deadly {
        async fn receive(&self, from: QueueName, max: usize) -> Result<Vec<Message>, QueueError> {
            self.0.receive(from, max).await
        }

        async fn delete(&self, from: QueueName, receipts: &[String]) -> Result<(), QueueError> {
            self.0.delete(from, receipts).await
        }

        async fn depth(&self, of: QueueName) -> Result<queue::Depth, QueueError> {
            self.0.depth(of).await
        }
    }

    #[test]
    fn a_dead_letter_is_sent_again_in_an_operators_name_only_where_its_sender_might_tell_it() {
        let desk = Desk { trusted: Trusted::list("AROAOPERATOR"), ..desk(Arc::new(Memory::default())) };
        let sent_by = |sender: &str, body: &str| Message {
            id: "m1".to_owned(),
            receipt: "r1".to_owned(),
            body: body.to_owned(),
            receives: 1,
            sender: Some(sender.to_owned()),
        };
        let server = ServerId::new(7).unwrap();
        let of = |source| {
            let body = r#"{"RecordType":"Bounce"}"#.to_owned();
            let what = What::Bounce { bounce_type: "HardBounce".to_owned(), inactive: false };
            Envelope::told(server, &what, Time::default(), source, body, Vec::new()).unwrap()
        };
        let (webhook, decided) = (of(Source::Webhook), of(Source::Operator));
        let overridden = Envelope { overridden: true, ..webhook.clone() };
        let later = r#"{"v":99}"#.to_owned();
        for (body, of_door) in [
            (webhook.encode(), true),
            ("nobody's".to_owned(), true),
            (decided.encode(), false),
            (overridden.encode(), false),
            (later, false),
        ] {
            assert!(desk.may_tell(QueueName::Critical, &sent_by("AROAOPERATOR:ida", &body)), "{body}");
            assert_eq!(desk.may_tell(QueueName::Critical, &sent_by("AROADOOR:x", &body)), of_door, "{body}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_dies_again_at_once_is_not_moved_for_ever() {
        let queue = with_dead_letters(12).await;
        let done = desk(Arc::new(Deadly(queue))).redrive(critical(false), |_| {}).await.unwrap();
        assert_eq!((done.found, done.moved), (12, 12));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_send_is_told_and_what_was_sent_before_it_is_not_sent_again() {
        let queue = with_dead_letters(5).await;
        let sends = AtomicUsize::new(0);
        let plan = Plan::new(move |call| {
            let refused = call == "send" && sends.fetch_add(1, Ordering::Relaxed) == 3;
            if refused { Fault::Refuse } else { Fault::None }
        });
        let failing = desk(Arc::new(Faulty::new(queue.clone(), plan)));
        assert_eq!(
            failing.redrive(critical(false), |_| {}).await,
            Err(DeskError::Queue(CallFailed::new(FailureKind::Fault).with_code("InternalError").into()))
        );
        tokio::time::advance(Settings::default().visibility).await;
        assert_eq!(desk(queue.clone()).redrive(critical(false), |_| {}).await.unwrap().moved, 2);
        assert_eq!(drain(&queue, QueueName::Critical).await.len(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn killed_between_any_two_calls_it_loses_nothing() {
        const LETTERS: usize = 13;
        let (mut stops, mut ended) = (0, false);
        while !ended {
            for fault in [Fault::StopBefore, Fault::StopAfter] {
                let queue = with_dead_letters(LETTERS).await;
                let calls = AtomicUsize::new(0);
                let plan = Plan::new(move |_| {
                    if calls.fetch_add(1, Ordering::Relaxed) == stops { fault } else { Fault::None }
                });
                let killed = desk(Arc::new(Faulty::new(queue.clone(), plan.clone())));
                ended = tokio::select! {
                    done = killed.redrive(critical(false), |_| {}) => done.is_ok(),
                    () = plan.stopped() => false,
                };
                tokio::time::advance(Settings::default().visibility).await;
                desk(queue.clone()).redrive(critical(false), |_| {}).await.unwrap();
                let live = drain(&queue, QueueName::Critical).await;
                assert!(live.len() <= LETTERS + RECEIVE_MAX, "at worst one receive's worth comes twice");
                assert_eq!(
                    live.into_iter().collect::<BTreeSet<_>>(),
                    bodies(LETTERS),
                    "{fault:?} at {stops}"
                );
                assert_eq!(drain(&queue, QueueName::CriticalDead).await, [""; 0], "{fault:?} at {stops}");
            }
            stops += 1;
        }
        assert!(stops > LETTERS, "every send was a place to be killed at");
    }
}

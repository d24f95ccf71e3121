//! What the tables answer about a recipient: verdict by stream, suppression, bounces and the timeline, now or
//! as of a past instant, with the evidence.

use crate::{Recorded, STREAMS_OF_SERVER_MAX, Store, StoreError};
use ledger::counters::Measure;
use ledger::event::{Event, WHOLE_SERVER};
use ledger::fold::{BounceMark, EventSet, Mark, StreamView, View};
use ledger::given::Recipient;
use ledger::policy::{SoftBouncePolicy, StreamKind};
use ledger::verdict::{Answer, DELIVERIES_MAX, Deliveries, DeliveryMark, Question};
use ledger::{Class, Identity, Kind, LedgerKey, RecipientId, ServerId, Source, Time};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::ops::Bound;

/// The most deliveries, and the most opens and clicks, that a timeline shows.
pub const TIMELINE_MAX: usize = 1_000;

/// How many deliveries, and how many opens and clicks, are looked at to know somebody without any state.
const KNOWN_BY: usize = 10;

/// What is asked about a recipient.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The server.
    pub server: ServerId,
    /// Whom: by an address, in any spelling, or by an id.
    pub whom: Recipient,
    /// The stream; without one, those that the server is known to have, by name, at most [`STREAMS_OF_SERVER_MAX`].
    pub stream: Option<String>,
    /// What that stream is for, where whoever asks has found that it is known.
    pub found: Option<StreamKind>,
    /// The stream behind which they are told, where that is not the first.
    pub after: Option<String>,
    /// As of when; `None` is now.
    pub at: Option<Time>,
    /// By what had come in by then.
    pub known_at: Option<Time>,
    /// What holds for soft bounces where the server has no policy of its own.
    pub policy: SoftBouncePolicy,
    /// Whether deliveries, opens and clicks stand in the timeline too; else what has state does alone.
    pub whole_timeline: bool,
}

/// The answer about a recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientReport {
    /// The server.
    pub server: ServerId,
    /// The address that was asked for, as it was understood; `None` where an id was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<String>,
    /// Its key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recipient_key: Option<String>,
    /// Its id.
    pub recipient_id: RecipientId,
    /// Whether something was taken out of the address that is not to be seen.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub cleaned: bool,
    /// The other spellings of the mailbox that were asked for, where there is something to tell of them. The answer is
    /// the strictest.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub also_asked: Vec<String>,
    /// As of when.
    pub at: Time,
    /// By what had come in by then, if that was asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub known_at: Option<Time>,
    /// Whether anything is recorded about it.
    pub known: bool,
    /// The address as the latest event with state spells it; `None` where there is none, or the person was erased.
    #[serde(skip)]
    pub spelled: Option<String>,
    /// The answer by stream.
    pub streams: BTreeMap<String, StreamAnswer>,
    /// The last of these streams, where there are more behind it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
    /// What happened, in order of time.
    pub timeline: Vec<Entry>,
    /// Whether there are more deliveries, opens or clicks than the timeline shows.
    pub timeline_truncated: bool,
}

impl RecipientReport {
    /// Takes in what is told of the same mailbox in another spelling.
    fn join(&mut self, other: RecipientReport) {
        self.known |= other.known;
        self.spelled = self.spelled.take().or(other.spelled);
        for (stream, answer) in other.streams {
            match self.streams.entry(stream) {
                btree_map::Entry::Vacant(place) => drop(place.insert(answer)),
                btree_map::Entry::Occupied(mut place) => place.get_mut().join(answer),
            }
        }
        // What lies behind the end of either page is told by the next one.
        self.next = [self.next.take(), other.next].into_iter().flatten().min();
        if let Some(next) = &self.next {
            self.streams.retain(|stream, _| stream <= next);
        }
        self.timeline.extend(other.timeline);
        self.timeline.sort_by_key(|entry| (entry.time, entry.identity));
        self.timeline_truncated |= other.timeline_truncated;
    }
}

/// The answer for one stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamAnswer {
    /// What the stream is for.
    pub kind: StreamKind,
    /// The soft-bounce policy in force at the instant.
    pub policy: SoftBouncePolicy,
    /// Whether it is known at this server; else its name may be a slip.
    pub stream_known: bool,
    /// The verdict and its reasons.
    #[serde(flatten)]
    pub answer: Answer,
    /// What Postmark's list says: each cause that holds, with its evidence.
    pub listed: BTreeMap<String, Vec<Mark>>,
    /// The latest lift from Postmark's list.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lifted: Option<Mark>,
    /// The latest allowance of ours that holds here.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub allowed: Option<Mark>,
    /// The latest bounces that speak about the address.
    pub bounces: Vec<BounceMark>,
    /// Whether deliveries that could have cleared soft bounces may have expired.
    pub soft_evidence_incomplete: bool,
}

impl StreamAnswer {
    fn join(&mut self, other: StreamAnswer) {
        self.stream_known |= other.stream_known;
        self.answer.join(other.answer);
        for (cause, marks) in other.listed {
            let here = self.listed.entry(cause).or_default();
            here.extend(marks);
            here.sort_unstable();
        }
        self.lifted = self.lifted.max(other.lifted);
        self.allowed = self.allowed.max(other.allowed);
        self.bounces.extend(other.bounces);
        self.bounces.sort_unstable();
        self.soft_evidence_incomplete |= other.soft_evidence_incomplete;
    }
}

/// One event of the timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it happened.
    pub time: Time,
    /// Postmark's `RecordType`, or one of our own kinds.
    pub kind: String,
    /// What it counts as.
    pub measure: String,
    /// The stream.
    pub stream: String,
    /// The message.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message_id: Option<String>,
    /// Who told it.
    pub source: Source,
    /// When it came in.
    pub received_at: Time,
    /// Which event it is.
    pub identity: Identity,
    /// Who ruled and why, for a decision.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    /// What it says about the recipient.
    pub facts: Vec<serde_json::Value>,
}

impl Entry {
    /// An event, with what a decision says of itself.
    pub fn of(event: &Event, note: Option<String>) -> Entry {
        let fact = |fact| serde_json::to_value(fact).unwrap_or_default();
        Entry {
            time: event.at,
            kind: event.kind().name().to_owned(),
            measure: Measure::of(&event.what).name().to_owned(),
            stream: event.stream.clone(),
            message_id: event.message_id.clone(),
            source: event.source,
            received_at: event.received_at,
            identity: event.identity,
            note,
            facts: event.facts().into_iter().map(fact).collect(),
        }
    }
}

/// Answers about a recipient. The current verdict is read from the stored view; a past one is folded from the
/// events that had happened (or had come in) by then. Of several spellings of one mailbox the strictest answer holds.
pub async fn recipient(
    store: &dyn Store,
    key: &LedgerKey,
    ask: Ask,
    now: Time,
) -> Result<RecipientReport, StoreError> {
    let ids = ask.whom.ids(key, ask.server);
    let mut told = about(store, ids[0], &ask, now).await?;
    let mut known = vec![told.known];
    let views = if ids.len() > 1 { store.views(ask.server, &ids[1..]).await? } else { Vec::new() };
    for (id, view) in ids[1..].iter().zip(views) {
        // Without a view nothing has a say in the verdict.
        let other = match view.is_some() || ask.whole_timeline {
            true => Some(about(store, *id, &ask, now).await?).filter(|other| other.known),
            false => None,
        };
        known.push(other.is_some());
        if let Some(other) = other {
            told.join(other);
        }
    }
    if let Some(address) = ask.whom.address() {
        told.address = Some(address.text().to_owned());
        told.recipient_key = Some(address.key().to_owned());
        told.cleaned = address.cleaned();
        told.also_asked = address.also_asked(|place| known[place]).into_iter().map(str::to_owned).collect();
    }
    Ok(told)
}

/// Answers about the recipient of an id.
async fn about(
    store: &dyn Store,
    recipient: RecipientId,
    ask: &Ask,
    now: Time,
) -> Result<RecipientReport, StoreError> {
    let server = ask.server;
    let at = ask.at.unwrap_or(now);
    // As of then: what had happened, and by what had come in.
    let as_of = |recorded: Vec<Recorded>| {
        let all = living(recorded, now);
        let happened = match ask.at {
            Some(at) => all.as_of(at),
            None => all,
        };
        match ask.known_at {
            Some(by) => happened.known_at(by),
            None => happened,
        }
    };
    let state = store.state_events(server, recipient).await?;
    let notes: BTreeMap<Identity, String> =
        state.iter().filter_map(|recorded| Some((recorded.event.identity, note(recorded)?))).collect();
    let state = as_of(state);
    let view = if ask.at.is_none() && ask.known_at.is_none() {
        store.views(server, &[recipient]).await?.pop().flatten()
    } else {
        state.view()
    };
    let (mut others, mut timeline_truncated) = (Vec::new(), false);
    if ask.whole_timeline {
        for class in [Class::Delivery, Class::Engagement] {
            let page = store.events(server, recipient, class, None, TIMELINE_MAX).await?;
            timeline_truncated |= page.next.is_some();
            others.extend(page.items);
        }
    }
    let others = as_of(others);

    let mut known = view.is_some() || !others.is_empty();
    if !known && !ask.whole_timeline {
        // Whoever was only delivered to is known too. Of now a few events say so, all of which would have to have expired;
        // of a past instant it may be any.
        let most = if ask.at.is_none() && ask.known_at.is_none() { KNOWN_BY } else { TIMELINE_MAX };
        for class in [Class::Delivery, Class::Engagement] {
            known =
                known || !as_of(store.events(server, recipient, class, None, most).await?.items).is_empty();
        }
    }
    let view = view.unwrap_or_else(|| View::empty(server, recipient));
    let settings = store.settings(server).await?;
    let floor = store.rules().await?.floors.get(&Class::Delivery).copied();
    let known_streams: BTreeSet<String> =
        store.streams(server).await?.into_iter().chain(view.streams.keys().cloned()).collect();
    let streams = match &ask.stream {
        Some(stream) => BTreeSet::from([stream.clone()]),
        None => {
            let behind = ask.after.clone().map_or(Bound::Unbounded, Bound::Excluded);
            known_streams.range((behind, Bound::Unbounded)).take(STREAMS_OF_SERVER_MAX + 1).cloned().collect()
        }
    };
    let next =
        streams.iter().nth(STREAMS_OF_SERVER_MAX - 1).filter(|_| streams.len() > STREAMS_OF_SERVER_MAX);
    let next = next.cloned();
    let mut answers = BTreeMap::new();
    for stream in streams.iter().take(STREAMS_OF_SERVER_MAX).filter(|stream| *stream != WHOLE_SERVER) {
        let kind = ask.found.unwrap_or_else(|| settings.kind(stream));
        let policy = settings.policies(kind).at(at, ask.policy);
        let question = Question { view: &view, stream, kind, policy, at };
        let evidence = evidence(store, server, recipient, &question, as_of).await?;
        let here = view.streams.get(stream);
        let listed = here.into_iter().flat_map(StreamView::live_causes);
        let answer = StreamAnswer {
            kind,
            policy,
            stream_known: ask.found.is_some() || known_streams.contains(stream),
            answer: question.answer(&evidence),
            listed: listed.map(|(cause, marks)| (cause.name().to_owned(), marks.to_vec())).collect(),
            lifted: here.and_then(|here| here.lifted),
            allowed: view.allowed(stream),
            bounces: here.map(|here| here.bounces.clone()).unwrap_or_default(),
            soft_evidence_incomplete: floor
                .is_some_and(|floor| at.plus_days(-i64::from(policy.window_days)) < floor),
        };
        answers.insert(stream.clone(), answer);
    }
    let entry = |event: &Event| Entry::of(event, notes.get(&event.identity).cloned());
    let mut timeline: Vec<Entry> = state.iter().chain(others.iter()).map(entry).collect();
    timeline.sort_by_key(|entry| (entry.time, entry.identity));
    Ok(RecipientReport {
        server,
        address: None,
        recipient_key: None,
        recipient_id: recipient,
        cleaned: false,
        also_asked: Vec::new(),
        at,
        known_at: ask.known_at,
        known,
        spelled: view.address,
        streams: answers,
        next,
        timeline,
        timeline_truncated,
    })
}

/// The deliveries that an answer depends on: none are read where it depends on none. `kept` says which of those that
/// are recorded count.
pub async fn evidence(
    store: &dyn Store,
    server: ServerId,
    recipient: RecipientId,
    question: &Question<'_>,
    kept: impl Fn(Vec<Recorded>) -> EventSet,
) -> Result<Deliveries, StoreError> {
    if !question.needs_deliveries() {
        return Ok(Deliveries::default());
    }
    let page = store.deliveries(server, recipient, question.stream, question.at, DELIVERIES_MAX).await?;
    let mark = |event: &Event| DeliveryMark { at: event.at, message_id: event.message_id.clone() };
    Ok(Deliveries { marks: kept(page.items).iter().map(mark).collect(), truncated: page.next.is_some() })
}

/// Those that have not expired.
pub fn living(recorded: Vec<Recorded>, now: Time) -> EventSet {
    let living = recorded.into_iter().filter(|recorded| lives(recorded, now));
    living.map(|recorded| recorded.event).collect()
}

/// Whether it has not expired: a table forgets late.
pub fn lives(recorded: &Recorded, now: Time) -> bool {
    recorded.expires_at.is_none_or(|expires| expires > now)
}

/// Who ruled and why, as the body of a decision says.
pub fn note(recorded: &Recorded) -> Option<String> {
    if recorded.event.kind() != Kind::Decision {
        return None;
    }
    let body: serde_json::Value = serde_json::from_str(recorded.body.as_deref()?).ok()?;
    let [actor, reason] = [&body["Actor"], &body["Reason"]].map(|text| text.as_str().unwrap_or_default());
    Some(format!("{actor}: {reason}"))
}

/// Counts by stream and hour or day.
pub type Counted = BTreeMap<String, BTreeMap<String, BTreeMap<String, i64>>>;

/// What is counted of a server from one instant to before another, by hour or by day (UTC).
pub async fn counts(
    store: &dyn Store,
    server: ServerId,
    stream: Option<String>,
    from: Time,
    before: Time,
    by_day: bool,
) -> Result<Counted, StoreError> {
    let streams = match stream {
        Some(stream) => BTreeSet::from([stream]),
        None => store.streams(server).await?,
    };
    let mut counted = Counted::new();
    for stream in streams {
        // Hours are whole: the one that `before` lies in is left out only where it begins there.
        let last = before.plus_seconds(3_599).hour();
        for (hour, counts) in store.counters(server, &stream, &from.hour(), &last).await? {
            let slot = if by_day { hour[..10].to_owned() } else { hour };
            let here = counted.entry(stream.clone()).or_default().entry(slot).or_default();
            for (measure, n) in counts {
                *here.entry(measure.name().to_owned()).or_default() += n;
            }
        }
    }
    Ok(counted)
}

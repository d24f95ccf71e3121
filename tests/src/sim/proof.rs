//! What really happened, beside what is recorded.

use super::Sim;
use super::state;
use super::world::World;
use ledger::counters::{Hour, Measure};
use ledger::event::{Cause, What};
use ledger::identity::IdentityParts;
use ledger::{Event, Identity, Kind, RecipientId, Source, Time, recipient_key};
use postmark_simulator::{Details, EventTruth, Record};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;
use store::Recorded;

/// How far a copy that was rounded or cut may be from what happened, in microseconds.
const ROUNDED_MICROS: i64 = 1_000_000;
/// How many differences are kept for the diagnosis.
const DIFFERENCES_MAX: usize = 12;

/// What was offered, as our door understood it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offered {
    recipient: RecipientId,
    identity: Identity,
    at: Time,
}

impl Offered {
    pub(crate) fn of(event: &Event) -> Offered {
        Offered { recipient: event.recipient, identity: event.identity, at: event.at }
    }
}

/// What the driver saw of an event.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fact {
    /// Our door answered 200 to it.
    pub(crate) taken: bool,
    /// A fault changed what became of an attempt.
    pub(crate) hit: bool,
    /// As it reached our door, if it was understood there.
    pub(crate) offered: Option<Offered>,
}

/// What the driver saw.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    events: Vec<Fact>,
    /// When the first fault began, and when the last ended.
    faults: Option<(Time, Time)>,
}

impl Facts {
    pub(crate) fn of(&mut self, number: u32) -> &mut Fact {
        let place = number as usize;
        if place >= self.events.len() {
            self.events.resize(place + 1, Fact::default());
        }
        &mut self.events[place]
    }

    fn get(&self, number: u32) -> Fact {
        self.events.get(number as usize).copied().unwrap_or_default()
    }

    pub(crate) fn fault(&mut self, from: Time, to: Time) {
        let (first, last) = self.faults.unwrap_or((from, to));
        self.faults = Some((first.min(from), last.max(to)));
    }
}

/// How the driver left the world.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct End {
    /// See [`Outcome::rounds`].
    pub(crate) rounds: usize,
    /// Messages that are visible, in flight, and dead.
    pub(crate) depths: (usize, usize, usize),
    /// A rotation was begun, and is not over.
    pub(crate) rotating: bool,
    /// See [`Outcome::verified`].
    pub(crate) verified: u64,
    /// See [`Outcome::connected`].
    pub(crate) connected: u64,
}

/// How a month ended.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The generation of Postmark's rules.
    pub generation: String,
    /// The seed.
    pub seed: u64,
    /// The drawn quirks, as JSON.
    pub quirks: String,
    /// How many events happened.
    pub events: u64,
    /// How many of them our doors answered 200 at least once.
    pub offered: u64,
    /// How many of these are recorded.
    pub recorded: u64,
    /// How many of these are not.
    pub lost: u64,
    /// How many recorded events are no event that happened, or one that is recorded already.
    pub doubled: u64,
    /// How many events our doors never took, and Postmark will not offer again.
    pub never: u64,
    /// How many of these reconcile has recovered.
    pub recovered: u64,
    /// How many of these cannot be recovered by their nature, by reason.
    pub unrecoverable: BTreeMap<&'static str, u64>,
    /// How many of these are missing without a reason.
    pub unexplained: u64,
    /// Observations that stand for changes of the list which were never offered.
    pub observed: u64,
    /// Addresses on Postmark's lists.
    pub listed: u64,
    /// Bodies in quarantine, by reason.
    pub set_aside: BTreeMap<String, u64>,
    /// Events that a fault hit: an attempt of theirs was answered otherwise, or they were never offered.
    pub hit: u64,
    /// Calls of consumers and of reconcile that went wrong.
    pub calls_hit: u64,
    /// Events that a fault hit, and that Postmark's retries brought.
    pub retried: u64,
    /// Events that were answered 200 more than once.
    pub repeated: u64,
    /// Looks of watch that had paused triggers verified again.
    pub verified: u64,
    /// How often a server was connected again, since watch had found its webhooks changed.
    pub connected: u64,
    /// From the end of the last fault until the last event that it hit, or what stands for it, was recorded, in
    /// seconds.
    pub recovered_after: i64,
    /// How many rounds reconcile took at the end until it found nothing.
    pub rounds: usize,
    /// The first differences, each with what a diagnosis needs.
    pub differences: Vec<String>,
    /// How many there are.
    pub different: u64,
    /// A hash of all that is recorded and when it came in: the same whenever a seed repeats a run.
    pub fingerprint: u64,
    /// In real time.
    pub took: Duration,
    /// Where it went.
    pub times: BTreeMap<&'static str, Duration>,
}

impl Outcome {
    /// How many events cannot be recovered by their nature.
    pub fn unrecoverable(&self) -> u64 {
        self.unrecoverable.values().sum()
    }

    /// Whether everything is as it must be.
    pub fn good(&self) -> bool {
        self.different == 0 && self.lost + self.doubled + self.unexplained == 0
    }

    /// The line of a generation.
    pub fn line(&self) -> String {
        let rate = self.events as f64 / self.took.as_secs_f64().max(0.001);
        format!(
            "{}: offered {}, recorded {}, lost {}, doubled {}, never offered again {} of which recovered {} and \
             unrecoverable {}, unexplained {}; lists, bounce states and counters {}; {rate:.0} events a second",
            self.generation,
            self.offered,
            self.recorded,
            self.lost,
            self.doubled,
            self.never,
            self.recovered,
            self.unrecoverable(),
            self.unexplained,
            if self.different == 0 { "equal" } else { "DIFFERENT" },
        )
    }

    /// What a diagnosis needs.
    pub fn diagnosis(&self) -> String {
        let mut text =
            format!("{} differences; seed {}, quirks {}\n", self.different, self.seed, self.quirks);
        self.differences.iter().for_each(|difference| {
            let _ = writeln!(text, "  {difference}");
        });
        text
    }

    pub(crate) fn differ(&mut self, difference: impl FnOnce() -> String) {
        self.different += 1;
        if self.differences.len() < DIFFERENCES_MAX {
            self.differences.push(difference());
        }
    }
}

/// Why an event that was never offered cannot be recovered by its nature, if that is so.
pub(crate) fn unrecoverable(event: &EventTruth<'_>) -> Option<&'static str> {
    match (event.record, event.details) {
        (Record::Open, Details::Open { first: false, .. }) => {
            Some("a repeated open: only webhooks tell of it")
        }
        (Record::SubscriptionChange, _) => {
            Some("a change of the list: Postmark keeps the list, not its changes; its result is observed")
        }
        // Bounces, complaints, deliveries, first opens and clicks are in Postmark's lists for 45 days, longer than
        // any month.
        _ => None,
    }
}

/// The identity of an event, where it can be made without the text of its time.
fn identity(event: &EventTruth<'_>, recipient: RecipientId) -> Option<Identity> {
    let message = event.message.map(|message| message.to_string());
    let message_id = message.as_deref();
    let told = match event.details {
        Details::Delivery => IdentityParts::Delivery { message_id },
        Details::Bounce { id, .. } | Details::SpamComplaint { id } => {
            IdentityParts::BounceById { id: id.cast_signed() }
        }
        Details::Click { link, .. } => IdentityParts::Click { message_id, original_link: link },
        Details::Open { first: true, .. } => IdentityParts::FirstOpen { message_id },
        Details::Open { .. } | Details::SubscriptionChange { .. } => return None,
    };
    Some(Identity::of(crate::server_id(event.server.cast_signed()), recipient, Time::default(), &told))
}

/// What an event counts as.
fn measure(event: &EventTruth<'_>) -> Measure {
    Measure::of(&match event.details {
        Details::Delivery => What::Delivery,
        Details::Bounce { kind, inactive, .. } => {
            What::Bounce { bounce_type: kind.name().to_owned(), inactive }
        }
        Details::SpamComplaint { .. } => What::SpamComplaint { inactive: true },
        Details::Open { first, machine, .. } => What::Open { first, machine },
        Details::Click { .. } => What::Click { machine: false },
        Details::SubscriptionChange { suppress: true, reason, origin } => {
            What::Suppressed { cause: Cause::told(Some(reason.name()), Some(origin.name())) }
        }
        Details::SubscriptionChange { .. } => What::Reactivated,
    })
}

/// The name of a measure, whether a person or a machine did it: which one it was is our own rule.
fn whoever(measure: Measure) -> &'static str {
    measure.name().trim_end_matches("_machine")
}

/// What is recorded of an event.
struct Copy {
    at: Time,
    source: Source,
    received_at: Time,
    stream: String,
    kind: Kind,
    measure: Measure,
    used: bool,
}

type Copies = HashMap<(RecipientId, Identity), Copy>;
type Counted = BTreeMap<(Hour, &'static str), i64>;

/// Compares.
pub(crate) fn compare(sim: &Sim, world: &World, facts: &Facts, end: End) -> Outcome {
    let simulator = world.lock();
    let truth = simulator.truth();
    let mut outcome = Outcome {
        generation: sim.rules.to_string(),
        seed: sim.seed,
        quirks: serde_json::to_string(simulator.quirks()).unwrap_or_default(),
        rounds: end.rounds,
        verified: end.verified,
        connected: end.connected,
        calls_hit: world.consumer_troubles.count() + world.reconcile_troubles.count(),
        ..Outcome::default()
    };
    if end.depths != (0, 0, 0) {
        outcome.differ(|| format!("queues are not empty: visible, in flight, dead: {:?}", end.depths));
    }
    if end.rotating {
        outcome.differ(|| "the rotation is not over".to_owned());
    }
    crate::assert_whole(&world.store);
    let (mut copies, fingerprint) = copies(world);
    outcome.fingerprint = fingerprint;
    let mut counted = Counted::new();
    let mut last_recorded = None;
    for event in truth.events() {
        let fact = facts.get(event.id.number());
        let copy = judge(world, &event, &fact, &mut copies, &mut outcome);
        let Some((at, received_at)) = copy else { continue };
        let server = crate::server_id(event.server.cast_signed());
        let hour = Hour { server, stream: event.stream.to_owned(), hour: at.hour() };
        *counted.entry((hour, whoever(measure(&event)))).or_default() += 1;
        if fact.hit || !fact.taken {
            last_recorded = last_recorded.max(Some(received_at));
        }
    }
    for ((recipient, identity), copy) in &copies {
        if copy.kind == Kind::Observed {
            outcome.observed += 1;
            last_recorded = last_recorded.max(Some(copy.received_at));
        } else if !copy.used {
            outcome.doubled += 1;
            let (kind, at, source) = (copy.kind.name(), copy.at, copy.source.name());
            outcome.differ(|| {
                format!("doubled: a {kind} at {at} by {source} ({recipient:?} {identity}) never happened")
            });
        }
    }
    if let (Some((_, end)), Some(last)) = (facts.faults, last_recorded) {
        outcome.recovered_after = ((last.micros() - end.micros()) / 1_000_000).max(0);
    }
    counters(world, &counted, &mut outcome);
    quarantine(world, &mut outcome);
    state::compare(world, truth, &mut outcome);
    outcome
}

/// All that is recorded, by recipient and identity, and the hash of it.
fn copies(world: &World) -> (Copies, u64) {
    let recorded = world.store.all_events().expect("readable items");
    let mut fingerprint = DefaultHasher::new();
    for Recorded { event, .. } in &recorded {
        (event.identity, event.body_hash, event.received_at.micros(), event.source).hash(&mut fingerprint);
    }
    let copies = recorded.into_iter().map(|recorded| {
        let event = recorded.event;
        let (kind, measure) = (event.kind(), Measure::of(&event.what));
        let (at, source, received_at) = (event.at, event.source, event.received_at);
        let copy = Copy { at, source, received_at, stream: event.stream, kind, measure, used: false };
        ((event.recipient, event.identity), copy)
    });
    (copies.collect(), fingerprint.finish())
}

/// What became of an event: when its recorded copy says that it happened, and when that came in.
fn judge(
    world: &World,
    event: &EventTruth<'_>,
    fact: &Fact,
    copies: &mut Copies,
    outcome: &mut Outcome,
) -> Option<(Time, Time)> {
    outcome.events += 1;
    outcome.hit += u64::from(fact.hit || !fact.taken);
    outcome.retried += u64::from(fact.hit && fact.taken);
    outcome.repeated += u64::from(event.fate.accepted > 1);
    let server = crate::server_id(event.server.cast_signed());
    let recipient = world.ledger_key.recipient_id(server, &recipient_key(event.recipient));
    let told = identity(event, recipient);
    let describe = |what: &str| format!("{what}: {}", String::from_utf8_lossy(&event.to_json()));
    if event.fate.waiting > 0 {
        outcome.differ(|| describe("still waiting"));
    }
    if let Some(offered) = fact.offered
        && (offered.recipient != recipient || told.is_some_and(|told| told != offered.identity))
    {
        outcome.differ(|| describe("understood as another event"));
    }
    let identity = fact.offered.map(|offered| offered.identity).or(told);
    let copy = identity.and_then(|identity| copies.get_mut(&(recipient, identity))).filter(|copy| !copy.used);
    let Some(copy) = copy else {
        if fact.taken {
            (outcome.offered, outcome.lost) = (outcome.offered + 1, outcome.lost + 1);
            outcome.differ(|| describe("lost"));
        } else {
            outcome.never += 1;
            match unrecoverable(event) {
                Some(reason) => *outcome.unrecoverable.entry(reason).or_default() += 1,
                None => {
                    outcome.unexplained += 1;
                    outcome.differ(|| describe("unexplained"));
                }
            }
        }
        return None;
    };
    copy.used = true;
    // Where the queue took it in and its answer was lost, the door has put it off.
    let taken = fact.taken || fact.offered.is_some() && copy.source == Source::Webhook;
    if taken {
        (outcome.offered, outcome.recorded) = (outcome.offered + 1, outcome.recorded + 1);
    } else {
        (outcome.never, outcome.recovered) = (outcome.never + 1, outcome.recovered + 1);
    }
    // A webhook's copy is the one that stays; of what was set aside or never came, the API's.
    let source = if taken && fact.offered.is_some() { Source::Webhook } else { Source::Reconcile };
    let exact = !taken || fact.offered.is_none_or(|offered| offered.at == copy.at);
    let near = (copy.at.micros() - event.at.micros()).abs() <= ROUNDED_MICROS;
    // Our rule may call more a machine than one: it knows proxies and scanners, too.
    let machine = matches!(event.details, Details::Open { machine: true, .. });
    let person = machine && !copy.measure.name().ends_with("_machine");
    let kind = copy.kind.name() == event.record.name() && !person;
    if copy.source != source || !exact || !near || !kind || copy.stream != event.stream {
        let (at, name) = (copy.at, copy.source.name());
        outcome.differ(|| describe(&format!("recorded otherwise, at {at} by {name}")));
    }
    Some((copy.at, copy.received_at))
}

/// The counters are those of what happened, hour by hour: in the hour of the recorded copy.
fn counters(world: &World, counted: &Counted, outcome: &mut Outcome) {
    let mut ours = Counted::new();
    for (hour, counts) in world.store.all_counters().iter() {
        for (measure, count) in counts {
            let of_ours = ["observed_present", "observed_gone"].contains(&measure.name());
            if !of_ours && *count != 0 {
                *ours.entry((hour.clone(), whoever(*measure))).or_default() += *count;
            }
        }
    }
    let keys: std::collections::BTreeSet<_> = ours.keys().chain(counted.keys()).collect();
    for key in keys {
        let (ours, theirs) = (ours.get(key).copied(), counted.get(key).copied());
        if ours != theirs {
            outcome.differ(|| format!("counted {ours:?}, and {theirs:?} happened: {key:?}"));
        }
    }
}

/// Nothing is in quarantine but probes and what was completed since.
fn quarantine(world: &World, outcome: &mut Outcome) {
    for kept in world.store.all_quarantined().expect("readable items") {
        let partial = kept.part.record_type == Some(Kind::Bounce);
        if kept.part.reason != "probe" && !partial {
            let (reason, detail) = (kept.part.reason.clone(), kept.part.detail.clone());
            outcome.differ(|| format!("set aside: {reason}: {detail}"));
        }
        *outcome.set_aside.entry(kept.part.reason).or_default() += 1;
    }
}

//! Suppression lists and bounce states, beside what really happened.

use super::proof::Outcome;
use super::world::World;
use ledger::bounce::BounceClass;
use ledger::event::{Cause, What};
use ledger::fold::{StreamView, View, fold};
use ledger::identity::IdentityParts;
use ledger::{Event, Identity, RecipientId, ServerId, Source, Time, recipient_key};
use postmark_simulator::{Details, EventTruth, Truth};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How far a copy may be from what happened, in microseconds: its door cuts or rounds.
const ROUNDED_MICROS: i64 = 1_000_000;

/// Whose state.
type Who<'a> = (ServerId, &'a str, RecipientId);

/// What happened to a recipient on a stream.
#[derive(Default)]
struct History {
    /// Entries to Postmark's list, by cause, with their times; the last leave.
    entered: Vec<(Cause, Time)>,
    left: Option<Time>,
    /// Bounces, as webhooks would tell them.
    bounces: Vec<Event>,
}

/// Compares.
pub(crate) fn compare(world: &World, truth: Truth<'_>, outcome: &mut Outcome) {
    let views = world.store.all_views().expect("readable items");
    let views: HashMap<(ServerId, RecipientId), View> =
        views.into_iter().map(|view| ((view.server, view.recipient), view)).collect();
    let mut histories: BTreeMap<Who<'_>, History> = BTreeMap::new();
    for event in truth.events() {
        take(world, &event, &mut histories);
    }
    lists(world, truth, &views, &histories, outcome);
    for ((server, stream, recipient), history) in &histories {
        let view = views.get(&(*server, *recipient)).and_then(|view| view.streams.get(*stream));
        bounces((*server, stream, *recipient), history, view.unwrap_or(&StreamView::default()), outcome);
    }
}

fn take<'a>(world: &World, event: &EventTruth<'a>, histories: &mut BTreeMap<Who<'a>, History>) {
    let at = Time::from_micros(event.at.micros());
    let (what, id) = match event.details {
        Details::Bounce { id, kind, inactive, .. } => {
            (What::Bounce { bounce_type: kind.name().to_owned(), inactive }, id)
        }
        Details::SpamComplaint { id } => (What::SpamComplaint { inactive: true }, id),
        Details::SubscriptionChange { .. } => (What::Reactivated, 0),
        Details::Delivery | Details::Open { .. } | Details::Click { .. } => return,
    };
    let server = crate::server_id(event.server.cast_signed());
    let recipient = world.ledger_key.recipient_id(server, &recipient_key(event.recipient));
    let history = histories.entry((server, event.stream, recipient)).or_default();
    match event.details {
        Details::SubscriptionChange { suppress: true, reason, origin } => {
            history.entered.push((Cause::told(Some(reason.name()), Some(origin.name())), at));
        }
        Details::SubscriptionChange { .. } => history.left = history.left.max(Some(at)),
        Details::Bounce { kind, inactive: true, .. } => {
            history.entered.push((Cause::of_bounce(kind.name()), at));
        }
        Details::SpamComplaint { .. } => history.entered.push((Cause::Complaint, at)),
        _ => {}
    }
    if id > 0 {
        let told = IdentityParts::BounceById { id: id.cast_signed() };
        history.bounces.push(Event {
            server,
            stream: event.stream.to_owned(),
            recipient,
            address: None,
            identity: Identity::of(server, recipient, at, &told),
            at,
            message_id: event.message.map(|message| message.to_string()),
            what,
            source: Source::Webhook,
            received_at: at,
            body_hash: [0; 16],
        });
    }
}

/// Who is on Postmark's list is on ours, for its cause; who is not, is not.
fn lists(
    world: &World,
    truth: Truth<'_>,
    views: &HashMap<(ServerId, RecipientId), View>,
    histories: &BTreeMap<Who<'_>, History>,
    outcome: &mut Outcome,
) {
    let mut theirs: BTreeMap<Who<'_>, (Cause, &str)> = BTreeMap::new();
    for (server, stream) in truth.streams() {
        let id = crate::server_id(server.cast_signed());
        for row in truth.suppressions(server, stream) {
            let recipient = world.ledger_key.recipient_id(id, &recipient_key(row.address));
            let cause = Cause::told(Some(row.reason.name()), Some(row.origin.name()));
            theirs.insert((id, stream, recipient), (cause, row.address));
        }
    }
    outcome.listed = theirs.len() as u64;
    let mut ours: BTreeMap<Who<'_>, BTreeSet<Cause>> = BTreeMap::new();
    for view in views.values() {
        for (stream, of_stream) in &view.streams {
            let causes: BTreeSet<Cause> = of_stream.live_causes().map(|(cause, _)| cause).collect();
            if !causes.is_empty() {
                ours.insert((view.server, stream, view.recipient), causes);
            }
        }
    }
    for (who, (cause, address)) in &theirs {
        let Some(causes) = ours.get(who) else {
            outcome.differ(|| format!("not on our list: {address} for {cause:?}, {who:?}"));
            continue;
        };
        // Postmark shows the strictest cause; others that came since the last leave are told, too.
        let history = histories.get(who);
        let told = |other: &Cause| {
            history.is_some_and(|history| {
                let since = history.left.unwrap_or_default().plus_seconds(-1);
                history.entered.iter().any(|(cause, at)| cause == other && *at >= since)
            })
        };
        if !causes.contains(cause) || causes.iter().any(|other| other != cause && !told(other)) {
            outcome.differ(|| format!("{address} is listed for {cause:?}, with us for {causes:?}, {who:?}"));
        }
    }
    for (who, causes) in ours.iter().filter(|(who, _)| !theirs.contains_key(*who)) {
        outcome.differ(|| format!("on our list only: {who:?} for {causes:?}"));
    }
}

/// Bounces are folded as if every one had been told.
fn bounces(who: Who<'_>, history: &History, ours: &StreamView, outcome: &mut Outcome) {
    let view = fold(&history.bounces);
    let theirs = view.as_ref().and_then(|view| view.streams.get(who.1));
    let marks = |view: &StreamView| {
        let mut marks: Vec<(BounceClass, Option<String>)> =
            view.bounces.iter().map(|bounce| (bounce.class, bounce.message_id.clone())).collect();
        marks.sort();
        marks
    };
    let expected = theirs.map(marks).unwrap_or_default();
    let found = marks(ours);
    if expected != found {
        outcome.differ(|| format!("bounces of {who:?}: {found:?}, and {expected:?} happened"));
    }
    // A hard bounce is also told by the entry that it makes.
    let died = theirs.and_then(|view| view.dead.as_ref()).map(|dead| dead.at);
    let listed =
        history.entered.iter().filter(|(cause, _)| *cause == Cause::HardBounce).map(|(_, at)| *at).max();
    let dead = ours.dead.as_ref().map(|dead| dead.at);
    let near = |at: Time, after: Time| at.micros() >= after.micros() - ROUNDED_MICROS;
    let right = match (dead, died.max(listed)) {
        (None, None) => true,
        // The entry may have been missed; the bounce is not.
        (Some(dead), Some(_)) => died.is_none_or(|died| near(dead, died)),
        _ => false,
    };
    if !right {
        outcome
            .differ(|| format!("dead since {dead:?}, and by bounce {died:?}, by entry {listed:?}: {who:?}"));
    }
    let complained = |history: &History| {
        history.entered.iter().filter(|(cause, _)| *cause == Cause::Complaint).map(|(_, at)| *at).max()
    };
    if complained(history).is_some() != ours.complained.is_some() {
        outcome.differ(|| format!("complained: {:?}, {who:?}", ours.complained));
    }
}

//! The fold: from the set of a recipient's events to one view of its state.
//!
//! The events are first made a set ([`EventSet`]: one copy of each, the best), then every fact is folded in
//! by maximum or by union. Both are blind to order and repetition, and so is the view; nothing is ever patched.
//!
//! A view is bounded however long a history is. Of each cause it keeps the latest [`EVIDENCE_MAX`] marks. Of a
//! stream's bounces it keeps what a soft-bounce policy may ask for: those up to [`SOFT_DAYS_MAX`] days before
//! the last soft bounce, and of these the latest [`BOUNCES_MAX`] and the first soft bounce of each UTC day
//! before. Where that leaves some out it says so, and the verdict does not call the rest the whole.

use crate::RecipientId;
use crate::bounce::BounceClass;
use crate::canonical::{Canonical, digest};
use crate::counters::Counters;
use crate::event::{Bar, Cause, Class, Event, Fact, WHOLE_SERVER};
use crate::identity::Identity;
use crate::policy::{SOFT_COUNT_MAX, SOFT_DAYS_MAX};
use crate::server::ServerId;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many marks of one cause a view keeps as evidence.
pub const EVIDENCE_MAX: usize = 4;
/// How many of a stream's latest bounces a view keeps whole.
pub const BOUNCES_MAX: usize = 2 * SOFT_COUNT_MAX as usize;

/// What became of an event that was offered to a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offered {
    /// It was not there.
    New,
    /// It is a better copy; the one it replaced.
    Better(Box<Event>),
    /// The set has this copy or a better one.
    Known,
    /// It is a new complaint with the identity of a bounce. The bounce now has the identity beside it.
    Beside {
        /// The bounce as it stood.
        was: Box<Event>,
        /// The bounce as it stands.
        is: Box<Event>,
    },
}

/// The events of one recipient: one copy of each, the best by [`Event::rank`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventSet(BTreeMap<(Class, Identity), Event>);

impl EventSet {
    /// An event as it is kept in this set: under its identity, or beside a complaint that has the same identity.
    #[must_use]
    pub fn placed(&self, event: Event) -> Event {
        match self.0.get(&(event.class(), event.identity)) {
            Some(there) if event.makes_way_for(there) => Event { identity: event.identity.beside(), ..event },
            _ => event,
        }
    }

    /// Offers an event; a worse or equal copy changes nothing.
    pub fn offer(&mut self, event: Event) -> Offered {
        let event = self.placed(event);
        let key = (event.class(), event.identity);
        match self.0.get(&key) {
            Some(there) if there.makes_way_for(&event) => {
                let was = there.clone();
                self.0.insert(key, event);
                let is = self.placed(was.clone());
                self.put(is.clone());
                Offered::Beside { was: Box::new(was), is: Box::new(is) }
            }
            _ => self.put(event),
        }
    }

    fn put(&mut self, event: Event) -> Offered {
        match self.0.entry((event.class(), event.identity)) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(event);
                Offered::New
            }
            std::collections::btree_map::Entry::Occupied(mut place) if event.rank() < place.get().rank() => {
                Offered::Better(Box::new(place.insert(event)))
            }
            std::collections::btree_map::Entry::Occupied(_) => Offered::Known,
        }
    }

    /// The events, by class and identity.
    pub fn iter(&self) -> impl Iterator<Item = &Event> {
        self.0.values()
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The events that had happened by an instant: the set as of then.
    pub fn as_of(&self, instant: Time) -> EventSet {
        self.filtered(|event| event.at <= instant)
    }

    /// The recorded copies that had come in by an instant: what was known then.
    pub fn known_at(&self, instant: Time) -> EventSet {
        self.filtered(|event| event.received_at <= instant)
    }

    /// Some of the events, as if the others had never happened: a bounce gets back the identity that it gave up for a complaint.
    fn filtered(&self, keep: impl Fn(&Event) -> bool) -> EventSet {
        let (mut kept, left): (BTreeMap<_, _>, BTreeMap<_, _>) =
            self.0.iter().map(|(key, event)| (*key, event)).partition(|(_, event)| keep(event));
        for ((class, identity), event) in left {
            if event.complains()
                && let Some(bounce) = kept.remove(&(class, identity.beside()))
            {
                kept.insert((class, identity), bounce);
            }
        }
        let own = |((class, identity), event): (_, &Event)| {
            ((class, identity), Event { identity, ..event.clone() })
        };
        EventSet(kept.into_iter().map(own).collect())
    }

    /// What the events count as.
    pub fn counters(&self) -> Counters {
        let mut counters = Counters::default();
        self.iter().for_each(|event| counters.add(event, 1));
        counters
    }

    /// The view, or `None` where nothing has state.
    pub fn view(&self) -> Option<View> {
        fold(self.iter())
    }
}

impl FromIterator<Event> for EventSet {
    fn from_iter<I: IntoIterator<Item = Event>>(events: I) -> EventSet {
        let mut set = EventSet::default();
        events.into_iter().for_each(|event| {
            set.offer(event);
        });
        set
    }
}

/// The time of a fact, and the event that shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark {
    /// The time of the fact.
    pub at: Time,
    /// The event.
    pub event: Identity,
}

/// A bounce, as far as soft-bounce evidence needs it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BounceMark {
    /// When it happened.
    pub at: Time,
    /// The event.
    pub event: Identity,
    /// How it bounced.
    pub class: BounceClass,
    /// Which message bounced.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message_id: Option<String>,
}

/// What is known about a recipient on one stream, or under `*` on the whole server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamView {
    /// The latest entries to Postmark's list, by cause, in order of time.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub listed: BTreeMap<Cause, Vec<Mark>>,
    /// The latest lift from Postmark's list.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lifted: Option<Mark>,
    /// The latest bar of ours, by reason.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub barred: BTreeMap<Bar, Mark>,
    /// The latest allowance of ours.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub allowed: Option<Mark>,
    /// The latest complaint.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub complained: Option<Mark>,
    /// The latest bounce by which the recipient asked to be taken off the list.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub removal: Option<Mark>,
    /// The latest bounce that says the address does not work.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dead: Option<BounceMark>,
    /// The bounces that count as soft or take back a delivery, in order of time; none without a soft one.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub bounces: Vec<BounceMark>,
    /// Whether there were more of them than are kept.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub bounces_truncated: bool,
}

impl StreamView {
    /// Why it is on Postmark's list: each cause whose latest entry is at or after the latest lift.
    pub fn live_causes(&self) -> impl Iterator<Item = (Cause, &[Mark])> {
        let lifted = self.lifted.map(|mark| mark.at);
        self.listed.iter().filter_map(move |(cause, marks)| {
            let first = marks.partition_point(|mark| lifted.is_some_and(|lifted| mark.at < lifted));
            (first < marks.len()).then_some((*cause, &marks[first..]))
        })
    }
}

/// A hash of a set of copies that does not depend on their order: the sum of their hashes. Two sets with the same hash
/// count as the same set, so the hash names the state of a recipient's events. A view is written only if the stored one
/// is still the fold of the events that were read. The hash names the events, not the rules by which they are folded:
/// after a release with other rules, run `postledger rebuild --repair`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Folded(u128);

impl Folded {
    fn add(&mut self, event: &Event) {
        let mut form = Canonical::default();
        // Erasure takes the address out in place: what was read before it must not be written after it.
        let erased = i64::from(event.address.is_none());
        form.string(&*event.identity.to_string()).string(event.source.name()).integer(erased);
        let hash = digest(&[form.bytes(), &event.body_hash].concat());
        self.0 = self.0.wrapping_add(u128::from_be_bytes(hash));
    }
}

impl From<Folded> for String {
    fn from(folded: Folded) -> String {
        format!("{:032x}", folded.0)
    }
}

impl TryFrom<String> for Folded {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Folded, std::num::ParseIntError> {
        u128::from_str_radix(&text, 16).map(Folded)
    }
}

/// A recipient in the list of those that a stream must not mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamRow {
    /// The time of the latest fact that holds it there.
    pub since: Time,
    /// Why: the names of the causes on Postmark's list and of the bars of ours, in order.
    pub causes: Vec<&'static str>,
}

/// The folded state of one recipient at one server, over all streams.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// The server.
    pub server: ServerId,
    /// The recipient.
    pub recipient: RecipientId,
    /// The address as the latest event that has one spells it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<String>,
    /// How many events were folded.
    pub events: u64,
    /// Which copies of which events were folded.
    pub folded: Folded,
    /// What is known by stream; `*` holds rulings about the whole server.
    pub streams: BTreeMap<String, StreamView>,
}

impl View {
    /// The view of a recipient of whom nothing is known.
    pub fn empty(server: ServerId, recipient: RecipientId) -> View {
        View {
            server,
            recipient,
            address: None,
            events: 0,
            folded: Folded::default(),
            streams: BTreeMap::new(),
        }
    }

    /// The latest ruling that bars a stream, with the scope it was made for, if no allowance came after it.
    /// Rulings for the stream and for the whole server speak alike; the latest wins, and a bar wins a tie.
    pub fn bars<'a>(&'a self, stream: &'a str) -> impl Iterator<Item = (Bar, &'a str, Mark)> {
        let allowed = self.allowed(stream).map(|mark| mark.at);
        self.scopes(stream)
            .flat_map(|(scope, view)| view.barred.iter().map(move |(bar, mark)| (*bar, scope, *mark)))
            .filter(move |(_, _, mark)| allowed.is_none_or(|allowed| mark.at >= allowed))
    }

    /// The latest allowance that holds for a stream.
    pub fn allowed(&self, stream: &str) -> Option<Mark> {
        self.scopes(stream).filter_map(|(_, view)| view.allowed).max()
    }

    /// The latest request for removal from a stream, if neither a lift nor an allowance came after it.
    pub fn removal(&self, stream: &str) -> Option<Mark> {
        let here = self.streams.get(stream)?;
        let ended = here.lifted.max(self.allowed(stream));
        here.removal.filter(|asked| ended.is_none_or(|ended| asked.at >= ended.at))
    }

    /// The streams whose list it is on or barred from, each with its row; `*` where the whole server is barred.
    pub fn rows(&self) -> BTreeMap<&str, StreamRow> {
        let row = |stream: &String| {
            let listed = self.streams.get(stream).into_iter().flat_map(StreamView::live_causes);
            let listed = listed.filter_map(|(cause, marks)| Some((cause.name(), marks.last()?.at)));
            // A bar on the whole server has its own row.
            let bars = self.bars(stream).filter(|(_, scope, _)| scope == stream);
            let held: Vec<_> = listed.chain(bars.map(|(bar, _, mark)| (bar.name(), mark.at))).collect();
            let since = held.iter().map(|(_, at)| *at).max()?;
            Some(StreamRow { since, causes: held.into_iter().map(|(cause, _)| cause).collect() })
        };
        self.streams.keys().filter_map(|stream| Some((&**stream, row(stream)?))).collect()
    }

    fn scopes<'a>(&'a self, stream: &'a str) -> impl Iterator<Item = (&'a str, &'a StreamView)> {
        let whole = (stream != WHOLE_SERVER).then_some(WHOLE_SERVER);
        [Some(stream), whole]
            .into_iter()
            .flatten()
            .filter_map(|scope| Some((scope, self.streams.get(scope)?)))
    }
}

/// Folds a set of events. Deliveries, opens and clicks have no facts; `None` if there is nothing else.
/// The caller gives each event once: see [`EventSet`].
pub fn fold<'a>(events: impl IntoIterator<Item = &'a Event>) -> Option<View> {
    let mut events = events.into_iter().filter(|event| event.class() == Class::State).peekable();
    let first = events.peek()?;
    let mut view = View::empty(first.server, first.recipient);
    let mut spelled: Option<(Mark, &str)> = None;
    for event in events {
        view.events += 1;
        view.folded.add(event);
        let told = Mark { at: event.at, event: event.identity };
        if let Some(address) = &event.address {
            spelled = spelled.max(Some((told, address)));
        }
        for fact in event.facts() {
            fold_fact(&mut view, event.identity, fact);
        }
    }
    view.address = spelled.map(|(_, address)| address.to_owned());
    view.streams.values_mut().for_each(thin);
    Some(view)
}

fn fold_fact(view: &mut View, event: Identity, fact: Fact) {
    let (Fact::Suppressed { stream, at, .. }
    | Fact::Lifted { stream, at }
    | Fact::Barred { stream, at, .. }
    | Fact::Allowed { stream, at }
    | Fact::Bounced { stream, at, .. }
    | Fact::Complained { stream, at }
    | Fact::RemovalRequested { stream, at }) = &fact;
    let (on, at) = (view.streams.entry(stream.clone()).or_default(), *at);
    let mark = Mark { at, event };
    // On a broadcast stream, a suppression may be the only report of a hard bounce; in an import it always is.
    let cause = match &fact {
        Fact::Suppressed { cause, .. } => Some(*cause),
        Fact::Barred { cause, .. } => cause.cause(),
        _ => None,
    };
    if cause == Some(Cause::HardBounce) {
        let bounce = BounceMark { at, event, class: BounceClass::Hard, message_id: None };
        on.dead = on.dead.take().max(Some(bounce));
    }
    match fact {
        Fact::Suppressed { cause, .. } => on.listed.entry(cause).or_default().push(mark),
        Fact::Lifted { .. } => on.lifted = on.lifted.max(Some(mark)),
        Fact::Allowed { .. } => on.allowed = on.allowed.max(Some(mark)),
        Fact::Complained { .. } => on.complained = on.complained.max(Some(mark)),
        Fact::RemovalRequested { .. } => on.removal = on.removal.max(Some(mark)),
        Fact::Barred { cause, .. } => {
            let latest = on.barred.entry(cause).or_insert(mark);
            *latest = mark.max(*latest);
        }
        Fact::Bounced { class, message_id, .. } => {
            let bounce = BounceMark { at, event, class, message_id };
            if matches!(class, BounceClass::Hard | BounceClass::Invalid) {
                on.dead = on.dead.take().max(Some(bounce.clone()));
            }
            if class.undoes_delivery() {
                on.bounces.push(bounce);
            }
        }
    }
}

/// Sorts what was gathered and bounds it, as the module's head says.
fn thin(stream: &mut StreamView) {
    for marks in stream.listed.values_mut() {
        marks.sort_unstable();
        marks.drain(..marks.len().saturating_sub(EVIDENCE_MAX));
    }
    let soft = |bounce: &&BounceMark| bounce.class == BounceClass::Soft;
    let Some(last) = stream.bounces.iter().filter(soft).map(|bounce| bounce.at).max() else {
        stream.bounces.clear();
        return;
    };
    let horizon = last.plus_days(-i64::from(SOFT_DAYS_MAX));
    stream.bounces.retain(|bounce| bounce.at >= horizon);
    stream.bounces.sort_unstable();
    let excess = stream.bounces.len().saturating_sub(BOUNCES_MAX);
    let whole = stream.bounces.split_off(excess);
    let mut day = String::new();
    stream.bounces.retain(|bounce| {
        let this = bounce.at.day();
        let first = bounce.class == BounceClass::Soft && this != day;
        if first {
            day = this;
        }
        first
    });
    stream.bounces_truncated = stream.bounces.len() < excess;
    stream.bounces.extend(whole);
}

/// The reference: all recipients of all servers, in memory, by the same functions that a store's consumer uses.
/// Every store and stack is compared with it.
#[derive(Clone, Debug, Default)]
pub struct Reference(BTreeMap<(ServerId, RecipientId), EventSet>);

impl Reference {
    /// Offers an event, in any order and however often.
    pub fn offer(&mut self, event: Event) -> Offered {
        self.0.entry((event.server, event.recipient)).or_default().offer(event)
    }

    /// The views, by server and recipient.
    pub fn views(&self) -> impl Iterator<Item = View> {
        self.0.values().filter_map(EventSet::view)
    }

    /// All counters.
    pub fn counters(&self) -> Counters {
        let mut counters = Counters::default();
        self.events().for_each(|event| counters.add(event, 1));
        counters
    }

    /// All events, one copy of each.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.0.values().flat_map(EventSet::iter)
    }

    /// The events of one recipient.
    pub fn of(&self, server: ServerId, recipient: RecipientId) -> Option<&EventSet> {
        self.0.get(&(server, recipient))
    }
}

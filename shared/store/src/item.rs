//! Items: what the tables hold, attribute by attribute, and how many bytes DynamoDB counts for it.
//!
//! Keys and attribute names are frozen. What state, identity and counters need stands in attributes of its
//! own, so that an event can be folded without its body, and a person erased without losing the ban.

use crate::tables::BY_TIME;
use crate::{Erased, ErasedAs, Recorded, Rules, ServerSettings, StoreError, pack};
use ledger::counters::{Counts, Measure};
use ledger::event::{Bar, Cause, Ruling, WHOLE_SERVER, What};
use ledger::fold::{Folded, StreamRow, View};
use ledger::{Class, Event, Identity, Kind, RecipientId, ServerId, Source, Time};
use queue::Part;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A string.
    S(String),
    /// A number.
    N(i64),
    /// Bytes.
    B(Vec<u8>),
    /// True or false.
    Bool(bool),
}

/// The attributes of an item beside its key, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item(BTreeMap<Cow<'static, str>, Value>);

impl Item {
    /// Sets an attribute that is not set yet.
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: Value) -> Item {
        self.0.insert(name.into(), value);
        self
    }

    /// Sets an attribute that may be absent.
    pub fn with_some(self, name: &'static str, value: Option<Value>) -> Item {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The attributes.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// The attributes, to keep.
    pub fn into_attributes(self) -> impl Iterator<Item = (Cow<'static, str>, Value)> {
        self.0.into_iter()
    }

    /// Sets an attribute, whatever it was.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, value: Value) {
        self.0.insert(name.into(), value);
    }

    /// Takes an attribute away.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Adds to a number; an absent one counts as 0.
    pub fn add(&mut self, name: &'static str, by: i64) {
        if let Value::N(number) = self.0.entry(name.into()).or_insert(Value::N(0)) {
            *number += by;
        }
    }

    /// An attribute.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A string.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Value::S(text)) => Some(text),
            _ => None,
        }
    }

    /// A number.
    pub fn number(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(Value::N(number)) => Some(*number),
            _ => None,
        }
    }

    fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name) {
            Some(Value::Bool(flag)) => Some(*flag),
            _ => None,
        }
    }

    /// The bytes that DynamoDB counts for an item under a key of these two parts (attributes `pk` and `sk`).
    pub fn size(&self, pk: &str, sk: &str) -> usize {
        let value = |value: &Value| match value {
            Value::S(text) => text.len(),
            Value::B(bytes) => bytes.len(),
            Value::Bool(_) => 1,
            // One byte for each two significant digits, and one.
            Value::N(number) => number.unsigned_abs().to_string().trim_end_matches('0').len().div_ceil(2) + 1,
        };
        "pk".len()
            + pk.len()
            + "sk".len()
            + sk.len()
            + self.0.iter().map(|(name, attribute)| name.len() + value(attribute)).sum::<usize>()
    }
}

/// The key of an item: partition and sort key.
pub type Key = (String, String);

/// The partition of a recipient, in the events and recipients tables.
pub fn recipient_pk(server: ServerId, recipient: RecipientId) -> String {
    format!("{server}#{recipient}")
}

/// The key of an event.
pub fn event_key(server: ServerId, recipient: RecipientId, class: Class, identity: Identity) -> Key {
    (recipient_pk(server, recipient), format!("{}{identity}", class_prefix(class)))
}

/// What the sort keys of a class begin with.
pub fn class_prefix(class: Class) -> String {
    format!("{}#", class.letter())
}

/// The class of a letter.
pub(crate) fn class_lettered(letter: &str) -> Option<Class> {
    Class::ALL.into_iter().find(|class| class.letter() == letter)
}

/// The key of a view.
pub fn view_key(server: ServerId, recipient: RecipientId) -> Key {
    (recipient_pk(server, recipient), WHOLE_SERVER.to_owned())
}

/// The sort key of the whole server's row.
const SERVER_ROW: &str = "*server";

/// The key of a stream's row. The whole server's cannot be `*`, which is the view; no stream begins with one.
pub fn row_key(server: ServerId, recipient: RecipientId, stream: &str) -> Key {
    let sk = if stream == WHOLE_SERVER { SERVER_ROW } else { stream };
    (recipient_pk(server, recipient), sk.to_owned())
}

/// The stream of a row's sort key.
pub fn row_stream(sk: &str) -> &str {
    if sk == SERVER_ROW { WHOLE_SERVER } else { sk }
}

/// The partition of a stream's counters, and of its list in the index `suppressed`.
pub fn stream_pk(server: ServerId, stream: &str) -> String {
    format!("{server}#{stream}")
}

/// The key of an hour's counters in a shard.
pub fn counter_key(server: ServerId, stream: &str, hour: &str, shard: u8) -> Key {
    (stream_pk(server, stream), format!("{hour}#{shard:02}"))
}

/// The hour of a counter's sort key, which begins with it.
pub fn hour_of(sk: &str) -> &str {
    sk.split_once('#').map_or(sk, |(hour, _)| hour)
}

/// The attribute of an hour's counters that holds when the latest of what they count happened, in microseconds.
pub const LATEST: &str = "latest";

/// When about the latest event happened that an hour's counters of a shard count.
pub fn to_latest(sk: &str, item: &Item) -> Option<Time> {
    let begun = || format!("{}:00:00Z", hour_of(sk)).parse().ok();
    item.number(LATEST).map(Time::from_micros).or_else(begun)
}

/// The key of what was last noted of the critical queue.
pub fn watermark_key() -> Key {
    ("pulse".to_owned(), "critical".to_owned())
}

/// What is noted of the critical queue.
pub fn of_watermark(received_at: Time) -> Item {
    Item::default().with("received_at", Value::N(received_at.micros()))
}

/// What was noted of the critical queue.
pub fn to_watermark(item: &Item) -> Option<Time> {
    item.number("received_at").map(Time::from_micros)
}

/// The key of a part in quarantine.
pub fn part_key(received_at: Time, id: &str, part: u32) -> Key {
    (received_at.day(), format!("{}#{id}#{part:05}", received_at.key()))
}

fn s(text: impl Into<String>) -> Value {
    Value::S(text.into())
}

/// In how many slots a stream's day lies in the index `by_time`, so that no partition of it is too busy.
pub const TIME_SLOTS: u8 = 8;

/// The partition of the index `by_time` that an event lies in.
pub fn time_slot(event: &Event) -> String {
    time_pk(event.server, &event.stream, &event.at.day(), slot_number(event.identity))
}

/// The attribute that holds that partition, of an event that is in the index.
pub(crate) const SLOT: &str = BY_TIME.pk;

/// Where in the index `by_time` an event lies, by its item.
pub(crate) fn slot_of(key: &Key, item: &Item) -> Result<String, StoreError> {
    let read = || {
        let (server, _) = key.0.split_once('#')?;
        let (_, identity) = key.1.split_once('#')?;
        let identity: Identity = identity.parse().ok()?;
        let at = Time::from_micros(item.number("at")?);
        Some(time_pk(server.parse().ok()?, item.text("stream")?, &at.day(), slot_number(identity)))
    };
    read().ok_or(StoreError::Damaged("events"))
}

fn slot_number(identity: Identity) -> u8 {
    identity.bytes()[0] % TIME_SLOTS
}

/// A partition of the index `by_time`.
pub fn time_pk(server: ServerId, stream: &str, day: &str, slot: u8) -> String {
    format!("{server}#{stream}#{day}#{slot}")
}

/// The partition of the index `by_message` that a message's events lie in.
pub fn message_pk(server: ServerId, message_id: &str) -> String {
    format!("{server}#{message_id}")
}

/// An event's item. `message` is the key of the index `by_message` and holds the MessageID; `slot` is the key of
/// the index `by_time`, there where the stack has that index.
pub fn of_event(recorded: &Recorded, by_time: bool) -> Item {
    let event = &recorded.event;
    let message = event.message_id.as_ref().map(|message_id| s(message_pk(event.server, message_id)));
    let item = Item::default()
        .with("kind", s(event.kind().name()))
        .with("stream", s(&*event.stream))
        .with("at", Value::N(event.at.micros()))
        .with_some("message", message)
        .with_some(SLOT, by_time.then(|| s(time_slot(event))))
        .with_some("address", event.address.as_deref().map(s))
        .with("source", s(event.source.name()))
        .with("received_at", Value::N(event.received_at.micros()))
        .with("hash", Value::B(event.body_hash.to_vec()))
        .with_some("body", recorded.body.as_deref().map(|body| Value::B(pack::pack(body))))
        .with_some("dropped", (!recorded.dropped.is_empty()).then(|| s(recorded.dropped.join(" "))))
        .with_some("expires_at", recorded.expires_at.map(|at| Value::N(at.seconds())));
    match &event.what {
        What::Delivery => item,
        What::Open { first, machine } => {
            item.with("first", Value::Bool(*first)).with("machine", Value::Bool(*machine))
        }
        What::Click { machine } => item.with("machine", Value::Bool(*machine)),
        What::Bounce { bounce_type, inactive } => {
            item.with("type", s(&**bounce_type)).with("inactive", Value::Bool(*inactive))
        }
        What::SpamComplaint { inactive } => item.with("inactive", Value::Bool(*inactive)),
        What::Suppressed { cause } | What::Present { cause } => item.with("cause", s(cause.name())),
        What::Reactivated | What::Gone => item,
        What::Decision { ruling: Ruling::Suppress(bar) } => {
            item.with("ruling", s("suppress")).with("cause", s(bar.name()))
        }
        What::Decision { ruling: Ruling::Allow } => item.with("ruling", s("allow")),
    }
}

/// An event from its item.
pub fn to_event(key: &Key, item: &Item) -> Result<Recorded, StoreError> {
    let read = || {
        let (server, recipient) = key.0.split_once('#')?;
        let (_, identity) = key.1.split_once('#')?;
        let kind = Kind::named(item.text("kind")?)?;
        let cause = || Cause::named(item.text("cause")?);
        let what = match kind {
            Kind::Delivery => What::Delivery,
            Kind::Open => What::Open { first: item.flag("first")?, machine: item.flag("machine")? },
            Kind::Click => What::Click { machine: item.flag("machine")? },
            Kind::Bounce => {
                What::Bounce { bounce_type: item.text("type")?.to_owned(), inactive: item.flag("inactive")? }
            }
            Kind::SpamComplaint => What::SpamComplaint { inactive: item.flag("inactive")? },
            Kind::SubscriptionChange => match item.text("cause") {
                Some(_) => What::Suppressed { cause: cause()? },
                None => What::Reactivated,
            },
            Kind::Observed => match item.text("cause") {
                Some(_) => What::Present { cause: cause()? },
                None => What::Gone,
            },
            Kind::Decision => What::Decision {
                ruling: match item.text("ruling")? {
                    "allow" => Ruling::Allow,
                    "suppress" => Ruling::Suppress(Bar::named(item.text("cause")?)?),
                    _ => return None,
                },
            },
        };
        let body_hash = match item.get("hash")? {
            Value::B(hash) => hash.as_slice().try_into().ok()?,
            _ => return None,
        };
        let event = Event {
            server: server.parse().ok()?,
            stream: item.text("stream")?.to_owned(),
            recipient: recipient.parse().ok()?,
            address: item.text("address").map(str::to_owned),
            identity: identity.parse().ok()?,
            at: Time::from_micros(item.number("at")?),
            message_id: item.text("message").and_then(|message| Some(message.split_once('#')?.1.to_owned())),
            what,
            source: Source::named(item.text("source")?)?,
            received_at: Time::from_micros(item.number("received_at")?),
            body_hash,
        };
        let dropped = item.text("dropped").map(|names| names.split(' ').map(str::to_owned).collect());
        let body = match item.get("body") {
            None => None,
            Some(Value::B(packed)) => Some(pack::unpack(packed)?),
            Some(_) => return None,
        };
        Some(Recorded {
            event,
            body,
            dropped: dropped.unwrap_or_default(),
            expires_at: item.number("expires_at").map(|seconds| Time::default().plus_seconds(seconds)),
        })
    };
    read().ok_or(StoreError::Damaged("events"))
}

/// A view's item. `folded` is what the next write of it demands.
pub fn of_view(view: &View) -> Item {
    let json = serde_json::to_string(view).unwrap_or_else(|_| unreachable!("a view is plain JSON"));
    Item::default().with("folded", s(String::from(view.folded))).with("view", Value::B(pack::pack(&json)))
}

/// A view from its item.
pub fn to_view(item: &Item) -> Result<View, StoreError> {
    let read = || match item.get("view")? {
        Value::B(packed) => serde_json::from_str(&pack::unpack(packed)?).ok(),
        _ => None,
    };
    read().ok_or(StoreError::Damaged("recipients"))
}

/// What the recipients table holds.
#[derive(Clone, Debug)]
pub enum RecipientItem {
    /// A view.
    View(Box<View>),
    /// The row of a stream: its key and item.
    Row(Key, Item),
}

/// What stands under a key of the recipients table.
pub fn to_held(key: &Key, item: &Item) -> Result<RecipientItem, StoreError> {
    if key.1 == WHOLE_SERVER {
        to_view(item).map(Box::new).map(RecipientItem::View)
    } else {
        Ok(RecipientItem::Row(key.clone(), item.clone()))
    }
}

/// What a stored view is the fold of, from its item.
pub fn to_folded(item: &Item) -> Result<Folded, StoreError> {
    let folded = item.text("folded").and_then(|text| Folded::try_from(text.to_owned()).ok());
    folded.ok_or(StoreError::Damaged("recipients"))
}

/// A stream's row. `suppressed` and `since` are the key of the index `suppressed`.
pub fn of_row(server: ServerId, stream: &str, row: &StreamRow, address: Option<&str>) -> Item {
    Item::default()
        .with("suppressed", s(stream_pk(server, stream)))
        .with("since", Value::N(row.since.micros()))
        .with("causes", s(row.causes.join(" ")))
        .with_some("address", address.map(s))
}

/// An hour's counts from their item.
pub fn to_counts(item: &Item) -> Counts {
    let count = |(name, value): (&str, &Value)| match value {
        Value::N(count) => Some((Measure::named(name)?, *count)),
        _ => None,
    };
    item.attributes().filter_map(count).filter(|(_, count)| *count != 0).collect()
}

/// Adds a shard's counts to those of its hour.
pub fn add_counts(hours: &mut BTreeMap<String, Counts>, sk: &str, item: &Item) {
    let counts = hours.entry(hour_of(sk).to_owned()).or_default();
    to_counts(item).into_iter().for_each(|(measure, n)| *counts.entry(measure).or_default() += n);
}

/// A part in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// The part, as it travelled.
    pub part: Part,
    /// When the table forgets it, if it does.
    pub expires_at: Option<Time>,
    /// When an operator replayed it.
    pub replayed_at: Option<Time>,
}

/// A quarantined part's item.
pub fn of_quarantined(kept: &Quarantined) -> Item {
    Item::default()
        .with("part", s(kept.part.encode()))
        .with_some("expires_at", kept.expires_at.map(|at| Value::N(at.seconds())))
        .with_some("replayed_at", kept.replayed_at.map(|at| Value::N(at.micros())))
}

/// A quarantined part from its item.
pub fn to_quarantined(item: &Item) -> Result<Quarantined, StoreError> {
    let part = item
        .text("part")
        .and_then(|text| queue::Part::decode(text).ok())
        .ok_or(StoreError::Damaged("quarantine"))?;
    Ok(Quarantined {
        part,
        expires_at: item.number("expires_at").map(|seconds| Time::default().plus_seconds(seconds)),
        replayed_at: item.number("replayed_at").map(Time::from_micros),
    })
}

/// The key of the one item that holds the rules.
pub fn rules_key() -> Key {
    ("rules".to_owned(), "rules".to_owned())
}

/// The attribute of the rules that holds from when a generation of a server's credential is revoked.
pub fn revoked_attribute(server: ServerId, generation: u32) -> String {
    format!("revoked#{server}.{generation}")
}

/// The attribute of the rules that holds the expiry floor of a class.
pub fn floor_attribute(class: Class) -> String {
    format!("floor#{}", class.letter())
}

/// The attribute of the rules that holds how often anybody has been erased.
pub const ERASURES: &str = "erasures";

/// The partition of those who are erased, in the registry.
pub const ERASED_PK: &str = "erased";

/// The key of somebody who is erased.
pub fn erased_key(server: ServerId, recipient: RecipientId) -> Key {
    (ERASED_PK.to_owned(), recipient_pk(server, recipient))
}

/// The partition that tells who was erased in what order, in the registry.
pub const ERASURES_PK: &str = "erasures";

/// The key of an erasure, by the count that it raised the rules' to.
pub fn erasure_key(count: u64) -> Key {
    (ERASURES_PK.to_owned(), format!("{count:016}"))
}

/// The item of an erasure.
pub fn of_erasure(server: ServerId, recipient: RecipientId) -> Item {
    Item::default().with("who", Value::S(recipient_pk(server, recipient)))
}

/// An erasure from its item.
pub fn to_erasure(key: &Key, item: &Item) -> Result<ErasedAs, StoreError> {
    let read = || {
        let (server, recipient) = item.text("who")?.split_once('#')?;
        Some(ErasedAs {
            count: key.1.parse().ok()?,
            server: server.parse().ok()?,
            recipient: recipient.parse().ok()?,
        })
    };
    read().ok_or(StoreError::Damaged("registry"))
}

/// Somebody who is erased, from the item.
pub fn to_erased(key: &Key, item: &Item) -> Result<Erased, StoreError> {
    let read = || {
        let (server, recipient) = key.1.split_once('#')?;
        Some(Erased {
            server: server.parse().ok()?,
            recipient: recipient.parse().ok()?,
            at: Time::from_micros(item.number("at")?),
            swept: item.number("swept").map(Time::from_micros),
        })
    };
    read().ok_or(StoreError::Damaged("registry"))
}

/// The rules from their item.
pub fn to_rules(item: &Item) -> Rules {
    let mut rules = Rules::default();
    for (name, value) in item.attributes() {
        let Value::N(micros) = value else { continue };
        if name == ERASURES {
            rules.erasures = micros.unsigned_abs();
        }
        let at = Time::from_micros(*micros);
        match name.split_once('#') {
            Some(("revoked", generation)) => drop(rules.revoked.insert(generation.to_owned(), at)),
            Some(("floor", letter)) => {
                rules.floors.extend(class_lettered(letter).map(|class| (class, at)));
            }
            _ => {}
        }
    }
    rules
}

/// The partition of what is configured and known for a server.
pub fn server_pk(server: ServerId) -> String {
    server.to_string()
}

/// What the sort keys of a server's streams begin with.
pub const STREAM_PREFIX: &str = "stream#";

/// The key of a stream that a server is known to have.
pub fn stream_key(server: ServerId, stream: &str) -> Key {
    (server_pk(server), format!("{STREAM_PREFIX}{stream}"))
}

/// The key of a server's settings.
pub fn settings_key(server: ServerId) -> Key {
    (server_pk(server), "settings".to_owned())
}

/// A server's settings.
pub fn of_settings(settings: &ServerSettings) -> Item {
    let json = serde_json::to_string(settings).unwrap_or_else(|_| unreachable!("settings are plain JSON"));
    Item::default().with("settings", s(json))
}

/// A server's settings from their item.
pub fn to_settings(item: &Item) -> Result<ServerSettings, StoreError> {
    let read = item.text("settings").and_then(|json| serde_json::from_str(json).ok());
    read.ok_or(StoreError::Damaged("registry"))
}

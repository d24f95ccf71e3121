//! Items: what the tables hold, attribute by attribute, and how many bytes DynamoDB counts for it.
//!
//! Keys and attribute names are frozen. What state, identity and counters need stands in attributes of its
//! own, so that an event can be folded without its body, and a person erased without losing the ban.

use crate::{Kept, Recorded, StoreError, Versioned};
use ledger::counters::{Counts, Measure};
use ledger::event::{Bar, Cause, Ruling, WHOLE_SERVER, What};
use ledger::fold::Row;
use ledger::{Class, Event, Identity, Kind, RecipientId, ServerId, Source, Time};

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
pub struct Item(Vec<(&'static str, Value)>);

impl Item {
    /// Sets an attribute that is not set yet.
    pub fn with(mut self, name: &'static str, value: Value) -> Item {
        self.0.push((name, value));
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
    pub fn attributes(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    /// Adds to a number; an absent one counts as 0.
    pub fn add(&mut self, name: &'static str, by: i64) {
        match self.0.iter_mut().find(|(other, _)| *other == name) {
            Some((_, Value::N(number))) => *number += by,
            Some(_) => {}
            None => self.0.push((name, Value::N(by))),
        }
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    fn text(&self, name: &str) -> Option<&str> {
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

/// The key of a view.
pub fn view_key(server: ServerId, recipient: RecipientId) -> Key {
    (recipient_pk(server, recipient), WHOLE_SERVER.to_owned())
}

/// The key of a stream's row. The whole server's cannot be `*`, which is the view; no stream begins with one.
pub fn row_key(server: ServerId, recipient: RecipientId, stream: &str) -> Key {
    let sk = if stream == WHOLE_SERVER { "*server" } else { stream };
    (recipient_pk(server, recipient), sk.to_owned())
}

/// The partition of a stream's counters, and of its list in the index `suppressed`.
pub fn stream_pk(server: ServerId, stream: &str) -> String {
    format!("{server}#{stream}")
}

/// The key of an hour's counters in a shard.
pub fn counter_key(server: ServerId, stream: &str, hour: &str, shard: u8) -> Key {
    (stream_pk(server, stream), format!("{hour}#{shard:02}"))
}

/// The key of a part in quarantine.
pub fn part_key(received_at: Time, id: &str, part: u32) -> Key {
    (received_at.day(), format!("{}#{id}#{part:05}", received_at.key()))
}

fn s(text: impl Into<String>) -> Value {
    Value::S(text.into())
}

/// An event's item. `message` is the key of the index `by_message` and holds the MessageID.
pub fn of_event(recorded: &Recorded) -> Item {
    let event = &recorded.event;
    let message = event.message_id.as_ref().map(|message_id| s(format!("{}#{message_id}", event.server)));
    let item = Item::default()
        .with("kind", s(event.kind().name()))
        .with("stream", s(&*event.stream))
        .with("at", Value::N(event.at.micros()))
        .with_some("message", message)
        .with_some("address", event.address.as_deref().map(s))
        .with("source", s(event.source.name()))
        .with("received_at", Value::N(event.received_at.micros()))
        .with("hash", Value::B(event.body_hash.to_vec()))
        .with_some("body", recorded.body.as_deref().map(s))
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
///
/// # Errors
/// [`StoreError::Damaged`].
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
        Some(Recorded {
            event,
            body: item.text("body").map(str::to_owned),
            dropped: dropped.unwrap_or_default(),
            expires_at: item.number("expires_at").map(|seconds| Time::default().plus_seconds(seconds)),
        })
    };
    read().ok_or(StoreError::Damaged("events"))
}

/// A view's item.
pub fn of_view(versioned: &Versioned) -> Item {
    let view =
        serde_json::to_string(&versioned.view).unwrap_or_else(|_| unreachable!("a view is plain JSON"));
    Item::default().with("version", Value::N(versioned.version as i64)).with("view", s(view))
}

/// A view from its item.
///
/// # Errors
/// [`StoreError::Damaged`].
pub fn to_view(item: &Item) -> Result<Versioned, StoreError> {
    let read = || {
        let view = serde_json::from_str(item.text("view")?).ok()?;
        Some(Versioned { view, version: item.number("version")?.try_into().ok()? })
    };
    read().ok_or(StoreError::Damaged("recipients"))
}

/// A stream's row. `suppressed` and `since` are the key of the index `suppressed`.
pub fn of_row(server: ServerId, stream: &str, row: &Row, address: Option<&str>) -> Item {
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

/// A quarantined part's item.
pub fn of_kept(kept: &Kept) -> Item {
    Item::default()
        .with("part", s(kept.part.encode()))
        .with_some("expires_at", kept.expires_at.map(|at| Value::N(at.seconds())))
        .with_some("replayed_at", kept.replayed_at.map(|at| Value::N(at.micros())))
}

/// A quarantined part from its item.
///
/// # Errors
/// [`StoreError::Damaged`].
pub fn to_kept(item: &Item) -> Result<Kept, StoreError> {
    let part = item
        .text("part")
        .and_then(|text| queue::Part::decode(text).ok())
        .ok_or(StoreError::Damaged("quarantine"))?;
    Ok(Kept {
        part,
        expires_at: item.number("expires_at").map(|seconds| Time::default().plus_seconds(seconds)),
        replayed_at: item.number("replayed_at").map(Time::from_micros),
    })
}

/// Text kept in the registry table under one attribute.
pub fn of_registry(json: String) -> Item {
    Item::default().with("json", s(json))
}

/// Text from the registry table.
pub fn to_registry(item: &Item) -> Option<&str> {
    item.text("json")
}

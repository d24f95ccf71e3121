//! What really happened, and what became of its webhooks: what proofs compare with.

use crate::deliver::State;
use crate::json::Json;
use crate::model::{Event, Kind, MessageId, NONE};
use crate::{BounceType, Counts, DeliveryId, EventId, Origin, Reason, Record, Simulator, Time};

/// Why an event will not be sent to a webhook any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dropped {
    /// The last retry failed.
    Exhausted,
    /// A status that is final: 403, and most of 4xx since August 2026.
    Refused,
    /// The trigger was unverified or paused.
    Paused,
    /// The webhook was deleted or the trigger switched off meanwhile.
    WebhookGone,
}

impl Dropped {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Dropped::Exhausted => "exhausted",
            Dropped::Refused => "refused",
            Dropped::Paused => "paused",
            Dropped::WebhookGone => "webhook_gone",
        }
    }
}

/// What became of an event's webhooks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// Webhooks that asked for it. 0: it was told to nobody.
    pub webhooks: u16,
    /// Attempts that were made, over all webhooks and duplicates.
    pub attempts: u16,
    /// Attempts that were answered well. At least 1: the event was taken.
    pub accepted: u16,
    /// Deliveries that are not settled yet.
    pub waiting: u16,
    /// When it was first answered well.
    pub accepted_at: Option<Time>,
    /// Why some webhook will not get it any more; the last reason, when several will not.
    pub dropped: Option<Dropped>,
}

/// What is particular to a type of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Details<'a> {
    /// Nothing.
    Delivery,
    /// A bounce.
    Bounce {
        /// Postmark's id.
        id: u64,
        /// The type.
        kind: BounceType,
        /// It deactivated the address.
        inactive: bool,
        /// The address can be reactivated.
        can_activate: bool,
    },
    /// A complaint.
    SpamComplaint {
        /// Postmark's id.
        id: u64,
    },
    /// An open.
    Open {
        /// It is the first of this message by this recipient.
        first: bool,
        /// A machine did it.
        machine: bool,
        /// As the webhook has it.
        user_agent: &'a str,
    },
    /// A first click of a link.
    Click {
        /// The link.
        link: &'a str,
        /// It was clicked in the text part; else in the HTML part.
        in_text: bool,
    },
    /// An entry into a suppression list, or a leave.
    SubscriptionChange {
        /// It is an entry.
        suppress: bool,
        /// Why; of a leave, why it was on it.
        reason: Reason,
        /// By whom.
        origin: Origin,
    },
}

/// An event that really happened.
#[derive(Clone, Copy, Debug)]
pub struct EventTruth<'a> {
    /// Its number.
    pub id: EventId,
    /// The server's number.
    pub server: u64,
    /// The stream's id.
    pub stream: &'a str,
    /// Its type.
    pub record: Record,
    /// The message, `None` for a change that none caused. A webhook may bear the zero UUID or none then.
    pub message: Option<MessageId>,
    /// The address as it was sent, or as the change was asked for.
    pub recipient: &'a str,
    /// When it happened, before any rounding.
    pub at: Time,
    /// The message's tag, empty for none.
    pub tag: &'a str,
    /// The message's metadata, a JSON object or empty.
    pub metadata: &'a str,
    /// What is particular to its type.
    pub details: Details<'a>,
    /// What became of its webhooks.
    pub fate: Fate,
    /// The API has a row or a message event of its own for it, within retention. Repeated opens have none, and
    /// changes that no message caused are seen in the list only, while it lasts.
    pub in_api: bool,
}

/// A delivery of an event to a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryTruth {
    /// Its id, as in [`crate::Due`].
    pub id: DeliveryId,
    /// The event.
    pub event: EventId,
    /// The webhook's id.
    pub webhook: u64,
    /// Attempts made.
    pub attempts: u8,
    /// The event was delivered again although it had been answered well.
    pub duplicate: bool,
    /// It was answered well.
    pub accepted: bool,
    /// Why it is dropped.
    pub dropped: Option<Dropped>,
}

/// A row of a suppression list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suppressed<'a> {
    /// The address, in lower case.
    pub address: &'a str,
    /// Why.
    pub reason: Reason,
    /// By whom.
    pub origin: Origin,
    /// Since when.
    pub since: Time,
}

/// What really happened so far.
#[derive(Clone, Copy)]
pub struct Truth<'a>(&'a Simulator);

impl Simulator {
    /// What really happened so far.
    pub fn truth(&self) -> Truth<'_> {
        Truth(self)
    }
}

impl<'a> Truth<'a> {
    /// Every event, in the order of happening.
    pub fn events(self) -> impl Iterator<Item = EventTruth<'a>> {
        self.events_from(0)
    }

    /// Every event from a number on: the numbers of [`EventId`], some of which are no events of a webhook.
    pub fn events_from(self, first: usize) -> impl Iterator<Item = EventTruth<'a>> {
        let of = self.0.events.iter().enumerate().skip(first);
        of.filter_map(move |(number, event)| self.tell(u32::try_from(number).ok()?, event))
    }

    /// An event by its number.
    pub fn event(self, id: EventId) -> Option<EventTruth<'a>> {
        self.tell(id.0, self.0.events.get(id.0 as usize)?)
    }

    fn tell(self, number: u32, event: &'a Event) -> Option<EventTruth<'a>> {
        let all = self.0;
        let record = event.kind.record()?;
        let stream = all.stream(event.stream);
        let (tag, metadata) = all.labels(event);
        let details = match event.kind {
            Kind::Delivery | Kind::Delay => Details::Delivery,
            Kind::Bounce { kind, inactive, can_activate, .. } => {
                Details::Bounce { id: all.bounce_id(number), kind, inactive, can_activate }
            }
            Kind::Complaint { .. } => Details::SpamComplaint { id: all.bounce_id(number) },
            Kind::Open { first, machine } => {
                Details::Open { first, machine, user_agent: all.user_agent(number) }
            }
            Kind::Click { link, in_text } => Details::Click { link: all.link(event.message, link), in_text },
            Kind::Change { suppress, reason, origin, .. } => {
                Details::SubscriptionChange { suppress, reason, origin }
            }
        };
        Some(EventTruth {
            id: EventId(number),
            server: all.servers[usize::from(stream.server)].id,
            stream: &stream.id,
            record,
            message: (event.message != NONE).then(|| MessageId::of(all.config.seed, event.message)),
            recipient: all.texts.get(event.recipient),
            at: event.at,
            tag: all.texts.get(tag),
            metadata: all.texts.get(metadata),
            details,
            fate: event.fate,
            in_api: match event.kind {
                Kind::Open { first, .. } => first,
                Kind::Change { caused, .. } => caused,
                _ => true,
            },
        })
    }

    /// Every delivery of an event to a webhook, duplicates too.
    pub fn deliveries(self) -> impl Iterator<Item = DeliveryTruth> + 'a {
        let of = self.0.deliveries.iter().enumerate();
        of.filter_map(move |(number, delivery)| {
            Some(DeliveryTruth {
                id: DeliveryId(u32::try_from(number).ok()?),
                event: EventId(delivery.event),
                webhook: self.0.hooks[delivery.hook as usize].id,
                attempts: delivery.attempts,
                duplicate: delivery.duplicate,
                accepted: delivery.state == State::Accepted,
                dropped: match delivery.state {
                    State::Dropped(why) => Some(why),
                    _ => None,
                },
            })
        })
    }

    /// Server and stream of every suppression list.
    pub fn streams(self) -> impl Iterator<Item = (u64, &'a str)> {
        let of = self.0.streams.iter();
        of.map(move |stream| (self.0.servers[usize::from(stream.server)].id, &*stream.id))
    }

    /// A stream's suppression list as sending knows it, by no particular order. Empty when there is no such stream.
    pub fn suppressions(self, server: u64, stream: &str) -> impl Iterator<Item = Suppressed<'a>> {
        let stream = self.0.stream_of(server, stream).map(|stream| self.0.stream(stream));
        stream.into_iter().flat_map(|stream| stream.list.rows()).map(move |(key, row)| Suppressed {
            address: self.0.texts.get(key),
            reason: row.reason,
            origin: row.origin,
            since: row.since,
        })
    }

    /// How many addresses are on a stream's list.
    pub fn suppressed_count(self, server: u64, stream: &str) -> usize {
        self.0.stream_of(server, stream).map_or(0, |stream| self.0.stream(stream).list.len())
    }

    /// Postmark's statistics: server, stream, day (`YYYY-MM-DD`, by its own calendar), tag, counts.
    pub fn statistics(self) -> impl Iterator<Item = (u64, &'a str, String, &'a str, &'a Counts)> {
        self.0.counts.iter().map(move |((stream, day, tag), counts)| {
            let of = self.0.stream(*stream);
            let server = self.0.servers[usize::from(of.server)].id;
            (server, &*of.id, crate::time::date_text(*day), self.0.texts.get(*tag), counts)
        })
    }

    /// How many messages were taken for sending.
    pub fn messages(self) -> usize {
        self.0.messages.len()
    }
}

impl EventTruth<'_> {
    /// As a line of JSON, without the line's end. Times are RFC 3339 with seven digits.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = Json::object();
        json.number("event", u64::from(self.id.0));
        json.number("server", self.server);
        json.text("stream", self.stream);
        json.text("record", self.record.name());
        if let Some(message) = self.message {
            json.text("message", &message.to_string());
        }
        json.text("recipient", self.recipient);
        json.text("at", &self.at.to_string());
        if !self.tag.is_empty() {
            json.text("tag", self.tag);
        }
        match self.details {
            Details::Delivery => {}
            Details::Bounce { id, kind, inactive, can_activate } => {
                json.number("id", id);
                json.text("type", kind.name());
                json.truth("inactive", inactive);
                json.truth("can_activate", can_activate);
            }
            Details::SpamComplaint { id } => json.number("id", id),
            Details::Open { first, machine, user_agent } => {
                json.truth("first", first);
                json.truth("machine", machine);
                json.text("user_agent", user_agent);
            }
            Details::Click { link, in_text } => {
                json.text("link", link);
                json.truth("in_text", in_text);
            }
            Details::SubscriptionChange { suppress, reason, origin } => {
                json.truth("suppress", suppress);
                json.text("reason", reason.name());
                json.text("origin", origin.name());
            }
        }
        json.nested("webhooks", |json| {
            json.number("asked", u64::from(self.fate.webhooks));
            json.number("attempts", u64::from(self.fate.attempts));
            json.number("accepted", u64::from(self.fate.accepted));
            json.number("waiting", u64::from(self.fate.waiting));
            if let Some(at) = self.fate.accepted_at {
                json.text("accepted_at", &at.to_string());
            }
            if let Some(why) = self.fate.dropped {
                json.text("dropped", why.name());
            }
        });
        json.truth("in_api", self.in_api);
        json.end()
    }
}

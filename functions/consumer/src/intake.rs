//! From messages to work: events by recipient for the state, events for bulk, and what is set aside.

use crate::observe::Happened;
use crate::{EXPIRY_SLACK_DAYS, EventKey, Incoming, Item, REVOKED, REVOKED_DAYS, Settings};
use erasure::Erasures;
use ledger::bounce::BounceClass;
use ledger::event::{Class, Event, What};
use ledger::{Kind, RecipientId, ServerId, Source, Time};
use postmark::{Context, RecordType, RefusalCode};
use queue::{Envelope, EnvelopeError, SetAside};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use store::webhook_activity::{self, RETRIES_LOW, WebhookActivity};
use store::{Recorded, Rules};

/// Why an event is set aside: code and words.
type Why = (&'static str, String);
/// An event, its canonical body, and what was taken out of that.
type Understood = (Event, Option<String>, Vec<String>);

/// The reason code of messages that their sender may not send.
pub(crate) const SENDER: &str = "sender";

/// Whether an envelope says that a webhook delivered it. A door may send only these, and only these are accepted from
/// senders that are not [trusted](queue::Trusted). The body is then read as a webhook's, and refused if it is not one.
pub fn says_webhook(envelope: &Envelope) -> bool {
    let is_postmarks = |kind: Kind| RecordType::of(kind).is_some();
    envelope.source == Source::Webhook
        && !envelope.overridden
        && is_postmarks(envelope.record_type)
        && envelope.erased.as_ref().is_none_or(|erased| is_postmarks(erased.what.kind()))
}

/// A batch, taken apart.
pub(crate) struct Intake<'a> {
    settings: &'a Settings,
    rules: &'a Rules,
    erased: &'a Erasures,
    now: Time,
    /// Events with state, by recipient.
    pub(crate) state: BTreeMap<(ServerId, RecipientId), BTreeMap<EventKey, Item>>,
    /// Deliveries, opens and clicks.
    pub(crate) bulk: BTreeMap<EventKey, Item>,
    /// The streams that an operator's replay insists on.
    insisted: BTreeSet<(ServerId, String)>,
    /// What is set aside, each with the place of its message.
    pub(crate) aside: Vec<(usize, SetAside)>,
    /// When the first of its events came in.
    pub(crate) earliest: Option<Time>,
    /// What was heard of each server's webhooks.
    pub(crate) heard: BTreeMap<ServerId, WebhookActivity>,
}

impl<'a> Intake<'a> {
    pub(crate) fn new(
        settings: &'a Settings,
        rules: &'a Rules,
        erased: &'a Erasures,
        now: Time,
    ) -> Intake<'a> {
        Intake {
            settings,
            rules,
            erased,
            now,
            state: BTreeMap::new(),
            bulk: BTreeMap::new(),
            insisted: BTreeSet::new(),
            aside: Vec::new(),
            earliest: None,
            heard: BTreeMap::new(),
        }
    }

    /// Takes one message. A later release's envelope is neither taken nor set aside: it comes again.
    pub(crate) fn take(&mut self, place: usize, message: &Incoming) {
        let envelope = match Envelope::decode(&message.body) {
            Ok(envelope) => envelope,
            Err(EnvelopeError::LaterVersion) => return,
            Err(_) => {
                self.aside.push((place, undecodable(&message.body, self.now)));
                return;
            }
        };
        match self.recorded(&envelope, message.trusted) {
            Ok(recorded) => {
                let received_at = recorded.event.received_at;
                self.earliest = Some(self.earliest.map_or(received_at, |earliest| earliest.min(received_at)));
                self.hear(&envelope, &recorded.event);
                if envelope.overridden {
                    self.insisted.insert((recorded.event.server, recorded.event.stream.clone()));
                }
                self.sort(place, recorded);
            }
            Err((reason, detail)) => {
                let aside = SetAside {
                    server: envelope.server,
                    generation: envelope.generation,
                    key_id: envelope.key_id.clone(),
                    received_at: envelope.received_at,
                    source: envelope.source,
                    reason: reason.to_owned(),
                    detail,
                    record_type: Some(envelope.record_type),
                    dropped: envelope.dropped.clone(),
                    erased: envelope.erased,
                    body: envelope.body.get().as_bytes().to_vec(),
                };
                self.aside.push((place, aside));
            }
        }
    }

    /// Notes which key signed for an event that a webhook told, and whether it was near its last try.
    fn hear(&mut self, envelope: &Envelope, event: &Event) {
        if envelope.source != Source::Webhook || envelope.key_id.is_empty() {
            return;
        }
        let heard = self.heard.entry(envelope.server).or_default();
        match heard.keys.get_mut(&envelope.key_id) {
            Some(at) => *at = (*at).max(envelope.received_at),
            None => drop(heard.keys.insert(envelope.key_id.clone(), envelope.received_at)),
        }
        if let Some(left) = envelope.retries_remaining.filter(|left| *left <= RETRIES_LOW) {
            let known = heard.low.entry(envelope.received_at.hour()).or_insert(left);
            *known = (*known).min(left);
        }
        if let Some(message_id) = event.message_id.as_ref().filter(|_| heard.told.is_empty()) {
            let (stream, message_id) = (event.stream.clone(), message_id.clone());
            heard.told.push(webhook_activity::SampleMessage { at: envelope.received_at, stream, message_id });
        }
    }

    /// The event as it would be recorded, or the code and words of why it is set aside.
    fn recorded(&self, envelope: &Envelope, trusted: bool) -> Result<Recorded, Why> {
        if !trusted && !says_webhook(envelope) {
            return Err((SENDER, "its sender may tell of webhooks only".to_owned()));
        }
        let revoked = self.rules.revoked_at(envelope.server, envelope.generation);
        if !envelope.overridden && revoked.is_some_and(|revoked| envelope.received_at > revoked) {
            return Err((REVOKED, "the credential's generation had been revoked when it came in".to_owned()));
        }
        let (event, body, dropped) = self.told(envelope)?;
        let class = event.class();
        let floor = self.rules.floors.get(&class).copied().max(Some(self.settings.floor(self.now)));
        if class != Class::State && !envelope.overridden && Some(event.at) < floor {
            return Err((RefusalCode::TooOld.code(), crate::TOO_OLD.to_owned()));
        }
        // One that an operator insists on is older than what has expired: it lives on from now.
        let lives_from = if envelope.overridden { event.at.max(self.now) } else { event.at };
        let expires_at = self.settings.expires_at(class, lives_from);
        let dropped = [envelope.dropped.clone(), dropped].concat();
        let is_erased = self.erased.of(&event);
        let recorded = Recorded { expires_at, body, dropped, event };
        // Identity and hash are made of the whole body all the same.
        Ok(if is_erased { recorded.stripped() } else { recorded })
    }

    /// The event that an envelope tells, its canonical body, and what was taken out of that here; the event alone
    /// where its recipient was erased on the way.
    fn told(&self, envelope: &Envelope) -> Result<Understood, Why> {
        if let Some(erased) = envelope.erased.clone() {
            let event = erased.event(envelope.server, envelope.received_at, envelope.source);
            return Ok((event, None, Vec::new()));
        }
        let context = Context {
            server: envelope.server,
            received_at: envelope.received_at,
            source: envelope.source,
            // The door has reduced it already, as its stack demands.
            keep_engagement_detail: true,
        };
        let refused = |refusal: postmark::Refusal| {
            (refusal.refused.code(), format!("{} (at {})", refusal.words, refusal.place))
        };
        let body = envelope.body.get().as_bytes();
        let (examined, event) =
            postmark::event(body, &context, &self.settings.ledger_key).map_err(refused)?;
        Ok((event, Some(examined.canonical), examined.dropped))
    }

    /// Puts an event where it belongs; of two copies in one batch the better one stays, for both messages.
    fn sort(&mut self, place: usize, recorded: Recorded) {
        if let What::Bounce { bounce_type, .. } = &recorded.event.what
            && BounceClass::of(bounce_type).is_none()
        {
            Happened::UnknownType.emit();
        }
        let item = Item { recorded, messages: vec![place] };
        let key = item.key();
        let place_for = match key.2 {
            Class::State => self.state.entry((key.0, key.1)).or_default().entry(key),
            Class::Delivery | Class::Engagement => self.bulk.entry(key),
        };
        match place_for {
            Entry::Vacant(free) => drop(free.insert(item)),
            Entry::Occupied(mut taken) => {
                let known = taken.get_mut();
                known.messages.extend(item.messages);
                if item.recorded.event.rank() < known.recorded.event.rank() {
                    known.recorded = item.recorded;
                }
            }
        }
    }

    /// Whether an operator's replay insists on a stream.
    pub(crate) fn insists(&self, server: ServerId, stream: &str) -> bool {
        self.insisted.iter().any(|(of, one)| *of == server && one == stream)
    }

    /// Takes the events of some streams out.
    pub(crate) fn without(&mut self, streams: &BTreeSet<(ServerId, String)>) -> Vec<Item> {
        if streams.is_empty() {
            return Vec::new();
        }
        let of = |item: &Item| {
            let event = &item.recorded.event;
            streams.contains(&(event.server, event.stream.clone()))
        };
        let mut out: Vec<Item> = Vec::new();
        for items in self.state.values_mut().chain([&mut self.bulk]) {
            let (taken, left) = std::mem::take(items).into_iter().partition(|(_, item)| of(item));
            let taken: BTreeMap<EventKey, Item> = taken;
            out.extend(taken.into_values());
            *items = left;
        }
        self.state.retain(|_, items| !items.is_empty());
        out
    }

    /// The streams that events of this batch happened on, and whether Postmark itself tells of an event there: a ruling
    /// is somebody's word, which may have a slip in it.
    pub(crate) fn streams(&self) -> BTreeMap<(ServerId, String), bool> {
        let mut streams = BTreeMap::new();
        let state = self.state.values().flat_map(BTreeMap::values);
        for item in state.chain(self.bulk.values()) {
            let event = &item.recorded.event;
            let told = streams.entry((event.server, event.stream.clone())).or_default();
            *told |= event.kind() != Kind::Decision;
        }
        streams
    }
}

/// A message that is neither an envelope nor a part. Its time of receipt is set to the beginning of the day, so that a
/// redelivery on the same day is the same body.
pub(crate) fn undecodable(message: &str, now: Time) -> SetAside {
    let day = now.plus_seconds(-now.seconds().rem_euclid(86_400));
    SetAside {
        server: ServerId::NONE,
        generation: 0,
        key_id: String::new(),
        received_at: Time::from_micros(day.micros() - day.micros().rem_euclid(1_000_000)),
        source: Source::Operator,
        reason: "not_an_envelope".to_owned(),
        detail: format!("a message of {} bytes that no door has sent", message.len()),
        record_type: None,
        dropped: Vec::new(),
        erased: None,
        body: message.as_bytes().to_vec(),
    }
}

impl Settings {
    /// Before when deliveries, opens and clicks may have expired.
    pub(crate) fn floor(&self, now: Time) -> Time {
        crate::floor(self.retention_days, now)
    }

    /// When an event expires: by its own time, never one with state.
    fn expires_at(&self, class: Class, at: Time) -> Option<Time> {
        let days = i64::from(self.retention_days.max(crate::RETENTION_DAYS_MIN)) + EXPIRY_SLACK_DAYS;
        (class != Class::State).then(|| Time::default().plus_seconds(at.plus_days(days).seconds()))
    }

    /// When something in quarantine expires: by receipt, and only what surely has no state or came with a revoked
    /// password.
    pub(crate) fn expires_at_receipt(
        &self,
        reason: &str,
        kind: Option<Kind>,
        received_at: Time,
    ) -> Option<Time> {
        if reason == REVOKED {
            return Some(Time::default().plus_seconds(received_at.plus_days(REVOKED_DAYS).seconds()));
        }
        kind.and_then(|kind| self.expires_at(kind.class(), received_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_no_door_has_sent_has_one_id_a_day() {
        let at = |text: &str| text.parse::<Time>().unwrap();
        let one = undecodable("x", at("2026-09-21T00:00:00.5Z")).id();
        assert_eq!(one, undecodable("x", at("2026-09-21T23:59:59.999999Z")).id());
        assert_ne!(one, undecodable("x", at("2026-09-22T00:00:00Z")).id());
        assert_ne!(one, undecodable("y", at("2026-09-21T00:00:00Z")).id());
    }
}

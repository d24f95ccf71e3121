//! The erased: who they are, and which bodies tell of them, wherever a body lies: on its way, in quarantine, among
//! the dead letters.
//!
//! Invariant: a body that tells an event of somebody erased becomes that event without its person, and can still be
//! recorded as what it is. Of a body that nobody understands nothing is left where an address of somebody erased
//! stands in it. What tells of nobody erased is not touched.

mod addresses;

use ledger::{Event, LedgerKey, RecipientId, ServerId, Source, Time, recipient_key};
use postmark::{Body, Context};
use queue::{Envelope, EnvelopeError, Erased, Part, SetAside};
use std::collections::{BTreeSet, HashSet};

/// Who is erased.
#[derive(Clone, Debug, Default)]
pub struct Erasures {
    recipients: HashSet<(ServerId, RecipientId)>,
    servers: BTreeSet<ServerId>,
}

/// What a body tells of the erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// It tells an event of one of them: this is left of it.
    Event(Box<Erased>),
    /// It is not understood, and an address of one of them stands in it.
    Address,
}

impl Found {
    /// What is left of the event, where something is to be taken out at all.
    fn left(self) -> Option<Option<Box<Erased>>> {
        match self {
            Found::Nothing => None,
            Found::Event(erased) => Some(Some(erased)),
            Found::Address => Some(None),
        }
    }
}

/// Where a body came from, as far as it says how it is read.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The server of its credential.
    pub server: ServerId,
    /// When it came in.
    pub received_at: Time,
    /// Who told it.
    pub source: Source,
}

impl From<&SetAside> for Origin {
    fn from(aside: &SetAside) -> Origin {
        Origin { server: aside.server, received_at: aside.received_at, source: aside.source }
    }
}

impl FromIterator<store::Erased> for Erasures {
    fn from_iter<I: IntoIterator<Item = store::Erased>>(erased: I) -> Erasures {
        let recipients: HashSet<_> = erased.into_iter().map(|one| (one.server, one.recipient)).collect();
        let servers = recipients.iter().map(|(server, _)| *server).collect();
        Erasures { recipients, servers }
    }
}

impl Extend<(ServerId, RecipientId)> for Erasures {
    fn extend<I: IntoIterator<Item = (ServerId, RecipientId)>>(&mut self, erased: I) {
        for (server, recipient) in erased {
            self.recipients.insert((server, recipient));
            self.servers.insert(server);
        }
    }
}

impl Erasures {
    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.recipients.is_empty()
    }

    /// Whether the recipient of an event is.
    pub fn of(&self, event: &Event) -> bool {
        self.recipients.contains(&(event.server, event.recipient))
    }

    /// What a body tells of them. `reduced`: a door has reduced it already.
    pub fn found(&self, key: &LedgerKey, body: &[u8], origin: Origin, reduced: bool) -> Found {
        if self.is_empty() {
            return Found::Nothing;
        }
        let Origin { server, received_at, source } = origin;
        let context = Context { server, received_at, source, keep_engagement_detail: reduced };
        let event = postmark::examine(body, &context).and_then(|examined| examined.event(&context, key));
        match event {
            Ok(event) if self.of(&event) => Found::Event(Box::new(Erased::of(&event))),
            Ok(_) => Found::Nothing,
            Err(_) if self.stands_in(key, body, server) => Found::Address,
            Err(_) => Found::Nothing,
        }
    }

    /// Whether an address of one of them stands in a body that is not understood. Where it bears no credential any
    /// server may have sent it; else its own, or the one that it names.
    fn stands_in(&self, key: &LedgerKey, body: &[u8], server: ServerId) -> bool {
        let parsed = Body::parse(body).ok();
        let named = parsed.as_ref().and_then(|body| body.server_id().ok().flatten());
        let servers: Vec<ServerId> = match server {
            ServerId::NONE => self.servers.iter().copied().collect(),
            server => {
                self.servers.iter().copied().filter(|one| *one == server || Some(*one) == named).collect()
            }
        };
        if servers.is_empty() {
            return false;
        }
        let is_erased = |address: &str| {
            let recipient = recipient_key(address);
            let at = |server: &ServerId| {
                self.recipients.contains(&(*server, key.recipient_id(*server, &recipient)))
            };
            servers.iter().any(at)
        };
        // An address may be one in name only: it is told by its place.
        let fields = ["Recipient", "Email"].into_iter();
        let mut placed = fields.filter_map(|name| parsed.as_ref().and_then(|body| body.text(name)));
        placed.any(is_erased) || addresses::any(body, is_erased)
    }

    /// The message of an envelope or a part without its person; `None` where it tells of nobody erased, or where a
    /// later release wrote it.
    pub fn strip_message(&self, key: &LedgerKey, message: &str) -> Option<String> {
        match (Envelope::decode(message), Part::decode(message)) {
            (Err(EnvelopeError::LaterVersion), _) | (_, Err(EnvelopeError::LaterVersion)) => None,
            (Ok(envelope), _) => {
                let (server, received_at) = (envelope.server, envelope.received_at);
                let origin = Origin { server, received_at, source: envelope.source };
                let left = self.found(key, envelope.body.get().as_bytes(), origin, true).left()?;
                Some(envelope.stripped(left.map(|erased| *erased)).encode())
            }
            (Err(_), Ok(part)) => Some(self.strip_parts(key, vec![part])?.first()?.encode()),
            (Err(_), Err(_)) => {
                self.stands_in(key, message.as_bytes(), ServerId::NONE).then(|| ERASED_MESSAGE.to_owned())
            }
        }
    }

    /// The parts of one body as they may be kept.
    pub fn without(&self, key: &LedgerKey, parts: Vec<Part>) -> Vec<Part> {
        if self.is_empty() {
            return parts;
        }
        self.strip_parts(key, parts.clone()).unwrap_or(parts)
    }

    /// The parts of one body that are to be put in the place of what there is, the first one first; `None` where
    /// there is nothing to do. Where one part was stripped before, the others follow.
    pub fn strip_parts(&self, key: &LedgerKey, parts: Vec<Part>) -> Option<Vec<Part>> {
        if self.is_empty() {
            return None;
        }
        let (stripped, mut left): (Vec<Part>, Vec<Part>) = parts.into_iter().partition(Part::is_stripped);
        left.sort_by_key(|part| part.part);
        let first = left.first()?;
        let erased = if !stripped.is_empty() {
            None
        } else if let Some(whole) = SetAside::whole(left.clone()) {
            self.found(key, &whole.body, Origin::from(&whole), false).left()?
        } else {
            // One that is missing comes, or has expired.
            let server = first.server;
            left.iter().any(|part| self.stands_in(key, &part.bytes(), server)).then_some(None)?
        };
        Some(left.into_iter().map(|part| part.stripped(erased.clone())).collect())
    }
}

/// What is left of a message that no door has sent.
const ERASED_MESSAGE: &str = "erased";

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::event::What;
    use queue::PART_BYTES_MAX;
    use serde_json::{Value, json};

    const SERVER: i64 = 8_123_456;

    fn server(id: i64) -> ServerId {
        ServerId::new(id).unwrap()
    }

    fn key() -> LedgerKey {
        LedgerKey::for_tests()
    }

    fn erased(addresses: &[&str]) -> Erasures {
        let one = |address: &&str| store::Erased {
            server: server(SERVER),
            recipient: key().recipient_id(server(SERVER), &recipient_key(address)),
            at: Time::EARLIEST,
            swept: None,
        };
        addresses.iter().map(one).collect()
    }

    fn origin(id: i64) -> Origin {
        Origin {
            server: server(id),
            received_at: "2026-10-01T00:00:00Z".parse().unwrap(),
            source: Source::Webhook,
        }
    }

    fn bounce(address: &str) -> Value {
        json!({ "RecordType": "Bounce", "ID": 7, "Type": "HardBounce", "MessageID": "m1", "Email": address,
            "BouncedAt": "2026-09-20T08:00:00Z", "Inactive": true, "Subject": "Your order" })
    }

    fn found(of: &Erasures, body: &Value, id: i64) -> Found {
        of.found(&key(), body.to_string().as_bytes(), origin(id), true)
    }

    #[test]
    fn what_is_left_of_an_event_is_the_event_without_its_person() {
        let of = erased(&["ida@customer.example"]);
        let body = bounce("\"Ida\" <Ida@Customer.Example>");
        let Found::Event(left) = found(&of, &body, SERVER) else { panic!("it is hers") };
        let Origin { server, received_at, source } = origin(SERVER);
        let context = Context { server, received_at, source, keep_engagement_detail: true };
        let whole = postmark::examine(body.to_string().as_bytes(), &context).unwrap();
        let whole = whole.event(&context, &key()).unwrap();
        assert_eq!(left.event(server, received_at, source), Event { address: None, ..whole });
    }

    #[test]
    fn others_and_the_same_address_at_another_server_are_left_alone() {
        let of = erased(&["ida@customer.example"]);
        assert_eq!(found(&of, &bounce("max@customer.example"), SERVER), Found::Nothing);
        assert_eq!(found(&of, &bounce("ida@customer.example"), 9), Found::Nothing);
        let mut cut = bounce("ida@customer.example");
        cut["BouncedAt"] = Value::Null;
        assert_eq!(found(&of, &cut, 9), Found::Nothing);
        assert_eq!(found(&of, &cut, SERVER), Found::Address);
        assert_eq!(found(&of, &cut, 0), Found::Address, "it may be from anywhere");
        cut["ServerID"] = json!(SERVER);
        assert_eq!(found(&of, &cut, 9), Found::Address, "it names her server");
    }

    #[test]
    fn an_address_is_found_in_what_is_no_json_and_where_it_is_no_address() {
        let of = erased(&["ida@customer.example", "not an address"]);
        let text = |text: &str| of.found(&key(), text.as_bytes(), origin(SERVER), true);
        assert_eq!(text(r#"{"Email":"ida\u0040customer.example","#), Found::Address);
        assert_eq!(text("To: Ida <IDA@customer.example.>, and others"), Found::Address);
        assert_eq!(text("ida at customer.example"), Found::Nothing);
        assert_eq!(text(r#"{"Email":" Not an address"}"#), Found::Address);
    }

    #[test]
    fn parts_are_stripped_together_and_a_stripped_one_takes_the_others_along() {
        let of = erased(&["ida@customer.example"]);
        let Origin { server, received_at, source } = origin(SERVER);
        let mut body = vec![b'x'; PART_BYTES_MAX - 4];
        body.extend(b" ida@customer.example ");
        body.extend(vec![b'x'; PART_BYTES_MAX]);
        let aside = SetAside {
            server,
            generation: 1,
            key_id: String::new(),
            received_at,
            source,
            reason: "not_json".to_owned(),
            detail: String::new(),
            record_type: None,
            dropped: Vec::new(),
            erased: None,
            body,
        };
        let parts = aside.parts();
        let stripped = of.strip_parts(&key(), parts.clone()).unwrap();
        assert!(stripped.len() == 3 && stripped.iter().all(|part| part.is_stripped()));
        assert_eq!(of.strip_parts(&key(), stripped.clone()), None, "there is nothing left to do");
        // Killed after the first: the address is in none of the others.
        let half = vec![stripped[0].clone(), parts[1].clone(), parts[2].clone()];
        assert_eq!(of.strip_parts(&key(), half).unwrap(), stripped[1..]);
        assert_eq!(of.strip_parts(&key(), parts[2..].to_vec()), None);
    }

    #[test]
    fn a_message_is_stripped_as_what_it_is() {
        let of = erased(&["ida@customer.example"]);
        let Origin { server, received_at, source } = origin(SERVER);
        let told = |body: &Value| {
            let what = What::Bounce { bounce_type: "HardBounce".to_owned(), inactive: true };
            Envelope::told(server, &what, received_at, source, body.to_string(), Vec::new()).unwrap().encode()
        };
        let stripped = |message: &str| of.strip_message(&key(), message);
        let event = stripped(&told(&bounce("ida@customer.example"))).unwrap();
        assert!(Envelope::decode(&event).unwrap().erased.is_some() && !event.contains("customer"));
        assert_eq!(stripped(&event), None, "twice is as once");
        assert_eq!(stripped(&told(&bounce("max@customer.example"))), None);
        let broken = stripped(&told(&json!({ "Email": "ida@customer.example" }))).unwrap();
        assert!(Envelope::decode(&broken).unwrap().erased.is_none() && !broken.contains("customer"));
        assert_eq!(stripped("poison: ida@customer.example").as_deref(), Some(ERASED_MESSAGE));
        assert_eq!(stripped("poison: max@customer.example"), None);
        assert_eq!(stripped(r#"{"v":99,"Email":"ida@customer.example"}"#), None, "a later release reads it");
    }
}

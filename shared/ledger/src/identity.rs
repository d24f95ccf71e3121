//! When two reports are one event: the identity, a hash over the fields that Postmark repeats in every report of it.
//!
//! Everything here is frozen. Twelve vectors in `identity-vectors.json` pin it down and never change; another
//! implementation that agrees with them agrees with this one.

use crate::address::RecipientId;
use crate::canonical::{Canonical, base64url, digest};
use crate::server::ServerId;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The string that opens every canonical form.
pub const DOMAIN: &str = "postledger/identity/1";

/// The kind tag and the tuple of an event, as its source reports it.
///
/// `message_id` is `None` where it is absent, null, empty or the all-zero UUID; the time then takes its place.
#[derive(Clone, Copy, Debug)]
pub enum IdentityParts<'a> {
    /// A bounce or complaint with an id; both share Postmark's id space.
    BounceById {
        /// Postmark's bounce id.
        id: i64,
    },
    /// A bounce or complaint without an id.
    Bounce {
        /// The message that bounced.
        message_id: Option<&'a str>,
        /// Postmark's `Type`.
        bounce_type: &'a str,
    },
    /// A delivery: one for each message and recipient.
    Delivery {
        /// The message that was delivered.
        message_id: Option<&'a str>,
    },
    /// A click: Postmark reports only the first one of a link.
    Click {
        /// The message that bore the link.
        message_id: Option<&'a str>,
        /// The link before Postmark rewrote it.
        original_link: &'a str,
    },
    /// The first open of a message by a recipient.
    FirstOpen {
        /// The message that was opened.
        message_id: Option<&'a str>,
    },
    /// A repeated open.
    Open {
        /// The message that was opened.
        message_id: Option<&'a str>,
        /// The reader's user agent, as sent.
        user_agent: &'a str,
    },
    /// A change of a stream's suppression list.
    Subscription {
        /// The stream.
        stream: &'a str,
        /// Whether the address entered the list (or left it).
        suppress: bool,
        /// Postmark's `Origin`.
        origin: Option<&'a str>,
        /// Postmark's `SuppressionReason`.
        reason: Option<&'a str>,
    },
    /// What reconcile read in Postmark's suppression list.
    Observed {
        /// The stream.
        stream: &'a str,
        /// Whether the address was on the list (or gone from it).
        present: bool,
        /// The cause it was listed for; empty when gone.
        cause: &'a str,
    },
    /// A ruling of ours.
    Decision {
        /// Its own random id.
        id: &'a str,
    },
}

/// The canonical bytes of an event.
pub fn canonical(
    server: ServerId,
    recipient: RecipientId,
    time: Time,
    told: &IdentityParts<'_>,
) -> Canonical {
    let mut form = Canonical::default();
    form.string(DOMAIN).integer(server.get());
    let recipient = recipient.to_string();
    let message = |form: &mut Canonical, id: Option<&str>| {
        form.string(id);
        if id.is_none_or(str::is_empty) {
            form.integer(time.micros());
        }
    };
    match *told {
        IdentityParts::BounceById { id } => {
            form.string("bounce").integer(id);
        }
        IdentityParts::Bounce { message_id, bounce_type } => {
            message(form.string("bounce"), message_id);
            form.string(&*recipient).string(bounce_type).integer(time.seconds());
        }
        IdentityParts::Delivery { message_id } => {
            message(form.string("delivery"), message_id);
            form.string(&*recipient);
        }
        IdentityParts::Click { message_id, original_link } => {
            message(form.string("click"), message_id);
            form.string(&*recipient).string(original_link);
        }
        IdentityParts::FirstOpen { message_id } => {
            message(form.string("open.first"), message_id);
            form.string(&*recipient);
        }
        IdentityParts::Open { message_id, user_agent } => {
            message(form.string("open"), message_id);
            form.string(&*recipient).integer(time.micros()).string(user_agent);
        }
        IdentityParts::Subscription { stream, suppress, origin, reason } => {
            form.string("subscription").string(stream).string(&*recipient).integer(time.micros());
            form.integer(i64::from(suppress)).string(origin).string(reason);
        }
        IdentityParts::Observed { stream, present, cause } => {
            form.string("observed").string(stream).string(&*recipient);
            form.string(if present { "present" } else { "gone" }).string(cause).integer(time.micros());
        }
        IdentityParts::Decision { id } => {
            form.string("decision").string(id);
        }
    }
    form
}

/// The identity of one event at one server: the first 16 bytes of SHA-256 over its canonical form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Identity(pub(crate) [u8; 16]);

impl Identity {
    /// The identity of an event.
    pub fn of(server: ServerId, recipient: RecipientId, time: Time, told: &IdentityParts<'_>) -> Identity {
        Identity(digest(canonical(server, recipient, time, told).bytes()))
    }

    /// The identity beside this one: for a bounce that gave up its own to a complaint.
    #[must_use]
    pub fn beside(self) -> Identity {
        let mut form = Canonical::default();
        form.string(DOMAIN).string("bounce.beside").string(&*self.to_string());
        Identity(digest(form.bytes()))
    }

    /// Its bytes.
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

base64url!(Identity, "event identity");

#[cfg(test)]
mod tests {
    use super::*;

    /// The twelve published vectors. They never change.
    const VECTORS: &str = include_str!("../identity-vectors.json");

    #[test]
    fn the_twelve_identity_vectors_hold() {
        let vectors: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
        let vectors = vectors["vectors"].as_array().unwrap();
        assert_eq!(vectors.len(), 12);
        for vector in vectors {
            let input = &vector["input"];
            let text = |name: &str| input[name].as_str();
            let server = ServerId::new(input["server"].as_i64().unwrap()).unwrap();
            let recipient = match text("address") {
                Some(address) => {
                    crate::LedgerKey::for_tests().recipient_id(server, &crate::recipient_key(address))
                }
                None => RecipientId([0; 16]),
            };
            let time: Time = text("time").unwrap().parse().unwrap();
            let message_id = text("message_id");
            let told = match vector["kind"].as_str().unwrap() {
                "bounce" => match input["id"].as_i64() {
                    Some(id) => IdentityParts::BounceById { id },
                    None => IdentityParts::Bounce { message_id, bounce_type: text("type").unwrap() },
                },
                "delivery" => IdentityParts::Delivery { message_id },
                "click" => IdentityParts::Click { message_id, original_link: text("original_link").unwrap() },
                "open.first" => IdentityParts::FirstOpen { message_id },
                "open" => IdentityParts::Open { message_id, user_agent: text("user_agent").unwrap() },
                "subscription" => IdentityParts::Subscription {
                    stream: text("stream").unwrap(),
                    suppress: input["suppress"].as_bool().unwrap(),
                    origin: text("origin"),
                    reason: text("reason"),
                },
                "observed" => IdentityParts::Observed {
                    stream: text("stream").unwrap(),
                    present: input["present"].as_bool().unwrap(),
                    cause: text("cause").unwrap_or_default(),
                },
                "decision" => IdentityParts::Decision { id: text("id").unwrap() },
                other => panic!("unknown kind {other}"),
            };
            let canonical = crate::identity::canonical(server, recipient, time, &told);
            let hex: String = canonical.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            let identity = Identity::of(server, recipient, time, &told).to_string();
            let published = (vector["canonical"].as_str().unwrap(), vector["identity"].as_str().unwrap());
            assert_eq!((&*hex, &*identity), published, "{}", vector["name"]);
        }
    }
}

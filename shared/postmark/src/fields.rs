//! The fields that place an event: read strictly where identity and state need them, not at all elsewhere.

use crate::body::Body;
use crate::{
    ADDRESS_BYTES_MAX, Context, FUTURE_SECONDS_MAX, MESSAGE_ID_BYTES_MAX, Refusal, RefusalCode,
    WORD_BYTES_MAX,
};
use ledger::canonical::digest;
use ledger::event::{Bar, Cause, Ruling, What};
use ledger::identity::IdentityParts;
use ledger::{Event, Identity, Kind, LedgerKey, Time, engagement, recipient_key, stream};
use serde_json::Value;

/// The MessageID of no message.
pub(crate) const ZERO_MESSAGE_ID: &str = "00000000-0000-0000-0000-000000000000";

/// The stream of a body that names none: payloads older than streams.
const DEFAULT_STREAM: &str = "outbound";

/// What places an event, still without the recipient's id, which needs the ledger key.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    /// The address as the body spells it.
    pub address: &'a str,
    /// The stream.
    pub stream: &'a str,
    /// When it happened, as the body writes it.
    pub time: &'a str,
    /// When it happened.
    pub at: Time,
    /// The message; `None` where absent, null, empty or zero.
    pub message_id: Option<&'a str>,
    /// What happened, but for whether a machine did it: that takes a while, and is asked for the event only.
    what: What,
    body: &'a Body,
    /// What identity is made of.
    pub told: IdentityParts<'a>,
}

impl<'a> Fields<'a> {
    /// Reads them from a body of a kind.
    ///
    /// # Errors
    /// [`RefusalCode::MissingField`], [`RefusalCode::BadField`] or [`RefusalCode::TimeOutOfRange`].
    pub fn read(body: &'a Body, kind: Kind, context: &Context) -> Result<Fields<'a>, Refusal> {
        let (own, other) = match kind {
            Kind::Bounce | Kind::SpamComplaint => ("Email", "Recipient"),
            _ => ("Recipient", "Email"),
        };
        let address = match text(body, own, ADDRESS_BYTES_MAX)? {
            Some(address) => Some(address),
            None => text(body, other, ADDRESS_BYTES_MAX)?,
        };
        let address = address.filter(|address| !address.trim().is_empty()).ok_or_else(|| missing(own))?;
        let stream = text(body, "MessageStream", usize::MAX)?.unwrap_or(DEFAULT_STREAM);
        // Only a decision may be about the whole server.
        let rule = if kind == Kind::Decision { stream::scope } else { stream::name };
        let stream = rule(stream).map_err(|error| bad("MessageStream", &error.to_string()))?;
        let time_name = match kind {
            Kind::Delivery => "DeliveredAt",
            Kind::Bounce | Kind::SpamComplaint => "BouncedAt",
            Kind::Open | Kind::Click => "ReceivedAt",
            Kind::SubscriptionChange => "ChangedAt",
            Kind::Observed => "ObservedAt",
            Kind::Decision => "DecidedAt",
        };
        let time = text(body, time_name, WORD_BYTES_MAX)?.ok_or_else(|| missing(time_name))?;
        let at: Time =
            time.parse().map_err(|error: ledger::time::TimeError| bad(time_name, &error.to_string()))?;
        if at < Time::EARLIEST || at > context.received_at.plus_seconds(FUTURE_SECONDS_MAX) {
            let words =
                "the event claims to have happened before 2010 or more than 10 minutes after it came in";
            return Err(Refusal::new(RefusalCode::TimeOutOfRange, format!("/{time_name}"), words));
        }
        let message_id = text(body, "MessageID", MESSAGE_ID_BYTES_MAX)?
            .filter(|message_id| *message_id != ZERO_MESSAGE_ID);
        let (what, told) = match kind {
            Kind::Delivery => (What::Delivery, IdentityParts::Delivery { message_id }),
            Kind::Bounce => {
                let bounce_type = required(body, "Type")?;
                let inactive = flag(body, "Inactive")?.unwrap_or(false);
                let what = What::Bounce { bounce_type: bounce_type.to_owned(), inactive };
                (what, bounce(body, message_id, bounce_type)?)
            }
            Kind::SpamComplaint => {
                let bounce_type = text(body, "Type", WORD_BYTES_MAX)?.unwrap_or("SpamComplaint");
                // A complaint always deactivates.
                let inactive = flag(body, "Inactive")?.unwrap_or(true);
                (What::SpamComplaint { inactive }, bounce(body, message_id, bounce_type)?)
            }
            Kind::Open => {
                // Unsaid, it is no first one: that comes again from Postmark's list of opens, which tells first ones
                // only, and would be counted twice.
                let first = flag(body, "FirstOpen")?.unwrap_or(false);
                let user_agent = body.text("UserAgent").unwrap_or_default();
                let told = if first {
                    IdentityParts::FirstOpen { message_id }
                } else {
                    IdentityParts::Open { message_id, user_agent }
                };
                (What::Open { first, machine: false }, told)
            }
            Kind::Click => {
                let original_link =
                    text(body, "OriginalLink", usize::MAX)?.ok_or_else(|| missing("OriginalLink"))?;
                (What::Click { machine: false }, IdentityParts::Click { message_id, original_link })
            }
            Kind::SubscriptionChange => {
                let suppress = flag(body, "SuppressSending")?.ok_or_else(|| missing("SuppressSending"))?;
                let origin = text(body, "Origin", WORD_BYTES_MAX)?;
                let reason = text(body, "SuppressionReason", WORD_BYTES_MAX)?;
                let what = if suppress {
                    What::Suppressed { cause: Cause::told(reason, origin) }
                } else {
                    What::Reactivated
                };
                (what, IdentityParts::Subscription { stream, suppress, origin, reason })
            }
            Kind::Observed => {
                let present = flag(body, "Present")?.ok_or_else(|| missing("Present"))?;
                let cause = if present { required(body, "Cause")? } else { "" };
                let what = if present {
                    What::Present { cause: Cause::named(cause).ok_or_else(|| bad("Cause", "not a cause"))? }
                } else {
                    What::Gone
                };
                (what, IdentityParts::Observed { stream, present, cause })
            }
            Kind::Decision => {
                let id = required(body, "ID")?;
                if id.parse::<Identity>().is_err() {
                    return Err(bad("ID", "a decision's id is 128 random bits in base64url"));
                }
                let bar = text(body, "Cause", WORD_BYTES_MAX)?;
                let ruling = match (required(body, "Ruling")?, bar) {
                    ("suppress", bar) => {
                        Bar::named(bar.unwrap_or(Bar::Decision.name())).map(Ruling::Suppress)
                    }
                    ("allow", None) => Some(Ruling::Allow),
                    _ => None,
                };
                let ruling = ruling.ok_or_else(|| {
                    bad("Ruling", "expected suppress (for a decision or an import) or allow")
                })?;
                (What::Decision { ruling }, IdentityParts::Decision { id })
            }
        };
        Ok(Fields { address, stream, time, at, message_id, what, body, told })
    }

    /// The event, under the key that makes recipient ids. `canonical` is the text of the body.
    pub fn event(self, canonical: &str, context: &Context, key: &LedgerKey) -> Event {
        let recipient = key.recipient_id(context.server, &recipient_key(self.address));
        let what = match self.what {
            What::Open { first, .. } => What::Open { first, machine: machine(self.body) },
            What::Click { .. } => What::Click { machine: machine(self.body) },
            what => what,
        };
        Event {
            server: context.server,
            stream: self.stream.to_owned(),
            recipient,
            address: Some(self.address.trim().to_owned()),
            identity: Identity::of(context.server, recipient, self.at, &self.told),
            at: self.at,
            message_id: self.message_id.map(str::to_owned),
            what,
            source: context.source,
            received_at: context.received_at,
            body_hash: digest(canonical.as_bytes()),
        }
    }
}

fn missing(name: &str) -> Refusal {
    Refusal::new(RefusalCode::MissingField, format!("/{name}"), format!("{name} is missing, null or empty"))
}

fn bad(name: &str, words: &str) -> Refusal {
    Refusal::new(RefusalCode::BadField, format!("/{name}"), words)
}

/// A string of at most so many bytes; `None` where absent, null or empty.
fn text<'a>(body: &'a Body, name: &str, bytes_max: usize) -> Result<Option<&'a str>, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() > bytes_max => {
            Err(bad(name, &format!("{name} has more than {bytes_max} bytes")))
        }
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(_) => Err(bad(name, &format!("{name} is not a string"))),
    }
}

fn required<'a>(body: &'a Body, name: &str) -> Result<&'a str, Refusal> {
    text(body, name, WORD_BYTES_MAX)?.ok_or_else(|| missing(name))
}

fn flag(body: &Body, name: &str) -> Result<Option<bool>, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(bad(name, &format!("{name} is not true or false"))),
    }
}

/// What identifies a bounce or complaint: its id, as a number or a string, or without one what it is about.
fn bounce<'a>(
    body: &Body,
    message_id: Option<&'a str>,
    bounce_type: &'a str,
) -> Result<IdentityParts<'a>, Refusal> {
    let id = match body.get("ID") {
        None | Some(Value::Null) => None,
        Some(Value::Number(id)) => Some(id.as_i64()),
        Some(Value::String(id)) if id.is_empty() => None,
        Some(Value::String(id)) => Some(id.parse().ok()),
        Some(_) => Some(None),
    };
    match id {
        None | Some(Some(0)) => Ok(IdentityParts::Bounce { message_id, bounce_type }),
        Some(Some(id)) if id > 0 => Ok(IdentityParts::BounceById { id }),
        Some(_) => Err(bad("ID", "not a positive 64-bit integer")),
    }
}

/// Whether a machine opened or clicked.
fn machine(body: &Body) -> bool {
    let client = |name: &str| body.get("Client").and_then(|client| client.get(name)).and_then(Value::as_str);
    engagement::machine(
        body.text("UserAgent").unwrap_or_default(),
        client("Name").unwrap_or_default(),
        client("Family").unwrap_or_default(),
        body.text("Platform").unwrap_or_default(),
    )
    .is_some()
}

//! Postmark's words, and the only place that knows them: a webhook body comes in, an event of the ledger or a
//! refusal with its reason and place goes out.
//!
//! Invariant: only [`examine`] reads a body, for the door, the consumer, the command line and a replay alike. Unknown
//! keys are kept, and unknown bounce types and reasons are accepted. A body is refused only if it cannot be assigned to an
//! event: it is not a JSON object, has no known record type, lacks a usable key field, or has an impossible time. A
//! refusal never quotes the body.
//!
//! Our own two kinds, `Observed` and `Decision`, have the same form (a JSON object with a `RecordType`), so that they go
//! the same way through queue and consumer. A webhook cannot have these kinds.

mod body;
mod fields;
mod json;
mod ours;
mod probe;

pub use body::Body;
pub use fields::Fields;
pub use json::{DEPTH_MAX, VALUES_MAX};
pub use ours::{Decision, Observed};
pub use probe::is_probe;

pub use ledger::time::FUTURE_SECONDS_MAX;
use ledger::{Event, Kind, LedgerKey, ServerId, Source, Time};

/// The largest body that is read as JSON, in bytes: what API Gateway lets through.
pub const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
/// The largest canonical text of a body, after reduction, in bytes: with its envelope within 256 KiB.
pub const CANONICAL_BYTES_MAX: usize = 252 * 1024;
/// The longest address that has a key, in bytes. SMTP allows 254; a longer one is still kept apart.
pub const ADDRESS_BYTES_MAX: usize = 1_024;
/// The longest MessageID, in bytes. Postmark's are UUIDs of 36; old ones were longer.
pub const MESSAGE_ID_BYTES_MAX: usize = 256;
/// The longest `Type`, `Origin` or `SuppressionReason`, in bytes.
pub const WORD_BYTES_MAX: usize = 64;
/// How much of a bounce's or delivery's `Details` is kept, in bytes.
pub const DETAILS_BYTES_MAX: usize = 2_048;
/// How large `Metadata` may be as JSON, in bytes; Postmark allows 10 pairs of 20 and 80 characters.
pub const METADATA_BYTES_MAX: usize = 8_192;

/// The six kinds of webhook bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordType {
    /// A message was accepted by the receiving server.
    Delivery,
    /// A message bounced.
    Bounce,
    /// A recipient complained of spam.
    SpamComplaint,
    /// A message was opened.
    Open,
    /// A link was clicked.
    Click,
    /// An address entered or left a suppression list.
    SubscriptionChange,
}

impl RecordType {
    /// All six.
    pub const ALL: [RecordType; 6] = [
        RecordType::Delivery,
        RecordType::Bounce,
        RecordType::SpamComplaint,
        RecordType::Open,
        RecordType::Click,
        RecordType::SubscriptionChange,
    ];

    /// The kind of event of such a body.
    pub const fn kind(self) -> Kind {
        match self {
            RecordType::Delivery => Kind::Delivery,
            RecordType::Bounce => Kind::Bounce,
            RecordType::SpamComplaint => Kind::SpamComplaint,
            RecordType::Open => Kind::Open,
            RecordType::Click => Kind::Click,
            RecordType::SubscriptionChange => Kind::SubscriptionChange,
        }
    }

    /// The last segment of its webhook URL.
    pub const fn segment(self) -> &'static str {
        match self {
            RecordType::Delivery => "delivery",
            RecordType::Bounce => "bounce",
            RecordType::SpamComplaint => "spam-complaint",
            RecordType::Open => "open",
            RecordType::Click => "click",
            RecordType::SubscriptionChange => "subscription-change",
        }
    }

    /// The record type of a kind; `None` for the two kinds of our own.
    pub fn of(kind: Kind) -> Option<RecordType> {
        RecordType::ALL.into_iter().find(|record_type| record_type.kind() == kind)
    }

    /// The record type of a URL segment, if there is one.
    pub fn of_segment(segment: &str) -> Option<RecordType> {
        RecordType::ALL.into_iter().find(|record_type| record_type.segment() == segment)
    }
}

/// Why a body is set aside. The codes stand in the quarantine table: they never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusalCode {
    /// The body is larger than anything that is read, or has more values or levels.
    TooLarge,
    /// The body is not JSON, or JSON that contradicts itself.
    NotJson,
    /// The body is JSON, but no object.
    NotAnObject,
    /// Postmark's verification probe or its "send test"; expected, and no event.
    Probe,
    /// The body has no `RecordType`, or one that is not known.
    UnknownRecordType,
    /// The body names another server than the credential.
    ServerMismatch,
    /// A field that the event cannot be placed without is missing, null or empty.
    MissingField,
    /// A field that the event cannot be placed without is not usable.
    BadField,
    /// The event claims to have happened before 2010 or in the future.
    TimeOutOfRange,
    /// The event happened before what is kept of its kind, so that its twin may have expired. The consumer alone
    /// knows.
    TooOld,
}

impl RefusalCode {
    /// The code.
    pub const fn code(self) -> &'static str {
        match self {
            RefusalCode::TooLarge => "too_large",
            RefusalCode::NotJson => "not_json",
            RefusalCode::NotAnObject => "not_an_object",
            RefusalCode::Probe => "probe",
            RefusalCode::UnknownRecordType => "unknown_record_type",
            RefusalCode::ServerMismatch => "server_mismatch",
            RefusalCode::MissingField => "missing_field",
            RefusalCode::BadField => "bad_field",
            RefusalCode::TimeOutOfRange => "time_out_of_range",
            RefusalCode::TooOld => "too_old",
        }
    }
}

/// A refusal: why, where in the JSON (a JSON pointer, or line and column), and in words. It quotes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {words} (at {place})", code = refused.code())]
pub struct Refusal {
    /// Why.
    pub refused: RefusalCode,
    /// Where in the JSON.
    pub place: String,
    /// What is wrong there.
    pub words: String,
}

impl Refusal {
    /// A refusal for a reason, at a place.
    pub fn new(refused: RefusalCode, place: impl Into<String>, words: impl Into<String>) -> Refusal {
        Refusal { refused, place: place.into(), words: words.into() }
    }
}

/// Under what circumstances a body is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The server that its credential names.
    pub server: ServerId,
    /// When it came in.
    pub received_at: Time,
    /// Who told it.
    pub source: Source,
    /// Whether IP, coordinates, city and zip of opens and clicks stay.
    pub keep_engagement_detail: bool,
}

/// A body that was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Examined {
    /// The body, reduced to what is kept.
    pub body: Body,
    /// Its canonical text, of which its hash is made.
    pub canonical: String,
    /// The kind of event.
    pub kind: Kind,
    /// When it happened.
    pub at: Time,
    /// What was taken out of it, and where the reading was lenient, by name.
    pub dropped: Vec<String>,
}

/// Looks at a body: size, JSON, probe, record type, server, fields, in this order.
///
/// # Errors
/// A [`Refusal`] for what has to be set aside.
pub fn examine(raw: &[u8], context: &Context) -> Result<Examined, Refusal> {
    examine_body(Body::parse(raw)?, context)
}

/// Looks at a body that has been parsed already.
///
/// # Errors
/// As [`examine`].
pub fn examine_body(body: Body, context: &Context) -> Result<Examined, Refusal> {
    let (body, kind, dropped) = sorted(body, context)?;
    let at = Fields::read(&body, kind, context)?.at;
    Ok(Examined { canonical: canonical(&body)?, body, kind, at, dropped })
}

/// Looks at a body as [`examine`] does, and makes its event under the ledger key, which makes recipient ids.
///
/// # Errors
/// As [`examine`].
pub fn event(raw: &[u8], context: &Context, key: &LedgerKey) -> Result<(Examined, Event), Refusal> {
    event_of_body(Body::parse(raw)?, context, key)
}

/// The same of a body that has been parsed already.
///
/// # Errors
/// As [`examine`].
pub fn event_of_body(body: Body, context: &Context, key: &LedgerKey) -> Result<(Examined, Event), Refusal> {
    let (body, kind, dropped) = sorted(body, context)?;
    let fields = Fields::read(&body, kind, context)?;
    let (at, canonical) = (fields.at, canonical(&body)?);
    let event = fields.event(&canonical, context, key);
    Ok((Examined { canonical, body, kind, at, dropped }, event))
}

/// What kind of event a body tells, where it may; reduced to what is kept, with the names of what was taken out.
fn sorted(mut body: Body, context: &Context) -> Result<(Body, Kind, Vec<String>), Refusal> {
    if context.source == Source::Webhook && probe::is_probe(&body) {
        return Err(Refusal::new(
            RefusalCode::Probe,
            "/MessageID",
            "Postmark's verification probe or \"send test\"",
        ));
    }
    let kind = body.kind(context.source)?;
    if let Some(named) = body.server_id()?
        && named != context.server
    {
        let words = "the body names another server than the credential";
        return Err(Refusal::new(RefusalCode::ServerMismatch, "/ServerID", words));
    }
    let dropped = body.reduce(context.keep_engagement_detail);
    Ok((body, kind, dropped))
}

fn canonical(body: &Body) -> Result<String, Refusal> {
    let too_large =
        || Refusal::new(RefusalCode::TooLarge, "/", "too large for a queue, even after reduction");
    body.canonical().ok_or_else(too_large)
}

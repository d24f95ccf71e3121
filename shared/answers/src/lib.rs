//! What the read API is asked and what it answers, as types. The API builds its answers from them, the command line
//! reads them, and the API's description (`functions/api/openapi.json`) is made from them.
//!
//! Invariants:
//! - One type is one answer: nobody else spells the name of a member.
//! - What is read is read leniently: members that are not known are passed over, and words that a later release adds
//!   are kept as they came ([`Word`]). A member that a later release adds to an answer has a default, so that a command
//!   can still ask an older stack. Requests are read strictly, so that a slip does not pass for a filter.
//! - Of an answer, a member that may be left out is never null, and one that may be null is never left out. Only the view
//!   of an export is left out of later pages and null where nothing is recorded.
//! - All times are RFC 3339 ([`Timestamp`]).
//! - The documentation of a type and of its fields is what the API's description says of them.

mod branding;
mod check;
mod history;
mod inbound;
mod named;
mod operations;
mod people;
mod postmark_settings;
mod problem;
mod rate;
mod recipient;
mod ruling;
mod schema;
mod sent;
mod servers;
mod settings;
mod smtp;
mod stats;
mod suppressions;
mod time;
mod token;
mod webhooks;
mod words;

pub use branding::{Branding, NewBranding};
pub use check::{AsOf, CheckRequest, Checked, CheckedAddress, CheckedCounts, CriticalQueue, Invalid};
pub use history::{
    Activity, Details, Entry, EntryRecipient, EntryWithBody, EntryWithRecipient, Events, Export, Timeline,
};
pub use inbound::{InboundMessage, InboundMessages};
pub use operations::{
    Actor, Audit, Completeness, CompletenessLine, CompletenessOfStream, Quarantine, Replayed, SetAside, Step,
};
pub use people::{
    InviteRequest, Invited, NewStanding, PortalLink, PortalLinkRequest, Standing, User, UserAccess, Users,
};
pub use postmark_settings::{
    COLORS, NewPostmarkSettings, PostmarkChange, PostmarkServer, PostmarkSetting, PostmarkSettings,
    PostmarkSettingsChanged, PostmarkSettingsRequest, PostmarkWarning, SERVER_NAME_MAX, SettingValue,
    TRACK_LINKS,
};
pub use problem::{Problem, URN};
pub use recipient::{
    BounceMark, Fact, Finding, FindingWithEvidence, Listed, Mark, Recipient, RecipientStream, SoftEvidence,
    SoftPolicy,
};
pub use ruling::{
    AtPostmark, Decision, EraseRequest, Erased, ReactivateRequest, Reactivated, ReactivatedStream, Refused,
    SuppressRequest, Suppressed, SuppressedAddress, SuppressedAtPostmark,
};
pub use schema::schemas;
pub use sent::{MessageContent, PostmarkEvent, PostmarkMessage, SentMessage, SentMessages};
pub use servers::{AddedServer, NewServer, TestMail, TestMailRequest};
pub use settings::{
    NewPolicy, Policies, PoliciesOfKind, PolicyChanged, PolicyEffect, PolicyEffectOnStream, PolicyFrom,
    PolicyRequest, PostmarkTokenKept, PostmarkTokenRequest,
};
pub use smtp::{
    SmtpCheck, SmtpKept, SmtpPairRequest, SmtpRemoved, SmtpResult, SmtpStream, SmtpStreams, SmtpTestRequest,
    SmtpTested,
};
pub use stats::{Block, Bucket, By, Clicks, Opens, Rate, Stats, StatsOfStream};
pub use suppressions::{Imported, ImportedCounts, ImportedLine, Suppression, Suppressions};
pub use time::Timestamp;
pub use token::{
    MadeToken, NewToken, RevokedChild, RevokedToken, Role, Server, Servers, TOKEN_NAME_MAX, Token, Tokens,
};
pub use webhooks::{
    ConnectRequest, Connected, TriggerState, Webhook, WebhookCommands, WebhookCredential, WebhookFinding,
    WebhookForm, WebhookJob, WebhookPassword, WebhookPlanned, WebhookRequests, WebhookRotation, WebhookStep,
    WebhookWanted, Webhooks,
};
pub use words::{Listable, UNKNOWN_STREAM, UnknownStream, Why, Word};

/// What a request says, where null says nothing.
fn not_null<'de, D: serde::Deserializer<'de>, T: serde::Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

//! Codes of findings that others act on.

/// No token of the server is kept.
pub const NO_TOKEN: &str = "no_token";
/// The token that is kept is another server's.
pub const WRONG_TOKEN: &str = "wrong_token";
/// Postmark does not accept the token that is kept: it may be deleted.
pub const TOKEN_NOT_ACCEPTED: &str = "token_not_accepted";
/// Postmark gave no answer, or none that can be used.
pub const POSTMARK_UNANSWERED: &str = "postmark_unanswered";
/// The server is known, and its webhooks were never made.
pub const NOT_CONNECTED: &str = "not_connected";
/// No webhook of ours tells some event types.
pub const WEBHOOK_MISSING: &str = "webhook_missing";
/// A webhook of ours has no password that our doors take.
pub const WEBHOOK_CREDENTIAL: &str = "webhook_credential";
/// Our doors refuse a webhook too often.
pub const WEBHOOK_FAILING: &str = "webhook_failing";
/// Postmark has paused an event type.
pub const TRIGGER_UNVERIFIED: &str = "trigger_unverified";
/// Mail is sent, and nothing is told of it.
pub const SILENT: &str = "silent";
/// An event came in shortly before its last try.
pub const RETRIES_LOW: &str = "retries_low";

/// By the token that is kept Postmark cannot be asked.
pub const OF_TOKENS: [&str; 3] = [NO_TOKEN, WRONG_TOKEN, TOKEN_NOT_ACCEPTED];
/// What keeps events from coming in.
pub const GRAVE: [&str; 10] = [
    NOT_CONNECTED,
    NO_TOKEN,
    WRONG_TOKEN,
    TOKEN_NOT_ACCEPTED,
    WEBHOOK_MISSING,
    WEBHOOK_CREDENTIAL,
    TRIGGER_UNVERIFIED,
    SILENT,
    RETRIES_LOW,
    WEBHOOK_FAILING,
];

//! A client of Postmark's REST API, for what lies beside the webhooks: connect, watch, reconcile, backfill.
//!
//! Invariants:
//!
//! - **Everything goes through the port [`Transport`].** [`Https`] is the real one; a simulator in the same process is
//!   another.
//! - **A dump of a million rows takes the memory of one** ([`SuppressionDump`]), and one that was cut off is an error,
//!   never an end.
//! - **What may have been done is not done twice.** Where a call must not be repeated (sending, creating a webhook), it
//!   is tried again only if it cannot have been done.
//! - **Nothing secret or personal is printed.** A [`Token`] has neither `Debug` nor `Display`, and no error quotes a
//!   token or an address, not even where Postmark's own words do.
//! - **Rows of lists stay as Postmark tells them** (`serde_json::Value`): a word or a field that is new is no error.
//!
//! The crate `postmark` (2.0) was looked at and is not used. Its webhooks know no `Status`, verification or statistics,
//! can be created for subscription changes only, and fail at `HttpAuth` with nulls; bounces that are listed by date keep
//! three fields; `TotalCount` as text and words that are new to its closed enums fail a whole answer; a dump is one
//! `Vec`. Its `Endpoint` and `Client` take and give whole bodies, so the streamed dump would not fit behind them.

mod account;
pub mod eastern;
mod endpoint;
mod error;
mod health;
mod https;
mod lenient;
mod lists;
mod rows;
mod server;
mod smtp;
mod suppressions;
#[cfg(test)]
mod testing;
mod token;
mod transport;
mod webhooks;
mod words;

pub use account::{AccountApi, AccountServer};
pub use bytes::Bytes;
pub use endpoint::{ANSWER_BYTES_MAX, Endpoint, POSTMARK, Retries};
pub use error::{ApiError, Cause};
pub use health::{ProbeResult, TriggerMetrics, Verification, WebhookStatistics};
pub use http;
pub use https::{Https, Timeouts};
pub use lists::{
    BounceQuery, EngagementQuery, InboundQuery, MessageQuery, OpenQuery, PAGE_MAX, Page, Stats, WINDOW_MAX,
};
pub use rows::ROW_BYTES_MAX;
pub use server::{SEND_BATCH_MAX, ServerApi, ServerInfo, Stream};
pub use smtp::{
    MemorySmtp, NoSmtp, STREAM_HEADER, Smtp, SmtpMail, SmtpOutcome, SmtpPair, SmtpPlace, TAG_HEADER,
    Uncertain, smtp_place,
};
pub use suppressions::{CHANGES_MAX, Changed, Suppression, SuppressionDump, SuppressionFilter};
pub use token::{TOKEN_BYTES_MAX, Token, TokenError};
pub use transport::{Chunks, Nowhere, Transport, TransportError};
pub use webhooks::{Auth, EditWebhook, Header, NewWebhook, Trigger, Triggers, Webhook};

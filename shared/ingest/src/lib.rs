//! The door: all code of every ingest function. One request comes in and one answer goes out. Before the answer, the event
//! is durable on a queue; if it is not, the answer makes Postmark try again.
//!
//! Invariants:
//! - 200 is sent only after the queue has accepted the event, or its whole body for quarantine.
//! - A request with a credential is never refused for good: a wrong one, or a queue that does not
//!   answer, is a 503, which Postmark retries.
//! - The server comes from the credential, never from the body.
//! - The functions hold public keys only, and no log line or metric holds an address, a body or a credential.

mod answer;
mod handler;
#[cfg(feature = "lambda")]
pub mod lambda;
mod observe;
mod question;
mod request;

pub use answer::Answer;
pub use handler::Handler;
#[cfg(feature = "lambda")]
pub use lambda::run;
pub use request::WebhookRequest;

//! The door: the whole of every ingest function. One request comes in, an answer goes out, and between them
//! the event is durable on a queue or the answer makes Postmark come again.
//!
//! Invariants:
//! - 200 is sent only after the queue has accepted the event, or its whole body for quarantine.
//! - A request that bears a credential is never refused for good: a wrong one, or a queue that does not
//!   answer, is a 503, which Postmark retries.
//! - The server comes from the credential, never from the body.
//! - The functions hold public keys only, and no log line or metric holds an address, a body or a credential.

mod answer;
mod door;
#[cfg(feature = "lambda")]
pub mod lambda;
mod observe;
mod question;

pub use answer::Answer;
pub use door::{Door, Knock};
#[cfg(feature = "lambda")]
pub use lambda::run;

//! A Postmark account as Postledger knows it: which servers, with which token, which webhooks they should have, which
//! key signs for them, and what is wrong there.
//!
//! Invariant: what is ours is told from what is not by one rule ([`webhooks::ours`]), and what is not ours is never
//! changed. No token, password or address is in an error, a log line, a `Debug` text or a document.

pub mod adding;
pub mod audit;
pub mod audited;

pub mod completeness;
pub mod connect;
pub mod connecting;
pub mod doors;
mod finding;
pub mod lease;
pub mod registry;
pub mod rotate;
pub mod smtp;
pub mod streams;
pub mod test_mail;
pub mod vault;
pub mod watch;
pub mod webhooks;

pub use connecting::Connecting;
pub use doors::{Doors, DoorsError};
pub use finding::Finding;
pub use lease::Lease;
pub use registry::{ConnectForm, Registry, RegistryError, ServerEntry, StreamEntry};
pub use rotate::{Keys, Rotate};
pub use streams::{StreamError, Streams, Unknown};
pub use vault::{FileVault, MemoryVault, SmtpPairs, Vault, VaultError};
#[cfg(feature = "aws")]
pub use vault::{ParameterVault, tokens_prefix};

//! What every binary shares: environment, clock, logs, metrics, files that hold secrets, how long to wait between tries, and why calls of AWS fail.
//!
//! Invariant: the only reader of the environment and of the clock. Configuration is read once; a missing or
//! unusable variable names itself and says what it should hold.

mod backoff;
mod call;
pub mod config;
pub mod env;
pub mod logs;
pub mod metrics;
mod observe;
pub mod private;

pub use backoff::Backoff;
pub use call::{CallFailed, FailureKind};
pub use config::{Config, Variable};
pub use observe::{Counted, counted};

use ledger::Time;

/// The current instant.
pub fn now() -> Time {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock")]
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Time::from_micros(since_1970.as_micros().try_into().unwrap_or(i64::MAX))
}

/// A clock that can be handed around; tests hand another.
pub type Clock = std::sync::Arc<dyn Fn() -> Time + Send + Sync>;

/// The real clock.
pub fn clock() -> Clock {
    std::sync::Arc::new(now)
}

//! The command line `postledger`, and the embedded mode: the whole ledger in one process.
//!
//! Invariant: nothing is decided here. The commands ask the same functions that the Lambda functions run, and
//! the embedded mode is those functions behind one small HTTP server.

pub mod api;
pub mod args;
pub mod ask;
#[cfg_attr(not(feature = "aws"), path = "without_aws.rs")]
pub mod aws;
pub mod backup;
pub mod bearer;
pub mod client;
pub mod config;
pub mod connect;
pub mod doctor;
pub mod endpoint;
pub mod fold;
pub mod format;
pub mod help;
pub mod index;
pub mod keys;
pub mod listen;
mod made;
pub mod next_step;
pub mod operate;
pub mod output;
pub mod portal;
pub mod post;
pub mod progress;
pub mod prompt;
pub mod rebuild;
pub mod reconcile;
pub mod registry;
pub mod report;
pub mod revoke;
pub mod rfc3339;
pub mod rotate;
pub mod run;
pub mod sample;
pub mod server;
pub mod several;
pub mod show;
pub mod store_key;
pub mod target;
pub mod terminal;
pub mod trial;
pub mod unix;
pub mod vault;
pub mod watch;

use ledger::Time;
use ledger::given::{NotARecipient, Recipient};
use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a command exits with that was used wrongly: what it names is not known, for one.
pub const USAGE: u8 = 2;

/// Why a command did not do what it should, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    what: String,
    next: Option<String>,
    status: u8,
}

impl Failure {
    /// A failure, in a sentence.
    pub fn new(what: impl Into<String>) -> Failure {
        Failure { what: what.into(), next: None, status: 1 }
    }

    /// What to do next, in a sentence.
    pub fn next(self, next: impl Into<String>) -> Failure {
        Failure { next: Some(next.into()), ..self }
    }

    /// With another sentence.
    pub fn also(self, more: impl fmt::Display) -> Failure {
        Failure { what: format!("{}\n  {more}", self.what), ..self }
    }

    /// What the command exits with, where that is not 1.
    pub fn status(self, status: u8) -> Failure {
        Failure { status, ..self }
    }

    /// What the command exits with.
    pub fn code(&self) -> u8 {
        self.status
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&terminal::visible_lines(&self.what))?;
        match &self.next {
            Some(next) => write!(out, "\n  next: {}", terminal::visible_lines(next)),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

/// Any error that explains itself is a failure; where it comes from a call of AWS that failed, what to do is known.
macro_rules! failures {
    ($($error:ty),*) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Failure {
                let failure = Failure::new(error.to_string());
                match platform::CallFailed::behind(&error) {
                    Some(call) => failure.next(next_step::of(call)),
                    None => failure,
                }
            }
        })*
    };
}
failures!(
    account::watch::WatchError,
    account::VaultError,
    account::RegistryError,
    account::smtp::ForgetError,
    credential::CredentialError,
    ledger::server::NotAServer,
    ledger::time::TimeError,
    platform::env::EnvError,
    postmark::Refusal,
    queue::QueueError,
    store::StoreError,
    std::io::Error,
    serde_json::Error
);

impl From<embedded::SocketError> for Failure {
    fn from(error: embedded::SocketError) -> Failure {
        Failure::new(error.to_string()).next(error.next())
    }
}

/// Prints to standard output, without anything that a terminal would obey. A reader that has gone away is no failure.
///
/// Where it cannot be written, [`is_unwritten`] says so from then on, and the command fails.
pub fn say(text: impl fmt::Display) {
    let mut out = std::io::stdout().lock();
    let text = text.to_string();
    let shown = terminal::visible_lines(&text);
    let written = writeln!(out, "{}", terminal::painted(&shown)).and_then(|()| out.flush());
    if written.is_err_and(|error| error.kind() != std::io::ErrorKind::BrokenPipe) {
        UNWRITTEN.store(true, Ordering::Relaxed);
    }
}

static UNWRITTEN: AtomicBool = AtomicBool::new(false);

/// Whether something that was said could not be written.
pub fn is_unwritten() -> bool {
    UNWRITTEN.load(Ordering::Relaxed)
}

/// Prints to standard error what is told beside an answer, as [`say`] does.
pub fn tell(text: impl fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "{}", terminal::visible_lines(&text.to_string()));
}

/// A stream given by a person.
///
/// # Errors
/// Where it can be the name of none.
pub fn stream(text: &str) -> Result<String, ledger::stream::NotAStream> {
    ledger::stream::name(text).map(str::to_owned)
}

/// A stream given by a person, or `*` for the whole server.
///
/// # Errors
/// Where it can be neither.
pub fn scope(text: &str) -> Result<String, ledger::stream::NotAStream> {
    ledger::stream::scope(text).map(str::to_owned)
}

/// An argument that names a recipient, as it was given: whoever is asked reads it once more, and asks for it so too.
pub fn whom(given: &str) -> Result<String, NotARecipient> {
    given.parse::<Recipient>().map(|_| given.to_owned())
}

/// A time given by a person: RFC 3339, a day (its beginning in UTC), or microseconds since 1970.
///
/// # Errors
/// Where it is neither.
pub fn time(text: &str) -> Result<Time, String> {
    match text.parse::<i64>() {
        Ok(micros) => Ok(Time::from_micros(micros)),
        Err(_) => text.parse().or_else(|_| format!("{text}T00:00:00Z").parse()).map_err(
            |_: ledger::time::TimeError| {
                "expected 2026-11-21T08:00:00Z, 2026-11-21, or microseconds since 1970".to_owned()
            },
        ),
    }
}

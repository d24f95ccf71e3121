//! Something that is wrong at a server, and the next step.

use ledger::ServerId;
use serde::Serialize;

/// Something that is wrong, or will be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The server.
    pub server: ServerId,
    /// The stream, where it is about one.
    pub stream: Option<String>,
    /// What it is, for machines; these do not change.
    pub code: &'static str,
    /// What it is, in a sentence without addresses.
    pub words: String,
    /// What to do.
    pub next: String,
}

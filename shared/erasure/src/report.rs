//! What a run of the sweep says of itself.

use serde::{Deserialize, Serialize};

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swept {
    /// How many recipients were to be swept.
    pub recipients: usize,
    /// Of how many of them the events could not be stripped; the next run does it.
    pub failed: usize,
    /// How many events were stripped.
    pub events: usize,
    /// How many parts in quarantine were stripped.
    pub parts: usize,
    /// How many bodies in quarantine were taken out unread, since runs died at them.
    #[serde(default)]
    pub unread: usize,
    /// How many dead letters were stripped.
    pub letters: usize,
    /// How many recipients need not be swept any more.
    pub done: usize,
    /// Whether there was time for all.
    pub finished: bool,
}

//! What a transaction is made of: recorded events, the actions that write them, and why one was cancelled.

use crate::StoreError;
use ledger::counters::{Counts, Hour};
use ledger::fold::{Folded, StreamRow, StreamView, View};
use ledger::{Event, RecipientId, ServerId, Source, Time};

/// An event as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The event.
    pub event: Event,
    /// The body, canonical; `None` once the person has been erased.
    pub body: Option<String>,
    /// What the door took out of the body, by name.
    pub dropped: Vec<String>,
    /// When the table forgets it; never for events with state.
    pub expires_at: Option<Time>,
}

/// More than the keys and names of an item, and what of it is short, take.
const FRAME: usize = 1_024;

fn text(text: &Option<String>) -> usize {
    text.as_ref().map_or(0, String::len)
}

impl Recorded {
    /// An upper bound of the bytes that writing it takes, for filling a transaction.
    pub fn weight(&self) -> usize {
        let event = &self.event;
        let dropped: usize = self.dropped.iter().map(|name| name.len() + 1).sum();
        let texts = text(&self.body) + text(&event.address) + text(&event.message_id);
        FRAME + event.stream.len() + dropped + texts
    }
}

impl Recorded {
    /// Whether nothing of its person is in it.
    pub fn is_stripped(&self) -> bool {
        self.event.address.is_none() && self.body.is_none()
    }

    /// Itself without its person.
    #[must_use]
    pub fn stripped(mut self) -> Recorded {
        self.event.address = None;
        self.body = None;
        self
    }
}

/// Which stored copy a replacement was decided against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its body's hash.
    pub body_hash: [u8; 16],
    /// Its source.
    pub source: Source,
}

impl From<&Event> for Seen {
    fn from(event: &Event) -> Seen {
        Seen { body_hash: event.body_hash, source: event.source }
    }
}

/// One write of a transaction.
#[derive(Clone, Debug)]
pub enum Action {
    /// Records an event, demanding that no copy of it is recorded: settles the race of two copies.
    Record(Recorded),
    /// Replaces a recorded copy by a better one, demanding that it is still the copy that was seen: settles
    /// the race of two better copies.
    Replace(Recorded, Seen),
    /// Adds to the counters of an hour, in a shard. Demands nothing.
    Count(Hour, u8, Counts),
    /// Writes a view, demanding that the stored one is the fold of exactly what was read (`None`: that there is
    /// none): settles the race of two folds. Nobody needs to read the stored view first.
    PutView(View, Option<Folded>),
    /// Writes the row of a stream (`*` for the whole server). Guarded by the view in the same transaction.
    PutRow(ServerId, RecipientId, String, StreamRow, Option<String>),
    /// Deletes the row of a stream. Guarded by the view in the same transaction.
    DeleteRow(ServerId, RecipientId, String),
}

impl Action {
    /// An upper bound of the bytes that it writes, for filling a transaction.
    pub fn weight(&self) -> usize {
        match self {
            Action::Record(recorded) | Action::Replace(recorded, _) => recorded.weight(),
            Action::Count(hour, _, counts) => FRAME + hour.stream.len() + 32 * counts.len(),
            Action::PutView(view, _) => {
                let mark = |message_id: &Option<String>| 160 + 6 * text(message_id);
                let stream = |(name, view): (&String, &StreamView)| {
                    let bounces =
                        view.bounces.iter().chain(&view.dead).map(|bounce| mark(&bounce.message_id));
                    let marks = view.listed.values().map(|marks| 64 + 80 * marks.len()).sum::<usize>();
                    FRAME + 6 * name.len() + marks + bounces.sum::<usize>()
                };
                FRAME + 6 * text(&view.address) + view.streams.iter().map(stream).sum::<usize>()
            }
            Action::PutRow(_, _, stream, _, address) => FRAME + 2 * stream.len() + text(address),
            Action::DeleteRow(_, _, stream) => FRAME + stream.len(),
        }
    }
}

/// Why one action cancelled its transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cancel {
    /// It did not.
    None,
    /// A copy of the event is recorded already, or another one than was seen: this one.
    Recorded(Box<Recorded>),
    /// The copy that was to be replaced is gone.
    Gone,
    /// The stored view is the fold of these events, not of those that were read; `None`: there is none.
    Folded(Option<Folded>),
    /// Another transaction is writing the same item.
    Conflict,
    /// The table cannot take more writes now.
    Throttled,
}

/// Why a transaction was not committed, or may not have been.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// It was cancelled and has no effect; the reason of each action, by its place.
    #[error("the transaction was cancelled")]
    Cancelled(Vec<Cancel>),
    /// The call failed.
    #[error("the transaction failed: {0}")]
    Store(#[from] StoreError),
}

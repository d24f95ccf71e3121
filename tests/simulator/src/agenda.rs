//! What is going to happen, in the order of time.

use crate::Time;
use crate::texts::Text;
use crate::{Origin, Reason};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A step in the life of a mail to one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Deliver,
    Delay,
    Bounce { kind: crate::BounceType, deactivates: bool },
    Open { machine: bool },
    Click { nth: u8 },
    Complain,
    Unsubscribe,
}

/// Something to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// A step of a message towards its recipient of that number.
    Step { message: u32, recipient: u8, step: Step },
    /// An attempt of a webhook delivery.
    Attempt { delivery: u32 },
    /// A change of a suppression list that the customer asked for.
    Change { stream: u16, address: Text, suppress: bool },
    /// An address enters a list after a bounce.
    Enter { stream: u16, address: Text, reason: Reason, origin: Origin, message: u32 },
}

struct Entry {
    at: Time,
    /// What was put down first is done first.
    number: u64,
    task: Task,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.number == other.number
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// What is going to happen.
#[derive(Default)]
pub(crate) struct Agenda {
    entries: BinaryHeap<Reverse<Entry>>,
    count: u64,
}

impl Agenda {
    pub(crate) fn put(&mut self, at: Time, task: Task) {
        self.count += 1;
        self.entries.push(Reverse(Entry { at, number: self.count, task }));
    }

    /// When the next thing is to be done.
    pub(crate) fn next_at(&self) -> Option<Time> {
        self.entries.peek().map(|entry| entry.0.at)
    }

    /// The next thing to be done until then.
    pub(crate) fn take(&mut self, until: Time) -> Option<(Time, Task)> {
        if self.next_at()? > until {
            return None;
        }
        self.entries.pop().map(|entry| (entry.0.at, entry.0.task))
    }

    /// How much is still to be done.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

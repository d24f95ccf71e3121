//! Conditions, each named, with the race that it settles.

use super::Attributes;
use crate::item::Value;
use crate::tables::PK;
use crate::{Action, Seen};
use ledger::fold::Folded;
use std::collections::HashMap;

/// Nothing is stored under the key: of two who store something at once, the first stays. The second is told what
/// it was.
pub(super) const ABSENT: &str = "attribute_not_exists(#pk)";
/// Something is stored under the key: what has expired between a read and a write is not half made anew.
pub(super) const PRESENT: &str = "attribute_exists(#pk)";
/// The stored copy is the one that was seen: of two better copies that replace it at once, the first stays.
const SAME_COPY: &str = "#hash = :hash AND #source = :source";
/// The stored view is the fold of exactly what was read: of two who fold at once, the first stays, and the other
/// reads what the first has recorded.
const SAME_FOLD: &str = "#folded = :folded";
/// The document is of the version that was read: of two who write over it at once, the first stays, and the other
/// reads it again.
const SAME_VERSION: &str = "#version = :expected";
/// It is, or it is gone: of two who delete it at once both are done, and who has written it since keeps it.
const SAME_VERSION_OR_GONE: &str = "attribute_not_exists(#pk) OR #version = :expected";
/// The copy that was seen is there, as far as its place in the index by time hangs on it, and has no place there yet: a
/// better copy that came in between is not given the wrong one, and nothing that is gone is made anew.
pub(super) const UNINDEXED: &str = "#at = :at AND #stream = :stream AND attribute_not_exists(#slot)";
/// An instant moves to an earlier one only: of several revocations the strictest holds, whatever their order.
pub(super) const EARLIER: &str = "attribute_not_exists(#rule) OR #rule > :to";
/// An instant moves to a later one only: an expiry floor never goes back, whatever the order.
pub(super) const LATER: &str = "attribute_not_exists(#rule) OR #rule < :to";

/// A condition with its names and values.
pub(super) struct Clause {
    pub(super) condition: &'static str,
    names: &'static [(&'static str, &'static str)],
    values: Vec<(&'static str, Value)>,
}

const ABSENT_NAMES: &[(&str, &str)] = &[("#pk", PK)];

/// The condition of an action, if it has one.
pub(super) fn of(action: &Action) -> Option<Clause> {
    match action {
        Action::Record(_) | Action::PutView(_, None) => {
            Some(Clause { condition: ABSENT, names: ABSENT_NAMES, values: Vec::new() })
        }
        Action::Replace(_, seen) => Some(same_copy(*seen)),
        Action::PutView(_, Some(read)) => Some(same_fold(*read)),
        // Guarded by the view in the same transaction, or free to happen at any time.
        Action::Count(..) | Action::PutRow(..) | Action::DeleteRow(..) => None,
    }
}

fn same_copy(seen: Seen) -> Clause {
    Clause {
        condition: SAME_COPY,
        names: &[("#hash", "hash"), ("#source", "source")],
        values: vec![
            (":hash", Value::B(seen.body_hash.to_vec())),
            (":source", Value::S(seen.source.name().to_owned())),
        ],
    }
}

fn same_fold(read: Folded) -> Clause {
    Clause {
        condition: SAME_FOLD,
        names: &[("#folded", "folded")],
        values: vec![(":folded", Value::S(read.into()))],
    }
}

/// The condition of writing a document over the version that was read, or as the first.
pub(super) fn version(expected: Option<i64>) -> Clause {
    match expected {
        None => Clause { condition: ABSENT, names: ABSENT_NAMES, values: Vec::new() },
        Some(expected) => Clause {
            condition: SAME_VERSION,
            names: &[("#version", "version")],
            values: vec![(":expected", Value::N(expected))],
        },
    }
}

/// The condition of deleting a document.
pub(super) fn version_or_gone(expected: i64) -> Clause {
    Clause {
        condition: SAME_VERSION_OR_GONE,
        names: &[("#pk", PK), ("#version", "version")],
        values: vec![(":expected", Value::N(expected))],
    }
}

impl Clause {
    pub(super) fn names(&self) -> Option<HashMap<String, String>> {
        Some(self.names.iter().map(|(short, name)| ((*short).to_owned(), (*name).to_owned())).collect())
    }

    pub(super) fn values(&self) -> Option<Attributes> {
        let values = self.values.iter().cloned();
        let values: Attributes =
            values.map(|(short, value)| (short.to_owned(), super::wire::attribute(value))).collect();
        (!values.is_empty()).then_some(values)
    }
}

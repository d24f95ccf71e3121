//! The tables as they are created: keys, indexes, time to live. The one definition; whatever creates a table or
//! declares it in a template is held to this.

use platform::{Variable, config};

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Every event once.
    Events,
    /// Views and rows.
    Recipients,
    /// Counts by hour and shard.
    Counters,
    /// What people configure, the rules, and documents.
    Registry,
    /// Bodies set aside.
    Quarantine,
}

/// The attribute of every table's partition key, a string.
pub const PK: &str = "pk";
/// The attribute of every table's sort key, a string.
pub const SK: &str = "sk";
/// The attribute that time to live reads, in seconds since 1970.
pub const EXPIRES_AT: &str = "expires_at";

/// What an index holds of an item beside its own key and the table's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Projection {
    /// Nothing.
    KeysOnly,
    /// Everything.
    All,
}

/// A global secondary index: partition key a string, sort key a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Index {
    /// Its name.
    pub name: &'static str,
    /// The table whose items it holds.
    pub table: Table,
    /// The attribute of its partition key; items without it are not in the index.
    pub pk: &'static str,
    /// The attribute of its sort key: an instant in microseconds.
    pub sk: &'static str,
    /// What it holds.
    pub projection: Projection,
}

/// All events of a message, in order of time: few, so that their bodies are fetched by key.
pub(crate) const BY_MESSAGE: Index = Index {
    name: "by_message",
    table: Table::Events,
    pk: "message",
    sk: "at",
    projection: Projection::KeysOnly,
};
/// All events of a stream's day, in order of time: pages of a list that must not fetch each item.
pub(crate) const BY_TIME: Index =
    Index { name: "by_time", table: Table::Events, pk: "slot", sk: "at", projection: Projection::All };
/// Whom a stream must not mail.
pub(crate) const SUPPRESSED: Index = Index {
    name: "suppressed",
    table: Table::Recipients,
    pk: "suppressed",
    sk: "since",
    projection: Projection::All,
};

impl Table {
    /// All tables.
    pub const ALL: [Table; 5] =
        [Table::Events, Table::Recipients, Table::Counters, Table::Registry, Table::Quarantine];

    /// The name, which follows the stack's: `us-prod-events`.
    pub const fn name(self) -> &'static str {
        match self {
            Table::Events => "events",
            Table::Recipients => "recipients",
            Table::Counters => "counters",
            Table::Registry => "registry",
            Table::Quarantine => "quarantine",
        }
    }

    /// The variable that tells a function its name on AWS.
    pub const fn variable(self) -> Variable {
        match self {
            Table::Events => config::EVENTS_TABLE,
            Table::Recipients => config::RECIPIENTS_TABLE,
            Table::Counters => config::COUNTERS_TABLE,
            Table::Registry => config::REGISTRY_TABLE,
            Table::Quarantine => config::QUARANTINE_TABLE,
        }
    }

    /// Its indexes. A stack chooses whether it pays for `by_time`.
    pub const fn indexes(self, by_time: bool) -> &'static [Index] {
        match self {
            Table::Events if by_time => &[BY_MESSAGE, BY_TIME],
            Table::Events => &[BY_MESSAGE],
            Table::Recipients => &[SUPPRESSED],
            Table::Counters | Table::Registry | Table::Quarantine => &[],
        }
    }

    /// Whether items expire by [`EXPIRES_AT`].
    pub const fn expires(self) -> bool {
        matches!(self, Table::Events | Table::Quarantine)
    }
}

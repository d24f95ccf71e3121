//! The addresses that a stream must not mail, and imported lists of such addresses.

use crate::named::{Cursor, RecipientId as OfRecipient};
use crate::words::{Format, ListedFor, counted};
use crate::{Timestamp, Word};
use ledger::RecipientId;
use ledger::event::Cause;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A recipient that must not be mailed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Suppression {
    /// The address, masked if the token does not reveal addresses; null if it is not recorded.
    pub address: Option<String>,
    /// The recipient's id.
    #[schemars(with = "OfRecipient")]
    pub recipient_id: RecipientId,
    /// Since when it must not be mailed.
    pub since: Timestamp,
    /// Why: a cause on Postmark's list, or a decision or import of ours. An import's own cause is listed beside `import`.
    #[schemars(with = "Vec<Word<ListedFor>>")]
    pub causes: Vec<String>,
    /// Who put it on Postmark's list, in Postmark's words; null if that is not known or it is only on our list.
    pub origin: Option<String>,
}

/// A page of the recipients that a stream must not mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Suppressions {
    /// The recipients, the longest suppressed first.
    pub items: Vec<Suppression>,
    /// Send this as `cursor` to get the next page; null at the end.
    #[schemars(with = "Cursor")]
    pub next: Option<String>,
}

/// The outcomes of the rows. They add up to the number of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct ImportedCounts {
    /// Recipients that this import bars.
    pub new: usize,
    /// Recipients that the same row, or a later one, has barred before.
    pub already: usize,
    /// Further rows about the same recipient.
    pub duplicate: usize,
    /// Rows that bar nobody.
    pub ignored: usize,
    /// Rows that cannot be used.
    pub invalid: usize,
}

/// A remark about a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct ImportedLine {
    /// Its line in the list, from 1.
    #[schemars(range(min = 1))]
    pub line: u64,
    /// What is wrong or unusual about it.
    pub problem: String,
}

/// The outcome of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Imported {
    /// The format that it was read as.
    #[schemars(with = "Word<Format>")]
    pub format: String,
    /// Whether this was a dry run, which changes nothing.
    pub dry_run: bool,
    /// How many rows there are.
    pub rows: usize,
    /// The outcomes of the rows. They add up to the number of rows.
    pub counts: ImportedCounts,
    /// The number of recipients in the list, by cause.
    #[schemars(schema_with = "by_cause")]
    pub by_cause: BTreeMap<String, usize>,
    /// Why rows were ignored, in words, with the number of rows.
    pub ignored_why: BTreeMap<String, usize>,
    /// Rows that cannot be used; the first 100.
    #[schemars(length(max = 100))]
    pub invalid: Vec<ImportedLine>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub invalid_more: Option<usize>,
    /// Rows that are used although something about them is unusual; the first 100. If a date cannot be read or is out of
    /// range, the address is barred as of the import.
    #[schemars(length(max = 100))]
    pub warnings: Vec<ImportedLine>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub warnings_more: Option<usize>,
    /// The name of the column that the addresses were read from; null if the list has no header.
    pub address_column: Option<String>,
    /// The names of the columns that were not read.
    #[schemars(length(max = 100))]
    pub columns_not_read: Vec<String>,
    /// Whether the list says that it is incomplete: it names a next page, or counts more entries than it has.
    pub goes_on: bool,
    /// How many decisions are on their way.
    pub queued: usize,
}

fn by_cause(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = counted::<Cause>(generator);
    schema.insert("additionalProperties".to_owned(), serde_json::json!({ "type": "integer", "minimum": 0 }));
    schema
}

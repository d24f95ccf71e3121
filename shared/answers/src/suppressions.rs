//! Whom a stream must not mail, and lists of such from elsewhere.

use crate::schema::{Cursor, RecipientId as OfRecipient};
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
    /// The address, masked where the token does not reveal addresses; null where it is not on record.
    pub address: Option<String>,
    /// The recipient's id.
    #[schemars(with = "OfRecipient")]
    pub recipient_id: RecipientId,
    /// Since when it must not be mailed.
    pub since: Timestamp,
    /// Why: Postmark's list, or a decision or import of ours. An import's own cause stands beside `import`.
    #[schemars(with = "Vec<Word<ListedFor>>")]
    pub causes: Vec<String>,
    /// Who put it on Postmark's list, in Postmark's words; null where that is not known or the list is ours.
    pub origin: Option<String>,
}

/// A page of whom a stream must not mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Suppressions {
    /// The recipients, the longest suppressed first.
    pub items: Vec<Suppression>,
    /// Hand this in as `cursor` to get what comes next; null at the end.
    #[schemars(with = "Cursor")]
    pub next: Option<String>,
}

/// What became of the rows. The sum is their number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct ImportedCounts {
    /// Recipients that are barred anew.
    pub new: usize,
    /// Recipients that the same row, or a later one, bars already.
    pub already: usize,
    /// Rows about a recipient that another row is about too.
    pub duplicate: usize,
    /// Rows that bar nobody.
    pub ignored: usize,
    /// Rows that cannot be used.
    pub invalid: usize,
}

/// Something about a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct ImportedLine {
    /// Its line in the list, from 1.
    #[schemars(range(min = 1))]
    pub line: u64,
    /// What is wrong with it, or not as it should be.
    pub problem: String,
}

/// What became of an imported list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Imported {
    /// Which list it was read as.
    #[schemars(with = "Word<Format>")]
    pub format: String,
    /// Whether it was only said what would be done.
    pub dry_run: bool,
    /// How many rows there are.
    pub rows: usize,
    /// What became of the rows. The sum is their number.
    pub counts: ImportedCounts,
    /// How many recipients the list names, by cause.
    #[schemars(schema_with = "by_cause")]
    pub by_cause: BTreeMap<String, usize>,
    /// Why rows were ignored, in words, and how many each.
    pub ignored_why: BTreeMap<String, usize>,
    /// Rows that cannot be used; the first 100.
    #[schemars(length(max = 100))]
    pub invalid: Vec<ImportedLine>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub invalid_more: Option<usize>,
    /// Rows that are used although something is not as it should be; the first 100. Whose date cannot be read, or is out
    /// of range, is barred as of the import.
    #[schemars(length(max = 100))]
    pub warnings: Vec<ImportedLine>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub warnings_more: Option<usize>,
    /// What the column is called that the addresses were read from; null: the list has no header.
    pub address_column: Option<String>,
    /// What the columns are called that were looked past.
    #[schemars(length(max = 100))]
    pub columns_not_read: Vec<String>,
    /// The list says that it is not the whole: it names a next page, or counts more entries than it has.
    pub goes_on: bool,
    /// How many decisions are on their way.
    pub queued: usize,
}

fn by_cause(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = counted::<Cause>(generator);
    schema.insert("additionalProperties".to_owned(), serde_json::json!({ "type": "integer", "minimum": 0 }));
    schema
}

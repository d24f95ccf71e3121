//! Suppression lists: those of other services read, as CSV or JSON, and ours written.
//!
//! Invariants:
//!
//! - **Pure.** No I/O of its own, no clock: text in, rows out, and the other way round.
//! - **A row can only suppress.** What says that an address may be mailed is ignored with a reason, never a lift.
//! - **Nothing is guessed.** A list without a column of addresses is refused as a whole, an unknown word
//!   with its line. Each row is counted once, and none is swallowed by another one's quote.
//! - **No error quotes a cell.** Lines and columns are numbered, problems are fixed words.
//! - **No cell of ours is a formula** to a spreadsheet, and reading undoes exactly what was done to prevent that.

mod addresses;
mod cause;
mod content;
mod date;
mod file;
mod header;
mod json;
mod list;
mod read;
mod scan;
mod split;
mod words;
mod write;

pub use addresses::{Addresses, Found, addresses};
pub use file::{BYTES_MAX, Hints, ROWS_MAX, SheetError};
pub use header::Format;
pub use list::NO_ROW;
pub use read::{About, Ignored, Invalid, ListRow, Sheet, Warning, read};
pub use split::{Part, Split, split};
pub use words::gravity;
pub use write::{CAUSES_JOINED_BY, COLUMNS, write_header, write_row};

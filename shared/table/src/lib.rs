//! Suppression lists as CSV: those of other services read, ours written.
//!
//! Invariants:
//!
//! - **Pure.** No I/O of its own, no clock: text in, rows out, and the other way round.
//! - **A row can only suppress.** What says that an address may be mailed is ignored with a reason, never a lift.
//! - **What cannot be told is not guessed.** An unknown header is refused as a whole, an unknown word with its line; no
//!   row is lost without being counted.
//! - **No error quotes a cell.** Lines and columns are numbered, problems are fixed words.
//! - **No cell of ours is a formula** to a spreadsheet, and reading undoes exactly what was done to prevent that.

mod date;
mod header;
mod read;
mod split;
mod words;
mod write;

pub use header::Format;
pub use read::{BYTES_MAX, Hints, Ignored, Invalid, ROWS_MAX, Row, Sheet, SheetError, read};
pub use split::{Part, split};
pub use words::gravity;
pub use write::{CAUSES_JOINED_BY, COLUMNS, undone, write_header, write_row};

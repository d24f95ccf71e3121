//! A file as it is given: how large it may be, what is known beside it, and why it is refused as a whole.

use ledger::event::Cause;

/// The largest file that is read, in bytes.
pub const BYTES_MAX: usize = 1024 * 1024;
/// The most rows of a file that are read, its header aside.
pub const ROWS_MAX: usize = 5_000;

/// What is known of a list beside its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// Why the addresses are on it, if the list does not say.
    pub cause: Option<Cause>,
}

/// Why a file is refused as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SheetError {
    /// It is too large.
    #[error("the file is larger than {BYTES_MAX} bytes: split it")]
    Bytes,
    /// It has too many rows.
    #[error("the file has more than {ROWS_MAX} rows: split it, each part with the header")]
    Rows,
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// It has bytes that no text has.
    #[error("the file is not text, or is UTF-16 without a byte order mark: save it as CSV in UTF-8")]
    NoText,
    /// A quote in the first line is missing or stray.
    #[error(
        "a quote in line {line}, the first line of the list, is missing or misplaced, so its columns cannot \
            be recognized: correct that line"
    )]
    Quote {
        /// The line, from 1.
        line: u64,
    },
    /// It begins as JSON and is none.
    #[error("the file begins as JSON, but line {line} is not JSON")]
    Json {
        /// The line, from 1.
        line: u64,
    },
    /// It is JSON, but no list.
    #[error(
        "the JSON of line {line} is not a list: give an array of objects with an address each, or an object \
            with one such array"
    )]
    Entries {
        /// The line, from 1.
        line: u64,
    },
    /// The first line is neither a header that is known nor an address.
    #[error(
        "no column with addresses was found: \
         give the columns email, cause and date, or one column of addresses and `cause`"
    )]
    NoHeader,
    /// A plain list has two columns of one meaning.
    #[error("column {column} of the header means the same as another one: keep one of them")]
    Twice {
        /// The second of the two, from 1.
        column: usize,
    },
    /// Several columns have addresses.
    #[error(
        "column {column} has addresses, and so has another one: keep the one that counts, or call it email and the other one something else"
    )]
    Addresses {
        /// The second of them, from 1.
        column: usize,
    },
    /// It is Mailchimp's list of those who may be mailed.
    #[error(
        "this is Mailchimp's list of members who may be mailed: import the files of its export that are \
            called unsubscribed and cleaned"
    )]
    Members,
    /// Neither the file nor who sends it says why the addresses are suppressed.
    #[error(
        "the file does not say why its addresses are suppressed: give `cause` as hard_bounce, complaint, \
            unsubscribe, manual or unknown"
    )]
    NoCause,
}

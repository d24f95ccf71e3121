//! What the columns of a list hold, by some of its rows.

use crate::date::is_date;
use crate::scan::{Record, is_like_an_address};
use crate::words::word;

/// How many rows are looked at.
const ROWS: usize = 1_000;

/// How many cells of a column are what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Column {
    cells: usize,
    addresses: usize,
    words: usize,
    dates: usize,
}

/// The columns of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Content(Vec<Column>);

impl Content {
    /// Of the first rows.
    pub(crate) fn of<'a>(records: impl Iterator<Item = Record<'a>>) -> Content {
        let mut columns: Vec<Column> = Vec::new();
        for cells in records.take(ROWS).filter_map(|record| record.cells.ok()) {
            if columns.len() < cells.len() {
                columns.resize(cells.len(), Column::default());
            }
            for (column, cell) in columns.iter_mut().zip(&cells) {
                let text = String::from_utf8_lossy(cell);
                let text = text.trim();
                if !text.is_empty() {
                    column.cells += 1;
                    column.addresses += usize::from(is_like_an_address(cell));
                    column.words += usize::from(word(text).is_some());
                    column.dates += usize::from(is_date(text));
                }
            }
        }
        Content(columns)
    }

    fn with(&self, has: impl Fn(&Column) -> bool) -> Vec<usize> {
        (0..self.0.len()).filter(|column| has(&self.0[*column])).collect()
    }

    /// Whether a column has an address at all.
    pub(crate) fn has_addresses(&self, column: usize) -> bool {
        self.0.get(column).is_some_and(|column| column.addresses > 0)
    }

    /// The columns of which most cells are addresses.
    pub(crate) fn addresses(&self) -> Vec<usize> {
        self.with(|column| column.addresses * 2 > column.cells)
    }

    /// The columns of which most cells are words for a cause.
    pub(crate) fn words(&self) -> Vec<usize> {
        self.with(|column| column.words * 2 > column.cells)
    }

    /// The columns of which most cells are dates.
    pub(crate) fn dates(&self) -> Vec<usize> {
        self.with(|column| column.dates * 2 > column.cells)
    }
}

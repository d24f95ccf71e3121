//! A list, opened: its text, its first record, and the others as they are held against it.

use crate::content::Content;
use crate::file::SheetError;
use crate::json;
use crate::scan::{Cell, MARK, Record, Records, is_separator};
use crate::words::plain;
use crate::write::undone;
use std::borrow::Cow;

/// The most characters of a column's name that are shown.
const NAME_CHARS_MAX: usize = 60;
/// Why rows are ignored that say nothing about anybody: a spreadsheet left one empty, or lists stand one behind the other.
pub const NO_ROW: [&str; 3] = ["a blank row", "a line that names the delimiter", "the header again"];

/// The cells of a row.
pub(crate) type Cells<'a> = [Cell<'a>];

/// A list, with its first record apart from the others.
pub(crate) struct List<'a> {
    /// What the first record says: the names of the columns, or a row.
    pub(crate) first: Vec<String>,
    /// The names are no guess.
    pub(crate) certain: bool,
    /// The first record itself, where it may be a row.
    pub(crate) opening: Option<Record<'a>>,
    /// What stands between cells.
    pub(crate) delimiter: u8,
    /// All other records.
    pub(crate) records: Rest<'a>,
    /// The list says that it is not the whole.
    pub(crate) goes_on: bool,
}

/// The records behind the first one.
#[derive(Clone)]
pub(crate) enum Rest<'a> {
    Csv(Records<'a>),
    Json(std::vec::IntoIter<Record<'a>>),
}

impl<'a> Iterator for Rest<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        match self {
            Rest::Csv(records) => records.next(),
            Rest::Json(records) => records.next(),
        }
    }
}

impl<'a> List<'a> {
    /// Opens a text that is UTF-8 as far as it is text.
    pub(crate) fn open(text: &'a [u8]) -> Result<List<'a>, SheetError> {
        if json::is_json(text) {
            let json::Entries { names, records, goes_on } = json::entries(text)?;
            let mut records = records.into_iter();
            let certain = !names.is_empty();
            let opening = if certain { None } else { records.next() };
            let first = match &opening {
                Some(record) => texts(record).map_err(|_| SheetError::Entries { line: record.line })?,
                None if certain => names,
                None => return Err(SheetError::Empty),
            };
            return Ok(List {
                first,
                certain,
                opening,
                delimiter: b',',
                records: Rest::Json(records),
                goes_on,
            });
        }
        let mut records = Records::of(text);
        let opening = records.next().ok_or(SheetError::Empty)?;
        let first = texts(&opening)?;
        let delimiter = records.delimiter();
        Ok(List {
            first,
            certain: false,
            opening: Some(opening),
            delimiter,
            records: Rest::Csv(records),
            goes_on: false,
        })
    }

    /// What a column is called, cut where it is longer than any name.
    pub(crate) fn name(&self, column: usize) -> String {
        self.first[column].chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect()
    }

    /// What the columns hold. A first record with an `@` is a row.
    pub(crate) fn content(&self) -> Content {
        let row = self.opening.iter().filter(|_| self.first.iter().any(|cell| cell.contains('@')));
        Content::of(row.cloned().chain(self.records.clone()))
    }
}

/// The cells of a first record as texts.
fn texts(record: &Record<'_>) -> Result<Vec<String>, SheetError> {
    let cells = record.cells.as_ref().map_err(|_| SheetError::Quote { line: record.line })?;
    Ok(cells.iter().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect())
}

/// A text as UTF-8, as far as it is text, without a byte order mark. UTF-16 is understood where such a mark says so.
pub(crate) fn decoded(list: &[u8]) -> Result<Cow<'_, [u8]>, SheetError> {
    let of: fn([u8; 2]) -> u16 = match list {
        [0xFF, 0xFE, ..] => u16::from_le_bytes,
        [0xFE, 0xFF, ..] => u16::from_be_bytes,
        _ if list.iter().take(512).any(|byte| *byte == 0) => return Err(SheetError::NoText),
        _ => return Ok(Cow::Borrowed(list.strip_prefix(MARK).unwrap_or(list))),
    };
    let (units, rest) = list[2..].as_chunks::<2>();
    let text: Result<String, _> = char::decode_utf16(units.iter().copied().map(of)).collect();
    match text {
        Ok(text) if rest.is_empty() && !text.contains('\0') => Ok(Cow::Owned(text.into_bytes())),
        _ => Err(SheetError::NoText),
    }
}

/// The first record, as the others are held against it.
pub(crate) struct Header {
    names: Option<Vec<String>>,
    columns: usize,
}

impl Header {
    pub(crate) fn of(list: &List<'_>, is_header: bool) -> Header {
        let names = is_header.then(|| list.first.iter().map(|name| plain(name)).collect());
        Header { names, columns: list.first.len() }
    }

    /// Why a row is none, if it is.
    pub(crate) fn is_no_row(&self, cells: &Cells<'_>) -> Option<&'static str> {
        if cells.iter().all(|cell| cell.trim_ascii().is_empty()) {
            return Some(NO_ROW[0]);
        }
        if is_separator(cells) {
            return Some(NO_ROW[1]);
        }
        let again = self.names.as_ref().is_some_and(|names| {
            let cells: Vec<String> = cells.iter().map(|cell| plain(&String::from_utf8_lossy(cell))).collect();
            cells == *names
        });
        again.then_some(NO_ROW[2])
    }

    /// That a row has no more cells than the first one: an unquoted delimiter shifts what stands behind it.
    pub(crate) fn fits(&self, cells: &Cells<'_>) -> Result<(), &'static str> {
        if cells.iter().skip(self.columns).any(|cell| !cell.is_empty()) {
            return Err("the row has more cells than the first line: a delimiter in it is not quoted");
        }
        Ok(())
    }
}

/// A cell, empty where it is not there.
pub(crate) fn cell<'a>(row: &'a Cells<'_>, column: usize) -> &'a [u8] {
    row.get(column).map_or(&[], |cell| cell)
}

/// A cell that counts, trimmed; one that is not there is empty.
pub(crate) fn text<'a>(row: &'a Cells<'_>, column: usize) -> Result<&'a str, &'static str> {
    std::str::from_utf8(cell(row, column)).map(str::trim).map_err(|_| "the row is not UTF-8")
}

/// The address of a row, as it was before a spreadsheet's cell was made of it.
pub(crate) fn address<'a>(row: &'a Cells<'_>, column: usize) -> Result<&'a str, &'static str> {
    let address = undone(text(row, column)?);
    if address.contains("***@") {
        return Err("the address is masked: export with a token that reveals addresses");
    }
    Ok(address)
}

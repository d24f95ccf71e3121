//! Our own lists, written: RFC 4180, and no cell that a spreadsheet would run.

use std::borrow::Cow;
use std::io;

/// The columns of our own lists.
pub const COLUMNS: [&str; 5] = ["address", "recipient_id", "since", "causes", "origin"];

/// What stands between the causes of one address.
pub const CAUSES_JOINED_BY: &str = " ";

/// Cells that begin so are formulas, to one spreadsheet or another (OWASP, "CSV Injection"). Full-width signs are to
/// some in East Asian settings. A byte order mark is dropped by readers, which would bare what stands behind it.
const FORMULA: [char; 12] = ['\u{feff}', '=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// The header of our own lists.
pub fn write_header(out: &mut impl io::Write) -> io::Result<()> {
    write_row(out, &COLUMNS)
}

/// One row: each field defused, quoted where it must be, the line ended by CRLF. Keeps nothing in memory.
pub fn write_row(out: &mut impl io::Write, fields: &[&str]) -> io::Result<()> {
    for (at, field) in fields.iter().enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        let cell = defused(field);
        // A semicolon or a tab is a delimiter to other settings: what follows it would begin a cell. Quotes prevent that
        // in the first field, where the address stands; the other columns are words of ours.
        let quote = cell.contains([',', ';', '\t', '"', '\r', '\n']) || cell.trim() != cell;
        // A row of one empty field would be a blank line.
        if quote || (fields.len() == 1 && cell.is_empty()) {
            write!(out, "\"{}\"", cell.replace('"', "\"\""))?;
        } else {
            out.write_all(cell.as_bytes())?;
        }
    }
    out.write_all(b"\r\n")
}

/// Whether a text is a formula behind so many apostrophes, none included.
fn is_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(FORMULA)
}

/// A text that begins as a formula gets an apostrophe, and so does what would read as defused without being so.
fn defused(text: &str) -> Cow<'_, str> {
    if is_formula(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// What a cell of ours was before it was defused.
pub(crate) fn undone(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| is_formula(text)).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(fields: &[&str]) -> String {
        let mut out = Vec::new();
        write_row(&mut out, fields).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn cells(text: &str, delimiter: u8) -> Vec<String> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(text.as_bytes());
        let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(records.len(), 1, "one row is one record");
        records[0].iter().map(str::to_owned).collect()
    }

    #[test]
    fn a_row_is_quoted_where_it_must_be() {
        assert_eq!(written(&["ida@customer.example", "", "a b"]), "ida@customer.example,,a b\r\n");
        assert_eq!(written(&["a,b", "a\"b", "a\nb", " a"]), "\"a,b\",\"a\"\"b\",\"a\nb\",\" a\"\r\n");
        assert_eq!(written(&[""]), "\"\"\r\n");
        let mut out = Vec::new();
        write_header(&mut out).unwrap();
        assert_eq!(out, b"address,recipient_id,since,causes,origin\r\n");
    }

    #[test]
    fn a_formula_is_defused_and_what_looks_defused_is_told_apart() {
        for (text, cell) in [
            ("=HYPERLINK(1)@x.example", "'=HYPERLINK(1)@x.example"),
            ("+1@x.example", "'+1@x.example"),
            ("-1@x.example", "'-1@x.example"),
            ("@x.example", "'@x.example"),
            ("'=1", "''=1"),
            ("'ida@x.example", "'ida@x.example"),
            ("ida", "ida"),
            ("＝1", "'＝1"),
        ] {
            assert_eq!((defused(text).as_ref(), undone(cell)), (cell, text));
        }
        assert_eq!(written(&["\t=1", "\r=1"]), "\"'\t=1\",\"'\r=1\"\r\n");
    }

    proptest! {
        #[test]
        fn any_text_survives_writing_and_reading_and_no_cell_is_a_formula(
            fields in prop::collection::vec("(['=+@,;\"\t\r\n-]{0,3}\\PC{0,6}|.{0,12}|\\PC{0,4}[;\t\n]=1)", 1..5)
        ) {
            let given: Vec<&str> = fields.iter().map(String::as_str).collect();
            let text = written(&given);
            let cells = cells(&text, b',');
            let back: Vec<&str> = cells.iter().map(|cell| undone(cell)).collect();
            prop_assert_eq!(back, given);
            for cell in &cells {
                prop_assert!(!cell.starts_with(FORMULA));
            }
        }

        #[test]
        fn no_address_begins_a_formula_behind_another_delimiter(
            field in "['=+@,;\"\t\r\n-]{0,3}\\PC{0,6}[;\t]{0,2}[=a]{0,2}"
        ) {
            let text = written(&[&field]);
            for delimiter in [b';', b'\t'] {
                for cell in cells(&text, delimiter) {
                    prop_assert!(!cell.starts_with(FORMULA));
                }
            }
        }
    }
}

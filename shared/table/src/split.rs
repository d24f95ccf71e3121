//! A list that is too large for one request, in parts that are not: each a list of its own, with the header.

use crate::header::{Layout, Telling};
use crate::read::{BYTES_MAX, Hints, ROWS_MAX, SheetError, delimiter, each, opening, unmarked};

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its text: the header, and some of the rows.
    pub csv: Vec<u8>,
    /// How many rows it has.
    pub rows: usize,
    /// How many lines its header has.
    header_lines: u64,
    /// The line in the whole list at which its rows begin.
    line: u64,
}

impl Part {
    /// The line in the whole list of a line in this part.
    pub fn line(&self, line: u64) -> u64 {
        match line.checked_sub(self.header_lines + 1) {
            Some(beyond) => self.line + beyond,
            None => line,
        }
    }
}

/// Splits a list of any size, so that each part can be read by itself as the whole would be.
///
/// # Errors
/// Where the list cannot be understood, or one row of it is larger than a part may be.
pub fn split(csv: &[u8], hints: Hints) -> Result<Vec<Part>, SheetError> {
    let csv = unmarked(csv)?;
    // Where each record begins, and its line.
    let mut places: Vec<(usize, u64)> = Vec::new();
    let mut first = None;
    each(csv, |line, begin, record| {
        places.push((begin, line));
        first.get_or_insert(record);
        Ok(())
    })?;
    let first = first.ok_or(SheetError::Empty)?;
    let (layout, has_header) = opening(&first, hints)?;
    places.push((csv.len(), u64::MAX));
    let (header, header_lines) = if has_header {
        let (begin, end) = (places[0].0, places[1].0);
        let mut header = csv[begin..end].to_vec();
        if !header.ends_with(b"\n") {
            header.push(b'\n');
        }
        let lines = crate::read::line_ends(&header);
        places.remove(0);
        (header, lines)
    } else {
        // What the columns mean was taken from the first row; the others might be read otherwise.
        (named(&layout, first.len(), delimiter(csv)), 1)
    };
    let mut parts = Vec::new();
    let mut from = 0;
    while from + 1 < places.len() {
        let (begin, line) = places[from];
        let fits = |to: &usize| places[*to].0 - begin + header.len() <= BYTES_MAX;
        let to = (from + 1..places.len().min(from + 1 + ROWS_MAX)).take_while(fits).last();
        let to = to.ok_or(SheetError::Bytes)?;
        parts.push(Part {
            csv: [&header, &csv[begin..places[to].0]].concat(),
            rows: to - from,
            header_lines,
            line,
        });
        from = to;
    }
    Ok(parts)
}

/// A header for a list that has none.
fn named(layout: &Layout, columns: usize, delimiter: u8) -> Vec<u8> {
    let cause = if let Telling::Word(column) = layout.telling { Some(column) } else { None };
    let name = |column| match column {
        _ if column == layout.address => "email",
        _ if Some(column) == cause => "cause",
        _ if Some(column) == layout.at => "date",
        _ => "",
    };
    let names: Vec<&str> = (0..columns).map(name).collect();
    let mut header = names.join(&char::from(delimiter).to_string()).into_bytes();
    header.push(b'\n');
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::read;
    use ledger::Time;
    use ledger::event::Cause;

    fn lists(count: usize) -> impl Iterator<Item = String> {
        (0..count).map(|n| format!("ida.{n}@customer.example"))
    }

    /// All rows of the parts, each with its line in the whole.
    fn rows(csv: &str, cause: Option<Cause>) -> Vec<(u64, String, Cause, Option<Time>)> {
        let hints = Hints { cause };
        let mut rows = Vec::new();
        for part in split(csv.as_bytes(), hints).unwrap() {
            let sheet = read(&part.csv, hints, Time::EARLIEST.plus_days(9_000)).unwrap();
            assert!(sheet.invalid.is_empty(), "{:?}", sheet.invalid);
            assert_eq!(sheet.rows.len(), part.rows);
            rows.extend(
                sheet.rows.into_iter().map(|row| (part.line(row.line), row.address, row.cause, row.at)),
            );
        }
        rows
    }

    #[test]
    fn every_row_is_in_one_part_with_its_line_in_the_whole() {
        let rest = |n: usize| if n == 7 { "\"hard_bounce\"" } else { "hard_bounce" };
        let body: String =
            lists(12_001).enumerate().map(|(n, address)| format!("{address},{}\n", rest(n))).collect();
        let csv = format!("\u{feff}email,cause\r\n{body}");
        assert_eq!(split(csv.as_bytes(), Hints::default()).unwrap().len(), 3);
        let rows = rows(&csv, None);
        let expected: Vec<(u64, String)> = (2..).zip(lists(12_001)).collect();
        let found: Vec<(u64, String)> = rows.into_iter().map(|(line, address, ..)| (line, address)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_list_without_a_header_is_read_in_every_part_as_its_first_row_says() {
        let body: String = lists(6_000)
            .enumerate()
            .map(|(n, address)| format!("{address};{}\n", if n == 5_000 { "" } else { "2026-01-02" }))
            .collect();
        let rows = rows(&body, Some(Cause::Manual));
        assert_eq!((rows.len(), rows[0].0, rows[5_999].0), (6_000, 1, 6_000));
        assert_eq!(rows.iter().filter(|(_, _, _, at)| at.is_none()).count(), 1);
    }

    #[test]
    fn no_part_is_larger_than_may_be_and_rows_of_several_lines_count_theirs() {
        let note = "long\nnote ".repeat(100);
        let body: String =
            lists(3_000).map(|address| format!("{address},1,\"{note}\",2026-01-02\n")).collect();
        let csv = format!("address,code,error,created_at\n{body}");
        let parts = split(csv.as_bytes(), Hints::default()).unwrap();
        assert!(parts.len() > 2 && parts.iter().all(|part| part.csv.len() <= BYTES_MAX));
        let rows = rows(&csv, None);
        assert_eq!((rows.len(), rows[1].0, rows[2_999].0), (3_000, 103, 2 + 2_999 * 101));
        let huge = format!("address,code,error,created_at\nida@x.example,1,\"{}\",\n", "x".repeat(BYTES_MAX));
        assert_eq!(split(huge.as_bytes(), Hints::default()), Err(SheetError::Bytes));
    }

    #[test]
    fn what_cannot_be_read_cannot_be_split() {
        let split = |csv: &str| split(csv.as_bytes(), Hints::default());
        assert_eq!(split(""), Err(SheetError::Empty));
        assert_eq!(split("ida@x.example"), Err(SheetError::NoCause));
        assert_eq!(split("email,cause\n\"ida@x.example,manual\n"), Err(SheetError::Quote { line: 2 }));
        assert_eq!(split("email,cause\n").map(|parts| parts.len()), Ok(0));
    }
}

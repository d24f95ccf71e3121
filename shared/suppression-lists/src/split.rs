//! Splits a list that is too large for one request. Each part is a complete list, with the header.

use crate::file::{BYTES_MAX, Hints, ROWS_MAX, SheetError};
use crate::header::{Format, Layout, Telling, layout, place};
use crate::list::{List, Rest, decoded};
use crate::read::About;
use crate::scan::{Record, line_ends};

/// A list in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// All of them, in order.
    pub parts: Vec<Part>,
    /// What is to be known of the whole beside its rows.
    pub about: About,
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its text: the header, and some of the rows.
    pub text: Vec<u8>,
    /// It is JSON.
    pub is_json: bool,
    /// How many rows it has.
    pub rows: usize,
    /// At which of its lines each row begins, and at which of the whole.
    lines: Vec<(u64, u64)>,
}

impl Part {
    /// The line in the whole list of a line in this part.
    pub fn line(&self, line: u64) -> u64 {
        match self.lines.partition_point(|(own, _)| *own <= line).checked_sub(1) {
            Some(row) => self.lines[row].1 + (line - self.lines[row].0),
            None => line,
        }
    }
}

/// Splits a list of any size, so that each part is read by itself as the whole would be.
///
/// # Errors
/// Where the list cannot be understood, or one row of it is larger than a part may be.
pub fn split(list: &[u8], hints: Hints) -> Result<Split, SheetError> {
    let text = decoded(list)?;
    let list = List::open(&text)?;
    let content = list.content();
    let place = place(&list.first, list.certain, &content)?;
    let layout = layout(&list.first, place, &content, hints)?;
    let is_json = matches!(list.records, Rest::Json(_));
    let header = if is_json { Vec::new() } else { header(&list, &layout) };
    let about = About::of(&list, place, &layout);
    let opening = list.opening.filter(|_| !place.header);
    let empty = || Part { text: header.clone(), is_json, rows: 0, lines: Vec::new() };
    let mut parts: Vec<Part> = Vec::new();
    // The line of the last part at which its next row begins.
    let mut line = 0;
    for Record { line: whole, span, .. } in opening.into_iter().chain(list.records) {
        // An entry by itself may be a bare text or number, which is no list.
        let [before, row, behind] =
            if is_json { [&b"["[..], &text[span], b"]\n"] } else { [b"", &text[span], b"\n"] };
        let bytes = before.len() + row.len() + behind.len();
        let fits = |part: &Part| part.rows < ROWS_MAX && part.text.len() + bytes <= BYTES_MAX;
        if !parts.last().is_some_and(fits) {
            parts.push(empty());
            line = line_ends(&header) + 1;
        }
        let part = parts.last_mut().filter(|part| fits(part)).ok_or(SheetError::Bytes)?;
        part.text.extend([before, row, behind].concat());
        part.rows += 1;
        part.lines.push((line, whole));
        line += line_ends(row) + 1;
    }
    Ok(Split { parts, about })
}

/// A header with which each part is read like the whole list. For a list without a known header it names the columns,
/// because the columns were recognized from all rows, and those of one part may look different.
fn header(list: &List<'_>, layout: &Layout) -> Vec<u8> {
    let cause = if let Telling::Word(column) = layout.telling { Some(column) } else { None };
    let name = |(column, name): (usize, &String)| match column {
        _ if layout.format != Format::Plain => name.clone(),
        _ if column == layout.address => "email".to_owned(),
        _ if Some(column) == cause => "cause".to_owned(),
        _ if Some(column) == layout.at => "date".to_owned(),
        _ => format!("column {}", column + 1),
    };
    let quoted = |name: String| format!("\"{}\"", name.replace('"', "\"\""));
    let names: Vec<String> = list.first.iter().enumerate().map(name).map(quoted).collect();
    let delimiter = char::from(list.delimiter);
    format!("sep={delimiter}\n{}\n", names.join(&delimiter.to_string())).into_bytes()
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
        for part in split(csv.as_bytes(), hints).unwrap().parts {
            let sheet = read(&part.text, hints, Time::EARLIEST.plus_days(9_000)).unwrap();
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
        assert_eq!(split(csv.as_bytes(), Hints::default()).unwrap().parts.len(), 3);
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
        let parts = split(csv.as_bytes(), Hints::default()).unwrap().parts;
        assert!(parts.len() > 2 && parts.iter().all(|part| part.text.len() <= BYTES_MAX));
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
        assert_eq!(split("\"email,cause\nida@x.example,manual\n"), Err(SheetError::Quote { line: 1 }));
        assert_eq!(split("email,cause\n").map(|split| split.parts.len()), Ok(0));
    }

    #[test]
    fn json_is_split_into_json_of_the_same_entries() {
        let entry = |n: usize| {
            format!(
                "{{\"EmailAddress\": \"ida.{n}@x.example\",\n  \"Reason\": \"BOUNCE\", \"LastUpdateTime\": 1586552585.{n:03}}}"
            )
        };
        let entries: Vec<String> = (0..6_000).map(entry).collect();
        let text = format!(
            "{{\n\"SuppressedDestinationSummaries\": [\n{}],\n\"NextToken\": \"t\"}}",
            entries.join(",\n")
        );
        let split = split(text.as_bytes(), Hints::default()).unwrap();
        assert_eq!((split.parts.len(), split.about.goes_on), (2, true));
        assert!(split.parts.iter().all(|part| part.is_json));
        let rows = rows(&text, None);
        assert_eq!((rows.len(), rows[0].0, rows[5_999].0), (6_000, 3, 3 + 2 * 5_999));
        let texts = format!(
            "[{}]",
            (0..5_001).map(|n| format!("\"\\u0061{n}@x.example\"")).collect::<Vec<_>>().join(",\n")
        );
        let rows = self::rows(&texts, Some(Cause::Manual));
        assert_eq!((rows.len(), &*rows[5_000].1), (5_001, "a5000@x.example"));
    }

    #[test]
    fn parts_are_read_as_the_whole_is_whatever_their_own_rows_look_like() {
        let mut text = "Kunde;Kontakt;Address\n".to_owned();
        for n in 0..10_000 {
            let contact = if n < 5_000 { format!("ida.{n}@x.example") } else { "none".to_owned() };
            text.push_str(&format!("{n};{contact};{n}@y.example street\n"));
        }
        let hints = Hints { cause: Some(Cause::Manual) };
        let split = split(text.as_bytes(), hints).unwrap();
        assert_eq!(split.about.address_column.as_deref(), Some("Kontakt"));
        assert_eq!(split.about.columns_not_read, ["Kunde", "Address"]);
        let sheet = |part: &Part| read(&part.text, hints, Time::EARLIEST.plus_days(9_000)).unwrap();
        let [one, two] = [&split.parts[0], &split.parts[1]].map(sheet);
        assert_eq!((one.rows.len(), two.rows.len(), two.invalid.len()), (5_000, 0, 5_000));
        assert_eq!(split.parts[1].line(two.invalid[0].line), 5_002);
    }

    #[test]
    fn a_slip_in_quoting_is_the_same_slip_in_a_part() {
        let mut text = "email,cause\n".to_owned();
        for n in 0..7_000 {
            let quote = if n == 10 || n == 6_990 { "\"" } else { "" };
            text.push_str(&format!("{quote}ida.{n}@x.example,manual\n"));
        }
        let split = split(text.as_bytes(), Hints::default()).unwrap();
        let mut lines = Vec::new();
        for part in &split.parts {
            let sheet = read(&part.text, Hints::default(), Time::EARLIEST.plus_days(9_000)).unwrap();
            lines.extend(sheet.invalid.iter().map(|one| part.line(one.line)));
        }
        assert_eq!(lines, [12, 6_992]);
    }
}

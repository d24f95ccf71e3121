//! A text as records: strict about quotes, because a missing or misplaced one would swallow rows silently.
//!
//! A cell in quotes may hold delimiters, and go over several lines: reasons of mail servers do. These show that a quote
//! is missing or misplaced, and are faults:
//!
//! - text behind a closing quote, unless the cell is an address with quotes of its own: `"a b"@x`, `"Moreau, Ida" <i@x>`;
//! - a quote within a cell that does not begin with one;
//! - a quote that is never closed;
//! - a cell that goes over several lines and has, between delimiters or line ends, something that looks like an
//!   address: as another row would.
//!
//! A record with a fault ends with its first line, and reading starts again on the next line. So a mistake costs one row,
//! which is reported with its line and its fault.

use ledger::given::Address;
use std::borrow::Cow;
use std::ops::Range;

/// U+FEFF: before a text, and before each of several that were put one behind the other.
pub(crate) const MARK: &[u8] = b"\xEF\xBB\xBF";

const UNCLOSED: &str = "a quote that opens in the row is not closed";
const BEHIND: &str = "there is text after a closing quote";
const STRAY: &str = "a cell that does not begin with a quote contains one";
const SWALLOWED: &str = "a quoted cell spans several lines and contains an address, as another row would";

/// A cell, as it was before it was quoted.
pub(crate) type Cell<'a> = Cow<'a, [u8]>;

/// A row, or a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    /// Its first line, from 1.
    pub(crate) line: u64,
    /// Where it stands in the text, without its line end.
    pub(crate) span: Range<usize>,
    /// Its cells, or what is wrong with it.
    pub(crate) cells: Result<Vec<Cell<'a>>, &'static str>,
}

/// The records of a CSV, one after the other. Empty lines are none.
#[derive(Clone, Debug)]
pub(crate) struct Records<'a> {
    text: &'a [u8],
    delimiter: u8,
    at: usize,
    line: u64,
}

impl<'a> Records<'a> {
    /// From the beginning. The delimiter is what a first line such as `sep=;` says, and otherwise the one that the first
    /// line has most of.
    pub(crate) fn of(text: &'a [u8]) -> Records<'a> {
        let mut records = Records { text, delimiter: b',', at: 0, line: 1 };
        records.advance();
        let end = line_end(text, records.at);
        match separator(&text[records.at..end]) {
            Some(delimiter) => {
                records.delimiter = delimiter;
                records.at = end;
                records.advance();
            }
            None => records.delimiter = commonest(&text[records.at..end]),
        }
        records
    }

    /// What stands between cells.
    pub(crate) const fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// Goes on to the next line that is not empty.
    fn advance(&mut self) {
        loop {
            let rest = &self.text[self.at..];
            self.at += match rest {
                [b'\r', b'\n', ..] => 2,
                [b'\r' | b'\n', ..] => 1,
                _ if rest.starts_with(MARK) => {
                    self.at += MARK.len();
                    continue;
                }
                _ => return,
            };
            self.line += 1;
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        self.advance();
        if self.at == self.text.len() {
            return None;
        }
        let (line, begin) = (self.line, self.at);
        let (cells, end) = match cells(self.text, self.delimiter, begin) {
            Ok((cells, end)) => (Ok(cells), end),
            Err(fault) => (Err(fault), line_end(self.text, begin)),
        };
        self.line += line_ends(&self.text[begin..end]);
        self.at = end;
        Some(Record { line, span: begin..end, cells })
    }
}

/// The cells of the record that begins there, and where it ends.
fn cells(text: &[u8], delimiter: u8, mut at: usize) -> Result<(Vec<Cell<'_>>, usize), &'static str> {
    let mut cells = Vec::new();
    loop {
        let (cell, end) = cell(text, delimiter, at)?;
        cells.push(cell);
        if text.get(end) != Some(&delimiter) {
            return Ok((cells, end));
        }
        at = end + 1;
    }
}

/// The cell that begins there, and where it ends.
fn cell(text: &[u8], delimiter: u8, at: usize) -> Result<(Cell<'_>, usize), &'static str> {
    let end = |from: usize| {
        let ends = text[from..].iter().position(|byte| *byte == delimiter || is_line_end(byte));
        ends.map_or(text.len(), |more| from + more)
    };
    if text.get(at) != Some(&b'"') {
        let end = end(at);
        let cell = &text[at..end];
        return if cell.contains(&b'"') { Err(STRAY) } else { Ok((Cow::Borrowed(cell), end)) };
    }
    let close = closing(text, at + 1).ok_or(UNCLOSED)?;
    let (within, end) = (&text[at + 1..close], end(close + 1));
    let behind = text[close + 1..end].trim_ascii();
    let lines = within.iter().any(is_line_end);
    let rows = || within.split(|byte| *byte == delimiter || is_line_end(byte)).any(is_like_an_address);
    if behind.is_empty() {
        return if lines && rows() { Err(SWALLOWED) } else { Ok((unescaped(within), end)) };
    }
    let its_own = matches!(behind[0], b'@' | b'<') && !behind.contains(&b'"') && !lines && !rows();
    if its_own { Ok((Cow::Borrowed(&text[at..end]), end)) } else { Err(BEHIND) }
}

/// Where the quote is that closes a cell; two of them are one that does not.
fn closing(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += text.get(at..)?.iter().position(|byte| *byte == b'"')?;
        if text.get(at + 1) != Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

fn unescaped(within: &[u8]) -> Cell<'_> {
    if !within.contains(&b'"') {
        return Cow::Borrowed(within);
    }
    // Within a cell quotes stand in twos.
    let mut second = false;
    let one = within.iter().copied().filter(|byte| {
        second = *byte == b'"' && !second;
        *byte != b'"' || second
    });
    Cow::Owned(one.collect())
}

/// Whether a cell by itself may be meant as an address: one word with an `@`, or a name with an address behind it.
pub(crate) fn is_like_an_address(cell: &[u8]) -> bool {
    if !cell.contains(&b'@') {
        return false;
    }
    let cell = String::from_utf8_lossy(cell);
    let cell = cell.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\u{feff}'));
    if !cell.contains(char::is_whitespace) {
        return cell.contains('@');
    }
    // Texts of mail servers have codes before an address.
    cell.split_once('<').is_some_and(|(name, _)| !name.contains(|c: char| c.is_ascii_digit()))
        && cell.parse::<Address>().is_ok()
}

const fn is_line_end(byte: &u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// Where the line ends that goes through there.
fn line_end(text: &[u8], at: usize) -> usize {
    text[at..].iter().position(is_line_end).map_or(text.len(), |more| at + more)
}

/// How many lines end in a text: by LF, CRLF or CR.
pub(crate) fn line_ends(text: &[u8]) -> u64 {
    let ends = |at: &usize| text[*at] == b'\n' || (text[*at] == b'\r' && text.get(at + 1) != Some(&b'\n'));
    (0..text.len()).filter(ends).count() as u64
}

/// The delimiter that a line such as `sep=;` names: spreadsheets read it, and write it where a setting is not theirs.
fn separator(line: &[u8]) -> Option<u8> {
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    match line {
        [s, e, p, b'=', delimiter]
            if [s, e, p].map(u8::to_ascii_lowercase) == *b"sep"
                && delimiter.is_ascii()
                && !delimiter.is_ascii_alphanumeric()
                && *delimiter != b'"' =>
        {
            Some(*delimiter)
        }
        _ => None,
    }
}

/// Whether a row is such a line, as it stands where one list was put behind another.
pub(crate) fn is_separator(cells: &[Cell<'_>]) -> bool {
    let whole = |cell: &[u8]| cell.eq_ignore_ascii_case(b"sep=") || separator(cell).is_some();
    cells.split_first().is_some_and(|(first, rest)| whole(first) && rest.iter().all(|cell| cell.is_empty()))
}

/// The delimiter that a line has most of, outside of quotes.
fn commonest(line: &[u8]) -> u8 {
    let mut quoted = false;
    let mut counts = [(b'|', 0), (b'\t', 0), (b';', 0), (b',', 0)];
    for byte in line {
        quoted ^= *byte == b'"';
        if let Some((_, count)) = counts.iter_mut().find(|(known, _)| !quoted && known == byte) {
            *count += 1;
        }
    }
    // Of several the last.
    counts.into_iter().max_by_key(|(_, count)| *count).map_or(b',', |(byte, _)| byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Each record as its line and its cells with `|` between them, or its fault.
    fn read(text: &str) -> Vec<(u64, Result<String, &'static str>)> {
        let text_of = |cells: Vec<Cell<'_>>| {
            let cells = cells.iter().map(|cell| String::from_utf8_lossy(cell).into_owned());
            cells.collect::<Vec<_>>().join("|")
        };
        Records::of(text.as_bytes()).map(|record| (record.line, record.cells.map(text_of))).collect()
    }

    fn ok(line: u64, cells: &str) -> (u64, Result<String, &'static str>) {
        (line, Ok(cells.to_owned()))
    }

    #[test]
    fn records_are_read_with_their_lines_whatever_ends_them() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["a,b", "", "\"c\",d", "\"e", "f,\"\"g\"\"\",h", "i", ""].join(end);
            let several = format!("e{end}f,\"g\"|h");
            assert_eq!(read(&text), [ok(1, "a|b"), ok(3, "c|d"), ok(4, &several), ok(6, "i")], "{end:?}");
        }
        assert_eq!(read("a,\n,b\n\"\""), [ok(1, "a|"), ok(2, "|b"), ok(3, "")]);
        assert_eq!(read(""), []);
        assert_eq!(read("\r\n\u{feff}\n"), []);
    }

    #[test]
    fn marks_before_lines_are_no_content() {
        let text = "\u{feff}email\nann@x.example\n\u{feff}\u{feff}\"bea@x.example\"\n\u{feff}\ncyd@x.example";
        let rows = [ok(1, "email"), ok(2, "ann@x.example"), ok(3, "bea@x.example"), ok(5, "cyd@x.example")];
        assert_eq!(read(text), rows);
    }

    #[test]
    fn a_delimiter_is_named_or_the_commonest() {
        assert_eq!(read("sep=;\r\na;b,c\r\n"), [ok(2, "a|b,c")]);
        assert_eq!(read("\u{feff}\"SEP=|\"\na|b"), [ok(2, "a|b")]);
        assert_eq!(read("sep=\t\na\tb"), [ok(2, "a|b")]);
        assert_eq!(read("sep=a\n"), [ok(1, "sep=a")]);
        assert_eq!(read("a;b;c,d\n"), [ok(1, "a|b|c,d")]);
        assert_eq!(read("\"a;b;c\",d\n"), [ok(1, "a;b;c|d")]);
        assert_eq!(read("a\tb"), [ok(1, "a|b")]);
        assert_eq!(read("a"), [ok(1, "a")]);
        let mut joined = Records::of(b"a;b\nsep=;\n\"sep=,\"\nsep=;x\n").skip(1);
        let mut next = || joined.next().is_some_and(|record| is_separator(&record.cells.unwrap()));
        assert_eq!([next(), next(), next()], [true, true, false]);
    }

    #[test]
    fn a_slip_in_quoting_costs_its_row_and_is_told() {
        for (slip, fault) in [
            ("5.1.1,\"no such user,bea@x.example,1", BEHIND),
            ("5.1.1,no \"such\" user,bea@x.example,1", STRAY),
            ("5.1.1, \"no such user\",bea@x.example,1", STRAY),
            ("5.1.1,no such user\",bea@x.example,1", STRAY),
            ("5.1.1,\"no such\" user,bea@x.example,1", BEHIND),
            ("5.1.1,\"no \"such\" user\",bea@x.example,1", BEHIND),
            ("5.1.1,\"no such user\"\"\",bea@x.example,1", ""),
        ] {
            let text = format!("5.1.1,\"a\",ann@x.example,1\n{slip}\n5.1.1,\"c\",cyd@x.example,1\n");
            let bea = if fault.is_empty() {
                ok(2, "5.1.1|no such user\"|bea@x.example|1")
            } else {
                (2, Err(fault))
            };
            assert_eq!(
                read(&text),
                [ok(1, "5.1.1|a|ann@x.example|1"), bea, ok(3, "5.1.1|c|cyd@x.example|1")]
            );
        }
        assert_eq!(
            read("a@x.example\n\"b@x.example\nc@x.example"),
            [ok(1, "a@x.example"), (2, Err(UNCLOSED)), ok(3, "c@x.example"),]
        );
    }

    #[test]
    fn a_quoted_cell_of_several_lines_may_hold_anything_but_what_looks_like_a_row() {
        let reason = "550-5.1.1 <ida@x.example>: no such user, sorry\n550 user unknown <ida@x.example>\n\nsee \"\"x\"\"";
        let text = format!("5.1.1,\"{reason}\",ida@x.example,1\n");
        assert_eq!(read(&text), [ok(1, &format!("5.1.1|{}|ida@x.example|1", reason.replace("\"\"", "\"")))]);
        for swallowed in [
            "5.1.1,b,bea@x.example,1",
            "bea@x.example",
            "5.1.1,\"\"b\"\",\"\"bea@x.example\"\"",
            "Bea <bea@x.example>",
        ] {
            let text = format!("5.1.1,\"a,ann@x.example\n{swallowed}\n5.1.1,c\",cyd@x.example,1\n");
            let read = read(&text);
            assert_eq!(
                (read.len(), &read[0], read[1].0, read[2].0),
                (3, &(1, Err(SWALLOWED)), 2, 3),
                "{read:?}"
            );
        }
    }

    #[test]
    fn an_address_keeps_quotes_of_its_own() {
        for address in ["\"taro..yama.\"@x.example", "\"Moreau, Ida\" <ida@x.example>", "\"a b\"@x.example "]
        {
            assert_eq!(read(&format!("{address}\nb@x.example")), [ok(1, address), ok(2, "b@x.example")]);
            assert_eq!(read(&format!("{address},1")), [ok(1, &format!("{address}|1"))]);
        }
        for none in ["\"bea@x.example,ann\"@x.example", "\"a\"@\"b\"", "\"a\nb\"@x.example"] {
            assert_eq!(read(none)[0].1, Err(BEHIND), "{none}");
        }
        assert_eq!(read("\"a@x.example\" ,1"), [ok(1, "a@x.example|1")]);
    }

    proptest! {
        #[test]
        fn what_is_rightly_quoted_is_read_as_others_read_it(
            rows in prop::collection::vec(prop::collection::vec("[a-z,;\"\r\n ]{0,6}", 2..4), 0..8)
        ) {
            let mut out = csv::WriterBuilder::new().flexible(true).quote_style(csv::QuoteStyle::Always).from_writer(vec![]);
            for row in &rows {
                out.write_record(row).unwrap();
            }
            let text = out.into_inner().unwrap();
            let read: Vec<Vec<String>> = Records::of(&text)
                .map(|record| record.cells.unwrap().iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect())
                .collect();
            prop_assert_eq!(read, rows);
        }

        /// However quotes are broken, each line is the beginning of a record, or within one that has no address on it.
        #[test]
        fn no_line_with_an_address_is_swallowed(text in "([a,\"\n ]|a@x|\r\n|\",\"){0,40}") {
            let records: Vec<Record<'_>> = Records::of(text.as_bytes()).collect();
            let begins: Vec<u64> = records.iter().map(|record| record.line).collect();
            for (line, part) in (1..).zip(text.split('\n')) {
                let told = begins.contains(&line);
                let cells = part.split(',').any(|cell| {
                    let cell = cell.trim_matches(['"', '\r', ' ']);
                    cell == "a@x"
                });
                // A record of several lines has cells of its own before, between and behind those that go over lines.
                let own = records.iter().any(|record| {
                    let end = record.line + line_ends(&text.as_bytes()[record.span.clone()]);
                    let address = |cells: &Vec<Cell<'_>>| cells.iter().any(|cell| is_like_an_address(cell));
                    record.cells.as_ref().is_ok_and(address) && (record.line..=end).contains(&line)
                });
                prop_assert!(told || !cells || own, "line {} of {:?}", line, text);
            }
        }
    }
}

//! Addresses as they stand in a file: one a line, or in the first column of a CSV.
//!
//! Invariant: no line is passed over but blank ones and a header. What cannot be read is told, never left out: who is
//! not checked must not be mailed by mistake.

use crate::Failure;
use std::io::BufRead;
use table::undone;

/// The longest line that is looked at, in bytes. No address is half as long.
const CELL_BYTES_MAX: usize = 2_000;
/// What the column of addresses is called.
const HEADERS: [&str; 5] = ["email", "emailaddress", "address", "recipient", "destination"];

/// One address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its line, from 1.
    pub(super) line: u64,
    /// What stands there.
    pub(super) address: String,
    /// Why it cannot be asked about.
    pub(super) problem: Option<&'static str>,
}

/// The addresses of a file, one after the other.
pub(super) struct Addresses<R> {
    from: R,
    line: u64,
    /// It is a list of ours, in which cells that a spreadsheet would run are defused.
    ours: bool,
    begun: bool,
}

impl<R: BufRead> Addresses<R> {
    /// Reads from somewhere.
    pub(super) fn new(from: R) -> Addresses<R> {
        Addresses { from, line: 0, ours: false, begun: false }
    }

    /// The next one.
    ///
    /// # Errors
    /// Where the file cannot be read, or is no text that could be understood.
    pub(super) fn next(&mut self) -> Result<Option<Found>, Failure> {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            if self.from.read_until(b'\n', &mut bytes)? == 0 {
                return Ok(None);
            }
            self.line += 1;
            if self.line == 1 {
                if matches!(&*bytes, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [0, _, ..] | [_, 0, ..]) {
                    return Err(Failure::new("the list is UTF-16").next("save it as text or CSV in UTF-8"));
                }
                if bytes.starts_with(b"\xEF\xBB\xBF") {
                    bytes.drain(..3);
                }
            }
            let line = String::from_utf8_lossy(&bytes[..bytes.len().min(CELL_BYTES_MAX)]);
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            let cell = first_cell(line);
            if !std::mem::replace(&mut self.begun, true) && is_header(&cell) {
                self.ours = ["recipient_id", "verdict"]
                    .iter()
                    .any(|next| line.starts_with(&format!("address,{next}")));
                continue;
            }
            let address = if self.ours { undone(&cell).to_owned() } else { cell };
            let problem = if bytes.len() > CELL_BYTES_MAX && address.len() > CELL_BYTES_MAX / 2 {
                Some("the line is longer than any address")
            } else if std::str::from_utf8(&bytes).is_err() && address.contains('\u{fffd}') {
                Some("the line is not UTF-8")
            } else {
                None
            };
            return Ok(Some(Found { line: self.line, address, problem }));
        }
    }
}

/// The first cell of a line: up to a delimiter, without its quotes. An address with quotes of its own keeps them.
fn first_cell(line: &str) -> String {
    let delimiters = [',', ';', '\t'];
    let mut quoted = false;
    let end = line.char_indices().find(|(_, c)| {
        quoted ^= *c == '"';
        !quoted && delimiters.contains(c)
    });
    let cell = line[..end.map_or(line.len(), |(at, _)| at)].trim();
    match cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"')) {
        Some(within) => within.replace("\"\"", "\"").trim().to_owned(),
        None => cell.to_owned(),
    }
}

fn is_header(cell: &str) -> bool {
    let name: String =
        cell.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    !cell.contains('@') && HEADERS.contains(&&*name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: impl AsRef<[u8]>) -> Vec<Found> {
        let mut addresses = Addresses::new(text.as_ref());
        std::iter::from_fn(|| addresses.next().unwrap()).collect()
    }

    fn found(text: impl AsRef<[u8]>) -> Vec<(u64, String)> {
        all(text).into_iter().map(|found| (found.line, found.address)).collect()
    }

    #[test]
    fn addresses_stand_one_a_line_or_in_the_first_column() {
        let ida = |line| (line, "ida@customer.example".to_owned());
        let bob = |line| (line, "bob@customer.example".to_owned());
        assert_eq!(found("ida@customer.example\r\n\n bob@customer.example "), [ida(1), bob(3)]);
        assert_eq!(
            found("\u{feff}E-Mail;name\n\"ida@customer.example\";\"a;b\"\nbob@customer.example\t1\n"),
            [ida(2), bob(3)]
        );
        let quoted = "\"a b\"@customer.example\n\"\"\"a b\"\"@customer.example\",1\n";
        assert!(
            found(quoted).iter().all(|(_, address)| address == "\"a b\"@customer.example"),
            "{:?}",
            found(quoted)
        );
        assert_eq!(
            found("address,verdict,reasons,since\r\n'+a@x.example,send,,\r\n"),
            [(2, "+a@x.example".to_owned())]
        );
        assert_eq!(found("'+a@x.example"), [(1, "'+a@x.example".to_owned())]);
    }

    #[test]
    fn what_cannot_be_read_is_told_and_not_left_out() {
        let long = "a".repeat(CELL_BYTES_MAX + 1);
        let text = [b"ida@x.example\n\xff@x.example\n", long.as_bytes(), b"\nemail\n"].concat();
        let told = all(text);
        assert_eq!(told.iter().map(|found| found.line).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(
            told.iter().map(|found| found.problem.is_some()).collect::<Vec<_>>(),
            [false, true, true, false]
        );
        let long_row = format!("ida@x.example,{}", "a".repeat(CELL_BYTES_MAX));
        assert_eq!(all(long_row)[0].problem, None);
        assert!(Addresses::new(&b"\xff\xfei\0"[..]).next().is_err());
    }
}

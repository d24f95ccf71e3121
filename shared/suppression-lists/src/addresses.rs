//! The addresses of a list, whatever else stands in it: for those who ask about them.

use crate::file::SheetError;
use crate::header::{is_address, place};
use crate::list::{Header, List, address, decoded};
use crate::scan::{Record, is_like_an_address};
use crate::words::plain;
use std::collections::BTreeSet;

/// How many characters of a row with a problem are shown.
const CHARS_MAX: usize = 320;

/// What stands in a list where an address is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its first line in the file, from 1.
    pub line: u64,
    /// What stands there, trimmed; of a row with a problem, the beginning of its first line.
    pub address: String,
    /// Why it is unclear which address the row is about.
    pub problem: Option<&'static str>,
}

/// All addresses of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// One for each row, in the file's order.
    pub found: Vec<Found>,
    /// The line (from 1) that was read as a header although none of its names is one for addresses, and the name that it
    /// has for them.
    pub guessed: Option<String>,
    /// The other columns that have addresses in them, by name or number: these were not read.
    pub others: Vec<String>,
    /// Whether the list says that it is incomplete.
    pub goes_on: bool,
}

/// Reads the addresses of a list of any size. No row is left out but blank ones and headers.
///
/// # Errors
/// The file cannot be understood. An empty one has no address.
pub fn addresses(list: &[u8]) -> Result<Addresses, SheetError> {
    let text = decoded(list)?;
    let list = match List::open(&text) {
        Err(SheetError::Empty) => {
            return Ok(Addresses { found: vec![], guessed: None, others: vec![], goes_on: false });
        }
        list => list?,
    };
    let place = place(&list.first, list.certain, &list.content())?;
    let header = Header::of(&list, place.header);
    let known = is_address(&plain(&list.first[place.column]));
    let guessed = (place.header && !known).then(|| list.name(place.column));
    let goes_on = list.goes_on;
    let names: Vec<String> = (0..list.first.len()).map(|column| list.name(column)).collect();
    let opening = list.opening.filter(|_| !place.header);
    let mut found = Vec::new();
    let mut others = BTreeSet::new();
    for record in opening.into_iter().chain(list.records) {
        let Record { line, span, cells } = record;
        let told = match cells {
            Err(problem) => Err(problem),
            Ok(cells) if header.is_no_row(&cells).is_some() => continue,
            Ok(cells) => {
                let elsewhere = cells.iter().enumerate().filter(|(column, _)| *column != place.column);
                others
                    .extend(elsewhere.filter(|(_, cell)| is_like_an_address(cell)).map(|(column, _)| column));
                header.fits(&cells).and_then(|()| address(&cells, place.column).map(str::to_owned))
            }
        };
        found.push(match told {
            Ok(address) => Found { line, address, problem: None },
            Err(problem) => Found { line, address: begins(&text[span]), problem: Some(problem) },
        });
    }
    let named = |column: usize| {
        names.get(column).cloned().filter(|_| place.header).unwrap_or_else(|| (column + 1).to_string())
    };
    let others = others.into_iter().map(named).collect();
    Ok(Addresses { found, guessed, others, goes_on })
}

/// The beginning of a row, to be found by.
fn begins(row: &[u8]) -> String {
    String::from_utf8_lossy(row).lines().next().unwrap_or_default().chars().take(CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(list: impl AsRef<[u8]>) -> Vec<(u64, Result<String, &'static str>)> {
        let told = |found: Found| (found.line, found.problem.map_or(Ok(found.address), Err));
        addresses(list.as_ref()).unwrap().found.into_iter().map(told).collect()
    }

    fn ok(line: u64, address: &str) -> (u64, Result<String, &'static str>) {
        (line, Ok(address.to_owned()))
    }

    #[test]
    fn addresses_stand_one_a_line_or_in_a_column() {
        let both = |ida, bob| [ok(ida, "ida@customer.example"), ok(bob, "bob@customer.example")];
        assert_eq!(found("ida@customer.example\r\n\n bob@customer.example "), both(1, 3));
        let csv = "\u{feff}E-Mail;name\n\"ida@customer.example\";\"a;b\"\nbob@customer.example;1\n";
        assert_eq!(found(csv), both(2, 3));
        assert_eq!(
            found("First Name,Email\nIda,ida@customer.example\nBob,bob@customer.example\n"),
            both(2, 3)
        );
        assert_eq!(found("Ida,ida@customer.example\nBob,bob@customer.example\n"), both(1, 2));
        assert_eq!(found("sep=;\nemail;a\nida@customer.example;\nbob@customer.example;"), both(3, 4));
        assert_eq!(
            found("[{\"Email\":\"ida@customer.example\"},\n{\"Email\":\"bob@customer.example\"}]"),
            both(1, 2)
        );
        let utf16: Vec<u8> = "\u{feff}ida@customer.example\r\nbob@customer.example\r\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(found(utf16), both(1, 2));
        let quoted = "\"a b\"@customer.example\n\"\"\"a b\"\"@customer.example\",1\n";
        assert_eq!(addresses(quoted.as_bytes()).unwrap().found[0].address, "\"a b\"@customer.example");
        assert_eq!(
            found("\"taro..yama.\"@mobile.example\ntaro..yama.@mobile.example"),
            [ok(1, "\"taro..yama.\"@mobile.example"), ok(2, "taro..yama.@mobile.example"),]
        );
        assert_eq!(found(""), []);
    }

    #[test]
    fn a_column_whose_addresses_are_not_read_is_named() {
        let others = |list: &str| addresses(list.as_bytes()).unwrap().others;
        assert_eq!(others("to,cc\nida@x.example,bob@x.example\n"), ["cc"]);
        assert_eq!(others("email,name\nida@x.example,Ida\n,cyd@x.example\n"), ["name"]);
        assert_eq!(others("[{\"email\":\"ida@x.example\",\"cc\":\"bob@x.example\"}]"), ["cc"]);
        assert_eq!(others("email,name\nida@x.example,Ida\n"), [""; 0]);
        assert_eq!(others("ida@x.example\nbob@x.example\n"), [""; 0]);
    }

    #[test]
    fn the_guard_against_formulas_is_taken_off_with_and_without_a_header() {
        for list in [
            "address,verdict,reasons,since\r\n'+a@x.example,send,,\r\n",
            "address\r\n'+a@x.example",
            "\n'+a@x.example\n",
        ] {
            assert_eq!(found(list), [ok(2, "+a@x.example")]);
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_and_not_left_out() {
        let told = found(b"ida@x.example\n\xff@x.example\n\"bob@x.example\nno address\nemail\n");
        assert_eq!(told.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert_eq!(
            told.iter().map(|(_, told)| told.is_ok()).collect::<Vec<_>>(),
            [true, false, false, true, true]
        );
        let swallowed = "status,reason,email\n5,\"a,ida@x.example\n5,b,bob@x.example\n5,c\",cyd@x.example\n";
        let told = found(swallowed);
        assert_eq!(
            told[0].1.clone().err(),
            Some("a quoted cell spans several lines and contains an address, as another row would")
        );
        assert_eq!(told[1], ok(3, "bob@x.example"));
        assert_eq!((told.len(), told[2].1.is_err()), (3, true));
        assert_eq!(addresses(b"\xff\xfei\0a"), Err(SheetError::NoText));
        assert_eq!(addresses(b"i\0d\0"), Err(SheetError::NoText));
        assert_eq!(addresses(b"name,phone\nIda,1\n"), Err(SheetError::NoHeader));
    }

    #[test]
    fn a_header_that_is_only_guessed_is_told() {
        let guessed = |list: &str| addresses(list.as_bytes()).unwrap().guessed;
        assert_eq!(guessed("Kontakt\nida@x.example\n"), Some("Kontakt".to_owned()));
        assert_eq!(guessed("Recipient\nida@x.example\n"), None);
        assert_eq!(guessed("ida@x.example\n"), None);
    }
}

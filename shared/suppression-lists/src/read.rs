//! Lists of other services, read: rows that suppress, rows that are ignored with a reason, rows that have a problem.

use crate::cause::cause;
use crate::date::instant;
use crate::file::{BYTES_MAX, Hints, ROWS_MAX, SheetError};
use crate::header::{Format, Layout, Place, layout, place};
use crate::list::{Cells, Header, List, address, cell, decoded};
use crate::words::Word;
use ledger::Time;
use ledger::event::Cause;
use ledger::given::{Address, NotARecipient};

/// The most columns that are named in an answer.
const NAMES_MAX: usize = 100;

/// The warning about an address that had to be cleaned.
const CLEANED: &str = "invisible characters were removed from the address";

/// A list that was understood. Each of its rows is in exactly one of `rows`, `ignored` and `invalid`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// Whose list it is.
    pub format: Format,
    /// The suppressions, in the file's order. One address may be there more than once.
    pub rows: Vec<ListRow>,
    /// Rows that are not suppressions.
    pub ignored: Vec<Ignored>,
    /// Rows that could not be used.
    pub invalid: Vec<Invalid>,
    /// Warnings about rows that are used nevertheless.
    pub warnings: Vec<Warning>,
    /// Warnings about the list as a whole.
    pub about: About,
}

/// What is to be known of a list beside its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// What the column is called in which the addresses are; none where the list has no header.
    pub address_column: Option<String>,
    /// What the columns are called that are not read.
    pub columns_not_read: Vec<String>,
    /// The list says that it is not the whole: it names a next page, or counts more entries than it has.
    pub goes_on: bool,
}

impl About {
    pub(crate) fn of(list: &List<'_>, place: Place, layout: &Layout) -> About {
        let name = |column: usize| {
            if place.header { list.name(column) } else { format!("column {}", column + 1) }
        };
        // Ours says more of a row than a list can take in.
        let not_read = (0..list.first.len()).filter(|column| !layout.reads(*column));
        let not_read = not_read.filter(|_| layout.format != Format::Postledger).map(name);
        About {
            address_column: place.header.then(|| name(layout.address)),
            columns_not_read: not_read.filter(|name| !name.is_empty()).take(NAMES_MAX).collect(),
            goes_on: list.goes_on,
        }
    }
}

/// One suppression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRow {
    /// Its first line in the file, from 1.
    pub line: u64,
    /// The address as it was understood: without a name beside it, and without invisible characters.
    pub address: String,
    /// Why it is on the list.
    pub cause: Cause,
    /// Since when, if the row says it.
    pub at: Option<Time>,
}

/// A row that is no suppression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// Its first line in the file, from 1.
    pub line: u64,
    /// Why it is none.
    pub why: &'static str,
}

/// A row that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Its first line in the file, from 1.
    pub line: u64,
    /// What is wrong, in words that do not quote it.
    pub problem: &'static str,
}

/// What is to be known of a row that is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Its first line in the file, from 1.
    pub line: u64,
    /// What is not as it should be, in words that do not quote it.
    pub problem: &'static str,
}

/// What became of one row that has no problem.
enum Verdict {
    ListRow(ListRow, Vec<Warning>),
    Ignored(&'static str),
}

/// Reads a list. `now` bounds the dates.
///
/// # Errors
/// The file cannot be understood, or is too large; nothing of it was read then.
pub fn read(list: &[u8], hints: Hints, now: Time) -> Result<Sheet, SheetError> {
    if list.len() > BYTES_MAX {
        return Err(SheetError::Bytes);
    }
    let text = decoded(list)?;
    let list = List::open(&text)?;
    let content = list.content();
    let place = place(&list.first, list.certain, &content)?;
    let layout = layout(&list.first, place, &content, hints)?;
    let header = Header::of(&list, place.header);
    let mut sheet = Sheet {
        format: layout.format,
        rows: vec![],
        ignored: vec![],
        invalid: vec![],
        warnings: vec![],
        about: About::of(&list, place, &layout),
    };
    let opening = list.opening.filter(|_| !place.header);
    for (count, record) in opening.into_iter().chain(list.records).enumerate() {
        if count == ROWS_MAX {
            return Err(SheetError::Rows);
        }
        let line = record.line;
        match record.cells.and_then(|cells| judged(&cells, line, &header, &layout, hints, now)) {
            Ok(Verdict::ListRow(row, warnings)) => {
                sheet.rows.push(row);
                sheet.warnings.extend(warnings);
            }
            Ok(Verdict::Ignored(why)) => sheet.ignored.push(Ignored { line, why }),
            Err(problem) => sheet.invalid.push(Invalid { line, problem }),
        }
    }
    Ok(sheet)
}

/// What becomes of a row.
fn judged(
    cells: &Cells<'_>,
    line: u64,
    header: &Header,
    layout: &Layout,
    hints: Hints,
    now: Time,
) -> Result<Verdict, &'static str> {
    if let Some(why) = header.is_no_row(cells) {
        return Ok(Verdict::Ignored(why));
    }
    header.fits(cells)?;
    let cause = match cause(cells, layout.telling, hints)? {
        Word::Suppressed(cause) => cause,
        Word::Not(why) => return Ok(Verdict::Ignored(why)),
    };
    let address: Address = address(cells, layout.address)?.parse().map_err(NotARecipient::reason)?;
    // Whoever is on the list stays on it, whatever the date is like.
    let at = layout.at.map_or(Ok(None), |column| instant(&String::from_utf8_lossy(cell(cells, column)), now));
    let cleaned = address.cleaned().then_some(CLEANED);
    let warnings = cleaned.into_iter().chain(at.err()).map(|problem| Warning { line, problem }).collect();
    let row = ListRow { line, address: address.text().to_owned(), cause, at: at.unwrap_or_default() };
    Ok(Verdict::ListRow(row, warnings))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::scan::line_ends;
    use crate::words::MAILABLE;
    use crate::write::{CAUSES_JOINED_BY, write_header, write_row};
    use proptest::prelude::*;
    use std::fmt::Write as _;

    const UNREADABLE: &str = "the date cannot be read, so the address is barred as of this import: use RFC \
        3339, YYYY-MM-DD, RFC 2822 or seconds since 1970";

    fn now() -> Time {
        "2026-09-21T08:00:00Z".parse().unwrap()
    }

    pub(crate) fn sheet(csv: impl AsRef<[u8]>, cause: Option<Cause>) -> Result<Sheet, SheetError> {
        read(csv.as_ref(), Hints { cause }, now())
    }

    /// A file as lines: `2 ida@customer.example hard_bounce 2015-09-30T22:12:21.000000Z`.
    pub(crate) fn told(csv: impl AsRef<[u8]>, cause: Option<Cause>) -> String {
        let sheet = match sheet(csv, cause) {
            Ok(sheet) => sheet,
            Err(error) => return error.to_string(),
        };
        let mut lines: Vec<(u64, String)> = vec![];
        for ListRow { line, address, cause, at } in sheet.rows {
            let at = at.map_or("-".to_owned(), |at| at.to_string());
            lines.push((line, format!("{line} {address} {} {at}", cause.name())));
        }
        lines.extend(
            sheet.ignored.into_iter().map(|row| (row.line, format!("{} ignored: {}", row.line, row.why))),
        );
        lines.extend(
            sheet
                .warnings
                .into_iter()
                .map(|row| (row.line, format!("{} warning: {}", row.line, row.problem))),
        );
        lines.extend(
            sheet.invalid.into_iter().map(|row| (row.line, format!("{} invalid: {}", row.line, row.problem))),
        );
        lines.sort();
        lines.into_iter().fold(format!("{}\n", sheet.format.name()), |mut all, (_, line)| {
            writeln!(all, "{line}").unwrap();
            all
        })
    }

    #[test]
    fn our_own_export_is_read_back_page_behind_page() {
        let mut page = vec![];
        let at = "2026-09-01T00:00:00.000000Z";
        write_header(&mut page).unwrap();
        let causes = ["hard_bounce", "complaint"].join(CAUSES_JOINED_BY);
        for (address, causes) in [
            ("=ida@customer.example", causes.as_str()),
            ("'+bob@customer.example", "unsubscribe"),
            ("i***@customer.example", "manual"),
            ("", "manual"),
            ("eve@customer.example", "import"),
            ("joe@customer.example", "whim"),
            ("amy@customer.example", "unknown import"),
        ] {
            write_row(&mut page, &[address, "Md74F_1RgpqTyQ8rEES0bA", at, causes, "Recipient"]).unwrap();
        }
        let mut csv = page.clone();
        write_header(&mut csv).unwrap();
        assert_eq!(
            told(&csv, None),
            format!(
                "postledger\n\
                2 =ida@customer.example complaint {at}\n\
                3 +bob@customer.example unsubscribe {at}\n\
                3 warning: {CLEANED}\n\
                4 invalid: the address is masked: export with a token that reveals addresses\n\
                5 invalid: the address is empty\n\
                6 eve@customer.example manual {at}\n\
                7 invalid: the cause is not known: expected hard_bounce, complaint, unsubscribe, manual or unknown\n\
                8 amy@customer.example unknown {at}\n\
                9 ignored: the header again\n"
            )
        );
    }

    #[test]
    fn a_plain_list_is_read_with_and_without_a_header() {
        let hint = Some(Cause::Unsubscribe);
        let both = "ida@customer.example unsubscribe -\n";
        assert_eq!(
            told("ida@customer.example\nbob\n", hint),
            format!("plain\n1 {both}2 invalid: the address has no @\n")
        );
        assert_eq!(told("Email\nida@customer.example", hint), format!("plain\n2 {both}"));
        assert_eq!(
            told(
                "email,cause,date\nida@customer.example,hard_bounce,2024-05-01\nbob@customer.example,active,\n\
                 eve@customer.example,,01/05/2024\njoe@customer.example,because,\n",
                hint
            ),
            format!(
                "plain\n\
            2 ida@customer.example hard_bounce 2024-05-01T00:00:00.000000Z\n\
            3 ignored: {MAILABLE}\n\
            4 eve@customer.example unsubscribe -\n\
            4 warning: {UNREADABLE}\n\
            5 invalid: the cause is not known: expected hard_bounce, complaint, unsubscribe, manual or unknown\n"
            )
        );
        assert_eq!(
            told("ida@customer.example,2024-05-01\n", hint),
            "plain\n1 ida@customer.example unsubscribe 2024-05-01T00:00:00.000000Z\n"
        );
        assert_eq!(sheet("ida@customer.example\n", None), Err(SheetError::NoCause));
        assert_eq!(sheet("name,phone\nIda,1\n", hint), Err(SheetError::NoHeader));
    }

    #[test]
    fn delimiters_line_ends_marks_and_blank_rows_are_as_they_occur() {
        let plain = "plain\n\
            2 ida@customer.example hard_bounce 2024-05-01T00:00:00.000000Z\n\
            3 bob@customer.example complaint -\n";
        for csv in [
            "email,cause,date\nida@customer.example,bounce,2024-05-01\nbob@customer.example,spam,\n",
            "\u{feff}email;cause;date\r\nida@customer.example;bounce;2024-05-01\r\nbob@customer.example;spam\r\n",
            "EMAIL\tCause\tDate\rida@customer.example\tbounce\t2024-05-01\rbob@customer.example\tspam\t",
            "\"email\";\"cause\";\"date, if known\"\n",
        ] {
            let known = !csv.contains("if known");
            assert_eq!(told(csv, None) == plain, known, "{csv}");
        }
        assert_eq!(
            told("\r\n\r\nemail,cause,,\r\n\r\nida@customer.example,bounce,,\r\n,,,\r\n\n", None),
            "plain\n5 ida@customer.example hard_bounce -\n6 ignored: a blank row\n"
        );
    }

    #[test]
    fn no_row_is_lost_to_a_quote_a_delimiter_or_an_encoding() {
        let hint = Some(Cause::Manual);
        let csv = "email\nida@customer.example\n\"bob@customer.example\neve@customer.example\n";
        assert_eq!(
            told(csv, hint),
            "plain\n\
            2 ida@customer.example manual -\n\
            3 invalid: a quote that opens in the row is not closed\n\
            4 eve@customer.example manual -\n"
        );
        assert_eq!(sheet("\"email\nida@customer.example\n", hint), Err(SheetError::Quote { line: 1 }));
        assert_eq!(
            told("status,reason,email,created\n5.1.1,no, really,ida@customer.example,1443651141\n", None),
            "sendgrid-bounces\n\
            2 invalid: the row has more cells than the first line: a delimiter in it is not quoted\n"
        );
        assert_eq!(
            told(
                b"status,reason,email,created\n5.1.1,inconnu \xE9,ida@customer.example,1443651141\n\
                 5.1.1,unknown,ren\xE9@customer.example,1443651141\n",
                None
            ),
            "sendgrid-bounces\n\
            2 ida@customer.example hard_bounce 2015-09-30T22:12:21.000000Z\n\
            3 invalid: the row is not UTF-8\n"
        );
        assert_eq!(
            told(b"pr\xE9nom,email\nRen\xE9,ida@customer.example\n", hint),
            "plain\n2 ida@customer.example manual -\n"
        );
        let text = "\u{feff}email\r\nida@customer.example\r\n";
        let units = || text.encode_utf16();
        for utf16 in [
            units().flat_map(u16::to_le_bytes).collect(),
            units().flat_map(u16::to_be_bytes).collect::<Vec<u8>>(),
        ] {
            assert_eq!(told(&utf16, hint), "plain\n2 ida@customer.example manual -\n");
            assert_eq!(sheet(&utf16[..utf16.len() - 1], hint), Err(SheetError::NoText));
            assert_eq!(sheet(&utf16[2..], hint), Err(SheetError::NoText));
        }
        assert_eq!(sheet(b"PK\x03\x04\x14\0\0", hint), Err(SheetError::NoText));
    }

    #[test]
    fn a_missing_quote_costs_its_row_and_no_other() {
        let csv = "status,reason,email,created\n\
            5.1.1,\"550 5.1.1 no such user\",ann@customer.example,1714557600\n\
            5.1.1,\"550 5.1.1 mailbox of,bea@customer.example,1714557600\n\
            5.1.1,\"550 5.1.1 no such user\",cyd@customer.example,1714557600\n";
        let at = "2024-05-01T10:00:00.000000Z";
        assert_eq!(
            told(csv, None),
            format!(
                "sendgrid-bounces\n\
                2 ann@customer.example hard_bounce {at}\n\
                3 invalid: there is text after a closing quote\n\
                4 cyd@customer.example hard_bounce {at}\n"
            )
        );
    }

    #[test]
    fn what_is_not_to_be_seen_is_taken_out_and_told() {
        assert_eq!(
            told(
                "email,cause\n\u{200b}ann@customer.example,unsubscribe\nbea\u{200b}@customer.example,unsubscribe\n\
                 \u{feff}cyd@customer.example,unsubscribe\n",
                None
            ),
            format!(
                "plain\n\
                2 ann@customer.example unsubscribe -\n2 warning: {CLEANED}\n\
                3 bea@customer.example unsubscribe -\n3 warning: {CLEANED}\n\
                4 cyd@customer.example unsubscribe -\n"
            )
        );
    }

    #[test]
    fn lists_one_behind_the_other_are_read_to_the_end() {
        let list = "\u{feff}sep=;\r\nemail;cause\r\nann@customer.example;unsubscribe\r\n";
        assert_eq!(
            told(
                [list, "\u{feff}sep=;\r\nEmail;Cause\r\n\u{feff}bea@customer.example;complaint\r\n"].concat(),
                None
            ),
            "plain\n\
            3 ann@customer.example unsubscribe -\n\
            4 ignored: a line that names the delimiter\n\
            5 ignored: the header again\n\
            6 bea@customer.example complaint -\n"
        );
    }

    #[test]
    fn no_pattern_is_understood() {
        for pattern in [
            "*@blocked.example",
            "ann*@blocked.example",
            ".*@blocked.example",
            "@blocked.example",
            "blocked.example",
            "%@blocked.example",
            "ann@*.example",
        ] {
            let sheet =
                sheet(format!("email\n{pattern}\nann@customer.example\n"), Some(Cause::Manual)).unwrap();
            assert_eq!((sheet.rows.len(), sheet.invalid.len()), (1, 1), "{pattern}");
        }
    }

    #[test]
    fn whoever_is_on_a_list_stays_on_it_whatever_the_date_is_like() {
        let hint = Some(Cause::Manual);
        for date in [
            "25/04/2024",
            "04/25/2024",
            "25.04.2024",
            "45407",
            "2008-03-01",
            "2030-01-01",
            "soon",
            "Thu Apr 25",
        ] {
            let sheet = sheet(format!("email,date\nann@customer.example,{date}\n"), hint).unwrap();
            assert_eq!((sheet.rows.len(), sheet.rows[0].at, sheet.warnings.len()), (1, None, 1), "{date}");
        }
    }

    #[test]
    fn of_our_own_export_the_column_of_addresses_alone_is_read_as_well() {
        let mut list = vec![];
        write_row(&mut list, &["-dash@customer.example"]).unwrap();
        for head in ["", "address\n", "email\n"] {
            let sheet = sheet([head.as_bytes(), &list].concat(), Some(Cause::Manual)).unwrap();
            assert_eq!(
                (sheet.rows.len(), &*sheet.rows[0].address, sheet.warnings.len()),
                (1, "-dash@customer.example", 0)
            );
        }
    }

    #[test]
    fn limits_are_kept_to_the_row_and_the_byte() {
        let hint = Some(Cause::Manual);
        let rows = |count: usize| "a@b.example\n".repeat(count);
        assert_eq!(sheet(rows(ROWS_MAX), hint).unwrap().rows.len(), ROWS_MAX);
        assert_eq!(sheet(format!("email\n{}", rows(ROWS_MAX)), hint).unwrap().rows.len(), ROWS_MAX);
        for count in [ROWS_MAX + 1, ROWS_MAX + 2, ROWS_MAX + 9] {
            assert_eq!(sheet(rows(count), hint), Err(SheetError::Rows), "{count}");
            assert_eq!(sheet(format!("email\n{}", rows(count)), hint), Err(SheetError::Rows), "{count}");
        }
        let padded = |bytes: usize| format!("email\n{}", "\n".repeat(bytes - 6));
        assert!(sheet(padded(BYTES_MAX), hint).is_ok());
        assert_eq!(sheet(padded(BYTES_MAX + 1), hint), Err(SheetError::Bytes));
        for empty in ["", "\u{feff}", "\r\n\n"] {
            assert_eq!(sheet(empty, hint), Err(SheetError::Empty));
        }
        assert_eq!(told("email,cause\n", None), "plain\n", "a list with nothing on it");
    }

    #[test]
    fn nothing_that_is_refused_is_quoted() {
        let secret = "secret.person";
        for csv in [
            format!("{secret}@customer.example\n"),
            format!("email,{secret}\nx,y\n"),
            format!(
                "email,cause\n{secret},bounce\na@b.example,{secret}\n\"{secret}@customer.example,bounce\n"
            ),
            format!("email,cause,date\n{secret},bounce,\na@b.example,{secret},\na@b.example,spam,{secret}\n"),
        ] {
            let said = told(&csv, None);
            assert!(!said.contains(secret), "{said}");
        }
    }

    #[test]
    fn an_address_that_runs_on_behind_an_invisible_character_is_warned_about() {
        let csv = "status,reason,email,created\n5.1.1,\"two\nlines\",ida@x.example\u{feff}1714557600\n";
        let warned = format!("2 warning: {CLEANED}");
        assert!(told(csv, None).lines().any(|line| line == warned), "{}", told(csv, None));
    }

    const HEADERS: [&str; 10] = [
        "",
        "email\n",
        "email,cause,date\n",
        "status,reason,email,created\n",
        "reason;email;created\n",
        "EmailAddress,Reason,LastUpdateTime\r\n",
        "address,code,error,created_at\n",
        "uuid,email,status,updated_at\n",
        "EmailAddress,SuppressionReason,Origin,CreatedAt\n",
        "address,recipient_id,since,causes,origin\n",
    ];

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_every_row_is_counted(
            header in prop::sample::select(HEADERS.to_vec()),
            rest in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..200),
                "[a@.,;\"\t\r\n '=*0-9-]{0,200}".prop_map(String::into_bytes),
            ],
            hint in prop::option::of(prop::sample::select(Cause::ALL.to_vec())),
        ) {
            let csv = [header.as_bytes(), &rest].concat();
            if let Ok(sheet) = sheet(&csv, hint) {
                let ends = line_ends(&csv) + 1;
                let mut lines: Vec<u64> = sheet.rows.iter().map(|row| row.line).collect();
                lines.extend(sheet.ignored.iter().map(|row| row.line));
                lines.extend(sheet.invalid.iter().map(|row| row.line));
                lines.sort_unstable();
                prop_assert!(lines.windows(2).all(|pair| pair[0] < pair[1]), "one row, one line: {:?}", lines);
                prop_assert!(lines.last().is_none_or(|last| *last <= ends));
                for row in &sheet.rows {
                    prop_assert!(row.address.parse::<Address>().is_ok());
                }
            }
        }

        #[test]
        fn what_we_write_is_what_we_read(
            addresses in prop::collection::vec("['=+@-]{0,2}[a-z+=']{1,8}@[a-z]{1,8}\\.example", 1..20)
        ) {
            let mut csv = vec![];
            write_header(&mut csv).unwrap();
            for address in &addresses {
                write_row(&mut csv, &[address, "id", "", "manual", ""]).unwrap();
            }
            let sheet = sheet(&csv, None).unwrap();
            let wanted: Vec<String> = addresses.iter().filter_map(|address| Some(address.parse::<Address>().ok()?.text().to_owned())).collect();
            let read: Vec<String> = sheet.rows.into_iter().map(|row| row.address).collect();
            prop_assert_eq!(read, wanted);
        }

        /// Rows are written and then broken: whatever the quotes do, each line with an address is told of.
        #[test]
        fn no_address_of_a_broken_list_is_lost_without_a_word(
            reasons in prop::collection::vec("(550 no user|\"no, really\"|\"two\nlines <x>\"|)", 1..12),
            breaks in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(vec!["\"", "\"\"", ",", "\n", "\u{feff}", "\r\n", ";", " "]), any::<bool>()), 0..4),
        ) {
            let mut text = "status,reason,email,created\n".to_owned();
            let head = text.len();
            for (n, reason) in reasons.iter().enumerate() {
                writeln!(text, "5.1.1,{reason},person{n}@x.example,1714557600").unwrap();
            }
            for (at, with, instead) in &breaks {
                // Not within the header, nor within an address.
                let at = head + at.index(text.len() - head);
                let word = |c: u8| c.is_ascii_alphanumeric() || c == b'@' || c == b'.';
                let bytes = text.as_bytes();
                if !text.is_char_boundary(at) || (word(bytes[at]) && word(bytes[at - 1])) || (*instead && bytes[at] >= 0x80) {
                    continue;
                }
                let instead = *instead && !word(bytes[at]);
                text.replace_range(at..at + usize::from(instead), with);
            }
            let sheet = sheet(&text, None).unwrap();
            let mut lines: Vec<u64> = sheet.rows.iter().map(|row| row.line).collect();
            lines.extend(sheet.ignored.iter().map(|row| row.line));
            lines.extend(sheet.invalid.iter().map(|row| row.line));
            lines.sort_unstable();
            for n in 0..reasons.len() {
                let address = format!("person{n}@x.example");
                let Some(at) = text.find(&address) else { continue };
                let line = line_ends(&text.as_bytes()[..at]) + 1;
                let read = sheet.rows.iter().any(|row| row.address == address);
                let reported = lines.contains(&line)
                    // In the row that begins before it, which is told of as one that could not be used, or is used
                    // with a warning: of an address that runs on into what was behind it.
                    || lines.iter().rev().find(|told| **told <= line).is_some_and(|told| {
                        sheet.invalid.iter().any(|row| row.line == *told)
                            || sheet.warnings.iter().any(|warning| warning.line == *told)
                    });
                prop_assert!(read || reported, "{} of {:?}: {:?}", address, text, sheet);
            }
        }
    }
}

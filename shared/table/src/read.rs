//! Lists of other services, read: rows that suppress, rows that are ignored with a reason, rows that have a problem.

use crate::date::instant;
use crate::header::{Format, Layout, Telling, bare, layout};
use crate::words::{MAILABLE, SOFT, Word, gravest, word};
use crate::write::undone;
use csv::{ByteRecord, StringRecord};
use ledger::Time;
use ledger::address::mailable;
use ledger::event::Cause;
use std::io::Read as _;

/// The largest file that is read, in bytes.
pub const BYTES_MAX: usize = 1024 * 1024;
/// The most rows of a file that are read, its header aside.
pub const ROWS_MAX: usize = 5_000;

/// Read behind the file: it is a row of its own unless a quote swallows it.
const END: &[u8] = b"\n\0end\n";

/// What is known of a list beside its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// Why the addresses are on it, where the list does not tell.
    pub cause: Option<Cause>,
}

/// A list that was understood. Each row of it stands in exactly one of the three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// Whose list it is.
    pub format: Format,
    /// The suppressions, in the file's order. One address may be there more than once.
    pub rows: Vec<Row>,
    /// What is no suppression.
    pub ignored: Vec<Ignored>,
    /// What could not be used.
    pub invalid: Vec<Invalid>,
}

/// One suppression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its first line in the file, from 1.
    pub line: u64,
    /// The address as it stands there, trimmed.
    pub address: String,
    /// Why it is on the list.
    pub cause: Cause,
    /// Since when, if that is told.
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
    /// It is UTF-16, as spreadsheets save "Unicode text".
    #[error("the file is UTF-16: save it as CSV in UTF-8")]
    Utf16,
    /// The first line is no UTF-8.
    #[error("the first line is not UTF-8: save the file as CSV in UTF-8")]
    NotUtf8,
    /// A quote is not closed, so that the rest of the file would be one cell.
    #[error("a quote that opens in the row of line {line} is not closed")]
    Quote {
        /// The row's first line, from 1.
        line: u64,
    },
    /// The first line is neither a header that is known nor an address.
    #[error(
        "the first line is neither a header that is known nor an address: \
         give the columns email, cause and date, or one column of addresses and `cause`"
    )]
    NoHeader,
    /// A plain list has a column whose meaning is not known.
    #[error("column {column} of the header is not known: keep the columns email, cause and date")]
    Column {
        /// The column, from 1.
        column: usize,
    },
    /// A plain list has two columns of one meaning.
    #[error("column {column} of the header says what another one says: keep one of them")]
    Twice {
        /// The second of the two, from 1.
        column: usize,
    },
    /// Neither the file nor who sends it says why the addresses are suppressed.
    #[error(
        "the file does not tell why its addresses are suppressed: \
         give `cause` as hard_bounce, complaint, unsubscribe, manual or unknown"
    )]
    NoCause,
}

/// What became of one row that has no problem.
enum Verdict {
    Row(String, Cause, Option<Time>),
    Ignored(&'static str),
}

/// Reads a list. `now` bounds the dates.
///
/// # Errors
/// The file cannot be understood, or is too large; nothing of it was read then.
pub fn read(csv: &[u8], hints: Hints, now: Time) -> Result<Sheet, SheetError> {
    if csv.len() > BYTES_MAX {
        return Err(SheetError::Bytes);
    }
    let records = records(unmarked(csv)?)?;
    let Some((_, first)) = records.first() else {
        return Err(SheetError::Empty);
    };
    let (layout, rows, header) = match opening(first, hints)? {
        (layout, true) => (layout, &records[1..], Some(first)),
        (layout, false) => (layout, &records[..], None),
    };
    if rows.len() > ROWS_MAX {
        return Err(SheetError::Rows);
    }
    let mut sheet = Sheet { format: layout.format, rows: vec![], ignored: vec![], invalid: vec![] };
    for (line, record) in rows {
        let line = *line;
        // Pages of an export, one behind the other.
        if Some(record) == header {
            sheet.ignored.push(Ignored { line, why: "the header again" });
            continue;
        }
        match judged(record, first.len(), &layout, hints, now) {
            Ok(Verdict::Row(address, cause, at)) => sheet.rows.push(Row { line, address, cause, at }),
            Ok(Verdict::Ignored(why)) => sheet.ignored.push(Ignored { line, why }),
            Err(problem) => sheet.invalid.push(Invalid { line, problem }),
        }
    }
    Ok(sheet)
}

/// A text without its byte order mark.
pub(crate) fn unmarked(csv: &[u8]) -> Result<&[u8], SheetError> {
    // A byte order mark, or every second byte of a first letter.
    if matches!(csv, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [0, _, ..] | [_, 0, ..]) {
        return Err(SheetError::Utf16);
    }
    Ok(csv.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(csv))
}

/// The meaning of the columns, by the first record, and whether that is a header.
pub(crate) fn opening(first: &ByteRecord, hints: Hints) -> Result<(Layout, bool), SheetError> {
    let header = StringRecord::from_byte_record(first.clone()).map_err(|_| SheetError::NotUtf8)?;
    match layout(&header, hints)? {
        Some(layout) => Ok((layout, true)),
        None if header.len() == 1 || header.get(0).is_some_and(|cell| cell.contains('@')) => {
            Ok((bare(&header, hints)?, false))
        }
        None => Err(SheetError::NoHeader),
    }
}

/// The records with the lines at which they begin.
fn records(csv: &[u8]) -> Result<Vec<(u64, ByteRecord)>, SheetError> {
    let mut records: Vec<(u64, ByteRecord)> = vec![];
    each(csv, |line, _, record| {
        records.push((line, record));
        // With a header.
        if records.len() > ROWS_MAX + 1 { Err(SheetError::Rows) } else { Ok(()) }
    })?;
    Ok(records)
}

/// Goes through the records: the line and the byte at which each begins, and itself.
pub(crate) fn each(
    csv: &[u8],
    mut found: impl FnMut(u64, usize, ByteRecord) -> Result<(), SheetError>,
) -> Result<(), SheetError> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter(csv))
        .from_reader(csv.chain(END));
    let (mut line, mut counted) = (1, 0);
    // The last one is what was put behind the file.
    let mut last: Option<ByteRecord> = None;
    loop {
        let mut record = ByteRecord::new();
        let read = reader.read_byte_record(&mut record).map_err(|_| SheetError::Quote { line })?;
        if let Some(before) = last.take() {
            if !read {
                let whole = before.len() == 1 && before[0] == END[1..END.len() - 1];
                return if whole { Ok(()) } else { Err(SheetError::Quote { line }) };
            }
            found(line, counted, before)?;
        } else if !read {
            return Err(SheetError::Quote { line });
        }
        // The reader's own count takes a blank line for the record behind it.
        let from = record.position().map_or(counted, |position| position.byte() as usize).min(csv.len());
        let begin = from + csv[from..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        line += line_ends(&csv[counted..begin]);
        counted = begin;
        last = Some(record);
    }
}

/// How many lines end in a text: by LF, CRLF or CR.
pub(crate) fn line_ends(text: &[u8]) -> u64 {
    let ends = |at: &usize| text[*at] == b'\n' || (text[*at] == b'\r' && text.get(at + 1) != Some(&b'\n'));
    (0..text.len()).filter(ends).count() as u64
}

/// The delimiter that the first line has most of, outside of quotes.
pub(crate) fn delimiter(csv: &[u8]) -> u8 {
    let mut quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    let begin = csv.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    for byte in &csv[begin..] {
        match byte {
            b'"' => quoted = !quoted,
            b'\r' | b'\n' if !quoted => break,
            _ if quoted => {}
            byte => counts.iter_mut().filter(|(known, _)| known == byte).for_each(|(_, count)| *count += 1),
        }
    }
    counts
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .max_by_key(|(_, count)| *count)
        .map_or(b',', |(byte, _)| byte)
}

/// A cell that counts, trimmed; one that is not there is empty.
fn text(record: &ByteRecord, column: usize) -> Result<&str, &'static str> {
    let cell = std::str::from_utf8(record.get(column).unwrap_or_default());
    cell.map(str::trim).map_err(|_| "the row is not UTF-8")
}

/// What becomes of a row of a file with so many columns.
fn judged(
    record: &ByteRecord,
    columns: usize,
    layout: &Layout,
    hints: Hints,
    now: Time,
) -> Result<Verdict, &'static str> {
    if record.iter().all(<[u8]>::is_empty) {
        return Ok(Verdict::Ignored("a blank row"));
    }
    // An unquoted delimiter shifts what stands behind it.
    if record.iter().skip(columns).any(|cell| !cell.is_empty()) {
        return Err("the row has more cells than the first line: a delimiter in it is not quoted");
    }
    let cause = match cause(record, layout.telling, hints)? {
        Word::Suppressed(cause) => cause,
        Word::Not(why) => return Ok(Verdict::Ignored(why)),
    };
    let mut address = text(record, layout.address)?;
    if layout.format == Format::Postledger {
        address = undone(address);
        if address.contains("***@") {
            return Err("the address is masked: export with a token that reveals addresses");
        }
    }
    mailable(address)?;
    let at = layout.at.map_or(Ok(None), |column| instant(text(record, column)?, now))?;
    Ok(Verdict::Row(address.to_owned(), cause, at))
}

/// Why a row's address is on the list, or why it is not.
fn cause(record: &ByteRecord, telling: Telling, hints: Hints) -> Result<Word, &'static str> {
    const UNKNOWN: &str =
        "the cause is not known: hard_bounce, complaint, unsubscribe, manual and unknown are";
    let hinted = || hints.cause.map(Word::Suppressed).ok_or("the row tells no cause");
    match telling {
        Telling::All(cause) => Ok(Word::Suppressed(cause)),
        Telling::Word(column) => match text(record, column)? {
            "" => hinted(),
            cell => word(cell).ok_or(UNKNOWN),
        },
        Telling::Words(column) => {
            let cell = text(record, column)?;
            let words =
                cell.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|part| !part.is_empty());
            let words: Vec<Word> = words.map(word).collect::<Option<_>>().ok_or(UNKNOWN)?;
            let causes = words.iter().filter_map(|word| match word {
                Word::Suppressed(cause) => Some(*cause),
                Word::Not(_) => None,
            });
            match gravest(causes) {
                Some(cause) => Ok(Word::Suppressed(cause)),
                None => words.first().copied().map_or_else(hinted, Ok),
            }
        }
        // Texts of other mail servers are in any encoding; their codes are ASCII.
        Telling::Bounce { status, reason } => {
            let status = String::from_utf8_lossy(record.get(status).unwrap_or_default());
            let reason = String::from_utf8_lossy(record.get(reason).unwrap_or_default());
            Ok(word(&status).unwrap_or_else(|| bounce(&status, &reason, hints)))
        }
        Telling::Invalid { reason } => {
            let reason = String::from_utf8_lossy(record.get(reason).unwrap_or_default());
            Ok(word(&reason).unwrap_or(Word::Suppressed(Cause::HardBounce)))
        }
        Telling::Postmark { reason, origin } => {
            let some = |cell: &'_ str| (!cell.is_empty()).then(|| cell.to_owned());
            let reason = some(text(record, reason)?);
            let origin = origin.map_or(Ok(None), |column| text(record, column).map(some))?;
            Ok(Word::Suppressed(match Cause::told(reason.as_deref(), origin.as_deref()) {
                Cause::Unknown => hints.cause.unwrap_or(Cause::Unknown),
                cause => cause,
            }))
        }
        Telling::Listmonk { status, subscription } => {
            let unsubscribed = match subscription {
                Some(column) => text(record, column)?.eq_ignore_ascii_case("unsubscribed"),
                None => false,
            };
            // It was an act of the customer, unless more is known. Older versions call it blacklisted.
            let cause = if unsubscribed { Cause::Unsubscribe } else { hints.cause.unwrap_or(Cause::Manual) };
            match text(record, status)?.to_ascii_lowercase().as_str() {
                "blocklisted" | "blacklisted" => Ok(Word::Suppressed(cause)),
                "enabled" | "disabled" if unsubscribed => Ok(Word::Suppressed(cause)),
                "enabled" => Ok(Word::Not(MAILABLE)),
                "disabled" => Ok(Word::Not("the subscriber is disabled, not blocklisted")),
                _ => Err("the status is none of listmonk's"),
            }
        }
    }
}

/// A row of SendGrid's bounces or blocks: both lists have one header, and only the first one suppresses. A code of 4 is
/// temporary; one of 5.7 is a refusal by policy, which is what blocks are, unless the list is said to be of bounces.
fn bounce(status: &str, reason: &str, hints: Hints) -> Word {
    let code =
        enhanced(status).or_else(|| enhanced(reason)).or_else(|| basic(status)).or_else(|| basic(reason));
    match code {
        Some((b'4', _)) => Word::Not(SOFT),
        Some((_, Some(b'7'))) if hints.cause != Some(Cause::HardBounce) => Word::Not(
            "a refusal by policy, as SendGrid's blocks are: give `cause` as hard_bounce if it is a bounce",
        ),
        _ => Word::Suppressed(Cause::HardBounce),
    }
}

/// Class and subject of `5.1.1`, first or behind a basic code.
fn enhanced(text: &str) -> Option<(u8, Option<u8>)> {
    text.split_whitespace().take(2).find_map(|part| match part.as_bytes() {
        [class @ b'2'..=b'5', b'.', subject @ b'0'..=b'9', b'.', b'0'..=b'9', ..] => {
            Some((*class, Some(*subject)))
        }
        _ => None,
    })
}

/// Class of `550`.
fn basic(text: &str) -> Option<(u8, Option<u8>)> {
    match text.trim_start().as_bytes() {
        [class @ b'2'..=b'5', b'0'..=b'9', b'0'..=b'9', rest @ ..]
            if !rest.first().is_some_and(u8::is_ascii_digit) =>
        {
            Some((*class, None))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::{CAUSES_JOINED_BY, write_header, write_row};
    use proptest::prelude::*;
    use std::fmt::Write as _;

    fn now() -> Time {
        "2026-09-21T08:00:00Z".parse().unwrap()
    }

    fn sheet(csv: impl AsRef<[u8]>, cause: Option<Cause>) -> Result<Sheet, SheetError> {
        read(csv.as_ref(), Hints { cause }, now())
    }

    /// A file as lines: `2 ida@customer.example hard_bounce 2015-09-30T22:12:21.000000Z`.
    fn told(csv: impl AsRef<[u8]>, cause: Option<Cause>) -> String {
        let sheet = match sheet(csv, cause) {
            Ok(sheet) => sheet,
            Err(error) => return error.to_string(),
        };
        let mut lines: Vec<(u64, String)> = vec![];
        for Row { line, address, cause, at } in sheet.rows {
            let at = at.map_or("-".to_owned(), |at| at.to_string());
            lines.push((line, format!("{line} {address} {} {at}", cause.name())));
        }
        lines.extend(
            sheet.ignored.into_iter().map(|row| (row.line, format!("{} ignored: {}", row.line, row.why))),
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
    fn sendgrids_bounces_suppress_and_its_blocks_do_not() {
        let csv = "status,reason,email,created\n\
            5.1.1,\"550 5.1.1 The email account does not exist,\nsorry \"\"Ida\"\"\",ida@customer.example,1443651141\n\
            4.0.0,error dialing remote address: no route to host,bob@customer.example,1443651142\n\
            ,421 4.7.0 try again,eve@customer.example,1443651143\n\
            5.7.1,550 5.7.1 blocked,joe@customer.example,1443651144\n\
            550,550 5.7.1 blocked,amy@customer.example,1443651144\n\
            554,554 no such user,max@customer.example,1443651145\n\
            ,bounced,tom@customer.example,1443651146\n";
        let policy = "ignored: a refusal by policy, as SendGrid's blocks are: \
            give `cause` as hard_bounce if it is a bounce";
        assert_eq!(
            told(csv, None),
            format!(
                "sendgrid-bounces\n\
                2 ida@customer.example hard_bounce 2015-09-30T22:12:21.000000Z\n\
                4 ignored: {SOFT}\n\
                5 ignored: {SOFT}\n\
                6 {policy}\n\
                7 {policy}\n\
                8 max@customer.example hard_bounce 2015-09-30T22:12:25.000000Z\n\
                9 tom@customer.example hard_bounce 2015-09-30T22:12:26.000000Z\n"
            )
        );
        let bounces = sheet(csv, Some(Cause::HardBounce)).unwrap();
        assert_eq!((bounces.rows.len(), bounces.ignored.len()), (5, 2), "said to be bounces");
    }

    #[test]
    fn sendgrids_other_lists_are_read() {
        assert_eq!(
            told(
                "reason,email,created\nMail domain is unknown,ida@customer.example,1443651141\n\
                 resubscribed,bob@customer.example,1443651141\nno @,bob,1443651141\n",
                None
            ),
            format!(
                "sendgrid-invalid-emails\n\
                2 ida@customer.example hard_bounce 2015-09-30T22:12:21.000000Z\n\
                3 ignored: {MAILABLE}\n\
                4 invalid: the address has no @\n"
            )
        );
        assert_eq!(
            told("ip,email,created\n192.0.2.1,ida@customer.example,2015-09-30 22:12:21\n", None),
            "sendgrid-spam-reports\n2 ida@customer.example complaint 2015-09-30T22:12:21.000000Z\n"
        );
        assert_eq!(
            told("email,created\r\nida@customer.example,1443651141\r\n", None),
            "sendgrid-unsubscribes\n2 ida@customer.example unsubscribe 2015-09-30T22:12:21.000000Z\n"
        );
    }

    #[test]
    fn amazons_list_is_read_with_and_without_a_header() {
        assert_eq!(
            told(
                "EmailAddress,Reason,LastUpdateTime\n\
                 ida@customer.example,BOUNCE,2020-04-10T21:03:05.077000+00:00\n\
                 bob@customer.example,COMPLAINT,1586552585.077\n\
                 eve@customer.example,,1586552585\n",
                None
            ),
            "ses\n\
            2 ida@customer.example hard_bounce 2020-04-10T21:03:05.077000Z\n\
            3 bob@customer.example complaint 2020-04-10T21:03:05.000000Z\n\
            4 invalid: the row tells no cause\n"
        );
        assert_eq!(
            told("ida@customer.example,BOUNCE\nbob@customer.example, COMPLAINT\n", None),
            "plain\n1 ida@customer.example hard_bounce -\n2 bob@customer.example complaint -\n"
        );
    }

    #[test]
    fn mailguns_lists_are_read() {
        assert_eq!(
            told(
                "address,code,error,created_at\n\
                 ida@customer.example,550,\"No such mailbox, sorry\",\"Fri, 21 Oct 2011 11:02:55 GMT\"\n\
                 bob@customer.example,,,\n",
                None
            ),
            "mailgun-bounces\n\
            2 ida@customer.example hard_bounce 2011-10-21T11:02:55.000000Z\n\
            3 bob@customer.example hard_bounce -\n"
        );
        assert_eq!(
            told("address,created_at\nida@customer.example,\"Fri, 21 Oct 2011 11:02:55 UTC\"\n", None),
            "mailgun-complaints\n2 ida@customer.example complaint 2011-10-21T11:02:55.000000Z\n"
        );
        assert_eq!(
            told("address,tags,created_at\nida@customer.example,*,\nbob@customer.example,news,\n", None),
            "mailgun-unsubscribes\n\
            2 ida@customer.example unsubscribe -\n\
            3 bob@customer.example unsubscribe -\n"
        );
    }

    #[test]
    fn of_listmonks_subscribers_only_the_blocklisted_count() {
        let head = "uuid,email,name,attributes,status,created_at,updated_at";
        let tail = "2023-01-01 10:00:00 +0000 UTC,2024-05-01 10:00:00.123456 +0000 UTC";
        let csv = format!(
            "{head}\n\
            u1,ida@customer.example,Ida,\"{{\"\"city\"\": \"\"Graz\"\"}}\",blocklisted,{tail}\n\
            u2,bob@customer.example,Bob,{{}},enabled,{tail}\n\
            u3,eve@customer.example,Eve,{{}},disabled,{tail}\n\
            u4,joe@customer.example,Joe,{{}},,{tail}\n"
        );
        let told_with = |cause: Cause| {
            format!(
                "listmonk\n\
                2 ida@customer.example {} 2024-05-01T10:00:00.123456Z\n\
                3 ignored: {MAILABLE}\n\
                4 ignored: the subscriber is disabled, not blocklisted\n\
                5 invalid: the status is none of listmonk's\n",
                cause.name()
            )
        };
        assert_eq!(told(&csv, None), told_with(Cause::Manual));
        assert_eq!(told(&csv, Some(Cause::HardBounce)), told_with(Cause::HardBounce));
        assert_eq!(
            told(
                "uuid,email,status,subscription_status\nu1,ida@customer.example,enabled,unsubscribed\n",
                None
            ),
            "listmonk\n2 ida@customer.example unsubscribe -\n"
        );
    }

    #[test]
    fn postmarks_dump_is_read() {
        assert_eq!(
            told(
                "EmailAddress,SuppressionReason,Origin,CreatedAt\n\
                 ida@customer.example,HardBounce,Recipient,2019-12-17T08:58:33-05:00\n\
                 bob@customer.example,SpamComplaint,Recipient,2019-12-17T08:58:33-05:00\n\
                 eve@customer.example,ManualSuppression,Recipient,2019-12-17T08:58:33-05:00\n\
                 joe@customer.example,ManualSuppression,Admin,2019-12-17T08:58:33-05:00\n\
                 amy@customer.example,PolicyViolation,Admin,2019-12-17T08:58:33-05:00\n",
                None
            ),
            "postmark\n\
            2 ida@customer.example hard_bounce 2019-12-17T13:58:33.000000Z\n\
            3 bob@customer.example complaint 2019-12-17T13:58:33.000000Z\n\
            4 eve@customer.example unsubscribe 2019-12-17T13:58:33.000000Z\n\
            5 joe@customer.example manual 2019-12-17T13:58:33.000000Z\n\
            6 amy@customer.example unknown 2019-12-17T13:58:33.000000Z\n"
        );
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
                3 '+bob@customer.example unsubscribe {at}\n\
                4 invalid: the address is masked: export with a token that reveals addresses\n\
                5 invalid: the address is empty\n\
                6 eve@customer.example manual {at}\n\
                7 invalid: the cause is not known: hard_bounce, complaint, unsubscribe, manual and unknown are\n\
                8 ignored: the header again\n"
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
            4 invalid: the date cannot be read: RFC 3339, YYYY-MM-DD, RFC 2822 or seconds since 1970 are\n\
            5 invalid: the cause is not known: hard_bounce, complaint, unsubscribe, manual and unknown are\n"
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
        assert_eq!(sheet(csv, hint), Err(SheetError::Quote { line: 3 }));
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
        assert_eq!(sheet(b"\xFF\xFEe\0m\0a\0i\0l\0\n\0", hint), Err(SheetError::Utf16));
        assert_eq!(sheet(b"\xFE\xFF\0e\0m\0a\0i\0l", hint), Err(SheetError::Utf16));
        assert_eq!(sheet(b"e\0m\0a\0i\0l\0\n\0", hint), Err(SheetError::Utf16));
        assert_eq!(sheet(b"adresse \xE9\n", hint), Err(SheetError::NotUtf8));
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
                    prop_assert_eq!(mailable(&row.address), Ok(()));
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
            let wanted: Vec<&String> = addresses.iter().filter(|address| mailable(address).is_ok()).collect();
            let read: Vec<&String> = sheet.rows.iter().map(|row| &row.address).collect();
            prop_assert_eq!(read, wanted);
        }
    }
}

//! Events as a table to keep.

use super::reading::{Filter, Most, Place, Read, read};
use crate::pages::shared::{CSV, Table, link};
use crate::respond::{self, Answer};
use crate::visit::{AtServer, Failed};
use answers::EntryWithRecipient;

/// How many rows a table has at most.
pub(super) const ROWS_MAX: usize = 20_000;
/// How many bytes, about: a gateway lets 6 MB through.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// How many pages of the API are read for it.
const PAGES: usize = 80;
/// How many rows are read at once.
const ROWS_AT_ONCE: usize = 500;

const COLUMNS: [&str; 19] = [
    "time",
    "type",
    "measure",
    "stream",
    "address",
    "recipient_id",
    "message_id",
    "bounce_type",
    "description",
    "diagnostic",
    "subject",
    "tag",
    "link",
    "user_agent",
    "note",
    "withheld",
    "source",
    "received_at",
    "event",
];

/// All events that are listed, as a file; where there are more than it may have, its last row says so.
///
/// # Errors
/// The API's own.
pub(super) async fn file(at: &AtServer<'_>, filter: &Filter) -> Result<Answer, Failed> {
    let mut table = Table::new(&COLUMNS);
    let (mut place, mut rows, mut pages, mut bytes) = (Place::default(), 0, 0, 0);
    let is_cut = loop {
        let most = Most { rows: ROWS_AT_ONCE.min(ROWS_MAX - rows), pages: 1 };
        let Read { items, next, .. } = read(at, filter, place, most).await?;
        rows += items.len();
        pages += 1;
        for item in &items {
            bytes += write(&mut table, item);
        }
        match next {
            None => break false,
            Some(_) if rows >= ROWS_MAX || pages >= PAGES || bytes >= BYTES_MAX => break true,
            Some(next) => place = next,
        }
    };
    let day = at.visit.zone.field(filter.to).replace(':', "");
    if is_cut {
        table.row(&[&at.visit.t().activity_file_cut(ROWS_MAX)]);
    }
    let cut = if is_cut { "-cut" } else { "" };
    let file = format!("activity-{}-{day}{cut}.csv", at.server);
    Ok(respond::file(CSV, &file, table.into_bytes()))
}

/// Writes an event; how many bytes it has, about.
fn write(table: &mut Table, item: &EntryWithRecipient) -> usize {
    let (entry, details) = (&item.entry, &item.entry.details);
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let cells: [String; COLUMNS.len()] = [
        entry.time.to_string(),
        entry.kind.clone(),
        entry.measure.clone(),
        entry.stream.clone(),
        text(&item.recipient.address),
        item.recipient.recipient_id.to_string(),
        text(&entry.message_id),
        text(&details.bounce_type),
        text(&details.description),
        text(&details.diagnostic),
        text(&details.subject),
        text(&details.tag),
        text(&details.link),
        text(&details.user_agent),
        text(&entry.note),
        details.withheld.join(" "),
        entry.source.to_string(),
        entry.received_at.to_string(),
        entry.event.to_string(),
    ];
    table.row(&cells.each_ref().map(String::as_str));
    cells.iter().map(|cell| cell.len() + 1).sum()
}

/// Where the file is.
pub(super) fn path(list: &str) -> String {
    link(list, &[("csv", Some("1".to_owned()))])
}

#[cfg(test)]
mod tests {
    use super::super::reading::name;
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_has_a_cell_for_each_column_and_no_cell_is_a_formula() {
        let item: EntryWithRecipient = serde_json::from_value(json!({
            "time": "2026-11-25T08:00:00Z", "type": "Bounce", "measure": "bounce_hard", "stream": "outbound",
            "message_id": "@m", "source": "webhook", "received_at": "2026-11-25T08:00:01Z",
            "event": "pQ2rS4tU6vW8xY0zA1bC3g", "facts": [], "note": "\tnote",
            "details": {
                "subject": "=HYPERLINK(\"https://evil.example\")", "diagnostic": "-1;2", "tag": "+tag",
                "link": "\rx", "withheld": ["subject", "link"],
            },
            "recipient": { "recipient_id": "kZxV0n3qT5uYwB7cD9eFgA", "address": "=i***@x.example" },
        }))
        .unwrap();
        let mut table = Table::new(&COLUMNS);
        assert!(write(&mut table, &item) > 100);
        let text = String::from_utf8(table.into_bytes()).unwrap();
        let (header, row) = text.split_once("\r\n").unwrap();
        assert_eq!(header.split(',').count(), COLUMNS.len());
        for cell in [
            "'=i***@x.example",
            "'@m",
            "\"'=HYPERLINK(\"\"https://evil.example\"\")\"",
            "\"'-1;2\"",
            "'+tag",
            "\"'\rx\"",
            "\"'\tnote\"",
            "subject link",
            "webhook",
            "2026-11-25T08:00:00.000000Z",
        ] {
            assert!(row.contains(&format!("{cell},")), "{cell}: {row}");
        }
        assert_eq!(name(&item), "pQ2rS4tU6vW8xY0zA1bC3g.kZxV0n3qT5uYwB7cD9eFgA");
    }
}

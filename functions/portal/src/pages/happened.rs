//! Events as lists of a server and of a message show them: with their recipients, and what else is to be known of each.

use super::recipient::{EventRow, event};
use super::smtp;
use crate::visit::{AtServer, segment};
use answers::{EntryWithRecipient, Word};
use ledger::Source;

/// How much of a text is shown in a list, in characters; the page of the message shows it whole.
pub(super) const SHORT: usize = 240;
/// What no id of a message has in it that leads to its page.
pub(super) const NO_ID: [char; 2] = ['@', '/'];
/// What stands between the parts of a line.
const BETWEEN: &str = " · ";
/// How many seconds an event may take to come in before that is told.
const LATE: i64 = 3_600;

/// An event and its recipient.
pub(super) struct Row {
    /// The event.
    pub event: EventRow,
    /// The recipient's address, as it may be seen.
    pub who: String,
    /// The page of the recipient.
    pub to_recipient: String,
    /// The page of the message.
    pub to_message: Option<String>,
}

/// How much of an event is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// Long texts are cut, as in a list.
    Short,
    /// All.
    Whole,
}

/// A row of an event.
pub(super) fn row(at: &AtServer<'_>, item: &EntryWithRecipient, detail: Detail) -> Row {
    let t = at.visit.t();
    let (entry, whom) = (&item.entry, &item.recipient);
    let mut event = event(at, entry);
    let (mut said, mut more) = (Vec::new(), std::mem::take(&mut event.more));
    if let Some(diagnostic) = &entry.details.diagnostic {
        said.extend(smtp::words(t, diagnostic));
        if detail == Detail::Whole || said.is_empty() {
            said.extend(entry.details.description.clone());
        }
        // It is the first of what is there already.
        let diagnostic = more.drain(..more.len().min(1));
        said.extend(diagnostic.map(|text| format!("{} {text}", t.reason_said())));
    }
    more.extend(source(at, item));
    event.more = match detail {
        Detail::Short => [said.join(" "), more.join(BETWEEN)].iter().map(|text| short(text, SHORT)).collect(),
        Detail::Whole => said.into_iter().chain(more).collect(),
    };
    event.more.retain(|line| !line.is_empty());
    let recipient = whom.recipient_id.to_string();
    // On the page of the message itself no link to it is of use, and what looks like an address stands in no URL.
    let is_linked = |id: &&String| detail == Detail::Short && !id.contains(NO_ID);
    let to_message = event.message.as_ref().filter(is_linked);
    Row {
        who: whom.address.clone().unwrap_or_else(|| t.recipient_unnamed()),
        to_recipient: at.path(&format!("recipients/{recipient}")),
        to_message: to_message.map(|id| at.path(&format!("messages/{}", segment(id)))),
        event,
    }
}

/// How an event came in, where that was not by a webhook at once.
fn source(at: &AtServer<'_>, item: &EntryWithRecipient) -> Option<String> {
    let (t, entry) = (at.visit.t(), &item.entry);
    let came = at.visit.show(entry.received_at).text();
    match &entry.source {
        Word::Known(Source::Reconcile) => Some(t.event_by_reconcile(came)),
        Word::Known(Source::Backfill) => Some(t.event_by_backfill(came)),
        Word::Known(Source::Operator) => None,
        Word::Known(Source::Webhook) | Word::Other(_) => {
            let late = entry.received_at.0.seconds() - entry.time.0.seconds();
            (late > LATE).then(|| t.event_late(came))
        }
    }
}

/// The beginning of a text, and a mark where more follows.
pub(super) fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

/// Whether an event had happened, and was known, as of when somebody looks.
pub(super) fn is_past(at: &AtServer<'_>, item: &EntryWithRecipient) -> bool {
    at.as_of.at.is_none_or(|by| item.entry.time.0 <= by)
        && at.as_of.known_at.is_none_or(|by| item.entry.received_at.0 <= by)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_letters_and_says_so() {
        assert_eq!(short("short", 5), "short");
        assert_eq!(short("longer", 5), "longe…");
        assert_eq!(short("ééé é", 4), "ééé…");
        assert_eq!(short(&"\u{5d0}".repeat(65_536), 240).chars().count(), 241);
    }
}

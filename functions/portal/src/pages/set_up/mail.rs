//! A test mail on its way, hop by hop, as far as each is known.

use crate::moment::Moment;
use crate::pages::happened::NO_ID;
use crate::pages::shared::link;
use crate::visit::{AtServer, Failed, segment};
use answers::{Audit, Entry, Events, Timestamp, Word};
use http::StatusCode;
use ledger::Source;

/// How many steps of the audit are looked through for the last test mail: as many as the API tells at once.
const STEPS: usize = 100;
/// How many events of it are read.
const EVENTS: usize = 100;
/// After how many seconds without a report it is said what to look at.
const LATE: i64 = 3 * 60;
/// For how many seconds the page looks again by itself.
const WATCHED: i64 = 15 * 60;

/// What became of it so far.
pub(super) struct Mail {
    pub(super) kind: &'static str,
    pub(super) sentence: String,
    pub(super) hops: Vec<Hop>,
    /// Whether what Postmark reported of it came in by webhook.
    pub(super) is_proven: bool,
    /// Whether a report of it may come any moment.
    pub(super) is_watched: bool,
    /// Where to look where no report comes.
    pub(super) look: Vec<[String; 2]>,
    /// The way to this page, to look again.
    pub(super) again: String,
    /// The page of the message, once something is recorded of it.
    pub(super) message: Option<String>,
}

/// Something that happened to it.
pub(super) struct Hop {
    pub(super) words: String,
    pub(super) at: Moment,
}

/// How far it is, by what is recorded of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way<'e> {
    /// Nothing is.
    Nothing,
    /// A report that came by webhook, of a delivery or (`true`) a bounce.
    Webhook(&'e Entry, bool),
    /// A report that the ledger had to ask for.
    Asked(&'e Entry, bool),
}

impl<'e> Way<'e> {
    /// A report by webhook comes before one that was asked for, and a delivery before a bounce that came back later.
    fn of(entries: &'e [Entry]) -> Way<'e> {
        let is_bounce = |entry: &Entry| entry.measure.starts_with("bounce");
        let mut reports: Vec<&Entry> =
            entries.iter().filter(|entry| entry.measure == "delivered" || is_bounce(entry)).collect();
        let by_webhook = |entry: &Entry| entry.source == Word::Known(Source::Webhook);
        reports.sort_by_key(|entry| (!by_webhook(entry), entry.time));
        match reports.first() {
            Some(entry) if by_webhook(entry) => Way::Webhook(entry, is_bounce(entry)),
            Some(entry) => Way::Asked(entry, is_bounce(entry)),
            None => Way::Nothing,
        }
    }
}

impl Mail {
    /// The one that the page is asked about, or else the last one that was sent.
    ///
    /// # Errors
    /// The API's own.
    pub(super) async fn last(at: &AtServer<'_>) -> Result<Option<Mail>, Failed> {
        let asked = at.visit.request.asked().text("message").map(str::to_owned);
        let sent = sent(at, asked.as_deref()).await?;
        let Some(id) = asked.or_else(|| sent.as_ref().map(|sent| sent.id.clone())) else { return Ok(None) };
        if id.contains(NO_ID) {
            return Ok(None);
        }
        let told = at.ask::<Events>(at.get(&format!("messages/{id}")).with("limit", Some(EVENTS))).await;
        let entries: Vec<Entry> = match told {
            Ok(events) => events.items.into_iter().map(|item| item.entry).collect(),
            Err(failed) if failed.status == StatusCode::NOT_FOUND => Vec::new(),
            Err(failed) => return Err(failed),
        };
        // Of what is in neither place nothing is known.
        if sent.is_none() && entries.is_empty() {
            return Ok(None);
        }
        Ok(Some(Mail::of(at, &id, sent, &entries)))
    }

    fn of(at: &AtServer<'_>, id: &str, sent: Option<Sent>, entries: &[Entry]) -> Mail {
        let (t, visit) = (at.visit.t(), at.visit);
        let way = Way::of(entries);
        let waits = sent.as_ref().map_or(WATCHED, |sent| visit.now.seconds() - sent.noted.0.seconds());
        let (kind, sentence) = match way {
            Way::Webhook(_, false) => ("send", t.test_mail_delivered()),
            Way::Webhook(_, true) => ("risky", t.test_mail_bounced()),
            Way::Asked(..) => ("risky", t.test_mail_by_hand()),
            Way::Nothing if waits >= LATE => ("risky", t.test_mail_late()),
            Way::Nothing => ("risky", t.test_mail_waits()),
        };
        let hop = |words: String, at: Timestamp| Hop { words, at: visit.show(at) };
        let mut hops: Vec<Hop> =
            sent.map(|sent| hop(t.test_mail_hop_sent(), sent.taken)).into_iter().collect();
        if let Way::Webhook(entry, bounced) | Way::Asked(entry, bounced) = way {
            let reported = if bounced { t.test_mail_hop_bounced() } else { t.test_mail_hop_delivered() };
            hops.push(hop(reported, entry.time));
            let came = match way {
                Way::Asked(..) => t.test_mail_hop_asked(),
                _ => t.test_mail_hop_webhook(),
            };
            hops.push(hop(came, entry.received_at));
        }
        let is_proven = matches!(way, Way::Webhook(..));
        let truth = at.path("truth");
        let look = [
            [at.path("webhooks"), t.test_mail_look_webhooks()],
            [format!("{truth}#aside"), t.test_mail_look_aside()],
            [truth, t.test_mail_look_truth()],
        ];
        let is_late = !is_proven && (waits >= LATE || way != Way::Nothing);
        Mail {
            kind,
            sentence,
            hops,
            is_proven,
            is_watched: way == Way::Nothing && waits < WATCHED,
            look: look.into_iter().filter(|_| is_late).collect(),
            again: link(&at.path(super::TAIL), &[("message", Some(id.to_owned()))]),
            message: (!entries.is_empty()).then(|| at.path(&format!("messages/{}", segment(id)))),
        }
    }
}

/// A test mail, as it was noted.
struct Sent {
    id: String,
    /// When Postmark took it, by its clock.
    taken: Timestamp,
    /// When that was noted, by ours: how long one waits is not told by two clocks.
    noted: Timestamp,
}

/// The test mail of an id among those that were sent lately, or the last one.
async fn sent(at: &AtServer<'_>, wanted: Option<&str>) -> Result<Option<Sent>, Failed> {
    let audit: Audit = at.ask(at.get("audit").with("limit", Some(STEPS))).await?;
    let mut sent = audit.items.iter().filter(|step| step.what == "server.test_mail" && step.phase == "done");
    let found = sent.find_map(|step| {
        let id = step.after["message_id"].as_str().filter(|id| wanted.is_none_or(|wanted| wanted == *id))?;
        let at = step.after["sent_at"].as_str().and_then(|at| at.parse().ok());
        Some(Sent { id: id.to_owned(), taken: at.map_or(step.at, Timestamp), noted: step.at })
    });
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(measure: &str, source: &str, minute: u8) -> Entry {
        serde_json::from_value(json!({
            "time": format!("2026-11-25T08:{minute:02}:00Z"), "type": "Delivery", "measure": measure,
            "stream": "outbound", "source": source, "received_at": "2026-11-25T09:00:00Z",
            "event": "pQ2rS4tU6vW8xY0zA1bC3g", "facts": [], "details": {},
        }))
        .unwrap()
    }

    #[test]
    fn a_report_by_webhook_proves_the_way_and_one_that_was_asked_for_does_not() {
        let delivered = entry("delivered", "webhook", 1);
        let asked = entry("delivered", "reconcile", 1);
        let (bounced, opened) = (entry("bounce_soft", "webhook", 2), entry("open_first", "webhook", 3));
        for (entries, way) in [
            (vec![], Way::Nothing),
            (vec![opened.clone()], Way::Nothing),
            (vec![asked.clone()], Way::Asked(&asked, false)),
            (vec![asked.clone(), bounced.clone()], Way::Webhook(&bounced, true)),
            (vec![opened, bounced.clone(), delivered.clone()], Way::Webhook(&delivered, false)),
        ] {
            assert_eq!(Way::of(&entries), way);
        }
    }
}

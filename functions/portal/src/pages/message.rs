//! What happened to a message: to each of its recipients, and event by event, with what receiving servers said.

use super::content;
use super::happened::{Detail, NO_ID, Row, is_past, row};
use super::sent;
use super::shared::{link, number};
use crate::moment::Moment;
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{AtServer, Failed, Frame, segment};
use answers::{Entry, EntryWithRecipient, Events, Timestamp};
use askama::Template;
use http::StatusCode;
use std::collections::BTreeMap;

/// How many events are shown at once.
const A_PAGE: usize = 100;
/// How many are read at once to tell what became of each recipient, and how often at most.
const READ: [usize; 2] = [500, 8];
/// How many recipients are listed: Postmark takes 50 for a message.
const RECIPIENTS: usize = 200;
/// Measures that take back a delivery, and those that say that it may still come.
const BOUNCED: [&str; 4] = ["bounce_hard", "bounce_invalid", "bounce_soft", "bounce_block"];
const DELAYED: &str = "bounce_delay";

#[derive(Template)]
#[template(path = "of_message.html")]
struct MessagePage {
    t: Texts,
    frame: Frame,
    title: String,
    id: String,
    kind: &'static str,
    sentence: String,
    waits: bool,
    recipients: Vec<RecipientRow>,
    more: bool,
    /// Where Postmark is asked about it.
    at_postmark: String,
    /// Where its content is shown, to whoever may see it.
    content: Option<String>,
    rows: Vec<Row>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "no_message.html")]
struct NoMessagePage {
    t: Texts,
    frame: Frame,
    /// Whether one was looked for.
    is_missing: bool,
    problem: Option<String>,
    /// Where Postmark is asked about it.
    at_postmark: Option<String>,
}

/// What stands in the place of an id where a form asks for one.
const FIND: &str = "find";

/// What became of the message for a recipient.
struct RecipientRow {
    who: String,
    path: String,
    kind: &'static str,
    state: String,
    at: Option<Moment>,
    opened: Option<Moment>,
    clicks: String,
}

/// The same, as it is found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Found {
    who: Option<String>,
    delivered: Option<Timestamp>,
    bounced: Option<Timestamp>,
    complained: Option<Timestamp>,
    delayed: Option<Timestamp>,
    opened: Option<Timestamp>,
    clicks: i64,
}

/// What it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Waits,
    Delayed,
    Delivered,
    Bounced,
    BouncedBack,
    Complained,
}

impl Found {
    /// Takes in an event.
    fn add(&mut self, entry: &Entry) {
        let first = |here: &mut Option<Timestamp>| {
            *here = Some(here.map_or(entry.time, |at| at.min(entry.time)));
        };
        match entry.measure.as_str() {
            "delivered" => first(&mut self.delivered),
            "complaint" => first(&mut self.complained),
            DELAYED => first(&mut self.delayed),
            "open_first" | "open_repeat" => first(&mut self.opened),
            "click" => self.clicks += 1,
            measure if BOUNCED.contains(&measure) => first(&mut self.bounced),
            _ => {}
        }
    }

    fn state(&self) -> State {
        match (self.complained, self.bounced, self.delivered, self.delayed) {
            (Some(_), ..) => State::Complained,
            // A mail that bounced for now and was taken later is a delivery.
            (_, Some(bounced), Some(delivered), _) if bounced < delivered => State::Delivered,
            (_, Some(_), Some(_), _) => State::BouncedBack,
            (_, Some(_), None, _) => State::Bounced,
            (_, _, Some(_), _) => State::Delivered,
            (_, _, _, Some(_)) => State::Delayed,
            _ => State::Waits,
        }
    }

    fn since(&self) -> Option<Timestamp> {
        match self.state() {
            State::Complained => self.complained,
            State::Bounced | State::BouncedBack => self.bounced,
            State::Delivered => self.delivered,
            State::Delayed => self.delayed,
            State::Waits => None,
        }
    }
}

/// The page; of a form that asks for a message by its id, the way to it.
///
/// # Errors
/// The API's own.
pub(super) async fn page(at: &AtServer<'_>, id: &str) -> Result<Answer, Failed> {
    let asked = at.visit.request.asked();
    if let Some(wanted) = asked.text("id") {
        // What looks like an address leads nowhere: none may stand in a URL. And no segment has a slash in it.
        if wanted.contains(NO_ID) {
            return none(at, None, Some(at.visit.t().message_no_id()), StatusCode::BAD_REQUEST);
        }
        return Ok(respond::see(&at.path(&format!("messages/{}", segment(wanted)))));
    }
    if id == FIND {
        return none(at, None, None, StatusCode::OK);
    }
    if id.contains(NO_ID) {
        return none(at, None, Some(at.visit.t().message_no_id()), StatusCode::NOT_FOUND);
    }
    let cursor = asked.text("cursor").map(str::to_owned);
    let is_first = cursor.is_none();
    let listed = match read(at, id, A_PAGE, cursor).await {
        Ok(listed) => listed,
        // Of this server's messages it may be told that nothing is known of one: that says nothing about other servers.
        Err(failed) if failed.status == StatusCode::NOT_FOUND => {
            return none(at, Some(sent::of_message(at, id)), None, StatusCode::NOT_FOUND);
        }
        Err(failed) => return Err(failed),
    };
    let mut all = if is_first { listed.items.clone() } else { Vec::new() };
    let mut behind = if is_first { listed.next.clone() } else { None };
    for _ in 0..READ[1] {
        let Some(cursor) = behind.take() else { break };
        let more = read(at, id, READ[0], Some(cursor)).await?;
        all.extend(more.items);
        behind = more.next;
    }
    all.retain(|item| is_past(at, item));
    shown(at, id, is_first, &all, listed, behind.is_some())
}

async fn read(at: &AtServer<'_>, id: &str, limit: usize, cursor: Option<String>) -> Result<Events, Failed> {
    at.ask(at.get(&format!("messages/{id}")).with("limit", Some(limit)).with("cursor", cursor)).await
}

fn none(
    at: &AtServer<'_>,
    at_postmark: Option<String>,
    problem: Option<String>,
    status: StatusCode,
) -> Result<Answer, Failed> {
    let (t, frame, is_missing) = (at.visit.t(), at.frame(), status != StatusCode::OK);
    respond::page(status, &NoMessagePage { t, frame, is_missing, problem, at_postmark })
}

fn shown(
    at: &AtServer<'_>,
    id: &str,
    is_first: bool,
    all: &[EntryWithRecipient],
    listed: Events,
    more: bool,
) -> Result<Answer, Failed> {
    let t = at.visit.t();
    let found = found(all);
    let (kind, sentence) = sentence(t, &found);
    let here = at.path(&format!("messages/{}", segment(id)));
    let subject = all.iter().chain(&listed.items).find_map(|item| item.entry.details.subject.clone());
    let subject = subject.map(|subject| t.message_about(super::happened::short(&subject, 120)));
    let page = MessagePage {
        t,
        frame: at.frame(),
        title: subject.unwrap_or_else(|| t.message_title()),
        id: id.to_owned(),
        kind: if is_first { kind } else { "" },
        sentence,
        at_postmark: sent::of_message(at, id),
        content: content::of_message(at, id),
        waits: is_first && found.values().all(|found| found.state() <= State::Delayed),
        more: more || found.len() > RECIPIENTS,
        recipients: found.iter().take(RECIPIENTS).map(|(id, found)| recipient(at, id, found)).collect(),
        rows: listed
            .items
            .iter()
            .filter(|item| is_past(at, item))
            .map(|item| row(at, item, Detail::Whole))
            .collect(),
        next: listed.next.map(|cursor| link(&here, &[("cursor", Some(cursor))])),
    };
    respond::page(StatusCode::OK, &page)
}

fn found(all: &[EntryWithRecipient]) -> BTreeMap<String, Found> {
    let mut found = BTreeMap::<String, Found>::new();
    for item in all {
        let here = found.entry(item.recipient.recipient_id.to_string()).or_default();
        here.who = here.who.take().or_else(|| item.recipient.address.clone());
        here.add(&item.entry);
    }
    found
}

fn recipient(at: &AtServer<'_>, id: &str, found: &Found) -> RecipientRow {
    let (t, state) = (at.visit.t(), found.state());
    RecipientRow {
        who: found.who.clone().unwrap_or_else(|| t.recipient_unnamed()),
        path: at.path(&format!("recipients/{id}")),
        kind: kind(state),
        state: match state {
            State::Waits => t.message_state_waits(),
            State::Delayed => t.message_state_delayed(),
            State::Delivered => t.message_state_delivered(),
            State::Bounced => t.message_state_bounced(),
            State::BouncedBack => t.message_state_back(),
            State::Complained => t.message_state_complained(),
        },
        at: found.since().map(|since| at.visit.show(since)),
        opened: found.opened.map(|opened| at.visit.show(opened)),
        clicks: number(found.clicks),
    }
}

/// The name of a state in the style.
fn kind(state: State) -> &'static str {
    match state {
        State::Delivered => "send",
        State::Waits | State::Delayed => "risky",
        State::Bounced | State::BouncedBack | State::Complained => "stop",
    }
}

/// What became of it, in one sentence, and how that is drawn.
fn sentence(t: Texts, found: &BTreeMap<String, Found>) -> (&'static str, String) {
    let all = found.len();
    let are = |state: &dyn Fn(State) -> bool| found.values().filter(|one| state(one.state())).count();
    let bounced = are(&|state| matches!(state, State::Bounced | State::BouncedBack));
    let delivered = are(&|state| state == State::Delivered);
    if are(&|state| state == State::Complained) > 0 {
        ("stop", t.message_complained())
    } else if bounced == all && all > 0 {
        ("stop", t.message_bounced_all())
    } else if bounced > 0 {
        ("stop", t.message_bounced_some(number(bounced), number(all)))
    } else if delivered == all && all > 0 {
        ("send", t.message_delivered_all())
    } else if delivered > 0 {
        ("risky", t.message_delivered_some(number(delivered), number(all)))
    } else {
        ("risky", t.message_waits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(recipient: char, measure: &str, minute: u8) -> EntryWithRecipient {
        serde_json::from_value(json!({
            "time": format!("2026-11-25T08:{minute:02}:00Z"), "type": "Delivery", "measure": measure,
            "stream": "outbound", "source": "webhook", "received_at": "2026-11-25T09:00:00Z",
            "event": "pQ2rS4tU6vW8xY0zA1bC3g", "facts": [], "details": {},
            "recipient": { "recipient_id": format!("{}A", recipient.to_string().repeat(21)) },
        }))
        .unwrap()
    }

    fn told(events: &[(char, &str, u8)]) -> (&'static str, String) {
        let events: Vec<_> = events.iter().map(|(whom, measure, at)| event(*whom, measure, *at)).collect();
        sentence(Texts::default(), &found(&events))
    }

    #[test]
    fn what_became_of_it_is_told_in_one_sentence() {
        let t = Texts::default();
        for (events, kind, words) in [
            (&[][..], "risky", t.message_waits()),
            (&[('a', "open_first", 1)], "risky", t.message_waits()),
            (&[('a', "bounce_delay", 1)], "risky", t.message_waits()),
            (&[('a', "delivered", 1), ('b', "delivered", 1)], "send", t.message_delivered_all()),
            (&[('a', "delivered", 1), ('b', "click", 1)], "risky", t.message_delivered_some(1, 2)),
            (&[('a', "bounce_hard", 1)], "stop", t.message_bounced_all()),
            (&[('a', "delivered", 1), ('a', "bounce_soft", 2)], "stop", t.message_bounced_all()),
            (&[('a', "bounce_soft", 1), ('a', "delivered", 2)], "send", t.message_delivered_all()),
            (&[('a', "bounce_hard", 1), ('b', "delivered", 2)], "stop", t.message_bounced_some(1, 2)),
            (&[('a', "delivered", 1), ('a', "complaint", 2)], "stop", t.message_complained()),
        ] {
            assert_eq!(told(events), (kind, words), "{events:?}");
        }
    }

    #[test]
    fn each_recipient_has_its_own_state_and_the_first_of_each_time() {
        let events = [
            event('a', "delivered", 1),
            event('a', "bounce_block", 3),
            event('b', "delivered", 2),
            event('b', "open_repeat", 9),
            event('b', "open_first", 5),
            event('b', "open_first_machine", 3),
            event('b', "click", 6),
            event('b', "click_machine", 6),
        ];
        let found = found(&events);
        let states: Vec<State> = found.values().map(Found::state).collect();
        assert_eq!(states, [State::BouncedBack, State::Delivered]);
        let second = found.values().nth(1).unwrap();
        assert_eq!((second.opened, second.clicks), (Some(events[4].entry.time), 1));
        assert_eq!(second.since(), Some(events[2].entry.time));
    }
}

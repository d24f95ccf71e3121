//! `make sim` in small over real HTTP both ways: the simulator's binary tells the deployed doors of some thousands of
//! events, the command line connects it, and the deployed functions watch and reconcile. Then all is compared.

use crate::scheduled::Postmark;
use ledger::event::Cause;
use ledger::{Event, Kind, LedgerKey, RecipientId, recipient_key};
use postledger_tests::command::text;
use postledger_tests::deployed::Deployed;
use postledger_tests::server_id;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use store::{RecipientItem, Scan as _};

/// How many messages are sent: two events each, about.
const MESSAGES: usize = 1_500;
/// How many are sent in one call.
const BATCH: usize = 100;
/// Before how many days it begins.
const DAYS: i64 = 3;
/// What becomes of mail, by words in the address; the first is the most frequent.
const OUTCOMES: [&str; 12] = [
    "delivered.open2.click1",
    "delivered",
    "delivered.mopen1.open1",
    "hard",
    "soft",
    "transient.open1",
    "delivered.complaint",
    "delivered.unsubscribe",
    "blocked",
    "delivered.asyncbounce",
    "delivered.autoresponder",
    "softdeactivates",
];

/// A recipient: most get mail again and again.
fn address(number: usize) -> String {
    let weight = number * 7 % 40;
    let outcome = OUTCOMES[if weight < 24 { weight % 3 } else { weight % OUTCOMES.len() }];
    format!("person{}+{outcome}@customer.example", number * 31 % 400)
}

/// An event that happened, as the simulator tells it.
struct Happened(Value);

impl Happened {
    fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap_or_default()
    }

    fn taken(&self) -> bool {
        self.0["webhooks"]["accepted"].as_u64().unwrap() > 0
    }

    /// Only webhooks tell of repeated opens; Postmark keeps the list, not its changes.
    fn unrecoverable(&self) -> bool {
        self.text("record") == "SubscriptionChange" || self.0["first"] == false
    }

    /// Whether a recorded event may be its copy.
    fn is(&self, event: &Event) -> bool {
        let at: ledger::Time = self.text("at").parse().unwrap();
        let near = (at.micros() - event.at.micros()).abs() <= 1_000_000;
        let message = event.message_id.as_deref();
        near && message.is_none_or(|message| message == self.text("message"))
    }
}

#[test]
fn thousands_of_events_over_real_http_are_recorded_once_and_what_was_never_told_is_fetched() {
    let postmark = Postmark::days_ago(DAYS);
    let (server, at) = (postmark.server.to_string(), format!("PostmarkUrl={}", postmark.url));
    let stack = Deployed::with("month", &[&at]);
    let asked = ["--server", &server, "--postmark", &postmark.url];
    for command in [["server", "add"], ["connect", "--yes"]] {
        let done = stack.ask_with(&[&command[..], &asked[..]].concat(), postmark.token.as_bytes());
        assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
    }
    let id = server_id(postmark.server);
    let since = platform::now().plus_days(-DAYS - 1);
    let registry = account::Registry(&stack.store);
    stack.block(registry.update(id, |entry| entry.added_at = since)).unwrap();

    let batches: Vec<usize> = (0..MESSAGES).step_by(BATCH).collect();
    for (nth, first) in batches.iter().enumerate() {
        let messages: Vec<Value> = (*first..first + BATCH).map(message).collect();
        postmark.call("POST", "/email/batch", &Value::Array(messages));
        let left = DAYS * 24 * 60 - 60;
        let step = left * (nth as i64 + 1) / batches.len() as i64;
        if nth == batches.len() / 2 {
            go_wrong(&postmark);
        }
        if nth == batches.len() * 2 / 3 {
            stack.invoke("watch", &json!({})).unwrap();
            let again = stack.ask(&[&["connect", "--yes"], &asked[..]].concat());
            assert!(again.status.success(), "{}{}", text(&again.stdout), text(&again.stderr));
        }
        postmark.advance_to_minutes_ago(DAYS * 24 * 60 - step);
    }
    postmark.advance_to_minutes_ago(20);
    stack.settled();
    for _ in 0..2 {
        assert_eq!(stack.invoke("reconcile", &json!({})).unwrap(), json!({ "servers": 1, "done": 1 }));
        stack.settled();
    }
    let all = ["--from", &since.to_string()];
    let whole = stack.ask(&[&["reconcile"], &asked[..], &all[..]].concat());
    assert!(whole.status.success(), "{}{}", text(&whole.stdout), text(&whole.stderr));
    stack.settled();

    let truth = postmark.call("GET", "/simulator/truth", &Value::Null);
    let truth: Vec<Happened> =
        truth.lines().map(|line| Happened(serde_json::from_str(line).unwrap())).collect();
    assert!(truth.len() > 2 * MESSAGES, "{} events", truth.len());
    compare_events(&stack, id, &truth);
    compare_lists(&stack, id, &postmark);
}

fn message(number: usize) -> Value {
    json!({
        "From": "a@sender.example", "To": address(number), "Subject": "Hello",
        "HtmlBody": "<a href=\"https://shop.example/a\">A</a>", "TrackOpens": true, "TrackLinks": "HtmlOnly",
        "MessageStream": if number.is_multiple_of(3) { "broadcast" } else { "outbound" },
    })
}

/// A trigger is paused, and a webhook deleted.
fn go_wrong(postmark: &Postmark) {
    let webhooks: Value = serde_json::from_str(&postmark.call("GET", "/webhooks", &Value::Null)).unwrap();
    let of = |stream: &str, trigger: &str| {
        let rows = webhooks["Webhooks"].as_array().unwrap().iter();
        let mut rows = rows.filter(|row| row["MessageStream"] == stream);
        rows.find(|row| row["Triggers"][trigger]["Enabled"] == true).unwrap()["ID"].clone()
    };
    let pause = format!("/simulator/pause?webhook={}&trigger=Delivery", of("outbound", "Delivery"));
    postmark.call("POST", &pause, &Value::Null);
    for (stream, trigger) in
        [("outbound", "Bounce"), ("broadcast", "Open"), ("broadcast", "SubscriptionChange")]
    {
        postmark.call("DELETE", &format!("/webhooks/{}", of(stream, trigger)), &Value::Null);
    }
}

/// Every event that was taken is recorded once, and every other one was fetched, or cannot be.
fn compare_events(stack: &Deployed, id: ledger::ServerId, truth: &[Happened]) {
    let key = LedgerKey::for_tests();
    let mut recorded: BTreeMap<(RecipientId, Kind, String), Vec<Event>> = BTreeMap::new();
    let mut after = None;
    loop {
        let page = stack.block(stack.store.scan_events(id, after)).unwrap();
        for one in page.items {
            let event = one.event;
            let of = (event.recipient, event.kind(), event.stream.clone());
            recorded.entry(of).or_default().push(event);
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let (mut offered, mut lost, mut recovered, mut unrecoverable, mut unexplained) = (0, 0, 0, 0, Vec::new());
    for happened in truth {
        let recipient = key.recipient_id(id, &recipient_key(happened.text("recipient")));
        let kind = Kind::named(happened.text("record")).unwrap();
        let copies = recorded.entry((recipient, kind, happened.text("stream").to_owned())).or_default();
        let place = copies.iter().position(|event| happened.is(event));
        let copy = place.map(|place| copies.swap_remove(place));
        match (happened.taken(), copy) {
            (true, copy) => {
                offered += 1;
                lost += usize::from(copy.is_none());
            }
            (false, Some(_)) => recovered += 1,
            (false, None) if happened.unrecoverable() => unrecoverable += 1,
            (false, None) => unexplained.push(happened.0.to_string()),
        }
    }
    let observed = |((_, kind, _), _): &(&(RecipientId, Kind, String), &Vec<Event>)| *kind != Kind::Observed;
    let doubled: usize = recorded.iter().filter(observed).map(|(_, events)| events.len()).sum();
    let line = format!(
        "offered {offered}, lost {lost}, doubled {doubled}, recovered {recovered}, unrecoverable {unrecoverable}, \
         unexplained {unexplained:?}"
    );
    assert_eq!((lost, doubled, unexplained.len()), (0, 0, 0), "{line}");
    assert!(offered > MESSAGES && recovered > 100 && unrecoverable > 0, "{line}");
}

/// Who is on Postmark's lists is on ours, for its cause, and nobody else.
fn compare_lists(stack: &Deployed, id: ledger::ServerId, postmark: &Postmark) {
    let key = LedgerKey::for_tests();
    let told = postmark.call("GET", "/simulator/suppressions", &Value::Null);
    let mut theirs: BTreeMap<(String, RecipientId), Cause> = BTreeMap::new();
    for line in told.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let recipient = key.recipient_id(id, &recipient_key(row["address"].as_str().unwrap()));
        let cause = Cause::told(row["reason"].as_str(), row["origin"].as_str());
        theirs.insert((row["stream"].as_str().unwrap().to_owned(), recipient), cause);
    }
    assert!(theirs.len() > 20, "{} rows", theirs.len());
    let mut ours: BTreeMap<(String, RecipientId), BTreeSet<Cause>> = BTreeMap::new();
    let mut after = None;
    loop {
        let page = stack.block(stack.store.scan_recipients(id, after)).unwrap();
        for held in page.items {
            let RecipientItem::View(view) = held else { continue };
            for (stream, of_stream) in &view.streams {
                let causes: BTreeSet<Cause> = of_stream.live_causes().map(|(cause, _)| cause).collect();
                if !causes.is_empty() {
                    ours.insert((stream.clone(), view.recipient), causes);
                }
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(theirs.keys().collect::<Vec<_>>(), ours.keys().collect::<Vec<_>>());
    for (of, cause) in theirs {
        assert!(ours[&of].contains(&cause), "{of:?}: {cause:?} is not among {:?}", ours[&of]);
    }
}

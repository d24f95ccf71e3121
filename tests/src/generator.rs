//! A made-up Postmark: events by number, each with copies that differ in what Postmark may vary, and poison.
//!
//! A telling is a function of the seed, the event's number and the copy's, so a million of them need no memory
//! and one order can be compared with another.

use fastrand::Rng;
use ledger::{Source, Time};
use serde_json::{Map, Value, json};

/// One telling of an event, or poison.
#[derive(Clone, Debug)]
pub struct Telling {
    /// The server of the credential.
    pub server: i64,
    /// The last segment of the URL.
    pub segment: &'static str,
    /// Who tells it: webhooks go through the door, all others straight to the queue.
    pub source: Source,
    /// The body.
    pub body: Vec<u8>,
}

/// Makes tellings.
#[derive(Clone, Copy, Debug)]
pub struct Generator {
    /// What makes it differ from another.
    pub seed: u64,
    /// How many events there are.
    pub events: u64,
    /// Before when everything happened.
    pub now: Time,
}

/// The servers that everything happens at.
pub const SERVERS: [i64; 3] = [8_123_456, 8_123_457, 9_000_001];
const STREAMS: [&str; 3] = ["outbound", "broadcast", "receipts"];
/// Of how many events one is poison.
const POISON_ONE_IN: u64 = 200;
/// How many events one recipient has, about.
const EVENTS_PER_RECIPIENT: u64 = 20;

impl Generator {
    /// A copy of an event: 0 is the first telling, others repeat it, byte-equal or varied.
    pub fn telling(&self, event: u64, copy: u8) -> Telling {
        let mut rng = Rng::with_seed(self.seed ^ event.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut variation = Rng::with_seed(rng.u64(..) ^ u64::from(copy));
        let server = SERVERS[rng.usize(..SERVERS.len())];
        if rng.u64(..POISON_ONE_IN) == 0 {
            return Telling {
                server,
                segment: "events",
                source: Source::Webhook,
                body: poison(&mut rng, server, self.now),
            };
        }
        let number = rng.u64(..self.events.div_ceil(EVENTS_PER_RECIPIENT).max(1));
        let spelling = if copy > 0 && variation.bool() { "Person" } else { "person" };
        let domain = ["customer.example", "b\u{fc}cher.example"][(number % 2) as usize];
        let address = format!("{spelling}{number}+tag@{domain}");
        let stream = STREAMS[rng.usize(..STREAMS.len())];
        let message = format!("00000000-0000-4000-8000-{:012}", rng.u64(..self.events));
        // Microseconds that a seventh digit follows.
        let at = self.now.plus_seconds(-rng.i64(60..30 * 86_400)).micros() + rng.i64(0..1_000_000);
        let at = Time::from_micros(at);
        let varied = copy > 0 && copy.is_multiple_of(2);
        let exact = time(at, varied && variation.bool());
        // Where the time is no part of identity, another source may round it.
        let loose = if varied {
            time(Time::from_micros(at.micros() / 1_000_000 * 1_000_000), false)
        } else {
            exact.clone()
        };
        let id = 1_000_000 + event as i64;
        let (segment, mut body) = match rng.u8(..100) {
            0..40 => (
                "delivery",
                json!({ "RecordType": "Delivery", "MessageID": message, "Recipient": address,
                "DeliveredAt": loose, "Details": "smtp;250 2.0.0 OK" }),
            ),
            40..60 => {
                let first = rng.bool();
                let agent = ["Mozilla/5.0", "Mozilla/5.0 (X11) Firefox/143.0"][rng.usize(..2)];
                let at = if first { loose } else { exact };
                (
                    "open",
                    json!({ "RecordType": "Open", "MessageID": message, "Recipient": address,
                    "FirstOpen": first, "ReceivedAt": at, "UserAgent": agent, "Geo": { "IP": "203.0.113.9" } }),
                )
            }
            60..70 => (
                "click",
                json!({ "RecordType": "Click", "MessageID": message, "Recipient": address,
                "OriginalLink": format!("https://sender.example/{}", rng.u8(..4)), "ReceivedAt": loose }),
            ),
            70..84 => {
                let kind = ["HardBounce", "SoftBounce", "SoftBounce", "Transient", "Blocked", "NewType"]
                    [rng.usize(..6)];
                // Postmark's list says today's, not that day's.
                let inactive = kind == "HardBounce" && !(varied && variation.bool());
                (
                    "bounce",
                    json!({ "RecordType": "Bounce", "ID": id, "Type": kind, "MessageID": message,
                    "Email": address, "BouncedAt": loose, "Inactive": inactive }),
                )
            }
            84..87 => (
                "spam-complaint",
                json!({ "RecordType": "SpamComplaint", "ID": id, "Type": "SpamComplaint",
                "MessageID": message, "Email": address, "BouncedAt": loose, "Inactive": true }),
            ),
            87..98 => {
                let suppress = rng.u8(..3) > 0;
                let reason =
                    [json!("HardBounce"), json!("ManualSuppression"), json!("SpamComplaint"), Value::Null]
                        [if suppress { rng.usize(..3) } else { 3 }]
                    .clone();
                let origin = ["Recipient", "Customer", "Admin"][rng.usize(..3)];
                let message = if suppress { json!(message) } else { Value::Null };
                (
                    "subscription-change",
                    json!({ "RecordType": "SubscriptionChange", "MessageID": message,
                    "Recipient": address, "ChangedAt": exact, "SuppressSending": suppress, "Origin": origin,
                    "SuppressionReason": reason }),
                )
            }
            98 => {
                let present = rng.bool();
                let cause = if present { json!("hard_bounce") } else { Value::Null };
                (
                    "observed",
                    json!({ "RecordType": "Observed", "Recipient": address, "Present": present,
                    "Cause": cause, "ObservedAt": exact }),
                )
            }
            _ => {
                let ruling = ["suppress", "allow"][rng.usize(..2)];
                let id = ledger::Identity::of(
                    ledger::ServerId::NONE,
                    NOBODY.recipient_id(ledger::ServerId::NONE, ""),
                    at,
                    &ledger::identity::IdentityParts::BounceById { id },
                );
                (
                    "decision",
                    json!({ "RecordType": "Decision", "ID": id.to_string(), "Recipient": address,
                    "Ruling": ruling, "DecidedAt": exact, "Reason": "soak", "Actor": "soak" }),
                )
            }
        };
        let fields = body.as_object_mut().expect("an object");
        fields.insert("MessageStream".to_owned(), json!(stream));
        if !matches!(segment, "open" | "click") {
            let name = if varied && variation.bool() { "ServerId" } else { "ServerID" };
            fields.insert(name.to_owned(), json!(server));
        }
        if varied {
            vary(fields, &mut variation);
        }
        let source = match segment {
            "observed" => Source::Reconcile,
            "decision" => Source::Operator,
            // A bounce, delivery or complaint may also be read from Postmark's API, even before its webhook.
            "bounce" | "delivery" | "spam-complaint" if varied && variation.u8(..4) == 0 => Source::Reconcile,
            _ => Source::Webhook,
        };
        let body = if varied && variation.bool() {
            serde_json::to_vec_pretty(&body)
        } else {
            serde_json::to_vec(&body)
        };
        Telling { server, segment, source, body: body.expect("JSON") }
    }

    /// All tellings, by event and copy: each event once, and one in `duplicate_one_in` of them up to twice more.
    pub fn order(&self, duplicate_one_in: u64) -> Vec<(u64, u8)> {
        let mut rng = Rng::with_seed(self.seed);
        let mut order: Vec<(u64, u8)> = (0..self.events).map(|event| (event, 0)).collect();
        for event in 0..self.events {
            if rng.u64(..duplicate_one_in) == 0 {
                order.push((event, rng.u8(1..=2)));
            }
        }
        rng.shuffle(&mut order);
        order
    }
}

/// Makes ids that only have to differ.
static NOBODY: std::sync::LazyLock<ledger::LedgerKey> =
    std::sync::LazyLock::new(ledger::LedgerKey::for_tests);

/// A time as Postmark writes it: with seven digits and `Z`, or with six and an offset.
fn time(at: Time, offset: bool) -> String {
    let text = at.to_string();
    let digits = text.trim_end_matches('Z');
    if offset {
        let shifted = at.plus_seconds(-4 * 3_600).to_string();
        format!("{}-04:00", shifted.trim_end_matches('Z'))
    } else {
        format!("{digits}7Z")
    }
}

/// What Postmark may add, leave out or write otherwise.
fn vary(fields: &mut Map<String, Value>, rng: &mut Rng) {
    let tag = [json!(""), Value::Null, json!("welcome")][rng.usize(..3)].clone();
    fields.insert("Tag".to_owned(), tag);
    fields.insert("Metadata".to_owned(), [json!({}), json!({ "tenant": "t-1" })][rng.usize(..2)].clone());
    fields.insert("TypeCode".to_owned(), json!(rng.u32(..)));
    fields.insert("Brand".to_owned(), json!({ "new": [1, 2, "\u{ffff}\u{0}"] }));
    if rng.bool() && fields.get("MessageID") == Some(&Value::Null) {
        fields.insert("MessageID".to_owned(), json!("00000000-0000-0000-0000-000000000000"));
    }
}

/// Bodies that must be set aside.
fn poison(rng: &mut Rng, server: i64, now: Time) -> Vec<u8> {
    let n = rng.u64(..);
    let bounce = |extra: Value| {
        let mut body = json!({ "RecordType": "Bounce", "ID": n >> 2, "Type": "HardBounce", "ServerID": server,
            "Email": "poison@customer.example", "BouncedAt": now.plus_seconds(-60).to_string(), "Inactive": true });
        if let (Value::Object(body), Value::Object(extra)) = (&mut body, extra) {
            body.extend(extra);
        }
        body.to_string().into_bytes()
    };
    match rng.u8(..9) {
        0 => format!("not json {n}").into_bytes(),
        1 => format!("[{n}]").into_bytes(),
        2 => format!("{{\"RecordType\":\"Bounce\",\"RecordType\":{n}}}").into_bytes(),
        3 => bounce(json!({ "Email": null })),
        4 => bounce(json!({ "BouncedAt": now.plus_days(2).to_string() })),
        5 => bounce(json!({ "ServerID": server + 100 })),
        6 => bounce(json!({ "RecordType": "Decision" })),
        7 => bounce(json!({ "ID": 42, "MessageID": "00000000-0000-0000-0000-000000000000", "Name": n })),
        _ => bounce(json!({ "MessageStream": "*" })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_telling_is_a_function_of_seed_event_and_copy() {
        let generator = Generator { seed: 1, events: 100, now: crate::now() };
        for (event, copy) in generator.order(2) {
            assert_eq!(generator.telling(event, copy).body, generator.telling(event, copy).body);
        }
    }
}

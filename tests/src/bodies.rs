//! Bodies and messages of the fixtures' server, made to order.

use crate::{SERVER, now, server_id};
use fastrand::Rng;
use ledger::{Source, Time};
use queue::{ENVELOPE_VERSION, Envelope, SetAside};
use serde_json::{Value, json};
use store::QuarantineStore;

/// An event as the door puts it on a queue.
///
/// # Panics
/// Where it is none.
pub fn envelope(source: Source, body: &Value) -> Envelope {
    envelope_at(source, body, now())
}

/// An event as the door puts it on a queue that takes it in at some time.
///
/// # Panics
/// Where it is none.
pub fn envelope_at(source: Source, body: &Value, received_at: Time) -> Envelope {
    let text = String::from_utf8(serde_json::to_vec(body).expect("a sound body")).expect("a sound body");
    let context =
        postmark::Context { server: server_id(SERVER), received_at, source, keep_engagement_detail: false };
    let examined = postmark::examine(text.as_bytes(), &context).expect("a sound body");
    Envelope {
        v: ENVELOPE_VERSION,
        server: context.server,
        generation: 1,
        key_id: "key".to_owned(),
        record_type: examined.kind,
        received_at: context.received_at,
        trace_id: None,
        retries_remaining: None,
        source,
        overridden: false,
        dropped: examined.dropped,
        erased: None,
        body: Envelope::raw(examined.canonical).expect("a sound body"),
    }
}

/// The message of an event.
pub fn message(source: Source, body: &Value) -> String {
    envelope(source, body).encode()
}

/// A delivery to one of five recipients.
pub fn delivery(n: usize, at: &str) -> Value {
    json!({ "RecordType": "Delivery", "MessageStream": "outbound", "ServerID": SERVER, "MessageID": format!("m{n}"),
        "Recipient": format!("r{}@customer.example", n % 5), "DeliveredAt": at, "Details": "" })
}

/// Sets a bounce aside that can be recorded; the key by which it is put back.
///
/// # Panics
/// Where the tables do not take it.
pub async fn set_aside(store: &dyn QuarantineStore, server: i64, n: usize) -> String {
    let whole = SetAside {
        server: server_id(server),
        generation: 1,
        key_id: "key".to_owned(),
        received_at: now(),
        source: Source::Webhook,
        reason: "not_committable".to_owned(),
        detail: "it was too large for one transaction".to_owned(),
        record_type: None,
        dropped: Vec::new(),
        erased: None,
        body: bounce(n, n, &now().plus_seconds(-60).to_string(), true)
            .to_string()
            .replace(&SERVER.to_string(), &server.to_string())
            .into_bytes(),
    };
    let part = whole.parts().remove(0);
    let key = part.key();
    store.quarantine(part, None).await.expect("the tables");
    key
}

/// A hard bounce of a recipient.
pub fn bounce(n: usize, recipient: usize, at: &str, inactive: bool) -> Value {
    json!({ "RecordType": "Bounce", "MessageStream": "outbound", "ServerID": SERVER, "ID": 100 + n,
        "Type": "HardBounce", "MessageID": format!("m{n}"), "Email": format!("r{recipient}@customer.example"),
        "BouncedAt": at, "Inactive": inactive })
}

/// A complaint of a recipient, under the id that the bounce of that number bears.
pub fn complaint(n: usize, recipient: usize, at: &str) -> Value {
    json!({ "RecordType": "SpamComplaint", "MessageStream": "outbound", "ServerID": SERVER, "ID": 100 + n,
        "Type": "SpamComplaint", "MessageID": format!("m{n}"), "Email": format!("r{recipient}@customer.example"),
        "BouncedAt": at, "Inactive": true })
}

/// A reactivation of a recipient.
pub fn lift(recipient: usize, at: &str) -> Value {
    json!({ "RecordType": "SubscriptionChange", "MessageStream": "outbound", "ServerID": SERVER, "MessageID": null,
        "Recipient": format!("r{recipient}@customer.example"), "ChangedAt": at, "SuppressSending": false,
        "Origin": "Customer", "SuppressionReason": null })
}

/// Messages like a fixture's, each of another mail to another person, all within an hour.
pub fn many_like(fixture: &Value, n: usize, rng: &mut Rng) -> Vec<String> {
    let one = |rng: &mut Rng| {
        let mut body = fixture.clone();
        let uuid: String =
            (0..36).map(|at| if [8, 13, 18, 23].contains(&at) { '-' } else { hex(rng) }).collect();
        body["MessageID"] = json!(uuid);
        let address = format!("{}.{}@customer.example", word(rng, 5), word(rng, 7));
        for name in ["Recipient", "Email"] {
            if body.get(name).is_some() {
                body[name] = json!(address);
            }
        }
        if body.get("ID").is_some() {
            body["ID"] = json!(rng.i64(100_000_000..10_000_000_000));
        }
        let at = now().plus_seconds(-7_200 + rng.i64(0..3_600)).to_string();
        let at = format!("{}.{:07}Z", &at[..19], rng.u32(..10_000_000));
        for name in ["DeliveredAt", "ReceivedAt", "BouncedAt", "ChangedAt"] {
            if body.get(name).is_some() {
                body[name] = json!(at);
            }
        }
        message(Source::Webhook, &body)
    };
    (0..n).map(|_| one(rng)).collect()
}

fn hex(rng: &mut Rng) -> char {
    char::from(b"0123456789abcdef"[rng.usize(..16)])
}

fn word(rng: &mut Rng, length: usize) -> String {
    (0..length).map(|_| rng.lowercase()).collect()
}

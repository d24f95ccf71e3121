//! The sample that `postledger run` posts: a few days of one server's mail, with what goes wrong in it.

use ledger::Time;
use serde_json::{Value, json};

/// One request of the sample: what it shows, and the body as it is sent.
pub struct Sent {
    /// What it shows.
    pub what: &'static str,
    /// The last segment of the URL.
    pub segment: &'static str,
    /// The body.
    pub body: String,
}

/// The sample's server.
pub const SERVER: i64 = 8_123_456;

/// The addresses of the sample, each with the stream to look at.
pub const LEDGER: [(&str, &str); 8] = [
    ("ida.moreau@customer.example", "outbound"),
    ("no.such.user@customer.example", "outbound"),
    ("annoyed@customer.example", "broadcast"),
    ("annoyed@customer.example", "outbound"),
    ("done.reading@customer.example", "broadcast"),
    ("back.again@customer.example", "outbound"),
    ("out.of.order@customer.example", "outbound"),
    ("full.mailbox@customer.example", "broadcast"),
];

/// The sample, as if it had happened in the days before `now`.
pub fn sample(server: i64, now: Time) -> Vec<Sent> {
    let ago = |hours: i64| now.plus_seconds(-3_600 * hours).to_string();
    let message = |n: u32| format!("5a3c9f00-0000-4000-8000-{n:012}");
    let sent = |what, segment, body: Value| Sent { what, segment, body: body.to_string() };
    let bounce = |id: i64, n: u32, stream: &str, kind: &str, email: &str, hours: i64, inactive: bool| {
        let said = match kind {
            "SoftBounce" => "smtp;452 4.2.2 The mailbox is full: sample",
            "SpamComplaint" => "",
            _ => "smtp;550 5.1.1 There is no such mailbox: sample",
        };
        json!({
            "RecordType": "Bounce", "MessageStream": stream, "ID": id, "Type": kind, "Name": kind,
            "TypeCode": 1, "Tag": "sample", "MessageID": message(n), "Metadata": {}, "ServerID": server,
            "Description": "", "Details": said, "Email": email,
            "From": "noreply@sender.example", "BouncedAt": ago(hours), "DumpAvailable": false,
            "Inactive": inactive, "CanActivate": true, "Subject": "A sample",
        })
    };
    // What changes a list happens a moment before that is told of.
    let change = |n: Option<u32>,
                  stream: &str,
                  email: &str,
                  hours: i64,
                  origin: &str,
                  reason: Option<&str>| {
        json!({
            "RecordType": "SubscriptionChange", "MessageID": n.map(message), "ServerID": server,
            "MessageStream": stream, "ChangedAt": now.plus_seconds(1 - 3_600 * hours).to_string(), "Recipient": email, "Origin": origin,
            "SuppressSending": reason.is_some(), "SuppressionReason": reason, "Tag": Value::Null, "Metadata": {},
        })
    };
    let delivery = json!({
        "RecordType": "Delivery", "MessageStream": "outbound", "ServerID": server, "MessageID": message(1),
        "Recipient": "ida.moreau@customer.example", "Tag": "invoice", "DeliveredAt": ago(50),
        "Details": "smtp;250 2.0.0 OK", "Metadata": { "order": "5531" },
    });
    let engagement = |kind: &str, extra: Value| {
        let mut body = json!({
            "RecordType": kind, "MessageStream": "outbound", "MessageID": message(1), "ReceivedAt": ago(49),
            "Recipient": "ida.moreau@customer.example", "Tag": "invoice", "Metadata": {}, "Platform": "WebMail",
            "Client": { "Name": "Chrome 140", "Family": "Chrome" }, "OS": {},
            "UserAgent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.7339.80 Safari/537.36",
            "Geo": { "CountryISOCode": "NL", "IP": "203.0.113.9" },
        });
        if let (Value::Object(body), Value::Object(extra)) = (&mut body, extra) {
            body.extend(extra);
        }
        body
    };
    let complaint = {
        let mut body = bounce(1003, 3, "broadcast", "SpamComplaint", "annoyed@customer.example", 30, true);
        body["RecordType"] = "SpamComplaint".into();
        body["CanActivate"] = false.into();
        body
    };
    let probe = json!({
        "RecordType": "Bounce", "MessageStream": "outbound", "ID": 42, "Type": "HardBounce", "TypeCode": 1,
        "Name": "Hard bounce", "Tag": "Test", "MessageID": "00000000-0000-0000-0000-000000000000",
        "ServerID": server, "Email": "john@example.com", "From": "sender@example.com",
        "BouncedAt": ago(0), "DumpAvailable": true, "Inactive": true, "CanActivate": true,
        "Details": "Test bounce details", "Metadata": { "example": "value", "example_2": "value" },
    });
    let (gone, back, late) =
        ("no.such.user@customer.example", "back.again@customer.example", "out.of.order@customer.example");
    let mut all = vec![
        sent("a delivery", "delivery", delivery.clone()),
        sent("the same delivery again", "delivery", delivery),
        sent("its first open", "open", engagement("Open", json!({ "FirstOpen": true, "ReadSeconds": 7 }))),
        sent(
            "a click",
            "click",
            engagement(
                "Click",
                json!({ "ClickLocation": "HTML", "OriginalLink": "https://sender.example/5531" }),
            ),
        ),
        sent("a hard bounce", "bounce", bounce(1002, 2, "outbound", "HardBounce", gone, 40, true)),
        sent(
            "what Postmark tells of it a second time",
            "subscription-change",
            change(Some(2), "outbound", gone, 40, "Recipient", Some("HardBounce")),
        ),
        sent("a spam complaint", "spam-complaint", complaint),
        sent(
            "what Postmark tells of it a second time",
            "subscription-change",
            change(Some(3), "broadcast", "annoyed@customer.example", 30, "Recipient", Some("SpamComplaint")),
        ),
        sent(
            "an unsubscribe from a broadcast",
            "subscription-change",
            change(
                Some(4),
                "broadcast",
                "done.reading@customer.example",
                20,
                "Recipient",
                Some("ManualSuppression"),
            ),
        ),
        sent(
            "a suppression by hand",
            "subscription-change",
            change(None, "outbound", back, 90, "Customer", Some("ManualSuppression")),
        ),
        sent(
            "its reactivation, without a MessageID",
            "subscription-change",
            change(None, "outbound", back, 60, "Customer", None),
        ),
        sent(
            "a reactivation that arrives first",
            "subscription-change",
            change(None, "outbound", late, 10, "Customer", None),
        ),
        sent(
            "the older suppression that arrives after it",
            "subscription-change",
            change(Some(5), "outbound", late, 12, "Customer", Some("ManualSuppression")),
        ),
    ];
    for n in 0..5 {
        let (id, hours) = (1010 + i64::from(n), 240 - 48 * i64::from(n));
        let body =
            bounce(id, 10 + n, "broadcast", "SoftBounce", "full.mailbox@customer.example", hours, false);
        all.push(sent("one of five soft bounces over eight days", "bounce", body));
    }
    all.push(sent("Postmark's verification probe", "bounce", probe));
    all.push(Sent {
        what: "a malformed body",
        segment: "bounce",
        body: "{\"RecordType\":\"Bounce\",".to_owned(),
    });
    all
}

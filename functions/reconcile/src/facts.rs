//! What Postmark's API tells, in the form of the webhook that told it or should have: the same names, so that both
//! have one identity and the rest of the way knows no difference.

use ledger::ServerId;
use serde_json::{Map, Value, json};

/// A row of the bounce list or of `/bounces/{id}`. Complaints stand there among the bounces, by their type.
pub(crate) fn bounce(server: ServerId, stream: &str, row: &Value) -> Value {
    let complaint = row["Type"].as_str() == Some("SpamComplaint");
    let record_type = if complaint { "SpamComplaint" } else { "Bounce" };
    told(server, stream, row, record_type)
}

/// A row of the list of opens, which holds each recipient's first only.
pub(crate) fn open(server: ServerId, stream: &str, row: &Value) -> Value {
    let mut body = told(server, stream, row, "Open");
    body["FirstOpen"] = json!(true);
    body
}

/// A row of the list of clicks, which holds the first of each link only.
pub(crate) fn click(server: ServerId, stream: &str, row: &Value) -> Value {
    told(server, stream, row, "Click")
}

/// One `Delivered` of a message's events.
pub(crate) fn delivery(server: ServerId, stream: &str, message: &Value, event: &Value) -> Value {
    json!({
        "RecordType": "Delivery",
        "ServerID": server.get(),
        "MessageStream": stream,
        "MessageID": message["MessageID"],
        "Recipient": event["Recipient"],
        "Tag": message["Tag"],
        "DeliveredAt": event["ReceivedAt"],
        "Details": event["Details"]["DeliveryMessage"].as_str().unwrap_or_default(),
        "Metadata": message["Metadata"].as_object().cloned().unwrap_or_default(),
    })
}

/// The row as it is, said to be of its type, server and stream: a row may leave out what the question named.
fn told(server: ServerId, stream: &str, row: &Value, record_type: &str) -> Value {
    let mut body: Map<String, Value> = row.as_object().cloned().unwrap_or_default();
    body.insert("RecordType".to_owned(), json!(record_type));
    body.insert("MessageStream".to_owned(), json!(stream));
    body.remove("ServerId");
    body.insert("ServerID".to_owned(), json!(server.get()));
    Value::Object(body)
}

/// The recipients of a row of the list of messages, each once: To, Cc and Bcc.
pub(crate) fn recipients(message: &Value) -> Vec<&str> {
    let listed = message["Recipients"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let named = ["To", "Cc", "Bcc"]
        .into_iter()
        .flat_map(|field| message[field].as_array().into_iter().flatten())
        .filter_map(|one| one["Email"].as_str());
    let mut all: Vec<&str> = listed.collect();
    if all.is_empty() {
        all = named.collect();
    }
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::{LedgerKey, Source, Time};
    use postmark::{Body, Context, event_of_body};

    fn server() -> ServerId {
        ServerId::new(8_123_456).unwrap()
    }

    /// The identity that a body has, whoever tells it.
    fn identity(body: &Value, source: Source) -> String {
        let received_at: Time = "2026-10-01T00:00:00Z".parse().unwrap();
        let context = Context { server: server(), received_at, source, keep_engagement_detail: false };
        let body = Body::parse(body.to_string().as_bytes()).unwrap();
        let (_, event) = event_of_body(body, &context, &LedgerKey::for_tests()).unwrap();
        event.identity.to_string()
    }

    /// What Postmark's API says differs in what it may: digits, offset, today's `Inactive`, what it leaves out.
    #[test]
    fn a_row_of_the_api_has_the_identity_of_its_webhook() {
        let message = "3f0c7f8e-52f5-4f0b-9a4e-5a4f8f0a9d11";
        let bounced = json!({ "ID": 9_007_199_254_740_997_i64, "Type": "HardBounce", "MessageID": message,
            "Email": "Ida@customer.example", "BouncedAt": "2026-09-21T04:14:11-04:00", "Inactive": false });
        let complained = json!({ "ID": 5, "Type": "SpamComplaint", "MessageID": message,
            "Email": "ida@customer.example", "BouncedAt": "2026-09-21T04:14:11-04:00" });
        let opened = json!({ "MessageID": message, "Recipient": "ida@customer.example", "UserAgent": "x",
            "ReceivedAt": "2026-09-21T05:01:33-04:00" });
        let clicked = json!({ "MessageID": message, "Recipient": "ida@customer.example", "OriginalLink": "https://a.example",
            "ReceivedAt": "2026-09-21T05:01:33-04:00" });
        let details = json!({ "MessageID": message, "Tag": null, "Metadata": null });
        let delivered = json!({ "Recipient": "ida@customer.example", "Type": "Delivered",
            "ReceivedAt": "2026-09-21T04:14:05-04:00", "Details": { "DeliveryMessage": "250 OK" } });
        let webhook = |record_type: &str, at: &str, extra: Value| {
            let mut body = json!({ "RecordType": record_type, "MessageStream": "outbound", "MessageID": message,
                "Recipient": "ida@customer.example", at: "2026-09-21T08:14:11.9070259Z" });
            body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            identity(&body, Source::Webhook)
        };
        let stream = "outbound";
        for (of_api, of_webhook) in [
            (
                bounce(server(), stream, &bounced),
                webhook(
                    "Bounce",
                    "BouncedAt",
                    json!({ "ID": 9_007_199_254_740_997_i64, "Type": "HardBounce", "Inactive": true }),
                ),
            ),
            (
                bounce(server(), stream, &complained),
                webhook("SpamComplaint", "BouncedAt", json!({ "ID": 5, "Type": "SpamComplaint" })),
            ),
            (open(server(), stream, &opened), webhook("Open", "ReceivedAt", json!({ "FirstOpen": true }))),
            (
                click(server(), stream, &clicked),
                webhook("Click", "ReceivedAt", json!({ "OriginalLink": "https://a.example" })),
            ),
            (delivery(server(), stream, &details, &delivered), webhook("Delivery", "DeliveredAt", json!({}))),
        ] {
            assert_eq!(identity(&of_api, Source::Reconcile), of_webhook, "{of_api}");
        }
    }

    #[test]
    fn a_message_names_its_recipients_once_each_however_it_names_them() {
        let listed = json!({ "Recipients": ["b@x.example", "a@x.example", "b@x.example"], "To": [] });
        assert_eq!(recipients(&listed), ["a@x.example", "b@x.example"]);
        let named = json!({ "To": [{ "Email": "a@x.example", "Name": null }], "Cc": [], "Bcc": [{ "Email": "c@x.example" }] });
        assert_eq!(recipients(&named), ["a@x.example", "c@x.example"]);
        assert!(recipients(&json!({})).is_empty());
    }
}

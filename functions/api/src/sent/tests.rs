//! What Postmark says it sent, over a Postmark that has two messages.

use crate::bench::{Bench, SERVER};
use crate::token::Role;
use account::Vault as _;
use http::{Method, Request, Response};
use ledger::{ServerId, Source};
use postmark_api::{Bytes, Chunks, Token, Transport, TransportError};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use store::Memory;
use store::prelude::*;

const KNOWN: &str = "883953f4-6105-42a2-a16a-77a8eac79483";
const WAITS: &str = "7dc0521c-a785-4c7b-b689-000000000003";
const LOST: &str = "7dc0521c-a785-4c7b-b689-000000000002";

/// Keeps what it was asked.
#[derive(Default)]
struct Sent(Mutex<Vec<String>>);

fn row(id: &str, at: &str, stream: &str) -> Value {
    json!({
        "MessageID": id, "ReceivedAt": at, "MessageStream": stream, "Status": "Sent", "Tag": "receipts", "Subject": "Your s3cret",
        "Recipients": ["ida@customer.example", "other@customer.example"], "From": "a@sender.example",
    })
}

#[async_trait::async_trait]
impl Transport for Sent {
    async fn call(&self, request: Request<Bytes>) -> Result<Response<Chunks>, TransportError> {
        self.0.lock().unwrap().push(request.uri().to_string());
        let token = request.headers()["X-Postmark-Server-Token"].to_str().unwrap_or_default().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let (status, told) = match request.uri().path() {
            _ if token == "refused" => (401, json!({ "ErrorCode": 10, "Message": "wrong" })),
            _ if token == "silent" => return Err(TransportError::TooSlow),
            "/message-streams" => {
                let stream = |id: &str, kind: &str| json!({ "ID": id, "MessageStreamType": kind });
                let streams = [
                    stream("outbound", "Transactional"),
                    stream("never-heard-of", "Broadcasts"),
                    stream("inbound", "Inbound"),
                ];
                (200, json!({ "MessageStreams": streams }))
            }
            "/messages/outbound"
                if query.contains("messagestream=outbound") && query.contains("status=queued") =>
            {
                (200, json!({ "TotalCount": 1, "Messages": [row(WAITS, "2026-11-25T06:00:00-05:00", "")] }))
            }
            "/messages/outbound" if query.contains("messagestream=outbound") => {
                let rows = [
                    row(LOST, "2026-11-25T05:00:00-05:00", "outbound"),
                    row(KNOWN, "2026-11-25T04:00:00-05:00", "outbound"),
                ];
                (200, json!({ "TotalCount": 70, "Messages": rows }))
            }
            "/messages/outbound" if query.contains("messagestream=never-heard-of") => {
                let mut other = row("of-somebody-else", "2026-11-25T06:00:00-05:00", "never-heard-of");
                other["Recipients"] = json!(["frida@customer.example"]);
                (200, json!({ "TotalCount": 1, "Messages": [other] }))
            }
            "/messages/outbound" => (422, json!({ "ErrorCode": 1226, "Message": "no such stream" })),
            path if path.contains(LOST) => {
                let mut told = row(LOST, "2026-11-25T05:00:00-05:00", "outbound");
                told["TextBody"] = json!("content-s3cret");
                told["MessageEvents"] = json!([
                    { "Recipient": "ida@customer.example", "Type": "Delivered", "ReceivedAt": "2026-11-25T05:00:02-05:00",
                        "Details": { "DeliveryMessage": "250 ok ida@customer.example" } },
                ]);
                (200, told)
            }
            _ => (422, json!({ "ErrorCode": 701, "Message": "This message was not found." })),
        };
        let body: Chunks = Box::pin(futures_util::stream::iter([Ok(Bytes::from(told.to_string()))]));
        Ok(Response::builder().status(status).body(body).unwrap())
    }
}

struct Asked {
    bench: Bench,
    postmark: Arc<Sent>,
    token: String,
}

impl Asked {
    async fn new(kept: Option<&str>, reveals: bool) -> Asked {
        let postmark = Arc::new(Sent::default());
        let bench = Bench::beside(Memory::default(), postmark.clone());
        let server = ServerId::new(SERVER).unwrap();
        // What a rule for the whole server leaves, and a stream that is archived.
        for stream in ["outbound", "*", "archived"] {
            bench.store.note_stream(server, stream).await.unwrap();
        }
        if let Some(kept) = kept {
            bench.vault.put(server, &Token::new(kept).unwrap()).await.unwrap();
        }
        let token = bench.token(Role::Viewer, Some(&[SERVER]), reveals).await;
        Asked { bench, postmark, token }
    }

    async fn get(&self, tail: &str) -> (u16, Value) {
        let told =
            self.bench.ask(&self.token, Method::GET, &format!("/v1/servers/{SERVER}/{tail}"), b"").await;
        (told.status(), told.json())
    }
}

#[tokio::test]
async fn mail_of_which_no_event_came_in_is_told_by_postmark_and_not_stored() {
    let asked = Asked::new(Some("good"), true).await;
    let body = json!({
        "RecordType": "Delivery", "MessageStream": "outbound", "ServerID": SERVER, "MessageID": KNOWN,
        "Recipient": "ida@customer.example", "DeliveredAt": "2026-11-25T09:00:01Z",
    });
    asked.bench.record(SERVER, body, Source::Webhook).await;
    let (status, told) = asked.get("recipients/Ida@customer.example/sent").await;
    assert_eq!((status, &told["truncated"]), (200, &json!(true)), "{told}");
    let items: Vec<_> = told["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["message_id"].as_str().unwrap(),
                one["recorded"].as_bool().unwrap(),
                one["sent_at"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        items,
        [
            (WAITS, false, "2026-11-25T11:00:00.000000Z"),
            (LOST, false, "2026-11-25T10:00:00.000000Z"),
            (KNOWN, true, "2026-11-25T09:00:00.000000Z")
        ]
    );
    assert_eq!(
        (&told["items"][1]["subject"], &told["items"][1]["status"]),
        (&json!("Your s3cret"), &json!("sent"))
    );
    assert_eq!(told["items"][0]["stream"], "outbound", "as it was asked for");
    let calls = asked.postmark.0.lock().unwrap().clone();
    assert_eq!(calls.len(), 5, "each stream of Postmark's, and what waits there: {calls:?}");
    assert_eq!(asked.get(&format!("messages/{LOST}")).await.0, 404, "it is in no ledger now, either");
    let (_, told) = asked.get("recipients/ida@customer.example/sent?stream=never-heard-of").await;
    assert_eq!(told["items"], json!([]), "mail to somebody else whose address ends alike is not hers");
    let (status, told) = asked.get("recipients/ida@customer.example/sent?stream=archived").await;
    assert_eq!((status, &told["type"]), (409, &json!("urn:postledger:problem:unusable")));
    assert_eq!(asked.get("recipients/ida@customer.example/sent?stream=outbuond").await.0, 404);
    // Whoever has deliveries only is known by an id, too.
    let (_, found) = asked.get("recipients/ida@customer.example").await;
    let id = found["recipient_id"].as_str().unwrap();
    let (status, told) = asked.get(&format!("recipients/id:{id}/sent")).await;
    assert_eq!((status, told["items"].as_array().unwrap().len()), (200, 3), "{told}");
}

#[tokio::test]
async fn a_message_is_told_with_what_happened_to_it_and_without_its_content() {
    let asked = Asked::new(Some("good"), true).await;
    let (status, told) = asked.get(&format!("messages/{}/postmark", LOST.to_uppercase())).await;
    assert_eq!((status, &told["message"]["recorded"]), (200, &json!(false)), "{told}");
    assert_eq!(
        told["events"],
        json!([{ "at": "2026-11-25T10:00:02.000000Z", "type": "Delivered", "address": "ida@customer.example",
            "said": "250 ok ida@customer.example" }])
    );
    assert!(!told.to_string().contains("content-s3cret"));
    let (status, told) = asked.get(&format!("messages/{KNOWN}/postmark")).await;
    assert_eq!((status, &told["type"]), (404, &json!("urn:postledger:problem:no-such-message")));
    for odd in ["..", "opens"] {
        assert_eq!(asked.get(&format!("messages/{odd}/postmark")).await.0, 400, "{odd}");
    }
}

#[tokio::test]
async fn whoever_may_not_see_addresses_sees_neither_subjects_nor_what_servers_said() {
    let asked = Asked::new(Some("good"), false).await;
    for tail in ["recipients/ida@customer.example/sent".to_owned(), format!("messages/{LOST}/postmark")] {
        let (status, told) = asked.get(&tail).await;
        let told = told.to_string();
        assert!(status == 200 && !told.contains("s3cret") && !told.contains("250 ok"), "{told}");
        assert!(!told.contains("ida@") && !told.contains("other@"), "{told}");
    }
}

#[tokio::test]
async fn why_postmark_cannot_be_asked_is_said() {
    for (kept, status, code) in [
        (None, 409, "no-postmark-token"),
        (Some("refused"), 409, "token-not-accepted"),
        (Some("silent"), 503, "postmark-unavailable"),
    ] {
        let asked = Asked::new(kept, true).await;
        for tail in ["recipients/ida@customer.example/sent".to_owned(), format!("messages/{LOST}/postmark")] {
            let (found, told) = asked.get(&tail).await;
            let expected = json!(format!("urn:postledger:problem:{code}"));
            assert_eq!((found, &told["type"]), (status, &expected), "{tail}: {told}");
        }
    }
    let asked = Asked::new(Some("good"), true).await;
    assert_eq!(asked.get("recipients/nobody/sent").await.0, 400);
}

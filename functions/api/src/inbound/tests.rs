//! Mail that came in, over a Postmark that has one of each status.

use crate::bench::{Bench, SERVER};
use crate::token::Role;
use account::Vault as _;
use http::{Method, Request, Response};
use ledger::ServerId;
use postmark_api::{Bytes, Chunks, Token, Transport, TransportError};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use store::prelude::*;
use store::{Collection, Memory};

/// Keeps what it was asked.
#[derive(Default)]
struct CameIn(Mutex<Vec<String>>);

fn row(status: &str) -> Value {
    json!({
        "MessageID": format!("id-{status}"), "Status": status, "Date": "Mon, 21 Sep 2026 10:14:05 +0200",
        "From": "ida@customer.example", "FromFull": { "Email": "ida@customer.example", "Name": "Ida" },
        "To": "\"Help\" <hash@inbound.postmarkapp.com>", "OriginalRecipient": "help@client.example", "Subject": "My s3cret",
    })
}

#[async_trait::async_trait]
impl Transport for CameIn {
    async fn call(&self, request: Request<Bytes>) -> Result<Response<Chunks>, TransportError> {
        self.0.lock().unwrap().push(request.uri().to_string());
        let token = request.headers()["X-Postmark-Server-Token"].to_str().unwrap_or_default().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let all = ["Processed", "Blocked", "Failed", "Scheduled", "Queued"];
        let (status, told) = match request.uri().path() {
            _ if token == "refused" => (401, json!({ "ErrorCode": 10, "Message": "wrong" })),
            _ if token == "silent" => return Err(TransportError::TooSlow),
            "/messages/inbound" => {
                let rows: Vec<Value> = all
                    .into_iter()
                    .filter(|one| !query.contains("status=") || query.contains(&one.to_lowercase()))
                    .map(row)
                    .collect();
                (200, json!({ "TotalCount": "70", "InboundMessages": rows }))
            }
            "/messages/inbound/id-Blocked/details" => {
                let mut told = row("Blocked");
                told["BlockedReason"] = json!("Blocked by rule s3cret@evil.example");
                told["TextBody"] = json!("c0ntent");
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
    postmark: Arc<CameIn>,
    token: String,
}

impl Asked {
    async fn new(kept: Option<&str>, reveals: bool) -> Asked {
        let postmark = Arc::new(CameIn::default());
        let bench = Bench::beside(Memory::default(), postmark.clone());
        if let Some(kept) = kept {
            bench.vault.put(ServerId::new(SERVER).unwrap(), &Token::new(kept).unwrap()).await.unwrap();
        }
        let token = bench.token(Role::Viewer, Some(&[SERVER]), reveals).await;
        Asked { bench, postmark, token }
    }

    async fn get(&self, server: i64, query: &str) -> (u16, Value) {
        let path = format!("/v1/servers/{server}/inbound{query}");
        let told = self.bench.ask(&self.token, Method::GET, &path, b"").await;
        (told.status(), told.json())
    }
}

#[tokio::test]
async fn mail_that_came_in_is_told_with_why_it_was_not_taken_and_without_its_content() {
    let asked = Asked::new(Some("good"), true).await;
    let (status, told) = asked.get(SERVER, "").await;
    assert_eq!((status, &told["truncated"], told["items"].as_array().unwrap().len()), (200, &json!(true), 5));
    assert_eq!(
        told["items"][1],
        json!({
            "message_id": "id-Blocked", "date": "Mon, 21 Sep 2026 10:14:05 +0200", "from": "ida@customer.example",
            "to": "help@client.example", "subject": "My s3cret", "status": "blocked",
            "reason": "Blocked by rule s3cret@evil.example",
        })
    );
    assert_eq!(told["items"][2].get("reason"), None, "Postmark has no details of it any more");
    assert!(!told.to_string().contains("c0ntent"));
    let calls = asked.postmark.0.lock().unwrap().clone();
    assert_eq!(calls.len(), 3, "the list, and those that were not taken: {calls:?}");
    let (_, failed) = asked.get(SERVER, "?status=failed").await;
    assert_eq!(
        (failed["items"].as_array().unwrap().len(), &failed["items"][0]["status"]),
        (1, &json!("failed"))
    );
    assert_eq!(asked.get(SERVER, "?status=Failed").await.0, 400);
    let noted =
        asked.bench.store.documents(&Collection::Audit(ServerId::new(SERVER).unwrap())).await.unwrap();
    assert!(noted.is_empty(), "nothing is stored");
}

#[tokio::test]
async fn whoever_may_not_see_addresses_sees_who_failed_masked_and_no_words_of_strangers() {
    let asked = Asked::new(Some("good"), false).await;
    let (status, told) = asked.get(SERVER, "").await;
    let text = told.to_string();
    assert!(status == 200 && !["s3cret", "ida@", "help@"].iter().any(|one| text.contains(one)), "{text}");
    assert_eq!(
        (&told["items"][1]["from"], &told["items"][1]["status"]),
        (&json!("i***@customer.example"), &json!("blocked"))
    );
    assert_eq!(asked.postmark.0.lock().unwrap().len(), 1, "what is not shown is not asked for");
}

#[tokio::test]
async fn why_postmark_cannot_be_asked_is_said_and_another_server_is_as_none() {
    for (kept, status, code) in [
        (None, 409, "no-postmark-token"),
        (Some("refused"), 409, "token-not-accepted"),
        (Some("silent"), 503, "postmark-unavailable"),
    ] {
        let asked = Asked::new(kept, true).await;
        let (found, told) = asked.get(SERVER, "").await;
        assert_eq!(
            (found, &told["type"]),
            (status, &json!(format!("urn:postledger:problem:{code}"))),
            "{told}"
        );
    }
    let asked = Asked::new(Some("good"), true).await;
    asked.bench.vault.put(ServerId::new(SERVER + 1).unwrap(), &Token::new("good").unwrap()).await.unwrap();
    let foreign = asked.get(SERVER + 1, "").await;
    assert_eq!((foreign.0, &foreign), (404, &asked.get(8_999_999, "").await));
    assert!(asked.postmark.0.lock().unwrap().is_empty());
}

//! The content of mails, over a Postmark that has one mail with a script in it and one of which it keeps no content.

use crate::Api;
use crate::bench::{Bench, SERVER, now};
use crate::scope::Parts;
use crate::token::{New, Role, Token};
use account::Vault as _;
use http::{Method, Request, Response};
use ledger::ServerId;
use postmark_api::{Bytes, Chunks, Token as PostmarkToken, Transport, TransportError};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use store::prelude::*;
use store::{Collection, Memory};

const MAIL: &str = "7dc0521c-a785-4c7b-b689-000000000002";
const BARE: &str = "7dc0521c-a785-4c7b-b689-000000000003";
const LONG: &str = "7dc0521c-a785-4c7b-b689-000000000004";
const HTML: &str = "<p>Dear Ida</p><script>alert(1)</script><img src=https://tracker.example/x>";

/// Counts how often it is asked.
#[derive(Default)]
struct Mails(AtomicUsize);

#[async_trait::async_trait]
impl Transport for Mails {
    async fn call(&self, request: Request<Bytes>) -> Result<Response<Chunks>, TransportError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let id = request.uri().path().split('/').nth(3).unwrap_or_default().to_owned();
        let row = json!({ "MessageID": id, "ReceivedAt": "2026-11-25T05:00:00-05:00", "Subject": "Your s3cret", "To": [{ "Email": "ida@customer.example" }] });
        let with = |text: &str, html: &str| {
            let mut row = row.clone();
            (row["TextBody"], row["HtmlBody"], row["Body"]) = (json!(text), json!(html), json!("raw-s3cret"));
            row["Attachments"] = json!(["bill\u{7}.pdf", { "Name": "terms.txt" }, 7]);
            row
        };
        let (status, told) = match id.as_str() {
            MAIL => (200, with("Dear Ida,\r\nyour code is s3cret\u{0}", HTML)),
            LONG => (200, with(&"ä".repeat(1_048_576), "")),
            BARE => (200, row),
            _ => (422, json!({ "ErrorCode": 701, "Message": "This message was not found." })),
        };
        let body: Chunks = Box::pin(futures_util::stream::iter([Ok(Bytes::from(told.to_string()))]));
        Ok(Response::builder().status(status).body(body).unwrap())
    }
}

async fn bench() -> (Bench, Arc<Mails>) {
    let postmark = Arc::new(Mails::default());
    let bench = Bench::beside(Memory::default(), postmark.clone());
    let server = ServerId::new(SERVER).unwrap();
    bench.store.note_stream(server, "outbound").await.unwrap();
    bench.vault.put(server, &PostmarkToken::new("good").unwrap()).await.unwrap();
    (bench, postmark)
}

/// A token with these rights.
async fn token(bench: &Bench, role: Role, server: i64, reveal_addresses: bool, read_content: bool) -> String {
    let new = New {
        name: "test".to_owned(),
        role,
        servers: Some([ServerId::new(server).unwrap()].into()),
        reveal_addresses,
        read_content,
        expires_at: None,
        created_by: "test".to_owned(),
        parent: None,
    };
    let (token, text) = Token::make(new, now()).unwrap();
    token.keep(&*bench.store).await.unwrap();
    text
}

async fn get(bench: &Bench, token: &str, server: i64, id: &str) -> (u16, Value) {
    let path = format!("/v1/servers/{server}/messages/{id}/content");
    let told = bench.ask(token, Method::GET, &path, b"").await;
    (told.status(), told.json())
}

async fn noted(bench: &Bench) -> Vec<Value> {
    let all = bench.store.documents(&Collection::Audit(ServerId::new(SERVER).unwrap())).await.unwrap();
    all.into_iter().map(|(_, document)| serde_json::from_str(&document.text).unwrap()).collect()
}

#[tokio::test]
async fn whoever_was_given_the_right_sees_what_is_written_in_a_mail_as_it_is() {
    let (bench, _) = bench().await;
    let reader = token(&bench, Role::Viewer, SERVER, true, true).await;
    let (status, told) = get(&bench, &reader, SERVER, MAIL).await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(
        told,
        json!({
            "server": SERVER, "message_id": MAIL, "asked_at": "2026-11-25T12:00:00.000000Z", "subject": "Your s3cret",
            "text": "Dear Ida,\r\nyour code is s3cret", "html": HTML, "attachments": ["bill.pdf", "terms.txt"],
            "truncated": false,
        })
    );
    assert!(!told.to_string().contains("raw-s3cret"), "the source is not asked for");
    let (_, bare) = get(&bench, &reader, SERVER, BARE).await;
    assert_eq!((bare.get("text"), bare.get("html")), (None, None), "{bare}");
    let (_, long) = get(&bench, &reader, SERVER, LONG).await;
    assert_eq!((&long["truncated"], long["text"].as_str().unwrap().len()), (&json!(true), 1_048_576));
    assert_eq!(get(&bench, &reader, SERVER, "7dc0521c").await.0, 404, "Postmark does not have it");
}

#[tokio::test]
async fn whoever_was_not_given_the_right_sees_nothing_and_postmark_is_not_asked() {
    let (bench, postmark) = bench().await;
    for (role, reveals, reads) in [
        (Role::Viewer, true, false),
        (Role::Admin, true, false),
        (Role::Operator, true, false),
        // A mail has addresses in it: what was stored otherwise, however that came, shows nothing.
        (Role::Admin, false, true),
    ] {
        let token = token(&bench, role, SERVER, reveals, reads).await;
        let (status, told) = get(&bench, &token, SERVER, MAIL).await;
        assert_eq!(
            (status, &told["type"]),
            (403, &json!("urn:postledger:problem:content-right")),
            "{role:?}"
        );
    }
    assert_eq!((postmark.0.load(Ordering::Relaxed), noted(&bench).await.len()), (0, 0));
}

#[tokio::test]
async fn a_mail_of_another_server_is_as_one_of_a_server_that_is_not_there() {
    let (bench, postmark) = bench().await;
    let other = token(&bench, Role::Admin, SERVER + 1, true, true).await;
    let without = token(&bench, Role::Viewer, SERVER + 1, false, false).await;
    for token in [other, without] {
        let foreign = get(&bench, &token, SERVER, MAIL).await;
        assert_eq!((foreign.0, &foreign), (404, &get(&bench, &token, 8_999_999, MAIL).await));
    }
    assert_eq!((postmark.0.load(Ordering::Relaxed), noted(&bench).await.len()), (0, 0));
}

#[tokio::test]
async fn each_look_is_noted_with_who_and_which_message_and_nothing_of_the_mail() {
    let (bench, _) = bench().await;
    let reader = token(&bench, Role::Viewer, SERVER, true, true).await;
    get(&bench, &reader, SERVER, MAIL).await;
    get(&bench, &reader, SERVER, "none").await;
    let steps = noted(&bench).await;
    let told: Vec<_> = steps.iter().map(|step| (step["phase"].as_str(), step["target"].as_str())).collect();
    assert_eq!(told.len(), 4, "{steps:?}");
    for step in [(Some("begun"), Some(MAIL)), (Some("done"), Some(MAIL)), (Some("failed"), Some("none"))] {
        assert!(told.contains(&step), "{step:?}: {steps:?}");
    }
    let id = reader.strip_prefix("plt_").unwrap()[..12].to_owned();
    assert!(steps.iter().all(|step| step["what"] == "message.content" && step["who"]["name"] == id));
    let all = format!("{steps:?}");
    assert!(!["s3cret", "ida", "@", "Dear"].iter().any(|text| all.contains(text)), "{all}");
    // What is typed in the place of an id may be an address.
    for odd in ["ida@customer.example", "a%2Fb", "..", "a.b"] {
        assert_eq!(get(&bench, &reader, SERVER, odd).await.0, 400, "{odd}");
    }
    assert_eq!(noted(&bench).await.len(), 4);
}

#[tokio::test]
async fn a_look_that_cannot_be_noted_is_not_taken() {
    let (mut bench, postmark) = bench().await;
    let reader = token(&bench, Role::Viewer, SERVER, true, true).await;
    get(&bench, &reader, SERVER, MAIL).await;
    let asked = postmark.0.load(Ordering::Relaxed);
    let plan = faults::Plan::new(|call| match call {
        "put_document" => faults::Fault::Refuse,
        _ => faults::Fault::None,
    });
    let store = Arc::new(store::Faulty::new(bench.store.clone(), plan));
    bench.api = Api::new(Parts { store, ..bench.api.parts.clone() });
    assert_eq!(get(&bench, &reader, SERVER, MAIL).await.0, 503);
    assert_eq!(postmark.0.load(Ordering::Relaxed), asked);
}

#[tokio::test]
async fn nobody_hands_on_the_right_to_content_without_having_it_and_nobody_has_it_without_addresses() {
    let (bench, _) = bench().await;
    let make = async |by: &str, body: Value| {
        let mut new = json!({ "name": "new", "role": "viewer", "servers": [SERVER] });
        new.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let told = bench.ask(by, Method::POST, "/v1/tokens", new.to_string().as_bytes()).await;
        (told.status(), told.json())
    };
    let with = token(&bench, Role::Admin, SERVER, true, true).await;
    let without = token(&bench, Role::Admin, SERVER, true, false).await;
    let both = json!({ "reveal_addresses": true, "read_content": true });
    let (status, told) = make(&without, both.clone()).await;
    assert_eq!((status, &told["type"]), (403, &json!("urn:postledger:problem:beyond-own")));
    let (status, told) = make(&with, both.clone()).await;
    assert_eq!((status, &told["read_content"]), (201, &json!(true)), "{told}");
    assert_eq!(make(&with, json!({ "reveal_addresses": true })).await.1["read_content"], false, "it is said");
    assert_eq!(make(&with, json!({ "read_content": true })).await.0, 400);
    // So it is for links to the portal, and for people.
    for (by, rights, link, invited) in [
        (&with, both.clone(), 201, 201),
        (&without, both, 403, 403),
        (&with, json!({ "read_content": true }), 400, 400),
    ] {
        let mut standing = json!({ "server": SERVER, "role": "viewer" });
        standing.as_object_mut().unwrap().extend(rights.as_object().unwrap().clone());
        let links = json!({ "servers": [standing] });
        let told = bench.ask(by, Method::POST, "/v1/portal-links", links.to_string().as_bytes()).await;
        assert_eq!(told.status(), link, "{}", told.text());
        let people = json!({ "addresses": ["new@client.example"], "servers": [standing] });
        let told = bench.ask(by, Method::POST, "/v1/users", people.to_string().as_bytes()).await;
        assert_eq!(told.status(), invited, "{}", told.text());
    }
}

#[tokio::test]
async fn an_admin_without_the_right_neither_gives_it_nor_takes_it_by_a_change_that_leaves_it() {
    let (bench, _) = bench().await;
    let with = token(&bench, Role::Admin, SERVER, true, true).await;
    let without = token(&bench, Role::Admin, SERVER, true, false).await;
    let standing = |content: bool| json!({ "servers": [{ "server": SERVER, "role": "viewer", "reveal_addresses": true, "read_content": content }] });
    let people = |content: bool| {
        let mut body = standing(content);
        body["addresses"] = json!(["vera@client.example"]);
        body.to_string()
    };
    let invited = bench.ask(&without, Method::POST, "/v1/users", people(false).as_bytes()).await.json();
    let id = invited["items"][0]["id"].as_str().unwrap().to_owned();
    let change = async |by: &str, content: bool| {
        let body = standing(content).to_string();
        let told = bench.ask(by, Method::PUT, &format!("/v1/users/{id}"), body.as_bytes()).await;
        (told.status(), told.json()["servers"][0]["read_content"].clone())
    };
    assert_eq!(change(&without, true).await.0, 403);
    assert_eq!(change(&with, true).await, (200, json!(true)));
    assert_eq!(change(&without, true).await, (200, json!(true)), "whoever has it keeps it");
    assert_eq!(change(&without, false).await, (200, json!(false)), "taking it away takes no such right");
    assert_eq!(change(&without, true).await.0, 403);
}

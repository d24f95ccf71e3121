//! SMTP of streams over a Postmark in memory: what is kept, when it takes another one's place, and what is told of it.

use crate::bench::{Bench, SERVER, owner};
use crate::token::Role;
use account::Vault as _;
use http::Method;
use ledger::ServerId;
use postmark_api::{SmtpPair, Token};
use serde_json::{Value, json};
use store::prelude::*;
use store::{Collection, Memory};

const PATH: &str = "/v1/servers/8123456/smtp/outbound";

struct Admin {
    bench: Bench,
    token: String,
}

impl Admin {
    async fn new() -> Admin {
        let bench = Bench::beside(Memory::default(), owner());
        bench.store.note_stream(server(), "outbound").await.unwrap();
        let token = bench.token(Role::Admin, Some(&[SERVER]), false).await;
        Admin { bench, token }
    }

    async fn ask(&self, method: Method, tail: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let told = self.bench.ask(&self.token, method, &format!("{PATH}{tail}"), &body).await;
        assert!(!told.text().contains("s3cret"), "{}", told.text());
        (told.status(), told.json())
    }

    async fn keep(&self, access: &str, secret: &str) -> (u16, Value) {
        self.ask(Method::PUT, "", json!({ "access_key": access, "secret_key": secret })).await
    }

    async fn check(&self) -> (u16, Value) {
        self.ask(Method::POST, "/check", Value::Null).await
    }

    /// The secrets of the pair that is used and of the one before.
    async fn kept(&self) -> Option<(String, Option<String>)> {
        let pairs = self.bench.vault.smtp(server(), "outbound").await.unwrap()?;
        let secret = |pair: SmtpPair| pair.secret.reveal().to_owned();
        Some((secret(pairs.now), pairs.before.map(secret)))
    }

    fn revoke(&self, access: &str, secret: &str) {
        let [access, secret] = [access, secret].map(|key| Token::new(key).unwrap());
        self.bench.smtp.revoke(SmtpPair { access, secret });
    }
}

fn server() -> ServerId {
    ServerId::new(SERVER).unwrap()
}

#[tokio::test]
async fn a_pair_is_kept_if_it_logs_in_and_nobody_is_told_its_secret() {
    let admin = Admin::new().await;
    let (status, told) = admin.keep("key-1", " good-s3cret\n").await;
    assert_eq!(status, 200, "{told}");
    assert_eq!((&told["host"], &told["port"]), (&json!("smtp.postmarkapp.com"), &json!(587)));
    assert_eq!(told["stream_header"], "X-PM-Message-Stream");
    assert_eq!(
        (&told["pair"]["user"], &told["pair"]["checked"]["result"]),
        (&json!("key-1"), &json!("accepted"))
    );
    assert_eq!(told["pair"].get("before"), None);
    assert_eq!(admin.kept().await, Some(("good-s3cret".to_owned(), None)));
    let list = admin.bench.ask(&admin.token, Method::GET, "/v1/servers/8123456/smtp", b"").await;
    assert_eq!(list.json()["streams"], json!([told]));
    let documents = [Collection::Smtp, Collection::Audit(server())];
    for collection in documents {
        let noted = format!("{:?}", admin.bench.store.documents(&collection).await.unwrap());
        assert!(noted.contains("outbound") && !noted.contains("s3cret"), "{noted}");
    }
}

#[tokio::test]
async fn what_keeps_a_pair_from_being_kept_has_a_name_and_the_one_before_stays() {
    let admin = Admin::new().await;
    admin.keep("key-1", "good-s3cret").await;
    for (secret, code) in [
        ("wrong-s3cret", "smtp-wrong-pair"),
        ("tls-s3cret", "smtp-tls-refused"),
        ("blocked-s3cret", "smtp-unreachable"),
        ("slow-s3cret", "smtp-timed-out"),
        ("odd-s3cret", "smtp-other"),
    ] {
        let (status, told) = admin.keep("key-2", secret).await;
        assert_eq!(
            (status, &told["type"]),
            (409, &json!(format!("urn:postledger:problem:{code}"))),
            "{secret}"
        );
        assert_eq!(told["detail"].as_str().unwrap().contains("454"), secret == "odd-s3cret");
        assert_eq!(admin.kept().await, Some(("good-s3cret".to_owned(), None)), "{secret}");
    }
    for (access, secret) in [("", "s3cret"), ("key", "two s3cret"), ("key", "")] {
        assert_eq!(admin.keep(access, secret).await.0, 400);
    }
    admin.bench.vault.put(server(), &Token::new("off-token").unwrap()).await.unwrap();
    let (_, told) = admin.keep("key-2", "wrong-s3cret").await;
    assert_eq!(told["type"], "urn:postledger:problem:smtp-switched-off", "Postmark's API tells that");
}

#[tokio::test]
async fn the_pair_before_is_kept_aside_until_it_is_seen_to_fail() {
    let admin = Admin::new().await;
    admin.keep("key-1", "first-s3cret").await;
    let (status, told) = admin.keep("key-2", "second-s3cret").await;
    assert_eq!((status, &told["pair"]["before"]["result"]), (200, &json!("accepted")), "{told}");
    let both = Some(("second-s3cret".to_owned(), Some("first-s3cret".to_owned())));
    assert_eq!(admin.kept().await, both);
    assert_eq!(admin.check().await.1["pair"]["before"]["result"], "accepted");
    assert_eq!(admin.kept().await, both);
    let (status, told) = admin.keep("key-3", "third-s3cret").await;
    assert_eq!((status, &told["type"]), (409, &json!("urn:postledger:problem:smtp-old-pair")));
    assert_eq!(admin.kept().await, both);
    // Where the new one fails too, that the old one does shows nothing.
    admin.revoke("key-1", "first-s3cret");
    admin.revoke("key-2", "second-s3cret");
    let (_, told) = admin.check().await;
    let results = ["checked", "before"].map(|pair| told["pair"][pair]["result"].clone());
    assert_eq!(results, ["wrong_pair", "wrong_pair"]);
    assert_eq!(admin.kept().await, both);
    admin.bench.smtp.restore();
    admin.revoke("key-1", "first-s3cret");
    let (_, told) = admin.check().await;
    assert_eq!((told["pair"].get("before"), &told["pair"]["checked"]["result"]), (None, &json!("accepted")));
    assert_eq!(admin.kept().await, Some(("second-s3cret".to_owned(), None)));
}

#[tokio::test]
async fn a_pair_that_failed_already_is_not_kept_aside_and_one_that_cannot_be_tried_is() {
    let admin = Admin::new().await;
    admin.keep("key-1", "first-s3cret").await;
    admin.revoke("key-1", "first-s3cret");
    assert_eq!(admin.check().await.1["pair"]["checked"]["result"], "wrong_pair");
    admin.keep("key-2", "second-s3cret").await;
    assert_eq!(admin.kept().await, Some(("second-s3cret".to_owned(), None)));
    // Kept by hand: nothing is known of whether it works.
    let mut pairs = admin.bench.vault.smtp(server(), "outbound").await.unwrap().unwrap();
    pairs.now.secret = Token::new("slow-s3cret").unwrap();
    admin.bench.vault.put_smtp(server(), "outbound", &pairs).await.unwrap();
    let (_, told) = admin.keep("key-3", "third-s3cret").await;
    assert_eq!(told["pair"]["before"]["result"], "timed_out");
    let (status, _) = admin.keep("key-2", "slow-s3cret").await;
    assert_eq!(status, 409, "it does not log in, so it does not come back");
}

#[tokio::test]
async fn who_goes_back_to_the_pair_before_has_the_newer_one_kept_aside_as_long_as_that_works() {
    let admin = Admin::new().await;
    admin.keep("key-1", "first-s3cret").await;
    admin.keep("key-2", "second-s3cret").await;
    let both = Some(("first-s3cret".to_owned(), Some("second-s3cret".to_owned())));
    for _ in ["back to it", "the same again"] {
        let (status, told) = admin.keep("key-1", "first-s3cret").await;
        assert_eq!((status, &told["pair"]["user"]), (200, &json!("key-1")), "{told}");
        assert_eq!(told["pair"]["before"]["result"], "accepted");
        assert_eq!(admin.kept().await, both);
    }
    admin.revoke("key-2", "second-s3cret");
    assert_eq!(admin.keep("key-1", "first-s3cret").await.1["pair"].get("before"), None);
    assert_eq!(admin.kept().await, Some(("first-s3cret".to_owned(), None)));
}

#[tokio::test]
async fn of_two_who_change_the_pairs_at_once_one_is_told_and_no_key_is_lost() {
    let admin = Admin::new().await;
    admin.keep("key-1", "first-s3cret").await;
    let (one, other) =
        tokio::join!(admin.keep("key-2", "second-s3cret"), admin.keep("key-3", "third-s3cret"));
    let mut told = [one, other].map(|(status, told)| (status, told["pair"]["user"].clone()));
    told.sort_by_key(|(status, _)| *status);
    assert_eq!(told.each_ref().map(|(status, _)| *status), [200, 503]);
    let (now, before) = admin.kept().await.unwrap();
    assert_eq!(before.as_deref(), Some("first-s3cret"));
    assert_eq!(told[0].1, if now == "second-s3cret" { "key-2" } else { "key-3" });
}

#[tokio::test]
async fn what_comes_of_a_check_is_not_noted_of_a_pair_that_was_stored_meanwhile() {
    let admin = Admin::new().await;
    admin.keep("key-1", "late-s3cret").await;
    admin.revoke("key-1", "late-s3cret");
    let another = async {
        admin.ask(Method::DELETE, "", Value::Null).await;
        admin.bench.pass(60);
        admin.keep("key-2", "second-s3cret").await
    };
    let (checked, kept) = tokio::join!(admin.check(), another);
    assert_eq!((checked.0, kept.0), (200, 200));
    let list = admin.bench.ask(&admin.token, Method::GET, "/v1/servers/8123456/smtp", b"").await;
    let pair = &list.json()["streams"][0]["pair"];
    assert_eq!((&pair["user"], &pair["checked"]["result"]), (&json!("key-2"), &json!("accepted")), "{pair}");
}

#[tokio::test]
async fn the_servers_token_is_no_user_name_that_is_told() {
    let admin = Admin::new().await;
    let (status, told) = admin.keep("api-s3cret", "api-s3cret").await;
    assert_eq!((status, told["pair"].get("user")), (200, None), "{told}");
    let noted = format!("{:?}", admin.bench.store.documents(&Collection::Smtp).await.unwrap());
    assert!(!noted.contains("s3cret"), "{noted}");
}

#[tokio::test]
async fn a_test_mail_names_its_stream_and_neither_audit_nor_document_has_an_address() {
    let admin = Admin::new().await;
    let mail = json!({ "from": "hello@shop.example", "to": "ida@shop.example" });
    let (status, told) = admin.ask(Method::POST, "/test", mail.clone()).await;
    assert_eq!((status, &told["type"]), (409, &json!("urn:postledger:problem:no-smtp-pair")));
    admin.keep("key-1", "good-s3cret").await;
    let (status, told) = admin.ask(Method::POST, "/test", mail).await;
    let sent = admin.bench.smtp.sent();
    assert_eq!((status, &told["tag"]), (200, &json!(sent[0].tag)), "{told}");
    assert!(sent[0].tag.starts_with("smtp-test-outbound-"), "{}", sent[0].tag);
    assert_eq!((sent.len(), &*sent[0].stream, &*sent[0].to), (1, "outbound", "ida@shop.example"));
    for (from, to) in [
        ("hello@shop.example", "ida@shop.example\r\nBcc: all@shop.example"),
        ("hello@shop.example", "ïda@shop.example"),
        ("id:kZxV0n3qT5uYwB7cD9eFgA", "ida@shop.example"),
        ("", "ida@shop.example"),
    ] {
        let (status, told) = admin.ask(Method::POST, "/test", json!({ "from": from, "to": to })).await;
        assert!(status == 400 && !told.to_string().contains("shop.example"), "{from} {to}: {told}");
    }
    assert_eq!(admin.bench.smtp.sent().len(), 1);
    for collection in [Collection::Smtp, Collection::Audit(server())] {
        let noted = format!("{:?}", admin.bench.store.documents(&collection).await.unwrap());
        assert!(!noted.contains("shop.example"), "{noted}");
    }
}

#[tokio::test]
async fn each_test_mail_has_a_tag_of_its_own_and_one_that_may_have_been_sent_is_noted() {
    let admin = Admin::new().await;
    let mail = json!({ "from": "hello@shop.example", "to": "ida@shop.example" });
    admin.keep("key-1", "lost-s3cret").await;
    let mut tags = Vec::new();
    for _ in 0..2 {
        admin.bench.pass(60);
        let (status, told) = admin.ask(Method::POST, "/test", mail.clone()).await;
        assert_eq!((status, &told["type"]), (503, &json!("urn:postledger:problem:uncertain")), "{told}");
        let pair = &admin.check().await.1["pair"];
        assert!(pair["tested_at"].is_string(), "{pair}");
        tags.push(pair["test_tag"].clone());
    }
    let sent: Vec<Value> = admin.bench.smtp.sent().into_iter().map(|mail| mail.tag.into()).collect();
    assert!(tags == sent && tags[0] != tags[1], "{tags:?} {sent:?}");
}

#[tokio::test]
async fn what_is_removed_is_gone_from_the_vault_and_from_the_list() {
    let admin = Admin::new().await;
    admin.keep("key-1", "first-s3cret").await;
    for removed in [true, false] {
        let (status, told) = admin.ask(Method::DELETE, "", Value::Null).await;
        assert_eq!((status, &told["removed"]), (200, &json!(removed)));
        assert_eq!(admin.kept().await, None);
    }
    assert_eq!(admin.check().await.0, 409);
    let list = admin.bench.ask(&admin.token, Method::GET, "/v1/servers/8123456/smtp", b"").await;
    assert_eq!(list.json()["streams"][0].get("pair"), None);
}

#[tokio::test]
async fn only_an_admin_of_the_server_sees_or_changes_anything_and_no_stream_is_made_up() {
    let admin = Admin::new().await;
    let viewer = admin.bench.token(Role::Viewer, Some(&[SERVER]), true).await;
    let other = admin.bench.token(Role::Admin, Some(&[SERVER + 1]), true).await;
    let body = json!({ "access_key": "a", "secret_key": "good" }).to_string();
    for (token, status) in [(&viewer, 403), (&other, 404)] {
        for (method, path) in [
            (Method::GET, "/v1/servers/8123456/smtp"),
            (Method::PUT, PATH),
            (Method::DELETE, PATH),
            (Method::POST, "/v1/servers/8123456/smtp/outbound/check"),
            (Method::POST, "/v1/servers/8123456/smtp/outbound/test"),
        ] {
            let told = admin.bench.ask(token, method.clone(), path, body.as_bytes()).await;
            assert_eq!(told.status(), status, "{method} {path}");
        }
    }
    let told = admin.bench.ask(&admin.token, Method::PUT, &format!("{PATH}x"), body.as_bytes()).await;
    assert_eq!(told.json()["type"], "urn:postledger:problem:unknown-stream");
    let told = admin.bench.ask(&admin.token, Method::DELETE, &format!("{PATH}x"), b"").await;
    assert_eq!(told.json()["type"], "urn:postledger:problem:unknown-stream", "a slip is no success");
    let told =
        admin.bench.ask(&admin.token, Method::PUT, "/v1/servers/8123456/smtp/..", body.as_bytes()).await;
    assert_eq!(told.status(), 400);
    assert_eq!(admin.kept().await, None);
}

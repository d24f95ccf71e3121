//! What is told of a server at Postmark, and what is changed there.

use super::origin;
use crate::bench::{Bench, SERVER};
use crate::postmark_kept::{Kept, settings};
use crate::token::Role;
use account::{Registry, ServerEntry, Vault as _};
use http::Method;
use ledger::ServerId;
use postmark_api::Token;
use serde_json::{Value, json};
use std::sync::Arc;
use store::Memory;
use store::prelude::*;

const TOKEN: &str = "0f4e-s3cret";

/// A bench beside a Postmark that keeps settings; `change` is made to them first.
async fn bench_with(change: impl FnOnce(&mut Value)) -> (Bench, Arc<Kept>) {
    let kept = Arc::new(Kept::default());
    let mut settings = settings(SERVER, "Shop");
    change(&mut settings);
    kept.keep(TOKEN, settings);
    let bench = Bench::beside(Memory::default(), kept.clone());
    let server = ServerId::new(SERVER).unwrap();
    bench.store.note_stream(server, "outbound").await.unwrap();
    bench.vault.put(server, &Token::new(TOKEN).unwrap()).await.unwrap();
    (bench, kept)
}

async fn put(bench: &Bench, body: &Value) -> (u16, Value) {
    let told = bench.call(Method::PUT, "postmark-settings", body.to_string().as_bytes()).await;
    (told.status(), told.json())
}

async fn audited(bench: &Bench) -> Vec<Value> {
    let audit = bench.get("audit").await;
    assert!(!audit.text().contains("s3cret") && !audit.text().contains("5ecret"), "{}", audit.text());
    audit.json()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn what_postmark_keeps_is_told_by_its_own_names_and_no_secret_of_it() {
    let (bench, _) = bench_with(|settings| {
        settings["BounceHookUrl"] = json!("https://user:p4ss@old.example:8443/hook?key=p4ss");
        settings["OpenHookUrl"] = json!("not a URL: p4ss");
        settings["InboundHookUrl"] = json!("https://u:p4ss@in.example/p4ss");
        settings["InboundDomain"] = json!("in.acme.example");
    })
    .await;
    let told = bench.get("postmark-settings").await;
    assert_eq!(told.status(), 200, "{}", told.text());
    assert!(!["p4ss", "5ecret", "h4sh"].iter().any(|secret| told.text().contains(secret)), "{}", told.text());
    assert_eq!(
        told.json()["settings"],
        json!({
            "Name": "Shop", "Color": "Purple", "DeliveryType": "Live", "SmtpApiActivated": true,
            "ServerLink": "https://account.postmarkapp.com/servers/1/streams", "TrackOpens": true, "TrackLinks": "None",
            "BounceHookUrl": "https://old.example", "OpenHookUrl": "unreadable", "PostFirstOpenOnly": false,
            "IncludeBounceContentInHook": false, "EnableSmtpApiErrorHooks": false, "RawEmailEnabled": false,
            "InboundHookUrl": "https://in.example", "InboundDomain": "in.acme.example", "InboundSpamThreshold": 5,
        })
    );
}

#[test]
fn of_a_hooks_url_nothing_is_told_but_scheme_and_host() {
    for (url, shown) in [
        ("https://a.example/p4ss", "https://a.example"),
        (" HTTPS://u:p4ss@a.example:1/?p4ss#p4ss", "https://a.example"),
        ("https://u@p4ss@a.example/", "https://a.example"),
        ("a.example/p4ss", "unreadable"),
        ("p4ss", "unreadable"),
        ("", "unreadable"),
    ] {
        assert_eq!(origin(url), shown, "{url}");
    }
}

#[tokio::test]
async fn what_works_against_the_ledger_is_warned_of_and_nothing_else_is() {
    let codes = async |bench: &Bench| {
        let told = bench.get("postmark-settings").await.json();
        let all = told["warnings"].as_array().unwrap().clone();
        all.iter()
            .map(|one| format!("{} {}", one["code"], one["setting"]).replace('"', ""))
            .collect::<Vec<_>>()
    };
    assert_eq!(codes(&bench_with(|_| {}).await.0).await, Vec::<String>::new());
    let (bench, _) = bench_with(|settings| {
        settings["BounceHookUrl"] = json!("https://u:p@hooks.acme.example/v1/8123456/bounce");
        settings["ClickHookUrl"] = json!("https://crm.example/click");
        settings["PostFirstOpenOnly"] = json!(true);
        settings["DeliveryType"] = json!("Sandbox");
    })
    .await;
    let others = ["first_open_only PostFirstOpenOnly", "sandbox DeliveryType"];
    // Where nobody knows where its webhooks lead, any old hook may be one of ours.
    let unknown = [&["legacy_hook BounceHookUrl", "legacy_hook ClickHookUrl"][..], &others[..]].concat();
    assert_eq!(codes(&bench).await, unknown);
    let mut entry = ServerEntry::new(ServerId::new(SERVER).unwrap(), "Acme", "Shop", crate::bench::now());
    entry.doors = Some("https://hooks.acme.example".to_owned());
    Registry(&*bench.store).put(&entry).await.unwrap();
    assert_eq!(codes(&bench).await, [&["legacy_hook BounceHookUrl"][..], &others[..]].concat());
}

#[tokio::test]
async fn a_dry_run_says_what_each_change_means_and_changes_nothing() {
    let (bench, kept) = bench_with(|_| {}).await;
    let set = json!({ "TrackOpens": false, "SmtpApiActivated": false, "Color": "purple", "Name": "Shop" });
    let (status, told) = put(&bench, &json!({ "set": set, "dry_run": true })).await;
    assert_eq!((status, &told["dry_run"]), (200, &json!(true)), "{told}");
    let changes = told["changes"].as_array().unwrap();
    let names: Vec<&str> = changes.iter().map(|one| one["setting"].as_str().unwrap()).collect();
    assert_eq!(names, ["TrackOpens", "SmtpApiActivated"], "what is so already is no change");
    assert!(changes[0]["means"].as_str().unwrap().contains("no opens"), "{told}");
    assert!(changes[1]["means"].as_str().unwrap().contains("SMTP can send nothing"), "{told}");
    assert_eq!((&changes[0]["before"], &changes[0]["after"]), (&json!(true), &json!(false)));
    assert!(changes.iter().all(|one| one["status"] == "planned"), "{told}");
    assert_eq!((kept.changes(), audited(&bench).await), (vec![], vec![]));
}

#[tokio::test]
async fn a_change_names_only_what_differs_is_read_back_and_noted_with_its_values() {
    let (bench, kept) = bench_with(|settings| settings["Name"] = json!("Mail of ida@acme.example")).await;
    let set =
        json!({ "TrackOpens": false, "TrackLinks": "HtmlOnly", "Color": "purple", "Name": " Bo’s shop " });
    let (status, told) = put(&bench, &json!({ "set": set })).await;
    assert_eq!(status, 200, "{told}");
    let is_to_be = json!({ "Name": "Bo’s shop", "TrackOpens": false, "TrackLinks": "HtmlOnly" });
    assert_eq!(kept.changes(), std::slice::from_ref(&is_to_be));
    assert!(told["changes"].as_array().unwrap().iter().all(|one| one["status"] == "done"), "{told}");
    assert_eq!(
        (&told["settings"]["TrackOpens"], &told["settings"]["Color"]),
        (&json!(false), &json!("Purple"))
    );
    assert!(told.get("dry_run").is_none() && !told.to_string().contains("5ecret"), "{told}");
    let steps = audited(&bench).await;
    assert_eq!(steps.len(), 2);
    assert_eq!((&steps[0]["what"], &steps[0]["phase"]), (&json!("server.postmark_settings"), &json!("done")));
    assert_eq!((&steps[0]["after"], &steps[1]["after"]), (&is_to_be, &is_to_be));
    let was = json!({ "Name": "Mail of i***@acme.example", "TrackOpens": true, "TrackLinks": "None" });
    assert_eq!(steps[1]["before"], was, "an address in a name is not noted");
    // Again it is so already: nothing is asked for, and nothing noted.
    let (status, told) = put(&bench, &json!({ "set": set })).await;
    assert_eq!((status, &told["changes"]), (200, &json!([])));
    assert_eq!((kept.changes().len(), audited(&bench).await.len()), (1, 2));
}

#[tokio::test]
async fn nothing_is_called_done_that_postmark_does_not_say() {
    for (name, statuses, phase) in [
        // It accepts the change, and leaves all as it was.
        ("ignored", ["not_done", "not_done"], "failed"),
        // It does it and does not answer: what it says afterwards counts.
        ("slow", ["done", "done"], "done"),
        // It never answers again.
        ("gone", ["unknown", "unknown"], "failed"),
    ] {
        let (bench, _) = bench_with(|_| {}).await;
        let (status, told) = put(&bench, &json!({ "set": { "Name": name, "TrackOpens": false } })).await;
        assert_eq!(status, 200, "{name}: {told}");
        let found: Vec<&str> =
            told["changes"].as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect();
        assert_eq!(found, statuses, "{name}");
        match name {
            "gone" => assert!(told.get("settings").is_none(), "{told}"),
            "ignored" => assert_eq!(told["settings"]["Name"], "Shop", "it says what Postmark says now"),
            _ => assert_eq!(told["settings"]["Name"], name),
        }
        let steps = audited(&bench).await;
        assert_eq!((&steps[0]["phase"], steps.len()), (&json!(phase), 2), "{name}");
    }
}

#[tokio::test]
async fn what_postmark_refuses_is_told_without_its_words_and_noted_as_failed() {
    let (bench, _) = bench_with(|_| {}).await;
    let (status, told) = put(&bench, &json!({ "set": { "Name": "taken" } })).await;
    assert_eq!((status, &told["type"]), (409, &json!("urn:postledger:problem:refused-by-postmark")));
    assert!(
        told["detail"].as_str().unwrap().contains("603") && !told.to_string().contains("5ecret"),
        "{told}"
    );
    let steps = audited(&bench).await;
    assert_eq!(
        (&steps[0]["phase"], &steps[0]["after"]),
        (&json!("failed"), &json!({ "problem": "refused-by-postmark" }))
    );
}

#[tokio::test]
async fn only_the_safe_settings_can_be_changed_and_only_to_what_they_can_be() {
    let (bench, kept) = bench_with(|_| {}).await;
    for set in [
        json!({}),
        json!({ "Color": null }),
        json!({ "Color": "pink" }),
        json!({ "TrackLinks": "All" }),
        json!({ "TrackOpens": "yes" }),
        json!({ "Name": " " }),
        json!({ "Name": "a\nb" }),
        json!({ "Name": "x".repeat(101) }),
        json!({ "BounceHookUrl": "https://evil.example" }),
        json!({ "InboundHookUrl": "" }),
        json!({ "DeliveryType": "Live" }),
        json!({ "PostFirstOpenOnly": false }),
        json!({ "ApiTokens": [] }),
    ] {
        for dry_run in [true, false] {
            let (status, told) = put(&bench, &json!({ "set": set, "dry_run": dry_run })).await;
            assert_eq!((status, &told["type"]), (400, &json!("urn:postledger:problem:bad-request")), "{set}");
        }
    }
    assert_eq!((kept.changes(), audited(&bench).await), (vec![], vec![]));
}

#[tokio::test]
async fn without_a_token_that_opens_this_server_nothing_is_told_and_nothing_changed() {
    let (bench, kept) = bench_with(|_| {}).await;
    kept.keep("other", settings(SERVER + 1, "somebody else's"));
    let server = ServerId::new(SERVER).unwrap();
    let ask = async |problem: &str, status: u16| {
        let body = json!({ "set": { "TrackOpens": false } }).to_string();
        for (method, body) in [(Method::GET, String::new()), (Method::PUT, body)] {
            let told = bench.call(method, "postmark-settings", body.as_bytes()).await;
            let kind = format!("urn:postledger:problem:{problem}");
            assert_eq!((told.status(), &told.json()["type"]), (status, &json!(kind)), "{}", told.text());
            assert!(!told.text().contains("somebody else"), "{}", told.text());
        }
    };
    bench.vault.put(server, &Token::new("other").unwrap()).await.unwrap();
    ask("token-of-another-server", 409).await;
    bench.vault.put(server, &Token::new("unknown").unwrap()).await.unwrap();
    ask("token-not-accepted", 409).await;
    kept.keep("unknown", json!({ "ID": SERVER, "Name": "gone" }));
    ask("postmark-unavailable", 503).await;
    bench.vault.remove(server).await.unwrap();
    ask("no-postmark-token", 409).await;
    assert_eq!((kept.changes(), audited(&bench).await), (vec![], vec![]));
}

#[tokio::test]
async fn only_an_admin_of_the_server_sees_and_changes_it() {
    let (bench, kept) = bench_with(|_| {}).await;
    let path = format!("/v1/servers/{SERVER}/postmark-settings");
    let body = json!({ "set": { "TrackOpens": false } }).to_string();
    for (role, server, status) in
        [(Role::Viewer, SERVER, 403), (Role::Admin, SERVER + 1, 404), (Role::Admin, SERVER, 200)]
    {
        let token = bench.token(role, Some(&[server]), true).await;
        assert_eq!(bench.ask(&token, Method::GET, &path, b"").await.status(), status);
        assert!(kept.changes().is_empty());
        assert_eq!(bench.ask(&token, Method::PUT, &path, body.as_bytes()).await.status(), status);
    }
    assert_eq!(kept.changes().len(), 1);
}

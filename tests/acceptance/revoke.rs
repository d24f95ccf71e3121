//! A password that is revoked: what the command says and asks, what others know of it, and how it is taken back.

use crate::commands::Running;
use postledger_tests::command::text;
use serde_json::{Value, json};
use std::process::Output;

const AT: [&str; 2] = ["--server", "8123456"];

fn out(output: &Output) -> String {
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn bounce(id: u32) -> Vec<u8> {
    json!({ "RecordType": "Bounce", "MessageStream": "outbound", "ServerID": 8_123_456, "MessageID": format!("m{id}"),
        "ID": id, "Email": format!("revoked{id}@customer.example"), "Type": "HardBounce",
        "BouncedAt": "2026-09-20T08:00:00Z", "Inactive": true })
    .to_string()
    .into_bytes()
}

fn revoked(running: &Running) -> Vec<Value> {
    let listed = running.json(&["quarantine", "list", "--json"]);
    listed.as_array().unwrap().iter().filter(|one| one["reason"] == "revoked").cloned().collect()
}

/// Waits until so many are set aside as revoked.
fn wait_for(running: &Running, count: usize) -> Vec<Value> {
    for _ in 0..200 {
        let found = revoked(running);
        if found.len() == count {
            return found;
        }
        assert!(running.ask(&["queues"], b"").status.success());
    }
    panic!("never {count} are set aside: {:?}", revoked(running));
}

#[test]
fn a_revoked_password_is_asked_about_listed_known_to_others_and_taken_back_without_loss() {
    let running = Running::start("revoke", &[]);
    let ask = |words: &[&str]| running.ask(&[words, &AT].concat(), b"");
    let json = |words: &[&str]| running.json(&[words, &AT, &["--json"]].concat());
    assert_eq!(running.json(&["revoke", "--list", "--json"]), json!([]));

    let asked = ask(&["revoke", "--generation", "1"]);
    assert_eq!(asked.status.code(), Some(1), "there is nobody to ask");
    let told = text(&asked.stdout);
    assert!(told.contains("8123456.1") && told.contains("30 days") && told.contains("--undo"), "{told}");
    assert!(!told.contains("Denied"), "that is a parameter on AWS: {told}");
    assert!(text(&asked.stderr).contains("--yes"), "{}", text(&asked.stderr));
    assert_eq!(running.json(&["revoke", "--list", "--json"]), json!([]), "nothing was revoked");

    let done = json(&["revoke", "--generation", "1", "--yes"]);
    assert_eq!(
        (&done["generation"], &done["next_generation"], &done["denied"], &done["new"]),
        (&json!(1), &json!(2), &json!("8123456.1"), &json!(true))
    );
    let again = json(&["revoke", "--generation", "1", "--yes"]);
    assert_eq!((&again["new"], &again["from"]), (&json!(false), &done["from"]), "the next one knows of it");
    let listed = running.json(&["revoke", "--list", "--json"]);
    assert_eq!((&listed[0]["server"], &listed[0]["next_generation"]), (&json!(8_123_456), &json!(2)));
    let listed = out(&running.ask(&["revoke", "--list"], b""));
    assert!(listed.contains("8123456") && !listed.contains("Denied"), "{listed}");

    let refused = ask(&["url", "--generation", "1"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("--generation 2"), "{}", text(&refused.stderr));
    assert_eq!(json(&["url"])[0]["user"], "8123456.2", "the next one is taken by itself");

    let post = |words: &[&str], body: Vec<u8>| running.ask(&[&["post"], words, &AT].concat(), &body);
    let warned = post(&["--generation", "1"], bounce(901));
    assert!(out(&warned).contains("200 accepted") && text(&warned.stderr).contains("use --generation 2"));
    let aside = wait_for(&running, 1).remove(0);
    assert_eq!(aside["generation"], 1);
    assert!(text(&post(&[], bounce(902)).stderr).is_empty(), "the next one is good");

    let key = aside["key"].as_str().unwrap();
    assert!(!running.ask(&["quarantine", "replay", key], b"").status.success(), "it is still revoked");
    let undone = out(&ask(&["revoke", "--generation", "1", "--undo", "--yes"]));
    assert!(undone.contains("quarantine replay") && !undone.contains("Denied"), "{undone}");
    assert_eq!(running.json(&["revoke", "--list", "--json"]), json!([]));
    assert!(!ask(&["revoke", "--generation", "1", "--undo", "--yes"]).status.success(), "it is done");
    assert!(out(&running.ask(&["quarantine", "replay", key], b"")).contains("critical queue"));
    let audit = json(&["audit"]).to_string();
    assert!(audit.contains("\"revoke\"") && audit.contains("revoke.undo"), "{audit}");
}

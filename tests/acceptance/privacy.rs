//! Everything that is printed while every fixture and many a hostile body is handled, at the loudest level:
//! no address, no fragment of a body, no credential.

use crate::commands::Running;
use crate::fixtures;
use postledger_tests::command::postledger;
use serde_json::Value;
use std::collections::BTreeSet;

/// Words of Postmark's own that may be printed, because they are no one's.
const VOCABULARY: &[&str] = &[
    "RecordType",
    "MessageStream",
    "Type",
    "Name",
    "Platform",
    "Origin",
    "SuppressionReason",
    "ClickLocation",
    "Description",
    "Client",
    "OS",
];

fn fragments(key: &str, value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.len() >= 6 && !VOCABULARY.contains(&key) => {
            into.insert(text.clone());
        }
        Value::Number(number) if key == "ID" && number.to_string().len() >= 6 => {
            into.insert(number.to_string());
        }
        Value::Array(items) => items.iter().for_each(|item| fragments(key, item, into)),
        Value::Object(fields) if !VOCABULARY.contains(&key) => {
            fields.iter().for_each(|(name, value)| fragments(name, value, into));
        }
        _ => {}
    }
}

#[test]
fn nothing_that_is_printed_tells_an_address_a_body_or_a_credential() {
    let running = Running::start("privacy", &["--no-sample", "--logs", "trace"]);
    let mut secrets = BTreeSet::new();
    let mut input = Vec::new();
    for name in fixtures::names() {
        let body = fixtures::read(&name);
        fragments("", &serde_json::from_slice(&body).unwrap(), &mut secrets);
        input.extend(body);
    }
    assert!(secrets.len() > 300);
    let posted = running.ask(&["post", "--server", "8123456", "--json"], &input);
    let printed_by_post = String::from_utf8([posted.stdout, posted.stderr].concat()).unwrap();

    let urls = running.ask(&["url", "--server", "8123456", "--json"], b"");
    let urls: Value = serde_json::from_slice(&urls.stdout).unwrap();
    let password = urls[0]["password"].as_str().unwrap().to_owned();
    let agent = postledger::client::agent();
    let send = |authorization: String, body: &str| {
        let request =
            agent.post(format!("{}/v1/8123456/bounce", running.url)).header("authorization", authorization);
        drop(request.header("x-pm-webhook-trace-id", "trace-secret").send(body).unwrap());
    };
    let user: credential::User = "8123456.1".parse().unwrap();
    for body in [
        r#"{"RecordType":"Bounce","Email":"hidden@customer.example","Email":"twice@customer.example"}"#,
        r#"{"RecordType":"hidden-type","Email":"hidden@customer.example"}"#,
        r#"{"RecordType":"Bounce","Type":"hidden-type","Email":"hidden@customer.example","BouncedAt":"hidden-time"}"#,
        "hidden-garbage",
    ] {
        send(credential::basic(user, &password), body);
        send(credential::basic(user, "hidden-password"), body);
        send("hidden-scheme hidden-value".to_owned(), body);
    }
    let delivery = String::from_utf8(fixtures::read("delivery-current.json")).unwrap();
    send(credential::basic(user, &password), &delivery);
    running.ask(&["recipient", "--server", "8123456", "ida.moreau@customer.example"], b"");
    running.ask(
        &[
            "suppress",
            "--server",
            "8123456",
            "--stream",
            "*",
            "--no-postmark",
            "hidden@customer.example",
            "--reason",
            "hidden-reason",
        ],
        b"",
    );
    secrets.extend(["hidden", "trace-secret", &password, "customer.example"].map(str::to_owned));

    let (out, err) = running.stop();
    assert!(
        err.contains("a body was set aside") && err.contains("EventsAccepted"),
        "logs and metrics were printed"
    );
    for printed in [&out, &err, &printed_by_post] {
        for secret in &secrets {
            let escaped = serde_json::to_string(secret).unwrap();
            let found = printed.contains(secret.as_str()) || printed.contains(escaped.trim_matches('"'));
            assert!(!found, "printed: {secret}");
        }
    }
    assert!(postledger().exists());
}

//! The door's table, row by row, on every route that the template makes.

use postledger_tests::SERVER;
use postledger_tests::deployed::{Deployed, Shared};
use postmark::RecordType;
use serde_json::{Value, json};

const BOUNCE: &str = include_str!("../../shared/postmark/fixtures/bounce-hard.json");
const PROBE: &str = include_str!("../../shared/postmark/fixtures/probe-bounce.json");

/// The stack whose doors are knocked at, one test at a time.
static STACK: Shared = Shared::new("doors");

/// The path of every route that takes events: one for each type, the one for all, and some that no route names.
fn paths() -> Vec<String> {
    let segments =
        RecordType::ALL.map(RecordType::segment).into_iter().chain(["events", "bouncee", "events/"]);
    let of_server = segments.map(|segment| format!("/v1/{SERVER}/{segment}"));
    of_server.chain(["/".to_owned(), "/v1".to_owned(), "/health".to_owned()]).collect()
}

fn answer(
    stack: &Deployed,
    method: &str,
    path: &str,
    authorization: Option<&str>,
    body: &str,
) -> (u16, Value) {
    let answer = stack.send(method, path, authorization, body.as_bytes());
    (answer.status().as_u16(), serde_json::from_str(answer.body()).unwrap_or_default())
}

#[test]
fn an_event_with_its_credential_is_taken_in_on_every_route() {
    let stack = STACK.lock();
    let right = stack.authorization(SERVER);
    for path in paths() {
        let answered = answer(&stack, "POST", &path, Some(&right), BOUNCE);
        assert_eq!(answered, (200, json!({ "status": "accepted" })), "{path}");
    }
}

#[test]
fn a_probe_and_what_is_not_understood_are_set_aside_with_200_on_every_route() {
    let stack = STACK.lock();
    let right = stack.authorization(SERVER);
    for path in paths() {
        for (body, reason) in [(PROBE, "probe"), ("{\"RecordType\":", "not_json")] {
            let answered = answer(&stack, "POST", &path, Some(&right), body);
            assert_eq!(answered, (200, json!({ "status": "set_aside", "reason": reason })), "{path}");
        }
    }
    let other = answer(&stack, "POST", "/v1/7/bounce", Some(&right), BOUNCE);
    assert_eq!(other, (200, json!({ "status": "set_aside", "reason": "server_mismatch" })));
}

#[test]
fn a_wrong_credential_is_put_off_and_none_is_challenged_on_every_route() {
    let stack = STACK.lock();
    let wrong = stack.wrong_authorization(SERVER);
    for path in paths() {
        assert_eq!(answer(&stack, "POST", &path, Some(&wrong), BOUNCE).0, 503, "{path}");
        let challenged = stack.send("POST", &path, None, BOUNCE.as_bytes());
        assert_eq!(challenged.status(), 401, "{path}");
        assert!(challenged.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic "), "{path}");
    }
}

#[test]
fn no_event_comes_by_another_method_and_health_is_for_everyone() {
    let stack = STACK.lock();
    let right = stack.authorization(SERVER);
    let bounce = format!("/v1/{SERVER}/bounce");
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE"] {
        assert_eq!(stack.send(method, &bounce, Some(&right), b"").status(), 405, "{method}");
        assert_eq!(stack.send(method, &bounce, None, b"").status(), 401, "{method}");
    }
    // The emulator answers this by itself; API Gateway hands it on, to the same end.
    assert!(stack.send("OPTIONS", &bounce, Some(&right), b"").status().is_client_error());
    assert_eq!(answer(&stack, "GET", "/health", None, ""), (200, json!({ "status": "ok" })));
}

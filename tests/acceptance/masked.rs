//! Addresses masked: whoever is not to see addresses sees none in any answer, in whatever field of an event one stands
//! and however it is written there.

use api::route::Route;
use api::token::Role;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ledger::policy::StreamKind;
use postledger_tests::{SERVER, World};
use serde_json::{Value, json};

/// Whom the events are about.
const ASKED: &str = "asked.person@customer.example";
/// Who stands in their texts.
const SECRET: &str = "secret.person@elsewhere.example";
const MESSAGE: &str = "883953f4-6105-42a2-a16a-77a8eac79483";

/// The spellings of somebody's address that a text may have.
fn spellings() -> Vec<String> {
    let of = |sign: &str| SECRET.replace('@', sign);
    let hex = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
    vec![
        SECRET.to_owned(),
        SECRET.to_uppercase(),
        format!("<{SECRET}>"),
        format!("\"Secret Person\" <{SECRET}>, x"),
        of("%40"),
        of("%2540"),
        of("&#64;"),
        of("&#x40;"),
        of("\u{ff20}"),
        of("=40"),
        format!("https://sender.example/u?to={}&x=1", of("%40")),
        format!("https://sender.example/u/{SECRET}"),
        STANDARD.encode(SECRET),
        URL_SAFE_NO_PAD.encode(format!("{{\"to\":\"{SECRET}\"}}")),
        hex,
    ]
}

/// What of the address must not be told, however it is written.
fn tells(answer: &str) -> bool {
    let lower = answer.to_lowercase();
    let encoded = [
        STANDARD.encode(SECRET),
        URL_SAFE_NO_PAD.encode(format!("{{\"to\":\"{SECRET}\"}}")),
        SECRET.bytes().map(|byte| format!("{byte:02x}")).collect(),
    ];
    lower.contains("secret.person") || encoded.iter().any(|one| answer.contains(one))
}

/// An event of each kind, all of whose free texts hold one spelling.
fn bodies(n: usize, text: &str) -> Vec<Value> {
    let minute = format!("2026-09-{:02}T08:{n:02}", 10 + n % 9);
    let event = |kind: &str, second: usize, more: Value| {
        let mut body = json!({
            "RecordType": kind, "MessageStream": "outbound", "ServerID": SERVER, "MessageID": MESSAGE,
            "Recipient": ASKED, "Tag": text, "Metadata": { "note": text },
        });
        let time = format!("{minute}:{second:02}Z");
        for (name, value) in more.as_object().unwrap() {
            body[name] = if value == "at" { json!(time) } else { value.clone() };
        }
        body
    };
    vec![
        event("Delivery", 1, json!({ "DeliveredAt": "at", "Details": text })),
        event(
            "Bounce",
            2,
            json!({ "BouncedAt": "at", "Email": ASKED, "ID": 100 + n, "Type": "HardBounce",
            "Inactive": true, "Name": text, "Description": text, "Details": text, "Subject": text, "From": text }),
        ),
        event("Open", 3, json!({ "ReceivedAt": "at", "FirstOpen": true, "UserAgent": text })),
        event("Click", 4, json!({ "ReceivedAt": "at", "OriginalLink": text, "UserAgent": text })),
        event(
            "SpamComplaint",
            5,
            json!({ "BouncedAt": "at", "Email": ASKED, "ID": 500 + n, "Type": "SpamComplaint",
            "Inactive": true, "Subject": text, "Description": text, "Details": text }),
        ),
        // What nobody can read is set aside.
        json!({ "RecordType": "Delivery", "DeliveredAt": text, "Recipient": text }),
    ]
}

#[test]
fn whoever_is_not_to_see_addresses_sees_none_in_any_answer_however_it_is_written() {
    let world = World::default();
    world.register(SERVER, "client", &[("outbound", StreamKind::Transactional)]);
    for (n, text) in spellings().iter().enumerate() {
        for body in bodies(n, text) {
            world.tell(SERVER, body.to_string());
        }
    }
    world.drain();
    world.consume();
    let below = |tail: &str| format!("/v1/servers/{SERVER}/{tail}");
    let operator = world.token(Role::Operator, None, true);
    let reason = json!({ "addresses": [ASKED, "other@customer.example"], "stream": "outbound",
        "reason": format!("asked by {SECRET}"), "postmark": false });
    let done = world.ask(Some(&operator), "POST", &below("suppressions"), &reason.to_string());
    assert_eq!(done.status(), 200, "{}", done.body());
    world.block(world.stack.drained()).unwrap();

    let id = world.ask(Some(&operator), "GET", &below(&format!("recipients/{ASKED}")), "");
    let id: Value = serde_json::from_str(id.body()).unwrap();
    let id = format!("id:{}", id["recipient_id"].as_str().unwrap());
    let check = json!({ "stream": "outbound", "addresses": [ASKED] }).to_string();
    let ruling = json!({ "stream": "outbound", "reason": "asked" }).to_string();
    let asks = |path: &str| -> Vec<(&str, String, String)> {
        let get = |tail: String| ("GET", below(&tail), String::new());
        match path {
            "/v1/servers" | "/v1/tokens" | "/v1/openapi.json" => {
                vec![("GET", path.to_owned(), String::new())]
            }
            "/v1/tokens/{id}" => Vec::new(),
            path => {
                let tail = path.trim_start_matches("/v1/servers/{server}/");
                let tails: Vec<String> = [ASKED, id.as_str()]
                    .iter()
                    .map(|address| {
                        tail.replace("{address}", address)
                            .replace("{message_id}", MESSAGE)
                            .replace("{stream}", "outbound")
                    })
                    .collect();
                match tail {
                    "check" => vec![("POST", below(tail), check.clone())],
                    "import" | "recipients/{address}/erase" => Vec::new(),
                    "recipients/{address}/reactivate" => {
                        tails.iter().map(|tail| ("POST", below(tail), ruling.clone())).collect()
                    }
                    "suppressions" => vec![("POST", below(tail), reason.to_string())],
                    "activity" | "stats" => vec![get(format!("{tail}?from=2026-09-05T00:00:00Z&limit=500"))]
                        .into_iter()
                        .filter(|_| tail == "activity")
                        .chain([get(tail.to_owned())])
                        .collect(),
                    _ => tails.into_iter().map(get).collect(),
                }
            }
        }
    };
    let (viewer, admin) =
        (world.token(Role::Viewer, Some(&[SERVER]), false), world.token(Role::Admin, Some(&[SERVER]), false));
    let (mut asked, mut stars, mut revealed) = (0, 0, 0);
    for route in Route::ALL {
        for (method, path, body) in asks(route.pattern()) {
            for token in [&viewer, &admin] {
                let told = world.ask(Some(token), method, &path, &body);
                assert!(told.status().as_u16() < 500, "{method} {path}: {}", told.body());
                assert!(!tells(told.body()), "{method} {path}: {}", told.body());
                if path.contains(&id) || !path.contains(ASKED) && body.is_empty() {
                    assert!(!told.body().contains(ASKED), "{method} {path}: {}", told.body());
                }
                stars += told.body().matches("***").count();
                asked += 1;
            }
            revealed += usize::from(tells(world.ask(Some(&operator), method, &path, &body).body()));
        }
    }
    assert!(asked > 30 && stars > 200 && revealed >= 4, "{asked} requests, {stars} stars, {revealed}");
}

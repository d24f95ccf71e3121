//! The read API as it is deployed: its routes before those of the doors, by what its role allows and no more.

use account::ServerEntry;
use api::route::Route;
use api::token::{New, Role, Token};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::policy::StreamKind;
use postledger_tests::deployed::Deployed;
use postledger_tests::fuzz_api::Fuzz;
use postledger_tests::{SERVER, server_id};
use serde_json::{Value, json};
use store::Quarantined;
use store::prelude::*;

const BOUNCE: &str = include_str!("../../shared/postmark/fixtures/bounce-hard.json");
const DELIVERY: &str = include_str!("../../shared/postmark/fixtures/delivery-current.json");

struct Client<'a> {
    stack: &'a Deployed,
    bearer: String,
}

impl<'a> Client<'a> {
    fn new(stack: &'a Deployed, role: Role, server: i64) -> Client<'a> {
        let new = New {
            name: "test".to_owned(),
            role,
            servers: Some([server_id(server)].into()),
            reveal_addresses: true,
            expires_at: None,
            created_by: "test".to_owned(),
            parent: None,
        };
        let (token, text) = Token::make(new, platform::now()).unwrap();
        stack.block(token.keep(&stack.store)).unwrap();
        Client { stack, bearer: format!("Bearer {text}") }
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let answer = self.stack.send(method, path, Some(&self.bearer), body.as_bytes());
        (answer.status().as_u16(), serde_json::from_str(answer.body()).unwrap_or(Value::Null))
    }

    /// What a path below the server's answers, well.
    fn told(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, told) = self.ask(method, &format!("/v1/servers/{SERVER}/{path}"), &body);
        assert_eq!(status, 200, "{method} {path}: {told}");
        told
    }
}

/// A body about an address that is set aside: it has no time.
fn bounced_about(address: &str) -> String {
    json!({ "RecordType": "Bounce", "ID": 7, "Type": "HardBounce", "Email": address, "BouncedAt": "never" })
        .to_string()
}

/// What a part in quarantine holds.
fn held(kept: &Quarantined) -> String {
    String::from_utf8_lossy(&STANDARD.decode(&kept.part.body).unwrap()).into_owned()
}

#[test]
fn the_ledger_is_asked_and_changed_over_http_by_what_the_functions_role_allows() {
    let stack = Deployed::with("api", &["ByTime=true"]);
    let mut entry = ServerEntry::new(server_id(SERVER), "Client", "Client", platform::now());
    entry.streams.insert("outbound".to_owned(), StreamKind::Transactional.into());
    stack.block(account::Registry(&stack.store).put(&entry)).unwrap();
    let right = stack.authorization(SERVER);
    for (segment, body) in [("bounce", BOUNCE), ("delivery", DELIVERY)] {
        stack.tell(SERVER, segment, &right, body.as_bytes());
    }
    stack.settled();
    let bounced: Value = serde_json::from_str(BOUNCE).unwrap();
    let (address, message) = (bounced["Email"].as_str().unwrap(), bounced["MessageID"].as_str().unwrap());
    let encoded = address.replace('@', "%40");

    let viewer = Client::new(&stack, Role::Viewer, SERVER);
    let checked = json!({ "stream": "outbound", "addresses": [address, "bob@customer.example", "none"] });
    let checked = viewer.told("POST", "check", &checked);
    assert_eq!(checked["counts"], json!({ "send": 1, "risky": 0, "do_not_send": 1, "invalid": 1 }));
    assert_eq!(checked["as_of"]["critical_queue"]["waiting"], 0);
    let known = viewer.told("GET", &format!("recipients/{encoded}"), &Value::Null);
    assert_eq!(known["streams"]["outbound"]["verdict"], "do_not_send");
    for path in [
        format!("recipients/{encoded}/timeline"),
        format!("messages/{message}"),
        "streams/outbound/suppressions".to_owned(),
    ] {
        let told = viewer.told("GET", &path, &Value::Null);
        assert!(!told["items"].as_array().unwrap().is_empty(), "{path}: {told}");
    }
    viewer.told("GET", "activity", &Value::Null);
    viewer.told("GET", "stats?zone=Europe/Berlin", &Value::Null);

    // What a gateway decodes on its way is one address all the same.
    for odd in ["a%2Fb%40customer.example", "i%2Bnews%40customer.example", "ren%C3%A9%40b%C3%BCcher.example"]
    {
        let told = viewer.told("GET", &format!("recipients/{odd}"), &Value::Null);
        assert_eq!(told["known"], false);
        assert!(!told["address"].as_str().unwrap().contains('%'), "{told}");
    }

    // Whoever is not let in, and what is no door.
    let path = format!("/v1/servers/{SERVER}/check");
    assert_eq!(stack.send("POST", &path, None, b"{}").status(), 401);
    assert_eq!(
        stack.send("POST", &path, Some(&right), BOUNCE.as_bytes()).status(),
        503,
        "a webhook comes again"
    );
    assert_eq!(stack.send("GET", "/v1/openapi.json", None, b"").status(), 200);
    let foreign = viewer.ask("GET", "/v1/servers/7/audit", "");
    assert_eq!((foreign.0, &foreign), (404, &viewer.ask("GET", "/v1/servers/8/audit", "")));
    assert_eq!(viewer.ask("GET", &format!("/v1/servers/{SERVER}/audit"), "").0, 403);
    assert_eq!(viewer.ask("DELETE", "/v1/servers", "").0, 405);

    let admin = Client::new(&stack, Role::Admin, SERVER);
    let bar =
        json!({ "addresses": ["bob@customer.example"], "stream": "*", "reason": "asked", "postmark": false });
    let barred = admin.told("POST", "suppressions", &bar);
    assert_eq!(barred["results"][0]["done"], true, "{barred}");
    stack.settled();
    let checked = json!({ "stream": "outbound", "addresses": ["bob@customer.example"] });
    let checked = viewer.told("POST", "check", &checked);
    assert_eq!(checked["results"][0]["reasons"][0]["code"], "barred_decision");
    let erased = admin.told("POST", &format!("recipients/{encoded}/erase"), &json!({}));
    assert_eq!(erased["already"], false, "{erased}");
    let known = viewer.told("GET", &format!("recipients/{encoded}"), &Value::Null);
    assert_eq!(known["streams"]["outbound"]["verdict"], "do_not_send", "the ban stays");
    // What was set aside about the person meanwhile is swept by the function that a schedule starts.
    let unusable = bounced_about(address);
    stack.tell(SERVER, "bounce", &right, unusable.as_bytes());
    stack.settled();
    let swept = stack.invoke("erase", &json!({})).unwrap();
    assert_eq!((&swept["recipients"], &swept["finished"]), (&json!(1), &json!(true)), "{swept}");
    let kept = stack.block(stack.store.quarantined_on(&platform::now().day())).unwrap();
    assert!(!kept.is_empty() && kept.iter().all(|kept| !held(kept).contains(address)));
    let export = admin.told("GET", &format!("recipients/{encoded}/export"), &Value::Null);
    assert!(!export["items"].to_string().contains(address), "{export}");
    for path in ["quarantine", "completeness", "audit"] {
        admin.told("GET", path, &Value::Null);
    }
    let (status, made) = admin.ask(
        "POST",
        "/v1/tokens",
        &json!({ "name": "viewer", "role": "viewer", "servers": [SERVER] }).to_string(),
    );
    assert_eq!(status, 201, "{made}");
    let id = made["id"].as_str().unwrap();
    assert_eq!(admin.ask("DELETE", &format!("/v1/tokens/{id}"), "").0, 200);

    // A few of all that its description allows and forbids. Each request takes the emulator some 50 ms.
    let operator = Client::new(&stack, Role::Operator, SERVER);
    let described = stack.send("GET", "/v1/openapi.json", None, b"");
    let (base, folder) = (stack.base(), stack.home.path().join("fuzz"));
    let fuzz = Fuzz {
        base: &base,
        description: described.body(),
        token: operator.bearer.trim_start_matches("Bearer "),
        spare: id,
        examples: 2,
        seed: 1,
        phases: Some("examples,fuzzing"),
        folder: &folder,
    };
    let fuzzed = fuzz.run();
    println!("{}", fuzzed.table());
    assert!(fuzzed.passed, "{}", fuzzed.said);
    for route in Route::ALL {
        assert!(!fuzzed.of(route).is_empty(), "{route:?}");
    }

    let printed = stack.printed("api").join("\n");
    assert!(!printed.contains("customer.example") && !printed.contains("plt_"), "{printed}");
}

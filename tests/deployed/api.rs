//! The read API as it is deployed: its routes before those of the doors, by what its role allows and no more.

use crate::scheduled::Postmark;
use account::ServerEntry;
use api::route::Route;
use api::token::{New, Role, Token};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::policy::StreamKind;
use postledger_tests::deployed::Deployed;
use postledger_tests::fuzz_api::{Fuzz, Fuzzed};
use postledger_tests::{SERVER, server_id};
use serde_json::{Value, json};
use store::Quarantined;
use store::prelude::*;

const BOUNCE: &str = include_str!("../../shared/postmark/fixtures/bounce-hard.json");
const DELIVERY: &str = include_str!("../../shared/postmark/fixtures/delivery-current.json");

/// Whoever asks the read API with a token of some role at a server.
pub(crate) struct Client<'a> {
    stack: &'a Deployed,
    bearer: String,
}

impl<'a> Client<'a> {
    pub(crate) fn new(stack: &'a Deployed, role: Role, server: i64) -> Client<'a> {
        let new = New {
            name: "test".to_owned(),
            role,
            servers: Some([server_id(server)].into()),
            reveal_addresses: true,
            read_content: false,
            expires_at: None,
            created_by: "test".to_owned(),
            parent: None,
        };
        let (token, text) = Token::make(new, platform::now()).unwrap();
        stack.block(token.keep(&stack.store)).unwrap();
        Client { stack, bearer: format!("Bearer {text}") }
    }

    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
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

/// Whom the bounce is about: the address, the path to the person, and the message.
struct Person {
    address: String,
    path: String,
    message: String,
}

impl Person {
    fn of_the_bounce() -> Person {
        let bounced: Value = serde_json::from_str(BOUNCE).unwrap();
        let (address, message) = (bounced["Email"].as_str().unwrap(), bounced["MessageID"].as_str().unwrap());
        Person {
            address: address.to_owned(),
            path: format!("recipients/{}", address.replace('@', "%40")),
            message: message.to_owned(),
        }
    }
}

#[test]
fn the_ledger_is_asked_and_changed_over_http_by_what_the_functions_role_allows() {
    // Whoever gives it a token is answered by Postmark's rules.
    let postmark = Postmark::days_ago(0);
    let at = format!("PostmarkUrl={}", postmark.url);
    let stack = Deployed::with("api", &["ByTime=true", &at]);
    let mut entry = ServerEntry::new(server_id(SERVER), "Client", "Client", platform::now());
    entry.streams.insert("outbound".to_owned(), StreamKind::Transactional.into());
    stack.block(account::Registry(&stack.store).put(&entry)).unwrap();
    let right = stack.authorization(SERVER);
    for (segment, body) in [("bounce", BOUNCE), ("delivery", DELIVERY)] {
        stack.tell(SERVER, segment, &right, body.as_bytes());
    }
    stack.settled();
    let person = Person::of_the_bounce();

    let viewer = Client::new(&stack, Role::Viewer, SERVER);
    a_viewer_is_told_whom_to_send_to_and_what_is_known(&viewer, &person);
    what_a_gateway_decodes_on_its_way_is_one_address_all_the_same(&viewer);
    whoever_is_not_let_in_and_what_is_no_door_is_told_so(&viewer, &right);

    let admin = Client::new(&stack, Role::Admin, SERVER);
    whom_an_admin_bars_a_viewer_is_told_not_to_send_to(&admin, &viewer);
    whom_an_admin_erases_stays_banned(&admin, &viewer, &person);
    what_was_set_aside_about_the_erased_meanwhile_is_swept(&admin, &person, &right);
    an_admin_reads_quarantine_completeness_and_audit(&admin);
    let revoked = a_token_that_an_admin_makes_can_be_revoked(&admin);

    let fuzzed = a_few_of_all_that_the_description_allows_and_forbids_are_asked(&stack, &revoked);
    println!("{}", fuzzed.table());
    assert!(fuzzed.passed, "{}", fuzzed.said);
    for route in Route::ALL {
        assert!(!fuzzed.of(route).is_empty(), "{route:?}");
    }
    no_address_and_no_token_is_printed(&stack);
}

/// Proves that the function may read recipients, events, lists, counters and the depth of the queue.
fn a_viewer_is_told_whom_to_send_to_and_what_is_known(viewer: &Client<'_>, person: &Person) {
    let checked =
        json!({ "stream": "outbound", "addresses": [person.address, "bob@customer.example", "none"] });
    let checked = viewer.told("POST", "check", &checked);
    assert_eq!(checked["counts"], json!({ "send": 1, "risky": 0, "do_not_send": 1, "invalid": 1 }));
    assert_eq!(checked["as_of"]["critical_queue"]["waiting"], 0);
    let known = viewer.told("GET", &person.path, &Value::Null);
    assert_eq!(known["streams"]["outbound"]["verdict"], "do_not_send");
    for path in [
        format!("{}/timeline", person.path),
        format!("messages/{}", person.message),
        "streams/outbound/suppressions".to_owned(),
    ] {
        let told = viewer.told("GET", &path, &Value::Null);
        assert!(!told["items"].as_array().unwrap().is_empty(), "{path}: {told}");
    }
    viewer.told("GET", "activity", &Value::Null);
    viewer.told("GET", "stats?zone=Europe/Berlin", &Value::Null);
}

/// Proves that an address in a path is taken whole, whatever its letters.
fn what_a_gateway_decodes_on_its_way_is_one_address_all_the_same(viewer: &Client<'_>) {
    for odd in ["a%2Fb%40customer.example", "i%2Bnews%40customer.example", "ren%C3%A9%40b%C3%BCcher.example"]
    {
        let told = viewer.told("GET", &format!("recipients/{odd}"), &Value::Null);
        assert_eq!(told["known"], false);
        assert!(!told["address"].as_str().unwrap().contains('%'), "{told}");
    }
}

/// Proves what is answered to no token, a webhook, another server, too low a role and a method that is none.
fn whoever_is_not_let_in_and_what_is_no_door_is_told_so(viewer: &Client<'_>, right: &str) {
    let (stack, path) = (viewer.stack, format!("/v1/servers/{SERVER}/check"));
    assert_eq!(stack.send("POST", &path, None, b"{}").status(), 401);
    assert_eq!(
        stack.send("POST", &path, Some(right), BOUNCE.as_bytes()).status(),
        503,
        "a webhook comes again"
    );
    assert_eq!(stack.send("GET", "/v1/openapi.json", None, b"").status(), 200);
    let foreign = viewer.ask("GET", "/v1/servers/7/audit", "");
    assert_eq!((foreign.0, &foreign), (404, &viewer.ask("GET", "/v1/servers/8/audit", "")));
    assert_eq!(viewer.ask("GET", &format!("/v1/servers/{SERVER}/audit"), "").0, 403);
    assert_eq!(viewer.ask("DELETE", "/v1/servers", "").0, 405);
}

/// Proves that the function may put a decision on the queue, and that the consumer records it.
fn whom_an_admin_bars_a_viewer_is_told_not_to_send_to(admin: &Client<'_>, viewer: &Client<'_>) {
    let bar =
        json!({ "addresses": ["bob@customer.example"], "stream": "*", "reason": "asked", "postmark": false });
    let barred = admin.told("POST", "suppressions", &bar);
    assert_eq!(barred["results"][0]["done"], true, "{barred}");
    admin.stack.settled();
    let checked = json!({ "stream": "outbound", "addresses": ["bob@customer.example"] });
    let checked = viewer.told("POST", "check", &checked);
    assert_eq!(checked["results"][0]["reasons"][0]["code"], "barred_decision");
}

/// Proves that the function may erase, and that what is known is gone while the ban is not.
fn whom_an_admin_erases_stays_banned(admin: &Client<'_>, viewer: &Client<'_>, person: &Person) {
    let erased = admin.told("POST", &format!("{}/erase", person.path), &json!({}));
    assert_eq!(erased["already"], false, "{erased}");
    let known = viewer.told("GET", &person.path, &Value::Null);
    assert_eq!(known["streams"]["outbound"]["verdict"], "do_not_send", "the ban stays");
}

/// Proves that neither quarantine nor an export holds the address, once the function that a schedule starts has run.
fn what_was_set_aside_about_the_erased_meanwhile_is_swept(admin: &Client<'_>, person: &Person, right: &str) {
    let (stack, unusable) = (admin.stack, bounced_about(&person.address));
    stack.tell(SERVER, "bounce", right, unusable.as_bytes());
    stack.settled();
    let swept = stack.invoke("erase", &json!({})).unwrap();
    assert_eq!((&swept["recipients"], &swept["finished"]), (&json!(1), &json!(true)), "{swept}");
    let kept = stack.block(stack.store.quarantined_on(&platform::now().day())).unwrap();
    assert!(!kept.is_empty() && kept.iter().all(|kept| !held(kept).contains(&person.address)));
    let export = admin.told("GET", &format!("{}/export", person.path), &Value::Null);
    assert!(!export["items"].to_string().contains(&person.address), "{export}");
}

/// Proves that the function may read what no viewer is shown.
fn an_admin_reads_quarantine_completeness_and_audit(admin: &Client<'_>) {
    for path in ["quarantine", "completeness", "audit"] {
        admin.told("GET", path, &Value::Null);
    }
}

/// Proves that the function may keep a token and take it back; its id.
fn a_token_that_an_admin_makes_can_be_revoked(admin: &Client<'_>) -> String {
    let (status, made) = admin.ask(
        "POST",
        "/v1/tokens",
        &json!({ "name": "viewer", "role": "viewer", "servers": [SERVER] }).to_string(),
    );
    assert_eq!(status, 201, "{made}");
    let id = made["id"].as_str().unwrap();
    assert_eq!(admin.ask("DELETE", &format!("/v1/tokens/{id}"), "").0, 200);
    id.to_owned()
}

/// The answers, by which the test proves that each route does what the description says.
fn a_few_of_all_that_the_description_allows_and_forbids_are_asked(stack: &Deployed, spare: &str) -> Fuzzed {
    let operator = Client::new(stack, Role::Operator, SERVER);
    let described = stack.send("GET", "/v1/openapi.json", None, b"");
    let (base, folder) = (stack.base(), stack.home.path().join("fuzz"));
    let aside = stack.block(postledger_tests::bodies::set_aside(&stack.store, SERVER, 77));
    let fuzz = Fuzz {
        base: &base,
        description: described.body(),
        token: operator.bearer.trim_start_matches("Bearer "),
        spare,
        // What is done with users over HTTP is done by the test of the portal.
        users: ["AAAAAAAAAAAAAAAAAAAAAA"; 2],
        aside: &aside,
        // A few only: each request takes the emulator some 50 ms.
        examples: 2,
        seed: 1,
        phases: Some("examples,fuzzing"),
        folder: &folder,
    };
    fuzz.run()
}

/// Proves that the function's log is free of addresses and tokens, after all of the above.
fn no_address_and_no_token_is_printed(stack: &Deployed) {
    let printed = stack.printed("api").join("\n");
    assert!(!printed.contains("customer.example") && !printed.contains("plt_"), "{printed}");
}

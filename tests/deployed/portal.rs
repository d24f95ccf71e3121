//! The portal as it is deployed: behind an API of its own, by what its function's role allows and no more, and its mail over a
//! queue and a Postmark.

use crate::api::Client;
use crate::scheduled::Postmark;
use account::ServerEntry;
use api::token::Role;
use http::Response;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, COOKIE, HOST, LOCATION, SET_COOKIE};
use ledger::policy::StreamKind;
use people::{Link, LinkFor};
use postledger_tests::command::{Folder, text};
use postledger_tests::deployed::{Deployed, aws_json, deploy};
use postledger_tests::emulator::Emulator;
use postledger_tests::{SERVER, server_id};
use serde_json::{Value, json};
use store::Collection;
use store::by_time;
use store::prelude::*;
use ureq::Agent;

const BOUNCE: &str = include_str!("../../shared/postmark/fixtures/bounce-hard.json");
const DELIVERY: &str = include_str!("../../shared/postmark/fixtures/delivery-current.json");

/// An operator of the agency.
const OPERATOR: &str = "olga@agency.example";
/// Somebody of a client.
const VIEWER: &str = "vera@client.example";
/// What a message is called whose id no gateway hands on as it is.
const ODD: &str = "half%41 price";

/// Whoever looks at the pages of a stack's portal.
struct Browser<'a> {
    stack: &'a Deployed,
    agent: Agent,
    cookies: Vec<String>,
}

impl<'a> Browser<'a> {
    fn new(stack: &'a Deployed) -> Browser<'a> {
        Browser { stack, agent: postledger::client::agent(), cookies: Vec::new() }
    }

    fn send(&mut self, method: &str, path: &str, form: &[(&str, &str)]) -> Response<Vec<u8>> {
        let api = self.stack.output("PortalApiId");
        let url = format!("{}/_aws/execute-api/{api}/%24default{path}", Emulator::enforcing().url);
        let form: Vec<String> =
            form.iter().map(|(name, value)| format!("{name}={}", value.replace('@', "%40"))).collect();
        let request = http::Request::builder()
            .method(method)
            .uri(url)
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded")
            .header(ACCEPT_ENCODING, "identity")
            .header(COOKIE, self.cookies.join("; "));
        let request = request.body(form.join("&").into_bytes()).unwrap();
        let (parts, mut body) = self.agent.run(request).unwrap().into_parts();
        let answer = Response::from_parts(parts, body.read_to_vec().unwrap());
        for set in answer.headers().get_all(SET_COOKIE) {
            let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
            let name = pair.split('=').next().unwrap().to_owned();
            self.cookies.retain(|known| known.split('=').next() != Some(&name));
            if !pair.ends_with('=') {
                self.cookies.push(pair);
            }
        }
        answer
    }

    /// A page, as text.
    fn page(&mut self, path: &str) -> String {
        let answer = self.send("GET", path, &[]);
        assert_eq!(answer.status(), 200, "{path}: {}", String::from_utf8_lossy(answer.body()));
        String::from_utf8(answer.into_body()).unwrap()
    }

    /// Posts a form; where it leads on to.
    fn post(&mut self, path: &str, form: &[(&str, &str)]) -> String {
        let answer = self.send("POST", path, form);
        assert_eq!(answer.status(), 303, "{path}: {}", String::from_utf8_lossy(answer.body()));
        answer.headers()[LOCATION].to_str().unwrap().to_owned()
    }
}

/// The mails that Postmark was given for an address, the latest first.
fn mails(postmark: &Postmark, to: &str) -> Vec<Value> {
    let listed =
        postmark.call("GET", &format!("/messages/outbound?count=50&offset=0&recipient={to}"), &Value::Null);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    listed["Messages"].as_array().unwrap().clone()
}

#[test]
fn people_sign_in_over_http_and_see_why_an_address_must_not_be_mailed() {
    let postmark = Postmark::days_ago(0);
    let token = json!({ "Name": "/postledger/portal/mail", "Value": postmark.token, "Type": "SecureString" });
    aws_json("ssm", "AmazonSSM.PutParameter", &token);
    let at = format!("PostmarkUrl={}", postmark.url);
    // The environment's own has the index by time in any case.
    let stack = Deployed::with("portal", &["ByTime=false", &at]);
    assert_eq!(stack.output("ByTime"), "false");
    let mut entry = ServerEntry::new(server_id(SERVER), "Acme", "Acme", platform::now());
    entry.streams.insert("outbound".to_owned(), StreamKind::Transactional.into());
    stack.block(account::Registry(&stack.store).put(&entry)).unwrap();
    let right = stack.authorization(SERVER);
    stack.tell(SERVER, "bounce", &right, BOUNCE.as_bytes());
    stack.settled();
    let from = "MailFrom=Acme <portal@agency.example>";
    let named = ["Portal=true", "PortalConnects=true", "ByTime=false", "PortalName=Mail of Acme", from, &at];
    let said = stack.redeploy(&named);
    for words in ["switches the index by time on", "whole from this deployment on", "postledger index fill"] {
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(stack.output("ByTime"), "true");
    let mut odd: Value = serde_json::from_str(DELIVERY).unwrap();
    odd["MessageID"] = ODD.into();
    stack.tell(SERVER, "delivery", &right, odd.to_string().as_bytes());
    stack.settled();

    let mut operator = an_operator_lets_itself_in_by_a_link_that_works_once(&stack);
    the_first_sentence_says_that_a_bounced_address_must_not_be_mailed(&mut operator);
    activity_is_listed_from_the_day_of_the_portal_on(&mut operator);
    older_events_are_filled_in_by_a_command_and_the_list_is_whole(&stack, &mut operator);
    what_is_suppressed_on_a_page_is_recorded_though_the_portal_writes_no_event(&stack, &mut operator);
    webhooks_are_set_up_on_a_page_by_a_function_that_alone_has_the_key(&stack, &postmark, &mut operator);
    a_message_is_found_whatever_its_id_is(&mut operator);
    a_page_is_packed_for_whoever_takes_that(&stack);
    let code = a_code_is_mailed_and_lets_in_the_browser_that_asked(&stack, &postmark);
    whom_an_agencys_system_vouches_for_is_let_in_and_sees_its_server_alone(&stack);
    whoever_is_removed_is_out_at_once(&stack, &mut operator);
    what_is_over_is_swept(&stack);
    nothing_was_refused_and_nothing_is_logged_of_anybody(&stack, &code);
}

/// Proves the operator's way: invited, and in by a link, over AWS.
fn an_operator_lets_itself_in_by_a_link_that_works_once(stack: &Deployed) -> Browser<'_> {
    let invited = stack.told(&["user", "invite", OPERATOR, "--operator", "--reveal"]);
    assert_eq!(invited["mailed"], true, "{invited}");
    let made = stack.told(&["user", "link", OPERATOR]);
    let url = made["url"].as_str().unwrap();
    // Browsers find it on this machine; what stands before the path is the emulator's own way of saying which API.
    let host = format!("http://{}.execute-api.localhost:", stack.output("PortalApiId"));
    let (_, path) =
        url.strip_prefix(&host).and_then(|rest| rest.split_once('/')).unwrap_or_else(|| panic!("{url}"));
    let (link, mut browser) = (format!("/{path}"), Browser::new(stack));
    let (_, authority) = Emulator::enforcing().url.rsplit_once(':').unwrap();
    let by_name = http::Request::get(format!("{}{link}", Emulator::enforcing().url))
        .header(HOST, format!("{}{authority}", host.trim_start_matches("http://")));
    let by_name = postledger::client::agent().run(by_name.body(()).unwrap()).unwrap();
    assert_eq!(by_name.status(), 200, "where the link leads");
    assert!(browser.page(&link).contains("Mail of Acme"));
    assert_eq!(browser.post(&link, &[]), "/");
    assert_eq!(Browser::new(stack).send("POST", &link, &[]).status(), 410, "it was used");
    assert!(browser.page("/").contains("Acme"));
    assert_eq!(Browser::new(stack).send("GET", "/", &[]).status(), 303, "nobody else is in");
    browser
}

/// Proves that the function may read recipients and events, and the depth of the queue.
fn the_first_sentence_says_that_a_bounced_address_must_not_be_mailed(browser: &mut Browser<'_>) {
    let bounced: Value = serde_json::from_str(BOUNCE).unwrap();
    let address = bounced["Email"].as_str().unwrap();
    let found = browser.post(&format!("/servers/{SERVER}/recipients"), &[("address", address)]);
    assert!(found.starts_with(&format!("/servers/{SERVER}/recipients/")) && !found.contains('@'), "{found}");
    let page = browser.page(&found);
    let (_, sentence) = page.split_once("<h1 class=\"verdict stop\">").unwrap_or_else(|| panic!("{page}"));
    assert!(sentence.split_once("</h1>").unwrap().0.contains(address), "{page}");
    for path in ["suppressions", "statistics", "truth", "audit", "people"] {
        browser.page(&format!("/servers/{SERVER}/{path}"));
    }
}

/// Proves that the index by time was added to a table that is in use, and what it has from then on.
fn activity_is_listed_from_the_day_of_the_portal_on(browser: &mut Browser<'_>) {
    for (body, at, is_listed) in [(BOUNCE, "BouncedAt", false), (DELIVERY, "DeliveredAt", true)] {
        let event: Value = serde_json::from_str(body).unwrap();
        let day = &event[at].as_str().unwrap()[..10];
        let page = browser.page(&format!("/servers/{SERVER}/activity?day={day}"));
        let listed = page.contains(&format!("/servers/{SERVER}/recipients/"));
        assert_eq!(listed, is_listed, "{day}: {page}");
    }
}

/// Proves that the deployment noted the switch, that the functions may read what is noted, and that a command makes it whole.
fn older_events_are_filled_in_by_a_command_and_the_list_is_whole(
    stack: &Deployed,
    browser: &mut Browser<'_>,
) {
    let page = format!("/servers/{SERVER}/activity");
    assert!(browser.page(&page).contains("This list is whole from"));
    let refused = stack.ask_with(&["index", "fill", "--yes"], b"");
    assert!(text(&refused.stderr).contains("switched on minutes ago"), "{}", text(&refused.stderr));
    // As if that had been an hour ago.
    let hour_ago = platform::now().plus_seconds(-3_600);
    stack.block(by_time::note_off(&stack.store)).unwrap();
    stack.block(by_time::note_on(&stack.store, hour_ago, false)).unwrap();
    let filled = stack.told(&["index", "fill", "--yes"]);
    assert_eq!((&filled["state"], &filled["filled"]), (&json!("whole"), &json!(1)), "{filled}");
    assert!(!browser.page(&page).contains("This list is whole from"));
    let event: Value = serde_json::from_str(BOUNCE).unwrap();
    let day = &event["BouncedAt"].as_str().unwrap()[..10];
    let listed = browser.page(&format!("{page}?day={day}"));
    assert!(listed.contains(&format!("/servers/{SERVER}/recipients/")), "{day}: {listed}");
}

/// Proves that the portal's function, which may not write it, has the API do it as whoever is signed in.
fn what_is_suppressed_on_a_page_is_recorded_though_the_portal_writes_no_event(
    stack: &Deployed,
    browser: &mut Browser<'_>,
) {
    let target = format!("/servers/{SERVER}/suppress");
    let address = "stop.this@customer.example";
    let typed = [("stream", "outbound"), ("addresses", address), ("reason", "asked by telephone")];
    let send = |action: &'static str| [&typed[..], &[("action", action)]].concat();
    let plan = browser.send("POST", &target, &send("plan"));
    assert_eq!(plan.status(), 200, "{}", stack.printed("portal").join("\n"));
    let done = browser.send("POST", &target, &send("carry-out"));
    assert_eq!(done.status(), 200);
    let done = String::from_utf8_lossy(done.body());
    assert!(done.contains("The address is suppressed on outbound"), "{done}");
    let whom = [("address", address)];
    stack.settled();
    let found = browser.post(&format!("/servers/{SERVER}/recipients"), &whom);
    assert!(browser.page(&found).contains("<h1 class=\"verdict stop\">"));
}

/// Proves that what is asked for on a page is handed over, done by another function once the operator has put the key there, and
/// read back; and that the page says what is missing until then.
fn webhooks_are_set_up_on_a_page_by_a_function_that_alone_has_the_key(
    stack: &Deployed,
    postmark: &Postmark,
    browser: &mut Browser<'_>,
) {
    let server = postmark.server.to_string();
    let add = ["server", "add", "--server", &server, "--postmark", &postmark.url];
    let added = stack.ask_with(&add, postmark.token.as_bytes());
    assert!(added.status.success(), "{}", text(&added.stderr));
    let page = format!("/servers/{server}/webhooks");
    let send = |action: &'static str| [("form", "one_url"), ("action", action)];
    let plan = browser.send("POST", &page, &send("plan"));
    let plan = String::from_utf8_lossy(plan.body()).into_owned();
    assert!(plan.contains("is created"), "{plan}");
    let told = || postmark.call("GET", "/webhooks", &Value::Null);
    assert_eq!(browser.post(&page, &send("connect")), format!("{page}?done=asked"));
    stack.wait_until("the job is refused", || browser.page(&page).contains("postledger keys store"));
    assert!(!told().contains("/events"), "{}", told());
    let stored = stack.told(&["keys", "store", "--yes"]);
    assert_eq!(stored["parameter"], "/postledger/portal/signing-key");
    assert_eq!(browser.post(&page, &send("connect")), format!("{page}?done=asked"));
    stack.wait_until("the webhooks are set up", || browser.page(&page).contains("All is done."));
    let doors = format!("{}/_aws/execute-api/{}/", Emulator::enforcing().url, stack.output("ApiId"));
    let told: Value = serde_json::from_str(&told()).unwrap();
    let urls: Vec<&str> =
        told["Webhooks"].as_array().unwrap().iter().map(|one| one["Url"].as_str().unwrap()).collect();
    assert!(!urls.is_empty() && urls.iter().all(|url| url.starts_with(&doors)), "{urls:?}");
    let audit = browser.page(&format!("/servers/{server}/audit"));
    assert!(audit.contains("Carried out the set-up of webhooks"), "{audit}");
    let removed = stack.told(&["keys", "store", "--remove"]);
    assert_eq!(removed["state"], "removed");
}

/// Proves that what the gateway decodes is undone.
fn a_message_is_found_whatever_its_id_is(browser: &mut Browser<'_>) {
    let page = browser.page(&format!("/servers/{SERVER}/messages/half%2541%20price"));
    assert!(page.contains(ODD), "{page}");
}

/// Proves that a packed page passes the gateway unharmed.
fn a_page_is_packed_for_whoever_takes_that(stack: &Deployed) {
    let api = stack.output("PortalApiId");
    let url = format!("{}/_aws/execute-api/{api}/%24default/sign-in", Emulator::enforcing().url);
    let request = http::Request::get(url).header(ACCEPT_ENCODING, "gzip").body(()).unwrap();
    let (parts, mut body) = postledger::client::agent().run(request).unwrap().into_parts();
    let bytes = body.read_to_vec().unwrap();
    assert_eq!(parts.headers[CONTENT_ENCODING], "gzip");
    assert_eq!(bytes[..3], [0x1f, 0x8b, 8], "{:?}", &bytes[..8]);
}

/// Proves the whole way of a mail, and that a cookie is set while another is taken away; the code.
fn a_code_is_mailed_and_lets_in_the_browser_that_asked(stack: &Deployed, postmark: &Postmark) -> String {
    stack.told(&["user", "invite", VIEWER, "--viewer-of", &SERVER.to_string()]);
    stack.wait_until("the invitation is sent", || !mails(postmark, VIEWER).is_empty());
    let mut browser = Browser::new(stack);
    assert_eq!(browser.post("/sign-in", &[("address", VIEWER)]), "/sign-in/code");
    let mut nobody = Browser::new(stack);
    assert_eq!(nobody.post("/sign-in", &[("address", "nobody@client.example")]), "/sign-in/code");
    stack.wait_until("the code is sent", || mails(postmark, VIEWER).len() == 2);
    let mail = mails(postmark, VIEWER).into_iter().find(|mail| mail["Tag"] == "postledger-sign-in").unwrap();
    assert_eq!((&mail["TrackOpens"], &mail["TrackLinks"]), (&json!(false), &json!("None")));
    assert!(mail["From"].as_str().unwrap().contains("portal@agency.example"), "{mail}");
    let code = mail["Subject"].as_str().unwrap().strip_prefix("Your code: ").unwrap().to_owned();
    let elsewhere = nobody.send("POST", "/sign-in/code", &[("code", &code)]);
    assert_eq!(elsewhere.status(), 403, "another browser has not asked for it");
    let answer = browser.send("POST", "/sign-in/code", &[("code", &code)]);
    assert_eq!((answer.status().as_u16(), answer.headers().get_all(SET_COOKIE).iter().count()), (303, 2));
    assert!(browser.page(&format!("/servers/{SERVER}")).contains("Acme"));
    assert_eq!(browser.send("GET", "/servers/8123457", &[]).status(), 404);
    assert!(mails(postmark, "nobody@client.example").is_empty());
    assert_eq!(browser.post("/sign-out", &[]), "/sign-in", "a session is deleted");
    assert_eq!(browser.send("GET", "/account", &[]).status(), 401);
    code
}

/// Proves that the read API knows where the portal is, and may make links to it.
fn whom_an_agencys_system_vouches_for_is_let_in_and_sees_its_server_alone(stack: &Deployed) {
    let client = Client::new(stack, Role::Viewer, SERVER);
    let body = json!({ "servers": [{ "server": SERVER, "role": "viewer" }] });
    let (status, made) = client.ask("POST", "/v1/portal-links", &body.to_string());
    assert_eq!(status, 201, "{made}");
    let (_, link) = made["url"].as_str().unwrap().split_once("/link/").unwrap();
    let mut browser = Browser::new(stack);
    browser.post(&format!("/link/{link}"), &[]);
    browser.page(&format!("/servers/{SERVER}"));
    assert_eq!(browser.send("GET", "/servers/8123457", &[]).status(), 404);
    assert_eq!(browser.send("GET", "/people", &[]).status(), 404);
}

/// Proves that the read API may invite and delete people, and that whoever is deleted has no session.
fn whoever_is_removed_is_out_at_once(stack: &Deployed, operator: &mut Browser<'_>) {
    let client = Client::new(stack, Role::Operator, SERVER);
    let body =
        json!({ "addresses": ["bob@client.example"], "servers": [{ "server": SERVER, "role": "viewer" }] });
    let (status, invited) = client.ask("POST", "/v1/users", &body.to_string());
    assert_eq!((status, &invited["mailed"]), (201, &json!(true)), "{invited}");
    let id = invited["items"][0]["id"].as_str().unwrap();
    assert_eq!(client.ask("DELETE", &format!("/v1/users/{id}"), "").0, 204);
    operator.page("/account");
    let removed = stack.ask(&["user", "remove", OPERATOR]);
    assert!(removed.status.success(), "{}", text(&removed.stderr));
    assert_eq!(operator.send("GET", "/account", &[]).status(), 401);
}

/// Proves that the function which a schedule starts takes away what is over.
fn what_is_over_is_swept(stack: &Deployed) {
    let who = LinkFor::User { id: "somebody".to_owned() };
    let (link, _) = stack.block(Link::make(&stack.store, who, platform::now().plus_seconds(-7_200))).unwrap();
    let is_there = || stack.block(stack.store.document(&Collection::Links, &link.hash())).unwrap().is_some();
    assert!(is_there());
    stack.invoke("watch", &json!({})).unwrap();
    assert!(!is_there());
}

/// Proves that each role allows what its function does, and that no log has a person in it.
fn nothing_was_refused_and_nothing_is_logged_of_anybody(stack: &Deployed, code: &str) {
    for function in ["portal", "mail", "api", "watch", "connect"] {
        let printed = stack.printed(function).join("\n");
        assert!(!printed.contains("access_denied"), "{function}: {printed}");
        let digits = code.replace(' ', "");
        for secret in ["agency.example", "client.example", "customer.example", code, &digits, "/link/"] {
            assert!(!printed.contains(secret), "{function}: {secret}: {printed}");
        }
    }
}

#[test]
fn a_portal_whose_mail_could_not_be_sent_is_refused_before_anything_is_deployed() {
    let home = Folder::new("mailless");
    let output = deploy("mailless", &home, &["Portal=true", "MailFrom=portal@agency.example"]);
    let told = text(&output.stderr);
    assert!(!output.status.success() && told.contains("/postledger/mailless/mail"), "{told}");
    assert!(told.contains("nothing was deployed") && told.contains("aws ssm put-parameter"), "{told}");
}

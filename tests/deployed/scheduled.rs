//! What a schedule starts and what asks Postmark: the simulator as Postmark, over real HTTP both ways.

use account::{Registry, ServerEntry};
use postledger_tests::command::text;
use postledger_tests::deployed::Deployed;
use postledger_tests::emf::{checked, emitted_by};
use postledger_tests::lambda::built;
use postledger_tests::server_id;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// A time that is over: what is to start then is started at once.
const LONG_PAST: &str = "at(2026-01-01T00:00:00)";

/// A Postmark as a process; its clock stands still unless it is moved.
pub(crate) struct Postmark {
    child: Child,
    pub(crate) url: String,
    pub(crate) server: i64,
    pub(crate) token: String,
}

impl Drop for Postmark {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Postmark {
    /// One with a server, as it was some days ago.
    pub(crate) fn days_ago(days: i64) -> Postmark {
        let start = platform::now().plus_days(-days).to_string();
        let mut child = Command::new(built().join("postmark-simulator"))
            .args(["--port", "0", "--speed", "0", "--json", "--start", &start])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap();
        let server = &told["servers"][0];
        Postmark {
            child,
            url: told["url"].as_str().unwrap().to_owned(),
            server: server["id"].as_i64().unwrap(),
            token: server["token"].as_str().unwrap().to_owned(),
        }
    }

    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> String {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("content-type", "application/json")
            .header("accept", "application/json")
            .header("x-postmark-server-token", &self.token)
            .body(body.to_string())
            .unwrap();
        let mut answer = postledger::client::agent().run(request).unwrap();
        let told = answer.body_mut().read_to_string().unwrap();
        assert!(answer.status().is_success(), "{method} {path}: {told}");
        told
    }

    fn send(&self, to: &str) {
        let mail = json!({ "From": "a@sender.example", "To": to, "Subject": "Hello", "TextBody": "Hello" });
        self.call("POST", "/email", &mail);
    }

    /// Moves the clock on to some minutes before now, with all that is told on the way.
    pub(crate) fn advance_to_minutes_ago(&self, minutes: i64) {
        let to = platform::now().plus_seconds(-60 * minutes).to_string();
        self.call("POST", &format!("/simulator/advance?to={to}"), &Value::Null);
    }
}

/// The lines of metrics that a function has printed.
fn metrics(stack: &Deployed, function: &str) -> Vec<Value> {
    let lines = stack.printed(function).into_iter().filter_map(|line| serde_json::from_str(&line).ok());
    lines.filter(|line: &Value| line["_aws"].is_object()).collect()
}

/// What a look at the server finds.
fn look(stack: &Deployed) -> Value {
    stack.invoke("watch", &json!({})).unwrap()[0].clone()
}

/// Compares the ledger with Postmark; there were so many runs then.
fn compare(stack: &Deployed, runs: u64) {
    let all = json!({ "servers": 1, "done": 1 });
    assert_eq!(stack.invoke("reconcile", &json!({})).unwrap(), all);
    stack.wait_until("the run is counted", || stack.counted("reconcile", "ReconcileRun") == runs);
    stack.settled();
}

#[test]
fn what_was_lost_before_there_were_webhooks_is_fetched_and_each_run_tells_what_it_found() {
    let postmark = Postmark::days_ago(3);
    let (server, at) = (postmark.server.to_string(), format!("PostmarkUrl={}", postmark.url));
    let started = format!("ReconcileSchedule={LONG_PAST}");
    let stack = Deployed::with("asked", &[&at, "Schedules=ENABLED", &started, "WatchRepair=false"]);
    let asked = ["--server", &server, "--postmark", &postmark.url];

    each_schedule_is_on_and_leads_to_its_function(&stack);
    mail_of_three_days_is_sent_while_no_webhook_is_there(&postmark);
    stack.wait_until("its schedule starts reconcile", || stack.counted("reconcile", "ReconcileRun") == 1);
    a_server_is_added_as_if_it_had_been_there_from_the_first_mail_on(&stack, &postmark, &asked);
    a_function_that_is_only_asked_whether_it_starts_does_nothing(&stack);
    a_server_is_silent_until_it_is_connected(&stack, &postmark, &asked);
    what_was_lost_is_fetched_and_what_is_known_is_told_once(&stack, &server);
    what_a_paused_type_would_have_told_is_seen_by_its_absence(&stack, &postmark, &asked);
    a_postmark_that_refuses_is_found_and_counted(&stack, &postmark);
    nothing_was_refused_under_roles_that_allow_what_they_name_and_no_more(&stack);
    each_metric_of_these_functions_was_printed(&stack);
}

/// Proves that the template's schedules are as its parameters say.
fn each_schedule_is_on_and_leads_to_its_function(stack: &Deployed) {
    for (function, expression) in [("reconcile", LONG_PAST), ("watch", "rate(15 minutes)")] {
        let schedule = stack.schedule(function);
        assert_eq!(
            (&schedule["ScheduleExpression"], &schedule["State"]),
            (&json!(expression), &json!("ENABLED"))
        );
        let target = schedule["Target"]["Arn"].as_str().unwrap();
        assert!(target.ends_with(&format!(":function:asked-{function}")), "{target}");
    }
}

/// Proves nothing by itself: nobody is told of this mail, and what follows proves that it is found.
fn mail_of_three_days_is_sent_while_no_webhook_is_there(postmark: &Postmark) {
    for to in ["ida+hard", "ben+delivered.open1", "eve+delivered.complaint"] {
        postmark.send(&format!("{to}@customer.example"));
    }
    postmark.advance_to_minutes_ago(120);
    postmark.send("zoe+delivered@customer.example");
    postmark.advance_to_minutes_ago(40);
}

/// Proves that the command registers a server of the deployed stack, whose days begin before the mail.
fn a_server_is_added_as_if_it_had_been_there_from_the_first_mail_on(
    stack: &Deployed,
    postmark: &Postmark,
    asked: &[&str],
) {
    let added = stack.ask_with(&[&["server", "add"], asked].concat(), postmark.token.as_bytes());
    assert!(added.status.success(), "{}", text(&added.stderr));
    let registry = Registry(&stack.store);
    let four_days_ago = platform::now().plus_days(-4);
    let since = |entry: &mut ServerEntry| entry.added_at = four_days_ago;
    stack.block(registry.update(server_id(postmark.server), since)).unwrap();
}

/// Proves that the check after a deployment starts each function and has no effect.
fn a_function_that_is_only_asked_whether_it_starts_does_nothing(stack: &Deployed) {
    let check = json!({ "check": true });
    for function in ["reconcile", "watch", "erase"] {
        assert_eq!(stack.invoke(function, &check).unwrap(), json!({ "status": "ok" }), "it starts");
    }
    assert_eq!(stack.counted("reconcile", "ReconcileRun"), 1, "and does nothing when it is only asked that");
}

/// Proves that `watch` finds that webhooks are missing, and that `connect` mends it.
fn a_server_is_silent_until_it_is_connected(stack: &Deployed, postmark: &Postmark, asked: &[&str]) {
    let looked = look(stack);
    assert!(looked["drift"].as_u64().unwrap() > 0 && looked["silent"] == true, "{looked}");
    let connected = stack.ask(&[&["connect", "--yes"], asked].concat());
    assert!(connected.status.success(), "{}{}", text(&connected.stdout), text(&connected.stderr));
    postmark.send("amy+delivered@customer.example");
    postmark.advance_to_minutes_ago(30);
    stack.settled();
    let looked = look(stack);
    assert!(looked["drift"] == 0 && looked["silent"] == false, "{looked}");
}

/// Proves that `reconcile` fetches what no webhook told, and that a second run finds nothing more.
fn what_was_lost_is_fetched_and_what_is_known_is_told_once(stack: &Deployed, server: &str) {
    compare(stack, 2);
    for (to, verdict) in [
        ("ida+hard", "do_not_send"),
        ("eve+delivered.complaint", "do_not_send"),
        ("ben+delivered.open1", "send"),
        ("amy+delivered", "send"),
    ] {
        let address = format!("{to}@customer.example");
        let told = stack.told(&["recipient", "--server", server, &address, "--stream", "outbound"]);
        assert!(told["known"] == true && told["streams"]["outbound"]["verdict"] == verdict, "{told}");
    }
    let repaired = stack.counted("reconcile", "DriftRepaired");
    assert!(repaired >= 2, "{repaired}");
    compare(stack, 3);
    assert_eq!(stack.counted("reconcile", "DriftRepaired"), repaired, "what is known is told once");
}

/// Proves that `watch` names what Postmark paused and mends it, and that `reconcile` sees what was not told.
fn what_a_paused_type_would_have_told_is_seen_by_its_absence(
    stack: &Deployed,
    postmark: &Postmark,
    asked: &[&str],
) {
    let webhooks: Value = serde_json::from_str(&postmark.call("GET", "/webhooks", &Value::Null)).unwrap();
    let tells = |one: &&Value| {
        one["MessageStream"] == "outbound" && one["Triggers"]["SubscriptionChange"]["Enabled"] == true
    };
    let id = &webhooks["Webhooks"].as_array().unwrap().iter().find(tells).unwrap()["ID"];
    postmark.call("POST", &format!("/simulator/pause?webhook={id}&trigger=SubscriptionChange"), &Value::Null);
    let lifted = json!({ "Suppressions": [{ "EmailAddress": "ida+hard@customer.example" }] });
    postmark.call("POST", "/message-streams/outbound/suppressions/delete", &lifted);
    postmark.advance_to_minutes_ago(20);
    assert_eq!(look(stack)["unverified"], json!({ "SubscriptionChange": 1 }));
    compare(stack, 4);
    assert_eq!(stack.counted("reconcile", "DriftExtra"), 1);
    let repaired = stack.ask(&[&["watch", "--repair"], asked].concat());
    assert!(text(&repaired.stdout).contains("trigger_reverified"), "{}", text(&repaired.stderr));
    assert_eq!(look(stack)["unverified"], json!({}));
}

/// Proves that a Postmark that does not answer is a finding, and a metric that an alarm can look at.
fn a_postmark_that_refuses_is_found_and_counted(stack: &Deployed, postmark: &Postmark) {
    postmark.call("PUT", "/simulator/faults", &json!({ "maintenance": true }));
    assert_eq!(look(stack)["findings"][0]["code"], "postmark_unanswered");
    stack.wait_until("the refusal is counted", || stack.counted("watch", "PostmarkApiErrors") > 0);
}

/// Proves that the roles of the two functions name all that was needed above.
fn nothing_was_refused_under_roles_that_allow_what_they_name_and_no_more(stack: &Deployed) {
    for function in ["reconcile", "watch"] {
        for line in stack.printed(function) {
            assert!(
                !line.contains("AccessDenied") && !line.contains("\"level\":\"ERROR\""),
                "{function}: {line}"
            );
        }
    }
}

/// Proves that all that the two functions may count was counted, as AWS demands it, but what was nothing here.
fn each_metric_of_these_functions_was_printed(stack: &Deployed) {
    let lines = [metrics(stack, "reconcile"), metrics(stack, "watch")].concat();
    let seen = checked(&lines, "local");
    let mut expected = emitted_by(&["functions/reconcile", "functions/watch"]);
    assert!(expected.remove("Unexplained"), "there was nothing that is not explained");
    assert!(expected.remove("ServersSilent"), "one that is not connected yet is no server that fell silent");
    assert_eq!(seen.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected, "each was printed");
}

//! The commands that ask the read API and change a ledger through it, run as people and scripts run them.

use crate::commands::Running;
use crate::fixtures;
use postledger_tests::command::{Folder, command, run, text};
use postledger_tests::{SERVER, World};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Output, Stdio};

/// The sample's server.
pub(crate) const AT: [&str; 2] = ["--server", "8123456"];

fn words<'a>(command: &[&'a str], rest: &[&'a str]) -> Vec<&'a str> {
    [command, &AT, rest].concat()
}

/// Standard output of a command that ended well.
fn out(output: &Output) -> String {
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn lines(output: &Output) -> Vec<Value> {
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_list_is_checked_and_the_exit_status_says_whether_all_may_be_mailed() {
    let running = Running::start("check", &[]);
    let check = |rest: &[&str], input: &str| running.ask(&words(&["check"], rest), input.as_bytes());
    let outbound = ["--stream", "outbound"];

    let good = check(&outbound, "ida.moreau@customer.example\nback.again@customer.example\n");
    assert_eq!(
        out(&good),
        "address,verdict,reasons,since\r\nida.moreau@customer.example,send,,\r\nback.again@customer.example,send,,\r\n"
    );
    assert!(
        text(&good.stderr).contains("2 send, 0 risky, 0 do not send, 0 invalid"),
        "{}",
        text(&good.stderr)
    );

    let listed = running.home().join("list.csv");
    let csv =
        "E-Mail;Name\nida.moreau@customer.example;Ida\n\nno address;x\nno.such.user@customer.example;y\n";
    std::fs::write(&listed, csv).unwrap();
    let mixed = check(&[&outbound[..], &[listed.to_str().unwrap()]].concat(), "");
    assert_eq!(mixed.status.code(), Some(1));
    let rows: Vec<String> = text(&mixed.stdout).lines().map(str::to_owned).collect();
    assert_eq!(rows[2], "no address,invalid,the address has no @,");
    assert!(
        rows[3].starts_with("no.such.user@customer.example,do_not_send,listed_hard_bounce hard_bounce,20")
    );
    assert!(text(&mixed.stderr).contains("line 4: the address has no @"), "{}", text(&mixed.stderr));
    let only_invalid = check(&outbound, "no address\n");
    assert_eq!(only_invalid.status.code(), Some(1), "what is no address may not be mailed");

    let annoyed = ["--stream", "outbound", "--address", "annoyed@customer.example"];
    let risky = check(&annoyed, "");
    assert!(out(&risky).contains("annoyed@customer.example,risky,complained,"));
    assert_eq!(check(&[&annoyed[..], &["--strict"]].concat(), "").status.code(), Some(1));
    let told = check(&[&annoyed[..], &["--json"]].concat(), "");
    let told = lines(&told);
    assert_eq!((told.len(), &told[0]["reasons"][0]["code"]), (1, &json!("complained")));

    let slip = check(&["--stream", "outboud", "--address", "a@x.example"], "");
    assert_eq!(slip.status.code(), Some(2));
    assert!(text(&slip.stderr).contains("did you mean outbound?"), "{}", text(&slip.stderr));
    let nowhere = running.ask(&["check", "--server", "99", "--stream", "s", "--address", "a@x.example"], b"");
    assert_eq!(nowhere.status.code(), Some(2), "that it could not be asked is no answer");
    assert!(text(&nowhere.stderr).contains("postledger server add"), "{}", text(&nowhere.stderr));
    let empty = check(&outbound, "");
    assert_eq!(empty.status.code(), Some(2), "a list that came out empty by a slip is no leave to mail");
    assert!(text(&empty.stdout).is_empty());
}

#[test]
fn a_long_list_is_checked_in_parts_and_answered_in_its_order() {
    let world = World::default();
    world.post("bounce", fixtures::read("bounce-hard.json"));
    world.drain();
    let mut addresses: Vec<String> = (0..25_000).map(|n| format!("r{n}@customer.example")).collect();
    addresses[12_345] = "no address".to_owned();
    let input = format!("email\n{}", addresses.join("\n"));
    let mut check = world.command();
    check.args(words(&["check"], &["--stream", "outbound"]));
    let output = run(&mut check, input.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stdout);
    let rows: Vec<&str> = told.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(rows, addresses);
    assert!(text(&output.stderr).contains("line 12347: the address has no @"), "{}", text(&output.stderr));
    let json = run(check.arg("--json"), input.as_bytes());
    assert_eq!(json.status.code(), Some(1), "{}", text(&json.stderr));
    let told = lines(&json);
    assert_eq!((told.len(), &told[12_345]["line"]), (25_000, &json!(12_347)));
}

#[test]
fn a_token_is_printed_once_and_opens_what_it_is_for_until_it_is_revoked() {
    let running = Running::start("token", &[]);
    let new = ["token", "new", "--name", "acme", "--role", "viewer", "--servers", "8123456"];
    let made = running.ask(&[&new[..], &["--expires", "2100-01-01"]].concat(), b"");
    let token = out(&made).trim().to_owned();
    assert!(token.starts_with("plt_") && token.lines().count() == 1, "alone on standard output");
    let secret = &token["plt_".len() + 13..];
    assert!(!text(&made.stderr).contains(secret));
    let file = running.home().join("token");
    platform::private::write(&file, format!("{token}\n").as_bytes()).unwrap();
    let as_bearer = ["--token-file", file.to_str().unwrap()];

    let shown = running.ask(&["token", "list"], b"");
    assert!(out(&shown).contains("acme") && out(&shown).contains("addresses masked"));
    let told = running.json(&["token", "list", "--json"]);
    let one = &told["items"][0];
    assert_eq!((&one["name"], &one["servers"], one.get("token")), (&json!("acme"), &json!([SERVER]), None));

    let address = ["--stream", "broadcast", "--address", "annoyed@customer.example"];
    let check = words(&["check"], &[&address[..], &as_bearer].concat());
    let checked = running.ask(&check, b"");
    assert_eq!(checked.status.code(), Some(1), "{}", text(&checked.stderr));
    assert!(text(&checked.stdout).contains("do_not_send"));
    let of_environment = run(
        command()
            .args(words(&["check"], &address))
            .args(["--url", &running.url])
            .env("POSTLEDGER_TOKEN", &token),
        b"",
    );
    assert_eq!(of_environment.status.code(), Some(1), "{}", text(&of_environment.stderr));
    let refused = running.ask(&[&["token", "list"], &as_bearer[..]].concat(), b"");
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("role admin"), "whoever has a token is no more than its bearer");
    let listed = words(&["suppressions", "list"], &[&["--stream", "outbound"], &as_bearer[..]].concat());
    assert!(out(&running.ask(&listed, b"")).contains("n***@customer.example"));

    let id = one["id"].as_str().unwrap();
    assert!(out(&running.ask(&["token", "revoke", id], b"")).contains("is revoked"));
    let revoked = running.ask(&check, b"");
    assert_eq!(revoked.status.code(), Some(2));
    assert!(text(&revoked.stderr).contains("revoked") && text(&revoked.stderr).contains("next:"));
    let audit = running.json(&words(&["audit"], &["--json"]));
    let whats: BTreeSet<&str> =
        audit["items"].as_array().unwrap().iter().filter_map(|item| item["what"].as_str()).collect();
    assert!(whats.contains("token.new") && whats.contains("token.revoke"), "{audit}");
    for output in [&shown, &checked, &of_environment, &refused, &revoked] {
        assert!(!format!("{}{}", text(&output.stdout), text(&output.stderr)).contains(secret));
    }
    assert!(!audit.to_string().contains(secret) && !told.to_string().contains(secret));
}

#[test]
fn a_token_stands_in_no_argument_of_any_process() {
    let running = Running::start("args", &[]);
    let new = ["token", "new", "--name", "n", "--role", "operator", "--all-servers"];
    let token = out(&running.ask(&new, b"")).trim().to_owned();
    let mut check = command();
    check.args(words(&["check"], &["--stream", "outbound", "--url", &running.url]));
    check.env("POSTLEDGER_TOKEN", &token);
    let mut child =
        check.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let arguments = std::fs::read(format!("/proc/{}/cmdline", child.id())).unwrap();
    assert!(!String::from_utf8_lossy(&arguments).contains(&token));
    child.stdin.take().unwrap().write_all(b"ida.moreau@customer.example\n").unwrap();
    assert!(out(&child.wait_with_output().unwrap()).contains("send"));
    let unknown = run(command().args(words(&["check"], &["--token", &token, "--stream", "s"])), b"");
    assert_eq!(unknown.status.code(), Some(2), "there is no argument for it");
}

#[test]
fn a_token_is_not_sent_where_others_could_read_it_and_a_deployed_api_needs_one() {
    let ask = |url: &str, token: Option<&str>| {
        let mut ask = command();
        ask.args(["token", "list", "--url", url]);
        ask.envs(token.map(|token| ("POSTLEDGER_TOKEN", token)));
        let output = run(&mut ask, b"");
        assert_eq!(output.status.code(), Some(1));
        text(&output.stderr)
    };
    assert!(ask("https://api.invalid", None).contains("postledger token new"));
    assert!(ask("http://api.invalid", Some("plt_abcdefghijkl_x")).contains("https://"));
    let told = ask("https://api.invalid", Some("not-a-token"));
    assert!(told.contains("begins with plt_") && !told.contains("not-a-token"), "{told}");
}

/// Waits until nothing is on its way.
pub(crate) fn settle(running: &Running) {
    let busy = |on: &Value| on["waiting"].as_u64() > Some(0) || on["in_flight"].as_u64() > Some(0);
    while running.json(&["queues", "--json"]).as_array().unwrap().iter().any(busy) {
        std::thread::yield_now();
    }
}

#[test]
fn a_list_from_elsewhere_is_imported_in_parts_and_comes_out_whole() {
    let running = Running::start("import", &[]);
    let mut csv = "email,cause\n".to_owned();
    for n in 0..6_001 {
        csv += &format!("r{n}@customer.example,{}\n", if n % 2 == 0 { "hard_bounce" } else { "unsubscribe" });
    }
    csv += "no address,manual\n";
    let file = running.home().join("list.csv");
    std::fs::write(&file, &csv).unwrap();
    let import = |rest: &[&str]| {
        let words = words(&["suppressions", "import", file.to_str().unwrap()], &["--stream", "outbound"]);
        running.ask(&[&words[..], rest].concat(), b"")
    };
    let dry = import(&["--dry-run", "--json"]);
    assert_eq!(dry.status.code(), Some(1), "a row could not be used: {}", text(&dry.stderr));
    let told: Value = serde_json::from_slice(&dry.stdout).unwrap();
    assert_eq!((&told["counts"]["new"], &told["counts"]["invalid"]), (&json!(6_001), &json!(1)), "{told}");
    assert_eq!((&told["invalid"][0]["line"], &told["queued"]), (&json!(6_003), &json!(0)), "{told}");
    let done = import(&[]);
    assert!(text(&done.stderr).contains("line 6003:"), "{}", text(&done.stderr));
    settle(&running);
    let again: Value = serde_json::from_slice(&import(&["--json"]).stdout).unwrap();
    assert_eq!((&again["counts"]["new"], &again["counts"]["already"]), (&json!(0), &json!(6_001)), "{again}");

    let listed = words(&["suppressions", "list"], &["--stream", "outbound", "--cause", "import"]);
    let page = running.json(&[&listed[..], &["--limit", "7", "--json"]].concat());
    assert_eq!(page["items"].as_array().unwrap().len(), 7);
    let next = page["next"].as_str().unwrap();
    let more = running.json(&[&listed[..], &["--limit", "7", "--cursor", next, "--json"]].concat());
    assert_ne!(more["items"][0], page["items"][0]);
    let all = running.json(&[&listed[..], &["--all", "--json"]].concat());
    assert_eq!((all["items"].as_array().unwrap().len(), &all["next"]), (6_001, &Value::Null));
    assert!(out(&running.ask(&listed, b"")).contains("import"));

    let to = running.home().join("export.csv");
    let export = words(&["suppressions", "export"], &["--stream", "outbound"]);
    out(&running.ask(&[&export[..], &[to.to_str().unwrap()]].concat(), b""));
    let exported = std::fs::read_to_string(&to).unwrap();
    assert_eq!(exported.matches("recipient_id").count(), 1, "one header for all pages");
    let addresses: BTreeSet<&str> = exported.lines().filter_map(|line| line.split(',').next()).collect();
    assert!((0..6_001).all(|n| addresses.contains(&*format!("r{n}@customer.example"))));
    assert_eq!(out(&running.ask(&export, b"")), exported);
    let checked = running.ask(&words(&["check"], &["--stream", "outbound", to.to_str().unwrap()]), b"");
    assert_eq!(checked.status.code(), Some(1), "an export can be checked as it is");
    assert!(text(&checked.stderr).contains("0 send, 0 risky"), "{}", text(&checked.stderr));
    assert_eq!(
        std::fs::read_dir(running.home())
            .unwrap()
            .filter(|entry| { entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".new") })
            .count(),
        0
    );
    let wrong = running.home().join("customers.csv");
    std::fs::write(&wrong, "value,kind\n1,2\n").unwrap();
    let import = words(&["suppressions", "import", wrong.to_str().unwrap()], &["--stream", "outbound"]);
    let refused = running.ask(&import, b"");
    assert!(text(&refused.stderr).contains("nothing was sent"), "{}", text(&refused.stderr));
}

#[test]
fn what_happened_is_told_of_an_address_a_message_and_a_server() {
    let running = Running::start("events", &[]);
    let ida = "ida.moreau@customer.example";
    let timeline = running.json(&words(&["timeline"], &[ida, "--json"]));
    let items = timeline["items"].as_array().unwrap();
    assert_eq!(items[0]["measure"], "delivered", "{timeline}");
    let first = running.json(&words(&["timeline"], &[ida, "--limit", "1", "--json"]));
    assert_eq!((first["items"].as_array().unwrap().len(), first["next"].is_string()), (1, true));
    let shown = running.ask(&words(&["timeline"], &[ida]), b"");
    assert!(out(&shown).contains("delivered") && out(&shown).contains("outbound"), "{}", out(&shown));
    let nobody = running.ask(&words(&["timeline"], &["nobody@customer.example"]), b"");
    assert!(out(&nobody).contains("Nothing is recorded."));

    let message = items[0]["message_id"].as_str().unwrap();
    let told = running.json(&words(&["message"], &[message, "--json"]));
    assert_eq!(told["items"][0]["recipient"]["address"], ida, "{told}");
    assert!(out(&running.ask(&words(&["message"], &[message]), b"")).contains(ida));
    let none = running.ask(&words(&["message"], &["none"]), b"");
    assert_eq!((none.status.code(), none.stdout.is_empty()), (Some(1), true));

    let bounces = running.json(&words(&["activity"], &["--type", "Bounce", "--class", "hard", "--json"]));
    assert_eq!(bounces["items"].as_array().unwrap().len(), 1, "{bounces}");
    let shown = running.ask(&words(&["activity"], &["--stream", "broadcast", "--limit", "3"]), b"");
    assert!(out(&shown).contains("complaint") || out(&shown).contains("bounce_soft"), "{}", out(&shown));
    let stats = running.json(&words(&["stats"], &["--by", "day", "--json"]));
    assert_eq!(stats["streams"]["outbound"]["total"]["counts"]["delivered"], 1, "{stats}");
    let shown = out(&running.ask(&words(&["stats"], &["--stream", "outbound"]), b""));
    assert!(shown.contains("delivered") && shown.contains("1 of 2"), "{shown}");
}

#[test]
fn an_address_is_suppressed_reactivated_exported_and_erased_and_all_of_it_is_noted() {
    let running = Running::start("person", &[]);
    let ida = "ida.moreau@customer.example";
    let ask = |words: &[&str]| running.ask(words, b"");
    let suppress = ["--stream", "outbound", "--reason", "asked by phone", "--no-postmark", ida];
    let told = running.json(&words(&["suppress"], &[&suppress[..], &["--json"]].concat()));
    assert_eq!((&told["results"][0]["done"], &told["invalid"]), (&json!(true), &json!([])), "{told}");
    let mixed = ask(&words(&["suppress"], &[&suppress[..], &["no address"]].concat()));
    assert_eq!(mixed.status.code(), Some(1));
    assert!(text(&mixed.stdout).contains("recorded as"), "{}", text(&mixed.stdout));
    let at_postmark = ask(&words(&["suppress"], &["--stream", "outbound", "--reason", "r", ida]));
    assert_eq!(at_postmark.status.code(), Some(1), "Postmark cannot be asked without the server's token");
    assert!(text(&at_postmark.stderr).contains("--no-postmark"), "{}", text(&at_postmark.stderr));
    settle(&running);
    let check = words(&["check"], &["--stream", "outbound", "--address", ida]);
    assert_eq!(ask(&check).status.code(), Some(1));

    let reactivate = ["--stream", "outbound", "--reason", "asked again", ida];
    let done = ask(&words(&["reactivate"], &reactivate));
    assert!(out(&done).contains("done"), "{}", out(&done));
    settle(&running);
    assert!(ask(&check).status.success(), "{}", text(&ask(&check).stdout));
    let complained = ["--stream", "broadcast", "--reason", "please", "annoyed@customer.example"];
    let refused = ask(&words(&["reactivate"], &complained));
    assert_eq!(refused.status.code(), Some(1), "whoever complained is not mailed again");
    assert!(text(&refused.stderr).contains("postledger: "), "{}", text(&refused.stderr));
    let as_json = ask(&words(&["reactivate"], &[&complained[..], &["--json"]].concat()));
    assert_eq!(as_json.status.code(), Some(1));

    let export = running.json(&words(&["export"], &[ida]));
    assert!(export["items"].as_array().unwrap().len() >= 4, "{export}");
    assert!(export["items"].to_string().contains("\"body\"") && !export["view"].is_null());
    let erased = ask(&words(&["erase"], &[ida, "--yes"]));
    assert!(out(&erased).contains("what stays") && !out(&erased).contains("ida"), "{}", out(&erased));
    let export = running.json(&words(&["export"], &[ida]));
    assert!(!export["items"].to_string().contains("ida.moreau"), "{export}");

    let audit = running.json(&words(&["audit"], &["--all", "--json"]));
    let items = audit["items"].as_array().unwrap();
    assert!(items.iter().all(|item| item["who"]["kind"] == "local"), "{audit}");
    assert!(!audit.to_string().contains('@') && items.iter().any(|item| item["phase"] == "done"), "{audit}");
    assert!(out(&ask(&words(&["audit"], &["--limit", "4"]))).contains("erase"));
}

#[test]
fn a_soft_bounce_policy_is_planned_before_it_is_set_and_applies_from_then_on() {
    let running = Running::start("policy", &[]);
    let policy = |rest: &[&str]| running.ask(&words(&["server", "policy"], rest), b"");
    let strict = "count=1,messages=1,span=0,window=30,pause=14";
    let set = ["--set", strict, "--kind", "transactional"];
    let plan = policy(&[&set[..], &["--dry-run"]].concat());
    assert!(
        out(&plan).contains("before: count=5,") && out(&plan).contains("then:   count=1,"),
        "{}",
        out(&plan)
    );
    assert!(!out(&policy(&[])).contains(strict), "a plan sets nothing");
    let unasked = policy(&set);
    assert!(
        !unasked.status.success() && text(&unasked.stderr).contains("--yes"),
        "{}",
        text(&unasked.stderr)
    );
    let past = [&set[..], &["--from", "2026-01-01T00:00:00Z", "--yes"]].concat();
    assert!(!policy(&past).status.success(), "never backwards");
    assert!(out(&policy(&[&set[..], &["--yes"]].concat())).contains("the policy is set"));
    assert!(out(&policy(&[])).contains(strict));
    let told = running.json(&words(&["server", "policy"], &["--json"]));
    assert_eq!(
        (&told["transactional"]["now"]["count"], &told["broadcast"]["now"]["count"]),
        (&json!(1), &json!(5))
    );
    let audit = running.json(&words(&["audit"], &["--json"]));
    assert_eq!(audit["items"][0]["what"], "server.policy", "{audit}");
}

#[test]
fn what_postmark_keeps_is_asked_for_only_with_a_token_of_its_own() {
    let running = Running::start("postmark-settings", &[]);
    let of_postmark = |rest: &[&str]| running.ask(&words(&["server", "postmark-settings"], rest), b"");
    for rest in
        [&[][..], &["--set", "track-opens=off", "--yes"], &["--set", "smtp=off", "--dry-run", "--json"]]
    {
        let told = of_postmark(rest);
        let words = text(&told.stderr);
        assert!(!told.status.success() && words.contains("no Postmark token is kept"), "{rest:?}: {words}");
        assert!(words.contains("postledger server add"), "{rest:?}: {words}");
    }
    for wrong in ["track-opens", "track-opens=maybe", "color=pink", "BounceHookUrl=x"] {
        let told = of_postmark(&["--set", wrong]);
        assert_eq!(told.status.code(), Some(2), "{wrong}: {}", text(&told.stderr));
    }
    let audit = running.json(&words(&["audit"], &["--json"]));
    assert!(!audit.to_string().contains("postmark_settings"), "{audit}");
}

#[test]
fn changes_by_other_commands_are_noted_before_and_after_by_whoever_makes_them() {
    let running = Running::start("audited", &[]);
    let ask = |words: &[&str]| running.ask(words, b"");
    out(&ask(&words(&["revoke"], &["--generation", "9", "--yes"])));
    out(&ask(&["queues", "redrive", "--queue", "bulk"]));
    out(&ask(&["queues", "redrive", "--queue", "bulk", "--dry-run"]));
    let listed = running.json(&["quarantine", "list", "--json"]);
    let probe = listed.as_array().unwrap().iter().find(|one| one["reason"] == "probe").unwrap();
    assert!(!ask(&["quarantine", "replay", probe["key"].as_str().unwrap()]).status.success());
    out(&ask(&["keys", "new"]));
    let keys = running.json(&["keys", "list", "--json"]);
    out(&ask(&["keys", "retire", keys[1]["key_id"].as_str().unwrap(), "--url", &running.url]));

    let steps = |told: &Value| -> Vec<(String, String)> {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        told["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| (word(&item["what"]), word(&item["phase"])))
            .collect()
    };
    let of = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(what, phase)| ((*what).to_owned(), (*phase).to_owned())).collect()
    };
    let server = running.json(&words(&["audit"], &["--json"]));
    let expected = [
        ("quarantine.replay", "failed"),
        ("quarantine.replay", "begun"),
        ("revoke", "done"),
        ("revoke", "begun"),
    ];
    assert_eq!(steps(&server), of(&expected), "{server}");
    let stack = running.json(&["audit", "--json"]);
    let expected =
        [("keys.retire", "done"), ("keys.retire", "begun"), ("redrive", "done"), ("redrive", "begun")];
    assert_eq!(steps(&stack), of(&expected), "{stack}");
    assert!(out(&ask(&["audit"])).contains("keys.retire"));
}

#[test]
fn a_key_is_retired_where_no_ledger_is_at_hand_unless_one_is_named() {
    let home = Folder::new("retire");
    let ask = |args: &[&str]| {
        run(
            command()
                .args(args)
                .env("POSTLEDGER_HOME", home.path())
                .env("POSTLEDGER_URL", "http://127.0.0.1:1"),
            b"",
        )
    };
    out(&ask(&["keys", "new"]));
    out(&ask(&["keys", "new"]));
    let keys: Value = serde_json::from_str(&out(&ask(&["keys", "list", "--json"]))).unwrap();
    let retire = ["keys", "retire", keys[1]["key_id"].as_str().unwrap()];
    let named = ask(&[&retire[..], &["--url", "http://127.0.0.1:1"]].concat());
    assert_eq!(named.status.code(), Some(1), "it would not be noted");
    let retired = ask(&retire);
    assert!(out(&retired).contains("retired key") && text(&retired.stderr).contains("noted nowhere"));
}

#[test]
fn a_slip_of_a_new_user_is_told_with_what_to_do_instead() {
    let running = Running::start("slips", &[]);
    let ask = |words: &[&str]| running.ask(words, b"");
    let failed = |words: &[&str], told: &str| {
        let output = ask(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(text(&output.stderr).contains(told), "{words:?}: {}", text(&output.stderr));
    };
    failed(
        &["message", "--server", "8123456", "nope"],
        "nothing is recorded of such a message at server 8123456",
    );
    let nowhere = ask(&["message", "--server", "99", "nope"]);
    assert_eq!(nowhere.status.code(), Some(2), "it is the server that nobody knows");
    assert!(text(&nowhere.stderr).contains("postledger server add"), "{}", text(&nowhere.stderr));
    let made = running.json(&[
        "token",
        "new",
        "--name",
        "acme",
        "--role",
        "viewer",
        "--servers",
        "8123456",
        "--json",
    ]);
    failed(&["token", "revoke", "acme"], &format!("its id is {}", made["id"].as_str().unwrap()));
    failed(&["token", "revoke", "nobody"], "postledger token list");
    let beyond = ["activity", "--server", "8123456", "--from", "2026-01-01", "--to", "2026-11-30"];
    failed(&beyond, "ask in several parts, with at most 31 days");
    let stats = out(&ask(&["stats", "--server", "8123456"]));
    assert!(
        stats.contains("1 of 1") && !stats.contains("100.00 %"),
        "of few mails there is no rate: {stats}"
    );
    let doctor = text(&ask(&["doctor"]).stdout);
    let cells =
        doctor.lines().filter(|line| line.starts_with('│')).map(|line| line.split('┆').nth(2).unwrap());
    assert!(cells.into_iter().all(|cell| !cell.trim_matches(['│', ' ']).is_empty()), "{doctor}");
}

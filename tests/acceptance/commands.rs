//! The real command, as a person or a script runs it.

use crate::fixtures;
use postledger_tests::command::{Folder, command, postledger, run, text};
use postledger_tests::{World, assert_whole};
use queue::{QueueName, Sender};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};
use store::Action;
use store::prelude::*;

/// A running embedded Postledger.
pub(crate) struct Running {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
    stderr: Option<std::thread::JoinHandle<String>>,
    pub(crate) url: String,
    home: Folder,
}

impl Running {
    pub(crate) fn start(name: &str, args: &[&str]) -> Running {
        let home = Folder::new(name);
        let mut command = Command::new(postledger());
        command.args(["run", "--port", "0"]).args(args).env("POSTLEDGER_HOME", home.path());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        // Read as it comes: a full pipe would hold the process up.
        let mut errors = child.stderr.take().unwrap();
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            errors.read_to_string(&mut text).unwrap();
            text
        });
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap_or_default();
        let url = url.trim_end_matches(',').to_owned();
        while !line.contains("Ctrl-C stops it") {
            line.clear();
            assert!(stdout.read_line(&mut line).unwrap() > 0, "it stopped before it was up");
        }
        Running { child, stdout, stderr: Some(stderr), url, home }
    }

    pub(crate) fn ask(&self, args: &[&str], input: &[u8]) -> Output {
        run(
            Command::new(postledger())
                .args(args)
                .env("POSTLEDGER_HOME", self.home.path())
                .env("POSTLEDGER_URL", &self.url),
            input,
        )
    }

    pub(crate) fn home(&self) -> &std::path::Path {
        self.home.path()
    }

    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let output = self.ask(args, b"");
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Stops it as a service manager would; the rest of its output, and its errors.
    pub(crate) fn stop(mut self) -> (String, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let mut out = String::new();
        self.stdout.read_to_string(&mut out).unwrap();
        assert!(self.child.wait().unwrap().success(), "a clean shutdown exits 0");
        (out, self.stderr.take().unwrap().join().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn offline(args: &[&str], input: &[u8]) -> Output {
    run(command().args(args), input)
}

#[test]
fn run_once_shows_the_ledger_of_the_sample_and_exits_0() {
    let home = Folder::new("once");
    let output = run(
        Command::new(postledger()).args(["run", "--once", "--port", "0"]).env("POSTLEDGER_HOME", home.path()),
        b"",
    );
    let shown = text(&output.stdout);
    assert!(output.status.success() && output.stderr.is_empty());
    assert_eq!(shown.matches("@127.0.0.1:").count(), 7, "seven URLs with their credential");
    let verdict = |address: &str, stream: &str| {
        let line = shown.lines().find(|line| line.contains(address) && line.contains(stream)).unwrap();
        line.split('│').nth(3).or(line.split('┆').nth(2)).unwrap().trim().to_owned()
    };
    assert_eq!(verdict("ida.moreau", "outbound"), "send");
    assert_eq!(verdict("no.such.user", "outbound"), "do not send");
    assert_eq!(verdict("annoyed", "broadcast"), "do not send");
    assert_eq!(verdict("annoyed", "outbound"), "risky");
    assert_eq!(verdict("done.reading", "broadcast"), "do not send");
    assert_eq!(verdict("back.again", "outbound"), "send");
    assert_eq!(verdict("out.of.order", "outbound"), "send");
    assert_eq!(verdict("full.mailbox", "broadcast"), "do not send");
    assert!(shown.contains("17 events recorded, each once; 2 bodies set aside; 0 dead letters."));
    let asked = shown.split("The read API, asked over HTTP").nth(1).unwrap();
    assert!(asked.contains("curl -H @token") && asked.contains("/check -d"), "{asked}");
    assert!(asked.contains("5 of 5 soft bounces"), "{asked}");
    assert!(!shown.contains("plt_"), "no token is shown");
}

#[test]
fn a_port_that_is_taken_is_said_in_one_sentence_with_the_next_step() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, home) = (taken.local_addr().unwrap().port().to_string(), Folder::new("port"));
    let output = run(
        Command::new(postledger()).args(["run", "--port", &port]).env("POSTLEDGER_HOME", home.path()),
        b"",
    );
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        error.contains(&format!("port {port}")) && error.contains("--port N") && error.lines().count() == 2,
        "{error}"
    );
}

#[test]
fn nobody_there_is_said_with_the_next_step() {
    let output = offline(&["recipient", "--server", "1", "a@x.example", "--url", "http://127.0.0.1:1"], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("postledger run"));
}

#[test]
fn event_says_what_it_makes_of_a_body() {
    let output =
        offline(&["event", "--received-at", "2026-10-01T00:00:00Z"], &fixtures::read("bounce-hard.json"));
    assert!(output.status.success());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for name in [
        "kind",
        "identity",
        "server",
        "stream",
        "recipient",
        "recipient_key",
        "recipient_id",
        "message_id",
        "time_us",
        "time",
        "class",
        "facts",
        "machine",
        "probe",
    ] {
        assert!(report.get(name).is_some(), "{name}");
    }
    assert_eq!(
        (&report["kind"], &report["class"], &report["probe"]),
        (&json!("Bounce"), &json!("s"), &json!(false))
    );
    assert_eq!(report["facts"][1]["cause"], "hard_bounce");
}

#[test]
fn event_exits_2_and_says_why_and_where_for_what_would_be_set_aside() {
    for (body, place) in [
        (fixtures::read("parked-bounce-email-null.json"), "/Email"),
        (b"{\"RecordType\":".to_vec(), "line 1 column"),
    ] {
        let output = offline(&["event"], &body);
        let error = text(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
        assert!(error.contains(place) && error.lines().count() == 1, "{error}");
    }
    let probe = offline(&["event"], &fixtures::read("probe-bounce.json"));
    let report: Value = serde_json::from_slice(&probe.stdout).unwrap();
    assert_eq!(
        (probe.status.code(), &report["probe"], &report["facts"]),
        (Some(0), &json!(true), &json!([]))
    );
}

#[test]
fn fold_gives_the_same_bytes_for_any_order_and_repetition() {
    let lines: Vec<String> = fixtures::names()
        .filter_map(|name| serde_json::from_slice::<Value>(&fixtures::read(&name)).ok())
        .map(|body| {
            json!({ "server": 8_123_456, "received_at": "2026-10-01T00:00:00Z", "body": body }).to_string()
        })
        .collect();
    let fold = |lines: &[String]| {
        let output = offline(&["fold"], lines.join("\n").as_bytes());
        assert!(output.status.success(), "{}", text(&output.stderr));
        let out = text(&output.stdout);
        // The last line tells how many bodies there were; what was set aside is counted by body.
        out.lines()
            .filter(|line| line.starts_with("{\"state\"") || line.starts_with("{\"counters\""))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let once = fold(&lines);
    let mut again = lines.clone();
    again.reverse();
    again.extend_from_slice(&lines[..40]);
    assert_eq!(fold(&again), once);
    assert!(once.lines().count() > 100);
}

/// What README shows of a command is what it prints, but for times and the ids that are made of times.
fn assert_shown_in_readme(command: &str, printed: &str) {
    let mask = |word: &str| match word.trim_end_matches(',') {
        time if time.starts_with("20") || (time.contains(':') && time.ends_with('Z')) => "TIME".to_owned(),
        id if id.len() == 22 => "ID".to_owned(),
        _ => word.to_owned(),
    };
    let lines = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split_whitespace().map(mask).collect::<Vec<_>>().join(" ")).collect()
    };
    let readme = crate::house::read("README.md");
    let (_, block) = readme.split_once(&format!("$ {command}\n")).unwrap();
    let shown = lines(block.split("\n  …").next().unwrap());
    assert!(shown.len() > 10);
    assert_eq!(lines(printed).get(..shown.len()), Some(&shown[..]), "{printed}");
}

#[test]
fn a_second_process_is_told_of_a_recipient_what_readme_shows() {
    let running = Running::start("ask", &[]);
    let told = running.json(&["recipient", "--server", "8123456", "no.such.user@customer.example", "--json"]);
    let outbound = &told["streams"]["outbound"];
    assert_eq!(outbound["verdict"], "do_not_send");
    assert_eq!(outbound["reasons"][0]["code"], "listed_hard_bounce");
    assert_eq!(outbound["reasons"][0]["evidence"].as_array().unwrap().len(), 2);
    let shown = text(
        &running.ask(&["recipient", "--server", "8123456", "No.Such.User@customer.example"], b"").stdout,
    );
    let heading =
        |line: &&str| line.starts_with("outbound (transactional) ") && line.ends_with(" DO NOT SEND");
    assert!(shown.lines().any(|line| heading(&line) && line.len() == 80), "{shown}");
    assert!(shown.contains("on Postmark's suppression list: hard bounce"), "{shown}");
    let asked = &["recipient", "--server", "8123456", "no.such.user@customer.example"];
    assert_shown_in_readme(
        &format!("postledger {}", asked.join(" ")),
        &text(&running.ask(asked, b"").stdout),
    );
}

#[test]
fn a_second_process_is_told_what_held_at_a_time_in_the_past() {
    let running = Running::start("ask-past", &[]);
    let past = [
        "recipient",
        "--server",
        "8123456",
        "no.such.user@customer.example",
        "--at",
        "2026-01-01T00:00:00Z",
        "--json",
    ];
    assert_eq!(running.json(&past)["streams"]["outbound"]["verdict"], "send", "before it bounced");
}

#[test]
fn what_a_second_process_posts_is_told_by_its_answers_and_a_clean_shutdown_drains_it() {
    let running = Running::start("posted", &[]);
    let posted =
        [fixtures::read("delivery-current.json"), fixtures::read("bounce-hard.json"), b"{}".to_vec()]
            .concat();
    let output = running.ask(&["post", "--server", "8123456", "--json", "--rate", "1000"], &posted);
    let answers: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers, json!({ "200 accepted": 2, "200 set_aside unknown_record_type": 1 }));
    let (out, _) = running.stop();
    assert!(out.contains("All that came in is in the ledger or in quarantine."), "a clean shutdown drains");
}

/// The key of what was set aside for a reason.
fn set_aside(running: &Running, reason: &str) -> String {
    let listed = running.json(&["quarantine", "list", "--json"]);
    let one = listed.as_array().unwrap().iter().find(|one| one["reason"] == reason).unwrap();
    one["key"].as_str().unwrap().to_owned()
}

#[test]
fn what_was_set_aside_is_shown_and_not_replayed_as_it_is() {
    let running = Running::start("aside", &[]);
    let malformed = set_aside(&running, "not_json");
    let shown = text(&running.ask(&["quarantine", "show", &malformed], b"").stdout);
    assert!(shown.contains("{\"RecordType\":\"Bounce\","), "{shown}");
    let refused = running.ask(&["quarantine", "replay", &malformed], b"");
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("not_json"));
    assert!(
        !running.ask(&["quarantine", "replay", &set_aside(&running, "probe")], b"").status.success(),
        "a probe is never recorded"
    );
}

#[test]
fn what_was_set_aside_is_replayed_by_a_mended_body_once() {
    let running = Running::start("mended", &[]);
    let malformed = set_aside(&running, "not_json");
    let mended = running.home.path().join("mended.json");
    let mut body: Value = serde_json::from_slice(&fixtures::read("bounce-type-blocked.json")).unwrap();
    body["Email"] = json!("mended@customer.example");
    std::fs::write(&mended, body.to_string()).unwrap();
    let replayed =
        running.ask(&["quarantine", "replay", &malformed, "--body", mended.to_str().unwrap()], b"");
    assert!(replayed.status.success(), "{}", text(&replayed.stderr));
    assert!(running.json(&["quarantine", "show", &malformed, "--json"])["replayed_at"].is_string());
    let again = running.ask(&["quarantine", "replay", &malformed, "--body", mended.to_str().unwrap()], b"");
    assert!(text(&again.stderr).contains("already"), "a second replay is asked for twice");
}

#[test]
fn a_rule_decides_the_verdict_and_its_reason_is_in_the_timeline() {
    let running = Running::start("ruled", &[]);
    for (rule, verdict) in [("suppress", "do_not_send"), ("reactivate", "send")] {
        let at = ["--server", "8123456", "--stream", "*", "--no-postmark", "--reason", "asked"];
        let ruled = running.ask(&[&[rule], &at[..], &["ida.moreau@customer.example"]].concat(), b"");
        assert!(text(&ruled.stdout).contains("recorded as "), "{}", text(&ruled.stderr));
        let told =
            running.json(&["recipient", "--server", "8123456", "ida.moreau@customer.example", "--json"]);
        assert_eq!(told["streams"]["outbound"]["verdict"], verdict);
        let timeline =
            running.json(&["timeline", "--server", "8123456", "ida.moreau@customer.example", "--json"]);
        let mut noted =
            timeline["items"].as_array().unwrap().iter().filter_map(|entry| entry["note"].as_str());
        assert!(noted.any(|note| note.ends_with(": asked")), "the reason is in the timeline");
    }
}

#[test]
fn a_stream_that_is_not_known_may_be_a_slip_and_is_asked_about_where_it_is_meant() {
    let running = Running::start("slip", &[]);
    let slip = ["recipient", "--server", "8123456", "ida.moreau@customer.example", "--stream", "outboud"];
    assert_eq!(running.ask(&slip, b"").status.code(), Some(2), "an unknown stream may be a slip");
    let meant = [&slip[..], &["--unknown-stream"]].concat();
    assert!(text(&running.ask(&meant, b"").stdout).contains("CAUTION"));
}

#[test]
fn stats_are_of_the_last_thirty_days_and_refuse_a_range_that_ends_before_it_begins() {
    let running = Running::start("stats", &[]);
    let posted = running.ask(&["post", "--server", "8123456"], &fixtures::read("bounce-hard.json"));
    assert!(posted.status.success(), "{}", text(&posted.stderr));
    let bounced = ["recipient", "--server", "8123456", "greta.duval@customer.example", "--json"];
    // It is on its way: asked until it is there.
    let asked = std::time::Instant::now();
    while running.json(&bounced)["known"] != true {
        assert!(asked.elapsed().as_secs() < 30, "it never came");
    }
    let stats = running.json(&["stats", "--server", "8123456", "--json", "--stream", "outbound"]);
    let total = &stats["streams"]["outbound"]["total"]["counts"]["bounce_hard"];
    assert_eq!(total, 1, "the sample's hard bounce (the fixture's is older than 30 days)");
    let backwards = ["stats", "--server", "8123456", "--from", "2026-11-22", "--to", "2026-11-01"];
    let told = text(&running.ask(&backwards, b"").stderr);
    assert!(told.contains("from comes after to"), "{told}");
}

#[test]
fn what_an_import_told_is_found_by_its_cause_and_allowed_again_by_the_rules_for_postmarks() {
    let running = Running::start("import", &[]);
    let server = ["--server", "8123456", "--stream", "outbound"];
    let listed = |cause: &str| {
        let words = [&["suppressions", "list"], &server[..], &["--cause", cause]].concat();
        text(&running.ask(&words, b"").stdout)
    };
    let import = |cause: &str, address: &str| {
        let words = [&["suppressions", "import"], &server[..], &["--cause", cause, "-"]].concat();
        let imported = running.ask(&words, format!("email\n{address}\n").as_bytes());
        assert!(imported.status.success(), "{}", text(&imported.stderr));
        // It is on its way: asked until it is there.
        let asked = std::time::Instant::now();
        while !listed(cause).contains(address) {
            assert!(asked.elapsed().as_secs() < 30, "{cause}: {}", listed(cause));
        }
        assert!(listed("import").contains(address));
    };
    let allow = |address: &str, consent: &[&str]| {
        let rule = [address, "--no-postmark", "--reason", "asked"];
        let words = [&["reactivate"], &server[..], &rule, consent].concat();
        running.ask(&words, b"")
    };
    import("complaint", "complained@import.example");
    import("unsubscribe", "unsubscribed@import.example");
    import("manual", "manual@import.example");
    assert!(!listed("complaint").contains("unsubscribed@import.example"));
    for consent in [&[][..], &["--consent", "by telephone"]] {
        let refused = allow("complained@import.example", consent);
        assert!(!refused.status.success() && text(&refused.stdout).contains("complain"));
    }
    let refused = allow("unsubscribed@import.example", &[]);
    assert!(
        !refused.status.success() && text(&refused.stdout).contains("consent"),
        "{}",
        text(&refused.stdout)
    );
    assert!(allow("unsubscribed@import.example", &["--consent", "form of 20 November"]).status.success());
    assert!(allow("manual@import.example", &[]).status.success());
    for (address, verdicts) in [
        ("complained@import.example", ["do_not_send", "do_not_send"]),
        ("unsubscribed@import.example", ["send", "send"]),
    ] {
        for (stream, verdict) in ["outbound", "broadcast"].into_iter().zip(verdicts) {
            let words = ["recipient", "--server", "8123456", "--stream", stream, address, "--json"];
            assert_eq!(running.json(&words)["streams"][stream]["verdict"], verdict, "{address} on {stream}");
        }
    }
    running.stop();
}

#[test]
fn keys_and_urls_are_made_listed_and_retired() {
    let home = Folder::new("keys");
    let ask =
        |args: &[&str]| run(Command::new(postledger()).args(args).env("POSTLEDGER_HOME", home.path()), b"");
    let none = ask(&["url", "--server", "8123456"]);
    assert!(!none.status.success() && text(&none.stderr).contains("postledger keys new"));
    assert!(text(&ask(&["keys", "new"]).stdout).contains("POSTLEDGER_PUBLIC_KEYS="));
    let urls: Value = serde_json::from_slice(&ask(&["url", "--server", "8123456", "--json"]).stdout).unwrap();
    assert_eq!(urls.as_array().unwrap().len(), 7);
    let one = ask(&[
        "url",
        "--server",
        "8123456",
        "--type",
        "bounce",
        "--generation",
        "3",
        "--url",
        "https://hooks.example.com",
    ]);
    let shown = text(&one.stdout);
    assert!(
        shown.contains("https://8123456.3:") && shown.contains("@hooks.example.com/v1/8123456/bounce"),
        "{shown}"
    );
    assert!(ask(&["keys", "new"]).status.success());
    assert!(text(&ask(&["keys", "new"]).stderr).contains("keys retire"));
}

#[test]
fn a_whole_ledger_has_no_dead_letters_and_is_as_its_events_say() {
    let running = Running::start("whole", &[]);
    for queue in ["critical", "bulk", "quarantine"] {
        for dry_run in [&["--dry-run"][..], &[]] {
            let args = [&["queues", "redrive", "--queue", queue, "--json"], dry_run].concat();
            assert_eq!(running.json(&args), json!({ "queue": queue, "found": 0, "moved": 0, "left": 0 }));
        }
    }
    let report = running.json(&["rebuild", "--server", "8123456", "--verify", "--json"]);
    assert_eq!((&report["events"], &report["differences"]), (&json!(17), &json!([])));
    let shown = running.ask(&["rebuild", "--server", "8123456"], b"");
    assert!(text(&shown.stdout).contains("17 events folded"), "{}", text(&shown.stdout));
    assert!(text(&shown.stdout).contains("nothing differs"), "{}", text(&shown.stdout));
    let repaired = running.json(&["rebuild", "--server", "8123456", "--repair", "--json"]);
    assert_eq!(repaired["repaired"], 0, "nothing is asked where nothing is to be written");
}

#[test]
fn on_one_machine_the_index_by_time_is_whole_and_there_is_nothing_to_fill_in() {
    let running = Running::start("index", &[]);
    let whole = json!({ "state": "whole", "read": 0, "filled": 0 });
    for words in [&["index", "fill"][..], &["index", "note"], &["index", "note", "--off"]] {
        assert_eq!(running.json(&[words, &["--json"]].concat()), whole, "{words:?}");
    }
    let shown = running.ask(&["index", "fill"], b"");
    assert_eq!(shown.status.code(), Some(0));
    assert!(text(&shown.stdout).contains("it has all events"), "{}", text(&shown.stdout));
    let activity = running.json(&["activity", "--server", "8123456", "--json"]);
    assert_eq!(activity.get("whole_from"), None);
}

#[test]
fn a_person_is_erased_by_a_command_and_stays_banned() {
    let running = Running::start("erase", &[]);
    let recipient = ["recipient", "--server", "8123456", "no.such.user@customer.example", "--json"];
    let verdict = |told: &Value| told["streams"]["outbound"]["verdict"].clone();
    let before = running.json(&recipient);
    assert_eq!(verdict(&before), "do_not_send");
    let erase = ["erase", "--server", "8123456", "No.Such.User@customer.example", "--yes", "--json"];
    let unasked = running.ask(&erase[..4], b"");
    assert!(!unasked.status.success() && text(&unasked.stderr).contains("--yes"), "nobody was asked");
    let erased = running.json(&erase);
    assert!(erased["events"].as_u64() > Some(0), "{erased}");
    assert_eq!(erased["recipient_id"], before["recipient_id"]);
    assert_eq!(running.json(&erase)["events"], 0, "twice is as once");
    let swept = running.json(&["erase", "--sweep", "--json"]);
    assert_eq!(
        (&swept["recipients"], &swept["failed"], &swept["finished"]),
        (&json!(1), &json!(0), &json!(true))
    );
    assert_eq!(verdict(&running.json(&recipient)), "do_not_send");
    let shown =
        text(&running.ask(&erase[..5], b"").stdout) + &text(&running.ask(&["erase", "--sweep"], b"").stdout);
    assert!(
        shown.contains("was erased already")
            && shown.contains("what stays")
            && shown.contains("what is left of 1 recipients"),
        "{shown}"
    );
    assert!(!shown.to_lowercase().contains("such.user"), "{shown}");
}

#[test]
fn a_view_that_is_not_as_its_events_say_is_named_and_mended() {
    let world = World::default();
    world.post("events", fixtures::read("bounce-hard.json"));
    world.drain();
    let view = world.store.all_views().unwrap().remove(0);
    let mut wrong = view.clone();
    wrong.streams.clear();
    world.block(world.store.commit(&[Action::PutView(wrong, Some(view.folded))])).unwrap();
    let rebuild = |args: &[&str]| {
        let output = run(world.command().args(["rebuild", "--server", "8123456"]).args(args), b"");
        (output.status.code(), text(&output.stdout))
    };
    let (status, shown) = rebuild(&[]);
    assert_eq!(status, Some(1));
    assert!(shown.contains(&view.recipient.to_string()) && shown.contains("1 difference."), "{shown}");
    let (status, shown) = rebuild(&["--repair", "--yes"]);
    assert_eq!(status, Some(0));
    assert!(shown.contains("wrote 1 views") && shown.ends_with("nothing differs.\n"), "{shown}");
    assert_whole(&world.store);
}

#[test]
fn dead_letters_go_back_to_their_queue() {
    let world = World::default();
    world.block(world.queue.send(QueueName::BulkDead, "a letter")).unwrap();
    let redrive = |args: &[&str]| {
        let output = run(world.command().args(["queues", "redrive", "--queue", "bulk"]).args(args), b"");
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    assert_eq!(redrive(&["--dry-run"]), "about 1 dead letters could go back to the bulk queue\n");
    assert_eq!(redrive(&[]), "moved 1 of about 1 dead letters back to the bulk queue\n");
    assert_eq!(
        (world.waiting(QueueName::BulkDead), world.messages(QueueName::Bulk)),
        (0, vec!["a letter".to_owned()])
    );
}

#[test]
fn what_is_given_counts_before_what_the_environment_says_and_the_environment_must_not_say_two_things() {
    let ask = |args: &[&str]| {
        let mut command = Command::new(postledger());
        command.args(["stats", "--server", "1"]).args(args);
        command.env("POSTLEDGER_URL", "http://127.0.0.1:1").env("POSTLEDGER_ENDPOINT", "http://127.0.0.1:2");
        text(&run(&mut command, b"").stderr)
    };
    assert!(ask(&[]).contains("both set"));
    assert!(
        ask(&["--url", "http://127.0.0.1:3"]).contains("no Postledger of yours runs at http://127.0.0.1:3")
    );
    assert!(ask(&["--endpoint", "http://127.0.0.1:4"]).contains("nothing at http://127.0.0.1:4 answers"));
    assert!(ask(&["--region", "eu-west-1"]).contains("nothing at http://127.0.0.1:2 answers"));
}

#[test]
fn what_cannot_be_meant_is_wrong_usage() {
    let aws = ["--profile", "p", "--region", "eu-west-1", "--endpoint", "http://127.0.0.1:1"];
    let url = ["--url", "http://127.0.0.1:1"];
    let recipient = ["recipient", "--server", "1", "a@x.example"];
    let rebuild = ["rebuild", "--server", "1"];
    for args in [
        [&recipient[..], &url, &aws[..2]].concat(),
        [&recipient[..], &url, &aws[2..4]].concat(),
        [&recipient[..], &url, &aws[4..]].concat(),
        [&recipient[..], &aws[..2], &aws[4..]].concat(),
        [&rebuild[..], &["--yes"]].concat(),
        [&rebuild[..], &["--verify", "--repair"]].concat(),
        vec!["queues", "redrive", "--queue", "critical-dlq"],
        vec!["queues", "redrive"],
        vec!["erase"],
        vec!["erase", "--server", "1"],
        vec!["erase", "a@x.example", "--sweep"],
        vec!["check", "--server", "1", "--stream", "outbound", "--address", "a@x.example", "FILE"],
        vec!["token", "new", "--name", "n", "--role", "viewer"],
        vec!["token", "new", "--name", "n", "--role", "viewer", "--servers", "1", "--all-servers"],
        vec!["suppressions", "list", "--server", "1", "--stream", "s", "--limit", "0"],
        vec!["suppress", "--server", "1", "--stream", "s", "--reason", "r"],
    ] {
        let output = offline(&args, b"");
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output.stderr));
    }
}

#[test]
fn tables_are_made_in_an_emulator_only() {
    let output = offline(&["tables", "create"], b"");
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("on AWS the deployment makes them") && error.contains("--endpoint"), "{error}");
}

#[test]
fn every_command_has_complete_help() {
    let help = |args: &[&str]| text(&offline(&[args, &["--help"]].concat(), b"").stdout);
    for command in [
        "run",
        "keys",
        "url",
        "event",
        "fold",
        "recipient",
        "post",
        "quarantine",
        "revoke",
        "erase",
        "queues",
        "rebuild",
        "index",
        "tables",
        "check",
        "suppressions",
        "suppress",
        "reactivate",
        "export",
        "stats",
        "timeline",
        "message",
        "activity",
        "audit",
        "token",
    ] {
        assert!(help(&[]).contains(command), "{command} is listed");
        assert!(help(&[command]).contains("Usage:"), "{command}");
    }
}

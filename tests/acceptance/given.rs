//! Addresses and ids as people give them to the commands: understood, or refused with the reason, never guessed.

use crate::commands::Running;
use postledger_tests::command::text;
use serde_json::Value;
use std::process::Output;

/// On the list of `outbound` in the sample.
const GONE: &str = "no.such.user@customer.example";
const AT: [&str; 2] = ["--server", "8123456"];

/// Every command that names a recipient, as words around the name.
const COMMANDS: [(&[&str], &[&str]); 5] = [
    (&["recipient"], &[]),
    (&["timeline"], &[]),
    (&["export"], &[]),
    (&["erase", "--yes"], &[]),
    (&["reactivate", "--stream", "outbound", "--reason", "r"], &[]),
];

fn command(running: &Running, (before, behind): (&[&str], &[&str]), name: &str) -> Output {
    running.ask(&[before, &AT, &[name], behind].concat(), b"")
}

fn suppress(running: &Running, names: &[&str]) -> Output {
    let words = ["suppress", "--stream", "outbound", "--reason", "r", "--no-postmark"];
    running.ask(&[&words[..], &AT, names].concat(), b"")
}

fn check(running: &Running, list: &str) -> (Option<i32>, Vec<String>, String) {
    let told = running.ask(&[&["check", "--stream", "outbound"], &AT[..]].concat(), list.as_bytes());
    let answered = text(&told.stdout);
    let verdicts = answered.lines().skip(1).map(|line| {
        let words = ["do_not_send", "invalid", "risky", "send"];
        words.into_iter().find(|word| line.contains(&format!(",{word},"))).unwrap_or(line).to_owned()
    });
    (told.status.code(), verdicts.collect(), text(&told.stderr))
}

#[test]
fn every_command_refuses_what_is_no_address_or_id_and_none_answers_send() {
    let running = Running::start("given", &[]);
    for (name, reason) in [
        ("not-an-address", "the address has no @"),
        ("no.such.user%40customer.example", "percent-encoded"),
        ("mailto:no.such.user@customer.example", "mailto:"),
        ("*@customer.example", "a pattern"),
        ("no.such.user@customer.example/", "no valid domain"),
        ("no.such.user@customer.example,bob@customer.example", "more than one address"),
        ("\"no.such.user@customer.example\"", "is in quotes"),
        ("no.such.user\u{ff20}customer.example", "the address has no @"),
        ("id:no.such.user@customer.example", "not a recipient's id"),
        ("id:", "not a recipient's id"),
    ] {
        for words in COMMANDS {
            let told = command(&running, words, name);
            assert!(!told.status.success() && told.stdout.is_empty(), "{words:?} {name}");
            assert!(text(&told.stderr).contains(reason), "{words:?} {name}: {}", text(&told.stderr));
        }
        let told = suppress(&running, &[name]);
        assert_eq!(told.status.code(), Some(1), "{name}: {}", text(&told.stdout));
        assert!(text(&told.stdout).contains(reason), "{name}: {}", text(&told.stdout));
    }
    let listed =
        running.json(&[&["suppressions", "list", "--stream", "outbound", "--json"], &AT[..]].concat());
    assert!(!listed.to_string().contains("not-an-address"), "nothing of it was ruled");
}

#[test]
fn an_id_is_known_to_every_command_and_one_of_nobody_is_not() {
    let running = Running::start("given-id", &[]);
    let told = running.json(&[&["recipient", "--json", GONE], &AT[..]].concat());
    let id = format!("id:{}", told["recipient_id"].as_str().unwrap());
    let by_id = running.json(&[&["recipient", "--json", &id], &AT[..]].concat());
    assert_eq!((&by_id["streams"], &by_id["address"]), (&told["streams"], &Value::from(GONE)));
    assert_eq!(check(&running, &format!("{id}\n")).1, ["do_not_send"]);
    for nobody in ["id:AAAAAAAAAAAAAAAAAAAAAA"] {
        for words in COMMANDS {
            let told = command(&running, words, nobody);
            assert_eq!(told.status.code(), Some(1), "{words:?}: {}", text(&told.stdout));
        }
        assert_eq!(suppress(&running, &[nobody]).status.code(), Some(1));
        let (status, verdicts, _) = check(&running, nobody);
        assert_eq!((status, verdicts), (Some(1), vec!["invalid".to_owned()]));
    }
    let suppressed = suppress(&running, &[&id]);
    assert!(suppressed.status.success(), "{}", text(&suppressed.stdout));
    for words in &COMMANDS[1..3] {
        let told = command(&running, *words, &id);
        assert!(told.status.success(), "{words:?}: {}", text(&told.stderr));
    }
    let timeline = command(&running, COMMANDS[1], &id);
    assert!(text(&timeline.stdout).contains("decision_suppress"), "{}", text(&timeline.stdout));
    let erased = command(&running, COMMANDS[3], &id);
    assert!(erased.status.success(), "{}", text(&erased.stderr));
}

#[test]
fn a_list_with_characters_that_are_not_to_be_seen_is_checked_as_it_was_meant() {
    let running = Running::start("given-cleaned", &[]);
    let list = "\u{200b}no.such.user@customer.example\nno.such.user\u{ad}@customer.example\n\
                \u{feff}no.such.user@customer.example\nno.such.user@customer.example\n";
    let (status, verdicts, said) = check(&running, list);
    assert_eq!((status, verdicts), (Some(1), vec!["do_not_send".to_owned(); 4]));
    assert!(
        said.contains("line 2: without its invisible characters it is no.such.user@customer.example"),
        "{said}"
    );
    assert!(said.contains("0 send, 0 risky, 4 do not send, 0 invalid"), "{said}");

    let told = command(&running, COMMANDS[0], "no.such.user\u{200b}@customer.example");
    assert!(text(&told.stdout).contains("DO NOT SEND"), "{}", text(&told.stdout));
    assert!(text(&told.stdout).contains("invisible characters were removed"), "{}", text(&told.stdout));
    let told = command(&running, COMMANDS[1], "no.such.user\u{200b}@customer.example");
    assert!(text(&told.stderr).contains("this is about no.such.user@customer.example"));

    let suppressed = suppress(&running, &["\u{feff}bea\u{200b}@customer.example"]);
    assert!(text(&suppressed.stderr).contains("this is about bea@customer.example"));
    let suppressed = suppress(&running, &["cyd\u{2060}@customer.example"]);
    assert!(text(&suppressed.stderr).contains("this is about cyd@customer.example"));
    let (_, verdicts, _) = check(&running, "bea@customer.example\ncyd@customer.example\n");
    assert_eq!(verdicts, ["do_not_send", "do_not_send"]);
}

#[test]
fn both_spellings_of_a_mailbox_are_not_to_be_mailed_once_one_has_complained() {
    let running = Running::start("given-spelled", &[]);
    let complaint = r#"{"RecordType":"SpamComplaint","MessageStream":"outbound","ID":5106,"Type":"SpamComplaint","TypeCode":100001,"MessageID":"5c2f8f10-0000-4000-8000-000000005106","ServerID":8123456,"Email":"taro..yama.@mobile.example","BouncedAt":"2025-11-20T10:00:00Z","Inactive":true,"CanActivate":false}"#;
    let posted = running.ask(&[&["post"], &AT[..]].concat(), complaint.as_bytes());
    assert!(posted.status.success(), "{}", text(&posted.stderr));
    let quoted = "\"taro..yama.\"@mobile.example";
    let recorded = || running.json(&[&["recipient", "--json", quoted], &AT[..]].concat())["known"] == true;
    assert!(std::iter::repeat_with(recorded).take(600).any(|known| known), "it is recorded");
    let (status, verdicts, _) = check(&running, &format!("{quoted}\ntaro..yama.@mobile.example\n"));
    assert_eq!((status, verdicts), (Some(1), vec!["do_not_send".to_owned(); 2]));
    let told = command(&running, COMMANDS[0], quoted);
    assert!(
        text(&told.stdout).contains("asked for as taro..yama.@mobile.example too"),
        "{}",
        text(&told.stdout)
    );
}

//! Bodies that are odd, of which it is certain what they mean: they are recorded, now or when they are replayed. And
//! one rule for the names of streams.

use crate::fixtures;
use account::audit::Who;
use api::token::Role;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::LedgerKey;
use ledger::policy::SoftBouncePolicy;
use ledger::verdict::Verdict;
use operator::Replay;
use postledger_tests::command::{command, run, text};
use postledger_tests::{SERVER, World, assert_whole, now, server_id};
use queue::{Part, QueueName, Sender};
use serde_json::{Value, json};
use store::ask::{self, Ask};

/// A hard bounce that ends as given, of an address of its own.
fn bounce(n: usize, end: &[u8]) -> Vec<u8> {
    let head = format!(
        r#"{{"RecordType":"Bounce","ID":{n},"Type":"HardBounce","Email":"gone{n}@customer.example",
            "MessageID":"5c2f8f10-0000-4000-8000-000000005101","BouncedAt":"2026-09-20T10:00:00Z","Inactive":true"#
    );
    [head.as_bytes(), end].concat()
}

fn verdict(world: &World, n: usize) -> Verdict {
    let (address, stream) = (format!("gone{n}@customer.example"), Some("outbound".to_owned()));
    let ask = Ask {
        server: server_id(SERVER),
        whom: address.parse().unwrap(),
        stream,
        found: None,
        after: None,
        at: None,
        known_at: None,
        policy: SoftBouncePolicy::default(),
        whole_timeline: false,
    };
    let key = LedgerKey::for_tests();
    world.block(ask::recipient(&*world.store, &key, ask, now())).unwrap().streams["outbound"].answer.verdict
}

#[test]
fn half_a_character_or_a_mark_never_loses_the_bounce_in_a_body() {
    let world = World::default();
    let whole = |n| bounce(n, b"}");
    let bodies: Vec<(Vec<u8>, &[&str])> = vec![
        (bounce(1, br#","Subject":"Autumn sale \ud83d"}"#), &["lone_surrogate"]),
        (bounce(2, br#","Subject":"\ude00"}"#), &["lone_surrogate"]),
        (bounce(3, br#","Metadata":{"a\uDBFF":["\ude00\ud83d"]}}"#), &["lone_surrogate"]),
        (bounce(4, b",\"Details\":\"\xed\xa0\xbd\"}"), &["lone_surrogate"]),
        (bounce(5, b",\"From\":\"caf\xe9@sender.example\"}"), &["invalid_utf8"]),
        ([b"\xef\xbb\xbf", &*whole(6)].concat(), &["byte_order_mark"]),
        ([b"\r\n \xef\xbb\xbf\t\xef\xbb\xbf ", &*whole(7)].concat(), &["byte_order_mark"]),
        (
            [b"\xef\xbb\xbf", &*bounce(8, br#","Content":"\ud83d"}"#)].concat(),
            &["Content", "byte_order_mark", "lone_surrogate"],
        ),
        (bounce(9, br#","Subject":"\ud83d\ude00","Tag":"\\ud83d"}"#), &[]),
    ];
    for (n, (body, _)) in (1..).zip(&bodies) {
        assert_eq!(world.post("bounce", body.clone()), (200, r#"{"status":"accepted"}"#.to_owned()), "{n}");
    }
    world.drain();
    assert!(world.set_aside().is_empty());
    let recorded = world.store.all_events().unwrap();
    for (n, (_, dropped)) in (1..).zip(&bodies) {
        let address = format!("gone{n}@customer.example");
        let one = recorded.iter().find(|one| one.event.address.as_ref() == Some(&address)).unwrap();
        assert_eq!(one.dropped, *dropped, "{n}");
        assert_eq!(verdict(&world, n), Verdict::DoNotSend, "{n}");
    }
    assert_whole(&world.store);
}

#[test]
fn a_body_told_twice_is_one_event_whether_a_mark_was_before_it_or_not() {
    let world = World::default();
    let body = fixtures::read("bounce-hard.json");
    for sent in [body.clone(), [b"\xef\xbb\xbf", &*body].concat(), body] {
        assert_eq!(world.post("bounce", sent).1, r#"{"status":"accepted"}"#);
        world.drain();
    }
    let recorded = world.store.all_events().unwrap();
    assert_eq!((recorded.len(), &recorded[0].dropped), (1, &vec![]));
}

/// What an older release put on the quarantine queue, word by word.
fn refused_by_an_older_release(body: &[u8]) -> String {
    let aside = json!({
        "v": 1, "id": "x".repeat(22), "part": 1, "parts": 1, "server": SERVER, "generation": 1, "key_id": "Zm9vYmFy",
        "received_at": now().plus_days(-3).micros(), "source": "webhook", "reason": "not_json",
        "detail": "lone leading surrogate in hex escape (at line 1 column 310)", "body": STANDARD.encode(body),
    });
    aside.to_string()
}

#[test]
fn a_replay_tries_again_by_todays_rules_what_an_older_release_refused() {
    let world = World::default();
    let bodies =
        [bounce(1, br#","Subject":"Autumn sale \ud83d"}"#), [b"\xef\xbb\xbf", &*bounce(2, b"}")].concat()];
    for (n, body) in (1..).zip(&bodies) {
        let message = refused_by_an_older_release(body).replace("xxx", &format!("{n}{n}{n}"));
        assert_eq!(Part::decode(&message).unwrap().bytes(), *body);
        world.block(world.queue.send(QueueName::Quarantine, &message)).unwrap();
    }
    world.drain();
    assert_eq!(world.set_aside(), [("not_json".to_owned(), 2)].into());
    assert!(world.store.all_events().unwrap().is_empty());
    for kept in world.store.all_quarantined().unwrap() {
        let key = kept.part.key();
        let replayed =
            world.block(world.stack.operator.replay(&Who::operator(), &key, Replay::default())).unwrap();
        assert_eq!(replayed.queue, "critical");
    }
    world.drain();
    for n in [1, 2] {
        assert_eq!(verdict(&world, n), Verdict::DoNotSend);
    }
    let received: Vec<_> =
        world.store.all_events().unwrap().iter().map(|one| one.event.received_at).collect();
    assert_eq!(received, [now().plus_days(-3); 2], "as it came in then");
    assert_whole(&world.store);
}

#[test]
fn a_replay_of_more_than_is_read_is_refused_again_and_the_body_stays() {
    let world = World::default();
    let body = format!("[{}0]", "[],".repeat(200_000)).into_bytes();
    assert_eq!(world.post("bounce", body.clone()).1, r#"{"status":"set_aside","reason":"too_large"}"#);
    world.drain();
    let kept = world.store.all_quarantined().unwrap();
    let first = kept.iter().find(|kept| kept.part.part == 1).unwrap();
    let key = first.part.key();
    let refused =
        world.block(world.stack.operator.replay(&Who::operator(), &key, Replay::default())).unwrap_err();
    let told = refused.document()["detail"].as_str().unwrap().to_owned();
    assert!(told.starts_with("too_large: more values than are read"), "{told}");
    let shown = world.block(world.stack.operator.set_aside(&key)).unwrap();
    assert_eq!(STANDARD.decode(shown.body_base64.unwrap()).unwrap(), body);
}

#[test]
fn an_open_without_its_flag_is_counted_as_a_repeat() {
    let world = World::default();
    let mut body: Value = serde_json::from_slice(&fixtures::read("open-current.json")).unwrap();
    body.as_object_mut().unwrap().remove("FirstOpen");
    assert_eq!(world.post("open", body.to_string()).1, r#"{"status":"accepted"}"#);
    body["FirstOpen"] = json!(true);
    assert_eq!(world.post("open", body.to_string()).1, r#"{"status":"accepted"}"#);
    world.drain();
    let counters = world.store.all_counters();
    let counted = |name: &str| -> i64 {
        counters
            .iter()
            .flat_map(|(_, counts)| counts)
            .filter(|(m, _)| m.name() == name)
            .map(|(_, n)| *n)
            .sum()
    };
    assert_eq!((counted("open_first"), counted("open_repeat")), (1, 1), "the first one is told by itself");
}

#[test]
fn door_read_api_and_commands_have_one_rule_for_the_names_of_streams() {
    let world = World::default();
    let token = world.token(Role::Viewer, None, true);
    let mut body: Value = serde_json::from_slice(&fixtures::read("delivery-current.json")).unwrap();
    let longest = "a".repeat(128);
    let too_long = "a".repeat(129);
    for (name, good) in [
        ("outbound", true),
        ("Broadcasts_2.a-b", true),
        (&*longest, true),
        (&*too_long, false),
        ("a#b", false),
        ("a\0b", false),
        ("..", false),
        ("*b", false),
        ("a b", false),
        ("a/b", false),
        ("-a", false),
        ("a\u{200b}", false),
        ("\u{1b}[31ma", false),
    ] {
        body["MessageStream"] = json!(name);
        let (_, door) = world.post("delivery", body.to_string());
        let refused = r#"{"status":"set_aside","reason":"bad_field"}"#;
        assert_eq!(door, if good { r#"{"status":"accepted"}"# } else { refused }, "{name:?}");
        world.drain();

        let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let path = format!("/v1/servers/{SERVER}/recipients/ida@customer.example?stream={encoded}");
        let asked = world.ask(Some(&token), "GET", &path, "");
        assert_eq!(asked.status(), if good { 200 } else { 400 }, "{name:?}: {}", asked.body());
        let check = json!({ "stream": name, "addresses": ["ida@customer.example"] });
        let path = format!("/v1/servers/{SERVER}/check");
        let asked = world.ask(Some(&token), "POST", &path, &check.to_string());
        assert_eq!(asked.status(), if good { 200 } else { 400 }, "{name:?}: {}", asked.body());

        // No argument of a command can bear it.
        if !name.contains('\0') {
            let stream = format!("--stream={name}");
            let args = ["recipient", "--server", "8123456", "ida@customer.example", &stream];
            let output = run(world.command().args(args), b"");
            let told = text(&output.stderr);
            assert_eq!(output.status.code() == Some(2), !good, "{name:?}: {told}");
            assert_eq!(told.contains("not the id of a message stream"), !good, "{told}");
        }
    }
}

#[test]
fn the_command_event_exits_2_for_whatever_would_be_set_aside() {
    let click = |at: &str| {
        json!({ "RecordType": "Click", "MessageID": "m", "Recipient": "reader@customer.example",
            "OriginalLink": "https://shop.example/a", "ReceivedAt": at })
    };
    let event = |body: String, more: &[&str]| {
        let output = run(command().args(["event", "--server", "8123456"]).args(more), body.as_bytes());
        (output.status.code(), text(&output.stderr))
    };
    let (code, told) = event(click("2017-10-25T15:21:11.9065619Z").to_string(), &[]);
    assert_eq!(code, Some(2));
    assert!(told.starts_with("set aside: too_old: "), "{told}");
    assert_eq!(event(click("2017-10-25T15:21:11Z").to_string(), &["--retention-days", "36500"]).0, Some(0));
    let recent = click(&platform::now().plus_days(-1).to_string());
    assert_eq!(event(recent.to_string(), &[]).0, Some(0));
    for (name, value) in
        [("MessageStream", "a#b"), ("ReceivedAt", "2099-01-01T00:00:00Z"), ("Recipient", " ")]
    {
        let mut body = recent.clone();
        body[name] = json!(value);
        assert_eq!(event(body.to_string(), &[]).0, Some(2), "{name}");
    }
}

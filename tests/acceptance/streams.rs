//! Streams and servers that nobody knows: whoever asks about one is told that it may be a slip, and no ruling makes one
//! known.

use crate::commands::Running;
use ledger::policy::StreamKind;
use postledger_tests::command::{run, text};
use postledger_tests::{SERVER, World, assert_whole, server_id};
use serde_json::{Value, json};
use std::process::Output;
use store::prelude::*;

const BOUNCE: &str = include_str!("../../shared/postmark/fixtures/bounce-hard.json");

/// A Postledger to which one event came, on `outbound`.
fn world() -> World {
    let world = World::default();
    assert_eq!(world.post("bounce", BOUNCE).0, 200);
    world.drain();
    world.consume();
    world
}

fn ask(world: &World, words: &str) -> Output {
    run(world.command().args(words.split(' ')), b"email\nbob@x.example\n")
}

#[test]
fn a_misspelt_stream_or_server_is_an_error_of_each_command_and_no_ruling_makes_it_known() {
    let world = world();
    let known = world.block(world.store.streams(server_id(SERVER))).unwrap();
    for words in [
        "check --strict --server 8123456 --stream outbuond --address bob@x.example",
        "check --server 8123465 --stream outbound --address bob@x.example",
        "recipient --server 8123456 --stream outbuond bob@x.example",
        "recipient --server 8123465 bob@x.example",
        "rebuild --server 8123465",
        "completeness --server 8123465",
        "stats --server 8123456 --stream outbuond",
        "activity --server 8123456 --stream outbuond",
        "suppressions list --server 8123456 --stream outbuond",
        "suppressions export --server 8123456 --stream outbuond",
        "suppressions import --server 8123456 --stream outbuond --cause manual -",
        "suppress --server 8123456 --stream outbuond --reason r --no-postmark bob@x.example",
        "reactivate --server 8123456 --stream outbuond --reason r bob@x.example",
        "suppress --server 8123465 --stream outbound --reason r --no-postmark bob@x.example",
        "suppress --server 8123465 --stream * --reason r --no-postmark bob@x.example",
        "reactivate --server 8123465 --stream * --reason r --no-postmark bob@x.example",
    ] {
        let told = ask(&world, words);
        let errors = text(&told.stderr);
        assert_eq!((told.status.code(), &*told.stdout), (Some(2), &b""[..]), "{words}: {errors}");
        assert!(errors.contains("known") && errors.contains("next:"), "{words}: {errors}");
        let way_on = errors.contains("--unknown-stream") || errors.contains("postledger server add");
        assert!(way_on, "{words}: {errors}");
        assert_eq!(
            errors.contains("did you mean outbound?"),
            words.contains("outbuond"),
            "{words}: {errors}"
        );
    }
    assert_eq!(world.block(world.store.streams(server_id(SERVER))).unwrap(), known);
    assert_eq!(world.block(world.store.streams(server_id(8_123_465))).unwrap(), [].into());
}

#[test]
fn a_ruling_on_a_stream_that_nobody_knows_holds_where_it_is_meant_and_makes_it_known_to_nobody() {
    let world = world();
    let suppress =
        "suppress --unknown-stream --stream invoices --reason r --no-postmark bob@x.example --server";
    let told = ask(&world, &format!("{suppress} 8123456"));
    assert!(told.status.success(), "{}", text(&told.stderr));
    let check = "check --server 8123456 --stream invoices --address bob@x.example";
    assert_eq!(ask(&world, check).status.code(), Some(2), "it is as unknown as before");
    let told = ask(&world, &format!("{suppress} 8123465"));
    assert_eq!(told.status.code(), Some(2), "nobody knows the server: {}", text(&told.stdout));
    let check = "check --server 8123456 --stream invoices --address bob@x.example --unknown-stream";
    let told = ask(&world, check);
    assert_eq!(told.status.code(), Some(1), "{}", text(&told.stderr));
    assert!(text(&told.stderr).contains("CAUTION: nobody knows a stream invoices"));
    assert!(text(&told.stdout).contains("do_not_send"));
    let rebuilt = ask(&world, "rebuild --server 8123456 --json");
    assert!(rebuilt.status.success(), "what is on it is compared all the same: {}", text(&rebuilt.stdout));
    assert!(text(&rebuilt.stdout).contains("\"differences\": []"), "{}", text(&rebuilt.stdout));
    assert_whole(&world.store);
}

#[test]
fn a_ruling_on_a_stream_that_is_known_stands_in_the_lists_of_what_happened_there() {
    let world = World::default();
    world.register(SERVER, "acme", &[("news", StreamKind::Broadcast)]);
    world.consume();
    for stream in ["news", "broadcast", "*"] {
        let suppress =
            format!("suppress --server 8123456 --stream {stream} --reason r --no-postmark bob@x.example");
        assert!(ask(&world, &suppress).status.success(), "{stream}");
        let listed = format!("activity --server 8123456 --stream {stream} --json");
        assert_eq!(text(&ask(&world, &listed).stdout).matches("decision_suppress").count(), 1, "{stream}");
    }
    let all = text(&ask(&world, "activity --server 8123456 --json").stdout);
    assert_eq!(all.matches("decision_suppress").count(), 3, "{all}");
}

#[test]
fn a_stream_that_a_slip_made_known_is_forgotten_unless_it_holds_something() {
    let world = world();
    // As an older release noted them with a ruling, the one of which is in force.
    for slip in ["outbuond", "outbond"] {
        world.block(world.store.note_stream(server_id(SERVER), slip)).unwrap();
    }
    let rule = "--server 8123456 --stream outbond --reason r --no-postmark bob@x.example";
    assert!(ask(&world, &format!("suppress {rule}")).status.success());
    let forget =
        |stream: &str| ask(&world, &format!("server forget-stream --server 8123456 --stream {stream}"));
    let told = forget("outbond");
    assert_eq!(told.status.code(), Some(1));
    assert!(text(&told.stderr).contains("rulings that are in force"), "{}", text(&told.stderr));
    let told = forget("outbuond");
    assert!(text(&told.stdout).contains("not known any more"), "{}", text(&told.stderr));
    assert!(text(&forget("outbuond").stdout).contains("was not known"));
    let check = "check --server 8123456 --stream outbuond --address bob@x.example";
    assert_eq!(ask(&world, check).status.code(), Some(2));
    for (stream, words) in [("outbound", "events happened"), ("*", "whole server")] {
        let told = forget(stream);
        assert_eq!(told.status.code(), Some(1));
        assert!(text(&told.stderr).contains(words), "{stream}: {}", text(&told.stderr));
    }
    let audit: Value = serde_json::from_slice(&ask(&world, "audit --server 8123456 --json").stdout).unwrap();
    let noted = |item: &&Value| item["what"] == "server.forget_stream" && item["phase"] == "done";
    let noted: Vec<&Value> = audit["items"].as_array().unwrap().iter().filter(noted).collect();
    assert_eq!(noted.len(), 2, "{audit}");
    assert!(noted.iter().any(|item| item["after"] == json!({ "was": true })), "{audit}");
}

#[test]
fn no_list_is_no_leave_to_mail() {
    let running = Running::start("empty", &[]);
    for input in ["", "\n\n", "email\n", "\u{feff}email,name\r\n\r\n"] {
        for strict in [&[][..], &["--strict"]] {
            let words = ["check", "--server", "8123456", "--stream", "outbound"];
            let told = running.ask(&[&words[..], strict].concat(), input.as_bytes());
            assert_eq!(told.status.code(), Some(2), "{input:?}");
            assert!(text(&told.stderr).contains("there is no address in it"), "{}", text(&told.stderr));
        }
    }
}

//! The examples for senders, run as their page says.

use postledger_tests::emulator::root;
use postledger_tests::{SERVER, World};
use std::path::Path;
use std::process::{Command, Output};

const BOUNCE: &str = include_str!("../../shared/postmark/fixtures/bounce-hard.json");

fn run(program: &Path, example: &str, world: &World, token: &str, addresses: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.arg(root().join("functions/api/examples").join(example));
    command.args([SERVER.to_string().as_str(), "outbound"]).args(addresses);
    command.env("POSTLEDGER_URL", world.base()).env("POSTLEDGER_TOKEN", token);
    command.output().unwrap_or_else(|error| panic!("{}: {error}", program.display()))
}

#[test]
fn the_examples_for_senders_name_whom_not_to_mail_and_why() {
    let world = World::default();
    assert_eq!(world.post("bounce", BOUNCE).0, 200);
    world.drain();
    let token = world.token(api::token::Role::Viewer, Some(&[SERVER]), false);
    let bounced: serde_json::Value = serde_json::from_str(BOUNCE).unwrap();
    let bounced = bounced["Email"].as_str().unwrap();
    let node = root().join(".tools/node/bin/node");
    for (program, example) in [(Path::new("python3"), "check.py"), (&node, "check.mjs")] {
        let told = run(program, example, &world, &token, &["bob@customer.example", bounced, "none"]);
        let out = String::from_utf8(told.stdout).unwrap();
        assert_eq!(told.status.code(), Some(1), "{example}: {}", String::from_utf8_lossy(&told.stderr));
        assert!(out.contains(&format!("{bounced}\ton Postmark's suppression list: hard bounce")), "{out}");
        assert!(out.contains("none\tthe address has no @") && !out.contains("bob@"), "{out}");
        let told = run(program, example, &world, &token, &["bob@customer.example"]);
        assert_eq!((told.status.code(), told.stdout), (Some(0), Vec::new()), "{example}");
        let told = run(program, example, &world, "plt_none", &["bob@customer.example"]);
        let told = (told.status.code(), String::from_utf8(told.stderr).unwrap());
        assert!(told.0 == Some(1) && told.1.contains("the token is not known here"), "{told:?}");
    }
}

//! The examples for senders, run as their page says: 0 is only ever said where every address was answered and may be
//! mailed.

use postledger_tests::emulator::root;
use postledger_tests::{SERVER, World};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output};

const BOUNCE: &str = include_str!("../../shared/postmark/fixtures/bounce-hard.json");

/// The examples, and the program that runs each.
fn examples() -> [(PathBuf, &'static str); 3] {
    let node = root().join(".tools/node/bin/node");
    [("python3".into(), "check.py"), (node, "check.mjs"), ("sh".into(), "check.sh")]
}

fn run(example: &(PathBuf, &str), base: &str, token: &str, stream: &str, addresses: &[&str]) -> Output {
    let (program, script) = example;
    let mut command = Command::new(program);
    command.arg(root().join("functions/api/examples").join(script));
    command.args([SERVER.to_string().as_str(), stream]).args(addresses);
    command.env("POSTLEDGER_URL", base).env("POSTLEDGER_TOKEN", token).env("NO_PROXY", "*");
    command.output().unwrap_or_else(|error| panic!("{}: {error}", program.display()))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_examples_for_senders_name_whom_not_to_mail_and_why() {
    let world = World::default();
    assert_eq!(world.post("bounce", BOUNCE).0, 200);
    world.drain();
    let token = world.token(api::token::Role::Viewer, Some(&[SERVER]), false);
    let bounced: Value = serde_json::from_str(BOUNCE).unwrap();
    let bounced = bounced["Email"].as_str().unwrap();
    for example in &examples() {
        let run = |token: &str, stream: &str, addresses: &[&str]| {
            let told = run(example, world.base(), token, stream, addresses);
            (told.status.code(), text(&told.stdout), text(&told.stderr))
        };
        let (code, out, errors) = run(&token, "outbound", &["bob@customer.example", bounced, "none"]);
        assert_eq!(code, Some(1), "{example:?}: {errors}");
        assert!(
            out.contains(bounced) && out.contains("on Postmark's suppression list: hard bounce"),
            "{out}"
        );
        assert!(out.contains("none"), "{out}");
        for one in [bounced, "none", "a\"b\\@customer.example"] {
            assert_eq!(run(&token, "outbound", &[one]).0, Some(1), "{example:?}: {one}");
        }
        let (code, out, errors) = run(&token, "outbound", &["bob@customer.example", "bob@customer.example"]);
        assert_eq!((code, &*out), (Some(0), ""), "{example:?}: {errors}");
        for (token, stream, addresses, words) in [
            ("plt_none", "outbound", &["bob@customer.example"][..], "the token is not known here"),
            (&*token, "outbuond", &["bob@customer.example"], "did you mean outbound?"),
            (&*token, "outbound", &[], ""),
        ] {
            let (code, out, errors) = run(token, stream, addresses);
            assert_eq!(code, Some(2), "{example:?}: {out}{errors}");
            assert!(errors.contains(words), "{example:?}: {errors}");
        }
    }
}

/// Answers every request alike.
fn somebody_else(status: &str, more: &str, body: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n{body}"
    );
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            // The head, and the body that comes with it.
            let (mut asked, mut buffer) = (Vec::new(), [0; 4_096]);
            while !asked.ends_with(b"}") && !asked.starts_with(b"GET") {
                match stream.read(&mut buffer) {
                    Ok(read) if read > 0 => asked.extend_from_slice(&buffer[..read]),
                    _ => break,
                }
            }
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    base
}

#[test]
fn what_is_no_answer_to_this_question_is_never_a_leave_to_mail() {
    let result = |address: &str| json!({ "address": address, "verdict": "send", "reasons": [] });
    let answer = |stream: &str, known: bool, results: Vec<Value>, invalid: Vec<Value>| {
        let as_of = json!({
            "at": "2026-11-21T08:00:00.000000Z", "newest_event": null,
            "critical_queue": { "waiting": 0, "oldest_seconds_at_most": 0 },
        });
        let counts = json!({ "do_not_send": 0, "invalid": invalid.len(), "risky": 0, "send": results.len() });
        json!({
            "server": SERVER, "stream": stream, "kind": "transactional", "stream_known": known,
            "as_of": as_of, "counts": counts, "results": results, "invalid": invalid,
        })
    };
    let bob = "bob@customer.example";
    let good = answer("outbound", true, vec![result(bob)], vec![]);
    let without = |name: &str| {
        let mut answer = good.clone();
        answer.as_object_mut().unwrap().remove(name);
        answer.to_string()
    };
    let moved = "Location: /login\r\n";
    let wrong = [
        ("200 OK", "", "<html>Please log in to the network</html>".to_owned()),
        ("200 OK", "", String::new()),
        ("200 OK", "", "null".to_owned()),
        ("200 OK", "", "{}".to_owned()),
        ("200 OK", "", "[]".to_owned()),
        ("200 OK", "", without("results")),
        ("200 OK", "", without("counts").replace("\"results\"", "\"other\"")),
        ("200 OK", "", without("stream_known")),
        ("200 OK", "", answer("outbound", false, vec![result(bob)], vec![]).to_string()),
        ("200 OK", "", answer("outbound", true, vec![], vec![]).to_string()),
        (
            "200 OK",
            "",
            answer("outbound", true, vec![result(bob), result("x@y.example")], vec![]).to_string(),
        ),
        ("204 No Content", "", String::new()),
        ("302 Found", moved, good.to_string()),
        ("307 Temporary Redirect", moved, good.to_string()),
        ("403 Forbidden", "", good.to_string()),
        ("404 Not Found", "", "<html>nothing here</html>".to_owned()),
    ];
    let base = somebody_else("200 OK", "", &good.to_string());
    let check = |base: &str| {
        use postledger_tests::command::{command, run};
        let words = ["check", "--server", "8123456", "--stream", "outbound", "--address", bob, "--url", base];
        run(command().args(words).env("POSTLEDGER_TOKEN", "plt_abcdefghijkl_x"), b"")
    };
    for example in &examples() {
        assert_eq!(run(example, &base, "plt_x", "outbound", &[bob]).status.code(), Some(0), "{example:?}");
    }
    assert_eq!(check(&base).status.code(), Some(0), "{}", text(&check(&base).stderr));
    for (status, more, body) in &wrong {
        let base = somebody_else(status, more, body);
        for example in &examples() {
            let told = run(example, &base, "plt_x", "outbound", &[bob]);
            assert_eq!(told.status.code(), Some(2), "{example:?} at {status} {body}: {}", text(&told.stderr));
        }
        let told = check(&base);
        assert_eq!(told.status.code(), Some(2), "check at {status} {body}: {}", text(&told.stderr));
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(check(&format!("http://{nobody}")).status.code(), Some(2));
}

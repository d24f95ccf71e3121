//! Programs that ask the read API as its users' programs do: the examples for senders, and the examples of clients that
//! generators make of the API's description. Here is what is asked of all of them, whatever language they are in.

use crate::command::{Folder, run, text};
use crate::emulator::root;
use crate::{SERVER, World};
use api::token::Role;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const BOUNCE: &str = include_str!("../../shared/postmark/fixtures/bounce-hard.json");
/// Nobody's mail has failed there.
const BOB: &str = "bob@customer.example";

/// A world that has recorded a hard bounce, and the address that bounced.
///
/// # Panics
/// Where the bounce is refused.
pub fn bounced() -> (World, String) {
    let world = World::default();
    assert_eq!(world.post("bounce", BOUNCE).0, 200);
    world.drain();
    let bounce: Value = serde_json::from_str(BOUNCE).expect("JSON");
    (world, bounce["Email"].as_str().expect("an address").to_owned())
}

/// An example for senders: a script that exits with 0 only where every address was answered and may be mailed.
#[derive(Clone, Debug)]
pub struct Example {
    program: PathBuf,
    script: &'static str,
}

impl Example {
    /// A script of `functions/api/examples`, and the program that runs it.
    pub fn new(program: impl Into<PathBuf>, script: &'static str) -> Example {
        Example { program: program.into(), script }
    }

    fn run(&self, base: &str, token: &str, stream: &str, addresses: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        command.arg(root().join("functions/api/examples").join(self.script));
        command.args([SERVER.to_string().as_str(), stream]).args(addresses);
        command.env("POSTLEDGER_URL", base).env("POSTLEDGER_TOKEN", token).env("NO_PROXY", "*");
        command.output().unwrap_or_else(|error| panic!("{}: {error}", self.program.display()))
    }

    /// Asks whether one address may be mailed, wherever the API is.
    pub fn ask(&self, base: &str) -> Output {
        self.run(base, "plt_x", "outbound", &[BOB])
    }

    /// Names whom not to mail, and why; says what is wrong with a question; and tells all of that by its exit status.
    ///
    /// # Panics
    /// Where it does not.
    pub fn names_whom_not_to_mail_and_why(&self) {
        let (world, bounced) = bounced();
        let (bounced, token) = (&*bounced, world.token(Role::Viewer, Some(&[SERVER]), false));
        let run = |token: &str, stream: &str, addresses: &[&str]| {
            let told = self.run(world.base(), token, stream, addresses);
            (told.status.code(), text(&told.stdout), text(&told.stderr))
        };
        let (code, out, errors) = run(&token, "outbound", &[BOB, bounced, "none"]);
        assert_eq!(code, Some(1), "{self:?}: {errors}");
        assert!(
            out.contains(bounced) && out.contains("on Postmark's suppression list: hard bounce"),
            "{out}"
        );
        assert!(out.contains("none"), "{out}");
        for one in [bounced, "none", "a\"b\\@customer.example"] {
            assert_eq!(run(&token, "outbound", &[one]).0, Some(1), "{self:?}: {one}");
        }
        let (code, out, errors) = run(&token, "outbound", &[BOB, BOB]);
        assert_eq!((code, &*out), (Some(0), ""), "{self:?}: {errors}");
        for (token, stream, addresses, words) in [
            ("plt_none", "outbound", &[BOB][..], "the token is not known here"),
            (&*token, "outbuond", &[BOB], "did you mean outbound?"),
            (&*token, "outbound", &[], ""),
        ] {
            let (code, out, errors) = run(token, stream, addresses);
            assert_eq!(code, Some(2), "{self:?}: {out}{errors}");
            assert!(errors.contains(words), "{self:?}: {errors}");
        }
    }
}

/// Answers every request alike.
fn somebody_else(status: &str, more: &str, body: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("its address"));
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

/// Whatever answers a check of one address, a program that asks says by its exit status 0 that the address may be mailed
/// only where that is what was answered; else 2.
///
/// # Panics
/// Where that is not so of a program, each of which is run for where the API is said to be.
pub fn take_only_an_answer_to_their_question_for_a_leave_to_mail(asking: &[&dyn Fn(&str) -> Output]) {
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
    let good = answer("outbound", true, vec![result(BOB)], vec![]);
    let without = |name: &str| {
        let mut answer = good.clone();
        answer.as_object_mut().expect("an object").remove(name);
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
        ("200 OK", "", answer("outbound", false, vec![result(BOB)], vec![]).to_string()),
        ("200 OK", "", answer("outbound", true, vec![], vec![]).to_string()),
        (
            "200 OK",
            "",
            answer("outbound", true, vec![result(BOB), result("x@y.example")], vec![]).to_string(),
        ),
        ("204 No Content", "", String::new()),
        ("302 Found", moved, good.to_string()),
        ("307 Temporary Redirect", moved, good.to_string()),
        ("403 Forbidden", "", good.to_string()),
        ("404 Not Found", "", "<html>nothing here</html>".to_owned()),
    ];
    let base = somebody_else("200 OK", "", &good.to_string());
    for (which, ask) in asking.iter().enumerate() {
        let told = ask(&base);
        assert_eq!(told.status.code(), Some(0), "program {which}: {}", text(&told.stderr));
    }
    for (status, more, body) in &wrong {
        let base = somebody_else(status, more, body);
        for (which, ask) in asking.iter().enumerate() {
            let told = ask(&base);
            let errors = text(&told.stderr);
            assert_eq!(told.status.code(), Some(2), "program {which} at {status} {body}: {errors}");
        }
    }
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    for (which, ask) in asking.iter().enumerate() {
        assert_eq!(ask(&format!("http://{nobody}")).status.code(), Some(2), "program {which}");
    }
}

/// What a program printed that had to end well.
///
/// # Panics
/// Where it did not.
pub fn printed(command: &mut Command) -> String {
    let output = run(command, b"");
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {out}{err}");
    out
}

/// What the example of a generated client prints about an address, asking a world.
pub fn of_example(example: &mut Command, world: &World, address: &str) -> String {
    let token = world.token(Role::Admin, Some(&[SERVER]), true);
    example.args([SERVER.to_string().as_str(), "outbound", address]);
    printed(example.env("POSTLEDGER_URL", world.base()).env("POSTLEDGER_TOKEN", token))
}

/// Where `make api-tools` installs to.
fn api_tools() -> PathBuf {
    let tools = root().join(".tools/api");
    assert!(tools.join("ready").exists(), "the generator is not installed: run `make api-tools`");
    tools
}

/// The same, by a client that openapi-python-client generates.
///
/// # Panics
/// Where it is not installed, or what it makes does not work.
pub fn of_example_in_python(world: &World, address: &str) -> String {
    let (tools, folder) = (api_tools(), Folder::new("client-py"));
    let package: &Path = &folder.path().join("postledger_client");
    printed(
        Command::new(tools.join("bin/openapi-python-client"))
            .arg("generate")
            .arg("--path")
            .arg(root().join("functions/api/openapi.json"))
            .arg("--output-path")
            .arg(package)
            .args(["--meta", "none"]),
    );
    let mut example = Command::new(tools.join("bin/python"));
    example.arg(root().join("tests/api/clients/example.py")).env("PYTHONPATH", folder.path());
    of_example(&mut example, world, address)
}

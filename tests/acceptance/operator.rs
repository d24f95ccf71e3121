//! Who may operate a running Postledger, and what strangers can hold of it: over real sockets.

use crate::commands::Running;
use crate::fixtures;
use embedded::{Limits, Pass, server};
use http::header::AUTHORIZATION;
use ledger::Time;
use postledger_tests::command::{Folder, command, run, text};
use postledger_tests::{SERVER, World};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;
use tokio::net::TcpListener;

/// Every call of operators, as one that changes nothing even if it were let in.
const CALLS: [(&str, &str); 20] = [
    ("GET", "operator/queues"),
    ("POST", "operator/queues/critical/redrive"),
    ("GET", "operator/quarantine?days=7"),
    ("GET", "operator/quarantine/1.none"),
    ("POST", "operator/quarantine/1.none/replay"),
    ("GET", "operator/revocations"),
    ("POST", "operator/revocations"),
    ("DELETE", "operator/revocations/8123456/9"),
    ("POST", "operator/sweep"),
    ("GET", "operator/servers/8123456/settings"),
    ("DELETE", "operator/servers/8123456/streams/none"),
    ("GET", "operator/servers/8123456/counters?stream=outbound&from=0&before=1"),
    ("POST", "operator/servers/8123456/reconcile"),
    ("GET", "operator/servers/8123456/rebuild"),
    ("POST", "operator/servers/8123456/rebuild"),
    ("GET", "operator/documents/servers"),
    ("GET", "operator/documents/tokens/none"),
    ("PUT", "operator/keys"),
    ("GET", "tokens"),
    ("GET", "servers/8123456/stats"),
];

#[test]
fn nobody_operates_a_postledger_without_the_secret_of_its_run() {
    let world = World::default();
    let other = Pass::new("test", "http://127.0.0.1:1").unwrap().header();
    let (admin, mine) = (world.pass().admin.clone(), world.pass().header());
    let status = |base: &str, (method, path): (&str, &str), headers: &[(&str, &str)]| {
        let mut request = http::Request::builder().method(method).uri(format!("{base}/v1/{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        world.send(request.body(Vec::new()).unwrap()).status().as_u16()
    };
    for call in CALLS {
        for headers in
            [&[][..], &[(AUTHORIZATION.as_str(), &*other)], &[("host", "localhost"), ("x-actor", "root")]]
        {
            assert_eq!(status(&admin, call, headers), 401, "{call:?} {headers:?}");
        }
        let at_the_doors =
            status(world.base(), call, &[(AUTHORIZATION.as_str(), &*mine), ("host", "localhost")]);
        assert!(
            at_the_doors >= 400,
            "{call:?}: the doors' port has no operator's routes, with or without a secret"
        );
    }
    for call in [("GET", "operator/queues"), ("GET", "tokens")] {
        assert_eq!(status(&admin, call, &[(AUTHORIZATION.as_str(), &*mine)]), 200, "{call:?}");
    }
}

#[test]
fn commands_operate_only_what_their_own_user_runs_on_this_machine() {
    let world = World::default();
    let stranger = Folder::new("stranger");
    let ask = |home: &Folder, url: &str| {
        run(command().args(["queues", "--url", url]).env("POSTLEDGER_HOME", home.path()), b"")
    };
    let told = ask(&stranger, world.base());
    assert_eq!(told.status.code(), Some(1));
    assert!(text(&told.stderr).contains("no Postledger of yours"), "{}", text(&told.stderr));
    let told = ask(&stranger, "https://tunnel.example");
    assert!(text(&told.stderr).contains("not on this machine"), "{}", text(&told.stderr));
    assert!(run(world.command().arg("queues"), b"").status.success());
}

#[test]
fn a_pass_is_for_its_user_alone_and_goes_with_the_run() {
    let running = Running::start("pass", &["--no-sample"]);
    let port = running.url.rsplit_once(':').unwrap().1.parse().unwrap();
    let path = Pass::path(running.home(), port);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let exposed = running.ask(&["queues"], b"");
    let mend = format!("chmod 600 {}", path.display());
    assert!(!exposed.status.success() && text(&exposed.stderr).contains(&mend), "{}", text(&exposed.stderr));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(running.ask(&["queues"], b"").status.success());
    running.stop();
    assert!(!path.exists());
}

/// What a server says to raw bytes, until it ends the connection or `most` has passed.
fn raw(base: &str, bytes: &[u8], most: Duration) -> String {
    let mut stream = TcpStream::connect(base.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(most)).unwrap();
    stream.write_all(bytes).unwrap();
    let mut told = Vec::new();
    let _ = stream.read_to_end(&mut told);
    String::from_utf8_lossy(&told).into_owned()
}

#[test]
fn a_stranger_is_refused_before_a_body_is_read() {
    let world = World::default();
    let wrong = "Authorization: Basic ODEyMzQ1Ni4xOm5v\r\n";
    for (path, header, status) in [
        ("/v1/8123456/bounce", "", "401"),
        ("/v1/8123456/bounce", wrong, "503"),
        ("/v1/servers/8123456/check", "", "401"),
        ("/v1/servers/8123456/check", "Authorization: Bearer plt_abcdefghijkl_nonsense\r\n", "401"),
    ] {
        // The body is announced and never comes: whoever waits for it waits longer than this.
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\n{header}Content-Length: 10000000\r\n\r\n");
        let told = raw(world.base(), head.as_bytes(), Duration::from_secs(10));
        assert!(told.starts_with(&format!("HTTP/1.1 {status} ")), "{path} {header}: {told}");
    }
    let head = "POST /v1/operator/servers/1/rebuild HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n";
    assert!(raw(&world.pass().admin, head.as_bytes(), Duration::from_secs(10)).starts_with("HTTP/1.1 401 "));
}

#[test]
fn a_request_that_does_not_come_and_connections_beyond_the_limit_hold_nobody_up_for_ever() {
    let world = World::default();
    let listener = world.block(TcpListener::bind("127.0.0.1:0")).unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let limits = Limits { connections: 2, head: Duration::from_millis(300) };
    world.spawn(server::serve(world.stack.clone(), listener, limits, std::future::pending()));
    let address = base.trim_start_matches("http://");
    let slow: Vec<TcpStream> = (0..8)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ").unwrap();
            stream
        })
        .collect();
    let health = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let told = raw(&base, health, Duration::from_secs(20));
    assert!(told.starts_with("HTTP/1.1 200 "), "those who say nothing are sent away: {told}");
    for mut stream in slow {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut told = Vec::new();
        assert!(stream.read_to_end(&mut told).is_ok(), "its connection is ended");
    }
}

#[test]
fn a_key_made_while_a_postledger_runs_is_taken_up_by_it_at_once() {
    let running = Running::start("taken-up", &["--no-sample"]);
    let bounce = fixtures::read("bounce-hard.json");
    let post = |what: &str| {
        let posted = running.ask(&["post", "--server", "8123456"], &bounce);
        assert!(posted.status.success(), "{what}: {}{}", text(&posted.stdout), text(&posted.stderr));
    };
    post("before");
    let made = running.ask(&["keys", "new"], b"");
    assert!(text(&made.stdout).contains("has taken that up"), "{}", text(&made.stdout));
    post("with the new key");
    let sample = running.ask(&["sample"], b"");
    assert!(sample.status.success(), "{}", text(&sample.stderr));
    let keys: serde_json::Value =
        serde_json::from_slice(&running.ask(&["keys", "list", "--json"], b"").stdout).unwrap();
    let (new, old) = (keys[0]["key_id"].as_str().unwrap(), keys[1]["key_id"].as_str().unwrap());
    assert!(running.ask(&["keys", "retire", old], b"").status.success());
    post("without the old key");
    let last = running.ask(&["keys", "retire", new], b"");
    assert!(!last.status.success() && text(&last.stderr).contains("the only key"));
    post("with the key that could not be retired");
}

#[test]
fn a_postledger_that_runs_and_is_in_trouble_is_not_passed_over_when_keys_are_handed_out() {
    let home = Folder::new("in-trouble");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = listener.local_addr().unwrap();
    let pass = Pass::new("local", &format!("http://{admin}")).unwrap();
    let _kept = pass.keep(home.path(), admin.port()).unwrap();
    let new = || {
        let made = run(command().args(["keys", "new"]).env("POSTLEDGER_HOME", home.path()), b"");
        (made.status.code(), text(&made.stderr))
    };
    let busy = std::thread::spawn(move || {
        let problem = r#"{"type":"urn:postledger:problem:unavailable","detail":"it is busy"}"#;
        // That it is there is seen by one question, and the keys are offered once.
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let length = problem.len();
            let head = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: ";
            write!(stream, "{head}{length}\r\n\r\n{problem}").unwrap();
        }
    });
    let (status, told) = new();
    assert_eq!(status, Some(1), "{told}");
    assert!(told.contains("does not take up the keys: it is busy") && told.contains("restart it"), "{told}");
    busy.join().unwrap();
    assert_eq!(new(), (Some(0), String::new()), "nobody listens there any more: it was killed");
}

#[test]
fn a_rotation_without_connected_webhooks_leaves_the_doors_open() {
    let running = Running::start("rotated", &["--no-sample"]);
    for _ in 0..2 {
        let rotated = running.ask(&["keys", "rotate", "--yes"], b"");
        assert!(rotated.status.success(), "{}{}", text(&rotated.stdout), text(&rotated.stderr));
        let posted = running.ask(&["post", "--server", "8123456"], &fixtures::read("bounce-hard.json"));
        assert!(posted.status.success(), "{}", text(&posted.stdout));
    }
}

#[test]
fn a_sample_that_is_refused_is_no_success() {
    let running = Running::start("refused", &["--no-sample"]);
    // Other keys, and the same Postledger.
    let home = Folder::new("refused-keys");
    std::fs::create_dir_all(home.path()).unwrap();
    let port = running.url.rsplit_once(':').unwrap().1.parse().unwrap();
    std::fs::copy(Pass::path(running.home(), port), Pass::path(home.path(), port)).unwrap();
    postledger::keys::KeyRing::open_or_make(home.path(), "local").unwrap();
    let sample =
        run(command().args(["sample", "--url", &running.url]).env("POSTLEDGER_HOME", home.path()), b"");
    assert_eq!(sample.status.code(), Some(1), "{}", text(&sample.stdout));
    assert!(
        text(&sample.stderr).contains("20 of the 20 bodies of the sample were refused"),
        "{}",
        text(&sample.stderr)
    );
}

#[test]
fn what_a_webhook_tells_cannot_steer_a_terminal() {
    let world = World::default();
    let evil = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}gone";
    let at: Time = "2026-09-30T00:00:00Z".parse().unwrap();
    for (stream, address) in
        [("outbound", format!("{evil}@customer.example")), (evil, "b@customer.example".to_owned())]
    {
        let bounce = json!({
            "RecordType": "Bounce", "MessageStream": stream, "ID": 77, "Type": "HardBounce", "TypeCode": 1,
            "Name": evil, "Tag": evil, "Description": evil, "Details": evil, "Subject": evil, "MessageID": "m-77",
            "Email": address, "BouncedAt": at.to_string(), "Inactive": true, "CanActivate": true,
        });
        world.tell(SERVER, bounce.to_string());
        world.tell(SERVER, format!("{evil} is no JSON"));
        world.drain();
    }
    let (server, id) = (SERVER.to_string(), format!("{evil}@customer.example"));
    let commands: &[&[&str]] = &[
        &["recipient", "--server", &server, &id],
        &["timeline", "--server", &server, &id],
        &["message", "--server", &server, "m-77"],
        &["activity", "--server", &server, "--from", "2026-09-01", "--to", "2026-10-01"],
        &["stats", "--server", &server, "--from", "2026-09-01", "--to", "2026-10-01"],
        &["quarantine", "list", "--days", "365"],
        &["suppressions", "list", "--server", &server, "--stream", "outbound"],
        &["suppressions", "list", "--server", &server, "--stream", evil],
        &["rebuild", "--server", &server],
        &["check", "--server", &server, "--stream", evil, "--address", &id, "--json"],
        &["audit", "--server", &server],
        &["token", "new", "--name", evil, "--role", "viewer", "--servers", &server],
        &["token", "list"],
        &["server", "show", "--server", &server],
    ];
    for words in commands {
        for json in [false, true] {
            let mut command = world.command();
            command.args(*words);
            if json {
                command.arg("--json");
            }
            let output = run(&mut command, b"");
            let told = [text(&output.stdout), text(&output.stderr)].concat();
            let obeyed = told.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
            assert_eq!(obeyed, None, "{words:?} --json {json}: {told:?}");
        }
    }
}

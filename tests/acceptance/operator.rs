//! Who may operate a running Postledger, and who is refused: over real sockets.

use crate::commands::Running;
use crate::fixtures;
use ledger::Time;
use postledger::client::{agent, agent_at};
use postledger_tests::command::{Folder, command, run, text};
use postledger_tests::{SERVER, World};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// Every call of operators, as one that changes nothing even if it were let in.
const CALLS: [(&str, &str); 23] = [
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
    ("GET", "operator/index"),
    ("PUT", "operator/index"),
    ("POST", "operator/index/fill"),
    ("GET", "operator/documents/servers"),
    ("GET", "operator/documents/tokens/none"),
    ("PUT", "operator/stacks/test/keys"),
    ("GET", "tokens"),
    ("GET", "servers/8123456/stats"),
];

#[test]
fn a_postledger_is_operated_by_its_socket_and_never_by_its_doors() {
    let world = World::default();
    let status = |agent: &ureq::Agent, base: &str, (method, path): (&str, &str)| {
        let request = http::Request::builder().method(method).uri(format!("{base}/v1/{path}"));
        let request = request.header("host", "localhost").header("x-actor", "root");
        agent.run(request.body(Vec::new()).unwrap()).unwrap().status().as_u16()
    };
    for call in CALLS {
        assert!(status(&agent(), world.base(), call) >= 400, "{call:?}: the doors have no operator's routes");
    }
    for call in [("GET", "operator/queues"), ("GET", "tokens")] {
        assert_eq!(status(&agent_at(world.socket()), "http://127.0.0.1", call), 200, "{call:?}");
    }
}

#[test]
fn another_user_of_the_machine_cannot_open_the_socket_and_is_answered_nothing_where_its_mode_is_widened() {
    let world = World::default();
    let mode = std::fs::metadata(world.socket()).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    if mode.uid() != 0 {
        eprintln!("only root can be another user: the mode is all that was looked at");
        return;
    }
    let ask = || {
        let ask = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(sys.argv[1]); \
             print('opened'); s.sendall(b'GET /v1/operator/queues HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'); print(s.recv(99))";
        let mut python = Command::new("python3");
        let told = python.arg("-c").arg(ask).arg(world.socket()).uid(65_534).gid(65_534).output().unwrap();
        (text(&told.stdout), text(&told.stderr))
    };
    let (opened, error) = ask();
    assert!(opened.is_empty() && error.contains("PermissionError"), "{opened}{error}");
    std::fs::set_permissions(world.socket(), std::fs::Permissions::from_mode(0o666)).unwrap();
    let (opened, error) = ask();
    assert!(opened.starts_with("opened") && !opened.contains("HTTP"), "{opened}{error}");
    assert!(run(world.command().arg("queues"), b"").status.success(), "its own user is answered still");
}

#[test]
fn commands_operate_only_what_their_own_user_runs_on_this_machine() {
    let world = World::default();
    let stranger = Folder::new("stranger");
    let ask = |home: &Folder, url: &str| {
        run(command().args(["queues", "--url", url]).env("POSTLEDGER_HOME", home.path()), b"")
    };
    let none_runs = |url: &str, why: &str| {
        let told = ask(&stranger, url);
        assert_eq!(told.status.code(), Some(1), "{why}");
        let told = text(&told.stderr);
        assert!(told.contains(&format!("no Postledger of yours runs at {url}")), "{why}: {told}");
        assert!(told.contains("next: start one by `postledger run`"), "{why}: {told}");
    };
    none_runs(world.base(), "it is another folder's");
    drop(UnixListener::bind(stranger.path().join("run-9.sock")).unwrap());
    none_runs("http://127.0.0.1:9", "it was killed, which leaves its socket behind");
    let told = ask(&stranger, "https://tunnel.example");
    assert!(text(&told.stderr).contains("not on this machine"), "{}", text(&told.stderr));
    assert!(run(world.command().arg("queues"), b"").status.success());
}

#[test]
fn the_socket_of_a_run_goes_with_it_and_no_second_run_takes_it() {
    let running = Running::start("socket", &["--no-sample"]);
    let path = socket_of(&running);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(running.ask(&["queues"], b"").status.success());
    running.stop();
    assert!(!path.exists());
    // Another run may have the same port, at another address of the machine.
    let home = Folder::new("second-socket");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let other = embedded::socket::path(home.path(), free).unwrap();
    let _runs = UnixListener::bind(&other).unwrap();
    let told = run(command().args(["run", "--port", &free.to_string(), "--home"]).arg(home.path()), b"");
    let told = (told.status.code(), text(&told.stderr));
    assert!(
        told.0 == Some(1) && told.1.contains("another Postledger with the same folder of keys"),
        "{told:?}"
    );
    assert!(other.exists(), "it is not taken");
}

#[test]
fn a_folder_of_keys_whose_name_is_too_long_for_a_socket_is_told_at_the_start() {
    let folder = Folder::new("long");
    let home = folder.path().join("x".repeat(100));
    let told = run(command().args(["run", "--port", "0", "--home"]).arg(&home), b"");
    let told = (told.status.code(), text(&told.stderr));
    assert!(told.0 == Some(1) && told.1.contains("100 are the most"), "{told:?}");
    assert!(told.1.contains("next: choose a shorter --home") && !home.exists(), "{told:?}");
}

/// Where a run is operated.
fn socket_of(running: &Running) -> PathBuf {
    let port = running.url.rsplit_once(':').unwrap().1.parse().unwrap();
    embedded::socket::path(running.home(), port).unwrap()
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
        assert!(told.contains("connection: close"), "nothing more is sent on it: {told}");
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
    let listener = UnixListener::bind(home.path().join("run-1.sock")).unwrap();
    let new = || {
        let made = run(command().args(["keys", "new"]).env("POSTLEDGER_HOME", home.path()), b"");
        (made.status.code(), text(&made.stderr))
    };
    let busy = std::thread::spawn(move || {
        let problem = r#"{"type":"urn:postledger:problem:unavailable","detail":"it is busy"}"#;
        // First it is seen that somebody listens, and then the keys are offered.
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut asked, mut some) = (Vec::new(), [0; 4096]);
            while !asked.ends_with(b"]") {
                let read = stream.read(&mut some).unwrap();
                asked.extend(&some[..read]);
                if read == 0 {
                    break;
                }
            }
            if !asked.is_empty() {
                let length = problem.len();
                let head = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: ";
                write!(stream, "{head}{length}\r\n\r\n{problem}").unwrap();
            }
        }
    });
    let (status, told) = new();
    assert_eq!(status, Some(1), "{told}");
    assert!(told.contains("does not take up the keys: it is busy") && told.contains("restart it"), "{told}");
    busy.join().unwrap();
    assert_eq!(new(), (Some(0), String::new()), "nobody listens there any more: it was killed");
}

#[test]
fn keys_are_taken_up_by_the_stack_whose_they_are_and_by_no_other() {
    let running = Running::start("own-keys", &["--no-sample"]);
    let bounce = fixtures::read("bounce-hard.json");
    let made = running.ask(&["keys", "new", "--stack", "other"], b"");
    assert!(made.status.success(), "{}", text(&made.stderr));
    assert!(!text(&made.stdout).contains("has taken that up"), "{}", text(&made.stdout));
    let rotated = running.ask(&["keys", "rotate", "--yes", "--stack", "other"], b"");
    assert!(!rotated.status.success(), "{}", text(&rotated.stdout));
    assert!(
        text(&rotated.stderr).contains("it runs the stack local, not other"),
        "{}",
        text(&rotated.stderr)
    );
    assert!(
        running.ask(&["post", "--server", "8123456"], &bounce).status.success(),
        "its own keys are good still"
    );
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
    let socket = socket_of(&running);
    symlink(&socket, home.path().join(socket.file_name().unwrap())).unwrap();
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

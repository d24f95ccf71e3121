//! The examples for one machine say what the program takes, and agree with each other and with its documentation.

use super::house::read;
use clap::Parser as _;
use postledger::args::{Cli, Command, PORT, Run};
use std::path::{Path, PathBuf};
use std::process::Command as Process;

const FOLDER: &str = "infra/one-machine";

/// What `run` is told by a command line.
fn told<'a>(words: impl IntoIterator<Item = &'a str>) -> Run {
    match Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")).command {
        Command::Run(run) => run,
        _ => panic!("it runs nothing"),
    }
}

/// The values of a key in a file of systemd.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

/// A program of the system, where it is installed.
fn installed(name: &str) -> Option<PathBuf> {
    let path = platform::env::text("PATH").unwrap_or_default();
    let places = path.split(':').chain(["/usr/sbin", "/sbin"]).map(|folder| Path::new(folder).join(name));
    places.into_iter().find(|place| place.is_file())
}

#[test]
fn the_systemd_unit_starts_what_the_program_takes_and_gives_it_time_to_end() {
    let unit = read(&format!("{FOLDER}/postledger.service"));
    let [start] = values(&unit, "ExecStart")[..] else { panic!("one command") };
    let run = told(start.split(' '));
    let [state] = values(&unit, "StateDirectory")[..] else { panic!("one folder") };
    let folder = format!("/var/lib/{state}");
    assert_eq!(run.data.as_deref(), Some(Path::new(&folder)));
    assert_eq!(values(&unit, "Environment"), [format!("POSTLEDGER_HOME={folder}")], "keys beside the ledger");
    let [stop] = values(&unit, "TimeoutStopSec")[..] else { panic!("a time") };
    assert!(stop.parse::<u64>().unwrap() > 20, "a clean end takes up to 20 seconds");
    assert_eq!(values(&unit, "KillSignal"), ["SIGTERM"]);
    for (key, value) in [("NoNewPrivileges", "yes"), ("ProtectSystem", "strict"), ("UMask", "0077")] {
        assert_eq!(values(&unit, key), [value], "{key}");
    }
    let sections = unit.lines().filter(|line| line.starts_with('['));
    assert_eq!(sections.collect::<Vec<_>>(), ["[Unit]", "[Service]", "[Install]"]);
    let is_line = |line: &str| {
        let begins = |c: char| c.is_ascii_uppercase() || c == '#' || c == '[';
        line.is_empty() || line.starts_with(begins) && (line.starts_with(['#', '[']) || line.contains('='))
    };
    assert!(unit.lines().all(is_line));
}

#[test]
fn the_container_builds_a_program_that_there_is_and_keeps_its_ledger_in_the_volume() {
    let file = read(&format!("{FOLDER}/Containerfile"));
    let line = |word: &str| {
        file.lines().filter_map(|line| line.strip_prefix(word)).map(str::trim).collect::<Vec<_>>()
    };
    let [entry] = line("ENTRYPOINT")[..] else { panic!("one command") };
    let words: Vec<String> = serde_json::from_str(entry).unwrap();
    let run = told(words.iter().map(String::as_str));
    let [volume] = line("VOLUME")[..] else { panic!("one folder") };
    assert_eq!(run.data.as_deref(), Some(Path::new(volume)));
    let listen = run.listen.unwrap();
    assert!(listen.ip().is_unspecified() && line("EXPOSE") == [listen.port().to_string()]);
    assert!(line("ENV").contains(&&*format!("POSTLEDGER_HOME={volume}")));
    assert!(line("USER") == ["postledger"], "not as root");
    let builds = line("RUN").into_iter().find(|run| run.starts_with("cargo build")).unwrap();
    assert!(builds.contains("--release"), "the profile of a first look leaves SQLite unoptimized");
    assert!(builds.contains("--package postledger") && builds.contains("--locked"));
    for copied in line("COPY").into_iter().filter(|copied| !copied.starts_with("--from")) {
        let (from, _) = copied.rsplit_once(' ').unwrap();
        for path in from.split(' ') {
            assert!(super::house::root().join(path).exists(), "{path}");
        }
    }
    assert!(line("COPY").contains(&"--from=build /src/target/release/postledger /usr/local/bin/postledger"));
}

#[test]
fn the_proxies_lead_to_where_it_listens_and_take_bodies_that_it_reads() {
    let here = format!("127.0.0.1:{PORT}");
    let (caddy, nginx) = (read(&format!("{FOLDER}/Caddyfile")), read(&format!("{FOLDER}/nginx.conf")));
    assert!(caddy.contains(&format!("reverse_proxy {here}")));
    assert!(nginx.contains(&format!("proxy_pass http://{here};")));
    assert!(nginx.contains("X-Forwarded-For $proxy_add_x_forwarded_for"));
    let most = nginx.split_once("client_max_body_size ").unwrap().1.split_once("m;").unwrap().0;
    assert!(most.parse::<usize>().unwrap() * 1024 * 1024 > embedded::server::REQUEST_BYTES_MAX);
    let idle = caddy.split_once("keepalive ").unwrap().1.split_once("s\n").unwrap().0;
    let closed_after = embedded::Limits::default().head.as_secs();
    assert!(idle.parse::<u64>().unwrap() < closed_after, "a connection is let go of before it is closed");
    assert!(nginx.contains("proxy_set_header Connection close;"), "no connection of nginx is idle");
    for (file, words) in [
        (read("docs/one-machine.md"), format!("It closes them after {closed_after} seconds")),
        (caddy.clone(), format!("closes an idle connection after {closed_after} seconds")),
        (nginx.clone(), format!("closes an idle connection after {closed_after} seconds")),
    ] {
        assert!(file.contains(&words), "{words}");
    }
    for file in [&caddy, &nginx] {
        assert_eq!(file.matches('{').count(), file.matches('}').count());
        assert!(file.contains("--trusted-proxy 127.0.0.1") && file.contains("docs/one-machine.md"));
    }
    for named in ["postledger.service", "Containerfile", "Caddyfile", "nginx.conf"] {
        assert!(read("docs/one-machine.md").contains(&format!("{FOLDER}/{named}")), "{named}");
    }
}

/// Where the tools are installed, they judge; where they are not, the tests above are all there is.
#[test]
fn what_is_installed_of_nginx_and_caddy_accepts_the_examples() {
    let folder = postledger_tests::command::Folder::new("one-machine");
    if let Some(nginx) = installed("nginx") {
        // Its certificate is not here: without it, all else is looked at.
        let config = read(&format!("{FOLDER}/nginx.conf"));
        let path = |name: &str| folder.path().join(name).display().to_string();
        let config = config.replace("443 ssl", "443").replace("/run/nginx.pid", &path("pid"));
        let config = config
            .replace("/var/log/nginx/access.log", &path("access"))
            .replace("/var/log/nginx/error.log", &path("error"));
        let without = config.lines().filter(|line| !line.trim().starts_with("ssl_"));
        let config = without.collect::<Vec<_>>().join("\n");
        std::fs::write(folder.path().join("nginx.conf"), config).unwrap();
        let tried =
            Process::new(nginx).args(["-t", "-c"]).arg(folder.path().join("nginx.conf")).output().unwrap();
        assert!(tried.status.success(), "{}", String::from_utf8_lossy(&tried.stderr));
    }
    if let Some(caddy) = installed("caddy") {
        let file = super::house::root().join(FOLDER).join("Caddyfile");
        let tried = Process::new(caddy)
            .args(["validate", "--adapter", "caddyfile", "--config"])
            .arg(file)
            .output()
            .unwrap();
        assert!(tried.status.success(), "{}", String::from_utf8_lossy(&tried.stderr));
    }
}

//! The simulator answers Postmark's own client, the package `postmark` of npm, as Postmark does; under each generation of
//! rules, whatever is drawn for the open facts. `make likeness` installs Node and the package, and runs this.

use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How many draws of the open facts each generation of rules is tried under.
const SEEDS: u64 = 3;

fn here() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/likeness"))
}

/// Where `make node` installs to.
fn tools() -> PathBuf {
    let tools = here().join("../../../.tools/node");
    assert!(
        tools.join("postmark").exists(),
        "Node and Postmark's client are not installed: `make likeness` installs them, `make node` them alone"
    );
    tools
}

/// A simulator whose clock stands. It ends with the test.
struct Running {
    process: Child,
    url: String,
}

impl Running {
    fn start(rules: &str, seed: u64) -> Running {
        let mut process = Command::new(env!("CARGO_BIN_EXE_postmark-simulator"))
            .args(["--port=0", "--speed=0", "--servers=0", "--json"])
            .args([format!("--rules={rules}"), format!("--seed={seed}")])
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("its output");
        BufReader::new(stdout).read_line(&mut line).expect("its output");
        let told: Value =
            serde_json::from_str(&line).expect("a line of JSON; it says above why there is none");
        let url = told["url"].as_str().expect("where it listens").to_owned();
        Running { process, url }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn postmarks_client_is_answered_under(rules: &str) {
    let tools = tools();
    for seed in 1..=SEEDS {
        let simulator = Running::start(rules, seed);
        let output = Command::new(tools.join("bin/node"))
            .args(["--test", "--test-reporter=spec"])
            .arg(here().join("main.mjs"))
            .env_remove("NODE_OPTIONS")
            .env("NODE_PATH", tools.join("node_modules"))
            .env("SIMULATOR", &simulator.url)
            .output()
            .expect("Node");
        let [told, also] =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert!(output.status.success(), "under the rules {rules}, seed {seed}:\n{told}{also}");
    }
}

#[test]
fn postmarks_own_client_is_answered_as_by_postmark_under_the_old_rules() {
    postmarks_client_is_answered_under("old");
}

#[test]
fn postmarks_own_client_is_answered_as_by_postmark_under_the_rules_of_february() {
    postmarks_client_is_answered_under("feb2026");
}

#[test]
fn postmarks_own_client_is_answered_as_by_postmark_under_the_rules_of_august_with_six_retries() {
    postmarks_client_is_answered_under("aug2026-6");
}

#[test]
fn postmarks_own_client_is_answered_as_by_postmark_under_the_rules_of_august_with_nine_retries() {
    postmarks_client_is_answered_under("aug2026-9");
}

#[test]
fn the_lock_holds_every_package_to_its_hash_and_names_no_registry() {
    let lock = std::fs::read_to_string(here().join("package-lock.json")).expect("the lock");
    assert!(!lock.contains("resolved") && !lock.contains("://"), "npm wrote it without this folder's .npmrc");
    let lock: Value = serde_json::from_str(&lock).expect("JSON");
    let packages = lock["packages"].as_object().expect("packages");
    for (name, package) in packages.iter().filter(|(name, _)| !name.is_empty()) {
        assert!(package["integrity"].as_str().is_some_and(|hash| hash.starts_with("sha512-")), "{name}");
    }
    assert_eq!(packages.len(), 2, "the package has no dependency, and this has no other");
}

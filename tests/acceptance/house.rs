//! The house: its top level, who may depend on whom, one folder for one function, and documents that are true.

use postmark::RecordType;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The sources of all that is counted and logged.
pub(crate) fn observed() -> String {
    postledger_tests::emf::observers().into_values().collect()
}

fn tracked() -> Vec<String> {
    let output = Command::new("git").args(["ls-files"]).current_dir(root()).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn the_top_level_is_what_it_is_said_to_be() {
    let top: BTreeSet<String> = tracked()
        .iter()
        .map(|path| path.split('/').next().unwrap_or_default().to_owned())
        .filter(|name| !name.starts_with('.'))
        .collect();
    let expected = [
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "Makefile",
        "README.md",
        "clippy.toml",
        "deny.toml",
        "docs",
        "functions",
        "infra",
        "rustfmt.toml",
        "shared",
        "tests",
    ];
    assert_eq!(top, expected.map(str::to_owned).into());
    for folder in ["docs", "functions", "shared", "infra", "tests"] {
        assert!(
            read(&format!("{folder}/README.md")).contains("Invariant"),
            "{folder} opens with its invariant"
        );
    }
}

/// Which crate may use which, beside outside ones.
const EDGES: &[(&str, &[&str])] = &[
    ("faults", &[]),
    ("ledger", &[]),
    ("postmark", &["ledger"]),
    ("postmark-api", &["ledger"]),
    ("platform", &["ledger"]),
    ("table", &["ledger"]),
    ("aws", &["platform"]),
    ("queue", &["aws", "ledger", "platform", "faults"]),
    ("store", &["aws", "ledger", "platform", "queue", "faults"]),
    ("ingest", &["aws", "ledger", "platform", "postmark", "queue"]),
    ("erasure", &["ledger", "postmark", "queue", "store"]),
    ("erase", &["aws", "erasure", "ledger", "platform", "queue", "store"]),
    ("consumer", &["aws", "erasure", "ledger", "platform", "postmark", "queue", "store"]),
    ("account", &["aws", "ingest", "ledger", "platform", "postmark", "postmark-api", "store"]),
    ("reconcile", &["account", "aws", "ledger", "platform", "postmark", "postmark-api", "queue", "store"]),
    ("api", &["account", "aws", "ledger", "platform", "postmark", "postmark-api", "queue", "store", "table"]),
    ("watch", &["account", "aws", "ingest", "ledger", "platform", "postmark-api", "store"]),
    // What is proved against it must not share our assumptions.
    ("postmark-simulator", &[]),
    (
        "postledger",
        &[
            "account",
            "api",
            "aws",
            "consumer",
            "erase",
            "ingest",
            "ledger",
            "platform",
            "postmark",
            "postmark-api",
            "queue",
            "reconcile",
            "store",
            "table",
            "watch",
        ],
    ),
];

#[test]
fn dependencies_point_one_way() {
    let mut ask = Command::new(env!("CARGO"));
    let output =
        ask.args(["metadata", "--format-version=1", "--no-deps"]).current_dir(root()).output().unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<&str> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| package["name"].as_str().unwrap())
        .collect();
    let allowed: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        for dependency in
            package["dependencies"].as_array().unwrap().iter().filter(|edge| edge["kind"].is_null())
        {
            let on = dependency["name"].as_str().unwrap();
            if name != "postledger-tests" && names.contains(&on) {
                let may: &[&str] =
                    if name.starts_with("ingest-") { &["ingest", "postmark"] } else { allowed[name] };
                assert!(may.contains(&on), "{name} may not depend on {on}");
            }
            if on.starts_with("aws-") {
                assert!(["aws", "queue", "store"].contains(&name), "AWS types stay in aws, queue and store");
            }
            if on == "aws_lambda_events" {
                assert_eq!(name, "consumer", "{on} stays at the consumer");
            }
            if on == "lambda_runtime" {
                assert!(
                    ["consumer", "erase", "reconcile", "watch"].contains(&name),
                    "{on} stays at functions without a door"
                );
            }
            if on == "lambda_http" {
                assert!(name.starts_with("ingest") || name == "api", "lambda_http stays at what has a door");
            }
        }
    }
}

#[test]
fn one_folder_in_functions_is_one_function_and_their_mains_differ_by_a_word() {
    let mut folders: BTreeSet<String> = std::fs::read_dir(root().join("functions"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    for other in ["api", "consumer", "erase", "ingest-events", "reconcile", "watch"] {
        assert!(folders.remove(other), "{other}");
    }
    let expected: BTreeSet<String> =
        RecordType::ALL.iter().map(|record_type| format!("ingest-{}", record_type.segment())).collect();
    assert_eq!(folders, expected);
    for record_type in RecordType::ALL {
        let name = record_type.kind().name();
        let main = read(&format!("functions/ingest-{}/src/main.rs", record_type.segment()));
        let bounce = read("functions/ingest-bounce/src/main.rs");
        assert_eq!(main, bounce.replace("Bounce", name), "{name}");
        assert!(main.lines().count() <= 8);
    }
}

#[test]
fn every_source_file_opens_with_what_it_is_for() {
    for path in tracked().iter().filter(|path| path.ends_with(".rs")) {
        assert!(read(path).starts_with("//! "), "{path}");
    }
}

#[test]
fn no_test_is_ignored_and_nothing_is_left_to_do() {
    let marks = ["#[igno", "should_pan", "todo", "unimplemen", "FIX"]
        .into_iter()
        .zip(["re]", "ic", "!(", "ted!(", "ME"]);
    let marks: Vec<String> = marks.map(|(a, b)| format!("{a}{b}")).collect();
    for path in tracked().iter().filter(|path| path.ends_with(".rs")) {
        let source = read(path);
        for mark in &marks {
            assert!(!source.contains(mark), "{path}: {mark}");
        }
    }
}

#[test]
fn the_readmes_make_targets_and_commands_exist_and_its_links_lead_somewhere() {
    let (readme, makefile) = (read("README.md"), read("Makefile"));
    let words: Vec<&str> = readme.split(|c: char| c.is_whitespace() || c == '`').collect();
    let mut targets = 0;
    for pair in words.windows(2).filter(|pair| pair[0] == "make") {
        let target = pair[1].trim_end_matches([',', '.', ':', ';']);
        assert!(makefile.contains(&format!("\n{target}:")), "make {target}");
        targets += 1;
    }
    assert!(targets >= 4);
    let help = Command::new(postledger_tests::command::postledger()).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for line in readme.lines().filter(|line| line.starts_with("postledger ")) {
        let command = line.split_whitespace().nth(1).unwrap();
        assert!(help.contains(&format!("\n  {command} ")), "postledger {command}");
    }
    for link in readme.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        if !link.starts_with("http") && !link.starts_with('#') {
            assert!(Path::new(&root().join(link.split('#').next().unwrap_or(link))).exists(), "{link}");
        }
    }
    assert!(read(".ci/run").contains("make test"), "CI runs the README's command");
}

#[test]
fn every_metric_that_is_emitted_is_declared_and_every_declared_one_is_emitted() {
    let sources = observed();
    for (name, _, dimension, _) in platform::metrics::METRICS {
        assert!(sources.contains(&format!("\"{name}\"")), "{name} is emitted");
        if let Some(dimension) = dimension {
            assert!(
                sources.contains(&format!("\"{name}\", \"{dimension}\"")),
                "{name} has its dimension {dimension}"
            );
        }
    }
    let declared: BTreeSet<&str> = platform::metrics::METRICS.iter().map(|(name, ..)| *name).collect();
    for emitted in ["counter!(\"", "histogram!(\""].into_iter().flat_map(|start| sources.split(start).skip(1))
    {
        let name = emitted.split('"').next().unwrap_or_default();
        assert!(declared.contains(name), "{name} is declared");
    }
}

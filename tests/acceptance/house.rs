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

pub(crate) fn tracked() -> Vec<String> {
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
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "Makefile",
        "README.md",
        "SECURITY.md",
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
    ("postmark-api", &["ledger", "platform"]),
    ("smtp", &["ledger", "postmark-api"]),
    ("platform", &["ledger"]),
    ("suppression-lists", &["ledger"]),
    ("answers", &["ledger"]),
    ("aws", &["platform"]),
    ("sqlite", &["platform"]),
    ("queue", &["aws", "ledger", "platform", "faults", "sqlite"]),
    ("store", &["aws", "ledger", "platform", "queue", "faults", "sqlite"]),
    ("credential", &["ledger", "platform"]),
    ("ingest", &["aws", "credential", "ledger", "platform", "postmark", "queue"]),
    ("erasure", &["faults", "ledger", "platform", "postmark", "queue", "store"]),
    ("erase", &["aws", "erasure", "platform", "queue", "store"]),
    ("consumer", &["aws", "erasure", "ledger", "platform", "postmark", "queue", "store"]),
    ("account", &["aws", "credential", "ledger", "platform", "postmark", "postmark-api", "store"]),
    ("people", &["answers", "aws", "ledger", "platform", "store"]),
    ("reconcile", &["account", "aws", "ledger", "platform", "postmark", "postmark-api", "queue", "store"]),
    (
        "api",
        &[
            "account",
            "answers",
            "aws",
            "credential",
            "erasure",
            "ledger",
            "people",
            "platform",
            "postmark",
            "postmark-api",
            "queue",
            "smtp",
            "store",
            "suppression-lists",
        ],
    ),
    // Pages have no way of their own to what happened: the store is for who signs in.
    (
        "portal",
        &[
            "account",
            "answers",
            "api",
            "aws",
            "ledger",
            "people",
            "platform",
            "postmark-api",
            "store",
            "suppression-lists",
        ],
    ),
    ("mail", &["aws", "ledger", "people", "platform", "portal", "postmark-api"]),
    ("connect", &["account", "aws", "credential", "ledger", "platform", "postmark-api", "queue", "store"]),
    ("watch", &["account", "aws", "credential", "ledger", "people", "platform", "postmark-api", "store"]),
    // A workspace of its own: what is proved against it must not share our assumptions.
    ("postmark-simulator", &[]),
    (
        "operator",
        &[
            "account",
            "answers",
            "api",
            "consumer",
            "erasure",
            "ledger",
            "people",
            "platform",
            "postmark",
            "postmark-api",
            "queue",
            "reconcile",
            "store",
        ],
    ),
    (
        "embedded",
        &[
            "account",
            "api",
            "consumer",
            "credential",
            "erasure",
            "ingest",
            "ledger",
            "operator",
            "people",
            "platform",
            "portal",
            "postmark",
            "postmark-api",
            "queue",
            "reconcile",
            "sqlite",
            "store",
            "watch",
        ],
    ),
    (
        "postledger",
        &[
            "account",
            "answers",
            "api",
            "aws",
            "consumer",
            "credential",
            "embedded",
            "erasure",
            "ingest",
            "ledger",
            "operator",
            "people",
            "platform",
            "portal",
            "postmark",
            "postmark-api",
            "queue",
            "reconcile",
            "smtp",
            "sqlite",
            "store",
            "suppression-lists",
            "watch",
        ],
    ),
];

/// The packages of the workspaces that we keep, as cargo tells of them.
fn packages() -> Vec<Value> {
    let mut packages = Vec::new();
    for manifest in ["Cargo.toml", "tests/simulator/Cargo.toml"] {
        let mut ask = Command::new(env!("CARGO"));
        ask.args(["metadata", "--format-version=1", "--no-deps", "--manifest-path", manifest]);
        let output = ask.current_dir(root()).output().unwrap();
        let mut metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        packages.append(metadata["packages"].as_array_mut().unwrap());
    }
    packages
}

#[test]
fn dependencies_point_one_way() {
    let packages = packages();
    let names: Vec<&str> = packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    let allowed: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
    for package in &packages {
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
                assert!(
                    ["aws", "connect", "consumer", "mail"].contains(&name),
                    "{on} stays at what a queue leads to"
                );
            }
            if on == "lambda_runtime" {
                assert!(
                    ["connect", "consumer", "erase", "mail", "reconcile", "watch"].contains(&name),
                    "{on} stays at functions without a door"
                );
            }
            if on == "lambda_http" {
                let has_door = name.starts_with("ingest") || ["api", "portal"].contains(&name);
                assert!(has_door, "lambda_http stays at what has a door");
            }
        }
    }
}

/// What a lock file holds: each package's name, version and where it is from; nothing for what is in this repository.
fn locked(path: &str) -> BTreeSet<(String, String, Option<String>)> {
    let lock = read(path);
    let packages = lock.split("[[package]]").skip(1).map(|package| {
        let value = |key: &str| {
            let mut lines = package.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
            lines.next().map(|value| value.trim_matches('"').to_owned())
        };
        (value("name").unwrap(), value("version").unwrap(), value("source"))
    });
    packages.collect()
}

#[test]
fn the_simulator_is_a_product_of_its_own_and_shares_no_code_with_ours() {
    let [own, whole] = ["tests/simulator/Cargo.lock", "Cargo.lock"].map(locked);
    let of_us: Vec<&str> = own.iter().filter(|(.., from)| from.is_none()).map(|(name, ..)| &**name).collect();
    assert_eq!(of_us, ["postmark-simulator"], "whatever else is in this repository");
    assert!(own.len() > 50, "{own:?}");
    let other: Vec<_> = own.difference(&whole).collect();
    assert!(
        other.is_empty(),
        "another version than in Cargo.lock: `cargo update --precise` sets it: {other:?}"
    );
    let manifest = read("tests/simulator/Cargo.toml");
    assert!(!manifest.contains("workspace = true"), "it says everything itself");
    let lints = |manifest: &str, table: &str| {
        let lints = manifest.split_once(&format!("[{table}]\n")).unwrap().1;
        lints.split("\n\n").next().unwrap().trim().to_owned()
    };
    for language in ["rust", "clippy"] {
        let [own, whole] = [
            lints(&manifest, &format!("lints.{language}")),
            lints(&read("Cargo.toml"), &format!("workspace.lints.{language}")),
        ];
        assert_eq!(own, whole, "lints of {language}");
    }
}

/// The commands of a target of the Makefile as if nothing were there yet, and of what it needs.
fn commands_of(target: &str) -> String {
    let mut make = Command::new("make");
    make.args(["--dry-run", "--always-make", target]).current_dir(root());
    // `make test` tells its own options to what it runs.
    let output = make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL").env_remove("MFLAGS").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn make_test_needs_no_node_and_ci_runs_what_does() {
    let needs_node = |commands: &str| ["/node", "npm"].iter().any(|word| commands.contains(word));
    let test = commands_of("test");
    assert!(test.contains("pip install") && test.contains("test --locked"), "{test}");
    assert!(!needs_node(&test), "{test}");
    let ci = read(".ci/run");
    for target in ["likeness", "clients"] {
        let commands = commands_of(target);
        assert!(needs_node(&commands) && commands.contains(&format!("--test {target}")), "{commands}");
        assert!(ci.lines().any(|line| line == format!("make {target}")), "CI runs `make {target}`");
    }
    let program = ["bin", "node"].join("/");
    for path in tracked().iter().filter(|path| path.ends_with(".rs")) {
        let apart =
            ["tests/clients/", "tests/simulator/likeness/"].iter().any(|folder| path.starts_with(folder));
        assert_eq!(read(path).contains(&program), apart, "{path}: what runs Node stands apart");
    }
}

#[test]
fn no_function_compiles_the_database_of_one_machine() {
    let functions = std::fs::read_dir(root().join("functions")).unwrap();
    let names = functions.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut trees = 0;
    for name in names.filter(|name| name != "README.md") {
        let mut tree = Command::new(env!("CARGO"));
        tree.args([
            "tree",
            "--locked",
            "--edges=normal,build",
            "--prefix=none",
            "--format={p}",
            "--package",
            &name,
        ]);
        let output = tree.current_dir(root()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let tree = String::from_utf8(output.stdout).unwrap();
        assert!(tree.contains("tokio v") && !tree.contains("sqlite"), "{name}");
        trees += 1;
    }
    assert!(trees >= 14);
}

#[test]
fn one_folder_in_functions_is_one_function_and_their_mains_differ_by_a_word() {
    let mut folders: BTreeSet<String> = std::fs::read_dir(root().join("functions"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    for other in
        ["api", "connect", "consumer", "erase", "ingest-events", "mail", "portal", "reconcile", "watch"]
    {
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

/// The documents of the whole: those at the top, and those in `docs`.
fn documents() -> Vec<String> {
    let of_the_whole = |path: &String| !path.contains('/') || path.starts_with("docs/");
    tracked().into_iter().filter(|path| path.ends_with(".md") && of_the_whole(path)).collect()
}

/// The names behind `postledger` at the beginnings of a text's lines.
fn commands_in(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("postledger "));
    lines.filter_map(|rest| rest.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn the_documents_make_targets_exist_and_their_links_lead_somewhere() {
    let (makefile, mut targets) = (read("Makefile"), 0);
    for document in documents() {
        let text = read(&document);
        let words = text.split(|c: char| c.is_whitespace() || c == '`');
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2).filter(|pair| pair[0] == "make") {
            let target = pair[1].trim_end_matches([',', '.', ':', ';', ')']);
            assert!(makefile.contains(&format!("\n{target}:")), "{document}: make {target}");
            targets += usize::from(document == "README.md");
        }
        let folder = root().join(&document);
        let folder = folder.parent().unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if !link.starts_with("http") && !link.starts_with('#') {
                let path: &Path = link.split('#').next().unwrap_or(link).as_ref();
                assert!(folder.join(path).exists(), "{document}: {link}");
            }
        }
    }
    assert!(targets >= 4);
    assert!(read(".ci/run").lines().any(|line| line == "make test"), "CI runs the README's command");
}

#[test]
fn the_list_of_commands_is_the_programs_own() {
    let help = Command::new(postledger_tests::command::postledger()).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    // Commands stand before the options, indented by two; what wraps is indented further.
    let of_the_program: BTreeSet<String> = help
        .lines()
        .take_while(|line| *line != "Options:")
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|rest| !rest.starts_with(' '))
        .filter_map(|rest| rest.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect();
    assert_eq!(commands_in(&read("docs/commands.md")), of_the_program);
    let unknown: Vec<String> = commands_in(&read("README.md")).difference(&of_the_program).cloned().collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn the_tests_that_the_architecture_names_exist() {
    let sources: Vec<String> =
        tracked().iter().filter(|path| path.ends_with(".rs")).map(|path| read(path)).collect();
    let architecture = read("docs/architecture.md");
    let is_name = |word: &&str| {
        word.matches('_').count() > 2
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let names: BTreeSet<&str> = architecture.split('`').skip(1).step_by(2).filter(is_name).collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let head = format!("fn {name}(");
        let generic = format!("fn {name}<");
        assert!(sources.iter().any(|source| source.contains(&head) || source.contains(&generic)), "{name}");
    }
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

//! The read API, fuzzed by its own description: schemathesis sends what `openapi.json` allows and what it forbids, and
//! holds every answer against it. `make fuzz-api` sends more.

use crate::{api, fixtures};
use ::api::token::Role;
use postledger_tests::SERVER;
use postledger_tests::emulator::root;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::{Command, Stdio};

/// How many examples of each operation are drawn, unless a variable says otherwise.
const EXAMPLES: u32 = 15;

/// What was answered to an operation: how many times each status.
type Answered = BTreeMap<String, BTreeMap<u64, usize>>;

/// What a report tells: each line is an event of the run.
fn read(report: &str) -> (Answered, BTreeMap<String, usize>) {
    let (mut answered, mut checks) = (Answered::new(), BTreeMap::new());
    for line in report.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let recorder = &event["ScenarioFinished"]["recorder"];
        for (id, interaction) in recorder["interactions"].as_object().into_iter().flatten() {
            let case = &recorder["cases"][id]["value"];
            let operation = format!(
                "{} {}",
                case["method"].as_str().unwrap_or("?"),
                case["path"].as_str().unwrap_or("?")
            );
            let status = interaction["response"]["status_code"].as_u64().unwrap_or_default();
            *answered.entry(operation).or_default().entry(status).or_default() += 1;
        }
        for check in
            recorder["checks"].as_object().into_iter().flatten().flat_map(|(_, all)| all.as_array()).flatten()
        {
            *checks.entry(check["name"].as_str().unwrap_or("?").to_owned()).or_default() += 1;
        }
    }
    (answered, checks)
}

#[test]
fn api_fuzz_every_answer_is_as_it_is_described_whatever_is_asked() {
    let schemathesis = root().join(".tools/api/bin/schemathesis");
    assert!(schemathesis.exists(), "schemathesis is not installed: run `make api-tools`");
    let examples = platform::env::parsed("POSTLEDGER_FUZZ_EXAMPLES", "a number", EXAMPLES).unwrap();
    let seed = platform::env::parsed("POSTLEDGER_FUZZ_SEED", "a number", 1_u32).unwrap();
    let world = api::world();
    for name in fixtures::names() {
        world.tell(SERVER, fixtures::read(&name));
    }
    world.drain();
    world.consume();
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("api-fuzz");
    std::fs::create_dir_all(&folder).unwrap();
    let report = folder.join("report.ndjson");
    let output = Command::new(&schemathesis)
        .arg("--config-file")
        .arg(root().canonicalize().unwrap().join("tests/api/schemathesis.toml"))
        .args(["run", &format!("{}/v1/openapi.json", world.base()), "--no-color"])
        .args(["--max-examples", &examples.to_string(), "--seed", &seed.to_string()])
        .args(["--report", "ndjson", "--report-ndjson-path"])
        .arg(&report)
        .env("POSTLEDGER_FUZZ_TOKEN", world.token(Role::Operator, None, true))
        .current_dir(&folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (answered, checks) = read(&std::fs::read_to_string(&report).unwrap());
    let mut table = String::new();
    for (operation, statuses) in &answered {
        writeln!(table, "{operation}: {statuses:?}").unwrap();
    }
    let requests: usize = answered.values().flat_map(BTreeMap::values).sum();
    println!("{table}{requests} requests, seed {seed}; checks: {checks:?}");
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    for route in ::api::route::Route::ALL {
        let operation = format!("{} {}", route.method(), route.pattern());
        let well = |status: &u64| (200..300).contains(status);
        let statuses =
            answered.get(&operation).unwrap_or_else(|| panic!("{operation} was not asked\n{table}"));
        assert!(statuses.keys().any(well), "{operation} never went well\n{table}");
        assert!(
            statuses.keys().any(|status| !well(status)) || route.role().is_none(),
            "{operation} always did\n{table}"
        );
    }
}

#[test]
fn every_example_of_the_description_fits_its_schema() {
    let python = root().join(".tools/api/bin/python");
    assert!(python.exists(), "it is not installed: run `make api-tools`");
    let output = Command::new(python)
        .arg(root().join("tests/api/examples.py"))
        .arg(root().join("functions/api/openapi.json"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let examples: usize = said.trim().trim_end_matches(" examples").parse().unwrap();
    assert!(examples > 50, "{said}");
}

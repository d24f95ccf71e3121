//! The read API, asked by schemathesis what its own description allows and what it forbids, wherever it is served.

use crate::emulator::root;
use api::route::Route;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// What is asked of whom.
#[derive(Clone, Copy, Debug)]
pub struct Fuzz<'a> {
    /// Where it is served.
    pub base: &'a str,
    /// Its description, as it is served.
    pub description: &'a str,
    /// An operator's token.
    pub token: &'a str,
    /// The id of another token, which may be revoked.
    pub spare: &'a str,
    /// The ids of two users of the portal: one who may be removed, and one who stays.
    pub users: [&'a str; 2],
    /// The key of a body that was set aside and may be put back.
    pub aside: &'a str,
    /// How many examples of each operation are drawn.
    pub examples: u32,
    /// What makes one run differ from another.
    pub seed: u32,
    /// Which phases; all without.
    pub phases: Option<&'a str>,
    /// Where files may be written; it is made.
    pub folder: &'a Path,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Fuzzed {
    /// Whether every answer passed every check.
    pub passed: bool,
    /// What schemathesis said.
    pub said: String,
    /// By operation, how many times each status.
    pub answered: BTreeMap<String, BTreeMap<u64, usize>>,
    /// How often each check was made.
    pub checks: BTreeMap<String, usize>,
}

impl Fuzz<'_> {
    /// Runs it.
    ///
    /// # Panics
    /// Where schemathesis is not installed.
    pub fn run(&self) -> Fuzzed {
        let schemathesis = root().join(".tools/api/bin/schemathesis");
        assert!(schemathesis.exists(), "schemathesis is not installed: run `make api-tools`");
        std::fs::create_dir_all(self.folder).expect("a folder");
        let (report, description) = (self.folder.join("report.ndjson"), self.folder.join("openapi.json"));
        // From a file: an operation that the document comes from would be left out.
        std::fs::write(&description, self.description).expect("a file");
        let tools = root().canonicalize().expect("a folder").join("tests/api");
        let output = Command::new(&schemathesis)
            .arg("--config-file")
            .arg(tools.join("schemathesis.toml"))
            .arg("run")
            .arg(&description)
            .args(["--url", self.base, "--no-color"])
            .args(["--max-examples", &self.examples.to_string(), "--seed", &self.seed.to_string()])
            .args(self.phases.iter().flat_map(|phases| ["--phases", phases]))
            .args(["--report", "ndjson", "--report-ndjson-path"])
            .arg(&report)
            .env("POSTLEDGER_FUZZ_TOKEN", self.token)
            .env("POSTLEDGER_FUZZ_SPARE", self.spare)
            .env("POSTLEDGER_FUZZ_USERS", self.users.join(","))
            .env("POSTLEDGER_FUZZ_ASIDE", self.aside)
            .envs([("SCHEMATHESIS_HOOKS", "hooks"), ("PYTHONDONTWRITEBYTECODE", "1")])
            .env("PYTHONPATH", &tools)
            .current_dir(self.folder)
            .stdin(Stdio::null())
            .output()
            .expect("schemathesis");
        let (answered, checks) = read(&std::fs::read_to_string(&report).unwrap_or_default());
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        Fuzzed { passed: output.status.success(), said, answered, checks }
    }
}

impl Fuzzed {
    /// What was answered to each route, a line each; then how many requests and checks there were.
    pub fn table(&self) -> String {
        let mut table = String::new();
        for route in Route::ALL {
            let operation = operation(route);
            let _ = writeln!(table, "{operation}: {:?}", self.answered.get(&operation));
        }
        let requests: usize = self.answered.values().flat_map(BTreeMap::values).sum();
        let links = self.said.lines().find(|line| line.contains("API Links")).unwrap_or_default().trim();
        format!("{table}{requests} requests; checks: {:?}; {links}", self.checks)
    }

    /// How many times each status was answered to a route.
    ///
    /// # Panics
    /// Where it was not asked.
    pub fn of(&self, route: Route) -> &BTreeMap<u64, usize> {
        let asked = self.answered.get(&operation(route));
        asked.unwrap_or_else(|| panic!("{route:?} was not asked\n{}", self.table()))
    }
}

fn operation(route: Route) -> String {
    format!("{} {}", route.method(), route.pattern())
}

/// What a report tells: each line is an event of the run.
fn read(report: &str) -> (BTreeMap<String, BTreeMap<u64, usize>>, BTreeMap<String, usize>) {
    let mut answered: BTreeMap<String, BTreeMap<u64, usize>> = BTreeMap::new();
    let mut checks = BTreeMap::new();
    for event in report.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let recorder = &event["ScenarioFinished"]["recorder"];
        for (id, interaction) in recorder["interactions"].as_object().into_iter().flatten() {
            let case = &recorder["cases"][id]["value"];
            let [method, path] = ["method", "path"].map(|name| case[name].as_str().unwrap_or("?"));
            let status = interaction["response"]["status_code"].as_u64().unwrap_or_default();
            *answered.entry(format!("{method} {path}")).or_default().entry(status).or_default() += 1;
        }
        let all = recorder["checks"].as_object().into_iter().flatten();
        for check in all.filter_map(|(_, checks)| checks.as_array()).flatten() {
            *checks.entry(check["name"].as_str().unwrap_or("?").to_owned()).or_default() += 1;
        }
    }
    (answered, checks)
}

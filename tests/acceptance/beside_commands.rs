//! The commands about servers at Postmark, run as people run them: over HTTP to a Postledger and to a simulated Postmark.

use credential::Verifier;
use postledger::keys::KeyRing;
use postledger_tests::command::{Folder, command, run, text};
use postledger_tests::postmark::{InProcess, serve};
use postledger_tests::{STACK, World};
use postmark_simulator::{Config, NewServer, Record, Simulator};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;
use std::sync::{Arc, Mutex};

/// A running Postledger whose keys are in a folder, and a Postmark that is reached over HTTP.
struct Here {
    world: World,
    simulator: Arc<Mutex<Simulator>>,
    server: NewServer,
    postmark: String,
    home: Folder,
}

impl Here {
    fn new(name: &str) -> Here {
        let (world, home) = (World::default(), Folder::new(name));
        let ring = KeyRing::open_or_make(home.path(), STACK).unwrap();
        world.operated_from(home.path());
        world.stack.adopt(Arc::new(Verifier::new(STACK, ring.public(), []).unwrap()));
        let mut simulator = Simulator::new(Config::usual(1));
        let server = simulator.add_server("Client");
        let simulator = Arc::new(Mutex::new(simulator));
        let postmark = serve(InProcess::new(simulator.clone(), world.stack.clone()));
        Here { world, simulator, server, postmark, home }
    }

    fn run(&self, words: &[&str], input: &str) -> Output {
        let mut command = command();
        command.arg("--home").arg(self.home.path()).args(["--stack", STACK, "--json"]).args(words);
        command.args(["--url", self.world.base()]);
        if !(words[0] == "server" && words[1] != "add") {
            command.args(["--postmark", &self.postmark]);
        }
        run(&mut command, input.as_bytes())
    }

    /// Runs a command that ends well or, with `good` false, finds something.
    fn told(&self, words: &[&str], input: &str, good: bool) -> Value {
        let output = self.run(words, input);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.success(), good, "{words:?}: {out}{err}");
        for secret in [&*self.server.token, self.simulator.lock().unwrap().account_token()] {
            assert!(!out.contains(secret) && !err.contains(secret), "{words:?} tells a token");
        }
        serde_json::from_str(&out).unwrap_or_else(|_| panic!("{words:?}: {out}{err}"))
    }

    fn id(&self) -> String {
        self.server.id.to_string()
    }
}

#[test]
fn a_server_is_added_with_its_token_from_standard_input_connected_watched_and_rotated() {
    let here = Here::new("beside");
    let (id, token) = (here.id(), here.server.token.clone());
    let added = here.told(&["server", "add", "--server", &id, "--client", "acme"], &token, true);
    assert_eq!(added[0]["client"], "acme");
    assert_eq!(added[0]["streams"]["broadcast"]["kind"], "broadcast");
    let kept = here.home.path().join("test.tokens.json");
    assert_eq!(std::fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(here.told(&["server", "list"], "", true)[0]["label"], "Client");

    let policy = ["--policy", "count=3,messages=2,span=0,window=30,pause=7", "--from", "2026-09-01"];
    let set = [&["server", "set", "--server", &id, "--native-tracking", "yes"], &policy[..]].concat();
    assert_eq!(here.told(&set, "", true)["settings"]["transactional"][0][1]["count"], 3);
    here.told(&["server", "set", "--server", &id, "--native-tracking", "no"], "", true);
    let shown = here.told(&["server", "show", "--server", &id], "", true);
    assert_eq!((&shown["native_tracking"], &shown["generation"]), (&false.into(), &1.into()));

    let found = here.told(&["watch"], "", false);
    assert_eq!(found[0]["findings"][0]["code"], "not_connected");
    let plan = here.told(&["connect", "--server", &id, "--dry-run"], "", true);
    assert_eq!(plan["plan"]["create"].as_array().unwrap().len(), 12);
    assert!(plan["done"].is_null());
    let unasked = here.run(&["connect", "--server", &id], "");
    assert!(!unasked.status.success() && text(&unasked.stderr).contains("--yes"));
    let done = here.told(&["connect", "--server", &id, "--yes"], "", true);
    assert!(done["done"]["standing"].as_array().unwrap().iter().all(|row| row["status"] == "verified"));
    let again = here.told(&["connect", "--server", &id], "", true);
    assert_eq!(again["plan"]["create"], Value::Array(Vec::new()));
    assert_eq!(here.told(&["connect", "--server", &id, "--one-url", "--yes"], "", true)["form"], "one_url");

    assert_eq!(here.told(&["watch"], "", true)[0]["findings"], Value::Array(Vec::new()));
    let (webhook, _) = webhooks(&here)[0];
    here.simulator.lock().unwrap().pause_trigger(webhook, Record::Bounce);
    here.simulator.lock().unwrap().enable_trigger(webhook, Record::Open, false);
    here.told(&["watch"], "", false);
    let repaired = here.told(&["watch", "--repair"], "", true);
    assert_eq!(repaired[0]["repaired"]["steps"][0]["what"], "changed");

    let begun = here.told(&["keys", "rotate", "--yes"], "", true);
    assert_eq!(begun["stage"], "quiet");
    let ring = KeyRing::open(here.home.path(), STACK).unwrap();
    assert_eq!(begun["rotation"]["new"], ring.public()[0].id());
    assert_eq!(
        here.told(&["keys", "rotate"], "", true)["stage"],
        "quiet",
        "it is under way: nobody is asked"
    );

    here.told(&["connect", "--server", &id, "--remove", "--yes"], "", true);
    assert!(webhooks(&here).is_empty());
    assert_eq!(here.told(&["server", "remove", "--server", &id, "--yes"], "", true)["removed"], true);
    assert!(!std::fs::read_to_string(kept).unwrap().contains(&token));
}

/// Ids and URLs of the simulator's webhooks.
fn webhooks(here: &Here) -> Vec<(u64, String)> {
    let request = http::Request::get("/webhooks")
        .header("Accept", "application/json")
        .header("X-Postmark-Server-Token", &here.server.token)
        .body(Vec::new());
    let answer = here.simulator.lock().unwrap().api(request.unwrap()).answer().unwrap();
    let told: Value = serde_json::from_slice(&answer.into_body().into_vec()).unwrap();
    let row = |row: &Value| (row["ID"].as_u64().unwrap(), row["Url"].as_str().unwrap().to_owned());
    told["Webhooks"].as_array().unwrap().iter().map(row).collect()
}

#[test]
fn an_account_adds_its_servers_and_its_own_token_is_not_kept() {
    let here = Here::new("account");
    here.simulator.lock().unwrap().add_server("Second");
    let token = here.simulator.lock().unwrap().account_token().to_owned();
    let unasked = here.run(&["server", "add", "--account"], &token);
    assert!(!unasked.status.success() && text(&unasked.stderr).contains("--all"));
    let one = here.told(&["server", "add", "--account", "--only", &here.id()], &token, true);
    assert_eq!(one.as_array().unwrap().len(), 1);
    let all = here.told(&["server", "add", "--account", "--all"], &token, true);
    assert_eq!(all.as_array().unwrap().len(), 2);
    let kept = std::fs::read_to_string(here.home.path().join("test.tokens.json")).unwrap();
    assert!(kept.contains(&here.server.token) && !kept.contains(&token));
}

#[test]
fn a_token_that_is_wrong_or_another_servers_adds_nothing_and_is_not_quoted() {
    let here = Here::new("wrong");
    for (token, words) in
        [("no-such-token", "Postmark refuses"), (&*here.server.token, "this token is server")]
    {
        let output = here.run(&["server", "add", "--server", "4711"], token);
        let told = text(&output.stderr);
        assert!(!output.status.success() && told.contains(words), "{told}");
        assert!(told.contains("next:") && !told.contains(token), "{told}");
    }
    assert_eq!(here.told(&["server", "list"], "", true), Value::Array(Vec::new()));
    let output = here.run(&["connect", "--server", "4711", "--dry-run"], "");
    assert!(text(&output.stderr).contains("postledger server add --server 4711"));
}

//! `postledger doctor`, the real command, at a running Postledger and a simulated Postmark: each broken link is named,
//! and with `--live` a mail is sent and seen to arrive.

use account::MemoryVault;
use account::{FileVault, Registry, Vault as _};
use credential::{Verifier, basic};
use embedded::{Parts, Stack};
use ledger::{LedgerKey, ServerId, Time};
use postledger::keys::KeyRing;
use postledger_tests::command::{Folder, command, run, text};
use postledger_tests::postmark::unreached;
use postledger_tests::postmark::{Hooks as _, InProcess, serve};
use postledger_tests::{STACK, Served};
use postmark_api::{Token, eastern};
use postmark_simulator::{Config, Quirks, Record, Simulator};
use queue::{Queue as _, QueueName, Sender as _};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::Collection;
use store::prelude::*;
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// How far the simulator's clock goes at each tick, and how long a tick is: 250 times as fast as ours.
const STEP_SECONDS: i64 = 1;
const TICK: Duration = Duration::from_millis(4);

/// A running Postledger by the simulator's clock, and a Postmark that is reached over HTTP.
struct Clinic {
    runtime: Runtime,
    stack: Arc<Stack>,
    queue: Arc<queue::Memory>,
    store: Arc<store::Memory>,
    simulator: Arc<Mutex<Simulator>>,
    base: String,
    postmark: String,
    server: i64,
    token: String,
    home: Folder,
    /// Whether the simulator's clock stands still: what Postmark has to tell stays untold.
    frozen: Arc<AtomicBool>,
    _stop: watch::Sender<bool>,
}

impl Clinic {
    /// With one server, a sandbox or not.
    fn new(name: &str, quirks: Quirks, delivery: &str) -> Clinic {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let home = Folder::new(name);
        let ring = KeyRing::open_or_make(home.path(), STACK).unwrap();
        let mut simulator = Simulator::new(Config { quirks, ..Config::usual(1) });
        let (server, token) = add_server(&mut simulator, delivery);
        let simulator = Arc::new(Mutex::new(simulator));
        let clock = {
            let simulator = simulator.clone();
            move || simulator.lock().unwrap().now().to_string().parse::<Time>().unwrap()
        };
        let (queue, store) = (Arc::new(queue::Memory::default()), Arc::new(store::Memory::default()));
        let stack = Arc::new(Stack::new(Parts {
            name: STACK.to_owned(),
            verifier: Arc::new(Verifier::new(STACK, ring.public(), []).unwrap()),
            queue: queue.clone(),
            store: store.clone(),
            ledger_key: LedgerKey::for_tests(),
            vault: Arc::new(MemoryVault::default()),
            postmark: unreached(),
            clock: Arc::new(clock),
            portal: None,
            signing: None,
        }));
        let (stop, stopped) = watch::channel(false);
        let base = Served::new(&runtime, &stack, home.path()).base;
        let postmark = serve(InProcess::new(simulator.clone(), stack.clone()));
        let frozen = Arc::new(AtomicBool::new(false));
        runtime.spawn(time_passes(simulator.clone(), stack.clone(), frozen.clone()));
        {
            let _inside = runtime.enter();
            let mut pumps = stack.consume(&stopped);
            pumps.detach_all();
        }
        Clinic {
            runtime,
            stack,
            queue,
            store,
            simulator,
            base,
            postmark,
            server,
            token,
            home,
            frozen,
            _stop: stop,
        }
    }

    /// With one server, whose webhooks lead to it.
    fn connected(name: &str) -> Clinic {
        let clinic = Clinic::new(name, Quirks::usual(), "Live");
        clinic.connect();
        clinic
    }

    fn id(&self) -> ServerId {
        ServerId::new(self.server).unwrap()
    }

    fn run(&self, words: &[&str], input: &str) -> Output {
        let mut command = command();
        command.arg("--home").arg(self.home.path()).args(["--stack", STACK]).args(words);
        if !words.contains(&"--url") {
            command.args(["--url", &self.base]);
        }
        run(command.args(["--postmark", &self.postmark]), input.as_bytes())
    }

    /// Registers and connects the server.
    fn connect(&self) {
        let id = self.server.to_string();
        for words in [&["server", "add", "--server", &id][..], &["connect", "--server", &id, "--yes"]] {
            let output = self.run(words, &self.token);
            assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
        }
    }

    fn doctor(&self, words: &[&str]) -> Value {
        let output = self.run(&[&["doctor", "--json"], words].concat(), "");
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        let told: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
        assert_eq!(told["well"], output.status.success(), "{out}{err}");
        assert!(!out.contains(&self.token), "no token is told");
        told
    }

    /// Fails unless a link is a problem of a code, with a next step, and others are not looked at.
    fn finds(&self, link: &str, code: &str, unseen: &[&str]) {
        self.finds_with(&[], link, code, unseen);
    }

    fn finds_with(&self, words: &[&str], link: &str, code: &str, unseen: &[&str]) {
        let told = self.doctor(words);
        assert_eq!(state(&told, link), "problem", "{code}: {told:#}");
        let found =
            of(&told, link)["findings"].as_array().unwrap().iter().find(|found| found["code"] == code);
        let found = found.unwrap_or_else(|| panic!("{code} is not found: {told:#}"));
        assert!(!found["words"].as_str().unwrap().is_empty() && !found["next"].as_str().unwrap().is_empty());
        let links = told["links"].as_array().unwrap();
        let skipped = links.iter().filter(|link| link["state"] == "not_looked_at");
        let skipped: Vec<&str> = skipped.map(|link| link["link"].as_str().unwrap()).collect();
        assert_eq!(skipped, unseen, "{code}");
    }

    /// Fails where anything is wrong still.
    fn is_mended(&self) {
        let told = self.doctor(&[]);
        assert_eq!(told["well"], true, "all of it is mended: {told:#}");
    }

    fn put_token(&self, token: &str) {
        let vault = FileVault::new(self.home.path(), STACK);
        self.runtime.block_on(vault.put(self.id(), &Token::new(token).unwrap())).unwrap();
    }

    fn lead_to(&self, doors: &str) {
        let change = |entry: &mut account::ServerEntry| entry.doors = Some(doors.to_owned());
        self.runtime.block_on(Registry(&*self.store).update(self.id(), change)).unwrap();
    }

    fn webhooks(&self) -> Vec<(u64, String)> {
        let request = http::Request::get("/webhooks")
            .header("Accept", "application/json")
            .header("X-Postmark-Server-Token", &self.token)
            .body(Vec::new());
        let answer = self.simulator.lock().unwrap().api(request.unwrap()).answer().unwrap();
        let told: Value = serde_json::from_slice(&answer.into_body().into_vec()).unwrap();
        let row = |row: &Value| (row["ID"].as_u64().unwrap(), row["Url"].as_str().unwrap().to_owned());
        told["Webhooks"].as_array().unwrap().iter().map(row).collect()
    }

    fn bounce_webhook(&self) -> u64 {
        let (webhook, _) = self.webhooks().into_iter().find(|(_, url)| url.ends_with("/bounce")).unwrap();
        webhook
    }

    /// Brings a body as a webhook for bounces brings it, and waits until it is consumed.
    fn bring(&self, body: &[u8]) {
        let keys = KeyRing::open(self.home.path(), STACK).unwrap();
        let (user, password) = keys.credential(self.id(), 1).unwrap();
        let request = http::Request::post(format!("/v1/{}/bounce", self.server))
            .header("authorization", basic(user, &password))
            .body(body.to_vec())
            .unwrap();
        self.runtime.block_on(self.stack.answer(&request));
        self.runtime.block_on(self.stack.drained()).unwrap();
    }
}

fn add_server(simulator: &mut Simulator, delivery: &str) -> (i64, String) {
    let request = http::Request::post("/servers")
        .header("Accept", "application/json")
        .header("Content-Type", "application/json")
        .header("X-Postmark-Account-Token", simulator.account_token())
        .body(json!({ "Name": "Client", "DeliveryType": delivery }).to_string().into_bytes());
    let answer = simulator.api(request.unwrap()).answer().unwrap();
    let told: Value = serde_json::from_slice(&answer.into_body().into_vec()).unwrap();
    (told["ID"].as_i64().unwrap(), told["ApiTokens"][0].as_str().unwrap().to_owned())
}

/// Lets the simulator's clock run, and brings its webhooks to the doors.
async fn time_passes(simulator: Arc<Mutex<Simulator>>, stack: Arc<Stack>, frozen: Arc<AtomicBool>) {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        if frozen.load(Ordering::Relaxed) {
            continue;
        }
        let until = simulator.lock().unwrap().now().plus_seconds(STEP_SECONDS);
        loop {
            let due = simulator.lock().unwrap().advance(until);
            let Some(due) = due else { break };
            let answer = stack.answer(&due.request).await;
            simulator.lock().unwrap().answered(due.id, answer);
        }
    }
}

fn of<'a>(told: &'a Value, link: &str) -> &'a Value {
    told["links"].as_array().unwrap().iter().find(|known| known["link"] == link).unwrap()
}

fn state<'a>(told: &'a Value, link: &str) -> &'a str {
    of(told, link)["state"].as_str().unwrap()
}

#[test]
fn a_healthy_chain_is_well_link_by_link_and_what_an_embedded_one_has_not_is_said() {
    let clinic = Clinic::new("doctor-well", Quirks::usual(), "Live");
    clinic.finds("registry", "no_servers", &["webhooks", "completeness"]);
    clinic.connect();
    let told = clinic.doctor(&[]);
    assert_eq!(told["well"], true, "{told:#}");
    let links = told["links"].as_array().unwrap().iter();
    let states: Vec<(&str, &str)> =
        links.map(|link| (link["link"].as_str().unwrap(), link["state"].as_str().unwrap())).collect();
    assert_eq!(
        states,
        [
            ("keys", "ok"),
            ("tables", "ok"),
            ("registry", "ok"),
            ("doors", "ok"),
            ("webhooks", "ok"),
            ("queues", "ok"),
            ("schedules", "not_there"),
            ("completeness", "ok"),
            ("quarantine", "ok"),
        ]
    );
    let shown = clinic.run(&["doctor"], "");
    assert!(text(&shown.stdout).contains("all is well") && shown.status.success());
}

#[test]
fn keys_that_others_can_read_or_that_are_gone_are_named_and_doors_and_webhooks_are_not_looked_at() {
    let clinic = Clinic::connected("doctor-keys");
    let ring = clinic.home.path().join("test.keys.json");
    let mode = |mode| std::fs::set_permissions(&ring, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    clinic.finds("keys", "keys_open", &["doors", "webhooks"]);
    mode(0o600);
    let kept = std::fs::read(&ring).unwrap();
    std::fs::remove_file(&ring).unwrap();
    clinic.finds("keys", "no_keys", &["doors", "webhooks"]);
    std::fs::write(&ring, &kept).unwrap();
    mode(0o600);
    clinic.is_mended();
}

#[test]
fn where_nobody_answers_for_the_ledger_nothing_behind_the_tables_is_looked_at() {
    let clinic = Clinic::connected("doctor-nobody");
    let all = ["registry", "doors", "webhooks", "queues", "schedules", "completeness", "quarantine"];
    clinic.finds_with(&["--url", "http://127.0.0.1:1"], "tables", "ledger_unanswered", &all);
}

#[test]
fn a_token_that_is_none_or_another_servers_is_named_and_webhooks_are_not_looked_at() {
    let clinic = Clinic::connected("doctor-token");
    clinic.put_token("no-such-token");
    clinic.finds("registry", "token_refused", &["webhooks"]);
    let other = clinic.simulator.lock().unwrap().add_server("Other").token;
    clinic.put_token(&other);
    clinic.finds("registry", "wrong_token", &["webhooks"]);
    clinic.put_token(&clinic.token);
    clinic.is_mended();
}

#[test]
fn doors_that_are_silent_or_none_or_that_refuse_the_newest_key_are_named() {
    let clinic = Clinic::connected("doctor-doors");
    clinic.lead_to("http://127.0.0.1:1");
    clinic.finds("doors", "doors_silent", &[]);
    clinic.lead_to(&clinic.postmark);
    clinic.finds("doors", "not_doors", &[]);
    clinic.lead_to(&clinic.base);
    let mut keys = KeyRing::open(clinic.home.path(), STACK).unwrap();
    let new = keys.add().unwrap();
    clinic.finds("doors", "doors_refuse", &[]);
    keys.retire(new.id()).unwrap();
    clinic.is_mended();
}

#[test]
fn a_webhook_that_is_paused_or_missing_is_named_and_connect_mends_it() {
    let clinic = Clinic::connected("doctor-webhook");
    let webhook = clinic.bounce_webhook();
    clinic.simulator.lock().unwrap().pause_trigger(webhook, Record::Bounce);
    clinic.finds("webhooks", "trigger_unverified", &[]);
    clinic.simulator.lock().unwrap().delete_webhook(webhook);
    clinic.finds("webhooks", "webhook_missing", &[]);
    clinic.connect();
    clinic.is_mended();
}

#[test]
fn no_mail_is_sent_where_a_webhook_is_missing() {
    let clinic = Clinic::connected("doctor-unsent");
    let webhook = clinic.bounce_webhook();
    clinic.simulator.lock().unwrap().delete_webhook(webhook);
    let unsent = live(&clinic, &[]);
    assert_eq!(unsent["live"]["state"], "not_looked_at", "nothing is sent along a chain that does not hold");
}

#[test]
fn dead_letters_are_named_until_they_are_gone() {
    let clinic = Clinic::connected("doctor-dead");
    clinic.runtime.block_on(clinic.queue.send(QueueName::CriticalDead, "dead")).unwrap();
    clinic.finds("queues", "dead_letters", &[]);
    let dead = clinic.runtime.block_on(clinic.queue.receive(QueueName::CriticalDead, 1)).unwrap();
    clinic
        .runtime
        .block_on(clinic.queue.delete(QueueName::CriticalDead, &[dead[0].receipt.clone()]))
        .unwrap();
    clinic.is_mended();
}

#[test]
fn a_day_of_which_something_is_unexplained_is_named() {
    let clinic = Clinic::connected("doctor-incomplete");
    let day = eastern::day(platform::now());
    let lines = json!({ "expected": 5, "received": 2, "recovered": 0, "unrecoverable": 0, "unexplained": 3 });
    let kept =
        json!({ "outbound": { "as_of": Time::from_micros(0), "lines": { "Delivery": lines } } }).to_string();
    let collection = Collection::Completeness(clinic.id());
    clinic.runtime.block_on(clinic.store.put_document(&collection, &day, &kept, None)).unwrap();
    clinic.finds("completeness", "unexplained", &[]);
    clinic.runtime.block_on(clinic.store.delete_document(&collection, &day, 1)).unwrap();
    clinic.is_mended();
}

#[test]
fn a_body_that_was_set_aside_is_named() {
    let clinic = Clinic::connected("doctor-aside");
    clinic.bring(b"{");
    clinic.finds("quarantine", "set_aside", &[]);
}

#[test]
fn a_revoked_password_that_webhooks_still_come_with_is_named() {
    let clinic = Clinic::connected("doctor-revoked");
    clinic.runtime.block_on(clinic.store.revoke(clinic.id(), 1, Time::from_micros(0))).unwrap();
    let mut bounce: Value = serde_json::from_slice(&crate::fixtures::read("bounce-hard.json")).unwrap();
    bounce["ServerID"] = clinic.server.into();
    bounce["BouncedAt"] = clinic.simulator.lock().unwrap().now().to_string().into();
    clinic.bring(bounce.to_string().as_bytes());
    clinic.finds("quarantine", "revoked_in_use", &[]);
}

fn live(clinic: &Clinic, more: &[&str]) -> Value {
    let id = clinic.server.to_string();
    let words = ["--server", &id, "--live", "--from", "a@sender.example"];
    clinic.doctor(&[&words, more].concat())
}

#[test]
fn mail_is_sent_only_by_a_sandbox_or_where_it_is_said_and_only_after_somebody_agreed() {
    let clinic = Clinic::new("doctor-asks", Quirks::usual(), "Live");
    clinic.connect();
    for (more, code) in [(&["--yes"][..], "live_server"), (&["--even-live"], "not_agreed")] {
        let told = live(&clinic, more);
        assert_eq!(told["live"]["findings"][0]["code"], code, "{told:#}");
        assert_eq!(told["live"].get("sent"), None);
    }
    assert_eq!(clinic.simulator.lock().unwrap().truth().messages(), 0);
}

#[test]
fn one_mail_is_sent_and_seen_to_arrive_and_nobody_is_put_on_a_list_by_it() {
    let clinic = Clinic::new("doctor-live", Quirks::usual(), "Sandbox");
    clinic.connect();
    for messages in [1, 2] {
        let told = live(&clinic, &["--yes", "--wait", "60"]);
        assert_eq!(told["well"], true, "{told:#}");
        let sent = &told["live"]["sent"];
        assert_eq!((&told["live"]["state"], &sent["told"][0]), (&json!("ok"), &json!("Bounce")), "{told:#}");
        assert_eq!(clinic.simulator.lock().unwrap().truth().messages(), messages);
    }
    let server = u64::try_from(clinic.server).unwrap();
    let listed = clinic.simulator.lock().unwrap().truth().suppressed_count(server, "outbound");
    assert_eq!(listed, 0);
}

#[test]
fn a_mail_of_which_nothing_is_told_is_a_finding_with_the_next_step() {
    let clinic = Clinic::new("doctor-untold", Quirks::usual(), "Live");
    clinic.connect();
    clinic.frozen.store(true, Ordering::Relaxed);
    let told = live(&clinic, &["--yes", "--even-live", "--wait", "5"]);
    assert_eq!(told["live"]["findings"][0]["code"], "not_told", "{told:#}");
}

//! A ledger in a folder: what was answered is there after any end, under its own key, and goes into a backup and back.

use postledger_tests::command::{Folder, command, run, text};
use postledger_tests::lambda::built;
use postledger_tests::open_metrics;
use postledger_tests::soak_disk::{Process, SoakDisk, agent};
use std::path::Path;
use std::process::Output;

const BOUNCE: &str = include_str!("../../shared/postmark/fixtures/bounce-hard.json");
const WHO: &str = "greta.duval@customer.example";

/// A folder with the folders `data` and `home` in it, and commands on them.
struct House(Folder);

impl House {
    fn new(name: &str) -> House {
        House(Folder::new(name))
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn start(&self) -> Process {
        Process::start(&built().join("postledger"), self.0.path())
    }

    /// A command with the keys of this house, to its end.
    fn ask(&self, args: &[&str]) -> Output {
        let mut command = command();
        command.args(args).env("POSTLEDGER_HOME", self.path("home"));
        run(command.env("POSTLEDGER_PASSPHRASE", "correct horse battery"), b"")
    }

    /// What a command says that must fail.
    fn refused(&self, args: &[&str]) -> String {
        let output = self.ask(args);
        assert!(!output.status.success(), "{}", text(&output.stdout));
        text(&output.stderr)
    }

    /// What it says that it does not start.
    fn does_not_start(&self) -> String {
        let data = self.path("data");
        self.refused(&["run", "--port", "0", "--data", data.to_str().unwrap()])
    }
}

/// Posts a body to a running ledger as its server's webhook would be.
fn post(process: &Process, house: &House, body: &str) {
    let keys = postledger::keys::KeyRing::open(&house.path("home"), "local").unwrap();
    let (user, password) = keys.credential(postledger_tests::server_id(8_123_456), 1).unwrap();
    let url = format!("{}/v1/8123456/events", process.url());
    let authorization = credential::basic(user, &password);
    let sent = agent().post(&url).header("authorization", &authorization).send(body).unwrap();
    assert_eq!(sent.status(), 200);
}

fn status(process: &Process, path: &str) -> u16 {
    agent().get(format!("{}{path}", process.url())).call().unwrap().status().as_u16()
}

/// What is recorded of the bounce's recipient.
fn told(process: &Process) -> serde_json::Value {
    process.json(&["recipient", "--server", "8123456", WHO, "--json"])
}

/// The same without the time of the question.
fn without_time(mut told: serde_json::Value) -> serde_json::Value {
    told.as_object_mut().unwrap().remove("at");
    for stream in told["streams"].as_object_mut().unwrap().values_mut() {
        stream.as_object_mut().unwrap().remove("as_of");
    }
    told
}

#[test]
fn what_was_answered_is_there_after_a_kill_and_so_are_tokens_and_revocations() {
    let house = House::new("lasting-kill");
    let mut process = house.start();
    post(&process, &house, BOUNCE);
    process.kill();
    process.drain();
    let before = told(&process);
    assert_eq!(before["known"], true);
    let new = ["token", "new", "--name", "n", "--role", "viewer", "--servers", "8123456", "--json"];
    let token = process.json(&new)["token"].as_str().unwrap().to_owned();
    process.json(&["revoke", "--server", "8123456", "--generation", "3", "--yes", "--json"]);
    process.kill();
    assert_eq!(without_time(told(&process)), without_time(before));
    let servers = agent().get(format!("{}/v1/servers", process.url()));
    let answer = servers.header("authorization", format!("Bearer {token}")).call().unwrap();
    assert_eq!(answer.status(), 200, "the token opens it still");
    let revoked = process.json(&["revoke", "--list", "--json"]);
    assert!(revoked.to_string().contains("8123456"), "{revoked}");
    process.stop();
}

#[test]
fn it_tells_that_it_lives_and_that_it_consumes() {
    let house = House::new("lasting-ready");
    let process = house.start();
    assert_eq!(status(&process, "/health"), 200);
    let start = std::time::Instant::now();
    while status(&process, "/ready") != 200 {
        assert!(start.elapsed().as_secs() < 10, "it never consumes");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    process.stop();
}

#[test]
fn it_speaks_tls_by_a_certificate() {
    let house = House::new("lasting-tls");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (house.path("cert.pem"), house.path("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    platform::private::write(&key, made.signing_key.serialize_pem().as_bytes()).unwrap();
    let tls = ["--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let process = Process::start_with(&built().join("postledger"), house.0.path(), &tls);
    let root = ureq::tls::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let roots = ureq::tls::RootCerts::new_with_certs(&[root]);
    let trusting =
        ureq::Agent::config_builder().tls_config(ureq::tls::TlsConfig::builder().root_certs(roots).build());
    let trusting: ureq::Agent = trusting.build().into();
    let health = format!("https://localhost:{}/health", process.address.port());
    assert_eq!(trusting.get(&health).call().unwrap().status(), 200);
    assert!(agent().get(format!("{}/health", process.url())).call().is_err(), "not in clear text");
    process.stop();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let data = house.path("data");
    let args = [&["run", "--port", "0", "--data", data.to_str().unwrap()], &tls[..]].concat();
    assert!(house.refused(&args).contains("chmod 600"));
}

#[test]
fn it_serves_its_metrics_as_openmetrics_without_addresses() {
    let house = House::new("lasting-metrics");
    let more = ["--metrics", "127.0.0.1:0"];
    let process = Process::start_with(&built().join("postledger"), house.0.path(), &more);
    let at = process.said.iter().find_map(|line| line.strip_prefix("Metrics are at ")).unwrap();
    let metrics = || {
        let mut answer = agent().get(at.trim_end_matches('.')).call().unwrap();
        assert_eq!(answer.headers()["content-type"], open_metrics::MEDIA_TYPE);
        let text = answer.body_mut().read_to_string().unwrap();
        assert!(!text.contains('@') && !text.contains("8123456"), "{text}");
        open_metrics::parse(&text)
    };
    metrics();
    post(&process, &house, "no JSON");
    // From the future, so that the time from the event to its receipt is negative, and so is the sum of those times.
    let mut ahead: serde_json::Value = serde_json::from_str(BOUNCE).unwrap();
    ahead["BouncedAt"] = platform::now().plus_seconds(500).to_string().into();
    post(&process, &house, &ahead.to_string());
    process.drain();
    let samples = metrics();
    let value = |name: &str, label: Option<(&str, &str)>| {
        let has = |sample: &&open_metrics::Sample| {
            assert_eq!(sample.labels["stack"], "local");
            sample.name == name
                && label.is_none_or(|(label, value)| sample.labels.get(label).is_some_and(|has| has == value))
        };
        samples.iter().find(has).map(|sample| sample.value)
    };
    assert_eq!(value("EventsAccepted_total", Some(("RecordType", "Bounce"))), Some(1.0));
    assert_eq!(value("SetAside_total", None), Some(1.0));
    assert_eq!(value("SourceLag_count", None), Some(1.0));
    assert!(value("SourceLag", Some(("quantile", "0"))).is_some_and(|least| least < 0.0));
    assert_eq!(value("SourceLag_sum", None), None, "a sum is not negative");
    process.stop();
}

#[test]
fn a_second_process_on_the_same_folder_is_told_so_in_one_sentence() {
    let house = House::new("lasting-second");
    let process = house.start();
    let said = house.does_not_start();
    assert!(said.contains("another Postledger is running on"), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    process.stop();
}

#[test]
fn a_ledger_opens_with_its_own_key_and_stack_and_no_other() {
    use std::os::unix::fs::PermissionsExt as _;
    let house = House::new("lasting-key");
    house.start().stop();
    let (data, key) = (house.path("data"), house.path("data").join("ledger.key"));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for file in ["ledger.key", "ledger.db"] {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
    let own = std::fs::read_to_string(&key).unwrap();
    let write = |text: &str| platform::private::write(&key, text.as_bytes()).unwrap();

    std::fs::remove_file(&key).unwrap();
    assert!(house.does_not_start().contains("is missing"));
    assert!(!key.exists(), "no new key is made");
    write(&own.chars().rev().collect::<String>());
    let said = house.does_not_start();
    assert!(said.contains("another ledger's") || said.contains("holds no ledger key"), "{said}");
    write("not a key");
    assert!(house.does_not_start().contains("holds no ledger key"));
    write(&own);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(house.does_not_start().contains("chmod 600"));
    write(&own);
    let data = data.to_str().unwrap();
    let said = house.refused(&["run", "--port", "0", "--data", data, "--stack", "eu"]);
    assert!(said.contains("of the stack local, not of eu"), "{said}");
    assert!(!said.contains(&own));
    house.start().stop();
}

#[test]
fn a_backup_is_made_while_it_runs_and_restored_elsewhere_it_answers_the_same() {
    let house = House::new("lasting-backup");
    let process = house.start();
    post(&process, &house, BOUNCE);
    process.drain();
    let before = told(&process);
    let (data, file) = (house.path("data"), house.path("copy.db"));
    let (data, file) = (data.to_str().unwrap(), file.to_str().unwrap());
    let made = house.ask(&["backup", file, "--data", data, "--json"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!((&made["events"], &made["recipients"]), (&1.into(), &1.into()));
    assert!(house.refused(&["backup", file, "--data", data]).contains("choose a new name"));
    let key = std::fs::read_to_string(house.path("data").join("ledger.key")).unwrap();
    let copied = std::fs::read(file).unwrap();
    assert!(!String::from_utf8_lossy(&copied).contains(key.trim()), "the key is sealed");
    process.stop();

    let other = House::new("lasting-restored");
    let into = other.path("data");
    let into = into.to_str().unwrap();
    let mut wrong = command();
    wrong.args(["restore", file, "--data", into]).env("POSTLEDGER_HOME", other.path("home"));
    let said = text(&run(wrong.env("POSTLEDGER_PASSPHRASE", "another passphrase"), b"").stderr);
    assert!(said.contains("the passphrase is not the one"), "{said}");
    let done = other.ask(&["restore", file, "--data", into]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(text(&done.stdout).contains("events: 1, recipients: 1"), "{}", text(&done.stdout));
    let process = other.start();
    assert_eq!(without_time(told(&process)), without_time(before));
    post(&process, &house, BOUNCE);
    process.drain();
    process.stop();
    assert!(other.refused(&["restore", file, "--data", into]).contains("is not empty"));
}

#[test]
fn whoever_was_erased_since_the_backup_is_erased_again_where_the_journal_is_there() {
    let house = House::new("lasting-erased");
    let process = house.start();
    post(&process, &house, BOUNCE);
    process.drain();
    let (data, file) = (house.path("data"), house.path("copy.db"));
    let (data, file) = (data.to_str().unwrap(), file.to_str().unwrap());
    let new = ["token", "new", "--name", "n", "--role", "viewer", "--servers", "8123456", "--json"];
    let made = process.json(&new);
    process.json(&["revoke", "--server", "8123456", "--generation", "4", "--yes", "--json"]);
    assert!(house.ask(&["backup", file, "--data", data]).status.success());
    process.json(&["token", "revoke", made["id"].as_str().unwrap(), "--json"]);
    process.json(&["revoke", "--server", "8123456", "--generation", "4", "--undo", "--yes", "--json"]);
    process.json(&["erase", "--server", "8123456", WHO, "--yes", "--json"]);
    process.json(&["revoke", "--server", "8123456", "--generation", "3", "--yes", "--json"]);
    process.stop();
    let journal = std::fs::read_to_string(house.path("data").join("erasures.log")).unwrap();
    assert!(journal.lines().count() >= 2 && !journal.contains('@'), "ids alone: {journal}");

    let other = House::new("lasting-erased-again");
    let into = other.path("data");
    std::fs::create_dir_all(&into).unwrap();
    std::fs::write(into.join("erasures.log"), journal).unwrap();
    let done = other.ask(&["restore", file, "--data", into.to_str().unwrap(), "--json"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let done: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&done["erased"], &done["revoked"]), (&1.into(), &1.into()));
    for entry in std::fs::read_dir(&into).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(WHO), "the address is nowhere");
    }
    let process = other.start();
    let asked =
        ["check", "--server", "8123456", "--stream", "outbound", "--address", WHO, "--format", "json"];
    let mut check = command();
    check.args(asked).env("POSTLEDGER_HOME", other.path("home")).env("POSTLEDGER_URL", process.url());
    let said = text(&run(&mut check, b"").stdout);
    assert!(said.contains("do_not_send"), "the ban stays: {said}");
    let servers = agent().get(format!("{}/v1/servers", process.url()));
    let bearer = format!("Bearer {}", made["token"].as_str().unwrap());
    assert_eq!(servers.header("authorization", bearer).call().unwrap().status(), 401, "it was revoked since");
    let revoked = process.json(&["revoke", "--list", "--json"]).to_string();
    assert!(revoked.contains(r#""generation":3"#) && !revoked.contains(r#""generation":4"#), "{revoked}");
    process.stop();

    let without = House::new("lasting-erased-unknown");
    let into = without.path("data");
    let done = text(&without.ask(&["restore", file, "--data", into.to_str().unwrap()]).stdout);
    assert!(done.contains("There was no erasures.log beside it"), "{done}");
}

#[test]
fn where_a_ledger_is_lost_no_empty_one_takes_its_place() {
    let house = House::new("lasting-lost");
    house.start().stop();
    let (data, home) = (house.path("data"), house.path("home"));
    let keys = std::fs::read(home.join("local.keys.json")).unwrap();
    std::fs::rename(&home, house.path("elsewhere")).unwrap();
    assert!(house.does_not_start().contains("are not in"), "no new keys for a ledger that is known");
    assert!(!home.join("local.keys.json").exists());
    std::fs::remove_dir_all(&home).unwrap_or_default();
    std::fs::rename(house.path("elsewhere"), &home).unwrap();
    assert_eq!(std::fs::read(home.join("local.keys.json")).unwrap(), keys);
    let (file, bytes) = (data.join("ledger.db"), std::fs::read(data.join("ledger.db")).unwrap());
    std::fs::write(&file, "").unwrap();
    assert!(house.does_not_start().contains("is gone"));
    std::fs::remove_file(&file).unwrap();
    assert!(house.does_not_start().contains("is gone"));
    std::fs::remove_file(data.join("ledger.key")).unwrap();
    assert!(house.does_not_start().contains("is gone"), "the journal is left");
    assert!(!file.exists() && bytes.len() > 4_096);
}

#[test]
fn a_backup_is_not_put_beside_its_ledger_nor_sealed_by_blanks() {
    let house = House::new("lasting-beside");
    house.start().stop();
    let (data, file) = (house.path("data"), house.path("copy.db"));
    std::fs::create_dir(data.join("backups")).unwrap();
    std::os::unix::fs::symlink(&data, house.path("same")).unwrap();
    let data = data.to_str().unwrap();
    for beside in ["data/copy.db", "data/backups/copy.db", "same/copy.db", "home/../data/copy.db"] {
        let said = house.refused(&["backup", house.path(beside).to_str().unwrap(), "--data", data]);
        assert!(
            said.contains("is in the folder of the ledger") && said.contains("next: choose a file in"),
            "{said}"
        );
        assert!(!house.path(beside).exists());
    }
    let mut blank = command();
    blank.args(["backup", file.to_str().unwrap(), "--data", data]).env("POSTLEDGER_HOME", house.path("home"));
    let said = text(&run(blank.env("POSTLEDGER_PASSPHRASE", " correct h    "), b"").stderr);
    assert!(said.contains("fewer than 12 characters") && !file.exists(), "{said}");
}

#[test]
fn a_backup_says_what_is_in_it_and_is_no_ledger() {
    let house = House::new("lasting-whole");
    house.start().stop();
    let (data, file) = (house.path("data"), house.path("copy.db"));
    let (data, file) = (data.to_str().unwrap(), file.to_str().unwrap());
    let none = house.path("none");
    let said = house.refused(&["backup", file, "--data", data, "--home", none.to_str().unwrap()]);
    assert!(said.contains("--without-keys"), "{said}");
    let made = house.ask(&["backup", file, "--data", data]);
    let said = text(&made.stdout);
    assert!(said.contains("the ledger key, signing keys and no Postmark tokens"), "{said}");
    let other = House::new("lasting-whole-other");
    std::fs::create_dir_all(other.path("data")).unwrap();
    std::fs::copy(file, other.path("data").join("ledger.db")).unwrap();
    assert!(other.does_not_start().contains("is a backup"));
    let third = House::new("lasting-whole-third");
    std::fs::create_dir_all(third.path("data")).unwrap();
    let foreign = r#"{"at":"2026-11-30T10:43:35Z","ledger":{"ledger_key":"AAAAAAAAAAAAAAAAAAAAAA"}}"#;
    std::fs::write(third.path("data").join("erasures.log"), foreign).unwrap();
    let into = third.path("data");
    let said = third.refused(&["restore", file, "--data", into.to_str().unwrap()]);
    assert!(said.contains("another ledger's"), "{said}");
    assert!(third.does_not_start().contains("run `postledger restore` again"));
    let bytes = std::fs::read(file).unwrap();
    let cut = house.path("cut.db");
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let said = other.refused(&["restore", cut.to_str().unwrap(), "--data", into.to_str().unwrap()]);
    assert!(said.contains("is not a whole backup"), "{said}");
}

#[test]
fn a_restore_that_was_cut_off_is_no_ledger_and_is_done_anew() {
    let house = House::new("lasting-cut-off");
    let process = house.start();
    post(&process, &house, BOUNCE);
    process.drain();
    let (data, file) = (house.path("data"), house.path("copy.db"));
    let (data, file) = (data.to_str().unwrap(), file.to_str().unwrap());
    assert!(house.ask(&["backup", file, "--data", data]).status.success());
    process.stop();
    let other = House::new("lasting-cut-off-again");
    let into = other.path("data");
    std::fs::create_dir_all(into.join("restoring")).unwrap();
    std::fs::write(into.join("restoring").join("ledger.db"), "half of it").unwrap();
    assert!(other.does_not_start().contains("run `postledger restore` again"));
    let done = other.ask(&["restore", file, "--data", into.to_str().unwrap()]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    other.start().stop();
}

#[test]
fn killed_again_and_again_the_ledger_equals_the_fold_of_what_was_answered() {
    let folder = Folder::new("lasting-soak");
    let soak = SoakDisk { seed: 5, events: 3_000, kills: 8 };
    let outcome = soak.run(folder.path(), &built().join("postledger"), |_| {});
    assert_eq!(outcome.faults["kill -9"], 8);
    assert!(outcome.recorded > 2_000 && outcome.requests > outcome.tellings);
}

#[test]
fn what_is_in_the_file_is_shown_to_people_by_its_views() {
    let house = House::new("lasting-views");
    let process = house.start();
    post(&process, &house, BOUNCE);
    post(&process, &house, "no webhook");
    process.drain();
    process.stop();
    let file = house.path("data").join("ledger.db");
    let open = sqlite::rusqlite::Connection::open(file).unwrap();
    let one = |query: &str| -> String { open.query_row(query, [], |row| row.get(0)).unwrap() };
    let when = one("SELECT time FROM v_events WHERE kind = 'Bounce' AND server = 8123456");
    assert!(when.ends_with('Z') && when.len() == 20, "{when}");
    assert_eq!(one("SELECT address FROM v_events"), WHO);
    assert_eq!(one("SELECT type FROM v_events"), "HardBounce");
    assert_eq!(one("SELECT causes || ' ' || stream FROM v_suppressed"), "hard_bounce outbound");
    assert_eq!(one("SELECT CAST(count AS TEXT) FROM v_counts WHERE measure = 'bounce_hard'"), "1");
    assert_eq!(one("SELECT reason FROM v_quarantine"), "not_json");
}

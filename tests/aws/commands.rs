//! The real command against a stack on AWS, as the emulator has it.

use aws::Limits;
use consumer::Consumer;
use embedded::pump;
use ledger::event::What;
use ledger::{LedgerKey, Time, recipient_key};
use postledger::aws::ledger_key_parameter;
use postledger::sample::sample;
use postledger_tests::command::{Folder, command, run, text};
use postledger_tests::emulator::{Emulator, fresh_name, tables};
use postledger_tests::{SERVER, World, server_id};
use queue::{Queue, QueueName, Sender, Sqs};
use serde_json::{Value, json};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;
use store::by_time::{self, Filled};
use store::contract::recorded;
use store::prelude::*;
use store::{ACTIONS_MAX, Action, DynamoDb, Recorded};
use tokio::sync::watch;

/// A stack in the emulator, and an operator's folder of keys.
struct Operator {
    stack: String,
    home: Folder,
}

impl Operator {
    fn new() -> Operator {
        let stack = format!("c{}", fresh_name());
        let home = Folder::new(&stack);
        Operator { stack, home }
    }

    /// With tables, queues and a key to sign with.
    fn with_stack() -> Operator {
        let operator = Operator::new();
        operator.json(&["tables", "create"]);
        assert!(operator.ask(&["keys", "new"], b"", &[]).status.success());
        operator
    }

    fn command(&self, args: &[&str], endpoint: &[&str]) -> Command {
        let mut command = command();
        command.args(args).args(["--stack", &self.stack]).args(endpoint);
        command.env("POSTLEDGER_HOME", self.home.path());
        command
    }

    fn ask(&self, args: &[&str], input: &[u8], endpoint: &[&str]) -> Output {
        run(&mut self.command(args, endpoint), input)
    }

    fn on_aws(&self, args: &[&str], input: &[u8]) -> Output {
        self.ask(args, input, &["--endpoint", &Emulator::shared().url])
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.on_aws(&[args, &["--json"]].concat(), b"");
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Posts the sample, less what is not JSON, and a body that is set aside.
    fn post_sample(&self) -> Value {
        let bodies = sample(SERVER, platform::now()).into_iter().map(|sent| sent.body);
        let bodies = bodies.filter(|body| serde_json::from_str::<Value>(body).is_ok());
        let input = bodies.chain(["{}".to_owned()]).collect::<Vec<_>>().join("\n");
        let output =
            self.on_aws(&["post", "--server", "8123456", "--generation", "1", "--json"], input.as_bytes());
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    async fn queue(&self) -> Arc<Sqs> {
        Arc::new(Sqs::of_stack(Emulator::shared().link(Limits::COMMAND), &self.stack).await.unwrap())
    }

    fn store(&self) -> Arc<DynamoDb> {
        Arc::new(tables(&Emulator::shared().url, &self.stack, false))
    }

    async fn ledger_key(&self) -> LedgerKey {
        let link = Emulator::shared().link(Limits::COMMAND);
        link.parameter(&ledger_key_parameter(&self.stack)).await.unwrap().parse().unwrap()
    }

    async fn consumer(&self) -> Arc<Consumer> {
        let settings = consumer::Settings::new(self.ledger_key().await, platform::clock());
        Arc::new(Consumer::new(self.store(), settings))
    }

    async fn consume(&self) {
        let (queue, consumer) = (self.queue().await, self.consumer().await);
        for name in QueueName::LIVE {
            while pump::once(&*queue, &consumer, name).await.unwrap() > 0 {}
        }
    }
}

#[test]
fn tables_queues_and_ledger_key_are_made_once_and_left_alone_then() {
    let operator = Operator::new();
    let made = operator.json(&["tables", "create", "--by-time"]);
    let names = made["made"].as_array().unwrap();
    assert_eq!((names.len(), &made["there"]), (12, &json!([])), "five tables, six queues, one key: {made}");
    assert!(names.contains(&json!(format!("queue {}-critical-dlq", operator.stack))));
    let again = operator.json(&["tables", "create", "--by-time"]);
    assert_eq!((&again["made"], again["there"].as_array().unwrap().len()), (&json!([]), 12));
    let shown = operator.on_aws(&["tables", "create"], b"");
    assert!(text(&shown.stdout).contains("was there"), "{}", text(&shown.stdout));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stack_on_aws_answers_the_apis_commands_to_whoever_has_access_to_it() {
    let operator = Operator::with_stack();
    operator.post_sample();
    operator.consume().await;
    let server = ["--server", "8123456"];
    let check = [&["check"][..], &server, &["--stream", "outbound", "--address"]].concat();
    let bounced = operator.on_aws(&[&check[..], &["no.such.user@customer.example"]].concat(), b"");
    assert_eq!(bounced.status.code(), Some(1), "{}", text(&bounced.stderr));
    let timeline = operator.json(&[&["timeline"][..], &server, &["ida.moreau@customer.example"]].concat());
    assert_eq!(timeline["items"][0]["measure"], "delivered", "{timeline}");
    let listed = operator.json(&[&["suppressions", "list"][..], &server, &["--stream", "outbound"]].concat());
    assert_eq!(listed["items"][0]["address"], "no.such.user@customer.example", "{listed}");
    let made = operator.json(
        &[&["token", "new", "--name", "n", "--role", "viewer", "--servers"][..], &["8123456"]].concat(),
    );
    assert!(made["token"].as_str().unwrap().starts_with("plt_"));
    assert_eq!(operator.json(&["token", "list"])["items"][0]["id"], made["id"]);

    let ida = ["--stream", "outbound", "--reason", "asked", "--no-postmark", "ida.moreau@customer.example"];
    let suppressed = operator.json(&[&["suppress"][..], &server, &ida].concat());
    assert_eq!(
        suppressed["results"][0]["decision"]["recorded"], false,
        "nobody consumes: it is on its queue"
    );
    operator.consume().await;
    let ida = operator.on_aws(&[&check[..], &["ida.moreau@customer.example"]].concat(), b"");
    assert_eq!(ida.status.code(), Some(1), "{}", text(&ida.stderr));
    operator.json(&[&["revoke"][..], &server, &["--generation", "9", "--yes"]].concat());

    let audit = operator.json(&[&["audit"][..], &server].concat());
    let items = audit["items"].as_array().unwrap();
    let whats: Vec<&str> = items.iter().filter_map(|item| item["what"].as_str()).collect();
    assert_eq!(whats, ["revoke", "revoke", "suppress", "suppress", "token.new", "token.new"], "{audit}");
    let by_aws = |item: &Value| {
        item["who"]["kind"] == "aws"
            && item["who"]["name"].as_str().unwrap_or_default().starts_with("arn:aws:")
    };
    assert!(items.iter().all(by_aws), "{audit}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stack_on_aws_is_posted_to_asked_ruled_and_replayed_as_an_embedded_one_is() {
    let operator = Operator::with_stack();
    let answers = operator.post_sample();
    let set_aside = ["200 set_aside probe", "200 set_aside unknown_record_type"];
    assert_eq!(answers["200 accepted"], 18, "{answers}");
    assert!(set_aside.iter().all(|answer| answers[answer] == 1), "{answers}");
    operator.consume().await;

    let told = operator.json(&["recipient", "--server", "8123456", "no.such.user@customer.example"]);
    assert_eq!(told["streams"]["outbound"]["verdict"], "do_not_send");
    assert_eq!(told["streams"]["outbound"]["reasons"][0]["evidence"].as_array().unwrap().len(), 2);
    let stats = operator.json(&["stats", "--server", "8123456", "--stream", "outbound"]);
    assert_eq!(stats["streams"]["outbound"]["total"]["counts"]["delivered"], 1, "{stats}");

    let listed = operator.json(&["quarantine", "list", "--days", "2"]);
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 2);
    let one = listed.iter().find(|one| one["reason"] == "unknown_record_type").unwrap();
    let key = one["key"].as_str().unwrap();
    assert_eq!(operator.json(&["quarantine", "show", key])["body_base64"], "e30=");
    let refused = operator.on_aws(&["quarantine", "replay", key], b"");
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("unknown_record_type"), "{}", text(&refused.stderr));
    let none = operator.on_aws(&["quarantine", "show", "1.none"], b"");
    assert!(text(&none.stderr).contains("nothing of that key"), "{}", text(&none.stderr));
    let mended = operator.home.path().join("mended.json");
    std::fs::write(&mended, &sample(SERVER, platform::now())[4].body).unwrap();
    let replayed = operator.json(&["quarantine", "replay", key, "--body", mended.to_str().unwrap()]);
    assert_eq!(replayed["queue"], "critical");
    assert!(operator.json(&["quarantine", "show", key])["replayed_at"].is_string());

    let ida = ["--server", "8123456", "ida.moreau@customer.example"];
    let rule = ["--stream", "*", "--no-postmark", "--reason", "asked"];
    let told = operator.json(&[&["suppress"], &rule[..], &ida].concat());
    assert_eq!(told["results"][0]["decision"]["recorded"], false, "nobody consumes: it is on its queue");
    operator.consume().await;
    let told = operator.json(&[&["recipient"][..], &ida].concat());
    assert_eq!(told["streams"]["outbound"]["verdict"], "do_not_send");
    let (stop, stopped) = watch::channel(false);
    let (queue, consumer) = (operator.queue().await, operator.consumer().await);
    let consuming = tokio::spawn(pump::run(queue, consumer, QueueName::Critical, Arc::default(), stopped));
    let told = operator.json(&[&["reactivate"], &rule[..], &ida].concat());
    assert_eq!(told["decision"]["recorded"], true);
    stop.send(true).unwrap();
    consuming.await.unwrap();

    operator.json(&["revoke", "--server", "8123456", "--generation", "1", "--from", "2026-01-01", "--yes"]);
    assert_eq!(operator.post_sample()["200 accepted"], 18, "the door does not know; the consumer does");
    operator.consume().await;
    let listed = operator.json(&["quarantine", "list", "--days", "2"]);
    let revoked = listed.as_array().unwrap().iter().filter(|one| one["reason"] == "revoked");
    assert_eq!(revoked.count(), 18);
    let report = operator.json(&["rebuild", "--server", "8123456"]);
    assert_eq!((&report["events"], &report["differences"]), (&json!(19), &json!([])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_that_is_not_as_its_events_say_is_named_and_mended() {
    let operator = Operator::with_stack();
    operator.post_sample();
    operator.consume().await;
    let rebuild = ["rebuild", "--server", "8123456"];
    assert!(operator.on_aws(&rebuild, b"").status.success());

    let (store, server) = (operator.store(), server_id(SERVER));
    let address = recipient_key("no.such.user@customer.example");
    let recipient = operator.ledger_key().await.recipient_id(server, &address);
    let view = store.views(server, &[recipient]).await.unwrap().remove(0).unwrap();
    let mut wrong = view.clone();
    wrong.streams.clear();
    store.commit(&[Action::PutView(wrong, Some(view.folded))]).await.unwrap();

    let told = operator.on_aws(&rebuild, b"");
    let shown = text(&told.stdout);
    assert_eq!(told.status.code(), Some(1));
    assert!(shown.contains(&recipient.to_string()) && shown.contains("streams/outbound"), "{shown}");
    assert!(shown.contains("1 difference.") && !shown.contains("no.such.user"), "{shown}");
    let unasked = operator.on_aws(&[&rebuild[..], &["--repair"]].concat(), b"y\n");
    assert_eq!(unasked.status.code(), Some(1));
    assert!(text(&unasked.stderr).contains("--yes"), "a pipe is nobody to ask");
    let mended = operator.json(&[&rebuild[..], &["--repair", "--yes"]].concat());
    assert_eq!(mended["before"]["differences"].as_array().unwrap().len(), 1);
    assert_eq!((&mended["repaired"], &mended["after"]["differences"]), (&json!(1), &json!([])));
    assert!(operator.on_aws(&rebuild, b"").status.success());
    assert_eq!(store.views(server, &[recipient]).await.unwrap(), [Some(view)]);
}

/// So many events of the last hours, the latest first.
fn recent(count: i64, now: Time) -> Vec<Recorded> {
    let event = |n: i64| {
        let mut recorded = recorded(n, What::Delivery, 10);
        recorded.event.at = now.plus_seconds(-60 * n);
        recorded
    };
    (0..count).map(event).collect()
}

async fn record(store: &DynamoDb, events: &[Recorded]) {
    store.note_stream(server_id(SERVER), "outbound").await.unwrap();
    for some in events.chunks(ACTIONS_MAX) {
        store.commit(&some.iter().cloned().map(Action::Record).collect::<Vec<_>>()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_events_are_filled_into_the_index_by_a_command_that_was_killed_and_goes_on() {
    let [always, later] = [(); 2].map(|()| {
        let operator = Operator::new();
        operator.json(&["tables", "create", "--by-time"]);
        operator
    });
    let store = |of: &Operator, by_time| tables(&Emulator::shared().url, &of.stack, by_time);
    let list = |of: &Operator| of.json(&["activity", "--server", "8123456", "--all"]);
    let (now, before) = (platform::now(), platform::now().plus_seconds(-7_200));
    let events = recent(450, now);
    record(&store(&always, true), &events).await;
    always.json(&["index", "note", "--new"]);
    let whole = list(&always);
    assert_eq!((whole["items"].as_array().unwrap().len(), whole.get("whole_from")), (450, None));

    // The last ten minutes with the index, which was switched on two hours ago.
    record(&store(&later, false), &events[10..]).await;
    let with = store(&later, true);
    record(&with, &events[..10]).await;
    let unknown = list(&later);
    assert!(unknown["whole_from"].is_string(), "nobody has noted anything: {unknown}");
    by_time::note_on(&with, before, false).await.unwrap();
    let partial = list(&later);
    let from = before.plus_seconds(by_time::SETTLED_SECONDS).to_string();
    assert_eq!((partial["items"].as_array().unwrap().len(), &partial["whole_from"]), (10, &json!(from)));
    let shown = later.on_aws(&["activity", "--server", "8123456"], b"");
    assert!(text(&shown.stderr).contains("postledger index fill"), "{}", text(&shown.stderr));

    let unasked = later.on_aws(&["index", "fill"], b"");
    let told = text(&unasked.stderr);
    assert_eq!(unasked.status.code(), Some(1), "{told}");
    assert!(told.contains("about 450 events") && told.contains("1.41 USD for a million events"), "{told}");
    assert!(told.contains("--yes"), "a pipe is nobody to ask: {told}");
    assert_eq!(by_time::so_far(&with).await.unwrap(), Filled::default());

    let endpoint = ["--endpoint", &Emulator::shared().url];
    let mut filling = later.command(&["index", "fill", "--yes", "--rate", "100"], &endpoint);
    let mut filling =
        filling.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while by_time::so_far(&with).await.unwrap().read == 0 {
        assert!(filling.try_wait().unwrap().is_none(), "it ended before it was killed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    filling.kill().unwrap();
    filling.wait().unwrap();
    let so_far = by_time::so_far(&with).await.unwrap();
    assert!((1..450).contains(&so_far.read), "{so_far:?}");
    let partial = list(&later);
    assert!((10..450).contains(&partial["items"].as_array().unwrap().len()));
    assert_eq!(partial["whole_from"], from, "nothing is whole before the end");

    let done = later.json(&["index", "fill", "--yes"]);
    assert_eq!((&done["state"], &done["read"]), (&json!("whole"), &json!(450)), "{done}");
    assert_eq!(list(&later), whole, "as if the index had been there from the start");
    let again = later.json(&["index", "fill"]);
    assert_eq!(again, json!({ "state": "whole", "read": 0, "filled": 0 }), "nobody is asked");
    let audit = later.json(&["audit"]);
    let whats: Vec<&Value> = audit["items"].as_array().unwrap().iter().map(|item| &item["what"]).collect();
    assert_eq!(whats, ["index.fill"; 3], "begun twice, done once: {audit}");
    assert!(!audit.to_string().contains('@'), "no address is noted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_is_not_there_or_was_switched_on_just_now_is_not_filled() {
    let operator = Operator::with_stack();
    assert_told(&operator.on_aws(&["index", "fill"], b""), "keeps no index by time", "ByTime=true");
    let operator = Operator::new();
    operator.json(&["tables", "create", "--by-time"]);
    assert_eq!(operator.json(&["index", "note"])["state"], "partial");
    let refused = operator.on_aws(&["index", "fill", "--yes"], b"");
    assert_eq!(refused.status.code(), Some(1));
    let told = text(&refused.stderr);
    assert!(told.contains("switched on minutes ago") && told.contains("after that time"), "{told}");
    assert_eq!(operator.json(&["index", "note", "--off"]).get("whole_from"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_go_back_to_their_queue() {
    let operator = Operator::with_stack();
    let queue = operator.queue().await;
    for n in 0..13 {
        queue.send(QueueName::BulkDead, &format!("letter {n}")).await.unwrap();
    }
    let redrive = ["queues", "redrive", "--queue", "bulk"];
    let told = operator.json(&[&redrive[..], &["--dry-run"]].concat());
    assert_eq!(told, json!({ "queue": "bulk", "found": 13, "moved": 0, "left": 0 }));
    assert_eq!(queue.depth(QueueName::BulkDead).await.unwrap().visible, 13, "nothing was touched");
    let shown = operator.on_aws(&redrive, b"");
    let expected = "moved 13 of about 13 dead letters back to the bulk queue";
    assert!(text(&shown.stdout).contains(expected), "{}{}", text(&shown.stdout), text(&shown.stderr));
    assert_eq!(queue.depth(QueueName::BulkDead).await.unwrap(), queue::Depth::default());
    assert_eq!(queue.depth(QueueName::Bulk).await.unwrap().visible, 13);
    assert_eq!(operator.json(&redrive)["moved"], 0);
}

/// A failure is one sentence, with the next step beneath it.
#[track_caller]
fn assert_told(output: &Output, what: &str, next: &str) {
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    let lines: Vec<&str> = error.lines().collect();
    assert!(lines.len() == 2 && lines[0].contains(what) && lines[1].contains(next), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_is_said_in_one_sentence_with_the_next_step() {
    let recipient = ["recipient", "--server", "8123456", "ida.moreau@customer.example"];
    let operator = Operator::new();
    assert_told(&operator.on_aws(&recipient, b""), "has no critical queue", "tables create");
    let link = Emulator::shared().link(Limits::COMMAND);
    Sqs::create(&link, &operator.stack, Duration::from_secs(60), 3).await.unwrap();
    assert_told(&operator.on_aws(&recipient, b""), "has no ledger key", "tables create");
    let parameter = ledger_key_parameter(&operator.stack);
    assert!(link.put_parameter(&parameter, "short").await.unwrap());
    assert_told(&operator.on_aws(&recipient, b""), "not a ledger key", "put back the key");

    let operator = Operator::new();
    let key = "A".repeat(43);
    Sqs::create(&link, &operator.stack, Duration::from_secs(60), 3).await.unwrap();
    assert!(link.put_parameter(&ledger_key_parameter(&operator.stack), &key).await.unwrap());
    let told = operator.on_aws(&recipient, b"");
    assert_told(&told, "has no tables", "tables create");
    assert!(!text(&told.stderr).contains("ida.moreau"), "no address is printed");
    assert_told(&operator.on_aws(&["post", "--server", "8123456"], b"{}"), "no key", "postledger keys new");
}

#[test]
fn who_does_not_answer_as_aws_does_is_named_with_the_next_step() {
    let operator = Operator::new();
    let recipient = ["recipient", "--server", "8123456", "ida.moreau@customer.example"];
    let nobody = operator.ask(&recipient, b"", &["--endpoint", "http://127.0.0.1:1"]);
    assert_told(&nobody, "nothing at http://127.0.0.1:1 answers", "--endpoint");
    let other = World::default();
    let somebody_else = operator.ask(&recipient, b"", &["--endpoint", other.base()]);
    assert_told(&somebody_else, "answers as AWS's", "--endpoint");
    let no_address = operator.ask(&["tables", "create"], b"", &["--endpoint", "emulator"]);
    assert_told(&no_address, "nothing at emulator answers", "--endpoint");
}

#[test]
fn an_operator_without_access_is_told_what_to_do() {
    let ask = |args: &[&str]| {
        let mut command = command();
        let files = ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"];
        command.args(["stats", "--server", "1"]).args(args).envs(files.map(|name| (name, "/dev/null")));
        run(command.env("AWS_EC2_METADATA_DISABLED", "true"), b"")
    };
    assert_told(&ask(&["--region", "eu-west-1"]), "no AWS credentials", "--profile");
    assert_told(&ask(&["--profile", "none"]), "no AWS region", "--region");
}

#[test]
fn doctor_says_what_a_stack_lacks_and_looks_at_what_does_not_hang_on_it() {
    let doctor = |operator: &Operator| {
        let output = operator.on_aws(&["doctor", "--json"], b"");
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let links = told["links"].as_array().unwrap().iter();
        let by_name = links.map(|link| (link["link"].as_str().unwrap().to_owned(), link.clone()));
        by_name.collect::<std::collections::BTreeMap<String, Value>>()
    };
    let none = doctor(&Operator::new());
    assert_eq!(none["keys"]["findings"][0]["code"], "no_keys");
    let lacks = &none["tables"]["findings"][0];
    assert!(
        lacks["words"].as_str().unwrap().contains("has no")
            && lacks["next"].as_str().unwrap().contains("tables create")
    );
    assert_eq!(none["queues"]["state"], "not_looked_at");

    let made = doctor(&Operator::with_stack());
    for (link, state) in [("keys", "ok"), ("tables", "ok"), ("queues", "ok"), ("quarantine", "ok")] {
        assert_eq!(made[link]["state"], state, "{link}: {}", made[link]);
    }
    assert_eq!(made["registry"]["findings"][0]["code"], "no_servers");
    assert_eq!(made["doors"]["findings"][0]["code"], "doors_untold", "it was made without the template");
    assert_eq!(
        (&made["schedules"]["state"], &made["webhooks"]["state"]),
        (&json!("not_there"), &json!("not_looked_at"))
    );
}

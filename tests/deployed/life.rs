//! What a stack lives through: rotated keys, deletion, and a new stack over what it left.

use postledger_tests::SERVER;
use postledger_tests::bodies::{bounce, delivery};
use postledger_tests::command::{Folder, text};
use postledger_tests::deployed::{self, Deployed, Shared, state_of};
use queue::{Queue as _, QueueName, Sender as _};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use store::tables::Table;

/// Some days ago: what is too old is set aside.
fn at() -> String {
    platform::now().plus_days(-3).to_string()
}

/// The stack whose keys are looked at, one test at a time.
static STACK: Shared = Shared::new("keys");

#[test]
fn keys_are_rotated_under_load_and_not_one_event_is_refused_for_good() {
    let stack = STACK.lock();
    let old = stack.authorization(SERVER);
    let old_key = stack.told(&["keys", "list"])[0]["key_id"].as_str().unwrap().to_owned();
    assert!(stack.ask(&["keys", "new"]).status.success());
    // Signed by the new key from here on; the doors learn of it while events come in under both.
    let new = stack.authorization(SERVER);
    assert_ne!(old, new);
    let told = under_load(&stack, &[&old, &new], |stack| stack.redeploy(&[]));
    // Now the webhooks are moved over, and the old key goes.
    assert!(stack.ask(&["keys", "retire", &old_key]).status.success());
    let told = told + under_load(&stack, &[&new], |stack| stack.redeploy(&[]));
    let path = format!("/v1/{SERVER}/bounce");
    assert_eq!(
        stack.send("POST", &path, Some(&old), bounce(1, 1, &at(), true).to_string().as_bytes()).status(),
        503
    );
    stack.settled();
    let stats = stack.told(&["stats", "--server", &SERVER.to_string(), "--from", "2026-09-01"]);
    assert_eq!(stats["streams"]["outbound"]["total"]["counts"]["delivered"], told);
}

#[test]
fn keys_that_would_lock_out_every_webhook_are_not_deployed() {
    let stack = STACK.lock();
    let other = Folder::new("other-keys");
    let prepared = || {
        let home = other.path().to_str().unwrap();
        stack.ask(&["keys", "prepare", "--home", home, "--region", "eu-west-1"])
    };
    let is_empty = || std::fs::read_dir(other.path()).unwrap().next().is_none();
    for refused in [deployed::deploy(stack.name, &other, &[]), prepared()] {
        let told = text(&refused.stderr);
        assert!(!refused.status.success() && told.contains("every webhook would be put off"), "{told}");
        assert!(is_empty(), "no key was made that the doors do not know");
    }
    // With the key brought there it goes on as here.
    let file = format!("{}.keys.json", stack.name);
    std::fs::copy(stack.home.path().join(&file), other.path().join(&file)).unwrap();
    assert!(prepared().status.success());
    let right = stack.authorization(SERVER);
    assert_eq!(stack.tell(SERVER, "bounce", &right, bounce(1, 1, &at(), true).to_string().as_bytes()), 1);
}

/// Tells deliveries under each of some credentials in turn while something is done; how many.
fn under_load<T>(stack: &Deployed, authorizations: &[&str], deed: impl FnOnce(&Deployed) -> T) -> usize {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let done = AtomicBool::new(false);
    let before = NUMBER.load(Ordering::Relaxed);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                    let right = authorizations[number % authorizations.len()];
                    stack.tell(SERVER, "delivery", right, delivery(number, &at()).to_string().as_bytes());
                }
            });
        }
        deed(stack);
        done.store(true, Ordering::Relaxed);
    });
    NUMBER.load(Ordering::Relaxed) - before
}

#[test]
fn a_stack_that_was_deleted_is_deployed_again_over_its_tables_and_queues_and_forgets_nothing() {
    let stack = Deployed::new("reborn");
    let right = stack.authorization(SERVER);
    let tell = |segment: &str, body: &Value| stack.tell(SERVER, segment, &right, body.to_string().as_bytes());
    tell("bounce", &bounce(1, 1, &at(), true));
    tell("events", &json!({ "RecordType": "Nothing" }));
    stack.settled();
    let ask = ["recipient", "--server", "8123456", "r1@customer.example", "--stream", "outbound"];
    let timeline =
        || stack.told(&["timeline", "--server", "8123456", "r1@customer.example"])["items"].clone();
    let (before, happened) = (stack.told(&ask), timeline());
    assert_eq!(before["streams"]["outbound"]["verdict"], "do_not_send");
    let items: Vec<(&str, Vec<Value>)> =
        Table::ALL.map(|table| (table.name(), stack.items(table.name()))).into();
    assert!(items.iter().all(|(_, items)| !items.is_empty()), "something is in every table");

    // On each queue something is left when the stack goes.
    stack.stop_consumers();
    tell("bounce", &bounce(2, 2, &at(), true));
    tell("delivery", &delivery(3, &at()));
    tell("events", &json!({ "RecordType": "Nobody" }));
    let dead = QueueName::LIVE.map(|name| name.dead().unwrap());
    for name in dead {
        stack.block(stack.queue.send(name, &format!("a letter on {}", name.name()))).unwrap();
    }
    for name in QueueName::ALL {
        assert_eq!(stack.depth(name).visible, 1, "{}", name.name());
    }
    stack.delete();
    let refused = deployed::deploy(stack.name, &stack.home, &[]);
    let told = text(&refused.stderr);
    assert!(!refused.status.success() && told.contains("make adopt"), "{told}");
    for what in ["table reborn-events", "queue reborn-bulk-dlq"] {
        assert!(told.contains(what), "{told}");
    }
    assert_eq!(state_of(stack.name), None, "nothing was tried");

    let adopted = stack.redeploy(&["--adopt"]);
    assert!(adopted.contains("taking over 11 tables and queues"), "{adopted}");
    let doors = stack.output("ApiUrl");
    let next = format!("connect --server SERVER_ID --doors {doors}");
    assert!(adopted.contains(&next), "webhooks lead to the old address: {adopted}");
    stack.settled();
    for name in dead {
        let letters = stack.block(stack.queue.receive(name, 10)).unwrap();
        let bodies: Vec<&str> = letters.iter().map(|letter| letter.body.as_str()).collect();
        assert_eq!(bodies, [format!("a letter on {}", name.name())]);
    }
    let keys = |items: &[Value]| -> BTreeSet<String> {
        items.iter().map(|item| format!("{} {}", item["pk"], item["sk"])).collect()
    };
    for (table, items) in &items {
        assert!(keys(&stack.items(table)).is_superset(&keys(items)), "{table}");
    }
    let after = stack.told(&ask);
    assert_eq!(after["streams"], before["streams"]);
    assert_eq!(timeline(), happened);
    // Told again it is known, and so is what was on the queues.
    tell("bounce", &bounce(1, 1, &at(), true));
    tell("bounce", &bounce(2, 2, &at(), true));
    stack.settled();
    assert_eq!(timeline(), happened);
    let stats = stack.told(&["stats", "--server", "8123456", "--from", "2026-09-01"]);
    let counts = &stats["streams"]["outbound"]["total"]["counts"];
    assert_eq!(*counts, json!({ "bounce_hard": 2, "delivered": 1 }));
    let aside = stack.told(&["quarantine", "list", "--days", "2"]);
    assert_eq!(aside.as_array().unwrap().len(), 2, "{aside}");
    // It is there now: there is nothing to take over, and it is deployed as any other.
    let refused = deployed::deploy(stack.name, &stack.home, &["--adopt"]);
    let told = text(&refused.stderr);
    assert!(!refused.status.success() && told.contains("next: `make deploy`"), "{told}");
    stack.redeploy(&[]);
}

//! What a stack lives through: rotated keys, deletion, and a new stack over what it left.

use postledger_tests::SERVER;
use postledger_tests::bodies::{bounce, delivery};
use postledger_tests::command::Folder;
use postledger_tests::deployed::{self, Deployed, Shared, aws_query};
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

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
    let refused = deployed::deploy(stack.name, &other, &[]);
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && told.contains("every webhook would be put off"), "{told}");
    let right = stack.authorization(SERVER);
    assert_eq!(stack.tell(SERVER, "bounce", &right, bounce(1, 1, &at(), true).to_string().as_bytes()), 1);
}

/// Tells deliveries under each of some credentials in turn while something is done; how many.
fn under_load(stack: &Deployed, authorizations: &[&str], deed: impl FnOnce(&Deployed)) -> usize {
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
fn a_stack_that_was_deleted_is_deployed_again_over_its_tables_and_forgets_nothing() {
    let stack = Deployed::new("reborn");
    let right = stack.authorization(SERVER);
    stack.tell(SERVER, "bounce", &right, bounce(1, 1, &at(), true).to_string().as_bytes());
    stack.settled();
    let ask = ["recipient", "--server", "8123456", "r1@customer.example", "--stream", "outbound"];
    let timeline =
        || stack.told(&["timeline", "--server", "8123456", "r1@customer.example"])["items"].clone();
    let (before, happened) = (stack.told(&ask), timeline());
    assert_eq!(before["streams"]["outbound"]["verdict"], "do_not_send");

    aws_query(
        "cloudformation",
        &[("Action", "DeleteStack"), ("Version", "2010-05-15"), ("StackName", stack.name)],
    );
    stack.wait_until("the stack is gone", || {
        let asked = stack.ask(&["url", "--server", "8123456"]);
        String::from_utf8_lossy(&asked.stderr).contains("there is no stack")
    });
    stack.redeploy(&["--adopt"]);
    let after = stack.told(&ask);
    assert_eq!(after["streams"], before["streams"]);
    assert_eq!(timeline(), happened);
    // Told again it is known, and what is new is recorded.
    stack.tell(SERVER, "bounce", &right, bounce(1, 1, &at(), true).to_string().as_bytes());
    stack.tell(SERVER, "bounce", &right, bounce(2, 2, &at(), true).to_string().as_bytes());
    stack.settled();
    assert_eq!(timeline(), happened);
    let stats = stack.told(&["stats", "--server", "8123456", "--from", "2026-09-01"]);
    assert_eq!(stats["streams"]["outbound"]["total"]["counts"], json!({ "bounce_hard": 2 }));
    // From here on it is deployed as any other.
    stack.redeploy(&[]);
}

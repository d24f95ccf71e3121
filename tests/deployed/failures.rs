//! What goes wrong in the deployed stack, and how it comes right again.

use ledger::LedgerKey;
use postledger_tests::bodies::{bounce, message};
use postledger_tests::deployed::{Deployed, Shared, aws_json, aws_query, status_in_clear};
use postledger_tests::{SERVER, server_id};
use queue::{Depth, QueueName, Sender as _};
use serde_json::json;

const AT: &str = "2026-09-21T10:00:00Z";
const DENIED: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"sqs:SendMessage","Resource":"*"}]}"#;

/// The stack in which things go wrong, one test at a time.
static STACK: Shared = Shared::new("failing");

/// Where the view of one of our recipients is.
fn view_key(recipient: usize) -> serde_json::Value {
    let server = server_id(SERVER);
    let key = ledger::recipient_key(&format!("r{recipient}@customer.example"));
    let id = LedgerKey::for_tests().recipient_id(server, &key);
    json!({ "pk": { "S": format!("{SERVER}#{id}") }, "sk": { "S": "*" } })
}

/// A recipient whose view is unreadable: whatever is about it cannot be consumed until this is dropped, which a test that
/// fails does, too, so that the next one finds a stack that works.
struct Damaged {
    table: String,
    key: serde_json::Value,
}

fn damage(stack: &Deployed, recipient: usize) -> Damaged {
    let damaged = Damaged { table: format!("{}-recipients", stack.name), key: view_key(recipient) };
    let mut item = damaged.key.clone();
    item["view"] = json!({ "S": "not a view" });
    aws_json("dynamodb", "DynamoDB_20120810.PutItem", &json!({ "TableName": damaged.table, "Item": item }));
    damaged
}

impl Drop for Damaged {
    fn drop(&mut self) {
        let input = json!({ "TableName": self.table, "Key": self.key });
        aws_json("dynamodb", "DynamoDB_20120810.DeleteItem", &input);
    }
}

fn is_recorded(stack: &Deployed, recipient: usize) -> bool {
    let address = format!("r{recipient}@customer.example");
    let told = stack.ask(&["recipient", "--server", &SERVER.to_string(), &address, "--json"]);
    // Before its first event nobody knows the server, which is an error.
    let answer: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap_or_default();
    told.status.success() && answer["known"] == true
}

#[test]
fn a_message_that_fails_for_a_while_comes_through_later_and_its_neighbours_are_not_repeated() {
    let stack = STACK.lock();
    stack.set_queue(QueueName::Critical, "VisibilityTimeout", "12");
    let damaged = damage(&stack, 100);
    let (before, copies) =
        (stack.counted("consumer", "EventsProcessed"), stack.counted("consumer", "EventsDuplicate"));
    for recipient in 100..110 {
        let body = message(ledger::Source::Webhook, &bounce(recipient, recipient, AT, true));
        stack.block(stack.queue.send(QueueName::Critical, &body)).unwrap();
    }
    stack.wait_until("the neighbours are recorded", || {
        (101..110).all(|recipient| is_recorded(&stack, recipient))
    });
    stack.wait_until("one waits for its next try", || {
        stack.depth(QueueName::Critical) == Depth { visible: 0, in_flight: 1 }
    });
    drop(damaged);
    stack.settled();
    assert!(is_recorded(&stack, 100));
    stack.wait_until("all are counted once", || stack.counted("consumer", "EventsProcessed") - before == 10);
    assert_eq!(stack.counted("consumer", "EventsDuplicate"), copies, "no neighbour came twice");
}

#[test]
fn what_fails_too_often_is_a_dead_letter_and_a_redrive_brings_it_into_the_ledger() {
    let stack = STACK.lock();
    let damaged = damage(&stack, 200);
    let dead = |stack: &Deployed| stack.depth(QueueName::CriticalDead).visible;
    let region = postledger_tests::emulator::REGION;
    let redrive = |receives: u32| {
        let arn = format!("arn:aws:sqs:{region}:000000000000:{}-critical-dlq", stack.name);
        json!({ "deadLetterTargetArn": arn, "maxReceiveCount": receives }).to_string()
    };
    stack.set_queue(QueueName::Critical, "VisibilityTimeout", "1");
    stack.set_queue(QueueName::Critical, "RedrivePolicy", &redrive(2));
    let body = message(ledger::Source::Webhook, &bounce(200, 200, AT, true));
    stack.block(stack.queue.send(QueueName::Critical, &body)).unwrap();
    stack.wait_until("it is a dead letter", || dead(&stack) == 1);
    stack.set_queue(QueueName::Critical, "RedrivePolicy", &redrive(queue::RECEIVES_MAX));
    assert_eq!(stack.told(&["queues"])[0]["dead"], 1);

    drop(damaged);
    let redriven = stack.told(&["queues", "redrive", "--queue", "critical"]);
    assert_eq!(redriven["moved"], 1);
    stack.settled();
    assert!(is_recorded(&stack, 200) && dead(&stack) == 0);
}

#[test]
fn while_sqs_refuses_events_are_put_off_and_the_retry_is_taken_in() {
    let stack = STACK.lock();
    let right = stack.authorization(SERVER);
    let (path, body) = (format!("/v1/{SERVER}/click"), bounce(300, 300, AT, true).to_string());
    let role = stack_role(&stack, "IngestClickRole");
    let policy = [("RoleName", &*role), ("PolicyName", "refuse"), ("Version", "2010-05-08")];
    aws_query("iam", &[&policy[..], &[("Action", "PutRolePolicy"), ("PolicyDocument", DENIED)]].concat());
    let refused = stack.send("POST", &path, Some(&right), body.as_bytes());
    assert_eq!(refused.status(), 503);
    assert!(!is_recorded(&stack, 300));

    aws_query("iam", &[&policy[..], &[("Action", "DeleteRolePolicy")]].concat());
    assert_eq!(stack.tell(SERVER, "click", &right, body.as_bytes()), 1);
    stack.settled();
    assert!(is_recorded(&stack, 300));
}

#[test]
fn a_queue_takes_nothing_that_did_not_come_over_tls() {
    let stack = STACK.lock();
    let url = stack.queue.url(QueueName::Bulk).unwrap();
    let input = json!({ "QueueUrl": url, "MessageBody": "{}" });
    assert_eq!(status_in_clear("sqs", "AmazonSQS.SendMessage", &input), 403);
}

/// The name of a role, which CloudFormation made up.
fn stack_role(stack: &Deployed, logical: &str) -> String {
    let pairs = [
        ("Action", "DescribeStackResource"),
        ("Version", "2010-05-15"),
        ("StackName", stack.name),
        ("LogicalResourceId", logical),
    ];
    let told = aws_query("cloudformation", &pairs);
    let (_, rest) = told.split_once("<PhysicalResourceId>").unwrap();
    rest.split_once('<').unwrap().0.to_owned()
}

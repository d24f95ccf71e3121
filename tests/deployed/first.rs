//! The first deployment of a stack, when it fails: what is left, and how it is repeated.

use postledger_tests::SERVER;
use postledger_tests::bodies::bounce;
use postledger_tests::command::{Folder, text};
use postledger_tests::deployed::{self, Deployed, aws_json, is_protected, state_of};
use serde_json::{Value, json};

/// Some days ago: what is too old is set aside.
fn at() -> String {
    platform::now().plus_days(-3).to_string()
}

/// The tables and queues whose names begin with a stack's.
fn left(stack: &str) -> Vec<String> {
    let of_stack = |told: &Value, list: &str| -> Vec<String> {
        let all = told[list].as_array().cloned().unwrap_or_default();
        let names = all.iter().filter_map(|one| Some(one.as_str()?.rsplit('/').next()?.to_owned()));
        names.filter(|name| name.starts_with(&format!("{stack}-"))).collect()
    };
    let tables = of_stack(&aws_json("dynamodb", "DynamoDB_20120810.ListTables", &json!({})), "TableNames");
    let queues = of_stack(&aws_json("sqs", "AmazonSQS.ListQueues", &json!({})), "QueueUrls");
    [tables, queues].concat()
}

/// A log group of a name that the stack needs, as somebody left it: the deployment fails half-way.
fn in_the_way(stack: &str, target: &str) {
    let input = json!({ "logGroupName": format!("/aws/apigateway/{stack}") });
    aws_json("logs", &format!("Logs_20140328.{target}"), &input);
}

/// Deploys, which must be refused; what was said.
fn refused(stack: &str, parameters: &[&str]) -> String {
    let home = Folder::new(&format!("refused-{stack}"));
    let output = deployed::deploy(stack, &home, parameters);
    assert!(!output.status.success(), "{}", text(&output.stdout));
    text(&output.stdout) + &text(&output.stderr)
}

#[test]
fn a_first_deployment_that_failed_leaves_nothing_and_is_repeated_by_the_same_command() {
    in_the_way("first", "CreateLogGroup");
    let told = refused("first", &[]);
    assert!(told.contains("/aws/apigateway/first already exists"), "the cause is told: {told}");
    assert!(told.contains("nothing is left of it"), "{told}");
    assert_eq!(state_of("first").as_deref(), Some("ROLLBACK_COMPLETE"));
    assert_eq!(left("first"), Vec::<String>::new());

    in_the_way("first", "DeleteLogGroup");
    let stack = Deployed::new("first");
    assert!(stack.said.contains("ROLLBACK_COMPLETE"), "it is said before it is deleted: {}", stack.said);
    assert_eq!(left("first").len(), 11);
    let right = stack.authorization(SERVER);
    stack.tell(SERVER, "bounce", &right, bounce(1, 1, &at(), true).to_string().as_bytes());
}

#[test]
fn a_production_stack_whose_first_deployment_failed_is_put_over_the_tables_that_it_left_and_is_protected() {
    in_the_way("firstprod", "CreateLogGroup");
    let told = refused("firstprod", &["Stage=prod"]);
    assert!(told.contains("ROLLBACK_FAILED") && told.contains("protected from deletion"), "{told}");
    let protected = left("firstprod");
    assert!(!protected.is_empty() && protected.len() < 11, "protected tables stay: {protected:?}");

    in_the_way("firstprod", "DeleteLogGroup");
    let told = refused("firstprod", &["Stage=prod"]);
    assert!(told.contains("what is left of it is deleted; its tables and queues stay"), "{told}");
    assert!(told.contains("make adopt") && told.contains(&protected[0]), "{told}");
    assert_eq!(state_of("firstprod"), None);
    assert_eq!(left("firstprod"), protected, "what is to be taken over is all there");

    let stack = Deployed::with("firstprod", &["Stage=prod", "--adopt"]);
    let missing = stack.said.lines().find(|line| line.contains("makes them anew")).unwrap_or_default();
    assert!(missing.contains("queue firstprod-critical,"), "what is not there is named: {}", stack.said);
    assert!(protected.iter().all(|name| !missing.contains(name)), "{missing}");
    assert_eq!(left("firstprod").len(), 11);
    let right = stack.authorization(SERVER);
    stack.tell(SERVER, "bounce", &right, bounce(1, 1, &at(), true).to_string().as_bytes());
    assert!(is_protected("firstprod"), "nobody deletes a production stack by a slip");
}

//! Releases: what was deployed is kept, and the one before is deployed again without a build.

use postledger_tests::SERVER;
use postledger_tests::bodies::bounce;
use postledger_tests::command::text;
use postledger_tests::deployed::{self, Deployed};
use serde_json::Value;

fn at() -> String {
    platform::now().plus_days(-3).to_string()
}

/// The names of the releases that are kept, the oldest first, and which is live.
fn releases(stack: &Deployed) -> (Vec<String>, Option<usize>) {
    let listed = deployed::deploy(stack.name, &stack.home, &["--list"]);
    assert!(listed.status.success(), "{}", text(&listed.stderr));
    let lines: Vec<String> = text(&listed.stdout).lines().map(str::to_owned).collect();
    let live = lines.iter().position(|line| line.contains("(live"));
    let named = lines.iter().filter(|line| line.contains("  source "));
    (named.map(|line| line.split(' ').next().unwrap().to_owned()).collect(), live)
}

/// How many consumers the bulk queue may have at once.
fn bulk_consumers(stack: &Deployed) -> Value {
    let of_bulk = |one: &&Value| one["EventSourceArn"].as_str().is_some_and(|arn| arn.ends_with("-bulk"));
    let mappings = stack.mappings();
    mappings.iter().find(of_bulk).unwrap()["ScalingConfig"]["MaximumConcurrency"].clone()
}

#[test]
fn a_deployment_that_does_not_work_is_told_and_the_release_before_comes_back_with_todays_keys() {
    const OTHER: &str = "count=9,messages=3,span=7,window=30,pause=14";
    let stack = Deployed::new("releases");
    let usual = stack.output("SoftBouncePolicy");
    assert_ne!(usual, OTHER);
    assert_eq!(bulk_consumers(&stack), 10, "as many as the template says, where the quota has room");
    let (first, live) = releases(&stack);
    assert_eq!((first.len(), live), (1, Some(0)));
    let none = deployed::deploy(stack.name, &stack.home, &["--rollback"]);
    assert!(!none.status.success() && text(&none.stderr).contains("make releases"), "{}", text(&none.stderr));

    // Another release, by which the doors learn of a second key.
    assert!(stack.ask(&["keys", "new"]).status.success());
    let right = stack.authorization(SERVER);
    stack.redeploy(&[&format!("SoftBouncePolicy={OTHER}"), "BulkConcurrency=3"]);
    assert_eq!((stack.output("SoftBouncePolicy").as_str(), bulk_consumers(&stack)), (OTHER, 3.into()));
    let (both, live) = releases(&stack);
    assert_eq!((both.len(), live, &both[0]), (2, Some(1), &first[0]));

    // Back: its parameters come back, the keys stay as they are.
    let said = stack.redeploy(&["--rollback"]);
    assert!(said.contains(&format!("runs release {} again", first[0])), "{said}");
    assert_eq!(stack.output("SoftBouncePolicy"), usual);
    let body = bounce(1, 1, &at(), true).to_string();
    let status = stack.send("POST", &format!("/v1/{SERVER}/bounce"), Some(&right), body.as_bytes()).status();
    assert_eq!(status, 200, "a webhook that was signed by the second key is let in");
    assert_eq!(releases(&stack), (both.clone(), Some(0)));

    // One that does not start is told by name and cause, is no release, and is left the same way.
    let broken = deployed::deploy(stack.name, &stack.home, &["LedgerKeyParameter=/postledger/nowhere"]);
    let told = text(&broken.stderr);
    assert!(!broken.status.success() && told.contains("does not work"), "{told}");
    for function in ["releases-consumer:", "releases-api:", "releases-reconcile:", "releases-erase:"] {
        assert!(told.contains(function), "{function} {told}");
    }
    assert!(!told.contains("releases-ingest-bounce:") && told.contains("make rollback"), "{told}");
    assert!(told.contains("/postledger/nowhere"), "its log says why: {told}");
    assert_eq!(releases(&stack), (both.clone(), None));
    let said = stack.redeploy(&["--rollback", &format!("--to={}", first[0])]);
    assert!(said.contains(&first[0]), "{said}");
    assert_eq!(releases(&stack), (both, Some(0)));
    stack.settled();
    let ask = ["recipient", "--server", "8123456", "r1@customer.example", "--stream", "outbound"];
    assert_eq!(stack.told(&ask)["streams"]["outbound"]["verdict"], "do_not_send");
}

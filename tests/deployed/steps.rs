//! What a deployment decides without asking AWS, case by case: the functions of infra/deployment, called in Python.

use postledger_tests::command::{Folder, run, text};
use postledger_tests::emulator::root;
use postledger_tests::template::template;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// What an expression over the files of infra/deployment comes to, where `given` is a value.
fn python(expression: &str, given: &Value) -> Value {
    let program = format!(
        "import json, pathlib, sys\n\
         from deployment import adoption, alarms, binaries, concurrency, index, parameters, portal, releases, stacks, template\n\
         given = json.load(sys.stdin)\n\
         print(json.dumps({expression}))"
    );
    let python = root().join(".tools/sam/bin/python");
    let mut command = Command::new(python);
    command.args(["-c", &program]).env("PYTHONPATH", root().join("infra"));
    let output = run(&mut command, given.to_string().as_bytes());
    assert!(output.status.success(), "{expression}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_stack_of_alarms_is_told_what_it_asks_for_and_nothing_that_it_does_not_know() {
    let ask = |given: Value| {
        let outputs = "{'Stage': 'prod', 'ApiId': 'a1b2c3'}";
        python(&format!("alarms.parameters('us-prod', {outputs}, *given)"), &given)
    };
    let asked = &template("ops.yaml")["Parameters"];
    let all = ask(json!(["arn:page", "arn:ticket", 50]));
    assert_eq!(all["ConcurrencyMax"], "40", "80 % of the account's quota");
    for name in all.as_object().unwrap().keys() {
        assert!(asked[name].is_object(), "ops.yaml has no parameter {name}");
    }
    for (name, parameter) in asked.as_object().unwrap() {
        assert!(all[name].is_string() || !parameter["Default"].is_null(), "nobody tells {name}");
    }
    let least = ask(json!(["", "", null]));
    assert_eq!(least, json!({ "Stack": "us-prod", "Stage": "prod", "ApiId": "a1b2c3" }));
}

#[test]
fn consumers_get_a_third_of_what_the_account_has_and_never_fewer_than_lambda_takes() {
    // What is not reserved, the consumers of each queue, and whether the operator is to ask for more.
    let table = [
        (1_000, [10, 10, 2], false),
        (66, [10, 10, 2], false),
        (65, [10, 9, 2], false),
        (50, [7, 7, 2], false),
        (30, [4, 4, 2], false),
        (18, [2, 2, 2], false),
        (17, [2, 2, 2], true),
        (10, [2, 2, 2], true),
        (5, [2, 2, 2], true),
        (0, [2, 2, 2], true),
    ];
    let given = json!(table.map(|(unreserved, ..)| unreserved));
    let told = python(
        "[[concurrency.fitted(one), concurrency.advice(one, concurrency.fitted(one))] for one in given]",
        &given,
    );
    for ((unreserved, [critical, bulk, quarantine], asks), told) in table.iter().zip(told.as_array().unwrap())
    {
        let fitted = json!({ "CriticalConcurrency": critical, "BulkConcurrency": bulk,
            "QuarantineConcurrency": quarantine });
        assert_eq!((&told[0], told[1].is_string()), (&fitted, *asks), "{unreserved}");
        assert!(!asks || told[1].as_str().unwrap().contains("Service Quotas"), "{unreserved}");
    }
    let given =
        json!([50, { "CriticalConcurrency": "10", "BulkConcurrency": "10", "QuarantineConcurrency": "2" }]);
    let told = python("concurrency.advice(*given)", &given);
    let told = told.as_str().expect("an operator who wants more than a third is told");
    assert!(told.contains("28 are left for doors"), "{told}");
    let app = template("app.yaml");
    for (name, wanted) in python("concurrency.WANTED", &Value::Null).as_object().unwrap() {
        assert_eq!(app["Parameters"][name]["Default"], *wanted, "{name}");
    }
}

#[test]
fn the_portal_gets_a_tenth_of_what_the_account_has_reserved_where_lambda_allows_it() {
    // What is not reserved, what is reserved for the portal already, what it gets at once and a second, and whether the operator
    // is to ask for more.
    let table = [
        (1_000, 0, [20, 50], false),
        (980, 20, [20, 50], false),
        (200, 0, [20, 50], false),
        (112, 0, [11, 50], false),
        (101, 11, [11, 50], false),
        (110, 0, [0, 11], false),
        (50, 0, [0, 5], false),
        (30, 0, [0, 3], false),
        (20, 0, [0, 3], true),
        (10, 0, [0, 3], true),
        (0, 0, [0, 3], true),
    ];
    let given = json!(table.map(|(unreserved, reserved, ..)| [unreserved, reserved]));
    let told = python(
        "[[concurrency.of_portal(*one), concurrency.advice(one[0], {**concurrency.fitted(one[0]), **concurrency.of_portal(*one)})] \
         for one in given]",
        &given,
    );
    for ((unreserved, _, [reserved, requests], asks), told) in table.iter().zip(told.as_array().unwrap()) {
        let expected = json!({ "PortalConcurrency": reserved, "PortalRequests": requests });
        assert_eq!((&told[0], told[1].is_string()), (&expected, *asks), "{unreserved}: {told}");
    }
    let app = template("app.yaml");
    assert_eq!(
        app["Parameters"]["PortalRequests"]["Default"],
        python("concurrency.PORTAL_REQUESTS", &Value::Null)
    );
    assert_eq!(
        app["Resources"]["MailMapping"]["Properties"]["ScalingConfig"]["MaximumConcurrency"],
        python("concurrency.MAIL", &Value::Null)
    );
    for name in ["PortalConcurrency", "PortalRequests"] {
        let by_quota = python("list(releases.BY_QUOTA)", &Value::Null);
        assert!(by_quota.as_array().unwrap().contains(&json!(name)), "{name} is as today's quota allows");
    }
}

#[test]
fn what_the_portals_index_costs_is_said_before_it_is_switched_on_and_only_then() {
    let said = |parameters: Value, before: Value, region: &str| {
        python("portal.announcement(*given)", &json!([parameters, before, region]))
    };
    let (on, off) = (json!({ "Portal": "true" }), json!({ "Portal": "false" }));
    let first = said(on.clone(), json!({}), "us-east-1");
    let first = first.as_str().unwrap();
    assert!(
        first.contains("0.625 USD for a million events in us-east-1") && !first.contains("whole from"),
        "{first}"
    );
    let later = said(on.clone(), off.clone(), "eu-west-1");
    let later = later.as_str().unwrap();
    assert!(later.contains("0.705 USD") && later.contains("whole from this deployment on"), "{later}");
    assert!(later.contains("postledger index fill"), "{later}");
    let prices: BTreeMap<&str, f64> = postledger::index::UNIT_PRICES.into();
    assert_eq!(python("portal.UNIT_PRICES", &Value::Null), json!(prices), "both tell the same");
    let by_time = json!({ "ByTime": "true" });
    for (parameters, before) in [(off.clone(), off.clone()), (on.clone(), on.clone()), (on.clone(), by_time)]
    {
        assert_eq!(said(parameters, before, "us-east-1"), Value::Null);
    }
}

#[test]
fn nothing_of_the_index_counts_as_whole_while_a_deployment_switches_it_on_or_off() {
    let switched = |before: Value, parameters: Value| {
        python("index.is_switched(*given)", &json!([before, parameters])) == true
    };
    let (on, off) = (json!({ "ByTime": "true" }), json!({ "ByTime": "false" }));
    for (before, parameters, expected) in [
        (json!({}), on.clone(), false),
        (json!({}), off.clone(), false),
        (on.clone(), on.clone(), false),
        (on.clone(), json!({ "Portal": "true", "ByTime": "false" }), false),
        (off.clone(), off.clone(), false),
        (off.clone(), on.clone(), true),
        (off.clone(), json!({ "Portal": "true" }), true),
        (json!({ "ApiUrl": "of a release that told nothing of it" }), on.clone(), true),
        (on.clone(), off.clone(), true),
        (on.clone(), json!({}), true),
    ] {
        assert_eq!(switched(before.clone(), parameters.clone()), expected, "{before} {parameters}");
    }
}

#[test]
fn every_state_of_a_stack_has_its_course_and_one_that_nobody_knows_is_left_to_a_person() {
    // As CloudFormation's reference lists them.
    let states = [
        ("CREATE_COMPLETE", "ready"),
        ("CREATE_FAILED", "refuse"),
        ("CREATE_IN_PROGRESS", "wait"),
        ("DELETE_COMPLETE", "absent"),
        ("DELETE_FAILED", "discard"),
        ("DELETE_IN_PROGRESS", "wait"),
        ("IMPORT_COMPLETE", "ready"),
        ("IMPORT_IN_PROGRESS", "wait"),
        ("IMPORT_ROLLBACK_COMPLETE", "ready"),
        ("IMPORT_ROLLBACK_FAILED", "refuse"),
        ("IMPORT_ROLLBACK_IN_PROGRESS", "wait"),
        ("REVIEW_IN_PROGRESS", "review"),
        ("ROLLBACK_COMPLETE", "discard"),
        ("ROLLBACK_FAILED", "discard"),
        ("ROLLBACK_IN_PROGRESS", "wait"),
        ("UPDATE_COMPLETE", "ready"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "wait"),
        ("UPDATE_FAILED", "ready"),
        ("UPDATE_IN_PROGRESS", "wait"),
        ("UPDATE_ROLLBACK_COMPLETE", "ready"),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "wait"),
        ("UPDATE_ROLLBACK_FAILED", "continue"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "wait"),
        ("SOMETHING_NEW", "refuse"),
    ];
    let given = json!(states.map(|(state, _)| state));
    let told = python("[stacks.course_of(state) for state in given]", &given);
    for ((state, course), told) in states.iter().zip(told.as_array().unwrap()) {
        assert_eq!(told, course, "{state}");
    }
    assert_eq!(python("stacks.course_of(given)", &Value::Null), "absent");
}

#[test]
fn an_import_tells_every_table_and_queue_by_what_aws_tells_it_by_and_nothing_else() {
    let told = python(
        "[[one.logical_id, one.kind, one.name, sorted(one.properties)] for one in \
         template.retained(template.parse(pathlib.Path(given).read_text()), 'us-prod')]",
        &json!(root().join("infra/app.yaml")),
    );
    let retained = told.as_array().unwrap();
    assert_eq!(retained.len(), 11);
    for one in retained {
        let name = one[2].as_str().unwrap();
        assert!(name.starts_with("us-prod-") && !name.contains('$'), "written out: {name}");
        // What the import says of it as it is; anything else would be left to the deployment unseen.
        let known = match one[1].as_str().unwrap() {
            "AWS::DynamoDB::Table" => json!([
                "TableName",
                "KeySchema",
                "AttributeDefinitions",
                "BillingMode",
                "DeletionProtectionEnabled",
                "GlobalSecondaryIndexes",
                "TimeToLiveSpecification",
                "PointInTimeRecoverySpecification"
            ]),
            "AWS::SQS::Queue" => json!([
                "QueueName",
                "VisibilityTimeout",
                "MessageRetentionPeriod",
                "MaximumMessageSize",
                "SqsManagedSseEnabled",
                "RedrivePolicy",
                "RedriveAllowPolicy"
            ]),
            kind => panic!("{kind} cannot be taken over"),
        };
        for property in one[3].as_array().unwrap() {
            assert!(known.as_array().unwrap().contains(property), "{name}: {property}");
        }
    }
}

/// A binary that runs here.
fn bootstrap() -> std::path::PathBuf {
    postledger_tests::lambda::packages().join("consumer/bootstrap")
}

/// What is wrong with a binary for an architecture and a C library.
fn problem(path: &Path, architecture: &str, glibc: &Value) -> Value {
    python(
        "binaries.problem_of(given[0], given[1], given[2] and tuple(given[2]))",
        &json!([path, architecture, glibc]),
    )
}

#[test]
fn a_binary_of_another_architecture_or_a_newer_c_library_is_refused_before_anything_is_deployed() {
    let (here, other) = if cfg!(target_arch = "x86_64") { ("x86_64", "arm64") } else { ("arm64", "x86_64") };
    let (bare, folder) = (bootstrap(), Folder::new("binaries"));
    assert_eq!(problem(&bare, here, &Value::Null), Value::Null, "it runs here, whatever the C library");
    let told = problem(&bare, other, &json!([2, 34]));
    assert_eq!(told, format!("was built for {here}, not {other}"));
    // The same binary, with one version that it asks for made another.
    let mut bytes = std::fs::read(&bare).unwrap();
    let place = bytes.windows(11).position(|at| at == b"GLIBC_2.34\0").expect("it asks for 2.34");
    assert_eq!(problem(&bare, here, &json!([2, 33])), "needs glibc 2.34, and there is 2.33");
    bytes[place..place + 10].copy_from_slice(b"GLIBC_2.99");
    let newer = folder.path().join("newer");
    std::fs::write(&newer, bytes).unwrap();
    assert_eq!(problem(&newer, here, &json!([2, 34])), "needs glibc 2.99, and there is 2.34");
    assert_eq!(
        problem(&newer, here, &Value::Null),
        Value::Null,
        "for an emulator only the architecture matters"
    );
    let script = folder.path().join("script");
    std::fs::write(&script, "#!/bin/sh\n").unwrap();
    assert_eq!(problem(&script, here, &json!([2, 34])), "is not a Linux binary");
    assert_eq!(python("list(binaries.GLIBC)", &Value::Null), json!([2, 34]), "Amazon Linux 2023's");
}

#[test]
fn what_is_deployed_for_another_architecture_than_it_was_built_for_names_the_functions_and_the_command() {
    let other = if cfg!(target_arch = "x86_64") { "arm64" } else { "x86_64" };
    let mut deploy = Command::new(root().join(".tools/sam/bin/python"));
    deploy.arg(root().join("infra/deploy.py")).args(["us-prod", "--set", &format!("Architecture={other}")]);
    deploy.arg("--functions").arg(postledger_tests::lambda::packages());
    // No access to AWS, and none is needed.
    let output = run(deploy.env_remove("AWS_PROFILE").env("AWS_EC2_METADATA_DISABLED", "true"), b"");
    let told = text(&output.stderr);
    assert!(!output.status.success() && told.contains("ingest-bounce was built for"), "{told}");
    assert!(told.contains("next: `make build`"), "{told}");
}

#[test]
fn the_release_to_go_back_to_is_the_one_that_the_live_one_took_the_place_of() {
    // One after another: the third took the place of the first, which had come back over a bad second.
    let before = "[releases.before(releases.Release(live) if live else None, [releases.Release(key) for key in given[1]], \
                  lambda release: {'before': given[2][release.name]}) for live in given[0]]";
    let told = python(
        before,
        &json!([["x/c.json", "x/b.json", "x/a.json", null], ["x/a.json", "x/b.json", "x/c.json"],
            { "a": null, "b": "a", "c": "a" }]),
    );
    assert_eq!(told, json!(["a", "a", null, "c"]), "where what is live is none, it is the latest");
    let marks = "[releases.mark_of('Resources: {}', parameters) for parameters in given]";
    let told = python(
        marks,
        &json!([
            { "Stage": "prod", "PublicKeys": "a" },
            { "Stage": "prod", "PublicKeys": "b", "BulkConcurrency": "3", "Denied": "7.1", "Operators": "X" },
            { "Stage": "staging", "PublicKeys": "a" },
        ]),
    );
    assert_eq!(told[0], told[1], "who may come in, and today's quota, make no other release");
    assert_ne!(told[0], told[2]);
    let again = "releases.parameters_again(given[0], given[1])";
    let release = json!({ "release": "r", "template": "Parameters: {PublicKeys: {}, Stage: {}, LogLevel: {}}",
        "parameters": { "PublicKeys": "old", "Stage": "prod", "LogLevel": "INFO", "BulkConcurrency": "9" } });
    let now = json!({ "PublicKeys": "new", "Stage": "prod", "LogLevel": "DEBUG", "Denied": "" });
    assert_eq!(
        python(again, &json!([release, now])),
        json!({ "PublicKeys": "new", "Stage": "prod", "LogLevel": "INFO" })
    );
}

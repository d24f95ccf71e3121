//! The template against the code: what is deployed is what the code has, reads, needs and may.

use crate::house::{read, root};
use embedded::pump::batch_max;
use embedded::server::API;
use ledger::ServerId;
use platform::logs::LEVEL;
use postledger::aws::{queue_output, table_output};
use postledger_tests::template::template;
use postmark::RecordType;
use queue::QueueName;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use store::tables::{EXPIRES_AT, Index, PK, Projection, SK, Table};
use store::{Collection, item};

/// `infra/app.yaml`, with its conditions decided.
struct App {
    template: Value,
}

impl App {
    fn new(conditions: &[(&str, bool)]) -> App {
        let conditions = conditions.iter().copied().collect();
        App { template: decided(template("app.yaml"), &conditions).unwrap_or_default() }
    }

    /// The resources of a type, by logical name: what stands beside the type.
    fn all(&self, kind: &str) -> BTreeMap<&str, &Value> {
        let resources = self.template["Resources"].as_object().unwrap().iter();
        resources
            .filter(|(_, resource)| resource["Type"] == kind)
            .map(|(name, it)| (name.as_str(), it))
            .collect()
    }

    fn properties(&self, logical: &str) -> &Value {
        let properties = &self.template["Resources"][logical]["Properties"];
        assert!(properties.is_object(), "there is no {logical}");
        properties
    }

    /// The default of a parameter.
    fn default(&self, parameter: &str) -> &Value {
        &self.template["Parameters"][parameter]["Default"]
    }
}

/// A value with its conditions decided; `None` where they leave none.
fn decided(value: Value, conditions: &BTreeMap<&str, bool>) -> Option<Value> {
    match value {
        Value::Object(mut map) => {
            if let Some(Value::Array(choice)) = map.get_mut("Fn::If") {
                let place = if conditions[choice[0].as_str()?] { 1 } else { 2 };
                return decided(choice[place].take(), conditions);
            }
            if map.get("Ref") == Some(&json!("AWS::NoValue")) {
                return None;
            }
            Some(
                map.into_iter().filter_map(|(key, value)| Some((key, decided(value, conditions)?))).collect(),
            )
        }
        Value::Array(all) => Some(all.into_iter().filter_map(|value| decided(value, conditions)).collect()),
        other => Some(other),
    }
}

fn plain() -> App {
    with(&[])
}

/// The template in production, but for the conditions that are named.
fn with(named: &[(&str, bool)]) -> App {
    let usual = [
        ("IsProd", true),
        ("HasByTime", false),
        ("HasDomain", false),
        ("IsDomainOnly", false),
        ("IsDebug", false),
        ("HasPortal", true),
        ("HasPortalDomain", false),
        ("HasPortalReserve", false),
        ("HasMail", true),
        ("HasConnect", true),
    ];
    App::new(&[usual.as_slice(), named].concat())
}

/// The levels that functions can be told.
pub(crate) const LEVELS: [&str; 4] = ["DEBUG", "INFO", "WARN", "ERROR"];
/// What runs by a schedule.
const SCHEDULED: [&str; 3] = ["reconcile", "watch", "erase"];
/// What of it asks Postmark.
const ASKING: [&str; 2] = ["reconcile", "watch"];

/// The template's name for a folder in `functions`: `IngestSpamComplaint`.
fn logical(folder: &str) -> String {
    if folder == "portal" {
        // Its own name is a parameter's.
        return "PortalFunction".to_owned();
    }
    let capitalised = |word: &str| word[..1].to_uppercase() + &word[1..];
    folder.split('-').map(capitalised).collect()
}

/// The folders in `functions`.
fn folders() -> BTreeSet<String> {
    let entries = std::fs::read_dir(root().join("functions")).unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.path().is_dir());
    folders.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// The live queues by their names in the template.
fn live() -> [(QueueName, &'static str); 3] {
    [(QueueName::Critical, "Critical"), (QueueName::Bulk, "Bulk"), (QueueName::Quarantine, "Quarantine")]
}

#[test]
fn every_folder_in_functions_is_one_function_with_its_own_role_and_its_own_log() {
    let app = plain();
    let functions = app.all("AWS::Lambda::Function");
    let expected: BTreeSet<String> = folders().iter().map(|folder| logical(folder)).collect();
    assert_eq!(functions.keys().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), expected);
    for folder in folders() {
        let name = logical(&folder);
        let function = app.properties(&name);
        assert_eq!(function["FunctionName"]["Fn::Sub"], format!("${{AWS::StackName}}-{folder}"));
        assert_eq!(function["Code"], format!("../target/lambda/{folder}/"));
        assert_eq!(function["Role"], json!({ "Fn::GetAtt": [format!("{name}Role"), "Arn"] }));
        let logging = &function["LoggingConfig"];
        assert_eq!(
            (&logging["LogFormat"], &logging["LogGroup"]["Ref"]),
            (&json!("JSON"), &json!(format!("{name}Logs")))
        );
        let log = format!("/aws/lambda/${{AWS::StackName}}-{folder}");
        assert_eq!(app.properties(&format!("{name}Logs"))["LogGroupName"]["Fn::Sub"], log);
    }
    for (name, group) in app.all("AWS::Logs::LogGroup") {
        assert_eq!(group["Properties"]["RetentionInDays"]["Ref"], "LogRetentionDays", "{name}");
    }
}

#[test]
fn every_record_type_has_its_route_and_every_other_path_leads_to_the_function_for_all() {
    let app = plain();
    let of_types = RecordType::ALL.map(|of| (format!("POST /v1/{{server}}/{}", of.segment()), of.segment()));
    let mut expected: BTreeMap<String, String> =
        of_types.into_iter().map(|(key, segment)| (key, logical(&format!("ingest-{segment}")))).collect();
    for key in ["POST /v1/{server}/events", "$default", "GET /health"] {
        expected.insert(key.to_owned(), "IngestEvents".to_owned());
    }
    // The read API answers its own paths and all below them, by any method: a wrong one is told so.
    for path in API {
        expected.insert(format!("ANY {path}"), "Api".to_owned());
        if path != "/v1/openapi.json" {
            expected.insert(format!("ANY {path}/{{path+}}"), "Api".to_owned());
        }
    }
    let mut found = BTreeMap::new();
    for (name, route) in app.all("AWS::ApiGatewayV2::Route") {
        let key = route["Properties"]["RouteKey"].as_str().unwrap();
        if route["Properties"]["ApiId"]["Ref"] == "PortalApi" {
            continue;
        }
        let target = route["Properties"]["Target"]["Fn::Sub"].as_str().unwrap();
        let integration = target.trim_start_matches("integrations/${").trim_end_matches('}');
        let uri = &app.properties(integration)["IntegrationUri"]["Fn::GetAtt"];
        let function = uri[0].as_str().unwrap().to_owned();
        found.insert(key.to_owned(), function.clone());
        if function == "Api" {
            continue;
        }
        // The gateway may call it for this route: a path's variable is a star there.
        let permission = app.properties(&name.replace("Route", "Permission"));
        let path = key.replace("{server}", "*").replace(' ', "");
        let arn = permission["SourceArn"]["Fn::Sub"].as_str().unwrap();
        assert!(arn.ends_with(&format!(":${{HttpApi}}/*/{path}")), "{name}: {arn}");
        assert_eq!(permission["FunctionName"]["Ref"], function, "{name}");
    }
    assert_eq!(found, expected);
    let permission = app.properties("ApiPermission");
    let arn = permission["SourceArn"]["Fn::Sub"].as_str().unwrap();
    assert!(arn.ends_with(":${HttpApi}/*/*/v1/*") && permission["FunctionName"]["Ref"] == "Api", "{arn}");
    for route in api::route::Route::ALL {
        let path = route.pattern();
        assert!(embedded::server::is_api(path), "{path} is routed in the embedded mode as here");
    }
}

#[test]
fn the_ingest_functions_differ_by_their_names_alone() {
    let app = plain();
    let of = |folder: &str, parts: &[&str]| {
        let resources = parts.iter().map(|part| app.properties(&format!("{}{part}", logical(folder))));
        let text = serde_json::to_string(&resources.collect::<Vec<_>>()).unwrap();
        let segment = folder.trim_start_matches("ingest-");
        text.replace(&logical(folder), "NAME")
            .replace(folder, "FOLDER")
            .replace(&format!("/{segment}\""), "/SEGMENT\"")
    };
    let parts = ["", "Role", "Logs", "Integration", "Route", "Permission"];
    let bounce = of("ingest-bounce", &parts);
    for folder in folders().iter().filter(|folder| folder.starts_with("ingest-")) {
        assert_eq!(of(folder, &parts), bounce, "{folder}");
    }
}

#[test]
fn functions_are_told_what_they_read_and_nothing_else() {
    let app = plain();
    // Each function declares its variables in one list, and cannot read any other: `Config` refuses.
    let declared_in = |source: &str| -> BTreeSet<String> {
        let text = read(source);
        let list = text.split_once("const VARIABLES: &[Variable] = &[").unwrap().1;
        let names = list.split_once(']').unwrap().0.split(',').map(str::trim);
        names.filter(|name| !name.is_empty()).map(|name| format!("POSTLEDGER_{name}")).collect()
    };
    for folder in folders() {
        let source = if folder.starts_with("ingest-") {
            "shared/ingest/src/lambda.rs".to_owned()
        } else {
            format!("functions/{folder}/src/lambda.rs")
        };
        let told = app.properties(&logical(&folder))["Environment"]["Variables"].as_object().unwrap();
        // What all of them read is read in one place.
        let expected = declared_in(&source).into_iter().chain([LEVEL.to_owned()]).collect();
        assert_eq!(told.keys().cloned().collect::<BTreeSet<_>>(), expected, "{folder}");
    }
}

#[test]
fn lambda_itself_drops_no_line_of_metrics_at_any_log_level() {
    // It takes a line without a level for INFO, and drops what is below ApplicationLogLevel.
    for (is_debug, through) in [(false, "INFO"), (true, "DEBUG")] {
        let app = with(&[("IsDebug", is_debug)]);
        for (name, function) in app.all("AWS::Lambda::Function") {
            let function = &function["Properties"];
            assert_eq!(function["LoggingConfig"]["LogFormat"], "JSON", "{name}");
            assert_eq!(function["LoggingConfig"]["ApplicationLogLevel"], through, "{name}");
            let told = &function["Environment"]["Variables"][LEVEL];
            assert_eq!(told["Ref"], "LogLevel", "{name}: our own level is told apart from Lambda's");
        }
    }
    let template = template("app.yaml");
    assert_eq!(template["Conditions"]["IsDebug"]["Fn::Equals"], json!([{ "Ref": "LogLevel" }, "DEBUG"]));
    assert_eq!(template["Parameters"]["LogLevel"]["AllowedValues"], json!(LEVELS));
}

#[test]
fn tables_and_indexes_are_those_that_the_store_uses_and_outlive_the_stack() {
    for by_time in [false, true] {
        let app = with(&[("HasByTime", by_time)]);
        assert_eq!(app.all("AWS::DynamoDB::Table").len(), Table::ALL.len());
        for table in Table::ALL {
            let name = table_output(table);
            let it = app.properties(&name);
            let key = |pk: &str, sk: &str| json!([{ "AttributeName": pk, "KeyType": "HASH" }, { "AttributeName": sk, "KeyType": "RANGE" }]);
            let index = |index: &Index| {
                let projection = match index.projection {
                    Projection::KeysOnly => "KEYS_ONLY",
                    Projection::All => "ALL",
                };
                json!({ "IndexName": index.name, "KeySchema": key(index.pk, index.sk), "Projection": { "ProjectionType": projection } })
            };
            let indexes = table.indexes(by_time);
            assert_eq!(it["TableName"]["Fn::Sub"], format!("${{AWS::StackName}}-{}", table.name()));
            assert_eq!(it["KeySchema"], key(PK, SK), "{name}");
            let expected: Vec<Value> = indexes.iter().map(index).collect();
            assert_eq!(
                it.get("GlobalSecondaryIndexes").and_then(Value::as_array).cloned().unwrap_or_default(),
                expected
            );
            // DynamoDB refuses a table that declares an attribute too many or too few.
            let mut attributes = BTreeMap::from([(PK, "S"), (SK, "S")]);
            attributes.extend(indexes.iter().flat_map(|index| [(index.pk, "S"), (index.sk, "N")]));
            let declared = it["AttributeDefinitions"].as_array().unwrap().iter();
            let declared = declared
                .map(|one| (one["AttributeName"].as_str().unwrap(), one["AttributeType"].as_str().unwrap()));
            assert_eq!(declared.collect::<BTreeMap<_, _>>(), attributes, "{name}");
            let expiry = json!({ "AttributeName": EXPIRES_AT, "Enabled": true });
            assert_eq!(it.get("TimeToLiveSpecification"), table.expires().then_some(&expiry), "{name}");
            assert_eq!(it["BillingMode"], "PAY_PER_REQUEST");
            assert_eq!(it["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true);
            assert_eq!(it["DeletionProtectionEnabled"], true, "{name} is protected in prod");
            assert_retained(&app, &name);
        }
    }
    let trial = with(&[("IsProd", false)]);
    assert_eq!(trial.properties("EventsTable")["DeletionProtectionEnabled"], false);
}

fn assert_retained(app: &App, name: &str) {
    let resource = &app.template["Resources"][name];
    assert_eq!(
        (&resource["DeletionPolicy"], &resource["UpdateReplacePolicy"]),
        // Not what a first deployment made and took back: the next one would meet it.
        (&json!("RetainExceptOnCreate"), &json!("Retain")),
        "{name}"
    );
}

#[test]
fn every_queue_is_encrypted_takes_tls_only_outlives_the_stack_and_has_a_dead_letter_queue() {
    let app = plain();
    let mut queues = app.all("AWS::SQS::Queue");
    // Neither mail nor jobs are of the ledger.
    queues.retain(|name, _| !name.starts_with("Mail") && !name.starts_with("Connect"));
    assert_eq!(queues.len(), QueueName::ALL.len());
    let policy = app.properties("QueuesTlsOnly");
    let statement = &policy["PolicyDocument"]["Statement"][0];
    assert_eq!((&statement["Effect"], &statement["Principal"]), (&json!("Deny"), &json!("*")));
    assert_eq!((&statement["Action"], &statement["Resource"]), (&json!("sqs:*"), &json!("*")));
    assert_eq!(statement["Condition"], json!({ "Bool": { "aws:SecureTransport": "false" } }));
    for (name, queue) in &queues {
        assert_eq!(queue["Properties"]["SqsManagedSseEnabled"], true, "{name}");
        assert!(policy["Queues"].as_array().unwrap().contains(&json!({ "Ref": name })), "{name}");
        assert_retained(&app, name);
    }
    for (queue, name) in live() {
        let it = app.properties(&format!("{name}Queue"));
        let of_stack = |queue: QueueName| format!("${{AWS::StackName}}-{}", queue.name());
        assert_eq!(it["QueueName"]["Fn::Sub"], of_stack(queue));
        let dead = app.properties(&format!("{name}Dlq"));
        assert_eq!(dead["QueueName"]["Fn::Sub"], of_stack(queue.dead().unwrap()));
        assert_eq!(it["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0], format!("{name}Dlq"));
        let source = dead["RedriveAllowPolicy"]["sourceQueueArns"][0]["Fn::Sub"].as_str().unwrap();
        assert!(source.ends_with(&format!(":{}", of_stack(queue))), "{source}");
        assert!(
            seconds(&dead["MessageRetentionPeriod"]) > seconds(&it["MessageRetentionPeriod"]),
            "the clock runs on"
        );
    }
}

fn seconds(value: &Value) -> Duration {
    Duration::from_secs(value.as_u64().unwrap())
}

#[test]
fn whoever_waits_waits_longer_than_what_it_waits_for() {
    let app = plain();
    for folder in folders() {
        let name = logical(&folder);
        let timeout = seconds(&app.properties(&name)["Timeout"]);
        if let Some(integration) =
            ["Api", "Portal"].iter().find(|one| name.trim_end_matches("Function") == **one)
        {
            let integration = &app.properties(&format!("{integration}Integration"))["TimeoutInMillis"];
            let integration = Duration::from_millis(integration.as_u64().unwrap());
            assert!(store::dynamodb::LIMITS.operation < integration && integration < timeout);
        }
        if !folder.starts_with("ingest-") {
            assert!(store::dynamodb::LIMITS.operation < timeout);
            continue;
        }
        let integration = &app.properties(&format!("{name}Integration"))["TimeoutInMillis"];
        let integration = Duration::from_millis(integration.as_u64().unwrap());
        assert!(queue::sqs::LIMITS.operation < integration && integration < timeout, "{name}");
    }
    let consumer = seconds(&app.properties("Consumer")["Timeout"]);
    for (queue, name) in live() {
        let (it, mapping) =
            (app.properties(&format!("{name}Queue")), app.properties(&format!("{name}Mapping")));
        let window = seconds(&mapping["MaximumBatchingWindowInSeconds"]);
        let visibility = seconds(&it["VisibilityTimeout"]);
        assert!(consumer < visibility / 6 && consumer * 6 + window <= visibility, "{name}");
        assert_eq!(
            (visibility, &it["RedrivePolicy"]["maxReceiveCount"]),
            (queue::VISIBILITY, &json!(queue::RECEIVES_MAX))
        );
        assert_eq!(it["MaximumMessageSize"], queue::SQS_BYTES_MAX);
        let four_hours = Duration::from_secs(4 * 3_600);
        assert!(visibility * queue::RECEIVES_MAX >= four_hours, "{name} outlives an outage");
        assert_eq!(mapping["EventSourceArn"], json!({ "Fn::GetAtt": [format!("{name}Queue"), "Arn"] }));
        assert_eq!(
            (&mapping["FunctionName"]["Ref"], &mapping["BatchSize"]),
            (&json!("Consumer"), &json!(batch_max(queue)))
        );
        assert!(
            batch_max(queue) <= 10 || window >= Duration::from_secs(1),
            "Lambda refuses a large batch without a window"
        );
        assert_eq!(mapping["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]), "{name}");
        let concurrency = format!("{name}Concurrency");
        assert_eq!(mapping["ScalingConfig"]["MaximumConcurrency"]["Ref"], concurrency);
        assert_eq!(app.template["Parameters"][&concurrency]["MinValue"], 2, "Lambda takes no less");
        assert!(mapping.get("FilterCriteria").is_none(), "what a filter does not match is deleted");
    }
    let alike = |parameter: &str, code: String| {
        assert_eq!(app.default(parameter).to_string().trim_matches('"'), code)
    };
    alike("RetentionDays", consumer::RETENTION_DAYS_DEFAULT.to_string());
    assert_eq!(app.template["Parameters"]["RetentionDays"]["MinValue"], consumer::RETENTION_DAYS_MIN);
    let policy: ledger::policy::SoftBouncePolicy =
        app.default("SoftBouncePolicy").as_str().unwrap().parse().unwrap();
    assert_eq!(policy, ledger::policy::SoftBouncePolicy::default());
}

#[test]
fn no_function_is_allowed_anything_by_a_wildcard() {
    let app = plain();
    let roles = app.all("AWS::IAM::Role");
    assert_eq!(roles.len(), folders().len() + SCHEDULED.len());
    // Tokens of servers: which there are is known at run time only.
    let tokens = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/postledger/${AWS::StackName}/postmark/*";
    for (name, role) in roles {
        assert!(role["Properties"].get("ManagedPolicyArns").is_none(), "{name}");
        for policy in role["Properties"]["Policies"].as_array().unwrap() {
            for statement in policy["PolicyDocument"]["Statement"].as_array().unwrap() {
                assert_eq!(statement["Effect"], "Allow", "{name}");
                assert!(
                    statement.get("NotAction").is_none() && statement.get("NotResource").is_none(),
                    "{name}"
                );
                let told = json!([statement["Action"], statement["Resource"]]).to_string();
                let told = match statement["Action"].as_str() {
                    Some("ssm:GetParameter" | "ssm:PutParameter") => told.replace(tokens, "tokens"),
                    // Of a token's own, only keys for SMTP.
                    Some("ssm:DeleteParameter") => told.replace(&format!("{tokens}/smtp/*"), "keys"),
                    _ => told,
                };
                assert!(!told.contains('*'), "{name}: {told}");
            }
        }
    }
    let whoever = |action: &str| -> BTreeMap<String, String> {
        let roles = app.all("AWS::IAM::Role").into_iter();
        let statements = roles.flat_map(|(name, role)| {
            let statements =
                role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"].as_array().unwrap();
            statements.iter().map(move |statement| (name.to_owned(), statement))
        });
        let those = statements.filter(|(_, statement)| statement["Action"].to_string().contains(action));
        those.map(|(name, statement)| (name, statement["Resource"].to_string())).collect()
    };
    let of_table = |name: &str| format!(r#"{{"Fn::GetAtt":["{name}","Arn"]}}"#);
    let registry = ["ApiRole", "PortalFunctionRole", "WatchRole"]
        .map(|role| (role.to_owned(), of_table("RegistryTable")));
    let mut deletes = BTreeMap::from(registry);
    deletes.insert("ConsumerRole".to_owned(), of_table("RecipientsTable"));
    assert_eq!(
        whoever("dynamodb:Delete"),
        deletes,
        "rows of recipients, and who signs in; nothing that happened"
    );
    for role in ASKING.map(|folder| format!("{}Role", logical(folder))) {
        assert_eq!(whoever("dynamodb:Put")[&role], of_table("RegistryTable"), "{role} writes documents only");
        assert!(!whoever("dynamodb:Update").contains_key(&role), "{role}");
        let may = app.properties(&role).to_string();
        assert!(!may.contains("Quarantine"), "{role} has no part in what was set aside");
    }
    let reads = whoever("dynamodb:Query");
    for index in ["by_message", "suppressed"] {
        assert!(reads["ReconcileRole"].contains(&format!("/index/{index}")), "reconcile reads {index}");
    }
    for index in ["by_message", "by_time", "suppressed"] {
        assert!(reads["ApiRole"].contains(&format!("/index/{index}")), "the read API reads {index}");
    }
    let told = [of_table("CountersTable"), of_table("RegistryTable")].join(",");
    assert_eq!(reads["WatchRole"], format!("[{told}]"), "watch sees no event and no recipient");
    let dead = QueueName::LIVE.map(|name| of_table(&format!("{}Dlq", logical(name.name())))).join(",");
    let deletes = BTreeMap::from([
        ("ConnectRole".to_owned(), of_table("ConnectQueue")),
        ("ConsumerRole".to_owned(), format!("[{}]", dead.replace("Dlq", "Queue"))),
        ("EraseRole".to_owned(), format!("[{dead}]")),
        ("MailRole".to_owned(), of_table("MailQueue")),
    ]);
    assert_eq!(whoever("sqs:DeleteMessage"), deletes, "erase deletes dead letters only");
    assert!(!app.properties("EraseRole").to_string().contains("postmark"), "erase asks nobody outside");
}

/// Which functions write documents of a collection; commands do so with an operator's own access.
fn writers(collection: Collection) -> &'static [&'static str] {
    match collection {
        Collection::Reconcile | Collection::Completeness(_) => &["ReconcileRole"],
        Collection::Watch => &["ConnectRole", "ConsumerRole", "WatchRole"],
        Collection::Lease => &["ConnectRole", "ReconcileRole", "WatchRole"],
        Collection::Tokens | Collection::TokenIndex | Collection::Smtp => &["ApiRole"],
        // People are invited by either, and what the portal looks like is chosen by either; whom it lets in it notes itself.
        Collection::Users | Collection::Links | Collection::Branding => &["ApiRole", "PortalFunctionRole"],
        Collection::Audit(_) => &["ApiRole", "ConnectRole", "PortalFunctionRole"],
        Collection::Sessions | Collection::SignIns | Collection::Limits => &["PortalFunctionRole"],
        Collection::Sweep => &["EraseRole"],
        // Three learn which streams Postmark lists; an operator adds servers over the API.
        Collection::Servers => &["ApiRole", "ConnectRole", "ReconcileRole", "WatchRole"],
        // A job is written by whoever is asked for it, and its end by whoever does it.
        Collection::Connections => &["ApiRole", "ConnectRole"],
        // Of these one machine has a writer, if anybody; on AWS the operator's own access.
        Collection::Rotation | Collection::Index => &[],
    }
}

/// Which functions delete documents of a collection.
fn deleters(collection: Collection) -> &'static [&'static str] {
    match collection {
        Collection::Users => &["ApiRole", "PortalFunctionRole"],
        Collection::Sessions => &["PortalFunctionRole", "WatchRole"],
        // What is over.
        Collection::SignIns | Collection::Links | Collection::Limits => &["WatchRole"],
        _ => &[],
    }
}

#[test]
fn each_role_writes_its_own_partitions_of_the_registry_and_no_other() {
    let app = plain();
    let none = ServerId::NONE;
    let collections = [
        Collection::Servers,
        Collection::Reconcile,
        Collection::Watch,
        Collection::Completeness(none),
        Collection::Rotation,
        Collection::Lease,
        Collection::Tokens,
        Collection::TokenIndex,
        Collection::Audit(none),
        Collection::Sweep,
        Collection::Users,
        Collection::Sessions,
        Collection::SignIns,
        Collection::Links,
        Collection::Limits,
        Collection::Branding,
        Collection::Smtp,
        Collection::Connections,
        Collection::Index,
    ];
    let mut expected: BTreeMap<(String, &str), BTreeSet<String>> = BTreeMap::new();
    let mut may = |role: &str, action: &'static str, keys: &str| {
        expected.entry((role.to_owned(), action)).or_default().insert(keys.to_owned());
    };
    for collection in collections {
        let pk = collection.pk();
        // A collection of each server has its number in its partition.
        let keys = pk.strip_suffix(&none.to_string()).map_or(pk.clone(), |stem| format!("{stem}*"));
        writers(collection).iter().for_each(|role| may(role, "PutItem", &keys));
        deleters(collection).iter().for_each(|role| may(role, "DeleteItem", &keys));
    }
    // Streams and settings of a server are in the partition of its number, which no other partition begins with.
    for role in ["ApiRole", "ConnectRole", "ConsumerRole", "ReconcileRole", "WatchRole"] {
        (1..=9).for_each(|digit| may(role, "PutItem", &format!("{digit}*")));
    }
    may("ConsumerRole", "PutItem", &item::watermark_key().0);
    may("ConsumerRole", "UpdateItem", &item::rules_key().0);
    may("ApiRole", "UpdateItem", &item::rules_key().0);
    may("ApiRole", "UpdateItem", item::ERASED_PK);
    may("ApiRole", "PutItem", item::ERASURES_PK);
    may("EraseRole", "UpdateItem", item::ERASED_PK);
    let mut found = BTreeMap::new();
    for (name, role) in app.all("AWS::IAM::Role") {
        for policy in role["Properties"]["Policies"].as_array().unwrap() {
            for statement in policy["PolicyDocument"]["Statement"].as_array().unwrap() {
                let (actions, resource) =
                    (statement["Action"].to_string(), statement["Resource"].to_string());
                let writes = ["PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "PartiQL"];
                let writes: Vec<&str> = writes.into_iter().filter(|one| actions.contains(*one)).collect();
                if writes.is_empty() || !resource.contains("RegistryTable") {
                    continue;
                }
                assert_eq!((writes.len(), resource.matches("GetAtt").count()), (1, 1), "{name}: {statement}");
                let condition = statement["Condition"].as_object().unwrap();
                assert_eq!(condition.len(), 1, "{name}: {statement}");
                let keys = condition["ForAllValues:StringLike"].as_object().unwrap();
                assert_eq!(keys.len(), 1, "{name}: {statement}");
                let keys = keys["dynamodb:LeadingKeys"].as_array().unwrap().iter();
                let keys: BTreeSet<String> = keys.map(|key| key.as_str().unwrap().to_owned()).collect();
                found.insert((name.to_owned(), writes[0]), keys);
            }
        }
    }
    assert_eq!(found, expected);
}

#[test]
fn the_consumer_believes_reconcile_the_read_api_and_operators_and_no_door() {
    let app = plain();
    let told = &app.properties("Consumer")["Environment"]["Variables"]["POSTLEDGER_TRUSTED_SENDERS"];
    assert_eq!(told["Fn::Sub"], "${ApiRole.RoleId},${ReconcileRole.RoleId},${Operators}");
    assert_eq!(*told, app.template["Outputs"]["TrustedSenders"]["Value"], "and commands know whom");
    let operators = &app.template["Parameters"]["Operators"];
    assert!(operators.get("Default").is_none(), "nobody is an operator by default");
    // Whoever may send at all is a door, or is believed; erase sends to dead letters only, which are told by their doors.
    let (mut senders, mut mailers, mut askers) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (name, role) in app.all("AWS::IAM::Role") {
        let statements = role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"].as_array().unwrap();
        for statement in statements.iter().filter(|one| one["Action"].to_string().contains("sqs:SendMessage"))
        {
            let resource = statement["Resource"].to_string();
            if resource.contains("MailQueue") {
                assert_eq!(resource.matches("GetAtt").count(), 1, "{name}: {resource}");
                mailers.insert(name);
            } else if resource.contains("ConnectQueue") {
                assert_eq!(resource.matches("GetAtt").count(), 1, "{name}: {resource}");
                askers.insert(name);
            } else if resource.contains("Queue\"") {
                senders.insert(name.to_owned());
            }
        }
    }
    let doors = folders().into_iter().filter(|folder| folder.starts_with("ingest-"));
    let doors = doors.map(|folder| format!("{}Role", logical(&folder)));
    assert_eq!(senders, doors.chain(["ApiRole".to_owned(), "ReconcileRole".to_owned()]).collect());
    assert_eq!(
        mailers,
        ["ApiRole", "PortalFunctionRole"].into(),
        "and what browsers talk to puts mail down only"
    );
    assert_eq!(askers, ["ApiRole"].into(), "webhooks are asked for where it is known who may");
}

#[test]
fn the_key_that_signs_passwords_is_read_by_one_function_that_nothing_but_its_queue_starts() {
    let app = plain();
    let key = ":parameter/postledger/${AWS::StackName}/signing-key";
    let mut readers = BTreeSet::new();
    for (name, role) in app.all("AWS::IAM::Role") {
        let statements = role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"].as_array().unwrap();
        for statement in statements.iter().filter(|one| one["Action"].to_string().contains("ssm:")) {
            let one = vec![statement["Resource"].clone()];
            for resource in statement["Resource"].as_array().unwrap_or(&one) {
                let arn = resource["Fn::Sub"].as_str().unwrap();
                let parameter = &arn[arn.find(":parameter").unwrap()..];
                // By its name, or by a wildcard that it is below.
                let (stem, is_wild) =
                    parameter.split_once('*').map_or((parameter, false), |(stem, _)| (stem, true));
                if if is_wild { key.starts_with(stem) } else { key == stem } {
                    assert_eq!(statement["Action"], "ssm:GetParameter", "{name}");
                    readers.insert(name);
                }
            }
        }
    }
    assert_eq!(readers, ["ConnectRole"].into());
    let told = &app.properties("Connect")["Environment"]["Variables"];
    assert_eq!(
        told["POSTLEDGER_SIGNING_KEY_PARAMETER"]["Fn::Sub"],
        "/postledger/${AWS::StackName}/signing-key"
    );
    assert_eq!(told["POSTLEDGER_TRUSTED_SENDERS"]["Fn::Sub"], "${ApiRole.RoleId},${Operators}");
    // It has no URL, no route and no schedule.
    assert!(app.all("AWS::Lambda::Url").is_empty());
    for kind in ["AWS::ApiGatewayV2::Integration", "AWS::Lambda::Permission", "AWS::Scheduler::Schedule"] {
        for (name, resource) in app.all(kind) {
            assert!(!resource.to_string().contains("\"Connect\""), "{name}");
        }
    }
    let mappings = app.all("AWS::Lambda::EventSourceMapping");
    let of: Vec<_> =
        mappings.values().filter(|one| one["Properties"]["FunctionName"]["Ref"] == "Connect").collect();
    let [mapping] = of[..] else { panic!("{of:?}") };
    assert_eq!(mapping["Properties"]["EventSourceArn"]["Fn::GetAtt"][0], "ConnectQueue");
    assert_eq!(mapping["Properties"]["ScalingConfig"]["MaximumConcurrency"], 2);
    // Unless the operator chose it, there is neither queue nor function, and the API says that a command does it.
    let without = with(&[("HasConnect", false)]);
    for function in ["Api", "PortalFunction"] {
        let told = &without.properties(function)["Environment"]["Variables"];
        assert!(told.get("POSTLEDGER_CONNECT_QUEUE_URL").is_none(), "{function}");
    }
    assert!(!without.properties("ApiRole").to_string().contains("ConnectQueue"));
    assert_eq!(app.template["Parameters"]["PortalConnects"]["Default"], "false");
}

#[test]
fn a_job_is_tried_while_somebody_waits_for_it_and_given_up_before_it_is_forgotten() {
    let app = plain();
    let (queue, dead, function) =
        (app.properties("ConnectQueue"), app.properties("ConnectDlq"), app.properties("Connect"));
    let (timeout, visibility) = (seconds(&function["Timeout"]), seconds(&queue["VisibilityTimeout"]));
    assert!(timeout * 2 <= visibility, "one that is killed comes again after its lease");
    let receives = u32::try_from(queue["RedrivePolicy"]["maxReceiveCount"].as_u64().unwrap()).unwrap();
    let worth = Duration::from_secs(60 * account::connecting::JOB_MINUTES.unsigned_abs());
    assert!(visibility * (receives - 1) < worth && visibility * receives >= worth / 2);
    let [kept, kept_dead] = [queue, dead].map(|queue| seconds(&queue["MessageRetentionPeriod"]));
    assert!(worth < kept && kept < kept_dead);
    let policy = app.properties("ConnectTlsOnly");
    assert_eq!(policy["PolicyDocument"], app.properties("QueuesTlsOnly")["PolicyDocument"]);
    for (name, queue) in [("ConnectQueue", queue), ("ConnectDlq", dead)] {
        assert_eq!(queue["SqsManagedSseEnabled"], true, "{name}");
        assert!(policy["Queues"].as_array().unwrap().contains(&json!({ "Ref": name })), "{name}");
    }
}

#[test]
fn what_browsers_talk_to_reaches_no_token_of_postmarks_and_the_one_for_mail_is_read_by_its_sender_alone() {
    let app = plain();
    let (mut read, mut written) = (BTreeSet::new(), BTreeSet::new());
    let (mut removed, mut of_mail) = (BTreeSet::new(), BTreeSet::new());
    for (name, role) in app.all("AWS::IAM::Role") {
        let statements = role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"].as_array().unwrap();
        for statement in statements {
            if statement.to_string().contains(":parameter/postledger/${AWS::StackName}/postmark/*") {
                match statement["Action"].as_str() {
                    Some("ssm:GetParameter") => read.insert(name),
                    Some("ssm:PutParameter") => written.insert(name),
                    Some("ssm:DeleteParameter") => {
                        let resource = statement["Resource"]["Fn::Sub"].as_str().unwrap();
                        assert!(resource.ends_with("/postmark/*/smtp/*"), "{name}: {resource}");
                        removed.insert(name)
                    }
                    other => panic!("{name}: {other:?}"),
                };
            }
        }
        let may = role["Properties"]["Policies"].to_string();
        if may.contains(":parameter/postledger/${AWS::StackName}/mail\"") {
            of_mail.insert(name);
        }
    }
    assert_eq!(read, ["ApiRole", "ConnectRole", "ReconcileRole", "WatchRole"].into());
    assert_eq!(written, ["ApiRole"].into(), "a server's admin replaces its token");
    assert_eq!(removed, ["ApiRole"].into(), "and removes keys for SMTP, and no token");
    assert_eq!(of_mail, ["MailRole"].into());
    let told = &app.properties("Mail")["Environment"]["Variables"]["POSTLEDGER_MAIL_TOKEN_PARAMETER"];
    assert_eq!(told["Fn::Sub"], "/postledger/${AWS::StackName}/mail");
}

#[test]
fn the_portal_is_an_api_of_its_own_in_which_every_path_is_its_functions() {
    let app = plain();
    let (api, stage) = (app.properties("PortalApi"), app.properties("PortalStage"));
    assert_eq!((&api["ProtocolType"], &stage["StageName"]), (&json!("HTTP"), &json!("$default")));
    let mut routes = Vec::new();
    for (name, route) in app.all("AWS::ApiGatewayV2::Route") {
        if route["Properties"]["ApiId"]["Ref"] == "PortalApi" {
            routes.push((name, route["Properties"]["RouteKey"].as_str().unwrap()));
        }
    }
    assert_eq!(routes, [("PortalRoute", "$default")]);
    let integration = app.properties("PortalIntegration");
    assert_eq!(
        (&integration["ApiId"]["Ref"], &integration["PayloadFormatVersion"]),
        (&json!("PortalApi"), &json!("2.0"))
    );
    assert_eq!(integration["IntegrationUri"]["Fn::GetAtt"][0], "PortalFunction");
    let permission = app.properties("PortalPermission");
    let arn = permission["SourceArn"]["Fn::Sub"].as_str().unwrap();
    assert!(
        arn.ends_with(":${PortalApi}/*/$default") && permission["FunctionName"]["Ref"] == "PortalFunction",
        "{arn}"
    );
    let limits = &stage["DefaultRouteSettings"];
    for name in ["ThrottlingRateLimit", "ThrottlingBurstLimit"] {
        assert_eq!(limits[name]["Ref"], "PortalRequests", "a throttle of its own");
    }
    let format = stage["AccessLogSettings"]["Format"].as_str().unwrap();
    let format: BTreeMap<String, String> = serde_json::from_str(format).unwrap();
    let expected = [
        "$context.requestId",
        "$context.httpMethod",
        "$context.status",
        "$context.responseLatency",
        "$context.integrationErrorMessage",
        "$context.identity.sourceIp",
    ];
    let logged: BTreeSet<&str> = format.values().map(String::as_str).collect();
    assert_eq!(logged, expected.into(), "neither path nor query: links that let people in are paths");
}

#[test]
fn a_stack_has_nothing_of_a_portal_unless_it_is_asked_for_and_with_it_the_index_by_time() {
    let raw = template("app.yaml");
    assert_eq!(raw["Parameters"]["Portal"]["Default"], "false");
    for (name, resource) in raw["Resources"].as_object().unwrap() {
        let condition = resource["Condition"].as_str();
        let of_portal = ["Portal", "Mail", "Connect"].iter().any(|stem| name.starts_with(stem));
        let of_it = ["HasPortal", "HasPortalDomain", "HasMail", "HasConnect"];
        let is_conditional = condition.is_some_and(|one| of_it.contains(&one));
        assert_eq!(of_portal, is_conditional, "{name}: {condition:?}");
    }
    let is = |name: &str| json!({ "Fn::Equals": [{ "Ref": name }, "true"] });
    let given = |name: &str| json!({ "Fn::Not": [{ "Fn::Equals": [{ "Ref": name }, ""] }] });
    let conditions = &raw["Conditions"];
    assert_eq!(conditions["HasPortal"], is("Portal"));
    assert_eq!(conditions["HasByTime"], json!({ "Fn::Or": [is("ByTime"), is("Portal")] }));
    assert_eq!(conditions["HasMail"], json!({ "Fn::And": [is("Portal"), given("MailFrom")] }));
    assert_eq!(conditions["HasConnect"], json!({ "Fn::And": [is("Portal"), is("PortalConnects")] }));
    assert_eq!(
        conditions["HasPortalDomain"],
        json!({ "Fn::And": [is("Portal"), given("PortalDomainName")] })
    );
    // Whoever writes, reads or rewrites events knows of the index, and so do commands.
    for by_time in [true, false] {
        let app = with(&[("HasByTime", by_time)]);
        for function in ["Consumer", "Api", "Erase"] {
            let told = &app.properties(function)["Environment"]["Variables"]["POSTLEDGER_BY_TIME"];
            assert_eq!(*told, by_time.to_string(), "{function}");
        }
        assert_eq!(app.template["Outputs"]["ByTime"]["Value"], by_time.to_string());
    }
    let without = with(&[("HasPortal", false), ("HasMail", false), ("HasConnect", false)]);
    let told = &without.properties("Api")["Environment"]["Variables"];
    for variable in ["POSTLEDGER_PORTAL_URL", "POSTLEDGER_MAIL_QUEUE_URL"] {
        assert!(told.get(variable).is_none(), "{variable}");
    }
}

#[test]
fn people_find_the_portal_where_links_and_mails_say_that_it_is() {
    let own = "https://${PortalApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}";
    for (has_domain, url) in [(false, own), (true, "https://${PortalDomainName}")] {
        let app = with(&[("HasPortalDomain", has_domain)]);
        for function in ["Api", "PortalFunction"] {
            let told = &app.properties(function)["Environment"]["Variables"]["POSTLEDGER_PORTAL_URL"];
            assert_eq!(told["Fn::Sub"], url, "{function}");
        }
        assert_eq!(app.template["Outputs"]["PortalUrl"]["Value"]["Fn::Sub"], url);
        // There is one place to sign in at, which people learn to know.
        assert_eq!(app.properties("PortalApi")["DisableExecuteApiEndpoint"], has_domain);
    }
    let app = plain();
    let [configuration] =
        app.properties("PortalDomain")["DomainNameConfigurations"].as_array().unwrap().as_slice()
    else {
        panic!("one name, one certificate");
    };
    assert_eq!(
        (&configuration["EndpointType"], &configuration["SecurityPolicy"]),
        (&json!("REGIONAL"), &json!("TLS_1_2"))
    );
    let mapping = app.properties("PortalDomainMapping");
    assert!(mapping.get("ApiMappingKey").is_none(), "paths are the same as at the API's own host");
    assert_eq!(
        (&mapping["ApiId"]["Ref"], &mapping["Stage"]["Ref"]),
        (&json!("PortalApi"), &json!("PortalStage"))
    );
}

#[test]
fn the_portal_cannot_take_more_functions_at_once_than_it_is_given() {
    let reserved = |has| {
        with(&[("HasPortalReserve", has)])
            .properties("PortalFunction")
            .get("ReservedConcurrentExecutions")
            .cloned()
    };
    assert_eq!(reserved(true), Some(json!({ "Ref": "PortalConcurrency" })));
    assert_eq!(
        reserved(false),
        None,
        "none is reserved, which Lambda refuses in a small account; 0 would switch it off"
    );
    let app = plain();
    assert_eq!(*app.default("PortalConcurrency"), 0);
    assert_eq!(app.properties("MailMapping")["ScalingConfig"]["MaximumConcurrency"], 2);
}

#[test]
fn mail_is_tried_while_a_code_lasts_and_forgotten_soon() {
    let app = plain();
    let (queue, dead, function) =
        (app.properties("MailQueue"), app.properties("MailDlq"), app.properties("Mail"));
    let (timeout, visibility) = (seconds(&function["Timeout"]), seconds(&queue["VisibilityTimeout"]));
    assert!(timeout * 6 <= visibility, "as SQS asks of whoever consumes by Lambda");
    let receives = u32::try_from(queue["RedrivePolicy"]["maxReceiveCount"].as_u64().unwrap()).unwrap();
    let code = Duration::from_secs(people::CODE_LASTS.unsigned_abs());
    assert!(receives >= 3 && visibility * (receives - 1) < code, "the last try is before a code is over");
    let [kept, kept_dead] = [queue, dead].map(|queue| seconds(&queue["MessageRetentionPeriod"]));
    assert!(visibility * receives < kept, "it is given up before it is forgotten, so that somebody is told");
    let hours = |hours: u64| Duration::from_secs(3_600 * hours);
    assert!(kept < kept_dead && kept_dead <= hours(6), "addresses are in it");
    let policy = app.properties("MailTlsOnly");
    assert_eq!(policy["PolicyDocument"], app.properties("QueuesTlsOnly")["PolicyDocument"]);
    for (name, queue) in [("MailQueue", queue), ("MailDlq", dead)] {
        assert_eq!(queue["SqsManagedSseEnabled"], true, "{name}");
        assert!(policy["Queues"].as_array().unwrap().contains(&json!({ "Ref": name })), "{name}");
        assert!(
            app.template["Resources"][name].get("DeletionPolicy").is_none(),
            "{name}: worth nothing later"
        );
    }
    let source = dead["RedriveAllowPolicy"]["sourceQueueArns"][0]["Fn::Sub"].as_str().unwrap();
    assert!(
        source.ends_with(":${AWS::StackName}-mail")
            && queue["QueueName"]["Fn::Sub"] == "${AWS::StackName}-mail"
    );
    let mapping = app.properties("MailMapping");
    assert_eq!(mapping["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    assert_eq!(
        (&mapping["EventSourceArn"]["Fn::GetAtt"][0], &mapping["FunctionName"]["Ref"]),
        (&json!("MailQueue"), &json!("Mail"))
    );
}

#[test]
fn what_runs_by_a_schedule_is_started_by_it_alone_and_never_tried_again() {
    let app = plain();
    let schedules = app.all("AWS::Scheduler::Schedule");
    assert_eq!(schedules.len(), SCHEDULED.len());
    for folder in SCHEDULED {
        let name = logical(folder);
        let arn = |of: &str| json!({ "Fn::GetAtt": [of, "Arn"] });
        let timer = app.properties(&format!("{name}Timer"));
        assert_eq!(timer["ScheduleExpression"]["Ref"], format!("{name}Schedule"));
        assert_eq!(
            (&timer["State"]["Ref"], app.default("Schedules")),
            (&json!("Schedules"), &json!("ENABLED"))
        );
        let target = &timer["Target"];
        assert_eq!((&target["Arn"], &target["RoleArn"]), (&arn(&name), &arn(&format!("{name}TimerRole"))));
        assert_eq!(target["RetryPolicy"]["MaximumRetryAttempts"], 0);
        let role = app.properties(&format!("{name}TimerRole"));
        let trusted = &role["AssumeRolePolicyDocument"]["Statement"][0];
        assert_eq!(trusted["Principal"]["Service"], "scheduler.amazonaws.com");
        assert!(trusted["Condition"]["StringEquals"].get("aws:SourceAccount").is_some());
        let statements = &role["Policies"][0]["PolicyDocument"]["Statement"];
        assert_eq!(
            *statements,
            json!([{ "Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": arn(&name) }])
        );
        // A schedule starts a function without waiting for it: Lambda itself would try twice more.
        let once = app.properties(&format!("{name}Once"));
        assert_eq!((&once["FunctionName"]["Ref"], &once["MaximumRetryAttempts"]), (&json!(name), &json!(0)));
        assert_eq!(app.properties(&name)["MemorySize"], 256, "a dump of a million rows is read in this much");
    }
    let trials = read("infra/samconfig.toml");
    assert_eq!(trials.matches("Schedules=DISABLED").count(), 1, "there is no Postmark behind an emulator");
}

#[test]
fn where_webhooks_go_is_where_they_are_looked_for_and_a_domain_of_ones_own_outlives_the_api() {
    let (own, domain) =
        ("https://${HttpApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}", "https://${DomainName}");
    for (has_domain, url) in [(false, own), (true, domain)] {
        let app = with(&[("HasDomain", has_domain)]);
        let base = &app.properties("Watch")["Environment"]["Variables"]["POSTLEDGER_BASE"];
        assert_eq!(*base, app.template["Outputs"]["ApiUrl"]["Value"]);
        assert_eq!(base["Fn::Sub"], url);
    }
    let app = plain();
    for name in ["Domain", "DomainMapping"] {
        assert_eq!(app.template["Resources"][name]["Condition"], "HasDomain", "{name}");
    }
    let domain = app.properties("Domain");
    let [configuration] = domain["DomainNameConfigurations"].as_array().unwrap().as_slice() else {
        panic!("one name, one certificate");
    };
    assert_eq!(
        (&configuration["EndpointType"], &configuration["SecurityPolicy"]),
        (&json!("REGIONAL"), &json!("TLS_1_2"))
    );
    let mapping = app.properties("DomainMapping");
    assert!(mapping.get("ApiMappingKey").is_none(), "paths are the same as at the API's own host");
    assert_eq!(
        (&mapping["ApiId"]["Ref"], &mapping["Stage"]["Ref"]),
        (&json!("HttpApi"), &json!("HttpStage"))
    );
    // Where the DNS record points, and the zone that a Route 53 alias asks for.
    for (output, of) in [("DomainTarget", "RegionalDomainName"), ("DomainZone", "RegionalHostedZoneId")] {
        let output = &app.template["Outputs"][output];
        assert_eq!(output["Condition"], "HasDomain");
        assert_eq!(output["Value"]["Fn::GetAtt"], json!(["Domain", of]));
    }
}

#[test]
fn the_apis_own_host_is_closed_by_a_word_of_its_own_and_never_without_a_domain() {
    // Webhooks in Postmark still have the old host when the domain comes, and a closed one loses their events.
    for (only, closed) in [(false, false), (true, true)] {
        let app = with(&[("HasDomain", true), ("IsDomainOnly", only)]);
        assert_eq!(app.properties("HttpApi")["DisableExecuteApiEndpoint"], closed);
    }
    let app = plain();
    for (parameter, default) in [("DomainName", ""), ("CertificateArn", ""), ("DomainOnly", "false")] {
        assert_eq!(*app.default(parameter), default, "{parameter}");
    }
    let rules = &template("app.yaml")["Rules"];
    let empty = |name: &str| json!({ "Fn::Equals": [{ "Ref": name }, ""] });
    let given = |name: &str| json!({ "Fn::Not": [empty(name)] });
    let both = |how: &dyn Fn(&str) -> Value| json!({ "Fn::And": [how("DomainName"), how("CertificateArn")] });
    let asserted = |rule: &str| rules[rule]["Assertions"][0]["Assert"].clone();
    assert_eq!(asserted("DomainWithCertificate"), json!({ "Fn::Or": [both(&empty), both(&given)] }));
    let condition = &rules["OwnHostOrDomain"]["RuleCondition"];
    assert_eq!(condition["Fn::Equals"], json!([{ "Ref": "DomainOnly" }, "true"]));
    assert_eq!(asserted("OwnHostOrDomain"), given("DomainName"));
}

#[test]
fn questions_are_throttled_apart_from_the_doors_and_no_series_is_paid_for_that_nobody_reads() {
    let app = plain();
    let stage = app.properties("HttpStage");
    let settings = stage["RouteSettings"].as_object().unwrap();
    let mut of_api = BTreeMap::new();
    for (name, route) in app.all("AWS::ApiGatewayV2::Route") {
        let route = &route["Properties"];
        if route["Target"]["Fn::Sub"].as_str().unwrap().contains("ApiIntegration") {
            of_api.insert(route["RouteKey"].as_str().unwrap(), name);
        }
    }
    let limited: BTreeSet<&str> = settings.keys().map(String::as_str).collect();
    assert_eq!(limited, of_api.keys().copied().collect(), "every route of the read API, and no door's");
    // API Gateway looks the routes up when the stage gets its settings.
    let waited_for = app.template["Resources"]["HttpStage"]["DependsOn"].as_array().unwrap();
    let waited_for: BTreeSet<&str> = waited_for.iter().flat_map(Value::as_str).collect();
    assert_eq!(waited_for, of_api.into_values().collect());
    let limit = |settings: &Value, name: &str| settings[name].as_u64().unwrap();
    for settings in settings.values() {
        assert_eq!(
            settings.as_object().unwrap().len(),
            2,
            "what is not said is AWS's default, not the stage's"
        );
        for name in ["ThrottlingRateLimit", "ThrottlingBurstLimit"] {
            assert!(limit(settings, name) * 10 <= limit(&stage["DefaultRouteSettings"], name), "{name}");
        }
    }
    assert!(!stage.to_string().contains("DetailedMetricsEnabled"), "a series for each route and metric");
    for (name, mapping) in app.all("AWS::Lambda::EventSourceMapping") {
        assert!(mapping["Properties"].get("MetricsConfig").is_none(), "{name}");
    }
}

#[test]
fn the_access_log_tells_nothing_that_may_hold_a_password() {
    let app = plain();
    let format = app.properties("HttpStage")["AccessLogSettings"]["Format"].as_str().unwrap();
    let format: BTreeMap<String, String> = serde_json::from_str(format).unwrap();
    let expected = [
        "$context.requestId",
        "$context.routeKey",
        "$context.status",
        "$context.responseLatency",
        "$context.integrationErrorMessage",
        "$context.identity.sourceIp",
    ];
    assert_eq!(format.values().map(String::as_str).collect::<BTreeSet<_>>(), expected.into());
}

#[test]
fn what_the_command_line_reads_is_among_the_outputs() {
    let app = plain();
    let outputs = app.template["Outputs"].as_object().unwrap();
    let tables = Table::ALL.map(table_output);
    let queues = QueueName::ALL.map(queue_output);
    let others = [
        "ApiId",
        "ApiUrl",
        "LedgerKeyParameter",
        "MailQueueUrl",
        "PortalApiId",
        "PortalUrl",
        "PostmarkUrl",
        "ReconcileFunction",
        "ReconcileTimer",
        "Schedules",
        "SoftBouncePolicy",
        "Stage",
        "TrustedSenders",
        "WatchFunction",
        "WatchTimer",
    ]
    .map(str::to_owned);
    for name in tables.into_iter().chain(queues).chain(others) {
        assert!(outputs.contains_key(&name), "{name}");
    }
}

#[test]
fn the_two_regions_share_nothing() {
    let config = read("infra/samconfig.toml");
    let of = |env: &str| -> BTreeSet<String> {
        let sections = config.split("\n[").filter(|section| section.starts_with(&format!("{env}.")));
        let lines = sections.flat_map(str::lines).filter(|line| {
            ["stack_name", "region", "s3_prefix", "tags"].iter().any(|key| line.starts_with(key))
        });
        lines.map(str::to_owned).collect()
    };
    let (us, eu) = (of("us-prod"), of("eu-prod"));
    assert_eq!((us.len(), eu.len(), us.intersection(&eu).count()), (4, 4, 0));
}

//! Operations: what alarms and dashboard name is what the functions print and AWS publishes, what the functions
//! print is what CloudWatch takes, every alarm has its section in the runbook, and what all of it costs.

use crate::fixtures;
use crate::house::{observed, read, root};
use clap::Parser as _;
use credential::PrivateKey;
use faults::{Fault, Plan};
use ledger::Source;
use platform::FailureKind;
use platform::logs::LEVEL;
use platform::metrics::{METRICS, NAMESPACE};
use postledger_tests::bodies::{bounce, delivery, lift, message};
use postledger_tests::emf::{SCHEMA, checked, emitted_by, is_measured, unit, values};
use postledger_tests::lambda::{Function, Lambda, built, gateway_event, ingest_settings};
use postledger_tests::template::{matched, template, violations};
use postledger_tests::wire::{Wire, at_once};
use postledger_tests::{STACK, World, consumer, handle};
use queue::QueueName;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use store::prelude::*;
use store::tables::Table;

/// What the template's parameters and resources stand for here.
const GIVEN: &[(&str, &str)] = &[
    ("Stack", "us-prod"),
    ("Stage", "prod"),
    ("ApiId", "a1b2c3"),
    ("PortalApiId", "d4e5f6"),
    ("SilenceHours", "6"),
    ("SetAsideMax", "0"),
    ("HeartbeatHours", "2"),
    ("DriftMax", "25"),
    ("ConcurrencyMax", "800"),
];

/// The alarms that wake somebody; all others wait for the next working day.
const PAGES: [&str; 7] = [
    "ApiFailing",
    "CriticalAge",
    "DeadLettersCritical",
    "IngestFailing",
    "RetriesLow",
    "ServerSilent",
    "WebhookPaused",
];

/// What the runbook tells beside alarms: what to do when the stack itself is in trouble, or changes.
const PROCEDURES: [&str; 6] =
    ["own-host-name", "quotas", "region-down", "restore-a-table", "roll-back", "stuck-stacks"];

/// What AWS publishes by itself, and under which dimension.
const OF_AWS: &[(&str, &str, &[&str])] = &[
    ("AWS/ApiGateway", "ApiId", &["Count", "4xx", "5xx", "Latency", "IntegrationLatency"]),
    (
        "AWS/Lambda",
        "FunctionName",
        &["Invocations", "Errors", "Throttles", "Duration", "ConcurrentExecutions"],
    ),
    ("AWS/Lambda", "", &["ConcurrentExecutions"]),
    (
        "AWS/SQS",
        "QueueName",
        &[
            "ApproximateAgeOfOldestMessage",
            "ApproximateNumberOfMessagesVisible",
            "ApproximateNumberOfMessagesNotVisible",
            "NumberOfMessagesSent",
            "NumberOfMessagesDeleted",
        ],
    ),
    (
        "AWS/DynamoDB",
        "TableName",
        &[
            "ConsumedWriteCapacityUnits",
            "ConsumedReadCapacityUnits",
            "WriteThrottleEvents",
            "ReadThrottleEvents",
            "TransactionConflict",
            "ConditionalCheckFailedRequests",
        ],
    ),
    ("AWS/Logs", "LogGroupName", &["IncomingBytes", "EMFParsingErrors", "EMFValidationErrors"]),
];

/// A text of the template, with what it refers to, of a stack with a portal.
fn resolved(value: &Value) -> String {
    resolved_with(value, true, &BTreeMap::new())
}

/// A text of the template, with what it refers to; `own` are the variables of its own.
fn resolved_with(value: &Value, has_portal: bool, own: &BTreeMap<String, String>) -> String {
    let of = |name: &str| GIVEN.iter().find(|(given, _)| *given == name).map(|(_, text)| (*text).to_owned());
    if let Some(name) = value["Ref"].as_str() {
        return of(name).unwrap_or_else(|| panic!("{name} is not given"));
    }
    if let Some([condition, with, without]) = value["Fn::If"].as_array().map(Vec::as_slice) {
        assert_eq!(condition, "HasPortal");
        return resolved_with(if has_portal { with } else { without }, has_portal, own);
    }
    if let Some([text, variables]) = value["Fn::Sub"].as_array().map(Vec::as_slice) {
        let variables = variables.as_object().unwrap().iter();
        let own =
            variables.map(|(name, value)| (name.clone(), resolved_with(value, has_portal, own))).collect();
        return resolved_with(&json!({ "Fn::Sub": text }), has_portal, &own);
    }
    let Some(text) = value["Fn::Sub"].as_str() else {
        return value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    };
    let mut parts = text.split("${");
    let mut resolved = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap();
        resolved += &match name.strip_prefix('!') {
            Some(literal) => format!("${{{literal}}}"),
            None if name.starts_with("AWS::") => "eu-west-1".to_owned(),
            None => own.get(name).cloned().or_else(|| of(name)).unwrap_or_else(|| name.to_owned()),
        };
        resolved += rest;
    }
    resolved
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

/// A metric that an alarm or a widget names. A search names all values of a dimension: `*`.
struct Named {
    by: String,
    namespace: String,
    name: String,
    dimensions: BTreeMap<String, String>,
    statistic: String,
    unit: Option<String>,
}

struct Ops {
    alarms: BTreeMap<String, Value>,
    dashboard: Value,
}

impl Ops {
    /// As they are where there is a portal.
    fn read() -> Ops {
        Ops::of(true)
    }

    fn of(has_portal: bool) -> Ops {
        let template = template("ops.yaml");
        let (mut alarms, mut dashboard) = (BTreeMap::new(), Value::Null);
        for (name, resource) in template["Resources"].as_object().unwrap() {
            if resource["Condition"] == "HasPortal" && !has_portal {
                continue;
            }
            match resource["Type"].as_str().unwrap() {
                "AWS::CloudWatch::Alarm" => drop(alarms.insert(name.clone(), resource["Properties"].clone())),
                "AWS::CloudWatch::Dashboard" => {
                    let body = &resource["Properties"]["DashboardBody"];
                    let body = resolved_with(body, has_portal, &BTreeMap::new());
                    dashboard = serde_json::from_str(&body).unwrap();
                }
                other => panic!("{name} is a {other}"),
            }
        }
        Ops { alarms, dashboard }
    }

    fn widgets(&self, kind: &str) -> impl Iterator<Item = &Value> {
        let widgets = self.dashboard["widgets"].as_array().unwrap().iter();
        widgets.filter(move |widget| widget["type"] == kind).map(|widget| &widget["properties"])
    }

    fn of_alarms(&self) -> Vec<Named> {
        let mut named = Vec::new();
        for (by, alarm) in &self.alarms {
            let mut one = |metric: &Value, statistic: &Value, unit: &Value| {
                let dimensions = metric["Dimensions"].as_array().unwrap().iter();
                named.push(Named {
                    by: by.clone(),
                    namespace: metric["Namespace"].as_str().unwrap().to_owned(),
                    name: resolved(&metric["MetricName"]),
                    dimensions: dimensions
                        .map(|one| (resolved(&one["Name"]), resolved(&one["Value"])))
                        .collect(),
                    statistic: statistic.as_str().unwrap().to_owned(),
                    unit: unit.as_str().map(str::to_owned),
                });
            };
            match alarm["Metrics"].as_array() {
                None => one(alarm, &alarm["Statistic"], &alarm["Unit"]),
                Some(metrics) => {
                    for stat in
                        metrics.iter().map(|metric| &metric["MetricStat"]).filter(|stat| !stat.is_null())
                    {
                        one(&stat["Metric"], &stat["Stat"], &stat["Unit"]);
                    }
                }
            }
        }
        named
    }

    fn of_widgets(&self) -> Vec<Named> {
        let mut named = Vec::new();
        for widget in self.widgets("metric") {
            let by = widget["title"].as_str().unwrap();
            let (mut ids, mut used) = (BTreeSet::new(), BTreeSet::new());
            for line in widget["metrics"].as_array().unwrap() {
                let mut parts = line.as_array().unwrap().clone();
                let options = parts.pop_if(|part| part.is_object()).unwrap_or_default();
                if let Some(id) = options["id"].as_str() {
                    assert!(ids.insert(id.to_owned()), "{by}: {id} is there once");
                }
                match options["expression"].as_str() {
                    Some(search) if search.starts_with("SEARCH(") => named.push(searched(by, search)),
                    Some(math) => used.extend(operands(math)),
                    None => {
                        let parts: Vec<&str> = parts.iter().map(|part| part.as_str().unwrap()).collect();
                        let dimensions = parts[2..].chunks_exact(2);
                        assert!(dimensions.remainder().is_empty(), "{by}: {parts:?}");
                        let statistic =
                            [&options["stat"], &widget["stat"]].into_iter().find_map(Value::as_str);
                        named.push(Named {
                            by: by.to_owned(),
                            namespace: parts[0].to_owned(),
                            name: parts[1].to_owned(),
                            dimensions: dimensions
                                .map(|pair| (pair[0].to_owned(), pair[1].to_owned()))
                                .collect(),
                            statistic: statistic.unwrap_or("Average").to_owned(),
                            unit: None,
                        });
                    }
                }
            }
            assert!(used.is_subset(&ids), "{by}: {used:?} of {ids:?}");
        }
        named
    }
}

/// What a search finds: `SEARCH('{namespace,Stage,Dimension} MetricName="…" Stage="…"', 'statistic', period)`.
fn searched(by: &str, search: &str) -> Named {
    let quoted: Vec<&str> = search.split('\'').collect();
    let (schema, filter) = quoted[1].strip_prefix('{').and_then(|rest| rest.split_once("} ")).unwrap();
    let schema: Vec<&str> = schema.split(',').collect();
    let given: BTreeMap<&str, &str> = filter
        .split(' ')
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(k, v)| (k, v.trim_matches('"')))
        .collect();
    let value = |name: &&str| ((*name).to_owned(), given.get(name).unwrap_or(&"*").to_string());
    Named {
        by: by.to_owned(),
        namespace: schema[0].to_owned(),
        name: given["MetricName"].to_owned(),
        dimensions: schema[1..].iter().map(value).collect(),
        statistic: quoted[3].to_owned(),
        unit: None,
    }
}

/// The ids in a metric math expression: what begins with a small letter.
fn operands(math: &str) -> impl Iterator<Item = String> {
    let words = math.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase())).map(str::to_owned)
}

#[test]
fn every_metric_that_an_alarm_or_widget_names_is_there_with_that_dimension_and_unit() {
    let ops = Ops::read();
    let named: Vec<Named> = ops.of_alarms().into_iter().chain(ops.of_widgets()).collect();
    assert!(named.len() > 100);
    for Named { by, namespace, name, dimensions, statistic, unit: told } in &named {
        if namespace == NAMESPACE {
            let declared = METRICS.iter().find(|(metric, ..)| metric == name);
            let (_, _, dimension, _) = declared.unwrap_or_else(|| panic!("{by}: no {name}"));
            let expected: BTreeSet<&str> = ["Stage"].into_iter().chain(*dimension).collect();
            assert_eq!(
                dimensions.keys().map(String::as_str).collect::<BTreeSet<_>>(),
                expected,
                "{by}: {name}"
            );
            assert_eq!(dimensions["Stage"], "prod", "{by}: {name}");
            if let Some(dimension) = dimension {
                let value = &dimensions[*dimension];
                assert!(value == "*" || values(name, dimension).contains(value), "{by}: {name} of {value}");
            }
            assert_eq!(is_measured(name), statistic != "Sum", "{by}: {statistic} of {name}");
            assert!(told.as_ref().is_none_or(|told| *told == unit(name)), "{by}: {name} in {told:?}");
            continue;
        }
        let key = dimensions.keys().next().map_or("", String::as_str);
        let known = OF_AWS.iter().filter(|(of, by, _)| of == namespace && *by == key);
        assert!(
            known.flat_map(|(.., names)| *names).any(|known| known == name),
            "{by}: {namespace} {name} by {key}"
        );
        assert!(dimensions.len() <= 1, "{by}: {name}");
        let function = |name: &str| root().join("functions").join(name).is_dir();
        let of_stack = |value: &str| {
            value.strip_prefix("us-prod-").unwrap_or_else(|| panic!("{by}: {value}")).to_owned()
        };
        let value = dimensions.values().next().map_or("", String::as_str);
        assert!(
            match key {
                "FunctionName" => function(&of_stack(value)),
                "LogGroupName" => function(&of_stack(value.strip_prefix("/aws/lambda/").unwrap())),
                "QueueName" => {
                    let of_ledger = QueueName::ALL.into_iter().map(QueueName::name);
                    of_ledger
                        .chain(["mail", "mail-dlq", "connect", "connect-dlq"])
                        .any(|queue| queue == of_stack(value))
                }
                "TableName" => Table::ALL.into_iter().any(|table| table.name() == of_stack(value)),
                "ApiId" => ["a1b2c3", "d4e5f6"].contains(&value),
                _ => value.is_empty(),
            },
            "{by}: {key} {value}"
        );
    }
}

#[test]
fn every_metric_is_shown_and_so_is_every_alarm() {
    let ops = Ops::read();
    let shown: BTreeSet<String> = ops.of_widgets().into_iter().map(|named| named.name).collect();
    for (metric, ..) in METRICS {
        assert!(shown.contains(*metric), "{metric} is on the dashboard");
    }
    let listed: BTreeSet<&str> = ops.widgets("alarm").flat_map(|widget| texts(&widget["alarms"])).collect();
    let expected: BTreeSet<String> = ops.alarms.keys().map(|alarm| format!("{alarm}.Arn")).collect();
    assert_eq!(listed, expected.iter().map(String::as_str).collect());
}

#[test]
fn a_stack_without_a_portal_pays_for_no_alarm_of_one_and_asks_no_log_that_is_not_there() {
    let (without, with) = (Ops::of(false), Ops::read());
    let listed: BTreeSet<&str> =
        without.widgets("alarm").flat_map(|widget| texts(&widget["alarms"])).collect();
    let expected: BTreeSet<String> = without.alarms.keys().map(|alarm| format!("{alarm}.Arn")).collect();
    assert_eq!(listed, expected.iter().map(String::as_str).collect());
    let of_portal: BTreeSet<&str> =
        with.alarms.keys().filter(|name| !without.alarms.contains_key(*name)).map(String::as_str).collect();
    assert_eq!(of_portal, ["MailUnsent", "PortalFailing", "WebhooksNotSetUp"].into());
    let named = without.of_widgets();
    for Named { by, dimensions, .. } in without.of_alarms().iter().chain(&named) {
        for value in dimensions.values() {
            assert!(!["portal", "mail", "-connect"].iter().any(|word| value.contains(word)), "{by}: {value}");
        }
    }
    for widget in without.widgets("log") {
        let query = widget["query"].as_str().unwrap();
        assert!(!query.contains("-portal'") && !query.contains("-mail'"), "{query}");
    }
}

/// What Lambda itself tells of an invocation that it ended, in JSON logs: names of its own, which a query may read.
const OF_LAMBDA: [&str; 3] = ["type", "status", "errorType"];

#[test]
fn what_the_dashboard_asks_logs_for_is_what_is_logged() {
    let ops = Ops::read();
    let logged = observed();
    let queries: Vec<&str> = ops.widgets("log").map(|widget| widget["query"].as_str().unwrap()).collect();
    assert!(queries.len() >= 3);
    for query in &queries {
        for group in query.split("SOURCE '").skip(1).map(|rest| rest.split('\'').next().unwrap()) {
            let function = group.strip_prefix("/aws/lambda/us-prod-");
            assert!(
                group == "/aws/apigateway/us-prod"
                    || root().join("functions").join(function.unwrap()).is_dir(),
                "{group}"
            );
        }
        for field in query.split("parse @message /\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            let known = field == "message" || OF_LAMBDA.contains(&field);
            assert!(known || logged.contains(&format!("{field} = ")), "{field}");
        }
    }
    let shown = "was set aside; `postledger quarantine list` shows it";
    assert!(queries[0].contains("/was set aside/") && logged.contains(shown));
    let answers = query_of(&ops, "Answered 4xx and 5xx, by route");
    let app = template("app.yaml");
    let format = &app["Resources"]["HttpStage"]["Properties"]["AccessLogSettings"]["Format"];
    let format: BTreeMap<String, String> = serde_json::from_str(format.as_str().unwrap()).unwrap();
    for field in ["status", "route", "error"] {
        assert!(format.contains_key(field) && answers.contains(field), "{field} is in the access log");
    }
}

fn query_of(ops: &Ops, title: &str) -> String {
    let mut widgets = ops.widgets("log").filter(|widget| widget["title"] == title);
    widgets.next().unwrap()["query"].as_str().unwrap().to_owned()
}

#[test]
fn warnings_and_errors_show_what_lambda_ended_too_of_every_function() {
    let query = query_of(&Ops::read(), "Warnings and errors");
    for function in std::fs::read_dir(root().join("functions")).unwrap().map(Result::unwrap) {
        let name = function.file_name().into_string().unwrap();
        assert!(!function.path().is_dir() || query.contains(&format!("-{name}'")), "{name}");
    }
    // Lines as AWS writes them in JSON (their documentation's schema); they have no level. At SystemLogLevel=WARN those of
    // invocations that went well are not even sent.
    let timeout = r#"{"time":"2026-07-09T06:05:50.581Z","type":"platform.report","record":{"requestId":"1","metrics":{"durationMs":5000.0,"billedDurationMs":5000,"memorySizeMB":128,"maxMemoryUsedMB":94},"status":"timeout"}}"#;
    let crash = r#"{"time":"2026-08-09T12:34:56.789Z","type":"platform.runtimeDone","record":{"requestId":"1","status":"error","errorType":"Runtime.ExitError"}}"#;
    let start = r#"{"time":"2026-08-09T12:34:56.789Z","type":"platform.initReport","record":{"initializationType":"on-demand","phase":"init","status":"error","errorType":"Runtime.ExitError","metrics":{"durationMs":9.1}}}"#;
    let fine = r#"{"time":"2026-08-09T12:34:56.789Z","type":"platform.report","record":{"requestId":"1","status":"success","metrics":{"durationMs":1.2}}}"#;
    let warning = r#"{"timestamp":"2026-08-09T12:34:56.789Z","level":"WARN","fields":{"message":"a body was set aside","event.server":7}}"#;
    let metrics = r#"{"_aws":{"Timestamp":1,"CloudWatchMetrics":[]},"Stage":"prod","EventsAccepted":1}"#;
    let plain = "2026-08-09T12:34:56.789Z 1 Task timed out after 30.03 seconds";
    let lines = [timeout, crash, start, fine, warning, metrics, plain];
    let (filter, parses) = query.split_once("| filter ").unwrap().1.split_once(" | parse ").unwrap();
    let likes: Vec<&str> = filter.split(" or ").map(|like| pattern(like, "@message like ")).collect();
    let shown: Vec<bool> = (0..lines.len())
        .map(|line| likes.iter().any(|like| !matched(like, &lines)[line].is_null()))
        .collect();
    assert_eq!(shown, [true, true, true, false, true, false, true]);
    let mut told = vec![BTreeMap::new(); lines.len()];
    for parse in parses.split(" | stats ").next().unwrap().split(" | parse ") {
        for (told, found) in told.iter_mut().zip(matched(pattern(parse, "@message "), &lines)) {
            let found = found.as_object().into_iter().flatten();
            told.extend(found.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())));
        }
    }
    let of = |line: usize, name: &str| told[line].get(name).map(String::as_str);
    assert_eq!(
        (of(0, "platform"), of(0, "ended"), of(0, "cause")),
        (Some("platform.report"), Some("timeout"), None)
    );
    assert_eq!((of(1, "ended"), of(1, "cause")), (Some("error"), Some("Runtime.ExitError")));
    assert_eq!((of(2, "platform"), of(2, "cause")), (Some("platform.initReport"), Some("Runtime.ExitError")));
    assert_eq!((of(4, "said"), of(4, "platform")), (Some("a body was set aside"), None));
}

/// The pattern of `@message like /…/` or `@message /…/`.
fn pattern<'a>(clause: &'a str, before: &str) -> &'a str {
    let pattern = clause.trim().strip_prefix(before).unwrap_or_else(|| panic!("{clause}"));
    pattern.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')).unwrap_or_else(|| panic!("{clause}"))
}

/// An alarm's name without the stack's.
fn short(alarm: &Value) -> String {
    resolved(&alarm["AlarmName"]).strip_prefix("us-prod-").unwrap().to_owned()
}

#[test]
fn every_alarm_is_a_page_or_a_ticket_and_the_runbook_says_which_and_why() {
    let (ops, runbook) = (Ops::read(), read("infra/runbook.md"));
    let topic = |actions: &Value| {
        let [action] = actions.as_array().unwrap().as_slice() else { panic!("one topic: {actions}") };
        let [condition, topic, none] = action["Fn::If"].as_array().unwrap().as_slice() else {
            panic!("{action}")
        };
        assert_eq!(none["Ref"], "AWS::NoValue");
        let topic = topic["Ref"].as_str().unwrap().to_owned();
        assert_eq!(topic, format!("{}TopicArn", condition.as_str().unwrap().trim_end_matches('s')));
        topic
    };
    let mut expected = BTreeMap::new();
    for (name, alarm) in &ops.alarms {
        let (level, of_level) = if PAGES.contains(&name.as_str()) {
            ("page", "PageTopicArn")
        } else {
            ("ticket", "TicketTopicArn")
        };
        assert_eq!(topic(&alarm["AlarmActions"]), of_level, "{name}");
        // A new alarm is over once, as soon as it has data: nobody is woken for that.
        assert_eq!(topic(&alarm["OKActions"]), "TicketTopicArn", "{name}");
        assert!(alarm.get("InsufficientDataActions").is_none(), "{name}: a new alarm has no data");
        if level == "page" {
            assert_eq!(
                alarm["TreatMissingData"], "notBreaching",
                "{name}: a new stack has no data, and wakes nobody"
            );
        }
        expected.insert(short(alarm), level.to_owned());
    }
    let (_, table) = runbook.split_once("| alarm | level | because |\n").unwrap();
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let rows: Vec<Vec<&str>> =
        rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect();
    assert!(rows.iter().all(|row| row.len() == 3 && !row[2].is_empty()), "{rows:?}");
    let told = rows.iter().map(|row| (row[0].trim_matches('`').to_owned(), row[1].to_owned()));
    assert_eq!(told.collect::<BTreeMap<_, _>>(), expected);
}

#[test]
fn a_stranger_wakes_nobody_and_raises_nothing_by_one_wrong_password() {
    let ops = Ops::read();
    let alarm = &ops.alarms["CredentialMismatch"];
    assert!(!PAGES.contains(&"CredentialMismatch"), "anybody can send one that looks like Postmark's");
    assert_eq!((&alarm["Period"], &alarm["EvaluationPeriods"]), (&json!(900), &json!(1)));
    assert_eq!(
        (&alarm["ComparisonOperator"], &alarm["Threshold"]),
        (&json!("GreaterThanOrEqualToThreshold"), &json!(3))
    );
}

/// What CloudWatch makes of an alarm's expression where each metric has one value.
fn evaluated(alarm: &Value, given: &[(&str, f64)]) -> f64 {
    let mut values: BTreeMap<String, f64> =
        given.iter().map(|(id, value)| ((*id).to_owned(), *value)).collect();
    let metrics = alarm["Metrics"].as_array().unwrap();
    for metric in metrics.iter().filter(|metric| metric.get("MetricStat").is_some()) {
        assert!(values.contains_key(metric["Id"].as_str().unwrap()), "{metric}: no value is given");
    }
    // What is returned builds on the others, so it is the last.
    let (returned, others): (Vec<&Value>, Vec<&Value>) = metrics
        .iter()
        .filter(|metric| metric.get("Expression").is_some())
        .partition(|metric| metric["ReturnData"] != false);
    let [returned] = returned.as_slice() else { panic!("one expression is returned") };
    for metric in others.into_iter().chain([*returned]) {
        let value = math(metric["Expression"].as_str().unwrap(), &values);
        values.insert(metric["Id"].as_str().unwrap().to_owned(), value);
    }
    values[returned["Id"].as_str().unwrap()]
}

/// The few forms of metric math that stand in alarms here: sums, a share, and `IF` of a comparison.
fn math(expression: &str, values: &BTreeMap<String, f64>) -> f64 {
    let expression = expression.trim();
    if let Some(inner) = expression.strip_prefix("IF(").and_then(|rest| rest.strip_suffix(')')) {
        let (condition, rest) = inner.split_once(", ").unwrap();
        let (then, otherwise) = rest.split_once(", ").unwrap();
        let holds = if let Some((one, other)) = condition.split_once(" >= ") {
            math(one, values) >= math(other, values)
        } else {
            let (one, other) = condition.split_once(" > ").unwrap();
            math(one, values) > math(other, values)
        };
        return math(if holds { then } else { otherwise }, values);
    }
    for operator in ['+', '-', '/', '*'] {
        if let Some((one, other)) = expression.rsplit_once(&format!(" {operator} ")) {
            let (one, other) = (math(one, values), math(other, values));
            return match operator {
                '+' => one + other,
                '-' => one - other,
                '/' => one / other,
                _ => one * other,
            };
        }
    }
    expression.parse().unwrap_or_else(|_| values[expression])
}

#[test]
fn what_the_read_api_answers_does_not_raise_the_doors_alarm_nor_hide_what_does() {
    let ops = Ops::read();
    let is_raised = |alarm: &str, given: &[(&str, f64)]| {
        let alarm = &ops.alarms[alarm];
        assert_eq!(alarm["ComparisonOperator"], "GreaterThanThreshold");
        evaluated(alarm, given) > alarm["Threshold"].as_f64().unwrap()
    };
    let of_api = |asked, answered, crashed, throttled| {
        [("asked", asked), ("answered", answered), ("crashed", crashed), ("throttled", throttled)]
    };
    let minute = |requests, errors, marked, unmarked, api: [(&'static str, f64); 4]| {
        let of_gateway =
            [("requests", requests), ("errors", errors), ("marked", marked), ("unmarked", unmarked)];
        (is_raised("IngestFailing", &[of_gateway.as_slice(), &api].concat()), is_raised("ApiFailing", &api))
    };
    let well = of_api(1_000.0, 0.0, 0.0, 0.0);
    assert_eq!(minute(1_100.0, 0.0, 0.0, 0.0, well), (false, false));
    // Every question fails, in whatever way; the doors are well.
    for broken in
        [of_api(500.0, 500.0, 0.0, 0.0), of_api(500.0, 0.0, 500.0, 0.0), of_api(0.0, 0.0, 0.0, 500.0)]
    {
        assert_eq!(minute(600.0, 500.0, 0.0, 0.0, broken), (false, true));
    }
    // The doors fail while the read API answers ten times as many questions.
    assert_eq!(minute(1_100.0, 100.0, 0.0, 0.0, well), (true, false));
    assert_eq!(minute(1_003.0, 3.0, 0.0, 0.0, well), (true, false), "few, by number");
    assert_eq!(minute(1_002.0, 2.0, 0.0, 0.0, well), (false, false));
    // Wrong credentials are answered 503, and are no failure of the doors.
    assert_eq!(minute(1_100.0, 60.0, 40.0, 20.0, well), (false, false));
    assert_eq!(minute(0.0, 0.0, 0.0, 0.0, of_api(0.0, 0.0, 0.0, 0.0)), (false, false));
}

#[test]
fn the_best_place_of_the_dashboard_shows_whether_the_doors_are_well() {
    let ops = Ops::read();
    let widgets = ops.dashboard["widgets"].as_array().unwrap();
    let place = |widget: &Value, of: &str| widget[of].as_u64().unwrap();
    let mut boxes: Vec<(u64, u64, u64, u64, &str)> = Vec::new();
    for widget in widgets {
        let (x, y) = (place(widget, "x"), place(widget, "y"));
        let (right, below) = (x + place(widget, "width"), y + place(widget, "height"));
        let title = widget["properties"]["title"].as_str().unwrap_or("the words");
        assert!(right <= 24, "{title} is wider than the dashboard");
        for (left, top, end, bottom, other) in &boxes {
            let apart = x >= *end || *left >= right || y >= *bottom || *top >= below;
            assert!(apart, "{title} lies over {other}");
        }
        boxes.push((x, y, right, below, title));
    }
    boxes.sort_by_key(|(x, y, ..)| (*y, *x));
    let titles: Vec<&str> = boxes.iter().map(|(.., title)| *title).collect();
    assert_eq!(
        titles[1..5],
        [
            "Alarms: those that wake somebody first",
            "Doors: answered 5xx (%)",
            "Doors: events taken in a minute",
            "Doors: throttled by Lambda"
        ]
    );
    let listed: Vec<&str> = ops.widgets("alarm").flat_map(|widget| texts(&widget["alarms"])).collect();
    let first: BTreeSet<&str> =
        listed[..PAGES.len()].iter().map(|alarm| alarm.trim_end_matches(".Arn")).collect();
    assert_eq!(first, PAGES.into());
}

#[test]
fn every_alarm_has_its_section_in_the_runbook_whose_commands_exist() {
    let (ops, runbook) = (Ops::read(), read("infra/runbook.md"));
    let mut pointed_to = BTreeSet::new();
    for (name, alarm) in &ops.alarms {
        let description = resolved(&alarm["AlarmDescription"]);
        let (_, section) = description.split_once("infra/runbook.md#").unwrap();
        assert!(short(alarm).starts_with(section), "{name}");
        pointed_to.insert(section.to_owned());
        let of_silence = ["Silence", "HeartbeatReconcile", "HeartbeatWatch"].contains(&name.as_str());
        let missing = if of_silence { "breaching" } else { "notBreaching" };
        assert_eq!(alarm["TreatMissingData"], missing, "{name}");
        let metrics = alarm["Metrics"].as_array().map_or(&[][..], Vec::as_slice);
        let ids: BTreeSet<String> =
            metrics.iter().map(|metric| metric["Id"].as_str().unwrap().to_owned()).collect();
        let expressions = metrics.iter().filter_map(|metric| metric["Expression"].as_str());
        for expression in expressions {
            assert!(operands(expression).all(|id| ids.contains(&id)), "{name}: {expression}");
            for forbidden in ["FILL", "SEARCH", "METRICS", "MAX(", "MIN(", "AVG("] {
                assert!(!expression.contains(forbidden), "{name}: {forbidden} misleads an alarm");
            }
        }
        assert!(metrics.iter().filter(|metric| metric.get("MetricStat").is_some()).count() <= 10, "{name}");
    }
    let sections: Vec<&str> = runbook.split("\n## ").skip(1).collect();
    let heading = |section: &str| section.lines().next().unwrap().to_owned();
    let headings: Vec<String> = sections.iter().map(|section| heading(section)).collect();
    let expected = pointed_to.iter().map(String::as_str).chain(PROCEDURES).chain(["Who is woken"]);
    assert_eq!(headings.iter().map(String::as_str).collect::<BTreeSet<_>>(), expected.collect());
    assert!(headings.len() == pointed_to.len() + PROCEDURES.len() + 1, "each is there once: {headings:?}");
    for section in &sections {
        let heading = heading(section);
        let parts: &[&str] = match PROCEDURES.contains(&heading.as_str()) {
            _ if heading == "Who is woken" => &[],
            true => &["**Symptom.**", "**Meaning.**", "**Do.**", "```sh"],
            false => &["**Meaning.**", "**First look.**", "**Remedy.**", "postledger "],
        };
        for part in parts {
            assert!(section.contains(part), "{part} in {heading}");
        }
    }
    for link in runbook.split("](#").skip(1).map(|rest| rest.split(')').next().unwrap()) {
        assert!(headings.iter().any(|heading| heading == link), "no section {link}");
    }
    let titles: Vec<&str> = ["metric", "log"]
        .into_iter()
        .flat_map(|kind| ops.widgets(kind))
        .flat_map(|one| one["title"].as_str())
        .collect();
    let prose: String = runbook.split("```").step_by(2).collect();
    for widget in prose.replace("**", "").split('*').skip(1).step_by(2) {
        let widget = widget.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(titles.iter().any(|title| title.starts_with(&widget)), "no widget is titled {widget}");
    }
    let shown = ops.widgets("text").map(|widget| widget["markdown"].as_str().unwrap().to_owned());
    let mut commands = 0;
    for text in shown.chain([runbook.clone()]) {
        for line in text.split(['`', '\n']).filter(|line| line.starts_with("postledger ")) {
            let words = line.split_whitespace().map(|word| match word.trim_matches('\'') {
                "ADDRESS" => "ida@customer.example",
                word => word,
            });
            if let Err(error) = postledger::args::Cli::try_parse_from(words) {
                panic!("{line}: {error}");
            }
            commands += 1;
        }
    }
    assert!(commands > 10, "{commands}");
    let makefile = read("Makefile");
    let tasks = runbook.split(['`', '\n']).filter_map(|line| line.strip_prefix("make "));
    for task in tasks.map(|task| task.split_whitespace().next().unwrap()) {
        assert!(makefile.lines().any(|line| line.starts_with(&format!("{task}: "))), "make {task}");
    }
}

#[test]
fn the_runbook_says_of_every_kind_of_failed_call_where_to_look_and_what_helps() {
    let runbook = read("infra/runbook.md");
    let (_, section) = runbook.split_once("\n## calls-refused\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows: Vec<Vec<&str>> = section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let kinds: Vec<String> = FailureKind::ALL.map(|kind| format!("`{}`", kind.name())).into();
    assert_eq!(rows.iter().map(|row| row[0]).collect::<Vec<_>>(), kinds);
    for row in &rows {
        assert!(row.len() == 3 && row[1..].iter().all(|cell| !cell.is_empty()), "{row:?}");
    }
    for field in ["call.kind", "call.code", "call.action"] {
        assert!(section.contains(field) && observed().contains(&format!("{field} = ")), "{field}");
    }
}

#[test]
fn an_age_that_raises_an_alarm_is_one_that_sqs_still_tells_while_every_batch_fails() {
    // After three times received, SQS leaves a message out of the age of the oldest.
    let app = template("app.yaml");
    for (alarm, queue) in [("CriticalAge", "CriticalQueue"), ("BulkAge", "BulkQueue")] {
        let visibility = app["Resources"][queue]["Properties"]["VisibilityTimeout"].as_u64().unwrap();
        let threshold = Ops::read().alarms[alarm]["Threshold"].as_u64().unwrap();
        assert!(threshold < 3 * visibility, "{alarm}: {threshold} of {visibility}");
    }
    let stages = |file| template(file)["Parameters"]["Stage"]["AllowedValues"].clone();
    let sorted = |file| texts(&stages(file)).into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(sorted("app.yaml"), sorted("ops.yaml"), "both templates know the same stages");
    assert!(app["Outputs"]["ApiId"].is_object(), "what ops.yaml is given");
}

/// The lines that doors and consumer print while everything happens that is counted.
fn printed() -> Vec<Value> {
    platform::metrics::init("test");
    let mut lines = Vec::new();
    let mut flush = || platform::metrics::flush(&mut lines);
    // Doors, by both keys; a measure holds a hundred values between two printings.
    let older = PrivateKey::generate().unwrap();
    let world = World::new(|queue| queue, |key| vec![older.public(), key], &[]);
    for (place, name) in fixtures::names().enumerate() {
        world.post("events", fixtures::read(&name));
        if place % 50 == 0 {
            flush();
        }
    }
    let send = |world: &World, method: &str, headers: &[(&str, &str)]| {
        let request = world.request(method, "/v1/8123456/open");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        world.send(request.body(fixtures::read("bounce-hard.json")).unwrap()).status().as_u16()
    };
    let valid = world.authorization("8123456.1");
    let by_older = credential::basic(
        "8123456.1".parse().unwrap(),
        &older.password(STACK, "8123456.1".parse().unwrap()).unwrap(),
    );
    assert_eq!(send(&world, "POST", &[("authorization", &valid), ("x-pm-retries-remaining", "2")]), 200);
    assert_eq!(send(&world, "POST", &[("authorization", &by_older)]), 200);
    assert_eq!(send(&world, "PUT", &[("authorization", &valid)]), 405);
    assert_eq!(send(&world, "POST", &[]), 401);
    assert_eq!(send(&world, "POST", &[("authorization", "Basic eDp5")]), 503);
    assert_eq!(send(&world, "POST", &[("authorization", "Basic eDp5"), ("user-agent", "Postmark")]), 503);
    for fault in [Fault::Refuse, Fault::Deny] {
        let plan = Plan::new(move |_| fault);
        let refusing = World::new(|queue| Arc::new(queue::Faulty::new(queue, plan)), |key| vec![key], &[]);
        assert_eq!(refusing.post("bounce", fixtures::read("bounce-hard.json")).0, 503);
    }
    // The consumer: first copies, then the same again.
    for _ in 0..2 {
        world.drain();
        flush();
        world.post("bounce", fixtures::read("bounce-hard.json"));
        world.post("delivery", fixtures::read("delivery-current.json"));
    }
    // Better copies, transactions that fail, a view that is not the fold.
    let (early, late) = ("2026-09-20T08:00:00Z", "2026-09-20T18:00:00Z");
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(
        async {
            let store = Arc::new(store::Memory::default());
            let calls = AtomicUsize::new(0);
            let plan = Plan::new(move |call| match call {
                "commit" if calls.fetch_add(1, Ordering::Relaxed) == 0 => Fault::Conflict,
                "commit" if calls.load(Ordering::Relaxed) == 3 => Fault::LoseAnswer,
                _ => Fault::None,
            });
            let consumer = consumer(Arc::new(store::Faulty::new(store.clone(), plan)));
            for source in [Source::Reconcile, Source::Webhook] {
                let (critical, bulk) = (bounce(1, 1, early, true), delivery(1, early));
                let batches = [(QueueName::Critical, critical), (QueueName::Bulk, bulk)];
                for (queue, body) in batches {
                    assert!(handle(&consumer, queue, &[message(source, &body)], 60).await.is_empty());
                }
            }
            let mut view = store.all_views().unwrap().remove(0);
            let stored = view.folded;
            view.streams.clear();
            view.folded = ledger::fold::Folded::default();
            store.commit(&[store::Action::PutView(view, Some(stored))]).await.unwrap();
            let next = [message(Source::Webhook, &lift(1, late))];
            assert!(handle(&consumer, QueueName::Critical, &next, 60).await.is_empty());
        },
    );
    flush();
    let lines = String::from_utf8(lines).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_line_of_metrics_is_what_awss_specification_demands_and_all_metrics_are_among_them() {
    let seen = checked(&printed(), "test");
    // What the functions print that ask Postmark is looked at where they are deployed.
    let expected = emitted_by(&["functions/consumer", "shared/ingest", "shared/platform"]);
    assert_eq!(seen.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected, "each was printed");
    for (name, value) in
        [("CommitRetried", "drift"), ("CredentialMismatch", "yes"), ("CredentialMismatch", "no")]
    {
        assert!(seen[name].contains(value), "{name} of {value}, which an alarm names");
    }
    let directive = |dimensions: Value, unit: &str| {
        let directive =
            json!({ "Namespace": "N", "Dimensions": dimensions, "Metrics": [{ "Name": "M", "Unit": unit }] });
        json!({ "_aws": { "Timestamp": 1, "CloudWatchMetrics": [directive] } })
    };
    let tried = [
        directive(json!([["D"]]), "Count"),
        directive(json!([["D"]]), "Nanoseconds"),
        directive(json!([]), "Count"),
        json!({ "_aws": { "CloudWatchMetrics": [] } }),
    ];
    let schema = root().join(SCHEMA);
    let broken: Vec<bool> = violations(&schema, &tried).iter().map(|found| !found.is_empty()).collect();
    assert_eq!(broken, [false, true, true, true]);
}

/// How many series there are at most, and how many metrics alarms watch: of a stack without a portal, and what a portal adds.
pub(crate) fn series_and_watched() -> [(usize, usize); 2] {
    let of = |(name, _, dimension, _): &(&str, _, Option<&str>, _)| {
        dimension.map_or(1, |dimension| values(name, dimension).len())
    };
    let series = |is_of_portal: bool| {
        METRICS.iter().filter(|(name, ..)| name.starts_with("Portal") == is_of_portal).map(of).sum()
    };
    let (without, with) = (Ops::of(false).of_alarms().len(), Ops::read().of_alarms().len());
    [(series(false), without), (series(true), with - without)]
}

#[test]
fn series_alarms_and_dashboard_cost_what_is_told_and_no_more_than_thirty_five_dollars_a_month() {
    let [(series, watched), (series_more, watched_more)] = series_and_watched();
    let cents = 30 * series + 10 * watched + 300;
    let more = 30 * series_more + 10 * watched_more;
    assert!(
        cents + more <= 3_500,
        "{series} series and {watched} watched metrics cost {cents} cents, a portal {more}"
    );
    let usd = |cents: usize| format!("{}.{:02} USD", cents / 100, cents % 100);
    let told = format!(
        "at most {series} series at 0.30 USD, {watched} metrics watched by alarms at 0.10 and a dashboard at 3.00: {} a month \
         for each stage in a region. A portal adds {series_more} series and {watched_more} watched metrics: {}",
        usd(cents),
        usd(more)
    );
    let readme = read("infra/README.md").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(readme.contains(&told), "infra/README.md says: {told}");
}

/// The lines that Lambda hands on to CloudWatch: it takes one without a level, or with none that it knows, for INFO, and
/// drops what is below `ApplicationLogLevel`.
fn handed_on<'a>(printed: &'a [Value], application_log_level: &str) -> Vec<&'a Value> {
    let order = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
    let rank = |level: &str| order.iter().position(|known| *known == level);
    let least = rank(application_log_level).unwrap();
    let level = |line: &Value| line["level"].as_str().and_then(rank).or(rank("INFO")).unwrap();
    printed.iter().filter(|line| level(line) >= least).collect()
}

/// What an ingest function prints at a level of ours while two strangers knock: one without a credential, one with a wrong one.
async fn printed_at(level: &str) -> Vec<Value> {
    let keys = PrivateKey::generate().unwrap().public().to_string();
    let wire = Wire::stub(at_once).await;
    let mut settings = ingest_settings(&wire.url, STACK, STACK, &keys);
    settings.push((LEVEL.to_owned(), level.to_owned()));
    let mut lambda = Lambda::start().await;
    let binary = built().join("ingest-delivery");
    let function = Function::start(binary, &lambda.address, &wire.url, &settings);
    for (authorization, status) in [("", 401), ("Basic eDp5", 503)] {
        let answer = lambda.invoke(gateway_event("delivery", authorization, "{}")).await;
        assert_eq!(answer["statusCode"], status);
    }
    let printed = function.kill().await;
    printed.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn at_every_log_level_metrics_get_through_and_lines_below_it_do_not() {
    let app = template("app.yaml");
    let logging = &app["Resources"]["IngestDelivery"]["Properties"]["LoggingConfig"];
    let [_, of_debug, of_others] = logging["ApplicationLogLevel"]["Fn::If"].as_array().unwrap().as_slice()
    else {
        panic!("{logging}");
    };
    let says = |lines: &[&Value], words: &str| {
        lines
            .iter()
            .filter(|line| line["fields"]["message"].as_str().is_some_and(|it| it.contains(words)))
            .count()
    };
    let counts =
        |lines: &[&Value], metric: &str| lines.iter().filter(|line| line.get(metric).is_some()).count();
    for (place, level) in ["ERROR", "WARN", "INFO", "DEBUG", "LOUD"].into_iter().enumerate() {
        let printed = printed_at(level).await;
        let application = if level == "DEBUG" { of_debug } else { of_others };
        let lines = handed_on(&printed, application.as_str().unwrap());
        assert_eq!(counts(&lines, "EventsRejected"), 2, "{level}: {printed:?}");
        assert_eq!(counts(&lines, "CredentialMismatch"), 1, "{level}: {printed:?}");
        assert_eq!(says(&lines, "wrong credential was answered 503"), usize::from(place >= 1), "{level}");
        assert_eq!(says(&lines, "without a credential was refused"), usize::from(place >= 2), "{level}");
        assert_eq!(
            says(&lines, LEVEL),
            usize::from(level == "LOUD"),
            "{level}: what is no level is said once"
        );
        assert_eq!(
            counts(&handed_on(&printed, "WARN"), "EventsRejected"),
            0,
            "why Lambda's level is not ours"
        );
    }
}

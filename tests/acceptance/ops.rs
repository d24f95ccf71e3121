//! Operations: what alarms and dashboard name is what the functions print and AWS publishes, what the functions
//! print is what CloudWatch takes, every alarm has its section in the runbook, and what all of it costs.

use crate::fixtures;
use crate::house::{observed, read, root};
use clap::Parser as _;
use faults::{Fault, Plan};
use ingest::credential::PrivateKey;
use ledger::Source;
use platform::FailureKind;
use platform::metrics::{METRICS, NAMESPACE};
use postledger_tests::bodies::{bounce, delivery, lift, message};
use postledger_tests::emf::{SCHEMA, checked, emitted_by, is_measured, unit, values};
use postledger_tests::template::{template, violations};
use postledger_tests::{STACK, World, consumer, handle};
use queue::QueueName;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use store::Store as _;
use store::tables::Table;

/// What the template's parameters and resources stand for here.
const GIVEN: &[(&str, &str)] = &[
    ("Stack", "us-prod"),
    ("Stage", "prod"),
    ("ApiId", "a1b2c3"),
    ("SilenceHours", "6"),
    ("SetAsideMax", "0"),
    ("HeartbeatHours", "2"),
    ("DriftMax", "25"),
];

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

/// A text of the template, with what it refers to.
fn resolved(value: &Value) -> String {
    let of = |name: &str| GIVEN.iter().find(|(given, _)| *given == name).map(|(_, text)| (*text).to_owned());
    if let Some(name) = value["Ref"].as_str() {
        return of(name).unwrap_or_else(|| panic!("{name} is not given"));
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
            None => of(name).unwrap_or_else(|| name.to_owned()),
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
    fn read() -> Ops {
        let template = template("ops.yaml");
        let (mut alarms, mut dashboard) = (BTreeMap::new(), Value::Null);
        for (name, resource) in template["Resources"].as_object().unwrap() {
            match resource["Type"].as_str().unwrap() {
                "AWS::CloudWatch::Alarm" => drop(alarms.insert(name.clone(), resource["Properties"].clone())),
                "AWS::CloudWatch::Dashboard" => {
                    dashboard =
                        serde_json::from_str(&resolved(&resource["Properties"]["DashboardBody"])).unwrap();
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
                "QueueName" => QueueName::ALL.into_iter().any(|queue| queue.name() == of_stack(value)),
                "TableName" => Table::ALL.into_iter().any(|table| table.name() == of_stack(value)),
                "ApiId" => value == "a1b2c3",
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
            assert!(field == "message" || logged.contains(&format!("{field} = ")), "{field}");
        }
    }
    assert!(queries[0].contains("/was set aside/") && logged.contains("was set aside; see it"));
}

#[test]
fn every_alarm_notifies_and_has_its_section_in_the_runbook_whose_commands_exist() {
    let (ops, runbook) = (Ops::read(), read("infra/runbook.md"));
    let mut pointed_to = BTreeSet::new();
    for (name, alarm) in &ops.alarms {
        let description = resolved(&alarm["AlarmDescription"]);
        let (_, section) = description.split_once("infra/runbook.md#").unwrap();
        let alarm_name = resolved(&alarm["AlarmName"]);
        assert!(alarm_name.strip_prefix("us-prod-").unwrap().starts_with(section), "{name}");
        pointed_to.insert(section.to_owned());
        for actions in ["AlarmActions", "OKActions"] {
            assert_eq!(alarm[actions][0]["Fn::If"][1]["Ref"], "AlarmTopicArn", "{name}: {actions}");
        }
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
    let headings: BTreeSet<String> =
        sections.iter().map(|section| section.lines().next().unwrap().to_owned()).collect();
    assert_eq!(headings, pointed_to);
    for section in &sections {
        for part in ["**Meaning.**", "**First look.**", "**Remedy.**", "postledger "] {
            assert!(section.contains(part), "{part} in {}", section.lines().next().unwrap());
        }
    }
    let titles: Vec<&str> = ["metric", "log"]
        .into_iter()
        .flat_map(|kind| ops.widgets(kind))
        .flat_map(|one| one["title"].as_str())
        .collect();
    for widget in runbook.replace("**", "").split('*').skip(1).step_by(2) {
        let widget = widget.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(titles.iter().any(|title| title.starts_with(&widget)), "no widget is titled {widget}");
    }
    let shown = ops.widgets("text").map(|widget| widget["markdown"].as_str().unwrap().to_owned());
    let mut commands = 0;
    for text in shown.chain([runbook]) {
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
    let knock = |world: &World, method: &str, headers: &[(&str, &str)]| {
        let request = world.request(method, "/v1/8123456/open");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        world.send(request.body(fixtures::read("bounce-hard.json")).unwrap()).status().as_u16()
    };
    let valid = world.authorization("8123456.1");
    let by_older = ingest::credential::basic(
        "8123456.1".parse().unwrap(),
        &older.password(STACK, "8123456.1".parse().unwrap()).unwrap(),
    );
    assert_eq!(knock(&world, "POST", &[("authorization", &valid), ("x-pm-retries-remaining", "2")]), 200);
    assert_eq!(knock(&world, "POST", &[("authorization", &by_older)]), 200);
    assert_eq!(knock(&world, "PUT", &[("authorization", &valid)]), 405);
    assert_eq!(knock(&world, "POST", &[]), 401);
    assert_eq!(knock(&world, "POST", &[("authorization", "Basic eDp5")]), 503);
    assert_eq!(knock(&world, "POST", &[("authorization", "Basic eDp5"), ("user-agent", "Postmark")]), 503);
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
            store.commit(vec![store::Action::PutView(view, Some(stored))]).await.unwrap();
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

#[test]
fn series_alarms_and_dashboard_cost_what_is_told_and_no_more_than_thirty_five_dollars_a_month() {
    let ops = Ops::read();
    let series: usize = METRICS
        .iter()
        .map(|(name, _, dimension, _)| dimension.map_or(1, |dimension| values(name, dimension).len()))
        .sum();
    let watched = ops.of_alarms().len();
    let cents = 30 * series + 10 * watched + 300;
    assert!(cents <= 3_500, "{series} series and {watched} watched metrics cost {cents} cents");
    let told = format!(
        "at most {series} series at 0.30 USD, {watched} metrics watched by alarms at 0.10 and a dashboard at 3.00: {}.{:02} USD a month",
        cents / 100,
        cents % 100
    );
    let readme = read("infra/README.md").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(readme.contains(&told), "infra/README.md says: {told}");
}

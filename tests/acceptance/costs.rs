//! What a month costs: `docs/costs.md` against what the functions really ask of AWS and print, its bill against its own
//! prices, and the bill that `README.md` names.

use crate::house::read;
use crate::ops::series_and_watched;
use credential::{PrivateKey, User, basic};
use fastrand::Rng;
use postledger_tests::STACK;
use postledger_tests::bodies::many_like;
use postledger_tests::emulator::root;
use postledger_tests::lambda::{
    Function, Lambda, built, consumer, failures, gateway_event, ingest_settings, sqs_event,
};
use postledger_tests::meter::size;
use postledger_tests::template::template;
use postledger_tests::wire::{Wire, at_once};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// What CloudWatch adds to each line of a log, in bytes.
const LINE_BYTES: f64 = 26.0;
/// What DynamoDB adds to each item that it stores, in bytes.
const ITEM_BYTES: f64 = 100.0;
const HOURS: f64 = 730.0;
/// How many calls Lambda has open at an idle queue.
const POLLS: f64 = 5.0;
/// How long each of them waits, in seconds.
const POLL_SECONDS: f64 = 20.0;

/// The rows of the first table under a heading: what a row begins with, and its numbers.
fn rows(heading: &str) -> Vec<(String, Vec<f64>)> {
    let document = read("docs/costs.md");
    let (_, section) = document.split_once(&format!("\n## {heading}\n")).unwrap();
    let lines = section.lines().skip_while(|line| !line.starts_with('|'));
    let mut rows = Vec::new();
    for line in lines.take_while(|line| line.starts_with('|')).skip(2) {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let name = cells.next().unwrap().to_owned();
        rows.push((name, cells.filter_map(|cell| cell.replace(',', "").parse().ok()).collect()));
    }
    rows
}

/// One column of a table, by the names of its rows.
struct Column(BTreeMap<String, f64>);

impl Column {
    fn of(heading: &str, place: usize) -> Column {
        Column(rows(heading).into_iter().map(|(name, numbers)| (name, numbers[place])).collect())
    }

    fn get(&self, name: &str) -> f64 {
        *self.0.get(name).unwrap_or_else(|| panic!("docs/costs.md has no row {name}"))
    }
}

/// Lines with what CloudWatch adds to them.
fn log_bytes(printed: &str) -> f64 {
    printed.lines().map(|line| line.len() as f64 + LINE_BYTES).sum()
}

fn fixture(name: &str) -> Value {
    let path = root().join(format!("shared/postmark/fixtures/{name}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// What one event takes in the consumer.
struct Measured {
    writes: f64,
    reads: f64,
    log: f64,
    item: f64,
    index: f64,
}

/// What a consumer's own binary asks of AWS and prints for events like a fixture's, in batches of a size.
async fn in_consumer(binary: &Path, name: &str, queue: &str, batch: usize) -> Measured {
    const INVOCATIONS: usize = 20;
    let stored: Arc<Mutex<Vec<Map<String, Value>>>> = Arc::default();
    let seen = stored.clone();
    let wire = Wire::stub(move |operation, input| {
        for action in input["TransactItems"].as_array().into_iter().flatten() {
            if let Some(item) = action["Put"]["Item"].as_object()
                && item.contains_key("message")
            {
                seen.lock().unwrap().push(item.clone());
            }
        }
        at_once(operation, input)
    })
    .await;
    let mut lambda = Lambda::start().await;
    let function = consumer(binary.to_owned(), &lambda, &wire.url, "costs", false);
    let (fixture, mut rng) = (fixture(name), Rng::with_seed(7));
    for invocation in 0..=INVOCATIONS {
        if invocation == 1 {
            // The first one also notes what is noted once.
            wire.metered();
        }
        let bodies = many_like(&fixture, batch, &mut rng);
        let ids: Vec<String> = (0..batch).map(|place| format!("message-{place:032}")).collect();
        let messages = ids.iter().map(String::as_str).zip(bodies.iter().map(String::as_str));
        assert!(failures(&lambda.invoke(sqs_event(&format!("costs-{queue}"), messages)).await).is_empty());
    }
    let meter = wire.metered();
    let events = (INVOCATIONS * batch) as f64;
    let log = log_bytes(&function.kill().await) / (events + batch as f64);
    let stored = stored.lock().unwrap();
    let mean = |bytes: &dyn Fn(&Map<String, Value>) -> u64| {
        stored.iter().map(bytes).sum::<u64>() as f64 / stored.len() as f64 + ITEM_BYTES
    };
    let in_index = |item: &Map<String, Value>| {
        let keys = ["pk", "sk", "message", "at"].map(|name| (name.to_owned(), item[name].clone()));
        size(&Value::Object(Map::from_iter(keys)))
    };
    Measured {
        writes: (meter.all_writes() + meter.all_index_writes()) as f64 / events,
        reads: meter.all_reads() as f64 / events,
        log,
        item: mean(&|item| size(&Value::Object(item.clone()))),
        index: mean(&in_index),
    }
}

/// What a door's own binary prints for an event that it takes in.
async fn door_log(binary: &Path) -> f64 {
    const INVOCATIONS: usize = 20;
    let key = PrivateKey::generate().unwrap();
    let user: User = "8123456.1".parse().unwrap();
    let wire = Wire::stub(at_once).await;
    let settings = ingest_settings(&wire.url, STACK, STACK, &key.public().to_string());
    let mut lambda = Lambda::start().await;
    let function = Function::start(binary.to_owned(), &lambda.address, &wire.url, &settings);
    let authorization = basic(user, &key.password(STACK, user).unwrap());
    let body = fixture("delivery-current").to_string();
    for _ in 0..INVOCATIONS {
        let answer = lambda.invoke(gateway_event("delivery", &authorization, &body)).await;
        assert_eq!(answer["statusCode"], 200, "{answer}");
    }
    let printed = function.kill().await;
    assert_eq!(printed.lines().count(), 3 * INVOCATIONS, "three lines of metrics and no other: {printed}");
    log_bytes(&printed) / INVOCATIONS as f64
}

/// A line of the access log, as long as they are.
fn access_log() -> f64 {
    let app = template("app.yaml");
    let format = app["Resources"]["HttpStage"]["Properties"]["AccessLogSettings"]["Format"].clone();
    let mut line = format.as_str().unwrap().to_owned();
    for (variable, value) in [
        ("$context.requestId", "JKJaXmPLvHcESHA="),
        ("$context.routeKey", "POST /v1/{server}/delivery"),
        ("$context.status", "200"),
        ("$context.responseLatency", "12"),
        ("$context.integrationErrorMessage", "-"),
        ("$context.identity.sourceIp", "18.217.206.57"),
    ] {
        assert!(line.contains(variable), "{variable}");
        line = line.replace(variable, value);
    }
    assert!(!line.contains('$'), "{line}");
    log_bytes(&line)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_event_takes_is_what_the_functions_ask_of_aws_and_print() {
    const HEADING: &str = "What one event takes";
    let folder = built();
    let (binary, mut found) = (folder.join("consumer"), BTreeMap::<&str, Vec<f64>>::new());
    for place in 0..3 {
        let batch = Column::of(HEADING, place).get("deliveries, opens and clicks in a batch") as usize;
        let plain = in_consumer(&binary, "delivery-current", "bulk", batch).await;
        let stateful = in_consumer(&binary, "bounce-hard", "critical", 1).await;
        let mut row = |name, value| found.entry(name).or_default().push(value);
        row("write units, without state", plain.writes);
        row("write units, with state", stateful.writes);
        row("read units, without state", plain.reads);
        row("read units, with state", stateful.reads);
        row("bytes stored: the event", plain.item);
        row("bytes stored: its entry in the index by message", plain.index);
        row("bytes of log: consumer, without state", plain.log);
        row("bytes of log: consumer, with state", stateful.log);
        row("bytes of log: door", door_log(&folder.join("ingest-delivery")).await);
        row("bytes of log: access log", access_log());
    }
    for (name, measured) in &found {
        for (place, measured) in measured.iter().enumerate() {
            let told = Column::of(HEADING, place).get(name);
            let close = (told - measured).abs() <= (0.03 * measured).max(0.02);
            assert!(
                close,
                "{name}, column {place}: {told} is told, {measured:.2} measured; all: {found:.2?}"
            );
        }
    }
}

#[test]
fn batches_are_as_full_as_events_that_come_evenly_make_them() {
    let window = &template("app.yaml")["Resources"]["BulkMapping"]["Properties"];
    let (seconds, most) = (&window["MaximumBatchingWindowInSeconds"], &window["BatchSize"]);
    for place in 0..3 {
        let column = Column::of("What one event takes", place);
        let in_window = column.get("events a month") / HOURS / 3_600.0 * seconds.as_f64().unwrap();
        let expected = in_window.round().clamp(1.0, most.as_f64().unwrap());
        let told = column.get("deliveries, opens and clicks in a batch");
        assert!((told - expected).abs() < 1.5, "column {place}: {told} of {expected}");
    }
}

/// How many calls Lambda makes in a month at a queue to which nothing comes.
fn waiting() -> f64 {
    POLLS * HOURS * 3_600.0 / POLL_SECONDS
}

/// What a portal adds to a month's bill by the prices of a region, for an agency of a size.
fn bill_of_portal(of: &Column, price: &Column) -> Vec<(&'static str, f64)> {
    let (events, views) = (of.get("events a month"), Column::of("The portal", 0));
    let million = |amount: f64, of: &str| amount / 1e6 * price.get(of);
    let app = template("app.yaml");
    let days = app["Parameters"]["RetentionDays"]["Default"].as_f64().unwrap();
    let kept = events * days / (HOURS / 24.0) / 1e9;
    let memory = app["Resources"]["PortalFunction"]["Properties"]["MemorySize"].as_f64().unwrap() / 1_024.0;
    let [_, (series, watched)] = series_and_watched();
    let pages = views.get("pages looked at in a month");
    let seconds = views.get("milliseconds of a page") / 1_000.0;
    vec![
        ("the index by time: writes", million(events, "DynamoDB: million write units, on demand")),
        (
            "the index by time: storage, once 400 days are full",
            kept * of.get("bytes stored: the event") * price.get("DynamoDB: GB-month stored"),
        ),
        (
            "pages",
            million(pages, "API Gateway: million requests to an HTTP API")
                + million(pages, "Lambda: million requests")
                + million(pages * memory * seconds, "Lambda: million GB-seconds, x86")
                + million(
                    pages * views.get("read units of a page"),
                    "DynamoDB: million read units, on demand",
                ),
        ),
        ("waiting at the queue of mails", million(waiting(), "SQS: million requests")),
        ("waiting at the queue of webhooks", million(waiting(), "SQS: million requests")),
        (
            "alarms and metrics, at most",
            series as f64 * price.get("CloudWatch: metric and month")
                + watched as f64 * price.get("CloudWatch: metric watched by an alarm and month"),
        ),
    ]
}

/// A month's bill by the prices of a region, for an agency of a size.
fn bill(of: &Column, price: &Column) -> Vec<(&'static str, f64)> {
    let events = of.get("events a month");
    let state = of.get("of them with state (%)") / 100.0;
    let batch = of.get("deliveries, opens and clicks in a batch");
    let each = |name: &str| {
        (1.0 - state) * of.get(&format!("{name}, without state"))
            + state * of.get(&format!("{name}, with state"))
    };
    let million = |amount: f64, of: &str| amount / 1e6 * price.get(of);
    let lambda = |runs: f64, memory_gb: f64, ms: f64| {
        million(runs, "Lambda: million requests")
            + million(runs * memory_gb * ms / 1_000.0, "Lambda: million GB-seconds, x86")
    };
    let memory = |function: &str| {
        template("app.yaml")["Resources"][function]["Properties"]["MemorySize"].as_f64().unwrap() / 1_024.0
    };
    // A message is sent once; up to ten are received by a call, and deleted by another.
    let calls = 1.0 + 2.0 * ((1.0 - state) / batch.min(10.0) + state);
    let batches = events * ((1.0 - state) / batch + state);
    let logged =
        each("bytes of log: consumer") + of.get("bytes of log: door") + of.get("bytes of log: access log");
    let days = template("app.yaml")["Parameters"]["RetentionDays"]["Default"].as_f64().unwrap();
    let kept = events * days / (HOURS / 24.0) / 1e9;
    let event = of.get("bytes stored: the event");
    let [(series, watched), _] = series_and_watched();
    // Three queues are waited at; reconcile, watch and erase run by the clock.
    let idle = 3.0 * waiting();
    let scheduled = lambda(HOURS, memory("Reconcile"), 30_000.0)
        + lambda(4.0 * HOURS, memory("Watch"), 10_000.0)
        + lambda(HOURS / 24.0, memory("Erase"), 10_000.0);
    vec![
        ("API Gateway", million(events, "API Gateway: million requests to an HTTP API")),
        ("doors", lambda(events, memory("IngestDelivery"), of.get("milliseconds of a door"))),
        ("queues", million(events * calls, "SQS: million requests")),
        ("consumer", lambda(batches, memory("Consumer"), of.get("milliseconds of a batch in the consumer"))),
        (
            "tables: writes and reads",
            million(events * each("write units"), "DynamoDB: million write units, on demand")
                + million(events * each("read units"), "DynamoDB: million read units, on demand"),
        ),
        (
            "logs, kept for 90 days",
            events * logged / 1e9
                * (price.get("CloudWatch Logs: GB taken in")
                    + 3.0 * price.get("CloudWatch Logs: GB-month kept")),
        ),
        (
            "storage, once 400 days are full",
            kept * (event + of.get("bytes stored: its entry in the index by message"))
                * price.get("DynamoDB: GB-month stored"),
        ),
        ("recovery to any second", kept * event * price.get("DynamoDB: GB-month of point-in-time recovery")),
        (
            "alarms, metrics and dashboard, at most",
            series as f64 * price.get("CloudWatch: metric and month")
                + watched as f64 * price.get("CloudWatch: metric watched by an alarm and month")
                + price.get("CloudWatch: dashboard and month"),
        ),
        ("waiting at queues, and schedules", million(idle, "SQS: million requests") + scheduled),
    ]
}

/// A whole number as README writes it: 2,000,000.
fn with_commas(number: f64) -> String {
    let digits = format!("{number:.0}");
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}

#[test]
fn readme_names_the_bill_of_the_three_sizes_in_us_east_1() {
    let of = |size: usize| Column::of("What one event takes", size);
    let [small, middle, large] = [0, 1, 2].map(|size| {
        let usd: f64 = bill(&of(size), &Column::of("Prices", 0)).iter().map(|(_, usd)| usd).sum();
        (format!("{usd:.0}"), with_commas(of(size).get("events a month")))
    });
    let expected = format!(
        "At list prices in us-east-1, AWS bills {}, {} and {} USD a month for {}, {} and {} events a month",
        small.0, middle.0, large.0, small.1, middle.1, large.1
    );
    let readme = read("README.md").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(readme.contains(&expected), "README.md says: {expected}");
}

/// The lines of a bill's table: three sizes, each in two regions, and what they come to.
fn lines_of(
    bill: impl Fn(&Column, &Column) -> Vec<(&'static str, f64)>,
) -> (Vec<(&'static str, Vec<f64>)>, Vec<f64>) {
    let (mut lines, mut totals) = (BTreeMap::<usize, (&str, Vec<f64>)>::new(), Vec::new());
    for size in 0..3 {
        for region in 0..2 {
            let bill = bill(&Column::of("What one event takes", size), &Column::of("Prices", region));
            totals.push(bill.iter().map(|(_, usd)| usd).sum::<f64>());
            for (place, (name, usd)) in bill.into_iter().enumerate() {
                lines.entry(place).or_insert((name, Vec::new())).1.push(usd);
            }
        }
    }
    (lines.into_values().collect(), totals)
}

/// Whether the first table under a heading of the document is of these lines.
fn assert_told<'a>(heading: &str, lines: impl IntoIterator<Item = (&'a str, Vec<f64>)>) {
    let expected: Vec<String> = lines
        .into_iter()
        .map(|(name, usd)| {
            let usd: Vec<String> = usd.iter().map(|usd| format!("{usd:.2}")).collect();
            format!("| {name} | {} |", usd.join(" | "))
        })
        .collect();
    let document = read("docs/costs.md");
    let (_, section) = document.split_once(&format!("\n{heading}\n")).unwrap();
    let table = section.lines().skip_while(|line| !line.starts_with('|'));
    let told: Vec<&str> = table.take_while(|line| line.starts_with('|')).skip(2).collect();
    assert!(told == expected, "docs/costs.md tells another bill than this one:\n{}", expected.join("\n"));
}

#[test]
fn the_bill_is_what_prices_and_units_make() {
    let (lines, totals) = lines_of(bill);
    let millions: Vec<f64> = (0..6)
        .map(|place| Column::of("What one event takes", place / 2).get("events a month") / 1e6)
        .collect();
    let per_million = totals.iter().zip(millions).map(|(usd, millions)| usd / millions).collect();
    let all = lines.into_iter().chain([("**together**", totals), ("for a million events", per_million)]);
    assert_told("## The bill", all);
}

#[test]
fn what_a_portal_adds_is_what_prices_and_units_make_and_a_deployment_says_the_price_of_its_index() {
    let (lines, totals) = lines_of(bill_of_portal);
    assert_told("### What it adds", lines.into_iter().chain([("**together**", totals)]));
    let source = read("infra/deployment/portal.py");
    for (place, region) in ["us-east-1", "eu-west-1"].into_iter().enumerate() {
        let price = Column::of("Prices", place).get("DynamoDB: million write units, on demand");
        assert!(source.contains(&format!("\"{region}\": {price}")), "{region}: {price}");
    }
}

//! A suppression list of any length between reconcile's own binary and what it talks to: a Runtime API that hands it
//! one invocation, a Postmark that streams a dump, and a DynamoDB that shows the index of our list by pages of a
//! megabyte. Every row is made up when it is asked for, so that nobody but the function can hold the list.

use crate::lambda::{Function, Lambda, queue_settings, table_settings};
use crate::meter::{Meter, size};
use crate::process::{Share, cpu_ns, resident_kb, share_of};
use crate::wire::{Wire, at_once};
use crate::{SERVER, STACK, server_id};
use account::{ServerEntry, tokens_prefix};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream;
use ledger::event::Cause;
use ledger::fold::{Mark, StreamRow, StreamView, View};
use ledger::identity::IdentityParts;
use ledger::policy::StreamKind;
use ledger::{Identity, LedgerKey, RecipientId, Time, recipient_key};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use store::Collection;
use store::item::{self, Item, Key};
use tokio::net::TcpListener;

/// The function's timeout.
pub const TIMEOUT: Duration = Duration::from_secs(900);
/// The function's memory, in megabytes.
pub const FUNCTION_MB: u32 = 256;
/// What a call of AWS takes within a region.
pub const CALL: Duration = Duration::from_millis(5);
/// As many bytes as a page of DynamoDB's has.
pub(crate) const PAGE_BYTES: u64 = 1_048_576;
/// How many rows of the dump are made up at once.
const CHUNK: u64 = 256;
/// The stream whose list it is.
pub(crate) const STREAM: &str = "outbound";
/// How long the server has been in the registry, in days: longer than Postmark's lists reach back.
const DAYS: i64 = 60;
/// Since when the first row is listed; each later one a microsecond later, so that a page tells where the next begins.
pub(crate) const SINCE: Time = Time::from_micros(1_767_225_600_000_000);

/// How the two lists differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Not at all: nothing is to be told.
    Equal,
    /// Ours is empty: everything is to be told.
    OursEmpty,
    /// Theirs is empty, which is not believed at first.
    TheirsEmpty,
}

impl Case {
    /// All of them.
    pub const ALL: [Case; 3] = [Case::Equal, Case::OursEmpty, Case::TheirsEmpty];

    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Case::Equal => "ours equals theirs",
            Case::OursEmpty => "ours is empty",
            Case::TheirsEmpty => "theirs is empty",
        }
    }
}

/// What a run took.
#[derive(Clone, Debug)]
pub struct Measured {
    /// From the invocation to its answer.
    pub elapsed: Duration,
    /// For how long the function had the CPU.
    pub cpu: Duration,
    /// The most memory that it had resident, in kilobytes.
    pub resident_kb: u64,
    /// Its calls of AWS by operation.
    pub aws: BTreeMap<String, u64>,
    /// Its calls of Postmark.
    pub postmark: u64,
    /// How many addresses it found on their list and not on ours.
    pub missing: u64,
    /// How many it found on ours and not on theirs.
    pub extra: u64,
    /// Of how many it put a fact on the queue.
    pub told: u64,
}

impl Measured {
    /// Its calls of AWS, all together.
    pub fn aws_calls(&self) -> u64 {
        self.aws.values().sum()
    }

    fn calls(&self, operation: &str) -> u64 {
        self.aws.get(operation).copied().unwrap_or_default()
    }
}

/// What the function is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// All the CPU that it wants, and answers at once.
    Everything,
    /// What Lambda gives to 256 MB, and answers after [`CALL`].
    AsOnLambda,
}

/// Runs reconcile's binary once over lists of so many rows.
///
/// # Panics
/// Where it finds or does anything but what the case demands, or cannot be held to a share of the CPU.
pub async fn run(binary: &Path, case: Case, rows: u64, given: Given) -> Measured {
    let of = |empty: Case| if case == empty { 0 } else { rows };
    let pause = if given == Given::AsOnLambda { CALL } else { Duration::ZERO };
    let aws = Wire::stub_after(pause, answers(of(Case::OursEmpty))).await;
    let postmark = Postmark::start(of(Case::TheirsEmpty)).await;
    let mut lambda = Lambda::start().await;
    lambda.give(TIMEOUT);
    let mut settings = table_settings(STACK);
    settings.extend(queue_settings(&aws.url, STACK));
    settings.push(("POSTLEDGER_TOKENS_PREFIX".to_owned(), tokens_prefix(STACK)));
    settings.push(("POSTLEDGER_POSTMARK".to_owned(), postmark.url));
    let function = Function::start(binary.to_owned(), &lambda.address, &aws.url, &settings);
    let pid = function.child.id().expect("a running process");
    lambda.asked().await;
    aws.metered();
    let share =
        (given == Given::AsOnLambda).then(|| Share::new(share_of(FUNCTION_MB)).expect("a control group"));
    share.iter().for_each(|share| share.hold(pid).expect("a running process"));
    let (begun, before) = (Instant::now(), cpu_ns(pid));
    let answer = lambda.invoke(json!({})).await;
    let (elapsed, cpu) = (begun.elapsed(), Duration::from_nanos(cpu_ns(pid) - before));
    let resident_kb = resident_kb(pid);
    let printed = function.kill().await;
    assert_eq!(answer, json!({ "servers": 1, "done": 1 }), "{printed}");
    let lines = printed.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let over = lines.map(|line| line["fields"].clone()).find(|fields| fields["run.told"].is_u64());
    let over = over.unwrap_or_else(|| panic!("it did not come to its end: {printed}"));
    let number = |name: &str| over[name].as_u64().unwrap_or_default();
    let Meter { calls, .. } = aws.metered();
    let measured = Measured {
        elapsed,
        cpu,
        resident_kb,
        aws: calls,
        postmark: postmark.calls.load(Ordering::Relaxed),
        missing: number("list.missing"),
        extra: number("list.extra"),
        told: number("run.told"),
    };
    let expected = match case {
        Case::Equal => (0, 0, 0),
        Case::OursEmpty => (rows, 0, rows),
        Case::TheirsEmpty => (0, rows, 0),
    };
    assert_eq!((measured.missing, measured.extra, measured.told), expected, "{case:?}: {printed}");
    assert_eq!(measured.calls("SendMessage"), measured.told, "{case:?}");
    measured
}

/// The address of a row.
pub(crate) fn address(row: u64) -> String {
    format!("r{row}@customer.example")
}

/// A Postmark with a suppression list and nothing else.
struct Postmark {
    url: String,
    calls: Arc<AtomicU64>,
}

impl Postmark {
    async fn start(rows: u64) -> Postmark {
        let calls = Arc::<AtomicU64>::default();
        let counted = calls.clone();
        let app = Router::new().fallback(async move |request: Request| {
            counted.fetch_add(1, Ordering::Relaxed);
            told(request.uri().path(), rows)
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Postmark { url, calls }
    }
}

/// What Postmark answers to a path.
fn told(path: &str, rows: u64) -> Response {
    match path {
        _ if path.ends_with("/suppressions/dump") => dump(rows),
        "/bounces" => listed("Bounces"),
        "/messages/outbound" => listed("Messages"),
        "/messages/outbound/opens" => listed("Opens"),
        "/messages/outbound/clicks" => listed("Clicks"),
        _ if path.starts_with("/stats/outbound/") => json!({ "Days": [] }).to_string().into_response(),
        _ => panic!("nobody asks Postmark for {path}"),
    }
}

/// A list without a row.
fn listed(name: &str) -> Response {
    json!({ "TotalCount": 0, name: [] }).to_string().into_response()
}

fn dump(rows: u64) -> Response {
    let row = |row: u64| {
        let comma = if row == 0 { "" } else { "," };
        let address = address(row);
        format!(
            r#"{comma}{{"EmailAddress":"{address}","SuppressionReason":"HardBounce","Origin":"Recipient","CreatedAt":"2026-01-01T00:00:00-05:00"}}"#
        )
    };
    let some =
        move |chunk: u64| -> String { (chunk * CHUNK..rows.min((chunk + 1) * CHUNK)).map(row).collect() };
    let chunks = (0..rows.div_ceil(CHUNK)).map(some);
    let all = [r#"{"Suppressions":["#.to_owned()].into_iter().chain(chunks).chain(["]}".to_owned()]);
    Body::from_stream(stream::iter(all.map(|text| Ok::<_, Infallible>(Bytes::from(text))))).into_response()
}

/// What AWS answers where our list has so many rows. Whatever is written is taken.
fn answers(rows: u64) -> impl Fn(&str, &Value) -> Value + Send + Sync {
    let key = LedgerKey::for_tests();
    let each = size(&listing(&key, 0));
    let page = PAGE_BYTES / each.max(1);
    move |operation, input| match operation {
        "GetParameter" if input["Name"] == format!("{}/{SERVER}", tokens_prefix(STACK)) => {
            json!({ "Parameter": { "Value": "token-of-a-server" } })
        }
        "Query" if input["IndexName"] == "suppressed" => index_page(&key, input, page, rows),
        "Query" if input["ExpressionAttributeValues"][":pk"]["S"] == Collection::Servers.pk() => {
            json!({ "Items": [registered()], "Count": 1, "ScannedCount": 1 })
        }
        "GetItem" if input["Key"]["pk"]["S"] == Collection::Servers.pk() => json!({ "Item": registered() }),
        "BatchGetItem" if rows > 0 => views(input),
        "BatchGetItem" => json!({ "Responses": {}, "UnprocessedKeys": {} }),
        _ => at_once(operation, input),
    }
}

/// The server's document in the registry.
fn registered() -> Value {
    let added_at = platform::now().plus_days(-DAYS);
    let mut entry = ServerEntry::new(server_id(SERVER), "A client", "A server", added_at);
    entry.streams.insert(STREAM.to_owned(), StreamKind::Transactional.into());
    let text = serde_json::to_string(&entry).expect("plain JSON");
    let item = Item::default().with("document", item::Value::S(text)).with("version", item::Value::N(1));
    wire((Collection::Servers.pk(), SERVER.to_string()), item)
}

/// The page of the index of our list that a query asks for, of at most so many rows.
pub(crate) fn index_page(key: &LedgerKey, input: &Value, most: u64, rows: u64) -> Value {
    let since = input["ExclusiveStartKey"]["since"]["N"].as_str().and_then(|text| text.parse().ok());
    let from = since.map_or(0, |since: i64| since - SINCE.micros() + 1);
    let page = input["Limit"].as_u64().map_or(most, |limit| limit.min(most));
    index(key, u64::try_from(from).expect("one of its rows"), page, rows)
}

/// A page of the index of our list.
fn index(key: &LedgerKey, from: u64, page: u64, rows: u64) -> Value {
    let to = rows.min(from + page);
    let items: Vec<Value> = (from..to).map(|row| listing(key, row)).collect();
    let mut answer = json!({ "Count": items.len(), "ScannedCount": items.len() });
    if let Some(last) = items.last().filter(|_| to < rows) {
        let names = ["pk", "sk", "suppressed", "since"];
        answer["LastEvaluatedKey"] = names.into_iter().map(|name| (name, last[name].clone())).collect();
    }
    answer["Items"] = items.into();
    answer
}

/// A row of our list.
pub(crate) fn listing(key: &LedgerKey, row: u64) -> Value {
    let (server, address) = (server_id(SERVER), address(row));
    let recipient = key.recipient_id(server, &recipient_key(&address));
    let since = Time::from_micros(SINCE.micros() + i64::try_from(row).expect("a number of rows"));
    let held = StreamRow { since, causes: vec![Cause::HardBounce.name()] };
    let item = item::of_row(server, STREAM, &held, Some(&address));
    wire(item::row_key(server, recipient, STREAM), item)
}

/// The views of recipients, all of them on our list.
fn views(input: &Value) -> Value {
    let mut responses = json!({});
    for (table, ask) in input["RequestItems"].as_object().into_iter().flatten() {
        let keys = ask["Keys"].as_array().into_iter().flatten();
        let ids = keys.filter_map(|key| key["pk"]["S"].as_str()?.split_once('#')?.1.parse().ok());
        responses[table] = ids.map(view).collect();
    }
    json!({ "Responses": responses, "UnprocessedKeys": {} })
}

pub(crate) fn view(recipient: RecipientId) -> Value {
    let server = server_id(SERVER);
    let told = IdentityParts::Observed { stream: STREAM, present: true, cause: Cause::HardBounce.name() };
    let mark = Mark { at: SINCE, event: Identity::of(server, recipient, SINCE, &told) };
    let listed = [(Cause::HardBounce, vec![mark])].into();
    let streams = [(STREAM.to_owned(), StreamView { listed, ..StreamView::default() })].into();
    let view = View { streams, events: 1, ..View::empty(server, recipient) };
    wire(item::view_key(server, recipient), item::of_view(&view))
}

/// An item as DynamoDB's API tells it.
pub(crate) fn wire((pk, sk): Key, item: Item) -> Value {
    let attribute = |value: item::Value| match value {
        item::Value::S(text) => json!({ "S": text }),
        item::Value::N(number) => json!({ "N": number.to_string() }),
        item::Value::B(bytes) => json!({ "B": STANDARD.encode(bytes) }),
        item::Value::Bool(flag) => json!({ "BOOL": flag }),
    };
    let mut all: Value = item.into_attributes().map(|(name, value)| (name, attribute(value))).collect();
    all["pk"] = json!({ "S": pk });
    all["sk"] = json!({ "S": sk });
    all
}

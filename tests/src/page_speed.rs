//! The portal's own binary between a Runtime API, which hands it what a gateway would, and an AWS in which an agency of many
//! servers has mail: what a warm page costs it, and how much goes to the browser.
//!
//! Most of that AWS is the emulator. What it was asked once it is not asked again, and a list of suppressions of any length
//! is made up row by row, so that nobody waits for either.

use crate::api_speed::gateway_request;
use crate::bodies::{bounce, envelope_at};
use crate::deployed::aws_json;
use crate::emulator::{Emulator, make_tables};
use crate::lambda::{Function, Lambda, queue_settings, table_settings};
use crate::process::{cpu_ns, resident_kb};
use crate::reconcile_memory::{PAGE_BYTES, STREAM, index_page, listing};
use crate::wire::{Wire, at_once};
use crate::{SERVER, STACK, server_id};
use account::{Registry, ServerEntry};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consumer::{Consumer, Incoming, Settings};
use ledger::policy::{SoftBouncePolicy, StreamKind};
use ledger::{LedgerKey, Source, recipient_key};
use people::{Access, Session, User};
use queue::QueueName;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::DynamoDb;

/// Whose mail it is that is looked at.
const RECIPIENT: usize = 7;
/// How many other recipients have mail.
const RECIPIENTS: usize = 40;
/// How many deliveries each of them was sent.
const DELIVERIES: usize = 4;
/// Where the portal is.
const URL: &str = "https://portal.example";

/// The pages that are measured: what each is, and its path.
pub fn pages() -> Vec<(&'static str, String)> {
    let of_server = |page: &str| format!("/servers/{SERVER}{page}");
    let address = format!("r{RECIPIENT}@customer.example");
    let id = LedgerKey::for_tests().recipient_id(server_id(SERVER), &recipient_key(&address));
    vec![
        ("all servers", "/".to_owned()),
        ("a server's overview", of_server("")),
        ("a recipient", of_server(&format!("/recipients/{id}"))),
        ("activity", of_server("/activity")),
        ("suppressions", of_server("/suppressions")),
        ("statistics", of_server("/statistics")),
    ]
}

/// What a page took.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// For how long the function had the CPU, for each time that the page was asked for.
    pub cpu: Vec<Duration>,
    /// From each request to its answer, the stub's work and the Runtime API's included.
    pub elapsed: Vec<Duration>,
    /// What the browser is sent for the page, packed, in bytes.
    pub page_bytes: usize,
    /// What it is sent for its style, packed, in bytes.
    pub style_bytes: usize,
    /// How many calls of AWS it takes.
    pub calls: u64,
}

/// A running portal, and somebody who is signed in.
pub struct PageBench {
    lambda: Lambda,
    aws: Wire,
    function: Function,
    cookie: String,
}

impl PageBench {
    /// Starts the function over an agency of so many servers, one of which has so many suppressions.
    ///
    /// # Panics
    /// Where the emulator is not installed, or the function does not start.
    pub async fn start(binary: &Path, servers: i64, rows: u64) -> PageBench {
        let store = Arc::new(make_tables(&Emulator::enforcing().url, STACK, true).await);
        tell(&store).await;
        register(&store, servers).await;
        let cookie = sign_in(&store).await;
        let aws = Wire::stub(answers(rows)).await;
        let mut lambda = Lambda::start().await;
        let function = Function::start(binary.to_owned(), &lambda.address, &aws.url, &settings(&aws.url));
        lambda.asked().await;
        PageBench { lambda, aws, function, cookie }
    }

    /// Asks for a page so often, and for its style once.
    ///
    /// # Panics
    /// Where it is not shown.
    pub async fn page(&mut self, path: &str, times: usize) -> Measured {
        let mut measured = Measured::default();
        for _ in 0..times {
            self.aws.metered();
            let (begun, before) = (Instant::now(), self.cpu());
            let answer = self.get(path).await;
            measured.elapsed.push(begun.elapsed());
            measured.cpu.push(self.cpu() - before);
            measured.calls = self.aws.metered().calls.values().sum();
            let (bytes, page) = unpacked(&answer);
            assert!(page.contains("</html>"), "{path}: {page}");
            measured.page_bytes = bytes;
            let style = page
                .split_once("<link rel=\"stylesheet\" href=\"")
                .and_then(|(_, rest)| rest.split_once('"'));
            let style = self.get(style.expect("a style").0).await;
            measured.style_bytes = unpacked(&style).0;
        }
        measured
    }

    /// The most memory that the function had resident, in kilobytes.
    pub fn resident_kb(&self) -> u64 {
        resident_kb(self.pid())
    }

    fn pid(&self) -> u32 {
        self.function.child.id().expect("a running process")
    }

    fn cpu(&self) -> Duration {
        Duration::from_nanos(cpu_ns(self.pid()))
    }

    async fn get(&mut self, path: &str) -> Value {
        let mut event = gateway_request("GET", path, "", "");
        event["headers"] =
            json!({ "host": "portal.example", "accept-encoding": "gzip", "sec-fetch-site": "none" });
        event["cookies"] = json!([self.cookie]);
        let answer = self.lambda.invoke(event).await;
        assert_eq!(answer["statusCode"], 200, "{path}: {answer}");
        answer
    }
}

/// What a start took until the function asked for its first event: CPU, and time.
///
/// # Panics
/// Where it does not start.
pub async fn init(binary: &Path, endpoint: &str) -> (Duration, Duration) {
    let mut lambda = Lambda::start().await;
    let begun = Instant::now();
    let function = Function::start(binary.to_owned(), &lambda.address, endpoint, &settings(endpoint));
    let asked = lambda.asked().await;
    let cpu = Duration::from_nanos(cpu_ns(function.child.id().expect("a running process")));
    function.kill().await;
    (cpu, asked - begun)
}

/// What portal and read API read at their start, beside what Lambda sets.
pub fn settings(endpoint: &str) -> Vec<(String, String)> {
    let mut settings = table_settings(STACK);
    settings.extend(queue_settings(endpoint, STACK));
    let more = [
        ("API_URL", "https://api.example"),
        ("BY_TIME", "true"),
        ("PORTAL_NAME", "Mail"),
        ("PORTAL_URL", URL),
        ("RETENTION_DAYS", "400"),
        ("STACK", STACK),
    ];
    settings.extend(more.map(|(name, value)| (format!("POSTLEDGER_{name}"), value.to_owned())));
    settings.push(("POSTLEDGER_TOKENS_PREFIX".to_owned(), account::tokens_prefix(STACK)));
    settings.push(("POSTLEDGER_SOFT_BOUNCE_POLICY".to_owned(), SoftBouncePolicy::default().to_string()));
    settings
}

/// Bytes and text of an answer that is packed.
fn unpacked(answer: &Value) -> (usize, String) {
    assert_eq!(answer["isBase64Encoded"], true, "a packed answer is no text");
    let packed = STANDARD.decode(answer["body"].as_str().expect("a body")).expect("base64");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&packed[..]), &mut text).expect("a text");
    (packed.len(), text)
}

/// Tells the ledger of some days of mail, as the doors would.
async fn tell(store: &Arc<DynamoDb>) {
    let consumer =
        Consumer::new(store.clone(), Settings::new(LedgerKey::for_tests(), Arc::new(platform::now)));
    let mut bodies = Vec::new();
    for recipient in 0..RECIPIENTS {
        for n in 0..DELIVERIES {
            let at = platform::now().plus_seconds(-((recipient + n * 1_000) as i64) - 60).to_string();
            bodies.push(json!({ "RecordType": "Delivery", "MessageStream": STREAM, "ServerID": SERVER,
                "MessageID": format!("m{recipient}-{n}"), "Recipient": format!("r{recipient}@customer.example"),
                "DeliveredAt": at, "Details": "250 2.0.0 OK" }));
        }
    }
    let at = platform::now().plus_seconds(-30).to_string();
    bodies.push(bounce(RECIPIENT, RECIPIENT, &at, true));
    for some in bodies.chunks(10) {
        let messages: Vec<Incoming> = some
            .iter()
            .enumerate()
            .map(|(n, body)| Incoming {
                id: n.to_string(),
                body: envelope_at(Source::Webhook, body, platform::now()).encode(),
                trusted: true,
            })
            .collect();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        let failed = consumer.handle(QueueName::Critical, &messages, deadline).await;
        assert_eq!(failed, Vec::<String>::new(), "recorded");
    }
}

/// Registers so many servers, the one with mail first.
async fn register(store: &Arc<DynamoDb>, servers: i64) {
    let registry = Registry(&**store);
    for n in 0..servers {
        let (client, label) = (format!("Client {n}"), format!("Server {n}"));
        let mut entry =
            ServerEntry::new(server_id(SERVER + n), &client, &label, platform::now().plus_days(-60));
        entry.streams.insert(STREAM.to_owned(), StreamKind::Transactional.into());
        registry.put(&entry).await.expect("an entry");
    }
}

/// The cookie of an operator who is signed in.
async fn sign_in(store: &Arc<DynamoDb>) -> String {
    let (key, now) = (LedgerKey::for_tests(), platform::now());
    let user = User::invited(&key, "operator@agency.example", Access::operator(true, false), "test", now)
        .expect("a user");
    assert!(user.keep(&**store).await.expect("the registry"), "nobody had its id");
    let (_, secret) = Session::of_user(&**store, &user, now).await.expect("a session");
    format!("__Host-pl={}", secret.text())
}

/// What AWS answers where a list has so many rows: what is asked again is answered at once.
fn answers(rows: u64) -> impl Fn(&str, &Value) -> Value + Send + Sync {
    let key = LedgerKey::for_tests();
    let page = PAGE_BYTES / crate::meter::size(&listing(&key, 0)).max(1);
    let known: Mutex<HashMap<String, Value>> = Mutex::default();
    move |operation, input| match operation {
        "Query" if input["IndexName"] == "suppressed" => index_page(&key, input, page, rows),
        "GetItem" | "BatchGetItem" | "Query" => {
            let asked = format!("{operation} {input}");
            let found = known.lock().unwrap_or_else(PoisonError::into_inner).get(&asked).cloned();
            found.unwrap_or_else(|| {
                let answer = of_emulator(operation, input);
                known.lock().unwrap_or_else(PoisonError::into_inner).insert(asked, answer.clone());
                answer
            })
        }
        "GetQueueAttributes" => json!({ "Attributes": {
            "ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0",
        } }),
        _ => at_once(operation, input),
    }
}

fn of_emulator(operation: &str, input: &Value) -> Value {
    tokio::task::block_in_place(|| aws_json("dynamodb", &format!("DynamoDB_20120810.{operation}"), input))
}

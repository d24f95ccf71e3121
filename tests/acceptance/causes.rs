//! Why calls of AWS fail: a stand-in answers as AWS writes it, or does not answer, and door, consumer, read API and
//! commands tell the kind and AWS's code, count it once, and quote nothing.

use aws::{Access, Limits, Link};
use credential::{PrivateKey, Verifier, basic};
use embedded::{Parts, Stack};
use http::{HeaderMap, HeaderValue, Method};
use ingest::WebhookRequest;
use ledger::{LedgerKey, Source};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use platform::logs::testing::Logged;
use platform::{CallFailed, FailureKind};
use postledger_tests::bodies::{bounce, message};
use postledger_tests::command::{command, run, text};
use postledger_tests::postmark::unreached;
use postledger_tests::tls::{HOST, Tls};
use postledger_tests::{STACK, clock, handle};
use queue::{Queue as _, QueueError, QueueName, Sender as _, Sqs};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::dynamodb::Tables;
use store::prelude::*;
use store::{DynamoDb, StoreError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What AWS's messages may hold, and nobody is to be told.
const QUOTED: [&str; 4] = ["ida@customer.example", "arn:", "123456789012", "20260921T"];
const DENIED: &str = "User: arn:aws:sts::123456789012:assumed-role/ida@customer.example is not authorized to perform: \
                      ACTION on resource: arn:aws:x:eu-west-1:123456789012:y";
const EXPIRED: &str =
    "Signature expired: 20260921T101010Z is now earlier than 20260921T102010Z (20260921T102510Z - 5 min.)";

/// How the stand-in behaves.
#[derive(Clone, Copy)]
enum As {
    /// Answers by a status, AWS's code and a message.
    Tells(u16, &'static str, &'static str),
    /// Answers as a proxy on the way does.
    Page(u16),
    /// Takes the request and hangs up.
    HangsUp,
    /// Takes the request and says nothing.
    IsSilent,
    /// Shows a certificate of an authority that nobody knows.
    IsAStranger,
    /// Is called over TLS and speaks none.
    IsPlain,
    /// Is not there: nobody listens.
    IsGone,
    /// Has no address.
    HasNoAddress,
}

/// What is to be told of each.
const CASES: [(As, FailureKind, Option<&str>, bool); 15] = [
    (
        As::Tells(400, "com.amazon.coral.service#AccessDeniedException", DENIED),
        FailureKind::AccessDenied,
        Some("AccessDeniedException"),
        true,
    ),
    (As::Tells(403, "AccessDenied", DENIED), FailureKind::AccessDenied, Some("AccessDenied"), true),
    (
        As::Tells(400, "com.amazon.coral.availability#ThrottlingException", "Rate exceeded"),
        FailureKind::Throttled,
        Some("ThrottlingException"),
        false,
    ),
    (
        As::Tells(400, "com.amazon.coral.service#InvalidSignatureException", EXPIRED),
        FailureKind::ClockSkew,
        Some("InvalidSignatureException"),
        false,
    ),
    (
        As::Tells(400, "RequestExpired", "Request has expired."),
        FailureKind::ClockSkew,
        Some("RequestExpired"),
        false,
    ),
    (
        As::Tells(
            400,
            "com.amazon.coral.service#UnrecognizedClientException",
            "The security token is invalid.",
        ),
        FailureKind::Credentials,
        Some("UnrecognizedClientException"),
        false,
    ),
    (
        As::Tells(400, "ExpiredTokenException", "of ida@customer.example"),
        FailureKind::Credentials,
        Some("ExpiredTokenException"),
        false,
    ),
    (
        As::Tells(500, "InternalServerError", "ida@customer.example"),
        FailureKind::Fault,
        Some("InternalServerError"),
        false,
    ),
    (As::Tells(400, "ida@customer.example", "ida@customer.example"), FailureKind::Other, None, false),
    (As::Page(503), FailureKind::Fault, Some("503"), false),
    (As::HangsUp, FailureKind::Connection, None, false),
    (As::IsSilent, FailureKind::Timeout, None, false),
    (As::IsAStranger, FailureKind::Tls, Some("UnknownIssuer"), false),
    (As::IsPlain, FailureKind::Tls, Some("InvalidMessage"), false),
    (As::IsGone, FailureKind::Connection, Some("ConnectionRefused"), false),
];

/// Where a stand-in that behaves so is reached.
async fn stand_in(behaves: As) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    match behaves {
        As::IsGone => return format!("http://{address}"),
        // A label of more than 63 letters: no name service has such a name, or needs to be asked.
        As::HasNoAddress => return format!("http://{}.example", "x".repeat(64)),
        As::IsAStranger => {
            let mut strangers = Tls::new().before(listener);
            tokio::spawn(
                async move { while axum::serve::Listener::accept(&mut strangers).await.1.port() > 0 {} },
            );
            return format!("https://{HOST}:{}", address.port());
        }
        _ => {}
    }
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(served(stream, behaves));
        }
    });
    let scheme = if matches!(behaves, As::IsPlain) { "https" } else { "http" };
    format!("{scheme}://{address}")
}

async fn served(mut stream: TcpStream, behaves: As) {
    let (mut read, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(count) => read.extend_from_slice(&buffer[..count]),
        }
        let request = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = request.split_once("\r\n\r\n") else {
            if matches!(behaves, As::IsPlain) {
                let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
                return;
            }
            continue;
        };
        let of = |name: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.clone().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
        };
        let length = of("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        if body.len() < length {
            continue;
        }
        let answer = match behaves {
            As::Tells(status, code, message) => told(status, code, message, of("x-amz-target"), body),
            As::Page(status) => format!("HTTP/1.1 {status} X\r\ncontent-length: 6\r\n\r\n<html>"),
            As::HangsUp => return,
            _ => {
                std::future::pending::<()>().await;
                return;
            }
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
        read.clear();
    }
}

/// As AWS answers: JSON where the request names its target in a header, XML where it is a form.
fn told(status: u16, code: &str, message: &str, target: Option<String>, body: &str) -> String {
    let (media, body) = match &target {
        Some(target) => {
            let (service, operation) = target.split_once('.').unwrap();
            let service = ["DynamoDB", "SQS", "SSM"].into_iter().find(|name| service.contains(name)).unwrap();
            let message = message.replace("ACTION", &format!("{}:{operation}", service.to_lowercase()));
            (
                "application/x-amz-json-1.0",
                serde_json::json!({ "__type": code, "message": message }).to_string(),
            )
        }
        None => {
            let operation = body.split('&').find_map(|pair| pair.strip_prefix("Action=")).unwrap();
            let message = message.replace("ACTION", &format!("cloudformation:{operation}"));
            let code = code.rsplit('#').next().unwrap();
            let error = format!("<Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>");
            ("text/xml", format!("<ErrorResponse><Error>{error}</Error></ErrorResponse>"))
        }
    };
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\ncontent-type: {media}\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn link(endpoint: &str) -> Link {
    let limits = Limits {
        connect: Duration::from_secs(1),
        attempt: Duration::from_millis(400),
        operation: Duration::from_secs(2),
        attempts_max: 2,
    };
    Link::new(Access::of_emulator(endpoint, "eu-west-1"), limits)
}

fn store(endpoint: &str) -> DynamoDb {
    DynamoDb::new(link(endpoint), Tables::of_stack(STACK, false))
}

fn sqs(endpoint: &str) -> Sqs {
    let url = |name: QueueName| (name, format!("{endpoint}/123456789012/{}", name.name()));
    Sqs::new(link(endpoint), QueueName::ALL.map(url).into())
}

#[tokio::test]
async fn kind_and_code_come_through_the_ports_whatever_happens_on_the_way() {
    let no_address = (As::HasNoAddress, FailureKind::Connection, Some("HostNotFound"), false);
    for (place, (behaves, kind, code, has_action)) in CASES.into_iter().chain([no_address]).enumerate() {
        let endpoint = stand_in(behaves).await;
        let (store, sqs) = (store(&endpoint), sqs(&endpoint));
        let (rules, sent, received) =
            tokio::join!(store.rules(), sqs.send(QueueName::Bulk, "one"), sqs.receive(QueueName::Bulk, 1));
        let StoreError::Failed(of_store) = rules.unwrap_err() else { panic!("{place}") };
        let QueueError::Failed(of_send) = sent.unwrap_err() else { panic!("{place}") };
        let QueueError::Failed(of_receive) = received.unwrap_err() else { panic!("{place}") };
        let parameter = link(&endpoint).parameter("/postledger/key").await.unwrap_err();
        let of_parameter = CallFailed::behind(&parameter).unwrap().clone();
        let actions = ["dynamodb:GetItem", "sqs:SendMessage", "sqs:ReceiveMessage", "ssm:GetParameter"];
        for (failed, action) in [of_store, of_send, of_receive, of_parameter].iter().zip(actions) {
            assert_eq!((failed.kind(), failed.code()), (kind, code), "{place}: {action}");
            assert_eq!(failed.action(), has_action.then_some(action), "{place}");
            assert!(!QUOTED.iter().any(|quoted| failed.to_string().contains(quoted)), "{failed}");
        }
    }
}

/// Counts by name and value of the dimension.
#[derive(Default)]
struct Counts(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

impl Counts {
    fn taken(&self) -> BTreeMap<String, u64> {
        let counts = self.0.lock().unwrap();
        counts.iter().map(|(name, count)| (name.clone(), count.load(Ordering::Relaxed))).collect()
    }
}

impl Recorder for Counts {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let values = key.labels().map(|label| format!(" {}", label.value()));
        let name = [key.name().to_owned()].into_iter().chain(values).collect();
        Counter::from_arc(self.0.lock().unwrap().entry(name).or_default().clone())
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// What is logged, and counted, while a future runs.
fn observed<T>(future: impl Future<Output = T>) -> (T, Vec<Value>, BTreeMap<String, u64>) {
    let counts = Counts::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let logged = Logged::under(format!("info,{}", platform::logs::of_function()).as_str());
    let done = metrics::with_local_recorder(&counts, || runtime.block_on(future));
    let lines = logged.text();
    assert!(!QUOTED.iter().any(|quoted| lines.contains(quoted)), "{lines}");
    (done, lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), counts.taken())
}

/// A stack whose tables and queues are a stand-in.
fn stack(endpoint: &str, key: &PrivateKey) -> Stack {
    Stack::new(Parts {
        name: STACK.to_owned(),
        verifier: Arc::new(Verifier::new(STACK, [key.public()], []).unwrap()),
        queue: Arc::new(sqs(endpoint)),
        store: Arc::new(store(endpoint)),
        ledger_key: LedgerKey::for_tests(),
        vault: Arc::new(account::MemoryVault::default()),
        postmark: unreached(),
        clock: clock(),
        portal: None,
        signing: None,
    })
}

/// The lines of errors, each with the fields of its call; all at the level of errors.
fn told_of_calls(lines: &[Value]) -> Vec<(&str, Option<&str>, Option<&str>)> {
    let of_calls = lines.iter().filter(|line| !line["fields"]["call.kind"].is_null());
    let told = of_calls.map(|line| {
        assert_eq!(line["level"], "ERROR", "{line}");
        let field = |name: &str| line["fields"][name].as_str();
        (field("call.kind").unwrap(), field("call.code"), field("call.action"))
    });
    told.collect()
}

#[test]
fn a_door_a_consumer_and_the_read_api_log_the_cause_once_and_count_it_by_kind() {
    let key = PrivateKey::generate().unwrap();
    for (behaves, kind, code, has_action) in CASES {
        let event = bounce(1, 1, "2026-09-20T08:00:00Z", true);
        let (answers, lines, counts) = observed(async {
            let stack = stack(&stand_in(behaves).await, &key);
            let user = "8123456.1".parse().unwrap();
            let mut headers = HeaderMap::new();
            let credential = basic(user, &key.password(STACK, user).unwrap());
            headers.insert("authorization", HeaderValue::from_str(&credential).unwrap());
            let body = event.to_string();
            let path = "/v1/8123456/bounce";
            let webhook = WebhookRequest {
                method: &Method::POST,
                path,
                headers: &headers,
                body: body.as_bytes(),
                source_ip: None,
            };
            let at_door = stack.door(path).answer(webhook).await.status();
            let call = api::call::Call {
                method: &Method::GET,
                path: "/v1/servers",
                query: "",
                headers: &HeaderMap::new(),
                body: &[],
            };
            let who = account::audit::Who { kind: account::audit::WhoKind::Local, name: "x".to_owned() };
            let mistyped = api::call::Call { path: "/v1/serverz", ..call };
            let api = &stack.operator.api;
            let mistake = api.answer_to(api::Caller::operator(who.clone()), &mistyped).await;
            assert_eq!(mistake.status(), 404);
            let answer = api.answer_to(api::Caller::operator(who), &call).await;
            (at_door.as_u16(), answer.status().as_u16(), String::from_utf8(answer.into_body()).unwrap())
        });
        let (at_door, at_api, document) = answers;
        assert_eq!((at_door, at_api), (503, 503));
        let telling = |word: &str| word != "503" && document.contains(word);
        assert!(
            ![Some(kind.name()), code].into_iter().flatten().any(telling),
            "nobody outside is told: {document}"
        );
        let action = |action: &'static str| has_action.then_some(action);
        let one = |told| (kind.name(), code, action(told));
        assert_eq!(told_of_calls(&lines), [one("sqs:SendMessage"), one("dynamodb:Query")]);
        assert_eq!(counts[&format!("CallsFailed {}", kind.name())], 2);
        assert_eq!(counts.get("CallsRefused").copied(), (!kind.passes()).then_some(2));
        assert_eq!(counts["EnqueueFailed"], 1);
        assert_eq!(counts["ApiErrors5xx"], 1, "a mistake of whoever asks is none");

        let (failed, lines, counts) = observed(async {
            let stack = stack(&stand_in(behaves).await, &key);
            handle(&stack.consumer, QueueName::Critical, &[message(Source::Webhook, &event)], 5).await
        });
        assert_eq!(failed, ["0"], "it comes again");
        assert_eq!(told_of_calls(&lines), [one("dynamodb:GetItem")], "once, however often it is tried");
        let counted = counts[&format!("CallsFailed {}", kind.name())];
        assert!(counted >= 1 && (kind.passes() || counted == 1), "{counted}");
    }
}

#[test]
fn a_command_says_why_it_could_not_ask_aws_and_what_to_do_next() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (behaves, words) in [
        (
            CASES[1].0,
            ["(AccessDenied: cloudformation:DescribeStacks)", "permission cloudformation:DescribeStacks"],
        ),
        (CASES[3].0, ["clock here and the clock at AWS differ by minutes", "next: set the clock"]),
        (CASES[5].0, ["(UnrecognizedClientException)", "next: log in again"]),
        (CASES[2].0, ["AWS takes no more calls for now (ThrottlingException)", "next: wait"]),
        (As::IsAStranger, ["TLS failed", "(UnknownIssuer)"]),
        (As::IsGone, ["(ConnectionRefused)", "next: start an emulator there"]),
    ] {
        let endpoint = runtime.block_on(stand_in(behaves));
        let mut command = command();
        command.args(["queues", "--stack", "us-prod", "--region", "us-east-1", "--endpoint", &endpoint]);
        let output = run(&mut command, b"");
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(words.iter().all(|word| told.contains(word)), "{told}");
        assert!(!QUOTED.iter().any(|quoted| told.contains(quoted)), "{told}");
    }
}

//! The binary itself, as Lambda runs it: its own process, between a Runtime API and an SQS that both stand in
//! on loopback ports. What each answer is for each request is tested where the door is.
#![expect(clippy::unwrap_used, reason = "the helpers of tests, too, fail by panicking")]

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use ingest::credential::{PrivateKey, User, basic};
use queue::Envelope;
use serde_json::{Value, json};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

const STACK: &str = "us-prod";
const USER: &str = "8123456.1";
const ADDRESS: &str = "greta.duval@customer.example";
const CRITICAL_URL: &str = "https://sqs.us-east-1.amazonaws.com/123456789012/critical";
/// Longer than anything here takes, even on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("nothing came: {what}"))
}

async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// A stand-in for the Runtime API: hands out events, collects answers.
struct Lambda {
    address: String,
    events: mpsc::UnboundedSender<Value>,
    answers: mpsc::UnboundedReceiver<Value>,
}

impl Lambda {
    async fn start() -> Lambda {
        let (events, waiting) = mpsc::unbounded_channel::<Value>();
        let (answered, answers) = mpsc::unbounded_channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let count = Arc::new(AtomicUsize::new(0));
        let next = get(async move || {
            let Some(event) = waiting.lock().await.recv().await else {
                return StatusCode::GONE.into_response();
            };
            let id = format!("request-{}", count.fetch_add(1, Ordering::Relaxed));
            let headers = [
                ("lambda-runtime-aws-request-id", id.as_str()),
                ("lambda-runtime-deadline-ms", "9999999999999"),
                ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:it"),
            ];
            (headers, event.to_string()).into_response()
        });
        let failed = answered.clone();
        let response = post(async move |body: Bytes| {
            let _ = answered.send(serde_json::from_slice(&body).unwrap());
            StatusCode::ACCEPTED
        });
        let error = post(async move |body: Bytes| {
            let _ = failed.send(json!({"error": String::from_utf8_lossy(&body)}));
            StatusCode::ACCEPTED
        });
        let app = Router::new()
            .route("/2018-06-01/runtime/invocation/next", next)
            .route("/2018-06-01/runtime/invocation/{id}/response", response)
            .route("/2018-06-01/runtime/invocation/{id}/error", error);
        Lambda { address: serve(app).await, events, answers }
    }

    /// Status and body of the answer to an event.
    async fn invoke(&mut self, event: Value) -> (Value, Value) {
        self.events.send(event).unwrap();
        let answer = within("an answer", self.answers.recv()).await.unwrap();
        let body = answer["body"].as_str().unwrap_or_else(|| panic!("no answer of a door: {answer}"));
        (answer["statusCode"].clone(), serde_json::from_str(body).unwrap())
    }
}

/// A stand-in for SQS: answers what it is told to, collects sends.
struct FakeSqs {
    address: String,
    status: Arc<AtomicU16>,
    sends: mpsc::UnboundedReceiver<Value>,
}

impl FakeSqs {
    async fn start() -> FakeSqs {
        let (sent, sends) = mpsc::unbounded_channel();
        let status = Arc::new(AtomicU16::new(200));
        let told = status.clone();
        let app = Router::new().fallback(async move |method: Method, headers: HeaderMap, body: Bytes| {
            if method != Method::POST {
                return (StatusCode::NOT_FOUND, "");
            }
            assert_eq!(headers["x-amz-target"], "AmazonSQS.SendMessage");
            assert!(headers["authorization"].to_str().unwrap().contains("/us-east-1/sqs/aws4_request"));
            let _ = sent.send(serde_json::from_slice(&body).unwrap());
            (StatusCode::from_u16(told.load(Ordering::Relaxed)).unwrap(), r#"{"MessageId":"m1"}"#)
        });
        FakeSqs { address: serve(app).await, status, sends }
    }

    /// What has been sent since the last time.
    fn sent(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.sends.try_recv().ok()).collect()
    }
}

/// The function's process; killed when dropped.
struct Function {
    child: Child,
    /// All that it prints, read as it comes: a full pipe would stop it.
    printed: JoinHandle<String>,
}

impl Function {
    /// Starts it with an environment of its own.
    fn start(runtime_api: &str, sqs: &str, more: &[(&str, &str)]) -> Function {
        let mut child = command(runtime_api, sqs).envs(more.iter().copied()).spawn().unwrap();
        let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let printed = tokio::spawn(async move {
            let (mut printed, mut rest) = (Vec::new(), Vec::new());
            let read = tokio::join!(out.read_to_end(&mut printed), err.read_to_end(&mut rest));
            assert!(read.0.is_ok() && read.1.is_ok());
            printed.append(&mut rest);
            String::from_utf8(printed).unwrap()
        });
        Function { child, printed }
    }

    /// Waits for its end: how it ended, and what it printed.
    async fn end(mut self) -> (ExitStatus, String) {
        let status = within("the end of the function", self.child.wait()).await.unwrap();
        (status, within("the end of its output", self.printed).await.unwrap())
    }
}

fn command(runtime_api: &str, sqs: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ingest-bounce"));
    command
        .env_clear()
        .envs([
            ("AWS_LAMBDA_RUNTIME_API", runtime_api),
            ("AWS_LAMBDA_FUNCTION_NAME", "ingest-bounce"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            // The most talkative: not even then is anything private printed.
            ("AWS_LAMBDA_LOG_LEVEL", "TRACE"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "none"),
            ("AWS_SESSION_TOKEN", "none"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_ENDPOINT_URL", &format!("http://{sqs}")),
            ("POSTLEDGER_STACK", STACK),
            ("POSTLEDGER_CRITICAL_QUEUE_URL", CRITICAL_URL),
            ("POSTLEDGER_BULK_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/123456789012/bulk"),
            (
                "POSTLEDGER_QUARANTINE_QUEUE_URL",
                "https://sqs.us-east-1.amazonaws.com/123456789012/quarantine",
            ),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// A bounce, as API Gateway hands it on.
fn bounce(authorization: &str) -> Value {
    let body = json!({
        "RecordType": "Bounce",
        "MessageStream": "outbound",
        "ID": 692_586_407,
        "Type": "HardBounce",
        "TypeCode": 1,
        "MessageID": "7dc0521c-a785-4c7b-b689-49f56e1f5d22",
        "ServerID": 8_123_456,
        "Email": ADDRESS,
        "BouncedAt": "2024-10-25T07:07:12Z",
        "Inactive": true,
        "CanActivate": true,
    });
    json!({
        "version": "2.0",
        "routeKey": "POST /v1/{server}/bounce",
        "rawPath": "/v1/8123456/bounce",
        "rawQueryString": "",
        "headers": {"authorization": authorization, "content-type": "application/json"},
        "requestContext": {
            "http": {"method": "POST", "path": "/v1/8123456/bounce", "sourceIp": "3.134.147.250"},
            "stage": "$default",
            "timeEpoch": 1_729_840_032_000_i64,
        },
        "body": body.to_string(),
        "isBase64Encoded": false,
    })
}

#[tokio::test]
async fn the_binary_enqueues_a_bounce_and_asks_for_it_again_while_sqs_is_down() {
    let (mut lambda, mut sqs) = (Lambda::start().await, FakeSqs::start().await);
    let key = PrivateKey::generate().unwrap();
    let user: User = USER.parse().unwrap();
    let event = bounce(&basic(user, &key.password(STACK, user).unwrap()));
    let keys = key.public().to_string();
    let mut function = Function::start(&lambda.address, &sqs.address, &[("POSTLEDGER_PUBLIC_KEYS", &keys)]);

    assert_eq!(lambda.invoke(event.clone()).await, (json!(200), json!({"status": "accepted"})));
    let sent = sqs.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0]["QueueUrl"], CRITICAL_URL);
    let envelope = Envelope::decode(sent[0]["MessageBody"].as_str().unwrap()).unwrap();
    assert_eq!((envelope.server.get(), envelope.record_type.name()), (8_123_456, "Bounce"));
    assert!(envelope.body.get().contains(ADDRESS));

    sqs.status.store(500, Ordering::Relaxed);
    let again = json!({"status": "try_again", "reason": "queue"});
    assert_eq!(lambda.invoke(event.clone()).await, (json!(503), again));
    assert_eq!(sqs.sent().len(), 3, "three attempts");

    sqs.status.store(200, Ordering::Relaxed);
    assert_eq!(lambda.invoke(event).await.0, json!(200));
    assert_eq!(sqs.sent().len(), 1);

    function.child.start_kill().unwrap();
    let (_, printed) = function.end().await;
    for metric in ["\"EventsAccepted\":1", "\"EnqueueFailed\":1"] {
        assert!(printed.contains(metric), "{metric} in {printed}");
    }
    for secret in ["customer.example", "Basic ", "692586407"] {
        assert!(!printed.contains(secret), "{secret} was printed");
    }
}

#[tokio::test]
async fn a_variable_that_is_missing_or_unusable_is_named_and_not_quoted() {
    let keys = PrivateKey::generate().unwrap().public().to_string();
    for (name, more) in [
        ("POSTLEDGER_PUBLIC_KEYS", vec![]),
        ("POSTLEDGER_PUBLIC_KEYS", vec![("POSTLEDGER_PUBLIC_KEYS", "oddity")]),
        ("POSTLEDGER_DENIED", vec![("POSTLEDGER_PUBLIC_KEYS", &*keys), ("POSTLEDGER_DENIED", "oddity")]),
        ("POSTLEDGER_STACK", vec![("POSTLEDGER_PUBLIC_KEYS", &*keys), ("POSTLEDGER_STACK", "oddity/1")]),
    ] {
        // Nobody listens there; nothing is called before the configuration is read.
        let (status, printed) = Function::start("127.0.0.1:1", "127.0.0.1:1", &more).end().await;
        assert!(!status.success());
        assert!(printed.contains(name), "{name} in {printed}");
        assert!(!printed.contains("oddity"), "{printed}");
    }
}

//! A stand-in for Lambda: its Runtime API on a loopback port, and the functions' own binaries as processes.

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use queue::QueueName;
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;

/// Longer than anything here takes, even on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A future that comes to an end.
///
/// # Panics
/// Where it does not; names what did not come.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("nothing came: {what}"))
}

/// The Runtime API: hands out events, collects answers.
pub struct Lambda {
    /// Its host and port.
    pub address: String,
    timeout_ms: Arc<AtomicU64>,
    events: mpsc::UnboundedSender<Value>,
    answers: mpsc::UnboundedReceiver<Value>,
    asked: watch::Receiver<Option<Instant>>,
}

impl Lambda {
    /// Starts one.
    ///
    /// # Panics
    /// Where the machine has no port to give.
    pub async fn start() -> Lambda {
        let (events, waiting) = mpsc::unbounded_channel::<Value>();
        let (answered, answers) = mpsc::unbounded_channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let count = Arc::new(AtomicUsize::new(0));
        let timeout_ms = Arc::new(AtomicU64::new(30_000));
        let given = timeout_ms.clone();
        let (asks, asked) = watch::channel(None);
        let next = get(async move || {
            asks.send_if_modified(|first| first.is_none() && first.replace(Instant::now()).is_none());
            let Some(event) = waiting.lock().await.recv().await else {
                return StatusCode::GONE.into_response();
            };
            let id = format!("request-{}", count.fetch_add(1, Ordering::Relaxed));
            let now = u64::try_from(platform::now().micros()).unwrap_or_default() / 1_000;
            let deadline = (now + given.load(Ordering::Relaxed)).to_string();
            let headers = [
                ("lambda-runtime-aws-request-id", id.as_str()),
                ("lambda-runtime-deadline-ms", deadline.as_str()),
                ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:123456789012:function:it"),
            ];
            (headers, event.to_string()).into_response()
        });
        let failed = answered.clone();
        let response = post(async move |body: Bytes| {
            let _ = answered.send(serde_json::from_slice(&body).unwrap_or_default());
            StatusCode::ACCEPTED
        });
        let error = post(async move |body: Bytes| {
            let _ = failed.send(json!({ "error": String::from_utf8_lossy(&body) }));
            StatusCode::ACCEPTED
        });
        let app = Router::new()
            .route("/2018-06-01/runtime/invocation/next", next)
            .route("/2018-06-01/runtime/invocation/{id}/response", response)
            .route("/2018-06-01/runtime/invocation/{id}/error", error);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address").to_string();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Lambda { address, timeout_ms, events, answers, asked }
    }

    /// Gives the invocations that follow so much time.
    pub fn give(&self, timeout: Duration) {
        self.timeout_ms.store(timeout.as_millis().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// When a function first asked for an event: its init is over.
    ///
    /// # Panics
    /// Where none does.
    pub async fn asked(&mut self) -> Instant {
        let asked = within("a function", self.asked.wait_for(Option::is_some)).await;
        asked.ok().and_then(|at| *at).expect("a running stand-in")
    }

    /// The answer to an event; under `error` where the function failed.
    ///
    /// # Panics
    /// Where none comes, although the function had the time that it was given.
    pub async fn invoke(&mut self, event: Value) -> Value {
        self.events.send(event).expect("a listening function");
        let given = Duration::from_millis(self.timeout_ms.load(Ordering::Relaxed));
        let answer = tokio::time::timeout(PATIENCE.max(given), self.answers.recv()).await;
        answer.expect("an answer in time").expect("a running stand-in")
    }
}

/// The folder of all binaries, built by whatever profile this process was built by, and never older than the sources.
///
/// Beside tests they are built with everything that tests build: a crate that is built with other features is built anew,
/// the SDK with it.
///
/// # Panics
/// Where they do not build.
pub fn built() -> PathBuf {
    let me = std::env::current_exe().expect("my own path");
    let mut profile = me.parent().expect("a folder").to_owned();
    if profile.ends_with("deps") {
        profile.pop();
    }
    let mut build = std::process::Command::new(env!("CARGO"));
    // The members, and the simulator with the features that they ask for.
    build.args(["build", "--quiet", "--locked", "--package", "*", "--package", "postmark-simulator"]);
    build.current_dir(crate::emulator::root());
    // What cargo tells a test of its package is nothing that a build is told: a build script that asks for it (ring's does)
    // would run anew, and everything that stands on it, the SDK too, would be built anew each time.
    let of_the_test = |name: &str| {
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"]
            .iter()
            .any(|told| name.starts_with(told))
    };
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(of_the_test) {
            build.env_remove(name);
        }
    }
    build.args(if profile.ends_with("release") {
        ["--bins", "--release"].as_slice()
    } else {
        &["--all-targets"]
    });
    assert!(build.status().expect("cargo").success(), "the binaries do not build");
    profile
}

/// The folder of the functions as packages are made of it: each one's binary, without what only a debugger needs, in a
/// folder of its name. They are those of [`built`].
///
/// # Panics
/// Where they do not build, or cannot be written.
pub fn packages() -> &'static Path {
    static PACKAGES: OnceLock<PathBuf> = OnceLock::new();
    PACKAGES.get_or_init(|| {
        let (built, root) = (built(), crate::emulator::root());
        let packages = built.join("functions");
        for folder in std::fs::read_dir(root.join("functions")).expect("the functions").flatten() {
            let name = folder.file_name();
            if !folder.path().is_dir() {
                continue;
            }
            let package = packages.join(&name);
            std::fs::create_dir_all(&package).expect("a folder");
            let (from, to) = (built.join(&name), package.join("bootstrap"));
            // Without it they are three times as large, and work as well.
            let stripped = std::process::Command::new("strip").arg("-o").arg(&to).arg(&from).status();
            if !stripped.is_ok_and(|status| status.success()) {
                std::fs::copy(&from, &to).expect("a copy");
            }
        }
        packages
    })
}

/// A function's process; killed when dropped.
pub struct Function {
    /// The process.
    pub child: Child,
    /// All that it prints, read as it comes: a full pipe would stop it.
    printed: JoinHandle<String>,
}

impl Function {
    /// Starts a binary with nothing in its environment but what Lambda sets, for an endpoint of AWS, and more.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start<T: AsRef<OsStr>>(
        binary: PathBuf,
        runtime_api: &str,
        endpoint: &str,
        more: &[(T, T)],
    ) -> Function {
        let mut child = Command::new(&binary)
            .env_clear()
            .envs([
                ("AWS_LAMBDA_RUNTIME_API", runtime_api),
                ("AWS_LAMBDA_FUNCTION_NAME", "it"),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
                ("AWS_REGION", crate::emulator::REGION),
                ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
                ("AWS_SECRET_ACCESS_KEY", "none"),
                ("AWS_SESSION_TOKEN", "none"),
                ("AWS_EC2_METADATA_DISABLED", "true"),
                ("AWS_ENDPOINT_URL", endpoint),
            ])
            .envs(more.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
        let (mut out, mut err) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
        let printed = tokio::spawn(async move {
            let (mut printed, mut rest) = (Vec::new(), Vec::new());
            let read = tokio::join!(out.read_to_end(&mut printed), err.read_to_end(&mut rest));
            assert!(read.0.is_ok() && read.1.is_ok());
            printed.append(&mut rest);
            String::from_utf8_lossy(&printed).into_owned()
        });
        Function { child, printed }
    }

    /// Waits for its end: how it ended, and what it printed.
    ///
    /// # Panics
    /// Where it does not end.
    pub async fn end(mut self) -> (ExitStatus, String) {
        let status = within("the end of the function", self.child.wait()).await.expect("a status");
        (status, within("the end of its output", self.printed).await.expect("its output"))
    }

    /// Kills it, and waits for what it had printed.
    ///
    /// # Panics
    /// Where it does not end.
    pub async fn kill(mut self) -> String {
        let _ = self.child.start_kill();
        self.end().await.1
    }
}

/// A consumer's process for a stack at an endpoint.
pub fn consumer(binary: PathBuf, lambda: &Lambda, endpoint: &str, stack: &str, by_time: bool) -> Function {
    Function::start(binary, &lambda.address, endpoint, &consumer_settings(stack, by_time))
}

/// What a consumer reads at its start, beside what Lambda sets.
pub fn consumer_settings(stack: &str, by_time: bool) -> Vec<(String, String)> {
    let fixed = [
        ("POSTLEDGER_BY_TIME", by_time.to_string()),
        // The bodies of tests are of one day in 2026, and the process has the real clock.
        ("POSTLEDGER_RETENTION_DAYS", "36500".to_owned()),
        // Whoever sends what `sqs_event` hands on.
        ("POSTLEDGER_TRUSTED_SENDERS", "AROAEXAMPLE".to_owned()),
    ];
    table_settings(stack).into_iter().chain(fixed.map(|(name, value)| (name.to_owned(), value))).collect()
}

/// Where a stack's tables and its ledger key are, as functions read it at their start.
pub fn table_settings(stack: &str) -> Vec<(String, String)> {
    let tables = store::tables::Table::ALL.map(|table| {
        let name = table.name();
        (format!("POSTLEDGER_{}_TABLE", name.to_uppercase()), format!("{stack}-{name}"))
    });
    let key = ("POSTLEDGER_LEDGER_KEY_PARAMETER".to_owned(), postledger::aws::ledger_key_parameter(stack));
    tables.into_iter().chain([key]).collect()
}

/// Where a stack's queues are, as functions read it at their start.
pub fn queue_settings(endpoint: &str, stack: &str) -> Vec<(String, String)> {
    let url = |name: QueueName| {
        let variable = format!("POSTLEDGER_{}_QUEUE_URL", name.name().to_uppercase());
        (variable, format!("{endpoint}/000000000000/{}", name.in_stack(stack)))
    };
    QueueName::LIVE.map(url).into()
}

/// What an ingest function reads at its start, beside what Lambda sets: for a stack whose queues are at an endpoint.
pub fn ingest_settings(endpoint: &str, stack: &str, queues_of: &str, keys: &str) -> Vec<(String, String)> {
    let fixed = [("POSTLEDGER_STACK", stack), ("POSTLEDGER_PUBLIC_KEYS", keys)];
    let fixed = fixed.map(|(name, value)| (name.to_owned(), value.to_owned()));
    queue_settings(endpoint, queues_of).into_iter().chain(fixed).collect()
}

/// A webhook as API Gateway hands it to a function: payload format 2.0 of an HTTP API.
pub fn gateway_event(segment: &str, authorization: &str, body: &str) -> Value {
    let path = format!("/v1/{}/{segment}", crate::SERVER);
    json!({
        "version": "2.0",
        "routeKey": format!("POST /v1/{{server}}/{segment}"),
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"authorization": authorization, "content-type": "application/json"},
        "requestContext": {
            "http": {"method": "POST", "path": path, "sourceIp": "3.134.147.250"},
            "stage": "$default",
            "timeEpoch": 1_729_840_032_000_i64,
        },
        "body": body,
        "isBase64Encoded": false,
    })
}

/// A batch of messages (id and body) as an event source mapping hands it to a function.
pub fn sqs_event<'a>(queue: &str, messages: impl IntoIterator<Item = (&'a str, &'a str)>) -> Value {
    let record = |(id, body): (&str, &str)| {
        json!({
            "messageId": id,
            "receiptHandle": format!("receipt of {id}"),
            "body": body,
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": "1790008980000",
                "SenderId": "AROAEXAMPLE:it",
                "ApproximateFirstReceiveTimestamp": "1790008980001",
            },
            "messageAttributes": {},
            "md5OfBody": "0123456789abcdef0123456789abcdef",
            "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:eu-west-1:123456789012:{queue}"),
            "awsRegion": "eu-west-1",
        })
    };
    json!({ "Records": messages.into_iter().map(record).collect::<Vec<Value>>() })
}

/// The ids that an answer names as failed.
///
/// # Panics
/// Where it is no answer of a consumer.
pub fn failures(answer: &Value) -> Vec<String> {
    let failures = answer["batchItemFailures"].as_array().unwrap_or_else(|| panic!("no answer: {answer}"));
    failures.iter().filter_map(|one| one["itemIdentifier"].as_str().map(str::to_owned)).collect()
}

//! What lies between Postledger and AWS: a proxy that meters every request as AWS would bill it, and does what the
//! emulator behind it never does: conflicts, by plan or where transactions really meet, throttles, cuts answers off,
//! tears reads, and shows the stalest state to whoever does not ask for a consistent one.

use crate::contention::{Contention, Rejection};
use crate::meter::Meter;
use crate::tls::Tls;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use ledger::LedgerKey;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;

/// What happens to a call on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mishap {
    /// Nothing.
    None,
    /// A transaction meets another one: it is cancelled by one of its actions. Other calls go through.
    Conflict,
    /// AWS takes no more now: a transaction is cancelled, any other call refused.
    Throttle,
    /// AWS has a fault of its own.
    Fault,
    /// The connection breaks before AWS has the call.
    Lost,
    /// AWS does what it is asked, and the connection breaks before the answer is there.
    Cut,
    /// A query sees a transaction half applied: one of its items is not there yet.
    Torn,
    /// AWS has read only one of the keys that it was asked for, and says which it has not.
    Partial,
    /// AWS has the call and never answers, and never does it.
    HeldBefore,
    /// AWS does it, and never answers.
    HeldAfter,
    /// The caller may not do this.
    Denied,
}

/// Why a transaction that meets another one is cancelled: code and words.
const CONFLICT: (&str, &str) = ("TransactionConflict", "Transaction is ongoing for the item");

/// Decides about every call, by its operation.
pub type Plan = Arc<dyn Fn(&str) -> Mishap + Send + Sync>;

/// A running proxy.
pub struct Wire {
    /// Where it listens.
    pub url: String,
    /// What has gone through it.
    pub meter: Arc<Mutex<Meter>>,
    /// What it did, by mishap and operation; `Met` where a write met a transaction.
    pub mishaps: Arc<Mutex<BTreeMap<String, u64>>>,
}

/// What answers behind it.
#[derive(Clone)]
enum Behind {
    Upstream(String, Box<Client<HttpConnector, Full<Bytes>>>),
    /// Answers at once that all is done and nothing is there: for measuring whoever calls.
    Stub(Answers),
}

/// What a stub answers to an operation and its input; an error where it has a type.
type Answers = Arc<dyn Fn(&str, &Value) -> Value + Send + Sync>;

struct Proxy {
    behind: Behind,
    plan: Plan,
    /// How long every answer is held back.
    pause: Duration,
    /// Which writes meet, where they take the time that they take at AWS.
    contention: Option<Contention>,
    meter: Arc<Mutex<Meter>>,
    mishaps: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Wire {
    /// A proxy before an endpoint.
    ///
    /// # Panics
    /// Where the machine has no port to give.
    pub async fn before(upstream: &str, plan: Plan) -> Wire {
        Wire::before_with(upstream, plan, None).await
    }

    /// A proxy before an endpoint where every call takes the time that it takes at AWS, and transactions that meet
    /// meanwhile conflict.
    ///
    /// # Panics
    /// Where the machine has no port to give.
    pub async fn contended_before(upstream: &str, takes: Range<Duration>) -> Wire {
        Wire::before_with(upstream, Arc::new(|_| Mishap::None), Some(Contention::new(takes))).await
    }

    async fn before_with(upstream: &str, plan: Plan, contention: Option<Contention>) -> Wire {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let behind = Behind::Upstream(upstream.to_owned(), Box::new(client));
        let (listener, address) = bound().await;
        Wire::start(listener, format!("http://{address}"), behind, plan, Duration::ZERO, contention)
    }

    /// A stub that answers by a function of operation and input.
    ///
    /// # Panics
    /// Where the machine has no port to give.
    pub async fn stub(answer: impl Fn(&str, &Value) -> Value + Send + Sync + 'static) -> Wire {
        Wire::stub_after(Duration::ZERO, answer).await
    }

    /// A stub that holds back every answer for a pause.
    ///
    /// # Panics
    /// Where the machine has no port to give.
    pub async fn stub_after(
        pause: Duration,
        answer: impl Fn(&str, &Value) -> Value + Send + Sync + 'static,
    ) -> Wire {
        let (listener, address) = bound().await;
        let behind = Behind::Stub(Arc::new(answer));
        Wire::start(listener, format!("http://{address}"), behind, Arc::new(|_| Mishap::None), pause, None)
    }

    /// A stub where every call takes the time that it takes at AWS, under a plan of mishaps, and transactions that meet
    /// meanwhile conflict.
    ///
    /// # Panics
    /// Where the machine has no port to give.
    pub async fn contended_stub(
        takes: Range<Duration>,
        plan: Plan,
        answer: impl Fn(&str, &Value) -> Value + Send + Sync + 'static,
    ) -> Wire {
        let (listener, address) = bound().await;
        let (behind, url) = (Behind::Stub(Arc::new(answer)), format!("http://{address}"));
        Wire::start(listener, url, behind, plan, Duration::ZERO, Some(Contention::new(takes)))
    }

    /// A stub behind TLS, that holds back every answer for a pause.
    ///
    /// # Panics
    /// Where the machine has no port to give.
    pub async fn stub_over_tls(
        tls: &Tls,
        pause: Duration,
        answer: impl Fn(&str, &Value) -> Value + Send + Sync + 'static,
    ) -> Wire {
        let (listener, address) = bound().await;
        let url = format!("https://{}:{}", crate::tls::HOST, address.port());
        let behind = Behind::Stub(Arc::new(answer));
        Wire::start(tls.before(listener), url, behind, Arc::new(|_| Mishap::None), pause, None)
    }

    fn start<L>(
        listener: L,
        url: String,
        behind: Behind,
        plan: Plan,
        pause: Duration,
        contention: Option<Contention>,
    ) -> Wire
    where
        L: Listener<Addr = SocketAddr>,
    {
        let (meter, mishaps) = (Arc::<Mutex<Meter>>::default(), Arc::<Mutex<BTreeMap<_, _>>>::default());
        let (metered, counted) = (meter.clone(), mishaps.clone());
        let proxy = Arc::new(Proxy { behind, plan, pause, contention, meter: metered, mishaps: counted });
        let app = Router::new().fallback(move |request: Request| {
            let proxy = proxy.clone();
            async move { proxy.pass(request).await }
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Wire { url, meter, mishaps }
    }

    /// What has gone through since the last time.
    pub fn metered(&self) -> Meter {
        std::mem::take(&mut *self.meter.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Proxy {
    async fn pass(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let Ok(body) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        self.pause().await;
        if parts.method != Method::POST {
            // Whoever opens a connection ahead of its first call.
            return StatusCode::NOT_FOUND.into_response();
        }
        let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        let operation = target.unwrap_or_default().rsplit('.').next().unwrap_or_default().to_owned();
        let input: Value = serde_json::from_slice(&body).unwrap_or_default();
        // Held until there is an answer, or whoever asks has gone.
        let begun =
            self.contention.as_ref().map(|contention| contention.begin(&operation, &input)).transpose();
        if let Some(contention) = &self.contention {
            tokio::time::sleep(contention.time()).await;
        }
        let _held = match begun {
            Ok(held) => held,
            Err(refused) => {
                let body = met(refused);
                self.happened("Met", &operation);
                self.meter(&operation, &input, Some((StatusCode::BAD_REQUEST, &body)));
                return answer(StatusCode::BAD_REQUEST, &body);
            }
        };
        let mishap = (self.plan)(&operation);
        let refused = match mishap {
            Mishap::Conflict if operation == "TransactWriteItems" => Some(cancelled(&input, CONFLICT)),
            Mishap::Throttle if operation == "TransactWriteItems" => {
                Some(cancelled(&input, ("ThrottlingError", "Throughput exceeds the current capacity")))
            }
            Mishap::Throttle => Some(refusal(400, throttled(target))),
            Mishap::Fault => Some(refusal(500, "InternalServerError")),
            Mishap::Lost => Some(broken()),
            Mishap::Denied => Some(refusal(400, "AccessDeniedException")),
            Mishap::HeldBefore => std::future::pending().await,
            _ => None,
        };
        let torn = mishap == Mishap::Torn && operation == "Query";
        if refused.is_some() || torn || mishap == Mishap::Cut {
            self.happened(&format!("{mishap:?}"), &operation);
        }
        if let Some(refused) = refused {
            self.meter(&operation, &input, None);
            return refused;
        }
        if mishap == Mishap::Partial && operation == "BatchGetItem" {
            return self.partial(input, &parts.headers).await;
        }
        let (status, mut output) = match stalest(&operation, &input) {
            Some(empty) => (StatusCode::OK, empty),
            None => self.ask(&operation, &input, &parts.headers, told_cost(target, &input, body)).await,
        };
        self.meter(&operation, &input, Some((status, &output)));
        match mishap {
            Mishap::Cut => return broken(),
            Mishap::HeldAfter => std::future::pending().await,
            _ => {}
        }
        if torn
            && let Some(items) = output["Items"].as_array_mut()
            && !items.is_empty()
        {
            items.swap_remove(fastrand::usize(..items.len()));
        }
        answer(status, &output)
    }

    fn happened(&self, what: &str, operation: &str) {
        let mut mishaps = self.mishaps.lock().unwrap_or_else(PoisonError::into_inner);
        *mishaps.entry(format!("{what} {operation}")).or_default() += 1;
    }

    /// Waits as exactly as a thread can: a timer of the runtime would be up to a millisecond late.
    async fn pause(&self) {
        let pause = self.pause;
        if !pause.is_zero() {
            let waited = tokio::task::spawn_blocking(move || std::thread::sleep(pause));
            waited.await.expect("a thread");
        }
    }

    /// Asks for one of the keys; the others are left unprocessed.
    async fn partial(&self, mut input: Value, headers: &HeaderMap) -> Response {
        let mut left = input["RequestItems"].clone();
        for (table, ask) in input["RequestItems"].as_object_mut().into_iter().flatten() {
            if let Some(keys) = ask["Keys"].as_array_mut() {
                left[table]["Keys"] = keys.split_off(1).into();
            }
        }
        let body = Bytes::from(input.to_string());
        let (status, mut output) = self.ask("BatchGetItem", &input, headers, body).await;
        self.meter("BatchGetItem", &input, Some((status, &output)));
        output["UnprocessedKeys"] = left;
        answer(status, &output)
    }

    async fn ask(
        &self,
        operation: &str,
        input: &Value,
        headers: &HeaderMap,
        body: Bytes,
    ) -> (StatusCode, Value) {
        let (upstream, client) = match &self.behind {
            Behind::Stub(answer) => {
                let output = answer(operation, input);
                let refused = output["__type"].is_string();
                return (if refused { StatusCode::BAD_REQUEST } else { StatusCode::OK }, output);
            }
            Behind::Upstream(upstream, client) => (upstream, client),
        };
        let mut request = http::Request::post(format!("{upstream}/"));
        for name in ["x-amz-target", "content-type", "authorization"] {
            if let Some(value) = headers.get(name) {
                request = request.header(name, value);
            }
        }
        let request = request.body(Full::new(body)).expect("a request");
        let response = client.request(request).await.expect("the emulator answers");
        let status = response.status();
        let body = response.into_body().collect().await.expect("an answer").to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    fn meter(&self, operation: &str, input: &Value, output: Option<(StatusCode, &Value)>) {
        let done = output.filter(|(status, _)| status.is_success()).map(|(_, output)| output);
        let code = output.and_then(|(_, output)| output["__type"].as_str()).unwrap_or_default();
        let mut meter = self.meter.lock().unwrap_or_else(PoisonError::into_inner);
        meter.cancelled += u64::from(code.ends_with("TransactionCanceledException"));
        meter.count(operation, input, done);
    }
}

async fn bound() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    (listener, address)
}

/// A stub's answers: all is done, and nothing was there.
pub fn at_once(operation: &str, input: &Value) -> Value {
    match operation {
        "GetParameter" => {
            json!({ "Parameter": { "Value": URL_SAFE_NO_PAD.encode(LedgerKey::BYTES_FOR_TESTS) } })
        }
        // The rules, with floors as a consumer of yesterday would have left them.
        "GetItem" if input["Key"]["pk"]["S"] == "rules" => {
            let floor = platform::now().plus_days(-i64::from(consumer::RETENTION_DAYS_DEFAULT)).micros();
            let floor = json!({ "N": floor.to_string() });
            json!({ "Item": { "pk": { "S": "rules" }, "sk": { "S": "rules" }, "floor#d": floor, "floor#e": floor } })
        }
        "Query" => json!({ "Items": [], "Count": 0, "ScannedCount": 0 }),
        // The SDK does not compare the hash.
        "SendMessage" => json!({ "MessageId": "m1", "MD5OfMessageBody": "0123456789abcdef0123456789abcdef" }),
        _ => json!({}),
    }
}

/// The request, asking DynamoDB to tell what it bills, too.
fn told_cost(target: Option<&str>, input: &Value, body: Bytes) -> Bytes {
    if !target.is_some_and(|target| target.starts_with("DynamoDB")) {
        return body;
    }
    let mut asking = input.clone();
    asking["ReturnConsumedCapacity"] = json!("TOTAL");
    Bytes::from(asking.to_string())
}

/// What a read that does not ask for consistency may be told at worst: that nothing is there yet.
fn stalest(operation: &str, input: &Value) -> Option<Value> {
    let consistent = |read: &Value| read["ConsistentRead"] == true;
    match operation {
        "GetItem" if !consistent(input) => Some(json!({})),
        "Query" | "Scan" if !consistent(input) && input["IndexName"].is_null() => {
            Some(json!({ "Items": [], "Count": 0, "ScannedCount": 0 }))
        }
        "BatchGetItem" if !input["RequestItems"].as_object()?.values().all(consistent) => {
            Some(json!({ "Responses": {}, "UnprocessedKeys": {} }))
        }
        _ => None,
    }
}

fn throttled(target: Option<&str>) -> &'static str {
    match target {
        Some(target) if target.starts_with("DynamoDB") => "ProvisionedThroughputExceededException",
        _ => "ThrottlingException",
    }
}

/// What a write that meets a transaction is told.
fn met(refused: Rejection) -> Value {
    match refused {
        Rejection::Cancelled(guilty) => cancellation(guilty, CONFLICT),
        Rejection::Conflict => error("TransactionConflictException"),
        Rejection::InProgress => error("TransactionInProgressException"),
    }
}

/// Cancels a transaction by any one of its actions.
fn cancelled(input: &Value, reason: (&str, &str)) -> Response {
    let actions = input["TransactItems"].as_array().map_or(0, Vec::len);
    let guilty = fastrand::usize(..actions.max(1));
    answer(StatusCode::BAD_REQUEST, &cancellation((0..actions).map(|place| place == guilty), reason))
}

/// As DynamoDB cancels a transaction: a reason for each action, `None` for those that are not guilty.
fn cancellation(guilty: impl IntoIterator<Item = bool>, (code, message): (&str, &str)) -> Value {
    let reason = |guilty| match guilty {
        true => json!({ "Code": code, "Message": message }),
        false => json!({ "Code": "None" }),
    };
    let reasons: Vec<Value> = guilty.into_iter().map(reason).collect();
    json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons",
        "CancellationReasons": reasons,
    })
}

fn error(code: &str) -> Value {
    json!({ "__type": format!("com.amazonaws.postledger#{code}"), "message": "injected" })
}

fn refusal(status: u16, code: &str) -> Response {
    answer(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &error(code))
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let mut response = (status, body.to_string()).into_response();
    let json = HeaderValue::from_static("application/x-amz-json-1.0");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// An answer that never comes: its head promises a body, and the connection breaks.
fn broken() -> Response {
    let never = stream::once(async { Err::<Bytes, std::io::Error>(std::io::Error::other("cut")) });
    let mut response = Response::new(Body::from_stream(never));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("1000"));
    response
}

//! The simulator over HTTP: its API on a port, its webhooks through a client, its clock by the machine's.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use bytes::Bytes;
use futures_util::stream::{self, FuturesUnordered, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use postmark_simulator::{
    Answer, ApiBody, DeliveryId, Due, Faults, Handled, ProbeRound, Record, Simulator, Time,
};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex as Turn, Notify, Semaphore};
use tokio::time::Instant;

/// Bytes of a request to the API: a batch has 50 MB.
const BODY_BYTES_MAX: usize = 60 << 20;
/// Webhook requests at once.
const WEBHOOKS_MAX: usize = 64;
/// Milliseconds of the virtual clock that one advance may be ahead of a request that is out.
const AHEAD_MILLIS_MAX: i64 = 1_000;
/// Milliseconds that the virtual clock is behind at most.
const CLOCK_MILLIS: f64 = 20.0;
/// Events of a chunk of the truth.
const CHUNK_EVENTS: usize = 1_000;

/// What all requests share.
pub(crate) struct Edge {
    simulator: Mutex<Simulator>,
    client: Client<HttpConnector, Full<Bytes>>,
    timeout: Duration,
    /// Virtual seconds in a second, and when the clock started.
    speed: f64,
    started: (Instant, Time),
    /// One advance at a time.
    turn: Turn<()>,
    places: Arc<Semaphore>,
    changed: Notify,
}

impl Edge {
    pub(crate) fn new(simulator: Simulator, speed: f64) -> Arc<Edge> {
        let timeout = Duration::from_secs(u64::from(simulator.quirks().timeout_seconds));
        let started = (Instant::now(), simulator.now());
        Arc::new(Edge {
            simulator: Mutex::new(simulator),
            client: Client::builder(TokioExecutor::new()).build_http(),
            timeout,
            speed,
            started,
            turn: Turn::new(()),
            places: Arc::new(Semaphore::new(WEBHOOKS_MAX)),
            changed: Notify::new(),
        })
    }

    pub(crate) fn simulator(&self) -> MutexGuard<'_, Simulator> {
        self.simulator.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The API and the control surface.
    pub(crate) fn router(self: &Arc<Edge>) -> Router {
        Router::new()
            .route("/simulator", get(status))
            .route("/simulator/advance", post(advance))
            .route("/simulator/truth", get(truth))
            .route("/simulator/suppressions", get(suppressions))
            .route("/simulator/quirks", get(quirks))
            .route("/simulator/pause", post(pause))
            .route("/simulator/resume", post(resume))
            .route("/simulator/faults", put(faults))
            .fallback(api)
            .with_state(Arc::clone(self))
    }

    /// What the virtual clock shows by the machine's.
    fn clock(&self) -> Time {
        let millis = self.started.0.elapsed().as_secs_f64() * self.speed * 1000.0;
        self.started.1.plus_millis(millis as i64)
    }

    /// Posts a request and says what came of it.
    async fn post(&self, request: http::Request<Vec<u8>>) -> Answer {
        let started = Instant::now();
        let request = request.map(|body| Full::new(Bytes::from(body)));
        let exchange = async {
            let response = self.client.request(request).await.ok()?;
            let (parts, body) = response.into_parts();
            body.collect().await.ok()?;
            Some(parts)
        };
        match tokio::time::timeout(self.timeout, exchange).await {
            Err(_) => Answer::Timeout,
            Ok(None) => Answer::ConnectFailed,
            Ok(Some(parts)) => {
                Answer::of(&parts, u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX))
            }
        }
    }

    /// Lets the clock run with the machine's, for ever.
    pub(crate) async fn run(self: Arc<Edge>) {
        loop {
            let now = self.clock();
            let (due, next) = {
                let mut simulator = self.simulator();
                (simulator.advance(now), simulator.next_at())
            };
            if let Some(due) = due {
                let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
                let edge = Arc::clone(&self);
                tokio::spawn(async move {
                    let answer = edge.post(due.request).await;
                    edge.simulator().answered(due.id, answer);
                    edge.changed.notify_one();
                    drop(place);
                });
                continue;
            }
            let millis = next.map_or(CLOCK_MILLIS, |next| next.millis_since(now) as f64 / self.speed);
            let wait = Duration::from_millis(millis.clamp(1.0, CLOCK_MILLIS) as u64);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    /// Moves the clock to an instant, and waits for every answer on the way.
    async fn advance(&self, until: Time) -> usize {
        let _turn = self.turn.lock().await;
        let mut out: FuturesUnordered<_> = FuturesUnordered::new();
        // When the requests that are out were sent.
        let mut sent: HashMap<DeliveryId, Time> = HashMap::new();
        let mut count = 0;
        loop {
            let oldest = sent.values().min().copied();
            let next = self.simulator().next_at();
            let ahead = match (oldest, next) {
                (Some(oldest), Some(next)) => next.millis_since(oldest) > AHEAD_MILLIS_MAX,
                (Some(_), None) => true,
                (None, _) => false,
            };
            if !ahead && out.len() < WEBHOOKS_MAX {
                let due = self.simulator().advance(until);
                if let Some(Due { id, at, request, .. }) = due {
                    count += 1;
                    sent.insert(id, at);
                    out.push(async move { (id, self.post(request).await) });
                    continue;
                }
            }
            let Some((id, answer)) = out.next().await else { return count };
            sent.remove(&id);
            self.simulator().answered(id, answer);
        }
    }

    async fn probe(&self, round: &ProbeRound) -> Vec<Answer> {
        let all = round.probes.iter().map(|probe| {
            let mut request = http::Request::new(probe.request.body().clone());
            *request.method_mut() = probe.request.method().clone();
            *request.uri_mut() = probe.request.uri().clone();
            *request.headers_mut() = probe.request.headers().clone();
            self.post(request)
        });
        futures_util::future::join_all(all).await
    }
}

type Asked = State<Arc<Edge>>;
type Parameters = Query<HashMap<String, String>>;

async fn api(State(edge): Asked, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let mut handled = edge.simulator().api(http::Request::from_parts(parts, body.to_vec()));
    loop {
        match handled {
            Handled::Answer(answer) => {
                edge.changed.notify_one();
                return answer.map(streamed);
            }
            Handled::Probing(round) => {
                let answers = edge.probe(&round).await;
                handled = edge.simulator().probed(round, answers);
            }
        }
    }
}

fn streamed(body: ApiBody) -> Body {
    Body::from_stream(stream::iter(body.map(Ok::<Bytes, Infallible>)))
}

fn json(value: &serde_json::Value) -> Response {
    ([("content-type", "application/json")], value.to_string()).into_response()
}

/// Clock, tokens and servers.
pub(crate) fn account(simulator: &Simulator) -> serde_json::Value {
    let servers = simulator
        .servers()
        .map(|(id, name, token)| serde_json::json!({ "id": id, "name": name, "token": token }));
    serde_json::json!({
        "now": simulator.now().to_string(),
        "seed": simulator.config().seed,
        "rules": simulator.config().rules.to_string(),
        "account_token": simulator.account_token(),
        "servers": servers.collect::<Vec<_>>(),
        "ahead": simulator.ahead(),
    })
}

async fn status(State(edge): Asked) -> Response {
    json(&account(&edge.simulator()))
}

async fn advance(State(edge): Asked, Query(query): Parameters) -> Response {
    let now = edge.simulator().now();
    let to = query.get("to").and_then(|to| Time::parse(to));
    let by =
        query.get("by").and_then(|by| by.parse::<f64>().ok()).map(|by| now.plus_millis((by * 1000.0) as i64));
    let Some(until) = to.or(by) else {
        return (StatusCode::BAD_REQUEST, "say ?to= an instant in RFC 3339, or ?by= seconds").into_response();
    };
    if edge.speed > 0.0 {
        return (StatusCode::CONFLICT, "the clock runs by itself; start with --speed 0").into_response();
    }
    let requests = edge.advance(until).await;
    let now = edge.simulator().now().to_string();
    json(&serde_json::json!({ "now": now, "requests": requests }))
}

/// What really happened, in chunks, so that the simulator is not held up.
pub(crate) fn truth_chunks(edge: Arc<Edge>) -> impl Iterator<Item = Bytes> + Send {
    let mut from = 0;
    std::iter::from_fn(move || {
        let simulator = edge.simulator();
        let mut out = Vec::new();
        for event in simulator.truth().events_from(from).take(CHUNK_EVENTS) {
            out.extend_from_slice(&event.to_json());
            out.push(b'\n');
            from = event.id.number() as usize + 1;
        }
        (!out.is_empty()).then(|| Bytes::from(out))
    })
}

async fn truth(State(edge): Asked) -> Response {
    let chunks = truth_chunks(edge).map(Ok::<Bytes, Infallible>);
    ([("content-type", "application/x-ndjson")], Body::from_stream(stream::iter(chunks))).into_response()
}

async fn suppressions(State(edge): Asked) -> Response {
    let simulator = edge.simulator();
    let mut out = String::new();
    for (server, stream) in simulator.truth().streams() {
        for row in simulator.truth().suppressions(server, stream) {
            let row = serde_json::json!({
                "server": server, "stream": stream, "address": row.address, "reason": row.reason.name(),
                "origin": row.origin.name(), "since": row.since.to_string(),
            });
            out.push_str(&row.to_string());
            out.push('\n');
        }
    }
    ([("content-type", "application/x-ndjson")], out).into_response()
}

async fn quirks(State(edge): Asked) -> Response {
    match serde_json::to_value(edge.simulator().quirks()) {
        Ok(quirks) => json(&quirks),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn trigger(query: &HashMap<String, String>, change: impl FnOnce(u64, Record) -> bool) -> Response {
    let webhook = query.get("webhook").and_then(|id| id.parse().ok());
    let record = query.get("trigger").and_then(|name| Record::named(name));
    match (webhook, record) {
        (Some(webhook), Some(record)) if change(webhook, record) => StatusCode::NO_CONTENT.into_response(),
        (Some(_), Some(_)) => StatusCode::NOT_FOUND.into_response(),
        _ => (StatusCode::BAD_REQUEST, "say ?webhook=ID&trigger=Bounce").into_response(),
    }
}

async fn pause(State(edge): Asked, Query(query): Parameters) -> Response {
    trigger(&query, |webhook, record| edge.simulator().pause_trigger(webhook, record))
}

async fn resume(State(edge): Asked, Query(query): Parameters) -> Response {
    trigger(&query, |webhook, record| edge.simulator().resume_trigger(webhook, record))
}

async fn faults(State(edge): Asked, body: Bytes) -> Response {
    match serde_json::from_slice::<Faults>(&body) {
        Ok(faults) => {
            edge.simulator().set_faults(faults);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request as HttpRequest;
    use postmark_simulator::Config;
    use serde_json::{Value, json};
    use tokio::net::TcpListener;

    async fn serve(router: Router) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    async fn call(
        edge: &Edge,
        url: &str,
        method: &str,
        path: &str,
        token: &str,
        body: &Value,
    ) -> (u16, String) {
        let request = HttpRequest::builder()
            .method(method)
            .uri(format!("{url}{path}"))
            .header("Accept", "application/json")
            .header("Content-Type", "application/json")
            .header("X-Postmark-Server-Token", token);
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let response =
            edge.client.request(request.body(Full::new(Bytes::from(body))).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_mail_sent_over_http_comes_back_as_webhooks_over_http() {
        let got: Arc<Mutex<Vec<Value>>> = Arc::default();
        let taken = Arc::clone(&got);
        let receiver = Router::new().fallback(move |body: Bytes| async move {
            taken.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
            StatusCode::OK
        });
        let hook = serve(receiver).await;
        let mut simulator = Simulator::new(Config::usual(3));
        let token = simulator.add_server("Client").token;
        let edge = Edge::new(simulator, 0.0);
        let url = serve(edge.router()).await;

        let all = json!({"Bounce": {"Enabled": true}, "SubscriptionChange": {"Enabled": true}});
        let row = json!({"Url": format!("{hook}/x"), "Triggers": all});
        let (status, body) = call(&edge, &url, "POST", "/webhooks", &token, &row).await;
        assert_eq!(status, 200, "{body}");
        let probes = std::mem::take(&mut *got.lock().unwrap());
        assert_eq!(probes.len(), 2);

        let mail = json!({"From": "a@x.example", "To": "ida+hard@x.example", "TextBody": "x"});
        assert_eq!(call(&edge, &url, "POST", "/email", &token, &mail).await.0, 200);
        let (status, body) =
            call(&edge, &url, "POST", "/simulator/advance?by=86400", &token, &Value::Null).await;
        assert_eq!(status, 200, "{body}");
        let told: Vec<Value> = std::mem::take(&mut *got.lock().unwrap());
        assert_eq!(told.len(), 2);
        let (_, truth) = call(&edge, &url, "GET", "/simulator/truth", &token, &Value::Null).await;
        assert_eq!(truth.lines().count(), 2);
        assert!(truth.lines().all(|line| line.contains(r#""accepted":1"#)), "{truth}");
        let (_, lists) = call(&edge, &url, "GET", "/simulator/suppressions", &token, &Value::Null).await;
        assert_eq!(lists.lines().count(), 1);
    }

    #[tokio::test]
    async fn the_clock_runs_by_itself_as_fast_as_it_is_told() {
        let mut simulator = Simulator::new(Config::usual(3));
        simulator.add_server("Client");
        let edge = Edge::new(simulator, 100_000.0);
        let started = edge.simulator().now();
        let clock = tokio::spawn(Arc::clone(&edge).run());
        while edge.simulator().now().millis_since(started) < 3_600_000 {
            tokio::task::yield_now().await;
        }
        clock.abort();
        assert!(edge.simulator().now() > started);
    }

    #[test]
    fn the_help_of_the_command_is_sound() {
        use clap::CommandFactory;
        crate::args::Args::command().debug_assert();
    }
}

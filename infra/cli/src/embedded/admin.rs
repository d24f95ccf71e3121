//! The admin surface of the embedded mode, so that a second `postledger` can ask the first. On loopback only,
//! and not for browsers: a request that names another host, or comes from a page, is refused.

use super::Stack;
use axum::extract::{Path, Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::StatusCode;
use http::header::{HOST, ORIGIN};
use ledger::event::{Bar, Ruling};
use ledger::{Class, Identity, Kind, ServerId, Source, Time, recipient_key};
use postmark::{Body, Context, Decision, Examined};
use queue::{ENVELOPE_VERSION, Envelope, QueueName, SetAside};
use ring::rand::SystemRandom;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use store::Kept;
use store::ask::{self, Ask};
use tokio::time::Instant;

/// How long a decision is waited for until it is recorded.
const DECISION_WAIT: Duration = Duration::from_secs(5);

/// What the surface refuses, as status and sentence.
pub struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(serde_json::json!({ "error": self.1 }))).into_response()
    }
}

impl From<store::StoreError> for Refused {
    fn from(error: store::StoreError) -> Refused {
        Refused(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

impl From<queue::QueueError> for Refused {
    fn from(error: queue::QueueError) -> Refused {
        Refused(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

fn unusable(error: impl ToString) -> Refused {
    Refused(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
}

type Reply<T> = Result<Json<T>, Refused>;

/// The routes.
pub fn routes() -> Router<Arc<Stack>> {
    Router::new()
        .route("/recipient", get(recipient))
        .route("/counts", get(counts))
        .route("/quarantine", get(quarantine))
        .route("/quarantine/{key}", get(set_aside))
        .route("/quarantine/{key}/replay", post(replay))
        .route("/decide", post(decide))
        .route("/revoke", post(revoke))
        .route("/status", get(status))
        .fallback(async || Refused(StatusCode::NOT_FOUND, "there is no such admin call".to_owned()))
        .layer(middleware::from_fn(guard))
}

/// Keeps out pages: they send an `Origin`, and a rebound name shows in `Host`.
async fn guard(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if headers.contains_key(ORIGIN) || !["127.0.0.1", "localhost", "[::1]"].contains(&name) {
        return Refused(
            StatusCode::FORBIDDEN,
            "the admin surface answers this machine's tools only".to_owned(),
        )
        .into_response();
    }
    next.run(request).await
}

/// `GET /admin/recipient`.
#[derive(Debug, Serialize, Deserialize)]
pub struct RecipientQuery {
    /// The server.
    pub server: ServerId,
    /// The address.
    pub address: String,
    /// The stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// As of when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    /// By what had come in by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_at: Option<Time>,
}

async fn recipient(State(stack): State<Arc<Stack>>, Query(query): Query<RecipientQuery>) -> Reply<ask::Told> {
    let RecipientQuery { server, address, stream, at, known_at } = query;
    let ask = Ask { server, address, stream, at, known_at };
    Ok(Json(ask::recipient(&*stack.store, &stack.ledger_key, ask, (stack.clock)()).await?))
}

/// `GET /admin/counts`.
#[derive(Debug, Serialize, Deserialize)]
pub struct CountsQuery {
    /// The server.
    pub server: ServerId,
    /// The stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// From when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Time>,
    /// To before when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Time>,
    /// By day, not by hour.
    #[serde(default)]
    pub by_day: bool,
}

async fn counts(State(stack): State<Arc<Stack>>, Query(query): Query<CountsQuery>) -> Reply<ask::Counted> {
    let to = query.to.unwrap_or_else(|| (stack.clock)());
    let from = query.from.unwrap_or_else(|| to.plus_days(-30));
    Ok(Json(ask::counts(&*stack.store, query.server, query.stream, from, to, query.by_day).await?))
}

/// A body in quarantine.
#[derive(Debug, Serialize, Deserialize)]
pub struct Listed {
    /// Names it in the other calls.
    pub key: String,
    /// When it came in.
    pub received_at: Time,
    /// The server of its credential; 0 where none told.
    pub server: ServerId,
    /// Why it was set aside.
    pub reason: String,
    /// Why, in words, with its place.
    pub detail: String,
    /// The kind of event, where the body tells.
    pub record_type: Option<Kind>,
    /// In how many parts it is kept.
    pub parts: u32,
    /// When an operator replayed it.
    pub replayed_at: Option<Time>,
    /// The body, in base64; only where one body is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
}

impl Listed {
    fn of(kept: &Kept) -> Listed {
        let part = &kept.part;
        Listed {
            key: format!("{}.{}", part.received_at.key(), part.id),
            received_at: part.received_at,
            server: part.server,
            reason: part.reason.clone(),
            detail: part.detail.clone(),
            record_type: part.record_type,
            parts: part.parts,
            replayed_at: kept.replayed_at,
            body_base64: None,
        }
    }
}

/// `GET /admin/quarantine`.
#[derive(Debug, Serialize, Deserialize)]
pub struct QuarantineQuery {
    /// How many days back.
    pub days: u32,
}

async fn quarantine(
    State(stack): State<Arc<Stack>>,
    Query(query): Query<QuarantineQuery>,
) -> Reply<Vec<Listed>> {
    let now = (stack.clock)();
    let mut listed = Vec::new();
    for day in (0..i64::from(query.days)).rev() {
        for kept in stack.store.kept_on(&now.plus_days(-day).day()).await? {
            if kept.part.part == 1 {
                listed.push(Listed::of(&kept));
            }
        }
    }
    Ok(Json(listed))
}

/// One body in quarantine, by the key that the list shows.
async fn kept(stack: &Stack, key: &str) -> Result<(Listed, SetAside), Refused> {
    let unknown = || Refused(StatusCode::NOT_FOUND, "nothing of that key is in quarantine".to_owned());
    let (received_at, id) = key.split_once('.').ok_or_else(unknown)?;
    let received_at = Time::from_micros(received_at.parse().map_err(|_| unknown())?);
    let kept = stack.store.kept(received_at, id).await?;
    let listed = Listed::of(kept.first().ok_or_else(unknown)?);
    let incomplete = || unusable("a part of this body is missing; its sender was told to come again");
    let aside = SetAside::whole(kept.into_iter().map(|kept| kept.part).collect()).ok_or_else(incomplete)?;
    Ok((listed, aside))
}

async fn set_aside(State(stack): State<Arc<Stack>>, Path(key): Path<String>) -> Reply<Listed> {
    let (listed, aside) = kept(&stack, &key).await?;
    Ok(Json(Listed { body_base64: Some(STANDARD.encode(aside.body)), ..listed }))
}

/// Puts an event on its queue, as `sender` (generation and key id) told it.
async fn enqueue(
    stack: &Stack,
    context: &Context,
    examined: Examined,
    sender: (u32, String),
    overridden: bool,
) -> Result<QueueName, Refused> {
    let envelope = Envelope {
        v: ENVELOPE_VERSION,
        server: context.server,
        generation: sender.0,
        key_id: sender.1,
        record_type: examined.kind,
        received_at: context.received_at,
        trace_id: None,
        retries_remaining: None,
        source: context.source,
        overridden,
        dropped: examined.dropped,
        body: Envelope::raw(examined.canonical).map_err(unusable)?,
    };
    let queue = QueueName::of(examined.kind);
    stack.queue.send(queue, &envelope.encode()).await?;
    Ok(queue)
}

/// `POST /admin/quarantine/{key}/replay`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Replay {
    /// Record it although its credential was revoked or it is too old.
    #[serde(default)]
    pub overridden: bool,
    /// A completed or corrected body, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
}

/// What was put on a queue.
#[derive(Debug, Serialize, Deserialize)]
pub struct Replayed {
    /// Which event it is.
    pub identity: Identity,
    /// On which queue.
    pub queue: String,
}

async fn replay(
    State(stack): State<Arc<Stack>>,
    Path(key): Path<String>,
    Json(replay): Json<Replay>,
) -> Reply<Replayed> {
    let (listed, aside) = kept(&stack, &key).await?;
    let body = match &replay.body_base64 {
        Some(encoded) => STANDARD.decode(encoded).map_err(unusable)?,
        None => aside.body.clone(),
    };
    let context = Context {
        server: aside.server,
        received_at: aside.received_at,
        source: aside.source,
        keep_engagement_detail: false,
    };
    let examined = postmark::examine(&body, &context).map_err(unusable)?;
    let event = examined.event(&context, &stack.ledger_key).map_err(unusable)?;
    if let Some(at) = listed.replayed_at
        && !replay.overridden
    {
        return Err(unusable(format!("it was replayed at {at} already; only --override replays it again")));
    }
    if !replay.overridden && matches!(&*aside.reason, "revoked" | "too_old") {
        return Err(unusable(format!("it was set aside as {}; only --override records it", aside.reason)));
    }
    let mut examined = examined;
    examined.dropped = [aside.dropped, examined.dropped].concat();
    let sender = (aside.generation, aside.key_id);
    let queue = enqueue(&stack, &context, examined, sender, replay.overridden).await?;
    let (_, id) = key.split_once('.').unwrap_or_default();
    stack.store.mark_replayed(listed.received_at, id, (stack.clock)()).await?;
    Ok(Json(Replayed { identity: event.identity, queue: queue.name().to_owned() }))
}

/// `POST /admin/decide`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Decide {
    /// The server.
    pub server: ServerId,
    /// The stream, or `*`.
    pub stream: String,
    /// The address.
    pub address: String,
    /// Suppress, or allow.
    pub suppress: bool,
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: String,
}

/// What became of a decision.
#[derive(Debug, Serialize, Deserialize)]
pub struct Decided {
    /// Which event it is.
    pub identity: Identity,
    /// Whether it is in the ledger already; else it is on its queue.
    pub recorded: bool,
}

async fn decide(State(stack): State<Arc<Stack>>, Json(decide): Json<Decide>) -> Reply<Decided> {
    let random: [u8; 16] = ring::rand::generate(&SystemRandom::new())
        .map_err(|_| Refused(StatusCode::SERVICE_UNAVAILABLE, "no random numbers to be had".to_owned()))?
        .expose();
    let now = (stack.clock)();
    let ruling = if decide.suppress { Ruling::Suppress(Bar::Decision) } else { Ruling::Allow };
    let body = Decision {
        id: &URL_SAFE_NO_PAD.encode(random),
        stream: &decide.stream,
        address: &decide.address,
        ruling,
        reason: &decide.reason,
        actor: &decide.actor,
        at: now,
    };
    let body = Body::parse(body.body().to_string().as_bytes()).map_err(unusable)?;
    let context = Context {
        server: decide.server,
        received_at: now,
        source: Source::Operator,
        keep_engagement_detail: false,
    };
    let examined = postmark::examine_body(body, &context).map_err(unusable)?;
    let event = examined.event(&context, &stack.ledger_key).map_err(unusable)?;
    enqueue(&stack, &context, examined, (0, String::new()), false).await?;
    let until = Instant::now() + DECISION_WAIT;
    let recipient = stack.ledger_key.recipient_id(decide.server, &recipient_key(&decide.address));
    let mut recorded = false;
    while !recorded && Instant::now() < until {
        recorded = stack.store.event(decide.server, recipient, Class::State, event.identity).await?.is_some();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(Json(Decided { identity: event.identity, recorded }))
}

/// `POST /admin/revoke`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Revoke {
    /// The server.
    pub server: ServerId,
    /// Which of its passwords.
    pub generation: u32,
    /// From when; events received later are set aside.
    pub from: Time,
}

async fn revoke(State(stack): State<Arc<Stack>>, Json(revoke): Json<Revoke>) -> Reply<Revoke> {
    stack.store.revoke(revoke.server, revoke.generation, revoke.from).await?;
    Ok(Json(revoke))
}

/// `GET /admin/status`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Status {
    /// The stack.
    pub stack: String,
    /// Messages that wait or are being consumed, by queue.
    pub queues: BTreeMap<String, usize>,
}

async fn status(State(stack): State<Arc<Stack>>) -> Reply<Status> {
    let mut queues = BTreeMap::new();
    for name in QueueName::LIVE.into_iter().flat_map(|name| [Some(name), name.dead()]).flatten() {
        let depth = stack.queue.depth(name).await?;
        queues.insert(name.name().to_owned(), depth.visible + depth.in_flight);
    }
    Ok(Json(Status { stack: stack.name.clone(), queues }))
}

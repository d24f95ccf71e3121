//! An ingest function's own binary, as Lambda runs it: between a Runtime API and SQS. What each answer is for each
//! request is tested where the door is.

use aws::Limits;
use axum::http::{Method, StatusCode};
use axum::serve::ListenerExt as _;
use credential::{PrivateKey, User, basic};
use postledger_tests::emulator::{Emulator, fresh_name, link, make_queues};
use postledger_tests::lambda::{Function, Lambda, built, gateway_event, ingest_settings};
use postledger_tests::wire::{Mishap, Wire};
use queue::{Envelope, Queue as _, QueueName, Sqs};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

static BINARY: LazyLock<PathBuf> = LazyLock::new(|| built().join("ingest-bounce"));

const STACK: &str = "us-prod";
const USER: &str = "8123456.1";
const ADDRESS: &str = "greta.duval@customer.example";

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
    gateway_event("bounce", authorization, &body.to_string())
}

/// Status and body of a door's answer.
async fn invoke(lambda: &mut Lambda, event: Value) -> (Value, Value) {
    let answer = lambda.invoke(event).await;
    let body = answer["body"].as_str().unwrap_or_else(|| panic!("no answer of a door: {answer}"));
    (answer["statusCode"].clone(), serde_json::from_str(body).unwrap())
}

/// What an ingest function reads at its start, and that it is to be as talkative as can be: not even then is
/// anything private printed.
fn settings(endpoint: &str, queues_of: &str, keys: &str) -> Vec<(String, String)> {
    let mut settings = ingest_settings(endpoint, STACK, queues_of, keys);
    settings.push((platform::logs::LEVEL.to_owned(), "TRACE".to_owned()));
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn the_binary_enqueues_a_bounce_and_asks_for_it_again_while_sqs_is_down() {
    let emulator = Emulator::shared();
    let stack = fresh_name();
    make_queues(&emulator.url, &stack).await;
    let sqs = Sqs::of_stack(link(&emulator.url, Limits::COMMAND), &stack).await.unwrap();
    let down = Arc::new(AtomicBool::new(false));
    let told = down.clone();
    let plan = move |_: &str| if told.load(Ordering::Relaxed) { Mishap::Fault } else { Mishap::None };
    let wire = Wire::before(&emulator.url, Arc::new(plan)).await;
    let key = PrivateKey::generate().unwrap();
    let user: User = USER.parse().unwrap();
    let event = bounce(&basic(user, &key.password(STACK, user).unwrap()));
    let settings = settings(&emulator.url, &stack, &key.public().to_string());
    let mut lambda = Lambda::start().await;
    let function = Function::start(BINARY.clone(), &lambda.address, &wire.url, &settings);

    assert_eq!(invoke(&mut lambda, event.clone()).await, (json!(200), json!({"status": "accepted"})));
    let sent = sqs.receive(QueueName::Critical, 10).await.unwrap();
    assert_eq!(sent.len(), 1);
    let envelope = Envelope::decode(&sent[0].body).unwrap();
    assert_eq!((envelope.server.get(), envelope.record_type.name()), (8_123_456, "Bounce"));
    assert!(envelope.body.get().contains(ADDRESS));

    down.store(true, Ordering::Relaxed);
    wire.metered();
    let again = json!({"status": "try_again", "reason": "queue"});
    assert_eq!(invoke(&mut lambda, event.clone()).await, (json!(503), again));
    assert_eq!(wire.metered().calls["SendMessage"], 3, "three attempts");

    down.store(false, Ordering::Relaxed);
    assert_eq!(invoke(&mut lambda, event).await.0, json!(200));
    assert_eq!(sqs.receive(QueueName::Critical, 10).await.unwrap().len(), 1);

    let printed = function.kill().await;
    for metric in ["\"EventsAccepted\":1", "\"EnqueueFailed\":1"] {
        assert!(printed.contains(metric), "{metric} in {printed}");
    }
    for secret in ["customer.example", "Basic ", "692586407"] {
        assert!(!printed.contains(secret), "{secret} was printed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_closed_after_the_warming_call_is_told_once_and_every_webhook_is_taken_in() {
    // As SQS would be, were it to close after what it does not understand.
    let queue = axum::Router::new().fallback(async |method: Method| {
        let connection = [("connection", if method == Method::GET { "close" } else { "keep-alive" })];
        let status = if method == Method::GET { StatusCode::NOT_FOUND } else { StatusCode::OK };
        (status, connection, r#"{"MessageId":"m1"}"#)
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    let listener = listener.tap_io(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    tokio::spawn(async move { axum::serve(listener, queue).await });

    let key = PrivateKey::generate().unwrap();
    let user: User = USER.parse().unwrap();
    let event = bounce(&basic(user, &key.password(STACK, user).unwrap()));
    let settings = settings(&endpoint, STACK, &key.public().to_string());
    let mut lambda = Lambda::start().await;
    let function = Function::start(BINARY.clone(), &lambda.address, &endpoint, &settings);
    for _ in 0..3 {
        assert_eq!(invoke(&mut lambda, event.clone()).await.0, json!(200));
    }
    assert_eq!(connections.load(Ordering::Relaxed), 2, "the one that was closed, and the one that is used");
    let printed = function.kill().await;
    assert_eq!(printed.matches("closed_after_start").count(), 1, "{printed}");
}

#[tokio::test]
async fn a_variable_that_is_missing_or_unusable_is_named_and_not_quoted() {
    let keys = PrivateKey::generate().unwrap().public().to_string();
    // Nobody listens there; nothing is called before the configuration is read.
    let nowhere = "http://127.0.0.1:1";
    for (name, value) in [
        ("POSTLEDGER_PUBLIC_KEYS", ""),
        ("POSTLEDGER_PUBLIC_KEYS", "oddity"),
        ("POSTLEDGER_DENIED", "oddity"),
        ("POSTLEDGER_STACK", "oddity/1"),
    ] {
        let mut settings = settings(nowhere, STACK, &keys);
        settings.push((name.to_owned(), value.to_owned()));
        let function = Function::start(BINARY.clone(), "127.0.0.1:1", nowhere, &settings);
        let (status, printed) = function.end().await;
        assert!(!status.success());
        assert!(printed.contains(name), "{name} in {printed}");
        assert!(!printed.contains("oddity"), "{printed}");
    }
}

//! The door's table, row by row, over HTTP.

use crate::fixtures;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use credential::PrivateKey;
use http::{Request, Response};
use postledger_tests::{SERVER, World};
use queue::{Envelope, Part, QueueName};
use std::sync::Arc;

const DELIVERY: &str = "delivery-current.json";
const BOUNCE: &str = "bounce-hard.json";

fn authorized(world: &World, method: &str, path: &str) -> http::request::Builder {
    world.request(method, path).header("authorization", world.authorization("8123456.1"))
}

fn send(world: &World, request: http::request::Builder, body: impl Into<Vec<u8>>) -> Response<String> {
    let request: Request<Vec<u8>> = request.body(body.into()).unwrap();
    world.send(request)
}

fn nothing_was_enqueued(world: &World) {
    for name in QueueName::LIVE {
        assert_eq!(world.waiting(name), 0, "{name:?}");
    }
}

#[test]
fn a_valid_credential_and_an_understood_event_is_exactly_200_with_a_small_json_body() {
    let world = World::default();
    let request =
        authorized(&world, "POST", "/v1/8123456/delivery").header("x-pm-webhook-trace-id", "trace-1");
    let answer = send(&world, request.header("x-pm-retries-remaining", "9"), fixtures::read(DELIVERY));
    assert_eq!((answer.status().as_u16(), &**answer.body()), (200, r#"{"status":"accepted"}"#));
    assert_eq!(answer.headers()["content-type"], "application/json");
    let messages = world.messages(QueueName::Bulk);
    let envelope = Envelope::decode(&messages[0]).unwrap();
    assert_eq!((messages.len(), envelope.server.get(), envelope.generation), (1, SERVER, 1));
    assert_eq!((envelope.trace_id.as_deref(), envelope.retries_remaining), (Some("trace-1"), Some(9)));
    assert!(messages[0].is_ascii());
}

#[test]
fn every_function_takes_any_type_and_the_body_decides_the_queue() {
    let world = World::default();
    let segments = ["delivery", "bounce", "spam-complaint", "open", "click", "subscription-change", "events"];
    for segment in segments {
        assert_eq!(world.post(segment, fixtures::read(DELIVERY)).0, 200);
        assert_eq!(world.post(segment, fixtures::read(BOUNCE)).0, 200);
    }
    assert_eq!((world.waiting(QueueName::Bulk), world.waiting(QueueName::Critical)), (7, 7));
}

#[test]
fn any_other_path_by_post_is_as_events() {
    let world = World::default();
    let paths =
        ["/", "/v1/8123456/bouncee", "/v1/8123456", "/v1/bounce", "/bounce", "/health", "/v1/x/y/z?a=b"];
    for path in paths {
        let answer = send(&world, authorized(&world, "POST", path), fixtures::read(BOUNCE));
        assert_eq!((answer.status().as_u16(), &**answer.body()), (200, r#"{"status":"accepted"}"#), "{path}");
    }
    assert_eq!(world.waiting(QueueName::Critical), paths.len());
}

#[test]
fn postmarks_probes_are_answered_200_and_never_recorded() {
    let world = World::default();
    let probes: Vec<String> = fixtures::names().filter(|name| name.starts_with("probe-")).collect();
    assert!(probes.len() >= 6);
    for probe in &probes {
        let answer = world.post("events", fixtures::read(probe));
        assert_eq!(answer, (200, r#"{"status":"set_aside","reason":"probe"}"#.to_owned()), "{probe}");
    }
    world.drain();
    assert_eq!(world.set_aside(), [("probe".to_owned(), probes.len())].into());
    assert!(world.store.all_events().unwrap().is_empty());
}

#[test]
fn a_zero_message_id_alone_is_no_probe() {
    let world = World::default();
    let body = fixtures::read("subscription-change-reactivation-zero-message-id.json");
    assert_eq!(world.post("subscription-change", body).1, r#"{"status":"accepted"}"#);
}

#[test]
fn what_is_not_understood_is_200_and_set_aside_whole_under_the_credentials_server() {
    let world = World::default();
    let body = b"{\"RecordType\":\"Bounce\",\"Email\":\xff}";
    let answer = world.post("bounce", body.to_vec());
    assert_eq!(answer, (200, r#"{"status":"set_aside","reason":"not_json"}"#.to_owned()));
    let part = Part::decode(&world.messages(QueueName::Quarantine)[0]).unwrap();
    assert_eq!((part.server.get(), part.generation, &*part.reason), (SERVER, 1, "not_json"));
    assert_eq!(STANDARD.decode(part.body).unwrap(), body);
}

#[test]
fn a_path_or_body_that_names_another_server_is_set_aside_under_the_credentials_server() {
    let world = World::default();
    let other_path = send(&world, authorized(&world, "POST", "/v1/999/bounce"), fixtures::read(BOUNCE));
    assert_eq!(&**other_path.body(), r#"{"status":"set_aside","reason":"server_mismatch"}"#);
    let body = String::from_utf8(fixtures::read(BOUNCE)).unwrap().replace("8123456", "999");
    assert_eq!(world.post("bounce", body).1, r#"{"status":"set_aside","reason":"server_mismatch"}"#);
    let parts = world.messages(QueueName::Quarantine);
    assert!(parts.iter().all(|part| Part::decode(part).unwrap().server.get() == SERVER) && parts.len() == 2);
    assert_eq!(world.waiting(QueueName::Critical), 0);
}

#[test]
fn a_queue_that_refuses_is_503() {
    let plan = faults::Plan::new(|_| faults::Fault::Refuse);
    let world = World::new(|queue| Arc::new(queue::Faulty::new(queue, plan)), |key| vec![key], &[]);
    for body in [fixtures::read(DELIVERY), b"not json".to_vec()] {
        assert_eq!(
            world.post("events", body),
            (503, r#"{"status":"try_again","reason":"queue"}"#.to_owned())
        );
    }
    nothing_was_enqueued(&world);
}

#[test]
fn a_quarantine_that_takes_only_some_parts_is_503() {
    let sends = std::sync::atomic::AtomicUsize::new(0);
    let plan = faults::Plan::new(move |_| match sends.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        2 => faults::Fault::Refuse,
        _ => faults::Fault::None,
    });
    let world = World::new(|queue| Arc::new(queue::Faulty::new(queue, plan)), |key| vec![key], &[]);
    let large = vec![b'x'; 5 * queue::PART_BYTES_MAX];
    assert_eq!(world.post("events", large.clone()).0, 503);
    assert_eq!(world.post("events", large).0, 200, "and the retry is whole");
}

#[test]
fn a_wrong_or_denied_credential_is_503_so_that_a_slip_delays_and_loses_nothing() {
    let world = World::new(|queue| queue, |key| vec![key], &["8123456.2"]);
    let other = PrivateKey::generate().unwrap();
    let user = "8123456.1".parse().unwrap();
    let elsewhere = other.password(postledger_tests::STACK, user).unwrap();
    for wrong in [
        "Bearer abc".to_owned(),
        "Basic %%%".to_owned(),
        format!("Basic {}", STANDARD.encode("8123456.1:wrong")),
        credential::basic(user, &elsewhere),
        world.authorization("8123456.2"),
    ] {
        let request = world.request("POST", "/v1/8123456/bounce").header("authorization", &wrong);
        let answer = send(&world, request.header("user-agent", "Postmark"), fixtures::read(BOUNCE));
        assert_eq!(
            (answer.status().as_u16(), &**answer.body()),
            (503, r#"{"status":"try_again","reason":"credential"}"#)
        );
    }
    nothing_was_enqueued(&world);
}

#[test]
fn one_servers_password_writes_nothing_for_another() {
    let world = World::default();
    let password = world.authorization("8123456.1");
    let encoded = password.strip_prefix("Basic ").unwrap();
    let decoded = String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap();
    let forged = format!("Basic {}", STANDARD.encode(decoded.replace("8123456.1:", "8123457.1:")));
    let request = world.request("POST", "/v1/8123457/bounce").header("authorization", forged);
    assert_eq!(send(&world, request, fixtures::read(BOUNCE)).status(), 503);
    nothing_was_enqueued(&world);
}

#[test]
fn during_a_rotation_both_keys_are_taken() {
    let older = PrivateKey::generate().unwrap();
    let world = World::new(|queue| queue, |key| vec![key, older.public()], &[]);
    let user = "8123456.1".parse().unwrap();
    let by_older = credential::basic(user, &older.password(postledger_tests::STACK, user).unwrap());
    for authorization in [world.authorization("8123456.1"), by_older] {
        let request = world.request("POST", "/v1/8123456/bounce").header("authorization", authorization);
        assert_eq!(send(&world, request, fixtures::read(BOUNCE)).status(), 200);
    }
    let keys: Vec<String> = world
        .messages(QueueName::Critical)
        .iter()
        .map(|message| Envelope::decode(message).unwrap().key_id)
        .collect();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], keys[1], "the envelope tells which key verified");
}

#[test]
fn no_credential_is_401_with_a_challenge_and_nothing_is_read() {
    let world = World::default();
    for method in ["POST", "GET", "PUT"] {
        let answer = send(&world, world.request(method, "/v1/8123456/bounce"), fixtures::read(BOUNCE));
        assert_eq!(answer.status(), 401, "{method}");
        assert!(answer.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic realm="));
    }
    nothing_was_enqueued(&world);
}

#[test]
fn another_method_with_a_credential_is_405() {
    let world = World::default();
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answer = send(&world, authorized(&world, method, "/v1/8123456/bounce"), Vec::new());
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["allow"]),
            (405, &"POST".parse().unwrap()),
            "{method}"
        );
    }
    nothing_was_enqueued(&world);
}

#[test]
fn a_question_at_a_mistyped_path_is_told_so_at_once() {
    let world = World::default();
    let paths = [
        "/v1/server/8123456/check",
        "/v1/8123456/check",
        "/v1/servers/",
        "/v1/token",
        "/v1",
        "/v1/servers/8123456/chekc",
    ];
    for path in paths {
        for method in ["POST", "GET", "PUT", "DELETE"] {
            let request = world.request(method, path).header("authorization", "Bearer plt_abcdefghijkl_x");
            let answer = send(&world, request, Vec::new());
            assert_eq!(answer.status(), 404, "{method} {path}: {}", answer.body());
            assert_eq!(answer.headers()["content-type"], "application/problem+json", "{method} {path}");
            let problem: serde_json::Value = serde_json::from_str(answer.body()).unwrap();
            assert_eq!(problem["type"], "urn:postledger:problem:not-found");
            assert!(problem["next"].as_str().unwrap().contains("/v1/openapi.json"), "{problem}");
        }
        let reading = send(&world, world.request("GET", path), Vec::new());
        assert_eq!(reading.status(), 404, "{path}: a read needs no token to be told");
    }
    let asked = send(&world, world.request("POST", "/v1/8123456/check"), "{}");
    assert_eq!(asked.status(), 404, "nor does what names a read route");
    nothing_was_enqueued(&world);
}

#[test]
fn a_webhook_is_never_refused_for_good_whatever_its_path() {
    let world = World::default();
    let paths = [
        "/v1/servers",
        "/v1/servers/",
        "/v1/servers/8123456/bounce",
        "/v1/servers/8123456/check",
        "/v1/servers/8123456/nothing",
        "/v1/servers/%ff",
        "/v1/tokens",
        "/v1/tokens/a/b",
        "/v1/openapi.json",
        "/v1/8123456/check",
        "/v1/8123456/recipients",
        "/v1",
        "/V1/8123456/bounce",
        "/servers",
    ];
    for path in paths {
        let taken = send(&world, authorized(&world, "POST", path), fixtures::read(BOUNCE)).status().as_u16();
        assert!(matches!(taken, 200 | 503), "{path}: {taken}");
        let wrong = world.request("POST", path).header("authorization", "Basic d3Jvbmc6d3Jvbmc=");
        assert_eq!(send(&world, wrong, fixtures::read(BOUNCE)).status(), 503, "{path}");
    }
}

#[test]
fn health_is_200_without_a_credential() {
    let world = World::default();
    let answer = send(&world, world.request("GET", "/health"), Vec::new());
    assert_eq!((answer.status().as_u16(), &**answer.body()), (200, r#"{"status":"ok"}"#));
}

#[test]
fn content_is_dropped_at_the_door_and_marked_and_so_is_where_somebody_opened() {
    let world = World::default();
    world.post("bounce", fixtures::read("bounce-with-content.json"));
    world.post("open", fixtures::read("open-current.json"));
    let bounce = Envelope::decode(&world.messages(QueueName::Critical)[0]).unwrap();
    assert_eq!(bounce.dropped, ["Content"]);
    assert!(!bounce.body.get().contains("\"Content\""));
    let open = Envelope::decode(&world.messages(QueueName::Bulk)[0]).unwrap();
    assert_eq!(open.dropped, ["Geo.City", "Geo.Coords", "Geo.IP", "Geo.Zip"]);
    for kept in ["CountryISOCode", "Region", "UserAgent", "Family"] {
        assert!(open.body.get().contains(kept), "{kept}");
    }
}

#[test]
fn a_bounce_with_ten_megabytes_of_content_is_taken_in_without_it() {
    let world = World::default();
    let mut body: serde_json::Value = serde_json::from_slice(&fixtures::read(BOUNCE)).unwrap();
    body["Content"] = "x".repeat(9 * 1024 * 1024).into();
    assert_eq!(world.post("bounce", body.to_string()).1, r#"{"status":"accepted"}"#);
    assert!(world.messages(QueueName::Critical)[0].len() < 4_096);
}

//! Hostile and broken bodies: each ends in quarantine with a reason, and nothing else changes.

use crate::fixtures;
use postledger_tests::{World, assert_whole};
use proptest::prelude::*;
use queue::{QueueName, SetAside};
use serde_json::{Value, json};

fn bounce(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut body: Value = serde_json::from_slice(&fixtures::read("bounce-hard.json")).unwrap();
    change(&mut body);
    body.to_string().into_bytes()
}

fn with(name: &str, value: Value) -> Vec<u8> {
    bounce(|body| body[name] = value)
}

#[test]
fn each_broken_body_is_set_aside_with_its_reason_and_comes_back_whole() {
    let deep =
        format!("{{\"RecordType\":\"Bounce\",\"Metadata\":{}1{}}}", "[".repeat(5_000), "]".repeat(5_000));
    let many = format!("{{\"RecordType\":\"Bounce\",\"Metadata\":[{}0]}}", "{\"\":0},".repeat(10_000));
    let raw_control = b"{\"RecordType\":\"Bounce\",\"Subject\":\"\x01\"}".to_vec();
    let cases: Vec<(&str, &str, Vec<u8>)> = vec![
        ("empty", "not_json", Vec::new()),
        ("not JSON", "not_json", b"RecordType=Bounce".to_vec()),
        ("cut off", "not_json", b"{\"RecordType\":\"Bou".to_vec()),
        ("a second value", "not_json", b"{}{}".to_vec()),
        ("base64 that no gateway decoded", "not_json", b"eyJSZWNvcmRUeXBlIjoiT3BlbiJ9".to_vec()),
        ("gzip", "not_json", vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]),
        ("invalid UTF-8", "not_json", b"{\"RecordType\":\"Bounce\",\"Email\":\xc3\x28}".to_vec()),
        ("UTF-16", "not_json", b"\xff\xfe{\0}\0".to_vec()),
        ("a raw control character", "not_json", raw_control),
        (
            "half a character and nothing else",
            "missing_field",
            br#"{"RecordType":"Bounce","Email":"\ud800"}"#.to_vec(),
        ),
        ("deep nesting", "too_large", deep.into_bytes()),
        ("many values", "too_large", many.into_bytes()),
        ("duplicate keys", "not_json", br#"{"RecordType":"Bounce","RecordType":"Delivery"}"#.to_vec()),
        ("a number out of range", "not_json", br#"{"RecordType":"Bounce","ID":1e999}"#.to_vec()),
        ("an array of events", "not_an_object", b"[{\"RecordType\":\"Bounce\"}]".to_vec()),
        ("a string", "not_an_object", b"\"Bounce\"".to_vec()),
        ("no record type", "unknown_record_type", b"{}".to_vec()),
        ("an unknown record type", "unknown_record_type", with("RecordType", json!("Quarantine"))),
        ("a record type of our own", "unknown_record_type", with("RecordType", json!("Decision"))),
        ("no address", "missing_field", with("Email", Value::Null)),
        ("a blank address", "missing_field", with("Email", json!(" \t"))),
        ("an address that is no string", "bad_field", with("Email", json!({"a": 1}))),
        ("a far too long address", "bad_field", with("Email", json!("a".repeat(2_000)))),
        ("a far too long message id", "bad_field", with("MessageID", json!("a".repeat(300)))),
        ("a far too long stream", "bad_field", with("MessageStream", json!("a".repeat(300)))),
        ("the whole server as a stream", "bad_field", with("MessageStream", json!("*"))),
        ("a stream that no key may bear", "bad_field", with("MessageStream", json!("a#b"))),
        ("a stream that no path may bear", "bad_field", with("MessageStream", json!(".."))),
        (
            "a stream with a character that is not seen",
            "bad_field",
            with("MessageStream", json!("outbound\u{0}")),
        ),
        ("a stream that begins so", "bad_field", with("MessageStream", json!("*server"))),
        ("an id beyond 64 bits", "bad_field", with("ID", json!(1e30))),
        ("an unsigned id", "bad_field", with("ID", json!(u64::MAX))),
        ("a negative id", "bad_field", with("ID", json!(i64::MIN))),
        ("a fractional id", "bad_field", with("ID", json!(1.5))),
        ("an id that is no number", "bad_field", with("ID", json!("0x2a"))),
        ("a flag that is no flag", "bad_field", with("Inactive", json!("true"))),
        ("a time that is none", "bad_field", with("BouncedAt", json!("yesterday"))),
        ("a time without offset", "bad_field", with("BouncedAt", json!("2026-09-21T08:14:11"))),
        ("a time before Postmark", "time_out_of_range", with("BouncedAt", json!("2009-12-31T23:59:59Z"))),
        ("a time in the future", "time_out_of_range", with("BouncedAt", json!("2026-10-01T00:10:01Z"))),
        ("another server", "server_mismatch", with("ServerID", json!(1))),
        ("a server that is none", "bad_field", with("ServerID", json!(-1))),
        ("two servers", "bad_field", with("ServerId", json!(1))),
        ("more than a queue takes", "too_large", with("Surprise", json!("x".repeat(300_000)))),
        ("ten megabytes", "not_json", vec![b'{'; 10 * 1024 * 1024]),
        ("more than ten megabytes", "too_large", vec![b' '; 10 * 1024 * 1024 + 1]),
    ];
    let world = World::default();
    for (what, reason, body) in &cases {
        let (status, answer) = world.post("bounce", body.clone());
        assert_eq!(
            (status, answer),
            (200, format!(r#"{{"status":"set_aside","reason":"{reason}"}}"#)),
            "{what}"
        );
        for name in [QueueName::Critical, QueueName::Bulk] {
            assert_eq!(world.waiting(name), 0, "{what}");
        }
    }
    world.drain();
    assert!(world.store.all_events().unwrap().is_empty());
    let kept = world.store.all_quarantined().unwrap();
    for (what, reason, body) in &cases {
        let parts = kept.iter().filter(|kept| kept.part.reason == *reason).map(|kept| kept.part.clone());
        let mut by_id = std::collections::BTreeMap::<String, Vec<queue::Part>>::new();
        parts.for_each(|part| by_id.entry(part.id.clone()).or_default().push(part));
        let whole = by_id.into_values().filter_map(SetAside::whole).any(|aside| aside.body == *body);
        assert!(whole, "{what} is kept as it came");
    }
}

#[test]
fn what_looks_odd_but_can_be_placed_is_recorded() {
    let world = World::default();
    let odd = [
        bounce(|body| {
            body["Type"] = json!("NeverHeardOf");
            body["ID"] = json!(77);
        }),
        with("ID", json!(i64::MAX)),
        with("ID", json!("4323372036854775807")),
        with("Subject", json!("\u{0}\u{1}\u{b}\u{fffe}\u{ffff}\u{2028}\u{1f600}")),
        with("BouncedAt", json!("2026-10-01T00:09:59.9999999Z")),
        with("BouncedAt", json!("2010-01-01T00:00:00Z")),
        with("Metadata", json!({ "number": 1, "nested": { "deep": [null] } })),
        with("TypeCode", json!("not a code")),
    ];
    for (place, body) in odd.iter().enumerate() {
        assert_eq!(world.post("bounce", body.clone()).1, r#"{"status":"accepted"}"#, "{place}");
    }
    world.drain();
    assert!(world.set_aside().is_empty());
    let unknown = world
        .store
        .all_counters()
        .iter()
        .filter_map(|(_, counts)| {
            counts.iter().find(|(measure, _)| measure.name() == "bounce_unknown").map(|(_, n)| *n)
        })
        .sum::<i64>();
    assert_eq!(unknown, 1, "an unknown type counts as unknown");
    assert_whole(&world.store);
}

/// JSON of any shape, most of it near to what Postmark sends.
fn any_json() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec![
            "2026-09-21T08:14:11Z",
            "ida@customer.example",
            "*",
            "outbound",
            "HardBounce",
            "00000000-0000-0000-0000-000000000000",
            "Bounce",
            "Delivery",
            "Open"
        ])
        .prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::from(map.into_iter().collect::<serde_json::Map<_, _>>())),
        ]
    })
}

/// A fixture of which some fields are gone or hold anything.
fn mangled() -> impl Strategy<Value = Vec<u8>> {
    let names: Vec<String> = fixtures::names().collect();
    let changes = prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(any_json())), 0..4);
    (prop::sample::select(names), changes, prop::option::weighted(0.3, any::<prop::sample::Index>()))
        .prop_map(|(name, changes, cut)| {
            let mut body: Value = serde_json::from_slice(&fixtures::read(&name)).unwrap();
            let fields = body.as_object_mut().unwrap();
            for (place, value) in changes {
                let keys: Vec<String> = fields.keys().cloned().collect();
                if keys.is_empty() {
                    break;
                }
                let key = keys[place.index(keys.len())].clone();
                match value {
                    Some(value) => drop(fields.insert(key, value)),
                    None => drop(fields.remove(&key)),
                }
            }
            let mut bytes = body.to_string().into_bytes();
            if let Some(place) = cut {
                bytes.truncate(place.index(bytes.len()));
            }
            bytes
        })
}

/// How many cases the fuzzing of the door has; `make fuzz` asks for more.
fn cases() -> ProptestConfig {
    let asked = platform::env::parsed("POSTLEDGER_FUZZ_CASES", "a number of cases", 600);
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(asked.unwrap()) }
}

#[test]
fn fuzz_no_body_makes_the_door_panic_refuse_or_half_record() {
    let world = World::default();
    let mut runner = proptest::test_runner::TestRunner::new(cases());
    let body = prop_oneof![
        4 => mangled(),
        2 => any_json().prop_map(|value| value.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
    ];
    let aside = std::cell::RefCell::new(std::collections::BTreeSet::new());
    let accepted = std::cell::Cell::new(0_u64);
    runner
        .run(&body, |body| {
            let (status, answer) = world.post("events", body.clone());
            prop_assert_eq!(status, 200, "{}", answer);
            if answer.contains("set_aside") {
                aside.borrow_mut().insert(body);
            } else {
                prop_assert_eq!(answer, r#"{"status":"accepted"}"#);
                accepted.set(accepted.get() + 1);
            }
            world.drain();
            prop_assert!(world.is_drained());
            Ok(())
        })
        .unwrap();
    assert_whole(&world.store);
    // The consumer agrees with the door: what it accepted is recorded, unless it is too old to be.
    let mut kept = world.set_aside();
    kept.remove("too_old");
    assert_eq!(kept.values().sum::<usize>(), aside.borrow().len());
    assert!(accepted.get() > 50 && !world.store.all_events().unwrap().is_empty());
}

//! The heaviest bodies: what an ingest function needs of memory for each, measured on its own binary, in a process of
//! its own, between a Runtime API and a stub of SQS.

use crate::lambda::{Function, Lambda, gateway_event, ingest_settings};
use crate::process::resident_kb;
use crate::wire::{Wire, at_once};
use crate::{SERVER, STACK};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use credential::{PrivateKey, User, basic};
use serde_json::json;
use std::path::Path;

/// How large they are, in bytes: what Lambda hands to a function at most.
pub const BODY_BYTES: usize = 6 * 1024 * 1024;
/// The most that a function may have resident, in megabytes.
pub const RESIDENT_MB_MAX: u64 = 64;

/// A body of this size or a little less: an opening, a piece as often as there is room, an end.
fn filled(head: &str, piece: &[u8], end: &str) -> Vec<u8> {
    let room = BODY_BYTES - head.len() - end.len();
    [head.as_bytes(), &piece.repeat(room / piece.len()), end.as_bytes()].concat()
}

/// Bodies that would take much memory, each with its name.
pub fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    const BOUNCE: &str = r#"{"RecordType":"Bounce","ID":7,"Type":"HardBounce","Email":"gone@customer.example",
        "BouncedAt":"2026-09-20T10:00:00Z","Inactive":true,"#;
    let list = |piece: &[u8]| filled(&format!("{BOUNCE}\"More\":["), piece, "0]}");
    let text = |name: &str, piece: &[u8]| filled(&format!("{BOUNCE}\"{name}\":\""), piece, "\"}");
    let nested = |open: &str, close: &str| {
        let levels = BODY_BYTES / (open.len() + close.len()) - BOUNCE.len();
        format!("{BOUNCE}\"More\":{}0{}}}", open.repeat(levels), close.repeat(levels)).into_bytes()
    };
    let mut keys = format!("{BOUNCE}\"Metadata\":{{");
    for n in 0.. {
        if keys.len() + 32 > BODY_BYTES {
            break;
        }
        keys.push_str(&format!("\"{n:x}\":{{\"\":0}},"));
    }
    keys.push_str("\"\":0}}");
    vec![
        ("nothing more", format!("{BOUNCE}\"More\":0}}").into_bytes()),
        ("objects of one field", list(b"{\"\":0},")),
        ("objects in objects", list(b"{\"\":{\"\":{\"\":{}}}},")),
        ("a field of many keys", keys.into_bytes()),
        ("the same key again and again", filled(BOUNCE, b"\"a\":0,", "\"b\":0}")),
        ("empty lists", list(b"[],")),
        ("lists of a list of one", list(b"[[0]],")),
        ("empty strings", list(b"\"\",")),
        ("strings of a letter", list(b"\"a\",")),
        ("small numbers", list(b"0,")),
        ("a long number", filled(&format!("{BOUNCE}\"More\":"), b"7", "}")),
        ("a long fraction", filled(&format!("{BOUNCE}\"More\":0."), b"7", "}")),
        ("lists nested deep", nested("[", "]")),
        ("objects nested deep", nested("{\"\":", "}")),
        ("a message in Content", text("Content", b"Received: from a by b\\r\\n")),
        ("objects in Content", filled(&format!("{BOUNCE}\"Content\":["), b"{\"\":0},", "0]}")),
        ("a long text", text("Subject", b"a")),
        ("a long text of escapes", text("Subject", b"\\u00e9")),
        ("a long text of two-byte letters", text("Subject", "\u{e9}".as_bytes())),
        ("long details", text("Details", "\u{e9}".as_bytes())),
        ("halves of characters", text("Subject", b"\\ud83d")),
        ("halves of characters as bytes", text("Subject", b"\xed\xa0\xbd")),
        ("bytes that are no text", text("Subject", b"\xff")),
        ("bytes that are no text in Content", text("Content", b"\xff")),
        ("no JSON", vec![b'x'; BODY_BYTES]),
    ]
}

/// What becomes of a body.
pub struct Measured {
    /// What the function answered.
    pub answer: String,
    /// The most that its process had resident, in kilobytes.
    pub resident_kb: u64,
}

/// Hands one body to a function that has just started.
///
/// # Panics
/// Where it does not answer 200.
pub async fn measure(binary: &Path, body: &[u8]) -> Measured {
    let key = PrivateKey::generate().expect("random numbers");
    let user: User = format!("{SERVER}.1").parse().expect("a user");
    let authorization = basic(user, &key.password(STACK, user).expect("a password"));
    let wire = Wire::stub(at_once).await;
    let settings = ingest_settings(&wire.url, STACK, STACK, &key.public().to_string());
    let mut lambda = Lambda::start().await;
    let function = Function::start(binary.to_owned(), &lambda.address, &wire.url, &settings);
    // As a gateway does: text as text, anything else in base64.
    let event = match std::str::from_utf8(body) {
        Ok(text) => gateway_event("bounce", &authorization, text),
        Err(_) => {
            let mut event = gateway_event("bounce", &authorization, &STANDARD.encode(body));
            event["isBase64Encoded"] = json!(true);
            event
        }
    };
    let answer = lambda.invoke(event).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let resident_kb = resident_kb(function.child.id().expect("a running process"));
    function.kill().await;
    Measured { answer: answer["body"].as_str().unwrap_or_default().to_owned(), resident_kb }
}

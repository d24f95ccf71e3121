//! Postmark's verification probes and its "send test" button.
//!
//! They look like real events: the bounce test is a hard bounce that deactivates `john@example.com`. The rule:
//! the MessageID is the all-zero UUID, *and* the address is at `example.com`, or the bounce id is 42, or the
//! metadata has the two example keys. A zero MessageID alone proves nothing: real subscription changes have it too.

use crate::body::Body;
use crate::fields::ZERO_MESSAGE_ID;
use serde_json::Value;

/// Whether a body is Postmark's verification probe or "send test", by the module's rule: zero MessageID, and an
/// address at `example.com`, bounce id 42 or the example metadata.
pub fn is_probe(body: &Body) -> bool {
    if body.text("MessageID") != Some(ZERO_MESSAGE_ID) {
        return false;
    }
    let example_address = ["Email", "Recipient"]
        .iter()
        .filter_map(|name| body.text(name))
        .any(|address| ledger::recipient_key(address).ends_with("@example.com"));
    let example_id = match body.get("ID") {
        Some(Value::Number(id)) => id.as_i64() == Some(42),
        Some(Value::String(id)) => id == "42",
        _ => false,
    };
    let example_metadata = body
        .get("Metadata")
        .is_some_and(|metadata| metadata.get("example").is_some() && metadata.get("example_2").is_some());
    example_address || example_id || example_metadata
}

//! The heaviest bodies at an ingest function's own binary; `make body-memory` has all of them.

use postledger_tests::heavy::{BODY_BYTES, RESIDENT_MB_MAX, bodies, measure};
use postledger_tests::lambda::built;

/// What the process of a function that is built for release has resident before it is told anything, in megabytes.
const AT_REST_MB: u64 = 16;

#[test]
fn no_body_takes_more_memory_than_a_function_has() {
    let binary = built().join("ingest-bounce");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let all = bodies();
    assert!(all.iter().all(|(_, body)| body.len() <= BODY_BYTES));
    let peak_mb = |name: &str| {
        let (_, body) = all.iter().find(|(known, _)| *known == name).unwrap();
        let measured = runtime.block_on(measure(&binary, body));
        (measured.resident_kb / 1_024, measured.answer)
    };
    let (at_rest, answer) = peak_mb("nothing more");
    assert!(answer.contains("accepted"), "{answer}");
    for (name, answer) in [
        ("objects of one field", "too_large"),
        ("a field of many keys", "too_large"),
        ("lists nested deep", "too_large"),
        ("bytes that are no text", "too_large"),
        ("a message in Content", "accepted"),
    ] {
        let (peak, answered) = peak_mb(name);
        assert!(answered.contains(answer), "{name}: {answered}");
        // As much more than at rest as one that is built for release may have.
        assert!(peak - at_rest <= RESIDENT_MB_MAX - AT_REST_MB, "{name}: {peak} MB, at rest {at_rest}");
    }
}

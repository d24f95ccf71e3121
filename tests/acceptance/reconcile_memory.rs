//! Reconcile's own binary over suppression lists of thousands of rows; `make reconcile-memory` has a million.

use postledger_tests::lambda::built;
use postledger_tests::reconcile_memory::{Case, Given, run};

/// A quarter of the function's memory, in kilobytes.
const RESIDENT_KB_MAX: u64 = 64 * 1_024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_list_is_compared_whole_and_told_where_ours_lacks_it() {
    let binary = built().join("reconcile");
    for (case, rows) in [(Case::Equal, 20_000), (Case::TheirsEmpty, 20_000), (Case::OursEmpty, 1_000)] {
        let measured = run(&binary, case, rows, Given::Everything).await;
        assert!(measured.resident_kb < RESIDENT_KB_MAX, "{measured:?}");
    }
}

//! A few days of an agency under each generation of Postmark's rules: the small form of `make sim`.

use postledger_tests::sim::{GENERATIONS, Sim, run_all};

/// How many events each generation has, about.
const EVENTS: u64 = 5_000;

/// Another seed with every generation; together they meet every fault under every draw but a few.
#[test]
fn nothing_is_lost_or_doubled_in_some_days_that_go_wrong() {
    let sims = (1..).zip(GENERATIONS).map(|(seed, rules)| Sim::week(seed, EVENTS, rules)).collect();
    for outcome in run_all(sims, |_| {}) {
        assert!(outcome.good(), "{}\n{}", outcome.line(), outcome.diagnosis());
        assert!(outcome.recovered > 0 && outcome.unrecoverable() > 0, "{}", outcome.line());
    }
}

//! A few days of an agency under each generation of Postmark's rules: the small form of `make sim`.

use postledger_tests::sim::{GENERATIONS, Outcome, Sim, run_all};

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

#[test]
fn a_seed_repeats_a_run_to_the_microsecond() {
    let twice = vec![Sim::week(9, 1_500, GENERATIONS[2]); 2];
    let outcomes = run_all(twice, |_| {});
    let [one, other] = &outcomes[..] else { panic!("two runs have two outcomes") };
    assert!(one.good(), "{}\n{}", one.line(), one.diagnosis());
    let told = |outcome: &Outcome| (outcome.fingerprint, outcome.events, outcome.hit, outcome.calls_hit);
    assert_eq!(told(one), told(other));
}

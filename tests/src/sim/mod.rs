//! A month of a busy agency on a virtual clock, and the proof that nothing of it was lost.
//!
//! A simulated Postmark sends mail, and tells of it by webhooks, which go to the doors of the embedded mode; consumers,
//! watch, reconcile and rotation run on the same clock, and much goes wrong. At the end, when reconcile finds nothing
//! more, everything is compared with what really happened ([`proof`]): every event that was offered is recorded once;
//! what was never offered was recovered, or cannot be by its nature; lists, bounces and counters are Postmark's.
//!
//! Everything random comes from the seed, everything runs on one thread, and no real time is looked at: a seed repeats
//! a run to the byte.

mod client;
mod driver;
mod faults;
mod front;
mod operator;
mod proof;
mod state;
mod traffic;
mod world;

pub use faults::{Fault, Wanted};
pub use proof::Outcome;

use ledger::Time;
use postmark_simulator::{Quirks, Rules};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// The generations of Postmark's rules.
pub const GENERATIONS: [Rules; 4] =
    [Rules::Old, Rules::February2026, Rules::August2026 { retries: 6 }, Rules::August2026 { retries: 9 }];

/// A month, or less, of an agency.
#[derive(Clone, Debug)]
pub struct Sim {
    /// Everything random comes from it.
    pub seed: u64,
    /// About how many events happen.
    pub events: u64,
    /// How Postmark delivers webhooks.
    pub rules: Rules,
    /// How many servers the agency has, one for each of its clients.
    pub servers: usize,
    /// For how many days mail is sent.
    pub days: i64,
    /// Every how many hours reconcile looks at a server.
    pub reconcile_hours: i64,
    /// What goes wrong.
    pub faults: Wanted,
    /// The facts that Postmark leaves open; drawn from the seed, if not given.
    pub quirks: Option<Quirks>,
}

impl Sim {
    /// The whole: 40 servers with three streams each, 30 days with a change of the clock, all faults.
    pub fn month(seed: u64, events: u64, rules: Rules) -> Sim {
        let faults = Wanted::All;
        Sim { seed, events, rules, servers: 40, days: 30, reconcile_hours: 1, faults, quirks: None }
    }

    /// A few days of a few servers around the change of the clock.
    pub fn week(seed: u64, events: u64, rules: Rules) -> Sim {
        Sim { servers: 3, days: 6, reconcile_hours: 3, ..Sim::month(seed, events, rules) }
    }

    /// When it begins: so that the night from 31 October to 1 November 2026, when the clocks of US Eastern time are
    /// put back, lies in it.
    fn start(&self) -> Time {
        let clocks_change: Time = "2026-11-01T06:00:00Z".parse().unwrap_or_default();
        clocks_change.plus_days(-self.days * 4 / 7).plus_seconds(-9 * 3_600 - 1_021)
    }

    /// Runs it, and compares. `progress` is told now and then how many events have happened.
    ///
    /// # Panics
    /// Where the machine does not do what it must, or Postledger fails in a way that is none of the faults.
    pub fn run(self, progress: impl FnMut(u64)) -> Outcome {
        fastrand::seed(self.seed);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let begun = Instant::now();
        let mut outcome = runtime.expect("a runtime").block_on(driver::drive(&self, progress));
        outcome.took = begun.elapsed();
        outcome
    }
}

/// Runs several at once, each on a thread of its own, as many as the machine has processors; their outcomes in order.
///
/// # Panics
/// As [`Sim::run`].
pub fn run_all(sims: Vec<Sim>, progress: impl Fn(u64) + Sync) -> Vec<Outcome> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, progress) = (AtomicUsize::new(0), &progress);
    let (sims, next) = (&sims, &next);
    let mut outcomes: Vec<(usize, Outcome)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..processors.min(sims.len()))
            .map(|_| {
                scope.spawn(move || {
                    let mut done = Vec::new();
                    loop {
                        let place = next.fetch_add(1, Ordering::Relaxed);
                        let Some(sim) = sims.get(place) else { return done };
                        let mut before = 0;
                        let outcome = sim.clone().run(|happened| {
                            progress(happened.saturating_sub(before));
                            before = happened;
                        });
                        done.push((place, outcome));
                    }
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no difference panics")).collect()
    });
    outcomes.sort_by_key(|(place, _)| *place);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

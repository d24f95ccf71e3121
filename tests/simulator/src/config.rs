//! What a simulation is started with.

use crate::{Quirks, Rules, Time};
use serde::{Deserialize, Serialize};

/// What a simulation is started with. Two with equal configurations that are told the same do the same.
#[derive(Clone, Debug)]
pub struct Config {
    /// Everything random comes from it.
    pub seed: u64,
    /// Where the clock starts.
    pub start: Time,
    /// How webhooks are delivered.
    pub rules: Rules,
    /// The facts that Postmark leaves open.
    pub quirks: Quirks,
    /// Days that messages and bounces can be read back: 45, or 7 to 365 as an add-on.
    pub retention_days: u32,
    /// What the API does wrong.
    pub faults: Faults,
    /// Servers can be deleted through the API; Postmark enables that on request only (else error 604).
    pub servers_deletable: bool,
    /// Recipients take this many times as long as usual for all they do, and webhooks too. 0 is at once: then no
    /// quirk about order holds.
    pub delays: f64,
}

/// What the API does wrong, besides what its caller does wrong.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// Share of requests that are answered 500, not in JSON. They have no effect.
    pub internal_share: f64,
    /// Share of requests that are answered 503, not in JSON. They have no effect.
    pub unavailable_share: f64,
    /// Requests in a second of the virtual clock above which they are answered 429.
    pub requests_per_second_max: Option<u32>,
    /// Everything is answered 503 with error 100 (maintenance).
    pub maintenance: bool,
}

impl Config {
    /// The rules of August 2026 with six retries, quirks drawn from the seed, from the 1st of September 2026.
    pub fn new(seed: u64) -> Config {
        Config {
            seed,
            start: Time::from_seconds(1_788_220_800),
            rules: Rules::August2026 { retries: 6 },
            quirks: Quirks::draw(seed),
            retention_days: 45,
            faults: Faults::default(),
            servers_deletable: false,
            delays: 1.0,
        }
    }

    /// The same with the usual quirks: what a test of one thing wants.
    pub fn usual(seed: u64) -> Config {
        Config { quirks: Quirks::usual(), ..Config::new(seed) }
    }
}

//! Counts and rates.

use crate::schema::{Cursor, ServerId as OfServer};
use crate::words::{Listable, counted, words_of};
use crate::{Timestamp, Word};
use ledger::ServerId;
use ledger::counters::Measure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// By which spans of time something is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// An hour.
    Hour,
    /// A day of the zone: of 23 or 25 hours where its clocks are changed.
    Day,
}

impl Listable for By {
    fn words() -> Vec<&'static str> {
        words_of::<By>()
    }
}

/// A share, and how sure it is: of few messages, the interval is wide.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rate {
    /// events / volume; null where the volume is 0. More than 1 where mail of before is opened only now.
    #[schemars(range(min = 0))]
    pub value: Option<f64>,
    /// How many.
    #[schemars(range(min = 0))]
    pub events: i64,
    /// Of how many.
    #[schemars(range(min = 0))]
    pub volume: i64,
    /// The lower end of the 95 % Wilson interval; null where there is none.
    #[schemars(range(min = 0, max = 1))]
    pub low: Option<f64>,
    /// Its upper end.
    #[schemars(range(min = 0, max = 1))]
    pub high: Option<f64>,
}

/// First opens of messages, by people and by machines.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Opens {
    /// By people.
    #[schemars(range(min = 0))]
    pub human: i64,
    /// By mail filters and privacy proxies.
    #[schemars(range(min = 0))]
    pub machine: i64,
    /// The share of what was delivered that people opened.
    pub human_rate: Rate,
    /// The share of what was delivered that machines opened.
    pub machine_rate: Rate,
}

/// Clicks, by people and by machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Clicks {
    /// By people.
    #[schemars(range(min = 0))]
    pub human: i64,
    /// By mail filters and privacy proxies.
    #[schemars(range(min = 0))]
    pub machine: i64,
}

/// Counts and rates of a span of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Block {
    /// How many events by measure; those with none are left out.
    #[schemars(schema_with = "counted::<Measure>")]
    pub counts: BTreeMap<String, i64>,
    /// Hard, invalid, soft and block bounces among deliveries and those.
    pub bounce_rate: Rate,
    /// Hard and invalid bounces in the same volume.
    pub hard_bounce_rate: Rate,
    /// Complaints among deliveries.
    pub complaint_rate: Rate,
    /// First opens of messages, by people and by machines.
    pub opens: Opens,
    /// Clicks, by people and by machines.
    pub clicks: Clicks,
}

/// Counts and rates of one hour or day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bucket {
    /// From when, included.
    pub from: Timestamp,
    /// Until when, excluded.
    pub to: Timestamp,
    /// The day or hour, as its zone calls it.
    #[schemars(extend("examples" = ["2026-11-21", "2026-11-21T14"]))]
    pub label: String,
    /// What was counted.
    #[serde(flatten)]
    pub block: Block,
}

/// Counts and rates of a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct StatsOfStream {
    /// Of the whole time that is asked about.
    pub total: Block,
    /// Of each hour or day in which something was counted.
    pub buckets: Vec<Bucket>,
}

/// Counts and rates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// The server.
    #[schemars(with = "OfServer")]
    pub server: ServerId,
    /// The zone whose hours or days are meant.
    pub zone: String,
    /// By which spans of time it is counted.
    pub by: Word<By>,
    /// From when, included.
    pub from: Timestamp,
    /// Until when, excluded.
    pub to: Timestamp,
    /// By stream; those in which nothing was counted are left out.
    pub streams: BTreeMap<String, StatsOfStream>,
    /// Of these streams together.
    pub total: Block,
    /// Hand this in as `cursor` to get what comes next; null at the end.
    #[schemars(with = "Cursor")]
    pub next: Option<String>,
}

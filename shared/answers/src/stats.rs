//! Counts and rates.

use crate::named::{Cursor, ServerId as OfServer};
use crate::words::{Listable, counted, words_of};
use crate::{Timestamp, Word};
use ledger::ServerId;
use ledger::counters::Measure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The spans of time for which events are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// An hour.
    Hour,
    /// A day of the zone; it has 23 or 25 hours when the clocks change.
    Day,
}

impl Listable for By {
    fn words() -> Vec<&'static str> {
        words_of::<By>()
    }
}

/// A share, and how certain it is: for few messages, the interval is wide.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rate {
    /// events / volume; null if the volume is 0. More than 1 if earlier mail is opened in this span.
    #[schemars(range(min = 0))]
    pub value: Option<f64>,
    /// The number of events.
    #[schemars(range(min = 0))]
    pub events: i64,
    /// The total that they are a share of.
    #[schemars(range(min = 0))]
    pub volume: i64,
    /// The lower end of the 95 % Wilson interval; null if there is none.
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
    /// The share of delivered mail that people opened.
    pub human_rate: Rate,
    /// The share of delivered mail that machines opened.
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
    /// The number of events of each measure; measures without events are left out.
    #[schemars(schema_with = "counted::<Measure>")]
    pub counts: BTreeMap<String, i64>,
    /// Hard, invalid, soft and block bounces, as a share of these and deliveries.
    pub bounce_rate: Rate,
    /// Hard and invalid bounces in the same volume.
    pub hard_bounce_rate: Rate,
    /// Complaints, as a share of deliveries.
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
    /// The name of the day or hour in its zone.
    #[schemars(extend("examples" = ["2026-11-21", "2026-11-21T14"]))]
    pub label: String,
    /// The counts and rates.
    #[serde(flatten)]
    pub block: Block,
}

/// Counts and rates of a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct StatsOfStream {
    /// For the whole time that you asked about.
    pub total: Block,
    /// For each hour or day that has events.
    pub buckets: Vec<Bucket>,
}

/// Counts and rates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// The server.
    #[schemars(with = "OfServer")]
    pub server: ServerId,
    /// The time zone of the hours or days.
    pub zone: String,
    /// The span of time of each bucket.
    pub by: Word<By>,
    /// From when, included.
    pub from: Timestamp,
    /// Until when, excluded.
    pub to: Timestamp,
    /// By stream; streams without events are left out.
    pub streams: BTreeMap<String, StatsOfStream>,
    /// For these streams together.
    pub total: Block,
    /// Send this as `cursor` to get the next page; null at the end.
    #[schemars(with = "Cursor")]
    pub next: Option<String>,
}

//! The arguments of `index`.

use super::Target;
use clap::{Args, Subcommand};

/// How many events a second are filled in, unless asked otherwise: a tenth of what a table of DynamoDB takes at once.
pub const RATE: u32 = 500;
/// And at most.
pub const RATE_MAX: u32 = 5_000;

/// `index`.
#[derive(Debug, Subcommand)]
pub enum Index {
    /// Fill in the events that were recorded before the index was switched on.
    ///
    /// It says what that costs, and asks. Until it has come to its end, the list of activity says from when on it is
    /// whole. If it is interrupted, run it again: it continues where it stopped. It changes nothing else of an event,
    /// and what is in the index already is left alone.
    ///
    /// On one machine the index has every event from the first one on.
    Fill(Fill),
    /// Note that the index was switched on, or is about to be switched; `make deploy` does it.
    ///
    /// Until it is noted, nothing of the index counts as whole.
    Note(Note),
}

/// `index fill`.
#[derive(Debug, Args)]
pub struct Fill {
    /// Fill in so many events a second at most.
    #[arg(long, value_name = "R", default_value_t = RATE, value_parser = clap::value_parser!(u32).range(1..=i64::from(RATE_MAX)))]
    pub rate: u32,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// Where Postledger is reached.
    #[command(flatten)]
    pub target: Target,
}

/// `index note`.
#[derive(Debug, Args)]
pub struct Note {
    /// It is on, and the stack has had no event without it.
    #[arg(long, conflicts_with = "off")]
    pub new: bool,
    /// It is off, or is about to be switched on or off.
    #[arg(long)]
    pub off: bool,
    /// Where Postledger is reached.
    #[command(flatten)]
    pub target: Target,
}

//! The arguments of the commands that compare a ledger with what Postmark knows.

use super::{Access, Server, Several, Target};
use clap::Args;
use ledger::Time;

/// Where Postmark is asked.
#[derive(Debug, Args)]
pub struct Postmark {
    /// The URL of Postmark's API; give another one for a simulator.
    #[arg(long = "postmark", env = "POSTLEDGER_POSTMARK", default_value = postmark_api::POSTMARK, value_name = "URL")]
    pub base: String,
}

/// `reconcile`.
#[derive(Debug, Args)]
pub struct Reconcile {
    /// The servers.
    #[command(flatten)]
    pub several: Several,
    /// Only what happened from then on, whatever was compared before [default: what is due].
    #[arg(long, value_name = "T", value_parser = crate::time)]
    pub from: Option<Time>,
    /// Only what happened before then [default with --from: now].
    #[arg(long, value_name = "T", value_parser = crate::time, requires = "from")]
    pub to: Option<Time>,
    /// Only say what is missing; put nothing on the queues, and remember nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Where Postmark is asked.
    #[command(flatten)]
    pub postmark: Postmark,
    /// Where Postledger is reached.
    #[command(flatten)]
    pub target: Target,
}

/// `backfill`.
#[derive(Debug, Args)]
pub struct Backfill {
    /// The servers.
    #[command(flatten)]
    pub several: Several,
    /// How many days back; Postmark keeps 45 unless it was paid to keep more.
    #[arg(long, value_name = "N", default_value_t = reconcile::RETENTION_DAYS, value_parser = clap::value_parser!(i64).range(1..=365))]
    pub days: i64,
    /// Where Postmark is asked.
    #[command(flatten)]
    pub postmark: Postmark,
    /// Where Postledger is reached.
    #[command(flatten)]
    pub target: Target,
}

/// `completeness`.
#[derive(Debug, Args)]
pub struct Completeness {
    /// The server.
    #[command(flatten)]
    pub server: Server,
    /// The first day [default: 30 days ago]; days are Postmark's, in US Eastern time.
    #[arg(long, value_name = "T", value_parser = crate::time)]
    pub from: Option<Time>,
    /// The last day [default: today].
    #[arg(long, value_name = "T", value_parser = crate::time)]
    pub to: Option<Time>,
    /// Where the API is asked.
    #[command(flatten)]
    pub access: Access,
}

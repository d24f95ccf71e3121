//! The arguments of `doctor`.

use super::Target;
use super::reconcile::Postmark;
use clap::Args;
use ledger::ServerId;

/// `doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// This server only [default: all].
    #[arg(long, value_name = "ID")]
    pub server: Option<ServerId>,
    /// Also send one mail to a testing address of Postmark's, and see it arrive; by a server that is meant for tests.
    #[arg(long, requires = "server", requires = "from")]
    pub live: bool,
    /// With --live: the sender, an address that Postmark has confirmed for this account.
    #[arg(long, value_name = "ADDRESS", requires = "live", help_heading = "With --live")]
    pub from: Option<String>,
    /// The stream to send on [default: `outbound`, else the first transactional one].
    #[arg(long, value_name = "STREAM", value_parser = crate::stream, requires = "live", help_heading = "With --live")]
    pub stream: Option<String>,
    /// For how long its webhook is waited for, in seconds.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 300,
        value_parser = clap::value_parser!(u64).range(5..=3_600),
        requires = "live",
        help_heading = "With --live"
    )]
    pub wait: u64,
    /// Send even if the server is not a sandbox but mails people.
    #[arg(long, requires = "live", help_heading = "With --live")]
    pub even_live: bool,
    /// Do not ask.
    #[arg(long, requires = "live", help_heading = "With --live")]
    pub yes: bool,
    /// Where Postmark is asked.
    #[command(flatten)]
    pub postmark: Postmark,
    /// Where Postledger is reached.
    #[command(flatten)]
    pub target: Target,
}

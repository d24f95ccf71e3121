//! The arguments of `keys`.

use super::reconcile::Postmark;
use super::{OnAws, Target};
use clap::{Args, Subcommand};
use ledger::ServerId;

/// `keys`.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Create a key. There may be a second one beside the first while webhooks move to it.
    New,
    /// List the public keys.
    List,
    /// Create what a deployment needs, if it is missing: a key of yours, and on AWS the stack's ledger key. Prints the template's parameters.
    Prepare(OnAws),
    /// Move all webhooks to a new signing key, step by step.
    ///
    /// Run it again and again until it says that the old key is retired: it says what it waits for.
    Rotate(Rotate),
    /// Store the newest key on AWS for the function that sets up webhooks from the portal, or remove it there.
    ///
    /// With the template's PortalConnects=true, people can then set up webhooks without this command line.
    Store(Store),
    /// Forget a key; credentials that it signed are wrong from then on.
    Retire {
        /// The key's id, as `keys list` shows it.
        // It is base64url, which may begin with a hyphen.
        #[arg(allow_hyphen_values = true)]
        key_id: String,
        /// The ledger whose audit notes it.
        #[command(flatten)]
        target: Target,
    },
}

/// `keys rotate`.
#[derive(Debug, Args)]
pub struct Rotate {
    /// Move this server's webhooks only [default: all]; the old key stays until all are moved.
    #[arg(long, value_name = "ID")]
    pub server: Option<ServerId>,
    /// Begin without asking.
    #[arg(long)]
    pub yes: bool,
    /// Where Postmark is asked.
    #[command(flatten)]
    pub postmark: Postmark,
    /// Where Postledger is reached.
    #[command(flatten)]
    pub target: Target,
}

/// `keys store`.
#[derive(Debug, Args)]
pub struct Store {
    /// Remove the stored key instead: webhooks are then set up by `postledger connect` only.
    #[arg(long)]
    pub remove: bool,
    /// Store it without asking.
    #[arg(long)]
    pub yes: bool,
    /// The stack.
    #[command(flatten)]
    pub target: Target,
}

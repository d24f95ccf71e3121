//! The arguments of `postledger user`.

use super::api::{Access, Paging};
use clap::{Args, Subcommand};
use ledger::ServerId;

/// `user`.
#[derive(Debug, Subcommand)]
pub enum Users {
    /// Invite people. They get a mail, if the portal can send any.
    Invite(UserInvite),
    /// List the people who may sign in.
    List {
        /// How many of them.
        #[command(flatten)]
        paging: Paging,
        /// Where the API is asked.
        #[command(flatten)]
        access: Access,
    },
    /// Change what somebody may do and see: all of it, as it is given.
    Set(UserSet),
    /// Remove somebody. They are signed out at once.
    Remove {
        /// The user, by address or by id.
        #[arg(value_name = "USER", allow_hyphen_values = true)]
        user: String,
        /// Where the API is asked.
        #[command(flatten)]
        access: Access,
    },
    /// End all sessions of somebody. They can sign in again.
    SignOut {
        /// The user, by address or by id.
        #[arg(value_name = "USER", allow_hyphen_values = true)]
        user: String,
        /// Where the API is asked.
        #[command(flatten)]
        access: Access,
    },
    /// Print a link that signs somebody in once, within ten minutes.
    ///
    /// For the first operator, for whoever mail does not reach, and where the portal has no mail server. No token can
    /// make one: it takes the machine that the ledger runs on, or access to AWS.
    Link {
        /// The user, by address or by id.
        #[arg(value_name = "USER", allow_hyphen_values = true)]
        user: String,
        /// Where the API is asked.
        #[command(flatten)]
        access: Access,
    },
}

/// What somebody may do and see.
#[derive(Debug, Args)]
#[group(required = true, multiple = true, id = "access-of", args = ["operator", "viewer_of", "admin_of"])]
pub struct UserAccessArgs {
    /// Everything, at every server: for people of the agency.
    #[arg(long, conflicts_with_all = ["viewer_of", "admin_of"])]
    pub operator: bool,
    /// A viewer of these servers, by Postmark's ids; can be given again.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub viewer_of: Vec<ServerId>,
    /// An admin of these servers, by Postmark's ids; can be given again.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub admin_of: Vec<ServerId>,
    /// Let them see whole addresses in lists, and texts of mail servers.
    #[arg(long)]
    pub reveal: bool,
    /// Let them see the content of mails. It takes --reveal: a mail has addresses in it.
    #[arg(long, requires = "reveal")]
    pub content: bool,
}

/// `user invite`.
#[derive(Debug, Args)]
pub struct UserInvite {
    /// Their addresses.
    #[arg(value_name = "ADDRESS", required = true)]
    pub addresses: Vec<String>,
    /// What they may do and see.
    #[command(flatten)]
    pub access_of: UserAccessArgs,
    /// Where the API is asked.
    #[command(flatten)]
    pub access: Access,
}

/// `user set`.
#[derive(Debug, Args)]
pub struct UserSet {
    /// The user, by address or by id.
    #[arg(value_name = "USER", allow_hyphen_values = true)]
    pub user: String,
    /// What they may do and see from now on.
    #[command(flatten)]
    pub access_of: UserAccessArgs,
    /// Where the API is asked.
    #[command(flatten)]
    pub access: Access,
}

//! The arguments of the commands about servers at Postmark: who they are, their webhooks, and the keys that sign.

use super::api::Access;
use super::postmark_settings::ServerPostmarkSettings;
use super::reconcile::Postmark;
use super::{Server, Several, Target};
use clap::{Args, Subcommand, ValueEnum};
use ledger::policy::{SoftBouncePolicy, StreamKind};
use ledger::{ServerId, Time};

/// `server`.
#[derive(Debug, Subcommand)]
pub enum Servers {
    /// Add a server, or several of an account. Tokens are read from standard input or asked for, and stored.
    Add(Box<ServerAdd>),
    /// The servers that are registered.
    List(Target),
    /// One server, with its streams and policies.
    Show {
        /// The server.
        #[command(flatten)]
        server: Server,
        /// Where Postledger is reached.
        #[command(flatten)]
        target: Target,
    },
    /// Change a server's settings, or its soft-bounce policy from a date on.
    Set(Box<ServerSet>),
    /// When soft bounces count against a recipient: the policies, or another one from now or a later time on.
    ///
    /// With --set, it shows the policy before and after, and how many recipients it concerns; it asks before it changes
    /// anything. `server set --policy` can also set one for the past.
    Policy(ServerPolicy),
    /// What Postmark keeps for a server: its name, tracking, SMTP, old-style hooks. Some of it can be changed.
    ///
    /// With --set, it shows what each change means, and asks before it changes anything at Postmark. Afterwards it says what
    /// Postmark says; it fails if that is something else.
    PostmarkSettings(ServerPostmarkSettings),
    /// Forget a stream that exists only because of a typing error: it has no event and no decision in force.
    ForgetStream {
        /// The server.
        #[command(flatten)]
        server: Server,
        /// The stream.
        #[arg(long, value_name = "STREAM")]
        stream: String,
        /// Where Postledger is reached.
        #[command(flatten)]
        target: Target,
    },
    /// Remove a server from the registry and forget its token and its keys for SMTP; recorded events stay.
    Remove {
        /// The server.
        #[command(flatten)]
        server: Server,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        /// Where Postledger is reached.
        #[command(flatten)]
        target: Target,
    },
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum YesNo {
    /// Yes.
    Yes,
    /// No.
    No,
}

/// How webhooks are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// One for each event type.
    PerType,
    /// One for all.
    OneUrl,
}

impl From<Form> for account::ConnectForm {
    fn from(form: Form) -> account::ConnectForm {
        match form {
            Form::PerType => account::ConnectForm::PerType,
            Form::OneUrl => account::ConnectForm::OneUrl,
        }
    }
}

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Mail that its recipient asked for.
    Transactional,
    /// Mail to many at once.
    Broadcast,
}

impl From<Kind> for StreamKind {
    fn from(kind: Kind) -> StreamKind {
        match kind {
            Kind::Transactional => StreamKind::Transactional,
            Kind::Broadcast => StreamKind::Broadcast,
        }
    }
}

/// What people say of a server.
#[derive(Clone, Debug, Default, Args)]
pub struct About {
    /// Whose mail it sends [default when added: its name at Postmark].
    #[arg(long, value_name = "NAME")]
    pub client: Option<String>,
    /// What you call it [default when added: its name at Postmark].
    #[arg(long, value_name = "TEXT")]
    pub label: Option<String>,
    /// Whether the client tracks opens and clicks by other means, so that webhooks for them are not needed here.
    #[arg(long, value_enum, value_name = "YES|NO")]
    pub native_tracking: Option<YesNo>,
    /// Whether it has one webhook for each event type, or one for all [default when added: per-type].
    #[arg(long = "webhooks", value_enum, value_name = "FORM")]
    pub form: Option<Form>,
}

/// `server add`.
#[derive(Debug, Args)]
pub struct ServerAdd {
    /// Postmark's numeric ServerID; the server's token is asked for.
    #[arg(long, value_name = "ID", required_unless_present = "account", conflicts_with = "account")]
    pub server: Option<ServerId>,
    /// Add servers of an account; the account's token is asked for, and not stored.
    #[arg(long)]
    pub account: bool,
    /// Only these of the account's servers [default: choose from a list].
    #[arg(long, value_name = "ID", value_delimiter = ',', requires = "account", conflicts_with = "all")]
    pub only: Vec<ServerId>,
    /// All of the account's servers.
    #[arg(long, requires = "account")]
    pub all: bool,
    /// What is said of it.
    #[command(flatten)]
    pub about: About,
    /// Where Postmark is asked.
    #[command(flatten)]
    pub postmark: Postmark,
    /// Where Postledger is reached.
    #[command(flatten)]
    pub target: Target,
}

/// `server policy`.
#[derive(Debug, Args)]
pub struct ServerPolicy {
    /// The server.
    #[command(flatten)]
    pub server: Server,
    /// The policy, such as `count=5,messages=3,span=7,window=30,pause=14` (span, window and pause in days).
    #[arg(long, value_name = "POLICY", requires = "kind")]
    pub set: Option<SoftBouncePolicy>,
    /// The kind of stream that it is for.
    #[arg(long, value_enum, value_name = "KIND", requires = "set")]
    pub kind: Option<Kind>,
    /// From when it applies: RFC 3339, or microseconds since 1970 [default: now].
    #[arg(long, value_name = "T", value_parser = crate::time, requires = "set")]
    pub from: Option<Time>,
    /// Only show what it would change.
    #[arg(long, requires = "set")]
    pub dry_run: bool,
    /// Do not ask.
    #[arg(long, conflicts_with = "dry_run")]
    pub yes: bool,
    /// Where the API is asked.
    #[command(flatten)]
    pub access: Access,
}

/// `server set`.
#[derive(Debug, Args)]
pub struct ServerSet {
    /// The server.
    #[command(flatten)]
    pub server: Server,
    /// What is said of it.
    #[command(flatten)]
    pub about: About,
    /// Which of its passwords webhooks use: after a revocation, the next one. Then run `postledger connect`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub generation: Option<u32>,
    /// The soft-bounce policy from a date on, such as `count=5,messages=3,span=7,window=30,pause=14`.
    #[arg(long, value_name = "POLICY")]
    pub policy: Option<SoftBouncePolicy>,
    /// The kind of streams that the policy is for.
    #[arg(long, value_enum, requires = "policy", default_value = "transactional")]
    pub kind: Kind,
    /// When the policy begins to apply [default: now].
    #[arg(long, value_name = "T", value_parser = crate::time, requires = "policy")]
    pub from: Option<Time>,
    /// Where Postledger is reached.
    #[command(flatten)]
    pub target: Target,
}

/// `connect`.
#[derive(Debug, Args)]
pub struct Connect {
    /// The servers.
    #[command(flatten)]
    pub several: Several,
    /// One webhook for all event types, from now on.
    #[arg(long)]
    pub one_url: bool,
    /// The base of the webhooks' URLs [default: the last one, otherwise the ledger's own].
    #[arg(long, value_name = "URL")]
    pub doors: Option<String>,
    /// Only show what would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// Remove our webhooks instead.
    #[arg(long, conflicts_with = "one_url")]
    pub remove: bool,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// Where Postmark is asked.
    #[command(flatten)]
    pub postmark: Postmark,
    /// Where Postledger is reached.
    #[command(flatten)]
    pub target: Target,
}

/// `watch`.
#[derive(Debug, Args)]
pub struct Watch {
    /// This server only [default: all].
    #[arg(long, value_name = "ID")]
    pub server: Option<ServerId>,
    /// Have Postmark verify paused triggers again, and repair webhooks that differ from what was set up.
    #[arg(long)]
    pub repair: bool,
    /// Where Postmark is asked.
    #[command(flatten)]
    pub postmark: Postmark,
    /// Where Postledger is reached.
    #[command(flatten)]
    pub target: Target,
}

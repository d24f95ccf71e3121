//! The arguments of the commands that ask the read API, and of those that change a ledger through it.

use super::branding::Branding;
use super::smtp::Smtp;
use super::user::Users;
use super::{By, Server, Several, Target, Unknown};
use clap::{Args, Subcommand, ValueEnum};
use ledger::{ServerId, Time};
use std::path::PathBuf;

/// Where the read API is asked, and as whom.
#[derive(Clone, Debug, Default, Args)]
pub struct Access {
    /// Ask over HTTP as the bearer of the API token in this file [env: POSTLEDGER_TOKEN holds the token itself, as does token of the settings file], at --url
    /// or where the stack on AWS says that its API is.
    ///
    /// If a token is given, the command uses it or refuses, so nobody acts as the operator by mistake. Without a token,
    /// a Postledger on this machine is asked as its user, and a stack on AWS with your AWS credentials.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Where Postledger is reached.
    #[command(flatten)]
    pub target: Target,
}

/// How much of a list.
#[derive(Clone, Debug, Args)]
pub struct Paging {
    /// At most this many.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: u64,
    /// All entries.
    #[arg(long, conflicts_with = "limit")]
    pub all: bool,
    /// Continue where a list ended: the `next` of its JSON.
    #[arg(long, value_name = "CURSOR")]
    pub cursor: Option<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Ask {
    /// May this address be mailed, and if not, why not?
    Recipient(Recipient),
    /// May these addresses be mailed? A whole list, before a sending.
    ///
    /// The addresses come from a file or standard input: one on each line, or a list as `suppressions import` reads it,
    /// whatever its columns are called.
    ///
    /// Prints `address,verdict,reasons,since` for each, or JSON lines. Exit status 0: all may be mailed; 1: at least one
    /// may not (`do_not_send`, not an address, or a row that cannot be read), with --strict also if one is a risk; 2: the
    /// ledger could not be asked, or the server or stream is unknown.
    Check(Check),
    /// Lists of addresses not to be mailed: look up, export, import.
    #[command(subcommand)]
    Suppressions(Suppressions),
    /// Put addresses on the list of those that must not be mailed.
    ///
    /// They are barred here and at Postmark; with --no-postmark only here. Exit status 1: not everything was done.
    Suppress(Suppress),
    /// Allow mail to an address again, here and at Postmark.
    ///
    /// The address is taken off the list here and at Postmark. With --no-postmark only your own bar is lifted, and only
    /// if the address is not on Postmark's list. A spam complaint stays, and an unsubscribe needs --consent. Exit status
    /// 1: it was refused, or not everything was done.
    Reactivate(Reactivate),
    /// Remove a person's data from the ledger.
    ///
    /// This cannot be undone.
    ///
    /// It removes address, tags, metadata, subjects, diagnostic texts and bodies, also from bodies that were set aside.
    /// It keeps, under an id that is not an address, that an event happened, when, and on which stream and message. So
    /// counts stay right, and the person is still not mailed. Bodies that were set aside, and messages on their way, are
    /// swept every day for some weeks, and at once with --sweep.
    Erase(Erase),
    /// Export everything that is recorded about a person, as JSON.
    ///
    /// This includes the bodies. Use it to answer a person's request for their data.
    Export(Export),
    /// Counts and rates, by stream and by hour or day.
    Stats(Stats),
    /// What happened to an address, oldest first.
    Timeline(Timeline),
    /// What happened to a message.
    Message(Message),
    /// What Postmark says it sent to an address, or of one message.
    ///
    /// Postmark is asked now, and nothing of its answer is stored. So mail is found of which no event has come in. With
    /// --content it tells what is written in a message.
    Sent(Sent),
    /// What Postmark says came in, and why it was not taken.
    ///
    /// The latest 50 mails that came to the server's inbound stream. Postmark is asked now, and nothing of its answer is
    /// stored.
    Inbound(Inbound),
    /// What happened at a server, latest first.
    ///
    /// The stack needs its index by time for this (the template's parameter `ByTime`).
    Activity(Activity),
    /// Who changed what, latest first.
    Audit(Audit),
    /// The tokens that let others ask the API: create, list, revoke.
    #[command(subcommand)]
    Token(Tokens),
    /// Who may sign in to the portal: invite, list, change, remove.
    #[command(subcommand)]
    User(Users),
    /// What the portal is called and looks like: show it, or change it.
    ///
    /// Without options it is shown. Each option changes one part, and the others stay. People see the change within a
    /// minute, on every page. For operators.
    Branding(Branding),
    /// Keys for mail by SMTP: list, store, check, test, remove.
    #[command(subcommand)]
    Smtp(Smtp),
}

/// `recipient`.
#[derive(Debug, Args)]
pub struct Recipient {
    /// Postmark's numeric ServerID [env: POSTLEDGER_SERVER] [default: server of the settings file; where nothing names
    /// one, all servers that are registered are asked].
    #[arg(long, value_name = "ID")]
    pub server: Option<ServerId>,
    /// The address, in any spelling, or `id:` and a recipient's id.
    #[arg(value_parser = crate::whom)]
    pub address: String,
    /// The stream to mail on [default: all known streams].
    #[arg(long, value_name = "STREAM", value_parser = crate::stream)]
    pub stream: Option<String>,
    /// Whether it may be unknown.
    #[command(flatten)]
    pub unknown: Unknown,
    /// As of a past instant: RFC 3339, or microseconds since 1970.
    #[arg(long, value_name = "T", value_parser = crate::time)]
    pub at: Option<Time>,
    /// Use only what had come in by this instant.
    #[arg(long, value_name = "T", value_parser = crate::time)]
    pub known_at: Option<Time>,
    /// Where the API is asked.
    #[command(flatten)]
    pub access: Access,
}

/// `check`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status 0: all may be mailed.  1: at least one may not.  2: the ledger could not be asked."
)]
pub struct Check {
    /// The server.
    #[command(flatten)]
    pub server: Server,
    /// The stream to mail on.
    #[arg(long, value_name = "STREAM", value_parser = crate::stream)]
    pub stream: String,
    /// Whether it may be unknown.
    #[command(flatten)]
    pub unknown: Unknown,
    /// This address, or `id:` and a recipient's id; may be given several times.
    #[arg(long = "address", value_name = "ADDRESS", conflicts_with = "file")]
    pub addresses: Vec<String>,
    /// A file of addresses: one on each line, CSV or JSON [default: standard input, as `-`].
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Exit with 1 also if mailing an address is a risk.
    #[arg(long)]
    pub strict: bool,
    /// Where the API is asked.
    #[command(flatten)]
    pub access: Access,
}

/// Why an address is on a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Cause {
    /// There is no such mailbox.
    HardBounce,
    /// Its owner reported mail as spam.
    Complaint,
    /// Its owner unsubscribed.
    Unsubscribe,
    /// Somebody put it there.
    Manual,
    /// The reason is unknown.
    Unknown,
}

impl From<Cause> for ledger::event::Cause {
    fn from(cause: Cause) -> ledger::event::Cause {
        match cause {
            Cause::HardBounce => ledger::event::Cause::HardBounce,
            Cause::Complaint => ledger::event::Cause::Complaint,
            Cause::Unsubscribe => ledger::event::Cause::Unsubscribe,
            Cause::Manual => ledger::event::Cause::Manual,
            Cause::Unknown => ledger::event::Cause::Unknown,
        }
    }
}

/// Why an address must not be mailed: by Postmark's list, or by you.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Why {
    /// There is no such mailbox.
    HardBounce,
    /// Its owner reported mail as spam.
    Complaint,
    /// Its owner unsubscribed.
    Unsubscribe,
    /// Somebody put it on Postmark's list.
    Manual,
    /// The reason is unknown.
    Unknown,
    /// You decided so.
    Decision,
    /// It was on an imported list.
    Import,
}

impl Why {
    /// The API's word.
    pub const fn name(self) -> &'static str {
        use ledger::event::{Bar, Cause};
        match self {
            Why::HardBounce => Cause::HardBounce.name(),
            Why::Complaint => Cause::Complaint.name(),
            Why::Unsubscribe => Cause::Unsubscribe.name(),
            Why::Manual => Cause::Manual.name(),
            Why::Unknown => Cause::Unknown.name(),
            Why::Decision => Bar::Decision.name(),
            Why::Import => Bar::Import(None).name(),
        }
    }
}

/// Who put an address on a list, as Postmark tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Origin {
    /// The recipient of the mail.
    Recipient,
    /// The sender of the mail.
    Customer,
    /// Postmark.
    Admin,
}

impl Origin {
    /// Postmark's word.
    pub const fn name(self) -> &'static str {
        match self {
            Origin::Recipient => "Recipient",
            Origin::Customer => "Customer",
            Origin::Admin => "Admin",
        }
    }
}

/// Which list, and which of it.
#[derive(Debug, Args)]
pub struct Listed {
    /// The server.
    #[command(flatten)]
    pub server: Server,
    /// The stream, or `*` for addresses that are barred on the whole server.
    #[arg(long, value_name = "STREAM", value_parser = crate::scope)]
    pub stream: String,
    /// Whether it may be unknown.
    #[command(flatten)]
    pub unknown: Unknown,
    /// Only addresses that are on it for this reason.
    #[arg(long, value_enum, value_name = "CAUSE")]
    pub cause: Option<Why>,
    /// Only addresses that this side put there.
    #[arg(long, value_enum, value_name = "ORIGIN")]
    pub origin: Option<Origin>,
    /// Only addresses that were put on it at this time or later.
    #[arg(long, value_name = "T", value_parser = crate::time)]
    pub from: Option<Time>,
    /// Only addresses that were put on it before this time.
    #[arg(long, value_name = "T", value_parser = crate::time)]
    pub to: Option<Time>,
    /// Where the API is asked.
    #[command(flatten)]
    pub access: Access,
}

/// `suppressions`.
#[derive(Debug, Subcommand)]
pub enum Suppressions {
    /// The addresses that a stream must not mail.
    List {
        /// Which.
        #[command(flatten)]
        listed: Listed,
        /// How much of it.
        #[command(flatten)]
        paging: Paging,
    },
    /// The whole list as CSV, however long it is: `address,recipient_id,since,causes,origin`.
    Export {
        /// The file to write [default: standard output]; it appears once it is complete, and only you can read it.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Which.
        #[command(flatten)]
        listed: Listed,
    },
    /// Import a list from another service, as CSV or JSON: ours, Postmark's, Amazon SES's, SendGrid's, Mailgun's,
    /// Mailchimp's, Brevo's, listmonk's, or the columns email, cause and date. Exit status 1: some rows, or all, could
    /// not be used.
    ///
    /// Every row is counted, and the counts add up. If a row's date cannot be read, its address is barred as of now.
    /// Columns that are not read are named.
    ///
    /// A list of any length is sent in parts. An import that was interrupted can be repeated: a row that was imported
    /// before is not imported again, even if somebody has allowed its address since.
    Import(Import),
}

/// `suppressions import`.
#[derive(Debug, Args)]
pub struct Import {
    /// The server.
    #[command(flatten)]
    pub server: Server,
    /// The stream, or `*` for the whole server.
    #[arg(long, value_name = "STREAM", value_parser = crate::scope)]
    pub stream: String,
    /// Whether it may be unknown.
    #[command(flatten)]
    pub unknown: Unknown,
    /// Why the addresses are on it, if the list does not say.
    #[arg(long, value_enum, value_name = "CAUSE")]
    pub cause: Option<Cause>,
    /// Only say what would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// The list; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where the API is asked.
    #[command(flatten)]
    pub access: Access,
}

/// `suppress`.
#[derive(Debug, Args)]
pub struct Suppress {
    /// The server.
    #[command(flatten)]
    pub server: Server,
    /// The stream, or `*` for the whole server.
    #[arg(long, value_name = "STREAM", value_parser = crate::scope)]
    pub stream: String,
    /// Whether it may be unknown.
    #[command(flatten)]
    pub unknown: Unknown,
    /// The reason in words, for people who read the timeline.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// The reason as a choice, for the audit.
    #[arg(long, value_enum, default_value_t = Ground::Other)]
    pub why: Ground,
    /// Only here: Postmark's list stays as it is.
    #[arg(long)]
    pub no_postmark: bool,
    /// Only tell what would be changed.
    #[arg(long)]
    pub dry_run: bool,
    /// The addresses, or `id:` and recipients' ids.
    #[arg(required = true, value_name = "ADDRESS")]
    pub addresses: Vec<String>,
    /// Where the API is asked.
    #[command(flatten)]
    pub access: Access,
}

/// Why something is ruled, as the audit notes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Ground {
    /// The person asked.
    Request,
    /// The person complained.
    Complaint,
    /// Mail bounces, or arrives again.
    Bounce,
    /// A law or a contract requires it.
    Legal,
    /// An earlier decision was a mistake.
    Mistake,
    /// Something else.
    Other,
}

impl From<Ground> for answers::Why {
    fn from(ground: Ground) -> answers::Why {
        match ground {
            Ground::Request => answers::Why::Request,
            Ground::Complaint => answers::Why::Complaint,
            Ground::Bounce => answers::Why::Bounce,
            Ground::Legal => answers::Why::Legal,
            Ground::Mistake => answers::Why::Mistake,
            Ground::Other => answers::Why::Other,
        }
    }
}

/// `reactivate`.
#[derive(Debug, Args)]
pub struct Reactivate {
    /// The server.
    #[command(flatten)]
    pub server: Server,
    /// The stream, or `*` for the whole server.
    #[arg(long, value_name = "STREAM", value_parser = crate::scope)]
    pub stream: String,
    /// Whether it may be unknown.
    #[command(flatten)]
    pub unknown: Unknown,
    /// The reason in words, for people who read the timeline.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// The reason as a choice, for the audit.
    #[arg(long, value_enum, default_value_t = Ground::Other)]
    pub why: Ground,
    /// For an owner who had unsubscribed: what they agreed to, when and how.
    #[arg(long, value_name = "TEXT")]
    pub consent: Option<String>,
    /// Allow it only here, if it is not on Postmark's list; that list is not changed.
    #[arg(long)]
    pub no_postmark: bool,
    /// Only tell what would be changed.
    #[arg(long)]
    pub dry_run: bool,
    /// The address, or `id:` and a recipient's id.
    #[arg(value_parser = crate::whom)]
    pub address: String,
    /// Where the API is asked.
    #[command(flatten)]
    pub access: Access,
}

/// `erase`.
#[derive(Debug, Args)]
#[group(skip)]
pub struct Erase {
    /// The server of the address.
    #[arg(long, value_name = "ID", required_unless_present = "sweep", requires = "address")]
    pub server: Option<ServerId>,
    /// The address to erase at this server, or `id:` and a recipient's id.
    #[arg(value_name = "ADDRESS", requires = "server", value_parser = crate::whom)]
    pub address: Option<String>,
    /// As an operator of the stack: remove now what is left of all erased people in tables, quarantine and dead letters.
    #[arg(long)]
    pub sweep: bool,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// Where the API is asked.
    #[command(flatten)]
    pub access: Access,
}

/// `export`.
#[derive(Debug, Args)]
pub struct Export {
    /// The server.
    #[command(flatten)]
    pub server: Server,
    /// The address, or `id:` and a recipient's id.
    #[arg(value_parser = crate::whom)]
    pub address: String,
    /// Where the API is asked.
    #[command(flatten)]
    pub access: Access,
}

/// `stats`.
#[derive(Debug, Args)]
pub struct Stats {
    /// The servers.
    #[command(flatten)]
    pub several: Several,
    /// The stream [default: all].
    #[arg(long, value_name = "STREAM", value_parser = crate::scope)]
    pub stream: Option<String>,
    /// Whether it may be unknown.
    #[command(flatten)]
    pub unknown: Unknown,
    /// From when [default: 30 days before --to].
    #[arg(long, value_name = "T", value_parser = crate::time)]
    pub from: Option<Time>,
    /// To before when [default: now].
    #[arg(long, value_name = "T", value_parser = crate::time)]
    pub to: Option<Time>,
    /// By hour or by day.
    #[arg(long, value_enum, value_name = "BY")]
    pub by: Option<By>,
    /// Whose days, such as Europe/Amsterdam [default: UTC].
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// Continue with the next streams: the `next` of the JSON.
    #[arg(long, value_name = "CURSOR")]
    pub cursor: Option<String>,
    /// Where the API is asked.
    #[command(flatten)]
    pub access: Access,
}

/// `timeline`.
#[derive(Debug, Args)]
pub struct Timeline {
    /// The server.
    #[command(flatten)]
    pub server: Server,
    /// The address, or `id:` and a recipient's id.
    #[arg(value_parser = crate::whom)]
    pub address: String,
    /// How much of it.
    #[command(flatten)]
    pub paging: Paging,
    /// Where the API is asked.
    #[command(flatten)]
    pub access: Access,
}

/// `message`.
#[derive(Debug, Args)]
pub struct Message {
    /// The server.
    #[command(flatten)]
    pub server: Server,
    /// Postmark's MessageID.
    #[arg(value_name = "MESSAGE_ID")]
    pub id: String,
    /// How much of it.
    #[command(flatten)]
    pub paging: Paging,
    /// Where the API is asked.
    #[command(flatten)]
    pub access: Access,
}

/// `sent`.
#[derive(Debug, Args)]
pub struct Sent {
    /// The server.
    #[command(flatten)]
    pub server: Server,
    /// The address, or `id:` and a recipient's id.
    #[arg(value_parser = crate::whom, required_unless_present = "message", conflicts_with = "message")]
    pub address: Option<String>,
    /// Ask about this message: Postmark's MessageID.
    #[arg(long, value_name = "MESSAGE_ID")]
    pub message: Option<String>,
    /// Print what is written in the message, if Postmark still has it: for whoever was given the right to it.
    ///
    /// Each look is noted in the audit.
    #[arg(long, requires = "message")]
    pub content: bool,
    /// Print the message's HTML alone.
    #[arg(long, requires = "content")]
    pub html: bool,
    /// Only on this stream [default: all that are known].
    #[arg(long, value_name = "STREAM", conflicts_with = "message")]
    pub stream: Option<String>,
    /// Where the API is asked.
    #[command(flatten)]
    pub access: Access,
}

/// `inbound`.
#[derive(Debug, Args)]
pub struct Inbound {
    /// The server.
    #[command(flatten)]
    pub server: Server,
    /// Only mail of this status.
    #[arg(long, value_name = "STATUS", value_parser = ["processed", "blocked", "queued", "failed", "scheduled"])]
    pub status: Option<String>,
    /// Where the API is asked.
    #[command(flatten)]
    pub access: Access,
}

/// `activity`.
#[derive(Debug, Args)]
pub struct Activity {
    /// The server.
    #[command(flatten)]
    pub server: Server,
    /// Only on this stream.
    #[arg(long, value_name = "STREAM", value_parser = crate::scope)]
    pub stream: Option<String>,
    /// Whether it may be unknown.
    #[command(flatten)]
    pub unknown: Unknown,
    /// Only events of this type: Postmark's RecordType, or Observed or Decision.
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Only bounces of this class: hard, soft, block, …
    #[arg(long, value_name = "CLASS")]
    pub class: Option<String>,
    /// From when.
    #[arg(long, value_name = "T", value_parser = crate::time)]
    pub from: Option<Time>,
    /// To when.
    #[arg(long, value_name = "T", value_parser = crate::time)]
    pub to: Option<Time>,
    /// How much of it.
    #[command(flatten)]
    pub paging: Paging,
    /// Where the API is asked.
    #[command(flatten)]
    pub access: Access,
}

/// `audit`.
#[derive(Debug, Args)]
pub struct Audit {
    /// The server [default: changes of the stack as a whole, for its operators].
    #[arg(long, value_name = "ID")]
    pub server: Option<ServerId>,
    /// How much of it.
    #[command(flatten)]
    pub paging: Paging,
    /// Where the API is asked.
    #[command(flatten)]
    pub access: Access,
}

/// What a token's bearer may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Sees its servers, and checks addresses.
    Viewer,
    /// Also suppresses, reactivates, imports, erases, and creates viewers' tokens for its servers.
    Admin,
    /// Everything.
    Operator,
}

impl From<Role> for ::api::token::Role {
    fn from(role: Role) -> ::api::token::Role {
        match role {
            Role::Viewer => ::api::token::Role::Viewer,
            Role::Admin => ::api::token::Role::Admin,
            Role::Operator => ::api::token::Role::Operator,
        }
    }
}

/// `token`.
#[derive(Debug, Subcommand)]
pub enum Tokens {
    /// Create a token. It is shown only once: in a file with --out, otherwise on standard output.
    New(TokenNew),
    /// List the tokens, without their secrets.
    List {
        /// How many of them.
        #[command(flatten)]
        paging: Paging,
        /// Where the API is asked.
        #[command(flatten)]
        access: Access,
    },
    /// Revoke a token. It stops working, and so do the tokens that were created with it.
    Revoke {
        /// Its id, as `token list` shows it.
        // It is base64url, which may begin with a hyphen.
        #[arg(allow_hyphen_values = true)]
        id: String,
        /// Keep the tokens that were created with it.
        #[arg(long)]
        keep_children: bool,
        /// Where the API is asked.
        #[command(flatten)]
        access: Access,
    },
}

/// `token new`.
#[derive(Debug, Args)]
pub struct TokenNew {
    /// A name for it, such as the name of its user.
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// What the token may do.
    #[arg(long, value_enum, value_name = "ROLE")]
    pub role: Role,
    /// The servers that it is for, by Postmark's ids.
    #[arg(
        long,
        value_name = "ID",
        value_delimiter = ',',
        required_unless_present = "all_servers",
        conflicts_with = "all_servers"
    )]
    pub servers: Vec<ServerId>,
    /// For all servers, future ones too.
    #[arg(long)]
    pub all_servers: bool,
    /// Until when [default: until it is revoked, or the token that creates it expires].
    #[arg(long, value_name = "T", value_parser = crate::time)]
    pub expires: Option<Time>,
    /// Let a viewer see whole addresses, and texts of mail servers.
    #[arg(long)]
    pub reveal: bool,
    /// Let it see the content of mails. It takes --reveal: a mail has addresses in it.
    #[arg(long, requires = "reveal")]
    pub content: bool,
    /// Write it to this file, which only you can read, as an HTTP header: for `--token-file FILE` and
    /// `curl --header @FILE`.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Where the API is asked.
    #[command(flatten)]
    pub access: Access,
}

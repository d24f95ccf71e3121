//! The arguments of the commands that ask the read API, and of those that change a ledger through it.

use super::{By, Server, Several, Target, Unknown};
use clap::{Args, Subcommand, ValueEnum};
use ledger::{ServerId, Time};
use std::path::PathBuf;

/// The variable that holds a token.
pub const TOKEN: &str = "POSTLEDGER_TOKEN";

/// Where the read API is asked, and as whom.
#[derive(Clone, Debug, Default, Args)]
pub struct Access {
    /// Ask over HTTP as the bearer of the API token in this file [env: POSTLEDGER_TOKEN holds the token itself, as does token of the settings file], at --url
    /// or where the stack on AWS says that its API is.
    ///
    /// A token that is given is used, or the command refuses: nobody acts as the operator by mistake. Without one a
    /// Postledger on this machine is asked as its user, and a stack on AWS by the credentials of AWS.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Where Postledger is reached.
    #[command(flatten)]
    pub target: Target,
}

/// How much of a list.
#[derive(Clone, Debug, Args)]
pub struct Paging {
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: u64,
    /// All that there are.
    #[arg(long, conflicts_with = "limit")]
    pub all: bool,
    /// Go on where a list ended: the `next` of its JSON.
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
    /// They come from a file or standard input: one a line, or a list as `suppressions import` reads it, whatever its
    /// columns are called.
    ///
    /// Prints `address,verdict,reasons,since` for each, or JSON lines. Exit status 0: all may be mailed; 1: at least one
    /// may not (`do_not_send`, no address at all, or a row that cannot be read), with --strict also where one is a risk;
    /// 2: it could not be asked, or nobody knows the server or the stream.
    Check(Check),
    /// Lists of addresses that must not be mailed: look, export, import.
    #[command(subcommand)]
    Suppressions(Suppressions),
    /// Put addresses on the list of those that must not be mailed.
    ///
    /// They are barred here and at Postmark; with --no-postmark here alone. Exit status 1: not all of it was done.
    Suppress(Suppress),
    /// Mail an address again, here and at Postmark, where allowed.
    ///
    /// It is taken off the list here and at Postmark; with --no-postmark only what is yours is allowed again, where Postmark's
    /// list does not hold it. A spam
    /// complaint stays, and an unsubscribe needs --consent. Exit status 1: it was refused, or not all of it was done.
    Reactivate(Reactivate),
    /// Take a person's data out of the ledger.
    ///
    /// It cannot be undone.
    ///
    /// Address, tags, metadata, subjects, diagnostic texts, bodies, and what was set aside of the person are taken out.
    /// That an event happened, when, on which stream and message, stays under an id that is no address: so counts stay
    /// right, and whoever must not be mailed still is not. What was set aside, and what is on its way, is swept daily for
    /// some weeks, and at once by --sweep.
    Erase(Erase),
    /// A person's data, for the person, as JSON.
    ///
    /// It is all that is recorded about an address, with the bodies.
    Export(Export),
    /// Counts and rates, by stream and by hour or day.
    Stats(Stats),
    /// What happened to an address, the oldest first.
    Timeline(Timeline),
    /// What happened to a message.
    Message(Message),
    /// What happened at a server, the latest first.
    ///
    /// A stack needs its index by time for this.
    Activity(Activity),
    /// Who changed what, the latest first.
    Audit(Audit),
    /// The tokens that let others ask the API: make, list, revoke.
    #[command(subcommand)]
    Token(Tokens),
}

/// `recipient`.
#[derive(Debug, Args)]
pub struct Recipient {
    /// Postmark's numeric ServerID [env: POSTLEDGER_SERVER] [default: server of the settings file; where nothing names
    /// one, all servers that are registered are asked].
    #[arg(long, value_name = "ID")]
    pub server: Option<ServerId>,
    /// The address, in any spelling, or `id:` and a recipient's id.
    #[arg(value_parser = crate::ask::whom)]
    pub address: String,
    /// The stream to mail on [default: all that are known].
    #[arg(long, value_name = "STREAM", value_parser = crate::stream)]
    pub stream: Option<String>,
    /// Whether it may be unknown.
    #[command(flatten)]
    pub unknown: Unknown,
    /// As of a past instant: RFC 3339, or microseconds since 1970.
    #[arg(long, value_name = "T", value_parser = crate::time)]
    pub at: Option<Time>,
    /// By what had come in by an instant.
    #[arg(long, value_name = "T", value_parser = crate::time)]
    pub known_at: Option<Time>,
    /// Where the API is asked.
    #[command(flatten)]
    pub access: Access,
}

/// `check`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status 0: all may be mailed.  1: at least one may not.  2: it could not be asked."
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
    /// Where the addresses are: one a line, CSV or JSON [default: standard input, as `-`].
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Exit status 1 also where mailing an address is a risk.
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
    /// Its owner called mail spam.
    Complaint,
    /// Its owner unsubscribed.
    Unsubscribe,
    /// Somebody put it there.
    Manual,
    /// Nobody knows.
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
    /// Its owner called mail spam.
    Complaint,
    /// Its owner unsubscribed.
    Unsubscribe,
    /// Somebody put it on Postmark's list.
    Manual,
    /// Nobody knows.
    Unknown,
    /// You ruled so.
    Decision,
    /// It was on a list from elsewhere.
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
    /// Whoever gets the mail.
    Recipient,
    /// Whoever sends it.
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
    /// The stream, or `*` for what is barred on the whole server.
    #[arg(long, value_name = "STREAM", value_parser = crate::scope)]
    pub stream: String,
    /// Whether it may be unknown.
    #[command(flatten)]
    pub unknown: Unknown,
    /// Only those that are on it for this.
    #[arg(long, value_enum, value_name = "CAUSE")]
    pub cause: Option<Why>,
    /// Only those that this side put there.
    #[arg(long, value_enum, value_name = "ORIGIN")]
    pub origin: Option<Origin>,
    /// Only those that are on it since then or later.
    #[arg(long, value_name = "T", value_parser = crate::time)]
    pub from: Option<Time>,
    /// Only those that were on it before then.
    #[arg(long, value_name = "T", value_parser = crate::time)]
    pub to: Option<Time>,
    /// Where the API is asked.
    #[command(flatten)]
    pub access: Access,
}

/// `suppressions`.
#[derive(Debug, Subcommand)]
pub enum Suppressions {
    /// Whom a stream must not mail.
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
        /// Where to [default: standard output]; a file is there when it is whole, readable by you alone.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Which.
        #[command(flatten)]
        listed: Listed,
    },
    /// Take in a list from elsewhere, CSV or JSON: ours, Postmark's, Amazon SES's, SendGrid's, Mailgun's, Mailchimp's,
    /// Brevo's, listmonk's, or the columns email, cause and date. Exit status 1: some rows could not be used, or none.
    ///
    /// What became of the rows is counted, and adds up to them. Whose date cannot be read is barred as of now. Columns
    /// that are not read are named.
    ///
    /// A list of any length is sent in parts. What was taken in before is not again, even where somebody has allowed it since, so that it may be
    /// done again where it was cut off.
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
    /// Why the addresses are on it, where the list does not tell.
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
    /// Why, for whoever reads the timeline.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Why, as a choice, for the audit.
    #[arg(long, value_enum, default_value_t = Ground::Other)]
    pub why: Ground,
    /// Here only: Postmark's list stays as it is.
    #[arg(long)]
    pub no_postmark: bool,
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
    /// Mail does not get there, or does again.
    Bounce,
    /// A law or a contract asks for it.
    Legal,
    /// It was ruled otherwise by mistake.
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
    /// Why, for whoever reads the timeline.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Why, as a choice, for the audit.
    #[arg(long, value_enum, default_value_t = Ground::Other)]
    pub why: Ground,
    /// What its owner agreed to, when and how, where they had unsubscribed.
    #[arg(long, value_name = "TEXT")]
    pub consent: Option<String>,
    /// Allow it here only, where Postmark's list does not hold it: that list is not touched.
    #[arg(long)]
    pub no_postmark: bool,
    /// The address, or `id:` and a recipient's id.
    #[arg(value_parser = crate::ask::whom)]
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
    #[arg(value_name = "ADDRESS", requires = "server", value_parser = crate::ask::whom)]
    pub address: Option<String>,
    /// As an operator of the stack: take what is left of all who are erased out of tables, quarantine and dead letters
    /// now.
    #[arg(long)]
    pub sweep: bool,
    /// Without asking.
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
    #[arg(value_parser = crate::ask::whom)]
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
    /// Go on with the next streams: the `next` of the JSON.
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
    #[arg(value_parser = crate::ask::whom)]
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
    /// Only of this type: Postmark's RecordType, or Observed or Decision.
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
    /// The server [default: what was changed of the stack as a whole, for its operators].
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
    /// Also suppresses, reactivates, imports, erases, and makes viewers' tokens for its servers.
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
    /// Make a token. It is told once: into a file with --out, else alone on standard output.
    New(TokenNew),
    /// The tokens that there are, without their secrets.
    List {
        /// How many of them.
        #[command(flatten)]
        paging: Paging,
        /// Where the API is asked.
        #[command(flatten)]
        access: Access,
    },
    /// Revoke a token: it opens nothing from then on, and neither do those that were made with it.
    Revoke {
        /// Its id, as `token list` shows it.
        // It is base64url, which may begin with a hyphen.
        #[arg(allow_hyphen_values = true)]
        id: String,
        /// Let those that were made with it go on.
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
    /// What you call it: whose it is.
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// What its bearer may do.
    #[arg(long, value_enum, value_name = "ROLE")]
    pub role: Role,
    /// At which servers: Postmark's ids.
    #[arg(
        long,
        value_name = "ID",
        value_delimiter = ',',
        required_unless_present = "all_servers",
        conflicts_with = "all_servers"
    )]
    pub servers: Vec<ServerId>,
    /// At all servers, those to come too.
    #[arg(long)]
    pub all_servers: bool,
    /// Until when [default: until it is revoked, or the token that makes it ends].
    #[arg(long, value_name = "T", value_parser = crate::time)]
    pub expires: Option<Time>,
    /// Show a viewer addresses whole, and texts of mail servers.
    #[arg(long)]
    pub reveal: bool,
    /// Keep it in this file, which only you can read, as the HTTP header that bears it: for `--token-file FILE`, and for
    /// `curl --header @FILE`.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Where the API is asked.
    #[command(flatten)]
    pub access: Access,
}

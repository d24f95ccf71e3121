//! The arguments: `postledger --help` is made of this.

pub mod api;
pub mod beside;
pub mod branding;
pub mod doctor;
pub mod index;
pub mod keys;
pub mod postmark_settings;
pub mod reconcile;
pub mod smtp;
pub mod user;

pub use api::{Access, Ask};
pub use beside::{Connect, Servers, Watch};
pub use doctor::Doctor;
pub use index::Index;
pub use keys::{Keys, Rotate};
pub use reconcile::{Backfill, Completeness, Postmark, Reconcile};

use crate::format::{Form, Format};
use answers::UnknownStream;
use clap::{Args, Parser, Subcommand, ValueEnum};
use ledger::{ServerId, Time};
use queue::QueueName;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// The port of the embedded mode.
pub const PORT: u16 = 8630;
/// The region of an emulator, unless another is named.
pub const EMULATED_REGION: &str = "eu-west-1";

/// The exact ledger of what happened to mail sent through Postmark.
#[derive(Debug, Parser)]
#[command(
    arg_required_else_help = true,
    name = "postledger",
    version,
    after_help = "Exit status 0: done.  1: it could not be done, or something is not as it should be.  2: wrong usage.\n\
                  Server, URL and token: what an option says counts first, then the environment, then the settings file\n\
                  (postledger.toml here, else $XDG_CONFIG_HOME/postledger/config.toml).\n\
                  Start with `postledger run`, then ask it: `postledger recipient --server 8123456 ADDRESS`."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Where keys are kept, in files of mode 0600 [default: ~/.postledger].
    #[arg(long, global = true, env = "POSTLEDGER_HOME", value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// The stack whose keys sign and, on AWS, whose tables and queues are used.
    #[arg(long, global = true, env = "POSTLEDGER_STACK", default_value = "local", value_name = "NAME")]
    pub stack: String,
    /// Print answers as JSON, the same as `--format json` (`event` and `fold` always do).
    #[arg(long, global = true, conflicts_with = "format")]
    pub json: bool,
    /// How answers are printed [default: table; `check` and `suppressions export`: csv].
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Show tables as wide as they are, though the terminal is narrower.
    #[arg(long, global = true)]
    pub wide: bool,
    /// Read server, url and token from this file [default: postledger.toml in this folder, else
    /// $XDG_CONFIG_HOME/postledger/config.toml].
    #[arg(long, global = true, env = "POSTLEDGER_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl Cli {
    /// The form that is asked for, if one is.
    pub fn form(&self) -> Form {
        Form(if self.json { Some(Format::Json) } else { self.format })
    }
}

/// A stack on AWS: any of these given means AWS, and `--stack` says which stack.
#[derive(Clone, Debug, Default, Args)]
pub struct OnAws {
    /// Ask the stack on AWS, with this profile [default with --region: the credentials that AWS's own tools would use].
    #[arg(long, value_name = "NAME", help_heading = "On AWS (with --stack)")]
    pub profile: Option<String>,
    /// Ask the stack on AWS in this region [default with --profile: the profile's; with --endpoint: eu-west-1].
    #[arg(long, value_name = "REGION", help_heading = "On AWS (with --stack)")]
    pub region: Option<String>,
    /// Ask the stack in an emulator of AWS, which accepts any credentials [env: POSTLEDGER_ENDPOINT].
    #[arg(long, value_name = "URL", help_heading = "On AWS (with --stack)", conflicts_with = "profile")]
    pub endpoint: Option<String>,
    /// Ask the stack that `make local` runs on this machine.
    #[arg(long, help_heading = "On AWS (with --stack)", conflicts_with_all = ["profile", "region", "endpoint"])]
    pub local: bool,
}

/// Where a ledger is asked: the embedded Postledger, or a stack on AWS.
#[derive(Clone, Debug, Default, Args)]
pub struct Target {
    /// Where the embedded Postledger listens [env: POSTLEDGER_URL; then url of the settings file] [default:
    /// http://127.0.0.1:8630].
    #[arg(long, value_name = "URL", conflicts_with_all = ["profile", "region", "endpoint", "local"])]
    pub url: Option<String>,
    /// On AWS.
    #[command(flatten)]
    pub aws: OnAws,
}

impl Target {
    /// Whether one is named by an argument.
    pub fn is_given(&self) -> bool {
        let OnAws { profile, region, endpoint, local } = &self.aws;
        self.url.is_some() || profile.is_some() || region.is_some() || endpoint.is_some() || *local
    }
}

/// Which server's mail.
#[derive(Debug, Args)]
pub struct Server {
    /// Postmark's numeric ServerID [env: POSTLEDGER_SERVER] [default: server of the settings file].
    #[arg(long = "server", value_name = "ID")]
    pub given: Option<ServerId>,
}

/// Which servers.
#[derive(Debug, Args)]
pub struct Several {
    /// Postmark's numeric ServerID; several stand one after the other with commas, or are given again [env:
    /// POSTLEDGER_SERVER] [default: server of the settings file].
    #[arg(long, value_name = "ID", value_delimiter = ',', conflicts_with = "all")]
    pub server: Vec<ServerId>,
    /// All servers that are registered, one after the other; one that fails stops no other.
    #[arg(long)]
    pub all: bool,
}

/// What is meant by a stream that nobody knows.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Unknown {
    /// Accept an unknown stream, such as one that has had no mail yet [default: refuse it as a typing error].
    #[arg(long = "unknown-stream")]
    pub allowed: bool,
}

impl Unknown {
    /// What a request says of it.
    pub const fn meant(self) -> UnknownStream {
        if self.allowed { UnknownStream::Allow } else { UnknownStream::Refuse }
    }
}

/// How a body was told, where it does not say so itself.
#[derive(Debug, Args)]
pub struct Circumstances {
    /// Postmark's numeric ServerID, as a credential would name it [default: the one in the body].
    #[arg(long, value_name = "ID")]
    pub server: Option<ServerId>,
    /// When it came in: RFC 3339, or microseconds since 1970 [default: now].
    #[arg(long, value_name = "T", value_parser = crate::time)]
    pub received_at: Option<Time>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the whole ledger in this process, in memory or in a folder.
    ///
    /// In memory it posts sample events, and all of it is gone when it stops. With --data it lasts: a kill, a crash or a loss of power loses nothing that was answered with 200.
    Run(Run),
    /// Copy a ledger in a folder into one file, while it runs.
    ///
    /// The copy is checked, and has the ledger key, the signing keys and the Postmark tokens in it, sealed by a passphrase.
    Backup(Backup),
    /// Put a backup into an empty folder.
    ///
    /// Put the old folder's erasures.log into it first, where you have it: whoever was erased since the backup is erased again, and what was revoked is revoked.
    Restore(Backup),
    /// Make, list, rotate and retire the keys that sign passwords.
    #[command(subcommand)]
    Keys(Keys),
    /// Print webhook URLs with their credentials, to put into Postmark.
    Url(Url),
    /// The registered Postmark servers, and their tokens.
    #[command(subcommand)]
    Server(Servers),
    /// Set up a server's webhooks in Postmark, or repair them.
    ///
    /// It shows a plan, asks, does it, and reads the webhooks back. Run again, it changes nothing. It never touches
    /// webhooks that Postledger did not create.
    Connect(Connect),
    /// What is wrong with the webhooks of the servers, and what to do.
    ///
    /// Exit status 1: something is wrong.
    Watch(Watch),
    /// Compare the ledger with Postmark, and fetch what is missing.
    ///
    /// Exit status 1: not everything could be compared.
    ///
    /// A fetched event is recorded as if a webhook had delivered it, so a late webhook is not counted again. On AWS, a
    /// function does this on a schedule.
    Reconcile(Reconcile),
    /// Which days, streams and types are known to be complete.
    ///
    /// It counts which events were expected, received and recovered, and which are still missing.
    Completeness(Completeness),
    /// Fetch the history that Postmark still has, on the first day.
    ///
    /// Run it before mail is sent. If it is interrupted, run it again: it continues where it stopped.
    Backfill(Backfill),
    /// Check the whole chain: what is wrong, and what to do.
    ///
    /// Exit status 1: something is wrong.
    ///
    /// With --live it also sends one mail through Postmark, to a testing address, and waits until its webhook arrives.
    Doctor(Doctor),
    /// Show what Postledger reads from one webhook body.
    ///
    /// The body is read from standard input. Exit status 2: it would be set aside, when it comes in or when it is
    /// consumed. For a probe, which Postmark sends to test a URL, it prints `probe` and exits with 0.
    Event(Event),
    /// Compute states and counters from bodies: the reference.
    ///
    /// Bodies are read from standard input, one on each line. Every store must hold exactly this, byte for byte.
    Fold(Fold),
    /// The read API's answers, and the changes that it makes.
    #[command(flatten)]
    Ask(Ask),
    /// Post bodies from files or standard input, with a credential.
    ///
    /// By default, or with --url, it posts over HTTP, to a running Postledger or to a deployed stack's address. With
    /// --profile, --region or --endpoint and no --url, the code of the ingest functions runs in this process. Bodies
    /// pass exactly the same checks, with your own keys of the stack, and go to the stack's queues on AWS.
    Post(Post),
    /// Post sample events, wait until they are recorded, show them.
    ///
    /// It goes to a running Postledger or to the stack of `make local`.
    Sample(Target),
    /// What is on each queue; take dead letters back by `redrive`.
    ///
    /// How much waits, is being consumed, and is dead.
    Queues(Queues),
    /// Look at what was set aside, and replay it.
    #[command(subcommand)]
    Quarantine(Quarantine),
    /// Revoke a server's password, undo that, list revoked ones.
    ///
    /// Bodies that come with a revoked password are set aside. The command says what it will do, and asks.
    Revoke(Revoke),
    /// Fold events anew, compare with what is stored, and mend that.
    ///
    /// It computes a server's views (the stored state of recipients) and counters again from its events. Exit status 1:
    /// something differs.
    Rebuild(Rebuild),
    /// The index of events by time: fill older events in.
    ///
    /// The list of activity is read from it. A stack on AWS has it with a portal, or with ByTime=true.
    #[command(subcommand)]
    Index(Index),
    /// Create a stack's tables and queues in an emulator of AWS.
    #[command(subcommand)]
    Tables(Tables),
    /// Print a script that lets a shell complete these commands.
    ///
    /// Run `postledger completions bash > FILE`, and load FILE in the shell's own start-up file.
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Write the manual, a page for each command, into a folder.
    Man {
        /// The folder; it is created if it does not exist.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

/// `fold`.
#[derive(Debug, Args)]
pub struct Fold {
    /// What a line does not say.
    #[command(flatten)]
    pub circumstances: Circumstances,
    /// Make recipient ids with the ledger key in this file, such as ledger.key of a folder [default: a fixed key that protects nothing].
    #[arg(long, value_name = "FILE")]
    pub ledger_key: Option<PathBuf>,
}

/// `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Keep the ledger in this folder, so that it lasts [default: in memory, gone when it stops].
    #[arg(long, value_name = "DIR", conflicts_with = "once")]
    pub data: Option<PathBuf>,
    /// Post the sample events, print the ledger and exit.
    #[arg(long)]
    pub once: bool,
    /// Post the sample events into a ledger that --data has just created [default: only without --data].
    #[arg(long, requires = "data", conflicts_with = "no_sample")]
    pub sample: bool,
    /// Start with an empty ledger.
    #[arg(long)]
    pub no_sample: bool,
    /// The port on 127.0.0.1 for webhooks and the API; 0 takes any free one.
    #[arg(long, default_value_t = PORT, value_name = "N")]
    pub port: u16,
    /// The address and port for webhooks and the API, such as 0.0.0.0:8630, in place of --port.
    #[arg(long, value_name = "ADDR", conflicts_with = "port")]
    pub listen: Option<SocketAddr>,
    /// Speak TLS with this certificate and those above it, as PEM [default: plain HTTP, for a proxy that speaks TLS].
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key, as PEM; only its owner may read the file.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Where Postmark reaches the webhooks, such as https://mail.example.com: the base of the URLs that the portal sets up [default: a server's last one, otherwise this machine's own address].
    #[arg(long, value_name = "URL")]
    pub doors: Option<String>,
    /// Believe the X-Forwarded-For of the proxy at this address; can be given again.
    #[arg(long = "trusted-proxy", value_name = "IP")]
    pub trusted_proxies: Vec<IpAddr>,
    /// Serve metrics as OpenMetrics, which Prometheus reads, at /metrics of this address and port, such as 127.0.0.1:9630; it asks for no password.
    #[arg(long, value_name = "ADDR")]
    pub metrics: Option<SocketAddr>,
    /// Where the portal is served.
    #[command(flatten)]
    pub portal: PortalArgs,
    /// Print logs to standard error, at this level, and without --metrics metrics too [possible: error, warn, info, debug] [default with --data: info].
    #[arg(long, value_name = "LEVEL", num_args = 0..=1, default_missing_value = "info")]
    pub logs: Option<String>,
    /// The Postmark that is asked, and that changes of suppression lists are sent to.
    #[command(flatten)]
    pub postmark: Postmark,
}

/// `run`: the portal, on which people see their mail in a browser.
#[derive(Debug, Args)]
pub struct PortalArgs {
    /// The address and port of the portal [default: 127.0.0.1, two ports above that of the webhooks].
    #[arg(long, value_name = "ADDR", conflicts_with = "no_portal")]
    pub portal: Option<SocketAddr>,
    /// Serve no portal.
    #[arg(long)]
    pub no_portal: bool,
    /// The URL at which people reach the portal, if a proxy stands before it, such as https://mail.agency.example.
    #[arg(long, value_name = "URL", conflicts_with = "no_portal")]
    pub portal_url: Option<String>,
    /// What the portal is called: the name of your agency.
    #[arg(long, value_name = "NAME", default_value = "Postledger")]
    pub portal_name: String,
    /// The address that codes to sign in come from; Postmark must know it as a sender of the server below.
    #[arg(long, value_name = "ADDRESS", requires = "mail_token_file")]
    pub mail_from: Option<String>,
    /// The token of your own Postmark server that sends codes and invitations, in a file that only its owner may read. Never use a client's server: whoever sees that server's activity could read the codes.
    #[arg(long, value_name = "FILE", requires = "mail_from")]
    pub mail_token_file: Option<PathBuf>,
    /// The message stream of that server.
    #[arg(long, value_name = "STREAM", default_value = "outbound", requires = "mail_from")]
    pub mail_stream: String,
    /// Write codes and invitations into this folder as .eml files, in place of sending them.
    #[arg(long, value_name = "DIR", conflicts_with = "mail_from")]
    pub mail_folder: Option<PathBuf>,
}

/// `backup` and `restore`: which folder, and where the passphrase is.
#[derive(Debug, Args)]
pub struct Backup {
    /// The file of the backup.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The folder of the ledger: what `postledger run --data` was given.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Read the passphrase from this file, which only its owner may read [env: POSTLEDGER_PASSPHRASE holds the passphrase itself] [default: ask on the terminal].
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Make a backup though the keys that sign webhooks' passwords are not in --home; after a restore, webhooks need new passwords.
    #[arg(long)]
    pub without_keys: bool,
}

/// `url`.
#[derive(Debug, Args)]
pub struct Url {
    /// The server.
    #[command(flatten)]
    pub server: Server,
    /// Which URL: that of one event type, `events` (which takes all types), or `all` seven.
    #[arg(long = "type", default_value = "all", value_name = "TYPE",
        value_parser = ["all", "events", "delivery", "bounce", "spam-complaint", "open", "click", "subscription-change"])]
    pub kind: String,
    /// Which of the server's passwords [default: the one in use that is not revoked].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub generation: Option<u32>,
    /// The base of the URLs, such as a domain of yours: with --url, a stack on AWS is not asked.
    #[command(flatten)]
    pub target: Target,
}

/// `event`.
#[derive(Debug, Args)]
pub struct Event {
    /// How it was told.
    #[command(flatten)]
    pub circumstances: Circumstances,
    /// For how many days the stack keeps deliveries, opens and clicks; an older one would be set aside.
    #[arg(long, value_name = "DAYS", default_value_t = consumer::RETENTION_DAYS_DEFAULT)]
    pub retention_days: u32,
    /// Print the JSON Schema of the output instead.
    #[arg(long)]
    pub schema: bool,
}

/// `post`.
#[derive(Debug, Args)]
pub struct Post {
    /// The server.
    #[command(flatten)]
    pub server: Server,
    /// Files of JSON bodies, one or more in each [default: standard input].
    pub files: Vec<PathBuf>,
    /// Post over HTTP to the doors at this URL [env: POSTLEDGER_URL; then url of the settings file] [default:
    /// http://127.0.0.1:8630].
    #[arg(long, value_name = "URL", conflicts_with = "local")]
    pub url: Option<String>,
    /// Without --url, for a stack on AWS: the code of the ingest functions runs in this process and puts events on the stack's queues, without IP, coordinates, city and zip of opens and clicks.
    #[command(flatten)]
    pub aws: OnAws,
    /// At most this many a second.
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: Option<u32>,
    /// Which of the server's passwords [default: the one in use that is not revoked].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub generation: Option<u32>,
}

/// By hour or by day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// By hour, UTC.
    Hour,
    /// By day, UTC.
    Day,
}

/// `quarantine`.
#[derive(Debug, Subcommand)]
pub enum Quarantine {
    /// Bodies that were set aside, latest last.
    List {
        /// How many days back.
        #[arg(long, default_value_t = 7, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(operator::DAYS_MAX)))]
        days: u32,
        /// Where Postledger is reached.
        #[command(flatten)]
        target: Target,
    },
    /// One body, with the reason.
    Show {
        /// The key, as `quarantine list` shows it.
        key: String,
        /// Where Postledger is reached.
        #[command(flatten)]
        target: Target,
    },
    /// Put a body on its queue again, as it was received, but read by today's rules: this release may understand a body
    /// that an older one refused.
    Replay {
        /// The key, as `quarantine list` shows it.
        key: String,
        /// A corrected body to replay instead.
        #[arg(long, value_name = "FILE")]
        body: Option<PathBuf>,
        /// Record it even if its credential was revoked, it is too old, or it was replayed already.
        #[arg(long = "override")]
        overridden: bool,
        /// Where Postledger is reached.
        #[command(flatten)]
        target: Target,
    },
}

/// `revoke`.
#[derive(Debug, Args)]
pub struct Revoke {
    /// Postmark's numeric ServerID.
    #[arg(long, value_name = "ID", required_unless_present = "list")]
    pub server: Option<ServerId>,
    /// Which of the server's passwords.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), required_unless_present = "list")]
    pub generation: Option<u32>,
    /// From when [default: now]; if it was revoked before, the earliest time counts.
    #[arg(long, value_name = "T", value_parser = crate::time)]
    pub from: Option<Time>,
    /// Undo it: bodies that came in since then are kept for 30 days, and can be replayed.
    #[arg(long, conflicts_with_all = ["from", "list"])]
    pub undo: bool,
    /// Only list revoked passwords.
    #[arg(long, conflicts_with_all = ["from", "generation"])]
    pub list: bool,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// Where Postledger is reached.
    #[command(flatten)]
    pub target: Target,
}

/// A queue that is consumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Live {
    /// Events that change state.
    Critical,
    /// Deliveries, opens and clicks.
    Bulk,
    /// Bodies that were set aside.
    Quarantine,
}

impl Live {
    /// The queue.
    pub const fn queue(self) -> QueueName {
        match self {
            Live::Critical => QueueName::Critical,
            Live::Bulk => QueueName::Bulk,
            Live::Quarantine => QueueName::Quarantine,
        }
    }
}

/// `queues`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Queues {
    /// What to do with them [default: only look].
    #[command(subcommand)]
    pub command: Option<OfQueues>,
    /// Where Postledger is reached.
    #[command(flatten)]
    pub target: Target,
}

/// What is done with queues.
#[derive(Debug, Subcommand)]
pub enum OfQueues {
    /// Take dead letters back to their queue.
    ///
    /// They are consumed again there. Each is sent before it is deleted: killed in between, nothing is lost, and what comes twice counts once.
    Redrive(Redrive),
}

/// `queues redrive`.
#[derive(Debug, Args)]
pub struct Redrive {
    /// The queue whose dead letters go back to it.
    #[arg(long, value_enum)]
    pub queue: Live,
    /// Only say how many there are (approximately, on AWS).
    #[arg(long)]
    pub dry_run: bool,
    /// Where Postledger is reached.
    #[command(flatten)]
    pub target: Target,
}

/// `rebuild`.
#[derive(Debug, Args)]
pub struct Rebuild {
    /// The server.
    #[command(flatten)]
    pub server: Server,
    /// Only compare; this is the default.
    #[arg(long, conflicts_with = "repair")]
    pub verify: bool,
    /// Compare, ask, and write the views that differ, with their entries in lists, as the events say. Counters are only reported.
    #[arg(long)]
    pub repair: bool,
    /// Repair without asking.
    #[arg(long, requires = "repair")]
    pub yes: bool,
    /// Where Postledger is reached.
    #[command(flatten)]
    pub target: Target,
}

/// `tables`.
#[derive(Debug, Subcommand)]
pub enum Tables {
    /// Create the tables, the queues and the ledger key that do not exist. On AWS, the deployment creates them.
    Create {
        /// The emulator of AWS to create them in [env: POSTLEDGER_ENDPOINT].
        #[arg(long, value_name = "URL")]
        endpoint: Option<String>,
        /// The region to create them in.
        #[arg(long, value_name = "REGION", default_value = EMULATED_REGION)]
        region: String,
        /// With the extra index of events by time.
        #[arg(long)]
        by_time: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_begins_with_a_hyphen_is_an_id() {
        for words in [["keys", "retire"], ["token", "revoke"]] {
            let words = ["postledger"].into_iter().chain(words).chain(["-AbC_12-x", "--json"]);
            let cli = Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
            assert!(cli.json);
        }
    }
}

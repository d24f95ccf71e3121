//! The arguments of `postledger smtp`.

use super::Server;
use super::api::Access;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `smtp`.
#[derive(Debug, Subcommand)]
pub enum Smtp {
    /// How to send on each stream: host and port, and which keys are stored.
    List {
        /// The server.
        #[command(flatten)]
        server: Server,
        /// Where the API is asked.
        #[command(flatten)]
        access: Access,
    },
    /// Store a pair of keys for a stream, if it logs in.
    ///
    /// The secret key is asked for, or read from standard input or a file; it is no argument. The pair that was stored
    /// before stays beside the new one until a check finds that it was revoked at Postmark; that is told, and is no failure.
    Set(SmtpSet),
    /// Log in with the stored keys, without sending anything.
    ///
    /// Exit status 1: they do not log in, or an old pair still works.
    Check(SmtpOf),
    /// Send a test mail with the stored keys.
    Test(SmtpTest),
    /// Forget the keys of a stream. At Postmark they work until you revoke them there.
    Remove {
        /// The stream.
        #[command(flatten)]
        of: SmtpOf,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// A stream.
#[derive(Debug, Args)]
pub struct SmtpOf {
    /// The server.
    #[command(flatten)]
    pub server: Server,
    /// The stream.
    #[arg(long, value_name = "STREAM")]
    pub stream: String,
    /// Where the API is asked.
    #[command(flatten)]
    pub access: Access,
}

/// `smtp set`.
#[derive(Debug, Args)]
pub struct SmtpSet {
    /// The stream.
    #[command(flatten)]
    pub of: SmtpOf,
    /// The access key of the stream's SMTP token: the user name [default: the server's API token is user name and
    /// password, and is given as the secret key].
    #[arg(long, value_name = "KEY")]
    pub access_key: Option<String>,
    /// Read the secret key from this file, which only you may read [default: it is asked for, or a line of standard
    /// input].
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
}

/// `smtp test`.
#[derive(Debug, Args)]
pub struct SmtpTest {
    /// The stream.
    #[command(flatten)]
    pub of: SmtpOf,
    /// The sender: one that is confirmed at Postmark.
    #[arg(long, value_name = "ADDRESS")]
    pub from: String,
    /// The recipient.
    #[arg(long, value_name = "ADDRESS")]
    pub to: String,
}

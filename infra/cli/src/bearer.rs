//! As whom a command asks: as the bearer of a token, or as the operator of a ledger.
//!
//! Invariant: whoever gives a token never acts as the operator. A command that cannot ask by a token refuses to be given
//! one, before it does anything.

use crate::Failure;
use crate::args::api::{Audit, Erase};
use crate::args::user::Users;
use crate::args::{Ask, Command, Index, Keys, Quarantine, Servers, Tables};
use crate::config::{Config, TOKEN};
use std::path::{Path, PathBuf};

/// As whom a command asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum As {
    /// As the bearer of the token that is given, or else as the operator.
    Bearer,
    /// As the operator, whose rights are those of this machine's user or of AWS's credentials.
    Operator,
    /// It asks no ledger and uses no key: it runs one of its own, or looks at bodies.
    Nobody,
}

impl As {
    /// As whom a command asks, with the token file that it is given.
    fn of(command: &Command) -> (As, Option<&PathBuf>) {
        let operator = (As::Operator, None);
        match command {
            Command::Ask(
                Ask::User(Users::Link { access, .. })
                | Ask::Audit(Audit { server: None, access, .. })
                | Ask::Erase(Erase { sweep: true, access, .. }),
            ) => (As::Operator, access.token_file.as_ref()),
            Command::Ask(
                Ask::Recipient(_)
                | Ask::Check(_)
                | Ask::Suppressions(_)
                | Ask::Suppress(_)
                | Ask::Reactivate(_)
                | Ask::Erase(_)
                | Ask::Export(_)
                | Ask::Stats(_)
                | Ask::Timeline(_)
                | Ask::Message(_)
                | Ask::Sent(_)
                | Ask::Inbound(_)
                | Ask::Activity(_)
                | Ask::Audit(_)
                | Ask::Token(_)
                | Ask::User(_)
                | Ask::Branding(_)
                | Ask::Smtp(_),
            )
            | Command::Completeness(_)
            | Command::Server(Servers::Policy(_) | Servers::PostmarkSettings(_)) => (As::Bearer, None),
            Command::Run(_)
            | Command::Backup(_)
            | Command::Restore(_)
            | Command::Event(_)
            | Command::Fold(_)
            | Command::Completions { .. }
            | Command::Man { .. }
            | Command::Tables(Tables::Create { .. }) => (As::Nobody, None),
            // They sign with the operator's key, though they may ask no ledger.
            Command::Url(_)
            | Command::Post(_)
            | Command::Keys(
                Keys::New
                | Keys::List
                | Keys::Prepare(_)
                | Keys::Rotate(_)
                | Keys::Store(_)
                | Keys::Retire { .. },
            )
            | Command::Server(
                Servers::Add(_)
                | Servers::List(_)
                | Servers::Show { .. }
                | Servers::Set(_)
                | Servers::ForgetStream { .. }
                | Servers::Remove { .. },
            )
            | Command::Connect(_)
            | Command::Watch(_)
            | Command::Reconcile(_)
            | Command::Backfill(_)
            | Command::Doctor(_)
            | Command::Sample(_)
            | Command::Queues(_)
            | Command::Quarantine(
                Quarantine::List { .. } | Quarantine::Show { .. } | Quarantine::Replay { .. },
            )
            | Command::Revoke(_)
            | Command::Rebuild(_)
            | Command::Index(Index::Fill(_) | Index::Note(_)) => operator,
        }
    }
}

/// That a command does not ask as the operator while a token is given.
///
/// # Errors
/// Where it would.
pub fn allows(command: &Command, config: &Config) -> Result<(), Failure> {
    match As::of(command) {
        (As::Operator, file) => as_operator(file.map(PathBuf::as_path), config),
        (As::Bearer | As::Nobody, _) => Ok(()),
    }
}

/// Whether a command asks a ledger or uses a key, so that it is to be known which and whose.
pub fn asks(command: &Command) -> bool {
    As::of(command).0 != As::Nobody
}

/// That no token is given, so that the operator may act.
///
/// # Errors
/// Where one is.
pub fn as_operator(file: Option<&Path>, config: &Config) -> Result<(), Failure> {
    let Some(given) = config.bears(file) else { return Ok(()) };
    Err(Failure::new(format!("a token is given by {given}, and this is asked as the operator of the ledger only"))
        .next(format!(
            "leave it out to ask as the operator: {}. By a token there are recipient, check, suppressions, suppress, \
             reactivate, erase, export, stats, timeline, message, sent, inbound, activity, audit with --server, completeness, smtp and token",
            match &*given {
                TOKEN => format!("`env -u {TOKEN} postledger …`"),
                "--token-file" => "without --token-file".to_owned(),
                file => format!("`--config FILE` with another file than {file}"),
            }
        )))
}

//! Who was erased and what was revoked, as ids, in a small file beside the database: a backup is older than some of them, and
//! whoever restores it must not bring them back.
//!
//! One line of JSON each, appended and synced before the database commits it. A line of what was not committed after all
//! does no harm: it says what somebody has asked for.

use ledger::{RecipientId, ServerId, Time};
use platform::Clock;
use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::{Entry, Journal};

/// The file.
pub const FILE: &str = "erasures.log";

/// A line of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When it was written.
    pub at: String,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A recipient of a server was erased.
    Erased {
        /// The server.
        server: ServerId,
        /// The recipient.
        recipient: RecipientId,
    },
    /// These generations of credentials are revoked from then on, and no others.
    Revoked(Vec<Revoked>),
    /// A token of the read API was revoked.
    TokenRevoked {
        /// Its id.
        id: String,
        /// Whether those that were made with it stay.
        children_kept: bool,
    },
}

/// A generation of a server's credential that is revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// The server.
    pub server: ServerId,
    /// The generation.
    pub generation: u32,
    /// From when on.
    pub from: String,
}

impl From<&Entry> for What {
    fn from(entry: &Entry) -> What {
        match entry {
            Entry::Erased(server, recipient) => What::Erased { server: *server, recipient: *recipient },
            Entry::TokenRevoked { id, children_kept } => {
                What::TokenRevoked { id: id.clone(), children_kept: *children_kept }
            }
            Entry::Revoked(all) => {
                let revoked = |(server, generation, from): &(ServerId, u32, Time)| Revoked {
                    server: *server,
                    generation: *generation,
                    from: from.to_string(),
                };
                What::Revoked(all.iter().map(revoked).collect())
            }
        }
    }
}

/// The journal of a folder.
pub(crate) fn of(folder: &Path, clock: Clock) -> Journal {
    let path = folder.join(FILE);
    Arc::new(move |entries: &[Entry]| {
        append(&path, entries, clock()).map_err(|error| sqlite::of_file(&error))
    })
}

fn append(path: &PathBuf, entries: &[Entry], now: Time) -> io::Result<()> {
    let mut lines = String::new();
    for entry in entries {
        let line = Line { at: now.to_string(), what: entry.into() };
        lines.push_str(&serde_json::to_string(&line)?);
        lines.push('\n');
    }
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(lines.as_bytes())?;
    file.sync_all()
}

/// What a folder's journal says; a last line that was cut off is none.
///
/// # Errors
/// Where it cannot be read, or a line in the midst of it is none.
pub fn read(folder: &Path) -> io::Result<Vec<Line>> {
    let text = match std::fs::read_to_string(folder.join(FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).map_err(io::Error::from)).collect()
}

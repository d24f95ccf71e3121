//! Who was erased and what was revoked, as ids, in a small file beside the database: a backup is older than some of them, and
//! whoever restores it must not bring them back.
//!
//! One line of JSON each, appended and synced before the database commits it. A line of what was not committed after all
//! does no harm: it says what somebody has asked for.

use ledger::{LedgerKey, RecipientId, ServerId, Time};
use platform::{Clock, private};
use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
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
    /// It begins: of the ledger whose key has this fingerprint.
    Ledger {
        /// The fingerprint.
        ledger_key: String,
    },
    /// A recipient of a server was erased.
    Erased {
        /// The server.
        server: ServerId,
        /// The recipient.
        recipient: RecipientId,
    },
    /// These generations of credentials are revoked from then on, and no others.
    Revoked(Vec<Revoked>),
    /// What a user of the portal may do became another, or the user was removed.
    UserAccess {
        /// The user's id.
        id: String,
        /// What it may do since; nothing where it was removed.
        access: Option<serde_json::Value>,
    },
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
            Entry::UserAccess { id, access } => What::UserAccess { id: id.clone(), access: access.clone() },
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

/// Begins the journal of a ledger, where there is none yet.
///
/// # Errors
/// Where it cannot be written.
pub(crate) fn begin(folder: &Path, key: &LedgerKey, now: Time) -> io::Result<()> {
    let path = folder.join(FILE);
    if path.exists() {
        return Ok(());
    }
    write(&path, &[What::Ledger { ledger_key: key.fingerprint() }], now)?;
    private::sync_folder(&path)
}

fn append(path: &Path, entries: &[Entry], now: Time) -> io::Result<()> {
    let entries: Vec<What> = entries.iter().map(What::from).collect();
    write(path, &entries, now)
}

fn write(path: &Path, entries: &[What], now: Time) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let length = file.metadata()?.len();
    let mut lines = String::new();
    let mut last = [b'\n'];
    if length > 0 {
        file.read_exact_at(&mut last, length - 1)?;
    }
    if last != *b"\n" {
        // The one before was cut off, by a crash: it stays apart from this one.
        lines.push('\n');
    }
    for what in entries {
        lines.push_str(&serde_json::to_string(&Line { at: now.to_string(), what: what.clone() })?);
        lines.push('\n');
    }
    let written = file.write_all(lines.as_bytes()).and_then(|()| file.sync_all());
    // A piece of a line must not stay behind: a disk that is full takes some of it.
    written.inspect_err(|_| drop(file.set_len(length)))
}

/// What a journal says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Whether there is one.
    pub exists: bool,
    /// Its lines, but for the first.
    pub lines: Vec<Line>,
    /// The fingerprint of the key of the ledger that it is of, by its first line.
    pub ledger_key: Option<String>,
    /// The lines that cannot be read, from 1: pieces of what was never answered, or what somebody else wrote.
    pub unread: Vec<usize>,
}

/// What a folder's journal says.
///
/// # Errors
/// Where it cannot be read.
pub fn read(folder: &Path) -> io::Result<Said> {
    let text = match std::fs::read(folder.join(FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Said::default()),
        text => text?,
    };
    let mut said = Said { exists: true, ..Said::default() };
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
        match serde_json::from_slice(line) {
            Ok(Line { what: What::Ledger { ledger_key }, .. }) => said.ledger_key = Some(ledger_key),
            Ok(line) => said.lines.push(line),
            Err(_) if line.trim_ascii().is_empty() => {}
            Err(_) => said.unread.push(number + 1),
        }
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revoked(id: &str) -> Entry {
        Entry::TokenRevoked { id: id.to_owned(), children_kept: false }
    }

    fn ids(folder: &Path) -> Vec<String> {
        let id = |line: Line| match line.what {
            What::TokenRevoked { id, .. } => id,
            other => panic!("{other:?}"),
        };
        read(folder).unwrap().lines.into_iter().map(id).collect()
    }

    #[test]
    fn a_line_that_was_cut_off_spoils_no_other_and_one_without_its_end_counts() {
        let folder = std::env::temp_dir().join(format!("postledger-journal-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (path, now) = (folder.join(FILE), Time::from_micros(1_800_000_000_000_000));
        begin(&folder, &LedgerKey::for_tests(), now).unwrap();
        begin(&folder, &LedgerKey::new(b"another"), now).unwrap();
        append(&path, &[revoked("one"), revoked("two")], now).unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert_eq!(ids(&folder), ["one", "two"], "only the end of the line is missing");
        for cut in 2..60 {
            std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            append(&path, &[revoked("three")], now).unwrap();
            let said = read(&folder).unwrap();
            assert_eq!(ids(&folder), ["one", "three"], "{cut}");
            assert_eq!(said.unread, [3], "{cut}");
            assert_eq!(said.ledger_key, Some(LedgerKey::for_tests().fingerprint()));
        }
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(read(&folder).unwrap(), Said::default());
    }
}

//! The folder of a ledger that lasts: its database, its ledger key, and what must outlive both.
//!
//! Invariant: a database opens with the key and for the stack that it was made with, and with no other. A new key would make
//! another id of every recipient: nobody would be known, and whoever asks would be told to send.

use crate::journal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledger::{LEDGER_KEY_BYTES, LedgerKey};
use platform::private::{self, PrivateError};
use platform::{CallFailed, Clock};
use ring::rand::SystemRandom;
use sqlite::{Database, OpenError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::Sqlite;

/// The file of the ledger key.
pub const KEY: &str = "ledger.key";
/// The file of a ledger key that its database does not know of yet.
const NEW_KEY: &str = "ledger.key.new";
/// The name under which a backup has its secrets, sealed.
pub const SEALED: &str = "sealed";
/// The folder, within that of a ledger, in which a backup is restored before it is put in its place.
pub const RESTORING: &str = "restoring";
/// The name under which the database says which key it was made with.
pub const FINGERPRINT: &str = "ledger_key";
/// The name under which the database says which stack it is of.
pub const STACK: &str = "stack";

/// Why a folder cannot be opened. Its words say what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FolderError {
    /// The database.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database cannot be read or written.
    #[error("the database: {0}")]
    Failed(#[from] CallFailed),
    /// The key file of a ledger is gone.
    #[error(
        "the ledger key {path} is missing: put back the file that this ledger was made with, from a backup of the folder. \
         A new key would make every address unknown",
        path = .0.display()
    )]
    NoKey(PathBuf),
    /// The key file is another ledger's.
    #[error("the ledger key {path} is another ledger's: put back the file that this ledger was made with", path = .0.display())]
    ForeignKey(PathBuf),
    /// The key file holds something else.
    #[error("{path} holds no ledger key: put back the file that this ledger was made with", path = .0.display())]
    DamagedKey(PathBuf),
    /// The key file cannot be read, or others can read it.
    #[error("the ledger key {0}")]
    UnreadKey(PrivateError),
    /// The key file cannot be written.
    #[error("{path} cannot be written: {1}", path = .0.display())]
    Unwritten(PathBuf, String),
    /// The ledger is another stack's.
    #[error(
        "this ledger is of the stack {known}, not of {asked}: give --stack {known}, or choose another folder"
    )]
    OtherStack {
        /// The stack that the ledger is of.
        known: String,
        /// The one that was asked for.
        asked: String,
    },
    /// The ledger is gone, and something is left of it.
    #[error(
        "the ledger in {path} is gone, and its key or journal is left: restore the latest backup into another folder, with \
         the journal {journal} in it, or choose an empty folder for a new ledger. An empty ledger would know of nobody who must not be mailed",
        path = .0.display(),
        journal = journal::FILE
    )]
    Lost(PathBuf),
    /// The database is a backup.
    #[error("{path} is a backup: put it elsewhere, and run `postledger restore FILE --data DIR`", path = .0.display())]
    Backup(PathBuf),
    /// A restore into it did not come to its end.
    #[error("a backup was being restored into {path} and that was cut off: run `postledger restore` again", path = .0.display())]
    HalfRestored(PathBuf),
    /// The system has no random numbers to give.
    #[error("this machine gives no random numbers")]
    NoRandom,
}

/// An open folder.
pub struct Folder {
    /// The database.
    pub database: Database,
    /// The tables.
    pub store: Arc<Sqlite>,
    /// What makes recipient ids.
    pub ledger_key: LedgerKey,
    /// Whether the ledger was made just now.
    pub is_new: bool,
}

impl Folder {
    /// Opens the folder of a stack's ledger, and makes what is missing where there is no ledger in it yet.
    ///
    /// # Errors
    /// [`FolderError`].
    pub async fn open(folder: &Path, stack: &str, clock: Clock) -> Result<Folder, FolderError> {
        if folder.join(RESTORING).exists() {
            return Err(FolderError::HalfRestored(folder.to_owned()));
        }
        let (path, new) = (folder.join(KEY), folder.join(NEW_KEY));
        // Asked before a database is made: an empty one must not take the place of one that is lost.
        let is_left = path.exists() || folder.join(journal::FILE).exists();
        if is_left && std::fs::metadata(folder.join(sqlite::FILE)).map_or(0, |file| file.len()) == 0 {
            return Err(FolderError::Lost(folder.to_owned()));
        }
        let database = Database::open(folder)?;
        if database.about(SEALED).await?.is_some() {
            return Err(FolderError::Backup(database.path().to_owned()));
        }
        let known = database.about(FINGERPRINT).await?;
        if let Some(known) = database.about(STACK).await?.filter(|known| known != stack) {
            return Err(FolderError::OtherStack { known, asked: stack.to_owned() });
        }
        let ledger_key = match &known {
            Some(known) => {
                // A first start that was cut off has the key under its first name still.
                if !path.exists() && read(&new)?.is_some_and(|key| key.fingerprint() == *known) {
                    put(&new, &path)?;
                }
                let key = read(&path)?.ok_or_else(|| FolderError::NoKey(path.clone()))?;
                if key.fingerprint() != *known {
                    return Err(FolderError::ForeignKey(path));
                }
                key
            }
            None if is_left => return Err(FolderError::Lost(folder.to_owned())),
            None => {
                // The key is on the disk before the database says which it is, and nothing is recorded before that.
                let key = make(&new)?;
                database.say(STACK, stack.to_owned()).await?;
                database.say(FINGERPRINT, key.fingerprint()).await?;
                put(&new, &path)?;
                key
            }
        };
        journal::begin(folder, &ledger_key, clock())
            .map_err(|error| FolderError::Unwritten(folder.join(journal::FILE), error.to_string()))?;
        let is_new = known.is_none();
        let store = Arc::new(Sqlite::with_journal(database.clone(), journal::of(folder, clock)));
        Ok(Folder { database, store, ledger_key, is_new })
    }
}

/// Gives a file its name.
fn put(from: &Path, to: &Path) -> Result<(), FolderError> {
    private::rename(from, to).map_err(|error| FolderError::Unwritten(to.to_owned(), error.to_string()))
}

/// The key of a file; nothing where there is none.
fn read(path: &Path) -> Result<Option<LedgerKey>, FolderError> {
    match private::read(path) {
        Ok(text) => text.parse().map(Some).map_err(|_| FolderError::DamagedKey(path.to_owned())),
        Err(PrivateError::Missing(_)) => Ok(None),
        Err(error) => Err(FolderError::UnreadKey(error)),
    }
}

/// A new key in a file of its owner's.
fn make(path: &Path) -> Result<LedgerKey, FolderError> {
    let random: [u8; LEDGER_KEY_BYTES] =
        ring::rand::generate(&SystemRandom::new()).map_err(|_| FolderError::NoRandom)?.expose();
    let text = URL_SAFE_NO_PAD.encode(random);
    private::write(path, text.as_bytes())
        .map_err(|error| FolderError::Unwritten(path.to_owned(), error.to_string()))?;
    Ok(LedgerKey::new(&random))
}

//! The database of a ledger on one machine: one SQLite file, one writer that commits what waits together, readers beside
//! it.
//!
//! Invariants:
//!
//! - **Nothing is answered before it is on the disk**: a [`write`](Database::write) returns after the commit that holds it
//!   has been synced. What need not outlive a loss of power ([`Durability::Process`]) outlives the process all the same.
//! - **One process, one writer.** A second one is told so ([`OpenError::Locked`]).
//! - **What is deleted is gone**: freed pages are overwritten (`secure_delete`).
//! - **Its schema only goes forwards**, and a copy of the file is kept from before each step.

mod error;
mod open;
#[cfg(test)]
mod tests;
mod writer;

pub use error::{OpenError, failed, of_file};
pub use open::{APPLICATION_ID, BackupError, Checked, FILE, LOCK, VERSION, about_file, check, copy};
pub use rusqlite;
pub use writer::Durability;

use platform::{CallFailed, FailureKind};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, oneshot};
use writer::Writer;

/// How many reads go on at once; further ones wait.
const READERS: usize = 3;

/// An open database. It is closed when the last clone is dropped.
#[derive(Clone)]
pub struct Database {
    parts: Arc<Parts>,
}

struct Parts {
    path: PathBuf,
    readers: Mutex<Vec<Connection>>,
    /// Closed after the readers: whoever is last takes the log away, and a reader cannot.
    writer: Writer,
    free: Semaphore,
    /// Held as long as the database is open. Dropped last, but for its folder.
    _lock: std::fs::File,
    #[cfg(feature = "testing")]
    _folder: Option<tempfile::TempDir>,
}

impl Parts {
    fn open(folder: &Path) -> Result<Parts, OpenError> {
        let lock = open::lock(folder)?;
        let path = folder.join(FILE);
        let writer = open::writable(&path)?;
        let readers = (0..READERS).map(|_| open::readable(&path)).collect::<Result<Vec<_>, _>>()?;
        Ok(Parts {
            writer: Writer::start(writer, path.clone()),
            path,
            readers: Mutex::new(readers),
            free: Semaphore::new(READERS),
            _lock: lock,
            #[cfg(feature = "testing")]
            _folder: None,
        })
    }
}

impl Database {
    /// Opens the database in a folder; makes both where there are none. An older schema is brought up to date, after the
    /// file was copied.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(folder: &Path) -> Result<Database, OpenError> {
        Ok(Database { parts: Arc::new(Parts::open(folder)?) })
    }

    /// A database in a folder of its own, which is gone with it.
    ///
    /// # Errors
    /// [`OpenError`].
    #[cfg(feature = "testing")]
    pub fn temporary() -> Result<Database, OpenError> {
        let unusable = |error: std::io::Error| OpenError::Unusable(std::env::temp_dir(), error.to_string());
        let folder = tempfile::tempdir().map_err(unusable)?;
        let parts = Parts::open(folder.path())?;
        Ok(Database { parts: Arc::new(Parts { _folder: Some(folder), ..parts }) })
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.parts.path
    }

    /// Reads: what was committed before it began, and nothing that is committed while it goes on.
    ///
    /// # Errors
    /// The work's own; [`CallFailed`] where the database cannot be read.
    pub async fn read<T, E>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<CallFailed> + Send + 'static,
    {
        let parts = self.parts.clone();
        let closed = || E::from(CallFailed::new(FailureKind::Fault));
        let _place = self.parts.free.acquire().await.map_err(|_| closed())?;
        let read = tokio::task::spawn_blocking(move || {
            let reader = parts.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let reader = match reader {
                Some(reader) => reader,
                // The one before it was lost to a panic.
                None => open::readable(&parts.path).map_err(|_| CallFailed::new(FailureKind::Disk))?,
            };
            let read = reader
                .execute_batch("BEGIN")
                .map_err(|error| failed(&error).into())
                .and_then(|()| work(&reader));
            // A transaction that only reads has nothing to lose.
            let _ = reader.execute_batch("ROLLBACK");
            parts.readers.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            read
        });
        read.await.map_err(|_| closed())?
    }

    /// Writes all or nothing, and returns once it is as durable as is asked.
    ///
    /// # Errors
    /// The work's own, after which nothing of it was written; [`CallFailed`] where it cannot be committed.
    pub async fn write<T, E>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<CallFailed> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.parts.writer.submit(durability, move |connection| {
            let done = connection.map_err(E::from).and_then(work);
            let keep = done.is_ok();
            let tell = move |failed: Option<CallFailed>| {
                // A failure of its own says more than that of the commit. Whoever asked may have gone away.
                let _ =
                    answer.send(done.and_then(|done| failed.map_or(Ok(done), |failed| Err(failed.into()))));
            };
            (keep, Box::new(tell))
        });
        // Its answer is dropped where the writer is gone, or the work panicked.
        answered.await.unwrap_or_else(|_| Err(CallFailed::new(FailureKind::Fault).into()))
    }

    /// What the database says of itself under a name, if it does.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub async fn about(&self, name: &'static str) -> Result<Option<String>, CallFailed> {
        self.read(move |connection| open::about(connection, name).map_err(|error| failed(&error))).await
    }

    /// Has the database say something of itself, in place of what it said under that name.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub async fn say(&self, name: &'static str, value: String) -> Result<(), CallFailed> {
        let say = move |connection: &Connection| {
            connection
                .execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)", [name, &value])
                .map(drop)
                .map_err(|error| failed(&error))
        };
        self.write(Durability::Power, say).await
    }
}

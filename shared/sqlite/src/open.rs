//! Opening the file: its lock, its settings, its schema and the copy of it.

use crate::error::{OpenError, failed};
use platform::{FailureKind, private};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The name of the database in its folder.
pub const FILE: &str = "ledger.db";
/// The name of the file that one process at a time has locked.
pub const LOCK: &str = "ledger.lock";
/// What says that a SQLite file is a ledger: `PLDG`.
pub const APPLICATION_ID: i64 = 0x504c_4447;
/// Each step of the schema; the version is their number.
const STEPS: &[&str] = &[include_str!("../schema/1.sql")];
/// The version of the schema that this release writes.
pub const VERSION: i64 = STEPS.len() as i64;

/// How long a reader waits for a lock that another program holds, in milliseconds: `sqlite3`, say.
const BUSY_MS: u64 = 5_000;
/// From how many pages on the log is taken into the file while writing goes on.
const CHECKPOINT_PAGES: u32 = 4_000;
/// How much memory each connection keeps pages in, in KiB, as SQLite writes it.
const CACHE: i64 = -16_384;

/// Locks a folder for this process, and makes it where there is none.
pub(crate) fn lock(folder: &Path) -> Result<File, OpenError> {
    if folder.exists() && !folder.is_dir() {
        return Err(OpenError::NotAFolder(folder.to_owned()));
    }
    let file = folder.join(LOCK);
    let unusable = |error: std::io::Error| OpenError::Unusable(folder.to_owned(), error.to_string());
    let locked = |error: std::io::Error| OpenError::Unusable(file.clone(), error.to_string());
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unusable)?;
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&file)
        .map_err(locked)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(locked(error)),
    }
}

fn unusable(path: &Path) -> impl Fn(rusqlite::Error) -> OpenError {
    move |error| {
        let failed = failed(&error);
        match (failed.kind(), failed.code()) {
            (_, Some("SqliteNotadb")) => OpenError::Foreign(path.to_owned()),
            (FailureKind::DiskDamaged, _) => OpenError::Damaged(path.to_owned()),
            _ => OpenError::Unusable(path.to_owned(), failed.to_string()),
        }
    }
}

/// The connection of the writer, to a database whose schema is up to date.
pub(crate) fn writable(path: &Path) -> Result<Connection, OpenError> {
    with_schema(path, STEPS)
}

fn with_schema(path: &Path, steps: &[&str]) -> Result<Connection, OpenError> {
    let newest = steps.len() as i64;
    // SQLite gives the files beside it the same rights.
    let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(path);
    let file = file.map_err(|error| OpenError::Unusable(path.to_owned(), error.to_string()))?;
    drop(file);
    let unusable = unusable(path);
    let mut connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(&unusable)?;
    let pragma = |name: &str| -> rusqlite::Result<i64> {
        connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
    };
    let (application, version) =
        (pragma("application_id").map_err(&unusable)?, pragma("user_version").map_err(&unusable)?);
    // Nothing is in it: it is new, or its first start was cut off.
    let is_empty = "SELECT NOT EXISTS (SELECT 1 FROM sqlite_master)";
    let is_empty: bool = connection.query_row(is_empty, [], |row| row.get(0)).map_err(&unusable)?;
    let fresh = is_empty && application == 0 && version == 0;
    if application != APPLICATION_ID && !fresh {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    if version > newest {
        return Err(OpenError::Newer(path.to_owned(), version, newest));
    }
    settle(&connection).map_err(&unusable)?;
    connection
        .execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; \
             PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}"
        ))
        .map_err(&unusable)?;
    if version < newest {
        if !fresh {
            let named = |n: u32| match n {
                1 => path.with_extension(format!("before-{newest}.db")),
                n => path.with_extension(format!("before-{newest}.{n}.db")),
            };
            // One that is there is from an upgrade that was tried before.
            let before = (1..).map(named).find(|path| !path.exists()).unwrap_or_else(|| named(1));
            copy(path, &before, &[]).map_err(|error| OpenError::Unusable(before, error.to_string()))?;
        }
        upgrade(&mut connection, steps, version).map_err(&unusable)?;
    }
    connection
        .execute("UPDATE messages SET visible_at = 0, receipt = NULL WHERE visible_at > 0", [])
        .map_err(&unusable)?;
    Ok(connection)
}

fn settle(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_millis(BUSY_MS))?;
    connection.set_prepared_statement_cache_capacity(128);
    connection.execute_batch(&format!("PRAGMA cache_size = {CACHE}; PRAGMA temp_store = MEMORY"))
}

/// Brings the schema up to date, all or nothing.
fn upgrade(connection: &mut Connection, steps: &[&str], version: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for step in steps.iter().skip(usize::try_from(version).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", steps.len() as i64)?;
    transaction.commit()?;
    // Into the file itself: without its log it is a ledger all the same, though an empty one.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// A connection that cannot write.
pub(crate) fn readable(path: &Path) -> Result<Connection, OpenError> {
    let unusable = unusable(path);
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(&unusable)?;
    settle(&connection).map_err(&unusable)?;
    Ok(connection)
}

/// What a database says of itself under a name.
pub(crate) fn about(connection: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    connection.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0)).optional()
}

/// What a database that is not open here says of itself under a name, if it does.
///
/// # Errors
/// Where it is no database of ours, or cannot be read.
pub fn about_file(path: &Path, name: &str) -> Result<Option<String>, OpenError> {
    let connection = readable(path)?;
    let application: i64 =
        connection.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(unusable(path))?;
    if application != APPLICATION_ID {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    about(&connection, name).map_err(unusable(path))
}

/// Has a copy say something of itself; nothing any more where there is no value.
fn say(path: &Path, says: &[(&str, Option<&str>)]) -> rusqlite::Result<()> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.execute_batch("PRAGMA secure_delete = ON; PRAGMA synchronous = FULL")?;
    for (name, value) in says {
        match value {
            Some(value) => connection
                .execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)", [name, value])?,
            None => connection.execute("DELETE FROM meta WHERE name = ?1", [name])?,
        };
    }
    Ok(())
}

/// What a copy holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Events.
    pub events: u64,
    /// Recipients with a view.
    pub recipients: u64,
    /// Parts in quarantine.
    pub quarantined: u64,
    /// Messages on the queues.
    pub messages: u64,
}

/// Why there is no copy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// The file cannot be written, or the database not read.
    #[error("{path} cannot be written: {1}", path = .0.display())]
    Unwritable(PathBuf, String),
    /// There is something of that name.
    #[error("{path} exists: choose a new name", path = .0.display())]
    Exists(PathBuf),
    /// What was copied is not whole.
    #[error("the copy {path} is not whole: {1} (look at the disk, and make another one)", path = .0.display())]
    NotWhole(PathBuf, String),
}

/// Copies a database into a new file, while it is used, has the copy say something of itself, and checks it. It has its name
/// only when all of that is done.
///
/// # Errors
/// [`BackupError`].
pub fn copy(path: &Path, to: &Path, says: &[(&str, Option<&str>)]) -> Result<Checked, BackupError> {
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    // Under another name until it is whole: what is cut off does not look like a copy.
    let mut partial = to.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let of_file = |error: std::io::Error| BackupError::Unwritable(to.to_owned(), error.to_string());
    match std::fs::remove_file(&partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(of_file(error)),
        _ => {}
    }
    // An empty file of its own rights: SQLite fills it.
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(&partial).map_err(of_file)?;
    let unwritten =
        |error: rusqlite::Error| BackupError::Unwritable(to.to_owned(), failed(&error).to_string());
    let copied = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .and_then(|from| from.execute("VACUUM INTO ?1", [partial.to_string_lossy()]))
        .and_then(|_| say(&partial, says));
    let checked = copied.map_err(unwritten).and_then(|()| check(&partial));
    // It is on the disk before anybody hears of it.
    let synced = checked.and_then(|checked| {
        let file = File::open(&partial).and_then(|file| file.sync_all());
        file.and_then(|()| private::rename(&partial, to)).map_err(of_file)?;
        Ok(checked)
    });
    synced.inspect_err(|_| drop(std::fs::remove_file(&partial)))
}

/// Whether a database is whole, and what it holds.
///
/// # Errors
/// [`BackupError`].
pub fn check(path: &Path) -> Result<Checked, BackupError> {
    let unwritable =
        |error: rusqlite::Error| BackupError::Unwritable(path.to_owned(), failed(&error).to_string());
    let copy = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(unwritable)?;
    let whole: String =
        copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(unwritable)?;
    if whole != "ok" {
        return Err(BackupError::NotWhole(
            path.to_owned(),
            "SQLite finds pages that contradict each other".to_owned(),
        ));
    }
    let count = |what: &str| -> Result<u64, BackupError> {
        let count: i64 = copy
            .query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get(0))
            .map_err(unwritable)?;
        Ok(count.unsigned_abs())
    };
    Ok(Checked {
        events: count("events")?,
        recipients: count("recipients WHERE sk = '*'")?,
        quarantined: count("quarantine")?,
        messages: count("messages")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: &str = "CREATE TABLE later (what TEXT NOT NULL) STRICT";

    #[test]
    fn an_older_schema_is_brought_up_to_date_and_a_copy_is_kept_from_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let first = writable(&path).unwrap();
        first.execute("INSERT INTO messages (queue, body) VALUES ('bulk', 'one')", []).unwrap();
        drop(first);
        let next = with_schema(&path, &[STEPS[0], LATER]).unwrap();
        next.execute("INSERT INTO later SELECT body FROM messages", []).unwrap();
        let before = folder.path().join("ledger.before-2.db");
        assert_eq!(check(&before).unwrap().messages, 1);
        assert!(readable(&before).unwrap().prepare("SELECT * FROM later").is_err());
        drop(next);
        assert!(
            matches!(writable(&path), Err(OpenError::Newer(_, 2, 1))),
            "there is no way back but the copy"
        );
    }

    #[test]
    fn a_step_that_fails_leaves_the_schema_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        drop(writable(&path).unwrap());
        for _ in 0..2 {
            let fails = "CREATE TABLE later (a TEXT); CREATE TABLE events (a TEXT)";
            assert!(with_schema(&path, &[STEPS[0], fails]).is_err());
        }
        assert!(folder.path().join("ledger.before-2.2.db").exists(), "each try has its copy");
        drop(writable(&path).unwrap());
    }
}

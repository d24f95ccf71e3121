//! The one writer: a thread that takes what waits, commits it together, and answers then.

use crate::error::failed;
use platform::{CallFailed, FailureKind};
use rusqlite::Connection;
use std::os::unix::fs::MetadataExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

/// How many writes are committed together, at most.
const TOGETHER_MAX: usize = 256;

/// What a write must outlive before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// This process: what may be done again after a loss of power, such as that a message was received or deleted.
    Process,
    /// A loss of power.
    Power,
}

/// Tells whoever asked what became of it: `None`: it is committed, or was not to be kept.
type Tell = Box<dyn FnOnce(Option<CallFailed>) + Send>;
/// A write, or why nothing can be written: whether it is to be kept, and whom to tell.
type Work = Box<dyn FnOnce(Result<&Connection, CallFailed>) -> (bool, Tell) + Send>;

/// The writer's thread.
pub(crate) struct Writer {
    waiting: Option<Sender<(Durability, Work)>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(crate) fn start(connection: Connection, path: PathBuf) -> Writer {
        let (waiting, work) = channel();
        let thread = std::thread::spawn(move || run(connection, &path, &work));
        Writer { waiting: Some(waiting), thread: Mutex::new(Some(thread)) }
    }

    pub(crate) fn submit(
        &self,
        durability: Durability,
        work: impl FnOnce(Result<&Connection, CallFailed>) -> (bool, Tell) + Send + 'static,
    ) {
        if let Some(waiting) = &self.waiting {
            // Where the thread is gone, the work and with it the way back are dropped: whoever waits is told so.
            let _ = waiting.send((durability, Box::new(work)));
        }
    }
}

/// The file is closed before its lock is given back.
impl Drop for Writer {
    fn drop(&mut self) {
        self.waiting = None;
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}

fn run(connection: Connection, path: &Path, work: &Receiver<(Durability, Work)>) {
    let opened = identity(path);
    let mut syncs = Durability::Power;
    while let Ok(first) = work.recv() {
        let mut together = vec![first];
        while together.len() < TOGETHER_MAX
            && let Ok(more) = work.try_recv()
        {
            together.push(more);
        }
        let needed = together.iter().map(|(durability, _)| *durability).max().unwrap_or(Durability::Power);
        let (told, committed) = if identity(path) != opened {
            // It was moved away, or another one is in its place: what is written now would be lost at the end.
            refuse(together, moved())
        } else if let Err(error) = sync(&connection, needed, &mut syncs) {
            refuse(together, failed(&error))
        } else {
            commit(&connection, together)
        };
        for tell in told {
            tell(committed.clone());
        }
    }
    // What the log holds goes into the file, so that one file is all there is.
    let _ = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
}

/// Has commits synced as is needed. One that fails must not be followed by a commit that is answered as synced.
fn sync(connection: &Connection, needed: Durability, syncs: &mut Durability) -> rusqlite::Result<()> {
    if needed != *syncs {
        let level = if needed == Durability::Power { "FULL" } else { "NORMAL" };
        connection.execute_batch(&format!("PRAGMA synchronous = {level}"))?;
        *syncs = needed;
    }
    Ok(())
}

/// What tells a file from another one.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let file = std::fs::metadata(path).ok()?;
    Some((file.dev(), file.ino()))
}

fn moved() -> CallFailed {
    CallFailed::new(FailureKind::DiskDamaged).with_code("DatabaseMoved")
}

/// Refuses all that waits.
fn refuse(together: Vec<(Durability, Work)>, why: CallFailed) -> (Vec<Tell>, Option<CallFailed>) {
    tracing::error!(
        call.kind = why.kind().name(),
        call.code = why.code(),
        "nothing could be written to the database"
    );
    let told = together.into_iter().map(|(_, work)| work(Err(why.clone())).1).collect();
    (told, Some(why))
}

/// Does all that waits in one transaction, each within a savepoint of its own.
fn commit(connection: &Connection, together: Vec<(Durability, Work)>) -> (Vec<Tell>, Option<CallFailed>) {
    if let Err(error) = connection.execute_batch("BEGIN IMMEDIATE") {
        return refuse(together, failed(&error));
    }
    let mut told = Vec::with_capacity(together.len());
    let mut left = together.into_iter();
    let done = (|| -> rusqlite::Result<()> {
        for (_, work) in left.by_ref() {
            connection.prepare_cached("SAVEPOINT one")?.execute([])?;
            let outcome = catch_unwind(AssertUnwindSafe(|| work(Ok(connection))));
            let keep = outcome.as_ref().is_ok_and(|(keep, _)| *keep);
            told.extend(outcome.ok().map(|(_, tell)| tell));
            if connection.is_autocommit() {
                // SQLite has taken the whole transaction back: the disk is full, for one. Whose work that was has the
                // cause; the others are told this.
                return Err(rusqlite::Error::SqliteFailure(
                    rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT_ROLLBACK),
                    None,
                ));
            }
            if !keep {
                connection.prepare_cached("ROLLBACK TO one")?.execute([])?;
            }
            connection.prepare_cached("RELEASE one")?.execute([])?;
        }
        connection.execute_batch("COMMIT")
    })();
    let Err(error) = done else { return (told, None) };
    if !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    let (more, why) = refuse(left.collect(), failed(&error));
    told.extend(more);
    (told, why)
}

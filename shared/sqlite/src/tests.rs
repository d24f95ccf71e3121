//! What becomes of the database where power, disk or somebody else's hand fail.

use super::*;
use rusqlite::params;
use std::collections::BTreeSet;
use std::fs;
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Puts a message on a queue: any row does.
fn put(connection: &Connection, body: &str) -> Result<(), CallFailed> {
    let put = "INSERT INTO messages (queue, body) VALUES ('bulk', ?1)";
    connection.execute(put, [body]).map(drop).map_err(|error| failed(&error))
}

async fn write(database: &Database, body: String) -> Result<(), CallFailed> {
    database.write(Durability::Power, move |connection| put(connection, &body)).await
}

async fn bodies(database: &Database) -> Result<Vec<String>, CallFailed> {
    let read = |connection: &Connection| -> rusqlite::Result<Vec<String>> {
        let mut all = connection.prepare("SELECT body FROM messages ORDER BY id")?;
        all.query_map([], |row| row.get(0))?.collect()
    };
    database.read(move |connection| read(connection).map_err(|error| failed(&error))).await
}

#[tokio::test]
async fn a_second_process_is_told_in_one_sentence_and_the_folder_is_free_once_the_first_is_gone() {
    let folder = folder();
    let first = Database::open(folder.path()).unwrap();
    let told = Database::open(folder.path()).err().unwrap();
    assert_eq!(told, OpenError::Locked(folder.path().to_owned()));
    assert_eq!(told.to_string().matches(['.', '\n']).filter(|mark| *mark == "\n").count(), 0);
    write(&first, "one".to_owned()).await.unwrap();
    drop(first);
    assert!(!folder.path().join(format!("{FILE}-wal")).exists(), "one file is all there is");
    let next = Database::open(folder.path()).unwrap();
    assert_eq!(bodies(&next).await.unwrap(), ["one"]);
}

#[test]
fn a_file_that_is_none_of_ours_is_left_as_it_is() {
    for content in [&b"SQLite format 3"[..], &b"a diary, kept for years and years"[..]] {
        let folder = folder();
        let path = folder.path().join(FILE);
        fs::write(&path, content).unwrap();
        let told = Database::open(folder.path()).err().unwrap();
        assert!(matches!(told, OpenError::Foreign(_) | OpenError::Damaged(_)), "{told}");
        assert_eq!(fs::read(&path).unwrap(), content);
    }
    let folder = folder();
    let other = Connection::open(folder.path().join(FILE)).unwrap();
    other.execute_batch("CREATE TABLE diary (day TEXT)").unwrap();
    drop(other);
    assert!(matches!(Database::open(folder.path()).err().unwrap(), OpenError::Foreign(_)));
}

#[test]
fn what_a_newer_release_wrote_is_not_opened() {
    let folder = folder();
    drop(Database::open(folder.path()).unwrap());
    let path = folder.path().join(FILE);
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", VERSION + 1).unwrap();
    drop(newer);
    let told = Database::open(folder.path()).err().unwrap();
    assert_eq!(told, OpenError::Newer(path, VERSION + 1, VERSION));
}

#[tokio::test]
async fn a_write_that_fails_takes_nothing_of_others_with_it() {
    let folder = folder();
    let database = Database::open(folder.path()).unwrap();
    let mut all = tokio::task::JoinSet::new();
    for n in 0..50 {
        let database = database.clone();
        all.spawn(async move {
            let work = move |connection: &Connection| {
                put(connection, &n.to_string())?;
                match n % 5 {
                    0 => Err(CallFailed::new(FailureKind::Conflict)),
                    1 => panic!("a fault of the work's own"),
                    _ => Ok(()),
                }
            };
            (n, database.write(Durability::Power, work).await.is_ok())
        });
    }
    let mut kept = BTreeSet::new();
    while let Some(done) = all.join_next().await {
        let (n, ok) = done.unwrap();
        assert_eq!(ok, n % 5 > 1, "{n}");
        kept.extend(ok.then(|| n.to_string()));
    }
    assert_eq!(bodies(&database).await.unwrap().into_iter().collect::<BTreeSet<_>>(), kept);
}

#[tokio::test]
async fn a_disk_that_is_full_refuses_and_keeps_and_takes_again_once_there_is_room() {
    let folder = folder();
    let database = Database::open(folder.path()).unwrap();
    write(&database, "before".to_owned()).await.unwrap();
    let pages = |pages: u32| {
        let database = database.clone();
        async move {
            let set = move |connection: &Connection| {
                connection
                    .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
                    .map_err(|error| failed(&error))
            };
            database.write(Durability::Power, set).await
        }
    };
    pages(40).await.unwrap();
    let large = "x".repeat(100_000);
    let told = loop {
        match write(&database, large.clone()).await {
            Ok(()) => {}
            Err(told) => break told,
        }
    };
    assert_eq!((told.kind(), told.code()), (FailureKind::DiskFull, Some("SqliteFull")));
    assert!(told.kind().passes(), "it is tried again");
    assert_eq!(bodies(&database).await.unwrap()[0], "before", "it is read all the same");
    pages(1_000_000).await.unwrap();
    write(&database, "after".to_owned()).await.unwrap();
    assert_eq!(bodies(&database).await.unwrap().pop().unwrap(), "after");
}

#[tokio::test]
async fn a_disk_that_is_for_reading_only_is_told_as_that() {
    let folder = folder();
    let database = Database::open(folder.path()).unwrap();
    // As where it is mounted so: permissions do not bind root, as whom tests may run.
    let work = |connection: &Connection| {
        let only_reads = |on: bool| connection.pragma_update(None, "query_only", on);
        only_reads(true).map_err(|error| failed(&error))?;
        let told = put(connection, "never");
        only_reads(false).map_err(|error| failed(&error))?;
        told
    };
    let told = database.write(Durability::Power, work).await.unwrap_err();
    assert_eq!((told.kind(), told.code()), (FailureKind::DiskReadOnly, Some("SqliteReadonly")));
    write(&database, "after".to_owned()).await.unwrap();
    assert_eq!(bodies(&database).await.unwrap(), ["after"]);
}

#[tokio::test]
async fn a_page_that_is_damaged_is_told_as_that() {
    let folder = folder();
    let database = Database::open(folder.path()).unwrap();
    for n in 0..200 {
        write(&database, format!("{n} {}", "x".repeat(500))).await.unwrap();
    }
    let path = database.path().to_owned();
    drop(database);
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() - 20_000;
    bytes[at..].fill(0x55);
    fs::write(&path, bytes).unwrap();
    let kind = match Database::open(folder.path()) {
        Ok(database) => bodies(&database).await.err().map(|told| told.kind()),
        Err(OpenError::Damaged(_)) => Some(FailureKind::DiskDamaged),
        Err(other) => panic!("{other}"),
    };
    assert_eq!(kind, Some(FailureKind::DiskDamaged));
    assert!(matches!(check(&path), Err(BackupError::NotWhole(..) | BackupError::Unwritable(..))));
}

#[test]
fn a_folder_that_cannot_be_written_to_is_named() {
    let folder = folder();
    let path = folder.path().join("file");
    fs::write(&path, "").unwrap();
    let told = Database::open(&path.join("ledger")).err().unwrap();
    assert!(matches!(&told, OpenError::Unusable(path, _) if path.ends_with("ledger")), "{told}");
    assert_eq!(Database::open(&path).err().unwrap(), OpenError::NotAFolder(path));
}

/// What a loss of power leaves: the file as it was last synced, and the log up to some byte, or with a hole in it.
#[tokio::test]
async fn wherever_the_log_is_cut_what_was_answered_before_is_there_and_nothing_is_half_there() {
    let folder = folder();
    let database = Database::open(folder.path()).unwrap();
    let log = folder.path().join(format!("{FILE}-wal"));
    // How long the log was when each write was answered: all of that was synced.
    let mut answered = Vec::new();
    for n in 0..60 {
        let pair = move |connection: &Connection| {
            put(connection, &format!("{n}a {}", "x".repeat(n * 40)))?;
            put(connection, &format!("{n}b"))
        };
        database.write(Durability::Power, pair).await.unwrap();
        answered.push(fs::metadata(&log).unwrap().len());
    }
    let (file, whole) = (fs::read(database.path()).unwrap(), fs::read(&log).unwrap());
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..200 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let cut = usize::try_from(random % (whole.len() as u64 + 1)).unwrap();
        let mut left = whole[..cut].to_vec();
        if round % 2 == 1 {
            // What was written behind the last sync may be on the disk in part: a page that never got there is zeros.
            let hole = cut.saturating_sub(4_096 + 24);
            left[hole..].fill(0);
            left.truncate(cut);
        }
        let sure = if round % 2 == 1 { cut.saturating_sub(4_096 + 24) } else { cut };
        let after = tempfile::tempdir().unwrap();
        fs::write(after.path().join(FILE), &file).unwrap();
        fs::write(after.path().join(format!("{FILE}-wal")), &left).unwrap();
        let reopened = Database::open(after.path()).unwrap();
        let found = bodies(&reopened).await.unwrap();
        let synced = answered.iter().filter(|length| **length <= sure as u64).count();
        assert!(found.len() >= 2 * synced, "{cut}: {} of {}", found.len(), 2 * synced);
        assert_eq!(found.len() % 2, 0, "a write is there whole, or not at all");
        for (at, pair) in found.chunks(2).enumerate() {
            assert!(pair[0].starts_with(&format!("{at}a ")) && pair[1] == format!("{at}b"));
        }
        write(&reopened, "it goes on".to_owned()).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_deleted_is_nowhere_in_the_files() {
    let folder = folder();
    let database = Database::open(folder.path()).unwrap();
    write(&database, "ida.moreau@customer.example".to_owned()).await.unwrap();
    let delete = |connection: &Connection| {
        connection.execute("DELETE FROM messages", params![]).map(drop).map_err(|error| failed(&error))
    };
    database.write(Durability::Power, delete).await.unwrap();
    drop(database);
    for entry in fs::read_dir(folder.path()).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("ida.moreau"));
    }
}

#[tokio::test]
async fn a_copy_is_made_while_it_is_written_to_and_is_whole_and_never_over_another_file() {
    let folder = folder();
    let database = Database::open(folder.path()).unwrap();
    let writing = {
        let database = database.clone();
        tokio::spawn(async move {
            for n in 0..200 {
                write(&database, n.to_string()).await.unwrap();
            }
        })
    };
    let to = folder.path().join("copy.db");
    let (path, copied) = (database.path().to_owned(), to.clone());
    let checked = tokio::task::spawn_blocking(move || copy(&path, &copied, &[])).await.unwrap().unwrap();
    writing.await.unwrap();
    assert!(checked.messages <= 200);
    assert_eq!(check(&to).unwrap(), checked);
    assert_eq!(copy(database.path(), &to, &[]), Err(BackupError::Exists(to)));
}

#[tokio::test]
async fn a_file_that_is_moved_away_takes_nothing_more() {
    let folder = folder();
    let database = Database::open(folder.path()).unwrap();
    write(&database, "before".to_owned()).await.unwrap();
    let away = folder.path().join("away.db");
    fs::rename(database.path(), &away).unwrap();
    let told = write(&database, "lost".to_owned()).await.unwrap_err();
    assert_eq!((told.kind(), told.code()), (FailureKind::DiskDamaged, Some("DatabaseMoved")));
    fs::rename(&away, database.path()).unwrap();
    write(&database, "after".to_owned()).await.unwrap();
    assert_eq!(bodies(&database).await.unwrap(), ["before", "after"]);
}

#[tokio::test]
async fn while_another_program_writes_it_is_told_as_that_and_taken_later() {
    let folder = folder();
    let database = Database::open(folder.path()).unwrap();
    database
        .write(Durability::Power, |connection| {
            connection.busy_timeout(std::time::Duration::from_millis(20)).map_err(|error| failed(&error))
        })
        .await
        .unwrap();
    let other = Connection::open(database.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(write(&database, "now".to_owned()).await.unwrap_err().kind(), FailureKind::Conflict);
    other.execute_batch("ROLLBACK").unwrap();
    write(&database, "later".to_owned()).await.unwrap();
}

#[tokio::test]
async fn what_must_outlive_a_loss_of_power_is_synced_whatever_was_written_before() {
    let folder = folder();
    let database = Database::open(folder.path()).unwrap();
    let level = |durability| {
        let level = |connection: &Connection| {
            let level = "PRAGMA synchronous";
            connection.query_row(level, [], |row| row.get::<_, i64>(0)).map_err(|error| failed(&error))
        };
        database.write(durability, level)
    };
    let (normal, full) = (1, 2);
    assert_eq!(level(Durability::Power).await, Ok(full));
    assert_eq!(level(Durability::Process).await, Ok(normal));
    assert_eq!(level(Durability::Power).await, Ok(full));
}

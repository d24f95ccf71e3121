//! Why the database cannot be opened or used, in one sentence that quotes nothing of what it holds.

use platform::{CallFailed, FailureKind};
use rusqlite::ErrorCode;
use std::path::PathBuf;

/// Why a database cannot be opened. Its words name the folder, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("another Postledger is running on {path}: stop it, or choose another folder", path = .0.display())]
    Locked(PathBuf),
    /// The folder or a file in it cannot be read or written.
    #[error("{path} cannot be used: {1}", path = .0.display())]
    Unusable(PathBuf, String),
    /// The folder is a file.
    #[error("{path} is a file: give a folder", path = .0.display())]
    NotAFolder(PathBuf),
    /// There is a file of that name that is no database of ours.
    #[error("{path} is not a database of Postledger", path = .0.display())]
    Foreign(PathBuf),
    /// A newer release wrote it: its version, and the one that this release writes.
    #[error("{path} was written by a newer version of Postledger (its version is {1}, this one knows {2}): install that one", path = .0.display())]
    Newer(PathBuf, i64, i64),
    /// What was checked is not whole.
    #[error("{path} is damaged: restore the latest backup", path = .0.display())]
    Damaged(PathBuf),
}

/// What a failure of SQLite means to whoever called.
pub fn failed(error: &rusqlite::Error) -> CallFailed {
    let rusqlite::Error::SqliteFailure(failure, _) = error else {
        return CallFailed::new(FailureKind::Disk).with_code("SqliteMisuse");
    };
    let (kind, code) = match failure.code {
        ErrorCode::DiskFull => (FailureKind::DiskFull, "SqliteFull"),
        ErrorCode::ReadOnly => (FailureKind::DiskReadOnly, "SqliteReadonly"),
        ErrorCode::PermissionDenied => (FailureKind::DiskReadOnly, "SqlitePerm"),
        ErrorCode::CannotOpen => (FailureKind::DiskReadOnly, "SqliteCantopen"),
        ErrorCode::AuthorizationForStatementDenied => (FailureKind::DiskReadOnly, "SqliteAuth"),
        ErrorCode::DatabaseCorrupt => (FailureKind::DiskDamaged, "SqliteCorrupt"),
        ErrorCode::NotADatabase => (FailureKind::DiskDamaged, "SqliteNotadb"),
        ErrorCode::SystemIoFailure => (FailureKind::Disk, "SqliteIoerr"),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => (FailureKind::Conflict, "SqliteBusy"),
        ErrorCode::OperationAborted => (FailureKind::Disk, "SqliteAbort"),
        ErrorCode::OutOfMemory => (FailureKind::Fault, "SqliteNomem"),
        _ => (FailureKind::Disk, "SqliteError"),
    };
    CallFailed::new(kind).with_code(code)
}

/// What a failure of a file means.
pub fn of_file(error: &std::io::Error) -> CallFailed {
    use std::io::ErrorKind;
    let kind = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FailureKind::DiskFull,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => FailureKind::DiskReadOnly,
        ErrorKind::NotFound | ErrorKind::NotADirectory => FailureKind::NotFound,
        _ => FailureKind::Disk,
    };
    CallFailed::new(kind)
}

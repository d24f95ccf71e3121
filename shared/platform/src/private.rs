//! Files that hold secrets: written whole, for their owner alone, and refused where others could read them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// What a file may let others do: nothing.
const OTHERS: u32 = 0o077;
/// The longest file that is read, in bytes.
const BYTES_MAX: u64 = 1 << 20;

/// Why a private file cannot be read. It names the file and quotes nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrivateError {
    /// It is not there.
    #[error("{}: there is no such file", .0.display())]
    Missing(PathBuf),
    /// Others than its owner can read or change it: the path and its mode.
    #[error("{} holds a secret, and others on this machine can read or change it (mode {:o}); `chmod 600 {}` mends that", .0.display(), .1, quoted(.0))]
    Exposed(PathBuf, u32),
    /// It cannot be read, and why.
    #[error("{}: {}", .0.display(), .1)]
    Unread(PathBuf, String),
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Reads a text that only its owner can read.
pub fn read(path: &Path) -> Result<String, PrivateError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => PrivateError::Missing(path.to_owned()),
        _ => PrivateError::Unread(path.to_owned(), error.to_string()),
    };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    // A pipe or a terminal that a shell hands over is nobody else's.
    if metadata.is_file() && metadata.permissions().mode() & OTHERS != 0 {
        return Err(PrivateError::Exposed(path.to_owned(), metadata.permissions().mode() & 0o7777));
    }
    let mut text = String::new();
    file.take(BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// A new file beside `path`, to be written and then put in its place by [`put`]: for its owner alone. Its folder is made
/// where it is missing.
///
/// # Errors
/// Where the folder or the file cannot be made.
pub fn create_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    Ok((file, new))
}

/// Puts what [`create_beside`] made in its place, once it is on the disk: so that there never is half a file.
///
/// # Errors
/// Where it cannot be written.
pub fn put(file: &File, new: &Path, path: &Path) -> io::Result<()> {
    file.sync_all()?;
    rename(new, path)
}

/// Gives a file another name, and returns once that is on the disk too: a loss of power must not leave it without one.
///
/// # Errors
/// Where it cannot be renamed or synced.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder(to)
}

/// Returns once the name of a file is on the disk.
///
/// # Errors
/// Where its folder cannot be synced.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Writes a whole file for its owner alone, in place of the one that was there.
///
/// # Errors
/// Where it cannot be written; then the old one is still there.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (mut file, new) = create_beside(path)?;
    let written = file.write_all(bytes).and_then(|()| put(&file, &new, path));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("postledger-private-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn what_is_written_is_for_its_owner_alone_and_reads_back() {
        let folder = folder("written");
        let path = folder.join("a").join("secret.json");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap(), "two");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_command_that_mends_it() {
        let folder = folder("ex posed");
        let path = folder.join("key's file");
        write(&path, b"secret").unwrap();
        for mode in [0o640, 0o604, 0o620, 0o666, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = read(&path).unwrap_err();
            assert!(matches!(error, PrivateError::Exposed(..)), "{mode:o}");
            let words = error.to_string();
            let mends = words.split('`').nth(1).unwrap().to_owned();
            let shell = std::process::Command::new("sh").args(["-c", &mends]).status().unwrap();
            assert!(shell.success(), "{mends}");
            assert_eq!(read(&path).unwrap(), "secret", "{mends}");
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_that_is_missing_is_told_apart_from_one_that_cannot_be_read() {
        let folder = folder("missing");
        assert!(matches!(read(&folder.join("x")), Err(PrivateError::Missing(_))));
        fs::create_dir_all(&folder).unwrap();
        assert!(matches!(read(&folder), Err(PrivateError::Unread(..))), "a folder is no text");
        fs::remove_dir_all(folder).unwrap();
    }
}

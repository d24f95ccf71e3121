//! The way to a running Postledger for whoever operates it: a Unix socket in the folder of keys. Whoever can open it is the
//! user whose Postledger this is, so nothing else is asked of them.
//!
//! Webhooks and tokens reach the doors' port, and through a tunnel all the world does; nobody operates a ledger there.

use crate::listen::Listener;
use http::Uri;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream as Stream;
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixStream};

/// The longest path of a socket that every Unix takes, in bytes.
const PATH_BYTES_MAX: usize = 100;
/// The user who may do anything on a machine.
const ROOT: u32 = 0;

/// Why there is no way to a running Postledger, or none can be made.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// No socket can have such a path.
    #[error(
        "{} cannot be a socket: its path has {} bytes, and {PATH_BYTES_MAX} are the most",
        .0.display(),
        .0.as_os_str().len()
    )]
    TooLong(PathBuf),
    /// It cannot be made.
    #[error("{} cannot be made: {error}", path.display())]
    Unmade {
        /// The socket.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Another run listens there, at another address of the same port.
    #[error("another Postledger with the same folder of keys runs on this port: {} is its", .0.display())]
    Taken(PathBuf),
    /// The doors are on another machine.
    #[error("{0} is not on this machine, where alone a running Postledger is operated")]
    Elsewhere(String),
    /// Nobody listens there.
    #[error("no Postledger of yours runs at {0}")]
    NoneRuns(String),
    /// It is there, and cannot be opened.
    #[error("{} cannot be opened: {error}", path.display())]
    Unopened {
        /// The socket.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl SocketError {
    /// What to do then.
    pub const fn next(&self) -> &'static str {
        match self {
            SocketError::TooLong(_) => "choose a shorter --home DIR, or POSTLEDGER_HOME",
            SocketError::Unmade { .. } => "choose another folder by --home DIR or POSTLEDGER_HOME",
            SocketError::Taken(_) => "stop that one, or choose another port or --home",
            SocketError::Elsewhere(_) => {
                "ask its read API with a token, by POSTLEDGER_TOKEN or --token-file FILE; or run this where it runs"
            }
            SocketError::NoneRuns(_) => {
                "start one by `postledger run`, or name another by --url or POSTLEDGER_URL; it and this command take \
                 the same --home"
            }
            SocketError::Unopened { .. } => "run this as the user that Postledger runs as",
        }
    }
}

/// Where a run is operated: its doors' port names the socket.
///
/// # Errors
/// Where no socket can have that path.
pub fn path(home: &Path, port: u16) -> Result<PathBuf, SocketError> {
    let path = home.join(format!("run-{port}.sock"));
    if path.as_os_str().len() > PATH_BYTES_MAX { Err(SocketError::TooLong(path)) } else { Ok(path) }
}

/// The socket of the run whose doors are at a base URL.
///
/// # Errors
/// Where the doors are not on this machine, or this user runs none there.
pub fn find(home: &Path, doors: &str) -> Result<PathBuf, SocketError> {
    let port = port_here(doors).ok_or_else(|| SocketError::Elsewhere(doors.to_owned()))?;
    let none = || SocketError::NoneRuns(doors.to_owned());
    // Where no socket can be, none is.
    let path = path(home, port).map_err(|_| none())?;
    match is_live(&path) {
        Ok(true) => Ok(path),
        Ok(false) => Err(none()),
        Err(error) => Err(SocketError::Unopened { path, error }),
    }
}

/// The sockets of all runs that one folder knows of, by the port of their doors.
pub fn all(home: &Path) -> Vec<(u16, PathBuf)> {
    let port = |name: &str| name.strip_prefix("run-")?.strip_suffix(".sock")?.parse().ok();
    let files = fs::read_dir(home).into_iter().flatten().flatten();
    let sockets = files.filter_map(|file| Some((port(file.file_name().to_str()?)?, file.path())));
    sockets.filter(|(_, path)| is_live(path).unwrap_or(true)).collect()
}

/// Whether somebody listens on a socket: one that was killed leaves it behind.
fn is_live(path: &Path) -> io::Result<bool> {
    match Stream::connect(path) {
        Ok(_) => Ok(true),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Ok(false),
            _ => Err(error),
        },
    }
}

/// Listens for whoever operates a run, until it is dropped.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// Whose process this is.
    user: u32,
}

impl Socket {
    /// Listens at the place of a run, in place of one that was killed. At no moment can anybody else open it, whatever
    /// the folder of keys lets others do: it is made in a folder that is new, and gets its name once it has its mode.
    ///
    /// # Errors
    /// Where it cannot be made, or another run listens there.
    pub fn bind(home: &Path, port: u16) -> Result<Socket, SocketError> {
        let path = path(home, port)?;
        if is_live(&path).unwrap_or(false) {
            return Err(SocketError::Taken(path));
        }
        let made = || {
            DirBuilder::new().recursive(true).mode(0o700).create(home)?;
            let beside = path.with_extension("new");
            if beside.exists() {
                fs::remove_dir_all(&beside)?;
            }
            DirBuilder::new().mode(0o700).create(&beside)?;
            let new = beside.join("s");
            let listener = UnixListener::bind(&new)?;
            fs::set_permissions(&new, Permissions::from_mode(0o600))?;
            fs::rename(&new, &path)?;
            fs::remove_dir(&beside)?;
            let user = UnixStream::pair()?.0.peer_cred()?.uid();
            Ok((listener, user))
        };
        let (listener, user) = made().map_err(|error| SocketError::Unmade { path: path.clone(), error })?;
        Ok(Socket { listener, path, user })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Listener for Socket {
    type Stream = UnixStream;
    type Peer = ();

    /// A mode that somebody widened, or a file system without modes, lets nobody else in all the same.
    async fn accept(&self) -> io::Result<(UnixStream, ())> {
        let (stream, _) = self.listener.accept().await?;
        let user = stream.peer_cred()?.uid();
        if user == self.user || user == ROOT {
            Ok((stream, ()))
        } else {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }

    fn address((): &()) -> Option<IpAddr> {
        None
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Somebody listens until the file is gone, and no other run takes its place before that: it is never theirs.
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether a base URL leads to this machine only.
pub fn is_here(base: &str) -> bool {
    let host = base.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
    matches!(host.as_deref(), Some("127.0.0.1" | "localhost" | "[::1]"))
}

fn port_here(base: &str) -> Option<u16> {
    let uri: Uri = base.parse().ok().filter(|_| is_here(base))?;
    uri.port_u16().or_else(|| (uri.scheme_str() == Some("http")).then_some(80))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("postledger-socket-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn it_is_for_its_user_alone_is_found_by_the_doors_and_goes_with_the_run() {
        let home = folder("found");
        let socket = Socket::bind(&home, 8630).unwrap();
        let path = path(&home, 8630).unwrap();
        assert_eq!((mode(&home), mode(&path)), (0o700, 0o600));
        assert_eq!(fs::read_dir(&home).unwrap().count(), 1, "nothing is left beside it");
        for doors in ["http://127.0.0.1:8630", "http://localhost:8630/", "https://[::1]:8630"] {
            assert_eq!(find(&home, doors).unwrap(), path, "{doors}");
        }
        assert_eq!(all(&home), [(8630, path.clone())]);
        for (doors, words) in [
            ("http://127.0.0.1:8631", "no Postledger of yours"),
            ("https://tunnel.example", "not on this machine"),
            ("https://127.0.0.1.tunnel.example:8630", "not on this machine"),
            ("nonsense", "not on this machine"),
        ] {
            assert!(find(&home, doors).unwrap_err().to_string().contains(words), "{doors}");
        }
        drop(socket);
        assert!(!path.exists() && all(&home).is_empty());
        fs::remove_dir_all(home).unwrap();
    }

    #[tokio::test]
    async fn one_that_was_killed_is_replaced_and_one_that_runs_is_not() {
        let home = folder("killed");
        fs::create_dir_all(home.join("run-8630.new")).unwrap();
        let path = path(&home, 8630).unwrap();
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists() && all(&home).is_empty());
        assert!(matches!(find(&home, "http://127.0.0.1:8630"), Err(SocketError::NoneRuns(_))));
        let socket = Socket::bind(&home, 8630).unwrap();
        assert!(matches!(Socket::bind(&home, 8630), Err(SocketError::Taken(_))));
        assert_eq!(find(&home, "http://127.0.0.1:8630").unwrap(), path);
        drop(socket);
        fs::remove_dir_all(home).unwrap();
    }

    #[tokio::test]
    async fn a_path_that_is_too_long_is_told_with_what_to_do() {
        let home = folder(&"x".repeat(100));
        let error = Socket::bind(&home, 8630).unwrap_err();
        assert!(
            error.to_string().contains("100 are the most") && error.next().contains("shorter --home"),
            "{error}"
        );
        assert!(!home.exists());
        assert!(matches!(find(&home, "http://127.0.0.1:8630"), Err(SocketError::NoneRuns(_))));
        // The longest that is taken can be made.
        let rest =
            PATH_BYTES_MAX - std::env::temp_dir().as_os_str().len() - "/".len() - "/run-65535.sock".len();
        let home = std::env::temp_dir().join("y".repeat(rest));
        let socket = Socket::bind(&home, 65_535).unwrap();
        assert_eq!(socket.path().as_os_str().len(), PATH_BYTES_MAX);
        drop(socket);
        fs::remove_dir_all(home).unwrap();
    }
}

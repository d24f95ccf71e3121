//! The way to a running Postledger for whoever operates it: a listener of its own, and a secret of that run in a file
//! that only its user can read.
//!
//! Webhooks and tokens reach the doors' port, and through a tunnel all the world does; nobody operates a ledger there.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Uri};
use platform::private::{self, PrivateError};
use ring::rand::SystemRandom;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// How many bytes a secret has.
const SECRET_BYTES: usize = 32;

/// Why there is no pass, or none can be kept.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// A random number cannot be had.
    #[error("this machine gives no random numbers")]
    NoRandom,
    /// Its file cannot be written.
    #[error("{} cannot be written: {error}", path.display())]
    Unwritten {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The doors are on another machine.
    #[error("{0} is not on this machine, where alone a running Postledger is operated")]
    Elsewhere(String),
    /// Its file holds something else.
    #[error("{} is not what `postledger run` writes", .0.display())]
    Damaged(PathBuf),
    /// Nobody has kept one.
    #[error("no Postledger of yours runs at {0}")]
    NoneRuns(String),
    /// Its file cannot be read, or others can read it.
    #[error(transparent)]
    Unread(PrivateError),
}

impl PassError {
    /// What to do then, where that is not said yet.
    pub const fn next(&self) -> Option<&'static str> {
        match self {
            PassError::NoRandom | PassError::Unread(_) => None,
            PassError::Unwritten { .. } => Some("choose another folder by --home DIR or POSTLEDGER_HOME"),
            PassError::Elsewhere(_) => Some(
                "ask its read API with a token, by POSTLEDGER_TOKEN or --token-file FILE; or run this where it runs",
            ),
            PassError::Damaged(_) => Some("stop that Postledger and start it again"),
            PassError::NoneRuns(_) => Some(
                "start one by `postledger run`, or name another by --url or POSTLEDGER_URL; it and this command take \
                 the same --home",
            ),
        }
    }
}

/// What opens the operator's routes of one run.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass {
    /// The stack that runs.
    pub stack: String,
    /// Where its operator's routes listen.
    pub admin: String,
    secret: String,
}

impl fmt::Debug for Pass {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Pass({} at {})", self.stack, self.admin)
    }
}

impl Pass {
    /// A new one, for operator's routes that listen at a base URL.
    ///
    /// # Errors
    /// Where the machine has no random number to give.
    pub fn new(stack: &str, admin: &str) -> Result<Pass, PassError> {
        let random: [u8; SECRET_BYTES] =
            ring::rand::generate(&SystemRandom::new()).map_err(|_| PassError::NoRandom)?.expose();
        let secret = URL_SAFE_NO_PAD.encode(random);
        Ok(Pass { stack: stack.to_owned(), admin: admin.to_owned(), secret })
    }

    /// The header that bears it.
    pub fn header(&self) -> String {
        format!("Bearer {}", self.secret)
    }

    /// Whether a request bears it.
    pub fn opens(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(AUTHORIZATION).map(|header| header.as_bytes()).unwrap_or_default();
        // Hashes of equal length: how much of it is right cannot be read off the time.
        let hash = |text: &[u8]| ring::digest::digest(&ring::digest::SHA256, text);
        hash(given).as_ref() == hash(self.header().as_bytes()).as_ref()
    }

    /// Where the pass of a run is kept: its doors' port names it.
    pub fn path(home: &Path, port: u16) -> PathBuf {
        home.join(format!("run-{port}.json"))
    }

    /// Keeps it where commands of this user find it.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn keep(&self, home: &Path, port: u16) -> Result<PassFile, PassError> {
        let path = Pass::path(home, port);
        let text = serde_json::to_string(self).unwrap_or_else(|_| unreachable!("a pass is plain JSON"));
        private::write(&path, text.as_bytes())
            .map_err(|error| PassError::Unwritten { path: path.clone(), error })?;
        Ok(PassFile { path, pass: self.clone() })
    }

    /// The pass of the run whose doors are at a base URL.
    ///
    /// # Errors
    /// Where the doors are not on this machine, no run of this user keeps one there, or others can read it.
    pub fn find(home: &Path, doors: &str) -> Result<Pass, PassError> {
        let port = port_here(doors).ok_or_else(|| PassError::Elsewhere(doors.to_owned()))?;
        let path = Pass::path(home, port);
        match private::read(&path) {
            Ok(text) => serde_json::from_str(&text).map_err(|_| PassError::Damaged(path)),
            Err(PrivateError::Missing(_)) => Err(PassError::NoneRuns(doors.to_owned())),
            Err(error) => Err(PassError::Unread(error)),
        }
    }

    /// The passes of all runs that one folder knows of, by the port of their doors.
    pub fn all(home: &Path) -> Vec<(u16, Pass)> {
        let port = |name: &str| name.strip_prefix("run-")?.strip_suffix(".json")?.parse().ok();
        let files = std::fs::read_dir(home).into_iter().flatten().flatten();
        let passes = files.filter_map(|file| {
            let port = port(file.file_name().to_str()?)?;
            Some((port, serde_json::from_str(&private::read(&file.path()).ok()?).ok()?))
        });
        passes.collect()
    }
}

/// A pass that is kept as long as the run lasts.
#[derive(Debug)]
pub struct PassFile {
    path: PathBuf,
    pass: Pass,
}

impl Drop for PassFile {
    fn drop(&mut self) {
        // Another run may have taken the port meanwhile: its pass stays.
        let still = private::read(&self.path).ok().and_then(|text| serde_json::from_str::<Pass>(&text).ok());
        if still.as_ref() == Some(&self.pass) {
            let _ = std::fs::remove_file(&self.path);
        }
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
    use std::os::unix::fs::PermissionsExt as _;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("postledger-pass-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        folder
    }

    fn bearing(header: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, header.parse().unwrap());
        headers
    }

    #[test]
    fn only_the_secret_of_its_own_run_opens_it() {
        let (one, other) = (Pass::new("local", "http://x").unwrap(), Pass::new("local", "http://x").unwrap());
        assert!(one.opens(&bearing(&one.header())));
        for header in
            [&other.header(), "Bearer ", "Bearer", "Basic eDp5", &one.header()[..one.header().len() - 1]]
        {
            assert!(!one.opens(&bearing(header)), "{header}");
        }
        assert!(!one.opens(&HeaderMap::new()));
        assert!(!format!("{one:?}").contains(&one.secret));
    }

    #[test]
    fn it_is_found_by_its_doors_by_its_user_alone_and_goes_with_the_run() {
        let home = folder("found");
        let pass = Pass::new("local", "http://127.0.0.1:5").unwrap();
        let kept = pass.keep(&home, 8630).unwrap();
        for doors in ["http://127.0.0.1:8630", "http://localhost:8630/", "http://[::1]:8630"] {
            assert_eq!(Pass::find(&home, doors).unwrap(), pass, "{doors}");
        }
        assert_eq!(Pass::all(&home), [(8630, pass.clone())]);
        let path = Pass::path(&home, 8630);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for (doors, words) in [
            ("http://127.0.0.1:8631", "no Postledger of yours"),
            ("https://tunnel.example", "not on this machine"),
            ("https://127.0.0.1.tunnel.example:8630", "not on this machine"),
            ("nonsense", "not on this machine"),
        ] {
            assert!(Pass::find(&home, doors).unwrap_err().to_string().contains(words), "{doors}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Pass::find(&home, "http://127.0.0.1:8630").unwrap_err().to_string().contains("chmod 600"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let next = Pass::new("local", "http://127.0.0.1:6").unwrap();
        let later = next.keep(&home, 8630).unwrap();
        drop(kept);
        assert_eq!(Pass::find(&home, "http://127.0.0.1:8630").unwrap(), next, "the later run's pass stays");
        drop(later);
        assert!(!path.exists());
        std::fs::remove_dir_all(home).unwrap();
    }
}

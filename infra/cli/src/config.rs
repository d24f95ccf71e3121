//! Which server, which ledger and which token are meant where no argument says so: by the environment, else by a file.
//!
//! Invariants:
//! - An argument counts before the environment, and that before the file. Nothing else reads these variables.
//! - A token is taken only from a file that nobody but its owner can read, and no error quotes what stands in the file.
//! - A file that merely lies in the current folder sends nobody's secret away: an address on another machine is taken from
//!   it only beside a token of its own, and only that token is sent there.

use crate::{Failure, USAGE};
use embedded::socket::is_here;
use ledger::ServerId;
use platform::env;
use platform::private;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The variable that holds a token.
pub const TOKEN: &str = "POSTLEDGER_TOKEN";

/// The variable that holds the passphrase of a backup.
const PASSPHRASE: &str = "POSTLEDGER_PASSPHRASE";
/// The variable that names a server.
const SERVER: &str = "POSTLEDGER_SERVER";
/// The variable that says where Postledger is.
const URL: &str = "POSTLEDGER_URL";
/// The variable that says where an emulator of AWS is.
const ENDPOINT: &str = "POSTLEDGER_ENDPOINT";
/// The file in the current folder.
const HERE: &str = "postledger.toml";
/// The file in the folder of a user's settings.
const OF_USER: &str = "postledger/config.toml";
/// What the file may hold.
const KEYS: [&str; 3] = ["server", "url", "token"];

/// What is set where no argument says otherwise.
#[derive(Clone, Default)]
pub struct Config {
    /// The file, where there is one.
    file: Option<File>,
}

/// A file of settings.
#[derive(Clone)]
struct File {
    path: PathBuf,
    /// Whether somebody named it, or keeps it among their own settings: it was not merely found.
    trusted: bool,
    server: Option<ServerId>,
    url: Option<String>,
    token: Option<String>,
}

/// Where Postledger is, by the environment or the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    /// At a base URL.
    Url(String),
    /// In an emulator of AWS.
    Endpoint(String),
}

/// A token, and how it was given.
pub struct Given {
    /// What was given: it may be no token.
    pub token: String,
    /// Whether it stands in the file of settings.
    of_file: bool,
}

impl Config {
    /// Reads the file that is named, else the one in the current folder, else the user's own.
    ///
    /// # Errors
    /// Where the file that is named is not there, or one cannot be used.
    pub fn read(named: Option<&Path>) -> Result<Config, Failure> {
        if let Some(path) = named {
            let file = File::read(path, true)?.ok_or_else(|| {
                Failure::new(format!("{}: there is no such file", path.display()))
                    .next("name another by --config FILE or POSTLEDGER_CONFIG, or leave it out")
            })?;
            return Ok(Config { file: Some(file) });
        }
        if let Some(file) = File::read(Path::new(HERE), false)? {
            return Ok(Config { file: Some(file) });
        }
        let settings = env::text("XDG_CONFIG_HOME").map(PathBuf::from);
        let settings = settings.or_else(|| Some(Path::new(&env::text("HOME")?).join(".config")));
        let file = settings.map(|folder| File::read(&folder.join(OF_USER), true)).transpose()?.flatten();
        Ok(Config { file })
    }

    /// The server, where none is given.
    ///
    /// # Errors
    /// Where the environment names one that can be none.
    pub fn server(&self) -> Result<Option<ServerId>, Failure> {
        match env::text(SERVER) {
            Some(text) => text.parse().map(Some).map_err(|_| {
                let next = format!("set {SERVER} to Postmark's numeric ServerID, or give --server");
                Failure::new(format!("{SERVER} names no server")).next(next).status(USAGE)
            }),
            None => Ok(self.file.as_ref().and_then(|file| file.server)),
        }
    }

    /// Where Postledger is, where no argument says so.
    ///
    /// # Errors
    /// Where the environment says two things.
    pub fn reached(&self) -> Result<Option<Reached>, Failure> {
        match (env::text(URL), Config::endpoint()) {
            (Some(_), Some(_)) => Err(Failure::new(format!("{URL} and {ENDPOINT} are both set"))
                .next("say which is meant by --url or --endpoint, or unset one")),
            (None, Some(endpoint)) => Ok(Some(Reached::Endpoint(endpoint))),
            (Some(url), None) => Ok(Some(Reached::Url(url))),
            (None, None) => match &self.file {
                Some(file) if file.leads_away() && file.token.is_none() => Err(file.not_trusted()),
                file => Ok(file.as_ref().and_then(|file| file.url.clone()).map(Reached::Url)),
            },
        }
    }

    /// Where an emulator of AWS is, by the environment.
    pub fn endpoint() -> Option<String> {
        env::text(ENDPOINT)
    }

    /// By what a token is given, if one is: it may be no token, and yet nobody acts as the operator then.
    pub fn bears(&self, file: Option<&Path>) -> Option<String> {
        if file.is_some() {
            return Some("--token-file".to_owned());
        }
        if env::is_set(TOKEN) {
            return Some(TOKEN.to_owned());
        }
        let settings = self.file.as_ref().filter(|settings| settings.token.is_some());
        settings.map(|settings| settings.path.display().to_string())
    }

    /// The token that is given, if one is.
    ///
    /// # Errors
    /// Where it stands in a file that cannot be read, or that others can read.
    pub fn token(&self, file: Option<&Path>) -> Result<Option<Given>, Failure> {
        if let Some(path) = file {
            let text =
                private::read(path).map_err(|error| Failure::new(format!("the token file {error}")))?;
            return Ok(Some(Given { token: text.trim().to_owned(), of_file: false }));
        }
        if env::is_set(TOKEN) {
            return Ok(Some(Given { token: env::text(TOKEN).unwrap_or_default(), of_file: false }));
        }
        let token = self.file.as_ref().and_then(|settings| settings.token.clone());
        Ok(token.map(|token| Given { token, of_file: true }))
    }

    /// That a token may be sent where no argument says where.
    ///
    /// # Errors
    /// Where it may not.
    pub fn may_send(&self, given: &Given) -> Result<(), Failure> {
        match &self.file {
            Some(file) if file.leads_away() && !given.of_file && env::text(URL).is_none() => {
                Err(file.not_trusted())
            }
            _ => Ok(()),
        }
    }
}

impl File {
    /// Whether it was merely found, and leads to another machine: somebody else may have put it there.
    fn leads_away(&self) -> bool {
        !self.trusted && self.url.as_deref().is_some_and(|url| !is_here(url))
    }

    fn not_trusted(&self) -> Failure {
        let path = self.path.display();
        Failure::new(format!(
            "{path} leads to another machine, and whoever wrote that file would be sent your passwords and tokens"
        ))
        .next(format!("where you trust it, name it: --config {path} or POSTLEDGER_CONFIG; or give --url"))
    }

    /// A file of settings, if it is there.
    fn read(path: &Path, trusted: bool) -> Result<Option<File>, Failure> {
        let shown = path.display();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::new(format!("{shown}: {error}"))),
        };
        let failed = |words: String| Failure::new(format!("{shown}: {words}")).status(USAGE);
        let known = || format!("it may hold {}", KEYS.join(", "));
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            // What stands there may be a token.
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            failed(format!("line {line} is not TOML")).next("write it as `key = \"value\"`")
        })?;
        if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(failed(format!("nobody knows the key {key}")).next(known()));
        }
        let words = |key: &str| match table.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => {
                Err(failed(format!("{key} is no text")).next(format!("write it in quotes: {key} = \"…\"")))
            }
        };
        let server = match table.get("server") {
            None => None,
            Some(Value::Integer(id)) => ServerId::new(*id).ok().map(Some).unwrap_or_default(),
            Some(Value::String(text)) => text.parse().ok(),
            Some(_) => None,
        };
        if table.contains_key("server") && server.is_none() {
            return Err(failed("server names no server".to_owned()).next("write Postmark's numeric ServerID"));
        }
        let token = words("token")?;
        if token.is_some() {
            private::read(path).map_err(|error| Failure::new(error.to_string()))?;
        }
        Ok(Some(File { path: path.to_owned(), trusted, server, url: words("url")?, token }))
    }
}

/// The passphrase of a backup, as a file or the environment has it.
///
/// # Errors
/// Where the file cannot be read, or others can read it.
pub fn passphrase(file: Option<&Path>) -> Result<Option<String>, Failure> {
    match file {
        Some(file) => {
            let text = private::read(file).map_err(|error| Failure::new(error.to_string()))?;
            let passphrase = text.trim_end_matches(['\r', '\n']);
            if passphrase.trim().is_empty() {
                return Err(Failure::new(format!(
                    "{} is empty: it has to hold the passphrase",
                    file.display()
                )));
            }
            Ok(Some(passphrase.to_owned()))
        }
        None => Ok(env::text(PASSPHRASE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn written(name: &str, text: &str, mode: u32) -> PathBuf {
        let path = std::env::temp_dir().join(format!("postledger-config-{}-{name}.toml", std::process::id()));
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn a_file_that_cannot_be_meant_is_refused_by_name_and_nothing_of_it_is_quoted() {
        for (name, text, mode, part) in [
            ("unknown", "servr = 7", 0o600, "nobody knows the key servr"),
            ("line", "server = 7\ntoken = plt_x7q", 0o600, "line 2 is not TOML"),
            ("text", "url = 7", 0o600, "url is no text"),
            ("server", "server = \"plt_x7q\"", 0o600, "server names no server"),
            ("negative", "server = -7", 0o600, "server names no server"),
            ("open", "token = \"plt_x7q\"", 0o644, "chmod 600"),
        ] {
            let path = written(name, text, mode);
            let told = Config::read(Some(&path)).err().map(|failure| failure.to_string());
            std::fs::remove_file(&path).unwrap();
            let told = told.unwrap_or_else(|| panic!("{name} is taken"));
            assert!(told.contains(part) && !told.contains("x7q"), "{told}");
        }
        assert!(Config::read(Some(Path::new("/no/such/file"))).is_err(), "one that is named must be there");
    }

    #[test]
    fn a_token_from_elsewhere_goes_where_a_file_says_only_if_somebody_named_that_file() {
        let path = written("sent", "server = 7\nurl = \"https://ledger.example\"\n", 0o644);
        let elsewhere = Given { token: "plt_x".to_owned(), of_file: false };
        for (trusted, refused) in [(true, false), (false, true)] {
            let file = File::read(&path, trusted).unwrap();
            assert_eq!(file.as_ref().and_then(|file| file.server), ServerId::new(7).ok());
            let config = Config { file };
            assert_eq!(config.may_send(&elsewhere).is_err(), refused);
            assert_eq!(config.reached().is_err(), refused);
        }
        std::fs::write(&path, "url = \"https://ledger.example\"\ntoken = \"plt_y\"\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let config = Config { file: File::read(&path, false).unwrap() };
        assert!(config.reached().is_ok() && config.may_send(&elsewhere).is_err());
        assert!(
            config.may_send(&config.token(None).unwrap().unwrap()).is_ok(),
            "its own token is sent there"
        );
        std::fs::write(&path, "url = \"http://127.0.0.1:8630\"\n").unwrap();
        let here = Config { file: File::read(&path, false).unwrap() };
        assert!(here.reached().is_ok() && here.may_send(&elsewhere).is_ok(), "this machine is nobody else's");
        std::fs::remove_file(path).unwrap();
    }
}

//! The operator's keys: a file of mode 0600 for each stack, and what is minted from it.

use crate::Failure;
use credential::{KEYS_MAX, PrivateKey, PublicKey, User};
use ledger::ServerId;
use platform::private::{self, PrivateError};
use postmark::RecordType;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The keys of a stack, the newest last. It is the newest that signs.
#[derive(Debug)]
pub struct KeyRing {
    stack: String,
    path: PathBuf,
    keys: Vec<PrivateKey>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    stack: String,
    private_keys: Vec<String>,
}

impl KeyRing {
    /// The keys of a stack, from a folder; there may be none.
    ///
    /// # Errors
    /// Where the file is there but cannot be read.
    pub fn open(home: &Path, stack: &str) -> Result<KeyRing, Failure> {
        let path = KeyRing::path_in(home, stack);
        let damaged = || Failure::new(format!("the key file {} cannot be read", path.display()));
        let keys = match private::read(&path) {
            Ok(text) => {
                let kept: Kept = serde_json::from_str(&text).map_err(|_| damaged())?;
                let keys = kept.private_keys.iter().map(|text| PrivateKey::from_secret(text));
                keys.collect::<Result<_, _>>().map_err(|_| damaged())?
            }
            Err(PrivateError::Missing(_)) => Vec::new(),
            Err(error) => return Err(Failure::new(format!("the key file {error}"))),
        };
        Ok(KeyRing { stack: stack.to_owned(), path, keys })
    }

    /// Where a folder keeps the keys of a stack.
    pub fn path_in(home: &Path, stack: &str) -> PathBuf {
        home.join(format!("{stack}.keys.json"))
    }

    /// As [`open`](Self::open), with a first key made where there is none.
    ///
    /// # Errors
    /// Where the file cannot be read or written.
    pub fn open_or_make(home: &Path, stack: &str) -> Result<KeyRing, Failure> {
        let mut ring = KeyRing::open(home, stack)?;
        if ring.keys.is_empty() {
            ring.add()?;
        }
        Ok(ring)
    }

    /// Makes a key and keeps it; its public half.
    ///
    /// # Errors
    /// Where there are two already, or the file cannot be written.
    pub fn add(&mut self) -> Result<PublicKey, Failure> {
        if self.keys.len() >= KEYS_MAX {
            return Err(Failure::new(format!("stack {} has two keys already", self.stack))
                .next("move all webhooks to the newer one, then `postledger keys retire KEY_ID` the older"));
        }
        let key = PrivateKey::generate()?;
        let public = key.public();
        self.keys.push(key);
        self.write()?;
        Ok(public)
    }

    /// Forgets a key.
    ///
    /// # Errors
    /// Where there is none of that id, it is the only one, or the file cannot be written.
    pub fn retire(&mut self, key_id: &str) -> Result<(), Failure> {
        if !self.keys.iter().any(|key| key.public().id() == key_id) {
            let failure = Failure::new(format!("stack {} has no key of that id", self.stack));
            return Err(failure.next("`postledger keys list` shows those that it has"));
        }
        if self.keys.len() == 1 {
            return Err(Failure::new("it is the only key: without it every webhook would be refused")
                .next("make another by `postledger keys rotate`, which also moves the webhooks to it"));
        }
        self.keys.retain(|key| key.public().id() != key_id);
        self.write()
    }

    fn write(&self) -> Result<(), Failure> {
        let kept = Kept {
            stack: self.stack.clone(),
            private_keys: self.keys.iter().map(PrivateKey::secret).collect(),
        };
        let text = serde_json::to_string_pretty(&kept)?;
        private::write(&self.path, text.as_bytes()).map_err(|error| {
            let failure =
                Failure::new(format!("the key file {} cannot be written: {error}", self.path.display()));
            failure.next("choose another folder by --home DIR or POSTLEDGER_HOME")
        })
    }

    /// The key that signs.
    pub fn newest(&self) -> Option<&PrivateKey> {
        self.keys.last()
    }

    /// The public keys, the newest first.
    pub fn public(&self) -> Vec<PublicKey> {
        self.keys.iter().rev().map(PrivateKey::public).collect()
    }

    /// The password of a generation of a server, signed by the newest key.
    ///
    /// # Errors
    /// Where there is no key.
    pub fn credential(&self, server: ServerId, generation: u32) -> Result<(User, String), Failure> {
        let user = User { server, generation };
        let key = self.newest().ok_or_else(|| {
            Failure::new(format!("stack {} has no key in {}", self.stack, self.path.display()))
                .next("make one by `postledger keys new`, or name the stack by --stack")
        })?;
        Ok((user, key.password(&self.stack, user)?))
    }

    /// Refuses where none of the public keys by which a deployed stack verifies passwords is here.
    ///
    /// # Errors
    /// Then.
    pub fn must_have_one_of(&self, known: &str) -> Result<(), Failure> {
        let known: Vec<&str> = known.split(',').map(str::trim).collect();
        if self.keys.iter().any(|key| known.contains(&key.public().to_string().as_str())) {
            return Ok(());
        }
        let (stack, path) = (&self.stack, self.path.display());
        let here = if self.keys.is_empty() { "there is none" } else { "the keys are others" };
        let failure = Failure::new(format!(
            "stack {stack} verifies passwords by {}, and in {path} {here}: every webhook would be put off",
            known.join(",")
        ));
        Err(failure.next(
            "do this where the key is, or bring its file here, or name its folder by --home; nothing was written",
        ))
    }

    /// Whose keys they are.
    pub fn stack(&self) -> &str {
        &self.stack
    }

    /// Where the keys are kept.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The folder that keys are kept in.
///
/// # Errors
/// Where neither it nor a home folder is given.
pub fn home(given: Option<PathBuf>) -> Result<PathBuf, Failure> {
    given.or_else(|| platform::env::text("HOME").map(|home| Path::new(&home).join(".postledger"))).ok_or_else(
        || {
            Failure::new("there is no home folder to keep keys in")
                .next("name a folder by --home or POSTLEDGER_HOME")
        },
    )
}

/// A webhook URL and its credential.
#[derive(Clone, Debug, Serialize)]
pub struct Webhook {
    /// Which URL it is: a record type's segment, or `events`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The URL, without credential.
    pub url: String,
    /// The user name.
    pub user: String,
    /// The password.
    pub password: String,
    /// The URL with the credential in it, for forms that have no fields for it.
    pub url_with_credential: String,
}

/// The webhook URLs of a server at a base; `kind` is a segment, `events` or `all`.
pub fn webhooks(base: &str, user: User, password: &str, kind: &str) -> Vec<Webhook> {
    let base = base.trim_end_matches('/');
    let segments = RecordType::ALL.map(RecordType::segment).into_iter().chain(["events"]);
    let wanted = segments.filter(|segment| kind == "all" || kind == *segment);
    wanted
        .map(|segment| {
            let path = format!("v1/{}/{segment}", user.server);
            let (scheme, host) = base.split_once("://").unwrap_or(("https", base));
            Webhook {
                kind: segment.to_owned(),
                url: format!("{scheme}://{host}/{path}"),
                user: user.to_string(),
                password: password.to_owned(),
                url_with_credential: format!("{scheme}://{user}:{password}@{host}/{path}"),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("postledger-keys-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn keys_are_kept_where_only_their_owner_reads_them() {
        let home = folder("mode");
        let ring = KeyRing::open_or_make(&home, "local").unwrap();
        assert_eq!(fs::metadata(ring.path()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&home).unwrap().permissions().mode() & 0o777, 0o700);
        let again = KeyRing::open_or_make(&home, "local").unwrap();
        assert_eq!(again.public()[0].to_string(), ring.public()[0].to_string());
        fs::remove_dir_all(home).unwrap();
    }

    #[test]
    fn a_third_key_is_refused_until_one_is_retired() {
        let home = folder("two");
        let mut ring = KeyRing::open(&home, "local").unwrap();
        assert!(ring.credential(ServerId::new(7).unwrap(), 1).is_err());
        let first = ring.add().unwrap();
        ring.add().unwrap();
        assert!(ring.add().unwrap_err().to_string().contains("keys retire"));
        ring.retire(first.id()).unwrap();
        assert!(ring.retire(first.id()).is_err());
        assert_eq!(ring.public().len(), 1);
        let last = ring.public()[0].id().to_owned();
        assert!(ring.retire(&last).unwrap_err().to_string().contains("the only key"));
        ring.add().unwrap();
        fs::remove_dir_all(home).unwrap();
    }

    #[test]
    fn keys_of_which_the_doors_know_none_are_refused_and_nothing_is_written() {
        let (home, other) = (folder("known"), folder("unknown"));
        let mut ring = KeyRing::open_or_make(&home, "us").unwrap();
        let (old, new) = (ring.public()[0].to_string(), ring.add().unwrap().to_string());
        for known in [&old, &new, &format!("{old},{new}")] {
            ring.must_have_one_of(known).unwrap();
        }
        let none = KeyRing::open(&other, "us").unwrap();
        let told = none.must_have_one_of(&old).unwrap_err().to_string();
        assert!(told.contains("every webhook would be put off") && told.contains("there is none"), "{told}");
        assert!(!other.exists(), "no key and no folder was made");
        let others = KeyRing::open_or_make(&other, "us").unwrap();
        let told = others.must_have_one_of(&format!("{old},{new}")).unwrap_err().to_string();
        assert!(told.contains("the keys are others") && told.contains("--home"), "{told}");
        fs::remove_dir_all(home).unwrap();
        fs::remove_dir_all(other).unwrap();
    }

    #[test]
    fn a_damaged_key_file_is_named_and_left_alone() {
        let home = folder("damaged");
        private::write(&home.join("local.keys.json"), b"{}").unwrap();
        assert!(KeyRing::open_or_make(&home, "local").unwrap_err().to_string().contains("local.keys.json"));
        assert_eq!(fs::read_to_string(home.join("local.keys.json")).unwrap(), "{}");
        fs::remove_dir_all(home).unwrap();
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused_with_the_command_that_mends_it() {
        let home = folder("exposed");
        let ring = KeyRing::open_or_make(&home, "local").unwrap();
        fs::set_permissions(ring.path(), fs::Permissions::from_mode(0o644)).unwrap();
        let told = KeyRing::open_or_make(&home, "local").unwrap_err().to_string();
        assert!(told.contains(&format!("`chmod 600 {}`", ring.path().display())), "{told}");
        fs::remove_dir_all(home).unwrap();
    }

    #[test]
    fn there_are_seven_urls_each_with_its_credential() {
        let user: User = "8123456.2".parse().unwrap();
        let all = webhooks("https://hooks.example.com/", user, "secret", "all");
        assert_eq!(all.len(), 7);
        let one = webhooks("https://hooks.example.com/", user, "secret", "bounce");
        assert_eq!(one[0].url, "https://hooks.example.com/v1/8123456/bounce");
        assert_eq!(
            one[0].url_with_credential,
            "https://8123456.2:secret@hooks.example.com/v1/8123456/bounce"
        );
    }
}

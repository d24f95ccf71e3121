//! Where the servers' Postmark tokens are kept: encrypted parameters on AWS, a file of mode 0600 beside the keys
//! otherwise.

use async_trait::async_trait;
use ledger::ServerId;
#[cfg(feature = "aws")]
use platform::Config;
#[cfg(feature = "aws")]
use platform::config::TOKENS_PREFIX;
#[cfg(feature = "aws")]
use platform::env::EnvError;
use platform::private::{self, PrivateError};
use postmark_api::Token;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Why a token cannot be had or kept. It never quotes one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// A file cannot be read, or others can read it.
    #[error("the file of tokens: {0}")]
    Unread(PrivateError),
    /// A file cannot be written.
    #[error("the file of tokens {0} cannot be written: {1}")]
    Unwritten(String, String),
    /// A file or parameter holds something else.
    #[error("{0} does not hold a token of Postmark's as it is kept here")]
    Damaged(String),
    /// The parameters refused, or did not answer in time.
    #[cfg(feature = "aws")]
    #[error(transparent)]
    Parameter(#[from] aws::ParameterError),
}

/// One change of a file at a time: each writes what it read, and one token more.
static WRITES: Mutex<()> = Mutex::new(());

/// Keeps a token for each server.
#[async_trait]
pub trait Vault: Send + Sync {
    /// The token of a server, if it is kept.
    async fn token(&self, server: ServerId) -> Result<Option<Token>, VaultError>;

    /// Keeps the token of a server, in place of the one that was kept.
    async fn put(&self, server: ServerId, token: &Token) -> Result<(), VaultError>;

    /// Forgets the token of a server, if it is kept.
    async fn remove(&self, server: ServerId) -> Result<(), VaultError>;
}

/// Tokens in a file that only its owner reads: one for each stack.
#[derive(Clone, Debug)]
pub struct FileVault {
    path: PathBuf,
}

#[derive(Default, Serialize, Deserialize)]
struct TokenFile {
    tokens: BTreeMap<ServerId, String>,
}

impl FileVault {
    /// The tokens of a stack in a folder: the one that its keys are in. Nothing is read yet.
    pub fn new(home: &Path, stack: &str) -> FileVault {
        FileVault { path: FileVault::path_in(home, stack) }
    }

    /// Where a folder keeps the tokens of a stack.
    pub fn path_in(home: &Path, stack: &str) -> PathBuf {
        home.join(format!("{stack}.tokens.json"))
    }

    fn damaged(&self) -> VaultError {
        VaultError::Damaged(format!("the file {}", self.path.display()))
    }

    fn read(&self) -> Result<TokenFile, VaultError> {
        match private::read(&self.path) {
            Ok(text) => serde_json::from_str(&text).map_err(|_| self.damaged()),
            Err(PrivateError::Missing(_)) => Ok(TokenFile::default()),
            Err(error) => Err(VaultError::Unread(error)),
        }
    }

    fn write(&self, kept: &TokenFile) -> Result<(), VaultError> {
        let text = serde_json::to_string_pretty(kept).map_err(|_| self.damaged())?;
        let unwritten =
            |error: std::io::Error| VaultError::Unwritten(self.path.display().to_string(), error.to_string());
        private::write(&self.path, text.as_bytes()).map_err(unwritten)
    }
}

#[async_trait]
impl Vault for FileVault {
    async fn token(&self, server: ServerId) -> Result<Option<Token>, VaultError> {
        let kept = self.read()?;
        let token = kept.tokens.get(&server).map(|text| Token::new(text)).transpose();
        token.map_err(|_| self.damaged())
    }

    async fn put(&self, server: ServerId, token: &Token) -> Result<(), VaultError> {
        let _alone = WRITES.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = self.read()?;
        kept.tokens.insert(server, token.reveal().to_owned());
        self.write(&kept)
    }

    async fn remove(&self, server: ServerId) -> Result<(), VaultError> {
        let _alone = WRITES.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = self.read()?;
        if kept.tokens.remove(&server).is_some() {
            self.write(&kept)?;
        }
        Ok(())
    }
}

/// Tokens that live as long as the process: for simulations.
#[derive(Default)]
pub struct MemoryVault(Mutex<BTreeMap<ServerId, Token>>);

#[async_trait]
impl Vault for MemoryVault {
    async fn token(&self, server: ServerId) -> Result<Option<Token>, VaultError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&server).cloned())
    }

    async fn put(&self, server: ServerId, token: &Token) -> Result<(), VaultError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(server, token.clone());
        Ok(())
    }

    async fn remove(&self, server: ServerId) -> Result<(), VaultError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&server);
        Ok(())
    }
}

/// Tokens as encrypted parameters of a stack on AWS.
#[cfg(feature = "aws")]
pub struct ParameterVault {
    link: aws::Link,
    prefix: String,
}

/// Where the tokens of a stack are: `/postledger/{stack}/postmark`, and a server's under that.
#[cfg(feature = "aws")]
pub fn tokens_prefix(stack: &str) -> String {
    format!("/postledger/{stack}/postmark")
}

#[cfg(feature = "aws")]
impl ParameterVault {
    /// The tokens that a function may read.
    pub fn configured(link: aws::Link, config: &Config) -> Result<ParameterVault, EnvError> {
        Ok(ParameterVault::new(link, config.required(TOKENS_PREFIX)?))
    }

    /// The tokens under a prefix: see [`tokens_prefix`].
    pub fn new(link: aws::Link, prefix: &str) -> ParameterVault {
        ParameterVault { link, prefix: prefix.trim_end_matches('/').to_owned() }
    }

    fn name(&self, server: ServerId) -> String {
        format!("{}/{server}", self.prefix)
    }
}

#[cfg(feature = "aws")]
#[async_trait]
impl Vault for ParameterVault {
    async fn token(&self, server: ServerId) -> Result<Option<Token>, VaultError> {
        let name = self.name(server);
        match self.link.parameter(&name).await {
            Ok(text) => {
                Token::new(&text).map(Some).map_err(|_| VaultError::Damaged(format!("the parameter {name}")))
            }
            Err(aws::ParameterError::Missing(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn put(&self, server: ServerId, token: &Token) -> Result<(), VaultError> {
        Ok(self.link.replace_parameter(&self.name(server), token.reveal()).await?)
    }

    async fn remove(&self, server: ServerId) -> Result<(), VaultError> {
        match self.link.delete_parameter(&self.name(server)).await {
            Ok(()) | Err(aws::ParameterError::Missing(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("postledger-vault-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        folder
    }

    #[tokio::test]
    async fn tokens_are_kept_where_only_their_owner_reads_them() {
        let home = folder("mode");
        let vault = FileVault::new(&home, "local");
        let (one, other) = (ServerId::new(7).unwrap(), ServerId::new(8).unwrap());
        assert!(vault.token(one).await.unwrap().is_none());
        vault.put(one, &Token::new("first").unwrap()).await.unwrap();
        vault.put(other, &Token::new("second").unwrap()).await.unwrap();
        vault.put(one, &Token::new("third").unwrap()).await.unwrap();
        assert_eq!(vault.token(one).await.unwrap().unwrap().reveal(), "third");
        let mode = std::fs::metadata(home.join("local.tokens.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        vault.remove(one).await.unwrap();
        assert!(vault.token(one).await.unwrap().is_none());
        assert!(vault.token(other).await.unwrap().is_some());
        std::fs::remove_dir_all(home).unwrap();
    }

    #[tokio::test]
    async fn a_damaged_file_is_named_not_quoted_and_left_alone() {
        let home = folder("damaged");
        private::write(&home.join("local.tokens.json"), b"secret").unwrap();
        let vault = FileVault::new(&home, "local");
        let server = ServerId::new(7).unwrap();
        let Err(error) = vault.put(server, &Token::new("a").unwrap()).await else {
            panic!("it must not be written over");
        };
        assert!(error.to_string().contains("local.tokens.json") && !error.to_string().contains("secret"));
        assert_eq!(std::fs::read_to_string(home.join("local.tokens.json")).unwrap(), "secret");
        std::fs::remove_dir_all(home).unwrap();
    }
}

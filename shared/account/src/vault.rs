//! Where the servers' Postmark tokens, and the pairs of keys that log in to their streams by SMTP, are kept: encrypted
//! parameters on AWS, a file of mode 0600 beside the keys otherwise.

use async_trait::async_trait;
use ledger::ServerId;
#[cfg(feature = "aws")]
use platform::Config;
#[cfg(feature = "aws")]
use platform::config::TOKENS_PREFIX;
#[cfg(feature = "aws")]
use platform::env::EnvError;
use platform::private::{self, PrivateError};
use postmark_api::{SmtpPair, Token};
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

/// The pairs of a stream that are kept: the one that is used, and the one before, until that is seen to be revoked.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpPairs {
    /// The one that is used.
    pub now: SmtpPair,
    /// The one before.
    pub before: Option<SmtpPair>,
}

/// Pairs as they are written.
#[derive(Clone, Serialize, Deserialize)]
struct PairsText {
    now: [String; 2],
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<[String; 2]>,
}

impl PairsText {
    fn of(pairs: &SmtpPairs) -> PairsText {
        let text = |pair: &SmtpPair| [&pair.access, &pair.secret].map(|key| key.reveal().to_owned());
        PairsText { now: text(&pairs.now), before: pairs.before.as_ref().map(text) }
    }

    /// None where it is damaged.
    fn read(&self) -> Option<SmtpPairs> {
        let pair = |[access, secret]: &[String; 2]| {
            Some(SmtpPair { access: Token::new(access).ok()?, secret: Token::new(secret).ok()? })
        };
        let before = match &self.before {
            Some(before) => Some(pair(before)?),
            None => None,
        };
        Some(SmtpPairs { now: pair(&self.now)?, before })
    }
}

/// Keeps a token for each server, and pairs for its streams.
#[async_trait]
pub trait Vault: Send + Sync {
    /// The token of a server, if it is kept.
    async fn token(&self, server: ServerId) -> Result<Option<Token>, VaultError>;

    /// Keeps the token of a server, in place of the one that was kept.
    async fn put(&self, server: ServerId, token: &Token) -> Result<(), VaultError>;

    /// Forgets the token of a server, if it is kept.
    async fn remove(&self, server: ServerId) -> Result<(), VaultError>;

    /// The pairs of a stream, if they are kept.
    async fn smtp(&self, server: ServerId, stream: &str) -> Result<Option<SmtpPairs>, VaultError>;

    /// Keeps the pairs of a stream, in place of those that were kept.
    async fn put_smtp(&self, server: ServerId, stream: &str, pairs: &SmtpPairs) -> Result<(), VaultError>;

    /// Forgets the pairs of a stream, if they are kept.
    async fn remove_smtp(&self, server: ServerId, stream: &str) -> Result<(), VaultError>;
}

/// Tokens in a file that only its owner reads: one for each stack.
#[derive(Clone, Debug)]
pub struct FileVault {
    path: PathBuf,
}

#[derive(Default, Serialize, Deserialize)]
struct TokenFile {
    tokens: BTreeMap<ServerId, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    smtp: BTreeMap<ServerId, BTreeMap<String, PairsText>>,
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

    /// Changes the file, if there is anything to change.
    fn change(&self, change: impl FnOnce(&mut TokenFile) -> bool) -> Result<(), VaultError> {
        let _alone = WRITES.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = self.read()?;
        if change(&mut kept) { self.write(&kept) } else { Ok(()) }
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
        self.change(|kept| {
            kept.tokens.insert(server, token.reveal().to_owned());
            true
        })
    }

    async fn remove(&self, server: ServerId) -> Result<(), VaultError> {
        self.change(|kept| kept.tokens.remove(&server).is_some())
    }

    async fn smtp(&self, server: ServerId, stream: &str) -> Result<Option<SmtpPairs>, VaultError> {
        let kept = self.read()?;
        let Some(pairs) = kept.smtp.get(&server).and_then(|of| of.get(stream)) else { return Ok(None) };
        pairs.read().map(Some).ok_or_else(|| self.damaged())
    }

    async fn put_smtp(&self, server: ServerId, stream: &str, pairs: &SmtpPairs) -> Result<(), VaultError> {
        let (stream, pairs) = (stream.to_owned(), PairsText::of(pairs));
        self.change(|kept| {
            kept.smtp.entry(server).or_default().insert(stream, pairs);
            true
        })
    }

    async fn remove_smtp(&self, server: ServerId, stream: &str) -> Result<(), VaultError> {
        self.change(|kept| {
            let Some(of) = kept.smtp.get_mut(&server) else { return false };
            let was = of.remove(stream).is_some();
            if of.is_empty() {
                kept.smtp.remove(&server);
            }
            was
        })
    }
}

/// Tokens and pairs that live as long as the process: for simulations.
#[derive(Default)]
pub struct MemoryVault {
    tokens: Mutex<BTreeMap<ServerId, Token>>,
    smtp: Mutex<BTreeMap<(ServerId, String), SmtpPairs>>,
}

#[async_trait]
impl Vault for MemoryVault {
    async fn token(&self, server: ServerId) -> Result<Option<Token>, VaultError> {
        Ok(self.tokens.lock().unwrap_or_else(PoisonError::into_inner).get(&server).cloned())
    }

    async fn put(&self, server: ServerId, token: &Token) -> Result<(), VaultError> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(server, token.clone());
        Ok(())
    }

    async fn remove(&self, server: ServerId) -> Result<(), VaultError> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).remove(&server);
        Ok(())
    }

    async fn smtp(&self, server: ServerId, stream: &str) -> Result<Option<SmtpPairs>, VaultError> {
        let kept = self.smtp.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(kept.get(&(server, stream.to_owned())).cloned())
    }

    async fn put_smtp(&self, server: ServerId, stream: &str, pairs: &SmtpPairs) -> Result<(), VaultError> {
        let mut kept = self.smtp.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert((server, stream.to_owned()), pairs.clone());
        Ok(())
    }

    async fn remove_smtp(&self, server: ServerId, stream: &str) -> Result<(), VaultError> {
        let mut kept = self.smtp.lock().unwrap_or_else(PoisonError::into_inner);
        kept.remove(&(server, stream.to_owned()));
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

    fn smtp_name(&self, server: ServerId, stream: &str) -> String {
        format!("{}/{server}/smtp/{stream}", self.prefix)
    }

    async fn delete(&self, name: &str) -> Result<(), VaultError> {
        match self.link.delete_parameter(name).await {
            Ok(()) | Err(aws::ParameterError::Missing(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
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
        self.delete(&self.name(server)).await
    }

    async fn smtp(&self, server: ServerId, stream: &str) -> Result<Option<SmtpPairs>, VaultError> {
        let name = self.smtp_name(server, stream);
        match self.link.parameter(&name).await {
            Ok(text) => {
                let pairs = serde_json::from_str(&text).ok().and_then(|text: PairsText| text.read());
                pairs.map(Some).ok_or_else(|| VaultError::Damaged(format!("the parameter {name}")))
            }
            Err(aws::ParameterError::Missing(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn put_smtp(&self, server: ServerId, stream: &str, pairs: &SmtpPairs) -> Result<(), VaultError> {
        let name = self.smtp_name(server, stream);
        let text = serde_json::to_string(&PairsText::of(pairs));
        let text = text.map_err(|_| VaultError::Damaged(format!("the parameter {name}")))?;
        Ok(self.link.replace_parameter(&name, &text).await?)
    }

    async fn remove_smtp(&self, server: ServerId, stream: &str) -> Result<(), VaultError> {
        self.delete(&self.smtp_name(server, stream)).await
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

    fn pair(access: &str, secret: &str) -> SmtpPair {
        SmtpPair { access: Token::new(access).unwrap(), secret: Token::new(secret).unwrap() }
    }

    #[tokio::test]
    async fn pairs_are_kept_stream_by_stream_beside_tokens_and_each_is_forgotten_alone() {
        let home = folder("pairs");
        // A file of an earlier version has no pairs.
        private::write(&home.join("local.tokens.json"), br#"{"tokens":{"7":"first"}}"#).unwrap();
        let server = ServerId::new(7).unwrap();
        let vaults: [Box<dyn Vault>; 2] =
            [Box::new(FileVault::new(&home, "local")), Box::new(MemoryVault::default())];
        for vault in vaults {
            let one = SmtpPairs { now: pair("a", "b"), before: None };
            let other = SmtpPairs { now: pair("c", "d"), before: Some(pair("e", "e")) };
            assert!(vault.smtp(server, "outbound").await.unwrap().is_none());
            vault.put(server, &Token::new("first").unwrap()).await.unwrap();
            vault.put_smtp(server, "outbound", &one).await.unwrap();
            vault.put_smtp(server, "news", &one).await.unwrap();
            vault.put_smtp(server, "news", &other).await.unwrap();
            assert!(vault.smtp(server, "news").await.unwrap() == Some(other));
            assert!(vault.smtp(ServerId::new(8).unwrap(), "news").await.unwrap().is_none());
            vault.remove_smtp(server, "news").await.unwrap();
            vault.remove_smtp(server, "news").await.unwrap();
            assert!(vault.smtp(server, "news").await.unwrap().is_none());
            vault.remove(server).await.unwrap();
            assert!(vault.smtp(server, "outbound").await.unwrap() == Some(one));
        }
        let mode = std::fs::metadata(home.join("local.tokens.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
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

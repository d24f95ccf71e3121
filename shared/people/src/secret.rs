//! Secrets of sessions, links and browsers: made at random, and kept as a hash only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use std::fmt;
use store::StoreError;

/// How many random bytes one has.
const BYTES: usize = 32;

/// 256 random bits as text, which nobody is told but who is to have it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret")
    }
}

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// Where the machine has no random numbers.
    pub fn make() -> Result<Secret, StoreError> {
        Ok(Secret(URL_SAFE_NO_PAD.encode(random::<BYTES>()?)))
    }

    /// From its text, if that could be one.
    pub fn read(text: &str) -> Option<Secret> {
        let is_one = text.len() == BYTES.div_ceil(3) * 4 - 1
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        is_one.then(|| Secret(text.to_owned()))
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// What is kept of it. It has 256 random bits, so nothing slower is needed.
    pub fn hash(&self) -> String {
        hash(&[&self.0])
    }
}

/// A hash over several texts. None of them has a line feed in it.
pub(crate) fn hash(texts: &[&str]) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, texts.join("\n").as_bytes()))
}

/// Random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    ring::rand::SecureRandom::fill(&SystemRandom::new(), &mut bytes).map_err(|_| StoreError::NoRandom)?;
    Ok(bytes)
}

/// A short random text that is no secret: it tells one thing from another.
pub(crate) fn mark() -> Result<String, StoreError> {
    Ok(URL_SAFE_NO_PAD.encode(random::<9>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_from_its_own_text_and_from_nothing_else() {
        let secret = Secret::make().unwrap();
        assert_eq!(Secret::read(secret.text()), Some(secret.clone()));
        assert_ne!(Secret::make().unwrap(), secret);
        for wrong in ["", "a", &secret.text()[1..], &format!("{}a", secret.text()), &"ä".repeat(22)] {
            assert_eq!(Secret::read(wrong), None, "{wrong}");
        }
        assert!(!format!("{secret:?}").contains(secret.text()));
        assert_ne!(secret.hash(), secret.text());
    }
}

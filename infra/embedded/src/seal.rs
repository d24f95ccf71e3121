//! Secrets in a backup, sealed by a passphrase: Argon2id makes the key, ChaCha20-Poly1305 seals.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::rand::SystemRandom;

/// What is sealed belongs to, and which form this is.
const FORM: &[u8] = b"postledger/backup/1";
/// Memory in KiB, passes and lanes of Argon2id: RFC 9106's second choice.
const COST: (u32, u32, u32) = (64 * 1024, 3, 4);
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
/// The fewest characters of a passphrase.
pub const PASSPHRASE_MIN: usize = 12;

/// Why something cannot be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The passphrase is too short.
    #[error("the passphrase has fewer than {PASSPHRASE_MIN} characters: choose a longer one")]
    Short,
    /// The passphrase is another one, or what was sealed is damaged.
    #[error("the passphrase is not the one that the backup was made with, or the backup is damaged")]
    Wrong,
    /// The system has no random numbers, or not enough memory, to give.
    #[error("this machine gives no random numbers or not enough memory")]
    NoRandom,
}

fn key(passphrase: &str, salt: &[u8]) -> Result<LessSafeKey, SealError> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, Some(CHACHA20_POLY1305.key_len()));
    let params = params.map_err(|_| SealError::NoRandom)?;
    let mut key = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, &mut key)
        .map_err(|_| SealError::NoRandom)?;
    UnboundKey::new(&CHACHA20_POLY1305, &key).map(LessSafeKey::new).map_err(|_| SealError::NoRandom)
}

/// That a passphrase is long enough to seal by. Blanks around it make it no longer.
///
/// # Errors
/// [`SealError::Short`].
pub fn check(passphrase: &str) -> Result<(), SealError> {
    if passphrase.trim().chars().count() < PASSPHRASE_MIN { Err(SealError::Short) } else { Ok(()) }
}

/// Seals a text; what comes out is text too.
///
/// # Errors
/// [`SealError::Short`], [`SealError::NoRandom`].
pub fn seal(passphrase: &str, text: &str) -> Result<String, SealError> {
    check(passphrase)?;
    let random: [u8; SALT_BYTES + NONCE_BYTES] =
        ring::rand::generate(&SystemRandom::new()).map_err(|_| SealError::NoRandom)?.expose();
    let (salt, nonce) = random.split_at(SALT_BYTES);
    let mut sealed = text.as_bytes().to_vec();
    let once = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::NoRandom)?;
    key(passphrase, salt)?
        .seal_in_place_append_tag(once, Aad::from(FORM), &mut sealed)
        .map_err(|_| SealError::NoRandom)?;
    Ok(STANDARD.encode([&random[..], &sealed].concat()))
}

/// Opens what was sealed.
///
/// # Errors
/// [`SealError::Wrong`], [`SealError::NoRandom`].
pub fn open(passphrase: &str, sealed: &str) -> Result<String, SealError> {
    let bytes = STANDARD.decode(sealed).map_err(|_| SealError::Wrong)?;
    let (salt, rest) = bytes.split_at_checked(SALT_BYTES).ok_or(SealError::Wrong)?;
    let (nonce, text) = rest.split_at_checked(NONCE_BYTES).ok_or(SealError::Wrong)?;
    let once = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Wrong)?;
    let mut text = text.to_vec();
    let opened = key(passphrase, salt)?.open_in_place(once, Aad::from(FORM), &mut text);
    let opened = opened.map_err(|_| SealError::Wrong)?;
    String::from_utf8(opened.to_vec()).map_err(|_| SealError::Wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSPHRASE: &str = "correct horse battery";

    #[test]
    fn what_is_sealed_opens_by_its_passphrase_alone() {
        let sealed = seal(PASSPHRASE, "secret").unwrap();
        assert!(!sealed.contains("secret"));
        assert_eq!(open(PASSPHRASE, &sealed).as_deref(), Ok("secret"));
        assert_eq!(open("another passphrase", &sealed), Err(SealError::Wrong));
        assert_ne!(seal(PASSPHRASE, "secret").unwrap(), sealed, "no two are alike");
    }

    #[test]
    fn what_is_damaged_or_cut_off_does_not_open_and_a_short_passphrase_seals_nothing() {
        let sealed = STANDARD.decode(seal(PASSPHRASE, "secret").unwrap()).unwrap();
        for at in [0, SALT_BYTES, sealed.len() - 1] {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert_eq!(open(PASSPHRASE, &STANDARD.encode(damaged)), Err(SealError::Wrong));
        }
        assert_eq!(open(PASSPHRASE, &STANDARD.encode(&sealed[..20])), Err(SealError::Wrong));
        assert_eq!(open(PASSPHRASE, "no base64!"), Err(SealError::Wrong));
        assert_eq!(seal("short", "secret"), Err(SealError::Short));
    }
}

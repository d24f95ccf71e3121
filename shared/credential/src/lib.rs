//! Credentials: HTTP Basic whose password is a signature, so that the door needs no secret and no look-up.
//!
//! The user name is `{server}.{generation}`, the password the Ed25519 signature over
//! `postledger/v1/{stack}/{server}/{generation}`, in base64url without padding (86 characters). From
//! one server's password nobody can compute that of another server, stack or generation. Two public keys are active at
//! a time, so that a key can be rotated without refusing anything.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use ledger::ServerId;
use ledger::canonical::digest;
use platform::Config;
use platform::config::{DENIED, PUBLIC_KEYS, STACK};
use platform::env::EnvError;
use ring::digest::SHA256;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

/// The most public keys that are active at a time.
pub const KEYS_MAX: usize = 2;
/// The longest `Authorization` header that is looked at, in bytes.
const HEADER_BYTES_MAX: usize = 1_024;
/// How many valid credentials are remembered, so that their signatures need not be verified again.
const KNOWN_MAX: usize = 1_024;

/// What is wrong with a key, a stack's name or a deny list. It never quotes the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Not a public key.
    #[error("not a public key: expected 32 bytes in base64url, 43 characters")]
    PublicKey,
    /// Not a private key.
    #[error("not a private key: expected 32 bytes in base64url, 43 characters")]
    PrivateKey,
    /// No keys, or too many.
    #[error("expected one or two public keys")]
    Keys,
    /// Not a name for a stack.
    #[error("not a stack's name: expected 1 to 32 of a-z, 0-9 and -")]
    Stack,
    /// Not a user name.
    #[error("not a user name: expected {{server}}.{{generation}}, such as 8123456.1")]
    User,
    /// No random numbers to be had.
    #[error("the system has no random numbers to give")]
    Random,
}

/// Whom a valid credential was minted for. Only a [`Verifier`] makes one: whoever holds it, holds the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    user: User,
    key_id: String,
    slot: usize,
}

impl Credential {
    /// For whom, and which of its passwords.
    pub const fn user(&self) -> User {
        self.user
    }

    /// Which public key verified it.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Its place among the active keys, from 0.
    pub const fn slot(&self) -> usize {
        self.slot
    }
}

/// The user name: a server and the generation of its password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct User {
    /// The server.
    pub server: ServerId,
    /// Which of its passwords; from 1.
    pub generation: u32,
}

impl fmt::Display for User {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.server, self.generation)
    }
}

/// Plain decimals only, so that one user has one spelling.
impl FromStr for User {
    type Err = CredentialError;

    fn from_str(text: &str) -> Result<User, CredentialError> {
        let read = || {
            let (server, generation) = text.split_once('.')?;
            let user = User { server: server.parse().ok()?, generation: generation.parse().ok()? };
            (user.to_string() == text && user.generation > 0 && user.server != ServerId::NONE).then_some(user)
        };
        read().ok_or(CredentialError::User)
    }
}

/// The name of a stack, as signatures bear it.
///
/// # Errors
/// [`CredentialError::Stack`] where it is none.
pub fn checked_stack(stack: &str) -> Result<String, CredentialError> {
    let taken = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=32).contains(&stack.len()) && stack.chars().all(taken) {
        Ok(stack.to_owned())
    } else {
        Err(CredentialError::Stack)
    }
}

fn message(stack: &str, user: User) -> String {
    format!("postledger/v1/{stack}/{}/{}", user.server, user.generation)
}

/// A public key and its short name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    id: String,
    bytes: [u8; 32],
}

impl PublicKey {
    /// A short name for logs and envelopes: 8 characters of its hash.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl From<[u8; 32]> for PublicKey {
    fn from(bytes: [u8; 32]) -> PublicKey {
        PublicKey { id: URL_SAFE_NO_PAD.encode(&digest(&bytes)[..6]), bytes }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&URL_SAFE_NO_PAD.encode(self.bytes))
    }
}

impl FromStr for PublicKey {
    type Err = CredentialError;

    fn from_str(text: &str) -> Result<PublicKey, CredentialError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(|bytes: [u8; 32]| PublicKey::from(bytes)).ok_or(CredentialError::PublicKey)
    }
}

/// A private key. It stays with the operator, whose command line mints with it, and with what the operator lets mint: the
/// one-process mode, and the function that sets up webhooks.
pub struct PrivateKey {
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

impl PrivateKey {
    /// A new one.
    pub fn generate() -> Result<PrivateKey, CredentialError> {
        let seed: [u8; 32] =
            ring::rand::generate(&SystemRandom::new()).map_err(|_| CredentialError::Random)?.expose();
        PrivateKey::from_seed(seed)
    }

    fn from_seed(seed: [u8; 32]) -> Result<PrivateKey, CredentialError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| CredentialError::PrivateKey)?;
        Ok(PrivateKey { seed, pair })
    }

    /// The text that is kept in a file of mode 0600. Never print it.
    pub fn secret(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.seed)
    }

    /// From the text that was kept.
    pub fn from_secret(text: &str) -> Result<PrivateKey, CredentialError> {
        let seed = URL_SAFE_NO_PAD.decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
        PrivateKey::from_seed(seed.ok_or(CredentialError::PrivateKey)?)
    }

    /// Its public key.
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.pair.public_key().as_ref());
        PublicKey::from(bytes)
    }

    /// The password of a user at a stack.
    pub fn password(&self, stack: &str, user: User) -> Result<String, CredentialError> {
        let stack = checked_stack(stack)?;
        Ok(URL_SAFE_NO_PAD.encode(self.pair.sign(message(&stack, user).as_bytes())))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("PrivateKey(..)")
    }
}

/// What a request presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presented {
    /// No credential.
    Nothing,
    /// A credential that is not valid here.
    Wrong,
    /// A valid one.
    Valid(Credential),
}

/// Verifies credentials for one stack.
pub struct Verifier {
    stack: String,
    keys: Vec<(String, UnparsedPublicKey<[u8; 32]>)>,
    denied: HashSet<User>,
    /// What was valid, by the hash of its header: Postmark sends the same header with all of a server's webhooks, so
    /// that its signature is verified once. The headers themselves are not kept.
    known: Mutex<HashMap<[u8; 32], Credential>>,
}

impl Verifier {
    /// By the keys, the stack and the deny list that a function is told.
    pub fn configured(config: &Config) -> Result<Verifier, EnvError> {
        let keys = config.list::<PublicKey>(PUBLIC_KEYS)?;
        let stack = config.required(STACK)?;
        if keys.is_empty() {
            config.required(PUBLIC_KEYS)?;
        }
        Verifier::new(stack, keys, config.list::<User>(DENIED)?).map_err(|error| match error {
            CredentialError::Stack => STACK.unusable(),
            _ => PUBLIC_KEYS.unusable(),
        })
    }

    /// For a stack, with one or two public keys and a deny list.
    pub fn new(
        stack: &str,
        keys: impl IntoIterator<Item = PublicKey>,
        denied: impl IntoIterator<Item = User>,
    ) -> Result<Verifier, CredentialError> {
        let keys: Vec<_> =
            keys.into_iter().map(|key| (key.id, UnparsedPublicKey::new(&ED25519, key.bytes))).collect();
        if keys.is_empty() || keys.len() > KEYS_MAX {
            return Err(CredentialError::Keys);
        }
        let denied = denied.into_iter().collect();
        Ok(Verifier { stack: checked_stack(stack)?, keys, denied, known: Mutex::default() })
    }

    /// The id of the newest key, which stands first: passwords are made by its private half.
    pub fn newest(&self) -> &str {
        self.keys.first().map_or("", |(id, _)| id)
    }

    /// The highest generation of a server's passwords that is denied; 0 where none is.
    pub fn denied_up_to(&self, server: ServerId) -> u32 {
        let of_server = self.denied.iter().filter(|user| user.server == server);
        of_server.map(|user| user.generation).max().unwrap_or_default()
    }

    /// What a request's headers present.
    pub fn verify(&self, headers: &HeaderMap) -> Presented {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        match (given.next(), given.next()) {
            (None, _) => Presented::Nothing,
            (Some(header), None) if header.is_empty() => Presented::Nothing,
            (Some(header), None) => match header.to_str().ok().and_then(|header| self.valid(header)) {
                Some(credential) => Presented::Valid(credential),
                None => Presented::Wrong,
            },
            // Two credentials are none that can be trusted.
            (Some(_), Some(_)) => Presented::Wrong,
        }
    }

    fn valid(&self, header: &str) -> Option<Credential> {
        if header.len() > HEADER_BYTES_MAX {
            return None;
        }
        let hash: [u8; 32] = ring::digest::digest(&SHA256, header.as_bytes()).as_ref().try_into().ok()?;
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(credential) = known().get(&hash) {
            return Some(credential.clone());
        }
        let credential = self.signed(header)?;
        let mut known = known();
        if known.len() == KNOWN_MAX {
            known.clear();
        }
        known.insert(hash, credential.clone());
        Some(credential)
    }

    fn signed(&self, header: &str) -> Option<Credential> {
        let (scheme, encoded) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        let user: User = user.parse().ok()?;
        // Strict: no padding, no other alphabet, no spare bits; a signature has one spelling.
        let signature = URL_SAFE_NO_PAD.decode(password).ok().filter(|signature| signature.len() == 64)?;
        let message = message(&self.stack, user);
        let slot =
            self.keys.iter().position(|(_, key)| key.verify(message.as_bytes(), &signature).is_ok())?;
        (!self.denied.contains(&user)).then(|| Credential { user, key_id: self.keys[slot].0.clone(), slot })
    }
}

/// The `Authorization` header of a user and password.
pub fn basic(user: User, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACK: &str = "us-prod";

    fn user(text: &str) -> User {
        text.parse().unwrap()
    }

    fn key(n: u8) -> PrivateKey {
        PrivateKey::from_seed([n; 32]).unwrap()
    }

    fn verifier(keys: &[u8], denied: &[&str]) -> Verifier {
        let denied = denied.iter().map(|text| user(text));
        Verifier::new(STACK, keys.iter().map(|n| key(*n).public()), denied).unwrap()
    }

    fn present(verifier: &Verifier, header: &str) -> Presented {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, header.parse().unwrap());
        verifier.verify(&headers)
    }

    fn slot(presented: Presented) -> Option<usize> {
        match presented {
            Presented::Valid(credential) => Some(credential.slot),
            _ => None,
        }
    }

    fn password(n: u8, stack: &str, of: &str) -> String {
        key(n).password(stack, user(of)).unwrap()
    }

    #[test]
    fn a_minted_password_is_86_characters_and_valid() {
        let password = password(1, STACK, "8123456.1");
        assert_eq!(password.len(), 86);
        let presented = present(&verifier(&[1], &[]), &basic(user("8123456.1"), &password));
        let key_id = key(1).public().id().to_owned();
        assert_eq!(presented, Presented::Valid(Credential { user: user("8123456.1"), key_id, slot: 0 }));
    }

    #[test]
    fn two_keys_are_valid_at_once_and_a_third_is_not() {
        let verifier = verifier(&[1, 2], &[]);
        let of = |n| slot(present(&verifier, &basic(user("7.1"), &password(n, STACK, "7.1"))));
        assert_eq!((of(1), of(2), of(3)), (Some(0), Some(1), None));
    }

    #[test]
    fn a_denied_generation_is_wrong_and_its_successor_is_not() {
        let verifier = verifier(&[1], &["7.1"]);
        let of = |text: &str| slot(present(&verifier, &basic(user(text), &password(1, STACK, text))));
        assert_eq!((of("7.1"), of("7.2"), of("8.1")), (None, Some(0), Some(0)));
    }

    #[test]
    fn what_was_valid_is_known_again_and_makes_nothing_else_valid() {
        let verifier = verifier(&[1, 2], &["8.1"]);
        for round in 0..3 {
            for n in 1..=u32::try_from(KNOWN_MAX).unwrap() / 2 + 1 {
                let name = format!("7.{n}");
                let of = |key| slot(present(&verifier, &basic(user(&name), &password(key, STACK, &name))));
                assert_eq!((of(1), of(2), of(3)), (Some(0), Some(1), None), "{round} {name}");
            }
            let denied = basic(user("8.1"), &password(1, STACK, "8.1"));
            assert_eq!(present(&verifier, &denied), Presented::Wrong);
        }
        assert!(verifier.known.lock().unwrap().len() <= KNOWN_MAX);
    }

    #[test]
    fn another_servers_stacks_or_generations_password_is_wrong() {
        let verifier = verifier(&[1], &[]);
        for password in [
            password(1, STACK, "8.1"),
            password(1, STACK, "7.2"),
            password(1, "eu-prod", "7.1"),
            password(1, "us-prod-7", "7.1"),
        ] {
            assert_eq!(present(&verifier, &basic(user("7.1"), &password)), Presented::Wrong);
        }
    }

    #[test]
    fn a_truncated_altered_or_re_encoded_signature_is_wrong() {
        let verifier = verifier(&[1], &[]);
        let good = password(1, STACK, "7.1");
        let bytes = URL_SAFE_NO_PAD.decode(&good).unwrap();
        let mut flipped = bytes.clone();
        flipped[10] ^= 1;
        // The last character has four spare bits: another letter decodes to the same bytes elsewhere.
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let last = alphabet.find(good.chars().last().unwrap()).unwrap();
        let spare = format!("{}{}", &good[..85], &alphabet[last + 1..last + 2]);
        // S plus the group order verifies under a lax verifier.
        let mut malleable = bytes.clone();
        let order: [u8; 32] = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let mut carry = 0;
        for (byte, add) in malleable[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            (*byte, carry) = (sum as u8, sum >> 8);
        }
        for wrong in [
            good[..85].to_owned(),
            good[..0].to_owned(),
            format!("{good}A"),
            format!("{good}=="),
            format!(" {good}"),
            format!("{good}:"),
            spare,
            STANDARD.encode(&bytes),
            bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            URL_SAFE_NO_PAD.encode(flipped),
            URL_SAFE_NO_PAD.encode(malleable),
            URL_SAFE_NO_PAD.encode([0; 64]),
        ] {
            assert_eq!(present(&verifier, &basic(user("7.1"), &wrong)), Presented::Wrong, "{wrong}");
        }
        assert_eq!(slot(present(&verifier, &basic(user("7.1"), &good))), Some(0));
    }

    #[test]
    fn a_wrong_scheme_bad_base64_and_odd_user_names_are_wrong() {
        let verifier = verifier(&[1], &[]);
        let good = password(1, STACK, "7.1");
        let encoded = STANDARD.encode(format!("7.1:{good}"));
        for header in [
            format!("Bearer {encoded}"),
            format!("Digest {encoded}"),
            encoded.clone(),
            "Basic".to_owned(),
            "Basic ".to_owned(),
            "Basic %%%".to_owned(),
            format!("Basic {}", &encoded[..encoded.len() - 3]),
            format!("Basic {}", STANDARD.encode(format!("7.1{good}"))),
            format!("Basic {}", STANDARD.encode([0xff, 0xfe, b':'])),
            format!("Basic {}", "A".repeat(4_000)),
        ] {
            assert_eq!(present(&verifier, &header), Presented::Wrong, "{header:.40}");
        }
        for odd in [
            "07.1",
            "7.01",
            "+7.1",
            "7",
            "7.",
            ".1",
            "7.1.1",
            "7.0",
            "0.1",
            "-7.1",
            "7.1 ",
            "7.99999999999",
            "７.1",
        ] {
            assert_eq!(odd.parse::<User>(), Err(CredentialError::User), "{odd}");
            let header = format!("Basic {}", STANDARD.encode(format!("{odd}:{good}")));
            assert_eq!(present(&verifier, &header), Presented::Wrong, "{odd}");
        }
        assert_eq!(slot(present(&verifier, &format!("bAsIc {encoded}"))), Some(0), "schemes have no case");
    }

    #[test]
    fn no_header_is_no_credential_and_two_are_wrong() {
        let verifier = verifier(&[1], &[]);
        let mut headers = HeaderMap::new();
        assert_eq!(verifier.verify(&headers), Presented::Nothing);
        let good: http::HeaderValue = basic(user("7.1"), &password(1, STACK, "7.1")).parse().unwrap();
        headers.append(AUTHORIZATION, good.clone());
        headers.append(AUTHORIZATION, good);
        assert_eq!(verifier.verify(&headers), Presented::Wrong);
        assert_eq!(present(&verifier, ""), Presented::Nothing);
    }

    #[test]
    fn keys_come_back_from_their_texts_and_are_not_debugged() {
        let private = PrivateKey::generate().unwrap();
        let again = PrivateKey::from_secret(&private.secret()).unwrap();
        assert_eq!(private.public().to_string(), again.public().to_string());
        assert_eq!(private.public().to_string().parse::<PublicKey>().unwrap().id(), private.public().id());
        assert_eq!(format!("{private:?}"), "PrivateKey(..)");
        assert!("short".parse::<PublicKey>().is_err() && PrivateKey::from_secret("short").is_err());
    }

    #[test]
    fn a_verifier_needs_one_or_two_keys_and_a_proper_stack() {
        let make = |stack: &str, n: u8| Verifier::new(stack, (0..n).map(|n| key(n).public()), []).err();
        assert_eq!(make(STACK, 0), Some(CredentialError::Keys));
        assert_eq!(make(STACK, 3), Some(CredentialError::Keys));
        for stack in ["", "US", "a/b", "a b", &"a".repeat(33)] {
            assert_eq!(make(stack, 1), Some(CredentialError::Stack), "{stack}");
        }
        assert_eq!(make("a", 2), None);
    }
}

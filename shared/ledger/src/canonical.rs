//! What identities and recipient ids are made of: the bytes that are hashed, the hash, and its text.
//!
//! Frozen with the vectors of the identity.

/// The bytes that are hashed: strings as a big-endian `u32` length and UTF-8, everything else as a
/// big-endian `i64`. Absent, null and empty are the same.
#[derive(Clone, Debug, Default)]
pub struct Canonical(Vec<u8>);

impl Canonical {
    /// Appends a string; an absent one as the empty one.
    pub fn string<'a>(&mut self, text: impl Into<Option<&'a str>>) -> &mut Canonical {
        let text = text.into().unwrap_or_default();
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    /// Appends an integer.
    pub fn integer(&mut self, value: i64) -> &mut Canonical {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// What has been appended.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The first 16 bytes of SHA-256.
pub fn digest(bytes: &[u8]) -> [u8; 16] {
    let mut out = [0; 16];
    out.copy_from_slice(&ring::digest::digest(&ring::digest::SHA256, bytes).as_ref()[..16]);
    out
}

/// Why a text is not 16 bytes in base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a {0}: expected 22 characters of base64url")]
pub struct NotAnId(pub(crate) &'static str);

/// Text forms of the types that are 16 bytes in base64url without padding.
macro_rules! base64url {
    ($name:ident, $what:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                use base64::Engine as _;
                out.write_str(&base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, concat!(stringify!($name), "({})"), self)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }

        impl FromStr for $name {
            type Err = crate::canonical::NotAnId;

            fn from_str(text: &str) -> Result<$name, crate::canonical::NotAnId> {
                use base64::Engine as _;
                base64::engine::general_purpose::URL_SAFE_NO_PAD
                    .decode(text)
                    .ok()
                    .and_then(|bytes| bytes.try_into().ok())
                    .map($name)
                    .ok_or(crate::canonical::NotAnId($what))
            }
        }

        impl TryFrom<String> for $name {
            type Error = crate::canonical::NotAnId;

            fn try_from(text: String) -> Result<$name, crate::canonical::NotAnId> {
                text.parse()
            }
        }
    };
}
pub(crate) use base64url;

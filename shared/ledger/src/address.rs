//! Who a recipient is: one key for every spelling of an address, and an id that does not reveal the address.
//!
//! The key decides which events belong to one person, so its rules (version 1) are frozen: they stand in every
//! identity. Plus tags and dots stay, since outside a few providers they are different mailboxes.

use crate::canonical::{Canonical, base64url};
use crate::server::ServerId;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use unicode_normalization::UnicodeNormalization;

/// The version of the rules below; part of every recipient id.
pub const KEY_VERSION: i64 = 1;

/// The recipient key of an address as Postmark wrote it.
///
/// A display name and angle brackets are stripped, white space trimmed, the rest split at its last `@`. The
/// domain loses one trailing dot and becomes lower-case A-labels by UTS-46; the local part becomes NFC, lower
/// case, NFC. What has no `@` or no valid domain (bounces of type `BadEmailAddress` do) becomes `!` and the
/// trimmed string in lower-case NFC: still one key, never a refusal.
pub fn recipient_key(address: &str) -> String {
    let bare = bare(address);
    if let Some((local, domain)) = bare.rsplit_once('@')
        && let Some(domain) = ascii_domain(domain)
    {
        return format!("{}@{domain}", lower_nfc(local));
    }
    format!("!{}", lower_nfc(bare))
}

/// The domain as lower-case A-labels, or `None` where it is not one.
pub(crate) fn ascii_domain(domain: &str) -> Option<String> {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    Uts46::new()
        .to_ascii(domain.as_bytes(), AsciiDenyList::URL, Hyphens::Allow, DnsLength::Verify)
        .ok()
        .map(|ascii| ascii.into_owned())
}

/// NFC, lower case without a locale, NFC again: lower-casing may leave a composable pair behind.
pub(crate) fn lower_nfc(text: &str) -> String {
    text.nfc().collect::<String>().to_lowercase().nfc().collect()
}

/// `"Ida" <ida@x>` without the name and the brackets.
fn bare(address: &str) -> &str {
    name_and_mailbox(address).1
}

/// `"Ida" <ida@x>` as its two halves; the name is empty where there is none. A `<` inside a quoted string opens nothing.
pub(crate) fn name_and_mailbox(address: &str) -> (&str, &str) {
    let address = address.trim();
    let Some(inner) = address.strip_suffix('>') else {
        return ("", address);
    };
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => return (&inner[..at], inner[at + 1..].trim()),
            _ => {}
        }
    }
    ("", address)
}

/// How many bytes a ledger key has.
pub const LEDGER_KEY_BYTES: usize = 32;

/// The secret under which a stack turns recipient keys into ids. Made once for a stack and never changed.
#[derive(Clone)]
pub struct LedgerKey(ring::hmac::Key);

impl LedgerKey {
    /// From the key's bytes; 32 random ones are meant.
    pub fn new(secret: &[u8]) -> LedgerKey {
        LedgerKey(ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret))
    }

    /// The bytes of the key of pure commands, of the embedded mode and of tests. They protect nothing.
    pub const BYTES_FOR_TESTS: [u8; LEDGER_KEY_BYTES] = *b"postledger/ledger-key/for-tests\0";

    /// The fixed key of pure commands, of the embedded mode and of tests. It protects nothing.
    pub fn for_tests() -> LedgerKey {
        LedgerKey::new(&Self::BYTES_FOR_TESTS)
    }

    /// What tells this key from another one without revealing it: 22 characters of base64url. Frozen: databases bear it.
    pub fn fingerprint(&self) -> String {
        let tag = ring::hmac::sign(&self.0, b"postledger/ledger-key/fingerprint/1");
        URL_SAFE_NO_PAD.encode(&tag.as_ref()[..16])
    }

    /// The id of a recipient key at a server: the first 16 bytes of HMAC-SHA256 over version, server and key.
    pub fn recipient_id(&self, server: ServerId, recipient_key: &str) -> RecipientId {
        let mut message = Canonical::default();
        message.integer(KEY_VERSION).integer(server.get()).string(recipient_key);
        let tag = ring::hmac::sign(&self.0, message.bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&tag.as_ref()[..16]);
        RecipientId(id)
    }
}

/// As it is kept: base64url without padding.
impl FromStr for LedgerKey {
    type Err = NotALedgerKey;

    fn from_str(text: &str) -> Result<LedgerKey, NotALedgerKey> {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim()).map_err(|_| NotALedgerKey)?;
        let bytes: [u8; LEDGER_KEY_BYTES] = bytes.try_into().map_err(|_| NotALedgerKey)?;
        Ok(LedgerKey::new(&bytes))
    }
}

/// Why a text is no ledger key. It never quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a ledger key: expected 43 characters of base64url")]
pub struct NotALedgerKey;

impl fmt::Debug for LedgerKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("LedgerKey(..)")
    }
}

/// A recipient as keys, tuples and logs name it: 16 bytes, written as 22 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct RecipientId(pub(crate) [u8; 16]);

base64url!(RecipientId, "recipient id");

#[cfg(test)]
mod tests {
    use super::*;

    /// Input, key. Frozen: a change here changes the identity of recorded events.
    const VECTORS: &[(&str, &str)] = &[
        ("ida.moreau@customer.example", "ida.moreau@customer.example"),
        // Upper case in both halves.
        ("Ida.Moreau@Customer.EXAMPLE", "ida.moreau@customer.example"),
        // White space, display name, brackets.
        ("  ida@customer.example\r\n", "ida@customer.example"),
        ("Ida Moreau <ida@customer.example>", "ida@customer.example"),
        ("\"Moreau, Ida <boss>\" <ida@customer.example>", "ida@customer.example"),
        ("<ida@customer.example>", "ida@customer.example"),
        ("\"a \\\" < b\" < ida@customer.example >", "ida@customer.example"),
        // Plus tags and dots are other mailboxes.
        ("ida+news@customer.example", "ida+news@customer.example"),
        ("i.d.a@customer.example", "i.d.a@customer.example"),
        // Quoted local parts keep their quotes; the last @ splits.
        ("\"ida moreau\"@customer.example", "\"ida moreau\"@customer.example"),
        ("\"a@b\"@customer.example", "\"a@b\"@customer.example"),
        ("<\"a<b\"@customer.example>", "\"a<b\"@customer.example"),
        // Internationalised domains, as U-label and A-label; sharp s is not ss.
        ("ida@bücher.example", "ida@xn--bcher-kva.example"),
        ("ida@XN--BCHER-KVA.example", "ida@xn--bcher-kva.example"),
        ("ida@straße.example", "ida@xn--strae-oqa.example"),
        ("ida@customer。example", "ida@customer.example"),
        ("ida@ＣＵＳＴＯＭＥＲ.example", "ida@customer.example"),
        // One trailing dot goes, two do not make a domain.
        ("ida@customer.example.", "ida@customer.example"),
        ("ida@customer.example..", "!ida@customer.example.."),
        // Local parts: Turkish capital dotted I, dotless i, sharp s, composed and decomposed accents.
        ("İDA@customer.example", "i̇da@customer.example"),
        ("ıda@customer.example", "ıda@customer.example"),
        ("IDA@customer.example", "ida@customer.example"),
        ("groß@customer.example", "groß@customer.example"),
        ("GROẞ@customer.example", "groß@customer.example"),
        ("ren\u{e9}@customer.example", "ren\u{e9}@customer.example"),
        ("rene\u{301}@customer.example", "ren\u{e9}@customer.example"),
        ("RENE\u{301}@customer.example", "ren\u{e9}@customer.example"),
        // NFC, not NFKC: a full-width letter in a local part is another letter.
        ("ｉda@customer.example", "ｉda@customer.example"),
        // Zero-width characters stay in a local part and vanish in a domain, as UTS-46 maps them.
        ("i\u{200b}da@customer.example", "i\u{200b}da@customer.example"),
        ("ida@cus\u{200b}tomer.example", "ida@customer.example"),
        ("ida@cus\u{ad}tomer.example", "ida@customer.example"),
        // A full-width commercial at is no @.
        ("ida＠customer.example", "!ida＠customer.example"),
        // Underscores and single labels occur; IP literals are no domains.
        ("ida@mail_1.example", "ida@mail_1.example"),
        ("root@localhost", "root@localhost"),
        ("ida@[192.0.2.1]", "!ida@[192.0.2.1]"),
        // What BadEmailAddress bounces bear.
        ("ida.customer.example", "!ida.customer.example"),
        ("IDA@", "!ida@"),
        ("ida@-_ .example", "!ida@-_ .example"),
        ("@customer.example", "@customer.example"),
        ("ida>", "!ida>"),
        ("", "!"),
    ];

    #[test]
    fn the_key_of_each_vector_is_as_published() {
        for (address, key) in VECTORS {
            assert_eq!(recipient_key(address), *key, "{address:?}");
        }
    }

    #[test]
    fn the_key_of_a_key_is_itself() {
        for (_, key) in VECTORS.iter().filter(|(_, key)| !key.starts_with('!')) {
            assert_eq!(recipient_key(key), *key);
        }
    }

    #[test]
    fn lengths_beyond_the_limits_of_smtp_still_have_a_key() {
        let local = "a".repeat(64);
        let domain = format!("{}.{}.{}.example", "b".repeat(63), "c".repeat(63), "d".repeat(53));
        let longest = format!("{local}@{domain}");
        assert_eq!((local.len(), longest.len()), (64, 254), "SMTP's limits, in octets");
        assert_eq!(recipient_key(&longest), longest);
        let longer = format!("{local}a@{domain}");
        assert_eq!(recipient_key(&longer), longer, "a local part of 65 octets is kept");
        let label = format!("ida@{}.example", "b".repeat(64));
        assert_eq!(recipient_key(&label), format!("!{label}"), "a label of 64 octets is no label");
        let name = format!("ida@{}", vec!["b"; 128].join("."));
        assert_eq!(recipient_key(&name), format!("!{name}"), "a name of over 253 octets is no name");
    }

    #[test]
    fn an_id_depends_on_server_key_and_secret() {
        let id = |secret: &[u8], server, key| {
            LedgerKey::new(secret).recipient_id(ServerId::new(server).unwrap(), key).to_string()
        };
        let base = id(b"one", 8_123_456, "ida@customer.example");
        assert_eq!(base.len(), 22);
        assert_ne!(base, id(b"two", 8_123_456, "ida@customer.example"));
        assert_ne!(base, id(b"one", 8_123_457, "ida@customer.example"));
        assert_ne!(base, id(b"one", 8_123_456, "ida@customer.exampl"));
    }

    #[test]
    fn a_ledger_key_is_read_as_it_is_kept() {
        let server = ServerId::new(8_123_456).unwrap();
        let text = URL_SAFE_NO_PAD.encode(LedgerKey::BYTES_FOR_TESTS);
        let key: LedgerKey = format!("{text}\n").parse().unwrap();
        assert_eq!(key.recipient_id(server, "x"), LedgerKey::for_tests().recipient_id(server, "x"));
        for other in ["", "x", &text[1..]] {
            assert_eq!(other.parse::<LedgerKey>().err(), Some(NotALedgerKey));
        }
    }

    #[test]
    fn a_fingerprint_is_pinned_and_another_keys_is_another() {
        assert_eq!(LedgerKey::for_tests().fingerprint(), "axaj_ORHbQXkpGrThiBPEg");
        assert_ne!(LedgerKey::new(b"another").fingerprint(), LedgerKey::for_tests().fingerprint());
    }

    #[test]
    fn the_test_keys_id_is_pinned() {
        let id = LedgerKey::for_tests()
            .recipient_id(ServerId::new(8_123_456).unwrap(), "ida.moreau@customer.example");
        assert_eq!(id.to_string(), "Md74F_1RgpqTyQ8rEES0bA");
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}

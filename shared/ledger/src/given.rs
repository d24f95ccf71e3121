//! A recipient as people and files give it: an address, or `id:` and an id. It is understood, or refused with the
//! reason; nothing is guessed.
//!
//! Events keep the address as Postmark reports it, however odd ([`recipient_key`]). This module is stricter: a person may
//! ask about, decide about or import only an address that is one mailbox, to which mail can be sent.
//!
//! **What is removed**, and reported by [`Address::cleaned`]:
//! - white space of any kind at the ends (ASCII white space is not reported);
//! - invisible characters anywhere: all that Unicode calls `Default_Ignorable_Code_Point`, such as zero-width spaces and joiners, soft hyphens, byte order marks, marks of direction, variation selectors, tags. A
//!   joiner stays in a domain that is valid only with it;
//! - the apostrophe by which spreadsheets keep `=`, `+` or `-` at the beginning of a cell from being a formula.
//!
//! **What is refused**: every other control character, characters that are not text, signs and altered forms of letters
//! (such as full-width ones) in a local part, a domain of one label (usually cut off by a delimiter), patterns,
//! percent-encoding, `mailto:`, and more than one address.
//!
//! **One mailbox may be spelled in several ways** (RFC 5321, section 4.1.2): `gone@x` and `"gone"@x`, `"a\b"@x` and
//! `"ab"@x`. And Postmark may have reported the address with the removed characters. [`Address::keys`] are the keys of all
//! these spellings. A question about a mailbox looks up each of them, and the strictest answer counts.

use crate::address::{LedgerKey, RecipientId, ascii_domain, lower_nfc, name_and_mailbox, recipient_key};
use crate::server::ServerId;
use std::fmt;
use std::str::FromStr;
use unicode_normalization::UnicodeNormalization;

/// The longest address that SMTP carries, in octets.
pub const ADDRESS_BYTES_MAX: usize = 254;
/// The longest local part that SMTP carries, in octets.
pub const LOCAL_BYTES_MAX: usize = 64;
/// What names a recipient by its id.
const BY_ID: &str = "id:";
/// What links to a mailbox begin with.
const MAILTO: &str = "mailto:";
/// Why `ida%40x` is refused: it is what a path or a form makes of an address.
const PERCENT: &str = "the address is percent-encoded: write it in its normal form";

/// Unicode 16.0: the characters with the property `Default_Ignorable_Code_Point`. None of them is to be seen.
const INVISIBLE: [(char, char); 17] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{202a}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fff8}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// The zero-width joiner and non-joiner: some domains are registered with them.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];

/// Blocks of punctuation, symbols and spaces, which no mailbox is named by. In a local part they come from word
/// processors: quotes and dashes that were made pretty.
const SIGNS: [(char, char); 6] = [
    ('\u{a0}', '\u{bf}'),
    ('\u{d7}', '\u{d7}'),
    ('\u{f7}', '\u{f7}'),
    ('\u{2000}', '\u{2bff}'),
    ('\u{2e00}', '\u{2e7f}'),
    ('\u{3000}', '\u{3020}'),
];

/// What is no text: marks of annotation, the sign for what could not be decoded, private use. Of each plane the last two
/// are no characters, which [`is_no_text`] sees to.
const NO_TEXT: [(char, char); 4] = [
    ('\u{fff9}', '\u{fffd}'),
    ('\u{e000}', '\u{f8ff}'),
    ('\u{fdd0}', '\u{fdef}'),
    ('\u{f0000}', '\u{10ffff}'),
];

fn within(ranges: &[(char, char)], c: char) -> bool {
    ranges.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

/// Whether a character is not to be seen, wherever it stands: Unicode's `Default_Ignorable_Code_Point`.
pub fn is_invisible(c: char) -> bool {
    !c.is_ascii() && within(&INVISIBLE, c)
}

fn is_no_text(c: char) -> bool {
    !c.is_ascii() && (within(&NO_TEXT, c) || u32::from(c) & 0xfffe == 0xfffe)
}

/// Why what was given is no recipient. It never quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotARecipient(&'static str);

impl NotARecipient {
    /// The reason, in words.
    pub const fn reason(self) -> &'static str {
        self.0
    }
}

const fn refused<T>(reason: &'static str) -> Result<T, NotARecipient> {
    Err(NotARecipient(reason))
}

/// An address that mail can be sent to: one mailbox, in SMTP's limits, at a domain.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    text: String,
    keys: Vec<String>,
    cleaned: bool,
    usual: bool,
}

/// It shows no address, so that none gets into a log by mistake.
impl fmt::Debug for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Address(..)")
    }
}

impl Address {
    /// The address that was understood: without a display name, brackets, and what is taken out.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether something was taken out that is not to be seen, so that this is not what was given.
    pub const fn cleaned(&self) -> bool {
        self.cleaned
    }

    /// Its recipient key.
    pub fn key(&self) -> &str {
        &self.keys[0]
    }

    /// The recipient keys of every spelling of the same mailbox, its own first: with quotes and without them, and as it
    /// was given where that differs. Each stands there once.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// Whether it is spelled as nearly every address is: with plain dots, without quotes, nothing taken out.
    pub const fn is_usual(&self) -> bool {
        self.usual
    }

    /// The other spellings that an answer lists: those under which something is recorded (by their place among the
    /// keys), and all of them if the address is spelled in an unusual way.
    pub fn also_asked(&self, recorded: impl Fn(usize) -> bool) -> Vec<&str> {
        let others =
            self.keys.iter().enumerate().skip(1).filter(|(place, _)| !self.usual || recorded(*place));
        others.map(|(_, key)| key.trim_start_matches('!')).collect()
    }
}

impl FromStr for Address {
    type Err = NotARecipient;

    fn from_str(given: &str) -> Result<Address, NotARecipient> {
        let seen: String = given.chars().filter(|c| !is_invisible(*c)).collect();
        let seen = seen.trim();
        let bare = unguarded(seen);
        let (local, domain) = halves(bare)?;
        let joined = joined_domain(given);
        let domain = joined.as_deref().unwrap_or(domain);
        let Some(ascii) = ascii_domain(domain).filter(|ascii| is_mailed_to(ascii)) else {
            return refused("the address has no valid domain");
        };
        if local.starts_with("=?") && local.ends_with("?=") {
            return refused("the address is encoded as in the header of a mail: write it in its normal form");
        }
        let Local { spelled, other, plain } = Local::of(local)?;
        if spelled.len() > LOCAL_BYTES_MAX {
            return refused("the local part is longer than 64 octets");
        }
        let text = format!("{spelled}@{domain}");
        if text.len() > ADDRESS_BYTES_MAX {
            return refused("the address is longer than 254 octets");
        }
        let key = |local: &str| format!("{}@{ascii}", lower_nfc(local));
        let mut keys: Vec<String> =
            [Some(&spelled), other.as_ref()].into_iter().flatten().map(|local| key(local)).collect();
        let invisible = |text: &str| text.chars().filter(|c| is_invisible(*c)).count();
        let cleaned = bare.len() < seen.len()
            || invisible(given) > invisible(&text)
            || given.trim().len() < given.trim_ascii().len();
        if cleaned || spelled != local {
            let as_given = recipient_key(given);
            if !keys.contains(&as_given) {
                keys.push(as_given);
            }
        }
        let usual = plain && keys.len() == 2 && !cleaned;
        Ok(Address { text, keys, cleaned, usual })
    }
}

/// A cell without the apostrophe by which a spreadsheet keeps it from being a formula.
fn unguarded(text: &str) -> &str {
    text.strip_prefix('\'').filter(|cell| cell.starts_with(['=', '+', '-'])).unwrap_or(text)
}

/// The local part and the domain of the one address in a text.
fn halves(text: &str) -> Result<(&str, &str), NotARecipient> {
    if text.chars().any(char::is_control) {
        return refused("the address has control characters");
    }
    if text.chars().any(is_no_text) {
        return refused("the address has characters that are not text");
    }
    if ['"', '\'', '`']
        .into_iter()
        .any(|quote| text.len() > 1 && text.starts_with(quote) && text.ends_with(quote))
    {
        return refused("the address is in quotes: leave them out");
    }
    let (name, mailbox) = name_and_mailbox(text);
    if mailbox.is_empty() {
        return refused("the address is empty");
    }
    // The prefix is ASCII, so it ends where a character does.
    if mailbox.get(..MAILTO.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(MAILTO)) {
        return refused("the address begins with mailto: leave that out");
    }
    let Some((local, domain)) = mailbox.rsplit_once('@') else {
        return refused(match mailbox {
            _ if mailbox.to_ascii_lowercase().contains("%40") => PERCENT,
            _ if mailbox.parse::<RecipientId>().is_ok() => {
                "the address has no @: write an id as id: and the id"
            }
            _ => "the address has no @",
        });
    };
    if unquoted(name).contains('@') || unquoted(local).contains('@') {
        return refused("more than one address");
    }
    Ok((local, domain))
}

/// What stands outside of quotes.
fn unquoted(text: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    let outside = |c: &char| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return !quoted,
        }
        false
    };
    text.chars().filter(outside).collect()
}

/// The domain with its joiners, where it has some and is a domain with them: names in Persian or in Hindi may be.
fn joined_domain(given: &str) -> Option<String> {
    if !given.contains(JOINERS) {
        return None;
    }
    let kept: String = given.chars().filter(|c| !is_invisible(*c) || JOINERS.contains(c)).collect();
    let (_, domain) = name_and_mailbox(&kept).1.rsplit_once('@')?;
    (domain.contains(JOINERS) && ascii_domain(domain).is_some()).then(|| domain.to_owned())
}

/// Whether mail can be sent to a domain of A-labels: names of hosts, of two labels at least, the last not a number.
fn is_mailed_to(ascii: &str) -> bool {
    let labels: Vec<&str> = ascii.trim_end_matches('.').split('.').collect();
    let hyphened = |label: &&str| label.starts_with('-') || label.ends_with('-');
    let number = |label: &&str| label.bytes().all(|byte| byte.is_ascii_digit());
    ascii.chars().all(is_of_a_host)
        && labels.len() > 1
        && !labels.iter().any(hyphened)
        && !labels.last().is_some_and(number)
}

/// Whether it may stand in the name of a host. The key's labels are ASCII; UTS-46 lets more through.
const fn is_of_a_host(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// A local part that was understood.
struct Local {
    /// As it was given, without unnecessary quoted pairs.
    spelled: String,
    /// With quotes if it was given without, and without quotes if that is possible.
    other: Option<String>,
    /// Whether it has no quotes, and dots only between other characters.
    plain: bool,
}

impl Local {
    fn of(local: &str) -> Result<Local, NotARecipient> {
        let within = local.strip_prefix('"').map(|rest| rest.strip_suffix('"').and_then(content));
        let content = match within {
            Some(None) => {
                return refused("the local part has a quote that is not closed, or text beside its quotes");
            }
            Some(Some(content)) => content,
            None if bare(local) => local.to_owned(),
            None if local.is_empty() => return refused("the address has nothing before its @"),
            None => return refused("the local part has characters that must be quoted"),
        };
        fit(&content)?;
        let quoted = format!("\"{}\"", content.replace('\\', "\\\\").replace('"', "\\\""));
        let quotes = local.starts_with('"');
        let plain = !quotes && content.split('.').all(|part| !part.is_empty());
        let (spelled, other) =
            if quotes { (quoted, bare(&content).then_some(content)) } else { (content, Some(quoted)) };
        Ok(Local { spelled, other, plain })
    }
}

/// What stands between quotes, without the marks of quoted pairs; `None` where a quote ends it before its end.
fn content(within: &str) -> Option<String> {
    let (mut content, mut characters) = (String::new(), within.chars());
    while let Some(c) = characters.next() {
        match c {
            '"' => return None,
            '\\' => content.push(characters.next()?),
            c => content.push(c),
        }
    }
    Some(content)
}

/// Whether a local part can be written without quotes. Dots may stand anywhere: such mailboxes exist, against the
/// letter of the rules.
fn bare(local: &str) -> bool {
    !local.is_empty() && !local.chars().any(|c| c.is_whitespace() || "()<>[]:;,\\\"@".contains(c))
}

/// That the content of a local part can be what a mailbox is called.
fn fit(content: &str) -> Result<(), NotARecipient> {
    if content.trim().is_empty() {
        return refused("the address has nothing before its @");
    }
    if content.contains('*') || content.chars().all(|c| matches!(c, '%' | '?')) {
        return refused("the address is a pattern, or masked");
    }
    let hex = |byte: &u8| byte.is_ascii_hexdigit();
    if content.as_bytes().windows(3).any(|three| three[0] == b'%' && three[1..].iter().all(hex)) {
        return refused(PERCENT);
    }
    if content.chars().any(|c| !c.is_ascii() && within(&SIGNS, c)) {
        return refused("the local part has punctuation or symbols that no mailbox has");
    }
    if !content.nfkc().eq(content.nfc()) {
        return refused("the local part has full-width or otherwise altered letters: write plain ones");
    }
    Ok(())
}

/// A recipient as a person or a path names it: by an address, or by its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// `id:` and the id.
    Id(RecipientId),
    /// An address.
    Address(Address),
}

impl Recipient {
    /// Its ids at a server, one for each spelling of the mailbox, that of its own first; or the one that is named.
    pub fn ids(&self, key: &LedgerKey, server: ServerId) -> Vec<RecipientId> {
        match self {
            Recipient::Id(id) => vec![*id],
            Recipient::Address(address) => {
                address.keys.iter().map(|spelling| key.recipient_id(server, spelling)).collect()
            }
        }
    }

    /// The address, where that is what was given.
    pub const fn address(&self) -> Option<&Address> {
        match self {
            Recipient::Id(_) => None,
            Recipient::Address(address) => Some(address),
        }
    }
}

impl FromStr for Recipient {
    type Err = NotARecipient;

    fn from_str(given: &str) -> Result<Recipient, NotARecipient> {
        match given.trim().strip_prefix(BY_ID) {
            Some(id) => match id.parse() {
                Ok(id) => Ok(Recipient::Id(id)),
                Err(_) => {
                    refused("this is not a recipient's id: expected id: and 22 characters of base64url")
                }
            },
            None => given.parse().map(Recipient::Address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(given: &str) -> Address {
        given.parse().unwrap_or_else(|error| panic!("{given:?}: {error}"))
    }

    fn reason(given: &str) -> &'static str {
        given.parse::<Address>().map_or_else(NotARecipient::reason, |_| "understood")
    }

    #[test]
    fn one_mailbox_is_understood_without_its_name_brackets_and_white_space() {
        let local = "a".repeat(64);
        let domain = format!("{}.{}.{}.example", "b".repeat(63), "c".repeat(63), "d".repeat(53));
        let longest = format!("{local}@{domain}");
        for (given, text) in [
            ("ida.moreau@customer.example", "ida.moreau@customer.example"),
            (" Ida.Moreau@Customer.EXAMPLE\r\n", "Ida.Moreau@Customer.EXAMPLE"),
            ("Ida Moreau <ida@customer.example>", "ida@customer.example"),
            ("Moreau, Ida < ida@customer.example >", "ida@customer.example"),
            ("\"Moreau, Ida @ home\" <ida@customer.example>", "ida@customer.example"),
            ("\"ida@customer.example\" <ida@customer.example>", "ida@customer.example"),
            ("<ida@customer.example>", "ida@customer.example"),
            ("ida+news@customer.example", "ida+news@customer.example"),
            ("+ida@customer.example", "+ida@customer.example"),
            ("'ida'@customer.example", "'ida'@customer.example"),
            ("o'neil@customer.example", "o'neil@customer.example"),
            ("a/b@customer.example", "a/b@customer.example"),
            ("100%ida@customer.example", "100%ida@customer.example"),
            ("50%@customer.example", "50%@customer.example"),
            ("\"ida moreau\"@customer.example", "\"ida moreau\"@customer.example"),
            ("\"a@b, c\\\"\"@customer.example", "\"a@b, c\\\"\"@customer.example"),
            (".ida..@customer.example", ".ida..@customer.example"),
            ("ren\u{e9}@b\u{fc}cher.example", "ren\u{e9}@b\u{fc}cher.example"),
            ("\u{592a}\u{90ce}@\u{4f8b}\u{3048}.example", "\u{592a}\u{90ce}@\u{4f8b}\u{3048}.example"),
            ("ida@customer.example.", "ida@customer.example."),
            ("ida@mail_1.example", "ida@mail_1.example"),
            (&longest, &longest),
        ] {
            let address = read(given);
            assert_eq!((address.text(), address.cleaned()), (text, false), "{given}");
            assert_eq!(address.key(), recipient_key(given), "{given}");
            assert!(!address.key().starts_with('!'), "{given}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        let local = "a".repeat(64);
        let domain = format!("{}.{}.{}.example", "b".repeat(63), "c".repeat(63), "d".repeat(53));
        const NO_DOMAIN: &str = "the address has no valid domain";
        const SEVERAL: &str = "more than one address";
        const QUOTED: &str = "the local part has characters that must be quoted";
        const OPEN: &str = "the local part has a quote that is not closed, or text beside its quotes";
        const PATTERN: &str = "the address is a pattern, or masked";
        const ALTERED: &str = "the local part has full-width or otherwise altered letters: write plain ones";
        const SIGN: &str = "the local part has punctuation or symbols that no mailbox has";
        const CONTROL: &str = "the address has control characters";
        const NOTHING: &str = "the address has nothing before its @";
        const NO_TEXT: &str = "the address has characters that are not text";
        const STANDS: &str = "the address is in quotes: leave them out";
        for (given, expected) in [
            ("", "the address is empty"),
            (" \t\r\n", "the address is empty"),
            ("\u{200b}\u{feff}", "the address is empty"),
            ("Ida <>", "the address is empty"),
            ("ida\u{0}@customer.example", CONTROL),
            ("ida@customer.example\nbcc@customer.example", CONTROL),
            ("ida\u{85}@customer.example", CONTROL),
            ("ida\u{1b}[31m@customer.example", CONTROL),
            ("not-an-address", "the address has no @"),
            ("ida.customer.example", "the address has no @"),
            ("ida\u{ff20}customer.example", "the address has no @"),
            ("Md74F_1RgpqTyQ8rEES0bA", "the address has no @: write an id as id: and the id"),
            ("john%40customer.example", PERCENT),
            ("john%2Bnews@customer.example", PERCENT),
            ("john%40customer.example@relay.example", PERCENT),
            ("mailto:ida@customer.example", "the address begins with mailto: leave that out"),
            ("<MAILTO:ida@customer.example>", "the address begins with mailto: leave that out"),
            ("\"ida@customer.example\"", STANDS),
            ("'ida@customer.example'", STANDS),
            ("@customer.example", NOTHING),
            ("\"\"@customer.example", NOTHING),
            ("\" \"@customer.example", NOTHING),
            ("ida@", NO_DOMAIN),
            ("root@localhost", NO_DOMAIN),
            ("ida@customer,example", NO_DOMAIN),
            ("ida@customer", NO_DOMAIN),
            ("ida@-customer.example", NO_DOMAIN),
            ("ida@customer-.example", NO_DOMAIN),
            ("ida@192.0.2.1", NO_DOMAIN),
            (
                "=?utf-8?q?ida?=@customer.example",
                "the address is encoded as in the header of a mail: write it in its normal form",
            ),
            ("ida@customer.example/", NO_DOMAIN),
            ("ida@customer.example/timeline", NO_DOMAIN),
            ("ida@customer..example", NO_DOMAIN),
            ("ida@customer.example..", NO_DOMAIN),
            ("ida@[192.0.2.1]", NO_DOMAIN),
            ("ida@*.example", NO_DOMAIN),
            ("ida@customer.example,", NO_DOMAIN),
            ("ida@customer.example;bob", NO_DOMAIN),
            ("ida@customer example", NO_DOMAIN),
            ("ida@customer.example>", NO_DOMAIN),
            ("ida@customer!.example", NO_DOMAIN),
            ("ida@customer.example?subject=x", NO_DOMAIN),
            ("ida@customer.example, bob@customer.example", SEVERAL),
            ("ida@customer.example;bob@customer.example", SEVERAL),
            ("ida@customer.example bob@customer.example", SEVERAL),
            ("<ida@customer.example> <bob@customer.example>", SEVERAL),
            ("ida@customer.example, Bob <bob@customer.example>", SEVERAL),
            ("ida@customer.example <bob@customer.example>", SEVERAL),
            ("ida@@customer.example", SEVERAL),
            ("ida moreau@customer.example", QUOTED),
            ("ida @customer.example", QUOTED),
            ("ida,@customer.example", QUOTED),
            ("ida\\@customer.example", QUOTED),
            ("id:ida@customer.example", QUOTED),
            ("ida\"b\"@customer.example", QUOTED),
            ("\"ida@customer.example", OPEN),
            ("\"ida\"b@customer.example", OPEN),
            ("\"ida\".b@customer.example", OPEN),
            ("\"ida\\\"@customer.example", OPEN),
            ("*@customer.example", PATTERN),
            ("i***@customer.example", PATTERN),
            ("\"*\"@customer.example", PATTERN),
            ("%@customer.example", PATTERN),
            ("%%@customer.example", PATTERN),
            ("??@customer.example", PATTERN),
            ("\u{ff49}da@customer.example", ALTERED),
            ("ida\u{ff20}b@customer.example", ALTERED),
            ("ida\u{2460}@customer.example", SIGN),
            ("\u{fb01}da@customer.example", ALTERED),
            ("\u{201c}ida..b\u{201d}@customer.example", SIGN),
            ("o\u{2019}neil@customer.example", SIGN),
            ("jean\u{2013}luc@customer.example", SIGN),
            ("ida\u{2800}@customer.example", SIGN),
            ("\"ida\u{a0}b\"@customer.example", SIGN),
            ("ida\u{a0}b@customer.example", QUOTED),
            ("id\u{fffd}@customer.example", NO_TEXT),
            ("ida\u{fffe}@customer.example", NO_TEXT),
            ("ida\u{fff9}@customer.example", NO_TEXT),
            ("ida\u{e000}@customer.example", NO_TEXT),
            (&format!("{local}a@customer.example"), "the local part is longer than 64 octets"),
            (&format!("{}@customer.example", "\u{e9}".repeat(33)), "the local part is longer than 64 octets"),
            (&format!("{local}@e.{domain}"), "the address is longer than 254 octets"),
            (&"@".repeat(100_000), SEVERAL),
        ] {
            assert_eq!(reason(given), expected, "{given:?}");
        }
    }

    #[test]
    fn what_is_not_to_be_seen_is_taken_out_wherever_it_stands() {
        let meant = "gone@customer.example";
        for (first, last) in INVISIBLE {
            for c in [first, last] {
                for given in [
                    format!("{c}{meant}"),
                    format!("{meant}{c}"),
                    format!(" {c} {meant} {c} "),
                    format!("go{c}{c}ne@customer.example"),
                    format!("gone{c}@customer.example"),
                    format!("gone@{c}customer.example"),
                    format!("gone@cust{c}omer.example"),
                    format!("<{c}gone@customer.example{c}>"),
                    format!("Go Ne <gone{c}@customer.example>"),
                ] {
                    let address = read(&given);
                    assert_eq!((address.text(), address.key()), (meant, meant), "{given:?}");
                    assert!(address.cleaned() && !address.is_usual(), "{given:?}");
                    let as_given = recipient_key(&given);
                    assert!(address.keys().contains(&as_given), "{given:?}: Postmark may have told of it so");
                }
            }
        }
        for space in ['\u{a0}', '\u{2003}', '\u{202f}', '\u{3000}'] {
            assert!(read(&format!("{space}{meant}")).cleaned());
            assert!(read(&format!("{meant} {space}")).cleaned());
        }
        assert_eq!(
            reason("go\u{200b} ne@customer.example"),
            "the local part has characters that must be quoted"
        );
    }

    #[test]
    fn a_joiner_stays_in_a_domain_that_is_one_only_with_it() {
        // Persian, where the non-joiner parts two letters of one word, and Devanagari behind a virama.
        for domain in [
            "\u{646}\u{627}\u{645}\u{647}\u{200c}\u{627}\u{6cc}.example",
            "\u{915}\u{94d}\u{200d}\u{937}.example",
        ] {
            let given = format!("ida@{domain}");
            let address = read(&given);
            assert_eq!((address.text(), address.cleaned()), (&*given, false));
            assert_eq!(address.key(), recipient_key(&given));
            let address = read(&format!("i\u{200d}da@{domain}"));
            assert_eq!((address.text(), address.cleaned()), (&*given, true));
            assert_eq!(address.keys().len(), 3);
        }
        // Where no domain may have it, it is a slip.
        assert_eq!(read("ida@custo\u{200c}mer.example").text(), "ida@customer.example");
    }

    #[test]
    fn the_apostrophe_of_a_spreadsheet_is_taken_out_and_that_of_a_name_is_not() {
        for cell in ["'-dash@customer.example", "'+plus@customer.example", "'=x@customer.example"] {
            let address = read(cell);
            assert_eq!((address.text(), address.cleaned()), (&cell[1..], true));
            assert_eq!(address.keys().last().unwrap(), cell);
        }
        assert_eq!(read("'ida@customer.example").text(), "'ida@customer.example");
        assert_eq!(read("-dash@customer.example").text(), "-dash@customer.example");
    }

    #[test]
    fn the_spellings_of_one_mailbox_are_known_whichever_is_given() {
        for (given, keys) in [
            ("gone@x.example", &["gone@x.example", "\"gone\"@x.example"][..]),
            ("\"Gone\"@X.example", &["\"gone\"@x.example", "gone@x.example"]),
            ("taro..yama.@x.example", &["taro..yama.@x.example", "\"taro..yama.\"@x.example"]),
            ("\"taro..yama.\"@x.example", &["\"taro..yama.\"@x.example", "taro..yama.@x.example"]),
            ("\"a\\b\"@x.example", &["\"ab\"@x.example", "ab@x.example", "\"a\\b\"@x.example"]),
            ("\"a\\\"b\"@x.example", &["\"a\\\"b\"@x.example"]),
            ("\"a\\\\b\"@x.example", &["\"a\\\\b\"@x.example"]),
            ("\"a b\"@x.example", &["\"a b\"@x.example"]),
            ("\"a\\ b\"@x.example", &["\"a b\"@x.example", "\"a\\ b\"@x.example"]),
            (
                "\"go\u{ad}ne\"@x.example",
                &["\"gone\"@x.example", "gone@x.example", "\"go\u{ad}ne\"@x.example"],
            ),
            ("\"a@b\"@x.example", &["\"a@b\"@x.example"]),
        ] {
            assert_eq!(read(given).keys(), keys, "{given}");
        }
        for (given, usual) in [
            ("Ida <gone@x.example>", true),
            ("\"gone\"@x.example", false),
            ("go..ne@x.example", false),
            (".gone@x.example", false),
            ("gone\u{200b}@x.example", false),
        ] {
            assert_eq!(read(given).is_usual(), usual, "{given}");
        }
    }

    #[test]
    fn a_recipient_is_an_address_or_an_id_and_a_wrong_id_is_no_address() {
        let id = "Md74F_1RgpqTyQ8rEES0bA";
        assert_eq!(format!(" id:{id}\n").parse(), Ok(Recipient::Id(id.parse().unwrap())));
        assert_eq!("ida@x.example".parse(), Ok(Recipient::Address(read("ida@x.example"))));
        for given in [
            "id:",
            "id:x",
            "id:ida@x.example",
            &format!("id:{id}/"),
            &format!("id:{id}A"),
            &format!("id: {id}"),
        ] {
            let error = given.parse::<Recipient>().unwrap_err();
            assert_eq!(
                error.reason(),
                "this is not a recipient's id: expected id: and 22 characters of base64url",
                "{given}"
            );
        }
        for given in [id.to_owned(), format!("ID:{id}"), String::new(), format!("\u{feff}id{id}")] {
            assert!(given.parse::<Recipient>().is_err(), "{given}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_given_its_own_text_reads_the_same_and_each_key_leads_to_one_mailbox(
            given in "[ <\"]{0,2}[a-c.\\\\\" @\u{200b}\u{ad}\u{200c}'%é]{0,8}@[a-c.\u{200d}]{1,6}[>\" ]{0,2}"
        ) {
            let Ok(address) = given.parse::<Address>() else { return Ok(()) };
            let again = read(address.text());
            prop_assert_eq!(again.text(), address.text());
            prop_assert_eq!(again.key(), address.key());
            prop_assert!(!again.cleaned());
            prop_assert_eq!(recipient_key(address.text()), address.key());
            prop_assert!(address.keys().contains(&recipient_key(&given)));
            // The two ways of writing it ask for the same two.
            for key in &again.keys()[1..] {
                let other = read(key);
                let sorted = |address: &Address| { let mut keys = address.keys().to_vec(); keys.sort(); keys };
                prop_assert_eq!(sorted(&other), sorted(&again));
            }
        }
    }
}

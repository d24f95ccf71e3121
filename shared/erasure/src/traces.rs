//! Whatever in a body may name a person: for bodies that nobody understands.
//!
//! It rather finds too much than too little: what it finds counts only where it is the address of somebody known. What
//! it looks at is bounded, however a body is made; a body with more than that cannot be searched to its end, and that is
//! told.
//!
//! What counts as naming somebody:
//! - an address, as the body stands or with up to [`DEPTH_MAX`] layers of encoding undone;
//! - its two halves, each a word somewhere in the body: `{"user":"ida","domain":"x.example"}`.

use crate::decode::{DECODERS, as_texts};
use ledger::given::is_invisible;
use ledger::{ServerId, recipient_key};
use std::collections::{BTreeSet, HashSet};
use unicode_normalization::UnicodeNormalization;

/// How many layers of encoding are undone: two of any kind, inside a string of JSON.
pub(crate) const DEPTH_MAX: usize = 3;
/// How many bytes are read in all, decoded ones included.
const BYTES_MAX: usize = 128 * 1024 * 1024;
/// How many different addresses there may be.
const KEYS_MAX: usize = 1 << 16;
/// How many different words there may be.
const WORDS_MAX: usize = 1 << 17;
/// How often it is asked who somebody is.
const LOOKUPS_MAX: usize = 1 << 20;
/// The longest half of an address that is looked at, in bytes: far longer than mail allows.
const HALF_BYTES_MAX: usize = 256;
/// How many beginnings of the left half, and how many ends of the right one, are tried.
const BOUNDS_MAX: usize = 24;

/// What a body holds that may name a person.
#[derive(Default)]
pub(crate) struct Traces {
    /// The keys of what may be an address.
    keys: HashSet<String>,
    /// What may be a local part.
    words: HashSet<String>,
    /// What may be a domain.
    domains: HashSet<String>,
    /// The servers whose ids stand in it.
    servers: BTreeSet<ServerId>,
    /// How many bytes were read.
    bytes: usize,
}

/// There is more in a body than is looked at.
pub(crate) struct TooMuch;

impl Traces {
    /// What there is in a body.
    pub(crate) fn of(body: &[u8]) -> Result<Traces, TooMuch> {
        let mut traces = Traces::default();
        traces.layer(body, 0)?;
        Ok(traces)
    }

    /// Of the known servers those whose people may be meant: the body's own and those whose ids stand in it; all of them
    /// where nothing tells whose it is.
    pub(crate) fn meant(&self, known: &BTreeSet<ServerId>, own: ServerId) -> Vec<ServerId> {
        let meant =
            |server: &&ServerId| own == ServerId::NONE || **server == own || self.servers.contains(server);
        known.iter().filter(meant).copied().collect()
    }

    /// Whether one of the servers' people is named.
    pub(crate) fn name(
        &self,
        servers: &[ServerId],
        is_wanted: impl Fn(ServerId, &str) -> bool,
    ) -> Result<bool, TooMuch> {
        let pairs = self.words.len().saturating_mul(self.domains.len());
        if servers.len().saturating_mul(pairs.saturating_add(self.keys.len())) > LOOKUPS_MAX {
            return Err(TooMuch);
        }
        let of_domains = |word: &String| (!self.domains.is_empty()).then(|| local(word));
        let locals: HashSet<String> = self.words.iter().filter_map(of_domains).collect();
        let mut pair = String::new();
        for server in servers {
            if self.keys.iter().any(|key| is_wanted(*server, key)) {
                return Ok(true);
            }
            for domain in &self.domains {
                for local in &locals {
                    pair.clear();
                    pair.extend([local, "@", domain]);
                    if is_wanted(*server, &pair) {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }

    /// Reads some bytes, and what they are with one layer of encoding undone; likewise in the form in which they are
    /// seen.
    fn layer(&mut self, bytes: &[u8], depth: usize) -> Result<(), TooMuch> {
        for text in as_texts(bytes) {
            self.text(&text)?;
        }
        self.decoded(bytes, depth)?;
        let Some(plain) = plain(&String::from_utf8_lossy(bytes)) else { return Ok(()) };
        self.text(&plain)?;
        self.decoded(plain.as_bytes(), depth)
    }

    fn decoded(&mut self, bytes: &[u8], depth: usize) -> Result<(), TooMuch> {
        if depth == DEPTH_MAX {
            return Ok(());
        }
        let decoded = DECODERS.iter().filter_map(|decode| decode(bytes));
        decoded.into_iter().try_for_each(|decoded| self.layer(&decoded, depth + 1))
    }

    fn text(&mut self, text: &str) -> Result<(), TooMuch> {
        self.bytes += text.len();
        self.addresses(text);
        for run in text.split(never).filter(|run| !run.is_empty()) {
            self.word(run);
            run.split(|c: char| !(within(c) || matches!(c, '+' | '\''))).for_each(|piece| self.word(piece));
        }
        // A local part in quotes may have blanks in it.
        text.split('"').filter(|quoted| quoted.contains(' ')).for_each(|quoted| self.word(quoted));
        let over = self.bytes > BYTES_MAX || self.keys.len() > KEYS_MAX || self.words.len() > WORDS_MAX;
        if over { Err(TooMuch) } else { Ok(()) }
    }

    fn addresses(&mut self, text: &str) {
        for (at, _) in text.match_indices('@') {
            if self.keys.len() > KEYS_MAX {
                return;
            }
            let (before, after) = (&text[..at], &text[at + 1..]);
            let before = &before[before.ceil_char_boundary(before.len().saturating_sub(HALF_BYTES_MAX))..];
            let after = &after[..after.floor_char_boundary(HALF_BYTES_MAX)];
            let rights = rights(after);
            for left in quoted(before).into_iter().chain(lefts(before).map(str::to_owned)) {
                for right in &rights {
                    self.keys.insert(recipient_key(&format!("{left}@{right}")));
                }
            }
        }
    }

    /// Takes a word for what it may be: a local part, a domain, a server's id.
    fn word(&mut self, word: &str) {
        if word.len() > HALF_BYTES_MAX || self.words.len() > WORDS_MAX {
            return;
        }
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        for word in [word, word.trim(), bare] {
            if !word.is_empty() && !self.words.contains(word) {
                self.words.insert(word.to_owned());
            }
        }
        if bare.bytes().all(|byte| byte.is_ascii_digit()) {
            self.servers.extend(bare.parse::<ServerId>().ok());
        } else if bare
            .rsplit(is_dot)
            .next()
            .is_some_and(|last| last.len() < bare.len() && begins_as_domain(last))
        {
            let key = recipient_key(&format!("x@{bare}"));
            self.domains.extend(key.strip_prefix("x@").map(str::to_owned));
        }
    }
}

/// A word as the local half of a key.
fn local(word: &str) -> String {
    let key = recipient_key(&format!("{word}@x.example"));
    key.rsplit_once('@').map_or_else(String::new, |(local, _)| local.to_owned())
}

/// Whether the last label of what may be a domain begins as one of a domain does: `index.1` and `7.5` are none.
fn begins_as_domain(label: &str) -> bool {
    label.chars().next().is_some_and(char::is_alphabetic) && label.chars().nth(1).is_some()
}

fn is_dot(c: char) -> bool {
    matches!(c, '.' | '\u{3002}')
}

/// What stands in no half of an address that is not in quotes.
fn never(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '@' | '<' | '>' | '"' | ',' | ';')
}

/// What may stand in a domain.
fn within(c: char) -> bool {
    c.is_alphanumeric() || is_dot(c) || matches!(c, '-' | '_') || (!c.is_ascii() && is_mark(c))
}

/// Whether a character only changes the one before it.
fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

/// What may be the local part: up to a character that none has, and from behind each sign or change of script in it,
/// since that may belong to it or stand before it.
fn lefts(before: &str) -> impl Iterator<Item = &str> {
    let start =
        before.rfind(never).map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let run = &before[start..];
    let behind = run.char_indices().filter(|(at, c)| {
        let next = run[at + c.len_utf8()..].bytes().next();
        !c.is_alphanumeric() || (!c.is_ascii() && next.is_some_and(|next| next.is_ascii()))
    });
    let behind = behind.map(|(at, c)| at + c.len_utf8());
    let mut starts: Vec<usize> = std::iter::once(0).chain(behind).collect();
    // The nearest ones: what lies further ahead is less and less of an address.
    starts.drain(1..starts.len().saturating_sub(BOUNDS_MAX).max(1));
    starts.into_iter().map(|start| &run[start..]).filter(|left| !left.is_empty())
}

/// The local part in quotes that a text ends with: as it stands, and without its quotes, which mean the same mailbox.
fn quoted(before: &str) -> Vec<String> {
    let Some(inner) = before.strip_suffix('"') else { return Vec::new() };
    let opens = inner.rmatch_indices('"').map(|(at, _)| at);
    let start = opens.into_iter().find(|at| !inner[..*at].ends_with('\\'));
    let Some(start) = start else { return Vec::new() };
    let (mut plain, mut escaped) = (String::new(), false);
    for c in inner[start + 1..].chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            plain.push(c);
            escaped = false;
        }
    }
    vec![before[start..].to_owned(), plain]
}

/// What may be the domain: up to a character that none has, and up to each dot or change of script in it.
fn rights(after: &str) -> Vec<&str> {
    let run = &after[..after.find(|c| !within(c)).unwrap_or(after.len())];
    let before_other = |at: usize| at > 0 && run.as_bytes()[at - 1].is_ascii();
    let ends = run.char_indices().filter(|(at, c)| is_dot(*c) || (!c.is_ascii() && before_other(*at)));
    ends.map(|(at, _)| at)
        .take(BOUNDS_MAX)
        .chain([run.len()])
        .map(|end| &run[..end])
        .filter(|right| !right.is_empty())
        .collect()
}

/// The text as it is read: one form for every way to write a character, without those that are not seen. `None` where
/// it is that already.
fn plain(text: &str) -> Option<String> {
    let is_plain = |c: char| matches!(c, ' '..='~' | '\t' | '\n' | '\r');
    if text.chars().all(is_plain) {
        return None;
    }
    Some(text.nfkc().filter(|c| !is_unseen(*c)).collect())
}

/// Whether a character is not seen, controls among them but for white space.
fn is_unseen(c: char) -> bool {
    is_invisible(c) || (c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(body: impl AsRef<[u8]>, wanted: &str) -> bool {
        let servers = [ServerId::NONE];
        let named =
            Traces::of(body.as_ref()).and_then(|traces| traces.name(&servers, |_, key| key == wanted));
        named.unwrap_or(true)
    }

    #[test]
    fn an_address_is_found_whatever_stands_around_it() {
        for body in [
            "ida@x.example",
            "<ida@x.example>",
            "mailto:ida@x.example?subject=1",
            "to=ida@x.example&b=1",
            "(ida@x.example)",
            "to ida@x.example.",
            "ida@x.example.Then",
            r#"\"ida@x.example\""#,
            r"\u0069da\u0040x\u002Eexample",
            r"a\nida@x.example\r\n",
            r"<ida@x.example\u003e",
            "\u{2014}ida@x.example\u{2014}",
            "max@y.example ida@x.example",
            "\"ida\"@x.example",
            r#"{"to":"\"i\\da\"@x.example"}"#,
            "i\u{ad}da\u{200b}@\u{feff}X.example",
            "\u{ff49}\u{ff44}\u{ff41}\u{ff20}x\u{3002}example",
            "ida @ x.example",
        ] {
            assert!(finds(body, "ida@x.example"), "{body}");
        }
        for body in ["\\u00", "ida(at)y.example @ @@ x@ .example", "adi@x.example", "idab@x.example"] {
            assert!(!finds(body, "ida@x.example"), "{body}");
        }
    }

    #[test]
    fn signs_and_letters_of_all_kinds_may_belong_to_it() {
        for address in
            ["o'ida+tag=1{x}/y@x.example", "id\u{e9}@xn--exmple-cua.example", "i.d-a_@a-b.c.example"]
        {
            assert!(finds(format!("{{\"Email\":\"{address}\"}}"), address), "{address}");
            let escaped: String = address.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            assert!(finds(&escaped, address), "{escaped}");
        }
        assert!(finds("id\u{65}\u{301}@exa\u{308}mple.example", "id\u{e9}@xn--exmple-cua.example"));
        assert!(finds(b"\xff\xfeida@x.example\xff", "ida@x.example"));
        assert!(finds(b"id\xe9@x.example", "id\u{e9}@x.example"), "Latin-1");
    }

    #[test]
    fn its_two_halves_are_found_wherever_each_of_them_stands() {
        for body in [
            r#"{"user":"gone","domain":"x.example"}"#,
            r#"{"domain":"X.Example","a":[{"user":"Gone"}]}"#,
            "user=gone&domain=x.example",
            "user=gone&domain=x%2Eexample",
            "<user>gone</user><host>x.example</host>",
            "local: gone\ndomain: @x.example",
            "gone at x.example",
            r#"["gone","x.example"]"#,
            r#"{"user":"Z29uZQ==","domain":"eC5leGFtcGxl"}"#,
        ] {
            assert!(finds(body, "gone@x.example"), "{body}");
        }
        assert!(finds(r#"{"user":"john doe","domain":"x.example"}"#, "john doe@x.example"));
        for body in [r#"{"user":"gone","domain":"y.example"}"#, r#"{"user":"bygone","domain":"x.example"}"#] {
            assert!(!finds(body, "gone@x.example"), "{body}");
        }
    }

    #[test]
    fn servers_are_meant_where_their_id_stands_in_it() {
        let (own, other, third) = (1, 22, 333);
        let [own, other, third] = [own, other, third].map(|id| ServerId::new(id).unwrap());
        let known = BTreeSet::from([own, other, third]);
        let traces = |body: &str| Traces::of(body.as_bytes()).ok().unwrap();
        assert_eq!(traces(r#"{"ServerID":22}"#).meant(&known, own), [own, other]);
        assert_eq!(traces("{}").meant(&known, own), [own]);
        assert_eq!(traces("{}").meant(&known, ServerId::NONE), [own, other, third]);
    }

    #[test]
    fn a_body_that_is_made_to_take_long_is_not_searched_to_its_end() {
        let signs = "a.b@".repeat(200_000);
        let words: String = (0..50_000).map(|n| format!("w{n} x{n}.example ")).collect();
        let addresses: String = (0..25_000).map(|n| format!("w{n}@x{n}.example ")).collect();
        for (body, searched) in [(&signs, true), (&words, false), (&addresses, false)] {
            let traces = Traces::of(body.as_bytes());
            let named = traces.and_then(|traces| traces.name(&[ServerId::NONE], |_, _| false));
            assert_eq!(named.is_ok(), searched);
        }
    }
}

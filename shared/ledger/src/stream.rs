//! What a message stream may be called: one rule for the door, the read API and the commands.
//!
//! Postmark's ids begin with a letter and have at most 30 characters. The rule is wider, so that no stream of Postmark's
//! is left out: a letter or digit, then letters, digits, `-`, `_` and `.`, all of them ASCII, [`STREAM_BYTES_MAX`] at
//! most. Such a name is one segment of a path, fits into keys and a terminal, and looks like no other name.
//!
//! An early release accepted other names. Events under such names stay recorded, and are part of every answer that does
//! not ask for a stream by name.

use crate::event::WHOLE_SERVER;

/// The longest name, in bytes.
pub const STREAM_BYTES_MAX: usize = 128;

/// Why a text is no stream's name. It does not quote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAStream {
    /// It can be the name of no stream.
    #[error(
        "not the id of a message stream: expected a letter or digit, then letters, digits, -, _ and ., at most \
         {STREAM_BYTES_MAX} in all"
    )]
    Name,
    /// It is neither that nor the whole server.
    #[error(
        "neither the id of a message stream nor * for the whole server: an id is a letter or digit, then letters, \
         digits, -, _ and ., at most {STREAM_BYTES_MAX} in all"
    )]
    Scope,
}

/// The name of a stream.
pub fn name(text: &str) -> Result<&str, NotAStream> {
    let first = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    let taken = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (first && text.len() <= STREAM_BYTES_MAX && text.chars().all(taken))
        .then_some(text)
        .ok_or(NotAStream::Name)
}

/// The name of a stream, or [`WHOLE_SERVER`]: what a ruling may be about.
pub fn scope(text: &str) -> Result<&str, NotAStream> {
    if text == WHOLE_SERVER { Ok(text) } else { name(text).map_err(|_| NotAStream::Scope) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postmarks_ids_are_names() {
        let longest = "a".repeat(STREAM_BYTES_MAX);
        for text in
            ["outbound", "broadcast", "inbound", "Broadcasts", "my-stream_2", "2026.q3", "7", &longest]
        {
            assert_eq!((name(text), scope(text)), (Ok(text), Ok(text)));
        }
    }

    #[test]
    fn what_no_path_key_or_terminal_should_bear_is_no_name() {
        let too_long = "a".repeat(STREAM_BYTES_MAX + 1);
        for text in [
            "",
            "*",
            "*server",
            "a*",
            "a#b",
            "a\0b",
            "..",
            ".",
            ".a",
            "-a",
            "_a",
            "a/b",
            "a b",
            " a",
            "a ",
            "a\n",
            "a%2fb",
            "a?b",
            "ä",
            "a\u{200b}b",
            "\u{feff}a",
            "а",
            "a\u{1b}[2J",
            "a,b",
            "a\"",
            &too_long,
        ] {
            assert_eq!(name(text), Err(NotAStream::Name), "{text:?}");
            assert_eq!(scope(text).is_ok(), text == WHOLE_SERVER, "{text:?}");
        }
    }
}

//! What a terminal would obey instead of showing: made visible, since addresses, stream names and Postmark's texts come
//! from strangers.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

/// Whether a character moves the cursor, changes colours, reorders or hides text, or is seen by nobody.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// A text from elsewhere, fit for one cell or for the middle of a line.
///
/// Control characters, line ends among them, and invisible or reordering ones become `\u001b` and the like: the
/// escapes of JSON, so that a JSON document stays one and says the same.
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false)
}

/// A text of several lines: as [`visible`], but its own line ends and tabs stay.
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| matches!(c, '\n' | '\t'))
}

fn escaped(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    let hidden = |c: char| is_hidden(c) && !stays(c);
    if !text.contains(hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// A writer that makes visible what is written: for logs, whose lines come whole.
pub struct Visible<W>(pub W);

impl<W: io::Write> io::Write for Visible<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        self.0.write_all(visible_lines(&text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        for (raw, shown) in [
            ("\u{1b}[2Jgone\u{7}", r"\u001b[2Jgone\u0007"),
            ("a\u{9b}31mb", r"a\u009b31mb"),
            ("one\r\ntwo\tthree", r"one\u000d\u000atwo\u0009three"),
            ("\u{202e}moc.elpmaxe\u{2066}", r"\u202emoc.elpmaxe\u2066"),
            ("a\u{200b}b\u{feff}\u{ad}\u{7f}", r"a\u200bb\ufeff\u00ad\u007f"),
            ("tag \u{e0041}", r"tag \udb40\udc41"),
        ] {
            assert_eq!(visible(raw), shown);
        }
        for plain in
            ["ida.moreau@customer.example", "ren\u{e9}@b\u{fc}cher.example", "日本語", "a\\u001bb", ""]
        {
            assert!(matches!(visible(plain), Cow::Borrowed(text) if text == plain));
        }
    }

    #[test]
    fn lines_of_ours_stay_lines() {
        assert_eq!(visible_lines("one\n\ttwo\r\n\u{1b}c"), "one\n\ttwo\\u000d\n\\u001bc");
    }

    #[test]
    fn a_json_document_stays_one_and_says_the_same() {
        let value =
            serde_json::json!({ "a\u{9b}": "\u{1b}[31m \u{202e} \u{e0041} \n \u{7f}", "b": [1, null] });
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let shown = visible_lines(&text);
            assert!(!shown.contains(|c| is_hidden(c) && c != '\n'), "{shown}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        }
    }

    #[test]
    fn a_log_line_is_made_visible_on_its_way() {
        let mut out = Vec::new();
        Visible(&mut out).write_all("{\"stream\":\"a\u{9b}b\"}\n".as_bytes()).unwrap();
        assert_eq!(out, b"{\"stream\":\"a\\u009bb\"}\n");
    }
}

//! The terminal: how wide it is, which words are coloured on it, and what it would obey instead of showing. That is made
//! visible, since addresses, stream names and Postmark's texts come from strangers.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::sync::atomic::{AtomicBool, Ordering};

/// As wide as the narrowest usual terminal: what one is taken for that does not say.
pub const USUAL_WIDTH: usize = 80;

static WIDE: AtomicBool = AtomicBool::new(false);

/// From now on everything is shown as wide as it is.
pub fn show_wide() {
    WIDE.store(true, Ordering::Relaxed);
}

/// How wide a table may be; `None`: as wide as it is, since no terminal shows it, or that was asked for.
pub fn width() -> Option<usize> {
    if WIDE.load(Ordering::Relaxed) || !io::stdout().is_terminal() {
        return None;
    }
    let set = platform::env::text("COLUMNS").and_then(|columns| columns.parse().ok());
    let told = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    Some(set.or_else(told).filter(|width| *width > 0).unwrap_or(USUAL_WIDTH))
}

/// Whether words are coloured: on a terminal that has colours, unless `NO_COLOR` says no.
fn is_coloured() -> bool {
    io::stdout().is_terminal()
        && platform::env::text("NO_COLOR").is_none()
        && platform::env::text("TERM").is_none_or(|term| term != "dumb")
}

/// The colour of a word that says how something is, as a terminal's code.
fn colour(word: &str) -> Option<u8> {
    const RED: u8 = 31;
    const GREEN: u8 = 32;
    const YELLOW: u8 = 33;
    match word {
        "do not send" | "DO NOT SEND" | "PROBLEM" | "NOT DONE" | "not all is well" => Some(RED),
        "risky" | "RISKY" | "not looked at" | "invalid" => Some(YELLOW),
        "send" | "SEND" | "ok" | "done" | "all is well" => Some(GREEN),
        _ => None,
    }
}

/// A text with its verdicts coloured, where a terminal shows it: cells of tables, and what ends a heading. Colours say
/// nothing that the words do not.
pub fn painted(text: &str) -> Cow<'_, str> {
    if is_coloured() { Cow::Owned(coloured(text)) } else { Cow::Borrowed(text) }
}

fn coloured(text: &str) -> String {
    let lines = text.split('\n').map(|line| {
        if line.starts_with('│') {
            return line.split_inclusive(['│', '┆']).map(in_colour).collect();
        }
        // A verdict stands at the end of a heading, after a gap; or alone.
        match line.rfind("  ") {
            Some(gap) if !line.starts_with(' ') => format!("{}{}", &line[..gap], in_colour(&line[gap..])),
            _ => in_colour(line),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A piece of a line, coloured where all of it is such a word.
fn in_colour(piece: &str) -> String {
    let word = piece.trim_matches(['│', '┆', ' ']);
    match colour(word) {
        Some(code) => piece.replacen(word, &format!("\x1b[{code}m{word}\x1b[0m"), 1),
        None => piece.to_owned(),
    }
}

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
    fn verdicts_are_coloured_in_cells_and_headings_and_nowhere_else() {
        let table = "│ a@x.example ┆ do not send ┆ done elsewhere │\n│ send ┆ risky │";
        let painted = coloured(table);
        assert_eq!(
            painted,
            "│ a@x.example ┆ \x1b[31mdo not send\x1b[0m ┆ done elsewhere │\n│ \x1b[32msend\x1b[0m ┆ \x1b[33mrisky\x1b[0m │"
        );
        assert_eq!(
            coloured("outbound (transactional)    SEND"),
            "outbound (transactional)  \x1b[32m  SEND".replace("  \x1b[32m  ", "    \x1b[32m") + "\x1b[0m"
        );
        for plain in ["  evidence  ok", "they say done", "\"verdict\": \"send\""] {
            assert_eq!(coloured(plain), plain);
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

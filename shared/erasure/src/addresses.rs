//! Whatever in a text may be an address: for bodies that nobody understands.
//!
//! It rather finds too much than too little: what it offers counts only where it is the address of somebody known.

use std::borrow::Cow;

/// The longest half of an address that is looked at, in bytes: far longer than mail allows.
const HALF_BYTES_MAX: usize = 512;
/// How many beginnings of the left half, and how many ends of the right one, are tried.
const BOUNDS_MAX: usize = 24;

/// Whether anything in a body that may be an address is one of those that are looked for. It is looked at as it
/// stands, and with JSON's escapes resolved.
pub(crate) fn any(body: &[u8], mut is_wanted: impl FnMut(&str) -> bool) -> bool {
    let text = String::from_utf8_lossy(body);
    in_text(&text, &mut is_wanted)
        || matches!(unescaped(&text), Cow::Owned(text) if in_text(&text, &mut is_wanted))
}

fn in_text(text: &str, is_wanted: &mut impl FnMut(&str) -> bool) -> bool {
    text.match_indices('@').any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + 1..]);
        let before = &before[before.ceil_char_boundary(before.len().saturating_sub(HALF_BYTES_MAX))..];
        let after = &after[..after.floor_char_boundary(HALF_BYTES_MAX)];
        let rights = rights(after);
        lefts(before).any(|left| rights.iter().any(|right| is_wanted(&format!("{left}@{right}"))))
    })
}

/// What may be the local part: up to a character that none has, and from behind each sign in it, since one sign
/// may belong to it or stand before it.
fn lefts(before: &str) -> impl Iterator<Item = &str> {
    let never =
        |c: char| c.is_whitespace() || c.is_control() || matches!(c, '@' | '<' | '>' | '"' | ',' | ';');
    let start =
        before.rfind(never).map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let run = &before[start..];
    let behind = run.char_indices().filter(|(_, c)| !c.is_alphanumeric()).map(|(at, c)| at + c.len_utf8());
    let mut starts: Vec<usize> = std::iter::once(0).chain(behind).collect();
    // The nearest ones: what lies further ahead is less and less of an address.
    starts.drain(1..starts.len().saturating_sub(BOUNDS_MAX).max(1));
    starts.into_iter().map(|start| &run[start..]).filter(|left| !left.is_empty())
}

/// What may be the domain: up to a character that none has, and up to each dot in it.
fn rights(after: &str) -> Vec<&str> {
    let within = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    let run = &after[..after.find(|c| !within(c)).unwrap_or(after.len())];
    let dots = run.match_indices('.').map(|(at, _)| at).take(BOUNDS_MAX);
    dots.chain([run.len()]).map(|end| &run[..end]).filter(|right| !right.is_empty()).collect()
}

/// The text with JSON's escapes resolved, also where it is no JSON; borrowed where there are none.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        units.extend(rest[..at].encode_utf16());
        let escape = &rest[at + 1..];
        let hex = escape.strip_prefix('u').and_then(|hex| hex.get(..4));
        if let Some(unit) = hex.and_then(|hex| u16::from_str_radix(hex, 16).ok()) {
            units.push(unit);
            rest = &escape[5..];
        } else {
            // White space of some kind, or the character itself; of either nothing is lost.
            let named = escape.starts_with(['b', 'f', 'n', 'r', 't']);
            units.push(u16::from(b' '));
            rest = if named { &escape[1..] } else { escape };
            if let Some(c) = rest.chars().next().filter(|_| !named) {
                units.pop();
                units.extend(c.encode_utf16(&mut [0; 2]).iter());
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    units.extend(rest.encode_utf16());
    Cow::Owned(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(body: &str, wanted: &str) -> bool {
        any(body.as_bytes(), |address| address == wanted)
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
            "\\u00",
        ] {
            assert_eq!(finds(body, "ida@x.example"), !body.ends_with("00"), "{body}");
        }
    }

    #[test]
    fn signs_and_letters_of_all_kinds_may_belong_to_it() {
        for address in ["o'ida+tag=1{x}/y@x.example", "id\u{e9}@ex\u{e4}mple.example", "i.d-a_@a-b.c.example"]
        {
            assert!(finds(&format!("{{\"Email\":\"{address}\"}}"), address), "{address}");
            let escaped: String = address.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            assert!(finds(&escaped, address), "{escaped}");
        }
        assert!(any(b"\xff\xfeida@x.example\xff", |address| address == "ida@x.example"));
        assert!(!finds("ida(at)x.example @ @@", "ida@x.example"));
    }

    #[test]
    fn a_body_full_of_signs_takes_no_long_time() {
        let mut asked = 0_u64;
        any("a.b@".repeat(100_000).as_bytes(), |_| {
            asked += 1;
            false
        });
        assert!(asked <= 100_000 * 30, "{asked}");
    }
}

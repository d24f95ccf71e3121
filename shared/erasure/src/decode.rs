//! What a body may say once an encoding is undone: percent signs, entities, escapes, quoted-printable, base64, UTF-16.
//!
//! Invariant: a decoder undoes one layer of one encoding, wherever in the bytes it stands, and leaves all else as it
//! is. It never fails: what only looks encoded is decoded too, and does no harm, since the bytes themselves are
//! searched as well.

use std::borrow::Cow;

/// Undoes one layer of one encoding; `None` where there is nothing of it.
pub(crate) type Decoder = fn(&[u8]) -> Option<Vec<u8>>;

/// All of them.
pub(crate) const DECODERS: [Decoder; 9] = [
    percent,
    entities,
    escapes,
    quoted_printable,
    base64,
    |bytes| utf16(bytes, 0, u16::from_le_bytes),
    |bytes| utf16(bytes, 1, u16::from_le_bytes),
    |bytes| utf16(bytes, 0, u16::from_be_bytes),
    |bytes| utf16(bytes, 1, u16::from_be_bytes),
];

/// The shortest run of characters of base64 that is decoded.
const BASE64_MIN: usize = 4;
/// How long a piece of what base64 decodes to must be where the whole of it is no text.
const PIECE_MIN: usize = 6;
/// How many zero bytes, and how near to each other, make a piece that may be UTF-16.
const ZEROS_MIN: usize = 3;
const ZEROS_APART_MAX: usize = 16;
/// How much of what stands before and behind them belongs to that piece, in bytes.
const WIDE_AROUND: usize = 128;

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |number, digit| {
        number.checked_mul(16)?.checked_add(char::from(*digit).to_digit(16)?)
    })
}

fn push(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Copies bytes, but for what stands at each sign: `decode` says what is to be written there and how many bytes that
/// replaces.
fn replaced(
    bytes: &[u8],
    sign: u8,
    mut decode: impl FnMut(&[u8], &mut Vec<u8>) -> Option<usize>,
) -> Option<Vec<u8>> {
    if !bytes.contains(&sign) {
        return None;
    }
    let (mut out, mut changed, mut at) = (Vec::with_capacity(bytes.len()), false, 0);
    while let Some(byte) = bytes.get(at) {
        match (*byte == sign).then(|| decode(&bytes[at..], &mut out)).flatten() {
            Some(length) => {
                changed = true;
                at += length;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    changed.then_some(out)
}

/// `%40`, and `%u0040` as old scripts write it.
fn percent(bytes: &[u8]) -> Option<Vec<u8>> {
    replaced(bytes, b'%', |rest, out| {
        if let Some(byte) = rest.get(1..3).and_then(hex) {
            out.push(byte as u8);
            return Some(3);
        }
        let digits = rest.get(1..6)?;
        let c = char::from_u32(matches!(digits[0], b'u' | b'U').then(|| hex(&digits[1..])).flatten()?)?;
        push(out, c);
        Some(6)
    })
}

/// The names of characters that an address may have, or that hide in one.
const NAMED: &[(&str, char)] = &[
    ("commat", '@'),
    ("period", '.'),
    ("plus", '+'),
    ("lowbar", '_'),
    ("UnderBar", '_'),
    ("hyphen", '-'),
    ("dash", '-'),
    ("amp", '&'),
    ("AMP", '&'),
    ("lt", '<'),
    ("LT", '<'),
    ("gt", '>'),
    ("GT", '>'),
    ("quot", '"'),
    ("QUOT", '"'),
    ("apos", '\''),
    ("excl", '!'),
    ("num", '#'),
    ("dollar", '$'),
    ("percnt", '%'),
    ("ast", '*'),
    ("midast", '*'),
    ("sol", '/'),
    ("bsol", '\\'),
    ("equals", '='),
    ("quest", '?'),
    ("Hat", '^'),
    ("grave", '`'),
    ("DiacriticalGrave", '`'),
    ("lcub", '{'),
    ("lbrace", '{'),
    ("verbar", '|'),
    ("vert", '|'),
    ("VerticalLine", '|'),
    ("rcub", '}'),
    ("rbrace", '}'),
    ("lsqb", '['),
    ("lbrack", '['),
    ("rsqb", ']'),
    ("rbrack", ']'),
    ("lpar", '('),
    ("rpar", ')'),
    ("comma", ','),
    ("colon", ':'),
    ("semi", ';'),
    ("Tab", '\t'),
    ("NewLine", '\n'),
    ("nbsp", ' '),
    ("shy", '\u{ad}'),
    ("zwnj", '\u{200c}'),
    ("zwj", '\u{200d}'),
    ("lrm", '\u{200e}'),
    ("rlm", '\u{200f}'),
    ("ZeroWidthSpace", '\u{200b}'),
    ("NoBreak", '\u{2060}'),
    ("szlig", '\u{df}'),
    ("oslash", '\u{f8}'),
    ("Oslash", '\u{d8}'),
    ("aelig", '\u{e6}'),
    ("AElig", '\u{c6}'),
    ("eth", '\u{f0}'),
    ("ETH", '\u{d0}'),
    ("thorn", '\u{fe}'),
    ("THORN", '\u{de}'),
    ("inodot", '\u{131}'),
    ("imath", '\u{131}'),
    ("lstrok", '\u{142}'),
    ("Lstrok", '\u{141}'),
    ("dstrok", '\u{111}'),
    ("Dstrok", '\u{110}'),
    ("oelig", '\u{153}'),
    ("OElig", '\u{152}'),
];
/// What the name of a letter with a mark ends with, and the mark.
const MARKS: &[(&str, char)] = &[
    ("grave", '\u{300}'),
    ("acute", '\u{301}'),
    ("circ", '\u{302}'),
    ("tilde", '\u{303}'),
    ("macr", '\u{304}'),
    ("breve", '\u{306}'),
    ("dot", '\u{307}'),
    ("uml", '\u{308}'),
    ("ring", '\u{30a}'),
    ("dblac", '\u{30b}'),
    ("caron", '\u{30c}'),
    ("cedil", '\u{327}'),
    ("ogon", '\u{328}'),
];
/// The longest name, in bytes.
const NAME_MAX: usize = 16;

/// `&#64;`, `&#x40;`, `&commat;`; the semicolon behind a number may be missing.
fn entities(bytes: &[u8]) -> Option<Vec<u8>> {
    replaced(bytes, b'&', |rest, out| {
        let rest = &rest[1..];
        if rest.first() == Some(&b'#') {
            let (radix, from) = if matches!(rest.get(1), Some(b'x' | b'X')) { (16, 2) } else { (10, 1) };
            let digits = rest[from..].iter().take_while(|byte| char::from(**byte).is_digit(radix)).count();
            let digits = str::from_utf8(rest.get(from..from + digits)?).ok()?;
            push(out, char::from_u32(u32::from_str_radix(digits, radix).ok()?)?);
            let end = from + digits.len();
            return Some(1 + end + usize::from(rest.get(end) == Some(&b';')));
        }
        let end = rest.iter().take(NAME_MAX + 1).position(|byte| *byte == b';')?;
        let name = str::from_utf8(&rest[..end]).ok()?;
        if let Some((_, c)) = NAMED.iter().find(|(known, _)| *known == name) {
            push(out, *c);
        } else {
            let letter = name.chars().next().filter(char::is_ascii_alphabetic)?;
            let (_, mark) = MARKS.iter().find(|(known, _)| *known == &name[1..])?;
            push(out, letter);
            push(out, *mark);
        }
        Some(end + 2)
    })
}

/// The escapes of JSON and of scripts, also where it is neither: `\u0040`, `\u{40}`, `\x40`, `\/`.
fn escapes(bytes: &[u8]) -> Option<Vec<u8>> {
    // The first half of a pair, and where in `out` its replacement would stand.
    let mut high: Option<(u32, usize)> = None;
    replaced(bytes, b'\\', |rest, out| {
        let escaped = *rest.get(1)?;
        let before = high.take().filter(|(_, at)| *at == out.len()).map(|(unit, _)| unit);
        if escaped == b'u' && rest.get(2) == Some(&b'{') {
            let end = rest.iter().take(12).position(|byte| *byte == b'}')?;
            push(out, char::from_u32(hex(&rest[3..end])?)?);
            return Some(end + 1);
        }
        if let Some(unit) = rest.get(2..6).filter(|_| escaped == b'u').and_then(hex) {
            match (before, unit) {
                (_, 0xd800..=0xdbff) => high = Some((unit, out.len())),
                (Some(high), 0xdc00..=0xdfff) => {
                    let c = 0x1_0000 + ((high - 0xd800) << 10) + (unit - 0xdc00);
                    push(out, char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                _ => push(out, char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)),
            }
            return Some(6);
        }
        if let Some(byte) = rest.get(2..4).filter(|_| escaped == b'x').and_then(hex) {
            out.push(byte as u8);
            return Some(4);
        }
        out.push(match escaped {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' | b'f' => b' ',
            other => other,
        });
        Some(2)
    })
}

/// `=40`, and lines that go on behind a `=`.
fn quoted_printable(bytes: &[u8]) -> Option<Vec<u8>> {
    replaced(bytes, b'=', |rest, out| {
        if let Some(byte) = rest.get(1..3).and_then(hex) {
            out.push(byte as u8);
            return Some(3);
        }
        let blank = rest[1..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let end = &rest[1 + blank..];
        let line_end = if end.starts_with(b"\r\n") { 2 } else { usize::from(end.starts_with(b"\n")) };
        (line_end > 0).then_some(1 + blank + line_end)
    })
}

/// What a character of either alphabet of base64 stands for.
fn sextet(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

/// Base64 in either alphabet, over line breaks, wherever it begins: each run of its characters is decoded from its
/// first four places on. Of what is no text from its beginning to its end, only the pieces that are stay.
fn base64(bytes: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut run) = (Vec::new(), Vec::new());
    for byte in bytes.iter().copied().chain([b'=']) {
        if let Some(value) = sextet(byte) {
            run.push(value);
        } else if !byte.is_ascii_whitespace() {
            if run.len() >= BASE64_MIN {
                (0..4).for_each(|from| texts(&unpacked(&run[from..]), &mut out));
            }
            run.clear();
        }
    }
    (!out.is_empty()).then_some(out)
}

/// Sextets as bytes.
fn unpacked(sextets: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(sextets.len() * 3 / 4);
    for four in sextets.chunks(4) {
        let word =
            four.iter().fold(0_u32, |word, value| (word << 6) | u32::from(*value)) << (6 * (4 - four.len()));
        let some = word.to_be_bytes();
        bytes.extend_from_slice(&some[1..four.len().max(1)]);
    }
    bytes
}

/// What of some bytes is text, each piece apart from the others: all of them, or what is long enough in them; and what
/// may be UTF-16.
fn texts(bytes: &[u8], out: &mut Vec<u8>) {
    let is_text = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r');
    // Four blanks are two daggers in UTF-16: they end a word there, too.
    let mut piece = |piece: &[u8]| {
        out.extend_from_slice(piece);
        out.extend_from_slice(b"    ");
    };
    if str::from_utf8(bytes).is_ok_and(|text| text.chars().all(is_text)) {
        piece(bytes);
        return;
    }
    for chunk in bytes.utf8_chunks() {
        let pieces = chunk.valid().split(|c| !is_text(c)).filter(|text| text.len() >= PIECE_MIN);
        pieces.for_each(|text| piece(text.as_bytes()));
    }
    let mut zeros = bytes.iter().enumerate().filter(|(_, byte)| **byte == 0).map(|(at, _)| at).peekable();
    while let Some(first) = zeros.next() {
        let (mut last, mut count) = (first, 1);
        while let Some(next) = zeros.next_if(|next| *next <= last + ZEROS_APART_MAX) {
            (last, count) = (next, count + 1);
        }
        if count >= ZEROS_MIN {
            let end = bytes.len().min(last + WIDE_AROUND);
            piece(&bytes[first.saturating_sub(WIDE_AROUND)..end]);
        }
    }
}

/// UTF-16 from a place on. What has no zero byte holds no ASCII in it, and so no address.
fn utf16(bytes: &[u8], from: usize, unit: fn([u8; 2]) -> u16) -> Option<Vec<u8>> {
    if !bytes.contains(&0) {
        return None;
    }
    let (pairs, _) = bytes.get(from..)?.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    let text: String = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    Some(text.into_bytes())
}

/// Some bytes as text: as UTF-8, and where they are none also as Latin-1.
pub(crate) fn as_texts(bytes: &[u8]) -> impl Iterator<Item = Cow<'_, str>> {
    let text = String::from_utf8_lossy(bytes);
    let latin =
        matches!(text, Cow::Owned(_)).then(|| bytes.iter().copied().map(char::from).collect::<String>());
    std::iter::once(text).chain(latin.map(Cow::Owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(decoder: Decoder, bytes: impl AsRef<[u8]>) -> String {
        String::from_utf8(decoder(bytes.as_ref()).unwrap_or_default()).unwrap()
    }

    #[test]
    fn each_encoding_is_undone_one_layer_at_a_time() {
        for (decoder, encoded, expected) in [
            (percent as Decoder, "ida%40x%2540 100% %zz %u0040", "ida@x%40 100% %zz @"),
            (
                entities,
                "&#64;&#064;&#x40;&#X40;&commat;&#64x &amp;#64; &eacute;&none; & &",
                "@@@@@@x &#64; e\u{301}&none; & &",
            ),
            (escapes, r"\u0040\x40\u{40}\/\n\\u0040\ud83d\ude00\ud83d!\u00", "@@@/\n\\u0040\u{1f600}!u00"),
            (quoted_printable, "ida=40x=3D40 a=\r\nb=  \nc a=zz =", "ida@x=40 abc a=zz ="),
        ] {
            assert_eq!(decoded(decoder, encoded), expected, "{encoded}");
        }
        for decoder in DECODERS {
            assert_eq!(decoder(b"to"), None);
        }
    }

    #[test]
    fn base64_is_undone_in_either_alphabet_over_line_breaks_and_behind_anything() {
        for encoded in [
            "aWRhQHguZXhhbXBsZQ==",
            "aWRhQHgu\r\nZXhhbXBs\r\nZQ==",
            "/u/aWRhQHguZXhhbXBsZQ",
            "tokenaWRhQHguZXhhbXBsZQ",
            "data:text/plain;base64,aWRhQHguZXhhbXBsZQ==;",
        ] {
            assert!(decoded(base64, encoded).contains("ida@x.example"), "{encoded}");
        }
        assert!(
            decoded(base64, "aX4_QGE-").contains("i~?@a>") && decoded(base64, "aX4/QGE+").contains("i~?@a>")
        );
        assert_eq!(decoded(base64, "\"Z29uZQ\"").split(' ').next(), Some("gone"));
    }

    #[test]
    fn utf_16_is_undone_in_either_order_from_either_place() {
        for unit in [u16::to_le_bytes, u16::to_be_bytes] {
            let wide: Vec<u8> = "id\u{e9}@x.example".encode_utf16().flat_map(unit).collect();
            for bytes in [wide.clone(), [b"x", &*wide].concat()] {
                let found = |decoder: &Decoder| decoded(*decoder, &bytes).contains("id\u{e9}@x.example");
                assert_eq!(DECODERS.iter().filter(|decoder| found(decoder)).count(), 1);
            }
        }
    }
}

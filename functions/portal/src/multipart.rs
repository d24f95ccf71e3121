//! Forms with files (`multipart/form-data`, RFC 7578), as browsers send them. The whole body is there already, so that this
//! is a matter of finding the lines between parts: a parser for streams would be ten crates more.

/// How many parts are read at most: more than any form of ours has.
const PARTS_MAX: usize = 100;

/// A part of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Whether it is a file.
    pub is_file: bool,
    /// What it holds.
    pub body: &'a [u8],
}

/// The parts of a body, by the type that it is said to have; `None`: it is not of this kind. What is broken off or is not
/// understood is passed over.
pub(crate) fn parts<'a>(media_type: &str, body: &'a [u8]) -> Option<Vec<Part<'a>>> {
    let kind = media_type.split(';').next().unwrap_or_default();
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let mut parts = Vec::new();
    let boundary = parameter(media_type, "boundary").filter(|boundary| !boundary.is_empty());
    let Some(boundary) = boundary.map(|boundary| format!("\r\n--{boundary}")) else { return Some(parts) };
    let (between, first) = (boundary.as_bytes(), &boundary.as_bytes()[2..]);
    let begins = if body.starts_with(first) { Some(first.len()) } else { after(body, between) };
    let mut rest = begins.map_or(&[][..], |begins| &body[begins..]);
    while parts.len() < PARTS_MAX && !rest.starts_with(b"--") {
        let Some(next) = after(rest, between) else { break };
        parts.extend(part(&rest[..next - between.len()]));
        rest = &rest[next..];
    }
    Some(parts)
}

/// Where what follows a mark begins.
fn after(text: &[u8], mark: &[u8]) -> Option<usize> {
    text.windows(mark.len()).position(|here| here == mark).map(|place| place + mark.len())
}

/// A part from what stands between two lines of the boundary, with the end of the first of them.
fn part(text: &[u8]) -> Option<Part<'_>> {
    let body = after(text, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&text[..body]).ok()?;
    let says = |line: &&str| {
        let (name, _) = line.split_once(':').unwrap_or_default();
        name.trim().eq_ignore_ascii_case("content-disposition")
    };
    let disposition = head.split("\r\n").find(says)?;
    let name = parameter(disposition, "name")?;
    Some(Part { name, is_file: parameter(disposition, "filename").is_some(), body: &text[body..] })
}

/// A parameter of a header. In quotes may stand what separates parameters else.
fn parameter<'a>(header: &'a str, wanted: &str) -> Option<&'a str> {
    let (_, mut rest) = header.split_once(';')?;
    loop {
        let (name, after) = rest.split_once('=')?;
        let (value, left) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(';').unwrap_or((after, "")),
        };
        if name.trim_matches([' ', '\t', ';']).eq_ignore_ascii_case(wanted) {
            return Some(value.trim());
        }
        rest = left;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TYPE: &str = "multipart/form-data; boundary=----Form7MA4";

    /// As browsers write it.
    fn written(parts: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, file, holds) in parts {
            let file = file.map(|file| format!("; filename=\"{file}\"\r\nContent-Type: image/png"));
            let head = format!(
                "------Form7MA4\r\nContent-Disposition: form-data; name=\"{name}\"{}\r\n\r\n",
                file.unwrap_or_default()
            );
            body.extend([head.as_bytes(), holds, b"\r\n"].concat());
        }
        body.extend(b"------Form7MA4--\r\n");
        body
    }

    #[test]
    fn texts_and_files_are_read_as_browsers_send_them() {
        let body = written(&[
            ("name", None, "Acmé".as_bytes()),
            ("empty", None, b""),
            ("logo", Some("a; name=\"x.png"), b"\x89PNG\r\n\x1a\n--\r\n\r\n"),
            ("none", Some(""), b""),
        ]);
        let part = |name, is_file, body| Part { name, is_file, body };
        let expected = [
            part("name", false, "Acmé".as_bytes()),
            part("empty", false, b""),
            part("logo", true, b"\x89PNG\r\n\x1a\n--\r\n\r\n"),
            part("none", true, b""),
        ];
        assert_eq!(parts(TYPE, &body).unwrap(), expected);
        assert_eq!(
            parts("Multipart/Form-Data; charset=x; boundary=\"----Form7MA4\"", &body).unwrap(),
            expected
        );
        assert_eq!(parts("application/x-www-form-urlencoded", &body), None);
    }

    #[test]
    fn what_is_broken_is_passed_over() {
        let whole = written(&[("a", None, b"1"), ("b", None, b"2")]);
        assert_eq!(parts(TYPE, &whole[..whole.len() - 20]).unwrap().len(), 1, "the end is missing");
        assert_eq!(parts("multipart/form-data", &whole), Some(vec![]));
        assert_eq!(parts("multipart/form-data; boundary=", &whole), Some(vec![]));
        assert_eq!(parts(TYPE, b""), Some(vec![]));
        let many: Vec<_> = (0..PARTS_MAX + 5).map(|_| ("a", None, &b"1"[..])).collect();
        assert_eq!(parts(TYPE, &written(&many)).unwrap().len(), PARTS_MAX);
    }

    proptest! {
        #[test]
        fn whatever_a_file_holds_comes_out_as_it_went_in(holds: Vec<u8>) {
            let body = written(&[("logo", Some("x"), &holds)]);
            prop_assert_eq!(parts(TYPE, &body).unwrap()[0].body, holds);
        }

        #[test]
        fn nothing_makes_it_fail(media: String, body: Vec<u8>) {
            parts(&media, &body);
            parts(&format!("multipart/form-data;{media}"), &body);
            parts(TYPE, &[b"------Form7MA4", &body[..], b"\r\n------Form7MA4"].concat());
        }
    }
}

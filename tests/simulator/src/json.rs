//! Writes JSON objects key by key, in the order that Postmark has them.

use crate::Time;
use std::io::Write as _;

/// An object that is being written.
pub(crate) struct Json {
    out: Vec<u8>,
    first: bool,
}

impl Json {
    pub(crate) fn object() -> Json {
        Json::within(Vec::with_capacity(768))
    }

    /// Goes on after what is written already.
    pub(crate) fn within(mut out: Vec<u8>) -> Json {
        out.push(b'{');
        Json { out, first: true }
    }

    pub(crate) fn end(mut self) -> Vec<u8> {
        self.out.push(b'}');
        self.out
    }

    fn key(&mut self, key: &str) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    pub(crate) fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        write_text(&mut self.out, text);
    }

    pub(crate) fn number(&mut self, key: &str, number: u64) {
        self.key(key);
        // A `Vec` takes all.
        let _ = write!(self.out, "{number}");
    }

    pub(crate) fn truth(&mut self, key: &str, truth: bool) {
        self.raw(key, if truth { b"true" } else { b"false" });
    }

    pub(crate) fn raw(&mut self, key: &str, json: &[u8]) {
        self.key(key);
        self.out.extend_from_slice(json);
    }

    pub(crate) fn time(&mut self, key: &str, time: Time, digits: u8, offset: i32) {
        self.key(key);
        self.out.push(b'"');
        time.write(&mut self.out, digits, offset);
        self.out.push(b'"');
    }

    /// An object within.
    pub(crate) fn nested(&mut self, key: &str, fill: impl FnOnce(&mut Json)) {
        self.key(key);
        let mut inner = Json::within(std::mem::take(&mut self.out));
        fill(&mut inner);
        self.out = inner.end();
    }

    /// An array of texts.
    pub(crate) fn texts<'a>(&mut self, key: &str, texts: impl Iterator<Item = &'a str>) {
        self.key(key);
        self.out.push(b'[');
        for (at, text) in texts.enumerate() {
            if at > 0 {
                self.out.push(b',');
            }
            write_text(&mut self.out, text);
        }
        self.out.push(b']');
    }

    /// An array of objects.
    pub(crate) fn objects<T>(
        &mut self,
        key: &str,
        items: impl Iterator<Item = T>,
        mut fill: impl FnMut(&mut Json, T),
    ) {
        self.key(key);
        self.out.push(b'[');
        for (at, item) in items.enumerate() {
            if at > 0 {
                self.out.push(b',');
            }
            let mut inner = Json::within(std::mem::take(&mut self.out));
            fill(&mut inner, item);
            self.out = inner.end();
        }
        self.out.push(b']');
    }
}

/// A JSON string.
pub(crate) fn write_text(out: &mut Vec<u8>, text: &str) {
    if text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else if serde_json::to_writer(&mut *out, text).is_err() {
        out.extend_from_slice(b"\"\"");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_json_in_the_order_of_writing() {
        let mut json = Json::object();
        json.text("B", "a \"quoted\"\n line");
        json.number("A", u64::MAX);
        json.nested("C", |json| json.truth("D", true));
        json.objects("E", [1_u64, 2].into_iter(), |json, number| json.number("F", number));
        json.texts("G", ["x", "y"].into_iter());
        let text = String::from_utf8(json.end()).unwrap();
        assert_eq!(
            text,
            r#"{"B":"a \"quoted\"\n line","A":18446744073709551615,"C":{"D":true},"E":[{"F":1},{"F":2}],"G":["x","y"]}"#
        );
    }
}

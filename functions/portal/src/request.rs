//! A request as it comes, whatever server or gateway stands before it: its forms, its cookies, and whether it comes from a
//! page of ours.

use crate::multipart::{self, Part};
use http::header::{CONTENT_TYPE, COOKIE, HOST, ORIGIN};
use http::{HeaderMap, Method};
use ledger::Time;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The largest form that is read, in bytes: 10,000 addresses of the longest kind.
pub const FORM_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What is kept as it is in a segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A segment of a path of ours.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its path, as it was sent.
    pub path: &'a str,
    /// Its query, as it was sent.
    pub query: &'a str,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body.
    pub body: &'a [u8],
    /// Where it comes from, if that is known.
    pub source: Option<IpAddr>,
}

/// What a form or a query says, by name. Of several values of one name all are kept, in order.
#[derive(Clone, Debug, Default)]
pub struct Fields(BTreeMap<String, Vec<String>>);

impl Fields {
    /// As browsers send them.
    pub fn read(text: &[u8]) -> Fields {
        let mut fields = BTreeMap::<String, Vec<String>>::new();
        for (name, value) in form_urlencoded::parse(text) {
            fields.entry(name.into_owned()).or_default().push(value.into_owned());
        }
        Fields(fields)
    }

    /// The first value of a name, without space around it; nothing where it is empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.first().map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// All values of a name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.get(name).into_iter().flatten().map(String::as_str)
    }

    /// Whether a box is ticked.
    pub fn is_set(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// An instant as a field of date and time has it (`2026-11-21T08:00`, in UTC), or in RFC 3339.
    pub fn time(&self, name: &str) -> Option<Time> {
        let text = self.text(name)?;
        let whole = match text.len() {
            10 => format!("{text}T00:00:00Z"),
            16 => format!("{text}:00Z"),
            19 => format!("{text}Z"),
            _ => text.to_owned(),
        };
        whole.parse().ok()
    }
}

impl Request<'_> {
    /// The segments of its path, decoded; nothing where one is not UTF-8.
    pub fn segments(&self) -> Option<Vec<String>> {
        let decoded = |segment| percent_decode_str(segment).decode_utf8().ok().map(String::from);
        self.path.trim_matches('/').split('/').filter(|segment| !segment.is_empty()).map(decoded).collect()
    }

    /// What its query says.
    pub fn asked(&self) -> Fields {
        Fields::read(self.query.as_bytes())
    }

    /// What its form says, but for files.
    pub fn form(&self) -> Fields {
        let Some(parts) = self.parts() else { return Fields::read(self.body) };
        let mut fields = BTreeMap::<String, Vec<String>>::new();
        for part in parts.into_iter().filter(|part| !part.is_file) {
            let value = String::from_utf8_lossy(part.body).into_owned();
            fields.entry(part.name.to_owned()).or_default().push(value);
        }
        Fields(fields)
    }

    /// A file of its form, where one was chosen.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        let chosen = |part: &Part<'_>| part.is_file && part.name == name && !part.body.is_empty();
        self.parts()?.into_iter().find(chosen).map(|part| part.body)
    }

    /// What somebody typed into its form, field by field as it was sent.
    pub fn typed(&self) -> Vec<[String; 2]> {
        let text = |part: Part<'_>| [part.name.to_owned(), String::from_utf8_lossy(part.body).into_owned()];
        match self.parts() {
            Some(parts) => parts.into_iter().filter(|part| !part.is_file).map(text).collect(),
            None => form_urlencoded::parse(self.body)
                .map(|(name, value)| [name.into_owned(), value.into_owned()])
                .collect(),
        }
    }

    /// The parts of its form, where it may have files.
    fn parts(&self) -> Option<Vec<Part<'_>>> {
        multipart::parts(self.header(CONTENT_TYPE.as_str())?, self.body)
    }

    /// A cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let all = self.headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
        all.flat_map(|header| header.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(known, value)| (known == name).then_some(value))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether nothing says which site sent it: then it was a very old browser, or none.
    pub(crate) fn tells_no_site(&self) -> bool {
        self.header("sec-fetch-site").is_none() && !self.headers.contains_key(ORIGIN)
    }

    /// Whether it changes something.
    pub fn is_unsafe(&self) -> bool {
        !matches!(*self.method, Method::GET | Method::HEAD)
    }

    /// Whether a page of our own sent it, as the browser says: by `Sec-Fetch-Site`, or where an old one does not tell that,
    /// by `Origin`. Other sites cannot set either; what is no browser has no session to misuse.
    pub fn is_our_own(&self, base: &str) -> bool {
        if let Some(site) = self.header("sec-fetch-site") {
            return site == "same-origin";
        }
        match self.headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default()) {
            Some(origin) => {
                let host = self.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
                let own = base.split_once("://").map_or(base, |(_, rest)| rest);
                origin == base || (own == host && origin.split_once("://").is_some_and(|(_, to)| to == host))
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked<'a>(headers: &'a HeaderMap, path: &'a str, query: &'a str, body: &'a [u8]) -> Request<'a> {
        Request { method: &Method::POST, path, query, headers, body, source: None }
    }

    #[test]
    fn fields_are_read_as_browsers_send_them() {
        let fields = Fields::read(b"a=+x+&b=%C3%A4&c=&d=1&d=2&at=2026-11-21T08:00");
        assert_eq!((fields.text("a"), fields.text("b"), fields.text("c")), (Some("x"), Some("ä"), None));
        assert_eq!(fields.all("d").collect::<Vec<_>>(), ["1", "2"]);
        assert!(fields.is_set("c") && !fields.is_set("e"));
        assert_eq!(
            fields.time("at").map(|at| at.to_string()).as_deref(),
            Some("2026-11-21T08:00:00.000000Z")
        );
        assert_eq!(fields.time("a"), None);
    }

    #[test]
    fn a_form_with_a_file_says_the_same_as_one_without_and_has_the_file_besides() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, "multipart/form-data; boundary=B".parse().unwrap());
        let body = b"--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n x \r\n\
            --B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"y.png\"\r\n\r\n\xff\x00\r\n--B--";
        let request = asked(&headers, "/", "", body);
        assert_eq!((request.form().text("a"), request.form().text("f")), (Some("x"), None));
        assert_eq!((request.file("f"), request.file("a")), (Some(&b"\xff\x00"[..]), None));
        assert_eq!(request.typed(), [["a".to_owned(), " x ".to_owned()]]);
    }

    #[test]
    fn a_path_is_decoded_by_its_segments_and_a_cookie_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, "xpl=1; pl=2;ple=3".parse().unwrap());
        let request = asked(&headers, "/servers/7/a%2Fb", "", b"");
        assert_eq!(request.segments().unwrap(), ["servers", "7", "a/b"]);
        assert_eq!(asked(&headers, "/%ff", "", b"").segments(), None);
        assert_eq!((request.cookie("pl"), request.cookie("p")), (Some("2"), None));
    }

    #[test]
    fn only_a_page_of_our_own_may_change_something() {
        let from = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, value.parse().unwrap());
            }
            asked(&headers, "/", "", b"").is_our_own("https://portal.example")
        };
        assert!(from(&[("sec-fetch-site", "same-origin")]));
        for site in ["cross-site", "same-site", "none", ""] {
            assert!(!from(&[("sec-fetch-site", site), ("origin", "https://portal.example")]), "{site}");
        }
        assert!(from(&[("origin", "https://portal.example"), ("host", "portal.example")]));
        assert!(!from(&[("origin", "https://evil.example"), ("host", "portal.example")]));
        assert!(!from(&[("origin", "https://evil.example"), ("host", "evil.example")]));
        assert!(!from(&[("origin", "null")]));
        assert!(!from(&[]));
    }
}

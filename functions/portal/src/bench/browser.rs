//! A browser of tests: it keeps cookies as real ones do, follows links, sends forms, and unpacks what it gets.

use super::Bench;
use crate::{Answer, Request};
use flate2::read::GzDecoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use ledger::Time;
use people::Mail;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::IpAddr;

/// A mail with a code, as its reader sees it.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) to: Option<String>,
    pub(crate) code: String,
    /// The path of the link.
    pub(crate) link: Option<String>,
}

impl Sent {
    /// A code that is not this one.
    pub(crate) fn wrong(&self) -> String {
        format!("{:08}", (self.code.parse::<u64>().unwrap() + 1) % 100_000_000)
    }
}

/// A browser, with its cookies.
pub(crate) struct Browser<'a> {
    pub(crate) bench: &'a Bench,
    pub(super) jar: BTreeMap<String, (String, Time)>,
    /// Where it is.
    pub(crate) from: Option<IpAddr>,
    /// Who signed in in it, by a code.
    pub(crate) whose: Option<String>,
}

impl Browser<'_> {
    /// Follows a link.
    pub(crate) async fn get(&mut self, target: &str) -> Seen {
        self.send(Method::GET, target, &[("sec-fetch-site", "same-origin")], b"").await
    }

    /// Sends a form of a page of ours.
    pub(crate) async fn post(&mut self, target: &str, fields: &[(&str, &str)]) -> Seen {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        let headers =
            [("sec-fetch-site", "same-origin"), ("content-type", "application/x-www-form-urlencoded")];
        self.send(Method::POST, target, &headers, form.finish().as_bytes()).await
    }

    /// Sends anything.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Seen {
        let mut all = HeaderMap::new();
        let now = self.bench.now();
        self.jar.retain(|_, (_, until)| now < *until);
        if !self.jar.is_empty() {
            let pairs: Vec<String> =
                self.jar.iter().map(|(name, (value, _))| format!("{name}={value}")).collect();
            all.insert(http::header::COOKIE, pairs.join("; ").parse().unwrap());
        }
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            all.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let target = target.split('#').next().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let asked = Request { method: &method, path, query, headers: &all, body, source: self.from };
        let seen = Seen::of(self.bench.portal.answer(&asked).await);
        for cookie in seen.cookies() {
            self.keep(&cookie);
        }
        seen
    }

    /// Keeps a cookie as browsers do. One that a browser would refuse fails the test.
    fn keep(&mut self, cookie: &SetCookie) {
        let is_secure = self.bench.portal.settings.is_secure();
        let has = |name: &str| cookie.attributes.iter().any(|one| one == name);
        assert!(!has("Secure") || is_secure, "a cookie for TLS that comes without it: {cookie:?}");
        let of_host = !cookie.name.starts_with("__Host-") || (has("Secure") && has("Path=/"));
        let domain = cookie.attributes.iter().any(|one| one.starts_with("Domain"));
        assert!(of_host && !domain, "no browser keeps it: {cookie:?}");
        let lasts = cookie.attributes.iter().find_map(|one| one.strip_prefix("Max-Age="));
        let until = self.bench.now().plus_seconds(lasts.expect("it ends").parse().unwrap());
        self.jar.insert(cookie.name.clone(), (cookie.value.clone(), until));
        let now = self.bench.now();
        self.jar.retain(|_, (_, until)| now < *until);
    }

    /// What a cookie holds, by its name on TLS or without.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        let name = self.bench.portal.settings.cookie(name);
        self.jar.get(&name).map(|(value, _)| value.clone())
    }

    /// Puts a cookie there, as somebody else may have.
    pub(crate) fn set_cookie(&mut self, name: &str, value: &str) {
        let name = self.bench.portal.settings.cookie(name);
        self.jar.insert(name, (value.to_owned(), self.bench.now().plus_days(400)));
    }

    /// Asks for a code; the mail, if one went to somebody.
    pub(crate) async fn ask_for_code(&mut self, address: &str) -> Option<Sent> {
        self.bench.outbox.take();
        let seen = self.post("/sign-in", &[("address", address)]).await;
        assert_eq!((seen.status, seen.location()), (303, Some("/sign-in/code")), "{}", seen.text());
        self.bench.sent().filter(|sent| sent.to.is_some())
    }

    /// Whether somebody is signed in in it.
    pub(crate) async fn is_in(&mut self) -> bool {
        match self.get("/").await {
            seen if seen.status == 200 => true,
            seen => {
                assert_eq!((seen.status, seen.location()), (303, Some("/sign-in")));
                false
            }
        }
    }
}

impl Bench {
    /// The one mail with a code that was put down since the last look, to somebody or to nobody.
    pub(crate) fn sent(&self) -> Option<Sent> {
        let mut all = self.outbox.take();
        assert!(all.len() <= 1, "one mail at most");
        let Some(Mail::Code { to, code, link, .. }) = all.pop() else { return None };
        let base = &self.portal.settings.known.url;
        let link = link.map(|link| link.strip_prefix(base.as_str()).expect("a link of ours").to_owned());
        Some(Sent { to, code, link })
    }
}

/// A cookie as it is set.
#[derive(Clone, Debug)]
pub(crate) struct SetCookie {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) attributes: Vec<String>,
}

/// What a browser got.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// Unpacked.
    pub(crate) body: Vec<u8>,
    /// How many bytes came.
    pub(crate) bytes: usize,
}

impl Seen {
    fn of(answer: Answer) -> Seen {
        let (parts, packed) = answer.into_parts();
        let bytes = packed.len();
        let body = match parts.headers.get(CONTENT_ENCODING) {
            None => packed,
            Some(_) => {
                let mut body = Vec::new();
                GzDecoder::new(&packed[..]).read_to_end(&mut body).unwrap();
                body
            }
        };
        Seen { status: parts.status.as_u16(), headers: parts.headers, body, bytes }
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Where it leads on to.
    pub(crate) fn location(&self) -> Option<&str> {
        self.header(LOCATION.as_str())
    }

    pub(crate) fn is_html(&self) -> bool {
        self.header(CONTENT_TYPE.as_str()).is_some_and(|kind| kind.starts_with("text/html"))
    }

    /// The cookies that it sets.
    pub(crate) fn cookies(&self) -> Vec<SetCookie> {
        let all = self.headers.get_all(SET_COOKIE).iter();
        all.map(|header| {
            let mut parts = header.to_str().unwrap().split("; ").map(str::to_owned);
            let (name, value) = parts.next().unwrap().split_once('=').map(own).unwrap();
            SetCookie { name, value, attributes: parts.collect() }
        })
        .collect()
    }

    /// All of it, but for what cookies hold, so that two answers can be compared.
    pub(crate) fn whole(&self) -> String {
        let mut lines = vec![format!("status {}", self.status)];
        for (name, value) in &self.headers {
            if name != SET_COOKIE {
                lines.push(format!("{name}: {}", value.to_str().unwrap()));
            }
        }
        for cookie in self.cookies() {
            lines.push(format!(
                "cookie {}={}; {:?}",
                cookie.name,
                !cookie.value.is_empty(),
                cookie.attributes
            ));
        }
        lines.sort();
        format!("{}\n\n{}", lines.join("\n"), String::from_utf8_lossy(&self.body))
    }
}

fn own((one, other): (&str, &str)) -> (String, String) {
    (one.to_owned(), other.to_owned())
}

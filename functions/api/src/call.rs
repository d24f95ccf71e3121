//! A request as it comes, and an answer as it goes, whatever server or gateway stands before them.

use crate::mask::{self, Typed};
use crate::problem::Problem;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, LINK};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use ledger::Time;
use percent_encoding::percent_decode_str;
use platform::CallFailed;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;
use std::collections::BTreeMap;

/// The largest body that is read, in bytes: 10,000 addresses of the longest kind.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The longest place in a body that is told, in characters.
const POINTER_CHARS_MAX: usize = 200;
/// What a gateway lets through, in bytes; Lambda takes 6 MB.
const _: () = assert!(BODY_BYTES_MAX < 6 * 1000 * 1000);

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its path, decoded, as API Gateway hands it on.
    pub path: &'a str,
    /// Its query, as it was sent.
    pub query: &'a str,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body.
    pub body: &'a [u8],
}

/// Whether a request is a webhook whose URL was pasted wrongly: it comes by POST with the kind of password that webhooks
/// have. Every refusal but one that passes would drop its event for good.
pub fn is_webhook(method: &Method, headers: &HeaderMap) -> bool {
    let basic = |header: &HeaderValue| {
        header.as_bytes().get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic "))
    };
    method == Method::POST && headers.get_all(AUTHORIZATION).iter().any(basic)
}

impl Call<'_> {
    /// Its body as JSON.
    ///
    /// # Errors
    /// [`Problem::bad_request`], which says where (a JSON pointer) and what was expected there.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        if self.body.len() > BODY_BYTES_MAX {
            return Err(Problem::too_large(format!("a body has at most {BODY_BYTES_MAX} bytes")));
        }
        let mut json = serde_json::Deserializer::from_slice(self.body);
        let read = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let place = pointer(error.path());
            not_read(error.inner(), &place)
        })?;
        json.end().map_err(|error| not_read(&error, ""))?;
        Ok(read)
    }

    /// Whether an address, or the end of one, stands in its query. No name and no value that is asked for has an `@`.
    pub(crate) fn query_has_address(&self) -> bool {
        self.query.contains('@') || self.query.contains("%40")
    }

    /// Its query, in which only these names may stand, each once.
    pub fn query(&self, names: &'static [&'static str]) -> Result<Query, Problem> {
        let mut query = Query { names, values: BTreeMap::new() };
        for pair in self.query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // A plus is a plus, as in `+02:00`: no value that is asked for has a space in it.
            let decoded = |text| percent_decode_str(text).decode_utf8().map(String::from);
            let (Ok(name), Ok(value)) = (decoded(name), decoded(value)) else {
                return Err(Problem::bad_request("the query is not UTF-8"));
            };
            let Some(name) = names.iter().find(|known| **known == name) else {
                let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                return Err(Problem::bad_request(format!(
                    "the query has an unknown parameter; known are: {known}"
                )));
            };
            if query.values.insert(name, value).is_some() {
                return Err(Problem::bad_request(format!("{name} is twice in the query")));
            }
        }
        Ok(query)
    }
}

/// A place in a body as a JSON pointer (RFC 6901), as far as it is told.
fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut pointer = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => pointer += &format!("/{index}"),
            Segment::Map { key } | Segment::Enum { variant: key } => {
                pointer += &format!("/{}", key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Unknown => {}
        }
    }
    pointer.chars().take(POINTER_CHARS_MAX).collect()
}

/// What is wrong with a body. serde's own words quote what was met: of them only what it expected is told.
fn not_read(error: &serde_json::Error, place: &str) -> Problem {
    let (line, column) = (error.line(), error.column());
    if error.classify() != serde_json::error::Category::Data {
        return Problem::bad_request(format!("the body, line {line}, column {column}: it is not JSON"));
    }
    let words = error.to_string();
    let words = words.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&words);
    let what = if words.starts_with("missing field") || words.starts_with("duplicate field") {
        words.replace("field", "member")
    } else if words.ends_with("there are no fields") {
        "no members are expected".to_owned()
    } else if let Some((met, expected)) = words.rsplit_once(", expected ") {
        let unknown = if met.starts_with("unknown field") { "there is no such member, " } else { "" };
        format!("{unknown}expected {expected}")
    } else {
        // The words of a type of ours, which quote nothing.
        words.to_owned()
    };
    let place = if place.is_empty() { String::new() } else { format!(", at {place}") };
    Problem::bad_request(format!("the body{place}: {what}"))
}

/// What a query says.
#[derive(Clone, Debug)]
pub struct Query {
    names: &'static [&'static str],
    values: BTreeMap<&'static str, String>,
}

impl Query {
    /// A value, if it is given.
    pub fn text(&self, name: &str) -> Option<&str> {
        debug_assert!(self.names.contains(&name), "a name that is asked for is one that may be given");
        self.values.get(name).map(String::as_str)
    }

    /// A value, read; `what` says what is expected.
    pub fn read<T>(
        &self,
        name: &str,
        what: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let wrong = || Problem::bad_request(format!("{name}: expected {what}"));
        self.text(name).map(|text| read(text).ok_or_else(wrong)).transpose()
    }

    /// An instant.
    pub fn time(&self, name: &str) -> Result<Option<Time>, Problem> {
        self.read(name, "an instant such as 2026-11-21T08:00:00Z", |text| instant(text).ok())
    }

    /// From when until when: `from` and `to`; without them `from` and `to` of the caller, and without its `from` so many
    /// days back as the first of `days` says. The second is how many they may be apart.
    pub fn window(&self, from: Option<Time>, to: Time, days: [i64; 2]) -> Result<(Time, Time), Problem> {
        let to = self.time("to")?.unwrap_or(to);
        let from = self.time("from")?.or(from).unwrap_or_else(|| to.plus_days(-days[0]));
        if from > to {
            return Err(Problem::bad_request("from comes after to").next("set `from` to the earlier time"));
        }
        if from < to.plus_days(-days[1]) {
            let days = days[1];
            return Err(Problem::bad_request(format!("from and to are more than {days} days apart")).next(
                format!(
                    "ask in several parts, with at most {days} days between `from` and `to` (the \
                    latest `to` is now)"
                ),
            ));
        }
        Ok((from, to))
    }

    /// `limit`, if that is given, else `default`.
    ///
    /// # Errors
    /// [`Problem::bad_request`] where it is no number from 1 to `most`.
    pub fn limit(&self, default: usize, most: usize) -> Result<usize, Problem> {
        let within = |text: &str| text.parse().ok().filter(|limit| (1..=most).contains(limit));
        Ok(self.read("limit", &format!("a number from 1 to {most}"), within)?.unwrap_or(default))
    }
}

/// An instant that somebody asks about, between the years 1 and 9999.
fn instant(text: &str) -> Result<Time, ledger::time::TimeError> {
    // Surrounding white space is no part of RFC 3339.
    if text.trim() == text { text.parse() } else { Err(ledger::time::TimeError) }
}

/// A time as it is given out.
pub fn rfc3339(at: Time) -> String {
    at.to_string()
}

/// An answer that went well.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    status: StatusCode,
    kind: &'static str,
    body: Vec<u8>,
    link: Option<String>,
}

impl Answer {
    /// JSON.
    pub fn json(value: &impl Serialize) -> Answer {
        Answer::with_status(StatusCode::OK, value)
    }

    /// JSON, with another status than 200.
    pub fn with_status(status: StatusCode, value: &impl Serialize) -> Answer {
        let body = serde_json::to_vec(value).unwrap_or_else(|_| unreachable!("an answer is plain JSON"));
        Answer { status, kind: "application/json", body, link: None }
    }

    /// Nothing but that it is done.
    pub fn done() -> Answer {
        Answer { status: StatusCode::NO_CONTENT, kind: "", body: Vec::new(), link: None }
    }

    /// A page of CSV; `next` is the path and query of the next one.
    pub fn csv(body: Vec<u8>, next: Option<String>) -> Answer {
        let link = next.map(|next| format!("<{next}>; rel=\"next\""));
        Answer { status: StatusCode::OK, kind: "text/csv; charset=utf-8; header=present", body, link }
    }

    /// The same for somebody who is not to see addresses. A table has them in one column, which is masked already.
    pub(crate) fn masked(mut self, typed: &Typed) -> Answer {
        if let Ok(mut value) = serde_json::from_slice(&self.body) {
            mask::answer(&mut value, typed);
            self.body = Value::to_string(&value).into_bytes();
        }
        self
    }

    /// A text that is JSON already.
    pub(crate) fn document(text: &str) -> Answer {
        Answer {
            status: StatusCode::OK,
            kind: "application/json",
            body: text.as_bytes().to_vec(),
            link: None,
        }
    }
}

/// What is sent: an answer, or why there is none.
pub fn response(answer: Result<Answer, Problem>) -> Response<Vec<u8>> {
    let mut call = None;
    let (status, kind, body, extra) = match answer {
        Ok(Answer { status, kind, body, link }) => {
            (status, kind, body, link.and_then(|link| Some((LINK, HeaderValue::from_str(&link).ok()?))))
        }
        Err(problem) => {
            let body = Value::to_string(&problem.document()).into_bytes();
            call = problem.call().cloned();
            (problem.status(), "application/problem+json", body, problem.header().cloned())
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    // What a client may see is not for whoever shares its proxy.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if !kind.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    headers.extend(extra);
    // For whoever asks in this process; nothing of it goes over HTTP.
    if let Some(call) = call {
        response.extensions_mut().insert::<CallFailed>(call);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(query: &str) -> Result<Query, Problem> {
        let (method, headers) = (Method::GET, HeaderMap::new());
        Call { method: &method, path: "", query, headers: &headers, body: &[] }.query(&["from", "limit"])
    }

    #[test]
    fn a_query_has_known_names_once_and_a_plus_is_a_plus() {
        let read = query("from=2026-11-21T08:00:00+01:00&limit=5").unwrap();
        assert_eq!(read.time("from").unwrap().map(rfc3339).as_deref(), Some("2026-11-21T07:00:00.000000Z"));
        assert_eq!(read.limit(10, 100), Ok(5));
        assert_eq!(query("").unwrap().limit(10, 100), Ok(10));
        for wrong in [
            "x=1",
            "from",
            "from=a&from=b",
            "limit=0",
            "limit=101",
            "limit=-1",
            "limit=%ff",
            "from=%202026-11-21T08:00:00Z",
        ] {
            let read = query(wrong).and_then(|read| Ok((read.time("from")?, read.limit(10, 100)?)));
            assert_eq!(read.map_err(|problem| problem.code()), Err("bad-request"), "{wrong}");
        }
    }

    #[test]
    fn a_body_that_is_not_understood_is_not_quoted() {
        let (method, headers) = (Method::POST, HeaderMap::new());
        for body in ["", "ida@customer.example", r#"["ida@customer.example"]"#] {
            let call =
                Call { method: &method, path: "", query: "", headers: &headers, body: body.as_bytes() };
            let problem = call.json::<BTreeMap<String, i64>>().unwrap_err();
            assert!(!problem.document().to_string().contains("ida"), "{problem:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_body_is_told_by_its_place_and_what_was_expected() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "it is only read")]
        struct Asked {
            stream: String,
            addresses: Vec<String>,
            role: Option<crate::token::Role>,
            servers: Option<Vec<ledger::ServerId>>,
        }
        let detail = |body: &str| {
            let (method, headers) = (Method::POST, HeaderMap::new());
            let call =
                Call { method: &method, path: "", query: "", headers: &headers, body: body.as_bytes() };
            call.json::<Asked>().unwrap_err().document()["detail"].as_str().unwrap().to_owned()
        };
        for (body, told) in [
            (r#"{"stream":7,"addresses":[]}"#, "the body, at /stream: expected a string"),
            (
                r#"{"stream":"s","addresses":["a",{"ida@x.example":1}]}"#,
                "the body, at /addresses/1: expected a string",
            ),
            (r#"{"stream":"s"}"#, "the body: missing member `addresses`"),
            (r#"{"stream":"s","stream":"s"}"#, "the body: duplicate member `stream`"),
            (
                r#"{"streem":"s"}"#,
                "the body, at /streem: there is no such member, expected one of `stream`, `addresses`, `role`, `servers`",
            ),
            (
                r#"{"stream":"s","addresses":[],"role":"ida@x.example"}"#,
                "the body, at /role: expected one of `viewer`, `admin`, `operator`",
            ),
            (
                r#"{"stream":"s","addresses":[],"servers":[1,"x, expected ida"]}"#,
                "the body, at /servers/1: expected i64",
            ),
            (
                r#"{"stream":"s","addresses":[],"servers":[-1]}"#,
                "the body, at /servers/0: not a server id: expected Postmark's numeric ServerID, such as 8123456",
            ),
            ("[]", "the body: expected struct Asked with 4 elements"),
            (
                r#"{"a/b~c":1}"#,
                "the body, at /a~1b~0c: there is no such member, expected one of `stream`, `addresses`, `role`, `servers`",
            ),
            (r#"{"stream":"s","addresses":[]} x"#, "the body, line 1, column 31: it is not JSON"),
            (r#"{"stream":"s""#, "the body, line 1, column 13: it is not JSON"),
        ] {
            assert_eq!(detail(body), told, "{body}");
        }
    }
}

//! [`Endpoint`]: where Postmark is, and how often a call is tried.

use crate::error::{ApiError, Cause};
use crate::health;
use crate::smtp::{NoSmtp, Smtp};
use crate::token::Token;
use crate::transport::{Chunks, Transport, TransportError};
use crate::words;
use crate::{Https, Timeouts};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use http::{HeaderMap, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use platform::{Backoff, Config, config};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// Where Postmark's API is.
pub const POSTMARK: &str = "https://api.postmarkapp.com";

/// The largest answer that is taken whole, in bytes. Postmark keeps 1 MB of a message, and a page of 500 messages takes
/// about as much. The dump of a suppression list is not taken whole.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The largest answer to a refused call that is looked at, in bytes.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;

/// All but letters, digits and `-._~` is escaped in URLs.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How often a call is tried, and how long is waited between two tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Tries in all; 1: none but the first.
    pub attempts: u32,
    /// The longest pause after the first try; it doubles with each one. What is waited is drawn between nothing and it.
    pub first_pause: Duration,
    /// What it does not grow beyond, and the most that Postmark's own `Retry-After` is obeyed for.
    pub most_pause: Duration,
}

impl Default for Retries {
    /// 5 tries with pauses of up to 1, 2, 4 and 8 seconds.
    fn default() -> Retries {
        Retries { attempts: 5, first_pause: Duration::from_secs(1), most_pause: Duration::from_secs(15) }
    }
}

/// Where Postmark is, through which transport, and how often it is asked.
#[derive(Clone)]
pub struct Endpoint {
    transport: Arc<dyn Transport>,
    smtp: Arc<dyn Smtp>,
    base: String,
    retries: Retries,
}

impl Endpoint {
    /// Postmark itself.
    pub fn new(transport: Arc<dyn Transport>) -> Endpoint {
        Endpoint { transport, smtp: Arc::new(NoSmtp), base: POSTMARK.to_owned(), retries: Retries::default() }
    }

    /// Postmark over HTTPS, as a function is told to reach it.
    ///
    /// # Errors
    /// Where TLS cannot be set up.
    pub fn configured(config: &Config) -> Result<Endpoint, TransportError> {
        let endpoint = Endpoint::new(Arc::new(Https::new(Timeouts::default())?));
        Ok(endpoint.with_base(config.text(config::POSTMARK).unwrap_or(POSTMARK)))
    }

    /// The same at another base URL, such as a simulator's: `http://127.0.0.1:9000`.
    #[must_use]
    pub fn with_base(mut self, base: &str) -> Endpoint {
        self.base = base.trim_end_matches('/').to_owned();
        self
    }

    /// The same where SMTP is spoken too.
    #[must_use]
    pub fn with_smtp(mut self, smtp: Arc<dyn Smtp>) -> Endpoint {
        self.smtp = smtp;
        self
    }

    /// Postmark by SMTP.
    pub fn smtp(&self) -> &dyn Smtp {
        &*self.smtp
    }

    /// The same with other retries.
    #[must_use]
    pub fn with_retries(mut self, retries: Retries) -> Endpoint {
        self.retries = retries;
        self
    }

    /// The base URL.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// With a token, in the header that its kind is sent in.
    pub(crate) fn session(&self, header: &'static str, token: Token) -> Session {
        Session { endpoint: self.clone(), header, token }
    }
}

/// One call, before it is sent.
pub(crate) struct Call {
    method: Method,
    /// What errors call it: the path without what is filled in.
    name: &'static str,
    /// Path and query.
    target: String,
    body: Bytes,
    /// Must not be done twice.
    once: bool,
    /// An answer of 200 may have an `ErrorCode`, which the caller must handle.
    lenient: bool,
}

impl Call {
    /// A call whose path is `name` with each `{}` replaced by one of `parts`, escaped.
    pub(crate) fn new(method: Method, name: &'static str, parts: &[&str]) -> Call {
        let mut target = String::new();
        let mut parts = parts.iter();
        for (index, piece) in name.split("{}").enumerate() {
            if index > 0 {
                target.extend(utf8_percent_encode(parts.next().unwrap_or(&""), ESCAPED));
            }
            target.push_str(piece);
        }
        Call { method, name, target, body: Bytes::new(), once: false, lenient: false }
    }

    pub(crate) fn get(name: &'static str, parts: &[&str]) -> Call {
        Call::new(Method::GET, name, parts)
    }

    /// Adds a parameter to the query.
    pub(crate) fn with(mut self, key: &str, value: impl AsRef<str>) -> Call {
        let mark = if self.target.contains('?') { '&' } else { '?' };
        let value = utf8_percent_encode(value.as_ref(), ESCAPED);
        let _ = write!(self.target, "{mark}{key}={value}");
        self
    }

    /// Adds a parameter if there is one.
    pub(crate) fn with_some(self, key: &str, value: Option<impl AsRef<str>>) -> Call {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    pub(crate) fn body(mut self, body: &Value) -> Call {
        self.body = body.to_string().into();
        self
    }

    /// It must not be done twice.
    pub(crate) fn once(mut self) -> Call {
        self.once = true;
        self
    }

    /// An `ErrorCode` in an answer of 200 is the caller's business.
    pub(crate) fn lenient(mut self) -> Call {
        self.lenient = true;
        self
    }
}

/// What failed once, and whether it may be tried again.
struct Failure {
    error: ApiError,
    again: Again,
    /// What the answer asked to wait, if it did.
    after: Option<Duration>,
}

/// Whether a try may be followed by another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    Never,
    /// It may have been done.
    Repeatable,
    /// It was not done.
    Always,
}

impl Failure {
    fn never(error: ApiError) -> Failure {
        Failure { error, again: Again::Never, after: None }
    }

    fn of(cause: Cause) -> Failure {
        let undone = match &cause {
            Cause::Throttled | Cause::Maintenance => true,
            Cause::Transport(error) => matches!(error, crate::TransportError::NotConnected(_)),
            Cause::Fault(_) => false,
        };
        let again = if undone { Again::Always } else { Again::Repeatable };
        Failure { error: ApiError::Unavailable(cause), again, after: None }
    }
}

/// An endpoint and the token that is shown to it.
#[derive(Clone)]
pub(crate) struct Session {
    endpoint: Endpoint,
    header: &'static str,
    token: Token,
}

impl Session {
    /// The whole answer, as JSON that is understood.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, call: Call) -> Result<T, ApiError> {
        let body = self.whole(&call).await?;
        // serde's own words may quote what they stumble over.
        serde_json::from_slice(&body).map_err(|error| {
            let kind = if error.is_data() { "it has other fields or types" } else { "it is not JSON" };
            let (line, column) = (error.line(), error.column());
            ApiError::NotUnderstood(format!("{kind} (line {line}, column {column} of {})", call.says()))
        })
    }

    /// The answer's body as it comes in. What breaks after its first byte is not mended here.
    pub(crate) async fn stream(&self, call: &Call) -> Result<Chunks, ApiError> {
        let mut tries = Tries::new(self.endpoint.retries, call.once);
        loop {
            match self.open(call).await {
                Ok(body) => return Ok(body),
                Err(failure) => tries.again(failure).await?,
            }
        }
    }

    async fn whole(&self, call: &Call) -> Result<Bytes, ApiError> {
        let mut tries = Tries::new(self.endpoint.retries, call.once);
        loop {
            let attempt = async {
                let body = read(self.open(call).await?, ANSWER_BYTES_MAX).await?;
                let body = body.ok_or_else(|| {
                    let words = format!("{} is larger than {ANSWER_BYTES_MAX} bytes", call.says());
                    Failure::never(ApiError::NotUnderstood(words))
                })?;
                // A refusal with a status of success: it is documented nowhere, and must not pass as an empty list.
                let told = ErrorBody::of(&body, &HeaderMap::new());
                if told.code != 0 && !call.lenient {
                    return Err(Failure::never(self.refused(200, &told)));
                }
                Ok(body)
            };
            match attempt.await {
                Ok(body) => return Ok(body),
                Err(failure) => tries.again(failure).await?,
            }
        }
    }

    /// One try: the body of an answer that is no refusal.
    async fn open(&self, call: &Call) -> Result<Chunks, Failure> {
        let request = http::Request::builder()
            .method(call.method.clone())
            .uri(format!("{}{}", self.endpoint.base, call.target))
            .header(http::header::ACCEPT, "application/json")
            .header(http::header::CONTENT_TYPE, "application/json")
            .header(http::header::USER_AGENT, concat!("postledger/", env!("CARGO_PKG_VERSION")))
            .header(self.header, self.token.reveal())
            .body(call.body.clone());
        let request = request.map_err(|_| Failure::never(ApiError::NotSent("the base URL is not a URL")))?;
        let answer = self.endpoint.transport.call(request).await;
        let (head, body) = answer.map_err(|error| Failure::of(error.into()))?.into_parts();
        if head.status.is_success() {
            return Ok(body);
        }
        let status = head.status.as_u16();
        // Whatever breaks while it is read, it is a refusal.
        let body = read(body, REFUSAL_BYTES_MAX).await.ok().flatten().unwrap_or_default();
        let told = ErrorBody::of(&body, &head.headers);
        let cause = match (status, told.code) {
            (429, _) => Cause::Throttled,
            (503, 100) => Cause::Maintenance,
            (500.., _) => Cause::Fault(status),
            // A failed verification: its code stands in a header only, and a proxy may have taken that away.
            (422, 0 | 1364) => {
                let failed = health::verification(&body, self.token.reveal()).map(ApiError::Unverified);
                return Err(Failure::never(failed.unwrap_or_else(|| self.refused(status, &told))));
            }
            _ => return Err(Failure::never(self.refused(status, &told))),
        };
        let after = head.headers.get(http::header::RETRY_AFTER).and_then(|after| after.to_str().ok());
        let after = after.and_then(|after| after.trim().parse().ok()).map(Duration::from_secs);
        Err(Failure { after, ..Failure::of(cause) })
    }

    fn refused(&self, status: u16, told: &ErrorBody) -> ApiError {
        let (words, next) = words::refusal(status, told.code, &told.message, self.token.reveal());
        ApiError::Refused { status, code: told.code, words, next }
    }

    /// A text of Postmark's as far as it may be printed.
    pub(crate) fn token(&self) -> &str {
        self.token.reveal()
    }
}

impl Call {
    fn says(&self) -> String {
        format!("what {} {} answers", self.method, self.name)
    }

    /// An error of this call's answer.
    pub(crate) fn not_understood(&self, words: &str) -> ApiError {
        ApiError::NotUnderstood(format!("{words} ({})", self.says()))
    }
}

/// The fields of a refusal, if it is JSON.
struct ErrorBody {
    code: i64,
    message: String,
}

impl ErrorBody {
    fn of(body: &[u8], headers: &HeaderMap) -> ErrorBody {
        /// The outer members only: an answer of megabytes is skimmed, not built.
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Outer {
            #[serde(default)]
            error_code: Option<Value>,
            #[serde(default)]
            message: Option<Value>,
        }
        let outer: Option<Outer> = serde_json::from_slice(body).ok();
        let (code, message) = outer.map(|outer| (outer.error_code, outer.message)).unwrap_or_default();
        let number = |value: Value| value.as_i64().or_else(|| value.as_str()?.trim().parse().ok());
        let header = || headers.get("X-PM-ApiErrorCode")?.to_str().ok()?.trim().parse().ok();
        ErrorBody {
            code: code.and_then(number).or_else(header).unwrap_or(0),
            message: message.and_then(|message| Some(message.as_str()?.to_owned())).unwrap_or_default(),
        }
    }
}

/// A whole body; none if it is larger than it may be.
async fn read(mut chunks: Chunks, most: usize) -> Result<Option<Bytes>, Failure> {
    let mut whole = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| Failure::of(error.into()))?;
        if whole.len() + chunk.len() > most {
            return Ok(None);
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(Some(whole.freeze()))
}

/// The tries of one call.
struct Tries {
    left: u32,
    backoff: Backoff,
    most: Duration,
    once: bool,
}

impl Tries {
    fn new(retries: Retries, once: bool) -> Tries {
        Tries {
            left: retries.attempts.saturating_sub(1),
            backoff: Backoff::new(retries.first_pause, retries.most_pause),
            most: retries.most_pause,
            once,
        }
    }

    /// Waits for the next try, if there is one.
    async fn again(&mut self, failure: Failure) -> Result<(), ApiError> {
        let repeatable = match failure.again {
            Again::Never => return Err(failure.error),
            Again::Repeatable => !self.once,
            Again::Always => true,
        };
        match failure.error {
            ApiError::Unavailable(cause) if !repeatable => return Err(ApiError::Uncertain(cause)),
            error if self.left == 0 => return Err(error),
            _ => self.left -= 1,
        }
        let asked = failure.after.unwrap_or_default().min(self.most);
        tokio::time::sleep(self.backoff.pause().max(asked)).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TransportError;
    use crate::testing::{AT_ONCE, Played, Script, TOKEN, broken, endpoint, not_connected, server, told};
    use serde_json::json;

    const OK: &str = r#"{"ID":1}"#;

    #[tokio::test]
    async fn every_call_bears_the_headers_that_postmark_asks_for() {
        let script = Script::of([told(200, OK), told(200, r#"{"TotalCount":0,"Servers":[]}"#)]);
        let endpoint = endpoint(script.clone()).with_base("http://127.0.0.1:9000/");
        assert_eq!(endpoint.base(), "http://127.0.0.1:9000");
        endpoint.server(Token::new(TOKEN).unwrap()).server().await.unwrap();
        endpoint.account(Token::new(TOKEN).unwrap()).servers().await.unwrap();
        for index in 0..2 {
            for name in ["accept", "content-type"] {
                assert_eq!(script.header(index, name).as_deref(), Some("application/json"), "{name}");
            }
        }
        let kinds = ["X-Postmark-Server-Token", "X-Postmark-Account-Token"];
        for (index, names) in [(0, kinds), (1, [kinds[1], kinds[0]])] {
            assert_eq!(script.header(index, names[0]).as_deref(), Some(TOKEN));
            assert_eq!(script.header(index, names[1]), None);
        }
    }

    fn cut_off() -> Played {
        Ok((http::Response::builder(), vec![Ok("{\"ID\"".into()), Err(broken())]))
    }

    #[tokio::test]
    async fn what_passes_is_tried_again_and_counted() {
        let (api, script) =
            server([told(429, ""), told(502, "<html>"), Err(broken()), cut_off(), told(200, OK)]);
        assert_eq!(api.server().await.unwrap().id, 1);
        assert_eq!(script.calls(), 5);
        for (answer, cause) in [
            (told(429, ""), Cause::Throttled),
            (told(500, r#"{"ErrorCode":101,"Message":"x"}"#), Cause::Fault(500)),
            (told(503, r#"{"ErrorCode":100,"Message":"x"}"#), Cause::Maintenance),
            (Err(not_connected()), Cause::Transport(not_connected())),
            (Err(TransportError::TooSlow), Cause::Transport(TransportError::TooSlow)),
            (cut_off(), Cause::Transport(broken())),
        ] {
            let four = [told(504, ""), told(504, ""), told(504, ""), told(504, "")];
            let (api, script) = server(four.into_iter().chain([answer, told(200, OK)]));
            let error = api.server().await.unwrap_err();
            assert_eq!(error, ApiError::Unavailable(cause));
            assert!(error.next().is_some());
            assert_eq!(script.calls(), 5, "{error}");
        }
    }

    #[tokio::test]
    async fn a_send_is_tried_again_only_if_it_cannot_have_been_done() {
        let undone = [
            Err(not_connected()),
            told(429, ""),
            told(503, r#"{"ErrorCode":100,"Message":"Maintenance"}"#),
            told(200, r#"{"ErrorCode":0,"MessageID":"m"}"#),
        ];
        let (api, script) = server(undone);
        assert_eq!(api.send(&json!({})).await.unwrap()["MessageID"], "m");
        assert_eq!(script.calls(), 4);
        for answer in
            [Err(broken()), Err(TransportError::TooSlow), told(500, ""), told(503, "<html>"), cut_off()]
        {
            let (api, script) = server([answer, told(200, "[]")]);
            let error = api.send_batch(&[json!({})]).await.unwrap_err();
            assert!(matches!(error, ApiError::Uncertain(_)), "{error}");
            assert!(error.next().is_some());
            assert_eq!(script.calls(), 1, "{error}");
        }
    }

    #[tokio::test]
    async fn items_of_a_batch_and_a_send_in_part_keep_their_own_codes() {
        let (api, _) = server([
            told(200, r#"[{"ErrorCode":0},{"ErrorCode":406}]"#),
            told(200, r#"{"ErrorCode":406,"MessageID":"m"}"#),
        ]);
        assert_eq!(api.send_batch(&[json!({}), json!({})]).await.unwrap()[1]["ErrorCode"], 406);
        assert_eq!(api.send(&json!({})).await.unwrap()["MessageID"], "m");
    }

    #[tokio::test]
    async fn a_refusal_is_final_whether_it_is_json_or_not() {
        for (status, body, code) in [
            (401, r#"{"ErrorCode":10,"Message":"Bad token"}"#, 10),
            (422, r#"{"ErrorCode":"700","Message":null}"#, 700),
            (404, "<html>Not found</html>", 0),
            (413, "", 0),
            (415, "\u{0}", 0),
            (302, "", 0),
            (200, r#"{"ErrorCode":1226,"Message":"No such stream"}"#, 1226),
        ] {
            let (api, script) = server([told(status, body), told(200, OK)]);
            let error = api.server().await.unwrap_err();
            let ApiError::Refused { status: told, code: number, next, .. } = &error else {
                panic!("{error}")
            };
            assert_eq!((*told, *number), (status, code));
            assert!(next.is_some(), "{error}");
            assert_eq!(script.calls(), 1, "{error}");
        }
        let head = http::Response::builder().status(422).header("X-PM-ApiErrorCode", "1003");
        let (api, _) = server([Ok((head, vec![Ok("<html>".into())]))]);
        let error = api.activate_bounce(1).await.unwrap_err().to_string();
        assert_eq!(error, "Postmark refuses (422, 1003): this bounce cannot be reactivated");
    }

    #[tokio::test]
    async fn no_error_shows_a_token_or_an_address() {
        for code in 0..2000 {
            let words = format!("Found inactive addresses: jane@x.example. Token {TOKEN} of jane@x.example.");
            let (api, _) = server([told(422, json!({"ErrorCode": code, "Message": words}))]);
            let error = api.send(&json!({})).await.unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("jane") && !shown.contains(TOKEN), "{shown}");
        }
        let (api, _) =
            server([told(200, r#"{"ID":"jane@x.example"}"#), told(200, r#"{"ID": jane@x.example"#)]);
        for words in ["other fields or types", "not JSON"] {
            let error = api.server().await.unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains(words) && !shown.contains("jane"), "{shown}");
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_too_large_is_not_taken_whole() {
        let chunk = Bytes::from(vec![b' '; 1024 * 1024]);
        let chunks = vec![Ok(chunk); ANSWER_BYTES_MAX / (1024 * 1024) + 1];
        let (api, script) = server([Ok((http::Response::builder(), chunks))]);
        let error = api.server().await.unwrap_err().to_string();
        assert!(error.contains("larger than 16777216 bytes"), "{error}");
        assert_eq!(script.calls(), 1);
    }

    #[tokio::test]
    async fn a_base_that_is_no_url_is_said_before_anything_is_sent() {
        let script = Script::of([]);
        let api = endpoint(script.clone()).with_base("not a url").server(Token::new(TOKEN).unwrap());
        assert!(matches!(api.server().await, Err(ApiError::NotSent(_))));
        assert_eq!(script.calls(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_double_up_to_the_most_and_a_wish_of_postmarks_is_obeyed_within_it() {
        let retries =
            Retries { attempts: 4, first_pause: Duration::from_secs(1), most_pause: Duration::from_secs(3) };
        for _ in 0..50 {
            let begun = tokio::time::Instant::now();
            let script = Script::of([told(500, ""), told(500, ""), told(500, ""), told(500, "")]);
            let api = endpoint(script.clone()).with_retries(retries).server(Token::new(TOKEN).unwrap());
            assert!(api.server().await.is_err());
            assert!(begun.elapsed() <= Duration::from_millis(6_010), "1 + 2 + 3 seconds at most");
        }
        let wish = |seconds: &str| -> Played {
            Ok((http::Response::builder().status(429).header("Retry-After", seconds), vec![]))
        };
        let begun = tokio::time::Instant::now();
        let script =
            Script::of([wish("2"), wish("86400"), wish("Wed, 25 Nov 2026 09:00:00 GMT"), told(200, OK)]);
        let api = endpoint(script.clone()).with_retries(retries).server(Token::new(TOKEN).unwrap());
        assert!(api.server().await.is_ok());
        let waited = begun.elapsed();
        assert!(waited >= Duration::from_secs(5) && waited < Duration::from_millis(8_010), "{waited:?}");
        assert_eq!(AT_ONCE.attempts, Retries::default().attempts);
    }

    #[test]
    fn what_is_filled_into_a_path_or_a_query_is_escaped() {
        let call =
            Call::get("/a/{}/b/{}", &["x/../y", "ä?"]).with("k", "a+b @&=").with_some("n", None::<&str>);
        assert_eq!(call.target, "/a/x%2F..%2Fy/b/%C3%A4%3F?k=a%2Bb%20%40%26%3D");
    }
}

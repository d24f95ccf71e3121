//! How the commands ask the read API: with a token over HTTP, as an operator with access to AWS in this process, or as
//! whoever operates the embedded mode, by the routes that only its operator reaches. The same requests, and the same
//! answers.
//!
//! Invariant: a token is read from a file or the environment, and is never printed.

use crate::args::Target;
use crate::args::{Access, Unknown};
use crate::aws::{self, Aws};
use crate::client::{agent, agent_at, unreachable_at};
use crate::target::{Context, Deployment};
use crate::{Failure, USAGE};
use account::audit::{Who, WhoKind};
use answers::{Problem, UNKNOWN_STREAM};
use embedded::admin::ACTOR;
use embedded::socket::{self, is_here};
use http::header::{AUTHORIZATION, CONTENT_TYPE, LINK};
use http::{HeaderValue, Method, Response, StatusCode};
use operator::Step;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use ureq::Agent;

/// How often a request that changes nothing more the second time is tried.
const TRIES: u32 = 3;
/// The first pause before it is tried again, doubled then.
const PAUSE: Duration = Duration::from_millis(500);
/// What stands before a token in a file that curl reads too.
pub const HEADER: &str = "Authorization: Bearer ";
/// What stands as it is in a segment of a path, or in a value of a query.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<(&'static str, Vec<u8>)>,
    again: bool,
}

impl Request {
    fn new(method: Method, segments: &[&str], again: bool) -> Request {
        let encoded = segments.iter().map(|segment| format!("/{}", utf8_percent_encode(segment, PLAIN)));
        let path = format!("/v1{}", encoded.collect::<String>());
        Request { method, path, query: Vec::new(), body: None, again }
    }

    /// Asks for what only operators may: `/v1/operator/…`.
    pub fn operator(method: Method, segments: &[&str]) -> Request {
        let again = method == Method::GET;
        Request::new(method, &[&["operator"], segments].concat(), again)
    }

    /// Asks for what stands under these segments.
    pub fn get(segments: &[&str]) -> Request {
        Request::new(Method::GET, segments, true)
    }

    /// Tells something there.
    pub fn post(segments: &[&str]) -> Request {
        Request::new(Method::POST, segments, false)
    }

    /// Tells what is to stand there; told twice, it is the same.
    pub fn put(segments: &[&str]) -> Request {
        Request::new(Method::PUT, segments, true)
    }

    /// Takes away what stands there.
    pub fn delete(segments: &[&str]) -> Request {
        Request::new(Method::DELETE, segments, true)
    }

    /// With a value in its query, if there is one; it takes the place of one that was there.
    pub fn with(mut self, name: &'static str, value: Option<impl ToString>) -> Request {
        self.query.retain(|(known, _)| *known != name);
        self.query.extend(value.map(|value| (name, value.to_string())));
        self
    }

    /// Though nobody knows the stream, if that is meant.
    pub fn unknown(self, unknown: Unknown) -> Request {
        self.with(UNKNOWN_STREAM, unknown.allowed.then_some("allow"))
    }

    /// With a body of JSON.
    pub fn json(self, body: &impl Serialize) -> Request {
        let body = serde_json::to_vec(body).unwrap_or_else(|_| unreachable!("a request is plain JSON"));
        Request { body: Some(("application/json", body)), ..self }
    }

    /// With a list as its body.
    pub fn list(self, kind: &'static str, body: Vec<u8>) -> Request {
        Request { body: Some((kind, body)), ..self }
    }

    /// It changes nothing more when it is done twice, so that it may be tried again.
    pub fn again(self) -> Request {
        Request { again: true, ..self }
    }

    /// It takes long, and whoever waits is to be told at once that it failed.
    pub fn once(self) -> Request {
        Request { again: false, ..self }
    }

    /// As HTTP has it, at a base URL.
    fn of_http(&self, base: &str) -> Result<http::Request<Vec<u8>>, Failure> {
        let mut to = http::Request::builder().method(self.method.clone()).uri(format!("{base}{self}"));
        let (media, body) = self.body.clone().unwrap_or_default();
        if !media.is_empty() {
            to = to.header(CONTENT_TYPE, media);
        }
        to.body(body).map_err(|_| Failure::new("this cannot be asked over HTTP").next(WRONG_BASE))
    }

    fn query(&self) -> String {
        let pairs =
            self.query.iter().map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, PLAIN)));
        pairs.collect::<Vec<_>>().join("&")
    }
}

impl fmt::Display for Request {
    /// Where it goes, behind the base URL.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query = self.query();
        write!(out, "{}{}{query}", self.path, if query.is_empty() { "" } else { "?" })
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body.
    pub body: Vec<u8>,
    /// Where a list of CSV goes on: the cursor.
    pub next: Option<String>,
}

impl Answer {
    fn of(response: Response<Vec<u8>>) -> Answer {
        let link = response.headers().get(LINK).and_then(|link| link.to_str().ok()).unwrap_or_default();
        let next = link.split_once("cursor=").map(|(_, rest)| {
            let cursor = rest.split(['&', '>']).next().unwrap_or_default();
            percent_decode_str(cursor).decode_utf8_lossy().into_owned()
        });
        Answer { status: response.status(), next, body: response.into_body() }
    }

    /// Its body as JSON, to be handed on; null where it has none.
    pub fn json(&self) -> Result<Value, Failure> {
        if self.body.is_empty() { Ok(Value::Null) } else { self.read() }
    }

    /// Its body as the answer that it is.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body)
            .map_err(|_| Failure::new("the answer is none of Postledger's").next(WRONG_BASE))
    }

    /// What it says where it is a problem document.
    pub fn problem(&self) -> Option<Problem> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Whether it is the problem of a code.
    pub fn is_problem(&self, code: &str) -> bool {
        self.problem().is_some_and(|problem| problem.code() == code)
    }

    /// What a problem document says, where it is one.
    pub fn failure(&self) -> Failure {
        let Some(Problem { detail, next, .. }) = self.problem() else {
            let words = format!("the answer was {}, and not one of Postledger's", self.status);
            return Failure::new(words).next(WRONG_BASE);
        };
        let failure = Failure::new(detail);
        if next.is_empty() { failure } else { failure.next(next) }
    }
}

/// What a request on a socket names: the address leads nowhere else.
const AT_SOCKET: &str = "http://127.0.0.1";
const WRONG_BASE: &str =
    "name the stack's API by --url or POSTLEDGER_URL: the address that its webhook URLs begin with";

/// A ledger, as it is asked from here.
pub struct Api {
    way: Way,
    /// Whether it has answered before, so that silence is a fault that may pass, and no wrong address.
    answered: AtomicBool,
}

/// A listener, and the header that is borne there.
#[derive(Clone)]
pub struct Http {
    agent: Agent,
    base: String,
    header: (&'static str, String),
}

enum Way {
    /// Over HTTP, by a token.
    Bearer(Http),
    /// Over HTTP on its socket, as whoever operates an embedded Postledger; and where its doors are.
    Operator(Http, String),
    /// In this process, by access to AWS.
    Direct(Box<Aws>),
}

impl Api {
    /// Finds the API that is meant. Whoever has a token asks as its bearer, whatever else there is.
    ///
    /// # Errors
    /// Where a token cannot be read, none is given to a deployed stack, or there is no such stack.
    pub fn open(access: &Access, context: &Context) -> Result<Api, Failure> {
        let (config, target) = (&context.config, &access.target);
        let token = config.token(access.token_file.as_deref())?;
        if let Some(token) = token.as_ref().filter(|_| !target.is_given()) {
            config.may_send(token)?;
        }
        let place = Deployment::of(target.url.as_deref(), &target.aws, context)?;
        match (token, place) {
            (Some(token), Deployment::Url(base)) => Api::of_bearer(&base, &token.token),
            (Some(token), Deployment::Aws(args)) => {
                Api::of_bearer(&aws::doors(&args, &context.stack)?, &token.token)
            }
            (None, Deployment::Url(base)) if !is_here(&base) => Err(Failure::new(
                "there is no token for this API",
            )
            .next("give one by POSTLEDGER_TOKEN or --token-file FILE; `postledger token new` makes one")),
            (None, place) => Api::at(place, context),
        }
    }

    /// Opens the ledger that is meant to whoever operates it, which takes no token.
    ///
    /// # Errors
    /// For AWS where there is no access, stack or answer; for an embedded one where this user runs none there.
    pub fn operated(target: &Target, context: &Context) -> Result<Api, Failure> {
        Api::at(Deployment::of(target.url.as_deref(), &target.aws, context)?, context)
    }

    fn at(place: Deployment, context: &Context) -> Result<Api, Failure> {
        match place {
            Deployment::Url(base) => Ok(Api::of_operator(&base, &socket::find(&context.home()?, &base)?)),
            Deployment::Aws(args) => Ok(Api::of(Way::Direct(Box::new(Aws::open(&args, &context.stack)?)))),
        }
    }

    /// Asks at a base URL as the bearer of a token.
    ///
    /// # Errors
    /// Where it is no token, or it would be sent where others can read it.
    pub fn of_bearer(base: &str, token: &str) -> Result<Api, Failure> {
        // As it was printed, or as the header that `token new --out` writes.
        let token = token.trim();
        let token = token.strip_prefix(HEADER).unwrap_or(token);
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if !token.starts_with(::api::token::PREFIX) || !token.chars().all(fits) {
            return Err(Failure::new(format!(
                "what is given as a token is none: one begins with {}",
                ::api::token::PREFIX
            ))
            .next("make one by `postledger token new`, and give it as it was printed"));
        }
        if base.starts_with("http://") && !is_here(base) {
            return Err(Failure::new("a token is not sent over plain http://, where others could read it")
                .next("name the API by its https:// address"));
        }
        let header = (AUTHORIZATION.as_str(), format!("Bearer {token}"));
        Ok(Api::of(Way::Bearer(Http::new(agent(), base, header))))
    }

    /// Asks the embedded Postledger whose doors are at a base URL by its socket, as whoever operates it.
    pub fn of_operator(doors: &str, socket: &Path) -> Api {
        let actor = utf8_percent_encode(&user(), PLAIN).to_string();
        let http = Http::new(agent_at(socket), AT_SOCKET, (ACTOR, actor));
        Api::of(Way::Operator(http, doors.to_owned()))
    }

    fn of(way: Way) -> Api {
        Api { way, answered: AtomicBool::new(false) }
    }

    /// The stack on AWS, where it is one that is asked in this process.
    pub fn aws(&self) -> Option<&Aws> {
        match &self.way {
            Way::Direct(aws) => Some(aws),
            Way::Bearer(_) | Way::Operator(..) => None,
        }
    }

    /// Who changes the ledger from here, as its audit names them.
    pub fn who(&self) -> Who {
        match self.aws() {
            Some(aws) => aws.who(),
            None => Who { kind: WhoKind::Local, name: user() },
        }
    }

    /// From now on this is told how far long pieces of work are; an embedded Postledger tells nothing of it.
    pub fn watched(&self, watcher: impl Fn(Step) + Send + 'static) {
        if let Some(aws) = self.aws() {
            aws.watched(watcher);
        }
    }

    /// Asks, and reads the answer.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn read<T: DeserializeOwned>(&self, request: &Request) -> Result<T, Failure> {
        self.ask(request)?.read()
    }

    /// Asks, and has every answer; what does not answer is asked again where that changes nothing.
    pub fn answer(&self, request: &Request) -> Result<Answer, Failure> {
        let passes = |told: &Answer| {
            matches!(told.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::BAD_GATEWAY)
                || matches!(told.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
        };
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            let told = self.once(request);
            let passes = match &told {
                Ok(told) => passes(told),
                Err(_) => self.answered.load(Ordering::Relaxed),
            };
            if !request.again || !passes {
                return told;
            }
            std::thread::sleep(pause);
            pause *= 2;
        }
        self.once(request)
    }

    /// Asks, and has the answer that is asked for.
    ///
    /// # Errors
    /// Where nobody answers, or the answer is a problem: what that says.
    pub fn ask(&self, request: &Request) -> Result<Answer, Failure> {
        let told = self.answer(request)?;
        if told.status.is_success() { Ok(told) } else { Err(self.refused(&told)) }
    }

    /// Why something was not answered.
    pub fn refused(&self, told: &Answer) -> Failure {
        if told.is_problem("unknown-server") {
            return told.failure().status(USAGE);
        }
        if told.is_problem("unknown-stream") {
            let near = told.problem().and_then(|problem| problem.did_you_mean).unwrap_or_default();
            let meant = match near.join(" or ") {
                near if near.is_empty() => "correct its name, or".to_owned(),
                near => format!("did you mean {near}? Else"),
            };
            // The API's own words are for whoever writes requests.
            let next = format!("{meant} go on with it by --unknown-stream");
            return told.failure().next(next).status(USAGE);
        }
        if !matches!(self.way, Way::Bearer(_)) && told.is_problem("not-found") {
            // The API speaks of what a token may see; there is none.
            return Failure::new("there is no such server here, or nothing of that name in it")
                .next("`postledger server list` shows the servers that are registered");
        }
        told.failure()
    }

    fn once(&self, request: &Request) -> Result<Answer, Failure> {
        let told = self.sent(request)?;
        self.answered.store(true, Ordering::Relaxed);
        Ok(told)
    }

    fn sent(&self, request: &Request) -> Result<Answer, Failure> {
        match &self.way {
            Way::Bearer(http) => http.sent(request, &http.base),
            Way::Operator(http, doors) => http.sent(request, doors),
            Way::Direct(aws) => Ok(Answer::of(aws.answer(request.of_http("")?)?)),
        }
    }
}

impl Http {
    fn new(agent: Agent, base: &str, header: (&'static str, String)) -> Http {
        Http { agent, base: base.trim_end_matches('/').to_owned(), header }
    }

    /// Sends a request; `meant` is where somebody was to be.
    fn sent(&self, request: &Request, meant: &str) -> Result<Answer, Failure> {
        self.answered(request.of_http(&self.base)?).map_err(|_| unreachable_at(meant))
    }

    /// Sends a request with what is borne here.
    fn answered(&self, mut request: http::Request<Vec<u8>>) -> Result<Answer, ureq::Error> {
        let (name, value) = &self.header;
        request.headers_mut().insert(*name, HeaderValue::from_str(value).map_err(http::Error::from)?);
        let (parts, mut body) = self.agent.run(request)?.into_parts();
        let body = body.with_config().limit(u64::MAX).read_to_vec()?;
        Ok(Answer::of(Response::from_parts(parts, body)))
    }
}

/// The name of whoever uses this machine.
pub fn user() -> String {
    platform::env::text("USER")
        .or_else(|| platform::env::text("LOGNAME"))
        .unwrap_or_else(|| "operator".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_one_segment_whatever_is_in_it() {
        let request = Request::get(&["servers", "7", "recipients", "a/b+ü?@x.example"])
            .with("at", Some("2026-11-21T08:00:00+01:00"))
            .with("stream", None::<&str>)
            .with("at", Some("now & then"));
        assert_eq!(request.path, "/v1/servers/7/recipients/a%2Fb%2B%C3%BC%3F%40x.example");
        assert_eq!(request.query(), "at=now%20%26%20then");
    }

    #[test]
    fn where_a_list_goes_on_is_read_from_its_link() {
        let mut response = Response::new(Vec::new());
        let link =
            "</v1/servers/7/streams/outbound/suppressions?format=csv&cursor=a%2Db&limit=2>; rel=\"next\"";
        response.headers_mut().insert(LINK, HeaderValue::from_static(link));
        assert_eq!(Answer::of(response).next.as_deref(), Some("a-b"));
        assert_eq!(Answer::of(Response::new(Vec::new())).next, None);
    }

    #[test]
    fn a_token_goes_to_this_machine_or_over_tls_and_is_never_told() {
        let token = "plt_abcdefghijkl_secret";
        assert!(Api::of_bearer("https://api.example.com", token).is_ok());
        assert!(Api::of_bearer("http://127.0.0.1:8630", token).is_ok());
        assert!(Api::of_bearer("http://127.0.0.1:8630", &format!("{HEADER}{token}\n")).is_ok());
        for (base, token) in [
            ("http://api.example.com", token),
            ("http://localhost.example.com", token),
            ("https://api.example.com", "secret"),
            ("https://api.example.com", "plt_a secret"),
            ("https://api.example.com", "plt_a\nsecret"),
        ] {
            let told = Api::of_bearer(base, token).err().map(|failure| failure.to_string());
            assert!(told.is_some_and(|told| !told.contains("secret")), "{base}");
        }
    }

    #[test]
    fn a_problem_says_what_is_the_matter_and_what_to_do() {
        let body = br#"{"type":"urn:postledger:problem:role","detail":"this needs a token of role admin","next":"ask"}"#;
        let told = Answer { status: StatusCode::FORBIDDEN, body: body.to_vec(), next: None };
        assert_eq!(told.failure().to_string(), "this needs a token of role admin\n  next: ask");
        let told = Answer { status: StatusCode::NOT_FOUND, body: b"<html>".to_vec(), next: None };
        assert!(told.failure().to_string().contains("--url"));
    }
}

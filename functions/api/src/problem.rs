//! What is told where an answer cannot be given: RFC 9457 problem documents, from one place. None quotes what was asked.

use crate::mask::{self, Typed};
use account::streams::AtPostmark;
use account::{RegistryError, Unknown};
use answers::{ReactivatedStream, UNKNOWN_STREAM, URN};
use http::header::{ALLOW, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use ledger::{ServerId, Time};
use platform::CallFailed;
use queue::QueueError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use store::StoreError;

/// What to do with an address that no path can hold.
pub(crate) const CUT_NEXT: &str = "an address with a question mark cannot go into a path, not even \
    percent-encoded: give `id:` and the recipient's id instead, or ask with POST \
    /v1/servers/{server}/check, which takes the address in the body";

/// Why there is no answer. Boxed, since most answers are none of these and every result has room for one.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem(Box<ProblemParts>);

#[derive(Clone, Debug, PartialEq)]
struct ProblemParts {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: String,
    next: String,
    did_you_mean: Option<Vec<String>>,
    results: Option<Vec<ReactivatedStream>>,
    queued: Option<usize>,
    header: Option<(HeaderName, HeaderValue)>,
    call: Option<CallFailed>,
    /// Why, where it was no call that failed: what is stored cannot be read.
    fault: Option<String>,
}

impl Problem {
    /// A problem: its status, its code, what its kind is called, and what is the matter, in a sentence.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Problem {
        let (detail, next) = (detail.into(), "see /v1/openapi.json".to_owned());
        let (did_you_mean, results, queued, header, call) = (None, None, None, None, None);
        Problem(Box::new(ProblemParts {
            status,
            code,
            title,
            detail,
            next,
            did_you_mean,
            results,
            queued,
            header,
            call,
            fault: None,
        }))
    }

    fn header_is(mut self, name: HeaderName, value: Option<HeaderValue>) -> Problem {
        self.0.header = value.map(|value| (name, value));
        self
    }

    /// What to do next, in a sentence; the description is read where nothing better is known.
    pub fn next(mut self, next: impl Into<String>) -> Problem {
        self.0.next = next.into();
        self
    }

    /// What became of each stream though all of it was refused.
    pub(crate) fn results(mut self, results: Vec<ReactivatedStream>) -> Problem {
        self.0.results = Some(results);
        self
    }

    /// How many decisions are on their way all the same.
    pub(crate) fn queued(mut self, queued: usize) -> Problem {
        self.0.queued = Some(queued);
        self
    }

    /// The request cannot be understood.
    pub fn bad_request(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "bad-request", "The request is not understood", detail)
    }

    /// An address in a path has a question mark: the path ends there, and what was meant cannot be known.
    pub fn cut_address() -> Problem {
        Problem::bad_request("the address in the path is cut off: a question mark ends the path")
            .next(CUT_NEXT)
    }

    /// A cursor is not one that was given out.
    pub fn bad_cursor() -> Problem {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "bad-cursor",
            "The cursor is not understood",
            "this list did not give out this cursor",
        )
        .next("start again without a cursor")
    }

    /// Nobody grants what it has not.
    pub fn beyond_own(detail: &'static str) -> Problem {
        Problem::new(
            StatusCode::FORBIDDEN,
            "beyond-own",
            "A token cannot grant what it does not have",
            detail,
        )
        .next("ask for no more than this token has, or use a token that has more")
    }

    /// A right to content is asked for that would show nothing: see [`crate::token::Grant::reads_content`].
    pub fn content_without_addresses() -> Problem {
        Problem::bad_request(
            "read_content: a mail has addresses in it, so that it takes `reveal_addresses` too",
        )
        .next("set `reveal_addresses` to true as well, or leave `read_content` out")
    }

    /// Whoever asks was not given the right to the content of mails.
    pub fn no_content() -> Problem {
        Problem::new(
            StatusCode::FORBIDDEN,
            "content-right",
            "The content of mails is not for this caller",
            "this needs the right to see the content of mails, and whole addresses with it",
        )
        .next("ask an operator, or an admin who has that right, for it")
    }

    /// There is no portal to sign in to.
    pub fn no_portal() -> Problem {
        Problem::conflict("no-portal", "There is no portal", "this ledger is served without a portal")
            .next("`postledger run` serves one; on AWS it is part of the deployment")
    }

    /// There is nothing of that name, or it is not this caller's to know.
    pub fn not_found() -> Problem {
        Problem::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "Not found",
            "there is nothing of that name that this token may see",
        )
        .next("see what it may see at /v1/servers, and the routes at /v1/openapi.json")
    }

    /// A server, or one of its streams, is not known here: it may be a slip.
    pub fn unknown(unknown: &Unknown, server: ServerId) -> Problem {
        let (words, add) = (unknown.to_string(), format!("`postledger server add --server {server}`"));
        let (problem, next, near) = match unknown {
            Unknown::Server(near) => (
                Problem::new(StatusCode::NOT_FOUND, "unknown-server", "The server is not known", words),
                unknown.did_you_mean(&format!("{add} makes it known, and so does its first event")),
                near.iter().map(ToString::to_string).collect(),
            ),
            Unknown::Stream { near, postmark, .. } => {
                let keep = match postmark {
                    AtPostmark::NoToken => format!("; {add} stores a token"),
                    AtPostmark::Unlisted | AtPostmark::Silent => String::new(),
                };
                let allow = "if it has had no mail yet";
                let allow = format!("send `{UNKNOWN_STREAM}` as `allow`, {allow}{keep}");
                (
                    Problem::new(StatusCode::NOT_FOUND, "unknown-stream", "The stream is not known", words),
                    unknown.did_you_mean(&allow),
                    near.clone(),
                )
            }
        };
        let mut problem = problem.next(next);
        problem.0.did_you_mean = Some(near);
        problem
    }

    /// Nobody has said who is asking, or not rightly.
    pub fn unauthorized(detail: &'static str) -> Problem {
        let challenge = HeaderValue::from_static("Bearer realm=\"postledger\"");
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "The caller is not known", detail)
            .header_is(WWW_AUTHENTICATE, Some(challenge))
            .next("send `Authorization: Bearer TOKEN`; `postledger token new` makes a token")
    }

    /// A webhook has come to where no event is taken in; Postmark comes again.
    pub fn door() -> Problem {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not-a-door",
            "No events are taken in here",
            "this is the read API, and the request has a webhook's password",
        )
        .next(
            "put the URLs that `postledger url` prints into Postmark; until then, Postmark sends the \
            event again",
        )
    }

    /// The token may see the server, but not do this there.
    pub fn role(needed: &'static str) -> Problem {
        Problem::new(
            StatusCode::FORBIDDEN,
            "role",
            "The token's role does not allow it",
            format!("this needs a token with the role {needed}"),
        )
        .next("ask the person who gave you the token for one with that role")
    }

    /// Whoever is signed in to the portal has not shown just now who they are.
    pub fn unconfirmed() -> Problem {
        let detail = "this needs a session that was confirmed by a code within the last five minutes";
        Problem::new(StatusCode::FORBIDDEN, "unconfirmed", "The session is not confirmed", detail)
            .next("confirm it on the portal, then repeat this")
    }

    /// The path is known, the method is not among its own.
    pub fn method(allowed: &str) -> Problem {
        Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method",
            "The method is not allowed here",
            format!("this path takes {allowed}"),
        )
        .header_is(ALLOW, HeaderValue::from_str(allowed).ok())
    }

    /// More than is taken at once.
    pub fn too_large(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too much at once", detail)
            .next("send it in several requests")
    }

    /// The token has done so much of it today (UTC) as it may.
    pub fn too_many(detail: impl Into<String>, now: Time) -> Problem {
        let left = 86_400 - now.seconds().rem_euclid(86_400);
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", "Too many in a day", detail)
            .header_is(RETRY_AFTER, HeaderValue::from_str(&left.to_string()).ok())
            .next(
                "continue when the day (UTC) is over, as `Retry-After` says, or ask an operator of the \
                ledger",
            )
    }

    /// What is asked stands against what is.
    pub fn conflict(code: &'static str, title: &'static str, detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::CONFLICT, code, title, detail)
    }

    /// Something that the answer needs did not answer.
    pub fn unavailable() -> Problem {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "The ledger does not answer",
            "a table or queue did not answer in time",
        )
        .header_is(RETRY_AFTER, Some(HeaderValue::from_static("1")))
        .next("try again in a moment")
    }

    /// The same for somebody who is not to see addresses.
    pub(crate) fn masked(mut self, typed: &Typed) -> Problem {
        mask_in(&mut self.0.did_you_mean, typed);
        mask_in(&mut self.0.results, typed);
        for told in [&mut self.0.detail, &mut self.0.next] {
            if let Some(masked) = mask::text(told) {
                *told = masked;
            }
        }
        self
    }

    /// Somebody was erased, and is named by an id where Postmark has to be asked by the address.
    pub fn no_address() -> Problem {
        let detail = "the person was erased, so the address is not known here any more";
        Problem::conflict("no-address", "The address is not known", detail)
            .next("name the recipient by its address, not by its id")
    }

    /// Postmark did not answer, or not in time.
    pub fn postmark_unavailable() -> Problem {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "postmark-unavailable",
            "Postmark does not answer",
            "Postmark did not answer in time, so nothing was changed",
        )
        .header_is(RETRY_AFTER, Some(HeaderValue::from_static("60")))
        .next("try again in some minutes; https://status.postmarkapp.com says more")
    }

    /// Something was asked of others that may have been done, and nobody knows.
    pub fn uncertain(detail: &'static str) -> Problem {
        let title = "It is not known whether it was done";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "uncertain", title, detail)
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The code, which is the end of its `type`.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The header that goes with it, if one does.
    pub(crate) fn header(&self) -> Option<&(HeaderName, HeaderValue)> {
        self.0.header.as_ref()
    }

    /// The call of AWS that failed, if one did. It is no part of the document.
    pub fn call(&self) -> Option<&CallFailed> {
        self.0.call.as_ref()
    }

    /// The same for whoever operates the ledger: a fault of its own is no silence that passes.
    #[must_use]
    pub fn for_operators(self) -> Problem {
        let Some(fault) = &self.0.fault else { return self };
        let title = "The stored data cannot be used";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "fault", title, fault.clone()).next(
            "this is a bug in Postledger, or a newer version wrote the tables: look for a newer \
                version",
        )
    }

    /// The document.
    pub fn document(&self) -> Value {
        let told = &*self.0;
        let document = answers::Problem {
            kind: format!("{URN}{}", told.code),
            title: told.title.to_owned(),
            status: told.status.as_u16(),
            detail: told.detail.clone(),
            next: told.next.clone(),
            did_you_mean: told.did_you_mean.clone(),
            results: told.results.clone(),
            queued: told.queued,
        };
        serde_json::to_value(document).unwrap_or_else(|_| unreachable!("a problem is plain JSON"))
    }
}

/// Masks every address in a member of a problem.
fn mask_in<T: Serialize + DeserializeOwned>(told: &mut T, typed: &Typed) {
    let mut value = serde_json::to_value(&*told).unwrap_or_else(|_| unreachable!("a member is plain JSON"));
    mask::answer(&mut value, typed);
    *told = serde_json::from_value(value).unwrap_or_else(|_| unreachable!("a masked text is a text"));
}

/// Logs and counts what stood in the way of an answer, and keeps the failed call for whoever made the request in this
/// process; who is asked over HTTP is not told.
pub(crate) fn failed(error: &(dyn std::error::Error + 'static), what: &'static str) -> Problem {
    let call = platform::counted(error);
    tracing::error!(
        call.kind = call.kind,
        call.code = call.code,
        call.action = call.action,
        error = %error,
        "{what}"
    );
    let mut problem = Problem::unavailable();
    // On one machine: whoever reads it can do something about it, or knows whom to ask.
    if let Some(kind) = CallFailed::behind(error).map(CallFailed::kind).filter(|kind| kind.is_of_disk()) {
        problem.0.detail = format!("nothing could be read or written: {}", kind.words());
        problem.0.next = "the operator of the ledger has to look after the disk; then try again".to_owned();
    }
    problem.0.call = CallFailed::behind(error).cloned();
    problem.0.fault = problem.0.call.is_none().then(|| error.to_string());
    problem
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        failed(&error, "a table cannot be used")
    }
}

impl From<QueueError> for Problem {
    fn from(error: QueueError) -> Problem {
        failed(&error, "a queue cannot be used")
    }
}

impl From<RegistryError> for Problem {
    fn from(error: RegistryError) -> Problem {
        failed(&error, "the registry cannot be read")
    }
}

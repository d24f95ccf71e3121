//! What the door answers: the one place for status and body.

use http::header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use postmark::RefusalCode;

/// In the form of the read API's own answers, which the caller knows.
const NO_SUCH_ROUTE: &str = r#"{"type":"urn:postledger:problem:not-found","title":"Not found","status":404,"detail":"there is no such path; is it mistyped?","next":"see the paths at /v1/openapi.json: all others begin with /v1/servers or /v1/tokens"}"#;

/// An answer of the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The function is up.
    Healthy,
    /// The event is on its queue.
    Accepted,
    /// The body is on its way to quarantine.
    SetAside(RefusalCode),
    /// There is no credential.
    NoCredential,
    /// There is a credential, and it is wrong or denied; Postmark tries again.
    WrongCredential,
    /// There is a credential, but no event comes by this method.
    WrongMethod,
    /// It is a question for the read API, at a path that answers none.
    NoSuchRoute,
    /// The queue refused or did not answer in time; Postmark tries again.
    TryAgain,
}

impl Answer {
    /// The status. Verification demands exactly 200; every 4xx but 408 and 429 would drop the event for good.
    pub const fn status(self) -> StatusCode {
        match self {
            Answer::Healthy | Answer::Accepted | Answer::SetAside(_) => StatusCode::OK,
            Answer::NoCredential => StatusCode::UNAUTHORIZED,
            Answer::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Answer::NoSuchRoute => StatusCode::NOT_FOUND,
            Answer::WrongCredential | Answer::TryAgain => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// A small JSON body. It contains nothing that the sender does not know.
    pub fn body(self) -> String {
        match self {
            Answer::Healthy => r#"{"status":"ok"}"#.to_owned(),
            Answer::Accepted => r#"{"status":"accepted"}"#.to_owned(),
            Answer::SetAside(refused) => format!(r#"{{"status":"set_aside","reason":"{}"}}"#, refused.code()),
            Answer::NoCredential => r#"{"status":"unauthorized","reason":"no credential"}"#.to_owned(),
            Answer::WrongCredential => r#"{"status":"try_again","reason":"credential"}"#.to_owned(),
            Answer::WrongMethod => {
                r#"{"status":"method_not_allowed","reason":"events come by POST"}"#.to_owned()
            }
            Answer::NoSuchRoute => NO_SUCH_ROUTE.to_owned(),
            Answer::TryAgain => r#"{"status":"try_again","reason":"queue"}"#.to_owned(),
        }
    }

    /// The whole response.
    pub fn response<B: From<String>>(self) -> Response<B> {
        let mut response = Response::new(B::from(self.body()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        let kind = if self == Answer::NoSuchRoute { "application/problem+json" } else { "application/json" };
        headers.insert(CONTENT_TYPE, http::HeaderValue::from_static(kind));
        match self {
            Answer::NoCredential => {
                let challenge =
                    http::HeaderValue::from_static(r#"Basic realm="postledger", charset="UTF-8""#);
                headers.insert(WWW_AUTHENTICATE, challenge);
            }
            Answer::WrongMethod => {
                headers.insert(ALLOW, http::HeaderValue::from_static("POST"));
            }
            _ => {}
        }
        response
    }
}

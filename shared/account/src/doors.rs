//! Our own doors, asked as Postmark will ask them: before a webhook is made, and before a key signs.

use credential::{User, basic};
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{Request, StatusCode};
use postmark_api::{Auth, Bytes, Transport, TransportError};
use serde_json::json;
use std::sync::Arc;

/// What our own probes say in `Details`, which tells them from Postmark's.
pub const OUR_PROBE: &str = "asked by `postledger` itself";

/// Why the doors are not ready. It quotes no password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DoorsError {
    /// Nobody answers there.
    #[error("our doors at {0} do not answer: {1}")]
    Silent(String, TransportError),
    /// Somebody answers, but not as our doors do.
    #[error("{0}/health answers {1}, not 200: this is not where the doors are")]
    NotDoors(String, u16),
    /// The doors do not take what Postmark's verification will bring.
    #[error("{0} answers {1} to a probe, not 200")]
    Refused(String, u16),
    /// What was given is no URL, or no user.
    #[error("{0} is not a URL that can be called")]
    NotAUrl(String),
}

impl DoorsError {
    /// What to do about it.
    pub fn next(&self) -> &'static str {
        match self {
            DoorsError::Silent(..) | DoorsError::NotDoors(..) | DoorsError::NotAUrl(_) => {
                "deploy first, then connect; name where Postmark reaches the doors by --doors URL"
            }
            DoorsError::Refused(_, 503) => {
                "the doors do not know the key that signs: deploy anew with `postledger keys list`'s keys (an embedded \
                 Postledger takes them up by `postledger keys rotate`), or the queues refuse: see `postledger queues`"
            }
            DoorsError::Refused(..) => "see the doors' logs; Postmark would take nothing but 200 either",
        }
    }
}

/// The way to the doors, wherever they are.
#[derive(Clone)]
pub struct Doors {
    transport: Arc<dyn Transport>,
}

impl Doors {
    /// Over a transport: the one for Postmark's API will do.
    pub fn new(transport: Arc<dyn Transport>) -> Doors {
        Doors { transport }
    }

    /// Asks for the doors' health.
    pub async fn healthy(&self, base: &str) -> Result<(), DoorsError> {
        let base = base.trim_end_matches('/');
        let request = Request::get(format!("{base}/health")).body(Bytes::new());
        match self.status(base, request).await? {
            StatusCode::OK => Ok(()),
            status => Err(DoorsError::NotDoors(base.to_owned(), status.as_u16())),
        }
    }

    /// Posts what Postmark's verification would, with a credential. The doors keep it as a probe, and record nothing.
    pub async fn take(&self, url: &str, auth: &Auth) -> Result<(), DoorsError> {
        let user: User =
            auth.username.parse().map_err(|_| DoorsError::NotAUrl(format!("{url} with that user")))?;
        let segment = url.rsplit('/').next().unwrap_or_default();
        let record_type = postmark::RecordType::of_segment(segment).unwrap_or(postmark::RecordType::Bounce);
        let address = "john@example.com";
        let body = json!({
            "RecordType": record_type.kind().name(),
            "MessageID": "00000000-0000-0000-0000-000000000000",
            "Email": address,
            "Recipient": address,
            "ID": 42,
            "Metadata": { "example": "value", "example_2": "value" },
            "Details": OUR_PROBE,
        });
        let request = Request::post(url)
            .header(AUTHORIZATION, basic(user, &auth.password))
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, "postledger")
            .body(Bytes::from(body.to_string()));
        match self.status(url, request).await? {
            StatusCode::OK => Ok(()),
            status => Err(DoorsError::Refused(url.to_owned(), status.as_u16())),
        }
    }

    async fn status(
        &self,
        at: &str,
        request: Result<Request<Bytes>, http::Error>,
    ) -> Result<StatusCode, DoorsError> {
        let request = request.map_err(|_| DoorsError::NotAUrl(at.to_owned()))?;
        let answered = self.transport.call(request).await;
        Ok(answered.map_err(|error| DoorsError::Silent(at.to_owned(), error))?.status())
    }
}

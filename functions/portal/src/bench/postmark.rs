//! A Postmark of tests that tells whose server a token opens, and what it keeps for it.

use super::{FOREIGN, OWN};
use api::postmark_kept::{Kept, settings};
use http::{HeaderValue, Request, Response};
use postmark_api::{Bytes, Chunks, Transport, TransportError};

/// By how a token begins: `own` opens [`OWN`], `other` [`FOREIGN`], `silent` gets no answer, and Postmark knows no other one.
pub(crate) struct Owner {
    /// What is kept, by the first word of a token.
    pub(crate) kept: Kept,
}

impl Default for Owner {
    fn default() -> Owner {
        let kept = Kept::default();
        kept.keep("own", settings(OWN, "Shop"));
        kept.keep("other", settings(FOREIGN, "Shop"));
        Owner { kept }
    }
}

#[async_trait::async_trait]
impl Transport for Owner {
    async fn call(&self, mut request: Request<Bytes>) -> Result<Response<Chunks>, TransportError> {
        let token = request.headers()["X-Postmark-Server-Token"].to_str().unwrap().to_owned();
        let whose = token.split('-').next().unwrap_or_default();
        if whose == "silent" {
            return Err(TransportError::NotConnected("there is no Postmark here".to_owned()));
        }
        let known = if ["own", "other"].contains(&whose) { whose } else { "unknown" };
        request.headers_mut().insert("X-Postmark-Server-Token", HeaderValue::from_str(known).unwrap());
        self.kept.call(request).await
    }
}

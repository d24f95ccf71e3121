//! A Postmark of tests that tells whose server a token opens.

use super::{FOREIGN, OWN};
use http::{Request, Response};
use postmark_api::{Bytes, Chunks, Transport, TransportError};
use serde_json::json;

/// By how a token begins: `own` opens [`OWN`], `other` [`FOREIGN`], `silent` gets no answer, and Postmark knows no other one.
pub(super) struct Owner;

#[async_trait::async_trait]
impl Transport for Owner {
    async fn call(&self, request: Request<Bytes>) -> Result<Response<Chunks>, TransportError> {
        let token = request.headers()["X-Postmark-Server-Token"].to_str().unwrap().to_owned();
        let server = match token.split('-').next().unwrap_or_default() {
            "own" => Some(OWN),
            "other" => Some(FOREIGN),
            "silent" => return Err(TransportError::NotConnected("there is no Postmark here".to_owned())),
            _ => None,
        };
        let (status, body) = match server {
            Some(id) => (200, json!({ "ID": id, "Name": "Shop" })),
            None => (401, json!({ "ErrorCode": 10, "Message": "The server token is missing or invalid." })),
        };
        let body: Chunks = Box::pin(futures_util::stream::iter([Ok(Bytes::from(body.to_string()))]));
        Ok(Response::builder().status(status).body(body).unwrap())
    }
}

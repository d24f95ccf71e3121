//! A Postmark of tests that tells whose server a token opens.

use super::{FOREIGN, OWN};
use http::{Request, Response};
use postmark_api::{Bytes, Chunks, Transport, TransportError};
use serde_json::json;

/// The id of a mail that was sent.
pub(crate) const SENT: &str = "7dc0521c-a785-4c7b-b689-00000000abcd";

/// By how a token begins: `own` opens [`OWN`], `other` [`FOREIGN`], `silent` gets no answer, and Postmark knows no other one. Each
/// server has one stream, and sends mails, all with the id [`SENT`].
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
            Some(id) => {
                let body = match request.uri().path() {
                    "/message-streams" => {
                        json!({ "MessageStreams": [{ "ID": "outbound", "MessageStreamType": "Transactional" }] })
                    }
                    "/email" => {
                        json!({ "ErrorCode": 0, "MessageID": SENT, "SubmittedAt": "2026-11-25T11:59:59Z" })
                    }
                    _ => json!({ "ID": id, "Name": "Shop" }),
                };
                (200, body)
            }
            None => (401, json!({ "ErrorCode": 10, "Message": "The server token is missing or invalid." })),
        };
        let body: Chunks = Box::pin(futures_util::stream::iter([Ok(Bytes::from(body.to_string()))]));
        Ok(Response::builder().status(status).body(body).unwrap())
    }
}

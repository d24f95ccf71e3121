//! A Postmark of tests that tells whose server a token opens, and what it keeps for it.

use super::{FOREIGN, OWN};
use api::postmark_kept::{Kept, settings};
use http::{HeaderValue, Request, Response};
use postmark_api::{Bytes, Chunks, Transport, TransportError};
use serde_json::json;

/// The id of a mail that was sent.
pub(crate) const SENT: &str = "7dc0521c-a785-4c7b-b689-00000000abcd";

/// By how a token begins: `own` opens [`OWN`], `other` [`FOREIGN`], `silent` gets no answer, and Postmark knows no other one. Each
/// server has one stream, and sends mails, all with the id [`SENT`], and knows of that one mail.
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

/// The mail that a server knows of.
fn mail(whose: &str) -> serde_json::Value {
    json!({
        "MessageID": SENT, "ReceivedAt": "2026-11-25T06:00:00-05:00", "MessageStream": "outbound", "Status": "Sent",
        "Tag": format!("¤{whose} tag¤"), "Subject": format!("¤{whose} subject¤"),
    })
}

#[async_trait::async_trait]
impl Transport for Owner {
    async fn call(&self, mut request: Request<Bytes>) -> Result<Response<Chunks>, TransportError> {
        let token = request.headers()["X-Postmark-Server-Token"].to_str().unwrap().to_owned();
        let whose = token.split('-').next().unwrap_or_default();
        if whose == "silent" {
            return Err(TransportError::NotConnected("there is no Postmark here".to_owned()));
        }
        let is_known = ["own", "other"].contains(&whose);
        let body = match request.uri().path() {
            "/message-streams" if is_known => {
                json!({ "MessageStreams": [{ "ID": "outbound", "MessageStreamType": "Transactional" }] })
            }
            "/email" if is_known => {
                json!({ "ErrorCode": 0, "MessageID": SENT, "SubmittedAt": "2026-11-25T11:59:59Z" })
            }
            "/messages/outbound" if is_known => json!({ "TotalCount": 1, "Messages": [mail(whose)] }),
            "/messages/inbound" if is_known => {
                let row = |status: &str| {
                    json!({
                        "MessageID": format!("in-{status}"), "Status": status, "Date": "Mon, 21 Sep 2026 10:14:05 +0200",
                        "FromFull": { "Email": format!("ida@{whose}-customer.example") },
                        "OriginalRecipient": format!("help@{whose}-client.example"),
                        "Subject": format!("¤{whose} inbound subject¤"),
                    })
                };
                json!({ "TotalCount": 2, "InboundMessages": [row("Processed"), row("Blocked")] })
            }
            "/messages/inbound/in-Blocked/details" if is_known => {
                json!({ "BlockedReason": format!("¤{whose} rule¤") })
            }
            path if is_known && path.contains(SENT) => {
                let mut mail = mail(whose);
                mail["TextBody"] = json!(format!("¤{whose} c0ntent¤ <script>alert(1)</script>"));
                mail["HtmlBody"] = json!(format!(
                    "<p>¤{whose} c0ntent¤</p><script>alert(1)</script><link rel=preconnect href=//tracker.example>"
                ));
                mail["Attachments"] = json!([format!("¤{whose} attachment¤")]);
                mail["MessageEvents"] = json!([{
                    "Recipient": format!("ida@{whose}-customer.example"), "Type": "Delivered",
                    "ReceivedAt": "2026-11-25T06:00:02-05:00", "Details": { "DeliveryMessage": format!("¤{whose} said¤") },
                }]);
                mail
            }
            path if is_known && path.starts_with("/messages/") => {
                json!({ "ErrorCode": 701, "Message": "This message was not found." })
            }
            path => {
                if !is_known && path != "/server" {
                    *request.uri_mut() = http::Uri::from_static("/server");
                }
                let known = if is_known { whose } else { "unknown" };
                request
                    .headers_mut()
                    .insert("X-Postmark-Server-Token", HeaderValue::from_str(known).unwrap());
                return self.kept.call(request).await;
            }
        };
        let status = if body["ErrorCode"] == 701 { 422 } else { 200 };
        let body: Chunks = Box::pin(futures_util::stream::iter([Ok(Bytes::from(body.to_string()))]));
        let mut response = Response::new(body);
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
        Ok(response)
    }
}

//! A Postmark for tests, which keeps to its suppression lists.

use http::{Request, Response};
use postmark_api::{Bytes, Chunks, Transport, TransportError};
use serde_json::{Value, json};
use std::sync::Mutex;

/// A Postmark that has nothing but suppression lists, and two streams for mail, `outbound` and `digests`. What becomes of
/// an address is in its first letters: `stricter` and `kept` are refused for want of authority, `bad` as no address;
/// `forgotten` is left out of the answer, `slow` is never answered, and with `down` the call has a fault.
#[derive(Debug, Default)]
pub struct Lists {
    asked: Mutex<Vec<(String, Vec<String>)>>,
}

impl Lists {
    /// What was asked so far, in order of its text: path and addresses.
    pub fn asked(&self) -> Vec<(String, Vec<String>)> {
        let mut asked = self.asked.lock().expect("nobody panics over it").clone();
        asked.sort();
        asked
    }
}

#[async_trait::async_trait]
impl Transport for Lists {
    async fn call(&self, request: Request<Bytes>) -> Result<Response<Chunks>, TransportError> {
        let path = request.uri().path().to_owned();
        if path == "/message-streams" {
            let streams = json!({ "MessageStreams": [
                { "ID": "outbound", "MessageStreamType": "Transactional" },
                { "ID": "digests", "MessageStreamType": "Broadcasts" },
                { "ID": "inbound", "MessageStreamType": "Inbound" },
            ] });
            self.asked.lock().expect("nobody panics over it").push((path, Vec::new()));
            let body: Chunks = Box::pin(futures_util::stream::iter([Ok(Bytes::from(streams.to_string()))]));
            return Ok(Response::new(body));
        }
        let body: Value = serde_json::from_slice(request.body()).expect("it is JSON");
        let rows = body["Suppressions"].as_array().expect("it is a list").iter();
        let addresses: Vec<String> =
            rows.map(|row| row["EmailAddress"].as_str().expect("it is a text").to_owned()).collect();
        let done = if path.ends_with("/delete") { "Deleted" } else { "Suppressed" };
        self.asked.lock().expect("nobody panics over it").push((path, addresses.clone()));
        let any = |with: &str| addresses.iter().any(|address| address.starts_with(with));
        if any("slow") {
            std::future::pending::<()>().await;
        }
        let failed = |address: &str| {
            if address.starts_with("stricter") || address.starts_with("kept") {
                return Some("You do not have the required authority to change this suppression.".to_owned());
            }
            // Nothing says that its words do not quote the address.
            address.starts_with("bad").then(|| format!("An invalid email address was provided: {address}."))
        };
        let rows = addresses.iter().filter(|address| !address.starts_with("forgotten")).map(|address| {
            let message = failed(address);
            let status = if message.is_some() { "Failed" } else { done };
            json!({ "EmailAddress": address.to_uppercase(), "Status": status, "Message": message })
        });
        let body = json!({ "Suppressions": rows.collect::<Vec<_>>() }).to_string();
        let body: Chunks = Box::pin(futures_util::stream::iter([Ok(Bytes::from(body))]));
        let mut response = Response::new(body);
        if any("down") {
            *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        }
        Ok(response)
    }
}

//! A Postmark for tests, which keeps the settings of servers.

use crate::lists::Lists;
use http::{Method, Request, Response};
use postmark_api::{Bytes, Chunks, Transport, TransportError};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Servers at Postmark, by their tokens. The name that a server is given says what becomes of the change: `taken` is
/// refused, `ignored` changes nothing though it is accepted, `slow` is done and not answered, and after `gone` there is no
/// answer at all. Whatever is not about settings is answered by suppression lists.
#[derive(Debug, Default)]
pub struct Kept {
    servers: Mutex<BTreeMap<String, Value>>,
    changes: Mutex<Vec<Value>>,
    lists: Lists,
}

impl Kept {
    /// A server that a token opens: all that Postmark tells of it.
    pub fn keep(&self, token: &str, settings: Value) {
        self.servers.lock().expect("nobody panics over it").insert(token.to_owned(), settings);
    }

    /// One of the settings of the server that a token opens.
    pub fn setting(&self, token: &str, name: &str) -> Value {
        let servers = self.servers.lock().expect("nobody panics over it");
        servers.get(token).map_or(Value::Null, |settings| settings[name].clone())
    }

    /// What was asked to be changed so far.
    pub fn changes(&self) -> Vec<Value> {
        self.changes.lock().expect("nobody panics over it").clone()
    }
}

/// All that Postmark tells of a server, with secrets in it.
pub fn settings(id: i64, name: &str) -> Value {
    json!({
        "ID": id, "Name": name, "ApiTokens": ["5ecret-of-postmark"], "Color": "Purple", "SmtpApiActivated": true,
        "RawEmailEnabled": false, "DeliveryType": "Live", "ServerLink": "https://account.postmarkapp.com/servers/1/streams",
        "InboundAddress": "h4sh@inbound.postmarkapp.com", "InboundHash": "h4sh", "InboundDomain": "",
        "InboundHookUrl": "", "BounceHookUrl": "", "OpenHookUrl": "", "DeliveryHookUrl": "", "ClickHookUrl": "",
        "PostFirstOpenOnly": false, "InboundSpamThreshold": 5, "TrackOpens": true, "TrackLinks": "None",
        "IncludeBounceContentInHook": false, "EnableSmtpApiErrorHooks": false,
    })
}

#[async_trait::async_trait]
impl Transport for Kept {
    async fn call(&self, request: Request<Bytes>) -> Result<Response<Chunks>, TransportError> {
        if request.uri().path() != "/server" {
            return self.lists.call(request).await;
        }
        let token = request.headers()["X-Postmark-Server-Token"].to_str().unwrap_or_default().to_owned();
        let answer = {
            let mut servers = self.servers.lock().expect("nobody panics over it");
            match servers.get_mut(&token) {
                None => {
                    (401, json!({ "ErrorCode": 10, "Message": "The server token is missing or invalid." }))
                }
                Some(server) if server["Name"] == "gone" => return Err(TransportError::TooSlow),
                Some(server) if request.method() == Method::PUT => {
                    let change: Value = serde_json::from_slice(request.body()).expect("it is JSON");
                    self.changes.lock().expect("nobody panics over it").push(change.clone());
                    let name = change["Name"].as_str().unwrap_or_default();
                    if name == "taken" {
                        (422, json!({ "ErrorCode": 603, "Message": "5ecret: the name is taken." }))
                    } else {
                        if name != "ignored" {
                            for (setting, value) in change.as_object().expect("it is an object") {
                                server[setting] = value.clone();
                            }
                        }
                        if name == "slow" {
                            return Err(TransportError::TooSlow);
                        }
                        (200, server.clone())
                    }
                }
                Some(server) => (200, server.clone()),
            }
        };
        let (status, body) = answer;
        let body: Chunks = Box::pin(futures_util::stream::iter([Ok(Bytes::from(body.to_string()))]));
        let mut response = Response::new(body);
        *response.status_mut() = http::StatusCode::from_u16(status).expect("it is a status");
        Ok(response)
    }
}

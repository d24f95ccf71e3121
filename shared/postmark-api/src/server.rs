//! [`ServerApi`]: what a server's token opens. Its settings and streams, statistics and sending stand here; webhooks,
//! suppressions and lists each have a file.

use crate::endpoint::{Call, Endpoint, Session};
use crate::error::ApiError;
use crate::token::Token;
use http::Method;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// As many messages as Postmark takes in one batch.
pub const SEND_BATCH_MAX: usize = 500;

/// What a server's token opens.
#[derive(Clone)]
pub struct ServerApi {
    pub(crate) session: Session,
}

/// A server's settings, as far as they matter here. Its tokens and its inbound address are not kept.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// Postmark's number of the server.
    pub id: i64,
    /// Its name, as its owner chose it.
    pub name: String,
    /// Opens are tracked in each message unless it says otherwise.
    pub track_opens: bool,
    /// `None`, `HtmlAndText`, `HtmlOnly` or `TextOnly`.
    pub track_links: String,
    /// `Live` or `Sandbox`; empty where Postmark does not tell.
    pub delivery_type: String,
    /// The legacy open hook reports only first opens.
    pub post_first_open_only: bool,
    /// The legacy hooks that are set: `BounceHookUrl`, `OpenHookUrl`, `DeliveryHookUrl` or `ClickHookUrl`, and the URL,
    /// which may contain credentials.
    pub legacy_hooks: BTreeMap<&'static str, String>,
    /// Bounce hooks also report what SMTP refused.
    pub enable_smtp_api_error_hooks: bool,
}

/// Without the hooks' URLs.
impl fmt::Debug for ServerInfo {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hooks: Vec<_> = self.legacy_hooks.keys().collect();
        out.debug_struct("ServerInfo")
            .field("id", &self.id)
            .field("legacy_hooks", &hooks)
            .finish_non_exhaustive()
    }
}

/// A message stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Its name in calls and webhooks: `outbound`.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// `Transactional`, `Broadcasts` or `Inbound`.
    pub kind: String,
    /// Since when it is archived, as Postmark writes it.
    pub archived_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Settings {
    #[serde(rename = "ID")]
    id: i64,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    track_opens: Option<bool>,
    #[serde(default)]
    track_links: Option<String>,
    #[serde(default)]
    delivery_type: Option<String>,
    #[serde(default)]
    post_first_open_only: Option<bool>,
    #[serde(default)]
    enable_smtp_api_error_hooks: Option<bool>,
    #[serde(default)]
    bounce_hook_url: Option<String>,
    #[serde(default)]
    open_hook_url: Option<String>,
    #[serde(default)]
    delivery_hook_url: Option<String>,
    #[serde(default)]
    click_hook_url: Option<String>,
}

impl From<Settings> for ServerInfo {
    fn from(settings: Settings) -> ServerInfo {
        let hooks = [
            ("BounceHookUrl", settings.bounce_hook_url),
            ("OpenHookUrl", settings.open_hook_url),
            ("DeliveryHookUrl", settings.delivery_hook_url),
            ("ClickHookUrl", settings.click_hook_url),
        ];
        ServerInfo {
            id: settings.id,
            name: settings.name.unwrap_or_default(),
            track_opens: settings.track_opens.unwrap_or_default(),
            track_links: settings.track_links.unwrap_or_default(),
            delivery_type: settings.delivery_type.unwrap_or_default(),
            post_first_open_only: settings.post_first_open_only.unwrap_or_default(),
            legacy_hooks: hooks
                .into_iter()
                .filter_map(|(name, url)| Some((name, url.filter(|url| !url.trim().is_empty())?)))
                .collect(),
            enable_smtp_api_error_hooks: settings.enable_smtp_api_error_hooks.unwrap_or_default(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Streams {
    message_streams: Vec<StreamRow>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StreamRow {
    #[serde(rename = "ID")]
    id: String,
    #[serde(default)]
    name: Option<String>,
    message_stream_type: String,
    #[serde(default)]
    archived_at: Option<String>,
}

impl Endpoint {
    /// What a server's token opens.
    pub fn server(&self, token: Token) -> ServerApi {
        ServerApi { session: self.session("X-Postmark-Server-Token", token) }
    }
}

impl ServerApi {
    /// The server that the token belongs to.
    pub async fn server(&self) -> Result<ServerInfo, ApiError> {
        self.session.ask::<Settings>(Call::get("/server", &[])).await.map(ServerInfo::from)
    }

    /// Changes the server; what is not named stays.
    pub async fn edit_server(&self, change: &Value) -> Result<ServerInfo, ApiError> {
        let call = Call::new(Method::PUT, "/server", &[]).body(change);
        self.session.ask::<Settings>(call).await.map(ServerInfo::from)
    }

    /// All message streams, archived ones too.
    pub async fn streams(&self) -> Result<Vec<Stream>, ApiError> {
        let call = Call::get("/message-streams", &[])
            .with("MessageStreamType", "All")
            .with("IncludeArchivedStreams", "true");
        let streams: Streams = self.session.ask(call).await?;
        let stream = |row: StreamRow| Stream {
            name: row.name.unwrap_or_default(),
            id: row.id,
            kind: row.message_stream_type,
            archived_at: row.archived_at,
        };
        Ok(streams.message_streams.into_iter().map(stream).collect())
    }

    /// Sends a message, once: it is tried again only if it cannot have been sent. What Postmark answers, whose
    /// `ErrorCode` may be other than 0 although some recipients get it.
    ///
    /// # Errors
    /// See [`ApiError`]; with [`ApiError::Uncertain`] it may have been sent.
    pub async fn send(&self, message: &Value) -> Result<Value, ApiError> {
        let call = Call::new(Method::POST, "/email", &[]).body(message).once().lenient();
        self.session.ask(call).await
    }

    /// Sends up to [`SEND_BATCH_MAX`] messages, once as [`send`](Self::send) does. One answer for each, in their order;
    /// its `ErrorCode` says whether it was taken.
    ///
    /// # Errors
    /// See [`ApiError`]; with [`ApiError::Uncertain`] they may have been sent.
    pub async fn send_batch(&self, messages: &[Value]) -> Result<Vec<Value>, ApiError> {
        let body = Value::Array(messages.to_vec());
        let call = Call::new(Method::POST, "/email/batch", &[]).body(&body).once().lenient();
        self.session.ask(call).await
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{server, told};
    use serde_json::json;

    #[tokio::test]
    async fn a_server_tells_its_settings_and_the_legacy_hooks_that_are_set() {
        let body = r#"{"ID":1,"Name":"shop","ApiTokens":["5ecret"],"TrackOpens":true,"TrackLinks":"HtmlAndText",
            "DeliveryType":"Live","PostFirstOpenOnly":true,"BounceHookUrl":"https://u:p4ss@old.example",
            "OpenHookUrl":"","ClickHookUrl":null,"DeliveryHookUrl":" ","InboundHookUrl":"https://in.example",
            "EnableSmtpApiErrorHooks":true}"#;
        let (api, script) = server([told(200, body), told(200, r#"{"ID":1}"#)]);
        let info = api.server().await.unwrap();
        assert!(info.track_opens && info.post_first_open_only && info.enable_smtp_api_error_hooks);
        assert_eq!((info.track_links.as_str(), info.delivery_type.as_str()), ("HtmlAndText", "Live"));
        assert_eq!(info.legacy_hooks, [("BounceHookUrl", "https://u:p4ss@old.example".to_owned())].into());
        let shown = format!("{info:?}");
        assert!(!shown.contains("p4ss") && !shown.contains("5ecret"), "{shown}");
        let bare = api.edit_server(&json!({"BounceHookUrl": ""})).await.unwrap();
        assert!(bare.legacy_hooks.is_empty());
        assert_eq!(script.lines(), ["GET /server", "PUT /server"]);
        assert_eq!(script.body(1), json!({"BounceHookUrl": ""}));
    }

    #[tokio::test]
    async fn streams_are_told_with_archived_ones() {
        let body = r#"{"MessageStreams":[{"ID":"outbound","Name":"Mail","MessageStreamType":"Transactional"},
            {"ID":"old","MessageStreamType":"Broadcasts","ArchivedAt":"2026-01-01T00:00:00-05:00"}],"TotalCount":2}"#;
        let (api, script) = server([told(200, body)]);
        let streams = api.streams().await.unwrap();
        assert_eq!((streams[0].kind.as_str(), streams[0].archived_at.as_deref()), ("Transactional", None));
        assert_eq!((streams[1].id.as_str(), streams[1].archived_at.is_some()), ("old", true));
        assert_eq!(
            script.lines(),
            ["GET /message-streams?MessageStreamType=All&IncludeArchivedStreams=true"]
        );
    }
}

//! [`ServerApi`]: what a server's token opens. Its settings and streams, statistics and sending stand here; webhooks,
//! suppressions and lists each have a file.

use crate::endpoint::{Call, Endpoint, Session};
use crate::error::ApiError;
use crate::token::Token;
use http::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;
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

/// A server's settings. What Postmark does not tell is `None`. Its tokens are not kept, nor is the hash of its inbound
/// address: whoever knows that can send it mail.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ServerInfo {
    /// Postmark's number of the server.
    pub id: i64,
    /// Its name, as its owner chose it.
    pub name: String,
    /// The colour that Postmark's own pages show it in.
    pub color: Option<String>,
    /// `Live` or `Sandbox`; empty where Postmark does not tell.
    pub delivery_type: String,
    /// Where Postmark's own pages about it are.
    pub server_link: Option<String>,
    /// It takes mail by SMTP.
    pub smtp_api_activated: Option<bool>,
    /// Opens are tracked in each message unless it says otherwise.
    pub track_opens: Option<bool>,
    /// `None`, `HtmlAndText`, `HtmlOnly` or `TextOnly`.
    pub track_links: Option<String>,
    /// The legacy open hook reports only first opens.
    pub post_first_open_only: Option<bool>,
    /// The legacy hooks that are set: `BounceHookUrl`, `OpenHookUrl`, `DeliveryHookUrl` or `ClickHookUrl`, and the URL,
    /// which may contain credentials.
    pub legacy_hooks: BTreeMap<&'static str, String>,
    /// The legacy bounce hook also has the bounced message.
    pub include_bounce_content_in_hook: Option<bool>,
    /// Bounce hooks also report what SMTP refused.
    pub enable_smtp_api_error_hooks: Option<bool>,
    /// Where inbound mail is posted; the URL may contain credentials.
    pub inbound_hook_url: Option<String>,
    /// The domain that inbound mail comes to, besides Postmark's own.
    pub inbound_domain: Option<String>,
    /// From which score on inbound mail counts as spam.
    pub inbound_spam_threshold: Option<i64>,
    /// Inbound mail is posted with its source.
    pub raw_email_enabled: Option<bool>,
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

// `Option`s need no default: what is absent is `None`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Settings {
    #[serde(rename = "ID")]
    id: i64,
    name: Option<String>,
    color: Option<String>,
    delivery_type: Option<String>,
    server_link: Option<String>,
    smtp_api_activated: Option<bool>,
    track_opens: Option<bool>,
    track_links: Option<String>,
    post_first_open_only: Option<bool>,
    include_bounce_content_in_hook: Option<bool>,
    enable_smtp_api_error_hooks: Option<bool>,
    bounce_hook_url: Option<String>,
    open_hook_url: Option<String>,
    delivery_hook_url: Option<String>,
    click_hook_url: Option<String>,
    inbound_hook_url: Option<String>,
    inbound_domain: Option<String>,
    inbound_spam_threshold: Option<Value>,
    raw_email_enabled: Option<bool>,
}

impl From<Settings> for ServerInfo {
    fn from(settings: Settings) -> ServerInfo {
        // What is not set is an empty text.
        let set = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let hooks = [
            ("BounceHookUrl", settings.bounce_hook_url),
            ("OpenHookUrl", settings.open_hook_url),
            ("DeliveryHookUrl", settings.delivery_hook_url),
            ("ClickHookUrl", settings.click_hook_url),
        ];
        ServerInfo {
            id: settings.id,
            name: settings.name.unwrap_or_default(),
            color: set(settings.color),
            delivery_type: settings.delivery_type.unwrap_or_default(),
            server_link: set(settings.server_link),
            smtp_api_activated: settings.smtp_api_activated,
            track_opens: settings.track_opens,
            track_links: set(settings.track_links),
            post_first_open_only: settings.post_first_open_only,
            legacy_hooks: hooks.into_iter().filter_map(|(name, url)| Some((name, set(url)?))).collect(),
            include_bounce_content_in_hook: settings.include_bounce_content_in_hook,
            enable_smtp_api_error_hooks: settings.enable_smtp_api_error_hooks,
            inbound_hook_url: set(settings.inbound_hook_url),
            inbound_domain: set(settings.inbound_domain),
            inbound_spam_threshold: settings.inbound_spam_threshold.as_ref().and_then(Value::as_i64),
            raw_email_enabled: settings.raw_email_enabled,
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

    /// Changes the server; what is not named stays. What Postmark answers has the server's tokens in it and is dropped.
    pub async fn edit_server(&self, change: &Value) -> Result<(), ApiError> {
        let call = Call::new(Method::PUT, "/server", &[]).body(change);
        self.session.ask::<IgnoredAny>(call).await.map(|_| ())
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
    async fn a_server_tells_its_settings_and_the_hooks_that_are_set_and_no_secret_of_it() {
        let body = r#"{"ID":1,"Name":"shop","ApiTokens":["5ecret"],"TrackOpens":true,"TrackLinks":"HtmlAndText",
            "DeliveryType":"Live","PostFirstOpenOnly":true,"BounceHookUrl":"https://u:p4ss@old.example",
            "OpenHookUrl":"","ClickHookUrl":null,"DeliveryHookUrl":" ","InboundHookUrl":"https://u:p4ss@in.example",
            "EnableSmtpApiErrorHooks":true,"Color":"purple","SmtpApiActivated":false,"RawEmailEnabled":true,
            "InboundAddress":"h4sh@inbound.postmarkapp.com","InboundHash":"h4sh","InboundDomain":"in.example",
            "InboundSpamThreshold":5,"IncludeBounceContentInHook":false}"#;
        let (api, _) = server([told(200, body), told(200, r#"{"ID":1,"InboundSpamThreshold":"5"}"#)]);
        let info = api.server().await.unwrap();
        let switches = [info.track_opens, info.post_first_open_only, info.enable_smtp_api_error_hooks];
        assert_eq!(switches, [Some(true); 3]);
        assert_eq!((info.smtp_api_activated, info.raw_email_enabled), (Some(false), Some(true)));
        assert_eq!(info.include_bounce_content_in_hook, Some(false));
        assert_eq!(
            (info.track_links.as_deref(), info.color.as_deref()),
            (Some("HtmlAndText"), Some("purple"))
        );
        assert_eq!(
            (info.inbound_domain.as_deref(), info.inbound_spam_threshold),
            (Some("in.example"), Some(5))
        );
        assert_eq!((info.name.as_str(), info.delivery_type.as_str()), ("shop", "Live"));
        assert_eq!(info.legacy_hooks, [("BounceHookUrl", "https://u:p4ss@old.example".to_owned())].into());
        let shown = format!("{info:?}");
        assert!(!["p4ss", "5ecret", "h4sh"].iter().any(|secret| shown.contains(secret)), "{shown}");
        let bare = api.server().await.unwrap();
        assert_eq!(
            (bare.track_opens, bare.inbound_spam_threshold),
            (None, None),
            "what is not told is not made up"
        );
    }

    #[tokio::test]
    async fn a_server_is_changed_by_its_own_token_in_what_is_named_alone() {
        let (api, script) = server([told(200, r#"{"ID":1,"ApiTokens":["5ecret"]}"#)]);
        assert_eq!(api.edit_server(&json!({"TrackOpens": false})).await, Ok(()));
        assert_eq!(
            (script.lines(), script.body(0)),
            (vec!["PUT /server".to_owned()], json!({"TrackOpens": false}))
        );
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

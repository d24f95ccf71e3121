//! Webhooks as Postmark writes them: much may be absent or null, and words that are new are passed over.

use super::{Auth, Header, Trigger, Triggers, Webhook};
use crate::lenient::or_default;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
pub(super) struct Listed {
    #[serde(rename = "Webhooks")]
    pub(super) webhooks: Vec<WebhookRow>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WebhookRow {
    #[serde(rename = "ID", alias = "Id")]
    id: i64,
    url: String,
    #[serde(default)]
    message_stream: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    http_auth: Option<AuthRow>,
    #[serde(default, deserialize_with = "or_default")]
    http_headers: Vec<Header>,
    #[serde(default, deserialize_with = "or_default")]
    triggers: BTreeMap<String, Option<TriggerRow>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AuthRow {
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TriggerRow {
    #[serde(default, deserialize_with = "or_default")]
    enabled: bool,
    #[serde(default, deserialize_with = "or_default")]
    post_first_open_only: bool,
    #[serde(default, deserialize_with = "or_default")]
    include_content: bool,
}

impl From<WebhookRow> for Webhook {
    fn from(row: WebhookRow) -> Webhook {
        let mut triggers = Triggers::default();
        for (name, one) in row.triggers {
            let (Some(trigger), Some(one)) = (Trigger::from_name(&name), one) else { continue };
            triggers.set(trigger, one.enabled);
            match trigger {
                Trigger::Open => triggers.open_first_only = one.post_first_open_only,
                Trigger::Bounce => triggers.bounce_content = one.include_content,
                Trigger::SpamComplaint => triggers.spam_complaint_content = one.include_content,
                Trigger::Delivery | Trigger::Click | Trigger::SubscriptionChange => {}
            }
        }
        let auth = row.http_auth.and_then(|auth| match (auth.username, auth.password) {
            (None, None) => None,
            (user, password) => {
                let (username, password) = (user.unwrap_or_default(), password.unwrap_or_default());
                (!username.is_empty() || !password.is_empty()).then_some(Auth { username, password })
            }
        });
        Webhook {
            id: row.id,
            url: row.url,
            // Postmark's own default.
            stream: row.message_stream.unwrap_or_else(|| "outbound".to_owned()),
            status: row.status,
            auth,
            headers: row.http_headers,
            triggers,
        }
    }
}

//! Webhooks: rows at Postmark that say which events of a stream go to which URL; their verification and statistics.

mod wire;

use crate::endpoint::Call;
use crate::error::ApiError;
use crate::health::{StatisticsRow, Verification, VerificationRow, WebhookStatistics};
use crate::server::ServerApi;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::fmt;
use wire::{Listed, WebhookRow};

/// A type of event that a webhook can be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "Postmark's words")]
pub enum Trigger {
    Delivery,
    Bounce,
    SpamComplaint,
    Open,
    Click,
    SubscriptionChange,
}

impl Trigger {
    /// All six.
    pub const ALL: [Trigger; 6] = [
        Trigger::Delivery,
        Trigger::Bounce,
        Trigger::SpamComplaint,
        Trigger::Open,
        Trigger::Click,
        Trigger::SubscriptionChange,
    ];

    /// Postmark's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Trigger::Delivery => "Delivery",
            Trigger::Bounce => "Bounce",
            Trigger::SpamComplaint => "SpamComplaint",
            Trigger::Open => "Open",
            Trigger::Click => "Click",
            Trigger::SubscriptionChange => "SubscriptionChange",
        }
    }

    /// The trigger of a word, in whatever case: statistics write it in other ones than webhooks do.
    pub fn from_name(name: &str) -> Option<Trigger> {
        Trigger::ALL.into_iter().find(|trigger| trigger.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// Which triggers a webhook has, and what belongs to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "Postmark's words")]
pub struct Triggers {
    pub open: bool,
    /// Only the first open of a message and recipient is reported.
    pub open_first_only: bool,
    pub click: bool,
    pub delivery: bool,
    pub bounce: bool,
    /// Bounces contain the whole bounced message.
    pub bounce_content: bool,
    pub spam_complaint: bool,
    /// Complaints contain the whole message.
    pub spam_complaint_content: bool,
    pub subscription_change: bool,
}

impl Triggers {
    /// Whether it has this trigger.
    pub fn get(&self, trigger: Trigger) -> bool {
        match trigger {
            Trigger::Delivery => self.delivery,
            Trigger::Bounce => self.bounce,
            Trigger::SpamComplaint => self.spam_complaint,
            Trigger::Open => self.open,
            Trigger::Click => self.click,
            Trigger::SubscriptionChange => self.subscription_change,
        }
    }

    /// Gives it this trigger, or takes it away.
    pub fn set(&mut self, trigger: Trigger, enabled: bool) {
        let field = match trigger {
            Trigger::Delivery => &mut self.delivery,
            Trigger::Bounce => &mut self.bounce,
            Trigger::SpamComplaint => &mut self.spam_complaint,
            Trigger::Open => &mut self.open,
            Trigger::Click => &mut self.click,
            Trigger::SubscriptionChange => &mut self.subscription_change,
        };
        *field = enabled;
    }

    /// The triggers that it has.
    pub fn enabled(&self) -> impl Iterator<Item = Trigger> + use<> {
        let triggers = *self;
        Trigger::ALL.into_iter().filter(move |trigger| triggers.get(*trigger))
    }

    /// As Postmark takes them: all six for a change, so that one is switched off too; for a new webhook those that it
    /// has, since a stream may refuse the mere mention of a trigger that it does not support.
    fn sent(&self, new: bool) -> Value {
        let mut sent = Map::new();
        for trigger in Trigger::ALL.into_iter().filter(|trigger| !new || self.get(*trigger)) {
            let mut one = json!({"Enabled": self.get(trigger)});
            match trigger {
                Trigger::Open => one["PostFirstOpenOnly"] = self.open_first_only.into(),
                Trigger::Bounce => one["IncludeContent"] = self.bounce_content.into(),
                Trigger::SpamComplaint => one["IncludeContent"] = self.spam_complaint_content.into(),
                Trigger::Delivery | Trigger::Click | Trigger::SubscriptionChange => {}
            }
            sent.insert(trigger.name().to_owned(), one);
        }
        Value::Object(sent)
    }
}

/// Credentials that Postmark shows to a webhook's URL (HTTP Basic).
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Auth {
    /// The user.
    pub username: String,
    /// The password: secret.
    pub password: String,
}

/// Without the password.
impl fmt::Debug for Auth {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Auth").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A header that Postmark adds to a webhook's requests.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value: perhaps secret.
    pub value: String,
}

/// Without the value.
impl fmt::Debug for Header {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Header").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A webhook as Postmark has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Postmark's number of it.
    pub id: i64,
    /// Where events go; it may contain credentials.
    pub url: String,
    /// The message stream that they are of.
    pub stream: String,
    /// `verified`, `unverified`, or absent as in Postmark's older answers.
    pub status: Option<String>,
    /// Credentials, in clear text.
    pub auth: Option<Auth>,
    /// Headers, in clear text.
    pub headers: Vec<Header>,
    /// What it is for.
    pub triggers: Triggers,
}

/// Without the URL, credentials and headers.
impl fmt::Debug for Webhook {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Webhook")
            .field("id", &self.id)
            .field("stream", &self.stream)
            .field("status", &self.status)
            .field("triggers", &self.triggers)
            .finish_non_exhaustive()
    }
}

/// A webhook to create.
#[derive(Clone, PartialEq, Eq)]
pub struct NewWebhook {
    /// Where events shall go.
    pub url: String,
    /// The message stream that they are of.
    pub stream: String,
    /// Credentials to show.
    pub auth: Option<Auth>,
    /// Headers to add.
    pub headers: Vec<Header>,
    /// What it is for.
    pub triggers: Triggers,
    /// Postmark probes the URL first, and saves nothing if that fails. Without, it sends nothing until verified.
    pub verify: bool,
}

/// A change to a webhook; what is absent stays. Its stream cannot be changed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct EditWebhook {
    /// Where events shall go.
    pub url: Option<String>,
    /// Credentials to show.
    pub auth: Option<Auth>,
    /// All headers to add.
    pub headers: Option<Vec<Header>>,
    /// All that it is for.
    pub triggers: Option<Triggers>,
    /// Whether Postmark probes first; absent: it does.
    pub verify: Option<bool>,
}

impl ServerApi {
    /// The webhooks of a stream, or of all.
    pub async fn webhooks(&self, stream: Option<&str>) -> Result<Vec<Webhook>, ApiError> {
        let call = Call::get("/webhooks", &[]).with_some("MessageStream", stream);
        let listed: Listed = self.session.ask(call).await?;
        Ok(listed.webhooks.into_iter().map(Webhook::from).collect())
    }

    /// A webhook.
    ///
    /// # Errors
    /// See [`ApiError`]; code 1352 if it is not there.
    pub async fn webhook(&self, id: i64) -> Result<Webhook, ApiError> {
        self.session.ask::<WebhookRow>(Call::get("/webhooks/{}", &[&id.to_string()])).await.map(Webhook::from)
    }

    /// Creates a webhook, once.
    ///
    /// # Errors
    /// [`ApiError::Unverified`] if it was to be verified and that failed; [`ApiError::Uncertain`] if nobody knows whether
    /// it is there now; else see [`ApiError`].
    pub async fn create_webhook(&self, new: &NewWebhook) -> Result<Webhook, ApiError> {
        let mut body = json!({
            "Url": new.url,
            "MessageStream": new.stream,
            "HttpHeaders": new.headers,
            "Triggers": new.triggers.sent(true),
            "Verify": new.verify,
        });
        if let Some(auth) = &new.auth {
            body["HttpAuth"] = json!(auth);
        }
        let call = Call::new(Method::POST, "/webhooks", &[]).body(&body).once();
        self.session.ask::<WebhookRow>(unverified(call, new.verify)).await.map(Webhook::from)
    }

    /// Changes a webhook. Postmark verifies again those triggers that the change concerns, or all.
    ///
    /// # Errors
    /// As [`create_webhook`](Self::create_webhook); it may be repeated.
    pub async fn edit_webhook(&self, id: i64, edit: &EditWebhook) -> Result<Webhook, ApiError> {
        let mut body = json!({});
        if let Some(url) = &edit.url {
            body["Url"] = json!(url);
        }
        if let Some(auth) = &edit.auth {
            body["HttpAuth"] = json!(auth);
        }
        if let Some(headers) = &edit.headers {
            body["HttpHeaders"] = json!(headers);
        }
        if let Some(triggers) = &edit.triggers {
            body["Triggers"] = triggers.sent(false);
        }
        if let Some(verify) = edit.verify {
            body["Verify"] = json!(verify);
        }
        let call = Call::new(Method::PUT, "/webhooks/{}", &[&id.to_string()]).body(&body);
        self.session.ask::<WebhookRow>(unverified(call, edit.verify.unwrap_or(true))).await.map(Webhook::from)
    }

    /// Removes a webhook.
    ///
    /// # Errors
    /// See [`ApiError`]; code 1352 if it is not there, as after a removal whose answer was lost.
    pub async fn delete_webhook(&self, id: i64) -> Result<(), ApiError> {
        let call = Call::new(Method::DELETE, "/webhooks/{}", &[&id.to_string()]);
        self.session.ask::<serde::de::IgnoredAny>(call).await.map(|_| ())
    }

    /// Has Postmark probe each enabled trigger of a webhook; a trigger that was paused is sent to again when it passes.
    /// What the probes found, whether they passed or not.
    pub async fn verify_webhook(&self, id: i64) -> Result<Verification, ApiError> {
        let call = Call::new(Method::POST, "/webhooks/{}/verify", &[&id.to_string()]);
        match self.session.ask::<VerificationRow>(call).await {
            Ok(row) => Ok(row.into_verification(self.session.token())),
            Err(ApiError::Unverified(verification)) => Ok(verification),
            Err(error) => Err(error),
        }
    }

    /// What Postmark counted of a webhook's requests in the last 24 hours.
    pub async fn webhook_statistics(&self, id: i64) -> Result<WebhookStatistics, ApiError> {
        let call = Call::get("/webhooks/{}/statistics", &[&id.to_string()]);
        self.session.ask::<StatisticsRow>(call).await.map(WebhookStatistics::from)
    }
}

/// Without verification, said twice: the documentation names a member of the body, Postmark's own error a query.
fn unverified(call: Call, verify: bool) -> Call {
    if verify { call } else { call.with("verify", "false") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TOKEN, server, told};

    fn new(verify: bool) -> NewWebhook {
        let mut triggers = Triggers::default();
        triggers.set(Trigger::Bounce, true);
        triggers.set(Trigger::SubscriptionChange, true);
        NewWebhook {
            url: "https://in.example/bounce".to_owned(),
            stream: "outbound".to_owned(),
            auth: Some(Auth { username: "user".to_owned(), password: "passw0rd".to_owned() }),
            headers: vec![Header { name: "x-api-key".to_owned(), value: "k3y".to_owned() }],
            triggers,
            verify,
        }
    }

    const WHOLE: &str = r#"{"ID":3000000000,"Url":"https://u:passw0rd@in.example/","MessageStream":"bulk",
        "Status":"unverified","HttpAuth":{"Username":"user","Password":"passw0rd"},
        "HttpHeaders":[{"Name":"x-api-key","Value":"k3y"}],
        "Triggers":{"Open":{"Enabled":true,"PostFirstOpenOnly":true},"Click":{"Enabled":true},
        "Delivery":{"Enabled":true},"Bounce":{"Enabled":true,"IncludeContent":true},
        "SpamComplaint":{"Enabled":true,"IncludeContent":true},"SubscriptionChange":{"Enabled":true}}}"#;

    #[tokio::test]
    async fn a_webhook_is_read_whatever_is_absent_or_null() {
        for auth in ["", r#","HttpAuth":null"#, r#","HttpAuth":{"Username":null,"Password":null}"#] {
            for headers in ["", r#","HttpHeaders":null"#, r#","HttpHeaders":[]"#] {
                for triggers in [
                    "",
                    r#","Triggers":{}"#,
                    r#","Triggers":{"Bounce":{"Enabled":true},"Click":null,"New":{}}"#,
                ] {
                    let body = format!(r#"{{"ID":1,"Url":"https://a.example"{auth}{headers}{triggers}}}"#);
                    let (api, _) = server([told(200, &body)]);
                    let webhook = api.webhook(1).await.unwrap();
                    assert_eq!(
                        (webhook.status, webhook.auth, webhook.headers),
                        (None, None, vec![]),
                        "{body}"
                    );
                    assert_eq!(webhook.stream, "outbound");
                    let bounce = body.contains("Bounce");
                    assert_eq!(webhook.triggers, Triggers { bounce, ..Triggers::default() }, "{body}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_webhook_is_read_whole_and_its_debug_shows_no_secret() {
        let (api, script) =
            server([told(200, format!(r#"{{"Webhooks":[{WHOLE}]}}"#)), told(200, r#"{"Webhooks":[]}"#)]);
        let webhooks = api.webhooks(Some("bulk")).await.unwrap();
        let webhook = &webhooks[0];
        assert_eq!((webhook.id, webhook.status.as_deref()), (3_000_000_000, Some("unverified")));
        assert_eq!(webhook.auth.as_ref().unwrap().password, "passw0rd");
        assert_eq!(webhook.headers[0].value, "k3y");
        let all = webhook.triggers;
        assert_eq!(all.enabled().count(), 6);
        assert!(all.open_first_only && all.bounce_content && all.spam_complaint_content);
        let shown = format!("{webhook:?} {:?} {:?}", webhook.auth, webhook.headers);
        assert!(!shown.contains("passw0rd") && !shown.contains("k3y"), "{shown}");
        assert!(api.webhooks(None).await.unwrap().is_empty());
        assert_eq!(script.lines(), ["GET /webhooks?MessageStream=bulk", "GET /webhooks"]);
    }

    #[tokio::test]
    async fn a_new_webhook_names_the_triggers_that_it_has_and_a_change_names_all() {
        let (api, script) = server([told(200, WHOLE), told(200, WHOLE), told(200, WHOLE)]);
        api.create_webhook(&new(true)).await.unwrap();
        let edit = EditWebhook { triggers: Some(new(true).triggers), ..EditWebhook::default() };
        api.edit_webhook(7, &edit).await.unwrap();
        api.edit_webhook(7, &EditWebhook::default()).await.unwrap();
        assert_eq!(
            script.body(0),
            json!({
                "Url": "https://in.example/bounce",
                "MessageStream": "outbound",
                "HttpAuth": {"Username": "user", "Password": "passw0rd"},
                "HttpHeaders": [{"Name": "x-api-key", "Value": "k3y"}],
                "Triggers": {
                    "Bounce": {"Enabled": true, "IncludeContent": false},
                    "SubscriptionChange": {"Enabled": true},
                },
                "Verify": true,
            })
        );
        let sent = script.body(1);
        assert_eq!(sent["Triggers"].as_object().unwrap().len(), 6);
        assert_eq!(sent["Triggers"]["Click"], json!({"Enabled": false}));
        assert_eq!(sent.as_object().unwrap().len(), 1, "what is absent stays");
        assert_eq!(script.body(2), json!({}));
        assert_eq!(script.lines(), ["POST /webhooks", "PUT /webhooks/7", "PUT /webhooks/7"]);
    }

    #[tokio::test]
    async fn without_verification_body_and_query_say_so() {
        let (api, script) = server([told(200, WHOLE), told(200, WHOLE)]);
        api.create_webhook(&new(false)).await.unwrap();
        let edit = EditWebhook { verify: Some(false), ..EditWebhook::default() };
        api.edit_webhook(7, &edit).await.unwrap();
        assert_eq!(script.lines(), ["POST /webhooks?verify=false", "PUT /webhooks/7?verify=false"]);
        assert_eq!((&script.body(0)["Verify"], &script.body(1)["Verify"]), (&json!(false), &json!(false)));
    }

    const FAILED: &str = r#"{"Id":7,"Url":"https://u:p@in.example","Success":false,"Results":[
        {"TriggerType":"Bounce","Success":true,"StatusCode":200,"Message":"OK"},
        {"TriggerType":"Open","Success":false,"StatusCode":401,"Message":"Unauthorized"},
        {"TriggerType":"Click","Success":false,"StatusCode":null,"Message":"no answer from u:p@in.example"}],
        "Message":"1/3 triggers verified successfully"}"#;

    #[tokio::test]
    async fn a_failed_verification_says_what_failed() {
        let answer = http::Response::builder().status(422).header("X-PM-ApiErrorCode", "1364");
        let (api, script) = server([Ok((answer, vec![Ok(FAILED.into())])), told(422, FAILED)]);
        let error = api.create_webhook(&new(true)).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "Postmark's probes failed, so nothing was saved: 1/3 triggers verified successfully; \
             Open: 401 (Unauthorized); Click: no answer"
        );
        assert!(error.next().is_some());
        let ApiError::Unverified(verification) = error else { panic!("{error}") };
        assert_eq!(verification.results[1].status_code, Some(401));
        assert_eq!(script.calls(), 1);
        let without_header = api.edit_webhook(7, &EditWebhook::default()).await;
        assert_eq!(without_header, Err(ApiError::Unverified(verification)));
    }

    #[tokio::test]
    async fn a_verification_is_told_whatever_it_found() {
        let passed = r#"{"Success":true,"Results":null,"Message":null}"#;
        let refused = http::Response::builder().status(422).header("X-PM-ApiErrorCode", "1364");
        let (api, script) =
            server([told(200, FAILED), told(200, passed), Ok((refused, vec![Ok(FAILED.into())]))]);
        assert!(!api.verify_webhook(7).await.unwrap().success);
        assert!(api.verify_webhook(7).await.unwrap().success);
        assert_eq!(api.verify_webhook(7).await.unwrap().results.len(), 3);
        assert_eq!(script.lines(), ["POST /webhooks/7/verify"; 3]);
    }

    #[tokio::test]
    async fn statistics_are_read_with_nulls_and_without_triggers() {
        let body = r#"{"WebhookId":7,"Statuses":{"Bounce":"verified","Open":"unverified","Click":null},
            "TimeRange":{"StartTime":"2026-11-24T00:00:00Z","EndTime":"2026-11-25T00:00:00Z","Hours":24},
            "Metrics":{"TotalRequests":10,"SuccessCount":7,"FailureCount":3,"RetryCount":2,"SuccessRate":70.0,
            "SlowCount":1,"VerySlowCount":null,"AverageTerminalResponseTimeMs":12.5},
            "MetricsByTrigger":{"Bounce":{"TotalRequests":10},"Open":null}}"#;
        let (api, _) = server([told(200, body), told(200, r#"{"Metrics":{}}"#)]);
        let told = api.webhook_statistics(7).await.unwrap();
        assert_eq!(
            (told.total, told.success, told.failure, told.retry, told.slow, told.very_slow),
            (10, 7, 3, 2, 1, 0)
        );
        assert_eq!((told.statuses["Open"].as_str(), told.statuses.len()), ("unverified", 2));
        assert_eq!((told.by_trigger["Bounce"].total, told.by_trigger["Open"].total), (10, 0));
        assert_eq!(told.start.as_deref(), Some("2026-11-24T00:00:00Z"));
        assert_eq!(api.webhook_statistics(7).await, Ok(WebhookStatistics::default()));
    }

    #[tokio::test]
    async fn a_webhook_is_created_once_whatever_comes_back() {
        let (api, script) = server([told(502, "<html>"), told(200, WHOLE)]);
        let error = api.create_webhook(&new(true)).await.unwrap_err();
        assert!(matches!(error, ApiError::Uncertain(_)), "{error}");
        assert_eq!(script.calls(), 1);
        let (api, script) =
            server([told(502, "<html>"), told(200, r#"{"ErrorCode":0,"Message":"Webhook 7 removed."}"#)]);
        assert_eq!(api.delete_webhook(7).await, Ok(()));
        assert_eq!(script.calls(), 2);
        let gone = r#"{"ErrorCode":1352,"Message":"The webhook was not found."}"#;
        let (api, _) = server([told(422, gone)]);
        let error = api.delete_webhook(7).await.unwrap_err();
        assert!(matches!(error, ApiError::Refused { status: 422, code: 1352, .. }), "{error}");
    }

    #[test]
    fn triggers_are_got_and_set_and_their_names_are_read_in_any_case() {
        for trigger in Trigger::ALL {
            let mut triggers = Triggers::default();
            triggers.set(trigger, true);
            assert_eq!(triggers.enabled().collect::<Vec<_>>(), [trigger]);
            assert!(triggers.get(trigger));
            assert_eq!(Trigger::from_name(&trigger.to_string().to_lowercase()), Some(trigger));
        }
        assert_eq!(Trigger::from_name(TOKEN), None);
    }
}

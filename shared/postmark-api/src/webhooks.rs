//! Webhooks: rows at Postmark that say which events of a stream go to which URL; their verification and statistics.

use crate::endpoint::Call;
use crate::error::ApiError;
use crate::server::ServerApi;
use crate::words;
use http::Method;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;

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
    /// Only the first open of a message and recipient is told.
    pub open_first_only: bool,
    pub click: bool,
    pub delivery: bool,
    pub bounce: bool,
    /// Bounces bear the whole bounced message.
    pub bounce_content: bool,
    pub spam_complaint: bool,
    /// Complaints bear the whole message.
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
    /// Where events go; it may bear credentials.
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

/// What Postmark's probes of a webhook found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Each was answered with 200.
    pub success: bool,
    /// One for each trigger that is enabled.
    pub results: Vec<ProbeResult>,
    /// Postmark's summary: `4/5 triggers verified successfully`.
    pub message: String,
}

/// What one probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeResult {
    /// The trigger, in Postmark's word.
    pub trigger: String,
    /// It was answered with 200.
    pub success: bool,
    /// The status that came; none if there was no answer.
    pub status_code: Option<i64>,
    /// What Postmark says about it.
    pub message: String,
}

/// Postmark's summary, and what failed.
impl fmt::Display for Verification {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let summary = if self.message.is_empty() { "no summary" } else { &self.message };
        out.write_str(summary)?;
        for result in self.results.iter().filter(|result| !result.success) {
            write!(out, "; {}: ", result.trigger)?;
            match result.status_code {
                Some(status) => write!(out, "{status}")?,
                None => write!(out, "no answer")?,
            }
            if !result.message.is_empty() {
                write!(out, " ({})", result.message)?;
            }
        }
        Ok(())
    }
}

/// What Postmark counted of a webhook's requests in the last 24 hours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookStatistics {
    /// `verified` or `unverified` for each trigger, in Postmark's words.
    pub statuses: BTreeMap<String, String>,
    /// When the counting begins, as Postmark writes it.
    pub start: Option<String>,
    /// When it ends.
    pub end: Option<String>,
    /// Requests, tries again included.
    pub total: u64,
    /// Those that were answered with 200.
    pub success: u64,
    /// Those that were not.
    pub failure: u64,
    /// Tries after the first.
    pub retry: u64,
    /// Those that took long.
    pub slow: u64,
    /// Those that took very long.
    pub very_slow: u64,
    /// The same for each trigger, in Postmark's words.
    pub by_trigger: BTreeMap<String, TriggerMetrics>,
}

/// What Postmark counted of one trigger's requests, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TriggerMetrics {
    /// Requests, tries again included.
    #[serde(rename = "TotalRequests", deserialize_with = "or_default")]
    pub total: u64,
    /// Those that were answered with 200.
    #[serde(rename = "SuccessCount", deserialize_with = "or_default")]
    pub success: u64,
    /// Those that were not.
    #[serde(rename = "FailureCount", deserialize_with = "or_default")]
    pub failure: u64,
    /// Tries after the first.
    #[serde(rename = "RetryCount", deserialize_with = "or_default")]
    pub retry: u64,
    /// Those that took long.
    #[serde(rename = "SlowCount", deserialize_with = "or_default")]
    pub slow: u64,
    /// Those that took very long.
    #[serde(rename = "VerySlowCount", deserialize_with = "or_default")]
    pub very_slow: u64,
}

/// What is null counts as absent.
fn or_default<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "Webhooks")]
    webhooks: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
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

impl From<Row> for Webhook {
    fn from(row: Row) -> Webhook {
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

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VerificationRow {
    success: bool,
    #[serde(default, deserialize_with = "or_default")]
    results: Vec<ProbeRow>,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ProbeRow {
    #[serde(default)]
    trigger_type: Option<String>,
    success: bool,
    #[serde(default)]
    status_code: Option<i64>,
    #[serde(default)]
    message: Option<String>,
}

impl VerificationRow {
    /// Messages are Postmark's words, or the endpoint's through it: they are kept as far as they may be printed.
    fn into_verification(self, token: &str) -> Verification {
        let words =
            |told: Option<String>| told.and_then(|told| words::repeatable(&told, token)).unwrap_or_default();
        Verification {
            success: self.success,
            message: words(self.message),
            results: self
                .results
                .into_iter()
                .map(|row| ProbeResult {
                    trigger: words(row.trigger_type),
                    success: row.success,
                    status_code: row.status_code,
                    message: words(row.message),
                })
                .collect(),
        }
    }
}

/// What a failed verification answers, if it is one.
pub(crate) fn verification(body: &[u8], token: &str) -> Option<Verification> {
    let row: VerificationRow = serde_json::from_slice(body).ok()?;
    Some(row.into_verification(token))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StatisticsRow {
    #[serde(default, deserialize_with = "or_default")]
    statuses: BTreeMap<String, Option<String>>,
    #[serde(default)]
    time_range: Option<TimeRange>,
    metrics: TriggerMetrics,
    #[serde(default, deserialize_with = "or_default")]
    metrics_by_trigger: BTreeMap<String, Option<TriggerMetrics>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TimeRange {
    #[serde(default)]
    start_time: Option<String>,
    #[serde(default)]
    end_time: Option<String>,
}

impl ServerApi {
    /// The webhooks of a stream, or of all.
    ///
    /// # Errors
    /// See [`ApiError`].
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
        self.session.ask::<Row>(Call::get("/webhooks/{}", &[&id.to_string()])).await.map(Webhook::from)
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
        self.session.ask::<Row>(unverified(call, new.verify)).await.map(Webhook::from)
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
        self.session.ask::<Row>(unverified(call, edit.verify.unwrap_or(true))).await.map(Webhook::from)
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
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn verify_webhook(&self, id: i64) -> Result<Verification, ApiError> {
        let call = Call::new(Method::POST, "/webhooks/{}/verify", &[&id.to_string()]);
        match self.session.ask::<VerificationRow>(call).await {
            Ok(row) => Ok(row.into_verification(self.session.token())),
            Err(ApiError::Unverified(verification)) => Ok(verification),
            Err(error) => Err(error),
        }
    }

    /// What Postmark counted of a webhook's requests in the last 24 hours.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn webhook_statistics(&self, id: i64) -> Result<WebhookStatistics, ApiError> {
        let call = Call::get("/webhooks/{}/statistics", &[&id.to_string()]);
        let row: StatisticsRow = self.session.ask(call).await?;
        let (start, end) = row.time_range.map(|range| (range.start_time, range.end_time)).unwrap_or_default();
        let all = row.metrics;
        Ok(WebhookStatistics {
            statuses: row.statuses.into_iter().filter_map(|(name, status)| Some((name, status?))).collect(),
            start,
            end,
            total: all.total,
            success: all.success,
            failure: all.failure,
            retry: all.retry,
            slow: all.slow,
            very_slow: all.very_slow,
            by_trigger: row
                .metrics_by_trigger
                .into_iter()
                .map(|(name, metrics)| (name, metrics.unwrap_or_default()))
                .collect(),
        })
    }
}

/// Without verification, said twice: the documentation names a member of the body, Postmark's own error a query.
fn unverified(call: Call, verify: bool) -> Call {
    if verify { call } else { call.with("verify", "false") }
}

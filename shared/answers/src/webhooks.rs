//! A server's webhooks at Postmark: what there is, what would make it as it should be, and what became of that.

use crate::named::ServerId as OfServer;
use crate::words::{FateOf, HowConnected, JobPhase, RotationStage, choice};
use crate::{Listable, Timestamp, Word};
use ledger::ServerId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How webhooks are laid out: one for each event type, or one for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookForm {
    /// One for each event type.
    #[default]
    PerType,
    /// One for all.
    OneUrl,
}

/// How one event type of a webhook stands at Postmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerState {
    /// Postmark has checked that our URL takes it.
    Verified,
    /// Postmark has paused it: nothing comes in until it is verified again.
    Unverified,
    /// Postmark does not say.
    Unknown,
}

/// How a webhook's requests went in the 24 hours before the last look, by Postmark's count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct WebhookRequests {
    /// All requests, retries included.
    pub total: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that were retries.
    pub retried: u64,
}

/// A webhook as Postmark has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Webhook {
    /// Postmark's number of it.
    pub id: i64,
    /// The stream.
    pub stream: String,
    /// Where it leads, without user and password. Of a webhook that is not ours only the host, since the rest may be a
    /// secret; empty if even that cannot be told.
    pub url: String,
    /// Whether it leads to this ledger's URLs of this server. Others are never changed.
    pub ours: bool,
    /// By event type, in Postmark's words: how it stands.
    pub triggers: BTreeMap<String, Word<TriggerState>>,
    /// Postmark's figures. Absent if it gave none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<WebhookRequests>,
}

/// What becomes of a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebhookPlanned {
    /// What.
    #[schemars(with = "Word<FateOf>")]
    pub what: String,
    /// The stream.
    pub stream: String,
    /// The event types, in Postmark's words.
    pub triggers: Vec<String>,
    /// Where it leads; of a webhook that is not ours only the host.
    pub url: String,
    /// Why, in words; empty if that needs none.
    pub why: String,
}

/// A webhook that a server should have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct WebhookWanted {
    /// The stream.
    pub stream: String,
    /// The event types, in Postmark's words.
    pub triggers: Vec<String>,
    /// Where it leads.
    pub url: String,
}

/// Something that is wrong with webhooks, and the next step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebhookFinding {
    /// The stream, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// What it is, as a code.
    #[schemars(extend("examples" = ["trigger_unverified"]))]
    pub code: String,
    /// What it is, in words.
    pub words: String,
    /// What to do.
    pub next: String,
}

/// One step at Postmark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebhookStep {
    /// `created`, `changed`, `removed` or `verified`.
    pub what: String,
    /// The stream.
    pub stream: String,
    /// Where the webhook leads.
    pub url: String,
    /// Why it was not done. Absent if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// What to do about that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The last time that webhooks were set up over the API, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebhookJob {
    /// Its id.
    pub id: String,
    /// How far it is.
    #[schemars(with = "Word<JobPhase>")]
    pub state: String,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// When it ended. Absent until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// In what form.
    pub form: Word<WebhookForm>,
    /// Whether opens and clicks were left out.
    pub native_tracking: bool,
    /// What was done, step by step.
    pub steps: Vec<WebhookStep>,
    /// Event types that Postmark does not have on a stream, as `STREAM: TYPE`. They are not asked for again.
    pub refused: Vec<String>,
    /// How many event types were read back from our webhooks afterwards.
    pub read_back: u64,
    /// How many of them Postmark has verified.
    pub verified: u64,
    /// Whether all is as it should be.
    pub complete: bool,
    /// Why it could not be done, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What to do about that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What webhooks show to this ledger, without the password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebhookCredential {
    /// The user name.
    pub user: String,
    /// Which of the server's passwords is in use, from 1.
    pub generation: u32,
    /// By the id of each signing key: the hour in which a password that it signed was last seen.
    pub keys: BTreeMap<String, Timestamp>,
}

/// A rotation of the key that signs the passwords of all servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebhookRotation {
    /// How far it is: only said right after a step of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Word<RotationStage>>")]
    pub stage: Option<String>,
    /// The id of the key that goes.
    pub old: String,
    /// The id of the key that comes.
    pub new: String,
    /// When it began.
    pub began_at: Timestamp,
    /// Since when this server's webhooks have passwords of the new key. Absent until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_at: Option<Timestamp>,
    /// When the old key was retired. Absent while the rotation is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<Timestamp>,
    /// What the next step waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// Until when, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Why this server's webhooks were not moved, if they could not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// Commands that do the same, for the machine that has the signing key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct WebhookCommands {
    /// Sets up the webhooks.
    pub connect: String,
    /// Prints the URLs with their password.
    pub url: String,
    /// Rotates the signing key.
    pub rotate: String,
}

/// A server's webhooks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Webhooks {
    /// The server.
    #[schemars(with = "OfServer")]
    pub server: ServerId,
    /// Whether the server is registered: only then are its webhooks looked after.
    pub registered: bool,
    /// In what form its webhooks are set up.
    pub form: Word<WebhookForm>,
    /// Whether the client's own program tracks opens and clicks, so that webhooks for them are left out: they would be
    /// counted twice.
    pub native_tracking: bool,
    /// The streams that webhooks are set up for.
    pub streams: Vec<String>,
    /// The base of the webhooks' URLs. Absent until they were set up or seen, unless the API can set them up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doors: Option<String>,
    /// The webhooks that it should have, for people who set them up by hand. Empty until `doors` is known.
    pub wanted: Vec<WebhookWanted>,
    /// When Postmark was last looked at: the four following members are of then. Absent if it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<Timestamp>,
    /// What there is at Postmark.
    pub webhooks: Vec<Webhook>,
    /// What would make it as it should be.
    pub plan: Vec<WebhookPlanned>,
    /// What is wrong.
    pub findings: Vec<WebhookFinding>,
    /// By event type, in Postmark's words: the hour of the last event, however it came in: by webhook, or since the ledger asked
    /// for it. One that is not listed had none since the ledger began to look.
    pub heard: BTreeMap<String, Timestamp>,
    /// The fewest retries that an event had left which came in during the last 24 hours, if that was one or none. After the
    /// last retry Postmark drops an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries_left: Option<u32>,
    /// The credential, without its password. Absent if the server is not registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<WebhookCredential>,
    /// The last rotation of the signing key. Absent if there never was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<WebhookRotation>,
    /// Whether the API can set up webhooks, or only a command.
    #[schemars(with = "Word<HowConnected>")]
    pub connect: String,
    /// The commands.
    pub commands: WebhookCommands,
    /// The last time that webhooks were set up over the API. Absent if they never were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<WebhookJob>,
}

/// How webhooks are to be set up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectRequest {
    /// The form; absent: as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "choice::<WebhookForm>")]
    pub form: Option<WebhookForm>,
    /// Whether opens and clicks are left out, because the client's own program tracks them; absent: as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "yes_or_no")]
    pub native_tracking: Option<bool>,
    /// Only look at Postmark and plan.
    #[serde(default)]
    pub dry_run: bool,
}

fn yes_or_no(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "boolean" })
}

/// What would be done, or what was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Connected {
    /// Whether it was only planned.
    pub dry_run: bool,
    /// The base of the webhooks' URLs.
    pub doors: String,
    /// In what form.
    pub form: Word<WebhookForm>,
    /// Whether opens and clicks are left out.
    pub native_tracking: bool,
    /// What becomes of each webhook, planned just now.
    pub plan: Vec<WebhookPlanned>,
    /// How many steps that takes at Postmark.
    pub steps: u64,
    /// What to know before.
    pub warnings: Vec<WebhookFinding>,
    /// What was done. Absent from a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<WebhookJob>,
}

/// The password of a server's webhooks, for somebody who sets them up by hand.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebhookPassword {
    /// The base of the webhooks' URLs.
    pub doors: String,
    /// The user name.
    pub user: String,
    /// The password: secret.
    pub password: String,
}

/// Without the password.
impl std::fmt::Debug for WebhookPassword {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("WebhookPassword").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Listable for WebhookForm {
    const NAME: Option<&'static str> = Some("WebhookForm");
    const DESCRIPTION: &'static str = "How webhooks are laid out: one for each event type, or one for all.";

    fn words() -> Vec<&'static str> {
        crate::words::words_of::<WebhookForm>()
    }
}

impl Listable for TriggerState {
    const NAME: Option<&'static str> = Some("TriggerState");
    const DESCRIPTION: &'static str = "How one event type of a webhook stands at Postmark. `unverified`: Postmark has paused it, and nothing comes in until it is verified again.";

    fn words() -> Vec<&'static str> {
        crate::words::words_of::<TriggerState>()
    }
}

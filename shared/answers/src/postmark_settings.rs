//! What Postmark keeps for a server, under Postmark's own names, and what is changed of it.

use crate::named::ServerId as OfServer;
use crate::words::{BecameOf, Hindrance};
use crate::{Listable, Word};
use ledger::ServerId;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The colours that a server can have at Postmark.
pub const COLORS: [&str; 8] = ["purple", "blue", "turquoise", "green", "red", "yellow", "grey", "orange"];
/// In which parts of a mail Postmark tracks links.
pub const TRACK_LINKS: [&str; 4] = ["None", "HtmlAndText", "HtmlOnly", "TextOnly"];
/// How many characters the name of a server may have.
pub const SERVER_NAME_MAX: usize = 100;

/// What Postmark keeps for a server, under Postmark's own names. What Postmark does not tell, or has not set, is absent. Of
/// the URLs of hooks only scheme and host are told; `unreadable` stands for what is no URL. Neither tokens nor the hash
/// of the inbound address are told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct PostmarkServer {
    /// What the server is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The colour that Postmark's own pages show it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
    /// `Live`, or `Sandbox`: then no mail is really sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_type: Option<String>,
    /// Where Postmark's own pages about it are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_link: Option<String>,
    /// Whether it takes mail by SMTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smtp_api_activated: Option<bool>,
    /// Whether opens are tracked, unless a message says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub track_opens: Option<bool>,
    /// In which parts of a message links are tracked, unless it says otherwise: `None`, `HtmlAndText`, `HtmlOnly` or
    /// `TextOnly`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub track_links: Option<String>,
    /// The old-style hook for bounces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounce_hook_url: Option<String>,
    /// The old-style hook for opens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_hook_url: Option<String>,
    /// The old-style hook for deliveries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_hook_url: Option<String>,
    /// The old-style hook for clicks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub click_hook_url: Option<String>,
    /// Whether the old-style hook for opens is told of first opens only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_first_open_only: Option<bool>,
    /// Whether the old-style hook for bounces is told the bounced message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include_bounce_content_in_hook: Option<bool>,
    /// Whether what SMTP refused is reported as a bounce.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_smtp_api_error_hooks: Option<bool>,
    /// Where inbound mail is posted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inbound_hook_url: Option<String>,
    /// The domain of the server's own that inbound mail comes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inbound_domain: Option<String>,
    /// From which score on inbound mail is blocked as spam.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inbound_spam_threshold: Option<i64>,
    /// Whether inbound mail is posted with its source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw_email_enabled: Option<bool>,
}

impl PostmarkServer {
    /// One of the settings that can be changed.
    pub fn setting(&self, setting: PostmarkSetting) -> Option<SettingValue> {
        match setting {
            PostmarkSetting::Name => self.name.clone().map(SettingValue::Text),
            PostmarkSetting::Color => self.color.clone().map(SettingValue::Text),
            PostmarkSetting::TrackOpens => self.track_opens.map(SettingValue::Switch),
            PostmarkSetting::TrackLinks => self.track_links.clone().map(SettingValue::Text),
            PostmarkSetting::SmtpApiActivated => self.smtp_api_activated.map(SettingValue::Switch),
        }
    }
}

/// A setting that can be changed, by Postmark's own name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PostmarkSetting {
    /// What the server is called.
    Name,
    /// The colour that Postmark's own pages show it in.
    Color,
    /// Whether opens are tracked.
    TrackOpens,
    /// In which parts of a message links are tracked.
    TrackLinks,
    /// Whether it takes mail by SMTP.
    SmtpApiActivated,
}

impl PostmarkSetting {
    /// All of them.
    pub const ALL: [PostmarkSetting; 5] = [
        PostmarkSetting::Name,
        PostmarkSetting::Color,
        PostmarkSetting::TrackOpens,
        PostmarkSetting::TrackLinks,
        PostmarkSetting::SmtpApiActivated,
    ];

    /// Postmark's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            PostmarkSetting::Name => "Name",
            PostmarkSetting::Color => "Color",
            PostmarkSetting::TrackOpens => "TrackOpens",
            PostmarkSetting::TrackLinks => "TrackLinks",
            PostmarkSetting::SmtpApiActivated => "SmtpApiActivated",
        }
    }
}

impl Listable for PostmarkSetting {
    fn words() -> Vec<&'static str> {
        PostmarkSetting::ALL.map(PostmarkSetting::name).to_vec()
    }
}

/// What a setting is: on or off, or a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum SettingValue {
    /// On or off.
    Switch(bool),
    /// A text.
    Text(String),
}

impl SettingValue {
    /// Whether it is the same to Postmark, which writes its words in upper or lower case.
    pub fn is_same(&self, other: &SettingValue, setting: PostmarkSetting) -> bool {
        match (self, other) {
            (SettingValue::Text(one), SettingValue::Text(other)) if setting != PostmarkSetting::Name => {
                one.eq_ignore_ascii_case(other)
            }
            (one, other) => one == other,
        }
    }
}

impl fmt::Display for SettingValue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingValue::Switch(on) => out.write_str(if *on { "on" } else { "off" }),
            SettingValue::Text(text) => out.write_str(text),
        }
    }
}

/// A setting at Postmark that works against what is recorded here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct PostmarkWarning {
    /// What works against it.
    #[schemars(with = "Word<Hindrance>")]
    pub code: String,
    /// The setting, by Postmark's own name.
    pub setting: String,
    /// What it does, in a sentence.
    pub detail: String,
    /// What to do.
    pub next: String,
}

/// What Postmark keeps for a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PostmarkSettings {
    /// The server.
    #[schemars(with = "OfServer")]
    pub server: ServerId,
    /// What Postmark says now.
    pub settings: PostmarkServer,
    /// Settings that work against what is recorded here.
    pub warnings: Vec<PostmarkWarning>,
}

/// Settings of a server that are to be changed at Postmark. What is not named stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostmarkSettingsRequest {
    /// What they are to be.
    pub set: NewPostmarkSettings,
    /// If true, nothing is changed: the answer says what would be.
    #[serde(default)]
    pub dry_run: bool,
}

/// What settings are to be, by Postmark's own names: one of them at least.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "PascalCase", default)]
#[schemars(extend("minProperties" = 1))]
pub struct NewPostmarkSettings {
    /// What the server is called.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "crate::not_null")]
    #[schemars(schema_with = "name")]
    pub name: Option<String>,
    /// The colour that Postmark's own pages show it in.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "crate::not_null")]
    #[schemars(schema_with = "color")]
    pub color: Option<String>,
    /// Whether opens are tracked, unless a message says otherwise.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "crate::not_null")]
    #[schemars(with = "bool")]
    pub track_opens: Option<bool>,
    /// In which parts of a message links are tracked, unless it says otherwise.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "crate::not_null")]
    #[schemars(schema_with = "track_links")]
    pub track_links: Option<String>,
    /// Whether the server takes mail by SMTP.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "crate::not_null")]
    #[schemars(with = "bool")]
    pub smtp_api_activated: Option<bool>,
}

fn name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": SERVER_NAME_MAX,
        "pattern": r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$",
    })
}

fn color(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": COLORS })
}

fn track_links(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": TRACK_LINKS })
}

impl NewPostmarkSettings {
    /// What is named, in order.
    pub fn named(&self) -> Vec<(PostmarkSetting, SettingValue)> {
        let text = |text: &Option<String>| text.clone().map(SettingValue::Text);
        let all = [
            (PostmarkSetting::Name, text(&self.name)),
            (PostmarkSetting::Color, text(&self.color)),
            (PostmarkSetting::TrackOpens, self.track_opens.map(SettingValue::Switch)),
            (PostmarkSetting::TrackLinks, text(&self.track_links)),
            (PostmarkSetting::SmtpApiActivated, self.smtp_api_activated.map(SettingValue::Switch)),
        ];
        all.into_iter().filter_map(|(setting, value)| Some((setting, value?))).collect()
    }
}

/// A setting that is changed, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct PostmarkChange {
    /// The setting, by Postmark's own name.
    pub setting: Word<PostmarkSetting>,
    /// What it was. Absent if Postmark did not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<SettingValue>,
    /// What it is to be.
    pub after: SettingValue,
    /// What that means, in a sentence.
    pub means: String,
    /// Whether it is so now.
    #[schemars(with = "Word<BecameOf>")]
    pub status: String,
}

/// What became of settings that were to be changed at Postmark. It is Postmark's word, read back after the change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PostmarkSettingsChanged {
    /// The server.
    #[schemars(with = "OfServer")]
    pub server: ServerId,
    /// The settings that were something else; empty if all of them were so already.
    pub changes: Vec<PostmarkChange>,
    /// What Postmark says now. Absent if it did not answer after the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<PostmarkServer>,
    /// Whether this was a dry run, which changes nothing. Absent if it was not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

//! A plan row by row, as people read it: what becomes of each webhook, and why.

use super::{Difference, Plan, WebhookRow};
use postmark_api::Trigger;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What becomes of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is as it should be.
    Keep,
    /// It is missing.
    Create,
    /// It is otherwise than it should be.
    Change,
    /// Postmark is asked to check it again.
    Verify,
    /// It is ours, and there should be none.
    Remove,
    /// It is not ours.
    LeaveAlone,
}

impl Fate {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Fate::Keep => "keep",
            Fate::Create => "create",
            Fate::Change => "change",
            Fate::Verify => "verify",
            Fate::Remove => "remove",
            Fate::LeaveAlone => "leave alone",
        }
    }
}

/// What becomes of one webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRow {
    /// What.
    pub what: Fate,
    /// The stream.
    pub stream: String,
    /// What it tells, by Postmark's names.
    pub triggers: Vec<String>,
    /// Where it leads, without a credential.
    pub url: String,
    /// Why, in words; nothing where that needs none.
    pub why: String,
}

impl PlanRow {
    fn of(
        what: Fate,
        stream: &str,
        triggers: &BTreeSet<Trigger>,
        url: &str,
        why: impl Into<String>,
    ) -> PlanRow {
        let triggers = triggers.iter().map(|trigger| trigger.name().to_owned()).collect();
        PlanRow { what, stream: stream.to_owned(), triggers, url: url.to_owned(), why: why.into() }
    }
}

impl Plan {
    /// Row by row, in the order in which they are told.
    pub fn rows(&self) -> Vec<PlanRow> {
        let of = |what, rows: &[WebhookRow], why: &'static str| {
            let row = |one: &WebhookRow| PlanRow::of(what, &one.stream, &one.triggers, &one.url, why);
            rows.iter().map(row).collect::<Vec<_>>()
        };
        let mut rows = of(Fate::Keep, &self.keep, "");
        rows.extend(
            self.create.iter().map(|to| PlanRow::of(Fate::Create, &to.stream, &to.triggers, &to.url, "")),
        );
        rows.extend(self.change.iter().map(|change| {
            let (to, differs) = (&change.to, change.differs.iter().map(|one| one.words()));
            let why = differs.collect::<Vec<_>>().join(", ");
            PlanRow::of(Fate::Change, &to.stream, &to.triggers, &to.url, why)
        }));
        rows.extend(of(Fate::Verify, &self.verify, "it is not verified: nothing is told by it"));
        rows.extend(of(Fate::Remove, &self.remove, ""));
        rows.extend(of(Fate::LeaveAlone, &self.foreign, "not ours"));
        rows
    }

    /// How many steps it takes at Postmark.
    pub fn steps(&self) -> usize {
        self.create.len() + self.change.len() + self.remove.len() + self.verify.len()
    }
}

impl Difference {
    /// In words.
    const fn words(self) -> &'static str {
        match self {
            Difference::Url => "URL",
            Difference::Triggers => "what it tells",
            Difference::Options => "first opens only, or whole messages",
            Difference::Credential => "password",
        }
    }
}

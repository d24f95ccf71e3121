//! What sets up webhooks in tests: it says what a test wants of Postmark, and keeps what it was asked for.

use super::server;
use super::texts::Texts;
use account::connect::{Outcome, Standing, Step};
use account::connecting::{Asked, Connecting, ConnectingError, HasKey, Planned};
use account::rotate::{Progress, Rotation, Stage};
use account::webhooks::{Change, Desired, Difference, Plan, WebhookRow};
use account::{Finding, ServerEntry};
use async_trait::async_trait;
use ledger::{ServerId, Time};
use postmark_api::{Auth, Trigger};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// The password that it shows.
pub(crate) const PASSWORD: &str = "t0p-s3cret-password";

/// The webhooks of tests.
#[derive(Default)]
pub(crate) struct Connects {
    /// What the texts of each server are like.
    pub(crate) texts: Mutex<BTreeMap<ServerId, Texts>>,
    /// In which form webhooks were set up, and whether without opens and clicks.
    pub(crate) asked: Mutex<Vec<(account::ConnectForm, bool)>>,
    /// Whether somebody else has the key, and does it later.
    pub(crate) hands_over: AtomicBool,
    /// Whether every step goes well.
    pub(crate) goes_well: AtomicBool,
}

impl Connects {
    fn texts(&self, server: ServerId) -> Texts {
        self.texts.lock().unwrap().get(&server).copied().unwrap_or(Texts::Plain("acme"))
    }
}

/// A webhook as somebody else made it.
fn row(texts: Texts, n: usize) -> WebhookRow {
    WebhookRow {
        id: n as i64,
        stream: texts.of("webhook_stream", n),
        url: texts.of("webhook_url", n),
        triggers: [Trigger::Bounce, Trigger::Open].into(),
        status: Some(texts.of("webhook_status", n)),
    }
}

#[async_trait]
impl Connecting for Connects {
    async fn plan(&self, entry: &ServerEntry) -> Result<Planned, ConnectingError> {
        let texts = self.texts(entry.server);
        let to = |n| Desired {
            stream: texts.of("webhook_stream", n),
            url: format!("https://hooks.example.com/v1/{}/bounce", entry.server),
            triggers: [Trigger::Bounce].into(),
        };
        let change = Change { from: row(texts, 2), to: to(2), differs: [Difference::Credential].into() };
        let warning = Finding {
            server: entry.server,
            stream: Some(texts.of("webhook_stream", 3)),
            code: "other_postledger",
            words: texts.of("webhook_words", 3),
            next: texts.of("webhook_next", 3),
        };
        let plan = Plan {
            create: vec![to(0), to(1)],
            change: vec![change],
            remove: vec![row(texts, 4)],
            foreign: vec![row(texts, 5), row(texts, 6)],
            warnings: vec![warning],
            ..Plan::default()
        };
        Ok(Planned { doors: "https://hooks.example.com".to_owned(), plan })
    }

    async fn connect(&self, asked: &Asked<'_>) -> Result<Option<Outcome>, ConnectingError> {
        let entry = asked.entry;
        self.asked.lock().unwrap().push((entry.connect, entry.native_tracking));
        if self.key().is_none() {
            return Ok(None);
        }
        let (texts, goes_well) = (self.texts(entry.server), self.goes_well.load(Ordering::Relaxed));
        let step = |n, failed| Step {
            what: "created",
            stream: texts.of("webhook_stream", n),
            url: texts.of("webhook_url", n),
            failed,
            next: None,
        };
        Ok(Some(Outcome {
            server: entry.server,
            steps: vec![step(0, None), step(1, Some(texts.of("webhook_failed", 1)).filter(|_| !goes_well))],
            refused: vec![(texts.of("webhook_stream", 2), "SpamComplaint")],
            standing: vec![Standing {
                stream: texts.of("webhook_stream", 0),
                trigger: "Bounce",
                url: texts.of("webhook_url", 0),
                status: texts.of("webhook_status", 0),
            }],
            left: Plan::default(),
        }))
    }

    fn doors(&self, _: &ServerEntry) -> String {
        "https://hooks.example.com".to_owned()
    }

    fn key(&self) -> Option<&dyn HasKey> {
        (!self.hands_over.load(Ordering::Relaxed)).then_some(self as &dyn HasKey)
    }
}

#[async_trait]
impl HasKey for Connects {
    async fn credential(&self, entry: &ServerEntry) -> Result<(Auth, String), ConnectingError> {
        let username = format!("{}.{}", entry.server, entry.generation);
        Ok((Auth { username, password: PASSWORD.to_owned() }, "https://hooks.example.com".to_owned()))
    }

    async fn rotate(&self, id: ServerId) -> Result<Progress, ConnectingError> {
        let began_at: Time = super::now();
        let rotation = Rotation {
            old: "0ld".to_owned(),
            new: "n3w".to_owned(),
            began_at,
            moved: [(id, began_at), (server(super::FOREIGN), began_at)].into(),
            retired_at: None,
        };
        Ok(Progress {
            stage: Stage::Quiet,
            rotation: Some(rotation),
            servers: Vec::new(),
            uses: Vec::new(),
            waits_for: None,
            until: Some(began_at.plus_seconds(12 * 3_600)),
        })
    }
}

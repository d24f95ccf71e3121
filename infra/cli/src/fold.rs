//! The pure fold of a file of bodies: the reference with which every store and stack is compared.

use crate::Failure;
use base64::Engine as _;
use ledger::counters::{Counters, Counts, Hour};
use ledger::fold::{Offered, Reference, View};
use ledger::{LedgerKey, ServerId, Source, Time};
use postmark::{Body, Context};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::io::BufRead;

/// A line that tells how its body was told. A line without `body` is a body itself.
#[derive(Deserialize)]
struct Input<'a> {
    server: Option<ServerId>,
    received_at: Option<serde_json::Value>,
    source: Option<Source>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    body_base64: Option<String>,
}

/// A line of the output.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Line<'a> {
    State(&'a View),
    Counters { server: ServerId, stream: &'a str, hour: &'a str, counts: BTreeMap<&'static str, i64> },
    SetAside { reason: &'a str, bodies: u64 },
    Total { bodies: u64, events: u64, duplicates: u64, replaced: u64, set_aside: u64 },
}

/// The fold in progress.
#[derive(Default)]
pub struct Fold {
    reference: Reference,
    set_aside: BTreeMap<&'static str, u64>,
    bodies: u64,
    duplicates: u64,
    replaced: u64,
}

impl Fold {
    /// Folds lines: bodies, or objects of `server`, `received_at`, `source` and `body` (or `body_base64`).
    /// What a line does not say is taken from `server` and `received_at`, and the server last from the body.
    ///
    /// # Errors
    /// Where a line cannot be read.
    pub fn read(
        mut lines: impl BufRead,
        server: Option<ServerId>,
        received_at: Time,
        key: &LedgerKey,
        mut progress: impl FnMut(u64),
    ) -> Result<Fold, Failure> {
        let mut fold = Fold::default();
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 {
            if !line.trim_ascii().is_empty() {
                fold.line(line.trim_ascii(), server, received_at, key)?;
                progress(fold.bodies);
            }
            line.clear();
        }
        Ok(fold)
    }

    fn line(
        &mut self,
        line: &[u8],
        server: Option<ServerId>,
        received_at: Time,
        key: &LedgerKey,
    ) -> Result<(), Failure> {
        let mut source = Source::Webhook;
        let (mut server, mut received_at) = (server, received_at);
        let mut body = line.to_vec();
        if let Ok(told) = serde_json::from_slice::<Input<'_>>(line)
            && (told.body.is_some() || told.body_base64.is_some())
        {
            let bad = |what: &str| Failure::new(format!("line {}: {what}", self.bodies + 1));
            if let Some(raw) = told.body {
                body = raw.get().as_bytes().to_vec();
            }
            if let Some(encoded) = told.body_base64 {
                let decoded = base64::engine::general_purpose::STANDARD.decode(encoded);
                body = decoded.map_err(|_| bad("body_base64 is not base64"))?;
            }
            server = told.server.or(server);
            source = told.source.unwrap_or(source);
            received_at = match told.received_at {
                None | Some(serde_json::Value::Null) => received_at,
                Some(serde_json::Value::Number(micros)) => {
                    Time::from_micros(micros.as_i64().ok_or_else(|| bad("received_at is no time"))?)
                }
                Some(serde_json::Value::String(text)) => {
                    text.parse().map_err(|_| bad("received_at is no time"))?
                }
                Some(_) => return Err(bad("received_at is no time")),
            };
        }
        self.body(&body, server, received_at, source, key);
        Ok(())
    }

    /// Folds one body.
    fn body(
        &mut self,
        raw: &[u8],
        server: Option<ServerId>,
        received_at: Time,
        source: Source,
        key: &LedgerKey,
    ) {
        self.bodies += 1;
        let offered = Body::parse(raw).and_then(|body| {
            let server = server.map_or_else(|| body.server_id(), |server| Ok(Some(server)))?;
            let server = server.unwrap_or(ServerId::NONE);
            let context = Context { server, received_at, source, keep_engagement_detail: false };
            postmark::event_of_body(body, &context, key).map(|(_, event)| event)
        });
        match offered {
            Ok(event) => match self.reference.offer(event) {
                Offered::New | Offered::Beside { .. } => {}
                Offered::Better(_) => self.replaced += 1,
                Offered::Known => self.duplicates += 1,
            },
            Err(refusal) => *self.set_aside.entry(refusal.refused.code()).or_default() += 1,
        }
    }

    /// The states, by server and recipient.
    pub fn views(&self) -> impl Iterator<Item = View> {
        self.reference.views()
    }

    /// The counters.
    pub fn counters(&self) -> Counters {
        self.reference.counters()
    }

    /// How many events there are, each counted once.
    pub fn events(&self) -> u64 {
        self.reference.events().count() as u64
    }

    /// How many bodies were set aside, by reason.
    pub fn set_aside(&self) -> &BTreeMap<&'static str, u64> {
        &self.set_aside
    }

    /// The output, line by line: states, counters, what was set aside, and the total.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let states = self.views().map(|view| state_line(&view));
        let aside =
            self.set_aside.iter().map(|(reason, bodies)| json(&Line::SetAside { reason, bodies: *bodies }));
        let total = json(&Line::Total {
            bodies: self.bodies,
            events: self.events(),
            duplicates: self.duplicates + self.replaced,
            replaced: self.replaced,
            set_aside: self.set_aside.values().sum(),
        });
        states.chain(counter_lines(&self.counters())).chain(aside).chain([total])
    }
}

fn json(line: &Line<'_>) -> String {
    serde_json::to_string(line).unwrap_or_default()
}

/// The line of a state.
pub fn state_line(view: &View) -> String {
    json(&Line::State(view))
}

/// The lines of counters, one for each server, stream and hour.
pub fn counter_lines(counters: &Counters) -> Vec<String> {
    let line = |(hour, counts): (&Hour, &Counts)| {
        let counts = counts.iter().map(|(measure, n)| (measure.name(), *n)).collect();
        json(&Line::Counters { server: hour.server, stream: &hour.stream, hour: &hour.hour, counts })
    };
    counters.iter().map(line).collect()
}

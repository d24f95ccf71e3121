//! The quarantine, day by day, from the first day that a ledger can have. How far a pass is stands in a document, so
//! that the next run goes on where one ended.

use crate::{Sweep, SweepError, Swept, is_late};
use erasure::Erasures;
use ledger::Time;
use queue::Part;
use serde::{Deserialize, Serialize};
use store::{Kept, Shelf};
use tokio::time::Instant;

/// The first day of the quarantine: no ledger is older. What has state, or nobody understands, is kept for ever.
const FIRST_DAY: Time = Time::from_micros(1_767_225_600_000_000); // 2026-01-01T00:00:00Z
/// How many parts are read at once: a few megabytes at most.
const PAGE: usize = 16;
/// The name of the document.
const NAME: &str = "quarantine";

/// How far a pass is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Pass {
    /// When it began; none is under way where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    began: Option<Time>,
    /// Up to the end of which day it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    done: Option<Time>,
    /// Up to where it is done in the day that follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

/// A pass, and the version of its document.
struct Held {
    pass: Pass,
    version: Option<u64>,
}

impl Sweep {
    /// Goes through the quarantine, or on with it. When this pass began, where it is through.
    pub(crate) async fn quarantine(
        &self,
        erased: &Erasures,
        until: Option<Instant>,
        swept: &mut Swept,
    ) -> Result<Option<Time>, SweepError> {
        let mut held = self.held().await?;
        let began = *held.pass.began.get_or_insert_with(|| (self.clock)());
        loop {
            let day = held.pass.done.map_or(FIRST_DAY, |done| done.plus_days(1));
            if day > (self.clock)() {
                break;
            }
            if !self.day(&day.day(), erased, until, &mut held.pass.after, swept).await? {
                self.hold(&mut held).await?;
                return Ok(None);
            }
            let worth = held.pass.after.take().is_some();
            held.pass.done = Some(day);
            if worth && !self.hold(&mut held).await? {
                // Another run is at work, and further on.
                return Ok(None);
            }
        }
        held.pass = Pass::default();
        let through = held.version.is_none() || self.hold(&mut held).await?;
        Ok(through.then_some(began))
    }

    /// A day, from where it was left; whether there was time for all of it.
    async fn day(
        &self,
        day: &str,
        erased: &Erasures,
        until: Option<Instant>,
        after: &mut Option<String>,
        swept: &mut Swept,
    ) -> Result<bool, SweepError> {
        let mut last: Option<(Time, String)> = None;
        loop {
            if is_late(until) {
                return Ok(false);
            }
            let (kept, next) = self.store.kept_page(day, after.clone(), PAGE, false).await?;
            for Kept { part, .. } in kept {
                let body = (part.received_at, part.id.clone());
                // One of several parts stands for all of them.
                if part.parts > 1 && last.as_ref() == Some(&body) {
                    continue;
                }
                let parts: Vec<Part> = if part.parts == 1 {
                    vec![part]
                } else {
                    let kept = self.store.kept(body.0, &body.1).await?;
                    kept.into_iter().map(|kept| kept.part).collect()
                };
                last = Some(body);
                // In their order: the first holds what the others no longer tell.
                for part in erased.strip_parts(&self.ledger_key, parts).unwrap_or_default() {
                    self.store.rewrite(part).await?;
                    swept.parts += 1;
                }
            }
            match next {
                Some(next) => *after = Some(next),
                None => return Ok(true),
            }
        }
    }

    async fn held(&self) -> Result<Held, SweepError> {
        let Some(document) = self.store.document(&Shelf::Sweep, NAME).await? else {
            return Ok(Held { pass: Pass::default(), version: None });
        };
        let pass = serde_json::from_str(&document.text).map_err(|_| SweepError::Unreadable)?;
        Ok(Held { pass, version: Some(document.version) })
    }

    /// Writes down how far the pass is; false where somebody else did.
    async fn hold(&self, held: &mut Held) -> Result<bool, SweepError> {
        let text = serde_json::to_string(&held.pass).map_err(|_| SweepError::Unreadable)?;
        let written = self.store.put_document(&Shelf::Sweep, NAME, &text, held.version).await?;
        held.version = Some(held.version.unwrap_or_default() + 1);
        Ok(written)
    }
}

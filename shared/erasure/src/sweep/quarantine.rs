//! The quarantine, day by day, from the first day that a ledger can have. A document keeps how far a pass is, so
//! that the next run continues where one ended or died.

use super::progress::Progress;
use super::{Sweep, SweepError, is_late};
use crate::observe::Happened;
use crate::{Erasures, Swept};
use ledger::Time;
use queue::Part;
use serde::{Deserialize, Serialize};
use store::Quarantined;
use tokio::time::Instant;

/// The first day of the quarantine: no ledger is older. Events with state, and bodies that cannot be understood, are kept for ever.
const FIRST_DAY: Time = Time::from_micros(1_767_225_600_000_000); // 2026-01-01T00:00:00Z
/// How many parts are read at once: a few megabytes at most.
const PAGE: usize = 16;
/// The name of the document.
const NAME: &str = "quarantine";
/// How many runs may die at a body before it is not read any more.
const TRIES_MAX: u32 = 2;

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
    /// How many runs have begun what follows, the one that is at work included.
    #[serde(default)]
    tries: u32,
    /// How many bodies are to be taken one by one, since a run died among them.
    #[serde(default)]
    one_by_one: usize,
    /// The body that runs died at: its receipt and its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unread: Option<(Time, String)>,
}

impl Pass {
    /// Begins a page; how many parts it may have. A run that dies before it is done leaves that behind, and then bodies
    /// are taken one by one.
    fn begin(&mut self) -> usize {
        self.tries += 1;
        if self.tries > 1 {
            self.one_by_one = PAGE;
        }
        if self.one_by_one > 0 { 1 } else { PAGE }
    }

    /// Whether runs have died again and again at what comes next, and at nothing else.
    fn is_deadly(&self) -> bool {
        self.one_by_one > 0 && self.tries > TRIES_MAX
    }

    fn end(&mut self) {
        self.tries = 0;
        self.one_by_one = self.one_by_one.saturating_sub(1);
    }
}

impl Sweep {
    /// Goes through the quarantine, or on with it. When this pass began, where it is through.
    pub(super) async fn quarantine(
        &self,
        erased: &Erasures,
        until: Option<Instant>,
        swept: &mut Swept,
    ) -> Result<Option<Time>, SweepError> {
        let mut pass = self.progress::<Pass>(NAME).await?;
        let began = *pass.at.began.get_or_insert_with(|| (self.clock)());
        loop {
            let day = pass.at.done.map_or(FIRST_DAY, |done| done.plus_days(1));
            if day > (self.clock)() {
                break;
            }
            if !self.day(&day.day(), erased, until, &mut pass, swept).await? {
                return Ok(None);
            }
            pass.at.after = None;
            pass.at.done = Some(day);
        }
        let through = pass.is_new() || {
            pass.at = Pass::default();
            self.keep(&mut pass).await?
        };
        Ok(through.then_some(began))
    }

    /// A day, from where it was left; false where there was no time for all of it, or another run is at work.
    async fn day(
        &self,
        day: &str,
        erased: &Erasures,
        until: Option<Instant>,
        pass: &mut Progress<Pass>,
        swept: &mut Swept,
    ) -> Result<bool, SweepError> {
        let mut last: Option<(Time, String)> = None;
        loop {
            if is_late(until) {
                self.keep(pass).await?;
                return Ok(false);
            }
            let limit = pass.at.begin();
            let (kept, next) = self.store.quarantined_page(day, pass.at.after.clone(), limit, false).await?;
            // Of an empty page nobody dies.
            if !kept.is_empty() && !self.keep(pass).await? {
                return Ok(false);
            }
            for Quarantined { part, .. } in kept {
                let body = (part.received_at, part.id.clone());
                if pass.at.is_deadly() {
                    pass.at.unread = Some(body.clone());
                    Happened::Unread.emit();
                    swept.unread += 1;
                }
                if pass.at.unread.as_ref() == Some(&body) {
                    if erased.anybody_at(part.server) && !part.is_stripped() {
                        self.store.rewrite_quarantined(part.stripped(None)).await?;
                    }
                    continue;
                }
                // One of several parts stands for all of them.
                if part.parts > 1 && last.as_ref() == Some(&body) {
                    continue;
                }
                let parts: Vec<Part> = if part.parts == 1 {
                    vec![part]
                } else {
                    let kept = self.store.quarantined(body.0, &body.1).await?;
                    kept.into_iter().map(|kept| kept.part).collect()
                };
                last = Some(body);
                // In their order: the first holds what the others no longer tell.
                for part in erased.strip_parts(&self.ledger_key, parts).unwrap_or_default() {
                    self.store.rewrite_quarantined(part).await?;
                    swept.parts += 1;
                }
            }
            pass.at.end();
            match next {
                Some(next) => pass.at.after = Some(next),
                None => return Ok(true),
            }
        }
    }
}

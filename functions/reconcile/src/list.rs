//! Comparing Postmark's suppression list of a stream with ours.
//!
//! Our list is read from the index of suppressed recipients, then Postmark's from the dump, row by row. In memory there is
//! one entry of about 40 bytes for each address of ours, so a million of them fit a small function. The index lags, so every
//! apparent difference is checked against the view itself before it is reported.
//!
//! If time runs out within a dump, its progress is not kept: the next run begins a new dump, and skips what this one
//! reported.
//!
//! An observation is dated ten minutes before its dump. If the ledger has something later, the observation would change
//! nothing, and a later dump settles it.

use crate::report::ListReport;
use crate::{GRACE_SECONDS, ReconcileError, Work};
use ledger::event::{Cause, OBSERVATION_LAG_SECONDS};
use ledger::fold::View;
use ledger::{RecipientId, Source, Time, recipient_key};
use postmark::Observed;
use postmark_api::{ApiError, SuppressionFilter};
use std::collections::{BTreeMap, HashMap};
use store::TimeRange;

/// How many views are read at once, and observations told.
const CHUNK: usize = 100;
/// How much later than the first a second dump must be to agree with it, in seconds: as much as the list may lag.
const AGREE_SECONDS: i64 = OBSERVATION_LAG_SECONDS;
/// For how long a doubtful dump must agree with the first, in seconds.
const DOUBTFUL_SECONDS: i64 = 86_400;
/// How many addresses one run lifts from a stream's list at most, or this share of them where that is more.
const LIFTED_MAX: usize = 20;
/// The share, in percent.
const LIFTED_PERCENT: usize = 5;
/// How many addresses of a server wait for an agreeing dump at most: what is beyond is seen again by the next. Their
/// ids and times are kept in one document.
const WAITING_MAX: usize = 6_000;
/// The most bytes that one of them takes there.
const WAITING_BYTES: usize = 44;
/// The bytes of that document that are left for the days that are worked on.
const DAYS_BYTES: usize = 100 * 1_024;
const _: () = assert!(WAITING_MAX * WAITING_BYTES + DAYS_BYTES <= store::DOCUMENT_BYTES_MAX);

/// Postmark's answer for a stream that it does not know, or no more.
const NO_SUCH_STREAM: i64 = 1226;

/// An address of ours: the causes on Postmark's list by their place in [`Cause::ALL`], and whether the dump has it.
#[derive(Clone, Copy, Default)]
struct Held(u8);

impl Held {
    const SEEN: u8 = 1 << 7;

    fn of<'a>(causes: impl Iterator<Item = &'a str>) -> Held {
        let bit =
            |cause| Cause::ALL.into_iter().position(|known| known == cause).map_or(0, |place| 1 << place);
        Held(causes.filter_map(Cause::named).fold(0, |bits, cause| bits | bit(cause)))
    }

    fn listed(self) -> bool {
        self.0 & !Held::SEEN != 0
    }

    fn seen(self) -> bool {
        self.0 & Held::SEEN != 0
    }

    fn for_cause(self, cause: Cause) -> bool {
        self.0 & Held::of([cause.name()].into_iter()).0 != 0
    }
}

/// A row of theirs that ours lacks.
struct Missing {
    recipient: RecipientId,
    address: String,
    cause: Cause,
}

/// How the comparison of a stream's lists ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    /// At the end of both.
    Whole,
    /// Because time was up.
    InPart,
    /// Postmark has no such stream.
    NoSuchStream,
}

impl Work<'_> {
    /// Compares a stream's lists, and tells what is to be told.
    pub(crate) async fn list(&mut self, name: &str, source: Source) -> Result<Compared, ReconcileError> {
        // Before the dump is asked for, which would stand still meanwhile.
        let mut ours = self.ours(name).await?;
        let at = (self.with.clock)();
        let mut dump = match self.api.suppressions(name, SuppressionFilter::default()).await {
            Err(ApiError::Refused { code: NO_SUCH_STREAM, .. }) => {
                let words =
                    "Postmark has no such stream any more; `postledger watch` takes that over".to_owned();
                self.report.stream(name).problems.push(words);
                return Ok(Compared::NoSuchStream);
            }
            answer => answer?,
        };
        let mut report = ListReport {
            ours: ours.values().filter(|held| held.listed()).count() as u64,
            ..ListReport::default()
        };
        let fresh = at.plus_seconds(-GRACE_SECONDS);
        let mut missing = Vec::new();
        while let Some(row) = dump.next().await? {
            report.theirs += 1;
            let recipient = self.with.ledger_key.recipient_id(self.job.server, &recipient_key(&row.address));
            let cause = Cause::told(row.reason.as_deref(), row.origin.as_deref());
            let held = ours.get_mut(&recipient);
            let known = held.as_ref().is_some_and(|held| held.for_cause(cause));
            held.into_iter().for_each(|held| held.0 |= Held::SEEN);
            if !known && row.created_at.is_none_or(|created_at| created_at <= fresh) {
                missing.push(Missing { recipient, address: row.address, cause });
            }
            if missing.len() == CHUNK {
                self.present(name, at, std::mem::take(&mut missing), source, &mut report).await?;
                if self.time_is_up() {
                    self.report.stream(name).list = report;
                    return Ok(Compared::InPart);
                }
            }
        }
        self.present(name, at, missing, source, &mut report).await?;
        let gone: Vec<RecipientId> =
            ours.into_iter().filter(|(_, held)| held.listed() && !held.seen()).map(|(id, _)| id).collect();
        self.gone(name, at, gone, source, &mut report).await?;
        self.report.stream(name).list = report;
        Ok(Compared::Whole)
    }

    /// Whom the index has on a stream's list or barred from it.
    async fn ours(&self, name: &str) -> Result<HashMap<RecipientId, Held>, ReconcileError> {
        let mut ours = HashMap::new();
        let mut after = None;
        loop {
            let page = self.with.store.suppressed(self.job.server, name, TimeRange::ALL, after, None).await?;
            for row in page.items {
                ours.insert(row.recipient, Held::of(row.causes.iter().map(String::as_str)));
            }
            after = page.next;
            if after.is_none() {
                return Ok(ours);
            }
        }
    }

    /// Tells of rows that the views lack too.
    async fn present(
        &mut self,
        name: &str,
        at: Time,
        missing: Vec<Missing>,
        source: Source,
        report: &mut ListReport,
    ) -> Result<(), ReconcileError> {
        if missing.is_empty() {
            return Ok(());
        }
        let ids: Vec<RecipientId> = missing.iter().map(|row| row.recipient).collect();
        let views = self.with.store.views(self.job.server, &ids).await?;
        let mut bodies = Vec::new();
        for (row, view) in missing.iter().zip(views) {
            let here = view.as_ref().and_then(|view| view.streams.get(name));
            if here.is_some_and(|here| here.live_causes().any(|(cause, _)| cause == row.cause)) {
                continue;
            }
            report.missing += 1;
            let lifted = here.and_then(|here| here.lifted).map(|mark| mark.at);
            if lifted.is_some_and(|lifted| lifted > at.plus_seconds(-OBSERVATION_LAG_SECONDS)) {
                report.waiting += 1;
                continue;
            }
            let observed = Observed { stream: name, address: &row.address, cause: Some(row.cause), at };
            bodies.push(observed.body());
        }
        let told = self.tell(name, bodies, source).await?;
        report.present_told += told.values().map(|tally| tally.missing).sum::<u64>();
        Ok(())
    }

    /// How many addresses of a stream may wait: half of what the other streams leave, so that a long list of one does
    /// not keep the next one waiting.
    fn room(&self, name: &str) -> usize {
        let others = self.state.streams.iter().filter(|(other, _)| *other != name);
        let taken: usize = others.map(|(_, of_stream)| of_stream.gone.len()).sum();
        WAITING_MAX.saturating_sub(taken) / 2
    }

    /// Tells of those who have left Postmark's list, where a second dump agrees.
    async fn gone(
        &mut self,
        name: &str,
        at: Time,
        mut candidates: Vec<RecipientId>,
        source: Source,
        report: &mut ListReport,
    ) -> Result<(), ReconcileError> {
        report.extra = candidates.len() as u64;
        let (theirs, ours) = (report.theirs, report.ours);
        let much_smaller = theirs * 2 < ours && ours - theirs > LIFTED_MAX as u64;
        report.doubtful = ours > 0 && (theirs == 0 || much_smaller);
        let agree = if report.doubtful { DOUBTFUL_SECONDS } else { AGREE_SECONDS };
        let lifted_max = LIFTED_MAX.max(usize::try_from(ours).unwrap_or(usize::MAX) * LIFTED_PERCENT / 100);
        candidates.sort_unstable();
        candidates.truncate(self.room(name));
        let before = self.state.streams.get(name).map(|of_stream| of_stream.gone.clone()).unwrap_or_default();
        let (mut gone, mut bodies) = (BTreeMap::new(), Vec::new());
        for chunk in candidates.chunks(CHUNK) {
            let views = self.with.store.views(self.job.server, chunk).await?;
            for (recipient, view) in chunk.iter().zip(views) {
                let Some((since, address)) = view.as_ref().and_then(|view| listed(view, name)) else {
                    // The index lags: it is not on our list any more.
                    report.extra -= 1;
                    continue;
                };
                // An event that is later than the first dump's date starts the wait again.
                let first = before.get(recipient).copied();
                let first = first.filter(|first| since < first.plus_seconds(-OBSERVATION_LAG_SECONDS));
                let first = first.unwrap_or(at);
                gone.insert(*recipient, first);
                if at < first.plus_seconds(agree) {
                    report.waiting += 1;
                } else if bodies.len() == lifted_max {
                    report.held_back += 1;
                } else if let Some(address) = address {
                    bodies.push(Observed { stream: name, address, cause: None, at: first }.body());
                }
            }
        }
        let told = self.tell(name, bodies, source).await?;
        report.gone_told += told.values().map(|tally| tally.missing).sum::<u64>();
        self.state.streams.entry(name.to_owned()).or_default().gone = gone;
        Ok(())
    }
}

/// Since when an address is on Postmark's list of a stream, as far as we know, and how it is spelled.
fn listed<'a>(view: &'a View, name: &str) -> Option<(Time, Option<&'a str>)> {
    let marks = view.streams.get(name)?.live_causes().flat_map(|(_, marks)| marks);
    Some((marks.map(|mark| mark.at).max()?, view.address.as_deref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_addresses_as_may_wait_fit_a_document() {
        let (key, server) = (ledger::LedgerKey::for_tests(), ledger::ServerId::new(1).unwrap());
        // In the year 2286: later ones have a digit more.
        let at = Time::from_micros(9_999_999_999_999_999);
        let one = |n: usize| (key.recipient_id(server, &n.to_string()), at);
        let gone: BTreeMap<RecipientId, Time> = (0..1_000).map(one).collect();
        let bytes = serde_json::to_string(&gone).unwrap().len();
        assert!(bytes <= 1_000 * WAITING_BYTES, "{bytes}");
    }

    #[test]
    fn causes_of_postmarks_list_are_told_from_bars_of_ours() {
        let held = |causes: &[&str]| Held::of(causes.iter().copied());
        let ours = ledger::event::Bar::ALL.map(ledger::event::Bar::name);
        assert!(!held(&[]).listed() && !held(&ours).listed());
        for cause in Cause::ALL {
            let both = held(&["decision", cause.name()]);
            assert!(both.listed() && both.for_cause(cause) && !both.seen());
            assert!(Cause::ALL.into_iter().all(|other| other == cause || !both.for_cause(other)));
        }
        let seen = Held(held(&["decision"]).0 | Held::SEEN);
        assert!(seen.seen() && !seen.listed());
    }
}

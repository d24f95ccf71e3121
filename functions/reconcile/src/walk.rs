//! Going through Postmark's lists of bounces and of messages, from the beginning of a stretch of time to its end.

use crate::progress::{Day, Step, Tally};
use crate::tell::Found;
use crate::window::{Window, Windows};
use crate::{AT_ONCE, GRACE_SECONDS, Reconcile, ReconcileError, Work, facts};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use ledger::identity::IdentityParts;
use ledger::{Class, Identity, Kind, RecipientId, ServerId, Source, Time, recipient_key};
use postmark_api::{ApiError, BounceQuery, MessageQuery, PAGE_MAX, Page, WINDOW_MAX, eastern};
use serde_json::Value;
use std::collections::BTreeSet;

/// How many calls of Postmark's are under way at once: it answers too many with 429.
const CALLS_AT_ONCE: usize = 4;
/// Postmark's answer for a message that it does not know, or no more.
const NO_SUCH_MESSAGE: i64 = 701;

/// A list of Postmark's that is gone through by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    /// Bounces and complaints.
    Bounces,
    /// Messages, for their deliveries.
    Messages,
}

impl Work<'_> {
    /// The bounces of the last hours, which are fetched before their day is over.
    pub(crate) async fn recent_bounces(&mut self, name: &str, window: Window) -> Result<(), ReconcileError> {
        let mut windows = Windows::of(window);
        while let Some(window) = windows.next() {
            let found = self.stretch(name, Listed::Bounces, window, &mut windows, Source::Reconcile).await?;
            // They are counted with their day once it is over; missing ones are sent now.
            self.report.stream(name).missing(&found.unwrap_or_default());
        }
        Ok(())
    }

    /// The bounces or messages of a day, as its state says, from where it was left. Whether the end was reached.
    pub(crate) async fn walk(
        &mut self,
        name: &str,
        day: &str,
        whole: Window,
        state: &mut Day,
        source: Source,
    ) -> Result<bool, ReconcileError> {
        let listed = match state.step {
            Step::Bounces => Listed::Bounces,
            Step::Messages | Step::Engagement | Step::Done => Listed::Messages,
        };
        let to = whole.to.min(self.now.plus_seconds(-GRACE_SECONDS));
        let left = Window { from: state.cursor.unwrap_or(whole.from), to };
        let mut windows = Windows::of(left);
        while let Some(window) = windows.next().filter(|window| window.from < window.to) {
            let Some(found) = self.stretch(name, listed, window, &mut windows, source).await? else {
                continue;
            };
            for (record_type, tally) in found {
                state.found.entry(record_type).or_default().add(tally);
            }
            state.cursor = Some(window.to);
            if window.to < to {
                // A day of many stretches takes longer than a lease.
                self.keep_day(name, day, state.clone()).await?;
                if self.time_is_up() {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// One stretch, all its pages; `None` where it was halved instead, having too many.
    pub(crate) async fn stretch(
        &mut self,
        name: &str,
        listed: Listed,
        window: Window,
        windows: &mut Windows,
        source: Source,
    ) -> Result<Option<Found>, ReconcileError> {
        let mut found = Found::new();
        let mut offset = 0;
        loop {
            let page = self.page(name, listed, window, offset).await?;
            if page.total > WINDOW_MAX.into() {
                if windows.halve(window) {
                    return Ok(None);
                }
                if offset == 0 {
                    let (from, to) = (window.from, window.to);
                    let words = format!("from {from} to {to} there are more rows than Postmark returns");
                    self.report.stream(name).problems.push(words);
                }
            }
            let (rows, all) = (shown(page.rows.len() as u64), shown(page.total));
            let here = page.rows.into_iter().filter(|row| window.holds(instant(listed, row))).collect();
            for (record_type, tally) in self.take(name, listed, here, source).await? {
                found.entry(record_type).or_default().add(tally);
            }
            offset += rows;
            if rows == 0 || offset >= all {
                return Ok(Some(found));
            }
        }
    }

    pub(crate) async fn page(
        &self,
        name: &str,
        listed: Listed,
        window: Window,
        offset: u32,
    ) -> Result<Page<Value>, ReconcileError> {
        // Dates of an hour that comes twice are asked for widely; rows tell their own instants.
        let (from, to) = eastern::window(window.from, window.to);
        let (from, to) = (Some(&*from), Some(&*to));
        let count = PAGE_MAX.min(WINDOW_MAX - offset);
        Ok(match listed {
            Listed::Bounces => {
                let query = BounceQuery { stream: name, from, to, count, offset, ..BounceQuery::default() };
                self.api.bounces(&query).await?
            }
            Listed::Messages => {
                let query = MessageQuery { stream: name, from, to, count, offset, ..MessageQuery::default() };
                self.api.messages(&query).await?
            }
        })
    }

    async fn take(
        &mut self,
        name: &str,
        listed: Listed,
        rows: Vec<Value>,
        source: Source,
    ) -> Result<Found, ReconcileError> {
        match listed {
            Listed::Bounces => {
                let bodies = rows.iter().map(|row| facts::bounce(self.job.server, name, row)).collect();
                self.tell(name, bodies, source).await
            }
            Listed::Messages => self.deliveries(name, &rows, source).await,
        }
    }

    /// Compares messages with what the ledger has of them, and asks for those it lacks a delivery of.
    async fn deliveries(
        &mut self,
        name: &str,
        rows: &[Value],
        source: Source,
    ) -> Result<Found, ReconcileError> {
        let looked = rows.iter().filter_map(|row| Some(self.with.lacking(self.job.server, id(row)?, row)));
        let looked: Vec<_> = looked.collect();
        let looked: Vec<Lacking<'_>> = stream::iter(looked).buffer_unordered(AT_ONCE).try_collect().await?;
        let recorded = looked.iter().map(|message| message.recorded.len() as u64).sum();
        let known = Tally { expected: recorded, recorded, ..Tally::default() };
        let server = self.job.server;
        let mut bodies = Vec::new();
        let lacking = looked.into_iter().filter(|message| message.lacks);
        let asked = lacking.map(|message| async { (self.api.message_details(message.id).await, message) });
        let asked: Vec<_> = asked.collect();
        let mut asked = stream::iter(asked).buffer_unordered(CALLS_AT_ONCE);
        // The answers before a failed call are used nevertheless, so that the next run need not ask for them again.
        let mut failed = Ok(());
        while let Some((details, message)) = asked.next().await {
            let details = match told(details) {
                Ok(Some(details)) => details,
                Ok(None) => continue,
                Err(error) => {
                    failed = Err(error);
                    break;
                }
            };
            let events = details["MessageEvents"].as_array().into_iter().flatten();
            for event in events.filter(|event| event["Type"] == "Delivered") {
                let recipient =
                    event["Recipient"].as_str().map(|address| self.with.recipient(server, address));
                if recipient.is_none_or(|recipient| !message.recorded.contains(&recipient)) {
                    bodies.push(facts::delivery(server, name, &details, event));
                }
            }
        }
        drop(asked);
        let mut found = self.tell(name, bodies, source).await?;
        failed?;
        found.entry(Kind::Delivery.name().to_owned()).or_default().add(known);
        Ok(found)
    }

    /// The opens and clicks of messages, each asked for: where Postmark's lists do not reach.
    pub(crate) async fn engaged(&self, rows: &[&Value]) -> Result<(Vec<Value>, Vec<Value>), ReconcileError> {
        let asked = rows.iter().filter_map(|row| id(row)).map(|id| async move {
            let opens = pages(|offset| self.api.message_opens(id, PAGE_MAX, offset)).await?;
            let clicks = pages(|offset| self.api.message_clicks(id, PAGE_MAX, offset)).await?;
            Ok::<_, ReconcileError>((opens, clicks))
        });
        let asked: Vec<_> = asked.collect();
        let mut asked = stream::iter(asked).buffer_unordered(CALLS_AT_ONCE);
        let (mut opens, mut clicks) = (Vec::new(), Vec::new());
        while let Some(answer) = asked.next().await {
            let (more_opens, more_clicks) = answer?;
            opens.extend(more_opens);
            clicks.extend(more_clicks);
        }
        Ok((opens, clicks))
    }
}

/// What the ledger has of a message.
struct Lacking<'a> {
    id: &'a str,
    /// To whom its delivery is recorded.
    recorded: BTreeSet<RecipientId>,
    /// Whether that is not everybody.
    lacks: bool,
}

impl Reconcile {
    async fn lacking<'a>(
        &self,
        server: ServerId,
        id: &'a str,
        row: &Value,
    ) -> Result<Lacking<'a>, ReconcileError> {
        let keys = self.store.message(server, id).await?;
        let told = IdentityParts::Delivery { message_id: Some(id) };
        let delivered = |recipient: &RecipientId| {
            let identity = Identity::of(server, *recipient, Time::default(), &told);
            keys.iter().any(|key| (key.class, key.identity) == (Class::Delivery, identity))
        };
        let addressed: BTreeSet<RecipientId> =
            facts::recipients(row).into_iter().map(|address| self.recipient(server, address)).collect();
        let recorded: BTreeSet<RecipientId> = addressed.iter().copied().filter(delivered).collect();
        // A row that names nobody is asked for.
        let lacks = addressed.is_empty() || recorded.len() < addressed.len();
        Ok(Lacking { id, recorded, lacks })
    }

    fn recipient(&self, server: ServerId, address: &str) -> RecipientId {
        self.ledger_key.recipient_id(server, &recipient_key(address))
    }
}

/// An answer about a message; none where it was listed a moment ago and is kept no longer.
fn told(answer: Result<Value, ApiError>) -> Result<Option<Value>, ApiError> {
    match answer {
        Ok(details) => Ok(Some(details)),
        Err(ApiError::Refused { code: NO_SUCH_MESSAGE, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// All pages of a list that is short: a message's opens or clicks.
async fn pages<F>(mut page: impl FnMut(u32) -> F) -> Result<Vec<Value>, ApiError>
where
    F: Future<Output = Result<Page<Value>, ApiError>>,
{
    let mut rows = Vec::new();
    loop {
        let more = page(shown(rows.len() as u64)).await?;
        let none = more.rows.is_empty();
        rows.extend(more.rows);
        if none || shown(rows.len() as u64) >= shown(more.total) {
            return Ok(rows);
        }
    }
}

/// How many of so many rows Postmark shows.
pub(crate) fn shown(rows: u64) -> u32 {
    rows.min(WINDOW_MAX.into()).try_into().unwrap_or(WINDOW_MAX)
}

fn id(row: &Value) -> Option<&str> {
    row["MessageID"].as_str()
}

/// When a row says that it happened.
pub(crate) fn instant(listed: Listed, row: &Value) -> Option<Time> {
    let field = match listed {
        Listed::Bounces => "BouncedAt",
        Listed::Messages => "ReceivedAt",
    };
    row[field].as_str()?.parse().ok()
}

//! May this address be mailed on this stream, and if not, why not, since when and on what evidence.
//!
//! | finding | verdict |
//! | --- | --- |
//! | on Postmark's list for this stream, any cause | do not send |
//! | barred by us, on this stream or the whole server | do not send |
//! | ever complained, on any stream of the server, lifted or not | risky on transactional, do not send on broadcast; an allowance later than the complaint makes it risky |
//! | hard bounce or invalid address on any stream of the server, not followed by a lift or an allowance | risky |
//! | a bounce on this stream asked for removal (Type Unsubscribe), not followed by a lift or an allowance | risky |
//! | the soft-bounce threshold of the policy in force is reached | do not send on broadcast, risky on transactional, until the pause is over |
//! | none | send |
//!
//! The strictest row that applies wins; all that apply are given as reasons. An import that told of a complaint or a
//! hard bounce is one as Postmark's would be, but bars on our list.

use crate::bounce::BounceClass;
use crate::event::{Bar, Cause};
use crate::fold::{BounceMark, Mark, StreamView, View};
use crate::identity::Identity;
use crate::policy::{SoftBouncePolicy, StreamKind};
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The most deliveries that are read as evidence for one answer.
pub const DELIVERIES_MAX: usize = 1_000;

/// The answer, from lenient to strict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing speaks against it.
    Send,
    /// Nothing forbids it, but something warns against it.
    Risky,
    /// It must not be mailed.
    DoNotSend,
}

impl Verdict {
    /// The verdict in a person's words.
    pub const fn words(self) -> &'static str {
        match self {
            Verdict::Send => "send",
            Verdict::Risky => "risky",
            Verdict::DoNotSend => "do not send",
        }
    }
}

/// Why: one code for each finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// On Postmark's list after a hard bounce.
    ListedHardBounce,
    /// On Postmark's list after a spam complaint.
    ListedComplaint,
    /// On Postmark's list because the recipient unsubscribed.
    ListedUnsubscribe,
    /// On Postmark's list because the customer or Postmark put it there.
    ListedManual,
    /// On Postmark's list for a reason that Postmark did not give.
    ListedUnknown,
    /// Barred by a person's ruling.
    BarredDecision,
    /// Barred because it stood in an imported list; an early release did not keep for what.
    BarredImport,
    /// Barred because it stood in an imported list after a hard bounce.
    BarredImportHardBounce,
    /// Barred because it stood in an imported list after a spam complaint.
    BarredImportComplaint,
    /// Barred because it stood in an imported list of those who unsubscribed.
    BarredImportUnsubscribe,
    /// Barred because it stood in an imported list of those put there by hand.
    BarredImportManual,
    /// Barred because it was in an imported list without a cause.
    BarredImportUnknown,
    /// Complained of spam once.
    Complained,
    /// Mail to it bounced for good.
    HardBounce,
    /// The address is not valid.
    InvalidAddress,
    /// A bounce asked for removal from the list.
    RemovalRequested,
    /// Too many soft bounces.
    SoftBounces,
    /// There are more deliveries or bounces than are read, so whether the soft bounces are too many is not known.
    EvidenceTruncated,
}

impl Code {
    const fn listed(cause: Cause) -> Code {
        match cause {
            Cause::HardBounce => Code::ListedHardBounce,
            Cause::Complaint => Code::ListedComplaint,
            Cause::Unsubscribe => Code::ListedUnsubscribe,
            Cause::Manual => Code::ListedManual,
            Cause::Unknown => Code::ListedUnknown,
        }
    }

    const fn barred(bar: Bar) -> Code {
        match bar {
            Bar::Decision => Code::BarredDecision,
            Bar::Import(None) => Code::BarredImport,
            Bar::Import(Some(Cause::HardBounce)) => Code::BarredImportHardBounce,
            Bar::Import(Some(Cause::Complaint)) => Code::BarredImportComplaint,
            Bar::Import(Some(Cause::Unsubscribe)) => Code::BarredImportUnsubscribe,
            Bar::Import(Some(Cause::Manual)) => Code::BarredImportManual,
            Bar::Import(Some(Cause::Unknown)) => Code::BarredImportUnknown,
        }
    }

    /// The reason in a person's words.
    pub const fn words(self) -> &'static str {
        match self {
            Code::ListedHardBounce => "on Postmark's suppression list: hard bounce",
            Code::ListedComplaint => "on Postmark's suppression list: spam complaint",
            Code::ListedUnsubscribe => "on Postmark's suppression list: the recipient unsubscribed",
            Code::ListedManual => "on Postmark's suppression list: put there by hand",
            Code::ListedUnknown => "on Postmark's suppression list: Postmark gave no known reason",
            Code::BarredDecision => "barred by a decision of yours",
            Code::BarredImport => "barred by an import of yours",
            Code::BarredImportHardBounce => "barred by an import of yours: hard bounce",
            Code::BarredImportComplaint => "barred by an import of yours: spam complaint",
            Code::BarredImportUnsubscribe => "barred by an import of yours: the recipient unsubscribed",
            Code::BarredImportManual => "barred by an import of yours: put on its list by hand",
            Code::BarredImportUnknown => "barred by an import of yours: its list has no known reason",
            Code::Complained => "reported spam before",
            Code::HardBounce => "hard bounce",
            Code::InvalidAddress => "invalid address",
            Code::RemovalRequested => "asked to be taken off the list, by a bounce",
            Code::SoftBounces => "too many soft bounces",
            Code::EvidenceTruncated => {
                "soft bounces, with more deliveries or bounces than can be read to judge them"
            }
        }
    }
}

/// What the soft-bounce policy saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoftEvidence {
    /// Soft bounces within the window that no delivery or allowance cleared.
    pub count: u32,
    /// On how many different messages.
    pub messages: u32,
    /// The first of them.
    pub first: Time,
    /// The last of them.
    pub last: Time,
    /// The latest delivery that was read, if any.
    pub last_delivery: Option<Time>,
    /// The policy that was in force.
    pub policy: SoftBouncePolicy,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Which finding.
    pub code: Code,
    /// What it alone would answer.
    pub verdict: Verdict,
    /// The time of the fact that decides.
    pub since: Time,
    /// When it ends by itself, if it does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<Time>,
    /// The stream it comes from, or `*` for the whole server.
    pub scope: String,
    /// The events behind it.
    pub evidence: Vec<Identity>,
    /// For soft bounces: what the policy saw.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub soft: Option<SoftEvidence>,
}

/// The verdict and all its reasons, the strictest and oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The verdict.
    pub verdict: Verdict,
    /// Why.
    pub reasons: Vec<Reason>,
}

impl Answer {
    fn of(mut reasons: Vec<Reason>) -> Answer {
        reasons.sort_by(|a, b| (b.verdict, a.code, a.since).cmp(&(a.verdict, b.code, b.since)));
        Answer { verdict: reasons.first().map_or(Verdict::Send, |reason| reason.verdict), reasons }
    }

    /// Takes in what is answered of the same mailbox in another spelling: the strictest holds.
    pub fn join(&mut self, other: Answer) {
        let mut reasons = std::mem::take(&mut self.reasons);
        reasons.extend(other.reasons);
        *self = Answer::of(reasons);
    }
}

/// A delivery, as far as soft-bounce evidence needs it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeliveryMark {
    /// When the message was accepted.
    pub at: Time,
    /// Which message.
    pub message_id: Option<String>,
}

/// The deliveries to a recipient on the stream that is asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deliveries {
    /// At most [`DELIVERIES_MAX`] of them.
    pub marks: Vec<DeliveryMark>,
    /// Whether there are more.
    pub truncated: bool,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The recipient's state.
    pub view: &'a View,
    /// The stream to mail on.
    pub stream: &'a str,
    /// What that stream is for.
    pub kind: StreamKind,
    /// The policy in force at the instant.
    pub policy: SoftBouncePolicy,
    /// The instant.
    pub at: Time,
}

impl<'a> Question<'a> {
    /// Whether the answer depends on deliveries: only when the soft bounces alone would reach the threshold.
    pub fn needs_deliveries(&self) -> bool {
        self.soft(&[]).is_some()
    }

    /// The answer. `deliveries` may stay empty where [`needs_deliveries`](Self::needs_deliveries) is false.
    pub fn answer(&self, deliveries: &Deliveries) -> Answer {
        let mut reasons: Vec<Reason> = Vec::new();
        reasons.extend(self.listed());
        reasons.extend(self.barred());
        reasons.extend(self.complained());
        reasons.extend(self.dead());
        reasons.extend(self.removal());
        reasons.extend(self.soft_bounces(deliveries));
        Answer::of(reasons)
    }

    fn here(&self) -> Option<&'a StreamView> {
        self.view.streams.get(self.stream)
    }

    fn listed(&self) -> impl Iterator<Item = Reason> {
        self.here()
            .into_iter()
            .flat_map(StreamView::live_causes)
            .map(|(cause, marks)| reason(Code::listed(cause), Verdict::DoNotSend, self.stream, marks))
    }

    fn barred(&self) -> impl Iterator<Item = Reason> {
        let bars = self.view.bars(self.stream);
        bars.map(|(bar, scope, mark)| reason(Code::barred(bar), Verdict::DoNotSend, scope, &[mark]))
    }

    fn complained(&self) -> Option<Reason> {
        let (mark, stream) =
            self.view.streams.iter().filter_map(|(stream, view)| Some((view.complained?, stream))).max()?;
        let forgiven = self.view.allowed(self.stream).is_some_and(|allowed| allowed.at > mark.at);
        let verdict = match self.kind {
            StreamKind::Broadcast if !forgiven => Verdict::DoNotSend,
            _ => Verdict::Risky,
        };
        Some(reason(Code::Complained, verdict, stream, &[mark]))
    }

    fn dead(&self) -> impl Iterator<Item = Reason> {
        let allowed = self.view.allowed(self.stream);
        self.view.streams.iter().filter_map(move |(stream, view)| {
            let bounce = view.dead.as_ref()?;
            let ended = [view.lifted, allowed, self.view.allowed(stream)];
            if ended.into_iter().flatten().any(|mark| mark.at > bounce.at) {
                return None;
            }
            let code =
                if bounce.class == BounceClass::Invalid { Code::InvalidAddress } else { Code::HardBounce };
            Some(reason(code, Verdict::Risky, stream, &[Mark { at: bounce.at, event: bounce.event }]))
        })
    }

    fn removal(&self) -> Option<Reason> {
        let mark = self.view.removal(self.stream)?;
        Some(reason(Code::RemovalRequested, Verdict::Risky, self.stream, &[mark]))
    }

    fn soft_bounces(&self, deliveries: &Deliveries) -> Option<Reason> {
        let pause = |evidence: &SoftEvidence| evidence.last.plus_days(i64::from(evidence.policy.pause_days));
        match self.soft(&deliveries.marks) {
            Some((bounces, evidence)) => {
                let (code, verdict) = match self.kind {
                    _ if deliveries.truncated => (Code::EvidenceTruncated, Verdict::Risky),
                    StreamKind::Broadcast => (Code::SoftBounces, Verdict::DoNotSend),
                    StreamKind::Transactional => (Code::SoftBounces, Verdict::Risky),
                };
                let marks: Vec<Mark> =
                    bounces.iter().map(|bounce| Mark { at: bounce.at, event: bounce.event }).collect();
                Some(Reason {
                    since: evidence.last,
                    until: Some(pause(&evidence)),
                    soft: Some(evidence),
                    ..reason(code, verdict, self.stream, &marks)
                })
            }
            // What is kept does not reach the threshold, but more was left out than is kept.
            None => {
                let here = self.here().filter(|here| here.bounces_truncated)?;
                let last = here.bounces.iter().rfind(|b| b.class == BounceClass::Soft && b.at <= self.at)?;
                let until = last.at.plus_days(i64::from(self.policy.pause_days));
                let mark = Mark { at: last.at, event: last.event };
                let truncated = reason(Code::EvidenceTruncated, Verdict::Risky, self.stream, &[mark]);
                (self.at < until).then_some(Reason { until: Some(until), ..truncated })
            }
        }
    }

    /// The latest streak of soft bounces that reached the threshold of the policy and whose pause still runs.
    /// Clearing a bounce can only break streaks, so more deliveries never make a verdict stricter.
    fn soft(&self, deliveries: &[DeliveryMark]) -> Option<(Vec<&'a BounceMark>, SoftEvidence)> {
        let bounces = &self.here()?.bounces;
        let allowed = self.view.allowed(self.stream);
        // A delivery whose own message bounced at or after it proves nothing: per message, the bounce wins.
        let undone = |delivery: &DeliveryMark| {
            let same = |b: &BounceMark| b.message_id.is_some() && b.message_id == delivery.message_id;
            bounces.iter().any(|bounce| bounce.at >= delivery.at && same(bounce))
        };
        let proofs: Vec<&DeliveryMark> =
            deliveries.iter().filter(|delivery| delivery.at <= self.at && !undone(delivery)).collect();
        let cleared = |bounce: &BounceMark| {
            let other = |d: &DeliveryMark| bounce.message_id.is_none() || bounce.message_id != d.message_id;
            allowed.is_some_and(|allowed| allowed.at > bounce.at)
                || proofs.iter().any(|delivery| delivery.at > bounce.at && other(delivery))
        };
        let open: Vec<&BounceMark> = bounces
            .iter()
            .filter(|b| b.class == BounceClass::Soft && b.at <= self.at && !cleared(b))
            .collect();
        let policy = self.policy;
        (1..=open.len()).rev().find_map(|end| {
            let last = open[end - 1].at;
            if self.at >= last.plus_days(i64::from(policy.pause_days)) {
                return None;
            }
            let begin = last.plus_days(-i64::from(policy.window_days));
            let streak = &open[open.partition_point(|bounce| bounce.at < begin)..end];
            let first = streak.first()?.at;
            let messages: BTreeSet<&Option<String>> =
                streak.iter().map(|bounce| &bounce.message_id).collect();
            let reached = streak.len() >= policy.count as usize
                && messages.len() >= policy.messages as usize
                && last >= first.plus_days(i64::from(policy.span_days));
            reached.then(|| {
                let evidence = SoftEvidence {
                    count: streak.len() as u32,
                    messages: messages.len() as u32,
                    first,
                    last,
                    last_delivery: deliveries
                        .iter()
                        .map(|delivery| delivery.at)
                        .filter(|at| *at <= self.at)
                        .max(),
                    policy,
                };
                (streak.to_vec(), evidence)
            })
        })
    }
}

/// A reason from the marks behind it; the last of them decides.
fn reason(code: Code, verdict: Verdict, scope: &str, marks: &[Mark]) -> Reason {
    Reason {
        code,
        verdict,
        since: marks.last().map_or(Time::default(), |mark| mark.at),
        until: None,
        scope: scope.to_owned(),
        evidence: marks.iter().map(|mark| mark.event).collect(),
        soft: None,
    }
}

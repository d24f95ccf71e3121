//! What a customer decides about soft bounces, by the date from which it holds, and the kinds of streams.

use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The most soft bounces that a policy may ask for; the view keeps this many whole.
pub const SOFT_COUNT_MAX: u32 = 100;
/// The longest that a window and the pause after it may be together, in days; the view keeps this much.
pub const SOFT_DAYS_MAX: u32 = 120;

/// What a stream is for. Postmark keeps transactional and broadcast mail apart, lists included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamKind {
    /// Mail that its recipient asked for by doing something.
    Transactional,
    /// Mail to many at once.
    Broadcast,
}

impl StreamKind {
    /// The kind of a stream that the registry does not know: Postmark's default broadcast stream is named
    /// `broadcast`; every other is taken for transactional.
    pub fn presumed(stream: &str) -> StreamKind {
        if stream == "broadcast" { StreamKind::Broadcast } else { StreamKind::Transactional }
    }
}

/// When soft bounces speak against a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoftBouncePolicy {
    /// At least this many soft bounces,
    pub count: u32,
    /// on at least this many different messages,
    pub messages: u32,
    /// the first and the last at least this many days apart,
    pub span_days: u32,
    /// all within this many days before the last,
    pub window_days: u32,
    /// hold until this many days after the last.
    pub pause_days: u32,
}

/// Five on three messages over seven days within thirty, until fourteen days after the last.
impl Default for SoftBouncePolicy {
    fn default() -> SoftBouncePolicy {
        SoftBouncePolicy { count: 5, messages: 3, span_days: 7, window_days: 30, pause_days: 14 }
    }
}

/// As a deployment's parameter says it: `count=5,messages=3,span=7,window=30,pause=14`.
impl FromStr for SoftBouncePolicy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<SoftBouncePolicy, PolicyError> {
        let names = ["count", "messages", "span", "window", "pause"];
        let parts: Vec<&str> = text.split(',').collect();
        let number =
            |(part, name): (&&str, &str)| part.trim().strip_prefix(name)?.strip_prefix('=')?.parse().ok();
        let numbers: Option<Vec<u32>> = parts.iter().zip(names).map(number).collect();
        match numbers.as_deref() {
            Some(&[count, messages, span_days, window_days, pause_days]) if parts.len() == names.len() => {
                SoftBouncePolicy { count, messages, span_days, window_days, pause_days }.checked()
            }
            _ => Err(PolicyError),
        }
    }
}

/// As it is parsed.
impl fmt::Display for SoftBouncePolicy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SoftBouncePolicy { count, messages, span_days, window_days, pause_days } = self;
        write!(
            out,
            "count={count},messages={messages},span={span_days},window={window_days},pause={pause_days}"
        )
    }
}

/// A policy must be one that the kept evidence can decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a soft-bounce policy: count and messages must be 1 to {SOFT_COUNT_MAX} with messages <= count, \
     window_days at least 1, span_days <= window_days, and window_days + pause_days <= {SOFT_DAYS_MAX}"
)]
pub struct PolicyError;

/// A number of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyPart {
    /// See [`SoftBouncePolicy::count`].
    Count,
    /// See [`SoftBouncePolicy::messages`].
    Messages,
    /// See [`SoftBouncePolicy::span_days`].
    Span,
    /// See [`SoftBouncePolicy::window_days`].
    Window,
    /// See [`SoftBouncePolicy::pause_days`].
    Pause,
}

impl SoftBouncePolicy {
    /// The policy, if the evidence that a view keeps can decide it.
    pub fn checked(self) -> Result<SoftBouncePolicy, PolicyError> {
        self.unsound().next().map_or(Ok(self), |_| Err(PolicyError))
    }

    /// Its numbers with which the evidence that a view keeps cannot decide it.
    pub fn unsound(self) -> impl Iterator<Item = PolicyPart> {
        let days = self.window_days.saturating_add(self.pause_days);
        [
            (PolicyPart::Count, (1..=SOFT_COUNT_MAX).contains(&self.count)),
            (PolicyPart::Messages, (1..=self.count).contains(&self.messages)),
            (PolicyPart::Span, self.span_days <= self.window_days),
            (PolicyPart::Window, self.window_days >= 1),
            (PolicyPart::Pause, days <= SOFT_DAYS_MAX),
        ]
        .into_iter()
        .filter_map(|(part, is_sound)| (!is_sound).then_some(part))
    }
}

/// The policies of a server and kind of stream, each with the instant from which it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(Time, SoftBouncePolicy)>")]
pub struct PolicySchedule(Vec<(Time, SoftBouncePolicy)>);

impl PolicySchedule {
    /// From policies in any order; of two from the same instant the later given one holds.
    ///
    /// # Errors
    /// [`PolicyError`] where one of them cannot be decided.
    pub fn new(policies: Vec<(Time, SoftBouncePolicy)>) -> Result<PolicySchedule, PolicyError> {
        let mut policies = policies;
        policies.iter().try_for_each(|(_, policy)| policy.checked().map(|_| ()))?;
        policies.sort_by_key(|(from, _)| *from);
        Ok(PolicySchedule(policies))
    }

    /// The same with another policy from an instant on, in place of one from that very instant.
    ///
    /// # Errors
    /// [`PolicyError`] where it cannot be decided.
    pub fn with(&self, from: Time, policy: SoftBouncePolicy) -> Result<PolicySchedule, PolicyError> {
        let others = self.0.iter().copied().filter(|(known, _)| *known != from);
        PolicySchedule::new(others.chain([(from, policy)]).collect())
    }

    /// The policies, each with the instant from which it holds, in that order.
    pub fn entries(&self) -> &[(Time, SoftBouncePolicy)] {
        &self.0
    }

    /// The policy in force at an instant; before the first, the stack's own.
    pub fn at(&self, instant: Time, before: SoftBouncePolicy) -> SoftBouncePolicy {
        self.0.iter().rev().find(|(from, _)| *from <= instant).map_or(before, |(_, policy)| *policy)
    }
}

impl TryFrom<Vec<(Time, SoftBouncePolicy)>> for PolicySchedule {
    type Error = PolicyError;

    fn try_from(policies: Vec<(Time, SoftBouncePolicy)>) -> Result<PolicySchedule, PolicyError> {
        PolicySchedule::new(policies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_in_force_is_the_last_that_has_begun() {
        let strict = SoftBouncePolicy { count: 3, ..SoftBouncePolicy::default() };
        let lax = SoftBouncePolicy { count: 9, ..SoftBouncePolicy::default() };
        let day = Time::EARLIEST;
        let schedule =
            PolicySchedule::new(vec![(day.plus_days(20), lax), (day.plus_days(10), strict)]).unwrap();
        assert_eq!(schedule.at(day, lax), lax);
        assert_eq!(schedule.at(day.plus_days(10), lax), strict);
        assert_eq!(schedule.at(day.plus_days(19), lax), strict);
        assert_eq!(schedule.at(day.plus_days(20), strict), lax);
    }

    #[test]
    fn a_policy_is_read_from_a_parameter_whole_or_not_at_all() {
        let told = "count=5, messages=3,span=7,window=30,pause=14".parse();
        assert_eq!(told, Ok(SoftBouncePolicy::default()));
        for wrong in [
            "",
            "count=5",
            "count=5,messages=3,span=7,window=30",
            "messages=3,count=5,span=7,window=30,pause=14",
            "count=5,messages=3,span=7,window=30,pause=14,",
            "count=5,messages=6,span=7,window=30,pause=14",
        ] {
            assert_eq!(wrong.parse::<SoftBouncePolicy>(), Err(PolicyError), "{wrong}");
        }
    }

    #[test]
    fn a_policy_that_kept_evidence_cannot_decide_is_refused() {
        let policy = SoftBouncePolicy::default();
        assert_eq!(policy.checked(), Ok(policy));
        for (unsound, part) in [
            (SoftBouncePolicy { count: 0, ..policy }, PolicyPart::Count),
            (SoftBouncePolicy { count: 101, ..policy }, PolicyPart::Count),
            (SoftBouncePolicy { messages: 6, ..policy }, PolicyPart::Messages),
            (SoftBouncePolicy { messages: 0, ..policy }, PolicyPart::Messages),
            (SoftBouncePolicy { window_days: 0, span_days: 0, ..policy }, PolicyPart::Window),
            (SoftBouncePolicy { window_days: 107, ..policy }, PolicyPart::Pause),
            (SoftBouncePolicy { pause_days: u32::MAX, ..policy }, PolicyPart::Pause),
            (SoftBouncePolicy { span_days: 31, ..policy }, PolicyPart::Span),
        ] {
            assert_eq!(unsound.unsound().next(), Some(part));
            assert_eq!(unsound.checked(), Err(PolicyError));
            assert_eq!(PolicySchedule::new(vec![(Time::EARLIEST, unsound)]), Err(PolicyError));
        }
    }
}

//! Stretches of time that Postmark can be asked about: it shows 10,000 rows of a stretch and no more, so a busy one is
//! halved until it fits.

use ledger::Time;
use postmark_api::eastern;
use std::collections::VecDeque;

/// The shortest stretch that is halved, in seconds: Postmark's filters have whole seconds.
const HALVED_SECONDS_MIN: i64 = 2;

/// From an instant to before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from: Time,
    pub(crate) to: Time,
}

impl Window {
    /// Whether an instant is in it. A row without an instant counts as in every span, so that nothing is skipped.
    pub(crate) fn holds(&self, at: Option<Time>) -> bool {
        at.is_none_or(|at| self.from <= at && at < self.to)
    }

    /// What lies in both, if anything does.
    pub(crate) fn and(&self, other: Window) -> Option<Window> {
        let both = Window { from: self.from.max(other.from), to: self.to.min(other.to) };
        (both.from < both.to).then_some(both)
    }
}

/// What is left of a stretch, from its beginning.
#[derive(Debug)]
pub(crate) struct Windows(VecDeque<Window>);

impl Windows {
    pub(crate) fn of(whole: Window) -> Windows {
        Windows(VecDeque::from([whole]))
    }

    pub(crate) fn next(&mut self) -> Option<Window> {
        self.0.pop_front()
    }

    /// Puts the halves of a stretch before what is left; `false` where it is too short for that, or Postmark would be
    /// asked about each half as about the whole: an hour that its clock shows twice cannot be told apart.
    pub(crate) fn halve(&mut self, window: Window) -> bool {
        let seconds = (window.to.micros() - window.from.micros()) / 1_000_000;
        if seconds < HALVED_SECONDS_MIN {
            return false;
        }
        let middle = window.from.plus_seconds(seconds / 2);
        let halves = [Window { from: window.from, to: middle }, Window { from: middle, to: window.to }];
        let texts = |window: Window| eastern::window(window.from, window.to);
        if halves.iter().all(|half| texts(*half) == texts(window)) {
            return false;
        }
        halves.into_iter().rev().for_each(|half| self.0.push_front(half));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_micros(0).plus_seconds(seconds)
    }

    #[test]
    fn halves_cover_the_whole_in_order_and_without_an_overlap() {
        let mut windows = Windows::of(Window { from: at(0), to: at(100) });
        let mut covered = at(0);
        let mut pieces = 0;
        while let Some(window) = windows.next() {
            if pieces < 1_000 && window.to.seconds() - window.from.seconds() > 7 && windows.halve(window) {
                continue;
            }
            assert_eq!(window.from, covered);
            covered = window.to;
            pieces += 1;
        }
        assert_eq!((covered, pieces), (at(100), 16));
    }

    #[test]
    fn a_stretch_of_a_second_is_not_halved() {
        let mut windows = Windows::of(Window { from: at(0), to: at(1) });
        let window = windows.next().unwrap();
        assert!(!windows.halve(window) && windows.next().is_none());
    }

    #[test]
    fn an_hour_that_comes_twice_is_not_halved_again_and_again() {
        let [from, to] = ["2026-11-01T05:10:00Z", "2026-11-01T05:50:00Z"].map(|text| text.parse().unwrap());
        let mut windows = Windows::of(Window { from, to });
        let window = windows.next().unwrap();
        assert!(!windows.halve(window));
    }

    #[test]
    fn what_bears_no_instant_is_passed_over_nowhere() {
        let window = Window { from: at(10), to: at(20) };
        assert!(window.holds(None) && window.holds(Some(at(10))) && !window.holds(Some(at(20))));
        assert_eq!(
            window.and(Window { from: at(15), to: at(30) }),
            Some(Window { from: at(15), to: at(20) })
        );
        assert_eq!(window.and(Window { from: at(20), to: at(30) }), None);
    }
}

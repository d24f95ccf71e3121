//! The steps of changes, joined into changes.
//!
//! Steps come latest first, so that a change's end comes before its beginning, and the two may stand on different pages of
//! the API. A change is told of where its latest step stands; the page that has its beginning is told to leave that out.

use answers::{Actor, Step, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How far a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is done.
    Done,
    /// It was not done, or not to its end.
    Failed,
    /// It has begun, and no end of it is noted.
    Begun,
}

impl State {
    /// As the API has it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            State::Done => "done",
            State::Failed => "failed",
            State::Begun => "begun",
        }
    }
}

/// A change, from what is known of its steps.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// Its id.
    pub id: String,
    /// When it began; where that is not known, when it ended.
    pub at: Timestamp,
    /// Who did it.
    pub who: Actor,
    /// What it is, in a word.
    pub what: String,
    /// What it was done to.
    pub target: Option<String>,
    /// What was.
    pub before: Value,
    /// What was asked for.
    pub asked: Value,
    /// What came of it.
    pub result: Value,
    /// How far it is.
    pub state: State,
    begins: bool,
}

impl Change {
    fn of(step: Step) -> Change {
        let state = match step.phase.as_str() {
            "done" => State::Done,
            "failed" => State::Failed,
            _ => State::Begun,
        };
        let begins = state == State::Begun;
        let (asked, result) = if begins { (step.after, Value::Null) } else { (Value::Null, step.after) };
        Change {
            id: step.id,
            at: step.at,
            who: step.who,
            what: step.what,
            target: step.target,
            before: step.before,
            asked,
            result,
            state,
            begins,
        }
    }

    /// One that is done, and whose steps say this of what was, what was asked for, and what came of it.
    #[cfg(test)]
    pub(super) fn known(
        what: &str,
        who: Actor,
        at: Timestamp,
        [before, asked, result]: [Value; 3],
    ) -> Change {
        let [id, what] = ["x", what].map(str::to_owned);
        let (target, state, begins) = (None, State::Done, true);
        Change { id, at, who, what, target, before, asked, result, state, begins }
    }

    /// Takes in an earlier step of it.
    fn take(&mut self, step: Step) {
        if step.phase == "begun" && !self.begins {
            self.at = step.at;
            (self.before, self.asked) = (step.before, step.after);
            self.begins = true;
        }
    }
}

/// Changes, by their latest step.
#[derive(Debug, Default)]
pub(super) struct Joined {
    changes: Vec<Change>,
    places: BTreeMap<String, usize>,
    left_out: BTreeSet<String>,
    /// Those that are left out, and whose beginning has not come.
    awaited: BTreeSet<String>,
    open: Vec<String>,
}

impl Joined {
    /// Without some that were told of before.
    pub(super) fn without(left_out: BTreeSet<String>) -> Joined {
        Joined { awaited: left_out.clone(), left_out, ..Joined::default() }
    }

    /// Takes in further steps, latest first.
    pub(super) fn add(&mut self, steps: impl Iterator<Item = Step>) {
        for step in steps {
            if self.left_out.contains(&step.id) {
                self.awaited.remove(&step.id);
                continue;
            }
            match self.places.get(&step.id) {
                Some(place) => self.changes[*place].take(step),
                None => {
                    self.places.insert(step.id.clone(), self.changes.len());
                    self.changes.push(Change::of(step));
                }
            }
        }
        self.open = self.changes.iter().filter(|change| !change.begins).map(|one| one.id.clone()).collect();
    }

    /// Takes in the beginnings of those that are known here from steps that stand behind, and nothing else.
    pub(super) fn complete(&mut self, steps: Vec<Step>) {
        for step in steps {
            if let Some(place) = self.places.get(&step.id) {
                self.changes[*place].take(step);
            }
        }
    }

    /// Those whose beginning is not among the steps that were added.
    pub(super) fn open(&self) -> &[String] {
        &self.open
    }

    /// What the next page leaves out: those, and of what was left out here the ones whose beginning is still to come.
    pub(super) fn open_then(&self) -> Vec<String> {
        self.open.iter().rev().chain(&self.awaited).take(super::HANDED_ON_MAX).cloned().collect()
    }

    /// The changes.
    pub(super) fn changes(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter()
    }

    /// The changes, the latest first.
    pub(super) fn into_changes(self) -> Vec<Change> {
        self.changes
    }
}

/// The ids in a query.
pub(super) fn ids(text: &str) -> BTreeSet<String> {
    text.split('.').take(super::HANDED_ON_MAX).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::Time;
    use serde_json::json;

    fn step(id: &str, phase: &str, seconds: i64, after: Value) -> Step {
        Step {
            id: id.to_owned(),
            at: Time::EARLIEST.plus_seconds(seconds).into(),
            who: Actor { kind: "local".to_owned(), name: "ida".to_owned() },
            what: "suppress".to_owned(),
            phase: phase.to_owned(),
            target: None,
            before: Value::Null,
            after,
        }
    }

    fn told(joined: Joined) -> Vec<(String, State, i64, Value, Value)> {
        let changes = joined.into_changes().into_iter();
        let seconds = |at: Timestamp| at.0.seconds() - Time::EARLIEST.seconds();
        changes.map(|one| (one.id, one.state, seconds(one.at), one.asked, one.result)).collect()
    }

    #[test]
    fn the_steps_of_a_change_are_one_row_whatever_happens_in_between() {
        let mut joined = Joined::default();
        let steps = [
            step("c", "begun", 5, json!(3)),
            step("a", "done", 4, json!("a is done")),
            step("b", "failed", 3, json!("b is not")),
            step("b", "begun", 2, json!(2)),
            step("a", "begun", 1, json!(1)),
        ];
        joined.add(steps.into_iter());
        assert!(joined.open().is_empty());
        let expected = [
            ("c", State::Begun, 5, json!(3), Value::Null),
            ("a", State::Done, 1, json!(1), json!("a is done")),
            ("b", State::Failed, 2, json!(2), json!("b is not")),
        ];
        assert_eq!(
            told(joined),
            expected.map(|(id, state, at, asked, came)| (id.to_owned(), state, at, asked, came))
        );
    }

    #[test]
    fn a_change_whose_beginning_is_on_a_later_page_is_told_of_once_and_whole() {
        let pages = [
            vec![step("long", "done", 9, json!("end")), step("a", "done", 8, json!("end"))],
            vec![step("a", "begun", 7, json!(1)), step("b", "done", 6, json!("end"))],
            vec![step("b", "begun", 5, json!(2)), step("c", "begun", 4, json!(3))],
            vec![step("long", "begun", 1, json!(0))],
        ];
        let (mut all, mut left_out) = (Vec::new(), BTreeSet::new());
        for (nth, page) in pages.iter().enumerate() {
            let mut joined = Joined::without(left_out);
            joined.add(page.iter().cloned());
            joined.complete(pages.get(nth + 1).cloned().unwrap_or_default());
            left_out = joined.open_then().into_iter().collect();
            all.extend(told(joined));
        }
        let ids: Vec<(&str, State)> = all.iter().map(|(id, state, ..)| (id.as_str(), *state)).collect();
        let done = State::Done;
        assert_eq!(ids, [("long", done), ("a", done), ("b", done), ("c", State::Begun)]);
        assert_eq!((&all[1].3, &all[1].4), (&json!(1), &json!("end")), "its beginning was looked for");
        assert!(left_out.is_empty());
    }

    #[test]
    fn what_is_handed_on_is_bounded_whatever_stands_in_a_query() {
        assert_eq!(ids("a.b.a").len(), 2);
        assert_eq!(ids(&(0..500).map(|n| n.to_string()).collect::<Vec<_>>().join(".")).len(), 50);
        let mut joined = Joined::default();
        joined.add((0..500).map(|n| step(&n.to_string(), "done", n, Value::Null)));
        assert_eq!(joined.open_then().len(), 50);
    }
}

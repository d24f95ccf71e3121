//! What `tables create` did.

use crate::show::table;
use serde::Serialize;

/// What `tables create` made, and what was there before it: each by its kind (table, queue, parameter) and name.
#[derive(Debug, Default, Serialize)]
pub struct Made {
    /// What it made.
    pub made: Vec<String>,
    /// What was there.
    pub there: Vec<String>,
}

impl Made {
    /// Sorts the names of a kind by whether they were just made.
    #[cfg(feature = "aws")]
    pub(crate) fn take(&mut self, kind: &str, all: Vec<String>, made: &[String]) {
        for name in all {
            let which = if made.contains(&name) { &mut self.made } else { &mut self.there };
            which.push(format!("{kind} {name}"));
        }
    }

    /// As people read it.
    pub fn text(&self) -> String {
        let rows = |names: &[String], what: &str| -> Vec<[String; 2]> {
            names.iter().map(|name| [name.clone(), what.to_owned()]).collect()
        };
        table(["name", "state"], [rows(&self.made, "made"), rows(&self.there, "was there")].concat())
    }
}

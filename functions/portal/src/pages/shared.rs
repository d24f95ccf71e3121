//! What several pages share: numbers as people read them, choices of a form, links that keep what was chosen, and tables
//! to keep.

use crate::texts::Texts;
use crate::visit::{AtServer, Failed, Why, segment};
use answers::Word;
use ledger::policy::StreamKind;
use std::fmt::Display;
use suppression_lists::write_row;

/// What a table to keep is.
pub(super) const CSV: &str = "text/csv; charset=utf-8; header=present";

/// A whole number with its thousands apart.
pub(super) fn number(number: impl Display) -> String {
    let text = number.to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    let mut apart = sign.to_owned();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            apart.push(',');
        }
        apart.push(digit);
    }
    apart
}

/// One of the choices of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// What is sent.
    pub value: String,
    /// What is read.
    pub label: String,
    /// Whether it is chosen.
    pub chosen: bool,
}

impl Choice {
    /// A choice, where `chosen` is the value that the field has.
    pub(super) fn new(value: impl Into<String>, label: impl Into<String>, chosen: Option<&str>) -> Choice {
        let value = value.into();
        Choice { chosen: chosen.unwrap_or_default() == value, label: label.into(), value }
    }
}

/// The streams of a server, to choose one; the chosen one stands among them, whether it is known or not.
pub(super) fn streams(at: &AtServer<'_>, chosen: Option<&str>) -> Vec<Choice> {
    let t = at.visit.t();
    let label = |name: &str, kind: &Word<StreamKind>| match kind {
        // It says so itself.
        kind if kind.to_string() == name => name.to_owned(),
        Word::Known(StreamKind::Transactional) => t.stream_kind_transactional(name),
        Word::Known(StreamKind::Broadcast) => t.stream_kind_broadcast(name),
        Word::Other(_) => name.to_owned(),
    };
    let known = at.known.streams.iter();
    let mut all: Vec<Choice> =
        known.map(|(name, kind)| Choice::new(name, label(name, kind), chosen)).collect();
    if let Some(other) = chosen.filter(|name| !name.is_empty() && !at.known.streams.contains_key(*name)) {
        all.push(Choice::new(other, other, chosen));
    }
    all
}

/// What the API finds wrong with a stream, or with a page of a list, where a form can mend it.
pub(super) fn mendable(t: Texts, stream: Option<&str>, failed: &Failed) -> Option<String> {
    let Why::Problem(problem) = &failed.why else { return None };
    match problem.code() {
        "unknown-stream" => {
            let near = problem.did_you_mean.as_ref().filter(|near| !near.is_empty());
            let near = near.map(|near| t.suppressions_problem_near(one_of(t, near)));
            let words = [Some(t.suppressions_problem_stream(stream.unwrap_or_default())), near];
            Some(words.into_iter().flatten().collect::<Vec<_>>().join(" "))
        }
        // A name that no stream can have.
        "bad-request" if problem.detail.starts_with("stream") => {
            Some(t.suppressions_problem_stream(stream.unwrap_or_default()))
        }
        "bad-cursor" => Some(t.suppressions_problem_cursor()),
        _ => None,
    }
}

/// Names of which one may be meant.
pub(super) fn one_of(t: Texts, names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [all @ .., last] => t.or(all.join(", "), last),
    }
}

/// A path with what was chosen; the path may have a query already.
pub(super) fn link(path: &str, chosen: &[(&str, Option<String>)]) -> String {
    let mut link = path.to_owned();
    for (name, value) in chosen.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
        let sign = if link.contains('?') { '&' } else { '?' };
        link += &format!("{sign}{name}={}", segment(value));
    }
    link
}

/// A table to keep, written as lists are: no cell of it is one that a spreadsheet would run.
#[derive(Debug, Default)]
pub(super) struct Table(Vec<u8>);

impl Table {
    /// A table with a header.
    pub(super) fn new(columns: &[&str]) -> Table {
        let mut table = Table::default();
        table.row(columns);
        table
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: &[&str]) {
        write_row(&mut self.0, cells).unwrap_or_else(|_| unreachable!("memory takes all"));
    }

    /// What is written.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        for (given, shown) in [(0, "0"), (999, "999"), (1_000, "1,000"), (-12_345_678, "-12,345,678")] {
            assert_eq!(number(given), shown);
        }
    }

    #[test]
    fn a_link_keeps_what_was_chosen_and_nothing_in_it_ends_early() {
        let chosen = [("a", Some("x&y=z".to_owned())), ("b", None), ("c", Some("é #".to_owned()))];
        assert_eq!(link("/p", &chosen), "/p?a=x%26y%3Dz&c=%C3%A9%20%23");
        assert_eq!(link("/p?at=1", &chosen[..1]), "/p?at=1&a=x%26y%3Dz");
    }

    #[test]
    fn a_table_is_written_as_lists_are() {
        let mut table = Table::new(&["address", "since"]);
        table.row(&["a,b", "=1"]);
        assert_eq!(table.into_bytes(), b"address,since\r\n\"a,b\",'=1\r\n");
    }
}

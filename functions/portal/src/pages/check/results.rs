//! What is answered of each entry that was asked about: exactly one thing, or nothing of all of them.

use super::super::recipient;
use super::super::shared::Table;
use answers::{Checked, CheckedAddress};

/// The columns of a table to keep: those of the command line, and why in words.
const COLUMNS: [&str; 5] = ["address", "verdict", "reasons", "since", "why"];
/// What stands as the verdict of what is no address.
pub(super) const INVALID: &str = "invalid";

/// What is answered of an entry.
pub(super) enum EntryResult<'a> {
    /// Whether it may be mailed.
    Address(&'a CheckedAddress),
    /// That it is no address, and why not.
    Invalid(&'a str),
}

/// What is answered of each entry, in their order; nothing where one of them has no answer, or an answer no entry.
pub(super) fn in_order<'a>(entries: &[String], checked: &'a Checked) -> Option<Vec<EntryResult<'a>>> {
    let mut all: Vec<Option<EntryResult<'a>>> = entries.iter().map(|_| None).collect();
    for invalid in &checked.invalid {
        let place = all.get_mut(invalid.index).filter(|place| place.is_none())?;
        *place = Some(EntryResult::Invalid(&invalid.problem));
    }
    let mut results = checked.results.iter();
    for place in all.iter_mut().filter(|place| place.is_none()) {
        *place = Some(EntryResult::Address(results.next()?));
    }
    if results.next().is_some() {
        return None;
    }
    all.into_iter().collect()
}

/// The style's name of what is answered of an entry.
pub(super) fn kind(result: &EntryResult<'_>) -> &'static str {
    match result {
        EntryResult::Address(address) => recipient::kind(&address.verdict),
        EntryResult::Invalid(_) => INVALID,
    }
}

/// What is answered of each entry, as a table to keep.
pub(super) fn table(entries: &[String], results: &[EntryResult<'_>]) -> Vec<u8> {
    let mut table = Table::new(&COLUMNS);
    for (entry, result) in entries.iter().zip(results) {
        match result {
            EntryResult::Invalid(problem) => table.row(&[entry, INVALID, "", "", problem]),
            EntryResult::Address(address) => add(&mut table, entry, address),
        }
    }
    table.into_bytes()
}

fn add(table: &mut Table, entry: &str, address: &CheckedAddress) {
    let reasons = &address.reasons;
    let codes: Vec<String> = reasons.iter().map(|reason| reason.code.to_string()).collect();
    let words: Vec<&str> = reasons.iter().map(|reason| reason.words.as_str()).collect();
    let since = reasons.first().map(|reason| reason.since.to_string()).unwrap_or_default();
    table.row(&[entry, &address.verdict.to_string(), &codes.join(" "), &since, &words.join("; ")]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use answers::Finding;
    use serde_json::json;

    fn answered(verdicts: &[&str], invalid: &[usize]) -> Checked {
        let address = |verdict: &&str| json!({ "address": "x", "verdict": verdict, "reasons": [] });
        let wrong =
            |index: &usize| json!({ "index": index, "address": "x", "problem": "the address has no @" });
        let answer = json!({
            "server": 8_123_456, "stream": "outbound", "kind": "transactional", "stream_known": true,
            "as_of": { "at": "2026-11-25T12:00:00Z", "newest_event": null,
                "critical_queue": { "waiting": 0, "oldest_seconds_at_most": 0 } },
            "counts": { "send": 0, "risky": 0, "do_not_send": 0, "invalid": 0 },
            "results": verdicts.iter().map(address).collect::<Vec<_>>(),
            "invalid": invalid.iter().map(wrong).collect::<Vec<_>>(),
        });
        serde_json::from_value(answer).unwrap()
    }

    fn kinds(entries: usize, checked: &Checked) -> Option<Vec<&'static str>> {
        let entries = vec!["x".to_owned(); entries];
        Some(in_order(&entries, checked)?.iter().map(kind).collect())
    }

    #[test]
    fn each_entry_has_its_own_answer_in_the_order_in_which_it_was_typed() {
        let checked = answered(&["send", "do_not_send", "risky"], &[1, 4]);
        assert_eq!(kinds(5, &checked).unwrap(), ["send", "invalid", "stop", "risky", "invalid"]);
        assert_eq!(kinds(1, &answered(&["ask_first"], &[])).unwrap(), ["stop"], "a later word is no leave");
    }

    #[test]
    fn an_answer_that_does_not_fit_what_was_asked_is_none() {
        for (entries, verdicts, invalid) in [
            (2, &["send"][..], &[][..]),
            (1, &["send", "send"], &[]),
            (2, &["send"], &[2]),
            (2, &[], &[0, 0]),
            (1, &[], &[]),
        ] {
            assert_eq!(
                kinds(entries, &answered(verdicts, invalid)),
                None,
                "{entries} {verdicts:?} {invalid:?}"
            );
        }
    }

    #[test]
    fn a_table_has_the_verdict_its_reasons_and_no_formula() {
        let mut checked = answered(&["do_not_send"], &[]);
        let reason = |code: &str, words: &str| {
            serde_json::from_value::<Finding>(json!({
                "code": code, "verdict": "do_not_send", "since": "2026-11-01T10:00:00Z", "scope": "outbound", "words": words,
            }))
            .unwrap()
        };
        checked.results[0].reasons =
            vec![reason("listed_hard_bounce", "hard bounce"), reason("complained", "reported spam before")];
        let mut table = Table::default();
        add(&mut table, "=cmd@x.example", &checked.results[0]);
        assert_eq!(
            String::from_utf8(table.into_bytes()).unwrap(),
            "'=cmd@x.example,do_not_send,listed_hard_bounce complained,2026-11-01T10:00:00.000000Z,\"hard bounce; \
             reported spam before\"\r\n"
        );
    }
}

//! The schedules of a stack on AWS: whether they are on, and when what they start last ended.

use super::servers::Looked;
use super::{Found, Link, State};
use crate::target::Place;
use crate::{aws, show};
use account::ServerEntry;
use ledger::{ServerId, Time};
use std::collections::BTreeMap;

/// What a stack's template tells of them.
const OUTPUTS: [&str; 5] =
    ["ReconcileFunction", "ReconcileTimer", "WatchFunction", "WatchTimer", "Schedules"];
/// After how many seconds without an end a server's reconcile is late: six times the usual pause.
const RECONCILE_LATE_SECONDS: i64 = 6 * 3_600;
/// After how many seconds without an end `watch` is late: eight times the usual pause.
const WATCH_LATE_SECONDS: i64 = 2 * 3_600;

/// The link.
pub(super) fn link(place: &Place, stack: &str, looked: &Looked) -> Link {
    let now = platform::now();
    let last = last(&looked.servers, &looked.reconciled, looked.watched);
    let Place::Aws(on_aws) = place else {
        let words = format!(
            "an embedded Postledger starts nothing by itself: run `postledger reconcile` and `postledger watch` as you \
             like; {last}"
        );
        return not_there(words);
    };
    let outputs = match aws::outputs(on_aws, stack) {
        Ok(Some(outputs)) => outputs,
        Ok(None) => return not_there("this stack was made in an emulator, without the template".to_owned()),
        Err(failure) => return Link::of("schedules", "", vec![Found::failure("schedules_untold", failure)]),
    };
    let findings = judge(&outputs, on_aws.endpoint.is_some(), looked, now);
    let state = outputs.get("Schedules").map_or("untold", String::as_str).to_lowercase();
    Link::of("schedules", format!("{state}; {last}"), findings)
}

fn not_there(words: String) -> Link {
    Link { link: "schedules", state: State::NotThere, words, findings: Vec::new() }
}

fn last(servers: &[ServerEntry], reconciled: &BTreeMap<ServerId, Time>, watched: Option<Time>) -> String {
    let time = |time: Option<Time>| time.map_or_else(|| "never".to_owned(), show::time);
    let never = servers.iter().any(|entry| !reconciled.contains_key(&entry.server));
    let oldest = if never { None } else { reconciled.values().min().copied() };
    format!(
        "the server that waits longest was reconciled: {}; watch last ended: {}",
        time(oldest),
        time(watched)
    )
}

fn judge(outputs: &BTreeMap<String, String>, emulated: bool, looked: &Looked, now: Time) -> Vec<Found> {
    let missing: Vec<&str> = OUTPUTS.into_iter().filter(|name| !outputs.contains_key(*name)).collect();
    if !missing.is_empty() {
        let words = format!("the stack does not tell its {}", missing.join(", "));
        return vec![Found::new("schedules_untold", words, "deploy it anew by this version: `make deploy`")];
    }
    if outputs["Schedules"] != "ENABLED" {
        // An emulator starts nothing, and `make local` says so.
        return if emulated {
            Vec::new()
        } else {
            let words =
                "neither reconcile nor watch is started by itself: what is lost on the way stays lost";
            vec![Found::new("schedules_off", words, "deploy with the parameter Schedules=ENABLED")]
        };
    }
    let mut findings = Vec::new();
    let late =
        |last: Option<Time>, since: Time, seconds: i64| last.unwrap_or(since).plus_seconds(seconds) < now;
    let logs = |output: &str| format!("see the logs and alarms of the function {}", outputs[output]);
    for entry in &looked.servers {
        let last = looked.reconciled.get(&entry.server).copied();
        if late(last, entry.added_at, RECONCILE_LATE_SECONDS) {
            let when = last.map_or_else(|| "never".to_owned(), show::time);
            let words = format!("it was last reconciled to the end: {when}");
            findings.push(Found::new("reconcile_late", words, logs("ReconcileFunction")).at(entry.server));
        }
    }
    let oldest = looked.servers.iter().map(|entry| entry.added_at).min();
    if oldest.is_some_and(|oldest| late(looked.watched, oldest, WATCH_LATE_SECONDS)) {
        let when = looked.watched.map_or_else(|| "never".to_owned(), show::time);
        findings.push(Found::new("watch_late", format!("watch last ended: {when}"), logs("WatchFunction")));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn looked(reconciled: Option<&str>, watched: Option<&str>) -> Looked {
        let server = ServerId::new(7).unwrap();
        Looked {
            links: Vec::new(),
            servers: vec![ServerEntry::new(server, "acme", "acme", at("2026-11-01T00:00:00Z"))],
            answering: Vec::new(),
            reconciled: reconciled.map(|time| (server, at(time))).into_iter().collect(),
            watched: watched.map(at),
            completeness: Link::behind("completeness", "nothing"),
        }
    }

    fn codes(schedules: &str, emulated: bool, looked: &Looked) -> Vec<&'static str> {
        let outputs = OUTPUTS.map(|name| (name.to_owned(), schedules.to_owned())).into();
        let found = judge(&outputs, emulated, looked, at("2026-11-25T12:00:00Z"));
        found.into_iter().map(|found| found.code).collect()
    }

    #[test]
    fn schedules_that_are_off_or_whose_work_did_not_end_for_long_are_found() {
        let well = looked(Some("2026-11-25T11:00:00Z"), Some("2026-11-25T11:45:00Z"));
        assert!(codes("ENABLED", false, &well).is_empty());
        assert_eq!(codes("DISABLED", false, &well), ["schedules_off"]);
        assert!(codes("DISABLED", true, &well).is_empty(), "an emulator starts nothing");
        let late = looked(Some("2026-11-25T05:00:00Z"), None);
        assert_eq!(codes("ENABLED", false, &late), ["reconcile_late", "watch_late"]);
        let none = looked(None, Some("2026-11-25T11:45:00Z"));
        assert_eq!(codes("ENABLED", false, &none), ["reconcile_late"]);
        let untold = judge(&BTreeMap::new(), false, &well, at("2026-11-25T12:00:00Z"));
        assert_eq!(untold[0].code, "schedules_untold");
        assert!(untold[0].words.contains("WatchTimer"));
    }
}

//! The schedules of a stack on AWS: whether they are on, and when what they start last ended.

use super::servers::{History, Looked};
use super::{Found, Link, State};
use crate::target::Deployment;
use crate::{aws, show};
use account::ServerEntry;
use ledger::Time;
use std::collections::BTreeMap;

/// What a stack's template tells of them.
const OUTPUTS: [&str; 5] =
    ["ReconcileFunction", "ReconcileTimer", "WatchFunction", "WatchTimer", "Schedules"];
/// After how many seconds without an end a server's reconcile is late: six times the usual pause.
const RECONCILE_LATE_SECONDS: i64 = 6 * 3_600;
/// After how many seconds without an end `watch` is late: eight times the usual pause.
const WATCH_LATE_SECONDS: i64 = 2 * 3_600;

/// The link.
pub(super) fn link(place: &Deployment, stack: &str, looked: &Looked) -> Link {
    let now = platform::now();
    let history = match &looked.history {
        Ok(history) => history,
        Err(failure) => {
            return Link::of("schedules", "", vec![Found::failure("ledger_unanswered", failure.clone())]);
        }
    };
    let last = last(&looked.servers, history);
    let Deployment::Aws(on_aws) = place else {
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
    let findings = judge(&outputs, on_aws.endpoint.is_some(), &looked.servers, history, now);
    let state = outputs.get("Schedules").map_or("untold", String::as_str).to_lowercase();
    Link::of("schedules", format!("{state}; {last}"), findings)
}

fn not_there(words: String) -> Link {
    Link { link: "schedules", state: State::NotThere, words, findings: Vec::new() }
}

fn last(servers: &[ServerEntry], history: &History) -> String {
    let History { reconciled, watched } = history;
    let time = |time: Option<Time>| time.map_or_else(|| "never".to_owned(), show::time);
    let never = servers.iter().any(|entry| !reconciled.contains_key(&entry.server));
    let oldest = if never { None } else { reconciled.values().min().copied() };
    format!(
        "the server that waits longest was reconciled: {}; watch last ended: {}",
        time(oldest),
        time(*watched)
    )
}

fn judge(
    outputs: &BTreeMap<String, String>,
    emulated: bool,
    servers: &[ServerEntry],
    history: &History,
    now: Time,
) -> Vec<Found> {
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
    for entry in servers {
        let last = history.reconciled.get(&entry.server).copied();
        if late(last, entry.added_at, RECONCILE_LATE_SECONDS) {
            let when = last.map_or_else(|| "never".to_owned(), show::time);
            let words = format!("it was last reconciled to the end: {when}");
            findings.push(Found::new("reconcile_late", words, logs("ReconcileFunction")).at(entry.server));
        }
    }
    let oldest = servers.iter().map(|entry| entry.added_at).min();
    if oldest.is_some_and(|oldest| late(history.watched, oldest, WATCH_LATE_SECONDS)) {
        let when = history.watched.map_or_else(|| "never".to_owned(), show::time);
        findings.push(Found::new("watch_late", format!("watch last ended: {when}"), logs("WatchFunction")));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::ServerId;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    const SERVER: ServerId = match ServerId::new(7) {
        Ok(server) => server,
        Err(_) => ServerId::NONE,
    };

    fn history(reconciled: Option<&str>, watched: Option<&str>) -> History {
        let reconciled = reconciled.map(|time| (SERVER, at(time))).into_iter().collect();
        History { reconciled, watched: watched.map(at) }
    }

    fn found(outputs: &BTreeMap<String, String>, emulated: bool, history: &History) -> Vec<Found> {
        let servers = [ServerEntry::new(SERVER, "acme", "acme", at("2026-11-01T00:00:00Z"))];
        judge(outputs, emulated, &servers, history, at("2026-11-25T12:00:00Z"))
    }

    fn codes(schedules: &str, emulated: bool, history: &History) -> Vec<&'static str> {
        let outputs = OUTPUTS.map(|name| (name.to_owned(), schedules.to_owned())).into();
        found(&outputs, emulated, history).into_iter().map(|found| found.code).collect()
    }

    #[test]
    fn schedules_that_are_off_or_whose_work_did_not_end_for_long_are_found() {
        let well = history(Some("2026-11-25T11:00:00Z"), Some("2026-11-25T11:45:00Z"));
        assert!(codes("ENABLED", false, &well).is_empty());
        assert_eq!(codes("DISABLED", false, &well), ["schedules_off"]);
        assert!(codes("DISABLED", true, &well).is_empty(), "an emulator starts nothing");
        let late = history(Some("2026-11-25T05:00:00Z"), None);
        assert_eq!(codes("ENABLED", false, &late), ["reconcile_late", "watch_late"]);
        let none = history(None, Some("2026-11-25T11:45:00Z"));
        assert_eq!(codes("ENABLED", false, &none), ["reconcile_late"]);
        let untold = found(&BTreeMap::new(), false, &well);
        assert_eq!(untold[0].code, "schedules_untold");
        assert!(untold[0].words.contains("WatchTimer"));
    }
}

//! The links of the stack itself: keys, tables, queues, quarantine.

use super::{Found, Link};
use crate::api::{Api, Request};
use crate::args::Target;
use crate::keys::KeyRing;
use crate::target::Context;
use crate::{Failure, operate, registry, show};
use credential::KEYS_MAX;
use ledger::{ServerId, Time};
use operator::OnQueue;
use postmark::RefusalCode;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;
use store::Collection;

/// Of so many messages that wait, a queue is looked at twice.
const BACKLOG_MIN: usize = 100;
/// Between the two looks.
const BACKLOG_PAUSE: Duration = Duration::from_secs(3);
/// The server that is asked about where none is named or registered: no events of it are there.
pub(super) const SOME_SERVER: ServerId = match ServerId::new(1) {
    Ok(server) => server,
    Err(_) => ServerId::NONE,
};

/// Whether others of this machine can reach a file of keys: then no command takes it.
fn open_to_others(path: &Path) -> Option<Found> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    let path = path.display();
    (mode & 0o077 != 0).then(|| {
        let words = format!("others of this machine can reach the keys in {path}: its mode is {mode:o}");
        let next = format!("`chmod 600 {path}`; if others may have read it, `postledger keys rotate`");
        Found::new("keys_open", words, next)
    })
}

/// The operator's keys; they are given where they can be used.
pub(super) fn keys(context: &Context) -> (Link, Option<KeyRing>) {
    if let Ok(home) = context.home()
        && let Some(open) = open_to_others(&KeyRing::path_in(&home, &context.stack))
    {
        return (Link::of("keys", "", vec![open]), None);
    }
    let opened = context.home().and_then(|home| KeyRing::open(&home, &context.stack));
    let ring = match opened {
        Ok(ring) => ring,
        Err(failure) => {
            return (Link::of("keys", "", vec![Found::failure("keys_unreadable", failure)]), None);
        }
    };
    let (path, count) = (ring.path().display().to_string(), ring.public().len());
    let mut findings = Vec::new();
    if count == 0 {
        let words = format!("stack {} has no key in {path}", context.stack);
        let next = "make one by `postledger keys new`, or name another folder by --home or stack by --stack";
        findings.push(Found::new("no_keys", words, next));
    }
    if count > KEYS_MAX {
        let words = format!("{count} keys are active; the doors take {KEYS_MAX}");
        let next = "see them by `postledger keys list`, and take the oldest away by `postledger keys retire`";
        findings.push(Found::new("too_many_keys", words, next));
    }
    let words = match count {
        1 => format!("one key, in {path}"),
        2 => format!("two keys, in {path}: a rotation is under way"),
        count => format!("{count} keys"),
    };
    (Link::of("keys", words, findings), (count > 0).then_some(ring))
}

/// The tables, by one read of each; the ledger is given where it answers.
pub(super) fn tables(target: &Target, context: &Context, server: Option<ServerId>) -> (Link, Option<Api>) {
    let broken = |findings| (Link::of("tables", "", findings), None);
    let ledger = match Api::operated(target, context) {
        Ok(ledger) => ledger,
        Err(failure) => return broken(vec![Found::failure("ledger_unanswered", failure)]),
    };
    let server = server.unwrap_or(SOME_SERVER);
    let server = server.to_string();
    let at = |rest: &[&str]| Request::get(&[&["servers", &*server], rest].concat());
    // That nobody knows the server is an answer too.
    let reads = [
        registry::on(&ledger, async |store| store.documents(&Collection::Servers).await.map(drop)),
        answers(&ledger, &at(&["recipients", "nobody@doctor.invalid"])),
        answers(&ledger, &at(&["stats"])),
        operate::quarantine(&ledger, 1).map(drop),
    ];
    let mut failed: Vec<Failure> = reads.into_iter().filter_map(Result::err).collect();
    failed.dedup();
    if !failed.is_empty() {
        return broken(
            failed.into_iter().map(|failure| Found::failure("ledger_unanswered", failure)).collect(),
        );
    }
    let which = if ledger.aws().is_some() { "a stack on AWS" } else { "an embedded Postledger" };
    let words = format!(
        "{which}: registry, recipients, events, counters and quarantine can be read by its ledger key"
    );
    (Link::of("tables", words, Vec::new()), Some(ledger))
}

/// Whether the tables were read for an answer, whatever it is.
fn answers(ledger: &Api, request: &Request) -> Result<(), Failure> {
    let told = ledger.answer(request)?;
    if told.status.is_success() || told.is_problem("unknown-server") {
        Ok(())
    } else {
        Err(ledger.refused(&told))
    }
}

/// What is on the queues.
pub(super) fn queues(ledger: &Api) -> Link {
    let looks = operate::queues(ledger).and_then(|first| {
        if first.iter().all(|on| on.waiting < BACKLOG_MIN) {
            return Ok((first.clone(), first));
        }
        std::thread::sleep(BACKLOG_PAUSE);
        Ok((first, operate::queues(ledger)?))
    });
    match looks {
        Ok((first, second)) => {
            let told = second.iter().map(|on| {
                format!("{}: {} waiting, {} in work, {} dead", on.queue, on.waiting, on.in_flight, on.dead)
            });
            Link::of("queues", told.collect::<Vec<_>>().join("; "), on_queues(&first, &second))
        }
        Err(failure) => Link::of("queues", "", vec![Found::failure("queues_unanswered", failure)]),
    }
}

/// What two looks at the queues say.
fn on_queues(first: &[OnQueue], second: &[OnQueue]) -> Vec<Found> {
    let mut findings = Vec::new();
    for (before, now) in first.iter().zip(second) {
        if now.dead > 0 {
            let words =
                format!("{} messages of {} could not be consumed and are dead letters", now.dead, now.queue);
            let next = format!(
                "see in the consumer's logs what failed, mend it, then `postledger queues redrive --queue {}`",
                now.queue
            );
            findings.push(Found::new("dead_letters", words, next));
        }
        if before.waiting >= BACKLOG_MIN && now.waiting >= before.waiting {
            let words = format!(
                "{} messages wait on {}, and they do not become fewer ({} some seconds before)",
                now.waiting, now.queue, before.waiting
            );
            let next = "see whether the consumer runs: its alarms and logs (throttled, switched off, failing tables)";
            findings.push(Found::new("backlog", words, next));
        }
    }
    findings
}

/// What was set aside lately, by reason.
pub(super) fn quarantine(ledger: &Api, server: Option<ServerId>) -> Link {
    // The ledger's own clock says what today is; a day has just begun somewhere.
    let listed = match operate::quarantine(ledger, 2) {
        Ok(listed) => listed,
        Err(failure) => {
            return Link::of("quarantine", "", vec![Found::failure("quarantine_unanswered", failure)]);
        }
    };
    let mut open: BTreeMap<String, usize> = BTreeMap::new();
    let (mut probes, mut revoked) = (0, BTreeMap::<(ServerId, u32), (usize, Time)>::new());
    for one in listed.into_iter().filter(|one| server.is_none_or(|server| one.server == server)) {
        if one.reason == RefusalCode::Probe.code() {
            probes += 1;
        } else if one.replayed_at.is_none() {
            if one.reason == consumer::REVOKED {
                let (count, last) = revoked.entry((one.server, one.generation)).or_default();
                (*count, *last) = (*count + 1, one.received_at.0.max(*last));
            }
            *open.entry(one.reason).or_default() += 1;
        }
    }
    let by_reason: Vec<String> = open.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    let told = if by_reason.is_empty() { "nothing".to_owned() } else { by_reason.join(", ") };
    let words = format!("yesterday and today (UTC): {told}, and {probes} probes, which are expected");
    let mut findings = Vec::new();
    for ((server, generation), (count, last)) in revoked {
        findings.push(still_told(server, generation, count, last, ledger.aws().is_some()));
    }
    if open.keys().any(|reason| reason != consumer::REVOKED) {
        let words = format!("bodies were set aside and not replayed: {told}");
        let next = "`postledger quarantine list` and `show KEY` say why; mend it, then `postledger quarantine replay KEY`";
        findings.push(Found::new("set_aside", words, next));
    }
    Link::of("quarantine", words, findings)
}

/// Webhooks that still come with a revoked password.
fn still_told(server: ServerId, generation: u32, count: usize, last: Time, on_aws: bool) -> Found {
    let words = format!(
        "webhooks still come with the password of generation {generation}, which is revoked: {count} since yesterday \
         (UTC), the last at {}; none of them is recorded",
        show::time(last)
    );
    let else_then = match on_aws {
        true => "if somebody else does, deploy with `Denied` as `postledger revoke --list` says",
        false => "what somebody else sends stays set aside",
    };
    let next = format!(
        "if Postmark sends them, `postledger connect --server {server}` gives it the password in use; {else_then}; \
         `postledger revoke --undo` takes it back"
    );
    Found::new("revoked_in_use", words, next).at(server)
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    fn on(waiting: usize, dead: usize) -> Vec<OnQueue> {
        vec![OnQueue { queue: "critical".to_owned(), waiting, in_flight: 3, dead }]
    }

    fn codes(findings: &[Found]) -> Vec<&'static str> {
        findings.iter().map(|found| found.code).collect()
    }

    #[test]
    fn a_queue_that_is_long_and_becomes_no_shorter_is_a_backlog_and_one_that_is_worked_off_is_not() {
        assert_eq!(codes(&on_queues(&on(100, 0), &on(100, 0))), ["backlog"]);
        for (first, second) in [(100, 99), (99, 99), (0, 0)] {
            assert!(on_queues(&on(first, 0), &on(second, 0)).is_empty(), "{first} then {second}");
        }
        let dead = on_queues(&on(0, 2), &on(0, 2));
        assert_eq!(codes(&dead), ["dead_letters"]);
        assert!(dead[0].next.contains("redrive --queue critical"));
    }

    #[test]
    fn a_link_without_findings_is_well_and_one_behind_a_broken_one_is_not_looked_at() {
        assert_eq!(Link::of("queues", "", Vec::new()).state, State::Ok);
        assert_eq!(Link::of("queues", "", on_queues(&on(0, 1), &on(0, 1))).state, State::Problem);
        assert_eq!(Link::behind("queues", "the tables").state, State::NotLookedAt);
    }
}

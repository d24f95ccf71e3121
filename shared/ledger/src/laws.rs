//! The laws of the fold and the verdict, written to be read: they are the specification.
//! Those that hold for any set of events are in [`properties`].

use crate::canonical::digest;
use crate::event::{Bar, Cause, Ruling, WHOLE_SERVER, What};
use crate::fold::{BOUNCES_MAX, EventSet, View};
use crate::policy::{SoftBouncePolicy, StreamKind};
use crate::verdict::{Answer, Code, Deliveries, DeliveryMark, Question, Verdict};
use crate::{Class, Event, Identity, LedgerKey, RecipientId, ServerId, Source, Time};

mod properties;

const DAY: i64 = 86_400;
const MINUTE: i64 = 60;

fn server() -> ServerId {
    ServerId::new(8_123_456).unwrap()
}

fn recipient() -> RecipientId {
    LedgerKey::for_tests().recipient_id(server(), "ida@customer.example")
}

/// An instant so many seconds after the first of May 2026.
fn at(seconds: i64) -> Time {
    "2026-05-01T00:00:00Z".parse::<Time>().unwrap().plus_seconds(seconds)
}

/// An event on a stream; its message is named after the identity unless one is given.
fn event(name: &str, stream: &str, seconds: i64, what: What) -> Event {
    Event {
        server: server(),
        stream: stream.to_owned(),
        recipient: recipient(),
        address: Some("ida@customer.example".to_owned()),
        identity: Identity(digest(name.as_bytes())),
        at: at(seconds),
        message_id: Some(format!("message of {name}")),
        what,
        source: Source::Webhook,
        received_at: at(seconds + 1),
        body_hash: digest(format!("body of {name}").as_bytes()),
    }
}

fn bounce(bounce_type: &str, inactive: bool) -> What {
    What::Bounce { bounce_type: bounce_type.to_owned(), inactive }
}

fn soft() -> What {
    bounce("SoftBounce", false)
}

const HARD: Cause = Cause::HardBounce;
const BAR: What = What::Decision { ruling: Ruling::Suppress(Bar::Decision) };
const ALLOW: What = What::Decision { ruling: Ruling::Allow };

/// What an import rules of a row with a cause; one of an early release bears none.
fn import(cause: Option<Cause>) -> What {
    What::Decision { ruling: Ruling::Suppress(Bar::Import(cause)) }
}

fn view(events: &[Event]) -> View {
    let set: EventSet = events.iter().cloned().collect();
    set.view().unwrap_or_else(|| View::empty(server(), recipient()))
}

fn ask(events: &[Event], stream: &str, seconds: i64, deliveries: &[DeliveryMark]) -> Answer {
    let view = view(events);
    let kind = StreamKind::presumed(stream);
    let policy = SoftBouncePolicy::default();
    let question = Question { view: &view, stream, kind, policy, at: at(seconds) };
    question.answer(&Deliveries { marks: deliveries.to_vec(), truncated: false })
}

fn codes(answer: &Answer) -> Vec<Code> {
    answer.reasons.iter().map(|reason| reason.code).collect()
}

fn verdict(events: &[Event], stream: &str) -> Verdict {
    ask(events, stream, 300 * DAY, &[]).verdict
}

fn delivery(message: &str, seconds: i64) -> DeliveryMark {
    DeliveryMark { at: at(seconds), message_id: Some(message.to_owned()) }
}

// ---- Postmark's list ------------------------------------------------------------------------------------

#[test]
fn an_address_of_which_nothing_is_known_may_be_mailed() {
    assert_eq!(verdict(&[], "outbound"), Verdict::Send);
}

#[test]
fn an_address_on_postmarks_list_must_not_be_mailed_on_that_stream_only() {
    for cause in Cause::ALL {
        let events = [event("in", "news", 10, What::Suppressed { cause })];
        assert_eq!(verdict(&events, "news"), Verdict::DoNotSend, "{cause:?}");
        // A dead address and a complaint are a warning elsewhere; the rest says nothing there.
        let elsewhere = match cause {
            Cause::HardBounce | Cause::Complaint => Verdict::Risky,
            Cause::Unsubscribe | Cause::Manual | Cause::Unknown => Verdict::Send,
        };
        assert_eq!(verdict(&events, "outbound"), elsewhere, "{cause:?}");
    }
}

#[test]
fn a_lift_told_by_postmark_ends_every_cause() {
    let mut events: Vec<Event> = Cause::ALL
        .into_iter()
        .filter(|cause| *cause != Cause::Complaint)
        .map(|cause| event(cause.name(), "outbound", 10, What::Suppressed { cause }))
        .collect();
    assert_eq!(verdict(&events, "outbound"), Verdict::DoNotSend);
    events.push(event("out", "outbound", 11, What::Reactivated));
    assert_eq!(verdict(&events, "outbound"), Verdict::Send);
}

#[test]
fn a_decision_ends_only_what_is_ours() {
    let listed = event("in", "outbound", 10, What::Suppressed { cause: Cause::Manual });
    let barred = event("bar", "outbound", 10, BAR);
    let allowed = event("allow", "outbound", 20, ALLOW);
    assert_eq!(
        codes(&ask(&[listed.clone(), barred.clone()], "outbound", 30, &[])),
        [Code::ListedManual, Code::BarredDecision]
    );
    assert_eq!(
        codes(&ask(&[listed, barred.clone(), allowed.clone()], "outbound", 30, &[])),
        [Code::ListedManual]
    );
    assert_eq!(verdict(&[barred.clone(), allowed], "outbound"), Verdict::Send);
    let lifted = event("out", "outbound", 20, What::Reactivated);
    assert_eq!(verdict(&[barred, lifted], "outbound"), Verdict::DoNotSend, "a lift is not ours to rule with");
}

#[test]
fn an_imported_cause_is_one_as_postmarks_but_on_our_list() {
    for cause in Cause::ALL {
        let row = event("row", "outbound", 10, import(Some(cause)));
        let [transactional, broadcast] = match cause {
            Cause::Complaint => [Verdict::Risky, Verdict::DoNotSend],
            Cause::HardBounce => [Verdict::Risky, Verdict::Risky],
            Cause::Unsubscribe | Cause::Manual | Cause::Unknown => [Verdict::Send, Verdict::Send],
        };
        let events = std::slice::from_ref(&row);
        assert_eq!(verdict(events, "outbound"), Verdict::DoNotSend, "{cause:?}");
        assert_eq!(verdict(events, "receipts"), transactional, "{cause:?}");
        assert_eq!(verdict(events, "broadcast"), broadcast, "{cause:?}");
        let view = view(events);
        assert!(view.streams["outbound"].listed.is_empty(), "Postmark's list does not hold it");
        let lifted = [row.clone(), event("out", "outbound", 20, What::Reactivated)];
        assert_eq!(verdict(&lifted, "outbound"), Verdict::DoNotSend, "a lift is not ours to rule with");
        let allowed = [row, event("allow", "outbound", 20, ALLOW)];
        let after = if cause == Cause::Complaint { Verdict::Risky } else { Verdict::Send };
        assert_eq!(verdict(&allowed, "outbound"), after, "{cause:?}");
    }
    let everywhere = event("row", WHOLE_SERVER, 10, import(Some(Cause::Complaint)));
    let allowed = [everywhere, event("allow", "receipts", 20, ALLOW)];
    assert_eq!(verdict(&allowed, "receipts"), Verdict::Risky);
    assert_eq!(verdict(&allowed, "outbound"), Verdict::DoNotSend);
}

#[test]
fn an_import_without_its_cause_says_only_that_it_bars() {
    let row = event("row", "outbound", 10, import(None));
    assert_eq!(codes(&ask(std::slice::from_ref(&row), "outbound", 20, &[])), [Code::BarredImport]);
    assert_eq!(verdict(std::slice::from_ref(&row), "broadcast"), Verdict::Send);
    let graver = event("graver", "outbound", 10, import(Some(Cause::Complaint)));
    let both = ask(&[row, graver], "outbound", 20, &[]);
    assert_eq!(codes(&both), [Code::BarredImport, Code::BarredImportComplaint, Code::Complained]);
}

#[test]
fn a_view_that_an_early_release_folded_is_read_and_written_as_it_was() {
    let row = event("row", "outbound", 10, import(None));
    let written = serde_json::to_string(&view(&[row])).unwrap();
    assert!(written.contains(r#""barred":{"import":{"at":"#), "{written}");
    let read: View = serde_json::from_str(&written).unwrap();
    assert_eq!(read.streams["outbound"].barred.keys().collect::<Vec<_>>(), [&Bar::Import(None)]);
    assert_eq!(serde_json::to_string(&read).unwrap(), written);
    for bar in Bar::ALL {
        let name = serde_json::to_string(&bar).unwrap();
        assert_eq!((name.trim_matches('"'), Bar::named(bar.name())), (bar.name(), Some(bar)));
        assert_eq!(serde_json::from_str::<Bar>(&name).unwrap(), bar);
    }
    assert!(serde_json::from_str::<Bar>("\"import_of_fish\"").is_err());
}

#[test]
fn suppress_wins_ties() {
    let listed = event("in", "outbound", 10, What::Suppressed { cause: Cause::Manual });
    let lifted = event("out", "outbound", 10, What::Reactivated);
    assert_eq!(verdict(&[listed, lifted], "outbound"), Verdict::DoNotSend);
    let barred = event("bar", "outbound", 10, BAR);
    let allowed = event("allow", "outbound", 10, ALLOW);
    assert_eq!(verdict(&[barred, allowed], "outbound"), Verdict::DoNotSend);
}

#[test]
fn the_latest_ruling_that_holds_for_a_stream_wins_whatever_its_scope() {
    let barred = event("bar", WHOLE_SERVER, 10, BAR);
    assert_eq!(verdict(std::slice::from_ref(&barred), "outbound"), Verdict::DoNotSend);
    let allowed_here = [barred.clone(), event("allow", "outbound", 20, ALLOW)];
    assert_eq!(verdict(&allowed_here, "outbound"), Verdict::Send);
    assert_eq!(verdict(&allowed_here, "broadcast"), Verdict::DoNotSend);
    let barred_here = [event("bar", "outbound", 10, BAR), event("allow", WHOLE_SERVER, 20, ALLOW)];
    assert_eq!(verdict(&barred_here, "outbound"), Verdict::Send);
}

#[test]
fn a_hard_bounce_told_twice_is_one_cause_two_events_and_one_counted_bounce() {
    let events = [
        event("bounce", "outbound", 10, bounce("HardBounce", true)),
        event("change", "outbound", 11, What::Suppressed { cause: HARD }),
    ];
    let answer = ask(&events, "outbound", 20, &[]);
    assert_eq!(codes(&answer), [Code::ListedHardBounce, Code::HardBounce]);
    assert_eq!(answer.reasons[0].evidence, [events[0].identity, events[1].identity]);
    assert_eq!(answer.reasons[0].since, at(11), "the fact that decides is the latest");
    let set: EventSet = events.into_iter().collect();
    assert_eq!(set.len(), 2);
    let names: Vec<_> = set
        .counters()
        .iter()
        .flat_map(|(_, counts)| counts.iter().map(|(m, n)| (m.name(), *n)).collect::<Vec<_>>())
        .collect();
    assert_eq!(names, [("bounce_hard", 1), ("suppressed_hard_bounce", 1)]);
}

#[test]
fn a_deactivating_bounce_is_a_hard_bounce_whatever_its_type_save_three() {
    for bounce_type in crate::bounce::TYPES.into_iter().chain(["SomethingNew"]) {
        let code = match bounce_type {
            "Unsubscribe" => Code::ListedUnsubscribe,
            "ManuallyDeactivated" => Code::ListedManual,
            "SpamComplaint" => Code::ListedComplaint,
            _ => Code::ListedHardBounce,
        };
        let inactive = event("b", "outbound", 10, bounce(bounce_type, true));
        assert_eq!(ask(&[inactive], "outbound", 20, &[]).reasons[0].code, code, "{bounce_type}");
        let active = event("b", "outbound", 10, bounce(bounce_type, false));
        let suppressed = ask(&[active], "outbound", 20, &[]).verdict == Verdict::DoNotSend;
        assert!(!suppressed, "{bounce_type} without Inactive suppresses nothing");
    }
}

#[test]
fn a_copy_of_postmarks_bounce_list_is_never_evidence_for_suppression() {
    for source in [Source::Reconcile, Source::Backfill] {
        let hard = Event { source, ..event("b", "outbound", 10, bounce("HardBounce", true)) };
        assert_eq!(codes(&ask(&[hard], "outbound", 20, &[])), [Code::HardBounce]);
        let complaint =
            Event { source, ..event("c", "outbound", 10, What::SpamComplaint { inactive: true }) };
        assert_eq!(codes(&ask(&[complaint], "outbound", 20, &[])), [Code::Complained]);
    }
}

// ---- Observations ---------------------------------------------------------------------------------------

#[test]
fn a_bounce_that_a_dump_had_not_seen_wins_over_observed_gone() {
    let gone = event("gone", "outbound", 60 * MINUTE, What::Gone);
    let unseen = event("b", "outbound", 51 * MINUTE, bounce("HardBounce", true));
    assert_eq!(verdict(&[gone.clone(), unseen], "outbound"), Verdict::DoNotSend);
    let seen = event("b", "outbound", 49 * MINUTE, bounce("HardBounce", true));
    assert_eq!(verdict(&[gone, seen], "outbound"), Verdict::Send, "what the dump had seen is lifted");
}

#[test]
fn a_lift_that_a_dump_had_not_seen_wins_over_observed_present() {
    let present = event("present", "outbound", 60 * MINUTE, What::Present { cause: Cause::Manual });
    let unseen = event("out", "outbound", 51 * MINUTE, What::Reactivated);
    assert_eq!(verdict(&[present.clone(), unseen], "outbound"), Verdict::Send);
    let seen = event("out", "outbound", 49 * MINUTE, What::Reactivated);
    assert_eq!(verdict(&[present, seen], "outbound"), Verdict::DoNotSend);
}

#[test]
fn a_late_twin_of_an_old_suppression_changes_nothing() {
    let history = [
        event("in", "outbound", 10, What::Suppressed { cause: HARD }),
        event("gone", "outbound", 2 * DAY, What::Gone),
    ];
    let twin = event("twin", "outbound", 9, What::Suppressed { cause: HARD });
    let late = [history[0].clone(), history[1].clone(), twin];
    assert_eq!(verdict(&history, "outbound"), Verdict::Send);
    assert_eq!(verdict(&late, "outbound"), Verdict::Send);
}

#[test]
fn a_hard_bounce_told_by_the_suppression_alone_is_a_hard_bounce() {
    for what in [What::Suppressed { cause: HARD }, What::Present { cause: HARD }, bounce("SoftBounce", true)]
    {
        let told = event("in", "broadcast", DAY, what);
        assert_eq!(codes(&ask(std::slice::from_ref(&told), "outbound", 2 * DAY, &[])), [Code::HardBounce]);
        let lifted = event("out", "broadcast", 2 * DAY, What::Reactivated);
        assert_eq!(verdict(&[told, lifted], "outbound"), Verdict::Send);
    }
}

#[test]
fn an_observed_complaint_is_a_complaint() {
    let present = event("present", "outbound", DAY, What::Present { cause: Cause::Complaint });
    assert_eq!(codes(&ask(std::slice::from_ref(&present), "broadcast", 2 * DAY, &[])), [Code::Complained]);
}

// ---- Complaints and dead addresses ----------------------------------------------------------------------

#[test]
fn a_complaint_on_any_stream_is_remembered_after_the_lift() {
    let events = [
        event("c", "broadcast", 10, What::SpamComplaint { inactive: true }),
        event("out", "broadcast", 20, What::Reactivated),
    ];
    assert_eq!(verdict(&events, "broadcast"), Verdict::DoNotSend);
    assert_eq!(verdict(&events, "outbound"), Verdict::Risky);
}

#[test]
fn an_allowance_later_than_the_complaint_makes_it_risky() {
    let complaint = event("c", "outbound", 10, What::Suppressed { cause: Cause::Complaint });
    let lifted = event("out", "outbound", 20, What::Reactivated);
    let later = event("allow", "broadcast", 11, ALLOW);
    assert_eq!(verdict(&[complaint.clone(), lifted.clone(), later], "broadcast"), Verdict::Risky);
    let same = event("allow", "broadcast", 10, ALLOW);
    assert_eq!(verdict(&[complaint, lifted, same], "broadcast"), Verdict::DoNotSend);
}

#[test]
fn a_dead_address_is_risky_on_every_stream_until_a_lift_or_an_allowance() {
    for (bounce_type, code) in [("HardBounce", Code::HardBounce), ("BadEmailAddress", Code::InvalidAddress)] {
        let dead = event("b", "outbound", 10, bounce(bounce_type, false));
        assert_eq!(codes(&ask(std::slice::from_ref(&dead), "broadcast", DAY, &[])), [code]);
        let lift = event("out", "outbound", 11, What::Reactivated);
        let elsewhere = event("out", "broadcast", 11, What::Reactivated);
        let allowed = event("allow", "broadcast", 11, ALLOW);
        assert_eq!(verdict(&[dead.clone(), lift], "broadcast"), Verdict::Send);
        assert_eq!(
            verdict(&[dead.clone(), elsewhere], "broadcast"),
            Verdict::Risky,
            "a lift of another list"
        );
        assert_eq!(verdict(&[dead, allowed], "broadcast"), Verdict::Send);
    }
}

#[test]
fn a_bounce_that_asks_for_removal_is_a_risk_on_its_stream_until_a_lift_or_an_allowance() {
    for source in [Source::Webhook, Source::Reconcile, Source::Backfill] {
        let asked = Event { source, ..event("b", "broadcast", 10, bounce("Unsubscribe", false)) };
        let answer = ask(std::slice::from_ref(&asked), "broadcast", DAY, &[]);
        assert_eq!((answer.verdict, codes(&answer)), (Verdict::Risky, vec![Code::RemovalRequested]));
        assert_eq!((answer.reasons[0].since, &answer.reasons[0].evidence), (at(10), &vec![asked.identity]));
        assert_eq!(verdict(std::slice::from_ref(&asked), "outbound"), Verdict::Send, "another stream's");
        for (stream, what, after) in [
            ("broadcast", What::Reactivated, Verdict::Send),
            ("broadcast", ALLOW, Verdict::Send),
            (WHOLE_SERVER, ALLOW, Verdict::Send),
            ("outbound", ALLOW, Verdict::Risky),
        ] {
            let same = event("end", stream, 10, what.clone());
            assert_eq!(verdict(&[asked.clone(), same], "broadcast"), Verdict::Risky, "a tie ends nothing");
            let later = event("end", stream, 11, what);
            assert_eq!(verdict(&[asked.clone(), later], "broadcast"), after, "{stream}");
        }
    }
}

// ---- Soft bounces ---------------------------------------------------------------------------------------

/// Five soft bounces on five messages, two days apart: eight days.
fn streak(stream: &str) -> Vec<Event> {
    (0..5).map(|n| event(&format!("s{n}"), stream, n * 2 * DAY, soft())).collect()
}

#[test]
fn five_soft_bounces_on_three_messages_over_a_week_pause_a_broadcast() {
    let events = streak("broadcast");
    let answer = ask(&events, "broadcast", 9 * DAY, &[]);
    assert_eq!((answer.verdict, codes(&answer)), (Verdict::DoNotSend, vec![Code::SoftBounces]));
    assert_eq!(answer.reasons[0].until, Some(at((8 + 14) * DAY)));
    assert_eq!(answer.reasons[0].evidence.len(), 5);
    assert_eq!(ask(&events, "broadcast", 22 * DAY - 1, &[]).verdict, Verdict::DoNotSend);
    assert_eq!(ask(&events, "broadcast", 22 * DAY, &[]).verdict, Verdict::Send, "the pause is over");
    assert_eq!(ask(&events, "outbound", 9 * DAY, &[]).verdict, Verdict::Send, "another stream");
    assert_eq!(ask(&streak("outbound"), "outbound", 9 * DAY, &[]).verdict, Verdict::Risky);
}

#[test]
fn fewer_bounces_fewer_messages_or_a_shorter_span_do_not_reach_the_threshold() {
    let mut four = streak("broadcast");
    four.remove(2);
    assert_eq!(ask(&four, "broadcast", 9 * DAY, &[]).verdict, Verdict::Send);
    let mut two_messages = streak("broadcast");
    for (n, event) in two_messages.iter_mut().enumerate() {
        event.message_id = Some(format!("m{}", n % 2));
    }
    assert_eq!(ask(&two_messages, "broadcast", 9 * DAY, &[]).verdict, Verdict::Send);
    let mut short = streak("broadcast");
    short[0].at = at(2 * DAY);
    assert_eq!(ask(&short, "broadcast", 9 * DAY, &[]).verdict, Verdict::Send);
    let mut wide = streak("broadcast");
    wide[0].at = at(-23 * DAY);
    assert_eq!(ask(&wide, "broadcast", 9 * DAY, &[]).verdict, Verdict::Send, "outside the window");
}

#[test]
fn what_is_not_the_recipients_doing_never_counts() {
    for bounce_type in [
        "Transient",
        "DnsError",
        "Blocked",
        "DMARCPolicy",
        "SpamNotification",
        "VirusNotification",
        "AutoResponder",
        "SMTPApiError",
        "Unknown",
        "SomethingNew",
    ] {
        let mut events = streak("broadcast");
        for event in &mut events {
            event.what = bounce(bounce_type, false);
        }
        assert_eq!(ask(&events, "broadcast", 9 * DAY, &[]).verdict, Verdict::Send, "{bounce_type}");
    }
}

#[test]
fn a_delivery_clears_only_older_soft_bounces_of_other_messages() {
    let events = streak("broadcast");
    let verdict = |delivery: DeliveryMark| ask(&events, "broadcast", 9 * DAY, &[delivery]).verdict;
    assert_eq!(verdict(delivery("another", 8 * DAY + 1)), Verdict::Send, "all are older");
    assert_eq!(verdict(delivery("another", 1)), Verdict::Send, "four are left");
    assert_eq!(verdict(delivery("another", -1)), Verdict::DoNotSend, "none is older");
    assert_eq!(verdict(delivery("message of s0", 1)), Verdict::DoNotSend, "its own message does not count");
}

#[test]
fn a_delivery_whose_own_message_later_bounced_clears_nothing() {
    for (bounce_type, verdict) in [
        ("HardBounce", Verdict::DoNotSend),
        ("SoftBounce", Verdict::DoNotSend),
        ("Blocked", Verdict::DoNotSend),
        ("AutoResponder", Verdict::Send),
    ] {
        let mut events = streak("broadcast");
        let mut later = event("later", "broadcast", 8 * DAY + 2 * MINUTE, bounce(bounce_type, false));
        later.message_id = Some("m".to_owned());
        events.push(later);
        let answer = ask(&events, "broadcast", 9 * DAY, &[delivery("m", 8 * DAY + MINUTE)]);
        assert_eq!(answer.verdict, verdict, "{bounce_type}");
    }
}

#[test]
fn an_allowance_clears_older_soft_bounces() {
    let mut events = streak("broadcast");
    events.push(event("allow", WHOLE_SERVER, 1, ALLOW));
    assert_eq!(ask(&events, "broadcast", 9 * DAY, &[]).verdict, Verdict::Send);
}

#[test]
fn deliveries_are_asked_for_only_when_soft_bounces_alone_reach_the_threshold() {
    let needs = |events: &[Event]| {
        let (view, policy) = (view(events), SoftBouncePolicy::default());
        Question { view: &view, stream: "broadcast", kind: StreamKind::Broadcast, policy, at: at(9 * DAY) }
            .needs_deliveries()
    };
    assert!(needs(&streak("broadcast")));
    assert!(!needs(&streak("broadcast")[1..]));
    assert!(!needs(&[]));
}

#[test]
fn more_deliveries_than_are_read_make_it_risky_unless_those_read_already_clear() {
    let view = view(&streak("broadcast"));
    let policy = SoftBouncePolicy::default();
    let question =
        Question { view: &view, stream: "broadcast", kind: StreamKind::Broadcast, policy, at: at(9 * DAY) };
    let answer = question.answer(&Deliveries { marks: vec![], truncated: true });
    assert_eq!((answer.verdict, codes(&answer)), (Verdict::Risky, vec![Code::EvidenceTruncated]));
    let cleared = Deliveries { marks: vec![delivery("another", 8 * DAY + 1)], truncated: true };
    assert_eq!(question.answer(&cleared).verdict, Verdict::Send);
}

#[test]
fn the_policy_explains_itself() {
    let answer = ask(&streak("broadcast"), "broadcast", 9 * DAY, &[delivery("another", -19 * DAY)]);
    let soft = answer.reasons[0].soft.unwrap();
    assert_eq!((soft.count, soft.policy.count, soft.messages), (5, 5, 5));
    assert_eq!((soft.first, soft.last, soft.last_delivery), (at(0), at(8 * DAY), Some(at(-19 * DAY))));
}

#[test]
fn a_view_is_bounded_and_says_when_it_leaves_bounces_out() {
    let every_quarter: Vec<Event> =
        (0..3_000).map(|n| event(&n.to_string(), "broadcast", n * 15 * MINUTE, soft())).collect();
    let here = view(&every_quarter).streams.remove("broadcast").unwrap();
    assert!((BOUNCES_MAX..=BOUNCES_MAX + 121).contains(&here.bounces.len()) && here.bounces_truncated);
    let last = 3_000 * 15 * MINUTE;
    assert_eq!(
        ask(&every_quarter, "broadcast", last, &[]).verdict,
        Verdict::DoNotSend,
        "the kept ones are enough"
    );
    // So many on one message that the others are left out: not known, so not called good.
    let mut one_message: Vec<Event> = every_quarter;
    for event in &mut one_message {
        event.message_id = Some("one".to_owned());
    }
    let answer = ask(&one_message, "broadcast", last, &[]);
    assert_eq!((answer.verdict, codes(&answer)), (Verdict::Risky, vec![Code::EvidenceTruncated]));
}

#[test]
fn bounces_that_are_not_soft_never_hide_soft_ones() {
    let mut events = streak("broadcast");
    for n in 0..150 {
        events.push(event(&format!("block {n}"), "broadcast", 8 * DAY + n, bounce("Blocked", false)));
    }
    assert_eq!(ask(&events, "broadcast", 9 * DAY, &[]).verdict, Verdict::DoNotSend);
    events.push(event("much later", "broadcast", 20 * DAY, bounce("Blocked", false)));
    assert_eq!(ask(&events, "broadcast", 21 * DAY, &[]).verdict, Verdict::DoNotSend);
}

#[test]
fn a_further_soft_bounce_never_ends_a_pause() {
    let days = |days: &[i64]| -> Vec<Event> {
        days.iter().map(|day| event(&format!("day {day}"), "broadcast", day * DAY, soft())).collect()
    };
    let five = ask(&days(&[0, 1, 2, 3, 29]), "broadcast", 33 * DAY, &[]);
    assert_eq!((five.verdict, five.reasons[0].until), (Verdict::DoNotSend, Some(at(43 * DAY))));
    let six = ask(&days(&[0, 1, 2, 3, 29, 32]), "broadcast", 33 * DAY, &[]);
    assert_eq!((six.verdict, six.reasons[0].until), (Verdict::DoNotSend, Some(at(43 * DAY))));
    assert_eq!(ask(&days(&[0, 1, 2, 3, 29, 32]), "broadcast", 43 * DAY, &[]).verdict, Verdict::Send);
}

fn set(events: &[Event]) -> EventSet {
    events.iter().cloned().collect()
}

// ---- Copies ---------------------------------------------------------------------------------------------

#[test]
fn the_better_copy_is_the_webhook_then_the_inactive_then_the_earlier_then_the_lower_hash() {
    let base = event("b", "outbound", 10, bounce("HardBounce", false));
    let ordered = [
        Event { what: bounce("HardBounce", true), at: at(12), ..base.clone() },
        Event { body_hash: [0; 16], at: at(9), ..base.clone() },
        Event { body_hash: [1; 16], at: at(9), ..base.clone() },
        base.clone(),
        Event { source: Source::Reconcile, what: bounce("HardBounce", true), ..base.clone() },
        Event { source: Source::Backfill, ..base },
    ];
    for (n, worse) in ordered.iter().enumerate() {
        for better in &ordered[..n] {
            assert!(better.rank() < worse.rank());
            assert_eq!(set(&[worse.clone(), better.clone()]), set(&[better.clone(), worse.clone()]));
        }
    }
}

#[test]
fn a_bounce_and_a_complaint_of_one_id_both_count_whichever_comes_first() {
    let complaint = event("7", "outbound", 20, What::SpamComplaint { inactive: true });
    for bounce_type in ["HardBounce", "SoftBounce", "Unsubscribe", "SomethingNew"] {
        for (inactive, source) in
            [(true, Source::Webhook), (false, Source::Webhook), (true, Source::Reconcile)]
        {
            let bounce = Event { source, ..event("7", "outbound", 10, bounce(bounce_type, inactive)) };
            let later = Event { at: at(30), received_at: at(31), body_hash: [9; 16], ..bounce.clone() };
            let both = set(&[bounce.clone(), complaint.clone(), later.clone()]);
            let [.., other] = &*both.iter().filter(|event| **event != complaint).collect::<Vec<_>>() else {
                panic!("the bounce is lost")
            };
            assert_eq!(
                (both.len(), other.identity, &other.what),
                (2, bounce.identity.beside(), &bounce.what)
            );
            assert_eq!(
                both.counters().iter().map(|(_, counts)| counts.values().sum::<i64>()).sum::<i64>(),
                2
            );
            for order in [[&later, &bounce, &complaint], [&complaint, &later, &bounce]] {
                assert_eq!(set(&order.map(Event::clone)), both);
            }
            assert!(
                codes(&ask(&[bounce, complaint.clone()], "outbound", 40, &[]))
                    .contains(&Code::ListedComplaint)
            );
        }
    }
    // What is recorded is offered again as it stands.
    let again: EventSet = both_of_one_id().iter().cloned().collect();
    assert_eq!(again, both_of_one_id());
}

fn both_of_one_id() -> EventSet {
    let hard = event("7", "outbound", 10, bounce("HardBounce", true));
    set(&[hard, event("7", "outbound", 20, What::SpamComplaint { inactive: true })])
}

#[test]
fn neither_hides_what_the_other_says_when_one_of_them_is_lifted() {
    // The complaint, a lift by Postmark's staff, and a hard bounce under the same id.
    let events = [
        event("7", "outbound", 10, What::SpamComplaint { inactive: true }),
        event("out", "outbound", 20, What::Reactivated),
        event("7", "outbound", 30, bounce("HardBounce", true)),
    ];
    let answer = ask(&events, "outbound", 40, &[]);
    assert_eq!(codes(&answer), [Code::ListedHardBounce, Code::Complained, Code::HardBounce]);
    assert_eq!(verdict(&events, "broadcast"), Verdict::DoNotSend, "the complaint is remembered");
}

#[test]
fn a_complaint_told_as_a_bounce_as_a_complaint_and_by_the_api_is_one_event() {
    let told = [
        event("7", "outbound", 20, What::SpamComplaint { inactive: true }),
        event("7", "outbound", 10, bounce("SpamComplaint", true)),
        event("7", "outbound", 10, bounce("SpamComplaint", false)),
        Event { source: Source::Reconcile, ..event("7", "outbound", 5, bounce("SpamComplaint", true)) },
    ];
    for first in 0..told.len() {
        let mut order = told.to_vec();
        order.rotate_left(first);
        let set = set(&order);
        assert_eq!(set.iter().collect::<Vec<_>>(), [&told[0]], "what surely lists the address");
    }
}

#[test]
fn of_two_tellings_of_one_import_the_one_with_its_cause_is_kept() {
    let early = event("row", "outbound", 10, import(None));
    let told = event("row", "outbound", 20, import(Some(Cause::Unsubscribe)));
    for order in [[&early, &told], [&told, &early]] {
        assert_eq!(set(&order.map(Event::clone)).iter().collect::<Vec<_>>(), [&told]);
    }
}

#[test]
fn every_class_has_its_kinds() {
    for kind in crate::Kind::ALL {
        let letter = match kind.name() {
            "Delivery" => Class::Delivery,
            "Open" | "Click" => Class::Engagement,
            _ => Class::State,
        };
        assert_eq!(kind.class(), letter);
    }
}

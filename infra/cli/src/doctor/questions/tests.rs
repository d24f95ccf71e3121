//! What is answered from what was seen, and what is not.

use super::*;

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

fn told(to: To, received_at: &str, body: Value) -> Told {
    Told { to, received_at: at(received_at), body }
}

fn bounce(to: To, received_at: &str, more: Value) -> Told {
    let mut body = json!({ "RecordType": "Bounce", "Type": "HardBounce", "ID": 7, "MessageID": "m" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    told(to, received_at, body)
}

fn change(received_at: &str, more: Value) -> Told {
    let mut body = json!({ "RecordType": "SubscriptionChange", "ChangedAt": "2026-11-25T08:00:01Z" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    told(To::HardBounce, received_at, body)
}

fn answer(observed: &Observed, code: &str) -> Answer {
    answers(observed).into_iter().find(|answer| answer.code == code).unwrap()
}

fn value(observed: &Observed, code: &str) -> Value {
    answer(observed, code).answer.unwrap_or_else(|| panic!("{code} is not answered"))
}

#[test]
fn nothing_seen_answers_nothing_and_says_why_for_each() {
    let all = answers(&Observed::default());
    assert!(all.iter().all(|answer| !answer.answered && !answer.words.is_empty() && answer.answer.is_none()));
    let numbers: Vec<u8> = all.iter().filter_map(|answer| answer.number).collect();
    assert_eq!(numbers, (1..=15).collect::<Vec<u8>>(), "each question of the list is there, once");
    let codes: std::collections::BTreeSet<&str> = all.iter().map(|answer| answer.code).collect();
    assert_eq!(codes.len(), all.len());
}

#[test]
fn the_order_of_bounce_and_change_is_that_in_which_they_came_in() {
    let (early, late) = ("2026-11-25T08:00:02Z", "2026-11-25T08:00:04.5Z");
    for (bounced, changed, first) in
        [(early, late, "bounce"), (late, early, "subscription_change"), (early, early, "same_instant")]
    {
        let events = vec![bounce(To::HardBounce, bounced, json!({})), change(changed, json!({}))];
        let seen = Observed { events, ..Observed::default() };
        assert_eq!(value(&seen, "bounce_order")["first"], first);
        assert!(answer(&seen, "bounce_order").words.contains("this once"), "one observation is no rule");
    }
    let seen = Observed { events: vec![bounce(To::HardBounce, early, json!({}))], ..Observed::default() };
    assert!(!answer(&seen, "bounce_order").answered);
    assert_eq!(seen.missing(To::HardBounce), ["SubscriptionChange"]);
}

#[test]
fn times_are_told_by_their_digits_and_zone_and_how_far_they_are_apart() {
    assert_eq!(form("2026-11-25T08:00:02Z"), Some((0, "Z")));
    assert_eq!(form("2026-11-25T08:00:02.1234567Z"), Some((7, "Z")));
    assert_eq!(form("2026-11-25T03:00:02.12-05:00"), Some((2, "-05:00")));
    assert_eq!(form("2026-11-25T08:00:02-05:00"), Some((0, "-05:00")));
    for odd in ["", "2026-11-25", "2026-11-25T08:00:02", "2026-11-25T08:00:02.1"] {
        assert_eq!(form(odd), None, "{odd}");
    }
    let bounced = json!({ "BouncedAt": "2026-11-25T08:00:02.1234567Z" });
    let seen = Observed {
        events: vec![bounce(To::HardBounce, "2026-11-25T08:00:03Z", bounced)],
        before: Some(json!({ "BouncedAt": "2026-11-25T03:00:02.123-05:00", "Inactive": true })),
        ..Observed::default()
    };
    let times = value(&seen, "api_times");
    assert_eq!(times["webhook"], json!({ "digits": 7, "zone": "Z" }));
    assert_eq!(times["api"], json!({ "digits": 3, "zone": "-05:00" }));
    assert_eq!(times["api_later_by_micros"], -456);
}

#[test]
fn inactive_is_judged_only_by_both_rows_and_only_where_the_address_is_known_to_be_off_the_list() {
    let row = |inactive: bool| Some(json!({ "Inactive": inactive }));
    let lifted = Some(change("2026-11-25T08:01:00Z", json!({ "SuppressSending": false })));
    for (after, words) in [(false, "today's"), (true, "the day it bounced")] {
        let seen =
            Observed { before: row(true), after: row(after), lifted: lifted.clone(), ..Observed::default() };
        assert_eq!(value(&seen, "api_inactive"), json!({ "before": true, "after": after }));
        assert!(answer(&seen, "api_inactive").words.contains(words));
    }
    let untold = Observed { before: row(true), after: row(true), ..Observed::default() };
    assert!(!answer(&untold, "api_inactive").answered);
}

#[test]
fn the_message_id_of_a_reactivation_is_null_zero_absent_or_kept() {
    let zero = "00000000-0000-0000-0000-000000000000";
    for (body, form) in [
        (json!({ "MessageID": null }), "null"),
        (json!({ "MessageID": zero }), "zero"),
        (json!({}), "absent"),
        (json!({ "MessageID": "b1d2f8c4-0a3e-4c39-8f5f-2a6f3fd1e7c2" }), "kept"),
    ] {
        let seen = Observed { lifted: Some(change("2026-11-25T08:01:00Z", body)), ..Observed::default() };
        assert_eq!(value(&seen, "reactivation_message_id"), form);
    }
}

#[test]
fn bounces_tell_can_activate_tag_and_the_spelling_of_the_server() {
    let now = "2026-11-25T08:00:03Z";
    let soft = json!({ "Type": "SoftBounce", "ServerID": 7, "Tag": null });
    let seen = Observed {
        events: vec![
            bounce(To::HardBounce, now, json!({ "CanActivate": true, "ServerID": 7 })),
            bounce(To::SoftBounce, now, soft),
            bounce(To::Blocked, now, json!({ "Type": "Blocked", "Inactive": false, "ServerId": 7 })),
        ],
        ..Observed::default()
    };
    let expected = json!({ "HardBounce": true, "SoftBounce": "absent", "Blocked": "absent" });
    assert_eq!(value(&seen, "can_activate"), expected);
    assert_eq!(value(&seen, "no_tag"), "null");
    assert_eq!(value(&seen, "server_id_key"), json!(["ServerID", "ServerId"]));
    assert_eq!(value(&seen, "blocked_deactivates"), false);
    assert!(!answer(&seen, "transient_is_a_bounce").answered);
}

#[test]
fn an_unsubscribe_is_never_undone_to_find_out_and_none_is_made_up() {
    let one = Observed { unsubscribes: 3, ..Observed::default() };
    let told = answer(&one, "unsubscribes_deletable");
    assert!(
        !told.answered
            && told.words.contains("there are 3")
            && told.words.contains("what a person asked for")
    );
    assert!(answer(&Observed::default(), "unsubscribes_deletable").words.contains("none is made up"));
}

#[test]
fn broadcast_triggers_are_answered_by_what_was_refused_and_only_where_there_is_such_a_stream() {
    let entry = |kind, refused: &[&str]| StreamEntry {
        kind,
        refused: refused.iter().map(|trigger| (*trigger).to_owned()).collect(),
    };
    let with = |streams: &[(&str, StreamEntry)]| Observed {
        streams: streams.iter().map(|(id, stream)| ((*id).to_owned(), stream.clone())).collect(),
        ..Observed::default()
    };
    let outbound = ("outbound", entry(StreamKind::Transactional, &[]));
    assert!(!answer(&with(std::slice::from_ref(&outbound)), "broadcast_triggers").answered);
    let refusing = with(&[outbound.clone(), ("news", entry(StreamKind::Broadcast, &["Bounce"]))]);
    assert_eq!(value(&refusing, "broadcast_triggers"), json!({ "refused": { "news": ["Bounce"] } }));
    let taking = with(&[outbound, ("news", entry(StreamKind::Broadcast, &[]))]);
    assert_eq!(value(&taking, "broadcast_triggers"), json!({ "refused": { "news": [] } }));
}

#[test]
fn probes_are_told_as_they_looked() {
    let zero = "00000000-0000-0000-0000-000000000000";
    let probes = vec![
        json!({ "RecordType": "Bounce", "MessageID": zero, "ID": 42, "Email": "john@example.com", "ServerID": 1234,
                "MessageStream": "outbound", "Metadata": { "example": "value", "example_2": "value" } }),
        json!({ "RecordType": "Open", "MessageID": zero, "Recipient": "john@example.com" }),
    ];
    let seen = Observed { probes, ..Observed::default() };
    let told = value(&seen, "probe_bodies");
    assert_eq!((&told[0]["id"], &told[0]["server_id"]), (&json!(42), &json!(1234)));
    assert_eq!(told[0]["metadata"], json!(["example", "example_2"]));
    assert_eq!((&told[1]["id"], &told[1]["metadata"]), (&Value::Null, &Value::Null));
    assert!(answer(&seen, "probe_bodies").words.starts_with("2 bodies: all with a zero MessageID, all with"));
}

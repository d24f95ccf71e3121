//! What the ledger answers: as of any instant, by what was known, under the policy of the day, on evidence that
//! is read through the tables.

use ledger::policy::{PolicySchedule, SoftBouncePolicy};
use ledger::verdict::{Code, Verdict};
use ledger::{LedgerKey, Source, Time};
use postledger_tests::generator::Generator;
use postledger_tests::{SERVER, consumer, handle, now, server_id};
use queue::{ENVELOPE_VERSION, Envelope, QueueName};
use serde_json::{Value, json};
use std::sync::Arc;
use store::ask::{self, Ask, RecipientReport};
use store::prelude::*;
use store::{Memory, ServerSettings};

const ADDRESS: &str = "full.mailbox@customer.example";

/// A ledger that is told things, one at a time.
struct Ledger {
    runtime: tokio::runtime::Runtime,
    store: Arc<Memory>,
}

impl Ledger {
    fn new() -> Ledger {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        Ledger { runtime, store: Arc::new(Memory::default()) }
    }

    fn tell(&self, server: i64, source: Source, received_at: Time, body: &[u8]) {
        let context = postmark::Context {
            server: server_id(server),
            received_at,
            source,
            keep_engagement_detail: false,
        };
        let examined = postmark::examine(body, &context).unwrap();
        let envelope = Envelope {
            v: ENVELOPE_VERSION,
            server: context.server,
            generation: 1,
            key_id: String::new(),
            record_type: examined.kind,
            received_at,
            trace_id: None,
            retries_remaining: None,
            source,
            overridden: false,
            dropped: Vec::new(),
            erased: None,
            body: Envelope::raw(examined.canonical).unwrap(),
        };
        let (queue, consumer) = (QueueName::of(examined.kind), consumer(self.store.clone()));
        assert!(self.runtime.block_on(handle(&consumer, queue, &[envelope.encode()], 60)).is_empty());
    }

    fn told(&self, body: &Value) {
        self.tell(SERVER, Source::Webhook, now(), body.to_string().as_bytes());
    }

    fn ask(
        &self,
        server: i64,
        address: &str,
        at: Option<Time>,
        known_at: Option<Time>,
        now: Time,
    ) -> RecipientReport {
        let ask = Ask {
            after: None,
            server: server_id(server),
            whom: address.parse().unwrap(),
            stream: None,
            found: None,
            at,
            known_at,
            policy: SoftBouncePolicy::default(),
            whole_timeline: true,
        };
        self.runtime.block_on(ask::recipient(&*self.store, &LedgerKey::for_tests(), ask, now)).unwrap()
    }

    fn verdict(&self, stream: &str, at: Option<Time>) -> (Verdict, Vec<Code>) {
        let told = self.ask(SERVER, ADDRESS, at, None, now());
        let answer = &told.streams[stream].answer;
        (answer.verdict, answer.reasons.iter().map(|reason| reason.code).collect())
    }
}

fn day(day: i64) -> Time {
    now().plus_days(day - 20)
}

/// Five soft bounces on five messages, two days apart: days 0 to 8.
fn streak() -> Vec<Value> {
    let soft = |n: i64| {
        json!({ "RecordType": "Bounce", "MessageStream": "broadcast", "ServerID": SERVER, "ID": 500 + n,
            "Type": "SoftBounce", "MessageID": format!("soft {n}"), "Email": ADDRESS, "Inactive": false,
            "BouncedAt": day(2 * n).to_string() })
    };
    (0..5).map(soft).collect()
}

fn delivery(n: i64, stream: &str, at: Time) -> Value {
    json!({ "RecordType": "Delivery", "MessageStream": stream, "ServerID": SERVER, "MessageID": format!("delivery {n}"),
        "Recipient": ADDRESS, "DeliveredAt": at.to_string() })
}

#[test]
fn a_late_delivery_clears_older_soft_bounces_whichever_is_recorded_first() {
    for place in 0..=5 {
        let ledger = Ledger::new();
        let mut bodies = streak();
        bodies.insert(place, delivery(1, "broadcast", day(9)));
        bodies.iter().for_each(|body| ledger.told(body));
        assert_eq!(ledger.verdict("broadcast", None), (Verdict::Send, vec![]), "told at place {place}");
        // Before the delivery the streak stood.
        assert_eq!(ledger.verdict("broadcast", Some(day(9).plus_seconds(-1))).0, Verdict::DoNotSend);
    }
}

#[test]
fn a_bounce_that_asks_for_removal_is_a_risk_though_postmark_did_not_deactivate_the_address() {
    let body = |inactive: Value| {
        json!({ "RecordType": "Bounce", "MessageStream": "broadcast", "ID": 5107, "Type": "Unsubscribe", "TypeCode": 16,
            "Name": "Unsubscribe request", "Description": "Unsubscribe or Remove request.",
            "MessageID": "5c2f8f10-0000-4000-8000-000000005107", "ServerID": SERVER, "Email": ADDRESS,
            "BouncedAt": day(5).to_string(), "Inactive": inactive })
    };
    for inactive in [Value::Null, json!(false)] {
        let ledger = Ledger::new();
        ledger.told(&body(inactive));
        assert_eq!(ledger.verdict("broadcast", None), (Verdict::Risky, vec![Code::RemovalRequested]));
        assert_eq!(ledger.verdict("broadcast", Some(day(4))).0, Verdict::Send);
    }
    let ledger = Ledger::new();
    ledger.told(&body(json!(true)));
    let codes = vec![Code::ListedUnsubscribe, Code::RemovalRequested];
    assert_eq!(ledger.verdict("broadcast", None), (Verdict::DoNotSend, codes));
}

#[test]
fn what_was_known_of_a_bounce_before_a_complaint_of_its_id_stays_as_it_was() {
    let told = |record_type: &str, bounce_type: &str, at: Time| {
        json!({ "RecordType": record_type, "MessageStream": "outbound", "ServerID": SERVER, "ID": 42,
            "Type": bounce_type, "MessageID": "m", "Email": ADDRESS, "Inactive": true, "BouncedAt": at.to_string() })
    };
    let bounce = told("Bounce", "HardBounce", day(3));
    let alone = Ledger::new();
    alone.told(&bounce);
    let before = alone.ask(SERVER, ADDRESS, None, None, now()).streams.remove("outbound").unwrap().answer;
    for complaint_first in [false, true] {
        let ledger = Ledger::new();
        let mut bodies = [bounce.clone(), told("SpamComplaint", "SpamComplaint", day(6))];
        if complaint_first {
            bodies.reverse();
        }
        bodies.iter().for_each(|body| ledger.told(body));
        let then = ledger.ask(SERVER, ADDRESS, Some(day(5)), None, now());
        assert_eq!(then.streams["outbound"].answer, before);
        let codes = vec![Code::ListedHardBounce, Code::ListedComplaint, Code::Complained, Code::HardBounce];
        assert_eq!(ledger.verdict("outbound", None), (Verdict::DoNotSend, codes));
    }
}

#[test]
fn deliveries_on_another_stream_neither_clear_nor_make_evidence_incomplete() {
    let ledger = Ledger::new();
    streak().iter().for_each(|body| ledger.told(body));
    for n in 0..1_100 {
        ledger.told(&delivery(n, "outbound", day(10).plus_seconds(n)));
    }
    assert_eq!(ledger.verdict("broadcast", None), (Verdict::DoNotSend, vec![Code::SoftBounces]));
}

#[test]
fn more_deliveries_than_are_read_make_it_risky_and_later_ones_do_not_change_the_past() {
    let ledger = Ledger::new();
    streak().iter().for_each(|body| ledger.told(body));
    // All before the streak: none of them clears it.
    for n in 0..1_001 {
        ledger.told(&delivery(n, "broadcast", day(-1).plus_seconds(n)));
    }
    assert_eq!(ledger.verdict("broadcast", None), (Verdict::Risky, vec![Code::EvidenceTruncated]));
    let before_the_last = day(-1).plus_seconds(999);
    assert_eq!(ledger.verdict("broadcast", Some(before_the_last)).0, Verdict::Send);
    let fewer = Ledger::new();
    streak().iter().for_each(|body| fewer.told(body));
    fewer.told(&delivery(1, "broadcast", day(-1)));
    for n in 2..1_100 {
        fewer.told(&delivery(n, "broadcast", day(15).plus_seconds(n)));
    }
    assert_eq!(fewer.verdict("broadcast", Some(day(14))), (Verdict::DoNotSend, vec![Code::SoftBounces]));
}

#[test]
fn the_policy_in_force_at_the_instant_decides_and_the_kind_of_stream_how_hard() {
    let ledger = Ledger::new();
    streak().iter().for_each(|body| ledger.told(body));
    let lax = SoftBouncePolicy { count: 9, ..SoftBouncePolicy::default() };
    let schedule = PolicySchedule::new(vec![(day(12), lax)]).unwrap();
    let settings = ServerSettings { broadcast: schedule, ..ServerSettings::default() };
    ledger.runtime.block_on(ledger.store.put_settings(server_id(SERVER), settings.clone())).unwrap();
    assert_eq!(ledger.verdict("broadcast", Some(day(11))).0, Verdict::DoNotSend);
    assert_eq!(ledger.verdict("broadcast", Some(day(12))).0, Verdict::Send);
    let kinds = [("broadcast".to_owned(), ledger::policy::StreamKind::Transactional)].into();
    let settings = ServerSettings { kinds, ..settings };
    ledger.runtime.block_on(ledger.store.put_settings(server_id(SERVER), settings)).unwrap();
    assert_eq!(ledger.verdict("broadcast", None).0, Verdict::Risky);
}

#[test]
fn what_had_not_come_in_yet_was_not_known() {
    let ledger = Ledger::new();
    let body = json!({ "RecordType": "SubscriptionChange", "MessageStream": "outbound", "ServerID": SERVER,
        "Recipient": ADDRESS, "ChangedAt": day(1).to_string(), "SuppressSending": true, "Origin": "Customer",
        "SuppressionReason": "ManualSuppression" });
    ledger.tell(SERVER, Source::Webhook, day(3), body.to_string().as_bytes());
    let verdict =
        |at, known_at| ledger.ask(SERVER, ADDRESS, at, known_at, now()).streams["outbound"].answer.verdict;
    assert_eq!(verdict(Some(day(2)), None), Verdict::DoNotSend, "it had happened");
    assert_eq!(verdict(Some(day(2)), Some(day(2))), Verdict::Send, "but nobody had told it");
    assert_eq!(verdict(Some(day(2)), Some(day(3))), Verdict::DoNotSend);
    assert_eq!(verdict(None, Some(day(2))), Verdict::Send);
}

#[test]
fn as_of_any_instant_it_answers_as_a_ledger_that_was_told_no_more() {
    for seed in 0..6 {
        let generator = Generator { seed, events: 120, now: now() };
        let tellings: Vec<_> =
            generator.order(3).into_iter().map(|(event, copy)| generator.telling(event, copy)).collect();
        let context = |telling: &postledger_tests::generator::Telling| postmark::Context {
            server: server_id(telling.server),
            received_at: now(),
            source: telling.source,
            keep_engagement_detail: false,
        };
        // One copy of each event, so that what happened by an instant does not depend on which copy came.
        let mut all: Vec<_> = tellings
            .iter()
            .filter_map(|telling| {
                let context = context(telling);
                let (_, event) = postmark::event(&telling.body, &context, &LedgerKey::for_tests()).ok()?;
                Some((event, telling))
            })
            .collect();
        all.sort_by_key(|(event, _)| {
            (event.server, event.recipient, event.class(), event.identity, event.complains(), event.rank())
        });
        all.dedup_by_key(|(event, _)| {
            (event.server, event.recipient, event.class(), event.identity, event.complains())
        });
        let whole = Ledger::new();
        tellings
            .iter()
            .filter(|telling| postmark::examine(&telling.body, &context(telling)).is_ok())
            .for_each(|telling| {
                whole.tell(telling.server, telling.source, now(), &telling.body);
            });
        for days in [25, 15, 8, 3, 0] {
            let then = now().plus_days(-days);
            let until = Ledger::new();
            for (event, telling) in &all {
                if event.at <= then {
                    until.tell(telling.server, telling.source, now(), &telling.body);
                }
            }
            for (event, telling) in &all {
                let address = event.address.clone().unwrap();
                let past = whole.ask(telling.server, &address, Some(then), None, now());
                let present = until.ask(telling.server, &address, None, None, then);
                for (stream, answer) in &present.streams {
                    assert_eq!(
                        past.streams[stream].answer, answer.answer,
                        "seed {seed}, {days} days ago, {stream}"
                    );
                }
                assert_eq!(past.timeline, present.timeline);
            }
        }
    }
}

#[test]
fn what_has_expired_is_not_told_though_the_table_still_has_it() {
    let ledger = Ledger::new();
    ledger.told(&delivery(1, "broadcast", day(0)));
    streak().iter().for_each(|body| ledger.told(body));
    let timeline = |days: i64| ledger.ask(SERVER, ADDRESS, None, None, now().plus_days(days)).timeline;
    assert_eq!(timeline(300).len(), 6);
    assert_eq!(timeline(410).len(), 5, "bounces stay for ever");
}

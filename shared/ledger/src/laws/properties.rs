//! The laws that hold for any set of events, in any order, however often told and however split into batches.

use super::*;
use crate::counters::Counters;
use crate::event::Fact;
use crate::fold::{Offered, Reference};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A small world of events that collide often: few instants, few streams, few messages, copies that differ.
fn any_event() -> impl Strategy<Value = Event> {
    let cause = prop::sample::select(Cause::ALL.to_vec());
    let bounce_type = prop::sample::select(vec![
        "HardBounce",
        "SoftBounce",
        "Blocked",
        "Unsubscribe",
        "SpamComplaint",
        "Transient",
    ]);
    let what = prop_oneof![
        (bounce_type, any::<bool>()).prop_map(|(bounce_type, inactive)| bounce(bounce_type, inactive)),
        any::<bool>().prop_map(|inactive| What::SpamComplaint { inactive }),
        cause.clone().prop_map(|cause| What::Suppressed { cause }),
        Just(What::Reactivated),
        cause.prop_map(|cause| What::Present { cause }),
        Just(What::Gone),
        prop::sample::select(Bar::ALL.to_vec())
            .prop_map(|bar| What::Decision { ruling: Ruling::Suppress(bar) }),
        Just(ALLOW),
        Just(What::Delivery),
        (any::<bool>(), any::<bool>()).prop_map(|(first, machine)| What::Open { first, machine }),
    ];
    let sources = vec![Source::Webhook, Source::Reconcile, Source::Backfill, Source::Operator];
    (0..12_u8, 0..3_u8, 0..6_i64, what, prop::sample::select(sources), 0..3_u8).prop_map(
        |(name, stream, slot, what, source, body)| {
            let stream = ["outbound", "broadcast", WHOLE_SERVER][usize::from(stream)];
            // One name is one identity; its copies differ in time, content and source.
            let mut event = event(&name.to_string(), stream, slot * 5 * MINUTE, what);
            event.message_id = Some(format!("m{}", name % 3));
            event.source = source;
            // A body tells its content: equal hashes mean equal tellings.
            event.body_hash = digest(format!("{body} {stream} {slot} {:?}", event.what).as_bytes());
            event
        },
    )
}

fn is_complaint(event: &Event) -> bool {
    match &event.what {
        What::SpamComplaint { .. } => true,
        What::Bounce { bounce_type, .. } => bounce_type == "SpamComplaint",
        _ => false,
    }
}

fn bytes(events: &EventSet) -> (Option<String>, Counters) {
    (events.view().map(|view| serde_json::to_string(&view).unwrap()), events.counters())
}

proptest! {
    #[test]
    fn any_permutation_and_duplication_gives_the_same_view_and_counts(
        events in vec(any_event(), 0..40),
        again in vec(any::<prop::sample::Index>(), 0..20),
        seed in any::<u64>(),
    ) {
        let mut shuffled = events.clone();
        if !events.is_empty() {
            shuffled.extend(again.iter().map(|index| events[index.index(events.len())].clone()));
        }
        shuffle(&mut shuffled, seed);
        prop_assert_eq!(bytes(&set(&shuffled)), bytes(&set(&events)));
    }

    #[test]
    fn any_split_into_batches_gives_the_same_view_and_counts(
        events in vec(any_event(), 0..40),
        cut in any::<prop::sample::Index>(),
    ) {
        let whole = set(&events);
        let (first, second) = events.split_at(cut.index(events.len() + 1));
        // As a consumer does it: read what is recorded, offer a batch, count what is new, move what is better.
        let mut recorded = EventSet::default();
        let mut counters = Counters::default();
        for batch in [second, first] {
            for event in batch {
                match recorded.offer(event.clone()) {
                    Offered::New | Offered::Beside { .. } => counters.add(event, 1),
                    Offered::Better(old) => {
                        counters.add(&old, -1);
                        counters.add(event, 1);
                    }
                    Offered::Known => {}
                }
            }
        }
        prop_assert_eq!(&counters, &whole.counters());
        prop_assert_eq!(recorded, whole);
    }

    #[test]
    fn as_of_any_instant_equals_the_fold_of_the_facts_up_to_it(
        events in vec(any_event(), 0..40),
        slot in 0..8_i64,
    ) {
        let instant = at(slot * 5 * MINUTE - MINUTE);
        // Of the copies of each event the best, as it came.
        let whole = set(&events);
        let as_placed = |event: &Event| whole.iter().any(|best| *best == whole.placed(event.clone()));
        let until: Vec<Event> =
            events.iter().filter(|event| event.at <= instant && as_placed(event)).cloned().collect();
        prop_assert_eq!(bytes(&set(&events).as_of(instant)), bytes(&set(&until)));
    }

    #[test]
    fn copies_of_an_event_never_count_twice(events in vec(any_event(), 0..40)) {
        let set = set(&events);
        let total: i64 = set.counters().iter().flat_map(|(_, counts)| counts.values()).sum();
        prop_assert_eq!(total, set.len() as i64);
    }

    #[test]
    fn the_reference_keeps_servers_and_recipients_apart(events in vec(any_event(), 1..40)) {
        let mut reference = Reference::default();
        let other = ServerId::new(7).unwrap();
        for event in &events {
            reference.offer(event.clone());
            reference.offer(Event { server: other, ..event.clone() });
        }
        let ours = set(&events);
        prop_assert_eq!(reference.of(server(), recipient()), Some(&ours));
        prop_assert_eq!(reference.events().count(), 2 * ours.len());
        prop_assert_eq!(reference.views().count(), 2 * usize::from(ours.view().is_some()));
    }

    #[test]
    fn a_late_delivery_says_the_same_whichever_is_recorded_first(seed in any::<u64>(), when in 0..10_i64) {
        let mut events = streak("broadcast");
        let proof = [delivery("another", when * DAY)];
        let answer = ask(&events, "broadcast", 9 * DAY, &proof);
        shuffle(&mut events, seed);
        prop_assert_eq!(ask(&events, "broadcast", 9 * DAY, &proof), answer);
    }

    #[test]
    fn a_delivery_never_makes_a_verdict_stricter(
        days in vec((0..40_i64, 0..4_u8), 0..15),
        deliveries in vec((0..40_i64, 0..4_u8), 0..6),
        when in 0..60_i64,
    ) {
        let events: Vec<Event> = days.iter().enumerate().map(|(n, (day, message))| Event {
            message_id: Some(format!("m{message}")),
            ..event(&n.to_string(), "broadcast", day * DAY, soft())
        }).collect();
        let deliveries: Vec<DeliveryMark> =
            deliveries.iter().map(|(day, message)| delivery(&format!("m{message}"), day * DAY + 1)).collect();
        let mut before = ask(&events, "broadcast", when * DAY, &[]).verdict;
        for n in 1..=deliveries.len() {
            let verdict = ask(&events, "broadcast", when * DAY, &deliveries[..n]).verdict;
            prop_assert!(verdict <= before);
            before = verdict;
        }
    }

    #[test]
    fn an_imported_cause_weighs_elsewhere_as_postmarks_would(events in vec(any_event(), 0..40)) {
        // Streams alone: what is barred on the whole server is barred everywhere.
        let streams: Vec<Event> =
            events.into_iter().filter(|event| event.stream != WHOLE_SERVER).collect();
        let as_told_by = |bar: bool| -> Vec<Event> {
            let told = streams.iter().cloned().map(|event| match event.what {
                What::Suppressed { cause } | What::Decision { ruling: Ruling::Suppress(Bar::Import(Some(cause))) } => {
                    let import = What::Decision { ruling: Ruling::Suppress(Bar::Import(Some(cause))) };
                    Event { what: if bar { import } else { What::Suppressed { cause } }, ..event }
                }
                _ => event,
            });
            told.collect()
        };
        for stream in ["unheard", "unheard broadcast"] {
            let kind = if stream == "unheard" { StreamKind::Transactional } else { StreamKind::Broadcast };
            let answer = |events: &[Event]| {
                let (view, policy) = (view(events), SoftBouncePolicy::default());
                Question { view: &view, stream, kind, policy, at: at(DAY) }.answer(&Deliveries::default())
            };
            prop_assert_eq!(answer(&as_told_by(true)), answer(&as_told_by(false)));
        }
    }

    #[test]
    fn no_complaint_is_ever_lost_whatever_else_bears_its_id(events in vec(any_event(), 0..40)) {
        let told = |event: &Event| event.facts().iter().any(|fact| matches!(fact, Fact::Complained { .. }));
        let by_id = |events: &mut dyn Iterator<Item = &Event>| -> BTreeSet<Identity> {
            events.filter(|event| is_complaint(event) && told(event)).map(|event| event.identity).collect()
        };
        let set = set(&events);
        prop_assert_eq!(by_id(&mut set.iter()), by_id(&mut events.iter()));
        // Nor is what else bears it: it stands beside.
        let states = events.iter().filter(|event| event.class() == Class::State);
        let (complaints, others): (Vec<_>, Vec<_>) = states.partition(|event| is_complaint(event));
        let ids = |events: Vec<&Event>| events.into_iter().map(|one| one.identity).collect::<BTreeSet<_>>();
        let recorded = set.iter().filter(|event| event.class() == Class::State).count();
        prop_assert_eq!(recorded, ids(complaints).len() + ids(others).len());
    }

    #[test]
    fn the_verdict_is_that_of_the_strictest_reason(events in vec(any_event(), 0..40)) {
        for stream in ["outbound", "broadcast", "unheard"] {
            let answer = ask(&events, stream, DAY, &[]);
            let strictest = answer.reasons.iter().map(|reason| reason.verdict).max();
            prop_assert_eq!(answer.verdict, strictest.unwrap_or(Verdict::Send));
            prop_assert!(answer.reasons.iter().all(|reason| !reason.evidence.is_empty()));
        }
    }
}

/// A shuffle that a seed repeats.
fn shuffle<T>(items: &mut [T], mut seed: u64) {
    for end in (1..items.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        items.swap(end, (seed >> 33) as usize % (end + 1));
    }
}

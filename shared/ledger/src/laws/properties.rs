//! The laws that hold for any set of events, in any order, however often told and however split into batches.

use super::*;
use crate::counters::Counters;
use crate::fold::{Offered, Reference};
use proptest::collection::vec;
use proptest::prelude::*;

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
        Just(BAR),
        Just(What::Decision { ruling: Ruling::Suppress(Bar::Import) }),
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
                    Offered::New => counters.add(event, 1),
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
        let best: Vec<Event> = set(&events).iter().cloned().collect();
        let until: Vec<Event> = best.into_iter().filter(|event| event.at <= instant).collect();
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

//! The fixtures of the crate `postmark`, and what becomes of each of them.

use postledger_tests::{SERVER, World, assert_whole, now, server_id};
use std::path::PathBuf;
use store::{Recorded, item};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/postmark/fixtures")
}

/// Their file names, in order.
pub(crate) fn names() -> impl Iterator<Item = String> {
    let entries =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.filter(|name| name.ends_with(".json")).collect();
    names.sort();
    names.into_iter()
}

/// One of them.
pub(crate) fn read(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

#[test]
fn every_fixture_is_recorded_but_probes_and_what_must_be_parked() {
    let world = World::default();
    let (mut accepted, mut aside) = (0, 0);
    for name in names() {
        let (status, answer) = world.post("events", read(&name));
        assert_eq!(status, 200, "{name}");
        let parked = name.starts_with("probe-") || name.starts_with("parked-");
        assert_eq!(answer.contains("set_aside"), parked, "{name}: {answer}");
        *(if parked { &mut aside } else { &mut accepted }) += 1;
    }
    world.drain();
    // Deliveries and opens of the old generation are older than anything that has not expired.
    let mut set_aside = world.set_aside();
    let too_old = set_aside.remove("too_old").unwrap_or_default();
    assert!((1..10).contains(&too_old));
    assert_eq!(set_aside.values().sum::<usize>(), aside);
    assert!(accepted > 100);
    assert_whole(&world.store);
}

#[test]
fn the_item_of_an_ordinary_event_is_less_than_a_kilobyte_with_its_keys_and_both_indexes() {
    // At Postmark's own limits on purpose.
    let extraordinary = ["delivery-metadata-at-limits.json", "delivery-tag-1000-characters.json"];
    let context = |source| postmark::Context {
        server: server_id(SERVER),
        received_at: now(),
        source,
        keep_engagement_detail: true,
    };
    let (mut items, mut bytes) = (0, 0);
    for name in names() {
        let context = context(ledger::Source::Webhook);
        let read = postmark::event(&read(&name), &context, &ledger::LedgerKey::for_tests());
        let Ok((examined, event)) = read else { continue };
        let key = item::event_key(event.server, event.recipient, event.class(), event.identity);
        let recorded = Recorded {
            expires_at: Some(event.at),
            event,
            body: Some(examined.canonical),
            dropped: examined.dropped,
        };
        let size = item::of_event(&recorded, true).size(&key.0, &key.1);
        assert!(size <= 1_024 || extraordinary.contains(&&*name), "{name}: {size} bytes");
        (items, bytes) = (items + 1, bytes + size);
    }
    assert!(items > 100);
    assert!(bytes / items < 700, "{} bytes on average", bytes / items);
}

//! The fixtures of the crate `postmark`, and what becomes of each of them.

use postledger_tests::{World, assert_whole};
use std::path::PathBuf;

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

//! A smaller soak; `make soak` runs the large one.

use postledger_tests::soak::{Soak, fold_file};

#[test]
fn whatever_goes_wrong_the_ledger_equals_the_fold_of_what_was_told() {
    let folder = std::env::temp_dir().join(format!("postledger-soak-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let soak = Soak { seed: 7, events: 12_000, fault_one_in: 60 };
    let outcome = runtime.block_on(soak.run(&folder, fold_file, |_| {}));
    std::fs::remove_dir_all(folder).unwrap();
    assert!(outcome.tellings > soak.events && outcome.requests > 0);
    for fault in ["Conflict commit", "Refuse commit", "LoseAnswer commit", "Refuse send", "StopAfter commit"]
    {
        assert!(outcome.faults.contains_key(fault), "{fault} never happened: {:?}", outcome.faults);
    }
}

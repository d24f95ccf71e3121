//! A smaller soak over AWS's APIs; `make soak-aws` runs the large one.

use postledger_tests::soak::fold_file;
use postledger_tests::soak_aws::SoakAws;

#[test]
fn whatever_goes_wrong_on_the_wire_the_ledger_equals_the_fold_of_what_was_told() {
    let folder = std::env::temp_dir().join(format!("postledger-soak-aws-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let soak = SoakAws { seed: 11, events: 1_000, mishap_one_in: 24, kill_one_in: 8 };
    let done = runtime.block_on(soak.run(&folder, fold_file, |_| {}));
    std::fs::remove_dir_all(folder).unwrap();
    assert!(done.outcome.tellings > soak.events && done.outcome.requests > 0);
    assert!(done.killed > 0);
    let on_transactions = done.outcome.faults.iter().filter(|(name, _)| name.ends_with("TransactWriteItems"));
    let on_transactions: u64 = on_transactions.map(|(_, times)| times).sum();
    assert!(on_transactions > 2, "{:?}", done.outcome.faults);
}

//! A sending to many: its events count in one hour of one stream, and the consumers that count them must not hold each
//! other up.

use postledger_tests::blast::Blast;

/// As many transactions as 100,000 events take, of fewer events each.
const SMALL: Blast = Blast { events: 10_100, consumers: 10, batch: 10, cut_one_in: 0 };

#[tokio::test(flavor = "multi_thread")]
async fn of_the_transactions_of_ten_consumers_on_one_stream_less_than_2_percent_are_cancelled() {
    let outcome = SMALL.run().await;
    assert!(outcome.transactions >= 1_010, "{outcome:?}");
    assert!(outcome.share() < 0.02, "{outcome:?}");
    assert_eq!((outcome.recorded, outcome.counted), (10_100, 10_100), "{outcome:?}");
    assert!(outcome.shards >= 10, "each has a shard of its own in the end: {outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_meets_others_and_loses_answers_counts_every_event_once() {
    let outcome = Blast { events: 2_000, cut_one_in: 4, ..SMALL }.run().await;
    assert_eq!((outcome.recorded, outcome.counted), (2_000, 2_000), "{outcome:?}");
}

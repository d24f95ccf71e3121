//! A blast in full: `make blast`. Consumers take 100,000 events of one stream's hour at once; it tells how many of their
//! transactions DynamoDB would cancel because they met another one, and fails where that is too many.

use clap::Parser;
use postledger_tests::blast::Blast;

/// How many transactions conflict while consumers take the events of one sending.
#[derive(Parser)]
struct Args {
    /// How many events.
    #[arg(long, default_value_t = 100_000)]
    events: usize,
    /// How many consumers.
    #[arg(long, default_value_t = 10)]
    consumers: usize,
    /// How many events are a batch.
    #[arg(long, default_value_t = 100)]
    batch: usize,
    /// The share of cancelled transactions that is still well.
    #[arg(long, default_value_t = 0.02)]
    share_max: f64,
}

#[tokio::main]
async fn main() {
    let Args { events, consumers, batch, share_max } = Args::parse();
    let outcome = Blast { events, consumers, batch, cut_one_in: 0 }.run().await;
    postledger::say(format!(
        "{events} events of one hour and stream, {consumers} consumers: {} of {} transactions were cancelled ({:.2} %), \
         {} events recorded, {} counted, in {} shards",
        outcome.cancelled,
        outcome.transactions,
        100.0 * outcome.share(),
        outcome.recorded,
        outcome.counted,
        outcome.shards,
    ));
    assert_eq!((outcome.recorded, outcome.counted), (events as u64, events as u64), "each once");
    assert!(outcome.share() < share_max, "more than {share_max} of the transactions were cancelled");
}

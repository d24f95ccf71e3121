//! The soak over AWS's APIs as a command: `make soak-aws`. Compares the ledger with what the real `postledger fold`
//! prints, and has the real `postledger rebuild` look at it afterwards.

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use postledger_tests::generator::SERVERS;
use postledger_tests::lambda::built;
use postledger_tests::soak::{STACK, fold_by};
use postledger_tests::soak_aws::SoakAws;
use std::path::PathBuf;
use std::process::Command;

/// Events through the door, SQS, consumers that are killed, and DynamoDB, while calls go wrong on the wire.
#[derive(Parser)]
struct Args {
    /// How many events.
    #[arg(long, default_value_t = 50_000)]
    events: u64,
    /// Makes one run differ from another.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Of how many calls one goes wrong; of transactions, one in a quarter as many.
    #[arg(long, default_value_t = 100)]
    mishap_one_in: u64,
    /// Of how many batches one has its consumer killed.
    #[arg(long, default_value_t = 100)]
    kill_one_in: u64,
    /// Where the bodies are written, for another look by `postledger fold`.
    #[arg(long, default_value = "target/soak-aws")]
    folder: PathBuf,
}

#[tokio::main]
async fn main() {
    let args = Args::parse();
    std::fs::create_dir_all(&args.folder).expect("a folder for the bodies");
    let postledger = built().join("postledger");
    let bar = ProgressBar::new(args.events);
    bar.set_style(
        ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {per_sec} {eta}").expect("a template"),
    );
    bar.set_message("taken in");
    let soak = SoakAws {
        seed: args.seed,
        events: args.events,
        mishap_one_in: args.mishap_one_in,
        kill_one_in: args.kill_one_in,
    };
    let shown = bar.clone();
    let fold = |file: &std::path::Path| {
        bar.finish_with_message("taken in and consumed; now `postledger fold`");
        fold_by(&postledger, file, None)
    };
    let done = soak.run(&args.folder, fold, move |done| shown.set_position(done)).await;
    let outcome = &done.outcome;
    postledger::say(format!(
        "{} bodies ({} requests at the door) in {:.1} s: {} events recorded, each once; {} bodies in quarantine; \
         dead letters empty; consumers killed {} times; states and counters equal to `postledger fold`.",
        outcome.tellings,
        outcome.requests,
        outcome.took.as_secs_f64(),
        outcome.recorded,
        outcome.set_aside,
        done.killed,
    ));
    let mut faults: Vec<_> = outcome.faults.iter().collect();
    faults.sort();
    for (fault, times) in faults {
        postledger::say(format!("  {times:>8}  {fault}"));
    }
    let per_event = |n: u64| n as f64 / outcome.recorded as f64;
    let meter = &done.meter;
    postledger::say(format!(
        "for each recorded event, all mishaps and repeats included: {:.2} write units in tables, {:.2} in indexes, \
         {:.2} read units; {} of {} transactions cancelled",
        per_event(meter.all_writes()),
        per_event(meter.index_writes.values().sum()),
        per_event(meter.all_reads()),
        meter.cancelled,
        meter.calls.get("TransactWriteItems").copied().unwrap_or_default(),
    ));
    for (kind, sizes) in &meter.items {
        let mean = sizes.bytes / sizes.items.max(1);
        postledger::say(format!("  {kind:<20} {mean:>5} bytes an item, {} the largest", sizes.largest));
    }
    for server in SERVERS {
        let rebuilt = Command::new(&postledger)
            .args(["rebuild", "--verify", "--server", &server.to_string(), "--stack", STACK])
            .args(["--endpoint", &done.emulator.url])
            .status()
            .expect("the command postledger");
        assert!(rebuilt.success(), "postledger rebuild found a difference");
    }
}

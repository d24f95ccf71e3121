//! The soak as a command: `make soak`. Compares the ledger with what the real `postledger fold` prints.

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use postledger_tests::soak::{Soak, fold_by};
use std::path::PathBuf;

/// Events through the door and several consumers while everything goes wrong; the ledger must equal the fold.
#[derive(Parser)]
struct Args {
    /// How many events.
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// Makes one run differ from another.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Of how many calls to store or queue one goes wrong.
    #[arg(long, default_value_t = 300)]
    fault_one_in: u64,
    /// Where the bodies are written, for another look by `postledger fold`.
    #[arg(long, default_value = "target/soak")]
    folder: PathBuf,
    /// The command to compare with [default: beside this one].
    #[arg(long)]
    postledger: Option<PathBuf>,
}

#[tokio::main]
async fn main() {
    let args = Args::parse();
    std::fs::create_dir_all(&args.folder).expect("a folder for the bodies");
    let beside = || std::env::current_exe().expect("my own path").with_file_name("postledger");
    let postledger = args.postledger.unwrap_or_else(beside);
    let bar = ProgressBar::new(args.events);
    bar.set_style(
        ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {per_sec} {eta}").expect("a template"),
    );
    bar.set_message("taken in");
    let soak = Soak { seed: args.seed, events: args.events, fault_one_in: args.fault_one_in };
    let shown = bar.clone();
    let outcome = soak
        .run(
            &args.folder,
            |file| {
                bar.finish_with_message("taken in; now `postledger fold`");
                fold_by(&postledger, file, None)
            },
            move |done| shown.set_position(done),
        )
        .await;
    let rate = outcome.tellings as f64 / outcome.took.as_secs_f64();
    postledger::say(format!(
        "{} bodies ({} requests) in {:.1} s, {rate:.0} a second: {} events recorded, each once; {} bodies in \
         quarantine; dead letters empty; states and counters equal to `postledger fold`.",
        outcome.tellings,
        outcome.requests,
        outcome.took.as_secs_f64(),
        outcome.recorded,
        outcome.set_aside,
    ));
    let mut faults: Vec<_> = outcome.faults.into_iter().collect();
    faults.sort();
    for (fault, times) in faults {
        postledger::say(format!("  {times:>8}  {fault}"));
    }
}

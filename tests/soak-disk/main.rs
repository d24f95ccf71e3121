//! The soak of a ledger in a folder as a command: `make soak-disk`.

use clap::Parser;
use postledger_tests::soak_disk::SoakDisk;
use std::path::PathBuf;

/// Events over HTTP into a ledger in a folder, whose process is killed again and again.
#[derive(Parser)]
struct Args {
    /// How many events.
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// Makes one run differ from another.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How often the process is killed.
    #[arg(long, default_value_t = 250)]
    kills: u64,
    /// The command that runs, and folds.
    #[arg(long)]
    postledger: PathBuf,
    /// Where the ledger and the bodies are kept; what is there is deleted.
    #[arg(long, default_value = "target/soak-disk")]
    folder: PathBuf,
}

fn main() {
    let args = Args::parse();
    let _ = std::fs::remove_dir_all(&args.folder);
    std::fs::create_dir_all(&args.folder).expect("a folder");
    let bar = postledger::progress::progress(Some(args.events), "answered");
    let soak = SoakDisk { seed: args.seed, events: args.events, kills: args.kills };
    let done = soak.run(&args.folder, &args.postledger, |done| bar.set_position(done));
    bar.finish_and_clear();
    postledger::say(format!(
        "{} bodies ({} requests) in {:.1} s, killed {} times (the slowest start after that took {} ms): {} events recorded, \
         each once; {} bodies in quarantine; states and counters equal to `postledger fold` with the folder's key.",
        done.tellings,
        done.requests,
        done.took.as_secs_f64(),
        done.faults["kill -9"],
        done.faults["slowest start, ms"],
        done.recorded,
        done.set_aside,
    ));
}

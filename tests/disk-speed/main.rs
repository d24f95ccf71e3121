//! How fast a ledger in a folder is, as ratios of one run: `make disk-speed`.

use clap::Parser;
use postledger_tests::disk_speed::{bare, chain, tables, waits};
use postledger_tests::soak_disk::Process;
use std::path::PathBuf;
use std::time::Instant;

/// A ledger in a folder, beside one in memory and beside SQLite alone.
#[derive(Parser)]
struct Args {
    /// How many events go through the whole chain.
    #[arg(long, default_value_t = 100_000)]
    events: u64,
    /// How many events the tables alone take, at most: measured at a tenth of it, and so on.
    #[arg(long, default_value_t = 1_000_000)]
    tables: u64,
    /// For how many seconds answers are timed at 200 a second.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// The command that runs.
    #[arg(long)]
    postledger: PathBuf,
    /// Where everything is kept meanwhile; what is there is deleted.
    #[arg(long, default_value = "target/disk-speed")]
    folder: PathBuf,
}

fn main() {
    let args = Args::parse();
    let _ = std::fs::remove_dir_all(&args.folder);
    let folder = |name: &str| {
        let folder = args.folder.join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    };
    let say = |text: String| postledger::say(text);

    let (one, many) = (bare(&folder("bare"), 2_000, 1), bare(&folder("bare"), 50_000, 100));
    say(format!("bare SQLite, 700 bytes a row: {one:.0} rows a second one by one, {many:.0} by the hundred"));

    let memory = Process::in_memory(&args.postledger, &folder("memory"));
    let in_memory = chain(&memory, &folder("memory"), args.events);
    drop(memory);
    let process = Process::start(&args.postledger, &folder("file"));
    let in_file = chain(&process, &folder("file"), args.events);
    let ratio = in_file.per_second / in_memory.per_second;
    say(format!(
        "whole chain over HTTP, load generator included: {:.0} events a second in a folder, {:.0} in memory ({ratio:.2}); \
         {:.0} MB resident in a folder, {:.0} in memory",
        in_file.per_second, in_memory.per_second, in_file.resident_mb, in_memory.resident_mb,
    ));
    let [middle, most, worst] = waits(&process, &folder("file"), 200, args.seconds);
    say(format!(
        "answers at 200 a second: half within {middle:.1} ms, 99 of 100 within {most:.1} ms, all within {worst:.1} ms"
    ));
    process.drain();
    process.stop();

    let steps: Vec<u64> = (0..3).rev().map(|tenths| args.tables / 10_u64.pow(tenths)).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let data = folder("tables").join("data");
    for step in runtime.block_on(tables(&data, &steps)) {
        say(format!(
            "tables alone, up to {} events: {:.0} a second ({:.2} of bare SQLite by the hundred), {:.0} bytes an event",
            step.events,
            step.per_second,
            step.per_second / many,
            step.bytes,
        ));
    }
    drop(runtime);
    let start = Instant::now();
    let process = Process::start(&args.postledger, &folder("tables"));
    say(format!("start with {} events: {} ms", args.tables, start.elapsed().as_millis()));
    process.stop();
    let _ = std::fs::remove_dir_all(&args.folder);
}

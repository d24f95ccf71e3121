//! What asking the read API takes: `make api-speed`. Its own binary runs between a Runtime API and a stub of AWS that
//! answers at once. Fails where a check takes more of the function's own time than it may, or the list of suppressions
//! more memory.

use clap::Parser;
use postledger_tests::api_speed::{ApiBench, Measured};
use postledger_tests::lambda::built;
use postledger_tests::process::median;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Time, memory and calls of the read API.
#[derive(Parser)]
struct Args {
    /// How many rows the list of suppressions has.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// How often each check is asked; the first one is not counted.
    #[arg(long, default_value_t = 21)]
    times: usize,
    /// The function; by default it is built.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The checks: how many addresses, and how many milliseconds of own time they may take.
const CHECKS: [(u64, f64); 2] = [(1_000, 50.0), (10_000, 400.0)];
/// How many rows a page of the list has.
const LIMIT: u64 = 1_000;
/// The most that the function may have resident once it has told the whole list, in megabytes.
const RESIDENT_MB_MAX: f64 = 64.0;

fn main() -> ExitCode {
    let args = Args::parse();
    let binary = args.binary.clone().unwrap_or_else(|| built().join("api"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (checks, list) = runtime.block_on(async {
        // Each its own process, so that neither's memory shows in the other.
        let mut checks = Vec::new();
        for (addresses, _) in CHECKS {
            let mut bench = ApiBench::start(&binary, 0).await;
            checks.push(bench.check(addresses, args.times + 1).await);
        }
        (checks, ApiBench::start(&binary, args.rows).await.list(args.rows, LIMIT).await)
    });
    let mut failed = Vec::new();
    for ((addresses, most), run) in CHECKS.iter().zip(&checks) {
        if own_ms(run) > *most {
            failed.push(format!(
                "a check of {addresses} took {:.1} ms of its own, more than {most}",
                own_ms(run)
            ));
        }
    }
    if megabytes(&list) > RESIDENT_MB_MAX {
        failed.push(format!("the list took {:.0} MB, more than {RESIDENT_MB_MAX}", megabytes(&list)));
    }
    if args.json {
        let told = json!({ "checks": checks.iter().map(line).collect::<Vec<_>>(), "list": line(&list), "failed": failed });
        postledger::say(serde_json::to_string_pretty(&told).expect("JSON"));
    } else {
        let head = ["asked", "own ms", "ms with stub", "peak MB", "calls of AWS"];
        let mut rows: Vec<[String; 5]> = CHECKS
            .iter()
            .zip(&checks)
            .map(|((addresses, _), run)| row(format!("check of {addresses} addresses (median)"), run))
            .collect();
        rows.push(row(format!("{} suppressions, {LIMIT} a page (median page)", args.rows), &list));
        postledger::say(postledger::show::table(head, rows));
        let seconds: f64 = list.elapsed.iter().map(Duration::as_secs_f64).sum();
        let own: f64 = list.cpu.iter().map(Duration::as_secs_f64).sum();
        postledger::say(format!(
            "\nown: CPU time of the function's process; with stub: until the answer, the stub's work and the Runtime API's \
             included\nthe whole list: {seconds:.1} s, {own:.1} s of its own, {} pages",
            list.elapsed.len()
        ));
    }
    for words in &failed {
        postledger::say(format!("FAILED: {words}"));
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The middle of the times that answers took, but for the first, in milliseconds.
fn middle(times: &[Duration]) -> f64 {
    let warm = times.get(1..).filter(|warm| !warm.is_empty()).unwrap_or(times);
    median(&warm.iter().map(|time| time.as_secs_f64() * 1_000.0).collect::<Vec<_>>())
}

fn own_ms(run: &Measured) -> f64 {
    middle(&run.cpu)
}

fn megabytes(run: &Measured) -> f64 {
    run.resident_kb as f64 / 1_024.0
}

fn row(what: String, run: &Measured) -> [String; 5] {
    let calls = run.aws.values().sum::<u64>() as f64 / run.elapsed.len() as f64;
    [
        what,
        format!("{:.1}", own_ms(run)),
        format!("{:.1}", middle(&run.elapsed)),
        format!("{:.1}", megabytes(run)),
        format!("{calls:.1}"),
    ]
}

fn line(run: &Measured) -> Value {
    json!({
        "told": run.told,
        "own_ms": own_ms(run),
        "ms": middle(&run.elapsed),
        "peak_mb": megabytes(run),
        "answers": run.elapsed.len(),
        "aws": run.aws,
    })
}

//! Reconcile over a suppression list of a million rows: `make reconcile-memory`. Its own binary runs between a Runtime
//! API, a stub of AWS and a stub of Postmark that make up every row as it is asked for. Fails where the function needs
//! more memory or more time than it has.

use clap::Parser;
use postledger_tests::lambda::built;
use postledger_tests::process::share_of;
use postledger_tests::reconcile_memory::{Case, FUNCTION_MB, Given, Measured, TIMEOUT, run};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// Memory, time and calls of reconcile over a long suppression list.
#[derive(Parser)]
struct Args {
    /// How many rows the lists have.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// Only the cases of whose words this is a part.
    #[arg(long, default_value = "")]
    only: String,
    /// The function; by default it is built.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Hold the function to the CPU that Lambda gives to its memory, and answer its calls of AWS as a region does.
    #[arg(long)]
    as_on_lambda: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The most that its process may have resident, in megabytes. Lambda counts, and ends a function by, all that runs in
/// its sandbox: what is left is for Lambda's own part there, which is not published, and for lists that grow meanwhile.
const RESIDENT_MB_MAX: u64 = 200;
const _: () = assert!(RESIDENT_MB_MAX < FUNCTION_MB as u64);

fn main() -> ExitCode {
    let args = Args::parse();
    let binary = args.binary.clone().unwrap_or_else(|| built().join("reconcile"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let given = if args.as_on_lambda { Given::AsOnLambda } else { Given::Everything };
    let cases = Case::ALL.into_iter().filter(|case| case.name().contains(&args.only));
    let runs: Vec<(Case, Measured)> =
        cases.map(|case| (case, runtime.block_on(run(&binary, case, args.rows, given)))).collect();
    if args.json {
        let rows: Vec<Value> = runs.iter().map(|(case, run)| line(*case, run, args.rows)).collect();
        postledger::say(serde_json::to_string_pretty(&rows).expect("JSON"));
    } else {
        let head = [
            "lists",
            "rows",
            "seconds",
            "rows/s",
            "CPU s",
            "at 256 MB s",
            "peak MB",
            "AWS",
            "Postmark",
            "told",
        ];
        let cells = runs.iter().map(|(case, run)| {
            [
                case.name().to_owned(),
                args.rows.to_string(),
                format!("{:.1}", run.elapsed.as_secs_f64()),
                format!("{:.0}", args.rows as f64 / run.elapsed.as_secs_f64()),
                format!("{:.1}", run.cpu.as_secs_f64()),
                format!("{:.0}", at_share(run)),
                format!("{:.1}", megabytes(run)),
                run.aws_calls().to_string(),
                run.postmark.to_string(),
                run.told.to_string(),
            ]
        });
        postledger::say(postledger::show::table(head, cells));
        postledger::say(format!(
            "\nat 256 MB: the CPU time at the share of a CPU that Lambda gives to {FUNCTION_MB} MB, {:.3}; peak: of at most \
             {RESIDENT_MB_MAX} MB; AWS and Postmark: calls",
            share_of(FUNCTION_MB)
        ));
    }
    let mut code = ExitCode::SUCCESS;
    for (case, run) in &runs {
        if run.resident_kb > RESIDENT_MB_MAX * 1_024 {
            let case = case.name();
            postledger::say(format!(
                "FAILED: where {case}, the function had {:.0} MB resident, more than {RESIDENT_MB_MAX}",
                megabytes(run)
            ));
            code = ExitCode::FAILURE;
        }
        if run.elapsed > TIMEOUT {
            postledger::say(format!("FAILED: where {}, it took longer than {TIMEOUT:?}", case.name()));
            code = ExitCode::FAILURE;
        }
    }
    code
}

fn megabytes(run: &Measured) -> f64 {
    run.resident_kb as f64 / 1_024.0
}

/// The seconds that its CPU time takes at the function's share of a CPU.
fn at_share(run: &Measured) -> f64 {
    run.cpu.as_secs_f64() / share_of(FUNCTION_MB)
}

fn line(case: Case, run: &Measured, rows: u64) -> Value {
    json!({
        "lists": case.name(),
        "rows": rows,
        "seconds": run.elapsed.as_secs_f64(),
        "cpu_seconds": run.cpu.as_secs_f64(),
        "seconds_at_256_mb": at_share(run),
        "peak_mb": megabytes(run),
        "aws": run.aws,
        "postmark": run.postmark,
        "missing": run.missing,
        "extra": run.extra,
        "told": run.told,
    })
}

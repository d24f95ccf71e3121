//! What an ingest function needs of memory for the heaviest bodies: `make body-memory`. Fails where it is more than it
//! may have.

use clap::Parser;
use postledger_tests::heavy::{BODY_BYTES, RESIDENT_MB_MAX, bodies, measure};
use postledger_tests::lambda::built;
use std::path::PathBuf;
use std::process::ExitCode;

/// Memory of an ingest function, by body.
#[derive(Parser)]
struct Args {
    /// Only the bodies of whose names this is a part.
    #[arg(long, default_value = "")]
    only: String,
    /// The function; by default it is built.
    #[arg(long)]
    binary: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let binary = args.binary.unwrap_or_else(|| built().join("ingest-bounce"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let mut most = 0;
    let cells = bodies().into_iter().filter(|(name, _)| name.contains(&args.only)).map(|(name, body)| {
        let measured = runtime.block_on(measure(&binary, &body));
        most = most.max(measured.resident_kb);
        let megabytes = format!("{:.1}", measured.resident_kb as f64 / 1_024.0);
        [name.to_owned(), body.len().to_string(), megabytes, measured.answer]
    });
    let cells: Vec<_> = cells.collect();
    postledger::say(postledger::show::table(["body", "bytes", "peak MB", "answer"], cells));
    postledger::say(format!(
        "\npeak: the most that the process has had resident, of at most {RESIDENT_MB_MAX} MB; each body of {BODY_BYTES} \
         bytes or a little less went to a process of its own"
    ));
    if most > RESIDENT_MB_MAX * 1_024 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

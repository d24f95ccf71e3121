//! What a page of the portal takes: `make page-speed`. Its own binary runs between a Runtime API and an AWS that answers at
//! once. Fails where a warm page takes more of the function's own time, or more of the browser's line, than it may, or where
//! the portal starts more slowly than the read API.

use clap::Parser;
use postledger_tests::lambda::built;
use postledger_tests::page_speed::{Measured, PageBench, init, pages};
use postledger_tests::process::median;
use postledger_tests::wire::{Wire, at_once};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Time, weight and calls of warm pages.
#[derive(Parser)]
struct Args {
    /// How many servers the agency has.
    #[arg(long, default_value_t = 1_000)]
    servers: i64,
    /// How many suppressions the server that is looked at has.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// How often each page is asked for, and portal and read API are started; the first time is not counted.
    #[arg(long, default_value_t = 21)]
    times: usize,
    /// The functions; by default they are built.
    #[arg(long)]
    functions: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The most that a warm page may take of the function's own time, in milliseconds.
const OWN_MS_MAX: f64 = 5.0;
/// The most that a page may weigh with its style, packed, in kilobytes.
const PAGE_KB_MAX: f64 = 30.0;
/// How much longer than the read API the portal may take to start, as a ratio of CPU: what one start differs from another.
const INIT_RATIO_MAX: f64 = 1.1;

fn main() -> ExitCode {
    let args = Args::parse();
    let functions = args.functions.clone().unwrap_or_else(built);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (mut rows, mut resident) = (Vec::new(), 0);
    runtime.block_on(async {
        let mut bench = PageBench::start(&functions.join("portal"), args.servers, args.rows).await;
        for (what, path) in pages() {
            rows.push((what, bench.page(&path, args.times + 1).await));
        }
        resident = bench.resident_kb();
    });
    let [portal, api] = runtime.block_on(starts(&functions, args.times));
    let ratio = portal / api;
    let mut failed = Vec::new();
    for (what, page) in &rows {
        if own_ms(page) > OWN_MS_MAX {
            failed.push(format!("{what}: {:.1} ms of its own, more than {OWN_MS_MAX}", own_ms(page)));
        }
        if kilobytes(page) > PAGE_KB_MAX {
            failed.push(format!("{what}: {:.1} KB with its style, more than {PAGE_KB_MAX}", kilobytes(page)));
        }
    }
    if ratio > INIT_RATIO_MAX {
        failed.push(format!(
            "the portal's start takes {ratio:.2} times the read API's, more than {INIT_RATIO_MAX}"
        ));
    }
    if args.json {
        let line = |(what, page): &(&str, Measured)| json!({ "page": what, "own_ms": own_ms(page), "kb": kilobytes(page), "calls": page.calls });
        let pages: Vec<_> = rows.iter().map(line).collect();
        let told = json!({ "pages": pages, "peak_kb": resident, "init_cpu_ms": { "portal": portal, "api": api }, "failed": failed });
        postledger::say(serde_json::to_string_pretty(&told).expect("JSON"));
    } else {
        let row = |(what, page): &(&str, Measured)| {
            [
                (*what).to_owned(),
                format!("{:.1}", own_ms(page)),
                format!("{:.1}", middle(&page.elapsed)),
                format!("{:.1}", kilobytes(page)),
                page.calls.to_string(),
            ]
        };
        let head = ["page", "own ms", "ms with stub", "KB with style", "calls of AWS"];
        postledger::say(postledger::show::table(head, rows.iter().map(row)));
        postledger::say(format!(
            "\nmedians of {}; {} servers, {} suppressions; at most {:.0} MB resident\nstart, CPU: portal {portal:.1} ms, read API \
             {api:.1} ms, {ratio:.2} times",
            args.times,
            args.servers,
            args.rows,
            resident as f64 / 1_024.0
        ));
    }
    for words in &failed {
        postledger::say(format!("FAILED: {words}"));
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The CPU of a start, in milliseconds, of portal and read API, started in turn.
async fn starts(functions: &Path, times: usize) -> [f64; 2] {
    let aws = Wire::stub(at_once).await;
    let mut all = [Vec::new(), Vec::new()];
    for _ in 0..=times {
        for (name, all) in ["portal", "api"].into_iter().zip(&mut all) {
            all.push(init(&functions.join(name), &aws.url).await.0);
        }
    }
    all.map(|all| middle(&all))
}

/// The middle of some times but for the first, in milliseconds.
fn middle(times: &[Duration]) -> f64 {
    median(&times[1..].iter().map(|time| time.as_secs_f64() * 1_000.0).collect::<Vec<_>>())
}

fn own_ms(page: &Measured) -> f64 {
    middle(&page.cpu)
}

fn kilobytes(page: &Measured) -> f64 {
    (page.page_bytes + page.style_bytes) as f64 / 1_024.0
}

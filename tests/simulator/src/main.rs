//! The command `postmark-simulator`: serves the simulator, prints its tokens, and what really happened at the end.

mod args;
mod edge;

use args::Args;
use clap::Parser;
use edge::Edge;
use postmark_simulator::{Config, Quirks, Scenario, Simulator, Time};
use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let cause = error.source().map_or(String::new(), |cause| format!(": {cause}"));
            #[expect(clippy::print_stderr, reason = "this is where a failure is told")]
            {
                eprintln!("postmark-simulator: {error}{cause}");
            }
            ExitCode::FAILURE
        }
    }
}

fn simulator(args: &Args) -> Result<Simulator, Box<dyn Error + Send + Sync>> {
    let mut config = Config::new(args.seed);
    config.rules = args.rules;
    if let Some(start) = &args.start {
        config.start = Time::parse(start).ok_or("--start is not an instant in RFC 3339")?;
    }
    if let Some(file) = &args.quirks {
        config.quirks = serde_json::from_slice::<Quirks>(&std::fs::read(file)?)?;
    }
    let mut simulator = Simulator::new(config);
    if let Some(file) = &args.scenario {
        simulator.set_scenario(Scenario::parse(&std::fs::read_to_string(file)?)?);
    }
    for number in 1..=args.servers {
        simulator.add_server(&format!("Client {number}"));
    }
    Ok(simulator)
}

async fn run(args: Args) -> Result<(), Box<dyn Error + Send + Sync>> {
    let simulator = simulator(&args)?;
    let listener = TcpListener::bind(("127.0.0.1", args.port)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    announce(&simulator, &url, args.json)?;
    let edge = Edge::new(simulator, args.speed);
    let clock = (args.speed > 0.0).then(|| tokio::spawn(Arc::clone(&edge).run()));
    let mut ended = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    tokio::select! {
        served = axum::serve(listener, edge.router()) => served?,
        _ = ended.recv() => {}
        _ = interrupted.recv() => {}
    }
    if let Some(clock) = clock {
        clock.abort();
    }
    if let Some(file) = args.truth {
        let mut file = std::io::BufWriter::new(std::fs::File::create(file)?);
        for chunk in edge::truth_chunks(edge) {
            file.write_all(&chunk)?;
        }
        file.flush()?;
    }
    Ok(())
}

fn announce(simulator: &Simulator, url: &str, json: bool) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut out = std::io::stdout().lock();
    let mut account = edge::account(simulator);
    account["url"] = url.into();
    account["quirks"] = serde_json::to_value(simulator.quirks())?;
    if json {
        writeln!(out, "{account}")?;
        return Ok(());
    }
    writeln!(out, "Postmark's API   {url}")?;
    writeln!(out, "account token    {}", simulator.account_token())?;
    for (id, name, token) in simulator.servers() {
        writeln!(out, "server {id}   {token}   {name}")?;
    }
    writeln!(out, "clock            {}", simulator.now())?;
    writeln!(out, "quirks           {}", account["quirks"])?;
    out.flush()?;
    Ok(())
}

//! The month as a command: `make sim`.

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use postledger_tests::sim::{Fault, GENERATIONS, Outcome, Sim, Wanted, run_all};
use postmark_simulator::{Quirks, Rules};
use std::process::ExitCode;

/// A month of a busy agency under each generation of Postmark's rules, while much goes wrong; in the end everything is
/// compared with what really happened.
#[derive(Parser)]
struct Args {
    /// About how many events happen under each generation.
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// Everything random comes from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only this generation: old, feb2026, aug2026-6 or aug2026-9.
    #[arg(long)]
    rules: Option<Rules>,
    /// How many servers [default: 40].
    #[arg(long)]
    servers: Option<usize>,
    /// For how many days mail is sent [default: 30].
    #[arg(long)]
    days: Option<i64>,
    /// Every how many hours reconcile looks at a server.
    #[arg(long, default_value_t = 1)]
    reconcile_hours: i64,
    /// Each fault alone in a smaller world, as a table.
    #[arg(long)]
    faults: bool,
    /// Tell where the time went.
    #[arg(long)]
    times: bool,
    /// Only this fault, such as `outage`, or `none`.
    #[arg(long)]
    fault: Option<String>,
    /// The facts that Postmark leaves open, as JSON; drawn from the seed if not given.
    #[arg(long)]
    quirks: Option<String>,
}

impl Args {
    fn sim(&self, rules: Rules) -> Sim {
        let mut sim = Sim::month(self.seed, self.events, rules);
        sim.servers = self.servers.unwrap_or(sim.servers);
        sim.days = self.days.unwrap_or(sim.days);
        sim.reconcile_hours = self.reconcile_hours;
        sim.quirks = self.quirks.as_deref().map(|text| serde_json::from_str::<Quirks>(text).expect("quirks"));
        sim.faults = match self.fault.as_deref() {
            None => Wanted::All,
            Some("none") => Wanted::None,
            Some(name) => {
                let fault = Fault::ALL.into_iter().find(|fault| fault.name() == name);
                Wanted::Only(fault.expect("the name of a fault"))
            }
        };
        sim
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    if args.faults {
        return faults(&args);
    }
    let rules: Vec<Rules> = args.rules.map_or(GENERATIONS.to_vec(), |rules| vec![rules]);
    let mut good = true;
    for outcome in run(rules.into_iter().map(|rules| args.sim(rules)).collect()) {
        postledger::say(outcome.line());
        if args.times {
            postledger::say(format!("  {} rounds until reconcile found nothing", outcome.rounds));
        }
        for (on, time) in outcome.times.iter().filter(|_| args.times) {
            postledger::say(format!("  {:>7.1} s  {on}", time.as_secs_f64()));
        }
        if !outcome.good() {
            postledger::say(outcome.diagnosis());
            good = false;
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs simulations, as many at once as there are processors.
fn run(sims: Vec<Sim>) -> Vec<Outcome> {
    let bar = ProgressBar::new(sims.iter().map(|sim| sim.events).sum());
    let style = "{msg} {wide_bar} {pos}/{len} {per_sec} {eta}";
    bar.set_style(ProgressStyle::with_template(style).expect("a template"));
    bar.set_message("told");
    let outcomes = run_all(sims, |told| bar.inc(told));
    bar.finish_and_clear();
    outcomes
}

/// Every fault alone, as a table in Markdown.
fn faults(args: &Args) -> ExitCode {
    let rules = args.rules.unwrap_or(Rules::August2026 { retries: 6 });
    postledger::say(
        "| fault | events hit | lost | doubled | recovered by | unrecoverable by nature | recovered after |",
    );
    postledger::say("| --- | ---: | ---: | ---: | --- | ---: | ---: |");
    let mut good = true;
    let alone = |fault| {
        let (servers, days) = (args.servers.unwrap_or(6), args.days.unwrap_or(8));
        Sim { servers, days, faults: Wanted::Only(fault), ..args.sim(rules) }
    };
    for (fault, outcome) in Fault::ALL.into_iter().zip(run(Fault::ALL.map(alone).into())) {
        postledger::say(row(fault, &outcome));
        if !outcome.good() {
            postledger::say(outcome.diagnosis());
            good = false;
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn row(fault: Fault, outcome: &Outcome) -> String {
    let mut by = Vec::new();
    for (count, words) in [
        (outcome.retried, "Postmark's retries"),
        (outcome.recovered, "reconcile"),
        (outcome.observed, "observations of lists"),
        (outcome.verified, "verifications by watch"),
        (outcome.connected, "connections after watch"),
    ] {
        if count > 0 {
            by.push(format!("{words} ({count})"));
        }
    }
    let hit = match fault {
        Fault::ConsumersKilled | Fault::ReconcileKilled => format!("{} calls", outcome.calls_hit),
        Fault::SecondRow => format!("{} told twice", outcome.repeated),
        _ => outcome.hit.to_string(),
    };
    let (lost, doubled) = (outcome.lost + outcome.unexplained, outcome.doubled);
    let (by, nature) = (by.join(", "), outcome.unrecoverable());
    format!(
        "| {fault} | {hit} | {lost} | {doubled} | {by} | {nature} | {} |",
        lasted(outcome.recovered_after)
    )
}

fn lasted(seconds: i64) -> String {
    match seconds {
        0 => "at once".to_owned(),
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{:.1} h", seconds as f64 / 3_600.0),
    }
}

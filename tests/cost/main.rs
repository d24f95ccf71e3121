//! What an event costs: `make cost`. The consumer's own binary takes batches of real bodies from a Runtime API and
//! calls a stub that answers at once; the calls are metered as AWS bills them, and its CPU time is read from the
//! kernel. Beside it, as a floor, the same batches through the same consumer over tables in memory: what is left
//! is Lambda's runtime, the SDK and the wire.

use clap::Parser;
use fastrand::Rng;
use ledger::Kind;
use postledger_tests::bodies::many_like;
use postledger_tests::emulator::root;
use postledger_tests::handle;
use postledger_tests::lambda::{self, Lambda, built, failures, sqs_event};
use postledger_tests::meter::Meter;
use postledger_tests::process::{cpu_ns, median, own_cpu_ns};
use postledger_tests::wire::{Wire, at_once};
use queue::QueueName;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// Calls, units, bytes and CPU time of the consumer for each event, by kind and size of batch.
#[derive(Parser)]
struct Args {
    /// How many events of each kind are measured, at each size of batch.
    #[arg(long, default_value_t = 20_000)]
    events: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The fixtures that stand for the kinds.
const FIXTURES: [(&str, &str); 6] = [
    ("Delivery", "delivery-current"),
    ("Open", "open-current"),
    ("Click", "click-current"),
    ("Bounce", "bounce-hard"),
    ("SpamComplaint", "spam-complaint-current"),
    ("SubscriptionChange", "subscription-change-hard-bounce"),
];
const BATCHES: [usize; 3] = [10, 100, 1_000];

fn main() {
    let args = Args::parse();
    let binary = built().join("consumer");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let bar = indicatif::ProgressBar::new((FIXTURES.len() * BATCHES.len()) as u64);
    let mut rows = Vec::new();
    for (kind, fixture) in FIXTURES {
        let path = root().join(format!("shared/postmark/fixtures/{fixture}.json"));
        let fixture: Value = serde_json::from_slice(&std::fs::read(path).expect("a fixture")).expect("JSON");
        for batch in BATCHES {
            let row = runtime.block_on(measured(&binary, kind, &fixture, batch, args.events));
            let floor = floor(kind, &fixture, batch, args.events);
            rows.push(Row { floor_us: floor, ..row });
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    if args.json {
        let rows: Vec<Value> = rows.iter().map(Row::json).collect();
        postledger::say(serde_json::to_string_pretty(&rows).expect("JSON"));
    } else {
        let head = [
            "kind",
            "batch",
            "calls",
            "write units",
            "by_message",
            "by_time",
            "suppressed",
            "read units",
            "event bytes",
            "view bytes",
            "CPU us",
            "floor us",
            "ratio",
        ];
        postledger::say(postledger::show::table(head, rows.iter().map(Row::cells)));
        postledger::say("\nall for each event; CPU: medians of five parts");
    }
}

/// What was measured, for each event.
struct Row {
    kind: &'static str,
    batch: usize,
    calls: f64,
    writes: f64,
    by_message: f64,
    by_time: f64,
    suppressed: f64,
    reads: f64,
    event_bytes: f64,
    view_bytes: f64,
    cpu_us: f64,
    floor_us: f64,
}

impl Row {
    fn numbers(&self) -> [(&'static str, f64); 11] {
        [
            ("calls", self.calls),
            ("write_units", self.writes),
            ("by_message_units", self.by_message),
            ("by_time_units", self.by_time),
            ("suppressed_units", self.suppressed),
            ("read_units", self.reads),
            ("event_bytes", self.event_bytes),
            ("view_bytes", self.view_bytes),
            ("cpu_us", self.cpu_us),
            ("floor_us", self.floor_us),
            ("ratio", self.cpu_us / self.floor_us),
        ]
    }

    fn json(&self) -> Value {
        let mut row = json!({ "kind": self.kind, "batch": self.batch });
        for (name, number) in self.numbers() {
            row[name] = json!((number * 1_000.0).round() / 1_000.0);
        }
        row
    }

    fn cells(&self) -> [String; 13] {
        let mut cells = vec![self.kind.to_owned(), self.batch.to_string()];
        for (name, number) in self.numbers() {
            cells.push(match name {
                "calls" => format!("{number:.4}"),
                "event_bytes" | "view_bytes" => format!("{number:.0}"),
                "cpu_us" | "floor_us" | "ratio" => format!("{number:.1}"),
                _ => format!("{number:.3}"),
            });
        }
        cells.try_into().expect("as many as there are columns")
    }
}

async fn measured(binary: &Path, kind: &'static str, fixture: &Value, batch: usize, events: usize) -> Row {
    let wire = Wire::stub(at_once).await;
    let mut runtime_api = Lambda::start().await;
    let function = lambda::consumer(binary.to_owned(), &runtime_api, &wire.url, "cost", true);
    let pid = function.child.id().expect("a running process");
    let queue =
        if ["Delivery", "Open", "Click"].contains(&kind) { QueueName::Bulk } else { QueueName::Critical };
    let mut rng = Rng::with_seed(7);
    let mut next = |n: usize| -> Value {
        let bodies = many_like(fixture, n, &mut rng);
        let ids: Vec<String> = (0..n).map(|place| format!("message-{place:032}")).collect();
        let messages = ids.iter().map(String::as_str).zip(bodies.iter().map(String::as_str));
        sqs_event(&queue.in_stack("cost"), messages)
    };
    // Warm: init, the first connections, what is noted once.
    for _ in 0..1_000_usize.div_ceil(batch).min(20) {
        let event = next(batch);
        assert!(failures(&runtime_api.invoke(event).await).is_empty());
    }
    wire.metered();
    let mut parts = Vec::new();
    let each = (events / 5).div_ceil(batch).max(1);
    for _ in 0..5 {
        let batches: Vec<Value> = (0..each).map(|_| next(batch)).collect();
        let before = cpu_ns(pid);
        for event in batches {
            assert!(failures(&runtime_api.invoke(event).await).is_empty());
        }
        parts.push((cpu_ns(pid) - before) as f64 / 1_000.0 / (each * batch) as f64);
    }
    let meter: Meter = wire.metered();
    assert_eq!((meter.inconsistent, meter.cancelled), (0, 0));
    let all = (5 * each * batch) as f64;
    let index = |name: &str| meter.index_writes.get(name).copied().unwrap_or_default() as f64 / all;
    let bytes =
        |kind: &str| meter.items.get(kind).map_or(0.0, |sizes| sizes.bytes as f64 / sizes.items as f64);
    Row {
        kind,
        batch,
        calls: meter.all_calls() as f64 / all,
        writes: meter.all_writes() as f64 / all,
        by_message: index("by_message"),
        by_time: index("by_time"),
        suppressed: index("suppressed"),
        reads: meter.all_reads() as f64 / all,
        event_bytes: bytes(kind),
        view_bytes: bytes("(view)"),
        cpu_us: median(&parts),
        floor_us: 0.0,
    }
}

/// The same over tables in memory, in this process and one thread.
fn floor(kind: &str, fixture: &Value, batch: usize, events: usize) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let queue =
        if ["Delivery", "Open", "Click"].contains(&kind) { QueueName::Bulk } else { QueueName::Critical };
    let mut rng = Rng::with_seed(7);
    let mut parts = Vec::new();
    let each = (events / 5).div_ceil(batch).max(1);
    for _ in 0..5 {
        let consumer = postledger_tests::consumer(Arc::new(store::Memory::default()));
        let batches: Vec<Vec<String>> = (0..each).map(|_| many_like(fixture, batch, &mut rng)).collect();
        let before = own_cpu_ns();
        for batch in &batches {
            assert!(runtime.block_on(handle(&consumer, queue, batch, 600)).is_empty());
        }
        parts.push((own_cpu_ns() - before) as f64 / 1_000.0 / (each * batch) as f64);
    }
    median(&parts)
}

/// The kinds that are measured are all that Postmark sends.
const _: () = assert!(FIXTURES.len() == Kind::ALL.len() - 2);

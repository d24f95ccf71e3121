//! What a function's start costs: `make cold-start`. Each function's own binary starts between a Runtime API and a stub
//! of AWS over TLS that answers after five milliseconds. It has all the CPU until it asks for its first event, as
//! on Lambda, and from then on the share that Lambda gives to 256 MB. Beside ours: `lambda_http`'s hello world, and
//! SQS set up as everybody does (`tests/peers`).

use clap::Parser;
use credential::{PrivateKey, User, basic};
use ledger::Source;
use postledger_tests::bodies::message;
use postledger_tests::emulator::root;
use postledger_tests::lambda::{
    Function, Lambda, consumer_settings, failures, gateway_event, ingest_settings, sqs_event,
};
use postledger_tests::process::{Share, cpu_ns, median, resident_kb, share_of};
use postledger_tests::tls::Tls;
use postledger_tests::wire::{Wire, at_once};
use postledger_tests::{SERVER, STACK, command::Folder};
use queue::QueueName;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Init, first answer, CPU of a warm event and memory of every function.
#[derive(Parser)]
struct Args {
    /// How often each is started.
    #[arg(long, default_value_t = 21)]
    starts: usize,
    /// How many warm events each is measured over, in five parts.
    #[arg(long, default_value_t = 2_000)]
    events: usize,
    /// Only those of whose names this is a part.
    #[arg(long, default_value = "")]
    only: String,
    /// Where the functions are.
    #[arg(long, default_value = "target/deployed")]
    functions: PathBuf,
    /// Where the peers are.
    #[arg(long, default_value = "target/peers/release")]
    peers: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What Lambda gives to 256 MB.
const SHARE: f64 = share_of(256);
/// What a call takes within a region.
const CALL: Duration = Duration::from_millis(5);
/// The roots that come with a system: as many as Lambda's, which are parsed as well.
const ROOTS: [&str; 2] = ["/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt"];
/// The ingest functions, each with the fixture that is posted.
const DOORS: [(&str, &str, &str); 7] = [
    ("ingest-delivery", "delivery", "delivery-current"),
    ("ingest-bounce", "bounce", "bounce-hard"),
    ("ingest-spam-complaint", "spam-complaint", "spam-complaint-current"),
    ("ingest-open", "open", "open-current"),
    ("ingest-click", "click", "click-current"),
    ("ingest-subscription-change", "subscription-change", "subscription-change-hard-bounce"),
    ("ingest-events", "events", "bounce-hard"),
];
const USER: &str = "8123456.1";

fn main() {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let folder = Folder::new("cold-start");
    let bench = runtime.block_on(Bench::new(&folder));
    let subjects: Vec<Subject> =
        bench.subjects(&args).into_iter().filter(|subject| subject.name.contains(&args.only)).collect();
    let held = Share::new(SHARE).inspect_err(|error| {
        postledger::say(format!("NOT held to a share of the CPU: no control group can be made ({error})"));
    });
    let bar = indicatif::ProgressBar::new((subjects.len() * (args.starts + 1)) as u64);
    let mut starts: Vec<Vec<Start>> = subjects.iter().map(|_| Vec::new()).collect();
    // In turn, so that whatever else the machine does befalls all alike.
    for _ in 0..args.starts {
        for (subject, starts) in subjects.iter().zip(&mut starts) {
            starts.push(runtime.block_on(bench.start(subject, held.is_ok())));
            bar.inc(1);
        }
    }
    let mut rows = Vec::new();
    for (subject, starts) in subjects.iter().zip(&starts) {
        let warm = runtime.block_on(bench.warm(subject, args.events));
        rows.push((subject.name, numbers(subject, starts, warm)));
        bar.inc(1);
    }
    bar.finish_and_clear();
    if args.json {
        let row = |(name, numbers): &(&str, Numbers)| {
            let mut row = json!({ "function": name });
            for (name, number, _) in numbers {
                row[name] = json!((number * 1_000.0).round() / 1_000.0);
            }
            row
        };
        let rows: Vec<Value> = rows.iter().map(row).collect();
        postledger::say(serde_json::to_string_pretty(&rows).expect("JSON"));
    } else {
        let cells = rows.iter().map(|(name, numbers)| {
            let mut cells = [(); COLUMNS + 1].map(|()| (*name).to_owned());
            for (cell, (_, number, digits)) in cells[1..].iter_mut().zip(numbers) {
                *cell = format!("{number:.digits$}");
            }
            cells
        });
        let mut head = ["function"; COLUMNS + 1];
        for (head, (name, ..)) in head[1..].iter_mut().zip(rows.iter().flat_map(|(_, numbers)| numbers)) {
            *head = name;
        }
        postledger::say(postledger::show::table(head, cells));
        postledger::say(format!(
            "\nmedians of {} starts; warm: median of five parts of {} events; sum_p90: nine of ten starts were below",
            args.starts, args.events
        ));
    }
}

/// A function to be measured, and what it is given.
struct Subject {
    name: &'static str,
    binary: PathBuf,
    event: Value,
    settings: Vec<(String, String)>,
}

impl Subject {
    /// Whether an answer is that of an event that was taken.
    fn takes(&self, answer: &Value) -> bool {
        match self.name {
            "consumer" => failures(answer).is_empty(),
            _ => answer["statusCode"] == 200,
        }
    }
}

/// One start.
struct Start {
    init_ms: f64,
    answer_ms: f64,
    init_cpu_ms: f64,
    answer_cpu_ms: f64,
    handshakes: usize,
}

/// Warm events: CPU of each, and the most memory.
struct Warm {
    cpu_us: f64,
    resident_kb: u64,
}

/// Name, number, digits after the point.
type Numbers = [(&'static str, f64, usize); COLUMNS];
const COLUMNS: usize = 10;

fn numbers(subject: &Subject, starts: &[Start], warm: Warm) -> Numbers {
    let of = |part: fn(&Start) -> f64| median(&starts.iter().map(part).collect::<Vec<_>>());
    let mut sums: Vec<f64> = starts.iter().map(|start| start.init_ms + start.answer_ms).collect();
    sums.sort_by(f64::total_cmp);
    let size = std::fs::metadata(&subject.binary).expect("a binary").len();
    [
        ("init_ms", of(|start| start.init_ms), 1),
        ("answer_ms", of(|start| start.answer_ms), 1),
        ("sum_ms", median(&sums), 1),
        ("sum_p90_ms", sums[(sums.len() * 9 / 10).min(sums.len() - 1)], 1),
        ("init_cpu_ms", of(|start| start.init_cpu_ms), 1),
        ("answer_cpu_ms", of(|start| start.answer_cpu_ms), 2),
        ("warm_cpu_us", warm.cpu_us, 0),
        ("resident_mb", warm.resident_kb as f64 / 1_024.0, 1),
        ("binary_mb", size as f64 / 1_048_576.0, 1),
        ("handshakes", of(|start| start.handshakes as f64), 0),
    ]
}

/// What functions are measured between.
struct Bench {
    tls: Tls,
    /// Answers as a region does.
    region: Wire,
    /// Answers at once, for what takes CPU only.
    at_once: Wire,
    roots: PathBuf,
    key: PrivateKey,
}

impl Bench {
    async fn new(folder: &Folder) -> Bench {
        let tls = Tls::new();
        let system = ROOTS.iter().find_map(|path| std::fs::read_to_string(path).ok());
        let roots = folder.path().join("roots.pem");
        let all = system.expect("the system's roots") + &tls.authority;
        std::fs::write(&roots, all).expect("a file");
        let region = Wire::stub_over_tls(&tls, CALL, at_once).await;
        let at_once = Wire::stub_over_tls(&tls, Duration::ZERO, at_once).await;
        Bench { tls, region, at_once, roots, key: PrivateKey::generate().expect("random numbers") }
    }

    fn subjects(&self, args: &Args) -> Vec<Subject> {
        let user: User = USER.parse().expect("a user");
        let authorization = basic(user, &self.key.password(STACK, user).expect("a password"));
        let settings = ingest_settings(&self.region.url, STACK, STACK, &self.key.public().to_string());
        let door = |(name, segment, fixture): (&'static str, &str, &str)| Subject {
            name,
            binary: args.functions.join(name),
            event: gateway_event(segment, &authorization, &self::fixture(fixture).to_string()),
            settings: settings.clone(),
        };
        let mut subjects: Vec<Subject> = DOORS.into_iter().map(door).collect();
        let bodies: Vec<String> = (0..10).map(delivery).collect();
        let ids: Vec<String> = (0..10).map(|place| format!("message-{place:032}")).collect();
        let messages = ids.iter().map(String::as_str).zip(bodies.iter().map(String::as_str));
        subjects.push(Subject {
            name: "consumer",
            binary: args.functions.join("consumer"),
            event: sqs_event(&QueueName::Bulk.in_stack(STACK), messages),
            settings: consumer_settings(STACK, true),
        });
        for name in ["hello", "usual"] {
            let binary = args.peers.join(name);
            subjects.push(Subject { name, binary, ..door(DOORS[1]) });
        }
        subjects
    }

    fn run(&self, subject: &Subject, lambda: &Lambda, wire: &Wire) -> Function {
        let roots = ("SSL_CERT_FILE".to_owned(), self.roots.display().to_string());
        let settings: Vec<_> = subject.settings.iter().cloned().chain([roots]).collect();
        Function::start(subject.binary.clone(), &lambda.address, &wire.url, &settings)
    }

    /// Starts a function and hands it one event.
    async fn start(&self, subject: &Subject, held: bool) -> Start {
        let mut lambda = Lambda::start().await;
        let before = self.tls.handshakes();
        let start = Instant::now();
        let function = self.run(subject, &lambda, &self.region);
        let pid = function.child.id().expect("a running process");
        let init = lambda.asked().await - start;
        let share = held.then(|| Share::new(SHARE).expect("a control group"));
        if let Some(share) = &share {
            share.hold(pid).expect("a running process");
        }
        // What is left of the init, such as reading the answer's head, is over by then.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let init_cpu = cpu_ns(pid);
        let start = Instant::now();
        let answer = lambda.invoke(subject.event.clone()).await;
        let answered = start.elapsed();
        assert!(subject.takes(&answer), "{}: {answer}", subject.name);
        let cpu = cpu_ns(pid);
        function.kill().await;
        Start {
            init_ms: init.as_secs_f64() * 1_000.0,
            answer_ms: answered.as_secs_f64() * 1_000.0,
            init_cpu_ms: init_cpu as f64 / 1e6,
            answer_cpu_ms: (cpu - init_cpu) as f64 / 1e6,
            handshakes: self.tls.handshakes() - before,
        }
    }

    /// Hands a function many events, with all the CPU that it wants.
    async fn warm(&self, subject: &Subject, events: usize) -> Warm {
        let mut lambda = Lambda::start().await;
        let function = self.run(subject, &lambda, &self.at_once);
        let pid = function.child.id().expect("a running process");
        let each = events.div_ceil(5).max(1);
        let mut parts = Vec::new();
        // The first part is to warm it.
        for _ in 0..6 {
            let before = cpu_ns(pid);
            for _ in 0..each {
                let answer = lambda.invoke(subject.event.clone()).await;
                assert!(subject.takes(&answer), "{}: {answer}", subject.name);
            }
            parts.push((cpu_ns(pid) - before) as f64 / 1_000.0 / each as f64);
        }
        let resident_kb = resident_kb(pid);
        function.kill().await;
        Warm { cpu_us: median(&parts[1..]), resident_kb }
    }
}

fn fixture(name: &str) -> Value {
    let path: &Path = &root().join(format!("shared/postmark/fixtures/{name}.json"));
    serde_json::from_slice(&std::fs::read(path).expect("a fixture")).expect("JSON")
}

/// A delivery of the fixture's form, as the door enqueues it.
fn delivery(n: usize) -> String {
    let mut body = fixture("delivery-current");
    body["MessageID"] = json!(format!("00000000-0000-4000-8000-{n:012}"));
    message(Source::Webhook, &body)
}

/// The credential is one of the fixtures' server.
const _: () = assert!(SERVER == 8_123_456);

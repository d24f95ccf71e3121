//! The soak of a ledger on one machine: made-up events over real HTTP to the real process, which is killed at random
//! moments and started again. At the end the ledger in its folder must equal the fold of the same bodies, byte by byte.

use crate::command::text;
use crate::generator::Generator;
use crate::soak::{Outcome, fold_by, poisonous, same_lines, write_bodies};
use crate::soak_aws::stored_lines;
use credential::basic;
use embedded::{Folder, KEY};
use ledger::Source;
use postledger::keys::KeyRing;
use queue::SetAside;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use store::{Scan, Store};
use ureq::Agent;

/// What a soak is to do.
#[derive(Clone, Copy, Debug)]
pub struct SoakDisk {
    /// Makes it differ from another.
    pub seed: u64,
    /// How many events.
    pub events: u64,
    /// How often the process is killed.
    pub kills: u64,
}

/// How many requests are under way at once.
pub(crate) const DOORS: usize = 16;
/// How long to wait before a request that got no answer is sent again.
const PAUSE: Duration = Duration::from_millis(20);
/// How long the end may take: what is still queued is consumed then.
const DRAIN: Duration = Duration::from_secs(600);

/// The process of a ledger in a folder, which may be killed.
pub struct Process {
    child: Child,
    postledger: PathBuf,
    folder: PathBuf,
    /// Where it listens.
    pub address: SocketAddr,
    args: Vec<String>,
    /// What it said at its first start, until it was up.
    pub said: Vec<String>,
}

impl Process {
    /// Starts it on the folder `data`, with its keys in `home` beside that; returns once it listens.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start(postledger: &Path, folder: &Path) -> Process {
        Process::start_with(postledger, folder, &[])
    }

    /// The same with more options.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start_with(postledger: &Path, folder: &Path, more: &[&str]) -> Process {
        let data = folder.join("data");
        let data = ["--logs", "error", "--data", data.to_str().expect("UTF-8")];
        Process::on(postledger, folder, &[&data[..], more].concat())
    }

    /// The same in memory.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn in_memory(postledger: &Path, folder: &Path) -> Process {
        Process::on(postledger, folder, &[])
    }

    fn on(postledger: &Path, folder: &Path, args: &[&str]) -> Process {
        // A port that nobody has now, so that it is the same one after each start.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let (child, said) = Process::spawn(postledger, folder, address, &args);
        Process { child, postledger: postledger.to_owned(), folder: folder.to_owned(), address, args, said }
    }

    fn spawn(postledger: &Path, folder: &Path, address: SocketAddr, args: &[String]) -> (Child, Vec<String>) {
        // The portal's port would follow from a port that is chosen at random: somebody may have it.
        let portal = args.iter().any(|arg| arg == "--portal");
        let mut child = Command::new(postledger)
            .args(["run", "--no-sample", "--listen", &address.to_string()])
            .args((!portal).then_some("--no-portal"))
            .args(args)
            .env("POSTLEDGER_HOME", folder.join("home"))
            .env_remove("POSTLEDGER_STACK")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the command postledger: build it by `cargo build --release -p postledger`");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut said = Vec::new();
        while !said.last().is_some_and(|line: &String| line.contains("is up at")) {
            let line = lines.next().and_then(Result::ok);
            said.push(line.unwrap_or_else(|| panic!("it did not start: {said:?}")));
        }
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        (child, said)
    }

    /// Kills it as nothing can be caught, and starts it again. How long the start took.
    ///
    /// # Panics
    /// Where it does not start again.
    pub fn kill(&mut self) -> Duration {
        self.child.kill().expect("a process");
        self.child.wait().expect("a process");
        let start = Instant::now();
        (self.child, _) = Process::spawn(&self.postledger, &self.folder, self.address, &self.args);
        start.elapsed()
    }

    /// The base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Runs another command on its ledger, as its operator.
    ///
    /// # Panics
    /// Where it cannot be run.
    pub fn ask(&self, args: &[&str]) -> Output {
        Command::new(&self.postledger)
            .args(args)
            .env("POSTLEDGER_HOME", self.folder.join("home"))
            .env("POSTLEDGER_URL", self.url())
            .output()
            .expect("a process")
    }

    /// Runs another command on its ledger, as its operator; what it prints as JSON.
    ///
    /// # Panics
    /// Where it fails.
    pub fn json(&self, args: &[&str]) -> serde_json::Value {
        let output = self.ask(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// Waits until nothing waits or is being consumed.
    ///
    /// # Panics
    /// Where that takes too long.
    pub fn drain(&self) {
        let start = Instant::now();
        loop {
            let queues = self.json(&["queues", "--json"]);
            let busy = |queue: &serde_json::Value| queue["waiting"] != 0 || queue["in_flight"] != 0;
            if !queues.as_array().expect("a list").iter().any(busy) {
                return;
            }
            assert!(start.elapsed() < DRAIN, "not consumed in time: {queues}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Ends it as a service manager does.
    ///
    /// # Panics
    /// Where it does not end well.
    pub fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("a process").success());
        assert!(self.child.wait().expect("a process").success(), "a clean shutdown exits 0");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl SoakDisk {
    /// Runs it in a folder; `progress` is told how many bodies have been answered with 200.
    ///
    /// # Panics
    /// Where the ledger differs from the fold in any byte.
    pub fn run(self, folder: &Path, postledger: &Path, progress: impl Fn(u64) + Send + Sync) -> Outcome {
        // By the clock of the process: what is set aside for lying in the future depends on it.
        let generator = Generator { seed: self.seed, events: self.events, now: platform::now() };
        let by_webhook = |told: &(u64, u8)| generator.telling(told.0, told.1).source == Source::Webhook;
        let order: Vec<(u64, u8)> = generator.order(5).into_iter().filter(by_webhook).collect();
        let file = folder.join("bodies.jsonl");
        write_bodies(&file, &generator, &order);

        let mut process = Process::start(postledger, folder);
        let keys = KeyRing::open(&folder.join("home"), "local").expect("keys");
        let (done, requests, over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
        let (start, url) = (Instant::now(), process.url());
        let mut slowest = Duration::ZERO;
        let mut killed = 0;
        std::thread::scope(|scope| {
            let senders: Vec<_> = (0..DOORS)
                .map(|door| {
                    let (order, keys, url, done, requests, progress) =
                        (&order, &keys, &url, &done, &requests, &progress);
                    scope.spawn(move || {
                        let agent = agent();
                        for (event, copy) in order.iter().skip(door).step_by(DOORS) {
                            let telling = generator.telling(*event, *copy);
                            let (user, password) =
                                keys.credential(crate::server_id(telling.server), 1).expect("a key");
                            let to = format!("{url}/v1/{}/{}", telling.server, telling.segment);
                            tell(&agent, &to, &basic(user, &password), &telling.body, requests);
                            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
                        }
                    })
                })
                .collect();
            let mut rng = fastrand::Rng::with_seed(self.seed);
            let gap = order.len() as u64 / (self.kills + 1);
            while killed < self.kills && !over.load(Ordering::Relaxed) {
                // At a random moment around its share of the way, whatever is under way then.
                let due = (killed + 1) * gap;
                while done.load(Ordering::Relaxed) < due && !senders.iter().all(|one| one.is_finished()) {
                    std::thread::sleep(Duration::from_millis(1));
                }
                std::thread::sleep(Duration::from_millis(rng.u64(..60)));
                slowest = slowest.max(process.kill());
                killed += 1;
            }
        });
        process.drain();
        let took = start.elapsed();
        process.stop();

        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (ours, recorded, kept) = runtime.block_on(stored(&folder.join("data")));
        let poison = poisonous(&generator, &order);
        assert!(kept == poison, "quarantine is exactly the poison: {} and {}", kept.len(), poison.len());
        same_lines(ours, fold_by(postledger, &file, Some(&folder.join("data").join(KEY))));
        Outcome {
            tellings: order.len() as u64,
            requests: requests.into_inner(),
            recorded,
            set_aside: kept.len() as u64,
            faults: [
                ("kill -9".to_owned(), killed),
                ("slowest start, ms".to_owned(), slowest.as_millis() as u64),
            ]
            .into(),
            took,
        }
    }
}

/// What sends: an answer of whatever status is one.
pub fn agent() -> Agent {
    let config =
        Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(30)));
    config.build().into()
}

/// Sends it as Postmark does, again and again until the answer is 200.
pub(crate) fn tell(agent: &Agent, url: &str, authorization: &str, body: &[u8], requests: &AtomicU64) {
    loop {
        requests.fetch_add(1, Ordering::Relaxed);
        let sent = agent
            .post(url)
            .header("authorization", authorization)
            .content_type("application/json")
            .send(body);
        match sent.map(|answer| answer.status().as_u16()) {
            Ok(200) => return,
            Ok(status) => assert!(status >= 500, "refused for good: {status}"),
            Err(_) => {}
        }
        std::thread::sleep(PAUSE);
    }
}

/// The lines of the ledger in a folder, how many events it has, and the bodies that were set aside.
async fn stored(folder: &Path) -> (Vec<String>, u64, BTreeSet<Vec<u8>>) {
    let opened = Folder::open(folder, "local", crate::clock()).await.expect("a ledger");
    let store: Arc<dyn Scan> = opened.store;
    let (lines, recorded) = stored_lines(&*store).await;
    let now = platform::now();
    let mut aside = BTreeMap::new();
    for day in [now.plus_seconds(-86_400), now].map(|time| time.day()) {
        for kept in (&*store as &dyn Store).quarantined_on(&day).await.expect("quarantine") {
            aside.entry(kept.part.id.clone()).or_insert_with(Vec::new).push(kept.part);
        }
    }
    let bodies = aside.into_values().map(|parts| SetAside::whole(parts).expect("all its parts").body);
    (lines, recorded, bodies.collect())
}

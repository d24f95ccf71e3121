//! The emulator of AWS that tests talk to: one for each process, started when first wanted, gone with the process.
//! `make aws` installs it.

use aws::{Access, Limits, Link};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledger::LedgerKey;
use postledger::aws::ledger_key_parameter;
use queue::Sqs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use store::DynamoDb;
use store::dynamodb::Tables;

/// The region that everything is in.
pub const REGION: &str = "eu-west-1";

/// A running emulator.
pub struct Emulator {
    /// Its standard input is a pipe: when this process ends, however it ends, so does the emulator.
    _child: Child,
    /// Where it listens.
    pub url: String,
}

/// The project's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl Emulator {
    /// The emulator of this process.
    pub fn shared() -> &'static Emulator {
        static SHARED: OnceLock<Emulator> = OnceLock::new();
        SHARED.get_or_init(|| Emulator::start(&[]))
    }

    /// The one of this process in which functions may do what their roles allow, and no more.
    pub fn enforcing() -> &'static Emulator {
        static ENFORCING: OnceLock<Emulator> = OnceLock::new();
        ENFORCING.get_or_init(|| Emulator::start(&["--enforce-iam"]))
    }

    /// Starts one of its own.
    ///
    /// # Panics
    /// Where it is not installed or does not start.
    pub fn start(options: &[&str]) -> Emulator {
        let python = root().join(".tools/aws/bin/python");
        assert!(python.exists(), "the emulator is not installed: run `make aws`");
        let mut child = Command::new(python)
            .arg(root().join("infra/local/emulator.py"))
            .arg("--until-stdin-closes")
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("its output");
        BufReader::new(stdout).read_line(&mut line).expect("its output");
        let url = line.trim().to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "the emulator did not start; it says why above");
        Emulator { _child: child, url }
    }

    /// The way to it.
    pub fn link(&self, limits: Limits) -> Link {
        link(&self.url, limits)
    }
}

/// The way to an endpoint that takes any credentials.
pub fn link(url: &str, limits: Limits) -> Link {
    Link::new(Access::of_emulator(url, REGION), limits)
}

/// A name that no other stack of this process has.
pub fn fresh_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("t{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Makes the tables, queues and ledger key (the tests') of a stack at an endpoint.
///
/// # Panics
/// Where the endpoint does not do it.
pub async fn make_stack(url: &str, stack: &str, by_time: bool, visibility: Duration, receives_max: u32) {
    make_tables(url, stack, by_time).await;
    let link = link(url, Limits::COMMAND);
    Sqs::create(&link, stack, visibility, receives_max).await.expect("queues");
    let key = URL_SAFE_NO_PAD.encode(LedgerKey::BYTES_FOR_TESTS);
    link.put_parameter(&ledger_key_parameter(stack), &key).await.expect("a parameter");
}

/// Makes the queues of a stack at an endpoint, as the deployed ones are.
///
/// # Panics
/// Where the endpoint does not do it.
pub async fn make_queues(url: &str, stack: &str) {
    let link = link(url, Limits::COMMAND);
    Sqs::create(&link, stack, queue::VISIBILITY, queue::RECEIVES_MAX).await.expect("queues");
}

/// Makes the tables of a stack at an endpoint.
///
/// # Panics
/// Where the endpoint does not do it.
pub async fn make_tables(url: &str, stack: &str, by_time: bool) -> DynamoDb {
    let store = tables(url, stack, by_time);
    store.create().await.expect("tables");
    store
}

/// The tables of a stack at an endpoint.
pub fn tables(url: &str, stack: &str, by_time: bool) -> DynamoDb {
    DynamoDb::new(link(url, Limits::COMMAND), Tables::of_stack(stack, by_time))
}

//! How fast a ledger in a folder is, beside one in memory and beside SQLite alone with the same bytes.

use crate::generator::Generator;
use crate::process::resident_kb;
use crate::soak_disk::{DOORS, Process, agent, tell};
use credential::basic;
use embedded::Folder;
use ledger::Event;
use ledger::Source;
use ledger::canonical::digest;
use ledger::counters::Hour;
use ledger::event::What;
use ledger::fold::EventSet;
use postledger::keys::KeyRing;
use sqlite::FILE;
use sqlite::rusqlite::Connection;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use store::prelude::*;
use store::{Action, Recorded, Sqlite};

/// What the whole chain did, by HTTP.
#[derive(Clone, Copy, Debug)]
pub struct Chain {
    /// Events a second, from the first request to the last one consumed.
    pub per_second: f64,
    /// The most memory that the process had, in MB.
    pub resident_mb: f64,
}

/// Sends so many made-up events as fast as they are answered, and waits until they are consumed.
///
/// # Panics
/// Where the process does not start or consume.
pub fn chain(process: &Process, folder: &Path, events: u64) -> Chain {
    let keys = KeyRing::open(&folder.join("home"), "local").expect("keys");
    let generator = Generator { seed: 3, events, now: platform::now() };
    let (requests, url, start) = (AtomicU64::new(0), process.url(), Instant::now());
    std::thread::scope(|scope| {
        for door in 0..DOORS as u64 {
            let (keys, url, requests) = (&keys, &url, &requests);
            scope.spawn(move || {
                let agent = agent();
                for event in (door..events).step_by(DOORS) {
                    let telling = generator.telling(event, 0);
                    if telling.source != Source::Webhook {
                        continue;
                    }
                    let (user, password) =
                        keys.credential(crate::server_id(telling.server), 1).expect("a key");
                    let to = format!("{url}/v1/{}/{}", telling.server, telling.segment);
                    tell(&agent, &to, &basic(user, &password), &telling.body, requests);
                }
            });
        }
    });
    process.drain();
    let sent = requests.into_inner();
    Chain {
        per_second: sent as f64 / start.elapsed().as_secs_f64(),
        resident_mb: resident_kb(process.pid()) as f64 / 1_024.0,
    }
}

/// How long answers take at so many requests a second, in milliseconds: the middle one, and those that 99 and all of a
/// hundred do not exceed. A request is sent when it is due, whether or not the one before was answered.
///
/// # Panics
/// Where the process does not answer.
pub fn waits(process: &Process, folder: &Path, rate: u64, seconds: u64) -> [f64; 3] {
    let keys = KeyRing::open(&folder.join("home"), "local").expect("keys");
    let generator = Generator { seed: 4, events: rate * seconds, now: platform::now() };
    let (url, start, all) = (process.url(), Instant::now(), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for door in 0..DOORS as u64 {
            let (keys, url, all) = (&keys, &url, &all);
            scope.spawn(move || {
                let (agent, requests) = (agent(), AtomicU64::new(0));
                for event in (door..rate * seconds).step_by(DOORS) {
                    let due = start + Duration::from_secs_f64(event as f64 / rate as f64);
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    let telling = generator.telling(event, 0);
                    let (user, password) =
                        keys.credential(crate::server_id(telling.server), 1).expect("a key");
                    let to = format!("{url}/v1/{}/{}", telling.server, telling.segment);
                    tell(&agent, &to, &basic(user, &password), &telling.body, &requests);
                    // From when it was due: what had to wait for a place counts.
                    let waited = due.elapsed().as_secs_f64() * 1_000.0;
                    all.lock().expect("no panic").push(waited);
                }
            });
        }
    });
    let mut all = all.into_inner().expect("no panic");
    all.sort_by(f64::total_cmp);
    let at = |hundredths: usize| all[(all.len() * hundredths / 100).min(all.len() - 1)];
    [at(50), at(99), at(100)]
}

/// Bytes about as many as an event's row, and as its body.
fn body(n: u64) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(n);
    (0..700).map(|_| rng.u8(..)).collect()
}

/// What SQLite alone does with rows of the same bytes under the same settings, in rows a second: so many in each
/// transaction.
///
/// # Panics
/// Where the file cannot be written.
pub fn bare(folder: &Path, rows: u64, together: u64) -> f64 {
    let path = folder.join(format!("bare-{together}.db"));
    let connection = Connection::open(&path).expect("a file");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;
             PRAGMA wal_autocheckpoint = 4000;
             CREATE TABLE rows (pk TEXT NOT NULL, sk TEXT NOT NULL, body BLOB, PRIMARY KEY (pk, sk)) STRICT",
        )
        .expect("a table");
    let start = Instant::now();
    for first in (0..rows).step_by(usize::try_from(together).expect("few")) {
        connection.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
        for n in first..(first + together).min(rows) {
            let key = digest(&n.to_be_bytes()).map(|byte| format!("{byte:02x}")).concat();
            connection
                .prepare_cached("INSERT INTO rows VALUES (?1, ?2, ?3)")
                .and_then(|mut insert| insert.execute((&key[..20], &key[20..], body(n))))
                .expect("a row");
        }
        connection.execute_batch("COMMIT").expect("a transaction");
    }
    rows as f64 / start.elapsed().as_secs_f64()
}

/// What the tables alone did.
#[derive(Clone, Copy, Debug)]
pub struct Tables {
    /// How many events they held then.
    pub events: u64,
    /// Events a second since the measurement before.
    pub per_second: f64,
    /// Bytes of the file for each event.
    pub bytes: f64,
}

/// How many commits are under way at once.
const COMMITS: u64 = 64;

/// Commits so many hard bounces, each of somebody else, with view, row and counters, and measures at each of `at`.
///
/// # Panics
/// Where the folder cannot be written.
pub async fn tables(folder: &Path, at: &[u64]) -> Vec<Tables> {
    let opened = Folder::open(folder, "local", crate::clock()).await.expect("a ledger");
    let (store, key) = (opened.store.clone(), opened.ledger_key.clone());
    let (next, mut measured, mut before, mut start) =
        (Arc::new(AtomicU64::new(0)), Vec::new(), 0, Instant::now());
    for &until in at {
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..COMMITS {
            let (store, key, next) = (store.clone(), key.clone(), next.clone());
            all.spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= until {
                        next.fetch_sub(1, Ordering::Relaxed);
                        return;
                    }
                    record(&store, &key, n).await;
                }
            });
        }
        all.join_all().await;
        let bytes = std::fs::metadata(folder.join(FILE)).expect("the file").len();
        let wal = std::fs::metadata(folder.join(format!("{FILE}-wal"))).map_or(0, |wal| wal.len());
        measured.push(Tables {
            events: until,
            per_second: (until - before) as f64 / start.elapsed().as_secs_f64(),
            bytes: (bytes + wal) as f64 / until as f64,
        });
        (before, start) = (until, Instant::now());
    }
    measured
}

async fn record(store: &Sqlite, key: &ledger::LedgerKey, n: u64) {
    let server = crate::server_id(8_123_456);
    let address = format!("person{n}@customer.example");
    let at = crate::now().plus_seconds(i64::try_from(n % 7_776_000).expect("seconds") - 7_776_000);
    let event = Event {
        server,
        stream: "outbound".to_owned(),
        recipient: key.recipient_id(server, &address),
        address: Some(address),
        identity: id(n).parse().expect("an identity"),
        at,
        message_id: Some(format!("883953f4-6105-42a2-a16a-{n:012}")),
        what: What::Bounce { bounce_type: "HardBounce".to_owned(), inactive: true },
        source: Source::Webhook,
        received_at: at,
        body_hash: digest(&n.to_be_bytes()),
    };
    let mut set = EventSet::default();
    set.offer(event.clone());
    let view = set.view().expect("a view");
    let hour = Hour::of(&event);
    let counts = set.counters().get(&hour);
    let body = format!(r#"{{"Details":"{}"}}"#, String::from_utf8_lossy(&hex(&body(n)[..300])));
    let recorded = Recorded { event, body: Some(body), dropped: Vec::new(), expires_at: None };
    let shard = u8::try_from(n % 2).expect("a bit");
    let actions = [Action::Record(recorded), Action::PutView(view, None), Action::Count(hour, shard, counts)];
    store.commit(&actions).await.expect("a commit");
}

fn id(n: u64) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest(&n.to_le_bytes()))
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
}

//! While the disk cannot be written, webhooks are answered 503, and none that was answered 200 is lost or counted twice.

use credential::{PrivateKey, Verifier, basic};
use embedded::{Folder as Ledger, Parts, Stack};
use postledger_tests::command::Folder;
use postledger_tests::postmark::unreached;
use postledger_tests::{SERVER, STACK, Served};
use queue::QueueName;
use serde_json::json;
use sqlite::rusqlite::Connection;
use sqlite::{Database, Durability};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How much room is left before the disk is full: enough for some dozen events.
const PAGES: u32 = 80;
/// Room enough for everything.
const ROOM: u32 = 1_000_000;
/// How many events are refused in a row before it is believed that none is let in any more.
const REFUSED: usize = 20;
/// How soon a message comes again that could not be consumed.
const VISIBILITY: Duration = Duration::from_secs(2);

/// A ledger in a folder, in this process, over HTTP.
struct OnDisk {
    runtime: Runtime,
    stack: Arc<Stack>,
    database: Database,
    url: String,
    authorization: String,
    posted: usize,
    _folder: Folder,
}

impl OnDisk {
    fn new(name: &str) -> OnDisk {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (folder, clock) = (Folder::new(name), platform::clock());
        let data = folder.path().join("data");
        let opened = runtime.block_on(Ledger::open(&data, STACK, clock.clone()));
        let Ledger { database, store, ledger_key, .. } = opened.unwrap();
        let settings = queue::Settings { visibility: VISIBILITY, ..queue::Settings::default() };
        let key = PrivateKey::generate().unwrap();
        let user = format!("{SERVER}.1").parse().unwrap();
        let stack = Arc::new(Stack::new(Parts {
            name: STACK.to_owned(),
            verifier: Arc::new(Verifier::new(STACK, [key.public()], []).unwrap()),
            queue: Arc::new(queue::Sqlite::new(database.clone(), settings, clock.clone())),
            portal: None,
            signing: None,
            store,
            ledger_key,
            vault: Arc::new(account::MemoryVault::default()),
            postmark: unreached(),
            clock,
        }));
        let base = Served::new(&runtime, &stack, folder.path()).base;
        let authorization = basic(user, &key.password(STACK, user).unwrap());
        let url = format!("{base}/v1/{SERVER}/delivery");
        OnDisk { runtime, stack, database, url, authorization, posted: 0, _folder: folder }
    }

    /// Lets the file have this many pages, and no more.
    fn pages(&self, pages: u32) {
        let set = move |connection: &Connection| {
            let set = connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()));
            set.map_err(|error| sqlite::failed(&error))
        };
        self.runtime.block_on(self.database.write(Durability::Power, set)).unwrap();
    }

    /// The first column of what a query finds.
    fn read<T: sqlite::rusqlite::types::FromSql + Send + 'static>(&self, query: &'static str) -> Vec<T> {
        let read = move |connection: &Connection| -> sqlite::rusqlite::Result<Vec<T>> {
            connection.prepare(query)?.query_map([], |row| row.get(0))?.collect()
        };
        let read = move |connection: &Connection| read(connection).map_err(|error| sqlite::failed(&error));
        self.runtime.block_on(self.database.read(read)).unwrap()
    }

    /// The id and the body of an event that there was not yet. Each is as long as any other.
    fn next(&mut self) -> (String, String) {
        self.posted += 1;
        let id = format!("m-{:06}", self.posted);
        let event = json!({ "RecordType": "Delivery", "MessageStream": "outbound", "MessageID": id,
            "Recipient": format!("{id}@customer.example"), "DeliveredAt": platform::now().to_string(),
            "Details": "d".repeat(3_000) });
        (id, event.to_string())
    }

    fn post(&self, body: &str) -> u16 {
        let agent = postledger::client::agent();
        let post = agent.post(&self.url).header("authorization", &self.authorization);
        post.header("content-type", "application/json").send(body).unwrap().status().as_u16()
    }

    /// Posts new events until they are refused, and some more: those that were answered 200 and those that were not. Fails
    /// where one is answered otherwise, or is let in after one that was not.
    fn post_until_refused(&mut self) -> (BTreeSet<String>, Vec<(String, String)>) {
        let (mut taken, mut refused) = (BTreeSet::new(), Vec::new());
        while refused.len() < REFUSED {
            let (id, body) = self.next();
            match self.post(&body) {
                200 => {
                    assert!(refused.is_empty(), "{id} is let in where the one before it was not");
                    taken.insert(id);
                }
                503 => refused.push((id, body)),
                other => panic!("{other}"),
            }
        }
        (taken, refused)
    }

    /// What comes in is consumed until this is told that it may end.
    fn consume(&self) -> (watch::Sender<bool>, JoinSet<()>) {
        let _inside = self.runtime.enter();
        let (stop, stopped) = watch::channel(false);
        (stop, self.stack.consume(&stopped))
    }

    /// Fails unless these events and no others are recorded, each once, and nothing was given up.
    fn assert_recorded(&self, taken: BTreeSet<String>) {
        self.runtime.block_on(self.stack.drained()).unwrap();
        let recorded: Vec<String> = self.read("SELECT message_id FROM v_events ORDER BY message_id");
        assert_eq!(recorded, taken.into_iter().collect::<Vec<_>>(), "what was answered 200, each once");
        let counted: Vec<i64> = self.read("SELECT sum(count) FROM v_counts WHERE measure = 'delivered'");
        assert_eq!(counted, [i64::try_from(recorded.len()).unwrap()]);
        for dead in QueueName::LIVE.into_iter().filter_map(QueueName::dead) {
            let depth = self.runtime.block_on(self.stack.operator.queue.depth(dead)).unwrap();
            assert_eq!(depth, queue::Depth::default(), "{}", dead.name());
        }
    }

    /// The disk takes nothing more, at once or after a while: the door refuses from then on, what was let in before is
    /// kept, and what was refused is taken once the disk takes it again.
    fn fails_and_recovers(mut self, fail: impl Fn(&OnDisk), mend: impl Fn(&OnDisk)) {
        let (id, body) = self.next();
        assert_eq!(self.post(&body), 200);
        let mut taken = BTreeSet::from([id]);
        fail(&self);
        let (more, mut refused) = self.post_until_refused();
        taken.extend(more);
        let waiting: Vec<i64> = self.read("SELECT count(*) FROM messages");
        assert_eq!(waiting, [i64::try_from(taken.len()).unwrap()], "what was refused is not kept in part");
        // The consumer is refused too, and goes on trying, while webhooks come in.
        let (stop, mut pumps) = self.consume();
        for _ in 0..REFUSED {
            let (id, body) = self.next();
            match self.post(&body) {
                200 => drop(taken.insert(id)),
                503 => refused.push((id, body)),
                other => panic!("{other}"),
            }
        }
        mend(&self);
        for (id, body) in refused {
            assert_eq!(self.post(&body), 200, "{id}: Postmark offers it again");
            taken.insert(id);
        }
        self.assert_recorded(taken);
        let _ = stop.send(true);
        self.runtime.block_on(async { while pumps.join_next().await.is_some() {} });
    }
}

#[test]
fn a_full_disk_is_answered_503_at_the_door_and_loses_nothing() {
    let ledger = OnDisk::new("disk-full");
    let used: Vec<u32> = ledger.read("SELECT page_count FROM pragma_page_count");
    ledger.fails_and_recovers(|ledger| ledger.pages(used[0] + PAGES), |ledger| ledger.pages(ROOM));
}

/// Permissions do not bind root, as whom tests may run, nor whoever has a file open. So the file is moved away: nothing is
/// written to it then either.
#[test]
fn a_database_that_cannot_be_written_is_answered_503_at_the_door_and_loses_nothing() {
    let ledger = OnDisk::new("disk-away");
    let away = |ledger: &OnDisk| ledger.database.path().with_extension("away");
    ledger.fails_and_recovers(
        |ledger| std::fs::rename(ledger.database.path(), away(ledger)).unwrap(),
        |ledger| std::fs::rename(away(ledger), ledger.database.path()).unwrap(),
    );
}

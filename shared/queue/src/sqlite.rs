//! The queues in one SQLite file, with the semantics of SQS standard queues: visibility timeout, receive counts, dead
//! letters. What was in flight when the process ended is visible again when the file is opened.
//!
//! That a message was received or deleted need not outlive a loss of power: it comes again then, and is recorded once.

use crate::{Depth, Message, Queue, QueueError, QueueName, RECEIVE_MAX, Sender, Settings, check_body};
use async_trait::async_trait;
use platform::Clock;
use sqlite::rusqlite::{self, Connection, params};
use sqlite::{Database, Durability};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// All queues of a ledger, in one file.
pub struct Sqlite {
    database: Database,
    settings: Settings,
    clock: Clock,
    /// From when on a queue may have something to receive, in milliseconds: an empty one is not asked about.
    due: Arc<BTreeMap<QueueName, AtomicI64>>,
}

/// Nothing is due on a queue.
const NEVER: i64 = i64::MAX;

impl Sqlite {
    /// The queues of an open database.
    pub fn new(database: Database, settings: Settings, clock: Clock) -> Sqlite {
        let due = QueueName::ALL.into_iter().map(|name| (name, AtomicI64::new(0))).collect();
        Sqlite { database, settings, clock, due: Arc::new(due) }
    }

    fn now(&self) -> i64 {
        (self.clock)().micros() / 1_000
    }

    async fn write<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, QueueError> {
        self.database.write(durability, move |connection| work(connection).map_err(failed)).await
    }
}

fn failed(error: rusqlite::Error) -> QueueError {
    sqlite::failed(&error).into()
}

#[async_trait]
impl Sender for Sqlite {
    async fn send(&self, to: QueueName, body: &str) -> Result<(), QueueError> {
        check_body(body)?;
        let (body, due) = (body.to_owned(), self.due.clone());
        let send = move |connection: &Connection| {
            connection
                .prepare_cached("INSERT INTO messages (queue, body) VALUES (?1, ?2)")?
                .execute(params![to.name(), body])?;
            // Before the commit: whoever asks now, asks the one writer, behind it.
            due[&to].store(0, Ordering::Relaxed);
            Ok(())
        };
        self.write(Durability::Power, send).await
    }
}

/// What is received, and where its message stands.
struct Found {
    row: i64,
    body: String,
    receives: u32,
}

fn found(connection: &Connection, from: QueueName, now: i64, max: usize) -> rusqlite::Result<Vec<Found>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, body, receives FROM messages WHERE queue = ?1 AND visible_at <= ?2 \
         ORDER BY visible_at, id LIMIT ?3",
    )?;
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![from.name(), now, max], |row| {
        Ok(Found { row: row.get(0)?, body: row.get(1)?, receives: row.get(2)? })
    })?;
    rows.collect()
}

#[async_trait]
impl Queue for Sqlite {
    async fn receive(&self, from: QueueName, max: usize) -> Result<Vec<Message>, QueueError> {
        let now = self.now();
        if self.due[&from].load(Ordering::Relaxed) > now {
            return Ok(Vec::new());
        }
        let (settings, due) = (self.settings, self.due.clone());
        let receive = move |connection: &Connection| {
            let mut messages = Vec::new();
            loop {
                let wanted = max.min(RECEIVE_MAX) - messages.len();
                let some = found(connection, from, now, wanted)?;
                let mut dead = 0;
                for Found { row, body, receives } in &some {
                    if let Some(to) = from.dead()
                        && *receives >= settings.receives_max
                    {
                        connection
                            .prepare_cached(
                                "UPDATE messages SET queue = ?2, receives = 0, receipt = NULL, visible_at = 0 WHERE id = ?1",
                            )?
                            .execute(params![row, to.name()])?;
                        due[&to].store(0, Ordering::Relaxed);
                        dead += 1;
                        continue;
                    }
                    let receives = receives + 1;
                    let receipt = format!("{row}.{receives}.{now}");
                    let until =
                        now.saturating_add(i64::try_from(settings.visibility.as_millis()).unwrap_or(NEVER));
                    connection
                        .prepare_cached(
                            "UPDATE messages SET receives = ?2, receipt = ?3, visible_at = ?4 WHERE id = ?1",
                        )?
                        .execute(params![row, receives, receipt, until])?;
                    messages.push(Message {
                        id: format!("m{row}"),
                        receipt,
                        body: body.clone(),
                        receives,
                        sender: None,
                    });
                }
                if dead == 0 || messages.len() >= max.min(RECEIVE_MAX) {
                    break;
                }
            }
            let next: Option<i64> = connection
                .prepare_cached("SELECT min(visible_at) FROM messages WHERE queue = ?1")?
                .query_row([from.name()], |row| row.get(0))?;
            due[&from].store(next.unwrap_or(NEVER), Ordering::Relaxed);
            Ok(messages)
        };
        self.write(Durability::Process, receive).await
    }

    async fn delete(&self, from: QueueName, receipts: &[String]) -> Result<(), QueueError> {
        let receipts = receipts.to_vec();
        let delete = move |connection: &Connection| {
            let mut statement = connection
                .prepare_cached("DELETE FROM messages WHERE id = ?1 AND queue = ?2 AND receipt = ?3")?;
            for receipt in &receipts {
                let row: Option<i64> = receipt.split('.').next().and_then(|row| row.parse().ok());
                if let Some(row) = row {
                    statement.execute(params![row, from.name(), receipt])?;
                }
            }
            Ok(())
        };
        self.write(Durability::Process, delete).await
    }

    async fn depth(&self, of: QueueName) -> Result<Depth, QueueError> {
        let now = self.now();
        let depth = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(
                "SELECT count(*) FILTER (WHERE visible_at <= ?2), count(*) FILTER (WHERE visible_at > ?2) \
                 FROM messages WHERE queue = ?1",
            )?;
            statement.query_row(params![of.name(), now], |row| {
                Ok(Depth {
                    visible: row.get::<_, u32>(0)? as usize,
                    in_flight: row.get::<_, u32>(1)? as usize,
                })
            })
        };
        self.database.read(move |connection| depth(connection).map_err(failed)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract;
    use ledger::Time;
    use std::time::Duration;

    struct InFile {
        queue: Arc<Sqlite>,
        millis: Arc<AtomicI64>,
    }

    const SETTINGS: Settings =
        Settings { receives_max: 3, visibility: Duration::from_secs(60), duplicate_one_in: 0, shuffle: None };

    fn over(database: Database) -> InFile {
        let millis = Arc::new(AtomicI64::new(1_800_000_000_000));
        let clock = millis.clone();
        let clock: Clock = Arc::new(move || Time::from_micros(clock.load(Ordering::Relaxed) * 1_000));
        InFile { queue: Arc::new(Sqlite::new(database, SETTINGS, clock)), millis }
    }

    #[async_trait]
    impl contract::Harness for InFile {
        fn queue(&self) -> Arc<dyn Queue> {
            self.queue.clone()
        }

        async fn let_visibility_pass(&self) {
            let passed = i64::try_from(SETTINGS.visibility.as_millis()).unwrap();
            self.millis.fetch_add(passed, Ordering::Relaxed);
        }

        fn receives_max(&self) -> u32 {
            SETTINGS.receives_max
        }
    }

    crate::queue_contract!(async |_: &str| over(Database::temporary().unwrap()), [#[tokio::test]]);

    #[tokio::test]
    async fn what_was_in_flight_is_visible_at_the_next_start_and_its_receipt_is_none() {
        let folder = std::env::temp_dir().join(format!("postledger-queue-{}", std::process::id()));
        let first = over(Database::open(&folder).unwrap());
        first.queue.send(QueueName::Critical, "one").await.unwrap();
        let held = first.queue.receive(QueueName::Critical, 1).await.unwrap().remove(0);
        drop(first);
        let next = over(Database::open(&folder).unwrap());
        next.queue.delete(QueueName::Critical, std::slice::from_ref(&held.receipt)).await.unwrap();
        let again = next.queue.receive(QueueName::Critical, 1).await.unwrap().remove(0);
        assert_eq!((again.id, again.body.as_str(), again.receives), (held.id, "one", 2));
        drop(next);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn what_is_sent_while_an_empty_queue_is_asked_is_never_overlooked() {
        let queue = over(Database::temporary().unwrap()).queue;
        let sending = {
            let queue = queue.clone();
            tokio::spawn(async move {
                for n in 0..200 {
                    queue.send(QueueName::Bulk, &n.to_string()).await.unwrap();
                }
            })
        };
        let mut received = 0;
        while received < 200 {
            let some = queue.receive(QueueName::Bulk, 10).await.unwrap();
            received += some.len();
            tokio::task::yield_now().await;
        }
        sending.await.unwrap();
    }
}

//! Queues in memory, with the semantics of SQS standard queues: visibility timeout, receive counts, dead
//! letters, and on request also any order, and the same message twice.

use crate::{Depth, Message, Queue, QueueError, QueueName, RECEIVE_MAX, Sender, check_body};
use async_trait::async_trait;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How the queues behave.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long a received message stays invisible.
    pub visibility: Duration,
    /// After how many receives a message goes to the dead-letter queue.
    pub receives_max: u32,
    /// Out of how many receives one leaves the message visible, so that it comes twice; 0: never.
    pub duplicate_one_in: u32,
    /// Whether messages come in random order, from this seed.
    pub shuffle: Option<u64>,
}

/// As the deployed queues.
impl Default for Settings {
    fn default() -> Settings {
        Settings {
            visibility: crate::VISIBILITY,
            receives_max: crate::RECEIVES_MAX,
            duplicate_one_in: 0,
            shuffle: None,
        }
    }
}

/// All queues of a stack.
#[derive(Debug)]
pub struct Memory {
    settings: Settings,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queues: BTreeMap<QueueName, One>,
    sent: u64,
    received: u64,
    random: u64,
}

#[derive(Debug, Default)]
struct One {
    visible: VecDeque<Entry>,
    in_flight: HashMap<String, Entry>,
    due: BinaryHeap<Reverse<(Instant, String)>>,
}

#[derive(Clone, Debug)]
struct Entry {
    id: u64,
    body: String,
    receives: u32,
}

impl State {
    /// xorshift: enough to mix an order.
    fn below(&mut self, bound: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % bound.max(1) as u64) as usize
    }
}

impl Memory {
    /// Empty queues.
    pub fn new(settings: Settings) -> Memory {
        let state = State { random: settings.shuffle.unwrap_or(1).max(1), ..State::default() };
        Memory { settings, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Memory {
    fn default() -> Memory {
        Memory::new(Settings::default())
    }
}

#[async_trait]
impl Sender for Memory {
    async fn send(&self, to: QueueName, body: &str) -> Result<(), QueueError> {
        check_body(body)?;
        let mut state = self.lock();
        state.sent += 1;
        let entry = Entry { id: state.sent, body: body.to_owned(), receives: 0 };
        state.queues.entry(to).or_default().visible.push_back(entry);
        Ok(())
    }
}

#[async_trait]
impl Queue for Memory {
    async fn receive(&self, from: QueueName, max: usize) -> Result<Vec<Message>, QueueError> {
        let now = Instant::now();
        let mut guard = self.lock();
        let state = &mut *guard;
        let mut messages = Vec::new();
        let mut dead = Vec::new();
        expire(state.queues.entry(from).or_default(), now);
        while messages.len() < max.min(RECEIVE_MAX) {
            let waiting = state.queues.entry(from).or_default().visible.len();
            if waiting == 0 {
                break;
            }
            let place = if self.settings.shuffle.is_some() { state.below(waiting) } else { 0 };
            let duplicate = self.settings.duplicate_one_in > 0
                && state.below(self.settings.duplicate_one_in as usize) == 0;
            let queue = state.queues.entry(from).or_default();
            let taken =
                if place == 0 { queue.visible.pop_front() } else { queue.visible.swap_remove_back(place) };
            let Some(mut entry) = taken else { break };
            if from.dead().is_some() && entry.receives >= self.settings.receives_max {
                dead.push(entry);
                continue;
            }
            entry.receives += 1;
            state.received += 1;
            let receipt = format!("{}.{}", entry.id, state.received);
            messages.push(Message {
                id: format!("m{}", entry.id),
                receipt: receipt.clone(),
                body: entry.body.clone(),
                receives: entry.receives,
                sender: None,
            });
            if duplicate {
                queue.visible.push_back(entry.clone());
            }
            queue.due.push(Reverse((now + self.settings.visibility, receipt.clone())));
            queue.in_flight.insert(receipt, entry);
        }
        if let Some(to) = from.dead() {
            state.queues.entry(to).or_default().visible.extend(dead);
        }
        Ok(messages)
    }

    async fn delete(&self, from: QueueName, receipts: &[String]) -> Result<(), QueueError> {
        let mut state = self.lock();
        let queue = state.queues.entry(from).or_default();
        for receipt in receipts {
            queue.in_flight.remove(receipt);
        }
        Ok(())
    }

    async fn depth(&self, of: QueueName) -> Result<Depth, QueueError> {
        let mut state = self.lock();
        let queue = state.queues.entry(of).or_default();
        expire(queue, Instant::now());
        Ok(Depth { visible: queue.visible.len(), in_flight: queue.in_flight.len() })
    }
}

/// Makes visible again what nobody deleted in time.
fn expire(queue: &mut One, now: Instant) {
    while queue.due.peek().is_some_and(|Reverse((due, _))| *due <= now) {
        if let Some(Reverse((_, receipt))) = queue.due.pop()
            && let Some(entry) = queue.in_flight.remove(&receipt)
        {
            queue.visible.push_back(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract;
    use std::sync::Arc;

    struct InMemory(Arc<Memory>, Settings);

    #[async_trait]
    impl contract::Harness for InMemory {
        fn queue(&self) -> Arc<dyn Queue> {
            self.0.clone()
        }

        async fn let_visibility_pass(&self) {
            tokio::time::advance(self.1.visibility).await;
        }

        fn receives_max(&self) -> u32 {
            self.1.receives_max
        }
    }

    fn fresh(shuffle: Option<u64>) -> InMemory {
        let settings = Settings { receives_max: 3, shuffle, ..Settings::default() };
        InMemory(Arc::new(Memory::new(settings)), settings)
    }

    mod in_order {
        crate::queue_contract!(async |_: &str| super::fresh(None), [#[tokio::test(start_paused = true)]]);
    }

    mod in_any_order {
        crate::queue_contract!(async |_: &str| super::fresh(Some(7)), [#[tokio::test(start_paused = true)]]);
    }

    #[tokio::test]
    async fn a_message_comes_twice_when_asked_for() {
        let queue = Memory::new(Settings { duplicate_one_in: 1, ..Settings::default() });
        queue.send(QueueName::Bulk, "one").await.unwrap();
        let first = queue.receive(QueueName::Bulk, 1).await.unwrap().remove(0);
        let second = queue.receive(QueueName::Bulk, 1).await.unwrap().remove(0);
        assert_eq!((first.id, first.body), (second.id, second.body));
    }
}

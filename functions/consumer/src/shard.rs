//! Which shard of an hour's counters an environment adds to: one of its own, until a transaction conflicts there.
//!
//! Every transaction of a stream's hour writes that hour's counters, and if two write the same item at the same time,
//! DynamoDB cancels one. Two environments that always kept the shard that they first drew would collide for as long as
//! they live. So an environment whose transaction is cancelled draws another shard, and soon each has its own. [`SHARDS`]
//! explains how many there are.
//!
//! Moving to another shard never counts anything twice. Counters have no condition of their own, but the same transaction
//! records the event that they count, on condition that it is not recorded yet. If a cancelled or unanswered transaction was
//! applied after all, the next one fails by that condition, whatever its shard.

use ledger::Class;
use std::sync::atomic::{AtomicU8, Ordering};
use store::SHARDS;

/// How many shards each kind of work has.
const EACH: u8 = SHARDS / 2;

/// The shards that an environment adds to.
pub(crate) struct Shards {
    /// Below [`EACH`].
    bulk: AtomicU8,
    /// From [`EACH`] on: bulk and critical never meet.
    critical: AtomicU8,
}

impl Shards {
    /// Draws them.
    pub(crate) fn draw() -> Shards {
        Shards {
            bulk: AtomicU8::new(fastrand::u8(..EACH)),
            critical: AtomicU8::new(fastrand::u8(EACH..SHARDS)),
        }
    }

    /// The shard for counters of a class.
    pub(crate) fn of(&self, class: Class) -> u8 {
        match class {
            Class::State => self.critical.load(Ordering::Relaxed),
            Class::Delivery | Class::Engagement => self.bulk.load(Ordering::Relaxed),
        }
    }

    /// Draws another in the place of one where a transaction conflicted; nothing where that was done since, as where
    /// several transactions of a batch conflict at once.
    pub(crate) fn leave(&self, met: u8) {
        let (mine, first) = if met < EACH { (&self.bulk, 0) } else { (&self.critical, EACH) };
        let drawn = first + fastrand::u8(..EACH - 1);
        let other = if drawn < met { drawn } else { drawn + 1 };
        let _ = mine.compare_exchange(met, other, Ordering::Relaxed, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn whoever_leaves_a_shard_gets_another_of_the_same_kind() {
        let shards = Shards::draw();
        for _ in 0..1_000 {
            let (bulk, critical) = (shards.of(Class::Delivery), shards.of(Class::State));
            assert_eq!(shards.of(Class::Engagement), bulk);
            assert!(bulk < EACH && (EACH..SHARDS).contains(&critical));
            shards.leave(bulk);
            assert_ne!(shards.of(Class::Delivery), bulk);
            assert_eq!(shards.of(Class::State), critical, "the other kind stays");
            shards.leave(critical);
            assert_ne!(shards.of(Class::State), critical);
        }
    }

    #[test]
    fn a_shard_that_was_left_already_is_not_left_twice() {
        let shards = Shards::draw();
        let met = shards.of(Class::Delivery);
        shards.leave(met);
        let now = shards.of(Class::Delivery);
        shards.leave(met);
        assert_eq!(shards.of(Class::Delivery), now);
    }

    /// How many transactions are cancelled while the given number is committed. Each environment has one transaction under
    /// way for 5 to 10 ms, and then does something else for up to 10 ms. A transaction that begins while another one is
    /// under way in its shard is cancelled, and begins again after 10 to 20 ms.
    fn cancelled(environments: usize, transactions: u32) -> u32 {
        let shards: Vec<Shards> = (0..environments).map(|_| Shards::draw()).collect();
        let mut begins: Vec<f64> = (0..environments).map(|_| 20.0 * fastrand::f64()).collect();
        let mut busy: HashMap<u8, f64> = HashMap::new();
        let (mut committed, mut cancelled) = (0, 0);
        while committed < transactions {
            let next = (0..environments).min_by(|a, b| begins[*a].total_cmp(&begins[*b])).unwrap();
            let (now, shard) = (begins[next], shards[next].of(Class::Delivery));
            let until = now + 5.0 + 5.0 * fastrand::f64();
            if busy.get(&shard).is_some_and(|busy| *busy > now) {
                cancelled += 1;
                shards[next].leave(shard);
                begins[next] = until + 10.0 + 10.0 * fastrand::f64();
            } else {
                committed += 1;
                busy.insert(shard, until);
                begins[next] = until + 10.0 * fastrand::f64();
            }
        }
        cancelled
    }

    #[test]
    fn of_a_hundred_thousand_events_that_ten_environments_count_less_than_2_percent_are_cancelled() {
        // 99 events and their counter are a transaction.
        let transactions = 100_000_u32.div_ceil(99);
        let blasts: Vec<u32> = (0..500).map(|_| cancelled(10, transactions)).collect();
        let (worst, all) = (blasts.iter().max().unwrap(), blasts.iter().sum::<u32>());
        assert!(f64::from(*worst) < 0.02 * f64::from(transactions), "{worst} in the worst of 500");
        assert!(all > 0, "they do meet at first");
    }
}

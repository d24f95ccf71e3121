//! From when on the index by time is whole, and the filling of older events into it.
//!
//! A stack on AWS may switch the index on when it has events already. Those lie in no list until [`fill`] has put each into
//! the index. Which of it is whole is noted in the registry.
//!
//! Invariant: nothing is said to be whole that may not be. A stack of which nothing is noted counts as one that has switched
//! the index on just now; and a walk over the table ends the waiting only if it began when no function ran any more that
//! knew of no index.

use crate::item::Key;
use crate::{ByTime, Collection, Cursor, DocumentStore, Edit, IndexStore, Scan, StoreError, edit};
use ledger::Time;
use ledger::time::FUTURE_SECONDS_MAX;
use platform::Clock;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::Instant;

/// The name of the document.
const NAME: &str = "by_time";
/// For how many seconds after the index was switched on a function may still write without it: as long as Lambda lets any
/// run.
const FUNCTION_SECONDS_MAX: i64 = 900;
/// From how many seconds after the index was switched on it is whole: no event of that time was recorded without it.
pub const SETTLED_SECONDS: i64 = FUNCTION_SECONDS_MAX + FUTURE_SECONDS_MAX;

/// How many events are read at once; then the place is kept.
const PAGE_EVENTS: usize = 200;
/// How many events are put into the index before the rate is looked at.
pub(crate) const AT_ONCE: usize = 16;
/// How many events are read in the time in which one may be put into the index.
const READS_TO_A_FILL: u32 = 10;

/// What the index by time holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wholeness {
    /// There is none.
    Off,
    /// All events.
    Whole,
    /// All events that happened at this instant or later, and of the older ones those that were filled in.
    From(Time),
    /// Nobody has noted what it holds.
    Unknown,
}

/// What is noted of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum Noted {
    /// It is about to be switched on or off.
    Off,
    /// All events are in it.
    Whole,
    /// Those from an instant on are, in microseconds, and of the older ones so many as were filled in.
    From { from: i64, fill: Place },
}

/// How far filling is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// The last event that was read, by its key, which holds no address.
    after: Option<Key>,
    #[serde(flatten)]
    so_far: Filled,
}

/// How much was done, in all runs together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filled {
    /// How many events were read.
    pub read: u64,
    /// How many of them were put into the index.
    pub filled: u64,
}

/// Why the index is not filled, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    /// The tables cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no index.
    #[error("this stack keeps no index by time")]
    Off,
    /// Functions that know of no index may still write until this instant.
    #[error("the index was switched on minutes ago, and until {0} events may still be recorded without it")]
    TooSoon(Time),
    /// The index is being switched off or on, or was meanwhile.
    #[error("a deployment is switching the index by time off or on, or did not come to its end")]
    Switched,
    /// Another run fills it.
    #[error("the index is being filled by another run")]
    Elsewhere,
}

fn parse(text: &str) -> Result<Noted, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Damaged("registry"))
}

fn text(noted: &Noted) -> String {
    serde_json::to_string(noted).unwrap_or_else(|_| unreachable!("a note is plain JSON"))
}

async fn noted(store: &(impl DocumentStore + ?Sized)) -> Result<Option<Noted>, StoreError> {
    let document = store.document(&Collection::Index, NAME).await?;
    document.map(|document| parse(&document.text)).transpose()
}

/// What the index holds.
pub async fn wholeness(store: &(impl IndexStore + DocumentStore + ?Sized)) -> Result<Wholeness, StoreError> {
    match store.by_time() {
        ByTime::Never => return Ok(Wholeness::Off),
        ByTime::Always => return Ok(Wholeness::Whole),
        ByTime::Switched => {}
    }
    Ok(match noted(store).await? {
        None | Some(Noted::Off) => Wholeness::Unknown,
        Some(Noted::Whole) => Wholeness::Whole,
        Some(Noted::From { from, .. }) => Wholeness::From(Time::from_micros(from)),
    })
}

/// From when on the index by time holds all events; `None`: it holds all that there are, or there is none.
pub async fn whole_from(
    store: &(impl IndexStore + DocumentStore + ?Sized),
    now: Time,
) -> Result<Option<Time>, StoreError> {
    Ok(match wholeness(store).await? {
        Wholeness::Off | Wholeness::Whole => None,
        Wholeness::From(from) => Some(from),
        Wholeness::Unknown => Some(now),
    })
}

/// Notes that the index is switched on: of a stack that has no event yet, from its first one on. What is noted of an index
/// that is on stays.
pub async fn note_on(store: &dyn DocumentStore, now: Time, has_no_event: bool) -> Result<(), StoreError> {
    let fresh = || match has_no_event {
        true => Noted::Whole,
        false => Noted::From { from: now.plus_seconds(SETTLED_SECONDS).micros(), fill: Place::default() },
    };
    edit(store, &Collection::Index, NAME, |known| {
        Ok(match known.map(parse).transpose()? {
            None | Some(Noted::Off) => Edit::Write(text(&fresh()), ()),
            Some(Noted::Whole | Noted::From { .. }) => Edit::Keep(()),
        })
    })
    .await
}

/// Notes that the index is about to be switched on or off: until it is noted to be on, nothing of it counts as whole.
pub async fn note_off(store: &dyn DocumentStore) -> Result<(), StoreError> {
    edit(store, &Collection::Index, NAME, |known| {
        Ok(match known.map(parse).transpose()? {
            Some(Noted::Off) => Edit::Keep(()),
            None | Some(_) => Edit::Write(text(&Noted::Off), ()),
        })
    })
    .await
}

/// How much was filled in before, in runs that did not come to their end.
pub async fn so_far(store: &(impl DocumentStore + ?Sized)) -> Result<Filled, StoreError> {
    Ok(match noted(store).await? {
        Some(Noted::From { fill, .. }) => fill.so_far,
        None | Some(Noted::Off | Noted::Whole) => Filled::default(),
    })
}

/// Puts the events into the index that were recorded before it was switched on, at most so many a second, and notes then
/// that it is whole. Where an earlier run stopped it goes on.
///
/// # Errors
/// [`FillError`]; what was filled in until then is, and the place is kept.
pub async fn fill(
    store: &dyn Scan,
    clock: &Clock,
    rate: u32,
    mut progress: impl FnMut(Filled) + Send,
) -> Result<Filled, FillError> {
    match wholeness(store).await? {
        Wholeness::Off => return Err(FillError::Off),
        Wholeness::Whole => return Ok(Filled::default()),
        Wholeness::From(_) => {}
        Wholeness::Unknown => match noted(store).await? {
            // An older release switched it on, and noted nothing.
            None => note_on(store, clock(), false).await?,
            Some(_) => return Err(FillError::Switched),
        },
    }
    let Some(Noted::From { from, fill: mut place }) = noted(store).await? else {
        return Err(FillError::Switched);
    };
    let settled = Time::from_micros(from).plus_seconds(-FUTURE_SECONDS_MAX);
    if clock() < settled {
        return Err(FillError::TooSoon(settled));
    }
    let (began, before) = (Instant::now(), place.so_far);
    let mut kept = place.clone();
    progress(place.so_far);
    loop {
        let after = place.after.take().map(|key| Cursor { key, at: None });
        let page = store.scan_unindexed(after, PAGE_EVENTS).await?;
        for some in page.items.chunks(AT_ONCE) {
            place.so_far.filled += store.index_by_time(some).await?;
            progress(place.so_far);
            tokio::time::sleep_until(began + due(before, place.so_far, rate)).await;
        }
        place.so_far.read += page.read;
        progress(place.so_far);
        let so_far = place.so_far;
        let Some(next) = page.next else {
            keep(store, from, None, Noted::Whole).await?;
            return Ok(so_far);
        };
        place.after = Some(next.key);
        keep(store, from, Some(&kept), Noted::From { from, fill: place.clone() }).await?;
        kept = place.clone();
        tokio::time::sleep_until(began + due(before, so_far, rate)).await;
    }
}

/// How long a run takes at least until so much is done.
fn due(before: Filled, so_far: Filled, rate: u32) -> Duration {
    let seconds = |done: u64, rate: u32| Duration::from_secs(done) / rate.max(1);
    let filled = seconds(so_far.filled - before.filled, rate);
    filled.max(seconds(so_far.read - before.read, rate.saturating_mul(READS_TO_A_FILL)))
}

/// Notes how far filling is, unless the index was switched meanwhile, or another run was further than `before`.
async fn keep(store: &dyn Scan, since: i64, before: Option<&Place>, now: Noted) -> Result<(), FillError> {
    edit(store, &Collection::Index, NAME, |known| match known.map(parse).transpose()? {
        Some(Noted::From { from, fill }) if from == since => match before {
            Some(before) if *before != fill => Err(FillError::Elsewhere),
            _ => Ok(Edit::Write(text(&now), ())),
        },
        // Another run came to the end first.
        Some(Noted::Whole) => Ok(Edit::Keep(())),
        None | Some(_) => Err(FillError::Switched),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{at, recorded, server};
    use crate::{Action, Memory, Recorded, TimeRange, item};
    use ledger::event::What;
    use std::sync::Arc;

    fn clock(at: Time) -> Clock {
        Arc::new(move || at)
    }

    fn later() -> Clock {
        clock(at(FUNCTION_SECONDS_MAX))
    }

    async fn record(store: &dyn Scan, events: impl Iterator<Item = i64>) {
        let events: Vec<Recorded> = events.map(|n| recorded(n, What::Delivery, 10)).collect();
        for some in events.chunks(100) {
            let some: Vec<Action> = some.iter().cloned().map(Action::Record).collect();
            store.commit(&some).await.unwrap();
        }
    }

    /// How many events the index has.
    async fn listed(store: &dyn Scan) -> usize {
        let (mut listed, day) = (0, TimeRange { from: at(0), to: at(80_000) });
        for slot in 0..item::TIME_SLOTS {
            listed += store.happened(server(), "outbound", slot, day, 9_999).await.unwrap().unwrap().len();
        }
        listed
    }

    #[tokio::test]
    async fn an_index_of_which_nothing_is_noted_counts_as_switched_on_just_now() {
        let store = Memory::switched_by_time();
        assert_eq!(wholeness(&store).await, Ok(Wholeness::Unknown));
        assert_eq!(whole_from(&store, at(5)).await, Ok(Some(at(5))));
        assert_eq!(
            whole_from(&Memory::default(), at(5)).await,
            Ok(None),
            "on one machine it is always whole"
        );
        assert_eq!(wholeness(&Memory::without_by_time()).await, Ok(Wholeness::Off));
    }

    #[tokio::test]
    async fn a_stack_that_has_the_index_from_its_first_event_on_is_whole_from_the_start() {
        let store = Memory::switched_by_time();
        for now in [at(0), at(9)] {
            note_on(&store, now, true).await.unwrap();
            assert_eq!(whole_from(&store, at(5)).await, Ok(None));
            note_on(&store, now, false).await.unwrap();
            assert_eq!(whole_from(&store, at(5)).await, Ok(None), "what is noted stays");
        }
    }

    #[tokio::test]
    async fn an_index_that_is_switched_on_later_is_whole_from_when_no_old_function_writes_any_more() {
        let store = Memory::switched_by_time();
        note_on(&store, at(0), false).await.unwrap();
        note_on(&store, at(9), true).await.unwrap();
        assert_eq!(whole_from(&store, at(5)).await, Ok(Some(at(SETTLED_SECONDS))));
    }

    #[tokio::test]
    async fn an_index_that_is_switched_off_in_between_is_not_whole() {
        let store = Memory::switched_by_time();
        note_off(&store).await.unwrap();
        assert_eq!(wholeness(&store).await, Ok(Wholeness::Unknown));
        note_on(&store, at(0), true).await.unwrap();
        note_off(&store).await.unwrap();
        assert_eq!(wholeness(&store).await, Ok(Wholeness::Unknown));
        note_on(&store, at(7), false).await.unwrap();
        assert_eq!(whole_from(&store, at(5)).await, Ok(Some(at(7 + SETTLED_SECONDS))));
    }

    #[tokio::test(start_paused = true)]
    async fn filling_makes_it_whole_and_once_more_does_nothing() {
        let [old, new] = Memory::default().before_and_with_by_time();
        record(&old, 0..450).await;
        note_on(&new, at(0), false).await.unwrap();
        record(&new, 450..460).await;
        assert_eq!(listed(&new).await, 10);
        let mut told = Vec::new();
        let done = fill(&new, &later(), 1_000, |so_far| told.push(so_far)).await;
        assert_eq!(done, Ok(Filled { read: 460, filled: 450 }));
        assert!(told.is_sorted_by_key(|so_far| (so_far.read, so_far.filled)) && told.len() > 20);
        assert_eq!((listed(&new).await, whole_from(&new, at(5)).await), (460, Ok(None)));
        assert_eq!(fill(&new, &later(), 1_000, |_| ()).await, Ok(Filled::default()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_is_stopped_is_gone_on_with_where_it_was_and_nothing_is_whole_until_the_end() {
        let [old, new] = Memory::default().before_and_with_by_time();
        record(&old, 0..450).await;
        note_on(&new, at(0), false).await.unwrap();
        let clock = later();
        let most = Duration::from_secs(3);
        tokio::time::timeout(most, fill(&new, &clock, 100, |_| ())).await.unwrap_err();
        let before = so_far(&new).await.unwrap();
        assert_eq!(before, Filled { read: 200, filled: 200 }, "a page is done, and another one half");
        assert_eq!(whole_from(&new, at(5)).await, Ok(Some(at(SETTLED_SECONDS))));
        let mut told = Vec::new();
        let done = fill(&new, &clock, 100, |so_far| told.push(so_far)).await.unwrap();
        assert_eq!((told[0], done.read), (before, 450), "no event is read once more");
        assert_eq!((listed(&new).await, whole_from(&new, at(5)).await), (450, Ok(None)));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_events_a_second_are_filled_in_than_the_rate_allows() {
        let [old, new] = Memory::default().before_and_with_by_time();
        record(&old, 0..300).await;
        note_on(&new, at(0), false).await.unwrap();
        let began = Instant::now();
        fill(&new, &later(), 50, |_| ()).await.unwrap();
        let seconds = began.elapsed().as_secs_f64();
        assert!((5.5..=6.5).contains(&seconds), "{seconds}");
    }

    #[tokio::test]
    async fn while_a_deployment_switches_the_index_nothing_is_filled_and_nothing_is_noted() {
        let store = Memory::switched_by_time();
        note_off(&store).await.unwrap();
        assert_eq!(fill(&store, &later(), 1, |_| ()).await, Err(FillError::Switched));
        assert_eq!(wholeness(&store).await, Ok(Wholeness::Unknown));
        // Rolled back: what ran meanwhile may have written without it.
        note_on(&store, at(7), false).await.unwrap();
        assert_eq!(whole_from(&store, at(5)).await, Ok(Some(at(7 + SETTLED_SECONDS))));
    }

    #[tokio::test(start_paused = true)]
    async fn of_two_runs_one_stops_and_takes_nothing_back() {
        let [old, new] = Memory::default().before_and_with_by_time();
        record(&old, 0..650).await;
        note_on(&new, at(0), false).await.unwrap();
        let clock = later();
        let [one, other] = [100, 50].map(|rate| fill(&new, &clock, rate, |_| ()));
        let mut ends = <[_; 2]>::from(tokio::join!(one, other));
        ends.sort_by_key(Result::is_err);
        assert_eq!(ends[0].as_ref().map(|done| done.read), Ok(650));
        assert_eq!(ends[1], Err(FillError::Elsewhere));
        assert_eq!((listed(&new).await, whole_from(&new, at(5)).await), (650, Ok(None)));
    }

    #[tokio::test]
    async fn nothing_is_filled_while_a_function_may_still_write_without_the_index() {
        let store = Memory::switched_by_time();
        let soon = clock(at(FUNCTION_SECONDS_MAX - 1));
        note_on(&store, at(0), false).await.unwrap();
        let refused = Err(FillError::TooSoon(at(FUNCTION_SECONDS_MAX)));
        assert_eq!(fill(&store, &soon, 1, |_| ()).await, refused);
        // Of which nothing is noted: it may have been switched on just now.
        let unknown = Memory::switched_by_time();
        assert_eq!(fill(&unknown, &clock(at(0)), 1, |_| ()).await, refused);
        assert_eq!(whole_from(&unknown, at(5)).await, Ok(Some(at(SETTLED_SECONDS))));
        assert_eq!(fill(&Memory::without_by_time(), &soon, 1, |_| ()).await, Err(FillError::Off));
    }

    #[tokio::test(start_paused = true)]
    async fn a_switch_meanwhile_ends_a_run_without_saying_that_it_is_whole() {
        for again in [false, true] {
            let [old, new] = Memory::default().before_and_with_by_time();
            record(&old, 0..450).await;
            note_on(&new, at(0), false).await.unwrap();
            let clock = later();
            let switch = async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                note_off(&new).await.unwrap();
                if again {
                    note_on(&new, at(1), false).await.unwrap();
                }
            };
            let (done, ()) = tokio::join!(fill(&new, &clock, 100, |_| ()), switch);
            assert_eq!(done, Err(FillError::Switched));
            assert!(whole_from(&new, at(5)).await.unwrap().is_some());
        }
    }
}

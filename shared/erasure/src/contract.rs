//! What stripping must do on every implementation of the tables: cases that each runs through unchanged.

#![allow(missing_docs, reason = "a case's name is the sentence that it proves")]

use crate::strip;
use faults::{Fault, Plan};
use ledger::Class;
use ledger::event::{Cause, What};
use ledger::fold::EventSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use store::contract::{held, identity, recipient, recorded, scanned, server};
use store::{Action, Faulty, Recorded, Scan, Seen};

/// Makes a test of each case: `$fresh` is a function from a case's name to empty tables.
#[macro_export]
macro_rules! erasure_contract {
    ($fresh:expr) => {
        $crate::erasure_contract!(
            @ $fresh,
            an_erased_recipient_is_stripped_and_stays_what_it_was,
            a_lost_answer_leaves_nobody_half_erased
        );
    };
    (@ $fresh:expr, $($case:ident),*) => {
        $(#[tokio::test]
        async fn $case() {
            $crate::contract::$case(($fresh)(stringify!($case)).await).await;
        })*
    };
}

/// A recipient of every class, on so many streams, with a view as its consumer leaves it.
async fn somebody(store: &dyn Scan, streams: i64) {
    let mut set = EventSet::default();
    for n in 0..streams {
        let mut one = recorded(n, What::Suppressed { cause: Cause::Complaint }, 20);
        one.event.stream = format!("stream {n}");
        set.offer(one.event.clone());
        store.commit(&[Action::Record(one)]).await.expect("commit");
    }
    for n in 0..130 {
        let what = if n % 2 == 0 { What::Delivery } else { What::Open { first: true, machine: n % 3 == 0 } };
        store.commit(&[Action::Record(recorded(1_000 + n, what, 20))]).await.expect("commit");
    }
    let view = set.view().expect("a view");
    for (stream, row) in view.rows() {
        let row = Action::PutRow(server(), recipient(), stream.to_owned(), row, view.address.clone());
        store.commit(&[row]).await.expect("commit");
    }
    store.commit(&[Action::PutView(view, None)]).await.expect("commit");
}

async fn everything(store: &dyn Scan) -> Vec<Recorded> {
    scanned(async |after| store.scan_events(server(), after).await).await
}

pub async fn an_erased_recipient_is_stripped_and_stays_what_it_was(store: Arc<dyn Scan>) {
    let store = &*store;
    // More rows, and more events of each class, than a transaction takes.
    somebody(store, 120).await;
    let (before, (views, _)) = (everything(store).await, held(store).await);
    let stripped = strip(store, server(), recipient()).await.expect("strip");
    assert_eq!(stripped.events, 250);
    let after = everything(store).await;
    let expected = before.into_iter().map(Recorded::stripped);
    assert!(after.iter().cloned().eq(expected), "only address and body are gone");
    let (stripped_views, rows) = held(store).await;
    let [view] = &stripped_views[..] else { panic!("one view") };
    assert_eq!((&view.address, &view.streams, rows.len()), (&None, &views[0].streams, 120));
    assert!(rows.iter().all(|(_, row)| row.text("address").is_none()));
    let again = strip(store, server(), recipient()).await.expect("strip");
    assert_eq!((again.events, everything(store).await == after), (0, true));
    assert_eq!(held(store).await, (stripped_views.clone(), rows), "twice is as once");

    // Its copy is still told from a better one, which is stripped in its turn.
    let old = after.iter().find(|one| one.event.identity == identity(0)).expect("the first");
    let mut better = recorded(0, What::Suppressed { cause: Cause::Complaint }, 30);
    (better.event.stream, better.event.body_hash) = (old.event.stream.clone(), [0; 16]);
    let replace = Action::Replace(better.clone(), Seen::from(&old.event));
    let mut set: EventSet = after.iter().map(|one| one.event.clone()).collect();
    set = set.iter().filter(|one| one.class() == Class::State).cloned().collect();
    set.offer(better.event.clone());
    let put = Action::PutView(set.view().expect("a view"), Some(view.folded));
    store.commit(&[replace, put]).await.expect("commit");
    assert_eq!(strip(store, server(), recipient()).await.expect("strip").events, 1);
    let kept = store.event(server(), recipient(), Class::State, identity(0)).await.expect("event");
    assert_eq!(kept, Some(better.stripped()));
    assert!(held(store).await.0.iter().all(|view| view.address.is_none()));
}

pub async fn a_lost_answer_leaves_nobody_half_erased(store: Arc<dyn Scan>) {
    somebody(&*store, 60).await;
    // Each time one call further, until none is left to fail.
    for nth in 1.. {
        let calls = AtomicUsize::new(0);
        let lose = move |_| {
            let called = calls.fetch_add(1, Ordering::Relaxed) + 1;
            if called == nth { Fault::LoseAnswer } else { Fault::None }
        };
        let faulty = Faulty::new(store.clone(), Plan::new(lose));
        if strip(&faulty, server(), recipient()).await.is_ok() {
            break;
        }
    }
    assert!(everything(&*store).await.iter().all(Recorded::is_stripped));
    let (views, rows) = held(&*store).await;
    assert!(views.iter().all(|view| view.address.is_none()));
    assert!(rows.len() == 60 && rows.iter().all(|(_, row)| row.text("address").is_none()));
}

#[cfg(test)]
mod in_memory {
    use super::*;

    crate::erasure_contract!(async |_: &str| Arc::new(store::Memory::default()) as Arc<dyn Scan>);
}

#[cfg(test)]
mod in_a_file {
    use super::*;

    crate::erasure_contract!(async |_: &str| {
        let database = sqlite::Database::temporary().unwrap();
        Arc::new(store::Sqlite::new(database)) as Arc<dyn Scan>
    });
}

//! What is read through indexes.

use super::{at, count, recorded, scanned, server, text_of};
use crate::{
    Action, Cursor, ITEM_BYTES_MAX, Listing, MessageKey, PAGE_BYTES_MAX, Recorded, SHARDS, Scan, Seen, Store,
    StoreError, TimeRange, item,
};
use ledger::event::{Cause, WHOLE_SERVER, What};
use ledger::fold::StreamRow;
use ledger::{LedgerKey, RecipientId, ServerId, Source};
use std::sync::Arc;

fn recipient(n: i64) -> RecipientId {
    LedgerKey::for_tests().recipient_id(server(), &format!("{n}@customer.example"))
}

/// Others, one of whose numbers begins with the server's.
fn others() -> [ServerId; 2] {
    [9, server().get() * 10].map(|other| ServerId::new(other).expect("a server id"))
}

fn row(of: ServerId, n: i64, stream: &str, since: i64, address: Option<&str>) -> Action {
    let row = StreamRow { since: at(since), causes: vec!["complaint", "hard_bounce"] };
    Action::PutRow(of, recipient(n), stream.to_owned(), row, address.map(str::to_owned))
}

async fn list(store: &dyn Scan, stream: &str) -> Vec<Listing> {
    scanned(async |after| store.suppressed(server(), stream, TimeRange::ALL, after, None).await).await
}

pub async fn a_list_holds_the_rows_of_a_stream_oldest_first(store: Arc<dyn Scan>) {
    let store = &*store;
    let actions = vec![
        row(server(), 1, "outbound", 30, Some("1@customer.example")),
        row(server(), 2, "outbound", 10, None),
        row(server(), 3, "outbound", 20, None),
        row(server(), 4, "outbound", 20, None),
        row(server(), 1, "outbound-2", 1, None),
        row(server(), 1, WHOLE_SERVER, 2, None),
        row(others()[0], 1, "outbound", 3, None),
        row(others()[1], 1, "outbound", 4, None),
    ];
    store.commit(&actions).await.expect("commit");
    let found = list(store, "outbound").await;
    assert!(found.is_sorted_by_key(|row| row.since));
    let mut who: Vec<RecipientId> = found.iter().map(|row| row.recipient).collect();
    who[1..3].sort();
    let mut tied = [recipient(3), recipient(4)];
    tied.sort();
    assert_eq!(who, [recipient(2), tied[0], tied[1], recipient(1)]);
    let last = Listing {
        recipient: recipient(1),
        since: at(30),
        causes: vec!["complaint".to_owned(), "hard_bounce".to_owned()],
        address: Some("1@customer.example".to_owned()),
    };
    assert_eq!((found.last(), &found[0].address), (Some(&last), &None));
    for (stream, since) in [("outbound-2", 1), (WHOLE_SERVER, 2)] {
        let found = list(store, stream).await;
        assert_eq!(found.iter().map(|row| row.since).collect::<Vec<_>>(), [at(since)], "{stream}");
    }
    assert_eq!(list(store, "never").await, []);
    // One moves, one goes, one stays.
    let moves = vec![
        row(server(), 2, "outbound", 40, None),
        Action::DeleteRow(server(), recipient(3), "outbound".to_owned()),
        row(server(), 4, "outbound", 20, None),
    ];
    store.commit(&moves).await.expect("commit");
    let who = list(store, "outbound").await.into_iter().map(|row| row.recipient);
    assert_eq!(who.collect::<Vec<_>>(), [4, 1, 2].map(recipient));
}

pub async fn a_list_larger_than_a_page_is_read_page_by_page(store: Arc<dyn Scan>) {
    let store = &*store;
    let (rows, bytes) = (12, 300 * 1024);
    let address = text_of(1, bytes);
    assert!(bytes < ITEM_BYTES_MAX && address.len() * rows > 3 * PAGE_BYTES_MAX);
    for n in 0..rows as i64 {
        // Three of each instant, so that a page ends between two of the same.
        let row = row(server(), n, "outbound", n / 3, Some(&address));
        store.commit(&[row]).await.expect("commit");
    }
    let first = store.suppressed(server(), "outbound", TimeRange::ALL, None, None).await.expect("a page");
    assert!(first.items.len() < rows && first.next.is_some());
    assert_eq!(first.read, first.items.len() as u64);
    let found = list(store, "outbound").await;
    assert!(found.is_sorted_by_key(|row| row.since));
    let mut who: Vec<RecipientId> = found.iter().map(|row| row.recipient).collect();
    who.sort();
    let mut all: Vec<RecipientId> = (0..rows as i64).map(recipient).collect();
    all.sort();
    assert_eq!(who, all, "each once");
    let scan = Cursor { at: None, ..first.next.expect("a cursor") };
    let refused = store
        .suppressed(server(), "outbound", TimeRange::ALL, Some(scan), None)
        .await
        .expect_err("not a list's");
    assert!(matches!(refused, StoreError::Invalid(_)), "{refused:?}");
}

pub async fn a_list_is_read_by_a_span_of_time_and_a_few_at_once(store: Arc<dyn Scan>) {
    let store = &*store;
    for n in 0..6 {
        store.commit(&[row(server(), n, "outbound", n / 2, None)]).await.expect("commit");
    }
    let span = |from, to| TimeRange { from: at(from), to: at(to) };
    let read = async |since, after, limit| {
        store.suppressed(server(), "outbound", since, after, limit).await.expect("a page")
    };
    let mut instants = Vec::new();
    let mut after = None;
    loop {
        let page = read(span(1, 2), after, Some(1)).await;
        assert!(page.items.len() <= 1);
        instants.extend(page.items.iter().map(|row| row.since));
        // As whoever keeps no more of a page than its last row goes on.
        let last = page.items.last();
        after = last.map(|row| Cursor::of_listing(server(), row.recipient, "outbound", row.since));
        if page.next.is_none() {
            break;
        }
    }
    assert_eq!(instants, [at(1), at(1), at(2), at(2)]);
    let gone = Cursor::of_listing(server(), recipient(99), "outbound", at(1));
    let found = read(TimeRange::ALL, Some(gone), None).await.items;
    assert!(found.len() <= 4 && found.iter().all(|row| row.since >= at(1)), "behind one that is not there");
    assert_eq!(read(span(3, 9), None, None).await.items, []);
    assert_eq!(read(span(2, 1), None, None).await.items, [], "from after until");
}

pub async fn what_happened_is_read_by_the_slots_of_a_day_latest_first(store: Arc<dyn Scan>) {
    let store = &*store;
    let events: Vec<Recorded> = (0..40)
        .map(|n| {
            let mut event = recorded(n, What::Delivery, 10);
            event.event.at = at(n % 20);
            event
        })
        .collect();
    store.commit(&events.iter().cloned().map(Action::Record).collect::<Vec<_>>()).await.expect("commit");
    let span = |from, to| TimeRange { from: at(from), to: at(to) };
    let stream = events[0].event.stream.clone();
    let mut found = Vec::new();
    for slot in 0..item::TIME_SLOTS {
        let read = async |within, limit| {
            store.happened(server(), &stream, slot, within, limit).await.expect("happened")
        };
        let Some(all) = read(span(0, 30), 100).await else {
            return;
        };
        assert!(all.is_sorted_by_key(|recorded| std::cmp::Reverse(recorded.event.at)));
        let few = read(span(0, 30), 2).await.expect("an index");
        let instants = |some: &[Recorded]| some.iter().map(|one| one.event.at).collect::<Vec<_>>();
        assert_eq!(instants(&few), instants(&all[..few.len()]));
        assert_eq!(few.len(), all.len().min(2));
        let within = read(span(5, 9), 100).await.expect("an index");
        assert!(within.iter().all(|one| (at(5)..=at(9)).contains(&one.event.at)));
        assert_eq!(read(span(30, 40), 100).await.expect("an index"), []);
        found.extend(all);
    }
    found.sort_by_key(|recorded| recorded.event.identity);
    let mut all = events;
    all.sort_by_key(|recorded| recorded.event.identity);
    assert_eq!(found, all, "each once, whole");
}

pub async fn the_newest_event_of_a_stream_and_the_watermark_of_the_queue_are_told(store: Arc<dyn Scan>) {
    let store = &*store;
    let newest = async |stream| store.newest(server(), stream).await.expect("newest");
    assert_eq!(newest("outbound").await, None);
    for (n, shard) in [(7_300, 3), (7_250, 9), (10, 0)] {
        let event = recorded(n, What::Delivery, 10);
        store.commit(&[count(n, shard, 1), Action::Record(event)]).await.expect("commit");
    }
    assert_eq!(newest("outbound").await, Some(at(7_300)), "of the last hour's shards the latest");
    assert_eq!(newest("outbound-2").await, None);
    for shard in 0..SHARDS {
        let n = 14_500 - i64::from(shard);
        store
            .commit(&[count(n, shard, 1), Action::Record(recorded(n, What::Delivery, 10))])
            .await
            .expect("commit");
    }
    assert_eq!(newest("outbound").await, Some(at(14_500)), "however many shards the last hour has");
    // What an older release counted tells its hour only.
    store.commit(&[count(20_000, 0, 1)]).await.expect("commit");
    let hour = format!("{}:00:00Z", at(20_000).hour()).parse().ok();
    assert_eq!(newest("outbound").await, hour);
    assert_eq!(store.watermark().await.expect("watermark"), None);
    for n in [5, 4] {
        store.note_watermark(at(n)).await.expect("note watermark");
        assert_eq!(store.watermark().await.expect("watermark"), Some(at(n)), "what was noted last");
    }
}

fn about(n: i64, who: i64, message_id: &str, what: What) -> Recorded {
    let mut event = recorded(n, what, 10);
    event.event.recipient = recipient(who);
    event.event.message_id = Some(message_id.to_owned());
    event
}

fn key_of(recorded: &Recorded) -> MessageKey {
    let event = &recorded.event;
    MessageKey { recipient: event.recipient, class: event.class(), identity: event.identity, at: event.at }
}

async fn message(store: &dyn Store, message_id: &str) -> Vec<MessageKey> {
    store.message(server(), message_id).await.expect("message")
}

pub async fn a_message_has_all_its_events_in_order_of_time(store: Arc<dyn Scan>) {
    let store = &*store;
    let events = [
        about(5, 1, "a # message", What::Click { machine: false }),
        about(3, 1, "a # message", What::Open { first: true, machine: false }),
        about(1, 1, "a # message", What::Delivery),
        about(2, 2, "a # message", What::Delivery),
        about(4, 2, "a # message", What::Suppressed { cause: Cause::Manual }),
        about(6, 1, "another", What::Delivery),
    ];
    store.commit(&events.iter().cloned().map(Action::Record).collect::<Vec<_>>()).await.expect("commit");
    let mut without = about(7, 1, "", What::Delivery);
    without.event.message_id = None;
    store.commit(&[Action::Record(without)]).await.expect("an event without a message");
    for (n, other) in (8..).zip(others()) {
        let mut event = about(n, 1, "a # message", What::Delivery);
        event.event.server = other;
        store.commit(&[Action::Record(event)]).await.expect("another server's");
    }
    let in_order = [2, 3, 1, 4, 0].map(|place: usize| key_of(&events[place]));
    assert_eq!(message(store, "a # message").await, in_order);
    assert_eq!(message(store, "another").await, [key_of(&events[5])]);
    assert_eq!(message(store, "a # messag").await, []);
    for key in in_order {
        let event = store.event(server(), key.recipient, key.class, key.identity).await.expect("event");
        assert_eq!(event.map(|event| key_of(&event)), Some(key), "each is found by its key");
    }
    // A better copy, of another instant, takes the place of the one before.
    let mut better = events[2].clone();
    (better.event.source, better.event.at) = (Source::Reconcile, at(9));
    let replace = Action::Replace(better.clone(), Seen::from(&events[2].event));
    store.commit(&[replace]).await.expect("commit");
    let moved = [3, 1, 4, 0].map(|place: usize| key_of(&events[place]));
    assert_eq!(message(store, "a # message").await, [&moved[..], &[key_of(&better)]].concat());
}

pub async fn a_message_with_more_events_than_a_page_is_read_whole(store: Arc<dyn Scan>) {
    let store = &*store;
    // As long as a partition of an index may be, so that few fill a page.
    let message_id = "m".repeat(2_000);
    let most = (PAGE_BYTES_MAX / message_id.len()) as i64 + 100;
    let events: Vec<Recorded> = (0..most).map(|n| about(n, n, &message_id, What::Delivery)).collect();
    for some in events.chunks(10) {
        store.commit(&some.iter().cloned().map(Action::Record).collect::<Vec<_>>()).await.expect("commit");
    }
    assert_eq!(message(store, &message_id).await, events.iter().map(key_of).collect::<Vec<_>>());
}

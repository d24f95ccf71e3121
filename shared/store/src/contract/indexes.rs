//! What is read through indexes.

use super::{at, count, recorded, scanned, server, text_of};
use crate::{
    Action, Cursor, ITEM_BYTES_MAX, Listing, MessageKey, PAGE_BYTES_MAX, Recorded, SHARDS, Scan, Seen, Store,
    StoreError, TimeRange, Unindexed, item,
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

async fn unindexed(store: &dyn Scan) -> Vec<Unindexed> {
    scanned(async |after| store.scan_unindexed(after, 7).await).await
}

/// What the index by time has of a day of the stream of these events.
async fn indexed(store: &dyn Scan, day: i64) -> Vec<Recorded> {
    let day = TimeRange { from: at(day * 86_400), to: at(day * 86_400 + 86_399) };
    let mut found = Vec::new();
    for slot in 0..item::TIME_SLOTS {
        let some = store.happened(server(), "outbound", slot, day, 1_000).await.expect("happened");
        found.extend(some.expect("an index"));
    }
    found.sort_by_key(|recorded| recorded.event.identity);
    found
}

pub async fn older_events_are_put_into_the_index_by_time_once_and_are_otherwise_as_they_were(
    [before, with]: [Arc<dyn Scan>; 2],
) {
    let mut all: Vec<Recorded> = (0..40).map(|n| recorded(n, What::Delivery, 10)).collect();
    for event in &mut all[30..35] {
        event.event.server = others()[0];
    }
    let (new, old) = all.split_at(10);
    let record = |events: &[Recorded]| events.iter().cloned().map(Action::Record).collect::<Vec<_>>();
    before.commit(&record(old)).await.expect("commit");
    with.commit(&record(new)).await.expect("commit");
    assert_eq!(with.events_about().await.expect("a count"), 40);
    let left = unindexed(&*with).await;
    assert_eq!((left.len(), indexed(&*with, 0).await.len()), (30, 10));
    assert_eq!(with.index_by_time(&left[..20]).await, Ok(20));
    assert_eq!(unindexed(&*with).await.len(), 10);
    assert_eq!(with.index_by_time(&left).await, Ok(10), "those that are not there yet");
    assert_eq!((unindexed(&*with).await, with.index_by_time(&left).await), (Vec::new(), Ok(0)));
    all.retain(|one| one.event.server == server());
    all.sort_by_key(|one| one.event.identity);
    assert_eq!(indexed(&*with, 0).await, all, "each once, whole");
}

pub async fn an_event_that_was_replaced_meanwhile_is_put_into_the_index_as_the_better_copy(
    [before, with]: [Arc<dyn Scan>; 2],
) {
    let old: Vec<Recorded> = (0..2).map(|n| recorded(n, What::Delivery, 10)).collect();
    before.commit(&old.iter().cloned().map(Action::Record).collect::<Vec<_>>()).await.expect("commit");
    let seen: Vec<Unindexed> = old.iter().map(|one| Unindexed::of(one).expect("an event")).collect();
    // Of another day: one by a release that knows of no index, one by one that does.
    let mut better = old.clone();
    for (one, by) in better.iter_mut().zip([&before, &with]) {
        let was = Seen::from(&one.event);
        (one.event.source, one.event.at) = (Source::Reconcile, at(2 * 86_400));
        by.commit(&[Action::Replace(one.clone(), was)]).await.expect("commit");
    }
    assert_eq!(with.index_by_time(&seen).await, Ok(1));
    better.sort_by_key(|one| one.event.identity);
    assert_eq!((indexed(&*with, 0).await, indexed(&*with, 2).await), (Vec::new(), better));
}

pub async fn an_event_that_is_gone_is_not_made_anew_by_the_index([_, with]: [Arc<dyn Scan>; 2]) {
    let gone = recorded(1, What::Delivery, 10);
    let seen = Unindexed::of(&gone).expect("an event");
    assert_eq!(with.index_by_time(&[seen]).await, Ok(0));
    let event = &gone.event;
    let found = with.event(event.server, event.recipient, event.class(), event.identity).await;
    assert_eq!((found, with.events_about().await), (Ok(None), Ok(0)));
}

//! What every store implementation must do, as one suite that each runs through unchanged.

#![allow(missing_docs, reason = "a case's name is the sentence that it proves")]

mod documents;
mod erasure;
mod indexes;

pub use self::documents::*;
pub use self::erasure::*;
pub use self::indexes::*;
use crate::prelude::*;
use crate::{
    ACTIONS_MAX, Action, Cancel, CommitError, Faulty, ITEM_BYTES_MAX, PAGE_BYTES_MAX, Page, RecipientItem,
    Recorded, SHARDS, Scan, Seen, ServerSettings, Store, StoreError, item, pack,
};
use faults::{Fault, Plan};
use ledger::canonical::digest;
use ledger::counters::{Counts, Hour, Measure};
use ledger::event::{Bar, Cause, Ruling, What};
use ledger::fold::{EventSet, Folded, StreamRow, View};
use ledger::policy::{PolicySchedule, SoftBouncePolicy, StreamKind};
use ledger::{Class, Event, Identity, LedgerKey, RecipientId, ServerId, Source, Time};
use platform::{CallFailed, FailureKind};
use queue::{PART_BYTES_MAX, SetAside};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Makes a test of each case: `$fresh` is a function from a case's name to empty tables, or to `None` where the
/// implementation is let off that case.
#[macro_export]
macro_rules! store_contract {
    ($fresh:expr) => {
        $crate::store_contract!(
            @ $fresh,
            every_kind_of_event_comes_back_as_it_was,
            a_transaction_is_all_or_nothing,
            a_second_copy_cancels_and_returns_the_first,
            a_replacement_demands_the_copy_that_was_seen,
            a_view_demands_what_was_read,
            of_many_who_record_the_same_event_at_once_one_wins,
            of_many_who_fold_past_each_other_one_wins,
            a_hundred_actions_are_taken_and_one_more_is_not,
            no_two_actions_touch_the_same_item,
            items_and_transactions_have_their_size_limits,
            what_is_larger_than_a_page_is_read_whole,
            a_limit_on_events_tells_that_there_are_more,
            deliveries_are_those_of_a_stream_up_to_an_instant,
            a_conflict_or_throttle_cancels_at_its_place_and_has_no_effect,
            a_lost_answer_leaves_the_effect,
            a_denied_call_tells_kind_and_code_and_has_no_effect,
            rows_come_and_go_with_the_view,
            counters_add_up_over_shards_and_hours,
            rules_only_become_stricter,
            a_revocation_can_be_taken_back_and_made_anew,
            what_is_configured_comes_back,
            what_is_set_aside_is_kept_once_and_comes_back,
            a_scan_finds_all_of_a_server_and_nothing_of_others,
            a_document_is_written_only_over_the_version_that_was_read,
            a_document_is_deleted_only_as_the_version_that_was_read,
            of_many_who_write_a_document_at_once_one_wins,
            the_documents_of_a_collection_come_whole_by_name,
            collections_keep_apart_from_each_other_and_from_what_else_is_registered,
            documents_have_their_limits,
            the_last_documents_of_a_collection_come_backwards_from_a_name,
            what_stands_in_a_collection_that_only_grows_never_changes,
            a_lost_answer_leaves_the_document,
            a_list_holds_the_rows_of_a_stream_oldest_first,
            a_list_is_read_by_a_span_of_time_and_a_few_at_once,
            what_happened_is_read_by_the_slots_of_a_day_latest_first,
            the_newest_event_of_a_stream_and_the_watermark_of_the_queue_are_told,
            a_list_larger_than_a_page_is_read_page_by_page,
            a_message_has_all_its_events_in_order_of_time,
            a_message_with_more_events_than_a_page_is_read_whole,
            events_are_read_page_by_page,
            who_is_erased_is_remembered_and_told_to_the_rules,
            what_is_set_aside_is_read_page_by_page_from_either_end,
            a_part_is_rewritten_in_its_place
        );
    };
    (@ $fresh:expr, $($case:ident),*) => {
        $(#[tokio::test]
        async fn $case() {
            if let Some(store) = ($fresh)(stringify!($case)).await {
                $crate::contract::$case(store).await;
            }
        })*
    };
}

/// The same for what fills the index by time: `$fresh` gives the same empty tables twice, before the index is switched on and
/// with it.
#[macro_export]
macro_rules! by_time_contract {
    ($fresh:expr) => {
        $crate::by_time_contract!(
            @ $fresh,
            older_events_are_put_into_the_index_by_time_once_and_are_otherwise_as_they_were,
            an_event_that_was_replaced_meanwhile_is_put_into_the_index_as_the_better_copy,
            an_event_that_is_gone_is_not_made_anew_by_the_index
        );
    };
    (@ $fresh:expr, $($case:ident),*) => {
        $(#[tokio::test]
        async fn $case() {
            $crate::contract::$case(($fresh)().await).await;
        })*
    };
}

pub fn server() -> ServerId {
    ServerId::new(8_123_456).expect("a server id")
}

pub fn recipient() -> RecipientId {
    LedgerKey::for_tests().recipient_id(server(), "ida@customer.example")
}

pub fn at(seconds: i64) -> Time {
    Time::EARLIEST.plus_seconds(seconds)
}

/// An event named by a number, with a body of a size.
pub fn recorded(n: i64, what: What, body_bytes: usize) -> Recorded {
    let id: Identity = identity(n);
    Recorded {
        event: Event {
            server: server(),
            stream: "outbound".to_owned(),
            recipient: recipient(),
            address: Some("ida@customer.example".to_owned()),
            identity: id,
            at: at(n),
            message_id: Some(format!("message {n}")),
            what,
            source: Source::Webhook,
            received_at: at(n + 1),
            body_hash: digest(&n.to_be_bytes()),
        },
        body: Some(text_of(n, body_bytes)),
        dropped: Vec::new(),
        expires_at: None,
    }
}

/// Text that takes up so many bytes once it is packed; a little less where it is large.
fn text_of(n: i64, packed_bytes: usize) -> String {
    let mut state = n.unsigned_abs().wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b' ' + (state % 95) as u8)
    };
    let mut text: String = (0..packed_bytes * 5 / 4).map(|_| next()).collect();
    loop {
        let over = pack::pack(&text).len().saturating_sub(packed_bytes);
        if over == 0 {
            return text;
        }
        text.truncate(text.len() - over.min(text.len()));
    }
}

pub fn identity(n: i64) -> Identity {
    let told = ledger::identity::IdentityParts::BounceById { id: n };
    Identity::of(server(), recipient(), at(n), &told)
}

fn suppressed(n: i64) -> Recorded {
    recorded(n, What::Suppressed { cause: Cause::Manual }, 100)
}

fn counts(n: i64) -> Counts {
    Measure::all().take(2).map(|measure| (measure, n)).collect()
}

fn count(n: i64, shard: u8, times: i64) -> Action {
    Action::Count(
        Hour { server: server(), stream: "outbound".to_owned(), hour: at(n).hour() },
        shard,
        counts(times),
    )
}

fn view(events: &[Recorded]) -> View {
    let set: EventSet = events.iter().map(|recorded| recorded.event.clone()).collect();
    set.view().expect("events with state")
}

async fn state(store: &dyn Store) -> Vec<Recorded> {
    let mut events = store.state_events(server(), recipient()).await.expect("state events");
    events.sort_by_key(|recorded| recorded.event.at);
    events
}

fn cancels(result: Result<(), CommitError>) -> Vec<Cancel> {
    match result {
        Err(CommitError::Cancelled(cancels)) => cancels,
        other => panic!("expected a cancelled transaction, not {other:?}"),
    }
}

async fn total(store: &dyn Store) -> i64 {
    let hours = store.counters(server(), "outbound", "2010", "2011").await.expect("counters");
    hours.values().flat_map(|counts| counts.values()).sum()
}

pub async fn every_kind_of_event_comes_back_as_it_was(store: Arc<dyn Scan>) {
    let store = &*store;
    let bounce = |inactive| What::Bounce { bounce_type: "SoftBounce".to_owned(), inactive };
    let rulings = Bar::ALL.map(Ruling::Suppress).into_iter().chain([Ruling::Allow]);
    let whats = [
        What::Delivery,
        What::Open { first: true, machine: false },
        What::Open { first: false, machine: true },
        What::Click { machine: true },
        bounce(true),
        bounce(false),
        What::SpamComplaint { inactive: true },
        What::Suppressed { cause: Cause::Unknown },
        What::Reactivated,
        What::Present { cause: Cause::HardBounce },
        What::Gone,
    ];
    let whats = whats.into_iter().chain(rulings.map(|ruling| What::Decision { ruling }));
    for (n, what) in (0..).zip(whats) {
        let mut event = recorded(n, what, 10);
        event.event.stream = "a # stream".to_owned();
        event.dropped = vec!["Content".to_owned(), "Geo.IP".to_owned()];
        event.expires_at = (event.event.class() != Class::State).then(|| at(n));
        if n % 2 == 0 {
            event.event.message_id = None;
            event.event.address = None;
            event.body = None;
        } else {
            event.event.message_id = Some("a # message".to_owned());
        }
        store.commit(&[Action::Record(event.clone())]).await.expect("commit");
        let class = event.event.class();
        let back = store.event(server(), recipient(), class, event.event.identity).await.expect("event");
        assert_eq!(back, Some(event));
    }
}

pub async fn a_transaction_is_all_or_nothing(store: Arc<dyn Scan>) {
    let store = &*store;
    let old = suppressed(1);
    store.commit(&[Action::Record(old.clone())]).await.expect("commit");
    let both = vec![Action::Record(suppressed(2)), count(1, 0, 1), Action::Record(old)];
    let reasons = cancels(store.commit(&both).await);
    assert_eq!((&reasons[0], &reasons[1]), (&Cancel::None, &Cancel::None));
    assert_eq!(state(store).await.len(), 1);
    assert_eq!(total(store).await, 0);
    store.commit(&[Action::Record(suppressed(2)), count(1, 0, 1)]).await.expect("commit");
    assert_eq!((state(store).await.len(), total(store).await), (2, 2));
}

pub async fn a_second_copy_cancels_and_returns_the_first(store: Arc<dyn Scan>) {
    let store = &*store;
    let first = suppressed(1);
    let mut second = first.clone();
    second.event.source = Source::Reconcile;
    store.commit(&[Action::Record(first.clone())]).await.expect("commit");
    let reasons = cancels(store.commit(&[Action::Record(suppressed(2)), Action::Record(second)]).await);
    assert_eq!(reasons, [Cancel::None, Cancel::Recorded(Box::new(first))]);
}

pub async fn a_replacement_demands_the_copy_that_was_seen(store: Arc<dyn Scan>) {
    let store = &*store;
    let (one, mut two, mut three) = (suppressed(1), suppressed(1), suppressed(1));
    two.event.source = Source::Reconcile;
    three.event.body_hash = [3; 16];
    let replace =
        |new: &Recorded, seen: &Recorded| vec![Action::Replace(new.clone(), Seen::from(&seen.event))];
    let reasons = cancels(store.commit(&replace(&one, &two)).await);
    assert_eq!(reasons, [Cancel::Gone], "there is nothing to replace");
    store.commit(&[Action::Record(two.clone())]).await.expect("commit");
    let reasons = cancels(store.commit(&replace(&one, &three)).await);
    assert_eq!(reasons, [Cancel::Recorded(Box::new(two.clone()))]);
    store.commit(&replace(&one, &two)).await.expect("commit");
    assert_eq!(
        cancels(store.commit(&replace(&three, &two)).await),
        [Cancel::Recorded(Box::new(one.clone()))]
    );
    assert_eq!(state(store).await, [one]);
}

pub async fn a_view_demands_what_was_read(store: Arc<dyn Scan>) {
    let store = &*store;
    let views: Vec<View> = (1..=3).map(|n| view(&(1..=n).map(suppressed).collect::<Vec<_>>())).collect();
    let [one, two, three] = &views[..] else { unreachable!("three views") };
    let put = |view: &View, read: Option<Folded>| vec![Action::PutView(view.clone(), read)];
    let reasons = cancels(store.commit(&put(two, Some(one.folded))).await);
    assert_eq!(reasons, [Cancel::Folded(None)], "there is none");
    store.commit(&put(one, None)).await.expect("the first view");
    assert_eq!(cancels(store.commit(&put(one, None)).await), [Cancel::Folded(Some(one.folded))]);
    let reasons = cancels(store.commit(&put(three, Some(two.folded))).await);
    assert_eq!(reasons, [Cancel::Folded(Some(one.folded))]);
    store.commit(&put(two, Some(one.folded))).await.expect("the view of what was read");
    let other = LedgerKey::for_tests().recipient_id(server(), "other@customer.example");
    let stored = store.views(server(), &[other, recipient(), recipient()]).await.expect("views");
    assert_eq!(stored, [None, Some(two.clone()), Some(two.clone())]);
    let many: Vec<RecipientId> = (0..250)
        .map(|n| LedgerKey::for_tests().recipient_id(server(), &format!("{n}@customer.example")))
        .chain([recipient()])
        .collect();
    let stored = store.views(server(), &many).await.expect("more than one call takes");
    assert_eq!((stored.len(), stored.iter().flatten().count()), (251, 1));
    assert!(stored[250].is_some(), "in the order they were asked for");
}

pub async fn of_many_who_record_the_same_event_at_once_one_wins(store: Arc<dyn Scan>) {
    let won = race(|_| store.clone(), |_| vec![Action::Record(suppressed(1)), count(1, 0, 1)]).await;
    assert_eq!((won, state(&*store).await.len(), total(&*store).await), (1, 1, 2));
}

pub async fn of_many_who_fold_past_each_other_one_wins(store: Arc<dyn Scan>) {
    let actions = |n| {
        let event = suppressed(n);
        vec![Action::PutView(view(std::slice::from_ref(&event)), None), Action::Record(event)]
    };
    let won = race(|_| store.clone(), actions).await;
    assert_eq!((won, state(&*store).await.len()), (1, 1));
}

/// Eight at once; how many committed. The others must have been cancelled, or met a conflict.
async fn race(store: impl Fn(i64) -> Arc<dyn Scan>, actions: impl Fn(i64) -> Vec<Action>) -> usize {
    let mut running = tokio::task::JoinSet::new();
    for n in 0..8 {
        let (store, actions) = (store(n), actions(n));
        running.spawn(async move {
            let mut result = store.commit(&actions).await;
            while let Err(CommitError::Cancelled(reasons)) = &result {
                if !reasons.contains(&Cancel::Conflict) {
                    break;
                }
                result = store.commit(&actions).await;
            }
            result
        });
    }
    let mut won = 0;
    for result in running.join_all().await {
        match result {
            Ok(()) => won += 1,
            Err(CommitError::Cancelled(_)) => {}
            Err(CommitError::Store(error)) => panic!("{error}"),
        }
    }
    won
}

pub async fn a_hundred_actions_are_taken_and_one_more_is_not(store: Arc<dyn Scan>) {
    let store = &*store;
    let most = ACTIONS_MAX as i64;
    let actions = |n: i64| (0..n).map(|n| Action::Record(suppressed(n))).collect::<Vec<_>>();
    let refused = store.commit(&actions(most + 1)).await;
    assert!(matches!(refused, Err(CommitError::Store(StoreError::Invalid(_)))), "{refused:?}");
    store.commit(&actions(most)).await.expect("a hundred actions");
    assert_eq!(state(store).await.len(), ACTIONS_MAX);
}

pub async fn no_two_actions_touch_the_same_item(store: Arc<dyn Scan>) {
    let store = &*store;
    let refused = store.commit(&[count(1, 0, 1), count(1, 0, 1)]).await;
    assert!(matches!(refused, Err(CommitError::Store(StoreError::Invalid(_)))), "{refused:?}");
    store.commit(&[count(1, 0, 1), count(1, 1, 1)]).await.expect("other shards are other items");
}

pub async fn items_and_transactions_have_their_size_limits(store: Arc<dyn Scan>) {
    let store = &*store;
    let of = |n, bytes| Action::Record(recorded(n, What::Delivery, bytes));
    let refused = store.commit(&[of(0, ITEM_BYTES_MAX + 1024)]).await;
    assert!(matches!(refused, Err(CommitError::Store(StoreError::Invalid(_)))), "{refused:?}");
    let nearly = ITEM_BYTES_MAX - 1024;
    store.commit(&[of(1, nearly)]).await.expect("an item of nearly 400 KB");
    let refused = store.commit(&(2..13).map(|n| of(n, nearly)).collect::<Vec<_>>()).await;
    assert!(matches!(refused, Err(CommitError::Store(StoreError::Invalid(_)))), "{refused:?}");
    // Packed bodies travel as base64, and the emulator counts the request as it travels.
    store
        .commit(&(2..9).map(|n| of(n, nearly)).collect::<Vec<_>>())
        .await
        .expect("a transaction of nearly 3 MB");
}

pub async fn what_is_larger_than_a_page_is_read_whole(store: Arc<dyn Scan>) {
    let store = &*store;
    let bytes = 300 * 1024;
    let events: Vec<Recorded> = (0..12).map(|n| recorded(n, What::Reactivated, bytes)).collect();
    assert!(events.len() * bytes > 3 * PAGE_BYTES_MAX);
    for event in &events {
        store.commit(&[Action::Record(event.clone())]).await.expect("commit");
    }
    store.commit(&[Action::Record(recorded(99, What::Delivery, 10))]).await.expect("another class");
    assert_eq!(state(store).await, events);
}

pub async fn a_limit_on_events_tells_that_there_are_more(store: Arc<dyn Scan>) {
    let store = &*store;
    for n in 0..5 {
        store.commit(&[Action::Record(recorded(n, What::Delivery, 10))]).await.expect("commit");
    }
    for (limit, found, truncated) in [(4, 4, true), (5, 5, false), (6, 5, false)] {
        let page = store.events(server(), recipient(), Class::Delivery, None, limit).await.expect("events");
        assert_eq!((page.items.len(), page.next.is_some()), (found, truncated));
        assert!(page.items.is_sorted_by_key(|recorded| recorded.event.identity.to_string()));
    }
    let page = store.events(server(), recipient(), Class::Engagement, None, 5).await.expect("events");
    assert!(page.items.is_empty());
}

pub async fn deliveries_are_those_of_a_stream_up_to_an_instant(store: Arc<dyn Scan>) {
    let store = &*store;
    for n in 0..6 {
        let mut delivery = recorded(n, What::Delivery, 10);
        if n == 2 {
            delivery.event.stream = "broadcast".to_owned();
        }
        store.commit(&[Action::Record(delivery)]).await.expect("commit");
    }
    let read = async |stream, by, limit| {
        let page = store.deliveries(server(), recipient(), stream, at(by), limit).await.expect("deliveries");
        (page.items.len(), page.next.is_some())
    };
    assert_eq!(read("outbound", 9, 9).await, (5, false));
    assert_eq!(read("outbound", 3, 9).await, (3, false), "up to the instant, itself included");
    assert_eq!(read("outbound", 9, 4).await, (4, true));
    assert_eq!(read("broadcast", 9, 1).await, (1, false), "another stream's do not count");
}

/// What an implementation behind the faults of a test does: as DynamoDB's own conflicts and throttles.
fn under(store: &Arc<dyn Scan>, fault: Fault) -> Faulty {
    Faulty::new(store.clone(), Plan::new(move |_| fault))
}

pub async fn a_conflict_or_throttle_cancels_at_its_place_and_has_no_effect(store: Arc<dyn Scan>) {
    for (fault, reason) in [(Fault::Conflict, Cancel::Conflict), (Fault::Refuse, Cancel::Throttled)] {
        let actions = vec![Action::Record(suppressed(1)), count(1, 0, 1)];
        let reasons = cancels(under(&store, fault).commit(&actions).await);
        assert!(reasons.len() == 2 && reasons.contains(&reason), "{reasons:?}");
        assert_eq!((state(&*store).await.len(), total(&*store).await), (0, 0));
    }
}

pub async fn a_denied_call_tells_kind_and_code_and_has_no_effect(store: Arc<dyn Scan>) {
    let denied = CallFailed::new(FailureKind::AccessDenied).with_code("AccessDeniedException");
    let under = under(&store, Fault::Deny);
    let actions = vec![Action::Record(suppressed(1)), count(1, 0, 1)];
    assert_eq!(under.commit(&actions).await, Err(CommitError::Store(denied.clone().into())));
    assert_eq!(under.rules().await, Err(denied.into()));
    assert_eq!((state(&*store).await.len(), total(&*store).await), (0, 0));
}

pub async fn a_lost_answer_leaves_the_effect(store: Arc<dyn Scan>) {
    let event = suppressed(1);
    let actions = vec![Action::Record(event.clone()), count(1, 0, 1)];
    let lost = under(&store, Fault::LoseAnswer).commit(&actions).await;
    assert_eq!(lost, Err(CommitError::Store(CallFailed::new(FailureKind::Timeout).into())));
    assert_eq!((state(&*store).await.len(), total(&*store).await), (1, 2));
    assert_eq!(cancels(store.commit(&actions).await)[0], Cancel::Recorded(Box::new(event)));
    assert_eq!(total(&*store).await, 2, "a second try counts nothing");
}

pub async fn rows_come_and_go_with_the_view(store: Arc<dyn Scan>) {
    let store = &*store;
    let row = StreamRow { since: at(1), causes: vec!["manual"] };
    let view = view(&[suppressed(1)]);
    let mut expected = Vec::new();
    for stream in ["outbound", "*"] {
        let address = Some("i@x".to_owned());
        expected.push((
            item::row_key(server(), recipient(), stream),
            item::of_row(server(), stream, &row, address.as_deref()),
        ));
        let put = Action::PutRow(server(), recipient(), stream.to_owned(), row.clone(), address);
        store.commit(&[put]).await.expect("commit");
    }
    store.commit(&[Action::PutView(view.clone(), None)]).await.expect("no row is the view");
    let (views, mut rows) = held(store).await;
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!((views, rows), (vec![view.clone()], expected));
    for stream in ["outbound", "*", "never"] {
        let delete = Action::DeleteRow(server(), recipient(), stream.to_owned());
        store.commit(&[delete]).await.expect("commit");
    }
    assert_eq!(held(store).await, (vec![view], Vec::new()));
}

/// Everything that a scan yields.
pub async fn scanned<T>(
    mut scan: impl AsyncFnMut(Option<crate::Cursor>) -> Result<Page<T>, StoreError>,
) -> Vec<T> {
    let (mut found, mut next) = (Vec::new(), None);
    loop {
        let page = scan(next).await.expect("a scan");
        found.extend(page.items);
        next = page.next;
        if next.is_none() {
            return found;
        }
    }
}

pub async fn held(store: &dyn Scan) -> (Vec<View>, Vec<(item::Key, item::Item)>) {
    let (mut views, mut rows) = (Vec::new(), Vec::new());
    for held in scanned(async |after| store.scan_recipients(server(), after).await).await {
        match held {
            RecipientItem::View(view) => views.push(*view),
            RecipientItem::Row(key, item) => rows.push((key, item)),
        }
    }
    (views, rows)
}

pub async fn a_scan_finds_all_of_a_server_and_nothing_of_others(store: Arc<dyn Scan>) {
    let store = &*store;
    let ids: BTreeSet<String> = (0..12).map(|n| identity(n).to_string()).collect();
    for n in 0..12 {
        let large = recorded(n, What::Reactivated, 300 * 1024);
        store.commit(&[Action::Record(large)]).await.expect("commit");
    }
    // One whose number begins with the server's, too.
    for other in [9, server().get() * 10] {
        let mut event = recorded(100, What::Delivery, 10);
        event.event.server = ServerId::new(other).expect("a server id");
        store.commit(&[Action::Record(event)]).await.expect("commit");
    }
    let found = scanned(async |after| store.scan_events(server(), after).await).await;
    assert_eq!(found.len(), 12);
    assert_eq!(found.iter().map(|one| one.event.identity.to_string()).collect::<BTreeSet<_>>(), ids);
}

pub async fn counters_add_up_over_shards_and_hours(store: Arc<dyn Scan>) {
    let store = &*store;
    let hour = 3_600;
    store.commit(&[count(0, 0, 2), count(0, 9, 3), count(hour, 0, 5)]).await.expect("commit");
    store.commit(&[count(0, 0, -1), count(2 * hour, 15, 7)]).await.expect("commit");
    let read = async |from: i64, before: i64| {
        let hours = store.counters(server(), "outbound", &at(from).hour(), &at(before).hour()).await;
        hours.expect("counters").into_values().collect::<Vec<_>>()
    };
    assert_eq!(read(0, 3 * hour).await, [counts(4), counts(5), counts(7)]);
    assert_eq!(read(hour, 2 * hour).await, [counts(5)]);
    for shard in 0..SHARDS {
        store.commit(&[count(3 * hour, shard, 1)]).await.expect("commit");
    }
    assert_eq!(
        read(3 * hour, 4 * hour).await,
        [counts(i64::from(SHARDS))],
        "every shard that there is counts"
    );
    assert!(read(4 * hour, 9 * hour).await.is_empty());
    assert!(read(2 * hour, hour).await.is_empty(), "a time that ends before it begins holds nothing");
    assert!(store.counters(server(), "other", "2010", "2011").await.expect("counters").is_empty());
}

pub async fn rules_only_become_stricter(store: Arc<dyn Scan>) {
    let store = &*store;
    assert_eq!(store.rules().await.expect("rules").revoked_at(server(), 1), None);
    for seconds in [20, 10, 30] {
        store.revoke(server(), 1, at(seconds)).await.expect("revoke");
        store.raise_floor(Class::Delivery, at(seconds)).await.expect("raise floor");
    }
    let rules = store.rules().await.expect("rules");
    assert_eq!((rules.revoked_at(server(), 1), rules.revoked_at(server(), 2)), (Some(at(10)), None));
    assert_eq!((rules.revocations(), rules.usable_generation(server(), 1)), (vec![(server(), 1, at(10))], 2));
    assert_eq!(rules.floors.get(&Class::Delivery), Some(&at(30)));
    assert_eq!(rules.floors.get(&Class::Engagement), None);
}

pub async fn a_revocation_can_be_taken_back_and_made_anew(store: Arc<dyn Scan>) {
    let store = &*store;
    store.unrevoke(server(), 1).await.expect("unrevoke");
    for generation in [1, 2] {
        store.revoke(server(), generation, at(10)).await.expect("revoke");
    }
    for _ in 0..2 {
        store.unrevoke(server(), 1).await.expect("unrevoke");
        assert_eq!(store.rules().await.expect("rules").revocations(), [(server(), 2, at(10))]);
    }
    store.revoke(server(), 1, at(30)).await.expect("revoke");
    assert_eq!(store.rules().await.expect("rules").revoked_at(server(), 1), Some(at(30)));
}

pub async fn what_is_configured_comes_back(store: Arc<dyn Scan>) {
    let store = &*store;
    assert_eq!(store.settings(server()).await.expect("settings"), ServerSettings::default());
    let settings = ServerSettings {
        kinds: [("news".to_owned(), StreamKind::Broadcast)].into(),
        broadcast: PolicySchedule::new(vec![(
            at(1),
            SoftBouncePolicy { count: 9, ..SoftBouncePolicy::default() },
        )])
        .expect("a sound policy"),
        ..ServerSettings::default()
    };
    store.put_settings(server(), settings.clone()).await.expect("put settings");
    assert_eq!(store.settings(server()).await.expect("settings"), settings);
    for stream in ["b", "a", "b", "*"] {
        store.note_stream(server(), stream).await.expect("note stream");
    }
    let streams = store.streams(server()).await.expect("streams");
    assert_eq!(streams, BTreeSet::from(["*".to_owned(), "a".to_owned(), "b".to_owned()]));
    for stream in ["a", "*", "never noted"] {
        store.forget_stream(server(), stream).await.expect("forget stream");
    }
    let streams = store.streams(server()).await.expect("streams");
    assert_eq!(streams, BTreeSet::from(["b".to_owned()]));
    assert_eq!(store.settings(server()).await.expect("settings"), settings);
}

pub async fn what_is_set_aside_is_kept_once_and_comes_back(store: Arc<dyn Scan>) {
    let store = &*store;
    let aside = |seconds: i64, body: Vec<u8>| SetAside {
        server: server(),
        generation: 1,
        key_id: "key".to_owned(),
        received_at: at(seconds),
        source: Source::Webhook,
        reason: "not_json".to_owned(),
        detail: "line 1".to_owned(),
        record_type: None,
        dropped: vec!["Content".to_owned()],
        erased: None,
        body,
    };
    let large = aside(20, vec![7; 8 * PART_BYTES_MAX]);
    let small = aside(10, vec![1]);
    let next_day = aside(86_400, vec![2]);
    for set_aside in [&large, &small, &large, &next_day] {
        for part in set_aside.parts() {
            store.quarantine(part, Some(at(999_999))).await.expect("keep");
        }
    }
    let day = store.quarantined_on(&at(0).day()).await.expect("kept on");
    assert_eq!(day.len(), 9, "more than a page, and nothing twice");
    assert_eq!((&day[0].part.id, &day[1].part.id), (&small.id(), &large.id()), "by the time of receipt");
    let kept = store.quarantined(large.received_at, &large.id()).await.expect("kept");
    assert!(kept.iter().all(|kept| kept.expires_at == Some(at(999_999)) && kept.replayed_at.is_none()));
    assert_eq!(SetAside::whole(kept.into_iter().map(|kept| kept.part).collect()), Some(large.clone()));
    store.mark_replayed(large.received_at, &large.id(), at(50)).await.expect("mark replayed");
    let kept = store.quarantined(large.received_at, &large.id()).await.expect("kept");
    assert!(kept.iter().all(|kept| kept.replayed_at == Some(at(50))));
    assert!(store.quarantined(at(20), "nobody").await.expect("kept").is_empty());
}

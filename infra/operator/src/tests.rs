//! What an operator's work does where calls fail in between.

use super::*;
use faults::{Fault, Plan};
use ledger::Time;
use ledger::event::What;
use platform::{CallFailed, FailureKind};
use queue::{Faulty, Memory, Settings};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

fn operator(queue: Arc<dyn Queue>) -> Operator {
    let https = Https::new(Timeouts::default()).unwrap();
    let postmark = Endpoint::new(Arc::new(https));
    let (vault, store) = (Arc::new(account::MemoryVault::default()), Arc::new(store::Memory::default()));
    let streams = Streams::new(vault.clone(), postmark.clone());
    let (ledger_key, clock) = (LedgerKey::for_tests(), platform::clock());
    let api = Api::new(api::Parts {
        store: store.clone(),
        queue: queue.clone(),
        vault,
        postmark,
        streams: streams.clone(),
        ledger_key: ledger_key.clone(),
        policy: ledger::policy::SoftBouncePolicy::default(),
        clock: clock.clone(),
        portal: None,
        connecting: None,
    });
    let (trusted, watched) = (Trusted::All, Watched::default());
    Operator { store, queue, streams, trusted, ledger_key, clock, api, portal: None, watched }
}

async fn redrive(operator: &Operator, dry_run: bool) -> Result<Redriven, Problem> {
    operator.redrive(&Who::operator(), "critical", Redrive { dry_run }).await
}

fn bodies(count: usize) -> BTreeSet<String> {
    (0..count).map(|n| format!("message {n}")).collect()
}

async fn with_dead_letters(count: usize) -> Arc<Memory> {
    let queue = Arc::new(Memory::default());
    for body in bodies(count) {
        queue::Sender::send(&*queue, QueueName::CriticalDead, &body).await.unwrap();
    }
    queue
}

#[test]
fn what_postmark_refuses_half_way_is_not_said_to_have_changed_nothing() {
    let words = "a day was read, and the next is refused".to_owned();
    let refused = postmark_api::ApiError::Refused { status: 422, code: 1, words, next: None };
    let problem = of_reconcile(ReconcileError::Api(refused));
    assert_eq!(problem.document()["next"], GO_ON);
}

/// All that can be received from a queue now.
async fn drain(queue: &Memory, from: QueueName) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        let messages = queue.receive(from, RECEIVE_MAX).await.unwrap();
        if messages.is_empty() {
            return found;
        }
        found.extend(messages.into_iter().map(|message| message.body));
    }
}

#[tokio::test(start_paused = true)]
async fn dead_letters_go_back_each_once_and_are_told_as_they_go() {
    let queue = with_dead_letters(23).await;
    let told: Arc<std::sync::Mutex<Vec<u64>>> = Arc::default();
    let operator = operator(queue.clone());
    let seen = told.clone();
    operator.watched.by(move |so_far| seen.lock().unwrap().push(so_far.done));
    assert_eq!(
        redrive(&operator, false).await.unwrap(),
        Redriven { queue: "critical".to_owned(), found: 23, moved: 23, left: 0 }
    );
    assert_eq!(*told.lock().unwrap(), [10, 20, 23]);
    let live = drain(&queue, QueueName::Critical).await;
    assert_eq!((live.len(), live.into_iter().collect::<BTreeSet<_>>()), (23, bodies(23)));
    assert_eq!(queue.depth(QueueName::CriticalDead).await.unwrap(), queue::Depth::default());
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_tells_and_touches_nothing() {
    let queue = with_dead_letters(3).await;
    let told = redrive(&operator(queue.clone()), true).await.unwrap();
    assert_eq!((told.found, told.moved), (3, 0));
    assert_eq!(drain(&queue, QueueName::CriticalDead).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn only_a_live_queue_takes_dead_letters_back() {
    let operator = operator(with_dead_letters(1).await);
    let told = operator.redrive(&Who::operator(), "critical-dlq", Redrive::default()).await;
    assert_eq!(told.unwrap_err().code(), "missing");
}

/// A queue on which whatever is sent dies at once.
struct Deadly(Arc<Memory>);

#[async_trait::async_trait]
impl queue::Sender for Deadly {
    async fn send(&self, to: QueueName, body: &str) -> Result<(), QueueError> {
        queue::Sender::send(&*self.0, to.dead().unwrap_or(to), body).await
    }
}

#[async_trait::async_trait]
impl Queue for Deadly {
    async fn receive(&self, from: QueueName, max: usize) -> Result<Vec<Message>, QueueError> {
        self.0.receive(from, max).await
    }

    async fn delete(&self, from: QueueName, receipts: &[String]) -> Result<(), QueueError> {
        self.0.delete(from, receipts).await
    }

    async fn depth(&self, of: QueueName) -> Result<queue::Depth, QueueError> {
        self.0.depth(of).await
    }
}

#[test]
fn a_dead_letter_is_sent_again_in_an_operators_name_only_where_its_sender_might_tell_it() {
    let operator =
        Operator { trusted: Trusted::list("AROAOPERATOR"), ..operator(Arc::new(Memory::default())) };
    let sent_by = |sender: &str, body: &str| Message {
        id: "m1".to_owned(),
        receipt: "r1".to_owned(),
        body: body.to_owned(),
        receives: 1,
        sender: Some(sender.to_owned()),
    };
    let server = ServerId::new(7).unwrap();
    let of = |source| {
        let body = r#"{"RecordType":"Bounce"}"#.to_owned();
        let what = What::Bounce { bounce_type: "HardBounce".to_owned(), inactive: false };
        Envelope::told(server, &what, Time::default(), source, body, Vec::new()).unwrap()
    };
    let (webhook, decided) = (of(Source::Webhook), of(Source::Operator));
    let overridden = Envelope { overridden: true, ..webhook.clone() };
    let later = r#"{"v":99}"#.to_owned();
    for (body, of_door) in [
        (webhook.encode(), true),
        ("nobody's".to_owned(), true),
        (decided.encode(), false),
        (overridden.encode(), false),
        (later, false),
    ] {
        assert!(operator.may_tell(QueueName::Critical, &sent_by("AROAOPERATOR:ida", &body)), "{body}");
        assert_eq!(operator.may_tell(QueueName::Critical, &sent_by("AROADOOR:x", &body)), of_door, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_dies_again_at_once_is_not_moved_for_ever() {
    let queue = with_dead_letters(12).await;
    let done = redrive(&operator(Arc::new(Deadly(queue))), false).await.unwrap();
    assert_eq!((done.found, done.moved), (12, 12));
}

#[tokio::test(start_paused = true)]
async fn a_refused_send_is_told_and_what_was_sent_before_it_is_not_sent_again() {
    let queue = with_dead_letters(5).await;
    let sends = AtomicUsize::new(0);
    let plan = Plan::new(move |call| {
        let refused = call == "send" && sends.fetch_add(1, Ordering::Relaxed) == 3;
        if refused { Fault::Refuse } else { Fault::None }
    });
    let failing = operator(Arc::new(Faulty::new(queue.clone(), plan)));
    let failed = redrive(&failing, false).await.unwrap_err();
    assert_eq!(failed.call(), Some(&CallFailed::new(FailureKind::Fault).with_code("InternalError")));
    tokio::time::advance(Settings::default().visibility).await;
    assert_eq!(redrive(&operator(queue.clone()), false).await.unwrap().moved, 2);
    assert_eq!(drain(&queue, QueueName::Critical).await.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn killed_between_any_two_calls_it_loses_nothing() {
    const LETTERS: usize = 13;
    let (mut stops, mut ended) = (0, false);
    while !ended {
        for fault in [Fault::StopBefore, Fault::StopAfter] {
            let queue = with_dead_letters(LETTERS).await;
            let calls = AtomicUsize::new(0);
            let plan =
                Plan::new(
                    move |_| {
                        if calls.fetch_add(1, Ordering::Relaxed) == stops { fault } else { Fault::None }
                    },
                );
            let killed = operator(Arc::new(Faulty::new(queue.clone(), plan.clone())));
            ended = tokio::select! {
                done = redrive(&killed, false) => done.is_ok(),
                () = plan.stopped() => false,
            };
            tokio::time::advance(Settings::default().visibility).await;
            redrive(&operator(queue.clone()), false).await.unwrap();
            let live = drain(&queue, QueueName::Critical).await;
            assert!(live.len() <= LETTERS + RECEIVE_MAX, "at worst one receive's worth comes twice");
            assert_eq!(live.into_iter().collect::<BTreeSet<_>>(), bodies(LETTERS), "{fault:?} at {stops}");
            assert_eq!(drain(&queue, QueueName::CriticalDead).await, [""; 0], "{fault:?} at {stops}");
        }
        stops += 1;
    }
    assert!(stops > LETTERS, "every send was a place to be killed at");
}

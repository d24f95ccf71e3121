//! What every queue implementation must do, as one suite that each runs through unchanged.
//!
//! The suite does not rely on what SQS does not promise: order, exact depths, or a receive that returns all
//! that is there. It receives until it has seen what it waits for, and gives up after a bounded number.

#![allow(missing_docs, reason = "a case's name is the sentence that it proves")]

use crate::{Depth, Message, Queue, QueueError, QueueName, RECEIVE_MAX, SQS_BYTES_MAX};
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How the suite reaches an implementation: fresh queues, and its way to let the visibility timeout pass.
#[async_trait]
pub trait Harness {
    /// The queues; the same ones at every call.
    fn queue(&self) -> Arc<dyn Queue>;
    /// Returns when the visibility timeout of what has been received so far is over.
    async fn let_visibility_pass(&self);
    /// The receive count after which a message is dead.
    fn receives_max(&self) -> u32;
}

/// How many empty receives in a row mean that nothing is there.
const EMPTY_MAX: usize = 5;
/// How often a depth is asked for until it must have settled.
const DEPTHS_MAX: usize = 200;

/// Makes a test of each case: `$fresh` is a function from a case's name to empty queues, and in brackets stand the
/// attributes that make a function a test.
#[macro_export]
macro_rules! queue_contract {
    ($fresh:expr, $test:tt) => {
        $crate::queue_contract!(@ $fresh, $test, what_is_sent_is_received_with_its_body);
        $crate::queue_contract!(@ $fresh, $test, queues_do_not_mix);
        $crate::queue_contract!(@ $fresh, $test, a_receive_returns_at_most_ten);
        $crate::queue_contract!(@ $fresh, $test, a_received_message_is_invisible_until_its_timeout);
        $crate::queue_contract!(@ $fresh, $test, a_deleted_message_never_comes_back);
        $crate::queue_contract!(@ $fresh, $test, an_old_receipt_deletes_nothing);
        $crate::queue_contract!(@ $fresh, $test, a_message_received_too_often_is_dead);
        $crate::queue_contract!(@ $fresh, $test, what_sqs_refuses_is_refused);
        $crate::queue_contract!(@ $fresh, $test, depth_tells_visible_and_in_flight);
    };
    (@ $fresh:expr, [$($test:tt)*], $case:ident) => {
        $($test)*
        async fn $case() {
            $crate::contract::$case(&($fresh)(stringify!($case)).await).await;
        }
    };
}

/// Receives until `wanted` messages have come or nothing comes any more.
async fn take(queue: &dyn Queue, from: QueueName, wanted: usize) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut empty = 0;
    while messages.len() < wanted && empty < EMPTY_MAX {
        let some = queue.receive(from, RECEIVE_MAX.min(wanted - messages.len())).await.expect("receive");
        empty = if some.is_empty() { empty + 1 } else { 0 };
        messages.extend(some);
    }
    messages
}

pub async fn what_is_sent_is_received_with_its_body<H: Harness>(harness: &H) {
    let queue = harness.queue();
    let sent: BTreeSet<String> = (0..25).map(|n| format!("body {n} \t\r\n \u{e9} \u{1f600}")).collect();
    for body in &sent {
        queue.send(QueueName::Bulk, body).await.expect("send");
    }
    let received = take(&*queue, QueueName::Bulk, sent.len()).await;
    assert!(received.iter().all(|message| message.receives == 1));
    assert_eq!(received.into_iter().map(|message| message.body).collect::<BTreeSet<_>>(), sent);
}

pub async fn queues_do_not_mix<H: Harness>(harness: &H) {
    let queue = harness.queue();
    for name in QueueName::LIVE {
        queue.send(name, name.name()).await.expect("send");
    }
    for name in QueueName::LIVE {
        let bodies: Vec<String> =
            take(&*queue, name, 2).await.into_iter().map(|message| message.body).collect();
        assert_eq!(bodies, [name.name()]);
    }
}

pub async fn a_receive_returns_at_most_ten<H: Harness>(harness: &H) {
    let queue = harness.queue();
    for n in 0..RECEIVE_MAX * 2 {
        queue.send(QueueName::Critical, &n.to_string()).await.expect("send");
    }
    assert!(queue.receive(QueueName::Critical, RECEIVE_MAX).await.expect("receive").len() <= RECEIVE_MAX);
    assert!(queue.receive(QueueName::Critical, 3).await.expect("receive").len() <= 3);
}

pub async fn a_received_message_is_invisible_until_its_timeout<H: Harness>(harness: &H) {
    let queue = harness.queue();
    queue.send(QueueName::Critical, "one").await.expect("send");
    let first = take(&*queue, QueueName::Critical, 1).await;
    assert!(take(&*queue, QueueName::Critical, 1).await.is_empty(), "nobody else receives it");
    harness.let_visibility_pass().await;
    let second = take(&*queue, QueueName::Critical, 1).await;
    assert_eq!((&second[0].id, second[0].receives), (&first[0].id, 2));
    assert_ne!(second[0].receipt, first[0].receipt);
}

pub async fn a_deleted_message_never_comes_back<H: Harness>(harness: &H) {
    let queue = harness.queue();
    queue.send(QueueName::Bulk, "one").await.expect("send");
    queue.send(QueueName::Bulk, "two").await.expect("send");
    let messages = take(&*queue, QueueName::Bulk, 2).await;
    let (gone, kept) = (&messages[0], &messages[1]);
    queue.delete(QueueName::Bulk, std::slice::from_ref(&gone.receipt)).await.expect("delete");
    harness.let_visibility_pass().await;
    let back = take(&*queue, QueueName::Bulk, 2).await;
    assert_eq!(back.iter().map(|message| &message.body).collect::<Vec<_>>(), [&kept.body]);
    queue
        .delete(QueueName::Bulk, std::slice::from_ref(&gone.receipt))
        .await
        .expect("a second delete is no error");
}

pub async fn an_old_receipt_deletes_nothing<H: Harness>(harness: &H) {
    let queue = harness.queue();
    queue.send(QueueName::Bulk, "one").await.expect("send");
    let old = take(&*queue, QueueName::Bulk, 1).await.remove(0).receipt;
    harness.let_visibility_pass().await;
    let held = take(&*queue, QueueName::Bulk, 1).await;
    queue.delete(QueueName::Bulk, &[old]).await.expect("delete");
    harness.let_visibility_pass().await;
    assert_eq!(held.len(), 1);
    assert_eq!(take(&*queue, QueueName::Bulk, 1).await.len(), 1);
}

pub async fn a_message_received_too_often_is_dead<H: Harness>(harness: &H) {
    let queue = harness.queue();
    queue.send(QueueName::Critical, "poison").await.expect("send");
    for receives in 1..=harness.receives_max() {
        assert_eq!(take(&*queue, QueueName::Critical, 1).await[0].receives, receives);
        harness.let_visibility_pass().await;
    }
    assert!(take(&*queue, QueueName::Critical, 1).await.is_empty());
    let dead = take(&*queue, QueueName::CriticalDead, 1).await;
    assert_eq!(dead[0].body, "poison");
}

pub async fn what_sqs_refuses_is_refused<H: Harness>(harness: &H) {
    let queue = harness.queue();
    for body in ["", "\u{0}", "a\u{b}", "a\u{fffe}", "\u{ffff}"] {
        assert_eq!(queue.send(QueueName::Bulk, body).await, Err(QueueError::BadCharacter), "{body:?}");
    }
    let largest = "x".repeat(SQS_BYTES_MAX);
    queue.send(QueueName::Bulk, &largest).await.expect("the largest message");
    assert_eq!(queue.send(QueueName::Bulk, &(largest + "x")).await, Err(QueueError::TooLarge));
    assert_eq!(take(&*queue, QueueName::Bulk, 5).await.len(), 1);
}

pub async fn depth_tells_visible_and_in_flight<H: Harness>(harness: &H) {
    let queue = harness.queue();
    for n in 0..3 {
        queue.send(QueueName::Bulk, &n.to_string()).await.expect("send");
    }
    let held = take(&*queue, QueueName::Bulk, 1).await.remove(0);
    settles(&*queue, 2, 1).await;
    queue.delete(QueueName::Bulk, &[held.receipt]).await.expect("delete");
    settles(&*queue, 2, 0).await;
}

/// Asks until the depth is as expected: SQS reports it only approximately, and late.
async fn settles(queue: &dyn Queue, visible: usize, in_flight: usize) {
    let mut depth = Depth::default();
    for _ in 0..DEPTHS_MAX {
        depth = queue.depth(QueueName::Bulk).await.expect("depth");
        if depth == (Depth { visible, in_flight }) {
            return;
        }
    }
    panic!("{depth:?} never became {visible} visible and {in_flight} in flight");
}

//! Records bodies as the consumer does, one at a time and without a queue: what tests of answers and pages stand on.

use ledger::fold::EventSet;
use ledger::{Event, LedgerKey};
use postmark::Context;
use queue::{Queue, QueueName};
use serde_json::Value;
use store::{Action, EventStore, Recorded, Seen};

/// Records a body as if it had come in, unless as good a copy is there, and folds the view anew. `stream` takes the place of
/// the body's own, for names that no door lets in. The event.
///
/// # Panics
/// Where the body is none that is recorded, or the tables refuse it.
pub async fn record(store: &dyn EventStore, context: &Context, body: &Value, stream: Option<&str>) -> Event {
    let server = context.server;
    let text = body.to_string();
    let (examined, mut event) = postmark::event(text.as_bytes(), context, &LedgerKey::for_tests())
        .unwrap_or_else(|refusal| panic!("{refusal}: {}", &text[..text.len().min(2_000)]));
    if let Some(stream) = stream {
        event.stream = stream.to_owned();
    }
    store.note_stream(server, &event.stream).await.expect("a stream");
    let before = store.state_events(server, event.recipient).await.expect("events");
    let set = |events: &[Recorded]| events.iter().map(|one| one.event.clone()).collect::<EventSet>();
    let view = set(&before).view();
    let read = view.as_ref().map(|view| view.folded);
    let new = Recorded {
        event: event.clone(),
        body: Some(examined.canonical),
        dropped: examined.dropped,
        expires_at: None,
    };
    let copy = store.event(server, event.recipient, event.class(), event.identity).await.expect("a copy");
    let mut actions = match copy.map(|copy| copy.event) {
        None => vec![Action::Record(new.clone())],
        Some(copy) if event.rank() < copy.rank() => vec![Action::Replace(new.clone(), Seen::from(&copy))],
        Some(_) => return event,
    };
    let mut after = before;
    after.push(new);
    if event.class() == ledger::Class::State
        && let (gone, Some(view)) = (view, set(&after).view())
    {
        for stream in gone.iter().flat_map(|gone| gone.rows().into_keys()) {
            if !view.rows().contains_key(stream) {
                actions.push(Action::DeleteRow(server, event.recipient, stream.to_owned()));
            }
        }
        for (stream, row) in view.rows() {
            let address = view.address.clone();
            actions.push(Action::PutRow(server, event.recipient, stream.to_owned(), row, address));
        }
        actions.push(Action::PutView(view, read));
    }
    let counts = [(ledger::counters::Measure::of(&event.what), 1)].into();
    actions.push(Action::Count(ledger::counters::Hour::of(&event), 0, counts));
    store.commit(&actions).await.expect("a commit");
    event
}

/// Takes the decisions that are on their way off the queue: their bodies.
pub async fn decided(queue: &dyn Queue) -> Vec<Value> {
    let mut bodies = Vec::new();
    loop {
        let messages = queue.receive(QueueName::Critical, queue::RECEIVE_MAX).await.expect("it is in memory");
        if messages.is_empty() {
            return bodies;
        }
        let receipts: Vec<String> = messages.iter().map(|message| message.receipt.clone()).collect();
        queue.delete(QueueName::Critical, &receipts).await.expect("it is in memory");
        for message in messages {
            let envelope = queue::Envelope::decode(&message.body).expect("it was written here");
            bodies.push(serde_json::from_str(envelope.body.get()).expect("it was written here"));
        }
    }
}

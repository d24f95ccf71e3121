//! A decision on its way: from what somebody rules to the event that will be recorded.

use ledger::{Event, LedgerKey, ServerId, Source, Time};
use platform::Backoff;
use postmark::{Body, Context, Decision, Refusal};
use queue::Envelope;
use std::time::Duration;
use store::Store;
use tokio::time::Instant;

/// How long a decision is waited for until it is recorded.
pub const WAIT: Duration = Duration::from_secs(5);
/// The first and the longest pause between looks whether a decision is recorded, doubling: a ledger in this
/// process takes milliseconds, and one on AWS is not to be asked hundreds of times.
const PAUSES: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(320)];

/// What travels on the critical queue for a decision, and the event that it will be.
///
/// # Errors
/// Where it would be set aside.
pub fn made(
    decision: &Decision<'_>,
    server: ServerId,
    now: Time,
    key: &LedgerKey,
) -> Result<(Envelope, Event), Refusal> {
    let body = Body::parse(decision.body().to_string().as_bytes())?;
    let context =
        Context { server, received_at: now, source: Source::Operator, keep_engagement_detail: false };
    let (examined, event) = postmark::event_of_body(body, &context, key)?;
    let told =
        Envelope::told(server, &event.what, now, Source::Operator, examined.canonical, examined.dropped);
    let envelope = told.unwrap_or_else(|_| unreachable!("what was examined is JSON"));
    Ok((envelope, event))
}

/// Waits until an event is recorded, for so long at most; whether it is. It is on its queue, whatever keeps us from
/// seeing it recorded: told again, it would be another one.
pub async fn recorded(store: &dyn Store, event: &Event, wait: Duration) -> bool {
    let until = Instant::now() + wait;
    let mut backoff = Backoff::new(PAUSES[0], PAUSES[1]);
    loop {
        let found = store.event(event.server, event.recipient, event.class(), event.identity).await;
        let recorded = matches!(found, Ok(Some(_)));
        if recorded || Instant::now() >= until {
            return recorded;
        }
        tokio::time::sleep(backoff.pause()).await;
    }
}

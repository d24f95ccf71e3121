//! Changes that are not made through the read API, noted as those are: who, what, when it began and how it ended.
//!
//! Invariant: no address is noted; a change that cannot be noted is not begun.

use crate::audit::{Entry, Phase, Who};
use ledger::{ServerId, Time};
use platform::Clock;
use serde_json::Value;
use store::{AccountStore, StoreError};

/// A change that is asked for.
pub struct Change {
    /// The server that it is made at; [`ServerId::NONE`]: the stack.
    pub server: ServerId,
    /// What it is, in a word.
    pub what: &'static str,
    /// What it is done to: no address.
    pub target: Option<String>,
    /// What is asked for.
    pub asked: Value,
}

/// A change that has begun.
pub struct Begun {
    entry: Entry,
    server: ServerId,
}

/// Notes that a change begins.
pub async fn begin(
    store: &dyn AccountStore,
    who: Who,
    change: Change,
    now: Time,
) -> Result<Begun, StoreError> {
    let Change { server, what, target, asked } = change;
    let entry = Entry { target, after: asked, ..Entry::begun(who, what, now)? };
    entry.note(store, server).await?;
    Ok(Begun { entry, server })
}

impl Begun {
    /// Notes how it ended, and hands that on.
    ///
    /// # Errors
    /// The change's own, or where its end cannot be noted.
    pub async fn end<T, E: From<StoreError>>(
        self,
        store: &dyn AccountStore,
        done: Result<T, E>,
        told: impl FnOnce(&T) -> Value,
        now: Time,
    ) -> Result<T, E> {
        match done {
            Ok(done) => {
                self.entry.now(Phase::Done, told(&done), now).note(store, self.server).await?;
                Ok(done)
            }
            Err(failure) => {
                // The change's own failure is what matters.
                let _ = self.entry.now(Phase::Failed, Value::Null, now).note(store, self.server).await;
                Err(failure)
            }
        }
    }
}

/// Does a change, and notes it before and after.
pub async fn change<T, E: From<StoreError>>(
    store: &dyn AccountStore,
    who: Who,
    change: Change,
    clock: &Clock,
    work: impl Future<Output = Result<T, E>>,
    told: impl FnOnce(&T) -> Value,
) -> Result<T, E> {
    let begun = begin(store, who, change, clock()).await?;
    let done = work.await;
    begun.end(store, done, told, clock()).await
}

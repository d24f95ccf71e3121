//! Changes that are not made through the read API, noted as those are: who, what, when it began and how it ended.
//!
//! Invariant: no address is noted; a change that cannot be noted is not begun.

use crate::target::Ledger;
use crate::{Failure, api, book};
use account::Book;
use account::audit::{Entry, Phase, Who};
use ledger::ServerId;
use serde_json::Value;

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
pub async fn begin(book: &dyn Book, who: Who, change: Change) -> Result<Begun, Failure> {
    let Change { server, what, target, asked } = change;
    let entry = Entry { target, after: asked, ..Entry::begun(who, what, platform::now())? };
    entry.note(book, server).await?;
    Ok(Begun { entry, server })
}

impl Begun {
    /// Notes how it ended, and hands that on.
    ///
    /// # Errors
    /// The change's own, or where its end cannot be noted.
    pub async fn end<T>(
        self,
        book: &dyn Book,
        done: Result<T, Failure>,
        told: impl FnOnce(&T) -> Value,
    ) -> Result<T, Failure> {
        let now = platform::now();
        match done {
            Ok(done) => {
                self.entry.now(Phase::Done, told(&done), now).note(book, self.server).await?;
                Ok(done)
            }
            Err(failure) => {
                // The change's own failure is what matters.
                let _ = self.entry.now(Phase::Failed, Value::Null, now).note(book, self.server).await;
                Err(failure)
            }
        }
    }
}

/// Does a change to a ledger, and notes it before and after.
pub fn change<T>(
    ledger: &Ledger,
    change: Change,
    work: impl FnOnce() -> Result<T, Failure>,
    told: impl FnOnce(&T) -> Value,
) -> Result<T, Failure> {
    let who = api::who(ledger);
    let begun = book::on(ledger, async |book| begin(book, who, change).await)?;
    let done = work();
    book::on(ledger, async |book| begun.end(book, done, told).await)
}

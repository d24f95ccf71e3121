//! A server, for changes, each of them noted.

use super::Reader;
use crate::decision;
use crate::kept::{Kept, Replay};
use crate::problem::{self, Problem};
use crate::token::{self, ERASURES_A_DAY};
use ::people::User;
use account::audit::{Phase, WhoKind};
use account::connect::{self, ConnectError};
use ledger::{Event, Identity, RecipientId, Time};
use postmark::Decision;
use postmark_api::{ServerInfo, Token};
use queue::QueueName;
use serde_json::Value;
use std::ops::Deref;
use store::{Collection, Document, Erased, Quarantined, ServerSettings, Store, StoreError, item};

/// A stretch of what was set aside.
pub struct SetAside {
    /// The server's own parts, each with its place.
    pub own: Vec<(String, Quarantined)>,
    /// Where to read on, if there is more. It may be the place of another server's part: it is not to be told.
    pub behind: Option<String>,
    /// The instant that this is in, as a place.
    pub instant: Option<String>,
}

/// A server that the caller may change.
#[derive(Clone, Copy)]
pub struct Admin<'a> {
    pub(super) reader: Reader<'a>,
}

impl<'a> Deref for Admin<'a> {
    type Target = Reader<'a>;

    fn deref(&self) -> &Reader<'a> {
        &self.reader
    }
}

impl<'a> Admin<'a> {
    /// The server, for reading.
    pub fn reader(&self) -> &Reader<'a> {
        &self.reader
    }

    /// Makes a decision: it is on its queue then. The event that will be recorded.
    ///
    /// # Errors
    /// [`Problem::bad_request`] where it would be set aside, or [`Problem::unavailable`].
    pub(crate) async fn decide(&self, decision: &Decision<'_>) -> Result<Event, Problem> {
        let made = decision::made(decision, self.server, self.now(), &self.gate.parts.ledger_key);
        let (envelope, event) = made.map_err(|refusal| Problem::bad_request(refusal.to_string()))?;
        self.gate.parts.queue.send(QueueName::Critical, &envelope.encode()).await?;
        Ok(event)
    }

    /// Waits a little until a decision is recorded; whether it is.
    pub(crate) async fn recorded(&self, event: &Event) -> bool {
        decision::recorded(self.store(), event, decision::WAIT).await
    }

    /// What Postmark says of the server that a token opens, if it is this one.
    ///
    /// # Errors
    /// [`ConnectError::WrongServer`], or Postmark's own.
    pub async fn owns(&self, token: Token) -> Result<ServerInfo, ConnectError> {
        connect::info(self.server, &self.gate.parts.postmark.server(token)).await
    }

    /// Keeps the server's token at Postmark in place of the one that was kept.
    pub async fn keep_postmark_token(&self, token: &Token) -> Result<(), Problem> {
        let kept = self.gate.parts.vault.put(self.server, token).await;
        kept.map_err(|error| problem::failed(&error, "the token of a server cannot be kept"))
    }

    /// See [`store::ServerStore::put_settings`].
    pub async fn put_settings(&self, settings: ServerSettings) -> Result<(), StoreError> {
        self.store().put_settings(self.server, settings).await
    }

    /// The steps of changes at this server, before one, backwards.
    pub async fn audited(
        &self,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Document)>, StoreError> {
        self.store().last_documents(&Collection::Audit(self.server), before, limit).await
    }

    /// What was set aside of this server's among the `limit` parts of a day (UTC) behind a place, latest first.
    pub async fn set_aside(
        &self,
        day: &str,
        after: Option<String>,
        limit: usize,
    ) -> Result<SetAside, StoreError> {
        let (kept, behind) = self.store().quarantined_page(day, after, limit, true).await?;
        let reached = kept.last().map(|last| last.part.received_at);
        // Behind this, all of that instant comes again.
        let instant = reached.map(|at| Time::from_micros(at.micros() + 1).key());
        let place = |kept: Quarantined| {
            let part = &kept.part;
            (item::part_key(part.received_at, &part.id, part.part).1, kept)
        };
        let own = kept.into_iter().filter(|kept| kept.part.server == self.server).map(place).collect();
        Ok(SetAside { own, instant: instant.filter(|_| behind.is_some()), behind })
    }

    /// What was set aside of this server's under a key.
    ///
    /// # Errors
    /// Where nothing is there, or it is not this server's, or the store's own.
    pub(crate) async fn kept(&self, key: &str) -> Result<Kept, Problem> {
        Kept::find(self.store(), Some(self.server), key).await
    }

    /// Puts it back on its queue.
    ///
    /// # Errors
    /// See [`Kept::replay`].
    pub(crate) async fn replay(&self, kept: &Kept) -> Result<(Identity, QueueName), Problem> {
        let parts = self.gate.parts;
        kept.replay((self.store(), &*parts.queue), &parts.ledger_key, &Replay::default(), self.now()).await
    }

    fn store(&self) -> &dyn Store {
        self.reader.store()
    }

    /// Takes a recipient's data out of the ledger, and remembers that: since when, and how many events were stripped
    /// now. It may be done again.
    ///
    /// # Errors
    /// The store's own; a part may be done.
    pub async fn erase(&self, recipient: RecipientId) -> Result<(Erased, usize), Problem> {
        let (store, server) = (self.store(), self.server);
        store.erase(server, recipient, self.now()).await?;
        let stripped = erasure::strip(store, server, recipient).await?;
        let erased = store.erased().await?.into_iter();
        let erased = erased.into_iter().find(|one| (one.server, one.recipient) == (server, recipient));
        Ok((erased.ok_or_else(Problem::unavailable)?, stripped.events))
    }

    /// Counts an erasure, where a token or a user asks for it.
    ///
    /// # Errors
    /// [`Problem::too_many`] where it has had so many today as it may; the registry's own.
    pub async fn count_erasure(&self) -> Result<(), Problem> {
        let (who, store, now) = (self.caller().who(), self.store(), self.now());
        let may = match who.kind {
            WhoKind::Token => token::Token::count_erasure(store, &who.name, now).await?,
            WhoKind::User => User::count_erasure(store, &who.name, ERASURES_A_DAY, now).await?,
            WhoKind::Aws | WhoKind::Local | WhoKind::Operator => true,
        };
        if may {
            return Ok(());
        }
        let detail = format!("a token or a user may have {ERASURES_A_DAY} people erased in a day (UTC)");
        Err(Problem::too_many(detail, self.now()))
    }

    /// Does a change, and notes it before and after. `target` is no address.
    ///
    /// # Errors
    /// The change's own; where it cannot be noted, it is not begun.
    pub async fn change<T>(
        &self,
        what: &str,
        target: Option<String>,
        asked: Value,
        change: impl Future<Output = Result<(T, Value), Problem>>,
    ) -> Result<T, Problem> {
        let change = async {
            change.await.map_err(|problem| {
                let told = serde_json::json!({ "problem": problem.code() });
                (problem, told)
            })
        };
        self.change_of(what, target, Value::Null, asked, change).await
    }

    /// The same of something that was otherwise before, where a failure too has more to tell than its code.
    ///
    /// # Errors
    /// As [`change`](Self::change).
    pub async fn change_of<T>(
        &self,
        what: &str,
        target: Option<String>,
        before: Value,
        asked: Value,
        change: impl Future<Output = Result<(T, Value), (Problem, Value)>>,
    ) -> Result<T, Problem> {
        // Kept apart, since a change may be large, and is in each of these as a whole.
        let change = Box::pin(change);
        let change = async {
            match change.await {
                Ok((done, told)) => (Phase::Done, told, Ok(done)),
                Err((problem, told)) => (Phase::Failed, told, Err(problem)),
            }
        };
        self.change_as_it_went(what, target, before, asked, change).await
    }

    /// The same of something that may have failed though there is an answer: the change says itself how it went.
    ///
    /// # Errors
    /// As [`change`](Self::change).
    pub async fn change_as_it_went<T>(
        &self,
        what: &str,
        target: Option<String>,
        before: Value,
        asked: Value,
        change: impl Future<Output = (Phase, Value, Result<T, Problem>)>,
    ) -> Result<T, Problem> {
        self.gate.noted(self.server, what, target, before, asked, change).await
    }
}

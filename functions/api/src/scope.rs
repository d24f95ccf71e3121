//! Who asks, and what that lets them reach: authorization, in one place, as types.
//!
//! Invariant: nothing else of this crate reaches tables, queues or Postmark. A [`Reader`] is only given out for a
//! server in the caller's scope, and can only ask about that server; an [`Admin`] only to one whose role allows it. What
//! is out of scope is not found, whether it is there or not.

use crate::call::Call;
use crate::decision;
use crate::problem::Problem;
use crate::token::{Refused, Role, Token};
use account::audit::{Entry, Phase, Who, WhoKind};
use account::completeness::{Completeness, completeness};
use account::{Registry, ServerEntry, Stored, Vault};
use http::header::AUTHORIZATION;
use ledger::counters::Counts;
use ledger::fold::View;
use ledger::policy::SoftBouncePolicy;
use ledger::verdict::{Deliveries, Question};
use ledger::{Class, Event, Identity, LedgerKey, RecipientId, ServerId, Time, recipient_key};
use platform::Clock;
use postmark::Decision;
use postmark_api::{Endpoint, ServerApi};
use queue::{Depth, Queue, QueueName};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;
use store::ask::{self, Ask, Told};
use store::item;
use store::{
    Cursor, Document, Erased, Kept, Listing, MessageKey, Page, Recorded, Rules, ServerSettings, Shelf, Span,
    Store, StoreError, Stretch,
};

/// What a ledger is reached by.
#[derive(Clone)]
pub struct Parts {
    /// The tables.
    pub store: Arc<dyn Store>,
    /// The queues.
    pub queue: Arc<dyn Queue>,
    /// Where the servers' Postmark tokens are kept.
    pub vault: Arc<dyn Vault>,
    /// Postmark.
    pub postmark: Endpoint,
    /// Makes recipient ids.
    pub ledger_key: LedgerKey,
    /// What holds for soft bounces where a server has no policy of its own.
    pub policy: SoftBouncePolicy,
    /// What time it is.
    pub clock: Clock,
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    who: Who,
    role: Role,
    servers: Option<BTreeSet<ServerId>>,
    reveal: bool,
}

impl Caller {
    /// Somebody who may do everything, and who is known by other means than a token: by credentials of AWS, or by
    /// using the machine that all of it runs on.
    pub fn operator(who: Who) -> Caller {
        Caller { who, role: Role::Operator, servers: None, reveal: true }
    }

    fn of(token: Token) -> Caller {
        let who = Who { kind: WhoKind::Token, name: token.id };
        Caller { who, role: token.role, servers: token.servers, reveal: token.reveal_addresses }
    }

    /// Who it is, as changes are noted.
    pub fn who(&self) -> &Who {
        &self.who
    }

    /// The role.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whether addresses in lists are shown whole.
    pub fn reveals(&self) -> bool {
        self.reveal
    }

    /// Whether all of these servers are in scope; `None` are all that there are.
    pub fn covers(&self, servers: Option<&BTreeSet<ServerId>>) -> bool {
        match (&self.servers, servers) {
            (None, _) => true,
            (Some(mine), Some(servers)) => servers.is_subset(mine),
            (Some(_), None) => false,
        }
    }
}

/// Somebody at the gate: who asks is known, what for is not yet.
pub struct Gate<'a> {
    parts: &'a Parts,
    caller: Caller,
}

impl<'a> Gate<'a> {
    /// Lets in whoever bears a token.
    ///
    /// # Errors
    /// [`Problem::unauthorized`], or the ledger's own.
    pub async fn by_token(parts: &'a Parts, call: &Call<'_>) -> Result<Gate<'a>, Problem> {
        let header =
            call.headers.get(AUTHORIZATION).ok_or_else(|| Problem::unauthorized("there is no token"))?;
        // A webhook whose URL was pasted wrongly: every other refusal but one that passes would drop its event for good.
        let basic = header.as_bytes().get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic "));
        if basic && call.method == http::Method::POST {
            return Err(Problem::door());
        }
        let bearer = header.to_str().ok().and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        let text = bearer.ok_or_else(|| Problem::unauthorized("the Authorization header bears no token"))?;
        match Token::of(&Stored(&*parts.store), text, (parts.clock)()).await? {
            Ok(token) => Ok(Gate { parts, caller: Caller::of(token) }),
            Err(Refused::Unknown) => Err(Problem::unauthorized("the token is not known here")),
            Err(Refused::Expired) => Err(Problem::unauthorized("the token has ended")),
            Err(Refused::Revoked) => Err(Problem::unauthorized("the token was revoked")),
        }
    }

    /// Lets in somebody who is known by other means.
    pub fn known(parts: &'a Parts, caller: Caller) -> Gate<'a> {
        Gate { parts, caller }
    }

    /// Who asks.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Opens a server, as a path names it.
    ///
    /// # Errors
    /// [`Problem::not_found`] where it is out of scope or not there at all, or the ledger's own.
    pub async fn server(&self, server: &str) -> Result<Reader<'_>, Problem> {
        let server: ServerId = server.parse().map_err(|_| Problem::not_found())?;
        let known = match &self.caller.servers {
            Some(servers) => servers.contains(&server),
            // Of somebody who may see all servers, a slip in the number must not read as "nothing speaks against it".
            None if server == ServerId::NONE => false,
            None => {
                !self.parts.store.streams(server).await?.is_empty()
                    || Registry(&Stored(&*self.parts.store)).get(server).await?.is_some()
            }
        };
        if known { Ok(Reader { gate: self, server }) } else { Err(Problem::not_found()) }
    }

    /// The servers in scope, with what the registry has of them.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn servers(&self) -> Result<Vec<(ServerId, Option<ServerEntry>, BTreeSet<String>)>, Problem> {
        let book = Stored(&*self.parts.store);
        let mut entries: BTreeMap<ServerId, Option<ServerEntry>> =
            Registry(&book).list().await?.into_iter().map(|entry| (entry.server, Some(entry))).collect();
        if let Some(servers) = &self.caller.servers {
            entries.retain(|server, _| servers.contains(server));
            for server in servers {
                entries.entry(*server).or_default();
            }
        }
        let mut all = Vec::new();
        for (server, entry) in entries {
            all.push((server, entry, self.parts.store.streams(server).await?));
        }
        Ok(all)
    }

    /// Opens the tokens, for whoever may make some.
    ///
    /// # Errors
    /// [`Problem::role`].
    pub fn tokens(&self) -> Result<Tokens<'_>, Problem> {
        if self.caller.role < Role::Admin {
            return Err(Problem::role("admin or operator"));
        }
        Ok(Tokens { gate: self })
    }
}

/// The tokens that a caller may see, make and revoke, all within its servers: an operator any, an admin viewers' tokens
/// (and sees the others).
pub struct Tokens<'a> {
    gate: &'a Gate<'a>,
}

impl Tokens<'_> {
    /// Whether a token is in scope.
    pub fn sees(&self, token: &Token) -> bool {
        self.gate.caller.covers(token.servers.as_ref())
    }

    /// Whether a token of this kind may be made and revoked.
    pub fn manages(&self, role: Role, servers: Option<&BTreeSet<ServerId>>) -> bool {
        let caller = &self.gate.caller;
        caller.covers(servers) && (caller.role == Role::Operator || role == Role::Viewer)
    }

    /// The tokens in scope.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn list(&self) -> Result<Vec<Token>, Problem> {
        let mut tokens = Token::all(&self.book()).await?;
        tokens.retain(|token| self.sees(token));
        Ok(tokens)
    }

    /// A token in scope.
    ///
    /// # Errors
    /// [`Problem::not_found`] or the ledger's own.
    pub async fn get(&self, id: &str) -> Result<Token, Problem> {
        let token = Token::get(&self.book(), id).await?;
        token.filter(|token| self.sees(token)).ok_or_else(Problem::not_found)
    }

    /// Keeps a token that was made.
    ///
    /// # Errors
    /// [`Problem::role`] or the ledger's own.
    pub async fn keep(&self, token: &Token) -> Result<(), Problem> {
        self.may(token)?;
        Ok(token.keep(&self.book()).await?)
    }

    /// Revokes a token.
    ///
    /// # Errors
    /// [`Problem::role`] or the ledger's own.
    pub async fn revoke(&self, token: &Token) -> Result<(), Problem> {
        self.may(token)?;
        Ok(Token::revoke(&self.book(), &token.id, self.now()).await?)
    }

    fn may(&self, token: &Token) -> Result<(), Problem> {
        if self.manages(token.role, token.servers.as_ref()) { Ok(()) } else { Err(Problem::role("operator")) }
    }

    /// Notes a step of a change: at each server of the token, or at the stack.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn note(&self, entry: &Entry, token: &Token) -> Result<(), Problem> {
        let stack = BTreeSet::from([ServerId::NONE]);
        for server in token.servers.as_ref().unwrap_or(&stack) {
            entry.note(&self.book(), *server).await?;
        }
        Ok(())
    }

    /// Who asks.
    pub fn caller(&self) -> &Caller {
        &self.gate.caller
    }

    /// What time it is.
    pub fn now(&self) -> Time {
        (self.gate.parts.clock)()
    }

    fn book(&self) -> Stored<'_> {
        Stored(&*self.gate.parts.store)
    }
}

/// A server that the caller may see. Everything that it reads is of this server.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    gate: &'a Gate<'a>,
    server: ServerId,
}

impl<'a> Reader<'a> {
    /// Which server.
    pub fn server(&self) -> ServerId {
        self.server
    }

    /// Who asks.
    pub fn caller(&self) -> &'a Caller {
        &self.gate.caller
    }

    /// What time it is.
    pub fn now(&self) -> Time {
        (self.gate.parts.clock)()
    }

    /// What holds for soft bounces where the server has no policy of its own.
    pub fn policy(&self) -> SoftBouncePolicy {
        self.gate.parts.policy
    }

    /// The id of an address here.
    pub fn recipient(&self, address: &str) -> RecipientId {
        self.gate.parts.ledger_key.recipient_id(self.server, &recipient_key(address))
    }

    /// The server, open for changes.
    ///
    /// # Errors
    /// [`Problem::role`].
    pub fn admin(self) -> Result<Admin<'a>, Problem> {
        if self.gate.caller.role < Role::Admin {
            return Err(Problem::role("admin"));
        }
        Ok(Admin { reader: self })
    }

    fn store(&self) -> &'a dyn Store {
        &*self.gate.parts.store
    }

    /// What the registry has of it.
    ///
    /// # Errors
    /// The registry's own.
    pub async fn entry(&self) -> Result<Option<ServerEntry>, Problem> {
        Ok(Registry(&Stored(self.store())).get(self.server).await?)
    }

    /// See [`Store::streams`].
    ///
    /// # Errors
    /// The store's own.
    pub async fn streams(&self) -> Result<BTreeSet<String>, StoreError> {
        self.store().streams(self.server).await
    }

    /// See [`Store::settings`].
    ///
    /// # Errors
    /// The store's own.
    pub async fn settings(&self) -> Result<ServerSettings, StoreError> {
        self.store().settings(self.server).await
    }

    /// See [`Store::rules`].
    ///
    /// # Errors
    /// The store's own.
    pub async fn rules(&self) -> Result<Rules, StoreError> {
        self.store().rules().await
    }

    /// See [`Store::views`].
    ///
    /// # Errors
    /// The store's own.
    pub async fn views(&self, recipients: &[RecipientId]) -> Result<Vec<Option<View>>, StoreError> {
        self.store().views(self.server, recipients).await
    }

    /// See [`Store::state_events`].
    ///
    /// # Errors
    /// The store's own.
    pub async fn state_events(&self, recipient: RecipientId) -> Result<Vec<Recorded>, StoreError> {
        self.store().state_events(self.server, recipient).await
    }

    /// See [`Store::events`].
    ///
    /// # Errors
    /// The store's own.
    pub async fn events(
        &self,
        recipient: RecipientId,
        class: Class,
        after: Option<Identity>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.store().events(self.server, recipient, class, after, limit).await
    }

    /// See [`Store::deliveries`].
    ///
    /// # Errors
    /// The store's own.
    pub async fn deliveries(
        &self,
        recipient: RecipientId,
        stream: &str,
        by: Time,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.store().deliveries(self.server, recipient, stream, by, limit).await
    }

    /// The answer about a recipient, with what has state in its timeline.
    ///
    /// # Errors
    /// The store's own.
    pub async fn told(
        &self,
        recipient: RecipientId,
        stream: Option<String>,
        at: Option<Time>,
        known_at: Option<Time>,
    ) -> Result<Told, StoreError> {
        let (server, policy) = (self.server, self.policy());
        let address = String::new();
        let ask = Ask { server, address, stream, at, known_at, policy, whole_timeline: false };
        ask::about(self.store(), recipient, ask, self.now()).await
    }

    /// The deliveries that an answer depends on.
    ///
    /// # Errors
    /// The store's own.
    pub async fn evidence(
        &self,
        recipient: RecipientId,
        question: &Question<'_>,
    ) -> Result<Deliveries, StoreError> {
        let living = |recorded| ask::living(recorded, self.now());
        ask::evidence(self.store(), self.server, recipient, question, living).await
    }

    /// See [`Store::event`].
    ///
    /// # Errors
    /// The store's own.
    pub async fn event(
        &self,
        recipient: RecipientId,
        class: Class,
        identity: Identity,
    ) -> Result<Option<Recorded>, StoreError> {
        self.store().event(self.server, recipient, class, identity).await
    }

    /// See [`Store::message`].
    ///
    /// # Errors
    /// The store's own.
    pub async fn message(&self, message_id: &str) -> Result<Vec<MessageKey>, StoreError> {
        self.store().message(self.server, message_id).await
    }

    /// See [`Store::happened`].
    ///
    /// # Errors
    /// The store's own.
    pub async fn happened(
        &self,
        stream: &str,
        slot: u8,
        within: Span,
        limit: usize,
    ) -> Result<Option<Vec<Recorded>>, StoreError> {
        self.store().happened(self.server, stream, slot, within, limit).await
    }

    /// See [`Store::suppressed`]; behind a recipient that stood in the list since an instant.
    ///
    /// # Errors
    /// The store's own.
    pub async fn suppressed(
        &self,
        stream: &str,
        since: Span,
        after: Option<(Time, RecipientId)>,
        limit: usize,
    ) -> Result<Stretch<Listing>, StoreError> {
        let cursor = |(since, recipient)| Cursor::of_listing(self.server, recipient, stream, since);
        self.store().suppressed(self.server, stream, since, after.map(cursor), Some(limit)).await
    }

    /// See [`Store::counters`].
    ///
    /// # Errors
    /// The store's own.
    pub async fn counters(
        &self,
        stream: &str,
        from: &str,
        before: &str,
    ) -> Result<BTreeMap<String, Counts>, StoreError> {
        self.store().counters(self.server, stream, from, before).await
    }

    /// See [`Store::newest`].
    ///
    /// # Errors
    /// The store's own.
    pub async fn newest(&self, stream: &str) -> Result<Option<Time>, StoreError> {
        self.store().newest(self.server, stream).await
    }

    /// How much is on the critical queue, and when the oldest of what it handed out last had come in; each where that
    /// can be had. It is the stack's: all servers' events stand in it.
    pub async fn critical_queue(&self) -> (Option<Depth>, Option<Time>) {
        let (depth, pulse) =
            tokio::join!(self.gate.parts.queue.depth(QueueName::Critical), self.store().pulse());
        (depth.ok(), pulse.ok().flatten())
    }
}

/// A stretch of what was set aside.
pub struct SetAside {
    /// The server's own parts, each with its place.
    pub own: Vec<(String, Kept)>,
    /// Where to read on, if there is more. It may be the place of another server's part: it is not to be told.
    pub behind: Option<String>,
    /// The instant that this is in, as a place.
    pub instant: Option<String>,
}

/// A server that the caller may change.
#[derive(Clone, Copy)]
pub struct Admin<'a> {
    reader: Reader<'a>,
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

    /// Postmark, by the server's own token; none where no token is kept.
    ///
    /// # Errors
    /// [`Problem::unavailable`].
    pub async fn postmark(&self) -> Result<Option<ServerApi>, Problem> {
        let token = self.gate.parts.vault.token(self.server).await.map_err(|error| {
            tracing::error!(error = %error, "the token of a server cannot be had");
            Problem::unavailable()
        })?;
        Ok(token.map(|token| self.gate.parts.postmark.server(token)))
    }

    /// The steps of changes at this server, before one, backwards.
    ///
    /// # Errors
    /// The store's own.
    pub async fn audited(
        &self,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Document)>, StoreError> {
        self.store().last_documents(&Shelf::Audit(self.server), before, limit).await
    }

    /// What was set aside of this server's among the `limit` parts of a day (UTC) behind a place, latest first.
    ///
    /// # Errors
    /// The store's own.
    pub async fn set_aside(
        &self,
        day: &str,
        after: Option<String>,
        limit: usize,
    ) -> Result<SetAside, StoreError> {
        let (kept, behind) = self.store().kept_page(day, after, limit, true).await?;
        let reached = kept.last().map(|last| last.part.received_at);
        // Behind this, all of that instant comes again.
        let instant = reached.map(|at| Time::from_micros(at.micros() + 1).key());
        let place = |kept: Kept| {
            let part = &kept.part;
            (item::part_key(part.received_at, &part.id, part.part).1, kept)
        };
        let own = kept.into_iter().filter(|kept| kept.part.server == self.server).map(place).collect();
        Ok(SetAside { own, instant: instant.filter(|_| behind.is_some()), behind })
    }

    /// What reconcile found complete, from one Eastern day to another, both included.
    ///
    /// # Errors
    /// The registry's own.
    pub async fn completeness(&self, from: &str, to: &str) -> Result<Completeness, Problem> {
        Ok(completeness(&self.book(), self.server, from, to).await?)
    }

    fn book(&self) -> Stored<'_> {
        Stored(self.reader.store())
    }

    /// Takes a recipient's data out of the ledger, and remembers that: since when, and how many events were stripped
    /// now. It may be done again.
    ///
    /// # Errors
    /// The store's own; a part may be done.
    pub async fn erase(&self, recipient: RecipientId) -> Result<(Erased, usize), Problem> {
        let (store, server) = (self.store(), self.server);
        store.erase(server, recipient, self.now()).await?;
        let stripped = store::erase::strip(store, server, recipient).await?;
        let erased = store.erased().await?.into_iter();
        let erased = erased.into_iter().find(|one| (one.server, one.recipient) == (server, recipient));
        Ok((erased.ok_or_else(Problem::unavailable)?, stripped.events))
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
        let begun = Entry::begun(self.caller().who().clone(), what, self.now())?;
        let begun = Entry { target, before, after: asked, ..begun };
        let book = self.book();
        begun.note(&book, self.server).await?;
        match change.await {
            Ok((done, told)) => {
                begun.now(Phase::Done, told, self.now()).note(&book, self.server).await?;
                Ok(done)
            }
            Err((problem, told)) => {
                // The change's own failure is what matters.
                let _ = begun.now(Phase::Failed, told, self.now()).note(&book, self.server).await;
                Err(problem)
            }
        }
    }
}

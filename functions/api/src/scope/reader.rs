//! A server, for reading.

use super::{Admin, Caller, Gate, Stream};
use crate::problem::{self, Problem};
use crate::token::Role;
use account::audit::Phase;
use account::completeness::{Completeness, completeness};
use account::{Registry, ServerEntry};
use ledger::counters::Counts;
use ledger::fold::View;
use ledger::given::Recipient;
use ledger::policy::SoftBouncePolicy;
use ledger::verdict::{Deliveries, Question};
use ledger::{Class, Identity, RecipientId, ServerId, Time, recipient_key};
use postmark_api::ServerApi;
use queue::{Depth, QueueName};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use store::ask::{self, Ask, RecipientReport};
use store::by_time;
use store::{Cursor, Listing, MessageKey, Page, Recorded, ServerSettings, Store, StoreError, TimeRange};

/// A server that the caller may see. Everything that it reads is of this server.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    pub(super) gate: &'a Gate<'a>,
    pub(super) server: ServerId,
}

impl<'a> Reader<'a> {
    /// Which server.
    pub fn server(&self) -> ServerId {
        self.server
    }

    /// Whom the caller may know others as.
    pub(crate) fn gate(&self) -> &'a Gate<'a> {
        self.gate
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

    /// The ids of a recipient here, one for each spelling of its mailbox, that of its own first.
    pub fn ids(&self, recipient: &Recipient) -> Vec<RecipientId> {
        recipient.ids(&self.gate.parts.ledger_key, self.server)
    }

    /// The id of an address that was understood.
    pub fn recipient(&self, address: &str) -> RecipientId {
        self.gate.parts.ledger_key.recipient_id(self.server, &recipient_key(address))
    }

    /// Whether anything is recorded of an id.
    pub async fn knows(&self, recipient: RecipientId) -> Result<bool, StoreError> {
        for class in Class::ALL {
            if !self.events(recipient, class, None, 1).await?.items.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The server, open for changes.
    pub fn admin(self) -> Result<Admin<'a>, Problem> {
        if self.gate.caller.role() < Role::Admin {
            return Err(Problem::role("admin"));
        }
        Ok(Admin { reader: self })
    }

    /// Looks at something that is not for everybody who may see the server, and notes that before and after. `target` is no
    /// address.
    ///
    /// # Errors
    /// The look's own; where it cannot be noted, it is not begun.
    pub(crate) async fn looked<T>(
        &self,
        what: &str,
        target: &str,
        look: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        let look = Box::pin(look);
        let look = async {
            match look.await {
                Ok(seen) => (Phase::Done, Value::Null, Ok(seen)),
                Err(problem) => (Phase::Failed, json!({ "problem": problem.code() }), Err(problem)),
            }
        };
        self.gate.noted(self.server, what, Some(target.to_owned()), Value::Null, Value::Null, look).await
    }

    pub(super) fn store(&self) -> &'a dyn Store {
        &*self.gate.parts.store
    }

    /// Postmark, by the server's own token; none where no token is kept.
    pub async fn postmark(&self) -> Result<Option<ServerApi>, Problem> {
        let token = self.gate.parts.vault.token(self.server).await;
        let token = token.map_err(|error| problem::failed(&error, "the token of a server cannot be read"))?;
        Ok(token.map(|token| self.gate.parts.postmark.server(token)))
    }

    /// What the registry has of it.
    pub async fn entry(&self) -> Result<Option<ServerEntry>, Problem> {
        Ok(Registry(self.store()).get(self.server).await?)
    }

    /// What reconcile found complete, from one Eastern day to another, both included.
    pub async fn completeness(&self, from: &str, to: &str) -> Result<Completeness, Problem> {
        Ok(completeness(self.store(), self.server, from, to).await?)
    }

    /// See [`Store::streams`].
    pub async fn streams(&self) -> Result<BTreeSet<String>, StoreError> {
        self.store().streams(self.server).await
    }

    /// See [`Store::settings`].
    pub async fn settings(&self) -> Result<ServerSettings, StoreError> {
        self.store().settings(self.server).await
    }

    /// See [`Store::views`].
    pub async fn views(&self, recipients: &[RecipientId]) -> Result<Vec<Option<View>>, StoreError> {
        self.store().views(self.server, recipients).await
    }

    /// See [`Store::state_events`].
    pub async fn state_events(&self, recipient: RecipientId) -> Result<Vec<Recorded>, StoreError> {
        self.store().state_events(self.server, recipient).await
    }

    /// See [`Store::events`].
    pub async fn events(
        &self,
        recipient: RecipientId,
        class: Class,
        after: Option<Identity>,
        limit: usize,
    ) -> Result<Page<Recorded>, StoreError> {
        self.store().events(self.server, recipient, class, after, limit).await
    }

    /// The answer about a recipient, with what has state in its timeline.
    pub async fn told(
        &self,
        whom: Recipient,
        stream: Option<(String, Stream)>,
        after: Option<String>,
        at: Option<Time>,
        known_at: Option<Time>,
    ) -> Result<RecipientReport, StoreError> {
        let (server, policy) = (self.server, self.policy());
        let found = stream.as_ref().and_then(|(_, stream)| stream.known.then_some(stream.kind));
        let stream = stream.map(|(name, _)| name);
        let ask = Ask { server, whom, stream, after, found, at, known_at, policy, whole_timeline: false };
        ask::recipient(self.store(), &self.gate.parts.ledger_key, ask, self.now()).await
    }

    /// The deliveries that an answer depends on.
    pub async fn evidence(
        &self,
        recipient: RecipientId,
        question: &Question<'_>,
    ) -> Result<Deliveries, StoreError> {
        let living = |recorded| ask::living(recorded, self.now());
        ask::evidence(self.store(), self.server, recipient, question, living).await
    }

    /// See [`Store::event`].
    pub async fn event(
        &self,
        recipient: RecipientId,
        class: Class,
        identity: Identity,
    ) -> Result<Option<Recorded>, StoreError> {
        self.store().event(self.server, recipient, class, identity).await
    }

    /// See [`Store::message`].
    pub async fn message(&self, message_id: &str) -> Result<Vec<MessageKey>, StoreError> {
        self.store().message(self.server, message_id).await
    }

    /// See [`Store::happened`].
    pub async fn happened(
        &self,
        stream: &str,
        slot: u8,
        within: TimeRange,
        limit: usize,
    ) -> Result<Option<Vec<Recorded>>, StoreError> {
        self.store().happened(self.server, stream, slot, within, limit).await
    }

    /// From when on [`happened`](Self::happened) tells all events; `None`: it tells all that there are.
    pub async fn listed_whole_from(&self) -> Result<Option<Time>, StoreError> {
        by_time::whole_from(self.store(), self.now()).await
    }

    /// See [`Store::suppressed`]; behind a recipient that stood in the list since an instant.
    pub async fn suppressed(
        &self,
        stream: &str,
        since: TimeRange,
        after: Option<(Time, RecipientId)>,
        limit: usize,
    ) -> Result<Page<Listing>, StoreError> {
        let cursor = |(since, recipient)| Cursor::of_listing(self.server, recipient, stream, since);
        self.store().suppressed(self.server, stream, since, after.map(cursor), Some(limit)).await
    }

    /// See [`Store::counters`].
    pub async fn counters(
        &self,
        stream: &str,
        from: &str,
        before: &str,
    ) -> Result<BTreeMap<String, Counts>, StoreError> {
        self.store().counters(self.server, stream, from, before).await
    }

    /// See [`Store::newest`].
    pub async fn newest(&self, stream: &str) -> Result<Option<Time>, StoreError> {
        self.store().newest(self.server, stream).await
    }

    /// How much is on the critical queue, and when the oldest of what it handed out last had come in; each where that
    /// can be had. It is the stack's: all servers' events stand in it.
    pub async fn critical_queue(&self) -> (Option<Depth>, Option<Time>) {
        let (depth, watermark) =
            tokio::join!(self.gate.parts.queue.depth(QueueName::Critical), self.store().watermark());
        (depth.ok(), watermark.ok().flatten())
    }
}

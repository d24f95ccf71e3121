//! A store that fails by plan, whatever implementation is behind it.

use crate::{
    Action, Cancel, CommitError, Cursor, Document, Erased, ErasedAs, Kept, Listing, MessageKey, Page,
    Recorded, Rules, ServerSettings, Shelf, Span, Store, StoreError, Stretch,
};
use async_trait::async_trait;
use faults::{Fault, Plan};
use ledger::counters::Counts;
use ledger::fold::View;
use ledger::{Class, Identity, RecipientId, ServerId, Time};
use platform::{CallFailed, FailureKind};
use queue::Part;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Calls go through under a plan, under the names of the port's methods.
pub struct Faulty {
    inner: Arc<dyn Store>,
    plan: Plan,
}

impl Faulty {
    /// A store under a plan.
    pub fn new(inner: Arc<dyn Store>, plan: Plan) -> Faulty {
        Faulty { inner, plan }
    }
}

/// As DynamoDB would tell of a fault.
fn failed(fault: Fault) -> StoreError {
    StoreError::Failed(match fault {
        Fault::LoseAnswer => FailureKind::Timeout.into(),
        Fault::Deny => CallFailed::new(FailureKind::AccessDenied).with_code("AccessDeniedException"),
        _ => CallFailed::new(FailureKind::Fault).with_code("InternalServerError"),
    })
}

/// Passes each call of the port to the implementation behind it, under the plan. Only `commit` has errors of
/// its own. (One macro makes the whole `impl`, since `async_trait` must see the methods.)
macro_rules! under_plan {
    ($($name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl Store for Faulty {
            async fn commit(&self, actions: Vec<Action>) -> Result<(), CommitError> {
                let places = actions.len();
                let error = |fault| match fault {
                    Fault::Conflict => {
                        let mut cancels = vec![Cancel::None; places];
                        cancels[places / 2] = Cancel::Conflict;
                        CommitError::Cancelled(cancels)
                    }
                    Fault::Refuse => {
                        let mut cancels = vec![Cancel::None; places];
                        cancels[0] = Cancel::Throttled;
                        CommitError::Cancelled(cancels)
                    }
                    other => failed(other).into(),
                };
                self.plan.call("commit", self.inner.commit(actions), error).await
            }

            $(async fn $name(&self, $($arg: $type),*) -> Result<$answer, StoreError> {
                self.plan.call(stringify!($name), self.inner.$name($($arg),*), failed).await
            })*
        }
    };
}

under_plan! {
    state_events(server: ServerId, recipient: RecipientId) -> Vec<Recorded>;
    events(server: ServerId, recipient: RecipientId, class: Class, after: Option<Identity>, limit: usize) -> Page;
    deliveries(server: ServerId, recipient: RecipientId, stream: &str, by: Time, limit: usize) -> Page;
    event(server: ServerId, recipient: RecipientId, class: Class, identity: Identity) -> Option<Recorded>;
    views(server: ServerId, recipients: &[RecipientId]) -> Vec<Option<View>>;
    counters(server: ServerId, stream: &str, from: &str, before: &str) -> BTreeMap<String, Counts>;
    note_stream(server: ServerId, stream: &str) -> ();
    forget_stream(server: ServerId, stream: &str) -> ();
    streams(server: ServerId) -> BTreeSet<String>;
    rules() -> Rules;
    revoke(server: ServerId, generation: u32, from: Time) -> ();
    unrevoke(server: ServerId, generation: u32) -> ();
    raise_floor(class: Class, to: Time) -> ();
    settings(server: ServerId) -> ServerSettings;
    put_settings(server: ServerId, settings: ServerSettings) -> ();
    keep(part: Part, expires_at: Option<Time>) -> ();
    kept_on(day: &str) -> Vec<Kept>;
    kept(received_at: Time, id: &str) -> Vec<Kept>;
    mark_replayed(received_at: Time, id: &str, at: Time) -> ();
    kept_page(day: &str, after: Option<String>, limit: usize, newest_first: bool) -> (Vec<Kept>, Option<String>);
    rewrite(part: Part) -> ();
    erase(server: ServerId, recipient: RecipientId, at: Time) -> ();
    erased() -> Vec<Erased>;
    erased_after(count: u64) -> Vec<ErasedAs>;
    mark_swept(server: ServerId, recipient: RecipientId, at: Time) -> ();
    document(shelf: &Shelf, name: &str) -> Option<Document>;
    documents(shelf: &Shelf) -> Vec<(String, Document)>;
    put_document(shelf: &Shelf, name: &str, text: &str, expected: Option<u64>) -> bool;
    delete_document(shelf: &Shelf, name: &str, expected: u64) -> bool;
    last_documents(shelf: &Shelf, before: Option<&str>, limit: usize) -> Vec<(String, Document)>;
    suppressed(
        server: ServerId,
        stream: &str,
        since: Span,
        after: Option<Cursor>,
        limit: Option<usize>
    ) -> Stretch<Listing>;
    happened(
        server: ServerId,
        stream: &str,
        slot: u8,
        within: Span,
        limit: usize
    ) -> Option<Vec<Recorded>>;
    newest(server: ServerId, stream: &str) -> Option<Time>;
    note_pulse(received_at: Time) -> ();
    pulse() -> Option<Time>;
    message(server: ServerId, message_id: &str) -> Vec<MessageKey>;
}

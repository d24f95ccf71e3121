//! A store that fails by plan, whatever implementation is behind it.

use crate::{
    Action, ByTime, Cancel, Collection, CommitError, CounterStore, Cursor, Document, DocumentStore, Erased,
    ErasedAs, EventStore, FreshnessStore, IndexStore, Listing, MessageKey, Page, QuarantineStore,
    Quarantined, Recorded, RuleStore, Rules, ServerSettings, ServerStore, Store, StoreError, TimeRange,
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

/// Passes each call of a port to the implementation behind it, under the plan; what has errors of its own stands in braces. (One macro makes a
/// whole `impl`, since `async_trait` must see the methods.)
macro_rules! under_plan {
    ($port:ident { $($own:tt)* } $($name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl $port for Faulty {
            $($own)*

            $(async fn $name(&self, $($arg: $type),*) -> Result<$answer, StoreError> {
                self.plan.call(stringify!($name), self.inner.$name($($arg),*), failed).await
            })*
        }
    };
}

under_plan! {
    EventStore {
        async fn commit(&self, actions: &[Action]) -> Result<(), CommitError> {
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
    }
    state_events(server: ServerId, recipient: RecipientId) -> Vec<Recorded>;
    events(server: ServerId, recipient: RecipientId, class: Class, after: Option<Identity>, limit: usize) -> Page<Recorded>;
    deliveries(server: ServerId, recipient: RecipientId, stream: &str, by: Time, limit: usize) -> Page<Recorded>;
    event(server: ServerId, recipient: RecipientId, class: Class, identity: Identity) -> Option<Recorded>;
    views(server: ServerId, recipients: &[RecipientId]) -> Vec<Option<View>>;
    note_stream(server: ServerId, stream: &str) -> ();
    forget_stream(server: ServerId, stream: &str) -> ();
}

under_plan! {
    CounterStore {}
    counters(server: ServerId, stream: &str, from: &str, before: &str) -> BTreeMap<String, Counts>;
}

under_plan! {
    ServerStore {}
    settings(server: ServerId) -> ServerSettings;
    put_settings(server: ServerId, settings: ServerSettings) -> ();
    streams(server: ServerId) -> BTreeSet<String>;
}

under_plan! {
    DocumentStore {}
    document(collection: &Collection, name: &str) -> Option<Document>;
    documents(collection: &Collection) -> Vec<(String, Document)>;
    put_document(collection: &Collection, name: &str, text: &str, expected: Option<u64>) -> bool;
    delete_document(collection: &Collection, name: &str, expected: u64) -> bool;
    last_documents(collection: &Collection, before: Option<&str>, limit: usize) -> Vec<(String, Document)>;
}

under_plan! {
    RuleStore {}
    rules() -> Rules;
    revoke(server: ServerId, generation: u32, from: Time) -> ();
    unrevoke(server: ServerId, generation: u32) -> ();
    raise_floor(class: Class, to: Time) -> ();
    erase(server: ServerId, recipient: RecipientId, at: Time) -> ();
    erased() -> Vec<Erased>;
    erased_after(count: u64) -> Vec<ErasedAs>;
    mark_swept(server: ServerId, recipient: RecipientId, at: Time) -> ();
}

under_plan! {
    QuarantineStore {}
    quarantine(part: Part, expires_at: Option<Time>) -> ();
    quarantined_on(day: &str) -> Vec<Quarantined>;
    quarantined(received_at: Time, id: &str) -> Vec<Quarantined>;
    mark_replayed(received_at: Time, id: &str, at: Time) -> ();
    quarantined_page(day: &str, after: Option<String>, limit: usize, newest_first: bool) -> (Vec<Quarantined>, Option<String>);
    rewrite_quarantined(part: Part) -> ();
}

under_plan! {
    IndexStore {
        fn by_time(&self) -> ByTime {
            self.inner.by_time()
        }
    }
    suppressed(
        server: ServerId,
        stream: &str,
        since: TimeRange,
        after: Option<Cursor>,
        limit: Option<usize>
    ) -> Page<Listing>;
    happened(
        server: ServerId,
        stream: &str,
        slot: u8,
        within: TimeRange,
        limit: usize
    ) -> Option<Vec<Recorded>>;
    message(server: ServerId, message_id: &str) -> Vec<MessageKey>;
}

under_plan! {
    FreshnessStore {}
    newest(server: ServerId, stream: &str) -> Option<Time>;
    note_watermark(received_at: Time) -> ();
    watermark() -> Option<Time>;
}

//! The seven doors of a stack in one process, and which of them a path leads to: what API Gateway routes.

use credential::Verifier;
use ingest::Handler;
use platform::Clock;
use postmark::RecordType;
use queue::Sender;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whether opens and clicks keep where and with what they happened.
pub const KEEPS_ENGAGEMENT_DETAIL: bool = false;

/// One door for each record type, and the one for all.
pub struct Handlers(BTreeMap<Option<RecordType>, Arc<Handler>>);

impl Handlers {
    /// Handlers before a queue.
    pub fn new(verifier: &Arc<Verifier>, queue: &Arc<dyn Sender>, clock: &Clock) -> Handlers {
        let door = |route| Handler {
            route,
            verifier: verifier.clone(),
            queue: queue.clone(),
            keep_engagement_detail: KEEPS_ENGAGEMENT_DETAIL,
            clock: clock.clone(),
        };
        let routes = RecordType::ALL.map(Some).into_iter().chain([None]);
        Handlers(routes.map(|route| (route, Arc::new(door(route)))).collect())
    }

    /// The door that a path leads to; any that is no record type's leads to the one for all.
    pub fn of(&self, path: &str) -> &Arc<Handler> {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let route = match segments[..] {
            ["v1", _, segment] => RecordType::of_segment(segment),
            _ => None,
        };
        &self.0[&route]
    }
}

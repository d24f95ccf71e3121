//! Putting on the queue what is not recorded yet.

use crate::progress::Tally;
use crate::{AT_ONCE, Reconcile, ReconcileError, Work};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use ledger::event::What;
use ledger::{Event, ServerId, Source};
use postmark::{Body, Context, Examined, event_of_body};
use queue::{Envelope, QueueName};
use serde_json::Value;
use std::collections::BTreeMap;

/// What was found, by record type.
pub(crate) type Found = BTreeMap<String, Tally>;

/// What became of bodies.
#[derive(Debug, Default)]
pub(crate) struct Enqueued {
    pub(crate) found: Found,
    /// How many could not be understood.
    pub(crate) unreadable: u64,
}

/// One body, understood.
struct Understood {
    context: Context,
    examined: Examined,
    event: Event,
}

impl Work<'_> {
    /// Puts on the queue what of these is not recorded, unless nothing is to be told.
    pub(crate) async fn tell(
        &mut self,
        name: &str,
        bodies: Vec<Value>,
        source: Source,
    ) -> Result<Found, ReconcileError> {
        let told = self.with.tell(self.job.server, bodies, source, self.job.dry_run).await?;
        self.report.stream(name).unreadable += told.unreadable;
        Ok(told.found)
    }
}

impl Reconcile {
    /// Puts on the queue what of these is not recorded.
    pub(crate) async fn tell(
        &self,
        server: ServerId,
        bodies: Vec<Value>,
        source: Source,
        dry_run: bool,
    ) -> Result<Enqueued, ReconcileError> {
        let mut told = Enqueued::default();
        let mut understood: BTreeMap<_, Understood> = BTreeMap::new();
        for body in bodies {
            // A page may show a row again that has moved on meanwhile.
            match self.understand(server, body, source) {
                Some(one) => {
                    let event = &one.event;
                    understood.insert((event.recipient, event.identity, event.complains()), one);
                }
                None => told.unreadable += 1,
            }
        }
        let checks = understood.into_values().map(|one| async move {
            let event = &one.event;
            if matches!(event.what, What::Present { .. }) {
                // It is of its own dump's instant: none is recorded.
                return Ok((one, false));
            }
            let stored =
                async |identity| self.store.event(server, event.recipient, event.class(), identity).await;
            let recorded = match stored(event.identity).await?.map(|stored| stored.event) {
                None => false,
                Some(other) if event.makes_way_for(&other) => {
                    stored(event.identity.beside()).await?.is_some()
                }
                Some(other) => !other.makes_way_for(event),
            };
            Ok::<_, ReconcileError>((one, recorded))
        });
        let checks: Vec<_> = checks.collect();
        let checked: Vec<(Understood, bool)> =
            stream::iter(checks).buffer_unordered(AT_ONCE).try_collect().await?;
        let mut sends = Vec::new();
        for (one, recorded) in checked {
            let tally = told.found.entry(one.event.kind().name().to_owned()).or_default();
            tally.expected += 1;
            if recorded {
                tally.recorded += 1;
            } else {
                tally.missing += 1;
                sends.push(one);
            }
        }
        if !dry_run {
            let sends: Vec<_> = sends.into_iter().map(|one| self.send(one)).collect();
            stream::iter(sends).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        }
        Ok(told)
    }

    fn understand(&self, server: ServerId, body: Value, source: Source) -> Option<Understood> {
        let context = Context {
            server,
            received_at: (self.clock)(),
            source,
            keep_engagement_detail: self.keep_engagement_detail,
        };
        let body = Body::parse(&serde_json::to_vec(&body).ok()?).ok()?;
        let (examined, event) = event_of_body(body, &context, &self.ledger_key).ok()?;
        Some(Understood { context, examined, event })
    }

    async fn send(&self, one: Understood) -> Result<(), ReconcileError> {
        let Understood { context, examined, event } = one;
        let kind = examined.kind;
        let envelope = Envelope::told(
            context.server,
            &event.what,
            context.received_at,
            context.source,
            examined.canonical,
            examined.dropped,
        );
        let envelope = envelope.unwrap_or_else(|_| unreachable!("a canonical body is JSON"));
        Ok(self.queue.send(QueueName::of(kind), &envelope.encode()).await?)
    }
}

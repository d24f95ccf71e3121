//! Which servers and streams are known here, and streams that hold nothing and are forgotten.

use crate::{Forgotten, Operator, unusable};
use account::audit::Who;
use account::audited::Change;
use account::{Registry, StreamError};
use api::problem::Problem;
use ledger::ServerId;
use ledger::event::WHOLE_SERVER;
use serde_json::{Value, json};
use store::TimeRange;

impl Operator {
    /// That a server is known here: what is asked about an unknown one may be a slip, and is refused.
    pub(super) async fn known(&self, server: ServerId) -> Result<(), Problem> {
        let (noted, settings) = (self.store.streams(server).await?, self.store.settings(server).await?);
        let now = (self.clock)();
        match self.streams.find(&*self.store, server, WHOLE_SERVER, (&noted, &settings), now).await {
            Ok(_) => Ok(()),
            Err(StreamError::Unknown(unknown)) => Err(Problem::unknown(&unknown, server)),
            Err(StreamError::Registry(error)) => Err(error.into()),
        }
    }

    /// Forgets a stream that holds nothing: one that a slip made known.
    ///
    /// # Errors
    /// Where it holds an event of Postmark's or a ruling in force, or Postmark lists it; or the store's own.
    pub(super) async fn forget_stream(
        &self,
        who: &Who,
        server: ServerId,
        stream: &str,
    ) -> Result<Forgotten, Problem> {
        self.known(server).await?;
        let change = Change {
            server,
            what: "server.forget_stream",
            target: Some(stream.to_owned()),
            asked: Value::Null,
        };
        let work = self.forgotten(server, stream);
        self.noted(who, change, work, |done| json!({ "was": done.was })).await
    }

    async fn forgotten(&self, server: ServerId, stream: &str) -> Result<Forgotten, Problem> {
        if stream == WHOLE_SERVER {
            return Err(unusable("* is no stream, but the whole server"));
        }
        let store = &*self.store;
        if Registry(store).get(server).await?.is_some_and(|entry| entry.streams.contains_key(stream)) {
            return Err(unusable("Postmark lists this stream: it is known as long as it is there"));
        }
        let hours = self.store.counters(server, stream, "0", ":").await?;
        let events = hours.into_values().flatten();
        let events: i64 =
            events.filter(|(what, _)| !what.name().starts_with("decision_")).map(|(_, n)| n).sum();
        if events > 0 {
            return Err(unusable(format!("{events} events happened on this stream: it stays known")));
        }
        let barred = self.store.suppressed(server, stream, TimeRange::ALL, None, Some(1)).await?;
        if !barred.items.is_empty() {
            return Err(unusable("rulings that are in force bar recipients on this stream").next(
                "allow again by `postledger reactivate` whom `postledger suppressions list` shows there",
            ));
        }
        let mut settings = self.store.settings(server).await?;
        let listed = settings.kinds.remove(stream).is_some();
        if listed {
            self.store.put_settings(server, settings).await?;
        }
        let noted = self.store.streams(server).await?.contains(stream);
        self.store.forget_stream(server, stream).await?;
        Ok(Forgotten { was: listed || noted })
    }
}

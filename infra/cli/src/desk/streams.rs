//! Which streams the desk knows: what is asked about an unknown one is refused, and one that holds nothing is forgotten.

use super::{Desk, DeskError, ForgetStream, Forgotten, unusable};
use account::{Registry, RegistryError, Stored, StreamError};
use ledger::ServerId;
use ledger::event::WHOLE_SERVER;
use ledger::policy::StreamKind;
use store::Span;

impl From<RegistryError> for DeskError {
    fn from(error: RegistryError) -> DeskError {
        match error {
            RegistryError::Book(account::BookError::Store(error)) => DeskError::Store(error),
            error => unusable(error),
        }
    }
}

impl Desk {
    /// What a stream is for; without one, or with `*`, that the server is known. Nothing where that is not known, and
    /// somebody says to go on.
    pub(super) async fn known(
        &self,
        server: ServerId,
        stream: Option<&str>,
        unknown_stream: bool,
    ) -> Result<Option<StreamKind>, DeskError> {
        let (noted, settings) = (self.store.streams(server).await?, self.store.settings(server).await?);
        let or = match stream {
            Some(_) => "go on with it by --unknown-stream".to_owned(),
            None => format!("`postledger server add --server {server}` makes it known"),
        };
        let stream = stream.unwrap_or(WHOLE_SERVER);
        let now = (self.clock)();
        match self.streams.find(&*self.store, server, stream, (&noted, &settings), now).await {
            Ok(kind) => Ok(Some(kind)),
            Err(StreamError::Unknown(_)) if unknown_stream => Ok(None),
            Err(StreamError::Unknown(unknown)) => {
                let next = unknown.did_you_mean(&or);
                Err(DeskError::Unknown(format!("{unknown}\n  next: {next}")))
            }
            Err(StreamError::Registry(error)) => Err(error.into()),
        }
    }

    /// Forgets a stream that holds nothing: one that a slip made known.
    ///
    /// # Errors
    /// [`DeskError::Unusable`] where it holds an event of Postmark's or a ruling in force, or Postmark lists it; or the
    /// store's own.
    pub async fn forget_stream(&self, forget: ForgetStream) -> Result<Forgotten, DeskError> {
        let ForgetStream { server, stream } = forget;
        if stream == WHOLE_SERVER {
            return Err(unusable("* is no stream, but the whole server"));
        }
        let book = Stored(&*self.store);
        if Registry(&book).get(server).await?.is_some_and(|entry| entry.streams.contains_key(&stream)) {
            return Err(unusable("Postmark lists this stream: it is known as long as it is there"));
        }
        let hours = self.store.counters(server, &stream, "0", ":").await?;
        let events = hours.into_values().flatten();
        let events: i64 =
            events.filter(|(what, _)| !what.name().starts_with("decision_")).map(|(_, n)| n).sum();
        if events > 0 {
            return Err(unusable(format!("{events} events happened on this stream: it stays known")));
        }
        let barred = self.store.suppressed(server, &stream, Span::ALL, None, Some(1)).await?;
        if !barred.found.is_empty() {
            let next =
                "allow again by `postledger decide … allow` whom `postledger suppressions list` shows there";
            return Err(unusable(format!(
                "rulings that are in force bar recipients on this stream\n  next: {next}"
            )));
        }
        let mut settings = self.store.settings(server).await?;
        let listed = settings.kinds.remove(&stream).is_some();
        if listed {
            self.store.put_settings(server, settings).await?;
        }
        let noted = self.store.streams(server).await?.contains(&stream);
        self.store.forget_stream(server, &stream).await?;
        Ok(Forgotten { was: listed || noted })
    }
}

/// Streams of whom no token is kept.
#[cfg(test)]
pub(super) fn of_nobody() -> account::Streams {
    use std::sync::Arc;
    let https = postmark_api::Https::new(postmark_api::Timeouts::default()).unwrap();
    account::Streams::new(
        Arc::new(account::MemoryVault::default()),
        postmark_api::Endpoint::new(Arc::new(https)),
    )
}

//! Whether a stream that somebody asks about is one of the server's. It is known by its events and by what Postmark lists;
//! of one that nobody has told of, Postmark itself is asked where the server's token is kept.
//!
//! Invariant: nothing is registered here, and Postmark is not asked more than once in a while about a server, however
//! often and by how many a misspelt name is asked for.

use crate::{Registry, RegistryError, Vault, connect};
use ledger::event::WHOLE_SERVER;
use ledger::policy::StreamKind;
use ledger::{ServerId, Time};
use postmark_api::Endpoint;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::{AccountStore, DEFAULT_STREAMS, ServerSettings, StoreError, knows_server, knows_stream};

/// How long Postmark is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// For how long it is not asked about a server again, in seconds.
const ASKED_SECONDS: i64 = 30;
/// How many near names are told.
const NEAR_MAX: usize = 3;
/// How many names are told where none is near.
const NAMES_MAX: usize = 10;

/// What Postmark says of a stream that nobody has told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtPostmark {
    /// It does not list it.
    Unlisted,
    /// It cannot be asked: no token of the server is kept.
    NoToken,
    /// It did not answer, or refused.
    Silent,
}

/// What is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The server: no event of it came in, and it is not registered. With the registered ones whose ids are near.
    Server(Vec<ServerId>),
    /// The stream.
    Stream {
        /// The names that are near, the nearest first.
        near: Vec<String>,
        /// Where none is near, some of those that there are.
        others: Vec<String>,
        /// What Postmark says.
        postmark: AtPostmark,
    },
}

impl Unknown {
    /// What may have been meant, and what to do then, in words.
    pub fn did_you_mean(&self, or: &str) -> String {
        let (near, others) = match self {
            Unknown::Server(near) => (near.iter().map(ToString::to_string).collect(), &[][..]),
            Unknown::Stream { near, others, .. } => (near.clone(), &others[..]),
        };
        match (near.is_empty(), others.is_empty()) {
            (false, _) => format!("did you mean {}? Otherwise {or}", near.join(" or ")),
            (true, false) => format!("correct the name (known are {}); or {or}", others.join(", ")),
            (true, true) => format!("correct the name; or {or}"),
        }
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (stream, postmark) = match self {
            Unknown::Server(_) => {
                ("no such server is known here: none of its events came in, and it is not registered", "")
            }
            Unknown::Stream { postmark, .. } => (
                "no stream of that name is known at this server",
                match postmark {
                    AtPostmark::Unlisted => ", and Postmark lists none",
                    AtPostmark::NoToken => {
                        "; Postmark cannot be asked about it, because no token of the server is kept"
                    }
                    AtPostmark::Silent => "; Postmark was asked about it, and gave no answer",
                },
            ),
        };
        write!(out, "{stream}{postmark}")
    }
}

/// Why it is not said what a stream is for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// It is not known.
    #[error("{0}")]
    Unknown(Unknown),
    /// The ledger's own.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl From<StoreError> for StreamError {
    fn from(error: StoreError) -> StreamError {
        StreamError::Registry(error.into())
    }
}

/// What Postmark said of a server's streams, and when it was asked.
#[derive(Default)]
struct Looked {
    streams: BTreeMap<String, StreamKind>,
    last: Option<(Time, AtPostmark)>,
}

/// Finds streams.
#[derive(Clone)]
pub struct Streams {
    vault: Arc<dyn Vault>,
    postmark: Endpoint,
    /// By server; one lookup of a server at a time.
    looked: Arc<Mutex<HashMap<ServerId, Arc<tokio::sync::Mutex<Looked>>>>>,
}

impl Streams {
    /// By the tokens that are kept in a vault.
    pub fn new(vault: Arc<dyn Vault>, postmark: Endpoint) -> Streams {
        Streams { vault, postmark, looked: Arc::default() }
    }

    /// What a stream is for; of the whole server (`*`) only that the server is known. `noted` and `settings` are what the
    /// ledger has of the server.
    ///
    /// # Errors
    /// Where it is not known, or the ledger's own.
    pub async fn find(
        &self,
        store: &dyn AccountStore,
        server: ServerId,
        stream: &str,
        (noted, settings): (&BTreeSet<String>, &ServerSettings),
        now: Time,
    ) -> Result<StreamKind, StreamError> {
        // Whether it is by being registered, if at all, that the server is known.
        let bare = !knows_server(noted, settings);
        if bare && Registry(store).get(server).await?.is_none() {
            let entries = Registry(store).list().await?;
            let near = nearest(&server.to_string(), entries.iter().map(|entry| entry.server.to_string()));
            return Err(StreamError::Unknown(Unknown::Server(
                near.iter().filter_map(|near| near.parse().ok()).collect(),
            )));
        }
        let by_default = bare && DEFAULT_STREAMS.contains(&stream);
        if stream == WHOLE_SERVER || by_default || knows_stream(noted, settings, stream) {
            return Ok(settings.kind(stream));
        }
        let (listed, postmark) = match self.look(server, stream, now).await {
            Ok(kind) => return Ok(kind),
            Err(told) => told,
        };
        let names = noted.iter().chain(settings.kinds.keys()).chain(listed.keys()).cloned();
        let names = names.chain(DEFAULT_STREAMS.map(str::to_owned));
        let names: BTreeSet<String> = names.filter(|name| name != WHOLE_SERVER).collect();
        let near = nearest(stream, names.iter().cloned());
        let others = if near.is_empty() { names.into_iter().take(NAMES_MAX).collect() } else { Vec::new() };
        Err(StreamError::Unknown(Unknown::Stream { near, others, postmark }))
    }

    /// Asks Postmark, unless it was asked a moment ago. What it lists, and why that does not help.
    async fn look(
        &self,
        server: ServerId,
        stream: &str,
        now: Time,
    ) -> Result<StreamKind, (BTreeMap<String, StreamKind>, AtPostmark)> {
        let looked = {
            let mut all = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(server).or_default().clone()
        };
        let mut looked = looked.lock().await;
        if let Some(kind) = looked.streams.get(stream) {
            return Ok(*kind);
        }
        let lately = looked.last.filter(|(at, _)| now < at.plus_seconds(ASKED_SECONDS));
        let told = match lately {
            Some((_, told)) => told,
            None => {
                let told = self.ask(server, &mut looked.streams).await;
                looked.last = Some((now, told));
                told
            }
        };
        match looked.streams.get(stream) {
            Some(kind) => Ok(*kind),
            None => Err((looked.streams.clone(), told)),
        }
    }

    async fn ask(&self, server: ServerId, streams: &mut BTreeMap<String, StreamKind>) -> AtPostmark {
        let token = match self.vault.token(server).await {
            Ok(Some(token)) => token,
            Ok(None) => return AtPostmark::NoToken,
            Err(_) => return AtPostmark::Silent,
        };
        let api = self.postmark.server(token);
        match tokio::time::timeout(PATIENCE, connect::streams(&api)).await {
            Ok(Ok(listed)) => {
                *streams = listed;
                AtPostmark::Unlisted
            }
            Ok(Err(_)) | Err(_) => AtPostmark::Silent,
        }
    }
}

/// The names that are so near to another one that it may be a slip for them, the nearest first.
fn nearest(name: &str, among: impl IntoIterator<Item = String>) -> Vec<String> {
    let name = name.to_lowercase();
    let most = (name.chars().count() / 3).max(1);
    let far = |other: &str| {
        let other = other.to_lowercase();
        let begins = name.len() > 2 && (other.starts_with(&name) || name.starts_with(&*other));
        let far = strsim::osa_distance(&name, &other);
        (far <= most || begins).then_some(far)
    };
    let mut near: Vec<(usize, String)> =
        among.into_iter().filter_map(|other| Some((far(&other)?, other))).collect();
    near.sort();
    near.into_iter().take(NEAR_MAX).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_a_slip_away() {
        let names = ["outbound", "broadcast", "receipts", "news-1", "news-2", "x"].map(str::to_owned);
        for (name, near) in [
            ("outbuond", &["outbound"][..]),
            ("OUTBOUND", &["outbound"]),
            ("out", &["outbound"]),
            ("broadcasts", &["broadcast"]),
            ("news-3", &["news-1", "news-2"]),
            ("invoices", &[]),
            ("", &["x"]),
        ] {
            assert_eq!(nearest(name, names.clone()), near, "{name}");
        }
        assert_eq!(nearest("8123457", ["8123456", "7"].map(str::to_owned)), ["8123456"]);
    }
}

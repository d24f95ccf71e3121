//! The portal: pages on which an agency's clients see their own mail, and whoever may mail an address finds out why not.
//!
//! Invariants:
//! - Everything a page shows of the ledger was answered by the read API to the very person who looks: pages have no way of
//!   their own to tables or queues, so that what is out of scope, or masked, is so here too.
//! - A server that somebody may not see is answered as one that does not exist, byte for byte.
//! - No address, code or token stands in a URL, but for the one-use links that are made to be opened.
//! - Every page works without script. What script adds is in one small file.
//! - Every text is from one catalogue ([`texts`]), every time is shown in the viewer's zone with UTC beside it.
//!
//! The way through: [`request`] is what comes, [`signed_in`](visit) who asks, [`pages`] finds the page and each of its
//! modules makes one, [`respond`] is what goes.

#[cfg(test)]
mod bench;
mod brand;
mod colour;
mod elsewhere;
#[cfg(feature = "lambda")]
mod lambda;
pub mod mail;
mod moment;
mod multipart;
mod observe;
mod pages;
mod request;
mod respond;
mod sign_in;
mod statics;
#[cfg(test)]
mod tests;
pub mod texts;
mod visit;

pub use elsewhere::Elsewhere;
#[cfg(feature = "lambda")]
pub use lambda::run;
pub use pages::{Page, Standing};
pub use request::{FORM_BYTES_MAX, Request};
pub use respond::{Answer, CSP};
pub use visit::Failed;

use api::Api;
use api::scope::Portal as Known;
use http::StatusCode;
use http::header::HOST;
use http::uri::Authority;
use ledger::{LedgerKey, ServerId};
use platform::Clock;
use std::sync::Arc;
use store::{Collection, Store};
use texts::{Language, Texts};

/// How the portal is served.
#[derive(Clone)]
pub struct Settings {
    /// Where it is, and what mails its users.
    pub known: Known,
    /// What it is called where its branding gives it no name.
    pub name: String,
    /// The server of a sample that anybody on this machine may look at in each role, where the ledger holds nothing else.
    pub sample: Option<ServerId>,
    /// The language of its texts.
    pub language: Language,
    /// What the ledger keeps, and for how long.
    pub kept: Kept,
}

/// What a ledger keeps, and for how long, as far as that can be set.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// For how many days deliveries, opens and clicks are kept.
    pub days: u32,
    /// Whether opens and clicks keep where and with what they happened.
    pub engagement_detail: bool,
    /// What says so.
    pub by: KeptBy,
}

/// What says what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptBy {
    /// Parameters of the stack's template.
    Template,
    /// The program, and nobody else.
    Program,
}

impl Settings {
    /// Whether it is reached by TLS, so that cookies are kept to it.
    pub fn is_secure(&self) -> bool {
        self.known.url.starts_with("https://")
    }

    /// Whether somebody may sign in: over TLS, or on this very machine, where nobody listens in between.
    pub fn may_sign_in(&self) -> bool {
        self.is_secure() || self.is_here()
    }

    /// Whether its URL leads to this very machine.
    fn is_here(&self) -> bool {
        let url: Option<http::Uri> = self.known.url.parse().ok();
        is_here(url.as_ref().and_then(http::Uri::host).unwrap_or_default())
    }

    /// What a cookie is called.
    pub fn cookie(&self, name: &str) -> String {
        // A browser takes such a name from this host alone, by TLS, and from no part of a domain that it shares.
        if self.is_secure() { format!("__Host-{name}") } else { name.to_owned() }
    }
}

/// Whether a name is that of the machine that one is on.
fn is_here(host: &str) -> bool {
    ["127.0.0.1", "localhost", "[::1]"].contains(&host) || host.ends_with(".localhost")
}

/// The portal of a ledger.
pub struct Portal {
    pub(crate) api: Api,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) ledger_key: LedgerKey,
    pub(crate) clock: Clock,
    /// The API, where what changes something is asked of it and not done here.
    pub(crate) elsewhere: Option<Elsewhere>,
    /// How it is served.
    pub settings: Settings,
}

impl Portal {
    /// Over the read API and what a ledger is reached by.
    pub fn new(parts: &api::Parts, settings: Settings) -> Portal {
        let api::Parts { store, ledger_key, clock, .. } = parts.clone();
        Portal::over(Api::new(parts.clone()), store, ledger_key, clock, settings)
    }

    /// Over a read API that is there already, and the tables, key and clock that it has.
    pub fn over(
        api: Api,
        store: Arc<dyn Store>,
        ledger_key: LedgerKey,
        clock: Clock,
        settings: Settings,
    ) -> Portal {
        Portal { api, store, ledger_key, clock, elsewhere: None, settings }
    }

    /// The same where what changes something is asked of the API elsewhere.
    #[must_use]
    pub fn beside(self, elsewhere: Elsewhere) -> Portal {
        Portal { elsewhere: Some(elsewhere), ..self }
    }

    /// The server of the sample, as long as no other one is registered.
    pub(crate) async fn sample(&self) -> Result<Option<ServerId>, Failed> {
        let Some(sample) = self.settings.sample else { return Ok(None) };
        let servers = self.store.documents(&Collection::Servers).await?;
        Ok(servers.is_empty().then_some(sample))
    }

    pub(crate) fn texts(&self) -> Texts {
        Texts(self.settings.language)
    }

    /// Answers a request.
    pub async fn answer(&self, request: &Request<'_>) -> Answer {
        let answer = match statics::found(request.path) {
            Some(answer) => answer,
            None => match self.routed(request).await {
                Ok(answer) => answer,
                Err(failed) => failed.page(self, request),
            },
        };
        observe::answered(answer.status());
        respond::guarded(answer, &self.settings, request.headers)
    }

    /// Whether a request is meant for this portal. On this machine alone any name may lead to it: that of a page elsewhere
    /// too, which would then be taken for one of ours.
    fn is_meant(&self, request: &Request<'_>) -> bool {
        let asked: Option<Authority> =
            request.headers.get(HOST).and_then(|name| name.to_str().ok()?.parse().ok());
        !self.settings.is_here() || asked.is_none_or(|asked| is_here(asked.host()))
    }

    async fn routed(&self, request: &Request<'_>) -> Result<Answer, Failed> {
        if !self.is_meant(request) {
            return Err(Failed { status: StatusCode::MISDIRECTED_REQUEST, ..Failed::other_site() });
        }
        let segments = request.segments().ok_or_else(Failed::not_found)?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        if segments == ["health"] && !request.is_unsafe() {
            return Ok(respond::with(StatusCode::OK, "application/json", b"{\"status\":\"ok\"}".to_vec()));
        }
        if let Some(file) = self.branded(request.path).await
            && !request.is_unsafe()
        {
            return Ok(file);
        }
        // Nothing that another site sends changes anything, signed in or not.
        if request.is_unsafe() && !request.is_our_own(&self.settings.known.url) {
            return Err(Failed::other_site());
        }
        if let Some(answer) = sign_in::routed(self, request, &segments).await? {
            return Ok(answer);
        }
        pages::routed(self, request, &segments).await
    }
}

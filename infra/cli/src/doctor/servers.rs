//! The links of the servers: registry, doors, webhooks, completeness.

use super::stack::SOME_SERVER;
use super::{Found, Link};
use crate::Failure;
use crate::args::Doctor;
use crate::connect::doors;
use crate::endpoint::endpoint;
use crate::keys::{self, KeyRing};
use crate::target::{self, Context};
use crate::vault::vault;
use account::connect::{self, ConnectError};
use account::rotate::Keys as _;
use account::watch::{Sent, Watch};
use account::{Doors, DoorsError, Registry, ServerEntry, Vault};
use credential::User;
use credential::Verifier;
use indicatif::ProgressBar;
use ledger::{ServerId, Time};
use postmark_api::{ApiError, Endpoint, ServerApi, eastern};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use store::{AccountStore, Collection};

/// How many days of completeness are looked at.
const COMPLETENESS_DAYS: i64 = 7;
/// Postmark's code for a token that is none.
const NO_SUCH_TOKEN: i64 = 10;

/// What the registry, and everything that depends on it, is looked at with.
pub(super) struct Servers<'a> {
    only: Option<ServerId>,
    stack: &'a str,
    ring: Option<&'a KeyRing>,
    vault: Result<Box<dyn Vault>, Failure>,
    endpoint: Endpoint,
    doors: Doors,
    /// Where the ledger says that its doors are.
    base: Result<String, Failure>,
    now: Time,
    /// Shows what is looked at: whoever is asked may take long to answer.
    bar: ProgressBar,
}

/// What was seen of the registry, and of everything that depends on it.
pub(super) struct Looked {
    /// Registry, doors and webhooks.
    pub(super) links: Vec<Link>,
    /// The servers.
    pub(super) servers: Vec<ServerEntry>,
    /// Those of them whose token Postmark takes.
    pub(super) answering: Vec<ServerEntry>,
    /// When what schedules start last ended.
    pub(super) history: Result<History, Failure>,
    /// What is known to be complete.
    pub(super) completeness: Link,
}

impl<'a> Servers<'a> {
    pub(super) fn new(
        args: &Doctor,
        context: &'a Context,
        ring: Option<&'a KeyRing>,
        bar: ProgressBar,
    ) -> Result<Servers<'a>, Failure> {
        Ok(Servers {
            only: args.server,
            stack: &context.stack,
            ring,
            vault: vault(&args.target, context),
            endpoint: endpoint(&args.postmark.base)?,
            doors: doors()?,
            base: target::doors(&args.target, context),
            now: platform::now(),
            bar,
        })
    }

    pub(super) async fn look(&self, store: &dyn AccountStore) -> Looked {
        let (registry, servers, answering) = self.registry(store).await;
        let mut links = vec![registry];
        links.push(match self.ring {
            Some(ring) => self.doors(ring, &servers).await,
            None => Link::behind("doors", "the keys"),
        });
        links.push(match self.ring {
            None => Link::behind("webhooks", "the keys"),
            Some(_) if answering.is_empty() => Link::behind("webhooks", "the registry"),
            Some(ring) => self.webhooks(store, ring, &servers, &answering).await,
        });
        let completeness = match servers.is_empty() {
            true => Link::behind("completeness", "the registry"),
            false => self.completeness(store, &servers).await,
        };
        let history = self.history(store, &servers).await;
        let answering = answering.into_iter().map(|(entry, _)| entry).collect();
        Looked { links, servers, answering, history, completeness }
    }

    /// When what schedules start last ended.
    async fn history(&self, store: &dyn AccountStore, servers: &[ServerEntry]) -> Result<History, Failure> {
        let mut reconciled = BTreeMap::new();
        for entry in servers {
            if let Some(document) = store.document(&Collection::Reconcile, &entry.server.to_string()).await? {
                let kept: Reconciled = serde_json::from_str(&document.text)?;
                reconciled.extend(kept.finished_at.map(|at| (entry.server, at)));
            }
        }
        Ok(History { reconciled, watched: Sent::finished_at(store).await? })
    }

    /// The servers, and those whose token Postmark takes.
    async fn registry(
        &self,
        store: &dyn AccountStore,
    ) -> (Link, Vec<ServerEntry>, Vec<(ServerEntry, ServerApi)>) {
        let broken = |found| (Link::of("registry", "", vec![found]), Vec::new(), Vec::new());
        let mut servers = match Registry(store).list().await {
            Ok(servers) => servers,
            Err(error) => return broken(Found::failure("registry_unreadable", error.into())),
        };
        servers.retain(|entry| self.only.is_none_or(|only| entry.server == only));
        if servers.is_empty() {
            let (words, add) = match self.only {
                Some(only) => (format!("server {only} is not registered"), format!(" --server {only}")),
                None => ("no server is registered: nothing can come in".to_owned(), String::new()),
            };
            let next = format!("`postledger server add{add}`, then `postledger connect`");
            return broken(Found::new("no_servers", words, next));
        }
        let vault = match &self.vault {
            Ok(vault) => vault,
            Err(failure) => {
                let found = Found::failure("tokens_unreadable", failure.clone());
                return (Link::of("registry", "", vec![found]), servers, Vec::new());
            }
        };
        let (mut answering, mut findings) = (Vec::new(), Vec::new());
        for entry in &servers {
            self.bar.set_message(format!("asking Postmark about server {}", entry.server));
            match self.token(&**vault, entry, &mut findings).await {
                Ok(api) => answering.push((entry.clone(), api)),
                Err(found) => findings.push(found.at(entry.server)),
            }
        }
        let words = format!("servers: {}; Postmark takes the tokens of {}", servers.len(), answering.len());
        (Link::of("registry", words, findings), servers, answering)
    }

    /// A server's API, by the token that is kept for it.
    async fn token(
        &self,
        vault: &dyn Vault,
        entry: &ServerEntry,
        findings: &mut Vec<Found>,
    ) -> Result<ServerApi, Found> {
        let add = format!("give its token by `postledger server add --server {}`", entry.server);
        let token = vault.token(entry.server).await;
        let token = token.map_err(|error| Found::failure("tokens_unreadable", error.into()))?;
        let token = token.ok_or_else(|| Found::new("no_token", "no token of this server is kept", &*add))?;
        let api = self.endpoint.server(token);
        match connect::look(entry.server, &api).await {
            Ok(seen) => {
                for stream in seen.streams.keys().filter(|stream| !entry.streams.contains_key(*stream)) {
                    let words = "it is at Postmark, and was not in the registry".to_owned();
                    let next = format!("`postledger connect --server {}` takes it in", entry.server);
                    let found = Found::new("stream_unknown", words, next).at(entry.server);
                    findings.push(Found { stream: Some(stream.clone()), ..found });
                }
                Ok(api)
            }
            Err(ConnectError::WrongServer(_, other)) => {
                Err(Found::new("wrong_token", format!("the token that is kept is server {other}'s"), add))
            }
            Err(ConnectError::Api(ApiError::Refused { code: NO_SUCH_TOKEN, .. })) => {
                Err(Found::new("token_refused", "Postmark does not know the token that is kept", add))
            }
            Err(error) => Err(Found::failure("postmark_unanswered", error.into())),
        }
    }

    /// The doors, wherever webhooks lead and where the ledger says that they are: one password for each base.
    async fn doors(&self, ring: &KeyRing, servers: &[ServerEntry]) -> Link {
        let mut findings = Vec::new();
        let mut bases: BTreeSet<String> = servers.iter().filter_map(|entry| entry.doors.clone()).collect();
        match &self.base {
            Ok(base) => {
                bases.insert(base.trim_end_matches('/').to_owned());
            }
            Err(failure) => findings.push(Found::failure("doors_untold", failure.clone())),
        }
        for base in &bases {
            self.bar.set_message(format!("asking the doors at {base}"));
            if !private(base) {
                let words =
                    format!("{base} is not https: passwords and addresses would be readable on the way");
                let next = "name an https address by `postledger connect --doors URL`";
                findings.push(Found::new("doors_not_https", words, next));
            }
            let entry = servers.iter().find(|entry| entry.doors.as_deref() == Some(base)).or(servers.first());
            let (server, generation) =
                entry.map_or((SOME_SERVER, 1), |entry| (entry.server, entry.generation));
            let asked = async {
                self.doors.healthy(base).await?;
                let auth = ring.auth(server, generation).map_err(Failure::new)?;
                let user = User { server, generation };
                for webhook in keys::webhooks(base, user, &auth.password, "bounce") {
                    self.doors.take(&webhook.url, &auth).await?;
                }
                Ok::<_, Refusal>(())
            };
            match asked.await {
                Ok(()) => {}
                Err(Refusal::Doors(error)) => {
                    let code = match error {
                        DoorsError::Silent(..) => "doors_silent",
                        DoorsError::NotDoors(..) => "not_doors",
                        DoorsError::Refused(..) => "doors_refuse",
                        DoorsError::NotAUrl(_) => "doors_not_a_url",
                    };
                    findings.push(Found::new(code, error.to_string(), error.next()));
                }
                Err(Refusal::Keys(failure)) => findings.push(Found::failure("no_keys", failure)),
            }
        }
        let told: Vec<&str> = bases.iter().map(String::as_str).collect();
        let answers =
            if findings.is_empty() { " answers, and takes a password of the current key" } else { "" };
        Link::of("doors", format!("{}{answers}", told.join(", ")), findings)
    }

    /// The webhooks, and Postmark's figures beside ours.
    async fn webhooks(
        &self,
        store: &dyn AccountStore,
        ring: &KeyRing,
        servers: &[ServerEntry],
        answering: &[(ServerEntry, ServerApi)],
    ) -> Link {
        let verifier = match Verifier::new(self.stack, ring.public(), []) {
            Ok(verifier) => verifier,
            Err(error) => {
                return Link::of("webhooks", "", vec![Found::failure("keys_unreadable", error.into())]);
            }
        };
        let watch = Watch { store, verifier: &verifier, base: None, repair: false, now: self.now };
        let mut findings = Vec::new();
        for (entry, api) in answering {
            self.bar.set_message(format!("asking Postmark about the webhooks of server {}", entry.server));
            match watch.look(entry, api).await {
                Ok(report) => findings.extend(report.findings.into_iter().map(Found::from)),
                Err(error) => {
                    findings.push(Found::failure("ledger_unanswered", error.into()).at(entry.server));
                }
            }
        }
        let left = servers.len() - answering.len();
        let left =
            if left == 0 { String::new() } else { format!("; not looked at, for want of a token: {left}") };
        let told =
            if findings.is_empty() { "as they should be, and verified" } else { "not as they should be" };
        Link::of("webhooks", format!("servers: {}; {told}{left}", answering.len()), findings)
    }

    /// The last days, as far as they were compared.
    async fn completeness(&self, store: &dyn AccountStore, servers: &[ServerEntry]) -> Link {
        let (from, to) = (eastern::day(self.now.plus_days(-COMPLETENESS_DAYS)), eastern::day(self.now));
        let (mut findings, mut days) = (Vec::new(), BTreeSet::new());
        self.bar.set_message("looking at what is complete");
        for entry in servers {
            let told = match ::reconcile::completeness(store, entry.server, &from, &to).await {
                Ok(told) => told,
                Err(error) => {
                    findings.push(Found::failure("ledger_unanswered", error.into()).at(entry.server));
                    continue;
                }
            };
            for (day, streams) in told.days {
                for (stream, of_stream) in streams {
                    let unexplained: u64 = of_stream.lines.values().map(|line| line.unexplained).sum();
                    if unexplained > 0 {
                        let words =
                            format!("{unexplained} events of {day} neither came in nor were recovered");
                        let next = format!(
                            "`postledger completeness --server {0}` says which; then `postledger reconcile --server {0} \
                             --from {day}`",
                            entry.server
                        );
                        let found = Found::new("unexplained", words, next).at(entry.server);
                        findings.push(Found { stream: Some(stream), ..found });
                    }
                }
                days.insert(day);
            }
        }
        let words = match days.len() {
            0 => "no day of the last week has been compared yet: `postledger reconcile` does so".to_owned(),
            count => format!("days of the last week that were compared: {count}"),
        };
        Link::of("completeness", words, findings)
    }
}

/// When what schedules start last ended.
pub(super) struct History {
    /// By server: when it was last reconciled to the end.
    pub(super) reconciled: BTreeMap<ServerId, Time>,
    /// When `watch` last ran over all servers.
    pub(super) watched: Option<Time>,
}

/// When a server was last reconciled to the end: part of what `reconcile` keeps.
#[derive(Deserialize)]
struct Reconciled {
    #[serde(default)]
    finished_at: Option<Time>,
}

/// Why the doors could not be asked, or did not answer well.
enum Refusal {
    Doors(DoorsError),
    Keys(Failure),
}

impl From<DoorsError> for Refusal {
    fn from(error: DoorsError) -> Refusal {
        Refusal::Doors(error)
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Refusal {
        Refusal::Keys(failure)
    }
}

/// Whether nobody on the way reads what is sent there: https, or this machine.
fn private(base: &str) -> bool {
    let Some((scheme, rest)) = base.split_once("://") else { return false };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    scheme.eq_ignore_ascii_case("https") || ["127.0.0.1", "localhost", "[::1]"].contains(&host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for base in
            ["https://hooks.example.com", "http://127.0.0.1:8630", "http://localhost/x", "http://[::1]:80"]
        {
            assert!(private(base), "{base}");
        }
        for base in ["http://hooks.example.com", "http://127.0.0.1.example.com", "hooks.example.com", ""] {
            assert!(!private(base), "{base}");
        }
    }
}

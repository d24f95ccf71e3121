//! Who asks, and what that lets them reach: authorization, in one place, as types.
//!
//! Invariant: nothing else of this crate reaches tables, queues or Postmark. A [`Reader`] is only given out for a
//! server in the caller's scope, and can only ask about that server; an [`Admin`] only to one whose role allows it. What
//! is out of scope is not found, whether it is there or not.

mod admin;
mod branding;
mod people;
mod reader;
mod servers;
mod smtp;
mod streams;
mod tokens;
mod webhooks;

pub use admin::{Admin, SetAside};
pub use answers::UnknownStream;
pub use branding::Look;
pub use people::{People, SignedIn, user_who};
pub use reader::Reader;
pub use servers::Adding;
pub use streams::{Stream, unknown_stream};
pub use tokens::{Place, Tokens};
pub use webhooks::Remembered;

use crate::call::Call;
use crate::problem::Problem;
use crate::route::Route;
use crate::token::{Grant, Role, Token, TokenRefused};
use ::people::{Brand, Outbox, Secret, User};
use account::audit::{Entry, Phase, Who, WhoKind};
use account::{Connecting, Registry, ServerEntry, Streams, Vault};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::header::AUTHORIZATION;
use ledger::event::WHOLE_SERVER;
use ledger::policy::SoftBouncePolicy;
use ledger::{LedgerKey, ServerId, Time};
use platform::Clock;
use postmark_api::Endpoint;
use queue::Queue;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::Store;

/// Of how many servers the registry is asked one by one; of more it is read as a whole.
const ASKED_ONE_BY_ONE: usize = 20;
/// Of how many servers the streams are read at once.
const AT_ONCE: usize = 32;

/// What a ledger is reached by.
#[derive(Clone)]
pub struct Parts {
    /// The tables.
    pub store: Arc<dyn Store>,
    /// The queues.
    pub queue: Arc<dyn Queue>,
    /// Where the servers' Postmark tokens are kept.
    pub vault: Arc<dyn Vault>,
    /// Postmark.
    pub postmark: Endpoint,
    /// Finds the streams that are asked about.
    pub streams: Streams,
    /// Makes recipient ids.
    pub ledger_key: LedgerKey,
    /// What holds for soft bounces where a server has no policy of its own.
    pub policy: SoftBouncePolicy,
    /// What time it is.
    pub clock: Clock,
    /// Where users sign in, if they do.
    pub portal: Option<Portal>,
    /// What sets up webhooks for whoever asks for it, where something does: see [`account::connecting`].
    pub connecting: Option<Arc<dyn Connecting>>,
}

/// The portal, as the API knows of it.
#[derive(Clone)]
pub struct Portal {
    /// Its base URL, without a slash at the end.
    pub url: String,
    /// Where mail to its users is put down.
    pub outbox: Arc<dyn Outbox>,
    /// What it looks like, as this process knows it.
    pub brand: Brand,
}

impl Portal {
    /// A link that opens a session.
    pub fn link(&self, secret: &Secret) -> String {
        format!("{}/link/{}", self.url, secret.text())
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    who: Who,
    grant: Grant,
    /// Until when a user's session counts as confirmed by a code; others confirm nothing: whom an agency's system lets in,
    /// that system knows.
    confirmed_until: Option<Time>,
}

impl Caller {
    /// Somebody who may do everything, and who is known by other means than a token: by credentials of AWS, or by
    /// using the machine that all of it runs on.
    pub fn operator(who: Who) -> Caller {
        Caller { who, grant: Grant::ALL, confirmed_until: None }
    }

    fn of(token: &Token) -> Caller {
        let who = Who { kind: WhoKind::Token, name: token.id.clone() };
        Caller { who, grant: token.grant(), confirmed_until: None }
    }

    /// Who it is, as changes are noted.
    pub fn who(&self) -> &Who {
        &self.who
    }

    /// The id of its token, where it is known by one.
    pub fn token(&self) -> Option<&str> {
        Some(self.who.name.as_str()).filter(|_| self.who.kind == WhoKind::Token)
    }

    /// What it may do and see.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The role.
    pub fn role(&self) -> Role {
        self.grant.role
    }

    /// Whether they may do now what takes a code that was given just now. It is asked of users who are signed in, alone:
    /// whoever bears a token has nowhere to give one.
    pub fn is_confirmed(&self, now: Time) -> bool {
        self.confirmed_until.is_none_or(|until| now < until)
    }

    /// Whether addresses in lists are shown whole.
    pub fn reveals(&self) -> bool {
        self.grant.reveal_addresses
    }

    /// Whether the content of mails is shown.
    pub fn reads_content(&self) -> bool {
        self.grant.reads_content()
    }
}

/// How a session is borne: `Authorization: Session SECRET SERVER`, with what the portal's cookie holds, and the server at
/// which whoever is signed in asks.
pub const SESSION: &str = "Session";
/// What stands in the place of the server where a route names none: only operators ask so.
pub const NO_SERVER: &str = "*";

/// What a request bears by a scheme.
fn borne<'c>(call: &'c Call<'_>, wanted: &str) -> Option<&'c str> {
    let (scheme, borne) = call.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case(wanted).then_some(borne.trim())
}

/// Somebody at the gate: who asks is known, what for is not yet.
pub struct Gate<'a> {
    parts: &'a Parts,
    caller: Caller,
}

impl<'a> Gate<'a> {
    /// Lets in whoever bears a token, and to some routes whoever is signed in to the portal, by their session.
    pub async fn by_header(parts: &'a Parts, call: &Call<'_>, route: Route) -> Result<Gate<'a>, Problem> {
        match borne(call, SESSION) {
            Some(session) if route.takes_sessions() => Gate::by_session(parts, session, route).await,
            _ => Gate::by_token(parts, call).await,
        }
    }

    /// Lets in whoever is signed in to the portal: as what they are at a server.
    async fn by_session(parts: &'a Parts, session: &str, route: Route) -> Result<Gate<'a>, Problem> {
        let over = || Problem::unauthorized("the session is over, or was never there");
        let (secret, server) = session.split_once(' ').ok_or_else(over)?;
        let (secret, now) = (Secret::read(secret).ok_or_else(over)?, (parts.clock)());
        let who = SignedIn::find(&*parts.store, &secret, now).await?.ok_or_else(over)?;
        // Whoever may see several servers asks as what they are at one of them: another one is out of its scope.
        let caller = match server {
            NO_SERVER => {
                Some(who.everywhere()).filter(|_| route.names_no_server() && who.access.is_operator())
            }
            server => server.parse().ok().and_then(|server| who.at(server)),
        };
        let caller = caller.ok_or_else(Problem::not_found)?;
        Ok(Gate { parts, caller })
    }

    async fn by_token(parts: &'a Parts, call: &Call<'_>) -> Result<Gate<'a>, Problem> {
        if !call.headers.contains_key(AUTHORIZATION) {
            return Err(Problem::unauthorized("there is no token"));
        }
        let text = borne(call, "bearer");
        let text = text.ok_or_else(|| Problem::unauthorized("the Authorization header bears no token"))?;
        match Token::of(&*parts.store, text, (parts.clock)()).await? {
            Ok(token) => Ok(Gate { parts, caller: Caller::of(&token) }),
            Err(TokenRefused::Unknown) => Err(Problem::unauthorized("the token is not known here")),
            Err(TokenRefused::Expired) => Err(Problem::unauthorized("the token has expired")),
            Err(TokenRefused::Revoked) => Err(Problem::unauthorized("the token was revoked")),
            Err(TokenRefused::Orphaned) => Err(Problem::unauthorized(
                "a token that this one was created with has expired or was \
                    revoked",
            )),
        }
    }

    /// Lets in somebody who is known by other means.
    pub fn known(parts: &'a Parts, caller: Caller) -> Gate<'a> {
        Gate { parts, caller }
    }

    /// Who asks.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Whether a session was confirmed just now, where a route takes that: by whatever way it is asked for.
    ///
    /// # Errors
    /// [`Problem::unconfirmed`].
    pub fn confirmed_for(&self, route: Route) -> Result<(), Problem> {
        if route.takes_fresh_code() && !self.caller.is_confirmed((self.parts.clock)()) {
            return Err(Problem::unconfirmed());
        }
        Ok(())
    }

    /// Who did something, as the caller may know that: to a client everybody of the agency is an operator. `known` is
    /// who was asked about before.
    pub async fn known_as(&self, who: Who, known: &mut BTreeMap<String, Who>) -> Result<Who, Problem> {
        if self.caller.role() == Role::Operator {
            return Ok(who);
        }
        if let Some(known) = known.get(&who.name) {
            return Ok(known.clone());
        }
        let token = match who.kind {
            WhoKind::Token => Token::get(&*self.parts.store, &who.name).await?,
            WhoKind::User | WhoKind::Aws | WhoKind::Local | WhoKind::Operator => None,
        };
        // One who was removed may have been anybody.
        let user = User::get(&*self.parts.store, &who.name).await?;
        let told = match (token, user) {
            (Some(token), _) if token.role < Role::Operator => who.clone(),
            (None, Some(user)) if !user.access.is_operator() => Who { kind: WhoKind::User, ..who.clone() },
            _ => Who::operator(),
        };
        known.insert(who.name, told.clone());
        Ok(told)
    }

    /// Opens a server, as a path names it.
    ///
    /// # Errors
    /// [`Problem::not_found`] where it is out of scope or not there at all, or the ledger's own.
    pub async fn server(&self, server: &str) -> Result<Reader<'_>, Problem> {
        let server: ServerId = server.parse().map_err(|_| Problem::not_found())?;
        let reader = Reader { gate: self, server };
        match &self.caller.grant.servers {
            Some(servers) if servers.contains(&server) => Ok(reader),
            // Of somebody who may see all servers, a slip in the number must not read as "nothing speaks against it".
            None if server != ServerId::NONE => {
                reader.stream(WHOLE_SERVER, UnknownStream::Refuse).await.map(|_| reader)
            }
            Some(_) | None => Err(Problem::not_found()),
        }
    }

    /// The servers in scope, with what the registry has of them.
    pub async fn servers(&self) -> Result<Vec<(ServerId, Option<ServerEntry>, BTreeSet<String>)>, Problem> {
        let registry = Registry(&*self.parts.store);
        let mut entries: BTreeMap<ServerId, Option<ServerEntry>> = BTreeMap::new();
        match &self.caller.grant.servers {
            Some(servers) if servers.len() <= ASKED_ONE_BY_ONE => {
                for server in servers {
                    entries.insert(*server, registry.get(*server).await?);
                }
            }
            scope => {
                let all = registry.list().await?;
                entries.extend(all.into_iter().map(|entry| (entry.server, Some(entry))));
                if let Some(servers) = scope {
                    entries.retain(|server, _| servers.contains(server));
                    for server in servers {
                        entries.entry(*server).or_default();
                    }
                }
            }
        }
        let store = &self.parts.store;
        let of = |(server, entry)| async move { Ok((server, entry, store.streams(server).await?)) };
        stream::iter(entries).map(of).buffered(AT_ONCE).try_collect().await
    }

    /// Opens the users, for whoever may manage some.
    pub fn people(&self) -> Result<People<'_>, Problem> {
        if self.caller.role() < Role::Admin {
            return Err(Problem::role("admin or operator"));
        }
        Ok(People { gate: self })
    }

    /// Whether it may do everything at every server: an operator whom no list of servers limits.
    pub fn is_unlimited(&self) -> bool {
        self.caller.role() == Role::Operator && self.caller.grant.servers.is_none()
    }

    /// That it may do everything at every server.
    ///
    /// # Errors
    /// [`Problem::role`] where it may not.
    fn unlimited(&self) -> Result<(), Problem> {
        if self.is_unlimited() {
            return Ok(());
        }
        Err(Problem::role("operator").next("use a token with the role operator, for all servers"))
    }

    /// Does a change at a server, and notes it before and after: the change says itself how it went. `target` is no address.
    ///
    /// # Errors
    /// The change's own; where it cannot be noted, it is not begun.
    async fn noted<T>(
        &self,
        server: ServerId,
        what: &str,
        target: Option<String>,
        before: Value,
        asked: Value,
        change: impl Future<Output = (Phase, Value, Result<T, Problem>)>,
    ) -> Result<T, Problem> {
        let (store, now) = (&*self.parts.store, || (self.parts.clock)());
        let begun = Entry::begun(self.caller.who.clone(), what, now())?;
        let begun = Entry { target, before, after: asked, ..begun };
        begun.note(store, server).await?;
        let (phase, told, answer) = change.await;
        let noted = begun.now(phase, told, now()).note(store, server).await;
        // The change's own failure is what matters.
        let answer = answer?;
        noted?;
        Ok(answer)
    }

    /// Opens what adds servers, for operators of all servers.
    pub fn adding(&self) -> Result<Adding<'_>, Problem> {
        Adding::of(self)
    }

    /// Opens what the portal looks like, for operators of all servers.
    pub fn look(&self) -> Result<Look<'_>, Problem> {
        Look::of(self)
    }

    /// Opens what makes links to the portal: whoever bears a token may let somebody see what it sees.
    pub fn links(&self) -> People<'_> {
        People { gate: self }
    }

    /// Opens the tokens, for whoever may make some.
    pub fn tokens(&self) -> Result<Tokens<'_>, Problem> {
        if self.caller.role() < Role::Admin {
            return Err(Problem::role("admin or operator"));
        }
        Ok(Tokens { gate: self })
    }
}

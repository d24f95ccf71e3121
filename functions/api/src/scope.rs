//! Who asks, and what that lets them reach: authorization, in one place, as types.
//!
//! Invariant: nothing else of this crate reaches tables, queues or Postmark. A [`Reader`] is only given out for a
//! server in the caller's scope, and can only ask about that server; an [`Admin`] only to one whose role allows it. What
//! is out of scope is not found, whether it is there or not.

mod admin;
mod people;
mod reader;
mod streams;
mod tokens;
mod webhooks;

pub use admin::{Admin, SetAside};
pub use answers::UnknownStream;
pub use people::{People, SignedIn, user_who};
pub use reader::Reader;
pub use streams::{Stream, unknown_stream};
pub use tokens::{Place, Tokens};
pub use webhooks::Remembered;

use crate::call::Call;
use crate::problem::Problem;
use crate::token::{Grant, Role, Token, TokenRefused};
use ::people::{Outbox, Secret, User};
use account::audit::{Who, WhoKind};
use account::{Connecting, Registry, ServerEntry, Streams, Vault};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::header::AUTHORIZATION;
use ledger::event::WHOLE_SERVER;
use ledger::policy::SoftBouncePolicy;
use ledger::{LedgerKey, ServerId};
use platform::Clock;
use postmark_api::Endpoint;
use queue::Queue;
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
}

impl Caller {
    /// Somebody who may do everything, and who is known by other means than a token: by credentials of AWS, or by
    /// using the machine that all of it runs on.
    pub fn operator(who: Who) -> Caller {
        Caller { who, grant: Grant::ALL }
    }

    fn of(token: &Token) -> Caller {
        Caller { who: Who { kind: WhoKind::Token, name: token.id.clone() }, grant: token.grant() }
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

    /// Whether addresses in lists are shown whole.
    pub fn reveals(&self) -> bool {
        self.grant.reveal_addresses
    }
}

/// Somebody at the gate: who asks is known, what for is not yet.
pub struct Gate<'a> {
    parts: &'a Parts,
    caller: Caller,
}

impl<'a> Gate<'a> {
    /// Lets in whoever bears a token.
    pub async fn by_token(parts: &'a Parts, call: &Call<'_>) -> Result<Gate<'a>, Problem> {
        let header =
            call.headers.get(AUTHORIZATION).ok_or_else(|| Problem::unauthorized("there is no token"))?;
        let bearer = header.to_str().ok().and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        let text = bearer.ok_or_else(|| Problem::unauthorized("the Authorization header bears no token"))?;
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

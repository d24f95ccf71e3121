//! What pages ask the API about people, and what they are called by those who look.

use crate::texts::Texts;
use crate::visit::{Ask, Failed, Visit};
use ::people::{Access, Standing};
use answers::{InviteRequest, Invited, Role, User, UserAccess, Users};
use api::Caller;
use http::Method;
use ledger::{RecipientId, ServerId};
use std::collections::{BTreeMap, BTreeSet};

/// How many users the API is asked for at once: as many as it tells.
const ASKED: usize = 500;
/// What the API calls everybody of the agency, to its clients.
const AGENCY: &str = "operator";

/// Everybody whom a caller manages, by address.
///
/// # Errors
/// The API's own.
pub(in crate::pages) async fn all(visit: &Visit<'_>, caller: Caller) -> Result<Vec<User>, Failed> {
    let mut all = Vec::new();
    let mut cursor = None;
    loop {
        let ask = Ask::get("/v1/users").with("limit", Some(ASKED)).with("cursor", cursor);
        let page: Users = visit.ask(caller.clone(), ask).await?;
        all.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(all);
        }
    }
}

/// Whom somebody knows by address.
#[derive(Debug, Default)]
pub(in crate::pages) struct Names(BTreeMap<String, String>);

impl Names {
    /// Those of a list.
    pub(in crate::pages) fn of(users: &[User]) -> Names {
        Names(users.iter().map(|user| (user.id.clone(), user.address.clone())).collect())
    }

    /// The address of an id.
    pub(in crate::pages) fn address(&self, id: &str) -> Option<&str> {
        self.0.get(id).map(String::as_str)
    }

    /// Who invited somebody, as the API names them.
    pub(in crate::pages) fn by(&self, t: Texts, name: &str) -> String {
        match self.address(name) {
            Some(address) => address.to_owned(),
            None if name == AGENCY => t.people_agency(),
            None => name.to_owned(),
        }
    }
}

/// What servers are called: those of them that somebody may see and that something is known of.
///
/// # Errors
/// The API's own.
pub(in crate::pages) async fn labels(
    visit: &Visit<'_>,
    servers: &BTreeSet<ServerId>,
) -> Result<BTreeMap<ServerId, String>, Failed> {
    let least = Standing { role: Role::Viewer, reveal_addresses: false, read_content: false };
    let own = servers.iter().filter(|server| visit.who.access.at(**server).is_some());
    let access = Access::Servers(own.map(|server| (*server, least)).collect());
    if access.servers().is_none_or(BTreeMap::is_empty) {
        return Ok(BTreeMap::new());
    }
    // As somebody of these servers alone: an operator would be told of all that there are.
    let caller = Caller::everywhere(visit.who.who.clone(), &access);
    let found: answers::Servers = visit.ask(caller, Ask::get("/v1/servers")).await?;
    let named = found.items.into_iter().filter_map(|one| {
        let is_known = one.client.is_some() || one.label.is_some() || !one.streams.is_empty();
        (is_known || !visit.is_operator()).then(|| (one.server, visit.called(&one)))
    });
    Ok(named.collect())
}

/// The path of somebody in the API. What is no id would be another path.
fn path(id: &str, tail: &str) -> Result<String, Failed> {
    let id: RecipientId = id.parse().map_err(|_| Failed::not_found())?;
    Ok(format!("/v1/users/{id}{tail}"))
}

/// Invites people.
///
/// # Errors
/// The API's own.
pub(super) async fn invite(
    visit: &Visit<'_>,
    caller: Caller,
    request: &InviteRequest,
) -> Result<Invited, Failed> {
    visit.ask(caller, Ask::of(Method::POST, "/v1/users").json(request)).await
}

/// Changes what somebody may do and see at the caller's servers.
///
/// # Errors
/// The API's own.
pub(super) async fn change(
    visit: &Visit<'_>,
    caller: Caller,
    id: &str,
    access: &UserAccess,
) -> Result<User, Failed> {
    visit.ask(caller, Ask::of(Method::PUT, path(id, "")?).json(access)).await
}

/// Removes somebody from the caller's servers.
///
/// # Errors
/// The API's own.
pub(super) async fn remove(visit: &Visit<'_>, caller: Caller, id: &str) -> Result<(), Failed> {
    visit.ask_text(caller, Ask::of(Method::DELETE, path(id, "")?)).await.map(drop)
}

/// Ends all sessions of somebody.
///
/// # Errors
/// The API's own.
pub(super) async fn sign_out(visit: &Visit<'_>, caller: Caller, id: &str) -> Result<(), Failed> {
    visit.ask_text(caller, Ask::of(Method::DELETE, path(id, "/sessions")?)).await.map(drop)
}

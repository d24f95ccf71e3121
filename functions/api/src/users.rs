//! The users of the portal: listed, invited, changed, removed; and links for those whom an agency's system lets in.

use crate::call::{Answer, Call};
use crate::cursor;
use crate::problem::Problem;
use crate::scope::People;
use crate::token::Role;
use account::audit::{Entry, Phase, Who};
use answers::{InviteRequest, Invited, NewStanding, PortalLink, PortalLinkRequest, UserAccess};
use http::StatusCode;
use ledger::ServerId;
use ledger::given::Address;
use people::{
    Access, Here, Limited, Link, LinkFor, Mail, OutboxError, Standing, Standings, User, UserError, asked,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use store::StoreError;

/// The most people that are invited at once.
const INVITED_MAX: usize = 100;
/// The most servers that somebody's access names.
const SERVERS_MAX: usize = 1_000;
/// How many users a server has at most: each page of a list reads all of them.
const USERS_OF_SERVER_MAX: usize = 500;
/// How many invitations an address is mailed in an hour.
const INVITED_AN_HOUR: usize = 2;
/// How many invitations one inviter has mailed in an hour.
const INVITING_AN_HOUR: usize = 200;
/// How many users a page has, unless more are asked for, and at most.
const LIMITS: [usize; 2] = [100, 500];

/// A user as a caller is told of it, who may know so much of its access. Whoever is limited to servers is told of what
/// happened there, as if there were no others.
async fn told(
    people: &People<'_>,
    user: &User,
    seen: &Access,
    known: &mut BTreeMap<String, Who>,
) -> Result<answers::User, Problem> {
    let here: Vec<&Here> = seen.given().keys().filter_map(|server| user.here.get(server)).collect();
    let whole = people.is_unlimited();
    let first = here.iter().min_by_key(|here| here.invited_at).filter(|_| !whole);
    let (invited_at, invited_by) = match first {
        Some(here) => (here.invited_at, &here.invited_by),
        None => (user.invited_at, &user.invited_by),
    };
    let (joined_at, last_seen_at) = match whole {
        true => (user.joined_at, user.last_seen_at),
        false => (
            here.iter().filter_map(|here| here.first_seen_at).min(),
            here.iter().filter_map(|here| here.last_seen_at).max(),
        ),
    };
    let by = people.gate().known_as(Who::by_name(invited_by), known).await?;
    let servers = seen.given().iter().map(|(server, standing)| answers::Standing {
        server: *server,
        role: standing.role.into(),
        reveal_addresses: standing.reveal_addresses,
        read_content: standing.read_content,
    });
    let everywhere = seen.everywhere();
    Ok(answers::User {
        id: user.id.clone(),
        address: user.address.clone(),
        operator: seen.is_operator(),
        reveal_addresses: everywhere.is_some_and(|all| all.reveal_addresses),
        read_content: everywhere.is_some_and(|all| all.read_content),
        servers: if seen.is_operator() { Vec::new() } else { servers.collect() },
        invited_at: invited_at.into(),
        invited_by: by.name,
        joined_at: joined_at.map(Into::into),
        last_seen_at: last_seen_at.map(Into::into),
    })
}

/// What is noted of somebody's access.
fn noted(access: &Access) -> Value {
    let standings = access.given().iter().map(|(server, standing)| {
        let Standing { role, reveal_addresses, read_content } = standing;
        json!({
            "server": server, "role": role, "reveal_addresses": reveal_addresses, "read_content": read_content,
        })
    });
    let standings: Vec<Value> = standings.collect();
    match access {
        Access::Operator { reveal_addresses, read_content, .. } => json!({
            "role": Role::Operator, "reveal_addresses": reveal_addresses, "read_content": read_content,
            "standings": standings,
        }),
        Access::Servers(_) => json!({ "standings": standings }),
    }
}

/// The servers that a change of somebody's access is about.
fn about(before: Option<&Access>, after: Option<&Access>) -> BTreeSet<ServerId> {
    let none = Standings::new();
    let (before, after) = (before.map_or(&none, Access::given), after.map_or(&none, Access::given));
    let all: BTreeSet<ServerId> = before.keys().chain(after.keys()).copied().collect();
    all.into_iter().filter(|server| before.get(server) != after.get(server)).collect()
}

/// The access that a request means.
fn wanted(wanted: &UserAccess) -> Result<Access, Problem> {
    let UserAccess { operator, reveal_addresses, read_content, servers } = wanted;
    let (reveal_addresses, read_content) = (*reveal_addresses, *read_content);
    if *operator {
        if !servers.is_empty() {
            let words = "servers: an operator is one at every server, so none is named";
            return Err(Problem::bad_request(words));
        }
        if read_content && !reveal_addresses {
            return Err(Problem::content_without_addresses());
        }
        return Ok(Access::operator(reveal_addresses, read_content));
    }
    for (name, given) in [("reveal_addresses", reveal_addresses), ("read_content", read_content)] {
        if given {
            let words = format!("{name}: give it for each of `servers`; by itself it is for operators");
            return Err(Problem::bad_request(words));
        }
    }
    standings(servers).map(Access::Servers)
}

fn standings(servers: &[NewStanding]) -> Result<Standings, Problem> {
    let wrong = |what: &str| Problem::bad_request(format!("servers: {what}"));
    if servers.len() > SERVERS_MAX {
        return Err(wrong(&format!("expected at most {SERVERS_MAX}")));
    }
    let mut all = BTreeMap::new();
    for NewStanding { server, role, reveal_addresses, read_content } in servers {
        let server = ServerId::new(*server).ok().filter(|server| *server != ServerId::NONE);
        let server = server.ok_or_else(|| wrong("expected Postmark's server ids"))?;
        if *role == Role::Operator {
            return Err(wrong("role: expected viewer or admin; an operator is one at every server")
                .next("leave `servers` out, and set `operator` to true"));
        }
        if *read_content && !reveal_addresses {
            return Err(Problem::content_without_addresses());
        }
        let standing =
            Standing { role: *role, reveal_addresses: *reveal_addresses, read_content: *read_content };
        // Named twice, it is the more of both.
        all.entry(server).and_modify(|had: &mut Standing| *had = had.or(standing)).or_insert(standing);
    }
    Ok(all)
}

/// Lists those whom the caller manages, by address.
pub(crate) async fn list(people: &People<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    let query = call.query(&["cursor", "limit"])?;
    let limit = query.limit(LIMITS[0], LIMITS[1])?;
    let after: Option<String> = cursor::read(query.text("cursor"))?;
    let mut all: Vec<(User, Access)> = User::all(people.store())
        .await?
        .into_iter()
        .filter_map(|user| people.seen(&user.access).map(|seen| (user, seen)))
        .collect();
    all.sort_by_cached_key(|(user, _)| (user.address.to_lowercase(), user.id.clone()));
    // By its id, so that no address stands in a URL.
    let first = match after {
        None => 0,
        Some(after) => {
            let place = all.iter().position(|(user, _)| user.id == after);
            place.ok_or_else(Problem::bad_cursor)? + 1
        }
    };
    let (mut items, mut known) = (Vec::new(), BTreeMap::new());
    for (user, seen) in all.iter().skip(first).take(limit) {
        items.push(told(people, user, seen, &mut known).await?);
    }
    let last = items.last().map(|user| user.id.clone());
    let next = last.filter(|_| first + limit < all.len()).map(|last| cursor::write(&last));
    Ok(Answer::json(&answers::Users { items, next }))
}

/// Invites several. Somebody who is there already may do and see this too.
///
/// # Errors
/// As [`People::may_change`]; then nobody is invited.
pub(crate) async fn invite(people: &People<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    call.query(&[])?;
    let InviteRequest { addresses, operator, reveal_addresses, read_content, servers } = call.json()?;
    let access = wanted(&UserAccess { operator, reveal_addresses, read_content, servers })?;
    if access.servers().is_some_and(Standings::is_empty) {
        return Err(Problem::bad_request("servers: name at least one, or set `operator` to true"));
    }
    if !(1..=INVITED_MAX).contains(&addresses.len()) {
        return Err(Problem::bad_request(format!("addresses: expected 1 to {INVITED_MAX}")));
    }
    people.may_change(None, &access)?;
    let everybody = User::all(people.store()).await?;
    let mut planned: BTreeMap<String, (User, Option<Access>)> = BTreeMap::new();
    for (nth, address) in addresses.iter().enumerate() {
        let wrong = |_| Problem::bad_request(format!("the body, at /addresses/{nth}: not an address"));
        let address = address.parse::<Address>().map_err(wrong)?.text().to_owned();
        let invited =
            User::invited(people.key(), &address, access.clone(), &people.caller().who().name, people.now())?;
        let known = everybody.iter().find(|user| user.id == invited.id).cloned();
        let before = known.as_ref().map(|known| known.access.clone());
        people.may_change(before.as_ref(), &people.added(before.as_ref(), &access))?;
        planned.insert(invited.id.clone(), (known.unwrap_or(invited), before));
    }
    for server in access.given().keys() {
        let there = everybody.iter().filter(|user| user.access.given().contains_key(server));
        let new = planned
            .values()
            .filter(|(_, before)| before.as_ref().is_none_or(|before| !before.given().contains_key(server)));
        if there.count() + new.count() > USERS_OF_SERVER_MAX {
            let words = format!("a server may have at most {USERS_OF_SERVER_MAX} users");
            return Err(Problem::conflict("too-many-users", "There are too many users", words)
                .next("remove users who no longer need access"));
        }
    }
    let (mut items, mut known, mut mailed) = (Vec::new(), BTreeMap::new(), true);
    for (user, before) in planned.into_values() {
        let after = people.added(before.as_ref(), &access);
        let user = match before.as_ref() == Some(&after) {
            true => user,
            false => {
                let what = if before.is_none() { "user.invite" } else { "user.access" };
                changed(people, what, user, before, after).await?
            }
        };
        mailed &= mail(people, &user, &access).await?;
        let seen = people.seen(&user.access).unwrap_or_else(|| access.clone());
        items.push(told(people, &user, &seen, &mut known).await?);
    }
    Ok(Answer::with_status(StatusCode::CREATED, &Invited { items, mailed }))
}

/// Mails an invitation to somebody who has never come, unless there were some within the hour. Whether it is on its way.
async fn mail(people: &People<'_>, user: &User, access: &Access) -> Result<bool, Problem> {
    let Some(portal) = people.portal().filter(|portal| portal.outbox.sends()) else { return Ok(false) };
    if user.joined_at.is_some() {
        return Ok(true);
    }
    let (store, now) = (people.store(), people.now());
    let inviter =
        people.key().recipient_id(ServerId::NONE, &format!("inviter {}", people.caller().who().name));
    for (whose, most) in
        [(format!("invited#{}", user.id), INVITED_AN_HOUR), (format!("inviter#{inviter}"), INVITING_AN_HOUR)]
    {
        if asked(store, &whose, most, now).await? != Limited::No {
            return Ok(false);
        }
    }
    let (to, link) = (user.address.clone(), portal.url.clone());
    let name = portal.brand.now(store, now).await?.name.as_ref().map(ToString::to_string);
    let mail = Mail::Invitation { to, of: people.named(access).await?, link, portal: name };
    portal.outbox.put(mail).await.map_err(not_put)?;
    Ok(true)
}

/// Gives a user an access in the place of what it had, noted before and after.
async fn changed(
    people: &People<'_>,
    what: &str,
    user: User,
    before: Option<Access>,
    after: Access,
) -> Result<User, Problem> {
    let now = people.now();
    let servers = about(before.as_ref(), Some(&after));
    let begun = Entry::begun(people.caller().who().clone(), what, now)?;
    let begun = Entry {
        target: Some(user.id.clone()),
        before: before.as_ref().map_or(Value::Null, noted),
        after: noted(&after),
        ..begun
    };
    people.note(&begun, &servers).await?;
    let work = async {
        if before.is_none() {
            // It was made with this very access.
            return match user.keep(people.store()).await? {
                true => Ok(user),
                false => Err(Problem::from(StoreError::contended())),
            };
        }
        let (expected, after) = (before.clone(), after.clone());
        let (by, now) = (people.caller().who().name.clone(), people.now());
        let written = User::change(people.store(), &user.id, |user| {
            // What somebody else changed meanwhile is not written over.
            if Some(&user.access) == expected.as_ref() {
                user.give(after.clone(), &by, now);
            }
        });
        let written = written.await.map_err(of_user)?;
        if written.access == after { Ok(written) } else { Err(Problem::from(StoreError::contended())) }
    };
    match work.await {
        Ok(user) => {
            people.note(&begun.now(Phase::Done, Value::Null, people.now()), &servers).await?;
            Ok(user)
        }
        Err(problem) => {
            // The change's own failure is what matters.
            let failed = begun.now(Phase::Failed, json!({ "problem": problem.code() }), people.now());
            let _ = people.note(&failed, &servers).await;
            Err(problem)
        }
    }
}

fn not_put(error: OutboxError) -> Problem {
    tracing::warn!(error = %error.0, "a mail could not be put down");
    Problem::unavailable()
}

fn of_user(error: UserError) -> Problem {
    match error {
        UserError::Unknown => Problem::not_found(),
        UserError::Store(error) => error.into(),
    }
}

/// Changes what somebody may do and see at the caller's servers.
///
/// # Errors
/// [`Problem::not_found`], or as [`People::may_change`].
pub(crate) async fn change(people: &People<'_>, call: &Call<'_>, id: &str) -> Result<Answer, Problem> {
    call.query(&[])?;
    let wanted = wanted(&call.json()?)?;
    let (user, _) = people.get(id).await?;
    let after = people.merged(Some(&user.access), &wanted);
    if after.servers().is_some_and(Standings::is_empty) {
        let words = "servers: the user would have no server left";
        return Err(Problem::bad_request(words).next("name at least one, or remove the user by DELETE"));
    }
    people.may_change(Some(&user.access), &after)?;
    let before = Some(user.access.clone());
    let user = changed(people, "user.access", user, before, after).await?;
    let seen = people.seen(&user.access).ok_or_else(Problem::not_found)?;
    Ok(Answer::json(&told(people, &user, &seen, &mut BTreeMap::new()).await?))
}

/// Removes somebody from the caller's servers, and altogether where no server is left.
///
/// # Errors
/// [`Problem::not_found`], or as [`People::may_change`].
pub(crate) async fn remove(people: &People<'_>, call: &Call<'_>, id: &str) -> Result<Answer, Problem> {
    call.query(&[])?;
    let (user, _) = people.get(id).await?;
    let left = match people.is_unlimited() {
        true => None,
        false => {
            let left = people.merged(Some(&user.access), &Access::nothing());
            Some(left).filter(|left| left.is_operator() || !left.given().is_empty())
        }
    };
    match left {
        Some(left) => {
            people.may_change(Some(&user.access), &left)?;
            let before = Some(user.access.clone());
            changed(people, "user.access", user, before, left).await?;
        }
        None => {
            people.may_change(Some(&user.access), &Access::nothing())?;
            let servers = about(Some(&user.access), None);
            let begun = Entry::begun(people.caller().who().clone(), "user.remove", people.now())?;
            let begun = Entry { target: Some(user.id.clone()), before: noted(&user.access), ..begun };
            people.note(&begun, &servers).await?;
            let meant = |now: &User| now.access == user.access;
            let removed = User::remove_if(people.store(), &user.id, meant).await;
            let gone = matches!(removed, Ok(true));
            let phase = if gone { Phase::Done } else { Phase::Failed };
            people.note(&begun.now(phase, Value::Null, people.now()), &servers).await?;
            removed?;
            if !gone {
                return Err(StoreError::contended().into());
            }
        }
    }
    Ok(Answer::done())
}

/// Ends all sessions of somebody; by whoever is limited to servers, what they open there.
///
/// # Errors
/// [`Problem::not_found`], or as [`People::may_change`]: who may not change somebody may not sign them out.
pub(crate) async fn sign_out(people: &People<'_>, call: &Call<'_>, id: &str) -> Result<Answer, Problem> {
    call.query(&[])?;
    let (user, seen) = people.get(id).await?;
    people.may_change(Some(&user.access), &people.merged(Some(&user.access), &Access::nothing()))?;
    let servers = about(Some(&seen), None);
    let begun = Entry::begun(people.caller().who().clone(), "user.sign_out", people.now())?;
    let begun = Entry { target: Some(user.id.clone()), ..begun };
    people.note(&begun, &servers).await?;
    match people.is_unlimited() {
        true => User::sign_out(people.store(), &user.id).await,
        false => User::sign_out_at(people.store(), &user.id, &servers, people.now()).await,
    }
    .map_err(of_user)?;
    people.note(&begun.now(Phase::Done, Value::Null, people.now()), &servers).await?;
    Ok(Answer::done())
}

/// Makes a link for somebody whom the bearer of a token lets in.
///
/// # Errors
/// That there is no portal, or as [`crate::token::Grant::grants`] has it.
pub(crate) async fn portal_link(people: &People<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    call.query(&[])?;
    let PortalLinkRequest { servers } = call.json()?;
    let standings = standings(&servers)?;
    if standings.is_empty() {
        return Err(Problem::bad_request("servers: name at least one"));
    }
    let own = people.caller().grant().clone();
    for (server, standing) in &standings {
        if !own.covers(Some(&[*server].into())) {
            return Err(Problem::not_found());
        }
        // A token hands itself on, as whoever bears it could: no more than it has, and as much as that.
        if standing.role > own.role {
            return Err(Problem::role(standing.role.name()));
        }
        if standing.reveal_addresses && !own.reveal_addresses {
            return Err(Problem::beyond_own(
                "addresses are masked for this token, so that no link of it can show them",
            ));
        }
        if standing.read_content && !own.reads_content() {
            return Err(Problem::beyond_own(
                "this token does not see the content of mails, so that no link of it can show that",
            ));
        }
    }
    let portal = people.portal().ok_or_else(Problem::no_portal)?;
    let token = people.caller().token().ok_or_else(|| {
        Problem::conflict(
            "unusable",
            "It cannot be done",
            "a portal link is made with a token, and ends with it",
        )
        .next("make a token by `postledger token new`; for a user, `postledger user link ADDRESS`")
    })?;
    let access = Access::Servers(standings);
    let about = about(None, Some(&access));
    let begun = Entry::begun(people.caller().who().clone(), "portal.link", people.now())?;
    let begun = Entry { target: Some(token.to_owned()), after: noted(&access), ..begun };
    people.note(&begun, &about).await?;
    let who = LinkFor::Token { id: token.to_owned(), access };
    let (secret, expires_at) = Link::make(people.store(), who, people.now()).await?;
    people.note(&begun.now(Phase::Done, Value::Null, people.now()), &about).await?;
    let url = portal.link(&secret);
    Ok(Answer::with_status(StatusCode::CREATED, &PortalLink { url, expires_at: expires_at.into() }))
}

#[cfg(test)]
mod tests;

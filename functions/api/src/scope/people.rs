//! The users of the portal, for whoever may manage some.

use super::{Caller, Gate, Portal};
use crate::problem::Problem;
use crate::token::{Grant, Role, Token};
use ::people::{Access, Secret, Session, SessionOf, Standing, Standings, User};
use account::audit::{Entry, Who, WhoKind};
use ledger::{LedgerKey, ServerId, Time};
use std::collections::BTreeSet;
use store::{DocumentStore, StoreError};

/// The users that a caller may see and change: an operator all; an admin the standings of viewers at its own servers (and
/// sees those of admins there).
pub struct People<'a> {
    pub(super) gate: &'a Gate<'a>,
}

impl People<'_> {
    /// Who asks.
    pub fn caller(&self) -> &Caller {
        &self.gate.caller
    }

    /// Whom the caller may know others as.
    pub(crate) fn gate(&self) -> &Gate<'_> {
        self.gate
    }

    /// What time it is.
    pub fn now(&self) -> Time {
        (self.gate.parts.clock)()
    }

    /// Where users sign in, and what mails them.
    pub fn portal(&self) -> Option<&Portal> {
        self.gate.parts.portal.as_ref()
    }

    pub(crate) fn key(&self) -> &LedgerKey {
        &self.gate.parts.ledger_key
    }

    pub(crate) fn store(&self) -> &dyn DocumentStore {
        &*self.gate.parts.store
    }

    /// Whether it may do everything at every server: an operator whom no list of servers limits.
    pub fn is_unlimited(&self) -> bool {
        self.gate.is_unlimited()
    }

    /// Whether a server is among the caller's.
    pub fn reaches(&self, server: ServerId) -> bool {
        self.caller().grant.servers.as_ref().is_none_or(|servers| servers.contains(&server))
    }

    /// What of a user's access the caller may know; nothing where it is nobody that it manages. Whoever is limited to
    /// servers learns what was given there, and not whether that is all.
    pub fn seen(&self, access: &Access) -> Option<Access> {
        if self.is_unlimited() {
            return Some(access.clone());
        }
        let seen = access.given().iter().filter(|(server, _)| self.reaches(**server));
        let seen: Standings = seen.map(|(server, standing)| (*server, *standing)).collect();
        (!seen.is_empty()).then_some(Access::Servers(seen))
    }

    /// What a user has after the caller says what it shall have at the servers that the caller reaches; elsewhere it stays.
    pub fn merged(&self, before: Option<&Access>, wanted: &Access) -> Access {
        match (before, wanted) {
            (Some(before), Access::Operator { .. }) => wanted.with_given(before.given().clone()),
            (Some(before), Access::Servers(given)) if !self.is_unlimited() => {
                let elsewhere = before.given().iter().filter(|(server, _)| !self.reaches(**server));
                let all = elsewhere.chain(given).map(|(server, standing)| (*server, *standing));
                before.with_given(all.collect())
            }
            _ => wanted.clone(),
        }
    }

    /// What a user has after the caller gives it this beside what it had: of each the more.
    pub fn added(&self, before: Option<&Access>, given: &Access) -> Access {
        let Some(before) = before else { return given.clone() };
        let mut all = before.given().clone();
        for (server, standing) in given.given() {
            all.entry(*server).and_modify(|had| *had = had.or(*standing)).or_insert(*standing);
        }
        match before.everywhere().into_iter().chain(given.everywhere()).reduce(Standing::or) {
            Some(more) => Access::operator(more.reveal_addresses, more.read_content).with_given(all),
            None => Access::Servers(all),
        }
    }

    /// Whose mail somebody is invited to see, in words: the clients' names, or the agency's own stack.
    pub async fn named(&self, access: &Access) -> Result<String, Problem> {
        let mut names = BTreeSet::new();
        for server in access.servers().into_iter().flat_map(Standings::keys) {
            let entry = account::Registry(&*self.gate.parts.store).get(*server).await?;
            names.insert(entry.map_or_else(|| format!("server {server}"), |entry| entry.client));
        }
        Ok(names.into_iter().collect::<Vec<_>>().join(", "))
    }

    /// That a user's access may be changed so by the caller: nobody gives what it has not, for longer than it has it, and
    /// nobody changes what is above what it may give.
    ///
    /// # Errors
    /// [`Problem::not_found`] for servers that are not the caller's, [`Problem::role`], or that nobody grants what it has
    /// not.
    pub fn may_change(&self, before: Option<&Access>, after: &Access) -> Result<(), Problem> {
        let own = self.caller().grant();
        let (was, is) = (before.and_then(Access::everywhere), after.everywhere());
        if was != is {
            if !self.is_unlimited() {
                return Err(Problem::role("operator"));
            }
            sees_no_more(own, was.as_ref(), is.as_ref())?;
        }
        let (none, given) = (Standings::new(), after.given());
        let had = before.map_or(&none, Access::given);
        let touched: BTreeSet<ServerId> = had.keys().chain(given.keys()).copied().collect();
        for server in touched {
            self.may_give(server, had.get(&server), given.get(&server))?;
        }
        let gives = is.is_some_and(|is| was.is_none_or(|was| was.or(is) != was))
            || given.iter().any(|(server, one)| had.get(server).is_none_or(|had| had.or(*one) != *had));
        if gives && own.expires_at.is_some() {
            let words = "a token or a session that ends by itself cannot let somebody in for good";
            return Err(Problem::beyond_own(words).next("ask somebody whose access does not end"));
        }
        Ok(())
    }

    fn may_give(
        &self,
        server: ServerId,
        before: Option<&Standing>,
        after: Option<&Standing>,
    ) -> Result<(), Problem> {
        if before == after {
            return Ok(());
        }
        let own = self.caller().grant();
        // As what is not there: which servers there are is not told.
        if !self.reaches(server) {
            return Err(Problem::not_found());
        }
        for standing in [before, after].into_iter().flatten() {
            if !own.manages(standing.role) || standing.role == Role::Operator {
                return Err(Problem::role("operator"));
            }
        }
        sees_no_more(own, before, after)
    }

    /// A user that the caller manages, and what of its access the caller may know.
    ///
    /// # Errors
    /// [`Problem::not_found`], or the ledger's own.
    pub async fn get(&self, id: &str) -> Result<(User, Access), Problem> {
        let user = User::get(self.store(), id).await?.ok_or_else(Problem::not_found)?;
        let seen = self.seen(&user.access).ok_or_else(Problem::not_found)?;
        Ok((user, seen))
    }

    /// Notes a step of a change of a user: at each server that it is about, and for operators at the stack.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn note(&self, entry: &Entry, about: &BTreeSet<ServerId>) -> Result<(), StoreError> {
        entry.note(self.store(), ServerId::NONE).await?;
        for server in about {
            entry.at(*server).note(self.store(), *server).await?;
        }
        Ok(())
    }
}

/// That nobody comes to see what whoever gives it does not; what they saw before, they keep.
fn sees_no_more(own: &Grant, before: Option<&Standing>, after: Option<&Standing>) -> Result<(), Problem> {
    let comes_by = |sees: fn(&Standing) -> bool| after.is_some_and(sees) && !before.is_some_and(sees);
    if comes_by(|one| one.reveal_addresses) && !own.reveal_addresses {
        let words = "addresses are masked for you, so that you cannot let others see them";
        return Err(Problem::beyond_own(words).next("leave `reveal_addresses` out, or ask an operator"));
    }
    if comes_by(|one| one.read_content && one.reveal_addresses) && !own.reads_content() {
        let words = "you do not see the content of mails, so that you cannot let others see it";
        return Err(Problem::beyond_own(words).next("leave `read_content` out, or ask an operator"));
    }
    Ok(())
}

impl Caller {
    /// Somebody at one server: what an access opens there.
    pub(crate) fn with(
        who: Who,
        access: &Access,
        server: ServerId,
        expires_at: Option<Time>,
    ) -> Option<Caller> {
        let Standing { role, reveal_addresses, read_content } = access.at(server)?;
        let servers = Some(BTreeSet::from([server]));
        let grant = Grant { role, servers, reveal_addresses, read_content, expires_at };
        Some(Caller { who, grant, confirmed_until: None })
    }

    /// The same, confirmed by a code until then.
    #[cfg(test)]
    pub(crate) fn confirmed_until(self, until: Option<Time>) -> Caller {
        Caller { confirmed_until: until, ..self }
    }

    /// Somebody at all servers that an access names, with the least that it may do at any of them.
    pub fn everywhere(who: Who, access: &Access) -> Caller {
        let grant = match access {
            Access::Operator { reveal_addresses, read_content, .. } => {
                Grant { reveal_addresses: *reveal_addresses, read_content: *read_content, ..Grant::ALL }
            }
            Access::Servers(servers) => Grant {
                role: Role::Viewer,
                servers: Some(servers.keys().copied().collect()),
                reveal_addresses: false,
                read_content: false,
                expires_at: None,
            },
        };
        Caller { who, grant, confirmed_until: None }
    }
}

/// A user, as changes are noted.
pub fn user_who(user: &User) -> Who {
    Who { kind: WhoKind::User, name: user.id.clone() }
}

/// Somebody who is signed in to the portal.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// The user, where it is one.
    pub user: Option<User>,
    /// What they may do and see.
    pub access: Access,
    /// Who it is, as changes are noted.
    pub who: Who,
}

impl SignedIn {
    /// Whom a browser's cookie lets in now.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn find(
        store: &dyn DocumentStore,
        secret: &Secret,
        now: Time,
    ) -> Result<Option<SignedIn>, StoreError> {
        let Some(session) = Session::find(store, secret, now).await? else {
            return Ok(None);
        };
        let found = match session.of.clone() {
            SessionOf::User { id, .. } => {
                let user = User::get(store, &id).await?.filter(|user| session.is_of(user));
                let Some(user) = user else { return Ok(None) };
                user.seen(store, now).await?;
                let (access, who) = (user.access.clone(), user_who(&user));
                SignedIn { session, user: Some(user), access, who }
            }
            SessionOf::Token { id, access } => {
                let opens = match Token::get(store, &id).await? {
                    Some(token) => token.is_open(store, now).await?,
                    None => false,
                };
                if !opens {
                    return Ok(None);
                }
                SignedIn { session, user: None, access, who: Who { kind: WhoKind::Token, name: id } }
            }
        };
        Ok(Some(found))
    }

    /// As somebody at one server; nothing where they may not know of it, or were signed out there.
    pub fn at(&self, server: ServerId) -> Option<Caller> {
        // What is let in for some hours lets in nobody for longer.
        let ends = self.user.is_none().then_some(self.session.ends_at);
        let caller = Caller::with(self.who.clone(), &self.access, server, ends);
        caller.filter(|_| !self.is_signed_out_at(server)).map(|caller| self.confirming(caller))
    }

    /// As somebody who may do what takes a code, for as long as the session counts as confirmed by one.
    fn confirming(&self, caller: Caller) -> Caller {
        Caller { confirmed_until: self.user.is_some().then(|| self.session.confirmed_until()), ..caller }
    }

    /// Whether a server's own people have signed them out there since they came.
    pub fn is_signed_out_at(&self, server: ServerId) -> bool {
        self.user.as_ref().is_some_and(|user| !user.is_in(server, self.session.began_at))
    }

    /// As somebody at all of their servers, to list them.
    pub fn everywhere(&self) -> Caller {
        self.confirming(Caller::everywhere(self.who.clone(), &self.access))
    }
}

//! What somebody may do and see, and the one rule by which it is handed on: nobody grants what it has not.

use super::Role;
use ledger::{ServerId, Time};
use std::collections::BTreeSet;

/// What somebody may do and see, where, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What it may do.
    pub role: Role,
    /// Where; `None`: at every server.
    pub servers: Option<BTreeSet<ServerId>>,
    /// Whether addresses in lists are shown whole.
    pub reveal_addresses: bool,
    /// Whether it was given the right to the content of mails, see [`reads_content`](Self::reads_content).
    pub read_content: bool,
    /// When it ends, if it does.
    pub expires_at: Option<Time>,
}

/// What a grant has more of than the one that it would come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exceeds {
    /// Servers.
    Servers,
    /// Its role.
    Role,
    /// It shows addresses.
    Reveal,
    /// It shows the content of mails.
    Content,
    /// It ends later, or never.
    Expiry,
}

impl Grant {
    /// Everything, for ever.
    pub const ALL: Grant = Grant {
        role: Role::Operator,
        servers: None,
        reveal_addresses: true,
        read_content: true,
        expires_at: None,
    };

    /// Whether the content of mails is shown. A mail has addresses in it, so that this takes the right to those too.
    pub fn reads_content(&self) -> bool {
        self.read_content && self.reveal_addresses
    }

    /// Whether all of these servers are among its own; `None` are all that there are.
    pub fn covers(&self, servers: Option<&BTreeSet<ServerId>>) -> bool {
        match (&self.servers, servers) {
            (None, _) => true,
            (Some(own), Some(servers)) => servers.is_subset(own),
            (Some(_), None) => false,
        }
    }

    /// Whether tokens of a role may be made and revoked: an operator's of any role, an admin's of viewers.
    pub fn manages(&self, role: Role) -> bool {
        match self.role {
            Role::Operator => true,
            Role::Admin => role == Role::Viewer,
            Role::Viewer => false,
        }
    }

    /// That another grant may come from this one.
    ///
    /// # Errors
    /// What the other one has more of.
    pub fn grants(&self, other: &Grant) -> Result<(), Exceeds> {
        if !self.covers(other.servers.as_ref()) {
            return Err(Exceeds::Servers);
        }
        if !self.manages(other.role) {
            return Err(Exceeds::Role);
        }
        if other.reveal_addresses && !self.reveal_addresses {
            return Err(Exceeds::Reveal);
        }
        // By what is shown and not by what was given: a right that shows nothing cannot be handed on to show something.
        if other.read_content && !self.reads_content() {
            return Err(Exceeds::Content);
        }
        let within = |end: Time| other.expires_at.is_some_and(|other| other <= end);
        if !self.expires_at.is_none_or(within) {
            return Err(Exceeds::Expiry);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every grant over two servers and two instants.
    fn all() -> Vec<Grant> {
        let server = |id| ServerId::new(id).unwrap();
        let scopes = [vec![1], vec![2], vec![1, 2]].map(|ids| Some(ids.into_iter().map(server).collect()));
        let ends = [Some(Time::EARLIEST), Some(Time::EARLIEST.plus_days(1)), None];
        let mut all = Vec::new();
        for role in Role::ALL {
            for servers in scopes.iter().cloned().chain([None]) {
                for [reveal_addresses, read_content] in [[false, false], [true, false], [true, true]] {
                    for expires_at in ends {
                        let servers = servers.clone();
                        all.push(Grant { role, servers, reveal_addresses, read_content, expires_at });
                    }
                }
            }
        }
        all
    }

    #[test]
    fn of_all_combinations_exactly_those_are_granted_that_have_no_more_of_anything() {
        let ends = |grant: &Grant| grant.expires_at.map_or(i64::MAX, Time::micros);
        let reaches = |grant: &Grant, id: i64| {
            grant.servers.as_ref().is_none_or(|servers| servers.contains(&ServerId::new(id).unwrap()))
        };
        // A third server stands for all that are not named.
        let within = |child: &Grant, parent: &Grant| {
            (1..=3).all(|id| !reaches(child, id) || reaches(parent, id))
                && child.role <= parent.role
                && child.reveal_addresses <= parent.reveal_addresses
                && child.read_content <= parent.read_content
                && ends(child) <= ends(parent)
        };
        let (all, mut granted) = (all(), 0);
        for parent in &all {
            for child in &all {
                let may_make = match parent.role {
                    Role::Operator => true,
                    Role::Admin => child.role == Role::Viewer,
                    Role::Viewer => false,
                };
                let is_granted = parent.grants(child).is_ok();
                assert_eq!(is_granted, may_make && within(child, parent), "{parent:?} {child:?}");
                granted += usize::from(is_granted);
            }
        }
        assert!(granted > 500 && granted < all.len() * all.len() / 2, "{granted}");
    }

    #[test]
    fn the_right_to_content_shows_nothing_and_is_handed_on_by_nobody_without_the_right_to_addresses() {
        let blind = Grant { reveal_addresses: false, ..Grant::ALL };
        assert!(Grant::ALL.reads_content() && !blind.reads_content());
        assert_eq!(blind.grants(&blind), Err(Exceeds::Content));
        assert_eq!(blind.grants(&Grant { read_content: false, ..blind.clone() }), Ok(()));
    }

    #[test]
    fn what_is_granted_on_is_no_more_than_what_it_first_came_from() {
        let all = all();
        for first in &all {
            for second in all.iter().filter(|second| first.grants(second).is_ok()) {
                for third in all.iter().filter(|third| second.grants(third).is_ok()) {
                    assert_eq!(first.grants(third), Ok(()), "{first:?} {second:?} {third:?}");
                }
            }
        }
    }
}

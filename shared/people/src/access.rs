//! What somebody may do and see, server by server.

use answers::Role;
use ledger::ServerId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What somebody may do and see at each server.
pub type Standings = BTreeMap<ServerId, Standing>;

/// What somebody may do and see at one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Viewer or admin.
    pub role: Role,
    /// Whether addresses in lists are shown whole.
    pub reveal_addresses: bool,
    /// Whether the content of mails is shown; no older release gave that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read_content: bool,
}

impl Standing {
    /// The more of two in everything.
    #[must_use]
    pub fn or(self, other: Standing) -> Standing {
        Standing {
            role: self.role.max(other.role),
            reveal_addresses: self.reveal_addresses || other.reveal_addresses,
            read_content: self.read_content || other.read_content,
        }
    }
}

/// What somebody may do and see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Everything, at every server: somebody of the agency.
    Operator {
        /// Whether addresses in lists are shown whole.
        reveal_addresses: bool,
        /// Whether the content of mails is shown; no older release gave that.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        read_content: bool,
        /// What clients have given them at their own servers, not knowing that they are of the agency.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        servers: Standings,
    },
    /// So much at each of these servers, and nothing elsewhere.
    Servers(Standings),
}

impl Access {
    /// Nothing anywhere.
    pub fn nothing() -> Access {
        Access::Servers(BTreeMap::new())
    }

    /// Everything at every server.
    pub fn operator(reveal_addresses: bool, read_content: bool) -> Access {
        Access::Operator { reveal_addresses, read_content, servers: BTreeMap::new() }
    }

    /// What it may do and see at a server; nothing where it may not know of it.
    pub fn at(&self, server: ServerId) -> Option<Standing> {
        match self {
            Access::Servers(servers) => servers.get(&server).copied(),
            Access::Operator { .. } => self.everywhere(),
        }
    }

    /// What it may do and see at every server; nothing where it is for some of them only.
    pub fn everywhere(&self) -> Option<Standing> {
        match *self {
            Access::Operator { reveal_addresses, read_content, .. } => {
                Some(Standing { role: Role::Operator, reveal_addresses, read_content })
            }
            Access::Servers(_) => None,
        }
    }

    /// Whether it may do everything.
    pub fn is_operator(&self) -> bool {
        matches!(self, Access::Operator { .. })
    }

    /// The servers that it is for; none where it is for all.
    pub fn servers(&self) -> Option<&Standings> {
        match self {
            Access::Operator { .. } => None,
            Access::Servers(servers) => Some(servers),
        }
    }

    /// What it was given at each server, whatever it may do besides.
    pub fn given(&self) -> &Standings {
        match self {
            Access::Operator { servers, .. } | Access::Servers(servers) => servers,
        }
    }

    /// The same with other standings at servers.
    #[must_use]
    pub fn with_given(&self, servers: Standings) -> Access {
        match *self {
            Access::Operator { reveal_addresses, read_content, .. } => {
                Access::Operator { reveal_addresses, read_content, servers }
            }
            Access::Servers(_) => Access::Servers(servers),
        }
    }
}

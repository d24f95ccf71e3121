//! What somebody may do and see, server by server.

use answers::Role;
use ledger::ServerId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What somebody may do and see at one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Viewer or admin.
    pub role: Role,
    /// Whether addresses in lists are shown whole.
    pub reveal_addresses: bool,
}

/// What somebody may do and see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Everything, at every server: somebody of the agency.
    Operator {
        /// Whether addresses in lists are shown whole.
        reveal_addresses: bool,
    },
    /// So much at each of these servers, and nothing elsewhere.
    Servers(BTreeMap<ServerId, Standing>),
}

impl Access {
    /// Nothing anywhere.
    pub fn nothing() -> Access {
        Access::Servers(BTreeMap::new())
    }

    /// What it may do and see at a server; nothing where it may not know of it.
    pub fn at(&self, server: ServerId) -> Option<Standing> {
        match self {
            Access::Operator { reveal_addresses } => {
                Some(Standing { role: Role::Operator, reveal_addresses: *reveal_addresses })
            }
            Access::Servers(servers) => servers.get(&server).copied(),
        }
    }

    /// Whether it may do everything.
    pub fn is_operator(&self) -> bool {
        matches!(self, Access::Operator { .. })
    }

    /// The servers that it names; none where it is for all.
    pub fn servers(&self) -> Option<&BTreeMap<ServerId, Standing>> {
        match self {
            Access::Operator { .. } => None,
            Access::Servers(servers) => Some(servers),
        }
    }
}

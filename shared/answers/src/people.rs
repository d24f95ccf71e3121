//! Who may sign in to the portal, and links to it.

use crate::named::{Cursor, GivenAddress, ServerId as OfServer, StandingRole, UserId};
use crate::{Role, Timestamp, Word};
use ledger::ServerId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What somebody may do and see at a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Standing {
    /// The server.
    #[schemars(with = "OfServer")]
    pub server: ServerId,
    /// Viewer or admin.
    pub role: Word<Role>,
    /// Whether they see whole addresses in lists.
    pub reveal_addresses: bool,
    /// Whether they see the content of mails.
    #[serde(default)]
    pub read_content: bool,
}

/// Somebody who may sign in to the portal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct User {
    /// Their id. It says nothing of their address.
    #[schemars(with = "UserId")]
    pub id: String,
    /// The address that codes to sign in go to.
    pub address: String,
    /// Whether they may do everything, at every server.
    pub operator: bool,
    /// For an operator: whether they see whole addresses in lists. Otherwise false: `servers` says it for each server.
    pub reveal_addresses: bool,
    /// For an operator: whether they see the content of mails. Otherwise false: `servers` says it for each server.
    #[serde(default)]
    pub read_content: bool,
    /// What they may do and see at the servers that the caller manages. Empty for an operator.
    pub servers: Vec<Standing>,
    /// When they were invited.
    pub invited_at: Timestamp,
    /// Who invited them; callers who are not operators see only `operator` for people of the agency.
    pub invited_by: String,
    /// When they first signed in. Absent if they have not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined_at: Option<Timestamp>,
    /// When they were last here, to the hour. Absent if they never were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Timestamp>,
}

/// The people who may sign in to the portal, as far as the caller manages them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Users {
    /// The users, by address.
    pub items: Vec<User>,
    /// Send this as `cursor` to get the next page; null at the end.
    #[schemars(with = "Cursor")]
    pub next: Option<String>,
}

/// What somebody is to do and see at a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewStanding {
    /// The server.
    #[schemars(with = "OfServer")]
    pub server: i64,
    /// `viewer` or `admin`.
    #[schemars(with = "StandingRole")]
    pub role: Role,
    /// Whether they shall see whole addresses in lists.
    #[serde(default)]
    pub reveal_addresses: bool,
    /// Whether they shall see the content of mails. It takes `reveal_addresses`, since a mail has addresses in it.
    #[serde(default)]
    pub read_content: bool,
}

/// What somebody is to do and see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserAccess {
    /// Whether they shall do everything, at every server. Then `servers` is empty.
    #[serde(default)]
    pub operator: bool,
    /// For an operator: whether they shall see whole addresses in lists.
    #[serde(default)]
    pub reveal_addresses: bool,
    /// For an operator: whether they shall see the content of mails. It takes `reveal_addresses`.
    #[serde(default)]
    pub read_content: bool,
    /// What they shall do and see at each server. What they have at servers that the caller does not manage stays.
    #[serde(default)]
    #[schemars(length(max = 1_000))]
    pub servers: Vec<NewStanding>,
}

/// People to invite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteRequest {
    /// Their addresses.
    #[schemars(with = "Vec<GivenAddress>", length(min = 1, max = 100))]
    pub addresses: Vec<String>,
    /// Whether they shall do everything, at every server. Then `servers` is empty.
    #[serde(default)]
    pub operator: bool,
    /// For operators: whether they shall see whole addresses in lists.
    #[serde(default)]
    pub reveal_addresses: bool,
    /// For operators: whether they shall see the content of mails. It takes `reveal_addresses`.
    #[serde(default)]
    pub read_content: bool,
    /// What they shall do and see at each server.
    #[serde(default)]
    #[schemars(length(max = 1_000))]
    pub servers: Vec<NewStanding>,
}

/// People who were invited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Invited {
    /// Each of them. Somebody who could sign in before may do and see this now too.
    pub items: Vec<User>,
    /// Whether they are told by mail. If not, tell them where the portal is.
    pub mailed: bool,
}

/// A link to the portal to make, for somebody whom your own system has signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PortalLinkRequest {
    /// What it opens: no more than the token itself may do and see.
    #[schemars(length(min = 1, max = 100))]
    pub servers: Vec<NewStanding>,
}

/// A link to the portal. Whoever opens it first within ten minutes is signed in for eight hours, or until the token that
/// it was made with is revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortalLink {
    /// The link. Redirect the browser to it; do not store it.
    pub url: String,
    /// Until when it can be opened.
    pub expires_at: Timestamp,
}

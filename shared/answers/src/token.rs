//! The servers that a token may see, and the tokens.

use crate::named::{Cursor, ServerId as OfServer, TokenId, TokenText, servers_of_token};
use crate::words::{Listable, words_of};
use crate::{Timestamp, Word};
use ledger::ServerId;
use ledger::policy::StreamKind;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// What a token may do, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees activity, statistics and suppressions of its servers, and checks addresses.
    Viewer,
    /// Also reactivates, suppresses, imports, erases, and creates viewers' tokens for its servers.
    Admin,
    /// The agency: may do everything, at every server.
    Operator,
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 3] = [Role::Viewer, Role::Admin, Role::Operator];

    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Admin => "admin",
            Role::Operator => "operator",
        }
    }
}

impl Listable for Role {
    const NAME: Option<&'static str> = Some("Role");
    const DESCRIPTION: &'static str = "What a token may do, from the least to the most.";

    fn words() -> Vec<&'static str> {
        words_of::<Role>()
    }
}

impl JsonSchema for Role {
    fn schema_name() -> Cow<'static, str> {
        Word::<Role>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Word::<Role>::json_schema(generator)
    }
}

/// A server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Server {
    /// The server.
    #[schemars(with = "OfServer")]
    pub server: ServerId,
    /// The client that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Its message streams, and what each is for.
    pub streams: BTreeMap<String, Word<StreamKind>>,
    /// How many further streams there are. Absent if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub streams_more: Option<usize>,
    /// Whether any event of it was ever recorded.
    #[serde(default = "yes")]
    pub has_events: bool,
}

/// What an older stack leaves out says nothing against it.
const fn yes() -> bool {
    true
}

/// The servers that the token may see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Servers {
    /// The servers.
    pub items: Vec<Server>,
    /// Send this as `cursor` to get the next page; null at the end.
    #[schemars(with = "Cursor")]
    pub next: Option<String>,
    /// The token's role.
    pub role: Word<Role>,
    /// Whether the token sees whole addresses in lists.
    pub reveal_addresses: bool,
    /// Whether the token sees the content of mails.
    #[serde(default)]
    pub read_content: bool,
}

/// A token. If `servers` is null, it is for every server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    /// Its id, which is not secret.
    #[schemars(with = "TokenId")]
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Word<Role>,
    /// The servers that it is for; null for every server.
    #[schemars(with = "Option<Vec<OfServer>>")]
    pub servers: Option<BTreeSet<ServerId>>,
    /// Whether it sees whole addresses in lists.
    pub reveal_addresses: bool,
    /// Whether it sees the content of mails.
    #[serde(default)]
    pub read_content: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who created it; callers who are not operators see only `operator`.
    pub created_by: String,
    /// The token that it was created with. It can do no more than that token, and expires with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TokenId>")]
    pub parent: Option<String>,
    /// When it expires. Absent if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The day (UTC) on which it was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date"))]
    pub last_used_on: Option<String>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

/// The tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tokens {
    /// The tokens.
    pub items: Vec<Token>,
    /// Send this as `cursor` to get the next page; null at the end.
    #[schemars(with = "Cursor")]
    pub next: Option<String>,
}

/// The longest name of a token, in characters.
pub const TOKEN_NAME_MAX: usize = 100;

/// The token to create. `servers` is required; null means every server. `expires_at` must be in the future.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Its name, without control characters.
    #[schemars(length(min = 1, max = TOKEN_NAME_MAX), regex(pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$"))]
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The servers that it is for; null for every server.
    // Left out is not the same as null: every server is said aloud.
    #[serde(deserialize_with = "said")]
    #[schemars(schema_with = "servers_of_token")]
    pub servers: Option<Vec<i64>>,
    /// Whether it sees whole addresses in lists. Default: a viewer's token does not; an admin's token does, if the token
    /// that creates it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reveal_addresses: Option<bool>,
    /// Whether it sees the content of mails. Default: it does not, whatever the token that creates it does. It takes
    /// `reveal_addresses`, since a mail has addresses in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_content: Option<bool>,
    /// Default: as for the token that creates it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: Option<String>,
}

fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<i64>>, D::Error> {
    Option::deserialize(deserializer)
}

/// A token that was created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MadeToken {
    /// The token's properties.
    #[serde(flatten)]
    pub made: Token,
    /// The token itself. It is shown only in this answer.
    #[schemars(with = "TokenText")]
    pub token: String,
}

/// A token that was created with one that was revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct RevokedChild {
    /// Its id.
    #[schemars(with = "TokenId")]
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A token that was revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RevokedToken {
    /// Its id.
    #[schemars(with = "TokenId")]
    pub id: String,
    /// The tokens that were created with it, or with those, and were not revoked before.
    pub children: Vec<RevokedChild>,
    /// Whether they stay valid.
    pub children_kept: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_server_is_said_by_null_and_not_by_leaving_it_out() {
        let read = |body: serde_json::Value| serde_json::from_value::<NewToken>(body);
        let every = read(json!({ "name": "n", "role": "viewer", "servers": null })).unwrap();
        assert_eq!((every.servers, every.reveal_addresses, every.expires_at), (None, None, None));
        for (body, why) in [
            (json!({ "name": "n", "role": "viewer" }), "missing field `servers`"),
            (
                json!({ "name": "n", "role": "viewer", "servers": null, "expires": "x" }),
                "unknown field `expires`",
            ),
            (json!({ "name": "n", "role": "owner", "servers": null }), "unknown variant `owner`"),
        ] {
            let error = read(body).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn an_answer_of_a_later_release_is_read_and_what_is_left_out_is_not_told_as_null() {
        let told = json!({
            "id": "mXw3kq0ZtT4b", "name": "n", "role": "auditor", "servers": [8_123_456], "reveal_addresses": false,
            "created_at": "2026-11-21T08:00:00.000000Z", "created_by": "operator", "token": "plt_x",
        });
        let mut later = told.clone();
        later["colour"] = "blue".into();
        let made: MadeToken = serde_json::from_value(later).unwrap();
        assert_eq!(made.made.role.to_string(), "auditor");
        // An older release told of no right to content: nobody had it.
        let mut as_told = told;
        as_told["read_content"] = false.into();
        assert_eq!(serde_json::to_value(made).unwrap(), as_told);
    }
}

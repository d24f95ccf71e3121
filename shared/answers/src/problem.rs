//! Why there is no answer: RFC 9457.

use crate::ReactivatedStream;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// What the `type` of every problem begins with; its code is the rest.
pub const URN: &str = "urn:postledger:problem:";

/// The codes of problems, and what each says.
const CODES: [(&str, &str); 49] = [
    ("bad-request", "400: the request is not understood; `detail` says where."),
    ("bad-cursor", "400: the cursor does not come from this list. Start again without one."),
    ("unauthorized", "401: there is no token, or it is unknown, expired or revoked."),
    ("unconfirmed", "403: whoever is signed in to the portal has to confirm it by a code first."),
    ("role", "403: the token may see the server, but its role is too low."),
    (
        "beyond-own",
        "403: the new token would reveal addresses, show the content of mails or be valid for longer than the token that \
         creates it.",
    ),
    ("content-right", "403: the caller was not given the right to see the content of mails."),
    (
        "not-found",
        "404: there is nothing of that name, or it is not in the token's scope; the answer does not say which.",
    ),
    ("missing", "404: nothing was set aside under that key."),
    ("no-such-message", "404: Postmark does not have a message of that id, or no longer."),
    ("unknown-server", "404: the server is in scope, but unknown: it is not registered and has no event."),
    (
        "unknown-stream",
        "404: this server has no known stream of that name; `did_you_mean` has similar ones. Send `unknown_stream` as \
         `allow` if it has had no mail yet.",
    ),
    ("method", "405: the path supports other methods, which `Allow` names."),
    ("activity-off", "409: the stack keeps no index by time, so activity cannot be listed."),
    ("no-portal", "409: this ledger is served without a portal, so there is none to link to."),
    (
        "connect-elsewhere",
        "409: nothing that is reached over the web has the key that signs webhooks' passwords. `next` is the command for the \
         machine that has it.",
    ),
    ("not-registered", "409: the server is not registered, so its webhooks are not looked after."),
    ("already-replayed", "409: the body was replayed already."),
    ("held-back", "409: a rule still holds the body back; only an operator can overrule it."),
    ("not-understood", "409: the body is still not understood; only an operator can mend it."),
    ("incomplete-body", "409: a part of the body is missing. Its sender was told to repeat it."),
    ("unusable", "409: it cannot be done with what is there; `detail` says why."),
    ("refused", "409: nothing of the request may be done; `results` says why."),
    ("no-postmark-token", "409: Postmark should be told, but no token for it is kept here."),
    ("token-of-another-server", "409: Postmark says that the token is another server's."),
    ("token-not-accepted", "409: Postmark does not accept the token."),
    ("refused-by-postmark", "409: Postmark refuses the change, so nothing was changed."),
    ("mail-not-taken", "409: Postmark does not take the mail; `detail` says why."),
    (
        "no-address",
        "409: the person was erased, so the recipient must be named by its address before Postmark can be told.",
    ),
    (
        "too-many-streams",
        "409: the server has more streams than activity can be listed for at once. Name one.",
    ),
    (
        "too-many-tokens",
        "409: a server or a token has as many tokens as allowed. Revoke one that is no longer needed.",
    ),
    ("too-many-policies", "409: a server has as many policies for one kind of stream as allowed."),
    ("too-many-users", "409: a server has as many users as allowed. Remove one who no longer needs access."),
    ("no-smtp-pair", "409: no pair of keys for SMTP is stored for the stream."),
    ("smtp-old-pair", "409: an older pair of keys is still stored, because it is not seen to be revoked."),
    ("smtp-wrong-pair", "409: the pair of keys does not log in by SMTP: it is wrong, or was revoked."),
    ("smtp-switched-off", "409: SMTP is switched off for the server at Postmark."),
    ("smtp-tls-refused", "409: no TLS with a good certificate was offered, so no key was sent."),
    ("smtp-unreachable", "409: nothing answers by SMTP; a port may be blocked."),
    ("smtp-timed-out", "409: the answer by SMTP took too long."),
    ("smtp-other", "409: SMTP was answered otherwise; `detail` has the code."),
    ("too-large", "413: the request has more than one request may have."),
    (
        "too-many",
        "429: the token or the user has reached its limit for today; `Retry-After` says for how long.",
    ),
    ("content-type", "415: the body does not have one of the expected media types."),
    (
        "fault",
        "500: the stored data cannot be used. Only operators of the ledger see this; a token sees `unavailable`.",
    ),
    ("unavailable", "503: a table or queue did not answer. Try again."),
    (
        "postmark-unavailable",
        "503: Postmark did not answer, so nothing was changed. Try again in some minutes.",
    ),
    ("uncertain", "503: Postmark did not answer, and nobody knows whether it did what it was asked for."),
    ("not-a-door", "503: a webhook came to the read API; Postmark will retry."),
];

/// Why there is no answer: RFC 9457.
// Others than the API tell of problems in this form too, with less: what is read has defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// The kind of problem.
    #[serde(rename = "type", default)]
    #[schemars(schema_with = "kind_of_problem", description = kinds_of_problems())]
    pub kind: String,
    /// The kind, for people.
    #[serde(default)]
    pub title: String,
    /// The HTTP status, repeated.
    #[serde(default)]
    #[schemars(range(min = 400, max = 599))]
    pub status: u16,
    /// What is wrong, without quoting the request.
    pub detail: String,
    /// What to do next.
    #[serde(default)]
    pub next: String,
    /// With `unknown-server` and `unknown-stream`: similar names, the most similar first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 3))]
    pub did_you_mean: Option<Vec<String>>,
    /// With `refused`: the reason for each stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<Vec<ReactivatedStream>>,
    /// For an import that failed half-way: how many decisions are on their way nevertheless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<usize>,
}

impl Problem {
    /// Its code, which is the end of its `type`.
    pub fn code(&self) -> &str {
        self.kind.strip_prefix(URN).unwrap_or_default()
    }
}

/// The kinds of problems.
fn kind_of_problem(_: &mut SchemaGenerator) -> Schema {
    let kinds: Vec<String> = CODES.iter().map(|(code, _)| format!("{URN}{code}")).collect();
    json_schema!({ "type": "string", "enum": kinds })
}

/// What each kind of problem says.
fn kinds_of_problems() -> String {
    let said = CODES.map(|(code, words)| format!("\n- `{code}`: {words}"));
    format!("The kind of problem.\n{}", said.concat())
}

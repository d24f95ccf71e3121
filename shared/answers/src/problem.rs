//! Why there is no answer: RFC 9457.

use crate::ReactivatedStream;
use crate::schema::{kind_of_problem, kinds_of_problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the `type` of every problem begins with; its code is the rest.
pub const URN: &str = "urn:postledger:problem:";

/// The codes of problems, and what each says.
pub(crate) const CODES: [(&str, &str); 21] = [
    ("bad-request", "400: what was sent is not understood; `detail` says where."),
    ("bad-cursor", "400: this list did not give out this cursor. Begin again without one."),
    ("unauthorized", "401: there is no token, or none that opens anything: unknown, ended, or revoked."),
    ("role", "403: the token may see the server, but its role is too low."),
    (
        "beyond-own",
        "403: a token was to be made that sees addresses, or lasts, as the one that makes it does not.",
    ),
    (
        "not-found",
        "404: there is nothing of that name, or it is not in the token's scope; which of the two is not told.",
    ),
    ("unknown-server", "404: the server is in scope, but nothing was ever heard of it."),
    (
        "unknown-stream",
        "404: nobody knows a stream of that name at this server; `did_you_mean` has near ones. Send `unknown_stream` as \
         `allow` where its first mail is yet to come.",
    ),
    ("method", "405: the path takes other methods, which `Allow` names."),
    ("activity-off", "409: the stack keeps no index by time, so activity cannot be listed."),
    ("refused", "409: nothing of what was asked may be done; `results` says why."),
    ("no-postmark-token", "409: Postmark is to be told, and no token for it is kept here."),
    (
        "no-address",
        "409: the person was erased, so Postmark can be told of the recipient only by its address.",
    ),
    ("too-many-streams", "409: the server has more streams than activity is listed over at once. Name one."),
    (
        "too-many-tokens",
        "409: a server or a token has as many tokens as may be. Revoke one that is not needed any more.",
    ),
    ("too-large", "413: more than is taken at once."),
    ("too-many", "429: the token has done as much of it today as it may; `Retry-After` says until when."),
    ("content-type", "415: the body is of another media type than is asked for."),
    (
        "fault",
        "500: what is stored cannot be used. Only whoever operates the ledger is told so; a token is told `unavailable`.",
    ),
    ("unavailable", "503: a table or queue did not answer. Try again."),
    ("not-a-door", "503: a webhook has come here; Postmark comes again."),
];

/// Why there is no answer: RFC 9457.
// Others than the API tell of problems in this form too, with less: what is read has defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Which kind of problem.
    #[serde(rename = "type", default)]
    #[schemars(schema_with = "kind_of_problem", description = kinds_of_problems())]
    pub kind: String,
    /// The kind, for people.
    #[serde(default)]
    pub title: String,
    /// The status, again.
    #[serde(default)]
    #[schemars(range(min = 400, max = 599))]
    pub status: u16,
    /// What is the matter. Nothing of the request is quoted.
    pub detail: String,
    /// What to do.
    #[serde(default)]
    pub next: String,
    /// With `unknown-server` and `unknown-stream`: the names that are near, the nearest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 3))]
    pub did_you_mean: Option<Vec<String>>,
    /// With `refused`: stream by stream, why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<Vec<ReactivatedStream>>,
    /// Of an import that failed half-way: how many decisions are on their way all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<usize>,
}

impl Problem {
    /// Its code, which is the end of its `type`.
    pub fn code(&self) -> &str {
        self.kind.strip_prefix(URN).unwrap_or_default()
    }
}

//! Whose events they are: the number that Postmark gives to a server, and an agency to each client by it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Postmark's numeric ServerID: one for each client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "i64", try_from = "i64")]
pub struct ServerId(i64);

/// A server id must be a number from 0 (no server) to 2^63-1, in plain decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a server id: expected Postmark's numeric ServerID, such as 8123456")]
pub struct NotAServer;

impl ServerId {
    /// The server of a body that has no valid credential at all.
    pub const NONE: ServerId = ServerId(0);

    /// From a number that is not negative.
    pub const fn new(id: i64) -> Result<ServerId, NotAServer> {
        if id < 0 { Err(NotAServer) } else { Ok(ServerId(id)) }
    }

    /// The number.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// Plain decimal only, so that one server has one spelling.
impl FromStr for ServerId {
    type Err = NotAServer;

    fn from_str(text: &str) -> Result<ServerId, NotAServer> {
        let id: i64 = text.parse().map_err(|_| NotAServer)?;
        if id.to_string() == text { ServerId::new(id) } else { Err(NotAServer) }
    }
}

impl From<ServerId> for i64 {
    fn from(id: ServerId) -> i64 {
        id.0
    }
}

impl TryFrom<i64> for ServerId {
    type Error = NotAServer;

    fn try_from(id: i64) -> Result<ServerId, NotAServer> {
        ServerId::new(id)
    }
}

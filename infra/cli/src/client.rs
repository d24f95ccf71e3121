//! The HTTP of the commands: how long an answer may take, and what is said where nobody answers.

use crate::Failure;
use std::time::Duration;
use ureq::Agent;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An HTTP agent that treats every status as an answer, and follows nobody elsewhere: what is asked is not asked there.
pub fn agent() -> Agent {
    let config = Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false);
    config.max_redirects(0).build().into()
}

/// Nobody, or somebody else, is at a base URL.
pub fn unreachable_at(base: &str) -> Failure {
    Failure::new(format!("no Postledger answers at {base}"))
        .next("start one by `postledger run`, or name another by --url or POSTLEDGER_URL")
}

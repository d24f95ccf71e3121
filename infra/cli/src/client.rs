//! The HTTP of the commands: how long an answer may take, and what is said where nobody answers.

use crate::Failure;
use crate::unix::ToSocket;
use std::path::Path;
use std::time::Duration;
use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;
use ureq::unversioned::resolver::DefaultResolver;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An HTTP agent that treats every status as an answer, and follows nobody elsewhere: what is asked is not asked there.
pub fn agent() -> Agent {
    config().build().into()
}

/// The same for whoever listens on a Unix socket, whatever address is named.
pub fn agent_at(socket: &Path) -> Agent {
    let config = config().proxy(None).build();
    Agent::with_parts(config, ToSocket(socket.to_owned()), DefaultResolver::default())
}

fn config() -> ConfigBuilder<AgentScope> {
    Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false).max_redirects(0)
}

/// Nobody, or somebody else, is at a base URL.
pub fn unreachable_at(base: &str) -> Failure {
    Failure::new(format!("no Postledger answers at {base}"))
        .next("start one by `postledger run`, or name another by --url or POSTLEDGER_URL")
}

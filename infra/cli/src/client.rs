//! How the commands ask a running embedded Postledger.

use crate::embedded::Pass;
use crate::embedded::admin::UNKNOWN;
use crate::target::Whose;
use crate::{Failure, USAGE};
use http::header::AUTHORIZATION;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use ureq::Agent;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An HTTP agent that treats every status as an answer, and follows nobody elsewhere: what is asked is not asked there.
pub fn agent() -> Agent {
    let config = Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false);
    config.max_redirects(0).build().into()
}

/// Asks the admin surface of a running Postledger.
#[derive(Clone)]
pub struct Client {
    doors: String,
    pass: Pass,
    agent: Agent,
}

impl Client {
    /// The client of this user's Postledger whose doors are at a base URL.
    ///
    /// # Errors
    /// Where there is none, or others could be it: see [`Pass::find`].
    pub fn open(doors: &str, whose: &Whose) -> Result<Client, Failure> {
        Ok(Client::new(doors, Pass::find(&whose.home()?, doors)?))
    }

    /// A client that bears a pass.
    pub fn new(doors: &str, pass: Pass) -> Client {
        Client { doors: doors.to_owned(), pass, agent: agent() }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/admin/{path}", self.pass.admin)
    }

    /// Asks.
    ///
    /// # Errors
    /// Where nobody answers, or the answer is a refusal.
    pub fn get<T: DeserializeOwned>(&self, path: &str, query: &impl Serialize) -> Result<T, Failure> {
        let pairs = serde_json::to_value(query)?;
        let mut request = self.agent.get(self.url(path)).header(AUTHORIZATION, self.pass.header());
        for (name, value) in pairs.as_object().into_iter().flatten() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            request = request.query(name, text);
        }
        self.answer(request.call())
    }

    /// Tells.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        let request = self.agent.post(self.url(path)).header(AUTHORIZATION, self.pass.header());
        self.answer(request.send_json(body))
    }

    /// Whether anybody answers.
    pub fn is_up(&self) -> bool {
        self.agent.get(self.url("queues")).header(AUTHORIZATION, self.pass.header()).call().is_ok()
    }

    fn answer<T: DeserializeOwned>(
        &self,
        answer: Result<http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<T, Failure> {
        let mut response = answer.map_err(|_| unreachable_at(&self.doors))?;
        let status = response.status();
        let body = response.body_mut().with_config().limit(u64::MAX).read_to_vec();
        let body = body.map_err(|_| unreachable_at(&self.doors))?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| unreachable_at(&self.doors));
        }
        let told: Option<String> = serde_json::from_slice::<serde_json::Value>(&body)
            .ok()
            .and_then(|body| body["error"].as_str().map(str::to_owned));
        let failure = Failure::new(told.unwrap_or_else(|| format!("the answer was {status}")));
        Err(if status == UNKNOWN { failure.status(USAGE) } else { failure })
    }
}

/// Nobody, or somebody else, is at a base URL.
pub fn unreachable_at(base: &str) -> Failure {
    Failure::new(format!("no Postledger answers at {base}"))
        .next("start one by `postledger run`, or name another by --url or POSTLEDGER_URL")
}

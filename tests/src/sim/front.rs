//! What stands between Postmark and our doors: the network, a gateway, a firewall, and the deployment of the moment.

use super::faults::Fault;
use crate::postmark::{Hooks, deliver, seen};
use async_trait::async_trait;
use embedded::Stack;
use fastrand::Rng;
use http::Request;
use postmark_simulator::Answer;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Where our doors are.
pub(crate) const BASE: &str = "https://hooks.agency.example";
/// How long an answer takes, in milliseconds, at least and at most.
const MILLIS: (u32, u32) = (20, 900);
/// Out of how many requests a throttled gateway lets one through.
const THROTTLED_ONE_IN: u8 = 5;

/// What became of a request.
pub(crate) struct Took {
    /// What Postmark sees.
    pub(crate) answer: Answer,
    /// What our door said, where the request reached it.
    pub(crate) door: Option<ingest::Answer>,
    /// Whether a fault changed it.
    pub(crate) hit: bool,
}

/// The front.
pub(crate) struct Front {
    state: Mutex<State>,
}

struct State {
    stack: Arc<Stack>,
    faults: BTreeSet<Fault>,
    rng: Rng,
}

impl Front {
    pub(crate) fn new(stack: Arc<Stack>, seed: u64) -> Front {
        let rng = Rng::with_seed(seed ^ 0x0F0F);
        Front { state: Mutex::new(State { stack, faults: BTreeSet::new(), rng }) }
    }

    fn with<T>(&self, ask: impl FnOnce(&mut State) -> T) -> T {
        ask(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Deploys other doors.
    pub(crate) fn deploy(&self, stack: Arc<Stack>) {
        self.with(|state| state.stack = stack);
    }

    /// Begins or ends a fault.
    pub(crate) fn set(&self, fault: Fault, on: bool) {
        self.with(|state| if on { state.faults.insert(fault) } else { state.faults.remove(&fault) });
    }

    /// What becomes of a request.
    pub(crate) async fn take(&self, request: &Request<Vec<u8>>) -> Took {
        let (stack, fault, millis) = self.with(|state| {
            let millis = state.rng.u32(MILLIS.0..MILLIS.1);
            let throttled = state.rng.u8(..THROTTLED_ONE_IN) > 0;
            let of_front = |fault: &&Fault| match fault {
                Fault::Throttled => throttled,
                fault => matches!(
                    fault,
                    Fault::Flicker
                        | Fault::Outage
                        | Fault::Unavailable
                        | Fault::AnswersLost
                        | Fault::Forbidden
                ),
            };
            (state.stack.clone(), state.faults.iter().find(of_front).copied(), millis)
        });
        let status = |code| Answer::Status { code, millis, location: None, challenge: false };
        let refused = |answer| Took { answer, door: None, hit: true };
        if request.uri().host().is_none_or(|host| !BASE.ends_with(host)) {
            // Somebody else's endpoint. Our own may be told by another row.
            return Took { answer: status(200), door: None, hit: false };
        }
        match fault {
            Some(Fault::Flicker | Fault::Outage) => refused(Answer::ConnectFailed),
            Some(Fault::Unavailable) => refused(status(503)),
            Some(Fault::Throttled) => refused(status(429)),
            Some(Fault::Forbidden) => refused(status(403)),
            fault => {
                let door = deliver(&stack, request).await;
                let lost = fault == Some(Fault::AnswersLost);
                let answer = if lost { Answer::Timeout } else { seen(door, millis) };
                let refused = matches!(door, ingest::Answer::TryAgain | ingest::Answer::WrongCredential);
                Took { answer, door: Some(door), hit: lost || refused }
            }
        }
    }
}

#[async_trait]
impl Hooks for Front {
    async fn answer(&self, request: &Request<Vec<u8>>) -> Answer {
        self.take(request).await.answer
    }
}

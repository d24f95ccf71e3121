//! Faults injected through a port, so that what is proved holds for every implementation behind it.
//!
//! A [`Plan`] is asked before every call that goes through a faulty port and says what happens to it. Stopping
//! stands for a killed process: the call never returns, [`Plan::stopped`] tells, and whoever watches drops the
//! task that made the call.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing; the call goes through.
    None,
    /// The call is refused and has no effect.
    Refuse,
    /// The call is not permitted, however often it is tried, and has no effect.
    Deny,
    /// The call is refused because another one touches the same thing.
    Conflict,
    /// The call has its effect, but its answer is lost.
    LoseAnswer,
    /// The call goes through after a while.
    Wait(Duration),
    /// The process stops before the call has any effect.
    StopBefore,
    /// The process stops after the call has had its effect.
    StopAfter,
}

/// Decides about every call, by its name.
#[derive(Clone)]
pub struct Plan {
    decide: Arc<dyn Fn(&'static str) -> Fault + Send + Sync>,
    stopped: Arc<Notify>,
}

impl Plan {
    /// A plan that asks a function, in the order of the calls.
    pub fn new(decide: impl Fn(&'static str) -> Fault + Send + Sync + 'static) -> Plan {
        Plan { decide: Arc::new(decide), stopped: Arc::default() }
    }

    /// Resolves once a call has stopped.
    pub async fn stopped(&self) {
        self.stopped.notified().await;
    }

    /// Makes a call under the plan. `error` says what a refused or conflicting call, or one whose answer is
    /// lost, returns in the words of the port.
    ///
    /// # Errors
    /// Those of the call, or `error`'s.
    pub async fn call<T, E>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T, E>>,
        error: impl FnOnce(Fault) -> E,
    ) -> Result<T, E> {
        match (self.decide)(name) {
            Fault::None => call.await,
            fault @ (Fault::Refuse | Fault::Deny | Fault::Conflict) => Err(error(fault)),
            fault @ Fault::LoseAnswer => {
                call.await?;
                Err(error(fault))
            }
            Fault::Wait(pause) => {
                tokio::time::sleep(pause).await;
                call.await
            }
            Fault::StopBefore => self.stop().await,
            Fault::StopAfter => {
                let _ = call.await;
                self.stop().await
            }
        }
    }

    async fn stop<T>(&self) -> T {
        self.stopped.notify_one();
        std::future::pending().await
    }
}

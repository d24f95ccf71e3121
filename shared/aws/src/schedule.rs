//! What a function does that a schedule starts, whatever its work is.

use crate::{answer_to_check, deadline};
use serde::Serialize;
use serde_json::Value;
use std::error::Error;
use std::time::Duration;
use tokio::time::Instant;

/// Runs the work of one invocation until some time before its deadline, logs why it failed, and writes the metrics. What was
/// found is logged and counted by the work itself; the answer is for whoever invokes it by hand.
///
/// # Errors
/// The work's own.
pub async fn scheduled<T: Serialize, E: Error + Send + Sync + 'static>(
    event: &Value,
    deadline_millis: u64,
    reserve: Duration,
    work: impl AsyncFnOnce(Instant) -> Result<T, E>,
) -> Result<Value, Box<dyn Error + Send + Sync>> {
    if let Some(answer) = answer_to_check(event) {
        return Ok(answer);
    }
    let until = deadline(deadline_millis).checked_sub(reserve).unwrap_or_else(Instant::now);
    let done = work(until).await.inspect_err(|error| platform::logs::run_failed(error));
    platform::metrics::flush(std::io::stdout().lock());
    Ok(serde_json::to_value(done?)?)
}

//! What is counted of calls of AWS that failed, whoever made them.

use crate::CallFailed;
use std::error::Error;

/// What a log line tells of a failed call beside its words: the fields `call.kind`, `call.code` and `call.action`. All
/// `None`, and so left out of the line, where an error comes from no call of AWS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted<'a> {
    /// The kind of failure.
    pub kind: Option<&'static str>,
    /// AWS's own code.
    pub code: Option<&'a str>,
    /// The action that is not permitted.
    pub action: Option<&'a str>,
}

/// Counts the failed call behind an error, if there is one, and gives what its log line is to tell. Called once, where
/// the error is handled.
pub fn counted<'a>(error: &'a (dyn Error + 'static)) -> Counted<'a> {
    let Some(failed) = CallFailed::behind(error) else {
        return Counted::default();
    };
    metrics::counter!("CallsFailed", "Kind" => failed.kind().name()).increment(1);
    if !failed.passes() {
        metrics::counter!("CallsRefused").increment(1);
    }
    Counted { kind: Some(failed.kind().name()), code: failed.code(), action: failed.action() }
}

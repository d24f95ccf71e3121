//! Why a call gave nothing, in sentences that say what to do next.

use crate::health::Verification;
use crate::transport::TransportError;
use std::fmt;

/// Why a call gave nothing. Its `Display` is a sentence that quotes neither tokens nor addresses;
/// [`next`](Self::next) says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// Postmark refuses, and would again.
    #[error("Postmark refuses ({}): {words}", Number(*.status, *.code))]
    Refused {
        /// HTTP's status.
        status: u16,
        /// Postmark's `ErrorCode`; 0 if it gives none.
        code: i64,
        /// What is wrong.
        words: String,
        /// What to do about it, where that is known.
        next: Option<&'static str>,
    },
    /// A webhook was not created or not changed, since our endpoint did not answer each of Postmark's probes with
    /// exactly 200. Nothing was saved.
    #[error("Postmark's probes failed, so nothing was saved: {0}")]
    Unverified(Verification),
    /// It was tried as often as is sensible; later it may be done.
    #[error("Postmark cannot be asked now: {0}")]
    Unavailable(Cause),
    /// A call that must not be repeated got no answer: nobody knows whether it was done.
    #[error("it is not known whether Postmark has done it: {0}")]
    Uncertain(Cause),
    /// The answer is not what Postmark documents: which answer, and where it differs.
    #[error("Postmark's answer is not understood: {0}")]
    NotUnderstood(String),
    /// The request could not be made from what was given, so nothing was sent.
    #[error("the request cannot be made: {0}")]
    NotSent(&'static str),
}

/// What stood in the way of an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// HTTP 429: too many calls.
    #[error("it accepts no more calls for a while (429)")]
    Throttled,
    /// HTTP 5xx.
    #[error("it failed ({0})")]
    Fault(u16),
    /// HTTP 503 with `ErrorCode` 100.
    #[error("it is down for maintenance (503, 100)")]
    Maintenance,
    /// No answer, or not all of it.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

impl ApiError {
    /// What to do about it, as a sentence.
    pub fn next(&self) -> Option<&'static str> {
        match self {
            ApiError::Refused { next, .. } => *next,
            ApiError::Unverified(_) => Some(
                "look at the answers per trigger: each probe must be answered with exactly 200 and the right \
                 credentials, so deploy first and connect then",
            ),
            ApiError::Unavailable(Cause::Transport(TransportError::NotConnected(_))) => {
                Some("check the network, and the base URL if another than Postmark's is set; then try again")
            }
            ApiError::Unavailable(Cause::Throttled) => Some("wait some minutes, and ask less at a time"),
            ApiError::Unavailable(_) => Some("try again later; https://status.postmarkapp.com says more"),
            ApiError::Uncertain(_) => Some("look in Postmark whether it was done before you do it again"),
            ApiError::NotUnderstood(_) => Some(
                "check the base URL if another than Postmark's is set; else Postmark has changed: report it",
            ),
            ApiError::NotSent(_) => Some("check the base URL"),
        }
    }
}

/// HTTP's status and, where there is one, Postmark's code.
struct Number(u16, i64);

impl fmt::Display for Number {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            0 => write!(out, "{}", self.0),
            code => write!(out, "{}, {code}", self.0),
        }
    }
}

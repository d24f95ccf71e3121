//! The versions of messages: which release can read which.

use ledger::event::{Bar, Ruling, What};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::ops::RangeInclusive;

/// The version that is written where nothing needs a later one.
pub const ENVELOPE_VERSION: u32 = 1;
/// The version of envelopes and parts whose body is taken out: an older release would look for a recipient in what
/// is left of the body, and make another event of it.
pub const ERASED_VERSION: u32 = 2;
/// The version of messages that name the cause for which an import bars: an older release does not know these.
pub const CAUSE_VERSION: u32 = 3;
/// The versions that this release reads.
pub(crate) const VERSIONS: RangeInclusive<u32> = ENVELOPE_VERSION..=CAUSE_VERSION;
const _: () = assert!(ENVELOPE_VERSION < ERASED_VERSION && ERASED_VERSION < CAUSE_VERSION);

/// The first version whose readers know what happened.
pub(crate) const fn version_of(what: &What) -> u32 {
    match what {
        What::Decision { ruling: Ruling::Suppress(Bar::Import(Some(_))) } => CAUSE_VERSION,
        _ => ENVELOPE_VERSION,
    }
}

/// Why a message is no envelope. It quotes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not JSON, or without a field that every envelope has.
    #[error("the message is no envelope")]
    NotAnEnvelope,
    /// Written by a later release.
    #[error("the message is of a later version")]
    LaterVersion,
    /// The body is not JSON.
    #[error("the body is not JSON")]
    NotJson,
}

/// Reads a message of one of the given versions. An error distinguishes a later release's message from one that is no
/// envelope at all.
pub(crate) fn decode_versioned<T: DeserializeOwned>(
    message: &str,
    versions: RangeInclusive<u32>,
) -> Result<T, EnvelopeError> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    match serde_json::from_str::<Version>(message) {
        Ok(Version { v }) if versions.contains(&v) => {
            serde_json::from_str(message).map_err(|_| EnvelopeError::NotAnEnvelope)
        }
        Ok(Version { v }) if v > *versions.end() => Err(EnvelopeError::LaterVersion),
        _ => Err(EnvelopeError::NotAnEnvelope),
    }
}

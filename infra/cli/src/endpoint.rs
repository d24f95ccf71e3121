//! Postmark's API, as commands ask it.

use crate::Failure;
use postmark_api::{Endpoint, Https, Timeouts};
use std::sync::Arc;

/// Postmark's API at a base URL, and SMTP where that is Postmark's own.
///
/// # Errors
/// Where TLS cannot be set up.
pub fn endpoint(base: &str) -> Result<Endpoint, Failure> {
    let https = Https::new(Timeouts::default()).map_err(|error| Failure::new(error.to_string()))?;
    Ok(smtp::beside(Endpoint::new(Arc::new(https)).with_base(base)))
}

/// What Postmark refuses, with what to do.
pub fn refused(error: postmark_api::ApiError) -> Failure {
    let failure = Failure::new(error.to_string());
    match error.next() {
        Some(next) => failure.next(next),
        None => failure,
    }
}

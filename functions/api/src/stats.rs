//! Counts and rates by hour or day, in a zone.

use crate::call::{Answer, Call};
use crate::problem::Problem;
use crate::scope::Reader;

/// Answers.
///
/// # Errors
/// [`Problem::bad_request`] or the ledger's own.
pub(crate) async fn stats(_reader: &Reader<'_>, _call: &Call<'_>, _name: &str) -> Result<Answer, Problem> {
    Err(Problem::not_found())
}

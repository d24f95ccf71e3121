//! Whom a stream must not mail, as pages of JSON or CSV.

use crate::call::{Answer, Call};
use crate::problem::Problem;
use crate::scope::Reader;

/// Answers.
///
/// # Errors
/// [`Problem::bad_request`] or the ledger's own.
pub(crate) async fn suppressions(
    _reader: &Reader<'_>,
    _call: &Call<'_>,
    _name: &str,
) -> Result<Answer, Problem> {
    Err(Problem::not_found())
}

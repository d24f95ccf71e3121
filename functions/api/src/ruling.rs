//! Suppress and reactivate: at Postmark first, then by decisions of ours.

use crate::call::{Answer, Call};
use crate::problem::Problem;
use crate::scope::Admin;

/// Answers.
///
/// # Errors
/// [`Problem::bad_request`] or the ledger's own.
pub(crate) async fn suppress(_admin: &Admin<'_>, _call: &Call<'_>, _name: &str) -> Result<Answer, Problem> {
    Err(Problem::not_found())
}

/// Answers.
///
/// # Errors
/// [`Problem::bad_request`] or the ledger's own.
pub(crate) async fn reactivate(_admin: &Admin<'_>, _call: &Call<'_>, _name: &str) -> Result<Answer, Problem> {
    Err(Problem::not_found())
}

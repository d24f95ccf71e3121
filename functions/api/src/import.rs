//! Lists of suppressed addresses from elsewhere, taken in as decisions.

use crate::call::{Answer, Call};
use crate::problem::Problem;
use crate::scope::Admin;

/// Answers.
///
/// # Errors
/// [`Problem::bad_request`] or the ledger's own.
pub(crate) async fn import(_admin: &Admin<'_>, _call: &Call<'_>, _name: &str) -> Result<Answer, Problem> {
    Err(Problem::not_found())
}

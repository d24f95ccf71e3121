//! What happened: to a recipient, to a message, at a server; and a person's data.

use crate::call::{Answer, Call};
use crate::problem::Problem;
use crate::scope::{Admin, Reader};

/// Answers.
///
/// # Errors
/// [`Problem::bad_request`] or the ledger's own.
pub(crate) async fn timeline(_reader: &Reader<'_>, _call: &Call<'_>, _name: &str) -> Result<Answer, Problem> {
    Err(Problem::not_found())
}

/// Answers.
///
/// # Errors
/// [`Problem::bad_request`] or the ledger's own.
pub(crate) async fn message(_reader: &Reader<'_>, _call: &Call<'_>, _name: &str) -> Result<Answer, Problem> {
    Err(Problem::not_found())
}

/// Answers.
///
/// # Errors
/// [`Problem::bad_request`] or the ledger's own.
pub(crate) async fn activity(_reader: &Reader<'_>, _call: &Call<'_>, _name: &str) -> Result<Answer, Problem> {
    Err(Problem::not_found())
}

/// Answers.
///
/// # Errors
/// [`Problem::bad_request`] or the ledger's own.
pub(crate) async fn export(_admin: &Admin<'_>, _call: &Call<'_>, _name: &str) -> Result<Answer, Problem> {
    Err(Problem::not_found())
}
